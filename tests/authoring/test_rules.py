"""A lesson that lacks something is told what, where, and how to mend it."""

import re
from pathlib import Path

import pytest

from autograder.authoring.parse import parse_lesson, unit_stem
from autograder.authoring.rules import broken_rules
from autograder.authoring.template import checks_text, lesson_text
from tests.authoring.writing import write_lesson

pytestmark = pytest.mark.quick

UNIT = "17_my_topic"
NEXT = "\n# %% [markdown]\n# **Next:** unit 18.\n"


def broken(folder: Path, *edits: tuple[str, str], following: bool = False) -> tuple[str, ...]:
    """What is told of the template's lesson after some edits, without its path."""
    text = lesson_text(UNIT, "My topic") + NEXT
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    for unit in (UNIT, *(("18_another",) if following else ())):
        write_lesson(folder / "solutions" / unit / f"{unit_stem(unit)}.py", f"{text}\n{checks_text(UNIT)}")
    path = folder / "solutions" / UNIT / "my_topic.py"
    told = broken_rules(parse_lesson(path))
    assert all(line.startswith(f"{path}: ") and "\n" not in line for line in told)
    return tuple(line.removeprefix(f"{path}: ") for line in told)


def test_a_lesson_that_keeps_all_rules_is_told_nothing(tmp_path: Path) -> None:
    assert broken(tmp_path, following=True) == ()


@pytest.mark.parametrize(
    ("edit", "words", "cure"),
    [
        (("When you are done, you can", "In this unit"), "do not say what one can do afterwards", "you can"),
        (("**You need**", "You need"), "do not say what is needed", "**You need:**"),
        (("**Time:** about 30 minutes", "Half an hour"), "do not say how long it takes", "**Time:** about 75 minutes"),
        (
            ("about 30 minutes", "about 5 minutes"),
            "says 5 minutes, and its exercises alone add up to 10",
            "minutes=...",
        ),
        (("minutes; one", "minutes, 20 of them for the exercises; one"), "they add up to 10", "minutes=..."),
        (("one exercise, 5 points", "two exercises, 5 points"), "says 'two exercises, 5 points'", "mend the words"),
        (("one exercise, 5 points", "one exercise, 6 points"), "it has 1, with 5 points", "mend the words"),
        (('part="demo"', ""), "comes before the first exercise", 'part="demo"'),
        (("# - build ...", "# - build " + 500 * "on and "), "words come before the first exercise", "behind it"),
        (("mean = use_part", 12 * "\n" + "mean = use_part"), "a cell of 1", "folded=True"),
        (
            ('outcome("17-doubled-weights"', 'print("17-doubled-weights"'),
            "has no outcome",
            "where the answer has been measured",
        ),
        (("## What you built", "## The end"), "no heading says 'What you built'", "## What you built"),
        (("## Questions to test yourself", "## Questions"), "no heading says 'Test yourself'", "## Test yourself"),
        (("## Sources", "## Thanks"), "no heading says 'Sources'", "## Sources"),
        (("**Next:**", "Next:"), "nothing leads to 18_another", "**Next"),
    ],
)
def test_what_a_lesson_lacks_is_told_with_its_cure(
    tmp_path: Path, edit: tuple[str, str], words: str, cure: str
) -> None:
    (told,) = broken(tmp_path, edit, following=True)
    assert words in re.sub("first cells say", "says", told)
    assert cure in told


def test_a_guess_that_is_not_asked_for_is_named_thrice(tmp_path: Path) -> None:
    told = broken(tmp_path, ('predict("17-doubled-weights", "With doubled weights, the mean ...", choices=', "print("))
    assert [line.split(";")[0].split(" ", 2)[:2] for line in told] == [
        ["no", "guess"],
        ['outcome("17-doubled-weights",', "...)"],
        ["no", "predict(...)"],
    ]


def test_a_result_that_is_known_before_the_guess_is_asked_is_named(tmp_path: Path) -> None:
    asked = 'predict("17-doubled-weights"'
    (told,) = broken(
        tmp_path,
        (asked, f"before = after = np.ones(2)\nprint(after)\n{asked}"),
        ("before, after = mean(values, weights), mean(values, 2 * weights)\n", ""),
    )
    assert told.startswith('what outcome("17-doubled-weights", ...) tells (after, before) is computed before the guess')


def test_the_last_unit_leads_nowhere(tmp_path: Path) -> None:
    assert broken(tmp_path, ("**Next:**", "The end:")) == ()
