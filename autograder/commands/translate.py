"""`python -m autograder translate [UNIT...] [--language zh]`: bring PO files up to date, and say what they lack."""

from __future__ import annotations

import argparse

from .arguments import add_units, chosen_units

_MOST_NAMED = 5


def add(parser: argparse.ArgumentParser) -> None:
    add_units(parser)
    parser.add_argument(
        "--language", default="zh", help="the language's code; a new one begins its files (default: zh)"
    )


def run(options: argparse.Namespace) -> int:
    from ..authoring.build import Paths
    from ..authoring.catalogs import (
        bring_up_to_date,
        package_messages,
        package_po,
        short,
        state_of,
        unit_po,
        unit_texts,
    )
    from ..authoring.parse import LessonError, parse_lesson

    status = 0
    units = chosen_units(options.course, options.units)
    for unit in units if options.units else ("", *units):
        name, lesson = unit or "the package's messages", Paths(options.course, unit).lesson if unit else None
        try:
            path = unit_po(lesson, options.language) if lesson else package_po(options.language)
            texts = unit_texts(parse_lesson(lesson)) if lesson else package_messages()
            state = state_of(path, texts)
            bring_up_to_date(path, texts, options.language)
        except (LessonError, ValueError, OSError) as error:
            print(f"{name}: {error}")
            status = 1
            continue
        print(f"{name}: {len(texts)} texts in {path}")
        for what, found in (
            ("new", state.new),
            ("changed", state.changed),
            ("no longer used", state.unused),
            ("to mend", state.broken),
        ):
            if found:
                more = [f"    and {len(found) - _MOST_NAMED} more"] if len(found) > _MOST_NAMED else []
                named = [f"    {short(text)}" for text in found[:_MOST_NAMED]]
                print("\n".join([f"  {what}: {len(found)}", *named, *more]))
        status = max(status, 0 if state.is_current else 1)
    return status
