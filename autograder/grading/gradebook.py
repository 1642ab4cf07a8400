"""nbgrader's gradebook, written through `nbgrader.api` by one writer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties, SaveAutoGrades, SaveCells
from nbgrader.utils import parse_utc
from sqlalchemy.exc import SQLAlchemyError
from traitlets.config import Config
from traitlets.config.loader import load_pyconfig_files

from .assignment import Assignment
from .grade_one import Graded


class GradebookError(RuntimeError):
    """The gradebook cannot be read or written; one line says why and how to mend it."""


def course_config(course: Path) -> Config:
    """The course's `nbgrader_config.py`, with its root set."""
    config: Config = load_pyconfig_files(["nbgrader_config.py"], str(course)) if _has_config(course) else Config()
    config.CourseDirectory.root = str(course)
    return config


def _has_config(course: Path) -> bool:
    return (course / "nbgrader_config.py").is_file()


class GradebookWriter:
    """The one process that writes grades. Use it as a context manager."""

    def __init__(self, course: Path, config: Config | None = None) -> None:
        self._config = config or course_config(course)
        self._coursedir = CourseDirectory(config=self._config)
        try:
            self._gradebook = Gradebook(self._coursedir.db_url, self._coursedir.course_id)
        except (SQLAlchemyError, OSError) as error:
            raise GradebookError(_one_line(error, self._coursedir.db_url)) from error
        self._penalties = AssignLatePenalties(config=self._config)
        self._penalties.init_plugin()

    def __enter__(self) -> GradebookWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._gradebook.close()

    def open_assignment(self, assignment: Assignment) -> None:
        """Make the unit's cells known to the gradebook, as `nbgrader generate_assignment` does. Raises GradebookError."""
        try:
            self._gradebook.update_or_create_assignment(assignment.unit)
            saver = SaveCells(config=self._config)
            resources = {
                "nbgrader": {
                    "notebook": assignment.notebook_name,
                    "assignment": assignment.unit,
                    "db_url": self._coursedir.db_url,
                }
            }
            saver.preprocess(assignment.source_notebook(), resources)
            self._gradebook.db.expire_all()
        except RuntimeError as error:
            raise GradebookError(
                f"{assignment.unit}: {error}. The unit's graded cells have changed since submissions were graded: "
                f"keep the old gradebook under another name, or run `nbgrader db assignment remove {assignment.unit}`."
            ) from error
        except SQLAlchemyError as error:
            raise GradebookError(_one_line(error, self._coursedir.db_url)) from error

    def has(self, unit: str, student: str) -> bool:
        """Whether the gradebook holds a submission."""
        try:
            self._gradebook.find_submission(unit, student)
            return True
        except MissingEntry:
            return False

    def write(self, graded: Graded, notebook_name: str, handed_in: str | None) -> None:
        """Write one submission's grades in one transaction; manual points and comments stay. Raises GradebookError.

        handed_in: the text of `timestamp.txt`, where there is one
        """
        book = self._gradebook
        try:
            book.update_or_create_student(graded.student)
            timestamp = _timestamp(handed_in)
            more: dict[str, datetime] = {"timestamp": timestamp} if timestamp else {}
            submission = book.update_or_create_submission(graded.unit, graded.student, **more)
            saver = SaveAutoGrades(config=self._config)
            saver.gradebook = _OneTransaction(book)
            saver.notebook_id, saver.assignment_id, saver.student_id = notebook_name, graded.unit, graded.student
            notebook = nbformat.reads(graded.notebook, as_version=4)  # type: ignore[no-untyped-call]
            for index, cell in enumerate(notebook.cells):
                saver.preprocess_cell(cell, {}, index)
            book.db.flush()
            self._assign_penalty(submission, graded, notebook_name)
            book.db.commit()
        except SQLAlchemyError as error:
            book.db.rollback()
            raise GradebookError(_one_line(error, self._coursedir.db_url)) from error

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

    def rows(self, units: Sequence[str]) -> list[dict[str, Any]]:
        """One row a student and unit, as the gradebook has it: manual points and penalties included."""
        found = []
        for unit in units:
            try:
                assignment = self._gradebook.find_assignment(unit)
            except MissingEntry:
                continue
            for submission in sorted(assignment.submissions, key=lambda s: s.student.id):
                found.append(
                    {
                        "unit": unit,
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


class _OneTransaction:
    """A gradebook whose `db.commit()` waits: nbgrader's preprocessor commits after every cell."""

    def __init__(self, gradebook: Any) -> None:
        self._gradebook = gradebook
        self.db = _Flushing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gradebook, name)


class _Flushing:
    def commit(self) -> None:
        return


def _timestamp(text: str | None) -> datetime | None:
    """nbgrader's reading of a `timestamp.txt`; None where it says nothing that can be read."""
    if not text or not text.strip():
        return None
    try:
        found = parse_utc(text.strip())
    except (ValueError, OverflowError, TypeError):
        return None
    return found if isinstance(found, datetime) else None


def _one_line(error: BaseException, url: str) -> str:
    what = str(getattr(error, "orig", error)).splitlines()[0]
    return (
        f"the gradebook {url.removeprefix('sqlite:///')} cannot be written ({what}). Check free space and permissions of "
        "the course folder, then run the same command again: what is graded is kept."
    )
