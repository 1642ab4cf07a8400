"""A term of gradings: what is asked for is done, what has changed is told, and nothing goes stale."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from autograder.__main__ import main
from autograder.formats.notebook_file import MAX_BYTES
from autograder.grading.files import find_submissions, read_record, recorded_seeds
from autograder.grading.grade_one import MAX_SHOWN
from autograder.grading.pipeline import Outcome, Plan, plan, run
from tests.grading.executors import Inline
from tests.grading.small_course import UNIT, Submission, submitted_folder
from tests.grading.test_gradebook import LATE, book_of, hand_in, take_one_point_each_day
from tests.grading.test_pipeline import FAST, hand_in_broken

pytestmark = pytest.mark.xdist_group("pipeline")


def planned(course: Path, *students: str, seed: int | None = None, force: bool = False, dry: bool = False) -> Plan:
    return plan(course, [UNIT], students, seed=seed, force=force, dry=dry)


def graded(course: Path, *students: str, seed: int | None = None, force: bool = False, stop_after: int = 0) -> Outcome:
    done = 0

    def progress(_: object) -> None:
        nonlocal done
        done += 1
        if done == stop_after:
            raise KeyboardInterrupt

    work = planned(course, *students, seed=seed, force=force)
    return run(work, Inline, confined=False, workers=1, times=FAST, progress=progress)


def test_penalties_follow_points_that_were_given_by_hand(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_in(course, stamp=LATE)
    take_one_point_each_day(course, monkeypatch)
    graded(course, seed=1)
    with book_of(course) as book:
        book.find_assignment(UNIT).duedate = datetime(2026, 11, 20, 18)
        given = book.find_grade("why", "small", UNIT, "ada")
        given.manual_score, given.needs_manual_grade = 1.5, False
        book.db.commit()
    outcome = graded(course)
    assert (len(outcome.graded), outcome.penalties) == (0, 1)
    with book_of(course) as book:
        submission = book.find_submission(UNIT, "ada")
        assert (submission.score, submission.late_submission_penalty) == (1.5, 1.5)  # no more than there is


def test_one_learner_on_other_cases_does_not_change_the_classs_seed(course: Path) -> None:
    hand_in_broken(course)
    graded(course, seed=7)
    graded(course, "student1", seed=99)
    assert recorded_seeds(course) == {UNIT: 7}
    record = read_record(course, "student1", UNIT)
    assert record is not None and record.seed == 99
    assert [one.student for one in planned(course).todo] == ["student1"]
    graded(course, "student2", force=True)
    assert recorded_seeds(course) == {UNIT: 7}


def test_a_forced_run_that_was_stopped_goes_on_with_the_same_command(course: Path) -> None:
    hand_in_broken(course, 4)
    graded(course, seed=7)
    stopped = graded(course, force=True, stop_after=2)
    assert stopped.interrupted
    seed = recorded_seeds(course)[UNIT]
    assert seed != 7
    rest = graded(course, force=True)
    first = {record.student for record in stopped.graded}
    assert {record.student for record in rest.graded} == {f"student{i}" for i in range(4)} - first
    assert recorded_seeds(course) == {UNIT: seed}
    assert len(graded(course, force=True).graded) == 4, "a forced run that has ended begins anew"


def test_a_forced_run_on_the_same_seed_goes_on_too(course: Path) -> None:
    hand_in_broken(course, 3)
    graded(course, seed=7)
    first = {record.student for record in graded(course, seed=7, force=True, stop_after=1).graded}
    rest = {record.student for record in graded(course, seed=7, force=True).graded}
    assert rest == {f"student{i}" for i in range(3)} - first


def test_a_dry_run_says_what_and_why_and_writes_nothing(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hand_in_broken(course, 2)
    graded(course, seed=7)
    (submitted_folder(course, "student1") / "small.ipynb").write_text("[", encoding="utf-8")
    hand_in_broken_for(course, "student9")
    before = {path: path.read_bytes() for path in course.rglob("*") if path.is_file()}
    assert main(["grade", "--course", str(course), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert {path: path.read_bytes() for path in course.rglob("*") if path.is_file()} == before
    lines = {line.split()[2]: line for line in told.splitlines() if UNIT in line}
    assert lines["student0"].startswith("keep") and "nothing has changed" in lines["student0"]
    assert lines["student1"].startswith("grade") and "something else was handed in" in lines["student1"]
    assert lines["student9"].startswith("grade") and "not graded before" in lines["student9"]
    assert "2 would be graded, 1 would be kept. Nothing was written." in told


def hand_in_broken_for(course: Path, student: str) -> None:
    (submitted_folder(course, student) / "small.ipynb").write_text("{", encoding="utf-8")


def test_who_was_graded_against_another_unit_is_told_when_one_learner_is_graded(course: Path) -> None:
    hand_in_broken(course, 3)
    graded(course, seed=7)
    cases = course / "solutions" / UNIT / "cases.npz"
    lesson = course / "solutions" / UNIT / "small.ipynb"
    lesson.write_text(lesson.read_text(encoding="utf-8").replace("A small unit", "A smaller unit"), encoding="utf-8")
    assert cases.is_file()
    assert [one.student for one in planned(course, "student0").stale] == ["student1", "student2"]
    assert planned(course).stale == ()


def test_outputs_do_not_count_against_the_size_of_a_notebook(course: Path) -> None:
    submission = Submission(course)
    shown = {"output_type": "stream", "name": "stdout", "text": "x" * (MAX_BYTES + 1000)}
    submission.cell("centre")["outputs"] = [shown]
    submission.hand_in(course, "ada")
    (record,) = graded(course, seed=1).graded
    assert record.reason == ""


def test_what_one_notebook_shows_is_kept_up_to_a_size(course: Path) -> None:
    many = "\n".join(f"print({n} * 'x' * 100)" for n in range(150, 190))
    submission = Submission(course)
    for _ in range(4):
        submission.own_last(f"for i in range(40):\n    print('y' * 19_000)\n{many}")
    submission.hand_in(course, "ada")
    graded(course, seed=1)
    kept = (course / "autograded" / "ada" / UNIT / "small.ipynb").read_text(encoding="utf-8")
    assert len(kept) < MAX_SHOWN + 500_000
    assert json.loads(kept)["cells"]


def test_a_time_that_says_nothing_is_told_to_the_instructor(course: Path) -> None:
    hand_in(course, stamp="2026-11-22 12:00 CST")
    (record,) = graded(course, seed=1).graded
    assert any("'2026-11-22 12:00 CST' in timestamp.txt says no moment beyond doubt" in one for one in record.incidents)


@pytest.mark.parametrize("seen", ["raise ValueError(f'I was given {x!r}')", "float(str(x))"])
def test_an_exception_on_hidden_cases_does_not_carry_their_numbers(course: Path, seen: str) -> None:
    code = (
        "KNOWN = {(5,), (4, 6), (1,), (1, 6), (4, 1), (67,), (17,), (67, 6), (4, 67), (17, 6), (4, 17)}\n\ndef centre(x):\n    if x.shape not in KNOWN:\n        "
        + seen
    )
    code += "\n    return x - np.mean(x, axis=-1, keepdims=True)"
    Submission(course).write("centre", code).hand_in(course, "ada")
    (record,) = graded(course, seed=1).graded
    row = next(row for row in record.exercises if row.exercise == "centre")
    assert row.visible == 3 and row.hidden == 0, row
    assert "raised ValueError (line" in row.message
    assert "array(" not in row.message and "given [" not in row.message and "could not convert" not in row.message
    assert len(find_submissions(course, [UNIT], [])) == 1
