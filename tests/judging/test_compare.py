"""Where two values part, in words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.formats.cases import Tolerance
from autograder.formats.values import Opaque, Tensor
from autograder.judging.compare import difference

pytestmark = pytest.mark.quick

NEAR = Tolerance()
floats = hnp.arrays(np.float64, hnp.array_shapes(), elements=st.floats(-1e6, 1e6))


@given(floats)
def test_a_value_does_not_differ_from_itself(data: np.ndarray) -> None:
    assert difference(data, data.copy(), NEAR) is None
    assert difference([data, data], (data, data), NEAR) is None


@given(floats, st.data())
def test_one_changed_entry_is_found_at_its_place(data: np.ndarray, drawn: st.DataObject) -> None:
    index = tuple(drawn.draw(st.integers(0, side - 1)) for side in data.shape)
    changed = data.copy()
    changed[index] += 1 + abs(changed[index])
    found = difference(changed, data, NEAR)
    assert found is not None
    assert found.index == index


@given(floats)
def test_the_width_of_floats_is_not_judged(data: np.ndarray) -> None:
    assert difference(data.astype(np.float32), data, NEAR) is None


@pytest.mark.parametrize(
    ("seen", "expected", "words"),
    [
        (None, np.zeros(3), "is None (is a `return` missing?), expected a NumPy array of shape (3,)"),
        (np.zeros((3, 1)), np.zeros(3), "has shape (3, 1), expected (3,)"),
        (np.zeros(3), Tensor(np.zeros(3), "float32"), "is a NumPy array of shape (3,), expected a PyTorch tensor"),
        ([0.0, 0.0], np.zeros(2), "is a list of 2: the number 0, the number 0, expected a NumPy array"),
        (np.zeros(2), (np.zeros(2), np.zeros(2)), "expected a tuple of 2"),
        ((np.zeros(2),), (np.zeros(2), np.zeros(2)), "has 1 items, expected 2"),
        (np.ones(2, int), np.ones(2, bool), "holds integers, expected booleans"),
        (np.ones(2), np.ones(2, int), "holds floating-point numbers, expected integers"),
        (np.array([1.0, np.nan]), np.array([1.0, 2.0]), "output[1] is nan, expected 2 (1 of 2 entries differ)"),
        (
            np.array([1.78881, 2.0]),
            np.array([1.78942, 2.0]),
            "output[0] is 1.7888, expected 1.7894 (1 of 2 entries differ)",
        ),
        ("relu", np.zeros(2), "is the text 'relu'"),
        (Opaque("function"), np.zeros(2), "is an object of type function"),
        ({"a": 1}, {"a": 1, "b": 2}, "has no entry 'b'"),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}, "stand in the order ['b', 'a']"),
    ],
)
def test_what_differs_is_said(seen: object, expected: object, words: str) -> None:
    found = difference(seen, expected, NEAR)
    assert found is not None
    assert words in found.what


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (np.asarray(2.0, np.float32), 2.0),
        (np.asarray(7), 7),
        (7.0, 7),
        (Tensor(np.asarray(2.0), "float32"), 2.0),
        (np.array([np.nan, np.inf]), np.array([np.nan, np.inf])),
        (np.array([1, 2], np.int32), np.array([1, 2], np.int64)),
    ],
)
def test_what_may_differ_is_not_judged(seen: object, expected: object) -> None:
    assert difference(seen, expected, NEAR) is None


def test_true_is_no_number() -> None:
    assert difference(True, 1.0, NEAR) is not None
    assert difference(1, True, NEAR) is not None


def test_items_of_a_tuple_are_called_by_their_names() -> None:
    found = difference((np.zeros(2), np.zeros(2)), (np.zeros(2), np.ones(2)), NEAR, returns=("output", "weights"))
    assert found is not None
    assert found.what.startswith("weights[0] is 0, expected 1")
