# %% [markdown]
# # 08 · The encoder: add & norm, feed-forward, stack
#
# Attention lets tokens hear one another, and that is all it does. Stack it by itself, and each layer replaces a token by a mixture
# of all: what the token was gets lost (Dong and others, 2021), and nobody thinks about what was heard. In this unit each token gets a
# memory that runs through the whole stack, and a place to think.
#
# **By the end you can**
#
# - write layer normalisation and the feed-forward layer, and say what each is for;
# - put attention, residual connections and norms together into an encoder block, post-norm and pre-norm;
# - stack blocks into an `Encoder`, and show that it equals PyTorch's own;
# - measure how gradients travel through a deep stack, and train a small classifier with yours.
#
# **Time:** about 90 minutes, 52 of them for the exercises.
# **You need:** unit 05 (`MultiHeadAttention`), 06 (the embedding) and 07 (`padding_mask`).

# %% part="setup"
import torch
from torch import Tensor, nn

from autograder import (
    begin, blind_to_hidden_tokens, check, each_row_by_itself, each_sentence_by_itself, finite, hint, keeps_inputs,
    learns_the_same, matches, outcome, predict, right_shape, same_in_eval, use_part,
)

begin("08_encoder")
MultiHeadAttention = use_part("MultiHeadAttention")

# %% [markdown]
# ## The idea
#
# The memory is called the **stream**: one vector for each token. Attention and a **feed-forward layer** (two linear layers with a
# ReLU between them, for each token by itself) are the two **sub-layers**. Each reads the stream and **adds** its answer to it:
# $x + \text{layer}(x)$, a **residual connection**. Attention gathers; the feed-forward layer works on what was gathered.
#
# Sums of sums grow. A **layer norm** brings a token's vector back to mean 0 and spread 1. It may stand in the stream, behind
# each sum: **post-norm**, the block of the lecture and the paper. Or in the branch, before each sub-layer: **pre-norm**. Both
# sub-layers together make one **block**, and an encoder is a stack of blocks. Read both upwards; the stream is green.

# %% part="demo" folded=True
from autograder.lab.figures import Arrow, Box, flow, house_style, lines, panels, show

boxes, arrows = {}, []
for kind, column, stream, branches in (
    ("post-norm", 0, ["x", "+", "norm 1", "+", "norm 2", "output"], [["attention"], ["feed-forward"]]),
    ("pre-norm", 5, ["x", "+", "+", "output"], [["norm 1", "attention"], ["norm 2", "feed-forward"]]),
):
    rows = [0, 2, 3, 5, 6, 7] if kind == "post-norm" else [0, 3, 6, 7]
    names = [f"{kind} {row}" for row in rows]
    for name, label, row in zip(names, stream, rows, strict=True):
        shape = "circle" if label == "+" else "box"
        text = f"{label}  ({kind})" if label in ("x", "output") else label
        boxes[name] = Box(text, column, row, "green" if label == "+" else "grey" if "norm" in label else "plain", shape)
    arrows += [Arrow(names[i], names[i + 1], colour="green") for i in range(len(names) - 1)]
    for number, labels in enumerate(branches):
        start, end = (names[2 * number], names[2 * number + 1]) if kind == "post-norm" else (names[number], names[number + 1])
        way = [start, *(f"{kind} {label}" for label in labels), end]
        for place, label in enumerate(labels):
            colour = {"attention": "blue", "feed-forward": "orange"}.get(label, "grey")
            boxes[f"{kind} {label}"] = Box(label, column + 2, boxes[start].row + 1 + place, colour)
        arrows += [Arrow(way[i], way[i + 1]) for i in range(len(way) - 1)]
show(flow(boxes, arrows, title="One encoder block: the norms in the stream, or in the branches"))

# %% [markdown]
# On the left every path from bottom to top runs through both norms. On the right the stream itself runs through sums alone.
# Keep that difference in mind; you will measure it.
#
# ## The layer norm
#
# One token's vector is $x = (x_1, \dots, x_d)$, with $d = d_{model}$. Its **layer norm** (Ba and others, 2016) is
#
# $$\text{LN}(x)_i = g_i\,\frac{x_i - m}{\sqrt{v + \epsilon}} + b_i \qquad m = \frac1d \sum_j x_j \qquad v = \frac1d\sum_j (x_j - m)^2$$
#
# | symbol | meaning |
# |---|---|
# | $m$, $v$ | mean and variance of **this one vector**, over its $d$ numbers |
# | $\epsilon$ | a small number under the root, `eps`: it keeps the fraction finite where $v = 0$ |
# | $g$, $b$ | gain and bias, learned, one number for each feature: `weight` and `bias` |
#
# Note the $\frac1d$ in the variance: not $\frac{1}{d-1}$.
#
# **In numbers.** A token is $a = (1, 0, 3, 4)$, and attention answers $(0, 1, 2, 1)$ for it. Add: $(1, 1, 5, 5)$. Norm: the mean
# is 3, the variance is $\frac{4+4+4+4}{4} = 4$, its root is 2. So the result is $(-1, -1, 1, 1)$. With $d-1 = 3$ below the
# line the variance would be 5.33, and the result $(-0.87, -0.87, 0.87, 0.87)$.

