# %% [markdown]
# # 04 · Gradients of attention: backpropagation by hand
#
# In unit 02 you chose the numbers in attention by hand. A real model has millions of them, and nobody knows what they should
# be. The model has to find out: for each number, which way to move it so that the result gets better. From the next
# unit on PyTorch works that out for you. Once, here, you do it yourself, with NumPy and nothing else.
#
# **When you are done, you can**
#
# - measure any gradient by nudging, and choose a nudge that is neither too large nor too small;
# - explain in one sentence what a softmax does to a gradient, and compute it;
# - send a gradient backwards through the whole of attention: to the queries, the keys and the values;
# - check a gradient so well that you trust it, and know when the check itself deserves no trust.
#
# **Time** about 80 minutes; three exercises, 30 points. **You need** unit 02 (`softmax`), unit 03 (the matrix form), and the
# slope of a curve, $\frac{df}{dx}$.

# %% part="setup"
import numpy as np

from autograder import (
    begin,
    check,
    each_gradient,
    finite,
    hint,
    keeps_inputs,
    matches,
    outcome,
    predict,
    restores,
    right_shape,
    right_size,
    rows_sum_to_zero,
    use_part,
)

softmax = use_part("softmax")  # from unit 02: softmax(x, axis=-1)

begin("04_attention_gradients")

# %% [markdown]
# ## The idea
#
# A model's output is compared with what it should have been. The comparison gives one number, the **loss** $L$: small is
# good. Now ask of any number in the model: *if I nudge you up a little, what does the loss do?* The answer, change of the
# loss per unit of nudge, is that number's **gradient**. It is positive where a nudge up makes things worse.
#
# An array of numbers has an array of gradients **of the same shape**: `grad_query` holds those of `query`,
# $\partial L / \partial Q$ in formulas.
#
# You never have to see the whole model at once. Attention is three steps. Each step is handed the gradient of what it gave,
# and hands back the gradient of what it got. Forwards on the left, backwards on the right:

# %% part="demo" folded=True
from autograder.lab.figures import Arrow, Box, flow, show

boxes = {
    "qk": Box("query,\nkey", 0, 0, "blue"), "s": Box("scores", 0, 1, "grey"), "w": Box("weights", 0, 2, "green"),
    "v": Box("value", 1, 2, "orange"), "o": Box("output", 0, 3, "green"), "L": Box("loss L", 1.4, 4, "purple"),
    "go": Box("grad_output", 2.8, 3, "green"), "gw": Box("grad_weights", 2.8, 2, "green"), "gv": Box("grad_value", 1.8, 2, "orange"),
    "gs": Box("grad_scores", 2.8, 1, "grey"), "gqk": Box("grad_query,\ngrad_key", 2.8, 0, "blue"),
}
forwards = [("qk", "s"), ("s", "w", "softmax"), ("w", "o"), ("v", "o"), ("o", "L")]
backwards = [("L", "go"), ("go", "gw"), ("go", "gv"), ("gw", "gs", "exercise 2"), ("gs", "gqk")]
show(flow(boxes, forwards + [Arrow(*names, dashed=True) for names in backwards]),
     alt="Left, upwards: query and key give the scores, the softmax turns them into weights, weights and value give the output, "
     "the output gives the loss. Right, downwards, dashed: the loss gives grad_output; from it come grad_value and grad_weights; "
     "grad_weights gives grad_scores; grad_scores gives grad_query and grad_key.")

# %% [markdown]
# ## Part 1 · Nudge and look
#
# You begin with a tool that needs no mathematics, only patience. It will tell you whether the rest is right. Take the
# definition at its word: nudge $x$ by a small step $h$, and see what $f$ does.
#
# $$\text{forward difference:}\quad \frac{f(x+h)-f(x)}{h} \qquad\qquad \text{central difference:}\quad \frac{f(x+h)-f(x-h)}{2h}$$
#
# With a pencil, for $f(x)=x^3$ at $x=2$, where the true slope is $3x^2=12$, and a large step, $h=0.1$:
#
# | | computed from | result | error |
# |---|---|---|---|
# | forward | $(2.1^3 - 2^3)\,/\,0.1 = (9.261-8)\,/\,0.1$ | 12.61 | 0.61 |
# | central | $(2.1^3 - 1.9^3)\,/\,0.2 = (9.261-6.859)\,/\,0.2$ | 12.01 | 0.01 |
#
# Both call $f$ twice, and the second is sixty times closer. The curve bends; looking equally far to both sides, what the bend
# adds on the right it takes away on the left.
#
# With many numbers you nudge **one at a time** and leave the others where they are. So $n$ numbers cost $2n$ calls of $f$. That
# is why nobody trains with it, and why it is so trustworthy: it knows nothing about what is inside $f$.

