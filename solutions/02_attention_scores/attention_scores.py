# %% [markdown]
# # 02 · Attention scores: one output, b¹
#
# Four vectors go in, $a^1$ to $a^4$. One vector comes out, $b^1$, and it knows about all four. In this unit you build
# that one output yourself, from nothing but NumPy: first with a pencil, then as code.
#
# **When you are done, you can**
#
# - turn any scores into weights with a softmax that never overflows;
# - compute how relevant one vector is to another in two ways, by a dot product and by a small network;
# - say why the dot product is divided by $\sqrt{d_k}$, and show what happens without it;
# - compute one output of self-attention, by hand and by code.
#
# **Time** about 75 minutes; five exercises, 30 points. **You need** unit 00 (shapes and axes), a matrix times a vector,
# and the exponential function. Unit 01 says why attention is worth the trouble.

# %% part="setup"
import numpy as np

from autograder import (
    begin,
    between_values,
    check,
    finite,
    hears_every_row,
    hint,
    keeps_inputs,
    matches,
    right_shape,
    sums_to_one,
    use_part,
)

begin("02_attention_scores")

# %% [markdown]
# ## The idea
#
# Read "The cat sat down because **it** was tired". Which word tells you what *it* is? You look around the sentence, give
# *cat* much of your attention and *down* very little, and keep the sum of what you saw. Attention does the same with
# numbers. Each word is a vector $a^j$. To get the new vector $b^1$ for the first one:
#
# 1. **Ask.** Make a *query* $q^1$ from $a^1$: what the first vector is looking for.
# 2. **Offer.** Make a *key* $k^j$ from each vector: what it can be found by. And a *value* $v^j$: what it gives.
# 3. **Compare.** The query and each key give one number, the *score*: how relevant vector $j$ is to vector 1.
# 4. **Share out.** Softmax turns the scores into *weights*: positive numbers that sum to 1.
# 5. **Collect.** $b^1$ is the sum of the values, each times its weight.
#
# Read the picture from the bottom up. The first vector also compares itself with itself: its own key and value take part.

# %% part="demo"
from autograder.lab.figures import Box, flow, show

boxes = {"q": Box("q¹", -0.4, 1.3, "orange"), "softmax": Box("softmax", 4.55, 3.5, "grey"), "b": Box("b¹", 4.55, 5.4, "green")}
arrows = [("a1", "q")]
for j in (1, 2, 3, 4):
    above, below, x = "⁰¹²³⁴"[j], "₀₁₂₃₄"[j], 2 * j - 1.2
    boxes |= {f"a{j}": Box(f"a{above}", x + 0.4, 0), f"k{j}": Box(f"k{above}", x, 1, "blue"), f"v{j}": Box(f"v{above}", x + 0.85, 1, "green")}
    boxes |= {f"s{j}": Box(f"score {j}", x, 2.5), f"x{j}": Box("×", x + 0.85, 4.5, shape="circle")}
    arrows += [(f"a{j}", f"k{j}"), (f"a{j}", f"v{j}"), (f"k{j}", f"s{j}"), ("q", f"s{j}"), (f"s{j}", "softmax")]
    arrows += [("softmax", f"x{j}", f"w{below}"), (f"v{j}", f"x{j}"), (f"x{j}", "b")]
show(flow(boxes, arrows), alt="From the bottom up: a1 gives the query q1; each of a1 to a4 gives a key and a value. The query and "
     "each key give a score; softmax turns the four scores into four weights; each value is multiplied by its weight; the sum is b1.")

# %% [markdown]
# ### Three words and their shapes
#
# | symbol | name | made by | shape |
# |---|---|---|---|
# | $a^j$ | input vector $j$ | given | `(d_in,)` |
# | $q^i = W_q\,a^i$ | query: what $a^i$ looks for | $W_q$ of shape `(d_k, d_in)` | `(d_k,)` |
# | $k^j = W_k\,a^j$ | key: what $a^j$ is found by | $W_k$ of shape `(d_k, d_in)` | `(d_k,)` |
# | $v^j = W_v\,a^j$ | value: what $a^j$ gives | $W_v$ of shape `(d_v, d_in)` | `(d_v,)` |
# | $\alpha_{i,j}$ | score of key $j$ for query $i$ | $q^i$ and $k^j$ | a number |
#
# **The key $k$ is a vector, not a number.** You may read elsewhere that $k$ is "the number" to be matched. It is
# a matrix times a vector, so it is a vector, as long as the query. Only when query and key *meet* does one number come out: the
# score $\alpha$. If you ever find a key of shape `()`, something was summed too early.
#
# The three matrices are what is learned. They are the same for all the vectors: one $W_q$, one $W_k$, one $W_v$.
#
# A word on notation: the lecture writes vectors as columns and the matrix on the left, $q = W_q a$, and so does this unit.
# In code the four vectors are the *rows* of one array `a` of shape `(n, d_in)`; `a[0]` is $a^1$, since Python counts from
# 0. Unit 03 shows both ways of writing and how to turn one into the other.

