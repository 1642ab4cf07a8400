"""`python -m autograder grade`: grade what lies in `submitted/`, safely."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import UsageError, add_course, chosen_units, told_by_system

if TYPE_CHECKING:
    from ..grading.pipeline import Outcome, Plan
    from ..grading.record import Record


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--assignment", nargs="+", default=[], metavar="UNIT", help="units to grade (default: all)")
    parser.add_argument("--student", nargs="+", default=[], metavar="ID", help="students to grade (default: all)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="how many processes grade in parallel")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="grade on the cluster of this dask scheduler")
    parser.add_argument(
        "--isolation",
        choices=("auto", "none"),
        default="auto",
        help="none runs submissions with your own rights: only for code that you trust",
    )
    parser.add_argument("--seed", type=int, help="seed of the hidden cases (default: the last one used, or a new one)")
    parser.add_argument(
        "--force", action="store_true", help="grade everything again; without --seed, on new hidden cases"
    )
    parser.add_argument(
        "--run-demos", action="store_true", help="also run cells marked demo: slower, and no grade depends on them"
    )
    parser.add_argument(
        "--show-case",
        metavar="EXERCISE",
        help="print the exercise's hidden cases, with --student also what that learner's code gives; grades nothing",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be graded and why; write nothing")
    parser.add_argument("--timings", type=Path, metavar="FILE", help="write seconds by phase to this file, as JSON")
    add_course(parser)


def run(options: argparse.Namespace) -> int:
    begun = time.perf_counter()
    from ..grading.files import shown_name
    from ..grading.pipeline import plan

    course: Path = options.course
    if options.workers < 1:
        raise UsageError("--workers must be at least 1.")
    if options.seed is not None and options.seed < 0:
        raise UsageError("--seed must be 0 or more.")
    confined = options.dry_run or _confined(options.isolation, options.scheduler)
    units = chosen_units(course, options.assignment)
    if options.show_case:
        return _show_case(course, units, options, confined)
    where = "put notebooks at submitted/STUDENT/UNIT/NAME.ipynb."
    if not (course / "submitted").is_dir():
        raise UsageError(f"{course} has no folder submitted/: {where}")
    folders = [path.name for path in (course / "submitted").iterdir()]
    if missing := sorted({*options.student} - {*folders, *map(shown_name, folders)}):
        raise UsageError(f"nothing was handed in by {', '.join(missing)}: there is no such folder in submitted/.")
    try:
        work = plan(course, units, options.student, seed=options.seed, force=options.force, dry=options.dry_run)
        if not work.todo and not work.kept:
            raise UsageError(f"nothing was handed in for {', '.join(units)}: {where}")
        if options.dry_run:
            print(told_plan(work))
            return 0
        return _grade(work, options, confined, begun)
    except KeyboardInterrupt:
        print("\nStopped before the first submission: run the same command to continue.", file=sys.stderr)
        return 130
    except OSError as error:
        raise UsageError(
            f"grades cannot be written: {told_by_system(error)}. Free some space or fix the permissions of {course}, "
            "then run the same command again: what is graded is kept."
        ) from error


def _confined(mode: str, scheduler: str | None) -> bool:
    """Whether submissions run in the sandbox. On a cluster each worker finds out for itself whether it has one."""
    from ..observing.sandbox.isolation import require

    if mode == "none":
        told = "Isolation is off: submissions run with your own rights and can read and change your files."
        print(told, file=sys.stderr)
    elif scheduler is None:
        require()
    return mode != "none"


def _show_case(course: Path, units: Sequence[str], options: argparse.Namespace, confined: bool) -> int:
    from ..grading.assignment import open_assignment
    from ..grading.files import read_record, recorded_seeds
    from ..grading.show_case import hidden_cases_in_words

    if len(units) != 1 or len(options.student) > 1:
        raise UsageError(
            "--show-case looks at one unit and at most one student: name them with --assignment and --student."
        )
    (unit,) = units
    student = options.student[0] if options.student else ""
    record = read_record(course, student, unit) if student else None
    seed = options.seed if options.seed is not None else record.seed if record else recorded_seeds(course).get(unit)
    if seed is None:
        raise UsageError(f"{unit} has not been graded yet, so it has no hidden cases: name a seed with --seed.")
    try:
        assignment = open_assignment(course, unit, seed)
        if options.show_case not in assignment.visible.names:
            known = ", ".join(assignment.visible.names)
            raise UsageError(f"{unit} has no exercise {options.show_case!r}; it has: {known}.")
        print(f"{unit}, seed {seed}")
        if record and record.assignment != assignment.digest:
            print("The unit has changed since this submission was graded: these may be other cases than those.")
        folder = course / "submitted" / student / unit if student else None
        print(hidden_cases_in_words(assignment, options.show_case, folder, confined))
    except FileNotFoundError as error:
        raise UsageError(f"{student} has handed in nothing for {unit}.") from error
    return 0


def _grade(work: Plan, options: argparse.Namespace, confined: bool, begun: float) -> int:
    """`begun`: when the command did, by `time.perf_counter`."""
    planned = time.perf_counter() - begun
    from tqdm import tqdm

    from ..grading.cluster import cluster_executor
    from ..grading.files import read_record
    from ..grading.pipeline import local_executor, run
    from ..grading.reports import write_reports

    workers = min(options.workers, max(len(work.todo), 1))
    make, workers = cluster_executor(options.scheduler) if options.scheduler else (local_executor(workers), workers)
    seeds = ", ".join(f"{unit} {assignment.seed}" for unit, assignment in work.assignments.items())
    print(f"{len(work.todo)} submissions to grade, {len(work.kept)} already graded. Seeds of the hidden cases: {seeds}")
    if told := _told_stale(work):
        print(told)
    with tqdm(total=len(work.todo), unit="submission", disable=not work.todo, file=sys.stderr) as bar:
        outcome = run(
            work,
            make,
            confined=confined,
            workers=workers,
            run_demos=options.run_demos,
            progress=lambda done: bar.update(),
        )
    if outcome.interrupted:
        told = f"{len(outcome.graded)} graded and kept, {outcome.left} left: run the same command to continue."
        print(f"\nStopped. {told}")
        return 130
    reporting = time.perf_counter()
    found = [read_record(options.course, one.student, one.unit) for one in (*work.todo, *work.kept)]
    written = write_reports(options.course, outcome.failed)
    print(summary([record for record in found if record], outcome))
    if outcome.penalties:
        print(f"{outcome.penalties} late penalties changed with points that were given by hand.")
    print("\n".join(map(str, written)))
    if options.timings:
        whole = {"plan": planned, "grade": outcome.seconds, "report": time.perf_counter() - reporting}
        told_times = {"command": whole, "phases": outcome.phases, "finished": outcome.finished}
        options.timings.write_text(json.dumps(told_times, indent=1) + "\n", encoding="utf-8")
    for failure in outcome.failed:
        print(f"NOT GRADED: {failure.student}, {failure.unit}: {failure.reason}", file=sys.stderr)
    return 1 if outcome.failed else 0


def told_plan(work: Plan) -> str:
    """What a run would do, a line for each submission with the reason."""
    lines = [
        f"{'grade' if submission in set(work.todo) else 'keep':<7}{submission.unit:<28}{submission.student:<30}{reason}"
        for submission, reason in work.reasons.items()
    ]
    told = f"{len(work.todo)} would be graded, {len(work.kept)} would be kept. Nothing was written."
    return "\n".join([*lines, told, *filter(None, [_told_stale(work)])])


def _told_stale(work: Plan) -> str:
    if not work.stale:
        return ""
    units = " ".join(sorted({submission.unit for submission in work.stale}))
    return (
        f"{len(work.stale)} other submissions were graded against other cases or points: run "
        f"`python -m autograder grade --assignment {units}` to bring them up to date."
    )


def summary(records: Sequence[Record], outcome: Outcome) -> str:
    """The table at the end: for each unit how many were graded, their mean, repairs and incidents."""
    lines = [f"{'unit':<28}{'graded':>8}{'mean':>8}{'of':>7}{'repaired':>10}{'incidents':>11}"]
    for unit in sorted({record.unit for record in records}):
        group = [record for record in records if record.unit == unit]
        mean = sum(record.score for record in group) / len(group)
        repaired = sum(bool(record.repairs) for record in group)
        incidents = sum(bool(record.incidents) for record in group)
        lines.append(f"{unit:<28}{len(group):>8}{mean:>8.2f}{group[0].max_score:>7g}{repaired:>10}{incidents:>11}")
    if outcome.graded:
        rate = 60 * len(outcome.graded) / outcome.seconds
        lines.append(f"{len(outcome.graded)} graded in {outcome.seconds:.1f} s, {rate:.0f} a minute.")
    return "\n".join(lines)
