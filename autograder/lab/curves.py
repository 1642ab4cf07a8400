"""Curves that grow while a model trains, and a line that says how far it is.

watch = LiveCurves(steps=4000, measure=lambda: {"teacher-forced accuracy": ..., "greedy exact match": ...})
train(model, batches, optimizer, schedule, watch)      # calls watch(step, loss) after each step
"""

from __future__ import annotations

import base64
import html
import sys
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import numpy as np

from ..formats.language import said
from .figures import training_curves
from .style import CSS_PIXELS_PER_INCH, alt_text, close, png
from .tables import Table, table

_LINE_EVERY = 0.5
"""Seconds between two updates of the progress line."""


class LiveCurves:
    """Loss and both accuracies, redrawn in place. In a terminal: one line a measurement.

    steps:   how many steps there will be
    measure: gives the accuracies by name, shares from 0 to 1; called `times` times, the last one at the last step
    say:     gives what the model makes of some phrases: phrase -> what it says now. Asked at each doubling of the steps
    levels:  losses to compare with, by name
    """

    def __init__(
        self,
        steps: int,
        measure: Callable[[], Mapping[str, float]],
        *,
        say: Callable[[], Mapping[str, str]] | None = None,
        levels: Mapping[str, float] | None = None,
        times: int = 10,
        title: str | None = None,
    ) -> None:
        self.steps, self.measure, self.say, self.levels, self.title = steps, measure, say, levels, title
        self.losses: list[float] = []
        self.measured: dict[str, tuple[list[int], list[float]]] = {}
        self.said: list[dict[str, str]] = []
        self._every = max(1, steps // times)
        self._began, self._first, self._told = perf_counter(), 0, 0.0
        self._line: Any = None
        self._picture: Any = None
        self._sayings: Any = None

    def __call__(self, step: int, loss: float) -> None:
        self.losses.append(loss)
        if self.measures_at(step):
            for name, value in self.measure().items():
                steps, values = self.measured.setdefault(name, ([], []))
                steps.append(step)
                values.append(value)
            self._show_curves()
            self._show_line(step)
        if self.say is not None and self._says_at(step):
            self.said.append({"step": f"{step:,}", **self.say()})
            self._show_sayings()
        elif perf_counter() - self._told > _LINE_EVERY:
            self._show_line(step)

    def measures_at(self, step: int) -> bool:
        return step % self._every == 0 or step == self.steps

    def _says_at(self, step: int) -> bool:
        """At each doubling from a 160th of the way, and at the end: most is learnt early."""
        doublings, rest = divmod(step, max(1, self.steps // 160))
        return step == self.steps or (rest == 0 and doublings.bit_count() == 1)

    def state(self) -> dict[str, Any]:
        """What was seen so far, as plain lists: `go_on` takes it."""
        return {"losses": self.losses, "measured": self.measured, "said": self.said}

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Go on from what an interrupted run has seen. Minutes count from now."""
        self.losses, self.said = list(state["losses"]), list(state["said"])
        self.measured = {name: (list(steps), list(values)) for name, (steps, values) in state["measured"].items()}
        self._began, self._first = perf_counter(), len(self.losses)

    @property
    def last(self) -> dict[str, float]:
        """The last measurement of each accuracy."""
        return {name: values[-1] for name, (_, values) in self.measured.items()}

    def words(self, step: int) -> str:
        """How far it is: steps, loss, minutes gone and left, and the last measurements."""
        gone = perf_counter() - self._began
        left = gone / max(1, step - self._first) * (self.steps - step)
        told = [f"step {step:,} of {self.steps:,}", f"loss {np.mean(self.losses[-50:]):.3f}", f"{_clock(gone)} gone"]
        told += [f"about {_clock(left)} left"] if step < self.steps else []
        return " · ".join(told + [f"{name} {100 * value:.1f} %" for name, value in self.last.items()])

    def _show_line(self, step: int) -> None:
        self._told = perf_counter()
        words = said(self.words(step))
        if not _in_notebook():
            if step % self._every == 0 or step == self.steps:
                print(words)
            return
        bar = f'<progress value="{step}" max="{self.steps}" style="width: 20em"></progress> {html.escape(words)}'
        self._line = _published({"text/html": bar, "text/plain": words}, {}, self._line)

    def _show_curves(self) -> None:
        if not _in_notebook():
            return
        loss = {"training loss": _thinned(self.losses)}
        figure = training_curves(loss, dict(self.measured), levels=self.levels, title=self.title)
        words = alt_text(figure)
        image = base64.b64encode(png(figure, words)).decode("ascii")
        width = round(figure.get_figwidth() * CSS_PIXELS_PER_INCH)
        close(figure)
        data = {"image/png": image, "text/plain": words}
        self._picture = _published(data, {"image/png": {"alt": words, "width": width}}, self._picture)

    def _show_sayings(self) -> None:
        if not self.said:
            return
        if not _in_notebook():
            print(" · ".join(f"{phrase} → {words}" for phrase, words in self.said[-1].items() if phrase != "step"))
            return
        told: Table = table(self.said)
        self._sayings = _published({"text/markdown": told.markdown(), "text/plain": str(told)}, {}, self._sayings)


def _thinned(losses: list[float], points: int = 200) -> tuple[list[float], list[float]]:
    """At most so many points, each the mean of its neighbours: one batch's loss says little."""
    group = max(1, len(losses) // points)
    means = [float(np.mean(losses[i : i + group])) for i in range(0, len(losses), group)]
    return [i * group + (group + 1) / 2 for i in range(len(means))], means


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def _published(data: dict[str, str], metadata: dict[str, Any], handle: Any) -> Any:
    """Show, or show anew in the same place; the handle for the next time."""
    if handle is not None:
        handle.update(data, metadata=metadata, raw=True)
        return handle
    from IPython.display import display

    return display(data, metadata=metadata, raw=True, display_id=True)
