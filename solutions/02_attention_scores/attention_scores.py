# %% [markdown]
# # 02 · Attention scores: one output, b¹
#
# *It purrs all night*: a cat. *It barks all night*: a dog. Yet *it* is the same vector in both sentences, so
# something must carry what the verb knows to the pronoun. You build that, with a pencil and then in NumPy: four vectors, numbered $a^1$ to $a^4$, go in, and
# one vector $b^1$ comes out that knows about all four.
#
# **When you are done, you can**
#
# - turn any scores into weights with a softmax that never overflows;
# - compute how relevant one vector is to another in two ways, by a dot product and by a small network;
# - say why the dot product is divided by $\sqrt{d_k}$ ($d_k$: the length of a key), and show what happens without it;
# - compute one output of self-attention, by hand and by code.
#
# **Time** about 75 minutes; five exercises, 30 points. **You need** unit 00 (shapes and axes), a matrix times a vector,
# and the exponential function.

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
    outcome,
    predict,
    right_shape,
    sums_to_one,
    use_part,
)

begin("02_attention_scores")

# %% [markdown]
# ## The idea
#
# To get the new vector $b^1$ of the first word, *it*:
#
# 1. **Ask.** Make a *query* $q^1$ from $a^1$: what the word looks for. *It* looks for a deed.
# 2. **Offer.** Make a *key* $k^j$ from each word: what it can be found by. *Purrs* is found as a deed. And a *value* $v^j$: what it gives. *Purrs* gives: a cat.
# 3. **Compare.** The query and each key give one number, the *score* $s_{1,j}$: how relevant word $j$ is to word 1.
# 4. **Share out.** Softmax turns the scores into *weights* $\alpha_{1,j}$: positive numbers that sum to 1.
# 5. **Collect.** $b^1$ is the sum of the values, each times its weight.
#
# Read the picture from the bottom up. The first word's own key and value take part, too.

# %% part="demo" folded=True
from autograder.lab.figures import Box, flow, show

boxes = {"q": Box("q¹", -0.4, 1.3, "orange"), "softmax": Box("softmax", 4.55, 3.5, "grey"), "b": Box("b¹", 4.55, 5.4, "green")}
arrows = [("a1", "q")]
for j, word in enumerate(("it", "purrs", "all", "night"), start=1):
    above, below, x = "⁰¹²³⁴"[j], "₀₁₂₃₄"[j], 2 * j - 1.2
    boxes |= {f"a{j}": Box(f"a{above}\n{word}", x + 0.4, 0), f"k{j}": Box(f"k{above}", x, 1, "blue"), f"v{j}": Box(f"v{above}", x + 0.85, 1, "green")}
    boxes |= {f"s{j}": Box(f"score {j}", x, 2.5), f"x{j}": Box("×", x + 0.85, 4.5, shape="circle")}
    arrows += [(f"a{j}", f"k{j}"), (f"a{j}", f"v{j}"), (f"k{j}", f"s{j}"), ("q", f"s{j}"), (f"s{j}", "softmax")]
    arrows += [("softmax", f"x{j}", f"α{below}"), (f"v{j}", f"x{j}"), (f"x{j}", "b")]
show(flow(boxes, arrows), alt="From the bottom up: a1 gives the query q1; each of a1 to a4 gives a key and a value. The query and "
     "each key give a score; softmax turns the four scores into four weights, α₁ to α₄; each value is multiplied by its weight; the sum is b1.")

# %% [markdown]
# ## Part 1 · From scores to weights
#
# Suppose the four scores of *it* are $(1, 2, 0, -1)$. How much of each value goes into $b^1$? The weights should be positive, sum
# to 1, and grow with the score. Softmax does all three:
#
# $$\alpha_j = \mathrm{softmax}(s)_j = \frac{e^{s_j}}{\sum_{m=1}^{n} e^{s_m}}$$
#
# with $n$ keys. (While only word 1 asks, $s_j$ is short for $s_{1,j}$.) With a pencil:
#
# | | it | purrs | all | night | sum |
# |---|---|---|---|---|---|
# | score $s_j$ | 1 | 2 | 0 | −1 | |
# | $e^{s_j}$ | 2.718 | 7.389 | 1 | 0.368 | 11.475 |
# | weight $\alpha_j$ | 0.237 | 0.644 | 0.087 | 0.032 | 1 |
#
# Keep these four weights; they come back.

