"""Grade a class: hand submissions to an executor, write each grade as it comes, lose nothing.

Anything that is a `concurrent.futures.Executor` will do: processes on this machine, or a cluster's.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .assignment import Assignment, open_assignment
from .feedback import feedback_page
from .files import Handed, handed_in, read_record, record_seed, recorded_seeds, write_graded
from .grade_one import submission_digest
from .gradebook import GradebookWriter
from .worker import Done, Task, task_for, work

_ATTEMPTS = 3
_AHEAD = 4
"""Submissions in hand for each worker: enough to keep it busy, few enough to stop soon."""

MakeExecutor = Callable[[], Executor]


@dataclass(frozen=True)
class Plan:
    """What one grading run will do."""

    course: Path
    assignments: dict[str, Assignment]
    todo: tuple[Handed, ...]
    kept: tuple[Handed, ...]
    """Graded before, and nothing has changed since."""


@dataclass
class Outcome:
    """What one grading run did."""

    graded: list[dict[str, Any]] = field(default_factory=list)
    """Records, in order of completion."""
    failed: list[Done] = field(default_factory=list)
    kept: int = 0
    seconds: float = 0.0
    peak_memory: int = 0
    writing_seconds: float = 0.0
    interrupted: bool = False
    left: int = 0


def plan(
    course: Path, units: Sequence[str], students: Sequence[str], *, seed: int | None, force: bool
) -> Plan:
    """Find what is to be graded. Raises NoAssignment, GradebookError."""
    before = recorded_seeds(course)
    found = handed_in(course, units, students)
    assignments: dict[str, Assignment] = {}
    for unit in units:
        if not any(handed.unit == unit for handed in found):
            continue
        chosen = seed if seed is not None else None if force else before.get(unit)
        assignments[unit] = open_assignment(course, unit, secrets.randbelow(2**31) if chosen is None else chosen)
    todo, kept = [], []
    with GradebookWriter(course) as book:
        for assignment in assignments.values():
            book.open_assignment(assignment)
        for handed in found:
            done = not force and _is_done(course, assignments[handed.unit], handed, book)
            (kept if done else todo).append(handed)
    return Plan(course, assignments, tuple(todo), tuple(kept))


def _is_done(course: Path, assignment: Assignment, handed: Handed, book: GradebookWriter) -> bool:
    record = read_record(course, handed.student, handed.unit)
    return (
        record is not None
        and record["assignment"] == assignment.digest
        and record["submission"] == submission_digest(handed.folder, assignment.notebook_name)
        and book.has(handed.unit, handed.student)
    )


def run(
    plan: Plan,
    make_executor: MakeExecutor,
    *,
    confined: bool,
    workers: int,
    progress: Callable[[Done], None] = lambda done: None,
) -> Outcome:
    """Grade what the plan names. Each grade is in the gradebook and on disk before the next one is looked at.

    Raises GradebookError or OSError where grades cannot be written; what was graded by then is kept.
    """
    outcome = Outcome(kept=len(plan.kept))
    begun = time.perf_counter()
    for unit, assignment in plan.assignments.items():
        record_seed(plan.course, unit, assignment.seed)
    left = len(plan.todo)
    try:
        with GradebookWriter(plan.course) as book:
            for done in _completed(plan, make_executor, confined, workers):
                left -= 1
                outcome.peak_memory = max(outcome.peak_memory, done.peak_memory)
                if done.graded is None:
                    outcome.failed.append(done)
                else:
                    writing = time.perf_counter()
                    _write(plan, book, done)
                    outcome.writing_seconds += time.perf_counter() - writing
                    outcome.graded.append(done.graded.record)
                progress(done)
    except KeyboardInterrupt:
        outcome.interrupted = True
    outcome.left = left
    outcome.seconds = time.perf_counter() - begun
    return outcome


def _write(plan: Plan, book: GradebookWriter, done: Done) -> None:
    """Gradebook first, files last: the record on disk is what says that a submission is done."""
    assert done.graded is not None
    assignment = plan.assignments[done.unit]
    handed = next(h for h in plan.todo if (h.student, h.unit) == (done.student, done.unit))
    timestamp = handed.timestamp()
    book.write(done.graded, assignment.notebook_name, timestamp)
    write_graded(plan.course, assignment, done.graded, timestamp, feedback_page(assignment, done.graded))


def _completed(plan: Plan, make_executor: MakeExecutor, confined: bool, workers: int) -> Iterator[Done]:
    """Tasks as they are done. An executor whose worker died is replaced, and its tasks are tried again."""
    waiting = [(handed, 1) for handed in plan.todo]
    while waiting:
        lost: list[tuple[Handed, int]] = []
        with _ended(make_executor()) as executor:
            running: dict[Future[Done], tuple[Handed, int]] = {}
            while waiting or running:
                while waiting and len(running) < _AHEAD * workers:
                    handed, attempt = waiting.pop(0)
                    try:
                        running[_submit(executor, plan, handed, confined)] = (handed, attempt)
                    except BrokenExecutor:
                        lost.append((handed, attempt))
                        lost += waiting
                        waiting = []
                finished, _ = wait(running, return_when=FIRST_COMPLETED) if running else (set(), set())
                for future in finished:
                    handed, attempt = running.pop(future)
                    done = _result(future, handed)
                    if done is not None:
                        yield done
                    elif attempt < _ATTEMPTS:
                        lost.append((handed, attempt + 1))
                    else:
                        yield Done(handed.student, handed.unit, None, f"its worker ended {_ATTEMPTS} times while grading it")
        waiting = lost


def _submit(executor: Executor, plan: Plan, handed: Handed, confined: bool) -> Future[Done]:
    task = _task(handed, confined)
    return executor.submit(work, plan.assignments[handed.unit], task)


def _task(handed: Handed, confined: bool) -> Task:
    return task_for(handed.student, handed.unit, handed.folder, confined)


def _result(future: Future[Done], handed: Handed) -> Done | None:
    """A task's result; None where its worker died under it."""
    try:
        return future.result()
    except KeyboardInterrupt:
        raise
    except BrokenExecutor:
        return None
    except BaseException as error:  # noqa: BLE001  a cluster's own exceptions, of which a lost worker is one
        if "Killed" in type(error).__name__ or "Cancelled" in type(error).__name__:
            return None
        return Done(handed.student, handed.unit, None, f"{type(error).__name__}: {error}")


@contextmanager
def _ended(executor: Executor) -> Iterator[Executor]:
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in list(getattr(executor, "_processes", None) or {}):
            _kill(process)
        raise
    executor.shutdown(wait=True)


def _kill(process: int) -> None:
    import os
    import signal

    try:
        os.kill(process, signal.SIGTERM)
    except (OSError, AttributeError):
        return


def local_executor(workers: int) -> MakeExecutor:
    """Processes on this machine, spawned clean: nothing of this process' memory is in them."""
    import multiprocessing

    def make() -> Executor:
        return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_quiet)

    return make


def _quiet() -> None:
    """Ctrl-C is for the process that writes the grades; workers end when it does."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def records(course: Path, handed: Iterable[Handed]) -> list[dict[str, Any]]:
    """The records of submissions that have one."""
    found = (read_record(course, one.student, one.unit) for one in handed)
    return [record for record in found if record is not None]
