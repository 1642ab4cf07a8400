# %% [markdown]
# # 00 · Start here: arrays, axes, and how this course answers you
#
# In this course you build a Transformer yourself, piece by piece, and in unit 10 it translates Chinese. Each piece has a check
# that tells you which mistake you made. You begin with three small tools.
#
# **When you are done, you can**
#
# - read what a check says, ask for a hint, and validate a notebook;
# - compare every row of one array with every row of another, without a loop;
# - build a table from two lists of numbers by broadcasting;
# - split an array's last axis into groups;
# - say which devices your machine has, and where your own library grows.
#
# **Time** about 40 minutes; three exercises, 15 points. **You need** a little Python and what a matrix is.
#
# **How to work.** Read from the top. Run each cell with Shift+Enter. Write only where it says `YOUR CODE HERE`; add cells of your
# own wherever you like. A grey bar with three dots is a folded cell: run it like any other, and click it if you want to see its code.

# %% part="setup"
import numpy as np

from autograder import begin, check, entries_in_place, finite, hint, keeps_inputs, matches, outcome, predict, right_shape, use_part

begin("00_start_here")

# %% [markdown]
# The folded cell above draws **the whole machine**. Do not study it yet. On the left, the encoder reads a Chinese
# sentence from the bottom up. On the right, the decoder writes the English one, word by word. Each box carries the number of
# the unit in which you build it; each unit begins with this picture and has its own boxes in orange. Today none is: you are making tools.

# %% [markdown]
# ## Arrays and axes
#
# An **array** is a block of numbers. Its **shape** says how long each of its **axes** is: `(3, 4)` is "three
# rows of four numbers". In this course **a token**, such as a word, **is a row**: a sentence of 3 tokens, each a vector of 4 numbers, is `(3, 4)`, and a
# **batch** of 2 such sentences is `(2, 3, 4)`. Axes count from 0; −1 is the last one.

# %% part="demo"
sentence = np.array([[1.0, 0.0, 2.0, 0.0], [0.0, 1.0, 0.0, 3.0], [2.0, 2.0, 0.0, 0.0]])
batch = np.stack([sentence, 10 * sentence])
print("one sentence:", sentence.shape, "  a batch of two:", batch.shape)
print("sum along axis 0, down the rows:     ", sentence.sum(axis=0), " shape", sentence.sum(axis=0).shape)
print("sum along axis −1, within each row:  ", sentence.sum(axis=-1), "     shape", sentence.sum(axis=-1).shape)

# %% [markdown]
# The axis that you name is the one that **disappears**. Most mistakes are a wrong axis, or two axes that changed
# places. When you are lost, print the shape.
#
# ## Part 1 · Every row with every row
#
# The **dot product** of two vectors multiplies them number by number and sums: $(1, 2)\cdot(3, -1) = 3 - 2 = 1$. Attention
# needs it for *every* query with *every* key. With the rows
#
# $$a = \begin{bmatrix}1&2\\0&1\end{bmatrix}, \qquad b = \begin{bmatrix}3&-1\\1&1\\2&0\end{bmatrix}$$
#
# there are six:
#
# | | $b_0 = (3,-1)$ | $b_1 = (1, 1)$ | $b_2 = (2, 0)$ |
# |---|---|---|---|
# | $a_0 = (1, 2)$ | 1 | 3 | 2 |
# | $a_1 = (0, 1)$ | −1 | 1 | 0 |
#
# NumPy writes a matrix product as `P @ Q`, and the transpose, in which rows become columns, as `P.T`.

# %% [markdown] exercise="pairwise_dot" part="prompt" points=5 difficulty=1 minutes=5
# ### Exercise 1 · `pairwise_dot`
#
# Compute the dot product of each row of `a` with each row of `b`.
#
# $$\text{out}_{i,j} = \sum_{c=0}^{d-1} a_{i,c}\; b_{j,c}$$
#
# | argument | shape | meaning |
# |---|---|---|
# | `a` | `(n, d)` | $n$ rows of $d$ numbers |
# | `b` | `(m, d)` | $m$ rows of $d$ numbers |
# | returns | `(n, m)` | row $i$, column $j$: row $i$ of `a` with row $j$ of `b` |

