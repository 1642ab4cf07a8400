"""Run a learner's function or class on given calls and write down what it did.

Observing judges nothing and knows no expected value. The notebook, `check FILE` and the grader all observe with
this module; only the process in which it runs differs.
"""

from __future__ import annotations

import contextlib
import linecache
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np

from .. import library
from ..formats.cases import Call, ExerciseCases, Fault, Observation, Sighting
from ..formats.fixtures import Driver, NotAsked, Watched
from ..formats.values import Array, Fixture, Tensor, to_live, to_plain
from ..library.loading import load_state
from ..library.quiet import paused
from .capture import capture
from .clock import PATIENCE, OutOfTime, limited
from .kept import watching_for_kept
from .readiness import broken_import, settle
from .state import as_python_starts
from .watch import recorded, watching

Stage = Literal["call", "construct", "load weights", "gradients", "define"]
Build = Callable[[Fixture], Any]
"""Makes the live object that a Fixture names."""

_MAX_COPIED = 256 * 1024 * 1024
"""Bytes of what one call may return."""
_RECORDED_SECONDS = 0.3
"""Of computing, at most, for which PyTorch's operators are recorded: they take about a gigabyte in six."""
_ELSEWHERE_SECONDS = 3.0
"""Of computing, at most, on a second device that is imitated: no points depend on it, and each operator takes long there."""
_PACKAGE = str(Path(__file__).resolve().parents[1])


def sighting_of(target: Any, cases: ExerciseCases) -> Sighting:
    """Observe a learner's function or class as its exercise asks: in this process, whatever process this is."""
    return observe(
        target,
        cases.calls,
        build=library.build_fixture,
        replaced=library.parts(cases.replaces),
        forbids=cases.forbids,
        time_limit=cases.time_limit,
        allowed=library.allowed_parts(cases.unit, cases.name, cases.replaces),
    )


def observe(
    target: Any,
    calls: Mapping[str, Call],
    *,
    build: Build,
    replaced: Mapping[str, Any] | None = None,
    forbids: tuple[str, ...] = (),
    time_limit: float = 20.0,
    patience: float = PATIENCE,
    allowed: frozenset[str] | None = None,
) -> Sighting:
    """Observe `target` on every call. Never raises on what the learner's code does.

    replaced:   names of earlier exercises and the library-backed parts that stand in for them meanwhile
    time_limit: seconds that all the calls together may compute; they may wait `patience` times as long
    allowed:    names of the library-backed parts that count as the learner's own means; None: all of them
    """
    if not callable(target):
        return Sighting({}, trouble=Fault(type(target).__name__, "it is not a function or class", stage="define"))
    settle()
    if trouble := _untrustworthy():
        return Sighting({}, trouble=trouble)
    observations: dict[str, Observation] = {}
    here = {key: call for key, call in calls.items() if not call.elsewhere}
    elsewhere = {key: call for key, call in calls.items() if call.elsewhere}
    with capture() as captured, as_python_starts() as reset, _standing_in(target, replaced or {}):
        with watching_for_kept(target, _namespaces(target)) as kept, watching(forbids, allowed) as used:
            left, trouble = _observe_calls(target, here, build, time_limit, time_limit, patience, observations)
            if forbids and not used and not trouble and left < time_limit:
                again = _soon_done(here, time_limit - left, left)
                # What is printed once more is not news, and the profiler itself writes where it begins in another thread
                # than PyTorch was loaded in.
                with capture(), recorded(forbids, used), contextlib.suppress(OutOfTime, KeyboardInterrupt):
                    for key in again:
                        with limited(left, patience):
                            _observe_call(target, calls[key], build)
        if elsewhere and not trouble:  # unwatched: for one function PyTorch runs other operators there
            left = min(left, _ELSEWHERE_SECONDS)
            with capture():
                _, late = _observe_calls(target, elsewhere, build, left, time_limit, patience, observations)
            if late and late.type_name == "KeyboardInterrupt":
                trouble = late
            for key in elsewhere:  # what takes too long there is believed, as what fails for another reason is
                observations.setdefault(key, Observation())
    if trouble or any(seen.fault for seen in observations.values()):
        trouble = _untrustworthy() or trouble
    return Sighting(observations, tuple(sorted(used)), captured.text, trouble, reset, tuple(sorted(kept)))


