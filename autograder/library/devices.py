"""Whether code keeps to the device of its inputs, asked where there is one device only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..formats.fixtures import NotAsked


def works_on_another_device(use: Callable[[str], Any]) -> bool:
    """Whether `use("meta")` works: with tensors of PyTorch's device "meta", which computes shapes and no numbers.

    False where tensors of two devices meet, or where the result is on another device. Code that needs numbers, such
    as a loop over ids, cannot be told and is believed. Raises NotAsked where the device does not work at all.
    """
    import torch

    try:
        result = use("meta")
    except Exception as error:
        if "is not on the expected device" in str(error) or "on the same device" in str(error):
            return False
        _require_meta()
        return True
    return not isinstance(result, torch.Tensor) or result.device.type == "meta"


def _require_meta() -> None:
    import torch

    try:
        (torch.ones(2, 2, device="meta") @ torch.ones(2, 2, device="meta")).sum()
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise NotAsked(
            f'whether it keeps to its device could not be asked, since PyTorch\'s device "meta" fails ({told})'
        ) from None
