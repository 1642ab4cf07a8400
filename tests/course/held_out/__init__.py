"""Implementations that no check was made from: does it tell right from wrong, and does it name the mistake?

Each file `answers/UNIT.txt` holds pieces below headers:

    # %% before
    import numpy as np                                   what each piece of the file may use

    # %% softmax wrong [axis-0] · normalises over the first axis
    def softmax(x, axis=-1): ...                         no points; [diagnosis] is the name it gets, where it gets one

    # %% softmax right · through logsumexp
    def softmax(x, axis=-1): ...                         all points

A piece is a whole answer to one exercise, as a learner would hand it in. None may be a known mistake's or a right
alternative's text in the lesson: what is measured here is how the checks do with what they have not seen.

    python -m tests.course.held_out [UNIT...]            the table, and what is judged wrongly
"""

from .judging import judge_unit
from .pieces import Piece, read_pieces, units_with_pieces

__all__ = ["Piece", "judge_unit", "read_pieces", "units_with_pieces"]
