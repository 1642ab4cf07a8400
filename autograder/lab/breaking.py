"""A small translator with switches: turn a classic bug on, train for seconds, and see which number tells.

    break_it()                      # what can be broken
    break_it("no causal mask")      # the run, and then what it shows

Every bug runs on the task and at the size where it shows, or where it is instructive that it does not. The model is
built on PyTorch's fused attention and is none of the course's exercises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..formats.language import said
from .corpus import Pair, sample
from .tables import table
from .training import BOS, EOS, PAD, Vocabularies, best_device, by_length, error_free, move

TEST_SOURCES = 200


@dataclass(frozen=True)
class Bug:
    """What is broken, what the curves show of it, and where it shows."""

    name: str
    broken: str
    shows: str
    task: str = "measures"
    steps: int = 250
    layers: int = 2
    heads: int = 4
    d_model: int = 64
    rate: float = 5e-3


_LEAK = "The loss falls faster than it should, teacher-forced accuracy is nearly perfect, and alone the model writes nonsense."
_BUGS = (
    Bug("nothing", "all is as it should be", "Both numbers rise together."),
    Bug("no causal mask", "each place of the decoder sees the whole target", _LEAK),
    Bug("causal mask off by one", "each place sees one token too many: the one that it is to name", _LEAK),
    Bug(
        "mask after the softmax",
        "the future's weights are set to 0 after the softmax, in place of its scores before it",
        "The future's scores still sit in the denominator: a leak all the same. The loss is lower than a healthy run's, and alone the model writes nothing right.",
    ),
    Bug("mask inverted", "the decoder sees the future and not the past", _LEAK),
    Bug(
        "target not shifted",
        "the decoder reads the very token that it is to name",
        "Input and label are the same: there is nothing to learn but copying. " + _LEAK,
    ),
    Bug(
        "target shifted twice",
        "the decoder reads two places behind",
        "The model learns to name the token after the next. Alone it leaves words out.",
    ),
    Bug(
        "heads merged without transposing",
        "the heads' outputs are joined by a reshape alone",
        "Parts of other places, later ones too, end up in a token, and which ones depends on the length. The training loss falls all the same; on other batches both numbers stay low.",
    ),
    Bug(
        "softmax over the queries",
        "the softmax runs along the wrong axis",
        "A key's weights depend on queries that come later: a leak again. The loss is low, and alone the model writes nothing right.",
    ),
    Bug(
        "end token dropped",
        "<eos> is cut off the targets",
        "The words are right and the model never stops, so no answer matches.",
    ),
    Bug(
        "no cross-attention",
        "the decoder never hears the source",
        "It writes the commonest words, whatever you ask.",
    ),
    Bug(
        "no positions",
        "words without their places",
        "Digits change places: 1936 becomes 1963.",
        task="iso_dates",
        steps=600,
    ),
    Bug(
        "softmax before the loss",
        "probabilities go into a loss that expects logits",
        "The loss cannot fall far, whatever the model does, and gradients are tiny.",
    ),
    Bug(
        "gradients never cleared",
        "each step follows the sum of all gradients so far",
        "Old gradients add up: the steps stop following the loss.",
    ),
    Bug("no residuals", "four layers without their shortcuts", "Four layers do not train.", layers=4),
    Bug(
        "no norm",
        "four layers without their norms",
        "No harm here, even a gain: PyTorch starts its linear layers small, so sums of sums stay small for a few blocks, and warm-up and clipped gradients do the rest. The same was found with six and with eight layers, and at twice the rate.",
        layers=4,
    ),
    Bug(
        "no scale",
        "scores are not divided by the root of the keys' length; one wide head",
        "The softmax saturates early, and the model learns more slowly.",
        task="numbers",
        heads=1,
        steps=500,
    ),
    Bug(
        "padding counted in the loss",
        "the mean runs over padding as well",
        "Hard to see: the padding is learnt as well, at the cost of little.",
    ),
    Bug(
        "no padding mask",
        "attention may look at the source's padding",
        "Hard to see: the model learns to live with it. Only the same sentence alone and in a batch tells.",
    ),
    Bug("no feed-forward", "attention alone, in every block", "On a task this easy, attention alone loses little."),
)
BUGS = {bug.name: bug for bug in _BUGS}


@dataclass(frozen=True)
class Outcome:
    """What a run ended with. Steps and both accuracies, and the loss at each step, for curves."""

    bug: str
    task: str
    loss: tuple[float, ...]
    steps: tuple[int, ...]
    teacher_forced: tuple[float, ...]
    exact: tuple[float, ...]
    seconds: float
    """Processor seconds."""
    examples: tuple[tuple[str, str, str], ...]
    """Chinese, what was written, what is right."""


def break_it(name: str = "", *, steps: int | None = None, quiet: bool = False) -> Any:
    """Without a name: the table of bugs. With one: train, draw both curves, say what they show, return the outcome.

    steps: more or fewer than the bug's own number; quiet: print and draw nothing
    """
    if not name:
        heads = [said(head) for head in ("bug", "what is broken", "task")]
        return table([(bug.name, said(bug.broken), said(bug.task)) for bug in _BUGS], heads)
    if name not in BUGS:
        raise ValueError(f"there is no bug named {name!r}; there are: {', '.join(BUGS)}")
    bug = BUGS[name]
    size = f"{bug.layers}+{bug.layers} layers, {bug.heads} head{'s' * (bug.heads > 1)}, d_model {bug.d_model}"
    if not quiet:
        print(said(f"Broken: {bug.name} ({bug.broken}). Task: {bug.task}, {size}."))
    outcome = _run(bug, bug.steps if steps is None else steps)
    if not quiet:
        _draw(outcome)
        print(said(bug.shows))
    return outcome


class BreakableTranslator(nn.Module):
    """A pre-norm Transformer, each of whose parts can be broken by name."""

    positions: Tensor

    def __init__(self, vocabularies: Vocabularies, bug: Bug) -> None:
        super().__init__()
        self.bug, d = bug, bug.d_model
        self.source_words, self.target_words = (
            nn.Embedding(len(v), d) for v in (vocabularies.source, vocabularies.target)
        )
        for words in (self.source_words, self.target_words):
            nn.init.normal_(words.weight, std=d**-0.5)
        self.encoder = nn.ModuleList(_Layer(d, bug, 1) for _ in range(bug.layers))
        self.decoder = nn.ModuleList(_Layer(d, bug, 2) for _ in range(bug.layers))
        self.last_norms = nn.ModuleList(nn.Identity() if bug.name == "no norm" else nn.LayerNorm(d) for _ in range(2))
        angles = torch.arange(64)[:, None] * torch.logspace(0, -4, d // 2)
        table = torch.polar(torch.ones_like(angles), angles)
        self.register_buffer("positions", torch.view_as_real(table).flatten(1), persistent=False)

    def _embedded(self, words: nn.Embedding, ids: Tensor) -> Tensor:
        read: Tensor = words(ids) * words.embedding_dim**0.5
        return read if self.bug.name == "no positions" else read + self.positions[: ids.shape[1]]

    def encode(self, source: Tensor) -> Tensor:
        real = _real(source, self.bug)
        x = self._embedded(self.source_words, source)
        for layer in self.encoder:
            x = layer(x, real)
        encoded: Tensor = self.last_norms[0](x)
        return encoded

    def decode(self, target: Tensor, encoded: Tensor, source: Tensor) -> Tensor:
        real, n = _real(source, self.bug), target.shape[1]
        seen = torch.ones(n, n, dtype=torch.bool, device=target.device)
        seen = {
            "no causal mask": seen, "causal mask off by one": seen.tril(1), "mask inverted": seen.triu(1),
        }.get(self.bug.name, seen.tril())  # fmt: skip
        x = self._embedded(self.target_words, target)
        for layer in self.decoder:
            x = layer(x, seen, encoded, real)
        logits: Tensor = self.last_norms[1](x) @ self.target_words.weight.T
        return logits

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return self.decode(target, self.encode(source), source)


class _Layer(nn.Module):
    """Self-attention, cross-attention in a decoder, feed-forward; each with its norm and its shortcut."""

    def __init__(self, d: int, bug: Bug, attentions: int) -> None:
        super().__init__()
        self.bug = bug
        self.attentions = nn.ModuleList(_Attention(d, bug) for _ in range(attentions))
        self.feed_forward = nn.Sequential(nn.Linear(d, 2 * d), nn.ReLU(), nn.Linear(2 * d, d))
        self.norms = nn.ModuleList(
            nn.Identity() if bug.name == "no norm" else nn.LayerNorm(d) for _ in range(attentions + 1)
        )

    def forward(self, x: Tensor, seen: Tensor, encoded: Tensor | None = None, real: Tensor | None = None) -> Tensor:
        keep = 0.0 if self.bug.name == "no residuals" else 1.0
        inner = self.norms[0](x)
        x = keep * x + self.attentions[0](inner, inner, seen, broken=encoded is not None)
        if encoded is not None and self.bug.name != "no cross-attention":
            x = keep * x + self.attentions[1](self.norms[1](x), encoded, real)
        if self.bug.name != "no feed-forward":
            x = keep * x + self.feed_forward(self.norms[-1](x))
        return x


class _Attention(nn.Module):
    """PyTorch's fused attention, with what can go wrong before and after it."""

    def __init__(self, d: int, bug: Bug) -> None:
        super().__init__()
        self.bug = bug
        self.maps = nn.ModuleList(nn.Linear(d, d) for _ in range(4))

    def forward(self, x: Tensor, keys: Tensor, seen: Tensor | None, broken: bool = False) -> Tensor:
        name = self.bug.name
        mask = torch.ones(1, 1, dtype=torch.bool, device=x.device) if seen is None else seen
        query, key, value = (
            linear(inputs).unflatten(-1, (self.bug.heads, -1)).transpose(1, 2)
            for linear, inputs in zip(self.maps, (x, keys, keys), strict=False)
        )
        fused = F.scaled_dot_product_attention
        if name == "no scale":
            mixed = fused(query, key, value, attn_mask=seen, scale=1.0)
        elif broken and name == "mask after the softmax":
            unit = torch.eye(key.shape[-2], device=x.device).expand(*key.shape[:2], -1, -1)
            mixed = (fused(query, key, unit) * mask) @ value
        elif broken and name == "softmax over the queries":
            unit = torch.eye(key.shape[-2], device=x.device).expand(*key.shape[:2], -1, -1)
            mixed = fused(key, query, unit, attn_mask=mask.T).transpose(-1, -2) @ value
        elif broken and name == "mask inverted":
            itself = torch.zeros_like(mask)
            itself[-1, -1] = True  # the last place has no future
            mixed = fused(query, key, value, attn_mask=mask | itself)
        else:
            mixed = fused(query, key, value, attn_mask=seen)
        if broken and name == "heads merged without transposing":
            joined = mixed.reshape(x.shape)
        else:
            joined = mixed.transpose(1, 2).flatten(2)
        output: Tensor = self.maps[3](joined)
        return output


