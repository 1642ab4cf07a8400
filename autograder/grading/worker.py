"""What a worker process does: grade one submission with the warm process that it keeps."""

from __future__ import annotations

import atexit
import functools
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
from ..observing.processes import WarmProcess
from ..observing.temporary import remove_temporary_folder, temporary_folder
from .assignment import Assignment
from .grade_one import Graded, grade_submission
from .record import Failure
from .submission import submission_digest

_TRIES = 2


@dataclass(frozen=True)
class Conditions:
    """How submissions are run: in the sandbox or with the grader's own rights, for how long, with experiments or not."""

    confined: bool
    times: TimeLimits = field(default_factory=TimeLimits)
    run_demos: bool = False


@dataclass(frozen=True)
class Task:
    """One submission to grade. Its files travel as bytes, so that a worker needs no common disk."""

    student: str
    unit: str
    files: dict[str, bytes]
    conditions: Conditions


_lock = threading.Lock()
_warm: dict[Conditions, WarmProcess] = {}


def work(packed: bytes, task: Task) -> Graded | Failure:
    """Grade one task. Never raises on what a submission does; a fault of the machine is told as such.

    packed: the assignment, pickled once for the class
    """
    assignment, conditions = _unpacked(packed), task.conditions
    digest = submission_digest(task.files, assignment.wanted_files)
    place = tempfile.TemporaryDirectory(prefix="handed-in-", dir=temporary_folder(), ignore_cleanup_errors=True)
    with _lock, place as folder_name:
        folder = Path(folder_name)
        for tried in range(1, _TRIES + 1):
            try:
                for name, data in task.files.items():
                    (folder / name).write_bytes(data)
                warm = _warm_process(conditions)
                graded = grade_submission(
                    assignment, task.student, folder, digest, warm, run_demos=conditions.run_demos
                )
                if NOT_JUDGED in graded.unsettled:  # it may be the warm process that is broken
                    _forget(conditions)
                return graded
            except Exception as error:  # one submission must not stop the class
                _forget(conditions)
                if tried == _TRIES or not isinstance(error, NotStarted):
                    return Failure(task.student, task.unit, f"{type(error).__name__}: {error}")
    raise AssertionError("the last try returns")


@functools.lru_cache(maxsize=32)
def _unpacked(packed: bytes) -> Assignment:
    """Unpickled once by each worker."""
    assignment: Assignment = pickle.loads(packed)
    return assignment


def start_worker() -> None:
    """Set up a worker process: it outlives neither its parent nor an order to end, and leaves no files behind."""
    tempfile.tempdir = str(temporary_folder())

    def end(*told: Any) -> None:
        for conditions in list(_warm):
            _forget(conditions)
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


def _warm_process(conditions: Conditions) -> WarmProcess:
    if conditions not in _warm:
        _warm[conditions] = WarmProcess(confined=conditions.confined, times=conditions.times)
        atexit.register(_forget, conditions)
    return _warm[conditions]


def _forget(conditions: Conditions) -> None:
    if warm := _warm.pop(conditions, None):
        warm.close()
