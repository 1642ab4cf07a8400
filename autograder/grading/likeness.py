"""Pairs of submissions that are alike beyond what the exercises force: for a person to look at, never for points.

Fingerprints are copydetect's (winnowing: Schleimer, Wilkerson and Aiken, 2003), over the code with its names taken away: another name
for a variable hides nothing. What the course itself wrote (starters, solutions, right alternatives) does not count, nor does what
many have written.
"""

from __future__ import annotations

import io
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from copydetect import CodeFingerprint, compare_files

from ..authoring.parse import Lesson, parse_lesson, unit_stem
from ..formats.language import languages
from ..formats.notebook_file import Unreadable, read_notebook
from ..formats.rebuild import grade_id_of
from ..formats.translation import translated_cells
from .files import find_submissions
from .pages import render
from .submission import find_notebook

_LENGTH = 30
"""Letters of nameless code that count as one place: about one line."""
_BETWEEN = "\n" + "?" * _LENGTH + "\n"
"""Around each cell, so that no place counts that begins in one and ends in another; Python has no such sign."""
_MANY = 0.1
_FEW = 4
"""What more than a tenth of the class has written, and more than four, is a common answer."""
_TELLING = 3 * _LENGTH
"""So many letters alike, over all exercises together, are worth a look."""
_MOST = 200


@dataclass(frozen=True)
class Pair:
    """Two submissions that are alike: how many letters of nameless code, what share of each one's own, and where."""

    students: tuple[str, str]
    letters: int
    shares: tuple[float, float]
    texts: tuple[tuple[tuple[str, bool], ...], tuple[tuple[str, bool], ...]]
    """Each one's code in pieces, and whether a piece is alike."""


@dataclass(frozen=True)
class Compared:
    pairs: tuple[Pair, ...]
    """The most alike first."""
    students: int
    unreadable: tuple[str, ...]


def compare_class(course: Path, unit: str) -> Compared:
    """Compare each submission of a unit with each other one. Raises LessonError, OSError."""
    lesson = parse_lesson(course / "solutions" / unit / f"{unit_stem(unit)}.py")
    released = read_notebook(course / "notebooks" / unit / f"{unit_stem(unit)}.ipynb")
    ids = frozenset(grade_id_of(cell) for cell in released) - {""}
    given = {str(cell["source"]).strip() for cell in released}
    codes: dict[str, str] = {}
    unreadable = []
    for submission in find_submissions(course, [unit], []):
        try:
            _, cells, _ = find_notebook(submission.folder, unit_stem(unit), ids)
        except Unreadable:
            unreadable.append(submission.student)
            continue
        own = (str(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        codes[submission.student] = _BETWEEN.join(source for source in own if source.strip() not in given)
    forced = [*_of_the_course(lesson), *(str(cell["source"]) for cell in released if cell["cell_type"] == "code")]
    return Compared(tuple(alike(codes, forced)), len(codes), tuple(unreadable))


def alike(codes: Mapping[str, str], forced: Iterable[str] = ()) -> list[Pair]:
    """The pairs that are alike, the most first.

    codes:  each student's code
    forced: code that everybody was given, or that any right answer looks like
    """
    known = {print_ for text in forced for print_ in _fingerprint(text, ()).hashes}
    counts = Counter(print_ for code in codes.values() for print_ in _fingerprint(code, ()).hashes)
    many = max(_FEW, _MANY * len(codes))
    ignored = tuple(known | {print_ for print_, count in counts.items() if count > many})
    prints = {student: _fingerprint(code, ignored) for student, code in codes.items()}
    holders: dict[int, list[str]] = defaultdict(list)
    for student in sorted(prints):
        for print_ in prints[student].hashes:
            holders[print_].append(student)
    candidates = {pair for students in holders.values() for pair in itertools.combinations(students, 2)}
    found = (_pair(one, other, prints[one], prints[other]) for one, other in candidates)
    telling = [pair for pair in found if pair.letters >= _TELLING]
    return sorted(telling, key=lambda pair: (-pair.letters, -min(pair.shares), pair.students))


def likeness_page(unit: str, compared: Compared) -> str:
    """The pairs as a page, side by side."""
    return render("likeness.html", unit=unit, compared=compared, shown=compared.pairs[:_MOST])


def _of_the_course(lesson: Lesson) -> list[str]:
    """All code that the lesson and its checks hold: its setup, its experiments, the references, right and wrong variants."""
    cells = [{"cell_type": "code", "source": cell.source} for cell in lesson.cells if cell.kind == "code"]
    return [cell["source"] for language in languages() for cell in translated_cells(cells, language, lesson.unit)]


def _fingerprint(code: str, ignored: tuple[int, ...]) -> CodeFingerprint:
    return CodeFingerprint(
        "code.py", _LENGTH, 1, boilerplate=list(ignored), language="python", fp=io.StringIO(_BETWEEN + code + _BETWEEN)
    )


def _pair(one: str, other: str, first: CodeFingerprint, second: CodeFingerprint) -> Pair:
    letters, shares, places = compare_files(first, second)
    texts = (_pieces(first.raw_code, places[0]), _pieces(second.raw_code, places[1]))
    return Pair((one, other), int(letters), (float(min(shares[0], 1)), float(min(shares[1], 1))), texts)


def _pieces(code: str, places: object) -> tuple[tuple[str, bool], ...]:
    """The code cut where what is alike begins and ends."""
    starts, ends = ([int(place) for place in row] for row in places) if len(places) else ([], [])  # type: ignore[attr-defined, arg-type]
    cuts = sorted({0, len(code), *starts, *ends})
    return tuple(
        (code[left:right].replace("?", ""), any(start <= left < end for start, end in zip(starts, ends, strict=True)))
        for left, right in itertools.pairwise(cuts)
    )
