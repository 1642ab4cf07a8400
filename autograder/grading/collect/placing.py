"""Put a submission in its place. What lay there before is kept beside, where `grade` does not look."""

from __future__ import annotations

import itertools
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

from ..submission import TIMESTAMP, files_digest, read_regular
from .archives import MAX_FILE, Unusable

EARLIER = "earlier"
"""The folder in a learner's for what no longer counts: `submitted/STUDENT/earlier/UNIT/`."""
Placed = Literal["new", "same", "replaced", "older"]


def current_files(root: Path, student: str, unit: str) -> dict[str, bytes]:
    """What lies there now. Raises Unusable where a link stands in the way."""
    for folder in (root / student, root / student / unit, root / student / EARLIER, root / student / EARLIER / unit):
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise Unusable(f"cannot be put in place: {folder.relative_to(root.parent)} is no folder.")
    folder = root / student / unit
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.name: read_regular(path, MAX_FILE) or b"" for path in paths if not path.name.startswith(".")}


def place(root: Path, student: str, unit: str, files: Mapping[str, bytes], *, older: bool | None) -> Placed:
    """Put files into `submitted/STUDENT/UNIT`, all or none. Raises Unusable, OSError.

    older: whether they are known to be older than what lies there; where that is not known (None), files that were
    replaced before are
    """
    now = current_files(root, student, unit)
    if now and {name: data for name, data in now.items() if name != TIMESTAMP or TIMESTAMP in files} == files:
        return "same"
    if now and (older or (older is None and _kept_at(root, student, unit, files).exists())):
        keep(root, student, unit, files)
        return "older"
    target = root / student / unit
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".collecting-", dir=root) as holder:
        fresh = _written(Path(holder) / "fresh", files)
        if target.exists():
            aside = _kept_at(root, student, unit, now)
            aside.parent.mkdir(parents=True, exist_ok=True)
            more = (aside.with_name(f"{aside.name}-{number}") for number in itertools.count(2))
            target.rename(aside if not aside.exists() else next(path for path in more if not path.exists()))
        fresh.rename(target)
    return "replaced" if now else "new"


def keep(root: Path, student: str, unit: str, files: Mapping[str, bytes]) -> None:
    """Keep files beside, once. Raises OSError."""
    target = _kept_at(root, student, unit, files)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".collecting-", dir=root) as holder:
            _written(Path(holder) / "fresh", files).rename(target)


def count_kept(root: Path, student: str, unit: str) -> int:
    folder = root / student / EARLIER / unit
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


def kept_name(name: str) -> str:
    """A learner's name of a file, as it may be written anywhere."""
    path = PurePosixPath(re.sub(r"[^\w .()+-]", "_", name))
    return f"{path.stem.strip(' .')[:60] or 'file'}{path.suffix.rstrip(' .')[:12]}"


def _kept_at(root: Path, student: str, unit: str, files: Mapping[str, bytes]) -> Path:
    digest = files_digest({name: data for name, data in files.items() if name != TIMESTAMP})
    return root / student / EARLIER / unit / digest[:12]


def _written(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir(mode=0o755)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def remove_left_over(root: Path) -> None:
    """Of a run that was killed."""
    for folder in root.glob(".collecting-*"):
        shutil.rmtree(folder, ignore_errors=True)
