"""The class report: one self-contained HTML file that says how the class stands and where it is stuck."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from .pages import render
from .record import Failure, Record, Row

_BINS = 5
_SHOWN_DIAGNOSES = 8


@dataclass(frozen=True)
class _Stuck:
    """Learners who read the same about an exercise."""

    exercise: str
    diagnosis: str
    sentence: str
    students: list[str]


def class_report(records: Sequence[Record], rows: Sequence[Row], failed: Sequence[Failure]) -> str:
    """The report as text.

    records: what was written down of each submission
    rows:    the gradebook's rows (manual points and penalties included)
    failed:  submissions that could not be graded
    """
    units = sorted({record.unit for record in records})
    return render(
        "report.html",
        records=records,
        students=len({record.student for record in records}),
        today=date.today().isoformat(),
        skipped=sum(record.experiments == "skipped" for record in records),
        units=[_unit(unit, [record for record in records if record.unit == unit], rows) for unit in units],
        shown_diagnoses=_SHOWN_DIAGNOSES,
        incidents=list(_incidents(records, failed)),
    )


def _unit(name: str, records: Sequence[Record], rows: Sequence[Row]) -> dict[str, object]:
    """What the template shows of one unit."""
    booked = {row.student: row for row in rows if row.unit == name}
    by_name = [{grade.exercise: grade for grade in record.exercises} for record in records]
    names = list(dict.fromkeys(name for grades in by_name for name in grades))  # a lesson may have changed in between
    return {
        "name": name,
        "records": records,
        "mean": sum(record.score for record in records) / len(records),
        "most": records[0].max_score,
        "seeds": sorted({str(record.seed) for record in records}),
        "distribution": list(_distribution([record.score for record in records], records[0].max_score)),
        "passed": [(name, sum(name in grades and grades[name].passed for grades in by_name)) for name in names],
        "stuck": _stuck(records),
        "learners": [
            (record, booked.get(record.student), [grades.get(name) for name in names])
            for record, grades in sorted(
                zip(records, by_name, strict=True), key=lambda pair: (pair[0].score, pair[0].student)
            )
        ],
    }


def _distribution(scores: Sequence[float], most: float) -> Iterator[tuple[str, int]]:
    """How many have points in each fifth of the range."""
    places = [min(int(_BINS * score / most), _BINS - 1) if most else 0 for score in scores]
    for place in range(_BINS):
        low, high = most * place / _BINS, most * (place + 1) / _BINS
        yield f"{low:g} to {high:g}" if place == _BINS - 1 else f"{low:g} to under {high:g}", places.count(place)


def _stuck(records: Sequence[Record]) -> list[_Stuck]:
    """What those who failed an exercise read, most common first, and who they are."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for record in sorted(records, key=lambda record: record.student):
        for row in record.exercises:
            if not row.passed:
                told = row.message if row.diagnosis else "gives other numbers than expected"
                key = (row.exercise, row.diagnosis or "no known mistake", told)
                found.setdefault(key, []).append(record.student)
    return sorted((_Stuck(*key, students) for key, students in found.items()), key=lambda one: -len(one.students))


def _incidents(records: Sequence[Record], failed: Sequence[Failure]) -> Iterator[tuple[str, str, str]]:
    for failure in failed:
        yield failure.student, failure.unit, f"NOT GRADED: {failure.reason}"
    for record in records:
        for note in (*(repair.note for repair in record.repairs), *record.incidents):
            yield record.student, record.unit, note