def _real(source: Tensor, bug: Bug) -> Tensor | None:
    return None if bug.name == "no padding mask" else (source != PAD)[:, None, None, :]


def _vocabularies(pairs: Sequence[Pair]) -> Vocabularies:
    """Only the words of this task: a small model learns it in seconds."""

    def numbered(sequences: Iterable[tuple[str, ...]]) -> dict[str, int]:
        tokens = dict.fromkeys(token for sequence in sequences for token in sequence)
        return {token: i for i, token in enumerate(["<pad>", "<bos>", "<eos>", "<unk>", *tokens])}

    return Vocabularies(numbered(pair.source for pair in pairs), numbered(pair.target for pair in pairs))


def _collated(group: list[Any], bug: Bug) -> tuple[Tensor, Tensor]:
    cut = -1 if bug.name == "end token dropped" else None
    return tuple(  # type: ignore[return-value]
        nn.utils.rnn.pad_sequence(
            [torch.tensor(pair[side][: cut if side else None]) for pair in group], batch_first=True
        )
        for side in (0, 1)
    )


def _decoder_input(target: Tensor, bug: Bug) -> Tensor:
    shift = {"target not shifted": 0, "target shifted twice": 2}.get(bug.name, 1)
    return F.pad(target, (shift, -shift), value=BOS)


