"""A submission's answers, laid into the course's own notebook."""

import json
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from autograder.formats.notebook_file import Unreadable, read_notebook, tidy_cells
from autograder.formats.rebuild import Repair, grade_id_of, rebuild
from autograder.grading.assignment import Assignment, open_assignment
from autograder.grading.submission import find_notebook
from tests.grading.small_course import NAME, UNIT, Submission


@pytest.fixture(scope="module")
def assignment(built_course: Path) -> Assignment:
    return open_assignment(built_course, UNIT, 1)


@pytest.fixture
def submission(built_course: Path) -> Submission:
    return Submission(built_course, solved=True)


@dataclass(frozen=True)
class Result:
    notebook: NotebookNode
    repairs: tuple[Repair, ...]


def rebuilt(assignment: Assignment, submission: Submission) -> Result:
    found = rebuild(assignment.source, assignment.released, tidy_cells(submission.cells))
    cells = [nbformat.from_dict(cell) for cell in found.cells]
    return Result(nbformat.v4.new_notebook(metadata=assignment.metadata, cells=cells), found.repairs)


def source(notebook: NotebookNode, grade_id: str) -> str:
    (cell,) = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id]
    return str(cell.source)


def own(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.metadata.get("autograder", {}).get("part") == "own"]


def kinds(result: Result) -> set[str]:
    return {repair.kind for repair in result.repairs}


def test_an_honest_notebook_needs_no_repair(assignment: Assignment, submission: Submission) -> None:
    result = rebuilt(assignment, submission)
    assert result.repairs == ()
    assert source(result.notebook, "centre") == submission.cell("centre")["source"]
    assert "HIDDEN TESTS" in source(result.notebook, "centre-hidden")
    nbformat.validate(result.notebook)


def test_the_rebuilt_notebook_has_each_of_the_courses_cells_once_and_in_order(
    assignment: Assignment, submission: Submission
) -> None:
    submission.cells.reverse()
    result = rebuilt(assignment, submission)
    ids = [cell["id"] for cell in assignment.source]
    assert [cell.id for cell in result.notebook.cells if cell.id in ids] == ids


def test_no_solution_of_the_course_is_in_it(assignment: Assignment, built_course: Path) -> None:
    text = nbformat.writes(rebuilt(assignment, Submission(built_course)).notebook)
    assert "np.mean(x, axis=-1, keepdims=True)" not in text and "BEGIN SOLUTION" not in text


def test_own_cells_stay_behind_the_cell_that_they_followed(assignment: Assignment, submission: Submission) -> None:
    submission.own_before("softmax", "a = 1").own_last("b = 2").own_first("c = 3")
    sources = [cell.source for cell in rebuilt(assignment, submission).notebook.cells]
    place = sources.index("a = 1")
    assert sources[0] == "c = 3" and sources[-1] == "b = 2"
    assert place < sources.index(submission.cell("softmax")["source"]) and place > sources.index(
        submission.cell("centre")["source"]
    )


def test_a_changed_setup_cell_runs_after_the_courses_own(assignment: Assignment, submission: Submission) -> None:
    setup = next(cell for cell in submission.cells if "begin(" in cell["source"])
    original = setup["source"]
    setup["source"] = "import numpy as np\nimport math"
    sources = [cell.source for cell in rebuilt(assignment, submission).notebook.cells]
    assert sources.index(original) + 1 == sources.index("import numpy as np\nimport math")


def test_an_edited_check_is_replaced_and_both_sides_hear_of_it(assignment: Assignment, submission: Submission) -> None:
    submission.write("centre-check", "3.0")
    result = rebuilt(assignment, submission)
    assert source(result.notebook, "centre-check").startswith("check(centre")
    (repair,) = result.repairs
    assert repair.kind == "replaced" and "edited" in repair.note and "original" in repair.sentence


def test_the_points_are_the_courses(assignment: Assignment, submission: Submission) -> None:
    submission.cell("centre-check")["metadata"]["nbgrader"]["points"] = 1000
    points = [cell.metadata.nbgrader.points for cell in rebuilt(assignment, submission).notebook.cells
              if cell.metadata.get("nbgrader", {}).get("grade")]  # fmt: skip
    assert points == [3, 2, 3, 2, 6, 4, 2]


def test_a_deleted_answer_is_the_starter_again(assignment: Assignment, submission: Submission) -> None:
    submission.cells.remove(submission.cell("attend"))
    result = rebuilt(assignment, submission)
    assert "NotImplementedError" in source(result.notebook, "attend") and kinds(result) == {"restored"}


