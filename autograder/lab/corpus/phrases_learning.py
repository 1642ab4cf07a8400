"""Hand-written pairs about learning, studying and machine learning: Chinese cut into words | English."""

LEARNING = """
机器 学习|machine learning
深度 学习|deep learning
强化 学习|reinforcement learning
监督 学习|supervised learning
无监督 学习|unsupervised learning
自监督 学习|self supervised learning
迁移 学习|transfer learning
在线 学习|online learning
学习率|learning rate
人工 智能|artificial intelligence
神经 网络|neural network
卷积 神经 网络|convolutional neural network
循环 神经 网络|recurrent neural network
前馈 网络|feed forward network
注意力|attention
自注意力|self attention
交叉 注意力|cross attention
多头 注意力|multi head attention
注意力 机制|attention mechanism
注意力 权重|attention weights
位置 编码|positional encoding
词 嵌入|word embedding
编码器|encoder
解码器|decoder
残差 连接|residual connection
层 归一化|layer normalization
激活 函数|activation function
损失 函数|loss function
梯度|gradient
梯度 下降|gradient descent
随机 梯度 下降|stochastic gradient descent
反向 传播|backpropagation
过拟合|overfitting
欠拟合|underfitting
正则化|regularization
训练集|training set
验证集|validation set
测试集|test set
批 大小|batch size
超参数|hyperparameter
大 数据|big data
矩阵|matrix
矩阵 乘法|matrix multiplication
向量|vector
张量|tensor
线性 代数|linear algebra
概率 分布|probability distribution
自然 语言 处理|natural language processing
机器 翻译|machine translation
语言 模型|language model
大 语言 模型|large language model
生成 模型|generative model
扩散 模型|diffusion model
预训练|pretraining
微调|fine tuning
知识 蒸馏|knowledge distillation
计算机 视觉|computer vision
语音 识别|speech recognition
图像 识别|image recognition
文本 生成|text generation
束 搜索|beam search
贪心 解码|greedy decoding
显卡|graphics card
决策树|decision tree
随机 森林|random forest
聚类|clustering
分类|classification
回归|regression
特征|feature
标签|label
噪声|noise
我 在/ing 学习 机器 学习|i am studying machine learning
我们 在/ing 学习 深度 学习|we are studying deep learning
我 对/towards 机器 学习 很 感兴趣|i am very interested in machine learning
机器 学习 很 有意思|machine learning is very interesting
机器 学习 不 难|machine learning is not difficult
什么 是 机器 学习|what is machine learning
你 为什么 学习 机器 学习|why do you study machine learning
你 只/only 需要 注意力|attention is all you need
机器 会/can 思考 吗|can machines think
这个 模型 太 大 了|this model is too big
这个 模型 会/can 翻译 中文|this model can translate chinese
模型 还 在/ing 训练|the model is still training
模型 训练 好 了|the model has been trained
模型 过拟合 了|the model has overfitted
损失 下降 了|the loss has gone down
准确率 提高 了|the accuracy has gone up
梯度 消失 了|the gradient has vanished
梯度 爆炸 了|the gradient has exploded
数据 不 够|there is not enough data
数据 比 算法 重要|data is more important than algorithms
我们 需要 更 多 的 数据|we need more data
代码 里 有 一 个 错误|there is an error in the code
我 找到 了 一 个 错误|i found an error
程序 运行 得 很 慢|the program runs very slowly
显卡 很 贵|graphics cards are very expensive
形状 不 对|the shape is wrong
请 检查 形状|please check the shape
先 预测 再 运行|first predict then run
再 试 一 次|try once more
结果 出来 了|the results are out
这 行 代码 是 什么 意思|what does this line of code mean
学生|student
老师|teacher
中文|chinese
英文|english
数学|mathematics
课本|textbook
作业|homework
考试|exam
成绩|grade
练习|exercise
问题|question
答案|answer
图书馆|library
教室|classroom
词典|dictionary
论文|paper
我 是 学生|i am a student
她 是 我们 的 老师|she is our teacher
老师 很 有 耐心|the teacher is very patient
我 喜欢 学习|i like studying
我 喜欢 数学|i like mathematics
他 学 了 三 年 中文|he studied chinese for three years
她 每天 练习 写 字|she practises writing characters every day
我 会/can 说 一点儿 中文|i can speak a little chinese
我 的 中文 不 好|my chinese is not good
你 的 中文 很 好|your chinese is very good
这个 字 怎么 读|how do you read this character
这个 词 是 什么 意思|what does this word mean
用 中文 怎么 说|how do you say it in chinese
请 再 说 一 遍|please say it again
请 说 慢 一点儿|please speak more slowly
我 不 明白|i do not understand
我 明白 了|now i understand
你 有 问题 吗|do you have any questions
我 有 一 个 问题|i have a question
这 是 一 个 好 问题|this is a good question
这 道 题 很 难|this problem is very difficult
我 会/can 做 这 道 题|i can solve this problem
答案 是 什么|what is the answer
答案 是 对 的|the answer is right
答案 是 错 的|the answer is wrong
作业 做完 了 吗|is the homework finished
我 还 没 做完 作业|i have not finished my homework yet
我们 明天 有 考试|we have an exam tomorrow
考试 很 容易|the exam is very easy
我 忘 了 带 课本|i forgot to bring my textbook
图书馆 几 点 关门|when does the library close
我们 去 图书馆 吧|let us go to the library
上课 了|class has begun
下课 了|class is over
你 做 得 很 好|you did very well
她 学 得 很 快|she learns very fast
别 放弃|do not give up
慢慢 来|take your time
加油|keep going
好好 学习 天天 向上|study hard and make progress every day
学 无 止境|there is no end to learning
活 到 老 学 到 老|one is never too old to learn
熟能生巧|practice makes perfect
知识 就是 力量|knowledge is power
失败 是 成功 之 母|failure is the mother of success
千里之行 始于足下|a journey of a thousand miles begins with a single step
"""
