# %% [markdown]
# # 16 · Kernels: the GPU's own language, and more than one GPU
#
# *Optional.* Nothing after this unit needs it.
#
# **By the end you can**
#
# - write a GPU kernel in Triton, and run it on a CPU;
# - write FlashAttention's forward pass as a kernel and its backward pass in blocks, and say what is kept between the two;
# - put several sentences into one row, none of which sees another;
# - get a large batch's gradients from small ones: one after the other, or side by side in two processes.
#
# **Time:** about three hours, 125 minutes of them for the exercises.
# **You need:** units 04 (gradients of attention), 10 (`train_step`) and 12 (`tiled_attention`, the roof of a machine).
#
# No GPU is needed: Triton's *interpreter* runs a kernel on a CPU, slowly and exactly. Where there is a GPU, the cells that measure compile for it.
# Triton runs on Linux; elsewhere exercises 1 and 2 cannot be judged.

# %% part="setup"
import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.library.kernels import load_triton

triton, tl = load_triton()  # import triton, triton.language as tl: with the interpreter switched on

from autograder import (
    begin, check, finite, gives_the_loss, hint, keeps_inputs, matches, outcome, predict, right_shape, runs_in_a_kernel,
    updates_the_model, use_part, works_in_blocks, works_in_turns,
)

begin("16_kernels")

# %% part="setup"
# Earlier units' parts: your own where they passed their checks.
shift_right, label_smoothed_loss = use_part("shift_right"), use_part("label_smoothed_loss")

# %% [markdown]
# ## The idea: one small program, many times
#
# In unit 12, each PyTorch operator fetched its inputs from main memory and carried its result back. A softmax of five operators climbs
# the stairs five times. A **kernel** is a program that runs on the GPU itself. It fetches once, computes in fast memory, and writes once.
#
# You write what **one program** does, and launch it many times over a *grid*. Each copy asks for its own number, `tl.program_id(0)`, and works on its
# own piece. The copies run in any order and do not talk to each other.
#
# In Triton a program works on **blocks**: `tl.arange(0, 8)` is eight numbers at once. A block's length must be a power of 2; a row's seldom is. So the
# program takes the next power of 2 and **masks** what lies behind the end.

# %% part="demo" folded=True
from autograder.lab.figures import bars, lines, panels, show
from autograder.lab.kernels import kernel_grid
from autograder.lab.speed import kept_for_backward
from autograder.lab.tables import table
from autograder.lab.timing import compare, measure
from autograder.notebook.on_gpu import seconds_on_gpu

show(kernel_grid(rows=4, length=5, block=8))

# %% [markdown]
# ## How a kernel finds its numbers
#
# A kernel is given **pointers**: the address of an array's first number. Memory is one long street. Where rows have the length $n$, column $c$ of row $r$ lives at
#
# $$\text{address} = \text{pointer} + r \cdot n + c$$
#
# In numbers: with $n = 5$, row 2 begins at house 10. A block of 8 houses from there is 10 to 17, but the row ends at 14. Houses 15 to 17 belong to
# row 3, or to nobody.
#
# | in the kernel | does |
# |---|---|
# | `tl.program_id(0)` | this program's number |
# | `tl.arange(0, BLOCK)` | the numbers 0, 1, …, BLOCK − 1 |
# | `tl.load(pointer + places, mask=inside, other=0.0)` | reads the places where the mask is True; elsewhere it gives `other` |
# | `tl.store(pointer + places, numbers, mask=inside)` | writes where the mask is True |
# | `tl.exp(x)`, `tl.max(x, axis=0)`, `tl.sum(x, axis=0)` | what they say, on a block |
#
# A whole kernel, which doubles each row. `BLOCK` is a `tl.constexpr`: known when the kernel is compiled.

