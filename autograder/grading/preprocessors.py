"""The same grading for nbgrader's own commands: `nbgrader autograde` and formgrader's button.

`nbgrader_config.py` names these two in place of nbgrader's `Execute` and before its `ClearOutput`.
"""

from __future__ import annotations

import atexit
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Enum, Integer

from .assignment import Assignment, open_assignment
from .files import recorded_seeds
from .grade_one import grade_cells, rebuilt_notebook
from .rebuild import tidy_cells
from .runner import WarmProcess
from .sandbox import require

_assignments: dict[tuple[str, str, int], Assignment] = {}
_warm: dict[bool, WarmProcess] = {}


class RepairNotebook(NbGraderPreprocessor):
    """Lay the submission's answers into the course's own notebook before anything else looks at it."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        assignment = _assignment(self.parent, resources, None)
        rebuilt = rebuilt_notebook(assignment, tidy_cells(nb.cells))
        for repair in rebuilt.repairs:
            self.log.warning("Repaired: %s", repair.note)
        return rebuilt.notebook, resources


class JudgeOutside(NbGraderPreprocessor):
    """Run the submission in the sandbox, judge it in this process, and write the scores where nbgrader reads them."""

    isolation = Enum(("auto", "sandbox", "none"), default_value="auto", help="as in `python -m autograder grade`").tag(
        config=True
    )
    seed = Integer(None, allow_none=True, help="seed of the hidden cases; by default the one last graded with, else 1").tag(
        config=True
    )

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        confined = self.isolation != "none"
        if confined:
            require("sandbox")
        assignment = _assignment(self.parent, resources, self.seed)
        if confined not in _warm:
            _warm[confined] = WarmProcess(confined=confined)
            atexit.register(_warm[confined].close)
        graded = grade_cells(assignment, nb, _warm[confined], _submitted_folder(self.parent, resources))
        for incident in graded.incidents:
            self.log.warning("%s: %s", resources["nbgrader"]["student"], incident)
        return nb, resources


def _assignment(parent: Any, resources: dict[str, Any], seed: int | None) -> Assignment:
    course = Path(_root(parent))
    unit = resources["nbgrader"]["assignment"]
    chosen = seed if seed is not None else recorded_seeds(course).get(unit, 1)
    key = (str(course), unit, chosen)
    if key not in _assignments:
        _assignments[key] = open_assignment(course, unit, chosen)
    return _assignments[key]


def _submitted_folder(parent: Any, resources: dict[str, Any]) -> Path:
    """Where the submission was handed in: nbgrader's copy of it in `autograded/` is not what is judged."""
    course = _coursedir(parent)
    named = resources["nbgrader"]
    return Path(course.format_path(course.submitted_directory, named["student"], named["assignment"]))


def _root(parent: Any) -> str:
    return str(_coursedir(parent).root)


def _coursedir(parent: Any) -> Any:
    """Preprocessors hang below an exporter; the course's folders stand in its configuration."""
    from nbgrader.coursedir import CourseDirectory

    return parent.coursedir if hasattr(parent, "coursedir") else CourseDirectory(config=parent.config)