# %% [markdown] exercise="LayerNorm" part="prompt" points=8 difficulty=2 minutes=12 forbids="layer_norm LayerNorm group_norm native_group_norm instance_norm batch_norm native_batch_norm rms_norm"
# ## Exercise 1 · `LayerNorm`
#
# Write `forward`. `x` is `(..., d_model)`: any number of axes, the features last. Each vector along the last axis is
# normalised by itself. PyTorch's finished norms are not allowed; `mean`, `var` and `sqrt` are.
#
# `self.weight` is the gain $g$, `self.bias` the bias $b$, and `self.eps` stands **under the root**.

# %% exercise="LayerNorm" part="solution"
class LayerNorm(nn.Module):
    """Each vector brought to mean 0 and variance 1, then scaled and shifted by what is learned."""

    def __init__(self, d_model: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., d_model)   returns: the same shape"""
        ### BEGIN SOLUTION
        mean = x.mean(dim=-1, keepdim=True)  # (..., 1)
        variance = x.var(dim=-1, keepdim=True, unbiased=False)
        normalised = (x - mean) / torch.sqrt(variance + self.eps)
        return self.weight * normalised + self.bias
        ### END SOLUTION

# %% exercise="LayerNorm" part="check"
check(LayerNorm, keeps_inputs, right_shape, finite, each_row_by_itself("x"), learns_the_same, matches)

# %% [markdown] exercise="LayerNorm" part="hints"
# - Which axis holds one token's features? Counted from the end it is the same axis for any number of axes.
# - `keepdim=True` leaves an axis of length 1 behind, so that the mean can be subtracted from every feature.
# - `var` has an argument that decides between 1/d and 1/(d − 1). Its default is the one that is not wanted here.
# - In the order of the formula: mean, variance, add eps, root, divide; last the gain, then the bias.

# %% [markdown]
# Why not the older **batch norm**? It takes mean and variance the other way. One group of numbers that share a mean is dark:

# %% part="demo" folded=True
figure, axes = panels(1, 2, width=7.4, height=3.1)
tokens = ["the", "cat", "sat", "hello", "<pad>", "<pad>"]
for ax, title in zip(axes[0], ("layer norm: one token, its features", "batch norm: one feature, all tokens"), strict=True):
    groups = [[1.0 if (row == 1 if "layer" in title else column == 1) else 0.2 for column in range(5)] for row in range(6)]
    ax.imshow(groups, cmap="Blues", vmin=0, vmax=1.2)
    ax.set(title=title, xlabel="feature", xticks=range(5))
    ax.set_yticks(range(6), tokens)
    ax.grid(visible=False)
    ax.hlines([0.5, 1.5, 3.5, 4.5], -0.5, 4.5, colors="white", linewidth=1)
    ax.hlines(2.5, -0.5, 4.5, colors="#222222", linewidth=2, linestyle="-")
    ax.vlines([0.5, 1.5, 2.5, 3.5], -0.5, 5.5, colors="white", linewidth=1)
show(figure, alt="Two tables of six tokens (two sentences, the second with two paddings) by five features. Left, layer norm: one row is dark. "
     "Right, batch norm: one column is dark, through both sentences and the paddings.")

# %% [markdown]
# <details><summary>A sentence is padded with three more tokens. Which numbers of the others change, under each of the two?</summary>
#
# Under a layer norm, none: each vector is normalised by itself. A batch norm averages over tokens and sentences, the paddings too, and
# would change them all.
# </details>
#
# ## The feed-forward layer
#
# With $W_1$ of shape $(d, d_{ff})$ and $W_2$ of shape $(d_{ff}, d)$ in row convention,
#
# $$\text{FFN}(x) = \max(0,\; x W_1 + b_1)\, W_2 + b_2$$
#
# The paper takes $d = 512$ and $d_{ff} = 2048$: four times as wide inside.

# %% [markdown] exercise="FeedForward" part="prompt" points=5 difficulty=1 minutes=6 forbids="TransformerEncoderLayer"
# ## Exercise 2 · `FeedForward`
#
# Write `forward`: the first linear layer, a ReLU, the second linear layer. `x` is `(..., d_model)`, and so is the
# output. Nothing is added to it and nothing is normalised; that is the block's work. (PyTorch's finished
# `nn.TransformerEncoderLayer` is not allowed in this unit's exercises.)

# %% exercise="FeedForward" part="solution"
class FeedForward(nn.Module):
    """Two linear layers with a ReLU between them, for each token by itself."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., d_model)   returns: the same shape"""
        ### BEGIN SOLUTION
        inside = torch.relu(self.linear1(x))  # (..., d_ff)
        return self.linear2(inside)
        ### END SOLUTION

