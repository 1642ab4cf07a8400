"""`python -m autograder book [UNIT...]`: the lessons as a static site to read."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import add_output, add_units, chosen_units


def add(parser: argparse.ArgumentParser) -> None:
    add_units(parser)
    add_output(parser, "book")
    parser.add_argument("--without-solutions", action="store_true", help="show what learners are given")
    parser.add_argument(
        "--execute", action="store_true", help="execute the Chinese notebooks, so that their pictures are Chinese too"
    )


def run(options: argparse.Namespace) -> int:
    from ..authoring.book import write_book

    target = options.output or Path("book")
    units = chosen_units(options.course, options.units)
    warnings = write_book(
        options.course, units, target, solutions=not options.without_solutions, execute_translated=options.execute
    )
    print("\n".join([*warnings, f"{target}: {len(units)} units; open {target / 'index.html'}"]))
    return 0
