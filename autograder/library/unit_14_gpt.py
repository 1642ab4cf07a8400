"""Library-backed parts of unit 14_gpt, built from the library blocks of its lesson. Edit those."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.library.common import watched_generator
from autograder.library.unit_12_gpu import KeyValueCache


def train_bpe(words: Mapping[str, int], num_merges: int) -> list[tuple[str, str]]:
    """All words in one long row of numbers, −1 between them; pairs are counted by NumPy."""
    names = sorted({letter for word in words for letter in word})
    number = {name: i for i, name in enumerate(names)}
    row = np.array([i for word in words for i in (*(number[letter] for letter in word), -1)], dtype=np.int64)
    weight = np.array([count for word, count in words.items() for _ in range(len(word) + 1)], dtype=np.int64)
    merges: list[tuple[str, str]] = []
    for _ in range(num_merges):
        inside = (row[:-1] >= 0) & (row[1:] >= 0)
        kinds, which = np.unique(np.stack([row[:-1], row[1:]], axis=1)[inside], axis=0, return_inverse=True)
        if not len(kinds):
            break
        counts = np.zeros(len(kinds), dtype=np.int64)
        np.add.at(counts, which.ravel(), weight[:-1][inside])
        left, right = min(kinds[counts == counts.max()].tolist(), key=lambda pair: [names[i] for i in pair])
        merges.append((names[left], names[right]))
        meet = np.flatnonzero((row[:-1] == left) & (row[1:] == right))
        taken, last = [], -2
        for place in meet.tolist():
            if place > last + 1:
                taken.append(place)
                last = place
        joined = names[left] + names[right]
        if joined not in number:
            number[joined] = len(names)
            names.append(joined)
        row[taken] = number[joined]
        kept = np.ones(len(row), dtype=bool)
        kept[np.array(taken) + 1] = False
        row, weight = row[kept], weight[kept]
    return merges


def bpe_encode(word: str, merges: Sequence[tuple[str, str]]) -> list[str]:
    """Python's regular expressions, over the pieces with a mark before each and one at the end."""
    marked = "\0" + "".join(letter + "\0" for letter in word)
    for left, right in merges:
        marked = re.sub(f"(?<=\0){re.escape(left)}\0{re.escape(right)}(?=\0)", (left + right).replace("\\", r"\\"), marked)
    return marked.strip("\0").split("\0") if word else []


class RMSNorm(nn.RMSNorm):
    """PyTorch's own, which calls its gain by the same name."""

    def __init__(self, d_model: int, eps: float = 1e-6) -> None:
        super().__init__(d_model, eps=eps)