# %% exercise="FeedForward" part="check"
check(FeedForward, keeps_inputs, right_shape, finite, same_in_eval, each_row_by_itself("x"), learns_the_same, matches)

# %% [markdown] exercise="FeedForward" part="hints"
# - Read the formula from the inside: which layer touches `x` first?
# - `torch.relu` is max(0, ·) for every number of a tensor. It stands between the two layers, and only there.

# %% [markdown]
# With $d_{ff} = 4d$ the feed-forward layer holds $8d^2$ weights in its matrices, attention $4d^2$: **two thirds of a block are
# feed-forward.**
#
# ## Dropout, in one paragraph
#
# In training, dropout sets a random share of numbers to 0 and scales the others up, so that no layer relies on a single
# feature. The paper (section 5.4) applies it to the output of each sub-layer, before it is added to the input. After
# `model.eval()`, `nn.Dropout` hands its input on unchanged. Two cases of the checks run in training
# mode with a rate of 1, where it sets *all* to 0: so there is no chance in it, and it shows where your dropout stands.
#
# ## The block
#
# With MHA for multi-head self-attention:
#
# $$\text{post-norm:}\quad h = \text{LN}_1(x + \text{MHA}(x)) \qquad y = \text{LN}_2(h + \text{FFN}(h))$$
# $$\text{pre-norm:}\quad\; h = x + \text{MHA}(\text{LN}_1(x)) \qquad y = h + \text{FFN}(\text{LN}_2(h))$$

# %% [markdown] exercise="EncoderBlock" part="prompt" points=12 difficulty=3 minutes=22 forbids="TransformerEncoderLayer MultiheadAttention scaled_dot_product_attention"
# ## Exercise 3 · `EncoderBlock`
#
# Write `forward`, with both arrangements of the picture: post-norm where `self.norm_first` is False, pre-norm where it is
# True. `norm1` goes with attention, `norm2` with the feed-forward layer.
#
# - `x` is `(batch, seq, d_model)`; so is the output.
# - `mask` is None or boolean, as in unit 07: True where a key may be attended to. Hand it on to the attention.
# - `self.self_attention(query, key, value, mask)` returns **two** things: the output and the weights.
# - Dropout comes on each sub-layer's output, before the sum.
#
# Dropout stands in these two places and nowhere else. PyTorch's finished blocks and attention functions
# (`nn.TransformerEncoderLayer`, `nn.MultiheadAttention`, `scaled_dot_product_attention`) are not allowed.
#
# The check uses the course's own `LayerNorm` and `FeedForward` in place of yours, so this exercise is judged by itself.

