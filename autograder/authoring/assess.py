"""The course's test of itself: is the reference right, does every known mistake fail by name, does every right answer pass?"""

from __future__ import annotations

import contextlib
import inspect
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..formats.cases import ExerciseCases, Observation, Sighting, Variant
from ..judging.compare import observation_difference, same_observation
from ..judging.diagnose import as_viewed
from ..judging.probes.named import named_probes
from ..judging.probes.probe import common_view
from ..judging.verdict import Verdict, judge
from ..library import build_fixture, grading
from ..observing.observe import observe
from .cache import Memory, Question
from .fingerprints import fingerprinted, full_seen
from .notebook import starter_source
from .parse import kept_file
from .rounding import rounding_problems
from .workbench import APART, PATIENCE, Workpiece, WrongVariant, tolerance_of, watch_trusted


@dataclass(frozen=True)
class Assessment:
    """One exercise on one set of cases. `problems` are sentences for its author; empty when all is well."""

    unit: str
    exercise: str
    cases: str
    calls: int
    wrong: int
    right: int
    truths: int
    problems: tuple[str, ...]
    slips: int = 0
    """How many slips of `slips.py` can be made."""
    unseen: tuple[str, ...] = ()
    """Those that no case tells from the solution; empty where nothing was computed."""
    remembered: bool = False
    """Whether nothing was computed: all of it was found in order before."""


def assess(
    piece: Workpiece,
    *,
    seed: int | None,
    cases: ExerciseCases,
    memory: Memory,
    mistakes: bool = True,
) -> Assessment:
    """Judge starter, reference, variants, alternatives and truths on the visible cases (seed None) or hidden ones.

    cases:  the visible ones with all that the variants give; they must be told apart and named by what is stored of that
    memory: what was found in order before is left out, and what is found in order now is noted
    mistakes: judge the known mistakes too
    """
    asked: Question = "assessed" if mistakes else "answers"
    shown = memory.shown(piece, asked, seed)
    known = shown.mistakes if shown else None
    found = _problems(piece, cases, known) if mistakes else _problems_of_all_but_mistakes(piece, cases, known)
    problems = tuple(f"{_which(piece, seed)}: {problem}" for problem in found)
    if not problems:
        memory.note(piece, asked, seed, len(cases.plan))
    return assessment(piece, seed, len(cases.plan), problems)


def assessment(
    piece: Workpiece, seed: int | None, calls: int, problems: tuple[str, ...] = (), *, remembered: bool = False
) -> Assessment:
    """The row of one exercise on the visible cases (seed None) or hidden ones, with what was found."""
    return Assessment(
        piece.lesson.unit,
        piece.source.name,
        "visible" if seed is None else f"seed {seed}",
        calls,
        len(piece.wrongs),
        len(piece.rights),
        len(piece.truths),
        problems,
        len(piece.slips),
        () if remembered else tuple(sorted(piece.unseen_slips)),
        remembered,
    )


def assess_rounding(
    piece: Workpiece,
    *,
    seed: int | None,
    cases: ExerciseCases,
    thorough: bool = True,
    stable: frozenset[str] | None = None,
) -> tuple[str, ...]:
    """Sentences for the author: what of the exercise depends on rounding. On hidden cases only the reference is looked at:
    known mistakes are told there to those alone who pass all visible cases.

    stable: known mistakes that were looked at before, with the reference; None where nothing was
    """
    found = rounding_problems(piece, cases, seed=seed or 0, variants=seed is None, thorough=thorough, stable=stable)
    return tuple(f"{_which(piece, seed)}: {problem}" for problem in found)


def _which(piece: Workpiece, seed: int | None) -> str:
    return f"{piece.where} ({'visible cases' if seed is None else f'hidden cases, seed {seed}'})"


_STARTER_PASSES = "its starter passes the check; leave more to write between BEGIN SOLUTION and END SOLUTION."


@contextlib.contextmanager
def beside_its_files(piece: Workpiece) -> Iterator[None]:
    """A working folder with the course's own copies of the files that an exercise reads, as a learner has theirs."""
    if not piece.source.files:
        yield
        return
    with tempfile.TemporaryDirectory() as holder:
        for name in piece.source.files:
            if kept_file(piece.lesson, name).is_file():
                shutil.copyfile(kept_file(piece.lesson, name), Path(holder) / name)
        with contextlib.chdir(holder):
            yield


def _problems(piece: Workpiece, cases: ExerciseCases, known: frozenset[str] | None) -> Iterator[str]:
    """known: mistakes that were in order before, with all of the exercise but its other mistakes; None where nothing was"""
    yield from _problems_of_all_but_mistakes(piece, cases, known)
    if piece.judged:
        return
    if cases.hidden:
        for wrong in piece.wrongs:
            if wrong.name not in (known or ()) and _passes(piece, wrong, cases):
                yield f"variant {wrong.name!r} passes; add a probe or a case that catches it."
        return
    stored = fingerprinted(cases)
    for variant in cases.variants:
        if variant.name not in (known or ()):
            yield from _variant_problems(stored, variant)
    yield from _twin_problems(cases, stored, known or frozenset())


def _problems_of_all_but_mistakes(
    piece: Workpiece, cases: ExerciseCases, known: frozenset[str] | None
) -> Iterator[str]:
    if piece.judged:
        with beside_its_files(piece):
            yield from _problems_of_judged(piece, cases, known)
    elif known is None:
        yield from _problems_of_answers(piece, cases)


def _passes(piece: Workpiece, wrong: WrongVariant, cases: ExerciseCases) -> bool:
    """Whether a known mistake passes. Nothing more is asked of hidden cases: it is told by the visible ones, which it fails."""
    probes = named_probes(cases.probes)
    for part in cases.one_by_one():
        seen = watch_trusted(wrong.target, part.plan, piece.source)
        if not judge(part, probes, Sighting(dict(seen))).passed:
            return False
    return True


