"""Every unit says what it takes and gives, asks before it shows, and leads on. Numbers in words agree with the exercises."""

import functools
import re
from pathlib import Path

import pytest

from autograder.authoring.parse import Lesson, parse_lesson, unit_stem, units
from autograder.authoring.start_page import said_time

pytestmark = pytest.mark.quick

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"
UNITS = units(SOLUTIONS)
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
COUNTED = re.compile(rf"({'|'.join(NUMBERS)}|\d+) exercises", re.IGNORECASE)
POINTS = re.compile(r"exercises, (\d+) points")


@functools.cache  # reading a lesson takes a while
def lesson(unit: str) -> Lesson:
    return parse_lesson(SOLUTIONS / unit / f"{unit_stem(unit)}.py")


def words(unit: str) -> str:
    return "\n\n".join(cell.source for cell in lesson(unit).cells if cell.kind == "markdown" and cell.part != "hints")


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_begins_with_goals_time_and_what_is_needed(unit: str) -> None:
    first = " ".join(cell.source for cell in lesson(unit).cells[:2] if cell.kind == "markdown")
    assert re.search(r"you can\b|be able to|You will", first), "what one can do afterwards"
    assert said_time(lesson(unit)) is not None, "its time: **Time:** about 75 minutes"
    assert re.search(r"\*\*(You need|Before this|Needs)", first), "what is needed: **You need:** ..."


@pytest.mark.parametrize("unit", UNITS)
def test_numbers_in_the_first_words_agree_with_the_exercises(unit: str) -> None:
    first, exercises = lesson(unit).cells[0].source, lesson(unit).exercises
    for number in COUNTED.findall(first):
        assert (int(number) if number.isdigit() else NUMBERS.index(number.lower())) == len(exercises)
    for points in POINTS.findall(first):
        assert float(points) == sum(exercise.points for exercise in exercises)


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_ends_with_what_was_built_questions_sources_and_the_next(unit: str) -> None:
    text = words(unit)
    headings = [line.lstrip("# ").lower() for line in text.splitlines() if line.startswith("#")]
    for heading in ("what you built", "test yourself", "sources"):
        assert any(heading in line for line in headings), heading
    assert "**Next" in text or unit == UNITS[-1]


@pytest.mark.parametrize("unit", UNITS)
def test_a_prediction_is_asked_for_before_the_cell_that_answers_it(unit: str) -> None:
    cells = lesson(unit).cells
    asking = [i for i, cell in enumerate(cells) if cell.kind == "markdown" and "Predict first" in cell.source]
    assert asking, "no prediction is asked for"
    assert any(cell.kind == "code" for i in asking for cell in cells[i + 1 : i + 3])
