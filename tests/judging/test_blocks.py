"""Probes for an encoder's layers: what one row's output may depend on, and silence in eval mode."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograder.formats.cases import Call, Observation, Tolerance
from autograder.formats.values import Fixture
from autograder.judging.probes import (
    Probe,
    Trial,
    blind_to_hidden_tokens,
    each_row_by_itself,
    each_sentence_by_itself,
    same_in_eval,
)

pytestmark = pytest.mark.quick

Layer = Callable[..., Any]


def finding(probe: Probe, layer: Layer, right: Layer, **given: Any) -> str | None:
    """What the probe says about `layer` where `right` is the reference."""
    call = Call("a case", given, 1)
    derived = {
        name: (other, Observation(layer(**other.given)), Observation(right(**other.given)))
        for name, other in probe.derive(call).items()
    }
    seen, expected = Observation(layer(**given)), Observation(right(**given))
    found = probe.judge(Trial(call, seen, expected, derived, Tolerance()))
    return found.message if found else None


def numbers(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape)


def itself(x: Any, mask: Any = None) -> Any:
    return 2 * x


@pytest.mark.parametrize(
    ("axis", "whom"), [(0, "a token of another sentence"), (1, "another token of the same sentence")]
)
def test_a_norm_over_the_wrong_axis_is_told_by_whom_it_hears(axis: int, whom: str) -> None:
    said = finding(each_row_by_itself("x"), lambda x: x - x.mean(axis=axis, keepdims=True), itself, x=numbers(2, 3, 4))
    assert said is not None and whom in said


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (2, 2, 3, 4)])
def test_a_norm_over_the_features_is_not_complained_about(shape: tuple[int, ...]) -> None:
    probe = each_row_by_itself("x")
    assert finding(probe, lambda x: x - x.mean(axis=-1, keepdims=True), itself, x=numbers(*shape)) is None


def test_a_batch_that_mixes_its_sentences_is_found() -> None:
    probe = each_sentence_by_itself("x")
    said = finding(probe, lambda x: x + x.mean(axis=0, keepdims=True), itself, x=numbers(3, 4, 5))
    assert said is not None and "sentence 0 changes when sentence 2" in said
    assert finding(probe, lambda x: x + x.mean(axis=1, keepdims=True), itself, x=numbers(3, 4, 5)) is None


def test_hidden_tokens_that_are_heard_are_found() -> None:
    mask = np.ones((2, 1, 1, 4), dtype=bool)
    mask[1, ..., 2:] = False

    def deaf(x: Any, mask: Any) -> Any:
        seen = mask[:, 0, 0, :, None]
        return x + (x * seen).sum(axis=1, keepdims=True) / seen.sum(axis=1, keepdims=True)

    probe = blind_to_hidden_tokens("x", "mask")
    said = finding(probe, lambda x, mask: x + x.mean(axis=1, keepdims=True), deaf, x=numbers(2, 4, 3), mask=mask)
    assert said is not None and "token 0 of sentence 1" in said
    assert finding(probe, deaf, deaf, x=numbers(2, 4, 3), mask=mask) is None


def test_a_case_without_a_mask_asks_nothing_about_hidden_tokens() -> None:
    assert blind_to_hidden_tokens("x", "mask").derive(Call("a case", {"x": numbers(2, 4, 3)}, 1)) == {}


def test_dropout_in_eval_mode_is_named() -> None:
    random = np.random.default_rng(1)
    said = finding(same_in_eval, lambda x: x * (random.random(x.shape) > 0.5), itself, x=numbers(2, 4, 3))
    assert said is not None and "Dropout is still on" in said
    assert finding(same_in_eval, itself, itself, x=numbers(2, 4, 3)) is None


@pytest.mark.parametrize("probe", [each_row_by_itself("x"), each_sentence_by_itself("x")])
def test_where_no_array_is_handed_over_nothing_is_changed(probe: Probe) -> None:
    assert probe.derive(Call("a driven case", {"x": Fixture("a_unit", "driven", {})}, 1)) == {}
