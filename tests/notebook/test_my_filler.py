"""`python -m my_transformer --fill TEXT`: a learner's own BERT fills holes, or one line says what is missing."""

from pathlib import Path

import pytest
import torch
from torch import nn

from autograder import library
from autograder.lab.corpus import SOURCE_TOKENS
from autograder.notebook import my_transformer
from autograder.notebook.my_filler import HOLE, SPECIAL_TOKENS, WEIGHTS, keep_bert
from autograder.notebook.my_translator import main
from tests.notebook.test_my_translator import keep_part

BOOK = (*SPECIAL_TOKENS, *SOURCE_TOKENS).index("本")


def sure_of_one(max_len: int = 12) -> nn.Module:
    """A model that says 本 everywhere."""
    torch.manual_seed(0)
    size = len(SPECIAL_TOKENS) + len(SOURCE_TOKENS)
    model: nn.Module = library.part("MaskedLanguageModel")(size, 8, 2, 1, 4, max_len)
    with torch.no_grad():
        dict(model.named_parameters())["head.3.bias"][BOOK] = 50.0
    return model


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(my_transformer.KEEP_NOTHING, raising=False)
    folder = tmp_path / "notebooks" / my_transformer.PACKAGE
    folder.parent.mkdir()
    keep_part(folder, "MaskedLanguageModel")
    with my_transformer.at(folder):
        keep_bert(sure_of_one())
    return folder


def test_each_hole_is_filled(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(package, ["--fill", f"三{HOLE}书", f"▢三{HOLE}"]) == 0
    said = capsys.readouterr()
    assert [line.split("  ")[0] for line in said.out.splitlines()] == ["本 100 %"] * 3
    assert said.err == ""


def test_what_cannot_be_filled_is_told_in_a_line(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(package, ["--fill"]) == 2
    assert main(package, ["--fill", "三本书"]) == 1
    assert main(package, ["--fill", "三" * 12 + HOLE]) == 1
    usage, no_hole, too_long = capsys.readouterr().err.splitlines()
    assert "--fill" in usage and "no hole" in no_hole and "13 tokens" in too_long


def test_what_is_missing_is_named(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (package / WEIGHTS).write_bytes(b"no weights")
    assert main(package, ["--fill", HOLE]) == 1
    (package / WEIGHTS).unlink()
    assert main(package, ["--fill", HOLE]) == 1
    (package / "MaskedLanguageModel.py").unlink()
    assert main(package, ["--fill", HOLE]) == 1
    broken, no_weights, no_part = capsys.readouterr().err.splitlines()[-3:]
    assert "cannot be used" in broken and "no weights" in no_weights
    assert no_part == "my_transformer cannot fill holes yet: MaskedLanguageModel (unit 13) is missing. Pass its check."


def test_nothing_is_kept_where_nothing_is_to_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(my_transformer.KEEP_NOTHING, "1")
    with my_transformer.at(tmp_path / "package"):
        keep_bert(sure_of_one())
    assert not (tmp_path / "package").exists()


def test_the_lessons_own_layer_is_no_part_that_could_be_missing() -> None:
    """A helper that the notebook defines and the library as well would be looked for among the parts that have passed."""
    assert "GELUFeedForward" not in library.exercise_names()
