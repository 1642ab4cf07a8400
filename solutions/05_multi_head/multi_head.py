# %% [markdown]
# # 05 · Multi-head attention: several kinds of relevance
#
# "She sat on the bank of the river." What kind of bank? Look at *river*. Who does something with it? Look at *sat*. But the
# weights of one query sum to 1: attention given to one word is taken from the other, and the two answers arrive as one
# average. In this unit a layer learns to ask several questions at once.
#
# **By the end you can**
#
# - say what a head is, and why one set of weights is often not enough;
# - split vectors into heads and merge them again without mixing up tokens;
# - write `MultiHeadAttention`, the part on which every later unit stands, and show that it equals PyTorch's own;
# - look at a model's heads and say which of them does what.
#
# **Time:** about two hours, 80 minutes of them for the exercises.
# **You need:** units 02 and 03 (scores, softmax, `QKᵀ/√d_k`), and what a PyTorch `nn.Module` is.
#
# From here on arrays are PyTorch tensors. They also keep track of gradients, so that unit 04's work is done for you, and
# can live on a GPU.

# %% part="setup"
import math

import torch
from torch import Tensor, nn

from autograder import (
    axes, begin, check, entries_in_place, finite, hint, keeps_inputs, matches, open_rows_sum_to_one, outcome, predict,
    right_shape, same_twice, use_part, zero_where_masked,
)

begin("05_multi_head")

# %% [markdown]
# ## The idea
#
# **Ask several times, with different questions.** Each asking is called a **head**. A head has its own query, key and
# value, narrower than before, and its own weights. It knows nothing of the other heads. Only at the end are the heads'
# answers put side by side and mixed by one more matrix.

# %% part="demo" folded=True
from autograder.lab.figures import Arrow, Box, flow, show

boxes = {
    "a": Box("tokens  a", 1.5, 0),
    "qkv1": Box("q, k, v\nof head 1", 0.5, 1, "blue"),
    "qkv2": Box("q, k, v\nof head 2", 2.5, 1, "orange"),
    "head1": Box("weights 1,\nweighted sum", 0.5, 2, "blue"),
    "head2": Box("weights 2,\nweighted sum", 2.5, 2, "orange"),
    "both": Box("side by side", 1.5, 3, "grey"),
    "b": Box("outputs  b", 1.5, 4),
}
arrows = [
    Arrow("a", "qkv1"), Arrow("a", "qkv2"), Arrow("qkv1", "head1"), Arrow("qkv2", "head2"),
    Arrow("head1", "both"), Arrow("head2", "both"), Arrow("both", "b", "times W_o"),
]
show(flow(boxes, arrows, title="Two heads look at the same tokens, each in its own way"))

# %% [markdown]
# ## The formula
#
# In row convention (a token is a row), with tokens $a$ of shape $(n, d_{in})$ and heads $h = 1, 2, \dots, H$:
#
# $$\text{head}_h = \text{softmax}\!\left(\frac{(a\,W^{q,h})(a\,W^{k,h})^\top}{\sqrt{d_{head}}}\right) a\,W^{v,h}
# \qquad\qquad b = [\,\text{head}_1 \;\; \text{head}_2 \;\cdots\; \text{head}_H\,]\; W^{o}$$
#
# - $W^{q,h}, W^{k,h}, W^{v,h}$: head $h$'s own matrices, each $(d_{in}, d_{head})$.
# - $d_{head}$: the length of one head's queries and keys. **The scale is its root**, not the root of the full width.
# - The softmax runs over the keys, in each head by itself.
# - $[\;\cdots\;]$: the heads side by side, along the features. The result is $(n, H \cdot d_{head})$.
# - $W^{o}$: the output matrix, $(H \cdot d_{head}, d_{out})$. It is the only place where heads meet.

# %% [markdown] exercise="two_head_attention" part="prompt" points=10 difficulty=2 minutes=20 forbids="scaled_dot_product_attention MultiheadAttention"
# ## Exercise 1 · `two_head_attention`: head by head
#
# Write the formula above with a loop over the heads. The name says two, as in the lecture, but the list decides: it may
# hold one head or five.
#
# - `a` is `(n, d_in)`: the tokens, one a row.
# - `heads` is a list of `(W_q, W_k, W_v)`, each matrix `(d_in, d_head)`.
# - `W_o` is `(number of heads · d_head, d_out)`.
# - Return `b`, of shape `(n, d_out)`.
#
# Scale by $\sqrt{d_{head}}$. `torch.softmax` is yours to use, and it stays finite on large scores. Compute with PyTorch all the
# way, so that gradients flow from `b` back to `a` and to every matrix.
# PyTorch's finished attention functions are not: they would do the whole exercise.

