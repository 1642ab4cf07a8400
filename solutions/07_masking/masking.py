# %% [markdown]
# # 07 · Masking: what may be seen
#
# In training, the whole answer lies before the model. What keeps it from copying? And should a translation depend on
# which other sentences share the batch? In this unit you decide which tokens may look at which, and then prove, by changing one
# token at a time, that nothing leaks.
#
# - **You will be able to** hide padding and hide the future, join the two, and say what becomes of a query that may see
#   nothing at all.
# - **Time:** about 75 minutes, of which 40 are exercises.
# - **You need:** units 02 and 03 (scores, softmax, weights), 05 (heads), and PyTorch's broadcasting.
#
# Convention, as in every unit: a token is a row. A mask is boolean, and **True means: may be attended to**.

# %% part="setup"
import math

import torch
from torch import Tensor

from autograder import (
    begin,
    blind_to_masked_keys,
    blind_to_masked_scores,
    check,
    finite,
    hint,
    keeps_inputs,
    matches,
    outcome,
    predict,
    right_shape,
    same_twice,
    use_part,
    visible_rows_sum_to_one,
    zero_where_masked,
)

begin("07_masking")

# %% [markdown]
# ## Two things that must not be seen
#
# **Padding.** Sentences in one batch differ in length, but a tensor is a rectangle. So the short ones are filled up with
# a token that means nothing, `<pad>`, id 0. No word should listen to it.
#
# **The future.** A decoder writes one word after the other. When it writes word 3, word 4 does not exist yet. In
# training, though, the whole target sentence lies there at once, and all positions are computed at the same time. So
# each position must be kept from looking to its right. Otherwise it copies the answer, learns nothing else, and fails
# as soon as it has to write by itself.
#
# Here is one picture of both. Each row is a word that asks, each column a word that is asked. All scores are equal, so
# a row spreads its weight evenly over what it may see. White means: may not be seen.

# %% part="demo" folded=True
from autograder.lab.figures import attention_maps, leak_map, panels, show
from autograder.lab.tables import table

tokens = ["<bos>", "machine", "learning", "<eos>", "<pad>"]
hide_padding = torch.tensor([[1.0, 1, 1, 1, 0]] * 5)
hide_future = torch.tensor([[1.0, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]])
hide_both = torch.tensor([[1.0, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 0]])
spread = [seen / seen.sum(dim=1, keepdim=True) for seen in (hide_padding, hide_future, hide_both)]
show(attention_maps(spread, ["padding hidden", "future hidden", "both hidden"], queries=tokens, columns=3))

# %% [markdown]
# Look at the last row of the last picture. `<pad>` still asks. Nobody cares for its answer, and the loss will leave it
# out. A mask hides **keys**, the ones that are asked; it does not silence queries.
#
# ## Your turn
#
# Five exercises: three that make masks, two that use them.

# %% [markdown] exercise="causal_mask" part="prompt" points=5 difficulty=1 minutes=5
# ### Exercise 1 · `causal_mask`
#
# Make the mask that hides the future: token $i$ may see token $j$ where $j \le i$. It may see itself.
#
# | argument | | meaning |
# |---|---|---|
# | `seq` | a number | how many tokens |
# | `device` | `None`, or a device | where the tensor shall live; `None` where it does not matter |
# | returns | `(seq, seq)`, boolean | row $i$, column $j$: True where query $i$ may see key $j$ |
#
# Scores live on a GPU when there is one, and a mask must live where its scores live. That is what `device` is for: pass
# it on. The check asks for the device `"meta"`, which every machine has; tensors there have a shape and no numbers.

# %% exercise="causal_mask" part="solution"
def causal_mask(seq: int, device: torch.device | str | None = None) -> Tensor:
    """Which tokens may be seen when nobody may look ahead.

    seq:     the number of tokens
    device:  where the mask is made; None where it does not matter
    returns: (seq, seq), boolean: row i, column j is True where token i may see token j
    """
    ### BEGIN SOLUTION
    return torch.ones(seq, seq, dtype=torch.bool, device=device).tril()
    ### END SOLUTION

# %% exercise="causal_mask" part="check"
check(causal_mask, right_shape, matches)

