"""Feedback goes back under the names that a platform knows."""

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.__main__ import main
from autograder.grading.collect.listing import Collected, write_listing
from autograder.grading.feedback_zip import _name, write_feedback_zip

pytestmark = pytest.mark.quick
UNIT = "90_small"


def course_with(tmp_path: Path, **files: str) -> Path:
    """A course in which each of these learners was collected under this name and has a page."""
    rows = [Collected(student, "collected", name) for student, name in files.items()]
    write_listing(tmp_path, UNIT, rows)
    for student in files:
        page = tmp_path / "feedback" / student / UNIT / "small.html"
        page.parent.mkdir(parents=True)
        page.write_text(f"for {student}", encoding="utf-8")
    return tmp_path


def names_in(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_a_page_bears_the_name_that_the_submission_had(tmp_path: Path) -> None:
    course = course_with(
        tmp_path,
        ada="lovelaceada_LATE_123_456_small-1.ipynb",
        bob="Bob Ross_77_assignsubmission_file_/my homework.ipynb",
        eve="",
    )
    assert write_feedback_zip(course, UNIT, tmp_path / "out.zip") == (3, [])
    assert names_in(tmp_path / "out.zip") == {
        "lovelaceada_LATE_123_456_small-1.html": "for ada",
        "Bob Ross_77_assignsubmission_file_/my homework.html": "for bob",
        "eve/small.html": "for eve",
    }


def test_who_was_collected_and_has_no_page_is_named(tmp_path: Path) -> None:
    course = course_with(tmp_path, ada="ada.ipynb")
    write_listing(course, UNIT, [Collected("ada", "collected", "ada.ipynb"), Collected("bob", "repaired", "bob.ipynb")])
    assert write_feedback_zip(course, UNIT, tmp_path / "out.zip") == (1, ["bob"])


@given(st.text(max_size=80))
def test_no_name_leads_out_of_the_folder_that_it_is_unpacked_in(name: str) -> None:
    found = Path(_name(name, "ada", Path("small.html")))
    assert not found.is_absolute() and ".." not in found.parts and found.name


def test_without_feedback_one_line_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "solutions" / UNIT).mkdir(parents=True)
    (tmp_path / "solutions" / UNIT / "small.py").write_text("# %% [markdown]\n# # 90\n", encoding="utf-8")
    assert main(["feedback", "90", "--course", str(tmp_path), "--output", str(tmp_path / "none.zip")]) == 2
    assert "there is no feedback for 90_small yet" in capsys.readouterr().err
    assert not (tmp_path / "none.zip").exists()
