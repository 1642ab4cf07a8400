"""`nbgrader autograde` and `nbgrader generate_feedback`, as they come, give the grades that we give."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.grading.pipeline import local_executor, plan, run
from autograder.observing.outside import TimeLimits
from autograder.observing.sandbox.isolation import available
from tests.grading.small_course import UNIT, Submission

pytestmark = [
    pytest.mark.xdist_group("stock"),
    pytest.mark.skipif(sys.platform != "linux" or not available().enough, reason="submissions cannot be isolated here"),
]
CENTRE = "def centre(x):\n    return x - x.mean(-1, keepdims=True)"
SOFTMAX = "def softmax(x):\n    e = np.exp(x - x.max(-1, keepdims=True))\n    return e / e.sum(-1, keepdims=True)"
EXPECTED = {
    "untouched": 0.0,
    "solved": 20.0,
    "half": 10.0,
    "warns": 20.0,
    "prints-points": 0.0,
    "shadows": 0.0,
    "duplicates": 20.0,
    "ends-itself": 15.0,
    "old-format": 20.0,
    "broken": 0.0,
    "is-a-link": 0.0,
    "utf-16": 20.0,
}

UNREADABLE = {"broken", "is-a-link"}


@pytest.fixture(scope="module")
def class_of(built_course: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    course = Path(shutil.copytree(built_course, tmp_path_factory.mktemp("stock") / "course"))
    Submission(course).hand_in(course, "untouched")
    Submission(course, solved=True).hand_in(course, "solved")
    Submission(course).write("centre", CENTRE).write("softmax", SOFTMAX).hand_in(course, "half")
    warns = CENTRE.replace(
        "    return", "    import warnings, sys\n    warnings.warn('hm'); print('hm', file=sys.stderr)\n    return"
    )
    Submission(course, solved=True).write("centre", warns).own_last("import warnings; warnings.warn('hm')").hand_in(
        course, "warns"
    )
    prints = Submission(course)
    for grade_id, says in {"centre-check": "float('nan')", "centre-hidden": "True", "softmax-check": "import numpy\nnumpy.float64(1.5)",
                           "softmax-hidden": "None", "attend-check": "-1.0", "attend-hidden": "1000.0"}.items():  # fmt: skip
        prints.write(grade_id, says)
    prints.own_last("float('nan')").own_last("True").hand_in(course, "prints-points")
    (Submission(course).hand_in(course, "shadows") / "torch.py").write_text("raise SystemExit\n", encoding="utf-8")
    twice = Submission(course, solved=True)
    twice.cells.insert(twice.index("centre"), dict(twice.cell("centre")))
    twice.hand_in(course, "duplicates")
    ends = Submission(course, solved=True).write("centre", "import os\ndef centre(x): os._exit(0)")
    ends.hand_in(course, "ends-itself")
    old = Submission(course, solved=True)
    old.notebook["nbformat_minor"] = 2
    for cell in old.cells:
        cell.pop("id", None)
    old.hand_in(course, "old-format")
    Submission(course).hand_in(course, "broken").joinpath("small.ipynb").write_bytes(b'{"cells": [{')
    link = Submission(course).hand_in(course, "is-a-link") / "small.ipynb"
    link.unlink()
    link.symlink_to(course / "solutions" / UNIT / "small.ipynb")
    saved = Submission(course, solved=True)
    saved.hand_in(course, "utf-16").joinpath("small.ipynb").write_bytes(saved.text().encode("utf-16"))
    return course


@pytest.fixture(scope="module")
def ours(class_of: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    course = Path(shutil.copytree(class_of, tmp_path_factory.mktemp("ours") / "course", symlinks=True))
    outcome = run(
        plan(course, [UNIT], [], seed=1, force=False), local_executor(1), confined=True, workers=1,
        times=TimeLimits(cell=10, exercise=10, grace=3, imports=2, patience=2),
    )  # fmt: skip
    assert outcome.failed == []
    return course


@pytest.fixture(scope="module")
def theirs(class_of: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    course = Path(shutil.copytree(class_of, tmp_path_factory.mktemp("theirs") / "course", symlinks=True))
    nbgrader(course, "generate_assignment", UNIT, "--force")
    nbgrader(course, "autograde", UNIT)
    return course


def nbgrader(course: Path, *words: str) -> None:
    done = subprocess.run([str(Path(sys.executable).with_name("nbgrader")), *words], cwd=course, capture_output=True, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def scores(course: Path) -> dict[str, float]:
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        return {submission.student.id: submission.score for submission in book.assignment_submissions(UNIT)}


def test_stock_autograde_gives_what_was_earned(theirs: Path) -> None:
    assert scores(theirs) == EXPECTED


def test_ours_gives_the_same(ours: Path, theirs: Path) -> None:
    assert scores(ours) == scores(theirs)


def test_what_is_no_notebook_is_graded_with_a_reason(theirs: Path) -> None:
    page = (theirs / "autograded" / "broken" / UNIT / "small.ipynb").read_text(encoding="utf-8")
    assert "Nothing could be graded: the file is not a notebook" in page


def grades(course: Path) -> list[tuple[str, str, float | None, float, bool]]:
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        return sorted(
            (submission.student.id, grade.name, grade.auto_score, grade.max_score, bool(grade.needs_manual_grade))
            for submission in book.assignment_submissions(UNIT)
            for notebook in submission.notebooks
            for grade in notebook.grades
        )


def test_cell_by_cell_too(ours: Path, theirs: Path) -> None:
    assert grades(ours) == grades(theirs)


@pytest.mark.parametrize("which", ["ours", "theirs"])
def test_stock_feedback_is_made_from_either(which: str, request: pytest.FixtureRequest) -> None:
    course: Path = request.getfixturevalue(which)
    nbgrader(course, "generate_feedback", UNIT, "--force")
    for student in EXPECTED:
        page = (course / "feedback" / student / UNIT / "small.html").read_text(encoding="utf-8")
        assert "centre" in page
    assert "is not written yet" in (course / "feedback" / "untouched" / UNIT / "small.html").read_text(encoding="utf-8")


def test_our_feedback_goes_back_through_nbgraders_exchange(ours: Path, tmp_path: Path) -> None:
    submitted = ours / "submitted" / "solved" / UNIT
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    (submitted / "timestamp.txt").write_text("2026-11-22 18:00:00 UTC", encoding="utf-8")
    (submitted / "submission_secret.txt").write_text("0123456789abcdef", encoding="utf-8")
    work = plan(ours, [UNIT], ["solved"], seed=None, force=False)
    assert run(work, local_executor(1), confined=True, workers=1).failed == []
    told = subprocess.run(
        [sys.executable, "-m", "nbgrader", "release_feedback", UNIT, "--course=c", "--student=solved", f"--Exchange.root={exchange}"],
        cwd=ours, env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    (page,) = (exchange / "c" / "feedback").glob("*.html")
    assert "centre" in page.read_text(encoding="utf-8"), told.stderr


def test_the_graded_notebooks_hold_the_same_cells(ours: Path, theirs: Path) -> None:
    for student in EXPECTED:
        if student in UNREADABLE:  # there, the reason stands in a cell of its own
            continue
        both = [
            nbformat.read(course / "autograded" / student / UNIT / "small.ipynb", as_version=4)
            for course in (ours, theirs)
        ]
        assert [cell.source for cell in both[0].cells] == [cell.source for cell in both[1].cells], student