# %% exercise="two_head_attention" part="solution"
def two_head_attention(a: Tensor, heads: list[tuple[Tensor, Tensor, Tensor]], W_o: Tensor) -> Tensor:
    """Multi-head self-attention, one head after the other.

    a:       tokens, (n, d_in)
    heads:   for each head its (W_q, W_k, W_v), each (d_in, d_head)
    W_o:     (heads·d_head, d_out)
    returns: (n, d_out)
    """
    ### BEGIN SOLUTION
    answers = []
    for W_q, W_k, W_v in heads:
        query, key, value = a @ W_q, a @ W_k, a @ W_v  # (n, d_head)
        scores = query @ key.T / math.sqrt(query.shape[-1])  # (n, n)
        weights = torch.softmax(scores, dim=-1)
        answers.append(weights @ value)
    return torch.cat(answers, dim=-1) @ W_o
    ### END SOLUTION

# %% exercise="two_head_attention" part="check"
check(two_head_attention, keeps_inputs, axes("n", "d_out"), right_shape, finite, same_twice, matches)

# %% [markdown] exercise="two_head_attention" part="hints"
# - Inside the loop stands unit 03's self-attention, with this head's three matrices. Which length goes under the root?
# - Keep each head's answer, `(n, d_head)`, in a list. After the loop they stand side by side: which axis grows when
#   two tables are put next to each other?
# - `torch.cat(list_of_tensors, dim=...)` joins tensors along an axis that they already have. `W_o` comes last, once.

# %% [markdown]
# ### The example, by hand
#
# The lecture works with two heads, and so do we. Two tokens, $a^1 = (1, 0)$ and $a^2 = (0, 1)$.
#
# **Head 1** asks for tokens *like itself*: $W^{q,1} = \sqrt2 \ln 3 \begin{pmatrix}1&0\\0&1\end{pmatrix}$,
# $W^{k,1}$ and $W^{v,1}$ are the identity. For $a^1$ the scores are $\sqrt2\ln3$ and $0$; divided by $\sqrt{2}$ they are
# $\ln 3$ and $0$. The softmax of these is $\frac{3}{4}, \frac{1}{4}$. So head 1 answers
# $\frac34 a^1 + \frac14 a^2 = (0.75,\ 0.25)$.
#
# **Head 2** asks for the *other* token: $W^{q,2} = \sqrt2 \ln 3 \begin{pmatrix}0&1\\1&0\end{pmatrix}$, $W^{k,2}$ the
# identity, $W^{v,2}$ four times the identity. Its weights are $\frac14, \frac34$, and it answers
# $4\,(\frac14 a^1 + \frac34 a^2) = (1,\ 3)$.
#
# Side by side: $(0.75,\ 0.25,\ 1,\ 3)$. With $W^o = \begin{pmatrix}4&0\\0&4\\0&1\\1&0\end{pmatrix}$ the output is
# $b^1 = (4\cdot0.75 + 3,\;\; 4\cdot0.25 + 1) = (6,\ 2)$. By symmetry $b^2 = (2,\ 6)$.
#
# One head alone could not have kept "mostly me" and "mostly the other" apart: it has one row of weights for each query.
#
# ### Where the heads meet
#
# Cut $W^o$ into bands of rows, one for each head: $W^o_1$ is the upper half here, $W^o_2$ the lower. The long row times $W^o$ is
# then a sum:
#
# $$b = \text{head}_1\, W^o_1 + \text{head}_2\, W^o_2 + \cdots$$
#
# Head 1 adds $4 \cdot (0.75,\ 0.25) = (3, 1)$. The lower band exchanges the two numbers of $(1, 3)$, so head 2 adds $(3, 1)$, too.
# **Each head adds its own part to the output**, without asking the others. (`use_part` takes your own function once it has
# passed, and the course's until then. It says which.)

# %% part="demo"
multi = use_part("two_head_attention")
a = torch.eye(2)
sharp = math.sqrt(2) * math.log(3)
like_me = (sharp * torch.eye(2), torch.eye(2), torch.eye(2))
the_other = (sharp * torch.eye(2).flip(0), torch.eye(2), 4 * torch.eye(2))
W_o = torch.tensor([[4.0, 0.0], [0.0, 4.0], [0.0, 1.0], [1.0, 0.0]])
print("both heads, side by side, times W_o:", multi(a, [like_me, the_other], W_o).round(decimals=3).tolist())
parts = multi(a, [like_me], W_o[:2]), multi(a, [the_other], W_o[2:])
print("each head times its own rows of W_o:", *(part.round(decimals=3).tolist() for part in parts), "sum:", sum(parts).round(decimals=3).tolist())

# %% [markdown]
# ## Two ways to write a head
#
# The lecture draws heads in another way. It first makes the one-head query, and then one query for each head out of it
# (column convention: the matrix stands on the left of the vector):
#
# $$q^i = W^q a^i, \qquad q^{i,1} = W^{q,1} q^i, \qquad q^{i,2} = W^{q,2} q^i$$
#
# The paper gives each head a single matrix and makes its query from the token at once. Is the lecture's form, with two
# matrices in a row, able to say more?

