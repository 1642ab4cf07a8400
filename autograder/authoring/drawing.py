"""What the cases, known mistakes and truths of many units need; each name stands ready in every `variants` cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def short_float32(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The numbers as float32 of which 11 binary digits are kept, as many as float16 has: half as long in `cases.npz`."""
    digits, exponents = np.frexp(numbers)
    return np.asarray(np.ldexp(np.round(digits * 2048) / 2048, exponents).astype(np.float32))


def floats(rng: np.random.Generator, *shape: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    """A float32 tensor of normally distributed numbers, `scale` wide around `shift`."""
    return torch.from_numpy(short_float32(shift + scale * rng.normal(size=shape)))


def some_hidden(rng: np.random.Generator, *shape: int) -> Tensor:
    """A random boolean mask: in every row of the last axis at least one key is seen and one is hidden."""
    seen = rng.random(size=shape) < 0.6
    order = rng.permuted(np.broadcast_to(np.arange(shape[-1]), shape), axis=-1)
    np.put_along_axis(seen, order[..., :1], True, axis=-1)
    np.put_along_axis(seen, order[..., 1:2], False, axis=-1)
    return torch.from_numpy(seen)


def ended_ids(rng: np.random.Generator, batch: int, length: int, vocab: int) -> Tensor:
    """(batch, length) ids from 4 below `vocab`, EOS (2), then padding (0); every second sentence is short."""
    ids = rng.integers(4, vocab, size=(batch, length))
    for row in range(batch):
        end = length - 1 if row % 2 == 0 else int(rng.integers(1, length - 1))
        ids[row, end], ids[row, end + 1 :] = 2, 0
    return torch.from_numpy(ids)


def two_things(first: str, second: str) -> str:
    """What a known mistake says that is two others at once."""
    return f"two things at once. First, {first} Second, {second}"


def linear64(layer: Any, x: Tensor) -> Tensor:
    """A linear layer, written out in float64."""
    weight: Tensor = layer.weight.double()
    bias: Tensor = layer.bias.double()
    return torch.einsum("...i,oi->...o", x.double(), weight) + bias


def norm64(layer: Any, x: Tensor) -> Tensor:
    """A layer norm, written out in float64."""
    weight: Tensor = layer.weight.double()
    bias: Tensor = layer.bias.double()
    centred = x.double() - x.double().mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight + bias


def attention_and_weights(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, ...]:
    """Output and weights of PyTorch's own attention, which gives no weights: summed, one-hot values are the weights."""
    one_hot = torch.eye(key.shape[-2], dtype=key.dtype).expand(*key.shape[:-2], -1, -1)
    attend = torch.nn.functional.scaled_dot_product_attention
    return tuple(attend(query, key, mixed, attn_mask=mask) for mixed in (value, one_hot))


def torch_weights(block: Any, prefix: str = "") -> dict[str, Tensor]:
    """The weights of an encoder or decoder block of the course, by the names that PyTorch's own layers give them."""
    weights: dict[str, Tensor] = {}
    for ours, theirs in (("self_attention", "self_attn"), ("cross_attention", "multihead_attn")):
        if layer := getattr(block, ours, None):
            for kind in ("weight", "bias"):
                joined = torch.cat([getattr(getattr(layer, f"{part}_proj"), kind) for part in "qkv"])
                weights[f"{prefix}{theirs}.in_proj_{kind}"] = joined
                weights[f"{prefix}{theirs}.out_proj.{kind}"] = getattr(layer.out_proj, kind)
    others = ((name, weight) for name, weight in block.named_parameters() if "attention" not in name)
    return weights | {prefix + name.removeprefix("feed_forward."): weight for name, weight in others}


READY = {
    function.__name__: function
    for function in (
        floats,
        some_hidden,
        ended_ids,
        two_things,
        linear64,
        norm64,
        attention_and_weights,
        torch_weights,
    )
}
