"""Comparisons.

A 比 B adjective puts the standard before the adjective, English after it: 我比他高 → i am taller than him.
没有 ... is "not as ... as" (不比 is not made: it wavers between "not more" and "no more"), 跟 ... 一样 "as
... as", 得多 "much", 一点儿 "a little", 更 "even", 最 the superlative. The second noun of a kind is left out
in Chinese and "one" in English: 这本书比那本贵 → this book is more expensive than that one. 大 and 小 are
older and younger between people, bigger and smaller between things, and greater and less between numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TypeVar

from .clauses import PEOPLE
from .draws import chance, pick, pick_weighted, whole
from .nouns import NOUNS, Noun, count
from .numerals import chinese_count, chinese_number, english_number, spaced
from .pair import Pair, make_pair

T = TypeVar("T")


@dataclass(frozen=True)
class _Quality:
    chinese: str
    plain: str
    more: str
    most: str


def _quality(line: str) -> _Quality:
    chinese, plain, more = line.split("|")
    regular = f"most {plain}" if more.startswith("more ") else more.removesuffix("r") + "st"
    most = _IRREGULAR.get(more, regular)
    return _Quality(chinese, plain, more, most)


_IRREGULAR = {"better": "best"}
_OF_PEOPLE = tuple(map(_quality, (
    "高|tall|taller", "矮|short|shorter", "大/old|old|older", "小/young|young|younger",
    "忙|busy|busier", "聪明|clever|cleverer", "累|tired|more tired", "有名|famous|more famous",
    "努力|hard working|more hard working",
)))  # fmt: skip
_OLD = _quality("大/old|old|older")
_OF_PLACES = tuple(map(_quality, (
    "大|big|bigger", "小|small|smaller", "冷|cold|colder", "热|hot|hotter", "安静|quiet|quieter",
    "漂亮|beautiful|more beautiful", "有名|famous|more famous",
)))  # fmt: skip
_OF_SUBJECTS = tuple(map(_quality, (
    "难|difficult|more difficult", "容易|easy|easier", "有用|useful|more useful",
    "有意思|interesting|more interesting", "重要|important|more important",
)))  # fmt: skip
_OF_DAYS = tuple(map(_quality, ("冷|cold|colder", "热|hot|hotter", "暖和|warm|warmer")))
_ABOUT_THINGS = tuple(
    line.split(": ")
    for line in """
