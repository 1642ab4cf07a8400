"""Rebuild a submitted notebook from the course's own: checks as they were written, answers as the learner wrote them.

The source notebook gives the cells and their order. A learner's solution is found by its grade id, or, where its
metadata is lost, by the function or class that it defines. The learner's own further cells are kept behind the cell
that they followed. Every repair is written down: a note for the instructor, a sentence for the learner.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .notebook_file import NOT_RUN, Block, defined_names, part_of

Cell = dict[str, Any]
Kind = Literal["restored", "replaced", "duplicate", "matched", "dropped", "file"]


@dataclass(frozen=True)
class Repair:
    """One repair. `note` is for the instructor, `sentence` for the learner ("" where it is no news)."""

    kind: Kind
    cell: str
    note: str
    sentence: str = ""


@dataclass(frozen=True)
class Rebuilt:
    """The cells, each with its place in `metadata.autograder.place`, as messages call it; and the repairs."""

    cells: tuple[Cell, ...]
    repairs: tuple[Repair, ...]


def blocks_of(cells: Iterable[Mapping[str, Any]], *, run_demos: bool = False) -> list[Block]:
    """What is run of a rebuilt notebook, in order: all but checks and questions, and experiments where wanted."""
    left_out = NOT_RUN if run_demos else NOT_RUN | {"demo"}
    return [
        Block(cell["source"], place_of(cell), part_of(cell) == "setup")
        for cell in cells
        if cell["cell_type"] == "code" and part_of(cell) not in left_out
    ]


def place_of(cell: Mapping[str, Any]) -> str:
    """What messages call a rebuilt cell: learners count the cells of their own notebook."""
    return str(cell["metadata"]["autograder"]["place"])


def rebuild(
    source: Sequence[Mapping[str, Any]], released: Sequence[Mapping[str, Any]], submitted: Sequence[Cell]
) -> Rebuilt:
    """Lay a submission's answers into the course's notebook.

    source:   its cells, with hidden checks, as nbgrader keeps it
    released: what the learner was given: the same cells, solutions cut
    """
    return _Rebuilding(source, released, submitted).result()


class _Rebuilding:
    def __init__(
        self, source: Sequence[Mapping[str, Any]], released: Sequence[Mapping[str, Any]], submitted: Sequence[Cell]
    ) -> None:
        self.source = source
        self.starters = {grade_id_of(cell): cell["source"] for cell in released if grade_id_of(cell)}
        self.given = {"", *(cell["source"].strip() for cell in released)}
        self.submitted = list(submitted)
        self.used: set[int] = set()
        self.strayed: set[int] = set()
        """Cells that carry an exercise's marks and are none: the learner's own."""
        self.repairs: list[Repair] = []

    def result(self) -> Rebuilt:
        known = [self._match(cell) for cell in self.source]
        followers = self._followers(known)
        placed: list[tuple[Cell, int | None]] = [self._own(i) for i in followers.get(-1, [])]
        for cell, position in zip(self.source, known, strict=True):
            placed += self._built(cell, position)
            if position is not None:
                placed += [self._own(i) for i in followers.get(position, [])]
        ids = {cell.get("id") for cell in self.source}
        places = [position for _, position in placed]
        for number, (built, position) in enumerate(placed):
            built["id"] = built.get("id") if built.get("id") in ids else f"own-{number}"
            place = f"the missing cell {built['id']}" if position is None else f"cell {position + 1}"
            if places.index(position) == number < len(places) - 1 - places[::-1].index(position):
                place += " as it was given"  # the course's, before the learner's own
            built["metadata"] = {**built["metadata"]}
            built["metadata"]["autograder"] = {**built["metadata"].get("autograder", {}), "place": place}
        return Rebuilt(tuple(cell for cell, _ in placed), tuple(self.repairs))

    def _match(self, cell: Mapping[str, Any]) -> int | None:
        """The submitted cell that plays this source cell's part."""
        grade_id = grade_id_of(cell)
        if not grade_id:
            return self._first(lambda other: bool(cell.get("id")) and other["id"] == cell["id"])
        same = [i for i, other in enumerate(self.submitted) if i not in self.used and grade_id_of(other) == grade_id]
        if not same and not is_solution(cell):
            return self._first(lambda other: not _changed(cell, other))
        same = same or self._by_name(grade_id)
        if not same:
            return None
        chosen = self._chosen(grade_id, same)
        self.used.update(same)
        if len(same) > 1:
            self._note(
                "duplicate",
                grade_id,
                f"{len(same)} cells carry the grade id {grade_id}; one was kept",
                f"Your notebook has {len(same)} cells for {grade_id}; the last one you changed was graded.",
            )
        if is_solution(cell):
            # A copy that was turned into something else keeps the marks of the cell that it was copied from.
            self.strayed.update(i for i in same if i != chosen and not self._defines(grade_id, i))
        return chosen

    def _note(self, kind: Kind, grade_id: str, note: str, sentence: str = "") -> None:
        self.repairs.append(Repair(kind, grade_id, note, sentence))

    def _wanted(self, grade_id: str) -> set[str]:
        return set(defined_names(self.starters.get(grade_id, "")))

    def _defines(self, grade_id: str, position: int) -> bool:
        wanted = self._wanted(grade_id)
        return not wanted or bool(wanted & set(defined_names(self.submitted[position]["source"])))

    def _by_name(self, grade_id: str) -> list[int]:
        wanted = self._wanted(grade_id)
        found = [
            i
            for i, other in enumerate(self.submitted)
            if i not in self.used
            and other["cell_type"] == "code"
            and grade_id_of(other) not in self.starters
            and wanted & set(defined_names(other["source"]))
        ]
        if found:
            self._note(
                "matched",
                grade_id,
                f"the cell for {grade_id} had lost its metadata; it was matched by the name that it defines",
                f"The cell for {grade_id} had lost its metadata; it was found by the name that it defines.",
            )
        return found

    def _chosen(self, grade_id: str, same: Sequence[int]) -> int:
        starter = self.starters.get(grade_id)
        changed = [i for i in same if starter is None or self.submitted[i]["source"].strip() != starter.strip()]
        defining = [i for i in changed if self._defines(grade_id, i)]
        return (defining or changed or list(same))[-1]

    def _first(self, fits: Callable[[Cell], bool]) -> int | None:
        for i, other in enumerate(self.submitted):
            if i not in self.used and grade_id_of(other) not in self.starters and fits(other):
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

    def _is_own(self, cell: Cell) -> bool:
        return grade_id_of(cell) not in self.starters and cell["source"].strip() not in self.given

    def _built(self, cell: Mapping[str, Any], position: int | None) -> list[tuple[Cell, int | None]]:
        grade_id = grade_id_of(cell)
        built: Cell = copy.deepcopy(dict(cell))
        if built["cell_type"] == "code":
            built["outputs"], built["execution_count"] = [], None
        theirs = self.submitted[position] if position is not None else None
        if grade_id and is_solution(cell):
            if theirs is None:
                built["source"] = self.starters.get(grade_id, "")
                self._note(
                    "restored",
                    grade_id,
                    f"the cell {grade_id} was missing",
                    f"Your notebook has no cell for {grade_id}.",
                )
            else:
                built["source"] = theirs["source"]
            return [(built, position)]
        if grade_id:
            self._note_check(cell, theirs)
        elif position is not None and theirs is not None and built["cell_type"] == "code" and _changed(cell, theirs):
            return [(built, position), self._own(position)]  # both run: the course's, then the learner's
        return [(built, position)]

    def _note_check(self, cell: Mapping[str, Any], theirs: Cell | None) -> None:
        grade_id = grade_id_of(cell)
        given = self.starters.get(grade_id, cell["source"])
        if theirs is None:
            self._note("restored", grade_id, f"the check cell {grade_id} was missing and was put back")
        elif theirs["source"].strip() not in (given.strip(), cell["source"].strip()):
            self._note(
                "replaced",
                grade_id,
                f"the check cell {grade_id} had been edited; the original was used",
                f"The check cell {grade_id} had been changed; the original was used.",
            )

    def _own(self, position: int) -> tuple[Cell, int | None]:
        cell = self.submitted[position]
        kept = {name: cell[name] for name in ("cell_type", "source")}
        not_run: Cell = {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {}
        return {**kept, "metadata": {"autograder": {"part": "own"}}, **not_run}, position


def _changed(cell: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    return bool(theirs["source"].strip() != cell["source"].strip())


def _marks(cell: Mapping[str, Any]) -> dict[str, Any]:
    marks = cell["metadata"].get("nbgrader")
    return marks if isinstance(marks, dict) else {}


def grade_id_of(cell: Mapping[str, Any]) -> str:
    """The name of a cell in nbgrader's gradebook; "" where it has none."""
    grade_id = _marks(cell).get("grade_id", "")
    return grade_id if isinstance(grade_id, str) else ""


def is_solution(cell: Mapping[str, Any]) -> bool:
    """Whether a learner writes in the cell."""
    return bool(_marks(cell).get("solution"))


def is_graded(cell: Mapping[str, Any]) -> bool:
    """Whether the cell has points in the gradebook. A cell that is graded and a solution is graded by a person."""
    return bool(_marks(cell).get("grade"))
