"""The figures of the lessons: legible, complete in words, shown once."""

import io
import warnings
from collections.abc import Callable
from itertools import pairwise

import IPython
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from matplotlib.figure import Figure
from matplotlib.text import Text
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from PIL import Image

from autograder.lab import fonts, style
from autograder.lab.figures import (
    Arrow,
    Box,
    alt_text,
    attention_map,
    attention_maps,
    bars,
    flow,
    house_style,
    leak_map,
    lines,
    matrix,
    panels,
    show,
    training_curves,
)
from autograder.lab.style import BACKGROUND, image_tag, png

CHINESE = ["昨天", "我", "在", "学校", "学习", "机器学习"]
LENGTHS = np.array([8, 16, 32, 64, 128, 256])


def weights(*shape: int) -> np.ndarray:
    scores = np.exp(2 * np.random.default_rng(0).normal(size=shape))
    return scores / scores.sum(-1, keepdims=True)


def lecture_picture() -> Figure:
    boxes = {"q": Box("q¹", 0, 1, "orange"), "b": Box("b¹", 5, 4, "purple")}
    arrows: list[Arrow | tuple[str, str]] = [("a0", "q")]
    for i, sign in enumerate("¹²³⁴"):
        boxes[f"a{i}"] = Box("a" + sign, 2 * i + 1.5, 0, "grey")
        boxes[f"k{i}"] = Box("k" + sign, 2 * i + 1, 1, "blue")
        boxes[f"v{i}"] = Box("v" + sign, 2 * i + 2, 1, "green")
        boxes[f"α{i}"] = Box("α", 2 * i + 1, 2, shape="circle")
        boxes[f"×{i}"] = Box("×", 2 * i + 2, 3, shape="circle")
        arrows += [(f"a{i}", f"k{i}"), (f"a{i}", f"v{i}"), (f"k{i}", f"α{i}"), (f"α{i}", f"×{i}")]
        arrows += [(f"v{i}", f"×{i}"), (f"×{i}", "b"), Arrow("q", f"α{i}", colour="orange", bend=0.1 * i)]
    return flow(boxes, arrows, title="How b¹ looks at every input: q¹ meets each key, the weights mix the values")


GALLERY: dict[str, Callable[[], Figure]] = {
    "small map": lambda: attention_map(weights(4, 4), ["a¹", "a²", "a³", "a⁴"], title="Row 1 looks at a³"),
    "one by one": lambda: attention_map([[1.0]]),
    "cross-attention": lambda: attention_map(
        weights(8, 6), "<bos> I studied machine learning at school yesterday".split(), CHINESE,
        title="The time phrase 昨天 moves to the end of the sentence, and the attention follows it",
    ),
    "many tokens": lambda: attention_map(weights(30, 30), [f"token{i}" for i in range(30)]),
    "very long": lambda: attention_map(weights(200, 200), title="No tokens"),
    "odd tokens": lambda: attention_map(weights(4, 4), ["$x$", "\n", " ", "an unusually long single token"]),
    "no numbers": lambda: attention_map(np.full((3, 5), np.nan), title="All NaN"),
    "four heads": lambda: attention_maps(weights(4, 8, 8), queries=list("38501264"), title="Four heads"),
    "eight heads": lambda: attention_maps(weights(8, 12, 12)),
    "Chinese heads": lambda: attention_maps(weights(3, 6, 6), ["头 1", "头 2", "头 3"], CHINESE),
    "lines with bands": lambda: lines(
        LENGTHS, {"RNN": (LENGTHS * 2e-5, LENGTHS * 1e-5, LENGTHS * 3e-5), "attention": LENGTHS**2 * 1e-8},
        "sequence length (tokens)", "time (s)", logx=True, logy=True, title="Where lines cross",
    ),
    "shares": lambda: lines(LENGTHS, {"句子": np.linspace(1, 0, 6)}, "distance", "recall", percent=True),
    "bars": lambda: bars(
        {"RNN": 0.32, "causal convolution, 3 wide": 0.81, "self-attention": (0.99, 0.97, 1.0)},
        "recall (% of sequences)", percent=True, highlight="self-attention", title="Only one recalls",
    ),
    "log bars": lambda: bars({"loop": 0.628, "矩阵 form": 0.0013}, "time (s)", logx=True),
    "signed bars": lambda: bars({"up": 2.0, "down": (-3.5, -4.0, -3.0), "nowhere": 0.0}, "score"),
    "positions": lambda: matrix(np.sin(np.outer(range(50), range(64))), "dimension", "position", title="W"),
    "scores": lambda: matrix(weights(3, 5) * 900 - 300, "key", "query", rows=["q¹", "q²", "q³"]),
    "no leak": lambda: leak_map(np.triu(np.ones((7, 7))), title="Changing token t moves outputs from t on"),
    "a leak": lambda: leak_map(np.ones((6, 6), dtype=bool), CHINESE),
    "lecture": lecture_picture,
    "sideways": lambda: flow(
        {
            "x": Box("机器学习\n(seq, d_in)", 0, 0),
            "y": Box("machine learning", 1, 0, "blue"),
            "z": Box("?", 2, 0.5, shape="text"),
        },
        [("x", "y", "translate"), Arrow("y", "x", "back", bend=0.5, dashed=True), ("y", "z")],
    ),
    "training": lambda: training_curves(
        {"training": (LENGTHS, 3 / LENGTHS)},
        {"teacher-forced accuracy": (LENGTHS, 1 - 1 / LENGTHS), "greedy exact match": (LENGTHS, 0 * LENGTHS)},
        title="A leak: one curve rises, the other stays at 0",
    ),
}  # fmt: skip


