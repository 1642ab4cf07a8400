"""How fast the course's finished Transformer is, beside torch.nn.Transformer at the same size; and what the cache saves.

    python tests/benchmarks/model.py [--rounds 7] [--threads 2] [--small]

The model is put together from the lessons' own solutions, not from library-backed parts. Measured by turns, medians:

- a training step (forward, loss, backward, AdamW) of both, on the same padded batch, with dropout. Target: no longer.
- greedy decoding of 64 tokens, with the key-value cache against recomputing; the words must be the same. Target: at least
  4 times faster with one sentence, 10 times with 32.
- on CUDA, where there is one: tokens a second and model FLOPs utilisation (real tokens only) in bf16 with torch.compile.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.authoring.parse import parse_lesson, unit_stem
from autograder.lab.speed import matmul_peak, transformer_flops
from autograder.lab.timing import synchronise
from autograder.library import grading

COURSE = Path(__file__).resolve().parents[2]
PARTS = {
    "05_multi_head": ("split_heads", "merge_heads", "MultiHeadAttention"),
    "06_positional_encoding": ("sinusoidal_positions", "TransformerEmbedding"),
    "07_masking": ("causal_mask", "padding_mask", "decoder_mask", "masked_softmax", "masked_attention"),
    "08_encoder": ("LayerNorm", "FeedForward", "EncoderBlock", "Encoder"),
    "09_decoder": ("shift_right", "DecoderBlock", "Decoder", "Transformer", "greedy_decode"),
    "12_gpu": ("KeyValueCache", "cached_greedy_decode"),
}
VOCAB, PAD = 1000, 0
SIZES = {
    "d 128, 2+2 layers": {"d_model": 128, "num_heads": 4, "num_layers": 2, "d_ff": 512},
    "d 512, 6+6 layers": {"d_model": 512, "num_heads": 8, "num_layers": 6, "d_ff": 2048},
}


def reference() -> dict[str, Any]:
    """The lessons' solutions, each in its lesson's own setup, with the earlier ones under their names."""
    known: dict[str, Any] = {}
    with grading():  # setups take library-backed parts; the solutions replace them below
        for unit, names in PARTS.items():
            lesson = parse_lesson(COURSE / "solutions" / unit / f"{unit_stem(unit)}.py")
            space: dict[str, Any] = {"__name__": f"lesson_{unit}"}
            exec(compile(lesson.setup, f"{unit}: setup", "exec"), space)
            space.update(known)
            for exercise in lesson.exercises:
                if exercise.name in names:
                    exec(compile(exercise.solution, f"{unit}: {exercise.name}", "exec"), space)
                    known[exercise.name] = space[exercise.name]
    missing = [name for names in PARTS.values() for name in names if name not in known]
    if missing:
        raise SystemExit(f"the lessons define no {', '.join(missing)}")
    return known


class Theirs(nn.Module):
    """torch.nn.Transformer between the course's own embeddings and output layer."""

    def __init__(self, known: dict[str, Any], size: dict[str, int]) -> None:
        super().__init__()
        d_model = size["d_model"]
        self.source_embedding = known["TransformerEmbedding"](VOCAB, d_model, 256)
        self.target_embedding = known["TransformerEmbedding"](VOCAB, d_model, 256)
        layers = size["num_layers"]
        self.transformer = nn.Transformer(
            d_model, size["num_heads"], layers, layers, size["d_ff"], 0.1, batch_first=True
        )
        self.output = nn.Linear(d_model, VOCAB)
        self.output.weight = self.target_embedding.embedding.weight
        self.dropout = nn.Dropout(0.1)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        future = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool, device=target.device).triu(1)
        hidden = self.transformer(
            self.dropout(self.source_embedding(source)), self.dropout(self.target_embedding(target)), tgt_mask=future,
            tgt_is_causal=True, src_key_padding_mask=source == PAD, tgt_key_padding_mask=target == PAD,
            memory_key_padding_mask=source == PAD,
        )  # fmt: skip
        return self.output(hidden)


def padded_batch(sentences: int, shortest: int, longest: int, device: str) -> tuple[Tensor, Tensor, list[int]]:
    lengths = torch.linspace(shortest, longest, sentences).long()
    ids = torch.randint(4, VOCAB, (2, sentences, longest)).masked_fill(torch.arange(longest) >= lengths[:, None], PAD)
    return ids[0].to(device), ids[1].to(device), lengths.tolist()


def stepper(model: nn.Module, source: Tensor, target: Tensor, bf16: bool = False, **options: Any) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, **options)
    read = F.pad(target, (1, -1), value=1)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(source.device.type, dtype=torch.bfloat16, enabled=bf16):
            logits = model(source, read)
        F.cross_entropy(logits.float().flatten(0, 1), target.flatten(), ignore_index=PAD).backward()
        optimizer.step()

    return step


