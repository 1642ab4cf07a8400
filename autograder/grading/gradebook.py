"""nbgrader's gradebook, written through `nbgrader.api` by one writer."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Assignment as BookedUnit
from nbgrader.api import BaseCell, Comment, Grade, Gradebook, InvalidEntry, MissingEntry, Student, SubmittedNotebook
from nbgrader.preprocessors import AssignLatePenalties, SaveCells
from sqlalchemy import func
from sqlalchemy.exc import IntegrityError, SAWarning, SQLAlchemyError

from ..authoring.nbgrader_course import make_gradebook, nbgrader_course
from .assignment import Assignment
from .grade_one import Graded
from .record import ByHand, Row
from .roster import Extension
from .times import read_time

_LOGGER = logging.getLogger("tornado.application")
"""Where nbgrader logs a database's faults, with their tracebacks, before it raises them."""


class GradebookError(RuntimeError):
    """The gradebook cannot be read or written; one line says why and how to mend it."""


MoreTime = Callable[[str, str], Extension]
"""From a student and a unit."""


class GradebookWriter:
    """The one process that writes grades. Use it as a context manager."""

    def __init__(self, course: Path, more_time: MoreTime | None = None) -> None:
        """
        more_time: what a student is granted in a unit; None where the gradebook's own extensions count
        """
        self._more_time = more_time
        self._coursedir = nbgrader_course(course)
        self._config = self._coursedir.config
        with self._guarded():
            _create_whole(self._coursedir.db_url)
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
            with warnings.catch_warnings():
                told = r"Object of type <\w+> not in session, add operation along '\w+\.submissions' will not proceed"
                warnings.filterwarnings("ignore", told, SAWarning)
                _LOGGER.disabled = True
                yield
        except InvalidEntry as error:
            # nbgrader's word for an entry that the database refused, and for a database that refuses every entry.
            if isinstance(error.__context__, IntegrityError):
                raise
            raise GradebookError(_one_line(error.__context__ or error, self._coursedir.db_url)) from error
        except (SQLAlchemyError, OSError) as error:
            raise GradebookError(_one_line(error, self._coursedir.db_url)) from error
        finally:
            _LOGGER.disabled = False

    def open_assignment(self, assignment: Assignment) -> None:
        """Make the unit's cells known to the gradebook, as `nbgrader generate_assignment` does. Raises GradebookError."""
        named = {"notebook": assignment.notebook_name, "assignment": assignment.unit, "db_url": self._coursedir.db_url}
        notebook = nbformat.from_dict({"cells": assignment.source, "metadata": assignment.metadata})
        try:
            with self._guarded():
                self._gradebook.update_or_create_assignment(assignment.unit)
                SaveCells(config=self._config).preprocess(notebook, {"nbgrader": named})
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

    def write(self, graded: Graded, notebook_name: str, timestamp_text: str | None, answers: Mapping[str, str]) -> None:
        """Write one submission's grades in one transaction; manual points and comments stay. Raises GradebookError.

        timestamp_text: the text of `timestamp.txt`, where there is one
        answers:        the written answers that lay in formgrader until now, by cell
        """
        book, session = self._gradebook, self._gradebook.db
        student, unit = graded.record.student, graded.record.unit
        timestamp = read_time(timestamp_text) if timestamp_text else None
        more: dict[str, datetime] = {"timestamp": timestamp} if timestamp else {}
        try:
            with self._guarded():
                book.db = _Uncommitted(session)
                book.update_or_create_student(student)
                submission = book.update_or_create_submission(unit, student, **more)
                notebook = book.find_submission_notebook(notebook_name, unit, student)
                self._enter(graded, notebook, answers)
                session.flush()
                self._assign_penalty(submission, notebook)
                session.commit()
        except BaseException:
            with contextlib.suppress(SQLAlchemyError):
                session.rollback()
            raise
        finally:
            book.db = session

    def _enter(self, graded: Graded, notebook: Any, answers: Mapping[str, str]) -> None:
        """Points and comments as nbgrader's `SaveAutoGrades` enters them, without its five joins for each.

        It asks a person to look again at whatever has points by hand. Here, an answer that has its points already and is
        still the same is not asked for again.
        """
        entries = {entry.cell: entry for entry in graded.entries}
        for grade, name in self._of(notebook, Grade):
            entry, given = entries[name], grade.manual_score is not None
            read = given and not grade.needs_manual_grade
            unchanged = entry.answer is not None and entry.answer == answers.get(name)
            grade.auto_score = entry.points
            grade.needs_manual_grade = (given or entry.points is None) and not (read and unchanged)
        for comment, name in self._of(notebook, Comment):
            comment.auto_comment = "No response." if entries[name].unanswered else None

    def _of(self, notebook: Any, kind: Any) -> Any:
        """The notebook's grades or comments, each with its cell's name."""
        query = self._gradebook.db.query(kind, BaseCell.name).join(BaseCell, BaseCell.id == kind.cell_id)
        return query.filter(kind.notebook_id == notebook.id)

    def _assign_penalty(self, submission: Any, notebook: Any) -> None:
        """The course's late policy, applied anew at each grading: no penalty or extension of an earlier one stays."""
        notebook.late_submission_penalty = None
        given = self._more_time(submission.student.id, submission.assignment.name) if self._more_time else None
        if given:
            due = submission.assignment.duedate
            submission.extension = (given.deadline(due.replace(tzinfo=UTC)) - due.replace(tzinfo=UTC)) if due else None
            if given.excused:
                return
        late = submission.total_seconds_late
        if late > 0:
            self._gradebook.db.flush()
            policy = self._penalties.plugin_inst
            penalty = policy.late_submission_penalty(submission.student.id, notebook.score, late)
            if penalty is not None:
                notebook.late_submission_penalty = min(max(float(penalty), 0.0), notebook.score)

    def refresh_penalties(self, unit: str) -> int:
        """Decide the late penalties of a unit anew, from the points as they stand; how many have changed."""
        changed = 0
        with self._guarded():
            session = self._gradebook.db
            session.expire_all()  # points may have been given in formgrader meanwhile
            try:
                for submission in self._gradebook.assignment_submissions(unit):
                    for notebook in submission.notebooks:
                        before = notebook.late_submission_penalty
                        self._assign_penalty(submission, notebook)
                        changed += (before or 0.0) != (notebook.late_submission_penalty or 0.0)
                session.commit()
            except BaseException:
                session.rollback()
                raise
        return changed

    def rows(self) -> list[Row]:
        """One row a unit and student."""
        with self._guarded():
            db = self._gradebook.db
            students = {one: (email or "") for one, email in db.query(Student.id, Student.email)}
            summed = db.query(SubmittedNotebook.assignment_id, func.sum(SubmittedNotebook.late_submission_penalty))
            penalties = {one: (total or 0.0) for one, total in summed.group_by(SubmittedNotebook.assignment_id)}
            units = sorted(unit for (unit,) in db.query(BookedUnit.name))
            return [
                _row(told, students[told["student"]], penalties.get(told["id"], 0.0))
                for unit in units
                for told in sorted(self._gradebook.submission_dicts(unit), key=lambda told: str(told["student"]))
            ]

    def given_by_hand(self) -> dict[tuple[str, str], list[ByHand]]:
        """Points and comments that people have given in formgrader, by (unit, student)."""
        found: dict[tuple[str, str], dict[str, ByHand]] = {}
        with self._guarded():
            db = self._gradebook.db
            for grade in db.query(Grade).filter(Grade.manual_score.isnot(None) | (Grade.extra_credit > 0)):
                given = ByHand(grade.name, grade.manual_score, grade.max_score, grade.extra_credit or 0.0, "")
                found.setdefault((grade.assignment.name, grade.student.id), {})[grade.name] = given
            for comment in db.query(Comment).filter(Comment.manual_comment != ""):
                cells = found.setdefault((comment.assignment.name, comment.student.id), {})
                given = cells.get(comment.name, ByHand(comment.name, None, 0.0, 0.0, ""))
                cells[comment.name] = replace(given, comment=comment.manual_comment)
        return {key: list(cells.values()) for key, cells in found.items()}


