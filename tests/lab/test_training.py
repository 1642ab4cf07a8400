"""Training aids: ids, batches by length, the recipe's schedule, both measures, live curves, and bugs on switches."""

import pytest
import torch
from torch import Tensor, nn

from autograder.lab import breaking
from autograder.lab.breaking import BUGS, BreakableTranslator, break_it
from autograder.lab.corpus import SOURCE_TOKENS, Pair, sample
from autograder.lab.curves import LiveCurves
from autograder.lab.figures import alt_text, training_curves
from autograder.lab.training import (
    EOS,
    RECIPE,
    Vocabularies,
    by_length,
    course_vocabularies,
    error_table,
    exact_match,
    teacher_forced_accuracy,
    translate,
)
from autograder.library import part

VOCABULARIES = course_vocabularies(part("build_vocabulary"))
PAIRS = sample("measures", 40, seed=3, split="test", unique=True)


class KnowsByHeart(nn.Module):
    """Answers with the right ids of the sentences it is given, except for those of `wrong`."""

    def __init__(self, pairs: list[Pair], wrong: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.answers = {tuple(VOCABULARIES.ids(pair)[0]): VOCABULARIES.ids(pair)[1] for pair in pairs}
        for pair in pairs[:wrong]:
            self.answers[tuple(VOCABULARIES.ids(pair)[0])] = [7, EOS]


def by_heart(model: nn.Module, source: Tensor, max_len: int) -> Tensor:
    rows = [model.answers[tuple(i for i in row if i)] for row in source.tolist()]  # type: ignore[operator, union-attr]
    return torch.tensor([row + [0] * (max_len - len(row)) for row in rows])


def test_every_token_of_the_corpus_has_an_id_and_ids_lead_back_to_tokens() -> None:
    assert set(VOCABULARIES.source) == {"<pad>", "<bos>", "<eos>", "<unk>", *SOURCE_TOKENS}
    source, target = VOCABULARIES.ids(PAIRS[0])
    assert source[-1] == target[-1] == EOS
    assert VOCABULARIES.target_tokens([*target, 5, 6]) == PAIRS[0].target


def test_an_unknown_character_becomes_unk() -> None:
    assert Vocabularies({"<unk>": 3}, {}).source_ids("龘") == [3, EOS]


def test_batches_by_length_lose_no_pair_and_need_less_padding() -> None:
    pairs = [VOCABULARIES.ids(pair) for pair in sample(None, 640, seed=1)]
    groups = by_length(pairs, 32)
    assert sorted(map(repr, pairs)) == sorted(repr(pair) for group in groups for pair in group)
    assert padding(groups) < 0.6 * padding([pairs[i : i + 32] for i in range(0, 640, 32)])


def padding(groups: list[list[tuple[list[int], list[int]]]]) -> int:
    return sum(max(len(s) for s, _ in group) - len(source) for group in groups for source, _ in group)


def test_the_rate_rises_to_its_peak_and_ends_near_zero() -> None:
    rates = [RECIPE.rate(step) for step in range(1, RECIPE.steps + 1)]
    assert max(rates) == pytest.approx(RECIPE.peak, rel=1e-3)
    assert rates.index(max(rates)) + 1 == pytest.approx(RECIPE.warmup, abs=1)
    assert 0 < rates[-1] < 0.001 * RECIPE.peak
    assert rates[0] == pytest.approx(RECIPE.peak / RECIPE.warmup)


def test_exact_match_counts_sentences_and_the_table_says_which_kind_is_wrong() -> None:
    model = KnowsByHeart(PAIRS, wrong=4)
    assert exact_match(model, PAIRS, VOCABULARIES, by_heart) == pytest.approx(0.9)
    found = translate(model, [pair.source for pair in PAIRS], VOCABULARIES, by_heart, batch_size=7)
    assert found[5] == PAIRS[5].target
    assert error_table(PAIRS, found).rows[0][:4] == ("measures", 40, 4, "10.0 %")


def test_teacher_forced_accuracy_leaves_padding_out() -> None:
    class AlwaysFour(nn.Module):
        def forward(self, source: Tensor, target: Tensor) -> Tensor:
            return nn.functional.one_hot(torch.full_like(target, 4), 9).float()

    target = torch.tensor([[4, 4, 2, 0], [5, 4, 4, 2]])
    assert teacher_forced_accuracy(AlwaysFour(), (target, target), lambda ids: ids) == pytest.approx(4 / 7)


def test_curves_are_measured_so_many_times_and_at_the_last_step(capsys: pytest.CaptureFixture[str]) -> None:
    calls = iter(range(1, 100))
    watch = LiveCurves(23, lambda: {"exact match": next(calls) / 100}, times=4)
    for step in range(1, 24):
        watch(step, 1.0 / step)
    assert watch.measured["exact match"] == ([5, 10, 15, 20, 23], [0.01, 0.02, 0.03, 0.04, 0.05])
    assert "step 23 of 23" in capsys.readouterr().out


@pytest.mark.parametrize("name", list(BUGS))
def test_every_bug_runs_and_is_measured(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaking, "TEST_SOURCES", 8)
    outcome = break_it(name, steps=2, quiet=True)
    assert len(outcome.loss) == 2 and all(0 <= share <= 1 for share in outcome.exact + outcome.teacher_forced)


def test_only_leaks_let_an_output_see_a_later_token() -> None:
    source, target = torch.tensor([[5, 6, 7, 2]]), torch.tensor([[1, 8, 9, 10, 11]])
    later = torch.tensor([[1, 8, 9, 10, 30]])
    leaking = set()
    for name, bug in BUGS.items():
        torch.manual_seed(0)
        model = BreakableTranslator(VOCABULARIES, bug)
        if not torch.allclose(model(source, target)[:, :3], model(source, later)[:, :3], atol=1e-5):
            leaking.add(name)
    assert leaking == {
        "no causal mask", "causal mask off by one", "mask after the softmax", "mask inverted",
        "heads merged without transposing", "softmax over the queries",
    }  # fmt: skip


def test_an_unknown_bug_is_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match="no causal mask"):
        break_it("no such bug")


def test_the_table_of_bugs_says_what_is_broken_and_not_what_will_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    told = str(break_it())
    assert not [bug.name for bug in BUGS.values() if bug.shows[:40] in told]
    assert BUGS["no positions"].broken in told


def test_what_a_bug_shows_is_told_behind_its_curves(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(breaking, "TEST_SOURCES", 8)
    monkeypatch.setattr(breaking, "_draw", lambda outcome: print("curves"))
    break_it("no positions", steps=1)
    printed = capsys.readouterr().out
    assert printed.index("curves") < printed.index("1936 becomes 1963")


def test_phrases_are_asked_for_at_each_doubling_and_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    calls = iter(["the", "the the", "machine", "machine learning", "machine learning"])
    watch = LiveCurves(10, dict, say=lambda: {"机器学习": next(calls)}, times=2)
    for step in range(1, 11):
        watch(step, 1.0)
    assert [said["step"] for said in watch.said] == ["1", "2", "4", "8", "10"]
    assert watch.said[2] == {"step": "4", "机器学习": "machine"}
    assert "机器学习 → machine learning" in capsys.readouterr().out


def test_losses_to_compare_with_stand_in_the_picture_and_in_its_words() -> None:
    figure = training_curves({"training loss": ([1, 2], [7.0, 5.0])}, {}, levels={"floor": 1.0})
    assert "Dotted lines: floor at 1" in alt_text(figure)
    assert "floor" in [text.get_text() for text in figure.axes[0].texts]
