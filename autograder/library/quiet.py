"""Library-backed parts do their work unseen by the watch for forbidden operators, and say so where they are the exercise."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

_paused = 0
_observed: tuple[str, Callable[[str], None]] | None = None
"""The exercise that is being observed, and where to say that its own library-backed part was called."""


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Library-backed parts do their work in here, unseen by the watch."""
    global _paused
    _paused += 1
    try:
        yield
    finally:
        _paused -= 1


def is_paused() -> bool:
    return _paused > 0


def quiet(part: Any) -> Any:
    """The same function or module class, its calls unseen by the watch."""
    if isinstance(part, type):

        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            _note_part(part)
            with paused():
                return part.__call__(self, *args, **kwargs)

        return type(part.__name__, (part,), {"__call__": call, "__doc__": part.__doc__})

    @functools.wraps(part)
    def function(*args: Any, **kwargs: Any) -> Any:
        _note_part(part)
        with paused():
            return part(*args, **kwargs)

    return function


def _note_part(part: Any) -> None:
    """A part may use other parts, its own name's too; a learner's exercise may not be its own part."""
    if _observed and not _paused and part.__name__ == _observed[0]:
        _observed[1](f"use_part('{_observed[0]}')")


@contextlib.contextmanager
def observing(exercise: str, used: set[str]) -> Iterator[None]:
    global _observed
    before, _observed = _observed, (exercise, used.add) if exercise else None
    try:
        yield
    finally:
        _observed = before
