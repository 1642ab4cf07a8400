"""Probes from the expressions in which lessons and cases files name them."""

from __future__ import annotations

from .probe import Probe


class UnknownProbe(ValueError):
    """An expression that names no probe."""


def named_probes(expressions: tuple[str, ...]) -> tuple[Probe, ...]:
    """Probe expressions such as "sums_to_one(axis='axis')" as probes. Only names of `checks.probes` can be used."""
    from .. import probes

    namespace = {name: getattr(probes, name) for name in probes.__all__}
    found = []
    for expression in expressions:
        try:
            probe = eval(expression, {"__builtins__": {}}, namespace)
        except Exception as error:
            raise UnknownProbe(f"the probe {expression} cannot be read: {error}") from error
        if not isinstance(probe, Probe):
            raise UnknownProbe(f"{expression} is no probe; the probes are {', '.join(probes.__all__)}")
        found.append(probe)
    return tuple(found)
