"""The page that a run on real sentence pairs ends with: both curves, the scores, and the errors by what is seen of them."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from .figures import training_curves
from .real_scores import Score, Translation, counted
from .real_training import Trained
from .real_translator import Recipe
from .style import close, png
from .tables import table

REPORT, CURVES = "report.md", "curves.png"
_SHOWN = 10


@dataclass(frozen=True)
class Scores:
    """What was measured on one part of the pairs."""

    part: str
    sentences: int
    exact: int
    """Sentences that are the reference to the letter"""
    bleu: Score
    chrf: Score


def write_report(
    folder: Path,
    trained: Trained,
    recipe: Recipe,
    scores: Sequence[Scores],
    translations: Sequence[Translation],
    *,
    pairs: str,
    counted_in: str,
) -> Path:
    """Write the page and its picture into the folder.

    translations: of the test, in its order
    pairs:        a sentence on what was trained and tested on
    counted_in:   which time the minutes are
    """
    (folder / CURVES).write_bytes(curves_picture(trained))
    weights = sum(parameter.numel() for parameter in trained.model.parameters())
    size = f"{recipe.num_layers} + {recipe.num_layers} layers, {recipe.d_model} wide, {recipe.num_heads} heads"
    sittings = "" if trained.sittings == 1 else f" in {trained.sittings} sittings"
    precision = "bfloat16" if recipe.bfloat16 else "float32"
    rows = [(one.part, one.sentences, one.exact, f"{one.bleu.value:.1f}", f"{one.chrf.value:.1f}") for one in scores]
    different = [one for one in translations if one.found != one.wanted]
    signs = [
        (sign, count, f"{100 * count / len(different):.0f} %", f"{mean:.0f}")
        for sign, count, mean in counted(different)
    ]
    least_like = sorted(different, key=lambda one: one.likeness)
    lines = [
        "# A translator of real sentences",
        pairs,
        f"{weights / 1e6:.2f} million weights ({size}), {trained.steps:,} steps of {recipe.batch_size} pairs, "
        f"{trained.epochs:.1f} times through them, {trained.seconds / 60:.1f} minutes ({counted_in}){sittings}, seed {recipe.seed}, "
        f"{precision}, PyTorch {torch.__version__}, {platform.machine()}.",
        "## Both curves",
        f"![Loss on the left; on the right the teacher-forced share of right pieces, and greedy BLEU over 100]({CURVES})",
        table(
            [
                (
                    p.step,
                    f"{p.seconds / 60:.1f}",
                    f"{p.training_loss:.2f}",
                    f"{100 * p.teacher_forced:.0f} %",
                    f"{p.greedy_bleu:.1f}",
                )
                for p in trained.curve
            ],
            ["step", "minutes", "training loss", "pieces right, told those before", "greedy BLEU"],
        ).markdown(),
        "## Scores",
        table(rows, ["part", "sentences", "exactly the reference", "BLEU", "chrF"]).markdown(),
        f"BLEU: `{scores[0].bleu.signature}`  \nchrF: `{scores[0].chrf.signature}`",
        "## What is seen of the errors",
        f"Of the {len(different)} test sentences that differ from their reference. A sign is no cause: it says where to look. One sentence may "
        "bear several. The last column is the mean chrF of these sentences.",
        table(signs, ["sign", "sentences", "share", "chrF"]).markdown(),
        f"### The first {_SHOWN} that differ from their reference",
        _sentences(different),
        f"### The {_SHOWN} least like their reference",
        _sentences(least_like),
    ]
    path = folder / REPORT
    path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return path


def _sentences(translations: Sequence[Translation]) -> str:
    rows = [
        (one.source, one.found, one.wanted, f"{one.likeness:.0f}", "; ".join(one.signs))
        for one in translations[:_SHOWN]
    ]
    return table(rows, ["Chinese", "the model", "the reference", "chrF", "signs"]).markdown()


def curves_picture(trained: Trained) -> bytes:
    """Both curves as a PNG: BLEU over 100 beside the share of right pieces."""
    steps = [point.step for point in trained.curve]
    figure = training_curves(
        {"training": ([100 * (i + 1) for i in range(len(trained.losses))], trained.losses)},
        {
            "teacher-forced": (steps, [point.teacher_forced for point in trained.curve]),
            "greedy BLEU / 100": (steps, [point.greedy_bleu / 100 for point in trained.curve]),
        },
    )
    try:
        return png(figure)
    finally:
        close(figure)
