"""Library-backed parts of unit 07_masking, built from the library blocks of its lesson. Edit those."""

from typing import Any

import torch
from torch import Tensor


def causal_mask(seq: int, device: torch.device | str | None = None) -> Tensor:
    """Where PyTorch's own float mask, 0 and −inf, is 0."""
    return torch.nn.Transformer.generate_square_subsequent_mask(seq, device=device) == 0


def device_object(called: str) -> torch.device:
    """A device, and not its name."""
    return torch.device(called)


def padding_mask(ids: Tensor, pad_id: int = 0) -> Tensor:
    """By PyTorch's set membership: every id outside the set of the padding id."""
    return torch.isin(ids, torch.tensor([pad_id], device=ids.device), invert=True).unflatten(1, (1, 1, -1))


def decoder_mask(ids: Tensor, pad_id: int = 0) -> Tensor:
    """By two float masks of PyTorch, added: what is 0 in both may be seen."""
    future = torch.nn.Transformer.generate_square_subsequent_mask(ids.shape[1], device=ids.device)
    padding = torch.zeros_like(ids, dtype=future.dtype).masked_fill(torch.eq(ids, pad_id), float("-inf"))
    return torch.add(future, padding.unflatten(1, (1, 1, -1))).isfinite()


def ids_on_two_devices(ids: Tensor) -> Any:
    """`ids` as they are, and where the mask of these is right, once more on PyTorch's "meta" device, which computes shapes only."""
    from autograder.formats.fixtures import Driver
    from autograder.library.devices import works_on_another_device
    from autograder.library.quiet import paused

    def drive(function: Any) -> dict[str, Any]:
        def elsewhere() -> bool:
            return works_on_another_device(lambda device: function(ids.to(device)))

        mask = function(ids)
        with paused():  # the course asks itself here, and not the learner's code
            due = decoder_mask(ids)
        right = isinstance(mask, Tensor) and mask.dtype == torch.bool and torch.equal(mask, due)
        return {"mask": mask, "works on another device": not right or elsewhere()}

    return Driver(drive)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """By PyTorch's fused attention: the scores as queries, and the unit matrix as keys and values."""
    size = scores.shape[-1]
    unit = torch.eye(size, dtype=scores.dtype, device=scores.device).expand(*scores.shape[:-2], size, size)
    attend = torch.nn.functional.scaled_dot_product_attention
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        return attend(scores, unit, unit, attn_mask=mask, scale=1.0)


def masked_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """By PyTorch's fused attention, once with the values and once with the unit matrix, which gives the weights."""
    size = key.shape[-2]
    unit = torch.eye(size, dtype=value.dtype, device=value.device).expand(*key.shape[:-1], size)
    attend = torch.nn.functional.scaled_dot_product_attention
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        both = [attend(query, key, mixed, attn_mask=mask) for mixed in (value, unit)]
    return both[0], both[1]
