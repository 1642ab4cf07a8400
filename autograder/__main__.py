"""The command line: `python -m autograder COMMAND`."""

from __future__ import annotations

import os
import sys

# Python looks for modules first in the folder that a command is run in, where a learner's `random.py` or `copy.py` would
# stand in for Python's own. That folder is needed only where this package itself lies there.
if sys.path[:1] == [os.getcwd()] and not os.path.isdir("autograder"):  # noqa: PTH109, PTH112  pathlib imports too much
    del sys.path[0]

# Here a kernel is judged, on a CPU; once PyTorch has imported Triton it is too late to ask for its interpreter.
os.environ.setdefault("TRITON_INTERPRET", "1")

import argparse
import importlib
from collections.abc import Sequence

from .commands.arguments import find_course

COMMANDS = {
    "progress": "show what has passed so far, and where to go on",
    "check": "check a notebook or a Python file",
    "preflight": "look at a notebook before it is handed in, and repair it",
    "collect": "put a platform's download into submitted/, and say who is missing",
    "grade": "grade what was handed in, outside the learners' processes",
    "doctor": "say what grading can rely on here",
    "build": "build notebooks and cases from the lessons",
    "verify": "check the checks: wrong ones fail by name, right ones pass",
    "new-unit": "begin a unit: write its two files, with an exercise that works",
    "feedback": "write the feedback pages as a zip for Canvas or Moodle",
    "likeness": "show which submissions are alike beyond what the exercises force",
    "gradescope": "write an autograder for Gradescope that grades there by the same code",
    "sample-class": "write a made-up class to try the grader on",
    "translate": "bring the texts in another language up to date, and say what is missing",
    "book": "write the lessons as a static site to read",
    "release": "write a zip for learners, without solutions",
    "real-data": "train on a local file of English-Chinese pairs, and report BLEU",
    "gpu-report": "measure what this machine's GPU does with the course, and write it down",
}
"""Each command, and the line that `--help` says of it. Its module adds its arguments and runs it."""


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="python -m autograder", description="Build, check and grade the course.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    parsers = {name: subparsers.add_parser(name, help=told) for name, told in COMMANDS.items()}
    # The command that was asked for is imported alone, and its `run` imports what it needs: `--help` waits for nothing.
    asked = next((word for word in words if not word.startswith("-")), "")
    if asked in COMMANDS:
        command = importlib.import_module(f"{__package__}.commands.{asked.replace('-', '_')}")
        command.add(parsers[asked])
        parsers[asked].set_defaults(run=command.run)
    options = parser.parse_args(words)
    try:
        if hasattr(options, "course"):
            options.course = find_course(options.course)
        return int(options.run(options))
    except ModuleNotFoundError as error:
        if (error.name or __package__).split(".")[0] == __package__:
            raise
        print(
            f"{error.name} is not installed in the Python that runs this ({sys.executable}). Activate the course's "
            "environment (source .venv/bin/activate), or run: python -m pip install -r requirements.txt",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:  # whoever read the output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        # What this package itself raises is a line for a person, `UsageError` and all others; the rest is a fault of ours.
        if not type(error).__module__.startswith(f"{__package__}."):
            raise
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
