"""A learner opens unit 02, gives a wrong and then a right answer, reads the panel, and presses Validate."""

import textwrap

import nbformat

from tests.browser.lab_server import REPOSITORY
from tests.browser.notebook_page import NotebookPage

UNIT = "02_attention_scores"
LEARNERS = f"notebooks/{UNIT}/attention_scores.ipynb"
SOLVED = REPOSITORY / "solutions" / UNIT / "attention_scores.ipynb"
SETUP = f'begin("{UNIT}")'

OVERFLOWING = textwrap.dedent("""\
    def softmax(x, axis=-1):
        exponentials = np.exp(x)
        return exponentials / exponentials.sum(axis=axis, keepdims=True)
    """)
RIGHT = textwrap.dedent("""\
    def softmax(x, axis=-1):
        exponentials = np.exp(x - x.max(axis=axis, keepdims=True))
        return exponentials / exponentials.sum(axis=axis, keepdims=True)
    """)


def test_a_wrong_softmax_is_told_its_mistake_and_the_right_one_passes(
    notebook: NotebookPage, outside_requests: list[str]
) -> None:
    notebook.open(LEARNERS)
    notebook.run(SETUP)
    wrong = answer_softmax(notebook, OVERFLOWING)
    assert notebook.result("softmax-check") == "0.0"
    notebook.screenshot("unit_02_wrong")
    right = answer_softmax(notebook, RIGHT)
    notebook.screenshot("unit_02_right")
    assert "not yet · softmax" in wrong
    assert "Your softmax overflows" in wrong
    assert "0.0" not in wrong.splitlines(), "the score stands alone below its panel"
    assert "passed · softmax" in right
    assert float(notebook.result("softmax-check")) > 0
    assert outside_requests == []


def test_the_untouched_notebook_says_not_yet_and_shows_no_traceback(notebook: NotebookPage) -> None:
    notebook.open(LEARNERS)
    notebook.run(SETUP)
    notebook.run("softmax")
    notebook.run("softmax-check")
    untouched = notebook.output_text("softmax-check")
    notebook.show("softmax-check")
    notebook.screenshot("unit_02_untouched")
    assert "softmax" in untouched
    assert "Traceback" not in untouched
    assert notebook.result("softmax-check") == "0.0"


def test_the_panel_follows_a_dark_theme(notebook: NotebookPage) -> None:
    notebook.open(LEARNERS)
    notebook.run(SETUP)
    answer_softmax(notebook, OVERFLOWING)
    light = panel_colour(notebook)
    notebook.set_theme("JupyterLab Dark")
    notebook.screenshot("unit_02_wrong_dark")
    dark = panel_colour(notebook)
    notebook.set_theme("JupyterLab Light")
    assert (brightness(light) < 100, brightness(dark) > 155) == (True, True), (light, dark)


def test_validate_lists_a_wrong_softmax_among_the_failed_cells_and_a_right_one_no_longer(
    notebook: NotebookPage,
) -> None:
    notebook.open(LEARNERS)
    notebook.replace_source("softmax", OVERFLOWING)
    wrong = notebook.open_validation()
    notebook.screenshot("unit_02_validation")
    notebook.close_dialog()
    notebook.replace_source("softmax", RIGHT)
    right = notebook.validate()
    assert wrong.passed is False
    assert "check(softmax," in wrong.text
    assert "check(softmax," not in right.text


def test_validate_passes_the_reference_solutions(notebook: NotebookPage) -> None:
    notebook.open(LEARNERS)
    for grade_id, source in reference_answers().items():
        notebook.replace_source(grade_id, source)
    answer = notebook.validate()
    assert answer.passed, answer.text


def answer_softmax(notebook: NotebookPage, source: str) -> str:
    """Gives an answer, runs it and its check, and gives what the check's panel says."""
    notebook.replace_source("softmax", source)
    notebook.run("softmax")
    notebook.run("softmax-check")
    notebook.show("softmax-check")
    return notebook.output_text("softmax-check")


def reference_answers() -> dict[str, str]:
    """The source of each solution cell of the solved notebook, by grade id."""
    cells = nbformat.read(SOLVED, as_version=4).cells
    graded = [(cell, cell.metadata.get("nbgrader", {})) for cell in cells]
    return {grading["grade_id"]: cell.source for cell, grading in graded if grading.get("solution")}


def panel_colour(notebook: NotebookPage) -> list[int]:
    """Red, green and blue of the text of the check's first line, as drawn."""
    first = notebook.page.get_by_text("not yet · softmax").first
    colour = first.evaluate("element => getComputedStyle(element).color")
    return [int(float(part)) for part in colour.partition("(")[2].rstrip(")").split(",")[:3]]


def brightness(colour: list[int]) -> float:
    return sum(colour) / 3
