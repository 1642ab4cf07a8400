"""What holds for all of the corpus: one translation per source, listed vocabularies, a gloss everywhere."""

from __future__ import annotations

from collections import defaultdict
from random import Random

import pytest

from autograder.lab.corpus import (
    PHRASES,
    SOURCE_TOKENS,
    TARGET_TOKENS,
    Pair,
    chinese_tokens,
    english_text,
    english_tokens,
    gloss,
    kinds,
    pinyin,
    sample,
)
from autograder.lab.corpus.gloss import LEXICON


@pytest.fixture(scope="module")
def everything() -> list[Pair]:
    """Many pairs of every kind, before any split, and all that are written by hand."""
    rng = Random(20)
    return [kind.draw(rng) for kind in kinds() for _ in range(8000)] + list(PHRASES)


def test_no_source_has_two_translations(everything: list[Pair]) -> None:
    translations = defaultdict(set)
    for pair in everything:
        translations[pair.source].add(pair.target)
    assert len(translations) > 25_000
    assert not {"".join(source): targets for source, targets in translations.items() if len(targets) > 1}


def test_a_source_belongs_to_one_kind_but_for_what_is_a_phrase_as_well(everything: list[Pair]) -> None:
    made_by = defaultdict(set)
    for pair in everything:
        made_by[pair.chinese].add(pair.kind)
    assert not {source: names for source, names in made_by.items() if len(names - {"phrases"}) > 1}


def test_the_listed_vocabularies_hold_every_token_and_no_more(everything: list[Pair]) -> None:
    assert {token for pair in everything for token in pair.source} == set(SOURCE_TOKENS)
    assert {token for pair in everything for token in pair.target} == set(TARGET_TOKENS)


def test_the_vocabularies_list_each_token_once_in_order() -> None:
    for tokens in (SOURCE_TOKENS, TARGET_TOKENS):
        assert list(tokens) == sorted(set(tokens))


def test_texts_and_tokens_turn_into_each_other(everything: list[Pair]) -> None:
    for pair in everything:
        assert chinese_tokens(pair.chinese) == pair.source
        assert english_tokens(pair.english) == pair.target
        assert english_text(pair.target) == pair.english


def test_the_english_is_lower_case_and_single_spaced(everything: list[Pair]) -> None:
    for pair in everything:
        assert pair.english == " ".join(pair.english.lower().split())


def test_a_gloss_covers_every_source_and_joins_to_it(everything: list[Pair]) -> None:
    for pair in everything:
        words = gloss(pair)
        assert "".join(word for word, _ in words) == pair.chinese
        assert all(meaning for _, meaning in words)


def test_pinyin_stands_at_every_token(everything: list[Pair]) -> None:
    for pair in everything:
        assert [token for token, _ in pinyin(pair)] == list(pair.source)
        assert all(reading for _, reading in pinyin(pair))


def test_the_lexicon_has_one_syllable_per_character_and_no_idle_word(everything: list[Pair]) -> None:
    used = {word for pair in everything for word in pair.words}
    assert set(LEXICON) <= used
    for word, entry in LEXICON.items():
        assert len(entry.pinyin) == len(word.partition("/")[0]), word


def test_a_gloss_tells_the_senses_of_one_character_apart() -> None:
    def meanings(kind: str, character: str) -> set[str]:
        pairs = sample(kind, 800, seed=0)
        return {meaning for pair in pairs for word, meaning in gloss(pair) if word == character}

    assert meanings("clock_times", "分") == {"minute"}
    assert meanings("money", "分") == {"hundredth of a yuan"}
    assert meanings("percentages", "点") == {"point"}
    assert meanings("clock_times", "点") == {"o'clock"}


def test_a_pair_without_words_is_glossed_by_character_and_an_unknown_word_is_refused() -> None:
    assert gloss(Pair(("两", "本", "书"), ("two", "books"), "own")) == [
        ("两", "two"), ("本", "[volume]"), ("书", "book"),
    ]  # fmt: skip
    with pytest.raises(KeyError):
        gloss(Pair(("龙",), ("dragon",), "own"))


def test_the_time_phrase_moves_and_the_english_stays() -> None:
    orders = defaultdict(set)
    for kind in ("sentences", "questions", "negations"):
        for pair in sample(kind, 6000, seed=1):
            orders[tuple(sorted(pair.words)), pair.target].add(pair.chinese)
    moved = [sources for sources in orders.values() if len(sources) > 1]
    assert len(moved) > 20


def test_the_particles_decide_the_tense() -> None:
    for pair in sample("sentences", 3000, seed=2):
        habit = not {"每天", "每年", "每"}.isdisjoint(pair.words)
        assert ("了" in pair.words, "要" in pair.words, habit).count(True) == 1, pair
        assert ("要" in pair.words) == ("will" in pair.target), pair
        assert habit == ("every" in pair.target), pair


def test_mei_denies_the_past_and_bu_everything_else() -> None:
    for pair in sample("negations", 3000, seed=2):
        assert (not {"没", "没有"}.isdisjoint(pair.words)) == ("did" in pair.target), pair
        assert ("从来" in pair.words) == ("never" in pair.target), pair
        assert ("不" in pair.words) == {"没", "没有", "没有/have"}.isdisjoint(pair.words), pair


@pytest.mark.parametrize(
    ("kind", "chinese", "english"),
    [
        ("phrases", "机器学习", "machine learning"),
        ("numbers", "一亿", "one hundred million"),
        ("years", "一九三六年", "1936"),
        ("dates", "五月", "may"),
        ("weekdays", "上星期三", "last wednesday"),
        ("clock_times", "三点半", "half past three"),
        ("clock_times", "三点一刻", "quarter past three"),
        ("clock_times", "差十分十点", "ten to ten"),
        ("money", "三块五毛", "three yuan fifty"),
        ("percentages", "百分之百", "one hundred percent"),
        ("measures", "两本书", "two books"),
        ("comparisons", "我比他高", "i am taller than him"),
        ("negations", "我没有车", "i do not have a car"),
        ("questions", "他是医生吗", "is he a doctor"),
    ],
)
def test_the_corpus_holds_the_examples_that_it_promises(kind: str, chinese: str, english: str) -> None:
    rng = Random(3)
    draw = next(one.draw for one in kinds() if one.name == kind)
    found = next(pair for pair in (draw(rng) for _ in range(200_000)) if pair.chinese == chinese)
    assert found.english == english


def test_about_three_hundred_pairs_are_written_by_hand_and_none_twice() -> None:
    assert len(PHRASES) >= 300
    assert len({pair.source for pair in PHRASES}) == len(PHRASES)


def test_pairs_are_equal_by_what_they_say() -> None:
    said = Pair(("你", "好"), ("hello",), "phrases")
    assert said == next(pair for pair in PHRASES if pair.chinese == "你好")
    assert len({said, said}) == 1


def test_hyphens_part_words_and_stay_in_figures() -> None:
    assert english_tokens("Twenty-one") == ("twenty", "one")
    assert english_tokens("1936-05-04") == tuple("1936-05-04")
    assert english_text(english_tokens("4 may 1936")) == "4 may 1936"
