# %% [markdown]
# # 01 · Why attention: RNN, CNN and self-attention side by side
#
# A word gets its meaning from its sentence. Three kinds of layer let words know about each other. You build the two older
# ones, measure all three on your machine, and see what self-attention is better at, and what it pays for it.
#
# **When you are done, you can**
#
# - write one step of a recurrent network and a causal convolution;
# - say how far back a stack of convolutions sees, and count the steps between two distant tokens;
# - say which layer has steps that must wait for one another;
# - tell what your machine shows of the claim that self-attention works in parallel, and what it cannot show.
#
# **Time** about 75 minutes; five exercises, 30 points. **You need** unit 00, and the product of a vector and a matrix.

# %% part="setup"
import numpy as np

from autograder import begin, blind_to_later_rows, check, finite, hint, keeps_inputs, matches, outcome, predict, right_shape, use_part, within

begin("01_why_attention")

# %% [markdown]
# ## I saw a saw
#
# You read *saw* twice and never confuse the two. The word does not tell you; its neighbours do. In Chinese, 花钱买花 is
# "spend money, buy flowers": the first 花 means *spend*, the last one *flower*.
#
# Let each word be a vector, and let a layer answer each word **by itself**:

# %% part="demo"
from autograder.lab.tables import table

rng = np.random.default_rng(0)
vector = {word: rng.normal(size=4) / 2 for word in ("I", "saw", "a", "time", "fruit", "flies", "like", "an", "arrow", "banana")}

def read(sentence):
    return np.stack([vector[word] for word in sentence.split()])  # a word is a row

answers = np.tanh(read("I saw a saw") @ rng.normal(size=(4, 4)))
print(table([(word, *answer) for word, answer in zip("I saw a saw".split(), answers.round(3).tolist(), strict=True)], ["word", "", "its", "answer", ""]))

# %% [markdown]
# Rows 2 and 4 are the same, and no training will change that. The word must be told about the others, and there are three ways. In the picture, the **orange** arrows lead
# from the first word to the last output.
#
# - A **recurrent network** (RNN) reads from left to right and carries a *hidden state*, its memory, from step to step. The first word must
#   survive every step.
# - A **convolution** (CNN) looks at a few neighbours, at all places at once. To see farther you stack layers.
# - **Self-attention** lets every place look at every other directly, at all places at once.

# %% part="demo" folded=True
from autograder.lab.figures import Arrow, Box, flow, show

boxes, arrows = {}, []
ways = {"r": {("r1", "s1"), ("s1", "s2"), ("s2", "s3"), ("s3", "s4")}, "c": {("c1", "d2"), ("d2", "e3"), ("e3", "f4")}, "a": {("a1", "b4")}}
for j, (below, word) in enumerate(zip("₁₂₃₄", ("I", "saw", "a", "saw"), strict=True), start=1):
    for left, kind in zip((0, 4.4, 8.8), "rca", strict=True):
        boxes[f"{kind}{j}"] = Box(word, left + j, 0, "grey", "circle")
    boxes[f"s{j}"] = Box(f"h{below}", j, 1, "blue", "circle")
    boxes |= {f"{layer}{j}": Box(" ", 4.4 + j, height, "green", "circle") for height, layer in enumerate("def", start=1)}
    boxes[f"b{j}"] = Box(f"b{below}", 8.8 + j, 1, "purple", "circle")
pairs = [(f"r{j}", f"s{j}") for j in range(1, 5)] + [(f"s{j}", f"s{j + 1}") for j in range(1, 4)]
pairs += [(f"{one}{j}", f"{two}{j + step}") for one, two in ("cd", "de", "ef") for j in range(1, 5) for step in (0, 1) if j + step < 5]
pairs += [(f"a{j}", f"b{i}") for j in range(1, 5) for i in range(1, 5)]
arrows = [Arrow(*pair, colour="orange" if any(pair in way for way in ways.values()) else "plain") for pair in sorted(pairs, key=lambda p: any(p in w for w in ways.values()))]
boxes |= {"R": Box("RNN", 2.5, -0.8, shape="text"), "C": Box("CNN: three layers, windows of width 2", 6.9, -0.8, shape="text"), "A": Box("self-attention", 11.3, -0.8, shape="text")}
show(flow(boxes, arrows), alt="Three layers over the words I saw a saw. RNN: the first word reaches the last hidden state h4 through h1, h2 and h3, one "
     "after the other. CNN with windows of width 2: it reaches the last output through three layers. Self-attention: it reaches b4 in one step.")

