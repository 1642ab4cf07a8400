"""`use_part`: earlier exercises for later lessons, so that a failing early part never fails a later one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import library
from ..formats.cases import CASES_FILE, load_cases
from ..formats.language import said
from ..judging.verdict import verdict_of
from ..observing.observe import sighting_of
from . import my_transformer

_inside = 0
"""How many kept parts are being loaded, one for another: these are not announced."""
_announced: set[tuple[str, bool]] = set()
"""What has been said of which part: once, and again when another is handed out."""
_open: set[str] = set()
_own: dict[tuple[Path, str], tuple[str, tuple[int, ...], Any]] = {}
"""Kept parts that this process has loaded, each with its text and the parts it stands on: one class is one class."""


def use_part(name: str) -> Any:
    """The exercise `name`, ready to use: the learner's own where it has passed its check, else library-backed.

    Raises NoSuchPart where the course has no exercise of that name.
    """
    backed = library.part(name)
    if library.is_grading() or not my_transformer.is_on():
        return my_transformer.hand_out(name, backed)
    own = learners_part(name)
    if not _inside and (name, own is not None) not in _announced:
        _announced.add((name, own is not None))
        unit = library.unit_of(name)
        if own is not None:
            print(said(f"{name}: your own, from unit {unit}."))
        elif my_transformer.read(my_transformer.package_folder(Path.cwd()), name) is None:
            print(said(f"{name}: library-backed, until yours passes its check in unit {unit}."))
        else:
            print(
                said(
                    f"{name}: library-backed, since {my_transformer.PACKAGE}/{name}.py does not pass the check of unit {unit} as "
                    "it stands: run that check again in its notebook, which writes the file anew."
                )
            )
    return my_transformer.hand_out(name, backed if own is None else own)


def learners_part(name: str) -> Any:
    """The learner's kept part, on parts of their own as far as there are any; None where there is none that passes.

    It is checked on the visible cases, by itself on library-backed parts, unless this very text has passed on them.
    """
    global _inside
    folder = my_transformer.package_folder(Path.cwd())
    text = my_transformer.read(folder, name)
    if text is None or name in _open or not _passes(folder, name, text):
        return None
    _open.add(name)  # of two parts that use each other, one stands on the library-backed other
    try:
        inner = tuple(id(learners_part(used)) for used in my_transformer.uses(text))
    finally:
        _open.remove(name)
    made = _own.get((folder, name))
    if made is None or made[:2] != (text, inner):
        _inside += 1
        try:
            made = text, inner, my_transformer.load(text, name, str(folder / f"{name}.py"))
        except Exception:  # whatever a learner's module does
            return None
        finally:
            _inside -= 1
        _own[folder, name] = made
    return made[2]


def _passes(folder: Path, name: str, text: str) -> bool:
    path = folder.parent / library.unit_of(name) / CASES_FILE
    try:
        data = path.read_bytes()
        if my_transformer.has_passed(folder, name, text, data):
            return True
        cases = load_cases(path).exercise(name)
        with library.grading():
            own = my_transformer.load(text, name, str(folder / f"{name}.py"))
            verdict = verdict_of(cases, sighting_of(own, cases), path.parent)
    except Exception:  # no cases, or whatever a learner's module does
        return False
    if not verdict.passed:
        return False
    my_transformer.note_passed(folder, name, text, data)
    return True
