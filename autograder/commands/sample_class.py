"""`python -m autograder sample-class DIR`: a made-up class to try the grader on."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from .arguments import UsageError, add_course, chosen_units


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", type=Path, metavar="DIR", help="an empty folder, or an earlier sample class")
    parser.add_argument("--students", type=int, default=8, help="how many (default: 8)")
    parser.add_argument("--assignment", nargs="+", default=[], metavar="UNIT", help="units (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="which known mistakes are drawn")
    add_course(parser)


def run(options: argparse.Namespace) -> int:
    from ..grading.sample_class import make_class

    units = chosen_units(options.course, options.assignment)
    try:
        made = make_class(options.course, options.target, units, students=options.students, seed=options.seed)
    except OSError as error:
        raise UsageError(str(error)) from error
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(one.kind for one in made).items())
    print(f"{options.target}: {len(made)} submissions in {len(units)} units ({kinds})")
    return 0