# %% [markdown]
# ## Part 1 · From scores to weights
#
# Suppose the four scores are $(1, 2, 0, -1)$. How much of each value goes into $b^1$? The weights should be positive, sum
# to 1, and grow with the score. Softmax does all three:
#
# $$w_j = \mathrm{softmax}(s)_j = \frac{e^{s_j}}{\sum_{m=1}^{n} e^{s_m}}$$
#
# Here $s_j$ is the score of key $j$, $w_j$ its weight, $n$ the number of keys. With a pencil:
#
# | | key 1 | key 2 | key 3 | key 4 | sum |
# |---|---|---|---|---|---|
# | score $s_j$ | 1 | 2 | 0 | −1 | |
# | $e^{s_j}$ | 2.718 | 7.389 | 1 | 0.368 | 11.475 |
# | weight $w_j$ | 0.237 | 0.644 | 0.087 | 0.032 | 1 |
#
# Keep these four weights. They come back at the end of the unit.
#
# (Is softmax the only way? No. The lecture says that you may put something else here, such as ReLU. Softmax is the most
# usual choice, and the one of the Transformer.)

# %% [markdown]
# ### Where it breaks
#
# The formula is right on paper. In a computer, $e^s$ soon becomes too large for a float: run the cell.

# %% part="demo"
with np.errstate(over="ignore", invalid="ignore"):
    print("e^709 =", np.exp(709.0))
    print("e^710 =", np.exp(710.0))
    print("infinity / infinity =", np.float64(np.inf) / np.inf)

# %% [markdown]
# The way out: **subtract the same number $c$ from all the scores**. Nothing changes, since $e^{s-c} = e^{s} / e^{c}$ and the
# factor $1/e^{c}$ stands above and below the fraction line. Choose $c$ well and no exponent is ever above 0. What then
# becomes too *small* for a float is rounded to 0, and that does no harm: such a key has no weight worth the name.

# %% [markdown] exercise="softmax" part="prompt" points=5 difficulty=2 minutes=10 forbids="softmax"
# ### Exercise 1 · `softmax`
#
# Turn scores into weights: along `axis`, positive numbers that sum to 1.
#
# $$w_j = \frac{e^{s_j - c}}{\sum_m e^{s_m - c}}$$
#
# with a $c$ of your choice for each slice along `axis`. The check tries scores that are hundreds and thousands apart,
# far above zero and far below it. Write it with NumPy: a library's own softmax would do the whole exercise and is not allowed.
#
# | argument | shape | meaning |
# |---|---|---|
# | `x` | any | the scores |
# | `axis` | a whole number | the axis along which the weights sum to 1; the last one unless told |
# | returns | like `x` | the weights |

