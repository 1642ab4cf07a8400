"""The language that learners are spoken to in: English as the package is written, or what a catalog makes of it.

Messages are made in English, and records keep them so; they are put into another language where they are shown. A catalog
(`locale/LANGUAGE/*.json`, built from the PO files beside the lessons and from `locale/LANGUAGE.po`) holds

- texts: paragraphs, table cells, comments and strings of the notebooks, each a whole;
- messages: templates with named values in braces, "expected shape {shape}", as they stand in the package and in `checks.py`.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ENGLISH = "en"
VARIABLE = "AUTOGRADER_LANGUAGE"
"""The environment variable that decides where no notebook does."""
PACKAGE = "autograder"
"""The catalog of the package's own messages; every other one bears its unit's name."""
LOCALE = Path(__file__).resolve().parents[1] / "locale"
FIELD = re.compile(r"\{([A-Za-z_0-9]+)\}")
"""A value's place in a message."""
_ADDRESS = re.compile(r"\]\([^)]*\)")
_SENTENCE_END = re.compile(r"(?<=[.?!]) (?=\S)")
_NO_SPACE_AFTER = tuple("。？！；：，、）」”")

_spoken = ""
"""The language of this process, "" where none was chosen. No context variable: each cell of a notebook has its own context."""


@functools.cache
def languages() -> tuple[str, ...]:
    """English, and every language that has a catalog of the package's own messages."""
    return (ENGLISH, *sorted(path.parent.name for path in LOCALE.glob(f"*/{PACKAGE}.json")))


def language() -> str:
    """The language spoken now: the notebook's, else that of AUTOGRADER_LANGUAGE, else English."""
    told = _spoken or os.environ.get(VARIABLE, "").lower().replace("-", "_")
    return next((one for one in languages() if told in (one, "") or told.startswith(f"{one}_")), ENGLISH)


def speak(language: str) -> None:
    """From here on in this process. Raises ValueError for a language that has no catalog."""
    global _spoken
    if language not in languages():
        raise ValueError(f"the course speaks {' and '.join(languages())}, not {language!r}.")
    _spoken = language


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Inside, this language is spoken."""
    global _spoken
    before, _spoken = _spoken, language
    try:
        yield
    finally:
        _spoken = before


@dataclass(frozen=True)
class Template:
    """A message that holds values."""

    message: str
    translation: str
    letters: int
    """How many it has of its own."""

    @functools.cached_property
    def in_addresses(self) -> frozenset[str]:
        """Values that stand in the address of a link."""
        return frozenset(name for address in _ADDRESS.findall(self.message) for name in FIELD.findall(address))

    @functools.cached_property
    def _pieces(self) -> tuple[str, ...]:
        return tuple(FIELD.split(self.message)[::2])

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str]:
        return _pattern(self.message)

    def values(self, message: str) -> dict[str, str] | None:
        """The values with which the template makes this message, by name; None where it makes another."""
        if not (message.startswith(self._pieces[0]) and message.endswith(self._pieces[-1])):
            return None
        if message.count("](") != self.message.count("]("):
            return None  # a link is no part of a value
        at = 0  # a regular expression takes long to say no
        for piece in self._pieces:
            at = message.find(piece, at)
            if at < 0:
                return None
            at += len(piece)
        made = self._pattern.fullmatch(message)
        return {name[2:]: value for name, value in made.groupdict().items()} if made else None


@dataclass(frozen=True, eq=False)
class Catalog:
    """What one PO file says, of the entries that are translated."""

    texts: Mapping[str, str]
    messages: Mapping[str, str]

    @functools.cached_property
    def templates(self) -> tuple[Template, ...]:
        """Messages that hold values, each with how many letters of its own it has; those with the most come first.

        A template of few letters ("{one} and {other}") fits nearly everything: its values must be single things.
        """
        with_values = [(_letters(message), message) for message in self.messages if FIELD.search(message)]
        with_values.sort(key=lambda one: (-one[0], one[1]))
        return tuple(Template(message, self.messages[message], own) for own, message in with_values)

    def made_of(self, message: str) -> tuple[str, ...] | None:
        """The values with which one of these makes a message, none where it is one as it stands; None where no one does.

        Only templates of many letters count.
        """
        if message in self.messages:
            return ()
        tried = (one.values(message) for one in self.templates if one.letters >= _TELLING)
        return next((tuple(values.values()) for values in tried if values is not None), None)


_TELLING = 12


def _letters(template: str) -> int:
    return sum(character.isalpha() for character in FIELD.sub("", template))


def _pattern(template: str) -> re.Pattern[str]:
    """What a message made from the template looks like; a value that stands twice is the same twice."""
    known: set[str] = set()
    parts = []
    for i, piece in enumerate(FIELD.split(template)):
        if i % 2 == 0:
            parts.append(re.escape(piece))
        else:
            parts.append(f"(?P=v_{piece})" if piece in known else f"(?P<v_{piece}>.*?)")
            known.add(piece)
    return re.compile("".join(parts), re.DOTALL)


@functools.cache
def catalog(language: str, domain: str) -> Catalog:
    """A built catalog; an empty one where there is none."""
    try:
        tree = json.loads((LOCALE / language / f"{domain}.json").read_text(encoding="utf-8"))
        return Catalog(tree["texts"], {key.strip(): told.strip() for key, told in tree["messages"].items()})
    except (OSError, ValueError, KeyError, TypeError):
        return Catalog({}, {})


def catalogs(language: str, unit: str = "") -> tuple[Catalog, ...]:
    """Where a text is looked up: in the unit's catalog, then in the package's."""
    return tuple(catalog(language, domain) for domain in (unit, PACKAGE) if domain)


def said(message: str, unit: str = "") -> str:
    """A message of the package, or of the unit's checks, in the language spoken now; as it is where no catalog has it."""
    spoken = language()
    if spoken == ENGLISH or not message:
        return message
    return _translated(message, catalogs(spoken, unit))


