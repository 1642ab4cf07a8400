"""Feedback pages to give back through a platform: a zip in which each page bears the name that the submission had there."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ..formats.zip_file import add_file
from .collect.listing import read_listing


def write_feedback_zip(course: Path, unit: str, target: Path) -> tuple[int, list[str]]:
    """Write the unit's feedback pages; how many, and who has none. Raises OSError.

    Canvas and Moodle find the learner by the name of the file or folder that they gave to the submission. Where that is not
    known, a page bears the learner's name.
    """
    names = {row.student: row.file for row in read_listing(course, unit) if row.in_place}
    without = sorted(names.keys() - {student for student, _ in _pages(course, unit)})
    count = 0
    with zipfile.ZipFile(target, "w") as archive:
        for student, page in _pages(course, unit):
            add_file(archive, _name(names.get(student, ""), student, page), page.read_bytes())
            count += 1
    return count, without


def _pages(course: Path, unit: str) -> Iterator[tuple[str, Path]]:
    for folder in sorted((course / "feedback").glob(f"[!.]*/{unit}")):
        for page in sorted(folder.glob("*.html"))[:1]:
            yield folder.parent.name, page


def _name(given: str, student: str, page: Path) -> str:
    """The submission's path in the download, as a page; never one that leads out of the folder it is unpacked in."""
    parts = [part for part in PurePosixPath(given.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    if not parts:
        return f"{student}/{page.name}"
    return str(PurePosixPath(*parts).with_suffix(".html"))