# %% part="demo" folded=False
@triton.jit
def double_kernel(x, output, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    columns = tl.arange(0, BLOCK)
    numbers = tl.load(x + row * n + columns, mask=columns < n, other=0.0)
    tl.store(output + row * n + columns, 2 * numbers, mask=columns < n)


def double_rows(x):
    given = x.contiguous()  # row r begins at r · n only if the rows lie one behind the other
    doubled = torch.zeros_like(given)  # zeros, so that a place which no program writes is seen
    count, n = given.shape
    double_kernel[(count,)](given, doubled, n, BLOCK=triton.next_power_of_2(n))  # the grid in brackets, then the arguments
    return doubled


print(double_rows(torch.arange(10.0).view(2, 5)) if triton else "There is no Triton here.")

# %% [markdown] exercise="softmax_rows" part="prompt" points=8 difficulty=3 minutes=20 time_limit=20 forbids="softmax"
# ## Exercise 1 · `softmax_kernel` and `softmax_rows`
#
# Write a kernel that takes the softmax of one row, and the function that launches it, a program for each row.
#
# | argument of `softmax_rows` | | meaning |
# |---|---|---|
# | `x` | `(rows, n)` | any length `n`; it may be a view whose rows do not lie one behind the other |
# | returns | `(rows, n)` | the softmax of each row |
#
# - Numbers may be in the thousands, and some may be −∞ (weight 0). At least one in each row is finite.
# - What lies behind a row's end has **no weight**. Choose `other=` with that in mind.
# - Exponentials, maxima and sums are taken in the kernel. Outside it, make the output and, where needed, a contiguous copy of `x`, and launch. PyTorch's `softmax` and Triton's own `tl.softmax` are not allowed. The check watches.
# - The arguments of the kernel are yours to choose.

# %% exercise="softmax_rows" part="solution"
@triton.jit
def softmax_kernel(x, output, n, BLOCK: tl.constexpr):
    """The softmax of row `tl.program_id(0)`; x and output are pointers to rows of length n, one behind the other."""
    ### BEGIN SOLUTION
    row, columns = tl.program_id(0), tl.arange(0, BLOCK)
    inside = columns < n
    numbers = tl.load(x + row * n + columns, mask=inside, other=-float("inf"))
    powers = tl.exp(numbers - tl.max(numbers, axis=0))
    tl.store(output + row * n + columns, powers / tl.sum(powers, axis=0), mask=inside)
    ### END SOLUTION


def softmax_rows(x: Tensor) -> Tensor:
    """The softmax of each row, by `softmax_kernel`.   x: (rows, n)   returns: (rows, n)"""
    ### BEGIN SOLUTION
    x = x.contiguous()
    output = torch.zeros_like(x)
    rows, n = x.shape
    softmax_kernel[(rows,)](x, output, n, BLOCK=triton.next_power_of_2(n))
    return output
    ### END SOLUTION

# %% exercise="softmax_rows" part="check"
check(softmax_rows, keeps_inputs, right_shape, runs_in_a_kernel, finite, matches)

# %% [markdown] exercise="softmax_rows" part="hints"
# - Begin with `double_kernel`. Only the line between loading and storing changes, and `other=`.
# - Which number has the exponential 0? Loaded behind the end, it adds nothing to the sum and is never the maximum.
# - Subtract the row's maximum before the exponential, as in unit 02. `tl.max(numbers, axis=0)` is one number for the block.

# %% part="demo"
predict("16-idle", "A row has 65 numbers. Which share of its block's places does no work?",
        choices=("about 2 %", "about 25 %", "about 50 %"))

# %% part="demo" folded=True
widths = list(range(33, 130))
idle = [1 - n / (1 << (n - 1).bit_length()) for n in widths]
figure = lines(widths, {"idle places": idle}, "numbers in a row", "places of the block that are masked", percent=True, markers=False,
               title="A block has a power of 2 for its length")
figure.axes[0].set_xticks([33, 64, 96, 128])
show(figure)
outcome("16-idle", min(("about 2 %", "about 25 %", "about 50 %"), key=lambda told: abs(float(told.split()[1]) / 100 - idle[65 - 33])))

# %% [markdown]
# Just above a power of 2 nearly half of the block does nothing. Lengths of 64, 128, 256 are no superstition.
#
# And how fast is your kernel? Here it is interpreted: Python runs the programs one by one, and its speed says nothing. On a GPU the next cell compiles it
# and puts it beside PyTorch's own and beside the five operators of unit 02. **Without a GPU, the answer is "not yet measured".**

# %% part="demo" folded=False
def softmax_in_operators(x):
    powers = (x - x.amax(dim=1, keepdim=True)).exp()
    return powers / powers.sum(dim=1, keepdim=True)


def softmax_of_pytorch(x):
    return torch.softmax(x, dim=1)


seconds = seconds_on_gpu({"your kernel": softmax_rows, "operators": softmax_in_operators, "PyTorch": softmax_of_pytorch}, (4096, 1000))
table([(name, f"{1e6 * time:.0f} µs") for name, time in seconds.items()] if seconds else [("all three", "not yet measured: no GPU here")],
      ["4,096 rows of 1,000", "on the GPU"])

# %% [markdown]
# ## Attention in one kernel
#
# `tiled_attention` of unit 12 walks over blocks of queries, and for each of them over blocks of keys. The outer loop's turns have nothing to do with
# each other. So each becomes a **program**: one for every block of queries of every head. The inner loop stays a loop, inside the kernel. It carries
# the same three things for each query of the block: the largest score so far $m$ (`largest` in the starter), the sum of the powers $\ell$ (`denominator`), and the weighted sum of the values $o$ (`total`).
#
# Blocks are two-dimensional now. From a column of row numbers and a row of feature numbers, broadcasting makes a table of places:
#
# $$\text{place}_{i,c} = (\text{head} \cdot \text{seq} + \text{row}_i) \cdot d + c$$
#
# with `head` the number of the head among all of the batch, `seq` the rows in each head, and $d$ the numbers in a row. In code: `(head * seq_q + rows[:, None]) * d_k + features[None, :]`.
# If you swap the two (`keys[None, :]`, `features[:, None]`), the block comes transposed, at no cost. That is how $K^\top$ is loaded.
#
# Four more that you need: on such a block, `tl.max(x, axis=1)` and `tl.sum(x, axis=1)` give a number for each row; `tl.maximum(a, b)` takes the larger one, number by number; `tl.where(condition, a, b)` chooses, number by number. A loop is Python's: `for first in range(0, seq_k, BLOCK):`.
#
# `tl.dot(a, b)` is the matrix product of two blocks. On a GPU it rounds float32 numbers to 10 binary digits unless you ask for
# `input_precision="ieee"` (below you will see what that costs).

# %% [markdown] exercise="flash_attention" part="prompt" points=12 difficulty=5 minutes=35 time_limit=40 forbids="softmax scaled_dot_product_attention MultiheadAttention"
# ## Exercise 2 · `attention_kernel` and `flash_attention`
#
# Pointers, the block of queries, storing and launching are there. Write the loop over the blocks of keys.
#
# | argument of `flash_attention` | shape | meaning |
# |---|---|---|
# | `query` | `(batch, num_heads, seq_q, d_k)` | |
# | `key` | `(batch, num_heads, seq_k, d_k)` | |
# | `value` | `(batch, num_heads, seq_k, d_v)` | |
# | `is_causal` | True or False | True: query $i$ sees the keys $j \le i$ only, both counted from 0. So query 0 sees key 0 alone, also where `seq_q` and `seq_k` differ |
# | returns | `(batch, num_heads, seq_q, d_v)` | the output alone |
#
# - Lengths are arbitrary, `d_k` and `d_v` too. `D_K` and `D_V` are the next powers of 2; what lies behind must be 0 when it is loaded.
# - Keys beyond the end must get **no weight**. A score of 0 does not do that: $e^0 = 1$ is a weight like any other.
# - No `tl.load` may take more than 64 queries, keys or values of a head. The check watches, and so it does for work done in PyTorch.
# - PyTorch's `softmax`, `F.scaled_dot_product_attention`, `nn.MultiheadAttention` and Triton's `tl.softmax` are not allowed. `flash_attention` may be changed too.
# - Scores may be in the thousands, above or below 0.

# %% exercise="flash_attention" part="solution"
@triton.jit
def attention_kernel(
    query, key, value, output, seq_q, seq_k, d_k, d_v, scale,
    CAUSAL: tl.constexpr, BLOCK: tl.constexpr, D_K: tl.constexpr, D_V: tl.constexpr,
):
    """One block of queries of one head; all arrays lie row behind row, head behind head."""
    head, rows = tl.program_id(1), tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    features, columns = tl.arange(0, D_K), tl.arange(0, D_V)
    places = (head * seq_q + rows[:, None]) * d_k + features[None, :]
    q = tl.load(query + places, mask=(rows[:, None] < seq_q) & (features[None, :] < d_k), other=0.0)  # (BLOCK, D_K)
    largest = tl.full((BLOCK,), -float("inf"), tl.float32)
    denominator = tl.zeros((BLOCK,), tl.float32)
    total = tl.zeros((BLOCK, D_V), tl.float32)
    ### BEGIN SOLUTION
    for first in range(0, seq_k, BLOCK):
        keys = first + tl.arange(0, BLOCK)
        places = (head * seq_k + keys[None, :]) * d_k + features[:, None]
        k = tl.load(key + places, mask=(keys[None, :] < seq_k) & (features[:, None] < d_k), other=0.0)  # (D_K, BLOCK)
        places = (head * seq_k + keys[:, None]) * d_v + columns[None, :]
        v = tl.load(value + places, mask=(keys[:, None] < seq_k) & (columns[None, :] < d_v), other=0.0)  # (BLOCK, D_V)
        scores = tl.dot(q, k, input_precision="ieee") * scale
        seen = keys[None, :] < seq_k
        if CAUSAL:
            seen = seen & (keys[None, :] <= rows[:, None])
        scores = tl.where(seen, scores, -float("inf"))
        new_largest = tl.maximum(largest, tl.max(scores, axis=1))
        rescale = tl.exp(largest - new_largest)
        powers = tl.exp(scores - new_largest[:, None])
        denominator = denominator * rescale + tl.sum(powers, axis=1)
        total = total * rescale[:, None] + tl.dot(powers, v, input_precision="ieee")
        largest = new_largest
    ### END SOLUTION
    places = (head * seq_q + rows[:, None]) * d_v + columns[None, :]
    inside = (rows[:, None] < seq_q) & (columns[None, :] < d_v)
    tl.store(output + places, total / denominator[:, None], mask=inside)


def flash_attention(query: Tensor, key: Tensor, value: Tensor, is_causal: bool = False) -> Tensor:
    """Scaled dot-product attention by `attention_kernel`, a program for each block of queries of each head."""
    query, key, value = query.contiguous(), key.contiguous(), value.contiguous()
    batch, num_heads, seq_q, d_k = query.shape
    seq_k, d_v = value.shape[-2:]
    output = query.new_zeros(batch, num_heads, seq_q, d_v)
    BLOCK, D_K, D_V = 16, max(16, triton.next_power_of_2(d_k)), max(16, triton.next_power_of_2(d_v))
    grid = (triton.cdiv(seq_q, BLOCK), batch * num_heads)
    attention_kernel[grid](
        query, key, value, output, seq_q, seq_k, d_k, d_v, 1 / math.sqrt(d_k), CAUSAL=is_causal, BLOCK=BLOCK, D_K=D_K, D_V=D_V
    )
    return output

# %% exercise="flash_attention" part="check"
check(flash_attention, keeps_inputs, right_shape, runs_in_a_kernel, finite, matches)

# %% [markdown] exercise="flash_attention" part="hints"
# - It is the inner loop of `tiled_attention` (unit 12), line by line. Have it beside you.
# - `keys = first + tl.arange(0, BLOCK)`. A head's keys begin at `head * seq_k`, and a row of them has `d_k` numbers; a row of values has `d_v`.
# - `tl.where(seen, scores, -float("inf"))` hides. What must hold of `keys` so that a key exists? And what, compared with `rows`, if `CAUSAL`?
# - `tl.max(scores, axis=1)` gives a number for each query, and `[:, None]` makes a column of it.

# %% [markdown]
# ## What must be kept for the way back?
#
# Training also goes backwards. Autograd keeps what the forward pass has made, and for attention that is the table of weights, $n^2$ numbers. A kernel that never makes
# the table cannot keep it. FlashAttention keeps **one number for each query** in its place,
#
# $$L_i = \log \sum_j e^{s_{ij}} = m_i + \log \ell_i, \qquad s_{ij} = \frac{q_i \cdot k_j}{\sqrt{d_k}}$$
#
# and computes the weights anew, block by block, when it needs them: $P_{ij} = e^{s_{ij} - L_i}$. No second pass for a maximum, no division.
#
# The rest is unit 04. With $dO$ for the gradient of the output, likewise for the others, $\circ$ for number by number, and a column $D$ that holds one number for each query:
#
# $$dV = P^\top dO, \qquad dP = dO\,V^\top, \qquad dS = P \circ (dP - D), \qquad dQ = \frac{dS\,K}{\sqrt{d_k}}, \qquad dK = \frac{dS^\top Q}{\sqrt{d_k}}$$
#
# $D_i = \sum_j P_{ij}\, dP_{ij}$ sums over all keys, which a block does not have. But $\sum_j P_{ij}\,(dO_i \cdot v_j) = dO_i \cdot \sum_j P_{ij} v_j = dO_i \cdot O_i$. So $D_i$ is
# a dot product of two rows that are there.
#
# **By hand.** One query, two keys, scores $\ln 1$ and $\ln 3$, values 8 and 4. Then $L = \ln 4$, $P = (\frac14, \frac34)$, $O = 5$. With $dO = 2$: $D = 10$, $dP = (16, 8)$, and
# $dS = (\frac14 \cdot 6, \frac34 \cdot (-2)) = (1.5, -1.5)$. It sums to 0, as a softmax's gradient does.

# %% [markdown] exercise="flash_attention_backward" part="prompt" points=10 difficulty=4 minutes=25 time_limit=15 returns="grad_query grad_key grad_value" forbids="backward grad softmax scaled_dot_product_attention MultiheadAttention"
# ## Exercise 3 · `flash_attention_backward`
#
# The way back, block by block, in PyTorch.
#
# | argument | shape | meaning |
# |---|---|---|
# | `query`, `key`, `value` | as in exercise 2 | |
# | `output`, `grad_output` | `(batch, num_heads, seq_q, d_v)` | what the forward pass gave, and the gradient of the loss for it |
# | `logsumexp` | `(batch, num_heads, seq_q)` | $L$, of the **scaled** scores (of those that are seen, if causal) |
# | `is_causal` | True or False | as in exercise 2 |
# | returns | three tensors | `grad_query`, `grad_key`, `grad_value`, each like its input |
#
# - Work in blocks of queries and blocks of keys. You choose their lengths, at most 64 each. Nowhere may an array as large as `seq_q × seq_k` exist, not even a mask. The check watches.
# - Autograd (`backward`, `grad`), PyTorch's `softmax` and its attention are not allowed.
# - A hidden pair has the weight 0, so it has no part in any gradient.

# %% exercise="flash_attention_backward" part="solution"
def flash_attention_backward(
    query: Tensor, key: Tensor, value: Tensor, output: Tensor, logsumexp: Tensor, grad_output: Tensor, is_causal: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of attention, block by block, the weights computed anew (Dao et al. 2022, algorithm 4).

    query, key, value:   (batch, num_heads, seq_q or seq_k, d_k or d_v)
    output, grad_output: (batch, num_heads, seq_q, d_v)
    logsumexp:           (batch, num_heads, seq_q), of each query's scaled scores
    returns:             grad_query, grad_key, grad_value
    """
    ### BEGIN SOLUTION
    block, scale = 32, 1 / math.sqrt(query.shape[-1])
    grad_query, grad_key, grad_value = torch.zeros_like(query), torch.zeros_like(key), torch.zeros_like(value)
    dots = (output * grad_output).sum(dim=-1, keepdim=True)  # D: (batch, num_heads, seq_q, 1)
    for first_query in range(0, query.shape[-2], block):
        rows = slice(first_query, first_query + block)
        q, go = query[..., rows, :], grad_output[..., rows, :]
        for first_key in range(0, key.shape[-2], block):
            columns = slice(first_key, first_key + block)
            k, v = key[..., columns, :], value[..., columns, :]
            weights = torch.exp(q @ k.mT * scale - logsumexp[..., rows, None])
            if is_causal:
                weights = weights.tril(first_query - first_key)
            grad_scores = weights * (go @ v.mT - dots[..., rows, :]) * scale
            grad_value[..., columns, :] += weights.mT @ go
            grad_query[..., rows, :] += grad_scores @ k
            grad_key[..., columns, :] += grad_scores.mT @ q
    return grad_query, grad_key, grad_value
    ### END SOLUTION

# %% exercise="flash_attention_backward" part="check"
check(flash_attention_backward, keeps_inputs, right_shape, finite, works_in_blocks, matches)

# %% [markdown] exercise="flash_attention_backward" part="hints"
# - Make three arrays of zeros, like query, key and value. Each pair of blocks **adds** its part to a slice of each.
# - $D$ for all queries at once, before the loops: the sum over the last axis of `output * grad_output`, `keepdim=True`.
# - For one pair of blocks: the weights, from the scores and a slice of `logsumexp` with an axis behind it; then the five formulas, with slices.
# - Causal: query number `first_query + i` sees key number `first_key + j` if that is no larger. `tril` takes a second argument that moves its diagonal. By how much?

# %% [markdown]
# ### Both halves in one
#
# `torch.autograd.Function` joins a forward and a backward of your own. Below, your two exercises become one operator, which PyTorch differentiates like
# any other. (A real kernel stores $L$ as it goes, beside the output. Here one line of PyTorch computes it.)
#
# **Predict first.** Autograd lets us count every tensor that it keeps. One head, `d_head` 16, 128 tokens: attention written out in PyTorch keeps how many times as much as yours?

# %% part="demo"
predict("16-kept", "Kept for the way back at 128 tokens, attention written out against yours:",
        choices=("about the same", "2 to 3 times", "more than 5 times"))

# %% part="demo" folded=False
flash_forward, flash_backward = use_part("flash_attention"), use_part("flash_attention_backward")


class FlashAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value):
        output = flash_forward(query, key, value)
        logsumexp = torch.logsumexp(query @ key.mT / math.sqrt(query.shape[-1]), dim=-1)
        ctx.save_for_backward(query, key, value, output, logsumexp)
        return output

    @staticmethod
    def backward(ctx, grad_output):
        return flash_backward(*ctx.saved_tensors, grad_output)


def written_out(query, key, value):
    return (query @ key.mT / math.sqrt(query.shape[-1])).softmax(dim=-1) @ value


def gradients(attend, inputs):
    leaves = [x.clone().requires_grad_() for x in inputs]
    return torch.autograd.grad(attend(*leaves).square().sum(), leaves)


def kept(attend, seq):
    leaves = [torch.randn(1, 1, seq, 16, requires_grad=True) for _ in range(3)]
    return kept_for_backward(lambda: attend(*leaves))


inputs = [torch.randn(1, 2, 24, 16) for _ in range(3)]
differences = [(a - b).abs().max() for a, b in zip(gradients(FlashAttention.apply, inputs), gradients(written_out, inputs), strict=True)]
print("largest difference between the gradients:", f"{max(differences).item():.1e}")

# %% part="demo" folded=True
seqs = [16, 32, 64, 128]
kibibytes = {name: [kept(attend, seq) / 1024 for seq in seqs] for name, attend in {"written out": written_out, "yours": FlashAttention.apply}.items()}
figure = lines(seqs, kibibytes, "tokens", "kept for the way back (KiB)", logx=True, logy=True, title="One head, d_head 16")
figure.axes[0].xaxis.minorticks_off()
figure.axes[0].set_xticks(seqs, [str(seq) for seq in seqs])
show(figure)
more = kibibytes["written out"][-1] / kibibytes["yours"][-1]
outcome("16-kept", "about the same" if more < 1.5 else "2 to 3 times" if more < 3.5 else "more than 5 times" if more > 5 else f"{more:.1f} times")

# %% [markdown]
# One line grows with $n$, the other with $n^2$. At 16 tokens yours is no lower, since it keeps the output as well.
#
# ## Several sentences in one row
#
# So far a batch was a table: each sentence a row, filled up with padding to the longest. The processor multiplies padding like anything else. **Packing** puts the sentences one
# behind the other, in a single row without padding. Three things keep them apart:
#
# - a **mask** with a square block for each sentence: none sees another;
# - **positions** that begin at 0 again with each sentence;
# - a loss that is a mean over tokens, whichever sentence they are from. (A decoder's last token of one sentence must not be asked for the first one of the next.)
#
# Of the sentences `7 2`, `5 8 2` this makes the ids `7 2 5 8 2`, the positions `0 1 0 1 2`, and a mask of one 2 × 2 and one 3 × 3 block.

# %% [markdown] exercise="packed_mask" part="prompt" points=4 difficulty=2 minutes=8
# ## Exercise 4 · `packed_mask`
#
# | argument | | meaning |
# |---|---|---|
# | `lengths` | a list of whole numbers, each at least 1 | how many tokens each sentence has; `total` is their sum |
# | returns | `(total, total)`, True and False | row $i$, column $j$: may token $i$ see token $j$? |
#
# Each token sees its whole sentence, itself included, and no other. (For a decoder, `&` with a causal mask of the row does the rest.) Two sentences may have the same length.

# %% exercise="packed_mask" part="solution"
def packed_mask(lengths: Sequence[int]) -> Tensor:
    """Which token may see which in a row of several sentences.   returns: (total, total), True within a sentence"""
    ### BEGIN SOLUTION
    owner = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))  # whose token is it?
    return owner[:, None] == owner[None, :]
    ### END SOLUTION

# %% exercise="packed_mask" part="check"
check(packed_mask, keeps_inputs, right_shape, matches)

# %% [markdown] exercise="packed_mask" part="hints"
# - First make a row that says of each token whose it is: `0 0 1 1 1`. `torch.repeat_interleave` does that from the sentences' numbers and their lengths.
# - Two tokens may see each other if the two numbers are equal. Compare the row as a column with the row as a row.

# %% [markdown] exercise="pack" part="prompt" points=4 difficulty=2 minutes=8 returns="ids positions mask"
# ## Exercise 5 · `pack`
#
# | argument | | meaning |
# |---|---|---|
# | `sequences` | a list of lists of ids, none of them empty | the sentences; any id may occur, 0 too |
# | returns | `ids`, `(total,)`, integers | all sentences, one behind the other, in their order |
# | | `positions`, `(total,)`, integers | each token's place in **its** sentence, from 0 |
# | | `mask`, `(total, total)` | `packed_mask` of their lengths |

# %% exercise="pack" part="solution"
def pack(sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Several sentences in one row.   returns: ids (total,), positions (total,), mask (total, total)"""
    ### BEGIN SOLUTION
    ids = torch.tensor([token for sequence in sequences for token in sequence])
    positions = torch.cat([torch.arange(len(sequence)) for sequence in sequences])
    return ids, positions, packed_mask([len(sequence) for sequence in sequences])
    ### END SOLUTION

# %% exercise="pack" part="check"
check(pack, keeps_inputs, right_shape, matches)

# %% [markdown] exercise="pack" part="hints"
# - `len(sequence)` for each sequence gives the lengths; your `packed_mask` does the mask.
# - Positions of one sentence are a `torch.arange`. `torch.cat` puts several behind one another.

# %% [markdown]
# ### What is it worth?
#
# The same 64 sentences of the course's corpus, twice: padded in one batch, and packed into rows of 64 places. A small encoder, forward and back. What counts is **real** tokens a
# second. First the proof that nothing else changes: the outputs of every sentence, packed and alone.
#
# **Predict first.** Padding fills a part of the table, and packed rows have longer tables of scores. How many times as many real tokens a second does packing give here?

# %% part="demo"
predict("16-packing", "Real tokens a second, packed against padded, on this machine:", choices=("fewer", "1 to 1.3 times", "1.3 to 2 times", "more than 2 times"))

# %% part="demo" folded=False
from autograder.lab.corpus import sample

put_into_a_row = use_part("pack")
words = sorted({token for pair in sample(None, 300, seed=3) for token in pair.target})
number = {word: k + 3 for k, word in enumerate(words)}
sentences = [[number.get(word, 3) for word in pair.target] + [2] for pair in sample(None, 64, seed=3)]
print(f"{len(sentences)} sentences of {min(map(len, sentences))} to {max(map(len, sentences))} tokens")

torch.manual_seed(0)
embedding, places = nn.Embedding(len(words) + 3, 128), nn.Embedding(128, 128)
layers = nn.ModuleList(nn.TransformerEncoderLayer(128, 4, 256, dropout=0.0, batch_first=True) for _ in range(2))


def encode(ids, positions, mask):
    """mask: True where a token may be seen, (rows, seq, seq). PyTorch's layer wants the opposite."""
    x = embedding(ids) + places(positions)
    for layer in layers:
        x = layer(x, src_mask=~mask.repeat_interleave(4, dim=0))
    return x


LENGTH = 64
rows: list[list[list[int]]] = [[]]
for sentence in sentences:  # into the last row, if it still fits
    if sum(map(len, rows[-1])) + len(sentence) > LENGTH:
        rows.append([])
    rows[-1].append(sentence)
filled = [[*row, [0] * (LENGTH - sum(map(len, row)))] for row in rows]  # what is left of a row is a sentence of padding
packed = tuple(torch.stack(parts) for parts in zip(*(put_into_a_row([sentence for sentence in row if sentence]) for row in filled), strict=True))
longest = max(map(len, sentences))
table_of_ids = torch.tensor([sentence + [0] * (longest - len(sentence)) for sentence in sentences])
padded = table_of_ids, torch.arange(longest).expand_as(table_of_ids), (table_of_ids != 0)[:, None, :].expand(-1, longest, -1)

with torch.no_grad():
    start, worst = 0, 0.0
    together = encode(*packed)[0]
    for sentence in rows[0]:
        alone = encode(torch.tensor([sentence]), torch.arange(len(sentence))[None], torch.ones(1, len(sentence), len(sentence), dtype=torch.bool))[0]
        worst = max(worst, (together[start : start + len(sentence)] - alone).abs().max().item())
        start += len(sentence)
print(f"packed or alone: largest difference {worst:.1e}")

# %% part="demo" folded=False
real = sum(map(len, sentences))
ways = {"padded": padded, "packed": packed}
speeds = compare({name: lambda batch=batch: encode(*batch).sum().backward() for name, batch in ways.items()}, repeat=5)
rate = {name: real / speeds.timings[name].low for name in ways}
gain = rate["packed"] / rate["padded"]
outcome("16-packing", "fewer" if gain < 1 else "1 to 1.3 times" if gain < 1.3 else "1.3 to 2 times" if gain < 2 else "more than 2 times")
table([(name, ids.numel(), f"{100 * (1 - real / ids.numel()):.0f} %", f"{rate[name]:,.0f}") for name, (ids, *_) in ways.items()],
      ["64 sentences", "places", "of them padding", "real tokens a second"])

# %% [markdown]
# What is gained depends on how different the lengths are. Batches of sentences of like length (unit 10) leave little to gain. Krell and others (2021) report that about half
# of all places in BERT's Wikipedia data, cut at 512, were padding. On a GPU, kernels for packed rows do not even visit the blocks between two sentences; ours multiplies and then hides them.
#
# ## A large batch from small ones
#
# Suppose a batch does not fit into memory. Then take it in pieces, *micro-batches*: gradients **add** in `.grad`, so go forward and back with each piece, and let the optimizer take one step at the end.
#
# But a sum of what? The loss of the large batch is a mean over all its tokens. If piece $k$ has $n_k$ real tokens and the mean loss $\text{loss}_k$, then
#
# $$\text{loss} = \sum_k \frac{n_k}{n}\,\text{loss}_k, \qquad n = \sum_k n_k$$
#
# In numbers: a piece of 2 tokens with the loss 3, and one of 8 tokens with the loss 1. All together: $(2 \cdot 3 + 8 \cdot 1)/10 = 1.4$. The mean of the two means is 2: a token of the small piece
# then counts four times as much. In October 2024 several training libraries turned out to do just that (Han, *Bugs in LLM training: gradient accumulation fix*).

# %% [markdown] exercise="accumulated_step" part="prompt" points=8 difficulty=3 minutes=15
# ## Exercise 6 · `accumulated_step`
#
# Unit 10's `train_step`, with the batch in pieces. It leaves the weights that `train_step` would leave if all pieces were one batch.
#
# 1. Training mode; the decoder reads `shift_right(target)`; the loss is `label_smoothed_loss`, with its defaults.
# 2. Gradients left over from before do not count.
# 3. **One piece at a time** goes through the model, and back before the next one. Do not join the pieces. The check watches.
# 4. Each real token of the **targets** counts alike, in whatever piece it is. Padding, id 0, counts nowhere.
# 5. Once, at the end: clip the norm of the gradient, all parameters together, to 1.0, and let the optimizer take its step.
#
# | argument | meaning |
# |---|---|
# | `model`, `optimizer` | as in `train_step` |
# | `micro_batches` | a list of pairs `(source, target)`, of different sizes |
# | returns | the loss of all pieces together, before the step: a Python number |

# %% exercise="accumulated_step" part="solution"
def accumulated_step(
    model: nn.Module, micro_batches: Sequence[tuple[Tensor, Tensor]], optimizer: torch.optim.Optimizer
) -> float:
    """One `train_step` on a batch that comes in pieces; the memory of one piece at a time.

    micro_batches: pairs of source (batch, seq_source) and target (batch, seq_target), ids padded with 0
    returns:       the loss of all pieces together, before the step
    """
    ### BEGIN SOLUTION
    model.train()
    optimizer.zero_grad()
    all_tokens = sum(int((target != 0).sum()) for _, target in micro_batches)
    total = 0.0
    for source, target in micro_batches:
        share = int((target != 0).sum()) / all_tokens
        loss = label_smoothed_loss(model(source, shift_right(target)), target) * share
        loss.backward()  # adds to the gradients, and frees what the forward pass has kept
        total += loss.item()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
    return total
    ### END SOLUTION

# %% exercise="accumulated_step" part="check"
check(accumulated_step, keeps_inputs, works_in_turns, updates_the_model, gives_the_loss, matches)

# %% [markdown] exercise="accumulated_step" part="hints"
# - How many real tokens are there in all targets? That number is needed before the first piece goes back.
# - `label_smoothed_loss` gives a piece's mean. By which share must it be multiplied before `backward()`?
# - Where does `zero_grad` stand: before the loop, or in it?
# - `.item()` makes a number of a loss that you add up for the result. Adding the tensors themselves would keep what each piece has kept.

# %% [markdown]
# **Predict first.** A linear layer and 1,000 random tokens in two pieces, with the *mean of means* in place of the weighted sum. The gradient of all 1,000 together is the right one. If one piece has 4 tokens
# for every token of the other, by how much does the wrong gradient differ, in per cent of the right one's length?

# %% part="demo"
predict("16-means", "By how many per cent does the gradient of the mean of means differ?", unit="%")

# %% part="demo" folded=False
torch.manual_seed(1)
linear = nn.Linear(32, 32)
inputs, classes = torch.randn(1000, 32), torch.randint(32, (1000,))


def gradient_of(parts):
    """The gradient of the mean of the parts' mean losses."""
    linear.zero_grad()
    (sum(F.cross_entropy(linear(inputs[part]), classes[part]) for part in parts) / len(parts)).backward()
    return linear.weight.grad.clone()


right = gradient_of([slice(0, 1000)])
ratios = [1, 2, 4, 8, 16, 32]
off = []
for ratio in ratios:
    cut = 1000 // (ratio + 1)
    off.append(((gradient_of([slice(0, cut), slice(cut, 1000)]) - right).norm() / right.norm()).item())
figure = lines(ratios, {"mean of means": [100 * share for share in off]}, "tokens in the larger piece for each in the smaller", "off by (% of the gradient's length)", logx=True,
               title="1,000 tokens in two pieces")
figure.axes[0].xaxis.minorticks_off()
figure.axes[0].set_xticks(ratios, [str(ratio) for ratio in ratios])
show(figure)
outcome("16-means", 100 * off[ratios.index(4)], unit="%")

# %% [markdown]
# With equal pieces the two agree, which is why nobody notices in a first test. The more unequal, the further apart.
#
# ## Two processes
#
# With several GPUs, the pieces go side by side. In **data parallelism** each process, numbered by its *rank*, has a copy of the whole model and works on its own rows of each batch. Before
# the step, all average their gradients by `all_reduce`: every process hands in a tensor, and every process gets the sum. Same weights, same gradients, same step: the copies stay equal, and
# nobody ever sends a weight.
#
# `all_reduce` is a meeting. If one process calls it five times and another six, the sixth call waits for ever.

# %% [markdown] exercise="shard" part="prompt" points=2 difficulty=1 minutes=5
# ## Exercise 7 · `shard`
#
# Deal out the rows of a batch like cards: process `rank` gets the rows `rank`, `rank + world_size`, `rank + 2 · world_size`, and so on. Each row goes to exactly one process.
#
# | argument | | meaning |
# |---|---|---|
# | `batch` | `(batch, ...)`, a tensor | |
# | `rank` | a number from 0 to `world_size` − 1 | which process |
# | `world_size` | a number | how many processes there are; at most `batch` |
# | returns | `(its rows, ...)` | the rows of process `rank`, in order |

# %% exercise="shard" part="solution"
def shard(batch: Tensor, rank: int, world_size: int) -> Tensor:
    """The rows of a batch that process `rank` works on.   batch: (batch, ...)   returns: (about batch / world_size, ...)"""
    ### BEGIN SOLUTION
    return batch[rank::world_size]
    ### END SOLUTION

# %% exercise="shard" part="check"
check(shard, keeps_inputs, right_shape, matches)

# %% [markdown] exercise="shard" part="hints"
# - A slice has three parts: `start:stop:step`. Which of them are `rank` and `world_size`?

# %% [markdown] exercise="average_gradients" part="prompt" points=6 difficulty=2 minutes=9
# ## Exercise 8 · `average_gradients`
#
# | argument | meaning |
# |---|---|
# | `model` | gradients are in `.grad` of its parameters, or None |
# | `all_reduce` | `all_reduce(tensor)` replaces the tensor, **in place**, by its sum over all processes, and returns nothing |
# | `world_size` | how many processes there are |
# | returns | nothing; afterwards each trained parameter's `.grad` is the mean over all processes |
#
# - A parameter may have no gradient in one process and have one in another (a layer that this process's rows did not use). It counts as zeros there, **and takes part**: all processes must make the same calls.
# - Parameters with `requires_grad=False` are not trained: leave them out.
#
# The check plays all processes one after the other, with a stand-in for `all_reduce`.

# %% exercise="average_gradients" part="solution"
def average_gradients(model: nn.Module, all_reduce: Callable[[Tensor], None], world_size: int) -> None:
    """Make each weight's gradient the mean of all processes' gradients, in place.

    all_reduce: replaces a tensor, in place, by its sum over all processes
    """
    ### BEGIN SOLUTION
    for weight in model.parameters():
        if not weight.requires_grad:
            continue
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)  # another process may have one: all must call alike
        all_reduce(weight.grad)
        weight.grad /= world_size
    ### END SOLUTION

# %% exercise="average_gradients" part="check"
check(average_gradients, matches)

# %% [markdown] exercise="average_gradients" part="hints"
# - Sum over all processes, then divide. Both in place, on `.grad`.
# - Which parameters are the same in all processes: those that have a gradient, or those that are trained?
# - `torch.zeros_like(weight)` is a gradient that adds nothing.

# %% [markdown]
# ### Really two
#
# `torchrun` starts the same program several times and tells each copy its rank. The program stands in `autograder/lab/data_parallel.py`: a small Transformer learns to say a sentence backwards, with
# your `shard` and your `average_gradients`. Two processes meet over *gloo* (on CPUs; GPUs use *nccl*). The same program as one process stands beside it.
#
# **Predict first.** After eight steps, how do the losses of two processes and of one compare?

# %% part="demo"
predict("16-two", "The losses of two processes and of one:", choices=("the same, to the last digit", "the same, up to rounding", "alike, but each its own way"))

# %% part="demo" folded=False
from autograder.lab.data_parallel import losses_by_torchrun, train

one_process = train(rank=0, world_size=1, all_reduce=lambda tensor: None)
two_processes = losses_by_torchrun(2)
if two_processes:
    apart = max(abs(a - b) for a, b in zip(one_process, two_processes, strict=True))
    outcome("16-two", "the same, to the last digit" if apart == 0 else "the same, up to rounding" if apart < 1e-4 else "alike, but each its own way")
table([(step + 1, f"{one:.6f}", f"{two_processes[step]:.6f}" if two_processes else "did not run") for step, one in enumerate(one_process)],
      ["step", "loss, one process", "loss, two processes"])

# %% [markdown] part="question"
# ## A question to answer in words
#
# *4 points, read by a person. Six to ten sentences are enough.*
#
# The demo's sentences all have 12 tokens. Your translation batches are padded, and the rank that gets the long sentences has twice as many real tokens as the other. Each process computes `label_smoothed_loss` of its
# rows and calls `average_gradients`. Is the result the gradient of the whole batch? If not, what would you change, and what would the processes have to tell each other?

# %% [markdown] part="answer" id="unequal-ranks" points=4
# ### BEGIN SOLUTION
# **Model answer.** No. Each process's loss is a mean over its own tokens, and `average_gradients` weighs the processes alike: it is the mean of means of exercise 6. A token of the process with fewer tokens counts twice as much.
#
# The cure is that of exercise 6 as well. Each process multiplies its loss by its own tokens divided by all tokens, and by `world_size`, since the division by `world_size` follows (or it uses the sum and leaves the division out). The
# number of all tokens is not known to one process alone. So before going back, they `all_reduce` their numbers of tokens: one number each.
#
# **Rubric (4 points).** 1 it says that the result is not the whole batch's gradient; 1 it names the cause, each process's mean counting alike; 1 weights by real tokens, with `world_size` or the sum dealt with; 1 the number of tokens must be reduced too.
# ### END SOLUTION

# %% [markdown]
# ## The ladder goes on
#
# Unit 12's ladder had eight rungs. Here are six more. Each cell says what a CPU can show. What needs a GPU stays **"not yet measured"** in the table until you run the notebook on one.
#
# **Rung 9: which attention runs?** `F.scaled_dot_product_attention` chooses among *back ends*: `MATH` makes the table; `FLASH_ATTENTION`, `EFFICIENT_ATTENTION` and `CUDNN_ATTENTION` do not. Each refuses some inputs, and then the
# choice falls to a slower one, without a word. `sdpa_kernel` allows one alone, so that it must say so.
#
# **Predict first.** On a CPU there are `MATH` and `FLASH_ATTENTION`. Which of these rules the fast one out?

# %% part="demo"
predict("16-refused", "On a CPU, FLASH_ATTENTION refuses:", choices=("is_causal", "a mask", "dropout", "float64", "none of them"))

# %% part="demo" folded=False
import warnings

from torch.nn.attention import SDPBackend, sdpa_kernel

device = "cuda" if torch.cuda.is_available() else "cpu"
dtype = torch.float16 if device == "cuda" else torch.float32  # on a GPU the flash kernel wants 16 bits
q = torch.randn(2, 4, 64, 32, device=device, dtype=dtype)
triangle = torch.ones(64, 64, dtype=torch.bool, device=device).tril()
asked = {"nothing special": (q, {}), "is_causal": (q, dict(is_causal=True)), "a mask": (q, dict(attn_mask=triangle)),
         "dropout": (q, dict(dropout_p=0.1)), "float64": (q.double(), {})}


def runs(backend, x, options):
    with sdpa_kernel(backend), warnings.catch_warnings(action="ignore"):
        try:
            F.scaled_dot_product_attention(x, x, x, **options)
        except RuntimeError:
            return False
    return True


backends = [SDPBackend.MATH, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION]
answers = {name: [runs(backend, *what) for backend in backends] for name, what in asked.items()}
if device == "cpu":
    outcome("16-refused", next((name for name, (_, flash, *_) in answers.items() if not flash), "none of them"))
table([(name, *("runs" if ok else "refuses" for ok in row)) for name, row in answers.items()], [f"on this {device}", *(backend.name for backend in backends)])

# %% [markdown]
# On a GPU the picture is another one. PyTorch's flash kernel for CUDA takes no mask at all, and no float32 (Dao's original neither). `is_causal=True` runs where the same triangle as a mask does not. Run the cell there before you
# believe a benchmark.
#
# **Rung 10: TF32.** NVIDIA's GPUs since Ampere can multiply float32 numbers rounded to 10 binary digits after the point, TF32, and do so faster. PyTorch does it after
# `torch.set_float32_matmul_precision("high")`. A CPU cannot show the speed, but it can show the error: the next cell rounds the inputs in the same way.

# %% part="demo"
predict("16-tf32", "A product of 256 × 256 in TF32: its error is how many times that of float32?", choices=("about 10", "about 1,000", "about 100,000"))

# %% part="demo" folded=False
def rounded_to_tf32(x):
    return ((x.view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)  # the last 13 of 23 digits become 0


a, b = torch.randn(2, 256, 256)
exact = a.double() @ b.double()
products = {"float32": a @ b, "TF32": rounded_to_tf32(a) @ rounded_to_tf32(b), "bfloat16": a.bfloat16().float() @ b.bfloat16().float()}
errors = {name: ((product - exact).abs().max() / exact.abs().max()).item() for name, product in products.items()}
outcome("16-tf32", min(("about 10", "about 1,000", "about 100,000"), key=lambda told: abs(math.log(float(told[6:].replace(",", "")) * errors["float32"] / errors["TF32"]))))
table([(name, f"{error:.1e}") for name, error in errors.items()], ["inputs in", "largest error, of the largest entry"])

# %% [markdown]
# **Rung 11: `.item()` waits.** A GPU works through a queue that Python fills. `loss.item()` wants a number, so Python stops until the queue is empty, and the GPU then stands still until Python has filled it again. On a CPU there is no queue and
# nothing to wait for. Call it every 100 steps, not at each one. (Does your `accumulated_step` call it for every piece? How would you change that?)
#
# **Rung 12: graph breaks.** `torch.compile` records what a function does, as one graph. Where it meets something that it cannot record, it ends the graph, lets Python do that, and begins another one. Each break costs: nothing is fused across it.

# %% part="demo" folded=False
import logging

logging.getLogger("torch._dynamo").setLevel(logging.ERROR)


def with_python(x):
    h = torch.relu(x @ x.T)
    if h.mean().item() > 1:  # Python wants a number to decide
        h = h / h.mean()
    print("large" if h.sum() > 10 else "small")
    return h.sum()


def with_tensors(x):
    h = torch.relu(x @ x.T)
    mean = h.mean()
    return torch.where(mean > 1, h / mean, h).sum()  # both are computed, one is taken

# %% part="demo"
predict("16-breaks", "Into how many graphs does torch.compile cut `with_python`?", choices=("1", "2", "3", "4 or more"))

# %% part="demo" folded=False
import torch._dynamo

x = torch.randn(8, 8)
found = {function.__name__: torch._dynamo.explain(function)(x) for function in (with_python, with_tensors)}
graphs = found["with_python"].graph_count
outcome("16-breaks", str(graphs) if graphs < 4 else "4 or more")
table([(name, told.graph_count, "; ".join(reason.reason.splitlines()[0] for reason in told.break_reasons) or "none") for name, told in found.items()],
      ["function", "graphs", "breaks"])

# %% [markdown]
# Two breaks make three graphs: one break at `.item()`, one at the last condition, where Python needs a number to choose a word. `torch._dynamo.explain` needs no GPU and no compiler: it only looks. What the breaks cost is to be measured where `torch.compile` gains anything, on a GPU.
#
# **Rung 13: activation checkpointing** (Chen and others, 2016). What autograd keeps grows with each layer. `checkpoint(layer, x)` keeps the layer's *input* alone, and runs the layer once more on the way back. It is
# FlashAttention's bargain once again: compute twice, keep less.
#
# **Predict first.** A training step is one forward pass and a backward pass of about twice the work. With checkpoints the forward runs twice. How much longer does a step take, and how much less is kept?

# %% part="demo"
predict("16-checkpoint", "With checkpoints a step takes:", choices=("about as long", "a third longer", "twice as long"))

# %% part="demo" folded=False
from torch.utils.checkpoint import checkpoint

deep = nn.ModuleList(nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0, batch_first=True) for _ in range(8)).to(device)
x = torch.randn(8, 64, 128, device=device)


def through(count, checkpointed):
    h = x
    for layer in deep[:count]:
        h = checkpoint(layer, h, use_reentrant=False) if checkpointed else layer(h)
    return h


counts = [1, 2, 4, 8]
mebibytes = {name: [kept_for_backward(lambda: through(count, way), deep.parameters()) / 2**20 for count in counts]
             for name, way in {"all kept": False, "checkpoints": True}.items()}
steps = compare({name: lambda way=way: through(8, way).sum().backward() for name, way in {"all kept": False, "checkpoints": True}.items()}, repeat=5, device=device)
longer = steps.timings["checkpoints"].low / steps.timings["all kept"].low
outcome("16-checkpoint", "about as long" if longer < 1.12 else "a third longer" if longer < 1.7 else "twice as long")

# %% part="demo" folded=True
show(lines(counts, mebibytes, "layers", "kept for the way back (MiB)", title=f"With checkpoints a step of 8 layers takes {longer:.2f} times as long"))

# %% [markdown]
# Forward counts as 1 and backward as 2. With checkpoints the 3 become 4, which is about a third longer; measured times scatter around that. What is kept is now one input for each layer.
#
# **Rung 14: packing.** You have measured it above.

# %% part="demo" folded=True
unknown = "not yet measured"
on_gpu = {}
if device == "cuda":
    for name, way in {"all kept": False, "checkpoints": True}.items():
        torch.cuda.reset_peak_memory_stats()
        through(8, way).sum().backward()
        on_gpu[name] = torch.cuda.max_memory_allocated() / 2**20
    large = torch.randn(4096, 4096, device=device)
    times = {}
    for precision in ("highest", "high"):
        torch.set_float32_matmul_precision(precision)
        times[precision] = measure(torch.mm, large, large, device=device).median
    torch.set_float32_matmul_precision("highest")
table([
    ("your softmax, one kernel", "right or wrong", "time", f"{1e6 * seconds['your kernel']:.0f} µs" if seconds and "your kernel" in seconds else unknown),
    ("9 back ends", "what the CPU's refuse", "what CUDA's refuse", "see the table above" if device == "cuda" else unknown),
    ("10 TF32", f"error: {errors['TF32'] / errors['float32']:,.0f} times float32's", "speed", f"{times['highest'] / times['high']:.1f} times" if on_gpu else unknown),
    ("11 fewer .item()", "nothing: no queue", "the wait", unknown),
    ("12 no graph breaks", f"{graphs} graphs become 1", "time", unknown),
    ("13 checkpoints", f"{mebibytes['all kept'][-1] / mebibytes['checkpoints'][-1]:.0f} times less kept, {longer:.2f} times as long", "peak memory",
     f"{on_gpu['all kept']:.0f} → {on_gpu['checkpoints']:.0f} MiB" if on_gpu else unknown),
    ("14 packing", f"{gain:.2f} times the real tokens a second", "with a kernel for packed rows", unknown),
], ["rung", "shown here", "needs a GPU", "there"])

# %% [markdown]
# ## What you built
#
# - `softmax_rows` and `flash_attention`, with kernels of your own: fetch once, compute, write once.
# - `flash_attention_backward`: gradients from one kept number a query.
# - `packed_mask` and `pack`: rows without padding.
# - `accumulated_step`, `shard` and `average_gradients`: a large batch's gradient from small pieces, one after the other or side by side.
#
# ## Test yourself
#
# **1.** Why must a kernel be correct whatever order its programs run in? What would happen if program 1 read what program 0 has written?
#
# <details><summary>Answer</summary>
#
# The GPU starts as many programs as it has room for, in no promised order. Program 1 might read before program 0 has written. The interpreter runs them in order, so it would not show the fault.
# </details>
#
# **2.** In the softmax kernel `other=` is −∞, in the attention kernel keys are loaded with `other=0.0`. Why not −∞ there?
#
# <details><summary>Answer</summary>
#
# A key behind the end goes into a dot product first. 0 · (−∞) is NaN, and sums of NaN spoil whole scores. So it is loaded as 0, and its **score** becomes −∞.
# </details>
#
# **3.** A sentence of 10 tokens stands behind one of 20 in a packed row. Which row of the position table do its tokens get, and what would go wrong otherwise?
#
# <details><summary>Answer</summary>
#
# Rows 0 to 9. With 20 to 29 the model would read the sentence as if 20 tokens stood before it: other outputs than alone.
# </details>
#
# **4.** Two processes, and in one of them a weight never gets a gradient. Your colleague skips it with `if weight.grad is None: continue`. What does the run do?
#
# <details><summary>Answer</summary>
#
# It hangs, or mixes up gradients of different weights: one process makes a call less, so its next call meets the other's call for another weight.
# </details>
#
# ## Sources
#
# - Tillet, Kung, Cox, *Triton: An Intermediate Language and Compiler for Tiled Neural Network Computations* (2019), and Triton's documentation: its tutorial has a softmax kernel.
# - Dao, Fu, Ermon, Rudra, Ré, *FlashAttention* (2022), algorithms 1 and 4; Dao, *FlashAttention-2* (2023): a program for each block of queries, and the log-sum-exp as the one thing kept.
# - Krell, Kosec, Perez, Fitzgibbon, *Efficient Sequence Packing without Cross-contamination* (2021).
# - Han, *Bugs in LLM Training: Gradient Accumulation Fix* (Unsloth, 2024).
# - Li and others, *PyTorch Distributed: Experiences on Accelerating Data Parallel Training* (2020).
# - Chen, Xu, Zhang, Guestrin, *Training Deep Nets with Sublinear Memory Cost* (2016).
# - PyTorch's documentation: `torch.nn.attention.sdpa_kernel`, `torch.set_float32_matmul_precision`, `torch.utils.checkpoint`, `torchrun`.
