"""Probes for functions that draw at random: no random stream is expected, only what must hold of every draw, and shares.

A share over many draws is held to a bound that a right function misses less than once in a thousand million times: by
Chernoff's inequality the chance that the share of n draws lies at or beyond q is at most exp(−n · KL(q ‖ p)). A check looks at
some two hundred shares, so a right answer fails by chance less than once in a million checks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...formats.values import Array, Tensor
from ..compare import as_array, describe
from .probe import Finding, Probe, Trial

IGNORED = -100
"""The label of what is not judged, PyTorch's own choice."""
_SELDOM = 1e-9
_MANY = 2000
"""From so many draws on, shares are looked at."""
_MASKED, _RANDOM, _KEPT = 0.8, 0.1, 0.1


def far_from(count: int, total: int, low: float, high: float | None = None) -> bool:
    """Whether so many of `total` draws are seen less than once in a thousand million times, where each has a probability from
    `low` to `high`."""
    share, high = count / total, low if high is None else high
    p = low if share < low else high if share > high else None
    return p is not None and total * _divergence(share, p) > -math.log(_SELDOM)


def _divergence(share: float, p: float) -> float:
    """Kullback and Leibler's, of two coins."""
    if p in (0.0, 1.0):
        return 0.0 if share == p else math.inf
    parts = ((share, p), (1 - share, 1 - p))
    return sum(a * math.log(a / b) for a, b in parts if a > 0)


def draws_from(name: str = "generator") -> Probe:
    """All random numbers come from the generator handed in as `name` (see `watched_generator` in the library)."""

    def judge(trial: Trial) -> Finding | None:
        after = trial.seen.facts.get("after")
        told = after.get(name) if isinstance(after, dict) else None
        if not isinstance(told, dict) or not isinstance(trial.expected.value, dict):
            return None
        if told.get("others moved"):
            return Finding(
                f"some of your random numbers do not come from `{name}`: another stream of random numbers (PyTorch's, NumPy's or "
                f"Python's own) was used. Hand `{name}` to each function that draws, so that the same seed gives the same tokens.",
                name="other-generator",
            )
        if trial.expected.value.get("draws") and not told.get("moved"):
            return Finding(
                f"`{name}` is as it was before the call: nothing was drawn from it. All chance in this function comes from there.",
                name="generator-unused",
            )
        return None

    return Probe("draws_from", f"draws from `{name}` alone", judge)


@dataclass(frozen=True)
class _Hiding:
    """A call that hides tokens, in arrays (batch, seq)."""

    ids: Array
    corrupted: Array
    labels: Array
    special: Array
    ordinary: Array
    mask_id: int
    vocab_size: int
    probability: float

    @property
    def labelled(self) -> Array:
        return np.asarray(self.labels != IGNORED)

    @property
    def changed(self) -> Array:
        return np.asarray(self.corrupted != self.ids)


def _hiding(trial: Trial) -> _Hiding | Finding:
    """What was seen; a Finding where it has not the form to be looked at."""
    given, value = trial.call.given, trial.seen.value
    ids = as_array(given["ids"])
    assert ids is not None
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return Finding(
            f"your function returned {describe(value)}; two tensors are asked for, `corrupted` and `labels`.",
            name="not-a-pair",
        )
    found = []
    for name, item in zip(("corrupted", "labels"), value, strict=True):
        data = as_array(item)
        if data is None or not isinstance(item, Tensor):
            return Finding(f"`{name}` is {describe(item)}; a tensor is asked for.", name="no-tensor")
        if data.dtype.kind not in "iu":
            return Finding(
                f"`{name}` holds no integers (its type is {item.dtype}); ids are integers.", name="no-integers"
            )
        if data.shape != ids.shape:
            return Finding(
                f"`{name}` has shape {data.shape}, expected {ids.shape}, the shape of `ids`.", name="other-shape"
            )
        found.append(data)
    special_ids = [int(i) for i in given["special_ids"]]
    size = int(given["vocab_size"])
    return _Hiding(
        ids, found[0], found[1], np.isin(ids, special_ids), np.setdiff1d(np.arange(size), special_ids),
        int(given["mask_id"]), size, float(given.get("probability", 0.15)),
    )  # fmt: skip


