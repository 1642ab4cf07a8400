"""nbgrader's gradebook after our grading: what a person wrote there stays, what a rule decides is decided anew."""

import csv
import sqlite3
import subprocess
import sys
import warnings
from datetime import datetime
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from sqlalchemy.exc import SAWarning

from autograder.authoring.nbgrader_course import make_gradebook
from autograder.grading.gradebook import GradebookError, GradebookWriter
from autograder.grading.pipeline import plan, run
from autograder.grading.reports import write_reports
from autograder.grading.roster import RosterError
from tests.grading.executors import Inline
from tests.grading.small_course import UNIT, Submission, submitted_folder

pytestmark = [pytest.mark.xdist_group("pipeline"), pytest.mark.filterwarnings("error::sqlalchemy.exc.SAWarning")]
LATE = "2026-11-22 18:00:00 UTC"


def hand_in(
    course: Path, student: str = "ada", answer: str = "So that its variance is one.", stamp: str = LATE
) -> None:
    """A notebook whose code earns nothing, so that nothing needs to run: the checks' cells do not matter here."""
    submission = Submission(course)
    for exercise in ("centre", "softmax", "attend"):
        submission.write(exercise, "")
    submission.write("why", answer).hand_in(course, student)
    (submitted_folder(course, student) / "timestamp.txt").write_text(stamp, encoding="utf-8")


def grade(course: Path, force: bool = True) -> None:
    outcome = run(plan(course, [UNIT], [], seed=1, force=force), Inline, confined=False, workers=1)
    assert outcome.failed == []


def book_of(course: Path) -> Gradebook:
    return Gradebook(f"sqlite:///{course}/gradebook.db")


def test_manual_points_and_comments_survive_a_regrade(course: Path) -> None:
    hand_in(course)
    grade(course)
    with book_of(course) as book:
        answer = book.find_grade("why", "small", UNIT, "ada")
        assert answer.needs_manual_grade and answer.auto_score is None
        answer.manual_score, answer.needs_manual_grade = 1.5, False
        book.find_grade("centre-check", "small", UNIT, "ada").extra_credit = 0.5
        book.find_comment("why", "small", UNIT, "ada").manual_comment = "Nearly."
        book.db.commit()
    grade(course)
    with book_of(course) as book:
        submission = book.find_submission(UNIT, "ada")
        assert submission.score == 2.0
        assert book.find_grade("why", "small", UNIT, "ada").manual_score == 1.5
        assert book.find_comment("why", "small", UNIT, "ada").comment == "Nearly."


def test_the_feedback_page_tells_what_a_person_gave(course: Path) -> None:
    hand_in(course)
    grade(course)
    page = course / "feedback" / "ada" / UNIT / "small.html"
    write_reports(course)
    assert "From your instructor" not in page.read_text(encoding="utf-8")
    with book_of(course) as book:
        given = book.find_grade("why", "small", UNIT, "ada")
        given.manual_score, given.needs_manual_grade = 1.5, False
        book.find_grade("centre-check", "small", UNIT, "ada").extra_credit = 0.5
        book.find_comment("softmax", "small", UNIT, "ada").manual_comment = "<b>Which</b> axis?"
        book.db.commit()
    for _ in range(2):  # a second time nothing is added
        write_reports(course)
        told = page.read_text(encoding="utf-8")
        assert told.count("From your instructor") == 1 and "1.5/2" in told and "&lt;b&gt;Which&lt;/b&gt; axis?" in told
        assert "Total: 2 of 22 points." in told and "+ 0.5" in told
    with book_of(course) as book:
        book.find_grade("why", "small", UNIT, "ada").needs_manual_grade = True
        book.db.commit()
    write_reports(course)
    assert "Not all of your answers have been read yet." in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("answer", "again"), [("So that its variance is one.", False), ("Another answer.", True)])
