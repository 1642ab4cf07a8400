"""Real sentence pairs from a local file, and a split of them that lets nothing leak from training into the test.

The file is tab-separated, one pair a line: English, Chinese, and, where the layout has it, an attribution. That is
the layout of the Tatoeba pairs which manythings.org/anki offers (cmn-eng). Nothing is downloaded.

Many sentences have several translations, and a translation may serve several sentences. So pairs are not what may be
split: sentences are. All pairs that are linked by a sentence on either side go to the same part.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

_LARGEST_GROUP = 20
"""Pairs linked to one another, more than which stay in training: one such group would be much of a test."""


class NoRealData(Exception):
    """The file is absent or holds no sentence pairs. The message is one line that says what to do."""


@dataclass(frozen=True)
class SentencePair:
    chinese: str
    english: str


@dataclass(frozen=True)
class DataSplit:
    train: tuple[SentencePair, ...]
    validation: tuple[SentencePair, ...]
    test: tuple[SentencePair, ...]


def read_pairs(path: Path) -> tuple[SentencePair, ...]:
    """The pairs of a tab-separated file, each different pair once, in the file's order. Raises NoRealData."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise NoRealData(
            f"{path} is no text in UTF-8: save it as UTF-8, or take the file as it was offered."
        ) from error
    except OSError as error:
        raise NoRealData(
            f"{path} cannot be read ({error.strerror}). Put a file of sentence pairs there, one a line: English, a tab, "
            "Chinese. Tatoeba's pairs cmn-eng, as manythings.org/anki offers them, have this layout."
        ) from error
    found: dict[SentencePair, None] = {}
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) >= 2 and fields[0] and fields[1]:
            found[SentencePair(chinese=fields[1], english=fields[0])] = None
    if not found:
        raise NoRealData(f"{path} holds no sentence pairs: each line must be English, a tab, Chinese.")
    return tuple(found)


def sentence_key(text: str) -> str:
    """What makes two sentences the same: letters, characters and digits. Case, spaces and punctuation do not count."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in folded if letter.isalnum()) or folded.strip()


def linked_groups(pairs: Sequence[SentencePair]) -> list[list[SentencePair]]:
    """The pairs in groups: two pairs that share a sentence, or are linked through others that do, are in one group."""
    parents: dict[tuple[str, str], tuple[str, str]] = {}

    def root(sentence: tuple[str, str]) -> tuple[str, str]:
        while parents.setdefault(sentence, sentence) != sentence:
            parents[sentence] = parents[parents[sentence]]
            sentence = parents[sentence]
        return sentence

    def sides(pair: SentencePair) -> tuple[tuple[str, str], tuple[str, str]]:
        return ("zh", sentence_key(pair.chinese)), ("en", sentence_key(pair.english))

    for pair in pairs:
        chinese, english = sides(pair)
        parents[root(chinese)] = root(english)
    groups: dict[tuple[str, str], list[SentencePair]] = defaultdict(list)
    for pair in pairs:
        groups[root(sides(pair)[0])].append(pair)
    return list(groups.values())


def split_without_leaks(pairs: Sequence[SentencePair], held_out: int = 1000, seed: int = 0) -> DataSplit:
    """Shuffled: about `held_out` pairs to test on, as many to validate on, the rest to train on.

    No sentence, Chinese or English, stands in two parts. Raises NoRealData where the pairs are too few for that.
    """
    groups = linked_groups(pairs)
    Random(seed).shuffle(groups)
    parts: tuple[list[SentencePair], ...] = ([], [], [])
    for group in groups:
        small = len(group) <= _LARGEST_GROUP
        where = 2 if small and len(parts[2]) < held_out else 1 if small and len(parts[1]) < held_out else 0
        parts[where].extend(group)
    train, validation, test = parts
    if len(train) < held_out:
        raise NoRealData(
            f"{len(pairs)} pairs are too few to hold out twice {held_out}: ask for fewer, or bring more pairs."
        )
    Random(seed + 1).shuffle(train)
    return DataSplit(tuple(train), tuple(validation), tuple(test))


def shared_sentences(one: Sequence[SentencePair], other: Sequence[SentencePair]) -> set[str]:
    """Sentences, by their key, that stand in both; empty where nothing leaks."""

    def keys(pairs: Sequence[SentencePair]) -> set[str]:
        return {sentence_key(text) for pair in pairs for text in (pair.chinese, pair.english)}

    return keys(one) & keys(other)


def one_for_each_source(pairs: Sequence[SentencePair]) -> list[SentencePair]:
    """The first pair of each Chinese sentence: a source is translated once and compared with one reference."""
    first: dict[str, SentencePair] = {}
    for pair in pairs:
        first.setdefault(sentence_key(pair.chinese), pair)
    return list(first.values())
