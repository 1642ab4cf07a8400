"""Hidden cases of a unit, drawn from a seed on the grading side; they are never written to disk."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ..formats.cases import UnitCases, Variant

if TYPE_CHECKING:
    from .workbench import Workpiece

_LESSONS_KEPT = 4


def hidden_cases(course: Path, unit: str, seed: int) -> UnitCases:
    """The unit's hidden cases for one grading run. Raises LessonError where the lesson cannot be read."""
    from .parse import CHECKS_FILE, parse_lesson, unit_stem
    from .workbench import draw_expected, open_workbench

    path = course / "solutions" / unit / f"{unit_stem(unit)}.py"
    lesson = parse_lesson(path)
    text = path.read_text(encoding="utf-8")
    known = path.with_name(CHECKS_FILE).read_text(encoding="utf-8")
    exercises = (draw_expected(piece, seed=seed) for piece in open_workbench(lesson, cases_alone=True))
    return UnitCases(
        unit,
        lesson.title,
        tuple(replace(cases, variants=VariantsOnDemand(text, known, unit, cases.name, seed)) for cases in exercises),
    )


@dataclass(frozen=True)
class VariantsOnDemand(Sequence[Variant]):
    """An exercise's known mistakes on its hidden cases, drawn when somebody first looks.

    Nearly all who fail hidden cases fail visible ones too, whose mistakes are stored. To draw these takes seconds for a
    small exercise and a minute for a whole Transformer. It holds the lesson's text: a cluster's worker has no course.
    """

    lesson: str
    checks: str
    unit: str
    exercise: str
    seed: int

    def _drawn(self) -> tuple[Variant, ...]:
        return _draw(self)

    def __iter__(self) -> Iterator[Variant]:
        return iter(self._drawn())

    def __len__(self) -> int:
        return len(self._drawn())

    @overload
    def __getitem__(self, index: int) -> Variant: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Variant]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._drawn()[index]


@functools.lru_cache(maxsize=32)
def _draw(wanted: VariantsOnDemand) -> tuple[Variant, ...]:
    from .workbench import draw_expected, draw_variants

    piece = next(
        piece for piece in _workbench(wanted.unit, wanted.lesson, wanted.checks) if piece.source.name == wanted.exercise
    )
    return draw_variants(piece, draw_expected(piece, seed=wanted.seed))


@functools.lru_cache(maxsize=_LESSONS_KEPT)
def _workbench(unit: str, text: str, known: str) -> tuple[Workpiece, ...]:
    from .parse import CHECKS_FILE, parse_lesson, unit_stem
    from .workbench import open_workbench

    with tempfile.TemporaryDirectory() as holder:
        path = Path(holder) / unit / f"{unit_stem(unit)}.py"
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
        path.with_name(CHECKS_FILE).write_text(known, encoding="utf-8")
        return open_workbench(parse_lesson(path))
