"""Library-backed parts of unit 05_multi_head, built from the library blocks of its lesson. Edit those."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def two_head_attention(a: Tensor, heads: list[tuple[Tensor, Tensor, Tensor]], W_o: Tensor) -> Tensor:
    """PyTorch's fused attention over all heads at once."""
    query, key, value = (torch.matmul(a, torch.stack(matrices)) for matrices in zip(*heads, strict=True))
    answers = F.scaled_dot_product_attention(query, key, value)
    return torch.einsum("hnd,hdo->no", answers, W_o.view(len(heads), -1, W_o.shape[-1]))


def compose_projections(W_q: Tensor, head_projections: list[Tensor]) -> list[Tensor]:
    """PyTorch's product of a chain of matrices."""
    return [torch.linalg.multi_dot([projection, W_q]) for projection in head_projections]


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """By PyTorch's own cutting and stacking."""
    return torch.stack(torch.tensor_split(x, num_heads, dim=-1), dim=1)


def merge_heads(x: Tensor) -> Tensor:
    """By PyTorch's own joining."""
    return torch.cat(torch.unbind(x, dim=1), dim=-1)


class MultiHeadAttention(nn.Module):
    """PyTorch's fused attention behind the exercise's parameter names."""

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def _by_head(self, linear: nn.Linear, x: Tensor) -> Tensor:
        """Each head's rows of the layer, applied by themselves: (batch, num_heads, seq, d_head)."""
        matrices = linear.weight.view(self.num_heads, -1, linear.in_features)
        return torch.einsum("bsi,hdi->bhsd", x, matrices) + linear.bias.view(self.num_heads, 1, -1)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        q, k, v = self._by_head(self.q_proj, query), self._by_head(self.k_proj, key), self._by_head(self.v_proj, value)
        # With the identity for values, what the operator returns are the weights themselves.
        identity = torch.eye(k.shape[-2], dtype=k.dtype, device=k.device).expand(*k.shape[:-1], -1)
        if mask is None:
            weights = F.scaled_dot_product_attention(q, k, identity)
        else:
            # Rows without any key are opened and then zeroed: kernels differ in what they make of such a row.
            open_rows = mask.any(dim=-1, keepdim=True)
            shape = (*q.shape[:-1], k.shape[-2])
            allowed = (mask | ~open_rows).expand(shape)
            weights = F.scaled_dot_product_attention(q, k, identity, attn_mask=allowed) * open_rows
        matrices = self.out_proj.weight.view(self.out_proj.out_features, self.num_heads, -1)
        output = torch.einsum("bhsd,ohd->bso", weights @ v, matrices) + self.out_proj.bias
        return output, weights
