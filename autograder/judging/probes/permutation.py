"""Probes for order: what becomes of the outputs when tokens change places."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...formats.cases import Call
from ...formats.values import Array, Tensor
from ..compare import Difference, as_array, difference, number
from .basic import arrays
from .probe import Finding, Probe, Trial, with_arguments


def permutes_with(*names: str, axis: int = -2, **moved: int | tuple[int, ...]) -> Probe:
    """Tokens in another order give the same numbers in that order: permutation equivariance.

    names: the arguments that are reordered together, all in the same way, along `axis`
    moved: for each named output the axis, or axes, along which it follows; an output not named stays as it is
    """
    together = " and ".join(f"`{name}`" for name in names)

    def derive(call: Call) -> dict[str, Call]:
        order = _order(call, names, axis)
        reordered = {name: _taken(call.given[name], order, (axis,)) for name in names}
        return {"reordered": with_arguments(call, call.label, **reordered)} if len(order) > 1 else {}

    def judge(trial: Trial) -> Finding | None:
        if "reordered" not in trial.derived:
            return None
        _, after, _ = trial.derived["reordered"]
        order = _order(trial.call, names, axis)
        before, later = arrays(trial.seen.value, trial.returns), arrays(after.value, trial.returns)
        for (name, one), (_, other) in zip(before, later, strict=False):
            axes = moved.get(name, ())
            axes = (axes,) if isinstance(axes, int) else axes
            if any(not -one.ndim <= a < one.ndim or one.shape[a] != len(order) for a in axes):
                continue  # its shape is wrong, and another probe says so
            wanted = np.asarray(_taken(one, order, axes))
            found = difference(other, wanted, trial.tolerance, name)
            if found is None or other.shape != wanted.shape:
                continue
            index = found.index
            should = "follow" if axes else "stay as it was"
            return Finding(
                f"with the tokens of {together} in the order {order.tolist()}, {name} should {should}; but "
                f"{name}{list(index)} is {number(other[index])} and not {number(wanted[index])}. Something in your "
                "code depends on where a token stands.",
                Difference("", name, index, other, wanted),
            )
        return None

    name = f"permutes_with_{'_and_'.join(names)}"
    return Probe(name, f"follows when the tokens of {together} change places", judge, derive)


def _order(call: Call, names: tuple[str, ...], axis: int) -> Array:
    """The odd places first, then the even ones: for two tokens or more never the order that was."""
    data = as_array(call.given[names[0]])
    assert data is not None
    length = data.shape[axis]
    return np.concatenate([np.arange(1, length, 2), np.arange(0, length, 2)])


def _taken(value: Any, order: Array, axes: tuple[int, ...]) -> Any:
    data = value.data if isinstance(value, Tensor) else value
    for axis in axes:
        data = np.take(data, order, axis=axis)
    return Tensor(data, value.dtype) if isinstance(value, Tensor) else data
