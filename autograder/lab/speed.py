"""What a machine can do, and what a model asks of it: matrix peak, memory bandwidth, peak memory, what is kept to go back, FLOPs."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autograder.lab.timing import measure

__all__ = ["kept_for_backward", "matmul_peak", "memory_bandwidth", "peak_memory", "transformer_flops"]

os.environ.setdefault(
    "KINETO_LOG_LEVEL", "99"
)  # PyTorch's profiler writes two lines about itself below each cell that uses it

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def matmul_peak(
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    sizes: Sequence[int] | None = None,
    repeat: int = 3,
    patience: float = 0.2,
) -> float:
    """The most floating-point operations a second that a square matrix product reaches here, over a few sizes.

    patience: a product that will take more seconds is not tried. A processor that has no circuits for a type imitates
              it, 50 times as slowly: there the sizes are small, and the answer comes as soon.
    """
    sizes = sizes or ((1024, 4096, 8192) if device == "cuda" else (128, 256, 512, 1024))
    best = 0.0
    for size in sorted(sizes):
        if best and 2 * size**3 / best > patience:
            break
        a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        seconds = measure(torch.mm, a, b, repeat=repeat, device=device).low
        best = max(best, 2 * size**3 / seconds)
    return best


def memory_bandwidth(num_bytes: int = 1 << 28, device: str = "cpu", repeat: int = 5) -> float:
    """Bytes a second while an array is copied: `num_bytes` is what the two arrays take together; reads and writes count."""
    source = torch.ones(max(1, num_bytes // 8), device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() * 4 / measure(target.copy_, source, repeat=repeat, device=device).low


def peak_memory(function: Callable[[], object], device: str = "cpu") -> float | None:
    """The most bytes that were in use at once while `function()` ran, beyond those in use before; None where unknown.

    On CUDA PyTorch's allocator tells. On a CPU the Linux kernel does (VmHWM, set back beforehand). The trap: memory
    that was freed but not given back would hide what is used anew; so it is given back first.
    """
    gc.collect()
    if device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        function()
        torch.cuda.synchronize()
        return float(torch.cuda.max_memory_allocated() - before)
    if device != "cpu":
        return None
    try:
        ctypes.CDLL(None).malloc_trim(0)
        _CLEAR.write_text("5", encoding="ascii")  # sets VmHWM back to what is in use now
        before = _status("VmRSS")
        function()
        return float(max(0, _status("VmHWM") - before))
    except (OSError, AttributeError, KeyError):
        return None


def _status(name: str) -> int:
    for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise KeyError(name)


def kept_for_backward(function: Callable[[], object], weights: Iterable[Tensor] = ()) -> int:
    """Bytes that autograd keeps for the way back while `function()` runs: each memory once, the weights' own left out."""
    own = {weight.untyped_storage().data_ptr() for weight in weights}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage  # held, so that no other memory gets the same address
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        function()
    return sum(storage.nbytes() for storage in kept.values())


def transformer_flops(model: nn.Module, source_lengths: Sequence[int], target_lengths: Sequence[int]) -> float:
    """Floating-point operations of one forward pass of the course's Transformer, for real tokens only.

    Matrix products alone, a multiply–add counts 2; attention to padding and to the future does not count. A training
    step takes three times as many: one forward, two backward.
    """
    parts: Any = model
    source, target = sum(source_lengths), sum(target_lengths)
    total = 2.0 * target * parts.output.weight.numel()
    for block in parts.encoder.blocks:
        total += 2.0 * source * _matrices(block)
        total += sum(4.0 * n * n for n in source_lengths) * _width(block)
    for block in parts.decoder.blocks:
        crossing = block.cross_attention
        of_source = crossing.k_proj.weight.numel() + crossing.v_proj.weight.numel()
        total += 2.0 * target * (_matrices(block) - of_source) + 2.0 * source * of_source
        total += sum(2.0 * n * (n + 1) for n in target_lengths) * _width(block)
        total += sum(4.0 * n * m for n, m in zip(target_lengths, source_lengths, strict=True)) * _width(block)
    return float(total)


def _matrices(block: Any) -> int:
    return sum(weight.numel() for weight in block.parameters() if weight.ndim == 2)


def _width(block: Any) -> int:
    return int(block.self_attention.q_proj.out_features)
