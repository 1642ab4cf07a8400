"""Collect one unit: read the downloads, find whose each file is and which counts, and put it in place."""

from __future__ import annotations

import errno
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from ...formats.cases import CASES_FILE, load_cases
from ...formats.notebook_file import read_notebook
from ...formats.rebuild import grade_id_of
from ..files import shown_name
from ..roster import Learner, Roster
from ..submission import TIMESTAMP
from .archives import Item, Unusable, opened
from .contents import Contents, Found, Unit, contents_of, shown
from .listing import Collected, Status, merged, read_listing, with_missing, write_listing
from .matching import by_folder
from .placing import count_kept, keep, kept_name, place, remove_left_over
from .platforms import HandedIn, download_at, recognised

_FOR_ALL = {errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES, errno.EPERM}
"""What no other learner's submission would fare better with."""


def open_unit(course: Path, name: str) -> Unit:
    """What a unit asks for, as released. Raises OSError, ValueError."""
    stem = name.split("_", 1)[1]
    folder = course / "notebooks" / name
    ids = frozenset(grade_id_of(cell) for cell in read_notebook(folder / f"{stem}.ipynb")) - {""}
    files = dict.fromkeys(file for cases in load_cases(folder / CASES_FILE).exercises for file in cases.files)
    return Unit(name, stem, ids, tuple(files))


def collect(
    course: Path, unit: Unit, sources: Sequence[Path], roster: Roster, zone: tzinfo | None = None
) -> list[Collected]:
    """Fill `submitted/` from downloads and say what came of each, of earlier collections of this unit too.

    zone: of times for which a platform names none; None for this machine's

    A submission that cannot be taken costs its own learner alone. Raises Unusable where a whole download cannot be
    read, OSError where nothing can be written.
    """
    root = course / "submitted"
    root.mkdir(exist_ok=True)
    remove_left_over(root)
    listed = read_listing(course, unit.name)
    for source in sources:
        try:
            with opened(download_at(source, roster)) as items:
                listed = merged(listed, list(_from_download(root, unit, items, roster, zone, listed)))
        except Unusable as error:
            raise Unusable(f"{source} {error}") from error
    listed = with_missing(listed, _missing(root, unit.name, roster, listed))
    write_listing(course, unit.name, listed)
    return listed