def _observe_calls(
    target: Any,
    calls: Mapping[str, Call],
    build: Build,
    left: float,
    time_limit: float,
    patience: float,
    observations: dict[str, Observation],
) -> tuple[float, Fault | None]:
    """Observe the calls in their order; return the seconds that are left, and what has put an end to it."""
    for key, call in calls.items():
        try:
            with limited(left, patience) as clock:
                observations[key] = _observe_call(target, call, build)
            left -= clock.computed
        except OutOfTime as error:
            return left, _out_of_time(error, time_limit)
        except KeyboardInterrupt:
            return left, Fault("KeyboardInterrupt", "")
    return left, None


def _soon_done(calls: Mapping[str, Call], taken: float, left: float) -> list[str]:
    """The first call of each kind of case: together they show what operators the code uses, and take little time."""
    most = max(1, int(min(left, _RECORDED_SECONDS) * len(calls) / max(taken, 1e-9)))
    return [key for key in calls if key.endswith(".0.0")][:most]


def _untrustworthy() -> Fault | None:
    """Why nothing that code does in this process can be held against it."""
    package = broken_import()
    if not package:
        return None
    why = f"the import of {package} was interrupted, or something else stands in its place, and it stays broken"
    return Fault("NotAsked", f"{why} until Python starts anew")


def _out_of_time(error: OutOfTime, limit: float) -> Fault:
    line, source = _own_line(error.__traceback__)
    return Fault("OutOfTime" if error.how == "computed" else "Waited", f"{limit:g}", line, source)


@contextlib.contextmanager
def _standing_in(target: Any, replaced: Mapping[str, Any]) -> Iterator[None]:
    """While the block runs, the learner's module holds `replaced` under those names; then its own again."""
    namespaces = _namespaces(target)
    missing = object()
    before = [(space, name, space.get(name, missing)) for space in namespaces for name in replaced]
    for space in namespaces:
        space.update(replaced)
    try:
        yield
    finally:
        for space, name, value in before:
            if value is missing:
                space.pop(name, None)
            else:
                space[name] = value


def _namespaces(target: Any) -> list[dict[str, Any]]:
    functions = list(vars(target).values()) if isinstance(target, type) else [target]
    spaces: dict[int, dict[str, Any]] = {}
    for function in functions:
        function = getattr(function, "__wrapped__", getattr(function, "__func__", function))
        space = getattr(function, "__globals__", None)
        if isinstance(space, dict):
            spaces[id(space)] = space
    return list(spaces.values())


def _observe_call(target: Any, call: Call, build: Build) -> Observation:
    if not call.elsewhere:
        return _observe_call_here(target, call, build, lambda tree: tree, lambda tree: tree)
    from ..library.devices import MixedDevices, brought_back, moved, second_device

    with second_device():
        seen = _observe_call_here(target, call, build, moved, brought_back)
    if seen.fault and seen.fault.type_name != MixedDevices.__name__:  # other calls show what fails for another reason
        return Observation()
    return replace(seen, changed=())


