"""What a notebook calls: `begin`, `check`, `hint`."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from .. import library
from ..formats import language as languages
from ..formats.cases import CASES_FILE, ExerciseCases, Fault, MissingCases, Sighting, UnitCases, load_cases
from ..formats.language import said
from ..judging.compare import same_observation
from ..judging.panel import as_html, as_text, display
from ..judging.probes import Probe
from ..judging.probes.named import named_probes
from ..judging.verdict import Verdict, verdict_of
from ..library import grading, is_grading
from ..library.quiet import paused
from ..observing.observe import fault_of, sighting_of
from ..observing.readiness import await_imports, begin_imports, needed_modules
from ..observing.session import Ran, explained, note_missing
from . import my_transformer
from .progress import note_passed

_unit: UnitCases | None = None
_folder: Path | None = None
_hints_shown: dict[str, int] = {}
_ran = Ran(vars(sys.modules["__main__"]))
"""What cells that ended in an error have left undefined in this kernel."""


def begin(unit: str, language: str = languages.ENGLISH) -> None:
    """Open a unit: find its cases and say what there is to do. The first cell of each notebook calls it.

    language: what the notebook is written in, and its checks speak
    """
    global _unit, _folder
    if is_grading():  # the cases are elsewhere, and nobody reads the greeting
        return
    languages.speak(language)
    path = _cases_path(unit)
    _unit, _folder = load_cases(path), path.parent
    total = sum(exercise.points + exercise.points_elsewhere for exercise in _unit.exercises)
    wanted = needed_modules(_unit.exercises)
    begin_imports(wanted)
    _note_errors()
    told = [f"{_unit.title} — {len(_unit.exercises)} exercises, {total:g} points. Ready."]
    if wanted and "torch" not in sys.modules:
        told.append("PyTorch is being loaded while you read.")
    print(*(said(sentence, unit) for sentence in told))


def _cases_path(unit: str) -> Path:
    """Beside the notebook; or, where the kernel was started elsewhere, in the course above."""
    here = Path.cwd()
    candidates = [here / CASES_FILE] if here.name == unit or not (here / unit).is_dir() else [here / unit / CASES_FILE]
    places = ("", "notebooks", "solutions")
    candidates += [folder / place / unit / CASES_FILE for folder in (here, *here.parents) for place in places]
    for path in candidates:
        if path.is_file() and (path.parent.name == unit or load_cases(path).unit == unit):
            return path
    raise MissingCases(
        f"no {CASES_FILE} for unit {unit} beside this notebook ({here}). Copy it from the course's folder."
    )


def check(target: Any, *probes: Probe, cases: Literal["visible", "hidden"] = "visible") -> float:
    """Check one exercise on the visible cases, show a panel, and return the points earned.

    The points come back as a plain float: nbgrader reads anything else as full marks. Never raises on a learner's
    mistake. The hidden cases are not here: they are drawn and judged when the notebook is graded.
    """
    exercise = _exercise_of(target)
    if exercise is None:
        _show_text("✗ nothing was checked: this is not one of this unit's exercises, or `begin(...)` has not been run.")
        return 0.0
    if cases == "hidden":
        _show_text(f"The other points of {exercise.name} are decided when your notebook is graded.")
        return 0.0
    try:
        sighting = _seen(target, exercise)
        verdict = verdict_of(exercise, sighting, Path.cwd())
    except KeyboardInterrupt:
        _show_text(f"✗ {exercise.name} was not judged: the check was interrupted. Run the cell again.")
        return 0.0
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        _show_text(
            f"✗ {exercise.name} was not judged: the check itself failed ({told}). Restart the kernel and try again."
        )
        return 0.0
    notes = list(verdict.notes)
    if [probe.name for probe in probes] != [probe.name for probe in named_probes(exercise.probes)]:
        notes.append("this cell asks for other properties than its exercise; the exercise's own were checked")
    notes += _keep_passing(target, exercise, sighting) if verdict.passed else _kept_before(exercise)
    verdict = replace(verdict, notes=tuple(notes))
    show(verdict)
    if not verdict.passed and os.environ.get("NBGRADER_VALIDATING"):
        # nbgrader's Validate dialog shows a failed cell's stderr and nothing else; only there it is written to.
        print(said(verdict.message, verdict.unit), file=sys.stderr)
    return _told_by_panel(float(verdict.score))


_last_score = 0.0


def _told_by_panel(score: float) -> float:
    """The very number, which the notebook does not show below the panel that has told it; what nbgrader reads stays there."""
    global _last_score
    _last_score = score
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        shell.display_formatter.formatters["text/html"].for_type(
            float, lambda value: "" if value is _last_score else None
        )
    return score


def _kept_before(exercise: ExerciseCases) -> tuple[str, ...]:
    """What a learner who has broken a passed part wants to know."""
    if not my_transformer.is_on() or is_grading() or _folder is None:
        return ()
    if my_transformer.read(my_transformer.package_folder(_folder), exercise.name) is None:
        return ()
    return (
        f"an earlier version of yours that passed is kept in {my_transformer.PACKAGE}, and other notebooks go on using it. "
        "The grade is for what stands in this notebook.",
    )


def _keep_passing(target: Any, exercise: ExerciseCases, sighting: Sighting) -> tuple[str, ...]:
    """Keep an exercise that passed with this sighting in the learner's own package; say what came of it where that is news."""
    if not my_transformer.is_on() or is_grading() or _folder is None or _folder.parent.name == "solutions":
        return ()
    try:
        note_passed(_folder, exercise)
        text = my_transformer.module_source(target, exercise.name, frozenset(library.exercise_names()))
        with grading():
            alone = my_transformer.load(text, exercise.name, f"<{my_transformer.PACKAGE}.{exercise.name}>")
        if not _passes_alone(alone, exercise, sighting):
            raise my_transformer.CannotKeep("it does not pass on its own, outside your notebook")
        package = my_transformer.package_folder(_folder)
        my_transformer.write(package, exercise.name, text)
        my_transformer.note_passed(package, exercise.name, text, (_folder / CASES_FILE).read_bytes())
        for name in exercise.files:
            my_transformer.write_file(package, Path.cwd() / name)
    except my_transformer.CannotKeep as reason:
        return (f"it is not kept in {my_transformer.PACKAGE}: {reason}.",)
    except OSError as error:
        return (f"it could not be kept in {my_transformer.PACKAGE}: {error.strerror}.",)
    except Exception as error:
        return (f"it is not kept in {my_transformer.PACKAGE}: on its own it raises {type(error).__name__}: {error}.",)
    return ()


