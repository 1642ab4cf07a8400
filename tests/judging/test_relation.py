"""Where no known mistake fits, it is said how the wrong numbers are related to the right ones, if on every wrong case they are."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autograder.formats.cases import Call, Observation, Sighting
from autograder.judging.probes import Finding, Trial, matches
from autograder.judging.probes.weights import sums_to_one
from autograder.judging.relation import relation
from autograder.judging.verdict import judge
from tests.judging.exercises import doubling

pytestmark = pytest.mark.quick

RNG = np.random.default_rng(0)
TABLES = {f"{i}.0.0": RNG.normal(size=(4 + i, 4 + i)) for i in range(3)}
Made = Callable[[np.ndarray[Any, Any]], Any]


def told(made: Made, expected: Made = lambda x: 2 * x, gradients: Made | None = None) -> Finding | None:
    """What is said of code that gives `made(x)` where `expected(x)` is right, on three square tables."""

    def seen(function: Made, gradient: Made) -> dict[str, Observation]:
        facts = {"gradients": {"x": RNG.normal(size=3)}} if gradients is None else {}
        return {
            key: Observation(function(x), facts={} if gradients is None else {"gradients": {"x": gradient(x)}} | facts)
            for key, x in TABLES.items()
        }

    cases = replace(
        doubling(),
        plan={key: Call("a table", {"x": x}, 1) for key, x in TABLES.items()},
        expected=seen(expected, expected),
    )
    return relation(cases, Sighting(seen(made, gradients or made)), lambda value: value)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("argument-returned", lambda x: x),
        ("all-equal", lambda x: 0 * x),
        ("all-equal", lambda x: 0 * x + 7),
        ("right-in-another-shape", lambda x: (2 * x).reshape(-1)),
        ("times-a-factor", lambda x: 3 * x),
        ("times-a-factor", lambda x: 2 * len(x) * x),
        ("shifted-by-a-number", lambda x: 2 * x + 1),
        ("sign-left-out", lambda x: abs(2 * x)),
        ("rounded-numbers", lambda x: np.round(2 * x, 2)),
        ("in-reverse", lambda x: 2 * x[:, ::-1]),
        ("in-reverse", lambda x: 2 * x[::-1]),
        ("axes-exchanged", lambda x: 2 * x.T),
        ("one-place-off", lambda x: np.roll(2 * x, 1, axis=0)),
        ("factor-of-each-row", lambda x: 2 * x * np.arange(1, 1 + len(x))[:, None]),
        ("shift-of-each-row", lambda x: 2 * x - x.mean(axis=1, keepdims=True)),
        ("cut-off", lambda x: np.minimum(2 * x, 1)),
        ("cut-off", lambda x: np.maximum(2 * x, 0)),
        ("cut-off", lambda x: np.clip(2 * x, -1, 1)),
        ("wrong-at-an-end", lambda x: np.where(np.arange(len(x)) == len(x) - 1, 5, 2 * x)),
        ("in-other-places", lambda x: np.roll(2 * x, 2)),
        ("nearly", lambda x: (2 * x).astype(np.float16) * np.float16(1.001) - 0.001 * x**2),
    ],
)
def test_what_all_cases_show_is_told(name: str, made: Made) -> None:
    found = told(made)
    assert found is not None and found.name == name and found.message[-1] in ".?"


def shared_out(scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def test_another_scale_of_the_scores_is_seen_in_the_weights() -> None:
    found = told(lambda x: shared_out(0.9 * x), shared_out)
    assert found is not None and found.name == "other-scale" and "0.9" in found.message
    changing = told(lambda x: shared_out(x / len(x)), shared_out)
    assert changing is not None and "from case to case" in changing.message
    assert told(lambda x: shared_out(x + x[::-1]), shared_out) is None


def test_of_two_outputs_each_is_looked_at() -> None:
    found = told(lambda x: (x**2, 3 * x), lambda x: (x, x))
    assert found is not None and found.message == "look at output[1]: each of your numbers is 3 times the expected one."


@pytest.mark.parametrize(
    ("words", "made"),
    [
        ("True in too many places", lambda x: x > -0.5),
        ("False in too many places", lambda x: x > 0.5),
        ("True exactly where it should be False", lambda x: x <= 0),
    ],
)
def test_booleans_that_are_wrong_in_one_direction(words: str, made: Made) -> None:
    found = told(made, lambda x: x > 0)
    assert found is not None and words in found.message


def test_booleans_that_are_wrong_in_both_directions_are_told_nothing() -> None:
    assert told(lambda x: np.roll(x > 0, 1), lambda x: x > 0) is None


@pytest.mark.parametrize(
    "made",
    [
        lambda x: 2 * x + x**2,
        lambda x: 3 * x if len(x) == 4 else x**2,
        lambda x: np.roll(2 * x, 1, axis=0) + (len(x) == 6),
        lambda x: 2 * x / 0 if len(x) == 5 else 3 * x,
    ],
)
def test_what_one_case_refutes_is_not_told(made: Made) -> None:
    with np.errstate(all="ignore"):
        assert told(made) is None


def test_two_numbers_are_not_enough() -> None:
    assert told(lambda x: np.array([1.0, 4.0]), lambda x: np.array([2.0, 8.0])) is None


def test_one_number_a_case_is_related_only_by_the_same_factor() -> None:
    same = told(lambda x: 3 * float(x[0, 0]), lambda x: float(x[0, 0]))
    assert same is not None and "3 times" in same.message
    assert told(lambda x: len(x) * float(x[0, 0]), lambda x: float(x[0, 0])) is None


def test_a_gradient_that_alone_is_wrong_is_told_so() -> None:
    found = told(lambda x: 2 * x, gradients=lambda x: 2 * x + x**2)
    assert found is not None and found.name == "gradients-alone"
    related = told(lambda x: 2 * x, gradients=lambda x: 6 * x)
    assert related is not None and related.name == "times-a-factor"
    assert "output is right" in related.message and "3 times" in related.message


def test_the_verdict_tells_it_before_the_numbers() -> None:
    cases = doubling()
    verdict = judge(
        cases,
        (matches,),
        Sighting({key: Observation(2 * call.given["x"] + 0.5) for key, call in cases.plan.items()}),
    )
    assert verdict.diagnosis == "shifted-by-a-number"
    assert verdict.message.startswith("Each of your numbers is the expected one and 0.5 more. The output[0] is ")


def test_less_than_1_where_one_key_has_all_the_weight_is_named() -> None:
    probe = sums_to_one(-1)
    weights = np.array([[1.0, 0.0], [0.25, 0.75]])
    cases = doubling()
    call = next(iter(cases.plan.values()))

    def judged(seen: np.ndarray[Any, Any]) -> Finding | None:
        return probe.judge(Trial(call, Observation(seen), Observation(weights), {}, cases.tolerance))

    found = judged(weights / 1.00001)
    assert found is not None and found.name == "small-number-under-the-line" and "0.99999" in found.message
    assert judged(weights * (1 + 2e-7)) is None
    assert judged(np.array([[1.0, 0.0], [0.24999, 0.75]])) is None, (
        "two keys share here: their sum may be off by rounding"
    )


def test_what_a_call_left_behind_is_not_told_as_its_output() -> None:
    x = TABLES["0.0.0"]
    plan = {"0.0.0": Call("a table", {"x": x}, 1)}
    right, wrong = (Observation(2 * x, facts={"after": {"ids": {"kept": kept}}}) for kept in (True, False))
    cases = replace(doubling(), plan=plan, expected={"0.0.0": right})
    assert relation(cases, Sighting({"0.0.0": wrong}), lambda value: value) is None