# %% [markdown] exercise="compose_projections" part="prompt" points=5 difficulty=1 minutes=10
# ## Exercise 2 · `compose_projections`: two matrices are one
#
# For each head, find the single matrix that does both steps: the $M^{(n)}$ with $M^{(n)} a = W^{q,n}\,(W^q a)$ for
# every $a$.
#
# - `W_q` is `(d_q, d_in)`: the lecture's $W^q$.
# - `head_projections` is a list of $W^{q,1}, W^{q,2}, \dots$, each `(d_head, d_q)`.
# - Return a **list** (or a tuple) of as many matrices, each `(d_head, d_in)`. Gradients flow back to all matrices.

# %% exercise="compose_projections" part="solution"
def compose_projections(W_q: Tensor, head_projections: list[Tensor]) -> list[Tensor]:
    """One matrix for each head, in place of the lecture's two (column convention).

    W_q:              (d_q, d_in)
    head_projections: for each head its W^{q,n}, (d_head, d_q)
    returns:          for each head one matrix, (d_head, d_in)
    """
    ### BEGIN SOLUTION
    return [head_projection @ W_q for head_projection in head_projections]
    ### END SOLUTION

# %% exercise="compose_projections" part="check"
check(compose_projections, keeps_inputs, right_shape, matches)

# %% [markdown] exercise="compose_projections" part="hints"
# - Which of the two matrices touches the vector first? In column convention that one stands next to the vector.
# - Matrix products may be bracketed as you like: W_n · (W_q · a) = (...) · a. What stands in the bracket?

# %% [markdown]
# ### There and back
#
# Two matrices in a row are always one. And back? For a head with a free matrix $M$ you need a $W^{q,n}$ with
# $W^{q,n} W^q = M$. There is one **for every $M$ exactly when $W^q$ loses nothing**, that is, when its rank is $d_{in}$; a square
# matrix that can be inverted is the usual case. Then the two forms can compute the same things, and the single matrix
# stores fewer numbers. A $W^q$ that makes the vector shorter does lose something. The cell tries both; keys and values
# work the same way.

# %% part="demo"
compose = use_part("compose_projections")
torch.manual_seed(0)
columns = torch.randn(6, 4)  # four tokens of length 6, as columns
W_q, W_heads = torch.randn(6, 6), [torch.randn(2, 6) for _ in range(3)]
for n, (W_head, M) in enumerate(zip(W_heads, compose(W_q, W_heads), strict=True), start=1):
    print(f"head {n}: largest difference between two steps and one {(W_head @ (W_q @ columns) - M @ columns).abs().max():.1e}")
print("numbers to learn for the queries: two steps", 6 * 6 + 3 * 2 * 6, "· one matrix for each head", 3 * 2 * 6)
for short in (W_q, W_q[:3]):
    free = torch.randn(2, 6)  # some matrix of a head; the nearest two steps by least squares
    nearest = torch.linalg.lstsq(short.T, free.T).solution.T @ short
    print(f"back, with a W_q of {len(short)} rows: the nearest two steps miss M by {(nearest - free).abs().max():.1e}")

# %% [markdown]
# ## All heads at once
#
# The loop over heads makes many small products where one large one would do (unit 12 measures what that costs). So the
# heads' matrices are put side by side into one matrix of shape `(d_model, d_model)`, with `d_model = num_heads · d_head`. **One product then
# makes the queries of all heads.** In the result, features `0 … d_head−1` belong to head 0, the next `d_head` to head 1,
# and so on.
#
# A batched product (`@`) multiplies the last two axes and treats every index before them by itself. So two small steps
# remain around the attention:
#
# 1. **Split**: give the heads an axis of their own, and move it next to the batch. Now a product treats each head by
#    itself, as it treats each sentence by itself.
# 2. **Merge**: put each token's heads side by side again, since $W^o$ reads the whole row of a token.
#
# | step | shape |
# |---|---|
# | projected | `(batch, seq, d_model)` |
# | split | `(batch, num_heads, seq, d_head)` |
# | merged | `(batch, seq, d_model)` |
#
# Nothing is computed in either step; every number only moves. Two tools are enough: `x.reshape(...)` puts new brackets
# around the same numbers in the same order, `x.transpose(i, j)` exchanges two axes. This is where most mistakes happen:
# the *shape* can be right while the *numbers* sit in the wrong places.

# %% [markdown] exercise="split_heads" part="prompt" points=5 difficulty=2 minutes=10
# ## Exercise 3 · `split_heads`
#
# From `(batch, seq, d_model)` to `(batch, num_heads, seq, d_head)`, with `d_head = d_model / num_heads` (it always
# divides evenly).
#
# Head $h$ of token $t$ holds the token's features $h \cdot d_{head} \dots (h{+}1) \cdot d_{head} - 1$, in order. The numbers only move: a
# tensor in float64 keeps all its digits.

