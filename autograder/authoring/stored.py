"""What an earlier build has stored, and whether fresh cases are that: all but floats exactly, floats as far as rounding goes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..formats.cases import (
    CASES_FILE,
    ExerciseCases,
    MissingCases,
    Observation,
    Tolerance,
    UnitCases,
    Variant,
    load_cases,
    save_cases,
)
from ..judging.compare import same_observation
from ..judging.diagnose import as_viewed
from ..judging.probes.named import named_probes
from ..judging.probes.probe import common_view
from .fingerprints import full_seen, was_read
from .rounding import AMPLIFIED
from .workbench import tolerance_of


def text_at(path: Path) -> str | None:
    """What a built file says; None where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else None


def write_text(path: Path, text: str) -> list[Path]:
    """Write a built file where it says something else; the files written."""
    if text_at(path) == text:
        return []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return [path]


def stored_cases(path: Path) -> UnitCases | None:
    try:
        return load_cases(path)
    except MissingCases:
        return None


def same_cases(path: Path, stored: UnitCases | None, cases: UnitCases) -> bool:
    """Whether a cases file says the same: all but floats exactly, floats within a quarter of the tolerance.

    stored: what was read from `path`
    """
    if stored is None or _mistakes(stored) != _mistakes(cases):
        return False
    with tempfile.TemporaryDirectory() as holder:  # through the file format, so that both have been packed once
        fresh_file = Path(holder) / CASES_FILE
        save_cases(cases, fresh_file)
        if fresh_file.read_bytes() == path.read_bytes():
            return True
        fresh = load_cases(fresh_file)
    if replace(stored, exercises=()) != replace(fresh, exercises=()) or stored.names != fresh.names:
        return False
    full = [replace(a, variants=b.variants) for a, b in zip(fresh.exercises, cases.exercises, strict=True)]
    return all(same_exercise(*_both(a, b)) for a, b in zip(stored.exercises, full, strict=True))


def _both(stored: ExerciseCases, fresh: ExerciseCases) -> tuple[ExerciseCases, ExerciseCases]:
    """The two without their known mistakes, where those of `fresh` were read and not drawn."""
    return (replace(stored, variants=()), replace(fresh, variants=())) if was_read(fresh) else (stored, fresh)


def _mistakes(cases: UnitCases) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(one.made_from, [(variant.name, variant.says) for variant in one.variants]) for one in cases.exercises]


def same_but_for_mistakes(stored: UnitCases, fresh: UnitCases) -> bool:
    """Whether the same exercises are judged on the same cases, whatever mistakes are known."""
    return stored.names == fresh.names and all(
        same_exercise(replace(one, variants=()), replace(other, variants=()))
        for one, other in zip(stored.exercises, fresh.exercises, strict=True)
    )


def same_exercise(stored: ExerciseCases, fresh: ExerciseCases) -> bool:
    """Whether fresh cases, with all that their variants give, agree with what is stored."""

    def bare(cases: ExerciseCases) -> ExerciseCases:
        return replace(cases, plan={}, expected={}, variants=(), unusual={}, unusual_expected={}, made_from="")

    names = [(variant.name, variant.says) for variant in stored.variants]
    if bare(stored) != bare(fresh) or names != [(variant.name, variant.says) for variant in fresh.variants]:
        return False
    asked, now = stored.calls, fresh.calls
    if list(asked) != list(now) or any(repr(asked[key]) != repr(now[key]) for key in now):
        return False
    # float32 sums differ between thread counts and processors, by up to a tenth of the tolerance (unit 05)
    near = tolerance_of(fresh, 0.25)
    # a known mistake may amplify rounding (unit 04's second differences: by 50 tolerances between processors)
    amplified = tolerance_of(fresh, AMPLIFIED)
    pairs: list[tuple[Mapping[str, Observation], Mapping[str, Observation], Tolerance]]
    pairs = [(fresh.expected, stored.expected, near), (fresh.unusual_expected, stored.unusual_expected, near)]
    pairs += [(full_seen(b), a.seen, amplified) for a, b in zip(stored.variants, fresh.variants, strict=True)]
    view = common_view(named_probes(fresh.probes))

    def same(seen: Observation, kept: Observation, by: Tolerance) -> bool:
        return same_observation(as_viewed(seen, view), as_viewed(kept, view), by)

    return all(list(a) == list(b) and all(same(a[key], b[key], by) for key in b) for a, b, by in pairs)


def stable_variants(before: ExerciseCases | None, fresh: ExerciseCases) -> frozenset[str] | None:
    """The known mistakes that an earlier build found not to depend on rounding; None where it looked at another exercise."""
    bare = replace(fresh, variants=())
    if before is None or not same_exercise(replace(before, variants=()), bare):
        return None
    old, view = {variant.name: variant for variant in before.variants}, common_view(named_probes(fresh.probes))
    amplified = tolerance_of(fresh, AMPLIFIED)

    def same(variant: Variant) -> bool:
        kept = old.get(variant.name)
        return kept is not None and all(
            same_observation(as_viewed(seen, view), as_viewed(kept.seen[key], view), amplified)
            for key, seen in variant.seen.items()
        )

    return frozenset(variant.name for variant in fresh.variants if same(variant))
