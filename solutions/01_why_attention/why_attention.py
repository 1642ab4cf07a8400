# %% [markdown]
# # 01 · Why attention: RNN, CNN and self-attention side by side
#
# A sentence is a row of vectors, and each output should know about the whole sentence. Three kinds of layer can
# do that. In this unit you build the two older ones, measure all three on your machine, and see for yourself what self-attention
# is better at, and what it pays for it.
#
# **When you are done, you can**
#
# - write one step of a recurrent network and a causal convolution;
# - say how far back a stack of convolutions sees, and count the steps between two distant tokens;
# - say which layer has steps that must wait for one another;
# - tell what your own machine shows of the lecture's claim that self-attention works in parallel, and what it cannot show.
#
# **Time** about 80 minutes; five exercises, 30 points. **You need** unit 00, and the product of a vector and a matrix.

# %% part="setup"
import numpy as np

from autograder import begin, blind_to_later_rows, check, finite, hint, keeps_inputs, matches, right_shape, use_part, within

begin("01_why_attention")

# %% [markdown]
# ## The idea
#
# Four tokens, $x_1$ to $x_4$. The output for the last one should know about the first. Run the cell and follow the
# **orange** arrows: that is the way from the first place to the last.
#
# - A **recurrent network** (RNN) reads from left to right. It carries a *hidden state*, its memory, from step to step. The first token must
#   survive every step on the way, and step 4 cannot begin before step 3 is done.
# - A **convolution** (CNN) looks at a few neighbours, at all places at once. One layer does not see far; to see farther you stack layers.
# - **Self-attention** lets every place look at every other directly, at all places at once.

# %% part="demo"
from autograder.lab.figures import Arrow, Box, flow, show

boxes, arrows = {}, []
ways = {"r": {("s1", "s2"), ("s2", "s3"), ("s3", "s4")}, "c": {("c1", "d2"), ("d2", "e3"), ("e3", "f4")}, "a": {("a1", "b4")}}
for j, below in enumerate("₁₂₃₄", start=1):
    for left, kind in zip((0, 4.4, 8.8), "rca", strict=True):
        boxes[f"{kind}{j}"] = Box(f"x{below}", left + j, 0, "grey", "circle")
    boxes[f"s{j}"] = Box(f"h{below}", j, 1, "blue", "circle")
    boxes |= {f"{layer}{j}": Box(" ", 4.4 + j, height, "green", "circle") for height, layer in enumerate("def", start=1)}
    boxes[f"b{j}"] = Box(f"b{below}", 8.8 + j, 1, "purple", "circle")
pairs = [(f"r{j}", f"s{j}") for j in range(1, 5)] + [(f"s{j}", f"s{j + 1}") for j in range(1, 4)]
pairs += [(f"{one}{j}", f"{two}{j + step}") for one, two in ("cd", "de", "ef") for j in range(1, 5) for step in (0, 1) if j + step < 5]
pairs += [(f"a{j}", f"b{i}") for j in range(1, 5) for i in range(1, 5)]
arrows = [Arrow(*pair, colour="orange" if any(pair in way for way in ways.values()) else "plain") for pair in sorted(pairs, key=lambda p: any(p in w for w in ways.values()))]
boxes |= {"R": Box("RNN", 2.5, -0.8, shape="text"), "C": Box("CNN: three layers, kernel of width 2", 6.9, -0.8, shape="text"), "A": Box("self-attention", 11.3, -0.8, shape="text")}
show(flow(boxes, arrows), alt="Three layers over four tokens. RNN: x1 reaches the last hidden state h4 through h1, h2 and h3, one after the "
     "other. CNN with kernels of width 2: x1 reaches the last output through three layers. Self-attention: x1 reaches b4 in one step.")

# %% [markdown]
# In this unit **a token is a row**: a sequence is an array of shape `(seq, d_in)`, and a vector stands to the *left* of its
# matrix, $x\,W$. (The lectures write columns, $W x$. Unit 03 shows how to turn one into the other.)
#
# ## Part 1 · The recurrent network
#
# One step takes the token $x$ and the state $h$ that the step before left behind, and makes the new state:
#
# $$h' = \tanh(x\,W_x + h\,W_h + b)$$
#
# | symbol | shape | meaning |
# |---|---|---|
# | $x$ | `(d_in,)` | the token that is read now |
# | $h$ | `(d_hidden,)` | the state so far: all that the network remembers |
# | $W_x$ | `(d_in, d_hidden)` | how the token enters |
# | $W_h$ | `(d_hidden, d_hidden)` | how the old state enters |
# | $b$ | `(d_hidden,)` | a constant, the bias |
#
# $\tanh$ squashes each number between −1 and 1, so that the state cannot grow without limit. The same matrices serve at every step.
#
# **With a pencil.** One number in, two in the state: $x = (2)$, $h = (1, -1)$, $W_x = (0.5,\ 0)$,
# $W_h = \begin{bmatrix}0&1\\1&0.5\end{bmatrix}$, $b = (0,\ 0.1)$. Then $x W_x = (1, 0)$; $h W_h = (0\cdot 1 + 1\cdot(-1),\ 1\cdot 1 + 0.5\cdot(-1)) = (-1,\ 0.5)$;
# the sum with $b$ is $(0,\ 0.6)$, and $h' = (\tanh 0,\ \tanh 0.6) = (0,\ 0.537)$.

# %% [markdown] exercise="rnn_step" part="prompt" points=5 difficulty=1 minutes=7
# ### Exercise 1 · `rnn_step`
#
# Write one step of the recurrent network: $h' = \tanh(x\,W_x + h\,W_h + b)$.
#
# | argument | shape | meaning |
# |---|---|---|
# | `x` | `(d_in,)` | one token |
# | `h` | `(d_hidden,)` | the state before |
# | `W_x` | `(d_in, d_hidden)` | stands to the right of `x` |
# | `W_h` | `(d_hidden, d_hidden)` | stands to the right of `h` |
# | `b` | `(d_hidden,)` | the bias |
# | returns | `(d_hidden,)` | the state after |

