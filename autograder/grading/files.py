"""nbgrader's folders: what was handed in, and where graded notebooks, records and feedback go."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checks.cases import CASES_FILE
from .assignment import Assignment
from .grade_one import RECORD_FORMAT, Graded

RECORD_FILE = "record.json"
SEEDS_FILE = "seeds.json"


@dataclass(frozen=True)
class Handed:
    """One submission as it lies in `submitted/STUDENT/UNIT`."""

    student: str
    unit: str
    folder: Path

    def timestamp(self) -> str | None:
        try:
            return (self.folder / "timestamp.txt").read_text(encoding="utf-8")[:200]
        except (OSError, UnicodeDecodeError):
            return None


def handed_in(course: Path, units: Sequence[str], students: Sequence[str]) -> list[Handed]:
    """Submissions of the wanted units and students (all where none is named), in order. Links are no submissions."""
    root = course / "submitted"
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if folder.name.startswith(".") or not folder.is_dir() or folder.is_symlink():
            continue
        if students and folder.name not in students:
            continue
        for unit in units:
            inner = folder / unit
            if inner.is_dir() and not inner.is_symlink():
                found.append(Handed(folder.name, unit, inner))
    return found


def graded_folder(course: Path, student: str, unit: str) -> Path:
    return course / "autograded" / student / unit


def read_record(course: Path, student: str, unit: str) -> dict[str, Any] | None:
    """What was written down when the submission was graded; None where there is nothing that can be read."""
    try:
        record = json.loads((graded_folder(course, student, unit) / RECORD_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("format") == RECORD_FORMAT else None


def write_graded(course: Path, assignment: Assignment, graded: Graded, timestamp: str | None, feedback: str) -> None:
    """Put a graded notebook, its record and its feedback page in place, each folder at once. Raises OSError."""
    files = {
        f"{assignment.notebook_name}.ipynb": graded.notebook.encode(),
        CASES_FILE: assignment.cases_file,
        RECORD_FILE: json.dumps(graded.record, ensure_ascii=False, indent=1).encode(),
    }
    if timestamp:
        files["timestamp.txt"] = timestamp.encode()
    page = {f"{assignment.notebook_name}.html": feedback.encode()}
    _replace_folder(course / "feedback" / graded.student / graded.unit, page)
    _replace_folder(graded_folder(course, graded.student, graded.unit), files)


def _replace_folder(folder: Path, files: dict[str, bytes]) -> None:
    """The folder holds these files or what it held before, never a half of them."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
    try:
        for name, data in files.items():
            (fresh / name).write_bytes(data)
        fresh.chmod(0o755)
        old = folder.with_name(f".old-{folder.name}")
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Replace a file at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def recorded_seeds(course: Path) -> dict[str, int]:
    """The seed that each unit's hidden cases were last drawn from."""
    try:
        seeds = json.loads((course / "autograded" / SEEDS_FILE).read_text(encoding="utf-8"))
        return {str(unit): int(seed) for unit, seed in seeds.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def record_seed(course: Path, unit: str, seed: int) -> None:
    seeds = recorded_seeds(course) | {unit: seed}
    write_text(course / "autograded" / SEEDS_FILE, json.dumps(seeds, indent=1, sort_keys=True) + "\n")
