# %% [markdown]
# # 15 · Look inside: what has it learnt?
#
# **When you are done, you can**
#
# - measure what a head looks at, and name a head by what it does;
# - switch a head off and measure what that costs: the difference between *looks at* and *is needed*;
# - follow attention through all layers, and read what a model would say after each of them;
# - train a model on real sentences, and report what it has learnt so that others believe you.
#
# **Time:** about 150 minutes, 65 of them for the exercises; the open project takes an afternoon more.
# **You need:** units 05 (heads), 07 (masks), 08 (blocks) and 14 (`DecoderOnly`); for the project, unit 10.

# %% part="setup"
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder import (
    begin, check, finite, hint, keeps_inputs, leaves_the_model, matches, outcome, predict, right_shape, rows_sum_to_one, use_part,
)

begin("15_look_inside")

# %% part="setup"
# Unit 14's model: your own where it passed its checks.
DecoderOnly = use_part("DecoderOnly")

# %% [markdown] exercise="induction_score" part="prompt" points=6 difficulty=3 minutes=15
# ## Exercise 1 · `induction_score`
#
# For each head: how much of its attention goes, from a token that has occurred before, to the place right behind the token's **first** occurrence?
#
# | argument | shape | meaning |
# |---|---|---|
# | `weights` | `(batch, num_heads, seq, seq)` | the attention weights of one layer; queries are rows |
# | `ids` | `(batch, seq)`, integers | the tokens |
# | returns | `(num_heads,)` | one number for each head |

# %% exercise="induction_score" part="solution"
def induction_score(weights: Tensor, ids: Tensor) -> Tensor:
    """The mean weight from a repeated token to the place behind its first occurrence.

    weights: (batch, num_heads, seq, seq)
    ids:     (batch, seq)
    returns: (num_heads,)
    """
    ### BEGIN SOLUTION
    same = ids[..., :, None] == ids[..., None, :]
    earlier = same.tril(diagonal=-1)  # [i, j]: place j comes before i and holds the same token
    first = earlier & ~earlier.any(dim=-1)[..., None, :]  # and it holds it for the first time
    behind = F.pad(first, (1, 0))[..., :-1].unsqueeze(-3)  # one column further to the right
    total = (weights * behind).sum(dim=(-2, -1)).reshape(-1, weights.shape[-3]).sum(dim=0)
    return total / behind.sum().clamp(min=1)
    ### END SOLUTION

# %% exercise="induction_score" part="check"
check(induction_score, keeps_inputs, right_shape, finite, matches)

# %% [markdown] exercise="induction_score" part="hints"
# - Compare every place with every other: `ids[:, :, None] == ids[:, None, :]` is a table of `(batch, seq, seq)`.

# %% part="setup"
@torch.no_grad()
def next_token_loss(model: nn.Module, ids: Tensor) -> float:
    """Cross-entropy of each next token, a mean over all places but the last."""
    logits = model(ids)[:, :-1]
    return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).item()

# %% [markdown] exercise="head_ablation" part="prompt" points=9 difficulty=4 minutes=25
# ## Exercise 2 · `head_ablation`
#
# Switch one head off, and return by how much the loss grows: **ablated minus whole**.

# %% exercise="head_ablation" part="solution"
def head_ablation(model: nn.Module, batch: Tensor, layer: int, head: int) -> float:
    """How much the loss grows when one head says the same everywhere: its mean.

    batch:   (batch, seq), ids
    layer:   which of model.blocks, from 0; head: which of its heads, from 0
    returns: the loss with the head ablated minus the loss of the whole model
    """
    ### BEGIN SOLUTION
    attention = model.blocks[layer].self_attention
    d_head = attention.out_proj.in_features // attention.num_heads
    own = slice(head * d_head, (head + 1) * d_head)

    def to_mean(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        heads = inputs[0].clone()
        heads[..., own] = heads[..., own].mean(dim=(0, 1))
        return (heads,)

    was_training = model.training
    model.eval()
    hooks = []
    try:
        whole = next_token_loss(model, batch)
        hooks.append(attention.out_proj.register_forward_pre_hook(to_mean))
        return next_token_loss(model, batch) - whole
    finally:
        for hook in hooks:
            hook.remove()
        model.train(was_training)
    ### END SOLUTION

# %% exercise="head_ablation" part="check"
check(head_ablation, keeps_inputs, leaves_the_model, matches)

# %% [markdown] exercise="head_ablation" part="hints"
# - Where do the heads still stand side by side, for the last time?

# %% [markdown] exercise="attention_rollout" part="prompt" points=5 difficulty=2 minutes=10
# ## Exercise 3 · `attention_rollout`
#
# | argument | | meaning |
# |---|---|---|
# | `weights` | a list of `(num_heads, seq, seq)` | each layer's attention weights, the first layer first |
# | returns | `(seq, seq)` | row $i$: the shares of all input tokens in output $i$ |

# %% exercise="attention_rollout" part="solution"
def attention_rollout(weights: Sequence[Tensor]) -> Tensor:
    """Attention followed through all layers (Abnar and Zuidema 2020).

    weights: each layer's (num_heads, seq, seq), the first layer first
    returns: (seq, seq)
    """
    ### BEGIN SOLUTION
    itself = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype, device=weights[0].device)
    rollout = itself
    for layer in weights:
        step = layer.mean(dim=0) + itself
        rollout = (step / step.sum(dim=-1, keepdim=True)) @ rollout
    return rollout
    ### END SOLUTION

# %% exercise="attention_rollout" part="check"
check(attention_rollout, keeps_inputs, right_shape, finite, rows_sum_to_one, matches)

# %% [markdown] exercise="attention_rollout" part="hints"
# - With a single layer, what should come out?

# %% [markdown] exercise="logit_lens" part="prompt" points=5 difficulty=3 minutes=15
# ## Exercise 4 · `logit_lens`
#
# | argument | shape | meaning |
# |---|---|---|
# | `model` | a `DecoderOnly` | its blocks are `model.blocks`, its last norm `model.norm`, its table `model.embedding` |
# | `ids` | `(batch, seq)`, integers | what it reads |
# | returns | `(num_layers, batch, seq, vocab_size)` | the logits after each layer, the first layer first |

# %% exercise="logit_lens" part="solution"
def logit_lens(model: nn.Module, ids: Tensor) -> Tensor:
    """What the model would say after each of its layers.

    ids:     (batch, seq)
    returns: (num_layers, batch, seq, vocab_size); the last layer's are the model's own logits
    """
    ### BEGIN SOLUTION
    states: list[Tensor] = []
    hooks = [block.register_forward_hook(lambda _module, _inputs, output: states.append(output)) for block in model.blocks]
    try:
        with torch.no_grad():
            model(ids)
            return model.norm(torch.stack(states)) @ model.embedding.weight.T
    finally:
        for hook in hooks:
            hook.remove()
    ### END SOLUTION

# %% exercise="logit_lens" part="check"
check(logit_lens, keeps_inputs, leaves_the_model, right_shape, finite, matches)

# %% [markdown] exercise="logit_lens" part="hints"
# - A forward hook of a block is handed the block's output.
