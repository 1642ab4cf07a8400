"""`python -m autograder build [--check] [UNIT...]`"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .course import add_units, chosen_units


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser("build", help="build notebooks and cases from the lessons")
    add_units(parser)
    parser.add_argument("--check", action="store_true", help="build nothing; say what is not up to date")
    parser.add_argument("--no-run", action="store_true", help="do not execute the solved notebooks")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from ..lessons.build import build_unit, check_unit
    from ..lessons.parse import LessonError

    course: Path = options.course
    status = 0
    for unit in chosen_units(course, options.units):
        try:
            if options.check:
                stale = check_unit(course, unit)
                print("\n".join(stale) if stale else f"{unit}: up to date")
                status = 1 if stale else status
            else:
                changed = build_unit(course, unit, run=not options.no_run)
                print(f"{unit}: " + (f"wrote {', '.join(changed)}" if changed else "up to date"), flush=True)
        except LessonError as error:
            print(error)
            status = 1
    return status
