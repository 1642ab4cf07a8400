"""Library-backed parts of unit 02_attention_scores, built from the library blocks of its lesson. Edit those."""

import numpy as np


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """PyTorch's softmax on NumPy arrays."""
    import torch

    return torch.softmax(torch.from_numpy(np.asarray(x, dtype=np.float64)), dim=axis).numpy()
