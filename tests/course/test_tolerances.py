"""Right answers differ in their last digits, and in single precision there are few of these."""

from pathlib import Path
from typing import Any

import pytest

from autograder.formats.cases import CASES_FILE, ExerciseCases, load_cases
from autograder.formats.values import Tensor

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"
SINGLE = 1e-5
"""What single precision leaves of numbers about 1 after some steps of computing."""


def has_tensors(tree: Any) -> bool:
    if isinstance(tree, dict):
        return any(map(has_tensors, tree.values()))
    return isinstance(tree, Tensor) or (isinstance(tree, (tuple, list)) and any(map(has_tensors, tree)))


@pytest.mark.parametrize("unit", sorted(path.parent.name for path in SOLUTIONS.glob(f"*/{CASES_FILE}")))
def test_what_a_model_computes_is_not_compared_more_finely_than_it_computes(unit: str) -> None:
    def too_fine(cases: ExerciseCases) -> bool:
        seen = any(has_tensors((one.value, one.facts)) for one in cases.expected.values())
        return seen and max(cases.tolerance.absolute, cases.tolerance.relative) < 2 * SINGLE

    exercises = load_cases(SOLUTIONS / unit / CASES_FILE).exercises
    assert [cases.name for cases in exercises if too_fine(cases)] == []