# %% [markdown]
# A vector stands to the *left* of its matrix here, $x\,W$. (Hung-yi Lee's lectures write columns, $W x$. Unit 03 turns one into the other.)
#
# ## Part 1 · The recurrent network
#
# One step takes a token $x$, a word's vector, and the state $h$ that the step before left behind, and makes the new state:
#
# $$h' = \tanh(x\,W_x + h\,W_h + b)$$
#
# The state is all that the network remembers. $W_x$ says how the token enters, $W_h$ how the old state does; $b$ is the bias.
# $\tanh$ squashes each number between −1 and 1, so the state cannot grow without limit. The same matrices serve at every step.
#
# **With a pencil.** One number in, two in the state: $x = (2)$, $h = (1, -1)$, $W_x = (0.5,\ 0)$,
# $W_h = \begin{bmatrix}1&1\\2&0.5\end{bmatrix}$, $b = (0,\ 0.1)$. Then $x W_x = (1, 0)$; $h W_h = (1\cdot 1 - 1\cdot 2,\ 1\cdot 1 - 1\cdot 0.5) = (-1,\ 0.5)$;
# the sum with $b$ is $(0,\ 0.6)$, and $h' = (\tanh 0,\ \tanh 0.6) = (0,\ 0.537)$. With $W_h$ on the other side you would get $(0.762,\ 0.922)$. (In NumPy the product is `@`.)

# %% [markdown] exercise="rnn_step" part="prompt" points=5 difficulty=1 minutes=7
# ### Exercise 1 · `rnn_step`
#
# Write one step of the recurrent network: $h' = \tanh(x\,W_x + h\,W_h + b)$. The sum may be large, in the hundreds and thousands: nothing bounds a token's numbers.
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
# An RNN layer calls the step once for each token, each time with the state returned by the previous call. The states are the outputs.
#
# Output $t$ knows about tokens 1 to $t$ only. If an output should know what comes *later* as well, let a second RNN read from right to left, and put both
# states side by side: a **bidirectional RNN**.

# %% part="demo" folded=False
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

x = rng.normal(size=(10, 6)) / 2
print("10 tokens of 6 numbers:", x.shape, "→ RNN", rnn_layer(x).shape, "→ bidirectional RNN", bidirectional_layer(x).shape)

# %% [markdown]
# ## Part 2 · The causal convolution
#
# A convolution slides a small window over the sequence. In the window each place has a matrix of its own; the window's
# tokens, each times its matrix, are summed.
#
# **Causal** means that the window at $t$ ends at $t$, so no output knows the future. At the beginning the window would reach
# beyond the first token. There it finds zeros: the sequence is **padded on the left**.
#
# $$\text{out}_t = \sum_{w=0}^{\text{width}-1} x_{\,t-(\text{width}-1)+w}\;\, \text{kernel}_w, \qquad x_s = 0 \text{ for } s < 0$$
#
# Here $t$ counts from 0, and $\text{kernel}_w$ is a matrix of shape `(d_in, d_out)`. The **last** matrix, $\text{kernel}_{\text{width}-1}$, meets token $t$
# itself; the one before meets token $t-1$, and so on.
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
# ### One word too short
#
# *Time flies like an arrow; fruit flies like a banana.* An old joke: in the first half *like* compares, in the second it says what the flies are fond of. *Time*
# or *fruit* decides.
#
# **Predict first.** A convolution of width 2, with your function, reads the two halves. Do its outputs at *like* differ?

# %% part="demo"
predict("01-flies-like", "A window of width 2: its two outputs at 'like' are ...", choices=("equal", "different"))

# %% part="demo"
convolve = use_part("causal_conv1d")
time_flies, fruit_flies = read("time flies like an arrow"), read("fruit flies like a banana")
apart = {}
for width in (2, 3):
    kernel = rng.normal(size=(width, 4, 4))
    apart[width] = np.abs(convolve(time_flies, kernel)[2] - convolve(fruit_flies, kernel)[2]).max()
    print(f"width {width}: the outputs at 'like' differ by {apart[width]:.3g}")
