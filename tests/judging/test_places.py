"""Where no relation holds of all numbers, it is said in which places the wrong ones lie, and on which cases."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograder.formats.cases import Call, Sighting, Tolerance
from autograder.judging.pairs import Pair
from autograder.judging.places import in_some_places
from autograder.judging.which import on_which_cases
from tests.judging.exercises import doubling, seen_by

pytestmark = pytest.mark.quick

RNG = np.random.default_rng(0)
EXPECTED = [RNG.normal(size=(2, 5, 4)), RNG.normal(size=(3, 4, 4))]
IDS = [RNG.integers(0, 3, size=array.shape[:2]) for array in EXPECTED]
Places = Callable[[np.ndarray[Any, Any], np.ndarray[Any, Any]], Any]


def told(places: Places) -> str | None:
    """What is said of numbers that are off by chance where `places(expected, ids)` is True."""
    pairs = []
    for expected, ids in zip(EXPECTED, IDS, strict=True):
        off = np.where(np.broadcast_to(places(expected, ids), expected.shape), RNG.normal(size=expected.shape), 0)
        pairs.append(Pair(expected + off, expected, {"ids": ids}, Tolerance()))
    return in_some_places(pairs)


def columns(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.arange(x.shape[-1])[None, :]


def rows(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.arange(x.shape[-2])[:, None]


@pytest.mark.parametrize(
    ("places", "words"),
    [
        (lambda x, ids: columns(x) == rows(x), "the diagonal of the last two axes is wrong"),
        (lambda x, ids: columns(x) > rows(x), "what stands above the diagonal of the last two axes is wrong"),
        (lambda x, ids: columns(x) < rows(x), "what stands below the diagonal of the last two axes is wrong"),
        (lambda x, ids: (ids == 2)[..., None], "the places are wrong where `ids` is 2"),
        (lambda x, ids: x < 0, "the places are wrong where the right number is negative"),
        (lambda x, ids: columns(x) >= 2, "the places from 2 on along axis -1 are wrong"),
        (lambda x, ids: rows(x) == 1, "place 1 along axis -2 is wrong"),
        (lambda x, ids: (np.arange(len(x)) > 0)[:, None, None], "the places from 1 on along axis -3 are wrong"),
        (lambda x, ids: abs(x) > 0.9, "or more in size"),
    ],
)
def test_a_region_that_wrong_numbers_fill_and_never_leave_is_told(places: Places, words: str) -> None:
    sentence = told(places)
    assert sentence is not None
    assert words in sentence
    assert sentence.endswith("all other numbers are right.")


@pytest.mark.parametrize(
    "places",
    [
        lambda x, ids: True,
        lambda x, ids: (columns(x) + rows(x)) % 3 == 1,
        lambda x, ids: (columns(x) == 0) & (rows(x) == 0) & (np.arange(len(x)) == 0)[:, None, None],
    ],
)
def test_nothing_is_told_of_no_region(places: Places) -> None:
    assert told(places) is None


def cases_told(target: object, *given: dict[str, Any]) -> tuple[str, str]:
    """Name and sentence for a code that should double `x`, on calls with these arguments."""
    plan = {f"{i}.0.0": Call(f"case {i}", one, 1) for i, one in enumerate(given)}
    expected = seen_by(lambda x, n=0, mode="a": 2 * x, plan)
    cases = doubling(plan=plan, expected=expected, variants=())
    found = on_which_cases(cases, Sighting(seen_by(target, plan)), lambda value: value)
    return (found.name or "", found.message) if found else ("", "")


X = np.array([1.0, 2.0])
FOUR = [{"x": X, "n": n} for n in (2, 3, 4, 7)]
SIX = [{"x": X, "n": n} for n in (2, 3, 4, 6, 7, 9)]


@pytest.mark.parametrize(
    ("target", "given", "words"),
    [
        (lambda x, n=0: x * (2 + (n % 2 == 0)), SIX, "wrong on just those 3 of 6 cases in which `n` is even."),
        (lambda x, n=0: x * (2 + (n > 5)), SIX, "wrong on just those 3 of 6 cases in which `n` is 6 or more."),
        (lambda x, n=0: x * (2 + (n == 1)), [*FOUR, {"x": X, "n": 1}, {"x": 2 * X, "n": 1}], "in which `n` is 1."),
        (
            lambda x, n=0, mode="a": x * (2 + (mode == "b")),
            [{"x": X, "mode": mode} for mode in "abcb"],
            "in which `mode` is 'b'.",
        ),
        (
            lambda x, n=None: x * (2 if n is None else 3),
            [{"x": X}, {"x": X, "n": 5}, {"x": X, "n": 6}, {"x": X}],
            "in which `n` is given.",
        ),
        (
            lambda x, n=0: x * (2 + (x.ndim == 2 and len(x) == x.shape[1])),
            [{"x": np.ones(shape)} for shape in ((2, 2), (2, 3), (3, 3), (3, 2))],
            "in which `x` is square.",
        ),
    ],
)
def test_what_the_wrong_cases_alone_have_in_common_is_told(target: object, given: list[Any], words: str) -> None:
    name, sentence = cases_told(target, *given)
    assert name == "wrong-on-some-cases"
    assert words in sentence


def test_a_single_wrong_case_is_told_by_its_label() -> None:
    told = cases_told(lambda x, n=0: x * (2 + (n == 4)), *FOUR)
    assert told == ("wrong-on-one-case", "your code is wrong on one of 4 cases only: case 2.")


def test_of_two_wrong_cases_nothing_is_said_that_chance_finds() -> None:
    assert cases_told(lambda x, n=0: x * (2 + (n > 3)), *FOUR) == ("", "your code is right on 2 of 4 cases.")


def test_where_the_wrong_cases_have_nothing_in_common_they_are_counted_and_no_cause_is_named() -> None:
    assert cases_told(lambda x, n=0: x * (2 + (n in (2, 7))), *FOUR, {"x": X, "n": 1}, {"x": X, "n": 9}) == (
        "",
        "your code is right on 4 of 6 cases.",
    )


def test_nothing_is_told_where_all_cases_are_wrong() -> None:
    assert cases_told(lambda x, n=0: 3 * x, *FOUR) == ("", "")