def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    """A pair as a complex number, times another complex number of length 1."""
    size = x.shape[-1]
    rates = torch.exp(torch.linspace(0.0, 2.0 / size - 1.0, size // 2, device=x.device, dtype=torch.float64) * math.log(base))
    turns = torch.polar(torch.ones_like(rates), rates * positions.double().unsqueeze(-1))
    pairs = torch.view_as_complex(x.double().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * turns).flatten(-2).to(x.dtype)


class GroupedQueryAttention(nn.Module):
    """PyTorch's fused attention, which knows groups of heads by itself."""

    def __init__(self, d_model: int, num_heads: int, num_kv_heads: int) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads = num_heads, num_kv_heads
        width = d_model // num_heads
        for name, heads in (("q_proj", num_heads), ("k_proj", num_kv_heads), ("v_proj", num_kv_heads)):
            self.add_module(name, nn.Linear(d_model, heads * width, bias=False))
        self.out_proj = nn.Linear(num_heads * width, d_model, bias=False)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor | None = None, cache: Any = None) -> Tensor:
        q, k, v = (torch.einsum("bshd->bhsd", layer(x).unflatten(-1, (heads, -1))) for layer, heads in (
            (self.q_proj, self.num_heads), (self.k_proj, self.num_kv_heads), (self.v_proj, self.num_kv_heads)))
        kept = (apply_rope(k, positions), v)
        if cache is not None:
            kept = cache.append(0, *kept)
        attend = F.scaled_dot_product_attention
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            answers = attend(apply_rope(q, positions), *kept, attn_mask=mask, enable_gqa=self.num_kv_heads < self.num_heads)
        return self.out_proj(torch.einsum("bhsd->bshd", answers).flatten(2))


def filled_cache(key: Tensor | None = None, value: Tensor | None = None) -> Any:
    """A cache of one layer that holds these keys and values, or nothing; afterwards a look at what it holds."""
    from autograder.formats.fixtures import Watched

    cache = KeyValueCache(1)
    if key is not None and value is not None:
        cache.append(0, key, value)

    def look() -> dict[str, Any]:
        rooms = cache._rooms[0]
        if rooms is None:
            return {"positions": 0}
        empty = rooms[0][:, :, :0]
        keys, values = cache.append(0, empty, empty)
        return {"positions": cache.length(), "keys": keys.detach().clone(), "values": values.detach().clone()}

    return Watched(cache, look)


class SwiGLU(nn.Module):
    """PyTorch's gated linear unit: one half times the sigmoid of the other; the gate goes into both halves."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        for name, (width, out) in {"gate_proj": (d_model, d_ff), "up_proj": (d_model, d_ff), "down_proj": (d_ff, d_model)}.items():
            self.add_module(name, nn.Linear(width, out, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        gate = self.gate_proj(x)
        return self.down_proj(F.glu(torch.cat([gate * self.up_proj(x), gate], dim=-1)))


class _DecoderOnlyBlock(nn.Module):
    """The library's parts; each is a way around which its input is carried."""

    def __init__(self, d_model: int, num_heads: int, num_kv_heads: int, d_ff: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = RMSNorm(d_model), RMSNorm(d_model)
        self.self_attention = GroupedQueryAttention(d_model, num_heads, num_kv_heads)
        self.feed_forward = SwiGLU(d_model, d_ff)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor, cache: Any = None) -> Tensor:
        ways = ((self.norm1, lambda rows: self.self_attention(rows, positions, mask=mask, cache=cache)), (self.norm2, self.feed_forward))
        for norm, way in ways:
            x = torch.add(x, way(norm(x)))
        return x


class DecoderOnly(nn.Module):
    """The library's blocks; a float mask of PyTorch's says what lies in the future; PyTorch's linear operator is the last layer."""

    def __init__(
        self, vocab_size: int, d_model: int, num_heads: int, num_kv_heads: int, num_layers: int, d_ff: int
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.02)
        blocks = [_DecoderOnlyBlock(d_model, num_heads, num_kv_heads, d_ff) for _ in range(num_layers)]
        self.blocks, self.norm = nn.ModuleList(blocks), RMSNorm(d_model)

    def forward(self, ids: Tensor, cache: Sequence[Any] | None = None) -> Tensor:
        kept = [None] * len(self.blocks) if cache is None else list(cache)
        start = cache[0].length() if cache else 0
        places = torch.arange(start + ids.shape[1], device=ids.device)
        new = places[start:]
        seen = torch.ge(new.unsqueeze(-1), places)
        rows = F.embedding(ids, self.embedding.weight)
        for block, own in zip(self.blocks, kept, strict=False):
            rows = block(rows, new, seen, own)
        return F.linear(self.norm(rows), self.embedding.weight)

def filled_caches(keys: list[Tensor], values: list[Tensor]) -> Any:
    """A list of caches, one for each block; afterwards a look at what each of them holds."""
    from autograder.formats.fixtures import Watched

    made = [filled_cache(key, value) for key, value in zip(keys, values, strict=True)]
    return Watched([one.live for one in made], lambda: {f"block {i}": one.look() for i, one in enumerate(made)})


def empty_caches(layers: int) -> Any:
    from autograder.formats.fixtures import Watched

    made = [filled_cache() for _ in range(layers)]
    return Watched([one.live for one in made], lambda: {f"block {i}": one.look() for i, one in enumerate(made)})


def sample_next(
    logits: Tensor, generator: torch.Generator, temperature: float = 1.0, top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """The largest of chances divided by exponential noise: a race that a token wins as often as its chance says."""
    ranks = logits.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
    if temperature == 0:
        return ranks.argmin(dim=-1)
    out = ranks >= (logits.shape[-1] if top_k is None else top_k)
    chances = (logits.double() / temperature).masked_fill(out, -math.inf).softmax(dim=-1)
    if top_p is not None:
        likelier = (ranks.unsqueeze(-2) < ranks.unsqueeze(-1)).double()
        chances = chances * (torch.einsum("bij,bj->bi", likelier, chances) < top_p)
    noise = torch.empty_like(chances).exponential_(generator=generator)
    return (chances / noise).argmax(dim=-1)


def seeded_generator(seed: int) -> Any:
    """A generator, with a look at whether it is the one that was drawn from."""
    return watched_generator(seed)
