"""What the library blocks of several units need."""

from __future__ import annotations

from typing import Any

import numpy as np


def doubles(*arrays: np.ndarray) -> tuple[Any, ...]:
    """Each array as a new float64 tensor, its entries in order."""
    import torch

    return tuple(torch.from_numpy(np.array(array, dtype=np.float64, order="C")) for array in arrays)