# %% [markdown] exercise="numerical_gradient" part="prompt" points=10 difficulty=2 minutes=15
# ### Exercise 1 · `numerical_gradient`
#
# The gradient of any function, by central differences. For each entry $x_i$ of the array,
#
# $$g_i = \frac{f(x + h\,e_i) - f(x - h\,e_i)}{2h}$$
#
# where $h$ is the step, and $x + h\,e_i$ is $x$ with $h$ added to entry $i$ and to no other.
#
# | argument | shape | meaning |
# |---|---|---|
# | `function` | | takes an array of the shape of `x`, returns one number |
# | `x` | any, `()` included | where to take the gradient, float64 |
# | `step` | a number | the step $h$ |
# | returns | like `x` | the gradient |
#
# Two things to mind. `x` may have any number of axes: none, one, two or three. And when your function is done, `x` holds what
# it held before, up to rounding. (It may be a view, such as the transpose of another array.) The check also takes large steps, such as 0.5: there a
# wrong formula cannot hide.

# %% exercise="numerical_gradient" part="solution"
def numerical_gradient(function, x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """The gradient of a function by central differences.

    function: takes an array like x, returns a number
    x:        any shape
    step:     how far to look to each side
    returns:  like x
    """
    ### BEGIN SOLUTION
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        forward, backward = x.copy(), x.copy()
        forward[index] += step
        backward[index] -= step
        gradient[index] = (function(forward) - function(backward)) / (2 * step)
    return gradient
    ### END SOLUTION

# %% exercise="numerical_gradient" part="check"
check(numerical_gradient, restores("x"), right_shape, finite, right_size, matches)

# %% [markdown] exercise="numerical_gradient" part="hints"
# - You need two arrays that differ from `x` in a single entry: one with the step added there, one with it taken away. Two
#   names for the same array are not two arrays: `x.copy()` makes a new one.
# - `np.ndindex(x.shape)` goes through all the indices of an array, however many axes it has, and `x[index]` is the entry there.
# - The two points lie 2h apart. Watch the brackets when you divide, and use the `step` that you are given.

# %% [markdown]
# ### Experiment · How small should a step be?
#
# A smaller step follows the bent curve more closely. So why not $10^{-12}$? The next cells take one function whose slope is
# known, $f(x) = e^{\sin x}$ at $x = 1$, and steps from 1 down to $10^{-13}$.
#
# **Predict first.** Draw it on paper: the step along the bottom, the error upwards, both on logarithmic scales. Does the error
# fall and fall? And where does the forward difference run, compared with the central one?

# %% part="demo"
predict("04-small-steps", "As the step shrinks from 1 to 1e-13, the error of the central difference ...",
        choices=("falls all the way", "falls, then stays level", "falls, then rises again"))

# %% part="demo"
nudge = use_part("numerical_gradient")

def f(x):
    return float(np.exp(np.sin(x)).sum())

here, slope = np.array([1.0]), np.exp(np.sin(1.0)) * np.cos(1.0)
steps = np.logspace(-13, 0, 40)
forward = [(f(here + h) - f(here)) / h for h in steps]
central = [nudge(f, here, h)[0] for h in steps]

# %% part="demo" folded=True
from autograder.lab.figures import lines

errors = {name: np.maximum(np.abs(np.array(found) / slope - 1), 1e-17) for name, found in (("forward", forward), ("central", central))}
show(lines(steps, errors, "step h", "error, as a share of the slope", logx=True, logy=True, title="Too large a step, and too small a one"))
for name, error in errors.items():
    print(f"{name}: smallest error {error.min():.0e}, at a step of {steps[error.argmin()]:.0e}")
rises, level = error[0] > 10 * error.min(), steps[error.argmin()] > 1e-10  # the last line is the central difference
outcome("04-small-steps", "falls, then rises again" if rises else "falls, then stays level" if level else "falls all the way")

# %% [markdown]
# Read it from right to left. On the right, the step is so large that the curve's bend is in the way: the **truncation error**. It
# shrinks with $h$ in a forward difference and with $h^2$ in a central one: compare how steep the two lines are.
#
# On the left, two values are subtracted that agree in nearly all their digits. What is left is mostly their **rounding
# error**, and dividing by a tiny $h$ blows it up. The smaller the step, the worse.
#
# Between the two lies the best step. Find it for each line, and see where $10^{-6}$ stands.

# %% [markdown]
# ## Part 2 · Back through the softmax
#
# Softmax turns scores $s$ into weights $w$. Suppose you know $g_i = \partial L / \partial w_i$, how the loss answers when
# weight $i$ is nudged. You want $\partial L / \partial s_j$, how it answers when *score* $j$ is nudged.
#
# The catch: **nudging one score moves all the weights**, since they sum to 1. What one gains, the others lose.
#
# ### Three numbers
#
# Take three scores with $e^{s} = (5,\ 3,\ 2)$. The sum is 10, so $w = (0.5,\ 0.3,\ 0.2)$. Now nudge the first score by a tiny
# $\varepsilon$. Then $e^{s_1}$ grows from $5$ to $5 + 5\varepsilon$, and the sum from $10$ to $10 + 5\varepsilon$. The weights become
#
# | | before | after the nudge | change per $\varepsilon$ |
# |---|---|---|---|
# | $w_1$ | 5/10 | $(5+5\varepsilon)/(10+5\varepsilon)$ | $+0.25$ |
# | $w_2$ | 3/10 | $3/(10+5\varepsilon)$ | $-0.15$ |
# | $w_3$ | 2/10 | $2/(10+5\varepsilon)$ | $-0.10$ |
#
# Two things happen, one after the other. The first weight gains a part of its own size: $+w_1 = 0.5$. And then *everyone* pays,
# in proportion to what they have, so that the sum is 1 again: $w_i$ pays $w_i \cdot w_1$, that is $0.25,\ 0.15,\ 0.10$. So
#
# $$\frac{\partial w_i}{\partial s_j} = \underbrace{w_i\,[\,i = j\,]}_{\text{gain}} - \underbrace{w_i\,w_j}_{\text{everyone pays}}$$
#
# where $[\,i=j\,]$ is 1 if $i = j$ and 0 otherwise. This table of $3 \times 3$ numbers is called the **Jacobian** of the softmax.

# %% part="demo"
from autograder.lab.figures import matrix

scores = np.log([5.0, 3.0, 2.0])
columns = [nudge(lambda s: float(softmax(s)[i]), scores) for i in range(3)]
names = ["1", "2", "3"]
show(matrix(np.array(columns), "score that is nudged", "weight that answers", title="The Jacobian, measured by nudging", rows=names, columns=names, colour_label="change of the weight"))

# %% [markdown]
# Nothing here was derived: each number was measured with the tool from exercise 1. Compare the first column with the table above.
# Then add up a column: what one weight gains, the others lose.

# %% [markdown]
# ### From the table to one line
#
# The nudge of score $j$ moves every weight, and every weight moves the loss. Add up what they do:
#
# $$\frac{\partial L}{\partial s_j} = \sum_i g_i\,\frac{\partial w_i}{\partial s_j}
#   = g_j w_j - \sum_i g_i\,w_i\,w_j = w_j\,\Big(g_j - \sum_i w_i\,g_i\Big)$$
#
# Read it slowly, it is worth it. $\sum_i w_i g_i$ is the weighted mean of the $g$: what the loss gets from the keys *on average*.
# So score $j$ has a gradient of **how much its key differs from the average, times how much weight it has**.
#
# With $g = (1,\ 2,\ 4)$, the mean is $0.5\cdot 1 + 0.3\cdot 2 + 0.2\cdot 4 = 1.9$, and the gradient is
# $(0.5\cdot(-0.9),\ \ 0.3\cdot 0.1,\ \ 0.2\cdot 2.1) = (-0.45,\ 0.03,\ 0.42)$. Its sum is 0. You never need the whole table.

# %% [markdown] exercise="softmax_backward" part="prompt" points=10 difficulty=3 minutes=15 forbids="backward grad softmax_backward_data"
# ### Exercise 2 · `softmax_backward`
#
# Send a gradient back through a softmax along the last axis:
#
# $$\frac{\partial L}{\partial s_j} = w_j\,\Big(g_j - \sum_i w_i\,g_i\Big)$$
#
# | argument | shape | meaning |
# |---|---|---|
# | `weights` | `(..., n)` | what the softmax gave; each row along the last axis sums to 1 |
# | `grad_weights` | `(..., n)` | $g$, the gradient of the loss for each weight |
# | returns | `(..., n)` | the gradient of the loss for each score |
#
# `...` stands for any number of leading axes, none included. Each row has a mean of its own. Write it with NumPy:
# `a.sum(axis=-1, keepdims=True)` sums along the last axis and keeps it, with length 1, so that rows still line up. PyTorch's `backward` and
# `autograd.grad` are not allowed, and neither is its own operator for this step.

# %% exercise="softmax_backward" part="solution"
def softmax_backward(weights: np.ndarray, grad_weights: np.ndarray) -> np.ndarray:
    """The gradient for the scores, from the gradient for the softmax's weights.

    weights:      (..., n), each row sums to 1
    grad_weights: (..., n)
    returns:      (..., n)
    """
    ### BEGIN SOLUTION
    mean = np.sum(weights * grad_weights, axis=-1, keepdims=True)
    return weights * (grad_weights - mean)
    ### END SOLUTION

# %% exercise="softmax_backward" part="check"
check(softmax_backward, keeps_inputs, right_shape, finite, right_size, rows_sum_to_zero, matches)

# %% [markdown] exercise="softmax_backward" part="hints"
# - Try your function on the three numbers of the example: weights (0.5, 0.3, 0.2) and gradients (1, 2, 4) give (−0.45, 0.03, 0.42).
# - The sum in the formula runs over the keys: one number for each row, not one for the whole array. Which axis is that?
# - One number is subtracted from each row. What shape must these numbers have, so that broadcasting hands each to its own row?

# %% [markdown]
# The pencil, the tool and your function, side by side. The tool nudges the *scores* and watches $\sum_i w_i g_i$, which is what
# a loss does whose gradient for the weights is $g$.

# %% part="demo"
softmax_backward_part = use_part("softmax_backward")
g = np.array([1.0, 2.0, 4.0])
print("by pencil:  [-0.45  0.03  0.42]")
print("by nudging:", nudge(lambda s: float(softmax(s) @ g), scores).round(6))
print("by formula:", softmax_backward_part(softmax(scores), g).round(6))

# %% [markdown]
# The formula also says where a softmax stops learning. If one weight is nearly 1, the mean is nearly its own $g$, and the bracket is
# nearly 0; the others have next to no weight. Either way nothing gets through. That is the price of large scores that
# unit 02 measured, and the reason for $1/\sqrt{d_k}$.
#
# Answer, then unfold:
#
# <details><summary>All the <code>g</code> of a row are equal: the loss gets the same from every key. What is the gradient for the
# scores, and why?</summary>
#
# Zero. Each $g$ equals the mean, so every bracket is 0. In words: if it does not matter where the weight goes, there is no reason to move it.
# </details>
#
# <details><summary>A key has weight 0 for a query. What do its score and its value learn from that query?</summary>
#
# Nothing. $w_j = 0$ stands before the bracket, so the score gets no gradient, and with it neither do query and key from this pair. The value's
# gradient is weight times gradient of the output: 0 as well. Overlooked completely, a key cannot even learn to be seen.
# </details>

# %% [markdown]
# ## Part 3 · Back through a matrix product
#
# The rest of attention is matrix products. One rule covers them all. If $C = AB$ and you know the gradient of $C$, then
#
# $$\frac{\partial L}{\partial A} = \frac{\partial L}{\partial C}\,B^\top \qquad\qquad \frac{\partial L}{\partial B} = A^\top\,\frac{\partial L}{\partial C}$$
#
# **Where it comes from.** One number of $C$ is $C_{ij} = \sum_m A_{im} B_{mj}$. Nudge $A_{im}$: row $i$ of $C$ moves, and $C_{ij}$
# moves by $B_{mj}$ times the nudge. Add up over the row what that does to the loss: $\sum_j \frac{\partial L}{\partial C_{ij}} B_{mj}$.
# That is row $i$ of $\partial L/\partial C$ times row $m$ of $B$, and so a product with $B^\top$. The other half goes the same way.
#
# **How to remember it.** The shapes leave no choice. With $A$ of shape $(p, r)$ and $B$ of shape $(r, q)$, the gradient of $A$ must be
# $(p, r)$ again, and from $\partial L/\partial C$, $(p, q)$, and $B$ there is only one way to make it. (Where $p$, $q$ and $r$ are
# equal, the shapes say nothing: then only the rule helps.)
#
# **Two things more.** Transposing goes backwards as transposing: the gradient of $K$ is the transpose of the gradient of $K^\top$. And a
# constant factor on the way there is the same factor on the way back.

# %% [markdown]
# ### The chain
#
# In the row convention (a token is a row), attention goes there in three steps:
#
# $$S = \frac{Q K^\top}{\sqrt{d_k}} \qquad W = \mathrm{softmax}(S)\ \text{along each row} \qquad O = W V$$
#
# | symbol | name in code | shape |
# |---|---|---|
# | $Q$ | `query` | `(..., seq_q, d_k)` |
# | $K$ | `key` | `(..., seq_k, d_k)` |
# | $V$ | `value` | `(..., seq_k, d_v)` |
# | $S,\ W$ | scores, `weights` | `(..., seq_q, seq_k)` |
# | $O$ | output | `(..., seq_q, d_v)` |
#
# Go back through them from the last to the first, on paper before you write code: which gradients come out of $O = WV$? Which is
# finished, and which travels on? Where does the factor $1/\sqrt{d_k}$ come in, and for whom?

# %% [markdown] exercise="attention_backward" part="prompt" points=10 difficulty=4 minutes=25 returns="grad_query grad_key grad_value" forbids="backward grad softmax_backward_data scaled_dot_product_attention" relative=2e-4 absolute=2e-5
# ### Exercise 3 · `attention_backward`
#
# Send a gradient back through scaled dot-product attention. You are given what went in, the weights, and the gradient of the output:
#
# $$\frac{\partial L}{\partial O} \;\longrightarrow\; \frac{\partial L}{\partial V},\ \frac{\partial L}{\partial W}
#   \;\longrightarrow\; \frac{\partial L}{\partial S} \;\longrightarrow\; \frac{\partial L}{\partial Q},\ \frac{\partial L}{\partial K}$$
#
# | argument | shape | meaning |
# |---|---|---|
# | `query`, `key`, `value` | as above | what went into attention |
# | `weights` | `(..., seq_q, seq_k)` | softmax of $QK^\top/\sqrt{d_k}$, as unit 03 returns them |
# | `grad_output` | `(..., seq_q, d_v)` | the gradient of the loss for the output |
# | returns | three arrays | `grad_query`, `grad_key`, `grad_value`, each in the shape of its array |
#
# All arguments have the same leading axes: none, one or two. `np.swapaxes(a, -2, -1)` transposes the last two and leaves those
# alone; `.T` would turn all of them around. Your `softmax_backward` does the middle step. PyTorch's
# `backward`, `autograd.grad` and attention are not allowed: they come afterwards, to compare.

# %% exercise="attention_backward" part="solution"
def attention_backward(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, weights: np.ndarray, grad_output: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients for queries, keys and values of scaled dot-product attention.

    query:       (..., seq_q, d_k)
    key:         (..., seq_k, d_k)
    value:       (..., seq_k, d_v)
    weights:     (..., seq_q, seq_k)
    grad_output: (..., seq_q, d_v)
    returns:     grad_query, grad_key and grad_value, like query, key and value
    """
    ### BEGIN SOLUTION
    grad_value = np.swapaxes(weights, -2, -1) @ grad_output
    grad_weights = grad_output @ np.swapaxes(value, -2, -1)
    grad_scores = softmax_backward(weights, grad_weights)
    grad_scores = grad_scores / np.sqrt(key.shape[-1])
    grad_query = grad_scores @ key
    grad_key = np.swapaxes(grad_scores, -2, -1) @ query
    return grad_query, grad_key, grad_value
    ### END SOLUTION

# %% exercise="attention_backward" part="check"
check(attention_backward, keeps_inputs, right_shape, finite, right_size, each_gradient("grad_query", "grad_key", "grad_value"), matches)

# %% [markdown] exercise="attention_backward" part="hints"
# - Begin at the end: O = W V is a product of two matrices, and the rule gives a gradient for each of the two. The one for V is
#   finished. The one for W goes through `softmax_backward`.
# - Write the shape beside each product. Where two inner lengths do not meet, one of the two matrices has to be transposed.
# - Q Kᵀ is a product, too: of Q, and of Kᵀ. Divide the gradient of the scores by √d_k *before* it splits into the two;
#   then both have the factor. The values never meet it.

# %% [markdown]
# ## Does it hold? Three ways to the same gradients
#
# Now the test that this unit was built for. On one attention, the same gradients are computed by hand (with your own function from the
# cell above), by nudging, and by PyTorch's **autograd**, which keeps a list of every operation on the way there and goes back along it.
#
# **Predict first.** By hand and autograd do the same sums, perhaps in another order. Nudging is an approximation, with a step of $10^{-6}$.
# How far is it from the other two? (The gradients themselves are numbers around 1.)

# %% part="demo"
predict("04-nudging-apart", "The largest difference between nudging and your formula will be near ...",
        choices=("1e-3", "1e-6", "1e-9", "1e-16"))

# %% part="demo"
attention, attention_backward_part = use_part("scaled_dot_product_attention"), use_part("attention_backward")
rng = np.random.default_rng(4)
inputs = dict(query=rng.normal(size=(2, 3, 4)), key=rng.normal(size=(2, 5, 4)), value=rng.normal(size=(2, 5, 6)))
weights, grad_output = attention(**inputs)[1], rng.normal(size=(2, 3, 6))
try:
    by_hand = attention_backward(**inputs, weights=weights, grad_output=grad_output)
    if [gradient.shape for gradient in by_hand] != [array.shape for array in inputs.values()]:
        raise ValueError("the shapes are not those of query, key and value")
except Exception as error:
    print(f"Yours cannot be used yet ({type(error).__name__}). The course's own stands in, and does the same as autograd.")
    by_hand = attention_backward_part(**inputs, weights=weights, grad_output=grad_output)

# %% part="demo" folded=False
import torch

from autograder.lab.tables import table

def loss(**changed):
    return float(np.sum(attention(**(inputs | changed))[0] * grad_output))

by_nudging = [nudge(lambda x: loss(**{name: x}), inputs[name]) for name in inputs]
leaves = [torch.from_numpy(array).requires_grad_(True) for array in inputs.values()]
torch.nn.functional.scaled_dot_product_attention(*leaves).backward(torch.from_numpy(grad_output))

rows = [(f"grad_{name}", float(np.abs(hand - leaf.grad.numpy()).max()), float(np.abs(hand - nudged).max()))
        for name, hand, leaf, nudged in zip(inputs, by_hand, leaves, by_nudging, strict=True)]
apart = max(row[2] for row in rows)
outcome("04-nudging-apart", min(("1e-3", "1e-6", "1e-9", "1e-16"), key=lambda power: abs(np.log10(max(apart, 1e-20) / float(power)))))
table(rows, ["largest difference", "by hand and autograd", "by hand and nudging"])

# %% [markdown]
# A float64 carries about 16 digits, so differences near $10^{-16}$ are rounding and nothing else: by hand and by autograd are the same
# gradients. Nudging stands some powers of ten away, at the kind of error that the first plot showed for $h = 10^{-6}$. A missing factor
# or a wrong axis would show in the first digit.

# %% [markdown]
# ## Experiment · The same check in single precision
#
# Deep learning runs in float32, which holds 7 digits where float64 holds 16. PyTorch's tensors are float32 unless told otherwise. So
# someone runs this gradient check, on the same right code, in float32. A usual rule: the check passes where the difference is below
# one part in a thousand.
#
# **Predict first.** With a step of $10^{-6}$, does it pass?

# %% part="demo"
predict("04-single-precision", "Right code, float32, a step of 1e-6: the check ...", choices=("passes", "fails"))

# %% part="demo" folded=False
def loss_double(query):
    return loss(query=query)

def loss_single(query):
    query, key, value = (array.astype(np.float32) for array in (query, inputs["key"], inputs["value"]))
    weights = np.exp(query @ key.swapaxes(-2, -1) / np.float32(2))  # d_k is 4
    return float(np.sum(weights / weights.sum(-1, keepdims=True) @ value * grad_output.astype(np.float32)))

exact = leaves[0].grad.numpy()
def error_of(function, step):
    return np.abs(nudge(function, inputs["query"], step) - exact).max() / np.abs(exact).max()

steps = np.logspace(-9, 0, 28)
curves = {name: [error_of(function, step) for step in steps] for name, function in (("float64", loss_double), ("float32", loss_single))}
at_6 = error_of(loss_single, 1e-6)
outcome("04-single-precision", "passes" if at_6 < 1e-3 else "fails")

# %% part="demo" folded=True
curves["one in a thousand"] = np.full(len(steps), 1e-3)
show(lines(steps, curves, "step h", "largest error / largest gradient", logx=True, logy=True, title="A gradient check of right code", markers=False))
print(f"at a step of 1e-06: float64 {error_of(loss_double, 1e-6):.0e}, float32 {at_6:.0e}; smallest error of all steps: "
      f"float64 {min(curves['float64']):.0e}, float32 {min(curves['float32']):.0e}")

# %% [markdown]
# Look at the step of $10^{-6}$, and at the level that counts as passed. The gradients are right in both lines; what fails is the *check*. Of
# two losses that agree in six digits, float32 has hardly a digit left to tell them apart. People have spent evenings on a mistake that was
# none. So: **check gradients in float64**, with a step near $10^{-6}$, then train in whatever you like.

# %% [markdown]
# ## Experiment · What can be learned where?
#
# A gradient is good for going downhill: move each number a little against its gradient, again and again. Here eight queries look at three
# keys, and each output should become a target, a point of the plane drawn at random. The loss is half the squared distance, so `grad_output`
# is simply output minus target.
#
# **Predict first.** Three runs. In the first only the values may move, in the second only queries and keys, in the third all three. Which of
# them can bring the loss to 0? Think of what an output is made of.

# %% part="demo"
RUNS = {"only values move": {2}, "only queries and keys move": {0, 1}, "all three move": {0, 1, 2}}
predict("04-downhill", "Which runs bring the loss below 1 % of where it began?", choices=(*RUNS, "the first and the last", "the last two", "none", "all"))

# %% part="demo" folded=False
rng = np.random.default_rng(0)
start = [rng.normal(size=(8, 2)), rng.normal(size=(3, 2)), rng.normal(size=(3, 2))]  # query, key, value
target = rng.normal(size=(8, 2))
attention_backward_part = use_part("attention_backward")

def descend(moving, steps=300, rate=0.25):
    parts, losses = [array.copy() for array in start], []
    for _ in range(steps):
        output, weights = attention(*parts)
        losses.append(0.5 * np.sum((output - target) ** 2))
        gradients = attention_backward_part(*parts, weights, output - target)
        parts = [array - rate * gradient * (i in moving) for i, (array, gradient) in enumerate(zip(parts, gradients, strict=True))]
    return losses, output, parts[2]

runs = {name: descend(moving) for name, moving in RUNS.items()}
arrived = [name for name, (losses, _, _) in runs.items() if losses[-1] < 0.01 * losses[0]]
several = {0: "none", 1: "".join(arrived), 2: "the first and the last" if "only values move" in arrived else "the last two", 3: "all"}
outcome("04-downhill", several[len(arrived)])

# %% part="demo" folded=True
from autograder.lab.figures import panels

weights = attention(*start)[1]  # fixed while only values move: the best values are a least-squares fit
fitted = weights @ np.linalg.lstsq(weights, target, rcond=None)[0]
shares = np.array([(i, j, 200 - i - j) for i in range(201) for j in range(201 - i)]) / 200  # weights that sum to 1
triangle = shares @ start[2]  # wherever queries and keys can bring an output
nearest = np.min(np.sum((triangle[:, None] - target) ** 2, axis=2), axis=0)
floors = {"floor, fixed weights": 0.5 * np.sum((fitted - target) ** 2), "floor, fixed values": 0.5 * nearest.sum()}
curves = {name: losses for name, (losses, _, _) in runs.items()} | {name: np.full(300, floor) for name, floor in floors.items()}
show(lines(np.arange(300), curves, "step downhill", "loss", title="Going downhill with attention_backward", markers=False))
for name, (losses, _, _) in runs.items():
    print(f"{name}: loss {losses[0]:.3g} → {losses[-1]:.3g}")
print("; ".join(f"{name}: {floor:.3g}" for name, floor in floors.items()))

figure, axes = panels(1, 2, width=7.2, height=3.9, sharex=True, sharey=True)
for ax, name in zip(axes[0], list(RUNS)[1:], strict=True):
    _, output, value = runs[name]
    corners = value[[0, 1, 2, 0]]
    ax.fill(*value.T, color="#d9ebf7")
    ax.plot(*corners.T, color="#0072B2", linestyle="-", marker="s", label="the three values")
    ax.plot(*np.stack([output, target]).transpose(2, 0, 1), color="#6b6b6b", linestyle="-", linewidth=1)
    ax.plot(*target.T, color="#D55E00", linestyle="", marker="x", markersize=8, label="targets")
    ax.plot(*output.T, color="#009E73", linestyle="", marker="o", label="outputs")
    ax.set_title(name)
    ax.set(xlabel="first number", ylabel="second number" if ax is axes[0, 0] else "")
axes[0, 0].legend(loc="best")
show(figure, alt="Two pictures of the plane with eight targets, the triangle of the three values, and the outputs at the end. Where only queries "
     "and keys move, targets outside the triangle are not reached: their outputs end on its edge. Where all move, the triangle has grown.")

# %% [markdown]
# Queries and keys decide only *where to look*. Whatever they learn, an output stays a mean of the values, inside their triangle. A target
# outside is reached as far as the triangle's edge, and the dashed floor is what remains. The values decide *what there is to see*; but all
# queries share them, and three points of the plane cannot serve eight fixed mixtures: that floor is the least-squares error. Together they
# do what neither does alone. In a model all of them come from learned matrices, so all three gradients flow on into $W_q$, $W_k$ and
# $W_v$, by the same rule for products.

# %% [markdown]
# ## What you built
#
# - `numerical_gradient`: the gradient of any function, by nudging. Slow, blind, and trustworthy.
# - `softmax_backward`: how much each key differs from the average, times its weight.
# - `attention_backward`: the way back through the whole of attention, equal to PyTorch's autograd up to rounding.
#
# This is what happens, layer by layer, each time someone writes `loss.backward()`. From the next unit on you write it, too, and
# you know what it does.

# %% [markdown]
# ## Questions to test yourself
#
# Answer first, then unfold.
#
# <details><summary>1. You double <code>grad_output</code>. What happens to the three gradients?</summary>
#
# They double. The way back is linear in the gradient that comes in, however crooked the way there is.
# </details>
#
# <details><summary>2. Your model has a million numbers, and one pass there takes 10 ms. How long does a numerical gradient take? And
# backpropagation?</summary>
#
# Two passes for each number: two million times 10 ms, more than five hours. Backpropagation costs only a few times as much as one
# pass, whatever the number of parameters. For a check, nudge twenty numbers picked at random.
# </details>
#
# <details><summary>3. A gradient check with a step of 1e-6 shows an error of 3e-2. Do you suspect the gradient, the step, or the
# precision?</summary>
#
# Look at the precision first. In float64 such an error means a mistake in the gradient. In float32 it may mean nothing: repeat the check
# in float64 before you search.
# </details>

# %% [markdown]
# ## Sources
#
# - Vaswani and others, *Attention Is All You Need*, 2017, section 3.2.1: scaled dot-product attention, and small gradients of the softmax as the
#   reason for the scale.
# - Hung-yi Lee (李宏毅), National Taiwan University: *Machine Learning 2021*, lecture "自注意力機制 (Self-attention)", parts (上) and (下): attention as
#   matrix products, of which only $W^q$, $W^k$ and $W^v$ are learned. The way back is worked out in this unit; its numbers are this course's own.
# - Goodfellow, Bengio and Courville, *Deep Learning*, 2016, sections 6.5 and 6.5.6: backpropagation, and the rule for matrix products.
# - Press, Teukolsky, Vetterling and Flannery, *Numerical Recipes*, 3rd edition, 2007, section 5.7: truncation and rounding error of numerical
#   derivatives, and the best step.
# - PyTorch documentation, "Gradcheck mechanics": the check that PyTorch runs on its own operators, by central differences with a step of
#   1e-6 in double precision.
#
# **Next:** unit 05, multi-head attention: several attentions side by side, in PyTorch, which from now on goes back by itself.
