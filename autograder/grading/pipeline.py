"""Grade a class: hand submissions to an executor, write each grade as it comes, lose nothing.

Anything that is a `concurrent.futures.Executor` will do: processes on this machine, or a cluster's.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import pickle
import secrets
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..observing.outside import TimeLimits
from .assignment import Assignment, open_assignment
from .class_list import more_time
from .files import (
    Forced,
    Submission,
    find_submissions,
    forced_before,
    graded_at,
    note_forced,
    only_writer,
    read_answers,
    read_record,
    record_seed,
    recorded_seeds,
    write_graded,
)
from .grade_one import Graded
from .gradebook import GradebookError, GradebookWriter, MoreTime
from .record import Failure, Record
from .submission import TIMESTAMP, submission_digest, submission_files
from .worker import Conditions, Task, start_worker, work

_ATTEMPTS = 3
_AHEAD = 4
"""Submissions in hand for each worker: enough to keep it busy, few enough to stop soon."""

MakeExecutor = Callable[[], Executor]
Done = Graded | Failure


@dataclass(frozen=True)
class Plan:
    """What one grading run will do."""

    course: Path
    assignments: dict[str, Assignment]
    todo: tuple[Submission, ...]
    kept: tuple[Submission, ...]
    """Graded before, and nothing has changed since."""
    reasons: dict[Submission, str]
    """Why each is graded or kept."""
    stale: tuple[Submission, ...] = ()
    """Graded before against other cases or points than these, and not asked for now."""
    forced: Forced | None = None
    sets_seed: bool = True
    """Whether the seeds of this run become the class's."""
    more_time: MoreTime | None = None


@dataclass
class Outcome:
    """What one grading run did."""

    graded: list[Record] = field(default_factory=list)
    """In order of completion."""
    failed: list[Failure] = field(default_factory=list)
    kept: int = 0
    seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    """Seconds by phase, over all submissions; those of several workers add up."""
    finished: list[float] = field(default_factory=list)
    """When each was done, in seconds since the run began."""
    interrupted: bool = False
    left: int = 0
    penalties: int = 0
    """Late penalties of submissions that were not graded now, and that have changed with points given by hand."""


def plan(
    course: Path, units: Sequence[str], students: Sequence[str], *, seed: int | None, force: bool, dry: bool = False
) -> Plan:
    """Find what is to be graded. Raises NoAssignment, GradebookError, RosterError.

    dry: write nothing, not even to the gradebook
    """
    granted = more_time(course)
    before = recorded_seeds(course)
    found = find_submissions(course, units, students)
    present = [unit for unit in units if any(submission.unit == unit for submission in found)]
    stopped = forced_before(course, present, students) if force else None
    if stopped and seed is not None and set(stopped.seeds.values()) != {seed}:
        stopped = None
    anew = force and not students
    chosen = {unit: seed if seed is not None else None if anew else before.get(unit) for unit in present}
    chosen |= stopped.seeds if stopped else {}
    seeds = {unit: secrets.randbelow(2**31) if one is None else one for unit, one in chosen.items()}
    assignments = {unit: open_assignment(course, unit, one) for unit, one in seeds.items()}
    forced = stopped or (Forced(tuple(present), tuple(sorted(students)), seeds, time.time()) if force else None)
    reasons: dict[Submission, str] = {}
    todo: list[Submission] = []
    if dry and not (course / "gradebook.db").is_file():
        reasons = dict.fromkeys(found, "not graded before")
        return Plan(course, assignments, tuple(found), (), reasons)
    with GradebookWriter(course) as book:
        for assignment in assignments.values() if not dry else ():
            book.open_assignment(assignment)
        for submission in found:
            why = _why(course, assignments[submission.unit], submission, book, forced)
            reasons[submission] = why or "graded before, nothing has changed"
            todo += [submission] if why else []
    kept = tuple(one for one in found if one not in set(todo))
    # one learner graded on cases of their own does not change the class's
    sets_seed = not students or seed is None or not set(present) <= set(before)
    stale = tuple(_stale(course, assignments, set(found))) if students and sets_seed else ()
    return Plan(course, assignments, tuple(todo), kept, reasons, stale, forced, sets_seed, granted)


