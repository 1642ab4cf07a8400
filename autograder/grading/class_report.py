"""The class report: one self-contained HTML file that says how the class stands and where it is stuck."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import date
from typing import Any

Record = dict[str, Any]

_BINS = 5
_SHOWN_DIAGNOSES = 8
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Class report</title><style>
:root{{color-scheme:light dark;--bar:#2563eb;--soft:#8882;--line:#8886;--ok:#1a7f37;--no:#b35900}}
*{{box-sizing:border-box}}
body{{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:1.2em auto;padding:0 .9em}}
h1{{font-size:1.45em}}h2{{font-size:1.2em;margin:2em 0 .4em;border-top:1px solid var(--line);padding-top:1em}}
h3{{font-size:1em;margin:1.4em 0 .3em}}
.wide{{overflow-x:auto}}table{{border-collapse:collapse;font-size:.92em}}
th,td{{padding:.25em .6em;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}}
td.n,th.n{{text-align:right;font-variant-numeric:tabular-nums}}
.bar{{display:flex;align-items:center;gap:.5em;margin:.15em 0}}
.bar span:first-child{{flex:0 0 9.5em;overflow-wrap:anywhere}}.bar .track{{flex:1;background:var(--soft);min-width:3em}}
.bar .fill{{display:block;height:1.05em;background:var(--bar)}}.bar .told{{flex:0 0 6.5em;font-size:.9em}}
.learners td,.learners th{{white-space:nowrap;max-width:16em;overflow:hidden;text-overflow:ellipsis}}
.stuck{{border-left:4px solid var(--line);padding:.1em .8em;margin:.7em 0}}.stuck p{{margin:.25em 0;overflow-wrap:anywhere}}
code{{background:var(--soft);padding:0 .25em;border-radius:3px}}
.ok{{color:var(--ok)}}.no{{color:var(--no)}}.quiet{{opacity:.75}}
</style></head><body>
<h1>Class report</h1>
<p>{overview}</p>
{units}
{incidents}
</body></html>
"""


def class_report(
    records: Sequence[Record], rows: Sequence[dict[str, Any]], failed: Sequence[tuple[str, str, str]]
) -> str:
    """The report as text.

    records: what was written down of each submission
    rows:    the gradebook's rows (manual points and penalties included)
    failed:  (student, unit, reason) of submissions that could not be graded
    """
    students = {record["student"] for record in records}
    overview = (
        f"{len(records)} submissions of {len(students)} learners, {date.today().isoformat()}. "
        "Points in the bars are those of the checks; written answers and late penalties are in the table of each unit. "
        f"{_experiments(records)}"
    )
    units = sorted({record["unit"] for record in records})
    return _PAGE.format(
        overview=overview,
        units="".join(_unit(unit, [r for r in records if r["unit"] == unit], rows) for unit in units),
        incidents=_incidents(records, failed),
    )


def _experiments(records: Sequence[Record]) -> str:
    skipped = sum(record.get("experiments", "skipped") == "skipped" for record in records)
    if not skipped:
        return "The notebooks' experiments were run."
    whose = "" if skipped == len(records) else f" of {skipped} submissions"
    return f"The notebooks' experiments{whose} were not run: no points depend on them."


def _unit(unit: str, records: Sequence[Record], rows: Sequence[dict[str, Any]]) -> str:
    most = sum(row["max_score"] for row in records[0]["exercises"])
    scores = [sum(row["score"] for row in record["exercises"]) for record in records]
    return (
        f"<h2>{_text(unit)}</h2>"
        f"<p>{len(records)} submissions, {sum(scores) / len(scores):.1f} of {most:g} points on average. "
        f"Seed of the hidden cases: {_text(', '.join(sorted({str(r['seed']) for r in records})))}.</p>"
        f"<h3>Points from the checks</h3>{_distribution(scores, most)}"
        f"<h3>Who passed what</h3>{_exercises(records)}"
        f"<h3>Most common diagnoses</h3>{_diagnoses(records)}"
        f"<h3>Where each learner stands</h3>{_learners(unit, records, rows)}"
    )


def _distribution(scores: Sequence[float], most: float) -> str:
    counts = [0] * _BINS
    for score in scores:
        counts[min(int(_BINS * score / most), _BINS - 1) if most else 0] += 1
    bars = []
    for i, count in enumerate(counts):
        low, high = most * i / _BINS, most * (i + 1) / _BINS
        name = f"{low:g} to {high:g}" if i == _BINS - 1 else f"{low:g} to under {high:g}"
        bars.append(_bar(name, count, len(scores), f"{count} ({_share(count, len(scores))})"))
    return "".join(bars)


