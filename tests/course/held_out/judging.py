"""Judge held-out implementations as a class is judged, on visible and on hidden cases.

They are honest, so they are observed in this process: to fork one for each takes as long again as to observe them.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autograder.authoring.hidden import hidden_cases
from autograder.formats.cases import CASES_FILE, ExerciseCases, load_cases
from autograder.formats.unusual import AGAIN, ALONE, AT_LAST, parted
from autograder.judging.verdict import Verdict, verdict_of
from autograder.library import grading
from autograder.observing.observe import sighting_of

from .pieces import Piece

COURSE = Path(__file__).resolve().parents[3]
SEED = 2026


@dataclass(frozen=True)
class Judged:
    """A piece, and what a learner would have got for it."""

    piece: Piece
    score: float
    full: float
    diagnosis: str
    """The name that the mistake got; empty where the message says no more than which numbers differ."""
    message: str
    known: bool
    """Whether that name is a known mistake's of the lesson."""

    @property
    def kind(self) -> str:
        """How the message speaks: of a known cause, of a property, of an exception, or of the numbers alone."""
        if self.known:
            return "cause"
        if self.diagnosis.startswith("raised-") or self.diagnosis in OUTCOMES:
            return "exception"
        return "property" if self.diagnosis else "numbers"

    @property
    def fault(self) -> str:
        """What is wrong with the judgement; empty where nothing is."""
        if self.piece.right:
            return "" if self.score == self.full else f"right, and got {self.score:g} of {self.full:g}: {self.message}"
        if self.score:
            return f"wrong, and got {self.score:g} of {self.full:g} points"
        if self.piece.diagnosis and self.piece.diagnosis != self.diagnosis:
            return f"is to be named {self.piece.diagnosis}, and is named {self.diagnosis or 'nothing'}: {self.message}"
        return "" if self.message else "wrong, and nothing is said"


OUTCOMES = (
    "not-written",
    "not-defined",
    "out-of-time",
    "died",
    "file",
    "signature",
    "not-callable",
    "weights",
    "gradients",
)


def judge_unit(unit: str, pieces: list[Piece]) -> Iterator[Judged]:
    """Judge pieces of one unit, each in a namespace of its own, in their order."""
    torch.set_num_threads(1)  # arrays here are tiny: threads would only wait for one another
    visible = {cases.name: cases for cases in load_cases(COURSE / "solutions" / unit / CASES_FILE).exercises}
    hidden = {cases.name: cases for cases in hidden_cases(COURSE, unit, SEED).exercises}
    for piece in pieces:
        yield judge_piece(piece, visible[piece.exercise], hidden[piece.exercise])


def judge_piece(piece: Piece, visible: ExerciseCases, hidden: ExerciseCases) -> Judged:
    answer = _defined(piece)
    first = None if piece.right else _verdict(answer, _without_what_names_no_cause(visible))
    if first is None or first.passed:
        answer = _defined(piece)
        first = _verdict(answer, visible)
    for part in [hidden] if first.passed else _parts_of(hidden):
        second = _verdict(answer, part, (visible, first))
        if not second.passed:
            break
    failed: Verdict | None = next((verdict for verdict in (first, second) if not verdict.passed), None)
    causes = {variant.name for variant in visible.variants}
    return Judged(
        piece,
        first.score + second.score,
        first.max_score + second.max_score,
        (failed.diagnosis or "") if failed else "",
        failed.message if failed else "",
        known=bool(failed and failed.diagnosis in causes),
    )


def _defined(piece: Piece) -> Any:
    """The piece's function or class, defined anew: it has kept nothing."""
    space: dict[str, Any] = {"__name__": "submission"}
    with grading(), random_numbers_from_the_beginning():
        exec(compile(piece.source, "<cell 1>", "exec"), space)
    return space[piece.exercise]


def _verdict(answer: Any, cases: ExerciseCases, before: tuple[ExerciseCases, Verdict] | None = None) -> Verdict:
    with grading(), random_numbers_from_the_beginning():
        return verdict_of(cases, sighting_of(answer, cases), COURSE, before)


def _without_what_names_no_cause(visible: ExerciseCases) -> ExerciseCases:
    """The cases with those unusual inputs alone that have a say in what is told of code that fails on usual ones."""
    kept = {kind: call for kind, call in visible.unusual.items() if parted(kind)[0] in (AGAIN, ALONE, AT_LAST)}
    return replace(visible, unusual=kept)


def _parts_of(hidden: ExerciseCases) -> Iterator[ExerciseCases]:
    """The hidden cases, a few at a time, for code of which the visible ones have told what is to be told: where one part
    refuses the point, so do all of them. The last part is all of them."""
    yield from hidden.one_by_one()
    yield hidden


@contextmanager
def random_numbers_from_the_beginning() -> Iterator[None]:
    """One piece's numbers do not depend on those before it; outside, the generators go on as they were."""
    generators = random.getstate(), np.random.get_state(), torch.random.get_rng_state()  # noqa: NPY002
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  a piece may use the old generator
    torch.manual_seed(0)
    try:
        yield
    finally:
        random.setstate(generators[0])
        np.random.set_state(generators[1])  # noqa: NPY002
        torch.random.set_rng_state(generators[2])
