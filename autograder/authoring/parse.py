"""Read a lesson: two `py:percent` files a unit, their cells marked with the exercise and the part they play.

`NAME.py` is the lesson as it is read: prose, solutions, check calls, hints. `checks.py` beside it holds what the checks
know: cases, known mistakes, right alternatives, truths, library-backed parts.

Everything that a lesson can get wrong in its marks is refused here, with file, exercise and cure.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jupytext

from ..formats.cases import Tolerance

CHECKS_FILE = "checks.py"
EXERCISE_PARTS = ("prompt", "solution", "check", "hints")
LOOSE_PARTS = ("setup", "demo", "question", "answer")
CHECKS_PARTS = ("library", "variants")
REQUIRED_PARTS = (*EXERCISE_PARTS, "variants")
NEVER_SHIPPED = frozenset({"hints", "library", "variants"})
VISIBLE_SHARE = 0.6
_FILE_NAME = re.compile(r"^[a-z0-9_]+\.safetensors$")
_UNIT_NAME = re.compile(r"^\d\d_[a-z0-9_]+$")


class LessonError(ValueError):
    """A lesson that cannot be built. The message names file, exercise and cure."""


@dataclass(frozen=True)
class Cell:
    kind: Literal["markdown", "code"]
    source: str
    part: str
    exercise: str
    marks: dict[str, Any]


@dataclass(frozen=True)
class ExerciseSource:
    """One exercise's block, as written."""

    name: str
    kind: Literal["function", "class"]
    points: float
    difficulty: int
    minutes: int
    solution: str
    probes: tuple[str, ...]
    hints: tuple[str, ...]
    library: str
    variants: str
    forbids: tuple[str, ...]
    returns: tuple[str, ...]
    tolerance: Tolerance | None
    time_limit: float
    files: tuple[str, ...] = ()

    @property
    def visible_points(self) -> float:
        """About 60 % of the points, in half points."""
        return round(VISIBLE_SHARE * self.points * 2) / 2


@dataclass(frozen=True)
class Lesson:
    path: Path
    title: str
    cells: tuple[Cell, ...]
    exercises: tuple[ExerciseSource, ...]
    setup: str
    library: str
    questions: tuple[Cell, ...] = field(default=())

    @property
    def unit(self) -> str:
        return self.path.parent.name


def unit_stem(unit: str) -> str:
    """`03_self_attention` → `self_attention`."""
    return unit.split("_", 1)[1]


def is_unit_name(name: str) -> bool:
    return _UNIT_NAME.match(name) is not None


def units(solutions: Path) -> tuple[str, ...]:
    """The units that have a lesson, in order."""
    found = (folder for folder in solutions.iterdir() if is_unit_name(folder.name)) if solutions.is_dir() else ()
    return tuple(sorted(folder.name for folder in found if (folder / f"{unit_stem(folder.name)}.py").is_file()))


def kept_file(lesson: Lesson, name: str) -> Path:
    """Where the course keeps its own copy of a file that learners hand in: nbgrader leaves names with a dot alone."""
    return lesson.path.parent / f".{name}"


def missing_files(lesson: Lesson) -> list[Path]:
    """The course's own copies of handed-in files that are not there yet: executing the solved notebook makes them."""
    paths = [kept_file(lesson, name) for exercise in lesson.exercises for name in exercise.files]
    return [path for path in paths if not path.is_file()]


def parse_lesson(path: Path) -> Lesson:
    """Read one lesson and what its checks know. Raises LessonError, naming file, exercise and cure."""
    checks = path.with_name(CHECKS_FILE)
    known = [_cell(checks, cell, CHECKS_PARTS, CHECKS_PARTS) for cell in _read(checks) if _marks(cell)]
    cells = tuple(
        built for cell in _read(path) for built in _with_hidden(path, _cell(path, cell, EXERCISE_PARTS, LOOSE_PARTS))
    ) + tuple(known)
    names: list[str] = []
    for cell in cells:
        if cell.exercise and cell.part == "prompt":
            if cell.exercise in names:
                raise LessonError(f"{path}: exercise {cell.exercise} appears twice; rename one of the two")
            names.append(cell.exercise)
    for cell in cells:
        if cell.exercise and cell.exercise not in names:
            place = checks if cell in known else path
            raise LessonError(
                f"{place}: exercise {cell.exercise} has a {cell.part} but no prompt; write its prompt cell in {path.name}"
            )
    title = next((line[2:].strip() for cell in cells for line in cell.source.splitlines() if line.startswith("# ")), "")
    if not title:
        raise LessonError(f"{path}: no title; begin the lesson with a Markdown cell '# ...'")
    return Lesson(
        path=path,
        title=title,
        cells=cells,
        exercises=tuple(_exercise(path, name, cells) for name in names),
        setup="\n\n".join(cell.source for cell in cells if cell.part == "setup"),
        library="\n\n\n".join(cell.source for cell in cells if cell.part == "library"),
        questions=tuple(cell for cell in cells if cell.part in ("question", "answer")),
    )


