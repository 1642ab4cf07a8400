"""Inputs that every exercise gets besides its own cases: what is legitimate, and what random numbers seldom show.

Drawn here, once for the whole course. A lesson that cannot take one says so in its `variants` block, with the reason:
`without("whole numbers", because="...")`, or `without("one: d_model", because="...")` for the size of that name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..formats.cases import Call, Observation
from ..formats.unusual import (
    AGAIN,
    ALONE,
    AT_LAST,
    ELSEWHERE,
    EQUAL_ROWS,
    FAR_APART,
    MANY,
    MASK,
    ONE,
    REVERSED,
    SCATTERED,
    TIES,
    TRAINING,
    WHOLE,
    WITHOUT,
    of_family,
    parted,
)
from ..formats.values import Array, Fixture, Tensor, digest, pack, shapes_of

if TYPE_CHECKING:
    from .workbench import Workpiece

_LENGTHS = frozenset(
    "seq seq_q seq_k n m rows columns max_len places steps distance offset num_layers kernel_size width s t".split()
)
"""Sizes that a learner may meet in any length; others are widths and counts, of which a few are as good as many."""
_MANY = 67
_FEWER = 17
_MOST_BYTES = 6000
"""Of what a call in a large size may add to the cases, when it is compressed."""
SizedCall = Callable[[int, dict[str, int]], Call | None]
"""Makes the first call of the maker with this number, at these sizes; None where what is wanted is no number."""
Answer = Callable[[Call], Observation]
"""What the reference does on a call."""


def unusual_calls(piece: Workpiece, plan: dict[str, Call], sized: SizedCall, answer: Answer) -> dict[str, Call]:
    """The exercise's unusual calls by kind, each made from the first of its cases that has what it takes."""
    found = dict(_ones(piece, sized)) | dict(_many(piece, sized, answer))

    def add(kind: str, holds: Callable[[Call], bool], change: Callable[[Call], Call]) -> None:
        first = next((call for call in plan.values() if holds(call)), None)
        if kind not in piece.without and parted(kind)[0] not in piece.without and first is not None:
            found[kind] = change(replace(first, gradients=False))

    def is_numpy(call: Call) -> bool:
        return call.init is None and _any_array(call.given, _is_float, tensors=False)

    def given(change: Callable[[Array], Array]) -> Callable[[Call], Call]:
        return lambda call: replace(call, given=_changed(call.given, change))

    def again(call: Call) -> Call:
        """Arrays are drawn a second time: read backwards, two of them may come to the same number."""
        other = _turned(call.given)
        drawn = sized(0, piece.makers[0].sizes[0] if piece.makers[0].sizes else {}) if is_numpy(call) else None
        if drawn is not None and shapes_of(drawn.given) == shapes_of(call.given):
            other = drawn.given
        return replace(call, given=other, before=(call.given, call.given))

    wide = any(_any_array(call.given, _is_table) for call in plan.values())
    add(
        SCATTERED,
        lambda call: _any_array(call.given, _is_table if wide else _is_long),
        lambda call: replace(call, scattered=True),
    )
    add(TIES, lambda call: _any_array(call.given, _is_float), given(_tied))
    add(of_family(TIES, EQUAL_ROWS), lambda call: _any_array(call.given, _has_rows), _with_equal_rows)
    add(WHOLE, is_numpy, given(_whole))
    add(FAR_APART, is_numpy, given(_far_apart))
    add(REVERSED, is_numpy, given(lambda array: -_far_apart(array)))
    if AGAIN not in piece.without:
        first = next(iter(plan.values()))
        told_apart = next((call for call in plan.values() if _differ(answer, call, again(call))), first)
        if first.init is not None:
            found[ALONE] = replace(again(told_apart), before=(), gradients=False)
        found[AGAIN] = replace(again(told_apart), gradients=False)
    add(TRAINING, lambda call: call.init is not None and not call.training, lambda call: _in_training(piece, call))
    found |= dict(_masks(piece, plan)) | dict(_all_zero(piece, plan)) | dict(_one_changed(piece, plan, answer))
    found |= dict(_one_left_out(piece, plan, answer))
    add(AT_LAST, lambda call: True, lambda call: call)
    add(ELSEWHERE, _has_tensors, lambda call: replace(call, elsewhere=True))
    return found


def _differ(answer: Answer, one: Call, other: Call) -> bool:
    """Whether the reference gives something else on the other call: a mask of sentences without padding would stay."""
    seen = (answer(replace(call, before=(), gradients=False)).value for call in (one, other))
    return digest(next(seen)) != digest(next(seen))


