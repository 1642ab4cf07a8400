"""What holds on this machine, in plain lines: `python -m autograder doctor`."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from autograder.observing.sandbox.isolation import RISK, Isolation, available

State = Literal["ok", "note", "missing"]
_MARKS: dict[State, str] = {"ok": "ok", "note": "note", "missing": "MISSING"}
_LEAST_FREE = 2 << 30  # a class of a few hundred notebooks with its feedback pages and gradebook, with room to spare


@dataclass(frozen=True)
class Line:
    """One fact; `state` "missing": grading cannot work without it, "note": it works with less."""

    topic: str
    state: State
    sentence: str


def report(course: Path | None = None, isolation: Isolation | None = None) -> list[Line]:
    """All lines, in reading order. `course` is the folder whose disk is asked about."""
    found = available() if isolation is None else isolation
    python = Line("python", "ok", f"Python {platform.python_version()}.")
    packages = (_package(name) for name in ("torch", "numpy", "nbgrader", "msgspec"))
    return [python, *packages, _disk(course or Path.cwd()), _processors(), *_isolation(found)]


def render(lines: Sequence[Line]) -> str:
    """The lines as a table in plain text, with a last line that says whether grading can start."""
    width = max((len(line.topic) for line in lines), default=0)
    rows = [f"{_MARKS[line.state]:<8}{line.topic:<{width}}  {line.sentence}" for line in lines]
    missing = [line.topic for line in lines if line.state == "missing"]
    verdict = f"Not ready to grade: {', '.join(missing)}." if missing else "Ready to grade."
    return "\n".join([*rows, "", verdict])


def _package(name: str) -> Line:
    try:
        return Line(name, "ok", f"{name} {metadata.version(name)}.")
    except metadata.PackageNotFoundError:
        return Line(name, "missing", f"{name} is not installed; run pip install -r requirements.txt.")


def _disk(course: Path) -> Line:
    free = shutil.disk_usage(course).free
    sentence = f"{free / (1 << 30):.1f} GiB free."
    if free < _LEAST_FREE:
        return Line("disk", "note", f"{sentence} A class with its feedback may need {_LEAST_FREE >> 30} GiB.")
    return Line("disk", "ok", sentence)


def _processors() -> Line:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Line("processors", "ok", f"{usable} usable, of {os.cpu_count()}: as many workers make sense.")


def _isolation(found: Isolation) -> list[Line]:
    who = "root" if found.root else "an ordinary user"
    lines = [Line("system", "ok" if found.system == "Linux" else "note", f"{found.system}, run as {who}.")]
    for fact in found.facts:
        lines.append(Line(fact.name.replace("_", " "), "ok" if fact.holds else "note", fact.sentence))
    if found.enough:
        sentence = {
            "namespaces": "All walls stand.",
            "filters": "The walls stand without namespaces: submissions cannot start processes at all, "
            "can learn whether a file outside exists, and only the size of each scratch file is bounded.",
            "none": "",
        }[found.walls]
        return [*lines, Line("isolation", "ok" if found.namespaces else "note", sentence)]
    return [*lines, Line("isolation", "missing", f"{' '.join(found.missing)} {RISK}")]
