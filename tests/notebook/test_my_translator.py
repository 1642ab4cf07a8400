"""`python -m my_transformer TEXT`: a learner's own parts and weights answer, or one line says what is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import save_file, save_model

from autograder import library
from autograder.formats.cases import CASES_FILE
from autograder.notebook import my_transformer
from autograder.notebook.my_translator import NEEDED, WEIGHTS, main
from tests.judging.tiny_translator import known_pairs, trained, weights_of

PAIR = known_pairs()[0]


def keep_part(package: Path, name: str, text: str | None = None) -> None:
    """A part that stands in the package as one that has passed."""
    unit = library.unit_of(name)
    cases = package.parent / unit / CASES_FILE
    cases.parent.mkdir(exist_ok=True)
    cases.write_bytes(b"cases")
    text = text or f"from autograder.library.unit_{unit} import {name}\n"
    my_transformer.write(package, name, text)
    my_transformer.note_passed(package, name, text, b"cases")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """All parts and weights that a translator needs."""
    folder = tmp_path / "notebooks" / my_transformer.PACKAGE
    folder.parent.mkdir()
    for name in NEEDED:
        keep_part(folder, name)
    save_model(trained(), folder / WEIGHTS)
    return folder


def test_it_answers(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(package, [PAIR.chinese, known_pairs()[1].chinese]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [PAIR.english, known_pairs()[1].english]
    assert said.err == ""


def test_it_answers_from_the_command_line_in_the_folder_above(package: Path) -> None:
    root = str(Path(library.__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-m", my_transformer.PACKAGE, PAIR.chinese], cwd=package.parent, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{PAIR.english}\n", "")


def test_it_is_the_learners_own_code_that_runs(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "import torch\n\ndef greedy_decode(model, source, max_len, bos_id=1, eos_id=2):\n    print('mine')\n    return torch.full((1, 1), 2)\n"
    keep_part(package, "greedy_decode", text)
    assert main(package, [PAIR.chinese]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "mine"


def test_a_part_that_another_one_uses_is_the_learners_own_too(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "from autograder import use_part\n\n\nshift_right = use_part('shift_right')\n\n\n"
        "from autograder.library.unit_09_decoder import Transformer\n\ntry:\n    shift_right()\nexcept TypeError:\n    pass\n"
    )
    keep_part(package, "Transformer", text)
    assert main(package, [PAIR.chinese]) == 1
    assert "shift_right (unit 09)" in capsys.readouterr().err
    keep_part(package, "shift_right", "def shift_right():\n    print('mine as well')\n")
    assert main(package, [PAIR.chinese]) == 0
    assert "mine as well" in capsys.readouterr().out


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_part_is_named_with_its_unit(package: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (package / f"{name}.py").unlink()
    assert main(package, ["三"]) == 1
    said = capsys.readouterr().err
    assert said == (
        f"my_transformer cannot translate yet: {name} (unit {library.unit_of(name)[:2]}) is missing. Pass its check.\n"
    )


def test_several_missing_parts_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / my_transformer.PACKAGE
    folder.mkdir()
    assert main(folder, ["三"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert all(name in said for name in NEEDED)
    assert said.endswith("are missing. Pass their checks.\n")


def test_a_part_that_was_changed_and_passes_no_more_is_missing(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (package / "build_vocabulary.py").write_text("def build_vocabulary(sequences): return {}\n", encoding="utf-8")
    assert main(package, ["三"]) == 1
    assert "build_vocabulary (unit 10) is missing" in capsys.readouterr().err


def test_missing_and_unusable_weights_are_one_line(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (package / WEIGHTS).write_bytes(b"\x80\x05pickle")
    assert main(package, ["三"]) == 1
    assert "written by `torch.save` or `pickle`" in capsys.readouterr().err
    save_file({f"module.{name}": data for name, data in weights_of(trained()).items()}, package / WEIGHTS)
    assert main(package, ["三"]) == 1
    assert "every name begins with `module.`" in capsys.readouterr().err
    (package / WEIGHTS).unlink()
    assert main(package, ["三"]) == 1
    said = capsys.readouterr().err
    assert said == (
        "my_transformer cannot translate yet: there are no weights (translator.safetensors) in it. "
        "Pass the check of trained_weights in unit 10.\n"
    )


def test_it_says_what_it_cannot_read_and_how_it_is_used(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(package, ["龘三"]) == 0
    assert "not in the vocabulary, and read as unknown: 龘" in capsys.readouterr().err
    assert main(package, []) == 2
    assert 'python -m my_transformer "三百二十五"' in capsys.readouterr().err


def test_two_parts_that_use_each_other_end(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = {"shift_right": "causal_mask", "causal_mask": "shift_right"}
    for name, other in both.items():
        keep_part(
            package,
            name,
            f"from autograder import use_part\n\n\n{other} = use_part('{other}')\n\n\ndef {name}(): pass\n",
        )
    text = "from autograder import use_part\n\n\nshift_right = use_part('shift_right')\n\n\n"
    keep_part(package, "Transformer", text + "from autograder.library.unit_09_decoder import Transformer\n")
    assert main(package, [PAIR.chinese]) == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "There is nothing to translate: the text is empty."),
        ("  ", "There is nothing to translate: the text is empty."),
        ("good morning", "“good morning” contains no Chinese, and your model has learned from Chinese only."),
        (
            "三" * 500,
            "“三三三三三三三三三三三三三三三三三三三三…” is too long: it has 500 tokens, and your model reads",
        ),
    ],
    ids=["empty", "blank", "English", "too long"],
)
def test_what_cannot_be_translated_is_told_in_one_line(
    package: Path, text: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(package, [text, PAIR.chinese]) == 1
    said = capsys.readouterr()
    assert said.err.startswith(told)
    assert said.err.count("\n") == 1
    assert said.out == f"{PAIR.english}\n"
