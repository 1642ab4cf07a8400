"""Look at a notebook file before it is handed in: its name, its cells, its size; and repair what can be repaired.

The grader rebuilds every submission, so most of this costs no points there. Said early, it costs no surprise either.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..formats.cases import ExerciseCases, UnitCases
from ..formats.course import hidden_note
from ..formats.notebook_file import MAX_BYTES, defined_names, source_of, tidy_cells
from ..formats.rebuild import grade_id_of
from ..formats.translation import language_of, translated_cells

State = Literal["ok", "mended", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `mended`: wrong in the file, right in the repaired notebook, by `cure`."""

    state: State
    says: str
    cure: str = ""


@dataclass(frozen=True)
class Examined:
    """What was found, and the notebook as it should be; None where the file is not a notebook."""

    findings: tuple[Finding, ...]
    notebook: dict[str, Any] | None = None
    language: str = ""
    """The notebook's; "" where there is none."""

    @property
    def mended(self) -> bool:
        return any(finding.state == "mended" for finding in self.findings)


def examine(path: Path, unit: UnitCases) -> Examined:
    """Read the file and compare it with what the unit's notebook should hold."""
    try:
        data = path.read_bytes()
        tree = json.loads(data.decode("utf-8-sig"))
    except OSError as error:
        return _problem(f"{path.name} cannot be read ({error.strerror}).")
    except (ValueError, RecursionError):
        return _problem(f"{path.name} is not a notebook: its JSON is broken. Open it in JupyterLab and save it.")
    cells = tree.get("cells") if isinstance(tree, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells) or tree.get("nbformat") != 4:
        return _problem(f"{path.name} is not a notebook in format 4. Open it in JupyterLab and save it.")
    looking = _Looking(tree, unit)
    looking.file(path, len(data))
    looking.metadata()
    for exercise in unit.exercises:
        looking.exercise(exercise)
    looking.answers()
    looking.cell_ids()
    return Examined(tuple(looking.findings), looking.tree, looking.language)


def _problem(says: str) -> Examined:
    return Examined((Finding("problem", says),))


