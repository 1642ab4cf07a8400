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
# Unit 14's model, and its turning by place: your own where they passed their checks.
DecoderOnly, apply_rope = use_part("DecoderOnly"), use_part("apply_rope")

# %% [markdown]
# ## The idea: a task that shows how it is done
#
# Read this once: **K F Q A W**. Now it begins again: **K F ...** What comes next?
#
# You said Q, and you have never seen this row before. So you have not *known* it, you have *looked it up*: where did F stand? What stood
# behind it? A Transformer can do the same with two heads, one in each of two layers:
#
# 1. a head of the first layer looks at the place **before** its own. So every vector also knows which token stands before it;
# 2. a head of the second layer looks for the vector that says "F stands before me", finds Q, and says Q.
#
# The second one is called an **induction head** (Elhage and others, 2021). That our model works like this is a hypothesis so far. This unit
# teaches you to test it with four instruments: what a head looks at, what happens without it, where information comes from, and what the model
# would say halfway.

# %% part="demo" folded=True
from autograder.lab.figures import Arrow, Box, bars, flow, lines, matrix, panels, show
from autograder.lab.tables import table

row = ["K", "F", "Q", "A", "W", "K", "F"]
boxes = {f"in{i}": Box(f"  {token}  ", i, 0, "orange" if i in (1, 2, 6) else "grey") for i, token in enumerate(row)}
boxes |= {"Q1": Box("Q, behind F", 2, 1.1, "blue"), "F1": Box("F", 6, 1.1, "blue"), "out": Box("says: Q", 6, 2.2, "green")}
arrows = [Arrow("in1", "Q1", "layer 1: the token before", bend=0.25), Arrow("in2", "Q1"), Arrow("in6", "F1"),
          Arrow("Q1", "out", "layer 2: who stands behind F?", bend=0.2), Arrow("F1", "out")]
show(flow(boxes, arrows, title="Induction: two heads, one after the other"))

# %% [markdown]
# ## First instrument: what does it look at?
#
# If there is such a head, its weights give it away. From the second F it looks at the place **behind** the first one: the next place to the right. So take all places whose
# token has occurred before, and average the weight on the place behind the token's first occurrence:
#
# $$\text{score}_h = \frac{1}{|R|} \sum_{(b, i) \in R} w_{b,h,i,\,f(b,i)+1}$$
#
# - $w_{b,h,i,j}$: the weight that query $i$ of head $h$ gives to key $j$ in sentence $b$;
# - $R$: all pairs of a sentence $b$ and a place $i$ whose token stands at some earlier place too; $|R|$ is their number;
# - $f(b,i)$: the place where that token occurs **first** in sentence $b$.
#
# **In numbers.** The tokens are `7 4 9 7 4`. Two places are repeated: place 3 (7 stands first at place 0: look at column 1) and place 4 (4 stands first at
# 1: look at column 2). If a head has the weights $w_{3,1} = 0.9$ and $w_{4,2} = 0.5$, its score is 0.7.

# %% [markdown] exercise="induction_score" part="prompt" points=6 difficulty=3 minutes=15
# ## Exercise 1 · `induction_score`
#
# Write the formula above.
#
# | argument | shape | meaning |
# |---|---|---|
# | `weights` | `(batch, num_heads, seq, seq)` | the attention weights of one layer; queries are rows |
# | `ids` | `(batch, seq)`, integers | the tokens |
# | returns | `(num_heads,)` | the score of each head; **0 for every head if no token in the batch is repeated** |
#
# - A token that comes a third time is a repeated one as well. It, too, looks behind the **first** occurrence.
# - The mean is over all repeated places of the batch together. A sentence with many of them counts more than one with few.
# - All ids are tokens like any other, 0 too; there is no padding.

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
# - Compare every place with every other: `ids[:, :, None] == ids[:, None, :]` is a table of `(batch, seq, seq)`. Which half of it says "the same
#   token, and earlier"?
# - In each row, only one column counts: the first occurrence. A place is a first occurrence if its token stands nowhere before it.
# - "The place behind it" is one column further to the right. Once you have a table of True and False of the places that count, a product and two sums are all.
# - Without any repeated token you would divide 0 by 0. `clamp(min=1)` helps.

# %% [markdown]
# ### A model that must look things up
#
# There are 32 tokens: the letters and six digits. For each training row a block of 12 to 20 different ones is drawn, and it is repeated until the row has 40 tokens. There is nothing to learn by
# heart: no row comes twice. And the length of the block differs, so "20 places back" is no answer either.
#
# The model is unit 14's, and small: 4 heads, width 64. We train it with one layer and with two, and measure every 25 steps, on rows in which
# a block of 16 stands exactly twice: the loss on tokens of the second reading, whose next token can be known, and the largest induction score of all heads.
#
# **Predict first.** A model that guesses has a loss of $\ln 32 \approx 3.5$. How far does the model with **one** layer get?

