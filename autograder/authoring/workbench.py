"""What an author writes in a `variants` block, and the block run: cases, known mistakes, right alternatives, truths.

Names that stand ready in a `variants` block:

- `@cases(sizes, sizes, ...)`: a function `(rng, **sizes)` that returns the arguments of one call as a dict, or a
  `module(...)`, or a list of these. Its docstring, formatted with the sizes, names the case in messages. Without
  sizes it is one special case. Hidden cases draw other sizes (all different) and other numbers.
- `wrong(name, (old, new), ..., says=...)`: the reference with one or more edits, each matching exactly once; or
  `@wrong(name, says=...)` over a whole function or class.
- `@right`: another right solution. `@truth`: an independent truth, a library's operator or a slow loop.
- `judged(wanted=..., **arguments)`: a call of which the probes know what is wanted (sources and their translations).
- `module(init=..., given=..., state=..., ...)`: a class's constructor, weights and call; `fixture(name, ...)`.
- `without(kind, ..., because=...)`: what of the inputs in `unusual.py` the exercise cannot take, or, behind `slip: `, code
  of a slip that depends on rounding there, and why.
- `first_time(value)`: whether a mistake comes to something that none before it does.
- what `drawing.py` defines: `floats`, `some_hidden`, ...
"""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ..formats.cases import Call, ExerciseCases, Observation, Tolerance, Variant
from ..formats.unusual import ELSEWHERE, FAMILIES, KINDS, MANY, ONE, WHOLE
from ..formats.values import Fixture, Tensor, to_plain
from ..judging.compare import same_observation
from ..judging.diagnose import as_viewed
from ..judging.probes import Probe
from ..judging.probes.named import UnknownProbe, named_probes
from ..judging.probes.probe import common_view
from ..library import build_fixture, grading
from ..observing.capture import capture
from ..observing.observe import observe
from .drawing import READY, short_float32
from .parse import ExerciseSource, Lesson, LessonError
from .slips import AXIS_FROM_THE_OTHER_END, slips
from .unusual import as_floats, unusual_calls

VISIBLE_SEED = 0
SLIP = "slip: "
"""What an author writes before the code of a slip that is not to be made."""
PATIENCE = 6
"""Trusted code has so many times a learner's seconds: a busy machine must not make a reference fail."""
_SMALLEST, _LARGEST = 2, 9


@dataclass(frozen=True)
class ModuleCall:
    """One use of a class: how it is built, its weights, and what is called. Made by `module(...)`."""

    init: dict[str, Any]
    given: dict[str, Any]
    state: dict[str, Any] | None
    method: str
    training: bool
    gradients: bool
    positional: bool = False


@dataclass(frozen=True)
class FunctionCall:
    """A function's arguments, where its gradients are wanted too. Made by `differentiable(...)`."""

    given: dict[str, Any]


@dataclass(frozen=True)
class JudgedCall:
    """A call whose value is judged against what is wanted, not against the reference's. Made by `judged(...)`."""

    given: dict[str, Any]
    wanted: Any


@dataclass(frozen=True)
class CaseMaker:
    make: Callable[..., Any]
    sizes: tuple[dict[str, int], ...]
    hidden_sizes: tuple[dict[str, int], ...] | None
    low: int
    high: int


@dataclass(frozen=True)
class WrongVariant:
    name: str
    says: str
    target: Any
    source: str | None = None
    """The whole solution cell with the mistake in it, where the variant is an edit."""