def _from_download(
    root: Path, unit: Unit, items: Sequence[Item], roster: Roster, zone: tzinfo | None, listed: Iterable[Collected]
) -> Iterator[Collected]:
    existing = [path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
    files = recognised(items, unit.stem, roster, zone)
    groups, learners, nobody = by_folder(files, roster, existing)
    placed = {row.student: row for row in listed if row.in_place}
    for student, group in sorted(groups.items()):
        learner = learners.get(student)
        row = _taken(root, student, unit, group, learner, placed.get(student))
        strange = bool(roster.learners) and learner is None
        yield replace(row, note=_joined(row.note, "not on the roster")) if strange else row
    yield from _without_owner(nobody)


def _missing(root: Path, unit: str, roster: Roster, rows: Iterable[Collected]) -> list[str]:
    """Learners on the roster of whom nothing lies there, and nothing was refused."""
    there = {path.parent.name for path in root.glob(f"[!.]*/{unit}") if path.is_dir()}
    there |= {row.student for row in rows if row.status == "skipped"}
    owners = {learner.id for name in there if (learner := roster.of_folder(name))}
    return [learner.id for learner in roster.learners if learner.id not in owners]


def _without_owner(nobody: Iterable[tuple[HandedIn, str]]) -> list[Collected]:
    found: dict[str, str] = {}
    for file, reason in nobody:
        found.setdefault(shown("/".join(file.item.path)), reason)
    return [Collected("", "skipped", name, note=reason) for name, reason in found.items()]


def _taken(
    root: Path, student: str, unit: Unit, group: Sequence[HandedIn], learner: Learner | None, before: Collected | None
) -> Collected:
    """Put one learner's submission in place, or say why not."""
    refused = Collected(student, "skipped", shown("/".join(group[0].item.path)))
    try:
        return _collected(root, student, unit, group, learner, before)
    except Unusable as error:
        return replace(refused, note=str(error))
    except OSError as error:
        if error.errno in _FOR_ALL:
            raise
        return replace(refused, note=f"cannot be written: {error.strerror}")
    except Exception as error:  # one submission must not stop the class
        return replace(refused, note=shown(f"{type(error).__name__}: {error}"))


def _collected(
    root: Path, student: str, unit: Unit, group: Sequence[HandedIn], learner: Learner | None, before: Collected | None
) -> Collected:
    contents = contents_of(group, unit)
    counts = contents.notebook.file if contents.notebook else max(group, key=lambda file: file.age)
    row = Collected(
        student,
        "skipped",
        shown("/".join(counts.item.path)),
        counts.time.isoformat() if counts.time else counts.stamp,
        "LATE" if counts.late else "",
        counts.who.number,
        counts.number,
    )
    if contents.notebook is None:
        names = ", ".join(sorted({shown(name) for name in contents.names})[:5])
        return replace(row, note=_joined(*contents.notes, "" if contents.notes else f"no notebook among: {names}"))
    known = (learner.platform_id, learner.participant, learner.login, learner.sis_id, learner.email) if learner else ()
    if before and before.platform_id and row.platform_id not in ("", before.platform_id, *known):
        told = (
            f"user {row.platform_id} of the platform has the name of user {before.platform_id}, whose work lies there"
        )
        return replace(row, note=told)
    return _put(root, row, unit, contents, contents.notebook, before)


def _put(
    root: Path, row: Collected, unit: Unit, contents: Contents, notebook: Found, before: Collected | None
) -> Collected:
    name = f"{unit.stem}.ipynb"
    files = {name: notebook.data, **contents.files}
    if stamp := _stamp(notebook.file):
        files[TIMESTAMP] = stamp.encode()
    done = place(root, row.student, unit.name, files, older=_is_older(row, before))
    for other in contents.others:
        if other.data != notebook.data:
            keep(root, row.student, unit.name, {kept_name(other.file.name): other.data})
    kept = count_kept(root, row.student, unit.name)
    told = (
        f"{kept} other {'file is' if kept == 1 else 'files are'} kept in submitted/{row.student}/earlier"
        if kept
        else ""
    )
    if done == "older":
        note = _joined(f"what lies there is newer than {row.file}", told)
        return replace(before, note=note) if before else replace(row, status="collected", note=note)
    repairs = [*contents.notes]
    if not re.fullmatch(rf"{re.escape(unit.stem)}(?:-\d+|\s?\(\d+\))?\.ipynb", notebook.file.name):
        repairs.insert(0, f"{shown(notebook.file.name)} was taken as {name}")
    trouble = notebook.trouble or ("" if notebook.ids else f"it holds no cell of {unit.name}")
    status: Status = "repaired" if repairs else "collected"
    return replace(row, status=status, note=_joined(*repairs, trouble, told))


def _is_older(row: Collected, before: Collected | None) -> bool | None:
    """Whether a submission is older than the one that was put in place before; None where nothing tells."""
    if before is None:
        return None
    if row.handed_in and before.handed_in:
        try:
            now, then = (datetime.fromisoformat(text) for text in (row.handed_in, before.handed_in))
            if now != then:
                return now < then
        except (ValueError, TypeError):
            return None
    if row.number and before.number:
        return row.number < before.number
    return None


def _stamp(file: HandedIn) -> str:
    """The text of `timestamp.txt`: what lay there, or the platform's time, in UTC."""
    return file.stamp or (f"{file.time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if file.time else "")


def _joined(*notes: str) -> str:
    return "; ".join(note.rstrip(".") for note in notes if note)


def table(rows: Sequence[Collected]) -> str:
    """The rows as lines for a terminal, those that need a look first, and how many there are of each kind."""
    groups: dict[str, list[Collected]] = defaultdict(list)
    for row in rows:
        groups[row.status].append(row)
    lines = []
    for status in ("skipped", "repaired", "collected"):
        for row in groups[status]:
            if status != "collected" or row.note or row.late:
                told = _joined(row.file, row.note, "late" if row.late else "")
                lines.append(f"{status:<10} {shown_name(row.student) or '?':<24} {told}")
    if groups["missing"]:
        lines.append(f"missing    {', '.join(shown_name(row.student) for row in groups['missing'])}")
    counts = ", ".join(f"{len(groups[status])} {status}" for status in ("collected", "repaired", "skipped", "missing"))
    return "\n".join([*lines, counts])
