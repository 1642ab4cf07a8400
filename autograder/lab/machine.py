"""The whole Transformer in one picture, each box with the unit that builds it: where a learner stands, and what is done.

As in figure 1 of "Attention Is All You Need" and in Hung-yi Lee's lecture: both stacks side by side, read from the bottom up.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from autograder.lab.fonts import Labels
from autograder.lab.style import INK, QUIET, finish, house_style, panels

_TODAY, _DONE, _OPEN = ("#fbd9a5", "#D55E00"), ("#cfeadd", "#009E73"), ("#ffffff", "#8a8a8a")
_HEIGHT = 0.5


@dataclass(frozen=True)
class _Part:
    """A box: its words, the units that build it, its middle (x, y) and its width, and its result's axes."""

    words: str
    units: tuple[str, ...]
    x: float
    y: float
    width: float = 3.1
    shape: str = ""

    @property
    def top(self) -> float:
        return self.y + _HEIGHT / 2

    @property
    def bottom(self) -> float:
        return self.y - _HEIGHT / 2


_MODEL, _SCORES = "(batch, seq, d_model)", "weights (…, seq_q, seq_k)"
_LEFT, _RIGHT, _ASIDE = 2.3, 6.8, 11.0
_ENCODER = (
    _Part("embedding", ("06",), _LEFT, 1.1, shape=_MODEL),
    _Part("+ positions", ("06",), _LEFT, 1.75, shape=_MODEL),
    _Part("multi-head attention", ("05",), _LEFT, 2.85, shape=_SCORES),
    _Part("add & norm", ("08",), _LEFT, 3.5, shape=_MODEL),
    _Part("feed-forward", ("08",), _LEFT, 4.35, shape="(batch, seq, d_ff) inside"),
    _Part("add & norm", ("08",), _LEFT, 5.0, shape=_MODEL),
)
_DECODER = (
    _Part("embedding", ("06",), _RIGHT, 1.1, shape=_MODEL),
    _Part("+ positions", ("06",), _RIGHT, 1.75, shape=_MODEL),
    _Part("masked attention", ("05", "07"), _RIGHT, 2.85, shape=_SCORES),
    _Part("add & norm", ("08",), _RIGHT, 3.5, shape=_MODEL),
    _Part("cross-attention", ("09",), _RIGHT, 4.35, shape=_SCORES),
    _Part("add & norm", ("08",), _RIGHT, 5.0, shape=_MODEL),
    _Part("feed-forward", ("08",), _RIGHT, 5.85, shape="(batch, seq, d_ff) inside"),
    _Part("add & norm", ("08",), _RIGHT, 6.5, shape=_MODEL),
    _Part("linear", ("09",), _RIGHT, 7.45, shape="(batch, seq, vocab_size)"),
    _Part("softmax", ("02",), _RIGHT, 8.1, shape="(batch, seq, vocab_size)"),
)
_INSIDE = (
    _Part("query · key", ("02", "03"), _ASIDE, 2.5, 2.6),
    _Part("÷ √d_k", ("02",), _ASIDE, 3.1, 2.6),
    _Part("mask", ("07",), _ASIDE, 3.7, 2.6),
    _Part("softmax", ("02",), _ASIDE, 4.3, 2.6),
    _Part("× values", ("02", "03"), _ASIDE, 4.9, 2.6),
)
_AROUND = (
    _Part("why attention", ("01",), _ASIDE, 1.1, 2.6),
    _Part("its gradient", ("04",), _ASIDE, 6.0, 2.6),
    _Part("training", ("10",), _ASIDE, 6.85, 2.6),
    _Part("search", ("11",), _ASIDE, 7.45, 2.6),
    _Part("made fast", ("12",), _ASIDE, 8.05, 2.6),
)
_ALL = (*_ENCODER, *_DECODER, *_INSIDE, *_AROUND)


