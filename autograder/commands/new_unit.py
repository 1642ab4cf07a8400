"""`python -m autograder new-unit NUMBER NAME [--title TITLE]`: begin a unit with a lesson that works."""

from __future__ import annotations

import argparse

from .arguments import add_course


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", metavar="NUMBER", help="its two digits, such as 17")
    parser.add_argument("name", metavar="NAME", help="small letters, digits and underscores, such as my_topic")
    parser.add_argument("--title", default="", help="its heading, such as 'Layers: what a stack adds'")
    add_course(parser)


def run(options: argparse.Namespace) -> int:
    from ..authoring.template import write_unit

    lesson, checks = write_unit(options.course, options.number, options.name, options.title)
    print(
        f"wrote {lesson.relative_to(options.course)} and {checks.relative_to(options.course)}: one small exercise to write over"
    )
    print(
        f"next: python -m autograder build {lesson.parent.name[:2]}, then verify; docs/begin-a-unit.md says what comes where"
    )
    return 0
