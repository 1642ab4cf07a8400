"""Small result tables: aligned in a terminal, Markdown in a notebook."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_MARKDOWN_SPECIAL = "\\|*_`<>$~[]#"


def display_width(text: str) -> int:
    """Columns that `text` takes in a fixed-width terminal: a Chinese character takes two, an accent none."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def table(
    rows: Sequence[Sequence[object]] | Sequence[Mapping[str, object]],
    columns: Sequence[str] | None = None,
) -> Table:
    """A table of results: `print` it for aligned text, or leave it last in a cell for Markdown.

    rows:    sequences in the order of `columns`, or mappings from a column's name to its value
    columns: the headings; may be left out where the rows are mappings (then the order of first appearance)

    Floats keep four significant digits, `None` and a missing key show as a dash. Raises ValueError where a
    row has another number of cells than there are columns.
    """
    if columns is None:
        if not all(isinstance(row, Mapping) for row in rows):
            raise ValueError("table(rows, columns): rows that are no mappings need column names")
        columns = list(dict.fromkeys(str(name) for row in rows for name in row))
    cells: list[tuple[object, ...]] = []
    for number, row in enumerate(rows, start=1):
        values = tuple(row.get(name) for name in columns) if isinstance(row, Mapping) else tuple(row)
        if len(values) != len(columns):
            raise ValueError(f"table: row {number} has {len(values)} cells for {len(columns)} columns")
        cells.append(values)
    return Table(tuple(columns), tuple(cells))


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float) and not isinstance(value, bool):
        text = f"{value:.4g}"
        # 12350.0 would become 1.235e+04, which nobody reads at a glance.
        return f"{value:,.0f}" if "e+" in text and abs(value) < 1e12 else text
    return " ".join(str(value).split())


def _escaped(text: str) -> str:
    return "".join("\\" + character if character in _MARKDOWN_SPECIAL else character for character in text)


def _padded(text: str, width: int, right: bool) -> str:
    padding = " " * (width - display_width(text))
    return padding + text if right else text + padding


@dataclass(frozen=True)
class Table:
    """Headings and rows; `str()` is aligned text, a notebook shows Markdown."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def _numeric(self, column: int) -> bool:
        values = [row[column] for row in self.rows if row[column] is not None]
        return bool(values) and all(hasattr(value, "__float__") and not isinstance(value, str) for value in values)

    def _lines(self, cells: list[list[str]], edge: str, rule: str) -> list[str]:
        widths = [max(3, *(display_width(row[column]) for row in cells)) for column in range(len(self.columns))]
        right = [self._numeric(column) for column in range(len(self.columns))]
        lines = [
            edge + edge.join(f" {_padded(*part)} " for part in zip(row, widths, right, strict=True)) + edge
            for row in cells
        ]
        if rule == "markdown":
            marks = ["-" * (width + 1) + (":" if end else "-") for width, end in zip(widths, right, strict=True)]
        else:
            marks = ["─" * (width + 2) for width in widths]
        return [lines[0], edge + edge.join(marks) + edge, *lines[1:]]

    def __str__(self) -> str:
        if not self.columns:
            return ""
        cells = [
            [_cell(name) for name in self.columns],
            *([_cell(value) for value in row] for row in self.rows),
        ]
        return "\n".join(line.rstrip() for line in self._lines(cells, "", "text"))

    def markdown(self) -> str:
        """The table as Markdown; whatever Markdown or HTML the cells hold is shown as plain characters."""
        if not self.columns:
            return ""
        cells = [
            [_escaped(_cell(name)) for name in self.columns],
            *([_escaped(_cell(value)) for value in row] for row in self.rows),
        ]
        return "\n".join(self._lines(cells, "|", "markdown"))

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def __repr__(self) -> str:
        return str(self)
