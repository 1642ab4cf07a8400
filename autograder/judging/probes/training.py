"""Probes for vocabularies, losses, and what a training step does to a model and tells of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...formats.cases import Call
from ...formats.values import Fixture, Tensor
from ..compare import as_array, difference, number
from .probe import Finding, Probe, Trial, in_any_order, with_arguments

_SPECIALS = {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3}


def _knows_specials(trial: Trial) -> Finding | None:
    seen = trial.seen.value
    if not isinstance(seen, dict):
        return None
    for token, due in _SPECIALS.items():
        if token not in seen:
            return Finding(f"your dict has no entry {token}.")
        if as_array(seen[token]) is None or difference(seen[token], due, trial.tolerance):
            return Finding(f"{token} has the id {_told(seen[token])}, expected {due}.")
    return None


knows_specials = Probe("knows_specials", "gives the special tokens their ids", _knows_specials)


def _same_entries(trial: Trial) -> Finding | None:
    """Equality of dicts whatever the order in which their entries were made: the ids say it all."""
    seen, expected = trial.seen.value, trial.expected.value
    if not isinstance(seen, dict) or not isinstance(expected, dict):
        found = difference(seen, expected, trial.tolerance)
        return Finding(found.what, found) if found else None
    missing = [token for token in expected if token not in seen]
    extra = [token for token in seen if token not in expected]
    sequences = trial.argument("sequences")
    given = (
        {token for sequence in sequences for token in sequence} if isinstance(sequences, (list, tuple)) else set(extra)
    )
    if strange := [token for token in extra if token not in given and token not in _SPECIALS]:
        return Finding(f"your dict has an entry {strange[0]!r}, which stands in none of the sequences of this call.")
    if missing:
        count = (
            f"{len(seen)} entries where {len(expected)} are expected"
            if not extra
            else f"an entry {extra[0]!r} that should not be there"
        )
        return Finding(f"your dict has no entry {missing[0]!r}, and {count}.")
    if extra:
        return Finding(f"your dict has an entry {extra[0]!r} that should not be there.")
    for token, due in expected.items():
        if as_array(seen[token]) is None or difference(seen[token], due, trial.tolerance):
            return Finding(f"{token!r} has the id {_told(seen[token])}, expected {due}.")
    return None


same_entries = Probe("same_entries", "gives every token its id", _same_entries, view=in_any_order)


def _told(value: Any) -> str:
    data = as_array(value)
    return number(data[()]) if data is not None and data.ndim == 0 else repr(value)


def _other_padding(call: Call) -> dict[str, Call]:
    """The same call with other logits at the padding positions."""
    logits, targets = as_array(call.given.get("logits")), as_array(call.given.get("targets"))
    if logits is None or targets is None:
        return {}
    padded = targets == call.given.get("pad_id", 0)
    waves = np.cos(np.arange(logits.size)).reshape(logits.shape)
    moved = np.where(padded[..., None], logits + 3 * waves, logits).astype(logits.dtype)
    return {"moved": with_arguments(call, call.label, logits=Tensor(moved, "float32"))} if padded.any() else {}


def _ignores_padding(trial: Trial) -> Finding | None:
    if "moved" not in trial.derived:
        return None
    _, seen, _ = trial.derived["moved"]
    if difference(seen.value, trial.seen.value, trial.tolerance) is None:
        return None
    return Finding("your loss changes when the logits at padding positions change: these positions must not count.")


ignores_padding = Probe("ignores_padding", "does not look at padding positions", _ignores_padding, _other_padding)


def _updates_the_model(trial: Trial) -> Finding | None:
    model = trial.call.given.get("model")
    after, due = _after(trial.seen.facts, "model"), _after(trial.expected.facts, "model")
    if not isinstance(model, Fixture) or not isinstance(after, dict) or not isinstance(due, dict):
        return None
    off = [name for name in due if difference(after.get(name), due[name], trial.tolerance)]
    if not off:
        return None
    before = model.given.get("state", {})
    still = [name for name in before if difference(after.get(name), before[name], trial.tolerance) is None]
    if len(still) == len(before):
        return Finding("the model's weights are what they were before the call: nothing was learnt.")
    if still:
        return Finding(f"the weight `{still[0]}` is what it was before the call; others have changed.")
    found = difference(after.get(off[0]), due[off[0]], trial.tolerance, off[0])
    return Finding(
        f"the model's weights changed, but not as they should: after the call, {found.what}" if found else "", found
    )


updates_the_model = Probe("updates_the_model", "leaves the right weights behind", _updates_the_model)


def _gives_the_loss(trial: Trial) -> Finding | None:
    if isinstance(trial.seen.value, Tensor) and isinstance(trial.expected.value, float):
        return Finding("what your function returns is a tensor. A Python number is asked for: `.item()` makes one.")
    found = difference(trial.seen.value, trial.expected.value, trial.tolerance, returns=trial.returns)
    return Finding(f"what your function returns is not the loss: {found.what}", found) if found else None


gives_the_loss = Probe("gives_the_loss", "returns the loss", _gives_the_loss)


def _tells_the_watcher(trial: Trial) -> Finding | None:
    told, due = _after(trial.seen.facts, "watch"), _after(trial.expected.facts, "watch")
    if due is None or difference(told, due, trial.tolerance) is None:
        return None
    if not isinstance(told, list) or len(told) != len(due):
        count = len(told) if isinstance(told, list) else 0
        return Finding(f"`watch` was called {count} times in {len(due)} steps; it is called once after each step.")
    wrong = next(i for i in range(len(due)) if difference(told[i], due[i], trial.tolerance))
    *seen_words, _ = told[wrong]
    *wanted_words, _ = due[wrong]
    if difference(seen_words, wanted_words, trial.tolerance) is None:
        return Finding(
            f"when `watch` is told of step {wrong + 1}, the model is not as that step left it. Call `watch` after each step, "
            "before the next one."
        )
    seen, wanted = (", ".join(map(_told, words)) for words in (seen_words, wanted_words))
    return Finding(f"after step {wrong + 1} `watch` was told ({seen}), expected ({wanted}).")


tells_the_watcher = Probe("tells_the_watcher", "tells the watcher each step and its loss", _tells_the_watcher)


def _after(facts: dict[str, Any], name: str) -> Any:
    after = facts.get("after")
    return after.get(name) if isinstance(after, dict) else None
