"""Read a lesson: one `py:percent` file a unit, its cells marked with the exercise and the part they play.

Everything that a lesson can get wrong in its marks is refused here, with file, exercise and cure.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jupytext

from ..formats.cases import Tolerance

EXERCISE_PARTS = ("prompt", "solution", "check", "hidden", "hints", "library", "variants")
REQUIRED_PARTS = ("prompt", "solution", "check", "hidden", "hints", "variants")
LOOSE_PARTS = ("setup", "demo", "library", "question", "answer")
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
    hidden_probes: tuple[str, ...]
    hints: tuple[str, ...]
    library: str
    variants: str
    forbids: tuple[str, ...]
    returns: tuple[str, ...]
    tolerance: Tolerance
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


def units(solutions: Path) -> tuple[str, ...]:
    """The units that have a lesson, in order."""
    found = (folder for folder in solutions.iterdir() if _UNIT_NAME.match(folder.name)) if solutions.is_dir() else ()
    return tuple(sorted(folder.name for folder in found if (folder / f"{unit_stem(folder.name)}.py").is_file()))


def parse_lesson(path: Path) -> Lesson:
    """Read one lesson. Raises LessonError, naming file, exercise and cure."""
    try:
        notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    except OSError as error:
        raise LessonError(f"{path}: cannot be read ({error.strerror})") from error
    cells = tuple(_cell(path, cell) for cell in notebook.cells)
    names: list[str] = []
    for cell in cells:
        if cell.exercise and cell.part == "prompt":
            if cell.exercise in names:
                raise LessonError(f"{path}: exercise {cell.exercise} stands twice; give one of the two another name")
            names.append(cell.exercise)
    for cell in cells:
        if cell.exercise and cell.exercise not in names:
            raise LessonError(
                f"{path}: exercise {cell.exercise} has a {cell.part} but no prompt; write its prompt cell"
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


def _cell(path: Path, cell: Any) -> Cell:
    marks = {key: value for key, value in cell.metadata.items() if key not in ("lines_to_next_cell",)}
    part, exercise = str(marks.pop("part", "")), str(marks.pop("exercise", ""))
    where = f"{path}: exercise {exercise}" if exercise else f"{path}"
    allowed = EXERCISE_PARTS if exercise else LOOSE_PARTS
    if exercise and part not in allowed:
        raise LessonError(f"{where}: unknown part {part!r}; use one of {', '.join(EXERCISE_PARTS)}")
    if not exercise and part and part not in allowed:
        raise LessonError(f"{where}: part {part!r} needs an exercise, or is none of {', '.join(LOOSE_PARTS)}")
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
        probes=_probes(where, name, own["check"].source, hidden=False),
        hidden_probes=_probes(where, name, own["hidden"].source, hidden=True),
        hints=hints,
        library=own["library"].source if "library" in own else "",
        variants=own["variants"].source,
        forbids=tuple(str(marks.get("forbids", "")).split()),
        returns=tuple(str(marks.get("returns", "")).split()),
        tolerance=Tolerance(
            float(marks.get("relative", Tolerance.relative)), float(marks.get("absolute", Tolerance.absolute))
        ),
        time_limit=float(marks.get("time_limit", 10)),
        files=_files(where, str(marks.get("files", "")).split()),
    )


def _files(where: str, names: list[str]) -> tuple[str, ...]:
    """Files that learners hand in beside the notebook, for this exercise to read."""
    for name in names:
        if not _FILE_NAME.match(name):
            raise LessonError(f'{where}: {name!r} is no plain file name for weights; write files="NAME.safetensors"')
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


def _probes(where: str, name: str, source: str, *, hidden: bool) -> tuple[str, ...]:
    """The probe expressions of `check(name, probe, ...)`."""
    part = "hidden" if hidden else "check"
    cure = f"it must be one call: check({name}, probe, ..." + (', cases="hidden")' if hidden else ")")
    body = ast.parse(source).body
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "check"):
        raise LessonError(f"{where}: its {part} cell is no check; {cure}")
    if not (call.args and isinstance(call.args[0], ast.Name) and call.args[0].id == name and len(call.args) > 1):
        raise LessonError(f"{where}: its {part} cell checks something else or nothing; {cure}")
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    which = keywords.get("cases")
    if hidden != (isinstance(which, ast.Constant) and which.value == "hidden") or set(keywords) - {"cases"}:
        raise LessonError(f"{where}: its {part} cell has other keywords than it should; {cure}")
    return tuple(ast.unparse(argument) for argument in call.args[1:])
