"""Where a code keeps something from one call to the next is seen, wherever it keeps it."""

from typing import Any

import numpy as np
import pytest

from autograder.formats.cases import Call, Sighting
from autograder.judging.probes import matches
from autograder.judging.verdict import judge
from autograder.library import build_fixture
from autograder.observing.observe import observe
from tests.judging.exercises import doubling, seen_by

pytestmark = pytest.mark.quick

PLAN = {f"{i}.0.0": Call(f"{i + 2} numbers", {"x": np.arange(1.0, i + 3)}, 1) for i in range(3)}

KEEPERS = {
    "kept": "kept = {}\ndef double(x):\n    return kept.setdefault(x.dtype, 2 * x)",
    "last": "last = None\ndef double(x):\n    global last\n    last = x if last is None else last\n    return 2 * last",
    "seen": "seen = [1]\ndef double(x):\n    seen[0] = x\n    return 3 * x",
    "double.last": "def double(x):\n    double.last = getattr(double, 'last', x)\n    return 2 * double.last",
    "double.__defaults__": "def double(x, kept=[]):\n    kept.append(x)\n    return 2 * kept[0]",
    "inner": "def make():\n    inner = []\n    def double(x):\n        inner.append(x)\n        return 2 * inner[0]\n    return double\ndouble = make()",
    "helper.cache_info()": "from functools import cache\n@cache\ndef helper(n):\n    return n\ndef double(x):\n    return helper(len(x)) * x",
}


def sighting(source: str) -> Sighting:
    space: dict[str, Any] = {"np": np}
    exec(source, space)
    return observe(space["double"], PLAN, build=build_fixture)


@pytest.mark.parametrize("name", KEEPERS)
def test_the_place_is_named(name: str) -> None:
    assert sighting(KEEPERS[name]).kept == (name,)


@pytest.mark.parametrize(
    "source",
    [
        "def double(x):\n    return 2 * x",
        "factors = [1, 2]\ndef double(x):\n    made = [factor * x for factor in factors]\n    return made[-1]",
        "def double(x, factors=(2, 3), **more):\n    return factors[0] * x",
    ],
)
def test_code_that_keeps_nothing_names_none(source: str) -> None:
    assert sighting(source).kept == ()


def test_a_wrong_code_that_keeps_something_is_told_where_before_any_cause() -> None:
    cases = doubling(plan=PLAN, expected=seen_by(lambda x: 2 * x, PLAN), variants=())
    verdict = judge(cases, (matches,), sighting(KEEPERS["seen"]))
    assert verdict.diagnosis == "keeps-between-calls"
    assert verdict.message.startswith("Your code keeps something from one call to the next: `seen` held something else")


def test_a_right_code_may_keep_what_it_likes() -> None:
    cases = doubling(plan=PLAN, expected=seen_by(lambda x: 2 * x, PLAN), variants=())
    assert judge(cases, (matches,), sighting("seen = []\ndef double(x):\n    seen.append(1)\n    return 2 * x")).passed


def test_objects_that_misbehave_when_they_are_looked_at_do_no_harm() -> None:
    source = """
import os
class Hostile(dict):
    def items(self): os._exit(1)
    def __len__(self): os._exit(1)
    def __getattr__(self, name): os._exit(1)
class Pretender:
    @property
    def __class__(self): os._exit(1)
    def __getattr__(self, name): os._exit(1)
odd, other = Hostile(), Pretender()
def double(x):
    return 2 * x
double.odd = odd
"""
    assert sighting(source).observations["0.0.0"].value.tolist() == [2.0, 4.0]
