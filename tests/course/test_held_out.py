"""What the checks were not made from: no wrong one gets a point, no right one loses any, names stay.

Here every third wrong answer is judged: all of them took ten minutes of one core (2026-12-01).
`python -m tests.course.held_out` judges all.
"""

import pytest

from tests.course.held_out import judge_unit, read_pieces, units_with_pieces


@pytest.mark.parametrize("unit", units_with_pieces())
def test_held_out_implementations_are_judged_rightly(unit: str) -> None:
    pieces = read_pieces(unit)
    right, wrong = ([piece for piece in pieces if piece.right is is_right] for is_right in (True, False))
    assert [f"{judged.piece}: {judged.fault}" for judged in judge_unit(unit, right + wrong[::3]) if judged.fault] == []
