"""What a notebook of the course imports: checks that name the mistake, hints, and parts of earlier units."""

from .judging.probes import *  # noqa: F403  (the probes' names are the vocabulary of check cells)
from .judging.probes import __all__ as _probes
from .notebook.checking import begin, check, hint
from .notebook.parts import use_part
from .notebook.preflight import preflight
from .notebook.progress import progress

__all__ = ["begin", "check", "hint", "preflight", "progress", "use_part", *_probes]
