"""The reading edition: the lessons as a static site, one folder a language, that opens without a server or a network.

Sphinx with MyST-NB makes the pages from the solved notebooks: their pictures and outputs as the build has stored them,
solutions behind a click. MathJax comes along as files.
"""

from __future__ import annotations

import copy
import io
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode, from_dict

from ..formats.language import ENGLISH, said, speaking
from ..formats.notebook_file import part_of
from ..formats.translation import translated_cells
from .build import Paths
from .catalogs import GLOSSARY, glossary
from .derived_cells import MADE, PREFLIGHT, SOLUTION_LINK
from .notebook import execute, notebook_text
from .parse import LessonError
from .start_page import LANGUAGE_NAMES, NOTATION, page_languages

_PAGES = Path(__file__).with_name("book_pages")
"""What the site holds besides the lessons: the loader of MathJax, a style, and the switch of languages."""
_LEFT_OUT = ("hidden", SOLUTION_LINK)
_OTHER_UNIT = re.compile(r"\]\((?:\.\./)+(?:notebooks|solutions)/(?:\w\w/)?(\d\d_[a-z0-9_]+)/[a-z0-9_]+\.ipynb\)")
_OTHER_FILE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+[^)]+\)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SPHINX_NAMES = {ENGLISH: "en", "zh": "zh_CN"}


def write_book(
    course: Path, units: Sequence[str], target: Path, *, solutions: bool = True, execute_translated: bool = False
) -> list[str]:
    """Write the site into `target`, which may hold an older one; what Sphinx warned of, a line each.

    solutions: show the course's solutions, folded; without them, what learners are given
    execute_translated: execute the notebooks of other languages, whose outputs are the English ones otherwise
    Raises LessonError where a unit is not built.
    """
    warnings: list[str] = []
    languages = page_languages(course)
    target.mkdir(parents=True, exist_ok=True)
    for language in languages:
        with tempfile.TemporaryDirectory() as holder, speaking(language):
            source = Path(holder) / "source"
            source.mkdir()
            for unit in units:
                page = _page(
                    course, unit, language, solutions=solutions, run=execute_translated and language != ENGLISH
                )
                (source / f"{unit}.ipynb").write_text(notebook_text(page), encoding="utf-8")
            (source / "index.md").write_text(_index(units), encoding="utf-8")
            notation = course / "solutions" / NOTATION
            if notation.is_file():
                cell = {"cell_type": "markdown", "source": notation.read_text(encoding="utf-8")}
                text = translated_cells([cell], language)[0]["source"]
                (source / "notation.md").write_text(re.sub(r"^#+ ", "# ", text, count=1), encoding="utf-8")
            shutil.rmtree(target / language, ignore_errors=True)
            warnings += _made(source, target / language, language, languages)
    shutil.copy(_PAGES / "first.html", target / "index.html")
    return warnings


def _page(course: Path, unit: str, language: str, *, solutions: bool, run: bool) -> NotebookNode:
    """One lesson as a page: cells that only serve a live notebook are left out or folded."""
    paths = Paths(course, unit)
    try:
        solved = nbformat.read(paths.solved, as_version=4)
        released = {cell.id: cell for cell in nbformat.read(paths.learner, as_version=4).cells}
    except OSError as error:
        raise LessonError(f"{error.filename} is not there; run `python -m autograder build {unit}`") from error
    notebook: NotebookNode = from_dict({**solved, "cells": translated_cells(solved.cells, language, unit)})
    if run:
        notebook = execute(notebook, paths.solved.parent)
    cells = []
    for cell in notebook.cells:
        if part_of(cell) in _LEFT_OUT or part_of(cell) == MADE or cell.id == PREFLIGHT:
            continue
        kept = copy.deepcopy(cell)
        if kept.cell_type == "markdown":
            kept.source = _OTHER_FILE.sub(r"\1", _OTHER_UNIT.sub(r"](\1.ipynb)", kept.source))
        elif part_of(kept) == "solution":
            if not solutions:
                kept.source = translated_cells([released[kept.id]], language, unit)[0]["source"]
            kept.metadata["tags"] = ["hide-input"] if solutions else []
            kept.metadata["mystnb"] = {"code_prompt_show": said("Show a solution"), "code_prompt_hide": said("Hide it")}
        elif part_of(kept) == "setup" or kept.metadata.get("jupyter", {}).get("source_hidden"):
            kept.metadata["tags"] = ["hide-input"]
        cells.append(kept)
    notebook.cells = cells
    return notebook


