"""What an exercise is checked on: the calls to observe, what they should give, and what known mistakes give.

`ExerciseCases` is all that the judge needs. The visible ones stand in each unit's `cases.npz`, built from the
lesson; the hidden ones are drawn from a seed on the grading side and are never written to disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from .course import CASES_FILE as CASES_FILE
from .fingerprints import Fingerprints, Seen, sampled_observations
from .values import UnreadableValues, digest, pack, unpack

_FORMAT = 4


@dataclass(frozen=True)
class Call:
    """One use of the learner's function or class.

    `given` holds the arguments by name, `by_position` how many of them are passed without their names. For a
    class, `init` holds the constructor's arguments, `state` the weights to load, and `method` what is called.
    `gradients` asks for the gradients of the outputs' weighted sum with respect to float inputs and weights.
    `before` holds the arguments of calls that come before it on the same object, whose results count for nothing.
    With `scattered`, the entries of its arrays do not lie one behind the other in memory. With `elsewhere`, its tensors
    lie on another device than the CPU.
    """

    label: str
    given: dict[str, Any]
    by_position: int
    init: dict[str, Any] | None = None
    state: dict[str, Any] | None = None
    method: str = "forward"
    training: bool = False
    gradients: bool = False
    before: tuple[dict[str, Any], ...] = ()
    scattered: bool = False
    elsewhere: bool = False


@dataclass(frozen=True)
class Fault:
    """An exception, as the learner's code raised it. `line` is 1-based within the cell or file, 0 where unknown."""

    type_name: str
    message: str
    line: int = 0
    source_line: str = ""
    stage: Literal["call", "construct", "load weights", "gradients", "define"] = "call"


@dataclass(frozen=True)
class Observation:
    """What one call did: the value it returned, or the fault it ended in, and what else it touched."""

    value: Any = None
    fault: Fault | None = None
    changed: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sighting:
    """All that was observed of one exercise: one observation a call, and what concerns the whole exercise."""

    observations: dict[str, Observation]
    forbidden: tuple[str, ...] = ()
    printed: str = ""
    trouble: Fault | None = None
    """Why nothing could be observed: not defined, not callable, out of time, the process died."""
    reset: tuple[str, ...] = ()
    """What other cells had changed for the whole process, and was put back meanwhile."""
    kept: tuple[str, ...] = ()
    """Where the code keeps something from one call to the next."""


@dataclass(frozen=True)
class Tolerance:
    """Two numbers agree when |seen − expected| ≤ absolute + relative·|expected|."""

    relative: float = 2e-4
    absolute: float = 2e-5


@dataclass(frozen=True)
class Variant:
    """A known mistake: its short name, the sentence its maker should read, and what it gives on each call.

    Where it comes from a file, samples stand in its observations in the place of arrays that differ from the reference's.
    """

    name: str
    says: str
    seen: Mapping[str, Observation]


@dataclass(frozen=True)
class ExerciseCases:
    unit: str
    name: str
    kind: Literal["function", "class"]
    points: float
    """Points of this set of cases (visible or hidden), not of the whole exercise."""
    points_elsewhere: float
    """Points of the exercise's other set."""
    plan: dict[str, Call]
    expected: dict[str, Observation]
    variants: Sequence[Variant]
    probes: tuple[str, ...]
    """Probe expressions as written in the check cell, e.g. "rows_sum_to_one(axis=-1)"."""
    tolerance: Tolerance
    forbids: tuple[str, ...]
    replaces: tuple[str, ...]
    """Earlier exercises of the unit, replaced by library-backed parts while this one is observed."""
    signature: str
    returns: tuple[str, ...]
    """Names of the items of a returned tuple, for messages."""
    hints: tuple[str, ...]
    time_limit: float
    """Seconds for all calls together."""
    hidden: bool = False
    files: tuple[str, ...] = ()
    """Names of files that are handed in beside the notebook and that the exercise reads."""
    unusual: dict[str, Call] = field(default_factory=dict)
    """Further calls, by the kind of what is unusual about them. Known mistakes are not run on these: that a code fails on
    nothing else says what is wrong with it."""
    unusual_expected: dict[str, Observation] = field(default_factory=dict)
    made_from: str = ""
    """A digest of the texts that known mistakes were made from; nothing is judged by it."""

    @property
    def calls(self) -> dict[str, Call]:
        """All that is asked."""
        return {**self.plan, **self.unusual}

    @property
    def key(self) -> str:
        """The name of this set of cases among those of its unit."""
        return f"{self.name}/{'hidden' if self.hidden else 'visible'}"

    @property
    def base_keys(self) -> tuple[str, ...]:
        """Keys of the plan's own cases, without the calls that probes derive from them."""
        return tuple(key for key in self.plan if "/" not in key)

    def one_by_one(self) -> Iterator[ExerciseCases]:
        """Each of the plan's own cases by itself, with the calls derived from it and without unusual inputs."""
        for base in self.base_keys:
            plan = {key: call for key, call in self.plan.items() if key == base or key.startswith(f"{base}/")}
            yield replace(self, plan=plan, unusual={})


