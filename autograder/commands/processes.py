"""Work on several units at a time, each in a process of its own."""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="how many units are worked on in parallel"
    )


def side_by_side(work: Callable[..., Result], arguments: Sequence[tuple[Any, ...]], workers: int) -> list[Result]:
    """`work` called with each of `arguments`, results in their order. In this process where one is enough.

    The last are begun first: later units are the larger ones.
    """
    _one_thread()
    if workers < 2 or len(arguments) < 2:
        return [work(*each) for each in arguments]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(arguments)), mp_context=context, initializer=_one_thread) as pool:
        begun = [pool.submit(work, *each) for each in reversed(arguments)]
        return [future.result() for future in reversed(begun)]


def _one_thread() -> None:
    """Arrays here are tiny: more threads cost time, and processes share the cores already."""
    import torch

    torch.set_num_threads(1)