# %% [markdown]
# ### Where it breaks
#
# The formula is right on paper. In a computer, $e^s$ soon becomes too large for a float:

# %% part="demo"
with np.errstate(over="ignore", invalid="ignore"):
    print("e^709 =", np.exp(709.0))
    print("e^710 =", np.exp(710.0))
    print("infinity / infinity =", np.float64(np.inf) / np.inf)

# %% [markdown]
# The way out: **subtract the same number $c$ from all the scores**. Nothing changes, since $e^{s-c} = e^{s} / e^{c}$ and the
# factor $1/e^{c}$ stands above and below the fraction line. Choose $c$ well and no exponent is above 0. What then
# becomes too *small* for a float is rounded to 0, which does no harm.

# %% [markdown] exercise="softmax" part="prompt" points=5 difficulty=2 minutes=10 forbids="softmax"
# ### Exercise 1 · `softmax`
#
# Turn scores into weights: along `axis`, positive numbers that sum to 1.
#
# $$\alpha_j = \frac{e^{s_j - c}}{\sum_m e^{s_m - c}}$$
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
# <details><summary>You add 100 to all the scores of a query. What happens to its weights?</summary>
#
# Nothing: softmax looks at differences, and your exercise has just used that.
# </details>
#
# (Hung-yi Lee's lectures write $\alpha$ for the *score*, and $\hat\alpha$ or $\alpha'$ for the weight.)
#
# ### What softmax does with large scores
#
# **Predict first.** Take the scores $(1, 2, 0, -1)$ and multiply them all by 4. Their *ratios* have not changed. Have the weights?

# %% part="demo"
predict("02-four-times", "With scores four times as large, the weights ...", choices=("stay as they are", "come closer together", "move further apart"))

# %% part="demo"
from autograder.lab.tables import table

softmax_part = use_part("softmax")
shared = {factor: softmax_part(factor * np.array([1.0, 2.0, 0.0, -1.0])) for factor in (0.25, 1, 4)}
print(table([(factor, *weights.round(3).tolist()) for factor, weights in shared.items()], ["factor", "it", "purrs", "all", "night"]))
spread = {factor: np.ptp(weights) for factor, weights in shared.items()}
outcome("02-four-times", "stay as they are" if np.isclose(spread[4], spread[1]) else "move further apart" if spread[4] > spread[1] else "come closer together")

# %% [markdown]
# Softmax looks at *differences* of scores, not at ratios. Larger scores make larger differences, and one key takes nearly
# everything; small scores make the weights nearly equal. So the **size** of the scores decides how sharp the attention is.

