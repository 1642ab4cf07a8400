"""Read what a learner handed in, whatever lies there: links, pipes, huge files and odd names do no harm."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..formats.notebook_file import MAX_BYTES, Unreadable, read_notebook
from ..formats.rebuild import Repair, grade_id_of
from ..judging.weights import MAX_FILE_BYTES, NO_PLAIN_FILE

TIMESTAMP = "timestamp.txt"
MAX_TOTAL = 96 * 1024 * 1024
"""Bytes of one submission that are read."""
MAX_TIMESTAMP = 200
_MAX_FILES = 200
_MAX_NAME = 80
_MAX_CANDIDATES = 10


def submission_files(folder: Path, wanted: Collection[str] = ()) -> dict[str, bytes]:
    """A submission's files by name: notebooks and the time stamp with their content, others by name only.

    A notebook larger than `MAX_BYTES` comes without its outputs, which nothing is graded by; one that is larger even so is
    cut one byte past that size. All together take no more than `MAX_TOTAL`. Folders, links and pipes count as other files,
    their names marked. Raises OSError where the folder itself cannot be read.

    wanted: names of the unit's notebook and of further files that it asks for; they come first, with their content
    """
    files: dict[str, bytes] = {}
    first = {TIMESTAMP, *wanted}
    left = MAX_TOTAL
    paths = sorted(folder.iterdir(), key=lambda path: (path.name not in first, path.suffix != ".ipynb", path.name))
    for path in paths[:_MAX_FILES]:
        if path.suffix != ".ipynb" and path.name != TIMESTAMP and path.name not in wanted:
            files.setdefault(_plain_name(path), b"")
            continue
        most = MAX_TOTAL if path.suffix == ".ipynb" else MAX_TIMESTAMP if path.name == TIMESTAMP else MAX_FILE_BYTES
        data = read_regular(path, min(most + 1, left))
        left -= len(data or b"")
        if path.suffix == ".ipynb" and data and len(data) > MAX_BYTES:
            data = _without_outputs(data)[: MAX_BYTES + 1]
        if data is None:
            files.setdefault(_plain_name(path) + NO_PLAIN_FILE, b"")
        else:
            files.setdefault(_plain_name(path), data)
    return files


class _Cell(msgspec.Struct):
    cell_type: Any = None
    source: Any = None
    metadata: Any = None
    id: Any = None


class _Notebook(msgspec.Struct):
    cells: list[_Cell]
    metadata: Any = None
    nbformat: Any = 4
    nbformat_minor: Any = 5


def _without_outputs(data: bytes) -> bytes:
    """A notebook's text without outputs, which are not even read into memory; the text itself where it is no notebook."""
    try:
        return msgspec.json.encode(msgspec.json.decode(data, type=_Notebook))
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return data


def read_regular(path: Path, most: int) -> bytes | None:
    """The first `most` bytes of a plain file; None where it is something else or cannot be read."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        if path.is_symlink():
            return None
        descriptor = os.open(path, flags)
        with os.fdopen(descriptor, "rb") as stream:
            return stream.read(most) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except OSError:
        return None


def submission_digest(files: Mapping[str, bytes], wanted: Collection[str] = ()) -> str:
    """Changes with the notebooks, the hand-in time and the further files that the unit asks for."""
    counting = {name for name in files if name.endswith(".ipynb") or name == TIMESTAMP or name in wanted}
    return files_digest({name: files[name] for name in counting})


def files_digest(files: Mapping[str, bytes]) -> str:
    """Changes with the name and the content of each file."""
    digest = hashlib.sha256()
    for name, data in sorted(files.items()):
        digest.update(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest() + hashlib.sha256(data).digest())
    return digest.hexdigest()


def _plain_name(path: Path) -> str:
    """A name that can be written, shown and stored anywhere."""
    name = os.fsencode(path.name).decode("utf-8", "replace")
    stem, dot, suffix = name.rpartition(".")
    return name if len(name) <= _MAX_NAME else f"{stem[:_MAX_NAME]}{dot}{suffix[:10]}"


def find_notebook(
    folder: Path, name: str, grade_ids: frozenset[str]
) -> tuple[Path, list[dict[str, Any]], tuple[Repair, ...]]:
    """The notebook to grade in a submission's folder, its cells, and a note where it has another name.

    By its file name, or, where that file is missing or broken, by the grade ids in its cells. Raises Unreadable.
    """
    wanted = folder / f"{name}.ipynb"
    broken = f"there is no {wanted.name} among the files that were handed in ({_names(folder)})."
    if wanted.is_file():
        try:
            return wanted, read_notebook(wanted), ()
        except Unreadable as error:
            broken = str(error)
    candidates = [path for path in sorted(folder.glob("*.ipynb")) if path.is_file() and path != wanted]
    found: list[tuple[int, Path, list[dict[str, Any]]]] = []
    for path in candidates[:_MAX_CANDIDATES]:
        try:
            cells = read_notebook(path)
        except Unreadable as error:
            broken = str(error) if len(candidates) == 1 and not wanted.is_file() else broken
            continue
        found.append((len({grade_id_of(cell) for cell in cells} & grade_ids), path, cells))
    carrying = [one for one in found if one[0]] or (found if len(candidates) == 1 and not wanted.is_file() else [])
    if not carrying:
        raise Unreadable(broken)
    _, path, cells = max(carrying, key=lambda one: one[0])
    repair = Repair(
        "file",
        path.name,
        f"{'there is no usable' if wanted.is_file() else 'there is no'} {wanted.name}; {path.name} was graded in its place",
        f"Your file is named {path.name}; it was graded as {wanted.name}. Please keep the name next time.",
    )
    return path, cells, (repair,)


def _names(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return f"there are: {', '.join(names[:5])}" if names else "there are none"
