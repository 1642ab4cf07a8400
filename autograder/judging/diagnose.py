"""Name the mistake: find the known-wrong variant whose outputs the learner's outputs equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..formats.cases import ExerciseCases, Observation, Sighting, Variant
from .compare import as_array, difference, same_observation


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

    A variant explains a sighting when it equals it on every call that was seen. Where none does, one that equals it on
    several wrong cases, at least half of those that gave numbers, is named with the cases on which it was seen, and
    nothing is claimed of the others. One case alone is evidence only where no other case gave wrong numbers, and no right
    one speaks against it.
    Of several such variants the one that also raises where the code raised comes first.
    An exception alone explains only an exception of the same type and text. Returned values are compared as `view`
    shows them: what is not judged in them tells no mistake from another.
    """
    seen = {
        key: as_viewed(observation, view) for key, observation in sighting.observations.items() if key in cases.plan
    }

    def same(key: str, other: Observation) -> bool:
        return same_observation(seen[key], as_viewed(other, view), cases.tolerance)

    def same_numbers(key: str, other: Observation) -> bool:
        """Where a value is wrong, what its gradients are says nothing of the cause: there are many ways to it. What is wrong
        in what the mistake leaves behind must have been seen, though."""
        value, bare = replace(seen[key], facts={}), replace(as_viewed(other, view), facts={})
        right = replace(as_viewed(cases.expected[key], view), facts={})
        if same_observation(value, right, cases.tolerance):
            return same(key, other)
        left, theirs, ours = (facts.get("after") for facts in (cases.expected[key].facts, other.facts, seen[key].facts))
        if difference(left, theirs, cases.tolerance) and difference(ours, theirs, cases.tolerance):
            return False
        return same_observation(value, bare, cases.tolerance)

    wrong = [key for key in cases.plan if key in seen and not same(key, cases.expected[key])]
    if not wrong:
        return None
    first_wrong_first = [*wrong, *(key for key in seen if key not in wrong)]
    for variant in cases.variants:
        if all(same(key, variant.seen[key]) for key in first_wrong_first):
            return Diagnosis(variant, variant.says, cases.plan[wrong[0]].label)
    numeric = [key for key in wrong if seen[key].fault is None and "/" not in key]
    raised = [key for key in wrong if seen[key].fault is not None]
    right = [key for key in cases.plan if key in seen and key not in wrong and "/" not in key]
    best: tuple[tuple[int, int], Variant, list[str]] | None = None
    for variant in cases.variants:
        telling = [key for key in numeric if same_numbers(key, variant.seen[key])]
        if 2 * len(telling) < len(numeric) or all(_is_blank(seen[key].value) for key in telling):
            continue
        if len(telling) == 1 and (len(numeric) > 1 or not all(same(key, variant.seen[key]) for key in right)):
            continue
        rank = (len(telling), sum(_same_type_of_fault(seen[key], variant.seen[key]) for key in raised))
        if best is None or rank > best[0]:
            best = (rank, variant, [cases.plan[key].label for key in telling])
    if best:
        (count, _), variant, labels = best
        more = " (Other cases fail as well, in another way.)" if count < sum("/" not in key for key in wrong) else ""
        where = (
            " and on ".join(dict.fromkeys(labels))
            if len(labels) <= 2
            else f"{labels[0]}, and on {count - 1} more cases"
        )
        return Diagnosis(variant, f"on {where}, you get what this mistake gives: {variant.says}{more}", labels[0])
    return None


def _is_blank(value: Any) -> bool:
    """Whether an output is one number over and over, or no number at all: many mistakes end there, and none of them shows."""
    if isinstance(value, (tuple, list)):
        return all(map(_is_blank, value))
    data = as_array(value)
    if data is None:
        return False
    if data.dtype.kind == "f" and np.isnan(data).all():
        return True
    return data.size > 1 and bool((data == data.flat[0]).all())


def _same_type_of_fault(seen: Observation, other: Observation) -> bool:
    return bool(seen.fault and other.fault and seen.fault.type_name == other.fault.type_name)


def as_viewed(observation: Observation, view: Callable[[Any], Any]) -> Observation:
    """The observation with what of its value is judged."""
    return observation if observation.fault else replace(observation, value=view(observation.value))
