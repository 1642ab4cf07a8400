"""What every test starts from: one thread, no window, no clock in hypothesis."""

import os
import sys
from pathlib import Path

# Before NumPy and PyTorch are imported: two workers share two cores, and one thread adds in one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# nbgrader calls `alembic` by name when it makes a gradebook; the tests need no activated environment.
os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", "")
# A notebook started by a test must not find that it is being graded, or the reverse.
for name in ("NBGRADER_VALIDATING", "NBGRADER_EXECUTION"):
    os.environ.pop(name, None)

from hypothesis import settings  # noqa: E402

# No deadline: a slow machine is no failure. In CI the examples are the same on every run.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
