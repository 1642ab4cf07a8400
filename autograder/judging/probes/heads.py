"""Probes for attention heads: which axis stands where, where an entry was taken from, weights under a mask."""

from __future__ import annotations

import numpy as np

from ...formats.values import Array
from ..compare import Difference, as_array, number
from .basic import arrays
from .probe import Finding, Probe, Trial
from .weights import short_of_one


def axes(*names: str, output: str | None = None) -> Probe:
    """The named output (or the only one) has these axes, in this order; says which order or length was seen."""

    def judge(trial: Trial) -> Finding | None:
        seen, expected = _picked(trial.seen.value, trial, output), _picked(trial.expected.value, trial, output)
        if seen is None or expected is None or seen.shape == expected.shape or expected.ndim != len(names):
            return None
        place, due = output or "the output", f"({', '.join(names)}) = {expected.shape}"
        what = f"{place} has {seen.ndim} axes, {seen.shape}; expected {expected.ndim}: {due}."
        if sorted(seen.shape) == sorted(expected.shape):
            what = f"the axes of {place} stand in another order, {seen.shape}; expected {due}."
            if len(set(seen.shape)) == seen.ndim:
                order = ", ".join(names[expected.shape.index(length)] for length in seen.shape)
                what = f"the axes of {place} stand as ({order}); expected {due}."
        elif seen.ndim == expected.ndim:
            wrong = next(i for i in range(seen.ndim) if seen.shape[i] != expected.shape[i])
            what = (
                f"the axis {names[wrong]} of {place} has length {seen.shape[wrong]}, "
                f"expected {expected.shape[wrong]}: {due}."
            )
        return Finding(what, Difference("", output or "", (), seen, expected))

    return Probe("axes", f"gives {output or 'its output'} the axes ({', '.join(names)})", judge)


def _picked(value: object, trial: Trial, output: str | None) -> Array | None:
    named = arrays(value, trial.returns)
    if output is None:
        return as_array(value)
    return next((data for name, data in named if name == output), None)


def entries_in_place(argument: str = "x") -> Probe:
    """Each entry of the output is the entry of `argument` that belongs there, for outputs that only reorder.

    Needs inputs without repeated numbers: an entry is known by its value.
    """

    def judge(trial: Trial) -> Finding | None:
        given = as_array(trial.argument(argument))
        seen, expected = as_array(trial.seen.value), as_array(trial.expected.value)
        if given is None or seen is None or expected is None or seen.shape != expected.shape:
            return None
        wrong = seen != expected
        if not wrong.any():
            return None
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        taken, due = _place_of(seen[index], given), _place_of(expected[index], given)
        if due is None:
            return None
        what = f"{number(seen[index])}, a number that `{argument}` does not hold"
        if taken is not None:
            what = f"`{argument}{taken}`"
        return Finding(
            f"output{list(index)} holds {what}; it should hold `{argument}{due}`.",
            Difference("", "", index, seen, expected),
        )

    return Probe("entries_in_place", "puts each entry where it belongs", judge)


def _place_of(value: float, data: Array) -> list[int] | None:
    found = np.argwhere(data == value)
    return [int(i) for i in found[0]] if len(found) == 1 else None


def open_rows_sum_to_one(mask: str = "mask", output: str = "weights") -> Probe:
    """The named output's rows sum to 1, except where the argument `mask` leaves a row no key at all."""

    def judge(trial: Trial) -> Finding | None:
        weights = _picked(trial.seen.value, trial, output)
        if weights is None or weights.ndim == 0:
            return None
        given = as_array(trial.argument(mask))
        try:
            allowed = np.broadcast_to(True if given is None else given.astype(bool), weights.shape)
        except ValueError:
            return None
        sums = weights.astype(np.float64).sum(axis=-1)
        wrong = allowed.any(axis=-1) & ~(np.abs(sums - 1) < 1e-3)
        if not wrong.any():
            expected = _picked(trial.expected.value, trial, output)
            if expected is None or expected.shape != weights.shape:
                return None
            return short_of_one(output, weights, expected, -1)
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        columns = weights.ndim > 1 and bool(np.allclose(weights.astype(float).sum(axis=-2), 1, atol=1e-3))
        aside = " Its columns do: the softmax ran over the queries." if columns else ""
        return Finding(
            f"{output}{list(index)}, one query's row, sums to {number(sums[index])}; expected 1.{aside}",
            Difference("", output, (), weights, None),
        )

    return Probe("open_rows_sum_to_one", "gives each query weights that sum to 1", judge)
