"""A lesson as notebooks: the solved one, and the learner's through nbgrader's own `generate_assignment`."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ..formats.course import KEEP_NOTHING, hidden_note
from .derived_cells import closing_cells, fold, where_cell
from .parse import NEVER_SHIPPED, Cell, ExerciseSource, Lesson, LessonError, unit_stem

KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_SCHEMA = 3
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
"""What nbgrader writes in a solution's place."""
_SOLVED = re.compile(
    r"^([ \t]*)[^\n]*BEGIN SOLUTION(?:(?!BEGIN SOLUTION).)*?END SOLUTION[^\n]*", re.DOTALL | re.MULTILINE
)


def solved_notebook(lesson: Lesson) -> NotebookNode:
    """The lesson with its solutions, not executed. Cell ids come from exercise and part, so a rebuild is the same."""
    exercises = {exercise.name: exercise for exercise in lesson.exercises}
    taken: set[str] = set()
    cells = []
    for cell in lesson.cells:
        if cell.part in NEVER_SHIPPED:
            continue
        built = _built_cell(cell, exercises.get(cell.exercise))
        built["id"] = _cell_id(cell, taken)
        cells.append(built)
        if cell.part == "setup" and not any(one.id == "where-you-are" for one in cells):
            cells.append(where_cell(lesson.unit))
    cells += closing_cells(lesson)
    own: dict[str, Any] = {"unit": lesson.unit}
    if answers := [str(cell.marks["id"]) for cell in lesson.questions if cell.part == "answer"]:
        own["answers"] = answers
    notebook: NotebookNode = new_notebook(cells=cells, metadata={**KERNEL, "autograder": own})
    return notebook


def code_cells(lesson: Lesson) -> tuple[dict[str, Any], ...]:
    """The notebook's code cells as learners get them, and as `rebuild` takes them."""
    starters = {exercise.name: starter_source(exercise) for exercise in lesson.exercises}
    notes = {
        exercise.name: hidden_note(exercise.name, exercise.points - exercise.visible_points)
        for exercise in lesson.exercises
    }
    cells = []
    for cell in solved_notebook(lesson).cells:
        if cell.cell_type != "code":
            continue
        own = cell.metadata.get("autograder", {})
        given = {"solution": starters, "hidden": notes}.get(own.get("part"), {})
        marks = {name: dict(cell.metadata[name]) for name in ("nbgrader", "autograder") if name in cell.metadata}
        source = given.get(own.get("exercise"), cell.source)
        cells.append({"cell_type": "code", "id": cell.id, "source": source, "metadata": marks})
    return tuple(cells)


def starter_source(source: ExerciseSource) -> str:
    """The solution cell as the learner gets it: as nbgrader's ClearSolutions makes it, which takes seconds to import."""
    text, count = _SOLVED.subn(lambda region: textwrap.indent(STUB, region[1]), source.solution)
    if "BEGIN SOLUTION" in text or "END SOLUTION" in text:
        raise LessonError(f"exercise {source.name}: each ### BEGIN SOLUTION needs one ### END SOLUTION after it")
    return text if count else STUB


def _built_cell(cell: Cell, exercise: ExerciseSource | None) -> NotebookNode:
    source = cell.source
    if cell.part == "prompt" and exercise:
        source = f"{source.rstrip()}\n\n{_particulars(exercise)}"
    if cell.part == "hidden" and exercise:
        source = (
            f"{hidden_note(exercise.name, exercise.points - exercise.visible_points)}\n"
            f"### BEGIN HIDDEN TESTS\n{source.strip()}\n### END HIDDEN TESTS"
        )
    built: NotebookNode = new_markdown_cell(source) if cell.kind == "markdown" else new_code_cell(source)
    if cell.part:
        built.metadata["autograder"] = {"part": cell.part} | ({"exercise": cell.exercise} if cell.exercise else {})
    if cell.part == "demo":
        built.metadata["tags"] = ["demo"]
    if (
        cell.marks.get("folded")
        or cell.part == "hidden"
        or (cell.part == "demo" and cell.source.startswith("predict("))
    ):
        fold(built)
    if marks := _nbgrader_marks(cell, exercise):
        built.metadata["nbgrader"] = marks
    return built


