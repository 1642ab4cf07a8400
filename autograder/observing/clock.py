"""The clock of a learner's code: it counts the seconds that this code computes, and nothing else.

Three things are not a learner's time: what other processes do meanwhile (so seconds of the processor are counted, and
seconds of the wall only as a bound for code that waits), the import of a library, for which nobody can tell how long
it takes (it is neither counted nor interrupted: a half-imported package stays broken until Python ends), and a
slow machine (`slowness`).
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import threading
import time
import timeit
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Literal

PATIENCE = 5.0
"""Seconds that may pass on the wall for each second of the processor, for code that waits."""
_TICK = 0.1
_AGAIN = 0.5
"""Seconds after which code that has swallowed an interruption is interrupted again."""
_USUAL = 0.004
"""Seconds of the processor that `_work` takes at most on what counts as an ordinary machine."""
_IMPORTING = ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")


class OutOfTime(BaseException):
    """Raised inside the learner's code when its seconds are used up; no `except Exception` catches it.

    how: "computed" where the processor was busy with it, "waited" where only time went by
    """

    def __init__(self, how: Literal["computed", "waited"] = "computed") -> None:
        super().__init__(how)
        self.how = how


@contextlib.contextmanager
def limited(seconds: float, patience: float = PATIENCE) -> Iterator[Clock]:
    """Raise OutOfTime in the block once it has computed for `seconds`, or waited for `patience` times as long.

    Raised again and again until the block ends. Imports of libraries are neither counted nor interrupted, by Ctrl-C
    neither: that is raised when the import is done. Enforced in the main thread of POSIX systems only.
    """
    clock = Clock(seconds, patience)
    if seconds <= 0:
        raise OutOfTime
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield clock
        return
    before = {number: signal.signal(number, clock.look) for number in (signal.SIGALRM, signal.SIGINT)}
    signal.setitimer(signal.ITIMER_REAL, _TICK, _TICK)
    try:
        yield clock
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        clock.count(importing=False)
        for number, handler in before.items():
            signal.signal(number, handler)
    if clock.interrupted:  # while a library was imported, with which the block ended
        raise KeyboardInterrupt


class Clock:
    """Looks at what runs, ten times a second."""

    def __init__(self, seconds: float, patience: float) -> None:
        self.computed = 0.0
        """Seconds of the processor so far, in those of an ordinary machine."""
        self.interrupted = False
        self._seconds = seconds
        self._patience = patience
        self._waited = 0.0
        self._learners = _working_folder()
        self._last = (time.thread_time(), time.monotonic())
        self._next = 0.0

    def look(self, number: int, frame: FrameType | None) -> None:
        importing = _is_importing(frame, self._learners)
        self.count(importing=importing)
        now = self._last[1]
        self.interrupted = self.interrupted or number == signal.SIGINT
        if importing or now < self._next:
            return
        if self.interrupted:
            self.interrupted = False
            raise KeyboardInterrupt
        if self.computed > self._seconds or self._waited > self._patience * self._seconds:
            self._next = now + _AGAIN
            raise OutOfTime("computed" if self.computed > self._seconds else "waited")

    def count(self, *, importing: bool) -> None:
        """Add what has gone by since the last look, unless it went into an import."""
        computed, now = time.thread_time(), time.monotonic()
        if not importing:
            self.computed += (computed - self._last[0]) / slowness()
            self._waited += (now - self._last[1]) / slowness()
        self._last = (computed, now)


def _is_importing(frame: FrameType | None, learners: str) -> bool:
    """Whether what runs in `frame` was begun by the import of a library, and not by the learner's own code.

    learners: the folder in which modules of the learner's own lie
    """
    while frame is not None:
        name = frame.f_code.co_filename
        if name in _IMPORTING:
            return True
        if _is_learners(name, learners):
            return False
        frame = frame.f_back
    return False


@functools.lru_cache(maxsize=4096)
def _is_learners(filename: str, folder: str) -> bool:
    """Whether code of this file name was written by the learner: in a cell, or in a file in `folder`."""
    if filename.startswith("<"):
        return filename.startswith(("<ipython-input", "<cell ", "<my_transformer"))
    if f"{os.sep}ipykernel_" in filename:
        return True
    path = os.path.realpath(filename)
    if _lies_in(path, folder):
        return "site-packages" not in path
    return not any(_lies_in(path, place) for place in _library_folders())


@functools.cache
def _working_folder() -> str:
    """The folder that the process worked in when it was first asked for: before a learner's code ran, which may leave it."""
    with contextlib.suppress(OSError):
        return os.path.realpath(os.getcwd())  # noqa: PTH109  realpath never fails
    return os.sep + "gone"


def _lies_in(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


@functools.cache
def _library_folders() -> tuple[str, ...]:
    """Where Python looks for modules, the working folder excepted, and where this package lies."""
    here = _working_folder()
    found = {os.path.realpath(place) for place in (*sys.path, sys.prefix, sys.base_prefix) if place}
    own = str(Path(__file__).resolve().parents[1])
    return (own, *sorted(found - {here}))


@functools.cache
def slowness() -> float:
    """How many times slower than an ordinary machine this one computes; 1 where it is as fast or faster."""
    return max(1.0, min(timeit.repeat(_work, timer=time.thread_time, repeat=5, number=1)) / _USUAL)


def _work() -> int:
    return sum(number * number % 7 for number in range(20_000))
