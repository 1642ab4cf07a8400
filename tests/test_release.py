"""What learners are given holds nothing that they are asked to find."""

import json
from pathlib import Path

import pytest

from autograder.authoring.parse import parse_lesson, unit_stem, units
from autograder.formats.cases import CASES_FILE, load_cases

COURSE = Path(__file__).resolve().parents[1]
UNITS = units(COURSE / "solutions")


def released(unit: str) -> dict:
    return json.loads((COURSE / "notebooks" / unit / f"{unit_stem(unit)}.ipynb").read_text(encoding="utf-8"))


@pytest.mark.parametrize("unit", UNITS)
def test_a_released_folder_holds_the_notebook_and_its_cases_only(unit: str) -> None:
    folder = COURSE / "notebooks" / unit
    found = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert found == {f"{unit_stem(unit)}.ipynb", CASES_FILE}


@pytest.mark.parametrize("unit", UNITS)
def test_no_line_of_a_solution_is_in_the_release(unit: str) -> None:
    lesson = parse_lesson(COURSE / "solutions" / unit / f"{unit_stem(unit)}.py")
    cells = ["".join(cell["source"]) for cell in released(unit)["cells"] if cell["cell_type"] == "code"]
    text = "\n".join(cells)
    assert "### BEGIN SOLUTION" not in text
    assert "HIDDEN TESTS" not in text
    for exercise in lesson.exercises:
        assert written(exercise.solution), exercise.name
        assert written(exercise.solution) not in text, exercise.name
        for line in secret(exercise.solution):
            assert line not in text, f"{exercise.name}: {line}"


def written(solution: str) -> str:
    """What stands between the marks."""
    return solution.split("### BEGIN SOLUTION\n", 1)[1].split("### END SOLUTION")[0].strip()


def secret(solution: str) -> list[str]:
    """The telling lines between the marks: long enough not to stand in a starter by chance."""
    inside = solution.split("### BEGIN SOLUTION")[1:]
    lines = [line.strip() for part in inside for line in part.split("### END SOLUTION")[0].splitlines()]
    return [
        line
        for line in lines
        if len(line) > 14 and not line.startswith(("#", "import ", "from ", "with torch.no_grad"))
    ]


@pytest.mark.parametrize("unit", UNITS)
def test_a_released_notebook_has_no_outputs_and_no_authors_parts(unit: str) -> None:
    for cell in released(unit)["cells"]:
        assert not cell.get("outputs")
        part = cell["metadata"].get("autograder", {}).get("part", "")
        assert part not in ("variants", "library", "hints")
        assert "wrong(" not in "".join(cell["source"])


@pytest.mark.parametrize("unit", UNITS)
def test_the_released_cases_are_the_visible_ones(unit: str) -> None:
    cases = load_cases(COURSE / "notebooks" / unit / CASES_FILE)
    assert not any(exercise.hidden for exercise in cases.exercises)
    built = (COURSE / "solutions" / unit / CASES_FILE).read_bytes()
    assert (COURSE / "notebooks" / unit / CASES_FILE).read_bytes() == built


@pytest.mark.parametrize("unit", UNITS)
def test_grade_ids_are_those_of_the_exercises(unit: str) -> None:
    lesson = parse_lesson(COURSE / "solutions" / unit / f"{unit_stem(unit)}.py")
    ids = [c["metadata"]["nbgrader"]["grade_id"] for c in released(unit)["cells"] if "nbgrader" in c["metadata"]]
    wanted = [f"{e.name}{end}" for e in lesson.exercises for end in ("", "-check", "-hidden")]
    assert sorted(set(ids) - {str(q.marks.get("id")) for q in lesson.questions}) == sorted(wanted)
