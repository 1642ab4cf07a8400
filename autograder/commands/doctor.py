"""`python -m autograder doctor`: what holds on this machine."""

from __future__ import annotations

import argparse
from typing import Any


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser("doctor", help="say what grading can rely on here")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from ..grading.doctor import render, report

    lines = report()
    print(render(lines))
    return 1 if any(line.state == "missing" for line in lines) else 0
