"""A launch as a picture, a kernel timed in a process of its own, and two processes that train as one."""

import linecache
from typing import Any

import pytest
import torch

from autograder.lab import data_parallel
from autograder.lab.kernels import kernel_grid, seconds_on_gpu
from autograder.lab.speed import kept_for_backward
from autograder.lab.style import alt_text
from autograder.library.kernels import load_triton, why_no_kernels


@pytest.mark.quick
def test_the_picture_names_every_address_once() -> None:
    figure = kernel_grid(rows=3, length=5, block=8)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert [text for text in texts if text.isdigit()] == [str(place) for place in range(15)]
    assert texts.count("masked") == 9
    assert "3 programs" in alt_text(figure)


@pytest.mark.quick
def test_what_is_kept_for_the_way_back_is_counted_once_and_without_weights() -> None:
    layer, x = torch.nn.Linear(4, 8, bias=False), torch.ones(2, 4)
    assert kept_for_backward(lambda: layer(x), layer.parameters()) == 2 * 4 * 4
    a = torch.ones(10, requires_grad=True)
    assert kept_for_backward(lambda: a.exp() * a.detach()) == 2 * 10 * 4  # exp's result, and a: once


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


def test_two_processes_have_the_losses_of_one() -> None:
    two = data_parallel.losses_by_torchrun(2)
    one = data_parallel.train(0, 1, lambda tensor: None)
    assert two is not None
    assert two == pytest.approx(one, abs=1e-4)


@pytest.mark.quick
def test_where_torchrun_cannot_start_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*command: object, **options: object) -> None:
        raise OSError("no process")

    monkeypatch.setattr(data_parallel.subprocess, "run", refuse)
    assert data_parallel.losses_by_torchrun(2) is None
    assert capsys.readouterr().out == "torchrun did not run here: OSError.\n"
