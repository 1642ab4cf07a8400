"""nbgrader's gradebook, written through `nbgrader.api` by one writer."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import BaseCell, Comment, Grade, Gradebook, InvalidEntry, MissingEntry
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties, SaveAutoGrades, SaveCells
from nbgrader.utils import is_grade, is_solution, parse_utc
from sqlalchemy.exc import IntegrityError, SAWarning, SQLAlchemyError
from traitlets.config import Config
from traitlets.config.loader import load_pyconfig_files

from .assignment import Assignment
from .grade_one import Graded


class GradebookError(RuntimeError):
    """The gradebook cannot be read or written; one line says why and how to mend it."""


@dataclass(frozen=True)
class ByHand:
    """What a person has given to one cell in formgrader."""

    cell: str
    points: float | None
    """None where there is a comment alone."""
    most: float
    extra: float
    comment: str


def course_config(course: Path) -> Config:
    """The course's `nbgrader_config.py`, with its root set."""
    config: Config = load_pyconfig_files(["nbgrader_config.py"], str(course)) if _has_config(course) else Config()
    config.CourseDirectory.root = str(course)
    return config


def _has_config(course: Path) -> bool:
    return (course / "nbgrader_config.py").is_file()


def written_answers(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """The text of each cell that a person grades, by its name in the gradebook."""
    return {
        cell.metadata["nbgrader"]["grade_id"]: cell.source
        for cell in notebook.cells
        if is_grade(cell) and is_solution(cell)
    }


def find_own_commands() -> None:
    """Let nbgrader find `alembic`, which it calls by name, where the environment of this Python is not activated."""
    own = Path(sys.executable).parent
    if shutil.which("alembic") is None and shutil.which("alembic", path=str(own)):
        os.environ["PATH"] = f"{own}{os.pathsep}{os.environ.get('PATH', '')}"


class GradebookWriter:
    """The one process that writes grades. Use it as a context manager."""

    def __init__(self, course: Path, config: Config | None = None) -> None:
        self._config = config or course_config(course)
        self._coursedir = CourseDirectory(config=self._config)
        find_own_commands()
        with self._guarded():
            _create_whole(self._coursedir.db_url, self._coursedir.course_id)
            self._gradebook = Gradebook(self._coursedir.db_url, self._coursedir.course_id)
        self._penalties = AssignLatePenalties(config=self._config)
        self._penalties.init_plugin()

    def __enter__(self) -> GradebookWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._gradebook.close()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Faults of the database as one line; without what nbgrader warns of and logs on its own account."""
        try:
            with warnings.catch_warnings(), _unlogged():
                told = r"Object of type <\w+> not in session, add operation along '\w+\.submissions' will not proceed"
                warnings.filterwarnings("ignore", told, SAWarning)
                yield
        except InvalidEntry as error:
            # nbgrader's word for an entry that the database refused, and for a database that refuses every entry.
            if isinstance(error.__context__, IntegrityError):
                raise
            raise GradebookError(_one_line(error.__context__ or error, self._coursedir.db_url)) from error
        except (SQLAlchemyError, OSError) as error:
            raise GradebookError(_one_line(error, self._coursedir.db_url)) from error

    def open_assignment(self, assignment: Assignment) -> None:
        """Make the unit's cells known to the gradebook, as `nbgrader generate_assignment` does. Raises GradebookError."""
        resources = {
            "nbgrader": {
                "notebook": assignment.notebook_name,
                "assignment": assignment.unit,
                "db_url": self._coursedir.db_url,
            }
        }
        try:
            with self._guarded():
                self._gradebook.update_or_create_assignment(assignment.unit)
                SaveCells(config=self._config).preprocess(copy.deepcopy(assignment.source_notebook()), resources)
                self._gradebook.db.expire_all()
        except GradebookError:
            raise
        except RuntimeError as error:
            raise GradebookError(
                f"{assignment.unit}: {error}. The unit's graded cells have changed since submissions were graded: "
                f"keep the old gradebook under another name, or run `nbgrader db assignment remove {assignment.unit}`."
            ) from error

    def has(self, unit: str, student: str) -> bool:
        """Whether the gradebook holds a submission."""
        try:
            with self._guarded():
                self._gradebook.find_submission(unit, student)
            return True
        except MissingEntry:
            return False

    def write(
        self, graded: Graded, notebook_name: str, timestamp_text: str | None, answers: Mapping[str, str] | None = None
    ) -> None:
        """Write one submission's grades in one transaction; manual points and comments stay. Raises GradebookError.

        timestamp_text: the text of `timestamp.txt`, where there is one
        answers:   the written answers that lay in formgrader until now, by cell; one that has its points already and is
                   still the same is not asked for again
        """
        book = self._gradebook
        timestamp = _timestamp(timestamp_text)
        more: dict[str, datetime] = {"timestamp": timestamp} if timestamp else {}
        saver = SaveAutoGrades(config=self._config)
        saver.notebook_id, saver.assignment_id, saver.student_id = notebook_name, graded.unit, graded.student
        notebook = nbformat.v4.reads(graded.notebook)
        session = book.db
        try:
            with self._guarded():
                book.db = _Uncommitted(session)
                book.update_or_create_student(graded.student)
                submission = book.update_or_create_submission(graded.unit, graded.student, **more)
                saver.gradebook = entries = _Entries(book, notebook_name, graded)
                settled = entries.settled()
                for index, cell in enumerate(notebook.cells):
                    saver.preprocess_cell(cell, {}, index)
                before = answers or {}
                same = {cell for cell, text in written_answers(notebook).items() if before.get(cell) == text}
                entries.leave_settled(settled & same)
                session.flush()
                self._assign_penalty(submission, graded, notebook_name)
                session.commit()
        except BaseException:
            with contextlib.suppress(SQLAlchemyError):
                session.rollback()
            raise
        finally:
            book.db = session

    def _assign_penalty(self, submission: Any, graded: Graded, notebook_name: str) -> None:
        """The course's late policy, applied anew at each grading: no penalty of an earlier one stays."""
        notebook = self._gradebook.find_submission_notebook(notebook_name, graded.unit, graded.student)
        notebook.late_submission_penalty = None
        late = submission.total_seconds_late
        if late > 0:
            self._gradebook.db.flush()
            penalty = self._penalties.plugin_inst.late_submission_penalty(graded.student, notebook.score, late)
            if penalty is not None:
                notebook.late_submission_penalty = min(max(float(penalty), 0.0), notebook.score)

    def rows(self) -> list[dict[str, Any]]:
        """One row a student and unit, as the gradebook has it: manual points and penalties included."""
        with self._guarded():
            return self._rows()

    def given_by_hand(self) -> dict[tuple[str, str], list[ByHand]]:
        """Points and comments that people have given in formgrader, by (unit, student)."""
        with self._guarded():
            found: dict[tuple[str, str], dict[str, ByHand]] = {}
            db = self._gradebook.db
            for grade in db.query(Grade).filter(Grade.manual_score.isnot(None) | (Grade.extra_credit > 0)):
                where = found.setdefault((grade.assignment.name, grade.student.id), {})
                where[grade.name] = ByHand(
                    grade.name, grade.manual_score, grade.max_score, grade.extra_credit or 0.0, ""
                )
            for comment in db.query(Comment).filter(
                Comment.manual_comment.isnot(None) & (Comment.manual_comment != "")
            ):
                where = found.setdefault((comment.assignment.name, comment.student.id), {})
                given = where.get(comment.name, ByHand(comment.name, None, 0.0, 0.0, ""))
                where[comment.name] = replace(given, comment=comment.manual_comment)
        return {key: list(entries.values()) for key, entries in found.items()}

    def _rows(self) -> list[dict[str, Any]]:
        found = []
        for assignment in sorted(self._gradebook.assignments, key=lambda one: one.name):
            for submission in sorted(assignment.submissions, key=lambda s: s.student.id):
                found.append(
                    {
                        "unit": assignment.name,
                        "student": submission.student.id,
                        "last_name": submission.student.last_name or "",
                        "first_name": submission.student.first_name or "",
                        "email": submission.student.email or "",
                        "handed_in": submission.timestamp.isoformat() if submission.timestamp else "",
                        "raw_score": submission.score,
                        "late_penalty": submission.late_submission_penalty,
                        "score": max(0.0, submission.score - submission.late_submission_penalty),
                        "max_score": submission.max_score,
                        "needs_manual_grade": submission.needs_manual_grade,
                    }
                )
        return found


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """nbgrader logs a database's faults with their tracebacks before it raises them."""
    logger = logging.getLogger("tornado.application")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _create_whole(url: str, course_id: str) -> None:
    """A new gradebook in a file appears with all its tables or not at all, whenever this process is ended."""
    path = Path(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///") or path.exists() or not path.parent.is_dir():
        return
    with tempfile.TemporaryDirectory(prefix=".gradebook-", dir=path.parent) as holder:
        fresh = Path(holder) / path.name
        with Gradebook(f"sqlite:///{fresh}", course_id):
            pass
        fresh.replace(path)


class _Entries:
    """One submission's grades and comments as nbgrader looks them up, fetched together: it asks for each by five joins."""

    def __init__(self, book: Gradebook, notebook_name: str, graded: Graded) -> None:
        notebook = book.find_submission_notebook(notebook_name, graded.unit, graded.student)
        self.db = _Unflushed()
        self._grades, self._comments = (
            {
                cell: entry
                for entry, cell in book.db.query(kind, BaseCell.name)
                .join(BaseCell, BaseCell.id == kind.cell_id)
                .filter(kind.notebook_id == notebook.id)
            }
            for kind in (Grade, Comment)
        )

    def settled(self) -> set[str]:
        """The cells to which a person has given points, and that wait for nothing."""
        return {
            cell
            for cell, grade in self._grades.items()
            if grade.manual_score is not None and not grade.needs_manual_grade
        }

    def leave_settled(self, cells: set[str]) -> None:
        """nbgrader asks a person to look again at whatever has points by hand; at these there is nothing new to see."""
        for cell in cells:
            self._grades[cell].needs_manual_grade = False

    def find_grade(self, cell: str, *where: str) -> Grade:
        return self._found(self._grades, cell)

    def find_comment(self, cell: str, *where: str) -> Comment:
        return self._found(self._comments, cell)

    def _found(self, entries: dict[str, Any], cell: str) -> Any:
        if cell not in entries:
            raise MissingEntry(f"the gradebook has no cell {cell}")
        return entries[cell]


class _Unflushed:
    """The session that nbgrader commits after every cell: all are written together at the end."""

    def commit(self) -> None:
        pass


class _Uncommitted:
    """A database session whose `commit()` waits: nbgrader commits after every cell."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def commit(self) -> None:
        self._session.flush()


def _timestamp(text: str | None) -> datetime | None:
    """nbgrader's reading of a `timestamp.txt`; None where it says nothing that can be read."""
    if not text or not text.strip():
        return None
    try:
        found = parse_utc(text.strip())
    except Exception:  # a date parser on any text at all
        return None
    return found if isinstance(found, datetime) else None


def _one_line(error: BaseException, url: str) -> str:
    what = str(getattr(error, "orig", error)).splitlines()[0]
    return (
        f"the gradebook {url.removeprefix('sqlite:///')} cannot be written ({what}). Check free space and permissions of "
        "the course folder, then run the same command again: what is graded is kept."
    )
