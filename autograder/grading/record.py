"""Plain data of a class: what is written down of each submission, and what the gradebook says of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Literal

import msgspec

from ..formats.rebuild import Repair


@dataclass(frozen=True)
class ExerciseGrade:
    """One exercise of a submission, over its visible and its hidden cases."""

    exercise: str
    score: float
    max_score: float
    visible: float
    """Points from the visible cases."""
    hidden: float
    passed: bool
    diagnosis: str | None
    """Short name of the known mistake or of the trouble; None where no cause is claimed."""
    message: str
    """The sentence on the first set of cases that was not passed, as the feedback page shows it."""
    seen_on: str = ""


@dataclass(frozen=True)
class Record:
    """What is written down of a graded submission, in `record.json` beside its graded notebook."""

    student: str
    unit: str
    seed: int
    assignment: str
    """The digest of what it was graded against."""
    submission: str
    """The digest of what was handed in."""
    exercises: tuple[ExerciseGrade, ...]
    repairs: tuple[Repair, ...] = ()
    incidents: tuple[str, ...] = ()
    reason: str = ""
    """Why nothing of it could be graded; empty otherwise."""
    experiments: Literal["run", "skipped"] = "skipped"
    format: Literal[1] = 1

    @property
    def score(self) -> float:
        return sum(row.score for row in self.exercises)

    @property
    def max_score(self) -> float:
        return sum(row.max_score for row in self.exercises)

    def cleaned(self) -> Record:
        """The same record; every text in it can be written to a file, half characters and all."""
        text = json.dumps(msgspec.to_builtins(self), ensure_ascii=False).encode("utf-8", "replace")
        return msgspec.convert(json.loads(text), Record)

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=1)

    @staticmethod
    def from_json(text: bytes) -> Record:
        """Raises msgspec.MsgspecError or ValueError."""
        return msgspec.json.decode(text, type=Record)


@dataclass(frozen=True)
class Entry:
    """What grading says of one cell of the gradebook."""

    cell: str
    points: float | None
    """None where a person gives them."""
    unanswered: bool
    """Whether the cell still holds what the learner was given to begin with."""
    answer: str | None = None
    """The text of a written answer."""


@dataclass(frozen=True)
class ByHand:
    """What a person has given to one cell in formgrader."""

    cell: str
    points: float | None
    """None where there is a comment alone."""
    most: float
    extra: float
    comment: str


@dataclass(frozen=True)
class Row:
    """A student's standing in one unit as the gradebook has it: manual points and penalties included."""

    unit: str
    student: str
    last_name: str
    first_name: str
    email: str
    handed_in: str
    raw_score: float
    late_penalty: float
    score: float
    max_score: float
    needs_manual_grade: bool


ROW_NAMES = tuple(field.name for field in fields(Row))


@dataclass(frozen=True)
class Failure:
    """A submission that could not be graded."""

    student: str
    unit: str
    reason: str
