"""How fast a class is graded, beside stock nbgrader on the same class in the same run.

    python tests/benchmarks/grading.py [--students 24] [--units 02_attention_scores 03_self_attention] [--rounds 3]

Builds a class of solved, half solved, wrong and untouched notebooks and grades it by turns:

- stock: `nbgrader autograde` with nbgrader's own preprocessors, one process, experiments (cells marked demo) run
- ours, one worker: experiments skipped, which is what `grade` does; then run (`--run-demos`)
- ours, two workers, experiments skipped

Stock and one worker are pinned, with all their processes, to one and the same core where the system can. Each begins
with the assignments in the gradebook and nothing graded; the whole command is timed, its start included. Medians of
the rounds are printed, as Markdown tables ready to paste: what stands between the lines of dashes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.memory import peak_of_tree, peak_of_workers

COURSE = Path(__file__).resolve().parents[2]
HOOK = Path(__file__).with_name("stock_phases.py")
UNITS = ["02_attention_scores", "03_self_attention"]
STOCK, ONE, DEMOS, TWO = "stock nbgrader", "ours, 1 worker", "ours, 1 worker, experiments run", "ours, 2 workers"
STOCK_CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "benchmark"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", "*.py"]
c.Execute.timeout = 300
"""
TARGET_MEMORY = 700 << 20
CLUSTER = 10_000
PLAN, REPORTS = "hidden cases and plan", "reports"
NOT_OF_EACH = ("warm process", "gradebook and files", PLAN, REPORTS)
"""Phases that are once for the whole class, or the writer's."""


@dataclass(frozen=True)
class Run:
    """One grading of the class: seconds of the whole command, seconds by phase, when each submission was done."""

    seconds: float
    phases: dict[str, float]
    finished: tuple[float, ...] = ()
    phases_of_command: dict[str, float] = field(default_factory=dict)

    def steady(self, workers: int) -> float:
        """Submissions a second between the first ones and the last: without the start and the end of the command."""
        skipped = 2 * workers
        if len(self.finished) <= skipped + 1:
            return float("nan")
        return (len(self.finished) - 1 - skipped) / (self.finished[-1] - self.finished[skipped])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=24)
    parser.add_argument("--units", nargs="+", default=UNITS)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        prepared = prepare(Path(scratch) / "class", options.students, options.units)
        submissions = len(list(prepared.glob("submitted/*/*")))
        memory = {"ours": memory_of_ours(prepared), "stock": memory_of_stock(prepared, options.units[0])}
        ways: dict[str, Callable[[], Run]] = {
            STOCK: lambda: stock(prepared, options.units),
            ONE: lambda: ours(prepared, 1),
            DEMOS: lambda: ours(prepared, 1, "--run-demos"),
            TWO: lambda: ours(prepared, 2),
        }
        runs: dict[str, list[Run]] = {name: [] for name in ways}
        for number in range(options.rounds):
            for name, way in ways.items():
                runs[name].append(way())
                print(f"round {number + 1}, {name}: {runs[name][-1].seconds:.1f} s", file=sys.stderr, flush=True)
        print("-" * 40)
        print(
            f"{date.today()}, {processor()}, Python {platform.python_version()}, torch {version('torch')}, "
            f"nbgrader {version('nbgrader')}: {submissions} submissions ({options.students} students, "
            f"units {', '.join(options.units)}), median of {options.rounds}.\n"
        )
        print("\n\n".join((rates(runs, submissions), phases(runs, submissions), notes(runs, submissions, memory))))
        print("-" * 40)


def rates(runs: dict[str, list[Run]], submissions: int) -> str:
    """Whole commands: seconds, submissions a minute, times stock, times one worker."""
    took = {name: median(run.seconds for run in found) for name, found in runs.items()}
    lines = ["| | seconds | a minute | × stock | × 1 worker |", "|---|---:|---:|---:|---:|"]
    for name, seconds in took.items():
        beside = "" if name == STOCK else f"{took[ONE] / seconds:.2f}"
        lines.append(
            f"| {name} | {seconds:.1f} | {60 * submissions / seconds:.0f} | {took[STOCK] / seconds:.1f} | {beside} |"
        )
    return "\n".join(lines)


def phases(runs: dict[str, list[Run]], submissions: int) -> str:
    """Where the time goes: milliseconds a submission, by phase."""
    tables = []
    for name in (STOCK, ONE):
        found = runs[name]
        lines = [f"| {name}: where the time goes | ms a submission |", "|---|---:|"]
        names = list(dict.fromkeys(phase for run in found for phase in run.phases))
        each = {phase: 1000 * median(run.phases.get(phase, 0.0) for run in found) / submissions for phase in names}
        rest = 1000 * median(run.seconds for run in found) / submissions - sum(each.values())
        lines += [f"| {phase} | {value:.0f} |" for phase, value in each.items()]
        lines.append(f"| the rest: start of the command, waiting | {rest:.0f} |")
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def notes(runs: dict[str, list[Run]], submissions: int, memory: dict[str, int]) -> str:
    """The targets, and what a large class costs."""
    one, two = (median(run.steady(workers) for run in runs[name]) for name, workers in ((ONE, 1), (TWO, 2)))
    stock_rate = submissions / median(run.seconds for run in runs[STOCK])
    writing = median(run.phases.get("gradebook and files", 0.0) for run in runs[ONE]) / submissions
    worker = median(worker_seconds(run) for run in runs[ONE]) / submissions
    lines = [
        f"Once started, one worker grades {60 * one:.0f} submissions a minute ({one / stock_rate:.1f} times stock), two grade "
        f"{60 * two:.0f} ({two / one:.2f} times one).",
        f"Peak memory of one worker with all its processes: {megabytes(memory['ours'])} "
        f"(target: under {TARGET_MEMORY >> 20} MB); of stock with its kernel: {megabytes(memory['stock'])}.",
        f"{CLUSTER:,} submissions cost {CLUSTER * worker / 3600:.2f} core hours of workers ({1000 * worker:.0f} ms each); the one "
        f"process that writes the gradebook needs {CLUSTER * writing / 60:.1f} minutes for them ({1000 * writing:.0f} ms each), "
        f"and so about {max(1, round(worker / writing)) if writing else '–'} workers keep it busy.",
    ]
    return "\n\n".join(lines)


