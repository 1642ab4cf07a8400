"""What has passed is written down, and shown with the way on."""

import json
from pathlib import Path

import pytest

from autograder.__main__ import main
from autograder.formats.cases import ExerciseCases
from autograder.notebook import my_transformer
from autograder.notebook.progress import advice, as_html, as_text, note_passed, passed_names, read_progress
from tests.judging.exercises import doubling

pytestmark = pytest.mark.quick

UNITS = [
    {
        "unit": "00_start_here", "title": "00 · Start: here", "minutes": 35, "written_points": 0.0,
        "exercises": [{"name": "double", "points": 5.0, "visible": 3.0, "difficulty": 1, "minutes": 5},
                      {"name": "halve", "points": 10.0, "visible": 6.0, "difficulty": 2, "minutes": 10}],
    },
    {
        "unit": "01_why", "title": "01 · Why <so>", "minutes": 80, "written_points": 4.0,
        "exercises": [{"name": "softmax", "points": 5.0, "visible": 3.0, "difficulty": 3, "minutes": 15}],
    },
]  # fmt: skip


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    """A folder of notebooks: the start page, and two units."""
    folder = tmp_path / "notebooks"
    for node in UNITS:
        (folder / str(node["unit"])).mkdir(parents=True)
    page = {"cells": [], "metadata": {"autograder": {"units": UNITS}}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "start.ipynb").write_text(json.dumps(page), encoding="utf-8")
    return folder


def exercise(name: str) -> ExerciseCases:
    return doubling(name=name)


def test_nothing_has_passed_at_first_and_the_way_begins_at_the_first_exercise(notebooks: Path) -> None:
    found = read_progress(notebooks)
    assert [one.passed for one in found] == [(), ()]
    assert advice(found)[1] == "Begin with 00 · Start: here: next is double (difficulty 1 of 5, about 5 minutes)."


def test_a_passed_exercise_is_written_down_once_and_counts_its_points(notebooks: Path) -> None:
    note_passed(notebooks / "00_start_here", exercise("double"))
    note_passed(notebooks / "00_start_here", exercise("double"))
    found = read_progress(notebooks)
    assert (found[0].passed, found[0].earned) == (("double",), 3.0)
    assert "Go on with 00 · Start: here: next is halve" in as_text(found)
    assert "1 of 3 exercises passed, 3 of 12 points from checks. The other 8 points" in as_text(found)


def test_a_part_that_was_kept_counts_as_passed(notebooks: Path) -> None:
    my_transformer.write(notebooks / my_transformer.PACKAGE, "softmax", "def softmax(x):\n    return x\n")
    assert passed_names(notebooks / my_transformer.PACKAGE) == {"softmax"}
    assert read_progress(notebooks)[1].next_exercise is None


def test_a_damaged_record_is_begun_anew(notebooks: Path) -> None:
    my_transformer.write_plain(notebooks / my_transformer.PACKAGE, "progress.json", "[broken")
    assert passed_names(notebooks / my_transformer.PACKAGE) == frozenset()
    note_passed(notebooks / "00_start_here", exercise("halve"))
    assert passed_names(notebooks / my_transformer.PACKAGE) == {"halve"}


def test_all_passed_is_said(notebooks: Path) -> None:
    for name in ("double", "halve", "softmax"):
        note_passed(notebooks / "00_start_here", exercise(name))
    assert advice(read_progress(notebooks)) == (None, "Every check of the course has passed.")


def test_links_lead_from_wherever_the_notebook_runs_and_titles_are_text(
    notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_passed(notebooks / "00_start_here", exercise("double"))
    found = read_progress(notebooks)
    monkeypatch.chdir(notebooks)
    assert 'href="00_start_here/start_here.ipynb"' in as_html(found, notebooks)
    monkeypatch.chdir(notebooks / "01_why")
    page = as_html(found, notebooks)
    assert 'href="../00_start_here/start_here.ipynb"' in page
    assert "01 · Why &lt;so&gt;" in page
    assert "1/2" in page and 'aria-hidden="true"' in page


def test_the_command_finds_the_notebooks_from_a_folder_below(
    notebooks: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(notebooks / "01_why")
    assert main(["progress"]) == 0
    assert "○ 01 · Why <so>" in capsys.readouterr().out


def test_without_a_course_the_command_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if any((folder / "notebooks" / "start.ipynb").exists() for folder in tmp_path.parents):
        pytest.skip("the temporary folder lies in a course")
    monkeypatch.chdir(tmp_path)
    assert main(["progress"]) == 2
    assert "go to the course's folder first" in capsys.readouterr().err
