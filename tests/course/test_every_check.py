"""Every main exercise knows enough mistakes and right answers. That they are told apart, `verify` shows."""

from pathlib import Path

import pytest

from autograder.authoring.parse import parse_lesson, unit_stem
from autograder.authoring.workbench import open_workbench

COURSE = Path(__file__).resolve().parents[2]
MAIN_EXERCISES = {
    "02_attention_scores": ("softmax", "dot_product_score", "additive_score", "scaled_scores", "attend_one"),
    "03_self_attention": (
        "self_attention_columns",
        "to_row_convention",
        "self_attention",
        "scaled_dot_product_attention",
    ),
}


@pytest.mark.parametrize(("unit", "names"), MAIN_EXERCISES.items())
def test_main_exercises_know_ten_mistakes_and_three_right_answers(unit: str, names: tuple[str, ...]) -> None:
    lesson = parse_lesson(COURSE / "solutions" / unit / f"{unit_stem(unit)}.py")
    pieces = {piece.source.name: piece for piece in open_workbench(lesson)}
    assert set(names) <= set(pieces)
    for name in names:
        assert len(pieces[name].wrongs) >= 10, name
        assert len(pieces[name].rights) >= 3, name