# %% exercise="pairwise_dot" part="solution"
def pairwise_dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Dot products of all rows of one array with all rows of another.

    a:       (n, d)
    b:       (m, d)
    returns: (n, m)
    """
    ### BEGIN SOLUTION
    return a @ b.T
    ### END SOLUTION

# %% exercise="pairwise_dot" part="check"
check(pairwise_dot, keeps_inputs, right_shape, finite, matches)

# %% [markdown] exercise="pairwise_dot" part="hints"
# - A matrix product `P @ Q` takes the dot product of each *row* of `P` with each *column* of `Q`. Where do the vectors stand in `b`?
# - Write the shapes side by side. In a matrix product the two inner sizes must be equal, and they disappear: `(n, d)` with
#   `(d, m)` gives `(n, m)`. What turns `(m, d)` into `(d, m)` and keeps each vector in one piece?

# %% [markdown]
# <details><summary><code>a</code> has shape (5, 8) and <code>b</code> (3, 8). Why does <code>a @ b</code> fail, and what would it mean if <code>b</code> had shape (8, 8)?</summary>
#
# In a matrix product the inner sizes must agree, and 8 meets 3. With `(8, 8)` it would run without complaint, and
# combine rows of `a` with *columns* of `b`. Square arrays hide such mistakes.
# </details>
#
# ## How a check reads
#
# Here is a try at exercise 2, with a mistake on purpose. The exercise wants *sums*; this try makes *products*. Run it and read the panel.

# %% part="demo"
def first_try(column, row):
    return np.outer(column, row)

first_try.__name__ = "outer_sum"  # so that the check knows which exercise this is a try at
check(first_try, keeps_inputs, right_shape, finite, matches)

# %% [markdown]
# From the top:
#
# 1. **The headline**: not yet, which exercise, how many of the points. Points are all or nothing for each set of cases.
# 2. **The sentence**: what was seen and what was expected. The check knows many mistakes. When your output
#    equals the output of one of them, it names the mistake. Otherwise it says which property fails first and claims no cause.
# 3. **Seen on**: the case, one of several. Sizes in the cases all differ, so nothing passes by luck.
# 4. **Yours beside expected**: the numbers, the first place that differs marked.
# 5. **The properties**, each with ✓ or ✗ (– means: not reached). This try has the right shape; only the numbers are wrong.
# 6. **Hints**, folded. Open them one by one, here or with `hint(outer_sum)` in a cell of your own. They cost nothing and never hold the code.
#
# **What a check does not promise.** You see the *visible* cases. They carry about 60 % of the points. The others are decided when your notebook is graded:
# it is run from the top, and judged on new numbers and sizes by the same properties. Code that computes what is asked, for any size, passes both. Code that
# fits the examples only does not.
#
# Every unit goes round in this way:

# %% part="demo" folded=True
from autograder.lab.figures import Arrow, Box, flow, show

boxes = {
    "write": Box("you write\na function", 0, 0, "blue"),
    "check": Box("check(...)", 1, 0, "grey"),
    "no": Box("✗ what was seen,\nwhat was expected,\nwhere to look", 1, 1, "orange"),
    "yes": Box("✓ points", 2, 0, "green"),
    "keep": Box("my_transformer\nyour own library", 3, 0, "green"),
    "later": Box("use_part(...)\nin later units", 3, 1, "purple"),
}
arrows = [Arrow("write", "check"), Arrow("check", "no"), Arrow("no", "write"), Arrow("check", "yes"), Arrow("yes", "keep"), Arrow("keep", "later")]
show(flow(boxes, arrows), alt="You write a function; check looks at it. If it is not right yet, you read what was seen, what was "
     "expected and where to look, and write again. If it is right you get points, it is kept in my_transformer, and later units use it.")

# %% [markdown]
# ## A pocketful of NumPy
#
# The tools of the next units. Run the cell, compare the shapes, and come back when one of them turns up. From unit 05 on you use PyTorch's *tensors*: arrays
# that can also live on a GPU and keep track of gradients. Nearly all these tools work on them.

# %% part="demo"
from autograder.lab.tables import table

tools = [
    ("sentence.T", "rows become columns", sentence.T),
    ("batch.swapaxes(-2, -1)", "two axes change places, the others stay", batch.swapaxes(-2, -1)),
    ("sentence @ sentence.T", "rows of the first with columns of the second", sentence @ sentence.T),
    ("sentence.reshape(2, 6)", "the same numbers in the same order, cut anew", sentence.reshape(2, 6)),
    ("sentence.sum(axis=-1, keepdims=True)", "the summed axis stays, with length 1", sentence.sum(axis=-1, keepdims=True)),
    ("np.einsum('nd,nd->n', sentence, sentence)", "multiply, then sum over each letter missing behind ->", np.einsum("nd,nd->n", sentence, sentence)),
    ("sentence + np.ones(4)", "broadcasting: part 2", sentence + np.ones(4)),
]
table([(tool, what, str(result.shape)) for tool, what, result in tools], ["sentence is (3, 4), batch is (2, 3, 4)", "what it does", "shape"])

# %% [markdown]
# ## Part 2 · Broadcasting
#
# What is the sum of arrays of different shapes? NumPy lines the shapes up **from the right**. An axis that is missing, or has
# length 1, is stretched to the other's length. This is called **broadcasting**.
#
# **Predict first.** Which of these sums work, and with what shape? `(3, 4) + (4,)` · `(3, 4) + (3,)` · `(3, 4) + (3, 1)` · `(2, 1, 4) + (3, 1)`
#
# The next cell takes your guess down. Run it, choose, and go on; the result will stand beside it. Where you see no buttons, write the guess into the
# cell, as its output says. Guesses are never graded, and a wrong one teaches most.

# %% part="demo"
predict("00-broadcasting", "How many of the four sums work?", choices=("one", "two", "three", "all four"))

# %% part="demo"
pairs, works = [((3, 4), (4,)), ((3, 4), (3,)), ((3, 4), (3, 1)), ((2, 1, 4), (3, 1))], 0
for left, right in pairs:
    try:
        print(left, "+", right, "→", (np.zeros(left) + np.zeros(right)).shape)
        works += 1
    except ValueError:
        print(left, "+", right, "→ does not fit")
outcome("00-broadcasting", ("none", "one", "two", "three", "all four")[works])

# %% [markdown]
# In `(3, 4) + (3,)`, counted from the right, 4 meets 3. With an axis of length 1, as in `(3, 1)`, it fits. An index of `None` adds such an axis: if `x` has shape `(3,)`, then `x[None, :]` has shape `(1, 3)`.
#
# Broadcasting is strong and silent. Two arrays of the *same* length add without complaint, whatever you meant.
#
# <details><summary>Which shape comes out of (4, 1) + (1, 6)? And out of (4,) + (4, 1)?</summary>
#
# `(4, 6)`, and `(4, 4)`: the first array is read as `(1, 4)`.
# </details>

# %% [markdown] exercise="outer_sum" part="prompt" points=5 difficulty=1 minutes=5
# ### Exercise 2 · `outer_sum`
#
# Make the table of all sums of a number from `column` and a number from `row`. With broadcasting it takes no loop.
#
# $$\text{out}_{i,j} = \text{column}_i + \text{row}_j$$
#
# With `column` = (10, 20, 30) and `row` = (1, 2), the table is
# $\begin{bmatrix}11&12\\21&22\\31&32\end{bmatrix}$.
#
# | argument | shape | meaning |
# |---|---|---|
# | `column` | `(n,)` | one number for each row of the table |
# | `row` | `(m,)` | one number for each column of the table |
# | returns | `(n, m)` | the sums |

# %% exercise="outer_sum" part="solution"
def outer_sum(column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """The table of all sums of one number from each argument.

    column:  (n,)
    row:     (m,)
    returns: (n, m)
    """
    ### BEGIN SOLUTION
    return column[:, None] + row
    ### END SOLUTION

# %% exercise="outer_sum" part="check"
check(outer_sum, keeps_inputs, right_shape, finite, matches)

# %% [markdown] exercise="outer_sum" part="hints"
# - Line the shapes up from the right. `row` has shape `(m,)` and already lies along the last axis. What shape must `column` have to stand upright?
# - `column` needs one more axis, of length 1, *behind* its own: `(n, 1)`. The text above adds one *in front*.

# %% [markdown]
# Broadcasting draws a whole landscape from two lines. This is `outer_sum` of a wave and a slope, yours if it has passed.

# %% part="demo"
from autograder.lab.figures import matrix

wave, slope = np.sin(np.arange(8)), np.linspace(-1, 1, 12)
show(matrix(use_part("outer_sum")(wave, slope), "place in row", "place in column", colour_label="sum",
            title="column: a wave of 8 numbers; row: a slope of 12"))

# %% [markdown]
# Down a column you see the wave; along a row, the slope.
#
# ## Part 3 · Groups along the last axis
#
# **Reshaping** gives the same numbers, in the same order, another shape: `x.reshape(2, 3)`. Think of all numbers in one long line, the last
# axis running fastest; a new shape says where to cut the line.
#
# Later, a vector of 6 numbers is shared by 2 heads: the first 3 numbers go to head 0 and the next 3 to head 1. The vector
# (1, 2, 3, 4, 5, 6) becomes $\begin{bmatrix}1&2&3\\4&5&6\end{bmatrix}$. Neighbours stay together.

# %% [markdown] exercise="group_last_axis" part="prompt" points=5 difficulty=2 minutes=8
# ### Exercise 3 · `group_last_axis`
#
# Split the last axis into `num_groups` groups of neighbours. All other axes stay as they are, **however many there are**.
#
# | argument | shape | meaning |
# |---|---|---|
# | `x` | `(..., g*k)` | any number of leading axes, none included |
# | `num_groups` | a whole number | $g$, the number of groups; it divides the last axis |
# | returns | `(..., g, k)` | $g$ groups of $k$ numbers each, in order |
#
# For example, `(2, 5, 12)` with 3 groups gives `(2, 5, 3, 4)`. (The dots `...` in a shape stand for "any axes, perhaps none".)

# %% exercise="group_last_axis" part="solution"
def group_last_axis(x: np.ndarray, num_groups: int) -> np.ndarray:
    """The last axis split into groups of neighbours.

    x:       (..., g*k)
    num_groups: g
    returns: (..., g, k)
    """
    ### BEGIN SOLUTION
    *leading, width = x.shape
    return x.reshape(*leading, num_groups, width // num_groups)
    ### END SOLUTION

# %% exercise="group_last_axis" part="check"
check(group_last_axis, keeps_inputs, right_shape, entries_in_place("x"), matches)

# %% [markdown] exercise="group_last_axis" part="hints"
# - The numbers need not move at all: in the long line they already stand in the right order. Only the shape changes.
# - The new shape is all of the old one but its last entry, then `g`, then `k`. `x.shape` is a tuple, and tuples can be
#   cut and joined.
# - What is `k`? The last axis has g·k numbers. Divide with `//`: a shape holds whole numbers only.

# %% [markdown]
# ## An experiment: why no loops?
#
# The square length of a vector is $\sum_c x_c^2$. Loop over its numbers in Python, or write `x @ x` and let NumPy loop in compiled code.
#
# **Predict first.** How many times as long does the Python loop take for 10 numbers, and for 10,000? The cell asks for the second.

# %% part="demo"
predict("00-python-loop", "For 10,000 numbers, the loop takes how many times as long?", unit="times")

# %% part="demo" folded=False
from autograder.lab.figures import lines
from autograder.lab.timing import compare

def looped(x):
    total = 0.0
    for number in x:
        total += number * number
    return total

counts, times = (10, 100, 1_000, 10_000), {"Python loop": [], "x @ x": []}
for count in counts:
    x = np.random.default_rng(0).normal(size=count)
    measured = compare({"Python loop": lambda x=x: looped(x), "x @ x": lambda x=x: x @ x}, repeat=5)
    for name in times:
        times[name].append(1e6 * measured.timings[name].low)  # the fastest of five runs: the least disturbed
    print(f"{count:>6,} numbers: the loop takes {times['Python loop'][-1] / times['x @ x'][-1]:,.0f} times as long")
show(lines(counts, times, "numbers in the vector", "time (µs)", logx=True, logy=True, title="Sum of squares, two ways"))
outcome("00-python-loop", times["Python loop"][-1] / times["x @ x"][-1], "times")

# %% [markdown]
# Each axis counts by factors of ten. Look at the distance between the two lines, and at where the lower one begins to rise: for a short
# vector most of its time is the call itself. That is why this course writes attention as a few large
# products.

# %% [markdown]
# ## What this machine has
#
# From unit 05 on, code runs on the **device** where its tensors are: `cpu` everywhere, `cuda` on an NVIDIA (or AMD) GPU, `mps` on a Mac
# with Apple silicon. A CPU is enough for all that is graded.

# %% part="demo"
import os
import platform

import torch

cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
print(f"Python {platform.python_version()}, NumPy {np.__version__}, PyTorch {torch.__version__}")
print(f"cpu:  yes, {os.cpu_count()} cores; PyTorch uses {torch.get_num_threads()} threads")
print("cuda:", f"yes, {torch.cuda.get_device_name()}" if cuda else "no")
print("mps: ", "yes" if mps else "no")
device = torch.device("cuda" if cuda else "mps" if mps else "cpu")
print("so later units would use", device, "— a tensor there:", torch.ones(3, device=device).sum().item())

# %% [markdown]
# ## Your own library
#
# What passes a check is **kept** in `my_transformer`, a folder beside the units' folders. By the end of the
# course that folder is a Transformer, and all of it is yours.
#
# Later units ask for a part by its name. `use_part("pairwise_dot")` gives **your own** where it has passed, and says so. Otherwise it
# gives one backed by a library's operator, so that a skipped exercise never stops you. (In grading it is
# always the library's: early mistakes cannot cost you later points.)

# %% part="demo"
part = use_part("pairwise_dot")
print(part(np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([[3.0, -1.0], [1.0, 1.0], [2.0, 0.0]])))

# %% [markdown]
# That is the table from part 1. Change your function, and the kept one changes when it passes again.
#
# ## Before you hand in
#
# 1. **Kernel → Restart Kernel and Run All Cells.** Your notebook should work from the top.
# 2. **Save**, then run the last code cell of the notebook, `preflight(...)`. It reads the saved file as the grader will and says
#    what is missing. With `repair=True` it also mends what it can.
# 3. Or press **Validate** in the toolbar: it runs the notebook in a fresh kernel and lists the check
#    cells that did not earn their points. Both look at the visible cases only.
# 4. Leave the check cells as they are. If you have changed or deleted one by accident, it is put back when your notebook is graded.
#
# **Pictures in words.** Every picture in this course has a description. Set `AUTOGRADER_FIGURES_IN_WORDS=1`
# before you start JupyterLab, or as here in a cell, and it is printed below each picture.

# %% part="demo"
before = os.environ.get("AUTOGRADER_FIGURES_IN_WORDS", "0")
os.environ["AUTOGRADER_FIGURES_IN_WORDS"] = "1"
show(matrix(sentence, "number in the vector", "token", title="The sentence from above"))
os.environ["AUTOGRADER_FIGURES_IN_WORDS"] = before  # as it was

# %% [markdown]
# ## What you built
#
# - `pairwise_dot`: every row against every row. In unit 03 the rows are queries and keys.
# - `outer_sum`: a table from two lines, by broadcasting.
# - `group_last_axis`: one axis cut into two. In unit 05 the groups are attention heads.
#
# ## Questions to test yourself
#
# Answer first, then unfold.
#
# <details><summary>1. <code>x</code> has shape (2, 5, 12). What is the shape of <code>x.sum(axis=1)</code>, and of <code>x.sum(axis=-1)</code>?</summary>
#
# `(2, 12)` and `(2, 5)`: the axis that you name disappears.
# </details>
#
# <details><summary>2. Your check passes. Is your function right?</summary>
#
# It is right on the visible cases, and has the properties listed there. New numbers and sizes decide the rest when the notebook is graded.
# </details>

# %% [markdown]
# ## Sources
#
# - NumPy's manual: "Broadcasting" and "The N-dimensional array". PyTorch's: CUDA and MPS. nbgrader's: validating a notebook.
#
# **Next:** unit 01, why attention: what a recurrent network, a convolution and self-attention each can see, and what that costs.
