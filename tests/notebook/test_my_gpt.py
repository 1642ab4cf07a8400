"""`python -m my_transformer --continue TEXT`: a learner's own GPT goes on from a text, or one line says what is missing."""

from pathlib import Path

import pytest
import torch
from torch import nn

from autograder import library
from autograder.notebook import my_transformer
from autograder.notebook.my_gpt import NEEDED, WEIGHTS, keep_gpt
from autograder.notebook.my_translator import main
from tests.notebook.test_my_translator import keep_part

NAMES = ["·", "<bos>", "三", "十", "=", "3", "0", "；", " th", "ree"]
MERGES = [(" ", "t"), (" t", "h"), ("e", "e"), ("r", "ee")]


def always_ends() -> nn.Module:
    """A model whose likeliest token is ； whatever it has read."""
    torch.manual_seed(0)
    model: nn.Module = library.part("DecoderOnly")(len(NAMES), 8, 2, 1, 1, 4)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        weights = dict(model.named_parameters())
        weights["norm.weight"].fill_(1.0)
        weights["embedding.weight"][:, 0] = 1.0
        weights["embedding.weight"][NAMES.index("；"), 0] = 5.0
    return model


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(my_transformer.KEEP_NOTHING, raising=False)
    folder = tmp_path / "notebooks" / my_transformer.PACKAGE
    folder.parent.mkdir()
    for part in NEEDED:
        keep_part(folder, part)
    with my_transformer.at(folder):
        keep_gpt(always_ends(), NAMES, MERGES)
    return folder


def test_it_goes_on_to_the_end_of_the_answer(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(package, ["--continue", "三十 = "]) == 0
    said = capsys.readouterr()
    assert said.out == "三十 =；\n" and said.err == ""


def test_words_are_cut_by_the_merges_that_were_kept(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(package, ["--continue", "三 = three；十 ="]) == 0
    assert capsys.readouterr().out == "三 = three；十 =；\n"


def test_what_cannot_be_gone_on_from_is_told_in_a_line(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(package, ["--continue"]) == 2
    assert main(package, ["--continue", " "]) == 1
    assert main(package, ["--continue", "三书 ="]) == 1
    assert main(package, ["--continue", "三" * 401]) == 1
    usage, empty, unknown, too_long = capsys.readouterr().err.splitlines()
    assert "--continue" in usage and "empty" in empty and "书" in unknown and "401 tokens" in too_long


def test_what_is_missing_is_named(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (package / WEIGHTS).write_bytes(b"no weights")
    assert main(package, ["--continue", "三"]) == 1
    (package / WEIGHTS).unlink()
    assert main(package, ["--continue", "三"]) == 1
    (package / "bpe_encode.py").unlink()
    assert main(package, ["--continue", "三"]) == 1
    broken, no_weights, no_part = capsys.readouterr().err.splitlines()[-3:]
    assert "cannot be used" in broken and "no weights" in no_weights
    assert no_part == "my_transformer cannot go on yet: bpe_encode (unit 14) is missing. Pass its check."


def test_nothing_is_kept_where_nothing_is_to_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(my_transformer.KEEP_NOTHING, "1")
    with my_transformer.at(tmp_path / "package"):
        keep_gpt(always_ends(), NAMES, MERGES)
    assert not (tmp_path / "package").exists()


def test_the_lessons_own_block_is_no_part_that_could_be_missing() -> None:
    assert "DecoderOnlyBlock" not in library.exercise_names()
