"""What JupyterLab shows in the course's folder: no news, the units, and formgrader for an instructor."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.lab_server import LabServer
from tests.browser.notebook_page import START_MS, NotebookPage
from tests.browser.small_course import NOTEBOOK, UNIT, write_small_course

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small course with its source, in a gradebook, as after `nbgrader generate_assignment`."""
    root = write_small_course(tmp_path_factory.mktemp("small_course"))
    (root / "notebooks").rename(root / "solutions")
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", UNIT]
    subprocess.run(command, cwd=root, check=True, timeout=120)
    return root


def test_jupyterlab_asks_for_nothing_outside_and_shows_no_notification(
    notebook: NotebookPage, outside_requests: list[str]
) -> None:
    notebook.open(NOTEBOOK)
    notebook.run("total")
    notebook.screenshot("jupyterlab")
    assert outside_requests == []
    assert "Jupyter news" not in notebook.page.locator("body").inner_text()


def test_the_file_browser_opens_on_the_units(page: "Page", lab: LabServer) -> None:
    page.goto(lab.address("lab"))
    page.locator(".jp-DirListing-item", has_text=UNIT).wait_for(timeout=START_MS)


def test_formgrader_lists_the_units(notebook: NotebookPage) -> None:
    page = notebook.page
    page.goto(notebook.server.address("lab"))
    open_from_nbgrader_menu(page, "Formgrader")
    formgrader = page.frame_locator("iframe")
    formgrader.get_by_role("link", name=UNIT, exact=True).wait_for(timeout=START_MS)
    notebook.screenshot("formgrader")
    assert "not a subdirectory" not in formgrader.locator("body").inner_text()


def test_formgrader_generates_a_unit_from_solutions_into_notebooks(page: "Page", lab: LabServer) -> None:
    release = lab.course / NOTEBOOK
    release.unlink()
    page.goto(lab.address("formgrader/manage_assignments"))
    page.locator("td.assign a").first.click(timeout=START_MS)
    page.get_by_text("Success", exact=False).first.wait_for(timeout=START_MS)
    assert "raise NotImplementedError()" in release.read_text(encoding="utf-8")
    assert page.locator("td.name a").get_attribute("href") == f"/tree/./solutions/{UNIT}"


def test_the_course_list_names_this_course(notebook: NotebookPage) -> None:
    page = notebook.page
    page.goto(notebook.server.address("lab"))
    open_from_nbgrader_menu(page, "Course List")
    page.get_by_text("gpu-transformer").first.wait_for(timeout=START_MS)
    notebook.screenshot("course_list")


def open_from_nbgrader_menu(page: "Page", entry: str) -> None:
    page.locator(".lm-MenuBar-item", has_text="Nbgrader").click(timeout=START_MS)
    page.get_by_role("menuitem", name=entry, exact=True).click()
