"""What a worker process does: grade one submission with the warm process that it keeps."""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..judging.verdict import NOT_JUDGED
from ..observing.outside import NotStarted, TimeLimits
from ..observing.processes import RunnerError, WarmProcess
from ..observing.temporary import remove_temporary_folder, temporary_folder
from .assignment import Assignment
from .feedback import feedback_page
from .grade_one import Graded, grade_submission
from .submission import submission_files

_TRIES = 2
_lock = threading.Lock()
_warm: dict[tuple[bool, TimeLimits], WarmProcess] = {}
_opened: dict[str, Assignment] = {}
"""Assignments that this process has unpacked, by digest."""


@dataclass(frozen=True)
class Task:
    """One submission to grade. Its files travel as bytes, so that a worker needs no common disk."""

    student: str
    unit: str
    files: dict[str, bytes]
    confined: bool
    times: TimeLimits = field(default_factory=TimeLimits)
    run_demos: bool = False


@dataclass(frozen=True)
class Packed:
    """An assignment on its way to a worker: pickled once for the class, unpickled once by each worker."""

    digest: str
    data: bytes

    @classmethod
    def of(cls, assignment: Assignment) -> Packed:
        return cls(assignment.digest, pickle.dumps(assignment))

    def open(self) -> Assignment:
        if self.digest not in _opened:
            _opened[self.digest] = pickle.loads(self.data)
        return _opened[self.digest]


@dataclass(frozen=True)
class Done:
    """What came of a task: a grade and the warm process' peak memory, or the reason why there is no grade."""

    student: str
    unit: str
    graded: Graded | None
    failure: str = ""
    peak_memory: int = 0
    page: str = ""
    """The learner's feedback page."""


def task_for(
    student: str,
    unit: str,
    folder: Path,
    confined: bool,
    times: TimeLimits | None = None,
    run_demos: bool = False,
    wanted: tuple[str, ...] = (),
) -> Task:
    """Read a submission's folder: notebooks, time stamp and `wanted` files whole, others by name. Raises OSError."""
    return Task(student, unit, submission_files(folder, wanted), confined, times or TimeLimits(), run_demos)


def work(packed: Packed, task: Task) -> Done:
    """Grade one task. Never raises on what a submission does; a fault of the machine is told as such."""
    assignment = packed.open()
    with _lock, _folder() as folder_name:
        folder = Path(folder_name)
        for tried in range(1, _TRIES + 1):
            try:
                for name, data in task.files.items():
                    (folder / name).write_bytes(data)
                warm = _warm_process(task)
                graded = grade_submission(assignment, task.student, folder, warm, run_demos=task.run_demos)
                if NOT_JUDGED in graded.unsettled:  # it may be the warm process that is broken
                    _forget((task.confined, task.times))
                page = feedback_page(assignment, graded)
                return Done(task.student, task.unit, graded, peak_memory=warm.peak_memory(), page=page)
            except Exception as error:  # one submission must not stop the class
                _forget((task.confined, task.times))
                if tried == _TRIES or not isinstance(error, (RunnerError, NotStarted)):
                    return Done(task.student, task.unit, None, f"{type(error).__name__}: {error}")
    raise AssertionError("the last try returns")


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="handed-in-", dir=temporary_folder(), ignore_cleanup_errors=True)


def start_worker() -> None:
    """Set up a worker process: it outlives neither its parent nor an order to end, and leaves no files behind."""
    tempfile.tempdir = str(temporary_folder())

    def end(*told: Any) -> None:
        for key in list(_warm):
            _forget(key)
        remove_temporary_folder()
        if told:
            os._exit(1)

    atexit.register(end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that writes the grades
    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=_end_with_parent, args=(end,), daemon=True).start()


def _end_with_parent(end: Any) -> None:
    """A pool's worker that waits for tasks holds both ends of their pipe, and never learns that nobody is there."""
    from multiprocessing import connection, parent_process

    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        end("the parent has ended")


def _warm_process(task: Task) -> WarmProcess:
    key = (task.confined, task.times)
    if key not in _warm:
        _warm[key] = WarmProcess(confined=task.confined, times=task.times)
        atexit.register(_forget, key)
    return _warm[key]


def _forget(key: tuple[bool, TimeLimits]) -> None:
    warm = _warm.pop(key, None)
    if warm is not None:
        warm.close()
