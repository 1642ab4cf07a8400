"""Probes for layers that read a sequence: nothing from the future, and numbers within a range."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...formats.cases import Call
from ...formats.values import Array, Tensor
from ..compare import Difference, as_array, difference, number
from .basic import arrays
from .probe import Finding, Probe, Trial, with_arguments


def blind_to_later_rows(name: str = "x") -> Probe:
    """Changing the last row of the argument `name`, (seq, width), moves no output before the last."""

    def derive(call: Call) -> dict[str, Call]:
        if len(_given(call, name)) < 2:
            return {}
        changed = np.array(_given(call, name), copy=True)
        changed[-1] = 1 - 2 * changed[-1]
        value: Any = call.given[name]
        wrapped = Tensor(changed, value.dtype) if isinstance(value, Tensor) else changed
        return {"changed": with_arguments(call, call.label, **{name: wrapped})}

    def judge(trial: Trial) -> Finding | None:
        if "changed" not in trial.derived:
            return None
        _, after, _ = trial.derived["changed"]
        before, later = as_array(trial.seen.value), as_array(after.value)
        last = len(_given(trial.call, name)) - 1
        if before is None or later is None or before.shape != later.shape:
            return None
        if before.ndim < 2 or len(before) != last + 1:
            return None
        found = difference(later[:last], before[:last], trial.tolerance)
        if found is None:
            return None
        row = found.index[0] if found.index else 0
        return Finding(
            f"output {row} changes when `{name}[{last}]`, a later token, changes. Output t may depend on the tokens "
            "up to t and on no later one.",
            Difference("", "", found.index, before, as_array(trial.expected.value)),
        )

    return Probe("blind_to_later_rows", "takes nothing from later tokens", judge, derive)


def blind_to_later_tokens(name: str = "ids") -> Probe:
    """Changing the last token of each text in the argument `name`, (batch, seq) ids, moves no output before it."""

    def derive(call: Call) -> dict[str, Call]:
        ids = _given(call, name)
        if ids.ndim != 2 or ids.shape[1] < 2 or ids.max() == 0:
            return {}
        changed = np.array(ids, copy=True)
        changed[:, -1] = np.where(changed[:, -1] == 0, ids.max(), 0)
        value: Any = call.given[name]
        wrapped = Tensor(changed, value.dtype) if isinstance(value, Tensor) else changed
        return {"changed": with_arguments(call, call.label, **{name: wrapped})}

    def judge(trial: Trial) -> Finding | None:
        if "changed" not in trial.derived:
            return None
        before, later = as_array(trial.seen.value), as_array(trial.derived["changed"][1].value)
        length = _given(trial.call, name).shape[1]
        if before is None or later is None or before.shape != later.shape or before.shape[1:2] != (length,):
            return None
        found = difference(later[:, :-1], before[:, :-1], trial.tolerance)
        if found is None:
            return None
        row, place = (*found.index, 0, 0)[:2]
        return Finding(
            f"the output at place {place} of text {row} changes when the token at place {length - 1}, a later one, changes. An "
            "output may depend on its own token and on those before it.",
            Difference("", "", found.index, before, as_array(trial.expected.value)),
        )

    return Probe("blind_to_later_tokens", "takes nothing from later tokens", judge, derive)


def within(low: float, high: float) -> Probe:
    """Every number of the output lies between `low` and `high`, both included."""

    def judge(trial: Trial) -> Finding | None:
        for name, data in arrays(trial.seen.value, trial.returns):
            if data.dtype.kind not in "fiu":
                continue
            slack = trial.tolerance.absolute
            outside = ~((data >= low - slack) & (data <= high + slack))
            if outside.any():
                index = tuple(int(i) for i in np.argwhere(outside)[0])
                place = f"{name}{list(index) if index else ''}"
                return Finding(
                    f"{place} is {number(data[index])}, but every number should lie between {number(low)} and "
                    f"{number(high)}.",
                    Difference("", "", index, data, as_array(trial.expected.value)),
                )
        return None

    return Probe("within", f"gives numbers between {number(low)} and {number(high)}", judge)


def _given(call: Call, name: str) -> Array:
    value: Any = as_array(call.given[name])
    assert value is not None
    return np.asarray(value)
