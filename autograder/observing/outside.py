"""Observe a submission in another process, and bring plain values back.

Which process that is, the caller says: locked up for grading, with the learner's own rights for `check FILE` and
`preflight`. In either nothing a submission does can change a verdict: it is made in this process, from arrays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any, Protocol

from ..formats.cases import ExerciseCases, Fault, Sighting, call_tree
from ..formats.frames import Frames, NoFrame, received_sighting
from ..formats.notebook_file import Block, defined_names
from ..formats.values import pack
from .clock import PATIENCE, slowness


@dataclass(frozen=True)
class TimeLimits:
    """Seconds that a submission may compute. It may wait `patience` times as long; a process that does not keep to it
    is ended from outside.

    cell:       one cell, or one statement of a Python file
    cells:      all of them together; when these are used up, each further cell has one second
    exercise:   one set of cases, where the lesson allows as much or more
    grace:      for a process that was interrupted and winds up
    submission: everything together
    imports:    what cells import beyond what is imported anyway; their own clock does not count it
    """

    cell: float = 20.0
    cells: float = 60.0
    exercise: float = 60.0
    grace: float = 5.0
    submission: float = 240.0
    imports: float = 60.0
    patience: float = PATIENCE

    def of(self, cases: ExerciseCases) -> float:
        return min(cases.time_limit, self.exercise)

    @property
    def wall(self) -> float:
        """Seconds after which nobody waits for a submission any more, on this machine."""
        return (self.patience * self.submission + self.imports) * slowness() + self.grace


_START_SECONDS = 600.0
"""A process begins with imports, which take minutes on a slow machine."""
_LOOK = 0.5
_MOST_LEFT_OUT = 3
"""Cells that may hang or end the process before nothing more is tried."""


class NotStarted(RuntimeError):
    """A process ended, hung or cannot be started before it runs any of the submission: no fault of the submission."""


class Process(Protocol):
    """A process that serves one request."""

    answers: IO[bytes]

    def computed(self) -> float | None:
        """Seconds that the submission has computed so far; None where the system does not tell."""

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


def _request_for(
    blocks: Sequence[Block], whole_file: bool, exercises: Sequence[ExerciseCases], times: TimeLimits
) -> bytes:
    """What the observing process is told: source and inputs, nothing that a verdict depends on."""
    return pack(
        {
            "blocks": [{"source": block.source, "name": block.name, "is_setup": block.is_setup} for block in blocks],
            "whole_file": whole_file,
            "cell_limit": times.cell,
            "cells_limit": times.cells,
            "patience": times.patience,
            "exercises": [
                {
                    "key": cases.key,
                    "name": cases.name,
                    "kind": cases.kind,
                    "unit": cases.unit,
                    "plan": call_tree(cases.calls),
                    "replaces": list(cases.replaces),
                    "forbids": list(cases.forbids),
                    "time_limit": times.of(cases),
                }
                for cases in exercises
            ],
        }
    )


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
    return _Observing(start, list(blocks), whole_file, list(exercises), times or TimeLimits()).outcome()


_HANGING = ("OutOfTime", "Waited")


@dataclass
class _Observing:
    """The processes of one submission, one after the other."""

    start: Start
    blocks: list[Block]
    whole_file: bool
    pending: list[ExerciseCases]
    times: TimeLimits
    sightings: dict[str, Sighting] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    incidents: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """Why a name is missing, for the names that a cell which was left out defines."""
    cells_left_out: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    lap: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.deadline = self.lap + self.times.wall

    def outcome(self) -> Outside:
        while self.pending:
            if time.monotonic() > self.deadline:
                self._give_up(Fault("OutOfTime", f"{self.times.submission:g}"))
                self.incidents.append(f"the submission used up its {self.times.submission:g} seconds")
                break
            process = self.start(_request_for(self.blocks, self.whole_file, self.pending, self.times))
            frames = Frames(process.answers)
            try:
                ran = self._run_cells(process, frames)
                self._lap("cells")
                if ran:
                    self._watch_exercises(process, frames)
                    self._lap("exercises")
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
        begun = self._next(frames, _START_SECONDS / self.times.patience, process, "before its first cell")
        if isinstance(begun, Fault):
            raise NotStarted("the process that runs a submission did not begin" + process.ending())
        self._lap("start")
        seconds = self.times.cells if self.whole_file else self.times.cell
        while True:
            frame = self._next(frames, seconds, process, "while its cells were run", self.times.imports)
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
        hung = fault.type_name in _HANGING
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
            frame = self._next(frames, self.times.of(cases), process, f"while `{cases.name}` was checked")
            if isinstance(frame, Fault):
                hung = frame.type_name in _HANGING
                self.incidents.append(f"`{cases.name}` ran on after its time limit" if hung else frame.message)
                fault = replace(frame, message=f"{self.times.of(cases):g}") if hung else frame
                for same in [same for same in self.pending if same.name == cases.name]:
                    # It hung or died on the visible cases: its hidden ones would only cost the same time again.
                    self._note(same, Sighting({}, trouble=fault))
                return
            sighting = received_sighting(frame, cases.key, cases.calls)
            if sighting is None:
                told = "the process sent something that is no observation."
                self.incidents.append(f"`{cases.name}`: {told}")
                sighting = Sighting({}, trouble=Fault("Died", told))
            self._note(cases, sighting)

    def _note(self, cases: ExerciseCases, sighting: Sighting) -> None:
        self.sightings[cases.key] = sighting
        self.pending.remove(cases)

    def _give_up(self, fault: Fault) -> None:
        self.sightings |= {cases.key: Sighting({}, trouble=fault) for cases in self.pending}
        self.pending = []

    def _next(
        self, frames: Frames, seconds: float, process: Process, when: str, imports: float = 0.0
    ) -> dict[str, Any] | Fault:
        """The next frame of a process that may compute for so long, or wait for `patience` times as long."""
        # it watches its own time, and is quicker where it can
        most = (2 * seconds + imports) * slowness() + self.times.grace
        wall = (self.times.patience * seconds + imports) * slowness()
        end = min(time.monotonic() + wall, self.deadline) + self.times.grace
        before = process.computed() or 0.0
        while True:
            try:
                frame = frames.next(min(_LOOK, end - time.monotonic()))
                return Fault("Died", f"the process ended {when}{process.ending()}.") if frame is None else frame
            except NoFrame:
                computed = (process.computed() or 0.0) - before
                if computed > most or time.monotonic() > end:
                    return Fault("OutOfTime" if computed > seconds * slowness() else "Waited", f"{seconds:g}")

    def _explained(self, key: str, sighting: Sighting) -> Sighting:
        name = key.rpartition("/")[0]
        if name in self.left_out and sighting.trouble and sighting.trouble.type_name == "NotDefined":
            why = Fault("NotRun", f"{self.left_out[name]} and was left out")
            return replace(sighting, trouble=why)
        return sighting
