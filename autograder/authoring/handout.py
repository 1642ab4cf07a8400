"""What an instructor hands out: a zip that a learner unpacks and works in, with no solution in it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..formats.language import ENGLISH
from ..formats.zip_file import add_file
from .build import Paths
from .derived_cells import without_solution_links
from .parse import LessonError
from .parse import units as all_units
from .start_page import page_languages, start_page, start_page_path

COURSE_FILES = (
    "README.md",
    "README.zh.md",
    "docs/named-mistake.png",
    "docs/learning.md",
    "docs/learning.zh.md",
    "docs/glossary.md",
    "docs/other-front-ends.md",
    "docs/speed.md",
    "requirements.txt",
    "pyproject.toml",
    "Makefile",
    "jupyter_lab_config.py",
    "jupyterlab_settings/overrides.json",
)
"""What a learner's folder needs besides notebooks and the package, where the course has it."""
_NEVER = frozenset({"__pycache__", ".ipynb_checkpoints"})


def handout(
    course: Path, units: Sequence[str], target: Path, *, notebooks_only: bool = False, languages: Sequence[str] = ()
) -> list[str]:
    """Write the zip and return the names in it. Two handouts of one course are the same, byte by byte.

    notebooks_only: the units' folders alone, for learners who have the course's package already
    languages:      the notebooks' languages; all that the course has unless told
    Raises LessonError where a unit was not built, OSError where the zip cannot be written.
    """
    names: list[str] = []
    fresh = target.with_name(f".{target.name}.writing")
    try:
        with zipfile.ZipFile(fresh, "w") as packed:
            chosen = tuple(languages) or page_languages(course)
            for name, path in sorted(_files(course, units, notebooks_only, chosen)):
                add_file(packed, name, _content(course, units, path, chosen))
                names.append(name)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    return names


def _content(course: Path, units: Sequence[str], path: Path, languages: Sequence[str]) -> bytes:
    """The file as it is; a notebook without links to what is not in the zip: solutions, units that were not chosen."""
    if path.suffix != ".ipynb":
        return path.read_bytes()
    for language in languages:
        if path == start_page_path(course, language) and (
            set(units) != set(all_units(course / "solutions")) or tuple(languages) != page_languages(course)
        ):
            return start_page(course, sorted(units), language, languages).encode()
    return without_solution_links(path.read_text(encoding="utf-8")).encode()


def _files(
    course: Path, units: Sequence[str], notebooks_only: bool, languages: Sequence[str]
) -> Iterator[tuple[str, Path]]:
    for unit in units:
        paths = Paths(course, unit)
        notebooks = [paths.learner if language == ENGLISH else paths.translated(language) for language in languages]
        for path in (*notebooks, paths.learner_cases):
            if not path.is_file():
                raise LessonError(f"{path} is not there; run `python -m autograder build {unit}`")
            yield path.relative_to(course).as_posix(), path
    if notebooks_only:
        return
    for path in (start_page_path(course, language) for language in languages):
        if path.is_file():
            yield path.relative_to(course).as_posix(), path
    for name in COURSE_FILES:
        if (course / name).is_file():
            yield name, course / name
    package = Path(__file__).resolve().parents[1]
    for path in sorted(package.rglob("*")):
        if path.is_file() and not _NEVER & set(path.parts) and path.suffix not in (".pyc", ".po"):
            yield f"{package.name}/{path.relative_to(package).as_posix()}", path
