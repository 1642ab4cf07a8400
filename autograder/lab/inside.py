"""Look inside a decoder-only model: the attention weights that it does not return, and what it would say after each layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from autograder.lab.explorer import Recording, recording
from autograder.lab.fonts import Labels
from autograder.lab.heatmaps import colour_bar, draw, is_dark, ticks, tokens_to_draw, visible
from autograder.lab.style import as_array, finish, house_style, listed, start

if TYPE_CHECKING:
    from torch import Tensor, nn


def causal_weights(model: Any, ids: Tensor, turn: Callable[[Tensor, Tensor], Tensor]) -> list[Tensor]:
    """The attention weights of each layer of unit 14's `DecoderOnly`, first layer first, while it reads `ids` from place 0.

    Its attention returns no weights. So they are computed once more, from the queries and keys that `q_proj` and `k_proj`
    give: turned by place (RoPE), each group of query heads with its keys, and later places hidden.

    ids:     (batch, seq)
    turn:    unit 14's `apply_rope(x, positions)`
    returns: for each layer (batch, num_heads, seq, seq), without gradients
    """
    import torch

    places = torch.arange(ids.shape[-1], device=ids.device)
    found = []
    layers = [block.self_attention for block in model.blocks]
    with torch.no_grad(), _outputs_of([part for layer in layers for part in (layer.q_proj, layer.k_proj)]) as made:
        model(ids)
        for number, layer in enumerate(layers):
            query, key = (
                turn(_in_heads(rows, heads), places)
                for rows, heads in zip(
                    made[2 * number : 2 * number + 2], (layer.num_heads, layer.num_kv_heads), strict=True
                )
            )
            key = key.repeat_interleave(layer.num_heads // layer.num_kv_heads, dim=1)
            scores = query @ key.mT / query.shape[-1] ** 0.5
            found.append(scores.masked_fill(places > places[:, None], -torch.inf).softmax(dim=-1))
    return found


def causal_recording(
    model: Any, ids: Tensor, turn: Callable[[Tensor, Tensor], Tensor], tokens: Sequence[str], name: str | None = None
) -> Recording:
    """`causal_weights` of one sentence, (1, seq), for the explorer."""
    weights = {
        f"blocks.{number}.self_attention": layer[0] for number, layer in enumerate(causal_weights(model, ids, turn))
    }
    return recording(weights, tokens, name=name)


@contextmanager
def _outputs_of(modules: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """What each of the modules gives while the block runs, in their order; each runs once."""
    made: list[Any] = [None] * len(modules)

    def keep(number: int) -> Any:
        return lambda _module, _inputs, output: made.__setitem__(number, output)

    hooks = [module.register_forward_hook(keep(number)) for number, module in enumerate(modules)]
    try:
        yield made
    finally:
        for hook in hooks:
            hook.remove()


def _in_heads(rows: Tensor, num_heads: int) -> Tensor:
    """(batch, seq, num_heads · d_head) -> (batch, num_heads, seq, d_head)"""
    heads: Tensor = rows.unflatten(-1, (num_heads, -1)).transpose(1, 2)
    return heads


def top_tokens(
    logits: Any,
    names: Sequence[str],
    read: Sequence[str],
    layers: Sequence[str] | None = None,
    *,
    title: str | None = None,
) -> Figure:
    """The likeliest next token after each layer at each place, on a colour for its probability; the last layer on top.

    logits: (num_layers, seq, vocab_size), the first layer first
    names:  a token's name by its id; read: the tokens at the places; layers: their names, otherwise "layer 1", ...
    """
    array = as_array(logits).astype(float)
    if array.ndim != 3 or array.shape[1:] != (len(read), len(names)):
        raise ValueError(
            f"top_tokens: logits of the shape {array.shape} for {len(read)} places and {len(names)} tokens; "
            "choose one sentence: (num_layers, seq, vocab_size)"
        )
    powers = np.exp(array - array.max(axis=-1, keepdims=True))
    chances, best = (powers / powers.sum(axis=-1, keepdims=True)).max(axis=-1)[::-1], array.argmax(axis=-1)[::-1]
    called = list(layers) if layers is not None else [f"layer {number + 1}" for number in range(len(array))]
    labels = Labels()
    rows, columns = tokens_to_draw(called[::-1], labels), tokens_to_draw(read, labels)
    cell = min(0.42, 5.0 / len(read))
    with house_style():
        figure, axes = start(None, 6.5, 1.35 + cell * len(array), title, labels)
        image = draw(axes, chances, colormaps["Blues"], 0.0, 1.0)
        ticks(axes, chances.shape, rows, columns, cell)
        for (row, column), number in np.ndenumerate(best):
            colour = "white" if is_dark(image, chances[row, column]) else "black"
            axes.text(
                column, row, labels.drawn(visible(names[number])), ha="center", va="center", fontsize=10, color=colour
            )
        axes.set(xlabel=labels.label("token read"), ylabel=labels.label("after"))
        colour_bar(figure, image, axes, "probability", shrink=0.9)
        said = [
            f"{called[::-1][row]}: " + " ".join(visible(names[number]) for number in best[row])
            for row in range(len(best))
        ]
        quoted = f' "{title}"' if title else ""
        words = f"Table{quoted} of the likeliest next token after each layer, at the places {' '.join(map(visible, read))}. "
        return finish(figure, f"{words}{listed(said)}.", labels)
