"""Grade one submission: rebuild it, run it outside, judge what came back, write it down. Touches no gradebook."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from ..formats.cases import CASES_FILE
from ..formats.notebook_file import Unreadable, part_of
from ..formats.rebuild import Rebuilt, Repair, blocks_of, place_of, rebuild
from ..judging.panel import as_html, as_text
from ..judging.verdict import NOT_JUDGED, WAITED, Verdict, verdicts
from ..judging.weights import MAX_FILE_BYTES, file_trouble
from ..observing.outside import Outside, Process, observe_by
from ..observing.processes import WarmProcess
from .assignment import Assignment
from .sanitise import clean, output_of, safe_outputs, sanitise
from .submission import TIMESTAMP, find_notebook, read_regular, submission_digest, submission_files

RECORD_FORMAT = 1


@dataclass(frozen=True)
class Graded:
    """One submission's grade. `record` is plain JSON: scores, sentences, repairs, incidents."""

    student: str
    unit: str
    notebook: str
    """The rebuilt notebook with outputs and verdicts, as JSON text; safe to show."""
    record: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict)
    """Where the time went, by phase."""
    unsettled: frozenset[str] = frozenset()
    """NOT_JUDGED or WAITED, where an exercise was told so: the machine may be too busy, or its warm process broken."""

    @property
    def score(self) -> float:
        return float(sum(row["score"] for row in self.record["exercises"]))


def grade_submission(
    assignment: Assignment, student: str, folder: Path, warm: WarmProcess, *, run_demos: bool = False
) -> Graded:
    """Grade what lies in `folder`. Whatever the submission is or does, there is a grade with a reason.

    run_demos: also run the experiments, which no grade depends on
    """
    seconds: dict[str, float] = {}
    with _timed(seconds, "repair"):
        try:
            path, submitted, renamed = find_notebook(folder, assignment.notebook_name, assignment.grade_ids())
        except Unreadable as error:
            return _ungraded(assignment, student, folder, f"Nothing could be graded: {error}")
        rebuilt = rebuilt_notebook(assignment, submitted)
    repairs = [*renamed, *rebuilt.repairs, *_extra_files(folder, path, assignment.files)]
    notebook = notebook_of(assignment, rebuilt)
    judged = grade_cells(assignment, notebook, warm, folder, run_demos=run_demos)
    with _timed(seconds, "write down"):
        record = _record(assignment, student, folder, judged.verdicts, repairs, list(judged.incidents))
        record["experiments"] = "run" if run_demos else "skipped"
        text = _text(notebook)
    unsettled = frozenset({NOT_JUDGED, WAITED} & {verdict.diagnosis for verdict in judged.verdicts.values()})
    return Graded(student, assignment.unit, text, record, seconds | judged.seconds, unsettled)


@contextmanager
def _timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    begun = time.perf_counter()
    try:
        yield
    finally:
        seconds[phase] = seconds.get(phase, 0.0) + time.perf_counter() - begun


@dataclass(frozen=True)
class Judged:
    """Verdicts by `ExerciseCases.key`, and what happened while the submission ran."""

    verdicts: dict[str, Verdict]
    incidents: tuple[str, ...]
    seconds: dict[str, float]


def rebuilt_notebook(assignment: Assignment, submitted: list[dict[str, Any]]) -> Rebuilt:
    return rebuild(assignment.source_notebook().cells, assignment.released_notebook().cells, submitted)


def notebook_of(assignment: Assignment, rebuilt: Rebuilt) -> NotebookNode:
    """The rebuilt cells as a notebook, with the course's metadata."""
    metadata = copy.deepcopy(assignment.source_notebook().metadata)
    notebook: NotebookNode = nbformat.v4.new_notebook(metadata=metadata)
    notebook.cells = [nbformat.from_dict(cell) for cell in rebuilt.cells]
    return notebook


def grade_cells(
    assignment: Assignment, notebook: NotebookNode, warm: WarmProcess, folder: Path, *, run_demos: bool = False
) -> Judged:
    """Run a rebuilt notebook outside, judge it, and write outputs and scores into its cells, safe to show.

    folder: where the files lie that the unit asks for beside the notebook
    """
    seconds: dict[str, float] = {}
    with _timed(seconds, "warm process"):
        warm.start()
    outside = _run(assignment, notebook, warm, folder, run_demos)
    seconds |= outside.seconds
    with _timed(seconds, "judge"):
        found = verdicts(assignment.sets(), outside.sightings, folder)
    with _timed(seconds, "show"):
        _write_outputs(notebook, outside, found, run_demos)
        course_text = frozenset(str(cell["id"]) for cell in assignment.source_notebook().cells if not _answered(cell))
        sanitise(notebook, course_text)
    return Judged(found, (*outside.incidents, *_telling(notebook)), seconds)


def _telling(notebook: NotebookNode) -> list[str]:
    """Words in a learner's code that an instructor may want to look at. They decide nothing."""
    own = "\n".join(
        cell.source for cell in notebook.cells if cell.cell_type == "code" and part_of(cell) in ("solution", "own")
    )
    words = (
        "autograder.library",
        "autograder.observing",
        "autograder.judging",
        "autograder.authoring",
        "autograder.grading",
        "cases.npz",
        "gc.get_objects",
        "_getframe",
    )
    return [f"its code names {word}: have a look" for word in words if word in own]


def _run(assignment: Assignment, notebook: NotebookNode, warm: WarmProcess, folder: Path, run_demos: bool) -> Outside:
    beside = {name: data for name in assignment.files if (data := _usable(folder / name)) is not None}

    def start(request: bytes) -> Process:
        return warm.submit(request, beside)  # inputs alone go in: what is expected stays here

    exercises = [cases for both in assignment.sets() for cases in both]
    blocks = blocks_of(notebook.cells, run_demos=run_demos)
    return observe_by(start, blocks, False, exercises, warm.times)


