"""Boxes and arrows: the one picture of a unit, laid out from a grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from autograder.lab.fonts import Labels
from autograder.lab.style import BACKGROUND, INK, QUIET, HouseFigure, finish, house_style, listed, wrapped

# Fill and edge: pale enough for dark text, edges from the colour-blind-safe palette.
_PAINT = {
    "plain": ("#ffffff", "#6b6b6b"),
    "grey": ("#e9e7e0", "#6b6b6b"),
    "blue": ("#d9ebf7", "#0072B2"),
    "orange": ("#fdebd0", "#D55E00"),
    "green": ("#d8f0e6", "#009E73"),
    "purple": ("#f1dfef", "#AA4499"),
}
_TEXT, _ARROW_TEXT, _TITLE = 12, 10, 12  # points
_PADDING, _GAP_X, _GAP_Y, _MARGIN = 0.09, 0.26, 0.42, 0.16  # inches
_COLUMN = 0.6


@dataclass(frozen=True)
class Box:
    """A labelled box at a place of the grid: columns grow to the right, rows grow upwards, fractions allowed.

    colour: "plain", "grey", "blue", "orange", "green" or "purple"; shape: "box", "circle", "text" (no frame).
    """

    label: str
    column: float
    row: float
    colour: str = "plain"
    shape: str = "box"


@dataclass(frozen=True)
class Arrow:
    """From one box to another; `bend` curves it (above 0 to the left), `at` places the label on it."""

    start: str
    end: str
    label: str = ""
    colour: str = "plain"
    bend: float = 0.0
    at: float = 0.5
    dashed: bool = False


def flow(
    boxes: Mapping[str, Box],
    arrows: Sequence[Arrow | tuple[str, str] | tuple[str, str, str]] = (),
    *,
    title: str | None = None,
    alt: str | None = None,
) -> Figure:
    """A diagram of boxes and arrows, as large as its texts need.

    boxes:  name -> Box
    arrows: `Arrow(start, end, ...)`, or `(start, end)` or `(start, end, label)` with the boxes' names
    alt:    the picture in words; otherwise the boxes and arrows are listed

    Raises ValueError for an arrow to a box that does not exist, an unknown colour or shape, or two boxes in
    one place. Up to about six boxes side by side fit a notebook's width; a wider diagram is shrunk there.
    """
    all_arrows = [arrow if isinstance(arrow, Arrow) else Arrow(*arrow) for arrow in arrows]
    _check(boxes, all_arrows)
    labels = Labels()
    with house_style():
        figure = HouseFigure(figsize=(6, 4))
        figure.set_layout_engine("none")  # the boxes are laid out here
        texts = {name: labels.label(box.label) for name, box in boxes.items()}
        arrow_texts = [labels.label(arrow.label) for arrow in all_arrows]
        sizes = {name: _box_size(figure, texts[name], box.shape) for name, box in boxes.items()}
        across = _across(figure, boxes, sizes, all_arrows, arrow_texts)
        up = _step_up(boxes, sizes, all_arrows)
        centres = {name: (across[name], box.row * up) for name, box in boxes.items()}
        marks = [(*_on_arrow(arrow, 0.5, centres, sizes), 0.05, 0.05) for arrow in all_arrows]
        marks += [
            (*_on_arrow(arrow, arrow.at, centres, sizes), *_extent(figure, text, _ARROW_TEXT))
            for arrow, text in zip(all_arrows, arrow_texts, strict=True)
            if text
        ]
        marks += [(*centres[name], *sizes[name]) for name in boxes]
        axes = _canvas(figure, marks, labels.label(title) if title else "")
        patches = {name: _draw_box(axes, box, texts[name], centres[name], sizes[name]) for name, box in boxes.items()}
        for arrow, text in zip(all_arrows, arrow_texts, strict=True):
            _draw_arrow(axes, arrow, text, centres, sizes, patches)
        return finish(figure, alt or _in_words(boxes, all_arrows, title), labels)


def _check(boxes: Mapping[str, Box], arrows: Sequence[Arrow]) -> None:
    if not boxes:
        raise ValueError("flow: no boxes to draw")
    places: dict[tuple[float, float], str] = {}
    for name, box in boxes.items():
        if box.colour not in _PAINT or box.shape not in ("box", "circle", "text"):
            raise ValueError(
                f"flow: box {name!r} has colour {box.colour!r} and shape {box.shape!r}; colours are "
                f"{', '.join(_PAINT)}, shapes are box, circle, text"
            )
        other = places.setdefault((box.column, box.row), name)
        if other != name:
            raise ValueError(f"flow: boxes {other!r} and {name!r} stand in the same place")
    for arrow in arrows:
        for end in (arrow.start, arrow.end):
            if end not in boxes:
                raise ValueError(f"flow: an arrow names {end!r}, but the boxes are {', '.join(boxes)}")
        if arrow.colour not in _PAINT or arrow.start == arrow.end:
            raise ValueError(f"flow: the arrow {arrow.start} to {arrow.end} has no length or an unknown colour")


def _extent(figure: Figure, text: str, points: float) -> tuple[float, float]:
    """Width and height of a text in inches."""
    artist = figure.text(0, 0, text or " ", fontsize=points)
    box = artist.get_window_extent()
    artist.remove()
    return box.width / figure.dpi, box.height / figure.dpi


def _box_size(figure: Figure, text: str, shape: str) -> tuple[float, float]:
    width, height = _extent(figure, text, _TEXT)
    if shape == "circle":
        side = max(math.hypot(width, height) + 0.06, 0.36)
        return side, side
    padding = _PADDING if shape == "box" else 0.04
    return max(width + 2 * padding, 0.42), max(height + 2 * padding, 0.34)


def _across(
    figure: Figure,
    boxes: Mapping[str, Box],
    sizes: Mapping[str, tuple[float, float]],
    arrows: Sequence[Arrow],
    texts: Sequence[str],
) -> dict[str, float]:
    """Each box's place across, in inches: neighbours in a row keep their distance, labels have room."""
    needs: list[tuple[float, float, float]] = []  # from one column to another, at least so many inches
    items = list(boxes.items())
    for index, (name, box) in enumerate(items):
        for other_name, other in items[index + 1 :]:
            if abs(box.row - other.row) < 0.5 and box.column != other.column:
                left, right = sorted((box.column, other.column))
                needs.append((left, right, (sizes[name][0] + sizes[other_name][0]) / 2 + _GAP_X))
    for arrow, text in zip(arrows, texts, strict=True):
        start, end = boxes[arrow.start], boxes[arrow.end]
        left, right = sorted((start.column, end.column))
        if right - left >= 1 and abs(start.row - end.row) < 1:
            # Long enough to be seen, and for its text where it runs level.
            written = _extent(figure, text, _ARROW_TEXT)[0] if text else 0.0
            needs.append((left, right, (sizes[arrow.start][0] + sizes[arrow.end][0]) / 2 + written + 0.4))
    first = math.floor(min(box.column for box in boxes.values()))
    last = math.ceil(max(box.column for box in boxes.values()))
    grid = {first: 0.0}  # whole columns, from the left; a fraction lies between its two neighbours

    def place(column: float) -> float:
        below = math.floor(column)
        share = column - below
        return grid[below] + (share * (grid[below + 1] - grid[below]) if share else 0.0)

    for column in range(first + 1, last + 1):
        before = grid[column - 1]
        width = _COLUMN
        for left, right, need in needs:
            if column - 1 < right <= column:
                share = right - (column - 1)
                if left >= column - 1:
                    width = max(width, need / (right - left))
                else:
                    width = max(width, (need + place(left) - before) / share)
        grid[column] = before + width
    return {name: place(box.column) for name, box in boxes.items()}


