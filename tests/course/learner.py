"""A learner who pastes the solutions into the released notebooks, unit by unit. Run as a program, in a process apart.

    python tests/course/learner.py COURSE UNIT...

prints one JSON line a unit: what each check earned, and the notes below it that say why something was not kept.
"""

import json
import os
import sys
import types
from pathlib import Path
from typing import Any

import nbformat

RUN = ("", "setup", "solution", "check")


def language_of(unit: str) -> str:
    """The language that the learner reads a unit in: every other one in Chinese."""
    return "zh" if int(unit[:2]) % 2 else ""


def pasted(course: Path, unit: str, language: str = "") -> nbformat.NotebookNode:
    """The released notebook of a unit with the course's solutions in its solution cells."""
    from autograder.authoring.parse import parse_lesson, unit_stem

    lesson = parse_lesson(course / "solutions" / unit / f"{unit_stem(unit)}.py")
    solutions = {exercise.name: exercise.solution for exercise in lesson.exercises}
    path = course / "notebooks" / language / unit / f"{unit_stem(unit)}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in solutions:
            cell.source = solutions[grade_id]
    return notebook


def play(course: Path, unit: str) -> dict[str, Any]:
    """Run a unit's cells in the unit's folder, experiments left out; earned points by exercise."""
    from IPython.core.interactiveshell import InteractiveShell

    from autograder.formats.notebook_file import part_of

    os.chdir(course / "notebooks" / language_of(unit) / unit)
    space = types.ModuleType("__main__")
    sys.modules["__main__"] = space
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(user_module=space)
    shown: list[str] = []
    shell.display_pub.publish = lambda data, *rest, **more: shown.append(data.get("text/plain", ""))
    earned: dict[str, float] = {}
    notes: list[str] = []
    spoken: list[str] = []
    for cell in pasted(course, unit, language_of(unit)).cells:
        part = part_of(cell)
        if cell.cell_type != "code" or part not in RUN:
            continue
        shown.clear()
        result = shell.run_cell(cell.source, store_history=True, silent=False)
        result.raise_error()
        if part == "check":
            earned[cell.metadata["autograder"]["exercise"]] = result.result
            lines = [line.strip() for text in shown for line in text.splitlines()]
            notes += [line for line in lines if "kept" in line or "保存" in line]
            spoken += ["zh" if "通过" in line else "en" for line in lines[:1]]
    return {"unit": unit, "earned": earned, "notes": notes, "spoken": sorted(set(spoken))}


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for name in sys.argv[2:]:
        print(json.dumps(play(Path(sys.argv[1]), name)), file=answers, flush=True)
