# %% [markdown]
# # 16 · Kernels: the GPU's own language, and more than one GPU
#
# *Optional.* Nothing after this unit needs it.
#
# **By the end you can**
#
# - write a GPU kernel in Triton, and run it on a CPU;
# - write FlashAttention's forward pass as a kernel and its way back in blocks, and say what is kept in between;
# - put several sentences into one row, none of which sees another;
# - get a large batch's gradients from small ones: one after the other, or side by side in two processes.
#
# **Time:** about three hours, 125 minutes of them for the exercises.
# **You need:** units 04 (gradients of attention), 10 (`train_step`) and 12 (`tiled_attention`, the roof of a machine).
#
# No GPU is needed. Triton's *interpreter* runs a kernel on a CPU, one program after the other, slowly and exactly.
# Where there is a GPU, the cells that measure compile the same kernels for it. Triton runs on Linux; elsewhere exercises 1 and 2 cannot be judged.

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
# In unit 12, each PyTorch operator fetched its inputs from main memory and carried its result back. A softmax written as five operators climbs
# the stairs five times. A **kernel** is a program that runs on the GPU itself. It fetches once, computes in fast memory as much as it likes, and
# writes once.
#
# You do not write a loop over the data. You write what **one program** does, and launch it many times over a *grid*. All copies are the
# same; each asks for its own number, `tl.program_id(0)`, and works on its own piece. The copies run in any order, at the same time, and
# do not talk to each other.
#
# In Triton a program works on **blocks**: `tl.arange(0, 8)` is eight numbers at once. The length of a block must be a power of 2. A row seldom is. So the
# program takes the next power of 2 and **masks** what lies behind the end.

# %% part="demo" folded=True
from autograder.lab.figures import bars, lines, panels, show
from autograder.lab.kernels import kernel_grid, seconds_on_gpu
from autograder.lab.speed import kept_for_backward
from autograder.lab.tables import table
from autograder.lab.timing import compare, measure

show(kernel_grid(rows=4, length=5, block=8))

# %% [markdown]
# ## How a kernel finds its numbers
#
# A kernel is given **pointers**: the address of an array's first number. Memory is one long street, and row $r$ of an array with rows of length $n$ begins
# $r \cdot n$ houses further on. Column $c$ of it lives at
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
# Here is a whole kernel. It doubles each row. `BLOCK` is a `tl.constexpr`: it must be known when the kernel is compiled.

# %% part="demo" folded=False
@triton.jit
def double_kernel(x, output, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    columns = tl.arange(0, BLOCK)
    inside = columns < n
    numbers = tl.load(x + row * n + columns, mask=inside, other=0.0)
    tl.store(output + row * n + columns, 2 * numbers, mask=inside)


def double_rows(x):
    x = x.contiguous()  # row r begins at r · n only if the rows lie one behind the other
    output = torch.empty_like(x)
    rows, n = x.shape
    double_kernel[(rows,)](x, output, n, BLOCK=triton.next_power_of_2(n))  # the grid in brackets, then the arguments
    return output


print(double_rows(torch.arange(10.0).view(2, 5)))

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
# - Exponentials, maxima and sums are taken in the kernel. Outside it, make the output, and launch. PyTorch's `softmax` and Triton's own `tl.softmax` are not allowed. The check watches.
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
    output = torch.empty_like(x)
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

# %% [markdown] exercise="flash_attention" part="prompt" points=12 difficulty=5 minutes=35 time_limit=40 forbids="softmax scaled_dot_product_attention MultiheadAttention"
# ## Exercise 2 · `attention_kernel` and `flash_attention`
#
# Write the loop over the blocks of keys.
#
# | argument of `flash_attention` | shape | meaning |
# |---|---|---|
# | `query` | `(batch, num_heads, seq_q, d_k)` | |
# | `key` | `(batch, num_heads, seq_k, d_k)` | |
# | `value` | `(batch, num_heads, seq_k, d_v)` | |
# | `is_causal` | True or False | True: query $i$ sees the keys $j \le i$ only, aligned top left |
# | returns | `(batch, num_heads, seq_q, d_v)` | the output alone |
#
# - All lengths are arbitrary, `d_k` and `d_v` too. Scores may be in the thousands.

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
    output = query.new_empty(batch, num_heads, seq_q, d_v)
    BLOCK, D_K, D_V = 16, max(16, triton.next_power_of_2(d_k)), max(16, triton.next_power_of_2(d_v))
    grid = (triton.cdiv(seq_q, BLOCK), batch * num_heads)
    attention_kernel[grid](
        query, key, value, output, seq_q, seq_k, d_k, d_v, 1 / math.sqrt(d_k), CAUSAL=is_causal, BLOCK=BLOCK, D_K=D_K, D_V=D_V
    )
    return output

# %% exercise="flash_attention" part="check"
check(flash_attention, keeps_inputs, right_shape, runs_in_a_kernel, finite, matches)

# %% [markdown] exercise="flash_attention" part="hints"
# - It is `tiled_attention` of unit 12, its inner loop.

# %% [markdown] exercise="flash_attention_backward" part="prompt" points=10 difficulty=4 minutes=25 time_limit=15 returns="grad_query grad_key grad_value" forbids="backward grad softmax scaled_dot_product_attention MultiheadAttention"
# ## Exercise 3 · `flash_attention_backward`
#
# In blocks.

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
# - Two loops.

# %% [markdown] exercise="packed_mask" part="prompt" points=4 difficulty=2 minutes=8
# ## Exercise 4 · `packed_mask`
#
# Write.

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
# - Compare.

# %% [markdown] exercise="pack" part="prompt" points=4 difficulty=2 minutes=8 returns="ids positions mask"
# ## Exercise 5 · `pack`
#
# Write.

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
# - Positions.

# %% [markdown] exercise="accumulated_step" part="prompt" points=8 difficulty=3 minutes=15
# ## Exercise 6 · `accumulated_step`
#
# Write.

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
# - Gradients add.

# %% [markdown] exercise="shard" part="prompt" points=2 difficulty=1 minutes=5
# ## Exercise 7 · `shard`
#
# Write.

# %% exercise="shard" part="solution"
def shard(batch: Tensor, rank: int, world_size: int) -> Tensor:
    """The rows of a batch that process `rank` works on.   batch: (batch, ...)   returns: (about batch / world_size, ...)"""
    ### BEGIN SOLUTION
    return batch[rank::world_size]
    ### END SOLUTION

# %% exercise="shard" part="check"
check(shard, keeps_inputs, right_shape, matches)

# %% [markdown] exercise="shard" part="hints"
# - Slices.

# %% [markdown] exercise="average_gradients" part="prompt" points=6 difficulty=2 minutes=9
# ## Exercise 8 · `average_gradients`
#
# Write.

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
# - Sum.