def _index(units: Sequence[str]) -> str:
    """The first page: what this is, and the way in."""
    lines = [
        f"# {said('Build a Transformer, check by check')}",
        "",
        said(
            "This is the course to read: its lessons with their pictures, and solutions behind a click. To write the code "
            "yourself and have it checked, open the notebooks."
        ),
        "",
        "```{toctree}",
        ":maxdepth: 1",
        "",
        *units,
        "notation",
        "```",
    ]
    return "\n".join(lines) + "\n"


def _made(source: Path, target: Path, language: str, languages: Sequence[str]) -> list[str]:
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    told = _Told()
    if language == "zh":
        _know_terms()
    with tempfile.TemporaryDirectory() as trees, docutils_namespace():
        made = Sphinx(source, None, target, trees, "html", _settings(source, language, languages), None, told, True)
        made.build()
    return [f"{language}: {line}" for line in told.lines]


def _settings(source: Path, language: str, languages: Sequence[str]) -> dict[str, Any]:
    static = source / "_site"
    shutil.copytree(_PAGES, static, ignore=shutil.ignore_patterns("*.html"))
    shutil.copytree(_mathjax(), static / "mathjax", ignore=shutil.ignore_patterns("*.md", "test", "docs", "unpacked"))
    (source / "_templates" / "sidebar").mkdir(parents=True)
    shutil.copy(_PAGES / "language.html", source / "_templates" / "sidebar")
    return {
        "project": said("Build a Transformer"),
        "extensions": ["myst_nb"],
        "exclude_patterns": ["_site", "_templates"],
        "language": _SPHINX_NAMES.get(language, language),
        "nb_execution_mode": "off",
        "nb_code_prompt_show": said("Show the code"),
        "nb_code_prompt_hide": said("Hide the code"),
        "myst_enable_extensions": ["dollarmath", "amsmath"],
        "myst_update_mathjax": False,
        "suppress_warnings": ["misc.highlighting_failure", "mystnb.unknown_mime_type", "myst.header"],
        "html_theme": "furo",
        "html_title": said("Build a Transformer"),
        "html_static_path": [str(static)],
        "html_css_files": ["book.css"],
        "html_js_files": ["search_here.js"],
        "templates_path": [str(source / "_templates")],
        "html_sidebars": {
            "**": [
                "sidebar/brand.html",
                "sidebar/language.html",
                "sidebar/search.html",
                "sidebar/scroll-start.html",
                "sidebar/navigation.html",
                "sidebar/scroll-end.html",
            ]
        },
        "html_context": {
            "languages": [(one, LANGUAGE_NAMES.get(one, one)) for one in languages],
            "spoken": language,
        },
        "html_copy_source": False,
        "html_show_sphinx": False,
        "html_show_copyright": False,
        "mathjax_path": "mathjax_here.js",
    }


def _know_terms() -> None:
    """Tell the search of Chinese pages which words it shall not cut."""
    import jieba

    jieba.setLogLevel("WARNING")
    for _, words in glossary(GLOSSARY):
        for word in words:
            jieba.add_word(word)


def _mathjax() -> Path:
    """MathJax's files, as the package of that name for Jupyter brings them."""
    import jupyter_server_mathjax

    return Path(jupyter_server_mathjax.__file__).parent / "static"


class _Told(io.StringIO):
    """The warnings that Sphinx writes."""

    @property
    def lines(self) -> list[str]:
        return [_COLOUR.sub("", line) for line in self.getvalue().splitlines() if line.strip()]
