"""Judge what was seen on unusual inputs: a code that fails there alone is told which kind of input it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..formats import unusual as kinds
from ..formats.cases import Call, ExerciseCases, Observation, Sighting
from ..formats.values import shapes_of
from .compare import as_array, difference, same_observation
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
            return replace(finding, message=_unmoved(key, cases, sighting) or finding.message), call.label
    return None, ""


def _unmoved(key: str, cases: ExerciseCases, sighting: Sighting) -> str:
    """The two things that may be the reason, where an argument alone was changed and the answer stayed; else empty."""
    before, seen = sighting.observations.get(next(iter(cases.plan))), sighting.observations.get(key)
    family, argument = kinds.parted(key)
    if (
        family != kinds.AGAIN
        or not argument
        or argument.startswith(kinds.WITHOUT)
        or not before
        or not seen
        or seen.fault
    ):
        return ""
    if not _same_value(seen, before, cases):
        return ""
    if _same_value(seen, cases.unusual_expected[key], cases):
        return ""
    words = _words(key, cases.unusual[key])
    return f"{words}, your code gives the same answer: `{argument}` is not used here, or the answer to the call before is kept."


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

    Either the earlier call was right and its answer was given again, or it was right and is another when it is made once
    more, or no call is wrong but one on an object that was used before, and the same on a fresh object is right. Of a
    function nobody can say what a first call would have given: there it is asked. (Code that gives one wrong number for
    both keeps nothing.)
    """

    def right(key: str) -> bool:
        """In its value and in what it did to its arguments: a graph that is kept spoils the gradients, which come later."""
        one, other = sighting.observations.get(key), cases.expected[key]
        return (
            one is not None
            and _same_value(one, other, cases)
            and difference(one.facts.get("after"), other.facts.get("after"), cases.tolerance) is None
        )

    first = next(iter(cases.plan))
    before = sighting.observations.get(first)
    for key, call in cases.unusual.items():
        seen = sighting.observations.get(key)
        if (
            key not in (kinds.AGAIN, kinds.AT_LAST)
            or seen is None
            or not (finding := _finding(key, cases, probes, seen))
        ):
            continue
        if finding.name == TWICE:
            return finding, call.label
        if key == kinds.AT_LAST:
            if before and right(first) and not _same_value(seen, before, cases):
                return finding, call.label
            continue
        kept = before and _same_value(seen, before, cases)
        if kept and right(first) and not seen.fault:
            told = f"{_words(key, call)}, your code gave once more what belongs to the call before. Something of it is kept."
            return Finding(told, finding.difference, name=REMEMBERS), call.label
        if all(map(right, _first_of_their_shapes(cases))):
            alone = sighting.observations.get(kinds.ALONE)
            if alone is None or kinds.ALONE not in cases.unusual:
                if unmoved := next(filter(None, (_unmoved(one, cases, sighting) for one in cases.unusual)), ""):
                    return Finding(unmoved, finding.difference, name=_ONE_CHANGED), call.label
                doubt = replace(finding, message=finding.message.removesuffix(_LEFT) + _PERHAPS, name=kinds.AGAIN)
                return doubt, call.label
            if not _finding(kinds.ALONE, cases, probes, alone):
                return finding, call.label
    return None


def _same_value(one: Observation, other: Observation, cases: ExerciseCases) -> bool:
    return same_observation(replace(one, facts={}), replace(other, facts={}), cases.tolerance)


def _first_of_their_shapes(cases: ExerciseCases) -> list[str]:
    """The exercise's own calls but those that come after one with arguments of the same shapes; all where no array is."""
    first: dict[str, str] = {}
    for key in cases.base_keys:
        shapes = repr(shapes_of(cases.plan[key].given))
        first.setdefault(shapes if "[" in shapes else key, key)
    return list(first.values())


def _finding(key: str, cases: ExerciseCases, probes: Sequence[Probe], seen: Observation) -> Finding | None:
    """What the exercise's own properties hold against one unusual call, with the kind of its input."""
    call, (family, of_it) = cases.unusual[key], kinds.parted(key)
    name = _ONE_CHANGED if family == kinds.AGAIN and of_it else _NAMES[family]
    words = _words(key, call)
    if fault := seen.fault:
        where = f" (line {fault.line}: `{fault.source_line}`)" if fault.line and fault.source_line else ""
        told = f"{fault.type_name}: {fault.message}" if fault.message and not cases.hidden else fault.type_name
        return Finding(f"{words}, your code raised {told}{where}.", name=name)
    expected, tolerance = cases.unusual_expected[key], cases.tolerance
    if name == "far-apart":  # what cancels there keeps the rounding of the large numbers
        tolerance = replace(tolerance, absolute=max(tolerance.absolute, tolerance.relative * _largest(expected.value)))
    trial = Trial(call, seen, expected, {}, tolerance, cases.returns)
    for probe in probes:
        found = probe.judge(trial) if probe.looks_at_one_call else None
        if found and found.share < 1:
            if cases.hidden:  # the kind of input is told, not its numbers
                return Finding(f"{words}, your code gives something other than expected.", name=name)
            left = _LEFT if key in (kinds.AGAIN, kinds.AT_LAST) else ""
            return Finding(f"{words}, {found.message}{left}", found.difference, name=name)
    if seen.facts.get("overwritten") and not expected.facts.get("overwritten"):
        told = (
            f"{words}, your code wrote over what it had given back before: it gives out one and the same array twice."
        )
        return Finding(told, name=TWICE)
    return None


