"""The Chinese course is the same course: the same cells and marks, the same code, links that lead somewhere."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from autograder.authoring.build import Paths
from autograder.authoring.parse import units
from autograder.formats.cases import load_cases
from autograder.formats.language import speaking
from autograder.formats.texts import same_code
from autograder.grading.assignment import open_assignment
from autograder.judging.panel import as_text
from autograder.judging.verdict import Verdict
from autograder.notebook.repair import examine

COURSE = Path(__file__).resolve().parents[2]
UNITS = units(COURSE / "solutions")
CHINESE = re.compile("[\u4e00-\u9fff]")


def cells(path: Path) -> list[dict[str, Any]]:
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [{**cell, "source": "".join(cell["source"])} for cell in found]


@pytest.mark.parametrize("unit", UNITS)
def test_a_chinese_notebook_has_the_cells_and_the_code_of_the_english_one(unit: str) -> None:
    paths = Paths(COURSE, unit)
    ours, theirs = cells(paths.learner), cells(paths.translated("zh"))
    assert [cell["id"] for cell in ours] == [cell["id"] for cell in theirs]
    for one, other in zip(ours, theirs, strict=True):
        marks = [
            {k: v for k, v in cell["metadata"].get("nbgrader", {}).items() if k != "checksum"} for cell in (one, other)
        ]
        assert marks[0] == marks[1]
        if one["cell_type"] == "code":
            spoken = other["source"].replace(', language="zh")', ")")
            assert same_code(one["source"], spoken), one["id"]


@pytest.mark.parametrize("unit", UNITS)
def test_what_is_read_is_chinese(unit: str) -> None:
    texts = [cell["source"] for cell in cells(Paths(COURSE, unit).translated("zh")) if cell["cell_type"] == "markdown"]
    assert [text[:80] for text in texts if not CHINESE.search(text)] == []


@pytest.mark.parametrize("unit", UNITS)
def test_links_of_a_chinese_notebook_lead_to_files(unit: str) -> None:
    path = Paths(COURSE, unit).translated("zh")
    links = re.findall(r"\]\(((?:\.\./)+[^)#]+)\)", "\n".join(cell["source"] for cell in cells(path)))
    assert links
    assert [link for link in links if not (path.parent / link).resolve().is_file()] == []


@pytest.mark.parametrize("unit", UNITS)
def test_every_known_mistake_is_told_in_chinese(unit: str) -> None:
    with speaking("zh"):
        for exercise in load_cases(Paths(COURSE, unit).cases).exercises:
            for variant in exercise.variants:
                told = as_text(Verdict(unit, exercise.name, False, False, 0.0, 1.0, 0.0, variant.name, variant.says))
                assert CHINESE.search(told.splitlines()[1]), variant.says
                assert not re.search(
                    r"[a-z]{3,} [a-z]{3,} [a-z]{3,} [a-z]{3,}", re.sub(r"`[^`]*`", "", told.splitlines()[1])
                ), told


def test_a_submission_is_told_by_the_cells_that_it_holds() -> None:
    assignment = open_assignment(COURSE, UNITS[2], 1)
    chinese = cells(Paths(COURSE, UNITS[2]).translated("zh"))
    assert assignment.language_of(chinese) == "zh"
    assert assignment.language_of(list(assignment.released)) == "en"
    assert assignment.language_of([]) == "en"
    code = [
        [cell["source"] for cell in cells_ if cell["cell_type"] == "code"]
        for cells_ in (assignment.cells_in["zh"][1], chinese)
    ]
    assert code[0] == code[1]


def test_the_preflight_finds_a_chinese_notebook_as_it_was_given_and_puts_a_cell_back_in_chinese(tmp_path: Path) -> None:
    paths = Paths(COURSE, UNITS[2])
    unit = load_cases(paths.cases)
    found = examine(paths.translated("zh"), unit)
    assert (found.language, found.mended) == ("zh", False)
    notebook = json.loads(paths.translated("zh").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["id"] == "softmax-hidden":
            given, cell["source"] = "".join(cell["source"]), "# of my own"
    (tmp_path / paths.learner.name).write_text(json.dumps(notebook), encoding="utf-8")
    mended = examine(tmp_path / paths.learner.name, unit).notebook
    assert mended is not None
    assert given in [cell["source"] for cell in mended["cells"]] and "批改" in given
