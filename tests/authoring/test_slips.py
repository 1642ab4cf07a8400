"""Slips are made wherever a reference has a place for them, and each says what its numbers fit."""

import numpy as np
import pytest

from autograder.authoring.slips import AXIS_FROM_THE_OTHER_END, Slip, slips

pytestmark = pytest.mark.quick

SCORES = '''
def scores(q, keys, scale=1.0):
    """One query's scores."""
    return scale * (keys @ q) / np.sqrt(q.shape[0])
'''


def made(source: str, name: str) -> dict[str, Slip]:
    return {slip.name: slip for slip in slips(source, name)}


def run(slip: Slip, name: str, *arguments: object, **named: object) -> object:
    space: dict[str, object] = {"np": np}
    exec(slip.source, space)
    return space[name](*arguments, **named)  # type: ignore[operator]


def test_half_stands_for_the_root_and_the_sentence_says_so() -> None:
    slip = made(SCORES, "scores")["slip-half-for-root"]
    assert np.allclose(run(slip, "scores", np.ones(4), np.eye(4)), 1 / 2)
    assert "half of a number where its root belongs" in slip.says


def test_a_root_written_with_a_division_is_made_as_python_reads_it() -> None:
    slip = made(SCORES, "scores")["slip-root-in-two-steps"]
    assert np.allclose(run(slip, "scores", np.ones(4), np.eye(4)), 1 / 4 / 2)


def test_a_root_is_cut_and_rounded_to_a_whole_number() -> None:
    cut, rounded = (made(SCORES, "scores")[f"slip-whole-root{which}"] for which in ("", "-2"))
    assert np.allclose(run(cut, "scores", np.ones(7), np.eye(7)), 1 / 2)
    assert np.allclose(run(rounded, "scores", np.ones(7), np.eye(7)), 1 / 3)
    assert "cut to a whole number" in cut.says and "rounded" in rounded.says


def test_an_argument_that_is_not_used_is_named() -> None:
    slip = made(SCORES, "scores")["slip-default"]
    assert slip.says == "your code takes 1.0 for `scale`, whatever it is given: use the argument."
    assert np.allclose(run(slip, "scores", np.ones(4), np.eye(4), scale=3.0), 1 / 2)


def test_a_transpose_becomes_a_reshape() -> None:
    slip = made("def turned(x):\n    return x.T", "turned")["slip-reshaped-not-transposed"]
    assert np.array_equal(run(slip, "turned", np.arange(6).reshape(2, 3)), np.arange(6).reshape(3, 2))  # type: ignore[arg-type]


def test_every_place_is_changed_once_and_none_gives_the_reference_itself() -> None:
    found = list(slips("def f(a, b, c):\n    return a + b - c", "f"))
    assert len({slip.source for slip in found}) == len(found)
    assert all(slip.source != "def f(a, b, c):\n    return a + b - c" for slip in found)
    assert {slip.name for slip in found} >= {"slip-sign", "slip-sign-2"}


def test_code_without_a_place_for_a_slip_has_none() -> None:
    assert list(slips("def f(x):\n    return x", "f")) == []


def test_a_range_with_a_step_ends_one_whole_step_too_early() -> None:
    slip = made("def every(n):\n    return np.arange(0, n, 2)", "every")["slip-range-off-by-one"]
    assert np.array_equal(run(slip, "every", 6), [0, 2])  # type: ignore[arg-type]
    assert np.array_equal(run(slip, "every", 7), [0, 2, 4])  # type: ignore[arg-type]


def test_results_in_the_other_order_are_told_by_their_names() -> None:
    found = [slip.says for slip in slips("def f(x):\n    return x, 2 * x", "f", ("output", "weights"))]
    assert "what you return stands in the other order. Return output first, then weights." in found
    assert "only one thing comes back. Return two: output and weights." in found


def test_an_axis_counted_from_the_other_end_is_marked_as_what_may_be_no_mistake() -> None:
    found = made("def f(x):\n    return x.sum(axis=1)", "f")
    assert "axis=0" in found["slip-other-axis"].source
    assert "axis=-1" in found[f"slip-{AXIS_FROM_THE_OTHER_END}"].source