def _usable(path: Path) -> bytes | None:
    """A file that was submission in beside the notebook; None where it is none that can be read, for which reason ever."""
    return None if file_trouble(path) else read_regular(path, MAX_FILE_BYTES)


def _write_outputs(notebook: NotebookNode, outside: Outside, verdicts: dict[str, Verdict], run_demos: bool) -> None:
    """Outputs of the cells that ran, and each check's verdict where nbgrader looks for its score."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        part = part_of(cell)
        if part in ("check", "hidden"):
            exercise = cell.metadata["autograder"]["exercise"]
            verdict = verdicts[f"{exercise}/{'hidden' if part == 'hidden' else 'visible'}"]
            cell.outputs = verdict_outputs(verdict)
        elif part == "demo" and not run_demos:
            cell.outputs = [output_of("display_data", data={"text/plain": "(An experiment: not run while grading.)"})]
        else:
            cell.outputs = safe_outputs(outside.outputs.get(place_of(cell)))


def verdict_outputs(verdict: Verdict) -> list[NotebookNode]:
    """A verdict as a cell's outputs: the panel, and the score as the plain float that nbgrader reads."""
    shown = for_learner(verdict)
    panel = output_of("display_data", data={"text/html": as_html(shown), "text/plain": as_text(shown)})
    score = output_of("execute_result", data={"text/plain": repr(float(verdict.score))}, execution_count=None)
    return [panel, score]


def for_learner(verdict: Verdict) -> Verdict:
    """The verdict as a feedback page shows it: of hidden cases the sentence, not the numbers."""
    if not verdict.hidden or verdict.passed:
        return replace(verdict, examples=()) if verdict.hidden else verdict
    message = verdict.message
    if verdict.diagnosis is None:
        message = f"On a hidden case `{verdict.exercise}` gives something else than expected. The visible cases may show where."
    results = tuple(replace(result, finding=None, label="") for result in verdict.results)
    return replace(verdict, message=message, label="", difference=None, results=results, notes=(), examples=())


def _record(
    assignment: Assignment,
    student: str,
    folder: Path,
    found: dict[str, Verdict],
    repairs: list[Repair],
    incidents: list[str],
) -> dict[str, Any]:
    rows = []
    for visible, hidden in assignment.sets():
        both = [found[visible.key], found[hidden.key]]
        failed = next((verdict for verdict in both if not verdict.passed), None)
        shown = for_learner(failed) if failed else None
        rows.append(
            {
                "exercise": visible.name,
                "score": sum(verdict.score for verdict in both),
                "max_score": sum(verdict.max_score for verdict in both),
                "visible": both[0].score,
                "hidden": both[1].score,
                "passed": failed is None,
                "diagnosis": failed.diagnosis if failed else None,
                "message": shown.message if shown else "",
                "seen_on": shown.label if shown else "",
            }
        )
    return _record_of(assignment, student, folder, rows, repairs, incidents)


def _ungraded(assignment: Assignment, student: str, folder: Path, reason: str) -> Graded:
    """The record of a submission that holds no readable notebook: the released one, every exercise 0, the reason."""
    notebook = notebook_of(assignment, rebuilt_notebook(assignment, []))
    rows = []
    for visible, hidden in assignment.sets():
        for cell in notebook.cells:
            if part_of(cell) in ("check", "hidden") and cell.metadata["autograder"]["exercise"] == visible.name:
                cell.outputs = [
                    output_of("stream", name="stdout", text=f"{reason}\n"),
                    output_of("execute_result", data={"text/plain": "0.0"}, execution_count=None),
                ]
        rows.append(
            {
                "exercise": visible.name,
                "score": 0.0,
                "max_score": visible.points + hidden.points,
                "visible": 0.0,
                "hidden": 0.0,
                "passed": False,
                "diagnosis": "unreadable",
                "message": reason,
                "seen_on": "",
            }
        )
    record = _record_of(assignment, student, folder, rows, [], [reason], reason)
    return Graded(student, assignment.unit, _text(notebook), record)


def _record_of(
    assignment: Assignment,
    student: str,
    folder: Path,
    rows: list[dict[str, Any]],
    repairs: list[Repair],
    incidents: list[str],
    reason: str = "",
) -> dict[str, Any]:
    record = {
        "format": RECORD_FORMAT,
        "student": student,
        "unit": assignment.unit,
        "seed": assignment.seed,
        "assignment": assignment.digest,
        "submission": submission_digest(submission_files(folder, assignment.wanted_files), assignment.wanted_files),
        "exercises": rows,
        "repairs": [asdict(repair) for repair in repairs],
        "incidents": incidents,
        "reason": reason,
    }
    cleaned: dict[str, Any] = clean(record)
    return cleaned


def _extra_files(folder: Path, graded: Path, wanted: tuple[str, ...]) -> list[Repair]:
    known = {graded.name, TIMESTAMP, CASES_FILE, ".ipynb_checkpoints", *wanted}
    extra = sorted(path.name for path in folder.iterdir() if path.name not in known)
    if not extra:
        return []
    named = ", ".join(extra[:5]) + (f" and {len(extra) - 5} more" if len(extra) > 5 else "")
    return [Repair("dropped", "", f"files submission in beside the notebook were left out: {named}")]


def _answered(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def _text(notebook: NotebookNode) -> str:
    """As nbformat writes it, without its validation: the rebuilt notebook is made of the course's own cells."""
    return str(nbformat.v4.writes(notebook))