def test_a_person_is_asked_again_only_about_an_answer_that_is_new(course: Path, answer: str, again: bool) -> None:
    hand_in(course)
    grade(course)
    with book_of(course) as book:
        given = book.find_grade("why", "small", UNIT, "ada")
        given.manual_score, given.needs_manual_grade = 1.5, False
        book.db.commit()
    hand_in(course, answer=answer)
    grade(course)
    with book_of(course) as book:
        found = book.find_grade("why", "small", UNIT, "ada")
        assert (found.manual_score, bool(found.needs_manual_grade)) == (1.5, again)
    grade(course)
    with book_of(course) as book:  # what waits goes on waiting
        assert bool(book.find_grade("why", "small", UNIT, "ada").needs_manual_grade) is again


def test_an_answer_that_was_not_written_gets_nothing_by_itself_and_says_so(course: Path) -> None:
    hand_in(course, answer="YOUR ANSWER HERE")
    grade(course)
    with book_of(course) as book:
        answer = book.find_grade("why", "small", UNIT, "ada")
        assert (answer.auto_score, answer.needs_manual_grade) == (0, False)
        assert book.find_comment("why", "small", UNIT, "ada").comment == "No response."


def test_no_solution_is_in_the_gradebook(course: Path) -> None:
    hand_in(course)
    grade(course)
    with book_of(course) as book:
        sources = [cell.source for cell in book.find_notebook("small", UNIT).source_cells]
    assert any("NotImplementedError" in source for source in sources)
    assert not any("keepdims" in source for source in sources)


PLUGIN = """
from nbgrader.plugins import BasePlugin
class OnePointEachDay(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return total_seconds_late / 86400
"""


