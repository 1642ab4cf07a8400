"""What a cell may have changed for the whole process, as Python starts with it, while an exercise is observed.

Right code must not fail since another cell switched gradients off. Where something had been changed, the observation
says so; afterwards it is again as the learner had it.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

_NUMPY_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_RECURSION = 1000


@dataclass(frozen=True)
class _Switch:
    """One thing that can be changed for the whole process.

    name: how a learner changes it, which is how they are told
    read: its value now; `put` sets it; `usual` is what it is when Python starts
    """

    name: str
    read: Callable[[], Any]
    put: Callable[[Any], object]
    usual: Any


@contextlib.contextmanager
def as_python_starts() -> Iterator[tuple[str, ...]]:
    """Inside the block every switch stands as when Python starts; gives the names of those that did not."""
    told: list[str] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        if any(action == "error" and kind in (Warning, UserWarning) for action, _, kind, *_ in warnings.filters):
            warnings.simplefilter("default")
            told.append('warnings.simplefilter("error")')
        torch = sys.modules.get("torch")
        if torch is not None and hasattr(torch, "is_inference_mode_enabled") and torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
            told.append("torch.inference_mode")
        for switch in _switches(torch):
            with contextlib.suppress(Exception):  # a learner may have replaced the very function that reads it
                value = switch.read()
                stack.callback(_put_back, switch, value)
                if value != switch.usual:
                    switch.put(switch.usual)
                    told.append(switch.name)
        yield tuple(told)


def _put_back(switch: _Switch, value: Any) -> None:
    """Only where it stands otherwise now: to set PyTorch's deterministic algorithms imports its compiler, for seconds."""
    with contextlib.suppress(Exception):
        if switch.read() != value:
            switch.put(value)


def _switches(torch: Any) -> list[_Switch]:
    recursion = max(_RECURSION, sys.getrecursionlimit())  # a higher one harms nobody
    found = [
        _Switch("np.seterr", np.geterr, lambda value: np.seterr(**value), _NUMPY_ERRORS),
        _Switch("sys.setrecursionlimit", sys.getrecursionlimit, sys.setrecursionlimit, recursion),
    ]
    if torch is None or not hasattr(torch, "set_default_device"):
        return found
    cpu = torch.device("cpu")
    return [
        # The device first: others may make a tensor.
        _Switch(
            "torch.set_default_device",
            torch.get_default_device,
            lambda device: torch.set_default_device(None if device == cpu else device),
            cpu,
        ),
        _Switch("torch.set_grad_enabled", torch.is_grad_enabled, torch._C._set_grad_enabled, True),
        _Switch("torch.set_default_dtype", torch.get_default_dtype, torch.set_default_dtype, torch.float32),
        _Switch(
            "torch.use_deterministic_algorithms",
            torch.are_deterministic_algorithms_enabled,
            torch.use_deterministic_algorithms,
            False,
        ),
        _Switch("torch.autograd.set_detect_anomaly", torch.is_anomaly_enabled, torch.set_anomaly_enabled, False),
        _Switch(
            "torch.autocast",
            lambda: torch.is_autocast_enabled("cpu"),
            lambda value: torch.set_autocast_enabled("cpu", value),
            False,
        ),
        *found,
    ]