# %% part="demo"
predict("15-one-layer", "The loss of the one-layer model at the end, on tokens of the second reading:",
        choices=("below 0.5", "from 0.5 to 3", "above 3: it learns nothing"))

# %% [markdown]
# **Predict first.** The two-layer model's loss falls to nearly 0. At the step at which it has fallen **halfway**, how large is the best head's
# score, in percent of what it will be in the end?

# %% part="demo"
predict("15-halfway", "The best score when the loss has fallen halfway, as a share of the final one:", unit="%")

# %% part="demo" folded=False
from autograder.lab.inside import causal_recording, causal_weights, top_tokens

torch.set_num_threads(1)  # on a CPU, tensors as small as these are faster without sharing the work
NAMES, STEPS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 700
score_of = use_part("induction_score")


def repeated(count: int, seq: int, draws: torch.Generator, shortest: int = 12, longest: int = 20) -> Tensor:
    """(count, seq) ids: in each row a block of different tokens, read again and again."""
    blocks = torch.rand(count, len(NAMES), generator=draws).argsort(dim=-1)
    lengths = torch.randint(shortest, longest + 1, (count, 1), generator=draws)
    return blocks.gather(1, torch.arange(seq) % lengths)


def known_loss(model: nn.Module, ids: Tensor) -> float:
    """The mean loss on the second half, whose next tokens can be known."""
    half = ids.shape[1] // 2
    return F.cross_entropy(model(ids)[:, half:-1].flatten(0, 1), ids[:, half + 1 :].flatten()).item()