@dataclass
class Workpiece:
    """One exercise, its reference and all that its variants block declares."""

    lesson: Lesson
    source: ExerciseSource
    reference: Any
    makers: list[CaseMaker] = field(default_factory=list)
    wrongs: list[WrongVariant] = field(default_factory=list)
    rights: dict[str, Any] = field(default_factory=dict)
    truths: dict[str, Any] = field(default_factory=dict)
    without: dict[str, str] = field(default_factory=dict)
    """Kinds of unusual inputs that the exercise cannot take, each with the reason."""
    slips: list[WrongVariant] = field(default_factory=list)
    """What of `slips.py` can be made in the reference."""
    unseen_slips: set[str] = field(default_factory=set)
    """Those that give what the reference gives on the cases drawn last: equal to it, or a case is missing."""
    judged: bool = False
    """Whether its cases say what is wanted. Then nothing of the reference or of a variant is stored with the cases."""

    @property
    def mistakes(self) -> tuple[WrongVariant, ...]:
        """What the lesson knows, and the slips that can be made."""
        return (*self.wrongs, *self.slips)

    @property
    def where(self) -> str:
        return f"{self.lesson.path}: exercise {self.source.name}"


Watch = Callable[[], dict[str, Observation]]
Draw = Callable[[Workpiece, WrongVariant, Mapping[str, Call], Watch], dict[str, Observation]]
"""Gives what a known mistake gives on a plan: by watching it, or from memory (see `cache.py`)."""


def open_workbench(lesson: Lesson, *, cases_alone: bool = False) -> tuple[Workpiece, ...]:
    """Run a lesson's setup, solutions and variants blocks. Raises LessonError on what an author must mend.

    cases_alone: known mistakes are not wanted, and those that take work to make are not made
    """
    namespace: dict[str, Any] = {"__name__": f"lesson_{lesson.unit}"}
    pieces = []
    with grading(), capture():
        _run(lesson.setup, namespace, f"{lesson.path}: setup")
        for source in lesson.exercises:
            where = f"{lesson.path}: exercise {source.name}"
            _run(source.solution, namespace, f"{where}: solution")
            piece = Workpiece(lesson, source, namespace[source.name])
            block = dict(namespace) | _vocabulary(piece, namespace, cases_alone)
            _run(source.variants, block, f"{where}: variants")
            if not cases_alone:
                piece.slips += _compiled_slips(piece, namespace)
            if not piece.makers:
                raise LessonError(f"{where}: no cases; write a function under @cases(...) in its variants block")
            pieces.append(piece)
    return tuple(pieces)


def _run(source: str, namespace: dict[str, Any], where: str) -> None:
    try:
        exec(compile(source, f"<{where}>", "exec"), namespace)
    except LessonError:
        raise
    except Exception as error:
        raise LessonError(f"{where} raised {type(error).__name__}: {error}") from error


def _compiled_slips(piece: Workpiece, namespace: dict[str, Any]) -> Iterator[WrongVariant]:
    for slip in slips(piece.source.solution, piece.source.name, piece.source.returns):
        if any(kind.startswith(SLIP) and kind.removeprefix(SLIP) in slip.source for kind in piece.without):
            continue
        space = dict(namespace)
        try:
            exec(compile(slip.source, f"<{slip.name}>", "exec"), space)
        except Exception:  # it breaks what runs when the cell does: nobody's mistake
            continue
        yield WrongVariant(slip.name, slip.says, space[piece.source.name], slip.source)


