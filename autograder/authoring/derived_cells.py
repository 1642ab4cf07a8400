"""The cells that the builder puts into every notebook: the picture of where one is, the preflight, the way on, the solutions.

An instructor who releases notebooks without a way to the solutions writes into the course's pyproject.toml

    [tool.autograder]
    solution_links = false

and builds again: pictures and outputs of the solved notebooks stay as they are.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from ..formats.course import START_PAGE
from .parse import Lesson, unit_stem, units

MADE = "closing"
"""The part that these cells play; the solution's link has a part of its own, so that a release can leave it out."""
PREFLIGHT = "preflight"
"""The cell that looks at a notebook before it is handed in."""
SOLUTION_LINK = "solution-link"
_READY = "Ready to hand in?"
_SOLUTIONS = "Solutions, for when you study by yourself: look when you are done, or stuck"


def where_cell(unit: str) -> NotebookNode:
    """Behind the setup: the whole Transformer, with the boxes of this unit."""
    return _code("where-you-are", f'from autograder import where_you_are\n\nwhere_you_are("{unit}")')


def closing_cells(lesson: Lesson) -> list[NotebookNode]:
    """The last cells of a lesson's notebooks, with ids that never change."""
    cells = [
        _derived_cell(
            "preflight-words",
            f"## {_READY}",
            "Save the notebook (Ctrl+S, on a Mac ⌘S) and run the next cell. It reads the saved file as the grader will: the "
            "file's name, its cells, its size. Then it runs the notebook from the top without the experiments, in a fresh "
            "process, and checks every exercise. It changes nothing, unless you ask it to repair.",
        ),
        _code(PREFLIGHT, f'from autograder import preflight\n\npreflight("{lesson.unit}")'),
    ]
    if solution_links(lesson.path.parents[2]):
        cells.append(_solutions(lesson.unit))
    cells.append(_derived_cell("the-way-on", _way_on(lesson)))
    return cells


def solution_links(course: Path) -> bool:
    """Whether the course's notebooks link to the solved ones."""
    try:
        project = tomllib.loads((course / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError):
        return True
    return bool(project.get("tool", {}).get("autograder", {}).get("solution_links", True))


def without_solution_links(text: str) -> str:
    """A notebook's text without its way to the solutions, for learners who are not given them."""
    notebook = json.loads(text)
    kept = [cell for cell in notebook["cells"] if cell["metadata"].get("autograder", {}).get("part") != SOLUTION_LINK]
    if len(kept) == len(notebook["cells"]):
        return text
    return json.dumps({**notebook, "cells": kept}, ensure_ascii=False, indent=1) + "\n"


def _code(name: str, source: str) -> NotebookNode:
    cell: NotebookNode = new_code_cell(source, id=name)
    cell.metadata["autograder"] = {"part": "demo", "made": MADE}
    cell.metadata["tags"] = ["demo"]
    fold(cell)
    return cell


def fold(cell: NotebookNode) -> None:
    """Show the cell's output alone, until somebody opens its source; JupyterLab and Notebook do so."""
    cell.metadata["jupyter"] = {"source_hidden": True}


def _solutions(unit: str) -> NotebookNode:
    address = f"../../solutions/{unit}/{unit_stem(unit)}.ipynb"
    cell = _derived_cell(
        SOLUTION_LINK,
        f"<details><summary>{_SOLUTIONS}</summary>",
        f"[The solved notebook of this unit]({address}), with every output. Compare it with yours cell by cell: there are many "
        "right ways.",
    )
    cell.source += "\n</details>"
    cell.metadata["autograder"]["part"] = SOLUTION_LINK
    return cell


def _way_on(lesson: Lesson) -> str:
    """Links to the map, and to the units before and after this one."""
    known = units(lesson.path.parents[1])
    place = known.index(lesson.unit) if lesson.unit in known else len(known)
    around = [("← unit", unit) for unit in known[max(place - 1, 0) : place]]
    after = [("unit", unit) for unit in known[place + 1 : place + 2]]
    links = [f"[{word} {unit[:2]}](../../notebooks/{unit}/{unit_stem(unit)}.ipynb)" for word, unit in around]
    links.append(f"[map of the course](../../notebooks/{START_PAGE})")
    links += [f"[{word} {unit[:2]} →](../../notebooks/{unit}/{unit_stem(unit)}.ipynb)" for word, unit in after]
    return " · ".join(links)


def _derived_cell(name: str, *paragraphs: str) -> NotebookNode:
    cell: NotebookNode = new_markdown_cell("\n\n".join(paragraphs), id=name)
    cell.metadata["autograder"] = {"part": MADE, "made": MADE}
    return cell
