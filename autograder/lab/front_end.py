"""Whether somebody looks at this notebook now: a page that asked for the cell, or a program that runs it."""

from __future__ import annotations

import os
import sys

STILL = "AUTOGRADER_STILL"
"""Set to 1 in the environment for what a program that runs notebooks gets: still figures, plain pictures."""
_PROGRAMS = (STILL, "AUTOGRADER_KEEP_NOTHING", "NBGRADER_EXECUTION", "NBGRADER_VALIDATING")


def is_live() -> bool:
    """Front ends (JupyterLab, Notebook, VS Code) send along which cell it is that they want run; programs do not."""
    if any(os.environ.get(name, "0") not in ("", "0") for name in _PROGRAMS):
        return False
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return False
    if "google.colab" in sys.modules:
        return True
    return bool({"cellId", "deletedCells"} & set(kernel.get_parent().get("metadata", {})))
