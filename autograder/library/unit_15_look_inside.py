"""Library-backed parts of unit 15_look_inside, built from the library blocks of its lesson. Edit those."""

import copy
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.library.unit_08_encoder import EncoderBlock
from autograder.library.unit_14_gpt import DecoderOnly


def induction_score(weights: Tensor, ids: Tensor) -> Tensor:
    """The place of a token's first occurrence is where `unique` meets it first; the weights are looked up there."""
    places = torch.arange(ids.shape[-1], device=ids.device)
    first = torch.where(ids.unsqueeze(-2) == ids.unsqueeze(-1), places, len(places)).amin(dim=-1)
    later = first < places
    behind = (first + 1).clamp(max=len(places) - 1)[:, None, :, None].expand(-1, weights.shape[1], -1, 1)
    looked = weights.gather(-1, behind).squeeze(-1) * later.unsqueeze(1)
    return looked.sum(dim=(0, 2)) / max(1, int(later.sum()))


def head_ablation(model: nn.Module, batch: Tensor, layer: int, head: int) -> float:
    """On a copy of the model, which is thrown away: the head's part of what the last projection reads, by its mean."""
    twin: Any = copy.deepcopy(model).eval()
    attention = twin.blocks[layer].self_attention

    @torch.no_grad()
    def loss() -> float:
        chances = twin(batch).log_softmax(dim=-1)[:, :-1]
        return -float(chances.gather(-1, batch[:, 1:, None]).mean())

    def levelled(_module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        parts = list(inputs[0].tensor_split(attention.num_heads, dim=-1))
        parts[head] = parts[head].flatten(0, 1).mean(dim=0).expand_as(parts[head])
        return torch.cat(parts, dim=-1)

    whole = loss()
    attention.out_proj.register_forward_pre_hook(levelled)
    return loss() - whole


def _spread(seed: int, *shape: int) -> Tensor:
    """Numbers from −1 to 1 without an order to be seen, the same on every machine: whole numbers, mixed bit by bit."""
    mixed = np.arange(1, math.prod(shape) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return torch.from_numpy((mixed / 2.0**63 - 1).astype(np.float32)).view(shape)


class _OtherModel(nn.Module):
    """Unit 08's blocks behind an embedding: with biases, with dropout, and with a last layer of its own."""

    def __init__(self, vocab_size: int, d_model: int, num_heads: int, num_layers: int, d_ff: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.blocks = nn.ModuleList(EncoderBlock(d_model, num_heads, d_ff, dropout=1.0) for _ in range(num_layers))
        self.output = nn.Linear(d_model, vocab_size)

    def forward(self, ids: Tensor) -> Tensor:
        seen = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
        return self.output(functools.reduce(lambda rows, block: block(rows, seen), self.blocks, self.embedding(ids)))


def model_under_watch(seed: int, training: bool = False, sizes: Any = None, other: bool = False) -> Any:
    """A model with weights made from `seed`, and a look at whether it was left as it was.

    sizes: of unit 14's `DecoderOnly`; other: unit 08's blocks instead
    """
    return _under_watch(seed, training, sizes, other)


def model_that_stops(seed: int, run: int, arguments: Any, training: bool = False, sizes: Any = None) -> Any:
    """The same, called with `arguments` besides; it raises an exception when it is run for the time `run`, counted from 1."""
    from autograder.formats.fixtures import Driver, Watched

    watched = _under_watch(seed, training, sizes, stops_at=run)

    def drive(used: Callable[..., Any]) -> float:
        watched.live.told["asked"] = True
        try:
            used(watched.live, **arguments)
        except _Stopped:
            watched.live.told["stopped"] = False
        watched.live.told["asked"] = False
        return 0.0

    return Watched(Driver(drive), watched.look)


class _Stopped(Exception):
    """What the model raises."""


def _under_watch(seed: int, training: bool, sizes: Any, other: bool = False, stops_at: int = 0) -> Any:
    from autograder.formats.fixtures import Watched

    model: Any = _OtherModel(**sizes) if other else DecoderOnly(**sizes)
    with torch.no_grad():
        for number, (name, weight) in enumerate(model.named_parameters()):
            drawn = _spread(seed + 1009 * number, *weight.shape)
            matrix = weight.ndim > 1
            gain = 4.0 if "q_proj" in name or "k_proj" in name else 2.5
            weight.copy_(drawn * gain * weight.shape[-1] ** -0.5 if matrix else 1 + drawn / 2 if "weight" in name else drawn / 2)
            weight.grad = torch.ones_like(weight)
    ids = torch.arange(2 * 5).view(2, 5) % sizes["vocab_size"]
    model.told = {"trained": False, "runs": 0, "stopped": False, "asked": not stops_at}

    def notice(module: Any, _given: tuple[Any, ...]) -> None:
        model.told["trained"] |= module.training
        model.told["runs"] += model.told["asked"]
        if stops_at and model.told["runs"] == stops_at and model.told["asked"]:
            model.told["stopped"] = True
            raise _Stopped("this model raises an exception, to see what your function leaves behind")

    def hooks() -> int:
        return sum(
            len(part._forward_hooks) + len(part._forward_pre_hooks) + ("forward" in vars(part)) for part in model.modules()
        )

    @torch.no_grad()
    def logits() -> Tensor:
        asked, mode, model.told["asked"] = model.told["asked"], model.training, False
        try:
            given = model.eval()(ids)
        except Exception:  # whatever is left in it
            given = torch.full_like(ids, torch.nan, dtype=torch.float32)[..., None]
        model.train(mode)
        model.told["asked"] = asked
        return given

    model.register_forward_pre_hook(notice)
    model.train(training)
    before, first, count = {name: weight.detach().clone() for name, weight in model.named_parameters()}, logits(), hooks()

    def look() -> dict[str, bool]:
        weights = dict(model.named_parameters())
        end = " when the model raises" if stops_at else ""
        told = dict(model.told)
        facts = {
            "runs in training mode": told["trained"],
            f"leaves a hook behind{end}": hooks() > count,
            f"leaves another mode{end}": model.training != training,
            f"gives other logits{end}": not torch.allclose(logits(), first, rtol=1e-3, atol=1e-3),
        }
        if stops_at:
            return facts | {"swallows an exception": told["stopped"]}
        return facts | {
            "leaves other weights": any(not torch.equal(weights[name], weight) for name, weight in before.items()),
            "leaves other gradients": any(w.grad is None or bool((w.grad != 1).any()) for w in weights.values()),
            "leaves weights that do not learn": any(not weight.requires_grad for weight in weights.values()),
        }

    return Watched(model, look)


def attention_rollout(weights: Sequence[Tensor]) -> Tensor:
    """PyTorch's normalisation by the sum of sizes, and a product from the last layer down."""
    steps = []
    for layer in weights:
        mixed = layer.mean(dim=0)
        steps.append(F.normalize(mixed + torch.diag_embed(torch.ones_like(mixed[0])), p=1.0, dim=-1))
    return functools.reduce(torch.matmul, reversed(steps))


def logit_lens(model: nn.Module, ids: Tensor) -> Tensor:
    """The same model with its first block alone, then with two, and so on: it applies norm and table by itself."""
    whole: Any = model
    found = []
    for depth in range(1, len(whole.blocks) + 1):
        shorter = copy.copy(model)
        shorter._modules = dict(model._modules)
        shorter.blocks = nn.ModuleList(list(whole.blocks)[:depth])
        with torch.no_grad():
            found.append(shorter(ids))
    return torch.stack(found)
