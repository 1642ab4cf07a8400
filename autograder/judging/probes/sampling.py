"""Probes for functions that draw the next token from logits: what can never be drawn, shares, and each row by itself.

No random stream is expected. What is expected follows from the call's own arguments: `logits` (batch, vocab_size),
`temperature`, `top_k` and `top_p`, applied in this order. Shares are held to the bound of `chance.far_from`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ...formats.values import Array, Tensor
from ..compare import as_array, describe, number
from .chance import far_from
from .probe import Finding, Probe, Trial

_ENOUGH = 800
"""From so many rows with the same logits on, shares are looked at."""


@dataclass(frozen=True)
class _Knobs:
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None


@dataclass(frozen=True)
class _Draws:
    """A call in which something is drawn: its different rows of logits, and how often each token came for each of them."""

    rows: Array
    which: Array
    drawn: Array
    knobs: _Knobs

    @property
    def counts(self) -> Array:
        found = np.zeros(self.rows.shape, dtype=np.int64)
        np.add.at(found, (self.which, self.drawn), 1)
        return found


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _ranks(values: Array) -> Array:
    """The place of each entry when its row is sorted, the largest first; the smaller id first among equals."""
    return np.asarray(np.argsort(np.argsort(-values, axis=-1, kind="stable"), axis=-1, kind="stable"))


def _top_k(logits: Array, k: int | None) -> Array:
    return logits if k is None else np.where(_ranks(logits) < k, logits, -np.inf)


def _before(chances: Array) -> Array:
    """For each token, what the likelier ones add up to."""
    ranks = _ranks(chances)
    falling = np.take_along_axis(chances, np.argsort(ranks, axis=-1), axis=-1)
    return np.asarray(np.take_along_axis(np.cumsum(falling, axis=-1) - falling, ranks, axis=-1))


def _renormed(chances: Array) -> Array:
    total = chances.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(chances, total, out=np.zeros_like(chances), where=total > 0))


def _top_p(chances: Array, p: float | None) -> Array:
    return chances if p is None else _renormed(np.where(_before(chances) < p, chances, 0.0))


def _due(rows: Array, knobs: _Knobs) -> Array:
    """The probability of each token, as the exercise asks."""
    return _top_p(_softmax(_top_k(rows / knobs.temperature, knobs.top_k)), knobs.top_p)


def _may_come(rows: Array, knobs: _Knobs) -> Array:
    """Which tokens may be drawn where any of several equal ones may go first."""
    kept = np.isfinite(rows)
    if knobs.top_k is not None and knobs.top_k < rows.shape[-1]:
        kept &= rows >= -np.sort(-rows, axis=-1)[:, knobs.top_k - 1 : knobs.top_k]
    if knobs.top_p is not None:
        chances = _softmax(_top_k(rows / knobs.temperature, knobs.top_k))
        chances = np.where(kept, _softmax(np.where(kept, rows / knobs.temperature, -np.inf)), 0.0)
        likelier = (chances[:, None, :] > chances[:, :, None] * (1 + 1e-9)) * chances[:, None, :]
        kept &= likelier.sum(axis=-1) < knobs.top_p
    return kept


Chances = Callable[[Array, _Knobs], Array]


def _unsorted_nucleus(rows: Array, knobs: _Knobs) -> Array:
    chances = _softmax(_top_k(rows / knobs.temperature, knobs.top_k))
    return _renormed(np.where(np.cumsum(chances, axis=-1) - chances < (knobs.top_p or 1.0), chances, 0.0))


def _not_put_back(rows: Array, knobs: _Knobs) -> Array:
    """The places of the sorted row are taken for ids."""
    return np.asarray(-np.sort(-_due(rows, knobs), axis=-1))


def _short_nucleus(rows: Array, knobs: _Knobs) -> Array:
    chances = _softmax(_top_k(rows / knobs.temperature, knobs.top_k))
    kept = (_before(chances) + chances <= (knobs.top_p or 1.0)) | (_ranks(chances) == 0)
    return _renormed(np.where(kept, chances, 0.0))


def _long_nucleus(rows: Array, knobs: _Knobs) -> Array:
    chances = _softmax(_top_k(rows / knobs.temperature, knobs.top_k))
    kept = (_before(chances) < (knobs.top_p or 1.0)).sum(axis=-1, keepdims=True) + 1
    return _renormed(np.where(_ranks(chances) < kept, chances, 0.0))


def _tail(rows: Array, knobs: _Knobs) -> Array:
    """The nucleus gathered from the least likely token on."""
    chances = _softmax(_top_k(rows / knobs.temperature, knobs.top_k))
    rising = 1.0 - _before(chances) - chances
    return _renormed(np.where(rising < (knobs.top_p or 1.0), chances, 0.0))


def _p_of_all(rows: Array, knobs: _Knobs) -> Array:
    """top_p on the probabilities as they were before top_k."""
    chances = _softmax(rows / knobs.temperature)
    kept = (_before(chances) < (knobs.top_p or 1.0)) & (_ranks(rows) < (knobs.top_k or rows.shape[-1]))
    return _renormed(np.where(kept, chances, 0.0))


def _temperature_last(rows: Array, knobs: _Knobs) -> Array:
    kept = _due(rows, _Knobs(1.0, knobs.top_k, knobs.top_p)) > 0
    return _softmax(np.where(kept, rows / knobs.temperature, -np.inf))


def _nucleus_of_smallest(rows: Array, knobs: _Knobs) -> Array:
    """Single probabilities compared with top_p."""
    chances = _softmax(_top_k(rows / knobs.temperature, knobs.top_k))
    return _renormed(np.where((chances >= (knobs.top_p or 0.0)) | (_ranks(chances) == 0), chances, 0.0))


def _filled_with_zeros(rows: Array, knobs: _Knobs) -> Array:
    scaled = rows / knobs.temperature
    return _top_p(_softmax(np.where(_ranks(scaled) < (knobs.top_k or rows.shape[-1]), scaled, 0.0)), knobs.top_p)


def _evenly(rows: Array, knobs: _Knobs) -> Array:
    return _renormed((_due(rows, knobs) > 0).astype(float))


_CAUSES: tuple[tuple[str, Chances, str], ...] = (
    ("temperature-ignored", lambda rows, k: _due(rows, _Knobs(1.0, k.top_k, k.top_p)), "These are the shares of temperature 1."),
    ("temperature-multiplied", lambda rows, k: _due(rows, _Knobs(1 / k.temperature, k.top_k, k.top_p)), "Your logits are multiplied by the temperature. A low one makes likely tokens likelier still."),
    ("temperature-twice", lambda rows, k: _due(rows, _Knobs(k.temperature**2, k.top_k, k.top_p)), "The temperature is applied twice."),
    ("root-of-temperature", lambda rows, k: _due(rows, _Knobs(k.temperature**0.5, k.top_k, k.top_p)), "Your logits are divided by the root of the temperature."),
    ("top-k-ignored", lambda rows, k: _due(rows, _Knobs(k.temperature, None, k.top_p)), "These are the shares without `top_k`."),
    ("top-p-ignored", lambda rows, k: _due(rows, _Knobs(k.temperature, k.top_k, None)), "These are the shares without `top_p`."),
    ("all-ignored", lambda rows, k: _due(rows, _Knobs()), "These are the shares of a plain softmax, without any filter."),
    ("top-k-one-more", lambda rows, k: _due(rows, _Knobs(k.temperature, k.top_k and k.top_k + 1, k.top_p)), "One token more than `top_k` is kept."),
    ("top-k-one-fewer", lambda rows, k: _due(rows, _Knobs(k.temperature, k.top_k and max(1, k.top_k - 1), k.top_p)), "One token fewer than `top_k` is kept."),
    ("smallest-kept", lambda rows, k: _due(np.where(_ranks(-np.where(np.isfinite(rows), rows, np.inf)) < (k.top_k or rows.shape[-1]), rows, -np.inf), _Knobs(k.temperature, None, k.top_p)), "Your `top_k` keeps the **smallest** logits."),
    ("p-before-k", _p_of_all, "Your `top_p` looks at the probabilities of all tokens. It looks at those of what `top_k` has left, which add up to 1 again."),
    ("temperature-last", _temperature_last, "Your filters look at the probabilities without the temperature. It comes first."),
    ("nucleus-short", _short_nucleus, "The token with which the sum reaches `top_p` is left out. It belongs to the nucleus."),
    ("nucleus-long", _long_nucleus, "Your nucleus has one token too many: the sum has reached `top_p` before it."),
    ("nucleus-unsorted", _unsorted_nucleus, "Your nucleus is gathered in the order of the ids. It takes the likeliest tokens first."),
    ("nucleus-of-the-unlikely", _tail, "Your nucleus is gathered from the least likely token on."),
    ("nucleus-of-single-chances", _nucleus_of_smallest, "Single probabilities are compared with `top_p`. It is their sum, from the likeliest on, that has to reach it."),
    ("order-not-restored", _not_put_back, "Your tokens are places in the *sorted* row. Each of them has to be turned back into an id."),
    ("softmax-twice", lambda rows, k: _top_p(_softmax(_top_k(_softmax(rows / k.temperature), k.top_k)), k.top_p), "A softmax is taken of probabilities. It is taken once, of the logits."),
    ("evenly", _evenly, "All tokens that are left come equally often. They are drawn in proportion to their probabilities."),
    ("always-the-largest", lambda rows, k: (_ranks(rows) == 0).astype(float), "The likeliest token comes every time: nothing is drawn."),
    ("zero-for-filtered", _filled_with_zeros, "What `top_k` takes out gets the logit 0 in your code, and exp 0 is 1. It gets −∞."),
)  # fmt: skip


def _fits(counts: Array, chances: Array) -> bool:
    """Whether so many draws may come from these chances, row by row."""
    if not np.isfinite(chances).all() or (counts[chances <= 0] > 0).any():
        return False
    return not any(
        far_from(int(count), int(total), float(chance))
        for row, due, total in zip(counts, chances, counts.sum(axis=-1), strict=True)
        for count, chance in zip(row, due, strict=True)
        if 0 < chance < 1 or count != total * chance
    )


def _knobs(trial: Trial) -> _Knobs:
    given = trial.call.given
    top_k, top_p = given.get("top_k"), given.get("top_p")
    return _Knobs(
        float(given.get("temperature", 1.0)),
        None if top_k is None else int(top_k),
        None if top_p is None else float(top_p),
    )


def _logits(trial: Trial) -> Array:
    logits = as_array(trial.call.given["logits"])
    assert logits is not None
    return logits.astype(np.float64)


def _ids(trial: Trial) -> Array | None:
    """The tokens that came back; None where they have not the form of tokens."""
    value, logits = trial.seen.value, _logits(trial)
    data = as_array(value)
    if data is None or not isinstance(value, Tensor) or data.dtype.kind not in "iu" or data.shape != logits.shape[:1]:
        return None
    return data if ((data >= 0) & (data < logits.shape[-1])).all() else None


def _gives_tokens(trial: Trial) -> Finding | None:
    value, logits = trial.seen.value, _logits(trial)
    data = as_array(value)
    if data is None or not isinstance(value, Tensor):
        return Finding(
            f"your function returned {describe(value)}; a tensor is asked for, a token for each row.", name="no-tensor"
        )
    if data.shape != logits.shape[:1]:
        extra = " An axis of length 1 is left over." if data.shape == (len(logits), 1) else ""
        return Finding(
            f"your tokens have shape {data.shape}, expected ({len(logits)},): one for each row.{extra}",
            name="other-shape",
        )
    if data.dtype.kind not in "iu":
        return Finding(
            f"your tokens are no integers (their type is {value.dtype}); a token is an id.", name="no-integers"
        )
    outside = (data < 0) | (data >= logits.shape[-1])
    if outside.any():
        return Finding(
            f"row {int(np.argmax(outside))} got {data[outside][0]}, which is no id: ids run from 0 to {logits.shape[-1] - 1}.",
            name="outside-the-vocabulary",
        )
    return None


gives_tokens = Probe("gives_tokens", "gives a token for each row", _gives_tokens)


def _is_greedy_at_zero(trial: Trial) -> Finding | None:
    ids, logits = _ids(trial), _logits(trial)
    if ids is None or _knobs(trial).temperature != 0:
        return None
    lower = np.take_along_axis(logits, ids[:, None], axis=1)[:, 0] < logits.max(axis=1)
    if not lower.any():
        return None
    row = int(np.argmax(lower))
    return Finding(
        f"with temperature 0, row {row} got token {ids[row]}, whose logit is {number(logits[row, ids[row]])}; the largest is "
        f"{number(logits[row].max())}, token {int(logits[row].argmax())}. 0 means greedy, whatever `top_k` and `top_p` are.",
        name="not-greedy",
    )


is_greedy_at_zero = Probe("is_greedy_at_zero", "takes the largest logit at temperature 0", _is_greedy_at_zero)


def _draws(trial: Trial) -> _Draws | None:
    ids, knobs = _ids(trial), _knobs(trial)
    if ids is None or knobs.temperature == 0:
        return None
    rows, which = np.unique(_logits(trial), axis=0, return_inverse=True)
    return _Draws(rows, which.ravel(), ids, knobs)


def _told(seen: _Draws) -> str:
    named = {"temperature": seen.knobs.temperature, "top_k": seen.knobs.top_k, "top_p": seen.knobs.top_p}
    given = [
        f"{name}={value:g}"
        for name, value in named.items()
        if value is not None and (name, value) != ("temperature", 1.0)
    ]
    return f"with {' and '.join(given)}" if given else "without any filter"


def _cause(seen: _Draws) -> tuple[str, str]:
    """Of the causes from which all that was drawn may come, the one that makes it likeliest: its name and its sentence.

    Few draws fit many causes, and name none.
    """
    if len(seen.drawn) < _ENOUGH:
        return "", ""
    best, found = -math.inf, ("", "")
    with np.errstate(all="ignore"):
        for name, chances_of, why in _CAUSES:
            chances = chances_of(seen.rows, seen.knobs)
            if not _fits(seen.counts, chances):
                continue
            drawn = seen.counts > 0
            likelihood = float((seen.counts[drawn] * np.log(chances[drawn])).sum())
            if likelihood > best + 1e-6:  # of two that come to the same, the first one
                best, found = likelihood, (name, why)
    return found


def _each_row_by_itself(trial: Trial) -> Finding | None:
    seen = _draws(trial)
    if seen is None or len(seen.drawn) < _ENOUGH:
        return None
    due = _due(seen.rows, seen.knobs)
    counts = seen.counts
    long = counts.sum(axis=-1) >= _ENOUGH
    if long.any() and (due[long].max(axis=-1) < 0.95).all() and ((counts[long] > 0).sum(axis=-1) == 1).all():
        if (due.argmax(axis=-1)[seen.which] == seen.drawn).all():  # a cause of its own, among the others
            return None
        return Finding(
            "all rows with the same logits got the same token: one number was drawn for all. Each row is drawn by itself.",
            name="one-for-all",
        )
    return None


draws_each_row = Probe("draws_each_row", "draws each row by itself", _each_row_by_itself)


def _may_be_drawn(trial: Trial) -> Finding | None:
    seen = _draws(trial)
    if seen is None:
        return None
    barred = (seen.counts > 0) & ~_may_come(seen.rows, seen.knobs)
    if not barred.any():
        return None
    row, token = (int(i) for i in np.argwhere(barred)[0])
    place = int(np.flatnonzero((seen.which == row) & (seen.drawn == token))[0])
    logit = seen.rows[row, token]
    name, why = _cause(seen)
    if not np.isfinite(logit):
        return Finding(
            f"row {place} got token {token}, whose logit is −∞. Such a token is never drawn.{' ' * bool(why)}{why}",
            name=name or "never-possible",
        )
    due = np.count_nonzero(_due(seen.rows, seen.knobs)[row])
    return Finding(
        f"{_told(seen)}, row {place} got token {token}, which is not among the {due} that can be drawn there.{' ' * bool(why)}{why}",
        name=name or "filtered-out",
    )


draws_what_may_come = Probe("draws_what_may_come", "draws nothing that is filtered out", _may_be_drawn)


def _right_shares(trial: Trial) -> Finding | None:
    seen = _draws(trial)
    if seen is None:
        return None
    due, counts = _due(seen.rows, seen.knobs), seen.counts
    if ((due > 0) != _may_come(seen.rows, seen.knobs)).any():  # ties: any of the equal ones may be in
        return None
    totals = counts.sum(axis=-1)
    for row, token in _by_distance(counts, due):
        if totals[row] >= _ENOUGH and far_from(int(counts[row, token]), int(totals[row]), float(due[row, token])):
            name, why = _cause(seen)
            return Finding(
                f"{_told(seen)}, token {token} came in {100 * counts[row, token] / totals[row]:.1f} % of {totals[row]} rows with the same logits; "
                f"about {100 * due[row, token]:.1f} % are expected.{' ' * bool(why)}{why}",
                name=name or "shares",
            )
    return None


def _by_distance(counts: Array, due: Array) -> Iterator[tuple[int, int]]:
    """Places of the table, the one whose share is farthest from the due one first."""
    far = np.abs(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1) - due)
    for place in np.argsort(-far, axis=None, kind="stable"):
        row, token = np.unravel_index(place, far.shape)
        yield int(row), int(token)


draws_in_proportion = Probe("draws_in_proportion", "draws in proportion to the probabilities", _right_shares)
