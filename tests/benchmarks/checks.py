"""How long a learner waits for a check: in a notebook, exercise by exercise, and at the command line.

    python tests/benchmarks/checks.py [--units 05_multi_head 09_decoder] [--mistakes 3] [--files 40]

- In a notebook: an IPython session plays each released unit with the course's solutions. CPU seconds of each check that
  passes (what passes is kept in an empty `my_transformer`, which is a second observation), and of the slowest of a few
  wrong answers (those of `tests/course/held_out/`). Each check is the first one of its text, and each exercise was
  checked before: its starter, the wrong answers, then the solution.
- At the command line: `check` of one file, and of the same file under many names. CPU seconds of the command with all
  its processes, and seconds by the clock.

Prints Markdown tables ready to paste: what stands between the lines of dashes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import types
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from autograder.authoring.parse import unit_stem, units
from autograder.observing.clock import slowness
from tests.benchmarks.grading import environment, processor
from tests.course.held_out import read_pieces
from tests.course.learner import RUN, pasted

COURSE = Path(__file__).resolve().parents[2]
SLOWEST = 1.0
MEDIAN = 0.1
RATIO = 4.0
CHECKED = "03_self_attention"


@dataclass(frozen=True)
class Took:
    """CPU seconds of one exercise's checks, in a notebook."""

    unit: str
    exercise: str
    passing: float
    failing: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", nargs="+", default=list(units(COURSE / "solutions")))
    parser.add_argument("--mistakes", type=int, default=3, help="wrong answers tried for each exercise")
    parser.add_argument("--files", type=int, default=40, help="how many the command checks at once; 0: leave this out")
    parser.add_argument("--session", metavar="COURSE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.session:
        answers = os.fdopen(os.dup(1), "w")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        for unit in options.units:
            print(json.dumps(played(Path(options.session), unit, options.mistakes)), file=answers, flush=True)
        return
    with tempfile.TemporaryDirectory() as scratch:
        course = copied(Path(scratch) / "course")
        found = [took for unit in options.units for took in in_a_notebook(course, unit, options.mistakes)]
        where = f"{date.today()}, {processor()}, Python {platform.python_version()}, torch {version('torch')}"
        lines = [f"{where}; it computes {slowness():.1f} times slower than an ordinary machine.", ""]
        lines += [table(found), "", in_short(found)]
        if options.files:
            lines += ["", at_the_command_line(course, options.files)]
    print("-" * 40, *lines, "-" * 40, sep="\n")


def copied(course: Path) -> Path:
    """The course as a learner has it who has passed nothing yet, with the weights that unit 10 hands in."""
    for folder in ("solutions", "notebooks"):
        shutil.copytree(COURSE / folder, course / folder, ignore=shutil.ignore_patterns("my_transformer"))
    shutil.copy(COURSE / "nbgrader_config.py", course)
    for kept in course.glob("solutions/*/.*.safetensors"):
        shutil.copy(kept, course / "notebooks" / kept.parent.name / kept.name.removeprefix("."))
    return course


def in_a_notebook(course: Path, unit: str, mistakes: int) -> list[Took]:
    """One unit, played in a process of its own."""
    words = [sys.executable, __file__, "--session", str(course), "--units", unit, "--mistakes", str(mistakes)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment(), check=False)
    if done.returncode:
        sys.exit(f"{unit} could not be played:\n{done.stderr[-3000:]}")
    print(f"{unit}: played", file=sys.stderr, flush=True)
    return [Took(unit, **row) for row in json.loads(done.stdout)]


def played(course: Path, unit: str, mistakes: int) -> list[dict[str, Any]]:
    """The unit's cells without the experiments in an IPython session: CPU seconds of its checks."""
    from IPython.core.interactiveshell import InteractiveShell

    from autograder.formats.notebook_file import part_of

    notebook = pasted(course, unit)
    wrong = wrong_answers(unit, mistakes)
    starters = released(course, unit)
    os.chdir(course / "notebooks" / unit)
    space = types.ModuleType("__main__")
    sys.modules["__main__"] = space
    shell = InteractiveShell.instance(user_module=space)
    shell.display_pub.publish = lambda *given, **more: None

    def seconds(source: str) -> tuple[float, float]:
        """CPU seconds of a cell, and the points that it ends in."""
        begun = time.process_time()
        result = shell.run_cell(source, store_history=True, silent=False)
        took = time.process_time() - begun
        result.raise_error()
        return took, result.result

    rows: list[dict[str, Any]] = []
    for cell in notebook.cells:
        part = part_of(cell)
        if cell.cell_type != "code" or part not in RUN:
            continue
        if part != "check":
            shell.run_cell(cell.source, store_history=True, silent=False).raise_error()
            continue
        name = cell.metadata["autograder"]["exercise"]
        failing = []
        for text in (starters[name], *wrong.get(name, [])):
            shell.run_cell(text, store_history=True, silent=False).raise_error()
            failing.append(seconds(cell.source)[0])
        right = next(c.source for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name)
        shell.run_cell(right, store_history=True, silent=False).raise_error()
        passing, points = seconds(cell.source)
        if not points:
            raise SystemExit(f"the solution of {name} did not pass")
        rows.append({"exercise": name, "passing": passing, "failing": max(failing[1:], default=float("nan"))})
    return rows


def wrong_answers(unit: str, most: int) -> dict[str, list[str]]:
    """For each exercise a few of the wrong answers that no check was made from, spread over the list of them."""
    found: dict[str, list[str]] = {}
    for piece in read_pieces(unit):
        if not piece.right and piece.diagnosis != "out-of-time":
            found.setdefault(piece.exercise, []).append(piece.source)
    return {name: texts[:: max(1, len(texts) // most)][:most] for name, texts in found.items()}


def released(course: Path, unit: str) -> dict[str, str]:
    """Each exercise's starter."""
    import nbformat

    notebook = nbformat.read(course / "notebooks" / unit / f"{unit_stem(unit)}.ipynb", as_version=4)
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell.source for cell in notebook.cells}
    return {name: text for name, text in cells.items() if name}


def table(found: list[Took]) -> str:
    """CPU milliseconds by exercise."""
    lines = ["| unit | exercise | passes, ms | fails, ms |", "|---|---|---:|---:|"]
    lines += [
        f"| {took.unit[:2]} | {took.exercise} | {_milliseconds(took.passing)} | {_milliseconds(took.failing)} |"
        for took in found
    ]
    return "\n".join(lines)


def _milliseconds(seconds: float) -> str:
    return "–" if math.isnan(seconds) else f"{1000 * seconds:.0f}"


def in_short(found: list[Took]) -> str:
    """The maximum and the median, beside their targets."""
    lines = []
    for title, name in (("passes", "passing"), ("fails", "failing")):
        seconds = {took.exercise: getattr(took, name) for took in found if not math.isnan(getattr(took, name))}
        slowest = max(seconds, key=seconds.__getitem__)
        lines.append(
            f"A check that {title}: at most {seconds[slowest]:.2f} CPU seconds ({slowest}; target: under {SLOWEST:g}), "
            f"in the median {statistics.median(seconds.values()):.3f} (target: under {MEDIAN:g})."
        )
    return "\n".join(lines)


def at_the_command_line(course: Path, many: int) -> str:
    """`check` of one solved notebook and of as many copies of it."""
    import nbformat

    folder = course / "handed_in"
    folder.mkdir()
    files = [str(folder / f"learner{number:02}.ipynb") for number in range(many)]
    for name in files:
        nbformat.write(pasted(course, CHECKED), name)
    one, all_of_them = command(course, files[:1]), command(course, files)
    lines = [f"| `check {CHECKED[:2]}` | CPU seconds | seconds |", "|---|---:|---:|"]
    lines += [
        f"| 1 file | {one[0]:.1f} | {one[1]:.1f} |",
        f"| {many} files | {all_of_them[0]:.1f} | {all_of_them[1]:.1f} |",
    ]
    lines.append(
        f"| ratio (target for 40: at most {RATIO:g}) | {all_of_them[0] / one[0]:.1f} | {all_of_them[1] / one[1]:.1f} |"
    )
    return "\n".join(lines)


def command(course: Path, files: list[str]) -> tuple[float, float]:
    """CPU seconds of the command and all its processes, and seconds by the clock."""
    words = [sys.executable, "-m", "autograder", "check", CHECKED, *files, "--course", str(course)]
    cpu, wall = os.times(), time.perf_counter()
    done = subprocess.run(words, cwd=COURSE, capture_output=True, text=True, env=environment(), check=False)
    now = os.times()
    if done.returncode:
        sys.exit(f"{' '.join(words[:5])} ... ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
    spent = now.children_user + now.children_system - cpu.children_user - cpu.children_system
    return spent, time.perf_counter() - wall


if __name__ == "__main__":
    main()
