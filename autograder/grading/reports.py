"""What a grading run leaves for people and other systems: CSV files, exports, the class report."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .class_report import class_report
from .feedback import with_words_of_a_person
from .files import all_records, write_text
from .gradebook import ByHand, GradebookWriter

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_MAX_NAME = 200


def write_reports(course: Path, failed: Sequence[tuple[str, str, str]] = ()) -> list[Path]:
    """Write `grades.csv`, the exports and the class report under `reports/`, over all that has been graded so far.

    failed: (student, unit, reason) of submissions that could not be graded in this run
    """
    folder = course / "reports"
    records = all_records(course)
    with GradebookWriter(course) as book:
        rows, given = book.rows(), book.given_by_hand()
    files = {
        folder / "report.html": class_report(records, rows, failed),
        folder / "grades.csv": grades_csv(rows),
        folder / "canvas.csv": canvas_csv(rows),
    }
    for path, text in files.items():
        write_text(path, text)
    for record in records:
        text = json.dumps(gradescope_results(record), ensure_ascii=False, indent=1)
        write_text(folder / "gradescope" / record["unit"] / f"{_file_stem(record['student'])}.json", text)
    for row in rows:
        _add_words_of_a_person(course, row, given.get((row["unit"], row["student"]), []))
    return [*files, folder / "gradescope"]


def _add_words_of_a_person(course: Path, row: dict[str, Any], given: Sequence[ByHand]) -> None:
    """Bring a learner's feedback page up to what formgrader holds; nbgrader's own pages have it already."""
    for path in (course / "feedback" / row["student"] / row["unit"]).glob("*.html"):
        page = path.read_text(encoding="utf-8")
        brought = with_words_of_a_person(page, given, row)
        if brought != page:
            write_text(path, brought)


def _file_stem(student: str) -> str:
    """The student's name where it leaves room for a suffix, else its beginning and a digest."""
    if len(student.encode()) <= _MAX_NAME:
        return student
    return f"{student.encode()[:100].decode('utf-8', 'ignore')}-{hashlib.sha256(student.encode()).hexdigest()[:16]}"


def grades_csv(rows: Sequence[dict[str, Any]]) -> str:
    """One line a student and unit, from the gradebook: manual points and late penalties included."""
    buffer = io.StringIO()
    names = list(rows[0]) if rows else ["unit", "student", "score", "max_score"]
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return buffer.getvalue()


def canvas_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Canvas' gradebook import: one line a student, one column a unit, with a line of points possible."""
    units = sorted({row["unit"] for row in rows})
    students: dict[str, dict[str, Any]] = {}
    for row in rows:
        students.setdefault(row["student"], {"row": row})[row["unit"]] = row
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *units])
    most = {row["unit"]: row["max_score"] for row in rows}
    writer.writerow(["    Points Possible", "", "", "", "", *(most[unit] for unit in units)])
    for student, own in sorted(students.items()):
        named = f"{own['row']['last_name']}, {own['row']['first_name']}".strip(", ") or student
        scores = [own[unit]["score"] if unit in own else "" for unit in units]
        writer.writerow([_cell(named), "", _cell(student), _cell(student), "", *scores])
    return buffer.getvalue()


def gradescope_results(record: dict[str, Any]) -> dict[str, Any]:
    """A `results.json` as Gradescope's autograder platform reads it."""
    return {
        "output": record["reason"],
        "tests": [
            {
                "name": row["exercise"],
                "score": row["score"],
                "max_score": row["max_score"],
                "output": row["message"],
                "status": "passed" if row["passed"] else "failed",
            }
            for row in record["exercises"]
        ],
    }


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula or for two lines: a learner can choose a name."""
    if not isinstance(value, str):
        return value
    line = " ".join(value.splitlines()).replace("\t", " ")
    return f"'{line}" if line.lstrip().startswith(_FORMULA) else line
