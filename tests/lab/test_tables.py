"""Result tables: aligned as text, safe as Markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.lab.tables import display_width, table

pytestmark = pytest.mark.quick

plain = st.text(st.characters(categories=("L", "N", "P", "S"), include_characters=" "), max_size=8)


def test_numbers_stand_right_and_words_left() -> None:
    text = str(table([("loop", 628, 0.5), ("matrix", 1.3, None)], ["way", "time (ms)", "share"]))
    assert text.splitlines() == [
        " way     time (ms)  share",
        "──────────────────────────",
        " loop          628    0.5",
        " matrix        1.3      –",
    ]


def test_rows_may_be_mappings_and_a_missing_value_is_a_dash() -> None:
    shown = table([{"kind": "rnn", "steps": 7}, {"kind": "cnn"}])
    assert shown.columns == ("kind", "steps")
    assert shown.rows == (("rnn", 7), ("cnn", None))
    assert str(shown).splitlines()[-1].endswith("–")


def test_markdown_shows_what_the_cells_hold_and_nothing_else() -> None:
    markdown = table([("<img src=x>", "a|b", "*W_q*")], ["one", "two", "three"]).markdown()
    assert r"\<img src=x\>" in markdown
    assert r"a\|b" in markdown
    assert r"\*W\_q\*" in markdown


def test_a_notebook_shows_markdown_and_print_shows_text() -> None:
    shown = table([("a", 1)], ["name", "n"])
    assert shown._repr_markdown_().splitlines()[1].replace("-", "") == "||:|"
    assert "|" not in str(shown)


def test_large_numbers_are_written_without_an_exponent() -> None:
    assert "1,234,568" in str(table([(1234567.8,)], ["tokens/s"]))


def test_a_row_of_another_length_is_refused_by_its_number() -> None:
    with pytest.raises(ValueError, match="row 2 has 1 cells for 2 columns"):
        table([(1, 2), (3,)], ["a", "b"])
    with pytest.raises(ValueError, match="need column names"):
        table([(1, 2)])


@given(st.lists(st.tuples(plain, st.integers(), plain), min_size=1, max_size=5))
def test_every_line_of_the_markdown_is_equally_wide(rows: list[tuple[str, int, str]]) -> None:
    lines = table(rows, ["机器", "n", "x"]).markdown().splitlines()
    assert len({display_width(line) for line in lines}) == 1


@given(st.lists(st.tuples(plain), min_size=1, max_size=5))
def test_no_cell_can_open_another_column(rows: list[tuple[str]]) -> None:
    for line in table(rows, ["only"]).markdown().splitlines():
        unescaped = line.replace("\\\\", "").replace("\\|", "")
        assert unescaped.count("|") == 2