# %% exercise="EncoderBlock" part="solution"
class EncoderBlock(nn.Module):
    """Self-attention, then the feed-forward layer, each with a residual connection and a norm."""

    def __init__(
        self, d_model: int, num_heads: int, d_ff: int, dropout: float = 0.0, norm_first: bool = False
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x: (batch, seq, d_model)

        mask:    boolean, broadcastable to (batch, num_heads, seq, seq), True where the key may be attended to
        returns: (batch, seq, d_model)
        """
        ### BEGIN SOLUTION
        if self.norm_first:
            normed = self.norm1(x)
            attended, _ = self.self_attention(normed, normed, normed, mask)
            h = x + self.dropout(attended)
            return h + self.dropout(self.feed_forward(self.norm2(h)))
        attended, _ = self.self_attention(x, x, x, mask)
        h = self.norm1(x + self.dropout(attended))
        return self.norm2(h + self.dropout(self.feed_forward(h)))
        ### END SOLUTION

# %% exercise="EncoderBlock" part="check"
check(
    EncoderBlock, keeps_inputs, right_shape, finite, same_in_eval, each_sentence_by_itself("x"),
    blind_to_hidden_tokens("x", "mask"), learns_the_same, matches,
)

# %% [markdown] exercise="EncoderBlock" part="hints"
# - Take the picture's left half and write one line for each box, from the bottom upwards. Post-norm first.
# - In self-attention query, key and value are one and the same tensor. Which one is it in pre-norm?
# - The residual connection starts below the box that it passes: in pre-norm that is below the norm, so the vector
#   that is added is the one that has not been normalised.
# - Two names help: `h` for what leaves the first half, and it is `h`, not `x`, that the second half starts from.

# %% [markdown] exercise="Encoder" part="prompt" points=7 difficulty=2 minutes=12 forbids="TransformerEncoder TransformerEncoderLayer MultiheadAttention"
# ## Exercise 4 · `Encoder`
#
# Write `forward`: `x` goes through the blocks one after the other, each with the same mask. Each block has weights of
# its own.
#
# Nothing else stands between the blocks or around them, no dropout either; PyTorch's finished encoders are not allowed.
#
# In pre-norm nothing has normalised the last sum. So one **final norm** follows the last block: `self.norm`, which is None
# in post-norm, where each block already ends with a norm.

# %% exercise="Encoder" part="solution"
class Encoder(nn.Module):
    """A stack of encoder blocks and, in pre-norm, a final norm."""

    def __init__(
        self, num_layers: int, d_model: int, num_heads: int, d_ff: int, dropout: float = 0.0, norm_first: bool = False
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)
        )
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x: (batch, seq, d_model)

        mask:    boolean, broadcastable to (batch, num_heads, seq, seq), True where the key may be attended to
        returns: (batch, seq, d_model)
        """
        ### BEGIN SOLUTION
        for block in self.blocks:
            x = block(x, mask)
        return x if self.norm is None else self.norm(x)
        ### END SOLUTION

# %% exercise="Encoder" part="check"
check(
    Encoder, keeps_inputs, right_shape, finite, same_in_eval, each_sentence_by_itself("x"),
    blind_to_hidden_tokens("x", "mask"), matches,
)

# %% [markdown] exercise="Encoder" part="hints"
# - A `for` loop over `self.blocks` gives one block after the other. What does the second block read?
# - The mask goes to every block. Hidden tokens get rows of their own in each layer, and the next layer must not see them.
# - After the loop: is there a norm? `self.norm is None` tells.

# %% [markdown]
# ## The proof: equal to `nn.TransformerEncoderLayer`
#
# PyTorch has the same block. Copy the weights of your stack into it (the first lines of output say whether it is yours), give both the
# same padded batch, and compare. (float32 keeps about seven digits.)

# %% part="demo" folded=True
Stack, padding_mask = use_part("Encoder"), use_part("padding_mask")


def copied(block) -> nn.TransformerEncoderLayer:
    """PyTorch's own layer with the weights of ours."""
    d_ff, d_model = block.feed_forward.linear1.weight.shape
    attention, norm_first = block.self_attention, block.norm_first
    own = nn.TransformerEncoderLayer(d_model, attention.num_heads, d_ff, 0.0, batch_first=True, norm_first=norm_first)
    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    with torch.no_grad():
        own.self_attn.in_proj_weight.copy_(torch.cat([projection.weight for projection in projections]))
        own.self_attn.in_proj_bias.copy_(torch.cat([projection.bias for projection in projections]))
    own.self_attn.out_proj.load_state_dict(attention.out_proj.state_dict())
    for name in ("linear1", "linear2"):
        getattr(own, name).load_state_dict(getattr(block.feed_forward, name).state_dict())
    for name in ("norm1", "norm2"):
        getattr(own, name).load_state_dict(getattr(block, name).state_dict())
    return own

# %% part="demo" folded=False
from autograder.lab.tables import table

torch.manual_seed(0)
ids = torch.tensor([[5, 3, 8, 4, 6], [7, 2, 9, 0, 0]])
visible = padding_mask(ids)  # (2, 1, 1, 5)
rows = []
for norm_first in (False, True):
    encoder = Stack(3, 12, 4, 48, norm_first=norm_first)
    layers = [copied(block) for block in encoder.blocks]
    ours, theirs = (torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(1)).requires_grad_() for _ in "ab")
    one, other = encoder(ours, visible), theirs
    for layer in layers:
        other = layer(other, src_key_padding_mask=~visible[:, 0, 0])
    if norm_first:
        other = nn.functional.layer_norm(other, (12,))  # a new norm: gain 1, bias 0
    one.sin().sum().backward()
    other.sin().sum().backward()
    single = encoder.blocks[0](ours, visible) - layers[0](theirs, src_key_padding_mask=~visible[:, 0, 0])
    differences = (single, one - other, ours.grad - theirs.grad)
    rows.append(("pre-norm" if norm_first else "post-norm", *(f"{gap.abs().max():.0e}" for gap in differences)))
