"""Training a translator on the course's corpus: ids and batches, both measures, and curves that grow as it learns.

    from autograder import use_part
    from autograder.lab.training import RECIPE, batches, course_vocabularies, new_model, translate

    vocabularies = course_vocabularies(use_part("build_vocabulary"))
    model = new_model(use_part("Transformer"), vocabularies)

Parts of the course (Transformer, greedy_decode, collate, ...) are handed in: they may be the learner's own. Everything
works on CPU, CUDA and MPS alike: models and batches are made on `best_device()`, or where you say.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .corpus import SOURCE_TOKENS, TARGET_TOKENS, Pair, chinese_tokens, english_text, sample
from .tables import Table, table

PAD, BOS, EOS, UNK = range(4)
Batch = tuple[Tensor, Tensor]
_POOL = 50
"""So many batches are drawn at once and cut by length: enough for little padding, few enough to stay mixed."""


@dataclass(frozen=True)
class Recipe:
    """What is fixed about the course's own model: whoever trains with it can load another's weights.

    weights: shares of the corpus's kinds, where they differ from its defaults
    peak, warmup: the learning rate rises to `peak` within `warmup` steps, then falls in a straight line to 0
    """

    d_model: int = 96
    num_heads: int = 4
    num_layers: int = 2
    d_ff: int = 256
    max_len: int = 64
    steps: int = 4000
    batch_size: int = 64
    peak: float = 4e-3
    warmup: int = 200
    weights: Mapping[str, float] = field(
        default_factory=lambda: {"iso_dates": 1.6, "percentages": 1.5, "sentences": 2.6, "dates": 1.2}
    )

    def rate(self, step: int) -> float:
        """The learning rate of this step; the first step is 1."""
        rise = step / self.warmup
        fall = (self.steps - step + 1) / max(1, self.steps - self.warmup)
        return self.peak * max(0.0, min(1.0, rise, fall))


RECIPE = Recipe()


@dataclass(frozen=True)
class Vocabularies:
    """A token's id on either side, and back."""

    source: Mapping[str, int]
    target: Mapping[str, int]

    def ids(self, pair: Pair) -> tuple[list[int], list[int]]:
        """Both sides as ids that end in EOS."""
        return self.source_ids(pair.source), [*(self.target.get(token, UNK) for token in pair.target), EOS]

    def source_ids(self, tokens: Iterable[str]) -> list[int]:
        return [*(self.source.get(token, UNK) for token in tokens), EOS]

    def target_tokens(self, ids: Iterable[int]) -> tuple[str, ...]:
        """The tokens before the first EOS."""
        names = {number: token for token, number in self.target.items()}
        tokens = []
        for number in ids:
            if number == EOS:
                break
            tokens.append(names.get(int(number), "<unk>"))
        return tuple(tokens)


