"""What is kept of a known mistake's outputs: the entries and shapes that tell it from the reference and from the others.

A call's *leaves* are its arrays and its floats. Of a leaf that differs from the reference's, a `Sample` is kept; one
that does not differ is the reference's own. All samples of an exercise stand in a few flat arrays, `Fingerprints`,
and become observations again when somebody looks at them. How entries are chosen: `authoring/fingerprints.py`; how
they are compared: `judging/compare.py`.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .values import Array, Tensor

if TYPE_CHECKING:
    from .cases import Observation

JUDGED_FACTS = ("after", "gradients")
"""What of an observation's facts is compared."""
FINER = 8
"""Numbers and sums are rounded to less than this part of a tolerance: what is compared with them is allowed as much more."""


@dataclass(frozen=True)
class Sample:
    """A leaf, as far as it is kept: its shape and kind, some of its entries, and a number that depends on all of them."""

    like: Any
    """A leaf of the same library, kind and shape; its numbers do not count."""
    places: Array
    """(kept,) places of the entries in the flattened leaf"""
    numbers: Array
    """(kept,) the entries; none of booleans and integers"""
    mark: float | None
    """Of floats `weighted_sum`, of booleans and integers `code`; None where all entries are kept."""


def array_of(leaf: Any) -> Array:
    return leaf.data if isinstance(leaf, Tensor) else np.asarray(leaf)


def is_leaf(value: Any) -> bool:
    """Arrays, and floats; an integer or a boolean by itself is as short as any sample of it."""
    if not isinstance(value, (float, np.ndarray, Tensor)):
        return False
    array = array_of(value)
    return array.dtype.kind == "f" or array.ndim > 0


def with_leaves(observation: Observation, change: Callable[[Any], Any]) -> Observation:
    """The observation with each leaf changed, in an order that does not depend on the order of a dict's entries."""
    facts = {name: observation.facts[name] for name in JUDGED_FACTS if name in observation.facts}
    return replace(
        observation, value=_changed(observation.value, change), facts=observation.facts | _changed(facts, change)
    )


def _changed(tree: Any, change: Callable[[Any], Any]) -> Any:
    if is_leaf(tree):
        return change(tree)
    if isinstance(tree, dict):
        changed = {key: _changed(tree[key], change) for key in sorted(tree)}
        return {key: changed[key] for key in tree}
    if isinstance(tree, (tuple, list)):
        return type(tree)(_changed(item, change) for item in tree)
    return tree


def leaves(observation: Observation) -> list[Any]:
    found: list[Any] = []

    def add(leaf: Any) -> Any:
        found.append(leaf)
        return leaf

    with_leaves(observation, add)
    return found


