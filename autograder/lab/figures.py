"""Figures for lessons: lines, bars and training curves here, heat maps and diagrams next door.

Every function returns a Matplotlib figure in the course's style, with alternative text; `show` displays it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from numpy.typing import NDArray

from autograder.lab.attention import attention_map, attention_maps
from autograder.lab.diagrams import Arrow, Box, flow
from autograder.lab.fonts import Labels, label
from autograder.lab.heatmaps import leak_map, matrix
from autograder.lab.style import (
    COLOURS,
    INK,
    LINE_STYLES,
    MARKERS,
    QUIET,
    alt_text,
    as_array,
    describe,
    finish,
    house_style,
    listed,
    number,
    panels,
    set_title,
    show,
    start,
)

__all__ = [
    "Arrow", "Box", "alt_text", "attention_map", "attention_maps", "bars", "flow", "house_style", "label",
    "leak_map", "lines", "matrix", "panels", "show", "training_curves",
]  # fmt: skip

_PALETTE = tuple(COLOURS.values())


def lines(
    x: Any,
    series: Mapping[str, Any],
    xlabel: str,
    ylabel: str,
    *,
    logx: bool = False,
    logy: bool = False,
    percent: bool = False,
    title: str | None = None,
    ax: Axes | None = None,
    markers: bool | None = None,
    legend_above: bool = False,
) -> Figure:
    """A line for each series, with its unit on the axis.

    x:       numbers, or a mapping from a series' name to its own numbers
    series:  name -> `y`, or name -> `(median, low, high)`, drawn as a line with a band; NaN leaves a gap
    percent: the values are shares from 0 to 1, and the axis runs from 0 to 100 %
    markers: a mark at each point; unless told, where there are at most 25
    legend_above: the series' names stand above the picture, for lines that fill it; leave out the title then

    Raises ValueError where a series and its x differ in length. On a log axis, ticks are plain numbers; zero
    and negative values cannot be drawn there and leave gaps.
    """
    labels = Labels()
    with house_style():
        figure, axes = start(ax, 6.4, 3.9, title, labels)
        words = []
        for index, (name, values) in enumerate(series.items()):
            own_x = as_array(x[name] if isinstance(x, Mapping) else x)
            middle, low, high = _band(name, values, own_x)
            style: dict[str, Any] = {
                "color": _PALETTE[index % len(_PALETTE)],
                "linestyle": LINE_STYLES[index % len(LINE_STYLES)],
                "marker": MARKERS[index % len(MARKERS)] if markers or (markers is None and len(own_x) <= 25) else "",
            }
            axes.plot(own_x, middle, label=labels.label(name), **style)
            if low is not None and high is not None:
                axes.fill_between(own_x, low, high, color=style["color"], alpha=0.18, linewidth=0)
            words.append(_course(name, own_x, middle, percent))
        _axes_text(axes, xlabel, ylabel, labels)
        if percent:
            axes.set_ylim(-0.03, 1.03)
            axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        if logx:
            _log_axis(axes, "x")
        if logy:
            _log_axis(axes, "y")
        if len(series) > 1 and legend_above:
            axes.legend(
                loc="lower left",
                bbox_to_anchor=(0, 1),
                ncols=len(series),
                borderaxespad=0.2,
                borderpad=0,
                columnspacing=1,
            )
        elif len(series) > 1:
            axes.legend(loc="best")
        axis_words = "logarithmic axes, " * (logx and logy)
        described = f"Line plot{_quoted(title)}, {axis_words}{ylabel} against {xlabel}. {listed(words)}."
        return finish(figure, described, labels)


def bars(
    values: Mapping[str, Any],
    xlabel: str,
    *,
    title: str | None = None,
    logx: bool = False,
    percent: bool = False,
    highlight: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Horizontal bars, each with its name before it and its number behind it.

    values:    name -> number, or name -> `(median, low, high)`, drawn with a whisker
    xlabel:    what is measured, with its unit
    highlight: the one bar that the text speaks of
    """
    labels = Labels()
    names = list(values)
    with house_style():
        figure, axes = start(ax, 6.4, 1.35 + 0.38 * len(names), title, labels)
        numbers = [as_array(values[name]).astype(float).ravel() for name in names]
        for name, value in zip(names, numbers, strict=True):
            if len(value) not in (1, 3):
                raise ValueError(f"bars: {name!r} needs a number, or median, low and high; not {len(value)}")
        lengths = np.array([value[0] for value in numbers])
        # The end of the whisker, on the side to which the bar points.
        reach = np.array([value[1 if value[0] < 0 else -1] if len(value) == 3 else value[0] for value in numbers])
        colours = [COLOURS["vermilion" if name == highlight else "blue"] for name in names]
        positions = np.arange(len(names))
        axes.barh(positions, lengths, color=colours, height=0.62, log=logx)
        for position, value in enumerate(numbers):
            if len(value) == 3:
                axes.plot(value[1:], [position, position], color=INK, linewidth=1.4, linestyle="-", marker="|")
        texts = [f"{100 * value:.3g} %" if percent else number(value) for value in lengths]
        for position, (value, end, text) in enumerate(zip(lengths, reach, texts, strict=True)):
            if np.isfinite(end):
                side = "right" if value < 0 else "left"
                offset = (-5 if value < 0 else 5, 0)
                axes.annotate(
                    text,
                    (end, position),
                    offset,
                    textcoords="offset points",
                    ha=side,
                    va="center",
                    fontsize=10,
                )
        axes.set_yticks(positions, [labels.drawn(name) for name in names], parse_math=False)
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        _room_for_numbers(axes, reach, texts, logx)
        if percent:
            axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        elif logx:
            _log_axis(axes, "x", nonpositive="clip")
        axes.set_xlabel(labels.label(xlabel))
        pairs = [f"{name} {text}" for name, text in zip(names, texts, strict=True)]
        return finish(figure, f"Bar chart{_quoted(title)} of {xlabel}: {listed(pairs)}.", labels)


