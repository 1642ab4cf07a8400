"""The start page, `notebooks/start.ipynb`: the map of the course, built from the lessons' own words."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ..formats.course import START_PAGE, ExerciseEntry, UnitEntry
from ..formats.language import ENGLISH, said, speaking
from ..formats.translation import translated_cells
from .notebook import KERNEL, notebook_text
from .parse import Lesson, parse_lesson, unit_stem, units

_IN_WORDS = {
    "half an hour": 30, "an hour": 60, "one hour": 60, "an hour and a half": 90, "one and a half hours": 90, "two hours": 120,
    "two and a half hours": 150, "three hours": 180, "four hours": 240,
}  # fmt: skip
_TIME = re.compile(
    rf"Time:?\*\*:?\s+(?:about\s+)?(?:(\d+)\s+minutes|(\d+)\s+hours?|({'|'.join(sorted(_IN_WORDS, key=len, reverse=True))}))"
)

_OPTIONAL = re.compile(r"^\*Optional\b", re.MULTILINE)
"""What a unit's first cell says where later ones do not need it: "*Optional.* Nothing after this unit needs it."."""

_INTRODUCTION = """\
# Build a Transformer, check by check

Here you write the Transformer yourself, piece by piece. Each unit is a notebook: read, predict, run, and write where it says
`YOUR CODE HERE`. Every exercise has a check, and the check tells you which mistake you made.

- **Run a cell** with Shift+Enter. Try it on the grey cell below: it shows what has passed so far and where to go on.
- **Stuck?** `hint(...)` with the exercise's name gives one hint at a time. Hints cost nothing.
- **What passes is kept** in `my_transformer`, your own library. Later units use it."""

_MAP = """\
## The map

Times are for the whole unit. Points are for exercises; a second number is for a written answer. About 60 % of an exercise's
points come from its check in the notebook, the others from new cases when the notebook is graded."""


_MACHINE = """\
## What you will have built

The Transformer, with the number of the unit that builds it in each box. What has passed is green."""
NOTATION = "notation.md"
"""Beside the units' folders: the letters that all of them use."""


LANGUAGE_NAMES = {ENGLISH: "English", "zh": "中文"}
"""Languages by the names that their readers look for."""


def start_page_path(course: Path, language: str = ENGLISH) -> Path:
    return course.joinpath("notebooks", *([] if language == ENGLISH else [language]), START_PAGE)


def page_languages(course: Path) -> tuple[str, ...]:
    """The languages that the course has a start page in: English, and every other in which a unit can be read."""
    found = {path.stem for path in (course / "solutions").glob("*/*.po")}
    return (ENGLISH, *sorted(found))


def start_page(
    course: Path,
    chosen: Sequence[str] | None = None,
    language: str = ENGLISH,
    among: Sequence[str] | None = None,
) -> str:
    """The start page as text, of all units or of those that are `chosen`. Raises LessonError where a lesson cannot be read.

    among: the languages to change between; those of the course unless told
    """
    listed = units(course / "solutions") if chosen is None else chosen
    lessons = [parse_lesson(course / "solutions" / unit / f"{unit_stem(unit)}.py") for unit in listed]
    with speaking(language):
        entries = [replace(entry, title=said(entry.title, entry.unit)) for entry in map(entry_of, lessons)]
        switch = _switch(language, page_languages(course) if among is None else among)
        cells = translated_cells(_cells(course, entries), language)
        cells[0]["source"] = f"{switch}{cells[0]['source']}"
    own = {"units": [asdict(entry) for entry in entries]} | ({} if language == ENGLISH else {"language": language})
    page = new_notebook(cells=[from_dict(cell) for cell in cells], metadata={**KERNEL, "autograder": own})
    return notebook_text(page)


def _switch(language: str, among: Sequence[str]) -> str:
    """A line with a link to each language but this one; empty where there is only one."""
    if len(among) < 2:
        return ""
    here = start_page_path(Path(), language).parent

    def shown(other: str) -> str:
        if other == language:
            return f"**{LANGUAGE_NAMES.get(other, other)}**"
        address = os.path.relpath(start_page_path(Path(), other), here).replace(os.sep, "/")
        return f"[{LANGUAGE_NAMES.get(other, other)}]({address})"

    return " · ".join(map(shown, among)) + "\n\n"


def page_texts(course: Path) -> tuple[str, ...]:
    """The Markdown of the page that is the same whichever units there are."""
    notation = course / "solutions" / NOTATION
    return (
        _INTRODUCTION,
        _MAP,
        _MACHINE,
        *([notation.read_text(encoding="utf-8").strip()] if notation.is_file() else []),
    )


def _cells(course: Path, entries: Sequence[UnitEntry]) -> list[NotebookNode]:
    return [
        _text("introduction", _INTRODUCTION),
        new_code_cell("from autograder import progress\n\nprogress()", id="progress"),
        _text("map", f"{_MAP}\n\n{_table(entries)}"),
        _text("machine", _MACHINE),
        new_code_cell("from autograder import where_you_are\n\nwhere_you_are()", id="where-you-are"),
        *(
            _text("notation", path.read_text(encoding="utf-8").strip())
            for path in [course / "solutions" / NOTATION]
            if path.is_file()
        ),
    ]


def entry_of(lesson: Lesson) -> UnitEntry:
    """A lesson as the map lists it."""
    exercises = tuple(
        ExerciseEntry(exercise.name, exercise.points, exercise.visible_points, exercise.difficulty, exercise.minutes)
        for exercise in lesson.exercises
    )
    written = sum(float(cell.marks.get("points", 0)) for cell in lesson.questions if cell.part == "answer")
    optional = any(_OPTIONAL.search(cell.source) for cell in lesson.cells[:3])
    title = f"{lesson.title} (optional)" if optional else lesson.title
    return UnitEntry(lesson.unit, title, unit_minutes(lesson), written, exercises)


def unit_minutes(lesson: Lesson) -> int:
    """The whole unit's time as its first words say; else that of its exercises."""
    said = said_time(lesson)
    return sum(exercise.minutes for exercise in lesson.exercises) if said is None else said


def said_time(lesson: Lesson) -> int | None:
    """The minutes that a unit's first cells name ("**Time** about 75 minutes", "**Time:** about two hours")."""
    for cell in lesson.cells[:3]:
        if cell.kind == "markdown" and (found := _TIME.search(cell.source)):
            minutes, hours, words = found.groups()
            return int(minutes) if minutes else 60 * int(hours) if hours else _IN_WORDS[words]
    return None


def _table(entries: Sequence[UnitEntry]) -> str:
    heads = [said(head) for head in ("unit", "you write", "time", "points")]
    lines = [f"| {' | '.join(heads)} |", "|---|---|--:|--:|"]
    for entry in entries:
        names = ", ".join(f"`{exercise.name}`" for exercise in entry.exercises)
        written = f" + {entry.written_points:g}" if entry.written_points else ""
        lines.append(
            f"| [{entry.title}]({entry.notebook}) | {names} | {said(f'{entry.minutes} min')} | {entry.points:g}{written} |"
        )
    hours = round(sum(entry.minutes for entry in entries) / 60)
    points = sum(entry.points + entry.written_points for entry in entries)
    total, time = said(f"{len(entries)} units"), said(f"about {hours} h")
    lines.append(f"| **{total}** | | **{time}** | **{points:g}** |")
    return "\n".join(lines)


def _text(name: str, text: str) -> NotebookNode:
    cell: NotebookNode = new_markdown_cell(text, id=name)
    return cell
