"""Probes for positional encodings: which wave a column holds, how far a matrix moves a position, what is learned."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...formats.values import Array
from ..compare import Difference, as_array, number
from .probe import Finding, Probe, Trial

_NEAR = 2e-3
_FURTHEST = 12


def encoding(positions: Array, d_model: int) -> Array:
    """Sinusoidal encodings of any positions, (len(positions), d_model), float64 (Vaswani et al. 2017, section 3.5)."""
    column = np.arange(d_model)
    angles = np.asarray(positions, dtype=np.float64)[:, None] / 10000.0 ** (2 * (column // 2) / d_model)
    return np.where(column % 2 == 0, np.sin(angles), np.cos(angles))


def _columns_hold_their_waves(trial: Trial) -> Finding | None:
    seen, expected = as_array(trial.seen.value), as_array(trial.expected.value)
    if seen is None or expected is None or seen.shape != expected.shape or seen.dtype.kind != "f" or len(seen) < 3:
        return None
    data = seen.astype(np.float64)
    wrong = np.flatnonzero((np.abs(data - expected) > _NEAR).any(axis=0) | ~np.isfinite(data).all(axis=0))
    if not len(wrong):
        return None
    column = int(wrong[0])
    held = _wave(data[:, column])
    due = f"{('sin', 'cos')[column % 2]}({10000.0 ** (-2 * (column // 2) / data.shape[1]):.3g}·p)"
    if held is None or held == due:
        return None
    return Finding(
        f"column {column} of your table holds {held}, where p is the position; expected {due}.",
        Difference("", "", (0, column), seen, expected),
    )


def _wave(values: Array) -> str | None:
    """sin(w·p) or cos(w·p) in words, where `values` is one of the two at p = 0, 1, ...; else None."""
    p = np.arange(len(values))
    start, second = values[0], float(np.clip(values[1], -1, 1))
    if not np.isfinite(values).all() or np.abs(values).max() > 1 + _NEAR:
        return None
    if np.abs(values - start).max() < 1e-5:
        return f"{number(round(float(start), 4))} for every p"
    wave: Callable[[Array], Array]
    if abs(start) < _NEAR:
        name, wave, frequencies = "sin", np.sin, (np.arcsin(second), np.pi - np.arcsin(second))
    elif abs(start - 1) < _NEAR:
        # Near 1 the arc cosine loses half of its digits: the last value is read as well.
        last = float(np.arccos(np.clip(values[-1], -1, 1))) / p[-1]
        name, wave, frequencies = "cos", np.cos, (np.arccos(second), last)
    else:
        return None
    errors = [float(np.abs(wave(w * p) - values).max()) for w in frequencies]
    best = int(np.argmin(errors))
    return f"{name}({frequencies[best]:.3g}·p)" if errors[best] < _NEAR else None


columns_hold_their_waves = Probe(
    "columns_hold_their_waves", "holds the right wave in each column", _columns_hold_their_waves
)


def _moves_positions(trial: Trial) -> Finding | None:
    matrix, offset = as_array(trial.seen.value), trial.argument("offset")
    if matrix is None or matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        return None
    d_model, matrix = len(matrix), matrix.astype(np.float64)
    first = abs(int(offset)) + _FURTHEST
    start = np.arange(first, first + 40)
    moved = encoding(start, d_model) @ matrix
    if np.abs(moved - encoding(start + offset, d_model)).max() < _NEAR:
        return None
    due = f"the encoding of position {first + offset}"
    for other in sorted(range(-first, first + 1), key=abs):
        if np.abs(moved - encoding(start + other, d_model)).max() < _NEAR:
            return Finding(
                f"with offset {offset}, positions[{first}] @ your matrix is the encoding of position {first + other}, "
                f"expected {due}. Your matrix moves every position by {other}."
            )
    gap = int(np.argmax(np.abs(moved[0] - encoding(start[:1] + offset, d_model)[0])))
    return Finding(
        f"with offset {offset}, positions[{first}] @ your matrix is not {due}: its number {gap} is "
        f"{number(moved[0, gap])}, expected {number(encoding(start[:1] + offset, d_model)[0, gap])}."
    )


moves_positions = Probe("moves_positions", "moves every position by the offset", _moves_positions)


def _turns_pairs(trial: Trial) -> Finding | None:
    x, seen = as_array(trial.call.given.get("x")), as_array(trial.seen.value)
    places, expected = as_array(trial.call.given.get("positions")), as_array(trial.expected.value)
    if x is None or seen is None or places is None or seen.shape != x.shape or x.shape[-1] % 2:
        return None
    if seen.dtype.kind != "f" or not np.isfinite(seen).all():
        return None
    d_head, base = x.shape[-1], float(trial.call.given.get("base", 10000.0))
    before, after = (
        np.ascontiguousarray(data, dtype=np.float64).view(np.complex128).reshape(-1, len(places), d_head // 2)
        for data in (x, seen)
    )
    for row, pair in np.ndindex(len(places), d_head // 2):
        lengths = np.abs(before[:, row, pair]), np.abs(after[:, row, pair])
        long = lengths[0] > 0.2
        other = np.flatnonzero(long & (np.abs(lengths[1] - lengths[0]) > _NEAR * (1 + lengths[0])))
        where = f"features {2 * pair} and {2 * pair + 1} of row {row}, at place {number(float(places[row]))},"
        if len(other):
            one = other[0]
            return Finding(
                f"{where} have the length {number(lengths[0][one])} before and {number(lengths[1][one])} after. Turning a "
                "pair keeps its length.",
                Difference(
                    "", "", (*np.unravel_index(one * len(places) + row, x.shape[:-1]), 2 * pair), seen, expected
                ),
            )
        due = float(places[row]) * base ** (-2 * pair / d_head)
        turned = np.angle(after[long, row, pair] / before[long, row, pair])
        if len(turned) and np.abs(np.exp(1j * turned) - np.exp(1j * due)).max() > _NEAR:
            rest = (due + np.pi) % (2 * np.pi) - np.pi
            whole = "" if abs(rest - due) < 1e-9 else f", which is {number(rest)} up to whole turns"
            return Finding(
                f"{where} turn by {number(float(turned[0]))} radians; expected {number(due)}{whole}: the place times "
                "base^(−2i/d), for pair i.",
                Difference("", "", (*(0 for _ in x.shape[:-2]), row, 2 * pair), seen, expected),
            )
    return None


turns_pairs = Probe("turns_pairs", "turns each pair by its angle", _turns_pairs)


def _learns_the_same(trial: Trial) -> Finding | None:
    seen, expected = trial.seen.facts.get("parameters"), trial.expected.facts.get("parameters")
    if not isinstance(seen, dict) or not isinstance(expected, dict):
        return None
    more = [name for name in seen if name not in expected]
    if not more:
        return None
    names = " and ".join(f"`{name}`" for name in more[:3])
    learned = " and ".join(f"`{name}`" for name in expected) or "nothing"
    return Finding(
        f"your class has weights to learn that it should not have: {names}. What is learned here is {learned}."
    )


learns_the_same = Probe("learns_the_same", "has the right weights to learn", _learns_the_same)
