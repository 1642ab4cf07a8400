"""Submissions that cheat, attack or are broken, each with the points that it must get and a word of its record."""

from tests.grading.hostile.broken import BROKEN
from tests.grading.hostile.case import Case
from tests.grading.hostile.cheats import CHEATS
from tests.grading.hostile.forgers import FORGERS
from tests.grading.hostile.names import NAMES
from tests.grading.hostile.observers import OBSERVERS
from tests.grading.hostile.wasters import WASTERS

CASES: tuple[Case, ...] = (*CHEATS, *FORGERS, *OBSERVERS, *WASTERS, *BROKEN, *NAMES)

__all__ = ["CASES", "Case"]
