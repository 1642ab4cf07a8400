"""A grading run as a whole: it goes on after anything that stops it, and says in one line what it cannot do."""

import errno
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook

from autograder.__main__ import main
from autograder.grading import files, grade_one, pipeline, worker
from autograder.grading.files import find_submissions, only_writer, read_record
from autograder.grading.pipeline import Outcome, local_executor, plan, run
from autograder.grading.record import Record
from autograder.observing import processes, temporary
from autograder.observing.outside import TimeLimits
from autograder.observing.sandbox.isolation import available
from tests.grading.executors import Fragile, Inline
from tests.grading.processes import adopt_orphans, descendants, wait_for_none
from tests.grading.small_course import UNIT, Submission, submitted_folder

pytestmark = [
    pytest.mark.xdist_group("pipeline"),
    pytest.mark.filterwarnings("error:.*not in session"),
]
posix = pytest.mark.skipif(os.name != "posix", reason="signals and permissions as POSIX has them")
isolated = pytest.mark.skipif(
    sys.platform != "linux" or not available().enough, reason="submissions cannot be isolated here"
)
FAST = TimeLimits(cell=5, exercise=5, grace=2, submission=30, imports=2, patience=2)


def hand_in_kinds(course: Path, students: int = 6) -> dict[str, float]:
    """Solved, untouched and wrong notebooks in turn, with the points that they should get."""
    expected = {}
    for number in range(students):
        student = f"student{number}"
        submission = Submission(course, solved=number % 3 != 1)
        if number % 3 == 2:
            submission.write("centre", "def centre(x):\n    return x - np.mean(x)")
        submission.hand_in(course, student)
        expected[student] = (20.0, 0.0, 15.0)[number % 3]
    return expected


def hand_in_broken(course: Path, students: int = 3) -> None:
    """Notebooks that are graded without running anything."""
    for number in range(students):
        (submitted_folder(course, f"student{number}") / "small.ipynb").write_text("{", encoding="utf-8")


def graded(course: Path, make: Callable[[], Executor] = Inline, **more: Any) -> Outcome:
    chosen = {"seed": 3, "force": False, **{name: more.pop(name) for name in ("seed", "force") if name in more}}
    return run(plan(course, [UNIT], [], **chosen), make, confined=False, workers=1, times=FAST, **more)


def scores(course: Path) -> dict[str, float]:
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        return {submission.student.id: submission.score for submission in book.assignment_submissions(UNIT)}


def records(course: Path) -> list[Record]:
    found = [read_record(course, handed.student, UNIT) for handed in find_submissions(course, [UNIT], [])]
    return [record for record in found if record]


def command(course: Path, *options: str) -> int:
    """The command in this process, without isolation: its submissions run nothing."""
    return main(["grade", "--course", str(course), "--isolation", "none", *options])


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "local_executor", lambda workers: Inline)


# Going on


def test_what_is_graded_is_not_graded_again_and_what_has_changed_is(course: Path) -> None:
    hand_in_broken(course)
    assert len(graded(course).graded) == 3
    again = graded(course)
    assert (len(again.graded), again.kept) == (0, 3)
    (course / "submitted/student1" / UNIT / "small.ipynb").write_text("[", encoding="utf-8")
    assert [record.student for record in graded(course).graded] == ["student1"]
    assert len(graded(course, force=True).graded) == 3
    assert len(graded(course, seed=4).graded) == 3


def test_a_rerun_without_a_seed_keeps_the_last_one_and_force_draws_another(course: Path) -> None:
    hand_in_broken(course, 1)
    graded(course, seed=17)
    assert plan(course, [UNIT], [], seed=None, force=False).assignments[UNIT].seed == 17
    drawn = {plan(course, [UNIT], [], seed=None, force=True).assignments[UNIT].seed for _ in range(2)}
    assert drawn != {17}


def test_a_record_that_was_lost_is_made_again(course: Path) -> None:
    hand_in_broken(course)
    graded(course)
    shutil.rmtree(course / "autograded" / "student0")
    (course / "autograded/student1" / UNIT / "record.json").write_text("{", encoding="utf-8")
    assert {record.student for record in graded(course).graded} == {"student0", "student1"}


def test_what_a_killed_run_left_half_written_goes_away(course: Path) -> None:
    hand_in_broken(course, 1)
    for place in ("autograded", "feedback"):
        (course / place / "student0" / ".writing-abc").mkdir(parents=True)
        (course / place / "student0" / f".old-{UNIT}").mkdir()
    graded(course)
    assert [path.name for path in (course / "autograded/student0").iterdir()] == [UNIT]


