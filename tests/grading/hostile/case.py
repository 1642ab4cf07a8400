"""What one hostile submission is: how it is made, what it must get, what its record must say."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.grading.small_course import Submission

Make = Callable[[Path, str], None]
"""Hands in for a student, given the course's root."""


@dataclass(frozen=True)
class Case:
    """`points` is exact where `at_most` is off. `says` stands somewhere in the record, or in the graded notebook."""

    student: str
    make: Make
    points: float
    says: str = ""
    at_most: bool = False


class Collection:
    """Gathers the cases of one module, in the order in which they are written."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def notebook(
        self, points: float, says: str = "", *, solved: bool = False, at_most: bool = False
    ) -> Callable[[Callable[[Submission], object]], None]:
        """Register a function that spoils a notebook, released or solved."""

        def register(spoil: Callable[[Submission], object]) -> None:
            def make(course: Path, student: str) -> None:
                submission = Submission(course, solved=solved)
                spoil(submission)
                submission.hand_in(course, student)

            self.cases.append(Case(spoil.__name__, make, points, says, at_most))

        return register

    def folder(self, points: float, says: str = "", *, at_most: bool = False) -> Callable[[Make], None]:
        """Register a function that hands in by itself."""

        def register(make: Make) -> None:
            self.cases.append(Case(make.__name__, make, points, says, at_most))

        return register

    def own_cell(
        self, student: str, points: float, source: str, says: str = "", *, solved: bool, last: bool = False
    ) -> None:
        """Register a cell of the learner's own in front of (or behind) a released or solved notebook."""

        def make(course: Path, student: str) -> None:
            submission = Submission(course, solved=solved)
            text = source.replace("COURSE", repr(str(course)))
            (submission.own_last if last else submission.own_first)(text).hand_in(course, student)

        self.cases.append(Case(student, make, points, says))

    def answer(
        self, student: str, points: float, exercise: str, source: str, says: str = "", *, solved: bool = True
    ) -> None:
        """Register one exercise's cell; the others are solved, or as released."""

        def make(course: Path, student: str) -> None:
            text = source.replace("COURSE", repr(str(course)))
            Submission(course, solved=solved).write(exercise, text).hand_in(course, student)

        self.cases.append(Case(student, make, points, says))
