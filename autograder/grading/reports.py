"""What a grading run leaves for people and other systems: CSV files, exports, the class report, feedback brought up to date."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from .class_list import class_roster, due_dates
from .class_report import class_report
from .collect.listing import Collected, read_listings
from .exports import canvas_csv, grades_csv, gradescope_results
from .feedback import with_words_of_a_person
from .files import all_records, find_submissions, shown_name, write_text
from .gradebook import GradebookWriter
from .record import ByHand, Failure, Row
from .roster import EXTENSIONS_FILE, Roster, RosterError, digest_of, read_extensions
from .standing import HandIns, standings

_Loaded = TypeVar("_Loaded")
_MAX_NAME = 200


def write_reports(course: Path, failed: Sequence[Failure] = ()) -> list[Path]:
    """Write `grades.csv`, the exports and the class report under `reports/`, over all that has been graded so far, with a
    line for each learner of the class, handed in or not.

    failed: submissions that could not be graded in this run
    """
    folder = course / "reports"
    records = all_records(course)
    with GradebookWriter(course) as book:
        rows, given = book.rows(), book.given_by_hand()
    listings = read_listings(course)
    roster, handed, trouble = _class(course, listings)
    units = {*listings, *(record.unit for record in records), *(row.unit for row in rows)}
    handed = replace(handed, folders={(one.unit, one.student) for one in find_submissions(course, sorted(units), [])})
    stand = standings(rows, roster, units, handed)
    files = {
        folder / "report.html": class_report(records, stand, failed, listings, trouble),
        folder / "grades.csv": grades_csv(stand),
        folder / "canvas.csv": canvas_csv(stand, roster),
    }
    for path, text in files.items():
        write_text(path, text)
    booked = {(row.unit, row.student): row for row in rows}
    for record in records:
        told = gradescope_results(record, booked.get((record.unit, record.student)))
        path = folder / "gradescope" / record.unit / f"{_file_stem(record.student)}.json"
        write_text(path, json.dumps(told, ensure_ascii=False, indent=1))
    for row in rows:
        _add_words_of_a_person(course, row, given.get((row.unit, row.student), []))
    return [*files, folder / "gradescope"]


def _class(course: Path, listings: Mapping[str, Sequence[Collected]]) -> tuple[Roster, HandIns, list[str]]:
    """The class and what is known of its hand-ins; and what is wrong with its lists, which keeps no report back."""
    trouble: list[str] = []

    def read(load: Callable[[], _Loaded], otherwise: _Loaded) -> _Loaded:
        try:
            return load()
        except RosterError as error:
            trouble.append(str(error))
            print(error, file=sys.stderr)
            return otherwise

    told = [(unit, shown_name(row.student), row) for unit, rows in listings.items() for row in rows if row.student]
    handed = HandIns(
        refused={(unit, student): row.note for unit, student, row in told if row.status == "skipped"},
        marked_late={(unit, student) for unit, student, row in told if row.late},
        due=read(lambda: due_dates(course), {}),
        extensions=read(lambda: read_extensions(course / EXTENSIONS_FILE), ()),
    )
    roster = read(lambda: class_roster(course), Roster())
    strangers = sorted(
        {one.student for one in handed.extensions if one.student != "*" and not roster.of_folder(one.student)}
    )
    if strangers and roster.learners:
        trouble.append(f"{EXTENSIONS_FILE} names {', '.join(strangers)}, whom the roster does not have.")
    return roster, handed, trouble


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
    return f"{student.encode()[:100].decode('utf-8', 'ignore')}-{digest_of(student)}"
