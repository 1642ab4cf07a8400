"""What the builder adds to the lessons: the last cells of a notebook, and the start page."""

import copy
from pathlib import Path

import nbformat
import pytest

from autograder.authoring.build import with_outputs_of
from autograder.authoring.derived_cells import MADE, SOLUTION_LINK, solution_links
from autograder.authoring.notebook import notebook_text, solved_notebook
from autograder.authoring.parse import units
from autograder.authoring.start_page import entry_of, start_page, unit_minutes
from autograder.formats.course import course_map, unit_folder
from tests.authoring.test_lessons import LESSON, lesson
from tests.authoring.writing import write_lesson

pytestmark = pytest.mark.quick


def closing(folder: Path, *edits: tuple[str, str]) -> list[str]:
    return [
        cell.source
        for cell in solved_notebook(lesson(folder, *edits)).cells
        if cell.metadata.get("autograder", {}).get("made") == MADE
    ]


def neighbour(folder: Path, unit: str) -> None:
    path = folder / "solutions" / unit / f"{unit[3:]}.py"
    path.parent.mkdir(parents=True)
    write_lesson(path, LESSON.replace("97 · Made up", f"{unit[:2]} · Beside: it"))


def test_a_notebook_says_where_one_is_and_ends_with_preflight_solutions_and_the_way_on(tmp_path: Path) -> None:
    neighbour(tmp_path, "96_before")
    neighbour(tmp_path, "98_after")
    where, words, code, solutions, way = closing(tmp_path)
    assert where == 'from autograder import where_you_are\n\nwhere_you_are("97_made_up")'
    assert words.startswith("## Ready to hand in?")
    assert code == 'from autograder import preflight\n\npreflight("97_made_up")'
    assert (
        solutions.startswith("<details><summary>Solutions")
        and "(../../solutions/97_made_up/made_up.ipynb)" in solutions
    )
    assert way == (
        "[← unit 96](../../notebooks/96_before/before.ipynb) · [map of the course](../../notebooks/start.ipynb)"
        " · [unit 98 →](../../notebooks/98_after/after.ipynb)"
    )


@pytest.mark.parametrize("name", ["preflight", "where-you-are"])
def test_preflight_and_picture_are_skipped_while_grading_and_show_no_code(tmp_path: Path, name: str) -> None:
    (cell,) = [cell for cell in solved_notebook(lesson(tmp_path)).cells if cell.id == name]
    assert cell.metadata["autograder"]["part"] == "demo"
    assert cell.metadata["jupyter"] == {"source_hidden": True}


def test_what_needs_no_reading_is_folded(tmp_path: Path) -> None:
    demo = '\n# %% part="demo" folded=True\nprint(1)\n\n# %% part="demo"\npredict("97-x", "?")\n\n# %% part="demo"\nprint(2)\n'
    made = lesson(tmp_path, ("# # 97 · Made up", f"# # 97 · Made up\n{demo}\n# %% [markdown]\n# ## On"))
    folded = [
        cell.source for cell in solved_notebook(made).cells if cell.metadata.get("jupyter", {}).get("source_hidden")
    ]
    assert "print(1)" in folded and 'predict("97-x", "?")' in folded and "print(2)" not in folded
    assert any("HIDDEN TESTS" in source for source in folded)


def test_an_instructor_can_release_without_the_way_to_the_solutions(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.autograder]\nsolution_links = false\n", encoding="utf-8")
    cells = solved_notebook(lesson(tmp_path)).cells
    assert SOLUTION_LINK not in [cell.metadata.get("autograder", {}).get("part") for cell in cells]
    assert not any("solutions/" in cell.source for cell in cells)


@pytest.mark.parametrize(
    ("text", "links"),
    [("", True), ("[tool.autograder]\nsolution_links = true\n", True), ("[tool.other]\n", True), ("not toml [", True)],
)
def test_without_that_setting_the_links_are_there(tmp_path: Path, text: str, links: bool) -> None:
    assert solution_links(tmp_path) is True
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert solution_links(tmp_path) is links


def test_a_written_answer_is_named_in_the_notebooks_metadata(tmp_path: Path) -> None:
    answer = '\n# %% [markdown] part="answer" id="why" points=4\n# ### BEGIN SOLUTION\n# So.\n# ### END SOLUTION\n'
    notebook = solved_notebook(lesson(tmp_path, ("# - Add x to itself.", f"# - Add x to itself.\n{answer}")))
    assert notebook.metadata["autograder"] == {"unit": "97_made_up", "answers": ["why"]}


