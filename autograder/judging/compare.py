"""Compare what was seen with what was expected, and name the first place where they part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..formats.cases import Fault, Observation, Tolerance
from ..formats.fingerprints import FINER, Sample, array_of, code, sum_slack, weighted_sum
from ..formats.values import Array, Opaque, Tensor

_WORDS = {"b": "booleans", "i": "integers", "u": "integers", "f": "floating-point numbers"}


@dataclass(frozen=True)
class Difference:
    """Where two values part. `what` is a whole sentence; the arrays are there when numbers can be shown."""

    what: str
    place: str = ""
    """The part of the output that differs, e.g. "weights" or "output[1]"; empty where there is only one."""
    index: tuple[int, ...] = ()
    seen: Array | None = None
    expected: Array | None = None
    in_form: bool = False
    """Whether types, shapes or counts of items differ, and not only what stands in them."""


def difference(
    seen: Any, expected: Any, tolerance: Tolerance, place: str = "", returns: tuple[str, ...] = ()
) -> Difference | None:
    """The first difference between two plain values, or None where they agree.

    `returns` names the items of a returned tuple. Float width, array library of a scalar, and tuple against list are not judged. An array of the wrong kind
    (integers where booleans are expected) is.
    """
    if isinstance(expected, (tuple, list)):
        return _sequence_difference(seen, expected, tolerance, place, returns)
    if isinstance(expected, dict):
        return _dict_difference(seen, expected, tolerance, place)
    if expected is None or isinstance(expected, str):
        if (alike := type(seen) is type(expected)) and seen == expected:
            return None
        return Difference(f"{_it(place)} is {describe(seen)}, expected {describe(expected)}.", place, in_form=not alike)
    if isinstance(expected, Opaque):
        return (
            None
            if isinstance(seen, Opaque) and seen == expected
            else Difference(f"{_it(place)} is {describe(seen)}.", place, in_form=True)
        )
    if isinstance(expected, Sample):
        return _sample_difference(seen, expected, tolerance, place)
    return _array_difference(seen, expected, tolerance, place)


def _sequence_difference(
    seen: Any, expected: Any, tolerance: Tolerance, place: str, returns: tuple[str, ...]
) -> Difference | None:
    if not isinstance(seen, (tuple, list)):
        return Difference(f"{_it(place)} is {describe(seen)}, expected {describe(expected)}.", place, in_form=True)
    if len(seen) != len(expected):
        return Difference(f"{_it(place)} has {len(seen)} items, expected {len(expected)}.", place, in_form=True)
    for i, (one, other) in enumerate(zip(seen, expected, strict=True)):
        if found := difference(one, other, tolerance, returns[i] if i < len(returns) else f"{place}[{i}]"):
            return found
    return None


def _dict_difference(seen: Any, expected: dict[str, Any], tolerance: Tolerance, place: str) -> Difference | None:
    if not isinstance(seen, dict):
        return Difference(f"{_it(place)} is {describe(seen)}, expected {describe(expected)}.", place, in_form=True)
    for key in expected:
        if key not in seen:
            return Difference(f"{_it(place)} has no entry {key!r}.", place)
    for key in seen:
        if key not in expected:
            return Difference(f"{_it(place)} has an entry {key!r} that is not expected.", place)
    if (
        place == ""
        and list(seen) != list(expected)
        and not isinstance(next(iter(expected.values())), (Tensor, np.ndarray))
    ):
        return Difference(f"the entries stand in the order {list(seen)[:6]}, expected {list(expected)[:6]}.", place)
    for key, value in expected.items():
        if found := difference(seen[key], value, tolerance, f"{place}[{key!r}]"):
            return found
    return None


def _array_difference(seen: Any, expected: Any, tolerance: Tolerance, place: str) -> Difference | None:
    if found := _unlike(seen, expected, place):
        return found
    got, target = array_of(seen), array_of(expected)
    wrong = ~close(got, target, tolerance)
    if not wrong.any():
        return None
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    where = f"{_it(place)}{list(index) if index else ''}"
    yours, wanted = told_apart(got[index], target[index])
    told = f"{where} is {yours}, expected {wanted}"
    count = int(wrong.sum())
    return Difference(
        f"{told}." if got.size == 1 else f"{told} ({count} of {got.size} entries differ).",
        place,
        index,
        got,
        target,
    )


def _sample_difference(seen: Any, expected: Sample, tolerance: Tolerance, place: str) -> Difference | None:
    """As between two arrays, as far as the sample tells. Where all of two arrays agrees, this finds no difference."""
    if found := _unlike(seen, expected.like, place):
        return found
    other = Difference(f"{_it(place)} holds other numbers.", place)
    got = array_of(seen).reshape(-1)
    if array_of(expected.like).dtype.kind != "f":
        return None if code(got) == expected.mark else other
    wide = 1 + 1 / FINER
    rounded = Tolerance(tolerance.relative * wide, tolerance.absolute * wide)
    if not close(got[expected.places], expected.numbers, rounded).all():
        return other
    if expected.mark is None:
        return None
    with np.errstate(all="ignore"):
        apart = abs(weighted_sum(got) - expected.mark)
        return other if apart > sum_slack(got, rounded.absolute, rounded.relative) else None


def _unlike(seen: Any, expected: Any, place: str) -> Difference | None:
    """What parts two arrays whatever their numbers: library, shape, kind."""
    target = as_array(expected)
    got = as_array(seen)
    assert target is not None
    scalar = target.ndim == 0
    if got is None or (not scalar and _library(seen) != _library(expected)):
        return Difference(f"{_it(place)} is {describe(seen)}, expected {describe(expected)}.", place, in_form=True)
    if got.shape != target.shape:
        told = f"{_it(place)} has shape {_shape(got)}, expected {_shape(target)}."
        return Difference(told, place, (), got, target, in_form=True)
    if not _kinds_agree(got.dtype.kind, target.dtype.kind, scalar):
        return Difference(
            f"{_it(place)} holds {_WORDS[got.dtype.kind]}, expected {_WORDS[target.dtype.kind]}.",
            place,
            (),
            got,
            target,
            in_form=True,
        )
    return None


def close(seen: Array, expected: Array, tolerance: Tolerance) -> Array:
    """Elementwise agreement; NaN agrees with NaN, an infinity with itself."""
    if expected.dtype.kind in "biu" and seen.dtype.kind in "biu":
        return np.asarray(seen == expected)
    with np.errstate(all="ignore"):
        a, b = seen.astype(np.float64), expected.astype(np.float64)
        near = np.isfinite(b) & (np.abs(a - b) <= tolerance.absolute + tolerance.relative * np.abs(b))
        return np.asarray(near | (a == b) | (np.isnan(a) & np.isnan(b)))


def _kinds_agree(seen: str, expected: str, scalar: bool) -> bool:
    if expected == "b" or seen == "b":
        return seen == expected
    if expected in "iu":
        return seen in "iu" or scalar
    return True


def same_observation(seen: Observation, other: Observation, tolerance: Tolerance) -> bool:
    """Whether two observations cannot be told apart: values within tolerance, or the same fault; same side effects."""
    if (seen.fault is None) != (other.fault is None) or sorted(seen.changed) != sorted(other.changed):
        return False
    if seen.fault is not None and other.fault is not None:
        return same_fault(seen.fault, other.fault)
    one, two = as_array(seen.value), as_array(other.value)
    if one is not None and two is not None and one.shape == two.shape and one.ndim:
        corner = (0,) * one.ndim  # most pairs part in their first entry already
        if one.size and not close(one[corner], two[corner], tolerance):
            return False
    return observation_difference(seen, other, tolerance) is None


def observation_difference(
    seen: Observation, expected: Observation, tolerance: Tolerance, returns: tuple[str, ...] = ()
) -> Difference | None:
    """Value first, then what the call left behind, then gradients."""
    if found := difference(seen.value, expected.value, tolerance, returns=returns):
        return found
    for fact, title in (("after", "after the call, "), ("gradients", "the gradient of ")):
        if fact not in expected.facts:
            continue
        observed = seen.facts.get(fact)
        wanted = expected.facts[fact]
        if not isinstance(observed, dict):
            return Difference(f"{fact} could not be observed.", fact)
        for name, value in wanted.items():
            if name not in observed:
                return Difference(f"{title}{name} is missing.", fact)
            if found := difference(observed[name], value, tolerance, f"{title}{name}"):
                return found
    return None


def same_fault(seen: Fault, other: Fault) -> bool:
    return (seen.type_name, seen.message, seen.stage) == (other.type_name, other.message, other.stage)


def as_array(value: Any) -> Array | None:
    """Numbers as a NumPy array; None where the value is no number."""
    if isinstance(value, Tensor):
        return value.data
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, (bool, int, float)):
        try:
            return np.asarray(value if not isinstance(value, int) or abs(value) < 2**62 else float(value))
        except OverflowError:
            return np.asarray(np.inf)
    return None


def describe(value: Any) -> str:
    """A value in a few words, as a learner would say it."""
    if value is None:
        return "None (is a `return` missing?)"
    if isinstance(value, (bool, int, float)):
        return f"the number {number(np.asarray(value)[()])}" if not isinstance(value, bool) else repr(value)
    if isinstance(value, str):
        return f"the text {value[:60]!r}"
    if isinstance(value, Opaque):
        return f"an object of type {value.type_name}" if not value.type_name.startswith("a") else value.type_name
    if isinstance(value, Sample):
        return describe(value.like)
    if isinstance(value, (np.ndarray, Tensor)):
        data = as_array(value)
        assert data is not None
        kind = "a PyTorch tensor" if isinstance(value, Tensor) else "a NumPy array"
        return f"{kind} of shape {_shape(data)}" if data.ndim else f"the number {number(data[()])}"
    if isinstance(value, dict):
        return f"a dict with {len(value)} entries"
    kind = "a tuple" if isinstance(value, tuple) else "a list"
    if 0 < len(value) <= 4:
        return f"{kind} of {len(value)}: {', '.join(describe(item) for item in value)}"
    return f"{kind} of {len(value)} items"


def number(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    return f"{float(value):.4g}"


def told_apart(one: Any, other: Any) -> tuple[str, str]:
    """Both numbers with as many digits as it takes to see that they differ."""
    if number(one) != number(other):
        return number(one), number(other)
    for digits in range(5, 17):
        told = f"{float(one):.{digits}g}", f"{float(other):.{digits}g}"
        if told[0] != told[1]:
            return told
    return repr(float(one)), repr(float(other))


def _shape(data: Array) -> str:
    return "(" + ", ".join(map(str, data.shape)) + ("," if data.ndim == 1 else "") + ")"


def _library(value: Any) -> str:
    return "torch" if isinstance(value, Tensor) else "numpy" if isinstance(value, np.ndarray) else "python"


def _it(place: str) -> str:
    if not place:
        return "the output"
    return f"output{place}" if place.startswith("[") else place