# %% exercise="softmax" part="solution"
def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Weights from scores.

    x:       scores, any shape
    axis:    the axis along which the weights sum to 1
    returns: like x
    """
    ### BEGIN SOLUTION
    shifted = x - np.max(x, axis=axis, keepdims=True)
    exponentials = np.exp(shifted)
    return exponentials / np.sum(exponentials, axis=axis, keepdims=True)
    ### END SOLUTION

# %% exercise="softmax" part="check"
check(softmax, keeps_inputs, right_shape, finite, sums_to_one("axis"), matches)

# %% [markdown] exercise="softmax" part="hints"
# - Subtracting the same number from all scores along the axis changes no weight. Which number makes every exponent
#   at most 0, and at least one of them exactly 0?
# - Each slice along the axis needs a number of its own: one row may be around 0 and the next one around −800.
# - `np.max` and `np.sum` take `axis=` and `keepdims=True`; with the latter their result lines up with `x` again.

# %% [markdown]
# ### What softmax does with large scores
#
# **Predict first.** Take the scores $(1, 2, 0, -1)$ and multiply them all by 4. Do the weights stay the same, since the
# *ratios* of the scores have not changed? And what if you multiply them by 0.25?

# %% part="demo"
from autograder.lab.tables import table

softmax_part = use_part("softmax")
print(table([(factor, *softmax_part(factor * np.array([1.0, 2.0, 0.0, -1.0])).round(3).tolist()) for factor in (0.25, 1, 4)],
            ["factor", "key 1", "key 2", "key 3", "key 4"]))

# %% [markdown]
# Softmax looks at *differences* of scores, not at ratios. Larger scores make larger differences, and one key takes nearly
# everything; small scores make the weights nearly equal. So the **size** of the scores decides how sharp the attention is.
# Remember that for part 3.

# %% [markdown]
# ## Part 2 · Where the scores come from
#
# Now the example in full. Four input vectors of two numbers each, and small matrices:
#
# $$a^1 = \begin{bmatrix}1\\1\end{bmatrix},\;
#   a^2 = \begin{bmatrix}2\\0\end{bmatrix},\;
#   a^3 = \begin{bmatrix}0\\1\end{bmatrix},\;
#   a^4 = \begin{bmatrix}-1\\2\end{bmatrix},
#   \qquad
#   W_q = \begin{bmatrix}1&0\\0&1\\1&1\\1&-1\end{bmatrix},\;
#   W_k = \begin{bmatrix}0&1\\0&-1\\1&0\\1&1\end{bmatrix}$$
#
# So $d_{in} = 2$ and $d_k = 4$. (There are four vectors and four numbers in a key. That is chance; the checks use other
# sizes.) Query 1 and the four keys, a matrix times a vector each:
#
# $$q^1 = W_q\,a^1 = \begin{bmatrix}1\\1\\2\\0\end{bmatrix},\qquad
#   k^1 = \begin{bmatrix}1\\-1\\1\\2\end{bmatrix},\;
#   k^2 = \begin{bmatrix}0\\0\\2\\2\end{bmatrix},\;
#   k^3 = \begin{bmatrix}1\\-1\\0\\1\end{bmatrix},\;
#   k^4 = \begin{bmatrix}2\\-2\\-1\\1\end{bmatrix}$$
#
# Check one of them with a pencil before you go on: $k^4 = W_k a^4$.

# %% part="demo"
a = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 1.0], [-1.0, 2.0]])  # (4, 2): a[0] is a¹
W_q = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0]])  # (4, 2)
W_k = np.array([[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [1.0, 1.0]])  # (4, 2)
print("a:", a.shape, " W_q:", W_q.shape, " W_k:", W_k.shape)

# %% [markdown]
# ### The first way: a dot product
#
# Multiply query and key number by number, and sum:
#
# $$\alpha_{1,1} = q^1 \cdot k^1 = 1\cdot 1 + 1\cdot(-1) + 2\cdot 1 + 0\cdot 2 = 2$$
#
# In the same way $\alpha_{1,2} = 4$, $\alpha_{1,3} = 0$ and $\alpha_{1,4} = -2$. Two vectors that point the same way score
# high; at right angles they score 0; against each other they score below 0.
#
# Why not compare $a^i$ and $a^j$ themselves? Because *looking for* and *being found by* are two things. A pronoun looks for
# a noun; a noun need not look for a pronoun. With two matrices, $\alpha_{i,j}$ and $\alpha_{j,i}$ may differ.

# %% [markdown] exercise="dot_product_score" part="prompt" points=5 difficulty=1 minutes=5
# ### Exercise 2 · `dot_product_score`
#
# Compute the dot-product score of two input vectors: how much `a_i`, which asks, has to do with `a_j`, which is asked.
#
# $$\alpha_{i,j} = q^i \cdot k^j, \qquad q^i = W_q\,a^i, \qquad k^j = W_k\,a^j$$
#
# | argument | shape | meaning |
# |---|---|---|
# | `a_i`, `a_j` | `(d_in,)` | the two input vectors |
# | `W_q`, `W_k` | `(d_k, d_in)` | the two matrices |
# | returns | a number | the score, **without** any scale |

# %% exercise="dot_product_score" part="solution"
def dot_product_score(a_i: np.ndarray, a_j: np.ndarray, W_q: np.ndarray, W_k: np.ndarray) -> float:
    """How relevant one vector is to another: the dot product of the first one's query and the second one's key.

    a_i, a_j: (d_in,), the vector that asks and the vector that is asked
    W_q, W_k: (d_k, d_in)
    returns:  a number, not scaled
    """
    ### BEGIN SOLUTION
    query = W_q @ a_i
    key = W_k @ a_j
    return query @ key
    ### END SOLUTION

# %% exercise="dot_product_score" part="check"
check(dot_product_score, keeps_inputs, right_shape, finite, matches)

# %% [markdown] exercise="dot_product_score" part="hints"
# - Two steps: first the query and the key, each a vector of `d_k` numbers; then one number from the two.
# - A matrix of shape `(d_k, d_in)` stands to the left of a vector of shape `(d_in,)`. NumPy's `@` multiplies matrix and
#   vector, and vector and vector too.

# %% part="demo"
dot_product_part = use_part("dot_product_score")
scores = [[float(dot_product_part(a_i, a_j, W_q, W_k)) for a_j in a] for a_i in a]
print(table([(f"a{i} asks", *row) for i, row in enumerate(scores, start=1)], ["", "a1", "a2", "a3", "a4"]))

# %% [markdown]
# The first row holds your four scores from above. Now look across the diagonal: does $a^1$ score $a^2$ as high as $a^2$
# scores $a^1$?

# %% [markdown]
# ### The second way: add, squash, weigh
#
# Query and key can also meet in a small network. Add them, send each of the $d_k$ numbers through tanh, and let a vector $w$
# of $d_k$ learned numbers make one number of the result:
#
# $$\alpha_{i,j} = w \cdot \tanh\left(W_q\,a^i + W_k\,a^j\right)$$
#
# This *additive* score is the older one: it was made for translation with recurrent networks (Bahdanau and others, 2015).
# In our example, with $w = (1, 2, -1, 0.5)$:
#
# $$q^1 + k^1 = \begin{bmatrix}2\\0\\3\\2\end{bmatrix},\quad
#   \tanh(q^1 + k^1) \approx \begin{bmatrix}0.964\\0\\0.995\\0.964\end{bmatrix},\quad
#   \alpha_{1,1} \approx 0.964 + 0 - 0.995 + 0.482 = 0.451$$
#
# You may see it drawn with *one* matrix on the two inputs joined end to end. That is the same thing: cut this matrix down
# the middle, and its halves are $W_q$ and $W_k$.

# %% [markdown] exercise="additive_score" part="prompt" points=5 difficulty=2 minutes=8 relative=2e-4 absolute=2e-5
# ### Exercise 3 · `additive_score`
#
# Compute the additive score of two input vectors. What goes into tanh may be large, in the hundreds and thousands.
#
# $$\alpha_{i,j} = w \cdot \tanh\left(W_q\,a^i + W_k\,a^j\right)$$
#
# | argument | shape | meaning |
# |---|---|---|
# | `a_i`, `a_j` | `(d_in,)` | the vector that asks, the vector that is asked |
# | `W_q`, `W_k` | `(d_k, d_in)` | the two matrices |
# | `w` | `(d_k,)` | turns the $d_k$ numbers after tanh into one |
# | returns | a number | the score |

# %% exercise="additive_score" part="solution"
def additive_score(a_i: np.ndarray, a_j: np.ndarray, W_q: np.ndarray, W_k: np.ndarray, w: np.ndarray) -> float:
    """How relevant one vector is to another: a small network that sees the sum of a query and a key.

    a_i, a_j: (d_in,), the vector that asks and the vector that is asked
    W_q, W_k: (d_k, d_in)
    w:        (d_k,)
    returns:  a number
    """
    ### BEGIN SOLUTION
    query = W_q @ a_i
    key = W_k @ a_j
    return w @ np.tanh(query + key)
    ### END SOLUTION

# %% exercise="additive_score" part="check"
check(additive_score, keeps_inputs, right_shape, finite, matches)

# %% [markdown] exercise="additive_score" part="hints"
# - Query and key are made as in exercise 2. What is new is how one number comes out of the two vectors.
# - Work from the inside of the formula outwards: add the two vectors, squash each of the `d_k` numbers with `np.tanh`,
#   then take the dot product with `w`.

# %% [markdown]
# ### What is the tanh for?
#
# tanh is nearly a straight line close to 0: $\tanh(x) \approx x$. So make $W_q$ and $W_k$ a thousand times smaller and
# $w$ a thousand times larger: the scores keep their size, but the bend is gone.
#
# **Predict first.** Each vector asks in turn, and softmax turns its four scores into weights (a row of the table). With the
# bend, the rows differ. Without it, do they still differ?

# %% part="demo"
additive_part = use_part("additive_score")
w = np.array([1.0, 2.0, -1.0, 0.5])
for bend, small in (("with the bend", 1.0), ("without", 0.001)):
    scores = np.array([[additive_part(a_i, a_j, small * W_q, small * W_k, w / small) for a_j in a] for a_i in a])
    rows = [(f"a{i} asks", *row) for i, row in enumerate(softmax_part(scores).round(3).tolist(), start=1)]
    print(table(rows, [bend, "a1", "a2", "a3", "a4"]), "\n")

# %% [markdown]
# Compare the rows of the second table. Without the bend the score falls apart into two sums, one from the query and one
# from the key: $w \cdot q^i + w \cdot k^j$. The first is the same for all keys, and you know from exercise 1 what softmax
# does with a number that is added to all the scores. Then it does not matter who asks.

# %% [markdown]
# ### Which of the two?
#
# The Transformer takes the dot product. The paper's reason (section 3.2.1): in theory both cost about the same, but in
# practice the dot product is faster and takes less memory, because all the scores at once are one matrix product, and
# matrix products are what computers have been made fast for. You will see that in unit 03. The same section names the dot
# product's weak point, too. That is part 3.

# %% [markdown]
# ## Part 3 · Why divide by $\sqrt{d_k}$?
#
# A dot product is a sum of $d_k$ products. Let the numbers in $q$ and $k$ be independent, with mean 0 and variance 1. Then
# each product has mean 0 and variance 1, and variances of independent numbers add: $q \cdot k$ has variance $d_k$, so its
# typical size is $\sqrt{d_k}$ (the paper's footnote 4). Longer keys make larger scores, only because they are longer.
#
# **Predict first.** You draw queries and keys of length 4, then of length 256. By which factor does the typical size of the
# dot product grow: 2, 8 or 64?

# %% part="demo"
rng = np.random.default_rng(0)
rows = []
for d_k in (1, 4, 16, 64, 256):
    queries, keys = rng.normal(size=(20_000, d_k)), rng.normal(size=(20_000, d_k))
    dots = np.einsum("nd,nd->n", queries, keys)  # 20,000 pairs
    rows.append((d_k, float(dots.std()), d_k**0.5))
print(table(rows, ["d_k", "standard deviation of q·k, measured", "√d_k"]))

# %% [markdown]
# And part 1 said what large scores do to softmax. So the Transformer divides every score by $\sqrt{d_k}$, and its size no
# longer depends on the length of the keys:
#
# $$s_j = \frac{q \cdot k^j}{\sqrt{d_k}}$$
#
# In our example $d_k = 4$, so all the scores are halved: $(2, 4, 0, -2)$ becomes $(1, 2, 0, -1)$. You know the weights of
# these four scores already.

# %% [markdown] exercise="scaled_scores" part="prompt" points=5 difficulty=2 minutes=5
# ### Exercise 4 · `scaled_scores`
#
# Compute the scaled scores of one query and all keys at once.
#
# $$s_j = \frac{q \cdot k^j}{\sqrt{d_k}} \qquad (j = 1, \dots, n)$$
#
# | argument | shape | meaning |
# |---|---|---|
# | `q` | `(d_k,)` | one query |
# | `keys` | `(n, d_k)` | $n$ keys, one in each row |
# | returns | `(n,)` | one score for each key |

# %% exercise="scaled_scores" part="solution"
def scaled_scores(q: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """One query's scores with all keys, on a scale that does not depend on their length.

    q:       (d_k,)
    keys:    (n, d_k), one key a row
    returns: (n,)
    """
    ### BEGIN SOLUTION
    scores = keys @ q
    return scores / np.sqrt(q.shape[0])
    ### END SOLUTION

# %% exercise="scaled_scores" part="check"
check(scaled_scores, keeps_inputs, right_shape, finite, matches)

# %% [markdown] exercise="scaled_scores" part="hints"
# - A matrix times a vector is the dot product of each of the matrix's rows with the vector. Which of your two arrays is
#   the matrix, and are the things you want to multiply in its rows?
# - `d_k` is how many numbers one key has, not how many keys there are. Read it from a shape.

# %% [markdown]
# ### Experiment · What the scale saves
#
# Draw a query and 8 keys, compute the weights with and without the scale, and measure two things:
#
# - **Entropy of the weights**, $H = -\sum_j w_j \log_2 w_j$, in bits. Equal weights on 8 keys give 3 bits; all the weight
#   on one key gives 0 bits.
# - **Size of the softmax gradient.** Learning goes through the derivatives $\partial w_i / \partial s_j = w_i(\delta_{ij} -
#   w_j)$, where $\delta_{ij}$ is 1 for $i = j$ and 0 otherwise; $s_j$ is the score as softmax receives it. Their size is the
#   square root of the sum of their squares. Where it is near 0, a change of the scores changes no weight, and nothing is
#   learned about them.
#
# **Predict first.** From $d_k = 1$ to $d_k = 1024$: which of the four curves stay level, which fall, and how far? Does the
# gradient fall to a half, a tenth, or much further?

# %% part="demo"
from autograder.lab.figures import lines, panels

scaled_scores_part = use_part("scaled_scores")


def entropy_and_gradient(d_k: int, with_scale: bool, draws: int = 200, n: int = 8) -> np.ndarray:
    """Quartiles, (2, 3): low, median, high of the entropy in bits and of the size of the softmax gradient."""
    rng = np.random.default_rng(d_k)
    measured = []
    for _ in range(draws):
        s = scaled_scores_part(rng.normal(size=d_k), rng.normal(size=(n, d_k)))
        weights = softmax_part(s if with_scale else s * np.sqrt(d_k))  # the factor undoes the scale
        entropy = -np.sum(weights * np.log2(np.maximum(weights, 1e-300)))
        derivatives = np.diag(weights) - np.outer(weights, weights)
        measured.append((entropy, np.linalg.norm(derivatives)))
    return np.percentile(measured, [25, 50, 75], axis=0).T


# %% part="demo"
widths = 2 ** np.arange(11)
curves = {name: np.array([entropy_and_gradient(d_k, name == "with 1/√d_k") for d_k in widths])
          for name in ("with 1/√d_k", "without")}  # (11, 2, 3)
figure, axes = panels(1, 2, width=7.4, height=3.6)
for place, (ylabel, log) in enumerate((("entropy of the weights (bits)", False), ("size of the softmax gradient", True))):
    bands = {name: (c[:, place, 1], c[:, place, 0], c[:, place, 2]) for name, c in curves.items()}
    lines(widths, bands, "length of a key, d_k", ylabel, logx=True, logy=log, ax=axes[0, place])
show(figure)

at = {d_k: np.flatnonzero(widths == d_k)[0] for d_k in (1, 64, 1024)}
print(table([(d_k, name, float(c[k, 0, 1]), float(c[k, 1, 1])) for d_k, k in at.items() for name, c in curves.items()],
            ["d_k", "scale", "entropy, bits (median)", "gradient (median)"]))

# %% [markdown]
# The line is the median of 200 draws, the band holds the middle half of them. On the right-hand axis, equal steps are
# equal *factors*. Look at $d_k = 64$, the length the paper uses: how much of the gradient is left without the scale? And how wide
# is the band there? A wide band means that some queries still learn and others hardly at all. The formula says when: $w_i (1 -
# w_i)$ is far from 0 only while $w_i$ is neither near 0 nor near 1, as when the two best keys score nearly the same.
#
# Two limits of this experiment. The numbers are random, as at the start of training; a trained model can make its scores
# larger or smaller through $W_q$ and $W_k$. And this is the gradient with respect to the scores, one link of the chain;
# unit 04 follows the chain all the way.

# %% [markdown]
# ## Part 4 · One output
#
# Weights need something to weigh. The third matrix makes the values, here of length $d_v = 3$:
#
# $$W_v = \begin{bmatrix}1&0\\0&1\\1&1\end{bmatrix},\qquad
#   v^1 = \begin{bmatrix}1\\1\\2\end{bmatrix},\;
#   v^2 = \begin{bmatrix}2\\0\\2\end{bmatrix},\;
#   v^3 = \begin{bmatrix}0\\1\\1\end{bmatrix},\;
#   v^4 = \begin{bmatrix}-1\\2\\1\end{bmatrix}$$
#
# And $b^1$ is the sum of the values, each times its weight. By hand, with the weights of part 1:
#
# $$b^1 \approx 0.237\begin{bmatrix}1\\1\\2\end{bmatrix} + 0.644\begin{bmatrix}2\\0\\2\end{bmatrix}
#   + 0.087\begin{bmatrix}0\\1\\1\end{bmatrix} + 0.032\begin{bmatrix}-1\\2\\1\end{bmatrix}
#   \approx \begin{bmatrix}1.493\\0.388\\1.881\end{bmatrix}$$
#
# $b^1$ lies closest to $v^2$, because $a^2$ is what $a^1$ was looking for. But each of the four has left its mark.

# %% [markdown] exercise="attend_one" part="prompt" points=10 difficulty=3 minutes=12 forbids="scaled_dot_product_attention"
# ### Exercise 5 · `attend_one`
#
# Compute one output vector $b^i$ from all the input vectors. Your own functions from above may help; a library's finished attention,
# such as PyTorch's `scaled_dot_product_attention`, is not allowed.
#
# $$q^i = W_q a^i, \quad k^j = W_k a^j, \quad v^j = W_v a^j, \qquad
#   w_{i,1}, \dots, w_{i,n} = \mathrm{softmax}\!\left(\frac{q^i \cdot k^1}{\sqrt{d_k}}, \dots, \frac{q^i \cdot k^n}{\sqrt{d_k}}\right),
#   \qquad b^i = \sum_{j=1}^{n} w_{i,j}\, v^j$$
#
# | argument | shape | meaning |
# |---|---|---|
# | `i` | a whole number | which vector asks, counted from 0 |
# | `a` | `(n, d_in)` | the input vectors, one in each row |
# | `W_q`, `W_k` | `(d_k, d_in)` | make the query and the keys |
# | `W_v` | `(d_v, d_in)` | makes the values |
# | returns | `(d_v,)` | the output $b^i$ |

# %% exercise="attend_one" part="solution"
def attend_one(i: int, a: np.ndarray, W_q: np.ndarray, W_k: np.ndarray, W_v: np.ndarray) -> np.ndarray:
    """One output of self-attention: what vector i takes from all the vectors, itself included.

    i:        which vector asks, from 0
    a:        (n, d_in), one input vector a row
    W_q, W_k: (d_k, d_in)
    W_v:      (d_v, d_in)
    returns:  (d_v,)
    """
    ### BEGIN SOLUTION
    query = W_q @ a[i]
    keys = a @ W_k.T  # (n, d_k)
    values = a @ W_v.T  # (n, d_v)
    weights = softmax(scaled_scores(query, keys))
    return weights @ values
    ### END SOLUTION

# %% exercise="attend_one" part="check"
check(attend_one, keeps_inputs, right_shape, finite, between_values("a", "W_v"), hears_every_row("a", "i"), matches)

# %% [markdown] exercise="attend_one" part="hints"
# - Four steps: one query; all keys and all values; the weights; the weighted sum. Print the shape after each step.
# - The vectors are rows of `a`. You want the keys as rows too, shape `(n, d_k)`: which product of `a` and `W_k` (perhaps
#   transposed) has that shape? A loop over the rows is fine as well.
# - You have written two of the steps already: `scaled_scores` and `softmax`. The last step is a vector of shape `(n,)` and
#   a matrix of shape `(n, d_v)`, and the result has shape `(d_v,)`.

# %% [markdown]
# ## The four-vector example, by code
#
# Your pencil said $b^1 \approx (1.493,\ 0.388,\ 1.881)$. Now the machine, with your own function if it has passed.

# %% part="demo"
attend_one_part = use_part("attend_one")
W_v = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # (3, 2)
by_hand = np.array([1.493, 0.388, 1.881])
b1 = attend_one_part(0, a, W_q, W_k, W_v)
print("b¹ by hand:", by_hand)
print("b¹ by code:", b1.round(3))
print("largest difference:", np.abs(b1 - by_hand).max().round(4))

# %% [markdown]
# **Predict first.** Now change one vector, $a^4$, and leave the others as they are. Does $b^1$ change? And does $b^1$ change
# if $a^3$ and $a^4$ swap places?

# %% part="demo"
changed = a.copy()
changed[3] = [3.0, 1.0]
print("b¹, as before:         ", b1.round(3))
print("b¹ with another a⁴:    ", attend_one_part(0, changed, W_q, W_k, W_v).round(3))
print("b¹ with a³, a⁴ swapped:", attend_one_part(0, a[[0, 1, 3, 2]], W_q, W_k, W_v).round(3))

# %% [markdown]
# Two facts to take along. Every vector reaches $b^1$, however far away it stands. And the order of the others leaves no trace:
# to attention, a sentence is a bag of vectors. Unit 06 puts the order back in.
#
# ### The whole table of weights
#
# So far $a^1$ has asked. Let each vector ask in turn, and draw the weights behind every output. A trick shows them: give each
# vector a value that is 1 in a place of its own and 0 elsewhere. Then the weighted sum of the values *is* the list of weights.

# %% part="demo"
from autograder.lab.figures import attention_map

none, own_place = np.zeros((4, 4)), np.eye(4)
longer = np.hstack([a, own_place])  # (4, 6): each vector with its place behind it
weights = np.stack([attend_one_part(i, longer, np.hstack([W_q, none]), np.hstack([W_k, none]), np.hstack([none.T[:, :2], own_place]))
                    for i in range(4)])
names = ["a¹", "a²", "a³", "a⁴"]
show(attention_map(weights, names, names, title="Who looks at whom: row i holds the weights behind output i"))

# %% [markdown]
# Each row sums to 1; the columns need not. Find the row you computed by hand. Is there a vector that looks at itself most? One
# that nobody looks at? In unit 03 you compute all the rows at once, with three matrix products instead of a loop.

# %% [markdown]
# ## What you built
#
# - `softmax`: weights from scores, safe for scores of any size, along any axis.
# - `dot_product_score` and `additive_score`: the two ways to compare one vector with another.
# - `scaled_scores`: all scores of one query, their size kept apart from the length of the keys.
# - `attend_one`: one output of self-attention, the sum of all values, weighted by relevance.
#
# This is the heart of the Transformer. What follows does the same for all vectors at once (03), several times side by side
# (05), and many layers deep (08).

# %% [markdown]
# ## Questions to test yourself
#
# Answer first, then unfold.
#
# <details><summary>1. A key has shape <code>(64,)</code>, there are 10 vectors. What stands under the root, and what are the
# shapes of query, scores, weights and output?</summary>
#
# Under the root stands 64. The query has shape `(64,)`, as every key has; scores and weights have shape `(10,)`, one number for
# each vector. The output is as long as a value, `(d_v,)`, which may be anything.
# </details>
#
# <details><summary>2. You add 100 to all the scores of a query. What happens to its output? And if you multiply them by 100?</summary>
#
# Adding changes nothing: softmax looks at differences. Multiplying makes the differences 100 times larger, so nearly all the
# weight goes to the best key, and the output is nearly its value.
# </details>
#
# <details><summary>3. What is the output if all keys are equal?</summary>
#
# All scores are equal then, so all weights are $1/n$, and the output is the plain mean of the values, whatever the query asks.
# </details>
#
# <details><summary>4. Must the weight of a vector for itself be the largest in its row?</summary>
#
# No. $a^i$ meets itself as a query on one side and a key on the other, made by two different matrices. In the example
# $a^1$ gives itself 0.237 and $a^2$ 0.644.
# </details>
#
# <details><summary>5. Why is the additive score not divided by √d_k?</summary>
#
# Its size depends on $w$: after tanh every number lies between −1 and 1, however long the keys are, and $w$ is learned. The
# paper reports that the additive score did better than the dot product without a scale where $d_k$ is large (section 3.2.1).
# </details>

# %% [markdown]
# ## Sources
#
# - Hung-yi Lee (李宏毅), National Taiwan University: *Machine Learning 2021*, lecture "自注意力機制 (Self-attention) (上)": the
#   four vectors, the two scores, query, key and value, $b^1$. *Machine Learning 2019*, lecture "Transformer": the same with the
#   scale. The numbers of the example are this course's own.
# - Vaswani and others, *Attention Is All You Need*, 2017, section 3.2.1 and footnote 4: dot-product and additive attention, and
#   why the scores are scaled.
# - Bahdanau, Cho and Bengio, *Neural Machine Translation by Jointly Learning to Align and Translate*, 2015, section 3.1 and
#   appendix A.1.2: the additive score.
# - Goodfellow, Bengio and Courville, *Deep Learning*, 2016, section 4.1: overflow, underflow and softmax.
#
# **Next:** unit 03, self-attention: all outputs at once, as matrices, in the lecture's convention and in the one that code uses.
