"""The files of a download, whatever lies there: nothing is unpacked, and each is read alone and within limits."""

from __future__ import annotations

import io
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..submission import read_regular

MAX_FILE = 64 * 1024 * 1024
MAX_FILES = 50_000
_MAX_RATIO = 500
"""Bytes for each packed byte, in files of more than a megabyte."""
_JUNK = {"__macosx", "thumbs.db", "desktop.ini"}
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError, KeyError)


class Unusable(ValueError):
    """A file or an archive that cannot be taken; the message is the end of a sentence that begins with its name."""


@dataclass(frozen=True)
class Item:
    """One file of a download."""

    path: tuple[str, ...]
    """Its name, in parts; none of them leads outside."""
    read: Callable[[], bytes]
    """Its content. Raises Unusable."""

    @property
    def name(self) -> str:
        return self.path[-1]


@contextmanager
def opened(source: Path) -> Iterator[list[Item]]:
    """The files of a zip, a folder, or one file; they can be read within the block. Raises Unusable."""
    if not source.exists():
        raise Unusable("is not there.")
    if source.is_dir():
        yield list(_in_folder(source))
    elif source.suffix.lower() == ".zip":
        with _archive(source) as archive:
            yield _in_archive(archive, MAX_FILES)
    else:
        yield [Item((source.name,), partial(_read_file, source))]


def unpacked(data: bytes, most: int) -> list[Item]:
    """The files of a zip inside a download, at most so many. Raises Unusable."""
    return _in_archive(_archive(io.BytesIO(data)), most)


def _archive(source: Path | io.BytesIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except _BROKEN as error:
        raise Unusable("is a broken archive.") from error


def _in_archive(archive: zipfile.ZipFile, most: int) -> list[Item]:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > most:
        raise Unusable(f"holds more than {most} files.")
    items = [_item(_name(info), partial(_read_packed, archive, info)) for info in infos]
    return [item for item in items if not _is_junk(item)]


def _in_folder(folder: Path) -> Iterator[Item]:
    count = 0
    for place, folders, names in os.walk(folder):
        folders.sort()
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in sorted([*names, *links]):
            path = Path(place, name)
            item = _item(path.relative_to(folder).as_posix(), partial(_read_file, path))
            if not _is_junk(item):
                count += 1
                yield item
            if count > MAX_FILES:
                raise Unusable(f"holds more than {MAX_FILES} files.")


def _item(name: str, read: Callable[[], bytes]) -> Item:
    pieces = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode()).replace("\\", "/").split("/")
    drive = re.match(r"[A-Za-z]:", pieces[0]) is not None
    path = tuple(piece for piece in pieces if piece not in ("", ".", "..") and not (drive and piece == pieces[0]))
    if drive or ".." in pieces or name[:1] in ("/", "\\"):
        return Item(path or ("?",), _leads_outside)
    return Item(path or ("?",), read)


def _leads_outside() -> bytes:
    raise Unusable("has a name that leads outside of its archive.")


def _name(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: many programs write UTF-8 and do not say so."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _is_junk(item: Item) -> bool:
    """What systems and editors leave beside files."""
    return any(part.startswith(".") or part.casefold() in _JUNK for part in item.path)


def _read_packed(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.flag_bits & 1:
        raise Unusable("is locked with a password.")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise Unusable("is a link.")
    if info.file_size > max(1_000_000, _MAX_RATIO * info.compress_size):
        raise Unusable("is packed so tightly that it was left alone.")
    try:
        with archive.open(info) as stream:
            return _bounded(stream.read(MAX_FILE + 1) if info.file_size <= MAX_FILE else None)
    except Unusable:
        raise
    except _BROKEN as error:
        raise Unusable("is broken inside its archive.") from error


def _read_file(path: Path) -> bytes:
    if path.is_symlink():
        raise Unusable("is a link.")
    data = read_regular(path, MAX_FILE + 1)
    if data is None:
        raise Unusable("is no plain file, or cannot be read.")
    return _bounded(data)


def _bounded(data: bytes | None) -> bytes:
    if data is None or len(data) > MAX_FILE:
        raise Unusable(f"is larger than {MAX_FILE // 2**20} MB.")
    return data
