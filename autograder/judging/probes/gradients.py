"""Probes for gradients computed by hand: their size, their sums, and arguments put back after a nudge."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...formats.cases import Tolerance
from ...formats.values import Array
from ..compare import Difference, as_array, close, difference, number
from .basic import arrays
from .probe import Finding, Probe, Trial

_ENOUGH = 4
"""So many entries, none near 0, show a common factor; fewer agree by chance, or because they sum to 0."""


def _right_size(trial: Trial) -> Finding | None:
    for (name, seen), (_, expected) in _pairs(trial):
        factor = _common_factor(seen, expected, trial.tolerance)
        if factor is not None:
            return Finding(_factor_sentence(name, factor), Difference("", name, (), seen, expected))
    return None


def _factor_sentence(name: str, factor: float) -> str:
    name = name if " " in name else f"`{name}`"
    if factor == -1:
        return f"{name} has the wrong sign in every entry here; the sizes are right."
    if factor < 0:
        return f"every entry of {name} is {number(factor)} times what it should be here: sign and size are off."
    size = f"{number(factor)} times too large" if factor > 1 else f"{number(1 / factor)} times too small"
    return f"every entry of {name} is {size} here. Is a factor missing, in the wrong place, or there twice?"


right_size = Probe("right_size", "gets sign and size right", _right_size)


def each_gradient(*names: str) -> Probe:
    """Says which of several returned gradients are right, where at least one is and at least one is not.

    names: the returned items in order, e.g. "grad_query", "grad_key", "grad_value"
    """

    def judge(trial: Trial) -> Finding | None:
        pairs = _pairs(trial)
        if [name for (name, _), _ in pairs] != list(names):
            return None
        found = {name: difference(seen, due, trial.tolerance, name) for (name, seen), (_, due) in pairs}
        right = [name for name in names if found[name] is None]
        off = [name for name in names if found[name] is not None]
        if not right or not off:
            return None
        first = found[off[0]]
        return Finding(
            f"{_listed(right)} {'are' if len(right) > 1 else 'is'} right; {_listed(off)} "
            f"{'are' if len(off) > 1 else 'is'} not. {first.what if first else ''}",
            first,
        )

    return Probe("each_gradient", "gets each gradient right", judge)


def _rows_sum_to_zero(trial: Trial) -> Finding | None:
    seen = as_array(trial.seen.value)
    expected = as_array(trial.expected.value)
    if seen is None or expected is None or seen.shape != expected.shape or seen.ndim == 0:
        return None
    sums = seen.astype(np.float64).sum(axis=-1)
    # Float32 leaves a rest that grows with the size of the numbers that cancel.
    size = np.abs(seen).astype(np.float64).sum(axis=-1)
    off = ~(np.abs(sums) <= trial.tolerance.absolute + trial.tolerance.relative * size)
    if not off.any():
        return None
    row = tuple(int(i) for i in np.argwhere(off)[0])
    place = f"row {list(row)} of the output" if row else "the output"
    return Finding(
        f"{place} sums to {number(sums[row])}, expected 0. Adding the same number to all scores of a row "
        "changes no weight, so a row's gradients must cancel.",
        Difference("", "", (*row, 0), seen, expected),
    )


rows_sum_to_zero = Probe("rows_sum_to_zero", "gives rows that sum to 0", _rows_sum_to_zero)


def restores(name: str = "x") -> Probe:
    """The argument holds its old numbers after the call, up to rounding.

    Its case hands it over as a watched fixture: `keeps_inputs` asks for the very same bits, which x + h − h
    need not give back.
    """

    def judge(trial: Trial) -> Finding | None:
        before, after = _after(trial.expected.facts, name), _after(trial.seen.facts, name)
        if before is None:
            return None
        found = difference(after, before, trial.tolerance, f"`{name}`")
        if found is None:
            return None
        at = f"`{name}{list(found.index) if found.index else ''}`"
        told = "it holds something else"
        if found.seen is not None and found.expected is not None and found.seen.shape == found.expected.shape:
            told = f"{at} was {number(found.expected[found.index])} and is {number(found.seen[found.index])}"
        return Finding(
            f"after the call `{name}` is no longer what it was: {told}. Nudge a copy, or put "
            "each number back before you go on to the next.",
            found,
        )

    return Probe("restores", "leaves its input as it was", judge)


def _after(facts: dict[str, Any], name: str) -> Any:
    after = facts.get("after")
    return after.get(name) if isinstance(after, dict) else None


def _pairs(trial: Trial) -> list[tuple[tuple[str, Array], tuple[str, Array]]]:
    """Each returned array beside the expected one, where number and shapes agree."""
    seen, expected = arrays(trial.seen.value, trial.returns), arrays(trial.expected.value, trial.returns)
    if [array.shape for _, array in seen] != [array.shape for _, array in expected]:
        return []
    return list(zip(seen, expected, strict=True))


def _common_factor(seen: Array, expected: Array, tolerance: Tolerance) -> float | None:
    """The one factor, neither 0 nor 1, between two arrays; None where there is none or too little to tell."""
    if seen.dtype.kind != "f" or expected.dtype.kind != "f" or not np.isfinite(seen).all():
        return None
    telling = (np.abs(expected) > 100 * tolerance.absolute) & (np.abs(seen) > 100 * tolerance.absolute)
    if telling.sum() < _ENOUGH or close(seen, expected, tolerance).all():
        return None
    factor = float(np.median(seen[telling] / expected[telling]))
    stretched = Tolerance(tolerance.relative, tolerance.absolute * max(1.0, abs(factor)))
    near_one = abs(factor - 1) < 100 * tolerance.relative
    if factor == 0 or near_one or not close(seen, factor * expected, stretched).all():
        return None
    return -1.0 if abs(factor + 1) < tolerance.relative else factor


def _listed(names: list[str]) -> str:
    names = [f"`{name}`" for name in names]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
