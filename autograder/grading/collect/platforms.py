"""Recognise which platform packed a download, and say of each file who handed it in, and when."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from ..roster import Roster
from ..submission import MAX_TIMESTAMP, TIMESTAMP
from ..times import moment
from .archives import Item, Unusable, opened

_CANVAS = re.compile(r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<user>\d+)_(?P<file>\d+)_(?P<rest>.+)", re.DOTALL)
_MOODLE = re.compile(r"(?P<name>.+?)_(?P<user>\d+)_assignsubmission_(?:file|onlinetext)_?(?P<rest>.*)", re.DOTALL)
_BLACKBOARD = re.compile(
    r"(?P<begin>.*?_(?P<user>[^_]+))_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<rest>.+)|\.txt)", re.DOTALL
)
_GRADESCOPE = re.compile(r"submission_\d+")
_METADATA = "submission_metadata.yml"
_GOOGLE = re.compile(r"(?P<name>.+?) - (?P<rest>.+)", re.DOTALL)
_FORMS = (_CANVAS, _MOODLE, _BLACKBOARD, _GRADESCOPE, _GOOGLE)
_ENDINGS = re.compile(r"(?:\.ipynb|\.zip|\.json|\.txt|\.safetensors|\.tar|\.gz|\.7z|\.rar)+$", re.IGNORECASE)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_ADDED = r"(?:\s*\(\d+\)|-\d+|[\s_-](?:final|copy|new|v\d+))*$"


@dataclass(frozen=True)
class Who:
    """A learner as a platform names them."""

    name: str
    folder: str
    """What their folder is called where no roster knows better; "" where the file names nobody."""
    platform_id: str = ""
    participant: str = ""
    """Moodle's number, which holds in one assignment."""
    login: str = ""
    sis_id: str = ""
    email: str = ""
    words: tuple[str, ...] = ()
    """Parts of a name that somebody chose, one of which may be an id."""

    @property
    def number(self) -> str:
        """What tells namesakes apart; "" where the platform gives no such thing."""
        return self.platform_id or self.participant or self.login or self.sis_id or self.email


@dataclass(frozen=True)
class HandedIn:
    """One file of one learner."""

    who: Who
    item: Item
    name: str
    """As the learner called it."""
    time: datetime | None = None
    late: bool = False
    """Marked as late by the platform."""
    number: int = 0
    """The platform's number of the file: later ones are higher."""
    stamp: str = ""
    """The text of a `timestamp.txt` that lay beside it."""

    @property
    def age(self) -> tuple[datetime, int]:
        """Later ones compare as greater."""
        return self.time or _LONG_AGO, self.number


def download_at(source: Path, roster: Roster) -> Path:
    """The one zip in a folder, where it is a platform's download and no learner's; else what was given."""
    inside = [path for path in source.iterdir() if not path.name.startswith(".")] if source.is_dir() else []
    if len(inside) != 1 or inside[0].suffix.lower() != ".zip" or roster.of_folder(inside[0].stem):
        return source
    try:
        with opened(inside[0]) as items:
            return inside[0] if _form_of({item.path[0] for item in _without_wrapper(items, roster)}) else source
    except Unusable:
        return source


def recognised(items: Sequence[Item], stem: str, roster: Roster, zone: tzinfo | None) -> Iterator[HandedIn]:
    """Every file, with its learner.

    stem: the unit's notebook without its ending, which is no part of a learner's name
    zone: of times for which the platform names none; None for this machine's
    """
    items = _without_wrapper(items, roster)
    form = _form_of({item.path[0] for item in items})
    metadata = next((item for item in items if item.path == (_METADATA,)), None)
    if form is _GRADESCOPE and metadata:
        yield from _gradescope(metadata, items)
        return
    readers: dict[re.Pattern[str], _Reader] = {
        _CANVAS: _canvas,
        _MOODLE: _moodle(roster, zone),
        _BLACKBOARD: _blackboard(items, zone),
        _GOOGLE: _google,
    }
    stamps = {item.path[0]: item for item in items if _is_stamp(item, stem)}
    for item in items:
        found = form.fullmatch(item.path[0]) if form in readers else None
        if form and found and not (form is _GOOGLE and len(item.path) > 1):
            yield readers[form](item, found)
        elif not _is_stamp(item, stem):
            yield _plain(item, stem, stamps)


def _form_of(names: Collection[str]) -> re.Pattern[str] | None:
    """The form that most names have, and half of them at least; the first of several. What learners choose stands at the
    end of a name, so that none of them can take their file out of the platform's own form.
    """
    counts = {form: sum(form.fullmatch(name) is not None for name in names) for form in _FORMS}
    form = max(counts, key=lambda form: counts[form])
    return form if names and 2 * counts[form] >= len(names) else None


def _without_wrapper(items: Sequence[Item], roster: Roster) -> Sequence[Item]:
    """Files below the one folder that holds all of them, unless it is a learner's own."""
    while len({item.path[0] for item in items}) == 1 and all(len(item.path) > 1 for item in items):
        top, inner = items[0].path[0], {item.path[1] for item in items}
        learners = sum(roster.of_folder(_ENDINGS.sub("", name)) is not None for name in inner)
        is_group = _form_of(inner) is not None or learners > 1 or all(len(item.path) > 2 for item in items)
        if _MOODLE.fullmatch(top) or roster.of_folder(top) or not is_group:
            return items
        items = [replace(item, path=item.path[1:]) for item in items]
    return items


