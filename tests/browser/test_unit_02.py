"""A learner opens unit 02, checks it untouched, wrong and right, reads the panels, and presses Validate."""

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


def test_each_softmax_is_told_where_it_stands_in_words_that_a_dark_theme_shows_too(
    notebook: NotebookPage, outside_requests: list[str]
) -> None:
    notebook.open(LEARNERS)
    notebook.run(SETUP)
    notebook.run("softmax")
    untouched = checked(notebook, "unit_02_untouched")
    assert "softmax" in untouched and "Traceback" not in untouched
    assert notebook.result("softmax-check") == "0.0"

    notebook.replace_source("softmax", OVERFLOWING)
    notebook.run("softmax")
    wrong = checked(notebook, "unit_02_wrong")
    assert "not yet · softmax" in wrong and "Your softmax overflows" in wrong
    assert "0.0" not in wrong.splitlines(), "the score stands alone below its panel"
    assert notebook.result("softmax-check") == "0.0"
    light = panel_colour(notebook)
    notebook.set_theme("JupyterLab Dark")
    notebook.screenshot("unit_02_wrong_dark")
    dark = panel_colour(notebook)
    notebook.set_theme("JupyterLab Light")
    assert (brightness(light) < 100, brightness(dark) > 155) == (True, True), (light, dark)

    notebook.replace_source("softmax", RIGHT)
    notebook.run("softmax")
    assert "passed · softmax" in checked(notebook, "unit_02_right")
    assert float(notebook.result("softmax-check")) > 0
    assert outside_requests == []


def test_validate_lists_the_wrong_softmax_alone_and_passes_the_reference_solutions(notebook: NotebookPage) -> None:
    notebook.open(LEARNERS)
    for grade_id, source in reference_answers().items():
        notebook.replace_source(grade_id, source)
    notebook.replace_source("softmax", OVERFLOWING)
    wrong = notebook.open_validation()
    notebook.screenshot("unit_02_validation")
    notebook.close_dialog()
    notebook.replace_source("softmax", RIGHT)
    right = notebook.validate()
    assert wrong.title == right.title == "Validation Results"
    assert not wrong.passed and "The following cell failed:" in wrong.text and "check(softmax," in wrong.text
    assert right.passed, right.text


def checked(notebook: NotebookPage, picture: str) -> str:
    """Runs the check of softmax, and gives what its panel says."""
    notebook.run("softmax-check")
    notebook.show("softmax-check")
    notebook.screenshot(picture)
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