# %% [markdown] exercise="causal_mask" part="hints"
# - Draw it for three tokens. Row 0 sees one token, row 1 sees two, row 2 sees three. What is the shape of the True part?
# - PyTorch has functions that keep one triangle of a matrix (`torch.tril`, `torch.triu`). Another way: compare row
#   numbers with column numbers, by broadcasting two `torch.arange`.
# - `dtype=torch.bool` makes booleans, and `device=device` places the tensor, in any function that creates one.

# %% [markdown] exercise="padding_mask" part="prompt" points=5 difficulty=2 minutes=6
# ### Exercise 2 · `padding_mask`
#
# Make the mask that hides padding. It depends on the sentences, so you get their ids.
#
# | argument | shape | meaning |
# |---|---|---|
# | `ids` | `(batch, seq)`, integers | a batch of sentences, filled up with `pad_id` |
# | `pad_id` | a number | the id that means padding |
# | returns | `(batch, 1, 1, seq)`, boolean | True where the token is a real one |
#
# Why the two axes of length 1? Scores have the shape `(batch, num_heads, seq_q, seq_k)`. Padding is the same for every
# head and for every query, so broadcasting can repeat the mask along both.

# %% exercise="padding_mask" part="solution"
def padding_mask(ids: Tensor, pad_id: int = 0) -> Tensor:
    """Which keys are real tokens.

    ids:     (batch, seq), integers
    pad_id:  the id of the padding token
    returns: (batch, 1, 1, seq), boolean: True where a key may be attended to, for every head and every query
    """
    ### BEGIN SOLUTION
    return (ids != pad_id)[:, None, None, :]
    ### END SOLUTION

# %% exercise="padding_mask" part="check"
check(padding_mask, keeps_inputs, right_shape, matches)

# %% [markdown] exercise="padding_mask" part="hints"
# - Comparing a tensor with a number compares every entry, and gives booleans of the same shape.
# - Which axis of the scores do the keys stand on? The last one. The axis of `seq` must end up there, and the batch first.
# - Indexing with `None` (or `unsqueeze`) inserts an axis of length 1 at a place that you choose.

# %% [markdown] exercise="decoder_mask" part="prompt" points=5 difficulty=2 minutes=6
# ### Exercise 3 · `decoder_mask`
#
# A decoder hides both. Query $i$ may see key $j$ where $j \le i$ **and** token $j$ is no padding.
#
# | argument | shape | meaning |
# |---|---|---|
# | `ids` | `(batch, seq)`, integers | a batch of sentences, padded |
# | `pad_id` | a number | the id that means padding |
# | returns | `(batch, 1, seq, seq)`, boolean | True where query $i$ of that sentence may see key $j$; on the device of `ids` |
#
# Use your two functions. (If one of them does not pass yet, its mistake is not held against you here: while this
# exercise is checked, a working one stands in for it.)

# %% exercise="decoder_mask" part="solution"
def decoder_mask(ids: Tensor, pad_id: int = 0) -> Tensor:
    """Which keys a decoder's queries may see: the past and themselves, without padding.

    ids:     (batch, seq), integers
    pad_id:  the id of the padding token
    returns: (batch, 1, seq, seq), boolean
    """
    ### BEGIN SOLUTION
    return padding_mask(ids, pad_id) & causal_mask(ids.shape[1], device=ids.device)
    ### END SOLUTION

# %% exercise="decoder_mask" part="check"
check(decoder_mask, keeps_inputs, right_shape, matches)

# %% [markdown] exercise="decoder_mask" part="hints"
# - Write down the two shapes, `(batch, 1, 1, seq)` and `(seq, seq)`, one under the other, right-aligned. What does
#   broadcasting make of them?
# - A key may be seen where both masks allow it. For boolean tensors `&` is "and", `|` is "or".
# - The causal mask must live on the same device as the ids: every tensor knows its own `.device`.

# %% [markdown]
# Drawn once, so that you can see the broadcasting: the pale rows and the pale triangle are repeats that no one stores. The
# second sentence is two tokens shorter. (An encoder needs no third axis: what is padding does not depend on who asks.)

