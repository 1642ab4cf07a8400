"""A picture of a kernel's launch."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from autograder.lab.fonts import Labels
from autograder.lab.style import INK, QUIET, finish, house_style, panels

_PROGRAMS = ("#0072B2", "#E69F00", "#009E73", "#AA4499", "#56B4E9", "#D55E00")


def kernel_grid(rows: int, length: int, block: int) -> Figure:
    """Which places of an array the programs of a launch hold: one program a row, a block that is longer than the row.

    rows, length: the array's; block: numbers in a program's block. Hatched places are masked.
    """
    labels = Labels()
    figure, axes = panels(width=6.4, height=0.55 * rows + 1.5)
    ax = axes[0, 0]
    with house_style():
        for row in range(rows):
            colour = _PROGRAMS[row % len(_PROGRAMS)]
            for column in range(block):
                inside = column < length
                ax.add_patch(
                    Rectangle(
                        (column + 0.06, row + 0.12),
                        0.88,
                        0.76,
                        facecolor=colour if inside else "none",
                        edgecolor=colour,
                        hatch=None if inside else "////",
                    )
                )
                place = row * length + column
                text = str(place) if inside else "masked"
                ax.text(
                    column + 0.5,
                    row + 0.5,
                    text,
                    ha="center",
                    va="center",
                    fontsize=10 if inside else 8,
                    color="#ffffff" if inside and colour not in ("#E69F00", "#56B4E9") else INK,
                    bbox=None if inside else {"facecolor": "#ffffff", "edgecolor": "none", "pad": 1.5},
                )
            ax.text(-0.15, row + 0.5, labels.label(f"program {row}"), ha="right", va="center", fontsize=10, color=INK)
        ax.plot([length, length], [0, rows], color=QUIET, lw=1.5, ls="--")
        ax.set(xlim=(-1.9, block), ylim=(rows, 0), yticks=[], xticks=[c + 0.5 for c in range(block)])
        ax.set_xticklabels([str(c) for c in range(block)])
        ax.set_xlabel(labels.label("number in the block, tl.arange"))
        ax.grid(False)
        for side in ("left", "right", "top", "bottom"):
            ax.spines[side].set_visible(False)
        words = (
            f"A launch of {rows} programs, one a row. Each has a block of {block} places; the row's {length} numbers lie in the "
            f"first {length}, at addresses that follow each other from row to row, and the last {block - length} are masked."
        )
        return finish(figure, words, labels)
