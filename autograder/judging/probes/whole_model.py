"""Probes for decoders: what a place may read, and what greedy decoding owes to each sentence of a batch.

A target place may read itself and earlier places, and the source without its padding. A decoded sentence ends with its
own EOS; behind it stands padding (0). Columns of nothing but padding at the end do not matter.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...formats.cases import Call, Observation
from ...formats.values import Array, Tensor
from ..compare import Difference, as_array, close, difference, number
from .basic import first
from .probe import Finding, Probe, Trial, with_arguments

_PAD = 0
_LETTERS = (4, 5)
"""Two ids that are no specials; every vocabulary in the course has them."""


def blind_to_the_future(name: str, mask: str = "") -> Probe:
    """With the last place of `name`, (batch, seq, ...), changed, no output before that place moves.

    mask: the argument that hides the future; the probe is silent where it is absent or hides nothing
    """

    def derive(call: Call) -> dict[str, Call]:
        data = as_array(call.given.get(name))
        if data is None or data.shape[1] < 2 or (mask and not _is_causal(call.given.get(mask))):
            return {}
        changed = np.array(data)
        changed[:, -1] = _other(data[:, -1])
        return {"later": with_arguments(call, call.label, **{name: Tensor(changed, call.given[name].dtype)})}

    def judge(trial: Trial) -> Finding | None:
        pair = _before_and_after(trial, "later")
        if pair is None:
            return None
        one, other = pair
        last = one.shape[1] - 1
        moved = ~close(other[:, :last], one[:, :last], trial.tolerance)
        if not moved.any():
            return None
        index = tuple(int(i) for i in np.argwhere(moved)[0])
        return Finding(
            f"the output at place {index[1]} changes when `{name}` changes at place {last}, which comes later. "
            "Either the future leaks (at each place only this place and earlier ones may be read), or something random, "
            "dropout say, is still on.",
            Difference("", "", index, one, as_array(trial.expected.value)),
        )

    return Probe("blind_to_the_future", "reads nothing from later places", judge, derive)


def hears(name: str) -> Probe:
    """With the first place of `name` changed, something in the output moves."""

    def derive(call: Call) -> dict[str, Call]:
        data = as_array(call.given.get(name))
        if data is None or not data.size or call.method != "forward" or (call.init or {}).get("dropout") == 1:
            return {}  # dropout, rightly or wrongly on, would hide it all
        changed = np.array(data)
        changed[:, 0] = _other(data[:, 0])
        return {"changed": with_arguments(call, call.label, **{name: Tensor(changed, call.given[name].dtype)})}

    def judge(trial: Trial) -> Finding | None:
        pair = _before_and_after(trial, "changed")
        if pair is None or not close(pair[1], pair[0], trial.tolerance).all():
            return None
        return Finding(f"changing `{name}` at its first place moves nothing in the output: it is not read at all.")

    return Probe("hears", "reads what it is given", judge, derive)


def blind_to_padding(name: str) -> Probe:
    """Two more columns of padding behind `name`, (batch, seq) ids, leave the output as it is."""

    def derive(call: Call) -> dict[str, Call]:
        data = as_array(call.given.get(name))
        if data is None or call.method != "forward":
            return {}
        longer = np.pad(data, ((0, 0), (0, 2)), constant_values=_PAD)
        return {"padded": with_arguments(call, call.label, **{name: Tensor(longer, call.given[name].dtype)})}

    def judge(trial: Trial) -> Finding | None:
        pair = _before_and_after(trial, "padded")
        if pair is None or close(pair[1], pair[0], trial.tolerance).all():
            return None
        return Finding(
            f"two more columns of padding behind `{name}` change the output: padding is read as if it were tokens. "
            "A sentence must give the same alone and beside longer ones."
        )

    return Probe("blind_to_padding", "does not read padding", judge, derive)


def _right_sentences(trial: Trial) -> Finding | None:
    seen, expected = trial.seen.value, trial.expected.value
    one, other = as_array(seen), as_array(expected)
    assert other is not None
    if one is None or not isinstance(seen, Tensor) or one.ndim != 2 or len(one) != len(other):
        found = difference(seen, expected, trial.tolerance)
        return Finding(found.what, found) if found else None
    if one.dtype.kind not in "iu":
        return Finding("the output holds no integers; ids are integers.")
    one, other = _without_empty_columns(one), _without_empty_columns(other)
    width = max(one.shape[1], other.shape[1])
    one, other = (np.pad(ids, ((0, 0), (0, width - ids.shape[1])), constant_values=_PAD) for ids in (one, other))
    for row in range(len(one)):
        if not np.array_equal(one[row], other[row]):
            return Finding(
                f"sentence {row} is {_spelled(one[row])}, expected {_spelled(other[row])}.",
                Difference("", "", (row, int(np.argmax(one[row] != other[row]))), one, other),
            )
    return None


right_sentences = Probe("right_sentences", "gives the expected sentences", _right_sentences)


def _nothing_after_eos(trial: Trial) -> Finding | None:
    ids, eos = as_array(trial.seen.value), trial.argument("eos_id") or 2
    if ids is None or ids.ndim != 2:
        return None
    for row, sentence in enumerate(ids):
        ends = np.flatnonzero(sentence == eos)
        if ends.size and (sentence[ends[0] + 1 :] != _PAD).any():
            return Finding(
                f"sentence {row} goes on after its EOS ({eos}): {_spelled(sentence)}. Behind the first EOS stands padding, 0."
            )
    return None


nothing_after_eos = Probe("nothing_after_eos", "ends each sentence at its own EOS", _nothing_after_eos)


def _alone(call: Call) -> dict[str, Call]:
    return {"alone": with_arguments(call, call.label, source=first(call.given["source"]))}


def _same_sentence_alone(trial: Trial) -> Finding | None:
    alone, batch = as_array(trial.derived["alone"][1].value), as_array(trial.seen.value)
    if alone is None or batch is None or alone.ndim != 2 or batch.ndim != 2:
        return None
    one, other = (_without_empty_columns(ids[:1])[0] for ids in (alone, batch))
    if np.array_equal(one, other):
        return None
    return Finding(f"sentence 0 alone is {_spelled(one)}; beside the others of its batch it is {_spelled(other)}.")


same_sentence_alone = Probe(
    "same_sentence_alone", "decodes a sentence alone as in a batch", _same_sentence_alone, _alone
)


def _encodes_once(trial: Trial) -> Finding | None:
    read, enough = _seen_of_model(trial.seen, "sentences encoded"), _seen_of_model(trial.expected, "sentences encoded")
    if read is None or not enough or read <= enough:  # one by one or all together: each sentence once
        return None
    return Finding(
        f"the encoder read the source {number(read / enough)} times for one translation. What it returns does not change "
        "while the target grows: run it once, before the loop."
    )


encodes_once = Probe("encodes_once", "reads the source once", _encodes_once)


def _never(name: str, title: str, fact: str, message: str) -> Probe:
    """What the watched model must not have counted."""

    def judge(trial: Trial) -> Finding | None:
        return Finding(message) if _seen_of_model(trial.seen, fact) else None

    return Probe(name, title, judge)


stops_in_time = _never(
    "stops_in_time",
    "stops when every sentence has ended",
    "goes on when all have ended",
    "the decoder is called again when every sentence that it is given has ended. Stop then: each further step costs as "
    "much as the others.",
)
decodes_in_eval_mode = _never(
    "decodes_in_eval_mode",
    "decodes without dropout",
    "ran in training mode",
    "the model runs in training mode while it decodes, so dropout switches numbers off at random. Decode in "
    "evaluation mode.",
)


def _restores_the_mode(trial: Trial) -> Finding | None:
    now, was = (_seen_of_model(seen, "in training mode afterwards") for seen in (trial.seen, trial.expected))
    if now is None or bool(now) == bool(was):
        return None
    names = {True: "training", False: "evaluation"}
    return Finding(
        f"the model came in {names[bool(was)]} mode and was left in {names[bool(now)]} mode. Leave it as it came: a "
        "training loop that translates a few sentences in between would go on in the wrong mode."
    )


restores_the_mode = Probe("restores_the_mode", "leaves the model in the mode it came in", _restores_the_mode)


def _seen_of_model(seen: Observation, name: str) -> float | None:
    """A number that the watched model told of itself. It can only take points away, so anything odd counts as unseen."""
    after = seen.facts.get("after")
    told = after.get("model") if isinstance(after, dict) else None
    value = as_array(told.get(name)) if isinstance(told, dict) else None
    return float(value) if value is not None and value.ndim == 0 else None


def _is_causal(mask: Any) -> bool:
    data = as_array(mask)
    return data is not None and data.ndim >= 2 and data.shape[-2] > 1 and not data[..., :-1, -1].any()


def _other(values: Array) -> Array:
    """Other values of the same kind: another letter for an id, a pushed vector for a float."""
    if values.dtype.kind in "iu":
        return np.where(values == _LETTERS[0], _LETTERS[1], _LETTERS[0]).astype(values.dtype)
    return (values + np.where(np.arange(values.shape[-1]) % 2, -1.0, 1.5)).astype(values.dtype)


def _before_and_after(trial: Trial, key: str) -> tuple[Array, Array] | None:
    if key not in trial.derived:
        return None
    one, other = as_array(trial.seen.value), as_array(trial.derived[key][1].value)
    if one is None or other is None or one.shape != other.shape or one.ndim < 3:
        return None  # its shape is wrong, and another probe says so
    return one, other


def _without_empty_columns(ids: Array) -> Array:
    used = np.flatnonzero((ids != _PAD).any(axis=0))
    return ids[:, : int(used[-1]) + 1] if used.size else ids[:, :0]


def _spelled(sentence: Array) -> str:
    return "`" + (" ".join(str(int(token)) for token in sentence) or "nothing") + "`"
