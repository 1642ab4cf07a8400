"""Library-backed parts do their work unseen by the watch for forbidden operators; and the operators that it hears."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_paused = 0
_listening: tuple[Any, Any] | None = None
"""The two modes that are on, the one for functions and the one for operators."""
_observed: tuple[frozenset[str], Callable[[str], None]] | None = None
"""The parts that the exercise under observation may stand on, and where to say that another one was called."""
_recording = False
PAUSED = "autograder: a part of the library"
"""The name under which a recording of operators shows the work of library-backed parts."""


class paused:
    """Library-backed parts do their work in here, unseen by the watch and undelayed by it.

    The modes are taken off, each of which costs more than an operator on small tensors does. Only what lies on top can
    be: below a learner's own mode, and in another thread, they stay, and what they hear is not noted.
    A class, since a generator that a time limit interrupts would put the modes back at some later time.
    """

    _off: tuple[tuple[Any, Any], ...] = ()
    _range: Any = None

    def __enter__(self) -> None:
        global _paused
        _paused += 1
        if _recording:
            self._range = _recorded_range()
            self._range.__enter__()
        if _paused == 1 and _listening:
            self._off = tuple((lie, mode) for lie, mode in zip(stacks(), _listening, strict=True) if lie.top() is mode)
            for lie, _ in self._off:
                lie.pop()

    def __exit__(self, *raised: object) -> None:
        global _paused
        for lie, mode in self._off:
            lie.push(mode)
        if self._range is not None:
            self._range.__exit__(None, None, None)
        _paused -= 1


def _recorded_range() -> Any:
    from torch._C import _profiler

    return _profiler._RecordFunctionFast(PAUSED)


@contextlib.contextmanager
def recording() -> Iterator[None]:
    """Inside the block a recording of operators is running, in which pauses are to be seen."""
    global _recording
    before, _recording = _recording, True
    try:
        yield
    finally:
        _recording = before


Note = Callable[[str, tuple[Any, ...], Any], None]
"""Called after an operator with its name, its arguments and what it returned."""


@contextlib.contextmanager
def noting(note: Note) -> Iterator[None]:
    """Inside the block each PyTorch operator is reported to `note`, but for those of library-backed parts.

    Where the watch listens already, its mode reports them: two modes take twice the time.
    """
    if _paused:
        yield
        return
    if _listening and stacks()[1].top() is _listening[1]:
        notes = _listening[1].notes
        notes.append(note)
        try:
            yield
        finally:
            notes.remove(note)
        return
    with operator_mode()({}, lambda name: None) as mode:
        with paused():
            import_what_modes_need()
        mode.notes.append(note)
        yield


def is_paused() -> bool:
    return _paused > 0


def quiet(part: Any) -> Any:
    """The same function or module class, its calls unseen by the watch."""
    if isinstance(part, type):
        base: Any = part

        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not vars(self).get("_made_by_a_fixture"):
                _note_part(part)
            with paused():
                return base.__call__(self, *args, **kwargs)

        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            vars(self)["_made_by_a_fixture"] = _is_library(sys._getframe(1).f_globals)  # an argument may be called
            with paused():
                base.__init__(self, *args, **kwargs)

        def quietly(method: Any) -> Any:
            @functools.wraps(method)
            def run(self: Any, *args: Any, **kwargs: Any) -> Any:
                if not vars(self).get("_made_by_a_fixture"):
                    _note_part(part)
                with paused():
                    return method(self, *args, **kwargs)

            return _without_way_back(run, method)

        methods = {
            name: quietly(method)
            for kind in reversed(part.__mro__)
            if kind.__module__.startswith(_UNIT_MODULES)
            for name, method in vars(kind).items()
            if inspect.isfunction(method) and not name.startswith("_")
        }
        own = methods | {"__call__": call, "__init__": functools.wraps(base.__init__)(init), "__doc__": part.__doc__}
        return type(part.__name__, (part,), own)

    @functools.wraps(part)
    def function(*args: Any, **kwargs: Any) -> Any:
        _note_part(part)
        with paused():
            return part(*args, **kwargs)

    return _without_way_back(function, part)


def _without_way_back(function: Any, part: Any) -> Any:
    """The function with the part's signature, and without the attribute that would give the part away, unseen."""
    with contextlib.suppress(ValueError):  # a builtin function need not have one
        function.__signature__ = inspect.signature(part)
    del function.__wrapped__
    return function


