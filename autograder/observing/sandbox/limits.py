"""What one submission may use, and the words for how it ended."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds for one submission. Sizes are in bytes, times in seconds.

    memory      private memory that it may add to what it inherited by the fork (RLIMIT_DATA)
    tasks       its threads together (RLIMIT_NPROC); a process it cannot start
    cpu         processor seconds, all threads together (RLIMIT_CPU)
    wall        elapsed seconds; the supervisor beside the submission holds it, not the submission
    file_size   largest file that can be written (RLIMIT_FSIZE)
    open_files  descriptors (RLIMIT_NOFILE)
    output      bytes of printed output that the *reader* keeps (`collect`): the kernel has no such limit
    folder_bytes     all files in the working folder together. Held by a private memory file system; where mount
                namespaces are missing nothing holds it, and only `file_size` is left
    """

    memory: int = 1536 * MEBIBYTE
    tasks: int = 64
    cpu: int = 60
    wall: float = 90.0
    file_size: int = 64 * MEBIBYTE
    open_files: int = 256
    output: int = 2 * MEBIBYTE
    folder_bytes: int = 128 * MEBIBYTE

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"Limits.{name} must be positive, got {value!r}")


def explain_status(status: int, limits: Limits) -> str:
    """A sentence for a wait status as `os.waitpid` gives it; empty where the submission ended by itself with 0.

    A submission can end itself by any signal, so the sentence may explain lost points and must never give
    any.
    """
    if os.WIFEXITED(status):
        code = os.WEXITSTATUS(status)
        return "" if code == 0 else f"The program ended itself with exit code {code}."
    number = os.WTERMSIG(status)
    if number == signal.SIGALRM:
        return f"The program ran longer than {limits.wall:g} s and was stopped."
    if number == signal.SIGXCPU:
        return f"The program used more than {limits.cpu} s of processor time and was stopped."
    if number == signal.SIGXFSZ:
        return f"The program wrote a file larger than {limits.file_size // MEBIBYTE} MiB and was stopped."
    if number == signal.SIGSYS:
        return "The program used a system call of another processor family and was stopped."
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return f"The program was ended by {name}."
