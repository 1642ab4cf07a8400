# %% [markdown]
# # 00 · Start here: arrays, axes, and how this course answers you
#
# In this course you build a Transformer yourself, piece by piece, in notebooks like this one. Each piece has a check that
# tells you which mistake you made. This first unit is short. Its three small functions are tools that attention needs.
#
# **When you are done, you can**
#
# - read what a check says, ask for a hint, and validate a notebook;
# - compare every row of one array with every row of another, without a loop;
# - build a table from two lists of numbers by broadcasting;
# - split an array's last axis into groups;
# - say which devices your machine has, and where your own library grows.
#
# **Time** about 35 minutes; three exercises, 15 points. **You need** a little Python and what a matrix is.
#
# **How to work.** Read from the top. Run each cell with Shift+Enter. Write only where it says `YOUR CODE HERE`; add cells of your
# own wherever you like.

# %% part="setup"
import numpy as np

from autograder import begin, check, entries_in_place, finite, hint, keeps_inputs, matches, right_shape, use_part

begin("00_start_here")

# %% [markdown]
# ## What happens to what you write
#
# Every unit works in the same way. Run the cell for the picture and follow the arrows from the left.

# %% part="demo"
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
# ## Arrays and axes
#
# An **array** is a block of numbers. Its **shape** says how long each of its **axes** is. Read shapes aloud: `(3, 4)` is "three
# rows of four numbers". In this course **a token is a row**: a sentence of 3 tokens, each a vector of 4 numbers, is `(3, 4)`, and a
# **batch** of 2 such sentences is `(2, 3, 4)`. Axes count from 0; −1 is the last one.

# %% part="demo"
sentence = np.array([[1.0, 0.0, 2.0, 0.0], [0.0, 1.0, 0.0, 3.0], [2.0, 2.0, 0.0, 0.0]])
batch = np.stack([sentence, 10 * sentence])
print("one sentence:", sentence.shape, "  a batch of two:", batch.shape)
print("sum along axis 0, down the rows:     ", sentence.sum(axis=0), " shape", sentence.sum(axis=0).shape)
print("sum along axis −1, within each row:  ", sentence.sum(axis=-1), "     shape", sentence.sum(axis=-1).shape)

# %% [markdown]
# The axis that you name is the one that **disappears**. Most mistakes in this course are a wrong axis or two axes that changed
# places. So when you are lost, print the shape.
#
# A PyTorch *tensor* is such an array too; it can also live on a GPU and keep track of gradients. Units 00 to 04 use
# NumPy, units from 05 on use PyTorch.

# %% [markdown]
# ## How a check reads
#
# Here is a try at exercise 2, with a mistake on purpose. The exercise asks for a table of *sums*; this try makes a table of
# *products*. Run the cell and read the panel.

# %% part="demo"
def first_try(column, row):
    return np.outer(column, row)

first_try.__name__ = "outer_sum"  # so that the check knows which exercise this is a try at
check(first_try, keeps_inputs, right_shape, finite, matches)

# %% [markdown]
# From the top:
#
# 1. **The headline**: not yet, which exercise, how many of the points. Points are all or nothing for a set of cases.
# 2. **The sentence**: what was seen and what was expected. The check knows many mistakes. When your output
#    equals the output of one of them, it names the mistake. When it knows none that fits, it says which property fails first and claims no cause.
# 3. **Seen on**: the case, one of several. Sizes in the cases all differ, so nothing passes by luck.
# 4. **Yours beside expected**: the numbers, the first place that differs marked.
# 5. **The properties**, each with ✓ or ✗ (– means: not reached). This try leaves its inputs alone and has the right shape; only the numbers are wrong.
# 6. **Hints**, folded. Open them one by one, here or with `hint(outer_sum)` in a cell of your own. Hints cost nothing. They never hold the code.
#
# The number below the panel is the points that the cell earned.
#
# **What a check does not promise.** You see the *visible* cases. They carry about 60 % of the points. The others are decided when your notebook is graded,
# on new numbers and sizes, by the same properties. Code that computes what is asked, for any size, passes both. Code that fits the
# examples only does not. And your notebook is then run from the top: what works only since you ran cells in another order will not
# work there.

# %% [markdown]
# ## Part 1 · Every row with every row
#
# The **dot product** of two vectors multiplies them number by number and sums: $(1, 2)\cdot(3, -1) = 3 - 2 = 1$. Attention
# needs it for *every* query with *every* key. With the rows
#
# $$a = \begin{bmatrix}1&2\\0&1\end{bmatrix}, \qquad b = \begin{bmatrix}3&-1\\1&1\\2&0\end{bmatrix}$$
#
# there are two times three dot products:
#
# | | $b_0 = (3,-1)$ | $b_1 = (1, 1)$ | $b_2 = (2, 0)$ |
# |---|---|---|---|
# | $a_0 = (1, 2)$ | 1 | 3 | 2 |
# | $a_1 = (0, 1)$ | −1 | 1 | 0 |

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
# ## Part 2 · Broadcasting
#
# What is the sum of arrays of different shapes? NumPy lines the shapes up **from the right**. An axis that is missing, or has
# length 1, is stretched to the other's length. This is called **broadcasting**.
#
# **Predict first.** Which of these four work, and with what shape? Write your answers down, then run the cell.

# %% part="demo"
pairs = [((3, 4), (4,)), ((3, 4), (3,)), ((3, 4), (3, 1)), ((2, 1, 4), (3, 1))]
for left, right in pairs:
    try:
        print(left, "+", right, "→", (np.zeros(left) + np.zeros(right)).shape)
    except ValueError:
        print(left, "+", right, "→ does not fit")

