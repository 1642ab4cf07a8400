"""When something was handed in: the forms that platforms and people write."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil import parser

_HOURS = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "NST": -3.5, "NDT": -2.5, "AST": -4, "ADT": -3, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "AKST": -9, "AKDT": -8, "HST": -10, "HKT": 8, "SGT": 8, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
"""Abbreviations that mean one thing the world over. CST, IST and BST mean several: a time with one of these is not read."""
_ZONE = re.compile(r"\s\(?([A-Z][A-Za-z_]+(?:/[A-Za-z_+-]+)+)\)?$")
_OFFSET_AFTER_NAME = re.compile(r"\b(?:UTC|GMT)\s*([+-])(\d{1,2})(?::?(\d{2}))?$")


def read_time(text: str) -> datetime | None:
    """The moment in UTC, without a zone as nbgrader keeps it; None where the text does not say one beyond doubt.

    A text without a zone is in UTC, as nbgrader reads it.
    """
    found = moment(text)
    return found and found.astimezone(UTC).replace(tzinfo=None)


def moment(text: str, zone: tzinfo | None = UTC) -> datetime | None:
    """A date and time with its zone; None where the text does not say a moment beyond doubt.

    zone: where the text names none; None for this machine's
    """
    text = text.replace("\ufeff", "").strip()
    if found := _ZONE.search(text):
        try:
            zone = ZoneInfo(found[1])
        except (ZoneInfoNotFoundError, ValueError):
            return None
        text = text[: found.start()]
    elif found := _OFFSET_AFTER_NAME.search(text):
        sign = -1 if found[1] == "-" else 1
        zone = timezone(sign * timedelta(hours=int(found[2]), minutes=int(found[3] or 0)))
        text = text[: found.start()]
    if not re.search(r"\b\d{4}\b|\d{4}-?\d{2}-?\d{2}", text):  # without a year, a parser fills in today's
        return None
    unknown: list[str] = []

    def known(name: str | None, offset: int | None) -> timezone | None:
        if offset is not None:
            return timezone(timedelta(seconds=offset))
        if name in _HOURS:
            return timezone(timedelta(hours=_HOURS[name]))
        unknown.extend([name] if name else [])
        return None

    try:
        read: datetime = parser.parse(text.replace("o'clock", " "), tzinfos=known)
        if unknown:
            return None
        read = read.astimezone(zone) if read.tzinfo is None and zone is None else read
        read = read.replace(tzinfo=zone) if read.tzinfo is None else read
        return read.astimezone(UTC) and read  # raises where it lies outside the calendar
    except Exception:  # a date parser on any text at all
        return None
