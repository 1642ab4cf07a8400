"""What has passed so far: noted when a check passes, shown as the learner's way through the course."""

from __future__ import annotations

import contextlib
import html
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..formats.course import ExerciseEntry, NoCourse, UnitEntry, course_map, notebooks_folder, shared_folder
from ..formats.language import ENGLISH, said, speak
from . import my_transformer

if TYPE_CHECKING:
    from ..formats.cases import ExerciseCases

_PASSED_FILE = "progress.json"
"""In the learner's own package: exercise -> points that its check gave."""


@dataclass(frozen=True)
class UnitProgress:
    unit: UnitEntry
    passed: tuple[str, ...]

    @property
    def earned(self) -> float:
        return sum(exercise.visible for exercise in self.unit.exercises if exercise.name in self.passed)

    @property
    def from_checks(self) -> float:
        return sum(exercise.visible for exercise in self.unit.exercises)

    @property
    def next_exercise(self) -> ExerciseEntry | None:
        return next((exercise for exercise in self.unit.exercises if exercise.name not in self.passed), None)


def note_passed(unit_folder: Path, exercise: ExerciseCases) -> None:
    """Write down that the check of an exercise has passed. Raises OSError."""
    folder = my_transformer.package_folder(unit_folder)
    if my_transformer.read_entries(folder, _PASSED_FILE).get(exercise.name) != exercise.points:
        my_transformer.add_entry(folder, _PASSED_FILE, exercise.name, exercise.points)


def passed_names(package: Path) -> frozenset[str]:
    """Exercises that have passed: those written down, and those kept as a module."""
    kept = {path.stem for path in package.glob("*.py") if not path.stem.startswith("_")}
    return frozenset(kept | my_transformer.read_entries(package, _PASSED_FILE).keys())


def read_progress(folder: Path) -> tuple[UnitProgress, ...]:
    """Each unit of the course whose notebooks lie in `folder`, and what of it has passed."""
    passed = passed_names(shared_folder(folder) / my_transformer.PACKAGE)
    return tuple(
        UnitProgress(
            replace(unit, title=said(unit.title, unit.unit)),
            tuple(exercise.name for exercise in unit.exercises if exercise.name in passed),
        )
        for unit in course_map(folder)
    )


def progress(language: str = ENGLISH) -> None:
    """Show what has passed so far, unit by unit, and where to go on; from here on in this language."""
    speak(language)
    try:
        folder = notebooks_folder()
    except NoCourse as error:
        print(error)
        return
    from ..judging.panel import display

    found = read_progress(folder)
    display({"text/html": as_html(found, folder), "text/plain": as_text(found)})


def where_you_are(unit: str = "") -> None:
    """Show the whole Transformer with this unit's boxes in orange, and in green those of the units that have passed.

    unit: the unit's name or number; "" on the start page
    """
    from ..library import is_grading

    if is_grading():
        return
    from ..lab.machine import whole_machine
    from ..lab.style import show

    try:
        found = read_progress(notebooks_folder()) if my_transformer.is_on() else ()
    except NoCourse:
        found = ()
    show(whole_machine(unit[:2], {one.unit.number for one in found if one.next_exercise is None}))


def advice(found: Sequence[UnitProgress]) -> tuple[UnitProgress | None, str]:
    """The unit to go on with, and a sentence about it."""
    for unit in found:
        exercise = unit.next_exercise
        if exercise is None:
            continue
        title = unit.unit.title
        what = f"next is {exercise.name} (difficulty {exercise.difficulty} of 5, about {exercise.minutes} minutes)."
        begun = any(one.passed for one in found)
        return unit, said(f"Go on with {title}: {what}" if begun else f"Begin with {title}: {what}")
    return None, said("Every check of the course has passed." if found else "The start page lists no units.")


def as_text(found: Sequence[UnitProgress]) -> str:
    """Progress for a terminal."""
    lines = []
    for one in found:
        lines.append(f"{_sign(one)} {one.unit.title}")
        names = f": {_names(one)}" if one.passed else ""
        lines.append("    " + said(f"{_count(one)} exercises") + names)
    return "\n".join([*lines, "", _total(found), advice(found)[1]])


def as_html(found: Sequence[UnitProgress], folder: Path) -> str:
    """The same as a table whose units are links, relative to the folder that the notebook runs in."""
    from ..judging.panel import STYLE

    here = Path.cwd()
    go_on, sentence = advice(found)
    rows = "".join(
        f'<tr><td style="text-align:left">{_sign(one)}</td>'
        f'<th scope="row" style="text-align:left">{_link(one.unit, one.unit.title, folder, here)}</th>'
        f'<td style="text-align:left">{_bar(one)} {_count(one)}</td><td>{_share(one.earned, one.from_checks)}</td></tr>'
        for one in found
    )
    heads = "".join(
        f'<th scope="col" style="text-align:left">{head}</th>'
        for head in ("", said("unit"), said("exercises passed"), said("points from checks"))
    )
    link = html.escape(sentence) if go_on is None else _link(go_on.unit, sentence, folder, here)
    return (
        f'{STYLE}<div class="ag ok" role="status"><p class="head">{link}</p>'
        f'<table class="wide"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
        f'<p class="quiet">{html.escape(_total(found))}</p></div>'
    )


def _sign(one: UnitProgress) -> str:
    return "✓" if one.next_exercise is None else "◐" if one.passed else "○"


def _count(one: UnitProgress) -> str:
    return _share(len(one.passed), len(one.unit.exercises))


def _share(part: float, whole: float) -> str:
    return f"{part:g}/{whole:g}"


def _names(one: UnitProgress) -> str:
    return ", ".join(
        f"{'✓' if exercise.name in one.passed else '○'} {exercise.name}" for exercise in one.unit.exercises
    )


def _total(found: Sequence[UnitProgress]) -> str:
    passed, exercises = sum(len(one.passed) for one in found), sum(len(one.unit.exercises) for one in found)
    earned, checks = sum(one.earned for one in found), sum(one.from_checks for one in found)
    points = sum(one.unit.points for one in found)
    return said(
        f"{passed} of {exercises} exercises passed, {earned:g} of {checks:g} points from checks. "
        f"The other {points - checks:g} points are decided when notebooks are graded."
    )


def _bar(one: UnitProgress) -> str:
    """A mark for each exercise; the words beside it say the same."""
    marks = "".join("▰" if exercise.name in one.passed else "▱" for exercise in one.unit.exercises)
    return f'<span aria-hidden="true">{marks}</span>'


def _link(unit: UnitEntry, words: str, folder: Path, here: Path) -> str:
    target = str(folder / unit.notebook)
    with contextlib.suppress(ValueError):  # on Windows another drive has no relative path
        target = os.path.relpath(target, here)
    return f'<a href="{html.escape(Path(target).as_posix())}">{html.escape(words)}</a>'
