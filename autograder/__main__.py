"""The command line: `python -m autograder COMMAND`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from .commands.course import UsageError, find_course

COMMANDS = (
    "progress",
    "check",
    "preflight",
    "grade",
    "doctor",
    "build",
    "verify",
    "sample-class",
    "release",
    "real-data",
)


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="python -m autograder", description="Build, check and grade the course.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    # The command that was asked for is imported alone: `check` needs neither nbgrader nor the lessons.
    for name in words[:1] if words[:1] and words[0] in COMMANDS else COMMANDS:
        importlib.import_module(f"{__package__}.commands.{name.replace('-', '_')}").add(subparsers)
    options = parser.parse_args(words)
    try:
        if hasattr(options, "course"):
            options.course = find_course(options.course)
        return int(options.run(options))
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
