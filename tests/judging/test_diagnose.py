"""A cause is named only where no case speaks against it."""

from dataclasses import replace

import numpy as np
import pytest

from autograder.formats.cases import Call, Observation, Sighting, Variant
from autograder.judging.diagnose import Diagnosis, diagnose
from tests.judging.exercises import doubling

pytestmark = pytest.mark.quick

X = {f"{i}.0.0": np.arange(1.0, i + 4) for i in range(4)}


def found(*seen: float, mistake: tuple[float, ...]) -> Diagnosis | None:
    """Factors on four cases of `double`: what a learner's code gives, and what a known mistake gives."""

    def observations(factors: tuple[float, ...]) -> dict[str, Observation]:
        return {key: Observation(factor * x) for (key, x), factor in zip(X.items(), factors, strict=True)}

    cases = replace(
        doubling(),
        plan={key: Call(f"{len(x)} numbers", {"x": x}, 1) for key, x in X.items()},
        expected=observations((2, 2, 2, 2)),
        variants=(Variant("known", "the known mistake.", observations(mistake)),),
    )
    return diagnose(cases, Sighting(observations(seen)))


def test_what_agrees_everywhere_is_named() -> None:
    assert found(3, 3, 3, 3, mistake=(3, 3, 3, 3)) is not None


def test_agreement_on_one_case_of_several_is_a_coincidence() -> None:
    assert found(1, 1, 1, 1, mistake=(1, 5, 6, 7)) is None


def test_what_agrees_on_several_cases_is_named_with_these_cases() -> None:
    diagnosis = found(3, 3, 9, 9, mistake=(3, 3, 3, 3))
    assert diagnosis is not None
    assert diagnosis.sentence == (
        "on 3 numbers and on 4 numbers, you get what this mistake gives: the known mistake. (Other cases fail as well, in another way.)"
    )


def test_where_one_case_alone_is_wrong_a_right_one_speaks_against_a_mistake_that_would_show_there() -> None:
    assert found(3, 2, 2, 2, mistake=(3, 3, 3, 3)) is None
    assert found(3, 2, 2, 2, mistake=(3, 2, 2, 2)) is not None


def test_where_the_values_agree_the_gradients_of_a_wrong_value_speak_against_no_cause() -> None:
    cases = replace(
        doubling(),
        plan={"0.0.0": Call("3 numbers", {"x": X["0.0.0"]}, 1, gradients=True)},
        expected={"0.0.0": Observation(2 * X["0.0.0"], facts={"gradients": {"x": np.full(3, 2.0)}})},
        variants=(
            Variant(
                "known",
                "the known mistake.",
                {"0.0.0": Observation(3 * X["0.0.0"], facts={"gradients": {"x": np.full(3, 3.0)}})},
            ),
        ),
    )
    one = diagnose(cases, Sighting({"0.0.0": Observation(3 * X["0.0.0"], facts={"gradients": {"x": np.zeros(3)}})}))
    assert one is not None and one.sentence.startswith("on 3 numbers, ")
    right_value = Observation(2 * X["0.0.0"], facts={"gradients": {"x": np.zeros(3)}})
    assert diagnose(cases, Sighting({"0.0.0": right_value})) is None


def test_a_mistake_that_leaves_something_behind_is_not_named_where_that_was_not_seen() -> None:
    def left(factor: float, after: bool) -> dict[str, Observation]:
        return {
            key: Observation(factor * x, facts={"after": {"model": {"in training": after}}}) for key, x in X.items()
        }

    cases = replace(
        doubling(),
        plan={key: Call(f"{len(x)} numbers", {"x": x}, 1) for key, x in X.items()},
        expected=left(2, True),
        variants=(Variant("left", "the model is left in evaluation mode.", left(3, False)),),
    )
    assert diagnose(cases, Sighting(left(3, True))) is None
    assert diagnose(cases, Sighting(left(3, False))) is not None


def test_no_mistake_is_told_by_cases_without_any_number() -> None:
    assert found(np.nan, np.nan, 5, 2, mistake=(np.nan, np.nan, 2, 2)) is None
