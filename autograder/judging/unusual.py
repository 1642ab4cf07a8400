"""Judge what was seen on unusual inputs: a code that fails there alone is told which kind of input it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..formats.cases import Call, ExerciseCases, Observation, Sighting
from ..formats.values import shapes_of
from .compare import difference, same_observation
from .probes.probe import Finding, Probe, Trial

NAME = "unusual_inputs"
TITLE = "takes unusual inputs, and remembers nothing"


def unusual_finding(
    cases: ExerciseCases, probes: Sequence[Probe], sighting: Sighting
) -> tuple[Finding | None, str] | None:
    """What speaks against the code and the case's label; None where not all of these calls were seen."""
    for key, call in cases.unusual.items():
        if call.elsewhere:
            continue
        seen = sighting.observations.get(key)
        if seen is None:
            return None
        if finding := _finding(key, cases, probes, seen):
            return finding, call.label
    return None, ""


def bound_to_the_cpu(cases: ExerciseCases, sighting: Sighting) -> str:
    """A note on code that would fail on a GPU, by what was seen on a second device; empty where it would not."""
    for key, call in cases.unusual.items():
        seen = sighting.observations.get(key)
        if call.elsewhere and seen and (fault := seen.fault):
            where = f" (line {fault.line}: `{fault.source_line}`)" if fault.line and fault.source_line else ""
            return f"With tensors on a GPU it would not work: {fault.message}{where}. No points depend on this."
    return ""


def remembered(cases: ExerciseCases, probes: Sequence[Probe], sighting: Sighting) -> tuple[Finding, str] | None:
    """The finding, where what was seen can have no other reason than that something of an earlier call is left.

    Either the earlier call was right and its answer was given again, or no call is wrong but those that come after
    another with arguments of the same shapes. (Code that gives one wrong number for both keeps nothing.)
    """
    call, seen = cases.unusual.get(AGAIN), sighting.observations.get(AGAIN)
    if call is None or seen is None:
        return None
    if not (finding := _finding(AGAIN, cases, probes, seen)):
        return None

    def right(key: str) -> bool:
        """In its value and in what it did to its arguments: a graph that is kept spoils the gradients, which come later."""
        one, other = sighting.observations.get(key), cases.expected[key]
        return (
            one is not None
            and same_observation(replace(one, facts={}), replace(other, facts={}), cases.tolerance)
            and difference(one.facts.get("after"), other.facts.get("after"), cases.tolerance) is None
        )

    first = next(iter(cases.plan))
    before = sighting.observations.get(first)
    kept = before and same_observation(replace(seen, facts={}), replace(before, facts={}), cases.tolerance)
    if kept and right(first) and not seen.fault:
        told = (
            f"{_words(AGAIN, call)}, your code gave once more what belongs to the call before. Something of it is kept."
        )
        return Finding(told, finding.difference, name="remembers"), call.label
    return (finding, call.label) if all(map(right, _first_of_their_shapes(cases))) else None


def _first_of_their_shapes(cases: ExerciseCases) -> list[str]:
    """The exercise's own calls but those that come after one with arguments of the same shapes; all where no array is."""
    first: dict[str, str] = {}
    for key in cases.base_keys:
        shapes = repr(shapes_of(cases.plan[key].given))
        first.setdefault(shapes if "[" in shapes else key, key)
    return list(first.values())


def _finding(key: str, cases: ExerciseCases, probes: Sequence[Probe], seen: Observation) -> Finding | None:
    """What the exercise's own properties hold against one unusual call, with the kind of its input."""
    call, name = cases.unusual[key], _NAMES.get(key, "length-of-one")
    words = _words(key, call)
    if fault := seen.fault:
        where = f" (line {fault.line}: `{fault.source_line}`)" if fault.line and fault.source_line else ""
        told = f"{fault.type_name}: {fault.message}" if fault.message and not cases.hidden else fault.type_name
        return Finding(f"{words}, your code raised {told}{where}.", name=name)
    trial = Trial(call, seen, cases.unusual_expected[key], {}, cases.tolerance, cases.returns)
    for probe in probes:
        found = probe.judge(trial) if probe.looks_at_one_call else None
        if found and found.share < 1:
            if cases.hidden:  # the kind of input is told, not its numbers
                return Finding(f"{words}, your code gives something other than expected.", name=name)
            kept = " Something of the earlier call is left." if key == AGAIN else ""
            return Finding(f"{words}, {found.message}{kept}", found.difference, name=name)
    return None


AGAIN = "again"
_NAMES = {
    AGAIN: "remembers",
    "scattered": "memory-layout",
    "ties": "ties-and-zeros",
    "whole numbers": "whole-numbers",
    "far apart": "far-apart",
    "far apart, the other way round": "far-apart",
}


def _words(key: str, call: Call) -> str:
    """The kind of input in words that begin a sentence."""
    match key:
        case "scattered":
            return (
                "where the entries of an array do not lie one behind the other in memory (as after a transpose, or in "
                "every second column)"
            )
        case "ties":
            return "where entries are exactly 0 or equal to one another"
        case "whole numbers":
            return "where the arrays hold whole numbers (integers)"
        case "far apart" | "far apart, the other way round":
            return "where the numbers are thousands apart"
        case "again":
            what = "on the same object" if call.init is not None else "in the same notebook"
            return f"called again {what}, with other numbers of the same shapes"
        case _:
            return f"on a case with a length of 1 ({call.label})"
