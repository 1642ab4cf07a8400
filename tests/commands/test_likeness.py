"""`python -m autograder likeness`, on a class of one unit."""

import json
import shutil
from pathlib import Path

import pytest

from autograder.__main__ import main
from tests.grading.test_likeness import ANOTHER, OWN, RENAMED

REPOSITORY = Path(__file__).resolve().parents[2]
UNIT = "02_attention_scores"


@pytest.fixture
def course(tmp_path: Path) -> Path:
    for room in ("solutions", "notebooks"):
        shutil.copytree(REPOSITORY / room / UNIT, tmp_path / room / UNIT)
    for student, softmax in {"ada": OWN, "bob": RENAMED, "eve": ANOTHER}.items():
        hand_in(tmp_path, student, softmax)
    return tmp_path


def hand_in(course: Path, student: str, softmax: str) -> None:
    """The solved notebook with another softmax."""
    notebook = json.loads((course / "solutions" / UNIT / "attention_scores.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "softmax":
            cell["source"] = softmax
    folder = course / "submitted" / student / UNIT
    folder.mkdir(parents=True)
    (folder / "attention_scores.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def test_a_pair_is_told_with_the_page_to_look_at(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = course / "submitted" / "zoe" / UNIT
    broken.mkdir(parents=True)
    (broken / "attention_scores.ipynb").write_text("{", encoding="utf-8")
    assert main(["likeness", "02", "--course", str(course)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("ada and bob: ")
    assert "1 pairs among 3 submissions, to look at and not to be judged by" in told
    page = (course / "reports" / f"likeness-{UNIT}.html").read_text(encoding="utf-8")
    assert "np.exp(value) for value" in page and "cannot be read: zoe" in page


def test_where_nothing_was_handed_in_one_line_says_so(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(course / "submitted")
    assert main(["likeness", "02", "--course", str(course)]) == 2
    assert capsys.readouterr().err == f"nothing that can be read was handed in for {UNIT}.\n"
