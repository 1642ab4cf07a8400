"""What a grading run leaves for people and other systems: CSV files, exports, the class report, feedback brought up to date."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from .class_report import class_report
from .exports import canvas_csv, grades_csv, gradescope_results
from .feedback import with_words_of_a_person
from .files import all_records, write_text
from .gradebook import GradebookWriter
from .record import ByHand, Failure, Row

_MAX_NAME = 200


def write_reports(course: Path, failed: Sequence[Failure] = ()) -> list[Path]:
    """Write `grades.csv`, the exports and the class report under `reports/`, over all that has been graded so far.

    failed: submissions that could not be graded in this run
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
        write_text(folder / "gradescope" / record.unit / f"{_file_stem(record.student)}.json", text)
    for row in rows:
        _add_words_of_a_person(course, row, given.get((row.unit, row.student), []))
    return [*files, folder / "gradescope"]


def _add_words_of_a_person(course: Path, row: Row, given: Sequence[ByHand]) -> None:
    """Bring a learner's feedback page up to what formgrader holds; nbgrader's own pages have it already."""
    for path in (course / "feedback" / row.student / row.unit).glob("*.html"):
        before = path.read_text(encoding="utf-8")
        page = with_words_of_a_person(before, given, row)
        if page != before:
            write_text(path, page)


def _file_stem(student: str) -> str:
    """The student's name where it leaves room for a suffix, else its beginning and a digest."""
    if len(student.encode()) <= _MAX_NAME:
        return student
    return f"{student.encode()[:100].decode('utf-8', 'ignore')}-{hashlib.sha256(student.encode()).hexdigest()[:16]}"
