"""The class of a course: `roster.csv`, or else the students of nbgrader's gradebook; and when each unit was due."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from .roster import (
    EXTENSIONS_FILE,
    ROSTER_FILE,
    Extension,
    Learner,
    Roster,
    RosterError,
    granted,
    read_extensions,
    read_roster,
)


def class_roster(course: Path, given: Path | None = None) -> Roster:
    """The list that was given, the course's own, or nbgrader's; empty where there is none of them. Raises RosterError."""
    own = course / ROSTER_FILE
    if given is not None or own.exists():
        return read_roster(given or own)
    return _from_gradebook(course)[0]


def due_dates(course: Path) -> dict[str, datetime]:
    """When units were due, as nbgrader's gradebook has it, with their zone. Raises RosterError."""
    return _from_gradebook(course)[1]


def more_time(course: Path) -> Callable[[str, str], Extension] | None:
    """What `extensions.csv` grants a student in a unit; None where there is no such file: then the extensions in the gradebook
    count. Raises RosterError where it cannot be read.
    """
    if not (course / EXTENSIONS_FILE).exists():
        return None
    extensions = read_extensions(course / EXTENSIONS_FILE)
    try:
        roster = class_roster(course)
    except RosterError:  # the reports say so
        roster = Roster()
    return lambda student, unit: granted(extensions, roster.of_folder(student), student, unit)


def _from_gradebook(course: Path) -> tuple[Roster, dict[str, datetime]]:
    from nbgrader.api import Gradebook
    from sqlalchemy.exc import SQLAlchemyError

    from ..authoring.nbgrader_course import nbgrader_course

    place = nbgrader_course(course)
    if place.db_url.startswith("sqlite:///") and not Path(place.db_url.removeprefix("sqlite:///")).exists():
        return Roster(), {}
    try:
        with Gradebook(place.db_url, place.course_id) as book:
            learners = tuple(
                Learner(
                    one.id,
                    one.first_name or "",
                    one.last_name or "",
                    one.email or "",
                    platform_id=one.lms_user_id or "",
                )
                for one in sorted(book.students, key=lambda one: one.id)
            )
            due = {one.name: one.duedate.replace(tzinfo=UTC) for one in book.assignments if one.duedate}
    except (SQLAlchemyError, OSError) as error:
        raise RosterError(f"the gradebook's students cannot be read ({str(error).splitlines()[0]}).") from error
    return Roster(learners), due
