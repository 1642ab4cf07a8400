"""What the checks of unit 01 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% exercise="rnn_step" part="library"
import numpy as np

from autograder.library.common import doubles


def rnn_step(x: np.ndarray, h: np.ndarray, W_x: np.ndarray, W_h: np.ndarray, b: np.ndarray) -> np.ndarray:
    """PyTorch's RNN cell on NumPy arrays."""
    import torch

    x, h, W_x, W_h, b = doubles(x, h, W_x, W_h, b)
    return torch.rnn_tanh_cell(x[None], h[None], W_x.T, W_h.T, b, torch.zeros_like(b))[0].numpy()

# %% exercise="rnn_step" part="variants"
without("whole numbers", because="the text speaks of real numbers")

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
    given = {name: np.round(64 * numbers) / 64 for name, numbers in draw(rng, d_in, d_hidden).items()}
    given["x"] = np.round(30 * given["x"])  # few digits everywhere, so that the sums are exact in single precision too
    z = given["x"] @ given["W_x"] + given["h"] @ given["W_h"]
    return given | dict(b=rng.permutation(np.round(64 * np.linspace(-4, 4, d_hidden)) / 64) - z)

@cases(dict(d_in=3, d_hidden=5), low=3)
def saturated(rng, d_in, d_hidden):
    """sums of hundreds and thousands before tanh (d_in = {d_in}, d_hidden = {d_hidden})"""
    given = draw(rng, d_in, d_hidden)
    z = given["x"] @ given["W_x"] + given["h"] @ given["W_h"]
    return given | dict(b=rng.uniform(800, 3000, size=d_hidden) * rng.permutation(np.resize([-1, 1], d_hidden)) - z)

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
        wrong(f"{one}+{other}", (OUT, outside[one][0].format(inside[other][0])), says=two_things(outside[one][1], inside[other][1]))
for other, text in {"state-matrix-transposed": "x @ W_x + W_h @ h", "both-transposed": "W_x @ x + W_h @ h", "matrices-swapped": "x @ W_h + h @ W_x", "state-without-matrix": "x @ W_x + h"}.items():
    wrong(f"no-bias+{other}", (SUM, text), says=two_things(inside['no-bias'][1], inside[other][1]))
    wrong(f"bias-subtracted+{other}", (SUM, f"{text} - b"), says=two_things(inside['bias-subtracted'][1], inside[other][1]))
OVERFLOWS = "your tanh is written with exponentials (or with sinh and cosh), which overflow where the sum is large: infinity / infinity is NaN. `np.tanh` takes any number."
wrong("tanh-by-exponentials", (OUT, f"(lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)))({SUM})"), says=OVERFLOWS)
wrong("tanh-by-one-exponential", (OUT, f"(lambda z: (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1))({SUM})"), says=OVERFLOWS)
wrong("bias-outside", (OUT, "np.tanh(x @ W_x + h @ W_h) + b"), says="the bias is added after tanh. It belongs inside: tanh is applied to the whole sum.")
wrong("state-outside", (OUT, "np.tanh(x @ W_x + b) + h @ W_h"), says="the state's part is added after tanh. It belongs inside: tanh is applied to the whole sum.")
wrong("token-outside", (OUT, "np.tanh(h @ W_h + b) + x @ W_x"), says="the token's part is added after tanh. It belongs inside: tanh is applied to the whole sum.")
wrong("tanh-of-each", (OUT, "np.tanh(x @ W_x) + np.tanh(h @ W_h) + b"), says="tanh is applied to the parts one by one. Add first; apply tanh once, to the whole sum.")
for name, text in {"state-apart": "np.tanh(x @ W_x + b) + np.tanh(h @ W_h)", "token-apart": "np.tanh(x @ W_x) + np.tanh(h @ W_h + b)"}.items():
    wrong(f"tanh-with-{name}", (OUT, text), says="tanh is applied twice, to the token's part and to the state's part. Add first; apply tanh once, to the whole sum.")
