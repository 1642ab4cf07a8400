# %% [markdown]
# # 06 · Positional encoding: where a token stands
#
# Self-attention has a blind spot. Shuffle the tokens, and each token's output is the same vector as before: nothing in it
# says which token came first. "Dog bites man" and "man bites dog" are one bag of three words. In this unit you repair
# that, by **adding to each token a vector that says where it stands**.
#
# At the end of this unit you can
#
# - build the table of sines and cosines of "Attention Is All You Need", and say why both are needed,
# - say what the paper adds, and what today's models rotate instead,
# - build the alternative, a table that is learned,
# - put together the layer at the bottom of the Transformer: embedding · $\sqrt{d_\text{model}}$ + position,
# - show that adding a position vector is the lecture's one-hot position in disguise.
#
# **Before this:** unit 03 (what happens when tokens change places) and unit 05 (modules with weights).
# **Time:** about 95 minutes, of which 60 are exercises.

# %% part="setup"
import math

import torch
from torch import Tensor, nn

from autograder import (
    begin, check, columns_hold_their_waves, finite, hint, keeps_inputs, learns_the_same, matches, moves_positions,
    outcome, predict, right_shape, same_twice, use_part,
)

begin("06_positional_encoding")

# %% [markdown]
# ## The blind spot, in numbers
#
# Here are three words of Chinese: 狗 (dog), 咬 (bites), 人 (person). Each gets a vector of four numbers, drawn at random.
# PyTorch's own attention reads 狗咬人 and then 人咬狗. Look at the output of 狗 in both.

# %% part="demo"
torch.manual_seed(0)
word = {"狗": torch.randn(4), "咬": torch.randn(4), "人": torch.randn(4)}

for sentence, meaning in (("狗咬人", "dog bites person"), ("人咬狗", "person bites dog")):
    x = torch.stack([word[token] for token in sentence])
    output = nn.functional.scaled_dot_product_attention(x[None], x[None], x[None])[0]
    numbers = "  ".join(f"{value:6.3f}" for value in output[sentence.index("狗")])
    print(f"{sentence} ({meaning}): the output of 狗 is  {numbers}")

# %% [markdown]
# The dog cannot tell whether it bites or is bitten: its query meets the same keys, and a sum has no order.
#
# ## The idea
#
# Give place 0 a vector, place 1 another one, place 2 a third. Before anything else happens, **add** to each token the
# vector of its place. Now 狗 in place 0 and 狗 in place 2 are two different vectors, and attention can learn to use that.

# %% part="demo" folded=True
from autograder.lab.figures import Box, flow, lines, matrix, panels, show

boxes = {}
arrows = []
for place, token in enumerate(("狗", "咬", "人")):
    boxes[f"token {place}"] = Box(f"{token}: token vector", 2 * place, 2, "blue")
    boxes[f"position {place}"] = Box(f"position vector {place}", 2 * place, 0, "orange")
    boxes[f"sum {place}"] = Box("+", 2 * place, 1, "plain", "circle")
    boxes[f"input {place}"] = Box("input", 2 * place + 0.9, 1, "green")
    arrows += [(f"token {place}", f"sum {place}"), (f"position {place}", f"sum {place}"), (f"sum {place}", f"input {place}")]
show(
    flow(boxes, arrows, title="Each token's vector plus the vector of its place"),
    alt="Three columns, one for each of the tokens 狗, 咬 and 人. In each, the token vector above and the vector of the "
    "place below meet in a plus sign, and the sum is the input of self-attention.",
)

# %% [markdown]
# ## The formula
#
# Which vectors? The paper takes waves. Columns come in pairs, and each pair has its own frequency:
#
# $$\text{positions}[p,\, 2j] = \sin\!\left(\frac{p}{10000^{2j/d_\text{model}}}\right) \qquad
# \text{positions}[p,\, 2j+1] = \cos\!\left(\frac{p}{10000^{2j/d_\text{model}}}\right)$$
#
# | symbol | what it is |
# |---|---|
# | $p$ | the place in the sequence, from 0 |
# | $d_\text{model}$ | how many numbers a token's vector has, and so a position vector too |
# | $j$ | the number of the pair, from 0: columns $2j$ and $2j+1$ |
# | $10000^{2j/d_\text{model}}$ | how slowly pair $j$ turns: 1 for the first pair, and for the last nearly 10000 where $d_\text{model}$ is large |
#
# Think of a clock with many hands. Each pair (sin, cos) is the tip of one hand, which starts upright and turns clockwise. The
# first hand goes round once in $2\pi \approx 6.3$ places. Each next hand is slower; with $d_\text{model} = 512$ the last one needs
# about 60,000 places for one round. Fast hands tell neighbours apart, slow hands tell far places apart. Here are the three hands of
# $d_\text{model} = 6$:

