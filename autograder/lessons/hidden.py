"""Hidden cases of a unit, drawn from a seed on the grading side; they are never written to disk."""

from __future__ import annotations

from pathlib import Path

from ..checks.cases import UnitCases
from .parse import parse_lesson, unit_stem
from .workbench import draw_cases, open_workbench


def hidden_cases(course: Path, unit: str, seed: int) -> UnitCases:
    """The unit's hidden cases for one grading run. Raises LessonError where the lesson cannot be read."""
    lesson = parse_lesson(course / "solutions" / unit / f"{unit_stem(unit)}.py")
    exercises = tuple(draw_cases(piece, seed=seed) for piece in open_workbench(lesson))
    return UnitCases(unit, lesson.title, exercises)
