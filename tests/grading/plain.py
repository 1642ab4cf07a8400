"""Records and rows as a class leaves them, without a class: what pages and exports are made from."""

from typing import Any

from autograder.grading.record import ExerciseGrade, Record, Row
from autograder.grading.roster import Roster
from autograder.grading.standing import HandIns, Standing, standings

UNIT = "90_small"
NOBODY = Roster()


def grade(exercise: str = "centre", *, passed: bool = True, **more: Any) -> ExerciseGrade:
    """Five points, three of them on visible cases: all or none."""
    told = {"diagnosis": None, "message": "" if passed else "it gives other numbers."} | more
    visible, hidden = (3.0, 2.0) if passed else (0.0, 0.0)
    return ExerciseGrade(exercise, visible + hidden, 5.0, visible, hidden, passed, **told)


def record(student: str = "ada", *exercises: ExerciseGrade, **more: Any) -> Record:
    named = {"unit": UNIT, "seed": 3, "assignment": "a", "submission": "s", **more}
    return Record(student, exercises=exercises or (grade(),), **named)


def row(student: str = "ada", **more: Any) -> Row:
    given = {
        "unit": UNIT,
        "last_name": "",
        "first_name": "",
        "email": "",
        "handed_in": "",
        "raw_score": 3.0,
        "late_penalty": 0.0,
        "score": 3.0,
        "max_score": 22.0,
        "needs_manual_grade": False,
    }
    return Row(student=student, **{**given, **more})


def stand(*rows: Row, roster: Roster = NOBODY, units: tuple[str, ...] = (), **known: Any) -> list[Standing]:
    """Where a class stands of which no more than this is known."""
    return standings(rows, roster, units, HandIns(**known))
