"""What wrong numbers have to do with the expected ones, where no known mistake explains them.

Each sentence says what can be seen in the numbers themselves, on every case that is wrong. It claims no more.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..formats.cases import ExerciseCases, Sighting, Tolerance
from ..formats.values import Array
from .compare import close, number, observation_difference
from .diagnose import as_viewed
from .pairs import Pair, pair_of
from .places import in_some_places
from .probes.probe import Finding

_FEW = 3
"""So many numbers that are not equal must take part: two or three fit nearly anything."""
_MOST_AXES = 4
_NEARLY = 0.01
OF_GRADIENT, AFTER_THE_CALL, GRADIENTS_ALONE = "the gradient of ", "after the call, ", "gradients-alone"


Look = Callable[[Sequence[Pair]], str | None]
"""The sentence, where all pairs are related in this way."""


def relation(cases: ExerciseCases, sighting: Sighting, view: Callable[[Any], Any]) -> Finding | None:
    """How all wrong numbers of an exercise are related to the expected ones; None where they show no such thing.

    Of several outputs each is looked at by itself where all together show nothing.
    """
    found = _relation(cases, sighting, view)
    if found and found.name != GRADIENTS_ALONE:
        return found
    values = [view(cases.expected[key].value) for key in cases.base_keys]
    if all(isinstance(value, (tuple, list)) for value in values):
        for place in range(min(map(len, values), default=0)):
            name = cases.returns[place] if place < len(cases.returns) else f"output[{place}]"
            if one := _relation(cases, sighting, functools.partial(_item, view, place), values_only=True):
                return replace(one, message=f"look at {name}: {one.message}")
    return found


def _item(view: Callable[[Any], Any], place: int, value: Any) -> Any:
    seen = view(value)
    return seen[place] if isinstance(seen, (tuple, list)) and len(seen) > place else None


def _relation(
    cases: ExerciseCases, sighting: Sighting, view: Callable[[Any], Any], values_only: bool = False
) -> Finding | None:
    of_values: list[Pair | None] = []
    of_gradients: list[Pair | None] = []
    for key in cases.base_keys:
        seen = sighting.observations.get(key)
        if seen is None or seen.fault:
            return None
        found = observation_difference(
            as_viewed(seen, view), as_viewed(cases.expected[key], view), cases.tolerance, cases.returns
        )
        if found:
            beside = found.place.startswith(AFTER_THE_CALL)  # what a call left behind is no output
            pair = None if beside else pair_of(found, cases.plan[key].given, cases.tolerance)
            (of_gradients if found.place.startswith(OF_GRADIENT) else of_values).append(pair)
    if of_values:
        return _related(of_values)
    if not of_gradients or values_only:
        return None
    told = "your output is right, but not what flows back through it."
    related = _related(of_gradients)
    if related is None:
        return Finding(told, name=GRADIENTS_ALONE)
    return replace(related, message=f"{told} In a gradient, {related.message}")


def _related(pairs: Sequence[Pair | None]) -> Finding | None:
    compared = [pair for pair in pairs if pair]
    if len(compared) < len(pairs):
        return None
    told = ((name, look(compared)) for name, look in _LOOKS.items())
    return next((Finding(says, name=name) for name, says in told if says), None)


def _too_much(pairs: Sequence[Pair]) -> str | None:
    """Of booleans: only False where True belongs, or only True where False does, or all the wrong way round."""
    if not all(pair.booleans and pair.seen.shape == pair.expected.shape for pair in pairs):
        return None
    if all((pair.seen != pair.expected).all() for pair in pairs):
        return "your output is True exactly where it should be False, and False where it should be True."
    for which, other, wrong in (("True", "False", 1), ("False", "True", -1)):
        if all(not (pair.expected - pair.seen == wrong).any() for pair in pairs):
            return f"your output is {which} in too many places; wherever it is {other}, it is right."
    return None


def _different(values: Array, tolerance: Tolerance) -> int:
    """How many of these numbers are different from one another, 0 left out; counted as far as it matters."""
    kept = np.unique(values[np.abs(values) > 100 * tolerance.absolute])
    if kept.size < 2:
        return int(kept.size)
    return 1 + int((np.diff(kept) > 10 * (tolerance.absolute + tolerance.relative * np.abs(kept[1:]))).sum())


def _telling(pairs: Sequence[Pair]) -> bool:
    """Whether the pairs hold numbers enough to be related by more than luck: in one of them, or one each in several."""
    if not all(pair.seen.shape == pair.expected.shape and not pair.booleans for pair in pairs):
        return False
    if all(pair.seen.size == 1 for pair in pairs):
        together = np.array([float(pair.expected.reshape(-1)[0]) for pair in pairs])
        return _different(together, pairs[0].tolerance) >= _FEW
    return max(_different(pair.expected, pair.tolerance) for pair in pairs) >= _FEW


def _argument(pairs: Sequence[Pair]) -> str | None:
    for name in pairs[0].given:
        if _telling(pairs) and all(name in pair.given and pair.is_near(pair.given[name]) for pair in pairs):
            return f"what you give back is the argument `{name}`, unchanged."
    return None


def _all_equal(pairs: Sequence[Pair]) -> str | None:
    if not _telling(pairs) or any(pair.seen.size < _FEW for pair in pairs):
        return None
    values = [float(pair.seen.reshape(-1)[0]) for pair in pairs]
    if not all(pair.is_near(np.full(pair.seen.shape, value)) for pair, value in zip(pairs, values, strict=True)):
        return None
    if all(value == 0 for value in values):
        return "all your numbers are 0."
    return f"where your code is wrong, all its numbers are equal to one another (here {number(values[0])})."


def _factor(pairs: Sequence[Pair]) -> str | None:
    if not _telling(pairs):
        return None
    factors = []
    for pair in pairs:
        square = float((pair.expected**2).sum())
        factor = float((pair.seen * pair.expected).sum()) / square if square else 0.0
        if factor == 0 or not pair.is_near(factor * pair.expected):
            return None
        factors.append(factor)
    if all(abs(factor - 1) < 1e-3 for factor in factors):  # near the expected ones, whatever else they are
        return None
    if np.ptp(factors) <= 1e-3 * abs(factors[0]):
        if abs(factors[0] + 1) < 1e-3:
            return "your numbers have the other sign; but for that they are the expected ones."
        return f"each of your numbers is {number(factors[0])} times the expected one."
    if all(pair.seen.size == 1 for pair in pairs):  # one number is always another one times a factor
        return None
    return f"each of your numbers is the expected one times a factor; it changes from case to case, and is {number(factors[0])} here."


def _offset(pairs: Sequence[Pair]) -> str | None:
    if not _telling(pairs):
        return None
    offsets = []
    for pair in pairs:
        offset = float((pair.seen - pair.expected).mean())
        if not pair.is_near(pair.expected + offset):
            return None
        offsets.append(offset)
    more = "more" if offsets[0] > 0 else "less"
    if np.ptp(offsets) <= 1e-3 * abs(offsets[0]):
        return f"each of your numbers is the expected one and {number(abs(offsets[0]))} {more}."
    if all(pair.seen.size == 1 for pair in pairs):
        return None
    return f"your numbers are all shifted by one and the same amount; it changes from case to case, and is {number(offsets[0])} here."


def _axes(pairs: Sequence[Pair], least: int) -> Iterator[int]:
    """Axes, counted from the end, that every pair has with at least so many places."""
    shapes = [pair.expected.shape for pair in pairs]
    for axis in range(-1, -1 - min(map(len, shapes)), -1):
        if all(shape[axis] >= least for shape in shapes):
            yield axis


def _slices(axis: int) -> str:
    return "row" if axis == -1 else f"slice along axis {axis}"


def _factor_of_each(pairs: Sequence[Pair]) -> str | None:
    if not _telling(pairs):
        return None
    for axis in _axes(pairs, _FEW):
        if sum(_full_slices(pair, axis) for pair in pairs) < _FEW:
            continue
        factors = []
        for pair in pairs:
            squares = (pair.expected**2).sum(axis=axis, keepdims=True)
            with np.errstate(all="ignore"):
                own = np.where(squares > 0, (pair.seen * pair.expected).sum(axis=axis, keepdims=True) / squares, 1.0)
            if (np.abs(own) < 1e-6).any() or not pair.is_near(own * pair.expected):
                break
            factors.append(own.reshape(-1))
        else:
            together = np.concatenate(factors)
            return (
                f"within each {_slices(axis)} your numbers stand in the right proportion, but each {_slices(axis)} is multiplied by a factor of its own "
                f"(from {number(together.min())} to {number(together.max())})."
            )
    return None


def _full_slices(pair: Pair, axis: int) -> int:
    """How many slices have two numbers or more that count: a lone one is always another one times a factor."""
    return int(((np.abs(pair.expected) > 100 * pair.tolerance.absolute).sum(axis=axis) > 1).sum())


def _scale(pairs: Sequence[Pair]) -> str | None:
    """Weights of a softmax whose scores were multiplied by a number: powers of the expected ones, shared out again."""
    if not _telling(pairs):
        return None
    factors = []
    for pair in pairs:
        if min(pair.seen.min(), pair.expected.min()) < 0 or pair.expected.ndim == 0:
            return None
        total = pair.expected.sum(axis=-1)
        if not (np.isclose(total, 1, atol=1e-3) | (total == 0)).all():
            return None
        kept = (pair.expected > 1e-4) & (pair.seen > 1e-8)
        count = np.maximum(kept.sum(axis=-1, keepdims=True), 1)
        logs = []
        for weights in (pair.expected, pair.seen):
            log = np.where(kept, np.log(np.where(kept, weights, 1.0)), 0.0)
            logs.append(np.where(kept, log - log.sum(axis=-1, keepdims=True) / count, 0.0))
        square = float((logs[0] ** 2).sum())
        factor = float((logs[0] * logs[1]).sum()) / square if square else 0.0
        if factor <= 0:
            return None
        powers = np.where(pair.expected > 0, np.where(pair.expected > 0, pair.expected, 1.0) ** factor, 0.0)
        sums = powers.sum(axis=-1, keepdims=True)
        if not pair.is_near(powers / np.where(sums > 0, sums, 1.0)):
            return None
        factors.append(factor)
    if np.ptp(factors) <= 1e-2 * factors[0]:
        return f"your weights are those of scores that were multiplied by {number(factors[0])}. Look at the scale."
    return f"your weights are those of scores that were multiplied by a number; it changes from case to case, and is {number(factors[0])} here. Look at the scale."


def _offset_of_each(pairs: Sequence[Pair]) -> str | None:
    if not _telling(pairs):
        return None
    for axis in _axes(pairs, _FEW):
        if all(
            pair.is_near(pair.expected + (pair.seen - pair.expected).mean(axis=axis, keepdims=True)) for pair in pairs
        ):
            return f"each {_slices(axis)} of yours is the expected one, shifted by a number of its own."
    return None


def _reversed(pairs: Sequence[Pair]) -> str | None:
    if _telling(pairs):
        for axis in _axes(pairs, 2):
            if all(pair.is_near(np.flip(pair.expected, axis)) for pair in pairs):
                return f"your numbers are the expected ones in reverse along axis {axis}."
    return None


def _exchanged(pairs: Sequence[Pair]) -> str | None:
    """Axes in another order: where lengths agree the shape does not show it."""
    dimensions = pairs[0].expected.ndim
    if not 2 <= dimensions <= _MOST_AXES or any(
        pair.expected.ndim != dimensions or pair.seen.ndim != dimensions for pair in pairs
    ):
        return None
    for order in itertools.permutations(range(dimensions)):
        if all(pair.is_near(pair.expected.transpose(order)) for pair in pairs):
            return "your numbers are the expected ones with the axes in another order (a transpose too many, or one missing)."
    return None


def _in_another_shape(pairs: Sequence[Pair]) -> str | None:
    if all(
        pair.seen.shape != pair.expected.shape
        and pair.seen.size == pair.expected.size > 1
        and pair.is_near(pair.expected.reshape(pair.seen.shape))
        for pair in pairs
    ):
        return "your numbers are right and in the right order; only the shape is another."
    return None


def _moved(pairs: Sequence[Pair]) -> str | None:
    if not _telling(pairs):
        return None
    for axis in _axes(pairs, _FEW):
        for which, ours, theirs in (
            ("late", slice(1, None), slice(None, -1)),
            ("early", slice(None, -1), slice(1, None)),
        ):
            if all(
                close(_part(pair.seen, axis, ours), _part(pair.expected, axis, theirs), pair.tolerance).all()
                for pair in pairs
            ):
                return f"your numbers stand one place too {which} along axis {axis}."
    return None


def _part(array: Array, axis: int, part: slice) -> Array:
    where: list[slice] = [slice(None)] * array.ndim
    where[axis] = part
    return np.asarray(array[tuple(where)])


def _other_places(pairs: Sequence[Pair]) -> str | None:
    if _telling(pairs) and all(
        pair.seen.size > _FEW
        and bool(close(np.sort(pair.seen.reshape(-1)), np.sort(pair.expected.reshape(-1)), pair.tolerance).all())
        for pair in pairs
    ):
        return "your numbers are the right ones, but they stand in other places."
    return None


def _sizes_only(pairs: Sequence[Pair]) -> str | None:
    if _telling(pairs) and all(pair.is_near(np.abs(pair.expected)) for pair in pairs):
        return "your numbers are the expected ones without their sign."
    return None


def _rounded(pairs: Sequence[Pair]) -> str | None:
    if _telling(pairs):
        for decimals in range(5):
            if all(np.abs(pair.seen - np.round(pair.expected, decimals)).max() < 1e-7 for pair in pairs):
                return f"your numbers are rounded ({decimals} decimals). Round only what you print."
    return None


def _cut_off(pairs: Sequence[Pair]) -> str | None:
    """Everything beyond a limit is the limit; it must be met by several numbers, all the others be right."""
    if not _telling(pairs):
        return None
    apart = np.concatenate([(pair.seen - pair.expected).reshape(-1) for pair in pairs])
    for name, one_limit, clip in (("above", np.max, np.minimum), ("below", np.min, np.maximum)):
        wrong = [~close(pair.seen, pair.expected, pair.tolerance) for pair in pairs]
        met = np.concatenate([pair.seen[places] for pair, places in zip(pairs, wrong, strict=True)])
        limit = float(one_limit(met))
        if (
            met.size >= _FEW
            and all(pair.is_near(clip(pair.expected, limit)) for pair in pairs)
            and apart.size > met.size
        ):
            return f"your numbers are cut off at {number(limit)}: what should lie {name} it has become {number(limit)}."
    limit = max(float(np.abs(pair.seen).max()) for pair in pairs)
    wrong_count = sum(int((~close(pair.seen, pair.expected, pair.tolerance)).sum()) for pair in pairs)
    if (
        wrong_count >= _FEW
        and apart.size > wrong_count
        and all(pair.is_near(np.clip(pair.expected, -limit, limit)) for pair in pairs)
    ):
        return f"your numbers are cut off at {number(limit)} and {number(-limit)}: none lies beyond."
    return None


def _at_an_end(pairs: Sequence[Pair]) -> str | None:
    """Only the first or the last places along an axis are wrong."""
    if not _telling(pairs):
        return None
    for axis in _axes(pairs, 1):
        if max(pair.expected.shape[axis] for pair in pairs) < _FEW:
            continue
        for which, wrong, rest in (
            ("last", slice(-1, None), slice(None, -1)),
            ("first", slice(None, 1), slice(1, None)),
        ):
            if all(
                close(_part(pair.seen, axis, rest), _part(pair.expected, axis, rest), pair.tolerance).all()
                and not close(_part(pair.seen, axis, wrong), _part(pair.expected, axis, wrong), pair.tolerance).all()
                for pair in pairs
            ):
                return f"only the {which} place along axis {axis} is wrong; all the others are right."
    return None


def _near(pairs: Sequence[Pair]) -> str | None:
    if not _telling(pairs):
        return None
    shares = [
        float(np.abs(pair.seen - pair.expected).max()) / (float(np.abs(pair.expected).max()) or 1.0) for pair in pairs
    ]
    if max(shares) > _NEARLY:
        return None
    return (
        f"your numbers are near the expected ones, within {100 * max(shares):.2g} % of the largest, and not near enough. Is something "
        "rounded, computed with fewer digits, or a small number added?"
    )


_LOOKS: dict[str, Look] = {
    "true-in-other-places": _too_much,
    "argument-returned": _argument,
    "all-equal": _all_equal,
    "right-in-another-shape": _in_another_shape,
    "times-a-factor": _factor,
    "shifted-by-a-number": _offset,
    "sign-left-out": _sizes_only,
    "rounded-numbers": _rounded,
    "in-reverse": _reversed,
    "axes-exchanged": _exchanged,
    "one-place-off": _moved,
    "other-scale": _scale,
    "factor-of-each-row": _factor_of_each,
    "shift-of-each-row": _offset_of_each,
    "cut-off": _cut_off,
    "wrong-at-an-end": _at_an_end,
    "in-other-places": _other_places,
    "in-some-places": in_some_places,
    "nearly": _near,
}
"""From the simplest on: the first that holds speaks."""
