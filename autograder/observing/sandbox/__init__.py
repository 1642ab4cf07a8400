"""The Linux sandbox that a submission runs in.

    isolation = require()                            # refuses in one sentence where the walls cannot be built
    ...
    pid = os.fork()                                  # in the warm process, see the rules below
    if pid == 0:
        os.dup2(output, 1); os.dup2(output, 2)
        confine(workdir, readable, limits, keep=(1, 2, answers), parent=warm, namespaces=isolation.namespaces)
        run_the_submission()
        os._exit(0)
    ...                                              # read both pipes, no more than limits.output bytes
    terminate(pid)                                   # or waitpid, where it ended by itself

`spawn` and `collect` are that same sequence for one pipe.

Rules for the warm process
1. It never runs a parallel region. A child hangs for ever in its first parallel operation when the parent
   ever ran one with more than one thread (measured with PyTorch 2.13 and libgomp: one large matmul or one
   elementwise operation on a large tensor is enough). `torch.set_num_threads(1)` before the first operation
   prevents it; the same call *after* a parallel operation does not help. The child may raise the number
   again: its pool is its own.
2. It forks from its main thread, and that thread lives as long as the children: the kernel's "death with the
   parent" means the thread that forked.
3. It is started with a clean environment and holds nothing secret: a child inherits all of its memory.
   `confine` overwrites the environment block, but not what was copied into Python objects. Expected values,
   hidden cases, variants and the gradebook's address stay in other processes.
4. It has already imported what must not be looked for in the sandbox, and `readable` names what lessons still
   import lazily, the `autograder` package for one. Never give it the course folder.
5. It keeps no log file or socket open that it minds losing in the child: `confine` closes every descriptor
   but `keep`.
6. It never opens a file that a submission left behind. With namespaces there is none: the working folder is
   private and dies with the submission, so answers come back through a pipe.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from autograder.observing.sandbox.isolation import RISK, Fact, Isolation, IsolationRefused, available, require
from autograder.observing.sandbox.kernel import SandboxError
from autograder.observing.sandbox.limits import MEBIBYTE, Limits, explain_status

if TYPE_CHECKING or sys.platform == "linux":
    from autograder.observing.sandbox.confinement import confine
    from autograder.observing.sandbox.process import Child, Outcome, collect, spawn, terminate
else:

    def _unavailable(*given: object, **named: object) -> Any:
        raise SandboxError(available().missing[0])

    def __getattr__(name: str) -> Any:
        """Elsewhere every name imports, and only calling it says why there is no sandbox."""
        if name in __all__:
            return _unavailable
        raise AttributeError(name)


__all__ = [
    "MEBIBYTE",
    "RISK",
    "Child",
    "Fact",
    "Isolation",
    "IsolationRefused",
    "Limits",
    "Outcome",
    "SandboxError",
    "available",
    "collect",
    "confine",
    "explain_status",
    "require",
    "spawn",
    "terminate",
]
