"""Plain numbers, money, and percentages.

Money is yuan in two registers, 元/角/分 as written and 块/毛/分 as spoken, and four foreign currencies in
whole units. 1 块 = 10 毛 = 100 分. The English follows the price tag: 三块五毛 and 三块五 are both "three
yuan fifty", 三块零五分 is "three yuan oh five", 五毛 is "fifty fen". 分 alone is always money here (三分
"three fen"): minutes are 分钟, and inside a clock time 分 follows 点 or 差.
"""

from __future__ import annotations

from random import Random

from .draws import chance, pick, pick_weighted, whole
from .numerals import LARGEST, chinese_count, chinese_number, english_number, spaced
from .pair import Pair, make_pair

_CURRENCIES = (
    ("元", "yuan", "yuan"),
    ("块/yuan", "yuan", "yuan"),
    ("块/yuan 钱", "yuan", "yuan"),
    ("美元", "dollar", "dollars"),
    ("欧元", "euro", "euros"),
    ("英镑", "pound", "pounds"),
    ("日元", "yen", "yen"),
)
_SHARE_OF = (
    ("学生", "students"), ("老师", "teachers"), ("人", "people"), ("孩子", "children"), ("公司", "companies"),
    ("学校", "schools"), ("数据", "data"), ("模型", "models"), ("城市", "cities"), ("参数", "parameters"),
)  # fmt: skip
# What rises and falls (a price, a rate), what grows and shrinks (a quantity), and what does both.
_MEASURED = (
    ("价格", "price", "上升 下降"), ("准确率", "accuracy", "上升 下降"),
    ("错误率", "error rate", "上升 下降"),
    ("损失", "loss", "上升 下降"), ("人口", "population", "增加 减少"), ("收入", "income", "增加 减少"),
    ("成本", "cost", "上升 下降 增加 减少"), ("产量", "output", "上升 下降 增加 减少"),
)  # fmt: skip
_CHANGES = {"上升": "rose", "增加": "increased", "下降": "fell", "减少": "decreased"}
_YEARS = (("去年", "last year"), ("今年", "this year"))


def numbers(rng: Random) -> Pair:
    """An integer from 0 to 10^8: 三百二十五 → three hundred twenty five.

    Every length from one to eight digits is as likely as the others, zeros are over-represented (the 零 rules
    live there), and round numbers, 10^8 among them, have a share of their own.
    """
    value = _integer(rng)
    text = chinese_number(value)
    digits = str(value)
    ends = f"number of {len(digits)} digits {digits[0]}|{digits[-1]}"
    combined = ends if len(digits) > 1 and digits[-1] != "0" else ""
    return make_pair("numbers", spaced(text), english_number(value), combined)


def money(rng: Random) -> Pair:
    """A price: 三块五毛 → three yuan fifty; 两百 is written 二百: 二百美元 → two hundred dollars."""
    form = pick_weighted(rng, ("whole", "tenths", "hundredths", "oh", "small"), (5, 2, 2, 1, 1))
    if form == "whole":
        value = _price(rng)
        unit, singular, plural = pick(rng, _CURRENCIES)
        english = f"{english_number(value)} {singular if value == 1 else plural}"
        chinese = f"{spaced(chinese_count(value))} {unit}"
        return make_pair("money", chinese, english, f"price {unit}|{str(value)[0]}")
    if form == "small":
        return _under_one_yuan(rng)
    spoken = chance(rng, 0.6)
    yuan, jiao = ("块/yuan", "毛") if spoken else ("元", "角")
    value = whole(rng, 1, 99)
    head, english = f"{spaced(chinese_count(value))} {yuan}", f"{english_number(value)} yuan"
    tenths, hundredths = whole(rng, 1, 9), whole(rng, 1, 9)
    combination = f"price {jiao}|{tenths}|{hundredths}"
    if form == "tenths":
        unit = "" if spoken and chance(rng, 0.5) else jiao
        chinese = f"{head} {chinese_number(tenths)} {unit}"
        english = f"{english} {english_number(10 * tenths)}"
        return make_pair("money", chinese, english, f"price {yuan}|{value}|{tenths}")
    if form == "oh":
        chinese = f"{head} 零 {chinese_number(hundredths)} 分/fen"
        english = f"{english} oh {english_number(hundredths)}"
        return make_pair("money", chinese, english, f"price {yuan}|{value}|0{hundredths}")
    last = "" if spoken and chance(rng, 0.5) else "分/fen"
    chinese = f"{head} {chinese_number(tenths)} {jiao} {chinese_number(hundredths)} {last}"
    return make_pair("money", chinese, f"{english} {english_number(10 * tenths + hundredths)}", combination)


