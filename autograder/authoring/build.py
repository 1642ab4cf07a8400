"""Build a unit from its lesson: library parts, cases, solved notebook, learner notebook.

solutions/UNIT/NAME.py  ->  autograder/library/unit_UNIT.py   library-backed parts and fixtures
                        ->  solutions/UNIT/cases.npz          visible cases
                        ->  solutions/UNIT/NAME.ipynb         solved, executed
                        ->  notebooks/UNIT/                   NAME.ipynb and cases.npz for the learner
solutions/UNIT/zh.po    ->  autograder/locale/zh/UNIT.json    what is said in Chinese, wherever it is said
                        ->  notebooks/zh/UNIT/NAME.ipynb      the learner's notebook in Chinese
"""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from .. import library
from ..formats.cases import (
    CASES_FILE,
    ExerciseCases,
    UnitCases,
    save_cases,
)
from .assess import assess, assess_rounding
from .cache import Memory, Question, its_turn, look_again, made_from, memory_of
from .catalogs import stale_catalog, translated_notebook, translations, unit_po, unit_texts, write_catalog
from .derived_cells import PREFLIGHT
from .fingerprints import fingerprinted
from .notebook import code_cells, execute, notebook_text, release, solved_notebook
from .parse import Lesson, LessonError, kept_file, missing_files, parse_lesson, unit_stem
from .stored import same_but_for_mistakes, same_cases, stable_variants, stored_cases, text_at, write_text
from .workbench import Workpiece, draw_cases, draw_expected, open_workbench


@dataclass(frozen=True)
class Paths:
    """Where a unit's files stand in a course."""

    course: Path
    unit: str

    @property
    def lesson(self) -> Path:
        return self.course / "solutions" / self.unit / f"{unit_stem(self.unit)}.py"

    @property
    def solved(self) -> Path:
        return self.lesson.with_suffix(".ipynb")

    @property
    def cases(self) -> Path:
        return self.lesson.parent / CASES_FILE

    @property
    def learner(self) -> Path:
        return self.course / "notebooks" / self.unit / f"{unit_stem(self.unit)}.ipynb"

    def translated(self, language: str) -> Path:
        """The learner's notebook in another language: one folder deeper, where nbgrader looks for no assignment."""
        return self.course / "notebooks" / language / self.unit / f"{unit_stem(self.unit)}.ipynb"

    @property
    def learner_cases(self) -> Path:
        return self.learner.parent / CASES_FILE

    @property
    def library(self) -> Path:
        return Path(library.__file__).parent / f"{library.module_name(self.unit)}.py"


def build_unit(course: Path, unit: str, *, run: bool = True, exercise: str = "") -> list[str]:
    """Build one unit; return which files were rewritten. Raises LessonError on what the author must mend.

    run:      execute the solved notebook where its source has changed (its outputs are for reading only)
    exercise: draw and assess the cases of this exercise alone; leave those of the others, and the notebooks, as they are
    """
    paths = Paths(course, unit)
    lesson = parse_lesson(paths.lesson)
    changed = write_text(paths.library, library_text(lesson))
    _reload_library()
    before = stored_cases(paths.cases)
    cases = visible_cases(lesson, before, only=exercise)
    if not same_cases(paths.cases, before, cases):
        save_cases(cases, paths.cases)
        changed.append(paths.cases)
    if _bytes(paths.learner_cases) != _bytes(paths.cases):
        paths.learner_cases.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(paths.cases, paths.learner_cases)
        changed.append(paths.learner_cases)
    if exercise:
        return _told(course, changed)
    solved = solved_notebook(lesson)
    learner = release(course, lesson, solved, paths.cases)
    changed += write_text(paths.learner, learner)
    for language in translations(lesson):
        changed += write_catalog(unit_po(paths.lesson, language), unit, language)
        changed += write_text(paths.translated(language), translated_notebook(learner, language, unit))
    # a known mistake changes nothing that the solved notebook shows
    rewritten = paths.library in changed or before is None or not same_but_for_mistakes(before, cases)
    rewritten = rewritten or bool(missing_files(lesson))
    if not rewritten and (kept := with_outputs_of(paths.solved, solved)) is not None:
        if not _same_sources(paths.solved, solved):
            changed += write_text(paths.solved, notebook_text(kept))
    elif run:
        paths.solved.write_text(notebook_text(execute(solved, paths.solved.parent)), encoding="utf-8")
        changed.append(paths.solved)
        changed += _rewrite_files(lesson)
    return _told(course, changed)