def _stale(course: Path, assignments: Mapping[str, Assignment], asked: set[Submission]) -> Iterator[Submission]:
    for submission in find_submissions(course, tuple(assignments), ()):
        record = None if submission in asked else read_record(course, submission.student, submission.unit)
        if record is not None and record.assignment != assignments[submission.unit].digest:
            yield submission


def _why(
    course: Path, assignment: Assignment, submission: Submission, book: GradebookWriter, forced: Forced | None
) -> str:
    """Why a submission is to be graded; empty where it is not."""
    record = read_record(course, submission.student, submission.unit)
    if record is None:
        return "not graded before"
    if record.assignment != assignment.digest:
        return "the unit has changed: its cases, its points or its seed"
    wanted = assignment.wanted_files
    try:
        same = record.submission == submission_digest(submission_files(submission.folder, wanted), wanted)
    except OSError:
        same = False
    if not same:
        return "something else was handed in"
    if not book.has(submission.unit, submission.student):
        return "the gradebook does not hold it"
    if forced and graded_at(course, submission.student, submission.unit) < forced.begun:
        return "--force"
    return ""


def run(
    plan: Plan,
    make_executor: MakeExecutor,
    *,
    confined: bool,
    workers: int,
    times: TimeLimits | None = None,
    run_demos: bool = False,
    progress: Callable[[Done], None] = lambda done: None,
) -> Outcome:
    """Grade what the plan names. Each grade is in the gradebook and on disk before the next one is looked at.

    Raises GradebookError or OSError where grades cannot be written; what was graded by then is kept.
    """
    outcome = Outcome(kept=len(plan.kept), left=len(plan.todo))
    begun = time.perf_counter()
    try:
        with only_writer(plan.course) as free:
            if not free:
                raise GradebookError("another grading of this course is running: wait for its end, or stop it.")
            for unit, assignment in plan.assignments.items() if plan.sets_seed else ():
                record_seed(plan.course, unit, assignment.seed)
            if plan.forced:
                note_forced(plan.course, plan.forced)
            conditions = Conditions(confined, times or TimeLimits(), run_demos)
            grading = _Grading(plan, make_executor, conditions, _AHEAD * workers)
            with GradebookWriter(plan.course, plan.more_time) as book, closing(grading.completed()) as completed:
                for done in completed:
                    _write_down(plan, book, done, outcome)
                    outcome.finished.append(time.perf_counter() - begun)
                    progress(done)
                outcome.penalties = sum(map(book.refresh_penalties, plan.assignments))
            if plan.forced:
                note_forced(plan.course, None)
    except KeyboardInterrupt:
        outcome.interrupted = True
    outcome.seconds = time.perf_counter() - begun
    return outcome


def _write_down(plan: Plan, book: GradebookWriter, done: Done, outcome: Outcome) -> None:
    """Write one grade down; one that cannot be written for a reason of its own is a failure of that one."""
    begun = time.perf_counter()
    try:
        if isinstance(done, Graded):
            _write(plan, book, done)
            outcome.graded.append(done.record)
            _add_up(outcome.phases, done.seconds)
        else:
            outcome.failed.append(done)
    except (GradebookError, OSError):
        raise
    except Exception as error:  # one submission must not stop the class
        record = done.record if isinstance(done, Graded) else done
        outcome.failed.append(Failure(record.student, record.unit, f"{type(error).__name__}: {error}"))
    outcome.left -= 1
    _add_up(outcome.phases, {"gradebook and files": time.perf_counter() - begun})


def _add_up(phases: dict[str, float], more: Mapping[str, float]) -> None:
    for phase, seconds in more.items():
        phases[phase] = phases.get(phase, 0.0) + seconds


def _write(plan: Plan, book: GradebookWriter, graded: Graded) -> None:
    """Gradebook first, files last: the record on disk is what says that a submission is done."""
    student, unit = graded.record.student, graded.record.unit
    assignment = plan.assignments[unit]
    submission = next(one for one in plan.todo if (one.student, one.unit) == (student, unit))
    answers = read_answers(plan.course, student, unit, assignment.notebook_name)
    beside = submission.exchange_files()
    timestamp = beside[TIMESTAMP].decode() if TIMESTAMP in beside else None
    book.write(graded, assignment.notebook_name, timestamp, answers)
    write_graded(plan.course, assignment, graded, beside)


