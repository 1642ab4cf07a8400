"""The attention explorer: choose a sentence, a layer and a head of a model, and see its map.

`record` runs any model of the course and keeps what its attention layers looked at; `explore` shows it. In a live
notebook that is a row of menus over one picture. Where nobody can choose (nbconvert, grading, a terminal, no
ipywidgets) it is one still figure.
"""

from __future__ import annotations

import html
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from numpy.typing import NDArray

from autograder.formats.language import said
from autograder.lab.attention import attention_map, attention_maps
from autograder.lab.front_end import is_live
from autograder.lab.style import CSS_PIXELS_PER_INCH, alt_text, as_array, close, image_tag, legend_text, png, show

_ALL = 0
"""The menu's entry for all heads; a head counts from 1. (None would be no entry at all.)"""


@dataclass(frozen=True)
class Layer:
    """One attention layer's weights in one sentence, (num_heads, seq_q, seq_k), the tokens at its rows and columns, and
    what rows and columns are."""

    weights: NDArray[Any]
    queries: tuple[str, ...]
    keys: tuple[str, ...]
    axes: tuple[str, str] = ("queries", "keys")


@dataclass(frozen=True)
class Recording:
    """What a model looked at in one sentence, or in a pair of them: its attention layers by name."""

    name: str
    layers: dict[str, Layer]


def record(
    model: Any, *inputs: Any, tokens: Sequence[str], written: Sequence[str] | None = None, bos: str = "<bos>",
    name: str | None = None, row: int = 0, **keywords: Any,
) -> Recording:  # fmt: skip
    """Run `model(*inputs)` once, without dropout and gradients, and keep its attention weights.

    model:   any PyTorch model whose attention layers are named `...attention` and return `(output, weights)`,
             weights (batch, num_heads, seq_q, seq_k); a layer that runs several times is kept as it ran last
    tokens:  the source's tokens, of the sentence in `row` of the batch; padding behind them is cut off
    written: what the decoder is to write at each place: the rows of its maps. What it reads there, the columns of its
             self-attention, is one place behind: `bos`, then all of `written` but the last

    Raises ValueError where the model has no such layer.
    """
    import torch

    seen: dict[str, Any] = {}
    hooks = []
    for path, module in model.named_modules():
        if path.rpartition(".")[2].endswith("attention"):

            def keep(_module: Any, _inputs: Any, output: Any, path: str = path) -> None:
                if isinstance(output, tuple) and len(output) > 1 and getattr(output[1], "ndim", 0) == 4:
                    seen[path] = output[1]

            hooks.append(module.register_forward_hook(keep))
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            model(*inputs, **keywords)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    if not seen:
        raise ValueError(
            "record: no layer of this model is named `...attention` and returns (output, weights), "
            "weights with the axes (batch, num_heads, seq_q, seq_k)."
        )
    return recording({path: weights[row] for path, weights in seen.items()}, tokens, written, name, bos)


def recording(
    weights: Mapping[str, Any],
    tokens: Sequence[str],
    written: Sequence[str] | None = None,
    name: str | None = None,
    bos: str = "<bos>",
) -> Recording:
    """The same from plain arrays: a layer's name -> weights (num_heads, seq_q, seq_k) or (seq_q, seq_k).

    A layer with "cross" in its name has written words at its rows and source tokens at its columns; one with "decoder"
    or "target" has written words at its rows, and at its columns the words that are read: `bos`, then all but the last.
    Raises ValueError where there are more tokens than rows or columns.
    """
    layers = {}
    for path, given in weights.items():
        array = as_array(given).astype(float)
        array = array[None] if array.ndim == 2 else array
        if array.ndim != 3:
            raise ValueError(
                f"recording: {path} has the shape {array.shape}; choose one sentence: (num_heads, seq_q, seq_k)."
            )
        if written is None or not any(word in path for word in ("cross", "decoder", "target")):
            queries, keys, axes = tokens, tokens, ("queries", "keys")
        elif "cross" in path:
            queries, keys, axes = written, tokens, ("words written", "source tokens")
        else:
            queries, keys, axes = written, [bos, *written[:-1]], ("words written", "words read")
        if array.shape[1] < len(queries) or array.shape[2] < len(keys):
            raise ValueError(
                f"recording: {path} has {array.shape[1:]} weights for {len(queries)} and {len(keys)} tokens."
            )
        layers[layer_name(path)] = Layer(array[:, : len(queries), : len(keys)], tuple(queries), tuple(keys), axes)
    told = name or " ".join(tokens) + (f" → {' '.join(written)}" if written else "")
    return Recording(told, layers)