outcome("01-flies-like", "equal" if apart[2] < 1e-9 else "different")

# %% [markdown]
# A window of width 2 shows *flies like* both times: one word too short. Width 3 sees *time* or *fruit*, and the next sentence will be longer.
#
# ### How far back does a stack see?
#
# One causal layer of width 3 sees a token and the two before it. Put a second layer on top: each of *its* three inputs has seen three
# tokens. How many tokens has its output seen? The windows overlap, so it is fewer than nine. Draw it, and mark what the last output
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
# ### Attention in three lines
#
# No window now. Each token asks every token, itself included: how alike are we? Its output is a weighted mean of all tokens: the more alike, the more weight. Nothing
# is learned yet; units 02 and 03 add what is. Change the first word alone, and stretch the sentence: *time flies flies flies like*.

# %% part="demo"
def attention_layer(x):
    shares = np.exp(x @ x.T)  # (seq, seq): how alike, as positive numbers
    shares = shares / shares.sum(axis=1, keepdims=True)  # each row sums to 1; keepdims keeps it upright, (seq, 1)
    return shares @ x

for flies in (1, 10, 100):
    time_like, fruit_like = (attention_layer(read(f"{first} {'flies ' * flies}like"))[-1] for first in ("time", "fruit"))
    print(f"attention, {flies} × flies: the outputs at 'like' differ by {np.abs(time_like - fruit_like).max():.3g}")

# %% [markdown]
# It hears the first word directly, however far away, though its share shrinks as the sentence grows. Now back to the opening sentence.
#
# **Predict first.** Does this attention tell the two words *saw* in *I saw a saw* apart?

# %% part="demo"
predict("01-two-saws", "Attention over 'I saw a saw': its two outputs at 'saw' are ...", choices=("equal", "different"))

# %% part="demo"
saws, windows = attention_layer(read("I saw a saw")), convolve(read("I saw a saw"), rng.normal(size=(2, 4, 4)))
print(f"attention: the two differ by {np.abs(saws[1] - saws[3]).max():.3g}")
print(f"a window of width 2: by {np.abs(windows[1] - windows[3]).max():.3g}")
outcome("01-two-saws", "equal" if np.allclose(saws[1], saws[3]) else "different")

# %% [markdown]
# It sees everything and does not know where it stands. Both words ask the same question of the same four words, and get the same answer; a humble window,
# which sees *I saw* and *a saw*, does better. Unit 06 writes its place into each word's vector, and that mends it.
#
# ### Who sees whom
#
# Change one token at a time, and look which outputs move. Rows: the token that was changed. Columns:
# the outputs. Blue: it moved. Grey: it stayed.
#
# **Predict first.** Four layers read ten tokens: an RNN, a bidirectional RNN, two causal convolutions of width 3, and
# self-attention. In which pictures is *every* field blue? And what does the convolutions' picture look like?

# %% part="demo"
predict(
    "01-who-sees-all",
    "Every field is blue for ...",
    choices=("self-attention alone", "self-attention and the bidirectional RNN", "all but the convolutions", "all four"),
)

# %% part="demo" folded=True
from autograder.lab.figures import leak_map, panels

kernels = rng.normal(size=(2, 3, 6, 6)) / 3
layers = {"RNN": rnn_layer, "bidirectional RNN": bidirectional_layer, "2 convolutions, width 3": lambda x: convolve(np.tanh(convolve(x, kernels[0])), kernels[1]),
          "self-attention": attention_layer}
figure, axes = panels(2, 2, width=6.4, height=6.6)
seen, full = [], []
for (name, layer), ax in zip(layers.items(), axes.ravel(), strict=True):
    moved = np.zeros((10, 10))
    for token in range(10):
        changed = x.copy()
        changed[token] += 1
        moved[token] = np.abs(layer(changed) - layer(x)).max(axis=1)
    full += [name] * bool((moved > 1e-12).all())
    leak_map(moved > 1e-12, causal=False, ax=ax)
    ax.get_legend().remove()
    ax.set_title(name, loc="left")
    seen.append(f"{name}: {np.count_nonzero(moved > 1e-12)} of 100 fields blue; token 0 {'moves' if moved[0, -1] > 1e-12 else 'does not move'} the last output")