def _one_changed(piece: Workpiece, plan: dict[str, Call], answer: Answer) -> Iterator[tuple[str, Call]]:
    """After a call, another in which one argument alone is another: what was kept by the others is out of date.

    Where the reference refuses the other argument (a width that heads do not divide), there is none.
    """
    call = next(iter(plan.values()))
    if AGAIN in piece.without or len(call.given) + len(call.init or {}) < 2:
        return
    for name, value in call.given.items():
        other = value + 1 if type(value) in (int, float) else _turned(value)
        kind = of_family(AGAIN, name)
        if kind not in piece.without and digest(other) != digest(value):
            again = replace(call, given=call.given | {name: other}, before=(call.given,), gradients=False)
            if answer(again).fault is None:
                yield kind, again


def _one_left_out(piece: Workpiece, plan: dict[str, Call], answer: Answer) -> Iterator[tuple[str, Call]]:
    """After a call, another without an argument that may be left out: what it was before counts no more."""
    call = next(iter(plan.values()))
    used = piece.reference if call.init is None else getattr(piece.reference, call.method)
    for name, parameter in inspect.signature(used).parameters.items():
        full = next((call for call in plan.values() if name in list(call.given)[call.by_position :]), None)
        kind = of_family(AGAIN, WITHOUT + name)
        if full is None or AGAIN in piece.without or kind in piece.without or parameter.default is parameter.empty:
            continue
        given = {other: value for other, value in full.given.items() if other != name}
        bare = replace(full, given=given, before=(full.given,), gradients=False)
        if answer(bare).fault is None and _differ(answer, full, bare):
            yield kind, bare


def _all_zero(piece: Workpiece, plan: dict[str, Call]) -> Iterator[tuple[str, Call]]:
    """One argument alone is 0 everywhere, as a first state is, or a bias that has not learned yet."""
    call = next(iter(plan.values()))
    for name, value in call.given.items():
        kind = of_family(TIES, name)
        if kind in piece.without or TIES in piece.without or not _any_array({name: value}, _is_float):
            continue
        zero = _changed({name: value}, np.zeros_like)
        yield kind, replace(call, given=call.given | zero, gradients=False)


def _in_training(piece: Workpiece, call: Call) -> Call:
    """A module in training mode, with nothing dropped: what it gives is the same."""
    assert call.init is not None
    drops = {"dropout": 0.0} if "dropout" in inspect.signature(piece.reference).parameters else {}
    return replace(call, init=call.init | drops, training=True)


def _masks(piece: Workpiece, plan: dict[str, Call]) -> Iterator[tuple[str, Call]]:
    """A mask that broadcasts, in each number of axes and for each head, and one that hides everything."""
    for call in plan.values():
        for name, mask in call.given.items():
            if MASK in piece.without or not isinstance(mask, Tensor) or mask.dtype != "bool" or mask.data.ndim != 4:
                continue
            heads: int = (call.init or {"num_heads": mask.data.shape[1]})["num_heads"]
            rows, keys = mask.data.shape[2:]
            place = np.indices((heads, rows, keys)).sum(axis=0)
            for_heads = (place % 3 > 0) | (np.arange(keys) == 0)
            forms = {
                "two axes": mask.data[0, 0],
                "three axes": for_heads,
                "one for each head": np.repeat(for_heads[None], mask.data.shape[0], axis=0),
                "all hidden": np.zeros_like(mask.data),
            }
            for form, data in forms.items():
                if (kind := of_family(MASK, form)) not in piece.without:
                    yield kind, replace(call, given=call.given | {name: Tensor(data, "bool")}, gradients=False)
            return


def _has_tensors(call: Call) -> bool:
    """Whether it deals with PyTorch's tensors at all."""
    return call.init is not None or _any_array(call.given, lambda array: True, arrays=False)


def _ones(piece: Workpiece, sized: SizedCall) -> Iterator[tuple[str, Call]]:
    """Each size that an author has named, once with the value 1."""
    seen: set[str] = set()
    for number, maker in enumerate(piece.makers):
        for name in maker.sizes[0] if maker.sizes else ():
            kind = of_family(ONE, name)
            if name in seen or kind in piece.without or ONE in piece.without:
                continue
            seen.add(name)
            call = sized(number, maker.sizes[0] | {name: 1})
            if call is not None:
                yield kind, replace(call, gradients=False)