# %% exercise="split_heads" part="solution"
def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Give the heads an axis of their own.

    x:       (batch, seq, d_model)
    returns: (batch, num_heads, seq, d_head)
    """
    ### BEGIN SOLUTION
    batch, seq, d_model = x.shape
    grouped = x.reshape(batch, seq, num_heads, d_model // num_heads)
    return grouped.transpose(1, 2)
    ### END SOLUTION

# %% exercise="split_heads" part="check"
check(split_heads, keeps_inputs, axes("batch", "num_heads", "seq", "d_head"), right_shape, entries_in_place("x"), matches)

# %% [markdown] exercise="split_heads" part="hints"
# - Unit 00's `group_last_axis` cut the last axis into groups. Do that first: which four axes do you have then, and in
#   which order?
# - A reshape alone cannot bring a token's second half to another head: it never changes the order of the numbers. Which
#   two axes still stand in the wrong order afterwards?
# - `reshape` to `(batch, seq, num_heads, d_head)`; then let axes 1 and 2 change places (`transpose`).

# %% [markdown]
# ### See it happen
#
# Each number says where it came from: `21` is token 2, feature 1. Does head 0 hold features 0, 1, 2 of *every* token?

# %% part="demo"
split = use_part("split_heads")
x = torch.tensor([[[10.0 * token + feature for feature in range(6)] for token in range(3)]])
print("before, (1, 3, 6):", x, "", sep="\n")
print("after, (1, 2, 3, 3):", split(x, 2), sep="\n")

# %% [markdown] exercise="merge_heads" part="prompt" points=5 difficulty=2 minutes=10
# ## Exercise 4 · `merge_heads`
#
# The way back: from `(batch, num_heads, seq, d_head)` to `(batch, seq, num_heads · d_head)`. Each token's heads stand
# side by side, head 0 first. Here, too, the numbers only move.
#
# **The trap:** the shape `(batch, seq, d_model)` can be had in one step, and is then full of other tokens' numbers. No
# error tells you. In unit 10 you can put this mistake into a model and watch its loss fall as if all were well.

# %% exercise="merge_heads" part="solution"
def merge_heads(x: Tensor) -> Tensor:
    """Put each token's heads side by side.

    x:       (batch, num_heads, seq, d_head)
    returns: (batch, seq, num_heads·d_head)
    """
    ### BEGIN SOLUTION
    batch, num_heads, seq, d_head = x.shape
    by_token = x.transpose(1, 2)
    return by_token.reshape(batch, seq, num_heads * d_head)
    ### END SOLUTION

# %% exercise="merge_heads" part="check"
check(merge_heads, keeps_inputs, axes("batch", "seq", "d_model"), right_shape, entries_in_place("x"), matches)

# %% [markdown] exercise="merge_heads" part="hints"
# - Undo the split in reverse order. Which of its two steps came last?
# - The two axes to be joined, heads and features, must be neighbours, in this order, before a reshape can join them.
# - After an exchange of axes the numbers no longer lie in order in memory. `view` refuses to join such axes; `reshape`
#   copies where it must.

# %% [markdown]
# ### Why the shape alone proves nothing
#
# Below, a sentence is split and merged in two ways. The first is right. The second is wrong **twice**, in the split
# and in the merge. The round trip is perfect both times, and yet the wrong split's head 0 holds no features of
# token 2 at all: two wrongs make a round trip. So a test by round trip, or by shape, would let it pass. The checks
# above compare entry by entry.

# %% part="demo"
split, merge = use_part("split_heads"), use_part("merge_heads")
x = torch.tensor([[[10.0 * token + feature for feature in range(6)] for token in range(3)]])
right_split, wrong_split = split(x, 2), x.view(1, 2, 3, 3)
print("round trip, right:", torch.equal(merge(right_split), x), "  wrong twice:", torch.equal(wrong_split.view(1, 3, 6), x))
print("head 0, right:", right_split[0, 0].int().tolist())
print("head 0, wrong:", wrong_split[0, 0].int().tolist())

# %% [markdown]
# And why does `view` sometimes refuse where `reshape` does not? A tensor is one long row of numbers and, for each axis, a
# step: how far to go for the next index. `transpose` moves no number, it exchanges two steps. To join heads and features, one
# even step must lead through both. After a product and a transpose it does not: from one head to the next it is a jump.
# `view` then refuses; `reshape` copies the numbers into a new row.

# %% part="demo"
answers = torch.rand(1, 2, 3, 3) @ right_split  # (batch, num_heads, seq, d_head), like weights @ value
by_token = answers.transpose(1, 2)
print("steps of (batch, head, token, feature)", answers.stride(), "→ of (batch, token, head, feature)", by_token.stride())
try:
    by_token.view(1, 3, 6)
except RuntimeError as error:
    print("view(1, 3, 6):", str(error).partition("(")[0], "...")
print("reshape(1, 3, 6):", tuple(by_token.reshape(1, 3, 6).shape), "in a new row of numbers")

# %% [markdown]
# ## The whole layer
#
# The layer that every Transformer uses has four learned matrices, each with a bias: one for the queries of all heads,
# one for the keys, one for the values, and the output matrix. As `nn.Linear` layers they are called `q_proj`, `k_proj`,
# `v_proj` and `out_proj`.
#
# Query, key and value come in as three arguments. In **self-attention** all three are the same tensor. In
# **cross-attention** (unit 09) the queries come from one sentence, keys and values from another, and the two may differ
# in length.
#
# A **mask** says which keys a query may look at. It is boolean, **True = may be attended to**. It broadcasts to
# `(batch, num_heads, seq_q, seq_k)`, so `(batch, 1, 1, seq_k)` hides some keys from all queries of a sentence, and
# `(seq_q, seq_k)` is the same for all sentences and heads. Unit 07 builds such masks.
#
# What if a query may look at nothing at all? A softmax over nothing is 0/0. In this course such a row gets **weights of
# 0, never NaN**: unit 07 shows what a single NaN does.

# %% [markdown] exercise="MultiHeadAttention" part="prompt" points=10 difficulty=3 minutes=30 forbids="scaled_dot_product_attention MultiheadAttention" returns="output weights"
# ## Exercise 5 · `MultiHeadAttention`
#
# Write `forward`. All heads at once; no loop is needed:
#
# 1. Project `query`, `key` and `value` with their layers, and split each into heads (your `split_heads`).
# 2. Scores, scaled by $\sqrt{d_{head}}$: `(batch, num_heads, seq_q, seq_k)`.
# 3. Where there is a mask, let hidden keys get weight 0, however far their scores lie above the visible ones. Rows sum
#    to 1, but a row without any key is all 0, and no NaN reaches a gradient.
# 4. Weighted sum of the values, merge the heads (your `merge_heads`), output layer.
#
# Return **two** things: the output `(batch, seq_q, d_model)` and the weights `(batch, num_heads, seq_q, seq_k)`.
# `torch.softmax` and `@` are yours; PyTorch's finished attention functions are not.
#
# If your `split_heads` or `merge_heads` is not right yet, the check uses the course's own in their place: this
# exercise is judged by itself.

# %% exercise="MultiHeadAttention" part="solution"
class MultiHeadAttention(nn.Module):
    """Attention with several heads at once: `output, weights = layer(query, key, value, mask)`."""

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """query: (batch, seq_q, d_model)   key, value: (batch, seq_k, d_model)

        mask:    boolean, broadcastable to (batch, num_heads, seq_q, seq_k), True where the key may be attended to
        returns: output (batch, seq_q, d_model) and weights (batch, num_heads, seq_q, seq_k)
        """
        ### BEGIN SOLUTION
        q = split_heads(self.q_proj(query), self.num_heads)  # (batch, num_heads, seq_q, d_head)
        k = split_heads(self.k_proj(key), self.num_heads)  # (batch, num_heads, seq_k, d_head)
        v = split_heads(self.v_proj(value), self.num_heads)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -math.inf)
        weights = torch.softmax(scores, dim=-1)
        if mask is not None:
            weights = weights.masked_fill(~mask, 0.0)  # a row of −inf alone has become NaN
        output = self.out_proj(merge_heads(weights @ v))
        return output, weights
        ### END SOLUTION

# %% exercise="MultiHeadAttention" part="check"
check(
    MultiHeadAttention, keeps_inputs, axes("batch", "seq_q", "d_model", output="output"),
    axes("batch", "num_heads", "seq_q", "seq_k", output="weights"), right_shape, finite, same_twice,
    zero_where_masked("mask", "weights"), open_rows_sum_to_one("mask", "weights"), matches,
)

# %% [markdown] exercise="MultiHeadAttention" part="hints"
# - Write it without the mask first. `query` goes through `self.q_proj`, and so on; `k.transpose(-2, -1)` exchanges only
#   the last two axes and leaves batch and heads alone.
# - For the mask: which score becomes exactly 0 after the softmax? `masked_fill` writes a number wherever a boolean
#   tensor is True, and `~mask` turns True and False around.
# - A row that is all −inf comes out of the softmax as NaN. After the softmax you know which weights must be 0: write
#   them.

# %% [markdown]
# ## The proof: equal to `nn.MultiheadAttention`
#
# PyTorch has the same layer. It keeps the three projections stacked in one matrix, `in_proj_weight`: queries on top,
# then keys, then values. Copy the weights of your layer into it (the first line of output says whether it is yours),
# give both the same tokens and a mask, and compare. (In float32, expect differences around $10^{-7}$, not 0.)

# %% part="demo" folded=False
torch.manual_seed(0)
layer, own = use_part("MultiHeadAttention")(12, 3), nn.MultiheadAttention(12, 3, batch_first=True)
with torch.no_grad():
    projections = (layer.q_proj, layer.k_proj, layer.v_proj)
    own.in_proj_weight.copy_(torch.cat([projection.weight for projection in projections]))
    own.in_proj_bias.copy_(torch.cat([projection.bias for projection in projections]))
    own.out_proj.load_state_dict(layer.out_proj.state_dict())

queries, memory = torch.randn(2, 4, 12), torch.randn(2, 5, 12)
visible = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]).bool()  # the second sentence has three tokens
output, weights = layer(queries, memory, memory, visible[:, None, None, :])
theirs, their_weights = own(queries, memory, memory, key_padding_mask=~visible, average_attn_weights=False)
output.square().sum().backward()
theirs.square().sum().backward()
gradients = layer.v_proj.weight.grad, own.in_proj_weight.grad[24:]
for name, one, other in (
    ("outputs", output, theirs), ("weights", weights, their_weights), ("gradient of v_proj", *gradients),
):
    print(f"{name:20} largest difference {(one - other).abs().max():.1e}   (largest number {one.abs().max():.2f})")

# %% [markdown]
# Note the `~`: PyTorch's `key_padding_mask` is True where a key is **hidden**.
#
# <details><summary>A question on the way: the biases of <code>k_proj</code> never change the weights. Why?</summary>
#
# The bias adds q·b to every score of a query's row: the same number for every key. A softmax does not notice a number
# added to all of its scores.
# </details>
#
# ## An experiment: one head, two jobs
#
# The input is nine random digits. At each place the model must name two things:
#
# - the digit at the **mirrored** place (this is reversal: the first answer is the last digit, and so on), and
# - the digit **one place before** (the first place takes the last digit).
#
# The model is as small as can be: an embedding for the digits, a learned vector for each place (unit 06 is about
# those), one `MultiHeadAttention`, and a linear readout for each answer. What a place learns about other places
# comes through the heads alone.
#
# **Predict first.** Train it twice, with one head and with two. The width and the number of weights are the same. Can one
# head get both answers right? And with two: will each take one of the jobs, or both do half of each? Nothing in the model
# or in the loss tells a head what to do.

# %% part="demo"
predict("05-one-head", "One head, after training: over 90 % right are ...", choices=("both answers", "one of the two", "neither"))

# %% part="demo"
predict("05-two-heads", "Two heads, after training:",
        choices=("each takes one of the jobs", "both do half of each", "something else"))

# %% part="demo" folded=False
LENGTH = 9
torch.set_num_threads(1)  # on a CPU, tensors as small as these are faster without sharing the work
device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
Attention = use_part("MultiHeadAttention")


class DigitReader(nn.Module):
    """Digits in, `num_answers` digits out at each place, through one attention layer."""

    def __init__(self, num_heads: int, num_answers: int, d_model: int = 32) -> None:
        super().__init__()
        self.digits = nn.Embedding(10, d_model)
        self.places = nn.Parameter(0.3 * torch.randn(LENGTH, d_model))
        self.attention = Attention(d_model, num_heads)
        self.answers = nn.ModuleList(nn.Linear(d_model, 10) for _ in range(num_answers))

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        x = self.digits(ids) + self.places
        output, weights = self.attention(x, x, x)
        return torch.stack([answer(output) for answer in self.answers], dim=-2), weights

# %% part="demo" folded=True
def random_digits(count: int, seed: int) -> Tensor:
    return torch.randint(10, (count, LENGTH), generator=torch.Generator().manual_seed(seed)).to(device)


def train(task, num_heads: int, steps: int = 350):
    """A trained model, and how often each of its answers is right on digits that it has not seen."""
    torch.manual_seed(0)
    num_answers = task(random_digits(1, 0)).shape[-1]
    model = DigitReader(num_heads, num_answers).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(steps):
        ids = random_digits(64, step)
        loss = nn.functional.cross_entropy(model(ids)[0].flatten(0, 2), task(ids).flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    fresh = random_digits(1000, steps)
    right = model(fresh)[0].argmax(dim=-1) == task(fresh)
    return model, right.float().mean(dim=(0, 1)).tolist()

# %% part="demo" folded=False
from autograder.lab.tables import table


def mirrored_and_before(ids: Tensor) -> Tensor:
    return torch.stack([ids.flip(1), ids.roll(1, dims=1)], dim=-1)


one_head, right_with_one = train(mirrored_and_before, num_heads=1)
two_heads, right_with_two = train(mirrored_and_before, num_heads=2)
outcome("05-one-head", ("neither", "one of the two", "both answers")[sum(share > 0.9 for share in right_with_one)])
table(
    [(heads, *(f"{share:.0%}" for share in right))
     for heads, right in (("one head", right_with_one), ("two heads", right_with_two))],
    ["model", "mirrored digit right", "digit before right"],
)

# %% [markdown]
# Guessing gives 10 %. Compare the two rows. A single head has one pair of eyes: whatever weight goes to the mirrored
# place is missing at the place before, and what arrives is one mixture of two digits. If it holds a little more of one
# than of the other, the readout can learn to make out that one; the other stays mostly hidden. Two heads have two sets of
# weights, and a matrix $W^o$ that keeps their answers apart.
#
# Now the second question: **who does what?** For each head, measure the share of its weight that goes to the mirrored
# place, and the share that goes to the place before, over 500 fresh inputs. An even spread would give each place 11 %.
# A head has *taken a job* if over 80 % of its weight lies on one of the two.

# %% part="demo" folded=True
places = torch.arange(LENGTH)
patterns = {
    "on the mirrored place": LENGTH - 1 - places, "on the place before": (places - 1) % LENGTH, "on itself": places,
}


def shares(weights: Tensor) -> list[list[float]]:
    """For each head, the mean weight on each pattern's key; weights (batch, num_heads, seq, seq)."""
    return [[float(head[:, places, keys].mean()) for keys in patterns.values()] for head in weights.unbind(dim=1)]