show(figure, alt="Four maps of which outputs (columns) move when a token (row) changes. " + ". ".join(seen) + ".")
print("\n".join(seen))
named = {1: "self-attention alone", 2: "self-attention and the bidirectional RNN", 3: "all but the convolutions", 4: "all four"}
outcome("01-who-sees-all", named[len(full)] if "self-attention" in full else "; ".join(full))

# %% [markdown]
# The recurrent step and the convolution are your own where they have passed; attention is the three lines. Two pictures are full, not one: seeing everything is *not* what
# sets self-attention apart. Part 3 shows what does. The band of the convolutions is as wide as
# their receptive field: count it, and compare with `receptive_field(2, 3)`.
#
# ## Part 3 · How long is the path, and who waits for whom?
#
# An RNN is a row of people who whisper a message into the next one's ear. You know that game, and what the last one hears. A stack of convolutions is a staircase:
# each layer carries a message a few places on. Self-attention is a telephone: any two are one call apart.
#
# **Path length** counts how often a message is handed on between two places (Vaswani and others, 2017, section 4). Each time is a chance to lose it. Training
# sends its corrections back along the same path, multiplied at every step.
#
# | kind | handed on |
# |---|---|
# | `"rnn"` | once for each place: `distance` times |
# | `"cnn"` | the causal stack from above: one layer carries a signal at most $\text{kernel\_size} - 1$ places; as many layers as are needed |
# | `"self_attention"` | every place looks at every other: once |

# %% [markdown] exercise="path_length" part="prompt" points=5 difficulty=2 minutes=8
# ### Exercise 4 · `path_length`
#
# How many steps lie between two places? For `"cnn"` it is the smallest number of layers whose reach is at least the distance: round
# *up*.
#
# | argument | | meaning |
# |---|---|---|
# | `kind` | `"rnn"`, `"cnn"` or `"self_attention"` | the layer; nothing else is asked for |
# | `distance` | a whole number, at least 1, perhaps thousands | places from one token to the other |
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
# The other number is about waiting. In the whispering row, the fourth can't begin before the third is done, however many helpers stand around: step $t$ waits
# for step $t-1$. A convolution's windows and an attention layer's outputs wait for nothing but the inputs; with enough hands, all are worked out in one go. (A bidirectional RNN is
# two rows. They can whisper side by side, but each has as many steps as there are tokens.) **Sequential steps** counts what must happen one after the other within one layer.

# %% [markdown] exercise="sequential_steps" part="prompt" points=5 difficulty=1 minutes=4
# ### Exercise 5 · `sequential_steps`
#
# How many steps must wait for one another when **one layer** of this kind reads a sequence?
#
# | argument | | meaning |
# |---|---|---|
# | `kind` | `"rnn"`, `"cnn"` or `"self_attention"` | the layer; nothing else is asked for |
# | `seq` | a whole number, at least 1, perhaps thousands | tokens in the sequence |
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
# - **RNN in a loop**: your `rnn_step`, if it is written, called from a Python loop;
# - **LSTM**, the best-known recurrent layer, as PyTorch has it: one compiled call, still step by step inside;
# - **convolution** of width 3, and **self-attention**, as PyTorch has them.
#
# **Predict first.** Which is fastest for 64 tokens, and which slowest for 4,096? When the length doubles, by how much does each time grow?

# %% part="demo"
predict(
    "01-slowest",
    "For 4,096 tokens, the slowest is ...",
    choices=("RNN in a loop", "LSTM", "convolution", "self-attention", "two of them, less than 10 % apart"),
)

# %% part="demo" folded=True
import torch
from torch import nn

from autograder.lab.figures import lines
from autograder.lab.timing import compare

torch.manual_seed(0)
width, lengths = 64, (64, 128, 256, 512, 1024, 2048, 4096)
lstm, conv, project = nn.LSTM(width, width), nn.Conv1d(width, width, 3, padding=1), nn.Linear(width, 3 * width)
weights = rng.normal(size=(2, width, width)) / 8

