"""Library-backed parts: what stands in for an exercise that is not passed yet, and the fixtures that cases name.

The `unit_*.py` modules here are built from the `library` blocks of the lessons in `solutions/`: edit them there and
run `python -m autograder build`. A part computes what its exercise computes by way of a library's own operator, so
it holds no solution; while a learner's code is watched for forbidden operators, parts are not.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..formats.values import Fixture
from .quiet import paused, quiet

_grading = False
_HERE = Path(__file__).resolve().parent


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


class NoSuchPart(LookupError):
    """No unit's library block defines this name."""


def module_name(unit: str) -> str:
    return f"unit_{unit}"


@functools.cache
def units() -> tuple[str, ...]:
    return tuple(sorted(path.stem.removeprefix("unit_") for path in _HERE.glob("unit_*.py")))


@functools.cache
def unit_of(name: str) -> str:
    """The unit whose library block defines `name`. Raises NoSuchPart."""
    pattern = re.compile(rf"^(?:def|class) {re.escape(name)}\b", re.MULTILINE)
    for unit in units():
        if pattern.search((_HERE / f"{module_name(unit)}.py").read_text(encoding="utf-8")):
            return unit
    raise NoSuchPart(f"there is no part named {name!r} in the course")


@functools.cache
def _names_of(unit: str) -> tuple[str, ...]:
    text = (_HERE / f"{module_name(unit)}.py").read_text(encoding="utf-8")
    return tuple(re.findall(r"^(?:def|class) (\w+)", text, flags=re.MULTILINE))


@functools.cache
def exercise_names() -> tuple[str, ...]:
    """Every name that the library blocks define: the course's exercises, and fixtures of their cases."""
    return tuple(name for unit in units() for name in _names_of(unit))


def allowed_parts(unit: str, exercise: str, replaced: Iterable[str]) -> frozenset[str]:
    """The parts that an exercise may stand on: those of earlier units, and earlier ones of its own (`replaced`)."""
    before = frozenset(name for one in units() if one < unit for name in _names_of(one))
    return before - {exercise} | frozenset(replaced)


@functools.cache
def part(name: str) -> Any:
    """The library-backed function or class named `name`, its operators unseen by the watch. Raises NoSuchPart."""
    if name.startswith("_"):
        raise NoSuchPart(f"{name!r} is a helper of the library's, and no part of the course")
    return quiet(_member(unit_of(name), name))


def parts(names: tuple[str, ...]) -> dict[str, Any]:
    """Library-backed parts for those of `names` that have one."""
    if names:
        import torch  # noqa: F401  parts import it when first called, which would be on the learner's time
    found = {}
    for name in names:
        try:
            found[name] = part(name)
        except NoSuchPart:
            continue
    return found


def build_fixture(fixture: Fixture) -> Any:
    """The live object that a case names: what the unit's builder of that name returns for the given arguments."""
    with paused():
        return _member(fixture.unit, fixture.name)(**fixture.given)


def _member(unit: str, name: str) -> Any:
    with paused():
        module = importlib.import_module(f"{__name__}.{module_name(unit)}")
    return getattr(module, name)
