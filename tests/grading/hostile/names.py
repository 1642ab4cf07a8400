"""Learners' names that a spreadsheet, a browser, a shell or a file system could stumble over."""

from pathlib import Path

from tests.grading.hostile.case import Case
from tests.grading.small_course import Submission

STUDENTS = (
    "=cmd|'calc'!A0",
    "+1+1",
    "@SUM(A1)",
    "<script>alert(1)<\\script>",
    "<img src=x onerror=alert(1)>",
    "a'); DROP TABLE student;--",
    "$(touch hacked) `touch hacked`",
    "-rf *",
    "two\nlines",
    "up\\..\\..",
    "{0} %s %d {student}",
    "seeds.json",
    "李雷 и Ñandú 💣",
    'comma, "quote"',
    "n" * 250,
    "語" * 80,
)


def _make(course: Path, student: str) -> None:
    Submission(course, solved=True).hand_in(course, student)


NAMES = tuple(Case(student, _make, 20) for student in STUDENTS)
