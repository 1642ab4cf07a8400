"""Years, dates and days of the week.

Which form gets which English, so that no source has two readings:

- A year is read digit by digit with 〇 and ends in 年: 一九三六年 → 1936. A span of years is a number:
  一千九百三十六年 → one thousand nine hundred thirty six years (see `measures`).
- A date in Chinese numerals becomes day, month, year: 一九三六年五月四日 → 4 may 1936. Chinese goes from the
  large to the small, this English from the small to the large: the alignment runs backwards.
- A date in Arabic digits, as print has it, becomes an ISO date: 1936年5月4日 → 1936-05-04. Digits are single
  tokens on both sides, so this kind is nothing but positions: without them, 1936 may be read as 1963.
- 五月 is the month (may); five months are 五个月. The day of the month is 日 or, without a year, also 号.
- 星期三, 周三 and 礼拜三 are all wednesday. 上 is last, 这 this, 下 next, 每个 every.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from .clock import DAY_PARTS, clock_reading
from .draws import chance, pick, pick_weighted, whole
from .numerals import chinese_digits, chinese_number, spaced
from .pair import Pair, make_pair

MONTHS = "january february march april may june july august september october november december".split()
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_FIRST, _LAST = date(1900, 1, 1), date(2099, 12, 31)
_WEEK_WORDS = ("星期", "周", "礼拜")
_WHICH_WEEK = {"上": "last", "这": "this", "下": "next"}
_SENSES = {"上": "上/last", "下": "下/next"}
_PART_NAMES = {"早上": "morning", "上午": "morning", "下午": "afternoon", "晚上": "evening"}


@dataclass(frozen=True)
class DayPhrase:
    """A day as said: Chinese words and English."""

    chinese: str
    english: str


def years(rng: Random) -> Pair:
    """A year from 1000 to 2999: 二〇二六年 → 2026."""
    year = whole(rng, 1000, 2999)
    return make_pair("years", year_words(year), str(year), f"year {year // 100}|{year % 100:02}")


def dates(rng: Random) -> Pair:
    """A date between 1900 and 2099: 二〇二六年十一月二十日 → 20 november 2026, or a part of one.

    The weekday, where there is one, is the true one: 二〇二六年十一月二十日星期五 → friday 20 november 2026.
    """
    day = _any_day(rng)
    year, month = year_words(day.year), f"{spaced(chinese_number(day.month))} 月"
    name = MONTHS[day.month - 1]
    number = spaced(chinese_number(day.day))
    combination = f"month and day {day.month}|{day.day}"
    form = pick_weighted(rng, ("full", "weekday", "day", "month", "bare month"), (10, 2, 4, 2, 0.3))
    if form == "full":
        return make_pair("dates", f"{year} {month} {number} 日", f"{day.day} {name} {day.year}", combination)
    if form == "weekday":
        chinese = f"{year} {month} {number} 日 {_weekday_word('星期', day.weekday(), rng)}"
        english = f"{WEEKDAYS[day.weekday()]} {day.day} {name} {day.year}"
        return make_pair("dates", chinese, english, combination)
    if form == "day":
        return make_pair("dates", f"{month} {number} {pick(rng, '日号')}", f"{day.day} {name}", combination)
    if form == "month":
        return make_pair("dates", f"{year} {month}", f"{name} {day.year}")
    return make_pair("dates", month, name)


def iso_dates(rng: Random) -> Pair:
    """A date in Arabic digits: 1936年5月4日 → 1936-05-04."""
    day = _any_day(rng)
    chinese = f"{day.year} 年 {day.month} 月 {day.day} 日"
    return make_pair("iso_dates", chinese, day.isoformat(), f"month and day {day.month}|{day.day}")


def weekdays(rng: Random) -> Pair:
    """A day of the week, with a week, a part of the day, a time: 下星期三下午三点半."""
    day = whole(rng, 0, 6)
    week = pick_weighted(rng, ("", "上", "这", "下", "每"), (2, 2, 2, 2, 1))
    phrase = weekday_phrase(rng, day, week)
    met = f"weekday {week}|{day}" if week else ""
    if chance(rng, 0.25):
        return make_pair("weekdays", phrase.chinese, phrase.english, met)
    part = pick(rng, tuple(_PART_NAMES))
    chinese, english = f"{phrase.chinese} {part}", f"{phrase.english} {_PART_NAMES[part]}"
    combination = f"weekday {day}|{part}"
    if chance(rng, 0.3):
        return make_pair("weekdays", chinese, english, met, combination)
    clock = clock_reading(rng, whole(rng, *DAY_PARTS[part]), counting_down=False)
    on = "on " if phrase.english in WEEKDAYS else ""
    chinese, english = f"{chinese} {clock.chinese}", f"{clock.english} {on}{english}"
    return make_pair("weekdays", chinese, english, met, combination, clock.combination)


def year_words(year: int) -> str:
    """The year's digits and 年, a word each."""
    return f"{spaced(chinese_digits(year))} 年"


def weekday_phrase(rng: Random, day: int, week: str = "") -> DayPhrase:
    """A weekday (0 is monday) of the week named by 上, 这, 下 or 每, or of none ("")."""
    word = pick_weighted(rng, _WEEK_WORDS, (3, 2, 1))
    named = _weekday_word(word, day, rng)
    if not week:
        return DayPhrase(named, WEEKDAYS[day])
    if week == "每":
        return DayPhrase(f"每 {'' if word == '周' else '个'} {named}", f"every {WEEKDAYS[day]}")
    measure = "个" if word != "周" and chance(rng, 0.4) else ""
    return DayPhrase(f"{_SENSES.get(week, week)} {measure} {named}", f"{_WHICH_WEEK[week]} {WEEKDAYS[day]}")


def part_of_day(part: str) -> str:
    """morning, afternoon or evening, as in "yesterday evening"."""
    return _PART_NAMES[part]


def _weekday_word(word: str, day: int, rng: Random) -> str:
    if day < 6:
        return word + chinese_number(day + 1)
    return word + ("日" if word == "周" or (word == "星期" and chance(rng, 0.4)) else "天")


def _any_day(rng: Random) -> date:
    return _FIRST + timedelta(days=whole(rng, 0, (_LAST - _FIRST).days))