def _read(path: Path) -> list[Any]:
    try:
        return list(jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent").cells)
    except OSError as error:
        raise LessonError(f"{path}: cannot be read ({error.strerror})") from error


def _with_hidden(path: Path, cell: Cell) -> list[Cell]:
    """The cell, and behind a check the same check on hidden cases."""
    if cell.part != "check":
        return [cell]
    _probes(f"{path}: exercise {cell.exercise}", cell.exercise, cell.source)
    call = cell.source.rstrip().removesuffix(")")
    source = f'{call}    cases="hidden",\n)' if call.endswith(",\n") else f'{call.rstrip()}, cases="hidden")'
    return [cell, Cell("code", source, "hidden", cell.exercise, {})]


def _marks(cell: Any) -> dict[str, Any]:
    """What the cell's header says; jupytext adds a mark of its own."""
    return {key: value for key, value in cell.metadata.items() if key != "lines_to_next_cell"}


def _cell(path: Path, cell: Any, exercise_parts: tuple[str, ...], loose_parts: tuple[str, ...]) -> Cell:
    marks = _marks(cell)
    part, exercise = str(marks.pop("part", "")), str(marks.pop("exercise", ""))
    where = f"{path}: exercise {exercise}" if exercise else f"{path}"
    if part in CHECKS_PARTS and part not in exercise_parts:
        raise LessonError(f"{where}: its {part} belongs to {CHECKS_FILE} beside the lesson; move the cell there")
    if exercise and part not in exercise_parts:
        raise LessonError(f"{where}: unknown part {part!r}; use one of {', '.join(exercise_parts)}")
    if not exercise and part and part not in loose_parts:
        raise LessonError(f"{where}: part {part!r} needs an exercise, or is none of {', '.join(loose_parts)}")
    if marks.get("folded") and part != "demo":
        raise LessonError(f'{where}: only a cell with part="demo" may be folded=True: {cell.source[:40]!r}')
    return Cell(cell.cell_type, cell.source, part, exercise, marks)


def _exercise(path: Path, name: str, cells: tuple[Cell, ...]) -> ExerciseSource:
    where = f"{path}: exercise {name}"
    own: dict[str, Cell] = {}
    for cell in cells:
        if cell.exercise == name:
            if cell.part in own:
                raise LessonError(f"{where}: two cells are its {cell.part}; join them")
            own[cell.part] = cell
    for part in REQUIRED_PARTS:
        if part not in own or not own[part].source.strip():
            raise LessonError(f"{where}: its {part} is missing or empty; write a cell with part={part!r}")
    marks = own["prompt"].marks
    for mark in ("points", "difficulty", "minutes"):
        if not isinstance(marks.get(mark), (int, float)):
            raise LessonError(f"{where}: its prompt has no {mark}; write {mark}=... in the cell's header")
    hints = _hints(own["hints"].source)
    if not hints:
        raise LessonError(f"{where}: its hints are empty; write each hint as a line that begins with '- '")
    solution = own["solution"].source
    return ExerciseSource(
        name=name,
        kind=_kind(where, name, solution),
        points=float(marks["points"]),
        difficulty=int(marks["difficulty"]),
        minutes=int(marks["minutes"]),
        solution=solution,
        probes=_probes(where, name, own["check"].source),
        hints=hints,
        library=own["library"].source if "library" in own else "",
        variants="\n\n".join([*_shared(cells), own["variants"].source]),
        forbids=tuple(str(marks.get("forbids", "")).split()),
        returns=tuple(str(marks.get("returns", "")).split()),
        tolerance=_tolerance(marks),
        time_limit=float(marks.get("time_limit", 10)),
        files=_files(where, str(marks.get("files", "")).split()),
    )


def _tolerance(marks: Mapping[str, Any]) -> Tolerance | None:
    """What the prompt's header says; None where it leaves it to the kind of numbers that the reference gives."""
    if not {"relative", "absolute"} & set(marks):
        return None
    return Tolerance(float(marks.get("relative", Tolerance.relative)), float(marks.get("absolute", Tolerance.absolute)))


def _shared(cells: tuple[Cell, ...]) -> list[str]:
    """What all variants blocks of the unit may use: variants cells that name no exercise."""
    return [cell.source for cell in cells if cell.part == "variants" and not cell.exercise]


def _files(where: str, names: list[str]) -> tuple[str, ...]:
    """Files that learners hand in beside the notebook, for this exercise to read."""
    for name in names:
        if not _FILE_NAME.match(name):
            raise LessonError(f'{where}: {name!r} is not a plain file name for weights; write files="NAME.safetensors"')
    return tuple(names)


def _kind(where: str, name: str, solution: str) -> Literal["function", "class"]:
    for statement in ast.parse(solution).body:
        if isinstance(statement, ast.FunctionDef) and statement.name == name:
            return "function"
        if isinstance(statement, ast.ClassDef) and statement.name == name:
            return "class"
    raise LessonError(f"{where}: its solution defines no function or class {name}")


def _hints(source: str) -> tuple[str, ...]:
    items = re.split(r"^- ", source, flags=re.MULTILINE)[1:]
    return tuple(" ".join(item.split()) for item in items if item.strip())


def _probes(where: str, name: str, source: str) -> tuple[str, ...]:
    """The probe expressions of `check(name, probe, ...)`."""
    cure = f"it must be one call: check({name}, probe, ...)"
    body = ast.parse(source).body
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "check"):
        raise LessonError(f"{where}: its check cell is not a check; {cure}")
    if not (call.args and isinstance(call.args[0], ast.Name) and call.args[0].id == name and len(call.args) > 1):
        raise LessonError(f"{where}: its check cell checks something else or nothing; {cure}")
    if call.keywords:
        raise LessonError(f"{where}: its check cell has keywords; {cure}")
    return tuple(ast.unparse(argument) for argument in call.args[1:])
