"""Notice library operators that would do an exercise's work, by whatever name, overload or thread they are reached.

While a learner's code runs, two PyTorch modes listen: one sees the public functions as they are called, the other
the operators that reach the dispatcher; a hook sees the layers that are called. What they cannot see (operators
inside other operators, in other threads, in scripted and compiled functions) a recording of all that PyTorch runs shows
afterwards: some calls are made once more for it. A name that ends in `.*` means a whole package: a profiler sees each
function of it as it is called, by whatever name, compiled ones too. Library-backed parts run with the watch paused. In a hostile
process the watch can be switched off; what it reports may therefore take points away and never give them.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..library.quiet import (
    PAUSED,
    import_what_modes_need,
    is_paused,
    listening_with,
    observing,
    operator_mode,
    paused,
    recording,
    stacks,
)

_ALSO_KNOWN_AS = {
    "MultiheadAttention": ("multi_head_attention_forward", "native_multi_head_attention"),
    "TransformerEncoderLayer": ("transformer_encoder_layer_fwd",),
    "softmax": ("softmax", "log_softmax", "safe_softmax"),
    "LayerNorm": ("layer_norm", "native_layer_norm"),
    "layer_norm": ("layer_norm", "native_layer_norm"),
}


@contextlib.contextmanager
def watching(forbids: tuple[str, ...], allowed: frozenset[str] | None = None) -> Iterator[set[str]]:
    """Collect which of the forbidden names are used inside the block, and which parts besides the `allowed` ones.

    Without PyTorch loaded no forbidden name can be used.
    """
    used: set[str] = set()
    packages = frozenset(name.removesuffix(".*") for name in forbids if name.endswith(".*"))
    operators = tuple(name for name in forbids if not name.endswith(".*"))
    with contextlib.ExitStack() as stack:
        stack.enter_context(observing(allowed, used))
        if packages:
            stack.enter_context(_profiling(packages, used.add))
        if not operators or "torch" not in sys.modules:
            yield used
            return
        modes = _modes(operators, used.add)
        depths = [lie.depth() for lie in stacks()]
        for mode in modes:
            stack.enter_context(mode)
        stack.enter_context(_listening_to_layers(frozenset(operators), used.add))
        with paused():
            import_what_modes_need()
        stack.enter_context(listening_with(modes, depths))
        yield used


_FAMILIES = {
    "scaled_dot_product_attention": ("scaled_dot_product", "flash_attention", "efficient_attention"),
    "MultiheadAttention": ("multi_head_attention",),
    "TransformerEncoderLayer": ("transformer_encoder_layer",),
    "LayerNorm": ("layer_norm",),
    "conv1d": ("conv",),
    "backward": ("autograd::engine",),
    "grad": ("autograd::engine",),
}
"""By which parts of its name an operator is known for one of a family, where that is not the family's own name."""


@contextlib.contextmanager
def recorded(forbids: tuple[str, ...], used: set[str]) -> Iterator[None]:
    """Collect which of the forbidden names any operator bears that PyTorch runs inside the block, wherever it runs it.

    For code that is known to end soon: each operator takes memory.
    """
    wanted = {name: _FAMILIES.get(name, (name.lower(),)) for name in forbids if not name.endswith(".*")}
    if (
        not wanted
        or "torch" not in sys.modules
        or not _may_start_a_thread()
        or (recording_of_all := _recorder()) is None
    ):
        yield
        return
    try:
        with recording(), _library_layers_apart(), recording_of_all:
            yield
    finally:
        events = recording_of_all.kineto_results.events() if recording_of_all.kineto_results else []
        pauses = [
            (e.start_thread_id(), e.start_ns(), e.start_ns() + e.duration_ns()) for e in events if e.name() == PAUSED
        ]
        for event in events:
            operator = event.name().lower()
            for name, parts in wanted.items():
                if any(part in operator for part in parts):
                    when, thread = event.start_ns(), event.start_thread_id()
                    if not any(thread == where and begun <= when <= ended for where, begun, ended in pauses):
                        used.add(name)


@contextlib.contextmanager
def _library_layers_apart() -> Iterator[None]:
    """A recording shows what a library-backed layer does as a pause, also where a learner's code calls it by itself."""
    from torch._C import _profiler
    from torch.nn.modules import module as modules

    ranges: list[Any] = []

    def is_ours(layer: Any) -> bool:
        return type(layer).__module__.startswith("autograder.library")

    def begin(layer: Any, inputs: Any) -> None:
        if is_ours(layer):
            ranges.append(_profiler._RecordFunctionFast(PAUSED))
            ranges[-1].__enter__()

    def end(layer: Any, inputs: Any, output: Any) -> None:
        if is_ours(layer) and ranges:
            ranges.pop().__exit__(None, None, None)

    hooks = (
        modules.register_module_forward_pre_hook(begin),
        modules.register_module_forward_hook(end, always_call=True),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _may_start_a_thread() -> bool:
    """PyTorch's profiler starts some, and ends the process where it cannot: a submission may have taken all there are."""
    try:
        for thread in [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(4)]:
            thread.start()
    except RuntimeError:
        return False
    return True


def _recorder() -> Any:
    """PyTorch's profiler, over all threads; None where this build has none."""
    from torch.autograd import profiler

    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it would write to stderr that it begins
    try:
        from torch._C._profiler import _ExperimentalConfig

        return profiler.profile(use_kineto=True, experimental_config=_ExperimentalConfig(profile_all_threads=True))
    except (ImportError, TypeError, RuntimeError):  # an older PyTorch, or one that was built without
        return None


@contextlib.contextmanager
def _listening_to_layers(names: frozenset[str], report: Callable[[str], None]) -> Iterator[None]:
    from torch.nn.modules import module as modules

    def note(layer: Any, inputs: Any) -> None:
        if not is_paused():
            for base in type(layer).__mro__:
                if base.__name__ in names and base.__module__.startswith("torch."):
                    report(base.__name__)

    hook = modules.register_module_forward_pre_hook(note)
    try:
        yield
    finally:
        hook.remove()


@contextlib.contextmanager
def _profiling(packages: frozenset[str], report: Callable[[str], None]) -> Iterator[None]:
    def note(frame: types.FrameType, event: str, argument: Any) -> None:
        if event not in ("call", "c_call") or is_paused():
            return
        # a compiled method bears its object's type, a compiled function its module
        owner = getattr(argument, "__self__", None) if event == "c_call" else None
        compiled = getattr(argument, "__module__", None) or type(owner).__module__
        module = frame.f_globals.get("__name__", "") if event == "call" else compiled
        package = str(module).split(".", 1)[0]
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