# %% [markdown]
# `(3, 4) + (3,)` does not fit: from the right, 4 meets 3. Give the second array an axis of length 1, as in `(3, 1)`,
# and it fits. An index of `None` adds such an axis: if `x` has shape `(3,)`, then `x[None, :]` has shape `(1, 3)`.
#
# Broadcasting is strong and silent. Two arrays of the *same* length add without any complaint, whatever you meant. That is
# why checks use different sizes.

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
# A picture of such a table: broadcasting draws a whole landscape from two lines. This is `outer_sum` of a wave and a slope, yours
# if it has passed.

# %% part="demo"
from autograder.lab.figures import matrix

wave, slope = np.sin(np.arange(8)), np.linspace(-1, 1, 12)
show(matrix(use_part("outer_sum")(wave, slope), "place in row", "place in column", colour_label="sum",
            title="column: a wave of 8 numbers; row: a slope of 12"))

# %% [markdown]
# Down a column of the picture you see the wave; along a row you see the slope. In unit 06 the positions of words are added
# to the words in this way.

# %% [markdown]
# ## Part 3 · Groups along the last axis
#
# **Reshaping** gives the same numbers, in the same order, another shape. Think of all numbers in one long line, the last
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
# The square length of a vector is $\sum_c x_c^2$. You can loop over its numbers in Python, or write `x @ x` and let NumPy loop in compiled
# code.
#
# **Predict first.** For 10 numbers, which is faster, and how many times? For 10,000 numbers? Then measure it on your machine.
# (Each number is the fastest of five runs: what else the machine does can only make a run slower.)

# %% part="demo"
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
        times[name].append(1e6 * measured.timings[name].low)
    print(f"{count:>6,} numbers: the loop takes {times['Python loop'][-1] / times['x @ x'][-1]:,.0f} times as long")
show(lines(counts, times, "numbers in the vector", "time (µs)", logx=True, logy=True, title="Sum of squares, two ways"))

# %% [markdown]
# Each axis counts by factors of ten. Look at the distance between the two lines, and at where the lower one begins to rise: for a short
# vector most of its time is the call itself. That is the reason why this course writes attention as a few large
# products. A GPU pushes it much further: it starts work slowly and then does thousands of products at once (unit 12 measures that).

# %% [markdown]
# ## What this machine has
#
# From unit 05 on, code runs on the **device** where its tensors are: `cpu` everywhere, `cuda` on an NVIDIA (or AMD) GPU, `mps` on a Mac
# with Apple silicon. A CPU is enough for everything that is graded.

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
# What passes a check is **kept**: the check writes your function into `my_transformer`, a folder beside the units' folders. By the end of the
# course that folder is a Transformer, and all of it is yours.
#
# Later units ask for a part by its name. `use_part("pairwise_dot")` gives **your own** where it has passed, and says so. Otherwise it
# gives one backed by a library's operator, so that an exercise you have skipped never stops you. (While a notebook is graded it is
# always the library's: your early mistakes cannot cost you later points.)

# %% part="demo"
part = use_part("pairwise_dot")
print(part(np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([[3.0, -1.0], [1.0, 1.0], [2.0, 0.0]])))

# %% [markdown]
# That is the table from part 1. Change your function later, and the file changes when it passes again.
#
# ## Before you hand in
#
# 1. **Kernel → Restart Kernel and Run All Cells.** Your notebook should work from the top.
# 2. **Save**, then run the last code cell of the notebook, `preflight(...)`. It reads the saved file as the grader will and says in
#    clear lines what is missing. With `repair=True` it also mends what it can.
# 3. Or press **Validate** in the notebook's toolbar. It saves the notebook, runs it from the top in a fresh kernel, and lists the check
#    cells that did not earn their points, with the check's sentence. Both look at the visible cases only.
# 4. Leave the check cells as they are. If you changed or deleted one by accident, no harm is done: it is put back when your notebook is graded.
#
# **Pictures in words.** Every picture in this course has a description. Set `AUTOGRADER_FIGURES_IN_WORDS=1` in the environment
# before you start JupyterLab, or as here in a cell, and the description is printed below each picture.

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
# <details><summary>2. <code>a</code> has shape (5, 8) and <code>b</code> (3, 8). Why does <code>a @ b</code> fail, and what would it mean if <code>b</code> had shape (8, 8)?</summary>
#
# In a matrix product the inner sizes must agree, and 8 meets 3. With `(8, 8)` it would run without complaint, and
# combine rows of `a` with *columns* of `b`. Square arrays hide such mistakes.
# </details>
#
# <details><summary>3. Which shape comes out of (4, 1) + (1, 6)? And out of (4,) + (4, 1)?</summary>
#
# `(4, 6)`, and `(4, 4)`: the first array is read as `(1, 4)`.
# </details>
#
# <details><summary>4. Your check passes. Is your function right?</summary>
#
# It is right on the visible cases, and has the properties listed there. New numbers and sizes decide the rest when the notebook is graded.
# </details>

# %% [markdown]
# ## Sources
#
# - NumPy's manual: "Broadcasting" and "The N-dimensional array".
# - PyTorch's documentation: `torch.cuda.is_available` and the MPS backend.
# - nbgrader's documentation: validating a notebook.
#
# **Next:** unit 01, why attention: what a recurrent network, a convolution and self-attention each can see, and what that costs.
