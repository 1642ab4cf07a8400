"""Probes for searches that write sentences, and for counts of what they wrote.

A search returns `(ids, scores)`: ids (batch, length) without BOS, each sentence ended by EOS and padded after it.
Columns at the end that hold nothing but padding are not judged: how far a search looked is its own affair.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...formats.cases import Call
from ...formats.values import Array, Tensor
from ..compare import Difference, difference, number
from .basic import first
from .probe import Finding, Probe, Trial, in_any_order, with_arguments

PAD, BOS, EOS = 0, 1, 2


def _ids(value: Any, kinds: str = "iu") -> Array | None:
    """The ids of a search's result, (batch, length), or None where there are none of these kinds."""
    if not isinstance(value, (tuple, list)) or not value or not isinstance(value[0], Tensor):
        return None
    data = value[0].data
    return data if data.ndim == 2 and data.dtype.kind in kinds else None


def _words(row: Array) -> Array:
    """A sentence without the padding at its end."""
    kept = np.flatnonzero(row != PAD)
    return row[: kept[-1] + 1 if len(kept) else 0]


def _told(words: Array, most: int = 12) -> str:
    """A sentence's ids, as many as are easily read."""
    words = words.astype(np.int64) if np.isfinite(words).all() else words
    return (
        f"{words.tolist()}"
        if len(words) <= most
        else f"[{', '.join(map(str, words[:most].tolist()))}, and {len(words) - most} more]"
    )


def _trimmed(value: Any) -> Any:
    """The same result, its ids without columns of padding at the end."""
    ids = _ids(value)
    if ids is None:
        return value
    used = np.flatnonzero((ids != PAD).any(axis=0))
    width = int(used[-1]) + 1 if len(used) else 0
    return (Tensor(ids[:, :width], value[0].dtype), *value[1:])


def _same_sentences(trial: Trial) -> Finding | None:
    seen, expected = _trimmed(trial.seen.value), _trimmed(trial.expected.value)
    found = difference(seen, expected, trial.tolerance, returns=trial.returns)
    if found is None:
        return None
    one, other = _ids(seen, kinds="iuf"), _ids(expected)
    if (
        one is None
        and isinstance(seen, (tuple, list))
        and seen
        and isinstance(seen[0], Tensor)
        and seen[0].data.ndim == 3
    ):
        return Finding(
            f"{found.what} One sentence for each source is asked for: the best of all that were put aside.", found
        )
    if one is None or other is None or len(one) != len(other):
        return Finding(found.what, found)
    for place, (mine, theirs) in enumerate(zip(map(_words, one), map(_words, other), strict=True)):
        if not len(mine) and EOS not in theirs:
            return Finding(
                f"sentence {place} comes out empty, expected {_told(theirs)}. This one has no EOS: what is "
                "live after `max_len` tokens counts as well.",
                found,
            )
        if not np.array_equal(mine, theirs):
            return Finding(f"sentence {place} comes out as {_told(mine)}, expected {_told(theirs)}.", found)
    return Finding(found.what, found)


same_sentences = Probe("same_sentences", "finds the expected sentences and scores", _same_sentences, view=_trimmed)


def _ends_at_eos(trial: Trial) -> Finding | None:
    ids = _ids(trial.seen.value)
    if ids is None:
        return None
    for place, row in enumerate(ids):
        ends = np.flatnonzero(row == EOS)
        after = row[ends[0] + 1 :] if len(ends) else row[:0]
        if (after != PAD).any():
            index = (place, int(ends[0]) + 1 + int(np.flatnonzero(after != PAD)[0]))
            return Finding(
                f"sentence {place} goes on after its EOS: behind id {EOS} stands {number(ids[index])}. A finished "
                "sentence is followed by padding and nothing else.",
                Difference("", "ids", index, ids, _ids(trial.expected.value)),
            )
    return None


ends_at_eos = Probe("ends_at_eos", "writes nothing but padding after EOS", _ends_at_eos)


def _no_bos(trial: Trial) -> Finding | None:
    ids = _ids(trial.seen.value)
    if ids is None or not (ids == BOS).any():
        return None
    index = tuple(int(i) for i in np.argwhere(ids == BOS)[0])
    where = "It starts the search and is no part of the sentence that comes back."
    if index[1]:
        where = "It stands inside a sentence, and the model hardly ever says it: by which numbers was this word chosen?"
    return Finding(
        f"ids{list(index)} is {BOS}, the BOS. {where}",
        Difference("", "ids", index, ids, _ids(trial.expected.value)),
    )


no_bos = Probe("no_bos", "returns sentences without BOS", _no_bos)


def _each_sentence_alone(call: Call) -> dict[str, Call]:
    source: Any = call.given["source"]
    if len(source.data) < 2:
        return {}
    return {"alone": with_arguments(call, f"{call.label}; its first sentence alone", source=first(source))}


def _by_itself(trial: Trial) -> Finding | None:
    if "alone" not in trial.derived:
        return None
    alone, beside = _ids(trial.derived["alone"][1].value), _ids(trial.seen.value)
    if alone is None or beside is None or len(alone) != 1 or not len(beside):
        return None
    one, other = _words(alone[0]), _words(beside[0])
    if np.array_equal(one, other):
        return None
    return Finding(
        f"the first sentence comes out as {_told(other)} beside others, and as {_told(one)} alone. Either sentences of a "
        "batch get into each other's way, or your search does not find the same thing twice."
    )


searches_each_sentence_by_itself = Probe(
    "searches_each_sentence_by_itself", "searches each sentence by itself", _by_itself, _each_sentence_alone
)


def _same_counts(trial: Trial) -> Finding | None:
    seen, expected = trial.seen.value, trial.expected.value
    if isinstance(seen, dict) and any(key.startswith("frozenset(") for key in seen):
        return Finding(
            "your keys are sets: a set forgets the order of its tokens, and how often each stands there. Keys are tuples."
        )
    if isinstance(seen, dict) and isinstance(expected, dict):  # a count has no order
        missing, extra = [key for key in expected if key not in seen], [key for key in seen if key not in expected]
        if missing or extra:
            what = (
                f"{missing[0]} is not counted"
                if missing
                else f"{extra[0]} is counted, and it is no n-gram of these tokens"
            )
            return Finding(
                f"{what}. Your keys: {', '.join(list(seen)[:4]) or 'none'}; expected: {', '.join(list(expected)[:4]) or 'none'}."
            )
        seen = {key: seen[key] for key in expected}
    found = difference(seen, expected, trial.tolerance, returns=trial.returns)
    return Finding(found.what, found) if found else None


same_counts = Probe("same_counts", "counts every n-gram", _same_counts, view=in_any_order)
