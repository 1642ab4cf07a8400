"""Words that only the hand-written pairs use, in the form of `lexicon_core`."""

FROM_PHRASES = """
深度 shēn-dù depth; 强化 qiáng-huà reinforce; 监督 jiān-dū supervision; 无监督 wú-jiān-dū without supervision;
自监督 zì-jiān-dū self supervision; 迁移 qiān-yí transfer; 在线 zài-xiàn online;
学习率 xué-xí-lǜ learning rate; 人工 rén-gōng artificial; 智能 zhì-néng intelligence; 神经 shén-jīng nerve;
网络 wǎng-luò network; 卷积 juǎn-jī convolution; 循环 xún-huán recurrent; 前馈 qián-kuì feed forward;
注意力 zhù-yì-lì attention; 自注意力 zì-zhù-yì-lì self attention; 交叉 jiāo-chā cross;
多头 duō-tóu many headed; 机制 jī-zhì mechanism; 权重 quán-zhòng weight; 位置 wèi-zhì position;
编码 biān-mǎ encode; 嵌入 qiàn-rù embed; 编码器 biān-mǎ-qì encoder; 解码器 jiě-mǎ-qì decoder;
残差 cán-chā residual; 连接 lián-jiē connection; 层 céng layer; 归一化 guī-yī-huà normalization;
激活 jī-huó activate; 函数 hán-shù function; 梯度 tī-dù gradient; 随机 suí-jī random; 反向 fǎn-xiàng backward;
传播 chuán-bō propagate; 过拟合 guò-nǐ-hé overfit; 欠拟合 qiàn-nǐ-hé underfit; 正则化 zhèng-zé-huà regularize;
训练集 xùn-liàn-jí training set; 验证集 yàn-zhèng-jí validation set; 测试集 cè-shì-jí test set; 批 pī batch;
大小 dà-xiǎo size; 超参数 chāo-cān-shù hyperparameter; 矩阵 jǔ-zhèn matrix; 乘法 chéng-fǎ multiplication;
向量 xiàng-liàng vector; 张量 zhāng-liàng tensor; 线性 xiàn-xìng linear; 代数 dài-shù algebra;
概率 gài-lǜ probability; 分布 fēn-bù distribution; 自然 zì-rán natural; 语言 yǔ-yán language;
处理 chǔ-lǐ process; 翻译 fān-yì translate; 生成 shēng-chéng generate; 扩散 kuò-sàn diffuse;
预训练 yù-xùn-liàn pretrain; 微调 wēi-tiáo fine tune; 知识 zhī-shi knowledge; 蒸馏 zhēng-liú distil;
计算机 jì-suàn-jī computer; 视觉 shì-jué vision; 语音 yǔ-yīn speech; 识别 shí-bié recognize;
图像 tú-xiàng image; 文本 wén-běn text; 束 shù bundle; 搜索 sōu-suǒ search; 贪心 tān-xīn greedy;
解码 jiě-mǎ decode; 显卡 xiǎn-kǎ graphics card; 决策树 jué-cè-shù decision tree; 森林 sēn-lín forest;
聚类 jù-lèi cluster; 分类 fēn-lèi classify; 回归 huí-guī regress; 特征 tè-zhēng feature; 标签 biāo-qiān label;
噪声 zào-shēng noise;

在/ing zài [in progress]; 对 duì right; 对/towards duì towards; 很 hěn very; 感兴趣 gǎn-xìng-qù interested;
什么 shén-me what; 为什么 wèi-shén-me why; 只/only zhǐ only; 需要 xū-yào need; 会/can huì can;
会/will huì will; 思考 sī-kǎo think; 这个 zhè-ge this; 太 tài too; 中文 zhōng-wén chinese;
英文 yīng-wén english; 还 hái still; 提高 tí-gāo rise; 消失 xiāo-shī vanish; 爆炸 bào-zhà explode;
够 gòu enough; 多 duō much; 多/how duō how; 代码 dài-mǎ code; 里 lǐ inside; 有 yǒu have; 错误 cuò-wù error;
找到 zhǎo-dào find; 程序 chéng-xù program; 运行 yùn-xíng run; 得 de [manner]; 形状 xíng-zhuàng shape;
请 qǐng please; 检查 jiǎn-chá check; 先 xiān first; 预测 yù-cè predict; 再 zài again; 试 shì try; 次 cì time;
结果 jié-guǒ result; 出来 chū-lái come out; 行 háng line; 意思 yì-si meaning; 课本 kè-běn textbook;
作业 zuò-yè homework; 考试 kǎo-shì exam; 成绩 chéng-jì grade; 练习 liàn-xí exercise; 答案 dá-àn answer;
图书馆 tú-shū-guǎn library; 教室 jiào-shì classroom; 耐心 nài-xīn patience; 喜欢 xǐ-huan like; 说 shuō say;
怎么 zěn-me how; 读 dú read; 用 yòng with; 遍 biàn time; 明白 míng-bai understand; 道 dào [problem];
题 tí problem; 错 cuò wrong; 做完 zuò-wán finish; 忘 wàng forget; 带 dài bring; 关门 guān-mén close; 去 qù go;
吧 ba [suggestion]; 上课 shàng-kè begin class; 下课 xià-kè end class; 别 bié do not; 放弃 fàng-qì give up;
慢慢 màn-màn slowly; 来 lái come; 加油 jiā-yóu add fuel; 好好 hǎo-hǎo well; 天天 tiān-tiān every day;
向上 xiàng-shàng upwards; 无 wú without; 止境 zhǐ-jìng limit; 活 huó live; 到 dào until; 老 lǎo old;
熟能生巧 shú-néng-shēng-qiǎo practice makes perfect; 就是 jiù-shì precisely is; 力量 lì-liàng power;
失败 shī-bài failure; 成功 chéng-gōng success; 之 zhī [of]; 母 mǔ mother;
千里之行 qiān-lǐ-zhī-xíng journey of a thousand miles; 始于足下 shǐ-yú-zú-xià begins under the feet;

晚安 wǎn-ān good night; 再见 zài-jiàn goodbye; 见 jiàn see; 谢谢 xiè-xie thanks; 客气 kè-qi polite;
对不起 duì-bu-qǐ sorry; 没/none méi there is no; 关系 guān-xi matter; 进 jìn enter; 坐 zuò sit;
欢迎 huān-yíng welcome; 好久 hǎo-jiǔ long time; 叫 jiào be called; 名字 míng-zi name; 高兴 gāo-xìng happy;
认识 rèn-shi get to know; 哪 nǎ which; 国 guó country; 中国人 zhōng-guó-rén chinese person;
英国人 yīng-guó-rén british person; 住 zhù live; 现在 xiàn-zài now; 饿 è hungry; 渴 kě thirsty;
生病 shēng-bìng fall ill; 头疼 tóu-téng headache; 洗手间 xǐ-shǒu-jiān toilet;
火车站 huǒ-chē-zhàn railway station; 走 zǒu go; 往 wǎng towards; 左 zuǒ left; 右 yòu right;
一直 yì-zhí straight on; 离 lí distant from; 这儿 zhè-r here; 远 yuǎn far; 近 jìn near;
迷路 mí-lù lose the way; 给 gěi give; 帮 bāng help; 一下 yí-xià a moment; 等 děng wait; 知道 zhī-dào know;
记得 jì-de remember; 也许 yě-xǔ maybe; 当然 dāng-rán of course; 真 zhēn real; 小心 xiǎo-xīn careful;
担心 dān-xīn worry; 主意 zhǔ-yi idea; 生日 shēng-rì birthday; 快乐 kuài-lè happy; 新年 xīn-nián new year;
恭喜 gōng-xǐ congratulations; 祝 zhù wish; 好运 hǎo-yùn good luck; 周末 zhōu-mò weekend;
愉快 yú-kuài pleasant; 一路 yí-lù all the way; 顺风 shùn-fēng fair wind; 爱 ài love; 想/miss xiǎng miss;
想 xiǎng would like; 颜色 yán-sè colour; 音乐 yīn-yuè music; 下雨 xià-yǔ rain; 看看 kàn-kan have a look;
菜单 cài-dān menu; 买单 mǎi-dān pay the bill; 好吃 hǎo-chī delicious; 菜 cài dish; 辣 là spicy; 饱 bǎo full;
饭 fàn meal; 天气 tiān-qì weather; 下雪 xià-xuě snow; 外面 wài-mian outside; 下/fall xià fall; 雨 yǔ rain;
春天 chūn-tiān spring; 太阳 tài-yáng sun; 天/sky tiān sky; 月亮 yuè-liang moon; 圆 yuán round;
电 diàn electricity; 坏 huài broken; 钱包 qián-bāo wallet; 门 mén door; 开 kāi open; 着 zhe [lasting];
关 guān close; 打开 dǎ-kāi open; 窗户 chuāng-hu window; 睡觉 shuì-jiào sleep; 做饭 zuò-fàn cook;
孩子们 hái-zi-men children; 公园 gōng-yuán park; 玩 wán play; 妈妈 mā-ma mum; 电视 diàn-shì television;
爸爸 bà-ba dad; 上班 shàng-bān go to work; 公共汽车 gōng-gòng-qì-chē bus; 火车 huǒ-chē train; 骑 qí ride;
口 kǒu [mouth]; 时间 shí-jiān time; 上/on shàng on; 开车 kāi-chē drive; 游泳 yóu-yǒng swim; 跑 pǎo run;
起床 qǐ-chuáng get up; 下班 xià-bān finish work; 去过 qù-guo have been to; 已经 yǐ-jīng already; 也 yě also;
可以 kě-yǐ may; 进来 jìn-lái come in; 不要 bú-yào do not; 拍照 pāi-zhào take photos; 要/want yào want;
一共 yí-gòng altogether; 好听 hǎo-tīng pleasant to hear; 早日 zǎo-rì soon; 康复 kāng-fù recover;
金钱 jīn-qián money; 入乡随俗 rù-xiāng-suí-sú enter a village and follow its customs; 条条 tiáo-tiáo every;
大路 dà-lù main road; 通 tōng lead to; 罗马 luó-mǎ rome
"""
