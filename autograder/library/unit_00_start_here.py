"""Library-backed parts of unit 00_start_here, built from the library blocks of its lesson. Edit those."""

import numpy as np


def pairwise_dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """NumPy's inner product over the last axes."""
    return np.asarray(np.inner(a, b))


def outer_sum(column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """NumPy's own outer form of addition."""
    return np.asarray(np.add.outer(column, row))


def group_last_axis(x: np.ndarray, num_groups: int) -> np.ndarray:
    """PyTorch's unflatten on NumPy arrays."""
    import torch

    return torch.from_numpy(np.array(x, order="C")).unflatten(-1, (num_groups, -1)).numpy()