rows = []
for model in (one_head, two_heads):
    weights = model(random_digits(500, seed=1_000))[1].detach().cpu()
    by_head = shares(weights)  # of the two heads, in the end
    for number, found in enumerate(by_head, start=1):
        name = f"{weights.shape[1]} head{'s' * (weights.shape[1] > 1)}, head {number}"
        rows.append((name, *(f"{share:.0%}" for share in found), "yes" if max(found) > 0.8 else "no"))
jobs = {found.index(max(found[:2])) for found in by_head if max(found[:2]) > 0.8}
halves = all(0.3 < share < 0.7 for found in by_head for share in found[:2])
outcome("05-two-heads", "each takes one of the jobs" if jobs == {0, 1} else "both do half of each" if halves else "something else")
table(rows, ["model", *patterns, "over 80 % on one"])

# %% [markdown]
# The patterns overlap a little (the middle place is its own mirror, and the first place's two jobs are one), so a head that
# only mirrors still has 11 % in each of the other columns. If the two heads have their large numbers in *different* columns, they have shared
# the work, and nobody told them to.
#
# The maps show the mean weights. A head that mirrors draws the diagonal from the bottom left to the top right; one that
# looks one place back draws a line just below the other diagonal.

# %% part="demo" folded=True
from autograder.lab.figures import attention_maps, show

