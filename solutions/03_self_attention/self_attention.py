# %% [markdown]
# # 03 · Self-attention: the matrix form
#
# In unit 02 *it* got its output $b^1$. *Purrs*, *all* and *night* still wait for theirs. You could loop over the words. Five matrix products, three that
# make queries, keys and values, and two more, give **all outputs at once**, and that is what a GPU is good at.
#
# At the end of this unit you can
#
# - write self-attention for a whole sequence without a loop,
# - read the lecture's formulas, where tokens are **columns**, and code, where tokens are **rows**, and turn one into
#   the other,
# - handle batches, and queries from another sequence than the keys,
# - say what happens to the outputs when the tokens change places.
#
# **Before this:** unit 02 (`softmax`, one output). **Time:** about 75 minutes; four exercises, 35 points. **Tools:** NumPy.

# %% part="setup"
import numpy as np

from autograder import (
    begin,
    check,
    finite,
    hint,
    keeps_inputs,
    matches,
    outcome,
    permutes_with,
    predict,
    right_shape,
    sums_to_one,
    use_part,
)

softmax = use_part("softmax")  # from unit 02: softmax(x, axis=-1)

begin("03_self_attention")

# %% [markdown]
# ## The idea
#
# Each token asks a question (its **query**), holds up a sign (its **key**), and has something to say (its **value**).
# No token has to wait for another. So put them side by side in one matrix, and let each step be one
# operation on whole matrices:

# %% part="demo" folded=True
from autograder.lab.figures import Arrow, Box, flow, show

boxes = {
    "I": Box("$I$\n($d_{in}$ × n)", 0, 1, "grey"),
    "Q": Box("$Q = W^q I$\n($d_k$ × n)", 1, 2, "blue"),
    "K": Box("$K = W^k I$\n($d_k$ × n)", 1, 1, "blue"),
    "V": Box("$V = W^v I$\n($d_v$ × n)", 1, 0, "orange"),
    "A": Box("$A = K^T Q\\,/\\sqrt{d_k}$\n(n × n)", 2, 1.5, "green"),
    "A_hat": Box("$\\hat{A}$: softmax\nof each column", 3, 1.5, "green"),
    "O": Box("$O = V\\hat{A}$\n($d_v$ × n)", 4, 0, "orange"),
}
arrows = [("I", "Q"), ("I", "K"), ("I", "V"), ("Q", "A"), ("K", "A"), ("A", "A_hat"), ("A_hat", "O"), ("V", "O")]
show(
    flow(boxes, arrows, title="Self-attention in the lecture's letters: one column a token"),
    alt="Flow diagram. The inputs I give Q, K and V by one matrix each. Q and K give the scores A, A gives the "
    "weights A-hat by a softmax of each column, and V and A-hat give the outputs O.",
)

# %% [markdown]
# ## The formulas
#
# This is the lecture's notation. **A token is a column.** The inputs stand side by side, $I = [\,a^1\; a^2 \cdots a^n\,]$.
#
# $$Q = W^q I \qquad K = W^k I \qquad V = W^v I$$
#
# $$A = \frac{K^\top Q}{\sqrt{d_k}} \qquad \hat A = \text{softmax of each column of } A \qquad O = V \hat A$$
#
# | symbol | column $i$ holds | shape |
# |---|---|---|
# | $I$ | token $a^i$ | $(d_\text{in}, n)$ |
# | $Q, K$ | query $q^i$, key $k^i$ | $(d_k, n)$ |
# | $V$ | value $v^i$ | $(d_v, n)$ |
# | $A$ | scores: $A_{j,i}$ compares **key $j$** with **query $i$** | $(n, n)$ |
# | $\hat A$ | weights of query $i$; they sum to 1 | $(n, n)$ |
# | $O$ | output $b^i$ | $(d_v, n)$ |
#
# So $A_{j,i}$ is what unit 02 called the scaled score $s_{i,j}$, and $\hat A_{j,i}$ the weight $\alpha_{i,j}$. (The 2021 lecture writes $A'$ for $\hat A$, and first shows the scores without $\sqrt{d_k}$.)