def layer_name(path: str) -> str:
    """`encoder.blocks.0.self_attention` → "encoder, block 1, self-attention"."""
    words: list[str] = []
    for part in path.split("."):
        if part.isdigit():
            words = (
                [*words[:-1], f"{words[-1].removesuffix('s')} {int(part) + 1}"] if words else [f"layer {int(part) + 1}"]
            )
        else:
            words.append(part.replace("_attention", "-attention").replace("_", " "))
    return ", ".join(words)


def explore(recordings: Recording | Sequence[Recording], *, layer: str | None = None, head: int | None = None) -> None:
    """Show recordings: menus over a map where a notebook is live, otherwise one still figure.

    layer, head: what is shown first, head from 1; unless told, all heads of the first layer
    """
    chosen = [recordings] if isinstance(recordings, Recording) else list(recordings)
    if not chosen:
        raise ValueError("explore: nothing was recorded")
    first = layer if layer is not None else next(iter(chosen[0].layers))
    if first not in chosen[0].layers:
        raise ValueError(f"explore: there is no layer {first!r}; there are: {', '.join(chosen[0].layers)}")
    if can_choose():
        _menus(chosen, first, head)
        return
    show(picture(chosen[0], first, head))
    numbers = {"sentence": len(chosen), "layer": len(chosen[0].layers), "head": len(chosen[0].layers[first].weights)}
    count = ", ".join(f"{number} {what}{'s' * (number != 1)}" for what, number in numbers.items())
    print(said(f"A still picture of {count}: in a live notebook you choose among them."))


def picture(shown: Recording, layer: str, head: int | None) -> Figure:
    """The map of one head, counted from 1, or of all heads of a layer."""
    seen = shown.layers[layer]
    if head is None and len(seen.weights) > 1:
        return attention_maps(seen.weights, None, seen.queries, seen.keys, title=layer, axes=seen.axes)
    number = head or 1
    title = layer if len(seen.weights) == 1 else f"{layer}, head {number}"
    return attention_map(seen.weights[number - 1], seen.queries, seen.keys, title=title, axes=seen.axes)


def can_choose() -> bool:
    """Whether somebody can choose from a menu here: a live page, and ipywidgets."""
    return importlib.util.find_spec("ipywidgets") is not None and is_live()


def _menus(recordings: Sequence[Recording], layer: str, head: int | None) -> None:
    import ipywidgets as widgets
    from IPython.display import display

    wide = widgets.Layout(width="auto", max_width="100%")
    sentence = widgets.Dropdown(
        options=[(one.name, number) for number, one in enumerate(recordings)],
        value=0,
        description="Sentence",
        layout=wide,
    )
    layers = widgets.Dropdown(options=list(recordings[0].layers), value=layer, description="Layer", layout=wide)
    heads = widgets.Dropdown(options=_heads(recordings[0], layer), value=head or _ALL, description="Head", layout=wide)
    view = widgets.HTML()

    def draw(_change: Any = None) -> None:
        view.value = _as_html(picture(recordings[sentence.value], layers.value, heads.value or None))

    def another_sentence(_change: Any) -> None:
        kept, options = layers.value, list(recordings[sentence.value].layers)
        if list(layers.options) != options:
            layers.options = options
            layers.value = kept if kept in options else options[0]
        another_layer(None)

    def another_layer(_change: Any) -> None:
        kept, options = heads.value, _heads(recordings[sentence.value], layers.value)
        if list(heads.options) != options:
            heads.options = options
            heads.value = kept if kept in dict(options).values() else _ALL
        draw()

    sentence.observe(another_sentence, "value")
    layers.observe(another_layer, "value")
    heads.observe(draw, "value")
    shown = (
        [sentence] * (len(recordings) > 1) + [layers] * (len(layers.options) > 1) + [heads] * (len(heads.options) > 1)
    )
    draw()
    display(widgets.VBox([widgets.Box(shown, layout=widgets.Layout(flex_flow="row wrap")), view]))


def _heads(shown: Recording, layer: str) -> list[tuple[str, int]]:
    count = len(shown.layers[layer].weights)
    return [("all", _ALL), *((str(number), number) for number in range(1, count + 1))] if count > 1 else [("1", _ALL)]


def _as_html(figure: Figure) -> str:
    """The figure as an image with alternative text, and the same words folded below it."""
    words, legend = html.escape(alt_text(figure)), html.escape(legend_text(figure))
    image = image_tag(png(figure), alt_text(figure), round(figure.get_figwidth() * CSS_PIXELS_PER_INCH))
    close(figure)
    return (
        image + (f"<p>{legend}</p>" if legend else "") + f"<details><summary>In words</summary><p>{words}</p></details>"
    )
