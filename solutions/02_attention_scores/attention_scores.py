# %% [markdown]
# # 02 · Attention scores: one output, b¹

# %% part="setup"
import numpy as np

from autograder import begin, check, finite, hint, keeps_inputs, matches, right_shape, sums_to_one

begin("02_attention_scores")

# %% [markdown] exercise="softmax" part="prompt" points=5 difficulty=2 minutes=10 forbids="softmax"
# ### Exercise 1 · `softmax`
#
# Turn scores into weights: along `axis`, positive numbers that sum to 1.

# %% exercise="softmax" part="solution"
def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Weights from scores.

    x:       scores, any shape
    axis:    the axis along which the weights sum to 1
    returns: like x
    """
    ### BEGIN SOLUTION
    shifted = x - np.max(x, axis=axis, keepdims=True)
    exponentials = np.exp(shifted)
    return exponentials / np.sum(exponentials, axis=axis, keepdims=True)
    ### END SOLUTION

# %% exercise="softmax" part="check"
check(softmax, keeps_inputs, right_shape, finite, sums_to_one("axis"), matches)

# %% exercise="softmax" part="hidden"
check(softmax, keeps_inputs, right_shape, finite, sums_to_one("axis"), matches, cases="hidden")

# %% [markdown] exercise="softmax" part="hints"
# - Subtracting the same number from all scores along the axis changes no weight. Which number makes every exponent
#   at most 0?
# - `np.max` and `np.sum` take `axis=` and `keepdims=True`; with the latter their result lines up with `x` again.

# %% exercise="softmax" part="library"
import numpy as np


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """PyTorch's softmax on NumPy arrays."""
    import torch

    return torch.softmax(torch.from_numpy(np.asarray(x, dtype=np.float64)), dim=axis).numpy()

# %% exercise="softmax" part="variants"
@cases(dict(n=5))
def row(rng, n):
    """{n} scores in a row"""
    return dict(x=rng.normal(size=n))

@cases(dict(rows=4, columns=6), dict(rows=7, columns=3))
def last_axis(rng, rows, columns):
    """a table of {rows} rows and {columns} columns, along the last axis"""
    return dict(x=2 * rng.normal(size=(rows, columns)))

@cases(dict(a=3, b=5, c=4))
def other_axes(rng, a, b, c):
    """an array of shape ({a}, {b}, {c}), along each axis in turn"""
    x = 2 * rng.normal(size=(a, b, c))
    return [dict(x=x, axis=axis) for axis in (0, 1, -1, 2)]

@cases()
def far_apart(rng):
    """scores more than 709 apart: [2000, 0, 0]"""
    return dict(x=np.array([2000.0, 0.0, 0.0]))

@cases()
def rows_far_apart(rng):
    """rows on different levels: one around 0, one around −3000, one around 1000"""
    return dict(x=rng.normal(size=(3, 4)) + np.array([[0.0], [-3000.0], [1000.0]]))

wrong("no-max-subtraction", ("x - np.max(x, axis=axis, keepdims=True)", "x"),
      says="your softmax overflows: exp of a large score is infinity, and infinity / infinity is NaN. "
           "Subtract the largest score along the axis first; no weight changes.")
wrong("global-max", ("np.max(x, axis=axis, keepdims=True)", "np.max(x)"),
      says="your softmax subtracts the largest score of the whole array. A row far below it becomes 0 / 0: take the "
           "maximum along `axis`.")
wrong("mean-subtracted", ("np.max(x, axis=axis, keepdims=True)", "np.mean(x, axis=axis, keepdims=True)"),
      says="your softmax subtracts the mean; the largest score may still be hundreds above it and overflow. Subtract the maximum.")
wrong("ignores-axis", ("np.max(x, axis=axis", "np.max(x, axis=-1"), ("np.sum(exponentials, axis=axis", "np.sum(exponentials, axis=-1"),
      says="your softmax always works along the last axis; it must work along the `axis` it is given.")
wrong("axis-zero", ("np.max(x, axis=axis", "np.max(x, axis=0"), ("np.sum(exponentials, axis=axis", "np.sum(exponentials, axis=0"),
      says="your softmax always works along axis 0; it must work along the `axis` it is given.")
wrong("whole-array", ("np.max(x, axis=axis, keepdims=True)", "np.max(x)"), ("np.sum(exponentials, axis=axis, keepdims=True)", "np.sum(exponentials)"),
      says="your weights sum to 1 over the whole array; each slice along `axis` must sum to 1 by itself.")
wrong("not-normalised", (" / np.sum(exponentials, axis=axis, keepdims=True)", ""),
      says="your output is the exponentials alone; divide them by their sum along the axis.")
wrong("log-softmax", ("exponentials / np.sum(exponentials, axis=axis, keepdims=True)", "shifted - np.log(np.sum(exponentials, axis=axis, keepdims=True))"),
      says="your output is the logarithm of the weights (log-softmax); return the weights themselves.")
wrong("linear", ("np.exp(shifted)", "(x - np.min(x, axis=axis, keepdims=True) + 1e-9)"),
      says="your weights are the scores shifted and divided by their sum: the exponential is missing.")
wrong("base-two", ("np.exp(shifted)", "np.exp2(shifted)"), says="your softmax uses powers of 2; softmax uses the exponential function, powers of e.")
wrong("clipped", ("shifted = x - np.max(x, axis=axis, keepdims=True)", "shifted = np.clip(x, -500, 500)"),
      says="you clip the scores to keep them in range, and that changes the weights. Subtract the maximum: it changes none.")
wrong("adds-epsilon", ("np.sum(exponentials, axis=axis, keepdims=True)", "(np.sum(exponentials, axis=axis, keepdims=True) + 1e-2)"),
      says="your weights sum to a little less than 1: a constant is added to the sum. After subtracting the maximum the sum is at least 1, so none is needed.")
wrong("in-place", ("shifted = x - np.max(x, axis=axis, keepdims=True)", "x -= np.max(x, axis=axis, keepdims=True); shifted = x"),
      says="your softmax changes its argument `x`: `x -= ...` works in place. Write `x - ...` into a new array.")
wrong("no-keepdims", ("np.max(x, axis=axis, keepdims=True)", "np.max(x, axis=axis)"), ("np.sum(exponentials, axis=axis, keepdims=True)", "np.sum(exponentials, axis=axis)"),
      says="the maximum and the sum lose the axis they are taken along, so they no longer line up with the scores: pass keepdims=True.")

@right
def log_sum_exp(x, axis=-1):
    top = x.max(axis, keepdims=True)
    return np.exp(x - top - np.log(np.exp(x - top).sum(axis, keepdims=True)))

@right
def moved_axes(x, axis=-1):
    rows = np.moveaxis(x, axis, 0)
    e = np.exp(rows - rows.max(0))
    return np.moveaxis(e / e.sum(0), 0, axis)

@right
def single_precision(x, axis=-1):
    e = np.exp((x - x.max(axis=axis, keepdims=True)).astype(np.float32))
    return e / e.sum(axis=axis, keepdims=True)

@right
def slice_by_slice(x, axis=-1):
    def one(line):
        e = [np.exp(value - max(line)) for value in line]
        return np.array(e) / sum(e)
    return np.apply_along_axis(one, axis, x)

@truth
def by_torch(x, axis=-1):
    import torch
    return torch.softmax(torch.from_numpy(x), dim=axis).numpy()
