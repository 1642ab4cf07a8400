"""Two pictures of today's language models: how RoPE turns a pair of features, and which tokens a nucleus holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from autograder.lab.fonts import Labels
from autograder.lab.style import COLOURS, INK, QUIET, finish, house_style, listed, number, panels, set_title


def turned_pairs(positions: Sequence[int], rates: Sequence[float], *, title: str | None = None) -> Figure:
    """A circle for each rate: the pair (1, 0) at each position, turned by position times rate.

    rates: in radians for each position
    """
    labels = Labels()
    figure, axes = panels(1, len(rates), width=6.6, height=2.9)
    paints = list(COLOURS.values())
    with house_style():
        set_title(figure, title, labels)
        for ax, rate in zip(axes[0], rates, strict=True):
            ax.set_aspect("equal")
            ax.set(xlim=(-1.42, 1.42), ylim=(-1.42, 1.42), xticks=[-1, 0, 1], yticks=[-1, 0, 1])
            round_ = [2 * math.pi * step / 120 for step in range(121)]
            ax.plot([math.cos(a) for a in round_], [math.sin(a) for a in round_], color=QUIET, lw=0.8, ls=":")
            for place, position in enumerate(positions):
                x, y = math.cos(position * rate), math.sin(position * rate)
                paint = paints[place % len(paints)]
                ax.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": paint, "lw": 1.6})
                ax.text(1.2 * x, 1.2 * y, str(position), ha="center", va="center", fontsize=10, color=INK)
            ax.set_xlabel(labels.label("first feature"))
            ax.set_title(labels.label(f"{number(rate)} rad a place"), fontsize=10.5, loc="left")
        axes[0][0].set_ylabel(labels.label("second feature"))
        told = [
            f"at {number(rate)} radians a place: {listed([f'position {p} at {number(p * rate)} radians' for p in positions])}"
            for rate in rates
        ]
        return finish(figure, f"The pair (1, 0) turned, a circle for each rate. {listed(told)}.", labels)


def nucleus(chances: Mapping[str, float], top_p: float, *, title: str | None = None) -> Figure:
    """Tokens by falling probability, and the sum so far: those within the nucleus in one colour, the others pale."""
    labels = Labels()
    ordered = sorted(chances.items(), key=lambda item: -item[1])
    sums: list[float] = []
    for _, chance in ordered:
        sums.append((sums[-1] if sums else 0.0) + chance)
    kept = 1 + sum(total < top_p for total in sums[:-1])
    places = list(range(len(ordered)))
    figure, axes = panels(width=6.4, height=3.3)
    ax = axes[0, 0]
    with house_style():
        set_title(figure, title, labels)
        paints = [COLOURS["blue"] if place < kept else "#c9c6bc" for place in places]
        ax.bar(places, [chance for _, chance in ordered], color=paints, width=0.62)
        ax.plot(places, sums, color=COLOURS["vermilion"], marker="o", ls="-", label=labels.label("sum so far"))
        ax.axhline(top_p, color=QUIET, lw=1.0, ls="--", label=labels.label(f"top_p = {number(top_p)}"))
        named = [f"{labels.drawn(name)}\n{number(chance)}" for name, chance in ordered]
        ax.set_xticks(places, named, parse_math=False)
        ax.set_ylim(0, 1.12)
        ax.set_ylabel(labels.label("probability"))
        ax.set_xlabel(labels.label("next token and its probability, the likeliest first"))
        ax.legend(loc="center right")
        told = listed([f"{name} {number(chance)}" for name, chance in ordered])
        words = f"Bars: {told}. The first {kept} of them reach {number(top_p)} together and form the nucleus."
        return finish(figure, words, labels)
