"""What a probe is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...formats.cases import Call, Observation, Tolerance
from ..compare import Difference


@dataclass(frozen=True)
class Trial:
    """One case as a probe sees it."""

    call: Call
    seen: Observation
    expected: Observation
    derived: Mapping[str, tuple[Call, Observation, Observation]]
    """The probe's own derived calls by their short key: the call, what was seen, what is expected."""
    tolerance: Tolerance
    returns: tuple[str, ...] = ()

    def argument(self, name: str) -> Any:
        """The case's argument, or None where the case leaves it at its default."""
        return self.call.given.get(name)


@dataclass(frozen=True)
class Finding:
    """What a probe holds against an output: one whole sentence, and the numbers where there are any.

    share:    the part of the points that what was seen is worth all the same; at 1 the property holds, and the
              finding is there for its examples
    name:     the mistake's short name, where it is known
    examples: rows to show, each (given, expected, seen)
    """

    message: str
    difference: Difference | None = None
    share: float = 0.0
    name: str = ""
    examples: tuple[tuple[str, str, str], ...] = ()


def _no_calls(call: Call) -> dict[str, Call]:
    return {}


@dataclass(frozen=True)
class Probe:
    """A named property. `title` completes the sentence "This exercise ...", e.g. "leaves its inputs unchanged"."""

    name: str
    title: str
    judge: Callable[[Trial], Finding | None]
    derive: Callable[[Call], dict[str, Call]] = _no_calls
    """Further calls made from a case, by short key; the reference is observed on them as well."""
    view: Callable[[Any], Any] | None = None
    """What of a returned value is judged, where that is not all of it: values with equal views are equal answers."""

    @property
    def looks_at_one_call(self) -> bool:
        return self.derive is _no_calls


def common_view(probes: Iterable[Probe]) -> Callable[[Any], Any]:
    """What of a returned value these probes judge together; all of it, where none has a view."""
    return next((probe.view for probe in probes if probe.view), lambda value: value)


def in_any_order(value: Any) -> Any:
    """The view of a dict in which the order of its entries is not judged."""
    return dict(sorted(value.items())) if isinstance(value, dict) else value


def with_arguments(call: Call, label: str, **changed: Any) -> Call:
    """The same call with some arguments replaced, gradients off."""
    return replace(call, label=label, given={**call.given, **changed}, gradients=False)
