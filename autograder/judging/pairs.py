"""What one case gave beside what was expected of it, both as arrays of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..formats.cases import Tolerance
from ..formats.values import Array
from .compare import Difference, as_array, close


@dataclass(frozen=True)
class Pair:
    """What one case gave and what was expected of it; `given` are its arguments that are arrays."""

    seen: Array
    expected: Array
    given: dict[str, Array]
    tolerance: Tolerance
    booleans: bool = False

    def is_near(self, other: Array) -> bool:
        return other.shape == self.seen.shape and bool(close(self.seen, other, self.tolerance).all())


def pair_of(found: Difference, given: dict[str, Any], tolerance: Tolerance) -> Pair | None:
    """The pair, where both are finite numbers or both booleans; None otherwise."""
    if found.seen is None or found.expected is None:
        return None
    if found.seen.dtype.kind not in "fiub" or found.expected.dtype.kind not in "fiub":
        return None
    if (found.seen.dtype.kind == "b") != (found.expected.dtype.kind == "b"):
        return None
    if not (np.isfinite(found.seen).all() and np.isfinite(found.expected).all()):
        return None
    arrays = {name: array for name, value in given.items() if (array := as_array(value)) is not None and array.ndim}
    booleans = found.expected.dtype.kind == "b"
    return Pair(found.seen.astype(np.float64), found.expected.astype(np.float64), arrays, tolerance, booleans)
