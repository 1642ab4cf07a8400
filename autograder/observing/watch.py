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
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..library.quiet import import_what_modes_need, is_paused, listening_with, observing, operator_mode, paused, stacks

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
        modes = _modes(operators, used.add)
        depths = [lie.depth() for lie in stacks()]
        for mode in modes:
            stack.enter_context(mode)
        with paused():
            import_what_modes_need()
        stack.enter_context(listening_with(modes, depths))
        yield used


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


def _modes(forbids: tuple[str, ...], report: Callable[[str], None]) -> tuple[Any, Any]:
    """A mode for functions and one for operators, which report the names in `forbids` that they hear."""
    spellings = {alias: name for name in forbids for alias in (name, *_ALSO_KNOWN_AS.get(name, ()))}
    return _function_mode()(spellings, report), operator_mode()(spellings, report)


@functools.cache
def _function_mode() -> Any:
    from torch.overrides import TorchFunctionMode

    class Functions(TorchFunctionMode):
        def __init__(self, spellings: Mapping[str, str], report: Callable[[str], None]) -> None:
            super().__init__()
            self._spellings, self._report = spellings, report

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = self._spellings.get(getattr(func, "__name__", "").strip("_"))
            if name and not is_paused():
                self._report(name)
            return func(*args, **(kwargs or {}))

    return Functions
