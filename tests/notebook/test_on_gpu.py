"""A notebook's kernel is timed in a process of its own."""

import linecache
from typing import Any

import pytest
import torch

from autograder.library.kernels import load_triton, why_no_kernels
from autograder.notebook.on_gpu import seconds_on_gpu


@pytest.mark.quick
def test_without_a_gpu_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert seconds_on_gpu({"softmax": torch.softmax}, (2, 2)) is None


@pytest.mark.skipif(bool(why_no_kernels()), reason="Triton is for Linux")
def test_a_notebooks_kernel_is_timed_in_another_process() -> None:
    triton, tl = load_triton()
    text = """
@triton.jit
def copy_kernel(x, output, n, BLOCK: tl.constexpr):
    places = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(output + places, tl.load(x + places, mask=places < n), mask=places < n)


def copied(x):
    output = torch.empty_like(x)
    copy_kernel[(triton.cdiv(x.numel(), 16),)](x, output, x.numel(), BLOCK=16)
    return output
"""
    linecache.cache["<copied>"] = (len(text), None, text.splitlines(keepends=True), "<copied>")
    space: dict[str, Any] = {"torch": torch, "triton": triton, "tl": tl, "__name__": "__main__"}
    exec(compile(text, "<copied>", "exec"), space)
    seconds = seconds_on_gpu({"mine": space["copied"]}, (3, 5), device="cpu")
    assert seconds is not None
    assert 0 < seconds["mine"] < 60
