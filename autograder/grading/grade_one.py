"""Grade one submission: rebuild it, run it outside, judge what came back, write it down. Touches no gradebook."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..formats.cases import CASES_FILE, ExerciseCases
from ..formats.language import ENGLISH, said, speaking
from ..formats.notebook_file import Unreadable, part_of
from ..formats.rebuild import Cell, Repair, blocks_of, grade_id_of, is_graded, is_solution, place_of, rebuild
from ..judging.panel import as_html, as_text
from ..judging.verdict import NOT_JUDGED, WAITED, Verdict, verdicts
from ..judging.weights import MAX_FILE_BYTES, file_trouble
from ..observing.outside import Outside, observe_by
from ..observing.processes import WarmProcess
from .assignment import Assignment
from .feedback import feedback_page
from .record import Entry, ExerciseGrade, Record
from .sanitise import Output, output_of, safe_outputs, sanitise
from .submission import MAX_TIMESTAMP, TIMESTAMP, find_notebook, read_regular
from .times import read_time

_TELLING = (
    "autograder.library",
    "autograder.observing",
    "autograder.judging",
    "autograder.authoring",
    "autograder.grading",
    "cases.npz",
    "gc.get_objects",
    "_getframe",
)
"""Words in a learner's code that an instructor may want to look at. They decide nothing."""
MAX_SHOWN = 1_500_000
_CUT = "[cut here: what this notebook shows takes too much room]"


@dataclass(frozen=True)
class Graded:
    """One graded submission: what goes into its record, the gradebook, formgrader and its feedback page."""

    record: Record
    entries: tuple[Entry, ...]
    notebook: str
    """The rebuilt notebook with outputs and verdicts, as JSON text; safe to show."""
    page: str
    """The feedback page; safe to show."""
    seconds: dict[str, float]
    """Where the time went, by phase."""
    unsettled: frozenset[str]
    """NOT_JUDGED or WAITED, where an exercise was told so: the machine may be too busy, or its warm process broken."""


@dataclass(frozen=True)
class Judged:
    """Verdicts by `ExerciseCases.key`, and what happened while the submission ran."""

    verdicts: dict[str, Verdict]
    incidents: tuple[str, ...]
    seconds: dict[str, float]


def grade_submission(
    assignment: Assignment, student: str, folder: Path, digest: str, warm: WarmProcess, *, run_demos: bool = False
) -> Graded:
    """Grade what lies in `folder`. Whatever the submission is or does, there is a grade with a reason.

    digest:    of what was handed in, for the record
    run_demos: also run the experiments, which no grade depends on
    """
    seconds: dict[str, float] = {}
    reason, language = "", ENGLISH
    repairs: tuple[Repair, ...] = ()
    with _timed(seconds, "repair"):
        try:
            path, submitted, renamed = find_notebook(folder, assignment.notebook_name, assignment.grade_ids)
            language = assignment.language_of(submitted)
            rebuilt = rebuild(*assignment.cells_in[language], submitted)
            repairs = (*renamed, *rebuilt.repairs, *_extra_files(folder, path, assignment.files))
        except Unreadable as error:
            rebuilt = rebuild(assignment.source, assignment.released, [])
            reason = f"Nothing could be graded: {error}"
    cells = rebuilt.cells
    with speaking(language):
        if reason:
            judged = _nothing_judged(assignment, cells, reason)
        else:
            judged = grade_cells(assignment, cells, warm, folder, run_demos=run_demos)
    seconds |= judged.seconds
    with _timed(seconds, "write down"), speaking(language):
        record = Record(
            student,
            assignment.unit,
            assignment.seed,
            assignment.digest,
            digest,
            tuple(_exercise_grade([judged.verdicts[cases.key] for cases in both]) for both in assignment.sets),
            repairs,
            (*judged.incidents, *_unread_time(folder)),
            reason,
            "run" if run_demos else "skipped",
        ).cleaned()
        notebook = {"cells": cells, "metadata": assignment.metadata, "nbformat": 4, "nbformat_minor": 5}
        return Graded(
            record,
            tuple(_entries(assignment.cells_in[language][0], cells, judged.verdicts)),
            json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True),
            feedback_page(said(assignment.visible.title, assignment.unit), record, cells),
            seconds,
            frozenset({NOT_JUDGED, WAITED} & {verdict.diagnosis for verdict in judged.verdicts.values()}),
        )


def grade_cells(
    assignment: Assignment, cells: Sequence[Cell], warm: WarmProcess, folder: Path, *, run_demos: bool = False
) -> Judged:
    """Run a rebuilt notebook's cells outside, judge them, and write outputs and scores into them, safe to show.

    folder: where the files lie that the unit asks for beside the notebook
    """
    seconds: dict[str, float] = {}
    with _timed(seconds, "warm process"):
        warm.start()
    outside = run_outside(assignment, cells, warm, folder, run_demos=run_demos)
    seconds |= outside.seconds
    with _timed(seconds, "judge"):
        found = verdicts(assignment.sets, outside.sightings, folder)
    with _timed(seconds, "show"):
        _write_outputs(cells, outside.outputs, found, run_demos)
        sanitise(cells, frozenset(str(cell["id"]) for cell in assignment.source if not is_solution(cell)))
    code = (cell for cell in cells if cell["cell_type"] == "code" and part_of(cell) in ("solution", "own"))
    own = "\n".join(cell["source"] for cell in code)
    telling = (f"its code names {word}: have a look" for word in _TELLING if word in own)
    return Judged(found, (*outside.incidents, *telling), seconds)


@contextmanager
def _timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    begun = time.perf_counter()
    try:
        yield
    finally:
        seconds[phase] = time.perf_counter() - begun