def _note_part(part: Any) -> None:
    """A part may use any other part; a learner's exercise may use those of earlier exercises only.

    What a fixture has made calls its module's helpers while the learner's code runs: that is the library's own work.
    """
    if _is_library(sys._getframe(2).f_globals):
        return
    if _observed and not _paused and part.__name__ not in _observed[0]:
        _observed[1](f"use_part('{part.__name__}')")


def _is_library(caller: dict[str, Any]) -> bool:
    """Whether these are the globals of one of the library's unit modules."""
    name = str(caller.get("__name__"))
    return name.startswith(_UNIT_MODULES) and vars(sys.modules.get(name, sys)) is caller


@contextlib.contextmanager
def listening_with(modes: tuple[Any, Any], depths: list[int]) -> Iterator[None]:
    """Inside the block a pause takes the modes off; at its end they lie on top, wherever a time limit struck.

    depths: how many modes lay on each stack before these
    """
    global _listening, _paused
    before, _listening = (_listening, _paused), modes
    try:
        yield
    finally:
        _listening, _paused = before
        for lie, mode, depth in zip(stacks(), modes, depths, strict=True):
            while lie.depth() > depth:
                lie.pop()
            lie.push(mode)


@dataclass(frozen=True)
class _Stack:
    """One of the two stacks that PyTorch keeps its modes on."""

    depth: Callable[[], int]
    top: Callable[[], Any]
    pop: Callable[[], Any]
    push: Callable[[Any], None]


@functools.cache
def stacks() -> tuple[_Stack, _Stack]:
    """That of functions and that of operators."""
    import torch
    from torch import overrides
    from torch.utils import _python_dispatch as dispatch

    return (
        _Stack(
            torch._C._len_torch_function_stack,
            overrides._get_current_function_mode,
            overrides._pop_mode,
            overrides._push_mode,
        ),
        _Stack(
            torch._C._len_torch_dispatch_stack,
            dispatch._get_current_dispatch_mode,
            dispatch._pop_mode,
            dispatch._push_mode,
        ),
    )


@functools.cache
def import_what_modes_need() -> None:
    """The first operator under a mode imports for seconds: here, and not on the learner's time."""
    import torch

    torch.zeros(1).add(1)


@contextlib.contextmanager
def observing(allowed: frozenset[str] | None, used: set[str]) -> Iterator[None]:
    """Inside the block, parts other than the `allowed` ones are noted as used; None: whichever are.

    Those in the library's own modules are noted too, however a submission comes by the module.
    """
    global _observed
    before, _observed = _observed, None if allowed is None else (allowed, used.add)
    replaced: list[tuple[dict[str, Any], str, Any]] = []
    finder = _Importing()
    if allowed is not None:
        for module in [module for name, module in sys.modules.items() if name.startswith(_UNIT_MODULES)]:
            for name, value in list(vars(module).items()):
                if getattr(value, "__module__", None) == module.__name__ and name not in allowed and callable(value):
                    replaced.append((vars(module), name, value))
                    vars(module)[name] = _quiet_once(value)
        sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        _observed = before
        for space, name, value in replaced:
            space[name] = value
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)


_UNIT_MODULES = f"{__package__}.unit_"
_quiet_once = functools.cache(quiet)


class _Importing:
    """Notes that a submission imports one of the library's modules by itself; finds nothing."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.startswith(_UNIT_MODULES) and _observed and not _paused:
            _observed[1](name)


@functools.cache
def operator_mode() -> Any:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Operators(TorchDispatchMode):
        def __init__(self, spellings: Mapping[str, str], report: Callable[[str], None]) -> None:
            super().__init__()
            self._spellings, self._report = spellings, report
            self._known: dict[Any, tuple[str, tuple[str, ...]]] = {}
            self.notes: list[Note] = []

        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # to skip the compiler's frames PyTorch would import the compiler, for seconds

        def _heard(self, func: Any) -> tuple[str, tuple[str, ...]]:
            """An operator's plain name, and the forbidden names that it goes by."""
            operator = func._schema.name.split("::")[-1].strip("_")
            names = [name for alias, name in self._spellings.items() if alias == operator]
            for alias, name in self._spellings.items():
                # scaled_dot_product_attention reaches the dispatcher as one of its kernels
                if alias.endswith("_attention") and operator.startswith(alias.removesuffix("_attention")):
                    names.append(name)
            self._known[func] = found = operator, tuple(names)
            return found

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if _paused:
                return func(*args, **(kwargs or {}))
            operator, names = self._known.get(func) or self._heard(func)
            for name in names:
                self._report(name)
            result = func(*args, **(kwargs or {}))
            for note in self.notes:
                note(operator, args, result)
            return result

    return Operators
