"""`python -m autograder feedback UNIT`: the feedback pages as a zip for the platform that the submissions came from."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import UsageError, add_course, chosen_units


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("unit", metavar="UNIT", help="a unit's name, or its two digits")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: feedback-UNIT.zip")
    add_course(parser)


def run(options: argparse.Namespace) -> int:
    from ..grading.feedback_zip import write_feedback_zip

    (unit,) = chosen_units(options.course, [options.unit])
    target = options.output or Path(f"feedback-{unit}.zip")
    try:
        count, without = write_feedback_zip(options.course, unit, target)
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written ({error.strerror or error}). Name another place with --output."
        ) from error
    if not count:
        target.unlink(missing_ok=True)
        raise UsageError(
            f"there is no feedback for {unit} yet: run `python -m autograder grade --assignment {unit[:2]}` first."
        )
    print(f"{target}: {count} pages, under the names that the submissions had on the platform")
    if without:
        print(f"collected and not graded yet: {', '.join(without)}")
    return 0
