"""Library-backed parts of unit 05_multi_head, built from the library blocks of its lesson. Edit those."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def two_head_attention(a: Tensor, heads: list[tuple[Tensor, Tensor, Tensor]], W_o: Tensor) -> Tensor:
    """PyTorch's fused attention over all heads at once."""
    query, key, value = (torch.matmul(a, torch.stack(matrices)) for matrices in zip(*heads, strict=True))
    answers = F.scaled_dot_product_attention(query, key, value)
    return torch.einsum("hnd,hdo->no", answers, W_o.view(len(heads), -1, W_o.shape[-1]))


def gradients_of(matrices: dict[str, Tensor], output: Tensor | list[Tensor]) -> dict[str, Tensor] | None:
    """What reaches each of the matrices from cos(0)·output[0] + cos(1)·output[1] + ...; None where nothing flows back."""
    tensors = [output] if isinstance(output, Tensor) else list(output) if isinstance(output, (list, tuple)) else []
    if not tensors or not all(isinstance(tensor, Tensor) and tensor.requires_grad for tensor in tensors):
        return None
    joined = torch.cat([tensor.flatten().double() for tensor in tensors])
    (joined * torch.cos(torch.arange(len(joined), dtype=torch.float64))).sum().backward()
    return {name: torch.zeros_like(matrix) if matrix.grad is None else matrix.grad for name, matrix in matrices.items()}


def gradients_of_heads(a: Tensor, heads: list[list[Tensor]], W_o: Tensor) -> Any:
    """The matrices of the heads, of which each wants its gradient."""
    from autograder.formats.fixtures import Driver

    learned = [tuple(matrix.clone().requires_grad_() for matrix in head) for head in heads]
    names = [f"{name} of head {number}" for number in range(1, len(heads) + 1) for name in ("W_q", "W_k", "W_v")]
    matrices = dict(zip(names, (matrix for head in learned for matrix in head), strict=True))
    return Driver(lambda function: gradients_of(matrices, function(a, learned, W_o)))


def compose_projections(W_q: Tensor, head_projections: list[Tensor]) -> list[Tensor]:
    """PyTorch's product of a chain of matrices."""
    return [torch.linalg.multi_dot([projection, W_q]) for projection in head_projections]

def outer_ones_alike(outer: Tensor, inner: Tensor) -> list[Tensor]:
    """Three heads: the first and the last have one and the same tensor."""
    return [outer, inner, outer]


def gradients_of_projections(W_q: Tensor, head_projections: list[Tensor]) -> Any:
    """The heads' matrices, of which each wants its gradient."""
    from autograder.formats.fixtures import Driver

    learned = [projection.clone().requires_grad_() for projection in head_projections]
    matrices = {f"matrix of head {number}": matrix for number, matrix in enumerate(learned, start=1)}
    return Driver(lambda function: gradients_of(matrices, function(W_q, learned)))


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """By PyTorch's own cutting and stacking."""
    return torch.stack(torch.tensor_split(x, num_heads, dim=-1), dim=1)


def merge_heads(x: Tensor) -> Tensor:
    """By PyTorch's own joining."""
    return torch.cat(torch.unbind(x, dim=1), dim=-1)


class MultiHeadAttention(nn.Module):
    """PyTorch's attention operator that gives the weights as well, behind the exercise's parameter names."""

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        layers = ((self.q_proj, query), (self.k_proj, key), (self.v_proj, value))
        q, k, v = (torch.einsum("bshd->bhsd", layer(x).unflatten(-1, (self.num_heads, -1))) for layer, x in layers)
        # This operator adds its mask to the scores, and gives a row of −inf alone weights of 0.
        added = None if mask is None else torch.where(mask, 0.0, float("-inf")).to(q.dtype)
        answers, weights = torch.ops.aten._scaled_dot_product_attention_math(q, k, v, added)
        return self.out_proj(torch.einsum("bhsd->bshd", answers).flatten(2)), weights