try:  # yours, if it is written; otherwise a library's
    rnn_step(np.zeros(2), np.zeros(3), np.zeros((2, 3)), np.zeros((3, 3)), np.zeros(3))
    loop_step = rnn_step
except Exception:
    loop_step = step
print("The step in the loop is", "yours." if loop_step is not step else "a library's.")

def loop(tokens):
    h, bias = np.zeros(width), np.zeros(width)
    for token in tokens:
        h = loop_step(token, h, *weights, bias)

def attend(tokens):
    return nn.functional.scaled_dot_product_attention(*project(tokens)[None, None].chunk(3, dim=-1))

# %% part="demo" folded=True
@torch.no_grad()
def race(n):
    tokens = torch.randn(n, width)
    columns, array = tokens.T[None].contiguous(), tokens.double().numpy()
    runs = {"RNN in a loop": lambda: loop(array), "LSTM": lambda: lstm(tokens), "convolution": lambda: conv(columns), "self-attention": lambda: attend(tokens)}
    return {name: timing.low for name, timing in compare(runs, repeat=5).timings.items()}  # the fastest of five runs: the least disturbed

threads = torch.get_num_threads()
torch.set_num_threads(1)
times = {n: race(n) for n in lengths}
torch.set_num_threads(threads)
show(lines(lengths, {name: [1e3 * times[n][name] for n in lengths] for name in times[64]}, "tokens", "time (ms)", logx=True, logy=True,
           title="Time of one layer against length, on one core"))
growth = {name: times[4096][name] / times[2048][name] for name in times[64]}
print(table([(name, f"{1e3 * times[64][name]:.2f}", f"{1e3 * times[4096][name]:.1f}", f"{growth[name]:.1f}") for name in growth],
            ["", "64 tokens (ms)", "4,096 tokens (ms)", "growth from 2,048 to 4,096"]))
second, slowest = sorted(times[4096], key=times[4096].get)[-2:]
outcome("01-slowest", slowest if times[4096][slowest] > 1.1 * times[4096][second] else "two of them, less than 10 % apart")

# %% [markdown]
# Where the length doubles, work that grows with $n$ takes about **2** times as long, work that grows with $n^2$ about **4** times.
# (Times wobble, most of all on a busy machine: then run the cell again.)
#
# 1. **The right end, self-attention.** It compares every token with every other: $n^2$ scores. On a CPU that makes a long sequence slow. Does the compiled LSTM overtake it here?
# 2. **The left end.** A short sequence has few scores. Compare self-attention with the two recurrent layers there.
# 3. **The two recurrent lines.** Which is lower on the left, which on the right? Both go step by step, one called from Python, the other compiled (an LSTM's step is about four times the work of
#    a plain one). What a Python loop costs says nothing about recurrence.
#
# So "parallel" does not mean "less work". It means that the work *need not wait*. What is that worth?
#
# ### The same sums, at once or in crumbs
#
# Take 1,024 tokens, each 512 numbers wide, and one matrix. Multiply them **at once**, as a layer can whose tokens do not wait: one product. **One by one**: the same sums,
# a token at a time. **In a chain**: an RNN's state, which must wait for the one before. Each does equally many multiplications and additions.
#
# **Predict first.** How many times as long does the chain take as all at once, on one core?

# %% part="demo"
predict("01-chain", "The chain takes how many times as long, on one core?", unit="times")

# %% part="demo" folded=False
def crumbs(device):
    tokens, matrix = torch.randn(1024, 512, device=device), torch.randn(512, 512, device=device) / 512**0.5

    def chain():
        state = torch.zeros(512, device=device)
        for token in tokens:
            state = torch.tanh(token + state @ matrix)

    ways = {"at once": lambda: torch.tanh(tokens + tokens @ matrix), "one by one": lambda: [torch.tanh(token + token @ matrix) for token in tokens], "in a chain": chain}
    return {name: timing.low for name, timing in compare(ways, repeat=5, device=device).timings.items()}