@isolated
def test_two_gradings_with_one_seed_agree_to_the_last_point_however_many_work_on_them(
    built_course: Path, tmp_path: Path
) -> None:
    found = []
    for workers in (1, 2):
        course = Path(shutil.copytree(built_course, tmp_path / f"course{workers}"))
        expected = hand_in_kinds(course, 3)
        work = plan(course, [UNIT], [], seed=9, force=False)
        outcome = run(work, local_executor(workers), confined=True, workers=workers)
        assert outcome.failed == []
        assert scores(course) == expected
        found.append([(r.student, r.seed, r.assignment, r.exercises, r.incidents) for r in records(course)])
    assert found[0] == found[1]


# Being stopped


@posix
@isolated
def test_ctrl_c_and_kill_at_any_moment_lose_nothing_and_a_rerun_finishes(course: Path) -> None:
    expected = hand_in_kinds(course)
    adopt_orphans()
    before = descendants()

    def start() -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "autograder", "grade", "--course", str(course), "--seed", "3", "--workers", "2"]
        return subprocess.Popen(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                                cwd=Path(__file__).parents[2])  # fmt: skip

    def done() -> int:
        return len(list((course / "autograded").glob(f"*/{UNIT}/record.json")))

    def stop_when(reached: Callable[[], bool], number: int) -> tuple[int, str]:
        process = start()
        while not reached() and process.poll() is None:
            time.sleep(0.02)
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        told = process.communicate()[0]
        assert wait_for_none(before) == []
        with sqlite3.connect(course / "gradebook.db") as book:
            assert book.execute("pragma integrity_check").fetchone() == ("ok",)
        return process.returncode, told

    assert stop_when((course / "gradebook.db").exists, signal.SIGKILL)[0] == -signal.SIGKILL
    status, told = stop_when(lambda: done() >= 1, signal.SIGINT)
    assert status == 130 and "run the same command to continue" in told and "Traceback" not in told
    kept = done()
    assert 1 <= kept < len(expected)
    assert stop_when(lambda: done() > kept, signal.SIGKILL)[0] == -signal.SIGKILL
    process = start()
    told = process.communicate()[0]
    assert process.returncode == 0, told
    assert "SAWarning" not in told and f"{len(expected)} submissions to grade" not in told
    assert scores(course) == expected