@dataclass(frozen=True)
class _Attempt:
    submission: Submission
    number: int = 1

    def failed(self, reason: str) -> Failure:
        return Failure(self.submission.student, self.submission.unit, reason)

    def again(self) -> _Attempt:
        return _Attempt(self.submission, self.number + 1)


class _Grading:
    """Hands submissions to an executor, and to a new one where a worker of it died."""

    def __init__(self, plan: Plan, make_executor: MakeExecutor, conditions: Conditions, ahead: int) -> None:
        self.assignments = plan.assignments
        self.packed = {unit: pickle.dumps(assignment) for unit, assignment in plan.assignments.items()}
        self.make_executor = make_executor
        self.conditions = conditions
        self.ahead = ahead
        self.waiting = deque(map(_Attempt, plan.todo))

    def completed(self) -> Generator[Done, None, None]:
        """What came of each submission, in order of completion."""
        while self.waiting:
            lost: list[_Attempt] = []
            running: dict[Future[Done], _Attempt] = {}
            with _ended(self.make_executor()) as executor:
                while (self.waiting and not lost) or running:
                    while not lost and self._may_submit(running):
                        attempt = self.waiting.popleft()
                        try:
                            task = self._task(attempt.submission)
                        except (OSError, ValueError) as error:
                            yield attempt.failed(f"it cannot be read: {error}")
                            continue
                        try:
                            running[_submit(executor, self.packed[task.unit], task)] = attempt
                        except BrokenExecutor:
                            lost.append(attempt)
                    finished, _ = wait(running, return_when=FIRST_COMPLETED) if running else (set(), set())
                    for future in finished:
                        attempt = running.pop(future)
                        done = _result(future, attempt)
                        if done is None and attempt.number >= _ATTEMPTS:
                            done = attempt.failed(f"its worker ended {_ATTEMPTS} times while grading it")
                        if done is None:
                            lost.append(attempt.again())
                        elif isinstance(done, Graded) and done.unsettled and attempt.number == 1:
                            self.waiting.append(attempt.again())  # last, and alone: then the machine is no reason
                        else:
                            yield done
            self.waiting.extendleft(reversed(lost))

    def _may_submit(self, running: Mapping[Future[Done], _Attempt]) -> bool:
        """What was in hand when a worker died is tried alone: then the one that ends workers is known by it."""
        if not self.waiting or any(attempt.number > 1 for attempt in running.values()):
            return False
        return len(running) < (1 if self.waiting[0].number > 1 else self.ahead)

    def _task(self, submission: Submission) -> Task:
        """Raises OSError, and ValueError for a name that can be neither stored nor shown."""
        submission.student.encode()
        files = submission_files(submission.folder, self.assignments[submission.unit].wanted_files)
        return Task(submission.student, submission.unit, files, self.conditions)


def _submit(executor: Executor, assignment: bytes, task: Task) -> Future[Done]:
    """Submit with Ctrl-C held back, so that a worker that is started here is born deaf to it."""
    if not hasattr(signal, "pthread_sigmask"):
        return executor.submit(work, assignment, task)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return executor.submit(work, assignment, task)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _result(future: Future[Done], attempt: _Attempt) -> Done | None:
    """A task's result; None where its worker died under it."""
    try:
        return future.result()
    except KeyboardInterrupt:
        raise
    except BrokenExecutor:
        return None
    except BaseException as error:  # a cluster's own exceptions, of which a lost worker is one
        if "Killed" in type(error).__name__ or "Cancelled" in type(error).__name__:
            return None
        return attempt.failed(f"{type(error).__name__}: {error}")


@contextmanager
def _ended(executor: Executor) -> Iterator[Executor]:
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in list(getattr(executor, "_processes", None) or {}):
            with suppress(OSError):
                os.kill(process, signal.SIGTERM)
        raise
    executor.shutdown(wait=True)


def local_executor(workers: int) -> MakeExecutor:
    """Processes on this machine, spawned clean: nothing of this process' memory is in them."""
    spawn = multiprocessing.get_context("spawn")
    return functools.partial(ProcessPoolExecutor, workers, mp_context=spawn, initializer=start_worker)