def _labels_what_it_chose(trial: Trial) -> Finding | None:
    seen = _hiding(trial)
    if isinstance(seen, Finding):
        return seen
    labelled, changed, labels, ids = seen.labelled, seen.changed, seen.labels, seen.ids
    strange = labelled & (labels != ids)
    if strange.any():
        at = _first(strange)
        there = f"the label at {list(at)} is {labels[at]}"
        fillers = np.unique(labels[strange])
        if labelled.all() and len(fillers) == 1:
            return Finding(
                f"{there}: where no token is chosen your labels hold {fillers[0]}. There they hold {IGNORED}, which no id can be.",
                name="other-filler",
            )
        if (labels[strange] == seen.corrupted[strange]).all():
            return Finding(
                f"{there}, what your code has put in the place of {ids[at]}. A label says what stood there before: the original id.",
                name="labels-corrupted",
            )
        return Finding(
            f"{there}, and `ids` holds {ids[at]} there. A label is the original id where a token is chosen, and {IGNORED} elsewhere.",
            name="labels-wrong",
        )
    if changed.any() and labelled.any() and not (changed & labelled).any():
        return Finding(
            f"your labels are turned round: they hold {IGNORED} where tokens were changed, and ids where nothing was.",
            name="labels-inverted",
        )
    if labelled.all() and seen.special.any():
        return Finding(
            f"every place has a label, those of special tokens too. Where no token is chosen the label is {IGNORED}.",
            name="labels-everywhere",
        )
    unlabelled = changed & ~labelled & ~seen.special
    if unlabelled.any():
        at = _first(unlabelled)
        if (seen.corrupted[labelled] == seen.mask_id).all() and labelled.any():
            return Finding(
                f"only places that became `mask_id` have a label. At {list(at)} the id {ids[at]} became {seen.corrupted[at]}, and its "
                "label is missing. All chosen tokens have a label.",
                name="labels-masked-only",
            )
        return Finding(
            f"at {list(at)} the id {ids[at]} became {seen.corrupted[at]}, and the label there is {IGNORED}. What is not chosen stays as "
            "it is, and what is chosen has a label.",
            name="changed-unlabelled",
        )
    if (seen.special & (labelled | changed)).any():
        at = _first(seen.special & (labelled | changed))
        what = f"`corrupted` holds {seen.corrupted[at]}" if changed[at] else f"the label is {labels[at]}"
        return Finding(
            f"the special token {ids[at]} at {list(at)} was chosen: {what} there. Special tokens are never chosen; they keep their "
            f"places, with the label {IGNORED}.",
            name="special-chosen",
        )
    return None


labels_what_it_chose = Probe(
    "labels_what_it_chose", "labels what it chose, and no special token", _labels_what_it_chose
)


def _hides_by_ordinary_ids(trial: Trial) -> Finding | None:
    seen = _hiding(trial)
    if isinstance(seen, Finding):
        return None
    replaced = seen.changed & (seen.corrupted != seen.mask_id)
    outside = replaced & ((seen.corrupted < 0) | (seen.corrupted >= seen.vocab_size))
    if outside.any():
        at = _first(outside)
        return Finding(
            f"`corrupted{list(at)}` is {seen.corrupted[at]}, which is no id: ids run from 0 to vocab_size − 1 = {seen.vocab_size - 1}.",
            name="outside-the-vocabulary",
        )
    odd = replaced & ~np.isin(seen.corrupted, seen.ordinary)
    if odd.any():
        at = _first(odd)
        return Finding(
            f"`corrupted{list(at)}` is {seen.corrupted[at]}, a special id. A random token is drawn among the ordinary ids only; which ids "
            "are special stands in `special_ids`, and they need not be the first ones.",
            name="special-drawn",
        )
    return None


hides_by_ordinary_ids = Probe(
    "hides_by_ordinary_ids", "puts `mask_id` or ordinary ids in the place of tokens", _hides_by_ordinary_ids
)