def training_curves(
    loss: Mapping[str, tuple[Any, Any]],
    accuracy: Mapping[str, tuple[Any, Any]],
    *,
    levels: Mapping[str, float] | None = None,
    title: str | None = None,
) -> Figure:
    """Loss on the left, accuracies on the right, over the same steps.

    loss, accuracy: name -> `(steps, values)`; accuracies are shares from 0 to 1. The two may be measured at
    different steps. Draw both accuracies, always: a leak shows as one that rises while the other stays at 0.
    levels: losses to compare with, by name: dotted lines beside the curve
    """
    labels = Labels()
    figure, axes = panels(1, 2, width=6.6, height=3.4)
    with house_style():
        set_title(figure, title, labels)
        describe(figure, f"Training curves{_quoted(title)}.")
        for panel, curves in zip(axes[0], (loss, accuracy), strict=True):
            is_loss = curves is loss
            lines(
                {name: steps for name, (steps, _) in curves.items()},
                {name: values for name, (_, values) in curves.items()},
                "training step",
                "loss" if is_loss else "share right",
                percent=not is_loss,
                ax=panel,
                markers=False,
            )
            if is_loss and curves:
                panel.set_ylim(bottom=min(0.0, panel.get_ylim()[0]))
                for name, level in (levels or {}).items():
                    panel.axhline(level, color=QUIET, linewidth=1, linestyle=":")
                    place = panel.get_yaxis_transform()
                    panel.text(0.98, level, labels.label(name), transform=place, ha="right", va="bottom", fontsize=8.5)
                told = [f"{name} at {number(level)}" for name, level in (levels or {}).items()]
                describe(figure, f"Dotted lines: {listed(told)}." if told else "")
            if curves:  # above the curves, since there is no corner that they never cross
                panel.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, borderpad=0)
        return finish(figure, "", labels)


def _band(name: str, values: Any, x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any] | None]:
    # Three numbers are a line of three points; three rows of numbers are a line with its band.
    is_band = isinstance(values, tuple) and len(values) == 3 and np.ndim(as_array(values[0])) == 1
    rows = [as_array(row).astype(float) for row in (values if is_band else (values,))]
    for row in rows:
        if row.shape != x.shape:
            raise ValueError(f"lines: {name!r} has {row.shape} values for {x.shape} places on the x axis")
    return (rows[0], rows[1], rows[2]) if is_band else (rows[0], None, None)


def _course(name: str, x: NDArray[Any], y: NDArray[Any], percent: bool) -> str:
    """A series in words: where it starts, where it ends, and its extremes where those lie between."""
    finite = np.flatnonzero(np.isfinite(y))
    if not len(finite):
        return f"{name}: no values"

    def at(index: Any) -> str:
        value = f"{100 * y[index]:.3g} %" if percent else number(y[index])
        return f"{value} at {number(x[index])}"

    first, last = finite[0], finite[-1]
    text = f"{name}: {at(first)}" if first == last else f"{name}: from {at(first)} to {at(last)}"
    top, bottom = finite[np.argmax(y[finite])], finite[np.argmin(y[finite])]
    text += f", highest {at(top)}" if y[top] > max(y[first], y[last]) else ""
    return text + (f", lowest {at(bottom)}" if y[bottom] < min(y[first], y[last]) else "")


def _axes_text(axes: Axes, xlabel: str, ylabel: str, labels: Labels) -> None:
    axes.set_xlabel(labels.label(xlabel))
    axes.set_ylabel(labels.label(ylabel))


def _log_axis(axes: Axes, which: str, nonpositive: Literal["mask", "clip"] = "mask") -> None:
    if which == "x":
        axes.set_xscale("log", nonpositive=nonpositive)
    else:
        axes.set_yscale("log", nonpositive=nonpositive)
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = sorted(axis.get_view_interval())
    # 0.001 to 10,000 read better as they are; beyond that, powers of ten do.
    if low >= 1e-4 and high <= 1e6:
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def _room_for_numbers(axes: Axes, reach: NDArray[Any], texts: list[str], logx: bool) -> None:
    finite = reach[np.isfinite(reach)]
    if not len(finite):
        return
    share = 0.018 * max(map(len, texts)) + 0.02
    left, right = axes.get_xlim()
    if logx:
        low, high = np.log10(left), np.log10(max(right, finite.max()))
        axes.set_xlim(left, 10 ** (low + (high - low) / (1 - share)))
        return
    low, high = min(0.0, finite.min()), max(0.0, finite.max())
    room = ((high - low) or 1.0) * share / (1 - share)
    axes.set_xlim(low - (room if low < 0 else 0), high + (room if high > 0 or low == 0 else 0))
    axes.axvline(0, color=QUIET, linewidth=0.8, linestyle="-")


def _quoted(title: str | None) -> str:
    return f' "{title}"' if title else ""
