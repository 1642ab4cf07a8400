"""Library-backed parts of unit 10_training, built from the library blocks of its lesson. Edit those."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


def build_vocabulary(
    sequences: Sequence[Sequence[str]], max_size: int | None = None, min_count: int = 1
) -> dict[str, int]:
    """NumPy's `unique` counts and says where each token is met first; its stable sort does the rest."""
    flat = np.array([token for sequence in sequences for token in sequence], dtype=object).astype(str)
    tokens, first, counts = np.unique(flat, return_index=True, return_counts=True)
    order = [i for i in np.lexsort((first, -counts)) if counts[i] >= min_count]
    names = np.concatenate([["<pad>", "<bos>", "<eos>", "<unk>"], tokens[order]])[:max_size]
    return dict(zip(names.tolist(), range(len(names)), strict=True))


def collate(pairs: Sequence[tuple[Sequence[int], Sequence[int]]], pad_id: int = 0) -> tuple[Tensor, Tensor]:
    """By PyTorch's own padding of sequences."""
    source, target = ([torch.tensor(list(ids)) for ids in side] for side in zip(*pairs, strict=True))
    pad = nn.utils.rnn.pad_sequence
    return pad(source, batch_first=True, padding_value=pad_id), pad(target, batch_first=True, padding_value=pad_id)


def label_smoothed_loss(logits: Tensor, targets: Tensor, pad_id: int = 0, smoothing: float = 0.1) -> Tensor:
    """PyTorch's cross-entropy twice: against the right ids, and against an even share of all ids."""
    vocab_size = logits.shape[-1]
    flat, right = logits.flatten(0, -2), targets.flatten()
    to_right = F.cross_entropy(flat, right, ignore_index=pad_id, reduction="none")
    even = torch.full((vocab_size,), 1 / (vocab_size - 2), device=logits.device, dtype=logits.dtype)
    even[pad_id] = 0.0
    to_all = F.cross_entropy(flat, even.expand_as(flat), reduction="none")  # the right id has its share in it
    real = right != pad_id
    total = (1 - smoothing - smoothing / (vocab_size - 2)) * to_right + smoothing * to_all
    return total.masked_fill(~real, 0.0).sum() / real.sum()


def warmup_schedule(step: int, d_model: int, warmup_steps: int) -> float:
    """By logarithms, in NumPy."""
    rising = np.log(step) - 1.5 * np.log(warmup_steps)
    return float(np.exp(-0.5 * np.log(d_model) + np.minimum(rising, -0.5 * np.log(step))))


def train_step(model: nn.Module, batch: tuple[Tensor, Tensor], optimizer: torch.optim.Optimizer) -> float:
    """Gradients by PyTorch's functional `grad`, scaled together, then the optimizer's own step."""
    source, target = batch
    weights = [weight for weight in model.train().parameters() if weight.requires_grad]
    loss = label_smoothed_loss(model(source, F.pad(target, (1, -1), value=1)), target)
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    present = [gradient for gradient in gradients if gradient is not None]
    norm = torch.stack(torch._foreach_norm(present)).norm()
    torch._foreach_mul_(present, (1.0 / (norm + 1e-6)).clamp(max=1.0))
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient
    optimizer.step()
    return loss.item()


class SmallTranslator(nn.Module):
    """A model small enough to be looked at: it reads a bag of words and the target so far, weighted by place.

    In training mode a fixed third of its features is dropped, so that the mode shows without chance.
    """

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        for name, weight in state.items():
            self.register_parameter(name, nn.Parameter(weight.clone()))

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        real = (source != 0).unsqueeze(-1)
        read = (F.embedding(source, self.source_weight) * real).sum(1, keepdim=True) / real.sum(1, keepdim=True)
        place = torch.arange(1, target.shape[1] + 1, device=target.device).unsqueeze(-1)
        written = (F.embedding(target, self.target_weight) * place).cumsum(1) / place
        hidden = torch.tanh(read + written)
        if self.training:
            hidden = hidden * 1.5 * (torch.arange(hidden.shape[-1], device=target.device) % 3 != 1)
        return hidden @ self.output_weight


_MADE: list[nn.Module] = []


def small_translator(
    state: dict[str, Tensor], left_over: dict[str, Tensor] | None = None, evaluated: bool = False
) -> Any:
    """A small translator, and after the call a look at its weights.

    left_over: gradients that it comes with; evaluated: whether it comes in evaluation mode
    """
    from autograder.formats.fixtures import Watched

    model = SmallTranslator(state)
    model.train(not evaluated)
    for name, gradient in (left_over or {}).items():
        model.get_parameter(name).grad = gradient.clone()
    _MADE[:] = [model]
    return Watched(model, lambda: {name: weight.detach().clone() for name, weight in model.named_parameters()})


def optimizer_of_it(kind: str, rate: float, momentum: float = 0.0) -> torch.optim.Optimizer:
    """An optimizer over the model that was made last: the one in the same call."""
    weights = list(_MADE[-1].parameters())
    if kind == "adam":
        return torch.optim.Adam(weights, lr=rate, betas=(0.9, 0.98))
    if kind == "sgd in two groups":
        return torch.optim.SGD([{"params": weights[:1]}, {"params": weights[1:], "lr": rate / 2}], lr=rate)
    return torch.optim.SGD(weights, lr=rate, momentum=momentum)


def train(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    schedule: Callable[[int], float] | None = None,
    watch: Callable[[int, float], None] | None = None,
) -> list[float]:
    """With PyTorch's own scheduler: a rate of 1, times what the schedule says."""
    steps = iter(batches)
    rates = None
    if schedule is not None:
        for group in optimizer.param_groups:
            group["initial_lr"] = 1.0
        rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: schedule(done + 1))
    losses: list[float] = []
    for batch in steps:
        losses += [train_step(model, batch, optimizer)]
        if watch is not None:
            watch(len(losses), losses[-1])
        if rates is not None:
            rates.step()
    return losses


def rates_by_step(rates: Sequence[float]) -> Callable[[int], float]:
    """A schedule that names a rate for each step, from 1; before and after it goes on with strange ones."""

    def schedule(step: int) -> float:
        return float(rates[step - 1]) if 1 <= step <= len(rates) else 0.77

    return schedule


def watcher() -> Any:
    """A function that writes down what it is told and the sum of the model's first weight by then; and a look at that."""
    from autograder.formats.fixtures import Watched

    told: list[Any] = []
    model = _MADE[-1]

    def watch(*args: Any, **kwargs: Any) -> None:
        plain = (value.item() if isinstance(value, Tensor) and value.numel() == 1 else value for value in (*args, *kwargs.values()))
        words = [float(value) if isinstance(value, (int, float)) else type(value).__name__ for value in plain]
        told.append([*words, float(next(model.parameters()).detach().double().sum())])

    return Watched(watch, lambda: told)


def one_by_one(batches: Sequence[tuple[Tensor, Tensor]]) -> Any:
    """The batches from a generator, which can be gone through once and has no length."""
    return (batch for batch in batches)