# %% part="demo" folded=True
places = (0, 1, 2, 8, 60, 400)
figure, axes = panels(1, len(places), width=8.6, height=1.9)
for ax, place in zip(axes[0], places, strict=True):
    ax.plot([math.sin(t / 50) for t in range(320)], [math.cos(t / 50) for t in range(320)], color="#dcdad3", linestyle="-")
    for pair, (colour, length) in enumerate((("#0072B2", 1.0), ("#D55E00", 0.8), ("#009E73", 0.55))):
        angle = place / 10000 ** (2 * pair / 6)
        ax.annotate("", (length * math.sin(angle), length * math.cos(angle)), (0, 0),
                    arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2, "shrinkA": 0, "shrinkB": 0})
    ax.set(title=f"p = {place}", aspect="equal", xlim=(-1.1, 1.1), ylim=(-1.1, 1.1))
    ax.set_axis_off()
show(figure, alt="Six clock faces, for the places 0, 1, 2, 8, 60 and 400, each with three hands. At 0 all stand upright. The long fast hand has "
     "turned by 57 degrees at place 1; the middle one is far round at place 60; the short slow one has moved clearly only at 400.")

# %% [markdown] exercise="sinusoidal_positions" part="prompt" points=10 difficulty=3 minutes=15 relative=0 absolute=2e-5
# ## Exercise 1 · `sinusoidal_positions`
#
# Build the table of the formula: a row for each place, a column for each number.
#
# | argument | meaning |
# |---|---|
# | `max_len` | how many places, $p = 0, 1, \dots$ |
# | `d_model` | how many columns; it may be **odd**, and then the last column is a sine without its cosine |
# | returns | a tensor of shape `(max_len, d_model)` |
#
# Sine and cosine take turns: column 0 is a sine, column 1 a cosine, column 2 a sine. Both columns of a pair have the
# same frequency. The exponent is over `d_model` itself, odd or even.
#
# With `d_model=4` the first three rows are, rounded:
#
# $$\begin{bmatrix} 0 & 1 & 0 & 1 \\ 0.841 & 0.540 & 0.010 & 1.000 \\ 0.909 & -0.416 & 0.020 & 1.000 \end{bmatrix}$$

