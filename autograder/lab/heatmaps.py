"""Heat maps: any matrix, and which outputs an input moves. `attention.py` draws with the same parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from numpy.typing import NDArray

from autograder.lab.fonts import Labels
from autograder.lab.style import (
    BACKGROUND,
    COLOURS,
    QUIET,
    RULE,
    as_array,
    finish,
    house_style,
    listed,
    number,
    start,
)
from autograder.lab.tables import display_width

Values = bool | Literal["auto"]

_INCHES_PER_LETTER = 0.083  # at 10 points
_SMALLEST_ROW = 0.19  # inches: two 10-point labels one above the other do not touch
_SMALLEST_CELL_WITH_NUMBER = 0.38
_LONGEST_LABEL = 18
_AS_FAR_FROM_WHITE = 0.179  # the luminance from which black and white contrast alike, 4.6 to 1
_VISIBLE = str.maketrans({"\n": "↵", "\t": "⇥", "\r": "↵"})


def matrix(
    values: Any,
    xlabel: str,
    ylabel: str,
    *,
    title: str | None = None,
    colour_label: str = "value",
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    annotate: Values = "auto",
    ax: Axes | None = None,
) -> Figure:
    """Any matrix as a heat map, its first row on top: positions, scores, gradients, differences.

    values: (rows, columns). Where some are negative, white is 0 and the colours run equally far both ways.
    """
    array = checked(values, rows, columns, "matrix", ("rows", "columns"))
    finite = array[np.isfinite(array)]
    signed = bool(finite.size) and finite.min() < 0
    top = float(np.abs(finite).max()) if signed else float(finite.max()) if finite.size else 1.0
    labels = Labels()
    row_names, column_names = tokens_to_draw(rows, labels), tokens_to_draw(columns, labels)
    with house_style():
        width, height, cell = figure_size(array.shape, row_names, column_names)
        # Square cells are for counting them; beyond that, the picture as a whole should fill its page.
        large = max(array.shape) > 30
        figure, axes = start(ax, *((6.4, 4.2) if large else (width, height)), title, labels)
        colours = colormaps["RdBu_r"] if signed else colormaps["Blues"]
        image = draw(axes, array, colours, -(top or 1.0) if signed else 0.0, top or 1.0)
        if large:
            axes.set_aspect("auto")
        ticks(axes, array.shape, row_names, column_names, cell)
        numbers(axes, array, image, annotate, cell)
        axes.set(xlabel=labels.label(xlabel), ylabel=labels.label(ylabel))
        colour_bar(figure, image, axes, labels.label(colour_label), shrink=0.9)
        spread = f"from {number(finite.min())} to {number(finite.max())}" if finite.size else "all NaN"
        name = f' "{title}"' if title else ""
        words = (
            f"Heat map{name}: {array.shape[0]} rows ({ylabel}) by {array.shape[1]} columns ({xlabel}), "
            f"{colour_label} {spread}."
        )
        return finish(figure, words, labels)


def leak_map(
    moved: Any,
    tokens: Sequence[str] | None = None,
    *,
    causal: bool = True,
    tolerance: float = 0.0,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Which outputs moved when one input was changed.

    moved:     (seq, seq), `moved[t, s]`: how far output s moved, or whether it did, when input t was changed
    tokens:    names of the positions
    causal:    an output before the changed input must stay where it is: one that moves is marked as a leak
    tolerance: a movement up to this size counts as none
    """
    array = checked(moved, tokens, tokens, "leak_map", ("tokens", "tokens"))
    has_moved = ~(np.abs(array) <= tolerance)  # NaN moved, too
    seq_in, seq_out = array.shape
    before = np.arange(seq_out)[None, :] < np.arange(seq_in)[:, None]
    leaks = has_moved & before & causal
    labels = Labels()
    names = tokens_to_draw(tokens, labels)
    kinds = ("#e9e7e0", COLOURS["blue"], COLOURS["vermilion"])
    with house_style():
        width, height, cell = figure_size(array.shape, names, names, with_bar=False, with_numbers=False)
        figure, axes = start(ax, width, height + 0.3, title, labels)
        draw(axes, has_moved.astype(float) + leaks, ListedColormap(kinds), 0, 2)
        ticks(axes, array.shape, names, names, cell)
        for t, s in zip(*np.nonzero(leaks), strict=True):
            axes.text(s, t, "×", ha="center", va="center", color="white", fontsize=min(14, max(6, cell * 30)))
        axes.set(xlabel="output", ylabel="changed input")
        meanings = ["stayed", "moved"] + (["moved: a leak (×)"] if causal else [])
        handles = [
            Patch(facecolor=kind, edgecolor=QUIET, linewidth=0.5, label=text)
            for kind, text in zip(kinds, meanings, strict=False)
        ]
        axes.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0, 1.01), ncols=3, borderpad=0,
            borderaxespad=0, handlelength=1, columnspacing=1.2,
        )  # fmt: skip
        places = [f"{visible(token)} at {index}" for index, token in enumerate(tokens or [])] or range(seq_in)
        pairs = [f"input {places[t]} moves output {places[s]}" for t, s in zip(*np.nonzero(leaks), strict=True)]
        verdict = f"{len(pairs)} leaks: {listed(pairs)}." if pairs else "No leak." if causal else ""
        name = f' "{title}"' if title else ""
        words = (
            f"Map{name} of which of {seq_out} outputs moved when each of {seq_in} inputs was changed: "
            f"{int(has_moved.sum())} of {array.size} moved. {verdict}"
        )
        return finish(figure, words.strip(), labels)


