"""Before handing in: look at the file, run it as the grader will, and say plainly what would go wrong."""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..formats.cases import CASES_FILE, ExerciseCases, MissingCases, UnitCases, load_cases
from ..formats.course import NoCourse, unit_folder
from ..formats.language import language, said, speaking
from ..formats.notebook_file import tidy_cells
from ..formats.rebuild import blocks_of, rebuild
from ..formats.translation import in_language
from ..judging.verdict import Verdict, verdicts
from ..judging.weights import file_trouble
from ..observing.outside import NotStarted, observe_by
from ..observing.processes import WarmProcess, modules_for
from . import my_transformer
from .repair import Examined, Finding, examine

_SIGNS = {"ok": "✓", "mended": "✎", "note": "·", "problem": "✗"}


@dataclass(frozen=True)
class Preflight:
    """All findings about one file. `backup`: where the file as it was is kept, if it was repaired."""

    path: Path
    unit: str
    language: str
    findings: tuple[Finding, ...]
    backup: Path | None = None

    @property
    def ready(self) -> bool:
        return not any(finding.state == "problem" for finding in self.findings)


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
        print(said(f"✗ {error}"))
        return
    show(found, unit, in_notebook=True)


def show(found: Preflight, unit: str, *, in_notebook: bool) -> None:
    """Print what was found, and what to do now, in the notebook's language."""
    with speaking(found.language):
        print(said(f"Preflight of {found.path.name}, {_saved(found.path)}:"))
        for finding in found.findings:
            print(_line(finding, found.backup is not None, found.unit))
        if found.backup is not None:
            print(said(f"Repaired. The file as it was: {found.backup.name}."))
            if in_notebook:
                print(said("Now choose File → Reload Notebook from Disk, or saving would undo the repair."))
        elif any(finding.state == "mended" for finding in found.findings):
            shell = f"python -m autograder preflight {unit} {found.path}"
            command = f'preflight("{unit}", repair=True)' if in_notebook else shell
            print(said(f"To repair what is marked ✎: {command}"))
        if found.ready:
            print(said("Ready to hand in. The other points are decided on new cases."))
        else:
            print(said("Not ready: see what is marked ✗. You may still hand it in; what passes counts."))


def look(path: Path, folder: Path, *, repair: bool) -> Preflight:
    """Examine a file against the unit in `folder`, repair it if wanted, run it. Raises MissingCases."""
    unit = load_cases(folder / CASES_FILE)
    examined = examine(path, unit)
    backup = write_repaired(path, examined, unit) if repair and examined.mended else None
    findings = list(examined.findings)
    if examined.notebook is not None:
        given = in_language(unit, examined.language)
        findings += _run(examined.notebook, given, path.parent if path.parent.name == unit.unit else folder)
    return Preflight(path, unit.unit, examined.language or language(), tuple(findings), backup)


def write_repaired(path: Path, examined: Examined, unit: UnitCases) -> Path:
    """Write the repaired notebook under its right name; give the path of the copy of what was there. Raises OSError."""
    target = path.with_name(f"{unit.unit.split('_', 1)[1]}.ipynb")
    old = target if target.exists() else path
    names = (old.with_name(f"{old.name}.backup{number}") for number in itertools.count(1))
    backup = next(path for path in names if not path.exists())
    backup.write_bytes(old.read_bytes())
    text = json.dumps(examined.notebook, ensure_ascii=False, indent=1) + "\n"
    my_transformer.replace_file(target, text.encode())
    return backup


def _run(notebook: dict[str, Any], unit: UnitCases, folder: Path) -> Iterator[Finding]:
    """What grading would do with the repaired notebook: lay it into the course's, run it, check each exercise."""
    blocks = blocks_of(rebuild(unit.code_cells, unit.code_cells, tidy_cells(notebook["cells"])).cells)
    wanted = [folder / name for cases in unit.exercises for name in cases.files]
    beside = {path.name: path.read_bytes() for path in wanted if not file_trouble(path)}
    try:
        with WarmProcess(confined=False, modules=modules_for(blocks, unit.exercises)) as warm:
            seen = observe_by(partial(warm.submit, files=beside), blocks, False, unit.exercises)
    except NotStarted as error:
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
    if not verdict.passed:
        return Finding("problem", f"{exercise.name}: its check does not pass. {verdict.message}")
    changed = [f"({note[:1].upper()}{note[1:]}.)" for note in verdict.notes if note.startswith("another cell")]
    return Finding("ok", " ".join([f"{exercise.name}: its check passes, {exercise.points:g} points.", *changed]))


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
    name, here = Path(str(told)).name, Path.cwd()
    if name.endswith(".ipynb") and here.name == folder.name and (here / name).is_file():
        return here / name
    return own_notebook(folder)


def own_notebook(folder: Path) -> Path:
    """The unit's notebook in the language that is spoken; where the unit is not translated, in English."""
    name = f"{folder.name.split('_', 1)[1]}.ipynb"
    translated = folder.parent / language() / folder.name / name
    return translated if translated.is_file() else folder / name


def _line(finding: Finding, repaired: bool, unit: str) -> str:
    says = finding.says
    if finding.state == "mended":
        says = f"{says}: {finding.cure}." if repaired else f"{says}. (This can be repaired.)"
    return f"{_SIGNS[finding.state]} {said(says, unit)}"


def _saved(path: Path) -> str:
    try:
        saved = path.stat().st_mtime
    except OSError:
        return said("not saved yet")
    seconds = max(0, round(time.time() - saved))
    if seconds < 120:
        return f"as saved {seconds} seconds ago"
    if seconds < 7200:
        return f"as saved {seconds // 60} minutes ago"
    return f"as saved {seconds // 3600} hours ago"
