"""Real sentence pairs: read from a local file, split without leaks, learnt by a tiny model in a second or two."""

from collections.abc import Iterator
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

from autograder.lab.real_scores import NO_SIGN, UNKNOWN_CHARACTER, bleu, chrf, counted, examined  # noqa: E402
from autograder.lab.real_training import AnotherRun, Trained, train_translator  # noqa: E402
from autograder.lab.real_translator import PooledDropout, Recipe, Vocabulary, translate  # noqa: E402
from autograder.library.unit_09_decoder import Transformer  # noqa: E402

TINY = Recipe(minutes=0.15, d_model=48, num_layers=1, d_ff=64, dropout=0.0, label_smoothing=0.0, batch_size=32, pieces=300, rarest=1, bfloat16=False)  # fmt: skip


def test_pieces_give_back_the_text_and_capitals_that_names_alone_keep() -> None:
    pairs = [
        SentencePair("汤姆在。", "Tom is here."),
        SentencePair("我认识汤姆。", "I know Tom."),
        SentencePair("你在。", "You are here, and I know."),
    ]
    vocabulary = Vocabulary.made_from(pairs, TINY)
    for text in ("Tom is here.", "I know Tom.", "You are here, and I know.", "Is it 7:30?", "Naïve café!"):
        assert vocabulary.english(vocabulary.target_ids(text)) == text
    assert vocabulary.target_ids("You are")[:1] == vocabulary.target_ids("Tom, you are")[-3:-2]
    assert vocabulary.source_ids("汤龘")[1:] == [3, 2]
    assert vocabulary.source_size == 4 + len(set("汤姆在。我认识你"))


def test_a_vocabulary_is_read_as_it_was_written(file: Path) -> None:
    pairs = read_pairs(file)
    vocabulary = Vocabulary.made_from(pairs, TINY)
    again = Vocabulary.read(vocabulary.text())
    for pair in pairs[::9]:
        assert again.source_ids(pair.chinese) == vocabulary.source_ids(pair.chinese)
        assert again.target_ids(pair.english) == vocabulary.target_ids(pair.english)
        assert again.english(vocabulary.target_ids(pair.english)) == pair.english
    assert again.knows("我") and not again.knows("龘")
    assert again.text() == vocabulary.text()


class Clock:
    """Seconds that go by whenever somebody looks: so many steps to a minute, on any machine."""

    def __init__(self, a_look: float) -> None:
        self._a_look, self.now = a_look, 0.0

    def __call__(self) -> float:
        self.now += self._a_look
        return self.now


def plain_pairs(file: Path) -> list[SentencePair]:
    return [pair for pair in read_pairs(file) if pair.english.endswith(".") and "do" not in pair.english]


def test_a_tiny_model_learns_made_up_pairs_and_translates_alone_as_in_a_batch(file: Path) -> None:
    pairs = plain_pairs(file)
    told: list[float] = []
    trained = train_translator(
        Transformer,
        pairs,
        TINY,
        validation=pairs[::5],
        clock=Clock(60 * TINY.minutes / 600),
        progress=lambda share, so_far: told.append(so_far.losses[-1]) if so_far.losses else None,
    )
    assert 550 < trained.steps <= 600
    chosen = pairs[::7]
    for beams in (1, 4):
        found = translate(trained.model, trained.vocabulary, [pair.chinese for pair in chosen], beams=beams)
        score = bleu(found, [pair.english for pair in chosen])
        assert score.value > 90, found
        assert "case:mixed" in score.signature
        assert chrf(found, [pair.english for pair in chosen]).value > 90
    assert translate(trained.model, trained.vocabulary, [chosen[2].chinese]) == found[2:3]
    assert told[-1] < told[0]
    assert len(trained.curve) == 10
    assert [point.step for point in trained.curve] == sorted({point.step for point in trained.curve})
    assert trained.curve[0].training_loss > trained.curve[-1].training_loss
    assert trained.curve[-1].greedy_bleu > 90
    assert trained.curve[-1].teacher_forced > 0.9


class Stopped(Exception):
    pass