# %% part="demo" folded=True
ids = torch.tensor([[1, 7, 9, 4, 2], [1, 8, 2, 0, 0]])
make_padding, make_causal, make_both = use_part("padding_mask"), use_part("causal_mask"), use_part("decoder_mask")
padding, triangle, both = make_padding(ids)[:, 0].expand(2, 5, 5), make_causal(5).expand(2, 5, 5), make_both(ids)[:, 0]
titles = [f"padding_mask {tuple(make_padding(ids).shape)}", "&   causal_mask (5, 5)", f"=   {tuple(make_both(ids).shape)}"]
figure, axes = panels(2, 3, width=7.6, height=4.6)
for sentence in range(2):
    for ax, mask, title in zip(axes[sentence], (padding, triangle, both), titles, strict=True):
        stored = torch.ones(5, 5)
        if mask is padding:
            stored[1:] = 0.35
        elif mask is triangle and sentence == 1:
            stored[:] = 0.35
        ax.imshow(mask[sentence] * stored, cmap="Blues", vmin=0, vmax=1.3)
        ax.set_xticks(range(5), ["pad" if token == 0 else str(token) for token in ids[sentence].tolist()])
        ax.set_yticks(range(5), [f"query {i}" for i in range(5)] if mask is padding else [])
        ax.grid(visible=False)
        if sentence == 0:
            ax.set_title(title)
show(figure, alt="For two sentences: the padding mask, one row repeated for every query; the causal triangle, repeated for every sentence; and the "
     "squares where both are True. In the shorter sentence the last two columns are empty.")

# %% [markdown]
# ## The formula
#
# Let $s_{ij}$ be the score of query $i$ and key $j$, and let $m_{ij}$ be 1 where query $i$ may see key $j$ and 0 where
# it may not. The weights are
#
# $$\alpha_{ij} = \frac{m_{ij}\,e^{s_{ij}}}{\sum_{l} m_{il}\,e^{s_{il}}}$$
#
# | symbol | meaning |
# |---|---|
# | $s_{ij}$ | score of query $i$ and key $j$: $q_i \cdot k_j / \sqrt{d_k}$ |
# | $m_{ij}$ | the mask: 1 (True) may be attended to, 0 (False) is hidden |
# | $\alpha_{ij}$ | weight that query $i$ gives to key $j$ |
# | $l$ | runs over all keys |
#
# The mask stands **twice**: above the line and below it. A hidden key gets no weight, and it is not counted either. The
# paper (section 3.2.3) does both at once: hidden scores become $-\infty$ before the softmax, since $e^{-\infty} = 0$.
#
# **And if a row hides everything?** A sentence of nothing but padding makes such a row, and the fraction is 0/0: NaN to a
# computer. In this course **all weights of that row are 0.**

# %% [markdown]
# ## By hand: $b^2$ may not see $a^3$ and $a^4$
#
# In the lecture's picture of *masked* self-attention, $b^2$ is made from $a^1$ and $a^2$ only. Say the four scores of
# $q^2$ are 1, 2, 3, 0. The cell computes the weights without and with the mask.

# %% part="demo"
scores_of_q2, may_see = [1.0, 2.0, 3.0, 0.0], [1, 1, 0, 0]
powers = [math.exp(score) for score in scores_of_q2]
kept = [m * power for m, power in zip(may_see, powers)]
rows = [
    (f"a{j + 1}", scores_of_q2[j], powers[j], powers[j] / sum(powers), may_see[j], kept[j] / sum(kept)) for j in range(4)
]
table(rows, ["key", "score s", "e^s", "weight, no mask", "m", "weight, masked"])

# %% [markdown]
# Check one line yourself: $e^1 / (e^1 + e^2) = 2.718 / 10.107 = 0.269$. The third key had the best score of all. With
# the mask it is gone, and the first two share the whole weight.

# %% [markdown] exercise="masked_softmax" part="prompt" points=10 difficulty=3 minutes=12 forbids="_masked_softmax scaled_dot_product_attention MultiheadAttention"
# ### Exercise 4 · `masked_softmax`
#
# Turn scores into weights that respect a mask.
#
# $$\alpha_{ij} = \frac{m_{ij}\,e^{s_{ij}}}{\sum_{l} m_{il}\,e^{s_{il}}}, \qquad
# \alpha_{ij} = 0 \text{ where row } i \text{ hides every key}$$
#
# | argument | shape | meaning |
# |---|---|---|
# | `scores` | `(batch, num_heads, seq_q, seq_k)` | any size: some rows here lie near 1000, some near −1500 or −20,000, and a hidden score may lie thousands above the visible ones |
# | `mask` | broadcasts to the shape of `scores` | boolean, True = may be attended to |
# | returns | like `scores` | each row sums to 1, or is all 0 |
#
# - `torch.softmax` is yours to use: you wrote one in unit 02. (`torch._masked_softmax` and finished attention functions
#   would do the whole exercise and are not allowed.)
# - `scores` stays as it is; write into no argument.
# - **No NaN, in any row**, in the output or in the gradient of `scores`: cleaning a NaN out of the output can leave it in
#   the gradient, and after the next step every weight of the model is NaN.

