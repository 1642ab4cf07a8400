"""The command line: `python -m autograder COMMAND`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .commands import build, check, doctor, grade, sample_class, verify
from .commands.course import UsageError, find_course


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m autograder", description="Build, check and grade the course.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (check, grade, doctor, build, verify, sample_class):
        command.add(subparsers)
    options = parser.parse_args(arguments)
    try:
        if hasattr(options, "course"):
            options.course = find_course(options.course)
        return int(options.run(options))
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