def _chooses_the_share(trial: Trial) -> Finding | None:
    seen = _hiding(trial)
    if isinstance(seen, Finding):
        return None
    open_, p = ~seen.special, seen.probability
    chosen = seen.labelled & open_
    total, count = int(open_.sum()), int(chosen.sum())
    if not total:
        return None
    told = f"{count} of {total} ordinary tokens are chosen ({_percent(count / total)})"
    if p in (0.0, 1.0) and count != p * total:
        return Finding(f"with probability={p:g}, {told}; all or none are expected.", name="probability-ignored")
    if total < _MANY:
        return None
    for axis, lines in ((0, "column"), (1, "row")):
        among, of = chosen.sum(axis=axis), open_.sum(axis=axis)
        long = of >= 100
        if 0 < count < total and _mostly((among == 0) | (among == of), long):
            what = "the same places in every sentence" if axis == 0 else "whole sentences"
            return Finding(
                f"your code chooses {what}: in a {lines} of `ids`, either all tokens are chosen or none. Each token is drawn by itself.",
                name=f"chosen-by-{lines}",
            )
    if far_from(count, total, p):
        name, why = next(
            ((name, why) for name, share, why in _causes(p, seen.ids.size / total) if _fits(count, total, share)),
            ("", ""),
        )
        return Finding(
            f"{told}; with probability={p:g} about {_percent(p)} are expected.{why}", name=name or "chosen-share"
        )
    return None


def _causes(p: float, all_to_open: float) -> tuple[tuple[str, float, str], ...]:
    """What the share may be instead of `p`: its name, the share, and the cause in words."""
    return (
        ("nothing-chosen", 0.0, ""),
        ("all-chosen", 1.0, ""),
        ("share-turned", 1 - p, " Is a comparison the wrong way round?"),
        ("probability-ignored", 0.15, " That is the default: does `probability` reach your draw?"),
        ("share-of-all", p * all_to_open, " That is the share of *all* tokens, special ones counted."),
        (
            "kept-unlabelled",
            p * (1 - _KEPT),
            " Have those that stay as they are lost their labels? They count as chosen.",
        ),
        (
            "labels-masked-only",
            p * _MASKED,
            " Have only those that become `mask_id` a label? All chosen tokens have one.",
        ),
        ("chosen-twice", p * p, " That is the probability squared: were they chosen twice?"),
    )


def _fits(count: int, total: int, share: float) -> bool:
    return count == share * total if share in (0.0, 1.0) else share < 1 and not far_from(count, total, share)


chooses_the_share = Probe("chooses_the_share", "chooses the right share of the tokens", _chooses_the_share)

_FATES = (
    ("all-masked", 1.0, 0.0, "Every chosen token becomes `mask_id`."),
    ("all-random", 0.0, 1.0, "Every chosen token becomes a random one."),
    ("none-changed", 0.0, 0.0, "Every chosen token stays as it is."),
    ("never-random", 0.8, 0.0, "None becomes a random ordinary token."),
    ("never-kept", 0.8, 0.2, "None stays as it is."),
    ("never-masked", 0.0, 0.1, "None becomes `mask_id`."),
    (
        "tenth-of-the-rest",
        0.8,
        0.02,
        "Is the tenth taken of what the mask has left over? It is a tenth of all chosen tokens.",
    ),
    ("nine-tenths-masked", 0.9, 0.1, "None stays, and too many are masked."),
    ("random-over-mask", 0.72, 0.1, "Do random tokens overwrite some that were masked already?"),
    ("half-over-mask", 0.4, 0.5, "Does the half that becomes random overwrite tokens that were masked already?"),
    ("random-and-kept-of-all", 0.8, 0.18, "Is the share of those that stay taken of the rest?"),
    ("halves-turned", 0.1, 0.8, "The shares of `mask_id` and random tokens have changed places."),
    ("kept-and-masked-turned", 0.1, 0.1, "The shares of `mask_id` and of those that stay have changed places."),
)


