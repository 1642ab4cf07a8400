"""`python -m autograder gradescope UNIT`: an autograder for Gradescope that grades there by the same code."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import add_course, add_output, chosen_units, written_to


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("unit", metavar="UNIT", help="a unit's name, or its two digits")
    add_output(parser, "gradescope-UNIT.zip")
    parser.add_argument("--seed", type=int, help="seed of the hidden cases (default: the class's, or a new one)")
    parser.add_argument("--container", type=Path, metavar="DIR", help=argparse.SUPPRESS)
    add_course(parser)


def run(options: argparse.Namespace) -> int:
    import secrets

    from ..grading.files import recorded_seeds
    from ..grading.gradescope import grade_container, write_zip

    course: Path = options.course
    (unit,) = chosen_units(course, [options.unit])
    if options.container:
        print(grade_container(options.container, course, unit))
        return 0
    seed = options.seed if options.seed is not None else recorded_seeds(course).get(unit, secrets.randbelow(2**31))
    target = options.output or Path(f"gradescope-{unit}.zip")
    with written_to(target):
        names = write_zip(course, unit, seed, target)
    print(
        f"{target}: {len(names)} files, {target.stat().st_size / 2**20:.1f} MiB, hidden cases of seed {seed}. It holds the unit's "
        "solutions: upload it as an autograder (image Ubuntu 24.04), and do not give it to learners."
    )
    return 0
