"""Keep what learner's code prints away from the cell's outputs.

nbgrader scores a test cell 0 as soon as anything is written to stderr, and the kernel watches the file
descriptor itself, so redirecting `sys.stderr` is not enough: descriptors 1 and 2 are replaced as well.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_MAX_KEPT = 4000


class Captured:
    """What was printed; complete once the `capture` block has ended."""

    text: str = ""


@contextlib.contextmanager
def capture() -> Iterator[Captured]:
    """Collect what Python and native code write to stdout and stderr inside the block, warnings included."""
    captured = Captured()
    written = io.StringIO()
    with _temporary_file() as file, contextlib.ExitStack() as stack:
        for descriptor in (1, 2):
            stack.enter_context(_descriptor_to(descriptor, file.fileno()))
        stack.enter_context(contextlib.redirect_stdout(written))
        stack.enter_context(contextlib.redirect_stderr(written))
        try:
            yield captured
        finally:
            file.seek(0)
            native = file.read(_MAX_KEPT).decode("utf-8", "replace")
            captured.text = (written.getvalue()[:_MAX_KEPT] + native)[:_MAX_KEPT]


def _temporary_file() -> IO[bytes]:
    """A file without a name; in memory where the system has such, so that a full disk cannot stop a check."""
    if hasattr(os, "memfd_create"):
        with contextlib.suppress(OSError):
            return os.fdopen(os.memfd_create("captured"), "w+b")
    with contextlib.suppress(OSError):
        return tempfile.TemporaryFile()
    return Path(os.devnull).open("w+b")  # no room anywhere: what native code prints is lost, and the check goes on


@contextlib.contextmanager
def _descriptor_to(descriptor: int, target: int) -> Iterator[None]:
    _flush()
    try:
        saved = os.dup(descriptor)
    except OSError:  # closed, as under pythonw: nothing to keep
        yield
        return
    try:
        os.dup2(target, descriptor)
        yield
    finally:
        _flush()
        os.dup2(saved, descriptor)
        os.close(saved)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
