"""What is kept of a known mistake tells it from all that is different, and from nothing that is the same."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from autograder.authoring.fingerprints import APART, fingerprinted, full_seen
from autograder.formats.cases import (
    ExerciseCases,
    Fault,
    MissingCases,
    Observation,
    Sighting,
    Tolerance,
    UnitCases,
    Variant,
    load_cases,
    save_cases,
)
from autograder.formats.fingerprints import Sample
from autograder.formats.values import Array, Tensor, pack
from autograder.judging.compare import same_observation
from autograder.judging.probes import matches
from autograder.judging.verdict import judge
from tests.judging.exercises import doubling

TOLERANCE = Tolerance()
WIDE = Tolerance(TOLERANCE.relative * APART, TOLERANCE.absolute * APART)
NUMBERS = st.floats(-1e6, 1e6, width=32) | st.sampled_from([0.0, 1.0, np.inf, -np.inf, np.nan])


def stored(expected: Any, *mistakes: Any) -> ExerciseCases:
    """One case on which the reference gives `expected`, and each known mistake its own value; as it is stored."""
    base = doubling()
    key = next(iter(base.plan))

    def observed(value: Any) -> Observation:
        return value if isinstance(value, Observation) else Observation(value)

    variants = tuple(Variant(f"{i}", f"{i}.", {key: observed(value)}) for i, value in enumerate(mistakes))
    return fingerprinted(
        replace(base, plan={key: base.plan[key]}, expected={key: observed(expected)}, variants=variants)
    )


def kept(cases: ExerciseCases, variant: int = 0) -> Observation:
    (observation,) = cases.variants[variant].seen.values()
    return observation


def through_a_file(cases: ExerciseCases, folder: Path) -> ExerciseCases:
    save_cases(UnitCases(cases.unit, "Made up", (cases,)), folder / "cases.npz")
    (read,) = load_cases(folder / "cases.npz").exercises
    return read


@st.composite
def tables(draw: st.DrawFn, count: int = 3) -> tuple[Array, ...]:
    shape = draw(arrays.array_shapes(max_dims=3, max_side=6))
    kind = draw(st.sampled_from(["float64", "float32", "int64", "bool"]))
    elements = {"int64": st.integers(-3, 3), "bool": st.booleans()}.get(kind, NUMBERS)
    fill = st.nothing() if draw(st.booleans()) else None  # else most entries of an array are alike
    return tuple(draw(arrays.arrays(kind, shape, elements=elements, fill=fill)) for _ in range(count))


@settings(max_examples=150, deadline=None)
@given(tables())
def test_what_equals_a_known_mistake_equals_what_is_kept_of_it(drawn: tuple[Array, ...]) -> None:
    expected, *mistakes = drawn
    cases = stored(expected, *mistakes)
    for i, mistake in enumerate(mistakes):
        nearly = mistake * (1 + TOLERANCE.relative / 3) if mistake.dtype.kind == "f" else mistake
        for seen in (Observation(mistake), Observation(nearly)):
            assert same_observation(seen, Observation(mistake), TOLERANCE)
            assert same_observation(seen, kept(cases, i), TOLERANCE)


@settings(max_examples=150, deadline=None)
@given(tables())
def test_what_is_kept_tells_apart_what_the_whole_outputs_tell_apart(drawn: tuple[Array, ...]) -> None:
    expected, *mistakes = drawn
    cases = stored(expected, *mistakes)
    much = Tolerance(WIDE.relative * 1.5, WIDE.absolute * 1.5)
    for seen in drawn:
        for i, mistake in enumerate(mistakes):
            # either way round: the allowance depends on the expected side
            if not (
                same_observation(Observation(seen), Observation(mistake), much)
                or same_observation(Observation(mistake), Observation(seen), much)
            ):
                assert not same_observation(Observation(seen), kept(cases, i), WIDE)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(tables(2), st.data())
def test_one_entry_that_is_clearly_off_shows_though_it_is_not_kept(
    drawn: tuple[Array, ...], data: st.DataObject
) -> None:
    expected, mistake = drawn
    assume(mistake.dtype.kind == "f" and mistake.size > 3 and bool(np.isfinite(mistake).all()))
    cases = stored(expected, mistake)
    other = mistake.copy().reshape(-1)
    place = data.draw(st.integers(0, other.size - 1))
    # a weight may be small: more than all allowances of an array of this size together
    other[place] += 1 + 300 * (TOLERANCE.absolute + TOLERANCE.relative * float(np.abs(mistake).max())) * other.size
    sample = kept(cases).value
    assume(isinstance(sample, Sample) and (place in sample.places or sample.mark is not None))
    assert not same_observation(Observation(other.reshape(mistake.shape)), kept(cases), TOLERANCE)


def test_shape_kind_library_faults_and_side_effects_are_kept(tmp_path: Path) -> None:
    x = np.arange(12.0).reshape(3, 4)
    fault = Observation(fault=Fault("ValueError", "no", 3, "raise ValueError('no')"))
    odd = [x.T.copy(), x.astype(int), Tensor(x, "float64"), (x, x), None, fault, Observation(x, changed=("x",))]
    cases = through_a_file(stored(x, *odd), tmp_path)
    for i, one in enumerate(odd):
        seen = [other if isinstance(other, Observation) else Observation(other) for other in odd]
        assert [same_observation(other, kept(cases, i), TOLERANCE) for other in seen] == [
            j == i for j in range(len(odd))
        ]
        assert not same_observation(Observation(x), kept(cases, i), TOLERANCE), one


def test_gradients_that_differ_from_the_references_are_kept_and_the_others_are_its_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    value, one, two, other = (rng.normal(size=(5, 7)) for _ in range(4))
    reference = Observation(value, facts={"gradients": {"a": one, "b": two}, "parameters": 3})
    mistake = Observation(value, facts={"gradients": {"b": two, "a": other}})
    cases = through_a_file(stored(reference, mistake), tmp_path)
    assert isinstance(kept(cases).facts["gradients"]["a"], Sample)
    assert not isinstance(kept(cases).facts["gradients"]["b"], Sample)
    assert same_observation(mistake, kept(cases), TOLERANCE)
    assert not same_observation(reference, kept(cases), TOLERANCE)


def test_verdicts_are_the_same_by_what_is_stored(tmp_path: Path) -> None:
    cases = doubling()
    read = through_a_file(fingerprinted(cases), tmp_path)
    for variant in cases.variants:
        sighting = Sighting(dict(variant.seen))
        found = judge(read, (matches,), sighting)
        assert (found.diagnosis, found.message) == (variant.name, judge(cases, (matches,), sighting).message)


def test_the_whole_outputs_stay_with_who_has_drawn_them() -> None:
    cases = doubling()
    (variant,) = fingerprinted(cases).variants
    assert full_seen(variant) is cases.variants[0].seen
    assert fingerprinted(fingerprinted(cases)).variants[0].seen is not cases.variants[0].seen


def test_a_large_output_is_kept_in_little_room(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cases = stored(rng.normal(size=1000), *(rng.normal(size=1000) for _ in range(50)))
    whole = len(pack([dict(full_seen(variant))[next(iter(cases.plan))].value for variant in cases.variants]))
    without = len(pack([cases.expected[next(iter(cases.plan))].value]))
    save_cases(UnitCases(cases.unit, "Made up", (cases,)), tmp_path / "cases.npz")
    assert (tmp_path / "cases.npz").stat().st_size - without < 0.02 * whole


def test_cases_of_another_format_are_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "cases.npz"
    path.write_bytes(pack({"format": 2, "exercises": []}))
    with pytest.raises(MissingCases, match=r"another version \(format 2, not 4\)\. Copy it from the course again"):
        load_cases(path)
