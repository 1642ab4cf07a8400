"""An instructor's evening: a written answer gets its points and a comment in formgrader, and a regrade keeps both."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from nbgrader.api import Gradebook

from tests.browser.graded import grade, log_in, pictures
from tests.browser.lab_server import LabServer
from tests.browser.notebook_page import START_MS
from tests.grading.small_course import FULL, NAME, UNIT

if TYPE_CHECKING:
    from playwright.sync_api import Page

STUDENT = "honest"


@pytest.fixture
def course(graded_course: Path) -> Path:
    return graded_course


@pytest.fixture
def lab(graded_lab: LabServer) -> LabServer:
    return graded_lab


def found(course: Path) -> tuple[float, float | None, str, bool]:
    """The honest learner's score in all, points and comment of the written answer, and whether that waits to be graded."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        answer = book.find_grade("why", NAME, UNIT, STUDENT)
        comment = book.find_comment("why", NAME, UNIT, STUDENT).comment or ""
        return book.find_submission(UNIT, STUDENT).score, answer.manual_score, comment, bool(answer.needs_manual_grade)


def test_points_and_words_given_in_formgrader_survive_a_regrade(
    course: Path, lab: LabServer, page: "Page", tmp_path: Path
) -> None:
    assert found(course) == (FULL, None, "", True)
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        notebook = book.find_submission_notebook(NAME, UNIT, STUDENT).id
    log_in(page, lab)
    page.goto(lab.address(f"formgrader/submissions/{notebook}"), timeout=START_MS)
    points = page.locator("input.score#why")
    points.wait_for(timeout=START_MS)
    page.wait_for_load_state("networkidle")
    with page.expect_response(lambda answer: answer.request.method == "PUT" and "/api/grade/" in answer.url):
        points.fill("1.5")
        points.blur()
    words = page.locator("textarea#why-comment")
    with page.expect_response(lambda answer: answer.request.method == "PUT" and "/api/comment/" in answer.url):
        words.fill("Nearly: say why that helps.")
        words.blur()
    page.screenshot(path=pictures(tmp_path) / "formgrader_by_hand.png", full_page=True)
    given = (FULL + 1.5, 1.5, "Nearly: say why that helps.", False)
    assert found(course) == given

    grade(course, "--student", STUDENT, "--force", "--seed", "5")
    assert found(course) == given
    page.goto(lab.address(f"formgrader/submissions/{notebook}"), timeout=START_MS)
    page.wait_for_load_state("networkidle")
    assert page.locator("input.score#why").input_value() == "1.5"
    assert page.locator("textarea#why-comment").input_value() == "Nearly: say why that helps."
    rows = (course / "reports" / "grades.csv").read_text(encoding="utf-8")
    assert re.search(rf"{STUDENT},.*21\.5", rows)
    feedback = (course / "feedback" / STUDENT / UNIT / f"{NAME}.html").read_text(encoding="utf-8")
    assert (
        "1.5 of 2" in feedback and "Nearly: say why that helps." in feedback and "Total: 21.5 of 22 points." in feedback
    )
