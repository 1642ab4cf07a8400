"""Read what a learner hands in: a notebook or a Python file, as blocks of source in order. Runs nothing."""

from __future__ import annotations

import ast
import functools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SKIPPED_PARTS = frozenset({"check", "hidden", "demo"})
_MAX_BYTES = 50 * 1024 * 1024
_MAX_PARSED = 20_000
_DEFINITION = re.compile(r"^(?:async\s+def|def|class)\s+(\w+)", re.MULTILINE)


class UnusableSubmission(ValueError):
    """The file cannot be read as a notebook or Python file; one line says why and what to do."""


@dataclass(frozen=True)
class Block:
    """One cell of a notebook, or a whole Python file."""

    source: str
    name: str
    """Where it came from, for messages: "cell 7" or the file's name."""


@dataclass(frozen=True)
class Submission:
    path: Path
    blocks: tuple[Block, ...]
    is_notebook: bool

    def defines(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of `names` that the file defines by a top-level `def` or `class`, in the order given."""
        found = {name for block in self.blocks for name in defined_names(block.source)}
        return tuple(name for name in names if name in found)


def read_submission(path: Path) -> Submission:
    """Read a `.ipynb` or `.py` file. Raises UnusableSubmission with one clear line."""
    if path.suffix not in (".ipynb", ".py"):
        raise UnusableSubmission(f"{path}: neither a notebook (.ipynb) nor a Python file (.py)")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UnusableSubmission(
                f"{path}: larger than {_MAX_BYTES // 2**20} MB; clear its outputs and save it again"
            )
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnusableSubmission(f"{path}: not text in UTF-8; save it again as UTF-8") from error
    except OSError as error:
        raise UnusableSubmission(f"{path}: cannot be read ({error.strerror})") from error
    if path.suffix == ".py":
        return Submission(path, (Block(text, path.name),), is_notebook=False)
    return Submission(path, _notebook_blocks(path, text), is_notebook=True)


def _notebook_blocks(path: Path, text: str) -> tuple[Block, ...]:
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableSubmission(
            f"{path}: not a notebook (it is no valid JSON); open it in JupyterLab, save it, and hand that in"
        ) from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise UnusableSubmission(f"{path}: not a notebook (it has no cells); open it in JupyterLab and save it again")
    blocks = []
    for position, cell in enumerate(cells, start=1):
        if isinstance(cell, dict) and cell.get("cell_type") == "code" and part_of(cell) not in SKIPPED_PARTS:
            blocks.append(Block(source_of(cell), f"cell {position}"))
    return tuple(blocks)


def source_of(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def part_of(cell: dict[str, Any]) -> str:
    """The part that a cell plays in its exercise, from its metadata; "" where it plays none."""
    metadata = cell.get("metadata")
    own = metadata.get("autograder") if isinstance(metadata, dict) else None
    part = own.get("part", "") if isinstance(own, dict) else ""
    return part if isinstance(part, str) else ""


@functools.lru_cache(maxsize=1024)
def defined_names(source: str) -> tuple[str, ...]:
    """Names that a block defines by a top-level `def` or `class`. Where it does not parse, by their look.

    By their look too where it is very long: 300 kB of one f-string take Python's parser half a minute.
    """
    if len(source) > _MAX_PARSED:
        return tuple(_DEFINITION.findall(source))
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return tuple(_DEFINITION.findall(source))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return tuple(node.name for node in tree.body if isinstance(node, kinds))
