"""What known mistakes gave when they were last run: one more mistake costs no new run of the others.

Each variant's outputs lie in a file whose name is a digest of all that they depend on: the variant's text, the lesson's
setup and solutions up to its exercise, the plan with every number in it, this package's own code, every installed
package, and what the processor can do. Where any of these changes, the name does, and the variant is run again.
The folder may be deleted at any time.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..formats.cases import Call, Observation, Sighting, call_tree, sighting_from, sighting_tree
from ..formats.values import UnreadableValues, digest, pack, unpack
from .parse import Lesson
from .workbench import Workpiece, WrongVariant

FOLDER = ".known_mistakes"
_KEPT_SECONDS = 30 * 24 * 3600
"""What was not asked for in so long is deleted."""
_PACKAGE = Path(__file__).resolve().parents[1]
_REGISTERING = ("cases", "wrong", "right", "truth")
_PROCESSOR = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "OPENBLAS_CORETYPE")

Watch = Callable[[], dict[str, Observation]]


class Outputs:
    """The known mistakes' outputs of one lesson's course, remembered in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def draw(
        self, piece: Workpiece, wrong: WrongVariant, plan: Mapping[str, Call], watch: Watch
    ) -> dict[str, Observation]:
        """What the variant gives on the plan: remembered, or else by `watch`."""
        path = self._folder / piece.lesson.unit / f"{piece.source.name}-{_name(piece, wrong, plan)}.npz"
        with contextlib.suppress(OSError, UnreadableValues, KeyError, TypeError, ValueError):
            seen = sighting_from(unpack(path.read_bytes())).observations
            os.utime(path)
            return {key: seen[key] for key in plan}
        seen = watch()
        if not any(one.fault and one.fault.type_name in _OF_THE_DAY for one in seen.values()):
            _write(path, pack(sighting_tree(Sighting(seen))))
        return seen

    def forget_old(self) -> None:
        """Delete what nobody has asked for in a month."""
        for path in self._folder.glob("*/*.npz"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _KEPT_SECONDS:
                    path.unlink()


_OF_THE_DAY = ("OutOfTime", "Waited", "NotAsked", "Died", "KeyboardInterrupt", "MemoryError")
"""Faults that may be the machine's and not the code's."""


def outputs_of(lesson: Lesson) -> Outputs:
    """The course's remembered outputs."""
    return Outputs(lesson.path.resolve().parents[2] / FOLDER)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: builds may run side by side."""
    with contextlib.suppress(OSError):  # a course that cannot be written to is built all the same
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(data)
        part.replace(path)


def _name(piece: Workpiece, wrong: WrongVariant, plan: Mapping[str, Call]) -> str:
    hashed = hashlib.sha256(_surroundings())
    names = [exercise.name for exercise in piece.lesson.exercises]
    before = piece.lesson.exercises[: names.index(piece.source.name) + 1]
    texts = [piece.lesson.unit, piece.lesson.setup, *(exercise.solution for exercise in before)]
    for text in (*texts, piece.source.kind, str(piece.source.time_limit), variant_text(piece, wrong)):
        hashed.update(hashlib.sha256(text.encode("utf-8", "backslashreplace")).digest())
    hashed.update(_plan_digest(plan))
    return hashed.hexdigest()[:40]


_last_plan: tuple[Mapping[str, Call], bytes] | None = None


def _plan_digest(plan: Mapping[str, Call]) -> bytes:
    """One plan is asked about for every variant of its exercise."""
    global _last_plan
    if _last_plan is None or _last_plan[0] is not plan:
        _last_plan = plan, digest({"order": list(plan), "calls": call_tree(dict(plan))})
    return _last_plan[1]


def variant_text(piece: Workpiece, wrong: WrongVariant) -> str:
    """All that a variant is made from: its solution cell with the mistake in it; or, where it is a function of the
    checks' own, its definition with whatever else of the block that may use."""
    if wrong.source is not None:
        return wrong.source
    block = piece.source.variants
    statements = ast.parse(block).body
    own = [one for one in statements if _registers(one) == ("wrong", wrong.name)]
    if len(own) != 1:  # made by a loop or by another function: all of these have one text, and each its own name
        return f"{wrong.name}\n{block}"
    needed = [one for one in statements if one is own[0] or _registers(one) is None]
    bound = {one: _bound(one) for one in statements}
    while True:
        read = {node.id for one in needed for node in ast.walk(one) if isinstance(node, ast.Name)}
        more = [one for one in statements if one not in needed and bound[one] & read]
        if not more:
            break
        needed += more
    return "\n".join(ast.get_source_segment(block, one) or ast.dump(one) for one in statements if one in needed) + (
        "\n" + "\n".join(ast.unparse(decorator) for decorator in _decorators(own[0])[:-1])
    )


def _decorators(statement: ast.stmt) -> list[ast.expr]:
    return statement.decorator_list if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) else []


def _registers(statement: ast.stmt) -> tuple[str, str] | None:
    """What a statement does that only tells the builder of a case or an answer: by which name, and of what name.

    None of any other statement, which the rest may depend on.
    """
    calls = _decorators(statement)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        calls = [statement.value]
        if isinstance(statement.value.func, ast.Name) and statement.value.func.id == "right_edit":
            return "right", ""
    for call in calls:
        function = call.func if isinstance(call, ast.Call) else call
        if isinstance(function, ast.Name) and function.id in _REGISTERING:
            first = call.args[0] if isinstance(call, ast.Call) and call.args else None
            name = first.value if isinstance(first, ast.Constant) else ""
            return function.id, str(name)
    return None


def _bound(statement: ast.stmt) -> set[str]:
    return {statement.name} if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) else set()


@functools.cache
def _surroundings() -> bytes:
    """A digest of what every variant depends on besides its lesson. A build that rewrites a library module clears it."""
    import torch

    packages = sorted({f"{one.metadata['Name']} {one.version}" for one in importlib.metadata.distributions()})
    machine = (
        sys.version,
        platform.machine(),
        torch.backends.cpu.get_cpu_capability(),
        str(torch.get_num_threads()),
        str(torch.__version__),
        *(f"{name}={os.environ.get(name)}" for name in _PROCESSOR),
        os.environ.get("NPY_DISABLE_CPU_FEATURES", ""),
    )
    hashed = hashlib.sha256("\n".join((*machine, *packages)).encode())
    for path in _code_of_the_package():
        hashed.update(f"{path.relative_to(_PACKAGE).as_posix()}\n".encode() + path.read_bytes())
    return hashed.digest()


def _code_of_the_package() -> Iterator[Path]:
    """The rooms that run a variant, or that one may use."""
    for room in ("formats", "library", "observing", "judging", "lab", "authoring"):
        yield from sorted((_PACKAGE / room).rglob("*.py"))


def look_again() -> None:
    """The package's own code may have changed on the disk."""
    _surroundings.cache_clear()
