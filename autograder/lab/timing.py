"""Measuring time so that two numbers can be compared: warm-up, medians, spread, device synchronisation."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from autograder.lab.tables import Table, table

__all__ = ["Comparison", "Timing", "compare", "duration", "measure", "table"]

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def measure(
    function: Callable[..., object],
    *args: Any,
    repeat: int = 5,
    warmup: int = 1,
    min_seconds: float = 0.001,
    device: object = None,
    **kwargs: Any,
) -> Timing:
    """How long `function(*args, **kwargs)` takes: the median of `repeat` runs, in seconds per call.

    warmup:      calls that are made first and not counted (caches fill, kernels are chosen)
    min_seconds: a run repeats the call until it should last this long, so that the clock's own cost and
                 resolution do not show; 0 means one call per run. The warm-up tells how many calls that
                 takes, so with `warmup=0` each run is one call, and the first run is the cold one.
    device:      what to wait for before the clock is read: "cuda", "mps", "cpu" or a torch.device; None waits
                 for whatever accelerator this process has used

    The trap: a GPU call returns before its work is done. Without waiting, one measures the launch.
    """
    return _measured({"": lambda: function(*args, **kwargs)}, repeat, warmup, min_seconds, device)[""]


def compare(
    functions: Mapping[str, Callable[[], object]],
    *,
    repeat: int = 5,
    warmup: int = 1,
    min_seconds: float = 0.001,
    device: object = None,
    baseline: str | None = None,
) -> Comparison:
    """Measure several functions in turns, so that a busy moment of the machine hits all of them alike.

    Every second round goes backwards, so that none is always the first. The ratios are of medians, to the
    median of `baseline` (the first function, unless named). Raises ValueError on an empty mapping or an
    unknown baseline; the other arguments are those of `measure`.
    """
    if not functions:
        raise ValueError("compare needs at least one function")
    baseline = next(iter(functions)) if baseline is None else baseline
    if baseline not in functions:
        raise ValueError(f"compare: the baseline {baseline!r} is none of {', '.join(map(repr, functions))}")
    return Comparison(_measured(functions, repeat, warmup, min_seconds, device), baseline)


def duration(seconds: float) -> str:
    """Seconds in the unit that reads best, three digits: `duration(0.00132)` is "1.32 ms"."""
    size, unit = _unit(seconds)
    return f"{_digits(seconds / size, seconds / size)} {unit}"


def synchronise(device: object = None) -> None:
    """Wait until the accelerator has finished; nothing to wait for on a CPU, or before torch is imported."""
    torch = sys.modules.get("torch")
    if torch is None:
        return
    kind = "" if device is None else torch.device(device).type
    # The first look at CUDA sets a context up, which takes a second and memory: only where one is in use.
    if kind == "cuda" or (not kind and torch.cuda.is_initialized()):
        torch.cuda.synchronize(None if kind == "" else torch.device(device))
    if kind == "mps" or (not kind and torch.backends.mps.is_available()):
        torch.mps.synchronize()


def _measured(
    functions: Mapping[str, Callable[[], object]],
    repeat: int,
    warmup: int,
    min_seconds: float,
    device: object,
) -> dict[str, Timing]:
    if repeat < 1 or warmup < 0 or min_seconds < 0:
        raise ValueError("measure needs repeat >= 1, warmup >= 0 and min_seconds >= 0")
    calls = dict.fromkeys(functions, 1)
    for name, function in functions.items():
        for _ in range(warmup):
            once = _seconds(function, 1, device)
            # A clock that has not moved says no more than "short": a million calls are enough to see it move.
            calls[name] = max(1, min(1_000_000, math.ceil(min_seconds / max(once, 1e-9))))
    runs: dict[str, list[float]] = {name: [] for name in functions}
    for number in range(repeat):
        for name in functions if number % 2 == 0 else reversed(list(functions)):
            runs[name].append(_seconds(functions[name], calls[name], device) / calls[name])
    return {name: Timing.of(runs[name]) for name in functions}


def _seconds(function: Callable[[], object], calls: int, device: object) -> float:
    synchronise(device)
    start = perf_counter()
    for _ in range(calls):
        function()
    synchronise(device)
    return perf_counter() - start


def _unit(seconds: float) -> tuple[float, str]:
    # Rounded first: 999.7 µs reads as 1.00 ms, not as 1000 µs.
    rounded = float(f"{seconds:.3g}")
    return next(((size, unit) for size, unit in _UNITS if rounded >= size), _UNITS[-1])


def _digits(value: float, model: float) -> str:
    """`value` with as many decimals as give `model` three digits."""
    rounded = abs(float(f"{model:.3g}"))
    return f"{value:.{2 if rounded < 10 else 1 if rounded < 100 else 0}f}"


@dataclass(frozen=True)
class Timing:
    """Seconds per call: the median, the fastest and the slowest run, and how many runs there were."""

    median: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, seconds: list[float]) -> Timing:
        return cls(statistics.median(seconds), min(seconds), max(seconds), len(seconds))

    def __str__(self) -> str:
        size, unit = _unit(self.median)
        shown = (self.median, self.low, self.high)
        median, low, high = (_digits(value / size, self.median / size) for value in shown)
        return f"{median} {unit} ({low}–{high}, {self.runs} run{'' if self.runs == 1 else 's'})"


@dataclass(frozen=True)
class Comparison:
    """Timings by name, and each one's ratio to the baseline."""

    timings: Mapping[str, Timing]
    baseline: str

    @property
    def ratios(self) -> dict[str, float]:
        """Times as long as the baseline takes: 2.0 is twice as slow, 0.5 twice as fast."""
        base = self.timings[self.baseline].median
        return {name: timing.median / base if base else math.nan for name, timing in self.timings.items()}

    def table(self) -> Table:
        """One row a function: median, range over the runs, and the ratio in words."""
        return table(
            [(name, timing, self._words(self.ratios[name], name)) for name, timing in self.timings.items()],
            ["", "median (fastest–slowest)", f"against {self.baseline}"],
        )

    def _words(self, ratio: float, name: str) -> str:
        if name == self.baseline:
            return "–"
        if not ratio > 0:
            return "?"
        times, word = (ratio, "slower") if ratio >= 1 else (1 / ratio, "faster")
        return f"{_digits(times, times)} times {word}"

    def __str__(self) -> str:
        return str(self.table())

    def _repr_markdown_(self) -> str:
        return self.table().markdown()
