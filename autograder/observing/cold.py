"""One submission in a process of its own, for systems on which none can be forked from a warm one.

Run as `python -m autograder.observing.cold`: a request on standard input, frames on standard output. It has the rights
of whoever grades, and costs a start of Python and PyTorch for each submission.
"""

from __future__ import annotations

import os
import sys

from .warm import serve_request, warm_up


def main() -> None:
    answers = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    data = sys.stdin.buffer.read()
    os.dup2(null, 0)
    serve_request(warm_up(), data, answers)
    os._exit(0)  # a learner's threads and exit hooks have no say any more


if __name__ == "__main__":
    main()
