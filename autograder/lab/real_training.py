"""Train the course's Transformer on real sentence pairs: for so many minutes, in as many sittings as it takes.

A run lives in a folder. It holds `training.pt` (weights, optimizer, and how far the run has come), which is written
again and again, so that a run that was cut goes on from there; and `vocabulary.json`.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from .real_data import SentencePair, one_for_each_source
from .real_scores import bleu
from .real_translator import BOS, PAD, PooledDropout, Recipe, Vocabulary, padded, translate

STATE, VOCABULARY = "training.pt", "vocabulary.json"
_MEASUREMENTS = 10
"""How often in a run both curves are measured."""
_MEASURED_ON = 200
"""Sentences to validate on that a measurement translates."""
_SAVED_EVERY = 0.05
"""Share of a run's time after which it is written down."""


class AnotherRun(Exception):
    """The folder holds a run with other pairs or another recipe. The message is one line."""


@dataclass
class Point:
    """One measurement on the way, on sentences to validate on."""

    step: int
    seconds: float
    training_loss: float
    teacher_forced: float
    """Share of the pieces that are right where each is told those before it"""
    greedy_bleu: float
    """BLEU of what the model writes by itself, 0 to 100"""


@dataclass
class Trained:
    model: nn.Module
    vocabulary: Vocabulary
    steps: int = 0
    epochs: float = 0.0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    """The running loss after each hundred steps"""
    curve: list[Point] = field(default_factory=list)
    sittings: int = 1


Progress = Callable[[float, Trained], None]


def train_translator(
    make_model: Callable[..., nn.Module],
    pairs: Sequence[SentencePair],
    recipe: Recipe,
    *,
    validation: Sequence[SentencePair] = (),
    device: str = "cpu",
    clock: Callable[[], float] = time.perf_counter,
    folder: Path | None = None,
    progress: Progress = lambda share, trained: None,
) -> Trained:
    """Train until `recipe.minutes` have passed on `clock`, measurements and the vocabulary's making included.

    make_model: the class `Transformer` of unit 09, or anything that is built and called in the same way
    validation: what both curves are measured on; none are without it
    folder:     where the run is kept, and goes on from if it has begun there (raises AnotherRun if that was another)
    progress:   is told the share of the time that has passed, after each hundred steps and each measurement
    """
    begun = clock()
    torch.manual_seed(recipe.seed)
    vocabulary = Vocabulary.made_from(pairs, recipe)
    model = _model(make_model, vocabulary, pairs, recipe, device)
    optimizer = _optimizer(model, recipe)
    trained, running, kept = Trained(model, vocabulary), 0.0, None
    signature = _signature(pairs, recipe)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / STATE
        if kept.exists():
            running = _take_up(kept, signature, trained, optimizer)
        (folder / VOCABULARY).write_text(vocabulary.text(), encoding="utf-8")
    before = trained.seconds
    whole = 60 * recipe.minutes
    sample = one_for_each_source(validation)[:_MEASURED_ON]
    saved = trained.seconds / whole
    model.train()
    try:
        for source, target in _batches(pairs, vocabulary, recipe, trained.steps):
            trained.seconds = before + clock() - begun
            share = trained.seconds / whole
            if share >= 1:
                break
            if sample and trained.steps and share >= (len(trained.curve) + 1) / _MEASUREMENTS:
                trained.curve.append(_measured(trained, running, sample, device))
                progress(share, trained)
            if kept is not None and share >= saved + _SAVED_EVERY:
                saved = share
                _put_away(kept, signature, trained, optimizer, running)
            _set_rates(optimizer, recipe, share)
            loss = _step(model, optimizer, source.to(device), target.to(device), recipe, device)
            trained.steps += 1
            running = loss if trained.steps == 1 else 0.98 * running + 0.02 * loss
            if trained.steps % 100 == 0:
                trained.losses.append(running)
                progress(share, trained)
    finally:
        trained.seconds = before + clock() - begun
        trained.epochs = trained.steps * recipe.batch_size / len(pairs)
        if kept is not None:
            _put_away(kept, signature, trained, optimizer, running)
    if sample:
        trained.curve.append(_measured(trained, running, sample, device))
    return trained


def _model(
    make_model: Callable[..., nn.Module],
    vocabulary: Vocabulary,
    pairs: Sequence[SentencePair],
    recipe: Recipe,
    device: str,
) -> nn.Module:
    longest = 8 + max(max(len(vocabulary.source_ids(p.chinese)), len(vocabulary.target_ids(p.english))) for p in pairs)
    model = make_model(
        vocabulary.source_size, vocabulary.target_size, d_model=recipe.d_model, num_heads=recipe.num_heads,
        num_layers=recipe.num_layers, d_ff=recipe.d_ff, dropout=recipe.dropout, max_len=max(longest, 128),
        norm_first=True, tie_weights=True,
    ).to(device)  # fmt: skip
    if device == "cpu" and recipe.dropout:
        pooled = PooledDropout(recipe.dropout, recipe.seed)
        for module in list(model.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.Dropout):
                    setattr(module, name, pooled)
    return model


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        model.parameters(), lr=0.0, betas=(0.9, 0.98), weight_decay=recipe.weight_decay, fused=True
    )


