"""Dates, times, money and percentages: source and target are read back to values, each by its own reader."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction

import pytest

from autograder.lab.corpus import Pair, sample

DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
WORDS = {word: value for value, word in enumerate(ONES)}
WORDS |= {word: 10 * value for value, word in enumerate(TENS, start=2)}
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
MONTHS = "january february march april may june july august september october november december".split()


def chinese_value(text: str) -> int:
    """A numeral's value, character by character: units multiply what stands before them."""
    total = section = digit = 0
    for character in text:
        if character in DIGITS:
            digit = DIGITS[character]
        elif character in "十百千":
            section += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[character]
            digit = 0
        else:
            total = (total + section + digit) * {"万": 10**4, "亿": 10**8}[character]
            section = digit = 0
    return total + section + digit


def english_value(text: str) -> int:
    total = group = 0
    for word in text.split():
        if word == "hundred":
            group *= 100
        elif word in ("thousand", "million"):
            total, group = total + group * (1000 if word == "thousand" else 10**6), 0
        else:
            group += WORDS[word]
    return total + group


def many(kind: str) -> list[Pair]:
    return sample(kind, 4000, seed=11) + sample(kind, 300, seed=12, split="test")


def test_numbers_mean_the_same_on_both_sides() -> None:
    for pair in many("numbers"):
        assert chinese_value(pair.chinese) == english_value(pair.english), pair


def test_years_mean_the_same_on_both_sides() -> None:
    for pair in many("years"):
        digits = "".join(str(DIGITS[character]) for character in pair.chinese.removesuffix("年"))
        assert digits == pair.english


def test_dates_mean_the_same_on_both_sides() -> None:
    for pair in many("dates"):
        source = re.fullmatch(r"(?:(.{4})年)?(.+?)月(?:(.+?)[日号])?(?:星期(.))?", pair.chinese)
        target = re.fullmatch(r"(?:([a-z]+day) )?(?:(\d+) )?([a-z]+)(?: (\d{4}))?", pair.english)
        assert source, pair
        assert target, pair
        year = int("".join(str(DIGITS[character]) for character in source[1])) if source[1] else None
        day = chinese_value(source[3]) if source[3] else None
        assert year == (int(target[4]) if target[4] else None), pair
        assert day == (int(target[2]) if target[2] else None), pair
        assert MONTHS[chinese_value(source[2]) - 1] == target[3], pair
        if source[4]:
            weekday = date(year, chinese_value(source[2]), day).weekday()
            assert source[4] in ("一", "二", "三", "四", "五", "六", "日天")[weekday], pair
            assert WEEKDAYS[weekday] == target[1], pair


def test_iso_dates_are_the_digits_of_the_source_padded() -> None:
    for pair in many("iso_dates"):
        year, month, day = re.fullmatch(r"(\d{4})年(\d+)月(\d+)日", pair.chinese).groups()
        assert pair.english == date(int(year), int(month), int(day)).isoformat()


def source_minutes(text: str) -> int:
    """Minutes after twelve, on a twelve-hour dial."""
    lacking = re.search(r"差(.+?)(分|刻)", text)
    rest = text.replace(lacking[0], "") if lacking else text
    hour, after = rest.split("点")
    minutes = 60 * chinese_value(re.sub("凌晨|[早晚]上|[上中下]午", "", hour))
    if after == "半":
        minutes += 30
    elif after.endswith("刻"):
        minutes += 15 * DIGITS[after[0]]
    elif after.endswith("分"):
        minutes += chinese_value(after[:-1])
    else:
        assert after in ("", "钟", "整"), text
    if lacking:
        minutes -= chinese_value(lacking[1]) * (15 if lacking[2] == "刻" else 1)
    return minutes % 720


def target_minutes(text: str) -> int:
    text = re.sub(r" (in the .*|at night)$", "", text)
    if match := re.fullmatch(r"(.+?)(?: minutes?)? (past|to) (.+)", text):
        amount = {"half": 30, "quarter": 15}.get(match[1]) or english_value(match[1])
        return (60 * english_value(match[3]) + (amount if match[2] == "past" else -amount)) % 720
    if match := re.fullmatch(r"(.+?) o'clock(?: sharp)?", text):
        return 60 * english_value(match[1]) % 720
    hour, *minutes = text.removesuffix(" sharp").split()
    return (60 * english_value(hour) + english_value(" ".join(minutes).removeprefix("oh "))) % 720


def test_clock_times_mean_the_same_moment_on_both_sides() -> None:
    for pair in many("clock_times"):
        assert source_minutes(pair.chinese) == target_minutes(pair.english), pair


def test_the_part_of_the_day_fits_the_hour() -> None:
    phrases = {
        "凌晨": "in the early morning",
        "早上": "in the morning",
        "上午": "in the morning",
        "下午": "in the afternoon",
    }
    for pair in many("clock_times"):
        if part := re.match("|".join(phrases), pair.chinese):
            assert pair.english.endswith(f" {phrases[part[0]]}"), pair
        elif pair.chinese.startswith("晚上"):
            late = source_minutes(pair.chinese) >= 600
            assert pair.english.endswith("at night" if late else "in the evening"), pair