_Reader = Callable[[Item, re.Match[str]], HandedIn]
"""Whose a file is, from its outermost name and what that matches of the platform's form."""


def _canvas(item: Item, found: re.Match[str]) -> HandedIn:
    who = Who(found["name"], f"{found['name']}_{found['user']}", platform_id=found["user"])
    return HandedIn(who, item, found["rest"], late=bool(found["late"]), number=int(found["file"][:15]))


def _moodle(roster: Roster, zone: tzinfo | None) -> _Reader:
    def read(item: Item, found: re.Match[str]) -> HandedIn:
        learner = roster.find(participant=found["user"])
        time = moment(learner.handed_in, zone) if learner and learner.handed_in else None
        name = item.name if len(item.path) > 1 else found["rest"]
        return HandedIn(Who(found["name"], found["name"], participant=found["user"]), item, name, time)

    return read


def _blackboard(items: Iterable[Item], zone: tzinfo | None) -> _Reader:
    """Beside each attempt lies a text that says whose it is, and when it was handed in, zone included."""
    told: dict[str, Mapping[str, str]] = {}
    for item in items:
        found = _BLACKBOARD.fullmatch(item.path[0])
        if found and found["rest"] is None:
            told[item.path[0].removesuffix(".txt")] = _told_by_blackboard(item)

    def read(item: Item, found: re.Match[str]) -> HandedIn:
        words = told.get(f"{found['begin']}_attempt_{found['time']}", {})
        named = re.fullmatch(r"(.*) \(([^()]+)\)", words.get("Name", ""))
        name, login = named.groups() if named else (found["user"], found["user"])
        written = moment(re.sub(r"^(\d+-\d+-\d+)-(\d+)-(\d+)-(\d+)$", r"\1 \2:\3:\4", found["time"]), zone)
        time = moment(words.get("Date Submitted", ""), zone) or written
        return HandedIn(Who(name, login, login=login), item, found["rest"] or item.name, time)

    return read


def _told_by_blackboard(item: Item) -> Mapping[str, str]:
    try:
        head = item.read()[:4000].decode("utf-8-sig", "replace")
    except Unusable:
        return {}
    lines = head.partition("Submission Field:")[0].splitlines()
    return {key: value.strip() for key, colon, value in (line.partition(":") for line in lines) if colon}


def _google(item: Item, found: re.Match[str]) -> HandedIn:
    return HandedIn(Who(found["name"], found["name"]), item, found["rest"])


def _plain(item: Item, stem: str, stamps: Mapping[str, Item]) -> HandedIn:
    """A folder or a file a learner."""
    top = item.path[0]
    if len(item.path) > 1:
        stamp = _stamp(stamps.get(top))
        return HandedIn(Who(top, top, words=_words(top)), item, item.name, moment(stamp, UTC), stamp=stamp)
    name = _ENDINGS.sub("", top)
    own = re.sub(rf"(?i)(?:^|[\s_-]+){re.escape(stem)}{_ADDED}|^{re.escape(stem)}[\s_-]+", "", name).strip(" _-")
    known = re.search(r"(?i)\.(?:ipynb|zip|json)|^[^.]*$", top) is not None  # a stray file is no learner
    return HandedIn(Who(own or top, own if known else "", words=_words(name)), item, top)


def _is_stamp(item: Item, stem: str) -> bool:
    """`STUDENT/timestamp.txt`, or `STUDENT/UNIT/timestamp.txt` as nbgrader's exchange leaves it."""
    return item.name == TIMESTAMP and (len(item.path) == 2 or (len(item.path) == 3 and item.path[1][3:] == stem))


def _words(name: str) -> tuple[str, ...]:
    return (name, *(word for word in re.split(r"[\s_()]+|-(?=\D)", name) if len(word) > 2))


def _stamp(item: Item | None) -> str:
    try:
        return item.read()[:MAX_TIMESTAMP].decode("utf-8-sig", "replace").strip() if item else ""
    except Unusable:
        return ""


def _gradescope(metadata: Item, items: Iterable[Item]) -> Iterator[HandedIn]:
    """Folders by submission; a list says who they belong to, and when each was made. Raises Unusable."""
    import yaml

    try:
        told = yaml.load(metadata.read(), Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        raise Unusable(f"has a broken {_METADATA}.") from error
    for item in items:
        entry = told.get(item.path[0]) if isinstance(told, dict) else None
        time = moment(str(entry.get(":created_at", "")), UTC) if isinstance(entry, dict) else None
        if item is not metadata:
            for who in _submitters(entry) or [Who(item.path[0], "")]:
                yield HandedIn(who, item, item.name, time)


def _submitters(entry: Any) -> list[Who]:
    people = entry.get(":submitters") if isinstance(entry, dict) else None
    found = []
    for person in people if isinstance(people, list) else []:
        told = {key: str(value).strip() for key, value in person.items()} if isinstance(person, dict) else {}
        name, sid, email = (
            "" if told.get(key) in (None, "null", "~") else told[key] for key in (":name", ":sid", ":email")
        )
        found.append(Who(name, sid or email or name, sis_id=sid, email=email))
    return found
