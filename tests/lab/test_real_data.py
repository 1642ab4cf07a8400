"""Real sentence pairs: read from a local file, split without leaks, learnt by a tiny model in a second or two."""

import time
from pathlib import Path

import pytest
import torch

from autograder.__main__ import main
from autograder.lab.real_data import (
    NoRealData,
    SentencePair,
    linked_groups,
    one_for_each_source,
    read_pairs,
    sentence_key,
    shared_sentences,
    split_without_leaks,
)

NOUNS = {"猫": "cat", "狗": "dog", "鱼": "fish", "鸟": "bird", "书": "book", "水": "water", "树": "tree", "车": "car", "花": "flower", "门": "door"}  # fmt: skip
VERBS = {"看见": "see", "喜欢": "like", "画": "draw", "找": "seek", "要": "want", "有": "have", "买": "buy", "卖": "sell", "认识": "know", "怕": "fear"}  # fmt: skip


def made_up_lines() -> list[str]:
    """A hundred sentences; every fifth has a second translation, and some share theirs with another one."""
    lines = []
    for i, (zh_verb, verb) in enumerate(VERBS.items()):
        for j, (zh_noun, noun) in enumerate(NOUNS.items()):
            lines.append(f"I {verb} the {noun}.\t我{zh_verb}{zh_noun}。\tCC-BY #{i}{j}")
            if (i + j) % 5 == 0:
                lines.append(f"I do {verb} the {noun}.\t我{zh_verb}{zh_noun}。\tCC-BY #{i}{j}b")
            if (i + j) % 7 == 0:
                lines.append(f"I {verb} the {noun}!\t我{zh_verb}这{zh_noun}。\tCC-BY #{i}{j}c")
    return lines


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(made_up_lines()) + "\n\nno tab here\n\tnothing\n", encoding="utf-8")
    return path


def test_pairs_are_read_with_or_without_an_attribution(file: Path, tmp_path: Path) -> None:
    pairs = read_pairs(file)
    assert pairs[0] == SentencePair("我看见猫。", "I see the cat.")
    assert len(pairs) == len(made_up_lines())
    (tmp_path / "short.tsv").write_text("Hi.\t你好。\nHi.\t你好。\n", encoding="utf-8-sig")
    assert read_pairs(tmp_path / "short.tsv") == (SentencePair("你好。", "Hi."),)


