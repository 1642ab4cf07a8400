"""What known mistakes gave when they were last run, and what was found in order: one more mistake costs itself alone.

Each variant's outputs lie in a file whose name is a digest of all that they depend on: the variant's text, the lesson's
setup and solutions up to its exercise, the plan with every number in it, this package's own code, every installed
package, and what the processor can do. Where any of these changes, the name does, and the variant is run again.
What was found in order of an exercise lies beside them, under a digest of all but its known mistakes; these are listed
in the file, each with a digest of its own. The folder may be deleted at any time.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import json
import os
import platform
import sys
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..formats.cases import Call, Observation, Sighting, call_tree, sighting_from, sighting_tree
from ..formats.values import UnreadableValues, digest, pack, unpack
from .parse import Lesson, kept_file
from .workbench import Watch, Workpiece, WrongVariant

FOLDER = ".known_mistakes"
_KEPT_SECONDS = 30 * 24 * 3600
"""What was not asked for in so long is deleted."""
_PACKAGE = Path(__file__).resolve().parents[1]
_REGISTERING = ("cases", "wrong", "right", "truth")
_PROCESSOR = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "OPENBLAS_CORETYPE")

Question = Literal["assessed", "answers", "rounding", "rounding-elsewhere", "rounding-of-inputs"]
"""What can be in order: verdicts on all answers; on all but the known mistakes; that nothing depends on rounding, as seen here, or as the build has seen
that has stored the same cases; the same where inputs alone move."""


@dataclass(frozen=True)
class Shown:
    """What was found in order of an exercise, for the same texts, package and machine: all of it but new mistakes."""

    calls: int
    mistakes: frozenset[str]
    complete: bool
    """Whether no known mistake is new."""


class Memory:
    """Of one lesson's course: what its known mistakes gave, and what was found in order."""

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

    def shown(self, piece: Workpiece, question: Question, seed: int | None) -> Shown | None:
        """What was found in order on these cases (visible: seed None); None where the exercise itself is another."""
        path = self._shown_path(piece, question, seed)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            os.utime(path)
            mistakes = frozenset(
                wrong.name for wrong in piece.mistakes if kept["mistakes"].get(wrong.name) == _told(piece, wrong)
            )
            return Shown(int(kept["calls"]), mistakes, len(mistakes) == len(piece.mistakes))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def note(self, piece: Workpiece, question: Question, seed: int | None, calls: int) -> None:
        """All of the exercise, its known mistakes included, is in order."""
        kept = {"calls": calls, "mistakes": {wrong.name: _told(piece, wrong) for wrong in piece.mistakes}}
        _write(self._shown_path(piece, question, seed), json.dumps(kept).encode())

    def _shown_path(self, piece: Workpiece, question: Question, seed: int | None) -> Path:
        cases = "visible" if seed is None else f"seed-{seed}"
        return (
            self._folder / piece.lesson.unit / f"{piece.source.name}-{question}-{cases}-{_all_but_mistakes(piece)}.json"
        )

    def forget_old(self) -> None:
        """Delete what nobody has asked for in a month."""
        for path in self._folder.glob("*/*-*.*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _KEPT_SECONDS:
                    path.unlink()


_OF_THE_DAY = ("OutOfTime", "Waited", "NotAsked", "Died", "KeyboardInterrupt", "MemoryError")
"""Faults that may be the machine's and not the code's."""


def memory_of(lesson: Lesson) -> Memory:
    """What is remembered of a lesson's course."""
    return Memory(lesson.path.resolve().parents[2] / FOLDER)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: builds may run side by side."""
    with contextlib.suppress(OSError):  # a course that cannot be written to is built all the same
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(data)
        part.replace(path)


def _name(piece: Workpiece, wrong: WrongVariant, plan: Mapping[str, Call]) -> str:
    hashed = _hashed(*_texts(piece), piece.source.kind, str(piece.source.time_limit), variant_text(piece, wrong))
    hashed.update(_plan_digest(plan))
    return hashed.hexdigest()[:40]


def _all_but_mistakes(piece: Workpiece) -> str:
    """A digest of what decides about an exercise besides its known mistakes."""
    source = replace(piece.source, hints=(), minutes=0, difficulty=0, library="", variants="")
    statements = _statements(piece.source.variants)
    own = [one for one in statements if (_registers(one) or ("",))[0] != "wrong"]
    hashed = _hashed(*_texts(piece), repr(source), *map(ast.unparse, _with_what_it_reads(statements, own)))
    for name in piece.source.files:
        path = kept_file(piece.lesson, name)
        hashed.update(path.read_bytes() if path.is_file() else b"")
    return hashed.hexdigest()[:40]


def _told(piece: Workpiece, wrong: WrongVariant) -> str:
    return _hashed(variant_text(piece, wrong), wrong.says).hexdigest()[:40]


def _texts(piece: Workpiece) -> tuple[str, ...]:
    """What stands before and in an exercise's solution."""
    names = [exercise.name for exercise in piece.lesson.exercises]
    before = piece.lesson.exercises[: names.index(piece.source.name) + 1]
    return piece.lesson.unit, piece.lesson.setup, *(exercise.solution for exercise in before)


def made_from(piece: Workpiece) -> str:
    """A digest of the texts that an exercise's known mistakes are made from, and of nothing else."""
    texts = (*_texts(piece), piece.source.variants)
    return hashlib.sha256("\0".join(texts).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def its_turn(piece: Workpiece, every: int) -> bool:
    """Whether an exercise's known mistakes are looked at, where those of every nth exercise are. A change of the package's
    code or of the lesson makes it the turn of others; for the same files it is the same exercises' turn everywhere."""
    of_the_code = int.from_bytes(_hashed_code(piece.lesson.path.parent), "big")
    return (of_the_code + zlib.crc32(f"{piece.lesson.unit}/{piece.source.name}".encode())) % every == 0


@functools.cache
def _hashed_code(folder: Path) -> bytes:
    """Of the package's code and of a lesson's."""
    hashed = hashlib.sha256()
    for path in (*_code_of_the_package(), *sorted(folder.glob("*.py"))):
        hashed.update(path.read_bytes())
    return hashed.digest()


def _hashed(*texts: str) -> hashlib._Hash:
    hashed = hashlib.sha256(_surroundings())
    for text in texts:
        hashed.update(hashlib.sha256(text.encode("utf-8", "backslashreplace")).digest())
    return hashed


_last_plan: tuple[Mapping[str, Call], bytes] | None = None


def _plan_digest(plan: Mapping[str, Call]) -> bytes:
    """One plan is asked about for every variant of its exercise."""
    global _last_plan
    if _last_plan is None or _last_plan[0] is not plan:
        _last_plan = plan, digest({"order": list(plan), "calls": call_tree(dict(plan))})
    return _last_plan[1]


@functools.lru_cache(maxsize=8)
def _statements(block: str) -> list[ast.stmt]:
    return ast.parse(block).body


def variant_text(piece: Workpiece, wrong: WrongVariant) -> str:
    """All that a variant is made from: its solution cell with the mistake in it; or, where it is a function of the
    checks' own, its definition with whatever else of the block that may use."""
    if wrong.source is not None:
        return wrong.source
    block = piece.source.variants
    statements = _statements(block)
    own = [one for one in statements if _registers(one) == ("wrong", wrong.name)]
    if len(own) != 1:  # made by a loop or by another function: all of these have one text, and each its own name
        return f"{wrong.name}\n{block}"
    needed = _with_what_it_reads(statements, [one for one in statements if one is own[0] or _registers(one) is None])
    return "\n".join(ast.get_source_segment(block, one) or ast.dump(one) for one in needed) + (
        "\n" + "\n".join(ast.unparse(decorator) for decorator in _decorators(own[0])[:-1])
    )


def _with_what_it_reads(statements: list[ast.stmt], needed: list[ast.stmt]) -> list[ast.stmt]:
    """Some of a block's statements, with those that define what they read; in the block's order."""
    while True:
        read = {node.id for one in needed for node in ast.walk(one) if isinstance(node, ast.Name)}
        more = [one for one in statements if one not in needed and _bound(one) & read]
        if not more:
            return [one for one in statements if one in needed]
        needed = needed + more


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

    packages = sorted({info.name for place in sys.path for info in Path(place).glob("*.*-info")})
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
    for room in ("formats", "library", "observing", "judging", "notebook", "lab", "authoring"):
        yield from sorted((_PACKAGE / room).rglob("*.py"))


def look_again() -> None:
    """The package's own code may have changed on the disk."""
    _surroundings.cache_clear()
