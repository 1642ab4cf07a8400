"""What the checks of unit 15 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% exercise="induction_score" part="library"
import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.library.unit_08_encoder import Encoder
from autograder.library.unit_14_gpt import DecoderOnly


def induction_score(weights: Tensor, ids: Tensor) -> Tensor:
    """The place of a token's first occurrence is where `unique` meets it first; the weights are looked up there."""
    places = torch.arange(ids.shape[-1], device=ids.device)
    first = torch.where(ids.unsqueeze(-2) == ids.unsqueeze(-1), places, len(places)).amin(dim=-1)
    later = first < places
    behind = (first + 1).clamp(max=len(places) - 1)[:, None, :, None].expand(-1, weights.shape[1], -1, 1)
    looked = weights.gather(-1, behind).squeeze(-1) * later.unsqueeze(1)
    return looked.sum(dim=(0, 2)) / max(1, int(later.sum()))

# %% exercise="head_ablation" part="library"
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

# %% exercise="attention_rollout" part="library"
def attention_rollout(weights: Sequence[Tensor]) -> Tensor:
    """PyTorch's normalisation by the sum of sizes, and a product from the last layer down."""
    steps = []
    for layer in weights:
        mixed = layer.mean(dim=0)
        steps.append(F.normalize(mixed + torch.diag_embed(torch.ones_like(mixed[0])), p=1.0, dim=-1))
    return functools.reduce(torch.matmul, reversed(steps))

# %% exercise="logit_lens" part="library"
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
