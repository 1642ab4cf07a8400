"""Library-backed parts of unit 01_why_attention, built from the library blocks of its lesson. Edit those."""

import numpy as np

from autograder.library.common import doubles


def rnn_step(x: np.ndarray, h: np.ndarray, W_x: np.ndarray, W_h: np.ndarray, b: np.ndarray) -> np.ndarray:
    """PyTorch's RNN cell on NumPy arrays."""
    import torch

    x, h, W_x, W_h, b = doubles(x, h, W_x, W_h, b)
    return torch.rnn_tanh_cell(x[None], h[None], W_x.T, W_h.T, b, torch.zeros_like(b))[0].numpy()


def causal_conv1d(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """PyTorch's convolution, padded on the left, on NumPy arrays."""
    import torch

    rows, taps = doubles(x, kernel)
    padded = torch.nn.functional.pad(rows.T, (len(kernel) - 1, 0))
    return torch.nn.functional.conv1d(padded[None], taps.permute(2, 1, 0))[0].T.contiguous().numpy()


def receptive_field(num_layers: int, kernel_size: int) -> int:
    """How many of a sequence's gradients are not 0 below a stack of PyTorch's convolutions."""
    import torch

    length = num_layers * kernel_size + 1
    x = torch.ones(1, 1, length, dtype=torch.float64, requires_grad=True)
    y, ones = x, torch.full((1, 1, kernel_size), 1.0 / kernel_size, dtype=torch.float64)
    for _ in range(num_layers):
        y = torch.nn.functional.conv1d(torch.nn.functional.pad(y, (kernel_size - 1, 0)), ones)
    (gradient,) = torch.autograd.grad(y[0, 0, -1], x)
    return int((gradient != 0).sum())


def path_length(kind: str, distance: int, kernel_size: int = 3) -> int:
    """The shortest way through the layer's connections, by breadth-first search."""
    reaches = {"rnn": [1], "cnn": list(range(kernel_size)), "self_attention": list(range(distance + 1))}
    if kind not in reaches:
        raise ValueError(f"kind is one of {', '.join(reaches)}, not {kind!r}")
    steps, places = 0, {0}
    while distance not in places:
        places = {place + reach for place in places for reach in reaches[kind] if place + reach <= distance}
        steps += 1
    return steps


def sequential_steps(kind: str, seq: int) -> int:
    """The longest chain of outputs that wait for one another, found step by step."""
    waits_for_neighbour = {"rnn": True, "cnn": False, "self_attention": False}
    if kind not in waits_for_neighbour:
        raise ValueError(f"kind is one of {', '.join(waits_for_neighbour)}, not {kind!r}")
    done = [1]
    for _ in range(1, seq):
        done.append(done[-1] + 1 if waits_for_neighbour[kind] else 1)
    return max(done)
