"""The harness drives a real JupyterLab: opening, answering, running, reading, validating."""

from pathlib import Path

import pytest

from tests.browser.notebook_page import NotebookPage
from tests.browser.small_course import NOTEBOOK, write_small_course

WRONG = "def total(numbers):\n    return len(numbers)"
RIGHT = "def total(numbers):\n    return sum(numbers)"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_course(tmp_path_factory.mktemp("small_course"))


def test_a_wrong_answer_is_run_and_its_verdict_read(notebook: NotebookPage) -> None:
    notebook.open(NOTEBOOK)
    notebook.replace_source("total", WRONG)
    notebook.run_all()
    notebook.show("total_check")
    notebook.screenshot("small_course_wrong")
    assert "expected 6, seen 3 机器学习" in notebook.output_text("total_check")
    assert "<b>3</b>" in notebook.output_html("total_check")
    assert notebook.output_text("total_check").splitlines()[-1] == "0.0"


def test_a_right_answer_replaces_a_wrong_one_and_is_kept_when_saved(notebook: NotebookPage) -> None:
    notebook.open(NOTEBOOK)
    notebook.replace_source("total", WRONG)
    notebook.run_all()
    notebook.replace_source("total", RIGHT)
    notebook.run("total")
    notebook.run("total_check")
    notebook.save()
    assert "expected 6, seen 6" in notebook.output_text("total_check")
    assert "return sum(numbers)" in (notebook.server.course / NOTEBOOK).read_text(encoding="utf-8")


def test_the_validate_button_tells_a_wrong_notebook_from_a_right_one(notebook: NotebookPage) -> None:
    notebook.open(NOTEBOOK)
    notebook.replace_source("total", WRONG)
    wrong = notebook.open_validation()
    notebook.screenshot("small_course_validation")
    notebook.close_dialog()
    notebook.replace_source("total", RIGHT)
    right = notebook.validate()
    assert (wrong.title, right.title) == ("Validation Results", "Validation Results")
    assert "The following cell failed:" in wrong.text
    assert (wrong.passed, right.passed) == (False, True)


def test_a_cell_name_that_fits_no_cell_or_several_is_refused(notebook: NotebookPage) -> None:
    notebook.open(NOTEBOOK)
    with pytest.raises(Exception, match="0 cells are named by: no such cell"):
        notebook.source("no such cell")
    with pytest.raises(Exception, match="8 cells are named by: Paragraph"):
        notebook.source("Paragraph")
    assert notebook.source("def total(") == notebook.source("total")


def test_opening_a_notebook_that_is_not_there_is_an_error(notebook: NotebookPage) -> None:
    with pytest.raises(RuntimeError, match="in the page"):
        notebook.open("notebooks/sums/missing.ipynb")