def _shares_out(trial: Trial) -> Finding | None:
    seen = _hiding(trial)
    if isinstance(seen, Finding):
        return None
    chosen = seen.labelled & ~seen.special
    total = int(chosen.sum())
    if total < _MANY:
        return None
    masked, replaced = (
        chosen & (seen.corrupted == seen.mask_id),
        chosen & seen.changed & (seen.corrupted != seen.mask_id),
    )
    counts = int(masked.sum()), int(replaced.sum()), total - int(masked.sum()) - int(replaced.sum())
    for axis, lines in ((0, "column"), (1, "row")):
        among, of = masked.sum(axis=axis), chosen.sum(axis=axis)
        if 0 < masked.sum() < total and _mostly((among == 0) | (among == of), of >= 15):
            return Finding(
                f"in a {lines} of `ids`, either all chosen tokens became `mask_id` or none. What becomes of a token is drawn for each "
                "token by itself.",
                name=f"fate-by-{lines}",
            )
    by_luck = 1 / len(seen.ordinary)  # a random token may be the one that stood there
    wanted = (_MASKED, _MASKED), (_RANDOM * (1 - by_luck), _RANDOM), (_KEPT, _KEPT + _RANDOM * by_luck)
    if any(far_from(count, total, *due) for count, due in zip(counts, wanted, strict=True)):
        name, why = "fates", ""
        for known, m, r, sentence in _FATES:
            due = (m, m), (r * (1 - by_luck), r), (1 - m - r, 1 - m - r + r * by_luck)
            if not any(far_from(count, total, low, high) for count, (low, high) in zip(counts, due, strict=True)):
                name, why = known, f" {sentence}"
                break
        shares = [_percent(count / total) for count in counts]
        return Finding(
            f"of {total} chosen tokens {shares[0]} became `mask_id`, {shares[1]} another ordinary id, and {shares[2]} stayed as they "
            f"were; about 80 %, 10 % and 10 % are expected.{why}",
            name=name,
        )
    return None


shares_out = Probe("shares_out", "hides, replaces and keeps the right shares", _shares_out)


def _draws_evenly(trial: Trial) -> Finding | None:
    seen = _hiding(trial)
    if isinstance(seen, Finding):
        return None
    replaced = seen.changed & (seen.corrupted != seen.mask_id) & ~seen.special
    drawn, before = seen.corrupted[replaced], seen.ids[replaced]
    if len(drawn) < 300 or len(seen.ordinary) < 3:
        return None
    if len(np.unique(drawn)) == 1:
        return Finding(
            f"all random tokens are the same, {drawn[0]}: one was drawn for all. Draw one for each place.",
            name="one-for-all",
        )
    if len(np.unique(drawn - before)) == 1:
        return Finding(
            f"each random token is the old id plus {(drawn - before)[0]}: nothing is random about it.",
            name="not-random",
        )
    most = 1 / (len(seen.ordinary) - 1)
    for number in seen.ordinary:
        count = int((drawn == number).sum())
        if count == 0 and len(drawn) * -math.log1p(-1 / len(seen.ordinary)) > -math.log(_SELDOM * 0.01):
            return Finding(
                f"among {len(drawn)} random tokens the id {number} is missing. Every ordinary id can be drawn, the first and the last as "
                "well, and those that `ids` does not hold.",
                name="never-drawn",
            )
        if count > most * len(drawn) and far_from(count, len(drawn), most):
            return Finding(
                f"the id {number} is {count} of {len(drawn)} random tokens. All {len(seen.ordinary)} ordinary ids are equally likely.",
                name="drawn-too-often",
            )
    for axis, lines in ((0, "column"), (1, "row")):
        if _one_in_each(seen.corrupted, replaced, axis):
            return Finding(
                f"all random tokens in a {lines} of `ids` are the same. Draw one for each place.",
                name=f"one-for-a-{lines}",
            )
    return None


draws_evenly = Probe("draws_evenly", "draws random tokens evenly", _draws_evenly)


def _one_in_each(values: Array, where: Array, axis: int) -> bool:
    """Whether all values at the marked places agree in every row (or column) that has four of them or more."""
    rows, marks = (values.T, where.T) if axis == 0 else (values, where)
    long = [row[mark] for row, mark in zip(rows, marks, strict=True) if mark.sum() >= 4]
    return len(long) > 3 and all(len(np.unique(row)) == 1 for row in long)


def _mostly(holds: Array, among: Array) -> bool:
    """Whether it holds for more than half of those that count, and these are not few."""
    return bool(among.sum() > 20 and holds[among].mean() > 0.5)


def _first(where: Any) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(where)[0])


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
