"""The same grading for nbgrader's own commands: `nbgrader autograde` and formgrader's button.

`nbgrader_config.py` names these in place of nbgrader's exporter and its `Execute`, and before its `ClearOutput`.
"""

from __future__ import annotations

import atexit
import functools
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Enum, Integer

from ..formats.notebook_file import Unreadable, read_notebook, tidy_cells
from ..formats.rebuild import rebuild
from ..observing.processes import WarmProcess
from ..observing.sandbox.isolation import require
from .assignment import Assignment, open_assignment
from .files import recorded_seeds
from .grade_one import grade_cells


class HandedIn(NotebookExporter):
    """Reads what was handed in as `grade` does: a file that is no notebook is one without answers, and says why.

    nbgrader itself would leave such a submission without any grade.
    """

    def from_filename(self, filename: str, resources: Any = None, **more: Any) -> tuple[Any, dict[str, Any]]:
        if not getattr(self.parent, "_sanitizing", False):  # the second reading: of the notebook that we rebuilt
            read: tuple[Any, dict[str, Any]] = super().from_filename(filename, resources=resources, **more)
            return read
        path = Path(filename)
        try:
            if path.is_symlink() or not path.is_file():
                raise Unreadable("what was handed in under the notebook's name is no file.")
            cells = read_notebook(path)
        except Unreadable as error:
            reason = f"Nothing could be graded: {error}"
            self.log.error("%s: %s", path, reason)
            cells = [{"cell_type": "markdown", "metadata": {}, "source": reason, "id": "reason"}]
        not_run: dict[str, Any] = {"outputs": [], "execution_count": None}
        notebook = nbformat.v4.new_notebook()
        notebook.cells = [
            nbformat.from_dict({**cell, **(not_run if cell["cell_type"] == "code" else {})}) for cell in cells
        ]
        write: Any = self.from_notebook_node
        written: tuple[Any, dict[str, Any]] = write(notebook, resources=resources, **more)
        return written


class RepairNotebook(NbGraderPreprocessor):
    """Lay the submission's answers into the course's own notebook before anything else looks at it."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        assignment = _assignment(self.parent, resources, None)
        submitted = tidy_cells(nb.cells)
        rebuilt = rebuild(*assignment.cells_in[assignment.language_of(submitted)], submitted)
        for repair in rebuilt.repairs:
            self.log.warning("Repaired: %s", repair.note)
        notebook = nbformat.v4.new_notebook(metadata=nbformat.from_dict(assignment.metadata))
        notebook.cells = [nbformat.from_dict(cell) for cell in rebuilt.cells]
        return notebook, resources


class JudgeOutside(NbGraderPreprocessor):
    """Run the submission in the sandbox, judge it in this process, and write the scores where nbgrader reads them."""

    isolation = Enum(("auto", "none"), default_value="auto", help="as in `python -m autograder grade`").tag(config=True)
    seed = Integer(
        None, allow_none=True, help="seed of the hidden cases; by default the one last graded with, else 1"
    ).tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        confined = self.isolation != "none"
        if confined:
            require()
        assignment = _assignment(self.parent, resources, self.seed)
        named, folders = resources["nbgrader"], _coursedir(self.parent)
        # nbgrader's copy of the submission in `autograded/` is not what is judged.
        submitted = folders.format_path(folders.submitted_directory, named["student"], named["assignment"])
        judged = grade_cells(assignment, nb.cells, _warm_process(confined), Path(submitted))
        for incident in judged.incidents:
            self.log.warning("%s: %s", named["student"], incident)
        return nbformat.from_dict(nb), resources


def _assignment(parent: Any, resources: dict[str, Any], seed: int | None) -> Assignment:
    course = Path(_coursedir(parent).root)
    unit = resources["nbgrader"]["assignment"]
    chosen = seed if seed is not None else recorded_seeds(course).get(unit, 1)
    return _opened(course, unit, chosen)


@functools.cache
def _opened(course: Path, unit: str, seed: int) -> Assignment:
    return open_assignment(course, unit, seed)


@functools.cache
def _warm_process(confined: bool) -> WarmProcess:
    warm = WarmProcess(confined=confined)
    atexit.register(warm.close)
    return warm


def _coursedir(parent: Any) -> Any:
    """Preprocessors hang below an exporter; the course's folders stand in its configuration."""
    from nbgrader.coursedir import CourseDirectory

    return parent.coursedir if hasattr(parent, "coursedir") else CourseDirectory(config=parent.config)
