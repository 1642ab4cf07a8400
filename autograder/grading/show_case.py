"""An exercise's hidden cases in numbers, for an instructor whom somebody asks; with what one learner's code gives on them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..formats.cases import Call, ExerciseCases, Observation, Sighting
from ..formats.rebuild import rebuild
from ..judging.compare import as_array, same_observation
from ..judging.panel import as_text
from ..judging.verdict import verdicts
from ..observing.processes import WarmProcess
from .assignment import Assignment
from .grade_one import run_outside
from .submission import find_notebook

_MOST_ENTRIES = 60


def hidden_cases_in_words(assignment: Assignment, exercise: str, folder: Path | None, confined: bool) -> str:
    """The inputs and the expected results of an exercise's hidden cases. Raises KeyError for an unknown exercise.

    folder: of a submission: then also what that gives, and the whole verdict as no feedback page shows it. Raises
            Unreadable where there is no notebook to run
    """
    visible, hidden = assignment.visible.exercise(exercise), assignment.hidden.exercise(exercise)
    if folder is None:
        return "\n".join(_told(hidden, None))
    alone = replace(
        assignment,
        visible=replace(assignment.visible, exercises=(visible,)),
        hidden=replace(assignment.hidden, exercises=(hidden,)),
    )
    _, submitted, _ = find_notebook(folder, assignment.notebook_name, assignment.grade_ids)
    cells = rebuild(*assignment.cells_in[assignment.language_of(submitted)], submitted).cells
    with WarmProcess(confined=confined) as warm:
        warm.start()
        sightings = run_outside(alone, cells, warm, folder, run_demos=False).sightings
    verdict = verdicts(alone.sets, sightings, folder)[hidden.key]
    return "\n".join([*_told(hidden, sightings[hidden.key]), "", as_text(verdict)])


def _told(cases: ExerciseCases, seen: Sighting | None) -> Iterator[str]:
    expected = {**cases.expected, **cases.unusual_expected}
    for number, (key, call) in enumerate(cases.calls.items(), start=1):
        yield from (
            "" if number > 1 else f"{cases.name}, hidden cases",
            f"{number}. {call.label}{f' ({key})' if key in cases.unusual else ''}",
        )
        yield from _arguments(call)
        if key in expected:
            yield f"   expected:   {_observation(expected[key])}"
        if seen and key in seen.observations:
            theirs = seen.observations[key]
            same = key in expected and same_observation(theirs, expected[key], cases.tolerance)
            mark = "  " if key not in expected else "✓ " if same else "✗ "
            yield f"   theirs:   {mark}{_observation(theirs)}"


def _arguments(call: Call) -> Iterator[str]:
    for before in call.before:
        yield f"   after a call with {', '.join(before)}"
    groups: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("", call.given),
        ("constructed with ", call.init or {}),
        ("weights ", call.state or {}),
    )
    for kind, values in groups:
        for name, value in values.items():
            head = f"   {kind}{name} = "
            yield head + _value(value, len(head))


def _observation(one: Observation) -> str:
    if one.fault:
        return f"{one.fault.type_name}: {one.fault.message}"
    return _value(one.value, 15)


def _value(value: Any, indent: int) -> str:
    """A value on lines that stand under each other; a large array by its shape and its first numbers."""
    array = as_array(value)
    if array is None or not array.ndim:
        text = repr(value)
        return text if len(text) < 2000 else f"{text[:2000]} …"
    shape = "×".join(map(str, array.shape))
    if math.prod(array.shape) > _MOST_ENTRIES:
        first = ", ".join(f"{entry:.6g}" for entry in array.ravel()[:8])
        return f"{shape} numbers, beginning with {first}"
    shown = np.array2string(
        array, precision=6, suppress_small=True, separator=", ", prefix=" " * (indent + len(shape) + 2)
    )
    return f"{shape}: {shown}"
