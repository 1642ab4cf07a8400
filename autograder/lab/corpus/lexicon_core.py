"""Words of the value kinds and templates: word, pinyin with a hyphen between syllables, gloss; entries end in
a semicolon.

A slash sets apart senses of one written word (分/minute, 分/fen). Square brackets mark what has no English
word: measure words and particles.
"""

CORE = """
〇 líng zero; 零 líng zero; 一 yī one; 二 èr two; 两 liǎng two; 三 sān three; 四 sì four; 五 wǔ five;
六 liù six; 七 qī seven; 八 bā eight; 九 jiǔ nine; 十 shí ten; 百 bǎi hundred; 千 qiān thousand;
万 wàn ten thousand; 亿 yì hundred million; 第 dì [ordinal]; 半 bàn half; 几 jǐ how many;
多少 duō-shao how much;

年 nián year; 月 yuè month; 日 rì day; 号 hào day of the month; 周 zhōu week; 星期 xīng-qī week; 天 tiān day;
星期一 xīng-qī-yī monday; 星期二 xīng-qī-èr tuesday; 星期三 xīng-qī-sān wednesday; 星期四 xīng-qī-sì thursday;
星期五 xīng-qī-wǔ friday; 星期六 xīng-qī-liù saturday; 星期日 xīng-qī-rì sunday; 星期天 xīng-qī-tiān sunday;
周一 zhōu-yī monday; 周二 zhōu-èr tuesday; 周三 zhōu-sān wednesday; 周四 zhōu-sì thursday;
周五 zhōu-wǔ friday; 周六 zhōu-liù saturday; 周日 zhōu-rì sunday; 礼拜一 lǐ-bài-yī monday;
礼拜二 lǐ-bài-èr tuesday; 礼拜三 lǐ-bài-sān wednesday; 礼拜四 lǐ-bài-sì thursday; 礼拜五 lǐ-bài-wǔ friday;
礼拜六 lǐ-bài-liù saturday; 礼拜天 lǐ-bài-tiān sunday; 上/last shàng last; 这 zhè this; 那 nà that;
下/next xià next; 每 měi every; 今天 jīn-tiān today; 昨天 zuó-tiān yesterday;
前天 qián-tiān the day before yesterday; 明天 míng-tiān tomorrow; 后天 hòu-tiān the day after tomorrow;
今年 jīn-nián this year; 去年 qù-nián last year; 明年 míng-nián next year;
上个星期 shàng-gè-xīng-qī last week; 下个星期 xià-gè-xīng-qī next week; 上个月 shàng-gè-yuè last month;
下个月 xià-gè-yuè next month; 每天 měi-tiān every day; 每年 měi-nián every year; 前 qián ago; 后 hòu later;
凌晨 líng-chén small hours; 早上 zǎo-shang morning; 上午 shàng-wǔ morning; 中午 zhōng-wǔ noon;
下午 xià-wǔ afternoon; 晚上 wǎn-shang evening; 点 diǎn o'clock; 点/point diǎn point;
分/minute fēn minute; 刻 kè quarter of an hour; 钟 zhōng [clock]; 整 zhěng exactly; 差 chà lacking;
秒 miǎo second; 分钟 fēn-zhōng minute; 小时 xiǎo-shí hour; 岁 suì year of age;

元 yuán yuan; 块/yuan kuài yuan; 角 jiǎo tenth of a yuan; 毛 máo tenth of a yuan;
分/fen fēn hundredth of a yuan; 钱 qián money; 美元 měi-yuán dollar; 欧元 ōu-yuán euro; 英镑 yīng-bàng pound;
日元 rì-yuán yen; 百分之 bǎi-fēn-zhī of a hundred parts; 价格 jià-gé price; 成本 chéng-běn cost;
收入 shōu-rù income; 人口 rén-kǒu population; 准确率 zhǔn-què-lǜ accuracy; 错误率 cuò-wù-lǜ error rate;
产量 chǎn-liàng output; 损失 sǔn-shī loss; 上升 shàng-shēng rise; 增加 zēng-jiā increase; 下降 xià-jiàng fall;
减少 jiǎn-shǎo decrease; 米 mǐ metre; 公里 gōng-lǐ kilometre; 厘米 lí-mǐ centimetre; 公斤 gōng-jīn kilogram;
克 kè gram;

个 gè [piece]; 本 běn [volume]; 篇 piān [text]; 封 fēng [envelope]; 张 zhāng [sheet]; 把 bǎ [handle];
位 wèi [person]; 部 bù [work or device]; 台 tái [machine]; 辆 liàng [vehicle]; 架 jià [frame];
条 tiáo [long thing]; 只 zhī [animal]; 匹 pǐ [horse]; 棵 kē [plant]; 朵 duǒ [blossom]; 座 zuò [massive thing];
所 suǒ [institution]; 家 jiā [business]; 件 jiàn [item]; 双 shuāng [pair]; 杯 bēi [cup]; 瓶 píng [bottle];
碗 wǎn [bowl]; 块/piece kuài [lump]; 首 shǒu [song or poem]; 节 jié [section]; 支 zhī [stick];
栋 dòng [building]; 新 xīn new; 旧 jiù old; 好 hǎo good; 大 dà big; 小 xiǎo small; 红 hóng red; 白 bái white;
黑 hēi black; 热 rè hot; 冷 lěng cold; 长 cháng long; 高 gāo tall;

书 shū book; 词典 cí-diǎn dictionary; 杂志 zá-zhì magazine; 小说 xiǎo-shuō novel; 论文 lùn-wén paper;
文章 wén-zhāng article; 信 xìn letter; 邮件 yóu-jiàn email; 照片 zhào-piàn photo; 票 piào ticket;
地图 dì-tú map; 桌子 zhuō-zi table; 床 chuáng bed; 纸 zhǐ paper; 椅子 yǐ-zi chair; 雨伞 yǔ-sǎn umbrella;
苹果 píng-guǒ apple; 鸡蛋 jī-dàn egg; 橙子 chéng-zi orange; 包子 bāo-zi steamed bun; 问题 wèn-tí question;
学生 xué-shēng student; 老师 lǎo-shī teacher; 医生 yī-shēng doctor; 朋友 péng-you friend; 人 rén person;
孩子 hái-zi child; 手机 shǒu-jī mobile phone; 电影 diàn-yǐng film; 电脑 diàn-nǎo computer; 车 chē car;
自行车 zì-xíng-chē bicycle; 飞机 fēi-jī plane; 鱼 yú fish; 狗 gǒu dog; 猫 māo cat; 鸟 niǎo bird;
羊 yáng sheep; 马 mǎ horse; 树 shù tree; 花 huā flower; 山 shān mountain; 桥 qiáo bridge; 城市 chéng-shì city;
大学 dà-xué university; 学校 xué-xiào school; 公司 gōng-sī company; 饭馆 fàn-guǎn restaurant;
商店 shāng-diàn shop; 河 hé river; 路 lù road; 裤子 kù-zi trousers; 裙子 qún-zi skirt; 衬衫 chèn-shān shirt;
毛衣 máo-yī jumper; 礼物 lǐ-wù gift; 鞋 xié shoe; 袜子 wà-zi sock; 筷子 kuài-zi chopstick; 水 shuǐ water;
茶 chá tea; 咖啡 kā-fēi coffee; 牛奶 niú-nǎi milk; 啤酒 pí-jiǔ beer; 果汁 guǒ-zhī juice; 米饭 mǐ-fàn rice;
面条 miàn-tiáo noodle; 汤 tāng soup; 蛋糕 dàn-gāo cake; 歌 gē song; 诗 shī poem; 课 kè lesson; 笔 bǐ pen;
铅笔 qiān-bǐ pencil; 房子 fáng-zi house; 房间 fáng-jiān room; 词 cí word; 字 zì character;
句子 jù-zi sentence; 模型 mó-xíng model; 数据集 shù-jù-jí dataset; 参数 cān-shù parameter; 例子 lì-zi example;
算法 suàn-fǎ algorithm; 实验 shí-yàn experiment; 数据 shù-jù data;

我 wǒ i; 你 nǐ you; 他 tā he; 她 tā she; 我们 wǒ-men we; 他们 tā-men they; 小王 xiǎo-wáng xiao wang;
小李 xiǎo-lǐ xiao li; 哥哥 gē-ge older brother; 妹妹 mèi-mei younger sister; 学生们 xué-shēng-men students;
谁 shéi who; 在 zài at; 家/home jiā home; 北京 běi-jīng beijing; 上海 shàng-hǎi shanghai; 买 mǎi buy;
卖 mài sell; 看/read kàn read; 看/watch kàn watch; 写 xiě write; 借 jiè borrow; 吃 chī eat; 喝 hē drink;
学 xué learn; 听 tīng listen; 唱 chàng sing; 画 huà draw; 拍 pāi take a photo; 收到 shōu-dào receive;
问 wèn ask; 回答 huí-dá answer; 训练 xùn-liàn train; 做 zuò do; 上/attend shàng attend; 了 le [done];
要 yào will; 都 dōu all; 没 méi not; 没有 méi-yǒu not; 没有/have méi-yǒu not have; 不 bù not;
从来 cóng-lái ever; 是 shì be; 是不是 shì-bú-shì is or is not; 吗 ma [question]; 哪儿 nǎ-r where;
工程师 gōng-chéng-shī engineer; 律师 lǜ-shī lawyer; 作家 zuò-jiā writer; 科学家 kē-xué-jiā scientist;
的 de [of];

比 bǐ than; 更 gèng even more; 最 zuì most; 跟 gēn with; 和 hé with; 一样 yí-yàng equally; 得多 de-duō much;
一点儿 yì-diǎn-r a little; 大于 dà-yú greater than; 小于 xiǎo-yú less than; 等于 děng-yú equal to;
大/old dà old; 小/young xiǎo young; 矮 ǎi short; 忙 máng busy; 聪明 cōng-ming clever; 累 lèi tired;
有名 yǒu-míng famous; 努力 nǔ-lì hard working; 安静 ān-jìng quiet; 漂亮 piào-liang beautiful;
难 nán difficult; 容易 róng-yì easy; 有用 yǒu-yòng useful; 有意思 yǒu-yì-si interesting;
重要 zhòng-yào important; 暖和 nuǎn-huo warm; 贵 guì expensive; 便宜 pián-yi cheap; 快 kuài fast; 慢 màn slow;
准确 zhǔn-què accurate; 广州 guǎng-zhōu guangzhou; 香港 xiāng-gǎng hong kong; 伦敦 lún-dūn london;
巴黎 bā-lí paris; 东京 dōng-jīng tokyo; 数学 shù-xué mathematics; 物理 wù-lǐ physics; 化学 huà-xué chemistry;
历史 lì-shǐ history; 英语 yīng-yǔ english; 汉语 hàn-yǔ chinese; 机器 jī-qì machine; 学习 xué-xí learning
"""
