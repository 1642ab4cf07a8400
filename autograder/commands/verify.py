"""`python -m autograder verify [UNIT...]`: the course tests itself."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..lab.tables import Table, table
from .arguments import add_every, add_units, chosen_units
from .processes import add_workers, side_by_side

if TYPE_CHECKING:
    from ..authoring.assess import Assessment


def add(parser: argparse.ArgumentParser) -> None:
    add_units(parser)
    parser.add_argument(
        "--seeds", type=int, nargs="*", default=[1, 2, 3], help="seeds for hidden cases (default: 1 2 3)"
    )
    add_every(parser)
    add_workers(parser)


def run(options: argparse.Namespace) -> int:
    from ..authoring.verify import verify_unit

    course: Path = options.course
    units = chosen_units(course, options.units)
    asked = [(course, unit, tuple(options.seeds), options.every) for unit in units]
    found = side_by_side(verify_unit, asked, options.workers)
    rows = [row for unit in found for row in unit.rows]
    problems = [problem for unit in found for problem in unit.problems]
    print(_table(rows))
    for problem in problems:
        print(problem)
    exercises = {(row.unit, row.exercise) for row in rows}
    print(
        f"\n{len(exercises)} exercises on visible cases and {len(options.seeds)} seeds of hidden ones: "
        + (
            f"{len(problems)} problems"
            if problems
            else f"every starter gets 0, every solution full points, {_named(options.every)}, nothing depends on rounding"
        )
    )
    print(_remembered(rows))
    return 1 if problems else 0


def _named(every: int) -> str:
    return "every known mistake is named" if every == 1 else f"the known mistakes of one exercise in {every} are named"


def _remembered(rows: list[Assessment]) -> str:
    """What of all this was not looked at now, and how to have it looked at."""
    count = sum(row.remembered for row in rows)
    if not count:
        return "All of it was examined now."
    return (
        f"{len(rows) - count} sets of cases were examined now; {count} were found in order before, by `build` or `verify`, for the same "
        "files, package and machine (delete .known_mistakes/ to have them examined again)."
    )


def _table(rows: list[Assessment]) -> Table:
    head = ("unit", "exercise", "cases", "calls", "wrong", "right", "truths", "slips", "unseen", "")
    merged: dict[tuple[str, str], list[Assessment]] = {}
    for row in rows:
        merged.setdefault((row.unit, row.exercise), []).append(row)
    body = []
    for (unit, exercise), group in merged.items():
        first, visible = group[0], [row for row in group if row.cases == "visible"]
        calls = sum(row.calls for row in group)
        # slips that the visible cases do not tell from the solution: equal to it, or a case is missing
        unseen = (
            None if all(row.remembered for row in visible) else len({name for row in visible for name in row.unseen})
        )
        state = "PROBLEM" if any(row.problems for row in group) else "ok"
        body.append(
            (unit, exercise, len(group), calls, first.wrong, first.right, first.truths, first.slips, unseen, state)
        )
    return table(body, head)