# %% exercise="sinusoidal_positions" part="solution"
def sinusoidal_positions(max_len: int, d_model: int) -> Tensor:
    """The paper's position vectors: sine and cosine in turns, slower from pair to pair.

    max_len: how many places, from 0
    d_model: how many numbers each place gets, odd or even
    returns: (max_len, d_model)
    """
    ### BEGIN SOLUTION
    position = torch.arange(max_len).unsqueeze(1)
    exponent = torch.arange(0, d_model, 2) / d_model
    angles = position / 10000**exponent  # (max_len, number of pairs)
    table = torch.zeros(max_len, d_model)
    table[:, 0::2] = torch.sin(angles)
    table[:, 1::2] = torch.cos(angles[:, : d_model // 2])
    return table
    ### END SOLUTION

# %% exercise="sinusoidal_positions" part="check"
check(sinusoidal_positions, right_shape, finite, columns_hold_their_waves, matches)

# %% [markdown] exercise="sinusoidal_positions" part="hints"
# - First make the angles alone: a column of places p, divided by a row with one number for each pair. Broadcasting
#   gives a table with a row for each place and a column for each pair.
# - `torch.arange(0, d_model, 2)` gives 0, 2, 4, ..., which is 2j for each pair j.
# - `table[:, 0::2]` is every second column from column 0, `table[:, 1::2]` every second column from column 1. Where
#   `d_model` is odd, the second is one column narrower than the first.

# %% [markdown]
# ## Look at the table
#
# Sixty positions with 64 numbers each. To the left the waves are short, to the right so long that they hardly move. Below, four
# columns by themselves.

# %% part="demo" folded=True
positions = use_part("sinusoidal_positions")(60, 64)
show(
    matrix(positions, "column", "position p", title="60 position vectors of 64 numbers", colour_label="value"),
    alt="Heat map of 60 positions by 64 columns. On the left, stripes change quickly from position to position; towards "
    "the right they become longer and longer, until the columns are nearly constant: 0 for the sines, 1 for the cosines.",
)
show(
    lines(range(60), {f"column {c}": positions[:, c] for c in (0, 1, 16, 32)}, "position p", "value", markers=False, legend_above=True),
    alt="Four waves over 60 positions. Columns 0 and 1 are a sine and a cosine with a period of about 6 positions, "
    "column 16 is a wave about ten times as long, and column 32 has not finished a quarter of its turn.",
)

# %% [markdown]
# ## How alike are two positions?
#
# Attention compares vectors by their dot product. So take the dot product of position 40's vector with all others.
#
# **Predict first.** Where is it largest? Does it fall evenly to both sides, or in waves? And are positions 80 and 85 as
# alike as 40 and 45?

# %% part="demo"
predict("06-same-distance", "Positions 80 and 85, compared with 40 and 45, are ...", choices=("more alike", "just as alike", "less alike"))

# %% part="demo"
table = use_part("sinusoidal_positions")(121, 64)
products = table @ table.T  # (121, 121)
near, far = float(products[40, 45]), float(products[80, 85])
outcome("06-same-distance", "just as alike" if abs(far - near) < 1e-3 else "more alike" if far > near else "less alike")

# %% part="demo" folded=True
distance = range(-40, 41)
curves = {f"from position {p}": [float(products[p, p + k]) for k in distance] for p in (40, 60, 80)}
show(
    lines(distance, curves, "distance k", "dot product of positions p and p + k", markers=False),
    alt="Dot product against distance from minus 40 to 40, from three starting positions. The three curves lie on each "
    "other. They are highest at distance 0, symmetric, and fall on both sides with ripples.",
)
spread = max(abs(curves["from position 40"][i] - curves["from position 80"][i]) for i in range(81))
print(f"at distance 0: {products[40, 40]:.2f}, which is d_model / 2; at distance 40: {products[40, 80]:.2f}")
print(f"largest difference between the curves from 40 and from 80: {spread:.1e}")

# %% [markdown]
# It falls with distance, though in waves, and the three curves lie on each other: the dot product depends on the
# **distance** alone. A pair gives $\sin a \sin b + \cos a \cos b = \cos(a - b)$, and $a - b$ is the distance times the pair's
# frequency. It is the same in both directions: this dot product does not know left from right.
#
# ## A step is a matrix
#
# Now the reason for sines **and** cosines. Move on by $k$ places, and each clock hand turns by a fixed angle: the
# same angle, wherever it was. Turning is a matrix. With $\omega_j = 1 / 10000^{2j/d_\text{model}}$, the frequency of pair $j$:
#
# $$\sin(\omega_j (p + k)) = \sin(\omega_j p)\cos(\omega_j k) + \cos(\omega_j p)\sin(\omega_j k)$$
# $$\cos(\omega_j (p + k)) = \cos(\omega_j p)\cos(\omega_j k) - \sin(\omega_j p)\sin(\omega_j k)$$
#
# The right-hand sides are the two numbers of position $p$, mixed with weights that only depend on $k$. So one matrix
# moves **every** position by $k$. The paper chose these waves in the hope that a layer learns such a matrix, and with it to
# "look three places back".

# %% [markdown] exercise="shift_matrix" part="prompt" points=5 difficulty=3 minutes=12 relative=0 absolute=2e-5
# ## Exercise 2 · `shift_matrix`
#
# Build the matrix that moves a position by `offset` places. A position vector is a **row**, so the matrix stands to its
# right:
#
# $$\text{positions}[p + \text{offset}] = \text{positions}[p]\; M \qquad \text{for every } p$$
#
# | argument | meaning |
# |---|---|
# | `offset` | how many places; may be 0 or negative |
# | `d_model` | even |
# | returns | $M$, a tensor of shape `(d_model, d_model)` |
#
# $M$ is 0 except for $2 \times 2$ blocks on its diagonal, one for each pair of columns. The two formulas above tell you
# what stands in a block: each formula is one **column** of it.

# %% exercise="shift_matrix" part="solution"
def shift_matrix(offset: int, d_model: int) -> Tensor:
    """The matrix M with positions[p + offset] == positions[p] @ M, the same for every p.

    offset:  how many places to move; 0 and negative numbers too
    d_model: even
    returns: (d_model, d_model)
    """
    ### BEGIN SOLUTION
    sine = torch.arange(0, d_model, 2)  # the columns that hold sines
    cosine = sine + 1
    angle = offset / 10000 ** (sine / d_model)
    matrix = torch.zeros(d_model, d_model)
    matrix[sine, sine] = torch.cos(angle)
    matrix[cosine, cosine] = torch.cos(angle)
    matrix[cosine, sine] = torch.sin(angle)
    matrix[sine, cosine] = -torch.sin(angle)
    return matrix
    ### END SOLUTION

# %% exercise="shift_matrix" part="check"
check(shift_matrix, right_shape, finite, moves_positions, matches)

# %% [markdown] exercise="shift_matrix" part="hints"
# - Take `d_model = 2` first. The row is (sin p, cos p). Which four numbers make (sin(p+k), cos(p+k)) of it?
# - In row · matrix, output column 0 is the row times the matrix's column 0. The formula for sin(ω(p+k)) has
#   cos(ωk) with the sine of p and sin(ωk) with its cosine: read the matrix's column off from top to bottom.
# - For `offset = 0` your matrix must be the identity, and `shift_matrix(2, d) @ shift_matrix(3, d)` is
#   `shift_matrix(5, d)`.

# %% [markdown]
# One matrix, made for a step of 7, moves position 3 to 10, 20 to 27 and 90 to 97.

# %% part="demo"
table = use_part("sinusoidal_positions")(100, 16)
step = use_part("shift_matrix")(7, 16)
for p in (3, 20, 90):
    error = (table[p] @ step - table[p + 7]).abs().max()
    print(f"position {p} moved by 7 is position {p + 7}: largest difference {error:.1e}")
show(
    matrix(step, "column", "row", title="shift_matrix(7, 16)", annotate=False),
    alt="A 16 by 16 heat map, empty except for eight 2 by 2 blocks on the diagonal. Towards the lower right the blocks "
    "come closer and closer to the identity.",
)

# %% [markdown]
# ## Today's way: turn, do not add
#
# Add nothing to the token. Instead, turn the **query** at place $p$ by `shift_matrix(p)` and the **key** at place $r$ by
# `shift_matrix(r)`, and take their dot product as before. This is **RoPE**, rotary position embedding (Su and others, 2021), as in
# LLaMA (2023) and many language models since.
#
# **Predict first.** One query and one key, drawn at random, stand at places 2 and 5, then at 30 and 33, then at 80 and 83. How do
# the three scores compare, if the two are turned?

# %% part="demo"
predict("06-turned", "Turned by their places, the three scores are ...", choices=("all alike", "smaller and smaller", "different, in no order"))

# %% part="demo" folded=False
torch.manual_seed(0)
query, key = torch.randn(2, 16)
shift, table = use_part("shift_matrix"), use_part("sinusoidal_positions")(100, 16)
pairs = [(2, 5), (30, 33), (80, 83), (83, 80)]
added = [float((query + table[p]) @ (key + table[r])) for p, r in pairs]
turned = [float((query @ shift(p, 16)) @ (key @ shift(r, 16))) for p, r in pairs]
print("places: ", *(f"{pair!s:>9}" for pair in pairs))
for name, scores in (("added:  ", added), ("turned: ", turned)):
    print(name, *(f"{score:9.3f}" for score in scores))
alike, falling = max(turned[:3]) - min(turned[:3]) < 1e-3, turned[0] > turned[1] > turned[2]
outcome("06-turned", "all alike" if alike else "smaller and smaller" if falling else "different, in no order")

# %% [markdown]
# Turned, the score depends on the places only through $r - p$: turning both by the same angle changes nothing between
# them. The last column exchanges the two places: left and right do differ. Added, with $t_p$ the vector of place $p$, the score is
# $q \cdot k + q \cdot t_r + t_p \cdot k + t_p \cdot t_r$, and the two middle terms change with each place. So positions that are added
# say *where* a token stands; turned ones say *how far away* the other is, and on which side.

# %% [markdown] exercise="LearnedPositions" part="prompt" points=5 difficulty=2 minutes=8
# ## Exercise 3 · `LearnedPositions`
#
# Back to adding, without any formula. Make a table of weights with a row for each place, and let training fill it.
# BERT and the early GPT models do this.
#
# The starter's `__init__` makes the weights `table`, of shape `(max_len, d_model)`, and begins them with small random
# numbers; leave it as it is. Write `forward`: add to each token the row of its place.
#
# | argument | shape | meaning |
# |---|---|---|
# | `x` | `(batch, seq, d_model)` | token vectors, `seq` at most `max_len` |
# | returns | `(batch, seq, d_model)` | `x` plus the positions |
#
# All sequences of a batch begin at place 0. A sequence longer than the table has no row to look up: that is
# why such models state a maximum length.

# %% exercise="LearnedPositions" part="solution"
class LearnedPositions(nn.Module):
    """Adds a learned vector for each place.

    x:       (batch, seq, d_model), seq at most max_len
    returns: (batch, seq, d_model)
    """

    def __init__(self, max_len: int, d_model: int) -> None:
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(max_len, d_model))

    def forward(self, x: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        seq = x.shape[1]
        return x + self.table[:seq]
        ### END SOLUTION

# %% exercise="LearnedPositions" part="check"
check(LearnedPositions, learns_the_same, keeps_inputs, right_shape, finite, same_twice, matches)

# %% [markdown] exercise="LearnedPositions" part="hints"
# - How long is this sequence? It stands in the shape of `x`. Only that many rows of the table are needed.
# - `(batch, seq, d_model) + (seq, d_model)` needs no loop: broadcasting repeats the rows for every sequence of the batch.

# %% [markdown]
# ## The bottom layer of a Transformer
#
# Token ids come in; vectors with positions go out. The embedding's numbers begin small, so that
# each token's vector has length about 1. A position vector has length $\sqrt{d_\text{model}/2}$, since each pair contributes
# $\sin^2 + \cos^2 = 1$. Who would be heard?

# %% part="demo"
torch.manual_seed(0)
build_table = use_part("sinusoidal_positions")
for d_model in (16, 64, 512):
    tokens = torch.randn(1000, d_model) / math.sqrt(d_model)  # as the embedding below begins
    table = build_table(50, d_model)
    before, after, place = (v.norm(dim=1).mean() for v in (tokens, tokens * math.sqrt(d_model), table))
    print(f"d_model {d_model:3}: length of a token {before:5.2f}, times √d_model {after:5.2f}; of a position {place:5.2f}")

# %% [markdown]
# Without the factor the positions drown the tokens, and the more so the larger $d_\text{model}$ is. The paper multiplies
# the embedding by $\sqrt{d_\text{model}}$ before it adds the positions. It does not say why; you have just seen one reason.
#
# $$\text{output}[b, t] = \sqrt{d_\text{model}} \cdot \text{embedding}[\text{ids}[b, t]] \;+\; \text{positions}[t]$$

# %% [markdown] exercise="TransformerEmbedding" part="prompt" points=10 difficulty=3 minutes=15
# ## Exercise 4 · `TransformerEmbedding`
#
# Write `forward`: look each id up, multiply by $\sqrt{d_\text{model}}$, add the position's row.
#
# | argument | shape | meaning |
# |---|---|---|
# | `ids` | `(batch, seq)` | token ids, integers below `vocab_size`; `seq` at most `max_len` |
# | returns | `(batch, seq, d_model)` | the input of the first block |
#
# The starter's `__init__` is complete. It makes two things:
#
# - `self.embedding`, an `nn.Embedding`: weights, to be learned, for every id (0 too). They begin so that a token's
#   vector has length about 1;
# - `self.positions`, your table from exercise 1, as a **buffer**: a tensor that belongs to the module and moves with it to
#   another device, but is not learned. (`persistent=False`: it is not saved either, since it can be computed again.)
#
# Keep it so: leave the starting weights as they are, do not make the table an `nn.Parameter`, and create no tensor on a
# different device from the weights. If exercise 1 is not done yet, this check brings its own table.

# %% exercise="TransformerEmbedding" part="solution"
class TransformerEmbedding(nn.Module):
    """From token ids to vectors that know their place: embedding · √d_model + position.

    ids:     (batch, seq), integers below vocab_size, seq at most max_len
    returns: (batch, seq, d_model)
    """

    def __init__(self, vocab_size: int, d_model: int, max_len: int) -> None:
        super().__init__()
        self.d_model = d_model
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)
        self.register_buffer("positions", sinusoidal_positions(max_len, d_model), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        ### BEGIN SOLUTION
        tokens = self.embedding(ids) * math.sqrt(self.d_model)  # (batch, seq, d_model)
        seq = ids.shape[1]
        return tokens + self.positions[:seq]
        ### END SOLUTION

# %% exercise="TransformerEmbedding" part="check"
check(TransformerEmbedding, learns_the_same, keeps_inputs, right_shape, finite, same_twice, matches)

# %% [markdown] exercise="TransformerEmbedding" part="hints"
# - A module is called like a function: `self.embedding(ids)` gives the vectors, of shape `(batch, seq, d_model)`.
# - Three steps in the formula's order. The factor belongs to the tokens alone, so multiply before you add.
# - The positions are added as in exercise 3: only as many rows as the sequence is long, and broadcasting does the rest.

# %% [markdown]
# ## Why add? The lecture's answer
#
# Are token and position not mixed up for ever? They are summed, but training can give them different directions. The lecture
# has another way to see it. Append to the token $x^i$ a one-hot vector $p^i$, with a 1 in place $i$, and multiply the long vector by
# one matrix. Cut the matrix into the part that meets the token and the part that meets the position:
#
# $$W \begin{bmatrix} x^i \\ p^i \end{bmatrix} = \begin{bmatrix} W^I & W^P \end{bmatrix} \begin{bmatrix} x^i \\ p^i \end{bmatrix}
# = W^I x^i + W^P p^i = a^i + e^i$$
#
# (The lecture writes **columns**: the matrix stands to the left.) $W^P p^i$ picks column $i$ of $W^P$; call it $e^i$. So
# adding $e^i$ **is** appending the position. If $W^P$ is learned, you have exercise 3; the paper sets it by a formula,
# and you have exercise 1.
#
# A small example, in this course's **row** form: a token of 2 numbers, 3 possible places, outputs of 2 numbers. Token
# $(5, 6)$ stands in place 1:
#
# $$\begin{bmatrix} 5 & 6 & 0 & 1 & 0 \end{bmatrix}
# \begin{bmatrix} 1 & 0 \\ 0 & 1 \\ 10 & 20 \\ 30 & 40 \\ 50 & 60 \end{bmatrix}
# = \begin{bmatrix} 5 & 6 \end{bmatrix} + \begin{bmatrix} 30 & 40 \end{bmatrix} = \begin{bmatrix} 35 & 46 \end{bmatrix}$$
#
# The upper two rows of the matrix are $W_\text{input}$, the lower three $W_\text{position}$.

# %% [markdown] exercise="one_hot_view" part="prompt" points=5 difficulty=2 minutes=10
# ## Exercise 5 · `one_hot_view`
#
# Do it the lecture's way, in row form: append a one-hot position to each token, put $W_\text{input}$ on top of
# $W_\text{position}$, and multiply **once**.
#
# | argument | shape | meaning |
# |---|---|---|
# | `x` | `(seq, d_in)` | one sequence, a token a row, `seq` at most `max_len` |
# | `W_input` | `(d_in, d_model)` | what meets the token |
# | `W_position` | `(max_len, d_model)` | what meets the one-hot position: row $p$ is the vector of place $p$ |
# | returns | `(seq, d_model)` | |
#
# A one-hot position has `max_len` numbers, also where the sequence is shorter. Only the result is checked, not
# how you get it.

# %% exercise="one_hot_view" part="solution"
def one_hot_view(x: Tensor, W_input: Tensor, W_position: Tensor) -> Tensor:
    """Append a one-hot position to each token and multiply once by the stacked matrix.

    x:          (seq, d_in)
    W_input:    (d_in, d_model)
    W_position: (max_len, d_model), seq at most max_len
    returns:    (seq, d_model)
    """
    ### BEGIN SOLUTION
    seq, max_len = len(x), len(W_position)
    one_hot = torch.eye(max_len, dtype=x.dtype, device=x.device)[:seq]
    extended = torch.cat([x, one_hot], dim=1)  # (seq, d_in + max_len)
    stacked = torch.cat([W_input, W_position], dim=0)  # (d_in + max_len, d_model)
    return extended @ stacked
    ### END SOLUTION

# %% exercise="one_hot_view" part="check"
check(one_hot_view, keeps_inputs, right_shape, finite, matches)

# %% [markdown] exercise="one_hot_view" part="hints"
# - Row p of an identity matrix is the one-hot vector of place p. How many columns must it have, and how many rows do
#   you need?
# - `torch.cat` joins tensors along the axis that you name: tokens and one-hot positions side by side, the two matrices one
#   above the other. The order must be the same in both.

# %% [markdown]
# ## Experiment: reading dates without positions
#
# Does a model need all this? Take this task: read a Chinese date and write it as numbers.
#
# | Chinese | meaning | target |
# |---|---|---|
# | 1936年5月4日 | year 1936, month 5, day 4 | 1936-05-04 |
#
# 年 means year, 月 month, 日 day. You train the same small Transformer twice: with positions, and without any. It is PyTorch's
# own, ready-made (you build it in units 08 and 09). It reads the Chinese date, and writes the target one symbol at a time.
# Then it reads 500 dates that it has never seen.
#
# **Predict first.** What share of the unseen dates does each model get right, with all ten symbols correct? And **what kind** of
# mistakes will the one without positions make?

# %% part="demo"
predict("06-no-positions", "Without positions: how many of 100 unseen dates are right?", unit="of 100")

# %% part="demo"
predict("06-mistakes", "Without positions, wrong answers mostly have ...", choices=("wrong digits", "the right digits in a wrong order", "both alike"))

# %% part="demo" folded=True
from autograder.lab.corpus import sample

symbols = ["·", "年", "月", "日", "-", *"0123456789"]  # "·" fills up, and begins each target
number_of = {symbol: number for number, symbol in enumerate(symbols)}


def as_ids(pairs):
    """Sources (n, 11), filled up, and targets (n, 11), each behind a "·"."""
    sources = [[number_of[s] for s in (*pair.source, "·", "·")[:11]] for pair in pairs]
    targets = [[0, *(number_of[s] for s in pair.target)] for pair in pairs]
    return torch.tensor(sources), torch.tensor(targets)


unseen = sample("iso_dates", 500, seed=1, split="test", unique=True)
sources, targets = as_ids(sample("iso_dates", 250 * 64, seed=0))
for pair in unseen[:3]:
    print(pair.chinese, "→", pair.english)

# %% part="demo" folded=True
class DateReader(nn.Module):
    def __init__(self, with_positions, d_model=64):
        super().__init__()
        self.embedding = nn.Embedding(len(symbols), d_model)
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)
        table = use_part("sinusoidal_positions")(11, d_model)
        self.register_buffer("positions", table if with_positions else torch.zeros_like(table))
        self.transformer = nn.Transformer(d_model, 4, 1, 1, 2 * d_model, dropout=0.0, batch_first=True)
        self.output = nn.Linear(d_model, len(symbols))

    def embed(self, ids):
        return self.embedding(ids) * math.sqrt(self.embedding.embedding_dim) + self.positions[: ids.shape[1]]

    def forward(self, source, target):
        later = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)  # not to be seen yet
        return self.output(self.transformer(self.embed(source), self.embed(target), tgt_mask=later))

    @torch.no_grad()
    def read(self, source):
        written = torch.zeros(len(source), 1, dtype=torch.long)
        for _ in range(10):
            written = torch.cat([written, self(source, written)[:, -1:].argmax(dim=-1)], dim=1)
        return ["".join(symbols[i] for i in row) for row in written[:, 1:].tolist()]