def _row(told: Mapping[str, Any], email: str, penalty: float) -> Row:
    """
    told: a submission as nbgrader's `submission_dicts` gives it
    """
    return Row(
        told["name"],
        told["student"],
        told["last_name"] or "",
        told["first_name"] or "",
        email,
        handed_in=told["timestamp"].isoformat() if told["timestamp"] else "",
        raw_score=told["score"],
        late_penalty=penalty,
        score=max(0.0, told["score"] - penalty),
        max_score=told["max_score"],
        needs_manual_grade=bool(told["needs_manual_grade"]),
    )


def _create_whole(url: str) -> None:
    """A new gradebook in a file appears with all its tables or not at all, whenever this process is ended."""
    path = Path(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///"):
        make_gradebook(url)
    elif not path.exists() and path.parent.is_dir():
        with tempfile.TemporaryDirectory(prefix=".gradebook-", dir=path.parent) as holder:
            fresh = Path(holder) / path.name
            make_gradebook(f"sqlite:///{fresh}")
            fresh.replace(path)


class _Uncommitted:
    """A database session whose `commit()` waits: nbgrader commits after every cell."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def commit(self) -> None:
        self._session.flush()


def _one_line(error: BaseException, url: str) -> str:
    what = str(getattr(error, "orig", error)).splitlines()[0]
    return (
        f"the gradebook {url.removeprefix('sqlite:///')} cannot be written ({what}). Check free space and permissions of "
        "the course folder, then run the same command again: what is graded is kept."
    )
