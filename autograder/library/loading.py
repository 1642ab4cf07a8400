"""Copy given weights into a module, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..formats.values import to_live
from .quiet import paused


def load_state(module: Any, state: Mapping[str, Any]) -> dict[str, list[int]]:
    """Copy weights into a module by name; return the shapes of its parameters. A missing name raises KeyError."""
    import torch

    if not isinstance(module, torch.nn.Module):
        if not state:
            return {}
        raise TypeError("the class is no torch.nn.Module")
    own = dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers(remove_duplicate=False))
    with paused(), torch.no_grad():
        for name, weight in state.items():
            if name not in own:
                raise KeyError(f"there is no weight {name}; there are: {', '.join(sorted(own)) or 'none at all'}")
            given = to_live(weight)
            if own[name].shape != given.shape:
                raise ValueError(f"{name} has shape {tuple(own[name].shape)}, expected {tuple(given.shape)}")
            own[name].copy_(given)
    return {name: list(parameter.shape) for name, parameter in module.named_parameters()}