def test_of_two_answers_the_last_changed_one_counts(assignment: Assignment, submission: Submission) -> None:
    copy = json.loads(json.dumps(submission.cell("centre")))
    copy["source"] = "def centre(x):\n    return 'newer'"
    submission.cells.append(copy)
    starter = json.loads(json.dumps(Submission.cell(submission, "centre")))
    starter["source"] = next(cell for cell in assignment.released if grade_id_of(cell) == "centre")["source"]
    submission.cells.append(starter)
    result = rebuilt(assignment, submission)
    assert "newer" in source(result.notebook, "centre") and kinds(result) == {"duplicate"}


def test_a_copy_turned_into_something_else_is_an_own_cell(assignment: Assignment, submission: Submission) -> None:
    copy = json.loads(json.dumps(submission.cell("centre")))
    copy["source"] = "trial = centre(np.arange(3.0))"
    submission.cells.insert(submission.index("centre") + 1, copy)
    result = rebuilt(assignment, submission)
    assert "mean" in source(result.notebook, "centre")
    assert own(result.notebook) == ["trial = centre(np.arange(3.0))"]


def test_answers_without_metadata_are_found_by_name(assignment: Assignment, submission: Submission) -> None:
    for cell in submission.cells:
        cell["metadata"], cell["id"] = {}, None
    result = rebuilt(assignment, submission)
    assert "mean" in source(result.notebook, "centre") and "matched" in kinds(result)
    assert own(result.notebook) == []


def test_a_check_cell_of_the_learners_own_is_no_check(assignment: Assignment, submission: Submission) -> None:
    submission.own_last("1000.0")
    submission.cells[-1]["metadata"] = {"autograder": {"part": "check", "exercise": "centre"},
                                        "nbgrader": {"grade": True, "grade_id": "extra", "points": 9}}  # fmt: skip
    added = rebuilt(assignment, submission).notebook.cells[-1]
    assert {**added.metadata["autograder"], "place": ""} == {
        "part": "own",
        "place": "",
    } and "nbgrader" not in added.metadata


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "JSON is broken"), ("[", "JSON is broken"), ("3", "no cells"), ('{"cells": 1}', "no cells"),
     (json.dumps({"cells": [{}] * 2001}), "more than 2000 cells"), ("[" * 100_000, "JSON is broken"),
     (" " * (21 << 20), "larger than 20 MB")],
    ids=["empty", "cut", "number", "cells", "many", "deep", "large"],
)  # fmt: skip
def test_what_is_no_notebook_is_refused_in_words(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(Unreadable, match=words):
        read_notebook(path)


def test_a_notebook_of_format_3_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    old = {"worksheets": [{"cells": [{"cell_type": "code", "input": ["a = 1\n", "b = 2"], "language": "python"}]}]}
    path.write_text(json.dumps(old), encoding="utf-8")
    assert read_notebook(path)[0]["source"] == "a = 1\nb = 2"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def found(folder: Path, assignment: Assignment) -> tuple[str, int]:
    path, _, repairs = find_notebook(folder, NAME, assignment.grade_ids)
    return path.name, len(repairs)


def test_a_notebook_of_the_right_name_is_taken(folder: Path, assignment: Assignment, submission: Submission) -> None:
    for name in ("small.ipynb", "other.ipynb"):
        (folder / name).write_text(submission.text(), encoding="utf-8")
    assert found(folder, assignment) == ("small.ipynb", 0)


def test_one_of_another_name_is_known_by_its_cells(
    folder: Path, assignment: Assignment, submission: Submission
) -> None:
    (folder / "notes.ipynb").write_text('{"cells": [{"cell_type": "code", "source": "1"}]}', encoding="utf-8")
    (folder / "final.ipynb").write_text(submission.text(), encoding="utf-8")
    (folder / "small.ipynb").write_text("", encoding="utf-8")
    assert found(folder, assignment) == ("final.ipynb", 1)


def test_notebooks_of_something_else_are_not_graded(folder: Path, assignment: Assignment) -> None:
    for name in ("a.ipynb", "b.ipynb"):
        (folder / name).write_text('{"cells": []}', encoding="utf-8")
    with pytest.raises(Unreadable, match=r"there is no small\.ipynb .*a\.ipynb, b\.ipynb"):
        found(folder, assignment)
