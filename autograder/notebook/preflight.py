"""Before handing in: look at the file, run it as the grader will, and say plainly what would go wrong."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..formats.cases import CASES_FILE, ExerciseCases, MissingCases, UnitCases, load_cases
from ..formats.course import NoCourse, unit_folder
from ..formats.notebook_file import tidy_cells
from ..formats.rebuild import blocks_of, rebuild
from ..judging.verdict import Verdict, verdicts
from ..judging.weights import file_trouble
from ..observing.outside import NotStarted, Process, observe_by
from ..observing.processes import RunnerError, WarmProcess, modules_for
from . import my_transformer
from .repair import Examined, Finding, examine

_SIGNS = {"ok": "✓", "mended": "✎", "note": "·", "problem": "✗"}


@dataclass(frozen=True)
class Preflight:
    """All findings about one file. `backup`: where the file as it was is kept, if it was repaired."""

    path: Path
    findings: tuple[Finding, ...]
    backup: Path | None = None

    @property
    def ready(self) -> bool:
        return not any(finding.state == "problem" for finding in self.findings)

    def as_text(self, repaired: bool) -> str:
        """One line a finding, and what to do at the end."""
        lines = [_line(finding, repaired) for finding in self.findings]
        return "\n".join([f"Preflight of {self.path.name}, {_saved(self.path)}:", *lines])


def preflight(unit: str, file: str | Path | None = None, *, repair: bool = False) -> None:
    """Look at this notebook as it was last saved: its file, its cells, a run from the top, the checks.

    repair: mend the file as well; the file as it was is kept beside it
    """
    if not my_transformer.is_on() or os.environ.get("NBGRADER_EXECUTION") or os.environ.get("NBGRADER_VALIDATING"):
        return  # whoever runs this notebook now is looking at it already
    try:
        folder = unit_folder(unit)
        path = Path(file) if file is not None else _this_notebook(folder)
        found = look(path, folder, repair=repair)
    except (NoCourse, MissingCases) as error:
        print(f"✗ {error}")
        return
    print(found.as_text(repaired=found.backup is not None))
    print(closing(found, unit, in_notebook=True))


def closing(found: Preflight, unit: str, *, in_notebook: bool) -> str:
    """What to do now."""
    lines = []
    if found.backup is not None:
        lines.append(f"Repaired. The file as it was: {found.backup.name}.")
        if in_notebook:
            lines.append("Now choose File → Reload Notebook from Disk, or saving would undo the repair.")
    elif any(finding.state == "mended" for finding in found.findings):
        command = (
            f'preflight("{unit}", repair=True)'
            if in_notebook
            else f"python -m autograder preflight {unit} {found.path}"
        )
        lines.append(f"To repair what is marked ✎: {command}")
    lines.append(
        "Ready to hand in. The other points are decided on new cases."
        if found.ready
        else "Not ready: see what is marked ✗. You may still hand it in; what passes counts."
    )
    return "\n".join(lines)


def look(path: Path, folder: Path, *, repair: bool) -> Preflight:
    """Examine a file against the unit in `folder`, repair it if wanted, run it. Raises MissingCases."""
    unit = load_cases(folder / CASES_FILE)
    examined = examine(path, unit)
    backup = write_repaired(path, examined, unit) if repair and examined.mended else None
    findings = list(examined.findings)
    if examined.notebook is not None:
        findings += _run(examined.notebook, unit, folder)
    return Preflight(path, tuple(findings), backup)


def write_repaired(path: Path, examined: Examined, unit: UnitCases) -> Path:
    """Write the repaired notebook under its right name; give the path of the copy of what was there. Raises OSError."""
    target = _right_name(path, unit)
    old = target if target.exists() else path
    number = 1
    while (backup := old.with_name(f"{old.name}.backup{number}")).exists():
        number += 1
    backup.write_bytes(old.read_bytes())
    fresh = target.with_name(f".{target.name}.writing")
    fresh.write_text(json.dumps(examined.notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    fresh.replace(target)
    return backup


def _right_name(path: Path, unit: UnitCases) -> Path:
    return path.with_name(f"{unit.unit.split('_', 1)[1]}.ipynb")


def _run(notebook: dict[str, Any], unit: UnitCases, folder: Path) -> Iterator[Finding]:
    """What grading would do with the repaired notebook: lay it into the course's, run it, check each exercise."""
    blocks = blocks_of(rebuild(unit.code_cells, unit.code_cells, tidy_cells(notebook["cells"])).cells)
    beside = {
        name: (folder / name).read_bytes()
        for cases in unit.exercises
        for name in cases.files
        if not file_trouble(folder / name)
    }
    try:
        with WarmProcess(confined=False, modules=modules_for(blocks, unit.exercises)) as warm:

            def start(request: bytes) -> Process:
                return warm.submit(request, beside)

            seen = observe_by(start, blocks, False, unit.exercises)
    except (NotStarted, RunnerError) as error:
        yield Finding("problem", f"The notebook could not be run: {error}")
        return
    found = verdicts([(exercise,) for exercise in unit.exercises], seen.sightings, folder)
    broken = [f"{name} raised {_error_of(outputs)}" for name, outputs in seen.outputs.items() if _error_of(outputs)]
    for line in broken:
        yield Finding("note", f"Run from the top, {line}. That costs points only if an exercise needs this cell.")
    if not broken:
        yield Finding("ok", "It runs from top to bottom (without the experiments, as when it is graded).")
    for exercise in unit.exercises:
        yield _checked(exercise, found[exercise.key])


def _checked(exercise: ExerciseCases, verdict: Verdict) -> Finding:
    if verdict.passed:
        return Finding(
            "ok", " ".join([f"{exercise.name}: its check passes, {exercise.points:g} points.", *_told(verdict)])
        )
    return Finding("problem", f"{exercise.name}: its check does not pass. {verdict.message}")


def _told(verdict: Verdict) -> list[str]:
    """What another cell had changed for the whole notebook."""
    return [f"({note[:1].upper()}{note[1:]}.)" for note in verdict.notes if note.startswith("another cell")]


def _error_of(outputs: Any) -> str:
    """The error among a cell's outputs, in a line."""
    for output in outputs if isinstance(outputs, Sequence) and not isinstance(outputs, str) else []:
        if isinstance(output, dict) and output.get("output_type") == "error":
            return f"{output.get('ename', '')}: {output.get('evalue', '')}".strip(": ")
    return ""


def _this_notebook(folder: Path) -> Path:
    """The file of the notebook that runs here, where its front end says so; otherwise the unit's own."""
    main = sys.modules.get("__main__")
    told = getattr(main, "__vsc_ipynb_file__", None) or os.environ.get("JPY_SESSION_NAME", "")
    name = Path(str(told)).name
    if name.endswith(".ipynb") and Path.cwd().resolve() == folder.resolve() and (folder / name).is_file():
        return folder / name
    return folder / f"{folder.name.split('_', 1)[1]}.ipynb"


def _line(finding: Finding, repaired: bool) -> str:
    if finding.state != "mended":
        return f"{_SIGNS[finding.state]} {finding.says}"
    return f"{_SIGNS['mended']} {finding.says}" + (f": {finding.cure}." if repaired else ". (This can be repaired.)")


def _saved(path: Path) -> str:
    try:
        saved = path.stat().st_mtime
    except OSError:
        return "not saved yet"
    seconds = max(0, round(time.time() - saved))
    told = (
        f"{seconds} seconds"
        if seconds < 120
        else f"{seconds // 60} minutes"
        if seconds < 7200
        else f"{seconds // 3600} hours"
    )
    return f"as saved {told} ago"
