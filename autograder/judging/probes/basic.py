"""Probes that fit any exercise."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...formats.cases import Call
from ...formats.values import Array, Tensor
from ..compare import Difference, as_array, describe, difference, number, observation_difference
from .probe import Finding, Probe, Trial, with_arguments


def _matches(trial: Trial) -> Finding | None:
    found = observation_difference(trial.seen, trial.expected, trial.tolerance, trial.returns)
    return Finding(found.what, found) if found else None


matches = Probe("matches", "gives the expected numbers", _matches)


def _keeps_inputs(trial: Trial) -> Finding | None:
    if not trial.seen.changed:
        return None
    names = " and ".join(f"`{name}`" for name in trial.seen.changed)
    if len(trial.seen.changed) > 1:
        return Finding(f"your code changed its arguments {names} in place; the caller's arrays must stay as they were.")
    return Finding(f"your code changed its argument {names} in place; the caller's array must stay as it was.")


keeps_inputs = Probe("keeps_inputs", "leaves its inputs unchanged", _keeps_inputs)


def _right_shape(trial: Trial) -> Finding | None:
    if trial.seen.value is None and trial.expected.value is not None:
        return Finding(f"your function returned {describe(None)}")
    found = difference(_shapes(trial.seen.value), _shapes(trial.expected.value), trial.tolerance, returns=trial.returns)
    if found is None:
        return None
    told = difference(trial.seen.value, trial.expected.value, trial.tolerance, returns=trial.returns)
    return Finding(told.what if told else found.what, told)


def _shapes(value: Any) -> Any:
    data = as_array(value)
    if data is not None:
        blank = np.zeros(data.shape)
        return Tensor(blank, "float32") if isinstance(value, Tensor) else blank
    if isinstance(value, (tuple, list)):
        return tuple(_shapes(item) for item in value)
    if isinstance(value, dict):
        return {key: _shapes(item) for key, item in value.items()}
    return value


right_shape = Probe("right_shape", "returns arrays of the right shapes", _right_shape)


def _finite(trial: Trial) -> Finding | None:
    for name, data in arrays(trial.seen.value, trial.returns):
        if data.dtype.kind == "f" and not np.isfinite(data).all():
            index = tuple(int(i) for i in np.argwhere(~np.isfinite(data))[0])
            place = f"{name}{list(index) if index else ''}"
            return Finding(
                f"{place} is {number(data[index])}: a sum, an exponential, a root or a division left the range of floats.",
                Difference("", name, index, data, None),
            )
    return None


finite = Probe("finite", "gives finite numbers only", _finite)


def _same_twice(trial: Trial) -> Finding | None:
    _, seen, _ = trial.derived["again"]
    if difference(seen.value, trial.seen.value, trial.tolerance) is None:
        return None
    return Finding(
        "two calls with the same inputs gave two different outputs: something random or remembered is left on."
    )


same_twice = Probe(
    "same_twice", "gives the same output twice", _same_twice, lambda call: {"again": with_arguments(call, call.label)}
)


def same_alone_and_in_a_batch(*names: str) -> Probe:
    """The first item alone gives what it gives beside others. `names`: the arguments with a leading batch axis."""

    def derive(call: Call) -> dict[str, Call]:
        return {"alone": with_arguments(call, call.label, **{name: first(call.given[name]) for name in names})}

    def judge(trial: Trial) -> Finding | None:
        _, alone, _ = trial.derived["alone"]
        for (name, one), (_, all_) in zip(
            arrays(alone.value, trial.returns), arrays(trial.seen.value, trial.returns), strict=False
        ):
            if one.shape[:1] == (1,) and difference(one, all_[:1], trial.tolerance):
                return Finding(f"{name} of the first item changes when other items stand beside it in the batch.")
        return None

    return Probe("same_alone_and_in_a_batch", "treats each item of a batch by itself", judge, derive)


def first(value: Any) -> Any:
    """The first item of a batch, its batch axis kept."""
    return Tensor(value.data[:1], value.dtype) if isinstance(value, Tensor) else value[:1]


def arrays(value: Any, returns: tuple[str, ...] = ()) -> list[tuple[str, Array]]:
    """Every array in an output with its name, in order."""
    data = as_array(value)
    if data is not None:
        return [("the output", data)]
    if isinstance(value, (tuple, list)):
        named = []
        for i, item in enumerate(value):
            if (inner := as_array(item)) is not None:
                named.append((returns[i] if i < len(returns) else f"output[{i}]", inner))
        return named
    return []
