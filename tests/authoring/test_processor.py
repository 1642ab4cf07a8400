"""A process without the newer instructions computes without them, and finds the course as it was built."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.__main__ import main
from autograder.authoring.processor import with_instructions

COURSE = Path(__file__).resolve().parents[2]
LOOK = """
import torch
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
print(torch.backends.cpu.get_cpu_capability(), [name for name in __cpu_dispatch__ if __cpu_features__[name]])
"""


def test_pytorch_and_numpy_do_without_what_was_switched_off() -> None:
    """That kernels do without AVX-512, `tests/course/test_notebooks.py` shows."""
    environment = os.environ | with_instructions("none")
    done = subprocess.run([sys.executable, "-W", "error", "-c", LOOK], env=environment, capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.strip() == "DEFAULT []"


def test_a_unit_is_as_it_was_built_also_without_newer_instructions(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--check", "--instructions", "none", "--course", str(COURSE), "00"]) == 0
    assert "00_start_here: up to date" in capfd.readouterr().out


def test_nothing_is_built_without_newer_instructions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--instructions", "avx2", "--course", str(COURSE), "03"]) == 2
    assert "--instructions goes with --check" in capsys.readouterr().err
