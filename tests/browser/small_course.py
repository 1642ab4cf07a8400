"""A course of one tiny assignment, for the tests of the browser harness itself."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.utils import compute_checksum

from tests.browser.lab_server import CONFIGURATION, copy_course

UNIT = "sums"
NOTEBOOK = f"notebooks/{UNIT}/{UNIT}.ipynb"
CHECK = """\
from IPython.display import HTML, display
seen, expected = total([1, 2, 3]), 6
display(HTML(f"<p class='verdict'>expected <b>{expected}</b>, seen <b>{seen}</b> 机器学习</p>"))
2.0 if seen == expected else 0.0"""


def write_small_course(root: Path) -> Path:
    """Writes a course root with one released notebook of one exercise, `total`, worth two points."""
    copy_course(root, CONFIGURATION)
    path = root / NOTEBOOK
    path.parent.mkdir(parents=True)
    nbformat.write(small_notebook(), path)
    return root


def small_notebook() -> NotebookNode:
    answer = new_code_cell("def total(numbers):\n    # YOUR CODE HERE\n    raise NotImplementedError()", id="total")
    answer.metadata.nbgrader = grading("total", solution=True)
    check = new_code_cell(CHECK, id="total-check")
    check.metadata.nbgrader = grading("total_check", grade=True, locked=True, points=2)
    for cell in (answer, check):
        cell.metadata.nbgrader["checksum"] = compute_checksum(cell)
    prose = [new_markdown_cell(f"Paragraph {number}.\n" * 12, id=f"prose-{number}") for number in range(8)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=[*prose, answer, check], metadata={"kernelspec": kernel})


def grading(grade_id: str, **changes: bool | int) -> dict[str, bool | int | str]:
    """nbgrader's metadata of one cell, as its release step writes it."""
    plain: dict[str, bool | int | str] = {"grade": False, "locked": False, "solution": False, "task": False}
    return plain | {"schema_version": 3, "cell_type": "code", "grade_id": grade_id} | changes
