"""Probes for attention heads: where an entry was taken from, and weights under a mask."""

from __future__ import annotations

import numpy as np

from ..compare import Difference, as_array, number
from ..values import Array
from .basic import arrays
from .probe import Finding, Probe, Trial


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
        named = dict(arrays(trial.seen.value, trial.returns))
        weights = named.get(output)
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
            return None
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        columns = weights.ndim > 1 and bool(np.allclose(weights.astype(float).sum(axis=-2), 1, atol=1e-3))
        aside = " Its columns do: the softmax ran over the queries." if columns else ""
        return Finding(
            f"{output}{list(index)}, one query's row, sums to {number(sums[index])}; expected 1.{aside}",
            Difference("", output, (), weights, None),
        )

    return Probe("open_rows_sum_to_one", "gives each query weights that sum to 1", judge)
