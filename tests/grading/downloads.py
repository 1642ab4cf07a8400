"""Downloads as platforms pack them, made up; and what a collection makes of them."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from autograder.grading.collect.collecting import collect
from autograder.grading.collect.contents import Unit
from autograder.grading.collect.listing import Collected
from autograder.grading.roster import Roster

IDS = ("centre", "softmax", "attend", "why")
NOBODY = Roster()
UNIT = Unit("90_small", "small", frozenset(IDS), ("small.safetensors",))


def notebook(mark: str = "", ids: tuple[str, ...] = IDS) -> bytes:
    """A notebook that holds these cells of the unit; `mark` tells it from others."""
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "source": mark, "metadata": {"nbgrader": {"grade_id": name}}, "outputs": []}
        for name in ids
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def packed(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def collected(
    course: Path, files: Mapping[str, bytes] | bytes, roster: Roster = NOBODY, zone: str = "UTC", unit: Unit = UNIT
) -> list[Collected]:
    """Collect a zip of these files into `course/submitted`."""
    course.mkdir(exist_ok=True)
    download = course / "download.zip"
    download.write_bytes(files if isinstance(files, bytes) else packed(files))
    return collect(course, unit, [download], roster, ZoneInfo(zone))


def lies_there(course: Path) -> dict[str, str]:
    """The mark of the notebook of each learner, as `grade` would find it."""
    return {
        path.parts[-3]: mark_of(path.read_bytes()) for path in (course / "submitted").glob(f"*/{UNIT.name}/small.ipynb")
    }


def kept(course: Path, student: str) -> set[str]:
    """The marks of the notebooks that are kept beside."""
    return {mark_of(path.read_bytes()) for path in (course / "submitted" / student / "earlier").rglob("*.ipynb")}


def mark_of(data: bytes) -> str:
    return str(json.loads(data)["cells"][0]["source"])


def stamp(course: Path, student: str) -> str:
    path = course / "submitted" / student / UNIT.name / "timestamp.txt"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def notes(rows: list[Collected]) -> dict[str, str]:
    return {row.student: row.note for row in rows}


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
