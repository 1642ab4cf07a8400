"""Drawing a corpus: the same everywhere, no leak between the sides of a split, mistakes answered plainly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from random import Random

import pytest

from autograder.lab.corpus import PHRASES, Kind, Pair, compositional_split_of, kinds, sample, split_of

NAMES = [kind.name for kind in kinds()]
GOLDEN = [
    ("八万零五十五", "eighty thousand fifty five"),
    (
        "我哥哥明天晚上要在公司吃六个包子",
        "my older brother will eat six steamed buns at the office tomorrow evening",
    ),
    ("昨天早上七点半他做了八十二个实验", "he did eighty two experiments at half past seven yesterday morning"),
    ("下午四点钟", "four o'clock in the afternoon"),
]
TESTED = [kind.name for kind in kinds() if kind.held_out]


def test_the_same_arguments_give_the_same_pairs() -> None:
    assert sample(None, 300, seed=5) == sample(None, 300, seed=5)
    assert sample(None, 300, seed=5) != sample(None, 300, seed=6)


def test_a_longer_sample_begins_with_the_shorter_one() -> None:
    assert sample(None, 200, seed=3)[:80] == sample(None, 80, seed=3)


@pytest.mark.parametrize("salt", ["0", "1234"])
def test_another_process_with_another_hash_salt_draws_the_same(salt: str) -> None:
    program = (
        "import json; from autograder.lab.corpus import sample;"
        "pairs = sample(None, 60, 9) + sample(None, 60, 9, 'test');"
        "print(json.dumps([[pair.chinese, pair.english] for pair in pairs]))"
    )
    environment = os.environ | {"PYTHONHASHSEED": salt, "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    here = sample(None, 60, 9) + sample(None, 60, 9, "test")
    assert json.loads(run.stdout) == [[pair.chinese, pair.english] for pair in here]


def test_the_sequence_for_a_seed_is_the_one_that_was_written_down() -> None:
    pairs = sample(["numbers", "clock_times", "sentences"], 4, seed=2026)
    assert [(pair.chinese, pair.english) for pair in pairs] == GOLDEN


@pytest.mark.parametrize("kind", NAMES)
def test_a_kind_draws_only_its_own_pairs(kind: str) -> None:
    assert {pair.kind for pair in sample(kind, 100, seed=1)} == {kind}


@pytest.mark.parametrize("kind", TESTED)
def test_no_source_is_on_both_sides(kind: str) -> None:
    train = {pair.source for pair in sample(kind, 2000, seed=1)}
    test = {pair.source for pair in sample(kind, 100, seed=2, split="test")}
    assert train.isdisjoint(test)


def test_no_source_of_one_kind_is_tested_while_another_kind_trains_on_it() -> None:
    train = {pair.source for pair in sample(None, 8000, seed=1)}
    assert not [pair for pair in sample(None, 800, seed=2, split="test") if pair.source in train]


def test_about_a_tenth_of_the_sources_is_for_testing() -> None:
    sources = {pair.source: pair for kind in kinds() if kind.name == "numbers" for pair in drawn(kind, 4000)}
    share = sum(split_of(pair) == "test" for pair in sources.values()) / len(sources)
    assert 0.08 < share < 0.12


def test_short_sources_and_hand_written_pairs_are_always_for_training() -> None:
    short = [pair for kind in kinds() for pair in drawn(kind, 500) if len(pair.source) <= 2]
    assert len(short) > 100
    assert {split_of(pair) for pair in [*short, *PHRASES]} == {"train"}


def test_every_token_of_a_test_source_and_target_is_met_in_training() -> None:
    assert not tokens_of(sample(None, 1000, 5, "test")) - tokens_of(sample(None, 30_000, 4))
    held_out = tokens_of(sample(None, 1000, 5, "compositional_test"))
    assert not held_out - tokens_of(sample(None, 30_000, 4, "compositional_train"))


@pytest.fixture(scope="module")
def trained_combinations() -> set[str]:
    return {met for pair in sample(None, 30_000, 1, "compositional_train") for met in pair.combinations}


@pytest.mark.parametrize("kind", TESTED)
def test_a_held_out_combination_never_appears_in_training_but_its_parts_do(
    kind: str, trained_combinations: set[str]
) -> None:
    parts = {part for met in trained_combinations for part in parts_of(met)}
    for pair in sample(kind, 100, seed=2, split="compositional_test"):
        held_out = set(pair.combinations) - trained_combinations
        assert held_out, pair
        assert compositional_split_of(pair) == "compositional_test"
        for met in held_out:
            assert parts_of(met) <= parts, pair


def test_a_count_held_out_of_measure_phrases_is_held_out_of_sentences_too() -> None:
    held_out = {
        pair.chinese
        for pair in sample("measures", 600, 1, "compositional_test")
        if len(pair.combinations) == 1 and len(pair.words) == 3
    }
    assert len(held_out) > 40
    trained = [pair.chinese for pair in sample("sentences", 5000, 3, "compositional_train")]
    assert not [(phrase, chinese) for phrase in held_out for chinese in trained if said_in(phrase, chinese)]
    tested = [pair.chinese for pair in sample("sentences", 2000, 3, "compositional_test")]
    assert any(said_in(phrase, chinese) for phrase in held_out for chinese in tested)


def test_weights_set_the_mixture() -> None:
    pairs = sample(["numbers", "money"], 2000, seed=1, weights={"numbers": 3, "money": 1})
    assert 0.7 < sum(pair.kind == "numbers" for pair in pairs) / 2000 < 0.8
    assert {pair.kind for pair in sample(["numbers", "money"], 50, 1, weights={"money": 0})} == {"numbers"}


def test_a_unique_sample_holds_no_source_twice() -> None:
    pairs = sample(None, 1500, seed=1, split="test", unique=True)
    assert len({pair.source for pair in pairs}) == 1500


def test_a_unique_sample_larger_than_its_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="phrases has no more new sources"):
        sample("phrases", len(PHRASES) + 1, seed=0, unique=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kinds": "nombers"}, "unknown kind 'nombers'"),
        ({"kinds": []}, "no kinds given"),
        ({"kinds": "phrases", "split": "test"}, "phrases has no test side"),
        ({"kinds": None, "split": "dev"}, "unknown split 'dev'"),
        ({"kinds": None, "count": -1}, "must not be negative"),
        ({"kinds": None, "seed": -1}, "must not be negative"),
        ({"kinds": "dates", "weights": {"money": 1}}, "'money', which is not among the kinds"),
        ({"kinds": "dates", "weights": {"dates": -1}}, "weight of dates must not be negative"),
        ({"kinds": "dates", "weights": {"dates": float("nan")}}, "weight of dates must not be negative"),
        ({"kinds": "dates", "weights": {"dates": 0}}, "weights are all 0"),
    ],
)
def test_a_mistaken_call_is_refused_with_its_reason(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample(**({"count": 1, "seed": 0} | arguments))


def test_an_empty_sample_is_empty() -> None:
    assert sample(None, 0, seed=0) == []


def test_every_kind_is_described_in_one_line_with_an_example() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for kind in kinds():
        assert "→" in kind.description
        assert "\n" not in kind.description


def drawn(kind: Kind, count: int) -> list[Pair]:
    """Pairs as the kind makes them, before any split."""
    rng = Random(0)
    return [kind.draw(rng) for _ in range(count)]


def parts_of(combination: str) -> set[str]:
    """month and day 11|20 gives 11 and 20."""
    return set(combination.rpartition(" ")[2].split("|"))


def tokens_of(pairs: list[Pair]) -> set[str]:
    return {token for pair in pairs for token in pair.source + pair.target}


def said_in(phrase: str, sentence: str) -> bool:
    """True where the sentence ends in the phrase and not in a longer number: 十三本书 is not 三本书."""
    before = sentence.removesuffix(phrase)
    return before != sentence and before[-1] not in "一二三四五六七八九十百千万零两第"
