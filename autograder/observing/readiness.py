"""PyTorch and what it imports on first use, before any clock; and whether an import was interrupted.

PyTorch imports much of itself, and sympy, when it is first used: for a model's optimizer, and for the device "meta".
That takes seconds, on a busy machine many. It is done in a thread of its own, which Ctrl-C cannot reach: a package
that was imported by half stays broken until Python ends, and right code fails in it.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Iterable, Iterator

from .. import library
from ..formats.cases import ExerciseCases
from ..formats.values import Fixture, Tensor

_PACKAGES = ("numpy", "torch", "sympy", "mpmath", "matplotlib")
"""Whose imports take long enough to be interrupted."""
_LATE = ("torch.optim", "torch._dynamo", "sympy")
_done: threading.Event | None = None
"""Set when the imports in the background have come to their end; None where none were begun."""
_failure: list[str] = []


def needed_modules(exercises: Iterable[ExerciseCases]) -> frozenset[str]:
    """The modules that observing these exercises imports: PyTorch, its late imports, fixtures of the library."""
    exercises = tuple(exercises)
    leaves = list(_leaves([[call.given for call in cases.plan.values()] for cases in exercises]))
    fixtures = {item.unit for item in leaves if isinstance(item, Fixture)}
    modules = {f"{library.__name__}.{library.module_name(unit)}" for unit in fixtures}
    if any(isinstance(item, Tensor) for item in leaves) or any(cases.kind == "class" for cases in exercises):
        modules |= {"torch", *(_LATE if fixtures else ())}
    if any(cases.replaces for cases in exercises):
        modules.add("torch")  # parts import it when they are first called
    return frozenset(modules)


def _leaves(tree: object) -> Iterator[object]:
    if isinstance(tree, (dict, list, tuple)):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from _leaves(item)
    else:
        yield tree


def begin_imports(modules: frozenset[str]) -> None:
    """Import these in the background, PyTorch first; the caller goes on."""
    global _done
    if modules and (_done is None or _done.is_set()) and not modules <= sys.modules.keys():
        _done = threading.Event()
        threading.Thread(target=_import_and_tell, args=(modules, _done), name="imports", daemon=True).start()


def await_imports(modules: frozenset[str]) -> str:
    """Wait until these are imported; why one cannot be, or "". Ctrl-C ends the waiting and not the import."""
    settle()
    begin_imports(modules)
    settle()
    return _failure.pop() if _failure else ""


def settle() -> None:
    """Wait for imports that are under way: what is observed meanwhile would meet packages that are there by half."""
    # Not by joining the thread: where Ctrl-C meets `join`, Python 3.11 takes a running thread for one that has ended.
    while _done is not None and not _done.wait(0.1):
        pass


def _import_and_tell(modules: frozenset[str], done: threading.Event) -> None:
    try:
        import_now(modules)
    except BaseException as error:
        _failure.append(f"{type(error).__name__}: {error}")
    finally:
        done.set()


def import_now(modules: frozenset[str]) -> None:
    """Import these, and use once of PyTorch what imports more when it is first used."""
    for name in sorted(modules, key=lambda name: (name != "torch", name)):
        importlib.import_module(name)
    if "torch" in modules:
        _use_once(late=modules.issuperset(_LATE))


def _use_once(late: bool) -> None:
    import torch

    from .watch import watching

    with torch.device("cpu"), torch.enable_grad():
        layer = torch.nn.Linear(2, 2)
        torch.softmax(torch.nn.functional.relu(layer(torch.ones(1, 2))), -1).sum().backward()
        if late:
            torch.optim.AdamW(layer.parameters()).step()
            (torch.ones(2, 2, device="meta") @ torch.ones(2, 2, device="meta")).sum()
    with watching(("softmax",)):
        pass


def broken_import() -> str:
    """The package whose import was interrupted in this process, or that was replaced by something else; "" if none.

    Python takes a package that failed half-way out of `sys.modules`, and leaves its parts there.
    """
    if _done is not None and not _done.is_set():
        return ""  # what is being imported looks the same
    modules = dict(sys.modules)
    for name, module in modules.items():
        top, _, _ = name.partition(".")
        if top not in _PACKAGES or module is None:
            continue
        parent = name.rpartition(".")[0]
        spec = getattr(module, "__spec__", None)
        if (
            (parent and parent not in modules)
            or getattr(spec, "_initializing", False)
            or (spec is None and name == top)
        ):
            return top
    with contextlib.suppress(KeyError):
        if not hasattr(modules["sympy"], "core"):
            return "sympy"
    return ""