def _loss(logits: Tensor, target: Tensor, bug: Bug) -> Tensor:
    if bug.name == "softmax before the loss":
        logits = logits.softmax(dim=-1)
    ignored = -100 if bug.name == "padding counted in the loss" else PAD
    return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=ignored)


def _run(bug: Bug, steps: int, batch_size: int = 64) -> Outcome:
    pairs = sample(bug.task, steps * batch_size, seed=2)
    device, vocabularies = best_device(), _vocabularies(pairs)
    torch.manual_seed(0)
    model = BreakableTranslator(vocabularies, bug).to(device)
    weights = list(model.parameters())
    optimizer = torch.optim.AdamW(weights, lr=bug.rate, betas=(0.9, 0.98))
    falling: Callable[[int], float] = lambda done: min((done + 1) / 50, (steps - done) / max(1, steps - 50))  # noqa: E731
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, falling)
    groups = by_length([vocabularies.ids(pair) for pair in pairs], batch_size)
    test = sample(bug.task, TEST_SOURCES, seed=3, split="test", unique=True)
    losses: list[float] = []
    at: list[tuple[int, float, float]] = []
    began = time.process_time()
    old = [torch.zeros_like(weight) for weight in weights]
    for step, group in enumerate(groups, start=1):
        source, target = move(_collated(group, bug), device)
        loss = _loss(model(source, _decoder_input(target, bug)), target, bug)
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        for i, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
            fresh = torch.zeros_like(weight) if gradient is None else gradient
            old[i] = old[i] + fresh if bug.name == "gradients never cleared" else fresh
            weight.grad = old[i].clone()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % max(1, steps // 6) == 0 or step == len(groups):
            forced = _teacher_forced(model, [vocabularies.ids(pair) for pair in test], bug)
            exact, _ = error_free(model, test, vocabularies, _greedy)
            at.append((step, forced, exact))
    spent = time.process_time() - began
    _, written = error_free(model, test[:4], vocabularies, _greedy)
    examples = tuple((pair.chinese, text, pair.english) for pair, text in zip(test, written, strict=False))
    marks, forced_marks, exact_marks = zip(*at, strict=True)
    return Outcome(bug.name, bug.task, tuple(losses), marks, forced_marks, exact_marks, spent, examples)


@torch.no_grad()
def _teacher_forced(model: nn.Module, pairs: list[Any], bug: Bug) -> float:
    """As somebody with this bug would measure it: with the same input, and the same labels."""
    source, target = move(_collated(pairs, bug))
    found = model(source, _decoder_input(target, bug)).argmax(dim=-1)
    return float((found == target)[target != PAD].float().mean())


@torch.no_grad()
def _greedy(model: Any, source: Tensor, max_len: int) -> Tensor:
    encoded = model.encode(source)
    written = torch.full((len(source), 1), BOS, device=source.device)
    for _ in range(max_len):
        chosen = model.decode(written, encoded, source)[:, -1:].argmax(dim=-1)
        written = torch.cat([written, chosen], dim=1)
        if bool((written == EOS).any(dim=1).all()):
            break
    return written[:, 1:]


def _draw(outcome: Outcome) -> None:
    from .figures import show, training_curves

    steps = list(range(1, len(outcome.loss) + 1))
    show(
        training_curves(
            {"training loss": (steps, outcome.loss)},
            {
                "teacher-forced accuracy": (outcome.steps, outcome.teacher_forced),
                "greedy exact match": (outcome.steps, outcome.exact),
            },
            title=f"Broken: {outcome.bug}",
        )
    )
    print(
        said(
            f"teacher-forced accuracy {100 * outcome.teacher_forced[-1]:.1f} %, exact match {100 * outcome.exact[-1]:.1f} %"
        )
    )
    for chinese, written, right in outcome.examples:
        print(said(f"  {chinese} → {written or '(nothing)'}{'' if written == right else f'   (right: {right})'}"))
