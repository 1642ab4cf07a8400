"""Triton, where it is: its interpreter runs a kernel on a CPU, here with a guard over what the kernel reads and writes.

A kernel that is compiled and reads behind the end of an array reads whatever lies there; one that writes there spoils it.
Under the guard both are an error that says so.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..formats.fixtures import NotAsked

_TRIED = "3.7"
"""The Triton that the course was tried with."""


@dataclass
class Launches:
    """What the kernels have done that ran inside a `watching_launches` block."""

    count: int = 0
    most_loaded: int = 0
    """Numbers that one `tl.load` of one program has read at the most; masked ones do not count."""
    stored: int = 0
    """Numbers that kernels have written, all together; masked ones do not count."""
    exponentials: int = 0
    """Exponentials that kernels have taken, all together."""
    ready_made: set[str] = field(default_factory=set)
    """Functions of Triton's own, written in Triton, that a kernel has called."""


@dataclass
class _Guard:
    """The arrays that the running kernel was given, as address ranges; and who counts."""

    arrays: list[tuple[int, int]] = field(default_factory=list)
    watchers: list[Launches] = field(default_factory=list)


_guard = _Guard()


def load_triton() -> tuple[Any, Any]:
    """`triton` and `triton.language`, to be interpreted; where that cannot be, one line says why, and stand-ins come back.

    A kernel can be defined with the stand-ins too, so that the rest of a notebook runs. To launch it is an error.
    """
    os.environ["TRITON_INTERPRET"] = "1"
    if why := why_no_kernels():
        print(f"{why} The exercises that need kernels cannot be judged here; all others can.")
        return _Absent(), _Absent()
    return importlib.import_module("triton"), importlib.import_module("triton.language")


def why_no_kernels() -> str:
    """Why no kernel can be interpreted in this process, as a sentence; empty where it can."""
    already = "triton" in sys.modules
    if not already:
        os.environ["TRITON_INTERPRET"] = "1"
    try:
        triton = importlib.import_module("triton")
        interpreter = importlib.import_module("triton.runtime.interpreter")
    except ImportError:
        return "Triton is not installed here (on Linux: python -m pip install triton)."
    try:
        if not isinstance(triton.language.max, interpreter.InterpretedFunction):
            return "Triton was loaded before its interpreter was asked for: restart the kernel and run the first cell first."
        _put_up_the_guard(interpreter)
    except AttributeError:
        found = getattr(triton, "__version__", "of an unknown version")
        return f"This Triton ({found}) has another interpreter than the one that the course was tried with ({_TRIED})."
    return ""


@contextlib.contextmanager
def watching_launches() -> Iterator[Launches]:
    """Inside the block launches of kernels are counted."""
    seen = Launches()
    _guard.watchers.append(seen)
    try:
        yield seen
    finally:
        _guard.watchers.remove(seen)


class _Absent:
    """Stands for Triton where there is none: whatever is looked up in it is there, and only launching a kernel fails."""

    def __bool__(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "jit":
            return _NoKernel
        if name == "next_power_of_2":
            return lambda n: 1 << (n - 1).bit_length()
        return _Absent()


class _NoKernel:
    def __init__(self, function: Callable[..., Any]) -> None:
        self.fn, self.__name__ = function, function.__name__

    def __getitem__(self, grid: Any) -> Any:
        raise NotAsked(why_no_kernels().rstrip("."))


def _put_up_the_guard(interpreter: Any) -> None:
    """Once a process: launches are counted and known by their arrays, loads and stores stay inside these.

    No sum or product of whole numbers is looked at for overflow: a compiled kernel does so for debugging alone, and here it
    takes a quarter of the time.
    """
    executor, builder = interpreter.GridExecutor, type(interpreter.interpreter_builder)
    function = interpreter.InterpretedFunction
    if hasattr(executor, "guarded_by_the_course"):
        return
    call, launch, to_host, load, store = (
        function.__call__,
        executor.__call__,
        executor._init_args_hst,
        builder.create_masked_load,
        builder.create_masked_store,
    )

    def noted_call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if str(self.fn.__module__).startswith("triton."):
            for seen in _guard.watchers:
                seen.ready_made.add(self.fn.__name__)
        return call(self, *args, **kwargs)

    def guarded_launch(self: Any, *args: Any, **kwargs: Any) -> Any:
        for seen in _guard.watchers:
            seen.count += 1
        try:
            return launch(self, *args, **kwargs)
        except interpreter.InterpreterError as error:
            raise (error.__cause__ or error) from None
        finally:
            _guard.arrays = []

    def noted_arrays(self: Any, args: Any, kwargs: Any) -> Any:
        found = to_host(self, args, kwargs)
        tensors = [value for value in (*found[0], *found[1].values()) if hasattr(value, "untyped_storage")]
        storages = [tensor.untyped_storage() for tensor in tensors]
        _guard.arrays = [(storage.data_ptr(), storage.data_ptr() + storage.nbytes()) for storage in storages]
        return found

    def guarded_load(self: Any, ptrs: Any, mask: Any, *more: Any) -> Any:
        _stay_inside(ptrs, mask, "reads")
        for seen in _guard.watchers:
            seen.most_loaded = max(seen.most_loaded, int(np.asarray(mask.data).sum()))
        return load(self, ptrs, mask, *more)

    def guarded_store(self: Any, ptrs: Any, value: Any, mask: Any, *more: Any) -> Any:
        _stay_inside(ptrs, mask, "writes")
        for seen in _guard.watchers:
            seen.stored += int(np.asarray(mask.data).sum())
        return store(self, ptrs, value, mask, *more)

    def counted(exponential: Callable[..., Any]) -> Callable[..., Any]:
        def take(self: Any, number: Any) -> Any:
            for seen in _guard.watchers:
                seen.exponentials += int(np.size(number.data))
            return exponential(self, number)

        return take

    options = interpreter.interpreter_builder.options
    interpreter.interpreter_builder.options = replace(options, sanitize_overflow=False)
    builder.create_exp, builder.create_exp2 = counted(builder.create_exp), counted(builder.create_exp2)
    function.__call__ = noted_call
    executor.__call__, executor._init_args_hst = guarded_launch, noted_arrays
    builder.create_masked_load, builder.create_masked_store = guarded_load, guarded_store
    executor.guarded_by_the_course = True


def _stay_inside(ptrs: Any, mask: Any, does: str) -> None:
    used = np.asarray(ptrs.data)[np.asarray(mask.data)]  # of a block pointer the mask is an array itself
    inside = [(used >= low) & (used < high) for low, high in _guard.arrays]
    if used.size and not (sum(inside) > 0).all():
        raise IndexError(
            f"the kernel {does} outside the arrays it was given: its mask lets through places that do not exist"
        )
