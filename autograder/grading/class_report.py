"""The class report: one self-contained HTML file that says how the class stands and where it is stuck."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from .collect.listing import Collected
from .pages import render
from .record import Failure, Record
from .standing import Standing

_BINS = 5
_SHOWN_DIAGNOSES = 8
_DETAIL = re.compile(r"(?:: |(?<=late) by \d|(?<=extended) until ).*", re.DOTALL)
"""What a note says of one learner alone: how late, until when, why."""


def class_report(
    records: Sequence[Record],
    standings: Sequence[Standing],
    failed: Sequence[Failure] = (),
    collected: Mapping[str, Sequence[Collected]] | None = None,
    trouble: Sequence[str] = (),
) -> str:
    """The report as text.

    records:   what was written down of each submission
    standings: where each learner stands, manual points and penalties included, those too who handed in nothing
    failed:    submissions that could not be graded
    collected: what came of each submission when it was collected, by unit
    trouble:   what is wrong with the lists of the class
    """
    units = sorted({record.unit for record in records} | {one.unit for one in standings})
    listed = [(unit, row) for unit, rows in (collected or {}).items() for row in rows]
    return render(
        "report.html",
        records=records,
        students=len({record.student for record in records}),
        today=date.today().isoformat(),
        skipped=sum(record.experiments == "skipped" for record in records),
        units=[_unit(unit, [record for record in records if record.unit == unit], standings) for unit in units],
        shown_diagnoses=_SHOWN_DIAGNOSES,
        collected=[(unit, row) for unit, row in listed if row.note or row.late],
        trouble=trouble,
        incidents=list(_incidents(records, failed)),
    )


def _unit(name: str, records: Sequence[Record], standings: Sequence[Standing]) -> dict[str, object]:
    """What the template shows of one unit."""
    stand = {one.student: one for one in standings if one.unit == name}
    by_name = [{grade.exercise: grade for grade in record.exercises} for record in records]
    names = list(dict.fromkeys(name for grades in by_name for name in grades))  # a lesson may have changed in between
    most = records[0].max_score if records else 0.0
    graded = [
        (record.student, record, stand.get(record.student), [grades.get(name) for name in names])
        for record, grades in sorted(
            zip(records, by_name, strict=True), key=lambda pair: (pair[0].score, pair[0].student)
        )
    ]
    without = stand.keys() - {record.student for record in records}
    return {
        "name": name,
        "records": records,
        "mean": sum(record.score for record in records) / max(len(records), 1),
        "most": most,
        "seeds": sorted({str(record.seed) for record in records}),
        "distribution": list(_distribution([record.score for record in records], most)),
        "passed": [(name, sum(name in grades and grades[name].passed for grades in by_name)) for name in names],
        "stuck": _stuck(records),
        "learners": [*graded, *((student, None, stand[student], [None] * len(names)) for student in sorted(without))],
        "counts": _counts(list(stand.values())),
    }


def _counts(standings: Sequence[Standing]) -> list[tuple[str, list[str]]]:
    """Who has not handed in, who waits for a person, and the like; the most common first."""
    found: dict[str, list[str]] = {}
    for one in standings:
        for note in one.notes:
            found.setdefault(_DETAIL.sub("", note), []).append(one.student)
    return sorted(found.items(), key=lambda pair: -len(pair[1]))


def _distribution(scores: Sequence[float], most: float) -> Iterator[tuple[str, int]]:
    """How many have points in each fifth of the range."""
    places = [min(int(_BINS * score / most), _BINS - 1) if most else 0 for score in scores]
    for place in range(_BINS):
        low, high = most * place / _BINS, most * (place + 1) / _BINS
        yield f"{low:g} to {high:g}" if place == _BINS - 1 else f"{low:g} to under {high:g}", places.count(place)


def _stuck(records: Sequence[Record]) -> list[tuple[str, str, str, list[str]]]:
    """What those who failed an exercise read, most common first: exercise, diagnosis, sentence, and who they are."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for record in sorted(records, key=lambda record: record.student):
        for row in record.exercises:
            if not row.passed:
                told = row.message if row.diagnosis else "gives other numbers than expected"
                key = (row.exercise, row.diagnosis or "no known mistake", told)
                found.setdefault(key, []).append(record.student)
    return sorted(((*key, students) for key, students in found.items()), key=lambda one: -len(one[3]))


def _incidents(records: Sequence[Record], failed: Sequence[Failure]) -> Iterator[tuple[str, str, str]]:
    for failure in failed:
        yield failure.student, failure.unit, f"NOT GRADED: {failure.reason}"
    for record in records:
        for note in (*(repair.note for repair in record.repairs), *record.incidents):
            yield record.student, record.unit, note
