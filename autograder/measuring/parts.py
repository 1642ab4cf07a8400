"""The parts of the report. Each measures one thing on one device and returns rows; each runs in a process of its own.

A part is given its time. It measures the most telling first and stops where the next would not fit. What the device
cannot hold (out of memory) or do is a note in the place of a figure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..authoring.parse import parse_lesson, unit_stem
from ..authoring.workbench import Workpiece, open_workbench
from ..formats.cases import CASES_FILE, ExerciseCases, load_cases
from ..formats.values import Fixture
from ..judging.compare import same_observation
from ..lab.corpus import sample
from ..lab.real_data import one_for_each_source, read_pairs, split_without_leaks
from ..lab.real_scores import bleu, chrf
from ..lab.real_training import train_translator
from ..lab.real_translator import Recipe, translate
from ..lab.speed import matmul_peak, peak_memory, transformer_flops
from ..lab.timing import measure
from ..lab.training import RECIPE, batches, course_vocabularies, exact_match, new_model, new_optimizer
from ..library import part, units
from ..library.devices import true_device
from ..observing.observe import sighting_of
from .model import VOCAB, NoSuchPart, TorchTransformer, compiled_flash_attention, finished, padded_batch, stepper

Row = dict[str, Any]


@dataclass
class Asked:
    """What a part is asked: where, for how long, and on what data."""

    course: Path
    device: str
    seconds: float
    data: Path | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        return self.seconds - (time.monotonic() - self.began)

    @property
    def on_cuda(self) -> bool:
        return self.device == "cuda"


def training_step(asked: Asked) -> Iterator[Row]:
    """A training step in bfloat16: ours and nn.Transformer, as they are and compiled, and the share of the matrix peak.

    Peak: the fastest square matrix product in bfloat16 that was measured here. Tokens and operations: real ones, no padding.
    """
    known = finished(asked.course)
    peak = matmul_peak(asked.device, torch.bfloat16)
    yield {"what": "matrix peak in bfloat16, measured", "TFLOP/s": peak / 1e12}
    large = {"d_model": 1024, "num_heads": 16, "num_layers": 6, "d_ff": 4096}
    small = {"d_model": 64, "num_heads": 4, "num_layers": 2, "d_ff": 128}
    size = large if asked.on_cuda else small
    for sentences in (128, 256, 512) if asked.on_cuda else (8,):
        source, target, lengths = padded_batch(sentences, *((128, 256) if asked.on_cuda else (12, 24)), asked.device)
        for compiled in (False, True) if asked.on_cuda else (False,):
            for who, make in (("ours", known["Transformer"]), ("nn.Transformer", None)):
                if asked.left < 60 * compiled:
                    yield {"what": "out of time", "sentences": sentences}
                    return
                name = f"{who}{', compiled' if compiled else ''}"
                with one_line_for_trouble() as trouble:
                    model = (make(VOCAB, VOCAB, **size) if make else TorchTransformer(known, **size)).to(asked.device)
                    needed = 3 * transformer_flops(known["Transformer"](VOCAB, VOCAB, **size), lengths, lengths)
                    run: Any = torch.compile(model) if compiled else model
                    step = stepper(run, source, target, bf16=True, **({"fused": True} if asked.on_cuda else {}))
                    seconds = measure(step, repeat=5, warmup=3, min_seconds=0, device=asked.device).median
                    memory = peak_memory(step, asked.device)
                    yield {
                        "what": name, "sentences": sentences, "ms a step": 1e3 * seconds,
                        "tokens/s": 2 * sum(lengths) / seconds, "share of the peak": needed / seconds / peak,
                        "GiB": memory and memory / 2**30,
                    }  # fmt: skip
                if trouble:
                    yield {"what": name, "sentences": sentences, "note": trouble[0]}
                del model


def attention(asked: Asked) -> Iterator[Row]:
    """Attention forward, causal, bfloat16 on CUDA: written out, tiled (unit 12), in Triton (unit 16, whose kernel takes float32), SDPA's flash."""
    known = finished(asked.course)
    dtype = torch.bfloat16 if asked.on_cuda else torch.float32
    ways: dict[str, Callable[[Tensor, Tensor, Tensor], object]] = {
        "SDPA, flash": _flash if asked.on_cuda else partial(F.scaled_dot_product_attention, is_causal=True),
        "written out": _written_out,
        "tiled, unit 12": lambda q, k, v: known["tiled_attention"](
            q, k, v, 256 if asked.on_cuda else 32, is_causal=True
        ),
    }
    if asked.on_cuda:
        with one_line_for_trouble() as trouble:
            kernel = compiled_flash_attention(asked.course)
            ways["Triton, unit 16, float32"] = lambda q, k, v: kernel(q.float(), k.float(), v.float(), is_causal=True)
        if trouble:
            yield {"what": "Triton, unit 16", "note": trouble[0]}
    batch, heads, width = (4, 16, 64) if asked.on_cuda else (1, 2, 16)
    slow: set[str] = set()
    for length in (1024, 4096, 512, 2048, 8192, 16384) if asked.on_cuda else (64, 128):
        query, key, value = (
            torch.randn(batch, heads, length, width, device=asked.device, dtype=dtype) for _ in range(3)
        )
        wanted = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        for name, way in ways.items():
            if asked.left < 0:
                yield {"what": "out of time", "length": length}
                return
            if name in slow:
                continue
            with one_line_for_trouble() as trouble:
                off = float((way(query, key, value) - wanted).abs().max())  # type: ignore[operator]
                seconds = measure(
                    way, query, key, value, repeat=5, warmup=1, min_seconds=0.01, device=asked.device
                ).median
                memory = peak_memory(partial(way, query, key, value), asked.device)
                yield {
                    "what": name, "length": length, "ms": 1e3 * seconds, "MiB": memory and memory / 2**20,
                    "TFLOP/s": 2 * batch * heads * length**2 * width / seconds / 1e12, "largest difference": off,
                }  # fmt: skip
                if seconds > 1:
                    slow.add(name)
            if trouble:
                slow.add(name)
                yield {"what": name, "length": length, "note": trouble[0]}