def _nbgrader_marks(cell: Cell, exercise: ExerciseSource | None) -> dict[str, Any] | None:
    base = {"schema_version": _SCHEMA, "task": False, "cell_type": cell.kind}
    if exercise and cell.part == "solution":
        return {**base, "grade": False, "solution": True, "locked": False, "grade_id": exercise.name}
    if exercise and cell.part in ("check", "hidden"):
        points = exercise.visible_points if cell.part == "check" else exercise.points - exercise.visible_points
        return {
            **base,
            "grade": True,
            "solution": False,
            "locked": True,
            "grade_id": f"{exercise.name}-{cell.part}",
            "points": points,
        }
    if cell.part == "answer":
        if not cell.marks.get("id") or not cell.marks.get("points"):
            raise LessonError(f"an answer cell needs id=... and points=... in its header: {cell.source[:60]!r}")
        return {
            **base,
            "grade": True,
            "solution": True,
            "locked": False,
            "grade_id": str(cell.marks["id"]),
            "points": float(cell.marks["points"]),
        }
    return None


def _particulars(exercise: ExerciseSource) -> str:
    stars = "●" * exercise.difficulty + "○" * (5 - exercise.difficulty)
    hidden = exercise.points - exercise.visible_points
    return (
        f"*`{exercise.name}` · difficulty {stars} ({exercise.difficulty} of 5) · about {exercise.minutes} minutes · "
        f"{exercise.points:g} points: {exercise.visible_points:g} from the check below, {hidden:g} when graded · "
        f"stuck? run `hint({exercise.name})`*"
    )


def _cell_id(cell: Cell, taken: set[str]) -> str:
    if cell.exercise:
        wanted = f"{cell.exercise}-{cell.part}".replace("_", "-")[:60]
    else:
        digest = hashlib.sha256(f"{cell.part}\n{cell.source}".encode()).hexdigest()[:10]
        wanted = f"{cell.part or cell.kind}-{digest}"
    unique, number = wanted, 2
    while unique in taken:
        unique, number = f"{wanted}-{number}", number + 1
    taken.add(unique)
    return unique


def notebook_text(notebook: NotebookNode) -> str:
    return str(nbformat.writes(notebook, version=4)) + "\n"


def execute(
    notebook: NotebookNode, folder: Path, timeout: float = 900, environment: Mapping[str, str] | None = None
) -> NotebookNode:
    """A copy of the notebook, run from top to bottom in `folder`. Raises LessonError naming the cell that fails.

    environment: variables that the kernel gets besides this process's own
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    run: NotebookNode = nbformat.from_dict(notebook)
    client = NotebookClient(
        run, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": str(folder)}}, record_timing=False
    )
    try:
        client.execute(env={**os.environ, **(environment or {}), KEEP_NOTHING: "1"})
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise LessonError(f"{folder.name}: its solved notebook does not run: {error}") from error
    return run


def release(course: Path, lesson: Lesson, solved: NotebookNode, cases_file: Path) -> str:
    """The learner's notebook as text: nbgrader's `generate_assignment` run on a throw-away copy of the course."""
    from nbgrader.apps.api import NbGraderAPI

    from .nbgrader_course import make_gradebook, nbgrader_course

    with tempfile.TemporaryDirectory() as holder:
        root = Path(holder)
        source = root / "solutions" / lesson.unit
        source.mkdir(parents=True)
        name = f"{unit_stem(lesson.unit)}.ipynb"
        (source / name).write_text(notebook_text(solved), encoding="utf-8")
        shutil.copy(cases_file, source)
        folders = nbgrader_course(course, copy=root)
        make_gradebook(folders.db_url)
        api = NbGraderAPI(coursedir=folders, config=folders.config)
        outcome = api.generate_assignment(lesson.unit, force=True, create=True)
        if not outcome["success"]:
            raise LessonError(f"{lesson.path}: nbgrader's generate_assignment refused it:\n{outcome['log']}")
        learner = nbformat.read(root / "notebooks" / lesson.unit / name, as_version=4)
    return notebook_text(learner)
