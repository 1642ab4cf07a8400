"""`python -m autograder real-data FILE`: train the course's Transformer on real sentence pairs, and write a report.

It begins by measuring which precision is faster on this machine, and says so. What it makes goes into one folder: the
report, both curves, the weights, the vocabulary, and the run's state: stop it with Ctrl-C, and the same command goes on
from there. What it has reached where is on the page docs/speed.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .arguments import UsageError, told_by_system

_WEIGHTS = "weights.safetensors"


def add(parser: argparse.ArgumentParser) -> None:
    parser.description, parser.formatter_class = __doc__, argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="English TAB Chinese, one pair per line (Tatoeba cmn-eng)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("real_data"),
        metavar="FOLDER",
        help="where all of it goes (default: real_data)",
    )
    parser.add_argument("--minutes", type=float, default=11.0, help="minutes of training in all (default: 11)")
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
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="changes",
        help="change the recipe, to try what helps: dropout=0.2, num_layers=3, ... (may be given more than once)",
    )
    parser.add_argument(
        "--mine",
        type=Path,
        metavar="FOLDER",
        help="train the Transformer of your own parts: the folder my_transformer that your passing checks have filled",
    )


def run(options: argparse.Namespace) -> int:
    import tokenizers  # noqa: F401  a missing library is told before minutes are spent
    import torch
    from sacrebleu.metrics.chrf import CHRF  # noqa: F401
    from safetensors.torch import save_model

    from ..lab.precision import measured_precision
    from ..lab.real_data import one_for_each_source, read_pairs, shared_sentences, split_without_leaks
    from ..lab.real_report import REPORT, Scores, write_report
    from ..lab.real_scores import bleu, chrf, examined
    from ..lab.real_training import train_translator
    from ..lab.real_translator import translate
    from ..lab.training import best_device

    recipe = _recipe(options)
    make_model = _transformer(options.mine)
    device = options.device or str(best_device())
    if device == "cpu":
        torch.set_num_threads(options.threads)
    clock, counted = _clock(device, options.threads)
    split = split_without_leaks(read_pairs(options.file), options.held_out, options.seed)
    shared = shared_sentences(split.train, [*split.validation, *split.test])
    told = (
        f"{len(split.train):,} pairs to train on, {len(split.validation):,} to validate, {len(split.test):,} to test on; "
        f"{len(shared)} sentences of the last two also occur in training."
    )
    print(told)
    precision = measured_precision(device)
    chosen_bfloat16 = precision.takes_bfloat16 if options.precision == "measured" else options.precision == "bfloat16"
    recipe = dataclasses.replace(recipe, bfloat16=chosen_bfloat16)
    print(precision.told() if options.precision == "measured" else precision.told(options.precision))
    print(
        f"Training for {recipe.minutes:g} minutes on {device} ({counted}). Ctrl-C stops it; the same command goes on."
    )
    try:
        trained = train_translator(
            make_model, split.train, recipe, validation=split.validation, device=device, clock=clock,
            folder=options.output, progress=_Told(),
        )  # fmt: skip
    except OSError as error:
        raise UsageError(f"{options.output} cannot be written: {told_by_system(error)}.") from error
    except KeyboardInterrupt:
        print(f"\nStopped; what has been learned lies in {options.output}. The same command goes on from there.")
        return 130
    size = sum(parameter.numel() for parameter in trained.model.parameters())
    print(f"{size / 1e6:.2f} million weights, {trained.steps} steps, {trained.epochs:.1f} times through the pairs.")
    begun, scores = clock(), []
    for part, beams, pairs in (
        ("validation, 4 beams", 4, split.validation),
        ("test, greedy", 1, split.test),
        ("test, 4 beams", 4, split.test),
    ):
        chosen = one_for_each_source(pairs)
        wanted = [pair.english for pair in chosen]
        found = translate(trained.model, trained.vocabulary, [p.chinese for p in chosen], beams=beams, device=device)
        exact = sum(one == other for one, other in zip(found, wanted, strict=True))
        score = Scores(part, len(chosen), exact, bleu(found, wanted), chrf(found, wanted))
        scores.append(score)
        print(f"{part}: BLEU {score.bleu.value:.1f}, chrF {score.chrf.value:.1f} on {len(chosen)} sentences")
    print(f"BLEU {score.bleu.signature}\nchrF {score.chrf.signature}")
    print(f"Training took {trained.seconds / 60:.1f} minutes, translating {(clock() - begun) / 60:.1f} ({counted}).")
    unknown = lambda character: not trained.vocabulary.knows(character)  # noqa: E731
    translations = examined([pair.chinese for pair in chosen], found, wanted, unknown)
    try:
        save_model(trained.model, str(options.output / _WEIGHTS))
        write_report(options.output, trained, recipe, scores, translations, pairs=told, counted_in=counted)
    except OSError as error:
        raise UsageError(f"{options.output} cannot be written: {told_by_system(error)}.") from error
    print(f"The report: {options.output / REPORT}")
    return 0


def _recipe(options: argparse.Namespace) -> Any:
    """The recipe with what was changed. Raises UsageError."""
    from ..lab.real_translator import Recipe

    recipe = Recipe(minutes=options.minutes, seed=options.seed)
    free = {field.name: type(getattr(recipe, field.name)) for field in dataclasses.fields(recipe)}
    for name in ("minutes", "seed", "bfloat16"):
        del free[name]
    changes = {}
    for text in options.changes:
        name, _, value = text.partition("=")
        if name not in free:
            raise UsageError(f"--set {text}: the recipe has no {name!r}; it has {', '.join(free)}.")
        try:
            changes[name] = free[name](value)
        except ValueError as error:
            raise UsageError(f"--set {text}: {value!r} is no {free[name].__name__}.") from error
    recipe = dataclasses.replace(recipe, **changes)
    if recipe.d_model % recipe.num_heads:
        raise UsageError(f"--set: {recipe.num_heads} heads do not divide a width of {recipe.d_model}.")
    return recipe


def _transformer(folder: Path | None) -> Callable[..., Any]:
    """The course's `Transformer`, or the learner's own. Raises NotReady."""
    if folder is None:
        from ..library.unit_09_decoder import Transformer

        return Transformer
    from ..notebook.my_translator import own_parts

    part: Callable[..., Any] = own_parts(folder, ("Transformer",), "be trained")["Transformer"]
    return part


def _clock(device: str, threads: int) -> tuple[Callable[[], float], str]:
    """On one CPU thread the seconds that this process computes: other work on the machine does not count."""
    if device == "cpu" and threads == 1:
        return time.process_time, "CPU time of one thread"
    return time.perf_counter, "wall-clock time"


class _Told:
    """A line for every twentieth of the time: how far, how good, and how long it will still take on the wall's clock."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._from: float | None = None
        self._next, self._points = 0.0, 0

    def __call__(self, share: float, trained: Any) -> None:
        if self._from is None:
            self._from = share
        if share < self._next and len(trained.curve) == self._points:
            return
        self._next = share + 0.05
        gone, done = time.perf_counter() - self._began, share - self._from
        left = f", about {gone / done * (1 - share) / 60:.1f} minutes to go" if done > 0.01 else ""
        line = f"  {100 * share:3.0f} %  step {trained.steps}{left}"
        if trained.losses:
            line += f"; loss {trained.losses[-1]:.2f}"
        if len(trained.curve) > self._points:
            self._points = len(trained.curve)
            point = trained.curve[-1]
            line += (
                f"; pieces right {100 * point.teacher_forced:.0f} %, greedy BLEU {point.greedy_bleu:.1f} (validation)"
            )
        print(line, flush=True)
