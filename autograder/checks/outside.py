"""Observe a submission in another process, one time limit an exercise, and bring plain values back.

The process is apart, not locked up: the sandbox comes with grading. What holds here already is that nothing a
submission does can change a verdict: it is made in this process, from arrays.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import IO, Any

from .cases import ExerciseCases, Fault, Sighting, call_tree, sighting_from
from .child import FRAME
from .submission import Submission
from .values import MAX_UNPACKED_BYTES, UnreadableValues, pack, unpack

LOAD_LIMIT = 20.0
_START_SECONDS = 60.0
_GRACE_SECONDS = 5.0


def request_for(submission: Submission, exercises: Sequence[ExerciseCases], load_limit: float = LOAD_LIMIT) -> bytes:
    """What the observing process is told: source and inputs, nothing that a verdict depends on."""
    return pack(
        {
            "blocks": [[block.source, block.name] for block in submission.blocks],
            "whole_file": not submission.is_notebook,
            "load_limit": load_limit,
            "exercises": [
                {
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
    """One sighting for each exercise, whatever the submission does. A process that hangs or dies is replaced."""
    found: dict[str, Sighting] = {}
    pending = list(exercises)
    while pending:
        for name, sighting in _one_process(submission, pending).items():
            found[name] = sighting
        pending = [cases for cases in pending if cases.name not in found]
    return found


def _one_process(submission: Submission, pending: Sequence[ExerciseCases]) -> dict[str, Sighting]:
    """Sightings from one process: all of `pending`, or up to and with the exercise that it hung or died in."""
    process = subprocess.Popen(
        [sys.executable, "-m", "autograder.checks.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=submission.path.resolve().parent,
    )
    assert process.stdin and process.stdout
    frames: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_read_frames, args=(process.stdout, frames), daemon=True).start()
    found: dict[str, Sighting] = {}
    try:
        try:
            process.stdin.write(request_for(submission, pending))
            process.stdin.close()
        except OSError:
            pass  # it died before reading; the missing frame below says so
        wait = _START_SECONDS + LOAD_LIMIT * (1 + len(submission.blocks)) / 2
        trouble = _next(frames, wait, process, "while its cells were run")
        if isinstance(trouble, Fault):
            return {cases.name: Sighting({}, trouble=trouble) for cases in pending}
        for cases in pending:
            frame = _next(frames, cases.time_limit + _GRACE_SECONDS, process, f"while `{cases.name}` was checked")
            if isinstance(frame, Fault):
                late = frame.type_name == "OutOfTime"
                fault = Fault("OutOfTime", f"{cases.time_limit:g}") if late else frame
                found[cases.name] = Sighting({}, trouble=fault)
                break
            found[cases.name] = _sighting(frame, cases)
        return found
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _next(
    frames: queue.Queue[dict[str, Any] | None], wait: float, process: subprocess.Popen[bytes], when: str
) -> dict[str, Any] | Fault:
    try:
        frame = frames.get(timeout=wait)
    except queue.Empty:
        return Fault("OutOfTime", f"{wait:g}")
    if frame is None:
        return Fault("Died", f"the process ended {when}{_ending(process)}")
    return frame


def _ending(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        return ""
    return f" (killed by signal {-code})" if code < 0 else f" (exit status {code})"


def _sighting(frame: dict[str, Any], cases: ExerciseCases) -> Sighting:
    try:
        if frame["exercise"] != cases.name:
            raise UnreadableValues("frames out of order")
        return sighting_from(frame["sighting"])
    except (UnreadableValues, KeyError, TypeError, ValueError, AttributeError):
        return Sighting({}, trouble=Fault("Died", "the process sent something that is no observation"))


def _read_frames(stream: IO[bytes], frames: queue.Queue[dict[str, Any] | None]) -> None:
    """Frames as they come; None at the end, or as soon as something else than a frame comes."""
    try:
        while header := stream.read(FRAME.size):
            (length,) = FRAME.unpack(header)
            if length > MAX_UNPACKED_BYTES:
                break
            tree = unpack(stream.read(length))
            if not isinstance(tree, dict):
                break
            frames.put(tree)
    except (OSError, ValueError, UnreadableValues):
        pass
    except Exception:  # struct.error and the like: whatever the process sent, it ends here
        pass
    frames.put(None)