def _exercises(records: Sequence[Record]) -> str:
    bars = []
    for position, row in enumerate(records[0]["exercises"]):
        passed = sum(record["exercises"][position]["passed"] for record in records)
        bars.append(_bar(row["exercise"], passed, len(records), f"{passed} ({_share(passed, len(records))})"))
    return "".join(bars)


def _diagnoses(records: Sequence[Record]) -> str:
    """What most of those who failed an exercise read, and who they are."""
    stuck: dict[tuple[str, str, str], list[str]] = {}
    for record in records:
        for row in record["exercises"]:
            if not row["passed"]:
                named = row["diagnosis"] or "no known mistake"
                told = row["message"] if row["diagnosis"] else "gives other numbers than expected"
                stuck.setdefault((row["exercise"], named, told), []).append(record["student"])
    if not stuck:
        return "<p>Everybody passed everything.</p>"
    most_first = sorted(stuck.items(), key=lambda one: -len(one[1]))
    blocks = [
        f'<div class="stuck"><p><strong>{len(who)} ({_share(len(who), len(records))})</strong> · {_text(exercise)} · '
        f"{_text(_short(named, 60))}</p><p>{_code(_short(told, 300))}</p>"
        f"<details><summary>who</summary><p>{_text(', '.join(sorted(who)))}</p></details></div>"
        for (exercise, named, told), who in most_first
    ]
    first, rest = "".join(blocks[:_SHOWN_DIAGNOSES]), "".join(blocks[_SHOWN_DIAGNOSES:])
    if rest:
        first += f"<details><summary>{len(blocks) - _SHOWN_DIAGNOSES} more, less common</summary>{rest}</details>"
    return first


def _learners(unit: str, records: Sequence[Record], rows: Sequence[dict[str, Any]]) -> str:
    booked = {row["student"]: row for row in rows if row["unit"] == unit}
    names = [row["exercise"] for row in records[0]["exercises"]]
    columns = "".join(f"<th>{_text(name)}</th>" for name in names)
    head = f"<tr><th>learner</th><th class=n>points</th>{columns}<th></th></tr>"
    lines = []
    for record in sorted(records, key=lambda one: (sum(row["score"] for row in one["exercises"]), one["student"])):
        marks = "".join(
            '<td class="ok">✓</td>'
            if row["passed"]
            else f'<td class="no">✗ {_text(_short(row["diagnosis"] or "", 40))}</td>'
            for row in record["exercises"]
        )
        row = booked.get(record["student"])
        points = f"{row['score']:g} of {row['max_score']:g}" if row else ""
        aside = []
        if row and row["needs_manual_grade"]:
            aside.append("written answer to grade")
        if row and row["late_penalty"]:
            aside.append(f"late: −{row['late_penalty']:g}")
        if record["reason"]:
            aside.append(record["reason"])
        lines.append(
            f"<tr><td>{_text(record['student'])}</td><td class=n>{points}</td>{marks}<td>{_text('; '.join(aside))}</td></tr>"
        )
    return f'<div class="wide"><table class="learners">{head}{"".join(lines)}</table></div>'


def _incidents(records: Sequence[Record], failed: Sequence[tuple[str, str, str]]) -> str:
    lines = [(student, unit, f"NOT GRADED: {reason}") for student, unit, reason in failed]
    for record in records:
        notes = [repair["note"] for repair in record["repairs"]] + list(record["incidents"])
        lines += [(record["student"], record["unit"], note) for note in notes]
    if not lines:
        return "<h2>Incidents</h2><p>None: no notebook had to be mended and every submission ran to its end.</p>"
    body = "".join(
        f"<tr><td>{_text(student)}</td><td>{_text(unit)}</td><td>{_text(note)}</td></tr>"
        for student, unit, note in lines
    )
    head = "<tr><th>learner</th><th>unit</th><th>what was mended or happened</th></tr>"
    return f'<h2>Incidents</h2><div class="wide"><table>{head}{body}</table></div>'


def _bar(name: str, count: int, total: int, told: str) -> str:
    width = 100 * count / total if total else 0
    return (
        f'<div class="bar"><span>{_text(name)}</span><span class="track"><span class="fill" style="width:{width:.1f}%">'
        f'</span></span><span class="told">{_text(told)}</span></div>'
    )


def _share(count: int, total: int) -> str:
    return f"{round(100 * count / total)} %" if total else "–"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} …"


def _code(text: str) -> str:
    """Escaped text with `backticks` as code."""
    pieces = html.escape(text).split("`")
    if len(pieces) % 2 == 0:
        return html.escape(text)
    return "".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces))


def _text(value: str) -> str:
    return html.escape(value)
