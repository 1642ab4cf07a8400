"""Probes for one attention output: a weighted mean of the values over all rows of the input."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...formats.cases import Call
from ...formats.values import Array
from ..compare import Difference, as_array, difference, number, told_apart
from .probe import Finding, Probe, Trial, with_arguments


def between_values(rows: str = "a", matrix: str = "W_v") -> Probe:
    """Each number of the output lies between the smallest and the largest of the values there.

    rows, matrix: the arguments from which the values are made, (n, d_in) and (d_v, d_in)
    """

    def judge(trial: Trial) -> Finding | None:
        inputs, projection = as_array(trial.argument(rows)), as_array(trial.argument(matrix))
        seen = as_array(trial.seen.value)
        if inputs is None or projection is None or seen is None:
            return None
        values = inputs @ projection.T
        if seen.shape != values.shape[1:]:
            return None
        low, high = values.min(axis=0), values.max(axis=0)
        slack = trial.tolerance.absolute + trial.tolerance.relative * np.maximum(np.abs(low), np.abs(high))
        outside = (seen < low - slack) | (seen > high + slack)
        if not outside.any():
            return None
        place = int(np.argmax(outside))
        least, most = float(low[place]), float(high[place])
        above = seen[place] > most
        yours, passed = told_apart(seen[place], most if above else least)
        ends = f"{number(least)} and {passed}" if above else f"{passed} and {number(most)}"
        between = f"lie between {ends}" if least < most else f"are all {passed}"
        return Finding(
            f"the output[{place}] is {yours}, but the values there {between}. A mean of the values, with weights that are "
            "positive and sum to 1, stays between them.",
            Difference("", "", (place,), seen, as_array(trial.expected.value)),
        )

    return Probe("between_values", "stays within the range of the values", judge)


def hears_every_row(rows: str = "a", own: str = "i") -> Probe:
    """Changing a row far from the one that asks changes the output.

    rows: the argument (n, d_in) whose rows are the input vectors; own: the argument that says which row asks
    """

    def other(call: Call) -> int:
        last = len(_given(call, rows)) - 1
        return last if int(call.given[own]) != last else 0

    def derive(call: Call) -> dict[str, Call]:
        changed = np.array(_given(call, rows), copy=True)
        changed[other(call)] = changed[other(call)][::-1] - 1
        return {"changed": with_arguments(call, call.label, **{rows: changed})}

    def judge(trial: Trial) -> Finding | None:
        call, seen, expected = trial.derived["changed"]
        if difference(expected.value, trial.expected.value, trial.tolerance) is None:
            return None
        if difference(seen.value, trial.seen.value, trial.tolerance) is not None:
            return None
        place = other(call)
        return Finding(
            f"the output stays the same when row {place} of `{rows}` changes (row {int(call.given[own])} "
            "asks). All rows give a key and a value, and all values go into the sum."
        )

    return Probe("hears_every_row", "takes every input vector into account", judge, derive)


def _given(call: Call, name: str) -> Array:
    value: Any = as_array(call.given[name])
    assert value is not None
    return np.asarray(value)