def checked(
    values: Any,
    rows: Sequence[str] | None,
    columns: Sequence[str] | None,
    what: str,
    names: tuple[str, str],
) -> NDArray[Any]:
    array = as_array(values).astype(float)
    if array.ndim != 2 or not array.size:
        raise ValueError(
            f"{what} draws a matrix with two axes; this one has the shape {array.shape}. "
            "Choose one example and one head first, as in weights[0, 0]."
        )
    for axis, (labels, name) in enumerate(zip((rows, columns), names, strict=True)):
        if labels is not None and len(labels) != array.shape[axis]:
            raise ValueError(f"{what}: {len(labels)} {name} for a matrix of the shape {array.shape}")
    return array


def visible(token: object) -> str:
    """A token with its line breaks and tabs as signs, and spaces as signs where there is nothing else."""
    text = str(token).translate(_VISIBLE)
    return text if text.strip() else "␣" * max(1, len(text))


def tokens_to_draw(texts: Sequence[str] | None, labels: Labels) -> list[str] | None:
    if texts is None:
        return None
    shown = []
    for text in texts:
        drawn = labels.drawn(visible(text))
        shown.append(drawn if len(drawn) <= _LONGEST_LABEL else drawn[: _LONGEST_LABEL - 1] + "…")
    return shown


def longest(names: list[str] | None) -> float:
    return _INCHES_PER_LETTER * max((display_width(name) for name in names or ["00"]), default=2)


def figure_size(
    shape: tuple[int, ...],
    rows: list[str] | None,
    columns: list[str] | None,
    across: int = 1,
    down: int = 1,
    with_bar: bool = True,
    with_numbers: bool = True,
) -> tuple[float, float, float]:
    """Width and height of a figure of `across` by `down` maps, and the side of a cell, in inches."""
    beside = longest(rows) + 0.55 + (0.95 if with_bar else 0.2)
    room = 6.5 - beside - 0.15 * (across - 1)
    # Room for a number in each cell of a small map, for a token beside each row of a middling one.
    wanted = (0.55 if with_numbers else 0.42) if max(shape) <= 10 else 0.3 if max(shape) <= 20 else 0.0
    wanted = max(wanted, min(0.5, min(3.4, 5.0 / across) / max(shape)))
    cell = min(wanted, room / across / shape[1], 4.8 / shape[0])
    below = 0.35 + (0.22 if columns is None or longest(columns) <= cell else longest(columns))
    width = max(3.6 if across == 1 else 4.4, beside + across * cell * shape[1] + 0.15 * (across - 1))
    return width, below + 0.4 + down * (cell * shape[0] + (0.32 if down * across > 1 else 0)), cell