def _told(course: Path, changed: list[Path]) -> list[str]:
    return [str(path.relative_to(course)) if path.is_relative_to(course) else str(path) for path in changed]


def check_unit(course: Path, unit: str, every: int = 1) -> list[str]:
    """What a rebuild of the unit would change, one sentence each; empty when everything is up to date.

    every: look at what the known mistakes of every nth exercise give, and take that of the others as it is stored
    """
    paths = Paths(course, unit)
    lesson = parse_lesson(paths.lesson)
    cure = f"run `python -m autograder build {unit}`"
    stale = []
    if text_at(paths.library) != library_text(lesson):
        return [f"{paths.library.name} is not what its lesson gives; {cure}"]
    stored = stored_cases(paths.cases)
    if stored is None:
        return [f"{paths.cases} is not there, or cannot be read; {cure}"]
    cases = visible_cases(lesson, stored, every=every)
    if not same_cases(paths.cases, stored, cases):
        stale.append(f"{paths.cases} is not what its lesson gives; {cure}")
        return stale
    if _bytes(paths.cases) != _bytes(paths.learner_cases):
        stale.append(f"{paths.learner_cases} differs from {paths.cases}; {cure}")
    solved = solved_notebook(lesson)
    if not _same_sources(paths.solved, solved):
        stale.append(f"{paths.solved} holds other cells than its lesson; {cure}")
    stale += [f"{path} is not there; {cure}" for path in missing_files(lesson)]
    learner = release(course, lesson, solved, paths.cases)
    if text_at(paths.learner) != learner:
        stale.append(f"{paths.learner} is not what its lesson gives; {cure}")
    for language in translations(lesson):
        lacking = stale_catalog(unit_po(paths.lesson, language), unit_texts(lesson), unit, language)
        if not lacking and text_at(paths.translated(language)) != translated_notebook(learner, language, unit):
            lacking = [f"{paths.translated(language)} is not what its lesson gives; {cure}"]
        stale += lacking
    return stale


def _rewrite_files(lesson: Lesson) -> list[Path]:
    """Put away what the solved notebook has made to be handed in, and judge it. Raises LessonError."""
    kept = []
    for exercise in lesson.exercises:
        for name in exercise.files:
            made = lesson.path.parent / name
            if made.is_file():
                made.replace(kept_file(lesson, name))
                kept.append(kept_file(lesson, name))
    if missing := missing_files(lesson):
        raise LessonError(
            f"{lesson.path}: its solved notebook does not make {missing[0].name.removeprefix('.')}; save it there"
        )
    if kept:
        visible_cases(lesson, stored_cases(lesson.path.parent / CASES_FILE))
    return kept


def library_text(lesson: Lesson) -> str:
    """The unit's library module, as built."""
    head = (
        f'"""Library-backed parts of unit {lesson.unit}, built from the library blocks of its lesson. Edit those."""\n'
    )
    body = lesson.library.strip()
    return f"{head}\n{body}\n" if body else head


