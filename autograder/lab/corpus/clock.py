"""Times of day.

The English follows the way the Chinese says it, so 十点五十分 is "ten fifty" and 差十分十点 "ten to ten",
though both are the same moment. The forms, each with a fair share (the rare ones are the last to be learnt):

    三点, 三点钟        three o'clock            三点整    three o'clock sharp
    三点零五分          three oh five            三点二十分  three twenty
    三点半              half past three          三点一刻   quarter past three
    三点三刻            quarter to four          差一刻四点, 四点差一刻  quarter to four
    差十分十点, 十点差十分  ten to ten            差三分十点  three minutes to ten

Minutes below ten always carry 零, minutes always carry 分 (三点五 would be 3.5). Two o'clock is 两点, two
minutes short 差两分, two minutes past 零二分. A part of the day may stand in front: 凌晨 in the early morning
(1 to 5), 早上 (6 to 9) and 上午 (8 to 11) in the morning, 下午 in the afternoon (1 to 6), 晚上 in the evening
(6 to 9) or at night (10, 11).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from .draws import chance, pick, pick_weighted, whole
from .numerals import chinese_count, chinese_number, english_number, spaced
from .pair import Pair, make_pair


@dataclass(frozen=True)
class ClockReading:
    """A time as said: Chinese words, English, and hour with minute for the compositional split."""

    chinese: str
    english: str
    combination: str


DAY_PARTS: dict[str, tuple[int, int]] = {
    "凌晨": (1, 5),
    "早上": (6, 9),
    "上午": (8, 11),
    "下午": (1, 6),
    "晚上": (6, 11),
}
_FORMS = ("hour", "minutes", "half", "quarter", "three quarters", "to", "quarter to")


def clock_times(rng: Random) -> Pair:
    """A time of day, with or without a part of the day: 下午三点半 → half past three in the afternoon."""
    if chance(rng, 0.55):
        hour = whole(rng, 1, 12)
        reading = clock_reading(rng, hour)
        return make_pair("clock_times", reading.chinese, reading.english, reading.combination)
    part = pick(rng, tuple(DAY_PARTS))
    hour = whole(rng, *DAY_PARTS[part])
    reading = clock_reading(rng, hour, counting_down=False)
    english = f"{reading.english} {_in_the_part(part, hour)}"
    return make_pair("clock_times", f"{part} {reading.chinese}", english, reading.combination)


def clock_reading(rng: Random, hour: int, counting_down: bool = True) -> ClockReading:
    """One way to say a time in this hour (1 to 12).

    counting_down: allow 差十分十点, which does not go well with a part of the day in front.
    """
    # Forms that need the hour after are the hardest to learn: they are drawn more often than people say them.
    weights = (2, 4, 1.5, 1.5, 2.5, 4 if counting_down else 0, 2 if counting_down else 0)
    form = pick_weighted(rng, _FORMS, weights)
    met = f"clock {hour}|{form}"
    at, name = f"{spaced(chinese_count(hour))} 点", english_number(hour)
    if form == "hour":
        ending, sharp = pick_weighted(rng, (("", ""), ("钟", ""), ("整", " sharp")), (3, 2, 1))
        return ClockReading(f"{at} {ending}", f"{name} o'clock{sharp}", met)
    if form == "minutes":
        minute = whole(rng, 1, 9) if chance(rng, 0.3) else whole(rng, 10, 59)
        oh, zero = ("oh ", "零 ") if minute < 10 else ("", "")
        chinese = f"{at} {zero}{spaced(chinese_number(minute))} 分/minute"
        return ClockReading(chinese, f"{name} {oh}{english_number(minute)}", f"clock {hour}|{minute}")
    if form == "half":
        return ClockReading(f"{at} 半", f"half past {name}", met)
    if form == "quarter":
        return ClockReading(f"{at} 一 刻", f"quarter past {name}", met)
    if form == "three quarters":
        return ClockReading(f"{at} 三 刻", f"quarter to {english_number(hour % 12 + 1)}", met)
    if form == "quarter to":
        return ClockReading(_short_of(rng, "一 刻", at), f"quarter to {name}", met)
    minute = pick(rng, (5, 10, 20, 25)) if chance(rng, 0.5) else whole(rng, 1, 29)
    unit = "" if minute % 5 == 0 else " minute" if minute == 1 else " minutes"
    chinese = _short_of(rng, f"{spaced(chinese_count(minute))} 分/minute", at)
    return ClockReading(chinese, f"{english_number(minute)}{unit} to {name}", f"clock {hour}|-{minute}")


def _in_the_part(part: str, hour: int) -> str:
    """The English of a part of the day after a clock time."""
    if part == "凌晨":
        return "in the early morning"
    if part == "下午":
        return "in the afternoon"
    if part == "晚上":
        return "in the evening" if hour < 10 else "at night"
    return "in the morning"


def _short_of(rng: Random, amount: str, at: str) -> str:
    return f"差 {amount} {at}" if chance(rng, 0.6) else f"{at} 差 {amount}"