def draw(axes: Axes, array: NDArray[Any], colours: Colormap, low: float, high: float) -> AxesImage:
    # What is no number leaves a hole in the image, and the hatched ground shows through.
    axes.patch.set(facecolor=BACKGROUND, edgecolor=QUIET, hatch="///", linewidth=0)
    shown = np.ma.masked_invalid(array)
    image = axes.imshow(shown, cmap=colours, vmin=low, vmax=high, aspect="equal", interpolation="nearest")
    axes.grid(visible=False)
    axes.spines[:].set(visible=True, color=RULE, linewidth=0.8)
    axes.tick_params(length=0)
    if max(array.shape) <= 24:  # thin lines between cells, as long as a cell is much wider than a line
        bottom, right = np.array(array.shape) - 0.5
        axes.hlines(np.arange(array.shape[0] - 1) + 0.5, -0.5, right, colors=BACKGROUND, linewidth=1.2)
        axes.vlines(np.arange(array.shape[1] - 1) + 0.5, -0.5, bottom, colors=BACKGROUND, linewidth=1.2)
    return image


def colour_bar(figure: Figure, image: AxesImage, axes: Any, label: str, shrink: float) -> None:
    bar = figure.colorbar(image, ax=axes, label=label, shrink=shrink, pad=0.02)
    bar.outline.set_visible(False)


def ticks(axes: Axes, shape: tuple[int, ...], rows: list[str] | None, columns: list[str] | None, cell: float) -> None:
    if rows is None:
        axes.set_yticks(range(0, shape[0], _step(shape[0], _SMALLEST_ROW / cell)))
    else:
        step = max(1, int(np.ceil(_SMALLEST_ROW / cell)))
        axes.set_yticks(range(0, shape[0], step), rows[::step], parse_math=False)
    if columns is None:
        axes.set_xticks(range(0, shape[1], _step(shape[1], 2 * _SMALLEST_ROW / cell)))
        return
    upright = longest(columns) <= cell
    step = 1 if upright else max(1, int(np.ceil(_SMALLEST_ROW / cell)))
    turned: dict[str, Any] = (
        {} if upright else {"rotation": 90 if cell < 0.3 else 45, "rotation_mode": "anchor", "ha": "right"}
    )
    if turned.get("rotation") == 90:
        turned["va"] = "center"
    axes.set_xticks(range(0, shape[1], step), columns[::step], parse_math=False, **turned)


def _step(count: int, least: float) -> int:
    """Positions between two tick labels: a round number, at least `least`, for at most a dozen labels."""
    sizes: list[int] = [digit * 10**power for power in range(9) for digit in (1, 2, 5)]
    return next(size for size in sizes if size >= least and count / size <= 12)


def _luminance(colour: Any) -> float:
    """Relative luminance of an sRGB colour, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3])
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def is_dark(image: AxesImage, value: Any) -> bool:
    """Whether white text on this value's colour contrasts more than black."""
    return _luminance(image.cmap(image.norm(value))) < _AS_FAR_FROM_WHITE


def numbers(axes: Axes, array: NDArray[Any], image: AxesImage, values: Values, cell: float) -> None:
    if values is False or (values == "auto" and cell < _SMALLEST_CELL_WITH_NUMBER):
        return
    whole = bool(np.isfinite(array).all() and (array == np.round(array)).all() and (np.abs(array) > 1).any())
    for (row, column), value in np.ndenumerate(array):
        dark = np.isfinite(value) and is_dark(image, value)
        text = "0" if value == 0 else f"{value:.2f}" if abs(value) < 9.995 and not whole else number(value)
        text = text.replace("-", "−")
        axes.text(
            column, row, text, ha="center", va="center", fontsize=10,
            color="white" if dark else "black",
            bbox=None if np.isfinite(value) else {"facecolor": BACKGROUND, "edgecolor": "none", "pad": 1},
        )  # fmt: skip
