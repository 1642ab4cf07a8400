"""Notice library operators that would do an exercise's work, below the names that Python code uses for them.

Two PyTorch modes listen while a learner's code runs: one sees the public functions as they are called, the other
the operators that reach the dispatcher. A name that ends in `.*` means a whole package: a profiler sees each Python
function of it as it is called, by whatever name. Library-backed parts run with the watch paused. In a hostile process
the watch can be switched off; what it reports may therefore take points away and never give them.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from ..library.quiet import is_paused, observing, paused

_ALSO_KNOWN_AS = {
    "MultiheadAttention": ("multi_head_attention_forward", "native_multi_head_attention"),
    "TransformerEncoderLayer": ("transformer_encoder_layer_fwd",),
    "softmax": ("softmax", "log_softmax", "safe_softmax"),
    "LayerNorm": ("layer_norm", "native_layer_norm"),
    "layer_norm": ("layer_norm", "native_layer_norm"),
}


@contextlib.contextmanager
def watching(forbids: tuple[str, ...], exercise: str = "") -> Iterator[set[str]]:
    """Collect which of the forbidden names are used inside the block, and whether the exercise is its own part.

    Without PyTorch loaded no forbidden name can be used.
    """
    used: set[str] = set()
    packages = frozenset(name.removesuffix(".*") for name in forbids if name.endswith(".*"))
    operators = tuple(name for name in forbids if not name.endswith(".*"))
    with contextlib.ExitStack() as stack:
        stack.enter_context(observing(exercise, used))
        if packages:
            stack.enter_context(_profiling(packages, used.add))
        if not operators or "torch" not in sys.modules:
            yield used
            return
        for mode in _modes(operators, used.add):
            stack.enter_context(mode)
        with paused():
            _import_what_modes_need()
        yield used


@functools.cache
def _import_what_modes_need() -> None:
    """The first operator under a mode imports for seconds: here, and not on the learner's time."""
    import torch

    torch.zeros(1).add(1)


@contextlib.contextmanager
def _profiling(packages: frozenset[str], report: Callable[[str], None]) -> Iterator[None]:
    def note(frame: types.FrameType, event: str, argument: Any) -> None:
        if event == "call" and not is_paused():
            package = str(frame.f_globals.get("__name__", "")).split(".", 1)[0]
            if package in packages:
                report(package)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)


def _modes(forbids: tuple[str, ...], report: Callable[[str], None]) -> list[Any]:
    from torch.overrides import TorchFunctionMode
    from torch.utils._python_dispatch import TorchDispatchMode

    spellings = {alias: name for name in forbids for alias in (name, *_ALSO_KNOWN_AS.get(name, ()))}

    def note(spelling: str) -> None:
        if not is_paused() and (name := spellings.get(spelling.strip("_"))):
            report(name)

    class Functions(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            note(getattr(func, "__name__", ""))
            return func(*args, **(kwargs or {}))

    class Operators(TorchDispatchMode):
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # to skip the compiler's frames PyTorch would import the compiler, for seconds

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            operator = func._schema.name.split("::")[-1].strip("_")
            note(operator)
            for alias in spellings:  # scaled_dot_product_attention reaches the dispatcher as one of its kernels
                if operator.startswith(alias.removesuffix("_attention")) and alias.endswith("_attention"):
                    note(alias)
            return func(*args, **(kwargs or {}))

    return [Functions(), Operators()]  # type: ignore[no-untyped-call]