def _many(piece: Workpiece, sized: SizedCall, answer: Answer) -> Iterator[tuple[str, Call]]:
    """Each length that an author has named, once far beyond the sizes of the cases; less far where it holds too much."""
    seen: set[str] = set()
    for number, maker in enumerate(piece.makers):
        for name in maker.sizes[0] if maker.sizes else ():
            kind = of_family(MANY, name)
            if name not in _LENGTHS or name in seen or kind in piece.without or MANY in piece.without:
                continue
            seen.add(name)
            for size in (_MANY, _FEWER):
                call = sized(number, maker.sizes[0] | {name: size})
                if call is None:
                    break
                large = replace(call, gradients=False)
                if len(pack([large.given, large.state, answer(large).value])) <= _MOST_BYTES:
                    yield kind, large
                    break


def _is_float(array: Array) -> bool:
    return array.dtype.kind == "f" and array.size > 1


def _is_long(array: Array) -> bool:
    return array.ndim > 0 and array.size > 1


def _has_rows(array: Array) -> bool:
    return array.dtype.kind == "f" and array.ndim > 1 and array.shape[-2] > 1


def _with_equal_rows(call: Call) -> Call:
    """The second row as the first, the last one 0; and of two vectors of one length, the second as the first."""

    def equal(array: Array) -> Array:
        if not _has_rows(array):
            return array
        array = array.copy()
        array[..., -1, :] = 0
        array[..., 1, :] = array[..., 0, :]
        return array

    given: dict[str, Any] = _changed(call.given, equal)
    first: dict[tuple[int, ...], Array] = {}
    for name, value in given.items():
        if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "f":
            given[name] = first.setdefault(value.shape, value)
    return replace(call, given=given)


def _is_table(array: Array) -> bool:
    return array.ndim > 1 and min(array.shape) > 1


def _any_array(tree: Any, holds: Callable[[Array], bool], tensors: bool = True, arrays: bool = True) -> bool:
    if isinstance(tree, dict):
        return any(_any_array(value, holds, tensors, arrays) for value in tree.values())
    if isinstance(tree, (tuple, list)):
        return any(_any_array(value, holds, tensors, arrays) for value in tree)
    if isinstance(tree, Tensor):
        return tensors and holds(tree.data)
    return arrays and isinstance(tree, np.ndarray) and holds(tree)


def _changed(tree: Any, change: Callable[[Array], Array]) -> Any:
    """The tree with its arrays of floats changed; what fixtures hold stays."""
    if isinstance(tree, Fixture):
        return tree
    if isinstance(tree, dict):
        return {key: _changed(value, change) for key, value in tree.items()}
    if isinstance(tree, (tuple, list)):
        return type(tree)(_changed(value, change) for value in tree)
    if isinstance(tree, Tensor):
        return Tensor(change(tree.data), tree.dtype) if tree.data.dtype.kind == "f" else tree
    return change(tree) if isinstance(tree, np.ndarray) and tree.dtype.kind == "f" else tree


def _tied(array: Array) -> Array:
    """Numbers that are −1, 0 or 1: many are equal, and many are exactly 0. What is no number stays."""
    with np.errstate(all="ignore"):
        return np.where(np.isfinite(array), np.clip(np.round(array), -1, 1), array).astype(array.dtype)


def _far_apart(array: Array) -> Array:
    """In proportion, and 4,000 in its largest size: beyond what an exponential bears, if a maximum is another call's."""
    with np.errstate(all="ignore"):
        largest = float(np.abs(array).max(initial=0, where=np.isfinite(array)))
    return array * (4000 / largest) if largest else array


def _whole(array: Array) -> Array:
    return np.round(2 * array).astype(np.int64) if np.isfinite(array).all() else array


def as_floats(observation: Observation) -> Observation:
    """Whole numbers as floats: then an answer may be either."""

    def floats(tree: Any) -> Any:
        if isinstance(tree, np.ndarray) and tree.dtype.kind in "iu":
            return tree.astype(np.float64)
        return type(tree)(map(floats, tree)) if isinstance(tree, (tuple, list)) else tree

    return replace(observation, value=floats(observation.value))


def _turned(tree: Any) -> Any:
    """Other arguments of the same shapes: arrays read backwards, lists turned round, a lone whole number one more."""
    with_arrays = _any_array(tree, lambda array: array.size > 1)

    def turned(value: Any) -> Any:
        if isinstance(value, Fixture):
            return value
        if isinstance(value, dict):
            return {key: turned(item) for key, item in value.items()}
        if isinstance(value, Tensor):
            return Tensor(_backwards(value.data), value.dtype)
        if isinstance(value, np.ndarray):
            return _backwards(value)
        if isinstance(value, list):
            return [turned(item) for item in reversed(value)]
        if isinstance(value, tuple):
            return tuple(turned(item) for item in value)
        return value + 1 if type(value) is int and not with_arrays else value

    return turned(tree)


def _backwards(array: Array) -> Array:
    return np.ascontiguousarray(array.reshape(-1)[::-1].reshape(array.shape))
