"""What a worker process does: grade one submission with the warm process that it keeps."""

from __future__ import annotations

import atexit
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from .assignment import Assignment
from .grade_one import Graded, grade_submission
from .runner import WarmProcess

MAX_FILE_BYTES = 32 * 1024 * 1024
_lock = threading.Lock()
_warm: dict[bool, WarmProcess] = {}


@dataclass(frozen=True)
class Task:
    """One submission to grade. Its files travel as bytes, so that a worker needs no common disk."""

    student: str
    unit: str
    files: dict[str, bytes]
    confined: bool


@dataclass(frozen=True)
class Done:
    """What came of a task: a grade and the warm process' peak memory, or the reason why there is no grade."""

    student: str
    unit: str
    graded: Graded | None
    failure: str = ""
    peak_memory: int = 0


def task_for(student: str, unit: str, folder: Path, confined: bool) -> Task:
    """Read a submission's folder. Notebooks and the time stamp travel whole, other files by name only."""
    files: dict[str, bytes] = {}
    for path in sorted(folder.iterdir())[:200]:
        if path.is_symlink() or not path.is_file():
            files.setdefault(path.name, b"")
            continue
        wanted = path.suffix == ".ipynb" or path.name == "timestamp.txt"
        try:
            files[path.name] = path.read_bytes() if wanted and path.stat().st_size <= MAX_FILE_BYTES else b""
        except OSError:
            files[path.name] = b""
    return Task(student, unit, files, confined)


def work(assignment: Assignment, task: Task) -> Done:
    """Grade one task. Never raises on what a submission does; a fault of the machine is told as such."""
    with _lock, tempfile.TemporaryDirectory(prefix="handed-in-") as scratch:
        folder = Path(scratch)
        for name, data in task.files.items():
            (folder / name).write_bytes(data)
        try:
            warm = _warm_process(task.confined)
            graded = grade_submission(assignment, task.student, folder, warm)
            return Done(task.student, task.unit, graded, peak_memory=warm.peak_memory())
        except Exception as error:  # noqa: BLE001  one submission must not stop the class
            _forget(task.confined)
            return Done(task.student, task.unit, None, f"{type(error).__name__}: {error}")


def _warm_process(confined: bool) -> WarmProcess:
    if confined not in _warm:
        _warm[confined] = WarmProcess(confined=confined)
        atexit.register(_forget, confined)
    return _warm[confined]


def _forget(confined: bool) -> None:
    warm = _warm.pop(confined, None)
    if warm is not None:
        warm.close()
