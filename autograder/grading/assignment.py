"""All that grading one unit needs: the course's notebooks, visible and hidden cases, points."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ..formats.cases import CASES_FILE, ExerciseCases, MissingCases, UnitCases, cases_digest, load_cases


class NoAssignment(ValueError):
    """A unit that cannot be graded; one line says why and how to mend it."""


@dataclass(frozen=True)
class Assignment:
    unit: str
    notebook_name: str
    source: str
    """The course's notebook with hidden checks, as JSON text, its solutions cut as in the released one."""
    released: str
    """What the learner was given, as JSON text."""
    visible: UnitCases
    hidden: UnitCases
    cases_file: bytes
    seed: int
    digest: str
    """Changes with anything that a grade depends on: notebooks, cases, seed."""

    @property
    def wanted_files(self) -> tuple[str, ...]:
        """Names of the files that are looked at in a submission."""
        return (f"{self.notebook_name}.ipynb", *self.files)

    def source_notebook(self) -> NotebookNode:
        """The course's notebook, parsed once in each process: copy what you change."""
        return _notebook(self.source)

    def released_notebook(self) -> NotebookNode:
        """The released notebook, parsed once in each process: copy what you change."""
        return _notebook(self.released)

    def sets(self) -> tuple[tuple[ExerciseCases, ExerciseCases], ...]:
        """Visible and hidden cases of each exercise."""
        return tuple((cases, self.hidden.exercise(cases.name)) for cases in self.visible.exercises)

    @property
    def files(self) -> tuple[str, ...]:
        """Names of files that learners hand in beside the notebook."""
        return tuple(dict.fromkeys(name for cases in self.visible.exercises for name in cases.files))

    def grade_ids(self) -> frozenset[str]:
        cells = self.source_notebook().cells
        return frozenset(cell.metadata["nbgrader"]["grade_id"] for cell in cells if "nbgrader" in cell.metadata)


def open_assignment(course: Path, unit: str, seed: int) -> Assignment:
    """Read a unit for grading and draw its hidden cases. Raises NoAssignment with one line."""
    # Here, since a worker gets its assignments ready made and starts a second sooner without nbgrader.
    from nbgrader.utils import compute_checksum, is_grade, is_locked, is_solution

    from ..authoring.hidden import hidden_cases
    from ..authoring.parse import LessonError, unit_stem

    name = unit_stem(unit)
    folder = course / "solutions" / unit
    released_path = course / "notebooks" / unit / f"{name}.ipynb"
    try:
        visible = load_cases(folder / CASES_FILE)
        source = nbformat.read(folder / f"{name}.ipynb", as_version=4)
        released = released_path.read_text(encoding="utf-8")
        hidden = hidden_cases(course, unit, seed)
    except MissingCases as error:
        raise NoAssignment(str(error)) from error
    except LessonError as error:
        raise NoAssignment(f"{unit} cannot be graded: {error}") from error
    except (OSError, ValueError) as error:
        raise NoAssignment(f"{unit} cannot be graded: {error}. Run `python -m autograder build {unit}`.") from error
    if hidden.names != visible.names:
        raise NoAssignment(
            f"{unit} cannot be graded: its cases are older than its lesson. Run `python -m autograder build {unit}`."
        )
    starters = {_grade_id(cell): cell.source for cell in _notebook(released).cells}
    for cell in source.cells:
        if is_solution(cell):
            # As nbgrader's own source cells: an answer that still equals this one is no answer.
            cell.source = starters.get(_grade_id(cell), "")
        if is_grade(cell) or is_solution(cell) or is_locked(cell):
            cell.metadata["nbgrader"]["checksum"] = compute_checksum(cell)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    text = str(nbformat.writes(source))
    cases_file = (folder / CASES_FILE).read_bytes()
    digest = hashlib.sha256()
    for piece in (text.encode(), released.encode(), cases_file, cases_digest(hidden), str(seed).encode()):
        digest.update(hashlib.sha256(piece).digest())
    return Assignment(unit, name, text, released, visible, hidden, cases_file, seed, digest.hexdigest())


@functools.lru_cache(maxsize=32)
def _notebook(text: str) -> NotebookNode:
    notebook: NotebookNode = nbformat.reads(text, as_version=4)
    return notebook


def _grade_id(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))
