"""Probes for masked attention: what is hidden is as if it were not there.

A mask is boolean, True where a key may be attended to, and broadcasts over (batch, num_heads, seq_q, seq_k).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...formats.cases import Call
from ...formats.values import Array, Tensor
from ..compare import Difference, as_array, close, number
from .basic import arrays
from .probe import Finding, Probe, Trial, with_arguments
from .weights import short_of_one


def visible_rows_sum_to_one(mask: str = "mask", output: str | None = None) -> Probe:
    """Each row of weights sums to 1 where the mask leaves the query a key, and to 0 where it leaves none."""

    def judge(trial: Trial) -> Finding | None:
        named = [(name, data) for name, data in arrays(trial.seen.value, trial.returns) if output in (None, name)]
        if not named or (hidden := _hidden(trial.call, mask, named[0][1].shape)) is None:
            return None
        name, data = named[0]
        sums, wanted = data.astype(np.float64).sum(axis=-1), (~hidden).any(axis=-1).astype(float)
        wrong = ~(np.abs(sums - wanted) < 2e-3)
        if not wrong.any():
            due = [one for one_name, one in arrays(trial.expected.value, trial.returns) if one_name == name]
            return short_of_one(name, data, due[0], -1) if due and due[0].shape == data.shape else None
        row = tuple(int(i) for i in np.argwhere(wrong)[0])
        why = "the mask leaves this query no key at all" if wanted[row] == 0 else "the mask leaves this query a key"
        return Finding(
            f"row {list(row)} of {name} sums to {number(sums[row])}, expected {number(wanted[row])}: {why}.",
            Difference("", name, (*row, 0), data, None),
        )

    return Probe("visible_rows_sum_to_one", "gives rows that sum to 1, or to 0 where all is hidden", judge)


def _blind_to_masked_scores() -> Probe:
    def derive(call: Call) -> dict[str, Call]:
        scores = call.given["scores"]
        hidden = _hidden(call, "mask", scores.data.shape)
        if hidden is None or not hidden.any():
            return {}
        push = np.where(np.arange(scores.data.size).reshape(scores.data.shape) % 2, 1.5, -1.0)
        moved = (scores.data + np.where(hidden, push, 0.0)).astype(scores.data.dtype)
        return {"moved": with_arguments(call, call.label, scores=Tensor(moved, scores.dtype))}

    def judge(trial: Trial) -> Finding | None:
        if "moved" not in trial.derived:
            return None
        _, after, _ = trial.derived["moved"]
        place = _first_moved(trial, after.value, None)
        if place is None:
            return None
        name, index, seen, expected = place
        return Finding(
            f"when only scores that the mask hides were changed, {name}{list(index)} went from "
            f"{number(expected[index])} to {number(seen[index])}. A hidden score must influence no weight.",
        )

    return Probe("blind_to_masked_scores", "does not depend on hidden scores", judge, derive)


blind_to_masked_scores = _blind_to_masked_scores()


def blind_to_masked_keys(*names: str, mask: str = "mask") -> Probe:
    """With one key changed, every query from which the mask hides that key keeps its output and its weights.

    names: the arguments, (batch, num_heads, seq_k, width), that are changed at that key
    """

    def derive(call: Call) -> dict[str, Call]:
        where = _most_hidden(call, mask)
        if where is None or any(call.given[name].dtype == "float16" for name in names):
            return {}  # in float16, other rows of the changed call would not be exact
        key, _ = where
        return {"moved": with_arguments(call, call.label, **{name: _pushed(call.given[name], key) for name in names})}

    def judge(trial: Trial) -> Finding | None:
        where = _most_hidden(trial.call, mask)
        if where is None or "moved" not in trial.derived:
            return None
        key, unseen = where
        _, after, _ = trial.derived["moved"]
        place = _first_moved(trial, after.value, unseen)
        if place is None:
            return None
        name, index, _, _ = place
        both = " and ".join(f"`{argument}`" for argument in names)
        return Finding(
            f"changing {both} at position {key} moved {name}{list(index)}: query {index[-2]} is influenced "
            f"by key {key}, although the mask hides that key from it. Something leaks."
        )

    return Probe("blind_to_masked_keys", "does not depend on hidden keys", judge, derive)


def _hidden(call: Call, mask: str, shape: tuple[int, ...]) -> Array | None:
    """True where the mask hides a key, in the shape of the weights; None where the shapes do not fit."""
    given = as_array(call.given.get(mask))
    if given is None:
        return None
    try:
        return np.asarray(~np.broadcast_to(given.astype(bool), shape))
    except ValueError:
        return None


def _most_hidden(call: Call, mask: str) -> tuple[int, Array] | None:
    """The key that most queries may not see, and which they are, (batch, num_heads, seq_q)."""
    query, key = as_array(call.given["query"]), as_array(call.given["key"])
    if query is None or key is None:
        return None
    hidden = _hidden(call, mask, (*query.shape[:-1], key.shape[-2]))
    if hidden is None or not hidden.any():
        return None
    position = int(hidden.reshape(-1, hidden.shape[-1]).sum(axis=0).argmax())
    return position, hidden[..., position]


def _pushed(value: Any, key: int) -> Any:
    data = np.array(value.data)
    data[..., key, :] += np.where(np.arange(data.shape[-1]) % 2, -1.0, 1.5).astype(data.dtype)
    return Tensor(data, value.dtype)


def _first_moved(trial: Trial, after: Any, rows: Array | None) -> tuple[str, tuple[int, ...], Array, Array] | None:
    """The first output that is not what it was: its name, the place, the numbers after and before."""
    before, later = arrays(trial.seen.value, trial.returns), arrays(after, trial.returns)
    for (name, one), (_, other) in zip(before, later, strict=False):
        if one.shape != other.shape or one.ndim < 2 or (rows is not None and one.shape[:-1] != rows.shape):
            continue  # its shape is wrong, and another probe says so
        moved = ~close(other, one, trial.tolerance)
        if rows is not None:
            moved &= rows[..., None]
        if moved.any():
            return name, tuple(int(i) for i in np.argwhere(moved)[0]), other, one
    return None
