"""Library-backed parts of unit 07_masking, built from the library blocks of its lesson. Edit those."""

import torch
from torch import Tensor


def causal_mask(seq: int, device: torch.device | str | None = None) -> Tensor:
    """Where PyTorch's own float mask, 0 and −inf, is 0."""
    return torch.nn.Transformer.generate_square_subsequent_mask(seq, device=device) == 0


def padding_mask(ids: Tensor, pad_id: int = 0) -> Tensor:
    """By PyTorch's set membership: every id outside the set of the padding id."""
    return torch.isin(ids, torch.tensor([pad_id], device=ids.device), invert=True).unflatten(1, (1, 1, -1))


def decoder_mask(ids: Tensor, pad_id: int = 0) -> Tensor:
    """By two float masks of PyTorch, added: what is 0 in both may be seen."""
    future = torch.nn.Transformer.generate_square_subsequent_mask(ids.shape[1], device=ids.device)
    padding = torch.zeros_like(ids, dtype=future.dtype).masked_fill(torch.eq(ids, pad_id), float("-inf"))
    return torch.add(future, padding.unflatten(1, (1, 1, -1))).isfinite()
