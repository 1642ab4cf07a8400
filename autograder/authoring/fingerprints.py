"""Choose what is kept of known mistakes' outputs: a few entries of each array, enough to tell all that are different.

From each leaf that differs from the reference's some entries are taken that lie far from each other, and for each two
variants (or a variant and the reference) that these do not tell apart by enough, the entry in which they differ most.
So what all entries tell apart, the kept ones do. A weighted sum of all entries speaks for those that are not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..formats.cases import ExerciseCases, Observation, Tolerance, Variant
from ..formats.fingerprints import (
    FINER,
    JUDGED_FACTS,
    Fingerprints,
    Seen,
    array_of,
    code,
    is_leaf,
    leaves,
    sampled_observations,
    sum_slack,
    weighted_sum,
    with_leaves,
)
from ..formats.values import Array, Tensor
from ..judging.compare import close
from ..judging.diagnose import as_viewed
from ..judging.probes.named import named_probes
from ..judging.probes.probe import common_view
from .workbench import APART

_MARGIN = 1 + 2 / FINER
"""Rounded numbers must be as far apart as the true ones have to be, and this much more."""
_NEAR = 0.25
"""A leaf this many tolerances from the reference's is the reference's."""
_OF_CASE, _OF_OTHERS = 2, 1
"""How many entries far from each other are kept: of a case's value, and of derived calls and gradients."""


def fingerprinted(cases: ExerciseCases) -> ExerciseCases:
    """The cases as they are stored: of the known mistakes' outputs what diagnosis needs. `full_seen` still has all."""
    if not cases.variants or all(isinstance(variant.seen, Seen) for variant in cases.variants):
        return cases
    seen = sampled_observations(_Chooser(cases).fingerprints(), {key: cases.expected[key] for key in cases.plan})
    pairs = zip(cases.variants, seen, strict=True)
    return replace(cases, variants=tuple(Variant(v.name, v.says, replace(one, full=v.seen)) for v, one in pairs))


def was_read(cases: ExerciseCases) -> bool:
    """Whether the cases were not drawn in this process: what they were read from is what they are."""
    return any(isinstance(variant.seen, Seen) and variant.seen.full is None for variant in cases.variants)


def full_seen(variant: Variant) -> Mapping[str, Observation]:
    """All that a variant gives that was drawn in this process; what is stored of one that was read."""
    return (variant.seen.full if isinstance(variant.seen, Seen) else None) or variant.seen


