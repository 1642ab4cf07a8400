"""Whether what passed in a notebook passes by itself: the same answers on the exercise's own cases, or a judgement anew."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from autograder.formats.cases import ExerciseCases
from autograder.notebook.checking import _passes_alone
from autograder.observing.observe import sighting_of
from tests.judging.exercises import doubled, doubling


def derived(cases: ExerciseCases) -> ExerciseCases:
    """With a call more, as a probe derives it."""
    key, call = next(iter(cases.plan.items()))
    return replace(
        cases,
        plan={**cases.plan, f"{key}/same_twice/again": call},
        expected={**cases.expected, f"{key}/same_twice/again": cases.expected[key]},
    )


def counted(double: Callable[[np.ndarray], object]) -> tuple[Callable[[np.ndarray], object], list[object]]:
    calls: list[object] = []

    def double_counted(x: np.ndarray) -> object:
        calls.append(x)
        return double(x)

    return double_counted, calls


def test_the_same_answers_on_the_exercises_own_cases_are_enough() -> None:
    cases = derived(doubling())
    alone, calls = counted(doubled)
    assert _passes_alone(alone, cases, sighting_of(doubled, cases))
    assert len(calls) == len(cases.base_keys) < len(cases.plan)


def test_a_name_that_only_the_notebook_has_does_not_pass() -> None:
    def alone(x: np.ndarray) -> np.ndarray:
        return x * of_the_notebook  # type: ignore[name-defined]  # noqa: F821

    cases = doubling()
    assert not _passes_alone(alone, cases, sighting_of(doubled, cases))


def test_another_answer_on_one_case_does_not_pass() -> None:
    cases = doubling()
    assert not _passes_alone(lambda x: 2 * np.abs(x), cases, sighting_of(doubled, cases))


def test_code_that_gives_other_numbers_each_time_is_judged_anew_on_all_calls() -> None:
    numbers = itertools.count()
    cases = derived(replace(doubling(), probes=("right_shape",)))
    alone, calls = counted(lambda x: x + next(numbers))
    assert _passes_alone(alone, cases, sighting_of(lambda x: x + next(numbers), cases))
    assert len(calls) == len(cases.base_keys) + len(cases.plan)
