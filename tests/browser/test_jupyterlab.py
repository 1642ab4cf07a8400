"""What JupyterLab offers in the course's folder: the units, and formgrader for an instructor."""

from typing import TYPE_CHECKING

import nbformat

from tests.browser.lab_server import REPOSITORY, LabServer
from tests.browser.notebook_page import START_MS, NotebookPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

UNIT = "07_masking"
RELEASE = f"notebooks/{UNIT}/masking.ipynb"


def test_it_lists_the_units_and_nbgraders_menu_finds_this_course(notebook: NotebookPage) -> None:
    page = notebook.page
    page.goto(notebook.server.address("lab"))
    page.locator(".jp-DirListing-item", has_text=UNIT).wait_for(timeout=START_MS)
    open_from_nbgrader_menu(page, "Course List")
    page.get_by_text("gpu-transformer").first.wait_for(timeout=START_MS)
    open_from_nbgrader_menu(page, "Formgrader")
    formgrader = page.frame_locator("iframe")
    formgrader.get_by_role("link", name=UNIT, exact=True).wait_for(timeout=START_MS)
    notebook.screenshot("formgrader")
    assert "not a subdirectory" not in formgrader.locator("body").inner_text()


def test_formgrader_generates_from_solutions_the_notebook_that_the_build_has_released(
    page: "Page", lab: LabServer
) -> None:
    release = lab.course / RELEASE
    release.unlink()
    page.goto(lab.address("formgrader/manage_assignments"))
    row = page.locator("tr", has_text=UNIT)
    row.locator("td.assign a").click(timeout=START_MS)
    page.get_by_text("Success", exact=False).first.wait_for(timeout=START_MS)
    generated, built = (nbformat.read(path, as_version=4).cells for path in (release, REPOSITORY / RELEASE))
    assert [released(cell) for cell in generated] == [released(cell) for cell in built]
    assert row.locator("td.name a").get_attribute("href") == f"/tree/./solutions/{UNIT}"


def released(cell: nbformat.NotebookNode) -> tuple[object, ...]:
    return cell.id, cell.cell_type, cell.source, cell.metadata.get("nbgrader")


def open_from_nbgrader_menu(page: "Page", entry: str) -> None:
    page.locator(".lm-MenuBar-item", has_text="Nbgrader").click(timeout=START_MS)
    page.get_by_role("menuitem", name=entry, exact=True).click()
