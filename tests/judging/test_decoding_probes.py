"""What a search's probes say of sentences: which one, and only what is true of it."""

import numpy as np
import pytest

from autograder.formats.cases import Call, Observation, Tolerance
from autograder.formats.values import Tensor
from autograder.judging.probes import (
    Probe,
    Trial,
    no_bos,
    same_counts,
    same_sentences,
    searches_each_sentence_by_itself,
)

pytestmark = pytest.mark.quick

CALL = Call("two sentences", {}, 0)


def found(*rows: list[int], scores: tuple[float, ...] = (-1.0, -2.0), dtype: str = "int64") -> tuple[Tensor, Tensor]:
    return Tensor(np.array(rows, dtype=dtype), dtype), Tensor(np.array(scores, dtype=np.float32), "float32")


def told(probe: Probe, seen: object, expected: object, alone: object = None) -> str:
    derived = {"alone": (CALL, Observation(alone), Observation(alone))} if alone is not None else {}
    finding = probe.judge(
        Trial(CALL, Observation(seen), Observation(expected), derived, Tolerance(), ("ids", "scores"))
    )
    return finding.message if finding else ""


RIGHT = found([5, 6, 7], [8, 2, 0])


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (RIGHT, ""),
        (found([5, 6, 7, 0], [8, 2, 0, 0]), ""),
        (found([5, 6, 2], [8, 2, 0]), "sentence 0 comes out as [5, 6, 2], expected [5, 6, 7]."),
        (found([5, 6, 7], [2, 0, 0]), "sentence 1 comes out as [2], expected [8, 2]."),
        (found([0, 0], [8, 2]), "sentence 0 comes out empty, expected [5, 6, 7]. This one has no EOS"),
        (found([0, 0], [8, 2], dtype="float32"), "sentence 0 comes out empty"),
        (found([5, 6, 7], [0, 0, 0]), "sentence 1 comes out as [], expected [8, 2]."),
        (found([5, 6, 7], [8, 2, 0], dtype="float32"), "ids holds floating-point numbers, expected integers."),
        (found([5, 6, 7], [8, 2, 0], scores=(-1.0, -2.5)), "scores[1] is -2.5, expected -2 (1 of 2 entries differ)."),
        (found([5] * 15, [8] * 15), "comes out as [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, and 3 more], expected"),
        ((Tensor(np.ones((2, 4, 3), dtype="int64"), "int64"), RIGHT[1]), "One sentence for each source"),
        (found([5, 6, 7], scores=(-1.0,)), "ids has shape (1, 3), expected (2, 3)."),
        (None, "None"),
    ],
)
def test_the_first_sentence_that_differs_is_told(seen: object, words: str) -> None:
    message = told(same_sentences, seen, RIGHT)
    assert words in message
    assert bool(words) == bool(message)


def test_a_bos_in_front_is_not_spoken_of_like_one_inside() -> None:
    assert "no part of the sentence" in told(no_bos, found([1, 5, 2], [1, 2, 0]), RIGHT)
    assert "inside a sentence" in told(no_bos, found([5, 1, 2], [8, 2, 0]), RIGHT)


def test_a_sentence_that_comes_out_otherwise_alone_may_also_be_chance() -> None:
    message = told(
        searches_each_sentence_by_itself, found([5, 2, 0], [8, 2, 0]), RIGHT, alone=found([6, 2], scores=(-1.0,))
    )
    assert "as [5, 2] beside others, and as [6, 2] alone" in message
    assert "does not find the same thing twice" in message


def test_keys_that_are_sets_are_called_so() -> None:
    assert "keys are sets" in told(same_counts, {"frozenset({'a'})": 1}, {"('a',)": 1})
