"""Where in an output the wrong numbers lie, if there is a simple region that they fill and never leave."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..formats.values import Array
from .compare import close, number
from .pairs import Pair

_FILLED = 0.75
"""So large a part of the region must be wrong, over all cases together: a region that is mostly right tells nothing."""
_FEW = 3
"""So many numbers must be wrong, and so many right: one or two lie in many regions."""
Region = tuple[str, Callable[[Pair], Array]]
"""Words that end a sentence, and the places, True within."""


def in_some_places(pairs: Sequence[Pair]) -> str | None:
    """The sentence, where on every wrong case the wrong numbers lie in one such region, and all others are right."""
    if any(pair.seen.shape != pair.expected.shape or pair.seen.ndim == 0 for pair in pairs):
        return None
    wrong = [~close(pair.seen, pair.expected, pair.tolerance) for pair in pairs]
    count, all_of_them = sum(int(one.sum()) for one in wrong), sum(one.size for one in wrong)
    if count < _FEW or all_of_them - count < _FEW or any(one.all() for one in wrong):
        return None
    for words, places in _regions(pairs, wrong):
        regions = [places(pair) for pair in pairs]
        if any((one & ~region).any() or region.all() for one, region in zip(wrong, regions, strict=True)):
            continue
        if count >= _FILLED * sum(int(region.sum()) for region in regions):
            return f"only {words}; all other numbers are right."
    return None


def _regions(pairs: Sequence[Pair], wrong: Sequence[Array]) -> Iterator[Region]:
    if all(pair.expected.ndim > 1 for pair in pairs):
        yield "the diagonal of the last two axes is wrong", _of_places(lambda i, j: i == j)
        yield "what stands above the diagonal of the last two axes is wrong", _of_places(lambda i, j: j > i)
        yield "what stands below the diagonal of the last two axes is wrong", _of_places(lambda i, j: j < i)
        yield "what stands off the diagonal of the last two axes is wrong", _of_places(lambda i, j: i != j)
    yield from _of_arguments(pairs)
    if not any(pair.booleans for pair in pairs):
        yield "the places are wrong where the right number is negative", lambda pair: pair.expected < 0
        yield "the places are wrong where the right number is positive", lambda pair: pair.expected > 0
        yield "the places are wrong where the right number is 0", lambda pair: pair.expected == 0
    yield from _along_axes(pairs, wrong)
    if not any(pair.booleans for pair in pairs):
        yield from _by_size(pairs, wrong)


def _of_places(holds: Callable[[Array, Array], Array]) -> Callable[[Pair], Array]:
    def places(pair: Pair) -> Array:
        rows, columns = (np.arange(length) for length in pair.expected.shape[-2:])
        return np.broadcast_to(holds(rows[:, None], columns[None, :]), pair.expected.shape)

    return places


def _of_arguments(pairs: Sequence[Pair]) -> Iterator[Region]:
    """Places by what an argument holds there, if it broadcasts to the output, or does so with an axis more at its end."""
    for name in pairs[0].given:
        arrays = [pair.given[name] for pair in pairs if name in pair.given]
        if len(arrays) < len(pairs):
            continue
        if any(_laid_out(one, pair) is None for one, pair in zip(arrays, pairs, strict=True)):
            continue
        for words, test in _questions(arrays):
            yield f"the places are wrong where `{name}` is {words}", _where(name, test)


def _where(name: str, test: Callable[[Array], Array]) -> Callable[[Pair], Array]:
    def places(pair: Pair) -> Array:
        laid = _laid_out(test(pair.given[name]), pair)
        assert laid is not None
        return laid

    return places


def _questions(arrays: Sequence[Array]) -> Iterator[tuple[str, Callable[[Array], Array]]]:
    kinds = {array.dtype.kind for array in arrays}
    if kinds == {"b"}:
        yield "True", np.asarray
        yield "False", np.logical_not
    elif kinds <= set("iu"):
        for value in np.unique(np.concatenate([array.reshape(-1) for array in arrays]))[:8]:
            yield str(value), functools.partial(np.equal, value)
    else:
        yield "negative", functools.partial(np.greater, 0)
        yield "positive", functools.partial(np.less, 0)
        yield "0", functools.partial(np.equal, 0)


def _laid_out(array: Array, pair: Pair) -> Array | None:
    for view in (array, array[..., None]):
        with contextlib.suppress(ValueError):
            return np.broadcast_to(view, pair.expected.shape)
    return None


def _along_axes(pairs: Sequence[Pair], wrong: Sequence[Array]) -> Iterator[Region]:
    """One place, from a place on, or up to a place, along one axis; counted from its beginning."""
    for axis in range(-1, -1 - min(pair.expected.ndim for pair in pairs), -1):
        indices = [np.nonzero(one)[axis] for one in wrong]
        first, last = min(int(one.min()) for one in indices), max(int(one.max()) for one in indices)
        if first == last:
            yield f"place {first} along axis {axis} is wrong", _between(axis, first, last)
        if first > 0:
            yield f"the places from {first} on along axis {axis} are wrong", _between(axis, first, None)
        if all(last < pair.expected.shape[axis] - 1 for pair in pairs):
            yield f"the places up to {last} along axis {axis} are wrong", _between(axis, 0, last)


def _between(axis: int, first: int, last: int | None) -> Callable[[Pair], Array]:
    def places(pair: Pair) -> Array:
        place: Array = np.indices(pair.expected.shape)[axis]
        return (place >= first) if last is None else (place >= first) & (place <= last)

    return places


def _by_size(pairs: Sequence[Pair], wrong: Sequence[Array]) -> Iterator[Region]:
    sizes = [np.abs(pair.expected[one]) for pair, one in zip(pairs, wrong, strict=True)]
    least, most = min(float(one.min()) for one in sizes), max(float(one.max()) for one in sizes)
    yield f"the places are wrong where the right number is {number(least)} or more in size", _of_size(least, np.inf)
    yield f"the places are wrong where the right number is {number(most)} or less in size", _of_size(0, most)


def _of_size(least: float, most: float) -> Callable[[Pair], Array]:
    def places(pair: Pair) -> Array:
        size: Array = np.abs(pair.expected)
        return (size >= least) & (size <= most)

    return places
