"""What a learner's files hold: the notebook that counts, found by what is in it, and further files that a unit asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePosixPath

from ...formats.notebook_file import Unreadable, cells_in
from ...formats.rebuild import grade_id_of
from ..submission import MAX_TOTAL, TIMESTAMP
from .archives import Unusable, unpacked
from .platforms import HandedIn

_MAX_INSIDE = 500
_MAX_DEPTH = 3
_NOTEBOOK_ENDINGS = {".ipynb", ".json", ".txt", ""}


@dataclass(frozen=True)
class Unit:
    """What a unit asks for."""

    name: str
    stem: str
    """Its notebook's name without the ending."""
    grade_ids: frozenset[str]
    files: tuple[str, ...] = ()
    """Names of files that are handed in beside the notebook."""


@dataclass(frozen=True)
class Found:
    """One file with its content, and how much of the unit it holds."""

    file: HandedIn
    data: bytes
    ids: int
    trouble: str = ""
    """Why it cannot be read as a notebook."""


@dataclass
class Contents:
    """What one learner handed in."""

    notebook: Found | None = None
    others: list[Found] = field(default_factory=list)
    """Further notebooks."""
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """Of everything that was looked at."""


def contents_of(files: Iterable[HandedIn], unit: Unit) -> Contents:
    """The notebook that counts is the newest of those that hold about as much of the unit as any."""
    contents = Contents()
    notebooks: list[Found] = []
    further: dict[str, tuple[datetime, int]] = {}
    for file, data in _opened(files, contents):
        name = _further_name(file.name, unit)
        if name:
            if name not in further or file.age >= further[name]:
                further[name], contents.files[name] = file.age, data
        elif _may_be_notebook(file.name, data):
            notebooks.append(_looked_at(file, data, unit))
    if notebooks:
        most = max(found.ids for found in notebooks)
        enough = [found for found in notebooks if 2 * found.ids >= most and (found.ids or not most)]
        contents.notebook = max(
            enough,
            key=lambda found: (not found.trouble, found.file.age, found.ids, found.file.name == f"{unit.stem}.ipynb"),
        )
        contents.others = [found for found in notebooks if found is not contents.notebook]
    return contents


def _opened(files: Iterable[HandedIn], contents: Contents) -> Iterator[tuple[HandedIn, bytes]]:
    """Each file, those inside archives too, with its content; what cannot be read is noted."""
    waiting = [(file, 0) for file in files]
    waiting.reverse()
    left, count = MAX_TOTAL, 0
    while waiting:
        file, depth = waiting.pop()
        contents.names.append(file.name)
        count += 1
        try:
            if count > _MAX_INSIDE or left <= 0:
                raise Unusable("was left alone: it is too much for one submission.")
            data = file.item.read()
            left -= len(data)
            if not data.startswith((b"PK\x03\x04", b"PK\x05\x06")) and not file.name.lower().endswith(".zip"):
                yield file, data
            elif depth == _MAX_DEPTH:
                raise Unusable("is an archive in an archive in an archive: it was left alone.")
            else:
                inside = unpacked(data, _MAX_INSIDE)
                for item in reversed(inside):
                    if item.name != TIMESTAMP:
                        within = replace(item, path=(*file.item.path, *item.path))
                        waiting.append((replace(file, item=within, name=item.name), depth + 1))
        except Unusable as error:
            contents.notes.append(f"{shown(file.name)} {error}")


def _further_name(name: str, unit: Unit) -> str:
    """The name under which a unit asks for a file like this one; "" where it does not."""
    if name in unit.files:
        return name
    alike = [wanted for wanted in unit.files if PurePosixPath(wanted).suffix == PurePosixPath(name.lower()).suffix]
    return alike[0] if len(alike) == 1 else ""


def _may_be_notebook(name: str, data: bytes) -> bool:
    ending = PurePosixPath(name.lower()).suffix
    if ending in (".ipynb", ".ipynb_"):
        return True
    known = ending in _NOTEBOOK_ENDINGS or not ending.isalpha()
    return known and data.lstrip()[:1] == b"{" and b'"cells"' in data


def _looked_at(file: HandedIn, data: bytes, unit: Unit) -> Found:
    try:
        return Found(file, data, len({grade_id_of(cell) for cell in cells_in(data)} & unit.grade_ids))
    except Unreadable as error:
        return Found(file, data, 0, str(error))


def shown(name: str) -> str:
    """A name that fits into a line."""
    line = "".join(sign if sign.isprintable() else " " for sign in name.encode("utf-8", "replace").decode())
    return line if len(line) <= 80 else f"{line[:60]}…{line[-15:]}"
