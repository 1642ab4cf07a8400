"""Observe a submission in another process, one time limit an exercise, and bring plain values back.

Which process that is, the caller says: a plain one for `check FILE`, a sandboxed fork of a warm one for grading.
In either nothing a submission does can change a verdict: it is made in this process, from arrays.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Protocol

from ..formats.cases import ExerciseCases, Fault, Sighting, call_tree
from ..formats.frames import Frames, NoFrame, received_sighting
from ..formats.submission import Block, Submission, defined_names
from ..formats.values import pack


@dataclass(frozen=True)
class TimeLimits:
    """Seconds that a submission may take. A process that does not keep them is ended from outside.

    cell:       one cell, or one statement of a Python file
    cells:      all of them together; when these are used up, each further cell has one second
    exercise:   one set of cases, where the lesson allows as much or more
    grace:      for a process that was interrupted and winds up
    submission: everything together
    """

    cell: float = 20.0
    cells: float = 60.0
    exercise: float = 60.0
    grace: float = 5.0
    submission: float = 240.0

    def of(self, cases: ExerciseCases) -> float:
        return min(cases.time_limit, self.exercise)


_START_SECONDS = 60.0
_MOST_LEFT_OUT = 3
"""Cells that may hang or end the process before nothing more is tried."""


class NotStarted(RuntimeError):
    """A process ended or hung before it ran any of the submission: no fault of the submission."""


class Process(Protocol):
    """A process that serves one request."""

    answers: IO[bytes]

    def ending(self) -> str:
        """How it ended, as the end of a sentence; empty where that is not known."""

    def stop(self) -> None:
        """End it and all that it started, and free what it held. `answers` is closed by its reader."""


Start = Callable[[bytes], Process]


@dataclass(frozen=True)
class Outside:
    """What came back: a sighting for each set of cases, and the outputs of the cells that ran."""

    sightings: dict[str, Sighting]
    outputs: dict[str, Any] = field(default_factory=dict)
    """By the name of the block, as its process described them: not to be trusted."""
    incidents: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    """Where the time went: starting processes, their cells, their exercises, ending them."""


def key_of(cases: ExerciseCases) -> str:
    return f"{cases.name}/{'hidden' if cases.hidden else 'visible'}"


def request_for(
    blocks: Sequence[Block], whole_file: bool, exercises: Sequence[ExerciseCases], times: TimeLimits
) -> bytes:
    """What the observing process is told: source and inputs, nothing that a verdict depends on."""
    return pack(
        {
            "blocks": [[block.source, block.name] for block in blocks],
            "whole_file": whole_file,
            "cell_limit": times.cell,
            "cells_limit": times.cells,
            "exercises": [
                {
                    "key": key_of(cases),
                    "name": cases.name,
                    "kind": cases.kind,
                    "plan": call_tree(cases.plan),
                    "replaces": list(cases.replaces),
                    "forbids": list(cases.forbids),
                    "time_limit": times.of(cases),
                }
                for cases in exercises
            ],
        }
    )


def observe_outside(submission: Submission, exercises: Sequence[ExerciseCases]) -> dict[str, Sighting]:
    """Observe a file in a plain process of its own; sightings by `key_of`."""
    folder = submission.path.resolve().parent

    def start(request: bytes) -> Process:
        return PlainProcess(request, folder)

    try:
        return observe_by(start, submission.blocks, not submission.is_notebook, exercises).sightings
    except NotStarted as error:
        died = Sighting({}, trouble=Fault("Died", f"{error}."))
        return {key_of(cases): died for cases in exercises}


def observe_by(
    start: Start,
    blocks: Sequence[Block],
    whole_file: bool,
    exercises: Sequence[ExerciseCases],
    times: TimeLimits | None = None,
) -> Outside:
    """One sighting for each set of cases, whatever the submission does.

    A process that hangs or dies is replaced by one that goes on behind the exercise in which that happened, or
    without the cell in which it happened. What is not observed when the time for everything is up is out of time.
    Raises NotStarted where no process can be had.
    """
    return _Observing(start, blocks, whole_file, exercises, times or TimeLimits()).outcome()


class _Observing:
    """The processes of one submission, one after the other."""

    def __init__(
        self,
        start: Start,
        blocks: Sequence[Block],
        whole_file: bool,
        exercises: Sequence[ExerciseCases],
        times: TimeLimits,
    ) -> None:
        self.start = start
        self.blocks = list(blocks)
        self.whole_file = whole_file
        self.pending = list(exercises)
        self.times = times
        self.deadline = time.monotonic() + times.submission
        self.sightings: dict[str, Sighting] = {}
        self.outputs: dict[str, Any] = {}
        self.incidents: list[str] = []
        self.left_out: dict[str, str] = {}
        """Why a name is missing, for the names that a cell which was left out defines."""
        self.cells_left_out = 0
        self.seconds: dict[str, float] = {}
        self.lap = time.monotonic()

    def outcome(self) -> Outside:
        while self.pending:
            if time.monotonic() > self.deadline:
                self._give_up(Fault("OutOfTime", f"{self.times.submission:g}"))
                self.incidents.append(f"the submission used up its {self.times.submission:g} seconds")
                break
            process = self.start(request_for(self.blocks, self.whole_file, self.pending, self.times))
            frames = Frames(process.answers)
            try:
                if self._run_cells(process, frames):
                    self._lap("cells")
                    self._watch_exercises(process, frames)
                    self._lap("exercises")
                else:
                    self._lap("cells")
            finally:
                frames.close()
                process.stop()
                self._lap("end")
        explained = {key: self._explained(key, sighting) for key, sighting in self.sightings.items()}
        return Outside(explained, self.outputs, tuple(self.incidents), self.seconds)

    def _lap(self, phase: str) -> None:
        """The time since the last lap was `phase`'s."""
        now = time.monotonic()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self.lap
        self.lap = now

    def _run_cells(self, process: Process, frames: Frames) -> bool:
        """Whether the cells ran to their end. Where not, either a cell is left out the next time or all is given up."""
        waiting = list(self.blocks)
        begun = self._next(frames, _START_SECONDS, process, "before its first cell")
        if isinstance(begun, Fault):
            raise NotStarted("the process that runs a submission did not begin" + process.ending())
        self._lap("start")
        patience = (self.times.cells if self.whole_file else self.times.cell) + self.times.grace
        while True:
            frame = self._next(frames, patience, process, "while its cells were run")
            if isinstance(frame, Fault):
                self._blame(waiting[0] if waiting else None, frame)
                return False
            if "loaded" in frame:
                return True
            if not waiting or frame.get("cell") != waiting[0].name:
                self._blame(None, Fault("Died", "the process sent something that is no observation."))
                return False
            block = waiting.pop(0)
            self.outputs.setdefault(block.name, frame.get("outputs"))

    def _blame(self, block: Block | None, fault: Fault) -> None:
        """Leave out the cell that hung or ended the process; where that helps no more, nothing can be observed."""
        hung = fault.type_name == "OutOfTime"
        if block is None or len(self.blocks) < 2 or self.cells_left_out >= _MOST_LEFT_OUT:
            if hung:
                fault = Fault("Died", "the cells before it did not finish in time.")
            self.incidents.append(fault.message)
            self._give_up(fault)
            return
        what = "could not be stopped within its time" if hung else "ended the process"
        self.incidents.append(f"{block.name} {what} and was left out{'' if hung else f': {fault.message}'}")
        self.blocks.remove(block)
        self.cells_left_out += 1
        self.left_out |= dict.fromkeys(defined_names(block.source), f"{block.name} {what}")
        said = {"output_type": "error", "ename": "Stopped", "evalue": what, "traceback": [f"This cell {what}."]}
        self.outputs[block.name] = [said]

    def _watch_exercises(self, process: Process, frames: Frames) -> None:
        for cases in list(self.pending):
            wait = self.times.of(cases) + self.times.grace
            frame = self._next(frames, wait, process, f"while `{cases.name}` was checked")
            if isinstance(frame, Fault):
                hung = frame.type_name == "OutOfTime"
                self.incidents.append(f"`{cases.name}` ran on after its time limit" if hung else frame.message)
                fault = Fault("OutOfTime", f"{self.times.of(cases):g}") if hung else frame
                for same in [same for same in self.pending if same.name == cases.name]:
                    # It hung or died on the visible cases: its hidden ones would only cost the same time again.
                    self._note(same, Sighting({}, trouble=fault))
                return
            sighting = received_sighting(frame, key_of(cases), cases.plan)
            if sighting is None:
                told = "the process sent something that is no observation."
                self.incidents.append(f"`{cases.name}`: {told}")
                sighting = Sighting({}, trouble=Fault("Died", told))
            self._note(cases, sighting)

    def _note(self, cases: ExerciseCases, sighting: Sighting) -> None:
        self.sightings[key_of(cases)] = sighting
        self.pending.remove(cases)

    def _give_up(self, fault: Fault) -> None:
        self.sightings |= {key_of(cases): Sighting({}, trouble=fault) for cases in self.pending}
        self.pending = []

    def _next(self, frames: Frames, wait: float, process: Process, when: str) -> dict[str, Any] | Fault:
        left = max(self.deadline - time.monotonic(), 0.0) + self.times.grace
        try:
            frame = frames.next(min(wait, left))
        except NoFrame:
            return Fault("OutOfTime", f"{wait:g}")
        if frame is None:
            return Fault("Died", f"the process ended {when}{process.ending()}.")
        return frame

    def _explained(self, key: str, sighting: Sighting) -> Sighting:
        name = key.rpartition("/")[0]
        if name in self.left_out and sighting.trouble and sighting.trouble.type_name == "NotDefined":
            why = Fault("NotDefined", f"`{name}` is not defined: {self.left_out[name]} and was left out")
            return replace(sighting, trouble=why)
        return sighting


def child_environment() -> dict[str, str]:
    """This process' environment, in which a child finds the package that runs here, however it came to be found."""
    root = Path(__file__).resolve().parents[2]
    environment = {"OMP_NUM_THREADS": "1", **os.environ}  # arrays here are tiny: threads would only wait
    if "site-packages" not in root.parts:  # what is installed is found anyway, behind the standard library
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
    return environment


class PlainProcess:
    """A fresh interpreter in a submission's folder: apart, but not locked up."""

    def __init__(self, request: bytes, folder: Path, module: str = "autograder.observing.serve") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=child_environment(),
        )
        assert self._process.stdin and self._process.stdout
        self.answers: IO[bytes] = self._process.stdout
        with contextlib.suppress(OSError):  # it died before reading; the missing frame says so
            self._process.stdin.write(request)
            self._process.stdin.close()

    def ending(self) -> str:
        try:
            code = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return ""
        return f" (killed by signal {-code})" if code < 0 else f" (exit status {code})"

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