def in_turns(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float, float]]:
    """Median, fastest and slowest seconds of each, measured by turns, every second round backwards."""
    for run in runs.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in runs if number % 2 == 0 else reversed(list(runs)):
            synchronise()
            begun = time.perf_counter()
            runs[name]()
            synchronise()
            seconds[name].append(time.perf_counter() - begun)
    return {name: (statistics.median(found), min(found), max(found)) for name, found in seconds.items()}


def training(known: dict[str, Any], rounds: int, sizes: dict[str, dict[str, int]]) -> None:
    print("Training step: forward, loss, backward, AdamW; 32 sentences of 12 to 24 tokens, float32")
    for name, size in sizes.items():
        torch.manual_seed(0)
        source, target, _ = padded_batch(32, 12, 24, "cpu")
        ours, theirs = known["Transformer"](VOCAB, VOCAB, **size), Theirs(known, size)
        found = in_turns(
            {"ours": stepper(ours, source, target), "nn.Transformer": stepper(theirs, source, target)}, rounds
        )
        for who, (median, low, high) in found.items():
            print(f"  {name:<20}{who:<16}{1e3 * median:>8.1f} ms  ({1e3 * low:.1f} to {1e3 * high:.1f})")
        ratio, best = (found["ours"][i] / found["nn.Transformer"][i] for i in (0, 1))
        print(f"  {name:<20}ours / nn.Transformer: {ratio:.2f} (medians), {best:.2f} (fastest); target at most 1\n")


def decoding(known: dict[str, Any], rounds: int, sizes: dict[str, dict[str, int]]) -> None:
    print("Greedy decoding of 64 tokens: recomputing / cached; the same words")
    plain, cached = known["greedy_decode"], known["cached_greedy_decode"]
    for name, size in sizes.items():
        torch.manual_seed(0)
        model = known["Transformer"](VOCAB, VOCAB, **size).eval()
        with torch.no_grad():
            model.output.bias[2] = -1e9  # no sentence ends early
        for sentences, aim in ((1, 4), (32, 10)):
            source, _, _ = padded_batch(sentences, 24, 24, "cpu")
            same = torch.equal(plain(model, source, 64), cached(model, source, 64))
            if not same:
                raise SystemExit(f"{name}, {sentences} sentences: the cache changes the words")
            runs = {"plain": partial(plain, model, source, 64), "cached": partial(cached, model, source, 64)}
            found = in_turns(runs, max(1, rounds // 2) if sentences > 1 else rounds)
            (slow, _, _), (fast, _, _) = found["plain"], found["cached"]
            print(
                f"  {name:<20}batch {sentences:<4}{slow:>8.3f} s /{fast:>7.3f} s ={slow / fast:>6.1f} times; target at least {aim}"
            )
    print()


def on_cuda(known: dict[str, Any], rounds: int) -> None:
    size = {"d_model": 1024, "num_heads": 16, "num_layers": 6, "d_ff": 4096}
    peak = matmul_peak("cuda", torch.bfloat16)
    print(f"{torch.cuda.get_device_name()}: matrix peak in bf16, measured, {peak / 1e12:.0f} TFLOP/s")
    print("Training step, d 1024, 6+6 layers, 128 sentences of 128 to 256 tokens, bf16, torch.compile, fused AdamW")
    source, target, lengths = padded_batch(128, 128, 256, "cuda")
    ours = known["Transformer"](VOCAB, VOCAB, **size).cuda()
    needed = 3 * transformer_flops(ours, lengths, lengths)
    models = {"ours": ours, "nn.Transformer": Theirs(known, size).cuda()}
    runs = {
        f"{who}{how}": stepper(torch.compile(model) if how else model, source, target, bf16=True, fused=True)
        for who, model in models.items()
        for how in ("", ", compiled")
    }
    for who, (median, _, _) in in_turns(runs, rounds).items():
        share = needed / median / peak
        print(f"  {who:<26}{2 * sum(lengths) / median:>12,.0f} tokens/s   MFU {100 * share:.0f} % (real tokens only)")


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--small", action="store_true", help="the small size only")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(
        f"{date.today()} · {processor()}, {options.threads} threads{load} · Python {platform.python_version()}, torch {torch.__version__}\n"
    )
    known = reference()
    sizes = dict(list(SIZES.items())[:1]) if options.small else SIZES
    training(known, options.rounds, sizes)
    decoding(known, options.rounds, sizes)
    if torch.cuda.is_available():
        on_cuda(known, options.rounds)
    else:
        print("CUDA: not yet measured (no such device here)")


if __name__ == "__main__":
    main()
