"""Processes that run submissions: one is warmed up with all imports, and forked for each submission.

Grading, `check FILE` and `preflight` use the same; only the walls around the fork differ.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from ..formats.cases import ExerciseCases
from ..formats.notebook_file import Block
from .clock import slowness
from .outside import NotStarted, Process, TimeLimits
from .readiness import needed_modules
from .sandbox.isolation import Isolation, available
from .sandbox.limits import Limits
from .temporary import remove, temporary_folder

_READY_SECONDS = 900.0
_WORKDIR_PREFIX = "submission-"
_WARM = f"{__package__}.warm"
_EVERYTHING = frozenset({"torch", "torch.optim", "torch._dynamo", "sympy", "matplotlib", "autograder.lab", "library"})
"""What submissions import, whatever they are: grading many, one wants it all warm."""
_SLOW_IMPORT = re.compile(r"^\s*(?:import|from)\s+(torch|matplotlib|autograder\.lab)\b", re.MULTILINE)


def modules_for(blocks: Iterable[Block], exercises: Iterable[ExerciseCases]) -> frozenset[str]:
    """What to have warm for a few submissions: what their text imports, and what it takes to observe them."""
    named = {found for block in blocks for found in _SLOW_IMPORT.findall(block.source)}
    return needed_modules(exercises) | named


class WarmProcess:
    """One warm process and its forks, one submission at a time. Use it as a context manager, or `close` it."""

    def __init__(
        self, *, confined: bool, times: TimeLimits | None = None, modules: frozenset[str] = _EVERYTHING
    ) -> None:
        self.times = times or TimeLimits()
        self._confined = confined
        self._modules = modules
        # Cells and exercises have limits of their own. These end a process that nobody waits for any more.
        computing = (self.times.submission + self.times.imports + self.times.grace) * slowness()
        self._limits = Limits(cpu=int(computing) + 1, wall=self.times.wall)
        self._isolation: Isolation | None = available() if confined else None
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._lines: IO[bytes] | None = None

    def __enter__(self) -> WarmProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the warm process where it is not running and can be forked. Raises NotStarted."""
        if not can_fork() or (self._process is not None and self._process.poll() is None):
            return
        self.close()
        ours, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as complaints:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _WARM, *sorted(self._modules)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                env=_environment(self._confined),
                cwd="/" if os.name == "posix" else None,
                start_new_session=True,  # Ctrl-C is for the process that writes the grades
            )
            self._control, self._lines = ours, ours.makefile("rb")
            ours.settimeout(_READY_SECONDS)
            try:
                self._line()
            except NotStarted:
                complaints.seek(0)
                told = complaints.read()[-600:].decode("utf-8", "replace").strip().splitlines()
                raise NotStarted(
                    "the process that runs submissions could not start" + (f": {told[-1]}" if told else ".")
                ) from None

    def close(self) -> None:
        """End the warm process and everything below it."""
        if self._control is not None:
            self._control.close()
        if self._lines is not None:
            self._lines.close()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=8)
            self._process.kill()
            self._process.wait()
        self._process = self._control = self._lines = None

    def submit(
        self, request: bytes, files: Mapping[str, bytes] | None = None, *, folder: Path | None = None
    ) -> Process:
        """Run one request in a fork. `files` are laid into a working folder of its own; or it works in `folder`."""
        workdir = folder or _working_folder(files or {})
        mine = folder is None
        if not can_fork():
            return FreshProcess(request, workdir, self._modules, mine)
        self.start()
        assert self._control is not None
        request_out, request_in = os.pipe()
        answers_out, answers_in = os.pipe()
        order = {
            "workdir": str(workdir),
            "limits": asdict(self._limits),
            "readable": [str(Path(__file__).resolve().parents[1])],
            "confined": self._confined,
            "namespaces": self._isolation.namespaces if self._isolation else False,
        }
        socket.send_fds(self._control, [json.dumps(order).encode()], [request_out, answers_in])
        os.close(request_out)
        os.close(answers_in)
        pid = int(self._line()["pid"])  # the fork is made, both of our copies are gone
        threading.Thread(target=_write, args=(request_in, request), daemon=True).start()
        return Fork(self, pid, workdir if mine else None, os.fdopen(answers_out, "rb"))

    def end_fork(self, *, wait: bool) -> str:
        """End the running fork (at once, or with a second's patience) and return how it ended."""
        assert self._control is not None
        with contextlib.suppress(OSError):
            self._control.send(b"wait" if wait else b"stop")
        return str(self._line().get("ended", ""))

    def _line(self) -> dict[str, Any]:
        assert self._lines is not None
        try:
            line = self._lines.readline()
        except OSError as error:
            raise NotStarted("the process that runs submissions does not answer.") from error
        if not line:
            raise NotStarted("the process that runs submissions has ended.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def can_fork() -> bool:
    """Whether one process can be warmed up and forked for each submission; elsewhere each has a fresh one."""
    return hasattr(os, "fork") and hasattr(socket, "send_fds")


def _working_folder(files: Mapping[str, bytes]) -> Path:
    workdir = Path(tempfile.mkdtemp(prefix=_WORKDIR_PREFIX, dir=temporary_folder()))
    for name, data in files.items():
        path = workdir / name
        path.write_bytes(data)
        path.chmod(0o444)
    return workdir


class FreshProcess:
    """A submission in an interpreter of its own, started cold: what is left without forks, and never confined."""

    def __init__(self, request: bytes, workdir: Path, modules: frozenset[str], mine: bool) -> None:
        self._workdir = workdir if mine else None
        self._process = subprocess.Popen(
            [sys.executable, "-m", _WARM, "--once", *sorted(modules)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=workdir,
            env=_environment(confined=False),
        )
        assert self._process.stdin and self._process.stdout
        self.answers: IO[bytes] = self._process.stdout
        with contextlib.suppress(OSError):  # it died before reading; the missing frame says so
            self._process.stdin.write(request)
            self._process.stdin.close()

    def computed(self) -> float | None:
        return _computed(self._process.pid)

    def ending(self) -> str:
        try:
            code = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return ""
        return f" (ended by {signal.Signals(-code).name})" if code < 0 else f" (exit status {code})"

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._workdir:
            remove(self._workdir)


class Fork:
    """One submission being run; what `observe_by` reads from."""

    def __init__(self, warm: WarmProcess, pid: int, workdir: Path | None, answers: IO[bytes]) -> None:
        self.answers = answers
        self._warm = warm
        self._pid = pid
        self._workdir = workdir
        self._ended: str | None = None

    def computed(self) -> float | None:
        return _computed(self._pid)

    def ending(self) -> str:
        """How the submission ended, where it did by itself."""
        if self._ended is None:
            self._ended = self._warm.end_fork(wait=True)
        return f" ({self._ended.rstrip('.')})" if self._ended else ""

    def stop(self) -> None:
        if self._ended is None:
            self._ended = self._warm.end_fork(wait=False)
        if self._workdir:
            remove(self._workdir)


def _computed(pid: int) -> float | None:
    """Seconds of the processor that a process and those it started have used, where /proc tells."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        total = sum(_ticks(one) for one in (pid, *map(int, text.split())))
    except (OSError, ValueError, IndexError):
        return None
    return total / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return int(fields[11]) + int(fields[12])


def _write(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(OSError), os.fdopen(descriptor, "wb") as stream:
        stream.write(data)


def _environment(confined: bool) -> dict[str, str]:
    """What the process needs; where it is locked up, nothing that a submission should not see."""
    kept = ("PATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "SYSTEMROOT")
    values = {name: os.environ[name] for name in kept if name in os.environ} if confined else dict(os.environ)
    single = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    # One hash seed for all: the order of a learner's set must not decide a grade.
    fixed = {"LANG": "C.UTF-8", "MPLBACKEND": "Agg", "PYTHONSAFEPATH": "1", "PYTHONHASHSEED": "0"}
    fixed |= {"TRITON_INTERPRET": "1"}  # kernels run on the CPU; PyTorch may import Triton before a submission says so
    root = Path(__file__).resolve().parents[2]
    installed = "site-packages" in root.parts  # then it is found anyway, behind the standard library
    places = [] if installed else [str(root)]
    if not confined and values.get("PYTHONPATH"):
        places.append(values["PYTHONPATH"])
    return {**values, **single, **fixed, "PYTHONPATH": os.pathsep.join(places)}