# %% exercise="masked_softmax" part="solution"
def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Attention weights over the keys that may be seen.

    scores:  (batch, num_heads, seq_q, seq_k)
    mask:    broadcastable to scores, boolean, True where a key may be attended to
    returns: like scores; each row sums to 1, or is all 0 where nothing may be attended to
    """
    ### BEGIN SOLUTION
    lowest = torch.finfo(scores.dtype).min  # -inf would make a row of nothing but hidden keys NaN
    weights = torch.softmax(scores.masked_fill(~mask, lowest), dim=-1)
    return weights.masked_fill(~mask, 0.0)
    ### END SOLUTION

# %% exercise="masked_softmax" part="check"
check(masked_softmax, keeps_inputs, right_shape, finite, same_twice, zero_where_masked(), visible_rows_sum_to_one(), blind_to_masked_scores, matches)

# %% [markdown] exercise="masked_softmax" part="hints"
# - What score must a hidden key have, so that its power of e is 0 however small the other scores are? `masked_fill` puts
#   a number wherever a boolean tensor is True; mind which way round your mask is (`~mask` turns it).
# - Try it on one row in which everything is hidden: with −inf you get 0/0. With the lowest finite number,
#   `torch.finfo(scores.dtype).min`, all scores of that row are equal. What weights do you get then, and which do you want?
# - So a second step comes after the softmax: wherever the mask is False, the weight is 0, in every row.

# %% [markdown]
# ## What one empty sentence can do
#
# Why insist on 0 for a row that hides everything? Take two sentences. The second is nothing but padding, and the loss
# does not even look at it. Both go through the same value matrix `W_v`.
#
# **Predict first.** With −∞ and a plain softmax, how many of the 16 gradients of `W_v` are NaN? The loss only reads the
# first sentence.

# %% part="demo"
predict("07-empty-sentence", "With −∞ and a plain softmax, NaN are ... of the 16 gradients", unit="of 16")

# %% part="demo" folded=False
torch.manual_seed(0)
x, scores = torch.randn(2, 1, 3, 4), torch.randn(2, 1, 3, 3)
seen = torch.tensor([[True, True, True], [False, False, False]]).view(2, 1, 1, 3)
minus_infinity = torch.tensor([[0.0, 0, 0], [-math.inf, -math.inf, -math.inf]]).view(2, 1, 1, 3)
weightings = {
    "−∞ and a plain softmax": torch.softmax(scores + minus_infinity, dim=-1),
    "masked_softmax": use_part("masked_softmax")(scores, seen),
}
rows = []
for name, weights in weightings.items():
    W_v = torch.eye(4, requires_grad=True)
    loss = (weights @ (x @ W_v))[0].sum()
    loss.backward()
    rows.append((name, loss.item(), W_v.grad.isnan().sum().item()))
outcome("07-empty-sentence", rows[0][2], "of 16")
table(rows, ["weights from", "loss", "NaN among the 16 gradients"])

# %% [markdown]
# Compare the two columns. The loss gives no warning. On the way back, 0 · NaN is NaN, and the empty sentence spoils
# the matrix that all sentences share.

# %% [markdown] exercise="masked_attention" part="prompt" points=10 difficulty=3 minutes=11 returns="output weights" forbids="scaled_dot_product_attention MultiheadAttention"
# ### Exercise 5 · `masked_attention`
#
# Put it together: scores, mask, softmax, values.
#
# $$\text{scores} = \frac{Q K^\top}{\sqrt{d_k}}, \qquad \text{weights} = \text{softmax with mask}, \qquad
# \text{output} = \text{weights} \cdot V$$
#
# | argument | shape | meaning |
# |---|---|---|
# | `query` | `(batch, num_heads, seq_q, d_k)` | what is asked for |
# | `key` | `(batch, num_heads, seq_k, d_k)` | what the others offer |
# | `value` | `(batch, num_heads, seq_k, d_v)` | what they give |
# | `mask` | broadcasts to `(batch, num_heads, seq_q, seq_k)` | boolean, True = may be attended to |
# | returns | `output` `(batch, num_heads, seq_q, d_v)`, `weights` `(batch, num_heads, seq_q, seq_k)` | a pair |
#
# - You may use your `masked_softmax`. PyTorch's finished attention functions (`F.scaled_dot_product_attention`,
#   `nn.MultiheadAttention`) would do the whole exercise and are not allowed.
# - It must work in **float16** too, the numbers of 16 bits that GPUs are fast with. Their range ends at 65,504.
# - A query that may see nothing gives an output of 0. A hidden key counts nowhere, however far its score lies above the
#   others, and no NaN reaches a gradient.

# %% exercise="masked_attention" part="solution"
def masked_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention over the keys that may be seen.

    query:   (batch, num_heads, seq_q, d_k)
    key:     (batch, num_heads, seq_k, d_k)
    value:   (batch, num_heads, seq_k, d_v)
    mask:    broadcastable to (batch, num_heads, seq_q, seq_k), boolean, True where a key may be attended to
    returns: output (batch, num_heads, seq_q, d_v) and weights (batch, num_heads, seq_q, seq_k)
    """
    ### BEGIN SOLUTION
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    weights = masked_softmax(scores, mask)
    return weights @ value, weights
    ### END SOLUTION

