"""The kinds of pairs, drawing a corpus from them, and its two splits.

**By source** ("train", "test"): a tenth of all sources is for testing, chosen by a hash of the source text
alone. A source is on the same side in every run, kind, process and platform, so no test source is ever
trained on. Sources of one or two characters (三月, 十二, 一亿) are the words of the language and always
belong to training.

**By combination** ("compositional_train", "compositional_test"): a tenth of the combinations is held out:
both parts are met in training with other partners, never with each other. What is combined depends on the
kind: verb with object and time (喝茶, 上星期三), number and noun (三, 书), month and day (十一月, 二十日),
hour and minute, the first and the last digit of a number of some length, quality and what it is said of, and
so on: `Pair.combinations` names them. What is held out is held out everywhere: where 三 and 书 are, no
training sentence counts three books either. A pair is for testing when one of its combinations is held out;
pairs with nothing to combine belong to training. The two splits know nothing of each other: a source for
testing in one may be for training in the other.

Hand-written pairs (kind "phrases") are always for training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

from .amounts import money, numbers, percentages
from .clock import clock_times
from .comparisons import comparisons
from .days import dates, iso_dates, weekdays, years
from .draws import pick_weighted
from .nouns import measures
from .pair import Pair
from .phrases import phrases
from .sentences import negations, questions, sentences

Split = Literal["train", "test", "compositional_train", "compositional_test"]

_HELD_OUT_IN_256 = 26
_WORDS_OF_THE_LANGUAGE = 2
_PATIENCE = 3000


@dataclass(frozen=True)
class Kind:
    """One kind of pair.

    draw:      makes a pair from a `random.Random`
    weight:    its default share in a mixture; kinds with rare forms to learn have more
    held_out:  False where every pair is for training
    """

    name: str
    description: str
    draw: Callable[[Random], Pair]
    weight: float = 1.0
    held_out: bool = True


_KINDS = (
    Kind("numbers", "integers from 0 to 10^8: 三百二十五 → three hundred twenty five", numbers, 2.0),
    Kind("years", "years digit by digit: 二〇二六年 → 2026", years, 0.5),
    Kind("dates", "dates in Chinese numerals: 二〇二六年十一月二十日 → 20 november 2026", dates),
    Kind("iso_dates", "dates in Arabic digits: 1936年5月4日 → 1936-05-04", iso_dates),
    Kind("weekdays", "days of the week: 下星期三下午 → next wednesday afternoon", weekdays),
    Kind("clock_times", "times of day: 差十分十点 → ten to ten", clock_times, 1.5),
    Kind("money", "prices: 三块五毛 → three yuan fifty", money),
    Kind("percentages", "percentages: 百分之三点五 → three point five percent", percentages),
    Kind("measures", "measure phrases: 两本书 → two books", measures, 2.0),
    Kind("sentences", "the time moves: 昨天我买了三本书 → i bought three books yesterday", sentences, 2.0),
    Kind("questions", "questions: 你昨天买了几本书 → how many books did you buy yesterday", questions),
    Kind("negations", "negations: 我昨天没买书 → i did not buy any books yesterday", negations),
    Kind("comparisons", "comparisons: 我比他高 → i am taller than him", comparisons, 1.5),
    Kind("phrases", "hand-written: 机器学习 → machine learning (training only)", phrases, held_out=False),
)
_BY_NAME = {kind.name: kind for kind in _KINDS}


def kinds() -> tuple[Kind, ...]:
    """All kinds, each with its name, a one-line description and its default weight."""
    return _KINDS


def sample(
    kinds: str | Sequence[str] | None,
    count: int,
    seed: int,
    split: Split = "train",
    weights: Mapping[str, float] | None = None,
    unique: bool = False,
) -> list[Pair]:
    """`count` pairs of these kinds, the same for the same arguments on every platform.

    kinds:   a name, several names, or None for every kind that has pairs on this side of the split
    split:   "train" or "test" by source, "compositional_train" or "compositional_test" by combination
    weights: how often a kind is drawn, relative to the others; a kind that is not named keeps its default
    unique:  no source twice (best for test sets)

    A longer sample begins with the shorter one. Raises ValueError for an unknown kind, split or weight, for a
    test side of a kind that has none, and where a unique sample asks for more sources than a kind holds.

    The trap: drawn with replacement, a small kind (clock_times, weekdays, phrases) repeats itself often. That
    is right for training; for a test set it counts the same source many times, so ask for `unique=True`.
    """
    chosen = _chosen(kinds, split)
    shares = _shares(chosen, weights)
    if count < 0 or seed < 0:
        raise ValueError(f"count and seed must not be negative, got count={count}, seed={seed}")
    rng = Random(seed)
    seen: set[tuple[str, ...]] = set()
    pairs: list[Pair] = []
    while len(pairs) < count:
        kind = pick_weighted(rng, chosen, shares)
        pair = _draw(rng, kind, split, seen if unique else frozenset())
        seen.add(pair.source)
        pairs.append(pair)
    return pairs


def split_of(pair: Pair) -> Literal["train", "test"]:
    """The side of the split by source on which this pair lies."""
    if pair.kind in _BY_NAME and not _BY_NAME[pair.kind].held_out:
        return "train"
    if len(pair.source) <= _WORDS_OF_THE_LANGUAGE:
        return "train"
    return "test" if _held_out(f"source {pair.chinese}") else "train"


def compositional_split_of(pair: Pair) -> Literal["compositional_train", "compositional_test"]:
    """The side of the split by combination on which this pair lies."""
    held_out = any(_held_out(f"combination {met}") for met in pair.combinations)
    return "compositional_test" if held_out else "compositional_train"


def _held_out(text: str) -> bool:
    """A tenth of all texts. Python's own `hash` is salted anew in each process and cannot serve here."""
    return hashlib.sha256(text.encode("utf-8")).digest()[0] < _HELD_OUT_IN_256