WITH_CHINESE = ["cross-attention", "Chinese heads", "shares", "log bars", "a leak", "sideways"]


def written(figure: Figure) -> list[Text]:
    """All texts that the reader sees."""
    texts = []
    for text in figure.findobj(Text):
        drawn = text.get_visible() and text.get_text().strip()
        if drawn and text.get_window_extent().width > 0:
            texts.append(text)
    ticks = [tick for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_major_ticks()]
    # Matplotlib keeps tick labels outside the axes' limits, or on the other side, without drawing them.
    labels = {label for tick in ticks for label in (tick.label1, tick.label2)}
    drawn_labels = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis._update_ticks()
        for label in (tick.label1, tick.label2)
    }
    return [text for text in texts if text not in labels or text in drawn_labels]


@pytest.mark.parametrize("name", GALLERY)
def test_a_figure_is_legible_and_silent(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    if name in WITH_CHINESE and fonts.chinese_family() is None:
        pytest.skip("no Chinese font is installed here (Debian and Ubuntu: apt-get install fonts-noto-cjk)")
    assert_legible_and_silent(name, capfd)


@pytest.mark.parametrize("name", WITH_CHINESE)
def test_a_figure_is_legible_and_silent_without_a_chinese_font(
    name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "chinese_family", lambda: None)
    assert_legible_and_silent(name, capfd)


def assert_legible_and_silent(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = GALLERY[name]()
        image = Image.open(io.BytesIO(png(figure)))
    assert capfd.readouterr().err == ""
    assert image.convert("RGBA").getpixel((0, 0)) == (*bytes.fromhex(BACKGROUND[1:]), 255)
    assert alt_text(figure).endswith(".")
    assert figure.get_figwidth() <= 6.7, "wider than a narrow notebook"
    figure.draw_without_rendering()  # places are known for the last drawing, and the PNG has finer pixels
    page = figure.bbox
    for text in written(figure):
        assert text.get_fontsize() >= 10, f"{text.get_text()!r} is too small"
        assert fonts.drawable(text.get_text()), f"{text.get_text()!r} would show empty boxes"
        box = text.get_window_extent()
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= page.width + 1 and box.y1 <= page.height + 1
        assert inside, f"{text.get_text()!r} is cut off"
    for axes in figure.axes:
        for axis, side in ((axes.xaxis, "x"), (axes.yaxis, "y")):
            labels = [tick.label1 for tick in axis._update_ticks() if tick.label1.get_text()]
            # Of a slanted label only the enclosing rectangle is known, and those may overlap.
            labels = [label for label in labels if label.get_visible() and label.get_rotation() != 45]
            boxes = [label.get_window_extent() for label in labels]
            spans = sorted((getattr(box, side + "0"), getattr(box, side + "1")) for box in boxes)
            for (_, end), (begin, _) in pairwise(spans):
                assert end <= begin + 1.5, f"the labels of the {side} axis touch each other"


@pytest.mark.parametrize("name", ["small map", "cross-attention", "scores"])
def test_numbers_in_cells_stand_out_from_their_cells(name: str) -> None:
    figure = GALLERY[name]()
    axes = figure.axes[0]
    image = axes.images[0]

    def luminance(colour: np.ndarray) -> float:
        linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    assert axes.texts
    for text in axes.texts:
        column, row = text.get_position()
        cell = luminance(np.array(image.cmap(image.norm(image.get_array()[int(row), int(column)])))[:3])
        ink = luminance(np.array(plt.matplotlib.colors.to_rgb(text.get_color())))
        # WCAG 2 asks for a contrast of 4.5 for text of this size.
        assert (max(cell, ink) + 0.05) / (min(cell, ink) + 0.05) >= 4.5


def test_the_words_of_an_attention_map_name_where_each_query_looks() -> None:
    figure = attention_map([[0.1, 0.9], [0.7, 0.3], [np.nan, np.nan]], ["I", "\n", "it"], ["我", "学习"], title="T")
    assert alt_text(figure).startswith('Attention map "T": 3 queries (rows) by 2 keys (columns).')
    assert "I looks most at 学习 (0.90); ↵ looks most at 我 (0.70); it has no weights (NaN)" in alt_text(figure)


def test_heads_share_one_colour_scale() -> None:
    figure = attention_maps([[[0.1, 0.2]], [[0.9, 0.0]]])
    assert {image.get_clim() for axes in figure.axes for image in axes.images} == {(0.0, 0.9)}


def test_a_leak_is_an_output_before_the_changed_input_and_is_named() -> None:
    moved = np.triu(np.ones((4, 4)))
    assert "10 of 16 moved. No leak." in alt_text(leak_map(moved))
    moved[3, 1] = 1e-9
    assert "1 leaks: input 3 moves output 1." in alt_text(leak_map(moved))
    assert "input d at 3 moves output b at 1" in alt_text(leak_map(moved, list("abcd")))
    assert "No leak." in alt_text(leak_map(moved, tolerance=1e-6))
    assert "leak" not in alt_text(leak_map(moved, causal=False))


def test_a_line_is_told_by_its_ends_and_its_extremes() -> None:
    figure = lines([1, 2, 3], {"up and down": [1, 5, 2]}, "step", "loss")
    assert "loss against step. up and down: from 1 at 1 to 2 at 3, highest 5 at 2." in alt_text(figure)


def test_whole_numbers_are_written_without_digits_behind_the_point() -> None:
    texts = [text.get_text() for text in matrix([[12, 3], [0, -4]], "column", "row").axes[0].texts]
    assert texts == ["12", "3", "0", "−4"]
    texts = [text.get_text() for text in matrix([[1.0, 0.0]], "column", "row").axes[0].texts]
    assert texts == ["1.00", "0"]


def test_a_legend_above_the_picture_covers_no_line() -> None:
    figure = lines([0, 1], {"one": [0, 1], "other": [1, 0]}, "x", "y", legend_above=True)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1


def test_three_numbers_are_a_line_and_three_rows_are_a_band() -> None:
    assert len(lines([1, 2, 3], {"y": (1.0, 2.0, 3.0)}, "x", "y").axes[0].collections) == 0
    band = lines([1, 2], {"y": ([2, 3], [1, 2], [3, 4])}, "x", "y")
    assert len(band.axes[0].collections) == 1


def test_series_may_have_places_of_their_own() -> None:
    figure = lines({"a": [1, 2], "b": [5]}, {"a": [1, 1], "b": [2]}, "x", "y")
    assert "b: 2 at 5" in alt_text(figure)


def test_both_training_curves_are_in_the_words() -> None:
    words = alt_text(GALLERY["training"]())
    assert words.startswith('Training curves "A leak: one curve rises, the other stays at 0".')
    assert "greedy exact match: from 0 % at 8 to 0 % at 256" in words


def test_a_diagram_lists_its_boxes_and_arrows_unless_told_otherwise() -> None:
    boxes = {"x": Box("input", 0, 0), "y": Box("output", 1, 0)}
    assert "Arrows: input to output (W)." in alt_text(flow(boxes, [("x", "y", "W")]))
    assert alt_text(flow(boxes, alt="From left to right.")) == "From left to right."


def test_labels_of_a_diagram_stay_inside_their_boxes() -> None:
    figure = GALLERY["sideways"]()
    axes = figure.axes[0]
    frames = [patch.get_window_extent() for patch in axes.patches if type(patch).__name__ == "FancyBboxPatch"]
    labels = [text.get_window_extent() for text in axes.texts if text.get_fontsize() == 12]
    for frame, label in zip(frames, labels, strict=True):
        assert frame.x0 <= label.x0 and label.x1 <= frame.x1 and frame.y0 <= label.y0 and label.y1 <= frame.y1


def test_numbered_labels_are_explained_in_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "chinese_family", lambda: None)
    figure = attention_map(np.eye(2), ["机器", "学习"])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["[1]", "[2]"]
    assert alt_text(figure).endswith("Labels: [1] 机器   [2] 学习.")


def test_keys_of_equal_weight_are_all_named_in_words() -> None:
    text = alt_text(attention_map([[0.44, 0.44, 0.12], [0.2, 0.7, 0.1], [1 / 3] * 3], keys=["we", "read", "on"]))
    assert "query 0 looks most at we and read (0.44 each); query 1 looks most at read (0.70)" in text
    text = alt_text(attention_map(np.full((1, 5), 0.2)))
    assert "query 0 looks most at 5 keys alike (0.20 each)" in text


def test_tensors_of_any_float_width_are_drawn() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.eye(3, dtype=torch.bfloat16, requires_grad=True)
    assert "query 2 looks most at key 2 (1.00)" in alt_text(attention_map(tensor))
    assert len(attention_maps(torch.stack([tensor, tensor])).axes) == 3


def test_several_pictures_share_a_figure_and_its_words() -> None:
    figure, axes = panels(1, 2)
    assert lines([1, 2], {"a": [1, 2]}, "x", "y", ax=axes[0, 0]) is figure
    assert attention_map(np.eye(2), title="Two", ax=axes[0, 1]) is figure
    assert "Line plot" in alt_text(figure) and "Attention map" in alt_text(figure)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: attention_map(weights(2, 3, 4)), r"shape \(2, 3, 4\).*weights\[0, 0\]"),
        (lambda: attention_map(weights(3, 4), ["a", "b"]), r"2 queries for a matrix of the shape \(3, 4\)"),
        (lambda: attention_maps(weights(2, 3, 4), ["one"]), "2 maps, but 1 titles"),
        (lambda: attention_maps([]), "no maps"),
        (lambda: lines([1, 2, 3], {"a": [1, 2]}, "x", "y"), "'a' has"),
        (lambda: bars({"a": (1, 2)}, "x"), "'a' needs a number"),
        (lambda: flow({}), "no boxes"),
        (lambda: flow({"a": Box("a", 0, 0)}, [("a", "b")]), "an arrow names 'b'"),
        (lambda: flow({"a": Box("a", 0, 0), "b": Box("b", 0, 0)}), "same place"),
        (lambda: flow({"a": Box("a", 0, 0, "pink")}), "'pink'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(draw: Callable[[], Figure], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw()


def test_the_house_style_ends_with_its_block() -> None:
    before = plt.rcParams["axes.facecolor"]
    with house_style():
        assert plt.rcParams["axes.facecolor"] == BACKGROUND
    assert plt.rcParams["axes.facecolor"] == before


def test_a_figure_of_ones_own_needs_words_to_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    figure, _ = plt.subplots()
    with pytest.raises(ValueError, match="say in a sentence what this figure shows"):
        show(figure)
    show(figure, alt="An empty pair of axes.")
    assert plt.get_fignums() == []
    assert "An empty pair of axes." in capsys.readouterr().out


def test_a_notebook_shows_each_figure_once_with_its_words() -> None:
    cells = [
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nfrom autograder.lab import fonts\n"
        "from autograder.lab.figures import attention_map, show",
        "show(attention_map([[0.2, 0.8]]))",
        "attention_map([[0.2, 0.8]])",
        "figure, axes = plt.subplots()\naxes.plot([1, 2])\nshow(figure, alt='A \"rising\" line.')",
        "fonts.chinese_family = lambda: None\nshow(attention_map([[0.2, 0.8]], ['机器'], ['a', 'b']))",
        "%env AUTOGRADER_FIGURES_IN_WORDS=1\nshow(attention_map([[0.2, 0.8]]))",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [cell.outputs for cell in notebook.cells]
    pictures = [[out for out in outs if "image/png" in out.get("data", {})] for outs in outputs]
    assert [len(found) for found in pictures] == [0, 1, 1, 1, 1, 1]
    said = [["".join(out.text) for out in outs if out.output_type == "stream"] for outs in outputs]
    assert said[1:4] == [[], [], []]
    assert said[4] == ["[1] 机器\n"]
    assert "query 0 looks most at key 1 (0.80)" in said[5][-1]
    for found in pictures[1:3]:
        assert "query 0 looks most at key 1 (0.80)" in found[0].metadata["image/png"]["alt"]
        assert found[0].data["text/plain"] == found[0].metadata["image/png"]["alt"]
    page, _ = HTMLExporter(template_name="classic").from_notebook_node(notebook)
    assert 'A "rising" line.' in [image.get("alt") for image in BeautifulSoup(page, "html.parser").find_all("img")]


def test_a_pictures_words_cannot_become_html() -> None:
    tag = image_tag(b"png", 'one "two" <three>', 480)
    assert 'alt="one &quot;two&quot; &lt;three&gt;" width="480"' in tag


@pytest.mark.parametrize(
    ("live", "kinds"), [(True, {"image/png", "text/html", "text/plain"}), (False, {"image/png", "text/plain"})]
)
def test_a_live_page_gets_the_words_as_html_as_well(
    live: bool, kinds: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dict[str, str]] = []
    monkeypatch.setattr(IPython, "get_ipython", object)
    monkeypatch.setattr(IPython.display, "display", lambda data, **_: shown.append(data))
    monkeypatch.setattr(style, "is_live", lambda: live)
    show(lines([1, 2], {"a": [1.0, 2.0]}, "steps", "loss"))
    assert set(shown[0]) == kinds
