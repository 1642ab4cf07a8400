"""Fixtures: a browser, a JupyterLab over a copy of the course, and a page that drives a notebook in it.

Without a browser these tests are skipped with a reason; with CI set they fail instead, so that they never
vanish there. All of them share one browser and one JupyterLab, over the repository's course; a module about graded
submissions overrides `course` and `lab` by `graded_course` and `graded_lab`. Browser and servers end with the
folder's last test: while Playwright runs, no other test of the process can run an event loop.
"""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.browser.hostile_class import write_hostile_class
from tests.browser.lab_server import LabServer, copy_course, running_lab
from tests.browser.notebook_page import NotebookPage

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder is a browser test, and all of them stay on one worker of pytest-xdist."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


def missing_browser(reason: str) -> None:
    """Skips the test, or fails it where CI has to run it."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; in CI the browser tests must run")
    pytest.skip(reason)


def browser_path() -> str | None:
    """The machine's own Chromium: BROWSER_PATH where set, otherwise the first that PATH knows."""
    return os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="package")
def browser() -> Iterator["Browser"]:
    """The machine's own Chromium, started once."""
    if importlib.util.find_spec("playwright") is None:
        missing_browser("the package playwright is not installed")
    path = browser_path()
    if path is None or not Path(path).exists():
        missing_browser(f"no browser: none of {', '.join(BROWSERS)} on PATH, or BROWSER_PATH names none")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, headless=True, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture(scope="package")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root folder that JupyterLab and nbgrader see: a copy of the repository's course."""
    return copy_course(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="package")
def lab(browser: "Browser", course: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with running_lab(course, tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture(scope="package")
def graded_course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small course with a class of hostile submissions and an honest one, all graded."""
    return write_hostile_class(tmp_path_factory.mktemp("hostile") / "course")


@pytest.fixture(scope="package")
def graded_lab(
    browser: "Browser", graded_course: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabServer]:
    with running_lab(graded_course, tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture
def outside_requests() -> list[str]:
    """The addresses off this machine that the page of this test asked for. They were refused."""
    return []


@pytest.fixture
def page(browser: "Browser", lab: LabServer, outside_requests: list[str]) -> Iterator["Page"]:
    """A fresh browser session whose requests cannot leave the machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})

    def refuse(route: "Route") -> None:
        outside_requests.append(route.request.url)
        route.abort()

    context.route(lambda url: urlsplit(url).hostname not in ("127.0.0.1", "localhost", None), refuse)
    yield context.new_page()
    context.close()
    lab.end_sessions()


@pytest.fixture
def notebook(page: "Page", lab: LabServer, tmp_path: Path) -> NotebookPage:
    """Opens, fills in, runs, reads and validates notebooks of the course."""
    return NotebookPage(page, lab, Path(os.environ.get("BROWSER_PICTURES", tmp_path)))