table(rows, ["arrangement", "one block, output", "three blocks, output", "three blocks, gradient"])

# %% [markdown]
# These are the largest differences of any number. Note the `~` again: PyTorch's mask is True where a key is **hidden**.
#
# ## An experiment: gradients against depth
#
# The lecture and the paper of 2017 put the norm after the sum. GPT-2 and many models after it put it before. Does it matter?
# Xiong and others (2020) looked at the gradients *before any training*, and you do the same: new random weights, random tokens, random
# labels, one backward pass. Measured is the length of the gradient that arrives at the first feed-forward matrix of each block.
#
# **Predict first.** Three stacks of 1 to 32 blocks: post-norm, pre-norm, and one with the residual connections taken out (norms
# stay). In a deep stack, which block gets the largest gradient: the first, far from the loss, or the last? And do the gradients of
# the first block die out where there are no residual connections?

# %% part="demo"
predict("08-post-norm", "Post-norm, 32 blocks: the larger gradient is at the ...", choices=("first block", "last block", "about the same"))

# %% part="demo"
predict("08-pre-norm", "Pre-norm, 32 blocks: the larger gradient is at the ...", choices=("first block", "last block", "about the same"))

# %% part="demo" folded=False
torch.set_num_threads(1)  # on a CPU, tensors as small as these are faster without sharing the work
device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def gradient_norms(kind: str, depth: int, seed: int, d_model: int = 32) -> list[float]:
    """The gradient's length at `linear1` of each block, from the first to the last."""
    torch.manual_seed(seed)
    encoder = Stack(depth, d_model, 4, 4 * d_model, norm_first=kind == "pre-norm")
    readout = nn.Linear(d_model, 10)
    for parameter in encoder.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
    x, labels = torch.randn(16, 12, d_model), torch.randint(10, (16, 12))
    if kind == "no residuals":
        for block in encoder.blocks:
            x = block.norm1(block.self_attention(x, x, x)[0])
            x = block.norm2(block.feed_forward(x))
    else:
        x = encoder(x)
    nn.functional.cross_entropy(readout(x).flatten(0, 1), labels.flatten()).backward()
    return [float(block.feed_forward.linear1.weight.grad.norm()) for block in encoder.blocks]

# %% part="demo" folded=False
kinds, depths, seeds = ["post-norm", "pre-norm", "no residuals"], [1, 2, 4, 8, 16, 32], range(3)
measured = {(kind, depth): torch.tensor([gradient_norms(kind, depth, seed) for seed in seeds])
            for kind in kinds for depth in depths}  # (seeds, blocks)
rows = []
for kind in kinds:
    for depth in (2, 8, 32):
        first, last = measured[kind, depth][:, 0], measured[kind, depth][:, -1]
        ratio = (last / first).median()
        rows.append((kind, depth, float(first.median()), float(last.median()), f"{ratio:.1f}"))


def larger(kind: str) -> str:
    """Which end of 32 blocks gets the larger gradient; within a factor of 1.5 they are about the same."""
    ratio = float((measured[kind, 32][:, -1] / measured[kind, 32][:, 0]).median())
    return "last block" if ratio > 1.5 else "first block" if ratio < 1 / 1.5 else "about the same"


outcome("08-post-norm", larger("post-norm"))
outcome("08-pre-norm", larger("pre-norm"))
table(rows, ["stack", "blocks", "first block", "last block", "last / first"])

# %% part="demo" folded=True

def spread(values: Tensor) -> tuple:
    """Median, smallest and largest of the seeds."""
    return values.median(0).values.numpy(), values.min(0).values.numpy(), values.max(0).values.numpy()


figure, axes = panels(1, 2, width=8.6, height=3.9)
deep = {kind: spread(measured[kind, 16]) for kind in kinds}
length = "gradient's length"
lines(range(1, 17), deep, "block (16 nearest to the loss)", length, logy=True, title="16 blocks", ax=axes[0, 0])
at_first = {kind: spread(torch.stack([measured[kind, depth][:, 0] for depth in depths], dim=1)) for kind in kinds}
lines(depths, at_first, "number of blocks", length, logx=True, logy=True, title="At the first block", ax=axes[0, 1])
with house_style():  # blocks are counted in whole numbers
    axes[0, 0].set_xticks([1, 4, 8, 12, 16])
    axes[0, 1].set_xticks(depths, [str(depth) for depth in depths])
    axes[0, 1].minorticks_off()
show(figure)

