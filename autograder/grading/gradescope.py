"""The course's grading as a Gradescope autograder: a zip that grades there by the same code.

Gradescope runs `setup.sh` once, when the zip is uploaded, and for each submission `run_autograder` in a container of its own, with
the files in `/autograder/submission` and the results expected in `/autograder/results/results.json`
(https://gradescope-autograders.readthedocs.io/en/latest/specs/).
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ..formats.zip_file import add_file
from .exports import gradescope_results
from .files import read_record
from .pipeline import local_executor, plan, run
from .submission import TIMESTAMP

STUDENT = "learner"
_METADATA = "submission_metadata.json"
_SETUP = """#!/usr/bin/env bash
# Runs once, when the autograder is made. It needs Python 3.11 or newer: choose an Ubuntu 24.04 image.
set -euo pipefail
apt-get update -qq && apt-get install -y -qq python3-venv
cd "${AUTOGRADER_ROOT:-/autograder}/source"
python3 -m venv venv
venv/bin/pip install --quiet -r requirements.txt
"""
_RUN = """#!/usr/bin/env bash
# Runs for each submission, in a container of its own.
root="${{AUTOGRADER_ROOT:-/autograder}}"
cd "$root/source" && "${{AUTOGRADER_PYTHON:-venv/bin/python}}" -m autograder gradescope {unit} --container "$root"
"""


def write_zip(course: Path, unit: str, seed: int, target: Path) -> list[str]:
    """Write the autograder of one unit; the names of the files in it. Raises OSError.

    seed: of the hidden cases, the same for everybody
    """
    with zipfile.ZipFile(target, "w") as archive:
        add_file(archive, "setup.sh", _SETUP.encode(), executable=True)
        add_file(archive, "run_autograder", _RUN.format(unit=unit).encode(), executable=True)
        add_file(archive, "seed.txt", f"{seed}\n".encode())
        for path in _course_files(course, unit):
            add_file(archive, path.relative_to(course).as_posix(), path.read_bytes())
        return archive.namelist()


def _course_files(course: Path, unit: str) -> Iterator[Path]:
    """The package and what grades the unit; of the other units what a library-backed part needs stands in the package."""
    yield from (course / name for name in ("pyproject.toml", "requirements.txt", "README.md", "nbgrader_config.py"))
    for folder in (course / "autograder", course / "solutions" / unit, course / "notebooks" / unit):
        for path in sorted(folder.rglob("*")):
            hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(course).parts)
            if path.is_file() and not hidden:
                yield path


def grade_container(root: Path, course: Path, unit: str) -> Path:
    """Grade what lies in `root/submission` and write `root/results/results.json`, whatever happens."""
    results = root / "results" / "results.json"
    results.parent.mkdir(parents=True, exist_ok=True)
    try:
        told = _graded(root, course, unit)
    except Exception as error:  # a platform that finds no results shows a learner nothing at all
        told = {
            "score": 0,
            "output": f"This could not be graded: {error}. Please tell your instructor; nothing is lost.",
        }
    results.write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")
    return results


def _graded(root: Path, course: Path, unit: str) -> dict[str, object]:
    folder = course / "submitted" / STUDENT / unit
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root / "submission", folder, symlinks=True)
    if stamp := _handed_in(root / _METADATA):
        (folder / TIMESTAMP).write_text(stamp, encoding="utf-8")
    seed = int((course / "seed.txt").read_text(encoding="utf-8"))
    work = plan(course, [unit], [], seed=seed, force=True)
    # Not confined: the container is this submission's alone, and holds neither another's work nor a gradebook that counts.
    outcome = run(work, local_executor(1), confined=False, workers=1)
    if outcome.failed:
        raise RuntimeError(outcome.failed[0].reason)
    record = read_record(course, STUDENT, unit)
    if record is None:
        raise RuntimeError("no record was written")
    return gradescope_results(record)


def _handed_in(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["created_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