def _problems_of_answers(piece: Workpiece, cases: ExerciseCases) -> Iterator[str]:
    """Solution, starter, right alternatives and truths: all but the known mistakes."""
    verdict = verdict_on(piece.reference, cases)
    if not verdict.passed:
        yield f"its own solution fails its check: {verdict.message} Mend the solution or the probes, or say by `without` that it gets no such input."
    starter = verdict_on(starter_of(piece), cases)
    if starter.score != 0:
        yield _STARTER_PASSES
    for name, right in piece.rights.items():
        verdict = verdict_on(right, cases)
        if not verdict.passed:
            yield f"the right alternative {name} fails: {verdict.message} ({verdict.label}) Widen the tolerance or mend the probe."
    if not piece.truths:
        yield "no independent truth; write one under @truth (a library's operator, a slow loop)."
    for name, truth in piece.truths.items():
        seen = watch_trusted(truth, cases.plan, piece.source)
        for key, call in cases.plan.items():
            fault = seen[key].fault
            found = observation_difference(seen[key], _values_only(cases.expected[key]), cases.tolerance)
            if fault or found:
                what = f"{fault.type_name}: {fault.message}" if fault else found.what if found else ""
                yield f"the truth {name} disagrees with the solution on {call.label!r}: {what}"
                break


def _problems_of_judged(piece: Workpiece, cases: ExerciseCases, known: frozenset[str] | None) -> Iterator[str]:
    """What is wanted is its own truth. Variants are not in the cases: they are run here, and named by a probe."""
    if known is None and verdict_on(starter_of(piece), cases).score != 0:
        yield _STARTER_PASSES
    if any(not kept_file(piece.lesson, name).is_file() for name in piece.source.files):
        return  # on the first build: the notebook that makes the file has not been executed
    answers = {"its own solution": piece.reference} | piece.rights if known is None else {}
    for name, right in answers.items():
        verdict = verdict_on(right, cases)
        if not verdict.passed:
            yield f"{name} fails its check: {verdict.message} Mend it or the probes."
    for wrong in piece.wrongs:
        if wrong.name in (known or ()):
            continue
        verdict = verdict_on(wrong.target, cases)
        if verdict.passed:
            yield f"variant {wrong.name!r} passes; add a probe or a case that catches it."
        elif verdict.diagnosis != wrong.name:
            yield f"variant {wrong.name!r} is named {verdict.diagnosis!r}: {verdict.message!r}. Mend the probe or the name."
        elif wrong.says.lower() not in verdict.message.lower():
            yield f"variant {wrong.name!r} reads another sentence than its own: {verdict.message!r}."


def _values_only(observation: Observation) -> Observation:
    """Truths are plain functions: gradients are not asked of them."""
    return replace(observation, facts={key: fact for key, fact in observation.facts.items() if key == "after"})


def _variant_problems(cases: ExerciseCases, variant: Variant) -> Iterator[str]:
    """cases: as they are stored; variant: with all that it gives"""
    wide, seen = tolerance_of(cases, APART), full_seen(variant)
    if all(same_observation(seen[key], cases.expected[key], wide) for key in cases.plan):
        yield f"variant {variant.name!r} cannot be told from the solution on these cases; add a case that tells them apart."
        return
    verdict = judge(replace(cases, unusual={}), named_probes(cases.probes), Sighting(dict(seen)))
    if verdict.passed:
        yield f"variant {variant.name!r} passes; add a probe or a case that catches it."
    elif verdict.diagnosis != variant.name and variant.says not in _says(cases, verdict.diagnosis):
        yield f"variant {variant.name!r} reads another sentence than its own: {verdict.message!r}."


def _says(cases: ExerciseCases, diagnosis: str | None) -> tuple[str, ...]:
    """The sentence of the variant that was named instead: twins may share one."""
    return tuple(variant.says for variant in cases.variants if variant.name == diagnosis)


def _twin_problems(cases: ExerciseCases, stored: ExerciseCases, known: frozenset[str]) -> Iterator[str]:
    """Two variants are told apart where what one gives differs from what is stored of the other.

    known: variants that were told apart before
    """
    wide, view = tolerance_of(cases, APART), common_view(named_probes(cases.probes))
    viewed = [{key: as_viewed(seen, view) for key, seen in full_seen(variant).items()} for variant in cases.variants]
    for i, one in enumerate(cases.variants):
        for other in stored.variants[i + 1 :]:
            if one.name in known and other.name in known:
                continue
            alike = all(same_observation(viewed[i][key], as_viewed(other.seen[key], view), wide) for key in cases.plan)
            if alike and one.says != other.says:
                yield (
                    f"variants {one.name!r} and {other.name!r} give the same outputs; give them one sentence "
                    "or a case that tells them apart."
                )


def verdict_on(target: Any, cases: ExerciseCases) -> Verdict:
    """The verdict on a trusted function or class, as a learner handing it in would get it."""
    with grading():
        limit = PATIENCE * cases.time_limit
        sighting = observe(target, cases.calls, build=build_fixture, forbids=cases.forbids, time_limit=limit)
    return judge(cases, named_probes(cases.probes), sighting)


def starter_of(piece: Workpiece) -> Any:
    reference = inspect.unwrap(piece.reference)  # a decorated function's own names, not its decorator's
    space = dict(getattr(reference, "__globals__", None) or getattr(reference.__init__, "__globals__", {}))
    exec(compile(starter_source(piece.source), "<starter>", "exec"), space)
    return space[piece.source.name]