maps, names = [], []
for title, model in (("one head", one_head), ("two heads: head", two_heads)):
    weights = model(random_digits(500, seed=1_000))[1].detach().cpu().mean(dim=0)
    maps += list(weights)
    names += [title] if len(weights) == 1 else [f"{title} {h}" for h in range(1, len(weights) + 1)]
tokens = [str(place + 1) for place in range(LENGTH)]
show(attention_maps(maps, names, tokens, tokens, title="Mean attention weights by place", columns=3, values=False))

# %% [markdown]
# ### Explore it yourself
#
# Those were means. Now look at single inputs: choose one in the first menu, and a head in the other. The rows ask, the
# columns are asked.
#
# **Predict first.** A head that mirrors looks at a *place*. So when the digits change, what happens to its map? And what
# would happen to the map of a head that looks for a *digit*?

# %% part="demo"
predict("05-other-digits", "Other digits: the map of the head that mirrors ...", choices=("stays nearly as it is", "moves with the digits"))

# %% part="demo" folded=True
from autograder.lab.explorer import explore, record

inputs = random_digits(4, seed=2_000)
recordings = [
    record(model, ids[None], tokens=[str(digit) for digit in ids.tolist()], name=f"{name}: {''.join(map(str, ids.tolist()))}")
    for name, model in (("two heads", two_heads), ("one head", one_head)) for ids in inputs
]
each = two_heads(random_digits(500, seed=1_000))[1].detach()  # (batch, head, place, key)
moved = (each - each.mean(dim=0)).abs().sum(dim=-1).mean(dim=(0, 2)) / 2  # share of a head's weight that differs from its mean map
mirrors = max(range(2), key=lambda head: by_head[head][0])
outcome("05-other-digits", "stays nearly as it is" if moved[mirrors] < 0.25 else "moves with the digits")
explore(recordings)

