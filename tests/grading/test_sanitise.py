"""What a learner wrote or put out, as an instructor's browser gets it."""

import base64
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.filters import ansi2html, markdown2html
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.formats.cases import ExerciseCases, Fault, Sighting, Tolerance
from autograder.grading.sanitise import safe_markdown, safe_outputs, safe_text, sanitise
from autograder.judging.panel import as_html
from autograder.judging.verdict import judge

pytestmark = pytest.mark.quick


def png(width: int, height: int) -> str:
    """The beginning of a picture of that size."""
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + size + b"0" * 32).decode()


PNG = png(640, 480)
HARMLESS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "a", "em", "strong", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "br",
            "div", "span", "table", "thead", "tbody", "tr", "th", "td", "del", "s"}  # fmt: skip


class Tags(HTMLParser):
    """Which tags, handlers and addresses a page would have."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.handlers: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.handlers |= {name for name, _ in attrs if name.startswith("on")}
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action", "style")]


def shown(markdown: str) -> Tags:
    """As nbconvert, and so formgrader, would show it."""
    tags = Tags()
    tags.feed(markdown2html(safe_markdown(markdown)))
    return tags


@pytest.mark.parametrize(
    "markdown",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<a href=javascript:alert(1)>x</a>",
        "text <b onmouseover=alert(1)>bold",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](<java\tscript:alert(1)>)",
        "[x](javascript&colon;alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x][y]\n\n[y]: javascript:alert(1)",
        "<javascript:alert(1)>",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "![x](http://example.org/who-looks.png)",
        "![x](x onerror=alert(1))",
        "<!-- --><iframe src=//example.org></iframe>",
        "<style>*{background:url(//example.org)}</style>",
        "<\x00script>alert(1)</script>",
        "$$\\href{javascript:alert(1)}{x}$$",
        "$\\mmlToken{mi}[href=javascript:alert(1)]{x}$ $\\bbox[background:url(//example.org)]{x}$",
        "$\\newcommand{\\h}[1]{\\href{#1script:alert(1)}{x}}\\h{java}$",
        "```html\n<script>alert(1)</script>\n```",
    ],
)
def test_markdown_shows_as_text_and_runs_nothing(markdown: str) -> None:
    tags = shown(markdown)
    assert tags.names <= HARMLESS
    assert not tags.handlers
    assert not [address for address in tags.addresses if "script:" in address.lower() or address.startswith("data:")]
    assert not [name for name in ("\\href", "\\mmlToken", "\\bbox") if name in safe_markdown(markdown)]


@given(st.text(alphabet="<>&;:()[]!#`'\"/\\ \t\njavscriptdhefonl=x1", max_size=60))
def test_no_markdown_at_all_makes_a_tag_that_could_run(markdown: str) -> None:
    tags = shown(markdown)
    assert tags.names <= HARMLESS and not tags.handlers


@pytest.mark.parametrize(
    "markdown",
    [
        "Weights are $p < 1$ and $a \\le b$.",
        "I measured the data: it was 3.",
        "- a\n- **b**\n\n| x | y |\n|---|---|\n| 1 | 2 |",
        "机器学习 — so & so",
    ],
)
def test_honest_markdown_stays_as_it_is(markdown: str) -> None:
    assert safe_markdown(markdown) == markdown


def test_outputs_are_text_and_pictures_only() -> None:
    kept = safe_outputs(
        [
            {
                "output_type": "display_data",
                "data": {"text/html": "<script>", "text/plain": "shown", "application/javascript": "x"},
            },
            {"output_type": "display_data", "data": {"image/svg+xml": "<svg onload=x>"}},
            {"output_type": "display_data", "data": {"image/png": PNG}},
            {"output_type": "display_data", "data": {"image/png": base64.b64encode(b"<svg onload=x>").decode()}},
            {"output_type": "execute_result", "data": {"text/plain": "1000.0"}},
            {"output_type": "stream", "name": "other", "text": "out"},
        ]
    )
    assert [(output["output_type"], sorted(output.get("data", {}))) for output in kept] == [
        ("display_data", ["text/plain"]),
        ("display_data", ["image/png"]),
        ("display_data", ["text/plain"]),
        ("stream", []),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
OUTPUT = st.fixed_dictionaries(
    {"output_type": st.sampled_from(["stream", "error", "display_data", "execute_result", "other"]) | JSON},
    optional=dict.fromkeys(("text", "name", "data", "ename", "evalue", "traceback"), JSON),
)


@given(st.lists(OUTPUT | JSON, max_size=4) | JSON)
def test_no_description_of_outputs_raises(outputs: object) -> None:
    for output in safe_outputs(outputs):
        assert output["output_type"] in ("stream", "error", "display_data")


@pytest.mark.parametrize(("width", "height"), [(100_000, 100_000), (2**32 - 1, 1), (0, 5)])
def test_a_picture_that_would_fill_the_browsers_memory_is_left_out(width: int, height: int) -> None:
    assert safe_outputs([{"output_type": "display_data", "data": {"image/png": png(width, height)}}]) == []


def test_a_flood_of_text_is_cut_and_says_so() -> None:
    assert safe_text("x" * 1_000_000).endswith("[cut here: 980000 more characters]")
    assert len(safe_outputs([{"output_type": "stream", "text": "x"}] * 1000)) <= 40


def test_control_characters_go_and_colours_stay_harmless() -> None:
    assert safe_text("a\x00b\x07c\x1b[31mred") == "abc\x1b[31mred"
    assert "<script" not in ansi2html(safe_text("\x1b[31m<script>alert(1)</script>"))


def test_no_formula_in_a_verdict_is_typeset() -> None:
    case = ExerciseCases("u", "f", "function", 1, 0, {}, {}, (), (), Tolerance(), (), (), "f()", (), (), 1.0)
    raised = Sighting({}, trouble=Fault("Died", r"$\href{javascript:alert(1)}{look}$"))
    panel = as_html(judge(case, (), raised))
    assert "tex2jax_ignore mathjax_ignore" in panel.split("\\href")[0]


def test_the_courses_own_cells_are_left_alone() -> None:
    mine, theirs = new_markdown_cell("<b>mine</b>", id="mine"), new_markdown_cell("<b>theirs</b>", id="theirs")
    theirs.attachments = {"a.svg": {"image/svg+xml": "x"}}
    code = new_code_cell("a = '<script>\x00'", id="code")
    notebook = new_notebook(cells=[mine, theirs, code])
    sanitise(notebook.cells, frozenset({"mine"}))
    assert [cell.source for cell in notebook.cells] == ["<b>mine</b>", "< b>theirs< /b>", "a = '<script>'"]
    assert "attachments" not in theirs
