"""The class of a course: `roster.csv`, or else the students of nbgrader's gradebook; and when each unit was due."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from .roster import ROSTER_FILE, Learner, Roster, RosterError, read_roster


def class_roster(course: Path, given: Path | None = None) -> Roster:
    """The list that was given, the course's own, or nbgrader's; empty where there is none of them. Raises RosterError."""
    own = course / ROSTER_FILE
    if given is not None or own.exists():
        return read_roster(given or own)
    return _from_gradebook(course)[0]


def due_dates(course: Path) -> dict[str, datetime]:
    """When units were due, as nbgrader's gradebook has it, with their zone. Raises RosterError."""
    return _from_gradebook(course)[1]


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