# %% [markdown]
# ## Part 2 · Where the scores come from
#
# Now the example in full. Each word is a vector of five numbers, set by hand so that you can read them. (In a trained model no number has a name.)
#
# | | someone | does | sound | time | amount |
# |---|---|---|---|---|---|
# | $a^1$ *it* | 1 | 0 | 0 | 0 | 0 |
# | $a^2$ *purrs* | 0 | 1 | 1 | 0 | 0 |
# | $a^3$ *all* | 0 | 0 | 0 | 0 | 1 |
# | $a^4$ *night* | 0 | 0 | 0 | 1 | 0 |
#
# *Barks* is $(0, 1, -1, 0, 0)$: another sound. Queries and keys have $d_k = 4$ numbers each: *who*, *does*, *when*, *how much*.
#
# $$W_q = \begin{bmatrix}1&1&0&0&0\\2&0&0&1&0\\-1&1&0&0&2\\0&0&0&2&1\end{bmatrix},\qquad
#   W_k = \begin{bmatrix}2&0&0&0&0\\0&2&0&0&0\\0&0&0&2&0\\0&0&0&0&1\end{bmatrix}$$
#
# Read them column by column. The first column of $W_q$ is what a *someone* looks for: *who*, a little (1); what it *does*, much (2); *when*, please not (−1). The second column of $W_k$ files
# a deed under *does*. The third column of $W_k$ is 0: the sound is no part of the key. So
#
# $$q^1 = W_q\,a^1 = \begin{bmatrix}1\\2\\-1\\0\end{bmatrix},\qquad
#   k^1 = \begin{bmatrix}2\\0\\0\\0\end{bmatrix},\;
#   k^2 = \begin{bmatrix}0\\2\\0\\0\end{bmatrix},\;
#   k^3 = \begin{bmatrix}0\\0\\0\\1\end{bmatrix},\;
#   k^4 = \begin{bmatrix}0\\0\\2\\0\end{bmatrix}$$
#
# Check one with a pencil: $k^2 = W_k a^2$. (Four words, and four numbers in a key: that is chance; the checks use other sizes.)

# %% part="demo"
words = ["it", "purrs", "all", "night"]
a = np.array([[1.0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0]])  # (4, 5): a[0] is a¹
W_q = np.array([[1.0, 1, 0, 0, 0], [2, 0, 0, 1, 0], [-1, 1, 0, 0, 2], [0, 0, 0, 2, 1]])  # (4, 5)
W_k = np.array([[2.0, 0, 0, 0, 0], [0, 2, 0, 0, 0], [0, 0, 0, 2, 0], [0, 0, 0, 0, 1]])  # (4, 5)
print("a:", a.shape, " W_q:", W_q.shape, " W_k:", W_k.shape)

# %% [markdown]
# | symbol | name | made by | shape |
# |---|---|---|---|
# | $a^j$ | input vector $j$ | given | `(d_in,)` |
# | $q^i = W_q\,a^i$ | query: what $a^i$ looks for | $W_q$ of shape `(d_k, d_in)` | `(d_k,)` |
# | $k^j = W_k\,a^j$ | key: what $a^j$ is found by | $W_k$ of shape `(d_k, d_in)` | `(d_k,)` |
# | $v^j = W_v\,a^j$ | value: what $a^j$ gives | $W_v$ of shape `(d_v, d_in)` | `(d_v,)` |
# | $s_{i,j}$ | score of key $j$ for query $i$ | $q^i$ and $k^j$ | a number |
# | $\alpha_{i,j}$ | weight of value $j$ in output $i$ | softmax of the scores | a number |
#
# **The key $k$ is a vector, not a number.** Only when query and key *meet* does one number come out: the
# score. If you find a key of shape `()`, something was summed too early.
#
# The three matrices are what is learned, and all the vectors share them. As in the lecture, vectors are columns here and the matrix stands on the left, $q = W_q a$.
# In code the four vectors are the *rows* of one array `a` of shape `(n, d_in)`; `a[0]` is $a^1$, since Python counts from
# 0. Unit 03 shows how to turn one way of writing into the other.
#
# ### The first way: a dot product
#
# Multiply query and key number by number, and sum:
#
# $$s_{1,1} = q^1 \cdot k^1 = 1\cdot 2 + 2\cdot 0 - 1\cdot 0 + 0\cdot 0 = 2$$
#
# In the same way $s_{1,2} = 4$, $s_{1,3} = 0$ and $s_{1,4} = -2$. *It* has found *purrs*. Two vectors that point the same way score
# high; at right angles, 0; against each other, below 0.

# %% [markdown] exercise="dot_product_score" part="prompt" points=5 difficulty=1 minutes=5
# ### Exercise 2 · `dot_product_score`
#
# Compute the dot-product score of two input vectors: how much `a_i`, which asks, has to do with `a_j`, which is asked.
#
# $$s_{i,j} = q^i \cdot k^j, \qquad q^i = W_q\,a^i, \qquad k^j = W_k\,a^j$$
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

