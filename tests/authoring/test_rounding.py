"""What depends on rounding is found and refused; what rounding may do, `build --check` accepts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autograder.authoring.assess import assess_rounding
from autograder.authoring.build import check_unit, visible_cases
from autograder.authoring.cache import made_from
from autograder.authoring.fingerprints import fingerprinted
from autograder.authoring.parse import Lesson, LessonError
from autograder.authoring.rounding import OtherRounding, nudged_plan
from autograder.authoring.workbench import draw_cases, open_workbench
from autograder.formats.cases import Call, Observation, UnitCases, Variant, save_cases
from autograder.formats.values import Fixture, Tensor

from .test_lessons import lesson

TIED = """wrong("tie", ("2 * x", "x * (x + 0.1 - 0.1 == x)"), says="you compare what is rounded.")

@right"""


def test_a_known_mistake_that_hangs_on_rounding_is_refused_with_case_variant_and_cure(tmp_path: Path) -> None:
    with pytest.raises(LessonError) as caught:
        visible_cases(lesson(tmp_path, ("@right", TIED)))
    (told,) = str(caught.value).splitlines()
    for words in (
        "made_up.py: exercise double (visible cases)",
        "variant 'tie' depends on rounding",
        "numbers' the output",
    ):
        assert words in told
    assert told.endswith("Change the case, or the code, so that no tie and no branch is decided by the last digit.")


def test_a_solution_that_hangs_on_rounding_is_refused(tmp_path: Path) -> None:
    edits = (
        ("2 * x\n", "x * (x + 0.1 - 0.1 == x)\n"),
        ("x + x", "double(x)"),
        ("[value + value for value in x]", "double(x)"),
    )
    with pytest.raises(LessonError, match="its solution depends on rounding"):
        visible_cases(
            lesson(tmp_path, *edits, ('wrong("squares", ("2 * x"', 'wrong("squares", ("x * (x + 0.1 - 0.1 == x)"'))
        )


def test_a_stable_exercise_passes_whichever_way_its_numbers_move(tmp_path: Path) -> None:
    (piece,) = open_workbench(lesson(tmp_path))
    cases = draw_cases(piece)
    assert [assess_rounding(piece, seed=seed, cases=cases) for seed in (None, 1, 2)] == [(), (), ()]


def test_what_an_earlier_build_has_found_stable_is_not_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "autograder.authoring.assess.rounding_problems",
        lambda piece, cases, *, stable, **unused: () if stable else asked.append(piece.source.name) or (),
    )
    stored = visible_cases(lesson(tmp_path))
    assert asked == ["double"]
    visible_cases(lesson(tmp_path), stored)
    assert asked == ["double"]
    visible_cases(lesson(tmp_path, ("dict(n=5)", "dict(n=6)")), stored)
    assert asked == ["double", "double"]


def moved(made: Lesson, share: float, variant: bool = False) -> UnitCases:
    """The cases as another processor would have drawn them: one result off by this share of itself."""
    cases, (piece,) = visible_cases(made), open_workbench(made)
    exercise = replace(draw_cases(piece), made_from=made_from(piece))

    def off(seen: Mapping[str, Observation]) -> dict[str, Observation]:
        key = next(iter(seen))
        return {**seen, key: replace(seen[key], value=seen[key].value * (1 + share))}

    if variant:
        first = exercise.variants[0]
        variants = (Variant(first.name, first.says, off(first.seen)), *exercise.variants[1:])
        return replace(cases, exercises=(fingerprinted(replace(exercise, variants=variants)),))
    return replace(cases, exercises=(fingerprinted(replace(exercise, expected=off(exercise.expected))),))


@pytest.mark.parametrize(
    ("share", "variant", "refused"), [(1e-6, False, False), (1e-2, False, True), (1e-6, True, False), (0.5, True, True)]
)
def test_build_check_accepts_what_differs_by_rounding_and_refuses_what_differs_by_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, variant: bool, refused: bool
) -> None:
    for name in ("library_text", "release"):  # a made-up unit has neither
        monkeypatch.setattr(f"autograder.authoring.build.{name}", lambda *unused: None)
    made = lesson(tmp_path)
    path = made.path.parent / "cases.npz"
    save_cases(moved(made, share, variant), path)
    before = path.read_bytes()
    told = " ".join(check_unit(tmp_path, "97_made_up"))
    assert ("cases.npz is not what its lesson gives" in told) is refused, told
    assert path.read_bytes() == before, "looking changes nothing"


def call(**given: Any) -> dict[str, Call]:
    return {"0": Call("a case", given, len(given))}


def test_inputs_move_by_one_rounding_error_and_equal_ones_move_alike() -> None:
    x = np.random.default_rng(0).normal(size=50)
    weights = Tensor(x.astype("float32"), "float32")
    plan = nudged_plan(call(x=x, twice=np.concatenate([x, x]), model=Fixture("unit", "name", {"weights": [weights]})))
    given = plan["0"].given
    assert (given["x"] != x).mean() > 0.9
    np.testing.assert_allclose(given["x"], x, rtol=3e-16)
    np.testing.assert_array_equal(given["twice"], np.concatenate([given["x"], given["x"]]))
    (inner,) = given["model"].given["weights"]
    assert (inner.data != weights.data).mean() > 0.9
    np.testing.assert_allclose(inner.data, weights.data, rtol=2e-7)


def test_what_is_exact_everywhere_stays() -> None:
    exact = np.array([0.0, -0.0, 1.0, 0.75, -1e9, 2000.0625, np.inf, -np.inf, np.nan])
    given = nudged_plan(call(x=exact, ids=np.arange(4), mask=np.array([True]), alpha=0.6, text="a"))["0"].given
    np.testing.assert_array_equal(given["x"], exact)
    assert (given["alpha"], given["text"], given["ids"].tolist()) == (0.6, "a", [0, 1, 2, 3])
    with OtherRounding():
        assert torch.equal(torch.eye(3) @ torch.full((3, 3), 0.5), torch.full((3, 3), 0.5))
        assert torch.softmax(torch.zeros(1), 0).item() == 1.0


def test_operations_that_round_are_off_by_about_one_rounding_error() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(2, 40, 40)
    for work in (lambda: a @ b, lambda: torch.softmax(a, -1), lambda: a.sum(0), lambda: torch.log_softmax(a, -1)):
        expected = work()
        with OtherRounding():
            seen = work()
        assert float((seen != expected).float().mean()) > 0.5
        torch.testing.assert_close(seen, expected, rtol=1e-5, atol=1e-5)


def test_gradients_flow_through_the_other_rounding() -> None:
    x = torch.randn(5, 3, requires_grad=True)
    with OtherRounding():
        torch.softmax(x @ x.T, -1).pow(2).sum().backward()
    assert x.grad is not None
    assert bool(x.grad.isfinite().all())
