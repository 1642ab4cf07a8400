"""What is said of pairs that are not turned as they should be, and of outputs that a later token moves."""

import numpy as np
import pytest

from autograder.formats.cases import Call, Observation, Tolerance
from autograder.formats.values import Array, Tensor
from autograder.judging.probes import Finding, Trial, blind_to_later_tokens, turns_pairs

pytestmark = pytest.mark.quick

PLACES = np.array([0, 3, 9])


def rows() -> Array:
    return np.random.default_rng(0).normal(size=(2, 3, 4)) + 1.0


def turned(x: Array, base: float = 100.0, sign: float = 1.0, stretch: float = 1.0) -> Array:
    rates = base ** (-np.arange(0, 4, 2) / 4)
    pairs = x.view(np.complex128) * np.exp(1j * sign * PLACES[:, None] * rates) * stretch
    return np.ascontiguousarray(pairs).view(np.float64)


def told(seen: Array) -> Finding | None:
    x = rows()
    given = {"x": Tensor(x, "float32"), "positions": Tensor(PLACES, "int64"), "base": 100.0}
    seen_as, due = (Observation(Tensor(value, "float32")) for value in (seen, turned(x)))
    return turns_pairs.judge(Trial(Call("rows", given, 0), seen_as, due, {}, Tolerance()))


def test_pairs_that_turn_as_they_should_have_no_finding() -> None:
    assert told(turned(rows())) is None


def test_a_pair_that_turns_by_another_angle_is_named_with_both() -> None:
    found = told(turned(rows(), sign=-1))
    assert found and "features 0 and 1 of row 1, at place 3, turn by -3 radians; expected 3:" in found.message
    found = told(turned(rows(), base=10000.0))
    assert found and "features 2 and 3 of row 1, at place 3, turn by 0.03 radians; expected 0.3:" in found.message


def test_a_pair_that_becomes_longer_is_named_with_its_lengths() -> None:
    found = told(turned(rows(), stretch=2.0))
    assert found and "Turning a pair keeps its length" in found.message and "row 0" in found.message


def test_other_shapes_are_another_probes_business() -> None:
    assert told(rows()[:, :2]) is None


def outputs(leak: bool) -> Finding | None:
    ids = np.array([[1, 2, 3], [3, 0, 0]])
    probe = blind_to_later_tokens()
    call = Call("texts", {"ids": Tensor(ids, "int64")}, 0)
    (key, other), *_ = probe.derive(call).items()
    changed = other.given["ids"]
    assert (
        isinstance(changed, Tensor)
        and (changed.data[:, :2] == ids[:, :2]).all()
        and (changed.data[:, 2] != ids[:, 2]).all()
    )

    def run(given: Array) -> Observation:
        sums = given.cumsum(axis=1)[..., None] + (given[:, -1:, None] if leak else 0)
        return Observation(Tensor(sums.astype(np.float64), "float32"))

    derived = {key: (other, run(changed.data), run(changed.data))}
    return probe.judge(Trial(call, run(ids), run(ids), derived, Tolerance()))


def test_what_a_later_token_moves_is_noticed() -> None:
    assert outputs(leak=False) is None
    found = outputs(leak=True)
    assert found and "the output at place 0 of text 0 changes when the token at place 2" in found.message
