"""Pieces of a text, RoPE's circles, and the nucleus of a distribution."""

import pytest

from autograder.lab.language_models import nucleus, turned_pairs
from autograder.lab.pieces import text_pieces
from autograder.lab.style import alt_text

pytestmark = pytest.mark.quick


def test_words_carry_the_space_before_them_and_all_else_goes_by_characters() -> None:
    assert text_pieces("三十二 = Thirty two；5", lambda word: [word]) == [*"三十二=", " thirty", " two", "；", "5"]
    assert text_pieces("two words", lambda word: [word[:2], word[2:]]) == [" t", "wo", " w", "ords"]
    assert text_pieces("  ", list) == []


@pytest.mark.parametrize(("top_p", "kept"), [(0.5, 1), (0.51, 2), (0.75, 2), (0.8, 3), (1.0, 3), (0.01, 1)])
def test_a_nucleus_holds_the_token_that_reaches_top_p(top_p: float, kept: int) -> None:
    assert f"The first {kept} of them" in alt_text(nucleus({"b": 0.25, "a": 0.5, "c": 0.25}, top_p))


def test_circles_are_told_in_words() -> None:
    words = alt_text(turned_pairs([0, 2], [1.0, 0.1]))
    assert "position 2 at 2 radians" in words and "position 2 at 0.2 radians" in words