def whole_machine(today: str = "", passed: Collection[str] = (), *, shapes: bool = False) -> Figure:
    """The Transformer, both stacks: today's boxes in orange, those of the units passed in green.

    today:  the number of the unit that the learner is in, such as "08"; "" for none
    passed: numbers of the units whose exercises have all passed
    shapes: write the axes of its result into each box of the stacks
    """
    labels = Labels()
    figure, axes = panels(width=7.4 if shapes else 6.6, height=7.2 if shapes else 5.2)
    ax = axes[0, 0]
    with house_style():
        ax.set_axis_off()
        ax.set_xlim(0.05, 12.6)
        ax.set_ylim(-0.05, 8.95)
        for first, last, name in (
            (_ENCODER[2], _ENCODER[5], "encoder × N"),
            (_DECODER[2], _DECODER[7], "decoder × N"),
        ):
            _frame(ax, first, last, labels.label(name))
        _frame(ax, _INSIDE[0], _INSIDE[-1], labels.label("inside each head"), beside=0.2)
        for stack in (_ENCODER, _DECODER, _INSIDE):
            for below, above in itertools.pairwise(stack):
                _arrow(ax, (below.x, below.top), (above.x, above.bottom))
        for stack, skips in ((_ENCODER, (1, 3)), (_DECODER, (1, 3, 5))):
            for before in skips:
                _residual(ax, stack[before + 1], stack[before + 2])
        memory, asks = _ENCODER[-1], _DECODER[4]
        ax.plot([memory.x, memory.x, 4.3, 4.3], [memory.top, 5.75, 5.75, asks.y], color=INK, lw=1.2, ls="-")
        _arrow(ax, (4.3, asks.y), (asks.x - asks.width / 2, asks.y))
        ax.text(memory.x + 0.1, 5.82, labels.label("keys and values"), fontsize=9, color=QUIET, va="bottom")
        for x, words in ((_LEFT, "Chinese: ids"), (_RIGHT, "English so far, shifted right")):
            ax.text(x, 0.2, labels.label(words), ha="center", va="center", fontsize=10)
            _arrow(ax, (x, 0.42), (x, 1.1 - _HEIGHT / 2))
        _arrow(ax, (_RIGHT, _DECODER[-1].top), (_RIGHT, 8.62))
        ax.text(_RIGHT, 8.8, labels.label("the next word"), ha="center", va="center", fontsize=10)
        seen = {_colours(part, today, passed) for part in _ALL}
        key = (
            ["the number: the unit that builds it"]
            + ["orange: today"] * (_TODAY in seen)
            + ["green: passed"] * (_DONE in seen)
        )
        ax.text(0.15, 8.8, "\n".join(labels.label(line) for line in key), fontsize=9, color=QUIET, va="top")
        for part in _ALL:
            _draw(ax, part, labels, today, passed, shapes)
    return finish(figure, _in_words(today, passed), labels)


def _colours(part: _Part, today: str, passed: Collection[str]) -> tuple[str, str]:
    """The box's own and its edge's."""
    return _TODAY if today in part.units else _DONE if set(part.units) <= set(passed) else _OPEN


def _draw(ax: Axes, part: _Part, labels: Labels, today: str, passed: Collection[str], shapes: bool) -> None:
    fill, edge = _colours(part, today, passed)
    ax.add_patch(
        FancyBboxPatch(
            (part.x - part.width / 2, part.bottom), part.width, _HEIGHT, boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=fill, edgecolor=edge, linewidth=1.8 if today in part.units else 1.0, zorder=3,
        )
    )  # fmt: skip
    number = labels.label(" ".join(part.units))
    left, right = part.x - part.width / 2 + 0.1, part.x + part.width / 2 - 0.08
    lifted = shapes and part.shape
    ax.text(left, part.y + (0.11 if lifted else 0), labels.label(part.words), va="center", fontsize=9, zorder=4)
    ax.text(right, part.y + (0.11 if lifted else 0), number, va="center", ha="right", fontsize=8, color=QUIET, zorder=4)
    if lifted:
        ax.text(left, part.y - 0.13, labels.label(part.shape), va="center", fontsize=7.5, color=QUIET, zorder=4)


def _frame(ax: Axes, first: _Part, last: _Part, name: str, beside: float = 0.5) -> None:
    """What belongs together, with its name at the top."""
    left, bottom, top = first.x - first.width / 2 - beside, first.bottom - 0.32, last.top + 0.38
    ax.add_patch(
        FancyBboxPatch(
            (left, bottom), first.width + beside + 0.2, top - bottom, boxstyle="round,pad=0,rounding_size=0.15",
            facecolor="#f1efe8", edgecolor="#c9c6bc", linewidth=1, zorder=0,
        )
    )  # fmt: skip
    ax.text(left + 0.12, top - 0.07, name, fontsize=8.5, color=QUIET, va="top")


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=8, color=INK, lw=1.1, shrinkA=0, shrinkB=0, zorder=2
        )
    )


def _residual(ax: Axes, layer: _Part, added: _Part) -> None:
    """The way around a sub-layer: what goes in is added to what comes out."""
    start, side = layer.bottom - 0.17, layer.x - layer.width / 2 - 0.28
    ax.plot([layer.x, side, side], [start, start, added.y], color=QUIET, lw=1.1, ls="-", zorder=1)
    _arrow(ax, (side, added.y), (added.x - added.width / 2, added.y))


def _in_words(today: str, passed: Collection[str]) -> str:
    here = [f"{part.words} (unit {' and '.join(part.units)})" for part in _ALL if today and today in part.units]
    done = sorted({unit for part in _ALL for unit in part.units if unit in passed})
    return (
        "The whole Transformer. Encoder: embedding, positions, then N blocks of multi-head attention, add & norm, feed-forward, add & norm. "
        "Decoder: embedding, positions, then N blocks of masked attention, cross-attention to the encoder's output, and feed-forward, "
        "each with add & norm; then linear and softmax, which give the next word. A way around each sub-layer leads to its add & norm."
        + (f" Today: {'; '.join(dict.fromkeys(here))}." if here else "")
        + (f" Passed so far: units {', '.join(done)}." if done else "")
    )