def _observe_call_here(
    target: Any, call: Call, build: Build, place: Callable[[Any], Any], back: Callable[[Any], Any]
) -> Observation:
    """
    place: puts arguments and modules where the call is made
    back:  brings its result back to where it is written down
    """
    stage: Stage = "call"
    try:
        live, watched = _live_arguments(call, build)
        live = place(live)
        used = target
        facts: dict[str, Any] = {}
        if call.init is not None:
            stage = "construct"
            module = target(**_built(_live(call.init), build))
            stage = "load weights"
            facts["parameters"] = load_state(module, call.state or {})
            module = place(module)
            if hasattr(module, "train"):
                module.train(call.training)
            driven = any(isinstance(value, Driver) for value in live.values())
            used = module if call.method == "forward" or driven else getattr(module, call.method)
            stage = "call"
        with contextlib.ExitStack() as around:
            for one in watched.values():
                around.enter_context(one.during())
            earlier = [_apply(used, call, live | place(_live_arrays(given))) for given in call.before]
            given_back = [_plainly(back(value)) for value in earlier]
            value = _plainly(back(_apply(used, call, live)))
            if not all(_same(plain, _plainly(back(value))) for plain, value in zip(given_back, earlier, strict=True)):
                facts["overwritten"] = True
        changed = tuple(name for name in call.given if not _same(call.given[name], live[name]))
        if watched and not call.elsewhere:
            facts["after"] = {name: to_plain(one.look()) for name, one in watched.items()}
        if call.gradients:
            stage = "gradients"
            facts["gradients"] = _gradients(used, call, build, module if call.init is not None else None)
        return Observation(value=value, changed=changed, facts=facts)
    except (OutOfTime, KeyboardInterrupt):
        raise
    except NotAsked as error:
        return Observation(fault=Fault("NotAsked", str(error)))
    except BaseException as error:
        return Observation(fault=fault_of(error, stage))