# %% [markdown]
# Do the dark cells lie on the same places? A head that looks for a digit would move its dark column to wherever that
# digit stands. The next experiment asks for just that.
#
# ## A second experiment: sorting
#
# Now the same small model, with **one** head, must **sort** the nine digits: at place 1 name the smallest, at place 2
# the second smallest, and so on.
#
# **Predict first.** In reversal the answer always stands in one known place. In sorting it may stand anywhere. What can
# the head at place 1 look for? And at place 9?

# %% part="demo"
predict("05-sorting", "Sorting: the head at place 1 looks mostly at ...", choices=("one fixed place", "small digits", "large digits", "all alike"))

# %% [markdown]
# Two numbers are printed: how often the sorted digit is right, and the largest mean weight that any place gives to a
# *fixed* place (an even spread: 11 %). The picture groups the keys by *what they hold*: each row is a place of the
# sorted answer, each column a digit.

# %% part="demo" folded=True
from autograder.lab.figures import matrix


def in_order(ids: Tensor) -> Tensor:
    return ids.sort(dim=1).values.unsqueeze(-1)


sorter, right_sorted = train(in_order, num_heads=1)
ids = random_digits(2000, seed=1_000)
weights = sorter(ids)[1][:, 0].detach()  # (batch, place of the answer, place of the key)
by_digit = weights @ nn.functional.one_hot(ids, 10).float()  # (batch, place of the answer, digit of the key)
fixed = weights.mean(dim=0).max()
first = float(by_digit[:, 0].mean(dim=0) @ torch.arange(10.0, device=by_digit.device))  # the mean digit that place 1 looks at
looks = "small digits" if first < 3 else "large digits" if first > 6 else "all alike"
outcome("05-sorting", "one fixed place" if fixed > 0.5 else looks)
print(f"sorted digit right: {right_sorted[0]:.0%} · largest mean weight on a fixed place: {fixed:.0%}")
show(matrix(
    (100 * by_digit.mean(dim=0)).cpu().round(), "digit that the key holds", "place in the sorted answer",
    title="Where the sorting head looks", colour_label="share of the weight (%)",
    rows=[str(place + 1) for place in range(LENGTH)], columns=[str(digit) for digit in range(10)],
))

