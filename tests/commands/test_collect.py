"""`python -m autograder collect`, from a download to the reports, in a course of one unit."""

import csv
import shutil
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder.__main__ import main
from autograder.grading.files import only_writer
from autograder.grading.gradebook import GradebookWriter
from autograder.grading.reports import write_reports
from tests.grading.downloads import packed

REPOSITORY = Path(__file__).resolve().parents[2]
UNIT = "02_attention_scores"
CLASS = 'Student,ID,SIS User ID,SIS Login ID,Section\n    Points Possible,,,,\n"Doe, Jane",11,S1,jdoe,A\n"Ray, Bob",12,S2,bob,A\n'


@pytest.fixture(scope="module")
def gradebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty one: to make it takes nbgrader a process of its own."""
    course = tmp_path_factory.mktemp("empty")
    with GradebookWriter(course):
        return course / "gradebook.db"


@pytest.fixture
def course(tmp_path: Path, gradebook: Path) -> Path:
    for room in ("solutions", "notebooks"):
        shutil.copytree(REPOSITORY / room / UNIT, tmp_path / "course" / room / UNIT)
    for file in (REPOSITORY / "nbgrader_config.py", gradebook):
        shutil.copy(file, tmp_path / "course")
    notebook = (REPOSITORY / "notebooks" / UNIT / "attention_scores.ipynb").read_bytes()
    download = {"doejane_LATE_11_201_my work.ipynb": notebook, "raymond_99_202_attention_scores-1.ipynb": notebook}
    (tmp_path / "course" / "download.zip").write_bytes(packed(download))
    return tmp_path / "course"


def run(course: Path, *words: str) -> int:
    return main(["collect", *words, "--course", str(course)])


def test_a_download_becomes_submissions_a_table_and_a_list(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (course / "class.csv").write_text(CLASS)
    assert run(course, "02", str(course / "download.zip"), "--roster", str(course / "class.csv")) == 0
    told = capsys.readouterr().out
    assert "my work.ipynb was taken as attention_scores.ipynb; late" in told and "missing    bob" in told
    assert "1 collected, 1 repaired, 0 skipped, 1 missing" in told
    assert {path.parts[-3] for path in course.glob(f"submitted/*/{UNIT}/attention_scores.ipynb")} == {
        "jdoe",
        "raymond_99",
    }


def test_the_reports_show_everybody_before_anything_is_graded(course: Path) -> None:
    (course / "roster.csv").write_text(CLASS)
    (course / "extensions.csv").write_text("student,unit,excused\nbob,02,yes\nbbo,02,yes\n")
    run(course, "02", str(course / "download.zip"))
    write_reports(course)
    with (course / "reports" / "grades.csv").open(newline="", encoding="utf-8") as stream:
        status = {line["student"]: line["status"] for line in csv.DictReader(stream)}
    assert status == {"bob": "excused", "jdoe": "not graded yet", "raymond_99": "not graded yet; not on the roster"}
    assert "names bbo, whom the roster does not have" in (course / "reports" / "report.html").read_text(
        encoding="utf-8"
    )
    assert "11,S1,jdoe,A" in (course / "reports" / "canvas.csv").read_text(encoding="utf-8")


def test_a_roster_that_cannot_be_used_keeps_no_report_back(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (course / "roster.csv").write_text("id\nada\nada\n")
    write_reports(course)
    assert "have the same id" in capsys.readouterr().err
    assert "have the same id" in (course / "reports" / "report.html").read_text(encoding="utf-8")


def test_nbgraders_students_are_the_class_where_there_is_no_other_list(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        book.add_student("jdoe", first_name="Jane", last_name="Doe", lms_user_id="11")
        book.add_student("zoe")
    assert run(course, UNIT, str(course / "download.zip")) == 0
    assert "missing    zoe" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["02", "nowhere.zip"], "nowhere.zip is not there"),
        (["77", "download.zip"], "there is no unit '77'"),
        (["02", "download.zip", "--timezone", "Mars"], "there is no time zone 'Mars'"),
        (["02", "download.zip", "--roster", "nobody.csv"], "nobody.csv cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    course: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.chdir(course)
    assert run(course, *words) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_a_course_that_cannot_be_written_to_is_one_line(
    course: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **more: object) -> None:
        raise OSError(28, "No space left on device", "submitted/jdoe")

    monkeypatch.setattr("autograder.grading.collect.collecting.place", full)
    assert run(course, "02", str(course / "download.zip")) == 2
    assert "No space left on device (submitted/jdoe)" in capsys.readouterr().err


def test_two_at_once_are_told_to_wait(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with only_writer(course) as free:
        assert free
        assert run(course, "02", str(course / "download.zip")) == 2
    assert "wait until that has finished" in capsys.readouterr().err
