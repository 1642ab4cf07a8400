"""All that grading one unit needs: the course's notebooks, visible and hidden cases, points."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..formats.cases import CASES_FILE, ExerciseCases, MissingCases, UnitCases, cases_digest, load_cases
from ..formats.language import ENGLISH, languages
from ..formats.rebuild import Cell, grade_id_of
from ..formats.translation import given_in, translated_cells


class NoAssignment(ValueError):
    """A unit that cannot be graded; one line says why and how to mend it."""


@dataclass(frozen=True)
class Assignment:
    unit: str
    notebook_name: str
    cells_in: Mapping[str, tuple[tuple[Cell, ...], tuple[Cell, ...]]]
    """`source` and `released` in each language that the course is given out in."""
    metadata: dict[str, Any]
    """The notebook's."""
    visible: UnitCases
    hidden: UnitCases
    cases_file: bytes
    seed: int
    digest: str
    """Changes with anything that a grade depends on: notebooks, cases, seed."""

    @property
    def source(self) -> tuple[Cell, ...]:
        """The cells of the course's notebook with hidden checks, its solutions cut as in the released one. Copy what you change."""
        return self.cells_in[ENGLISH][0]

    @property
    def released(self) -> tuple[Cell, ...]:
        """The cells that the learner was given."""
        return self.cells_in[ENGLISH][1]

    def language_of(self, submitted: Sequence[Cell]) -> str:
        """The language of the notebook that was handed in."""
        return given_in(submitted, {language: released for language, (_, released) in self.cells_in.items()})

    @property
    def wanted_files(self) -> tuple[str, ...]:
        """Names of the files that are looked at in a submission."""
        return (f"{self.notebook_name}.ipynb", *self.files)

    @property
    def sets(self) -> tuple[tuple[ExerciseCases, ExerciseCases], ...]:
        """Visible and hidden cases of each exercise."""
        return tuple((cases, self.hidden.exercise(cases.name)) for cases in self.visible.exercises)

    @property
    def files(self) -> tuple[str, ...]:
        """Names of files that learners hand in beside the notebook."""
        return tuple(dict.fromkeys(name for cases in self.visible.exercises for name in cases.files))

    @property
    def grade_ids(self) -> frozenset[str]:
        return frozenset(grade_id_of(cell) for cell in self.source) - {""}


def open_assignment(course: Path, unit: str, seed: int) -> Assignment:
    """Read a unit for grading and draw its hidden cases. Raises NoAssignment with one line."""
    # Here, since a worker gets its assignments ready made and starts a second sooner without nbgrader.
    import nbformat
    from nbgrader.utils import compute_checksum, is_grade, is_locked, is_solution

    from ..authoring.hidden import hidden_cases
    from ..authoring.parse import LessonError, unit_stem

    name = unit_stem(unit)
    folder = course / "solutions" / unit
    try:
        visible = load_cases(folder / CASES_FILE)
        source = nbformat.read(folder / f"{name}.ipynb", as_version=4)
        released_text = (course / "notebooks" / unit / f"{name}.ipynb").read_text(encoding="utf-8")
        released = nbformat.reads(released_text, as_version=4)
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
    starters = {grade_id_of(cell): cell.source for cell in released.cells}
    for cell in source.cells:
        if is_solution(cell):
            # As nbgrader's own source cells: an answer that still equals this one is no answer.
            cell.source = starters.get(grade_id_of(cell), "")
        if is_grade(cell) or is_solution(cell) or is_locked(cell):
            cell.metadata["nbgrader"]["checksum"] = compute_checksum(cell)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    cases_file = (folder / CASES_FILE).read_bytes()
    source_text = str(nbformat.writes(source))
    digest = hashlib.sha256()
    for piece in (source_text.encode(), released_text.encode(), cases_file, cases_digest(hidden), str(seed).encode()):
        digest.update(hashlib.sha256(piece).digest())
    # Without nbformat's own classes, which a worker would have to import.
    plain, plain_released = json.loads(json.dumps([source, released]))
    both = (plain["cells"], plain_released["cells"])
    cells_in = {}
    for language in languages():
        source_cells, released_cells = (tuple(translated_cells(cells, language, unit)) for cells in both)
        cells_in[language] = source_cells, released_cells
    return Assignment(unit, name, cells_in, plain["metadata"], visible, hidden, cases_file, seed, digest.hexdigest())