# %% exercise="masked_attention" part="check"
check(masked_attention, keeps_inputs, right_shape, finite, same_twice, zero_where_masked(output="weights"), visible_rows_sum_to_one(output="weights"), blind_to_masked_keys("key", "value"), matches)

# %% [markdown] exercise="masked_attention" part="hints"
# - Without the mask this is unit 03's attention, batched: only the last two axes of the keys change places.
# - The mask goes to the scores before the softmax, and the softmax comes before the values.
# - Does float16 fail? −1e9 lies outside its range. `torch.finfo(scores.dtype).min` is the lowest number of whatever type
#   the scores have, and −inf exists in every float type.

# %% [markdown]
# ## Which sense does your library use?
#
# There are two senses of a boolean mask in the world, and PyTorch itself uses both. The cell gives one and the same causal
# mask to four calls; the last gets its row 1 alone, as a padding mask. In that row, tokens 0 and 1 may be seen.
#
# **Predict first.** Which keys does query 1 look at in each of the four?

# %% part="demo"
predict("07-other-sense", "nn.MultiheadAttention(...)(attn_mask=mask): query 1 looks at keys ...", choices=("0 and 1", "2 and 3", "all four"))

# %% part="demo" folded=False
torch.manual_seed(0)
x, may_see = torch.randn(1, 4, 4), use_part("causal_mask")(4)
module = torch.nn.MultiheadAttention(4, num_heads=1, bias=False, batch_first=True)
module.in_proj_weight.data, module.out_proj.weight.data = torch.eye(4).repeat(3, 1), torch.eye(4)
calls = {
    "F.scaled_dot_product_attention(attn_mask=mask)": torch.nn.functional.scaled_dot_product_attention(
        x, x, torch.eye(4)[None], attn_mask=may_see
    ),
    "nn.MultiheadAttention(...)(attn_mask=mask)": module(x, x, x, attn_mask=may_see)[1],
    "nn.MultiheadAttention(...)(attn_mask=~mask)": module(x, x, x, attn_mask=~may_see)[1],
    "nn.MultiheadAttention(...)(key_padding_mask=mask[1:2])": module(x, x, x, key_padding_mask=may_see[1:2])[1],
}
rows = [(name, str((weights[0, 1] > 0).nonzero().flatten().tolist())) for name, weights in calls.items()]
seen = {"[0, 1]": "0 and 1", "[2, 3]": "2 and 3"}.get(rows[1][1], "all four")
outcome("07-other-sense", seen)
table(rows, ["call", "query 1 looks at keys"])

# %% [markdown]
# The second call looks at the future, and only there; the last one would read padding, and only padding. No error, no
# warning. A decoder like the second reads the very answer that it is to predict. (Only its last query may see nothing at
# all; that row is NaN.)
#
# | where | argument | True (or 1) means |
# |---|---|---|
# | **this course** | `mask` | **may be attended to** |
# | `F.scaled_dot_product_attention` | `attn_mask`, boolean | may be attended to |
# | `nn.MultiheadAttention` | `attn_mask`, boolean | **hidden** |
# | `nn.MultiheadAttention` | `key_padding_mask`, boolean | **hidden** |
# | `nn.Transformer` | `src_key_padding_mask` and its kin | **hidden** |
# | Hugging Face tokenizers | `attention_mask`, 0 and 1 | may be attended to |
#
# A *float* mask has one sense only: it is added to the scores. So 0 means seen and −∞ means hidden.