def _largest(value: Any) -> float:
    """The largest finite size among all numbers of a value."""
    if isinstance(value, (tuple, list)):
        return max(map(_largest, value), default=0.0)
    array = as_array(value)
    if array is None or array.dtype.kind not in "fiu":
        return 0.0
    return float(np.abs(array).max(initial=0, where=np.isfinite(array)))


TWICE, REMEMBERS = "one-array-twice", "remembers"
_ONE_CHANGED = "one-argument-changed"
_NAMES = {
    kinds.AGAIN: REMEMBERS,
    kinds.ALONE: "other-numbers",
    kinds.AT_LAST: REMEMBERS,
    kinds.SCATTERED: "memory-layout",
    kinds.TIES: "ties-and-zeros",
    kinds.WHOLE: "whole-numbers",
    kinds.FAR_APART: "far-apart",
    kinds.REVERSED: "far-apart",
    kinds.TRAINING: "training-mode",
    kinds.MASK: "form-of-mask",
    kinds.ONE: "length-of-one",
    kinds.MANY: "great-length",
}
_LEFT = " Something of the earlier call is left."
_PERHAPS = (
    " The calls before it were right. Is something of them kept, or is it these numbers that your code does not take?"
)


def _words(key: str, call: Call) -> str:
    """The kind of input in words that begin a sentence."""
    family, name = kinds.parted(key)
    match family:
        case kinds.SCATTERED:
            return (
                "where the entries of an array do not lie one behind the other in memory (as after a transpose, or in "
                "every second column)"
            )
        case kinds.TIES if name in call.given:
            return f"where all of `{name}` is 0"
        case kinds.TIES if name:
            return _equal_rows(call)
        case kinds.TIES:
            return "where entries are exactly 0 or equal to one another"
        case kinds.WHOLE:
            return "where the arrays hold whole numbers (integers)"
        case kinds.FAR_APART | kinds.REVERSED:
            return "where the numbers are thousands apart"
        case kinds.TRAINING:
            if "dropout" in (call.init or {}):
                return "in training mode (`module.train()`), with a dropout of 0"
            return "in training mode (`module.train()`)"
        case kinds.MASK:
            return _MASKS[name]
        case kinds.AT_LAST:
            return "asked at the end for what it was asked first"
        case kinds.ALONE:
            return "on a fresh object, with other numbers of the same shapes"
        case kinds.AGAIN:
            what = "on the same object" if call.init is not None else "in the same notebook"
            if name.startswith(kinds.WITHOUT):
                return f"called again {what}, as before but without `{name.removeprefix(kinds.WITHOUT)}`"
            if name:
                return f"called again {what}, with another `{name}` and all else as before"
            return f"called again {what}, with other numbers of the same shapes"
        case kinds.MANY:
            return f"on a larger case ({call.label})"
        case _:
            return f"on a case with a length of 1 ({call.label})"


def _equal_rows(call: Call) -> str:
    """What `ties: equal rows` did to the arguments, by name."""
    arrays = {name: array for name, value in call.given.items() if (array := as_array(value)) is not None}
    floats = {f"`{name}`": array for name, array in arrays.items() if array.dtype.kind == "f"}
    if tables := {name: array.shape[-2] for name, array in floats.items() if array.ndim > 1 and array.shape[-2] > 1}:
        last = " and the last is 0" if min(tables.values()) > 2 else ""
        return f"where the first two rows of {', '.join(tables)} are equal{last}"
    vectors = ", ".join(name for name, array in floats.items() if array.ndim == 1)
    return f"where {vectors} are equal" if vectors else "where two rows of an array are equal and another is 0"


_MASKS = {
    "two axes": "where the mask has two axes, (queries, keys), and holds for every sentence and head",
    "three axes": "where the mask has three axes, which broadcasting takes for (heads, queries, keys)",
    "one for each head": "where the mask is another one for each head",
    "all hidden": "where the mask hides everything",
}
