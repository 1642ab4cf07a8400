"""One translation pair, and how texts become tokens on either side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_JOINED = frozenset("0123456789-")
_ENGLISH_TOKEN = re.compile(r"[0-9-]|[a-z']+")


@dataclass(frozen=True)
class Pair:
    """A Chinese source and its one English translation.

    source:       one token per character, Arabic digits included
    target:       lower-case words; a figure such as 1936 is one token per digit
    kind:         the name of the kind that made it, as `kinds()` lists them
    words:        the source cut into words, for `gloss` and `pinyin`; a sense may follow a slash (分/minute)
    combinations: which of its parts meet here, for the compositional split (empty where nothing is combined)

    Two pairs are equal when source, target and kind are.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    kind: str
    words: tuple[str, ...] = field(default=(), compare=False, repr=False)
    combinations: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def chinese(self) -> str:
        """The source as written: no spaces."""
        return "".join(self.source)

    @property
    def english(self) -> str:
        """The target as written: spaces between words, none inside a figure."""
        return english_text(self.target)


def chinese_tokens(text: str) -> tuple[str, ...]:
    """One token per character; spaces are dropped."""
    return tuple("".join(text.split()))


def english_tokens(text: str) -> tuple[str, ...]:
    """Words, and figures digit by digit: "4 may 1936" gives 4, may, 1, 9, 3, 6.

    A number word with a hyphen becomes two tokens: each part is then learnt from many numbers, not from one.
    A hyphen between digits is a token of its own.
    """
    apart = re.sub(r"(?<=[a-z])-(?=[a-z])", " ", text.lower())
    return tuple(_ENGLISH_TOKEN.findall(apart))


def english_text(tokens: Sequence[str]) -> str:
    """The inverse of `english_tokens` for everything that the corpus holds.

    Neighbouring digits and hyphens are written together. No target puts two figures side by side (a date is
    "4 may 1936"), so nothing is lost.
    """
    text = ""
    for index, token in enumerate(tokens):
        together = index > 0 and token in _JOINED and tokens[index - 1] in _JOINED
        text += token if together or index == 0 else f" {token}"
    return text


def make_pair(kind: str, chinese: str, english: str, *combinations: str) -> Pair:
    """A pair from texts.

    chinese: with spaces between its words, and a slash with the sense where the lexicon holds several
             ("分/minute"); spaces and senses go to `words`, not to the source
    combinations: names of what meets in this pair ("month and day 11|20"); empty ones are dropped
    """
    words = tuple(chinese.split())
    source = "".join(map(written, words))
    met = tuple(filter(None, combinations))
    return Pair(chinese_tokens(source), english_tokens(english), kind, words, met)


def written(word: str) -> str:
    """A word as it is written, without the sense after its slash."""
    return word.partition("/")[0]
