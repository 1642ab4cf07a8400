"""What every exercise is asked besides its own cases, and what a learner reads whose code fails there alone."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from autograder.formats.cases import Call, ExerciseCases, Sighting
from autograder.judging.probes import keeps_inputs, matches
from autograder.judging.unusual import NAME
from autograder.judging.verdict import Verdict, judge
from autograder.library import build_fixture
from autograder.observing.observe import observe
from tests.judging.exercises import doubled, doubling, seen_by

pytestmark = pytest.mark.quick

FIRST = np.array([1.0, -2.0, 3.0])
UNUSUAL = {
    "one: n": Call("1 number", {"x": np.array([4.0])}, 1),
    "scattered": Call("three numbers", {"x": FIRST}, 1, scattered=True),
    "ties": Call("three numbers", {"x": np.array([0.0, 1.0, 0.0])}, 1),
    "whole numbers": Call("three numbers", {"x": np.array([1, -2, 3])}, 1),
    "again": Call("three numbers", {"x": FIRST[::-1].copy()}, 1, before=({"x": FIRST}, {"x": FIRST})),
}


def cases() -> ExerciseCases:
    return replace(doubling(), unusual=UNUSUAL, unusual_expected=seen_by(doubled, UNUSUAL))


def verdict_on(target: object) -> Verdict:
    asked = cases()
    return judge(asked, (keeps_inputs, matches), observe(target, asked.calls, build=build_fixture))


def test_right_code_passes_and_is_told_so() -> None:
    verdict = verdict_on(doubled)
    assert verdict.passed
    assert [(result.name, result.passed) for result in verdict.results][-1] == (NAME, True)


def forgets_zeros(x: np.ndarray) -> np.ndarray:
    return np.where((x == 0) & (x.size == 3), 7.0, 2 * x)


def cuts_off(x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    out[...] = 2.1 * x - 0.1 * x if x.dtype.kind == "f" else 2.9 * x
    return out


def in_order_of_memory(x: np.ndarray) -> np.ndarray:
    return np.lib.stride_tricks.as_strided(x, x.shape, x.strides if x.ndim > 1 else (8,)) * 2


def squeezed(x: np.ndarray) -> np.ndarray:
    return np.squeeze(2 * x)


@pytest.mark.parametrize(
    ("target", "name", "words"),
    [
        (forgets_zeros, "ties-and-zeros", "Where entries are exactly 0 or equal to one another, the output[0] is 7"),
        (cuts_off, "whole-numbers", "Where the arrays hold whole numbers (integers), the output[1] is -5"),
        (in_order_of_memory, "memory-layout", "do not lie one behind the other in memory"),
        (squeezed, "length-of-one", "On a case with a length of 1 (1 number), the output has shape ()"),
    ],
)
def test_what_fails_on_one_kind_of_input_alone_is_told_which(
    target: Callable[[np.ndarray], np.ndarray], name: str, words: str
) -> None:
    verdict = verdict_on(target)
    assert (verdict.passed, verdict.score, verdict.diagnosis) == (False, 0.0, name)
    assert words in verdict.message


def test_an_answer_that_was_kept_is_told_as_such() -> None:
    kept: dict[tuple[int, ...], np.ndarray] = {}
    verdict = verdict_on(lambda x: kept.setdefault(x.shape, 2 * x))
    assert verdict.diagnosis == "remembers"
    assert "gave once more what belongs to the call before" in verdict.message


@pytest.mark.parametrize("target", [lambda x: np.zeros(x.shape), lambda x: np.full(x.shape, (3 * x).sum())])
def test_what_was_wrong_at_the_first_call_already_is_not_told_as_kept(
    target: Callable[[np.ndarray], np.ndarray],
) -> None:
    assert verdict_on(target).diagnosis == "all-equal"


def test_one_wrong_answer_to_everything_is_nothing_that_was_kept() -> None:
    verdict = verdict_on(np.ones_like)
    assert verdict.diagnosis != "remembers"
    assert "call before" not in verdict.message


def test_an_answer_that_is_kept_with_its_graph_is_told_as_such_though_its_gradients_are_wrong_too() -> None:
    asked = doubling()
    again = replace(UNUSUAL["again"], gradients=False)
    seen = seen_by(doubled, {**asked.plan, "again": again})
    first = next(iter(asked.plan))
    asked = replace(
        asked,
        unusual={"again": again},
        unusual_expected={"again": seen["again"]},
        expected={key: replace(seen[key], facts={"gradients": {"x": np.ones(3)}}) for key in asked.plan},
    )
    wrong = {key: replace(seen[key], facts={"gradients": {"x": np.zeros(3)}}) for key in asked.plan}
    verdict = judge(asked, (matches,), Sighting(wrong | {"again": seen[first]}))
    assert verdict.diagnosis == "remembers"


def test_a_running_sum_is_told_as_something_that_is_left() -> None:
    total: dict[tuple[int, ...], np.ndarray] = {}

    def adds_up(x: np.ndarray) -> np.ndarray:
        total[x.shape] = total.get(x.shape, np.zeros(x.shape)) + 2 * x
        return total[x.shape].copy()

    asked = cases()
    once = {key: call for key, call in asked.calls.items() if key in asked.plan or key == "again"}
    asked = replace(asked, unusual={"again": UNUSUAL["again"]})
    verdict = judge(asked, (matches,), observe(adds_up, once, build=build_fixture))
    assert verdict.diagnosis == "keeps-between-calls"
    assert "one call to the next: `total` held something else" in verdict.message
    assert verdict.message.endswith("Is something of them kept, or is it these numbers that your code does not take?")


def test_what_is_left_is_told_where_the_exercise_itself_calls_twice_with_the_same_shapes() -> None:
    plan = {"0.0.0": Call("three numbers", {"x": FIRST}, 1), "0.1.0": Call("other numbers", {"x": FIRST + 5}, 1)}
    asked = replace(cases(), plan=plan, expected=seen_by(doubled, plan))
    total = np.zeros(3)

    def adds_up(x: np.ndarray) -> np.ndarray:
        total[: x.size] += 2 * x
        return total[: x.size].copy()

    last = {**asked.unusual, "the first once more": plan["0.0.0"]}
    asked = replace(asked, unusual=last, unusual_expected=seen_by(doubled, last))
    verdict = judge(asked, (matches,), observe(adds_up, asked.calls, build=build_fixture))
    assert verdict.diagnosis == "again"
    del last["again"]
    asked = replace(asked, unusual=last, unusual_expected=seen_by(doubled, last))
    total[:] = 0
    verdict = judge(asked, (matches,), observe(adds_up, asked.calls, build=build_fixture))
    assert verdict.diagnosis == "remembers"


def with_last(target: object) -> Verdict:
    """The verdict where the first case is asked once more at the end, and one argument is changed alone."""
    two = {"x": FIRST, "n": 2}
    plan = {"0.0.0": Call("three numbers", two, 2)}
    unusual = {
        "again": Call("three numbers", {"x": FIRST[::-1].copy(), "n": 3}, 2, before=(two, two)),
        "again: n": Call("three numbers", two | {"n": 3}, 2, before=(two,)),
        "the first once more": plan["0.0.0"],
    }
    seen = seen_by(lambda x, n: n * x, plan | unusual)
    asked = replace(
        cases(),
        plan=plan,
        expected={"0.0.0": seen["0.0.0"]},
        unusual=unusual,
        unusual_expected={key: seen[key] for key in unusual},
        variants=(),
    )
    return judge(asked, (matches,), observe(target, asked.calls, build=build_fixture))


def test_what_was_kept_by_some_of_the_arguments_is_told() -> None:
    kept: dict[bytes, np.ndarray] = {}
    verdict = with_last(lambda x, n: kept.setdefault(x.tobytes(), n * x))
    assert verdict.diagnosis == "keeps-between-calls"
    assert verdict.message.endswith(
        "look there first. If that is not the reason: Called again in the same notebook, with another `n` and all else as before, your code gives the same answer: "
        "`n` is not used here, or the answer to the call before is kept."
    )


def test_an_argument_that_is_not_used_is_not_told_as_kept() -> None:
    verdict = with_last(lambda x, n: 2 * x if n == 2 or x[0] > 0 else n * x)
    assert "is not used here, or the answer to the call before is kept" in verdict.message


def test_another_answer_to_the_first_question_is_told_as_something_that_is_left() -> None:
    longest = [0]

    def of_the_longest(x: np.ndarray, n: int) -> np.ndarray:
        longest[0] = max(longest[0], n)
        return longest[0] * x

    verdict = with_last(of_the_longest)
    assert verdict.diagnosis == "remembers"


def test_one_buffer_that_is_given_out_twice_is_told() -> None:
    buffer = np.zeros(3)

    def into_the_buffer(x: np.ndarray, n: int) -> np.ndarray:
        buffer[:] = n * x
        return buffer

    verdict = with_last(into_the_buffer)
    assert (verdict.diagnosis, verdict.score) == ("one-array-twice", 0)
    assert "wrote over what it had given back before" in verdict.message
    assert with_last(lambda x, n: n * x).passed


def test_a_dictionary_with_other_keys_than_words_is_not_taken_for_one_that_was_changed() -> None:
    one, other = {"ids": [1, 2]}, {"ids": [2, 3]}
    call = Call("two ids", other, 1, before=(one,))
    seen = observe(lambda ids: {(ids[0], ids[1]): 1, 3: "x"}, {"again": call}, build=build_fixture)
    assert "overwritten" not in seen.observations["again"].facts


def test_code_that_is_wrong_everywhere_is_not_told_of_unusual_inputs() -> None:
    verdict = verdict_on(lambda x: 3 * x)
    assert verdict.diagnosis == "times-a-factor"
    assert [result.passed for result in verdict.results if result.name == NAME] == [None]


def test_what_was_not_seen_on_an_unusual_input_does_not_pass() -> None:
    asked = cases()
    assert not judge(asked, (matches,), observe(doubled, asked.plan, build=build_fixture)).passed


def test_of_hidden_cases_the_kind_of_input_is_told_and_no_number() -> None:
    asked = replace(cases(), hidden=True)
    verdict = judge(asked, (matches,), observe(forgets_zeros, asked.calls, build=build_fixture))
    assert verdict.diagnosis == "ties-and-zeros"
    assert verdict.message == (
        "Where entries are exactly 0 or equal to one another, your code gives something other than expected."
    )
    assert verdict.difference is None


def test_an_argument_that_is_remembered_when_it_is_left_out_is_told() -> None:
    def scaled(x: np.ndarray, factor: float = 2.0) -> np.ndarray:
        return x * factor

    def remembers(x: np.ndarray, factor: float | None = None, kept: dict = {"factor": 2.0}) -> np.ndarray:  # noqa: B006
        kept["factor"] = kept["factor"] if factor is None else factor
        return x * kept["factor"]

    unusual = {"again: without factor": Call("a factor", {"x": FIRST}, 1, before=({"x": FIRST, "factor": 5.0},))}
    asked = replace(doubling(), unusual=unusual, unusual_expected=seen_by(scaled, unusual))
    for target, passed in ((scaled, True), (remembers, False)):
        verdict = judge(asked, (keeps_inputs, matches), observe(target, asked.calls, build=build_fixture))
        assert verdict.passed is passed
    assert "called again in the same notebook, as before but without `factor`" in verdict.message.lower()
