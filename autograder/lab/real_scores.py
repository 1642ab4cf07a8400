"""How good translations of real sentences are: BLEU and chrF by sacrebleu, and what can be seen of their errors.

A *sign* is what anybody can see in the two texts: a number that is missing, a negation that is gone. It is no cause: one
and the same sign may come from a rare character, an ambiguous sentence or a model that has stopped too early. To sort
errors by cause is a reader's work; signs say where to begin.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Score:
    value: float
    """0 to 100"""
    signature: str
    """How it was computed, in sacrebleu's own words"""


def bleu(hypotheses: Sequence[str], references: Sequence[str]) -> Score:
    """sacrebleu's corpus BLEU on the cased text as it stands, one reference each."""
    from sacrebleu.metrics.bleu import BLEU

    return _score(BLEU(), hypotheses, references)


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> Score:
    """sacrebleu's corpus chrF (chrF2: characters up to six in a row, recall counts twice), one reference each."""
    from sacrebleu.metrics.chrf import CHRF

    return _score(CHRF(), hypotheses, references)


def _score(metric: Any, hypotheses: Sequence[str], references: Sequence[str]) -> Score:
    score = metric.corpus_score(list(hypotheses), [list(references)]).score
    return Score(float(score), str(metric.get_signature()))


@dataclass(frozen=True)
class Translation:
    """One sentence, what was made of it, and what it should have been."""

    source: str
    found: str
    wanted: str
    likeness: float
    """chrF of this sentence alone, 0 to 100"""
    signs: tuple[str, ...]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+(?:'[a-z]+)?", text.lower().replace("’", "'"))


def _negations(text: str) -> bool:
    return any(word in _NEGATIONS or word.endswith("n't") for word in _words(text))


_NEGATIONS = frozenset(
    ("no", "not", "never", "nothing", "nobody", "none", "neither", "nor", "nowhere", "without", "cannot")
)


def _names(text: str) -> set[str]:
    """Words with a capital that stand behind a small letter or a comma: where no sentence begins."""
    return set(re.findall(r"(?<=[a-z,] )[A-Z][a-z]+", text))


def _repeats(text: str) -> bool:
    words = _words(text)
    return any(words[i : i + n] * 2 == words[i : i + 2 * n] for n in (1, 2, 3) for i in range(len(words) - 2 * n + 1))


_SIGNS: dict[str, Callable[[str, str], bool]] = {
    "another number": lambda found, wanted: re.findall(r"\d+", found) != re.findall(r"\d+", wanted),
    "a negation too few or too many": lambda found, wanted: _negations(found) != _negations(wanted),
    "a question for a statement, or the reverse": lambda found, wanted: ("?" in found) != ("?" in wanted),
    "another name": lambda found, wanted: not _names(wanted) <= set(re.findall(r"[A-Z][a-z]+", found)),
    "words repeated": lambda found, wanted: _repeats(found) and not _repeats(wanted),
    "much too short": lambda found, wanted: 2 * len(_words(found)) <= len(_words(wanted)),
    "much too long": lambda found, wanted: len(_words(found)) >= 2 * len(_words(wanted)),
}
UNKNOWN_CHARACTER = "a character that training has not seen, or once"
NO_SIGN = "none of these"


def examined(
    sources: Sequence[str], found: Sequence[str], wanted: Sequence[str], is_unknown: Callable[[str], bool]
) -> list[Translation]:
    """Each sentence with its likeness and its signs, in their order.

    is_unknown: whether a character of the source is none that the model knows
    """
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()
    translations = []
    for source, hypothesis, reference in zip(sources, found, wanted, strict=True):
        signs = [name for name, holds in _SIGNS.items() if holds(hypothesis, reference)]
        if any(is_unknown(character) for character in source):
            signs.append(UNKNOWN_CHARACTER)
        likeness = float(metric.sentence_score(hypothesis, [reference]).score)
        translations.append(Translation(source, hypothesis, reference, likeness, tuple(signs)))
    return translations


def counted(translations: Sequence[Translation]) -> list[tuple[str, int, float]]:
    """Of each sign, the most frequent first: how many sentences bear it, and their mean likeness."""
    counts: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for one in translations:
        for sign in one.signs or (NO_SIGN,):
            counts[sign] += 1
            sums[sign] += one.likeness  # type: ignore[assignment]
    return [(sign, count, sums[sign] / count) for sign, count in counts.most_common()]