def _step_up(boxes: Mapping[str, Box], sizes: Mapping[str, tuple[float, float]], arrows: Sequence[Arrow]) -> float:
    labelled = {frozenset((arrow.start, arrow.end)) for arrow in arrows if arrow.label}
    step = 0.62
    items = list(boxes.items())
    for index, (name, box) in enumerate(items):
        for other_name, other in items[index + 1 :]:
            distance = abs(box.row - other.row)
            if distance > 0 and (abs(box.column - other.column) < 0.5 or distance >= 1):
                gap = _GAP_Y + (0.2 if frozenset((name, other_name)) in labelled else 0)
                step = max(step, ((sizes[name][1] + sizes[other_name][1]) / 2 + gap) / distance)
    return step


def _canvas(figure: Figure, marks: Sequence[tuple[float, float, float, float]], title: str) -> Axes:
    """Axes that fill the figure, one unit an inch, cut to the marks: (x, y, width, height) of each thing."""
    left = min(x - width / 2 for x, _, width, _ in marks) - _MARGIN
    right = max(x + width / 2 for x, _, width, _ in marks) + _MARGIN
    bottom = min(y - height / 2 for _, y, _, height in marks) - _MARGIN
    top = max(y + height / 2 for _, y, _, height in marks) + _MARGIN
    if title:
        middle, half = (left + right) / 2, max(right - left, 4.0) / 2
        left, right = middle - half, middle + half
        title = wrapped(title, right - left - 2 * _MARGIN, _TITLE)
        height = _extent(figure, title, _TITLE)[1]
        top += height + 0.12
    figure.set_size_inches(right - left, top - bottom)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_axis_off()
    if title:
        axes.text(left + _MARGIN, top - 0.1, title, fontsize=_TITLE, va="top", ha="left")
    return axes


