"""Kernels: a picture of a launch, and how long a kernel takes where it is compiled for a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from autograder import library
from autograder.lab.fonts import Labels
from autograder.lab.style import INK, QUIET, finish, house_style, panels
from autograder.notebook.my_transformer import CannotKeep, module_source

_PROGRAMS = ("#0072B2", "#E69F00", "#009E73", "#AA4499", "#56B4E9", "#D55E00")
_PATIENCE = 300
_TIMER = """
import json, sys
import torch
sys.path.insert(0, sys.argv[1])
import launched
from autograder.lab.timing import measure
x = torch.randn(*json.loads(sys.argv[2]), device=sys.argv[3])
print(json.dumps({name: measure(function, x, device=sys.argv[3]).median for name, function in launched.FUNCTIONS.items()}))
"""


def kernel_grid(rows: int, length: int, block: int) -> Figure:
    """Which places of an array the programs of a launch hold: one program a row, a block that is longer than the row.

    rows, length: the array's; block: numbers in a program's block. Hatched places are masked.
    """
    labels = Labels()
    figure, axes = panels(width=6.4, height=0.55 * rows + 1.5)
    ax = axes[0, 0]
    with house_style():
        for row in range(rows):
            colour = _PROGRAMS[row % len(_PROGRAMS)]
            for column in range(block):
                inside = column < length
                ax.add_patch(
                    Rectangle(
                        (column + 0.06, row + 0.12),
                        0.88,
                        0.76,
                        facecolor=colour if inside else "none",
                        edgecolor=colour,
                        hatch=None if inside else "////",
                    )
                )
                place = row * length + column
                text = str(place) if inside else "masked"
                ax.text(
                    column + 0.5,
                    row + 0.5,
                    text,
                    ha="center",
                    va="center",
                    fontsize=10 if inside else 8,
                    color="#ffffff" if inside and colour not in ("#E69F00", "#56B4E9") else INK,
                    bbox=None if inside else {"facecolor": "#ffffff", "edgecolor": "none", "pad": 1.5},
                )
            ax.text(-0.15, row + 0.5, labels.label(f"program {row}"), ha="right", va="center", fontsize=10, color=INK)
        ax.plot([length, length], [0, rows], color=QUIET, lw=1.5, ls="--")
        ax.set(xlim=(-1.9, block), ylim=(rows, 0), yticks=[], xticks=[c + 0.5 for c in range(block)])
        ax.set_xticklabels([str(c) for c in range(block)])
        ax.set_xlabel(labels.label("number in the block, tl.arange"))
        ax.grid(False)
        for side in ("left", "right", "top", "bottom"):
            ax.spines[side].set_visible(False)
        words = (
            f"A launch of {rows} programs, one a row. Each has a block of {block} places; the row's {length} numbers lie in the "
            f"first {length}, at addresses that follow each other from row to row, and the last {block - length} are masked."
        )
        return finish(figure, words, labels)


def seconds_on_gpu(
    functions: dict[str, Callable[[Tensor], object]], shape: tuple[int, ...], device: str = "cuda"
) -> dict[str, float] | None:
    """Seconds that each function takes on a tensor of this shape, its kernels compiled; None where there is no GPU.

    In a notebook kernels are interpreted, and one process cannot do both. So the functions' sources, and what they need,
    are run in a process of their own. Functions from a library go by their import.
    """
    if device == "cuda" and not torch.cuda.is_available():
        return None
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    if device == "cpu":
        environment["TRITON_INTERPRET"] = "1"
    root = str(Path(library.__file__).resolve().parents[2])
    environment["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [environment.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory() as folder:
        pieces, entries = [], []
        for number, (name, function) in enumerate(functions.items()):
            try:
                text = module_source(function, function.__name__, frozenset())
            except CannotKeep as error:
                print(f"{name}: not measured, since {error}.")
                continue
            (Path(folder) / f"part_{number}.py").write_text(text, encoding="utf-8")
            pieces.append(f"from part_{number} import {function.__name__} as function_{number}")
            entries.append(f"{name!r}: function_{number}")
        text = "\n".join([*pieces, f"FUNCTIONS = {{{', '.join(entries)}}}"])
        (Path(folder) / "launched.py").write_text(text, encoding="utf-8")
        command = [sys.executable, "-c", _TIMER, folder, json.dumps(shape), device]
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=True
            )
            found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
            return found
        except subprocess.CalledProcessError as error:
            said = (error.stderr or "").strip().splitlines()
            print(f"Not measured: the process that compiles kernels ended with: {said[-1] if said else 'no word'}")
        except (subprocess.TimeoutExpired, OSError, ValueError, IndexError) as error:
            print(f"Not measured: {type(error).__name__} in the process that compiles kernels.")
    return None
