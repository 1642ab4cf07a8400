"""The names that a notebook of the course uses, each from where it is defined."""

from .judging import probes
from .judging.probes import *  # noqa: F403  (the probes' names are the vocabulary of check cells)
from .notebook.checking import begin, check, hint
from .notebook.guesses import outcome, predict
from .notebook.parts import use_part
from .notebook.preflight import preflight
from .notebook.progress import progress, where_you_are

__all__ = ["begin", "check", "hint", "outcome", "predict", "preflight", "progress", "use_part", "where_you_are"]
__all__ += probes.__all__
