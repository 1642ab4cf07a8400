"""Whoever runs a learner's file, asked for the same thing: per exercise, the points and the sentence.

Each caller is used as its users do: the commands `grade`, `check` and `preflight`, nbgrader's own `autograde`, and a
Jupyter kernel that runs the notebook's cells. Nothing here knows how they do it.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat

REPOSITORY = Path(__file__).resolve().parents[2]
_HEADLINE = re.compile(r"^[✓✗◐–] .* · (\w+) · ([\d.]+) of [\d.]+ points")
_PREFLIGHT = re.compile(r"^[✓✗◐–] (\w+): (.*)$")
_PASSES = re.compile(r"check passes, ([\d.]+) points")
_FAILS = re.compile(r"check does not pass\.\s*(.*)$")


@dataclass(frozen=True)
class Told:
    """What one caller tells of one exercise. None: this caller does not tell."""

    points: float | None
    says: str | None = ""
    """The sentence; "" where the exercise passes."""
    notes: str = ""

    def passes(self, points: float) -> bool:
        """Whether these points are told, and no sentence that says why there are no more."""
        return (self.points, self.says) == (points, "")

    def like(self, other: "Told") -> bool:
        """Whether two callers tell the same, as far as both tell it."""
        return all(
            None in (mine, theirs) or mine == theirs
            for mine, theirs in ((self.points, other.points), (_plain(self.says), _plain(other.says)))
        )

    def without_lines(self) -> "Told":
        """As of a file whose lines are counted in another way."""
        says = self.says and re.sub(r"[\w.]+, line \d+", "HERE", re.sub(r"\(line \d+", "(line N", self.says))
        return replace(self, says=says)


Answers = Mapping[str, Told]
"""By exercise."""


def _plain(text: str | None) -> str | None:
    """A sentence as it is compared: a notebook that was repaired counts its cells in another way."""
    return None if text is None else " ".join(re.sub(r"\bcell (\d+|\[\d+\])", "cell N", text).split()[:60])


# The commands


def command(*words: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """`python -m autograder ...` in a process of its own."""
    return finish(begin(*words, cwd=cwd, env=env))


def begin(
    *words: str | Path, cwd: Path, env: Mapping[str, str] | None = None, python: str | Path = sys.executable
) -> subprocess.Popen[str]:
    """Start a command, to be finished later."""
    return subprocess.Popen(
        [str(python), "-m", "autograder", *map(str, words)],
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]", seconds: float = 900) -> subprocess.CompletedProcess[str]:
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process' environment, in which the package that is tested is found first, and nothing is kept."""
    given = {"AUTOGRADER_KEEP_NOTHING": "1", "OMP_NUM_THREADS": "1", **(more or {})}
    path = [given.get("PYTHONPATH", ""), str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, **given, "PYTHONPATH": os.pathsep.join(filter(None, path))}


def by_check(
    course: Path, unit: str, files: Sequence[Path], env: Mapping[str, str] | None = None
) -> dict[Path, Answers]:
    """`check UNIT FILE... --json`, in one command."""
    done = command("check", unit, *files, "--json", "--course", course, cwd=course, env=env)
    assert done.stdout, done.stderr
    found: dict[Path, dict[str, Told]] = {file: {} for file in files}
    for row in json.loads(done.stdout):
        found[Path(row["file"])][row["exercise"]] = Told(row["score"], row["message"])
    return dict(found)


def by_preflight(course: Path, unit: str, file: Path, env: Mapping[str, str] | None = None) -> Answers:
    """`preflight UNIT FILE --no-repair`."""
    done = command("preflight", unit, file, "--no-repair", cwd=course, env=env)
    assert done.stdout, done.stderr
    return told_by_preflight(done.stdout)


def told_by_preflight(text: str) -> Answers:
    """What the lines of a preflight say of exercises: points of those that pass, sentences of the others."""
    found: dict[str, Told] = {}
    for name, rest in (match.groups() for line in text.splitlines() if (match := _PREFLIGHT.match(line))):
        if passes := _PASSES.search(rest):
            found[name] = Told(float(passes[1]))
        elif fails := _FAILS.search(rest):
            found[name] = Told(None, fails[1])
    return found


def by_grade(course: Path, *, isolation: str = "auto", python: str | Path = sys.executable) -> dict[str, Answers]:
    """`grade` of all that lies in `submitted/`; by student."""
    words = ("grade", "--workers", "1", "--seed", "5", "--isolation", isolation, "--course", course)
    done = finish(begin(*words, cwd=course, python=python))
    assert done.returncode == 0, done.stderr
    return by_autograded(course)


def by_nbgrader(course: Path, unit: str) -> dict[str, Answers]:
    """nbgrader's own `autograde` of all that lies in `submitted/`; by student."""
    nbgrader = Path(sys.executable).with_name("nbgrader")
    done = subprocess.run(
        [str(nbgrader), "autograde", unit, "--force"], cwd=course, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return by_autograded(course)


def by_autograded(course: Path) -> dict[str, Answers]:
    """What stands in the check cells of graded notebooks; by student."""
    found = {}
    for path in sorted((course / "autograded").glob("*/*/*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        found[path.parents[1].name] = answers_in(
            (cell.metadata["autograder"]["exercise"], cell.outputs) for cell in cells if is_check(cell)
        )
    return found


# Notebooks


def is_check(cell: Mapping[str, Any]) -> bool:
    return part_of(cell) == "check"


def part_of(cell: Mapping[str, Any]) -> str:
    return str(cell["metadata"].get("autograder", {}).get("part", ""))


def answers_in(checks: Iterable[tuple[str, Sequence[Any]]]) -> Answers:
    """What the outputs of check cells tell, each with its exercise."""
    return {exercise: told_in(outputs) for exercise, outputs in checks}


def told_in(outputs: Sequence[Any]) -> Told:
    """The points are the cell's value. A check that a broken cell has left without its name tells 0 and no sentence."""
    values = [float(text_of(output)) for output in outputs if output["output_type"] == "execute_result"]
    panels = [text_of(output) for output in outputs if output["output_type"] == "display_data"]
    if not values:
        return Told(0.0, None, "\n".join(text_of(output) for output in outputs))
    says, notes = "", ""
    for panel in panels:
        lines = panel.splitlines()
        if _HEADLINE.match(lines[0]):
            says = "" if lines[0].startswith("✓") or len(lines) < 2 else lines[1].strip()
        else:  # a line that is no verdict
            says = panel.strip()
        notes += "\n".join(line.strip() for line in lines if line.strip().startswith("Note:"))
    return Told(values[0], says, notes)


def text_of(output: Any) -> str:
    """What an output says as text; of an error its name and message."""
    if output["output_type"] == "stream":
        return str(output["text"])
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    return str(output["data"].get("text/plain", ""))
