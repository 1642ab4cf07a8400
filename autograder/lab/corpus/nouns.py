"""Nouns with their measure words, and measure phrases.

Chinese counts no noun without a measure word between: 三本书 is "three [volumes] book". The measure word
belongs to the noun and mostly vanishes in English; a container or a pair stays: 三杯茶 → three cups of tea.

两 stands before a measure word for a bare 2 (两本书), 二 in every other number and in ordinals (十二本书,
第二本书). 一本书 is always "one book": nothing in the Chinese tells it from "a book", so the corpus settles
it. 五月 is a month of the year, 五个月 five months; 几 is left to the questions, where it can only mean "how
many".
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from .draws import chance, pick, pick_weighted, whole
from .numerals import chinese_count, chinese_number, english_number, english_ordinal, spaced
from .pair import Pair, make_pair

_ADJECTIVES = {
    "新": "new", "旧": "old", "好": "good", "大": "big", "小": "small", "红": "red", "白": "white",
    "黑": "black", "热": "hot", "冷": "cold", "长": "long", "高": "tall",
}  # fmt: skip


@dataclass(frozen=True)
class Noun:
    """chinese with its measure word; the English `_` marks where an adjective goes (cup of _ tea)."""

    chinese: str
    measure: str
    singular: str
    plural: str
    adjectives: str

    def english(self, count: int, adjective: str = "") -> str:
        """The form for this count, with the English adjective in its place."""
        form = self.singular if count == 1 else self.plural
        return form.replace("_ ", f"{adjective} " if adjective else "")

    @property
    def bare(self) -> str:
        """Without a number or container, as after "any": books, tea, shoes."""
        return self.plural.split("_ ")[1]


def _noun(line: str) -> Noun:
    chinese, singular, plural, adjectives = (part.strip() for part in line.split("|"))
    word, measure = chinese.split()
    marked = [form if "_ " in form else f"_ {form}" for form in (singular, plural)]
    return Noun(word, measure, marked[0], marked[1], adjectives)


NOUNS: dict[str, Noun] = {noun.chinese: noun for noun in map(_noun, """
书 本|book|books|新旧好
词典 本|dictionary|dictionaries|新旧好大小
杂志 本|magazine|magazines|新旧
小说 本|novel|novels|新好长
论文 篇|paper|papers|新好长
文章 篇|article|articles|新好长
信 封|letter|letters|长
邮件 封|email|emails|新
照片 张|photo|photos|新旧好
票 张|ticket|tickets|
地图 张|map|maps|新旧大
桌子 张|table|tables|新旧大小
床 张|bed|beds|新旧大小
纸 张|sheet of _ paper|sheets of _ paper|白红
椅子 把|chair|chairs|新旧
雨伞 把|umbrella|umbrellas|新旧大小黑红
苹果 个|apple|apples|大小红
鸡蛋 个|egg|eggs|大小
橙子 个|orange|oranges|大小
包子 个|steamed bun|steamed buns|大小热
问题 个|question|questions|好新小
学生 个|student|students|新好
老师 位|teacher|teachers|新好
医生 位|doctor|doctors|好
朋友 个|friend|friends|新好
人 个|person|people|好
孩子 个|child|children|好小
手机 部|phone|phones|新旧
电影 部|film|films|新好
电脑 台|computer|computers|新旧
车 辆|car|cars|新旧好小红白黑
自行车 辆|bicycle|bicycles|新旧
飞机 架|plane|planes|新旧大小
鱼 条|fish|fish|大小
狗 只|dog|dogs|大小白黑
猫 只|cat|cats|大小白黑
鸟 只|bird|birds|大小
羊 只|sheep|sheep|小白黑
马 匹|horse|horses|好小白黑
树 棵|tree|trees|大小高
花 朵|flower|flowers|红白小
山 座|mountain|mountains|大小高
桥 座|bridge|bridges|新旧大小
城市 座|city|cities|大小新
大学 所|university|universities|新好
学校 所|school|schools|新好小
公司 家|company|companies|新大小
饭馆 家|restaurant|restaurants|新好小
商店 家|shop|shops|新小
河 条|river|rivers|大小长
路 条|road|roads|新旧
裤子 条|pair of _ trousers|pairs of _ trousers|新旧黑白
裙子 条|skirt|skirts|新红白黑
衬衫 件|shirt|shirts|新旧白
毛衣 件|jumper|jumpers|新旧红白黑
礼物 件|gift|gifts|好小
鞋 双|pair of _ shoes|pairs of _ shoes|新旧黑白
袜子 双|pair of _ socks|pairs of _ socks|新旧黑白
筷子 双|pair of _ chopsticks|pairs of _ chopsticks|新
水 杯|glass of _ water|glasses of _ water|热冷
茶 杯|cup of _ tea|cups of _ tea|热好
咖啡 杯|cup of _ coffee|cups of _ coffee|热
牛奶 杯|glass of _ milk|glasses of _ milk|热
啤酒 瓶|bottle of _ beer|bottles of _ beer|
果汁 瓶|bottle of _ juice|bottles of _ juice|
米饭 碗|bowl of _ rice|bowls of _ rice|
面条 碗|bowl of _ noodles|bowls of _ noodles|
汤 碗|bowl of _ soup|bowls of _ soup|热
蛋糕 块/piece|piece of _ cake|pieces of _ cake|大小
歌 首|song|songs|新旧好
诗 首|poem|poems|新好长
课 节|lesson|lessons|
笔 支|pen|pens|新好红黑
铅笔 支|pencil|pencils|新红
房子 栋|house|houses|新旧大小
房间 个|room|rooms|大小
词 个|word|words|新
字 个|character|characters|大小新
句子 个|sentence|sentences|新长
模型 个|model|models|新旧好大小
数据集 个|dataset|datasets|新大小
参数 个|parameter|parameters|新
例子 个|example|examples|新好
算法 个|algorithm|algorithms|新好
实验 个|experiment|experiments|新小
""".strip().splitlines())}  # fmt: skip

DURATIONS = (
    ("秒", "second"), ("分钟", "minute"), ("个 小时", "hour"), ("天", "day"), ("个 星期", "week"),
    ("周", "week"), ("个 月", "month"), ("年", "year"),
)  # fmt: skip
_SIZES = (
    ("米", "metre"),
    ("公里", "kilometre"),
    ("厘米", "centimetre"),
    ("公斤", "kilogram"),
    ("克", "gram"),
)


def measures(rng: Random) -> Pair:
    """A measure phrase: 两本书 → two books, 第二本书 → the second book (up to 第二十), 这三本新书."""
    forms = ("count", "ordinal", "this", "these", "every", "duration", "size")
    form = pick_weighted(rng, forms, (8, 2, 1, 2, 0.5, 2, 1))
    if form in ("duration", "size"):
        units, unit = pick(rng, DURATIONS if form == "duration" else _SIZES)
        value = count(rng)
        english = f"{english_number(value)} {unit}{'' if value == 1 else 's'}"
        chinese = f"{spaced(chinese_count(value))} {units}"
        return make_pair("measures", chinese, english, f"count {size_of(value)}|{units}")
    noun = pick(rng, tuple(NOUNS.values()))
    adjective = pick(rng, noun.adjectives) if noun.adjectives and chance(rng, 0.4) else ""
    after = f"{noun.measure} {adjective} {noun.chinese}"
    described = _ADJECTIVES[adjective] if adjective else ""
    combination = f"adjective {adjective}|{noun.chinese}" if adjective else ""
    if form == "count":
        value = count(rng)
        english = f"{english_number(value)} {noun.english(value, described)}"
        chinese = f"{spaced(chinese_count(value))} {after}"
        return make_pair("measures", chinese, english, combination, counted(value, noun))
    if form == "ordinal":
        value = whole(rng, 1, 20)
        english = f"the {english_ordinal(value)} {noun.english(1, described)}"
        chinese = f"第 {spaced(chinese_number(value))} {after}"
        ordinal = f"ordinal {size_of(value)}|{noun.chinese}"
        return make_pair("measures", chinese, english, combination, ordinal)
    if form == "every":
        return make_pair("measures", f"每 {after}", f"every {noun.english(1, described)}", combination)
    near = chance(rng, 0.5)
    word = "这" if near else "那"
    if form == "this":
        one = "this" if near else "that"
        return make_pair("measures", f"{word} {after}", f"{one} {noun.english(1, described)}", combination)
    value = whole(rng, 2, 20)
    english = f"{'these' if near else 'those'} {english_number(value)} {noun.english(value, described)}"
    chinese = f"{word} {spaced(chinese_count(value))} {after}"
    return make_pair("measures", chinese, english, combination, counted(value, noun))


def counted(value: int, noun: Noun) -> str:
    """Number and noun for the compositional split: one by one up to ten, the rest together."""
    return f"count {size_of(value)}|{noun.chinese}"


def size_of(value: int) -> str:
    """The count as the compositional split sees it."""
    return str(value) if value <= 10 else "many"


def count(rng: Random) -> int:
    """How many: mostly up to ten, now and then thousands."""
    size = pick_weighted(rng, (10, 99, 999, 9999), (12, 6, 1.5, 0.5))
    return whole(rng, 1 if size == 10 else size // 10 + 1, size)
