"""The observing side of a submission: run its blocks, observe its exercises, send plain values back.

Run as `python -m autograder.checks.child`, it reads one request from stdin and writes frames to stdout, each a
length and packed values. It is given inputs only: no expected value, no variant and no hidden case of another
exercise is in this process.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import linecache
import os
import sys
import time
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from .. import vocabulary  # noqa: F401  what a submission imports: here, and not on its time
from ..library import build_fixture, parts
from .capture import capture
from .cases import Fault, Sighting, calls_from, sighting_tree
from .frames import FRAME, MAX_VALUES
from .observe import OutOfTime, fault_of, limited, observe, size_of
from .parts import grading
from .submission import defined_names
from .values import pack, unpack

Emit = Callable[[dict[str, Any]], None]
MODULE = "submission"


class CellClock:
    """Seconds for each cell: `cell`, until all together have used `cells`; from then on one."""

    def __init__(self, cell: float, cells: float) -> None:
        self._cell = cell
        self._end = time.monotonic() + cells

    def seconds(self) -> float:
        return min(self._cell, max(self._end - time.monotonic(), 1.0))


Run = Callable[[Sequence[Sequence[str]], bool, CellClock], tuple[dict[str, Any], dict[str, Fault]]]


def serve(request: Mapping[str, Any], emit: Emit, run: Run | None = None) -> None:
    """Run the request's blocks, then observe its exercises one by one and emit a frame for each.

    request: {"blocks": [[source, name], ...], "whole_file": bool, "cell_limit": seconds for one block,
             "cells_limit": seconds for all, "exercises": [...]}
    run:     how blocks are executed, with a frame after each; the grader runs them in IPython and keeps their outputs
    """
    clock = CellClock(request["cell_limit"], request["cells_limit"])
    began_in = Path.cwd()
    emit({"started": True})
    with grading():
        namespace, broken = (run or functools.partial(run_blocks, emit=emit))(
            request["blocks"], request["whole_file"], clock
        )
        # A cell may have gone to a folder that is gone, or so deep that every look-up takes seconds.
        with contextlib.suppress(OSError):
            os.chdir(began_in)
        emit({"loaded": True})
        late: dict[str, Fault] = {}
        for exercise in request["exercises"]:
            name = exercise["name"]
            # Out of time on the visible cases: the hidden ones would cost the same time again.
            sighting = Sighting({}, trouble=late[name]) if name in late else _sighting(exercise, namespace, broken)
            if sighting.trouble and sighting.trouble.type_name == "OutOfTime":
                late[name] = sighting.trouble
            emit({"exercise": exercise["key"], "sighting": sighting_tree(_bounded(sighting))})


def _bounded(sighting: Sighting) -> Sighting:
    if sum(size_of(seen.value) + size_of(seen.facts) for seen in sighting.observations.values()) <= MAX_VALUES:
        return sighting
    much = f"all that it returns takes more than {MAX_VALUES >> 20} MiB"
    return Sighting({}, printed=sighting.printed, trouble=Fault("MemoryError", much))


def _sighting(exercise: Mapping[str, Any], namespace: Mapping[str, Any], broken: Mapping[str, Fault]) -> Sighting:
    name = exercise["name"]
    if name in broken:
        return Sighting({}, trouble=broken[name])
    if name not in namespace:
        return Sighting({}, trouble=Fault("NotDefined", f"`{name}` is not defined when the file has run"))
    if (exercise["kind"] == "class") != isinstance(namespace[name], type):
        return Sighting({}, trouble=Fault(type(namespace[name]).__name__, "", stage="define"))
    return observe(
        namespace[name],
        calls_from(exercise["plan"]),
        build=build_fixture,
        replaced=parts(tuple(exercise["replaces"])),
        forbids=tuple(exercise["forbids"]),
        time_limit=exercise["time_limit"],
        exercise=name,
    )


def run_blocks(
    blocks: Sequence[Sequence[str]], whole_file: bool, clock: CellClock, emit: Emit = lambda frame: None
) -> tuple[dict[str, Any], dict[str, Fault]]:
    """Execute blocks in one fresh module; return its names, and why each name that a broken block defines is missing.

    A cell that raises loses its own rest, as in Jupyter. A Python file goes on with its next statement.
    """
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module
    namespace = vars(module)
    namespace.update(get_ipython=_Shell, display=lambda *a, **k: None)
    broken: dict[str, Fault] = {}
    errors: list[dict[str, Any]] = []
    for position, (source, name) in enumerate(blocks):
        if position:
            emit({"cell": blocks[position - 1][1], "outputs": errors})
        errors = []
        filename = f"<{name}>"
        source = without_magics(source)
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        try:
            tree = ast.parse(source, filename)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            for defined in defined_names(source):
                broken[defined] = Fault("NotDefined", f"`{defined}` could not be read: {syntax_text(error)} ({name})")
            errors = [{"output_type": "error", "ename": "", "evalue": syntax_text(error)}]
            continue
        pieces = [[statement] for statement in tree.body] if whole_file else [tree.body]
        for piece in pieces:
            fault = _execute(piece, filename, namespace, clock.seconds())
            if fault:
                missing = [d for d in defined_names(ast.unparse(ast.Module(piece, []))) if d not in namespace]
                broken |= not_defined(missing, name, fault)
                at = f" (line {fault.line})" if fault.line else ""
                errors.append({"output_type": "error", "ename": fault.type_name, "evalue": f"{fault.message}{at}"})
    if blocks:
        emit({"cell": blocks[-1][1], "outputs": errors})
    return namespace, broken


def not_defined(names: Sequence[str], place: str, fault: Fault) -> dict[str, Fault]:
    """Why names are missing whose cell or statement raised `fault`."""
    what = f"{fault.type_name}: {fault.message}".rstrip(": ")
    line = f", line {fault.line}" if fault.line else ""
    return {name: Fault("NotDefined", f"`{name}` is not defined: {place}{line} raised {what}") for name in names}


def _execute(piece: list[ast.stmt], filename: str, namespace: dict[str, Any], limit: float) -> Fault | None:
    code = compile(ast.Module(piece, []), filename, "exec", dont_inherit=True)
    try:
        with capture(), limited(limit):
            exec(code, namespace)
    except OutOfTime:
        return Fault("a time-out", f"it ran for more than {limit:g} seconds")
    except BaseException as error:
        return fault_of(error, "define")
    return None


def syntax_text(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}, line {error.lineno or '?'}"
    return f"{type(error).__name__}: {error}"


def without_magics(source: str) -> str:
    """Jupyter's magics as the Python calls they stand for; plain Python is returned as it is."""
    try:
        ast.parse(source)
        return source
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    try:
        from IPython.core.inputtransformer2 import TransformerManager

        return TransformerManager().transform_cell(source)
    except Exception:
        return source


class _Shell:
    """Stands in for IPython's shell: magics and shell commands do nothing while an exercise is observed."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


def emit_to(answers: IO[bytes]) -> Emit:
    """Write frames to a stream: a length, then packed values."""

    def emit(frame: dict[str, Any]) -> None:
        data = pack(frame)
        answers.write(FRAME.pack(len(data)) + data)
        answers.flush()

    return emit


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    request = unpack(sys.stdin.buffer.read())
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)

    serve(request, emit_to(answers))
    answers.flush()
    os._exit(0)  # a learner's threads and exit hooks have no say any more


if __name__ == "__main__":
    main()
