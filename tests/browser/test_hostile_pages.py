"""What a learner wrote is looked at in a real browser: nothing of it runs, asks for anything, or changes a grade."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest
from nbgrader.api import Gradebook

from tests.browser.graded import log_in, pictures
from tests.browser.hostile_class import scores
from tests.browser.lab_server import LabServer
from tests.browser.notebook_page import START_MS, NotebookPage
from tests.grading.small_course import NAME, UNIT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page, Request, Route

WIDE, PHONE = {"width": 1280, "height": 1000}, {"width": 390, "height": 844}


@pytest.fixture
def course(graded_course: Path) -> Path:
    return graded_course


@pytest.fixture
def lab(graded_lab: LabServer) -> LabServer:
    return graded_lab


@dataclass
class Watched:
    """A page, and all that happened in it."""

    page: "Page"
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def traces(self) -> list[str]:
        """What a learner's code left behind; nothing, where none ran."""
        ran = [str(frame.evaluate("window.ran ?? ''")) for frame in self.page.frames]
        return [*filter(None, ran), *self.dialogs, *(told for told in self.requests if self._is_hostile(told))]

    @staticmethod
    def _is_hostile(told: str) -> bool:
        method, address = told.split(" ", 1)
        return method != "GET" or "evil.test" in address or address.startswith("data:text/html")


@pytest.fixture
def watched(browser: "Browser") -> Iterator[Watched]:
    context = browser.new_context(viewport=WIDE)  # type: ignore[arg-type]
    seen = Watched(context.new_page())

    def note(request: "Request") -> None:
        seen.requests.append(f"{request.method} {request.url}")

    def dismiss(dialog: "Dialog") -> None:
        seen.dialogs.append(dialog.message)
        dialog.dismiss()

    def refuse(route: "Route") -> None:
        route.abort()

    context.on("request", note)
    seen.page.on("dialog", dismiss)
    context.route(lambda url: urlsplit(url).hostname not in ("127.0.0.1", "localhost", None), refuse)
    yield seen
    context.close()


def submissions(course: Path) -> dict[str, str]:
    """The gradebook's id of each student's notebook."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        return {one.student.id: one.id for one in book.notebook_submissions(NAME, UNIT)}


def grades(course: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(course / "gradebook.db") as book:
        return (
            book.execute("select * from grade order by id").fetchall()
            + book.execute("select * from comment order by id").fetchall()
        )


def poke(page: "Page") -> None:
    """What a person does with a page: opens what is folded, moves over everything, clicks links."""
    page.evaluate(
        """() => {
            for (const fold of document.querySelectorAll('details')) fold.open = true;
            for (const node of document.querySelectorAll('body *')) {
                for (const kind of ['mouseover', 'focus', 'mouseenter', 'pointerover']) node.dispatchEvent(new Event(kind));
            }
            for (const link of document.querySelectorAll('a[href^="javascript" i], a[href^="data" i], a[href^="vbscript" i]')) link.click();
        }"""
    )
    page.wait_for_timeout(150)


def test_everybody_got_what_the_code_earned(course: Path) -> None:
    earned = {"outputs": 20.0, "honest": 20.0}
    found = scores(course)
    assert {student: score for student, score in found.items() if score} == earned
    assert len(found) == len(list((course / "submitted").iterdir())) > 20


def test_formgrader_shows_every_submission_and_runs_nothing(
    course: Path, lab: LabServer, watched: Watched, tmp_path: Path
) -> None:
    before, page = grades(course), watched.page
    log_in(page, lab)
    shown = 0
    for student, notebook in submissions(course).items():
        answer = page.goto(lab.address(f"formgrader/submissions/{notebook}"), timeout=START_MS)
        assert answer is not None and answer.ok, student
        page.wait_for_load_state("load")
        poke(page)
        assert watched.traces() == [], student
        shown += page.locator(".nbgrader_cell, div.nbgrader-grade, .nbgrader_score").count() > 0
        if student in ("outputs", "answers", "honest"):
            page.screenshot(path=pictures(tmp_path) / f"formgrader_{student}.png", full_page=student != "outputs")
    assert shown == len(submissions(course))
    assert grades(course) == before


def test_formgraders_lists_show_odd_names_as_text(
    course: Path, lab: LabServer, watched: Watched, tmp_path: Path
) -> None:
    page = watched.page
    log_in(page, lab)
    for place in (f"manage_submissions/{UNIT}", f"gradebook/{UNIT}/{NAME}", "manage_students", f"gradebook/{UNIT}"):
        page.goto(lab.address(f"formgrader/{place}"))
        page.locator("td.name a, td.student-name, td.id").first.wait_for(timeout=START_MS)
        page.wait_for_load_state("networkidle")
        poke(page)
        assert watched.traces() == [], place
        page.screenshot(path=pictures(tmp_path) / f"formgrader_{place.split('/')[0]}.png")


def test_feedback_pages_and_the_report_run_nothing_and_ask_for_nothing(
    course: Path, watched: Watched, tmp_path: Path
) -> None:
    pages = [*sorted((course / "feedback").rglob("*.html")), course / "reports" / "report.html"]
    assert len(pages) == len(list((course / "submitted").iterdir())) + 1
    for place in pages:
        watched.requests.clear()
        watched.page.goto(place.as_uri())
        poke(watched.page)
        assert watched.traces() == [], place
        assert [told for told in watched.requests if not told.startswith(("GET file:", "GET data:image/png"))] == [], (
            place
        )
    for name, size in (("wide", WIDE), ("phone", PHONE)):
        watched.page.set_viewport_size(size)  # type: ignore[arg-type]
        for title, place in (
            ("report", pages[-1]),
            *((one, course / "feedback" / one / UNIT / f"{NAME}.html") for one in ("answers", "honest")),
        ):
            watched.page.goto(place.as_uri())
            # Nothing is cut off at the side: what is wide scrolls in its own box.
            assert watched.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (title, name)
            watched.page.screenshot(path=pictures(tmp_path) / f"{title}_{name}.png", full_page=title != "answers")


def test_nbgraders_own_feedback_runs_nothing(course: Path, watched: Watched) -> None:
    ours = {path: path.read_bytes() for path in (course / "feedback").rglob("*.html")}
    command = [sys.executable, "-m", "nbgrader", "generate_feedback", UNIT, "--force"]
    subprocess.run(command, cwd=course, check=True, capture_output=True, timeout=300)
    try:
        for student in ("outputs", "answers", "one-script", "one-svg"):
            watched.page.goto((course / "feedback" / student / UNIT / f"{NAME}.html").as_uri())
            poke(watched.page)
            assert watched.traces() == [], student
    finally:
        for path, text in ours.items():
            path.write_bytes(text)


def test_a_graded_notebook_opened_in_jupyterlab_runs_nothing(
    course: Path, notebook: NotebookPage, outside_requests: list[str]
) -> None:
    notebook.open(quote(f"autograded/outputs/{UNIT}/{NAME}.ipynb"))
    poke(notebook.page)
    assert notebook.page.evaluate("window.ran ?? ''") == ""
    assert [address for address in outside_requests if "evil.test" in address] == []
