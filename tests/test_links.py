"""Every link of the documents, notebooks and lessons to a file of the project leads somewhere."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from autograder.authoring.parse import unit_stem, units

pytestmark = pytest.mark.quick

COURSE = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(COURSE.glob("*.md")) + sorted((COURSE / "docs").glob("**/*.md"))
NOTEBOOKS = [
    COURSE / place / unit / f"{unit_stem(unit)}.ipynb"
    for place in ("notebooks", "solutions") for unit in units(COURSE / "solutions")
] + [COURSE / "notebooks" / "start.ipynb"]  # fmt: skip
LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|\b(?:href|src)=[\"']([^\"']+)[\"']")
NAMED = re.compile(r"`((?:autograder|solutions|notebooks|tests|docs|jupyterlab_settings)/[\w./-]+\.\w+)`")


def words_of(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")


def links(path: Path) -> Iterator[str]:
    for match in LINK.finditer(words_of(path)):
        target = unquote((match[1] or match[2]).split("#")[0])
        if target and not re.match(r"[a-z]+:", target):
            yield target


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", words_of(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS + NOTEBOOKS, ids=lambda path: path.relative_to(COURSE).as_posix())
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    assert [link for link in links(path) if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_within_a_document_names_a_heading(path: Path) -> None:
    wanted = re.findall(r"\]\(#([^)]+)\)", words_of(path))
    assert [anchor for anchor in wanted if anchor not in anchors(path)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_of_ours_that_a_document_names_is_there(path: Path) -> None:
    named = [name for name in NAMED.findall(words_of(path)) if not re.search(r"UNIT|NAME|STUDENT", name)]
    assert [name for name in named if not (COURSE / name).exists()] == []


def test_every_notebook_leads_to_the_map_and_every_unit_is_on_it() -> None:
    assert all("../../notebooks/start.ipynb" in set(links(path)) for path in NOTEBOOKS[:-1])
    on_the_map = {link.split("/")[0] for link in links(NOTEBOOKS[-1])}
    assert on_the_map == {*units(COURSE / "solutions"), "zh"}  # and the map in Chinese


def test_the_readme_lists_every_unit() -> None:
    rows = re.findall(r"^\| (?:\[)?(\d\d) ", (COURSE / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [unit for unit in units(COURSE / "solutions") if unit[:2] not in rows] == []


def test_a_dead_link_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md) [b](missing.md#part) <img src='gone.png'> [c](https://x.y)\n```\n[d](code.md)\n```",
        encoding="utf-8",
    )
    (tmp_path / "there.md").touch()
    assert [link for link in links(page) if not (page.parent / link).exists()] == ["missing.md", "gone.png"]
