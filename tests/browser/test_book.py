"""The reading edition, opened as files: two languages, phone and desk, light and dark, search, formulas, folded solutions."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autograder.authoring.book import write_book
from tests.browser.lab_server import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

UNITS = ("02_attention_scores", "03_self_attention")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1200, "height": 900}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("book") / "book"
    assert write_book(REPOSITORY, UNITS, target) == []
    return target


@pytest.fixture
def page(browser: "Browser") -> Iterator["Page"]:
    """A page that notes every request that is none for a file."""
    opened = browser.new_page(viewport=DESK)  # type: ignore[arg-type]
    opened.asked = []  # type: ignore[attr-defined]
    opened.on(
        "request",
        lambda request: request.url.startswith(("file:", "data:", "about:")) or opened.asked.append(request.url),  # type: ignore[attr-defined]
    )
    yield opened
    opened.close()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_lesson_fits_a_phone_with_its_formulas_typeset_and_nothing_from_elsewhere(
    book: Path, page: "Page", language: str, scheme: str
) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{book.as_uri()}/{language}/{UNITS[0]}.html")
    page.wait_for_function("document.querySelectorAll('.MathJax').length > 50")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.asked == []  # type: ignore[attr-defined]
    title = page.locator("h1").inner_text()
    assert ("注意力分数" in title) == (language == "zh")
    assert page.locator("article img").count() >= 3


def test_a_solution_is_folded_and_the_switch_leads_to_the_same_page(book: Path, page: "Page") -> None:
    page.goto(f"{book.as_uri()}/en/{UNITS[0]}.html")
    solution = page.locator("details", has_text="shifted = x - np.max").first
    assert "Show a solution" in solution.locator("summary").inner_text()
    assert not solution.locator("pre").is_visible()
    solution.locator("summary").click()
    assert solution.locator("pre").first.is_visible()
    page.get_by_role("link", name="中文").first.click()
    page.wait_for_url(f"**/zh/{UNITS[0]}.html")
    assert any("解答" in told for told in page.locator("details summary").all_inner_texts())
    page.get_by_role("link", name=re.compile("03 ·")).last.click()
    page.wait_for_url(f"**/zh/{UNITS[1]}.html")


@pytest.mark.parametrize(("language", "word"), [("en", "softmax"), ("zh", "点积")])
def test_a_word_is_found(book: Path, page: "Page", language: str, word: str) -> None:
    page.goto(f"{book.as_uri()}/{language}/search.html?q={word}")
    page.wait_for_selector("ul.search li a")
    assert UNITS[0] in page.locator("ul.search li a").first.get_attribute("href")  # type: ignore[operator]


def test_every_link_leads_to_a_page(book: Path) -> None:
    missing = []
    for path in sorted(book.glob("*/*.html")):
        for link in re.findall(r'href="([^"#?]+)', path.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:", link) and not (path.parent / link).exists():
                missing.append(f"{path.name}: {link}")
    assert missing == []


def test_a_book_without_solutions_holds_none(tmp_path: Path) -> None:
    write_book(REPOSITORY, UNITS[:1], tmp_path / "book", solutions=False)
    for language in ("en", "zh"):
        text = (tmp_path / "book" / language / f"{UNITS[0]}.html").read_text(encoding="utf-8")
        assert "exponentials" not in text and "NotImplementedError" in text
