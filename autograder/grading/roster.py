"""Who is in the class: read from a platform's or nbgrader's list, and found again by id, login, address or name."""

from __future__ import annotations

import csv
import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path

from .times import moment

ROSTER_FILE = "roster.csv"
EXTENSIONS_FILE = "extensions.csv"
_COLUMNS = {
    "id": ("id", "student id"),
    "login": ("sis login id", "login", "login id", "username", "user name"),
    "sis_id": ("sis user id", "sid", "id number"),
    "platform_id": ("lms user id", "canvas id"),
    "participant": ("identifier",),
    "email": ("email", "email address", "e-mail", "e-mail address"),
    "first_name": ("first name", "given name"),
    "last_name": ("last name", "surname", "family name"),
    "name": ("student", "name", "full name", "student name"),
    "handed_in": ("last modified (submission)",),
}
"""Columns as Canvas, Moodle, Gradescope, Blackboard and nbgrader name them."""
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029/\\:*?"<>|\ud800-\udfff]')
_TAKEN_BY_WINDOWS = re.compile(r"(?i)(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?")
_MAX_BYTES = 120
_OF_CANVAS = {"sis user id", "sis login id"}
_GRACE = re.compile(r"\+\s*(\d{1,4}(?:\.\d+)?)\s*([dh])(?:ay|our|r)?s?\.?", re.IGNORECASE)
"""More time than the due date gives: `+2 days`, `+12 h`."""
_YES = {"yes", "y", "true", "1", "x", "excused"}


class RosterError(ValueError):
    """A list that cannot be used; one line says which line and why."""


@dataclass(frozen=True)
class Learner:
    id: str
    """The name in `submitted/` and in the gradebook."""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    login: str = ""
    sis_id: str = ""
    platform_id: str = ""
    """Canvas's own number."""
    participant: str = ""
    """Moodle's number, which holds in one assignment."""
    handed_in: str = ""
    """When, in Moodle's words, where the list is its grading worksheet."""
    canvas: tuple[str, ...] = ()
    """The cells before the points in Canvas's own export."""

    @property
    def names(self) -> frozenset[str]:
        """The learner's name in either order, as `squashed` gives it."""
        both = (squashed(self.first_name + self.last_name), squashed(self.last_name + self.first_name))
        return frozenset(both) - {""}


@dataclass(frozen=True)
class Extension:
    """More time for one learner or all (`*`), or none needed, in one unit or all (`*`)."""

    student: str
    unit: str
    until: datetime | None
    excused: bool
    more: timedelta = timedelta()
    """Grace: so much more than the unit's due date gives."""

    def deadline(self, due: datetime) -> datetime:
        return max(due + self.more, self.until or due)


@dataclass(frozen=True)
class Roster:
    learners: tuple[Learner, ...] = ()
    canvas_head: tuple[str, ...] = ()
    """The columns before the points in Canvas's own export; empty where the list is another."""
    canvas_units: tuple[str, ...] = ()
    """The columns with points there."""

    def find(self, **known: str) -> Learner | None:
        """The learner with one of these values; earlier ones go first: `find(platform_id="7", login="ada")`."""
        found = (self._index[kind].get(value.casefold()) for kind, value in known.items() if value)
        return next((learner for learner in found if learner), None)

    def named(self, name: str) -> list[Learner]:
        """All learners of this name, whatever its order, case and spaces."""
        return self._by_name.get(squashed(name), [])

    def of_folder(self, name: str) -> Learner | None:
        """The learner that a folder or an entry of the gradebook stands for; a name that two have stands for neither."""
        found = self.find(id=name, login=name, sis_id=name, email=name, platform_id=name)
        same = self.named(name)
        return found or (same[0] if len(same) == 1 else None)

    @functools.cached_property
    def _index(self) -> dict[str, dict[str, Learner]]:
        kinds = ("id", "login", "sis_id", "email", "platform_id", "participant")
        return {
            kind: {value.casefold(): learner for learner in self.learners if (value := getattr(learner, kind))}
            for kind in kinds
        }

    @functools.cached_property
    def _by_name(self) -> dict[str, list[Learner]]:
        found: dict[str, list[Learner]] = {}
        for learner in self.learners:
            for name in learner.names:
                found.setdefault(name, []).append(learner)
        return found


