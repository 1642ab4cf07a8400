"""`python -m autograder real-data FILE`: train the course's Transformer on real sentence pairs and report BLEU.

It begins by measuring which precision is faster on this machine, and says so in its first lines.

Measured with 27,051 pairs of Tatoeba cmn-eng to train on (1.49 million weights, 11.0 minutes of CPU time of one thread on
an AMD EPYC with AVX-512 BF16, in bfloat16, a busy machine, PyTorch 2.13), one seed, sacrebleu, cased, one reference for
each source: 30.3 on the test sentences with four beams, 29.5 greedily (validation: 30.0 and 29.1); translating the test
took 0.6 minutes. Over all 1,003 test pairs, a source with several translations counted once for each: 29.6.
On a processor with AVX2 only, in float32, the same minutes were enough for 2,257 steps: 28.4 with four beams.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

from .arguments import UsageError

_SHOWN = 8


def add(parser: argparse.ArgumentParser) -> None:
    parser.description, parser.formatter_class = __doc__, argparse.RawTextHelpFormatter
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="English TAB Chinese, one pair per line (Tatoeba cmn-eng)"
    )
    parser.add_argument("--minutes", type=float, default=11.0, help="minutes of training (default: 11)")
    parser.add_argument(
        "--held-out",
        type=int,
        default=1000,
        metavar="N",
        help="pairs to validate on, and as many to test on (default: 1000)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the split and of the training (default: 0)")
    parser.add_argument("--device", default=None, help="cpu, cuda or mps (default: the best one available)")
    parser.add_argument(
        "--threads", type=int, default=1, help="threads on a CPU (default: 1, and then CPU seconds are counted)"
    )
    parser.add_argument(
        "--precision",
        choices=("measured", "float32", "bfloat16"),
        default="measured",
        help="precision of the matrix products (default: the faster one, as measured at the start)",
    )
    parser.add_argument("--beams", type=int, default=4, help="beams for decoding (default: 4; 1 is greedy)")
    parser.add_argument(
        "--save", type=Path, default=None, metavar="FILE", help="write the weights to this file, as safetensors"
    )


def run(options: argparse.Namespace) -> int:
    import torch

    from ..lab.precision import measured_precision
    from ..lab.real_data import NoRealData, one_for_each_source, read_pairs, shared_sentences, split_without_leaks
    from ..lab.real_translator import Recipe, bleu, train_translator, translate
    from ..lab.training import best_device
    from ..library.unit_09_decoder import Transformer

    device = options.device or str(best_device())
    if device == "cpu":
        torch.set_num_threads(options.threads)
    clock, counted = _clock(device, options.threads)
    try:
        split = split_without_leaks(read_pairs(options.file), options.held_out, options.seed)
    except NoRealData as error:
        raise UsageError(str(error)) from error
    shared = shared_sentences(split.train, [*split.validation, *split.test])
    print(
        f"{len(split.train)} pairs to train on, {len(split.validation)} to validate, {len(split.test)} to test on; "
        f"{len(shared)} sentences of the last two also occur in training."
    )
    precision = measured_precision(device)
    chosen_bfloat16 = precision.takes_bfloat16 if options.precision == "measured" else options.precision == "bfloat16"
    recipe = dataclasses.replace(Recipe(), minutes=options.minutes, seed=options.seed, bfloat16=chosen_bfloat16)
    print(precision.told() if options.precision == "measured" else precision.told(options.precision))
    print(f"Training for {recipe.minutes:g} minutes on {device} ({counted}).")
    try:
        begun = clock()
        trained = train_translator(Transformer, split.train, recipe, device=device, clock=clock, progress=_progress)
        size = sum(parameter.numel() for parameter in trained.model.parameters())
        print(f"{size / 1e6:.2f} million weights, {trained.steps} steps, {trained.epochs:.1f} times through the pairs.")
        for name, pairs in (("validation", split.validation), ("test", split.test)):
            chosen = one_for_each_source(pairs)
            found = translate(
                trained.model, trained.vocabulary, [p.chinese for p in chosen], beams=options.beams, device=device
            )
            score, signature = bleu(found, [pair.english for pair in chosen])
            print(f"BLEU on {len(chosen)} {name} sentences: {score:.1f}  ({signature})")
    except ImportError as error:
        raise UsageError(str(error)) from error
    print(f"Training and translating took {(clock() - begun) / 60:.1f} minutes ({counted}).")
    for pair, text in list(zip(chosen, found, strict=True))[:_SHOWN]:
        print(f"  {pair.chinese}\n    {text}\n    (expected: {pair.english})")
    if options.save is not None:
        from safetensors.torch import save_model

        save_model(trained.model, str(options.save))
    return 0


def _clock(device: str, threads: int) -> tuple[Callable[[], float], str]:
    """On one CPU thread the seconds that this process computes: other work on the machine does not count."""
    if device == "cpu" and threads == 1:
        return time.process_time, "CPU time of one thread"
    return time.perf_counter, "wall-clock time"


def _progress(share: float, step: int, loss: float) -> None:
    if step % 500 == 0:
        print(f"  {100 * share:3.0f} %  step {step}  loss {loss:.2f}", flush=True)
