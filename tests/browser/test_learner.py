"""A learner's evening: the start page, a whole unit from the first cell to the last, the explorer, a narrow window."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from autograder.authoring.parse import unit_stem, units
from autograder.formats.course import course_map
from tests.browser.lab_server import REPOSITORY, LabServer
from tests.browser.notebook_page import START_MS, NotebookPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

START = "notebooks/start.ipynb"
FIRST = units(REPOSITORY / "solutions")[0]
WHOLE = "06_positional_encoding"
"""With PyTorch, pictures and parts of earlier units. That every unit runs, `tests/course/test_notebooks.py` shows."""
PREFLIGHT = "from autograder import preflight"
NARROW = {"width": 500, "height": 900}


def learners(unit: str) -> str:
    return f"notebooks/{unit}/{unit_stem(unit)}.ipynb"


def answers(unit: str) -> dict[str, str]:
    """The source of each solution cell of the solved notebook, by grade id."""
    cells = nbformat.read(REPOSITORY / "solutions" / unit / f"{unit_stem(unit)}.ipynb", as_version=4).cells
    graded = [(cell, cell.metadata.get("nbgrader", {})) for cell in cells]
    return {marks["grade_id"]: cell.source for cell, marks in graded if marks.get("solution")}


def go_to_start_page(page: "Page", lab: LabServer) -> None:
    """As `make lab` does: the server's own address, nothing behind it."""
    page.goto(f"{lab.url}?token={lab.token}")
    page.get_by_role("heading", name="Build a Transformer, check by check").wait_for(timeout=START_MS)
    page.wait_for_function(
        "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'", timeout=START_MS
    )


def test_the_course_opens_on_its_map_and_shows_the_way(notebook: NotebookPage, outside_requests: list[str]) -> None:
    page, unit = notebook.page, FIRST
    shutil.rmtree(notebook.server.course / "notebooks" / "my_transformer", ignore_errors=True)  # of other tests
    go_to_start_page(page, notebook.server)
    notebook.run("progress()")
    notebook.screenshot("start")
    assert "Begin with 00" in notebook.output_text("progress()")
    assert {entry.notebook for entry in course_map(REPOSITORY / "notebooks")} <= set(links_of(page))
    page.get_by_role("link", name="Begin with 00").click()
    wait_for_notebook(page, unit)
    name, source = next(iter(answers(unit).items()))
    notebook.replace_source(name, source)
    for cell in (f'begin("{unit}")', name, f"{name}-check"):
        notebook.run(cell)
    page.get_by_role("link", name="map of the course").last.click()
    page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.context.path === 'notebooks/start.ipynb'", timeout=START_MS
    )
    notebook.run("progress()")
    notebook.screenshot("start_after_one")
    after = notebook.output_text("progress()")
    assert "Go on with 00" in after and "1/3" in after
    assert outside_requests == []
    assert "Jupyter news" not in page.locator("body").inner_text()


def links_of(page: "Page") -> list[str]:
    return [
        str(link).split("?")[0]
        for link in page.evaluate("""[...document.querySelectorAll('.jp-Notebook table a')]
        .map(link => link.getAttribute('href')).filter(Boolean)
        .map(link => link.replace(/^.*notebooks[/]/, ''))""")
    ]


def wait_for_notebook(page: "Page", unit: str) -> None:
    page.wait_for_function(
        "path => window.jupyterapp.shell.currentWidget?.context?.path === path", arg=learners(unit), timeout=START_MS
    )
    page.wait_for_function(
        "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'", timeout=START_MS
    )


def test_a_whole_unit_runs_from_the_first_cell_to_the_last(notebook: NotebookPage, outside_requests: list[str]) -> None:
    notebook.open(learners(WHOLE))
    for name, source in answers(WHOLE).items():
        notebook.replace_source(name, source)
    notebook.replace_source(PREFLIGHT, "'the last cell'")  # it would run the unit once more
    notebook.run_all()
    notebook.screenshot("whole_unit")
    outputs = outputs_of(notebook)
    assert [text for kind, text in outputs if kind in ("error", "stderr")] == []
    assert notebook.output_text("'the last cell'").endswith("'the last cell'")
    assert undescribed_pictures(notebook.page) == (0, True)
    for name in answers(WHOLE):
        if f"{name}-check" in grade_ids(notebook):
            assert f"✓ passed · {name}" in notebook.output_text(f"{name}-check")
    assert outside_requests == []


def undescribed_pictures(page: "Page") -> tuple[int, bool]:
    """How many pictures among the outputs have no alternative text, and whether there are any pictures."""
    script = "() => [...document.querySelectorAll('.jp-OutputArea-output img')].map(picture => picture.alt.trim())"
    words = page.evaluate(script)
    return words.count(""), len(words) > 0


