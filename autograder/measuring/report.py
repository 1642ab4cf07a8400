"""One report of many parts: each is measured in a process of its own, and written down as soon as it is done."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import torch

from ..lab.precision import instructions
from ..lab.tables import table
from .parts import PARTS, Row

_GRACE = 20.0
"""Seconds that a part may take beyond its own, for what it has begun."""


def measured(
    course: Path,
    device: str,
    minutes: float,
    chosen: Sequence[str],
    data: Path | None,
    wrote: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Measure the chosen parts, one after the other; `wrote` is told the report after each."""
    report: dict[str, Any] = {"machine": machine(device), "parts": {}}
    whole = sum(PARTS[name][1] for name in chosen)
    end, behind = time.monotonic() + 60 * minutes, whole
    for name in chosen:
        share = PARTS[name][1]
        seconds = max(10.0, (end - time.monotonic()) * share / behind)  # what one leaves over, the next ones have
        behind -= share
        began = time.monotonic()
        rows, note = _run(name, device, seconds, course, data)
        report["parts"][name] = {"rows": rows, "seconds": round(time.monotonic() - began, 1), "note": note}
        wrote(report)
    return report


def machine(device: str) -> dict[str, str]:
    """What was measured on, and when."""
    import importlib.util

    cuda = device == "cuda"
    found = {
        "date": str(date.today()),
        "device": torch.cuda.get_device_name() if cuda else instructions("cpu"),
        "PyTorch": torch.__version__,
        "Python": platform.python_version(),
    }
    if cuda:
        found |= {
            "CUDA": str(torch.version.cuda),
            "memory": f"{torch.cuda.get_device_properties(0).total_memory / 2**30:.0f} GiB",
        }
    if importlib.util.find_spec("triton"):
        found["Triton"] = importlib.import_module("triton").__version__
    return found


_INTERPRETED = ("checks",)
"""Parts in which Triton's kernels are interpreted. In all others they are compiled, those of `torch.compile` too."""


def _run(name: str, device: str, seconds: float, course: Path, data: Path | None) -> tuple[list[Row], str]:
    words = [name, device, f"{seconds:.0f}", str(course), *([str(data)] if data else [])]
    command = [sys.executable, "-m", "autograder.measuring", *words]
    environment = os.environ | {"TRITON_INTERPRET": "1"}  # the command line asks for it, too
    if name not in _INTERPRETED:
        del environment["TRITON_INTERPRET"]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        try:
            done = subprocess.run(
                command, env=environment, stdout=out, stderr=err, timeout=seconds + _GRACE, check=False
            ).returncode
            note = "" if done == 0 else f"the process ended with status {done}"
        except subprocess.TimeoutExpired:
            note = f"cut after {seconds + _GRACE:.0f} s"
        out.seek(0)
        err.seek(0)
        rows = [json.loads(line) for line in out if line.startswith("{") and line.endswith("}\n")]
        if note and not note.startswith("cut"):
            note += f": {(err.read().strip().splitlines() or ['it said nothing'])[-1][:200]}"
    return rows, note


def as_markdown(report: dict[str, Any]) -> str:
    """The report as a page: a table for each part."""
    lines = [
        "# What this machine does with the course",
        ", ".join(f"{k} {v}" for k, v in report["machine"].items()) + ".",
    ]
    for name, part in report["parts"].items():
        lines += [f"## {PARTS[name][0]}", (PARTS[name][2].__doc__ or "").strip().replace("\n    ", " ")]
        rows = [row for row in part["rows"] if "text" not in row]
        for columns, alike in _alike(rows):
            lines.append(table([[row.get(c) for c in columns] for row in alike], columns).markdown())
        lines += [
            row["text"].rstrip() if row["text"].lstrip().startswith("|") else f"```\n{row['text'].rstrip()}\n```"
            for row in part["rows"]
            if "text" in row
        ]
        lines.append(f"{part['seconds']:.0f} s. {part['note']}".strip())
    return "\n\n".join(lines) + "\n"


def _alike(rows: list[Row]) -> list[tuple[list[str], list[Row]]]:
    """The rows in tables: rows with the same columns together."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row), []).append(row)
    return [(list(columns), alike) for columns, alike in groups.items()]