# %% [markdown]
# The next cell trains both, a few seconds each. It prints the loss at the start and its mean over the last 20 steps.

# %% part="demo" folded=True
def train(with_positions, steps=250, batch=64):
    torch.manual_seed(0)
    model = DateReader(with_positions)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps, pct_start=0.2)
    losses = []
    for source, target in zip(sources.split(batch), targets.split(batch), strict=True):
        logits = model(source, target[:, :-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    print(f"{'with' if with_positions else 'without'} positions: loss {losses[0]:.2f} → {sum(losses[-20:]) / 20:.3f}")
    return model.eval(), losses


torch.set_num_threads(1)  # so small a model gains nothing from more, and loses where others want them too
with_positions, losses_with = train(True)
without_positions, losses_without = train(False)

# %% part="demo" folded=True
def report(name, model):
    """Share right, and of the wrong answers the share with the right digits in a wrong order."""
    answers = model.read(as_ids(unseen)[0])
    wrong = [(pair, answer) for pair, answer in zip(unseen, answers, strict=True) if answer != pair.english]
    shuffled = sum(sorted(answer) == sorted(pair.english) for pair, answer in wrong)
    print(f"{name}: {len(unseen) - len(wrong)} of {len(unseen)} unseen dates right "
          f"({100 * (1 - len(wrong) / len(unseen)):.1f} %)")
    print(f"  wrong: {len(wrong)}; of these, right digits in a wrong order: {shuffled}")
    for pair, answer in wrong[:5]:
        print(f"    {pair.chinese:<12} should be {pair.english}, read as {answer}")
    return 100 * (1 - len(wrong) / len(unseen)), shuffled / max(1, len(wrong))


report("with positions", with_positions)
right, shuffled = report("without positions", without_positions)
outcome("06-no-positions", right, "of 100")
outcome("06-mistakes", "the right digits in a wrong order" if shuffled > 0.6 else "wrong digits" if shuffled < 0.4 else "both alike")
show(
    lines(range(250), {"with positions": losses_with, "without positions": losses_without}, "training step",
          "loss (nats per symbol)", markers=False),
    alt="Loss against training step for both models. Both fall at first; with positions the loss goes on towards 0, "
    "without positions it stays on a level well above.",
)

# %% [markdown]
# Look at the two shares, then at the examples. A model without positions is a careful bookkeeper: nearly always all the digits
# are there, in a date that nobody wrote. (The hyphens land right: it can tell how much it has written.)
# Compare the curves: more training does not help a model that cannot know.
#
# Here is the proof that it cannot. 1936年5月4日 and 1963年5月4日 are the same symbols in another order. To a model
# without positions they are one and the same bag, so it must give both the same answer (but for rounding). At most one can be right.

# %% part="demo"
twins = ["1936年5月4日", "1963年5月4日"]
ids = torch.tensor([[number_of[s] for s in (text + "··")[:11]] for text in twins])
for name, model in (("with positions", with_positions), ("without positions", without_positions)):
    for text, answer in zip(twins, model.read(ids), strict=True):
        print(f"{name:17}: {text} is read as {answer}")

# %% [markdown]
# One warning. This is a task that **needs** order. In sentences made from a few templates the words often tell who did what,
# and a model without positions can do surprisingly well. A good score does not prove that a part works: choose the task
# that shows the point.
#
# ## What you built
#
# - `sinusoidal_positions`: the table of waves, fast ones first. The formula has a row for any place; whether a
#   model can use rows it never saw in training is another question.
# - `shift_matrix`: moving on by $k$ places is one matrix, the same from everywhere.
# - `LearnedPositions`: the table without a formula, up to a maximum length.
# - `TransformerEmbedding`: the bottom layer of the whole machine.
# - `one_hot_view`: adding a position is appending a one-hot vector.
#
# ## Test yourself
#
# <details><summary>1. Why does self-attention alone not know the order of its tokens?</summary>
#
# Each output is a sum over all tokens, with weights that come from pairs of vectors. Neither the sum nor the pairs know
# about places. Reorder the tokens, and the outputs are reordered in the same way, with the same numbers.
# </details>
#
# <details><summary>2. A table of sines alone, without cosines: what would be lost?</summary>
#
# The step matrix. $\sin(\omega(p+k))$ needs both $\sin(\omega p)$ and $\cos(\omega p)$. From the sine alone you cannot even
# tell whether the hand points up or down.
# </details>
#
# <details><summary>3. Why is the sinusoidal table a buffer, and neither a parameter nor a plain attribute?</summary>
#
# A parameter would be changed by training. A plain attribute would stay on the CPU when the model moves to the GPU. A
# buffer moves with the module and is left alone by the optimizer.
# </details>
#
# ## Sources
#
# - Hung-yi Lee (李宏毅), *Machine Learning 2019*, lecture "Transformer": position vectors that are added, and the one-hot
#   view with $W = [W^I\ W^P]$. *Machine Learning 2021*, lecture "Self-attention" part 2: hand-made and learned positions.
# - Vaswani et al., *Attention Is All You Need*, 2017: section 3.5 (the formula, and the step as a linear function),
#   section 3.4 (the factor $\sqrt{d_\text{model}}$), table 3 row E (learned positions do about as well).
# - Gehring et al., *Convolutional Sequence to Sequence Learning*, 2017, section 3.1: learned position embeddings.
# - Devlin et al., *BERT*, 2019, and Radford et al., *Improving Language Understanding by Generative Pre-Training* (GPT), 2018:
#   models with learned positions.
# - Su et al., *RoFormer: Enhanced Transformer with Rotary Position Embedding*, 2021: RoPE. Touvron et al., *LLaMA*, 2023, section 2.2:
#   one of the models that use it.
#
# **Next:** unit 07 decides what each token may see: padding is hidden, and the future too.