def _flash(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        return F.scaled_dot_product_attention(query, key, value, is_causal=True)


def _written_out(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
    output: Tensor = scores.masked_fill(future, float("-inf")).softmax(-1) @ value
    return output


_WRONG_ONES = 3
"""Known mistakes of each exercise that are tried, evenly spread over its list."""


def checks(asked: Asked) -> Iterator[Row]:
    """Every unit's visible cases with tensors on the device: the reference gives what it gives on a CPU, a sample of the
    known mistakes does not."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    for unit in reversed(units()):
        if asked.left < 0:
            yield {"what": "out of time", "unit": unit}
            return
        folder = asked.course / "solutions" / unit
        cases = {one.name: one for one in load_cases(folder / CASES_FILE).exercises}
        for piece in open_workbench(parse_lesson(folder / f"{unit_stem(unit)}.py")):
            if row := _checked(piece, cases[piece.source.name], asked.device):
                yield {"what": piece.source.name, "unit": unit, **row}


def _checked(piece: Workpiece, cases: ExerciseCases, device: str) -> Row | None:
    there = {
        key: replace(cases.plan[key], elsewhere=True, gradients=False)
        for key in cases.base_keys
        # a fixture may bring tensors of its own, or ask the same question itself
        if not any(isinstance(value, Fixture) for value in cases.plan[key].given.values())
    }
    if not there or "another device" not in cases.unusual:
        return None
    asked = replace(cases, plan=there, unusual={}, forbids=())

    def others(target: Any) -> list[str]:
        """The cases on which it gives something else than the reference does on a CPU."""
        with true_device(device):
            seen = sighting_of(target, asked)
        return [
            key
            for key in there
            if key not in seen.observations
            or not same_observation(
                replace(seen.observations[key], facts={}), replace(cases.expected[key], facts={}), cases.tolerance
            )
        ]

    wrong = piece.mistakes[:: max(1, len(piece.mistakes) // _WRONG_ONES)][:_WRONG_ONES]
    # a mistake that shows in gradients, or in what is left behind, alone gives the right values here
    caught = [one.name for one in wrong if others(one.target)]
    differ = others(piece.reference)
    counts = {"cases": there, "reference differs on": differ, "wrong tried": wrong, "wrong caught": caught}
    return {name: len(found) for name, found in counts.items()}


def learning(asked: Asked) -> Iterator[Row]:
    """Unit 10's translator trained from nothing, and, with --data, real sentences: time and quality."""
    began = time.monotonic()
    vocabularies = course_vocabularies(part("build_vocabulary"))
    steps = RECIPE.steps if asked.on_cuda else 60
    recipe = replace(RECIPE, steps=steps, warmup=min(RECIPE.warmup, steps // 4))
    model = new_model(part("Transformer"), vocabularies, recipe, device=asked.device)
    losses = part("train")(
        model,
        batches(vocabularies, part("collate"), recipe, device=asked.device),
        new_optimizer(model, recipe),
        recipe.rate,
    )
    seconds = time.monotonic() - began
    exact = exact_match(model, sample(None, 400, 7), vocabularies, part("greedy_decode"))
    figures = {"steps": steps, "seconds": seconds, "last loss": losses[-1], "exact match": exact}
    yield {"what": "unit 10's translator", **figures}
    if asked.data is None:
        yield {"what": "real sentences", "note": "no file: name one with --data"}
        return
    split = split_without_leaks(read_pairs(asked.data), 1000 if asked.on_cuda else 20)
    for size in (
        {"d_model": 128, "d_ff": 512},
        {"d_model": 256, "d_ff": 1024, "num_layers": 4, "peak_rate": 2e-3, "dropout": 0.2},
    ):
        minutes = min(asked.left / 60 - 0.5, 3.0)
        if minutes <= 0:
            yield {"what": "out of time"}
            return
        told = replace(Recipe(), minutes=minutes, bfloat16=asked.on_cuda, **size)
        trained = train_translator(part("Transformer"), split.train, told, device=asked.device)
        pairs = one_for_each_source(split.test)
        found = translate(trained.model, trained.vocabulary, [pair.chinese for pair in pairs], device=asked.device)
        wanted = [pair.english for pair in pairs]
        yield {
            "what": f"real sentences, {told.num_layers} + {told.num_layers} layers, {told.d_model} wide", "steps": trained.steps,
            "seconds": trained.seconds, "epochs": trained.epochs, "BLEU": bleu(found, wanted).value, "chrF": chrf(found, wanted).value,
        }  # fmt: skip


def ladder_of(unit: str) -> Callable[[Asked], Iterator[Row]]:
    def ladder(asked: Asked) -> Iterator[Row]:
        """The unit's own cells, run from top to bottom on this machine: what each of them shows."""
        import nbformat

        from ..authoring.notebook import execute

        path = asked.course / "solutions" / unit / f"{unit_stem(unit)}.ipynb"
        if not path.exists():
            raise NoSuchPart(f"{path} is not there")
        began = time.monotonic()
        run = execute(nbformat.read(path, as_version=4), path.parent, timeout=max(30, asked.left))
        yield {"what": "the whole notebook", "seconds": time.monotonic() - began}
        for cell in run.cells:
            for output in cell.get("outputs", []):
                shown = output.get("data", {}).get("text/markdown") or output.get("text", "")
                if shown.strip():
                    yield {"what": "shown", "text": shown}

    return ladder


PARTS: dict[str, tuple[str, float, Callable[[Asked], Iterator[Row]]]] = {
    "training-step": ("A training step beside nn.Transformer", 0.25, training_step),
    "attention": ("Attention by length", 0.15, attention),
    "ladder-12": ("Unit 12's ladder", 0.15, ladder_of("12_gpu")),
    "ladder-16": ("Unit 16's ladder", 0.15, ladder_of("16_kernels")),
    "checks": ("Every unit's checks on this device", 0.15, checks),
    "learning": ("Training to the end", 0.15, learning),
}
"""By name: the heading, the share of the time, and what measures. The most telling first."""


@contextmanager
def one_line_for_trouble() -> Iterator[list[str]]:
    """What goes wrong inside the block is one line in the list, and the part goes on."""
    trouble: list[str] = []
    try:
        yield trouble
    except torch.OutOfMemoryError:
        trouble.append("out of memory")
        torch.cuda.empty_cache()
    except Exception as error:
        first = next((line for line in str(error).splitlines() if line.strip()), "")
        trouble.append(f"{type(error).__name__}: {first[:200]}")
