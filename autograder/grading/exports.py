"""Grades in the formats of other systems, made from plain rows and records."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from typing import Any

from .record import ROW_NAMES, Record, Row
from .roster import Learner, Roster, squashed
from .standing import Standing

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def grades_csv(standings: Sequence[Standing]) -> str:
    """One line a student and unit, from the gradebook: manual points and late penalties included. Who has no points has
    a line without, and `status` says why.
    """
    return csv_text([(*ROW_NAMES, "status"), *map(_grades_line, standings)])


def _grades_line(standing: Standing) -> Sequence[Any]:
    if standing.row:
        return *astuple(standing.row), standing.status
    learner = standing.learner or Learner(standing.student)
    known = {
        "unit": standing.unit,
        "student": standing.student,
        "last_name": learner.last_name,
        "first_name": learner.first_name,
        "email": learner.email,
    }
    return *(known.get(name, "") for name in ROW_NAMES), standing.status


def canvas_csv(standings: Sequence[Standing], roster: Roster) -> str:
    """Canvas' gradebook import: one line a student, one column a unit, with a line of points possible.

    Where the roster is Canvas' own export, its lines and ids, so that each finds its learner. `EX` is Canvas' word for
    excused; an empty cell leaves what Canvas has.
    """
    rows = [standing.row for standing in standings if standing.row]
    most = {row.unit: row.max_score for row in sorted(rows, key=lambda row: row.unit)}
    cells: dict[tuple[str, str], float | str] = {}
    for one in standings:
        if one.excused or one.row:
            student = one.learner.id if one.learner else one.student
            cells[student, one.unit] = "EX" if one.excused or one.row is None else one.row.score
    head = roster.canvas_head or ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
    lines: list[Sequence[Any]] = [
        (*head, *(_canvas_column(unit, roster.canvas_units) for unit in most)),
        ("    Points Possible", *[""] * (len(head) - 1), *most.values()),
    ]
    for student, named in _canvas_students(standings, roster):
        lines.append((*named, *(cells.get((student, unit), "") for unit in most)))
    return csv_text(lines)


def _canvas_students(standings: Sequence[Standing], roster: Roster) -> Iterable[tuple[str, Sequence[str]]]:
    """Each student, and the cells that tell Canvas who it is."""
    if roster.canvas_head:
        return [(learner.id, learner.canvas) for learner in roster.learners]
    students = {(one.learner.id if one.learner else one.student): one for one in standings}
    return [(student, _canvas_named(student, one)) for student, one in sorted(students.items())]


def _canvas_named(student: str, one: Standing) -> Sequence[str]:
    learner = one.learner or Learner(student)
    first, last = (one.row.first_name, one.row.last_name) if one.row else (learner.first_name, learner.last_name)
    named = f"{last}, {first}".strip(", ") or student
    return named, learner.platform_id, learner.sis_id or student, learner.login or student, ""


def _canvas_column(unit: str, columns: Sequence[str]) -> str:
    """The column of Canvas' export that a unit's points belong to, `02 Attention scores (4711)`; a new one where none does."""
    same = [
        name
        for name in columns
        if squashed(re.sub(r"\(\d+\)$", "", name.strip())) in (squashed(unit), squashed(unit[3:]))
    ]
    return same[0] if len(same) == 1 else unit


def gradescope_results(record: Record, row: Row | None = None) -> dict[str, Any]:
    """A `results.json` as Gradescope's autograder platform reads it.

    row: the gradebook's, whose points count: manual points and penalties included
    """
    told = [record.reason]
    if row and abs(row.raw_score - record.score) > 1e-9:
        told.append(f"{row.raw_score - record.score:+g} points given by a person.")
    if row and row.late_penalty:
        told.append(f"Handed in late: {row.late_penalty:g} points deducted.")
    if row and row.needs_manual_grade:
        told.append("Written answers are still to be graded.")
    return {
        **({"score": row.score} if row else {}),
        "output": "\n".join(line for line in told if line),
        "tests": [
            {
                "name": row.exercise,
                "score": row.score,
                "max_score": row.max_score,
                "output": row.message,
                "status": "passed" if row.passed else "failed",
            }
            for row in record.exercises
        ],
    }


def csv_text(lines: Iterable[Sequence[Any]]) -> str:
    """Lines as CSV in which no cell is a formula or more than one line."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([_cell(value) for value in line] for line in lines)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula or for two lines: a learner can choose a name."""
    if not isinstance(value, str):
        return value
    line = " ".join(value.splitlines()).replace("\t", " ")
    return f"'{line}" if line.lstrip().startswith(_FORMULA) else line


def plain_cell(text: str) -> str:
    """A cell of `csv_text` as it was before it could be taken for a formula."""
    return text[1:] if text.startswith("'") and text[1:].lstrip().startswith(_FORMULA) else text