def worker_seconds(run: Run) -> float:
    """What a worker does for all submissions, without its one start."""
    return sum(seconds for phase, seconds in run.phases.items() if phase not in NOT_OF_EACH)


def prepare(course: Path, students: int, units: list[str]) -> Path:
    """The class, its assignments in the gradebook as `nbgrader generate_assignment` leaves them, nothing graded."""
    run("sample-class", str(course), "--students", str(students), "--assignment", *units)
    ours_config = (course / "nbgrader_config.py").read_text(encoding="utf-8")
    (course / "nbgrader_config.py").write_text(STOCK_CONFIG, encoding="utf-8")
    for unit in units:
        command([bin_of("nbgrader"), "generate_assignment", unit, "--force"], course)
    (course / "nbgrader_config.py").write_text(ours_config, encoding="utf-8")
    return course


def stock(prepared: Path, units: list[str]) -> Run:
    """Stock nbgrader on a copy of the class, its phases told by a hook in its configuration."""
    with tempfile.TemporaryDirectory() as scratch:
        course = Path(shutil.copytree(prepared, Path(scratch) / "class"))
        report = Path(scratch) / "phases"
        (course / "nbgrader_config.py").write_text(STOCK_CONFIG + HOOK.read_text(encoding="utf-8"), encoding="utf-8")
        begun = time.perf_counter()
        for unit in units:
            command([bin_of("nbgrader"), "autograde", unit], course, cores="0", AUTOGRADE_PHASES=str(report))
        seconds = time.perf_counter() - begun
        found: dict[str, float] = {}
        for line in report.read_text(encoding="utf-8").splitlines():
            for phase, value in json.loads(line).items():
                found[phase] = found.get(phase, 0.0) + value
        return Run(seconds, found)


def ours(prepared: Path, workers: int, *more: str) -> Run:
    """Our command on a copy of the class, from nothing graded."""
    with tempfile.TemporaryDirectory() as scratch:
        course = Path(shutil.copytree(prepared, Path(scratch) / "class"))
        report = Path(scratch) / "phases.json"
        words = (
            "grade",
            "--course",
            str(course),
            "--workers",
            str(workers),
            "--seed",
            "1",
            "--timings",
            str(report),
            *more,
        )
        begun = time.perf_counter()
        run(*words, cores="0" if workers == 1 else None)
        seconds = time.perf_counter() - begun
        told = json.loads(report.read_text(encoding="utf-8"))
        parts = {PLAN: told["command"]["plan"], **told["phases"], REPORTS: told["command"]["report"]}
        return Run(seconds, parts, tuple(told["finished"]), told["command"])


def memory_of_ours(prepared: Path) -> int:
    """The most that one worker and the processes below it held, in a run that is not timed; 0 where unknown."""
    with tempfile.TemporaryDirectory() as scratch:
        course = Path(shutil.copytree(prepared, Path(scratch) / "class"))
        words = [sys.executable, "-m", "autograder", "grade", "--course", str(course), "--workers", "1", "--seed", "1"]
        return sampled(words, COURSE, peak_of_workers)


def memory_of_stock(prepared: Path, unit: str) -> int:
    """The same of stock nbgrader with its kernel, on one submission."""
    with tempfile.TemporaryDirectory() as scratch:
        course = Path(shutil.copytree(prepared, Path(scratch) / "class"))
        (course / "nbgrader_config.py").write_text(STOCK_CONFIG, encoding="utf-8")
        return sampled([bin_of("nbgrader"), "autograde", unit, "--student=student001"], course, peak_of_tree)


def sampled(words: list[str], folder: Path, measure: Callable[[int], int]) -> int:
    """The largest of `measure`, taken again and again while a command runs."""
    process = subprocess.Popen(
        words, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak, ended = 0, threading.Event()

    def wait() -> None:
        process.wait()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    while not ended.wait(0.02):
        peak = max(peak, measure(process.pid))
    if process.returncode:
        sys.exit(f"{' '.join(words)} ended with {process.returncode}")
    return peak


def run(*arguments: str, cores: str | None = None) -> None:
    command([sys.executable, "-m", "autograder", *arguments], COURSE, cores)


def command(words: list[str], folder: Path, cores: str | None = None, **more: str) -> None:
    if cores is not None and shutil.which("taskset"):
        words = ["taskset", "-c", cores, *words]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env={**environment(), **more}, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr[-2000:]}")


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}


def bin_of(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def megabytes(size: int) -> str:
    return f"{size / (1 << 20):.0f} MB" if size else "not measured here"


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
