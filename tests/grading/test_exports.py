"""What other systems read: made from plain rows and records, whatever a learner is called."""

import csv
import io

import pytest

from autograder.grading.exports import canvas_csv, grades_csv, gradescope_results
from tests.grading.plain import UNIT, grade, record, row

pytestmark = pytest.mark.quick


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_the_gradebooks_rows_are_a_table_with_their_names_above() -> None:
    head, ada = table(grades_csv([row("ada", first_name="Ada", score=2.5, needs_manual_grade=True)]))
    told = dict(zip(head, ada, strict=True))
    assert (told["student"], told["first_name"], told["score"], told["max_score"]) == ("ada", "Ada", "2.5", "22.0")
    assert told["needs_manual_grade"] == "True"


def test_canvas_gets_one_line_a_student_and_one_column_a_unit() -> None:
    rows = [row("bob", unit="02", score=7.0, max_score=9.0), row("ada", first_name="Ada", last_name="King", unit="01"),
            row("bob", unit="01")]  # fmt: skip
    assert table(canvas_csv(rows)) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01", "02"],
        ["    Points Possible", "", "", "", "", "22.0", "9.0"],
        ["King, Ada", "", "ada", "ada", "", "3.0", ""],
        ["bob", "", "bob", "bob", "", "3.0", "7.0"],
    ]


def test_without_any_row_there_is_the_head_alone() -> None:
    assert len(table(grades_csv([]))) == 1
    assert len(table(canvas_csv([]))) == 2


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "\n=", "＝"])
def test_no_cell_of_an_export_is_a_formula(start: str) -> None:
    rows = [row(f"{start}1+1", last_name=f"{start}cmd")]
    for text in (grades_csv(rows), canvas_csv(rows)):
        cells = [cell for line in table(text) for cell in line]
        assert any("1+1" in cell for cell in cells)
        assert not any(cell.lstrip().startswith(formula) for cell in cells for formula in "=+-@＝")


def test_gradescope_gets_each_exercise() -> None:
    tests = gradescope_results(record("ada", grade("centre"), grade("softmax", passed=False, message="no.")))["tests"]
    assert [(test["name"], test["score"], test["max_score"], test["status"], test["output"]) for test in tests] == [
        ("centre", 5, 5, "passed", ""), ("softmax", 0, 5, "failed", "no.")]  # fmt: skip


def test_gradescope_is_told_why_nothing_was_graded() -> None:
    assert gradescope_results(record(unit=UNIT, reason="no notebook"))["output"] == "no notebook"
