"""What is said of functions that hide tokens at random: of every token, of shares over many, and of where chance comes from."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from autograder.formats.cases import Call, Observation, Tolerance
from autograder.formats.values import Array, Tensor
from autograder.judging.probes import (
    Probe,
    Trial,
    chooses_the_share,
    draws_evenly,
    draws_from,
    hides_by_ordinary_ids,
    labels_what_it_chose,
    shares_out,
)
from autograder.judging.probes.chance import far_from
from autograder.library.common import watched_generator

pytestmark = pytest.mark.quick

SPECIAL, MASK, SIZE = [0, 1, 7], 7, 40
PROBES = (labels_what_it_chose, hides_by_ordinary_ids, chooses_the_share, shares_out, draws_evenly)
Hidden = tuple[Array, Array]


def many_ids() -> Array:
    ids = np.random.default_rng(0).integers(0, SIZE, size=(150, 170))
    return np.where(ids == MASK, 2, ids)


def hidden(ids: Array, probability: float = 0.5, masked: float = 0.8, random: float = 0.1) -> Hidden:
    rng = np.random.default_rng(1)
    chosen = (rng.random(ids.shape) < probability) & ~np.isin(ids, SPECIAL)
    fate, ordinary = rng.random(ids.shape), np.setdiff1d(np.arange(SIZE), SPECIAL)
    other = rng.choice(ordinary, size=ids.shape)
    corrupted = np.where(chosen & (fate < masked), MASK, ids)
    corrupted = np.where(chosen & (fate >= masked) & (fate < masked + random), other, corrupted)
    return corrupted, np.where(chosen, ids, -100)


def names(ids: Array, value: object, probability: float = 0.5) -> list[str]:
    """The findings of all probes, by name."""
    given: dict[str, object] = {
        "ids": Tensor(ids, "int64"),
        "vocab_size": SIZE,
        "mask_id": MASK,
        "special_ids": SPECIAL,
    }
    given["probability"] = probability
    seen = Observation(value)
    found = [probe.judge(Trial(Call("many", given, 0), seen, Observation({}), {}, Tolerance())) for probe in PROBES]
    return [finding.name for finding in found if finding]


def pair(corrupted: Array, labels: Array) -> tuple[Tensor, Tensor]:
    return Tensor(corrupted, "int64"), Tensor(labels, "int64")


def test_a_right_answer_has_no_finding() -> None:
    ids = many_ids()
    assert names(ids, pair(*hidden(ids))) == []
    assert names(ids, list(pair(*hidden(ids)))) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda ids, c, y: (c, np.where(y < 0, -1, y)), "other-filler"),
        (lambda ids, c, y: (c, np.where(y < 0, y, c)), "labels-corrupted"),
        (lambda ids, c, y: (c, np.where(y < 0, ids, -100)), "labels-inverted"),
        (lambda ids, c, y: (c, ids), "labels-everywhere"),
        (lambda ids, c, y: (c, np.where(c == MASK, y, -100)), "labels-masked-only"),
        (lambda ids, c, y: (c, np.where(c == ids, -100, y)), "kept-unlabelled"),
        (lambda ids, c, y: (np.where(ids == 1, MASK, c), y), "special-chosen"),
        (lambda ids, c, y: (np.where((y >= 0) & (c != ids) & (c != MASK), 1, c), y), "special-drawn"),
        (lambda ids, c, y: (np.where((y >= 0) & (c != ids) & (c != MASK), SIZE, c), y), "outside-the-vocabulary"),
        (lambda ids, c, y: (np.where((y >= 0) & (c != ids) & (c != MASK), 5, c), y), "one-for-all"),
        (lambda ids, c, y: (np.where(c == 39, 38, c), np.where((ids == 39) & (y < 0), -100, y)), "changed-unlabelled"),
    ],
)
def test_what_is_wrong_of_a_token_is_named(change: Callable[[Array, Array, Array], Hidden], name: str) -> None:
    ids = many_ids()
    assert name in names(ids, pair(*change(ids, *hidden(ids))))


@pytest.mark.parametrize(
    ("asked", "drawn", "masked", "random", "name"),
    [
        (0.5, 0.15, 0.8, 0.1, "probability-ignored"),
        (0.3, 0.7, 0.8, 0.1, "share-turned"),
        (0.5, 0.25, 0.8, 0.1, "chosen-twice"),
        (0.5, 0.5, 1.0, 0.0, "all-masked"),
        (0.5, 0.5, 0.8, 0.02, "tenth-of-the-rest"),
        (0.5, 0.5, 0.8, 0.2, "never-kept"),
        (0.5, 0.5, 0.6, 0.1, "fates"),
    ],
)
def test_a_wrong_share_is_named(asked: float, drawn: float, masked: float, random: float, name: str) -> None:
    ids = many_ids()
    assert names(ids, pair(*hidden(ids, drawn, masked, random)), asked) == [name]


@pytest.mark.parametrize(
    "value", [None, 3, [1], ("a", "b"), (Tensor(np.zeros(3), "float32"),) * 2, pair(np.zeros(3, int), np.zeros(3, int))]
)
def test_values_of_any_form_are_answered_by_one_sentence(value: object) -> None:
    assert len(names(many_ids(), value)) == 1


def test_few_tokens_have_no_share() -> None:
    ids = np.full((3, 4), 9)
    assert names(ids, pair(ids, np.full((3, 4), -100))) == []


def test_the_bound_is_missed_seldom_and_holds_what_is_far() -> None:
    """Sums of the binomial distribution itself: what the bound calls far is as seldom as it says."""
    n, p = 2000, 0.1
    logs = np.cumsum([0.0, *(np.log((n - k) / (k + 1) * p / (1 - p)) for k in range(n))]) + n * np.log1p(-p)
    far = [k for k in range(n + 1) if far_from(k, n, p)]
    assert np.exp(logs[far]).sum() < 2e-9
    assert far_from(300, n, p) and not far_from(230, n, p)
    assert not far_from(230, n, 0.05, 0.12) and far_from(400, n, 0.05, 0.12)


def told(probe: Probe, facts: dict[str, bool], draws: bool) -> str:
    seen = Observation(None, facts={"after": {"generator": facts}})
    finding = probe.judge(Trial(Call("one", {}, 0), seen, Observation({"draws": draws}), {}, Tolerance()))
    return finding.name if finding else ""


def test_chance_comes_from_the_generator() -> None:
    probe = draws_from("generator")
    assert told(probe, {"moved": True, "others moved": False}, draws=True) == ""
    assert told(probe, {"moved": False, "others moved": False}, draws=False) == ""
    assert told(probe, {"moved": False, "others moved": False}, draws=True) == "generator-unused"
    assert told(probe, {"moved": True, "others moved": True}, draws=True) == "other-generator"


def test_a_watched_generator_tells_who_was_drawn_from() -> None:
    watched = watched_generator(3)
    assert watched.look() == {"moved": False, "others moved": False}
    torch.rand(2, generator=watched.live)
    assert watched.look() == {"moved": True, "others moved": False}
    with torch.random.fork_rng():
        torch.rand(2)
        assert watched.look() == {"moved": True, "others moved": True}


def test_numpys_own_stream_is_watched_as_well() -> None:
    watched = watched_generator(4)
    np.random.rand()  # noqa: NPY002  as a learner would
    assert watched.look() == {"moved": False, "others moved": True}