# %% [markdown]
# Look at the first and the last row. If the head has learned to look by **content**, the first row is dark on the left
# (small digits) and the last row on the right (large digits), while no fixed place stands out in the printed number.
# The same layer, trained on another task, looks for another kind of thing: there a place, here a value. $W^q$ and $W^k$
# decide what counts as relevant.
#
# Two warnings. Weights tell where a head *looks*; what it *does* with that is decided by $W^v$ and $W^o$. And a head that
# looks busy may not be needed: many heads of a trained model can be removed with little loss (Michel and others, 2019).

# %% [markdown] part="question"
# ## Written question (4 points)
#
# Answer in your own words, in about ten sentences.
#
# 1. The lecture makes head $n$'s query in two steps, $W^{q,n}(W^q a)$; the paper in one. Why can neither form compute
#    anything that the other cannot, if all matrices are learned and $W^q$ can be undone? And why can the two steps do
#    *less* where $W^q$ makes the vector shorter, whatever the heads' matrices are?
# 2. One head of width 64 and four heads of width 16 have the same number of weights in their projections. Name
#    something that the four can do and the one cannot, and say which step of the formula makes the difference. Use what
#    you measured above.

# %% [markdown] part="answer" id="heads-in-words" points=4
# ### BEGIN SOLUTION
# **Model answer.** (1) The product of two matrices is a matrix: $W^{q,n}(W^q a) = (W^{q,n} W^q)\,a$. So whatever the two
# steps compute, the single matrix $W^{q,n}W^q$ computes as well. The other way round, a single matrix $M$ is two steps
# with $W^{q,n} = M (W^q)^{-1}$, or simply $W^q$ the identity. Nothing non-linear stands between the two steps, and that is the
# reason. The exception: if $W^q$ makes the vector shorter, to a length below that of the token and of all heads together, the
# products all pass through this narrow place. Together they can then have at most that rank, and the two steps can do
# less than free single matrices.
#
# (2) One head has one row of weights for each query. The softmax makes that row sum to 1, so weight on one token is
# taken from another, and what arrives is one mixture. Four heads have four rows of weights for the same query: one can
# look at the mirrored place and another at the place before, and since their answers stand side by side, $W^o$ knows
# which is which. The step that makes the difference is the softmax in each head by itself. In the experiment the model with one head had to spread its weight over two places
# and named one of the digits, or both, wrongly far more often than the model with two heads, at the same number of weights.
#
# **Rubric.** 1 point: the product of two matrices is one matrix (nothing non-linear between), and the converse with the
# identity. 1 point: a narrow $W^q$ limits the rank. 1 point: one head has one distribution a query, several heads have
# several; the answers stay apart side by side. 1 point: names the separate softmax, or points to the measured numbers
# and reads them correctly.
# ### END SOLUTION

# %% [markdown]
# ## What you built
#
# - `two_head_attention`: the formula, head by head; each head adds its part to the output.
# - `compose_projections`: when the lecture's form and the paper's are the same.
# - `split_heads` and `merge_heads`: numbers that move, and none that gets lost.
# - `MultiHeadAttention`: the layer inside every encoder and decoder block of units 08 and 09, equal to PyTorch's own.
#
# ## Questions to test yourself
#
# <details><summary>1. A layer has d_model = 512 and 8 heads. By what are its scores divided?</summary>
#
# By √64 = 8: each head's queries and keys have length 512 / 8 = 64. Not by √512.
# </details>
#
# <details><summary>2. How many numbers does MultiHeadAttention(512, 8) learn? And MultiHeadAttention(512, 1)?</summary>
#
# Both 4 · (512 · 512 + 512) = 1,050,624. The number of heads changes how the queries, keys and values are cut, not how
# many there are.
# </details>
#
# <details><summary>3. A mask of shape (batch, 1, 1, seq_k): what does each of the two 1s say?</summary>
#
# The first: the same for all heads. The second: the same for all queries. Only sentence and key matter, as they do when
# the padding at a sentence's end is hidden.
# </details>
#
# ## Sources
#
# - Hung-yi Lee (李宏毅), lecture "Self-attention" (Machine Learning, 2021), part on multi-head self-attention: two
#   heads, their outputs joined and multiplied by $W^O$. His notation is in columns.
# - Vaswani et al., "Attention Is All You Need" (2017), section 3.2.2: multi-head attention, one projection for each head.
# - Michel, Levy and Neubig, "Are Sixteen Heads Really Better than One?" (2019): many heads of a trained model can be
#   removed with little loss.
# - PyTorch documentation of `torch.nn.MultiheadAttention`: parameter layout, and the opposite sense of its masks.
#
# **Next:** unit 06. Take the place vectors out of the experiment above, and the mirrored digit cannot be found:
# attention alone does not know where a token stands.
