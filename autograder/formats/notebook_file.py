"""Read what a learner hands in: a notebook's cells, or a Python file. Runs nothing."""

from __future__ import annotations

import ast
import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_BYTES = 20 * 1024 * 1024
_MAX_CELLS = 2000
_MAX_SOURCE = 2_000_000
"""Characters in all cells together."""
NOT_RUN = frozenset({"check", "hidden", "question", "answer"})
_MAX_PARSED = 20_000
_DEFINITION = re.compile(r"^(?:async\s+def|def|class)\s+(\w+)", re.MULTILINE)
_ENCODINGS = "save it with this encoding, or open it in JupyterLab and save it there."


class Unreadable(ValueError):
    """The file is no notebook or Python file. The message is a sentence that a learner can act on."""


@dataclass(frozen=True)
class Block:
    """One cell of a notebook, or a whole Python file."""

    source: str
    name: str
    """Where it came from, for messages: "cell 7" or the file's name."""
    is_setup: bool = False
    """Whether it is the course's own first cell, without which nothing can be judged."""


def read_python(path: Path) -> Block:
    """A Python file as one block. Raises Unreadable."""
    try:
        if path.stat().st_size > _MAX_SOURCE:
            raise Unreadable(f"the file is larger than {_MAX_SOURCE // 10**6} MB.")
        return Block(path.read_text(encoding="utf-8-sig"), path.name)
    except UnicodeDecodeError as error:
        raise Unreadable(f"the file is not text in UTF-8: {_ENCODINGS}") from error
    except OSError as error:
        raise Unreadable(f"the file cannot be read ({error.strerror}).") from error


def read_notebook(path: Path) -> list[dict[str, Any]]:
    """The cells of a submitted notebook, each a dict with `cell_type`, `source` and `metadata`. Raises Unreadable."""
    try:
        return cells_in(path.read_bytes())
    except OSError as error:
        raise Unreadable(f"the file cannot be read ({error.strerror}).") from error


def cells_in(data: bytes) -> list[dict[str, Any]]:
    """`read_notebook` of a file's content. Raises Unreadable."""
    if len(data) > MAX_BYTES:
        raise Unreadable(
            f"the file is larger than {MAX_BYTES // 2**20} MB. Clear all outputs, save, and hand it in again."
        )
    try:
        # Editors on Windows save as UTF-16, with a mark at the beginning.
        tree = json.loads(data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Unreadable(f"the file is not text in UTF-8: {_ENCODINGS}") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(
            "the file is not a notebook: its JSON is broken. Open it in JupyterLab, save, hand it in again."
        ) from error
    if isinstance(tree, dict) and "worksheets" in tree:
        sheets = tree["worksheets"]
        tree = sheets[0] if isinstance(sheets, list) and sheets and isinstance(sheets[0], dict) else {}
    cells = tree.get("cells") if isinstance(tree, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("the file is not a notebook: it has no cells. Open it in JupyterLab, save, hand it in again.")
    if len(cells) > _MAX_CELLS:
        raise Unreadable(f"the notebook has more than {_MAX_CELLS} cells. Delete those that are not needed.")
    tidy = tidy_cells(cells)
    if sum(len(cell["source"]) for cell in tidy) > _MAX_SOURCE:
        raise Unreadable(
            f"its cells hold more than {_MAX_SOURCE // 10**6} million characters. Delete what is not needed."
        )
    return tidy


def tidy_cells(cells: Sequence[Any]) -> list[dict[str, Any]]:
    """Cells with all the fields that rebuilding needs, each of its type; what is no cell is left out."""
    return [_tidy(cell) for cell in cells if isinstance(cell, dict)]


def _tidy(cell: dict[str, Any]) -> dict[str, Any]:
    kind = cell.get("cell_type")
    metadata = cell.get("metadata")
    source = source_of(cell) if "source" in cell else source_of({"source": cell.get("input")})
    return {
        "cell_type": kind if kind in ("code", "markdown") else "markdown",
        "source": source,
        "metadata": metadata if isinstance(metadata, dict) else {},
        "id": str(cell.get("id", "")),
    }


def source_of(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def part_of(cell: Mapping[str, Any]) -> str:
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
