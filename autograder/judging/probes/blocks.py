"""Probes for the layers of an encoder: what one row's output may depend on, and silence in eval mode."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...formats.cases import Call, Tolerance
from ...formats.values import Array, Tensor
from ..compare import Difference, as_array, close, difference, number
from .probe import Finding, Probe, Trial, with_arguments


def each_row_by_itself(name: str = "x") -> Probe:
    """Changing the last row of the argument `name`, (..., seq, width), moves no other row of the output."""

    def derive(call: Call) -> dict[str, Call]:
        if as_array(call.given[name]) is None:
            return {}
        rows = _given(call, name)
        if rows.ndim < 2:
            return {}
        changed = np.array(rows, copy=True)
        last = (-1,) * (rows.ndim - 1)
        changed[last] = _other(changed[last])
        return {"changed": with_arguments(call, call.label, **{name: _like(call.given[name], changed)})}

    def judge(trial: Trial) -> Finding | None:
        moved = _moved(trial, "changed")
        if moved is None:
            return None
        moved[(-1,) * (moved.ndim - 1)] = False
        if not moved.any():
            return None
        place = _first(np.asarray(moved.any(axis=-1)))
        shape = moved.shape[:-1]
        changed = f"`{name}{[size - 1 for size in shape]}`"
        same_sentence = place[:-1] == tuple(size - 1 for size in shape[:-1])
        kind = "another token of the same sentence" if same_sentence else "a token of another sentence"
        return Finding(
            f"output {list(place)} changes when {changed}, {kind}, changes. Each token's row must be computed from that "
            "row alone.",
            _shown(trial, (*place, 0)),
        )

    return Probe("each_row_by_itself", "treats each token by itself", judge, derive)


def each_sentence_by_itself(name: str = "x") -> Probe:
    """Changing the last sentence of the argument `name`, (batch, seq, width), moves no other sentence's output."""

    def derive(call: Call) -> dict[str, Call]:
        if as_array(call.given[name]) is None:
            return {}
        sentences = _given(call, name)
        if len(sentences) < 2:
            return {}
        changed = np.array(sentences, copy=True)
        changed[-1] = _other(changed[-1])
        return {"changed": with_arguments(call, call.label, **{name: _like(call.given[name], changed)})}

    def judge(trial: Trial) -> Finding | None:
        moved = _moved(trial, "changed")
        if moved is None or not moved[:-1].any():
            return None
        place = _first(moved[:-1])
        return Finding(
            f"the output of sentence {place[0]} changes when sentence {len(moved) - 1} of the batch changes. Each "
            "sentence must be computed by itself.",
            _shown(trial, place),
        )

    return Probe("each_sentence_by_itself", "treats each sentence by itself", judge, derive)


def blind_to_hidden_tokens(name: str = "x", mask: str = "mask") -> Probe:
    """Changing tokens that a mask (batch, 1, 1, seq) hides moves no output of the tokens that it leaves visible."""

    def hidden(call: Call) -> Array | None:
        given = as_array(call.given.get(mask))
        if given is None or given.ndim != 4 or given.shape[1:3] != (1, 1):
            return None
        return ~given[:, 0, 0, :].astype(bool)

    def derive(call: Call) -> dict[str, Call]:
        where = hidden(call)
        if where is None or not where.any():
            return {}
        changed = np.array(_given(call, name), copy=True)
        changed[where] = _other(changed[where])
        return {"changed": with_arguments(call, call.label, **{name: _like(call.given[name], changed)})}

    def judge(trial: Trial) -> Finding | None:
        where = hidden(trial.call)
        moved = _moved(trial, "changed")
        if where is None or moved is None or moved.shape[:2] != where.shape:
            return None
        moved[where] = False
        if not moved.any():
            return None
        place = _first(moved)
        return Finding(
            f"the output of token {place[1]} of sentence {place[0]} changes when only tokens that the mask hides are "
            "changed. Look at how the mask gets to the attention.",
            _shown(trial, place),
        )

    return Probe("blind_to_hidden_tokens", "does not depend on hidden tokens", judge, derive)


def _same_in_eval(trial: Trial) -> Finding | None:
    _, seen, _ = trial.derived["again"]
    found = difference(seen.value, trial.seen.value, trial.tolerance)
    if found is None:
        return None
    told = ""
    if found.seen is not None and found.expected is not None and found.seen.shape == found.expected.shape:
        at = found.index
        told = f" (the output{list(at)} was {number(found.expected[at])}, then {number(found.seen[at])})"
    return Finding(
        f"two calls in eval mode gave two different outputs{told}. Dropout is still on (it must be silent after "
        "`eval()`, as an `nn.Dropout` layer is by itself), or something else is drawn anew at each call."
    )


same_in_eval = Probe(
    "same_in_eval", "is silent in eval mode", _same_in_eval, lambda call: {"again": with_arguments(call, call.label)}
)


def _given(call: Call, name: str) -> Array:
    value: Any = as_array(call.given[name])
    assert value is not None
    return np.asarray(value)


def _like(value: Any, data: Array) -> Any:
    return Tensor(data, value.dtype) if isinstance(value, Tensor) else data


def _other(rows: Array) -> Array:
    """Other numbers of about the same size, and no multiple of the old ones."""
    return (0.5 - np.roll(rows, 1, axis=-1)).astype(rows.dtype)


def _moved(trial: Trial, key: str) -> Array | None:
    """Where the derived call's output differs from the case's own; None where that cannot be told."""
    if key not in trial.derived:
        return None
    _, after, _ = trial.derived[key]
    before, later, due = (as_array(value) for value in (trial.seen.value, after.value, trial.expected.value))
    if before is None or later is None or due is None or not before.shape == later.shape == due.shape:
        return None
    wide = Tolerance(5 * trial.tolerance.relative, 5 * trial.tolerance.absolute)  # two outputs, two roundings
    return np.asarray(~close(later, before, wide))


def _first(where: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(where)[0])


def _shown(trial: Trial, place: tuple[int, ...]) -> Difference:
    return Difference("", "", place, as_array(trial.seen.value), as_array(trial.expected.value))
