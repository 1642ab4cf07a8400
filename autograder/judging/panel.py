"""Show a verdict: a panel for the notebook, and the same words for a terminal."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..formats.language import said
from ..formats.values import Array
from .compare import Difference, number, told_apart
from .verdict import NOT_JUDGED, ProbeResult, Verdict

_MOST_ROWS, _MOST_COLUMNS = 6, 8
_EMPHASIS = re.compile(r"(?<![\w*])\*(\w(?:[^*\n]*\w)?)\*(?![\w*])")
STYLE = """<style>
.ag{--ag-ok:#1a7f37;--ag-no:#b35900;--ag-line:#8886;--ag-soft:#8882;font:14px/1.5 var(--jp-ui-font-family,system-ui,sans-serif);
color:var(--jp-ui-font-color1,inherit);border:1px solid var(--ag-line);border-left:4px solid var(--ag-no);border-radius:4px;
padding:.6em .9em;max-width:52em;overflow-wrap:anywhere}
.ag.ok{border-left-color:var(--ag-ok)}
.ag p{margin:.35em 0}.ag ul{margin:.35em 0;padding-left:1.2em;list-style:none}.ag li{margin:0}
.ag .head{font-weight:600}.ag .quiet{opacity:.75}
.ag table{border-collapse:collapse;margin:.2em 0;font:12px/1.4 var(--jp-code-font-family,monospace)}
.ag td{padding:.15em .45em;border:1px solid var(--ag-line);text-align:right;background:none}
.ag .sides td{white-space:nowrap;overflow-wrap:normal}.ag .sides>div{max-width:100%;overflow-x:auto}
.ag tr.words td,.ag th{text-align:left;padding:.15em .45em}
.ag table.wide{font:inherit}.ag table.wide th,.ag table.wide td{border:1px solid var(--ag-line);background:none}
.ag td.first{outline:2px solid var(--ag-no);outline-offset:-2px;font-weight:700}
.ag .sides{display:flex;flex-wrap:wrap;gap:.4em 1.6em;overflow-x:auto}.ag summary{cursor:pointer}
.ag code{background:var(--ag-soft);padding:0 .25em;border-radius:3px;color:inherit}
</style>"""


def headline(verdict: Verdict) -> str:
    mark = said("✓ passed" if verdict.passed else "◐ in part" if verdict.score else "✗ not yet")
    if verdict.diagnosis == NOT_JUDGED:
        mark = said("– not judged")
    points = f"{verdict.score:g} of {verdict.max_score:g} points"
    return f"{mark} · {verdict.exercise} · " + said(
        f"{points} (hidden cases)" if verdict.hidden else f"{points} (visible cases)"
    )


def promise(verdict: Verdict) -> str:
    """What a passed public check does not promise."""
    if verdict.hidden or not verdict.points_elsewhere:
        return ""
    return said(
        f"{verdict.points_elsewhere:g} more points are decided when your notebook is graded, on cases drawn anew: "
        "a passed check makes them likely, it does not promise them."
    )


def as_text(verdict: Verdict) -> str:
    """The verdict for a terminal, an export or a screen without HTML."""
    verdict = _translated(verdict)
    lines = [headline(verdict)]
    if not verdict.passed:
        lines.append(f"  {verdict.message}")
        if verdict.label:
            lines.append(f"  {_seen_on(verdict)}")
        if verdict.difference is not None:
            lines += [f"  {line}" for line in _text_difference(verdict.difference)]
    lines += [
        f"  {given} → {seen}{'' if seen == right else '   ' + said(f'(expected: {right})')}"
        for given, right, seen in verdict.examples
    ]
    lines += [f"  {_mark(result)} {result.title}" for result in verdict.results]
    lines += [f"  {_note(note)}" for note in verdict.notes]
    if verdict.passed and promise(verdict):
        lines.append(f"  {promise(verdict)}")
    return "\n".join(lines)


def as_html(verdict: Verdict) -> str:
    """The verdict as a panel that reads well in light and dark themes and to a screen reader."""
    verdict = _translated(verdict)
    parts = [f'<p class="head">{inline(headline(verdict))}</p>']
    if not verdict.passed:
        parts.append(f"<p>{inline(verdict.message)}</p>")
        if verdict.label:
            parts.append(f'<p class="quiet">{inline(_seen_on(verdict))}</p>')
        if verdict.difference is not None:
            parts.append(_html_difference(verdict.difference))
    if verdict.examples:
        parts.append(_examples(verdict.examples))
    if verdict.results and not verdict.passed:
        items = "".join(f"<li>{_spoken_mark(result)} {inline(result.title)}</li>" for result in verdict.results)
        parts.append(f"<ul>{items}</ul>")
    parts += [f'<p class="quiet">{inline(_note(note))}</p>' for note in verdict.notes]
    if verdict.passed and promise(verdict):
        parts.append(f'<p class="quiet">{html.escape(promise(verdict))}</p>')
    if not verdict.passed and verdict.hints and not verdict.hidden:
        parts.append(folded_hints(verdict.hints))
    state = " ok" if verdict.passed else ""
    # A message may quote a learner's code: no formula of theirs, which can hold links, is typeset on a grader's page.
    return f'{STYLE}<div class="ag{state} tex2jax_ignore mathjax_ignore" role="status">{"".join(parts)}</div>'


def _translated(verdict: Verdict) -> Verdict:
    """The verdict in the language that is spoken: it was made, and is kept, in English."""

    def told(text: str) -> str:
        return said(text, verdict.unit)

    return replace(
        verdict,
        message=told(verdict.message),
        label=told(verdict.label),
        results=tuple(replace(result, title=told(result.title)) for result in verdict.results),
        notes=tuple(map(told, verdict.notes)),
        hints=tuple(map(told, verdict.hints)),
    )


def _seen_on(verdict: Verdict) -> str:
    return said(f"Seen on: {verdict.label}.")


def _note(note: str) -> str:
    return said(f"Note: {note}")


def display(bundle: dict[str, str]) -> None:
    """Show a bundle in a notebook, or print its plain text elsewhere."""
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        from IPython.display import display as show

        show(bundle, raw=True)
    else:
        print(bundle["text/plain"])


def _examples(rows: Sequence[tuple[str, str, str]]) -> str:
    names = [said("given"), said("expected"), said("yours")]
    head = f"<tr>{''.join(f'<th>{name}</th>' for name in names)}<th></th></tr>"
    body = "".join(
        f'<tr class="words"><td>{html.escape(given)}</td><td>{html.escape(right)}</td><td>{html.escape(seen)}</td>'
        f"<td>{'✓' if seen == right else '✗'}</td></tr>"
        for given, right, seen in rows
    )
    return f'<table aria-label="{", ".join(names)}">{head}{body}</table>'


def folded_hints(hints: Sequence[str]) -> str:
    """Hints one inside the other: opening one shows it and the fold of the next."""
    inner = ""
    for position in range(len(hints), 0, -1):
        title = said(f"Hint {position} of {len(hints)} (costs nothing)")
        inner = f"<details><summary>{title}</summary><p>{inline(hints[position - 1])}</p>{inner}</details>"
    return inner


def _mark(result: ProbeResult) -> str:
    return {True: "✓", False: "✗", None: "–"}[result.passed]


def _spoken_mark(result: ProbeResult) -> str:
    """The sign, and the word that a screen reader says for it."""
    word = said({True: "holds:", False: "does not hold:", None: "not reached:"}[result.passed])
    return f'<span role="img" aria-label="{word}">{_mark(result)}</span>'


def inline(text: str) -> str:
    """A sentence as HTML, escaped, with `backticks` as code and *asterisks* as emphasis."""
    pieces = html.escape(text).split("`")
    if len(pieces) % 2 == 0:
        return html.escape(text)
    return "".join(
        f"<code>{piece}</code>" if i % 2 else _EMPHASIS.sub(r"<em>\1</em>", piece) for i, piece in enumerate(pieces)
    )


def _plane(difference: Difference, data: Array) -> tuple[Array, tuple[int, ...], str]:
    """The two-dimensional slice that holds the first difference, cut to a size that can be read."""
    index = difference.index or (0,) * data.ndim
    leading = index[:-2] if data.ndim > 2 else ()
    plane = np.atleast_2d(data[leading]) if data.size else np.zeros((1, 0))
    row, column = ((0, *index)[-2:]) if data.ndim else (0, 0)
    top = max(0, min(row - 1, plane.shape[0] - _MOST_ROWS))
    left = max(0, min(column - 1, plane.shape[1] - _MOST_COLUMNS))
    shown = plane[top : top + _MOST_ROWS, left : left + _MOST_COLUMNS]
    cut = f"{list(leading)}" if leading else ""
    if shown.shape != plane.shape:
        rows, columns = f"{top}–{top + shown.shape[0] - 1}", f"{left}–{left + shown.shape[1] - 1}"
        cut += " " + said(f"rows {rows}, columns {columns}")
    return shown, (row - top, column - left), cut


def _sides(difference: Difference) -> list[tuple[str, Array]]:
    sides = [("yours", difference.seen), ("expected", difference.expected)]
    return [(title, data) for title, data in sides if data is not None and data.size and data.ndim]


def _text_difference(difference: Difference) -> list[str]:
    lines = []
    for title, data in _sides(difference):
        shown, first, cut = _plane(difference, data)
        lines.append(f"{_caption(difference, cut, title, data)}:")
        for r, row in enumerate(shown):
            cells = [
                f"{'>' if (r, c) == first and difference.index else ' '}{_shown(difference, title, value, (r, c) == first):>9}"
                for c, value in enumerate(row)
            ]
            lines.append("  " + " ".join(cells))
    return lines


def _caption(difference: Difference, cut: str, title: str, data: Array) -> str:
    place = f"{said(difference.place or 'output')}{cut}"
    return said(f"{place}, yours, shape {data.shape}" if title == "yours" else f"{place}, expected, shape {data.shape}")


def _html_difference(difference: Difference) -> str:
    sides = _sides(difference)
    if not sides:
        return ""
    finite = [data[np.isfinite(data)] for _, data in sides if data.dtype.kind == "f"]
    scale = max((float(np.abs(values).max()) for values in finite if values.size), default=1.0) or 1.0
    marked = bool(difference.index)
    tables = []
    for title, data in sides:
        shown, first, cut = _plane(difference, data)
        rows = "".join(
            "<tr>"
            + "".join(
                _html_cell(value, _shown(difference, title, value, (r, c) == first), scale, marked and (r, c) == first)
                for c, value in enumerate(row)
            )
            + "</tr>"
            for r, row in enumerate(shown)
        )
        caption = html.escape(_caption(difference, cut, title, data))
        tables.append(f'<div><span class="quiet">{caption}</span><table aria-label="{caption}">{rows}</table></div>')
    note = ""
    if marked:
        place = ", ".join(map(str, difference.index))
        note = f'<p class="quiet">{said(f"The first entry that differs is framed: [{place}].")}</p>'
    return f'<div class="sides">{"".join(tables)}</div>{note}'


def _shown(difference: Difference, title: str, value: Any, is_first: bool) -> str:
    """A number of a table; the one that differs with as many digits as it takes to see that it does."""
    seen, expected = difference.seen, difference.expected
    if not is_first or not difference.index or seen is None or expected is None or seen.shape != expected.shape:
        return number(value)
    yours, wanted = told_apart(seen[difference.index], expected[difference.index])
    return yours if title == "yours" else wanted


def _html_cell(value: float, shown: str, scale: float, first: bool) -> str:
    share = min(1.0, abs(float(value)) / scale) if np.isfinite(value) else 0.0
    colour = "9,105,218" if float(value) >= 0 else "207,34,46"
    mark = ' class="first"' if first else ""
    return f'<td{mark} style="background:rgba({colour},{0.35 * share:.2f})">{shown}</td>'
