"""Notice which arrays a learner's PyTorch code makes, operator by operator.

Like the watch for forbidden operators, this can be switched off in a hostile process: what it notes may take points
away and never give them. Work of library-backed parts is not noted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .quiet import is_paused, paused

Note = Callable[[str, tuple[Any, ...], Any], None]
"""Called after each operator with its name, its arguments and what it returned."""


def noting(note: Note) -> Any:
    """A context in which every PyTorch operator is reported to `note`."""
    return _mode_class()(note)


def entries(value: Any) -> int:
    """Numbers that the largest tensor in `value` holds in memory; a view or a broadcast holds none of its own."""
    import torch

    if isinstance(value, torch.Tensor):
        if value.device.type == "meta":
            return int(value.numel())
        return int(min(value.numel(), value.untyped_storage().nbytes() // value.element_size()))
    if isinstance(value, (tuple, list)):
        return max((entries(item) for item in value), default=0)
    return 0


@functools.cache
def _mode_class() -> Any:
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Notes(TorchDispatchMode):
        def __init__(self, note: Note) -> None:
            super().__init__()
            self._note = note

        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # to skip the compiler's frames PyTorch would import the compiler, for seconds

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            if not is_paused():
                self._note(func._schema.name.split("::")[-1].strip("_"), args, result)
            return result

    with Notes(lambda name, args, result: None), paused():
        torch.zeros(1).add(
            1
        )  # the first operator under a mode imports for seconds: here, and not on the learner's time
    return Notes