# %% [markdown]
# Why two matrices? Why not compare $a^i$ and $a^j$ themselves, $s_{i,j} = a^i \cdot a^j$?
#
# **Predict first.** Leave both matrices out. Word 1 asks word 2, or word 2 asks word 1: where does the higher score come out? And with the matrices?

# %% part="demo"
predict(
    "02-no-matrices",
    "Without W_q and W_k, the higher score comes out where ...",
    choices=("word 1 asks word 2", "word 2 asks word 1", "neither: equal, and so for every pair"),
)

# %% part="demo"
dot_product_part, none = use_part("dot_product_score"), np.eye(5)  # the identity matrix changes nothing
without_matrices, with_matrices = (np.array([[dot_product_part(a_i, a_j, *pair) for a_j in a] for a_i in a]) for pair in ((none, none), (W_q, W_k)))
for name, found in (("without matrices", without_matrices), ("with W_q and W_k", with_matrices)):
    print(table([(f"{word} asks", *row) for word, row in zip(words, found.tolist(), strict=True)], [name, *words]), "\n")
difference = without_matrices[0, 1] - without_matrices[1, 0]
outcome("02-no-matrices", "neither: equal, and so for every pair" if np.allclose(without_matrices, without_matrices.T)
        else "word 1 asks word 2" if difference > 0 else "word 2 asks word 1")

# %% [markdown]
# A dot product does not care which vector comes first. Without the matrices the table is its own mirror image across the diagonal: who asks and who is asked cannot differ. Worse, each word here finds
# only itself. With two matrices, *looking for* and *being found by* are two things: *it* needs *purrs* (4) more than *purrs* needs *it* (2).

# %% [markdown]
# ### The second way: add, squash, weigh
#
# Query and key can also meet in a small network. Add them, send each of the $d_k$ numbers through tanh, and let a vector $w$
# of $d_k$ learned numbers make one number of the result:
#
# $$s_{i,j} = w \cdot \tanh\left(W_q\,a^i + W_k\,a^j\right)$$
#
# This *additive* score is the older one: it was made for translation with recurrent networks (Bahdanau and others, 2015).
# In our example, with $w = (1, 2, -1, 0.5)$:
#
# $$q^1 + k^1 = \begin{bmatrix}3\\2\\-1\\0\end{bmatrix},\quad
#   \tanh(q^1 + k^1) \approx \begin{bmatrix}0.995\\0.964\\-0.762\\0\end{bmatrix},\quad
#   s_{1,1} \approx 0.995 + 1.928 + 0.762 + 0 = 3.685$$
#
# <details><summary>You may see it drawn with <i>one</i> matrix on the two inputs joined end to end. Is that the same?</summary>
#
# Yes: cut this matrix down the middle, and its halves are $W_q$ and $W_k$.
# </details>

# %% [markdown] exercise="additive_score" part="prompt" points=5 difficulty=2 minutes=8 relative=2e-4 absolute=2e-5
# ### Exercise 3 · `additive_score`
#
# Compute the additive score of two input vectors. What goes into tanh may be large, in the hundreds and thousands.
#
# $$s_{i,j} = w \cdot \tanh\left(W_q\,a^i + W_k\,a^j\right)$$
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
# $w$ a thousand times larger. The thousandths cancel, so the score becomes $w \cdot (q + k)$: no bend.
#
# **Predict first.** Each word asks in turn, and softmax turns its four scores into weights, a row of the table. Do the
# rows differ with the bend? And without it?

# %% part="demo"
predict("02-no-bend", "Without the bend, the four rows of weights ...", choices=("differ", "are all the same"))

