"""`python -m autograder verify [UNIT...]`: the course tests itself."""

from __future__ import annotations

import argparse
from typing import Any

from .course import add_units, chosen_units


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser("verify", help="check the checks: wrong ones fail by name, right ones pass")
    add_units(parser)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3], help="seeds for hidden cases (default: 1 2 3)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from ..lessons.assess import Assessment, assess
    from ..lessons.parse import LessonError, parse_lesson, unit_stem
    from ..lessons.workbench import open_workbench

    rows: list[Assessment] = []
    problems: list[str] = []
    for unit in chosen_units(options.course, options.units):
        try:
            lesson = parse_lesson(options.course / "solutions" / unit / f"{unit_stem(unit)}.py")
            for piece in open_workbench(lesson):
                for seed in (None, *options.seeds):
                    try:
                        rows.append(assess(piece, seed=seed))
                    except LessonError as error:
                        problems.append(str(error))
        except LessonError as error:
            problems.append(str(error))
    print(_table(rows))
    problems += [problem for row in rows for problem in row.problems]
    for problem in problems:
        print(problem)
    exercises = {(row.unit, row.exercise) for row in rows}
    print(
        f"\n{len(exercises)} exercises on visible cases and {len(options.seeds)} seeds of hidden ones: "
        + (f"{len(problems)} problems" if problems else "every starter 0, every solution full, every known mistake named")
    )
    return 1 if problems else 0


def _table(rows: list[Any]) -> str:
    head = ("unit", "exercise", "cases", "calls", "wrong", "right", "truths", "")
    merged: dict[tuple[str, str], list[Any]] = {}
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
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in [head, *body])