def run_outside(
    assignment: Assignment, cells: Sequence[Cell], warm: WarmProcess, folder: Path, *, run_demos: bool
) -> Outside:
    """Run a rebuilt notebook's cells in a process of their own, and observe its exercises on visible and hidden inputs."""
    wanted = [folder / name for name in assignment.files if not file_trouble(folder / name)]
    found = {path.name: read_regular(path, MAX_FILE_BYTES) for path in wanted}
    beside = {name: data for name, data in found.items() if data is not None}
    exercises = [cases for both in assignment.sets for cases in both]
    start = partial(warm.submit, files=beside)  # inputs alone go in: what is expected stays here
    return observe_by(start, blocks_of(cells, run_demos=run_demos), False, exercises, warm.times)


def _unread_time(folder: Path) -> list[str]:
    text = (read_regular(folder / TIMESTAMP, MAX_TIMESTAMP) or b"").decode("utf-8", "replace").strip()
    if not text or read_time(text):
        return []
    return [
        f"the time {text[:60]!r} in {TIMESTAMP} says no moment beyond doubt: the submission counts as handed in on time"
    ]


def _nothing_judged(assignment: Assignment, cells: Sequence[Cell], reason: str) -> Judged:
    """No points for any exercise, for one reason; the cells are those of the released notebook."""

    def nothing(cases: ExerciseCases) -> Verdict:
        return Verdict(cases.unit, cases.name, cases.hidden, False, 0.0, cases.points, 0.0, "unreadable", reason)

    found = {cases.key: nothing(cases) for both in assignment.sets for cases in both}
    _write_outputs(cells, {}, found, run_demos=False)
    return Judged(found, (reason,), {})


def _write_outputs(
    cells: Sequence[Cell], outputs: Mapping[str, Any], verdicts: Mapping[str, Verdict], run_demos: bool
) -> None:
    """Outputs of the cells that ran, and each check's verdict where nbgrader looks for its score.

    What the submission's own cells have shown is kept up to `MAX_SHOWN` characters all together.
    """
    left = MAX_SHOWN
    for cell in cells:
        part = part_of(cell)
        if cell["cell_type"] != "code":
            continue
        if part in ("check", "hidden"):
            cell["outputs"] = verdict_outputs(verdicts[_key(cell)])
        elif part == "demo" and not run_demos:
            cell["outputs"] = [
                output_of("display_data", data={"text/plain": said("(An experiment: not run while grading.)")})
            ]
        else:
            shown = safe_outputs(outputs.get(place_of(cell)))
            left -= len(json.dumps(shown, ensure_ascii=False))
            cell["outputs"] = shown if left >= 0 or not shown else [output_of("stream", name="stdout", text=_CUT)]


def _key(cell: Cell) -> str:
    """The `ExerciseCases.key` of the cases that a check cell, visible or hidden, speaks of."""
    return f"{cell['metadata']['autograder']['exercise']}/{'hidden' if part_of(cell) == 'hidden' else 'visible'}"


def verdict_outputs(verdict: Verdict) -> list[Output]:
    """A verdict as a cell's outputs: the panel, and the score as the plain float that nbgrader reads."""
    shown = for_learner(verdict)
    panel = output_of("display_data", data={"text/html": as_html(shown), "text/plain": as_text(shown)})
    score = output_of("execute_result", data={"text/plain": repr(float(verdict.score))}, execution_count=None)
    return [panel, score]


def for_learner(verdict: Verdict) -> Verdict:
    """The verdict as a feedback page shows it: of hidden cases the sentence, not the numbers."""
    if not verdict.hidden:
        return verdict
    if verdict.passed:
        return replace(verdict, examples=())
    message = verdict.message
    if verdict.diagnosis is None:
        message = f"On a hidden case `{verdict.exercise}` gives something other than expected. The visible cases may show where."
    results = tuple(replace(result, finding=None, label="") for result in verdict.results)
    return replace(verdict, message=message, label="", difference=None, results=results, notes=(), examples=())


def _exercise_grade(both: Sequence[Verdict]) -> ExerciseGrade:
    """An exercise's grade from its verdicts on visible and hidden cases."""
    failed = next((verdict for verdict in both if not verdict.passed), None)
    shown = for_learner(failed) if failed else None
    return ExerciseGrade(
        both[0].exercise,
        score=sum(verdict.score for verdict in both),
        max_score=sum(verdict.max_score for verdict in both),
        visible=both[0].score,
        hidden=both[1].score,
        passed=failed is None,
        diagnosis=failed.diagnosis if failed else None,
        message=shown.message if shown else "",
        seen_on=shown.label if shown else "",
    )


def _entries(source: Sequence[Cell], cells: Sequence[Cell], verdicts: Mapping[str, Verdict]) -> Iterator[Entry]:
    """What the gradebook is told of each cell that it knows, by nbgrader's rules.

    source: the course's cells in the language of the notebook that was handed in
    """
    starters = {grade_id_of(cell): cell["source"] for cell in source}
    for cell in cells:
        name, graded = grade_id_of(cell), is_graded(cell)
        if is_solution(cell):
            unanswered = cell["source"] == starters[name]
            yield Entry(name, 0.0 if graded and unanswered else None, unanswered, cell["source"] if graded else None)
        elif graded:
            yield Entry(name, verdicts[_key(cell)].score, unanswered=False)


def _extra_files(folder: Path, graded: Path, wanted: Sequence[str]) -> list[Repair]:
    known = {graded.name, TIMESTAMP, CASES_FILE, ".ipynb_checkpoints", *wanted}
    extra = sorted(path.name for path in folder.iterdir() if path.name not in known)
    if not extra:
        return []
    named = ", ".join(extra[:5]) + (f" and {len(extra) - 5} more" if len(extra) > 5 else "")
    return [Repair("dropped", "", f"files handed in beside the notebook were left out: {named}")]
