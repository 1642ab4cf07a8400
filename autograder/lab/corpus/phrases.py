"""The hand-written pairs, as a kind.

Nobody can work out 熟能生巧 → practice makes perfect from other pairs, so these are learnt by heart: all of
them are for training and none is ever a test source.
"""

from __future__ import annotations

from random import Random

from .draws import pick
from .pair import Pair, make_pair
from .phrases_everyday import EVERYDAY
from .phrases_learning import LEARNING

PHRASES: tuple[Pair, ...] = tuple(
    make_pair("phrases", *line.split("|")) for line in (LEARNING + EVERYDAY).split("\n") if line
)


def phrases(rng: Random) -> Pair:
    """A hand-written pair: 机器学习 → machine learning."""
    return pick(rng, PHRASES)
