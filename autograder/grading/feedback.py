"""A learner's feedback page: one self-contained HTML file with the sentences, pictures and points of one notebook."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..formats.language import ENGLISH, speaking
from ..formats.notebook_file import part_of
from ..formats.rebuild import Cell
from .pages import render
from .record import ByHand, Record, Row

_LANGUAGE = re.compile(r'<html lang="([a-z_]+)">')
_FROM_A_PERSON = re.compile(r"<!--from a person-->.*?<!--/from a person-->", re.DOTALL)


def feedback_page(title: str, record: Record, cells: Sequence[Cell]) -> str:
    """The page as text. It runs nothing; hidden cases show as sentences only, the course's own text is not repeated.

    cells: of the graded notebook, safe to show
    """
    parts = [(part_of(cell), cell) for cell in cells]
    sentences = [record.reason, *(repair.sentence for repair in record.repairs)]
    return render(
        "feedback.html",
        title=f"{title} — {record.student}",
        record=record,
        parts=parts,
        earned=f"From the checks: {record.score:g} of {record.max_score:g} points.",
        written=any(part == "answer" for part, _ in parts),
        sentences=[sentence for sentence in sentences if sentence],
    )


def with_words_of_a_person(page: str, given: Sequence[ByHand], row: Row) -> str:
    """The page with what formgrader holds by now: points and comments given by hand, a late penalty, the sum.

    row: the submission's line of the gradebook
    """
    spoken = _LANGUAGE.search(page)
    with speaking(spoken[1] if spoken else ENGLISH):
        text = render(
            "from_a_person.html",
            given=given,
            row=row,
            total=f"Total: {row.score:g} of {row.max_score:g} points.",
            late=f"Handed in late: {row.late_penalty:g} points deducted.",
        )
    section = f"<!--from a person-->{text}<!--/from a person-->"
    return _FROM_A_PERSON.sub(lambda found: section, page, count=1)