def take_one_point_each_day(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The course's late policy."""
    (course / "late_rules.py").write_text(PLUGIN, encoding="utf-8")
    monkeypatch.syspath_prepend(str(course))
    with (course / "nbgrader_config.py").open("a", encoding="utf-8") as file:
        file.write("\nc.AssignLatePenalties.plugin_class = 'late_rules.OnePointEachDay'\n")


def test_late_penalties_are_fresh_at_each_regrade(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Submission(course, solved=True).hand_in(course, "ada")
    (submitted_folder(course, "ada") / "timestamp.txt").write_text(LATE, encoding="utf-8")
    take_one_point_each_day(course, monkeypatch)
    grade(course)
    with book_of(course) as book:
        assert book.find_submission(UNIT, "ada").late_submission_penalty == 0
        book.find_assignment(UNIT).duedate = datetime(2026, 11, 20, 18)
        book.db.commit()
    grade(course)
    with book_of(course) as book:
        assert book.find_submission(UNIT, "ada").late_submission_penalty == 2
        book.find_assignment(UNIT).duedate = datetime(2026, 11, 21, 18)
        book.db.commit()
    grade(course)
    with book_of(course) as book:
        assert book.find_submission(UNIT, "ada").late_submission_penalty == 1
        book.find_assignment(UNIT).duedate = None
        book.db.commit()
    grade(course)
    with book_of(course) as book:
        submission = book.find_submission(UNIT, "ada")
        assert (submission.score, submission.late_submission_penalty) == (20, 0)


def test_more_time_counts_in_the_points_and_without_the_line_no_longer(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(course)
    take_one_point_each_day(course, monkeypatch)
    grade(course)
    with book_of(course) as book:
        book.find_assignment(UNIT).duedate = datetime(2026, 11, 18, 18)  # four days before it was handed in
        book.find_grade("centre-check", "small", UNIT, "ada").extra_credit = 10
        book.db.commit()
    for line, points in (
        ("", 4),
        ("ada,90,2026-11-20 18:00 UTC,", 2),
        ("*,*,+ 3 days,", 1),
        ("ada,90,2026-11-20 18:00 UTC,\n*,*,+12 h,", 2),
        ("*,90,2026-12-01,", 0),
        ("ada,*,,yes", 0),
        ("bob,90,2026-12-01,", 4),
    ):
        (course / "extensions.csv").write_text(f"student,unit,until,excused\n{line}\n", encoding="utf-8")
        grade(course, force=False)
        with book_of(course) as book:
            assert book.find_submission(UNIT, "ada").late_submission_penalty == points, line
    (course / "extensions.csv").write_text("student,unit,until\nada,90,soon\n", encoding="utf-8")
    with pytest.raises(RosterError, match="line 2: 'soon' is no date"):
        grade(course, force=False)


@pytest.mark.parametrize(
    "stamp", ["never", "", "\x00", "2026-13-45 99:99", "2" * 150, "0001-01-01 00:00:00 +1400", "1e999"]
)
def test_a_time_stamp_that_says_nothing_is_none(course: Path, stamp: str) -> None:
    hand_in(course, stamp=stamp)
    grade(course)
    with book_of(course) as book:
        assert book.find_submission(UNIT, "ada").timestamp is None


def test_grades_are_written_whole_or_not_at_all(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_in(course)
    monkeypatch.setattr(
        GradebookWriter, "_assign_penalty", lambda *a: (_ for _ in ()).throw(RuntimeError("in the middle"))
    )
    outcome = run(plan(course, [UNIT], [], seed=1, force=True), Inline, confined=False, workers=1)
    assert [failure.reason for failure in outcome.failed] == ["RuntimeError: in the middle"]
    with book_of(course) as book:
        assert book.assignment_submissions(UNIT) == []


def test_stock_export_reads_what_we_wrote(course: Path) -> None:
    hand_in(course)
    Submission(course, solved=True).hand_in(course, "grace")
    grade(course)
    words = [
        str(Path(sys.executable).with_name("nbgrader")),
        "export",
        "--db",
        f"sqlite:///{course}/gradebook.db",
        "--to",
        "out.csv",
    ]
    subprocess.run(words, cwd=course, check=True, capture_output=True)
    with (course / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert {student: float(row["score"]) for student, row in rows.items()} == {"ada": 0, "grace": 20}
    assert {float(row["max_score"]) for row in rows.values()} == {22}


def test_a_gradebook_of_other_cells_is_refused_with_a_cure(course: Path) -> None:
    hand_in(course)
    grade(course)
    path = course / "solutions" / UNIT / "small.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace('"softmax-check"', '"softmax-control"'), encoding="utf-8")
    with pytest.raises(GradebookError, match="nbgrader db assignment remove"):
        plan(course, [UNIT], [], seed=1, force=True)


def test_a_new_gradebook_is_the_one_that_nbgrader_makes(tmp_path: Path) -> None:
    def content(name: str) -> tuple[set[object], list[object]]:
        with sqlite3.connect(tmp_path / name) as book:
            tables = {tuple("".join(text.split()) for text in row) for row in book.execute("select name, sql from sqlite_master where sql != ''")}  # fmt: skip
            return tables - {row for row in tables if "alembic" in str(row)}, book.execute("select * from alembic_version").fetchall()  # fmt: skip

    make_gradebook(f"sqlite:///{tmp_path}/ours.db")
    Gradebook(f"sqlite:///{tmp_path}/theirs.db").close()
    assert content("ours.db") == content("theirs.db")
    make_gradebook(f"sqlite:///{tmp_path}/ours.db")
    assert content("ours.db") == content("theirs.db"), "one that is there stays as it is"


def test_only_the_warnings_of_nbgraders_own_queries_are_silenced(course: Path) -> None:
    with GradebookWriter(course) as book:
        with book._guarded():
            warnings.warn("Object of type <SubmittedNotebook> not in session, add operation along 'Notebook.submissions' "
                          "will not proceed (...)", SAWarning, stacklevel=1)  # fmt: skip
        with pytest.raises(SAWarning), book._guarded():
            warnings.warn("something else", SAWarning, stacklevel=1)
