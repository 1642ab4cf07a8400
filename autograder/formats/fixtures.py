"""What the builder of a fixture may return, where the object alone does not say all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Watched:
    """What a fixture's builder may return: the object handed over, and a look at it after the call.

    `during` makes a context that stands around the call, for what can be seen only while the code runs.
    """

    live: Any
    look: Callable[[], Any]
    during: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext


@dataclass(frozen=True)
class Driver:
    """What a fixture's builder may return where an object is used more than once: `drive` does so, and returns what
    came of it. It stands in for the call of a class's method."""

    drive: Callable[[Any], Any]


class NotAsked(Exception):
    """Raised by a fixture whose question cannot be asked here: an import failed, a device is missing. The text says why."""
