"""What other systems read: made from plain rows and records, whatever a learner is called."""

import csv
import io

import pytest

from autograder.grading.exports import canvas_csv, grades_csv, gradescope_results
from autograder.grading.roster import Extension, Learner, Roster
from tests.grading.plain import UNIT, grade, record, row, stand

pytestmark = pytest.mark.quick


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_the_gradebooks_rows_are_a_table_with_their_names_above() -> None:
    head, ada = table(grades_csv(stand(row("ada", first_name="Ada", score=2.5, needs_manual_grade=True))))
    told = dict(zip(head, ada, strict=True))
    assert (told["student"], told["first_name"], told["score"], told["max_score"]) == ("ada", "Ada", "2.5", "22.0")
    assert told["needs_manual_grade"] == "True"


def test_canvas_gets_one_line_a_student_and_one_column_a_unit() -> None:
    rows = [row("bob", unit="02", score=7.0, max_score=9.0), row("ada", first_name="Ada", last_name="King", unit="01"),
            row("bob", unit="01")]  # fmt: skip
    assert table(canvas_csv(stand(*rows), Roster())) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01", "02"],
        ["    Points Possible", "", "", "", "", "22.0", "9.0"],
        ["King, Ada", "", "ada", "ada", "", "3.0", ""],
        ["bob", "", "bob", "bob", "", "3.0", "7.0"],
    ]


def test_without_any_row_there_is_the_head_alone() -> None:
    assert len(table(grades_csv([]))) == 1
    assert len(table(canvas_csv([], Roster()))) == 2


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "\n=", "＝"])
def test_no_cell_of_an_export_is_a_formula(start: str) -> None:
    rows = stand(row(f"{start}1+1", last_name=f"{start}cmd"))
    for text in (grades_csv(rows), canvas_csv(rows, Roster())):
        cells = [cell for line in table(text) for cell in line]
        assert any("1+1" in cell for cell in cells)
        assert not any(cell.lstrip().startswith(formula) for cell in cells for formula in "=+-@＝")


def test_gradescope_gets_each_exercise() -> None:
    tests = gradescope_results(record("ada", grade("centre"), grade("softmax", passed=False, message="no.")))["tests"]
    assert [(test["name"], test["score"], test["max_score"], test["status"], test["output"]) for test in tests] == [
        ("centre", 5, 5, "passed", ""), ("softmax", 0, 5, "failed", "no.")]  # fmt: skip


def test_gradescope_is_told_why_nothing_was_graded() -> None:
    assert gradescope_results(record(unit=UNIT, reason="no notebook"))["output"] == "no notebook"


def test_gradescope_is_told_the_points_that_count() -> None:
    told = gradescope_results(record("ada"), row(raw_score=6.5, late_penalty=2.0, score=4.5, needs_manual_grade=True))
    assert told["score"] == 4.5
    assert told["output"].splitlines() == [
        "+1.5 points given by a person.",
        "Handed in late: 2 points deducted.",
        "Written answers are still to be graded.",
    ]


CANVAS = Roster(
    (
        Learner("jdoe", "Jane", "Doe", login="jdoe", platform_id="11", canvas=("Doe, Jane", "11", "S1", "jdoe", "A")),
        Learner("bob", "Bob", "Ray", login="bob", platform_id="12", canvas=("Ray, Bob", "12", "S2", "bob", "A")),
    ),
    ("Student", "ID", "SIS User ID", "SIS Login ID", "Section"),
    ("Homework 1 (77)", "90 Small (78)"),
)


def test_canvas_gets_its_own_ids_and_columns_back() -> None:
    rows = stand(row("jdoe"), row("stranger"), roster=CANVAS)
    assert table(canvas_csv(rows, CANVAS)) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "90 Small (78)"],
        ["    Points Possible", "", "", "", "", "22.0"],
        ["Doe, Jane", "11", "S1", "jdoe", "A", "3.0"],
        ["Ray, Bob", "12", "S2", "bob", "A", ""],
    ]


def test_a_learner_is_found_in_canvas_whatever_their_folder_is_called() -> None:
    rows = stand(row("doejane"), row("12"), roster=CANVAS)
    assert [line[-1] for line in table(canvas_csv(rows, CANVAS))[2:]] == ["3.0", "3.0"]


def test_who_is_excused_is_excused_in_canvas() -> None:
    excused = [Extension("bob", "90", None, True)]
    rows = stand(row("jdoe"), roster=CANVAS, extensions=excused)
    assert [line[-1] for line in table(canvas_csv(rows, CANVAS))[2:]] == ["3.0", "EX"]


def test_everybody_has_a_line_with_what_is_to_be_known() -> None:
    head, *lines = table(grades_csv(stand(row("jdoe", needs_manual_grade=True), roster=CANVAS)))
    told = {line[head.index("student")]: dict(zip(head, line, strict=True)) for line in lines}
    assert (told["jdoe"]["status"], told["jdoe"]["last_name"]) == ("written answer to grade", "Doe")
    assert (told["bob"]["status"], told["bob"]["last_name"], told["bob"]["score"]) == ("not handed in", "Ray", "")
