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
# Write one step of the recurrent network: $h' = \tanh(x\,W_x + h\,W_h + b)$. The sum may be large, in the hundreds and thousands.
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

# %% [markdown] exercise="rnn_step" part="hints"
# - Three vectors of length `d_hidden` are added, and then one function is applied to the sum. Which two of the three are made by a matrix product?
# - The matrix stands on the right: `vector @ matrix`. `W_h` is square, so the wrong side gives the right shape and
#   wrong numbers.

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

# %% [markdown] exercise="causal_conv1d" part="hints"
# - How many zero rows must stand before the first token, so that the first window is full and ends at token 0?
# - After padding, window t is rows t to t + width − 1. Each of these rows meets the matrix with the same place in the window.
# - You need a loop over the width only: for place w, take one long slice with a row for every t, and multiply it by one matrix. Add these up.

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

# %% [markdown] exercise="receptive_field" part="hints"
# - With no layer at all, an output would be the token itself: 1. How many *further* tokens does one layer of width 3 add? And one more layer on top?
# - Every layer adds the same number of tokens, and it is one less than its kernel's width: the window's last place is a token that is counted already.

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

# %% [markdown] exercise="path_length" part="hints"
# - Two of the three are one line each. For `"cnn"`: a layer of width 3 reaches 2 places back. How many such layers do you need for 4 places? For 5?
# - Rounding up: Python has `math.ceil`. Or add just enough before a division with `//`.

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

# %% [markdown] exercise="sequential_steps" part="hints"
# - Ask of each kind: can I work out the output at place 7 before I know the output of this layer at place 6?
# - The first RNN step counts as well: it is a step, though it waits for nothing.

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