gpu = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else None
torch.set_num_threads(1)
took = {"one core": crumbs("cpu")} | ({gpu: crumbs(gpu)} if gpu else {})
torch.set_num_threads(threads)
print(table([(where, *(f"{1e3 * seconds:.2f}" for seconds in found.values()), found["in a chain"] / found["at once"]) for where, found in took.items()],
            ["", "at once (ms)", "one by one (ms)", "in a chain (ms)", "chain / at once"]))
chain_costs = took["one core"]["in a chain"] / took["one core"]["at once"]
outcome("01-chain", chain_costs, "times")

# %% [markdown]
# Compare the last two times first. How much does the waiting itself add? The rest is the price of crumbs: for each vector the whole matrix is fetched anew, where one large
# product fetches it for many. A CPU core has few hands to keep busy. A GPU has *thousands*, and a crumb fills few of them:
# if this machine has one, the table's second line shows it; if not, unit 12 comes back to the claim.
#
# ## Experiment 2 · Recall the first token
#
# Now the length of the path. The task could not be simpler: a sequence of random tokens, four kinds of them, and the model has to say at the **last**
# place which token came **first**. Blind guessing is right in 25 % of the cases.
#
# Four small models, 16 numbers wide, all trained in the same way: 150 steps, the same seed, a fresh model for each distance. The CNN has three causal layers of width 3. The
# attention layer gets positions: you know why.
#
# **Predict first.** Use your own functions: at which distance must the CNN fall to guessing, however long it trains? Will the bidirectional RNN do better than the plain one? Who still knows the first token 24 places on?

# %% part="demo"
predict(
    "01-recall",
    "From 24 places away, right in 90 % of the cases:",
    choices=("all four", "both RNNs and self-attention", "the bidirectional RNN and self-attention", "self-attention alone", "others, or none"),
)

# %% part="demo" folded=True
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

# %% part="demo" folded=True
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

torch.set_num_threads(1)  # models as small as these gain nothing from more
distances, kinds = (3, 6, 7, 12, 24), ("RNN", "bidirectional RNN", "CNN, 3 layers", "self-attention")
recall = {kind: [recall_accuracy(kind, distance) for distance in distances] for kind in kinds}
torch.set_num_threads(threads)
show(lines(distances, recall, "distance from the first token to the last (places)", "right answers", percent=True, title="Recalling the first token"))
print(table([(kind, *(f"{100 * share:.0f} %" for share in recall[kind])) for kind in kinds], ["distance", *map(str, distances)]))
far = tuple(kind for kind in kinds if recall[kind][-1] >= 0.9)
sets = {kinds: "all four", (kinds[0], kinds[1], kinds[3]): "both RNNs and self-attention", (kinds[1], kinds[3]): "the bidirectional RNN and self-attention",
        (kinds[3],): "self-attention alone"}
outcome("01-recall", sets.get(far, "others, or none"))

# %% part="demo"
reach = use_part("receptive_field")(3, 3) - 1
path = use_part("path_length")
print(f"Three layers of width 3 reach {reach} places back.")
print(table([(distance, path("rnn", distance), path("cnn", distance), path("self_attention", distance)) for distance in distances],
            ["distance", "rnn", "cnn (layers needed)", "self_attention"]))

# %% [markdown]
# - **The CNN** cannot see farther than its receptive field. Beyond it the answer is a guess, whatever the training; a little above or below 25 % is chance. Within it, training
#   decides. Compare the distances 6 and 7 with the reach that your function gives.
# - **The RNNs** *could* carry the first token any distance. Whether they *learn* to in so few steps is another matter: the correction for the first
#   token must travel back through every step, and, multiplied so often, fades or explodes. Look for the distance at which each gives up.
# - **The bidirectional RNN** has seen everything. But at the last place its backward half has read the last token only; the first comes through the same chain as before.
# - **Self-attention** has a path of one step at every distance. Look whether its line is level.
#
# This is one seed, one size, and few steps. Try: do more `steps` carry an RNN farther, or more layers the CNN?

# %% [markdown]
# ## The end: your table, and the paper's
#
# What you found, in three columns (recurrent: the LSTM's times, the plain RNN's recall); below it what the paper says (Table 1, section 4). There $n$ is the length of the sequence, $d$ the width of its vectors, $k$ the
# width of a kernel. $O(n^2)$ means: grows like $n^2$, constant factors left out.

