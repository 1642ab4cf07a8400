"""What Python's and PyTorch's exceptions mean where their own words do not say what is to be looked at."""

from __future__ import annotations

import re

from ..formats.cases import Fault


def explained(fault: Fault) -> str:
    """A sentence or two on an exception that many meet; empty where nothing is known of it."""
    for message, line, says in _KNOWN:
        found = re.search(message, fault.message)
        if found and re.search(line, fault.source_line):
            return says.format(*found.groups())
    return ""


_KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        r"Module \[ModuleList\] is missing the required \"forward\"",
        "",
        "An `nn.ModuleList` holds modules and cannot be called itself: go through it with a loop.",
    ),
    (
        r"Module \[(\w+)\] is missing the required \"forward\"",
        "",
        "`{0}` has no method of the name `forward`: is it misspelled, or not indented into the class?",
    ),
    (
        r"Boolean value of Tensor with more than one value|truth value of an array with more than one element",
        r"\b(?:max|min)\(",
        "Python's own `max` and `min` compare two things as a whole; for each number by itself there are `torch.clamp` and "
        "`torch.maximum` (in NumPy `np.maximum`).",
    ),
    (
        r"Boolean value of Tensor with more than one value|truth value of an array with more than one element",
        r"\bif \w*mask\w*\b(?! is)|\bnot \w*mask\w*\b",
        "`if mask` asks whether a whole array is true. Whether there is one is asked by `mask is not None`.",
    ),
    (
        r"Boolean value of Tensor with more than one value|truth value of an array with more than one element",
        "",
        "An array of several numbers is neither true nor false: `if`, `and`, `or` and `not` need a single truth value.",
    ),
    (
        r"(\w+)\(\): argument 'input' \(position 1\) must be Tensor, not (int|float)",
        "",
        "`torch.{0}` takes tensors; for a plain number there is `math.{0}`.",
    ),
    (
        r"argument 'input' \(position 1\) must be Tensor, not tuple",
        "",
        "Two things come in a tuple there, and one of them is wanted: take it out first (`output, weights = ...`).",
    ),
    (
        r"argument 'input' \(position 1\) must be Tensor, not (ReLU|Softmax|GELU|Dropout|LayerNorm|Linear|Sigmoid|Tanh)",
        "",
        "`nn.{0}(...)` makes a layer; it is called in a second step, on the tensor.",
    ),
    (
        r"max\(\) received an invalid combination of arguments - got \((?:int|float), Tensor\)",
        "",
        "`torch.max` does not compare a number with a tensor; `torch.clamp(x, min=0)` and `torch.relu(x)` do.",
    ),
    (
        r"must be tuple of ints,? ?but got float|'float' object cannot be interpreted as an integer|but found type float",
        "/",
        "A division by `/` gives a float, also where it comes out even; a size or a count needs `//`.",
    ),
)
