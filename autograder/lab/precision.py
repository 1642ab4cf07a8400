"""Which precision is fast here: measured in a few milliseconds, never assumed.

A processor with circuits for bfloat16 may multiply it faster than float32. One without them imitates it: with AVX2 alone
a layer's step was measured to take 6 times as long, and a product of two large matrices 60 times (PyTorch 2.13). Nothing
but a measurement tells the two apart: PyTorch runs both alike, and the same processor may be found with its newer
instructions switched off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import nn

from .timing import duration, synchronise

__all__ = ["Precision", "instructions", "measured_precision"]

_RUNS = 3
_HOPELESS = 4.0
"""Who is so many times as slow in the first run after the warm-up is not asked again."""
_WORTH_IT = 0.9
"""bfloat16 has two or three digits: it is taken where it saves a tenth of the time at least."""


@dataclass(frozen=True)
class Precision:
    """What one step of a layer took, in seconds. `bfloat16` is None where the device cannot do it."""

    device: str
    threads: int
    float32: float
    bfloat16: float | None

    @property
    def takes_bfloat16(self) -> bool:
        """Whether autocast to bfloat16 makes a layer faster here."""
        return self.bfloat16 is not None and self.bfloat16 < _WORTH_IT * self.float32

    @property
    def slower(self) -> float:
        """How many times as long bfloat16 takes; infinity where it cannot be done."""
        return float("inf") if self.bfloat16 is None else self.bfloat16 / self.float32

    def told(self, asked_for: str = "") -> str:
        """One line: what was measured, and which of the two is taken: the faster one, or the one that was asked for."""
        threads = "" if self.device != "cpu" else f", {self.threads} thread{'' if self.threads == 1 else 's'}"
        other = "bfloat16 cannot be done" if self.bfloat16 is None else f"{duration(self.bfloat16)} in bfloat16"
        taken = f"so {'bfloat16' if self.takes_bfloat16 else 'float32'} is taken"
        return (
            f"{instructions(self.device)}{threads}: a step of one layer takes {duration(self.float32)} in float32, {other}; "
            f"{f'{asked_for} is taken, as asked for' if asked_for else taken}."
        )


def measured_precision(
    device: str = "cpu",
    *,
    make: Callable[[torch.dtype], Callable[[], object]] | None = None,
    clock: Callable[[], float] = perf_counter,
) -> Precision:
    """Measure one layer's step, forward and backward, in float32 and under autocast to bfloat16: the best of three.

    It takes 10 to 50 ms on a CPU. PyTorch's threads stay as they are.

    make: gives, for a precision, the step to be measured; for tests
    """
    make = make or (lambda dtype: _layer_step(device, dtype))
    float32 = _best(make(torch.float32), device, clock, float("inf"))
    try:
        bfloat16: float | None = _best(make(torch.bfloat16), device, clock, _HOPELESS * float32)
    except (RuntimeError, TypeError):  # an accelerator that has none says so
        bfloat16 = None
    return Precision(device, torch.get_num_threads(), float32, bfloat16)


def instructions(device: str = "cpu") -> str:
    """What computes, in a few words: the GPU's name, or the instruction set that PyTorch uses on this CPU."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    if device != "cpu":
        return device
    name = torch.backends.cpu.get_cpu_capability()
    return f"CPU with {'no newer instructions' if name in ('DEFAULT', 'NO AVX') else name}"


def _best(step: Callable[[], object], device: str, clock: Callable[[], float], hopeless: float) -> float:
    """Seconds of the fastest of a few runs, one warm-up before them; after a hopeless one no more are made."""
    times: list[float] = []
    for _ in range(1 + _RUNS):
        synchronise(device)
        begun = clock()
        step()
        synchronise(device)
        times.append(clock() - begun)
        if len(times) > 1 and times[-1] > hopeless:
            break
    return min(times[1:])


def _layer_step(device: str, dtype: torch.dtype) -> Callable[[], object]:
    """A linear layer as a small Transformer has them, forward and backward; on a GPU one that fills it."""
    rows, width = (1024, 128) if device == "cpu" else (4096, 1024)
    layer, x = nn.Linear(width, 2 * width).to(device), torch.randn(rows, width).to(device)
    kind = torch.device(device).type

    def step() -> None:
        layer.zero_grad(set_to_none=True)
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            y = layer(x)
        y.float().sum().backward()

    return step