def _set_rates(optimizer: torch.optim.Optimizer, recipe: Recipe, share: float) -> None:
    """Up along a line while the warm-up lasts, then down along another to the end."""
    rate = recipe.peak_rate * min(share / recipe.warmup, (1 - share) / (1 - recipe.warmup), 1.0)
    for group in optimizer.param_groups:
        group["lr"] = max(rate, 1e-6)


def _step(
    model: nn.Module, optimizer: torch.optim.Optimizer, source: Tensor, target: Tensor, recipe: Recipe, device: str
) -> float:
    with torch.autocast(device, dtype=torch.bfloat16, enabled=recipe.bfloat16):
        logits = model(source, _shifted(target))
    loss = nn.functional.cross_entropy(
        logits.flatten(0, 1).float(), target.flatten(), ignore_index=PAD, label_smoothing=recipe.label_smoothing
    )
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def _shifted(target: Tensor) -> Tensor:
    return nn.functional.pad(target[:, :-1], (1, 0), value=BOS)


def _batches(
    pairs: Sequence[SentencePair], vocabulary: Vocabulary, recipe: Recipe, skipped: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Padded batches without end, from batch `skipped` on: pairs of like length together on both sides, in another order each time round."""
    ids = [(vocabulary.source_ids(pair.chinese), vocabulary.target_ids(pair.english)) for pair in pairs]
    a_round = -(-len(ids) // recipe.batch_size)
    first, at = divmod(skipped, a_round)
    while True:
        rng = Random(f"{recipe.seed}, round {first}")
        order = sorted(range(len(ids)), key=lambda i: (len(ids[i][1]), len(ids[i][0]) + 2 * rng.random()))
        chunks = [order[begin : begin + recipe.batch_size] for begin in range(0, len(order), recipe.batch_size)]
        rng.shuffle(chunks)
        for chunk in chunks[at:]:
            yield padded([ids[i][0] for i in chunk]), padded([ids[i][1] for i in chunk])
        first, at = first + 1, 0


@torch.no_grad()
def _measured(trained: Trained, running: float, sample: Sequence[SentencePair], device: str) -> Point:
    """Both curves at this step: with each piece told those before it, and alone."""
    model, vocabulary = trained.model, trained.vocabulary
    model.eval()
    right = of = 0
    for at in range(0, len(sample), 64):
        chunk = sample[at : at + 64]
        source = padded([vocabulary.source_ids(pair.chinese) for pair in chunk]).to(device)
        target = padded([vocabulary.target_ids(pair.english) for pair in chunk]).to(device)
        counts = target != PAD
        right += int(((model(source, _shifted(target)).argmax(-1) == target) & counts).sum())
        of += int(counts.sum())
    found = translate(model, vocabulary, [pair.chinese for pair in sample], beams=1, device=device)
    model.train()
    score = bleu(found, [pair.english for pair in sample]).value
    return Point(trained.steps, trained.seconds, running, right / of, score)


def _signature(pairs: Sequence[SentencePair], recipe: Recipe) -> str:
    """What two sittings of one run have in common: the pairs, and the recipe but for what a machine may choose."""
    fixed = {name: value for name, value in asdict(recipe).items() if name != "bfloat16"}
    text = json.dumps([fixed, [[pair.chinese, pair.english] for pair in pairs]], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


_KEPT = ("steps", "seconds", "losses", "sittings")


def _put_away(path: Path, signature: str, trained: Trained, optimizer: Any, running: float) -> None:
    state = {name: getattr(trained, name) for name in _KEPT} | {
        "signature": signature,
        "curve": [asdict(point) for point in trained.curve],
        "running": running,
        "model": trained.model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    unfinished = path.with_suffix(".part")
    torch.save(state, unfinished)
    unfinished.replace(path)


def _take_up(path: Path, signature: str, trained: Trained, optimizer: Any) -> float:
    """The run's state as it was left, into `trained` and the optimizer; returns the running loss."""
    try:
        state = torch.load(path, weights_only=True, map_location=next(trained.model.parameters()).device)
    except Exception as error:
        raise AnotherRun(
            f"{path} cannot be read ({type(error).__name__}): delete it, and the run begins anew."
        ) from error
    if state["signature"] != signature:
        raise AnotherRun(
            f"{path.parent} holds a run with other pairs or other settings: name another folder with --output, or delete it."
        )
    trained.model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    for name in _KEPT:
        setattr(trained, name, state[name])
    trained.sittings += 1
    trained.curve = [Point(**point) for point in state["curve"]]
    return float(state["running"])