# %% exercise="rnn_step" part="solution"
def rnn_step(x: np.ndarray, h: np.ndarray, W_x: np.ndarray, W_h: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One step of a recurrent network.

    x:        (d_in,)
    h:        (d_hidden,), the state before
    W_x, W_h: (d_in, d_hidden) and (d_hidden, d_hidden)
    b:        (d_hidden,)
    returns:  (d_hidden,), the state after
    """
    ### BEGIN SOLUTION
    return np.tanh(x @ W_x + h @ W_h + b)
    ### END SOLUTION

# %% exercise="rnn_step" part="check"
check(rnn_step, keeps_inputs, right_shape, finite, within(-1, 1), matches)

# %% exercise="rnn_step" part="hidden"
check(rnn_step, keeps_inputs, right_shape, finite, within(-1, 1), matches, cases="hidden")

# %% [markdown] exercise="rnn_step" part="hints"
# - Three vectors of length `d_hidden` are added, and then one function is applied to the sum. Which two of the three are made by a matrix product?
# - The matrix stands on the right: `vector @ matrix`. `W_h` is square, so the wrong side gives the right shape and
#   wrong numbers.

# %% exercise="rnn_step" part="library"
import numpy as np


def rnn_step(x: np.ndarray, h: np.ndarray, W_x: np.ndarray, W_h: np.ndarray, b: np.ndarray) -> np.ndarray:
    """PyTorch's RNN cell on NumPy arrays."""
    import torch

    x, h, W_x, W_h, b = (torch.from_numpy(np.array(v, dtype=np.float64, order="C")) for v in (x, h, W_x, W_h, b))
    return torch.rnn_tanh_cell(x[None], h[None], W_x.T, W_h.T, b, torch.zeros_like(b))[0].numpy()

# %% exercise="rnn_step" part="variants"
def draw(rng, d_in, d_hidden):
    return dict(x=rng.normal(size=d_in), h=rng.uniform(-1, 1, size=d_hidden), W_x=rng.normal(size=(d_in, d_hidden)) / np.sqrt(d_in),
                W_h=rng.normal(size=(d_hidden, d_hidden)) / np.sqrt(d_hidden), b=rng.uniform(0.3, 0.9, size=d_hidden) * rng.choice([-1, 1], size=d_hidden))

@cases(dict(d_in=3, d_hidden=5), dict(d_in=7, d_hidden=4))
def drawn(rng, d_in, d_hidden):
    """a token of {d_in} numbers, a state of {d_hidden}"""
    return draw(rng, d_in, d_hidden)

@cases(dict(d=6), dict(d=7), low=6)
def square(rng, d):
    """a token and a state of {d} numbers each"""
    return draw(rng, d, d)

@cases(dict(d_hidden=4), low=3)
def one_number(rng, d_hidden):
    """a token of one number, a state of {d_hidden}; and a token of {d_hidden} numbers, a state of one"""
    return [draw(rng, 1, d_hidden), draw(rng, d_hidden, 1)]

@cases(dict(d_in=4, d_hidden=3), low=3)
def two_calls(rng, d_in, d_hidden):
    """two calls of one size, with other numbers in each: a token of {d_in} numbers, a state of {d_hidden}"""
    return [draw(rng, d_in, d_hidden), draw(rng, d_in, d_hidden)]

@cases(dict(d_in=4, d_hidden=6), low=3)
def wide_awake(rng, d_in, d_hidden):
    """large numbers in the token, and sums from −4 to 4 before tanh (d_in = {d_in}, d_hidden = {d_hidden})"""
    given = draw(rng, d_in, d_hidden)
    given["x"] *= 30
    z = given["x"] @ given["W_x"] + given["h"] @ given["W_h"]
    return given | dict(b=rng.permutation(np.linspace(-4, 4, d_hidden)) - z)

X, H, B, SUM = "x @ W_x", "h @ W_h", " + b", "x @ W_x + h @ W_h + b"
OUT = f"np.tanh({SUM})"
inside = {
    "no-bias": ("x @ W_x + h @ W_h", "the bias `b` is not added."),
    "no-state": ("x @ W_x + b", "the old state `h` does not enter: such a network remembers nothing."),
    "no-token": ("h @ W_h + b", "the token `x` does not enter: the new state does not know what was read."),
    "state-matrix-transposed": ("x @ W_x + W_h @ h + b", "`W_h` is used from the other side (or transposed). It is square, so the shape is right and the numbers are not: here the vector stands on the left."),
    "token-matrix-transposed": ("W_x @ x + h @ W_h + b", "`W_x` is used from the other side (or transposed). Its shape is (d_in, d_hidden): here the vector stands on the left."),
    "both-transposed": ("W_x @ x + W_h @ h + b", "both matrices are used from the other side (or transposed). Here a vector stands on the left of its matrix."),
    "matrices-swapped": ("x @ W_h + h @ W_x + b", "the matrices have changed places: `W_x` belongs to the token `x`, `W_h` to the state `h`."),
    "token-matrix-twice": ("x @ W_x + h @ W_x + b", "the state meets `W_x`. It has a matrix of its own, `W_h`."),
    "state-matrix-twice": ("x @ W_h + h @ W_h + b", "the token meets `W_h`. It has a matrix of its own, `W_x`."),
    "token-twice": ("x @ W_x + x @ W_h + b", "the token meets both matrices, and the state none: `W_h` belongs to `h`."),
    "state-twice": ("h @ W_x + h @ W_h + b", "the state meets both matrices, and the token none: `W_x` belongs to `x`."),
    "state-without-matrix": ("x @ W_x + h + b", "the state is added as it is: `W_h` is missing."),
    "bias-subtracted": ("x @ W_x + h @ W_h - b", "the bias is subtracted. It is added."),
    "bias-twice": ("x @ W_x + h @ W_h + 2 * b", "the bias enters twice."),
    "state-subtracted": ("x @ W_x - h @ W_h + b", "the state's part is subtracted. It is added."),
    "token-subtracted": ("h @ W_h - x @ W_x + b", "the token's part is subtracted. It is added."),
    "halved": ("(x @ W_x + h @ W_h) / 2 + b", "the parts of token and state are averaged. They are added."),
    "scaled": ("x @ W_x + h @ W_h / np.sqrt(len(h)) + b", "the state's part is divided by √d_hidden. Nothing is scaled here."),
    "scaled-both": ("(x @ W_x + h @ W_h) / np.sqrt(len(h)) + b", "the sum is divided by √d_hidden. Nothing is scaled here."),
    "gate": ("(x @ W_x) * (h @ W_h) + b", "the parts of token and state are multiplied. They are added."),
    "tanh-of-the-state": ("x @ W_x + np.tanh(h) @ W_h + b", "tanh is applied to the old state as well. The state comes out of a tanh already; here one tanh is applied, to the whole sum."),
    "last-number-lost": ("x[:-1] @ W_x[:-1] + h @ W_h + b", "the last number of the token is left out. Does a loop of yours end one too early?"),
    "last-state-lost": ("x @ W_x + h[:-1] @ W_h[:-1] + b", "the last number of the old state is left out. Does a loop of yours end one too early?"),
    "bias-summed": ("x @ W_x + h @ W_h + b.sum()", "the sum of the bias is added to every number. Each number has its own bias."),
    "diagonal": ("x @ W_x + h * np.diag(W_h) + b", "each number of the state meets only itself. `h @ W_h` lets every number meet every other."),
}
outside = {
    "no-tanh": ("{}", "tanh is missing: your state may be any number."),
    "sigmoid": ("1 / (1 + np.exp(-({})))", "your step uses a sigmoid, which gives numbers between 0 and 1. It should be tanh, between −1 and 1."),
    "relu": ("np.maximum({}, 0)", "your step uses ReLU. It should be tanh."),
    "tan": ("np.tan({})", "your step uses the tangent, `np.tan`. It should be the hyperbolic tangent, `np.tanh`."),
    "arctan": ("np.arctan({})", "your step uses `np.arctan`. It should be `np.tanh`."),
    "arctanh": ("np.arctanh(np.clip({}, -0.999999, 0.999999))", "your step uses `np.arctanh`, the inverse. It should be `np.tanh`."),
    "sinh": ("np.sinh({})", "your step uses `np.sinh`. It should be `np.tanh`."),
    "sin": ("np.sin({})", "your step uses a sine. It should be `np.tanh`."),
    "clipped": ("np.clip({}, -1, 1)", "your step cuts the sum at −1 and 1. It should be tanh, which bends smoothly."),
    "softsign": ("(lambda z: z / (1 + abs(z)))({})", "your step divides the sum by 1 plus its size. It should be tanh."),
    "tanh-twice": ("np.tanh(np.tanh({}))", "tanh is applied twice."),
    "tanh-of-half": ("np.tanh(({}) / 2)", "the sum is halved before tanh (or a sigmoid is stretched to −1 and 1). Apply tanh to the sum itself."),
    "softmax": ("(lambda z: np.exp(z) / np.exp(z).sum())({})", "a softmax is applied where tanh should be."),
    "sign": ("np.sign({})", "your step keeps the sign only. It should be tanh, which bends smoothly."),
    "negative": ("-np.tanh({})", "your new state has the opposite sign."),
}
for name, (text, says) in inside.items():
    wrong(name, (SUM, text), says=says)
for name, (text, says) in outside.items():
    wrong(name, (OUT, text.format(SUM)), says=says)
for one in ("no-tanh", "sigmoid", "relu"):
    for other in ("no-bias", "no-state", "no-token", "state-matrix-transposed", "both-transposed", "matrices-swapped", "token-matrix-transposed"):
        wrong(f"{one}+{other}", (OUT, outside[one][0].format(inside[other][0])), says=f"two things at once. First, {outside[one][1]} Second, {inside[other][1]}")
for other, text in {"state-matrix-transposed": "x @ W_x + W_h @ h", "both-transposed": "W_x @ x + W_h @ h", "matrices-swapped": "x @ W_h + h @ W_x", "state-without-matrix": "x @ W_x + h"}.items():
    wrong(f"no-bias+{other}", (SUM, text), says=f"two things at once. First, {inside['no-bias'][1]} Second, {inside[other][1]}")
wrong("bias-outside", (OUT, "np.tanh(x @ W_x + h @ W_h) + b"), says="the bias is added after tanh. It belongs inside: tanh is applied to the whole sum.")
wrong("state-outside", (OUT, "np.tanh(x @ W_x + b) + h @ W_h"), says="the state's part is added after tanh. It belongs inside: tanh is applied to the whole sum.")
wrong("token-outside", (OUT, "np.tanh(h @ W_h + b) + x @ W_x"), says="the token's part is added after tanh. It belongs inside: tanh is applied to the whole sum.")
wrong("tanh-of-each", (OUT, "np.tanh(x @ W_x) + np.tanh(h @ W_h) + b"), says="tanh is applied to the parts one by one. Add first; apply tanh once, to the whole sum.")
for name, text in {"state-apart": "np.tanh(x @ W_x + b) + np.tanh(h @ W_h)", "token-apart": "np.tanh(x @ W_x) + np.tanh(h @ W_h + b)"}.items():
    wrong(f"tanh-with-{name}", (OUT, text), says="tanh is applied twice, to the token's part and to the state's part. Add first; apply tanh once, to the whole sum.")
wrong("tanh-of-all-three", (OUT, "np.tanh(x @ W_x) + np.tanh(h @ W_h) + np.tanh(b)"), says="tanh is applied to the three parts one by one. Add first; apply tanh once, to the whole sum.")
wrong("tanh-of-the-token-only", (OUT, "np.tanh(x @ W_x) + h @ W_h + b"), says="tanh is applied to the token's part only. Add first; apply tanh to the whole sum.")
wrong("added-to-the-state", (OUT, f"h + {OUT}"), says="the old state is added to the new one. The new state is tanh of the sum, and no more.")
wrong("averaged-with-the-state", (OUT, f"(h + {OUT}) / 2"), says="the new state is averaged with the old one. It is tanh of the sum, and no more.")
wrong("old-state-returned", (OUT, "h"), says="your function returns the old state.")
wrong("old-state-copied", (OUT, "h.copy()"), says="your function returns the old state.")
wrong("both-states", (OUT, f"({OUT}, h)"), says="your function returns two things. Return the new state alone.")
wrong("state-twice-returned", (OUT, f"({OUT}, {OUT})"), says="your function returns two things. Return the new state alone.")
wrong("sum-as-well", (OUT, f"({OUT}, {SUM})"), says="your function returns two things. Return the new state alone.")
wrong("row", (OUT, f"{OUT}[None]"), says="your new state has shape (1, d_hidden), a matrix with one row. Return a vector of shape (d_hidden,).")
wrong("column", (OUT, f"{OUT}[:, None]"), says="your new state has shape (d_hidden, 1), a matrix with one column. Return a vector of shape (d_hidden,).")
wrong("squeezed", (OUT, f"np.squeeze({OUT})"), says="a state of one number loses its axis. Its shape should be (1,).")
wrong("total", (OUT, f"{OUT}.sum()"), says="your new state is a single number. It has d_hidden numbers, as the old one.")
wrong("list", (OUT, f"{OUT}.tolist()"), says="your new state is a Python list. Return a NumPy array of shape (d_hidden,).")
wrong("rounded", (OUT, f"np.round({OUT}, 2)"), says="your new state is rounded to two decimals. Round only what you print.")
wrong("whole-numbers", (OUT, f"({OUT}).astype(int)"), says="your new state is cut to whole numbers. Keep the decimals.")
wrong("half-precision", (SUM, "x.astype(np.float16) @ W_x.astype(np.float16) + h @ W_h + b"), says="your numbers are cut down to 16 bits, which leaves three good digits. Keep the arrays' own type.")
wrong("in-place", (OUT, f"[h.__setitem__(slice(None), {OUT}), h][1]"), says="your function overwrites its argument `h` with the new state. The caller's array must stay as it was: return a new one.")
wrong("token-in-place", (OUT, f"[{OUT}, x.__imul__(2)][0]"), says="your function changes its argument `x` in place. The caller's array must stay as it was.")
wrong("bias-in-place", (OUT, f"np.tanh(b.__iadd__({X} + {H}))"), says="your function changes its argument `b` in place (as `b += ...` does). The caller's array must stay as it was.")
wrong("outer", (SUM, "x[:, None] * W_x + h @ W_h + b"), says="the token's part is a matrix: products that are not summed. `*` multiplies number by number; a matrix product also sums.")
wrong("elementwise-state", (SUM, "x @ W_x + h * W_h + b"), says="the state's part is a matrix: products that are not summed. `*` multiplies number by number; a matrix product also sums.")
wrong("state-summed-the-other-way", (SUM, "x @ W_x + h * W_h.sum(axis=1) + b"), says="in the state's part each number of `h` meets its own row of `W_h` only: the products are summed along the rows. Number u of the new state collects from all numbers of `h`, down column u.")
wrong("elementwise", (SUM, "x * W_x + h * W_h + b"), says="`*` multiplies number by number and sums nothing (where the shapes fit at all). Use a matrix product.")
wrong("concatenated-in-the-wrong-order", (SUM, "np.concatenate([h, x]) @ np.concatenate([W_x, W_h]) + b"), says="the vectors are joined in one order and the matrices in the other, so `h` meets rows of `W_x`.")
wrong("two-steps", (OUT, f"[h := {OUT}, {OUT}][1]"), says="your function makes two steps. It should make one.")
wrong("nothing-returned", (f"return {OUT}", OUT), says="your function ends without giving anything back: is a `return` missing?")

wrong("bias-averaged", (SUM, "x @ W_x + h @ W_h + b.mean()"), says="the mean of the bias is added to every number. Each number has its own bias.")
wrong("bias-to-the-state", (SUM, "x @ W_x + (h + b) @ W_h"), says="the bias is added to the old state before its matrix. It is added to the sum, behind both products.")
wrong("token-into-the-state", (SUM, "(x @ W_x + h) @ W_h + b"), says="the token's part is added to the old state, and both go through `W_h`. Only `h` meets `W_h`.")
wrong("all-through-the-state-matrix", (SUM, "(x @ W_x + h + b) @ W_h"), says="everything goes through `W_h`. Only `h` meets `W_h`.")
wrong("token-through-both", (SUM, "(x @ W_x + b) @ W_h + h"), says="the token's part goes through `W_h`, and the old state through no matrix. `W_h` belongs to `h`.")
wrong("bias-multiplied", (OUT, "np.tanh(x @ W_x + h @ W_h) * b"), says="the bias is multiplied with the result. It is added to the sum, inside tanh.")
wrong("bias-multiplied-inside", (SUM, "(x @ W_x + h @ W_h) * b"), says="the bias is multiplied with the sum. It is added.")
wrong("tanh-of-twice", (SUM, "2 * (x @ W_x + h @ W_h + b)"), says="the sum is doubled before tanh. Apply tanh to the sum itself.")
wrong("sigmoid-of-twice", (OUT, "(lambda z: np.exp(z) / (np.exp(z) + np.exp(-z)))(x @ W_x + h @ W_h + b)"), says="your fraction is not tanh: its upper half lacks − e^−z, so the numbers lie between 0 and 1.")
wrong("tanh-upside-down", (OUT, "(lambda z: (np.exp(z) + np.exp(-z)) / (np.exp(z) - np.exp(-z)))(x @ W_x + h @ W_h + b)"), says="your fraction is tanh upside down.")
wrong("slope", (OUT, f"1 - {OUT} ** 2"), says="your output is the slope of tanh, 1 − tanh². Return tanh itself.")

@right
def joined(x, h, W_x, W_h, b):
    return np.tanh(np.concatenate([x, h]) @ np.concatenate([W_x, W_h]) + b)

@right
def loops(token, state, U, V, bias):
    import math
    new = np.zeros(len(state))
    for j in range(len(state)):
        total = bias[j]
        for i in range(len(token)):
            total += token[i] * U[i, j]
        for i in range(len(state)):
            total += state[i] * V[i, j]
        new[j] = math.tanh(total)
    return new

@right
def by_einsum(x, h, W_x, W_h, b):
    return np.tanh(np.einsum("i,ij->j", x, W_x) + np.einsum("i,ij->j", h, W_h) + b)

@right
def from_the_other_side(x, h, W_x, W_h, b):
    return np.tanh(b + W_h.T @ h + W_x.T @ x)

@right
def by_exponentials(x, h, W_x, W_h, b):
    z = x.dot(W_x) + h.dot(W_h) + b
    return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))

@right
def by_a_stretched_sigmoid(x, h, W_x, W_h, b):
    return 2 / (1 + np.exp(-2 * (x @ W_x + h @ W_h + b))) - 1

@right
def single_precision(x, h, W_x, W_h, b):
    x, h, W_x, W_h, b = (v.astype(np.float32) for v in (x, h, W_x, W_h, b))
    return np.tanh(x @ W_x + h @ W_h + b)

@right
def in_place_on_its_own_sum(x, h, W_x, W_h, b):
    z = x @ W_x
    z += h @ W_h
    z += b
    return np.tanh(z, out=z)

@truth
def by_torch(x, h, W_x, W_h, b):
    import torch
    cell = torch.nn.RNNCell(len(x), len(h)).double()
    cell.load_state_dict(dict(weight_ih=torch.tensor(W_x.T), weight_hh=torch.tensor(W_h.T), bias_ih=torch.tensor(b), bias_hh=torch.zeros(len(b)).double()))
    return cell(torch.from_numpy(x)[None], torch.from_numpy(h)[None])[0].detach().numpy()

@truth
def by_python(x, h, W_x, W_h, b):
    import math
    columns = [math.fsum([*(p * q for p, q in zip(x, W_x[:, j], strict=True)), *(p * q for p, q in zip(h, W_h[:, j], strict=True)), b[j]]) for j in range(len(b))]
    return np.array([math.tanh(z) for z in columns])

# %% [markdown]
# ### Reading a sequence
#
# An RNN layer calls the step once for each token, each time with the state that the last call gave. The states are the outputs. There is
# no way around the order: step $t$ needs the state of step $t-1$.
#
# Output $t$ knows about tokens 1 to $t$ only. If an output should know what comes *later* as well, let a second RNN read from right to left, and put both
# states side by side. That is a **bidirectional RNN**. Each of its outputs has seen the whole sequence, so seeing everything is *not* what
# sets self-attention apart. Keep that in mind.

# %% part="demo"
step = use_part("rnn_step")
rng = np.random.default_rng(1)
W_x, W_h, b = rng.normal(size=(6, 6)) / 2, rng.normal(size=(6, 6)) / 2, np.zeros(6)

def rnn_layer(x):
    states, h = [], np.zeros(6)
    for token in x:
        h = step(token, h, W_x, W_h, b)
        states.append(h)
    return np.stack(states)

def bidirectional_layer(x):
    return np.concatenate([rnn_layer(x), rnn_layer(x[::-1])[::-1]], axis=1)

x = rng.normal(size=(10, 6))
print("10 tokens of 6 numbers:", x.shape, "→ RNN", rnn_layer(x).shape, "→ bidirectional RNN", bidirectional_layer(x).shape)

# %% [markdown]
# ## Part 2 · The causal convolution
#
# A convolution slides a small window over the sequence. In the window each place has a matrix of its own; the window's
# tokens, each times its matrix, are summed. All windows can be worked out at once.
#
# **Causal** means that the window at $t$ ends at $t$, so no output knows the future. At the beginning the window would reach
# beyond the first token. There it finds zeros: the sequence is **padded on the left**.
#
# $$\text{out}_t = \sum_{w=0}^{\text{width}-1} x_{\,t-(\text{width}-1)+w}\;\, \text{kernel}_w, \qquad x_s = 0 \text{ for } s < 0$$
#
# Here $t$ counts from 0, and $\text{kernel}_w$ is a matrix of shape `(d_in, d_out)`. The **last** matrix, $\text{kernel}_{\text{width}-1}$, meets token $t$
# itself; the one before meets token $t-1$, and so on. (Deep-learning libraries do it in this order. In mathematics a convolution turns the kernel around.)
#
# **With a pencil.** One number a token, $x = (1, 2, 3)$, and a kernel of width 2 with the numbers $(10, 1)$:
#
# | | window | output |
# |---|---|---|
# | $t=0$ | (0, **1**) | $0\cdot 10 + 1\cdot 1 = 1$ |
# | $t=1$ | (1, **2**) | $1\cdot 10 + 2\cdot 1 = 12$ |
# | $t=2$ | (2, **3**) | $2\cdot 10 + 3\cdot 1 = 23$ |

# %% [markdown] exercise="causal_conv1d" part="prompt" points=10 difficulty=3 minutes=15 forbids="conv1d"
# ### Exercise 2 · `causal_conv1d`
#
# Write the causal convolution for a whole sequence, with NumPy. There is no bias and no other function in it. (A library's own `conv1d`
# does not count here.)
#
# | argument | shape | meaning |
# |---|---|---|
# | `x` | `(seq, d_in)` | the tokens, one a row; there may be fewer of them than the kernel is wide |
# | `kernel` | `(width, d_in, d_out)` | one matrix for each place of the window; the last one meets the token itself |
# | returns | `(seq, d_out)` | one output for each token |