def _passes_alone(alone: Any, exercise: ExerciseCases, passed: Sighting) -> bool:
    """Whether a part, in a namespace of its own, passes as well as it did in the notebook.

    It does where it gives the same again on each of the exercise's cases. These show whether its text is complete, in a
    third of the time that all calls take which probes derive from them; what its code may not use was watched before.
    Code that gives other numbers each time is judged anew, on all.
    """
    plan = {key: exercise.plan[key] for key in exercise.base_keys}
    with paused():
        again = sighting_of(alone, replace(exercise, plan=plan, forbids=()))
    if not again.trouble and not again.forbidden:
        seen = again.observations
        if all(same_observation(seen[key], passed.observations[key], exercise.tolerance) for key in plan):
            return True
    return verdict_of(exercise, sighting_of(alone, exercise), Path.cwd()).passed


def _seen(target: Any, exercise: ExerciseCases) -> Sighting:
    """Observe in this process, once what that takes is imported."""
    failure = await_imports(needed_modules([exercise]))
    if failure:
        return Sighting({}, trouble=Fault("NotAsked", f"what the check needs cannot be imported ({failure})"))
    return explained(sighting_of(target, exercise), _ran)


def _note_errors() -> None:
    """Have the kernel tell of each cell that ends in an error, so that what it left undefined is told as its consequence."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and _note_cell not in shell.events.callbacks["post_run_cell"]:
        shell.events.register("post_run_cell", _note_cell)


def _note_cell(result: Any) -> None:
    error = result.error_before_exec or result.error_in_exec
    if error is not None:
        note_missing(_ran, result.info.raw_cell, f"cell [{result.execution_count}]", fault_of(error, "define"))


def hint(target: Any) -> None:
    """Show the next hint for an exercise, given as the function or its name. Hints cost nothing."""
    exercise = _exercise_of(target)
    if exercise is None:
        print(said("There is no exercise by that name in this unit."))
        return
    shown = min(_hints_shown.get(exercise.name, 0) + 1, len(exercise.hints))
    _hints_shown[exercise.name] = shown
    for position, text in enumerate(exercise.hints[:shown], start=1):
        print(said(f"Hint {position} of {len(exercise.hints)}: {text}", exercise.unit))
    if shown < len(exercise.hints):
        print(said("(Run this again for the next one.)"))


def show(verdict: Verdict) -> None:
    """Display a verdict: as a panel in a notebook, as text elsewhere."""
    display({"text/html": as_html(verdict), "text/plain": as_text(verdict)})


def _show_text(text: str) -> None:
    display({"text/plain": said(text)})


def _exercise_of(target: Any) -> ExerciseCases | None:
    """The exercise that a function, class or name belongs to; a wrapped function by the name it is bound to."""
    if _unit is None:
        return None
    wanted = [target] if isinstance(target, str) else [getattr(target, "__name__", "")]
    main = sys.modules.get("__main__")
    wanted += [name for name in _unit.names if getattr(main, name, None) is target]
    for name in wanted:
        if name in _unit.names:
            return _unit.exercise(name)
    return None
