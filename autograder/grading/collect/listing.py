"""What came of each learner's submission when a unit was collected: `reports/collected-UNIT.csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

from ..exports import csv_text, plain_cell
from ..files import write_text

Status = Literal["collected", "repaired", "skipped", "missing"]


@dataclass(frozen=True)
class Collected:
    student: str
    """Empty where a file does not say whose it is."""
    status: Status
    file: str = ""
    """The name that it had on the platform."""
    handed_in: str = ""
    """ISO, with its zone; "" where the platform does not say."""
    late: str = ""
    """`LATE` where the platform has marked it so."""
    platform_id: str = ""
    number: int = 0
    """The platform's number of the file."""
    note: str = ""

    @property
    def in_place(self) -> bool:
        return self.status in ("collected", "repaired")


_NAMES = tuple(field.name for field in fields(Collected))


def listing_path(course: Path, unit: str) -> Path:
    return course / "reports" / f"collected-{unit}.csv"


def read_listing(course: Path, unit: str) -> list[Collected]:
    """The rows that are there; none where there is no such file, or none that can be read."""
    try:
        lines = list(csv.DictReader(io.StringIO(listing_path(course, unit).read_text(encoding="utf-8"), newline="")))
        return [
            Collected(**{name: plain_cell(line[name]) for name in _NAMES} | {"number": int(line["number"])})  # type: ignore[arg-type]
            for line in lines
        ]
    except (OSError, ValueError, KeyError, csv.Error):
        return []


def read_listings(course: Path) -> dict[str, list[Collected]]:
    """All rows, by unit."""
    paths = sorted((course / "reports").glob("collected-*.csv"))
    return {unit: read_listing(course, unit) for unit in (path.stem.removeprefix("collected-") for path in paths)}


def write_listing(course: Path, unit: str, rows: Sequence[Collected]) -> None:
    path = listing_path(course, unit)
    text = csv_text([_NAMES, *map(astuple, rows)])
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def merged(before: Iterable[Collected], new: Sequence[Collected]) -> list[Collected]:
    """Rows of an earlier collection, brought up to date: what is in place stays listed until something takes its place."""
    placed = {row.student for row in new if row.in_place}
    told = {row.student or row.file for row in new if not row.in_place}
    kept = (
        row
        for row in before
        if row.status != "missing"
        and row.student not in placed
        and (row.in_place or (row.student or row.file) not in told)
    )
    return [*kept, *new]


def with_missing(rows: Iterable[Collected], missing: Iterable[str]) -> list[Collected]:
    """Rows in order, those that need a look first, and one for each learner of whom there is nothing."""
    order = ("skipped", "repaired", "collected", "missing")
    both = (*rows, *(Collected(student, "missing") for student in missing))
    return sorted(both, key=lambda row: (order.index(row.status), row.student, row.file))
