"""What kinds of unusual inputs there are: those that draw them and those that judge what was seen call them the same."""

AGAIN, ALONE, AT_LAST = "again", "on a fresh object", "the first once more"
SCATTERED, TIES, WHOLE = "scattered", "ties", "whole numbers"
FAR_APART, REVERSED = "far apart", "far apart, the other way round"
ELSEWHERE, TRAINING, MASK = "another device", "training mode", "mask"
ONE, MANY = "one", "many"

KINDS = (AGAIN, AT_LAST, SCATTERED, TIES, WHOLE, FAR_APART, REVERSED, ELSEWHERE, TRAINING, MASK, ONE, MANY)
FAMILIES = (AGAIN, TIES, MASK, ONE, MANY)
"""Kinds of several calls, each with a name behind it: `again: ARGUMENT` and `again: without ARGUMENT`, `ties: ARGUMENT`
(all of it 0) and `ties: equal rows`, `mask: FORM`, `one: SIZE`, `many: SIZE`. Who cannot take the kind takes none of its calls."""
EQUAL_ROWS = "equal rows"
WITHOUT = "without "


def of_family(family: str, name: str) -> str:
    """The kind of a family's call with this name behind it."""
    return f"{family}: {name}"


def parted(kind: str) -> tuple[str, str]:
    """A kind's family and the name behind it; the name is empty where the kind is no call of a family."""
    family, _, name = kind.partition(": ")
    return family, name
