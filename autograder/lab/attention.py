"""Attention weights as heat maps: one map, or the heads of a layer on one colour scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autograder.lab.fonts import Labels
from autograder.lab.heatmaps import (
    Values,
    checked,
    colour_bar,
    draw,
    figure_size,
    numbers,
    ticks,
    tokens_to_draw,
    visible,
)
from autograder.lab.style import as_array, finish, house_style, listed, panels, set_title, start


def attention_map(
    weights: Any,
    queries: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    *,
    title: str | None = None,
    axes: tuple[str, str] = ("queries", "keys"),
    ax: Axes | None = None,
    values: Values = "auto",
) -> Figure:
    """Attention weights as a heat map: a row for each query, a column for each key.

    weights:       (seq_q, seq_k)
    queries, keys: tokens to write at the rows and columns, otherwise positions; in a square map `keys` may be
                   left out, and `queries` serves both
    axes:          what the rows are called, and the columns
    values:        write the numbers into the cells; "auto" where they fit

    Raises ValueError where the shape or the number of tokens does not fit. Colours run from 0 to the largest
    weight of this map; compare maps with `attention_maps`, which gives all the same scale. NaN is hatched.
    """
    return _maps([weights], queries, keys, None, title, values, axes, ax=ax)


def attention_maps(
    weights: Any,
    titles: Sequence[str] | None = None,
    queries: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    *,
    title: str | None = None,
    axes: tuple[str, str] = ("queries", "keys"),
    columns: int | None = None,
    values: Values = "auto",
) -> Figure:
    """Several attention maps, such as the heads of a layer, on one colour scale.

    weights: (num_heads, seq_q, seq_k), or a sequence of (seq_q, seq_k)
    titles:  one for each map, otherwise "head 1", "head 2", ...
    columns: maps side by side, otherwise two or three
    """
    maps = [as_array(single) for single in weights]
    names = list(titles) if titles is not None else [f"head {index}" for index in range(1, len(maps) + 1)]
    if len(names) != len(maps):
        raise ValueError(f"attention_maps: {len(maps)} maps, but {len(names)} titles")
    return _maps(maps, queries, keys, names, title, values, axes, columns=columns)


def _maps(
    maps: Sequence[Any],
    queries: Sequence[str] | None,
    keys: Sequence[str] | None,
    names: Sequence[str] | None,
    title: str | None,
    values: Values,
    called: tuple[str, str],
    *,
    columns: int | None = None,
    ax: Axes | None = None,
) -> Figure:
    if not maps:
        raise ValueError("attention_maps: no maps to draw")
    if keys is None and queries is not None and np.shape(as_array(maps[0]))[-1:] == (len(queries),):
        keys = queries
    arrays = [checked(single, queries, keys, "attention_map", ("queries", "keys")) for single in maps]
    finite = np.concatenate([array[np.isfinite(array)] for array in arrays])
    low, high = min(0.0, finite.min(initial=0.0)), finite.max(initial=0.0) or 1.0
    labels = Labels()
    rows_text, columns_text = tokens_to_draw(queries, labels), tokens_to_draw(keys, labels)
    across = min(len(arrays), columns or (2 if len(arrays) in (2, 4) else 3))
    down = -(-len(arrays) // across)
    with house_style():
        width, height, cell = figure_size(arrays[0].shape, rows_text, columns_text, across, down)
        if names is None:
            figure, axes = start(ax, width, height, title, labels)
            grid = np.array([[axes]])
        else:
            figure, grid = panels(down, across, width=width, height=height, sharex=True, sharey=True)
            figure.set_layout_engine("compressed")  # maps keep their shape: no gaps between them
            set_title(figure, title, labels)
        for index, panel in enumerate(grid.flat):
            if index >= len(arrays):
                panel.set_axis_off()
                continue
            image = draw(panel, arrays[index], colormaps["Blues"], low, high)
            numbers(panel, arrays[index], image, values, cell)
            ticks(panel, arrays[index].shape, rows_text, columns_text, cell)
            panel.tick_params(labelbottom=index // across == down - 1, labelleft=index % across == 0)
            if names is not None:
                panel.set_title(labels.label(names[index]))
        if names is None:
            grid[0, 0].set(xlabel=labels.label(called[1]), ylabel=labels.label(called[0]))
        else:
            figure.supxlabel(labels.label(called[1]), fontsize=11)
            figure.supylabel(labels.label(called[0]), fontsize=11)
        colour_bar(figure, image, list(grid.flat), "weight", shrink=0.9 if down == 1 else 0.6)
        return finish(figure, _in_words(arrays, names, queries, keys, title, called), labels)


def _in_words(
    arrays: Sequence[NDArray[Any]],
    names: Sequence[str] | None,
    queries: Sequence[str] | None,
    keys: Sequence[str] | None,
    title: str | None,
    called: tuple[str, str],
) -> str:
    seq_q, seq_k = arrays[0].shape
    quoted = f' "{title}"' if title else ""
    text = f"Attention map{'s' if names else ''}{quoted}: {seq_q} {called[0]} (rows) by {seq_k} {called[1]} (columns)."
    for index, array in enumerate(arrays):
        strongest = []
        for row, weights in enumerate(array):
            query = visible(queries[row]) if queries else f"query {row}"
            if not np.isfinite(weights).any():
                strongest.append(f"{query} has no weights (NaN)")
                continue
            best = np.flatnonzero(weights > np.nanmax(weights) - 1e-6)  # several, where weights are equal
            named = [visible(keys[place]) if keys else f"key {place}" for place in best[:3]]
            where = " and ".join(named) if len(best) <= len(named) else f"{len(best)} keys alike"
            strongest.append(f"{query} looks most at {where} ({weights[best[0]]:.2f}{' each' * (len(best) > 1)})")
        text += f" {names[index] + ': ' if names else ''}{listed(strongest, 12 if not names else 6)}."
    return text