def _draw(rng: Random, kind: Kind, split: Split, seen: AbstractSet[tuple[str, ...]]) -> Pair:
    side_of = split_of if split in ("train", "test") else compositional_split_of
    for _ in range(_PATIENCE):
        pair = kind.draw(rng)
        if pair.source not in seen and side_of(pair) == split:
            return pair
    raise ValueError(f"{kind.name} has no more new sources for {split!r}: ask for fewer, or for unique=False")


def _chosen(names: str | Sequence[str] | None, split: Split) -> tuple[Kind, ...]:
    if split not in get_args(Split):
        raise ValueError(f"unknown split {split!r}: expected one of {', '.join(get_args(Split))}")
    testing = split.endswith("test")
    if names is None:
        return tuple(kind for kind in _KINDS if kind.held_out or not testing)
    listed = (names,) if isinstance(names, str) else tuple(dict.fromkeys(names))
    if not listed:
        raise ValueError("no kinds given: name at least one, or pass None for all of them")
    for name in listed:
        if name not in _BY_NAME:
            raise ValueError(f"unknown kind {name!r}: expected one of {', '.join(_BY_NAME)}")
        if testing and not _BY_NAME[name].held_out:
            raise ValueError(f"{name} has no test side: its pairs are all for training")
    return tuple(_BY_NAME[name] for name in listed)


def _shares(chosen: Sequence[Kind], weights: Mapping[str, float] | None) -> list[float]:
    given = dict(weights or {})
    for name, weight in given.items():
        if name not in {kind.name for kind in chosen}:
            raise ValueError(f"a weight is given for {name!r}, which is not among the kinds drawn")
        if not weight >= 0:
            raise ValueError(f"the weight of {name} must not be negative, got {weight}")
    shares = [given.get(kind.name, kind.weight) for kind in chosen]
    if sum(shares) == 0:
        raise ValueError("the weights are all 0: nothing can be drawn")
    return shares
