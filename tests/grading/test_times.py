"""What platforms and people write into a time stamp is read as the moment that they mean, or not at all."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.grading.times import read_time

pytestmark = pytest.mark.quick
NOON = datetime(2026, 11, 22, 12, 0)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22 12:00:00 UTC",
        "2026-11-22 12:00:00.000000 UTC",
        "2026-11-22T12:00:00Z",
        "2026-11-22 12:00",
        "2026-11-22 13:00:00 +0100",
        "2026-11-22T13:00:00+01:00",
        "2026-11-22 07:00:00 EST",
        "2026-11-22 07:00 AM EST",
        "Sun, 22 Nov 2026 20:00:00 +0800",
        "2026-11-22 13:00:00 Europe/Berlin",
        "2026-11-22 13:00:00 (Europe/Berlin)",
        "2026-11-22 13:00 UTC+1",
        "22 November 2026, 12:00 PM",
        "Nov 22, 2026 at 12:00pm",
        "\ufeff2026-11-22 12:00:00 UTC\r\n",
    ],
)
def test_a_time_is_read_with_its_zone(text: str) -> None:
    assert read_time(text) == NOON


def test_daylight_saving_is_the_zones_own() -> None:
    assert read_time("2026-07-01 14:00 Europe/Berlin") == datetime(2026, 7, 1, 12)
    assert read_time("2026-07-01 08:00 EDT") == datetime(2026, 7, 1, 12)
    assert read_time("2026-07-01 05:30 PM") == datetime(2026, 7, 1, 17, 30)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "12", "2026-11-22 12:00 CST", "2026-11-22 12:00 Europe/Nowhere", "2026-13-45"]
)
def test_what_does_not_say_a_moment_beyond_doubt_is_not_read(text: str) -> None:
    assert read_time(text) is None


@given(st.text(max_size=60))
def test_any_text_is_read_or_not_and_never_raises(text: str) -> None:
    found = read_time(text)
    assert found is None or found.tzinfo is None


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)), st.integers(-11, 13))
def test_every_offset_of_iso_8601_is_read(moment: datetime, hours: int) -> None:
    from datetime import timedelta, timezone

    moment = moment.replace(microsecond=0, tzinfo=UTC)
    there = moment.astimezone(timezone(timedelta(hours=hours)))
    assert read_time(there.isoformat()) == moment.replace(tzinfo=None)