def test_a_run_that_was_stopped_goes_on_from_there(file: Path, tmp_path: Path) -> None:
    pairs = plain_pairs(file)
    clock = Clock(60 * TINY.minutes / 400)

    def stop(share: float, so_far: Trained) -> None:
        if share > 0.4:
            raise Stopped

    with pytest.raises(Stopped):
        train_translator(Transformer, pairs, TINY, clock=clock, folder=tmp_path / "run", progress=stop)
    first: list[int] = []
    trained = train_translator(
        Transformer, pairs, TINY, clock=clock, folder=tmp_path / "run", progress=lambda _, t: first.append(t.steps)
    )
    assert first[0] >= 200
    assert 350 < trained.steps <= 400
    assert trained.sittings == 2
    assert len(trained.losses) == trained.steps // 100
    assert trained.seconds >= 60 * TINY.minutes
    finished = train_translator(Transformer, pairs, TINY, clock=clock, folder=tmp_path / "run")
    assert finished.steps == trained.steps
    chosen = [pair.chinese for pair in pairs[::9]]
    assert translate(finished.model, finished.vocabulary, chosen) == translate(
        trained.model, trained.vocabulary, chosen
    )
    with pytest.raises(AnotherRun, match="other pairs or other settings"):
        train_translator(Transformer, pairs[1:], TINY, clock=clock, folder=tmp_path / "run")
    (tmp_path / "run" / "training.pt").write_bytes(b"half of it")
    with pytest.raises(AnotherRun, match="delete it, and the run begins anew"):
        train_translator(Transformer, pairs, TINY, clock=clock, folder=tmp_path / "run")


def test_signs_are_what_is_seen_in_the_two_texts() -> None:
    rows = [
        ("他三十岁。", "He is 13 years old.", "He is 30 years old.", {"another number"}),
        ("我不去。", "I go.", "I don't go.", {"a negation too few or too many"}),
        ("你去吗？", "You go.", "Do you go?", {"a question for a statement, or the reverse"}),
        ("我见汤姆。", "I see Mary.", "I see Tom.", {"another name"}),
        ("我很好。", "I am very very well.", "I am very well.", {"words repeated"}),
        ("我每天去学校。", "I go.", "I go to school every day.", {"much too short"}),
        ("走。", "Go away from here now.", "Go away.", {"much too long"}),
        ("龘在。", "It is here.", "It is there.", {UNKNOWN_CHARACTER}),
        ("我去。", "I walk.", "I go.", set()),
    ]
    translations = examined(
        [source for source, *_ in rows],
        [found for _, found, *_ in rows],
        [wanted for *_, wanted, _ in rows],
        is_unknown=lambda character: character == "龘",
    )
    expected = {source: signs for source, *_, signs in rows}
    assert {one.source: set(one.signs) for one in translations} == expected
    assert [one.source for one in translations] == [source for source, *_ in rows]
    assert all(0 <= one.likeness < 100 for one in translations)
    assert {sign: count for sign, count, _ in counted(translations)} == dict.fromkeys(
        [*(sign for signs in expected.values() for sign in signs), NO_SIGN], 1
    )


def test_bleu_counts_capitals() -> None:
    assert bleu(["I see the cat ."], ["I see the cat ."]).value == pytest.approx(100)
    assert bleu(["i see the cat ."], ["I see the cat ."]).value < 90


def test_pooled_dropout_drops_its_share_scales_the_rest_and_rests_in_evaluation() -> None:
    layer = PooledDropout(0.25, seed=0)
    x = torch.ones(300, 100)
    one, other = layer(x), layer(x)
    assert float((one == 0).float().mean()) == pytest.approx(0.25, abs=0.02)
    assert torch.unique(one).tolist() == [0.0, pytest.approx(4 / 3)]
    assert not torch.equal(one, other)
    assert layer.eval()(x) is x


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_the_command_splits_trains_and_reports(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--minutes", "0.05", "--held-out", "10", "--device", "cpu", "--set", "num_layers=1"]
    command = ["real-data", str(file), "--output", str(tmp_path / "run"), *options]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "0 sentences of the last two also occur in training" in said
    assert "test, greedy: BLEU" in said
    assert "test, 4 beams: BLEU" in said
    assert "chrF" in said
    assert "minutes to go" in said
    assert "CPU time of one thread" in said
    assert len([line for line in said.splitlines() if "a step of one layer takes" in line and "is taken" in line]) == 1
    made = {path.name for path in (tmp_path / "run").iterdir()}
    assert made == {"training.pt", "vocabulary.json", "weights.safetensors", "curves.png", "report.md"}
    report = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    for part in (
        "## Both curves",
        "nrefs:1|case:mixed",
        "nc:6|nw:0",
        "1 + 1 layers",
        "The first 10 that differ",
        "The 10 least like their reference",
    ):
        assert part in report
    assert main(command) == 0, "a run that is finished is reported again"
    assert main([*command, "--seed", "1"]) == 2
    assert "other settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--set", "width=3"], "the recipe has no 'width'; it has d_model"),
        (["--set", "dropout=much"], "'much' is no float"),
        (["--set", "num_heads=5"], "5 heads do not divide a width of 128"),
        (["--mine", "nowhere"], "Transformer (unit 09) is missing"),
    ],
)
def test_what_cannot_be_trained_is_one_line(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    assert main(["real-data", str(file), "--output", str(tmp_path / "run"), *options]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()
