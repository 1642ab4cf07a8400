"""How fast the course's finished Transformer is, beside torch.nn.Transformer at the same size; and what the cache saves.

    python tests/benchmarks/model.py [--rounds 7] [--threads 2] [--small]

The model is put together from the lessons' own solutions, not from library-backed parts. Measured by turns, medians:

- a training step (forward, loss, backward, AdamW) of both, on the same padded batch, with dropout. Target: no longer.
- greedy decoding of 64 tokens, with the key-value cache against recomputing; the words must be the same. Target: at least
  4 times faster with one sentence, 10 times with 32.

What a GPU does with the same models, `python -m autograder gpu-report` measures.
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

from autograder.lab.timing import synchronise
from autograder.measuring.model import VOCAB, TorchTransformer, finished, padded_batch, stepper

COURSE = Path(__file__).resolve().parents[2]
SIZES = {
    "d 128, 2+2 layers": {"d_model": 128, "num_heads": 4, "num_layers": 2, "d_ff": 512},
    "d 512, 6+6 layers": {"d_model": 512, "num_heads": 8, "num_layers": 6, "d_ff": 2048},
}


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
        ours, theirs = known["Transformer"](VOCAB, VOCAB, **size), TorchTransformer(known, **size)
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
    known = finished(COURSE)
    sizes = dict(list(SIZES.items())[:1]) if options.small else SIZES
    training(known, options.rounds, sizes)
    decoding(known, options.rounds, sizes)


if __name__ == "__main__":
    main()
