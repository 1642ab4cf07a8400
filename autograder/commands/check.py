"""`python -m autograder check UNIT FILE...`: check notebooks or Python files outside JupyterLab."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..formats.notebook_file import Block, Unreadable, defined_names, read_notebook, read_python
from ..formats.rebuild import blocks_of, rebuild
from .arguments import UsageError, add_course, one_unit

if TYPE_CHECKING:
    from ..formats.cases import ExerciseCases, UnitCases
    from ..judging.verdict import Verdict
    from ..observing.processes import WarmProcess


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("unit", metavar="UNIT", help="the unit's name or its two digits")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a .ipynb or .py file")
    parser.add_argument(
        "--hidden", action="store_true", help="use hidden cases too, as grading does (needs solutions/)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the hidden cases (default: 1)")
    parser.add_argument("--json", action="store_true", help="print a JSON list of results")
    add_course(parser)


@dataclass(frozen=True)
class _File:
    path: Path
    blocks: list[Block]
    defines: tuple[str, ...]
    """The unit's exercises that it defines."""


def run(options: argparse.Namespace) -> int:
    from ..judging.panel import as_text
    from ..observing.processes import WarmProcess, modules_for

    unit, sets = _case_sets(options)
    files: list[_File] = []
    status = 0
    for path in options.files:
        try:
            files.append(_read(path, unit))
        except Unreadable as error:
            print(f"{path}: {error}", file=sys.stderr)
            status = 2
    rows: list[dict[str, Any]] = []
    wanted = {name for file in files for name in file.defines}
    exercises = [exercise for exercise in unit.exercises if exercise.name in wanted]
    modules = modules_for([block for file in files for block in file.blocks], exercises)
    with WarmProcess(confined=False, modules=modules) as warm:  # one start and one import for all files
        for file in files:
            chosen = [sets[name] for name in file.defines]
            found = _verdicts(file, chosen, warm)
            rows += [_row(file.path, cases[0].name, [found[one.key] for one in cases]) for cases in chosen]
            if not options.json:
                for verdict in found.values():
                    print(as_text(verdict))
    if options.json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    return status or int(not all(row["passed"] for row in rows))


def _case_sets(options: argparse.Namespace) -> tuple[UnitCases, dict[str, list[ExerciseCases]]]:
    """The unit, and by exercise its visible cases; with --hidden, the hidden ones behind them."""
    from ..formats.cases import CASES_FILE, load_cases

    course: Path = options.course
    folder = next((f for f in (course / "solutions", course / "notebooks") if f.is_dir()), course)
    name = one_unit(sorted(path.parent.name for path in folder.glob(f"*/{CASES_FILE}")), options.unit)
    unit = load_cases(folder / name / CASES_FILE)
    sets = {exercise.name: [exercise] for exercise in unit.exercises}
    if options.hidden:
        if folder.name != "solutions":
            raise UsageError(
                "hidden cases are drawn from the lessons in solutions/, which are not here: leave --hidden out."
            )
        from ..authoring.hidden import hidden_cases

        for exercise in hidden_cases(course, name, options.seed).exercises:
            sets[exercise.name].append(exercise)
    return unit, sets


def _read(path: Path, unit: UnitCases) -> _File:
    """A file as it is run. Raises Unreadable."""
    if path.suffix not in (".ipynb", ".py"):
        raise Unreadable("neither a notebook (.ipynb) nor a Python file (.py).")
    if path.suffix == ".py":
        blocks = [read_python(path)]
        sources = [blocks[0].source]
    else:
        cells = read_notebook(path)
        from ..formats.translation import in_language, language_of

        given = in_language(unit, language_of(unit, cells)).code_cells
        blocks = blocks_of(rebuild(given, given, cells).cells)
        sources = [cell["source"] for cell in cells]
    defined = {name for source in sources for name in defined_names(source)}
    if not defined & set(unit.names):
        raise Unreadable(f"defines none of this unit's exercises ({', '.join(unit.names)}) with def or class.")
    return _File(path, blocks, tuple(name for name in unit.names if name in defined))


def _verdicts(file: _File, chosen: list[list[ExerciseCases]], warm: WarmProcess) -> dict[str, Verdict]:
    from ..judging.verdict import verdicts
    from ..observing.outside import NotStarted, observe_by

    folder = file.path.resolve().parent
    exercises = [cases for both in chosen for cases in both]
    try:
        seen = observe_by(partial(warm.submit, folder=folder), file.blocks, file.path.suffix == ".py", exercises)
    except NotStarted as error:
        raise UsageError(f"{file.path} was not judged: {error}") from error
    return verdicts(chosen, seen.sightings, folder)


def _row(path: Path, exercise: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """One exercise's result over its sets of cases; the message is that of the first set that was not passed."""
    failed = next((verdict for verdict in verdicts if not verdict.passed), None)
    return {
        "file": str(path),
        "exercise": exercise,
        "score": sum(verdict.score for verdict in verdicts),
        "max_score": sum(verdict.max_score for verdict in verdicts),
        "passed": failed is None,
        "diagnosis": failed.diagnosis if failed else None,
        "message": failed.message if failed else "",
    }