# %% part="demo"
additive_part = use_part("additive_score")
w, bent = np.array([1.0, 2.0, -1.0, 0.5]), {}
for bend, small in (("with the bend", 1.0), ("without", 0.001)):
    bent[bend] = softmax_part(np.array([[additive_part(a_i, a_j, small * W_q, small * W_k, w / small) for a_j in a] for a_i in a]))
    print(table([(f"{word} asks", *row) for word, row in zip(words, bent[bend].round(3).tolist(), strict=True)], [bend, *words]), "\n")
outcome("02-no-bend", "are all the same" if np.allclose(bent["without"], bent["without"][0], atol=1e-3) else "differ")

# %% [markdown]
# Without the bend the score falls apart into two sums, one from the query and one
# from the key: $w \cdot q^i + w \cdot k^j$. The first is the same for all keys, and softmax ignores a number
# that is added to all the scores. Then it does not matter who asks: *night* and *it* get the same answer.
# (The matrices were made for the dot product: with the bend and this $w$, *it* looks past *purrs*.)

# %% [markdown]
# ### Which of the two?
#
# The Transformer takes the dot product. *Attention Is All You Need* says why (section 3.2.1): in theory both cost about the same, but in
# practice the dot product is faster and takes less memory, because all the scores at once are one matrix product, and
# matrix products are what computers have been made fast for (unit 03).

# %% [markdown]
# ## Part 3 · What longer keys do to the scores
#
# A dot product is a sum of $d_k$ products. Let the numbers in $q$ and $k$ be independent, with mean 0 and variance 1.
#
# **Predict first.** You draw queries and keys of length 4, then of length 256. By which factor does the typical size of the
# dot product, its standard deviation, grow?

# %% part="demo"
predict("02-longer-keys", "From length 4 to length 256 the dot product grows by the factor ...", choices=("2", "8", "64"))

# %% part="demo"
rng = np.random.default_rng(0)
sizes = {}
for d_k in (1, 4, 16, 64, 256):
    queries, keys = rng.normal(size=(20_000, d_k)), rng.normal(size=(20_000, d_k))
    sizes[d_k] = float(np.einsum("nd,nd->n", queries, keys).std())  # 20,000 dot products, row by row
print(table([(d_k, size, d_k**0.5) for d_k, size in sizes.items()], ["d_k", "standard deviation of q·k, measured", "√d_k"]))
outcome("02-longer-keys", min(("2", "8", "64"), key=lambda guess: abs(np.log(sizes[256] / sizes[4] / float(guess)))))

