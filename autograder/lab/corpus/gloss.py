"""Reading aids for those who don't read Chinese: a gloss for every word, pinyin for every token."""

from __future__ import annotations

from dataclasses import dataclass

from .lexicon_core import CORE
from .lexicon_phrases import FROM_PHRASES
from .pair import Pair, written


@dataclass(frozen=True)
class Entry:
    """A word of the lexicon: one pinyin syllable per character, and what the word means by itself."""

    pinyin: tuple[str, ...]
    gloss: str


def _entries() -> dict[str, Entry]:
    lexicon: dict[str, Entry] = {}
    for line in (CORE + ";" + FROM_PHRASES).split(";"):
        word, pinyin, meaning = line.split(maxsplit=2)
        if word in lexicon:
            raise ValueError(f"the lexicon holds {word} twice")
        lexicon[word] = Entry(tuple(pinyin.split("-")), " ".join(meaning.split()))
    return lexicon


LEXICON = _entries()


def gloss(pair: Pair) -> list[tuple[str, str]]:
    """The source word by word with what each word means there; the words joined are the source.

    昨天我买了三本书 gives 昨天 yesterday, 我 i, 买 buy, 了 [done], 三 three, 本 [volume], 书 book. Square
    brackets mark particles and measure words. A Chinese word may be several tokens: for one label per token
    take `pinyin`. Works for every pair that the generators make. A pair from elsewhere, without `words`, is
    read character by character; a word that the lexicon doesn't hold raises KeyError.
    """
    return [(written(word), word if word.isascii() else LEXICON[word].gloss) for word in _words(pair)]


def pinyin(pair: Pair) -> list[tuple[str, str]]:
    """Every token of the source with its pinyin, aligned with `pair.source`; digits stand for themselves.

    The tones are the dictionary's, save where a word has its own (一样 yí yàng); 儿 as an ending is "r".
    """
    syllables: list[tuple[str, str]] = []
    for word in _words(pair):
        readings = tuple(word) if word.isascii() else LEXICON[word].pinyin
        syllables += zip(written(word), readings, strict=True)
    return syllables


def _words(pair: Pair) -> tuple[str, ...]:
    return pair.words or pair.source