# %% [markdown]
# ## The experiment: change one token, see what moves
#
# A mask can look right and still leak. There is a test that no leak survives, and it needs no understanding of the code:
# **change one input, and see which outputs move.** An output that stands before the changed token must not move at all.
#
# Our network has two layers of self-attention, one on top of the other, over six tokens. We try three ways to mask:
#
# 1. no mask at all;
# 2. the causal mask, before the softmax;
# 3. the causal mask **after** the softmax: all weights are computed, then those on the future are set to 0.
#
# **Predict first.** We change token 3, "is". Which of the six outputs move in each case? In case 3, all weights on the
# future are exactly 0. So does the future leak or not?

# %% part="demo"
predict("07-late-mask", "Mask after the softmax: changing token 3 moves ...", choices=("no output", "outputs 3 to 5", "earlier outputs, too"))

# %% part="demo" folded=False
words = ["<bos>", "machine", "learning", "is", "fun", "<eos>"]
everything, causal = torch.ones(6, 6, dtype=torch.bool), use_part("causal_mask")(6)
attend = use_part("masked_attention")


def late(x: Tensor) -> Tensor:
    return (attend(x, x, x, everything)[1] * causal) @ x


ways = {
    "no mask": lambda x: attend(x, x, x, everything)[0],
    "causal mask": lambda x: attend(x, x, x, causal)[0],
    "mask after the softmax": late,
}


def two_layers(layer, x: Tensor) -> Tensor:
    hidden = x + layer(x)
    return (hidden + layer(hidden))[0, 0]

# %% part="demo" folded=False
torch.manual_seed(0)
x = torch.randn(1, 1, 6, 8)
movement = {}
for name, layer in ways.items():
    rows = []
    for t in range(6):
        changed = x.clone()
        changed[..., t, :] = torch.randn(8)
        rows.append((two_layers(layer, changed) - two_layers(layer, x)).abs().amax(dim=-1))
    movement[name] = torch.stack(rows)  # (changed token, output)
future = {name: moved.tril(-1).abs().max().item() for name, moved in movement.items()}
late_moves = (movement["mask after the softmax"][3] > 1e-6).tolist()
outcome("07-late-mask", "earlier outputs, too" if any(late_moves[:3]) else "outputs 3 to 5" if any(late_moves) else "no output")
table([(name, float(moved[3, 1]), future[name]) for name, moved in movement.items()],
      ["way", "token 3 moves output 1 by", "largest movement of any earlier output"])

# %% part="demo"
for name, moved in movement.items():
    show(leak_map(moved, words, tolerance=1e-6, title=name))

# %% [markdown]
# Read a map row by row: this input was changed, and these outputs moved. A cross marks an output that moved although it
# stands **before** the changed token: a leak.
#
# - **No mask:** look for squares that stayed. Every token hears every other one.
# - **Causal mask:** look left of the diagonal. This is your "no leak" map. The number in the table is 0, not merely
#   small: a hidden value is multiplied by 0. Two layers keep the promise because each of them does.
# - **Mask after the softmax:** were you right? Think about it before you go on; it is the question further below.

# %% [markdown]
# ## One sentence, many training cases
#
# **Predict first.** The same two layers, with the causal mask, read six sentences in turn: `<bos>`, `<bos> machine`, and so on, each
# a word longer. Compare the last output of each with the output at that place when the whole sentence is read at once.

# %% part="demo"
predict("07-prefixes", "With the causal mask, the prefix's last output and the same place of one pass over all are ...",
        choices=("the same, but for rounding", "different"))

# %% part="demo" folded=False
def prefix_gap(way: str) -> float:
    """The largest difference between a prefix read alone and its place in the whole sentence."""
    def layer(x: Tensor) -> Tensor:
        seen = causal if way == "causal mask" else everything
        return attend(x, x, x, seen[: x.shape[2], : x.shape[2]])[0]

    whole = two_layers(layer, x)
    return max(float((two_layers(layer, x[:, :, : n + 1])[n] - whole[n]).abs().max()) for n in range(6))


