"""What a notebook of the course imports: checks that name the mistake, hints, and parts of earlier units."""

from .checks.notebook import begin, check, hint
from .checks.parts import use_part
from .checks.preflight import preflight
from .checks.probes import *  # noqa: F403  (the probes' names are the vocabulary of check cells)
from .checks.probes import __all__ as _probes
from .checks.progress import progress

__all__ = ["begin", "check", "hint", "preflight", "progress", "use_part", *_probes]
