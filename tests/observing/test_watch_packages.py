"""A whole package that does an exercise's work is noticed by its functions, compiled ones too."""

import sys

import pytest

from autograder.observing.watch import watching

pytest.importorskip("tokenizers")
pytestmark = pytest.mark.quick


def test_a_compiled_method_of_a_forbidden_package_is_noticed() -> None:
    from tokenizers import Tokenizer, models

    model = models.BPE(vocab={"a": 0, "b": 1, "ab": 2}, merges=[("a", "b")])
    with watching(("tokenizers.*",)) as used:
        assert Tokenizer(model).encode("ab").tokens == ["ab"]
    assert used == {"tokenizers"}


def test_other_compiled_functions_are_not() -> None:
    before = sys.getprofile()
    with watching(("tokenizers.*",)) as used:
        assert sorted("ba") == list("ab") and len("ab") == 2 and "ab".replace("a", "b") == "bb"
    assert used == set() and sys.getprofile() is before
