"""`python -m autograder release [UNIT...]`: a zip for learners, without solutions."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import UsageError, add_output, add_units, chosen_units, written_to


def add(parser: argparse.ArgumentParser) -> None:
    add_units(parser)
    add_output(parser, "course.zip, or UNIT.zip for one unit")
    parser.add_argument(
        "--language",
        action="append",
        default=[],
        metavar="CODE",
        help="en, zh; may be repeated (default: all that there are)",
    )
    parser.add_argument("--notebooks-only", action="store_true", help="leave out the package, for learners who have it")


def run(options: argparse.Namespace) -> int:
    from ..authoring.handout import handout
    from ..authoring.start_page import page_languages

    units = chosen_units(options.course, options.units)
    known = page_languages(options.course)
    if unknown := [language for language in options.language if language not in known]:
        raise UsageError(f"the course is not there in {unknown[0]!r}; its languages are: {', '.join(known)}.")
    target = options.output or Path(f"{units[0] if len(units) == 1 else 'course'}.zip")
    with written_to(target):
        names = handout(
            options.course, units, target, notebooks_only=options.notebooks_only, languages=options.language
        )
    print(f"{target}: {len(units)} units, {len(names)} files, {target.stat().st_size / 2**20:.1f} MiB; no solutions")
    return 0