class _Looking:
    """One pass over one notebook, mended in place."""

    def __init__(self, tree: dict[str, Any], unit: UnitCases) -> None:
        self.tree, self.unit, self.findings = tree, unit, list[Finding]()
        self.cells: list[dict[str, Any]] = tree["cells"]
        self.language = language_of(unit, tidy_cells(self.cells))
        for cell in self.cells:
            if not isinstance(cell.get("metadata"), dict):
                cell["metadata"] = {}
            cell["source"] = source_of(cell)

    def say(self, state: State, says: str, cure: str = "") -> None:
        self.findings.append(Finding(state, says, cure))

    def file(self, path: Path, size: int) -> None:
        wanted = f"{self.unit.unit.split('_', 1)[1]}.ipynb"
        if path.name == wanted:
            self.say("ok", f"The file has the right name, {wanted}.")
        else:
            self.say("mended", f"The file is named {path.name}, not {wanted}", "a copy has the right name")
        if size <= MAX_BYTES:
            self.say("ok", f"Its size is {max(size / 2**20, 0.1):.1f} MB; up to {MAX_BYTES // 2**20} MB can be graded.")
            return
        for cell in self.cells:
            if cell.get("cell_type") == "code":
                cell["outputs"], cell["execution_count"] = [], None
        self.say(
            "mended",
            f"It is larger than {MAX_BYTES // 2**20} MB, too large to be graded",
            "its outputs are cleared, nothing that you wrote",
        )

    def metadata(self) -> None:
        metadata = self.tree.get("metadata")
        metadata = self.tree["metadata"] = metadata if isinstance(metadata, dict) else {}
        own = metadata.get("autograder")
        unit = own.get("unit") if isinstance(own, dict) else None
        if unit not in (None, self.unit.unit):
            self.say("problem", f"This is the notebook of unit {unit}, not of {self.unit.unit}.")
        kernel = metadata.get("kernelspec")
        if unit is None or not isinstance(kernel, dict) or kernel.get("language", "python") != "python":
            metadata["autograder"] = {**(own if isinstance(own, dict) else {}), "unit": unit or self.unit.unit}
            metadata["kernelspec"] = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
            self.say("mended", "The notebook's own metadata (its unit, its kernel) is lost", "it is back")

    def exercise(self, exercise: ExerciseCases) -> None:
        before = len(self.findings)
        name = exercise.name
        place = self._solution(name)
        check = f"check({name}, {', '.join(exercise.probes)})"
        given = {"cell_type": "code", "source": hidden_note(name, exercise.points_elsewhere)}
        note = translated_cells([given], self.language, exercise.unit)[0]["source"]
        place = self._locked(f"{name}-check", check, exercise.points, place, lambda source: _same_code(source, check))
        self._locked(f"{name}-hidden", note, exercise.points_elsewhere, place, lambda source: source.strip() == note)
        if len(self.findings) == before:
            self.say("ok", f"{name}: all its cells are there, each of them once.")

    def _solution(self, name: str) -> int:
        """The position of an exercise's solution cell; −1 where there is none."""
        found = self._with_id(name)
        defining = [i for i in found if name in defined_names(self.cells[i]["source"])]
        if not found:
            unmarked = [i for i, cell in enumerate(self.cells) if not grade_id_of(cell)]
            defining = [i for i in unmarked if name in defined_names(self.cells[i]["source"])]
            if not defining:
                self.say(
                    "problem",
                    f"{name}: no cell defines it, so it gets no points. Take its cell from a fresh copy of the unit.",
                )
                return -1
            self.say("mended", f"{name}: its cell has lost its marks", "it has them again")
        chosen = (defining or found)[-1]
        self._only(chosen, found, name)
        cell = self.cells[chosen]
        if cell.get("cell_type") != "code":
            cell["cell_type"] = "code"
            self.say("mended", f"{name}: its cell is a text cell", "it is a code cell again")
        cell.setdefault("outputs", [])
        cell.setdefault("execution_count", None)
        _mark(cell, name, "solution", {"grade": False, "solution": True, "locked": False})
        return chosen

    def _locked(self, grade_id: str, text: str, points: float, after: int, same: Callable[[str], bool]) -> int:
        """Find a check cell, or put it back behind the cell `after`; give its position."""
        name, _, part = grade_id.rpartition("-")
        found = self._with_id(grade_id)
        right = [i for i in found if same(self.cells[i]["source"])]
        if not found:
            right = [i for i, cell in enumerate(self.cells) if not grade_id_of(cell) and same(cell["source"])]
            if right:
                self.say("mended", f"{name}: its {part} cell has lost its marks", "it has them again")
        if not found and not right:
            position = after + 1 if after >= 0 else len(self.cells)
            made: dict[str, Any] = {
                "cell_type": "code",
                "metadata": {},
                "source": text,
                "outputs": [],
                "execution_count": None,
            }
            if self.tree.get("nbformat_minor", 0) >= 5:
                made["id"] = f"{grade_id}-back".replace("_", "-")[:64]
            self.cells.insert(position, made)
            self.say("mended", f"{name}: its {part} cell is missing", "it is put back")
            right = [position]
        chosen = (right or found)[0]
        self._only(chosen, found, name)
        if not right:
            self.cells[chosen]["source"] = text
            self.say("mended", f"{name}: its {part} cell was changed", "it is as it was")
        _mark(self.cells[chosen], name, part, {"grade": True, "solution": False, "locked": True, "points": points})
        return chosen

    def _with_id(self, grade_id: str) -> list[int]:
        return [i for i, cell in enumerate(self.cells) if grade_id_of(cell) == grade_id]

    def _only(self, chosen: int, found: Sequence[int], name: str) -> None:
        """Copies of a cell stay as the learner's own, without marks."""
        copies = [i for i in found if i != chosen]
        for i in copies:
            self.cells[i]["metadata"] = {}
        if copies:
            self.say(
                "mended",
                f"{name}: one of its cells appears {len(copies) + 1} times",
                "one counts, the others stay as cells of your own",
            )

    def answers(self) -> None:
        own = self.tree["metadata"].get("autograder", {})
        wanted = own.get("answers", []) if isinstance(own, dict) else []
        for grade_id in wanted if isinstance(wanted, list) else []:
            found = self._with_id(str(grade_id))
            if not found:
                self.say(
                    "problem",
                    f"{grade_id}: the cell for this written answer is missing. Take it from a fresh copy of the unit.",
                )
                continue
            self._only(found[-1], found, str(grade_id))

    def cell_ids(self) -> None:
        seen: set[Any] = set()
        for number, cell in enumerate(self.cells):
            if "id" in cell and cell["id"] in seen:
                cell["id"] = f"own-{number}"
                self.say(
                    "mended", f"Cell {number + 1} has the same internal id as another one", "it has one of its own"
                )
            seen.add(cell.get("id"))


def _mark(cell: dict[str, Any], name: str, part: str, marks: dict[str, Any]) -> None:
    """nbgrader's and our own marks, as a release has them; what is there and fits stays."""
    grade_id = name if part == "solution" else f"{name}-{part}"
    old = cell["metadata"].get("nbgrader")
    base = {"schema_version": 3, "task": False, "cell_type": "code", "grade_id": grade_id}
    cell["metadata"]["nbgrader"] = {**(old if isinstance(old, dict) else {}), **base, **marks}
    cell["metadata"]["autograder"] = {"exercise": name, "part": part}
    cell["metadata"]["deletable"] = False
    if part != "solution":
        cell["metadata"]["editable"] = False


def _same_code(one: str, other: str) -> bool:
    try:
        return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
