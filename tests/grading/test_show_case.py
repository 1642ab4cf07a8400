"""An instructor who is asked about a hidden case sees it in numbers, and what the learner's code gives on it."""

from pathlib import Path

import pytest

from autograder.__main__ import main
from tests.grading.small_course import UNIT, Submission

pytestmark = pytest.mark.xdist_group("pipeline")


def show(course: Path, *words: str) -> int:
    return main(["grade", "--course", str(course), "--isolation", "none", "--assignment", UNIT, *words])


def test_the_cases_of_a_seed_stand_there_with_what_is_expected(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(course, "--show-case", "centre", "--seed", "5") == 0
    first = capsys.readouterr().out
    assert first.startswith(f"{UNIT}, seed 5\ncentre, hidden cases\n1. ")
    assert "   x = " in first and "   expected:   " in first and "theirs" not in first
    show(course, "--show-case", "centre", "--seed", "5")
    assert capsys.readouterr().out == first
    show(course, "--show-case", "centre", "--seed", "6")
    assert capsys.readouterr().out != first


def test_one_learners_results_stand_below_them_with_the_whole_verdict(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = "def centre(x):\n    return x - np.mean(x)\n"
    Submission(course, solved=True).write("centre", wrong).hand_in(course, "ada")
    assert show(course, "--show-case", "centre", "--seed", "5", "--student", "ada") == 0
    told = capsys.readouterr().out
    assert "   theirs:   ✓ " in told and "   theirs:   ✗ " in told
    assert "✗ not yet · centre · 0 of 2 points (hidden cases)" in told
    assert "you subtract the mean of the whole array" in told.lower()
    assert "Seen on: " in told
    assert not (course / "autograded").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--show-case", "center", "--seed", "1"], "has no exercise 'center'; it has: centre, softmax, attend."),
        (["--show-case", "centre"], "has not been graded yet, so it has no hidden cases: name a seed with --seed."),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    course: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (course / "submitted").mkdir(exist_ok=True)
    assert show(course, *words) == 2
    assert says in capsys.readouterr().err
