"""Observe a submission in another process, one time limit an exercise, and bring plain values back.

Which process that is, the caller says: a plain one for `check FILE`, a sandboxed fork of a warm one for grading.
In either nothing a submission does can change a verdict: it is made in this process, from arrays.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from .cases import ExerciseCases, Fault, Sighting, call_tree, sighting_from
from .child import FRAME
from .submission import Block, Submission
from .values import UnreadableValues, pack, unpack

LOAD_LIMIT = 20.0
"""Seconds for one cell, or one statement of a Python file."""
_START_SECONDS = 60.0
_GRACE_SECONDS = 5.0
_MAX_FRAME_BYTES = 64 * 1024 * 1024


class Process(Protocol):
    """A process that serves one request."""

    answers: IO[bytes]

    def ending(self) -> str:
        """How it ended, as the end of a sentence; empty where that is not known."""

    def stop(self) -> None:
        """End it and all that it started, and free what it held."""


Start = Callable[[bytes], Process]


@dataclass(frozen=True)
class Outside:
    """What came back: a sighting for each set of cases, and the outputs of the cells that ran."""

    sightings: dict[str, Sighting]
    outputs: dict[str, Any] = field(default_factory=dict)
    """By the name of the block, as its process described them: not to be trusted."""
    incidents: tuple[str, ...] = ()


def key_of(cases: ExerciseCases) -> str:
    return f"{cases.name}/{'hidden' if cases.hidden else 'visible'}"


def request_for(
    blocks: Sequence[Block], whole_file: bool, exercises: Sequence[ExerciseCases], load_limit: float = LOAD_LIMIT
) -> bytes:
    """What the observing process is told: source and inputs, nothing that a verdict depends on."""
    return pack(
        {
            "blocks": [[block.source, block.name] for block in blocks],
            "whole_file": whole_file,
            "load_limit": load_limit,
            "exercises": [
                {
                    "key": key_of(cases),
                    "name": cases.name,
                    "kind": cases.kind,
                    "plan": call_tree(cases.plan),
                    "replaces": list(cases.replaces),
                    "forbids": list(cases.forbids),
                    "time_limit": cases.time_limit,
                }
                for cases in exercises
            ],
        }
    )


def observe_outside(submission: Submission, exercises: Sequence[ExerciseCases]) -> dict[str, Sighting]:
    """Observe a file in a plain process of its own; sightings by `key_of`."""

    def start(request: bytes) -> Process:
        return PlainProcess(request, submission)

    return observe_by(start, submission.blocks, not submission.is_notebook, exercises).sightings


def observe_by(
    start: Start,
    blocks: Sequence[Block],
    whole_file: bool,
    exercises: Sequence[ExerciseCases],
    *,
    budget: float = 600.0,
    load_limit: float = LOAD_LIMIT,
) -> Outside:
    """One sighting for each set of cases, whatever the submission does. A process that hangs or dies is replaced.

    budget: seconds for everything together; what is not observed by then is out of time
    """
    sightings: dict[str, Sighting] = {}
    outputs: dict[str, Any] = {}
    incidents: list[str] = []
    deadline = time.monotonic() + budget
    pending = list(exercises)
    while pending:
        if time.monotonic() > deadline:
            late = Fault("OutOfTime", f"{budget:g}")
            sightings |= {key_of(cases): Sighting({}, trouble=late) for cases in pending}
            incidents.append(f"the submission used up its {budget:g} seconds")
            break
        process = start(request_for(blocks, whole_file, pending, load_limit))
        found = _one_process(process, len(blocks), pending)
        sightings |= found.sightings
        outputs = outputs or found.outputs
        incidents += found.incidents
        hopeless = {cases.name for cases in pending if key_of(cases) in found.sightings and found.incidents}
        pending = [cases for cases in pending if key_of(cases) not in sightings]
        for cases in [cases for cases in pending if cases.name in hopeless]:
            # It hung or died on the visible cases: its hidden ones would only cost the same time again.
            same = next(s for k, s in found.sightings.items() if k.startswith(f"{cases.name}/") and s.trouble)
            sightings[key_of(cases)] = same
            pending.remove(cases)
    return Outside(sightings, outputs, tuple(incidents))


def _one_process(process: Process, cells: int, pending: Sequence[ExerciseCases]) -> Outside:
    """Sightings from one process: all of `pending`, or up to and with the exercise that it hung or died in."""
    frames: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_read_frames, args=(process.answers, frames), daemon=True).start()
    sightings: dict[str, Sighting] = {}
    outputs: dict[str, Any] = {}
    try:
        deadline = time.monotonic() + _START_SECONDS + LOAD_LIMIT * cells / 2
        while True:
            frame = _next(frames, deadline - time.monotonic(), process, "while its cells were run")
            if isinstance(frame, Fault):
                fault = frame
                if frame.type_name == "OutOfTime":
                    fault = Fault("Died", "the cells before it did not finish in time")
                return Outside(
                    {key_of(cases): Sighting({}, trouble=fault) for cases in pending}, outputs, (fault.message,)
                )
            if "cell" not in frame:
                break
            outputs[str(frame["cell"])] = frame.get("outputs")
        for cases in pending:
            frame = _next(frames, cases.time_limit + _GRACE_SECONDS, process, f"while `{cases.name}` was checked")
            if isinstance(frame, Fault):
                fault = Fault("OutOfTime", f"{cases.time_limit:g}") if frame.type_name == "OutOfTime" else frame
                sightings[key_of(cases)] = Sighting({}, trouble=fault)
                told = fault.message if fault.type_name == "Died" else f"`{cases.name}` ran on after its time limit"
                return Outside(sightings, outputs, (told,))
            sightings[key_of(cases)] = _sighting(frame, cases)
        return Outside(sightings, outputs)
    finally:
        process.stop()


def _next(
    frames: queue.Queue[dict[str, Any] | None], wait: float, process: Process, when: str
) -> dict[str, Any] | Fault:
    try:
        frame = frames.get(timeout=max(wait, 0.01))
    except queue.Empty:
        return Fault("OutOfTime", f"{wait:g}")
    if frame is None:
        return Fault("Died", f"the process ended {when}{process.ending()}.")
    return frame


def _sighting(frame: dict[str, Any], cases: ExerciseCases) -> Sighting:
    try:
        if frame["exercise"] != key_of(cases):
            raise UnreadableValues("frames out of order")
        return sighting_from(frame["sighting"])
    except (UnreadableValues, KeyError, TypeError, ValueError, AttributeError):
        return Sighting({}, trouble=Fault("Died", "the process sent something that is no observation."))


def _read_frames(stream: IO[bytes], frames: queue.Queue[dict[str, Any] | None]) -> None:
    """Frames as they come; None at the end, or as soon as something else than a frame comes."""
    try:
        while header := stream.read(FRAME.size):
            (length,) = FRAME.unpack(header)
            if length > _MAX_FRAME_BYTES:
                break
            tree = unpack(stream.read(length))
            if not isinstance(tree, dict):
                break
            frames.put(tree)
    except Exception:  # noqa: BLE001  whatever a submission's process sent, reading it ends here
        pass
    frames.put(None)


class PlainProcess:
    """A fresh interpreter in the submission's folder: apart, but not locked up."""

    def __init__(self, request: bytes, submission: Submission) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "autograder.checks.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=submission.path.resolve().parent,
        )
        assert self._process.stdin and self._process.stdout
        self.answers: IO[bytes] = self._process.stdout
        try:
            self._process.stdin.write(request)
            self._process.stdin.close()
        except OSError:
            pass  # it died before reading; the missing frame says so

    def ending(self) -> str:
        try:
            code = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return ""
        return f" (killed by signal {-code})" if code < 0 else f" (exit status {code})"

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self.answers.close()
