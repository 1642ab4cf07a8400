"""`python -m autograder preflight UNIT [FILE]`: look at a notebook before it is handed in, and repair it."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import UsageError


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("unit", metavar="UNIT", help="the unit's name or its two digits")
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the notebook (default: the unit's own)")
    parser.add_argument("--no-repair", action="store_true", help="change nothing")


def run(options: argparse.Namespace) -> int:
    from ..formats.cases import MissingCases
    from ..formats.course import NoCourse, unit_folder
    from ..notebook.preflight import look, own_notebook, show

    try:
        folder = unit_folder(options.unit)
        path = options.file or own_notebook(folder)
        found = look(path, folder, repair=not options.no_repair)
    except (NoCourse, MissingCases) as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"{path} could not be repaired: {error.strerror}") from error
    show(found, folder.name[:2], in_notebook=False)
    return 0 if found.ready else 1
