"""Does a unit keep what it promises? Its rules, and each exercise on its visible cases and on freshly drawn hidden ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .assess import Assessment, assess, assess_rounding, assessment
from .cache import Memory, Question, its_turn, memory_of
from .parse import LessonError, missing_files, parse_lesson, unit_stem
from .rules import broken_rules
from .workbench import Workpiece, draw_cases, draw_expected, open_workbench


@dataclass(frozen=True)
class Verified:
    """One unit's assessments, an exercise and a set of cases each; and what its author must mend, a sentence each."""

    rows: tuple[Assessment, ...]
    problems: tuple[str, ...]


def verify_unit(course: Path, unit: str, seeds: Sequence[int], every: int = 1) -> Verified:
    """Look at everything that was not found in order before, for the very same files, package and machine.

    every: look at the known mistakes of every nth exercise, and at all but them of the others
    """
    rows: list[Assessment] = []
    problems: list[str] = []
    try:
        lesson = parse_lesson(course / "solutions" / unit / f"{unit_stem(unit)}.py")
        problems += [f"{path} is not there; run `python -m autograder build {unit}`" for path in missing_files(lesson)]
        problems += broken_rules(lesson)
        memory = memory_of(lesson)
        for piece in open_workbench(lesson):
            for seed in (None, *seeds):
                try:
                    rows.append(_verified(piece, seed, memory, mistakes=its_turn(piece, every)))
                except LessonError as error:
                    problems.append(str(error))
    except LessonError as error:
        problems.append(str(error))
    return Verified(tuple(rows), (*problems, *(problem for row in rows for problem in row.problems)))


def _verified(piece: Workpiece, seed: int | None, memory: Memory, *, mistakes: bool) -> Assessment:
    told = memory.shown(piece, "assessed", seed) or (None if mistakes else memory.shown(piece, "answers", seed))
    # what a build lets move, here or where the same cases were stored, includes what this does
    questions: tuple[Question, ...] = ("rounding", "rounding-elsewhere", "rounding-of-inputs")
    rounded = next(filter(None, (memory.shown(piece, question, seed) for question in questions)), None)
    if told and told.complete and rounded and rounded.complete:
        return assessment(piece, seed, told.calls, remembered=True)
    variants = mistakes and seed is None
    cases = draw_cases(piece, draw=memory.draw) if variants else draw_expected(piece, seed=seed)
    row = assess(piece, seed=seed, cases=cases, memory=memory, mistakes=mistakes)
    stable = rounded.mistakes if rounded else None
    hanging = assess_rounding(piece, seed=seed, cases=cases, thorough=False, stable=stable)
    if not hanging and (variants or seed is not None):
        memory.note(piece, "rounding-of-inputs", seed, len(cases.plan))
    return replace(row, problems=row.problems + hanging)