wrong("tanh-of-each-averaged", (OUT, "(np.tanh(x @ W_x + b) + np.tanh(h @ W_h + b)) / 2"),
      says="tanh is applied twice, to the token's part and to the state's part, each with the bias, and the two are averaged. Add the parts first; apply tanh once, to the whole sum.")
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
wrong("token-matrix-reshaped", (X, "W_x.reshape(len(h), len(x)) @ x"), says="`reshape` gives `W_x` the shape (d_hidden, d_in), but its columns are cut to pieces. Here the vector stands on the left, and `W_x` stays as it is.")
wrong("sum-divided-by-root-of-the-width", (OUT, "np.tanh((x @ W_x + h @ W_h + b) / np.sqrt(len(h)))"), says="the sum is divided by √d_hidden before tanh. (Attention will be scaled in that way, in unit 02.) Here nothing is scaled.")
wrong("state-without-its-sign", (H, "np.abs(h) @ W_h"), says="the old state has lost its signs. Its numbers may be negative.")
wrong("sum-normalised", (OUT, "np.tanh((lambda z: (z - z.mean()) / np.sqrt(z.var() + 1e-5))(x @ W_x + h @ W_h + b))"), says="the sum is brought to mean 0 and variance 1 before tanh. That is a layer norm, which comes in unit 08.")
wrong("gated-by-its-sigmoid", (OUT, "(lambda z: np.tanh(z) / (1 + np.exp(-np.clip(z, -500, 500))))(x @ W_x + h @ W_h + b)"), says="tanh is multiplied by a sigmoid of the same sum. A plain recurrent network has no gate.")
wrong("every-number-with-every-number", (SUM, "x @ W_x + h @ W_h + b + np.outer(x, h).sum()"), says="products of the token's numbers with the state's are added. Token and state meet their matrices only.")

@wrong("new-numbers-enter", says="your state is overwritten number by number, and the numbers that are new already enter those behind them. All numbers of h' are made from the old state.")
def new_numbers_enter(x, h, W_x, W_h, b):
    h = h.copy()
    for u in range(len(h)):
        h[u] = np.tanh(x @ W_x[:, u] + h @ W_h[:, u] + b[u])
    return h
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
wrong("state-not-mixed", (SUM, "x @ W_x + h * W_h.sum(axis=0) + b"), says="in the state's part each number of `h` meets its own column of `W_h` only: `h * W_h` pairs number v of the state with column v. In the formula it meets row v.")
wrong("large-sums-to-plus-one", (OUT, f"(lambda z: np.where(abs(z) > 20, 1, np.tanh(z)))({SUM})"), says="your new state is 1 where a sum is large, whatever the sum's sign. Far below zero tanh is −1.")
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