@pytest.mark.parametrize(
    ("words", "minutes"),
    [
        ("**Time** about 75 minutes; five exercises.", 75),
        ("**Before this:** unit 02. **Time:** about 75 minutes.", 75),
        ("**Time:** about two hours, 80 minutes of them for the exercises.", 120),
        ("- **Time:** 40 minutes", 40),
        ("**Time:** about an hour and a half.", 90),
        ("Nothing is said.", 5),
    ],
)
def test_a_units_time_is_the_one_that_its_first_words_say(tmp_path: Path, words: str, minutes: int) -> None:
    assert unit_minutes(lesson(tmp_path, ("# # 97 · Made up", f"# # 97 · Made up\n#\n# {words}"))) == minutes


def test_a_unit_that_calls_itself_optional_is_so_on_the_map(tmp_path: Path) -> None:
    made = lesson(tmp_path, ("# # 97 · Made up", "# # 97 · Made up\n#\n# *Optional.* Nothing needs it."))
    assert entry_of(made).title == "97 · Made up (optional)"


def test_the_start_page_lists_the_units_by_their_own_words(tmp_path: Path) -> None:
    made = lesson(tmp_path)
    neighbour(tmp_path, "98_after")
    page = start_page(tmp_path)
    assert page == start_page(tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "start.ipynb").write_text(page, encoding="utf-8")
    listed = course_map(tmp_path / "notebooks")
    assert [entry.unit for entry in listed] == list(units(tmp_path / "solutions"))
    assert listed[0] == entry_of(made)
    assert (listed[0].points, listed[0].exercises[0].visible, listed[0].minutes) == (5.0, 3.0, 5)
    (text,) = [cell.source for cell in nbformat.reads(page, as_version=4).cells if cell.id == "map"]
    assert "| [98 · Beside: it](98_after/after.ipynb) | `double` | 5 min | 5 |" in text
    assert "| **2 units** | | **about 0 h** | **10** |" in text


def test_a_unit_is_found_by_name_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for unit in ("02_attention_scores", "03_self_attention"):
        (tmp_path / "notebooks" / unit).mkdir(parents=True)
        (tmp_path / "notebooks" / unit / "cases.npz").touch()
    wanted = tmp_path / "notebooks" / "03_self_attention"
    for place in (tmp_path, tmp_path / "notebooks", wanted, tmp_path / "notebooks" / "02_attention_scores"):
        monkeypatch.chdir(place)
        assert [unit_folder(name) for name in ("03", "self_attention", "03_self_attention")] == [wanted] * 3


def executed(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """As if it had been run: each of the lesson's own cells with a count and an output."""
    ran = copy.deepcopy(notebook)
    for number, cell in enumerate([cell for cell in ran.cells if cell.cell_type == "code"], start=1):
        cell.execution_count = number
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"ran {number}")]
    return ran


def test_changed_words_keep_the_outputs_and_changed_code_does_not(tmp_path: Path) -> None:
    stored = tmp_path / "stored.ipynb"
    stored.write_text(notebook_text(executed(solved_notebook(lesson(tmp_path)))), encoding="utf-8")
    reworded = solved_notebook(lesson(tmp_path, ("# Double it.", "# Double each number.")))
    kept = with_outputs_of(stored, reworded)
    assert kept is not None
    assert [cell.source for cell in kept.cells] == [cell.source for cell in reworded.cells]
    shown = {cell.id: [output.text for output in cell.outputs] for cell in kept.cells if cell.cell_type == "code"}
    assert shown.pop("preflight") == []
    assert "where-you-are" in shown and all(texts[0].startswith("ran ") for texts in shown.values())
    recoded = solved_notebook(lesson(tmp_path, ("    return 2 * x", "    return x * 2.0"), ('("2 * x"', '("x * 2.0"')))
    assert with_outputs_of(stored, recoded) is None


def test_a_notebook_that_was_never_run_has_no_outputs_to_keep(tmp_path: Path) -> None:
    solved = solved_notebook(lesson(tmp_path))
    stored = tmp_path / "stored.ipynb"
    stored.write_text(notebook_text(solved), encoding="utf-8")
    assert with_outputs_of(stored, solved) is None
    assert with_outputs_of(tmp_path / "missing.ipynb", solved) is None