def squashed(name: str) -> str:
    """Letters and digits alone, in one case: `Doe, Jane` and `doejane` are the same."""
    return "".join(sign for sign in unicodedata.normalize("NFKC", name).casefold() if sign.isalnum())


def safe_name(name: str) -> str:
    """A folder's name on every system, the same for the same learner, another for another."""
    safe = _FORBIDDEN.sub("_", name).strip(" .")
    if _TAKEN_BY_WINDOWS.fullmatch(safe) or not safe:
        safe = f"{safe}_"
    if safe == name and len(name.encode()) <= _MAX_BYTES:
        return name
    return f"{safe.encode()[:_MAX_BYTES].decode('utf-8', 'ignore')}_{digest_of(name)}"


def digest_of(text: str) -> str:
    """Eight digits that tell this text from others."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def read_roster(path: Path) -> Roster:
    """The class in a list from Canvas, Moodle, Gradescope, Blackboard or nbgrader. Raises RosterError."""
    head, lines = _table(path)
    titles = [_title(name) for name in head]
    of_canvas = bool(_OF_CANVAS & {*titles})
    columns = _columns(titles, of_canvas)
    if not {"id", "login", "sis_id", "platform_id", "participant", "email"} & columns.keys():
        raise RosterError(
            f"{path}: no column says who is who. Give it a column `id` (there are: {', '.join(head) or 'none'})."
        )
    own = titles.index("section") + 1 if of_canvas and "section" in titles else 0
    learners: dict[int, Learner] = {}
    for number, cells in lines:
        values = {field: cells[place].strip() for field, place in columns.items()}
        if of_canvas and _is_no_learner(cells, values):
            continue
        learners[number] = _learner(path, number, values, tuple(cells[:own]))
    _refuse_doubles(path, learners)
    return Roster(tuple(learners.values()), tuple(head[:own]), tuple(head[own:]) if own else ())


def read_extensions(path: Path) -> tuple[Extension, ...]:
    """The lines of `extensions.csv` (`student,unit,until,excused`); none where there is no such file. Raises RosterError.

    A date without a zone is in UTC.
    """
    if not path.exists():
        return ()
    head, lines = _table(path)
    titles = [_title(name) for name in head]
    if "student" not in titles or not {"until", "excused"} & {*titles}:
        raise RosterError(f"{path}: it needs the columns student, unit, until (a date) or excused (yes).")
    found = []
    for number, cells in lines:
        line = dict(zip(titles, map(str.strip, cells), strict=True))
        until, excused = line.get("until", ""), line.get("excused", "").casefold() in _YES
        if until.casefold() == "excused":
            until, excused = "", True
        grace = _GRACE.fullmatch(until)
        date = None if grace else moment(until)
        if until and date is None and not grace:
            raise RosterError(
                f"{path}, line {number}: {until!r} is no date. Write it as 2027-03-01 18:00 UTC, or as +2 days or +12 hours."
            )
        more = timedelta(**{"days" if grace[2] in "dD" else "hours": float(grace[1])}) if grace else timedelta()
        found.append(Extension(line["student"], line.get("unit") or "*", date, excused, more))
    return tuple(found)


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The head of a table, and its lines with their numbers, each as long as the head. Raises RosterError."""
    try:
        text = _text(path.read_bytes())
    except OSError as error:
        raise RosterError(f"{path} cannot be read ({error.strerror or error}).") from error
    except UnicodeError as error:
        raise RosterError(f"{path} is no text. Save it as CSV, in UTF-8.") from error
    text = re.sub(r"\Asep=.\r?\n", "", text)
    first = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
        lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise RosterError(f"{path} is no table that can be read ({error}). Save it as CSV, in UTF-8.") from error
    if not lines:
        raise RosterError(f"{path} is empty.")
    head = [cell.strip() for cell in lines[0][1]]
    return head, [(number, [*cells, *[""] * len(head)][: len(head)]) for number, cells in lines[1:]]