# %% part="demo" folded=True
steps_of = use_part("sequential_steps")
def farthest(kind):
    right = [distance for distance, share in zip(distances, recall[kind], strict=True) if share >= 0.9]
    return f"{max(right)} of {distances[-1]}" if right else "none"

timed = {"self_attention": "self-attention", "rnn": "LSTM", "cnn": "convolution"}
trained = {"self_attention": "self-attention", "rnn": "RNN", "cnn": "CNN, 3 layers"}
measures = {
    "measured: 64 tokens, one core (ms)": lambda kind: f"{1e3 * times[64][timed[kind]]:.2f}",
    "measured: 4,096 tokens, one core (ms)": lambda kind: f"{1e3 * times[4096][timed[kind]]:.1f}",
    "measured: growth from 2,048 to 4,096": lambda kind: f"{growth[timed[kind]]:.1f}",
    "measured: longest distance recalled (90 % right)": lambda kind: farthest(trained[kind]),
    "computed: steps that wait, 4,096 tokens": lambda kind: steps_of(kind, 4096),
    "computed: path to a place 4,095 further on": lambda kind: path(kind, 4095),
}
table([(name, *(str(measure(kind)) for kind in timed)) for name, measure in measures.items()], ["here", "self-attention", "recurrent", "convolutional"])

# %% [markdown]
# | the paper's Table 1 | self-attention | recurrent | convolutional |
# |---|---|---|---|
# | work in one layer | $O(n^2 \cdot d)$ | $O(n \cdot d^2)$ | $O(k \cdot n \cdot d^2)$ |
# | sequential operations | $O(1)$ | $O(n)$ | $O(1)$ |
# | longest path | $O(1)$ | $O(n)$ | $O(\log_k n)$ |
#
# - **Work.** Self-attention does less than an RNN while $n < d$, and more when $n > d$: the price of attention. Above, $d = 64$, and $n$ goes up to 4,096.
# - **Sequential operations.** Your `sequential_steps` says the same. Only parallel hardware turns this into speed.
# - **Longest path.** The paper's logarithm is for convolutions that skip more and more tokens from layer to layer (dilated). For a stack like yours
#   the paper gives $O(n/k)$ layers, and that is what your `path_length` counts.
#
# ## What you built
#
# - `rnn_step`: a memory that is handed from token to token.
# - `causal_conv1d`: a window that slides over the tokens and never looks ahead. Unit 07 makes attention causal, too.
# - `receptive_field`, `path_length`, `sequential_steps`: three numbers by which layers can be compared on paper.
# - A measured opinion about what attention is good for.

# %% [markdown]
# ## Questions to test yourself
#
# Answer first, then unfold.
#
# <details><summary>1. A friend says: "Self-attention is better since it sees the whole sequence." What do you reply?</summary>
#
# A bidirectional RNN sees the whole sequence, too. What differs is the path: one step for every distance, against as many steps as the tokens are apart; and
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
# No. On few cores the amount of work, and how it is packed, decide; $n^2$ is more work for long sequences. The claim is about steps that wait for each other, and shows on hardware that does
# thousands of things at once.
# </details>

# %% [markdown]
# ## Sources
#
# - Hung-yi Lee (李宏毅), National Taiwan University: *Machine Learning 2019*, lecture "Transformer", and *Machine Learning 2021*, lecture "自注意力機制 (Self-attention) (下)":
#   RNN, CNN and self-attention compared, the bidirectional RNN, and parallel outputs.
# - Vaswani and others, *Attention Is All You Need*, 2017, section 4 and Table 1: work, sequential operations and path lengths.
# - Elman, *Finding Structure in Time*, 1990: the simple recurrent network. Schuster and Paliwal, *Bidirectional Recurrent Neural Networks*, 1997.
# - Bengio, Simard and Frasconi, *Learning Long-Term Dependencies with Gradient Descent is Difficult*, 1994: why signals fade on long paths.
# - van den Oord and others, *WaveNet*, 2016: causal convolutions, and dilated ones.
#
# **Next:** unit 02, attention scores: one output of self-attention, by hand and by code.
