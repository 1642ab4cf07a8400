"""What rounding may do: an exercise's work again with every number off by about one rounding error.

Processors add in another order and take other polynomials for `exp`; so the last digit of a result is nobody's to
rely on. Here such another processor is made up: inputs and weights move by one rounding error of their type, and so
does what comes out of every PyTorch operation that rounds (a product, a sum, a softmax). Where a result then differs
by more than the tolerance, a tie or a branch depends on rounding, and `rounding_problems` says where.

What is exact on every processor stays exact: numbers that leave a quarter of their digits unused, as those that an
author writes and their sums do (0, 1, 0.75, 2000.5, −∞), equal inputs, which stay equal, and scalar arguments. NumPy's
own operations do not move, only what goes into them.

What other instruction sets really do, `python -m autograder build --check --instructions none` shows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor as LiveTensor
from torch.utils._python_dispatch import TorchDispatchMode

from ..formats.cases import Call, ExerciseCases, Observation, Sighting, Variant
from ..formats.values import Array, Fixture, Tensor
from ..judging.compare import observation_difference, same_observation
from ..judging.diagnose import as_viewed
from ..judging.probes.named import named_probes
from ..judging.probes.probe import common_view
from ..judging.verdict import judge
from .workbench import Workpiece, tolerance_of, watch_trusted

AMPLIFIED = 100.0
"""So many tolerances a known mistake may make of a rounding error: differences of differences do. An id that is another
one, a length, a branch that is taken differently make more."""

_UNUSED = {4: (1 << 6) - 1, 8: (1 << 13) - 1}
"""By the bytes of a number: the last quarter of its digits, all 0 in numbers that were not rounded."""
_POOL = 1 << 20
"""Signs are drawn once, so many of them, and cut from there: to draw them anew takes longer than the operation."""
_PRODUCTS = frozenset({"mm", "bmm", "addmm", "baddbmm", "mv", "dot", "addmv", "convolution"})
_SUMS = frozenset({"sum", "mean", "cumsum"})
_LOGARITHMS = frozenset({"_log_softmax", "logsumexp", "log", "log2", "log10", "log1p", "logaddexp"})
_FUNCTIONS = frozenset(
    "_softmax exp exp2 expm1 tanh sigmoid gelu erf silu sin cos rsqrt pow prod var std var_mean linalg_vector_norm norm "
    "native_layer_norm".split()
)


def rounding_problems(
    piece: Workpiece,
    cases: ExerciseCases,
    *,
    seed: int = 0,
    variants: bool = True,
    thorough: bool = True,
    stable: frozenset[str] | None = None,
) -> Iterator[str]:
    """Sentences for the author: which result depends on rounding, on which case, and the cure. One for each result.

    seed:     which way every number moves
    variants: look at the known mistakes too, not at the reference alone
    thorough: let what known mistakes compute move too, not only what goes into them; it takes several times as long
    stable:   known mistakes that were looked at before, with the reference; None where nothing was
    """
    if piece.judged:  # nothing of it is stored, and no number is compared
        return
    for way, again in (_other_processors(piece, cases, seed) if stable is None else {}).items():
        seen = again(piece.reference)
        if found := _first_apart(cases, cases.expected, seen, 1.0):
            yield f"its solution depends on rounding: {way}, {found} {_CURE}"
            return
    if not variants:
        return
    plan = nudged_plan(cases.plan, seed)
    wrongs = {wrong.name: wrong for wrong in piece.mistakes}
    for variant in cases.variants:
        if stable and variant.name in stable:
            continue
        wrong = wrongs[variant.name]
        with OtherRounding(seed) if thorough else contextlib.nullcontext():
            seen = watch_trusted(wrong.target, plan, piece.source)
        if found := _first_apart(cases, variant.seen, seen, AMPLIFIED) or _other_sentence(cases, variant, seen):
            yield f"variant {variant.name!r} depends on rounding: {_NUDGED}, {found} {_CURE}"


_NUDGED = "with every number one rounding error away"
_CURE = "Change the case, or the code, so that no tie and no branch is decided by the last digit."


def _other_processors(
    piece: Workpiece, cases: ExerciseCases, seed: int
) -> dict[str, Callable[[Any], dict[str, Observation]]]:
    """Ways to run code as another processor might: nudged, on two threads, in float64."""

    def nudged(target: Any) -> dict[str, Observation]:
        with OtherRounding(seed):
            return watch_trusted(target, nudged_plan(cases.plan, seed), piece.source)

    def on_two_threads(target: Any) -> dict[str, Observation]:
        with _threads(1 if torch.get_num_threads() > 1 else 2):
            return watch_trusted(target, cases.plan, piece.source)

    def wider(target: Any) -> dict[str, Observation]:
        with _default_dtype(torch.float64):
            seen = watch_trusted(target, wider_plan(cases.plan), piece.source)
        # What takes float32 alone raises: then there is nothing to compare. What was noted beside the value may be the type.
        return {
            key: cases.expected[key] if one.fault else replace(cases.expected[key], value=one.value)
            for key, one in seen.items()
        }

    return {_NUDGED: nudged, "on another number of threads": on_two_threads, "in float64": wider}


def _first_apart(
    cases: ExerciseCases, before: Mapping[str, Observation], after: Mapping[str, Observation], factor: float
) -> str:
    """The first case on which two runs differ by more than so many tolerances, in words; empty where none does."""
    view, wide = common_view(named_probes(cases.probes)), tolerance_of(cases, factor)
    for key, call in cases.plan.items():
        one, other = as_viewed(before[key], view), as_viewed(after[key], view)
        if not same_observation(other, one, wide):
            found = observation_difference(other, one, wide, cases.returns)
            return f"on {call.label!r} {found.what if found else 'it ends in another exception.'}"
    return ""


def _other_sentence(cases: ExerciseCases, variant: Variant, seen: Mapping[str, Observation]) -> str:
    """What the maker of a known mistake would read instead of its sentence; empty where that stays."""
    cases = replace(cases, unusual={})
    verdict = judge(cases, named_probes(cases.probes), Sighting(dict(seen)))
    named = [other.says for other in cases.variants if other.name == verdict.diagnosis]
    if variant.says in named or verdict.diagnosis == variant.name:
        return ""
    was = judge(cases, named_probes(cases.probes), Sighting(dict(variant.seen))).diagnosis
    return "" if was == verdict.diagnosis else f"its maker reads another sentence: {verdict.message!r}."


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def wider_plan(plan: Mapping[str, Call]) -> dict[str, Call]:
    """The same calls, every float32 array in their inputs and weights as float64."""

    def wide(array: Array) -> Array:
        return array.astype(np.float64) if array.dtype == np.float32 else array

    def wide_tensor(tensor: Tensor) -> Tensor:
        return Tensor(wide(tensor.data), "float64" if tensor.dtype == "float32" else tensor.dtype)

    return _changed_plan(plan, wide, wide_tensor)


def nudged_plan(plan: Mapping[str, Call], seed: int = 0) -> dict[str, Call]:
    """The same calls, every array of floats in their inputs and weights off by at most one rounding error."""
    return _changed_plan(
        plan,
        lambda array: _nudged_array(array, seed),
        lambda tensor: Tensor(_nudged_array(tensor.data, seed), tensor.dtype),
    )


def _changed_plan(
    plan: Mapping[str, Call], array: Callable[[Array], Array], tensor: Callable[[Tensor], Tensor]
) -> dict[str, Call]:
    def changed(tree: Any) -> Any:
        if isinstance(tree, Tensor):
            return tensor(tree)
        if isinstance(tree, np.ndarray):
            return array(tree)
        if isinstance(tree, Fixture):
            return Fixture(tree.unit, tree.name, changed(tree.given))
        if isinstance(tree, dict):
            return {key: changed(value) for key, value in tree.items()}
        if isinstance(tree, (tuple, list)):
            return type(tree)(changed(value) for value in tree)
        return tree

    return {key: replace(call, given=changed(call.given), state=changed(call.state)) for key, call in plan.items()}


def _nudged_array(values: Array, seed: int) -> Array:
    """Each number its next neighbour up or down; equal numbers move alike, so that equal inputs stay equal."""
    if values.dtype.kind != "f" or values.dtype.itemsize < 4:
        return values
    bits = np.abs(values).view(f"u{values.dtype.itemsize}").astype(np.uint64)
    with np.errstate(all="ignore"):
        odd = ((bits + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(63)
        moved = np.where(odd.astype(bool), np.nextafter(values, 0), np.nextafter(values, np.copysign(np.inf, values)))
    exact = (bits & np.uint64(_UNUSED[values.dtype.itemsize])) == 0
    return np.where(exact | ~np.isfinite(values), values, moved).astype(values.dtype)


class OtherRounding(TorchDispatchMode):
    """While it is on, what comes out of PyTorch's operations that round is off by about one rounding error."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        signs = torch.randint(0, 2, (_POOL,), generator=torch.Generator().manual_seed(seed)) * 2 - 1
        self._errors = {dtype: signs.to(dtype) * torch.finfo(dtype).eps for dtype in (torch.float32, torch.float64)}
        self._place = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here, and what keeps PyTorch's compiler away takes half of the time."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        name = func.overloadpacket.__name__
        if name in _PRODUCTS or name in _SUMS:
            return self._moved(out, func(*_sizes(args), **kwargs))
        if name in _LOGARITHMS:
            return self._moved(out, None, least=1.0)
        return self._moved(out, None) if name in _FUNCTIONS else out

    def _moved(self, out: Any, size: Any, least: float = 0.0) -> Any:
        """`out` off by one rounding error of `size`, the sum of what was added up; of itself where none is known."""
        if isinstance(out, (tuple, list)):
            return type(out)(self._moved(one, None, least) for one in out)
        if not isinstance(out, LiveTensor) or out.dtype not in self._errors or out.is_meta or out.numel() > _POOL:
            return out
        size = (out if size is None else size).abs()
        if least:
            size = size.clamp(min=least)
        self._place = (self._place + out.numel()) % (_POOL - out.numel() + 1)
        errors = self._errors[out.dtype][self._place : self._place + out.numel()].view(out.shape)
        bits = out.contiguous().view(torch.int32 if out.dtype == torch.float32 else torch.int64)
        # an infinity and NaN have unused digits too, and stay
        return torch.where((bits & _UNUSED[out.element_size()]) == 0, out, out.addcmul(errors, size))


def _sizes(args: Any) -> tuple[Any, ...]:
    return tuple(one.abs() if isinstance(one, LiveTensor) and one.is_floating_point() else one for one in args)