def _draw_box(
    axes: Axes, box: Box, text: str, centre: tuple[float, float], size: tuple[float, float]
) -> FancyBboxPatch:
    fill, edge = _PAINT[box.colour]
    outline = "circle,pad=0" if box.shape == "circle" else "round,pad=0,rounding_size=0.07"
    patch = FancyBboxPatch(
        (centre[0] - size[0] / 2, centre[1] - size[1] / 2), *size,
        boxstyle=outline,
        facecolor="none" if box.shape == "text" else fill, edgecolor="none" if box.shape == "text" else edge,
        linewidth=1.4, zorder=2,
    )  # fmt: skip
    axes.add_patch(patch)
    axes.text(*centre, text, fontsize=_TEXT, ha="center", va="center", zorder=4)
    return patch


def _draw_arrow(
    axes: Axes,
    arrow: Arrow,
    text: str,
    centres: Mapping[str, tuple[float, float]],
    sizes: Mapping[str, tuple[float, float]],
    patches: Mapping[str, FancyBboxPatch],
) -> None:
    start, end = centres[arrow.start], centres[arrow.end]
    colour = QUIET if arrow.colour == "plain" else _PAINT[arrow.colour][1]
    axes.add_patch(FancyArrowPatch(
        start, end, patchA=patches[arrow.start], patchB=patches[arrow.end], shrinkA=1, shrinkB=2,
        arrowstyle="-|>", mutation_scale=11, color=colour, linewidth=1.3, zorder=1,
        linestyle="--" if arrow.dashed else "-", connectionstyle=f"arc3,rad={-arrow.bend}",
    ))  # fmt: skip
    if not text:
        return
    x, y = _on_arrow(arrow, arrow.at, centres, sizes)
    axes.text(
        x, y, text, fontsize=_ARROW_TEXT, ha="center", va="center", zorder=3, color=INK,
        bbox={"facecolor": BACKGROUND, "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip


def _on_arrow(
    arrow: Arrow,
    at: float,
    centres: Mapping[str, tuple[float, float]],
    sizes: Mapping[str, tuple[float, float]],
) -> tuple[float, float]:
    """The point at the share `at` of an arrow's visible way."""
    start, end = centres[arrow.start], centres[arrow.end]
    tail, head = _edge(start, end, sizes[arrow.start]), _edge(end, start, sizes[arrow.end])
    # A quadratic Bezier curve leaves its chord by 2 at (1 - at) of the way to the control point.
    off = arrow.bend * 2 * at * (1 - at)
    x = tail[0] + (head[0] - tail[0]) * at - off * (end[1] - start[1])
    return x, tail[1] + (head[1] - tail[1]) * at + off * (end[0] - start[0])


def _edge(centre: tuple[float, float], other: tuple[float, float], size: tuple[float, float]) -> tuple[float, float]:
    """Where the line from a box's centre to another point leaves the box."""
    dx, dy = other[0] - centre[0], other[1] - centre[1]
    reach = min(size[0] / 2 / abs(dx) if dx else math.inf, size[1] / 2 / abs(dy) if dy else math.inf)
    return centre[0] + dx * reach, centre[1] + dy * reach


def _in_words(boxes: Mapping[str, Box], arrows: Sequence[Arrow], title: str | None) -> str:
    def name(key: str) -> str:
        return " ".join(boxes[key].label.split())

    quoted = f' "{title}"' if title else ""
    links = [
        f"{name(arrow.start)} to {name(arrow.end)}{f' ({arrow.label})' if arrow.label else ''}" for arrow in arrows
    ]
    text = f"Diagram{quoted} with the boxes {listed([name(key) for key in boxes], 30)}."
    return text + (f" Arrows: {listed(links, 30)}." if links else "")
