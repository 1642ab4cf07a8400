"""Serve one request: run a submission's blocks in a session, observe its exercises, send plain values back.

It is given inputs only: no expected value, no variant and no hidden case of another exercise is in this process.
Frames go back, each a length and packed values.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..formats.cases import Fault, Sighting, calls_from, sighting_tree
from ..formats.frames import FRAME, MAX_VALUES
from ..formats.values import pack, unpack
from ..library import allowed_parts, build_fixture, grading, parts
from .observe import observe, size_of
from .session import Budget, Emit, Ran, explained, run_blocks


def serve_request(shell: Any, data: bytes, answers_out: int) -> None:
    """Answer one request, packed in `data`; every random generator begins at the same place."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  learners' cells may use the old generator
    if torch := sys.modules.get("torch"):  # where it is imported later, it begins at a place of its own
        torch.manual_seed(0)
    with os.fdopen(answers_out, "wb") as answers:

        def emit(frame: dict[str, Any]) -> None:
            packed = pack(frame)
            answers.write(FRAME.pack(len(packed)) + packed)
            answers.flush()

        _serve(unpack(data), shell, emit)


def _serve(request: Mapping[str, Any], shell: Any, emit: Emit) -> None:
    """Run the request's blocks, then observe its exercises one by one and emit a frame for each.

    request: {"blocks": [{"source", "name", "is_setup"}, ...], "whole_file": bool, "cell_limit": seconds for one block,
             "cells_limit": seconds for all, "patience": how many times as long they may wait, "exercises": [...]}
    """
    began_in = Path.cwd()
    emit({"started": True})
    with grading():
        budget = Budget(request["cell_limit"], request["cells_limit"], request["patience"])
        ran = run_blocks(shell, request["blocks"], request["whole_file"], budget, emit)
        emit({"loaded": True})
        late: dict[str, Fault] = {}
        for exercise in request["exercises"]:
            # A cell may have gone to a folder that is gone, or so deep that every look-up takes seconds.
            with contextlib.suppress(OSError):
                os.chdir(began_in)
            name = exercise["name"]
            # Out of time on the visible cases: the hidden ones would cost the same time again.
            sighting = (
                Sighting({}, trouble=late[name]) if name in late else _sighting(exercise, ran, request["patience"])
            )
            if sighting.trouble and sighting.trouble.type_name in ("OutOfTime", "Waited"):
                late[name] = sighting.trouble
            emit({"exercise": exercise["key"], "sighting": sighting_tree(_bounded(sighting))})


def _bounded(sighting: Sighting) -> Sighting:
    if sum(size_of(seen.value) + size_of(seen.facts) for seen in sighting.observations.values()) <= MAX_VALUES:
        return sighting
    much = f"all that it returns takes more than {MAX_VALUES >> 20} MiB"
    return Sighting({}, printed=sighting.printed, trouble=Fault("MemoryError", much))


def _sighting(exercise: Mapping[str, Any], ran: Ran, patience: float) -> Sighting:
    name = exercise["name"]
    if ran.dead:
        raised = f"the notebook's own first cell raised {ran.dead.type_name}: {ran.dead.message}"
        return Sighting({}, trouble=Fault("NotAsked", raised))
    if name not in ran.namespace:
        return Sighting({}, trouble=ran.missing.get(name, Fault("NotDefined", "")))
    if (exercise["kind"] == "class") != isinstance(ran.namespace[name], type):
        return Sighting({}, trouble=Fault(type(ran.namespace[name]).__name__, "", stage="define"))
    sighting = observe(
        ran.namespace[name],
        calls_from(exercise["plan"]),
        build=build_fixture,
        replaced=parts(tuple(exercise["replaces"])),
        forbids=tuple(exercise["forbids"]),
        time_limit=exercise["time_limit"],
        patience=patience,
        allowed=allowed_parts(exercise["unit"], name, exercise["replaces"]),
    )
    return explained(sighting, ran)
