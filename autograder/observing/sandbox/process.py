"""Start a confined function, read what it says within bounds, and end it surely."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.observing.sandbox.confinement import confine
from autograder.observing.sandbox.limits import Limits, explain_status

_GRACE = 5.0  # seconds that a supervisor gets to end its submission before it is killed itself
_NOT_CONFINED = 97  # exit code of a child whose walls could not be built


@dataclass(frozen=True)
class Child:
    """A confined submission: the supervisor's process id and the pipe that carries its output."""

    pid: int
    output: int


@dataclass(frozen=True)
class Outcome:
    """What came back. `reason` is a sentence, empty where the submission ended by itself and well."""

    output: bytes
    truncated: bool
    status: int
    reason: str


def spawn(
    function: Callable[[], object], workdir: Path, readable: Sequence[Path], limits: Limits, *, namespaces: bool = True
) -> Child:
    """Run `function` in a confined child whose descriptors 1 and 2 are one pipe."""
    reading, writing = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Child(pid, reading)
    code = _NOT_CONFINED
    try:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        # The caller's own stream objects may write to descriptors that confine closes, a notebook's or pytest's.
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        confine(workdir, readable, limits, parent=parent, namespaces=namespaces)
        code = 1
        function()
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
    except BaseException:
        with contextlib.suppress(BaseException):
            os.write(2, traceback.format_exc().encode())
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        os._exit(code & 0xFF)
    raise AssertionError("unreachable")


def collect(child: Child, limits: Limits) -> Outcome:
    """Read until the output ends, is too long, or time is up; then end the child and reap it.

    The bound on output lies here, with the reader: past it the pipe is closed and the child killed.
    """
    chunks: list[bytes] = []
    size, truncated = 0, False
    deadline = time.monotonic() + limits.wall + _GRACE
    poll = select.poll()
    poll.register(child.output, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        if not poll.poll(left * 1000):
            continue
        chunk = os.read(child.output, 1 << 16)
        if not chunk:
            break
        chunks.append(chunk[: limits.output - size])
        size += len(chunk)
        if size > limits.output:
            truncated = True
            break
    ended = not truncated and left > 0
    os.close(child.output)
    status = _reap(child.pid, deadline - time.monotonic()) if ended else None
    if status is None:
        status = terminate(child.pid)
    reason = explain_status(status, limits)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == _NOT_CONFINED:
        last = b"".join(chunks).decode(errors="replace").strip().rpartition("\n")[2]
        reason = f"The program was not run, or ended itself with exit code {_NOT_CONFINED}: {last}"
    if truncated:
        reason = f"The program printed more than {limits.output} bytes and was stopped."
    return Outcome(b"".join(chunks), truncated, status, reason)


def terminate(pid: int) -> int:
    """End a supervisor with everything below it, reap it, and give its wait status.

    When this returns, no process of the submission is left, daemons in sessions of their own included: the
    supervisor waits for the last of them, and where it had to be killed itself the kernel ends its submission
    with it. Raises `ChildProcessError` where `pid` is no child of this process, or was reaped before.
    """
    for number, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, None)):
        # The process id cannot have been given away: it stays ours until it is reaped here.
        os.kill(pid, number)
        if (status := _reap(pid, patience)) is not None:
            return status
    raise AssertionError("a wait without a time limit returned nothing")


def _reap(pid: int, patience: float | None) -> int | None:
    """The wait status, or None where the process has not ended after `patience` seconds (None: for ever)."""
    if patience is None:
        return os.waitpid(pid, 0)[1]
    descriptor = os.pidfd_open(pid)
    try:
        ready = select.select([descriptor], [], [], max(patience, 0.0))[0]
    finally:
        os.close(descriptor)
    return os.waitpid(pid, 0)[1] if ready else None
