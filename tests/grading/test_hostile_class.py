"""A class of cheats, attacks and accidents, graded in one run."""

import csv
import hashlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.grading.files import graded_folder, shown_name
from autograder.grading.pipeline import Outcome, local_executor, plan, run
from autograder.grading.record import ExerciseGrade, Record
from autograder.grading.reports import write_reports
from autograder.observing.outside import TimeLimits
from autograder.observing.sandbox.isolation import available
from tests.grading.hostile import CASES, Case
from tests.grading.processes import adopt_orphans, descendants, wait_for_none
from tests.grading.small_course import FULL, NAME, UNIT

pytestmark = [
    pytest.mark.xdist_group("hostile"),
    pytest.mark.skipif(sys.platform != "linux" or not available().enough, reason="submissions cannot be isolated here"),
]

# Far below what a class is given, so that a submission that hangs costs seconds here.
HURRIED = TimeLimits(cell=2, cells=6, exercise=2, grace=1.5, submission=30, imports=2, patience=2)


@dataclass(frozen=True)
class GradedClass:
    course: Path
    outcome: Outcome
    records: dict[str, Record]
    scores: dict[str, float]
    """From the gradebook."""
    host_before: dict[str, str]
    host_after: dict[str, str]
    survivors: list[str]


@pytest.fixture(scope="module")
def graded(built_course: Path, tmp_path_factory: pytest.TempPathFactory) -> GradedClass:
    course = Path(shutil.copytree(built_course, tmp_path_factory.mktemp("hostile") / "course"))
    for case in CASES:
        case.make(course, case.student)
    adopt_orphans()
    before, host = descendants(), host_files(course)
    outcome = run(
        plan(course, [UNIT], [], seed=5, force=False), local_executor(2), confined=True, workers=2, times=HURRIED
    )
    write_reports(course)
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        scores = {submission.student.id: submission.score for submission in book.assignment_submissions(UNIT)}
    records = {record.student: record for record in outcome.graded}
    return GradedClass(course, outcome, records, scores, host, host_files(course), wait_for_none(before))


def host_files(course: Path) -> dict[str, str]:
    """What a submission must not touch: everything in the course that grading itself does not write."""
    written = ("autograded", "feedback", "reports", "gradebook.db")
    return {
        str(path.relative_to(course)): f"{path.stat().st_size} {hashlib.sha256(beginning(path)).hexdigest()}"
        for path in sorted(course.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.relative_to(course).parts[0] not in written
    }


def beginning(path: Path) -> bytes:
    """Enough of a file to tell it from another; one of them is 64 GB long."""
    with path.open("rb") as file:
        return file.read(1 << 21)


def test_there_are_at_least_sixty_of_them() -> None:
    assert len({case.student for case in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=[ascii(case.student)[1:40] for case in CASES])
def test_each_gets_what_it_earned_and_a_reason(graded: GradedClass, case: Case) -> None:
    record = graded.records[shown_name(case.student)]
    told = [row.message for row in record.exercises if row.message], record.incidents, record.repairs
    if case.at_most:
        assert record.score <= case.points, told
    else:
        assert record.score == case.points, told
    assert case.says in record.to_json().decode()
    assert all(row.passed or row.message for row in record.exercises)


def test_every_submission_has_a_record_and_none_failed(graded: GradedClass) -> None:
    assert graded.outcome.failed == []
    assert set(graded.records) == {shown_name(case.student) for case in CASES}


def test_a_second_grading_with_the_seed_agrees_to_the_last_point(graded: GradedClass) -> None:
    again = [shown_name(case.student) for case in CASES[::12]]
    outcome = run(
        plan(graded.course, [UNIT], again, seed=5, force=True),
        local_executor(1),
        confined=True,
        workers=1,
        times=HURRIED,
    )
    assert outcome.failed == [] and len(outcome.graded) == len(again)
    for record in outcome.graded:
        before = graded.records[record.student]
        assert (record.seed, record.assignment) == (before.seed, before.assignment)
        assert [points_of(row) for row in record.exercises] == [points_of(row) for row in before.exercises]


def points_of(row: ExerciseGrade) -> tuple[object, ...]:
    return row.exercise, row.visible, row.hidden, row.score, row.max_score, row.passed


def test_the_gradebook_says_the_same_as_the_records(graded: GradedClass) -> None:
    assert graded.scores == {student: record.score for student, record in graded.records.items()}
    assert max(graded.scores.values()) == FULL


def test_no_file_of_the_course_was_touched(graded: GradedClass) -> None:
    assert graded.host_after == graded.host_before
    assert not (graded.course / "touched-by-a-pickle").exists()


def test_no_process_survives(graded: GradedClass) -> None:
    assert graded.survivors == []


def test_no_page_holds_anything_that_a_learner_could_run_in_a_browser(graded: GradedClass) -> None:
    pages = [*(graded.course / "feedback").rglob("*.html"), graded.course / "reports" / "report.html"]
    assert len(pages) > len(CASES)
    for page in pages:
        text = page.read_text(encoding="utf-8").lower()
        assert "<script" not in text and "<img src=x" not in text and "<svg onload" not in text, page
    for case in CASES:
        folder = graded_folder(graded.course, shown_name(case.student), UNIT)
        notebook = nbformat.read(folder / f"{NAME}.ipynb", as_version=4)
        for cell in notebook.cells:
            part = cell.metadata.get("autograder", {}).get("part")
            for output in cell.get("outputs", []):
                kinds = set(output.get("data", {}))
                assert kinds <= {"text/plain", "image/png"} or part in ("check", "hidden"), (case.student, kinds)


def test_no_name_is_a_formula_in_a_spreadsheet(graded: GradedClass) -> None:
    for name in ("grades.csv", "canvas.csv"):
        with (graded.course / "reports" / name).open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file):
                assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row), row


def test_every_graded_notebook_is_valid(graded: GradedClass) -> None:
    for case in CASES:
        nbformat.validate(
            nbformat.read(graded_folder(graded.course, shown_name(case.student), UNIT) / f"{NAME}.ipynb", as_version=4)
        )