def best_device() -> torch.device:
    """CUDA where there is one, else MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def course_vocabularies(build_vocabulary: Callable[..., dict[str, int]]) -> Vocabularies:
    """The two vocabularies that belong to the course's translators, the same on every machine.

    Each side is built from one sequence, all tokens that the corpus can hold: every count is 1, so their order there
    decides. Weights are of no use without the numbers that the words had: whoever loads them builds these again.
    """
    return Vocabularies(source=build_vocabulary([SOURCE_TOKENS]), target=build_vocabulary([TARGET_TOKENS]))


def new_model(
    transformer: Callable[..., nn.Module],
    vocabularies: Vocabularies,
    recipe: Recipe = RECIPE,
    *,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> nn.Module:
    """A fresh Transformer of the recipe's size, pre-norm, without dropout: the corpus is endless, so nothing is learnt
    by heart."""
    torch.manual_seed(seed)
    model = transformer(
        len(vocabularies.source), len(vocabularies.target), d_model=recipe.d_model, num_heads=recipe.num_heads,
        num_layers=recipe.num_layers, d_ff=recipe.d_ff, dropout=0.0, max_len=recipe.max_len, norm_first=True,
    )  # fmt: skip
    return model.to(best_device() if device is None else device)


def new_optimizer(model: nn.Module, recipe: Recipe = RECIPE) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=recipe.peak, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.01)


def batches(
    vocabularies: Vocabularies,
    collate: Callable[..., Batch],
    recipe: Recipe = RECIPE,
    *,
    kinds: str | Sequence[str] | None = None,
    steps: int | None = None,
    seed: int = 1,
    device: torch.device | str | None = None,
) -> list[Batch]:
    """Fresh pairs for every step, sentences of like length together, in mixed order."""
    count = recipe.steps if steps is None else steps
    named = {name: weight for name, weight in recipe.weights.items() if kinds is None or name in kinds}
    pairs = [vocabularies.ids(pair) for pair in sample(kinds, count * recipe.batch_size, seed, weights=named)]
    return [move(collate(group), device) for group in by_length(pairs, recipe.batch_size, seed)]


def by_length(pairs: Sequence[tuple[list[int], list[int]]], batch_size: int, seed: int = 0) -> list[list[Any]]:
    """Groups of `batch_size` pairs of like length (the last may be smaller), in mixed order."""
    rng = random.Random(seed)
    groups: list[list[Any]] = []
    for start in range(0, len(pairs), _POOL * batch_size):
        pool = sorted(
            pairs[start : start + _POOL * batch_size], key=lambda pair: (len(pair[1]), len(pair[0]), rng.random())
        )
        cut = [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
        rng.shuffle(cut)
        groups += cut
    return groups


def move(batch: Batch, device: torch.device | str | None = None) -> Batch:
    """The batch on a device; unless told, on the best one."""
    where = best_device() if device is None else device
    source, target = batch
    return source.to(where), target.to(where)


def translate(
    model: nn.Module,
    sources: Sequence[str] | Sequence[Sequence[str]],
    vocabularies: Vocabularies,
    greedy_decode: Callable[..., Tensor],
    *,
    max_len: int = 24,
    batch_size: int = 256,
) -> list[tuple[str, ...]]:
    """English tokens for each Chinese source, a text or its tokens; sources of like length are decoded together."""
    device = next(model.parameters()).device
    ids = [vocabularies.source_ids(chinese_tokens(s) if isinstance(s, str) else s) for s in sources]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    found: dict[int, tuple[str, ...]] = {}
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        longest = max(len(ids[i]) for i in chosen)
        source = torch.tensor([ids[i] + [PAD] * (longest - len(ids[i])) for i in chosen], device=device)
        for i, row in zip(chosen, greedy_decode(model, source, max_len).tolist(), strict=True):
            found[i] = vocabularies.target_tokens(row)
    return [found[i] for i in range(len(ids))]


def translate_text(
    model: nn.Module, text: str, vocabularies: Vocabularies, greedy_decode: Callable[..., Tensor]
) -> str:
    """One Chinese text into English."""
    return english_text(translate(model, [text], vocabularies, greedy_decode)[0])


def error_free(
    model: nn.Module, pairs: Sequence[Pair], vocabularies: Vocabularies, greedy_decode: Callable[..., Tensor]
) -> tuple[float, list[str]]:
    """Exact match, and the translations as texts."""
    found = translate(model, [pair.source for pair in pairs], vocabularies, greedy_decode)
    share = sum(one == pair.target for one, pair in zip(found, pairs, strict=True)) / max(1, len(pairs))
    return share, [english_text(tokens) for tokens in found]


def exact_match(
    model: nn.Module, pairs: Sequence[Pair], vocabularies: Vocabularies, greedy_decode: Callable[..., Tensor]
) -> float:
    """The share of sources whose translation is right in every token, the model writing by itself."""
    return error_free(model, pairs, vocabularies, greedy_decode)[0]


@torch.no_grad()
def teacher_forced_accuracy(model: nn.Module, batch: Batch, shift_right: Callable[[Tensor], Tensor]) -> float:
    """The share of target tokens that the model puts first, given all the right tokens before them."""
    was_training = model.training
    model.eval()
    source, target = batch
    chosen = model(source, shift_right(target)).argmax(dim=-1)
    model.train(was_training)
    real = target != PAD
    return float((chosen == target)[real].float().mean())


def error_table(pairs: Sequence[Pair], translations: Sequence[tuple[str, ...]]) -> Table:
    """Errors by kind of phrase, most first, each kind with one example."""
    total = Counter(pair.kind for pair in pairs)
    wrong: dict[str, list[tuple[Pair, tuple[str, ...]]]] = {kind: [] for kind in total}
    for pair, found in zip(pairs, translations, strict=True):
        if found != pair.target:
            wrong[pair.kind].append((pair, found))
    rows = []
    for kind in sorted(total, key=lambda kind: -len(wrong[kind]) / total[kind]):
        example = ""
        if wrong[kind]:
            pair, found = wrong[kind][0]
            example = f"{pair.chinese} → {english_text(found)} (right: {pair.english})"
        rows.append((kind, total[kind], len(wrong[kind]), f"{100 * len(wrong[kind]) / total[kind]:.1f} %", example))
    return table(rows, ["kind", "sources", "wrong", "share", "an example"])
