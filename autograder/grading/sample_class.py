"""A made-up class for trying and testing the grader: solved, half solved, wrong and untouched notebooks."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from ..authoring.parse import LessonError, kept_file, parse_lesson, unit_stem
from ..authoring.workbench import variant_sources

KINDS = ("solved", "half", "wrong", "untouched")


@dataclass(frozen=True)
class Made:
    """One made-up submission, and the share of the checks' points that it should get."""

    student: str
    unit: str
    kind: str
    expected: float


def make_class(course: Path, target: Path, units: tuple[str, ...], *, students: int, seed: int = 0) -> list[Made]:
    """Write a course root at `target`: the course's units, and `submitted/STUDENT/UNIT/` for `students` learners.

    solved: the reference; half: the first half of the exercises; wrong: known mistakes; untouched: as released.
    """
    if target.exists() and any(target.iterdir()) and not (target / ".sample-class").is_file():
        raise LessonError(f"{target} exists and is no sample class; name an empty folder")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    (target / ".sample-class").touch()
    shutil.copy(course / "nbgrader_config.py", target)
    made: list[Made] = []
    generator = random.Random(seed)
    for unit in units:
        for place in ("solutions", "notebooks"):
            shutil.copytree(
                course / place / unit, target / place / unit, ignore=shutil.ignore_patterns(".*", "__pycache__")
            )
        beside = files_beside(course, unit)
        for number in range(students):
            kind = KINDS[number % len(KINDS)]
            student = f"student{number + 1:03d}"
            notebook, expected = submission(course, unit, kind, generator)
            folder = target / "submitted" / student / unit
            folder.mkdir(parents=True)
            (folder / f"{unit_stem(unit)}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
            (folder / "timestamp.txt").write_text("2026-11-20 18:00:00 UTC", encoding="utf-8")
            for kept, name in beside if kind == "solved" else ():
                shutil.copy(kept, folder / name)
            made.append(Made(student, unit, kind, expected))
    return made


def files_beside(course: Path, unit: str) -> list[tuple[Path, str]]:
    """The files that a unit asks for beside its notebook: where the build keeps them, and the name to hand them in under."""
    lesson = parse_lesson(course / "solutions" / unit / f"{unit_stem(unit)}.py")
    return [(kept_file(lesson, name), name) for exercise in lesson.exercises for name in exercise.files]


def submission(course: Path, unit: str, kind: str, generator: random.Random) -> tuple[dict[str, Any], float]:
    """One notebook of the given kind, and its expected points from the checks."""
    name = unit_stem(unit)
    lesson = parse_lesson(course / "solutions" / unit / f"{name}.py")
    released = nbformat.read(course / "notebooks" / unit / f"{name}.ipynb", as_version=4)
    cells = {cell.metadata["nbgrader"]["grade_id"]: cell for cell in released.cells if "nbgrader" in cell.metadata}
    solved = len(lesson.exercises) if kind == "solved" else (len(lesson.exercises) + 1) // 2 if kind == "half" else 0
    expected = 0.0
    for exercise in lesson.exercises[:solved]:
        cells[exercise.name].source = exercise.solution
        expected += 0.0 if exercise.files and kind != "solved" else exercise.points
    if kind == "wrong":
        for exercise in lesson.exercises:
            sources = variant_sources(lesson, exercise.name)
            cells[exercise.name].source = generator.choice(sources) if sources else exercise.solution
            expected += 0.0 if sources else exercise.points
    return dict(released), expected
