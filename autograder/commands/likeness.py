"""`python -m autograder likeness UNIT`: which submissions are alike beyond what the exercises force."""

from __future__ import annotations

import argparse

from .arguments import UsageError, add_course, chosen_units, told_by_system


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("unit", metavar="UNIT", help="a unit's name, or its two digits")
    add_course(parser)


def run(options: argparse.Namespace) -> int:
    from ..authoring.parse import LessonError
    from ..formats.notebook_file import Unreadable
    from ..grading.files import write_text
    from ..grading.likeness import compare_class, likeness_page

    (unit,) = chosen_units(options.course, [options.unit])
    target = options.course / "reports" / f"likeness-{unit}.html"
    try:
        compared = compare_class(options.course, unit)
        if not compared.students:
            raise UsageError(f"nothing that can be read was handed in for {unit}.")
        write_text(target, likeness_page(unit, compared))
    except (LessonError, Unreadable) as error:
        raise UsageError(f"{unit} cannot be compared: {error}") from error
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {told_by_system(error)}.") from error
    for pair in compared.pairs[:10]:
        shares = " and ".join(f"{100 * share:.0f} %" for share in pair.shares)
        print(f"{' and '.join(pair.students)}: {pair.letters} letters alike, {shares} of what is their own")
    print(
        f"{len(compared.pairs)} pairs among {compared.students} submissions, to look at and not to be judged by: {target}"
    )
    return 0
