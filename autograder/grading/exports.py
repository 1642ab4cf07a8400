"""Grades in the formats of other systems, made from plain rows and records."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from typing import Any

from .record import ROW_NAMES, Record, Row

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def grades_csv(rows: Sequence[Row]) -> str:
    """One line a student and unit, from the gradebook: manual points and late penalties included."""
    return _csv([ROW_NAMES, *map(astuple, rows)])


def canvas_csv(rows: Sequence[Row]) -> str:
    """Canvas' gradebook import: one line a student, one column a unit, with a line of points possible."""
    most = {row.unit: row.max_score for row in sorted(rows, key=lambda row: row.unit)}
    students = {row.student: row for row in rows}
    scores = {(row.student, row.unit): row.score for row in rows}
    lines: list[Sequence[Any]] = [
        ("Student", "ID", "SIS User ID", "SIS Login ID", "Section", *most),
        ("    Points Possible", "", "", "", "", *most.values()),
    ]
    for student, row in sorted(students.items()):
        named = f"{row.last_name}, {row.first_name}".strip(", ") or student
        lines.append((named, "", student, student, "", *(scores.get((student, unit), "") for unit in most)))
    return _csv(lines)


def gradescope_results(record: Record) -> dict[str, Any]:
    """A `results.json` as Gradescope's autograder platform reads it."""
    return {
        "output": record.reason,
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


def _csv(lines: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([_cell(value) for value in line] for line in lines)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula or for two lines: a learner can choose a name."""
    if not isinstance(value, str):
        return value
    line = " ".join(value.splitlines()).replace("\t", " ")
    return f"'{line}" if line.lstrip().startswith(_FORMULA) else line
