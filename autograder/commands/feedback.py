"""`python -m autograder feedback UNIT`: the feedback pages as a zip for the platform that the submissions came from."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import UsageError, add_course, add_output, chosen_units, written_to


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("unit", metavar="UNIT", help="a unit's name, or its two digits")
    add_output(parser, "feedback-UNIT.zip")
    add_course(parser)


def run(options: argparse.Namespace) -> int:
    from ..grading.feedback_zip import write_feedback_zip

    (unit,) = chosen_units(options.course, [options.unit])
    target = options.output or Path(f"feedback-{unit}.zip")
    with written_to(target):
        count, without = write_feedback_zip(options.course, unit, target)
    if not count:
        target.unlink(missing_ok=True)
        raise UsageError(
            f"there is no feedback for {unit} yet: run `python -m autograder grade --assignment {unit[:2]}` first."
        )
    print(f"{target}: {count} pages, under the names that the submissions had on the platform")
    if without:
        print(f"collected and not graded yet: {', '.join(without)}")
    return 0