def outputs_of(notebook: NotebookPage) -> list[tuple[str, str]]:
    """Every output as (its kind, its text): "error", "stdout", "stderr", "display_data", "execute_result"."""
    found = notebook.page.evaluate("""() => window.jupyterapp.shell.currentWidget.content.widgets
        .filter(cell => cell.model.type === 'code').flatMap(cell => cell.model.outputs.toJSON())""")
    return [
        (output.get("name", output["output_type"]) if output["output_type"] == "stream" else output["output_type"],
         json.dumps(output.get("text") or output.get("evalue") or "")[:500])
        for output in found
    ]  # fmt: skip


def grade_ids(notebook: NotebookPage) -> set[str]:
    return set(
        notebook.page.evaluate("""() => window.jupyterapp.shell.currentWidget.content.widgets
        .map(cell => (cell.model.getMetadata('nbgrader') || {}).grade_id).filter(Boolean)""")
    )


EXPLORE = """\
import numpy as np
from autograder.lab.explorer import explore, recording

rng = np.random.default_rng(0)
def weights(heads, queries, keys):
    return rng.dirichlet(np.ones(keys), size=(heads, queries))

explore([
    recording({"encoder.blocks.0.self_attention": weights(2, 2, 2), "decoder.blocks.0.cross_attention": weights(3, 3, 2)},
              ["我", "学习"], ["I", "study", "."]),
    recording({"encoder.blocks.0.self_attention": weights(2, 3, 3)}, ["他", "昨天", "来"]),
])
"""


def test_the_explorer_shows_what_is_chosen(notebook: NotebookPage, outside_requests: list[str]) -> None:
    notebook.open(START)
    notebook.replace_source("progress()", EXPLORE)
    notebook.run("explore([")
    page = notebook.page
    picture = page.locator(".jp-OutputArea-output img[alt^='Attention map']")
    picture.wait_for(timeout=START_MS)
    assert 'Attention maps "encoder, block 1, self-attention": 2 queries' in str(picture.get_attribute("alt"))
    page.get_by_label("Layer", exact=True).select_option("decoder, block 1, cross-attention")
    page.locator("img[alt*='block 1, cross-attention']").wait_for(timeout=START_MS)
    page.get_by_label("Head", exact=True).select_option("3")
    page.locator("img[alt*='cross-attention, head 3']").wait_for(timeout=START_MS)
    notebook.screenshot("explorer")
    page.get_by_label("Sentence", exact=True).select_option("他 昨天 来")
    page.locator("img[alt*='encoder, block 1, self-attention']").wait_for(timeout=START_MS)
    assert "3 queries (rows) by 3 keys" in str(picture.get_attribute("alt"))
    assert page.get_by_label("Head", exact=True).locator("option").all_inner_texts() == ["all", "1", "2"]
    page.set_viewport_size(NARROW)
    page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    notebook.show("explore([")
    notebook.screenshot("explorer_narrow")
    assert outside_requests == []


def test_a_narrow_window_cuts_no_words_off_a_panel(notebook: NotebookPage) -> None:
    notebook.open(learners(FIRST))
    page = notebook.page
    page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    page.set_viewport_size(NARROW)
    notebook.run(f'begin("{FIRST}")')
    notebook.replace_source("pairwise_dot", "def pairwise_dot(a, b):\n    return b @ a.T")
    notebook.run("pairwise_dot")
    notebook.run("pairwise_dot-check")
    page.locator(".ag summary", has_text="Hint 1").last.click()
    for theme in ("Light", "Dark"):
        notebook.set_theme(f"JupyterLab {theme}")
        notebook.show("pairwise_dot-check")
        notebook.screenshot(f"narrow_{theme.lower()}")
        panel = page.locator(".ag").last
        box, window = panel.bounding_box(), page.locator(".jp-NotebookPanel").last.bounding_box()
        assert box is not None and window is not None
        assert box["x"] >= window["x"] and box["x"] + box["width"] <= window["x"] + window["width"]
        assert panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth + 1")
        assert panel.get_attribute("role") == "status"
        assert page.get_by_role("img", name="does not hold:").count() > 0
    notebook.set_theme("JupyterLab Light")


def test_the_preflight_at_the_end_reads_the_saved_file(notebook: NotebookPage) -> None:
    unit = FIRST
    notebook.open(learners(unit))
    name, source = next(iter(answers(unit).items()))
    notebook.replace_source(name, source)
    notebook.save()
    notebook.run(PREFLIGHT)
    notebook.show(PREFLIGHT)
    notebook.screenshot("preflight")
    told = notebook.output_text(PREFLIGHT)
    assert f"✓ {name}: its check passes" in told
    assert "Not ready: see what is marked ✗." in told
    assert Path(notebook.server.course, learners(unit)).is_file()
