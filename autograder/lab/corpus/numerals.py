"""Integers from 0 to 10^8 in Chinese and in English.

Chinese writes a number in sections of four digits: 万 (10^4) and 亿 (10^8) close a section as "thousand" and
"million" close one of three digits in English. So 32 0000 is 三十二万, and the English has to count anew:
three hundred twenty thousand. Where speakers differ, the corpus keeps to one form:

- **零** stands once for any run of zeros inside a section (1001 一千零一), and between 万 and what follows
  when that is below 1000 (10010 一万零一十). Zeros at a section's end are silent (1010 一千零一十, 102000
  十万二千).
- **一十**: 10 to 19 at the very start begin with 十 (12 十二, 120000 十二万); anywhere else with 一十
  (110 一百一十, 1100000 一百一十万).
- **两 or 二**: a 2 that begins the number is 两 before 千, 万 and 亿 (两千, 两万, 两千万), every other 2 is
  二 (二百, 二十, 三万二千, 二百万). 两百 is just as good Chinese; the corpus writes 二百. A bare 2 is 二 when
  counting and 两 before a measure word: `chinese_count`.
- Shortened forms (三万五 for 35000, 一百一 for 110) are left out: they are ambiguous to a learner.

English has no "and" and no hyphens: three hundred twenty one. One token per word part, or a model must learn
"twenty-one" to "ninety-nine" one by one.
"""

from __future__ import annotations

DIGITS = "零一二三四五六七八九"
LARGEST = 100_000_000

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip


def chinese_number(value: int) -> str:
    """The Chinese numeral of an integer from 0 to 10^8. Raises ValueError outside."""
    _require_range(value, LARGEST)
    if value == 0:
        return "零"
    if value == LARGEST:
        return "一亿"
    high, low = divmod(value, 10_000)
    text = ""
    if high:
        text = _section(high) + "万"
        if 0 < low < 1000:
            text += "零"
    text += _section(low)
    if text.startswith("一十"):
        text = text[1:]
    if text[0] == "二" and text[1:2] in ("千", "万"):
        text = "两" + text[1:]
    return text


def chinese_count(value: int) -> str:
    """The numeral before a measure word: as `chinese_number`, but a bare 2 is 两 (两本书; 十二本书)."""
    return "两" if value == 2 else chinese_number(value)


def chinese_digits(value: int) -> str:
    """The decimal digits one by one, as years are read: 2026 gives 二〇二六."""
    return "".join("〇" if digit == "0" else DIGITS[int(digit)] for digit in str(value))


def english_number(value: int) -> str:
    """The English number words of an integer from 0 to 10^8, without hyphens. Raises ValueError outside."""
    _require_range(value, LARGEST)
    if value < 1000:
        return _below_thousand(value)
    words: list[str] = []
    for size, name in ((1_000_000, "million"), (1000, "thousand")):
        count, value = divmod(value, size)
        if count:
            words += [_below_thousand(count), name]
    if value:
        words.append(_below_thousand(value))
    return " ".join(words)


def english_ordinal(value: int) -> str:
    """first, second, ... ninety ninth. Raises ValueError outside 1 to 99."""
    _require_range(value, 99)
    if value == 0:
        raise ValueError("there is no zeroth: ordinals run from 1 to 99")
    *before, last = english_number(value).split()
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return " ".join([*before, last])


def spaced(characters: str) -> str:
    """A numeral cut into its characters, each of which is a word of its own for `gloss`."""
    return " ".join(characters)


def _section(value: int) -> str:
    """0 to 9999 as it stands inside a longer numeral: 10 is 一十, 0 is empty."""
    text, gap = "", False
    for size, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, value = divmod(value, size)
        if digit == 0:
            gap = bool(text)
            continue
        text += ("零" if gap else "") + DIGITS[digit] + unit
        gap = False
    return text


def _below_thousand(value: int) -> str:
    if value < 20:
        return _ONES[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _TENS[tens - 2] + (f" {_ONES[ones]}" if ones else "")
    hundreds, rest = divmod(value, 100)
    return f"{_ONES[hundreds]} hundred" + (f" {_below_thousand(rest)}" if rest else "")


def _require_range(value: int, largest: int) -> None:
    if not 0 <= value <= largest:
        raise ValueError(f"expected an integer from 0 to {largest}, got {value}")
