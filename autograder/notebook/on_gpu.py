"""How long a notebook's kernels take where they are compiled for a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..formats.language import said
from .my_transformer import CannotKeep, module_source

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


def seconds_on_gpu(
    functions: dict[str, Callable[[Any], object]], shape: tuple[int, ...], device: str = "cuda"
) -> dict[str, float] | None:
    """Seconds that each function takes on a tensor of this shape, its kernels compiled; None where there is no GPU.

    In a notebook kernels are interpreted, and one process cannot do both. So the functions' sources, and what they need,
    are run in a process of their own. Functions from a library go by their import.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        return None
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    if device == "cpu":
        environment["TRITON_INTERPRET"] = "1"
    root = str(Path(__file__).resolve().parents[2])
    environment["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [environment.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory() as folder:
        pieces, entries = [], []
        for number, (name, function) in enumerate(functions.items()):
            try:
                text = module_source(function, function.__name__, frozenset())
            except CannotKeep as error:
                print(said(f"{name}: not measured, since {error}."))
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
            lines = (error.stderr or "").strip().splitlines()
            print(
                said(f"Not measured: the process that compiles kernels ended with: {lines[-1] if lines else 'no word'}")
            )
        except (subprocess.TimeoutExpired, OSError, ValueError, IndexError) as error:
            print(said(f"Not measured: {type(error).__name__} in the process that compiles kernels."))
    return None