def percentages(rng: Random) -> Pair:
    """百分之三点五 → three point five percent, alone, as a share, or as a change (last year).

    Chinese puts the whole first ("of a hundred parts, three"); 100 percent is 百分之百. Digits after the
    point are read one by one in both languages.
    """
    value, chinese, english, key = _percentage(rng)
    form = pick_weighted(rng, ("alone", "share", "change"), (4, 3, 3))
    if form == "share":
        noun, plural = pick(rng, _SHARE_OF)
        english = f"{english} of the {plural}"
        return make_pair("percentages", f"{chinese} 的 {noun}", english, key, f"share {value}|{noun}")
    if form == "change":
        noun, what, changes = pick(rng, _MEASURED)
        verb = pick(rng, changes.split())
        year, when = pick(rng, (("", ""), *_YEARS))
        order = f"{year} {noun}" if chance(rng, 0.5) else f"{noun} {year}"
        text = f"{order} {verb} 了 {chinese}"
        english = f"the {what} {_CHANGES[verb]} by {english} {when}"
        return make_pair("percentages", text, english, key, f"change {verb}|{noun}|{year}")
    return make_pair("percentages", chinese, english, key)


def _integer(rng: Random) -> int:
    if chance(rng, 0.08):
        return LARGEST if chance(rng, 0.06) else int(whole(rng, 1, 9) * 10 ** whole(rng, 0, 7))
    length = whole(rng, 1, 8)
    if length == 1:
        return whole(rng, 0, 9)
    digits = [whole(rng, 1, 9)]
    digits += [0 if chance(rng, 0.25) else whole(rng, 0, 9) for _ in range(length - 1)]
    return int("".join(map(str, digits)))


def _price(rng: Random) -> int:
    if chance(rng, 0.3):
        return whole(rng, 1, 20)
    value = whole(rng, 1, 9999)
    return int(value * 10 ** whole(rng, 0, 3)) if chance(rng, 0.3) else value


def _under_one_yuan(rng: Random) -> Pair:
    spoken = chance(rng, 0.6)
    jiao = "毛" if spoken else "角"
    money_word = "钱" if spoken and chance(rng, 0.5) else ""
    tenths, hundredths = whole(rng, 0, 9), whole(rng, 0, 9)
    if tenths == 0 and hundredths == 0:
        tenths = 5
    if tenths and hundredths:
        chinese = f"{chinese_count(tenths)} {jiao} {chinese_number(hundredths)} 分/fen"
    elif tenths:
        chinese = f"{chinese_count(tenths)} {jiao} {money_word}"
    else:
        chinese = f"{chinese_count(hundredths)} 分/fen {money_word}"
    return make_pair("money", chinese, f"{english_number(10 * tenths + hundredths)} fen")


def _percentage(rng: Random) -> tuple[int, str, str, str]:
    """The whole part, the Chinese, the English, and whole and first decimal for the compositional split."""
    value = whole(rng, 0, 100)
    if value == 100:
        return value, "百分之 百", "one hundred percent", ""
    if value > 0 and chance(rng, 0.5):
        return value, f"百分之 {spaced(chinese_number(value))}", f"{english_number(value)} percent", ""
    decimals = [whole(rng, 0, 9) for _ in range(whole(rng, 0, 1))] + [whole(rng, 1, 9)]
    after = " ".join(chinese_number(digit) for digit in decimals)
    chinese = f"百分之 {spaced(chinese_number(value))} 点/point {after}"
    after = " ".join(english_number(digit) for digit in decimals)
    english = f"{english_number(value)} point {after} percent"
    return value, chinese, english, f"decimal {value}|{decimals[0]}"