# %% [markdown]
# The line is the median of three random starts, the band their range. Look at the numbers of *your* run. On the machine
# where this was written:
#
# - **Post-norm:** in a deep stack the gradient is largest near the *last* block. At the first it is smaller: by half with 16
#   blocks, six times with 32. It did not die: it became uneven.
# - **Pre-norm:** the other way round and milder. The last block's gradient gets *smaller* as the stack grows; the paper's analysis
#   says like $1/\sqrt{L}$ with $L$ blocks.
# - **No residuals:** the picture is wild. Random starts differ by a factor of ten and more, and at 32 blocks
#   the first block gets little. The norms alone keep sixteen blocks from dying out; they do not keep them alike.
#
# So "post-norm makes gradients vanish" is too simple. What Xiong and others conclude is: near the output post-norm gradients
# are large at the start, so training needs a **warm-up**, a learning rate that begins small. In pre-norm it can be left
# out. That is a prediction, and you can test it below.
#
# ## A classifier on your encoder
#
# Do these brackets balance? `(()(()))` does. `())(()` does not: the third sign closes what was never opened. In both, as many are
# opened as closed; both begin with `(` and end with `)`. So **counting tells nothing; only order does.**
#
# All sequences have 6 to 20 brackets, padded to 20. Half of them balance. A thousand are kept for testing.

# %% part="demo" folded=True
LENGTH, PAD, OPEN, CLOSE = 20, 0, 1, 2