@dataclass(frozen=True)
class UnitCases:
    unit: str
    title: str
    exercises: tuple[ExerciseCases, ...]
    code_cells: tuple[dict[str, Any], ...] = ()
    """The notebook's code cells as learners get them: what a notebook that was handed in is laid into."""

    def exercise(self, name: str) -> ExerciseCases:
        for exercise in self.exercises:
            if exercise.name == name:
                return exercise
        raise KeyError(f"unit {self.unit} has no exercise {name}")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(exercise.name for exercise in self.exercises)


class MissingCases(FileNotFoundError):
    """No readable cases file where one was expected; the message says what to do."""


def save_cases(cases: UnitCases, path: Path) -> None:
    path.write_bytes(pack({"format": _FORMAT, **_fields(cases)}, small=True))


def cases_digest(cases: UnitCases) -> bytes:
    """Changes with anything in the cases that decides about points: with all but the known mistakes."""
    return digest(
        _fields(replace(cases, exercises=tuple(replace(one, variants=(), made_from="") for one in cases.exercises)))
    )


def load_cases(path: Path) -> UnitCases:
    """Read a unit's cases. Raises MissingCases with one line that says what is wrong and how to mend it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissingCases(
            f"{path} cannot be read ({error.strerror}). It belongs beside the notebook: copy it from the course."
        ) from error
    try:
        tree = unpack(data)
        if tree["format"] != _FORMAT:
            raise UnreadableValues(f"format {tree['format']}, not {_FORMAT}")
        return _unit_cases(tree)
    except (UnreadableValues, KeyError, TypeError) as error:
        raise MissingCases(
            f"{path} is damaged or of another version ({error}). Copy it from the course again."
        ) from error


def _fields(record: Any) -> dict[str, Any]:
    if isinstance(record, ExerciseCases):
        apart = {
            "variants": _variants_tree(record.variants),
            "plan": _plan_tree(record.plan),
            "unusual": _plan_tree(record.unusual),
        }
        return {name: apart.get(name) or _tree(getattr(record, name)) for name in record.__dataclass_fields__}
    return {name: _tree(getattr(record, name)) for name in record.__dataclass_fields__}


def _plan_tree(plan: dict[str, Call]) -> dict[str, Any]:
    """The calls, and beside them the weights that several of them load, each set once."""
    places: dict[bytes, int] = {}
    states: list[Any] = []
    calls: dict[str, Any] = {}
    for key, call in plan.items():
        name = digest(call.state)
        if name not in places:
            places[name] = len(states)
            states.append(_tree(call.state))
        calls[key] = _fields(call) | {"state": places[name]}
    return {"calls": calls, "states": states}


def _plan(tree: dict[str, Any]) -> dict[str, Call]:
    return calls_from({key: {**call, "state": tree["states"][call["state"]]} for key, call in tree["calls"].items()})


def _variants_tree(variants: Sequence[Variant]) -> dict[str, Any]:
    """Names and sentences, and the fingerprints; or all that was seen, where no fingerprints have been taken."""
    tree: dict[str, Any] = {"names": [v.name for v in variants], "says": [v.says for v in variants]}
    seen = [variant.seen for variant in variants]
    if not seen or not isinstance(seen[0], Seen):
        return tree | {"seen": [_tree(dict(one)) for one in seen]}
    prints = seen[0].samples.prints
    return tree | {"outlines": _tree(prints.outlines), "prints": prints.tree()}


def _variants(tree: dict[str, Any], expected: dict[str, Observation]) -> tuple[Variant, ...]:
    seen: Sequence[Mapping[str, Observation]]
    if "prints" in tree:
        outlines = tuple(map(_observation, tree["outlines"]))
        seen = sampled_observations(Fingerprints(outlines=outlines, **tree["prints"]), expected)
    else:
        seen = [_observations(one) for one in tree["seen"]]
    return tuple(map(Variant, tree["names"], tree["says"], seen))


def _tree(value: Any) -> Any:
    if isinstance(value, (UnitCases, ExerciseCases, Variant, Call, Observation, Fault, Tolerance, Sighting)):
        return _fields(value)
    if isinstance(value, dict):
        return {key: _tree(item) for key, item in value.items()}
    if isinstance(value, tuple) and value and hasattr(value[0], "__dataclass_fields__"):
        return tuple(_tree(item) for item in value)
    return value


def call_tree(calls: dict[str, Call]) -> dict[str, Any]:
    """Calls as a tree that `pack` takes; `calls_from` reads it back."""
    return {key: _fields(call) for key, call in calls.items()}


def calls_from(tree: dict[str, Any]) -> dict[str, Call]:
    return {key: Call(**call) for key, call in tree.items()}


def sighting_tree(sighting: Sighting) -> dict[str, Any]:
    return _fields(sighting)


def sighting_from(tree: dict[str, Any]) -> Sighting:
    """A sighting read back. The tree may come from a hostile process, so every field is coerced to its type."""
    trouble = tree.get("trouble")
    return Sighting(
        observations=_observations(tree["observations"]),
        forbidden=tuple(str(name) for name in tree.get("forbidden", ())),
        printed=str(tree.get("printed", ""))[:4000],
        trouble=_fault(trouble) if trouble else None,
        reset=tuple(str(name)[:100] for name in tree.get("reset", ())[:20]),
        kept=tuple(str(name)[:100] for name in tree.get("kept", ())[:20]),
    )


def _fault(tree: dict[str, Any]) -> Fault:
    stages = ("call", "construct", "load weights", "gradients", "define")
    stage = tree.get("stage", "call")
    return Fault(
        type_name=str(tree["type_name"])[:200],
        message=str(tree["message"])[:2000],
        line=int(tree.get("line", 0)),
        source_line=str(tree.get("source_line", ""))[:300],
        stage=stage if stage in stages else "call",
    )


def _observations(tree: dict[str, Any]) -> dict[str, Observation]:
    return {key: _observation(node) for key, node in tree.items()}


def _observation(node: dict[str, Any]) -> Observation:
    return Observation(
        value=node["value"],
        fault=_fault(node["fault"]) if node["fault"] else None,
        changed=tuple(str(name) for name in node["changed"]),
        facts=dict(node["facts"]),
    )


def _unit_cases(tree: dict[str, Any]) -> UnitCases:
    return UnitCases(
        unit=tree["unit"],
        title=tree["title"],
        code_cells=tuple(tree["code_cells"]),
        exercises=tuple(map(_exercise, tree["exercises"])),
    )


def _exercise(node: dict[str, Any]) -> ExerciseCases:
    plan, expected = _plan(node["plan"]), _observations(node["expected"])
    in_order = {key: expected[key] for key in plan if key in expected}
    read = {
        "plan": plan,
        "expected": expected,
        "variants": _variants(node["variants"], in_order),
        "unusual": _plan(node["unusual"]),
        "unusual_expected": _observations(node["unusual_expected"]),
    }
    return ExerciseCases(**{**node, **read, "tolerance": Tolerance(**node["tolerance"])})