@functools.lru_cache(maxsize=256)
def _weights(size: int) -> Array:
    """(size,) numbers between −1 and 1 without a pattern, the same on every machine."""
    mixed = np.arange(1, size + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1


def _finite(rows: Array) -> Array:
    """The rows with something in the place of what is no number, which a sum would be drowned in."""
    return np.asarray(np.nan_to_num(rows.astype(np.float64), nan=3.0, posinf=5.0, neginf=-7.0))


def weighted_sum(rows: Array) -> Array:
    """rows: (..., size) floats -> (...): a sum that nearly every change of an entry, and of their order, changes too."""
    return np.asarray(_finite(rows) @ _weights(rows.shape[-1]))


def sum_slack(rows: Array, absolute: float, relative: float) -> Array:
    """rows: (..., size) -> (...): how far the sums of two leaves can be apart whose entries all agree."""
    return np.asarray((absolute + relative * np.abs(_finite(rows))) @ np.abs(_weights(rows.shape[-1])))


def code(array: Array) -> int:
    """Of booleans or integers: equal where all entries are, and otherwise in one of four thousand million cases."""
    return zlib.crc32(np.ascontiguousarray(array, dtype=np.int64).tobytes())


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """The samples of all known mistakes of an exercise.

    For each call, and each of the outlines seen on it (in rising order), there is one column for each leaf.
    """

    outlines: tuple[Observation, ...]
    """Observations that differ from the reference's by more than numbers; their own numbers do not count."""
    which: Array
    """(calls, variants): the outline of what the variant gives, from 1 on; 0 for that of the reference"""
    columns: Array
    """(columns, 2): how many different samples the column has, and how many entries are kept of each"""
    rows: Array
    """Column after column, for each variant with this outline: its sample, from 1 on; 0 for the reference's own leaf"""
    places: Array
    """Column after column: the places of the entries that are kept"""
    numbers: Array
    """Column after column, sample after sample: the entries that are kept"""
    sums: Array
    """Column after column: `weighted_sum` of each sample of floats of which not all entries are kept"""
    codes: Array
    """Column after column: `code` of each sample of booleans or integers"""

    def tree(self) -> dict[str, Any]:
        """All but the outlines, as plain arrays."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "outlines"}


@dataclass(frozen=True, eq=False)
class Seen(Mapping[str, "Observation"]):
    """What one variant gives on each call, read from the exercise's fingerprints."""

    samples: SamplesOfExercise
    variant: int
    full: Mapping[str, Observation] | None = None
    """All that it gives, where it was drawn in this process."""

    def __getitem__(self, key: str) -> Observation:
        return self.samples.observation(key, self.variant)

    def __iter__(self) -> Iterator[str]:
        return iter(self.samples.expected)

    def __len__(self) -> int:
        return len(self.samples.expected)


@dataclass(frozen=True, eq=False)
class SamplesOfExercise:
    """Fingerprints beside the reference's observations, which they are read with."""

    prints: Fingerprints
    expected: Mapping[str, Observation]
    """By the keys of the plan, in its order"""
    _known: dict[tuple[str, int], Observation] = field(default_factory=dict, repr=False)

    @functools.cached_property
    def _calls(self) -> dict[str, tuple[Array, dict[int, list[list[Sample]]], dict[int, Array]]]:
        """By call: the outline of each variant; by outline the samples of each leaf, and (leaves, variants) which of them."""
        prints, at = self.prints, {"columns": 0, "rows": 0, "places": 0, "numbers": 0, "sums": 0, "codes": 0}

        def cut(name: str, count: int) -> Array:
            start, at[name] = at[name], at[name] + count
            return np.asarray(getattr(prints, name)[start : at[name]])

        found = {}
        for call, key in enumerate(self.expected):
            which = prints.which[call]
            samples, rows = {}, {}
            for outline in map(int, np.unique(which)):
                likes = leaves(self.expected[key] if outline == 0 else prints.outlines[outline - 1])
                samples[outline] = [_samples(like, cut) for like in likes]
                members = int((which == outline).sum())
                rows[outline] = cut("rows", len(likes) * members).reshape(len(likes), members)
            found[key] = which, samples, rows
        return found

    def observation(self, key: str, variant: int) -> Observation:
        if (key, variant) not in self._known:
            self._known[key, variant] = self._read(key, variant)
        return self._known[key, variant]

    def _read(self, key: str, variant: int) -> Observation:
        which, samples, rows = self._calls[key]
        outline = int(which[variant])
        base = self.expected[key] if outline == 0 else self.prints.outlines[outline - 1]
        chosen = rows[outline][:, int((which[:variant] == outline).sum())]
        if not chosen.any():
            return base
        pairs = iter(zip(samples[outline], map(int, chosen), strict=True))

        def sampled(leaf: Any) -> Any:
            known, row = next(pairs)
            return known[row - 1] if row else leaf

        return with_leaves(base, sampled)


def _samples(like: Any, cut: Callable[[str, int], Array]) -> list[Sample]:
    ((count, kept),) = cut("columns", 1).tolist()
    array = array_of(like)
    places = cut("places", kept)
    numbers = cut("numbers", count * kept).reshape(count, kept)
    marks: Sequence[Any] = [None] * count
    if array.dtype.kind != "f":
        marks = cut("codes", count).tolist()
    elif kept < array.size:
        marks = cut("sums", count).tolist()
    return [Sample(like, places, numbers[i], marks[i]) for i in range(count)]


def sampled_observations(prints: Fingerprints, expected: Mapping[str, Observation]) -> list[Seen]:
    """What each variant gives, in their order."""
    samples = SamplesOfExercise(prints, expected)
    return [Seen(samples, variant) for variant in range(prints.which.shape[1])]