gaps = {way: prefix_gap(way) for way in ("causal mask", "no mask")}
outcome("07-prefixes", "the same, but for rounding" if gaps["causal mask"] < 1e-5 else "different")
table(list(gaps.items()), ["way", "largest difference"])

# %% [markdown]
# This is what the mask buys. **Every prefix is a training case**: `<bos> machine` should be followed by *learning*, `<bos> machine
# learning` by *is*. With the causal mask one pass over a sentence of n words computes all n cases, each as if nothing followed.
# Without it, each needs a pass of its own.
#
# ## Alone, or in a batch
#
# The same test for padding. A sentence of three tokens is read alone. Then it is read in a batch where two padding tokens
# stand behind it.
#
# **Predict first.** By how much do its three outputs change, with the padding mask and without?

# %% part="demo"
predict("07-company", "Without the padding mask, the three outputs ...",
        choices=("stay as they are", "change by less than 0.001", "change by more than 0.001"))

# %% part="demo" folded=False
torch.manual_seed(0)
ids = torch.tensor([[7, 9, 2, 0, 0]])
embedded = torch.randn(1, 1, 5, 8)
alone = attend(embedded[:, :, :3], embedded[:, :, :3], embedded[:, :, :3], torch.ones(3, 3, dtype=torch.bool))[0]
rows = []
for name, mask in {"with padding_mask": make_padding(ids), "without": torch.ones(5, 5, dtype=torch.bool)}.items():
    padded = attend(embedded, embedded, embedded, mask)[0]
    rows.append((name, float((padded[:, :, :3] - alone).abs().max())))
change = rows[1][1]
outcome("07-company", "stay as they are" if change == 0 else f"change by {'less' if change < 0.001 else 'more'} than 0.001")
table(rows, ["", "largest change of the sentence's outputs"])

# %% [markdown]
# With the mask, what is left is rounding at most. Without it, a sentence means something else in other company. In a
# trained translator that is hard to notice, since most sentences still come out right. This test notices at once.

# %% [markdown]
# ## Two traps that wait on a GPU
#
# **Trap 1: 16 bits.** The number −1e9 is a popular fill for hidden scores. The cell tries it in three float types.

# %% part="demo"
rows = []
for dtype in (torch.float32, torch.bfloat16, torch.float16):
    try:
        filled = torch.zeros(1, dtype=dtype).masked_fill(torch.tensor([True]), -1e9)
        result = f"becomes {filled.item():.4g}"
    except RuntimeError as error:
        result = f"raises: {error}"
    rows.append((str(dtype), f"{torch.finfo(dtype).max:.3g}", result))
table(rows, ["type", "largest number", "filling in −1e9"])

# %% [markdown]
# bfloat16 has the range of float32 with fewer digits; float16 ends at 65,504. Other ways to write −1e9 into a float16
# tensor raise nothing and silently store −∞ (`torch.where` does). Then a row that hides everything is NaN in float16 and not in
# float32.
#
# **Trap 2: `is_causal=True` when there are fewer queries than keys.** When a decoder writes word after word, it asks for
# the newest tokens only, with keys for all tokens so far. Say tokens 3 and 4 ask, and there are five keys.
# `F.scaled_dot_product_attention` can make a causal mask by itself: `is_causal=True`.
#
# **Predict first.** Token 3 should see keys 0 to 3, token 4 keys 0 to 4. What do they see? All scores are equal again, so
# that the weights show the mask.

# %% part="demo"
predict("07-is-causal", "With is_causal=True, token 3 sees ...", choices=("key 0", "keys 0 to 3", "keys 3 and 4", "all five keys"))

# %% part="demo" folded=False
queries, keys, unit = torch.zeros(1, 1, 2, 4), torch.zeros(1, 1, 5, 4), torch.eye(5).expand(1, 1, 5, 5)
by_flag = torch.nn.functional.scaled_dot_product_attention(queries, keys, unit, is_causal=True)[0, 0]
newest = use_part("causal_mask")(5)[-2:]
by_mask = torch.nn.functional.scaled_dot_product_attention(queries, keys, unit, attn_mask=newest)[0, 0]
found = (by_flag[0] > 0).nonzero().flatten().tolist()
outcome("07-is-causal", {1: "key 0", 4: "keys 0 to 3", 2: "keys 3 and 4"}.get(len(found), "all five keys"))
positions = [f"key {j}" for j in range(5)]
show(attention_maps([by_flag, by_mask], ["is_causal=True", "the last two rows of the mask"], ["token 3", "token 4"], positions,
                    columns=1))

