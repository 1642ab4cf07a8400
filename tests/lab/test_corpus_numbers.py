"""Numerals, read back by a reader that shares nothing with the generator and goes by places."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autograder.lab.corpus.numerals import (
    chinese_count,
    chinese_digits,
    chinese_number,
    english_number,
    english_ordinal,
)

pytestmark = pytest.mark.quick

WHOLE_RANGE = st.one_of(
    st.integers(0, 10**8),
    st.integers(0, 8).flatmap(lambda power: st.integers(0, 10**power)),
    st.lists(st.sampled_from("000123"), min_size=1, max_size=8).map(lambda digits: int("".join(digits))),
)


def read_chinese(text: str) -> int:
    """A numeral's value: first what stands before 亿 and 万, then thousands, hundreds, tens."""
    for unit, size in (("亿", 10**8), ("万", 10**4)):
        if unit in text:
            before, after = text.split(unit)
            return read_chinese(before) * size + (read_chinese(after) if after else 0)
    pattern = r"(?:(.)千)?零?(?:(.)百)?零?(?:(.?)十)?零?([一二三四五六七八九两]?)|零"
    match = re.fullmatch(pattern, text)
    assert match, text
    worth = dict(zip("一二三四五六七八九", range(1, 10), strict=True)) | {"两": 2, "": 1}
    *places, ones = match.groups()
    value = sum(worth[digit] * size for digit, size in zip(places, (1000, 100, 10), strict=True) if digit is not None)
    return value + (worth[ones] if ones else 0)


def read_english(text: str) -> int:
    """The value of number words, by adding up and multiplying."""
    small = (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen"
    ).split()
    tens = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
    total = group = 0
    for word in text.split():
        if word in small:
            group += small.index(word)
        elif word in tens:
            group += 10 * tens.index(word)
        elif word == "hundred":
            group *= 100
        else:
            total, group = total + group * {"thousand": 1000, "million": 10**6}[word], 0
    return total + group


@given(WHOLE_RANGE)
@example(10**8)
@example(10**8 - 1)
def test_a_chinese_numeral_reads_back_to_its_value(value: int) -> None:
    assert read_chinese(chinese_number(value)) == value


@given(WHOLE_RANGE)
@example(10**8)
def test_english_number_words_read_back_to_their_value(value: int) -> None:
    assert read_english(english_number(value)) == value


@given(WHOLE_RANGE)
def test_zero_is_said_once_for_each_gap_and_never_at_the_end_of_a_section(value: int) -> None:
    digits = str(value).zfill(8)
    high, low = (digits[:4].lstrip("0"), digits[4:]) if int(digits[:4]) else ("", digits[4:].lstrip("0"))
    gaps = len(re.findall("0+(?=[1-9])", high)) + len(re.findall("0+(?=[1-9])", low))
    text = chinese_number(value)
    if 0 < value < 10**8:
        assert text.count("零") == gaps
        assert not re.search("零零|零$|零万", text)


@given(WHOLE_RANGE)
def test_liang_begins_a_numeral_before_qian_and_wan_and_stands_nowhere_else(value: int) -> None:
    text = chinese_number(value)
    assert "两" not in text[1:]
    assert not re.match("二[千万亿]|两[^千万亿]|两$", text)


@given(WHOLE_RANGE)
def test_a_numeral_begins_with_ten_and_never_with_one_ten(value: int) -> None:
    text = chinese_number(value)
    assert not text.startswith("一十")
    assert not re.compile("(?<![一二三四五六七八九])十").search(text, 1)


@pytest.mark.parametrize(
    ("value", "chinese", "english"),
    [
        (0, "零", "zero"),
        (2, "二", "two"),
        (10, "十", "ten"),
        (12, "十二", "twelve"),
        (20, "二十", "twenty"),
        (22, "二十二", "twenty two"),
        (100, "一百", "one hundred"),
        (101, "一百零一", "one hundred one"),
        (110, "一百一十", "one hundred ten"),
        (112, "一百一十二", "one hundred twelve"),
        (200, "二百", "two hundred"),
        (222, "二百二十二", "two hundred twenty two"),
        (1000, "一千", "one thousand"),
        (1001, "一千零一", "one thousand one"),
        (1010, "一千零一十", "one thousand ten"),
        (1100, "一千一百", "one thousand one hundred"),
        (2000, "两千", "two thousand"),
        (2022, "两千零二十二", "two thousand twenty two"),
        (10000, "一万", "ten thousand"),
        (10001, "一万零一", "ten thousand one"),
        (10010, "一万零一十", "ten thousand ten"),
        (10100, "一万零一百", "ten thousand one hundred"),
        (11000, "一万一千", "eleven thousand"),
        (20000, "两万", "twenty thousand"),
        (22000, "两万二千", "twenty two thousand"),
        (100000, "十万", "one hundred thousand"),
        (100010, "十万零一十", "one hundred thousand ten"),
        (102000, "十万二千", "one hundred two thousand"),
        (120000, "十二万", "one hundred twenty thousand"),
        (200000, "二十万", "two hundred thousand"),
        (320000, "三十二万", "three hundred twenty thousand"),
        (1000000, "一百万", "one million"),
        (1100000, "一百一十万", "one million one hundred thousand"),
        (2000000, "二百万", "two million"),
        (10000001, "一千万零一", "ten million one"),
        (10010000, "一千零一万", "ten million ten thousand"),
        (20000000, "两千万", "twenty million"),
        (20002000, "两千万二千", "twenty million two thousand"),
        (10**8, "一亿", "one hundred million"),
    ],
)
def test_numbers_checked_by_hand(value: int, chinese: str, english: str) -> None:
    assert (chinese_number(value), english_number(value)) == (chinese, english)


def test_a_bare_two_is_liang_before_a_measure_word_and_no_other_number_changes() -> None:
    assert chinese_count(2) == "两"
    assert [chinese_count(value) for value in (1, 12, 20, 200)] == ["一", "十二", "二十", "二百"]


def test_a_year_is_read_digit_by_digit() -> None:
    assert chinese_digits(2026) == "二〇二六"
    assert chinese_digits(1900) == "一九〇〇"


@pytest.mark.parametrize(
    ("value", "english"),
    [(1, "first"), (2, "second"), (3, "third"), (8, "eighth"), (12, "twelfth"), (20, "twentieth"),
     (31, "thirty first"), (45, "forty fifth"), (99, "ninety ninth")],
)  # fmt: skip
def test_ordinals_checked_by_hand(value: int, english: str) -> None:
    assert english_ordinal(value) == english


@pytest.mark.parametrize("convert", [chinese_number, english_number])
@pytest.mark.parametrize("value", [-1, 10**8 + 1])
def test_a_number_out_of_range_is_refused_with_the_range(convert, value: int) -> None:
    with pytest.raises(ValueError, match="0 to 100000000"):
        convert(value)


def test_the_zeroth_is_refused() -> None:
    with pytest.raises(ValueError, match="no zeroth"):
        english_ordinal(0)
