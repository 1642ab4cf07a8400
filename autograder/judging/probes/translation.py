"""Probes for trained weights: the arrays that came back are loaded into library-backed parts, which translate.

What is expected of such a case are no numbers but `{"sources": [...], "targets": [...], "kinds": [...]}`, texts of the
course's corpus. No learner's code runs here, and no weight is trusted before names, shapes and sizes are in bounds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...formats.values import Array
from ..weights import UnusableWeights, arrays_of, is_untrained
from .probe import Finding, Probe, Trial

_NONE_UP_TO = 0.1
"""A share of right translations that earns nothing yet."""
_SHOWN = 5
_ROOM = 4
"""Words more than the longest target that a translation may have."""
_FEW = 24


def _has_course_weights(trial: Trial) -> Finding | None:
    from ..translator import build

    try:
        weights = arrays_of(trial.seen.value)
        build(weights, 1)
    except UnusableWeights as error:
        return Finding(str(error), name=error.name)
    return None


has_course_weights = Probe(
    "has_course_weights", "gives the weights of the course's Transformer, by name", _has_course_weights
)


def translates(full: float = 0.9) -> Probe:
    """Greedy translations equal the expected ones, word for word, for a share of at least `full` of the sources.

    Below it the points are in proportion, down to none at a tenth.
    """

    def judge(trial: Trial) -> Finding | None:
        from ..translator import best_model, one_thread, translations

        try:
            weights = arrays_of(trial.seen.value)
            sources, targets, kinds = (
                list(map(str, trial.expected.value[name])) for name in ("sources", "targets", "kinds")
            )
            longest = max(len(target.split()) for target in targets) + _ROOM
            with one_thread():
                model = best_model(weights, sources, targets, longest)
                found = translations(model, sources, longest)
                right = [one == other for one, other in zip(found, targets, strict=True)]
                share = sum(right) / len(right)
                mistake = _mistake(weights, found, sources, targets, longest) if share < 0.5 else None
        except UnusableWeights:
            return Finding("nothing was translated.")
        told = f"{sum(right)} of {len(right)} sources are translated word for word ({100 * share:.0f} %)"
        earned = 1.0 if share >= full else max(0.0, (share - _NONE_UP_TO) / (full - _NONE_UP_TO))
        examples = _examples(sources, targets, found, right)
        if mistake:
            name, sentence = mistake
            return Finding(f"{told}: {sentence}", share=earned, name=name, examples=examples)
        return Finding(
            f"{told}; from {100 * full:.0f} % on the points are full, up to {100 * _NONE_UP_TO:.0f} % there are none."
            f"{_weakest(kinds, right)}",
            share=earned,
            name="few-right",
            examples=examples,
        )

    return Probe("translates", f"translates at least {100 * full:.0f} % of the sources word for word", judge)


def _mistake(
    weights: Mapping[str, Array], found: Sequence[str], sources: Sequence[str], targets: Sequence[str], longest: int
) -> tuple[str, str] | None:
    """A cause that these weights and translations show, as (short name, end of a sentence)."""
    if is_untrained(weights):
        return (
            "untrained",
            "these are the weights of a model before its first training step; save the model that you trained.",
        )
    if _turned_translates(weights, sources, targets, longest):
        return "transposed", "its square matrices are transposed: a linear layer's weight is (out, in)."
    words = [text.split() for text in found]
    full = [len(one) >= longest for one in words]
    if sum(_repeats(one) for one in words) > 0.6 * len(words):
        return "repeats", (
            "it writes the same word again and again. In training the decoder could see the word that it had to predict: "
            "look at the shift of the targets and at the causal mask."
        )
    if sum(full) > 0.9 * len(full):
        return "never-ends", "its sentences never end. Is there an EOS behind every target in training?"
    if not any(words):
        return "empty", "it ends every sentence at once, without a word."
    return None


def _turned_translates(
    weights: Mapping[str, Array], sources: Sequence[str], targets: Sequence[str], longest: int
) -> bool:
    from ..translator import best_model, matched

    turned = {
        name: np.ascontiguousarray(data.T) if data.ndim == 2 and data.shape[0] == data.shape[1] else data
        for name, data in weights.items()
    }
    few = slice(0, _FEW)
    model = best_model(turned, sources[few], targets[few], longest)
    return matched(model, sources[few], targets[few], longest) >= 0.5


def _repeats(words: Sequence[str]) -> bool:
    return len(words) > 3 and Counter(words).most_common(1)[0][1] > 0.7 * len(words)


def _weakest(kinds: Sequence[str], right: Sequence[bool]) -> str:
    wrong = Counter(kind for kind, good in zip(kinds, right, strict=True) if not good)
    if not wrong:
        return ""
    total = Counter(kinds)
    kind = max(wrong, key=lambda name: wrong[name] / total[name])
    return f" Least right: {kind} ({total[kind] - wrong[kind]} of {total[kind]})."


def _examples(
    sources: Sequence[str], targets: Sequence[str], found: Sequence[str], right: Sequence[bool]
) -> tuple[tuple[str, str, str], ...]:
    """A few translations beside the expected ones: where some are wrong, mostly those."""
    wrong = [i for i, good in enumerate(right) if not good]
    good = [i for i, good in enumerate(right) if good]
    chosen = sorted([*wrong[: _SHOWN - 1], *good][:_SHOWN])
    return tuple((sources[i], targets[i], found[i] or "(nothing)") for i in chosen)


def wanted(pairs: Sequence[Any]) -> dict[str, list[str]]:
    """What a case of trained weights expects: pairs of the corpus as texts, target words joined by spaces."""
    return {
        "sources": [pair.chinese for pair in pairs],
        "targets": [" ".join(pair.target) for pair in pairs],
        "kinds": [pair.kind for pair in pairs],
    }