# %% [markdown]
# The flag lays its triangle into the **top left** corner, as if the two queries were tokens 0 and 1. PyTorch's
# documentation says so, and people fall into it all the same. With as many queries as keys, both agree. In unit 12 you
# meet this again, when decoding is made fast.

# %% [markdown] part="question"
# ## A question to answer in words
#
# *4 points, read by a person. Five to eight sentences are enough.*
#
# A colleague masks like this: softmax over all scores, then every weight on the future is set to 0. Nothing else. "All
# weights on the future are exactly 0", she says, "so nothing can leak."
#
# 1. Where, in the formula, does a future token still influence the output of an earlier query?
# 2. How could a network that is trained like this make use of it? And why does the training loss raise no alarm?
# 3. Name two ways to mend it.

# %% [markdown] part="answer" id="masking-after-softmax" points=4
# ### BEGIN SOLUTION
# **Model answer.** In the denominator. The softmax divides by the sum over *all* keys, the future ones among them. A future
# key with a high score makes that sum larger, so all weights that remain become smaller. The hidden weights are 0,
# but what is missing to 1 in a row is exactly the share that the future would have had.
#
# So the length of an output tells how well the future fits the query. In training the network sees many positions
# with their future at hand. It can learn queries and keys that write the next token's identity into that sum and
# read it from the output's size. The training loss then falls as if the model had learnt to predict: a leak looks like
# success. When the model writes by itself, the future is not there, and the signal that it relied on is gone.
#
# Two ways to mend it: set the hidden scores to −∞ (or the lowest finite number) *before* the softmax; or, after
# setting the weights to 0, divide each row by its own sum, so that the denominator holds visible keys only.
# Either way, a row that hides everything must be looked after.
#
# **Rubric (4 points).**
#
# - 1 point: names the denominator (the normalising sum over all keys).
# - 1 point: says what it does: the visible weights shrink; or a row's sum, or the size of the output, depends on the future.
# - 1 point: the leak can be learnt, and it lowers the training loss, so that the loss looks good; the failure shows when the
#   model generates by itself (or in a test that changes one token).
# - 1 point: two working remedies (mask the scores first; renormalise the rows).
# ### END SOLUTION

# %% [markdown]
# ## What you built
#
# - `causal_mask` and `padding_mask`, and `decoder_mask`, which joins them.
# - `masked_softmax`, which never gives NaN, forwards or backwards.
# - `masked_attention`, the heart of every Transformer, in float32 and float16.
# - A test for leaks that works on any network: change one token and see what moves.
#
# From here on, the encoder uses your `padding_mask`, and the decoder your `decoder_mask`.
#
# ## Test yourself
#
# **1.** Your translation model reaches a training loss of nearly 0 within minutes and then writes "the the the". What do
# you test first?
#
# <details><summary>Answer</summary>
#
# Whether the future leaks: no causal mask, one that is off by one, or an inverted one. Change one target token and look
# whether an output before it moves.
# </details>
#
# **2.** Somebody sets hidden scores to 0 instead of −∞. What weight does a hidden key get beside two visible ones with
# scores 0 and 0?
#
# <details><summary>Answer</summary>
#
# One third. $e^0 = 1$, like the others. A score of 0 is a score like any other.
# </details>
#
# **3.** Does the causal mask make a decoder faster, since it has less to look at?
#
# <details><summary>Answer</summary>
#
# Not as you wrote it: all scores are computed, then half of them are thrown away. Fused attention can skip whole blocks of
# hidden scores; that is unit 12's subject.
# </details>
#
# ## Sources
#
# - Hung-yi Lee (李宏毅), *Machine Learning 2021*, lecture "Transformer" (second part): masked self-attention, and why the
#   decoder needs it.
# - Vaswani et al., *Attention Is All You Need* (2017), section 3.2.3: the decoder's self-attention, masked by setting scores
#   to −∞ before the softmax.
# - PyTorch's documentation of `torch.nn.functional.scaled_dot_product_attention` (the sense of `attn_mask`, `is_causal`) and
#   of `torch.nn.MultiheadAttention` (the opposite sense). What it says here about both is measured above.
# - The documentation of Hugging Face's `transformers`, glossary: attention mask.
#
# **Next:** unit 08 puts attention into the encoder block, with add & norm and the feed-forward network around it.