@functools.lru_cache(maxsize=4096)
def _translated(message: str, known: tuple[Catalog, ...]) -> str:
    bare = message.strip()
    if not _WORDS.search(bare):
        return message
    found = _whole(bare, known)
    if found is None:
        found = _sentences(bare, known) or _glued(bare, known)
    if found is None:
        return message
    before, after = message[: len(message) - len(message.lstrip())], message[len(message.rstrip()) :]
    return ("" if found.startswith(_NO_SPACE_BEFORE) else before) + found + after


def _sentences(message: str, known: tuple[Catalog, ...]) -> str | None:
    """Sentences that were put one behind the other: as many at a time as one message holds; None where there is only one."""
    pieces = _SENTENCE_END.split(message)
    if len(pieces) == 1:
        return None
    done: list[str] = []
    while pieces:
        for count in range(len(pieces) - (not done), 0, -1):
            together = " ".join(pieces[:count])
            found = _whole(together, known) or (_glued(together, known) if count == 1 else None)
            if found is not None or count == 1:
                done.append(pieces[0] if found is None else found)
                del pieces[:count]
                break
    return functools.reduce(
        lambda so_far, more: so_far + ("" if so_far.endswith(_NO_SPACE_AFTER) else " ") + more, done
    )


@functools.lru_cache(maxsize=4096)
def _glued(message: str, known: tuple[Catalog, ...]) -> str | None:
    """A message and a fragment behind it, or two messages around a mark: the first place where both sides are known."""
    if len(message) > _LONG:
        return None
    for found in _SEAM.finditer(message):
        left, right = message[: found.start()], message[found.end() :]
        if not left or not right:
            continue
        if (
            any(left.count(opened) != left.count(closed) for opened, closed in ("()", "[]", "{}"))
            or left.count("`") % 2
        ):
            continue
        told = [(_whole(part, known) or _glued(part, known)) if _WORDS.search(part) else part for part in (left, right)]
        if told[0] is None or told[1] is None or told == [left, right]:
            continue
        mark = _MARKS.get(found[0], "" if str(told[1]).startswith(_NO_SPACE_BEFORE) else found[0])
        return f"{told[0]}{mark}{told[1]}"
    return None


_WORDS = re.compile(r"[A-Za-z]{2,}")
_SEAM = re.compile(r" · |: |, | and on | and | (?=\()| |(?=\[)")
_MARKS = {": ": "：", ", ": "、", " and ": "和", " and on ": "和"}
_LONG = 300
_NO_SPACE_BEFORE = ("（", "，", "。", "：", "；", "、", "”")


@functools.lru_cache(maxsize=4096)
def _whole(message: str, known: tuple[Catalog, ...]) -> str | None:
    """The message as one template makes it; its values are looked up in their turn."""
    forms: tuple[str, ...] = (message,)  # a lone word with a capital letter is a name
    if " " in message:
        forms = (message, message[:1].lower() + message[1:], message[:1].upper() + message[1:])
    for one in known:
        for form in forms:  # a sentence begins with a capital letter, wherever it was written
            if found := one.messages.get(form) or one.texts.get(form):
                return found
    for one in known:
        for template in one.templates:
            for form in forms[:2]:
                values = template.values(form)
                if values is None or (template.letters < _TELLING and len(message) > _LONG):
                    continue
                told = {
                    name: value if name in template.in_addresses else _translated(value, known)
                    for name, value in values.items()
                }
                if template.letters < _TELLING and any(map(_in_english, told.values())):
                    continue
                return _filled(template.translation, told)
    return None


def _in_english(text: str) -> bool:
    """Whether two words stand side by side that no catalog knows; code is none."""
    return _TWO_WORDS.search(_CODE.sub(" ` ", text)) is not None


_CODE = re.compile(r"`[^`]*`")
_TWO_WORDS = re.compile(r"[A-Za-z]{2,},? [A-Za-z]{2,}")


def _filled(template: str, values: Mapping[str, str]) -> str:
    return FIELD.sub(lambda field: values.get(field[1], field[0]), template)
