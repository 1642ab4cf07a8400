"""Library-backed parts of unit 04_attention_gradients, built from the library blocks of its lesson. Edit those."""

from collections.abc import Callable

import numpy as np

from autograder.formats.fixtures import Watched
from autograder.library.common import doubles


def numerical_gradient(function: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """NumPy's own `gradient`, on three samples of the function along each axis."""
    x = np.asarray(x, dtype=np.float64)

    def along(direction: np.ndarray) -> float:
        samples = [function(x + t * direction.reshape(x.shape)) for t in (-step, 0.0, step)]
        return float(np.gradient(np.array(samples), step)[1])

    return np.array([along(direction) for direction in np.eye(x.size)]).reshape(x.shape)


def watched_array(values: np.ndarray) -> Watched:
    """An array that may be moved and put back: only what it holds after the call counts."""
    return Watched(values, lambda: values)


def scattered_array(values: np.ndarray) -> Watched:
    """The same as a view into a larger array: its entries do not lie one behind the other in memory."""
    view: np.ndarray = np.zeros((*values.shape[::-1], 2))[..., 0].T
    view[...] = values
    return Watched(view, lambda: view)


def _taking(shape: tuple[int, ...], x: np.ndarray) -> np.ndarray:
    x = np.asarray(x)
    if x.shape != shape:
        raise ValueError(f"this function takes an array of shape {shape}, not {x.shape}")
    return x


def quadratic_form(matrix: np.ndarray, linear: np.ndarray) -> Callable[[np.ndarray], float]:
    """x ↦ ½ xᵀ M x + b·x, with x of the shape of b, read as one long vector."""

    def function(x: np.ndarray) -> float:
        flat = _taking(linear.shape, x).reshape(-1)
        return 0.5 * (flat @ matrix @ flat) + linear.reshape(-1) @ flat

    return function


def sum_of_cubes(factors: np.ndarray) -> Callable[[np.ndarray], float]:
    """x ↦ Σ a x³."""
    return lambda x: np.sum(factors * _taking(factors.shape, x) ** 3)


def cube_of_a_sum(factors: np.ndarray) -> Callable[[np.ndarray], float]:
    """x ↦ (Σ a x)³: how steep it is along one entry depends on all the others."""
    return lambda x: np.sum(factors * _taking(factors.shape, x)) ** 3


def sum_of_sines(factors: np.ndarray, frequencies: np.ndarray) -> Callable[[np.ndarray], float]:
    """x ↦ Σ a sin(b x)."""
    return lambda x: np.sum(factors * np.sin(frequencies * _taking(factors.shape, x)))


def softmax_backward(weights: np.ndarray, grad_weights: np.ndarray) -> np.ndarray:
    """The operator that PyTorch's own backward pass uses."""
    import torch

    return torch.ops.aten._softmax_backward_data(*doubles(grad_weights, weights), -1, torch.float64).numpy()


def attention_backward(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, weights: np.ndarray, grad_output: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """PyTorch's autograd through PyTorch's attention."""
    import torch

    with torch.enable_grad():
        leaves = [leaf.requires_grad_(True) for leaf in doubles(query, key, value)]
        output = torch.nn.functional.scaled_dot_product_attention(*leaves)
        gradients = torch.autograd.grad(output, leaves, doubles(grad_output))
    grad_query, grad_key, grad_value = (gradient.numpy() for gradient in gradients)
    return grad_query, grad_key, grad_value
