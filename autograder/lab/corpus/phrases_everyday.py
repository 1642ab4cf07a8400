"""Hand-written pairs from everyday life: Chinese cut into words | English."""

EVERYDAY = """
你 好|hello
早上 好|good morning
晚上 好|good evening
晚安|good night
再见|goodbye
明天 见|see you tomorrow
谢谢|thank you
不 客气|you are welcome
对不起|sorry
没/none 关系|it does not matter
请 进|please come in
请 坐|please sit down
欢迎|welcome
好久 不 见|long time no see
你 好 吗|how are you
我 很 好|i am fine
你 叫 什么 名字|what is your name
我 叫 小王|my name is xiao wang
很 高兴 认识 你|nice to meet you
你 是 哪 国 人|what country are you from
我 是 中国人|i am chinese
我 是 英国人|i am british
你 住 在 哪儿|where do you live
我 住 在 北京|i live in beijing
你 今年 多/how 大/old|how old are you this year
我 今年 二 十 岁|i am twenty years old this year
现在 几 点|what time is it now
今天 星期 几|what day of the week is it today
今天 几 月 几 号|what is the date today
多少 钱|how much is it
太 贵 了|it is too expensive
便宜 一点儿 吧|make it a little cheaper
我 饿 了|i am hungry
我 渴 了|i am thirsty
我 累 了|i am tired
我 生病 了|i am ill
我 头疼|i have a headache
我 很 忙|i am very busy
我 很 高兴|i am very happy
洗手间 在 哪儿|where is the toilet
火车站 怎么 走|how do i get to the railway station
往 左 走|go left
往 右 走|go right
一直 走|go straight on
离 这儿 远 吗|is it far from here
很 近|it is very near
我 迷路 了|i am lost
请 帮 我 一下|please help me
等 一下|wait a moment
没/none 问题|no problem
我 知道 了|i see
我 不 知道|i do not know
我 不 记得 了|i do not remember any more
也许|maybe
当然|of course
真 的 吗|really
小心|be careful
别 担心|do not worry
别 忘 了|do not forget
好 主意|good idea
生日 快乐|happy birthday
新年 快乐|happy new year
恭喜|congratulations
祝 你 好运|good luck
周末 愉快|have a nice weekend
一路 顺风|have a good trip
我 爱 你|i love you
我 想/miss 你|i miss you
我 想 喝 茶|i would like to drink tea
我 想 去 上海|i would like to go to shanghai
我们 走 吧|let us go
你 喜欢 喝 什么|what do you like to drink
你 喜欢 什么 颜色|what colour do you like
我 喜欢 听 音乐|i like listening to music
我 不 喜欢 下雨|i do not like rain
请 给 我 一 杯 水|please give me a glass of water
请 给 我 看看|please let me have a look
菜单|menu
买单|the bill please
很 好吃|it is delicious
这个 菜 太 辣 了|this dish is too spicy
我 吃 饱 了|i am full
饭 做 好 了|the meal is ready
今天 天气 很 好|the weather is very nice today
下雨 了|it is raining
下雪 了|it is snowing
外面 很 冷|it is very cold outside
明天 会/will 下雪|it will snow tomorrow
昨天 下/fall 了 雨|it rained yesterday
春天 来 了|spring has come
太阳 出来 了|the sun has come out
天/sky 黑 了|it has got dark
月亮 很 圆|the moon is very round
手机 没/none 电 了|the phone is out of battery
我 的 手机 坏 了|my phone is broken
我 的 钱包 不 见 了|my wallet is gone
门 开 着|the door is open
请 关 门|please close the door
请 打开 窗户|please open the window
他 在/ing 睡觉|he is sleeping
她 在/ing 做饭|she is cooking
孩子们 在 公园 里 玩|the children are playing in the park
妈妈 在/ing 看/watch 电视|mum is watching television
爸爸 去 上班 了|dad has gone to work
我 在/ing 等 公共汽车|i am waiting for the bus
我们 坐 火车 去 上海|we are going to shanghai by train
他 骑 自行车 上班|he goes to work by bicycle
我 家/home 有 四 口 人|there are four people in my family
我 没有/have 时间|i have no time
你 有 时间 吗|do you have time
猫 在 桌子 上/on|the cat is on the table
狗 在 门 外面|the dog is outside the door
书 在 哪儿|where is the book
这 是 什么|what is this
这 是 我 的 书|this is my book
那 是 谁 的 车|whose car is that
他 是 谁|who is he
她 是 我 最 好 的 朋友|she is my best friend
我 有 两 个 孩子|i have two children
你 会/can 开车 吗|can you drive
我 不 会/can 游泳|i can not swim
他 跑 得 很 快|he runs very fast
我 每天 六 点 起床|i get up at six every day
她 晚上 十 点 睡觉|she goes to bed at ten in the evening
你 几 点 下班|what time do you finish work
我 去过 北京|i have been to beijing
我 没 去过 巴黎|i have not been to paris
你 吃 饭 了 吗|have you eaten
我 已经 吃 了|i have already eaten
他 还 没 来|he has not come yet
他们 都 来 了|they have all come
我 也 是|me too
为什么|why
怎么 了|what is the matter
请 安静|please be quiet
我 可以 进来 吗|may i come in
这儿 可以 坐 吗|may i sit here
请 不要 拍照|please do not take photos
我 要/want 这个|i want this one
我 只/only 是 看看|i am just looking
苹果 怎么 卖|how much are the apples
给 你|here you are
一共 多少 钱|how much is it altogether
我们 是 朋友|we are friends
她 唱 得 很 好听|she sings beautifully
祝 你 早日 康复|get well soon
时间 就是 金钱|time is money
入乡随俗|when in rome do as the romans do
条条 大路 通 罗马|all roads lead to rome
"""
