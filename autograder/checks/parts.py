"""`use_part`: earlier exercises for later lessons, so that a failing early part never fails a later one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .. import library

_grading = False


@contextlib.contextmanager
def grading() -> Iterator[None]:
    """Inside the block `use_part` gives library-backed parts only, whatever the learner has saved."""
    global _grading
    before, _grading = _grading, True
    try:
        yield
    finally:
        _grading = before


def is_grading() -> bool:
    return _grading


def use_part(name: str) -> Any:
    """The exercise `name`, ready to use: the learner's own where it has passed its check, else library-backed.

    Raises NoSuchPart where the course has no exercise of that name.
    """
    return library.part(name)