def train(num_layers: int, seed: int = 0) -> tuple[nn.Module, dict[str, list[float]]]:
    torch.manual_seed(seed)
    model, draws = DecoderOnly(len(NAMES), 64, 4, 4, num_layers, 32), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98), weight_decay=0.01)
    warm_up = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 50))
    seen: dict[str, list[float]] = {"step": [], "loss": [], "score": []}
    for step in range(STEPS + 1):
        if step % 25 == 0:
            with torch.no_grad():
                scores = [score_of(weights, twice) for weights in causal_weights(model, twice, apply_rope)]
                values = (step, known_loss(model, twice), torch.stack(scores).max().item())
            for name, value in zip(seen, values, strict=True):
                seen[name].append(value)
        ids = repeated(32, 40, draws)
        loss = F.cross_entropy(model(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        warm_up.step()
    return model.eval(), seen


twice = repeated(64, 32, torch.Generator().manual_seed(1000), 16, 16)  # a block of 16, exactly two times
runs = {f"{number} layer{'s' * (number > 1)}": train(number) for number in (1, 2)}
model, told = runs["2 layers"]

# %% part="demo" folded=True
figure, axes = panels(2, 1, height=5.6, sharex=True)
for axis, what, ylabel in ((axes[0, 0], "loss", "loss (nats), second reading"), (axes[1, 0], "score", "largest induction score")):
    lines(told["step"], {name: seen[what] for name, (_, seen) in runs.items()}, "training step" if what == "score" else "", ylabel,
          ax=axis, markers=False)
show(figure)
passed = next(step for step, one, two in zip(told["step"], runs["1 layer"][1]["loss"], told["loss"], strict=True) if two < runs["1 layer"][1]["loss"][-1])
print(f"Two layers pass the last loss of the model with one layer at step {passed}.")

# %% part="demo"
last = runs["1 layer"][1]["loss"][-1]
outcome("15-one-layer", "below 0.5" if last < 0.5 else "from 0.5 to 3" if last <= 3 else "above 3: it learns nothing")
halfway = next(i for i, loss in enumerate(told["loss"]) if loss < (told["loss"][0] + told["loss"][-1]) / 2)
outcome("15-halfway", 100 * told["score"][halfway] / told["score"][-1], unit="%")

# %% [markdown]
# The loss of the two-layer model falls in one place of the curve, within some 300 steps, and stays low. Its score rises in the same place, a little
# behind it. Now compare with one layer. Its score stays near 0, and still it does better than guessing: the next token is one of those read 12 to 20
# places ago, so most others can be ruled out. That takes no second layer, and the two-layer model needed no induction head for the first half of its
# fall. What only two layers can do is the second half, down to 0. There the score rises. (In six runs with different seeds, which are not shown here, the score was always below a quarter of its final value when
# the loss had fallen halfway, and above 0.85 in the end.)
#
# Olsson and others (2022) saw the same in models of text: a bump in the loss curve, and in the same place the induction heads come.
#
# ### The explorer: every head, every place
#
# Here is one row, twelve letters read twice: all heads of block 1, then the explorer, in which you choose among layers and heads in a live notebook.
# Which head of the first block looks at the place before? Which of the second look behind the first occurrence?

# %% part="demo"
from autograder.lab.explorer import explore, picture

once = repeated(1, 24, torch.Generator().manual_seed(7), 12, 12)
letters = [NAMES[i] for i in once[0].tolist()]
recorded = causal_recording(model, once, apply_rope, letters)
show(picture(recorded, "block 1, self-attention", None))
explore(recorded, layer="block 2, self-attention")

# %% part="demo" folded=True
HEADS = [(layer, head) for layer in range(2) for head in range(4)]
weights = causal_weights(model, twice, apply_rope)
scores = {place: score_of(weights[place[0]], twice)[place[1]].item() for place in HEADS}
rows = []
for layer, head in HEADS:
    looks = weights[layer][:, head]
    itself, before = (looks.diagonal(offset=-back, dim1=-2, dim2=-1).mean().item() for back in (0, 1))
    rows.append((f"layer {layer + 1}, head {head + 1}", *(f"{value:.2f}" for value in (itself, before, scores[layer, head]))))
table(rows, ["mean weight", "on itself", "on the place before", "behind the first occurrence"])

# %% [markdown]
# So there they are: at least one head of the first layer that looks mostly at the place before, and several induction heads in the second. (No first-layer head
# has an induction score: for "who stands behind F?" somebody must have noted it first.)
#
# ## Second instrument: what happens without it?
#
# A weight says where a head *looks*. It does not say that anything comes of it. For that, take the head away, and measure. This is called **ablation**.
#
# What is "away"? If the head's output were set to 0, later layers would read something they have never seen. Set it to its **mean**
# instead, the same vector at all places of all sentences. Then the later layers still get what the head adds on average, but they can read nothing about the input from it.
#
# $$\Delta_{l,h} = L\big(\text{model with } z^{l,h}_{b,t} := \bar z^{l,h}\big) - L(\text{model}) \qquad
# \bar z^{l,h} = \frac{1}{B\,T} \sum_{b,t} z^{l,h}_{b,t}$$
#
# - $z^{l,h}_{b,t}$: what head $h$ of layer $l$ gives at place $t$ of sentence $b$, $d_\text{head}$ numbers, **before** `out_proj` mixes it with the others;
# - $B, T$: sentences in the batch, tokens in a sentence; $L$: the loss, as `next_token_loss` below measures it.
#
# **In numbers.** One sentence of three places; the head gives (1, 0), (3, 2), (2, 4). The mean is (2, 2). Ablated, it gives (2, 2) three times. If the
# loss was 0.3 before and is 1.1 then, $\Delta = 0.8$.
#
# **Where to take hold.** In unit 05's layer, as in unit 14's, the heads stand side by side for the last time in what goes **into** `out_proj`: head 0 has the first
# $d_\text{head}$ numbers, head 1 the next, and so on. PyTorch lets you take hold of that without touching the model's code, by a *hook*:

# %% part="demo" folded=False
layer = nn.Linear(2, 2, bias=False)
with torch.no_grad():
    layer.weight.copy_(torch.eye(2))


def tenfold(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Runs before the layer, and is handed the layer and its inputs, a tuple. What it returns goes in instead."""
    return (10 * inputs[0],)


x = torch.tensor([1.0, 2.0])
hook = layer.register_forward_pre_hook(tenfold)
print("with the hook:   ", layer(x).tolist())
hook.remove()
print("without it again:", layer(x).tolist())

# %% part="setup"
@torch.no_grad()
def next_token_loss(model: nn.Module, ids: Tensor) -> float:
    """Cross-entropy of each next token, a mean over all places but the last."""
    logits = model(ids)[:, :-1]
    return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).item()

# %% [markdown] exercise="head_ablation" part="prompt" points=9 difficulty=4 minutes=25 relative=2e-4 absolute=2e-5
# ## Exercise 2 · `head_ablation`
#
# Measure with `next_token_loss(model, batch)`, once as the model is and once with one head ablated. Return **ablated minus whole**.
#
# | argument | | meaning |
# |---|---|---|
# | `model` | a module | `model(batch)` gives logits; its attention layers are `model.blocks[i].self_attention`, each with `out_proj` and `num_heads` |
# | `batch` | `(batch, seq)`, integers | the tokens to measure on |
# | `layer`, `head` | numbers | which block, and which of its heads, both counted from 0 |
# | returns | a number | how much the loss grows; negative if it falls |
#
# - The mean is over **all** places of all sentences, for each of the head's $d_\text{head}$ numbers by itself. The other heads stay as they are.
# - $d_\text{head}$ is the width of `out_proj`'s input (`out_proj.in_features`) divided by `num_heads`. Any model with these names will do: unit 14's, or one that is built of unit 08's blocks.
# - Measure in evaluation mode, and leave the model as it came: its mode, its weights, its gradients, and no hook of yours in it. **Also if the
#   model raises an exception** in the middle: then clean up (`try` ... `finally`), and let the exception through.

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
# - Write the hook first: copy the input (`.clone()`), and overwrite the columns from `head * d_head` to `(head + 1) * d_head`.
# - `x.mean(dim=(0, 1))` is a mean over two axes at once. It broadcasts when you assign it to all places.
# - `model.training` says in which mode the model is; `model.train(was_training)` puts it back.
# - What stands in a `finally` runs in any case: after a `return`, and after an exception. Register the hook inside the `try`, remove it in the `finally`.

# %% [markdown]
# ### Looked at, and needed
#
# Eight heads. You know each one's induction score. **Predict first.** Ablate them one at a time. Which one costs most?

# %% part="demo"
predict("15-costliest", "The head whose ablation costs most:",
        choices=("the one with the highest induction score", "another one of layer 2", "one of layer 1"))

# %% part="demo" folded=True
ablate = use_part("head_ablation")
costs = {place: ablate(model, twice, *place) for place in HEADS}
called = {place: f"layer {place[0] + 1}, head {place[1] + 1}" for place in HEADS}
figure, axes = panels(1, 2, width=6.6, height=3.9)
bars({called[place]: round(scores[place], 2) for place in HEADS}, "induction score", ax=axes[0, 0])
bars({called[place]: round(costs[place], 2) for place in HEADS}, "growth of the loss", ax=axes[0, 1])
axes[0, 1].tick_params(labelleft=False)
show(figure)
ranked = sorted(HEADS, key=lambda place: scores[place], reverse=True)
others = [ranked[2:][i] for i in torch.randperm(6, generator=torch.Generator().manual_seed(0))[:2].tolist()]
for name, some in (("the two highest scores", ranked[:2]), ("two others, drawn at random", others)):
    print(f"{name}: {', '.join(called[place] for place in some)}; mean growth {sum(costs[place] for place in some) / 2:.2f}")

# %% part="demo"
costliest = max(HEADS, key=lambda place: costs[place])
outcome("15-costliest", "one of layer 1" if costliest[0] == 0 else "the one with the highest induction score" if costliest == ranked[0]
        else "another one of layer 2")

# %% [markdown]
# If you had kept the heads that score highest and thrown away the others, you would have thrown away the wrong ones. Two things come between looking and being needed.
#
# **Others do the same.** Several heads of layer 2 do induction; without one of them, the others still do it. Ablating them one at a time cannot
# show that. So take away all four at once:

# %% part="demo"
def all_heads(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (inputs[0].mean(dim=(0, 1), keepdim=True).expand_as(inputs[0]),)


hook = model.blocks[1].self_attention.out_proj.register_forward_pre_hook(all_heads)
together = next_token_loss(model, twice)
hook.remove()
alone = [costs[place] for place in HEADS if place[0] == 1]
print(f"layer 2, one head at a time: {' + '.join(f'{cost:.2f}' for cost in alone)} = {sum(alone):.2f}")
print(f"all four together:           {together - next_token_loss(model, twice):.2f}")

# %% [markdown]
# **Others depend on it.** A head of layer 1 has no induction score, and all induction heads read what it wrote. (In six runs with different seeds, which are not shown here, the costliest head was one of
# layer 1 each time, with a score below 0.02.)
#
# So a weight is a *correlation*: the head looks there while the answer is right. An ablation is an *intervention*: you change one thing and see what follows.
# It has limits of its own: a cost near 0 may mean "useless" or "there is a second one".
#
# ## Third instrument: where does it come from?
#
# The weights of layer 2 say: from the second F, look at Q. But the vector at Q is no longer the letter Q alone. It also holds what layer 1 put there. To
# follow attention back to the input, go through all layers. **Attention rollout** (Abnar and Zuidema, 2020) does it like this:
#
# $$\tilde A^{(l)} = \text{each row of } \Big(\frac1H \sum_h A^{(l)}_h + I\Big) \text{ divided by its sum}, \qquad
# R^{(l)} = \tilde A^{(l)}\, R^{(l-1)}, \qquad R^{(0)} = I$$
#
# - $A^{(l)}_h$: the weights of head $h$ in layer $l$, a row for each query; $H$: its number of heads; layers count from 1, **the first one** nearest to the input;
# - $I$: the identity. It stands for the residual: each vector is also handed on as it is;
# - $R^{(l)}$: row $i$ says from which input tokens the vector at place $i$ comes, after $l$ layers. Each row sums to 1.
#
# Each new layer is multiplied **from the left**: output $i$ draws on the vectors below it, and each of these on its own inputs.
#
# **In numbers.** Two tokens, one head in each layer:
#
# $$A^{(1)} = \begin{pmatrix} 1 & 0 \\ \frac12 & \frac12 \end{pmatrix} \to
# \tilde A^{(1)} = \begin{pmatrix} 1 & 0 \\ \frac14 & \frac34 \end{pmatrix}, \quad
# A^{(2)} = \begin{pmatrix} 1 & 0 \\ 1 & 0 \end{pmatrix} \to
# \tilde A^{(2)} = \begin{pmatrix} 1 & 0 \\ \frac12 & \frac12 \end{pmatrix}, \quad
# \tilde A^{(2)} \tilde A^{(1)} = \begin{pmatrix} 1 & 0 \\ \frac58 & \frac38 \end{pmatrix}$$

# %% [markdown] exercise="attention_rollout" part="prompt" points=5 difficulty=2 minutes=10
# ## Exercise 3 · `attention_rollout`
#
# | argument | | meaning |
# |---|---|---|
# | `weights` | a list of `(num_heads, seq, seq)` | the attention weights of **one** sentence in each layer, the first layer first; layers may have different numbers of heads |
# | returns | `(seq, seq)` | row $i$: the shares of all input tokens in output $i$ |
#
# A row of weights that are all 0 (a query that may see nothing, unit 07) is a row like any other: add the identity, then divide by what the row sums to.

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
# - With a single layer, what should come out? Write that first: mean, identity, row sums.
# - `torch.eye(n)` is the identity; `sum(dim=-1, keepdim=True)` keeps the axis, so that dividing broadcasts along rows.
# - Begin with the identity, and multiply it by one layer after the other. On which side does the new layer stand?

# %% [markdown]
# ### Three answers to one question
#
# The question: at place 24 of our rows a token stands for the second time; it stood at place 8 first. Which places does the answer there come from? Three rows of
# numbers, each a mean over 64 rows of tokens:
#
# - **weights of layer 2**, a mean over its heads;
# - **rollout** through both layers;
# - **intervention**: replace the token at one place by one that does not occur in the row, and see how much probability the right answer loses.
#
# **Predict first.** Layer 2 looks at place 9, behind the first occurrence. What if the token at place **8** is replaced, the first occurrence itself? How many
# percentage points does the probability of the right answer lose?

# %% part="demo"
predict("15-replaced", "Replaced: the first occurrence, at place 8. The right answer loses:", unit="points")

# %% part="demo" folded=False
follow, PLACE = use_part("attention_rollout"), 24
weights = causal_weights(model, twice, apply_rope)
attended = weights[1].mean(dim=1)[:, PLACE].mean(dim=0)
rolled = torch.stack([follow([layer[b] for layer in weights])[PLACE] for b in range(len(twice))]).mean(dim=0)


@torch.no_grad()
def chance_of_the_answer(ids: Tensor) -> Tensor:
    """The probability, at PLACE, of the token that came next in the first reading."""
    return model(ids)[:, PLACE].softmax(dim=-1).gather(-1, twice[:, PLACE + 1, None])


strangers = torch.stack([next(i for i in range(len(NAMES)) if i not in row) * torch.ones((), dtype=torch.long) for row in twice.tolist()])
lost = torch.zeros(twice.shape[1])
for place in range(PLACE + 1):
    changed = twice.clone()
    changed[:, place] = strangers
    lost[place] = (chance_of_the_answer(twice) - chance_of_the_answer(changed)).mean()

# %% part="demo" folded=True
answers = {"weights of layer 2": attended[: PLACE + 1], "rollout": rolled[: PLACE + 1], "intervention": lost[: PLACE + 1].clamp(min=0)}
near = [6, 7, 8, 9, 10, 22, 23, 24]
show(matrix(torch.stack([values[near] for values in answers.values()]), "place", "", rows=list(answers), columns=list(map(str, near)),
            colour_label="share", title="Where the answer at place 24 comes from"))
rest = [place for place in range(PLACE + 1) if place not in near]
print("largest at any other place:", ", ".join(f"{name} {values[rest].max():.2f}" for name, values in answers.items()))

# %% part="demo"
outcome("15-replaced", 100 * lost[8].item(), unit="points")

# %% [markdown]
# Layer 2's weights hardly know place 8. Rollout does follow the path from 9 back to 8. But it counts all heads alike, and the residual with them, so the one
# path that decides everything is thinned to a few percent. The intervention says: without the token at 8 there is no answer. Layer 1 then writes another token into place 9, and place 24 finds nothing that matches.
#
# So read attention weights as a hint where to intervene. Whether they *explain* a model has been disputed at length (Jain and Wallace, 2019; Wiegreffe and Pinter, 2019).
#
# ## Fourth instrument: what would it say by now?
#
# In a pre-norm model the vectors are only ever added to: $x^{(l)} = x^{(l-1)} + \dots$ All layers write into one stream, and the last norm and the
# token table read the end of it. What if they read earlier, as in unit 08? That is the **logit lens** (nostalgebraist, 2020):
#
# $$\text{lens}^{(l)} = \text{RMSNorm}\big(x^{(l)}\big)\, E^\top \qquad l = 1, \dots, N$$
#
# Here $x^{(l)}$ is what block $l$ gives, RMSNorm is the model's last norm, and $E$ is its token table: the embedding, a row for each token. The stream before the first block is left out. For $l = N$ the lens gives the
# model's own logits.

# %% [markdown] exercise="logit_lens" part="prompt" points=5 difficulty=3 minutes=15
# ## Exercise 4 · `logit_lens`
#
# | argument | shape | meaning |
# |---|---|---|
# | `model` | a `DecoderOnly` | its blocks are `model.blocks`, its last norm `model.norm`, its table `model.embedding` |
# | `ids` | `(batch, seq)`, integers | what it reads |
# | returns | `(num_layers, batch, seq, vocab_size)` | the logits after each layer, the first layer first; the last ones are the model's own |
#
# One tensor, not a list. The embedding itself, before any block, does not count as a layer. Leave the model as it was: no hook of yours stays in it, **also if the model
# raises an exception**. It is in evaluation mode already, and no gradients are needed.

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
# - `block.register_forward_hook(function)` runs *after* a block: `function(module, inputs, output)`. If it returns nothing, the output stays as it is. Have it append the
#   output to a list.
# - One call of `model(ids)` fills the list; `torch.stack` makes one tensor of it. Which norm and which table turn these into logits?
# - As before: hooks are removed in a `finally`.

# %% [markdown]
# ### The table of likeliest tokens
#
# **Predict first.** In our model, at the places of the second reading: how often is the likeliest token right already after the **first** of the two layers?

# %% part="demo"
predict("15-lens", "Right after layer 1, of the places of the second reading:", unit="%")

# %% part="demo" folded=True
see = use_part("logit_lens")
show(top_tokens(see(model, once)[:, 0], NAMES, letters, title="The likeliest next token after each layer"))

# %% part="demo"
lens = see(model, twice)
right = (lens.argmax(dim=-1)[:, :, 16:-1] == twice[:, 17:]).float().mean(dim=(1, 2))
print("right in the second reading:", ", ".join(f"after layer {number + 1} {share:.0%}" for number, share in enumerate(right.tolist())))
print(f"the last layer's lens and the model's logits differ by at most {(lens[-1] - model(twice)).abs().max().item():.0e}")
outcome("15-lens", 100 * right[0].item(), unit="%")

# %% [markdown]
# In the first reading nothing can be known, and the pale colours of the last layer say so. In the second it is sure. And after layer 1? Not yet the
# answer. Layer 1 writes for layer 2 to read ("who stands before me?"), and in the language of the token table that means nothing. Still the lens shows
# strong colours there: it can be sure of a letter that nobody meant. It shows what the stream *says* only as far as the last norm and the
# table can read it. In large models the middle layers often need a small learned translation first (Belrose and others, 2023).
#
# ## Four instruments, side by side
#
# | instrument | answers | does not answer |
# |---|---|---|
# | weights, `induction_score` | where does a head look? | does anything depend on it? |
# | ablation, `head_ablation` | how much does the loss grow without it, everything else in place? | is it useless, or is there a second one? |
# | rollout, `attention_rollout` | which inputs *can* have come this way, if all heads count alike? | which ones did? |
# | lens, `logit_lens` | what can be read off the stream by now? | what else does it hold? |
#
# None of them alone is a proof. Together they carry the story of the first picture: a head that notes who stands before, heads that look there, and an answer that
# comes in with the second layer.

# %% [markdown] part="question"
# ## The open project (20 points, read by a person)
#
# Train a translator on **real** sentences, and write a report of one or two pages. What is judged is not the score, but whether a reader can believe and use what you
# write.
#
# **The data**, one of these:
#
# - Tatoeba's pairs cmn–eng, as manythings.org/anki offers them: a file with English, tab, Chinese on each line;
# - pairs of your own in the same form: another language, the titles of your photographs and their descriptions, anything with two sides;
# - if you have neither: the course's own generator (unit 10), with a kind of phrase that you keep out of training altogether.
#
# **The training.** In a terminal, in the course's folder: `python -m autograder real-data FILE --minutes 30` (`--help` tells all options). It splits the pairs so that no sentence stands on
# both sides of the split (training and test), trains the course's Transformer, draws the two curves of point 2 below, reports BLEU with sacrebleu's signature, and chrF, counts what can be seen of the errors, and lists the first ten. It can be
# interrupted and taken up again. With the generator, unit 10's `train` and unit 11's `corpus_bleu` do the same.
#
# **The report**, in the cell below, says (a curve may be a table):
#
# 1. *What you did*: data (how many pairs, from where, how split), model, steps, minutes, machine, seed. Enough for somebody else to repeat it.
# 2. *Both curves*, over the training steps, on sentences that the model has not seen: the share of next tokens that it gets right when the right words stand before them (teacher forcing), and the quality of what it writes alone (sentences right, or BLEU). What do you read off them?
# 3. *The score*: BLEU on the test side with its signature, beside a model to compare with (greedy against four beams, or half the training). How sure are you of the difference?
# 4. *Ten errors*, not chosen by you: the first ten wrong translations of the test side, each with source, output, reference, and its **cause**. Sort them by cause, and say how you
#    know. Look inside at least once: draw a map, ablate a head, or change one token.
# 5. *One thing that you tried and that did not help*, with the numbers before and after, and what you think now.
#
# Each of the five parts counts 4 points. The solutions hold the rubric and a report as an example.

# %% [markdown] part="answer" id="open-project" points=20
# ### BEGIN SOLUTION
# **A report as an example.** Its training was short on purpose, three minutes: with more of them the scores rise, and the way of asking stays the same.
#
# **1. What was done.** 29,155 pairs of Tatoeba cmn–eng (tatoeba.org, CC BY 2.0 FR, by way of manythings.org/anki), split by sentences that are linked: 27,051 pairs to train on, 1,001 to validate, 1,003 to test
# on. No sentence of either language stands on two sides. Each source is translated once, against one reference: 897 and 873 sentences. The model: 1.49 million weights, d_model 128,
# 2 + 2 layers, characters in, pieces of words out. Seed 0, three minutes of CPU time on one core (AMD EPYC, bfloat16), 1,125 steps, 5.3 times through the pairs.
#
# **2. Both curves**, on 100 sentences of the validation side:
#
# | step | right next piece, teacher-forced | whole sentence right, written alone | BLEU, written alone |
# |---:|---:|---:|---:|
# | 100 | 35 % | 0 % | 0.8 |
# | 300 | 46 % | 1 % | 9.4 |
# | 500 | 54 % | 4 % | 16.7 |
# | 700 | 56 % | 7 % | 18.6 |
# | 900 | 60 % | 10 % | 23.1 |
#
# With the right words before it, the model knows the next piece early. Alone it comes later, since one wrong piece leads to the next. A leak would
# have held the second curve at 0. Both still rise at the end: training was stopped too early for a final word. At the end: 57 % of the pieces on the test side.
#
# **3. The score.** On the 873 test sentences: 22.3 BLEU with four beams, 21.4 greedily (`nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0`). 65 and 69 sentences
# are exactly the reference. The two measures disagree on which is better. With one seed, and no test by resampling, I do not claim that four beams are better here.
#
# **4. Ten errors**: the first ten test sentences whose output (four beams) is not the reference.
#
# | | source | output | reference | cause |
# |---:|---|---|---|---|
# | 3 | 请用这个。 | Please use this. | Use this. | none: one reference |
# | 10 | 你想去吗？ | Do you want to go? | Would you like to go? | none: one reference |
# | 2 | 我经常使用SSH来远程连接到我的电脑。 | I often picked up my computer. | I often use SSH to access my computers remotely. | seldom seen |
# | 5 | 汤姆告诉玛丽她应该停止假装醉酒。 | Tom told Mary to stop drunk. | Tom told Mary that she should quit pretending to be intoxicated. | seldom seen |
# | 6 | 这里发生的事是不可避免的。 | It's avossible here. | What happened here was unavoidable. | seldom seen |
# | 7 | 她们被母亲抛弃了。 | They've got up with her mother. | They were abandoned by their mother. | seldom seen |
# | 9 | 一个人只能活七十岁左右。 | One can live at seven. | Humans only live about 70 years. | seldom seen |
# | 1 | 汤姆说玛丽应该现在行动。 | Tom said Mary should be right now. | Tom said Mary should do that now. | a word lost |
# | 8 | 我住在国外十年了。 | I live in ten years. | I lived abroad for ten years. | a word lost |
# | 4 | 吃过午饭后，她准备好要出门了。 | After dinner, she was ready to eat out. | After she had lunch, she got ready to go out. | one clause colours the other |
#
# How I know. *Seldom seen* was counted in the training pairs: S once and H never, 不可避免 once, 抛 4 times, 醉 35 times, 七十 not once. I changed one thing: 他三十岁 gives
# "He is thirty", 他七十岁 "He is seven". The model knows seventy as little as its training does. *A word lost*: 我住在国外 alone gives "I live abroad", so the word is
# known; with 十年了 behind it, it is gone. 汤姆说玛丽应该现在走 gives "Tom said Mary should go now". *One clause colours the other*: 她准备好要出门了 alone gives "She is ready to go out";
# behind the meal it becomes "eat out".
#
# Is it the search? No: for all ten, the model gives its own output a higher probability than the reference (sentence 8: a log-probability of −3.8 against −4.5). A better search cannot mend that.
#
# **5. What did not help.** Eight beams in place of four: 22.0 BLEU against 22.3, and 64 exact sentences against 65. After part 4 that was to be expected: the model, and not the search, prefers the
# wrong sentences. I would rather train longer, and add pairs with numbers.
#
# **Rubric (20 points, 4 for each part).**
#
# 1. *Done so that it can be repeated*: data with numbers and source (1), a split without shared sentences, and how it was made (1), model and training (1), machine, time, seed (1).
# 2. *Both curves*: teacher-forced (1) and written alone (1), on unseen sentences (1), and a reading of both that fits the numbers (1).
# 3. *The score*: BLEU with its signature, on the test side (2); something to compare with (1); an honest word on how sure the difference is (1).
# 4. *Ten errors*: the first ten, not chosen (1), sorted by cause (1), with evidence for the causes that goes beyond looking (1), at least one look inside or one thing changed (1). Outputs that are right in
#    other words are said to be so.
# 5. *What did not help*: one change at a time (1), numbers before and after (1), what was expected (1), what follows (1). A failed attempt earns full points, a hidden one none.
# ### END SOLUTION

# %% [markdown]
# ## What you built
#
# - `induction_score`: a hypothesis about a head, as a number.
# - `head_ablation`: how much the loss grows without a head, in any model with `blocks` and `out_proj`.
# - `attention_rollout`: attention followed back to the input.
# - `logit_lens`: what a model would say after each layer.
#
# ## Test yourself
#
# **1.** A head has an induction score of 0.95, and ablating it changes the loss by 0.01. Name two explanations.
#
# <details><summary>Answer</summary>
#
# Another head does the same, or what this head writes is not read by anyone (its part of `out_proj` may even be nearly 0). Ablate it together with the other high ones to tell.
# </details>
#
# **2.** Why can no head of the **first** layer do induction in general?
#
# <details><summary>Answer</summary>
#
# Its keys are made from single tokens: the key at Q does not know that F stands before it. Somebody must write that there first, and this is layer 1 itself.
# (If all blocks had the same length, a first-layer head could do it by distance alone.)
# </details>
#
# **3.** You ablate a head by its mean over **one** sentence at a time. What might survive?
#
# <details><summary>Answer</summary>
#
# Whatever is the same at all places of a sentence but differs between sentences, such as what kind of sentence it is.
# </details>
#
# **4.** In `attention_rollout`, what do you get if every head of every layer looks at itself alone?
#
# <details><summary>Answer</summary>
#
# The identity: each output comes from its own token.
# </details>
#
# **5.** The lens after the last layer equals the model's logits. Why is it no proof that the lens is right after the first?
#
# <details><summary>Answer</summary>
#
# Norm and table were trained on the end of the stream only. Earlier vectors may hold the answer in a form that these two cannot read.
# </details>
#
# ## Sources
#
# - Elhage and others, *A Mathematical Framework for Transformer Circuits* (2021): induction heads in two-layer models.
# - Olsson and others, *In-context Learning and Induction Heads* (2022): the score on repeated random tokens, and the bump.
# - Michel, Levy, Neubig, *Are Sixteen Heads Really Better than One?* (2019); Voita and others, *Analyzing Multi-Head Self-Attention* (2019): heads taken away.
# - Abnar, Zuidema, *Quantifying Attention Flow in Transformers* (2020).
# - Jain, Wallace, *Attention is not Explanation* (2019); Wiegreffe, Pinter, *Attention is not not Explanation* (2019).
# - nostalgebraist, *interpreting GPT: the logit lens* (2020); Belrose and others, *Eliciting Latent Predictions from Transformers with the Tuned Lens* (2023).
# - Hung-yi Lee, *Machine Learning 2021*: the lectures on explainable machine learning.
#
# **Next:** unit 16, if you have Linux: the kernels behind all this, in the GPU's own language. It is optional. The course's Transformer is built, trained, and understood.