@posix
@isolated
def test_a_worker_that_is_killed_in_the_middle_costs_nothing_and_leaves_nothing(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = hand_in_kinds(course)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    made: list[Any] = []

    def make() -> Executor:
        made.append(local_executor(1)())
        return made[-1]  # type: ignore[no-any-return]

    killed: list[int] = []

    def kill_once(done: object) -> None:
        if not killed:
            killed.extend(made[0]._processes)
            for worker in killed:
                os.kill(worker, signal.SIGKILL)

    outcome = run(
        plan(course, [UNIT], [], seed=3, force=False), make, confined=True, workers=1, times=FAST, progress=kill_once
    )
    assert outcome.failed == [] and scores(course) == expected
    assert len(made) > 1
    assert list(temporary.glob("grading-*")) == []


@posix
def test_a_new_process_removes_what_dead_ones_left_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    words = [sys.executable, "-c", "from autograder.observing.temporary import temporary_folder\n"
             "import sys\nprint(temporary_folder(), flush=True)\nsys.stdin.read()"]  # fmt: skip

    def start() -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(words, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    for name in ("grading-of-somebody-else", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "grading-link").symlink_to(tmp_path / "other")
    (dead, left), (alive, used) = start(), start()
    dead.kill()
    dead.communicate()
    (left / "file").write_text("", encoding="utf-8")
    third, _ = start()
    assert used.is_dir() and not left.exists()
    for process in (alive, third):
        process.communicate("")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["grading-link", "grading-of-somebody-else", "other"]


@posix
def test_folders_in_folders_by_the_thousand_are_removed(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    temporary.remove(tmp_path / "deep")
    assert list(tmp_path.iterdir()) == []


def test_one_that_ends_its_worker_each_time_is_found_out_and_costs_only_itself(course: Path) -> None:
    hand_in_broken(course, 9)
    seen: list[list[str]] = []
    outcome = graded(course, lambda: Fragile({"student4"}, seen))
    told = {failure.student: failure.reason for failure in outcome.failed}
    assert told.pop("student4") == "its worker ended 3 times while grading it"
    assert set(told.values()) == {"answered"} and len(told) == 8
    # Once it is under suspicion it is tried alone, so that no other is lost with it.
    assert [names[-1] for names in seen if "student4" in names] == ["student4"] * 3


def test_a_warm_process_that_ends_is_replaced(course: Path) -> None:
    hand_in_kinds(course, 2)

    def kill_warm(done: object) -> None:
        for warm in worker._warm.values():
            assert warm._process is not None
            warm._process.kill()

    outcome = graded(course, progress=kill_warm)
    for key in list(worker._warm):
        worker._forget(key)
    assert outcome.failed == [] and scores(course) == {"student0": 20.0, "student1": 0.0}


def test_where_nothing_can_be_forked_each_has_a_fresh_process(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "can_fork", lambda: False)
    submission = Submission(course, solved=True).own_last("print('kept for the feedback page')")
    submission.hand_in(course, "student0")
    assert graded(course).graded[0].incidents == ()
    assert scores(course) == {"student0": 20.0}
    assert "kept for the feedback page" in (course / "feedback/student0" / UNIT / "small.html").read_text(
        encoding="utf-8"
    )


def test_one_grade_that_cannot_be_written_does_not_stop_the_class(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in_broken(course)
    real = grade_one.feedback_page

    def page(title: str, record: Record, cells: Any) -> str:
        if record.student == "student1":
            raise KeyError("a fault of ours")
        return real(title, record, cells)

    monkeypatch.setattr(grade_one, "feedback_page", page)
    outcome = graded(course)
    assert [failure.student for failure in outcome.failed] == ["student1"]
    assert set(scores(course)) == {"student0", "student2"}


def test_a_name_that_is_no_text_is_told_and_the_others_are_graded(course: Path) -> None:
    hand_in_broken(course)
    try:
        submitted_folder(course, os.fsdecode(b"\xff\xfe"))
    except OSError:
        pytest.skip("this file system takes text only")
    outcome = graded(course)
    assert len(outcome.graded) == 3 and ["cannot be read" in failure.reason for failure in outcome.failed] == [True]


def test_links_and_hidden_folders_are_no_submissions(course: Path) -> None:
    hand_in_broken(course, 1)
    (course / "submitted" / "linked").symlink_to(course / "submitted" / "student0")
    (course / "submitted" / ".hidden" / UNIT).mkdir(parents=True)
    (course / "submitted" / "student9").mkdir()
    (course / "submitted" / "student9" / UNIT).symlink_to(course / "solutions" / UNIT)
    (course / "submitted" / "a-file").write_text("", encoding="utf-8")
    assert [handed.student for handed in find_submissions(course, [UNIT], [])] == ["student0"]


def test_a_name_that_a_page_could_run_is_stored_as_one_that_looks_alike(course: Path, inline: None) -> None:
    for name in ("<img src=x>", "‹img src=x›", 'a"b', "a\\b", "two\nlines", "o'brien & 李雷"):
        (submitted_folder(course, name) / "small.ipynb").write_text("{", encoding="utf-8")
    assert command(course, "--seed", "3") == 0
    assert command(course, "--seed", "3", "--student", "<img src=x>") == 0
    found = scores(course)
    assert len(found) == 6 and {"‹img src=x›", "o'brien & 李雷"} <= set(found)
    assert not [name for name in found if set(name) & set('<>"\\\n')]


def test_experiments_are_run_on_demand_and_the_time_is_told(course: Path, inline: None, tmp_path: Path) -> None:
    Submission(course, solved=True).hand_in(course, "ada")

    def told(*options: str) -> tuple[str, str]:
        assert command(course, "--seed", "3", "--force", *options) == 0
        assert scores(course) == {"ada": 20.0}
        notebook = (course / "autograded/ada" / UNIT / "small.ipynb").read_text(encoding="utf-8")
        return notebook, (course / "reports/report.html").read_text(encoding="utf-8")

    notebook, report = told()
    assert "not run while grading.)" in notebook and "experiments were not run" in report
    times = tmp_path / "times.json"
    notebook, report = told("--run-demos", "--timings", str(times))
    assert "SystemExit: an experiment is not run" in notebook and "experiments were run" in report
    found = json.loads(times.read_text(encoding="utf-8"))
    assert len(found["finished"]) == 1
    assert {"repair", "start", "cells", "exercises", "judge", "show", "write down", "gradebook and files"} <= set(
        found["phases"]
    )


# Saying it in one line


def told_in_one_line(status: int, capsys: pytest.CaptureFixture[str]) -> str:
    text = capsys.readouterr().err.replace(
        "Isolation is off: submissions run with your own rights and can read and change your files.\n", ""
    )
    lines = [line for line in text.splitlines() if "| " not in line and line.strip()]  # tqdm's bars
    assert status == 2 and len(lines) == 1, text
    return lines[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--assignment", "nothing"], "there is no unit 'nothing'"),
        (["--student", "nobody"], "nothing was handed in by nobody"),
        (["--seed", "-1"], "--seed must be 0 or more"),
        (["--workers", "0"], "--workers must be at least 1"),
    ],
)
def test_what_was_asked_for_and_is_not_there(
    course: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    hand_in_broken(course, 1)
    assert words in told_in_one_line(command(course, *options), capsys)


def test_no_folder_of_submissions(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no folder submitted/" in told_in_one_line(command(course), capsys)


def test_nothing_handed_in(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (course / "submitted" / "student0").mkdir(parents=True)
    assert "nothing was handed in" in told_in_one_line(command(course), capsys)


def test_a_unit_that_is_not_built(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hand_in_broken(course, 1)
    (course / "solutions" / UNIT / "small.ipynb").unlink()
    assert "python -m autograder build" in told_in_one_line(command(course), capsys)


def test_a_gradebook_that_is_none(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hand_in_broken(course, 1)
    (course / "gradebook.db").write_bytes(b"this is no database at all" * 100)
    assert "gradebook.db cannot be written" in told_in_one_line(command(course), capsys)


def test_a_second_grading_of_one_course_is_refused(
    course: Path, inline: None, capsys: pytest.CaptureFixture[str]
) -> None:
    hand_in_broken(course, 1)
    with only_writer(course) as free:
        assert free
        assert "another grading of this course is running" in told_in_one_line(command(course), capsys)
    assert command(course) == 0


@pytest.mark.usefixtures("inline")
def test_a_disk_that_fills_up_ends_in_one_line_and_keeps_what_is_graded(
    course: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in_broken(course)
    real, written = files._replace_folder, []

    def replace(folder: Path, content: dict[str, bytes]) -> None:
        if "autograded" in folder.parts and len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder))
        if "autograded" in folder.parts:
            written.append(folder)
        real(folder, content)

    with monkeypatch.context() as patch:
        patch.setattr(files, "_replace_folder", replace)
        told = told_in_one_line(command(course, "--seed", "3"), capsys)
    assert "No space left on device" in told and "what is graded is kept" in told
    again = graded(course)
    assert (len(again.graded), again.kept) == (1, 2)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of four megabytes; root can mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=755", "none", str(place)]
    if (
        sys.platform != "linux"
        or os.geteuid() != 0
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.usefixtures("inline")
@pytest.mark.parametrize("left", [0, 100_000, 350_000])
def test_a_disk_that_is_really_full(
    built_course: Path, small_disk: Path, capsys: pytest.CaptureFixture[str], left: int
) -> None:
    course = Path(shutil.copytree(built_course, small_disk / "course"))
    hand_in_broken(course, 12)
    fill = small_disk / "fill"
    free = shutil.disk_usage(small_disk).free - left
    fill.write_bytes(bytes(free // 4096 * 4096))
    told = told_in_one_line(command(course, "--seed", "3"), capsys)
    assert "Check free space" in told or "Free some space" in told or "disk is full" in told
    fill.unlink()
    assert command(course, "--seed", "3") == 0
    assert len(scores(course)) == 12


@posix
@pytest.mark.usefixtures("inline")
def test_a_course_folder_that_is_read_only(
    built_course: Path, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = os.geteuid() == 0
    course = Path(
        shutil.copytree(built_course, (request.getfixturevalue("small_disk") if root else tmp_path) / "course")
    )
    hand_in_broken(course, 1)
    if root:
        subprocess.run(["mount", "-o", "remount,ro", str(course.parent)], check=True)
    else:
        course.chmod(0o555)
    try:
        told = told_in_one_line(command(course), capsys)
    finally:
        if not root:
            course.chmod(0o755)
    assert "permissions of" in told