# %% [markdown]
# ## Four words in numbers
#
# *It purrs all night*, with the matrices of unit 02. Each word is a column now:
#
# $$I = \begin{bmatrix} 1&0&0&0\\ 0&1&0&0\\ 0&1&0&0\\ 0&0&0&1\\ 0&0&1&0 \end{bmatrix} \quad
# Q = \begin{bmatrix} 1&1&0&0\\ 2&0&0&1\\ -1&1&2&0\\ 0&0&1&2 \end{bmatrix} \quad
# K = \begin{bmatrix} 2&0&0&0\\ 0&2&0&0\\ 0&0&0&2\\ 0&0&1&0 \end{bmatrix} \quad
# K^\top Q = \begin{bmatrix} 2&2&0&0\\ 4&0&0&2\\ 0&0&1&2\\ -2&2&4&0 \end{bmatrix}$$
#
# Read the first **column** of $K^\top Q$ from top to bottom: $2, 4, 0, -2$, the four scores of *it*. Divide by $\sqrt 4$, take the softmax, and you have its
# weights: $0.237,\ 0.644,\ 0.087,\ 0.032$. The next columns do the same for *purrs*, *all* and *night*.

# %%
inputs = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
W_q = np.array([[1.0, 1, 0, 0, 0], [2, 0, 0, 1, 0], [-1, 1, 0, 0, 2], [0, 0, 0, 2, 1]])
W_k = np.array([[2.0, 0, 0, 0, 0], [0, 2, 0, 0, 0], [0, 0, 0, 2, 0], [0, 0, 0, 0, 1]])
W_v = np.array([[1.0, 1, 1, 0, 0], [1, 1, -1, 0, 0], [0, 0, 0, 2, 1]])
print("inputs: 4 words as columns, each with 5 numbers", inputs.shape)

# %% [markdown] exercise="self_attention_columns" part="prompt" points=10 difficulty=2 minutes=15 returns="O A_hat" forbids="scaled_dot_product_attention" time_limit=20
# ## Exercise 1 · `self_attention_columns`
#
# Write the lecture's formulas for a whole sequence. One formula becomes one line; no loop is needed. Your `softmax` is
# allowed; a library's finished attention, such as PyTorch's `scaled_dot_product_attention`, is not.
#
# $$A = \frac{(W^k I)^\top (W^q I)}{\sqrt{d_k}} \qquad \hat A = \text{softmax of each column of } A \qquad O = (W^v I)\, \hat A$$
#
# Return the outputs $O$ and the weights $\hat A$, in this order. Mind two things: along which axis the weights sum
# to 1, and which number $d_k$ is when $n$, $d_\text{in}$, $d_k$ and $d_v$ all differ.

