"""`python -m autograder check UNIT FILE...`: check notebooks or Python files outside JupyterLab."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .course import UsageError, add_course, one_unit

if TYPE_CHECKING:
    from ..checks.cases import ExerciseCases
    from ..checks.verdict import Verdict


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("unit", metavar="UNIT", help="the unit's name or its two digits")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a .ipynb or .py file")
    parser.add_argument(
        "--hidden", action="store_true", help="on hidden cases as well, as when grading (needs solutions/)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the hidden cases (default: 1)")
    parser.add_argument("--json", action="store_true", help="print a JSON list of results")
    add_course(parser)


def run(options: argparse.Namespace) -> int:
    from ..checks.display import as_text
    from ..checks.submission import UnusableSubmission

    sets = _case_sets(options)
    rows: list[dict[str, Any]] = []
    status = 0
    for path in options.files:
        try:
            verdicts = _verdicts(path, sets)
        except UnusableSubmission as error:
            print(error, file=sys.stderr)
            status = 2
            continue
        for exercise, found in verdicts.items():
            rows.append(_row(path, exercise, found))
            if not options.json:
                for verdict in found:
                    print(as_text(verdict))
    if options.json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    return status or int(not all(row["passed"] for row in rows))


def _case_sets(options: argparse.Namespace) -> list[dict[str, ExerciseCases]]:
    """Visible cases by exercise; with --hidden, the hidden ones as a second set."""
    from ..checks.cases import CASES_FILE, MissingCases, load_cases

    course: Path = options.course
    folder = next((f for f in (course / "solutions", course / "notebooks") if f.is_dir()), course)
    unit = one_unit(sorted(path.parent.name for path in folder.glob(f"*/{CASES_FILE}")), options.unit)
    try:
        visible = load_cases(folder / unit / CASES_FILE)
    except MissingCases as error:
        raise UsageError(str(error)) from error
    sets = [{exercise.name: exercise for exercise in visible.exercises}]
    if options.hidden:
        if folder.name != "solutions":
            raise UsageError(
                "hidden cases are drawn from the lessons in solutions/, which are not here: leave --hidden out."
            )
        from ..lessons.hidden import hidden_cases

        sets.append({exercise.name: exercise for exercise in hidden_cases(course, unit, options.seed).exercises})
    return sets


def _verdicts(path: Path, sets: Sequence[dict[str, ExerciseCases]]) -> dict[str, list[Verdict]]:
    from ..checks.outside import key_of, observe_outside
    from ..checks.probes.named import named_probes
    from ..checks.submission import UnusableSubmission, read_submission
    from ..checks.verdict import judge, judge_hidden
    from ..checks.weights import told_by_file

    submission = read_submission(path)
    names = submission.defines(tuple(sets[0]))
    if not names:
        raise UnusableSubmission(
            f"{path}: defines none of this unit's exercises ({', '.join(sets[0])}) by def or class"
        )
    chosen = {name: [cases[name] for cases in sets] for name in names}
    sightings = observe_outside(submission, [cases for both in chosen.values() for cases in both])
    folder = path.resolve().parent
    verdicts: dict[str, list[Verdict]] = {}
    for name, (visible, *rest) in chosen.items():
        on_visible = judge(
            visible, named_probes(visible.probes), told_by_file(sightings[key_of(visible)], visible, folder)
        )
        verdicts[name] = [on_visible]
        for hidden in rest:
            sighting = told_by_file(sightings[key_of(hidden)], hidden, folder)
            verdicts[name].append(judge_hidden(hidden, named_probes(hidden.probes), sighting, visible, on_visible))
    return verdicts


def _row(path: Path, exercise: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """One exercise's result over its sets of cases; the first that is not passed speaks."""
    failed = next((verdict for verdict in verdicts if not verdict.passed), None)
    return {
        "file": str(path),
        "exercise": exercise,
        "score": sum(verdict.score for verdict in verdicts),
        "max_score": sum(verdict.max_score for verdict in verdicts),
        "passed": failed is None,
        "diagnosis": failed.diagnosis if failed else None,
        "message": failed.message if failed else "",
    }
