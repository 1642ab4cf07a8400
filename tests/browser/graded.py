"""A class graded by the command, and the way to it in a browser."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.observing.sandbox.isolation import available
from tests.browser.lab_server import REPOSITORY, LabServer

if TYPE_CHECKING:
    from playwright.sync_api import Page


def grade(course: Path, *more: str) -> None:
    """Grade a course by the command, locked up where this machine can."""
    isolation = "auto" if available().enough else "none"
    words = ["grade", "--course", str(course), "--workers", "1", "--isolation", isolation, *more]
    done = subprocess.run(
        [sys.executable, "-m", "autograder", *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]


def log_in(page: "Page", lab: LabServer) -> None:
    """JupyterLab's page leaves the cookie that formgrader's own requests need."""
    page.goto(lab.address("lab"))
    page.wait_for_load_state("domcontentloaded")


def pictures(place: Path) -> Path:
    """Where pictures of pages go: the folder BROWSER_PICTURES, or the test's own."""
    folder = Path(os.environ.get("BROWSER_PICTURES", place))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