@dataclass
class _Chooser:
    cases: ExerciseCases
    outlines: list[Observation] = field(default_factory=list)
    columns: list[tuple[int, int]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    numbers: list[Array] = field(default_factory=list)
    sums: list[float] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    _known: dict[Any, int] = field(default_factory=dict)

    def fingerprints(self) -> Fingerprints:
        which = [self._add_call(key) for key in self.cases.plan]
        numbers = np.concatenate([np.zeros(0), *self.numbers])
        return Fingerprints(
            outlines=tuple(self.outlines),
            which=_small(which),
            columns=_small(self.columns),
            rows=_small(self.rows),
            places=_small(self.places),
            numbers=_narrow(numbers, self.cases.tolerance),
            sums=_narrow(np.array(self.sums, dtype=np.float64), self.cases.tolerance),
            codes=np.array(self.codes, dtype=np.uint32),
        )

    def _add_call(self, key: str) -> list[int]:
        """Choose for one call; return the outline of each variant on it."""
        view = common_view(named_probes(self.cases.probes))
        expected = as_viewed(self.cases.expected[key], view)
        shape = _shape_of(expected)
        as_given = shape == _shape_of(self.cases.expected[key])  # a view may cut an array
        seen = [_judged(as_viewed(variant.seen[key], view)) for variant in self.cases.variants]
        which = []
        for one in seen:
            its = _shape_of(one)
            same = its == shape and (as_given or self._agree(leaves(one), leaves(expected)))
            which.append(0 if same else self._outline(its, one))
        for outline in sorted(set(which)):
            members = [leaves(one) for one, its in zip(seen, which, strict=True) if its == outline]
            references = leaves(expected) if outline == 0 else [None] * len(members[0])
            values = len(leaves(replace(seen[which.index(outline)], facts={})))
            for i, reference in enumerate(references):
                # facts come behind the value
                kept = _OF_CASE if i < values and "/" not in key else _OF_OTHERS
                self._add_column([member[i] for member in members], reference, kept)
        return which

    def _outline(self, shape: Any, seen: Observation) -> int:
        if shape not in self._known:
            self.outlines.append(with_leaves(seen, _zeros))
            self._known[shape] = len(self.outlines)
        return self._known[shape]

    def _agree(self, some: Sequence[Any], others: Sequence[Any]) -> bool:
        near = _scaled(self.cases.tolerance, _NEAR)
        return all(bool(close(array_of(a), array_of(b), near).all()) for a, b in zip(some, others, strict=True))

    def _add_column(self, members: Sequence[Any], reference: Any, kept: int) -> None:
        arrays = np.stack([array_of(member).reshape(-1) for member in members])
        due = None if reference is None else array_of(reference).reshape(-1)
        if arrays.dtype.kind != "f":
            codes = [code(array) for array in arrays]
            distinct = {
                number: i + 1
                for i, number in enumerate(dict.fromkeys(codes) if due is None else _others(codes, code(due)))
            }
            self.rows += [distinct.get(number, 0) for number in codes]
            self.columns.append((len(distinct), 0))
            self.codes += distinct
            return
        arrays = arrays.astype(np.float64)
        differs: Array = np.ones(len(arrays), dtype=bool)
        if due is not None:
            due = due.astype(np.float64)
            differs = np.asarray(~close(arrays, due[None], _scaled(self.cases.tolerance, _NEAR)).all(axis=1))
        if not differs.any():
            self.rows += [0] * len(arrays)
            self.columns.append((0, 0))
            return
        pool = _different_rows(arrays[differs] if due is None else np.vstack([arrays[differs], due]))
        places = _telling_places(pool, self.cases.tolerance, kept)
        numbers = _rounded(arrays[:, places], _allowed(arrays[:, places], self.cases.tolerance))
        tolerance = self.cases.tolerance
        sums = _rounded(weighted_sum(arrays), sum_slack(arrays, tolerance.absolute, tolerance.relative))
        rows: dict[bytes, int] = {}
        for i in range(len(arrays)):
            if not differs[i]:
                self.rows.append(0)
                continue
            name = numbers[i].tobytes() + sums[i].tobytes()
            if name not in rows:
                rows[name] = len(rows) + 1
                self.numbers.append(numbers[i])
                self.sums += [float(sums[i])] if len(places) < arrays.shape[1] else []
            self.rows.append(rows[name])
        self.columns.append((len(rows), len(places)))
        self.places += places


def _others(codes: Iterable[int], due: int) -> list[int]:
    return [number for number in dict.fromkeys(codes) if number != due]


def _judged(observation: Observation) -> Observation:
    """What of an observation is compared: no line of a fault, and of the facts those that are judged."""
    fault = observation.fault and replace(observation.fault, line=0, source_line="")
    facts = {name: observation.facts[name] for name in JUDGED_FACTS if name in observation.facts}
    return Observation(observation.value, fault, tuple(sorted(observation.changed)), facts)


def _shape_of(observation: Observation) -> Any:
    """Equal for two observations that differ in numbers at most."""
    judged = _judged(observation)
    return _tree_shape(judged.value), judged.fault, judged.changed, _tree_shape(judged.facts, in_order=False)


def _tree_shape(tree: Any, *, in_order: bool = True) -> Any:
    """in_order: the order of a dict's entries counts, as it does in what is returned"""
    if is_leaf(tree):
        array = array_of(tree)
        return type(tree).__name__, array.dtype.kind, array.shape
    if isinstance(tree, dict):
        keys = list(tree) if in_order else sorted(tree)
        return "dict", tuple((key, _tree_shape(tree[key], in_order=in_order)) for key in keys)
    if isinstance(tree, (tuple, list)):
        return "items", tuple(_tree_shape(item, in_order=in_order) for item in tree)
    return type(tree).__name__, repr(tree)


def _zeros(leaf: Any) -> Any:
    """Zeros take no room in a file, and those of one shape are written once."""
    if isinstance(leaf, Tensor):
        return Tensor(np.zeros_like(leaf.data), leaf.dtype)
    return 0.0 if isinstance(leaf, float) else np.zeros_like(leaf)


def _different_rows(rows: Array) -> Array:
    """Each row once, sorted: as from `np.unique(axis=0)`, which takes many times as long where rows are long."""
    different = {row.tobytes(): row for row in rows}.values()
    return np.array(sorted(different, key=lambda row: np.where(np.isnan(row), np.inf, row).tolist()))


def _telling_places(pool: Array, tolerance: Tolerance, kept: int) -> list[int]:
    """Entries that tell the rows apart.

    pool: (rows, size), all different
    """
    size = pool.shape[1]
    sums, slack = weighted_sum(pool), sum_slack(pool, tolerance.absolute, tolerance.relative)
    places = (
        sorted({int((i * 0.6180339887498949 % 1) * size) for i in range(1, kept + 1)})
        if size > kept
        else [*range(size)]
    )
    if len(places) == size:
        return places
    enough = APART * _MARGIN
    for i, row in enumerate(pool[:-1]):
        others = pool[i + 1 :]
        told = _distance(row, others[:, places], tolerance, places).max(axis=1, initial=0)
        told = np.maximum(told, np.abs(sums[i] - sums[i + 1 :]) / np.maximum(slack[i], slack[i + 1 :]))
        for other in np.flatnonzero(told < enough):
            now = _distance(row, others[other : other + 1, places], tolerance, places).max(initial=0)
            if now >= enough:
                continue
            everywhere = _distance(row, others[other : other + 1], tolerance)[0]
            best = int(everywhere.argmax())
            if best not in places and everywhere[best] > _MARGIN:
                places = [*places, best]
    return sorted(places)


def _distance(row: Array, others: Array, tolerance: Tolerance, places: Sequence[int] | None = None) -> Array:
    """(others, entries): how many tolerances the entries are apart; ∞ where one is no number, or another one."""
    one = row if places is None else row[list(places)]
    with np.errstate(all="ignore"):
        allowed = tolerance.absolute + tolerance.relative * np.maximum(np.abs(one), np.abs(others))
        found = np.abs(one - others) / allowed
    found[(one == others) | (np.isnan(one) & np.isnan(others))] = 0
    found[np.isnan(found)] = np.inf
    return np.asarray(found)


def _allowed(numbers: Array, tolerance: Tolerance) -> Array:
    return np.asarray(tolerance.absolute + tolerance.relative * np.abs(numbers))


def _rounded(numbers: Array, allowed: Array) -> Array:
    """The numbers to no more binary digits than it takes: the others are 0, which files keep in no room."""
    with np.errstate(all="ignore"):
        step = np.exp2(np.floor(np.log2(allowed / FINER)))
        rounded = np.round(numbers / step) * step
    return np.where(np.isfinite(rounded), rounded, numbers)


def _narrow(numbers: Array, tolerance: Tolerance) -> Array:
    """In float32, where this changes nothing that counts."""
    with np.errstate(all="ignore"):
        narrow = numbers.astype(np.float32)
        same = close(narrow.astype(np.float64), numbers, _scaled(tolerance, 1 / (2 * FINER)))
    return narrow if same.all() else numbers


def _small(numbers: Any) -> Array:
    """Integers from 0 on in the type that takes least."""
    found = np.array(numbers, dtype=np.int64)
    return found.astype(np.min_scalar_type(int(found.max()) if found.size else 0))


def _scaled(tolerance: Tolerance, factor: float) -> Tolerance:
    return Tolerance(tolerance.relative * factor, tolerance.absolute * factor)