def test_every_form_of_clock_time_has_a_fair_share() -> None:
    pairs = sample("clock_times", 4000, seed=2)
    for form in ("差.+点", "点差", "半$", "点一刻$", "三刻$", "零.分$", "点$", "钟$", "整$"):
        assert sum(bool(re.search(form, pair.chinese)) for pair in pairs) > 80, form


def test_minutes_below_ten_carry_a_zero_on_both_sides() -> None:
    for pair in many("clock_times"):
        assert not re.search("点[一二三四五六七八九两]分", pair.chinese), pair
        assert ("零" in pair.chinese) == (" oh " in pair.english), pair


def source_money(text: str) -> tuple[str, Fraction]:
    """Currency and amount; yuan in whatever register."""
    text = text.removesuffix("钱")
    for unit in ("美元", "欧元", "英镑", "日元"):
        if text.endswith(unit):
            return unit, Fraction(chinese_value(text.removesuffix(unit)))
    match = re.fullmatch(r"(?:(.+)[元块])?(?:零(.)分|(.)(?:[毛角]|$)(?:(.)分?)?|(.)分)?", text)
    assert match, text
    yuan, hundredths_after_zero, tenths, hundredths, alone = match.groups()
    fen = sum(DIGITS[digit] for digit in (hundredths_after_zero, hundredths, alone) if digit)
    fen += 10 * DIGITS[tenths] if tenths else 0
    return "元", (chinese_value(yuan) if yuan else 0) + Fraction(fen, 100)


def target_money(text: str) -> tuple[str, Fraction]:
    names = {"dollar": "美元", "euro": "欧元", "pound": "英镑", "yen": "日元"}
    for name, unit in names.items():
        if match := re.fullmatch(rf"(.+) {name}s?", text):
            assert name == "yen" or text.endswith("s") == (match[1] != "one"), text
            return unit, Fraction(english_value(match[1]))
    if text.endswith(" fen"):
        return "元", Fraction(english_value(text.removesuffix(" fen")), 100)
    yuan, _, rest = text.partition(" yuan")
    return "元", english_value(yuan) + Fraction(english_value(rest.strip().removeprefix("oh ")), 100)


def test_money_is_the_same_amount_on_both_sides() -> None:
    for pair in many("money"):
        assert source_money(pair.chinese) == target_money(pair.english), pair


def test_percentages_are_the_same_share_on_both_sides() -> None:
    for pair in many("percentages"):
        source, _, decimals = pair.chinese.partition("百分之")[2].partition("的")[0].partition("点")
        target, _, words = pair.english.partition(" percent")[0].rpartition("by ")[2].partition(" point ")
        assert (100 if source == "百" else chinese_value(source)) == english_value(target), pair
        assert [DIGITS[digit] for digit in decimals] == [WORDS[word] for word in words.split()], pair


def test_measure_phrases_count_the_same_on_both_sides() -> None:
    counted = 0
    for pair in many("measures"):
        source = re.match("[这那第]?([零一二两三四五六七八九十百千]+)", pair.chinese)
        if source is None or pair.chinese.startswith("第"):
            continue
        words = pair.english.removeprefix("these ").removeprefix("those ").split()
        number_words = {*WORDS, "hundred", "thousand"}
        end = next(index for index, word in enumerate(words) if word not in number_words)
        assert chinese_value(source[1]) == english_value(" ".join(words[:end])), pair
        counted += 1
    assert counted > 2000


def test_comparisons_of_numbers_are_true() -> None:
    compared = 0
    for pair in many("comparisons"):
        if match := re.fullmatch("(.+)(大于|小于|等于)(.+)", pair.chinese):
            first, second = chinese_value(match[1]), chinese_value(match[3])
            assert {"大于": first > second, "小于": first < second, "等于": first == second}[match[2]], pair
            english = re.fullmatch("(.+) is (?:greater than|less than|equal to) (.+)", pair.english)
            assert (english_value(english[1]), english_value(english[2])) == (first, second)
            compared += 1
    assert compared > 200


@pytest.mark.parametrize(
    ("text", "value"), [("差十分十点", 590), ("四点差一刻", 225), ("十二点半", 30), ("两点零五分", 125)]
)
def test_the_clock_reader_of_these_tests_is_right_on_times_checked_by_hand(text: str, value: int) -> None:
    assert source_minutes(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("三块五", "3.5"), ("三块五毛八", "3.58"), ("三元零五分", "3.05"), ("五毛钱", "0.5"), ("五分", "0.05")],
)
def test_the_money_reader_of_these_tests_is_right_on_prices_checked_by_hand(text: str, value: str) -> None:
    assert source_money(text) == ("元", Fraction(value))
