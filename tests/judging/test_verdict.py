"""What a learner reads: the mistake by name where it is known, what was seen where it is not."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from autograder.formats.cases import Call, ExerciseCases, Fault, Observation, Sighting, Tolerance, Variant
from autograder.formats.values import Tensor
from autograder.judging.panel import as_html, as_text, folded_hints
from autograder.judging.probes import (
    Probe,
    finite,
    keeps_inputs,
    matches,
    right_shape,
    same_counts,
    same_entries,
    same_sentences,
    same_twice,
)
from autograder.judging.verdict import Verdict, judge, judge_hidden
from autograder.library import build_fixture
from autograder.observing.observe import observe
from tests.judging.exercises import doubling, seen_by

pytestmark = pytest.mark.quick

ALL = (keeps_inputs, right_shape, finite, matches)


def verdict_on(target: object, cases: ExerciseCases | None = None) -> Verdict:
    cases = cases or doubling()
    sighting = observe(target, cases.plan, build=build_fixture, forbids=cases.forbids, time_limit=cases.time_limit)
    return judge(cases, ALL, sighting)


@pytest.mark.parametrize("right", [lambda x: x + x, lambda x: (2 * x).astype(np.float32), lambda data: data * 2])
def test_whatever_is_equal_passes_with_all_points(right: Callable[[np.ndarray], np.ndarray]) -> None:
    verdict = verdict_on(right)
    assert (verdict.passed, verdict.score, verdict.message) == (True, 3.0, "")
    assert type(verdict.score) is float


def test_a_known_mistake_is_named_with_its_sentence() -> None:
    verdict = verdict_on(lambda x: x * x)
    assert (verdict.passed, verdict.score, verdict.diagnosis) == (False, 0.0, "squares")
    assert verdict.message == "Your output is the square of x, not its double."


def test_an_unknown_mistake_is_described_by_what_its_numbers_show() -> None:
    verdict = verdict_on(lambda x: 3 * x)
    assert verdict.diagnosis == "times-a-factor"
    assert verdict.message.startswith(
        "Each of your numbers is 1.5 times the expected one. The output[0] is 3, expected 2"
    )
    assert verdict.label == "three numbers"


def sentences(*rows: list[int], scores: tuple[float, ...] = (-1.0, -2.0)) -> tuple[Tensor, Tensor]:
    return Tensor(np.array(rows), "int64"), Tensor(np.array(scores, dtype=np.float32), "float32")


GREEDY = ([5, 2, 0], [7, 8, 2])
BEAM = ([5, 6, 2], [7, 2, 0])


def searching() -> tuple[ExerciseCases, str]:
    """One case of a search whose known mistake finds what greedy decoding finds, one column wider than it must be."""
    base = doubling()
    key = next(iter(base.plan))
    mistake = {key: Observation(sentences(*([*row, 0] for row in GREEDY)))}
    return replace(
        base,
        plan={key: base.plan[key]},
        expected={key: Observation(sentences(*BEAM))},
        variants=(Variant("greedy", "you search greedily.", mistake),),
    ), key


@pytest.mark.parametrize("more", [0, 1, 3])
def test_columns_of_padding_hide_no_known_mistake_and_are_none(more: int) -> None:
    cases, key = searching()
    probes = (keeps_inputs, same_sentences)
    found = judge(cases, probes, Sighting({key: Observation(sentences(*([*row, *[0] * more] for row in GREEDY)))}))
    assert (found.passed, found.diagnosis) == (False, "greedy")
    assert judge(cases, probes, Sighting({key: Observation(sentences(*([*row, *[0] * more] for row in BEAM)))})).passed


@pytest.mark.parametrize(
    "answer",
    [
        sentences([5, 2, 0], [7, 8, 8]),
        sentences(*GREEDY, scores=(-1.0, -2.5)),
        sentences([5, 2, 0, 0], [7, 8, 2, 9]),
        sentences(*GREEDY)[0],
        "no ids",
        None,
    ],
)
def test_what_is_judged_still_tells_mistakes_apart(answer: object) -> None:
    cases, key = searching()
    assert judge(cases, (same_sentences,), Sighting({key: Observation(answer)})).diagnosis != "greedy"


def test_with_a_probe_that_judges_all_of_a_value_nothing_is_left_out() -> None:
    cases, key = searching()
    assert judge(cases, (matches,), Sighting({key: Observation(sentences(*GREEDY))})).diagnosis is None


@pytest.mark.parametrize("probe", [same_counts, same_entries])
def test_the_order_of_a_dicts_entries_hides_no_known_mistake(probe: Probe) -> None:
    base = doubling()
    key = next(iter(base.plan))
    cases = replace(
        base,
        plan={key: base.plan[key]},
        expected={key: Observation({"a": 2, "b": 1})},
        variants=(Variant("swapped", "they are swapped.", {key: Observation({"a": 1, "b": 2})}),),
    )
    assert judge(cases, (probe,), Sighting({key: Observation({"b": 2, "a": 1})})).diagnosis == "swapped"
    assert judge(cases, (probe,), Sighting({key: Observation({"b": 1, "a": 2})})).passed


def test_a_mistake_on_some_cases_only_is_named_with_the_cases() -> None:
    cases = with_more_cases({"squares": lambda x: x**2}, np.full(4, 7.0))
    verdict = verdict_on(lambda x: x**2 if x.ndim == 1 else x * 7, cases)
    assert verdict.diagnosis == "squares"
    assert verdict.message.startswith("On three numbers and on case 2, you get what this mistake gives: squares.")


def test_agreement_on_one_of_two_wrong_cases_names_nothing() -> None:
    assert verdict_on(lambda x: x**2 if x.ndim == 1 else x * 7).diagnosis is None


def with_more_cases(mistakes: dict[str, Callable[[np.ndarray], np.ndarray]], *more: np.ndarray) -> ExerciseCases:
    base = doubling()
    plan = base.plan | {f"{i}.0.0": Call(f"case {i}", {"x": x}, 1) for i, x in enumerate(more, start=2)}
    variants = tuple(Variant(name, f"{name}.", seen_by(mistake, plan)) for name, mistake in mistakes.items())
    return replace(base, plan=plan, expected=seen_by(lambda x: 2 * x, plan), variants=variants)


def test_one_case_does_not_name_a_mistake_that_several_right_answers_speak_against() -> None:
    cases = with_more_cases({"squares": lambda x: x**2}, np.full(4, 7.0), np.full((2, 2), 5.0))
    assert verdict_on(lambda x: x**2 if x.size == 3 else 2 * x, cases).diagnosis == "wrong-on-one-case"
    assert verdict_on(lambda x: x**2 if x.ndim == 1 else x * 2, cases).diagnosis == "squares"


def test_an_output_of_zeros_names_no_mistake_that_shows_elsewhere() -> None:
    cases = with_more_cases({"zeros": lambda x: 0 * x})
    assert verdict_on(lambda x: 0 * x, cases).diagnosis == "zeros"
    assert verdict_on(lambda x: 0 * x if x.ndim == 1 else x + 1, cases).diagnosis is None


def test_of_two_mistakes_alike_in_numbers_the_one_that_raises_alike_is_named() -> None:
    def raises(x: np.ndarray) -> np.ndarray:
        if x.ndim > 1:
            raise ValueError("one axis only")
        return x**2

    cases = with_more_cases({"squares": lambda x: x**2, "squares-of-vectors": raises})

    def learner(x: np.ndarray) -> np.ndarray:
        if x.shape != (x.size,):
            raise ValueError("too many axes")
        return x * x

    assert verdict_on(learner, cases).diagnosis == "squares-of-vectors"


def test_an_accident_on_a_minority_of_cases_is_not_named() -> None:
    base = doubling()
    plan = base.plan | {"2.0.0": Call("twos", {"x": np.full(4, 7.0)}, 1)}
    cases = replace(
        base,
        plan=plan,
        expected=seen_by(lambda x: 2 * x, plan),
        variants=(Variant("squares", "squares.", seen_by(lambda x: x**2, plan)),),
    )
    verdict = verdict_on(lambda x: x**2 if x.size == 4 else x**3 + 1, cases)
    assert verdict.diagnosis is None


@pytest.mark.parametrize(
    ("wrong", "diagnosis", "words"),
    [
        (lambda x: None, "right_shape", "returned None"),
        (lambda x: x[..., None] * 2, "other-form", "has shape (3, 1), expected (3,)"),
        (lambda x: list(2 * x), "other-form", "expected a NumPy array of shape (3,)"),
        (lambda x: 2 * x / 0 * 0, "finite", "is nan"),
        (lambda x, y: x, "raised-TypeError", "missing 1 required positional argument: 'y'"),
    ],
)
def test_each_kind_of_wrong_answer_gets_a_clear_sentence(wrong: object, diagnosis: str | None, words: str) -> None:
    verdict = verdict_on(wrong)
    assert not verdict.passed
    assert words in verdict.message
    if diagnosis in ("finite",):
        assert verdict.diagnosis == diagnosis


def test_code_that_is_not_written_yet_is_told_so() -> None:
    def starter(x: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    verdict = verdict_on(starter)
    assert verdict.diagnosis == "not-written"
    assert "is not written yet" in verdict.message


def test_changing_the_input_costs_the_points_even_where_the_numbers_are_right() -> None:
    def in_place(x: np.ndarray) -> np.ndarray:
        x *= 2
        return x

    verdict = verdict_on(in_place)
    assert (verdict.passed, verdict.diagnosis) == (False, "keeps_inputs")
    assert "`x` in place" in verdict.message


def test_a_forbidden_operator_is_named_and_gives_no_points() -> None:
    cases = doubling(forbids=("relu",))
    verdict = judge(cases, ALL, Sighting(dict(cases.expected), forbidden=("relu",)))
    assert (verdict.score, verdict.diagnosis) == (0.0, "forbidden-operator")
    assert "`relu`" in verdict.message


def test_a_call_that_was_not_observed_gives_no_points() -> None:
    cases = doubling()
    some = {key: seen for key, seen in cases.expected.items() if key == "0.0.0"}
    assert judge(cases, ALL, Sighting(some)).score == 0.0
    assert judge(cases, ALL, Sighting({})).score == 0.0


def test_no_probe_means_no_points() -> None:
    cases = doubling()
    assert judge(cases, (), Sighting(dict(cases.expected))).score == 0.0


def test_trouble_gives_its_reason_whatever_else_was_seen() -> None:
    cases = doubling()
    verdict = judge(cases, ALL, Sighting(dict(cases.expected), trouble=Fault("OutOfTime", "2")))
    assert (verdict.score, verdict.diagnosis) == (0.0, "out-of-time")
    assert "did not finish within 2 seconds" in verdict.message


def test_something_random_is_caught_by_calling_twice() -> None:
    base = doubling()
    again = {f"{key}/same_twice/again": call for key, call in base.plan.items()}
    cases = replace(base, plan=base.plan | again, expected=seen_by(lambda x: 2 * x, base.plan | again))
    rng = np.random.default_rng(0)
    sighting = observe(lambda x: 2 * x + rng.normal(size=x.shape), cases.plan, build=build_fixture)
    verdict = judge(replace(cases, variants=()), (same_twice,), sighting)
    assert verdict.diagnosis == "same_twice"


def test_the_panel_says_in_text_what_colours_say() -> None:
    page = as_html(verdict_on(lambda x: 3 * x))
    assert "✗ not yet" in page
    assert "yours" in page
    assert "expected" in page
    assert "The first entry that differs is framed: [0]." in page
    assert '<span role="img" aria-label="does not hold:">✗</span>' in page


def test_the_panel_shows_emphasis_and_leaves_products_alone() -> None:
    hinted = folded_hints(("Each *row* meets every *column of it*: `a * b` or 2 * x * y, a**b.",))
    assert "Each <em>row</em> meets every <em>column of it</em>: <code>a * b</code> or 2 * x * y, a**b." in hinted


def test_what_a_learner_wrote_cannot_become_html() -> None:
    verdict = verdict_on(lambda x: (_ for _ in ()).throw(ValueError("<script>alert(1)</script>")))
    assert "<script>" not in as_html(verdict)
    assert "&lt;script&gt;" in as_html(verdict)


def test_the_text_shows_yours_beside_expected_with_the_first_difference_marked() -> None:
    text = as_text(verdict_on(lambda x: np.where(x < 0, x, 2 * x)))
    assert "yours, shape (3,)" in text
    assert ">       -2" in text
    assert ">       -4" in text


def test_a_passed_check_does_not_promise_the_hidden_points() -> None:
    assert "does not promise" in as_text(verdict_on(lambda x: 2 * x))


def test_a_warning_names_the_line_and_no_file_that_nobody_can_find() -> None:
    warned = "/tmp/ipykernel_1768/4104572614.py:4: RuntimeWarning: overflow encountered in exp\n  w = np.exp(s)"
    (note,) = judge(doubling(), ALL, Sighting({}, printed=warned)).notes
    assert note == "your code printed: line 4: RuntimeWarning: overflow encountered in exp / w = np.exp(s)"


def test_on_hidden_cases_the_visible_ones_sentence_serves_and_known_mistakes_are_not_run_again() -> None:
    class Unwanted(tuple):
        def __iter__(self):
            raise AssertionError("the known mistakes were looked through")

    visible = doubling()
    hidden = replace(visible, hidden=True, variants=Unwanted())
    seen = Sighting(seen_by(lambda x: x * x, visible.plan))
    on_visible = judge(visible, ALL, seen)
    on_hidden = judge_hidden(hidden, ALL, seen, visible, on_visible)
    assert (on_hidden.passed, on_hidden.score, on_hidden.hidden) == (False, 0.0, True)
    assert (on_hidden.diagnosis, on_hidden.message) == ("squares", on_visible.message)


def test_who_passes_the_visible_cases_and_fails_a_hidden_one_is_told_the_mistake() -> None:
    visible = doubling()
    hidden = replace(visible, hidden=True)
    on_visible = judge(visible, ALL, Sighting(visible.expected))
    told = judge_hidden(hidden, ALL, Sighting(seen_by(lambda x: x * x, hidden.plan)), visible, on_visible)
    assert (on_visible.passed, told.passed, told.diagnosis) == (True, False, "squares")


def test_the_marked_cell_shows_as_many_digits_as_differ() -> None:
    cases = replace(doubling(), tolerance=Tolerance(1e-9, 1e-9))
    verdict = verdict_on(lambda x: 2 * x + 1e-6, cases)
    assert "2.000001" in as_html(verdict)
    assert "2.000001" in as_text(verdict)


def test_a_warning_of_a_cell_is_told_with_its_line_alone() -> None:
    printed = "<ipython-input-7-abc>:3: RuntimeWarning: overflow encountered in exp"
    cases = doubling()
    verdict = judge(cases, ALL, Sighting(seen_by(lambda x: 2 * x, cases.plan), printed=printed))
    assert verdict.notes == ("your code printed: line 3: RuntimeWarning: overflow encountered in exp",)
