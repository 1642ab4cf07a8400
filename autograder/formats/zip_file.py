"""Zips that are the same, byte by byte, whenever they are written."""

from __future__ import annotations

import zipfile


def add_file(archive: zipfile.ZipFile, name: str, data: bytes, *, executable: bool = False) -> None:
    entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    entry.external_attr = (0o755 if executable else 0o644) << 16
    archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
