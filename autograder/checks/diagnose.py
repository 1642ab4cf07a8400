"""Name the mistake: find the known-wrong variant whose outputs the learner's outputs equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from .cases import ExerciseCases, Observation, Sighting, Variant
from .compare import same_observation


@dataclass(frozen=True)
class Diagnosis:
    variant: Variant
    sentence: str
    label: str
    """A case on which the match was seen."""


def diagnose(
    cases: ExerciseCases, sighting: Sighting, view: Callable[[Any], Any] = lambda value: value
) -> Diagnosis | None:
    """The known mistake that explains what was seen, or None where no cause can be claimed.

    A variant explains a sighting when it equals it on every call that was seen. Where none does, one that equals
    it on at least half of the wrong cases that gave numbers is named too, and the sentence says on which case.
    An exception alone explains only an exception of the same type and text. Returned values are compared as `view`
    shows them: what is not judged in them tells no mistake from another.
    """
    seen = {key: _as_viewed(observation, view) for key, observation in sighting.observations.items()}

    def same(key: str, other: Observation) -> bool:
        return same_observation(seen[key], _as_viewed(other, view), cases.tolerance)

    wrong = [key for key in cases.plan if key in seen and not same(key, cases.expected[key])]
    if not wrong:
        return None
    first_wrong_first = [*wrong, *(key for key in seen if key not in wrong)]
    for variant in cases.variants:
        if all(same(key, variant.seen[key]) for key in first_wrong_first):
            return Diagnosis(variant, variant.says, cases.plan[wrong[0]].label)
    numeric = [key for key in wrong if seen[key].fault is None and "/" not in key]
    partial: tuple[int, Variant, str] | None = None
    more = " (Other cases fail as well, in another way.)"
    for variant in cases.variants:
        telling = [key for key in numeric if same(key, variant.seen[key])]
        if telling and 2 * len(telling) >= len(numeric) and (partial is None or len(telling) > partial[0]):
            partial = (len(telling), variant, cases.plan[telling[0]].label)
    if partial:
        count, variant, label = partial
        return Diagnosis(variant, f"on {label}: {variant.says}{more if count < len(wrong) else ''}", label)
    return None


def _as_viewed(observation: Observation, view: Callable[[Any], Any]) -> Observation:
    return observation if observation.fault else replace(observation, value=view(observation.value))