# %% exercise="causal_conv1d" part="solution"
def causal_conv1d(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A convolution over a sequence that never looks ahead.

    x:       (seq, d_in)
    kernel:  (width, d_in, d_out)
    returns: (seq, d_out)
    """
    ### BEGIN SOLUTION
    width = len(kernel)
    padded = np.concatenate([np.zeros((width - 1, x.shape[1])), x])  # (width - 1 + seq, d_in)
    out = np.zeros((len(x), kernel.shape[2]))
    for w in range(width):
        out += padded[w : w + len(x)] @ kernel[w]
    return out
    ### END SOLUTION

# %% exercise="causal_conv1d" part="check"
check(causal_conv1d, keeps_inputs, right_shape, finite, blind_to_later_rows("x"), matches)

# %% exercise="causal_conv1d" part="hidden"
check(causal_conv1d, keeps_inputs, right_shape, finite, blind_to_later_rows("x"), matches, cases="hidden")

# %% [markdown] exercise="causal_conv1d" part="hints"
# - How many zero rows must stand before the first token, so that the first window is full and ends at token 0?
# - After padding, window $t$ is rows $t$ to $t + \text{width} - 1$. Each of these rows meets the matrix with the same place in the window.
# - You need a loop over the width only: for place $w$, take one long slice with a row for every $t$, and multiply it by one matrix. Add these up.

# %% exercise="causal_conv1d" part="library"
def causal_conv1d(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """PyTorch's convolution, padded on the left, on NumPy arrays."""
    import torch

    rows, taps = (torch.from_numpy(np.array(v, dtype=np.float64, order="C")) for v in (x, kernel))
    padded = torch.nn.functional.pad(rows.T, (len(kernel) - 1, 0))
    return torch.nn.functional.conv1d(padded[None], taps.permute(2, 1, 0))[0].T.contiguous().numpy()

# %% exercise="causal_conv1d" part="variants"
@cases(dict(seq=6, width=3, d_in=4, d_out=5), dict(seq=9, width=4, d_in=3, d_out=2))
def drawn(rng, seq, width, d_in, d_out):
    """{seq} tokens of {d_in} numbers, a kernel of width {width}, {d_out} numbers out"""
    return dict(x=rng.normal(size=(seq, d_in)), kernel=rng.normal(size=(width, d_in, d_out)))

@cases(dict(seq=8, width=2, d_in=3, d_out=5), hidden=[dict(seq=7, width=2, d_in=5, d_out=4)])
def width_two(rng, seq, width, d_in, d_out):
    """{seq} tokens of {d_in} numbers, a kernel of width {width}, {d_out} numbers out"""
    return dict(x=rng.normal(size=(seq, d_in)), kernel=rng.normal(size=(width, d_in, d_out)))

@cases(dict(seq=2, width=5, d_in=3, d_out=4), hidden=[dict(seq=3, width=7, d_in=4, d_out=2), dict(seq=2, width=4, d_in=5, d_out=3)])
def short(rng, seq, width, d_in, d_out):
    """{seq} tokens only and a kernel of width {width} ({d_in} numbers in, {d_out} out)"""
    return dict(x=rng.normal(size=(seq, d_in)), kernel=rng.normal(size=(width, d_in, d_out)))

@cases(dict(seq=7, d=4, width=3), low=3)
def square(rng, seq, d, width):
    """{seq} tokens, a kernel of width {width}, {d} numbers in and {d} out"""
    return dict(x=rng.normal(size=(seq, d)), kernel=rng.normal(size=(width, d, d)))

@cases(dict(seq=5, d_in=3, d_out=2), low=2)
def width_one(rng, seq, d_in, d_out):
    """a kernel of width 1: {seq} tokens of {d_in} numbers, {d_out} out"""
    return dict(x=rng.normal(size=(seq, d_in)), kernel=rng.normal(size=(1, d_in, d_out)))

@cases(dict(seq=6, width=4), low=3)
def single_numbers(rng, seq, width):
    """{seq} tokens of one number, a kernel of width {width}, one number out"""
    return dict(x=rng.normal(size=(seq, 1)), kernel=rng.normal(size=(width, 1, 1)))

PAD, SLICE, TAP, LOOP, ADD = "np.concatenate([np.zeros((width - 1, x.shape[1])), x])", "padded[w : w + len(x)]", "@ kernel[w]", "for w in range(width)", "out +="
FLIP = "the kernel is turned around: your first matrix meets the token itself. Here the last matrix does, and the first meets the oldest token of the window."
CIRCLE = "your window wraps around: where it reaches before the first token, it finds the last ones (a negative index counts from the end). It should find zeros there."
LATE = "your window ends one token too early: output t does not see token t itself. There is one zero row too many in front."
CENTRE = "your window is centred on the token, so output t sees the future. All the zeros belong in front: the window ends at t."
AHEAD = "your window begins at the token and looks ahead: the zeros stand at the end. They belong in front, so that the window ends at t."
base = {
    "turned-around": ([(TAP, "@ kernel[width - 1 - w]")], FLIP),
    "window-ahead": ([(PAD, "np.concatenate([x, np.zeros((width - 1, x.shape[1]))])")], AHEAD),
    "centred": ([(PAD, "np.pad(x, (((width - 1) // 2, width - 1 - (width - 1) // 2), (0, 0)))")], CENTRE),
    "wraps-around": ([(PAD, "np.take(x, np.arange(1 - width, len(x)), axis=0, mode='wrap')")], CIRCLE),
    "one-zero-too-many": ([(PAD, "np.concatenate([np.zeros((width, x.shape[1])), x])")], LATE),
    "kernel-transposed": ([(TAP, "@ kernel[w].T")], "each matrix of the kernel is used transposed (or from the other side). Its shape is (d_in, d_out): a token stands on its left."),
    "averaged": ([("return out", "return out / width")], "the window's parts are averaged: your output is width times too small. They are summed."),
    "first-repeated": ([(PAD, "np.concatenate([np.repeat(x[:1], width - 1, axis=0), x])")], "before the first token your window finds the first token again. It should find zeros there."),
}
for name, (edits, says) in base.items():
    wrong(name, *edits, says=says)
for name in ("window-ahead", "centred", "wraps-around", "one-zero-too-many", "averaged", "first-repeated"):
    wrong(f"turned-around+{name}", *base["turned-around"][0], *base[name][0], says=f"two things at once. First, {FLIP} Second, {base[name][1]}")
wrong("turned-around+kernel-transposed", (TAP, "@ kernel[width - 1 - w].T"), says=f"two things at once. First, {FLIP} Second, {base['kernel-transposed'][1]}")
for name in ("window-ahead", "centred", "one-zero-too-many", "wraps-around"):
    wrong(f"averaged+{name}", *base["averaged"][0], *base[name][0], says=f"two things at once. First, {base['averaged'][1]} Second, {base[name][1]}")
for name in ("window-ahead", "centred", "one-zero-too-many"):
    wrong(f"kernel-transposed+{name}", *base["kernel-transposed"][0], *base[name][0], says=f"two things at once. First, {base['kernel-transposed'][1]} Second, {base[name][1]}")
wrong("centred-the-other-way", (PAD, "np.pad(x, ((width - 1 - (width - 1) // 2, (width - 1) // 2), (0, 0)))"), says=CENTRE)
wrong("one-zero-too-few", (PAD, "np.concatenate([np.zeros((max(width - 2, 0), x.shape[1])), x, np.zeros((1 if width > 1 else 0, x.shape[1]))])"),
      says="your window ends one token too late: output t sees token t+1. There is one zero row too few in front.")
wrong("no-padding", (PAD, "x"), ("len(x), kernel.shape[2]", "len(x) - width + 1, kernel.shape[2]"), (SLICE, "padded[w : w + len(x) - width + 1]"),
      says="your output has fewer rows than there are tokens: only full windows are worked out. Put zeros in front, so that every token has its window.")
wrong("no-padding-slices", (PAD, "x"), says="nothing is put in front of the first token, so the slices get shorter and no longer fit. Put zeros in front.")
wrong("padded-on-both-sides", (PAD, "np.pad(x, ((width - 1, width - 1), (0, 0)))"), ("len(x), kernel.shape[2]", "len(x) + width - 1, kernel.shape[2]"), (SLICE, "padded[w : w + len(x) + width - 1]"),
      says="your output has more rows than there are tokens: zeros stand on both sides. They belong in front only.")
wrong("half-windows-zero", ("return out", "out[: width - 1] = 0\n    return out"), says="your first outputs are 0: windows that reach before the first token are left out. Such a window sees the tokens that there are.")
wrong("half-windows-left-out", ("return out", "return out[width - 1 :]"), says="your output has fewer rows than there are tokens: only full windows are worked out. Put zeros in front, so that every token has its window.")
wrong("first-output-zero", ("return out", "out[0] = 0\n    return out"), says="your first output is 0. Its window holds token 0, and zeros before it.")
wrong("last-output-zero", ("return out", "out[-1] = 0\n    return out"), says="your last output is 0. Does a loop of yours end one too early?")
wrong("last-output-missing", ("return out", "return out[:-1]"), says="your output has one row too few: one for each token is wanted.")
wrong("overwritten", (ADD, "out ="), says="only the window's last place counts, the token itself. (In a loop: is the sum overwritten where it should be added to?)")
wrong("overwritten-turned", (ADD, "out ="), (TAP, "@ kernel[width - 1 - w]"), says="only one place of the window counts (the sum is overwritten where it should be added to), and the kernel is turned around: the token meets the first matrix, not the last.")
wrong("last-place-left-out", (LOOP, "for w in range(width - 1)"), says="the last matrix of the kernel is not used, so output t does not see token t itself. Does a loop of yours end one too early?")
wrong("first-place-left-out", (LOOP, "for w in range(1, width)"), says="the first matrix of the kernel is not used: your window is one token too short. Does a loop of yours begin one too late?")
wrong("first-place-only", (LOOP, "for w in range(1)"), says="only the first matrix of the kernel is used.")
wrong("width-two-only", (LOOP, "for w in range(min(width, 2))"), says="only the first two matrices of the kernel are used. A kernel may have any width.")
wrong("width-three-only", (LOOP, "for w in range(min(width, 3))"), says="only the first three matrices of the kernel are used. A kernel may have any width.")
wrong("width-three", (LOOP, "for w in range(3)"), says="your code always uses three places. A kernel may have any width, `kernel.shape[0]`.")
wrong("two-zeros", (PAD, "np.concatenate([np.zeros((2, x.shape[1])), x])"), says="two zero rows stand in front, whatever the kernel's width. There should be width − 1.")
wrong("same-matrix", (TAP, "@ kernel[0]"), says="every place of the window meets the first matrix. Each place has its own.")
wrong("same-last-matrix", (TAP, "@ kernel[-1]"), says="every place of the window meets the last matrix. Each place has its own.")
wrong("kernel-summed", (SLICE + " " + TAP, "x @ kernel[w]"), says="every place of the window takes the token itself; the tokens before it do not enter.")
wrong("token-sum", (SLICE + " " + TAP, f"{SLICE}.sum(axis=1, keepdims=True) * kernel[w].sum(axis=0)"), says="tokens and matrices are summed before they are multiplied. It should be a matrix product.")
wrong("depthwise", (TAP, "* np.diagonal(kernel[w])"), says="each number of a token is convolved by itself, with the matrices' diagonals. Each matrix mixes all the numbers: use a matrix product.")
wrong("shifted-output", ("return out", "return np.roll(out, 1, axis=0)"), says="your outputs are shifted by one place, the last one to the front.")
wrong("reversed-output", ("return out", "return out[::-1]"), says="your outputs stand in reverse order.")
wrong("reversed-input", (PAD, "np.concatenate([np.zeros((width - 1, x.shape[1])), x[::-1]])"), says="the tokens enter in reverse order.")
wrong("dilated", (PAD, "np.concatenate([np.zeros((2 * (width - 1), x.shape[1])), x])"), (SLICE, "padded[2 * w : 2 * w + len(x)]"), says="your window takes every second token. Its tokens are neighbours.")
wrong("strided", ("return out", "return out[::2]"), says="your output has about half as many rows as there are tokens: the window moves by two. It moves by one.")
wrong("cumulative", ("return out", "return np.cumsum(out, axis=0)"), says="your sum is not set back to 0 for each token, so every output holds those before it as well.")
wrong("negative", ("return out", "return -out"), says="your outputs all have the opposite sign.")
wrong("doubled", ("return out", "return 2 * out"), says="your outputs are all twice too large.")
wrong("relu", ("return out", "return np.maximum(out, 0)"), says="a ReLU is applied to your outputs. The convolution alone is asked for.")
wrong("tanh", ("return out", "return np.tanh(out)"), says="tanh is applied to your outputs. The convolution alone is asked for.")
wrong("residual", ("return out", "return out + x if x.shape == out.shape else out"), says="the input is added to the output where the shapes allow it. The convolution alone is asked for.")
wrong("turned-output", ("return out", "return out.T"), says="your output has shape (d_out, seq). A token is a row: (seq, d_out).")
wrong("in-columns", (PAD, "np.concatenate([np.zeros((width - 1, x.T.shape[1])), x.T])"), says="your code takes tokens from the columns of `x`. A token is a row.")
wrong("one-axis-too-many", ("return out", "return out[None]"), says="your output has a first axis of length 1 too many. Return (seq, d_out).")
wrong("summed-over-outputs", ("return out", "return out.sum(axis=1)"), says="the d_out numbers of each output are summed. Return (seq, d_out).")
wrong("summed-over-tokens", ("return out", "return out.sum(axis=0)"), says="the outputs of all tokens are summed. Return one row for each token.")
wrong("last-window", ("return out", "return out[-1]"), says="your function returns the last output only. Return one row for each token.")
wrong("squeezed", ("return out", "return np.squeeze(out)"), says="axes of length 1 are squeezed away. One number out still has its axis: (seq, 1).")
wrong("list", ("return out", "return out.tolist()"), says="your output is a Python list. Return a NumPy array of shape (seq, d_out).")
wrong("list-of-rows", ("return out", "return list(out)"), says="your output is a Python list of arrays. Return one NumPy array of shape (seq, d_out).")
wrong("two-things", ("return out", "return out, padded"), says="your function returns two things. Return the output alone.")
wrong("rounded", ("return out", "return np.round(out, 2)"), says="your outputs are rounded to two decimals. Round only what you print.")
wrong("whole-numbers", ("return out", "return np.trunc(out)"), says="your outputs are cut to whole numbers. Keep the decimals.")
wrong("half-precision", (SLICE + " " + TAP, f"{SLICE}.astype(np.float16) @ kernel[w].astype(np.float16)"), says="your numbers are cut down to 16 bits, which leaves three good digits. Keep the arrays' own type.")
wrong("zeros", ("return out", "return 0 * out"), says="your output is all zeros: it is made, but never filled.")
wrong("in-place", ("width = len(kernel)", "x *= 2\n    width = len(kernel)"), ("return out", "return out / 2"), says="your function changes its argument `x` in place. The caller's array must stay as it was.")
wrong("kernel-in-place", ("width = len(kernel)", "kernel *= 2\n    width = len(kernel)"), ("return out", "return out / 2"), says="your function changes its argument `kernel` in place. The caller's array must stay as it was.")
wrong("products-kept", ("return out", "return np.stack([padded[w : w + len(x)] @ kernel[w] for w in range(width)])"), says="the window's parts are not summed: your output has one axis for the places of the window.")
wrong("products-kept-behind", ("return out", "return np.stack([padded[w : w + len(x)] @ kernel[w] for w in range(width)], axis=1)"), says="the window's parts are not summed: your output has one axis for the places of the window.")
wrong("largest", ("return out", "return np.max([padded[w : w + len(x)] @ kernel[w] for w in range(width)], axis=0)"), says="your output holds the largest of the window's parts. They are summed.")
wrong("width-from-the-wrong-axis", ("width = len(kernel)", "width = kernel.shape[-1]"), says="your code reads the width from the kernel's last axis. The kernel's shape is (width, d_in, d_out).")
wrong("width-from-the-middle-axis", ("width = len(kernel)", "width = kernel.shape[1]"), says="your code reads the width from the kernel's middle axis. The kernel's shape is (width, d_in, d_out).")
wrong("d_in-out", ("len(x), kernel.shape[2]", "len(x), x.shape[1]"), says="your output is made with d_in columns. It has d_out, the kernel's last axis.")
wrong("nothing-returned", ("return out", "out"), says="your function ends without giving anything back: is a `return` missing?")

@wrong("short-windows-meet-the-first-matrices", says="where the window is cut off at the beginning of the sequence, its tokens meet the *first* matrices of the kernel. Token t itself always meets the last one.")
def short_windows_meet_the_first_matrices(x, kernel):
    windows = [x[max(0, t + 1 - len(kernel)) : t + 1] for t in range(len(x))]
    return np.array([np.einsum("wi,wio->o", window, kernel[: len(window)]) for window in windows])

@wrong("short-sequences", says="with fewer tokens than the kernel is wide, your slices no longer fit. Pad first, or stop the window at the first token.")
def short_sequences(x, kernel):
    width = len(kernel)
    out = x @ kernel[-1]
    for back in range(1, width):
        out[back:] += x[:-back] @ kernel[width - 1 - back] if back < len(x) else x @ kernel[width - 1 - back]
    return out

@wrong("mathematicians-wrap", says=f"two things at once. First, {FLIP} Second, {CIRCLE}")
def mathematicians_wrap(x, kernel):
    return np.stack([sum(x[(t - w) % len(x)] @ kernel[w] for w in range(len(kernel))) for t in range(len(x))])

wrong("width-always-three", ("width = len(kernel)", "width = 3"), says="your code always uses three places and two zero rows. A kernel may have any width, `kernel.shape[0]`.")
wrong("width-always-two", ("width = len(kernel)", "width = 2"), says="your code always uses two places and one zero row. A kernel may have any width, `kernel.shape[0]`.")
wrong("all-axes-padded", (PAD, "np.pad(x, width - 1)"), says="zeros are added along the second axis (`np.pad` pads every axis unless it is told otherwise), so the tokens get longer. Pad in front of the first token only, along axis 0.")
wrong("both-axes-padded", (PAD, "np.pad(x, (width - 1, 0))"), says="zeros are added along the second axis (`np.pad` pads every axis unless it is told otherwise), so the tokens get longer. Pad in front of the first token only, along axis 0.")
wrong("features-padded", (PAD, "np.pad(x, ((0, 0), (width - 1, 0)))"), says="zeros are added along the second axis (`np.pad` pads every axis unless it is told otherwise), so the tokens get longer. Pad in front of the first token only, along axis 0.")
wrong("ones-in-front", (PAD, "np.concatenate([np.ones((width - 1, x.shape[1])), x])"), says="before the first token your window finds ones. It should find zeros there.")
wrong("last-in-front", (PAD, "np.concatenate([np.repeat(x[-1:], width - 1, axis=0), x])"), says="before the first token your window finds the last token. It should find zeros there.")
wrong("mirrored-in-front", (PAD, "np.pad(x, ((width - 1, 0), (0, 0)), mode='reflect')"), says="before the first token your window finds the next tokens mirrored, so the future leaks. It should find zeros there.")
wrong("mirrored-in-front-too", (PAD, "np.pad(x, ((width - 1, 0), (0, 0)), mode='symmetric')"), says="before the first token your window finds the first tokens mirrored, so the future leaks. It should find zeros there.")
wrong("both-axes-padded-and-cut", (PAD, "np.pad(x, (width - 1, 0))[:, : x.shape[1]]"), says="zeros are added along the second axis, too (`np.pad` pads every axis unless it is told otherwise), and push each token's last numbers out. Pad in front of the first token only, along axis 0.")
wrong("tokens-cut", (SLICE, f"{SLICE}.astype(int)"), says="the numbers of the tokens are cut to whole numbers before they are multiplied. (Is an array made with `dtype=int`?) Keep the decimals.")
wrong("last-number-only", (SLICE + " " + TAP, f"{SLICE}[:, -1:] @ kernel[w][-1:]"), says="only the last of a token's d_in numbers counts. (In a loop: is the sum overwritten where it should be added to?)")
wrong("window-summed-first", (SLICE + " " + TAP, f"{SLICE} @ kernel.sum(axis=0)"), says="each place of the window meets the sum of all matrices. Each place has its own matrix.")
wrong("whole-past", ("return out", "return np.cumsum(x @ kernel.sum(axis=0), axis=0)"), says="your output sums over all the tokens so far, with the sum of all matrices. The window holds `width` tokens, and each place has its own matrix.")
wrong("token-zero-left-out", (PAD, "np.concatenate([np.zeros((width, x.shape[1])), x[1:]])"), says="token 0 never enters. Python counts from 0: is a `>` written where `>=` is meant?")
wrong("two-zeros-too-few", (PAD, "np.concatenate([np.zeros((width - 2, x.shape[1])), x])"), ("for w in range(width)", "for w in range(width - 1)"),
      says="there is one zero row too few in front, and the last matrix of the kernel is not used. width − 1 zero rows are needed.")
wrong("windows-reshaped", ("return out", "return np.einsum('twi,wio->to', np.lib.stride_tricks.sliding_window_view(padded, width, axis=0).reshape(len(x), width, -1), kernel)"),
      says="in your windows the places and the features are mixed: `sliding_window_view` puts the window on the last axis, and reshaping does not swap axes.")
wrong("windows-reshaped-flat", ("return out", "return np.lib.stride_tricks.sliding_window_view(padded, width, axis=0).reshape(len(x), -1) @ kernel.reshape(-1, kernel.shape[2])"),
      says="in your windows the places and the features are mixed: `sliding_window_view` puts the window on the last axis, and reshaping does not swap axes.")
wrong("booleans", ("return out", "return out > 0"), says="your output holds True and False. Return the numbers themselves.")

@wrong("wraps-around-by-index", says=CIRCLE + " (With fewer tokens than the kernel is wide there is no such token at all, and an index error.)")
def wraps_by_index(x, kernel):
    width = len(kernel)
    return np.array([sum(x[t - width + 1 + w] @ kernel[w] for w in range(width)) for t in range(len(x))])

@wrong("turned-and-wraps-around-by-index", says=f"two things at once. First, {FLIP} Second, {CIRCLE}")
def turned_and_wraps_by_index(x, kernel):
    return np.array([sum(x[t - w] @ kernel[w] for w in range(len(kernel))) for t in range(len(x))])

@wrong("looks-ahead-by-index", says="your window runs from token t to later tokens, and at the end there are none left. It should end at t, and find zeros before the first token.")
def looks_ahead_by_index(x, kernel):
    return np.array([sum(x[t + w] @ kernel[w] for w in range(len(kernel))) for t in range(len(x))])

@wrong("only-full-windows", says="your output has fewer rows than there are tokens: only full windows are worked out. Put zeros in front, so that every token has its window.")
def only_full_windows(x, kernel):
    width = len(kernel)
    return np.array([sum(x[t + w] @ kernel[w] for w in range(width)) for t in range(len(x) - width + 1)])

@right
def loops(x, kernel):
    width, d_in, d_out = kernel.shape
    out = np.zeros((x.shape[0], d_out))
    for t in range(x.shape[0]):
        for w in range(width):
            source = t - (width - 1) + w
            if source >= 0:
                for i in range(d_in):
                    for o in range(d_out):
                        out[t, o] += x[source, i] * kernel[w, i, o]
    return out

@right
def by_windows(x, kernel):
    padded = np.pad(x, ((len(kernel) - 1, 0), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis=0)  # (seq, d_in, width)
    return np.einsum("tiw,wio->to", windows, kernel)

@right
def by_one_product(x, kernel):
    width, d_in, d_out = kernel.shape
    padded = np.vstack([np.zeros((width - 1, d_in)), x])
    return np.stack([padded[t : t + width].ravel() for t in range(len(x))]) @ kernel.reshape(width * d_in, d_out)

@right
def by_shifts(tokens, taps):
    out = tokens @ taps[-1]
    for back in range(1, min(len(taps), len(tokens))):
        out[back:] += tokens[:-back] @ taps[-1 - back]
    return out

@right
def by_convolve(x, kernel):
    _, d_in, d_out = kernel.shape
    return np.stack([sum(np.convolve(x[:, i], kernel[::-1, i, o])[: len(x)] for i in range(d_in)) for o in range(d_out)], axis=1)

@right
def by_tensordot(x, kernel):
    width = kernel.shape[0]
    padded = np.concatenate((np.zeros((width - 1, x.shape[-1]), dtype=x.dtype), x), axis=0)
    return np.array([np.tensordot(padded[t : t + width], kernel, axes=([0, 1], [0, 1])) for t in range(x.shape[0])])

@right
def single_precision(x, kernel):
    x, kernel = x.astype(np.float32), kernel.astype(np.float32)
    padded = np.pad(x, [(kernel.shape[0] - 1, 0), (0, 0)], mode="constant")
    return sum(padded[w : w + x.shape[0]] @ tap for w, tap in enumerate(kernel))

@right
def by_a_large_matrix(x, kernel):
    width, d_in, d_out = kernel.shape
    large = np.zeros((len(x), d_out, len(x), d_in))
    for t in range(len(x)):
        for s in range(max(0, t - width + 1), t + 1):
            large[t, :, s, :] = kernel[width - 1 - (t - s)].T
    return np.einsum("tosi,si->to", large, x)

@truth
def by_torch(x, kernel):
    import torch
    conv = torch.nn.Conv1d(kernel.shape[1], kernel.shape[2], len(kernel), padding=len(kernel) - 1, bias=False).double()
    conv.weight.data = torch.tensor(kernel).permute(2, 1, 0).contiguous()
    return conv(torch.from_numpy(x).T[None])[0].T[: len(x)].detach().numpy()

@truth
def by_python(x, kernel):
    import math
    width, d_in, d_out = kernel.shape
    def one(t, o):
        return math.fsum(x[t - back, i] * kernel[width - 1 - back, i, o] for back in range(width) if back <= t for i in range(d_in))
    return np.array([[one(t, o) for o in range(d_out)] for t in range(len(x))])

# %% [markdown]
# ### How far back does a stack see?
#
# One causal layer of width 3 sees a token and the two before it. Put a second layer on top: each of *its* three inputs has seen three
# tokens. How many tokens has its output seen? The windows overlap, so it is fewer than nine. Draw it: tokens at the bottom, two layers above, and mark what the last output
# can reach.
#
# The number of tokens that one output sees is the stack's **receptive field**.

# %% [markdown] exercise="receptive_field" part="prompt" points=5 difficulty=2 minutes=6
# ### Exercise 3 · `receptive_field`
#
# How many tokens, itself included, has an output seen after `num_layers` causal convolutions, each with a kernel of width `kernel_size`? (No
# layer skips tokens: the windows move by one, and their tokens are neighbours.)
#
# | argument | | meaning |
# |---|---|---|
# | `num_layers` | a whole number, at least 1 | layers in the stack |
# | `kernel_size` | a whole number, at least 1 | the width of each kernel |
# | returns | a whole number | tokens seen, far from the beginning of the sequence |

# %% exercise="receptive_field" part="solution"
def receptive_field(num_layers: int, kernel_size: int) -> int:
    """How many tokens an output of a stack of causal convolutions has seen, itself included."""
    ### BEGIN SOLUTION
    return 1 + num_layers * (kernel_size - 1)
    ### END SOLUTION

# %% exercise="receptive_field" part="check"
check(receptive_field, right_shape, matches)

# %% exercise="receptive_field" part="hidden"
check(receptive_field, right_shape, matches, cases="hidden")

# %% [markdown] exercise="receptive_field" part="hints"
# - With no layer at all, an output would be the token itself: 1. How many *further* tokens does one layer of width 3 add? And one more layer on top?
# - Every layer adds the same number of tokens, and it is one less than its kernel's width: the window's last place is a token that is counted already.

# %% exercise="receptive_field" part="library"
def receptive_field(num_layers: int, kernel_size: int) -> int:
    """How many of a sequence's gradients are not 0 below a stack of PyTorch's convolutions."""
    import torch

    length = num_layers * kernel_size + 1
    x = torch.ones(1, 1, length, dtype=torch.float64, requires_grad=True)
    y, ones = x, torch.full((1, 1, kernel_size), 1.0 / kernel_size, dtype=torch.float64)
    for _ in range(num_layers):
        y = torch.nn.functional.conv1d(torch.nn.functional.pad(y, (kernel_size - 1, 0)), ones)
    (gradient,) = torch.autograd.grad(y[0, 0, -1], x)
    return int((gradient != 0).sum())

# %% exercise="receptive_field" part="variants"
@cases(dict(num_layers=3, kernel_size=5), dict(num_layers=4, kernel_size=3), dict(num_layers=6, kernel_size=4), dict(num_layers=2, kernel_size=7))
def drawn(rng, num_layers, kernel_size):
    """{num_layers} layers with kernels of width {kernel_size}"""
    return dict(num_layers=num_layers, kernel_size=kernel_size)

@cases(dict(kernel_size=5), dict(kernel_size=2))
def one_layer(rng, kernel_size):
    """one layer with a kernel of width {kernel_size}"""
    return dict(num_layers=1, kernel_size=kernel_size)

@cases(dict(num_layers=7), dict(num_layers=4))
def pairs(rng, num_layers):
    """{num_layers} layers with kernels of width 2"""
    return dict(num_layers=num_layers, kernel_size=2)

@cases(dict(num_layers=5), low=2)
def as_wide_as_deep(rng, num_layers):
    """{num_layers} layers with kernels of width {num_layers}"""
    return dict(num_layers=num_layers, kernel_size=num_layers)

@cases(dict(num_layers=4))
def width_one(rng, num_layers):
    """{num_layers} layers with kernels of width 1"""
    return dict(num_layers=num_layers, kernel_size=1)

OUT = "1 + num_layers * (kernel_size - 1)"
formulas = {
    "token-itself-missing": ("num_layers * (kernel_size - 1)", "your number is one too small: it is how far *back* the output reaches. The token itself is counted as well."),
    "width-times-layers": ("num_layers * kernel_size", "you count a full width for each layer. The windows of two layers overlap: a layer adds fewer new tokens than its kernel is wide."),
    "width-times-layers-plus-one": ("1 + num_layers * kernel_size", "you add a full width for each layer. The windows of two layers overlap: a layer adds fewer new tokens than its kernel is wide."),
    "width-times-layers-minus-one": ("num_layers * kernel_size - 1", "you count a full width for each layer, less one. Every layer's window overlaps by one with what is counted already, not only one of them."),
    "power": ("kernel_size ** num_layers", "you multiply the widths. Windows of neighbouring tokens overlap, so the field grows by the same number with each layer (it multiplies only where layers skip tokens)."),
    "one-layer": ("kernel_size", "your number is that of one layer, whatever `num_layers` is."),
    "width-plus-layers": ("kernel_size + num_layers", "you add widths and layers. Each layer adds the same number of tokens, and that number depends on the width."),
    "width-plus-layers-minus-one": ("kernel_size + num_layers - 1", "each layer after the first adds one token only in your formula. It adds as many as the first one adds to the token itself."),
    "width-three": ("1 + 2 * num_layers", "your formula holds for kernels of width 3 only; `kernel_size` is not used."),
    "width-two": ("1 + num_layers", "each layer adds one token in your formula, as kernels of width 2 do; `kernel_size` is not used."),
    "arguments-swapped": ("1 + kernel_size * (num_layers - 1)", "layers and width have changed roles: it is the kernel's width that is reduced by one, and the layers that it is multiplied by."),
    "dilated": ("1 + (kernel_size - 1) * (2 ** num_layers - 1)", "your formula is the one for layers that skip twice as many tokens each time (dilated). Here no layer skips."),
    "one-layer-too-many": ("1 + (num_layers + 1) * (kernel_size - 1)", "you count one layer too many."),
    "one-layer-too-few": ("1 + (num_layers - 1) * (kernel_size - 1)", "you count one layer too few: even a single layer sees as many tokens as its kernel is wide."),
    "one-too-many": ("2 + num_layers * (kernel_size - 1)", "your number is one too large: one layer sees exactly as many tokens as its kernel is wide."),
    "centred": ("1 + 2 * num_layers * (kernel_size // 2)", "you count half a width to both sides, as for centred windows of odd width. These windows end at the token; all of it lies to the left."),
    "both-sides": ("1 + 2 * num_layers * (kernel_size - 1)", "you count tokens on both sides. A causal window reaches to the left only."),
    "half-a-width": ("1 + num_layers * (kernel_size // 2)", "each layer adds half a width in your formula. A causal window lies all on one side."),
    "half": ("1 + num_layers * (kernel_size - 1) / 2", "each layer adds half of what it should. A causal window lies all on one side."),
    "kernel-plus-one": ("1 + num_layers * (kernel_size + 1)", "each layer adds more tokens than its kernel is wide in your formula. It adds one fewer."),
    "always-one": ("1", "your number is always 1."),
    "power-plus-one": ("1 + (kernel_size - 1) ** num_layers", "you multiply where you should add: each layer adds `kernel_size` − 1 tokens, so the field grows by the same number with each layer."),
    "width-and-two-a-layer": ("kernel_size + 2 * num_layers", "each layer adds two tokens in your formula, whatever the width. It adds `kernel_size` − 1, the first layer, too."),
    "width-and-two-a-further-layer": ("kernel_size + 2 * (num_layers - 1)", "each layer after the first adds two tokens in your formula, whatever the width. It adds as many as the first one adds to the token itself."),
    "doubling": ("1 + (kernel_size - 1) * 2 ** (num_layers - 1)", "your field doubles with each layer. Where no layer skips tokens, every layer adds the same number."),
    "larger-of-both": ("max(num_layers, kernel_size)", "your number is the larger of the two. Every layer adds `kernel_size` − 1 tokens."),
    "layers-only": ("num_layers", "your number is the number of layers. Every layer adds `kernel_size` − 1 tokens."),
    "two-too-few": ("num_layers * (kernel_size - 1) - 1", "your number is two too small: how far the output reaches back, less one. The token itself is counted as well."),
    "sum-to-layers": ("1 + (kernel_size - 1) * num_layers * (num_layers + 1) // 2", "each layer adds more than the one before it in your formula (1 + 2 + ...). Every layer adds the same number."),
}
for name, (text, sentence) in formulas.items():
    wrong(name, (OUT, text), says=sentence)
wrong("negative", (OUT, f"-({OUT})"), says="your number is negative. It counts tokens.")
wrong("list", (OUT, f"list(range({OUT}))"), says="your function returns a list. Return the number of tokens.")
wrong("one-item", (OUT, f"np.array([{OUT}])"), says="your function returns an array with one item. Return a plain number.")
wrong("text", (OUT, f"str({OUT})"), says="your function returns a text. Return a number.")
wrong("two-things", (OUT, f"(num_layers, {OUT})"), says="your function returns two things. Return the number of tokens alone.")
wrong("float-text", (OUT, f"f'{{{OUT}}} tokens'"), says="your function returns a text. Return the number alone.")
wrong("nothing-returned", (f"return {OUT}", OUT), says="your function ends without giving anything back: is a `return` missing?")

@right
def layer_by_layer(num_layers, kernel_size):
    seen = 1
    for _ in range(num_layers):
        seen += kernel_size - 1
    return seen

@right
def by_reaching(layers, width):
    reached = {0}
    for _ in range(layers):
        reached = {t - back for t in reached for back in range(width)}
    return len(reached)

@right
def multiplied_out(num_layers, kernel_size):
    return num_layers * kernel_size - num_layers + 1

@right
def recursive(num_layers, kernel_size):
    return kernel_size if num_layers == 1 else recursive(num_layers - 1, kernel_size) + kernel_size - 1

@right
def as_a_float(num_layers, kernel_size):
    return np.float64(1 + num_layers * (kernel_size - 1))

@right
def by_kernels(num_layers, kernel_size):
    line = np.ones(1)
    for _ in range(num_layers):
        line = np.convolve(line, np.ones(kernel_size))
    return line.size

@truth
def by_changing_tokens(num_layers, kernel_size):
    length = num_layers * kernel_size + 1
    def last(x):
        for _ in range(num_layers):
            padded = np.concatenate([np.zeros(kernel_size - 1), x])
            x = np.array([padded[t : t + kernel_size].sum() for t in range(length)])
        return x[-1]
    return int(sum(last(np.eye(length)[s]) != 0 for s in range(length)))

# %% [markdown]
# ### Who sees whom
#
# Formulas are one thing. Now change one token at a time and look which outputs move. Rows: the token that was changed. Columns:
# the outputs. Blue: it moved. Grey: it stayed.
#
# **Predict first.** Four layers read ten tokens: an RNN, a bidirectional RNN, two causal convolutions of width 3, and
# self-attention. In which pictures will *every* field be filled? What will the convolutions' picture look like?

# %% part="demo"
import torch

from autograder.lab.figures import leak_map, panels

convolve, kernels = use_part("causal_conv1d"), rng.normal(size=(2, 3, 6, 6)) / 3

def attention_layer(x):
    rows = torch.from_numpy(x)[None]
    return torch.nn.functional.scaled_dot_product_attention(rows, rows, rows)[0].numpy()

layers = {"RNN": rnn_layer, "bidirectional RNN": bidirectional_layer, "2 convolutions, width 3": lambda x: convolve(np.tanh(convolve(x, kernels[0])), kernels[1]),
          "self-attention": attention_layer}
figure, axes = panels(2, 2, width=6.4, height=6.6)
seen = []
for (name, layer), ax in zip(layers.items(), axes.ravel(), strict=True):
    moved = np.zeros((10, 10))
    for token in range(10):
        changed = x.copy()
        changed[token] += 1
        moved[token] = np.abs(layer(changed) - layer(x)).max(axis=1)
    leak_map(moved > 1e-12, causal=False, ax=ax)
    ax.get_legend().remove()
    ax.set_title(name, loc="left")
    seen.append(f"{name}: {np.count_nonzero(moved > 1e-12)} of 100 fields filled; token 0 {'moves' if moved[0, -1] > 1e-12 else 'does not move'} the last output")
show(figure, alt="Four maps of which outputs (columns) move when a token (row) changes. " + ". ".join(seen) + ".")
print("\n".join(seen))

# %% [markdown]
# A full picture belongs to a layer that sees the whole sequence. There are two of them here, not one. The band of the convolutions is as wide as
# their receptive field: count it, and compare with `receptive_field(2, 3)`. What sets the two full pictures apart comes now.
#
# ## Part 3 · How long is the way, and who waits for whom?
#
# Two numbers compare the layers (Vaswani and others, 2017, section 4):
#
# - **Path length**: how many steps a signal takes from one token to an output a given *distance* further on. Each step is a chance to lose it; learning
#   travels the same way back. Shorter is easier to learn.
# - **Sequential steps**: how many steps must *wait for one another* in one layer. Everything else can be done at the same time, if there is
#   hardware that does many things at the same time.
#
# Count paths like this, with $d$ the distance between the two places ($d \ge 1$):
#
# | kind | steps |
# |---|---|
# | `"rnn"` | the state is handed on once for each place: $d$ |
# | `"cnn"` | the causal stack from above: one layer carries a signal at most $\text{kernel\_size} - 1$ places; as many layers as are needed |
# | `"self_attention"` | every place looks at every other: 1 |

# %% [markdown] exercise="path_length" part="prompt" points=5 difficulty=2 minutes=8
# ### Exercise 4 · `path_length`
#
# How many steps lie between two places? For `"cnn"` it is the smallest number of layers whose reach is at least the distance: round
# *up*.
#
# | argument | | meaning |
# |---|---|---|
# | `kind` | `"rnn"`, `"cnn"` or `"self_attention"` | the layer; nothing else is asked for |
# | `distance` | a whole number, at least 1 | places from one token to the other |
# | `kernel_size` | a whole number, at least 2; 3 unless told | the width of each kernel; it counts for `"cnn"` only |
# | returns | a whole number | steps |

# %% exercise="path_length" part="solution"
def path_length(kind: str, distance: int, kernel_size: int = 3) -> int:
    """How many steps a signal takes to an output `distance` places away, in the layer `kind`."""
    ### BEGIN SOLUTION
    if kind == "rnn":
        return distance
    if kind == "cnn":
        return -(-distance // (kernel_size - 1))  # rounded up
    if kind == "self_attention":
        return 1  # directly
    raise ValueError(f"kind is 'rnn', 'cnn' or 'self_attention', not {kind!r}")
    ### END SOLUTION

# %% exercise="path_length" part="check"
check(path_length, right_shape, matches)

# %% exercise="path_length" part="hidden"
check(path_length, right_shape, matches, cases="hidden")

# %% [markdown] exercise="path_length" part="hints"
# - Two of the three are one line each. For `"cnn"`: a layer of width 3 reaches 2 places back. How many such layers do you need for 4 places? For 5?
# - Rounding up: Python has `math.ceil`. Or add just enough before a division with `//`.

# %% exercise="path_length" part="library"
def path_length(kind: str, distance: int, kernel_size: int = 3) -> int:
    """The shortest way through the layer's connections, by breadth-first search."""
    reaches = {"rnn": [1], "cnn": list(range(kernel_size)), "self_attention": list(range(distance + 1))}
    if kind not in reaches:
        raise ValueError(f"kind is one of {', '.join(reaches)}, not {kind!r}")
    steps, places = 0, {0}
    while distance not in places:
        places = {place + reach for place in places for reach in reaches[kind] if place + reach <= distance}
        steps += 1
    return steps

# %% exercise="path_length" part="variants"
KINDS = ("rnn", "cnn", "self_attention")

@cases(dict(steps=4, reach=2), dict(steps=3, reach=5), dict(steps=2, reach=4))
def exact(rng, steps, reach):
    """each kind, a distance of {steps}·{reach}, kernels that reach {reach} places back"""
    return [dict(kind=kind, distance=steps * reach, kernel_size=reach + 1) for kind in KINDS]

@cases(dict(steps=4, reach=3), dict(steps=2, reach=6))
def one_more(rng, steps, reach):
    """each kind, a distance of {steps}·{reach} + 1, kernels that reach {reach} places back"""
    return [dict(kind=kind, distance=steps * reach + 1, kernel_size=reach + 1) for kind in KINDS]

@cases(dict(steps=5, reach=4), dict(steps=3, reach=7), low=3)
def one_less(rng, steps, reach):
    """each kind, a distance of {steps}·{reach} − 1, kernels that reach {reach} places back"""
    return [dict(kind=kind, distance=steps * reach - 1, kernel_size=reach + 1) for kind in KINDS]

@cases(dict(half=4), dict(half=9))
def default(rng, half):
    """each kind, a distance of 2·{half} and one place more, the kernel's width not given"""
    return [dict(kind=kind, distance=2 * half + more) for kind in KINDS for more in (0, 1)]

@cases(dict(distance=5), dict(distance=8))
def pairs(rng, distance):
    """the kind "cnn", a distance of {distance}, kernels of width 2"""
    return dict(kind="cnn", distance=distance, kernel_size=2)

@cases(dict(reach=6), low=4)
def within_reach(rng, reach):
    """each kind, a distance that one kernel of width {reach} + 1 covers"""
    return [dict(kind=kind, distance=2, kernel_size=reach + 1) for kind in KINDS]

@cases()
def neighbours(rng):
    """each kind, a distance of 1"""
    return [dict(kind=kind, distance=1) for kind in KINDS] + [dict(kind="cnn", distance=1, kernel_size=5)]

@cases(dict(hundreds=3, reach=7), dict(hundreds=5, reach=4))
def far(rng, hundreds, reach):
    """each kind, a distance of {hundreds}00, kernels that reach {reach} places back"""
    return [dict(kind=kind, distance=100 * hundreds, kernel_size=reach + 1) for kind in KINDS]

RNN, CNN, ATT = "return distance", "return -(-distance // (kernel_size - 1))", "return 1  # directly"
rnn = {
    "rnn-one": ("return 0 + 1", 'for "rnn" your number is 1. The state is handed on once for each place.'),
    "rnn-one-less": ("return distance - 1", 'for "rnn" your number is one too small: between neighbours there is one step.'),
    "rnn-one-more": ("return distance + 1", 'for "rnn" your number is one too large: between neighbours there is one step.'),
    "rnn-by-the-kernel": ("return -(-distance // (kernel_size - 1)) + 0", 'for "rnn" you count as for "cnn". An RNN has no kernel: the state is handed on once for each place.'),
    "rnn-squared": ("return distance ** 2", 'for "rnn" your number is the distance squared. The state is handed on once for each place.'),
    "rnn-logarithm": ("return np.log2(distance)", 'for "rnn" you take a logarithm. The state is handed on once for each place.'),
    "rnn-zero": ("return 0 * distance", 'for "rnn" your number is 0. The state is handed on once for each place.'),
    "rnn-both-ways": ("return 2 * distance", 'for "rnn" your number is twice the distance. The state is handed on once for each place.'),
}
cnn = {
    "cnn-rounded-down": ("return distance // (kernel_size - 1)", 'for "cnn" you round down. A rest of the way needs one more layer: round up.'),
    "cnn-not-less-than-one": ("return max(1, distance // (kernel_size - 1))", 'for "cnn" you round down (and take at least 1). A rest of the way needs one more layer: round up.'),
    "cnn-one-more": ("return distance // (kernel_size - 1) + 1", 'for "cnn" your number is one too large where the layers\' reach fits the distance exactly: 1 is always added, or one place too many is counted. Only a rest of the way needs one more layer: round up.'),
    "cnn-rounded": ("return round(distance / (kernel_size - 1))", 'for "cnn" you round to the nearest number. A rest of the way, however small, needs one more layer: round up.'),
    "cnn-not-rounded": ("return distance / (kernel_size - 1)", 'for "cnn" you do not round. Layers come in whole numbers: round up.'),
    "cnn-full-width": ("return -(-distance // kernel_size)", 'for "cnn" a layer reaches `kernel_size` places back in your formula. It reaches one fewer: the window holds the token itself, too.'),
    "cnn-full-width-down": ("return distance // kernel_size", 'for "cnn" you divide by `kernel_size` and round down. A layer reaches one place fewer than its kernel is wide; and a rest of the way needs one more layer.'),
    "cnn-full-width-plus-one": ("return distance // kernel_size + 1", 'for "cnn" you count how many whole widths fit into the distance, plus one (or into the tokens, rounded up). Windows overlap: each layer reaches `kernel_size` − 1 places further.'),
    "cnn-full-width-not-rounded": ("return distance / kernel_size", 'for "cnn" you divide by `kernel_size` and do not round. A layer reaches one place fewer than its kernel is wide, and layers come in whole numbers: round up.'),
    "cnn-one-place-too-few": ("return max(1, -(-(distance - 1) // (kernel_size - 1)))", 'for "cnn" you count one place too few: the distance itself is to be covered.'),
    "cnn-width-three": ("return -(-distance // 2)", 'for "cnn" your number holds for kernels of width 3 only: `kernel_size` is not used.'),
    "cnn-centred": ("return -(-distance // max(1, kernel_size // 2))", 'for "cnn" a layer reaches half a width in your formula, as centred windows do. A causal window lies all on one side: it reaches `kernel_size` − 1 places.'),
    "cnn-centred-floor": ("return -(-distance // max(1, (kernel_size - 1) // 2))", 'for "cnn" a layer reaches about half a width in your formula, as centred windows do. A causal window lies all on one side: it reaches `kernel_size` − 1 places.'),
    "cnn-logarithm": ("return max(1, int(np.ceil(np.log(distance) / np.log(kernel_size) - 1e-9)))", 'for "cnn" you take a logarithm. That holds for layers that skip more and more tokens (dilated, as in the paper\'s table); in this stack none skips.'),
    "cnn-logarithm-of-tokens": ("return max(1, int(np.ceil(np.log(distance + 1) / np.log(kernel_size) - 1e-9)))", 'for "cnn" you take a logarithm. That holds for layers that skip more and more tokens (dilated, as in the paper\'s table); in this stack none skips.'),
    "cnn-logarithm-of-two": ("return max(1, int(np.ceil(np.log2(distance))))", 'for "cnn" you take a logarithm of base 2. In this stack no layer skips tokens: each adds the same reach.'),
    "cnn-distance": ("return distance + 0", 'for "cnn" your number is the distance itself, as for "rnn". A layer carries a signal farther, up to `kernel_size` − 1 places.'),
    "cnn-one": ("return 1 + 0", 'for "cnn" your number is always 1. One layer does not see farther than its kernel is wide.'),
    "cnn-kernel": ("return kernel_size", 'for "cnn" your number is the kernel\'s width. Count the layers that are needed for the distance.'),
    "cnn-receptive-field": ("return 1 + distance * (kernel_size - 1)", 'for "cnn" your number is a receptive field. Here it is the other way round: how many layers for a given distance?'),
    "cnn-one-too-many": ("return 1 - (-distance // (kernel_size - 1))", 'for "cnn" your number is one too large: 1 is added after rounding up.'),
    "cnn-one-too-few": ("return -(-distance // (kernel_size - 1)) - 1", 'for "cnn" your number is one too small: 1 is subtracted after rounding up (or 1 from the distance, and rounded down).'),
    "cnn-half-the-reach": ("return -(-2 * distance // (kernel_size - 1))", 'for "cnn" a layer reaches half of what it should in your formula, as centred windows do. A causal window lies all on one side: it reaches `kernel_size` − 1 places.'),
    "cnn-times-width": ("return distance * kernel_size", 'for "cnn" you multiply the distance by the width. A wider kernel needs fewer layers: divide.'),
    "cnn-times-reach": ("return distance * (kernel_size - 1)", 'for "cnn" you multiply the distance by the layers\' reach. A wider kernel needs fewer layers: divide.'),
    "cnn-minus": ("return max(1, distance - (kernel_size - 1))", 'for "cnn" you subtract the reach of one layer. Every further layer carries the signal on by that much: divide, and round up.'),
    "cnn-rounded-one-more": ("return round(distance / (kernel_size - 1)) + 1", 'for "cnn" you round to the nearest number and add 1. Round up, and add nothing.'),
    "cnn-plus-one-wide": ("return -(-distance // (kernel_size + 1))", 'for "cnn" a layer reaches farther than its kernel is wide in your formula. It reaches `kernel_size` − 1 places.'),
}
att = {
    "attention-zero": ("return 0", 'for "self_attention" your number is 0. One step is needed, whatever the distance.'),
    "attention-distance": ("return int(distance)", 'for "self_attention" your number is the distance. Every place looks at every other directly, whatever the distance.'),
    "attention-two": ("return 2", 'for "self_attention" your number is 2. Every place looks at every other directly, in one step.'),
    "attention-kernel": ("return int(kernel_size)", 'for "self_attention" your number is the kernel\'s width. There is no kernel here: every place looks at every other directly.'),
    "attention-squared": ("return distance * distance", 'for "self_attention" your number is the distance squared. That is about the work; the way is one step, whatever the distance.'),
    "attention-by-the-kernel": ("return -(-distance // (kernel_size - 1)) + 0", 'for "self_attention" you count as for "cnn". Every place looks at every other directly, whatever the distance.'),
    "attention-logarithm": ("return max(1, int(np.ceil(np.log2(distance + 1))))", 'for "self_attention" you take a logarithm. Every place looks at every other directly, in one step, whatever the distance.'),
}
HASH, RAISE = "  # rounded up", "raise ValueError(f\"kind is 'rnn', 'cnn' or 'self_attention', not {kind!r}\")"
for group, old in ((rnn, RNN), (cnn, CNN + HASH), (att, ATT)):
    for name, (new, sentence) in group.items():
        wrong(name, (old, new), says=sentence)
few = ("cnn-rounded-down", "cnn-one-too-many", "cnn-one-too-few", "cnn-one-more", "cnn-full-width", "cnn-width-three", "cnn-not-rounded", "cnn-logarithm", "cnn-full-width-down")
def both(one, other):
    return f"two things at once. First, {one[1]} Second, {other[1]}"
for other in few:
    for one in ("rnn-one", "rnn-one-less", "rnn-one-more"):
        wrong(f"{one}+{other}", (RNN, rnn[one][0]), (CNN + HASH, cnn[other][0]), says=both(rnn[one], cnn[other]))
    for one in ("attention-zero", "attention-distance", "attention-two"):
        wrong(f"{other}+{one}", (ATT, att[one][0]), (CNN + HASH, cnn[other][0]), says=both(cnn[other], att[one]))
for one, other in (("rnn-one-less", "attention-zero"), ("rnn-one-more", "attention-zero"), ("rnn-one-less", "attention-distance"), ("rnn-one-more", "attention-two"), ("rnn-one", "attention-zero")):
    wrong(f"{one}+{other}", (RNN, rnn[one][0]), (ATT, att[other][0]), says=both(rnn[one], att[other]))
wrong("rnn-and-attention-swapped", (RNN, "return 0 + 1"), (ATT, "return int(distance)"), says='"rnn" and "self_attention" have changed places: attention looks directly, the RNN hands its state on once for each place.')
wrong("rnn-and-cnn-swapped", (RNN, "return -(-distance // (kernel_size - 1)) + 0"), (CNN + HASH, "return distance + 0"), says='"rnn" and "cnn" have changed places: it is the convolution whose layers reach `kernel_size` − 1 places.')
wrong("cnn-and-attention-swapped", (CNN + HASH, "return 1 + 0"), (ATT, "return -(-distance // (kernel_size - 1)) + 0"), says='"cnn" and "self_attention" have changed places: attention looks directly, a stack of convolutions needs several layers.')
wrong("default-two", ("kernel_size: int = 3", "kernel_size: int = 2"), says="the kernel's width is 2 in your function when it is not given. It should be 3.")
wrong("default-five", ("kernel_size: int = 3", "kernel_size: int = 5"), says="the kernel's width is 5 in your function when it is not given. It should be 3.")
wrong("default-four", ("kernel_size: int = 3", "kernel_size: int = 4"), says="the kernel's width is 4 in your function when it is not given. It should be 3.")
wrong("default-one", ("kernel_size: int = 3", "kernel_size: int = 1"), says="the kernel's width is 1 in your function when it is not given. It should be 3.")
wrong("no-default", ("kernel_size: int = 3", "kernel_size: int"), says="your function cannot be called without `kernel_size`. It should be 3 when it is not given.")
wrong("no-kernel", (", kernel_size: int = 3", ""), (CNN + HASH, "return -(-distance // 2)"), says="your function does not take `kernel_size`. Its name and its default, 3, belong to the exercise.")
NAME = 'your function does not know the name "self_attention": it returns nothing for it. Compare the names letter by letter.'
wrong("attention-by-another-name", ('"self_attention"', '"attention"'), (RAISE, "return None"), says=NAME)
wrong("attention-with-a-hyphen", ('"self_attention"', '"self-attention"'), (RAISE, "return None"), says=NAME)
wrong("capital-names", ('"rnn"', '"RNN"'), ('"cnn"', '"CNN"'), (RAISE, "return None"),
      says='your function does not know the names "rnn" and "cnn", in small letters: it returns nothing for them.')
wrong("capital-names-else", ('"rnn"', '"RNN"'), ('"cnn"', '"CNN"'), ('if kind == "self_attention":\n        ', 'if True:\n        '),
      says="your number is 1 for every kind. Only self-attention looks directly. (Do you compare `kind` with the names in small letters?)")
wrong("first-branch-always", ('if kind == "rnn":', 'if kind == "rnn" or "RNN":'), says='your number is the distance for every kind, as for "rnn". (Is a condition always true, like `kind == "a" or "b"`?)')
wrong("always-one", (RNN, "return 0 + 1"), (CNN + HASH, "return 1 + 0"), says="your number is 1 for every kind. Only self-attention looks directly. (Do you compare `kind` with the names in small letters?)")
wrong("always-the-kernel", (RNN, "return -(-distance // (kernel_size - 1)) + 0"), (ATT, "return -(-distance // (kernel_size - 1)) - 0"), says='every kind is treated as "cnn" in your function.')
wrong("printed", (RNN, "print(distance)"), (CNN + HASH, "print(-(-distance // (kernel_size - 1)))"), (ATT, "print(1)"), ('if kind == "cnn":', 'elif kind == "cnn":'), ('if kind == "self_attention":', 'elif kind == "self_attention":'),
      (RAISE, "return None"), says="your function ends without giving anything back: it may print the number, but it should `return` it.")
wrong("text", (RNN, "return str(distance)"), (CNN + HASH, "return str(-(-distance // (kernel_size - 1)))"), (ATT, "return '1'"), says="your function returns a text. Return a number.")
wrong("big-o", (RNN, "return 'O(n)'"), (CNN + HASH, "return 'O(n/k)'"), (ATT, "return 'O(1)'"), says="your function returns a formula as text. Return the number of steps.")
wrong("one-item", (RNN, "return [distance]"), (CNN + HASH, "return [-(-distance // (kernel_size - 1))]"), (ATT, "return [1]"), says="your function returns a list. Return a plain number.")
wrong("path", (RNN, "return list(range(distance + 1))"), (CNN + HASH, "return list(range(0, distance, kernel_size - 1)) + [distance]"), (ATT, "return [0, distance]"), says="your function returns the places on the way. Return how many steps there are.")

wrong("text-formulas", (RNN, "return 'n'"), (CNN + HASH, "return 'n/k'"), (ATT, "return '1'"), says="your function returns a formula as text. Return the number of steps.")
wrong("attention-unknown", ('"self_attention"', '"attention"'), (RAISE, "raise ValueError(kind)"), says="your function does not know the name \"self_attention\". Compare the names letter by letter.")
wrong("attention-unknown-2", ('"self_attention"', '"attention"'), (RAISE, 'raise ValueError(f"unknown kind: {kind}")'), says="your function does not know the name \"self_attention\". Compare the names letter by letter.")
wrong("attention-unknown-3", ('"self_attention"', '"attention"'), (RAISE, 'raise ValueError(f"Unknown kind: {kind}")'), says="your function does not know the name \"self_attention\". Compare the names letter by letter.")
wrong("attention-unknown-4", ('"self_attention"', '"attention"'), (RAISE, "return {}[kind]"), says="your function does not know the name \"self_attention\". Compare the names letter by letter.")

@right
def by_ceil(kind, distance, kernel_size=3):
    import math
    return {"rnn": distance, "cnn": math.ceil(distance / (kernel_size - 1)), "self_attention": 1}[kind]

@right
def by_matching(kind, distance, kernel_size=3):
    match kind:
        case "rnn":
            return distance
        case "cnn":
            return (distance + kernel_size - 2) // (kernel_size - 1)
        case "self_attention":
            return 1
    raise ValueError("kind must be rnn, cnn or self_attention")

@right
def by_walking(kind, distance, kernel_size=3):
    step = {"rnn": 1, "cnn": kernel_size - 1}.get(kind, distance)
    steps = 0
    while distance > 0:
        distance -= step
        steps += 1
    return steps

@right
def by_receptive_field(kind, distance, kernel_size=3):
    if kind == "rnn":
        return distance
    if kind == "self_attention":
        return 1
    layers = 1
    while receptive_field(layers, kernel_size) < distance + 1:
        layers += 1
    return layers

@right
def by_numpy(kind, distance, kernel_size=3):
    if kind == "rnn":
        return float(distance)
    return np.ceil(distance / (kernel_size - 1)) if kind == "cnn" else 1.0

@right
def by_divmod(kind, distance, kernel_size=3):
    if kind == "cnn":
        whole, rest = divmod(distance, kernel_size - 1)
        return whole + bool(rest)
    return distance if kind == "rnn" else 1

@truth
def by_search(kind, distance, kernel_size=3):
    reaches = {"rnn": [1], "cnn": range(1, kernel_size), "self_attention": range(1, distance + 1)}[kind]
    best = [0] + [distance + 1] * distance
    for place in range(1, distance + 1):
        best[place] = 1 + min(best[place - reach] for reach in reaches if reach <= place)
    return best[distance]

# %% [markdown]
# Now the other number. Within one layer, which steps have to wait for another step *of the same layer*? In an RNN, step $t$ waits
# for step $t-1$. A convolution's windows and an attention layer's outputs wait for nothing but the inputs: all of them can be worked out in one go.
# (A bidirectional RNN is two chains. They can run side by side, but each has as many steps as there are tokens.)

# %% [markdown] exercise="sequential_steps" part="prompt" points=5 difficulty=1 minutes=4
# ### Exercise 5 · `sequential_steps`
#
# How many steps must wait for one another when **one layer** of this kind reads a sequence?
#
# | argument | | meaning |
# |---|---|---|
# | `kind` | `"rnn"`, `"cnn"` or `"self_attention"` | the layer; nothing else is asked for |
# | `seq` | a whole number, at least 1 | tokens in the sequence |
# | returns | a whole number | steps, one after the other; work that can all be done at the same time counts as one step |

# %% exercise="sequential_steps" part="solution"
def sequential_steps(kind: str, seq: int) -> int:
    """How many steps of one layer of this kind must wait for one another."""
    ### BEGIN SOLUTION
    if kind == "rnn":
        return seq
    if kind in ("cnn", "self_attention"):
        return 1
    raise ValueError(f"kind is 'rnn', 'cnn' or 'self_attention', not {kind!r}")
    ### END SOLUTION

# %% exercise="sequential_steps" part="check"
check(sequential_steps, right_shape, matches)

# %% exercise="sequential_steps" part="hidden"
check(sequential_steps, right_shape, matches, cases="hidden")

# %% [markdown] exercise="sequential_steps" part="hints"
# - Ask of each kind: can I work out the output at place 7 before I know the output of this layer at place 6?
# - The first RNN step counts as well: it is a step, though it waits for nothing.

# %% exercise="sequential_steps" part="library"
def sequential_steps(kind: str, seq: int) -> int:
    """The longest chain of outputs that wait for one another, found step by step."""
    waits_for_neighbour = {"rnn": True, "cnn": False, "self_attention": False}
    if kind not in waits_for_neighbour:
        raise ValueError(f"kind is one of {', '.join(waits_for_neighbour)}, not {kind!r}")
    done = [1]
    for _ in range(1, seq):
        done.append(done[-1] + 1 if waits_for_neighbour[kind] else 1)
    return max(done)

# %% exercise="sequential_steps" part="variants"
KINDS = ("rnn", "cnn", "self_attention")

@cases(dict(seq=5), dict(seq=8), dict(seq=3))
def drawn(rng, seq):
    """each kind, {seq} tokens"""
    return [dict(kind=kind, seq=seq) for kind in KINDS]

@cases(dict(hundreds=4), dict(hundreds=7))
def long(rng, hundreds):
    """each kind, {hundreds}00 tokens"""
    return [dict(kind=kind, seq=100 * hundreds) for kind in KINDS]

@cases()
def one_token(rng):
    """each kind, one token"""
    return [dict(kind=kind, seq=1) for kind in KINDS]

RNN, REST = "return seq", 'if kind in ("cnn", "self_attention"):\n        return 1\n'
def rest(cnn, attention):
    return f'if kind == "cnn":\n        return {cnn}\n    if kind == "self_attention":\n        return {attention}\n'
RAISE = "raise ValueError(f\"kind is 'rnn', 'cnn' or 'self_attention', not {kind!r}\")"
rnn = {
    "rnn-one-less": ("seq - 1", 'for "rnn" your number is one too small: the first step counts as well.'),
    "rnn-one-more": ("seq + 1", 'for "rnn" your number is one too large: there is one step for each token.'),
    "rnn-one": ("1 + 0", 'for "rnn" your number is 1. Each step waits for the state of the one before. (Do you compare `kind` with "rnn" in small letters? Or is a condition before it always true, like `kind == "a" or "b"`?)'),
    "rnn-both-ways": ("2 * seq", 'for "rnn" your number is twice the length. There is one step for each token.'),
    "rnn-half": ("seq / 2", 'for "rnn" your number is half the length. There is one step for each token.'),
    "rnn-half-down": ("seq // 2", 'for "rnn" your number is half the length. There is one step for each token.'),
    "rnn-squared": ("seq ** 2", 'for "rnn" your number is the length squared. There is one step for each token.'),
    "rnn-logarithm": ("max(1, int(np.ceil(np.log2(seq))))", 'for "rnn" you take a logarithm. Each step waits for the one before: one step for each token.'),
}
cnn = {
    "cnn-seq": ("seq", 'for "cnn" your number is the length. The windows do not wait for one another: they are one step.'),
    "cnn-layers": ("max(1, -(-(seq - 1) // 2))", 'for "cnn" you count the layers that a far signal needs (for kernels of width 3). Here one layer is meant: its windows do not wait for one another.'),
    "cnn-layers-of-seq": ("-(-seq // 2)", 'for "cnn" you count the layers that a far signal needs (for kernels of width 3). Here one layer is meant: its windows do not wait for one another.'),
    "cnn-third": ("-(-seq // 3)", 'for "cnn" you divide the length by a kernel\'s width. Here one layer is meant: its windows do not wait for one another.'),
    "cnn-width": ("3", 'for "cnn" your number is the width of a kernel. The window\'s parts are summed, and do not wait for one another in this count: it is one step.'),
    "cnn-zero": ("0", 'for "cnn" your number is 0. All the work that can be done at the same time counts as one step.'),
    "cnn-windows": ("max(1, seq - 2)", 'for "cnn" you count the windows. They do not wait for one another: they are one step.'),
    "cnn-logarithm": ("max(1, int(np.ceil(np.log2(seq))))", 'for "cnn" you take a logarithm. Here one layer is meant: its windows do not wait for one another.'),
    "cnn-two": ("2", 'for "cnn" your number is 2. The windows do not wait for one another: they are one step.'),
}
att = {
    "attention-seq": ("seq", 'for "self_attention" your number is the length. The outputs do not wait for one another: they are one step.'),
    "attention-squared": ("seq ** 2", 'for "self_attention" your number is the length squared. That is about the work; all of it can be done at the same time: one step.'),
    "attention-zero": ("0", 'for "self_attention" your number is 0. All the work that can be done at the same time counts as one step.'),
    "attention-two": ("2", 'for "self_attention" your number is 2. In this count a whole layer, whose outputs do not wait for one another, is one step.'),
    "attention-three": ("3", 'for "self_attention" your number is 3. In this count a whole layer, whose outputs do not wait for one another, is one step.'),
    "attention-logarithm": ("max(1, int(np.ceil(np.log2(seq))))", 'for "self_attention" you take a logarithm. The outputs do not wait for one another: they are one step.'),
}
for name, (text, sentence) in rnn.items():
    wrong(name, (RNN, f"return {text}"), says=sentence)
for name, (text, sentence) in cnn.items():
    wrong(name, (REST, rest(text, 1)), says=sentence)
for name, (text, sentence) in att.items():
    wrong(name, (REST, rest(1, text)), says=sentence)
def both(one, other):
    return f"two things at once. First, {one[1]} Second, {other[1]}"
for one in ("rnn-one", "rnn-one-less", "rnn-one-more"):
    for other in ("cnn-seq", "cnn-layers", "cnn-zero", "cnn-width"):
        wrong(f"{one}+{other}", (RNN, f"return {rnn[one][0]}"), (REST, rest(cnn[other][0], 1)), says=both(rnn[one], cnn[other]))
    for other in ("attention-seq", "attention-squared", "attention-zero"):
        if (one, other) != ("rnn-one", "attention-seq"):
            wrong(f"{one}+{other}", (RNN, f"return {rnn[one][0]}"), (REST, rest(1, att[other][0])), says=both(rnn[one], att[other]))
for one in ("cnn-seq", "cnn-layers", "cnn-zero", "cnn-width"):
    for other in ("attention-seq", "attention-squared", "attention-zero", "attention-two"):
        if (one, other) not in {("cnn-seq", "attention-seq"), ("cnn-zero", "attention-zero")}:
            wrong(f"{one}+{other}", (REST, rest(cnn[one][0], att[other][0])), says=both(cnn[one], att[other]))
wrong("always-seq", (REST, rest("seq", "seq")), says="your number is the length for every kind. Only an RNN's steps wait for one another.")
wrong("both-zero", (REST, rest("0", "0")), says='for "cnn" and "self_attention" your number is 0. All the work that can be done at the same time counts as one step.')
wrong("other-way-round", (RNN, "return 1 + 0"), (REST, rest("seq", "seq")), says="it is the other way round: an RNN's steps wait for one another, the others' do not.")
wrong("rnn-and-attention-swapped", (RNN, "return 1 + 0"), (REST, rest(1, "seq")), says='"rnn" and "self_attention" have changed places: an RNN\'s steps wait for one another.')
wrong("rnn-zero-based-both", (RNN, "return seq - 1"), (REST, rest("0", "0")), says="your numbers count how often something waits, and are one too small: the first step counts as well.")
wrong("attention-by-another-name", ('"self_attention"):', '"attention"):'), (RAISE, "return None"), says='your function does not know the name "self_attention": it returns nothing for it. Compare the names letter by letter.')
wrong("capital-names", ('kind == "rnn"', 'kind == "RNN"'), ('("cnn", "self_attention")', '("cnn", "self_attention", "rnn")'), says=rnn["rnn-one"][1])
wrong("text", (RNN, "return str(seq)"), (REST, rest("'1'", "'1'")), says="your function returns a text. Return a number.")
wrong("big-o", (RNN, "return 'O(n)'"), (REST, rest("'O(1)'", "'O(1)'")), says="your function returns a formula as text. Return the number of steps.")
wrong("list", (RNN, "return list(range(seq))"), (REST, rest("[0]", "[0]")), says="your function returns a list of steps. Return how many there are.")
wrong("true", (REST, rest("True", "True")), says='for "cnn" and "self_attention" your function returns True. Return the number 1.')
wrong("printed", (RNN, "print(seq)"), (REST, 'elif kind in ("cnn", "self_attention"):\n        print(1)\n'), (RAISE, "return None"), says="your function ends without giving anything back: it may print the number, but it should `return` it.")

wrong("cnn-third-down", (REST, rest("max(1, seq // 3)", 1)), says='for "cnn" you divide the length by a kernel\'s width. Here one layer is meant: its windows do not wait for one another.')
wrong("cnn-third-down-2", (REST, rest("seq // 3", 1)), says='for "cnn" you divide the length by a kernel\'s width. Here one layer is meant: its windows do not wait for one another.')
wrong("cnn-half-down", (REST, rest("seq // 2", 1)), says='for "cnn" you halve the length. Here one layer is meant: its windows do not wait for one another.')
wrong("cnn-logarithm-not-rounded", (REST, rest("np.log2(seq)", 1)), says='for "cnn" you take a logarithm. Here one layer is meant: its windows do not wait for one another.')
wrong("attention-logarithm-not-rounded", (REST, rest(1, "np.log2(seq)")), says='for "self_attention" you take a logarithm. The outputs do not wait for one another: they are one step.')
wrong("attention-half", (REST, rest(1, "seq / 2")), says='for "self_attention" your number is half the length. The outputs do not wait for one another: they are one step.')
wrong("rnn-text", (RNN, "return 'seq'"), says="your function returns a text. Return a number.")
wrong("text-formulas", (RNN, "return 'n'"), (REST, rest("'1'", "'1'")), says="your function returns a formula as text. Return the number of steps.")
wrong("lists", (RNN, "return [seq]"), (REST, rest("[1]", "[1]")), says="your function returns a list. Return a plain number.")
wrong("by-place", (RNN, "return seq"), (REST, rest("1 / seq", "1 / seq")), says='for "cnn" and "self_attention" your number is 1 / seq. All the work that can be done at the same time counts as one step.')
wrong("attention-unknown", ('"self_attention"):', '"attention"):'), (RAISE, "raise ValueError(kind)"), says="your function does not know the name \"self_attention\". Compare the names letter by letter.")
wrong("attention-unknown-2", ('"self_attention"):', '"attention"):'), (RAISE, 'raise ValueError(f"unknown kind: {kind}")'), says="your function does not know the name \"self_attention\". Compare the names letter by letter.")
wrong("attention-unknown-3", ('"self_attention"):', '"attention"):'), (RAISE, 'raise ValueError(f"Unknown kind: {kind}")'), says="your function does not know the name \"self_attention\". Compare the names letter by letter.")
wrong("attention-unknown-4", ('"self_attention"):', '"attention"):'), (RAISE, "return {}[kind]"), says="your function does not know the name \"self_attention\". Compare the names letter by letter.")

@right
def in_one_line(kind, seq):
    return seq if kind == "rnn" else 1

@right
def by_table(kind, length):
    return {"rnn": length, "cnn": 1, "self_attention": 1}[kind]

@right
def by_counting(kind, seq):
    steps = 0
    for _ in range(seq):
        steps += 1
        if kind != "rnn":
            break
    return steps

@right
def as_floats(kind, seq):
    return np.where(kind == "rnn", float(seq), 1.0)

@truth
def by_chains(kind, seq):
    return len({t if kind == "rnn" else 0 for t in range(seq)})

# %% [markdown]
# ## Experiment 1 · Time against length, on your machine
#
# The lecture says: an RNN has to go step by step, self-attention does it all in parallel, so it is faster. Is it, here? Four
# contestants, each 64 numbers wide, one sequence at a time, on **one core**:
#
# - **your RNN**: your `rnn_step`, if it is written, called from a Python loop;
# - **LSTM**, the best-known recurrent layer, as PyTorch has it: one compiled call, still step by step inside;
# - **convolution** of width 3, and **self-attention**, as PyTorch has them.
#
# **Predict first.** Which is fastest for 64 tokens? And for 4,096? When the length doubles, by how much does each time grow?
# (Each number is the fastest of five runs: what else the machine does can only make a run slower.)

# %% part="demo"
from torch import nn

from autograder.lab.figures import lines
from autograder.lab.timing import compare

torch.manual_seed(0)
width, lengths = 64, (64, 128, 256, 512, 1024, 2048, 4096)
lstm, conv, project = nn.LSTM(width, width), nn.Conv1d(width, width, 3, padding=1), nn.Linear(width, 3 * width)
weights = rng.normal(size=(2, width, width)) / 8

try:  # yours, if it is written; otherwise a library's
    rnn_step(np.zeros(2), np.zeros(3), np.zeros((2, 3)), np.zeros((3, 3)), np.zeros(3))
    loop, loop_step = "your RNN", rnn_step
except Exception:
    loop, loop_step = "RNN in a loop", step

def read(tokens):
    h, bias = np.zeros(width), np.zeros(width)
    for token in tokens:
        h = loop_step(token, h, *weights, bias)

def attend(tokens):
    return nn.functional.scaled_dot_product_attention(*project(tokens)[None, None].chunk(3, dim=-1))

# %% part="demo"
from autograder.lab.tables import table

@torch.no_grad()
def race(n, threads, repeat=5):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    tokens = torch.randn(n, width)
    columns, array = tokens.T[None].contiguous(), tokens.double().numpy()
    runs = {loop: lambda: read(array), "LSTM": lambda: lstm(tokens), "convolution": lambda: conv(columns), "self-attention": lambda: attend(tokens)}
    timings = compare(runs, repeat=repeat).timings
    torch.set_num_threads(before)
    return {name: timing.low for name, timing in timings.items()}

times = {n: race(n, threads=1) for n in lengths}
show(lines(lengths, {name: [1e3 * times[n][name] for n in lengths] for name in times[64]}, "tokens", "time (ms)", logx=True, logy=True,
           title="Time of one layer against length, on one core"))
growth = {name: times[4096][name] / times[2048][name] for name in times[64]}
print(table([(name, f"{1e3 * times[64][name]:.2f}", f"{1e3 * times[4096][name]:.1f}", f"{growth[name]:.1f}") for name in growth],
            ["", "64 tokens (ms)", "4,096 tokens (ms)", "growth from 2,048 to 4,096"]))

# %% [markdown]
# How to read it. Where the length doubles, work that grows with $n$ takes about **2** times as long, work that grows with $n^2$ about **4** times.
# (Times wobble, most of all on a busy machine: then run the cell again.)
#
# 1. **Look at the right end, at self-attention.** It compares every token with every other: $n^2$ scores. On a CPU a long sequence makes it slow, and a compiled
#    LSTM may well overtake it. Does it here?
# 2. **Look at the left end.** A short sequence has few scores. Compare self-attention with the two recurrent layers there.
# 3. **Look at the two recurrent lines.** Both go step by step, one called from Python, the other compiled (an LSTM's step is about four times the work of
#    a plain one). What a Python loop costs says nothing about recurrence.
#
# So "parallel" does not mean "less work". It means that the work *need not wait*. To see that, more than one pair of hands is needed.

# %% [markdown]
# ### With more hands
#
# The same layers once more, 1,024 tokens, first with one thread and then with one for each core of this machine (the fastest of 15 runs).
#
# **Predict first.** Which layers will gain, and which hardly?

# %% part="demo"
import os

cores = os.cpu_count() or 1
alone, together = (race(1024, threads, repeat=15) for threads in (1, cores))
gain = {name: alone[name] / together[name] for name in alone}
if cores == 1:
    print("This machine has one core: there is nobody to share the work with, and both columns show the same work.")
print(table([(name, f"{1e3 * alone[name]:.2f}", f"{1e3 * together[name]:.2f}", f"{gain[name]:.2g}") for name in gain],
            ["", "one thread (ms)", f"{cores} threads (ms)", "times as fast"]))

# %% [markdown]
# The first row is a Python loop that has no use for more threads. How far its gain is from 1 shows how much the measurement is disturbed: by chance, by what
# else is running, by threads that keep a core busy while they wait. Read the others with that in mind. A gain of about 1 means that the extra hands had nothing to do, or that handing out the work cost as much as it saved. On two
# cores the gains are small, and where the machine is busy with other things, waiting for the second hand makes them fall far below 1. What the
# claim is about is hardware with *thousands* of hands: a GPU. There an RNN's steps still come one after the other, and nearly all the hands wait; self-attention's products fill them. **A
# CPU cannot show you that.** If this machine has a GPU, the next cell does; if not, it says so, and unit 12 comes back to it.

# %% part="demo"
device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else None
if device is None:
    print("No GPU here: the claim about parallel hardware is not tested on this machine.")
else:
    import copy

    gpu_lstm, gpu_conv, gpu_project = (copy.deepcopy(layer).to(device) for layer in (lstm, conv, project))
    on_gpu = {}
    with torch.no_grad():
        for n in lengths:
            tokens = torch.randn(n, width, device=device)
            runs = {"LSTM": lambda t=tokens: gpu_lstm(t), "convolution": lambda t=tokens: gpu_conv(t.T[None]),
                    "self-attention": lambda t=tokens: nn.functional.scaled_dot_product_attention(*gpu_project(t)[None, None].chunk(3, dim=-1))}
            on_gpu[n] = {name: timing.low for name, timing in compare(runs, repeat=3, device=device).timings.items()}
    show(lines(lengths, {name: [1e3 * on_gpu[n][name] for n in lengths] for name in on_gpu[64]}, "tokens", "time (ms)", logx=True, logy=True,
               title=f"Time of one layer against length, on {device}"))

# %% [markdown]
# ## Experiment 2 · Recall the first token
#
# Now the way's length. The task could not be simpler: a sequence of random tokens, four kinds of them, and the model has to say at the **last**
# place which token came **first**. Blind guessing is right in 25 % of the cases.
#
# Four small models, 16 numbers wide, all trained in the same way: 150 steps, the same seed, a fresh model for each distance. The CNN has three causal layers of width 3. The
# attention layer gets positions (unit 06 explains them; without them it could not know which token is the first).
#
# **Predict first.** Use your own functions: at which distance must the CNN fall to guessing, however long it trains? Will the bidirectional RNN, which has
# seen the whole sequence at every place, do better than the plain one?

# %% part="demo"
class Recall(nn.Module):
    """A small model that is asked at the last place which token came first."""

    def __init__(self, kind, seq, width=16, tokens=4):
        super().__init__()
        self.kind, both = kind, kind == "bidirectional RNN"
        self.embedding, self.output = nn.Embedding(tokens, width), nn.Linear(2 * width if both else width, tokens)
        self.positions = nn.Parameter(torch.randn(seq, width))
        if "RNN" in kind:
            self.layer = nn.RNN(width, width, batch_first=True, bidirectional=both)
        elif kind == "CNN, 3 layers":
            self.layer = nn.ModuleList(nn.Conv1d(width, width, 3, padding=2) for _ in range(3))
        else:
            self.layer = nn.MultiheadAttention(width, 1, batch_first=True)

    def forward(self, ids):
        x = self.embedding(ids)  # (batch, seq, width)
        if "RNN" in self.kind:
            return self.output(self.layer(x)[0][:, -1])
        if self.kind == "self-attention":
            x = x + self.positions
            return self.output(self.layer(x, x, x, need_weights=False)[0][:, -1])
        for layer in self.layer:
            x = torch.relu(layer(x.mT)[..., : ids.shape[1]]).mT
        return self.output(x[:, -1])

# %% part="demo"
def recall_accuracy(kind, distance, steps=150):
    torch.manual_seed(0)
    model = Recall(kind, distance + 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        ids = torch.randint(4, (32, distance + 1))
        loss = nn.functional.cross_entropy(model(ids), ids[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        ids = torch.randint(4, (1000, distance + 1))
        return (model(ids).argmax(-1) == ids[:, 0]).float().mean().item()

threads = torch.get_num_threads()
torch.set_num_threads(1)  # models as small as these gain nothing from more
distances, kinds = (3, 6, 7, 12, 24), ("RNN", "bidirectional RNN", "CNN, 3 layers", "self-attention")
recall = {kind: [recall_accuracy(kind, distance) for distance in distances] for kind in kinds}
torch.set_num_threads(threads)
show(lines(distances, recall, "distance from the first token to the last (places)", "right answers", percent=True, title="Recalling the first token"))
print(table([(kind, *(f"{100 * share:.0f} %" for share in recall[kind])) for kind in kinds], ["distance", *map(str, distances)]))

# %% part="demo"
reach = use_part("receptive_field")(3, 3) - 1
path = use_part("path_length")
print(f"Three layers of width 3 reach {reach} places back.")
print(table([(distance, path("rnn", distance), path("cnn", distance), path("self_attention", distance)) for distance in distances],
            ["distance", "rnn", "cnn (layers needed)", "self_attention"]))

# %% [markdown]
# How to read it.
#
# - **The CNN** cannot see farther than its receptive field. Beyond it the answer is a guess, whatever the training; a little above or below 25 % is chance. Within it, training
#   decides. Compare the distances 6 and 7 with the reach that your function gives.
# - **The RNNs** *could* carry the first token any distance. Whether they *learn* to in so few steps is another matter: what the loss says about the first
#   token must travel back through every step, and fades or explodes on the way. Look for the distance at which each of them gives up.
# - **The bidirectional RNN** has seen everything at every place. But the way from the first token to the last place leads through the same chain as before. Having seen is not remembering.
# - **Self-attention** has a way of one step at every distance. Look whether its line is level.
#
# This is one seed, one size, and few steps. An LSTM, a wider state or patient training carry an RNN farther. More layers carry a CNN farther. You
# can try: change `steps`, or the number of layers.

# %% [markdown]
# ## The end: your table, and the paper's
#
# All that you measured, in three columns; and below it what the paper says about them (Table 1, section 4). There $n$ is the length of the sequence, $d$ the width of its vectors, $k$ the
# width of a kernel.

# %% part="demo"
steps_of = use_part("sequential_steps")
def farthest(kind):
    far = [distance for distance, share in zip(distances, recall[kind], strict=True) if share >= 0.9]
    return f"{max(far)} of {distances[-1]}" if far else "none"

timed = {"self_attention": "self-attention", "rnn": "LSTM", "cnn": "convolution"}
trained = {"self_attention": "self-attention", "rnn": "RNN", "cnn": "CNN, 3 layers"}
measures = {
    "64 tokens, one core (ms)": lambda kind: f"{1e3 * times[64][timed[kind]]:.2f}",
    "4,096 tokens, one core (ms)": lambda kind: f"{1e3 * times[4096][timed[kind]]:.1f}",
    "growth from 2,048 to 4,096": lambda kind: f"{growth[timed[kind]]:.1f}",
    f"gain by {cores} threads, 1,024 tokens": lambda kind: f"{gain[timed[kind]]:.2g}",
    "longest distance recalled (90 % right)": lambda kind: farthest(trained[kind]),
    "steps that wait, 4,096 tokens": lambda kind: steps_of(kind, 4096),
    "path to a place 4,095 further on": lambda kind: path(kind, 4095),
}
table([(name, *(str(measure(kind)) for kind in timed)) for name, measure in measures.items()], ["measured here", *timed])

# %% [markdown]
# | the paper's Table 1 | self-attention | recurrent | convolutional |
# |---|---|---|---|
# | work in one layer | $O(n^2 \cdot d)$ | $O(n \cdot d^2)$ | $O(k \cdot n \cdot d^2)$ |
# | sequential operations | $O(1)$ | $O(n)$ | $O(1)$ |
# | longest path | $O(1)$ | $O(n)$ | $O(\log_k n)$ |
#
# Read the two together.
#
# - **Work.** Self-attention does less than an RNN while $n < d$, and more when $n > d$. The times above are for $d = 64$ and up to 4,096 tokens. The work
#   for long sequences is the price of attention. (The paper's table has a fourth row, attention within a neighbourhood, against that.)
# - **Sequential operations.** Your `sequential_steps` says the same. It is the promise that only parallel hardware redeems.
# - **Longest path.** The paper's logarithm is for convolutions that skip more and more tokens from layer to layer (dilated). For a stack like yours
#   the paper gives $O(n/k)$ layers, and that is what your `path_length` counts.
#
# A bidirectional RNN has the same column as the RNN: both its chains are $n$ steps long, run side by side at best.
#
# ## What you built
#
# - `rnn_step`: a memory that is handed from token to token.
# - `causal_conv1d`: a window that slides over the tokens and never looks ahead. Unit 07 makes attention causal, too.
# - `receptive_field`, `path_length`, `sequential_steps`: three numbers by which layers can be compared on paper.
# - And a measured opinion about what attention is good for.

# %% [markdown]
# ## Questions to test yourself
#
# Answer first, then unfold.
#
# <details><summary>1. A friend says: "Self-attention is better since it sees the whole sequence." What do you reply?</summary>
#
# A bidirectional RNN sees the whole sequence, too. What differs is the way: one step for every distance, against as many steps as the tokens are apart; and
# outputs that do not wait for one another.
# </details>
#
# <details><summary>2. A stack of causal convolutions of width 5 should see at least 100 tokens. How many layers does it need?</summary>
#
# Each layer adds 4 tokens, and 99 lie before the token itself: 99 / 4, rounded up, is 25 layers.
# </details>
#
# <details><summary>3. You double the length of your sequences. What happens to the number of attention scores? To the steps of an RNN?</summary>
#
# Four times as many scores, since every token meets every other. Twice as many steps.
# </details>
#
# <details><summary>4. On your laptop an LSTM beats self-attention at 4,096 tokens. Does that disprove the lecture?</summary>
#
# No. On few cores the amount of work decides, and $n^2$ is more work for long sequences. The claim is about steps that wait for each other, and shows on hardware that does
# thousands of things at once.
# </details>
#
# <details><summary>5. Why does an RNN find it hard to learn to recall a token 50 places back, though its state could hold it?</summary>
#
# The signal that says what to change must travel back through 50 steps. Each multiplies it by a matrix and by the slope of tanh, which is at most 1, so it mostly fades (or, with large matrices, explodes).
# </details>

# %% [markdown]
# ## Sources
#
# - Hung-yi Lee (李宏毅), National Taiwan University: *Machine Learning 2019*, lecture "Transformer", and *Machine Learning 2021*, lecture "自注意力機制 (Self-attention) (下)":
#   RNN, CNN and self-attention compared, the bidirectional RNN, and parallel outputs.
# - Vaswani and others, *Attention Is All You Need*, 2017, section 4 and Table 1: work, sequential operations and path lengths.
# - Elman, *Finding Structure in Time*, 1990: the simple recurrent network. Schuster and Paliwal, *Bidirectional Recurrent Neural Networks*, 1997.
# - Bengio, Simard and Frasconi, *Learning Long-Term Dependencies with Gradient Descent is Difficult*, 1994: why signals fade on long ways.
# - van den Oord and others, *WaveNet*, 2016: causal convolutions, and dilated ones.
#
# **Next:** unit 02, attention scores: one output of self-attention, by hand and by code.