# %% exercise="self_attention_columns" part="solution"
def self_attention_columns(
    inputs: np.ndarray, W_q: np.ndarray, W_k: np.ndarray, W_v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Self-attention as the lecture writes it: a token is a column.

    inputs:   (d_in, n)
    W_q, W_k: (d_k, d_in)
    W_v:      (d_v, d_in)
    returns:  O (d_v, n), and A_hat (n, n), whose column i holds the weights of query i
    """
    ### BEGIN SOLUTION
    Q = W_q @ inputs
    K = W_k @ inputs
    V = W_v @ inputs
    A = K.T @ Q / np.sqrt(K.shape[0])
    A_hat = softmax(A, axis=0)
    output = V @ A_hat
    return output, A_hat
    ### END SOLUTION

# %% exercise="self_attention_columns" part="check"
check(
    self_attention_columns,
    keeps_inputs,
    right_shape,
    finite,
    sums_to_one(0, "A_hat"),
    permutes_with("inputs", axis=1, O=1, A_hat=(0, 1)),
    matches,
)

# %% [markdown] exercise="self_attention_columns" part="hints"
# - Write the shape beside each matrix, in the order of the formula: `(n, d_k)` times `(d_k, n)` gives `(n, n)`. In NumPy
#   the matrix product is `@`, and `.T` is the transpose.
# - The first axis (0) of A counts keys, the second counts queries. The weights of one query sum to 1 over the keys.
#   Which axis does `softmax` run along?
# - `d_k` is the length of one key: one of the two numbers in the shape of K. Which one, when a key is a column?

# %% [markdown]
# Now let your function (or, until it passes, the course's own) work on the four words. Compare the first column of
# $\hat A$ with the numbers above, and of $O$ with the cat from unit 02. What has *night* become?

# %% part="demo"
attention_columns = use_part("self_attention_columns")
outputs, A_hat = attention_columns(inputs, W_q, W_k, W_v)
print("A_hat, column i = weights of query i:\n", A_hat.round(3))
print("sums of its columns:", A_hat.sum(axis=0).round(3))
print("O, column i = output i:\n", outputs.round(3))

# %% [markdown]
# ## Rows: how code writes it
#
# Code lays the same tokens out as **rows**: `x[i]` is token $i$. PyTorch does, most papers do, and so does this course
# from here on. No number changes, only where it stands: each matrix is transposed, and by
#
# $$(AB)^\top = B^\top A^\top$$
#
# the factors of each product change places. That is the whole dictionary:
#
# | | lecture: a token is a **column** | code: a token is a **row** |
# |---|---|---|
# | tokens | $I$, $(d_\text{in}, n)$ | $x = I^\top$, $(n, d_\text{in})$ |
# | learned matrices | $W^q$, $(d_k, d_\text{in})$ | $W_q = (W^q)^\top$, $(d_\text{in}, d_k)$ |
# | queries | $Q = W^q I$ | $Q = x\,W_q$ |
# | scores | $A = K^\top Q / \sqrt{d_k}$ | $S = Q K^\top / \sqrt{d_k}$ |
# | entry | $A_{j,i}$: key $j$, query $i$ | $S_{i,j}$: query $i$, key $j$ |
# | softmax | $\hat A$: down each column, `axis=0` | weights: along each row, `axis=-1` |
# | outputs | $O = V \hat A$ | $O = \text{weights}\; V$ |
# | output $b^i$ | column $i$ of $O$ | row $i$ of $O$ |
#
# **The trap is in the middle.** $K^\top Q$ and $QK^\top$ look like a choice of taste. They are not: mix a formula of one
# column with the data of the other, and where shapes happen to fit, as here with four words and keys of length 4, no error will tell you.
#
# <details><summary>In the lecture's convention, what does row 2 of Â hold?</summary>
#
# The weights that key 2 gets from all queries. They need not sum to 1: the columns do.
# </details>

# %% [markdown] exercise="to_row_convention" part="prompt" points=5 difficulty=1 minutes=5 returns="x W_q W_k W_v"
# ## Exercise 2 · `to_row_convention`
#
# Take the four arguments of the column form, and return what the row form needs, in the order `x, W_q, W_k, W_v`.
# The table's first two lines say what becomes of each.

# %% exercise="to_row_convention" part="solution"
def to_row_convention(
    inputs: np.ndarray, W_q: np.ndarray, W_k: np.ndarray, W_v: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The arguments of the column form as arguments of the row form.

    inputs:   (d_in, n), a token is a column
    W_q, W_k: (d_k, d_in)
    W_v:      (d_v, d_in)
    returns:  x (n, d_in), W_q (d_in, d_k), W_k (d_in, d_k), W_v (d_in, d_v)
    """
    ### BEGIN SOLUTION
    return inputs.T, W_q.T, W_k.T, W_v.T
    ### END SOLUTION

# %% exercise="to_row_convention" part="check"
check(to_row_convention, keeps_inputs, right_shape, matches)

# %% [markdown] exercise="to_row_convention" part="hints"
# - Compare the shapes in the docstring: what happens to the two sizes of each matrix?
# - Swapping the two sizes is not enough: number [r, c] must go to [c, r]. A reshape does not do that.

# %% [markdown] exercise="self_attention" part="prompt" points=10 difficulty=2 minutes=15 returns="output weights" forbids="scaled_dot_product_attention" time_limit=20
# ## Exercise 3 · `self_attention`
#
# Now the row form, the one you will use from here on. Tokens are rows, and there is no batch yet. Again your `softmax` is allowed, and a library's
# finished attention is not.
#
# $$Q = x W_q \qquad K = x W_k \qquad V = x W_v \qquad
# \text{weights} = \text{softmax of each row of } \frac{Q K^\top}{\sqrt{d}} \qquad \text{output} = \text{weights}\; V$$
#
# $d$ is the length of a query and of a key. Here all three matrices have the shape $(d_\text{in}, d)$. Call them
# `query`, `key` and `value` in your code: the capital letters of the formula are the same three.

# %% exercise="self_attention" part="solution"
def self_attention(
    x: np.ndarray, W_q: np.ndarray, W_k: np.ndarray, W_v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Self-attention as code writes it: a token is a row.

    x:             (seq, d_in)
    W_q, W_k, W_v: (d_in, d)
    returns:       output (seq, d), and weights (seq, seq), whose row i holds the weights of query i
    """
    ### BEGIN SOLUTION
    query = x @ W_q
    key = x @ W_k
    value = x @ W_v
    scores = query @ key.T / np.sqrt(key.shape[1])
    weights = softmax(scores, axis=-1)
    output = weights @ value
    return output, weights
    ### END SOLUTION

# %% exercise="self_attention" part="check"
check(
    self_attention,
    keeps_inputs,
    right_shape,
    finite,
    sums_to_one(-1, "weights"),
    permutes_with("x", axis=0, output=0, weights=(0, 1)),
    matches,
)

# %% [markdown] exercise="self_attention" part="hints"
# - Go down the right-hand column of the table, one line of code for each line.
# - A query is a row of `query`, a key is a row of `key`. To compare each row with each row, one of the two is transposed.
#   The result counts queries along axis 0 and keys along axis 1.
# - Weights belong to a query: which axis of the scores do they sum to 1 along, and how long is one key?

# %% [markdown]
# ## One operation for all uses
#
# Look at your function once more. After the three projections it never looks at `x` again: it needs a query matrix, a
# key matrix and a value matrix, and does not care where they come from. So take the projections out. What is left is
# the operation that the paper calls **scaled dot-product attention**:
#
# $$\text{Attention}(Q, K, V) = \text{softmax}\!\left(\frac{Q K^\top}{\sqrt{d_k}}\right) V$$
#
# That buys three freedoms.
#
# - Queries may come from **another sequence** than keys and values, of another length: $n_q \ne n_k$. A translator's
#   decoder asks the source sentence in this way (unit 09).
# - Values may have **another length** than keys: $d_v \ne d_k$.
# - Everything may carry **leading axes**: a batch of sentences, and later several heads. Each item is computed by itself.

# %% [markdown] exercise="scaled_dot_product_attention" part="prompt" points=10 difficulty=3 minutes=20 returns="output weights" forbids="scaled_dot_product_attention" time_limit=20
# ## Exercise 4 · `scaled_dot_product_attention`
#
# Write it for arrays with **any** number of leading axes: none, one (a batch), two (a batch of heads) or more. All three
# arguments have the same leading axes; `...` stands for them.
#
# | | shape |
# |---|---|
# | `query` | `(..., seq_q, d_k)` |
# | `key` | `(..., seq_k, d_k)` |
# | `value` | `(..., seq_k, d_v)` |
# | `output` | `(..., seq_q, d_v)` |
# | `weights` | `(..., seq_q, seq_k)`, each row sums to 1 |
#
# Your `softmax` is allowed; a library's finished attention, such as PyTorch's function of the same name, is not.
#
# No loop over the batch is needed: `@` multiplies the last two axes and keeps the others, and `np.swapaxes` exchanges any two. Count axes from the end,
# and ask of each line: does it still do what I mean when two axes stand in front?

# %% exercise="scaled_dot_product_attention" part="solution"
def scaled_dot_product_attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Attention of queries to keys, with any leading axes.

    query:   (..., seq_q, d_k)
    key:     (..., seq_k, d_k)
    value:   (..., seq_k, d_v)
    returns: output (..., seq_q, d_v), and weights (..., seq_q, seq_k)
    """
    ### BEGIN SOLUTION
    scores = query @ np.swapaxes(key, -2, -1) / np.sqrt(key.shape[-1])
    weights = softmax(scores, axis=-1)
    output = weights @ value
    return output, weights
    ### END SOLUTION

# %% exercise="scaled_dot_product_attention" part="check"
check(
    scaled_dot_product_attention,
    keeps_inputs,
    right_shape,
    finite,
    sums_to_one(-1, "weights"),
    permutes_with("key", "value", axis=-2, weights=-1),
    matches,
)

# %% [markdown] exercise="scaled_dot_product_attention" part="hints"
# - Start from exercise 3 without its projections. For arrays with two axes it is nearly done.
# - `.T` reverses **all** axes: (batch, seq_k, d_k) becomes (d_k, seq_k, batch). You want to exchange the last two only:
#   `np.swapaxes` takes an array and two axes, and axes may be counted from the end.
# - An axis counted from the front means something else as soon as a batch stands there. Check the axis of the softmax and
#   the place in `shape` where you read `d_k`.

# %% [markdown]
# ## Experiment 1 · A loop against the matrix form
#
# Three ways to the same outputs, on tokens and keys of length 64:
#
# - **one by one**: `attend_one` from unit 02, once for each token. It computes all keys and values anew each time;
# - **one query at a time**: keys and values once, then attention for one query after the other;
# - **the matrix form**: all queries at once.
#
# **Predict first.** How many times as long do the two loops take at 16 tokens, and at 256? As $n$ grows, does the
# ratio grow with it, level off, or shrink? The cell asks for one of these numbers.

# %% part="demo"
predict("03-one-by-one", "For 256 tokens, 'one by one' takes how many times as long as the matrix form?", unit="times")

# %% part="demo" folded=True
import torch

from autograder.lab.timing import compare

torch.set_num_threads(1)  # one core for all three, so that the curves can be compared
attend_one, attention = use_part("attend_one"), use_part("scaled_dot_product_attention")
lengths, ratios = (4, 8, 16, 32, 64, 128, 256), {"one by one": [], "one query at a time": []}
rng = np.random.default_rng(0)
for n in lengths:
    x, (q_matrix, k_matrix, v_matrix) = rng.normal(size=(n, 64)), rng.normal(size=(3, 64, 64)) / 8
    query, key, value = np.split(x @ np.concatenate([q_matrix.T, k_matrix.T, v_matrix.T], axis=1), 3, axis=1)
    measured = compare(
        {
            "matrix form": lambda: attention(query, key, value),
            "one by one": lambda: [attend_one(i, x, q_matrix, k_matrix, v_matrix) for i in range(n)],
            "one query at a time": lambda: [attention(query[i : i + 1], key, value) for i in range(n)],
        },
        repeat=9,
    )
    for name in ratios:
        ratios[name].append(measured.timings[name].low / measured.timings["matrix form"].low)
print(f"{lengths[-1]} tokens:")
measured

# %% part="demo"
from autograder.lab.figures import lines

show(lines(lengths, ratios, "tokens n", "times as long as the matrix form", logx=True, title="What a loop costs"))
outcome("03-one-by-one", ratios["one by one"][-1], "times")

# %% [markdown]
# All three give the same outputs, and the last two even do the same sums. What you see is the cost of asking $n$ times.
# Every call from Python has a fixed price, whatever it computes, and a loop pays it once a token.
#
# Does the lower curve rise for ever? With few tokens the calls themselves take the time. With many, the arithmetic does:
# $n^2$ scores and $n^2$ exponentials, and the matrix form cannot skip them. The other loop has a second handicap: its keys
# and values are computed $n$ times over. (The curves compare the fastest of nine runs, which other programs disturb least.)

# %% [markdown]
# ## Experiment 2 · Shuffle the tokens
#
# *Dog bites man* is no news. *Man bites dog* is. Compute the outputs of five words, let dog and man change places, and compute again.
#
# **Predict first.** Compared with the first outputs, are the outputs of the shuffled tokens
#
# - (a) the same, in the same order,
# - (b) the same five vectors, shuffled in the same way,
# - (c) five other vectors?
#
# For comparison the cell does the same with a running mean, in which output $i$ is the mean of tokens $1$ to $i$.

# %% part="demo"
predict(
    "03-shuffled",
    "The outputs of the shuffled tokens are ...",
    choices=("(a) the same, in the same order", "(b) the same five, shuffled in the same way", "(c) five other vectors"),
)

# %% part="demo" folded=False
words = ["dog", "bites", "man", "at", "noon"]
rng = np.random.default_rng(3)
x, (W_query, W_key, W_value) = rng.normal(size=(5, 6)), rng.normal(size=(3, 6, 6)) / 2
order = np.array([2, 1, 0, 3, 4])
attend = use_part("self_attention")
output, weights = attend(x, W_query, W_key, W_value)
shuffled_output, shuffled_weights = attend(x[order], W_query, W_key, W_value)


def running_mean(tokens):
    return np.cumsum(tokens, axis=0) / np.arange(1, len(tokens) + 1)[:, None]


print("largest difference between the outputs of the shuffled tokens and ...")
print(f"  (a) the first outputs:           {np.abs(shuffled_output - output).max():.2g}")
print(f"  (b) the first outputs, shuffled: {np.abs(shuffled_output - output[order]).max():.2g}")
print(f"  (b) for the running mean:        {np.abs(running_mean(x[order]) - running_mean(x)[order]).max():.2g}")
same, moved_along = np.allclose(shuffled_output, output), np.allclose(shuffled_output, output[order])
outcome("03-shuffled", "(a) the same, in the same order" if same else "(b) the same five, shuffled in the same way" if moved_along else "(c) five other vectors")

# %% part="demo" folded=True
from autograder.lab.figures import attention_map, panels

figure, axes = panels(1, 2, width=9.2, height=3.6)
new_words = [words[i] for i in order]
attention_map(weights, words, words, title="first order", ax=axes[0, 0])
attention_map(shuffled_weights, new_words, new_words, title="shuffled", ax=axes[0, 1])
show(figure, alt="Two heat maps of attention weights, five words by five words. The second has the words in another order; "
     "the weight between any two words is the same in both.")

# %% [markdown]
# Pick a word and one of its weights on the left, and find the same pair on the right.
#
# The answer is (b), up to rounding. A score compares two tokens and knows nothing of their places; the weighted sum adds
# its terms in any order. If $P$ is a matrix that reorders rows, then
#
# $$\text{attention}(P x) = P\, \text{attention}(x)$$
#
# This is called **permutation equivariance** (Lee et al., 2019). It has two sides. Distance costs nothing: the first
# token reaches the last one in one step. But the layer does not know who bit whom: it would print *man bites dog* and never notice.
# Whatever a word should know of its place must be put into its vector: that is unit 06.
#
# <details><summary>You reorder keys and values in the same way, and leave the queries alone. What happens to the output?</summary>
#
# Nothing. The weights' columns follow the keys, and the sum runs over the same terms in another order.
# </details>

# %% [markdown]
# ## The same numbers four ways
#
# Back to the four words. Column form, row form, a loop with `attend_one`, each yours where it has passed, and PyTorch's own operator:
# the first output $b^1$ from each, and the largest difference from the column form over all outputs.

# %% part="demo" folded=False
import torch.nn.functional as F

from autograder.lab.tables import table

x, *row_matrices = use_part("to_row_convention")(inputs, W_q, W_k, W_v)
tokens, *matrices = map(torch.from_numpy, (inputs.T.copy(), W_q, W_k, W_v))
projected = [F.linear(tokens, matrix) for matrix in matrices]
four = {
    "columns": attention_columns(inputs, W_q, W_k, W_v)[0].T,
    "rows": attention(*[x @ matrix for matrix in row_matrices])[0],
    "loop over queries": np.array([attend_one(i, x, W_q, W_k, W_v) for i in range(4)]),
    "PyTorch": F.scaled_dot_product_attention(*projected).numpy(),
}
table(
    [(name, str(outputs[0].round(4)), f"{np.abs(outputs - four['columns']).max():.1g}") for name, outputs in four.items()],
    ["way", "first output", "largest difference"],
)

# %% [markdown]
# Four ways, one result, up to rounding. Did you notice `F.linear`? PyTorch's linear layer takes tokens as rows, but keeps its matrix
# as the lecture does, $(d_\text{out}, d_\text{in})$, and computes $x W^\top$. You will meet both habits. The shapes tell you
# which one you are looking at, as long as no two sizes are equal.
#
# ## What you built
#
# - Self-attention for a whole sequence, in the lecture's columns and in rows, and the way from one to the other.
# - **Scaled dot-product attention** for any leading axes, with queries from one sequence and keys from another. Multi-head
#   attention, masks, the encoder and the decoder all stand on this one function.
# - Two measured facts: what a loop costs on your machine, and that order does not reach this layer.
#
# ## Test yourself
#
# <details><summary>1. There are 3 queries and 7 keys, with d_k = 4 and d_v = 6, in rows. Which shapes do the weights and the output have?</summary>
#
# (3, 7) and (3, 6): one row for each query in both. The number of keys is summed away.
# </details>
#
# <details><summary>2. Someone computes softmax(QKᵀ/√d) along axis 0 for a single sequence. Shapes fit and no error comes. How can you notice?</summary>
#
# The rows of the weights do not sum to 1, the columns do. A key then shares itself out among the queries, where a query
# should share itself out among the keys.
# </details>
#
# <details><summary>3. The scores of a sequence take n² numbers. How much more is that for twice as many tokens?</summary>
#
# Four times as much, in memory and in arithmetic. Unit 12 looks at what can be done about it.
# </details>
#
# ## Sources
#
# - Hung-yi Lee (李宏毅), *Machine Learning 2021*, lecture "Self-attention" (自注意力機制), parts 1 and 2: the matrix form
#   with tokens as columns.
# - Vaswani et al., *Attention Is All You Need*, 2017, section 3.2.1: scaled dot-product attention, with tokens as rows.
# - Lee et al., *Set Transformer*, 2019, section 3: attention without positions is permutation equivariant.
# - PyTorch documentation, `torch.nn.functional.scaled_dot_product_attention` and `torch.nn.Linear`: shapes and conventions.
#
# **Next:** unit 04 goes through the same operation backwards: the gradients of attention, by hand.
