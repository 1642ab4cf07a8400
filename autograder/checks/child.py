"""The observing side of a submission: run its blocks, observe its exercises, send plain values back.

Run as `python -m autograder.checks.child`, it reads one request from stdin and writes frames to stdout, each a
length and packed values. It is given inputs only: no expected value, no variant and no hidden case of another
exercise is in this process.
"""

from __future__ import annotations

import ast
import linecache
import os
import struct
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..library import build_fixture, parts
from .capture import capture
from .cases import Fault, Sighting, calls_from, sighting_tree
from .observe import OutOfTime, fault_of, limited, observe
from .submission import defined_names
from .values import pack, unpack

Emit = Callable[[bytes], None]
FRAME = struct.Struct(">Q")
MODULE = "submission"


def serve(request: Mapping[str, Any], emit: Emit) -> None:
    """Run the request's blocks, then observe its exercises one by one and emit a frame for each.

    request: {"blocks": [[source, name], ...], "whole_file": bool, "load_limit": seconds, "exercises": [...]}
    """
    from .parts import grading

    with grading():
        namespace, broken = run_blocks(request["blocks"], request["whole_file"], request["load_limit"])
        emit(pack({"loaded": True}))
        for exercise in request["exercises"]:
            name = exercise["name"]
            if name not in namespace:
                fault = broken.get(name) or Fault("NotDefined", f"`{name}` is not defined when the file has run")
                sighting = Sighting({}, trouble=fault)
            elif (exercise["kind"] == "class") != isinstance(namespace[name], type):
                sighting = Sighting({}, trouble=Fault(type(namespace[name]).__name__, "", stage="define"))
            else:
                sighting = observe(
                    namespace[name],
                    calls_from(exercise["plan"]),
                    build=build_fixture,
                    replaced=parts(tuple(exercise["replaces"])),
                    forbids=tuple(exercise["forbids"]),
                    time_limit=exercise["time_limit"],
                )
            emit(pack({"exercise": name, "sighting": sighting_tree(sighting)}))


def run_blocks(
    blocks: Sequence[Sequence[str]], whole_file: bool, limit: float
) -> tuple[dict[str, Any], dict[str, Fault]]:
    """Execute blocks in one fresh module; return its names, and why each name that a broken block defines is missing.

    A cell that raises loses its own rest, as in Jupyter. A Python file goes on with its next statement.
    """
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module
    namespace = vars(module)
    namespace.update(get_ipython=_Shell, display=lambda *a, **k: None)
    broken: dict[str, Fault] = {}
    for source, name in blocks:
        filename = f"<{name}>"
        source = _without_magics(source)
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        try:
            tree = ast.parse(source, filename)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            for defined in defined_names(source):
                broken[defined] = Fault("NotDefined", f"`{defined}` could not be read: {_syntax(error)} ({name})")
            continue
        pieces = [[statement] for statement in tree.body] if whole_file else [tree.body]
        for piece in pieces:
            fault = _execute(piece, filename, namespace, limit)
            if fault:
                for defined in defined_names(ast.unparse(ast.Module(piece, []))):
                    what = f"{fault.type_name}: {fault.message}".rstrip(": ")
                    line = f", line {fault.line}" if fault.line else ""
                    broken[defined] = Fault("NotDefined", f"`{defined}` is not defined: {name}{line} raised {what}")
    return namespace, broken


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


def _syntax(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}, line {error.lineno or '?'}"
    return f"{type(error).__name__}: {error}"


def _without_magics(source: str) -> str:
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


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    request = unpack(sys.stdin.buffer.read())
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)

    def emit(frame: bytes) -> None:
        answers.write(FRAME.pack(len(frame)) + frame)
        answers.flush()

    serve(request, emit)
    answers.flush()
    os._exit(0)  # a learner's threads and exit hooks have no say any more


if __name__ == "__main__":
    main()
