"""Random choices that come out the same for a seed on every platform and Python version.

Python promises a fixed sequence for a seed for `Random.random()` alone; how `choice` and `randrange` use that
sequence may change. Everything here is therefore built on `random()`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import TypeVar

T = TypeVar("T")


def pick(rng: Random, items: Sequence[T]) -> T:
    """One of `items`, each as likely as the others."""
    return items[int(rng.random() * len(items))]


def pick_weighted(rng: Random, items: Sequence[T], weights: Sequence[float]) -> T:
    """One of `items`, in proportion to `weights` (none negative, not all zero)."""
    limits = list(accumulate(weights))
    return items[min(bisect_right(limits, rng.random() * limits[-1]), len(items) - 1)]


def whole(rng: Random, low: int, high: int) -> int:
    """An integer from `low` to `high`, both included."""
    return low + int(rng.random() * (high - low + 1))


def chance(rng: Random, probability: float) -> bool:
    """True with this probability."""
    return rng.random() < probability
