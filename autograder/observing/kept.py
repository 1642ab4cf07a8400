"""What a learner's code keeps from one call to the next: seen in the places where code can keep something."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

_Cached = type(functools.cache(len))
_MOST = 1000
"""So many items of a container are looked at."""


@contextlib.contextmanager
def watching_for_kept(target: Any, namespaces: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Afterwards the list names each place that holds something else than before, as the learner wrote it: variables of the
    notebook, attributes, default values of arguments, variables of an enclosing function, a cache around the function."""
    before = _marks(target, namespaces)
    changed: list[str] = []
    yield changed
    changed += [name for name, mark in _marks(target, namespaces).items() if before.get(name) != mark]


def _marks(target: Any, namespaces: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with contextlib.suppress(Exception):  # a learner's objects may misbehave when they are looked at
        found.update(_places(target, namespaces))
    return found


def _places(target: Any, namespaces: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Asks objects nothing: a learner's may do anything when it is asked, for its attributes or its class."""
    for space in namespaces:
        for name, value in list(space.items()):
            if not name.startswith("__") and type(value) is not ModuleType:
                yield f"{name}.cache_info()" if type(value) is _Cached else name, _mark(value)
    if isinstance(target, type):
        own = list(vars(target).items())
    else:
        own = [(target.__name__, target)] if type(target) in (FunctionType, _Cached) else []
    for name, value in own:
        function = value.__wrapped__ if type(value) is _Cached else value
        if type(function) is FunctionType:
            defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
            yield f"{name}.__defaults__", tuple(map(_mark, defaults))
            for attribute, kept in list(vars(function).items()):
                if attribute != "__wrapped__":
                    yield f"{name}.{attribute}", _mark(kept)
            for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
                with contextlib.suppress(ValueError):  # not filled yet
                    if variable != "__class__":
                        yield variable, _mark(cell.cell_contents)
        elif isinstance(target, type) and not name.startswith("__"):
            yield f"{target.__name__}.{name}", _mark(value)


def _mark(value: Any) -> Any:
    """Two marks are equal where nothing was put in its place or into it."""
    if issubclass(type(value), dict):
        items = list(dict.items(value))[:_MOST]
        return id(value), dict.__len__(value), [(id(key), id(item)) for key, item in items]
    for kind in (list, set):
        if issubclass(type(value), kind):
            return id(value), kind.__len__(value), [id(item) for item in list(kind.__iter__(value))[:_MOST]]
    if type(value) is _Cached:
        return id(value), value.cache_info().currsize
    return id(value)
