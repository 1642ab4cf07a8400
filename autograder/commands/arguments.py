"""Where the course stands, and which of its units a command means."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class UsageError(ValueError):
    """Unusable input on the command line: one line that says what is wrong and how to put it right. Exit status 2."""


def told_by_system(error: OSError) -> str:
    """What the system says of a file that cannot be read or written, with the file where it names one."""
    named = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{named}"


def add_course(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--course",
        type=Path,
        default=None,
        metavar="DIR",
        help="the course's folder (default: this one, or the nearest above it)",
    )


def add_output(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--output", type=Path, metavar="FILE", help=f"default: {default}")


@contextmanager
def written_to(target: Path) -> Iterator[None]:
    """Around what writes an `--output`. Raises UsageError where the place cannot be written."""
    try:
        yield
    except OSError as error:
        told = f"{target} cannot be written ({error.strerror or error}). Name another place with --output FILE."
        raise UsageError(told) from error


def add_units(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("units", nargs="*", metavar="UNIT", help="a unit's name, or its two digits (default: all)")
    add_course(parser)


def add_every(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--every",
        type=int,
        choices=range(1, 10),
        default=1,
        metavar="N",
        help="run the known mistakes of every Nth exercise alone; which ones, changes with each change of the code",
    )


def find_course(given: Path | None) -> Path:
    """The folder that holds `solutions/`, or a learner's, with `notebooks/` alone. Raises UsageError where there is none."""
    if given is not None:
        if not ((given / "solutions").is_dir() or (given / "notebooks").is_dir()):
            raise UsageError(
                f"{given} is not a course: it has neither solutions/ nor notebooks/. Name the course with --course DIR."
            )
        return given.resolve()
    here = Path.cwd()
    places = [here, *here.parents, Path(__file__).resolve().parents[2]]
    for place in places:
        configured = any((place / name).is_file() for name in ("nbgrader_config.py", "jupyter_lab_config.py"))
        if configured and any((place / name).is_dir() for name in ("solutions", "notebooks")):
            return place
    raise UsageError(f"no course in {here} or above it: run this in the course's folder, or name it with --course DIR.")


def chosen_units(course: Path, wanted: Sequence[str]) -> tuple[str, ...]:
    """Full unit names for names or two-digit numbers; all units where none is named. Raises UsageError."""
    from ..authoring.parse import units

    known = units(course / "solutions")
    if not known:
        raise UsageError(
            f"{course} holds no lessons (solutions/UNIT/NAME.py): this command needs the course's own folder."
        )
    if not wanted:
        return known
    return tuple(one_unit(known, name) for name in wanted)


def one_unit(known: Sequence[str], name: str) -> str:
    matches = [unit for unit in known if name in (unit, unit[:2], unit[3:])]
    if not matches:
        raise UsageError(f"there is no unit {name!r}; the units are: {', '.join(known) or 'none yet'}")
    return matches[0]