书 小说 文章 论文: 难|difficult|more difficult; 长|long|longer; 有意思|interesting|more interesting
书 小说 文章 论文: 新|new|newer; 好|good|better
词典 手机 电脑 自行车 车: 贵|expensive|more expensive; 便宜|cheap|cheaper; 新|new|newer; 旧|old|older
词典 手机 电脑 自行车 车: 好|good|better
鞋 衬衫 裙子 毛衣 裤子: 贵|expensive|more expensive; 便宜|cheap|cheaper; 新|new|newer
鞋 衬衫 裙子 毛衣 裤子: 漂亮|beautiful|more beautiful
苹果 鱼 猫 狗: 大|big|bigger; 小|small|smaller
模型: 大|big|bigger; 小|small|smaller; 快|fast|faster; 慢|slow|slower; 准确|accurate|more accurate
模型: 好|good|better
电脑 车 自行车 手机 飞机: 快|fast|faster; 慢|slow|slower
树 山: 高|tall|taller
路 河 桥: 长|long|longer
""".strip().splitlines()
)
_OF_THINGS = tuple(
    (noun, _quality(quality))
    for nouns, qualities in _ABOUT_THINGS
    for noun in nouns.split()
    for quality in qualities.split("; ")
)
# What the compositional split may hold out: nouns and qualities with partners enough to be met elsewhere.
_FREQUENT = {
    word
    for words in ([noun for noun, _ in _OF_THINGS], [quality.chinese for _, quality in _OF_THINGS])
    for word in words
    if words.count(word) >= 4
}
_PLACES = (
    ("北京", "beijing"), ("上海", "shanghai"), ("广州", "guangzhou"), ("香港", "hong kong"),
    ("伦敦", "london"), ("巴黎", "paris"), ("东京", "tokyo"),
)  # fmt: skip
_SUBJECTS = (
    ("数学", "mathematics"), ("物理", "physics"), ("化学", "chemistry"), ("历史", "history"),
    ("英语", "english"), ("汉语", "chinese"), ("机器 学习", "machine learning"),
)  # fmt: skip
_TIMES = (("今天", "today", "昨天", "yesterday"), ("今年", "this year", "去年", "last year"))
_DEGREES = (("", ""), ("得多", "much "), ("一点儿", "a little "))


def comparisons(rng: Random) -> Pair:
    """我比他高 → i am taller than him; also 没有, 一样, 最, with an amount, and between numbers."""
    form = pick_weighted(rng, ("sides", "amount", "numbers"), (7, 2, 2))
    if form == "numbers":
        return _of_numbers(rng)
    if form == "amount":
        return _by_how_much(rng)
    combined = True
    about = pick_weighted(rng, ("people", "things", "places", "subjects", "days"), (4, 4, 2, 2, 0.5))
    if about == "people":
        person, than = _two(rng, PEOPLE)
        first, clause = person.chinese, f"{person.subject} {person.be}"
        second, other, quality = than.chinese, than.other, pick(rng, _OF_PEOPLE)
    elif about == "things":
        word, quality = pick(rng, _OF_THINGS)
        first, clause, second, other = _this_and_that(rng, NOUNS[word])
        combined = {word, quality.chinese} <= _FREQUENT
    elif about == "days":
        (first, name, second, other), quality = pick(rng, _TIMES), pick(rng, _OF_DAYS)
        clause, combined = f"{name} is", False
    else:
        names, qualities = (_PLACES, _OF_PLACES) if about == "places" else (_SUBJECTS, _OF_SUBJECTS)
        (first, name), (second, other) = _two(rng, names)
        clause, quality = f"{name} is", pick(rng, qualities)
    chinese, english, quality = _compared(rng, first, clause, second, other, quality)
    met = f"compare {quality.chinese}|{first.split()[-1]}" if combined else ""
    return make_pair("comparisons", chinese, english, met)


def _compared(
    rng: Random, first: str, clause: str, second: str, other: str, quality: _Quality
) -> tuple[str, str, _Quality]:
    """The comparison in both languages; `clause` is the English of `first` with its verb, `other` that of
    `second`."""
    way = pick_weighted(rng, ("more", "even", "less", "equal", "most"), (5, 1, 2, 2, 2))
    if way in ("less", "equal") and quality.plain == "young":
        quality = _OLD  # both measure from the scale's upper end: ages are 一样大, not 一样小
    if way == "more":
        degree, much = pick_weighted(rng, _DEGREES, (3, 1, 1))
        chinese = f"{first} 比 {second} {quality.chinese} {degree}"
        english = f"{clause} {much}{quality.more} than {other}"
    elif way == "even":
        chinese = f"{first} 比 {second} 更 {quality.chinese}"
        english = f"{clause} even {quality.more} than {other}"
    elif way == "less":
        chinese = f"{first} 没有 {second} {quality.chinese}"
        english = f"{clause} not as {quality.plain} as {other}"
    elif way == "equal":
        chinese = f"{first} {pick(rng, '跟和')} {second} 一样 {quality.chinese}"
        english = f"{clause} as {quality.plain} as {other}"
    else:
        chinese, english = f"{first} 最 {quality.chinese}", f"{clause} the {quality.most}"
    return chinese, english, quality


def _this_and_that(rng: Random, noun: Noun) -> tuple[str, str, str, str]:
    """这本书, this book is, 那本, that one; or the other way round."""
    near, far = ("这", "this"), ("那", "that")
    if chance(rng, 0.5):
        near, far = far, near
    one = noun.english(1)
    again = "pair" if one.startswith("pair") else "one"
    first, clause = f"{near[0]} {noun.measure} {noun.chinese}", f"{near[1]} {one} is"
    return first, clause, f"{far[0]} {noun.measure}", f"{far[1]} {again}"


def _by_how_much(rng: Random) -> Pair:
    """我比他大三岁, 高三厘米; 这本书比那本贵三块钱."""
    value = whole(rng, 1, 9) if chance(rng, 0.6) else whole(rng, 10, 30)
    amount, ending = spaced(chinese_count(value)), "" if value == 1 else "s"
    if chance(rng, 0.4):
        noun = NOUNS[pick(rng, ("书", "词典", "杂志", "衬衫", "雨伞", "笔"))]
        word, more = pick(rng, (("贵", "more expensive"), ("便宜", "cheaper")))
        chinese = f"这 {noun.measure} {noun.chinese} 比 那 {noun.measure} {word} {amount} 块/yuan 钱"
        english = f"this {noun.english(1)} is {english_number(value)} yuan {more} than that one"
        met = f"compare {word}|{noun.chinese}" if noun.chinese in _FREQUENT else ""
        return make_pair("comparisons", chinese, english, met)
    person, than = _two(rng, PEOPLE)
    word, more, unit, english_unit = pick(rng, (
        ("大/old", "older", "岁", "year"), ("小/young", "younger", "岁", "year"),
        ("高", "taller", "厘米", "centimetre"), ("矮", "shorter", "厘米", "centimetre"),
    ))  # fmt: skip
    chinese = f"{person.chinese} 比 {than.chinese} {word} {amount} {unit}"
    difference = f"{english_number(value)} {english_unit}{ending} {more}"
    english = f"{person.subject} {person.be} {difference} than {than.other}"
    return make_pair("comparisons", chinese, english, f"compare {word}|{person.chinese.split()[-1]}")


def _of_numbers(rng: Random) -> Pair:
    """五大于三 → five is greater than three; always true."""
    first, second = count(rng), count(rng)
    word, relation = ("大于", "greater than") if first > second else ("小于", "less than")
    if first == second:
        word, relation = "等于", "equal to"
    chinese = f"{spaced(chinese_number(first))} {word} {spaced(chinese_number(second))}"
    english = f"{english_number(first)} is {relation} {english_number(second)}"
    return make_pair("comparisons", chinese, english, f"compare {word}|{str(first)[0]}|{str(second)[0]}")


def _two(rng: Random, items: tuple[T, ...]) -> tuple[T, T]:
    """Two different items."""
    first = pick(rng, items)
    return first, pick(rng, tuple(item for item in items if item != first))
