"""Exceptions that many meet are told with what they mean; of others nothing is claimed."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from autograder.formats.cases import Call
from autograder.formats.values import Tensor
from autograder.judging.exceptions import explained
from autograder.library import build_fixture
from autograder.observing.observe import observe

pytestmark = pytest.mark.quick


def fault_of(target: Callable[..., object]) -> str:
    """What is told of the exception that the code ends in."""
    call = Call("six numbers", {"x": Tensor(np.arange(6, dtype=np.float32).reshape(2, 3), "float32")}, 1)
    fault = observe(target, {"0.0.0": call}, build=build_fixture).observations["0.0.0"].fault
    assert fault is not None
    return explained(fault)


def asks_whether_a_mask_is_true(x: torch.Tensor) -> torch.Tensor:
    mask = x > 2
    if mask:
        x = x + 1
    return x


def compares_as_a_whole(x: torch.Tensor) -> object:
    return max(0, x)


def joins_by_and(x: torch.Tensor) -> object:
    return x > 1 and x < 4


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (asks_whether_a_mask_is_true, "`mask is not None`"),
        (compares_as_a_whole, "`torch.clamp`"),
        (joins_by_and, "single truth value"),
        (lambda x: x / torch.sqrt(x.shape[1]), "`math.sqrt`"),
        (lambda x: torch.relu((x, x)), "take it out first"),
        (lambda x: nn.functional.linear(nn.ReLU(x), x), "`nn.ReLU(...)` makes a layer"),
        (lambda x: torch.max(0, x), "`torch.relu(x)`"),
        (lambda x: x.view(2, 3 / 1), "needs `//`"),
        (lambda x: [0 for _ in range(x.shape[1] / 2)], "needs `//`"),
        (lambda x: nn.ModuleList([nn.Linear(3, 3)])(x), "go through it with a loop"),
    ],
)
def test_an_exception_that_many_meet_is_explained(target: Callable[..., object], words: str) -> None:
    assert words in fault_of(target)


def test_a_class_without_a_forward_is_told_so() -> None:
    class Silent(nn.Module):
        def foward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    assert "`Silent` has no method of the name `forward`" in fault_of(lambda x: Silent()(x))


def test_nothing_is_claimed_of_other_exceptions() -> None:
    assert fault_of(lambda x: math.sqrt(-1.0)) == ""
    assert fault_of(lambda x: x @ x) == ""