def _text(data: bytes) -> str:
    """UTF-8 or UTF-16, with a mark or without, or else what Excel writes in Western Europe."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    if b"\0" in data[:200]:
        return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be")
    try:
        return data.decode("utf-8-sig")
    except UnicodeError:
        return data.decode("cp1252")


def _title(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())


def _columns(titles: Sequence[str], of_canvas: bool) -> dict[str, int]:
    """Which column holds which field. In Canvas's export `ID` is the platform's own number."""
    found = {}
    for field, names in _COLUMNS.items():
        place = next((titles.index(name) for name in names if name in titles), None)
        if place is not None:
            found[field] = place
    if of_canvas and "id" in found:
        found["platform_id"] = found.pop("id")
    return found


def _is_no_learner(cells: Sequence[str], values: Mapping[str, str]) -> bool:
    """Canvas writes lines of its own below the head, and one for its test student."""
    name = values.get("name", "").casefold()
    return name in ("points possible", "student, test") or not any(
        values.get(kind) for kind in ("name", "login", "sis_id", "platform_id")
    )


def _learner(path: Path, number: int, values: Mapping[str, str], canvas: tuple[str, ...]) -> Learner:
    told = dict(values)
    told["participant"] = told.get("participant", "").removeprefix("Participant ").strip()
    name = told.pop("name", "")
    if name and not (told.get("first_name") or told.get("last_name")):
        last, comma, first = name.partition(",")
        first, last = (first, last) if comma else (name.rpartition(" ")[0], name.rpartition(" ")[2])
        told |= {"first_name": first.strip(), "last_name": last.strip()}
    ids = (told.get(kind, "") for kind in ("id", "login", "sis_id", "email", "platform_id", "participant"))
    told["id"] = next((one for one in ids if one), "")
    if not told["id"]:
        raise RosterError(f"{path}, line {number}: {name or 'a learner'} has no id.")
    if told["id"] != safe_name(told["id"]):
        told |= {"id": safe_name(told["id"]), "login": told.get("login") or told["id"]}
    known = {field.name for field in fields(Learner)}
    return Learner(**{key: value for key, value in told.items() if key in known}, canvas=canvas)


def _refuse_doubles(path: Path, learners: Mapping[int, Learner]) -> None:
    for kind in ("id", "login", "sis_id", "platform_id", "participant"):
        seen: dict[str, int] = {}
        for number, learner in learners.items():
            value = getattr(learner, kind).casefold()
            if value and value in seen:
                raise RosterError(
                    f"{path}: lines {seen[value]} and {number} have the same {kind.replace('_', ' ')}, "
                    f"{getattr(learner, kind)!r}. Each learner needs one of their own."
                )
            seen[value] = number


def granted(extensions: Iterable[Extension], learner: Learner | None, folder: str, unit: str) -> Extension:
    """All that a learner is granted in a unit, in one: the latest date, the longest grace.

    folder: the learner's name in `submitted/`
    """
    ids = (learner.id, learner.login, learner.sis_id, learner.platform_id, learner.email) if learner else ()
    wanted = {name.casefold() for name in (folder, *ids) if name} | {"*"}
    units = {"*", unit, unit[:2], unit[3:]}
    own = [one for one in extensions if one.student.casefold() in wanted and one.unit in units]
    return Extension(
        folder,
        unit,
        max((one.until for one in own if one.until), default=None),
        any(one.excused for one in own),
        max((one.more for one in own), default=timedelta()),
    )
