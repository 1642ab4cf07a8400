"""`python -m autograder doctor`: what holds on this machine."""

from __future__ import annotations

import argparse


def add(parser: argparse.ArgumentParser) -> None:
    """It takes no arguments."""


def run(options: argparse.Namespace) -> int:
    from ..grading.doctor import render, report

    lines = report()
    print(render(lines))
    return 1 if any(line.state == "missing" for line in lines) else 0
