"""One folder for all that a grading process puts down for a moment; gone when it ends, however it ends.

A process that is killed leaves its folder behind. The next one to start sees by the lock inside that nobody is left
who uses it, and removes it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

_PREFIX = "grading-"
_LOCK = ".in-use"
_here: tuple[int, Path, IO[bytes] | None] | None = None
"""The process that made the folder, the folder, its lock."""


def temporary_folder() -> Path:
    """This process' folder, made on the first call. Raises OSError."""
    global _here
    if _here is None or _here[0] != os.getpid() or not _here[1].is_dir():
        place = Path(tempfile.gettempdir())
        _sweep(place)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        _here = (os.getpid(), folder, _locked(folder))
        atexit.register(remove_temporary_folder)
    return _here[1]


def remove_temporary_folder() -> None:
    """Remove this process' folder with all that is in it."""
    global _here
    if _here is not None and _here[0] == os.getpid():
        remove(_here[1])
        _here = None


def remove(folder: Path) -> None:
    """Remove a folder, however deep a submission has made it; never raises."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:  # folders in folders, by the thousand
        with suppress(OSError):
            subprocess.run(["rm", "-rf", "--", str(folder)], stderr=subprocess.DEVNULL, check=False)


def _locked(folder: Path) -> IO[bytes] | None:
    """The folder's lock, held until this process ends. It bears its name only once it is held."""
    try:
        import fcntl
    except ImportError:  # Windows: what a killed process leaves stays
        return None
    fresh = folder / f"{_LOCK}-"
    handle = fresh.open("wb")
    with suppress(OSError):  # a file system without locks: as on Windows
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fresh.rename(folder / _LOCK)
    return handle


def _sweep(place: Path) -> None:
    """Remove the folders of processes that are no more. Nothing that is another user's, or that has no lock."""
    if not hasattr(os, "getuid"):
        return
    import fcntl

    for folder in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                continue
            with (folder / _LOCK).open("rb") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: somebody uses it
                remove(folder)
