"""Rebuild a submitted notebook from the course's own: checks as they were written, answers as the learner wrote them.

The source notebook gives the cells and their order. A learner's solution is found by its grade id, or, where its
metadata is lost, by the function or class that it defines. The learner's own further cells are kept behind the cell
that they followed. Whatever had to be mended is written down: a note for the instructor, a sentence for the learner.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nbformat
from nbformat import NotebookNode

from ..formats.submission import defined_names, source_of

MAX_BYTES = 20 * 1024 * 1024
MAX_CELLS = 2000
MAX_SOURCE = 2_000_000
"""Characters in all cells together."""
_MAX_CANDIDATES = 10
Kind = Literal["restored", "replaced", "duplicate", "matched", "dropped", "file"]


@dataclass(frozen=True)
class Repair:
    """One thing that was mended. `note` is for the instructor, `sentence` for the learner ("" where it is no news)."""

    kind: Kind
    cell: str
    note: str
    sentence: str = ""


class Unreadable(ValueError):
    """The submitted file is no notebook. The message is a sentence that a learner can act on."""


@dataclass(frozen=True)
class Rebuilt:
    notebook: NotebookNode
    repairs: tuple[Repair, ...]


def read_notebook(path: Path) -> list[dict[str, Any]]:
    """The cells of a submitted notebook, each a dict with `cell_type`, `source` and `metadata`. Raises Unreadable."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"the file cannot be read ({error.strerror}).") from error
    if len(data) > MAX_BYTES:
        raise Unreadable(
            f"the file is larger than {MAX_BYTES // 2**20} MB. Clear all outputs, save, and hand it in again."
        )
    try:
        # Editors on Windows save as UTF-16, with a mark at the beginning.
        tree = json.loads(data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Unreadable(
            "the file is no notebook: its JSON is broken. Open it in JupyterLab, save, hand it in again."
        ) from error
    if isinstance(tree, dict) and "worksheets" in tree:
        sheets = tree["worksheets"]
        tree = sheets[0] if isinstance(sheets, list) and sheets and isinstance(sheets[0], dict) else {}
    cells = tree.get("cells") if isinstance(tree, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("the file is no notebook: it has no cells. Open it in JupyterLab, save, hand it in again.")
    if len(cells) > MAX_CELLS:
        raise Unreadable(f"the notebook has more than {MAX_CELLS} cells. Delete those that are not needed.")
    tidy = tidy_cells(cells)
    if sum(len(cell["source"]) for cell in tidy) > MAX_SOURCE:
        raise Unreadable(
            f"its cells hold more than {MAX_SOURCE // 10**6} million characters. Delete what is not needed."
        )
    return tidy


def tidy_cells(cells: Sequence[Any]) -> list[dict[str, Any]]:
    """Cells with all the fields that rebuilding needs, each of its type; what is no cell is left out."""
    return [_tidy(cell) for cell in cells if isinstance(cell, dict)]


def _tidy(cell: dict[str, Any]) -> dict[str, Any]:
    kind = cell.get("cell_type")
    metadata = cell.get("metadata")
    source = source_of(cell) if "source" in cell else source_of({"source": cell.get("input")})
    return {
        "cell_type": kind if kind in ("code", "markdown") else "markdown",
        "source": source,
        "metadata": metadata if isinstance(metadata, dict) else {},
        "id": str(cell.get("id", "")),
    }


def rebuild(source: NotebookNode, released: NotebookNode, submitted: Sequence[dict[str, Any]]) -> Rebuilt:
    """Lay a submission's answers into the course's notebook.

    source:   with hidden checks, as nbgrader keeps it
    released: what the learner was given: the same cells, solutions cut
    """
    return _Rebuilding(source, released, submitted).result()


class _Rebuilding:
    def __init__(self, source: NotebookNode, released: NotebookNode, submitted: Sequence[dict[str, Any]]) -> None:
        self.source = source
        self.starters = {_grade_id(cell): cell for cell in released.cells if _grade_id(cell)}
        self.released_sources = {cell.source.strip() for cell in released.cells}
        self.submitted = list(submitted)
        self.used: set[int] = set()
        self.strayed: set[int] = set()
        """Cells that carry an exercise's marks and are none: the learner's own."""
        self.repairs: list[Repair] = []
        self.places: dict[int, int] = {}
        """Which submitted cell stands behind each cell of the result, by position there."""

    def result(self) -> Rebuilt:
        cells: list[NotebookNode] = []
        known = [self._match(cell) for cell in self.source.cells]
        followers = self._followers(known)
        cells += [self._own(i) for i in followers.get(-1, [])]
        for cell, position in zip(self.source.cells, known, strict=True):
            cells += self._built(cell, position)
            if position is not None:
                cells += [self._own(i) for i in followers.get(position, [])]
        notebook = nbformat.v4.new_notebook(metadata=copy.deepcopy(self.source.metadata))
        notebook.cells = cells
        ids = {cell.get("id") for cell in self.source.cells}
        for number, cell in enumerate(notebook.cells):
            cell["id"] = cell.get("id") if cell.get("id") in ids else f"own-{number}"
        return Rebuilt(notebook, tuple(self.repairs))

    def _match(self, cell: NotebookNode) -> int | None:
        """The submitted cell that plays this source cell's part."""
        grade_id = _grade_id(cell)
        if not grade_id:
            return self._first(lambda other: bool(cell.get("id")) and other["id"] == cell["id"])
        same = [i for i, other in enumerate(self.submitted) if i not in self.used and _grade_id(other) == grade_id]
        if not same and _is_solution(cell):
            same = self._by_name(cell)
        if not same and not _is_solution(cell):
            return self._first(lambda other: other["source"].strip() == cell.source.strip())
        if not same:
            return None
        chosen = self._chosen(cell, same)
        self.used.update(same)
        if len(same) > 1:
            self.repairs.append(
                Repair(
                    "duplicate",
                    grade_id,
                    f"{len(same)} cells carry the grade id {grade_id}; one was kept",
                    f"The cell of {grade_id} was there {len(same)} times; the last one you changed was graded.",
                )
            )
        if _is_solution(cell):
            # A copy that was turned into something else keeps the marks of the cell that it was copied from.
            self.strayed.update(i for i in same if i != chosen and not self._defines(cell, i))
        return chosen

    def _defines(self, cell: NotebookNode, position: int) -> bool:
        starter = self.starters.get(_grade_id(cell))
        wanted = set(defined_names(starter.source)) if starter else set()
        return not wanted or bool(wanted & set(defined_names(self.submitted[position]["source"])))

    def _by_name(self, cell: NotebookNode) -> list[int]:
        wanted = (
            set(defined_names(self.starters[_grade_id(cell)].source)) if _grade_id(cell) in self.starters else set()
        )
        found = [
            i
            for i, other in enumerate(self.submitted)
            if i not in self.used
            and other["cell_type"] == "code"
            and not _known_grade_id(other, self.starters)
            and wanted & set(defined_names(other["source"]))
        ]
        if found:
            self.repairs.append(
                Repair(
                    "matched",
                    _grade_id(cell),
                    f"the cell of {_grade_id(cell)} had lost its metadata; matched by the name that it defines",
                    f"The cell of {_grade_id(cell)} had lost its marks and was found by its name.",
                )
            )
        return found

    def _chosen(self, cell: NotebookNode, same: Sequence[int]) -> int:
        starter = self.starters.get(_grade_id(cell))
        changed = [i for i in same if starter is None or self.submitted[i]["source"].strip() != starter.source.strip()]
        defining = [i for i in changed if self._defines(cell, i)]
        return (defining or changed or list(same))[-1]

    def _first(self, fits: Any) -> int | None:
        for i, other in enumerate(self.submitted):
            if i not in self.used and not _known_grade_id(other, self.starters) and fits(other):
                self.used.add(i)
                return i
        return None

    def _followers(self, known: Sequence[int | None]) -> dict[int, list[int]]:
        """The learner's own cells, by the known cell that they stand behind (−1: before all)."""
        anchors = {position for position in known if position is not None}
        followers: dict[int, list[int]] = {}
        last = -1
        for i, cell in enumerate(self.submitted):
            if i in anchors:
                last = i
            elif i in self.strayed or (i not in self.used and self._is_own(cell)):
                followers.setdefault(last, []).append(i)
        return followers

    def _is_own(self, cell: dict[str, Any]) -> bool:
        if _known_grade_id(cell, self.starters):
            return False
        return bool(cell["source"].strip()) and cell["source"].strip() not in self.released_sources

    def _built(self, cell: NotebookNode, position: int | None) -> list[NotebookNode]:
        grade_id = _grade_id(cell)
        built = copy.deepcopy(cell)
        if built.cell_type == "code":
            built.outputs, built.execution_count = [], None
        theirs = self.submitted[position] if position is not None else None
        if grade_id and _is_solution(cell):
            if theirs is None:
                built.source = self.starters[grade_id].source if grade_id in self.starters else ""
                self.repairs.append(
                    Repair(
                        "restored",
                        grade_id,
                        f"the cell {grade_id} was missing",
                        f"Your notebook has no cell for {grade_id}.",
                    )
                )
            else:
                built.source = theirs["source"]
            return [built]
        if grade_id:
            self._note_check(cell, theirs)
            return [built]
        if theirs is not None and built.cell_type == "code" and theirs["source"].strip() != cell.source.strip():
            return [built, self._own(position)] if position is not None else [built]
        return [built]

    def _note_check(self, cell: NotebookNode, theirs: dict[str, Any] | None) -> None:
        grade_id = _grade_id(cell)
        given = self.starters[grade_id].source if grade_id in self.starters else cell.source
        if theirs is None:
            self.repairs.append(Repair("restored", grade_id, f"the check cell {grade_id} was missing and was put back"))
        elif theirs["source"].strip() not in (given.strip(), cell.source.strip()):
            self.repairs.append(
                Repair(
                    "replaced",
                    grade_id,
                    f"the check cell {grade_id} had been edited; the original was used",
                    f"The check cell {grade_id} had been changed; the original was used.",
                )
            )

    def _own(self, position: int) -> NotebookNode:
        cell = self.submitted[position]
        make: Any = nbformat.v4.new_code_cell if cell["cell_type"] == "code" else nbformat.v4.new_markdown_cell
        made: NotebookNode = make(cell["source"], metadata={"autograder": {"part": "own"}})
        return made


def _marks(cell: Any) -> dict[str, Any]:
    marks = cell["metadata"].get("nbgrader")
    return marks if isinstance(marks, dict) else {}


def _grade_id(cell: Any) -> str:
    grade_id = _marks(cell).get("grade_id", "")
    return grade_id if isinstance(grade_id, str) else ""


def _known_grade_id(cell: Any, starters: dict[str, Any]) -> bool:
    return _grade_id(cell) in starters


def _is_solution(cell: Any) -> bool:
    return bool(_marks(cell).get("solution"))


def find_notebook(
    folder: Path, name: str, grade_ids: frozenset[str]
) -> tuple[Path, list[dict[str, Any]], tuple[Repair, ...]]:
    """The notebook to grade in a submission's folder, its cells, and a note where it has another name.

    By its file name, or, where that file is missing or broken, by the grade ids in its cells. Raises Unreadable.
    """
    wanted = folder / f"{name}.ipynb"
    broken = f"there is no {wanted.name} among the files that were handed in ({_names(folder)})."
    if wanted.is_file():
        try:
            return wanted, read_notebook(wanted), ()
        except Unreadable as error:
            broken = str(error)
    candidates = [path for path in sorted(folder.glob("*.ipynb")) if path.is_file() and path != wanted]
    found: list[tuple[int, Path, list[dict[str, Any]]]] = []
    for path in candidates[:_MAX_CANDIDATES]:
        try:
            cells = read_notebook(path)
        except Unreadable as error:
            broken = str(error) if len(candidates) == 1 and not wanted.is_file() else broken
            continue
        found.append((len({_grade_id(cell) for cell in cells} & grade_ids), path, cells))
    carrying = [one for one in found if one[0]] or (found if len(candidates) == 1 and not wanted.is_file() else [])
    if not carrying:
        raise Unreadable(broken)
    _, path, cells = max(carrying, key=lambda one: one[0])
    repair = Repair(
        "file",
        path.name,
        f"{'there is no usable' if wanted.is_file() else 'there is no'} {wanted.name}; {path.name} was graded in its place",
        f"Your file is named {path.name}; it was graded as {wanted.name}. Please keep the name next time.",
    )
    return path, cells, (repair,)


def _names(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return f"there are: {', '.join(names[:5])}" if names else "there are none"
