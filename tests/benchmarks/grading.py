"""How fast a class is graded, beside stock nbgrader on the same class in the same run.

    python tests/benchmarks/grading.py [--students 12] [--units 02_attention_scores 03_self_attention] [--rounds 1]

Builds a class of solved, half solved, wrong and untouched notebooks and grades it by turns:

- stock: `nbgrader autograde` with nbgrader's own preprocessors, one process, experiments run
- ours (experiments are skipped), one worker, then two

One worker and stock are pinned to one and the same core where the system can. Prints submissions a minute and ratios.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

COURSE = Path(__file__).resolve().parents[2]
STOCK_CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "benchmark"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", "*.py"]
c.Execute.timeout = 300
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=12)
    parser.add_argument("--units", nargs="+", default=["02_attention_scores", "03_self_attention"])
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        course = Path(scratch) / "class"
        run("sample-class", str(course), "--students", str(options.students), "--assignment", *options.units)
        submissions = len(list(course.glob("submitted/*/*")))
        print(f"{date.today()} · {processor()} · Python {platform.python_version()}, ", end="")
        print(f"torch {version('torch')}, nbgrader {version('nbgrader')}")
        print(f"{submissions} submissions: {options.students} students, units {', '.join(options.units)}\n")
        ways = {
            "stock nbgrader autograde": lambda: stock(course, options.units),
            "ours, 1 worker": lambda: ours(course, 1),
            "ours, 2 workers": lambda: ours(course, 2),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, way in ways.items():
                seconds[name].append(way())
        report(seconds, submissions)


def report(seconds: dict[str, list[float]], submissions: int) -> None:
    base = statistics.median(seconds["stock nbgrader autograde"])
    one = statistics.median(seconds["ours, 1 worker"])
    print(f"{'':<34}{'seconds':>9}{'a minute':>10}{'× stock':>9}{'× 1 worker':>12}")
    for name, found in seconds.items():
        took = statistics.median(found)
        print(f"{name:<34}{took:>9.1f}{60 * submissions / took:>10.0f}{base / took:>9.1f}{one / took:>12.2f}")


def stock(course: Path, units: list[str]) -> float:
    """Stock nbgrader on a copy of the class. Only the grading is timed, not the assignment's creation."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "class"
        shutil.copytree(course, copy)
        for folder in ("autograded", "feedback", "reports"):
            shutil.rmtree(copy / folder, ignore_errors=True)
        (copy / "gradebook.db").unlink(missing_ok=True)
        (copy / "nbgrader_config.py").write_text(STOCK_CONFIG, encoding="utf-8")
        total = 0.0
        for unit in units:
            command([bin_of("nbgrader"), "generate_assignment", unit, "--force"], copy)
            begun = time.perf_counter()
            command([bin_of("nbgrader"), "autograde", unit], copy, cores="0")
            total += time.perf_counter() - begun
        return total


def ours(course: Path, workers: int) -> float:
    """Our command on the class, from nothing graded; the whole command is timed, its start included."""
    for folder in ("autograded", "feedback", "reports"):
        shutil.rmtree(course / folder, ignore_errors=True)
    (course / "gradebook.db").unlink(missing_ok=True)
    begun = time.perf_counter()
    arguments = ("grade", "--course", str(course), "--workers", str(workers), "--seed", "1")
    run(*arguments, cores="0" if workers == 1 else None)
    return time.perf_counter() - begun


def run(*arguments: str, cores: str | None = None) -> None:
    command([sys.executable, "-m", "autograder", *arguments], COURSE, cores)


def command(words: list[str], folder: Path, cores: str | None = None) -> None:
    if cores is not None and shutil.which("taskset"):
        words = ["taskset", "-c", cores, *words]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env={**os.environ, "PATH": path})
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr[-2000:]}")


def bin_of(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
