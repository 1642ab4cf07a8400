"""The names that a notebook of the course uses, each from where it is defined."""

from .checks import probes
from .checks.notebook import begin, check, hint
from .checks.parts import use_part
from .checks.preflight import preflight
from .checks.probes import *  # noqa: F403  (the probes' names are the vocabulary of check cells)
from .checks.progress import progress

__all__ = ["begin", "check", "hint", "preflight", "progress", "use_part"]
__all__ += probes.__all__
