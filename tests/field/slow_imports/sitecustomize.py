"""A slow machine's imports: with this folder on PYTHONPATH, the first import of chosen modules takes longer.

    AUTOGRADER_SLOW_IMPORTS="torch=18 torch.functional=6"    modules, and seconds that each waits before it is run
    AUTOGRADER_SLOW_IMPORTS_BEGUN=FILE                        a line is written there when a wait begins

Where the environment says nothing (the grader's warm process is given a bare one), the file `slow_imports.txt` beside
this module is read in its place.
"""

import importlib.abc
import importlib.machinery
import os
import sys
import time
from pathlib import Path


def chosen():
    beside = Path(__file__).with_name("slow_imports.txt")
    told = os.environ.get("AUTOGRADER_SLOW_IMPORTS") or (beside.read_text(encoding="utf-8") if beside.is_file() else "")
    return {name: float(seconds or 18) for name, _, seconds in (word.partition("=") for word in told.split())}


class SlowImports(importlib.abc.MetaPathFinder):
    """Finds nothing itself: waits, once for each chosen module, and lets the others find it."""

    def __init__(self, seconds):
        self.seconds = seconds

    def find_spec(self, name, path=None, target=None):
        seconds = self.seconds.pop(name, None)
        if seconds:
            begun = os.environ.get("AUTOGRADER_SLOW_IMPORTS_BEGUN")
            if begun:
                with Path(begun).open("a", encoding="utf-8") as file:
                    file.write(f"{name}\n")
            time.sleep(seconds)


if slow := chosen():
    sys.meta_path.insert(0, SlowImports(slow))