# %% [markdown]
# Each product has mean 0 and variance 1, and variances of independent numbers add: $q \cdot k$ has variance $d_k$, so its
# typical size is $\sqrt{d_k}$ (the paper's footnote 4). Longer keys make larger scores, only because they are longer.
#
# Part 1 showed what large scores do to softmax. So the Transformer divides all scores by $\sqrt{d_k}$, and their size no
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
    """One query's scores with all keys, on a scale that does not depend on the keys' length.

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
# <details><summary>Why is the additive score not divided by √d_k?</summary>
#
# With numbers of variance 1 in $w$ it would grow like $\sqrt{d_k}$, too; but $w$ is learned and can start small enough. The
# paper reports that the additive score did better than the dot product without a scale where $d_k$ is large (section 3.2.1).
# </details>
#
# ### Experiment · What the scale saves
#
# Draw a query and 8 keys, compute the weights with and without the scale, and measure two things:
#
# - **Entropy of the weights**, $H = -\sum_j \alpha_j \log_2 \alpha_j$, in bits. Equal weights on 8 keys give 3 bits; all the weight
#   on one key gives 0 bits.
# - **Size of the softmax gradient.** Training moves each number in proportion to a derivative of the loss (gradient descent).
#   A score's derivative contains the factors $\partial \alpha_i / \partial s_j = \alpha_i(\delta_{ij} -
#   \alpha_j)$, where $\delta_{ij}$ is 1 for $i = j$ and 0 otherwise; $s_j$ is the score as softmax receives it. Their size is the
#   square root of the sum of their squares. Where it is near 0, a change of the scores changes no weight, and nothing is
#   learned about them.
#
# **Predict first.** From $d_k = 1$ to $d_k = 1024$: which of the four curves stay level, which fall, and how far?

# %% part="demo"
predict(
    "02-gradient-left",
    "Without the scale, how much of the gradient at d_k = 1 is left at d_k = 1024?",
    choices=("more than a half", "a half to a hundredth", "less than a hundredth"),
)

# %% part="demo" folded=False
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


# %% part="demo" folded=True
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
left = curves["without"][at[1024], 1, 1] / curves["without"][at[1], 1, 1]
outcome("02-gradient-left", "more than a half" if left > 1 / 2 else "less than a hundredth" if left < 1 / 100 else "a half to a hundredth")

# %% [markdown]
# The line is the median of 200 draws, the band holds the middle half of them. On the right, equal steps are equal factors. Look at $d_k = 64$, the length the paper uses: without the scale, how much of the gradient at $d_k = 1$ is left? And how wide
# is the band there? A wide band means that some queries still learn and others hardly at all. The formula says when: $\alpha_i (1 -
# \alpha_i)$ is far from 0 only while $\alpha_i$ is neither near 0 nor near 1, as when the two best keys score nearly the same.
#
# The numbers are random, as at the start of training; a trained model can make its scores
# larger or smaller through $W_q$ and $W_k$. This is one link of the chain: unit 04 follows it all the way.

# %% [markdown]
# ## Part 4 · One output
#
# Weights need something to weigh. The third matrix makes the values, here of length $d_v = 3$: *a cat*, *a dog*, *how long*.
#
# $$W_v = \begin{bmatrix}1&1&1&0&0\\1&1&-1&0&0\\0&0&0&2&1\end{bmatrix},\qquad
#   v^1 = \begin{bmatrix}1\\1\\0\end{bmatrix},\;
#   v^2 = \begin{bmatrix}2\\0\\0\end{bmatrix},\;
#   v^3 = \begin{bmatrix}0\\0\\1\end{bmatrix},\;
#   v^4 = \begin{bmatrix}0\\0\\2\end{bmatrix}$$
#
# *It* by itself could be either. Look at *purrs*: its key $(0, 2, 0, 0)$ says *a deed*, its value $(2, 0, 0)$ says *a cat*. By the one it is found; the other is what it gives.
#
# $b^1$ is the sum of the values, each times its weight. By hand, with the weights of part 1:
#
# $$b^1 \approx 0.237\begin{bmatrix}1\\1\\0\end{bmatrix} + 0.644\begin{bmatrix}2\\0\\0\end{bmatrix}
#   + 0.087\begin{bmatrix}0\\0\\1\end{bmatrix} + 0.032\begin{bmatrix}0\\0\\2\end{bmatrix}
#   \approx \begin{bmatrix}1.525\\0.237\\0.151\end{bmatrix}$$
#
# *It* is mostly a cat now, a little still a dog, with a trace of *how long*.

# %% [markdown] exercise="attend_one" part="prompt" points=10 difficulty=3 minutes=12 forbids="scaled_dot_product_attention"
# ### Exercise 5 · `attend_one`
#
# Compute one output vector $b^i$ from all the input vectors. Your own functions from above may help; a library's finished attention,
# such as PyTorch's `scaled_dot_product_attention`, is not allowed.
#
# $$q^i = W_q a^i, \quad k^j = W_k a^j, \quad v^j = W_v a^j, \qquad
#   \alpha_{i,1}, \dots, \alpha_{i,n} = \mathrm{softmax}\!\left(\frac{q^i \cdot k^1}{\sqrt{d_k}}, \dots, \frac{q^i \cdot k^n}{\sqrt{d_k}}\right),
#   \qquad b^i = \sum_{j=1}^{n} \alpha_{i,j}\, v^j$$
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
# ## The sentence, by code
#
# Your pencil said $b^1 \approx (1.525,\ 0.237,\ 0.151)$. Now the machine, with your function if it has passed.

# %% part="demo"
attend_one_part = use_part("attend_one")
W_v = np.array([[1.0, 1, 1, 0, 0], [1, 1, -1, 0, 0], [0, 0, 0, 2, 1]])  # (3, 5)
by_hand = np.array([1.525, 0.237, 0.151])
b1 = attend_one_part(0, a, W_q, W_k, W_v)
print("b¹ by hand:", by_hand)
print("b¹ by code:", b1.round(3))
print("largest difference:", np.abs(b1 - by_hand).max().round(4))

# %% [markdown]
# **Predict first.** *Purrs* becomes *barks*. Which of the two moves: the weights of *it*, or its output $b^1$? And if *purrs* stays, but *all* and *night* swap places?

# %% part="demo"
predict("02-barks", "purrs → barks moves ...", choices=("weights and b¹", "only the weights", "only b¹", "neither"))
predict("02-swapped", "all ↔ night moves ...", choices=("b¹", "nothing in b¹"))

# %% part="demo" folded=False
def weights_of_it(tokens):
    return softmax_part(scaled_scores_part(W_q @ tokens[0], tokens @ W_k.T))

verbs = {"purrs": [0, 1, 1, 0, 0], "barks": [0, 1, -1, 0, 0], "sleeps": [0, 1, 0, 0, 0]}
sentences = {f"it {verb} all night": np.array([a[0], vector, a[2], a[3]]) for verb, vector in verbs.items()} | {"it purrs night all": a[[0, 1, 3, 2]]}
found = {text: (weights_of_it(tokens), attend_one_part(0, tokens, W_q, W_k, W_v)) for text, tokens in sentences.items()}
print(table([(text, str(weights.round(3)), *output.round(3).tolist()) for text, (weights, output) in found.items()], ["", "weights", "a cat", "a dog", "how long"]))

moves = tuple(not np.allclose(found["it barks all night"][i], found["it purrs all night"][i]) for i in (0, 1))
outcome("02-barks", {(True, True): "weights and b¹", (True, False): "only the weights", (False, True): "only b¹", (False, False): "neither"}[moves])
outcome("02-swapped", "nothing in b¹" if np.allclose(found["it purrs night all"][1], found["it purrs all night"][1]) else "b¹")

# %% [markdown]
# *It* finds the verb by the same key and hears another value: the weights stay, and the cat becomes a dog. What sleeps could be either. And the order of the other words leaves no trace:
# to attention, a sentence is a bag of words. Unit 06 puts the order back in.
#
# ### The whole table of weights
#
# So far *it* has asked. Let each word ask in turn, and draw the weights behind every output.

# %% part="demo"
from autograder.lab.figures import attention_map

weights = np.stack([softmax_part(scaled_scores_part(W_q @ a_i, a @ W_k.T)) for a_i in a])
show(attention_map(weights, words, words, title="Who looks at whom: row i holds the weights behind output i"))

# %% [markdown]
# Each row sums to 1; the columns need not. Find the row you computed by hand. Does any word look at itself most? Which word does *all* look for? In unit 03 you compute all the rows at once, without a loop.

# %% [markdown]
# ## What you built
#
# - `softmax`: weights from scores, safe for scores of any size, along any axis.
# - `dot_product_score` and `additive_score`: the two ways to compare one vector with another.
# - `scaled_scores`: all scores of one query, their size kept apart from the length of the keys.
# - `attend_one`: one output of self-attention, the sum of all values, weighted by relevance. This is the heart of the Transformer.

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
# <details><summary>2. What is the output if all keys are equal?</summary>
#
# All scores are equal then, so all weights are $1/n$, and the output is the plain mean of the values, whatever the query asks.
# </details>
#
# <details><summary>3. Must the weight of a vector for itself be the largest in its row?</summary>
#
# No. $a^i$ meets itself as a query on one side and a key on the other, made by two different matrices. In the example
# *it* gives itself 0.237 and *purrs* 0.644.
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