def brackets(tries: int, seed: int) -> tuple[Tensor, Tensor]:
    """Different bracket sequences (count, LENGTH), and whether each balances; half of them do."""
    random = torch.Generator().manual_seed(seed)
    half = torch.randint(3, LENGTH // 2 + 1, (tries, 1), generator=random)
    beyond = torch.arange(LENGTH - 2) >= 2 * half - 2
    rank = torch.rand(tries, LENGTH - 2, generator=random).masked_fill(beyond, 2).argsort(1).argsort(1)
    steps = torch.ones(tries, LENGTH, dtype=torch.long)  # +1 opens, -1 closes, 0 is padding
    steps[:, 1:-1] = torch.where(rank < half - 1, 1, -1).masked_fill(beyond, 0)
    steps[:, -1] = 0
    steps = steps.scatter(1, 2 * half - 1, -1).unique(dim=0)
    balanced = (steps.cumsum(1) >= 0).all(1)
    order = torch.randperm(len(steps), generator=random)
    count = int(min(balanced.sum(), (~balanced).sum()))
    chosen = torch.cat([order[balanced[order]][:count], order[~balanced[order]][:count]])
    chosen = chosen[torch.randperm(len(chosen), generator=random)]
    return torch.tensor([CLOSE, PAD, OPEN])[steps[chosen] + 1].to(device), balanced[chosen].to(device)


# %% part="demo"
ids, labels = brackets(60_000, seed=0)
test_ids, test_labels, train_ids, train_labels = ids[:1000], labels[:1000], ids[1000:], labels[1000:]
for row, label in list(zip(ids.tolist(), labels.tolist()))[:4]:
    print("".join(" ()"[token] for token in row).strip(), "->", "balances" if label else "does not")
print(f"{len(train_ids):,} to train on, {len(test_ids):,} to test")

# %% [markdown]
# The classifier is made of parts that you have built: embedding with positions, padding mask, encoder. Its answer is read off the
# **mean of the encoder's rows**, over real tokens only.
#
# Two simpler models stand beside it. One is the same classifier **without positions**. The other has no attention: **a weight for
# each place**, added up (a logistic regression).
#
# **Predict first.** How often is each right? Guessing gives 50 %.

# %% part="demo"
predict("08-weight-per-place", "A weight for each place is right in ... of 100 cases", unit="of 100")

# %% part="demo"
predict("08-hardest", "The encoder errs most where the sequence ...",
        choices=("balances", "has one more closed than opened at its worst place", "has two or more"))

# %% part="demo" folded=False
TransformerEmbedding = use_part("TransformerEmbedding")


class Classifier(nn.Module):
    """Ids (batch, seq) in, one number for each sentence out: above 0 means yes."""

    def __init__(self, num_layers: int = 2, norm_first: bool = False, positions: bool = True) -> None:
        super().__init__()
        self.embedding, self.positions = TransformerEmbedding(3, 32, LENGTH), positions
        self.encoder = Stack(num_layers, 32, 4, 64, norm_first=norm_first)
        self.answer = nn.Linear(32, 1)

    def forward(self, ids: Tensor) -> Tensor:
        mask = padding_mask(ids)
        x = self.embedding(ids) if self.positions else self.embedding.embedding(ids)
        real = mask[:, 0, 0, :, None]  # (batch, seq, 1)
        mean = (self.encoder(x, mask) * real).sum(dim=1) / real.sum(dim=1)
        return self.answer(mean)[:, 0]


# %% part="demo"
class WeightPerPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Linear(3 * LENGTH, 1)

    def forward(self, ids: Tensor) -> Tensor:
        return self.weights(nn.functional.one_hot(ids, 3).flatten(1).float())[:, 0]

# %% part="demo" folded=True
def train(make, steps: int, peak: float, warm_up: int, batch: int = 64, seed: int = 0) -> tuple[nn.Module, float]:
    """A trained model and its share of right answers on the test sequences. The rate falls in the last half."""
    torch.manual_seed(seed)
    model = make().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=peak)
    for step in range(1, steps + 1):
        rate = peak * min(1.0, step / max(1, warm_up), 2 * (steps - step + 1) / steps)
        optimizer.param_groups[0]["lr"] = rate
        chosen = torch.randint(len(train_ids), (batch,)).to(device)
        loss = nn.functional.binary_cross_entropy_with_logits(model(train_ids[chosen]), train_labels[chosen].float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return model.eval(), float(((model(test_ids) > 0) == test_labels).float().mean())


classifier, share = train(Classifier, steps=450, peak=5e-3, warm_up=45)
rows = [("encoder, 2 blocks", f"{share:.1%}")]
rows.append(("the same without positions", f"{train(lambda: Classifier(positions=False), 150, 5e-3, 15)[1]:.1%}"))
by_place = train(WeightPerPlace, 600, 2e-2, 0)[1]
rows.append(("a weight for each place", f"{by_place:.1%}"))
outcome("08-weight-per-place", 100 * by_place, "of 100")
table(rows, ["model", "right on unseen sequences"])

# %% [markdown]
# Without positions the answer must be a guess. Half of every sequence is `(` and half is `)`, and weighted means do not even see how long it
# is: the model says the same to all. The weights for each place get surprisingly far, because early
# opening brackets are a good sign. That is the number the encoder has to beat, not 50 %.
#
# Where does it still err? Count how deep a sequence dips: how many more brackets are closed than opened at its worst place.

# %% part="demo"
steps = (test_ids == OPEN).long() - (test_ids == CLOSE).long()
dip = (-steps.cumsum(1).min(1).values).clamp(min=0)
with torch.no_grad():
    right = (classifier(test_ids) > 0) == test_labels
found = {
    name: (int(group.sum()), float(right[group].float().mean()))
    for name, group in (("balances", dip == 0), ("has one more closed than opened at its worst place", dip == 1), ("has two or more", dip > 1))
}
rows = [(name, count, f"{share:.1%}") for name, (count, share) in found.items()]
outcome("08-hardest", min(found, key=lambda name: found[name][1]))
table(rows, ["sequence", "how many", "right"])

# %% [markdown]
# One more closed than opened: a single bracket stands too early, which is hardest to tell from a balanced sequence.
#
# ## Does depth need a warm-up?
#
# Now the prediction of Xiong and others. The same classifier with **eight** blocks, for 100 steps only, post-norm and
# pre-norm, with the full learning rate at once and with 60 steps of warm-up. Four runs.
#
# **Predict first.** Which of the four fails? (It is a small test: one task, one rate, one seed. Change `seed` and see what stays.)

# %% part="demo"
predict("08-warm-up", "Which of the four fails?",
        choices=("post-norm, at once", "post-norm, warm-up", "pre-norm, at once", "pre-norm, warm-up", "several", "none"))

# %% part="demo" folded=False
deep_models, learned, rows = {}, {}, []
for name, norm_first in (("post-norm", False), ("pre-norm", True)):
    for start, warm_up in (("at once", 0), ("warm-up", 60)):
        made = train(lambda: Classifier(8, norm_first), 100, 2e-3, warm_up, batch=32)
        deep_models[f"{name}, {start}"], learned[f"{name}, {start}"] = made
    rows.append((name, *(f"{learned[f'{name}, {start}']:.1%}" for start in ("at once", "warm-up"))))
failed = [name for name, share in learned.items() if share < 0.6]
outcome("08-warm-up", failed[0] if len(failed) == 1 else "several" if failed else "none")
table(rows, ["eight blocks", "full rate at once", "60 steps of warm-up"])

# %% [markdown]
# About 50 % means: nothing learned, and the same answer to everything. Where this was written, that was one of the four, with seeds 0, 1 and 2
# alike: the deep post-norm stack that was given the full rate at once. At a rate of 3e-3 pre-norm failed too without warm-up
# (seed 0): it forgives more, not everything. A hundred steps are too few to say which arrangement is *better* in the end.
#
# ## Reading the stream early
#
# A pre-norm block only ever adds to the stream. So after any block the last norm and the answer layer can be applied to it, though they
# were made for the end: what would the model say if it had to answer now?
#
# **Predict first.** Take the pre-norm model with warm-up. After how many of its eight blocks does it have three quarters of
# what it wins over guessing?

# %% part="demo"
predict("08-early", "Three quarters of the gain over guessing is there after ...", unit="blocks")

# %% part="demo" folded=False
@torch.no_grad()
def read_early(model) -> list[float]:
    """The share right after 0, 1, 2, ... blocks, with the last norm and the answer layer applied there."""
    mask = padding_mask(test_ids)
    real, x, found = mask[:, 0, 0, :, None], model.embedding(test_ids), []
    for block in (*model.encoder.blocks, None):
        normed = x if model.encoder.norm is None else model.encoder.norm(x)
        answers = model.answer((normed * real).sum(dim=1) / real.sum(dim=1))[:, 0] > 0
        found.append(float((answers == test_labels).float().mean()))
        x = x if block is None else block(x, mask)
    return found


early = {name: read_early(model) for name, model in deep_models.items() if name.startswith("pre-norm")}
shares = early["pre-norm, warm-up"]
outcome("08-early", next(count for count, share in enumerate(shares) if share - 0.5 >= 0.75 * (shares[-1] - 0.5)), "blocks")
figure = lines(range(9), early, "blocks read", "right on unseen sequences", percent=True, title="The answer, read from the stream early")
with house_style():
    figure.axes[0].set_xticks(range(9))
show(figure)

# %% [markdown]
# Look where each curve rises, and where it runs nearly flat: the blocks there add to the stream as well, and change little in the
# answer. For brackets, eight blocks are more than it takes. In unit 10 the stream belongs to a model that writes, and what can be read
# from it early is a *word*.
#
# **Where the sources differ.** The lecture draws the block post-norm, as the 2017 paper has it, and names Xiong and others, who
# move the norm. This course follows the lecture by default, and takes pre-norm where a stack gets deep.

# %% [markdown]
# ## What you built
#
# - `LayerNorm`: each token's vector by itself, to mean 0 and spread 1.
# - `FeedForward`: where a token works by itself; two thirds of the weights.
# - `EncoderBlock`: two sub-layers that read the stream and add to it, with norms in both arrangements.
# - `Encoder`: the stack, equal to PyTorch's own. It is the left half of the Transformer, and BERT (Devlin and others, 2018) is such a stack.
#
# ## Questions to test yourself
#
# <details><summary>1. All weights and biases of both sub-layers are 0. What does a block return?</summary>
#
# The sub-layers return 0, so post-norm gives LN₂(LN₁(x)), and pre-norm gives x itself: only the sums are left.
# </details>
#
# <details><summary>2. Why is there a final norm in pre-norm and none in post-norm?</summary>
#
# In pre-norm a block ends with a sum, and the sums grow from block to block. In post-norm a block ends with a norm.
# </details>
#
# <details><summary>3. What would the feed-forward layer be without its ReLU?</summary>
#
# One linear layer: (x W₁ + b₁) W₂ + b₂ = x (W₁W₂) + (b₁W₂ + b₂). The width d_ff would gain nothing.
# </details>
#
# <details><summary>4. What happens if only the first block gets the mask?</summary>
#
# From the second block on, the padding's rows are keys like any other. A sentence's output then depends on how much
# padding stands beside it.
# </details>
#
# ## Sources
#
# - Hung-yi Lee (李宏毅), lecture "Transformer" (Machine Learning, 2021): the encoder block, drawn post-norm, with the
#   remark that its order has been questioned.
# - Vaswani et al., "Attention Is All You Need" (2017), sections 3.1 (LayerNorm(x + Sublayer(x))), 3.3 (feed-forward), 5.4
#   (dropout on each sub-layer's output).
# - Dong, Cordonnier and Loukas, "Attention is not all you need" (2021): stacked attention alone makes all tokens alike.
# - Ba, Kiros and Hinton, "Layer Normalization" (2016). He et al., "Deep Residual Learning for Image Recognition" (2015).
# - Xiong et al., "On Layer Normalization in the Transformer Architecture" (2020): gradients at the start, post-norm and
#   pre-norm, and why one of them needs a warm-up.
# - Radford et al., "Language Models are Unsupervised Multitask Learners" (2019): GPT-2's norm before each sub-layer and
#   after the last block.
# - PyTorch documentation of `torch.nn.TransformerEncoderLayer`: `norm_first`, and the opposite sense of its masks.
#
# **Next:** unit 09. The decoder has the same parts, one more attention that reads this encoder's output, and a mask
# that hides the future.
