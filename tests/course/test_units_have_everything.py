"""Every unit keeps the course's rules: it says what it takes and gives, asks before it shows, and leads on."""

from pathlib import Path

import pytest

from autograder.authoring.parse import parse_lesson, unit_stem, units
from autograder.authoring.rules import broken_rules

pytestmark = pytest.mark.quick

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"


@pytest.mark.parametrize("unit", units(SOLUTIONS))
def test_a_unit_keeps_the_rules_of_the_course(unit: str) -> None:
    assert broken_rules(parse_lesson(SOLUTIONS / unit / f"{unit_stem(unit)}.py")) == ()
