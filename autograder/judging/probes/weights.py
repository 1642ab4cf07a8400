"""Probes for attention weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...formats.values import Array
from ..compare import Difference, as_array, number, told_apart
from .basic import arrays
from .probe import Finding, Probe, Trial


def _picked(trial: Trial, output: str | None) -> tuple[str, Array] | None:
    named = arrays(trial.seen.value, trial.returns)
    if output is None:
        return named[0] if named else None
    return next(((name, data) for name, data in named if name == output), None)


def sums_to_one(axis: int | str = -1, output: str | None = None) -> Probe:
    """The named output sums to 1 along `axis`: a number, or the name of the argument that gives it."""

    def judge(trial: Trial) -> Finding | None:
        picked = _picked(trial, output)
        along = trial.call.given.get(axis, -1) if isinstance(axis, str) else axis
        if picked is None or picked[1].ndim == 0 or not -picked[1].ndim <= along < picked[1].ndim:
            return None
        expected = _picked(replace(trial, seen=trial.expected), output)
        found = _off_one(picked[0], picked[1], int(along))
        if found is None and expected and expected[1].shape == picked[1].shape:
            found = short_of_one(*picked, expected[1], int(along))
        return found

    return Probe("sums_to_one", "gives weights that sum to 1", judge)


rows_sum_to_one = sums_to_one(-1)


def _off_one(name: str, data: Array, axis: int) -> Finding | None:
    sums = np.asarray(data.astype(np.float64).sum(axis=axis))
    wrong = ~(np.abs(sums - 1) < 1e-3)
    if not wrong.any():
        return None
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    line = {1: "the weights"}.get(data.ndim, f"the slice {list(index)} along axis {axis}")
    other = [
        a
        for a in range(data.ndim)
        if a != axis % data.ndim and np.allclose(data.astype(float).sum(axis=a), 1, atol=1e-3)
    ]
    aside = f" They do sum to 1 along axis {other[0]}." if other else ""
    total = number(sums[index])
    told = f"in {name}, {line} sum to {total}" if line.endswith("weights") else f"in {name}, {line} sums to {total}"
    return Finding(
        f"{told}, expected 1.{aside}",
        Difference("", name, (), data, None),
    )


_EXACT = 5e-6


def short_of_one(name: str, data: Array, expected: Array, axis: int) -> Finding | None:
    """Where one key has all the weight, it is 1 to the last digit, however it is computed: less was divided away.

    Two sums of a softmax may differ by what rounding leaves of large scores, a weight that shares with nobody does not.
    """
    alone = expected.max(axis=axis) == 1
    short = 1 - data.astype(np.float64).max(axis=axis)
    missing = 1 - data.astype(np.float64).sum(axis=axis)  # where other keys have it, nothing was divided away
    wrong = alone & (short > _EXACT) & (missing > _EXACT)
    if not wrong.any() or (short[alone] < -_EXACT).any():
        return None
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = [*index]
    place.insert(axis % data.ndim, int(expected.argmax(axis=axis)[index]))
    return Finding(
        f"one key has all the weight here, and {name}{place} is {told_apart(data[tuple(place)], 1.0)[0]}, expected 1. Is a small "
        "number added to what you divide by? It makes every row sum to less than 1.",
        Difference("", name, tuple(place), data, expected),
        name="small-number-under-the-line",
    )


def zero_where_masked(mask: str = "mask", output: str | None = None) -> Probe:
    """Weights are 0 wherever the argument `mask` is False."""

    def judge(trial: Trial) -> Finding | None:
        picked = _picked(trial, output)
        given = as_array(trial.argument(mask))
        if picked is None or given is None:
            return None
        name, data = picked
        try:
            hidden = ~np.broadcast_to(given.astype(bool), data.shape)
        except ValueError:
            return None
        leaking = hidden & ~(np.abs(data) < 1e-6)
        if not leaking.any():
            return None
        index = tuple(int(i) for i in np.argwhere(leaking)[0])
        return Finding(
            f"{name}{list(index)} is {number(data[index])} although the mask hides that key: expected 0.",
            Difference("", name, index, data, None),
        )

    return Probe("zero_where_masked", "gives no weight to what is masked", judge)
