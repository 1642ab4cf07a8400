"""Which processes below this one are still there, daemons included."""

import ctypes
import os
import sys
import time
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_MULTIPROCESSING = "resource_tracker"


def adopt_orphans() -> None:
    """From now on a process whose parent below this one ends becomes this one's child, and is seen."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> list[str]:
    """Command lines of all processes below this one that live, without Python's own bookkeeper."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state != "Z":
                children.setdefault(int(parent), []).append(int(entry.name))
    found, queue = [], [os.getpid()]
    while queue:
        for child in children.get(queue.pop(), []):
            queue.append(child)
            found.append(_command(child))
    return [command for command in found if _MULTIPROCESSING not in command]


def wait_for_none(before: list[str], patience: float = 30.0) -> list[str]:
    """Processes that are there and were not before, once they had the time to end."""
    deadline = time.monotonic() + patience
    while True:
        left = descendants()
        for known in before:
            if known in left:
                left.remove(known)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
