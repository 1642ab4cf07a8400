"""A learner's feedback page: one self-contained HTML file with the sentences, pictures and points of one notebook."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import nbformat

from ..formats.notebook_file import part_of
from .assignment import Assignment
from .grade_one import Graded

if TYPE_CHECKING:  # a worker writes the page, and has no use for the gradebook
    from .gradebook import ByHand

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title><style>
:root{{color-scheme:light dark}}
body{{font:16px/1.55 system-ui,sans-serif;max-width:56em;margin:1.5em auto;padding:0 1em}}
h1{{font-size:1.4em}}h2{{font-size:1.1em;margin-top:2em}}table{{border-collapse:collapse}}
th,td{{border:1px solid #8886;padding:.3em .6em;text-align:left}}td:first-child{{overflow-wrap:anywhere}}
@media(max-width:30em){{body{{margin-top:.8em}}table{{font-size:.85em}}th,td{{padding:.25em .35em}}}}
td.n{{text-align:right}}
pre{{background:#8881;padding:.7em;overflow-x:auto;font-size:13px}}img{{max-width:100%;background:#fff}}
.note{{border-left:4px solid #8888;padding:.1em .9em}}
</style></head><body>
<h1>{title}</h1>
<p><strong>{score:g} of {most:g} points</strong> from the checks.{manual}</p>
<table><tr><th>exercise</th><th>visible</th><th>hidden</th><th>points</th></tr>{rows}</table>
{notes}
<!--from a person--><!--/from a person-->
{body}
</body></html>
"""
_FROM_A_PERSON = re.compile(r"<!--from a person-->.*?<!--/from a person-->", re.DOTALL)


def feedback_page(assignment: Assignment, graded: Graded) -> str:
    """The page as text. It loads nothing and runs nothing; hidden cases show as sentences only."""
    record = graded.record
    notebook = nbformat.v4.reads(graded.notebook)
    rows = "".join(
        f"<tr><td>{'✓' if row['passed'] else '✗'} {html.escape(row['exercise'])}</td><td class=n>{row['visible']:g}</td>"
        f"<td class=n>{row['hidden']:g}</td><td class=n>{row['score']:g} of {row['max_score']:g}</td></tr>"
        for row in record["exercises"]
    )
    written = any(part_of(cell) == "answer" for cell in notebook.cells)
    sentences = [record["reason"]] if record["reason"] else []
    sentences += [repair["sentence"] for repair in record["repairs"] if repair["sentence"]]
    notes = "".join(f'<p class="note">{html.escape(sentence)}</p>' for sentence in sentences)
    return _PAGE.format(
        title=html.escape(f"{assignment.visible.title} — {graded.student}"),
        score=graded.score,
        most=sum(row["max_score"] for row in record["exercises"]),
        manual=" Written answers are graded by a person and come on top." if written else "",
        rows=rows,
        notes=notes,
        body="".join(_cell(cell) for cell in notebook.cells),
    )


def with_words_of_a_person(page: str, given: Sequence[ByHand], row: Mapping[str, Any]) -> str:
    """The page with what formgrader holds by now: points and comments given by hand, a late penalty, the sum.

    row: the submission's line of the gradebook
    """
    late = float(row["late_penalty"] or 0)
    text = ""
    if given or late:
        lines = "".join(
            f"<tr><td>{html.escape(one.cell)}</td><td class=n>{_points(one)}</td><td>{html.escape(one.comment)}</td></tr>"
            for one in sorted(given, key=lambda one: one.cell)
        )
        text = "<h2>From your instructor</h2>"
        text += f"<table><tr><th>cell</th><th>points</th><th>comment</th></tr>{lines}</table>" if given else ""
        text += f'<p class="note">Handed in late: {late:g} points less.</p>' if late else ""
        more = " Not all of your answers have been read yet." if row["needs_manual_grade"] else ""
        text += f"<p><strong>In all {row['score']:g} of {row['max_score']:g} points.</strong>{more}</p>"
    section = f"<!--from a person-->{text}<!--/from a person-->"
    return _FROM_A_PERSON.sub(lambda found: section, page, count=1)


def _points(one: ByHand) -> str:
    extra = f" + {one.extra:g}" if one.extra else ""
    return extra.strip() if one.points is None else f"{one.points:g} of {one.most:g}{extra}"


def _cell(cell: nbformat.NotebookNode) -> str:
    """A learner's answer and its outputs, and the verdicts; the course's own text is not repeated."""
    part = part_of(cell)
    if cell.cell_type == "markdown":
        return f"<h2>Your answer</h2><pre>{html.escape(cell.source)}</pre>" if part == "answer" else ""
    if part in ("check", "hidden"):
        return "".join(
            _output(output, trusted=True) for output in cell.outputs if output.output_type != "execute_result"
        )
    if part == "solution":
        name = html.escape(cell.metadata["autograder"]["exercise"])
        shown = "".join(_output(output, trusted=False) for output in cell.outputs)
        return f"<h2>{name}</h2><details><summary>Your code</summary><pre>{html.escape(cell.source)}</pre></details>{shown}"
    if part == "own":
        shown = "".join(_output(output, trusted=False) for output in cell.outputs)
        return f"<details><summary>A cell of your own</summary><pre>{html.escape(cell.source)}</pre>{shown}</details>"
    return ""


def _output(output: nbformat.NotebookNode, *, trusted: bool) -> str:
    if output.output_type == "stream":
        return f"<pre>{html.escape(output.text)}</pre>"
    if output.output_type == "error":
        return f"<pre>{html.escape(chr(10).join(output.traceback))}</pre>"
    data = output.get("data", {})
    if trusted and "text/html" in data:
        return str(data["text/html"])
    if "image/png" in data:
        return f'<img alt="a figure of your notebook" src="data:image/png;base64,{html.escape(data["image/png"])}">'
    return f"<pre>{html.escape(data['text/plain'])}</pre>" if "text/plain" in data else ""
