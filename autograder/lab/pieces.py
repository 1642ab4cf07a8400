"""Text as pieces for a language model: English words are cut by a learner's own code, all else goes character by character."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_UNIT = re.compile(r" ?[a-z]+|\S")


def text_pieces(text: str, cut: Callable[[str], Sequence[str]]) -> list[str]:
    """The pieces of a text, in order.

    cut: gives the pieces of a word, which carries the space before it (" three"); a word at the very start gets one

    "三 = three；" with words left whole gives 三, =, " three", ；. Spaces before anything but a word are dropped.
    """
    pieces: list[str] = []
    for unit in _UNIT.findall(text.lower()):
        pieces += cut(f" {unit.strip()}") if unit.strip().isascii() and unit.strip().isalpha() else [unit]
    return pieces
