"""`python -m autograder progress`: what has passed so far, and where to go on."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--notebooks",
        type=Path,
        metavar="DIR",
        help="the folder with start.ipynb (default: this one, or the nearest above it)",
    )


def run(options: argparse.Namespace) -> int:
    from ..formats.course import notebooks_folder
    from ..notebook.progress import as_text, read_progress

    print(as_text(read_progress(notebooks_folder(options.notebooks))))
    return 0
