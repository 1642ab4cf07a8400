"""`python -m autograder collect UNIT FILE.zip|FOLDER...`: put a platform's download into `submitted/`."""

from __future__ import annotations

import argparse
from pathlib import Path
from zoneinfo import ZoneInfo

from .arguments import UsageError, add_course, chosen_units, told_by_system


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("unit", metavar="UNIT", help="the unit's name, or its two digits")
    parser.add_argument(
        "sources",
        nargs="+",
        type=Path,
        metavar="FILE.zip|FOLDER",
        help="a download of Canvas, Moodle, Gradescope, Blackboard or Google Classroom, or a folder that holds one for each learner",
    )
    parser.add_argument(
        "--roster",
        type=Path,
        metavar="FILE.csv",
        help="who is in the class (default: roster.csv, or nbgrader's students)",
    )
    parser.add_argument(
        "--timezone",
        metavar="ZONE",
        help="time zone of times that name none, such as Europe/Berlin (default: this machine's)",
    )
    add_course(parser)


def run(options: argparse.Namespace) -> int:
    from ..grading.class_list import class_roster
    from ..grading.collect.collecting import collect, open_unit, table
    from ..grading.collect.listing import listing_path
    from ..grading.files import only_writer

    course: Path = options.course
    (name,) = chosen_units(course, [options.unit])
    try:
        zone = ZoneInfo(options.timezone) if options.timezone else None
    except (ValueError, OSError, KeyError) as error:
        raise UsageError(f"there is no time zone {options.timezone!r}: write one such as Europe/Berlin.") from error
    try:
        unit = open_unit(course, name)
    except (OSError, ValueError) as error:
        raise UsageError(f"{name} cannot be collected: {error}. Run `python -m autograder build {name}`.") from error
    try:
        roster = class_roster(course, options.roster)
        with only_writer(course) as free:
            if not free:
                raise UsageError(
                    "this course is being graded or collected: wait until that has finished, then run this again."
                )
            rows = collect(course, unit, options.sources, roster, zone)
    except OSError as error:
        raise UsageError(
            f"nothing more can be collected: {told_by_system(error)}. Free some space or fix the permissions, then "
            "run the same command again: what is in place stays."
        ) from error
    if not roster.learners:
        print(
            "No roster: learners keep the platform's names, and nobody can be reported as missing. Give one with --roster."
        )
    print(table(rows))
    print(listing_path(course, name))
    return 0
