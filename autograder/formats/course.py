"""Where the course's notebooks lie, seen from wherever a notebook or a command was started."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .language import languages

CASES_FILE = "cases.npz"
START_PAGE = "start.ipynb"
KEEP_NOTHING = "AUTOGRADER_KEEP_NOTHING"
"""Set in the environment where nothing is to be kept: while notebooks are built or tested."""


@dataclass(frozen=True)
class ExerciseEntry:
    """One exercise as the start page lists it. `visible` of its points come from the check."""

    name: str
    points: float
    visible: float
    difficulty: int
    minutes: int


@dataclass(frozen=True)
class UnitEntry:
    """One unit as the start page lists it."""

    unit: str
    title: str
    minutes: int
    written_points: float
    exercises: tuple[ExerciseEntry, ...]

    @property
    def number(self) -> str:
        return self.unit[:2]

    @property
    def notebook(self) -> str:
        """The notebook's path below the folder of the start page."""
        return f"{self.unit}/{self.unit.split('_', 1)[1]}.ipynb"

    @property
    def points(self) -> float:
        return sum(exercise.points for exercise in self.exercises)


class NoCourse(FileNotFoundError):
    """No notebooks of the course here or above; the message says what to do."""


def notebooks_folder(start: Path | None = None) -> Path:
    """The folder that holds the start page and the units' folders. Raises NoCourse."""
    here = (start or Path.cwd()).resolve()
    for folder in _candidates(here):
        if (folder / START_PAGE).is_file():
            return folder
    raise NoCourse(f"no {START_PAGE} in {here}, in its folder notebooks, or above: go to the course's folder first.")


def shared_folder(notebooks: Path) -> Path:
    """The folder that holds the notebooks of all languages: this one, or the one above that of a language."""
    return notebooks.parent if notebooks.name in languages() else notebooks


def unit_folder(name: str) -> Path:
    """The folder of the unit with this name, or its two digits, that holds the learner's notebook. Raises NoCourse."""
    here = Path.cwd()
    for folder in _candidates(here):
        for path in sorted(folder.glob(f"[0-9][0-9]_*/{CASES_FILE}")):
            if name in (path.parent.name, path.parent.name[:2], path.parent.name[3:]):
                return path.parent
    raise NoCourse(
        f"there is no unit {name!r} in {here}, in its folder notebooks, or above: go to the course's folder first."
    )


def course_map(folder: Path) -> tuple[UnitEntry, ...]:
    """The units as the start page in `folder` lists them; empty where it lists none."""
    try:
        metadata = json.loads((folder / START_PAGE).read_text(encoding="utf-8"))["metadata"]
        return tuple(_entry(node) for node in metadata["autograder"]["units"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _entry(node: dict[str, Any]) -> UnitEntry:
    return UnitEntry(**{**node, "exercises": tuple(ExerciseEntry(**exercise) for exercise in node["exercises"])})


def _candidates(here: Path) -> Iterator[Path]:
    for folder in (here, *here.parents):
        yield folder / "notebooks"
        yield folder


def hidden_note(name: str, points: float) -> str:
    """What stands in a learner's notebook in the place of hidden checks."""
    told = f"{points:g} more points for {name}: decided when your notebook is graded, on cases drawn anew."
    return f"# {told}"
