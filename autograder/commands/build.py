"""`python -m autograder build [--check [--instructions avx2|none]] [--exercise NAME] [UNIT...]`"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

from ..authoring.processor import Instructions, with_instructions
from .arguments import UsageError, add_every, add_units, chosen_units
from .processes import add_workers, side_by_side


def add(parser: argparse.ArgumentParser) -> None:
    add_units(parser)
    parser.add_argument("--check", action="store_true", help="build nothing; say what is not up to date")
    parser.add_argument(
        "--instructions",
        choices=get_args(Instructions),
        help="with --check: compare as on a processor with AVX2 only, or with none of the newer instructions",
    )
    add_every(parser)
    parser.add_argument("--no-run", action="store_true", help="do not execute the solved notebooks")
    parser.add_argument(
        "--exercise",
        default="",
        metavar="NAME",
        help="draw the cases of this exercise alone; others, and the notebooks, stay as they are",
    )
    add_workers(parser)


def run(options: argparse.Namespace) -> int:
    course: Path = options.course
    units = chosen_units(course, options.units)
    if options.exercise and (len(units) != 1 or options.check):
        raise UsageError(
            "--exercise builds one exercise of one unit: `python -m autograder build UNIT --exercise NAME`."
        )
    if options.every > 1 and not options.check:
        raise UsageError("--every goes with --check: a build draws everything.")
    if options.instructions:
        return _check_elsewhere(options, units)
    if options.check:
        found = side_by_side(_check, [(course, unit, options.every) for unit in units], options.workers)
        found += _pages(course, write=False)
    else:
        _build_messages(course)
        # one by one: a unit's library module is used by the next unit's lesson
        found = side_by_side(
            _build, [(course, unit, not options.no_run, options.exercise) for unit in units], workers=1
        )
        found += [] if options.exercise else _pages(course, write=True)
    print("\n".join(told for _, told in found))
    return max((status for status, _ in found), default=0)


def _check_elsewhere(options: argparse.Namespace, units: tuple[str, ...]) -> int:
    """`build --check` in a process of its own: libraries look at the processor while they are imported."""
    if not options.check:
        raise UsageError("--instructions goes with --check: a build always uses everything that the processor has.")
    words = ["build", "--check", "--course", str(options.course), "--workers", str(options.workers)]
    words += ["--every", str(options.every), *units]
    environment = os.environ | with_instructions(options.instructions)
    return subprocess.run([sys.executable, "-m", "autograder", *words], env=environment, check=False).returncode


def _check(course: Path, unit: str, every: int) -> tuple[int, str]:
    from ..authoring.build import check_unit
    from ..authoring.parse import LessonError

    try:
        stale = check_unit(course, unit, every)
    except LessonError as error:
        return 1, str(error)
    return (1, "\n".join(stale)) if stale else (0, f"{unit}: up to date")


def _build(course: Path, unit: str, run: bool, exercise: str) -> tuple[int, str]:
    from ..authoring.build import Paths, build_unit
    from ..authoring.parse import LessonError, parse_lesson
    from ..authoring.rules import broken_rules

    try:
        changed = build_unit(course, unit, run=run, exercise=exercise)
        # words are nothing that one exercise's checks are built from
        lacking = () if exercise else broken_rules(parse_lesson(Paths(course, unit).lesson))
    except LessonError as error:
        return 1, str(error)
    told = f"{unit}: " + (f"wrote {', '.join(changed)}" if changed else "up to date")
    return 0, "\n".join([told, *(f"before it is shared: {found}" for found in lacking)])


def _build_messages(course: Path) -> None:
    """The catalogs of the package's own messages, which all notebooks take some of their words from."""
    from ..authoring.catalogs import package_po, write_catalog
    from ..authoring.start_page import page_languages
    from ..formats.language import ENGLISH, PACKAGE

    for language in page_languages(course):
        if language != ENGLISH:
            write_catalog(package_po(language), PACKAGE, language)


def _pages(course: Path, *, write: bool) -> list[tuple[int, str]]:
    """What depends on all lessons, whichever units were asked for: the maps of the course, and the package's catalogs."""
    from ..authoring.catalogs import package_messages, package_po, stale_catalog
    from ..authoring.start_page import page_languages
    from ..formats.language import ENGLISH, PACKAGE

    found = []
    for language in page_languages(course):
        if language != ENGLISH and not write:
            lacking = stale_catalog(package_po(language), package_messages(), PACKAGE, language)
            found += [(1, "\n".join(lacking))] if lacking else []
        found.append(_start_page(course, language, write=write))
    return found


def _start_page(course: Path, language: str, *, write: bool) -> tuple[int, str]:
    from ..authoring.parse import LessonError
    from ..authoring.start_page import start_page, start_page_path

    path = start_page_path(course, language)
    try:
        wanted = start_page(course, language=language)
    except LessonError as error:
        return 1, f"{path.name} was left as it is: {error}"
    if path.is_file() and path.read_text(encoding="utf-8") == wanted:
        return 0, f"{path.relative_to(course / 'notebooks').as_posix()}: up to date"
    if not write:
        return 1, f"{path} is not what the lessons give; run `python -m autograder build`"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(wanted, encoding="utf-8")
    return 0, f"{path.name}: wrote {path.relative_to(course).as_posix()}"