def _live_arrays(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that hold no fixture: of these one serves all calls on the same object."""
    return {name: _live(value) for name, value in given.items() if not _holds_fixture(value)}


def _holds_fixture(tree: Any) -> bool:
    if isinstance(tree, dict):
        return any(map(_holds_fixture, tree.values()))
    if isinstance(tree, (tuple, list)):
        return any(map(_holds_fixture, tree))
    return isinstance(tree, Fixture)


def _live_arguments(call: Call, build: Build) -> tuple[dict[str, Any], dict[str, Watched]]:
    given = _live(call.given)
    built = _built(_scattered(given) if call.scattered else given, build)
    watched = {name: value for name, value in built.items() if isinstance(value, Watched)}
    return {name: value.live if isinstance(value, Watched) else value for name, value in built.items()}, watched


def _live(tree: Any) -> Any:
    """Made by us: the watch for forbidden operators would only slow it down."""
    with paused():
        return to_live(tree)


def _scattered(tree: Any) -> Any:
    """The same arrays and tensors with their axes laid out in memory in the reverse order; one axis alone with gaps."""
    torch = sys.modules.get("torch")
    if isinstance(tree, np.ndarray) and tree.ndim:
        return np.asfortranarray(tree) if tree.ndim > 1 else np.stack([tree, tree], axis=1)[:, 0]
    if torch is not None and isinstance(tree, torch.Tensor) and tree.ndim:
        with paused():
            if tree.ndim == 1:
                return torch.stack([tree, tree], dim=1)[:, 0]
            back = tuple(reversed(range(tree.ndim)))
            return tree.permute(back).contiguous().permute(back)
    if isinstance(tree, dict):
        return {key: _scattered(value) for key, value in tree.items()}
    if isinstance(tree, (tuple, list)):
        return type(tree)(_scattered(value) for value in tree)
    return tree


def _built(tree: Any, build: Build) -> Any:
    if isinstance(tree, Fixture):
        return build(Fixture(tree.unit, tree.name, _built(_live(tree.given), build)))
    if isinstance(tree, dict):
        return {key: _built(value, build) for key, value in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_built(value, build) for value in tree)
    if isinstance(tree, list):
        return [_built(value, build) for value in tree]
    return tree


def _apply(used: Any, call: Call, live: Mapping[str, Any]) -> Any:
    for value in live.values():
        if isinstance(value, Driver):
            return value.drive(used)
    names = list(live)
    positional = [live[name] for name in names[: call.by_position]]
    return used(*positional, **{name: live[name] for name in names[call.by_position :]})


def _plainly(value: Any) -> Any:
    """Results may be lazy: whatever a generator or iterator would do, it does not do it on our side."""
    if size_of(value) > _MAX_COPIED:  # a broadcast view may name a billion numbers and hold one
        raise MemoryError(f"what it returns takes more than {_MAX_COPIED >> 20} MiB")
    with paused():
        return to_plain(value)


def size_of(value: Any) -> int:
    """Bytes that the numbers in a tree would take when copied."""
    return _size_of(value, 0)


def _size_of(value: Any, depth: int) -> int:
    if depth > 24:
        return 0
    if isinstance(value, Tensor):
        return int(value.data.nbytes)
    if isinstance(value, np.ndarray):
        return int(value.size) * value.itemsize
    if isinstance(value, (tuple, list)):
        return 8 * len(value) + sum(_size_of(item, depth + 1) for item in value)
    if isinstance(value, dict):
        return 8 * len(value) + sum(_size_of(item, depth + 1) for item in value.values())
    if isinstance(value, str):
        return len(value)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor) and value.device.type != "meta":
        return int(value.numel() * value.element_size())
    return 0


def _gradients(used: Any, call: Call, build: Build, module: Any) -> dict[str, Any]:
    """Gradients of Σ cos(k)·output[k] with respect to every float tensor given, in lists too, and every parameter."""
    import torch

    live, _ = _live_arguments(call, build)
    leaves = {name: value.requires_grad_(True) for name, value in _float_tensors(live)}
    if module is not None:
        module.zero_grad(set_to_none=True)
    total = sum((_weighted(output) for output in _tensors(_apply(used, call, live))), torch.zeros(()))
    if not total.requires_grad:
        raise RuntimeError("no gradient flows from the output back to the inputs or weights")
    total.backward()
    if module is not None:
        # under each of its names: which one comes first depends on the order in which the author's class makes its parts
        leaves |= dict(module.named_parameters(remove_duplicate=False))
    with paused():
        return {
            name: to_plain(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad) for name, leaf in leaves.items()
        }


def _float_tensors(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """By name: `x`, and in lists and tuples `x[0]`."""
    import torch

    for name, value in given.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            yield name, value
        elif isinstance(value, (tuple, list)):
            yield from _float_tensors({f"{name}[{i}]": item for i, item in enumerate(value)})


def _tensors(value: Any) -> list[Any]:
    import torch

    if isinstance(value, torch.Tensor):
        return [value] if value.is_floating_point() else []
    if isinstance(value, (tuple, list)):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


def _weighted(output: Any) -> Any:
    import torch

    with paused():
        weights = torch.cos(torch.arange(output.numel(), dtype=torch.float64)).to(output)
        return (output.reshape(-1) * weights).sum()


def _same(given: Any, live: Any) -> bool:
    """Whether a live argument still holds what it was given. Fixtures are not compared: they may be meant to change."""
    if isinstance(given, Fixture):
        return True
    with paused():
        after = to_plain(live)
    if isinstance(given, (np.ndarray, Tensor)):
        return type(after) is type(given) and _equal(_data(given), _data(after))
    if isinstance(given, dict):
        return isinstance(live, dict) and list(live) == list(given) and all(_same(given[k], live[k]) for k in given)
    if isinstance(given, (tuple, list)):
        return len(live) == len(given) and all(map(_same, given, live))
    return True


def _data(value: Any) -> Array:
    return value.data if isinstance(value, Tensor) else value


def _equal(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def fault_of(error: BaseException, stage: Stage) -> Fault:
    """An exception as data: type, message, and the last line of the learner's own code that it passed through."""
    line, source = _own_line(error.__traceback__)
    try:
        message = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    except BaseException:  # a learner's exception class may misbehave in __str__
        message = ""
    return Fault(type(error).__name__, message[:2000], line, source, stage)


def _own_line(trace: TracebackType | None) -> tuple[int, str]:
    found = (0, "")
    for frame, line in traceback.walk_tb(trace):
        name = frame.f_code.co_filename
        installed = "site-packages" in name or name.startswith("<frozen") or "/lib/python3" in name
        if not installed and not name.startswith(_PACKAGE):
            found = (line, linecache.getline(name, line).strip()[:300])
    return found
