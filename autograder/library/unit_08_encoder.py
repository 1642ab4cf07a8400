"""Library-backed parts of unit 08_encoder, built from the library blocks of its lesson. Edit those."""

from functools import reduce
from types import SimpleNamespace
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from autograder.library.unit_05_multi_head import MultiHeadAttention


class LayerNorm(nn.LayerNorm):
    """PyTorch's own, which calls its gain and bias by the same names."""

    def __init__(self, d_model: int, eps: float = 1e-5) -> None:
        super().__init__(d_model, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class FeedForward(nn.Module):
    """PyTorch's threshold operator between two of its layers."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear2(F.threshold(self.linear1(x), 0.0, 0.0))


class EncoderBlock(nn.TransformerEncoderLayer):
    """PyTorch's own layer, with the course's parts in the places of its two sub-layers."""

    self_attn = SimpleNamespace(batch_first=False)  # PyTorch asks whether its fused kernel fits: it does not

    def __init__(self, d_model: int, num_heads: int, d_ff: int, dropout: float = 0.0, norm_first: bool = False) -> None:
        nn.Module.__init__(self)
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:  # type: ignore[override]
        return super().forward(x, None if mask is None else ~mask)  # True hides in PyTorch's own layer

    def _sa_block(
        self, x: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None, is_causal: bool = False
    ) -> Tensor:
        mask = None if attn_mask is None else attn_mask == 0  # it comes as numbers, −inf where hidden
        return self.dropout(self.self_attention(x, x, x, mask)[0])

    def _ff_block(self, x: Tensor) -> Tensor:
        return self.dropout(self.feed_forward(x))

def numbers_that_come_out(x: Tensor) -> Any:
    """`x` through a module; of its output, how many different numbers it holds (11 stands for more than ten)."""
    from autograder.formats.fixtures import Driver

    return Driver(lambda module: min(len(module(x).detach().mul(1000).round().unique()), 11))


def draws_at_random(x: Tensor) -> Any:
    from autograder.library.common import draws_at_random

    return draws_at_random(x)


class Encoder(nn.Module):
    """A fold over the blocks."""

    def __init__(
        self, num_layers: int, d_model: int, num_heads: int, d_ff: int, dropout: float = 0.0, norm_first: bool = False
    ) -> None:
        super().__init__()
        blocks = (EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers))
        self.blocks = nn.ModuleList(blocks)
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        encoded = reduce(lambda rows, block: block(rows, mask), self.blocks, x)
        return encoded if self.norm is None else self.norm(encoded)