def visible_cases(lesson: Lesson, stored: UnitCases | None = None, *, only: str = "", every: int = 1) -> UnitCases:
    """The unit's visible cases, assessed. Raises LessonError listing every problem found.

    stored: what an earlier build has found: where an exercise and its known mistakes are still the same, they are not
            looked at for what depends on rounding again, which takes as long as to draw them
    only:   draw this exercise, and take all others as they are stored
    every:  draw the known mistakes of every nth exercise; take those of others as they are stored, if made from the same texts
    """
    known = {exercise.name: exercise for exercise in stored.exercises} if stored else {}
    memory = memory_of(lesson)
    exercises: list[ExerciseCases] = []
    problems: list[str] = []
    for piece in _chosen(open_workbench(lesson), only, known):
        before = known.get(piece.source.name)
        if before and only and piece.source.name != only:
            exercises.append(before)
            continue
        text = made_from(piece)
        if before and text == before.made_from and not its_turn(piece, every):
            kept = replace(draw_expected(piece, seed=None), variants=before.variants, made_from=text)
            found = assess(piece, seed=None, cases=kept, memory=memory, mistakes=False).problems
        else:
            kept = fingerprinted(replace(draw_cases(piece, draw=memory.draw), made_from=text))
            found = assess(piece, seed=None, cases=kept, memory=memory).problems
        problems += found or _hanging(piece, kept, before, memory)
        exercises.append(kept)
    memory.forget_old()
    if problems:
        raise LessonError("\n".join(problems))
    return UnitCases(lesson.unit, lesson.title, tuple(exercises), code_cells(lesson))


def _hanging(piece: Workpiece, cases: ExerciseCases, before: ExerciseCases | None, memory: Memory) -> tuple[str, ...]:
    """What depends on rounding of that which no earlier build, here or elsewhere, has looked at."""
    question: Question = "rounding"
    shown = memory.shown(piece, question, None)
    stable = shown.mistakes if shown else None
    if stable is None:
        shown = memory.shown(piece, "rounding-elsewhere", None)
        stable = shown.mistakes if shown else stable_variants(before, cases)
        question = "rounding" if stable is None else "rounding-elsewhere"
    found = assess_rounding(piece, seed=None, cases=cases, stable=stable)
    if not found:
        memory.note(piece, question, None, len(cases.plan))
    return found


def _chosen(pieces: tuple[Workpiece, ...], only: str, known: Mapping[str, ExerciseCases]) -> tuple[Workpiece, ...]:
    """The pieces, where `only` is one of them and all others are stored. Raises LessonError."""
    names = [piece.source.name for piece in pieces]
    where = f"{pieces[0].lesson.path}" if pieces else "the lesson"
    if only and only not in names:
        raise LessonError(f"{where} has no exercise {only!r}; its exercises are: {', '.join(names)}")
    if missing := [name for name in names if only and name != only and name not in known]:
        raise LessonError(f"{where}: no cases of {missing[0]} are stored yet; build the whole unit once")
    return pieces


def _reload_library() -> None:
    look_again()
    library.units.cache_clear()
    library.unit_of.cache_clear()
    library.part.cache_clear()
    library.exercise_names.cache_clear()
    importlib.invalidate_caches()
    for name in [name for name in sys.modules if name.startswith(f"{library.__name__}.unit_")]:
        del sys.modules[name]


def _same_sources(path: Path, solved: NotebookNode) -> bool:
    try:
        stored = nbformat.read(path, as_version=4)
    except (OSError, ValueError):
        return False

    def cells(notebook: NotebookNode) -> list[tuple[Any, ...]]:
        return [(cell.id, cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells]

    return cells(stored) == cells(solved)


def with_outputs_of(path: Path, solved: NotebookNode) -> NotebookNode | None:
    """The solved notebook with the outputs of the one at `path`; None where these are of other code, or of none.

    Only code that shows something to a reader counts: words, pictures' descriptions and the preflight may have changed.
    """
    try:
        stored = nbformat.read(path, as_version=4)
    except (OSError, ValueError):
        return None

    def code(notebook: NotebookNode) -> list[NotebookNode]:
        return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.id != PREFLIGHT]

    old, new = code(stored), code(solved)
    if [cell.source for cell in old] != [cell.source for cell in new] or not all(cell.execution_count for cell in old):
        return None
    kept: NotebookNode = nbformat.from_dict(solved)
    for cell, before in zip(code(kept), old, strict=True):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    return kept


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
