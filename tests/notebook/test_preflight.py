"""Before handing in: what is wrong with the file is said, and mended where it can be."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.__main__ import main
from autograder.formats.cases import UnitCases, load_cases
from autograder.formats.course import KEEP_NOTHING
from autograder.formats.notebook_file import MAX_BYTES
from autograder.notebook import preflight
from autograder.notebook import repair as handed_in
from autograder.notebook.repair import examine
from tests.grading.small_course import NAME, UNIT, Submission, own_cell, write_small_course


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_course(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def unit(course: Path) -> UnitCases:
    return load_cases(course / "notebooks" / UNIT / "cases.npz")


@pytest.fixture
def solved(course: Path) -> Submission:
    return Submission(course, solved=True)


def saved(submission: Submission, folder: Path, name: str = f"{NAME}.ipynb") -> Path:
    path = folder / name
    path.write_text(submission.text(), encoding="utf-8")
    return path


def remove(grade_id: str) -> Callable[[Submission], None]:
    return lambda submission: submission.cells.remove(submission.cell(grade_id))


def strip(grade_id: str) -> Callable[[Submission], None]:
    def change(submission: Submission) -> None:
        submission.cell(grade_id)["metadata"] = {}

    return change


def double(grade_id: str) -> Callable[[Submission], None]:
    def change(submission: Submission) -> None:
        submission.cells.insert(submission.index(grade_id), {**copy.deepcopy(submission.cell(grade_id)), "id": "copy"})

    return change


def edit(grade_id: str, source: str) -> Callable[[Submission], None]:
    return lambda submission: submission.cell(grade_id).update(source=source) or None


def as_text_cell(submission: Submission) -> None:
    submission.cell("centre")["cell_type"] = "markdown"


def same_ids(submission: Submission) -> None:
    submission.cells[2]["id"] = submission.cells[1]["id"]


def no_metadata(submission: Submission) -> None:
    submission.notebook["metadata"] = {}


MENDABLE = {
    "a missing check": (remove("centre-check"), "centre: its check cell is missing"),
    "a missing hidden check": (remove("softmax-hidden"), "softmax: its hidden cell is missing"),
    "a changed check": (edit("attend-check", "check(attend, matches)"), "attend: its check cell was changed"),
    "lost marks": (strip("centre"), "centre: its cell has lost its marks"),
    "lost marks of a check": (strip("centre-check"), "centre: its check cell has lost its marks"),
    "a copied answer": (double("softmax"), "softmax: one of its cells appears 2 times"),
    "a copied check": (double("softmax-check"), "softmax: one of its cells appears 2 times"),
    "a text cell": (as_text_cell, "centre: its cell is a text cell"),
    "ids that are the same": (same_ids, "has the same internal id as another"),
    "lost metadata": (no_metadata, "own metadata (its unit, its kernel) is lost"),
}


def test_a_solved_notebook_has_nothing_to_mend(solved: Submission, unit: UnitCases, tmp_path: Path) -> None:
    found = examine(saved(solved, tmp_path), unit)
    assert [finding.says for finding in found.findings if finding.state != "ok"] == []
    assert found.notebook is not None


@pytest.mark.parametrize("what", MENDABLE)
def test_what_is_wrong_is_said_and_mended(what: str, solved: Submission, unit: UnitCases, tmp_path: Path) -> None:
    change, sentence = MENDABLE[what]
    change(solved)
    path = saved(solved, tmp_path)
    before = path.read_bytes()
    found = examine(path, unit)
    assert [finding.says for finding in found.findings if finding.state == "mended" and sentence in finding.says]
    backup = preflight.write_repaired(path, found, unit)
    assert backup.read_bytes() == before
    again = examine(path, unit)
    assert [finding.says for finding in again.findings if finding.state != "ok"] == []


@pytest.mark.parametrize("grade_id", ["centre", "attend"])
def test_a_repaired_notebook_is_graded_as_the_one_it_was(
    grade_id: str, course: Path, solved: Submission, unit: UnitCases, tmp_path: Path
) -> None:
    double(grade_id)(solved)
    remove(f"{grade_id}-check")(solved)
    path = saved(solved, tmp_path)
    preflight.write_repaired(path, examine(path, unit), unit)
    marks = [cell["metadata"].get("nbgrader", {}) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    released = [cell["metadata"].get("nbgrader", {}) for cell in Submission(course).cells]
    wanted = {mark["grade_id"]: {**mark, "checksum": ""} for mark in released if mark}
    assert {mark["grade_id"]: {**mark, "checksum": ""} for mark in marks if mark} == wanted


def test_an_exercise_without_a_cell_cannot_be_mended(solved: Submission, unit: UnitCases, tmp_path: Path) -> None:
    remove("softmax")(solved)
    problems = [
        finding.says for finding in examine(saved(solved, tmp_path), unit).findings if finding.state == "problem"
    ]
    assert problems == [
        "softmax: no cell defines it, so it gets no points. Take its cell from a fresh copy of the unit."
    ]


def test_a_missing_written_answer_is_said(solved: Submission, unit: UnitCases, tmp_path: Path) -> None:
    remove("why")(solved)
    problems = [
        finding.says for finding in examine(saved(solved, tmp_path), unit).findings if finding.state == "problem"
    ]
    assert problems == ["why: the cell for this written answer is missing. Take it from a fresh copy of the unit."]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{broken", "its JSON is broken"),
        ("[]", "not a notebook in format 4"),
        ('{"cells": [], "nbformat": 3}', "not a notebook in format 4"),
    ],
)
def test_a_file_that_is_no_notebook_is_named(text: str, sentence: str, unit: UnitCases, tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.ipynb"
    path.write_text(text, encoding="utf-8")
    found = examine(path, unit)
    assert found.notebook is None
    assert sentence in found.findings[0].says


def test_another_units_notebook_is_named(solved: Submission, unit: UnitCases, tmp_path: Path) -> None:
    solved.notebook["metadata"]["autograder"]["unit"] = "03_self_attention"
    assert "This is the notebook of unit 03_self_attention, not of 90_small." in [
        finding.says for finding in examine(saved(solved, tmp_path), unit).findings
    ]


def test_a_file_with_another_name_gets_a_copy_with_the_right_one(
    solved: Submission, unit: UnitCases, tmp_path: Path
) -> None:
    path = saved(solved, tmp_path, "small (1).ipynb")
    found = examine(path, unit)
    assert found.findings[0].says == "The file is named small (1).ipynb, not small.ipynb"
    preflight.write_repaired(path, found, unit)
    assert (tmp_path / f"{NAME}.ipynb").is_file() and path.is_file()


def test_a_copy_does_not_lose_the_file_that_has_the_right_name(
    solved: Submission, unit: UnitCases, tmp_path: Path
) -> None:
    kept = saved(solved, tmp_path)
    before = kept.read_bytes()
    path = saved(solved.own_last("x = 1"), tmp_path, "small-Copy1.ipynb")
    backup = preflight.write_repaired(path, examine(path, unit), unit)
    assert backup.read_bytes() == before
    assert b"x = 1" in kept.read_bytes()


def test_a_file_too_large_loses_outputs_only(
    solved: Submission, unit: UnitCases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert handed_in.MAX_BYTES == MAX_BYTES
    monkeypatch.setattr(handed_in, "MAX_BYTES", 1000)
    solved.cell("centre")["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 2000}]
    found = examine(saved(solved, tmp_path), unit)
    assert any("too large to be graded" in finding.says for finding in found.findings)
    assert found.notebook is not None
    assert not any(cell.get("outputs") for cell in found.notebook["cells"])
    assert [cell["source"] for cell in found.notebook["cells"]] == ["".join(cell["source"]) for cell in solved.cells]


def test_the_command_repairs_runs_and_says_where_it_breaks(
    course: Path,
    solved: Submission,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(course)
    remove("centre-check")(solved)
    solved.write("softmax", "def softmax(x):\n    return x")
    solved.cells.insert(2, own_cell("1 / 0"))
    path = saved(solved, tmp_path)
    assert main(["preflight", "90", str(path)]) == 1
    told = capsys.readouterr().out
    assert "✎ centre: its check cell is missing: it is put back." in told
    assert "· Run from the top, cell 3 raised ZeroDivisionError: division by zero." in told
    assert "✓ centre: its check passes, 3 points." in told
    assert "✗ softmax: its check does not pass." in told
    assert "Repaired. The file as it was: small.ipynb.backup1." in told


def test_a_notebook_that_is_right_is_ready(
    course: Path,
    solved: Submission,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(course)
    path = saved(solved, tmp_path)
    before = path.read_bytes()
    assert main(["preflight", UNIT, str(path)]) == 0
    told = capsys.readouterr().out
    assert "✓ It runs from top to bottom" in told
    assert told.endswith("Ready to hand in. The other points are decided on new cases.\n")
    assert path.read_bytes() == before


def test_in_a_notebook_nothing_is_changed_unless_asked(
    course: Path,
    solved: Submission,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(course / "notebooks" / UNIT)
    monkeypatch.delenv(KEEP_NOTHING, raising=False)
    remove("centre-check")(solved)
    path = saved(solved, tmp_path)
    before = path.read_bytes()
    preflight.preflight(UNIT, path)
    assert path.read_bytes() == before
    assert 'To repair what is marked ✎: preflight("90_small", repair=True)' in capsys.readouterr().out
    preflight.preflight(UNIT, path, repair=True)
    assert path.read_bytes() != before
    assert "File → Reload Notebook from Disk" in capsys.readouterr().out


@pytest.mark.parametrize("name", [KEEP_NOTHING, "NBGRADER_EXECUTION", "NBGRADER_VALIDATING"])
def test_a_program_that_runs_the_notebook_gets_no_preflight(
    name: str, course: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(course / "notebooks" / UNIT)
    monkeypatch.setenv(name, "1")
    preflight.preflight(UNIT)
    assert capsys.readouterr().out == ""


def test_the_notebook_that_runs_is_the_one_looked_at(
    course: Path, solved: Submission, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / UNIT
    folder.mkdir()
    saved(solved, folder, "small-Copy1.ipynb")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("JPY_SESSION_NAME", f"notebooks/{UNIT}/small-Copy1.ipynb")
    assert preflight._this_notebook(folder) == folder / "small-Copy1.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", "somewhere/else.ipynb")
    assert preflight._this_notebook(folder) == folder / f"{NAME}.ipynb"
