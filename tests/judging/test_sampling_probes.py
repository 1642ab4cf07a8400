"""What is said of functions that draw from logits: of tokens that cannot come, of shares, and of the cause behind them."""

import numpy as np
import pytest

from autograder.formats.cases import Call, Observation, Tolerance
from autograder.formats.values import Array, Tensor
from autograder.judging.probes import (
    Trial,
    draws_each_row,
    draws_in_proportion,
    draws_what_may_come,
    gives_tokens,
    is_greedy_at_zero,
)

pytestmark = pytest.mark.quick

PROBES = (gives_tokens, is_greedy_at_zero, draws_each_row, draws_what_may_come, draws_in_proportion)
CHANCES = ((0.4, 0.3, 0.2, 0.1, 0.0), (0.05, 0.15, 0.5, 0.0, 0.3))


def logits(times: int = 2000) -> Array:
    with np.errstate(divide="ignore"):
        return np.tile(np.log(np.array(CHANCES, dtype=np.float32)), (times, 1))


def drawn(rows: Array, *chances: tuple[float, ...]) -> Array:
    rng = np.random.default_rng(3)
    by_row = [rng.choice(len(row), size=len(rows) // len(chances), p=np.array(row) / sum(row)) for row in chances]
    return np.stack(by_row, axis=1).ravel()


def found(rows: Array, value: object, **knobs: object) -> list[tuple[str, str]]:
    call = Call("rows", {"logits": Tensor(rows, "float32"), **knobs}, 0)
    trial = Trial(call, Observation(value), Observation({"draws": True}), {}, Tolerance())
    return [(finding.name, finding.message) for probe in PROBES if (finding := probe.judge(trial))]


def names(value: Array, **knobs: object) -> list[str]:
    return [name for name, _ in found(logits(), Tensor(value, "int64"), **knobs)]


def sharpened(power: float) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(chance**power for chance in row) for row in CHANCES)


def test_right_draws_have_no_finding() -> None:
    assert names(drawn(logits(), *CHANCES)) == []
    assert names(drawn(logits(), *sharpened(2)), temperature=0.5) == []
    assert names(drawn(logits(), (0.4, 0.3, 0, 0, 0), (0, 0, 0.5, 0, 0.3)), top_k=2) == []
    assert names(drawn(logits(), (0.4, 0.3, 0.2, 0, 0), (0, 0, 0.5, 0, 0.3)), top_p=0.75) == []


@pytest.mark.parametrize(
    ("chances", "knobs", "name"),
    [
        (CHANCES, {"temperature": 0.5}, "temperature-ignored"),
        (sharpened(0.5), {"temperature": 0.5}, "temperature-multiplied"),
        (CHANCES, {"top_k": 2}, "top-k-ignored"),
        (CHANCES, {"top_p": 0.75}, "top-p-ignored"),
        (((0.4, 0.3, 0.2, 0, 0), (0, 0.15, 0.5, 0, 0.3)), {"top_k": 2}, "top-k-one-more"),
        (((0.4, 0.3, 0, 0, 0), (0, 0, 1, 0, 0)), {"top_p": 0.75}, "nucleus-short"),
        (((1, 1, 1, 0, 0), (0, 0, 1, 0, 1)), {"top_p": 0.75}, "evenly"),
        (((1, 0, 0, 0, 0), (0, 0, 1, 0, 0)), {}, "always-the-largest"),
        (((0.5, 0.5, 0, 0, 0), (0.5, 0.5, 0, 0, 0)), {}, "shares"),
    ],
)
def test_a_cause_is_named_only_where_all_draws_may_come_from_it(
    chances: tuple[tuple[float, ...], ...], knobs: dict[str, object], name: str
) -> None:
    assert names(drawn(logits(), *chances), **knobs)[:1] == [name]


def test_the_forms_of_tokens_are_told_apart() -> None:
    rows = logits(2)
    for value, name in (
        (None, "no-tensor"),
        (Tensor(np.zeros((4, 1), dtype=np.int64), "int64"), "other-shape"),
        (Tensor(np.zeros(4, dtype=np.float32), "float32"), "no-integers"),
        (Tensor(np.full(4, 5), "int64"), "outside-the-vocabulary"),
    ):
        assert [found_name for found_name, _ in found(rows, value)] == [name]


def test_zero_means_greedy_whatever_the_filters_are() -> None:
    rows = logits(2)
    best = rows.argmax(axis=1)
    assert found(rows, Tensor(best, "int64"), temperature=0, top_k=1, top_p=0.1) == []
    ((name, message),) = found(rows, Tensor(1 - np.minimum(best, 1), "int64"), temperature=0.0)
    assert name == "not-greedy" and "0 means greedy" in message


def test_equal_logits_may_go_either_way() -> None:
    rows = np.array([[2.0, 1.0, 1.0, -1.0]], dtype=np.float32)
    for token in (0, 1, 2):
        assert found(rows, Tensor(np.array([token]), "int64"), top_k=2) == []
    assert found(rows, Tensor(np.array([3]), "int64"), top_k=2)[0][0] == "filtered-out"


def test_a_token_that_can_never_come_is_told_as_such() -> None:
    value = drawn(logits(), (0.4, 0.3, 0.2, 0.1, 0.001), CHANCES[1])
    ((_, message), *_) = found(logits(), Tensor(value, "int64"))
    assert "token 4, whose logit is −∞. Such a token is never drawn." in message


def test_one_number_for_the_whole_batch_is_noticed() -> None:
    assert names(np.tile([1, 4], 2000))[:1] == ["one-for-all"]