# %% exercise="causal_conv1d" part="library"
def causal_conv1d(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """PyTorch's convolution, padded on the left, on NumPy arrays."""
    import torch

    rows, taps = doubles(x, kernel)
    padded = torch.nn.functional.pad(rows.T, (len(kernel) - 1, 0))
    return torch.nn.functional.conv1d(padded[None], taps.permute(2, 1, 0))[0].T.contiguous().numpy()

# %% exercise="causal_conv1d" part="variants"
without("far apart", "far apart, the other way round", because="dozens of products of thousands nearly cancel now and then, and leave single precision no digit")

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

@cases(dict(seq=7, width=3, d_in=2, d_out=4), low=3)
def zeros_between(rng, seq, width, d_in, d_out):
    """a token of zeros among {seq} tokens of {d_in} numbers, a kernel of width {width}, {d_out} numbers out"""
    given = dict(x=rng.normal(size=(seq, d_in)), kernel=rng.normal(size=(width, d_in, d_out)))
    given["x"][1] = 0
    return given

@cases(dict(seq=5, d_in=3, d_out=2), low=2)
def width_one(rng, seq, d_in, d_out):
    """a kernel of width 1: {seq} tokens of {d_in} numbers, {d_out} out"""
    return dict(x=rng.normal(size=(seq, d_in)), kernel=rng.normal(size=(1, d_in, d_out)))

@cases(dict(seq=6, width=4), low=3)
def single_numbers(rng, seq, width):
    """{seq} tokens of one number, a kernel of width {width}, one number out"""
    return dict(x=rng.normal(size=(seq, 1)), kernel=rng.normal(size=(width, 1, 1)))

PAD, SLICE, TAP, LOOP, ADD = "np.concatenate([np.zeros((width - 1, x.shape[1])), x])", "padded[w : w + len(x)]", "@ kernel[w]", "for w in range(width)", "out +="
FLIP = "the kernel is turned around: your first matrix meets the newest token of the window. Here the last matrix does, and the first meets the oldest."
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
    wrong(f"turned-around+{name}", *base["turned-around"][0], *base[name][0], says=two_things(FLIP, base[name][1]))
wrong("turned-around+kernel-transposed", (TAP, "@ kernel[width - 1 - w].T"), says=two_things(FLIP, base['kernel-transposed'][1]))
for name in ("window-ahead", "centred", "one-zero-too-many", "wraps-around"):
    wrong(f"averaged+{name}", *base["averaged"][0], *base[name][0], says=two_things(base['averaged'][1], base[name][1]))
for name in ("window-ahead", "centred", "one-zero-too-many"):
    wrong(f"kernel-transposed+{name}", *base["kernel-transposed"][0], *base[name][0], says=two_things(base['kernel-transposed'][1], base[name][1]))
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
wrong("width-three", (LOOP, "for w in range(3)"), says="your code uses three places. A kernel may have any width, `kernel.shape[0]`.")
wrong("two-zeros", (PAD, "np.concatenate([np.zeros((2, x.shape[1])), x])"), says="two zero rows stand in front. There should be width − 1.")
wrong("same-matrix", (TAP, "@ kernel[0]"), says="every place of the window meets the first matrix. Each place has its own.")
wrong("same-last-matrix", (TAP, "@ kernel[-1]"), says="every place of the window meets the last matrix. Each place has its own.")
wrong("kernel-summed", (SLICE + " " + TAP, "x @ kernel[w]"), says="every place of the window takes the token itself; the tokens before it do not enter.")
wrong("token-sum", (SLICE + " " + TAP, f"{SLICE}.sum(axis=1, keepdims=True) * kernel[w].sum(axis=0)"), says="tokens and matrices are summed before they are multiplied. It should be a matrix product.")
wrong("depthwise", (TAP, "* np.diagonal(kernel[w])"), says="each number of a token is convolved by itself, with the matrices' diagonals. Each matrix mixes all the numbers: use a matrix product.")
wrong("shifted-output", ("return out", "return np.roll(out, 1, axis=0)"), says="your outputs are shifted by one place, the last one to the front.")
wrong("whole-past-by-the-first-matrix", ("return out", "for t in range(width, len(x)):\n        out[t] += x[: t - width + 1].sum(axis=0) @ kernel[0]\n    return out"),
      says="your outputs see the whole past: tokens before the window meet the kernel's first matrix. The window is as wide as the kernel, and no wider.")
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

wrong("kernel-cut-at-its-end", ("width = len(kernel)", "width = min(len(kernel), len(x))"),
      says="with fewer tokens than the kernel is wide, the *first* matrices of the kernel are used and the last are left out. The last one meets the token itself, whatever the length.")

@wrong("short-sequences", says="with fewer tokens than the kernel is wide, your slices no longer fit. Pad first, or stop the window at the first token.")
def short_sequences(x, kernel):
    width = len(kernel)
    out = x @ kernel[-1]
    for back in range(1, width):
        out[back:] += x[:-back] @ kernel[width - 1 - back] if back < len(x) else x @ kernel[width - 1 - back]
    return out

@wrong("mathematicians-wrap", says=two_things(FLIP, CIRCLE))
def mathematicians_wrap(x, kernel):
    return np.stack([sum(x[(t - w) % len(x)] @ kernel[w] for w in range(len(kernel))) for t in range(len(x))])

wrong("width-always-three", ("width = len(kernel)", "width = 3"), says="your code uses three places and two zero rows. A kernel may have any width, `kernel.shape[0]`.")
wrong("width-always-two", ("width = len(kernel)", "width = 2"), says="your code uses two places and one zero row. A kernel may have any width, `kernel.shape[0]`.")
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
wrong("averaged-over-what-is-there", ("return out", "return out / np.minimum(np.arange(len(x)) + 1, width)[:, None]"), says="each output is divided by the number of tokens in its window. The window's parts are summed.")

@wrong("wraps-around-by-index", says=CIRCLE + " (With fewer tokens than the kernel is wide there is no such token at all, and an index error.)")
def wraps_by_index(x, kernel):
    width = len(kernel)
    return np.array([sum(x[t - width + 1 + w] @ kernel[w] for w in range(width)) for t in range(len(x))])

@wrong("turned-and-wraps-around-by-index", says=two_things(FLIP, CIRCLE))
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
    "one-layer-too-few-without-the-token": ("(num_layers - 1) * (kernel_size - 1)", two_things("you count one layer too few.", "you count how far *back* the output reaches, without the token itself.")),
    "width-times-layers": ("num_layers * kernel_size", "you count a full width for each layer. The windows of two layers overlap: a layer adds fewer new tokens than its kernel is wide."),
    "width-times-layers-plus-one": ("1 + num_layers * kernel_size", "you add a full width for each layer. The windows of two layers overlap: a layer adds fewer new tokens than its kernel is wide."),
    "width-times-layers-minus-one": ("num_layers * kernel_size - 1", "you count a full width for each layer, less one. Every layer's window overlaps by one with what is counted already, not only one of them."),
    "power": ("kernel_size ** num_layers", "you multiply the widths. Windows of neighbouring tokens overlap, so the field grows by the same number with each layer (it multiplies only where layers skip tokens)."),
    "one-layer": ("kernel_size", "your number is that of one layer. Is `num_layers` used?"),
    "width-plus-layers": ("kernel_size + num_layers", "you add widths and layers. Each layer adds the same number of tokens, and that number depends on the width."),
    "width-plus-layers-minus-one": ("kernel_size + num_layers - 1", "each layer after the first adds one token only in your formula. It adds as many as the first one adds to the token itself."),
    "width-three": ("1 + 2 * num_layers", "your formula holds for kernels of width 3 only; `kernel_size` is not used."),
    "width-two": ("1 + num_layers", "each layer adds one token in your formula, as kernels of width 2 do; `kernel_size` is not used."),
    "arguments-swapped": ("1 + kernel_size * (num_layers - 1)", "layers and width have changed roles: it is the kernel's width that is reduced by one, and the layers that it is multiplied by."),
    "dilated": ("1 + (kernel_size - 1) * (2 ** num_layers - 1)", "your formula is the one for layers that skip twice as many tokens each time (dilated). Here no layer skips."),
    "one-layer-too-many": ("1 + (num_layers + 1) * (kernel_size - 1)", "you count one layer too many."),
    "one-layer-too-few": ("1 + (num_layers - 1) * (kernel_size - 1)", "you count one layer too few: even a single layer sees as many tokens as its kernel is wide."),
    "one-too-many": ("2 + num_layers * (kernel_size - 1)", "your number is one too large: one layer sees exactly as many tokens as its kernel is wide."),
    "centred": ("1 + 2 * num_layers * (kernel_size // 2)", "where the width is even, your number is that of half a width to both sides: each layer adds as many tokens as its kernel is wide. It adds one fewer: the window ends at the token."),
    "both-sides": ("1 + 2 * num_layers * (kernel_size - 1)", "you count tokens on both sides. A causal window reaches to the left only."),
    "half-a-width": ("1 + num_layers * (kernel_size // 2)", "each layer adds half a width in your formula. A causal window lies all on one side."),
    "half": ("1 + num_layers * (kernel_size - 1) / 2", "each layer adds half of what it should. A causal window lies all on one side."),
    "kernel-plus-one": ("1 + num_layers * (kernel_size + 1)", "each layer adds more tokens than its kernel is wide in your formula. It adds one fewer."),
    "always-one": ("1", "your number is 1."),
    "power-plus-one": ("1 + (kernel_size - 1) ** num_layers", "you multiply where you should add: each layer adds `kernel_size` − 1 tokens, so the field grows by the same number with each layer."),
    "width-and-two-a-layer": ("kernel_size + 2 * num_layers", "each layer adds two tokens in your formula. It adds `kernel_size` − 1, the first layer, too."),
    "width-and-two-a-further-layer": ("kernel_size + 2 * (num_layers - 1)", "each layer after the first adds two tokens in your formula. It adds as many as the first one adds to the token itself."),
    "doubling": ("1 + (kernel_size - 1) * 2 ** (num_layers - 1)", "your field doubles with each layer. Where no layer skips tokens, every layer adds the same number."),
    "larger-of-both": ("max(num_layers, kernel_size)", "your number is the larger of the two. Every layer adds `kernel_size` − 1 tokens."),
    "layers-only": ("num_layers", "your number is the number of layers. Every layer adds `kernel_size` − 1 tokens."),
    "two-too-few": ("num_layers * (kernel_size - 1) - 1", "your number is two too small: how far the output reaches back, less one. The token itself is counted as well."),
    "at-least-one-a-layer": ("kernel_size + (num_layers - 1) * max(kernel_size - 1, 1)", "each further layer adds at least one token in your formula. With kernels of width 1 it adds none."),
    "both-sides-without-the-token": ("2 * num_layers * (kernel_size - 1)", two_things("you count tokens on both sides, and a causal window reaches to the left only.", "the token itself is not counted.")),
    "every-layer": ("[1 + n * (kernel_size - 1) for n in range(1, num_layers + 1)]", "your function returns a list, with a number for each layer. Return the number for the whole stack alone."),
    "width-one-by-itself": ("(1 + num_layers * (kernel_size - 1)) * (kernel_size > 1)", "with kernels of width 1 your number is 0. The token itself is seen, and counted."),
    "half-a-width-after-the-first": ("kernel_size + (num_layers - 1) * (kernel_size // 2)", "each layer after the first adds half a width in your formula. It adds as many as the first one adds to the token itself."),
    "one-in-a-tuple": ("(1 + num_layers * (kernel_size - 1),)", "your function returns a tuple with one item. (Is there a comma behind the number?) Return the number alone."),
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
    """the three kinds, each at a distance of {steps}·{reach}, kernels that reach {reach} places back"""
    return [dict(kind=kind, distance=steps * reach, kernel_size=reach + 1) for kind in KINDS]

@cases(dict(steps=4, reach=3), dict(steps=2, reach=6))
def one_more(rng, steps, reach):
    """the three kinds, each at a distance of {steps}·{reach} + 1, kernels that reach {reach} places back"""
    return [dict(kind=kind, distance=steps * reach + 1, kernel_size=reach + 1) for kind in KINDS]

@cases(dict(steps=5, reach=4), dict(steps=3, reach=7), low=3)
def one_less(rng, steps, reach):
    """the three kinds, each at a distance of {steps}·{reach} − 1, kernels that reach {reach} places back"""
    return [dict(kind=kind, distance=steps * reach - 1, kernel_size=reach + 1) for kind in KINDS]

@cases(dict(half=11), dict(half=17), low=11, high=19)  # so far that no logarithm is near
def default(rng, half):
    """the three kinds, each at a distance of 2·{half} and one place more, the kernel's width not given"""
    return [dict(kind=kind, distance=2 * half + more) for kind in KINDS for more in (0, 1)]

@cases(dict(distance=5), dict(distance=8))
def pairs(rng, distance):
    """the kind "cnn", a distance of {distance}, kernels of width 2"""
    return dict(kind="cnn", distance=distance, kernel_size=2)

@cases(dict(reach=6), low=4)
def within_reach(rng, reach):
    """the three kinds, each at a distance that one kernel of width {reach} + 1 covers"""
    return [dict(kind=kind, distance=2, kernel_size=reach + 1) for kind in KINDS]

@cases()
def neighbours(rng):
    """the three kinds, each at a distance of 1"""
    return [dict(kind=kind, distance=1) for kind in KINDS] + [dict(kind="cnn", distance=1, kernel_size=5)]

@cases(dict(thousands=3, reach=7), dict(thousands=5, reach=4), hidden=[dict(thousands=7, reach=3), dict(thousands=4, reach=9)])  # more than 100 layers
def far(rng, thousands, reach):
    """the three kinds, each at a distance of {thousands},000, kernels that reach {reach} places back"""
    return [dict(kind=kind, distance=1000 * thousands, kernel_size=reach + 1) for kind in KINDS]

@cases(dict(hundreds=2))
def one_place_too_far(rng, hundreds):
    """the kind "cnn", kernels that reach {hundreds}00 places back, a distance of one place more"""
    return dict(kind="cnn", distance=100 * hundreds + 1, kernel_size=100 * hundreds + 1)

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
    "cnn-rounded-down": ("return distance // (kernel_size - 1)", 'for "cnn" your number is what rounding down gives. A rest of the way needs one more layer: round up.'),
    "cnn-not-less-than-one": ("return max(1, distance // (kernel_size - 1))", 'for "cnn" your number is what rounding down gives (and at least 1). A rest of the way needs one more layer: round up.'),
    "cnn-one-more": ("return distance // (kernel_size - 1) + 1", 'for "cnn" your number is one too large where the layers\' reach fits the distance exactly: is 1 added there too, or one place too many counted? Only a rest of the way needs one more layer: round up.'),
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
    "cnn-one": ("return 1 + 0", 'for "cnn" your number is 1. One layer does not see farther than its kernel is wide.'),
    "cnn-kernel": ("return kernel_size", 'for "cnn" your number is the kernel\'s width. Count the layers that are needed for the distance.'),
    "cnn-receptive-field": ("return 1 + distance * (kernel_size - 1)", 'for "cnn" your number is a receptive field. Here it is the other way round: how many layers for a given distance?'),
    "cnn-one-too-many": ("return 1 - (-distance // (kernel_size - 1))", 'for "cnn" your number is one too large. Is 1 added after rounding up?'),
    "cnn-rounded-half-up": ("return int(distance / (kernel_size - 1) + 0.5)", 'for "cnn" you round to the nearest number. A rest of the way, however small, needs one more layer: round up.'),
    "cnn-one-place-less": ("return -(-(distance - 1) // (kernel_size - 1))", 'for "cnn" you take 1 from the distance before you round up. The distance counts the places between the two tokens already.'),
    "cnn-one-too-few": ("return -(-distance // (kernel_size - 1)) - 1", 'for "cnn" your number is one too small. Is 1 subtracted somewhere, or a layer left out of the count?'),
    "cnn-half-the-reach": ("return -(-2 * distance // (kernel_size - 1))", 'for "cnn" a layer reaches half of what it should in your formula, as centred windows do. A causal window lies all on one side: it reaches `kernel_size` − 1 places.'),
    "cnn-times-width": ("return distance * kernel_size", 'for "cnn" you multiply the distance by the width. A wider kernel needs fewer layers: divide.'),
    "cnn-times-reach": ("return distance * (kernel_size - 1)", 'for "cnn" you multiply the distance by the layers\' reach. A wider kernel needs fewer layers: divide.'),
    "cnn-minus": ("return max(1, distance - (kernel_size - 1))", 'for "cnn" you subtract the reach of one layer. Every further layer carries the signal on by that much: divide, and round up.'),
    "cnn-rounded-one-more": ("return round(distance / (kernel_size - 1)) + 1", 'for "cnn" you round to the nearest number and add 1. Round up, and add nothing.'),
    "cnn-plus-one-wide": ("return -(-distance // (kernel_size + 1))", 'for "cnn" a layer reaches farther than its kernel is wide in your formula. It reaches `kernel_size` − 1 places.'),
    "cnn-dilated": ("return next(n for n in range(1, 99) if (2**n - 1) * (kernel_size - 1) >= distance)", 'for "cnn" each layer reaches twice as far as the one before in your count (dilated). In this stack no layer skips tokens: each adds the same reach.'),
    "cnn-at-least-two": ("return max(2, -(-distance // (kernel_size - 1)))", 'for "cnn" your number is never below 2. Where one layer reaches as far as the distance, one is enough.'),
    "cnn-half-added": ("return round(distance / (kernel_size - 1) + 0.5)", 'for "cnn" you add a half and round. Where the reach fits the distance exactly, a half is left over, and `round` takes the even number beside it: now and then one layer too many.'),
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
for other in few:
    for one in ("rnn-one", "rnn-one-less", "rnn-one-more"):
        wrong(f"{one}+{other}", (RNN, rnn[one][0]), (CNN + HASH, cnn[other][0]), says=two_things(rnn[one][1], cnn[other][1]))
    for one in ("attention-zero", "attention-distance", "attention-two"):
        wrong(f"{other}+{one}", (ATT, att[one][0]), (CNN + HASH, cnn[other][0]), says=two_things(cnn[other][1], att[one][1]))
for one, other in (("rnn-one-less", "attention-zero"), ("rnn-one-more", "attention-zero"), ("rnn-one-less", "attention-distance"), ("rnn-one-more", "attention-two"), ("rnn-one", "attention-zero")):
    wrong(f"{one}+{other}", (RNN, rnn[one][0]), (ATT, att[other][0]), says=two_things(rnn[one][1], att[other][1]))
wrong("cnn-below-a-hundred", (CNN + HASH, "return next((n for n in range(1, 100) if n * (kernel_size - 1) >= distance), None)"), says='for "cnn" nothing comes back where 100 layers or more are needed: does a search of yours end there? There may be any number of layers.')
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
    """the three kinds, each with {seq} tokens"""
    return [dict(kind=kind, seq=seq) for kind in KINDS]

@cases(dict(thousands=4), dict(thousands=7))
def long(rng, thousands):
    """the three kinds, each with {thousands},000 tokens"""
    return [dict(kind=kind, seq=1000 * thousands) for kind in KINDS]

@cases()
def one_token(rng):
    """the three kinds, each with one token"""
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
    "rnn-half-up": ("(seq + 1) // 2", 'for "rnn" your number is half the length. There is one step for each token.'),
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
for one in ("rnn-one", "rnn-one-less", "rnn-one-more"):
    for other in ("cnn-seq", "cnn-layers", "cnn-zero", "cnn-width"):
        wrong(f"{one}+{other}", (RNN, f"return {rnn[one][0]}"), (REST, rest(cnn[other][0], 1)), says=two_things(rnn[one][1], cnn[other][1]))
    for other in ("attention-seq", "attention-squared", "attention-zero"):
        if (one, other) != ("rnn-one", "attention-seq"):
            wrong(f"{one}+{other}", (RNN, f"return {rnn[one][0]}"), (REST, rest(1, att[other][0])), says=two_things(rnn[one][1], att[other][1]))
for one in ("cnn-seq", "cnn-layers", "cnn-zero", "cnn-width"):
    for other in ("attention-seq", "attention-squared", "attention-zero", "attention-two"):
        if (one, other) not in {("cnn-seq", "attention-seq"), ("cnn-zero", "attention-zero")}:
            wrong(f"{one}+{other}", (REST, rest(cnn[one][0], att[other][0])), says=two_things(cnn[one][1], att[other][1]))
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
