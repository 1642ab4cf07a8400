"""`python -m autograder verify [UNIT...]`: the course tests itself."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import add_units, chosen_units
from .processes import add_workers, side_by_side

if TYPE_CHECKING:
    from ..authoring.assess import Assessment


def add(parser: argparse.ArgumentParser) -> None:
    add_units(parser)
    parser.add_argument(
        "--seeds", type=int, nargs="*", default=[1, 2, 3], help="seeds for hidden cases (default: 1 2 3)"
    )
    add_workers(parser)


def run(options: argparse.Namespace) -> int:
    course: Path = options.course
    units = chosen_units(course, options.units)
    found = side_by_side(_verify_unit, [(course, unit, tuple(options.seeds)) for unit in units], options.workers)
    rows = [row for rows_of_unit, _ in found for row in rows_of_unit]
    problems = [problem for _, problems_of_unit in found for problem in problems_of_unit]
    print(_table(rows))
    for problem in problems:
        print(problem)
    exercises = {(row.unit, row.exercise) for row in rows}
    print(
        f"\n{len(exercises)} exercises on visible cases and {len(options.seeds)} seeds of hidden ones: "
        + (
            f"{len(problems)} problems"
            if problems
            else "every starter gets 0, every solution full points, every known mistake is named, nothing hangs on rounding"
        )
    )
    return 1 if problems else 0


def _verify_unit(course: Path, unit: str, seeds: tuple[int, ...]) -> tuple[list[Assessment], list[str]]:
    """One unit's assessments and problems."""
    from ..authoring.assess import assess, assess_rounding, missing_files
    from ..authoring.cache import outputs_of
    from ..authoring.parse import LessonError, parse_lesson, unit_stem
    from ..authoring.workbench import draw_cases, open_workbench

    rows: list[Assessment] = []
    problems: list[str] = []
    try:
        lesson = parse_lesson(course / "solutions" / unit / f"{unit_stem(unit)}.py")
        problems += [f"{path} is not there; run `python -m autograder build {unit}`" for path in missing_files(lesson)]
        for piece in open_workbench(lesson):
            for seed in (None, *seeds):
                try:
                    cases = draw_cases(piece, seed=seed, remembered=outputs_of(lesson))
                    row = assess(piece, seed=seed, cases=cases)
                    hanging = assess_rounding(piece, seed=seed, cases=cases, thorough=False)
                    rows.append(replace(row, problems=row.problems + hanging))
                except LessonError as error:
                    problems.append(str(error))
    except LessonError as error:
        problems.append(str(error))
    return rows, problems + [problem for row in rows for problem in row.problems]


def _table(rows: list[Assessment]) -> str:
    head = ("unit", "exercise", "cases", "calls", "wrong", "right", "truths", "")
    merged: dict[tuple[str, str], list[Assessment]] = {}
    for row in rows:
        merged.setdefault((row.unit, row.exercise), []).append(row)
    body = [
        (
            unit,
            exercise,
            str(len(group)),
            str(sum(row.calls for row in group)),
            str(group[0].wrong),
            str(group[0].right),
            str(group[0].truths),
            "ok" if not any(row.problems for row in group) else "PROBLEM",
        )
        for (unit, exercise), group in merged.items()
    ]
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in [head, *body]
    )
