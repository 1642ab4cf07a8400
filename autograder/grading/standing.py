"""Where each learner stands in each unit, handed in or not: the frame of every report and export."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from .record import Row
from .roster import Extension, Learner, Roster, granted

Key = tuple[str, str]
"""A unit and a student."""


@dataclass(frozen=True)
class Standing:
    unit: str
    student: str
    """The name in `submitted/` and in the gradebook."""
    learner: Learner | None = None
    """None where the roster does not have them."""
    row: Row | None = None
    """None where nothing of theirs is graded."""
    notes: tuple[str, ...] = ()
    """What there is to know, in words: "not handed in", "written answer to grade", "excused"."""
    excused: bool = False

    @property
    def status(self) -> str:
        return "; ".join(self.notes)


@dataclass(frozen=True)
class HandIns:
    """What is known of hand-ins besides the gradebook."""

    folders: Collection[Key] = ()
    """What lies in `submitted/`."""
    refused: Mapping[Key, str] = field(default_factory=dict)
    """Why something that was handed in does not lie there."""
    marked_late: Collection[Key] = ()
    """By the platform."""
    due: Mapping[str, datetime] = field(default_factory=dict)
    extensions: Sequence[Extension] = ()


def standings(rows: Iterable[Row], roster: Roster, units: Iterable[str], handed: HandIns) -> list[Standing]:
    """One for each learner on the roster, and each other student of whom there is anything, in each unit; in order."""
    known = {(row.unit, row.student): row for row in rows}
    found = []
    for unit in sorted({*units, *(unit for unit, _ in known)}):
        students = {student for other, student in (*known, *handed.folders, *handed.refused) if other == unit}
        learners = {student: roster.of_folder(student) for student in students}
        there = {learner.id for learner in learners.values() if learner}
        learners |= {learner.id: learner for learner in roster.learners if learner.id not in there}
        found += [
            _standing(unit, student, learner, known.get((unit, student)), bool(roster.learners), handed)
            for student, learner in sorted(learners.items())
        ]
    return found


def _standing(
    unit: str, student: str, learner: Learner | None, row: Row | None, listed: bool, handed: HandIns
) -> Standing:
    given = granted(handed.extensions, learner, student, unit)
    if row and learner:
        row = replace(
            row,
            last_name=row.last_name or learner.last_name,
            first_name=row.first_name or learner.first_name,
            email=row.email or learner.email,
        )
    told = [
        *_hand_in(unit, student, row, given.excused, handed),
        *(_late(row, handed.due.get(unit), given, (unit, student) in handed.marked_late) if row else ()),
    ]
    notes = (
        *told,
        *(["excused"] if given.excused else []),
        *([f"extended until {given.until:%Y-%m-%d %H:%M %Z}"] if given.until else []),
        *([f"{_length(given.more)} of grace"] if given.more else []),
        *(["not on the roster"] if listed and learner is None else []),
    )
    return Standing(unit, student, learner, row, notes, given.excused)


def _hand_in(unit: str, student: str, row: Row | None, excused: bool, handed: HandIns) -> Iterator[str]:
    refused = handed.refused.get((unit, student))
    if refused:
        yield f"handed in, but not collected: {refused}"
    if row:
        if row.needs_manual_grade:
            yield "written answer to grade"
    elif (unit, student) in handed.folders:
        yield "not graded yet"
    elif not refused and not excused:
        yield "not handed in"


def _late(row: Row, due: datetime | None, given: Extension, marked: bool) -> Iterator[str]:
    time = datetime.fromisoformat(row.handed_in) if row.handed_in else None
    time = time.replace(tzinfo=UTC) if time and time.tzinfo is None else time
    deadline = given.deadline(due) if due else given.until
    if row.late_penalty:
        yield f"late: −{row.late_penalty:g}"
    elif time and deadline:
        if time > deadline:
            yield f"late by {_length(time - deadline)}"
    elif marked:
        yield "late, by the platform's mark"


def _length(time: timedelta) -> str:
    minutes = max(1, round(time.total_seconds() / 60))
    days, hours = divmod(minutes // 60, 24)[0], minutes // 60 % 24
    parts = ((days, "d"), (hours, "h"), (minutes % 60, "min"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)
