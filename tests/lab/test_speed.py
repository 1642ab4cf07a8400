"""Peak memory and FLOPs against what can be counted by hand or by PyTorch's own counter."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from autograder.lab.speed import matmul_peak, memory_bandwidth, peak_memory, transformer_flops
from autograder.library.unit_09_decoder import Transformer


@pytest.mark.skipif(sys.platform != "linux", reason="the Linux kernel tells")
def test_peak_memory_sees_what_a_function_holds_for_a_moment() -> None:
    def briefly() -> float:
        return float((torch.ones(25_000_000) + 1)[0])  # 100 MB, and 100 MB more for the sum

    taken = peak_memory(briefly)
    assert taken is not None
    assert 190e6 < taken < 215e6


@pytest.mark.skipif(sys.platform != "linux", reason="the Linux kernel tells")
def test_peak_memory_forgets_what_was_held_before() -> None:
    held = torch.ones(25_000_000)
    del held
    taken = peak_memory(lambda: torch.ones(10).sum())
    assert taken is not None
    assert taken < 20e6


def test_a_machine_multiplies_and_copies_at_some_speed() -> None:
    assert matmul_peak(sizes=(64,), repeat=1) > 1e6
    assert memory_bandwidth(1 << 20, repeat=1) > 1e6


def test_flops_of_full_sentences_are_those_that_pytorch_counts_but_for_the_future() -> None:
    model = Transformer(11, 13, d_model=16, num_heads=2, num_layers=2, d_ff=32, max_len=20).eval()
    batch, n, m = 3, 7, 5
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.full((batch, n), 4), torch.full((batch, m), 5))
    unseen = 2 * batch * 2 * (2 * m * m - m * (m + 1)) * 16  # layers × sentences × two products over the future
    assert transformer_flops(model, [n] * batch, [m] * batch) == counter.get_total_flops() - unseen


def test_flops_do_not_count_padding() -> None:
    model = Transformer(11, 13, d_model=16, num_heads=2, num_layers=1, d_ff=32, max_len=20)
    both = transformer_flops(model, [7, 3], [5, 2])
    assert both == transformer_flops(model, [7], [5]) + transformer_flops(model, [3], [2])


def test_a_type_that_is_slow_here_is_measured_on_small_products(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def imitated(function: object, a: torch.Tensor, b: torch.Tensor, **unused: object) -> SimpleNamespace:
        tried.append(len(a))
        return SimpleNamespace(low=2 * len(a) ** 3 / 2e9)  # two thousand million operations a second

    monkeypatch.setattr("autograder.lab.speed.measure", imitated)
    assert matmul_peak(dtype=torch.bfloat16) == pytest.approx(2e9)
    assert tried == [128, 256, 512]
    tried.clear()
    matmul_peak(sizes=(1024,))
    assert tried == [1024], "one size is always measured"