def test_an_absent_or_empty_or_foreign_file_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NoRealData, match="cannot be read") as absent:
        read_pairs(tmp_path / "absent.tsv")
    assert "manythings.org/anki" in str(absent.value)
    (tmp_path / "empty.tsv").write_text("one column only\n", encoding="utf-8")
    with pytest.raises(NoRealData, match="holds no sentence pairs"):
        read_pairs(tmp_path / "empty.tsv")
    (tmp_path / "bytes.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NoRealData, match="no text in UTF-8"):
        read_pairs(tmp_path / "bytes.tsv")
    assert main(["real-data", str(tmp_path / "absent.tsv")]) == 2
    said = capsys.readouterr().err
    assert "cannot be read" in said
    assert said.count("\n") == 1


def test_case_spaces_and_punctuation_do_not_make_another_sentence() -> None:
    assert sentence_key("Run!") == sentence_key("run .")
    assert sentence_key("我看见猫。") == sentence_key("我 看见猫!")
    assert sentence_key("I see.") != sentence_key("I saw.")
    assert sentence_key("?") != sentence_key("!")


def test_sentences_that_share_a_translation_are_linked_over_any_distance() -> None:
    chain = [
        SentencePair("一", "a"),
        SentencePair("一", "b"),
        SentencePair("二", "b"),
        SentencePair("二", "c"),
        SentencePair("三", "d"),
    ]
    assert sorted(map(len, linked_groups(chain))) == [1, 4]
    assert len(linked_groups([SentencePair("a", "x"), SentencePair("b", "a")])) == 2, "sides are apart"


@pytest.mark.parametrize("seed", range(5))
def test_nothing_leaks_from_training_into_the_test(file: Path, seed: int) -> None:
    split = split_without_leaks(read_pairs(file), held_out=15, seed=seed)
    parts = (split.train, split.validation, split.test)
    assert sum(map(len, parts)) == len(made_up_lines())
    assert 15 <= len(split.test) <= 20
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert shared_sentences(parts[one], parts[other]) == set()


def test_a_split_by_pairs_would_leak_and_is_seen(file: Path) -> None:
    pairs = read_pairs(file)
    assert shared_sentences(pairs[0::2], pairs[1::2]) != set()


def test_the_split_is_shuffled_repeatable_and_needs_enough_pairs(file: Path) -> None:
    pairs = read_pairs(file)
    split = split_without_leaks(pairs, held_out=15, seed=1)
    assert split == split_without_leaks(pairs, held_out=15, seed=1)
    assert split.test != split_without_leaks(pairs, held_out=15, seed=2).test
    assert list(split.train) != [pair for pair in pairs if pair in set(split.train)]
    with pytest.raises(NoRealData, match="too few to hold out"):
        split_without_leaks(pairs, held_out=60)


def test_a_large_group_stays_in_training() -> None:
    many = [SentencePair("喂", f"hello {chr(97 + i)}") for i in range(25)]
    lone = [SentencePair(f"句{chr(0x4E00 + i)}", f"sentence {chr(97 + i // 26)}{chr(97 + i % 26)}") for i in range(60)]
    for seed in range(5):
        assert set(many) <= set(split_without_leaks(many + lone, held_out=10, seed=seed).train)


def test_each_source_is_translated_once(file: Path) -> None:
    sources = [sentence_key(pair.chinese) for pair in one_for_each_source(read_pairs(file))]
    assert len(sources) == len(set(sources))
    assert set(sources) == {sentence_key(pair.chinese) for pair in read_pairs(file)}


pytest.importorskip("tokenizers")
pytest.importorskip("sacrebleu")

from autograder.lab.real_translator import (  # noqa: E402
    PooledDropout,
    Recipe,
    Vocabulary,
    bleu,
    train_translator,
    translate,
)
from autograder.library.unit_09_decoder import Transformer  # noqa: E402

TINY = Recipe(minutes=0.15, d_model=48, num_layers=1, d_ff=64, dropout=0.0, label_smoothing=0.0, batch_size=32, pieces=300, rarest=1, bfloat16=False)  # fmt: skip


def test_pieces_give_back_the_text_and_capitals_that_names_alone_keep() -> None:
    pairs = [
        SentencePair("汤姆在。", "Tom is here."),
        SentencePair("我认识汤姆。", "I know Tom."),
        SentencePair("你在。", "You are here, and I know."),
    ]
    vocabulary = Vocabulary(pairs, TINY)
    for text in ("Tom is here.", "I know Tom.", "You are here, and I know.", "Is it 7:30?", "Naïve café!"):
        assert vocabulary.english(vocabulary.target_ids(text)) == text
    assert vocabulary.target_ids("You are")[:1] == vocabulary.target_ids("Tom, you are")[-3:-2]
    assert vocabulary.source_ids("汤龘")[1:] == [3, 2]
    assert vocabulary.source_size == 4 + len(set("汤姆在。我认识你"))


def test_a_tiny_model_learns_made_up_pairs_and_translates_alone_as_in_a_batch(file: Path) -> None:
    pairs = [pair for pair in read_pairs(file) if pair.english.endswith(".") and "do" not in pair.english]
    told: list[float] = []
    begun = time.process_time()
    trained = train_translator(
        Transformer, pairs, TINY, clock=time.process_time, progress=lambda share, step, loss: told.append(loss)
    )
    assert time.process_time() - begun < 2 * 60 * TINY.minutes
    assert 8 < trained.seconds < 15
    chosen = pairs[::7]
    for beams in (1, 4):
        found = translate(trained.model, trained.vocabulary, [pair.chinese for pair in chosen], beams=beams)
        score, signature = bleu(found, [pair.english for pair in chosen])
        assert score > 90, found
        assert "case:mixed" in signature
    assert translate(trained.model, trained.vocabulary, [chosen[2].chinese]) == found[2:3]
    assert told[-1] < told[0]


def test_bleu_counts_capitals() -> None:
    assert bleu(["I see the cat ."], ["I see the cat ."])[0] == pytest.approx(100)
    assert bleu(["i see the cat ."], ["I see the cat ."])[0] < 90


def test_pooled_dropout_drops_its_share_scales_the_rest_and_rests_in_evaluation() -> None:
    layer = PooledDropout(0.25, seed=0)
    x = torch.ones(300, 100)
    one, other = layer(x), layer(x)
    assert float((one == 0).float().mean()) == pytest.approx(0.25, abs=0.02)
    assert torch.unique(one).tolist() == [0.0, pytest.approx(4 / 3)]
    assert not torch.equal(one, other)
    assert layer.eval()(x) is x


def test_the_command_splits_trains_and_reports(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    try:
        options = [
            "--minutes",
            "0.05",
            "--held-out",
            "10",
            "--device",
            "cpu",
            "--save",
            str(tmp_path / "real.safetensors"),
        ]
        assert main(["real-data", str(file), *options]) == 0
    finally:
        torch.set_num_threads(threads)
    said = capsys.readouterr().out
    assert "0 sentences of the last two also occur in training" in said
    assert "BLEU on" in said
    assert "CPU time of one thread" in said
    assert len([line for line in said.splitlines() if "a step of one layer takes" in line and "is taken" in line]) == 1
    assert (tmp_path / "real.safetensors").is_file()
