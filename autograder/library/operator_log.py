"""Notice which arrays a learner's PyTorch code makes, operator by operator.

Like the watch for forbidden operators, this can be switched off in a hostile process: what it notes may take points
away and never give them. Work of library-backed parts is not noted.
"""

from __future__ import annotations

from typing import Any

from .quiet import Note, noting

__all__ = ["Note", "entries", "noting"]


def entries(value: Any) -> int:
    """Numbers that the largest tensor in `value` holds in memory; a view or a broadcast holds none of its own."""
    import torch

    if isinstance(value, torch.Tensor):
        numbers = value.numel()
        if value.is_contiguous() or value.is_meta:
            return numbers
        return min(numbers, value.untyped_storage().nbytes() // value.element_size())
    if isinstance(value, (tuple, list)):
        return max((entries(item) for item in value), default=0)
    return 0