def _vocabulary(piece: Workpiece, namespace: dict[str, Any], cases_alone: bool) -> dict[str, Any]:
    """The names that stand ready in a variants block."""
    asked: set[str] = set()

    def cases(
        *sizes: dict[str, int], hidden: list[dict[str, int]] | None = None, low: int = _SMALLEST, high: int = _LARGEST
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def register(make: Callable[..., Any]) -> Callable[..., Any]:
            if not inspect.getdoc(make):
                raise LessonError(
                    f"{piece.where}: cases {make.__name__} has no docstring; it names the case in messages"
                )
            piece.makers.append(CaseMaker(make, sizes, tuple(hidden) if hidden else None, low, high))
            return make

        return register

    def wrong(name: str, *edits: tuple[str, str], says: str) -> Callable[[Any], Any]:
        if any(name == other.name for other in piece.wrongs):
            raise LessonError(f"{piece.where}: two variants are named {name!r}; rename one")
        if not says.strip():
            raise LessonError(f"{piece.where}: variant {name!r} says nothing; write the sentence its maker should read")
        if edits:
            text = _edited_source(piece, name, edits)
            piece.wrongs.append(WrongVariant(name, says, _edited(piece, name, edits, namespace), text))

        def register(target: Any) -> Any:
            piece.wrongs.append(WrongVariant(name, says, target))
            return target

        return register

    def right(target: Any) -> Any:
        piece.rights[target.__name__] = target
        return target

    def right_edit(name: str, *edits: tuple[str, str]) -> None:
        piece.rights[name] = _edited(piece, name, edits, namespace)

    def truth(target: Any) -> Any:
        piece.truths[target.__name__] = target
        return target

    def module(
        *,
        init: dict[str, Any],
        given: dict[str, Any],
        rng: np.random.Generator | None = None,
        state: dict[str, Any] | None = None,
        method: str = "forward",
        training: bool = False,
        gradients: bool = True,
        positional: bool = False,
    ) -> ModuleCall:
        """positional: all arguments are passed without their names, also those that have a default"""
        drawn = draw_state(piece.reference(**init), rng) if state is None and rng is not None else state
        return ModuleCall(init, given, drawn, method, training, gradients, positional)

    def fixture(name: str, **given: Any) -> Fixture:
        return Fixture(piece.lesson.unit, name, given)

    def differentiable(**given: Any) -> FunctionCall:
        return FunctionCall(given)

    def without(*kinds: str, because: str) -> None:
        for kind in kinds:
            if kind not in KINDS and not kind.startswith((*(f"{family}: " for family in FAMILIES), SLIP)):
                known = ", ".join(map(repr, KINDS))
                raise LessonError(f"{piece.where}: no unusual input is named {kind!r}; they are {known}, '{ONE}: SIZE'")
            piece.without[kind] = because

    def first_time(does: Callable[[Any], Any], code: Any) -> bool:
        """Whether no code before does what reads the same: so mistakes that come to one another are left out."""
        if cases_alone:
            return False
        mark = repr(does(code))
        new = mark not in asked
        asked.add(mark)
        return new

    def judged(*, wanted: Any, **given: Any) -> JudgedCall:
        piece.judged = True
        return JudgedCall(given, wanted)

    return READY | {
        "cases": cases,
        "wrong": wrong,
        "right": right,
        "right_edit": right_edit,
        "truth": truth,
        "module": module,
        "fixture": fixture,
        "differentiable": differentiable,
        "judged": judged,
        "without": without,
        "first_time": first_time,
        "draw_state": draw_state,
        "np": np,
    }


def draw_state(module: Any, rng: np.random.Generator) -> dict[str, Any]:
    """Random weights for every parameter of a PyTorch module: matrices N(0, 1/fan_in), vectors N(0, 1) around 0 or 1.

    Vectors named `weight` (a norm's gain) are drawn around 1. float32 tensors by parameter name.
    """
    state: dict[str, Any] = {}
    for name, parameter in module.named_parameters():
        shape = tuple(parameter.shape)
        values = rng.normal(size=shape)
        if len(shape) > 1:
            values = values / np.sqrt(shape[-1])
        elif name.endswith("weight"):
            values = 1 + values / 2
        state[name] = Tensor(short_float32(values), "float32")
    return state


def variant_sources(lesson: Lesson, exercise: str) -> tuple[str, ...]:
    """Solution cells with a known mistake in each: the exercise's variants that are edits of its solution."""
    piece = next(piece for piece in open_workbench(lesson) if piece.source.name == exercise)
    return tuple(wrong.source for wrong in piece.wrongs if wrong.source)


def _edited(piece: Workpiece, name: str, edits: tuple[tuple[str, str], ...], namespace: dict[str, Any]) -> Any:
    space = dict(namespace)
    _run(_edited_source(piece, name, edits), space, f"{piece.where}: variant {name!r}")
    return space[piece.source.name]


def _edited_source(piece: Workpiece, name: str, edits: tuple[tuple[str, str], ...]) -> str:
    text = piece.source.solution
    for old, new in edits:
        count = text.count(old)
        if count != 1:
            raise LessonError(
                f"{piece.where}: variant {name!r}: its edit {old!r} matches {count} times in the solution, not once; "
                "lengthen it until it is unique"
            )
        text = text.replace(old, new)
    return text


def draw_calls(
    piece: Workpiece, probes: tuple[Probe, ...], *, seed: int | None
) -> tuple[dict[str, Call], dict[str, Observation]]:
    """The plan of calls, the visible ones (seed None) or hidden ones drawn from `seed`; and what is wanted of judged ones."""
    plan: dict[str, Call] = {}
    wanted: dict[str, Observation] = {}
    for number, maker in enumerate(piece.makers):
        for position, (sizes, rng) in enumerate(_drawn_sizes(piece, number, maker, seed)):
            label = _label(maker, sizes)
            for i, item in enumerate(_items(maker, rng, sizes)):
                plan[f"{number}.{position}.{i}"] = _call(piece, label, item)
                if isinstance(item, JudgedCall):
                    wanted[f"{number}.{position}.{i}"] = Observation(to_plain(item.wanted))
    for key, call in list(plan.items()):
        for probe in probes:
            for short, derived in probe.derive(call).items():
                plan[f"{key}/{probe.name}/{short}"] = derived
    if wanted and len(wanted) != len(plan):
        raise LessonError(f"{piece.where}: some of its calls are judged and some are not; make all of them judged(...)")
    return plan, wanted


def _label(maker: CaseMaker, sizes: dict[str, int]) -> str:
    return (inspect.getdoc(maker.make) or "").strip().format(**sizes)


def _items(maker: CaseMaker, rng: np.random.Generator, sizes: dict[str, int]) -> list[Any]:
    drawn = maker.make(rng, **sizes)
    return drawn if isinstance(drawn, list) else [drawn]


def _sized_call(piece: Workpiece, number: int, sizes: dict[str, int], seed: int | None) -> Call | None:
    maker = piece.makers[number]
    identity = zlib.crc32(f"{piece.lesson.unit}/{piece.source.name}/{sorted(sizes.items())}".encode())
    rng = np.random.default_rng([identity] if seed is None else [identity, 1 + seed])
    try:
        item = _items(maker, rng, sizes)[0]
        return None if isinstance(item, JudgedCall) else _call(piece, _label(maker, sizes), item)
    except Exception as error:
        usual = piece.makers[number].sizes[0]
        changed = next((name for name in sizes if sizes[name] != usual[name]), "")
        kind = f"{ONE if sizes[changed] == 1 else MANY}: {changed}"
        raise LessonError(
            f"{piece.where}: cases {maker.make.__name__} with {sizes}: {type(error).__name__}: {error}; mend it, or say "
            f"`without({kind!r}, because=...)`"
        ) from error


def _drawn_sizes(
    piece: Workpiece, number: int, maker: CaseMaker, seed: int | None
) -> Iterator[tuple[dict[str, int], np.random.Generator]]:
    sizes = maker.sizes or ({},)
    if seed is not None and maker.hidden_sizes:
        sizes = maker.hidden_sizes
    for position, chosen in enumerate(sizes):
        identity = zlib.crc32(f"{piece.lesson.unit}/{piece.source.name}/{number}/{position}".encode())
        rng = np.random.default_rng([identity, VISIBLE_SEED if seed is None else 1 + seed])
        if seed is not None and maker.hidden_sizes is None and chosen:
            values = rng.permutation(np.arange(maker.low, maker.high + 1))[: len(chosen)]
            chosen = {name: int(value) for name, value in zip(chosen, values, strict=True)}
        yield dict(chosen), rng


def _call(piece: Workpiece, label: str, made: Any) -> Call:
    if isinstance(made, ModuleCall):
        function = getattr(piece.reference, made.method)
        return Call(
            label=label,
            given=to_plain(made.given),
            by_position=len(made.given) if made.positional else _required(function, made.given, skip_self=True),
            init=to_plain(made.init),
            state=to_plain(made.state or {}),
            method=made.method,
            training=made.training,
            gradients=made.gradients,
        )
    given = made.given if isinstance(made, (FunctionCall, JudgedCall)) else made
    return Call(label, to_plain(given), _required(piece.reference, given), gradients=isinstance(made, FunctionCall))


def _required(function: Any, given: Mapping[str, Any], skip_self: bool = False) -> int:
    """How many leading arguments have no default: these are passed by position, whatever a learner calls them."""
    parameters = list(inspect.signature(function).parameters.values())[1 if skip_self else 0 :]
    required = {p.name for p in parameters if p.default is inspect.Parameter.empty}
    count = 0
    for name in given:
        if name not in required:
            break
        count += 1
    return count


def draw_cases(piece: Workpiece, *, seed: int | None = None, draw: Draw | None = None) -> ExerciseCases:
    """All that judging one exercise needs, on the visible cases (seed None) or on hidden ones drawn from `seed`."""
    cases = draw_expected(piece, seed=seed)
    return replace(cases, variants=draw_variants(piece, cases, draw))


def draw_expected(piece: Workpiece, *, seed: int | None) -> ExerciseCases:
    """What decides whether an exercise passes: all but the known mistakes' outputs, which take most of the time."""
    source = piece.source
    hidden = seed is not None
    expressions = source.probes
    try:
        probes = named_probes(expressions)
    except UnknownProbe as error:
        raise LessonError(f"{piece.where}: {error}") from error
    plan, wanted = draw_calls(piece, probes, seed=seed)
    names = [exercise.name for exercise in piece.lesson.exercises]
    visible = source.visible_points
    cases = ExerciseCases(
        unit=piece.lesson.unit,
        name=source.name,
        kind=source.kind,
        points=source.points - visible if hidden else visible,
        points_elsewhere=visible if hidden else source.points - visible,
        plan=plan,
        expected={},
        variants=(),
        probes=expressions,
        tolerance=source.tolerance or Tolerance(),
        forbids=source.forbids,
        replaces=tuple(names[: names.index(source.name)]),
        signature=_signature(piece),
        returns=source.returns,
        hints=source.hints,
        time_limit=source.time_limit,
        hidden=hidden,
        files=source.files,
    )
    if wanted:
        return replace(cases, expected=wanted)
    unusual = unusual_calls(
        piece,
        plan,
        lambda number, sizes: _sized_call(piece, number, sizes, seed),
        lambda call: watch_trusted(piece.reference, {"it": call}, source)["it"],
    )
    if hidden:  # what is seen there becomes a note on the visible cases, and no points
        unusual.pop(ELSEWHERE, None)
    seen = watch_trusted(piece.reference, {**plan, **unusual}, source)
    for key, observation in seen.items():
        if fault := observation.fault:
            which, cure = (plan[key].label, "") if key in plan else (key, f", or say `without({key!r}, because=...)`")
            raise LessonError(
                f"{piece.where}: its reference fails on {which!r}: {fault.type_name}: {fault.message}; mend it{cure}"
            )
    return replace(
        cases,
        tolerance=source.tolerance or _tolerance_for(seen.values()),
        expected={key: seen[key] for key in plan},
        unusual=unusual,
        unusual_expected={key: as_floats(seen[key]) if key == WHOLE else seen[key] for key in unusual},
    )


_FINE = Tolerance(relative=3e-5, absolute=3e-6)
"""Where the reference computes in float64: an answer in float32 is still within it, also where terms of about 1 cancel. A Python number that comes out of a model's
weights is none."""


def _tolerance_for(seen: Iterable[Observation]) -> Tolerance:
    values = [array for one in seen for array in _numpy_floats((one.value, one.facts))]
    return _FINE if values and all(array.dtype == np.float64 for array in values) else Tolerance()


def _numpy_floats(tree: Any) -> Iterator[np.ndarray[Any, Any]]:
    """The float arrays in a value; a Python float counts as one, a tensor of PyTorch as one of single precision."""
    if isinstance(tree, (tuple, list, dict)):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from _numpy_floats(item)
    elif isinstance(tree, float):
        yield np.asarray(tree)
    elif isinstance(tree, Tensor):
        yield np.zeros(0, np.float32)
    elif isinstance(tree, np.ndarray) and tree.dtype.kind == "f":
        yield tree


def draw_variants(piece: Workpiece, cases: ExerciseCases, draw: Draw | None = None) -> tuple[Variant, ...]:
    """What each known mistake gives on these cases: those of the lesson, and of the slips what they have not said.

    Where translations are judged, there is nothing to tell them by.
    """
    if piece.judged:
        return ()
    draw = draw or (lambda piece, wrong, plan, watch: watch())

    def seen_of(wrong: WrongVariant, limit: float | None = None) -> dict[str, Observation]:
        return draw(piece, wrong, cases.plan, partial(watch_trusted, wrong.target, cases.plan, piece.source, limit))

    known = [Variant(one.name, one.says, seen_of(one)) for one in piece.wrongs]
    for slip in piece.slips:
        seen = seen_of(slip, _SECONDS_OF_A_SLIP)
        if _same_seen(seen, cases.expected, cases):
            if AXIS_FROM_THE_OTHER_END not in slip.name:
                piece.unseen_slips.add(slip.name)
        elif not _ends_in_errors(seen) and not any(_same_seen(seen, variant.seen, cases) for variant in known):
            known.append(Variant(slip.name, slip.says, seen))
    return tuple(known)


_SECONDS_OF_A_SLIP = 3.0
APART = 10.0
"""Variants must differ from the reference, and from one another, by more than this many tolerances."""


def _ends_in_errors(seen: Mapping[str, Observation]) -> bool:
    """Whether what is raised says all, or time ran out: on another machine it might not."""
    return all(one.fault for key, one in seen.items() if "/" not in key) or any(
        one.fault and one.fault.type_name in ("OutOfTime", "Waited") for one in seen.values()
    )


def _same_seen(seen: Mapping[str, Observation], other: Mapping[str, Observation], cases: ExerciseCases) -> bool:
    wide, view = tolerance_of(cases, APART), common_view(named_probes(cases.probes))
    return all(same_observation(as_viewed(seen[key], view), as_viewed(other[key], view), wide) for key in cases.plan)


def watch_trusted(
    target: Any, plan: Mapping[str, Call], source: ExerciseSource, limit: float | None = None
) -> dict[str, Observation]:
    """What trusted code (reference, variant, truth) does on a plan. Code that ran out of time has a fault everywhere."""
    with grading():
        sighting = observe(target, plan, build=build_fixture, time_limit=limit or PATIENCE * source.time_limit)
    if sighting.trouble:
        return {key: sighting.observations.get(key, Observation(fault=sighting.trouble)) for key in plan}
    return sighting.observations


def _signature(piece: Workpiece) -> str:
    target = (
        piece.reference.forward
        if piece.source.kind == "class" and hasattr(piece.reference, "forward")
        else piece.reference
    )
    names = []
    for parameter in inspect.signature(target).parameters.values():
        if parameter.name != "self":
            default = "" if parameter.default is inspect.Parameter.empty else f"={parameter.default!r}"
            names.append(parameter.name + default)
    return f"{piece.source.name}({', '.join(names)})"


def tolerance_of(cases: ExerciseCases, factor: float) -> Tolerance:
    return Tolerance(cases.tolerance.relative * factor, cases.tolerance.absolute * factor)
