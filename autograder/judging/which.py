"""On which of an exercise's cases a code is wrong, where it is right on others."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..formats.cases import Call, ExerciseCases, Sighting
from .compare import as_array, same_observation
from .diagnose import as_viewed
from .probes.probe import Finding

_ENOUGH, _FEWER = 3, 2
"""So many cases must be wrong, and so many right, before anything is said of what they have in common: of fewer, chance finds
something. The fewer are enough for what often is the reason: an argument left out, a size of 1, a square."""
Facts = dict[str, Any]
"""What can be said of a case, by words that a sentence can hold: an argument's value, a length."""


def on_which_cases(cases: ExerciseCases, sighting: Sighting, view: Callable[[Any], Any]) -> Finding | None:
    """How many cases are right, and what the wrong ones alone have in common: that has a name. None where all are wrong."""
    right = {
        key: same_observation(
            as_viewed(sighting.observations[key], view), as_viewed(cases.expected[key], view), cases.tolerance
        )
        for key in cases.base_keys
        if key in sighting.observations
    }
    wrong = sum(not one for one in right.values())
    if wrong in (0, len(right)):
        return None
    if (fewest := min(wrong, len(right) - wrong)) >= _FEWER:
        facts = [(_facts(cases.plan[key]), one) for key, one in right.items()]
        for words, holds in _traits([fact for fact, _ in facts], often_alone=fewest < _ENOUGH):
            if all(holds(fact) != one for fact, one in facts):
                told = f"your code is wrong on just those {wrong} of {len(right)} cases in which {words}."
                return Finding(told, name="wrong-on-some-cases")
    if wrong == 1 and len(right) > _ENOUGH:
        label = next(cases.plan[key].label for key, one in right.items() if not one)
        return Finding(f"your code is wrong on one of {len(right)} cases only: {label}.", name="wrong-on-one-case")
    return Finding(f"your code is right on {len(right) - wrong} of {len(right)} cases.")


def _facts(call: Call) -> Facts:
    found: Facts = {}
    for name, value in {**(call.init or {}), **call.given}.items():
        array = None if isinstance(value, (str, bool, int, float, tuple, list)) else as_array(value)
        if array is None or not array.ndim:
            found[f"`{name}`"] = value if value is None or isinstance(value, (str, bool, int, float)) else "something"
            if isinstance(value, (list, tuple)):
                found[f"`len({name})`"] = len(value)
            continue
        found[f"`{name}.ndim`"] = array.ndim
        for axis in range(1, 1 + array.ndim):
            found[f"`{name}.shape[{-axis}]`"] = array.shape[-axis]
        if array.ndim > 1:
            found[f"`{name}` is square"] = array.shape[-1] == array.shape[-2]
    return found


Trait = tuple[str, Callable[[Facts], bool]]
Test = tuple[str, Callable[[Any], bool]]
"""Of a number."""


def _traits(facts: Sequence[Facts], *, often_alone: bool) -> Iterator[Trait]:
    """From the simplest on. often_alone: only those that often are the reason."""
    names = list(dict.fromkeys(name for one in facts for name in one))
    for name in names:
        if ".shape[" in name:  # an axis that is not there is told by `ndim`
            continue
        yield f"{name} is given", _asked(name, lambda value: True)
        yield f"{name} is left out", _asked(name, lambda value: False, otherwise=True)
    for name in names:
        values = list(dict.fromkeys(one[name] for one in facts if one.get(name) is not None))
        if all(isinstance(value, (bool, str)) for value in values):
            for value in values:
                words = name if name.endswith("square") and value else f"{name} is {value!r}"
                yield words, _asked(name, functools.partial(operator.eq, value))
        elif all(type(value) in (int, float) for value in values):
            for words, test in _often_alone(name) if often_alone else _of_numbers(name, sorted(values)):
                yield words, _asked(name, test)


def _asked(name: str, test: Callable[[Any], bool], otherwise: bool = False) -> Callable[[Facts], bool]:
    """Whether a fact holds; `otherwise` where it is not there."""
    return lambda one: otherwise if one.get(name) is None else test(one[name])


def _often_alone(name: str) -> Iterator[Test]:
    yield f"{name} is negative", lambda x: bool(x < 0)
    yield f"{name} is 1", functools.partial(operator.eq, 1)


def _of_numbers(name: str, values: Sequence[float]) -> Iterator[Test]:
    yield f"{name} is negative", lambda x: bool(x < 0)
    for value in values:
        yield f"{name} is {value:g}", functools.partial(operator.eq, value)
        yield f"{name} is not {value:g}", functools.partial(operator.ne, value)
    for value in values:
        yield f"{name} is {value:g} or more", functools.partial(operator.le, value)
        yield f"{name} is {value:g} or less", functools.partial(operator.ge, value)
    yield f"{name} is even", lambda x: bool(x % 2 == 0)
    yield f"{name} is odd", lambda x: bool(x % 2 == 1)
