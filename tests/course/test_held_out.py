"""What the checks were not made from: no wrong one gets a point, no right one loses any, names stay."""

import pytest

from tests.course.held_out import judge_unit, read_pieces, units_with_pieces


@pytest.mark.parametrize("unit", units_with_pieces())
def test_held_out_implementations_are_judged_rightly(unit: str) -> None:
    assert [f"{judged.piece}: {judged.fault}" for judged in judge_unit(unit, read_pieces(unit)) if judged.fault] == []
