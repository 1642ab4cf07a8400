"""The look of every figure in the course, and showing one with words for those who cannot see it.

The figures here do not belong to pyplot: nothing else shows them a second time, and none stays open.
"""

from __future__ import annotations

import base64
import html
import io
import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal
from weakref import WeakKeyDictionary

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autograder.formats.language import said
from autograder.lab import fonts
from autograder.lab.front_end import is_live
from autograder.lab.tables import display_width

_IN_WORDS = "AUTOGRADER_FIGURES_IN_WORDS"
CSS_PIXELS_PER_INCH = 96
_PIXEL_RATIO = 1.5  # sharp on a dense screen, without doubling the size of a stored notebook

BACKGROUND = "#fbfaf7"
INK = "#222222"
QUIET = "#6b6b6b"
RULE = "#dcdad3"

# Okabe and Ito's palette (2008), told apart with the common colour blindnesses; the darker ones first.
COLOURS = {
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "purple": "#AA4499",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "black": "#222222",
}
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (7, 2)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

_words: WeakKeyDictionary[Figure, list[str]] = WeakKeyDictionary()
_legends: WeakKeyDictionary[Figure, list[str]] = WeakKeyDictionary()


def _settings() -> Any:  # Matplotlib types the names of its settings one by one
    return {
        "font.family": fonts.families(),
        "font.size": 11,
        "axes.titlesize": 11.5,
        "axes.titlelocation": "left",
        "axes.labelsize": 11,
        "axes.labelcolor": INK,
        "axes.facecolor": BACKGROUND,
        "axes.edgecolor": QUIET,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.prop_cycle": cycler(color=list(COLOURS.values())) + cycler(linestyle=list(LINE_STYLES)),
        "axes.unicode_minus": True,
        "grid.color": RULE,
        "grid.linewidth": 0.7,
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
        "xtick.color": QUIET,
        "ytick.color": QUIET,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "text.color": INK,
        "text.usetex": False,
        "legend.fontsize": 10,
        "legend.frameon": True,
        "legend.facecolor": BACKGROUND,
        "legend.edgecolor": "none",
        "legend.framealpha": 0.85,
        "lines.linewidth": 1.9,
        "lines.markersize": 5,
        "figure.titlesize": 12,
        "figure.facecolor": BACKGROUND,
        "figure.edgecolor": BACKGROUND,
        "figure.figsize": (6.4, 3.8),
        "figure.dpi": CSS_PIXELS_PER_INCH,
        "figure.constrained_layout.use": True,
        "savefig.facecolor": BACKGROUND,
        "savefig.edgecolor": BACKGROUND,
        "savefig.transparent": False,
    }


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the course's style: `with house_style(): figure, axes = plt.subplots()`.

    The background is opaque and light, so that the text is legible on a light and on a dark page; text is 10
    points or more; the colours can be told apart with the common colour blindnesses; Chinese is drawn where a
    font for it is installed.
    """
    with mpl.rc_context(_settings()):
        yield


class HouseFigure(Figure):
    """A Matplotlib figure that shows itself, with its words, where it is the last value of a cell."""

    def _ipython_display_(self) -> None:
        show(self)


def panels(
    rows: int = 1, columns: int = 1, *, width: float = 6.4, height: float = 3.8, **options: Any
) -> tuple[HouseFigure, NDArray[Any]]:
    """An empty figure in the course's style, `width` by `height` inches, and its axes, `(rows, columns)`.

    Hand an axes to a drawing function (`lines(..., ax=axes[0, 1])`) to put several pictures into one figure.
    """
    with house_style():
        figure = HouseFigure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, np.asarray(axes)


def start(ax: Axes | None, width: float, height: float, title: str | None, labels: fonts.Labels) -> tuple[Figure, Axes]:
    """The figure and axes to draw on, with the title in place; a new figure where no axes are given."""
    if ax is not None:
        figure = ax.get_figure(root=True)
        if figure is None:
            raise ValueError("these axes belong to no figure any more; make new ones with panels()")
        if title:
            inches = ax.get_position().width * figure.get_figwidth()
            ax.set_title(wrapped(labels.label(title), inches), loc="left")
        return figure, ax
    figure, axes = panels(width=width, height=height)
    set_title(figure, title, labels)
    axis: Axes = axes[0, 0]
    return figure, axis


def set_title(figure: Figure, title: str | None, labels: fonts.Labels) -> None:
    """The title over the whole figure, from its left edge, on as many lines as it needs."""
    if title:
        figure.suptitle(wrapped(labels.label(title), figure.get_figwidth()), x=0.012, ha="left")


def wrapped(text: str, inches: float, points: float = 12) -> str:
    """`text` broken into lines that fit into `inches` (an average letter is 0.55 of the font's size wide)."""
    # A Chinese character is about two letters wide, so fewer of them fit.
    wide = display_width(text) / max(1, len(text))
    letters = max(12, int(inches * 72 / (points * 0.55) / wide))
    return "\n".join(_balanced(line, letters) for line in text.split("\n"))


def _balanced(line: str, letters: int) -> str:
    """As few lines as `letters` allow, about equally long: no single word is left for the last one."""
    lines = len(textwrap.wrap(line, letters))
    return textwrap.fill(line, next(n for n in range(1, letters + 1) if len(textwrap.wrap(line, n)) <= lines))


def describe(figure: Figure, words: str) -> None:
    """Add a sentence to the figure's alternative text."""
    _words.setdefault(figure, []).append(words)


def finish(figure: Figure, words: str, labels: fonts.Labels) -> Figure:
    """Keep the figure's words and legend, and make its tick labels now, while the style is on."""
    describe(figure, said(words))
    if labels.legend:
        _legends.setdefault(figure, []).append(labels.legend)
    # Matplotlib makes tick labels when it first draws: outside the style they would get another font.
    figure.draw_without_rendering()
    return figure


def alt_text(figure: Figure) -> str:
    """What the figure shows, in words; empty for a figure that the course's functions did not draw."""
    words = " ".join(part for part in _words.get(figure, []) if part)
    return " ".join([words, *("Labels: " + legend + "." for legend in _legends.get(figure, []))]).strip()


def legend_text(figure: Figure) -> str:
    """What the numbers stand for that were drawn for want of a font; mostly empty."""
    return "   ".join(_legends.get(figure, []))


def png(figure: Figure, alt: str = "") -> bytes:
    """The figure as a PNG file that carries `alt` as its description, 1.5 pixels to a CSS pixel."""
    with house_style():
        buffer = io.BytesIO()
        # No version of Matplotlib in the file: an upgrade alone then changes no stored picture.
        metadata = {"Software": None, "Description": alt or None}
        figure.savefig(buffer, format="png", dpi=CSS_PIXELS_PER_INCH * _PIXEL_RATIO, metadata=metadata)
    return buffer.getvalue()


def show(figure: Figure, alt: str | None = None) -> None:
    """Display the figure once, with alternative text, and close it.

    alt: what the picture shows, in a sentence or two; the course's drawing functions write their own.
    Raises ValueError for any other figure without it.

    Where labels had to be numbered for want of a Chinese font, their legend follows as text. With the
    environment variable AUTOGRADER_FIGURES_IN_WORDS set to 1, the words are printed under every figure too.
    """
    words = alt_text(figure) if alt is None else alt.strip()
    if not words:
        raise ValueError("show(figure, alt=...): say in a sentence what this figure shows")
    image = png(figure, words)
    close(figure)
    shown = _publish(image, words, round(figure.get_figwidth() * CSS_PIXELS_PER_INCH))
    if shown and os.environ.get(_IN_WORDS, "0") not in ("", "0"):
        print(words)
    elif shown:
        for legend in _legends.get(figure, []):
            print(legend)


def close(figure: Figure) -> None:
    """Forget a pyplot figure, so that the inline backend does not show it again; others need no closing."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)


def _publish(image: bytes, words: str, width: int) -> bool:
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(words)  # a plain script has no place for a picture
        return False
    from IPython.display import display

    metadata: dict[Literal["image/png"], dict[str, Any]] = {"image/png": {"alt": words, "width": width}}
    data = {"image/png": base64.b64encode(image).decode("ascii"), "text/plain": words}
    if is_live():  # JupyterLab (4.6) does not show the words of an image/png to a screen reader; those of HTML it does
        data["text/html"] = image_tag(image, words, width)
    display(data, metadata=metadata, raw=True)
    return True


def image_tag(image: bytes, words: str, width: int) -> str:
    """A PNG as HTML with alternative text, no wider than its page."""
    source = base64.b64encode(image).decode("ascii")
    return (
        f'<img src="data:image/png;base64,{source}" alt="{html.escape(words)}" width="{width}" '
        'style="max-width:100%;height:auto">'
    )


def as_array(values: Any) -> NDArray[Any]:
    """A NumPy array from a list, an array or a tensor on any device, of any float width."""
    if hasattr(values, "detach"):
        tensor = values.detach().cpu()
        # NumPy has no bfloat16.
        return np.asarray(tensor.float().numpy() if tensor.is_floating_point() else tensor.numpy())
    if isinstance(values, (list, tuple)) and values and hasattr(values[0], "detach"):
        return np.stack([as_array(value) for value in values])
    return np.asarray(values)


def number(value: float) -> str:
    """A number for a reader: three significant digits, no exponent where it can be helped."""
    value = float(value)
    if not np.isfinite(value):
        return str(value)
    text = f"{value:.3g}".replace("-", "−")
    return f"{value:,.0f}" if "e+" in text and abs(value) < 1e9 else text


def listed(items: Sequence[str], most: int = 12) -> str:
    """Items for alternative text, separated by semicolons; the rest is counted."""
    rest = len(items) - most
    return "; ".join(items[:most]) + (f"; and {rest} more" if rest > 0 else "")
