# %% [markdown]
# # 12 · GPU: make it fast
#
# Attention over 4,096 tokens with 8 heads writes 134 million scores to memory, half a gigabyte in float32, only to read them once
# more and throw them away. Your processor waits meanwhile. In this unit you find out what your machine can do, what attention asks of
# it, and how to ask for less.
#
# **You will be able to**
#
# - count the operations and the bytes of an attention layer, and say which of the two limits it on a given machine;
# - compute attention block by block, without its table of scores: FlashAttention's algorithm;
# - decode with a key–value cache: the same words, sooner;
# - train in bfloat16, climb a ladder of speed-ups, and say which share of your machine's peak you reach;
# - read a profiler's trace.
#
# **Time:** about 160 minutes, 110 of them for the exercises.
# **You need:** units 03 and 05 (attention, heads), 07 (masks), 09 (the Transformer, `greedy_decode`), 10 (`train_step`).
#
# Everything runs on a CPU. Where PyTorch finds a GPU (CUDA, or MPS on a Mac), the measuring cells use it, unchanged. The numbers come
# from your machine when you run the cells.

# %% part="setup"
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder import (
    begin, check, computes_in_type, finite, hint, keeps_inputs, matches, outcome, predict, right_shape, use_part, works_in_blocks,
    works_once,
)

begin("12_gpu")

# %% [markdown]
# ## Where numbers live
#
# A processor multiplies numbers far faster than it can fetch them. So there are several memories, one behind the other:
#
# - **main memory**: large and slow (on a GPU it is called HBM, or video memory);
# - **caches**: small and fast, close to the arithmetic (on a GPU: shared memory and L2);
# - **registers**: a few numbers, right where the arithmetic is done.
#
# Think of a cook with a small table and a large cellar. Cooking is quick, the stairs are slow. What decides the evening
# is how much is made of each basket that was carried up.

# %% part="demo" folded=True
from autograder.lab.figures import Arrow, Box, flow, lines, panels, show
from autograder.lab.precision import measured_precision
from autograder.lab.speed import matmul_peak, memory_bandwidth, peak_memory, transformer_flops
from autograder.lab.tables import table
from autograder.lab.timing import compare, measure

boxes = {
    "memory": Box("main memory\nlarge, slow", 0, 0, "grey"),
    "cache": Box("cache\nsmall, fast", 0, 1, "blue"),
    "units": Box("registers\nand arithmetic", 0, 2, "orange"),
}
arrows = [Arrow("memory", "cache", "the stairs: bytes a second"), Arrow("cache", "units", "operations a second")]
show(flow(boxes, arrows, title="Every number comes up the stairs before it is multiplied"))

# %% [markdown]
# ## The formula
#
# The **arithmetic intensity** of a piece of work says how much is cooked from each basket:
#
# $$I = \frac{F}{B}$$
#
# with $F$ its floating-point operations (FLOPs), and $B$ the bytes that it moves from and to main memory. A machine with the peak $P$
# (operations a second) and the bandwidth $W$ (bytes a second) can do at most $\min(P,\; W \cdot I)$ operations a second on it. Where
# $W \cdot I$ is the smaller, memory decides, and a faster processor helps nothing.
#
# So count $F$ and $B$ for attention.

# %% [markdown] exercise="attention_flops" part="prompt" points=4 difficulty=1 minutes=6 relative=1e-12 absolute=1e-6
# ### Exercise 1 · `attention_flops`: how much is computed
#
# Count the floating-point operations (FLOPs) of one forward pass of self-attention, for all heads of all sentences.
#
# - Count the **two matrix products** only: the scores $QK^\top$, and the weights times the values. The softmax between
#   them is left out, as is usual: it is small beside them. No projections, no mask.
# - A multiply–add counts **2**: one multiplication and one addition.
# - Queries, keys and values all have the length `d_head`; there are `seq` of each in every head.
#
# | argument | meaning |
# |---|---|
# | `batch`, `num_heads` | sentences, and heads in each |
# | `seq` | tokens in each sentence |
# | `d_head` | length of a query, key or value in one head |
# | returns | a whole number |

# %% exercise="attention_flops" part="solution"
def attention_flops(batch: int, num_heads: int, seq: int, d_head: int) -> int:
    """Floating-point operations of self-attention's two matrix products, forward; a multiply–add counts 2."""
    ### BEGIN SOLUTION
    one_product = 2 * seq * seq * d_head  # seq × seq numbers, each a sum of d_head products
    return batch * num_heads * 2 * one_product
    ### END SOLUTION

# %% exercise="attention_flops" part="check"
check(attention_flops, matches)

# %% [markdown] exercise="attention_flops" part="hints"
# - One entry of the scores is a dot product of two vectors of length `d_head`. How many multiplications is that, and how
#   many additions (count as many)?
# - How many entries have the scores of one head? And the other product: how many entries has the output of one head, and
#   over how many tokens does each of them sum?

# %% [markdown]
# ## What must be carried
#
# Written as in unit 03, attention makes two tables of `seq × seq`: scores and weights. Each is written to memory by one
# operator and read again by the next.

# %% [markdown] exercise="attention_bytes" part="prompt" points=6 difficulty=2 minutes=10 relative=1e-12 absolute=1e-6
# ### Exercise 2 · `attention_bytes`: how much is moved
#
# Count the bytes that one forward pass of self-attention moves between main memory and the processor. We count like this:
#
# **Explicit** (`tiled=False`): attention is three operators, one after the other. Each reads its inputs from memory, once,
# and writes its result to memory, once.
#
# | operator | reads | writes |
# |---|---|---|
# | scores | queries, keys | scores |
# | softmax | scores | weights |
# | output | weights, values | output |
#
# **Tiled** (`tiled=True`): one operator. It reads queries, keys and values once and writes the output once. Scores and
# weights live in fast memory, block by block, and never reach main memory.
#
# Queries, keys, values and output are `(batch, num_heads, seq, d_head)`; scores and weights are
# `(batch, num_heads, seq, seq)`. Each number takes `bytes_per_number` bytes (2 in bf16, 4 in float32). The scale and a mask
# cost nothing here. Return a whole number.

# %% exercise="attention_bytes" part="solution"
def attention_bytes(
    batch: int, num_heads: int, seq: int, d_head: int, bytes_per_number: int = 2, tiled: bool = False
) -> int:
    """Bytes read from and written to main memory by self-attention, forward; explicit, or tiled."""
    ### BEGIN SOLUTION
    vectors = 4 * seq * d_head  # q, k, v read, the output written
    tables = 0 if tiled else 4 * seq * seq  # scores and weights, each written and read
    return batch * num_heads * (vectors + tables) * bytes_per_number
    ### END SOLUTION

# %% exercise="attention_bytes" part="check"
check(attention_bytes, matches)

# %% [markdown] exercise="attention_bytes" part="hints"
# - Go through the table line by line and write down how many numbers each cell holds, for one head of one sentence.
# - Scores and weights appear twice each: written by one operator, read by the next.
# - Tiled, only four arrays are left. None of them grows with the square of `seq`.

# %% [markdown]
# ## What can your machine do?
#
# **The stairs.** The cell copies arrays of different sizes and counts the bytes that are read and written in a second.
# **Predict first.** A small array fits into a cache, a large one does not. At which size is copying fastest?

# %% part="demo"
predict("12-copy", "From 8 KiB to 256 MiB, copying is fastest for:",
        choices=("the smallest arrays", "sizes in the middle", "the largest arrays"))

# %% part="demo" folded=True
device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
sizes = [1 << k for k in range(13, 29)]  # 8 KiB to 256 MiB, both arrays together
speeds = [memory_bandwidth(size, device, repeat=3) / 1e9 for size in sizes]
show(lines([size / 1024 for size in sizes], {"copying": speeds}, "size of the two arrays (KiB)", "GB a second", logx=True,
           title=f"Copying on this machine ({device})"))
fastest = speeds.index(max(speeds))
outcome("12-copy", "the smallest arrays" if fastest < 3 else "the largest arrays" if fastest > 12 else "sizes in the middle")

# %% [markdown]
# On the very left, starting the copy costs more than the copy. Then comes the caches' plateau, and on the right what main
# memory can do. Attention's table of scores lies on the right.
#
# **The cook.** A large matrix product uses each number many times, so it runs at the arithmetic's own speed. That speed is your
# machine's **peak**, as far as PyTorch reaches it.

# %% part="demo" folded=True
bandwidth = memory_bandwidth(1 << 28, device)
peaks = {dtype: matmul_peak(device, dtype) for dtype in (torch.float32, torch.bfloat16)}
rows = [("threads of PyTorch on the CPU", str(torch.get_num_threads())), ("main memory", f"{bandwidth / 1e9:.3g} GB a second")]
rows += [(f"matrix product, {str(dtype).removeprefix('torch.')}", f"{peak / 1e9:,.3g} GFLOP a second") for dtype, peak in peaks.items()]
precision = measured_precision(device)  # one layer, there and back, in both types
ridge = peaks[torch.float32] / bandwidth
print(precision.told())
print(f"For every byte that is fetched, {ridge:.0f} operations (float32) could be done meanwhile.")
table(rows, ["this machine", "measured"])

# %% [markdown]
# The first line says which type makes a layer faster **here**. bfloat16 has 16 bits, and is fast where there are circuits for it: in
# GPUs and in many processors of servers. A processor without them (most laptops) imitates it, and takes many times as long as for
# float32. **Measure, then choose.**
#
# ## Draw the roof
#
# Attention with 8 heads, `d_head` 64, in float32. **Predict first.** From 128 to 4,096 tokens, how does the intensity of the
# explicit form change? And that of the tiled one?

# %% part="demo"
predict("12-intensity", "From 128 to 4,096 tokens, the explicit form's operations per byte:",
        choices=("fall", "hardly change (less than twice)", "grow with the length"))

# %% part="demo" folded=True
count_flops, count_bytes = use_part("attention_flops"), use_part("attention_bytes")
lengths = [128, 256, 512, 1024, 2048, 4096]
intensity = {
    name: [count_flops(1, 8, n, 64) / count_bytes(1, 8, n, 64, 4, tiled=tiled) for n in lengths]
    for name, tiled in {"explicit": False, "tiled": True}.items()
}
figure = lines(lengths, intensity | {"this machine's edge": [ridge] * len(lengths)}, "tokens", "operations per byte", logx=True, logy=True,
               title="Arithmetic intensity of attention")


def show_lengths(figure, lengths):  # ticks at the lengths that were measured
    figure.axes[0].xaxis.minorticks_off()
    figure.axes[0].set_xticks(lengths, [f"{n:,}" for n in lengths])
    show(figure)


show_lengths(figure, lengths)
growth = intensity["explicit"][-1] / intensity["explicit"][0]
outcome("12-intensity", "fall" if growth < 0.9 else "hardly change (less than twice)" if growth < 2 else "grow with the length")

# %% [markdown]
# The explicit form stays below $d_{head}/4 = 16$ operations per byte, however long the sentence: $F$ and $B$ both grow with
# $n^2$ ($4n^2d / (4 \cdot 4n^2)$ for large $n$). Tiled, $B$ grows with $n$ only, and the intensity grows without end.
#
# Now the **roof** (Williams, Waterman and Patterson 2009): $\min(P, W \cdot I)$ against $I$ is a slope and then a flat line. The dots are
# real work on your machine.
#
# **Predict first.** Which dot comes nearest to the roof, and which stay far below it?

# %% part="demo"
predict("12-roof", "The largest share of what the roof allows:",
        choices=("add two vectors", "matrix times vector", "softmax of a table", "product, 1024 × 1024", "attention, explicit", "attention, F.sdpa"))

# %% part="demo" folded=False
x, y = torch.randn(2, 1 << 23, device=device)
square = torch.randn(1024, 1024, device=device)
wide, q = torch.randn(2048, 4096, device=device), torch.randn(1, 8, 1024, 64, device=device)
works = {  # name: (work, operations, bytes)
    "add two vectors": (lambda: x + y, x.numel(), 12 * x.numel()),
    "matrix times vector": (lambda: wide @ x[:4096], 2 * wide.numel(), 4 * wide.numel()),
    "softmax of a table": (lambda: wide.softmax(-1), 5 * wide.numel(), 8 * wide.numel()),
    "product, 1024 × 1024": (lambda: square @ square, 2 * 1024**3, 12 * 1024**2),
    "attention, explicit": (lambda: (q @ q.mT / 8).softmax(-1) @ q, count_flops(1, 8, 1024, 64), count_bytes(1, 8, 1024, 64, 4)),
    "attention, F.sdpa": (lambda: F.scaled_dot_product_attention(q, q, q), count_flops(1, 8, 1024, 64),
                          count_bytes(1, 8, 1024, 64, 4, tiled=True)),
}
dots = {name: ([flops / moved], [flops / measure(work, device=device).low / 1e9]) for name, (work, flops, moved) in works.items()}

# %% part="demo" folded=True
reach = [1 / 32, ridge, 1024.0]
roof = [min(peaks[torch.float32], bandwidth * i) / 1e9 for i in reach]
figure, axes = panels(1, 1, width=6.6, height=5.2)
lines({"the roof": reach} | {name: i for name, (i, _) in dots.items()}, {"the roof": roof} | {name: f for name, (_, f) in dots.items()},
      "operations per byte", "GFLOP a second", logx=True, logy=True, title=f"Roofline of this machine ({device})", ax=axes[0, 0])
axes[0, 0].lines[0].set_marker("")
axes[0, 0].legend(loc="lower right", fontsize=9)
show(figure)
allowed = {name: f[0] * 1e9 / min(peaks[torch.float32], bandwidth * i[0]) for name, (i, f) in dots.items()}
outcome("12-roof", max(allowed, key=allowed.__getitem__))
print(", ".join(f"{name} {share:.0%}" for name, share in allowed.items()))

# %% [markdown]
# Read it like this. **Under the slope** the stairs decide: adding vectors can never be fast. **Under the flat part** the cook
# decides. **Far below both** something else does: new memory must be handed out, or an exponential takes many steps and counts few.
#
# A dot **above** the slope (100 % and more) breaks no law. The slope was measured by copying 256 MiB, which reads *and* writes. The matrix times
# a vector only reads, and its 32 MiB may stay in a large last cache: its stairs are shorter. (A dot above the *flat* part says that the
# machine was busy while its peak was measured. Measure again.)
#
# Explicit attention stays below 16 operations per byte in float32, 32 in bf16. On a CPU the edge often lies left of that; on a GPU
# far to the right: NVIDIA's data sheet gives an A100 (80 GB) 312 TFLOP/s in bf16 and 2,039 GB/s, so its edge is at 153. There explicit
# attention is deep under the slope, and the tiled form is not. That is the whole idea of FlashAttention (Dao et al. 2022): **the same
# operations, fewer bytes.**
#
# ## A softmax that does not wait
#
# To weigh values, a softmax seems to need all scores first: the maximum, then the sum, then the weights. In blocks, we know
# only what has come so far. The trick (Milakov and Gimelshein 2018): **work with the maximum so far, and correct when a
# larger one comes.**
#
# Carry three things: the largest score so far $m$, the sum $\ell = \sum_j e^{s_j - m}$, and the weighted sum
# $o = \sum_j e^{s_j - m}\, v_j$. A new block brings a maximum $m'$, the larger of $m$ and its own. Then
#
# $$\ell' = \ell\, e^{m - m'} + \sum_{\text{block}} e^{s_j - m'}, \qquad o' = o\, e^{m - m'} + \sum_{\text{block}} e^{s_j - m'} v_j$$
#
# since $e^{s_j - m}\, e^{m - m'} = e^{s_j - m'}$. At the end the answer is $o / \ell$.
#
# ### By hand
#
# Four scores, $\ln 1, \ln 2, \ln 8, \ln 1$, and the values 10, 20, 30, 40, in two blocks of two.
#
# | | $m$ | $\ell$ | $o$ |
# |---|---|---|---|
# | block 1: $\ln 1, \ln 2$ | $\ln 2$ | $\frac12 + 1 = 1.5$ | $\frac12 \cdot 10 + 1 \cdot 20 = 25$ |
# | correction, since $\ln 8$ is larger: times $e^{\ln 2 - \ln 8} = \frac14$ | $\ln 8$ | $0.375$ | $6.25$ |
# | block 2: $\ln 8, \ln 1$ | $\ln 8$ | $0.375 + 1 + \frac18 = 1.5$ | $6.25 + 30 + 5 = 41.25$ |
#
# The answer is $41.25 / 1.5 = 27.5$. And all at once: the weights are $1, 2, 8, 1$ over 12, and
# $(10 + 40 + 240 + 40)/12 = 27.5$.

# %% [markdown] exercise="online_softmax_sum" part="prompt" points=8 difficulty=3 minutes=15 forbids="softmax scaled_dot_product_attention"
# ### Exercise 3 · `online_softmax_sum`: one pass, block by block
#
# Compute $\sum_j \alpha_j v_j$ with $\alpha = \text{softmax}(s)$, and look at each block of scores **once**, in order.
#
# | argument | shape | meaning |
# |---|---|---|
# | `scores` | `(n,)` | the scores of one query |
# | `values` | `(n, d_v)` | the values |
# | `block_size` | a number | how many scores and values are looked at together; the last block may be shorter |
# | returns | `(d_v,)` | the weighted sum |
#
# - Scores may be in the thousands, above or below 0: nothing may overflow, and nothing may become 0/0.
# - A score of −∞ means: hidden, no weight. Whole blocks may be hidden, the first one too. If all scores are −∞, return zeros.
# - Only one block's exponentials may exist at a time, and no look at later scores is allowed. The check watches for that.
# - PyTorch's `softmax`, `log_softmax` and `F.scaled_dot_product_attention` are not allowed, not even on a block. `exp`, `max`
#   and `logsumexp` of a block are.

# %% exercise="online_softmax_sum" part="solution"
def online_softmax_sum(scores: Tensor, values: Tensor, block_size: int) -> Tensor:
    """softmax(scores) @ values in one pass over blocks (Milakov and Gimelshein 2018).

    scores:     (n,); −inf hides a value
    values:     (n, d_v)
    block_size: scores looked at together
    returns:    (d_v,); zeros where all scores are −inf
    """
    ### BEGIN SOLUTION
    largest = scores.new_full((), -math.inf)
    denominator = scores.new_zeros(())
    total = values.new_zeros(values.shape[1])
    for start in range(0, len(scores), block_size):
        block = scores[start : start + block_size]
        new_largest = torch.maximum(largest, block.max())
        if new_largest == -math.inf:
            continue  # everything so far is hidden
        rescale = torch.exp(largest - new_largest)
        powers = torch.exp(block - new_largest)
        denominator = denominator * rescale + powers.sum()
        total = total * rescale + powers @ values[start : start + block_size]
        largest = new_largest
    return total / denominator if denominator > 0 else total
    ### END SOLUTION

# %% exercise="online_softmax_sum" part="check"
check(online_softmax_sum, keeps_inputs, right_shape, finite, works_in_blocks, matches)

# %% [markdown] exercise="online_softmax_sum" part="hints"
# - Three things are carried from block to block: the largest score so far, the sum of exponentials so far, and the weighted
#   sum of values so far. The last two are measured against the largest score so far.
# - A block brings a larger score. What was summed before is measured against the old maximum m. By which factor must it be
#   multiplied so that it is measured against the new one, n? Look at `exp(s - m)` and `exp(s - n)`.
# - Divide once, at the very end.
# - NaN? As long as everything was hidden, the largest score so far is −∞, and −∞ − (−∞) is NaN. What can be done with
#   such a block?

# %% part="demo"
one_pass = use_part("online_softmax_sum")
print(one_pass(torch.tensor([1.0, 2, 8, 1]).log(), torch.tensor([[10.0], [20], [30], [40]]), block_size=2))

# %% [markdown]
# ## Attention without the table
#
# Now do the same for many queries at once. Cut the table of scores into blocks, and walk through them row of blocks by row of
# blocks. Only one block exists at a time. Each query carries its own $m$, $\ell$ and $o$.
#
# With a causal mask, three kinds of blocks occur: wholly in the past (nothing is hidden), on the diagonal (a triangle is
# hidden), wholly in the future (skip them). The picture shows ten tokens in blocks of four.

# %% part="demo" folded=True
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from autograder.lab.style import describe

i, j = torch.arange(10)[:, None], torch.arange(10)[None]
kind = torch.where(j // 4 > i // 4, 0, torch.where(j > i, 1, 2))
names, colours = ("block skipped", "hidden inside a block", "seen"), ("#e9e7e0", "#E69F00", "#0072B2")
figure, axes = panels(1, 1, width=4.6, height=4.2)
axes[0, 0].imshow(kind, cmap=ListedColormap(colours), vmin=0, vmax=2)
axes[0, 0].set(xlabel="key", ylabel="query", xticks=range(10), yticks=range(10))
axes[0, 0].set_xticks([-0.5, 3.5, 7.5], minor=True)
axes[0, 0].set_yticks([-0.5, 3.5, 7.5], minor=True)
axes[0, 0].grid(False)
axes[0, 0].grid(which="minor", color="white", linewidth=3)
axes[0, 0].legend([Patch(facecolor=colour) for colour in colours], names, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8.5, columnspacing=1)
describe(figure, "Ten queries by ten keys in blocks of four: blocks left of the diagonal are seen whole, those on it are half hidden, those right of it skipped.")
show(figure)

# %% [markdown] exercise="tiled_attention" part="prompt" points=12 difficulty=4 minutes=25 time_limit=15 forbids="softmax scaled_dot_product_attention MultiheadAttention"
# ### Exercise 4 · `tiled_attention`: attention that never makes the table
#
# Compute $\text{softmax}(QK^\top / \sqrt{d_k})\,V$ block by block. This is FlashAttention's algorithm.
#
# | argument | shape | meaning |
# |---|---|---|
# | `query` | `(batch, num_heads, seq_q, d_k)` | |
# | `key` | `(batch, num_heads, seq_k, d_k)` | |
# | `value` | `(batch, num_heads, seq_k, d_v)` | |
# | `block_size` | a number | queries and keys looked at together; both lengths may be no multiple of it |
# | `is_causal` | True or False | True: query $i$ sees the keys $j \le i$ only (aligned top left, as in `F.scaled_dot_product_attention`) |
# | returns | `(batch, num_heads, seq_q, d_v)` | the output alone, no weights |
#
# - Nowhere may an array as large as `seq_q × seq_k` exist, not even a mask, and only one block of scores at a time: those of
#   `block_size` queries and `block_size` keys, in each head. The check watches for that.
# - PyTorch's `softmax`, `log_softmax`, `F.scaled_dot_product_attention` and `nn.MultiheadAttention` are not allowed, not even
#   on a block.
# - Batch and heads need no loop: let the products broadcast over them.
# - Scores may be in the thousands.

# %% exercise="tiled_attention" part="solution"
def tiled_attention(query: Tensor, key: Tensor, value: Tensor, block_size: int, is_causal: bool = False) -> Tensor:
    """Scaled dot-product attention block by block (Dao et al. 2022), exact, without the table of scores.

    query:      (batch, num_heads, seq_q, d_k)
    key:        (batch, num_heads, seq_k, d_k)
    value:      (batch, num_heads, seq_k, d_v)
    block_size: queries and keys looked at together
    is_causal:  query i sees keys j <= i only
    returns:    (batch, num_heads, seq_q, d_v)
    """
    ### BEGIN SOLUTION
    outputs = []
    for first_query, queries in zip(range(0, query.shape[-2], block_size), query.split(block_size, dim=-2)):
        rows = first_query + torch.arange(queries.shape[-2], device=query.device)[:, None]
        largest = queries.new_full((*queries.shape[:-1], 1), -math.inf)
        denominator = torch.zeros_like(largest)
        total = value.new_zeros(*queries.shape[:-1], value.shape[-1])
        for first_key in range(0, key.shape[-2], block_size):
            if is_causal and first_key >= first_query + queries.shape[-2]:
                break  # from here on, every key lies in the future
            keys, values = (x[..., first_key : first_key + block_size, :] for x in (key, value))
            scores = queries @ keys.transpose(-2, -1) / math.sqrt(query.shape[-1])  # (batch, num_heads, block, block)
            if is_causal:
                columns = first_key + torch.arange(keys.shape[-2], device=key.device)
                scores = scores.masked_fill(columns > rows, -math.inf)
            new_largest = torch.maximum(largest, scores.amax(dim=-1, keepdim=True))
            rescale, powers = torch.exp(largest - new_largest), torch.exp(scores - new_largest)
            denominator = denominator * rescale + powers.sum(dim=-1, keepdim=True)
            total = total * rescale + powers @ values
            largest = new_largest
        outputs.append(total / denominator)
    return torch.cat(outputs, dim=-2)
    ### END SOLUTION

# %% exercise="tiled_attention" part="check"
check(tiled_attention, keeps_inputs, right_shape, finite, works_in_blocks, matches)

# %% [markdown] exercise="tiled_attention" part="hints"
# - Two loops: the outer one over blocks of queries, the inner one over blocks of keys and values. The inner loop is
#   exercise 3, for `block_size` queries at once. What was a single number there has the shape
#   `(batch, num_heads, block, 1)` here.
# - Slices may run past the end: `key[..., 8:12, :]` of ten keys gives two. So a short last block needs no care.
# - Causal: which query numbers and which key numbers meet in this block? Make both with `torch.arange`, starting where the
#   block starts, and compare them by broadcasting.
# - A block of keys that lies wholly in the future need not be looked at.
# - Collect the blocks of the output in a list; join them along the queries' axis at the end.

# %% [markdown]
# ### What it saves
#
# First: is it exact? Then the memory that is in use at once, against the length. **Predict first.** The length doubles. What
# happens to the memory of the explicit form, and of the tiled one?

# %% part="demo"
predict("12-memory", "Twice as many tokens; the explicit form's memory:", choices=("stays", "doubles", "grows fourfold"))

# %% part="demo" folded=False
tiled = use_part("tiled_attention")


def explicit(query, key, value):
    return (query @ key.mT / math.sqrt(query.shape[-1])).softmax(dim=-1) @ value


ways = {"explicit": explicit, "tiled, blocks of 128": lambda q, k, v: tiled(q, k, v, 128), "F.sdpa": F.scaled_dot_product_attention}
torch.manual_seed(0)
example = torch.randn(3, 2, 4, 100, 16, device=device)
for name, way in ways.items():
    print(f"{name:<22} largest difference to explicit: {(way(*example) - explicit(*example)).abs().max():.1e}")

# %% part="demo" folded=True
lengths = [256, 512, 1024, 2048]
memory = {name: [] for name in ways}
for n in lengths:
    q, k, v = torch.randn(3, 1, 8, n, 64, device=device)
    for name, way in ways.items():
        used = peak_memory(lambda: way(q, k, v), device)
        memory[name].append(float("nan") if used is None else max(used, 1e5) / 2**20)
show_lengths(lines(lengths, memory, "tokens", "memory beyond the inputs (MiB)", logx=True, logy=True, title="Attention, 8 heads, forward"), lengths)
times = memory["explicit"][-1] / memory["explicit"][-2]
if math.isfinite(times):
    outcome("12-memory", "stays" if times < 1.4 else "doubles" if times < 2.8 else "grows fourfold")

# %% [markdown]
# Explicit memory grows with the square of the length: two or three tables of `seq × seq` exist at once. The tiled forms grow with the
# length itself, the output's size. (Elsewhere than on Linux or CUDA nobody counts, and the plot stays empty.)
#
# And the time? Our tiled form is a Python loop over blocks, so every block costs some calls.

# %% part="demo"
predict("12-loop", "1,024 tokens: the loop over blocks, against the explicit form, is:",
        choices=("faster", "about as fast (within 20 %)", "slower"))

# %% part="demo"
q, k, v = torch.randn(3, 1, 8, 1024, 64, device=device)
compared = compare({name: (lambda way=way: way(q, k, v)) for name, way in ways.items()}, repeat=3, device=device)
times = compared.timings["explicit"].median / compared.timings["tiled, blocks of 128"].median
outcome("12-loop", "faster" if times > 1.2 else "slower" if times < 1 / 1.2 else "about as fast (within 20 %)")
compared

# %% [markdown]
# On a CPU a loop in Python can win: its blocks stay in a cache, and the tables do not. On a GPU a call costs more than a block,
# and the loop must run inside one kernel. `F.scaled_dot_product_attention` is such a kernel on both.
#
# ## Decoding: do not read the past again
#
# `greedy_decode` of unit 09 writes one token, then feeds the **whole** sentence so far through the decoder, to write the next.
# For token $t$ it computes $t$ positions and uses the last one. A sentence of $T$ tokens costs
# $1 + 2 + \dots + T = T(T+1)/2$ positions in place of $T$: for 64 tokens, 2,080.
#
# But the past does not change: position 3 never saw position 4, so nothing that was computed for it becomes different when position
# 4 arrives. What does the new position need from the others? Its query meets their **keys** and mixes their **values**. These two
# are worth keeping. Queries are not: each is asked once.

# %% part="demo" folded=True
boxes = {
    "new": Box("newest token", 0, 0), "qkv": Box("its q, k, v", 0, 1, "orange"), "cache": Box("cache: k, v\nof all before", 2, 1, "blue"),
    "attend": Box("one query,\nall keys", 0, 2, "orange"), "out": Box("next token", 0, 3),
}
arrows = [Arrow("new", "qkv"), Arrow("qkv", "cache", "append k, v"), Arrow("cache", "attend"), Arrow("qkv", "attend"), Arrow("attend", "out")]
show(flow(boxes, arrows, title="One step with a key–value cache"))

# %% [markdown] exercise="KeyValueCache" part="prompt" points=8 difficulty=2 minutes=12
# ### Exercise 5 · `KeyValueCache`: what need not be computed again
#
# Write the memory of a decoder that writes token after token: for each layer, the keys and values of all positions so far.
#
# `KeyValueCache(num_layers)` starts empty. It has two methods:
#
# - **`append(layer, key, value)`** takes the newest positions' keys and values of one layer, each
#   `(batch, num_heads, new, d_head)`, and puts them **behind** what that layer has. It returns a pair: all keys and all
#   values of that layer so far, each `(batch, num_heads, so_far, d_head)`. Layers are counted from 0, and
#   may come in any order.
# - **`length()`** returns how many positions are held in layer 0: 0 at first.
#
# Usually one position is new. At the start, several may come at once. Keys and values come back as they were given, their number
# type too. Two caches know nothing of each other.

# %% exercise="KeyValueCache" part="solution"
class KeyValueCache:
    """The keys and values of all positions so far, layer by layer."""

    def __init__(self, num_layers: int) -> None:
        self.keys: list[Tensor | None] = [None] * num_layers
        self.values: list[Tensor | None] = [None] * num_layers

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put new positions behind the others.

        key, value: (batch, num_heads, new, d_head)
        returns:    all keys and all values of this layer, each (batch, num_heads, so_far, d_head)
        """
        ### BEGIN SOLUTION
        if self.keys[layer] is not None:
            key = torch.cat([self.keys[layer], key], dim=-2)
            value = torch.cat([self.values[layer], value], dim=-2)
        self.keys[layer], self.values[layer] = key, value
        return key, value
        ### END SOLUTION

    def length(self) -> int:
        """How many positions layer 0 holds."""
        ### BEGIN SOLUTION
        return 0 if self.keys[0] is None else self.keys[0].shape[-2]
        ### END SOLUTION

# %% exercise="KeyValueCache" part="check"
check(KeyValueCache, matches)

# %% [markdown] exercise="KeyValueCache" part="hints"
# - Which of the four axes grows from step to step? `torch.cat` joins along one axis; the others stay as they are.
# - A layer that is still empty has nothing to join to.
# - What `append` returns, it must also keep: the next call builds on it.

# %% [markdown]
# ### Tools for the next exercise
#
# Decoding with a cache goes through a decoder block by a way of its own: only the newest position goes in, and its two
# attentions take their keys and values from elsewhere. These functions are the parts of a block that do not change;
# they are yours to use. One is there for speed alone: `joined`.

# %% part="setup"
split_heads, merge_heads, padding_mask = use_part("split_heads"), use_part("merge_heads"), use_part("padding_mask")


def queries(attention: nn.Module, x: Tensor) -> Tensor:
    """What `attention` asks for x (batch, seq, d_model): queries, (batch, num_heads, seq, d_head)."""
    return split_heads(attention.q_proj(x), attention.num_heads)


def keys_and_values(attention: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """What `attention` makes of x (batch, seq, d_model): keys and values, each (batch, num_heads, seq, d_head)."""
    return tuple(split_heads(layer(x), attention.num_heads) for layer in (attention.k_proj, attention.v_proj))


def joined(attention: nn.Module) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """A function that makes queries, keys and values of x at once: one matrix product instead of three."""
    layers = attention.q_proj, attention.k_proj, attention.v_proj
    weight, bias = torch.cat([layer.weight for layer in layers]), torch.cat([layer.bias for layer in layers])
    return lambda x: split_heads(F.linear(x, weight, bias), 3 * attention.num_heads).chunk(3, dim=1)


def attend(attention: nn.Module, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
    """`attention` with finished queries, keys and values; mask as ever, True where a key may be seen."""
    return attention.out_proj(merge_heads(F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)))


def normed(norm: nn.Module, x: Tensor) -> Tensor:
    """Unit 08's LayerNorm by one fused operator: for a single position, each call costs more than its arithmetic."""
    return F.layer_norm(x, x.shape[-1:], norm.weight, norm.bias, norm.eps)


def through_block(block: nn.Module, x: Tensor, attend_self: Callable, attend_source: Callable) -> Tensor:
    """One decoder block, its two attentions replaced by functions of x."""
    if block.norm_first:
        x = x + attend_self(normed(block.norm1, x))
        x = x + attend_source(normed(block.norm2, x))
        return x + block.feed_forward(normed(block.norm3, x))
    x = normed(block.norm1, x + attend_self(x))
    x = normed(block.norm2, x + attend_source(x))
    return normed(block.norm3, x + block.feed_forward(x))

# %% [markdown] exercise="cached_greedy_decode" part="prompt" points=12 difficulty=4 minutes=30 time_limit=30
# ### Exercise 6 · `cached_greedy_decode`: the same words, sooner
#
# Write greedy decoding as in unit 09, with one difference: in each step only the **newest position** goes through the
# decoder's blocks. Everything else comes from memory.
#
# | argument | meaning |
# |---|---|
# | `model` | the course's `Transformer`, of unit 09; any size, post-norm or pre-norm |
# | `source` | ids `(batch, seq_source)`, padded with 0 |
# | `max_len` | write at most so many tokens |
# | `bos_id`, `eos_id` | what starts and what ends a sentence; 1 and 2 if not given |
# | returns | ids `(batch, at most max_len)`: exactly what `greedy_decode` returns for the same arguments |
#
# - As before: start with BOS, which is not returned; take the token with the highest logit; a sentence ends with its own
#   EOS and holds 0 after it; stop when all have ended. The model is in evaluation mode meanwhile, and afterwards in the mode
#   in which you got it.
# - The encoder runs once. The source's keys and values for cross-attention are made once in each layer.
# - A token must know **which position it has**. `model.target_embedding` counts from 0 whatever it is given.
# - A key whose token is padding (id 0) is hidden in `decode`, and must be hidden here.
# - The check counts the rows that pass through the model's layers.
#
# You have `KeyValueCache`, `padding_mask`, and the tools above.

# %% exercise="cached_greedy_decode" part="solution"
def cached_greedy_decode(model: nn.Module, source: Tensor, max_len: int, bos_id: int = 1, eos_id: int = 2) -> Tensor:
    """What `greedy_decode` returns, with a cache of keys and values: one new position a step.

    source:  (batch, seq_source)
    returns: (batch, at most max_len), without BOS; 0 after each sentence's EOS
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    blocks, source_mask = model.decoder.blocks, padding_mask(source)
    source_mask = None if source_mask.all() else source_mask  # a mask that hides nothing costs time all the same
    with torch.inference_mode():  # no_grad, and less bookkeeping for each operator
        encoder_output = model.encode(source)
        projections = [joined(block.self_attention) for block in blocks]
        source_side = [keys_and_values(block.cross_attention, encoder_output) for block in blocks]
        cache = KeyValueCache(len(blocks))
        words, positions = model.target_embedding.embedding, model.target_embedding.positions
        scale = math.sqrt(words.embedding_dim)
        last = getattr(model.decoder, "norm", None)  # of a pre-norm decoder
        ids = newest = source.new_full((len(source), 1), bos_id)
        ended, holes = torch.zeros_like(ids, dtype=torch.bool), False
        while ids.shape[1] <= max_len and not ended.all():
            x = words(newest) * scale + positions[ids.shape[1] - 1]  # model.target_embedding(ids)[:, -1:], the newest row alone
            target_mask = padding_mask(ids) if holes else None
            for layer, block in enumerate(blocks):
                def attend_self(x, layer=layer, block=block):
                    query, *made = projections[layer](x)
                    kept = cache.append(layer, *made)
                    return attend(block.self_attention, query, *kept, target_mask)
                def attend_source(x, layer=layer, block=block):
                    query = queries(block.cross_attention, x)
                    return attend(block.cross_attention, query, *source_side[layer], source_mask)
                x = through_block(block, x, attend_self, attend_source)
            x = x if last is None else last(x)
            newest = model.output(x)[:, -1:].argmax(dim=-1).masked_fill(ended, 0)
            ids, ended = torch.cat([ids, newest], dim=1), ended | (newest == eos_id)
            holes = holes or not newest.all()  # a 0 among the words: its key is hidden from now on
    model.train(was_training)
    return ids[:, 1:].clone()  # outside, so that it is a tensor like any other
    ### END SOLUTION

# %% exercise="cached_greedy_decode" part="check"
check(cached_greedy_decode, keeps_inputs, right_shape, works_once, matches)

# %% [markdown] exercise="cached_greedy_decode" part="hints"
# - Begin with unit 09's `greedy_decode`, and replace only the call of `model.decode`.
# - Before the loop: `model.encode(source)`, and for each block the `keys_and_values` of its `cross_attention`.
# - The position: embed *all* ids so far, which costs little, and take the last row: `[:, -1:]` keeps the axis.
# - In the loop, for each block: make the new position's keys and values, `append` them, and let the new position attend to
#   all that comes back. A mask against the future is not needed. Why?
# - After the blocks: a pre-norm decoder has a last norm, `model.decoder.norm`. Then `model.output`.
# - Does the first token come out right and the later ones not? Then look at the position, and at what the cache gives back.

# %% [markdown]
# ### Time per token
#
# An untrained model (the words do not matter here) writes sentences of different lengths, 8 at a time. **Predict first.** How
# does the time *per token* grow with the length, without and with the cache?

# %% part="demo"
predict("12-cache", "96 tokens: without the cache, a token takes how many times as long?", unit="times")

# %% part="demo" folded=True
torch.manual_seed(0)
writer = use_part("Transformer")(200, 200, d_model=128, num_heads=4, num_layers=2, max_len=200).to(device)
writer.output.bias.data[2] = -1e9  # never ends
source = torch.randint(4, 200, (8, 20), device=device)
decoders = {"recomputing": use_part("greedy_decode"), "with a cache": use_part("cached_greedy_decode")}
lengths = [8, 16, 32, 64, 96]
times = {name: [1e3 * measure(decode, writer, source, n, repeat=1, device=device).low / n for n in lengths] for name, decode in decoders.items()}
same = all(torch.equal(decoders["recomputing"](writer, source, n), decoders["with a cache"](writer, source, n)) for n in (8, 32))
print("same words:", same)
outcome("12-cache", times["recomputing"][-1] / times["with a cache"][-1], "times")
show(lines(lengths, times, "tokens written", "milliseconds per token", title="Greedy decoding, 8 sentences, 2 layers, d_model 128"))

# %% [markdown]
# With the cache the curve is nearly flat; without it, it climbs. For a single short sentence the gain is smaller: then a step is
# mostly Python and PyTorch getting going.
#
# **What it costs:** memory. The cache holds `2 · num_layers · batch · seq · d_model` numbers.
#
# ### A cache that never moves
#
# `torch.cat` makes a new tensor and copies all that was there into it, for every token. A *preallocated* cache claims its place once, for as many tokens as there may be,
# and writes each new key where it belongs. What it returns is a view of the filled part: nothing is copied.
#
# **Predict first.** One layer, 8 sentences, 4 heads of 32 numbers. At 2,000 tokens, how many times as long does it take to append one more by concatenating?

# %% part="demo"
predict("12-preallocated", "At 2,000 tokens, appending one by concatenating takes how many times as long?", unit="times")

# %% part="demo" folded=False
class PreallocatedCache:
    """One layer's keys and values, in a place that is claimed once."""

    def __init__(self, batch, num_heads, most, d_head):
        self.key, self.value = (torch.zeros(batch, num_heads, most, d_head, device=device) for _ in range(2))
        self.used = 0

    def append(self, key, value):
        end = self.used + key.shape[-2]
        self.key[:, :, self.used : end], self.value[:, :, self.used : end] = key, value
        self.used = end
        return self.key[:, :, :end], self.value[:, :, :end]


def append_times(tokens):
    """Microseconds for one token more behind so many, by each of the two ways."""
    filled, new = torch.randn(8, 4, tokens, 32, device=device), torch.randn(8, 4, 1, 32, device=device)
    fixed = PreallocatedCache(8, 4, tokens + 1, 32)
    fixed.append(filled, filled)

    def write():
        fixed.used = tokens  # the same place again and again
        fixed.append(new, new)

    ways = {"concatenated": lambda: [torch.cat([x, new], dim=-2) for x in (filled, filled)], "preallocated": write}  # keys and values
    return {name: 1e6 * measure(way, repeat=5, device=device).median for name, way in ways.items()}

# %% part="demo" folded=True
behind = [125, 250, 500, 1000, 2000]
appended = [append_times(tokens) for tokens in behind]
outcome("12-preallocated", appended[-1]["concatenated"] / appended[-1]["preallocated"], "times")
show(lines(behind, {name: [row[name] for row in appended] for name in appended[0]}, "tokens in the cache", "microseconds for one more",
           title="Two ways to append: 8 sentences, 4 heads of 32"))

# %% [markdown]
# One curve grows with what is there, the other stays. The price: you must say beforehand how long a text may become, and a short one leaves the place empty. On a GPU there is a second reason: a tensor that keeps its
# address and its size can be part of a *CUDA graph*, which you will meet on the ladder.
#
# ## Half the digits
#
# A 16-bit number takes half the bytes of a float32, and where a processor has circuits for it, it is multiplied faster. What is lost?
#
# | type | digits (about) | largest number (about) |
# |---|---|---|
# | float32 | 7 | $3 \cdot 10^{38}$ |
# | bfloat16 | 2 to 3 | $3 \cdot 10^{38}$ |
# | float16 | 3 to 4 | 65,504 |
#
# **Predict first.** A weight is 1. A thousand steps add 0.001 each. What is it at the end, in each of the three types?

# %% part="demo"
predict("12-thousand", "1 + 1000 times 0.001, in bfloat16, gives:", choices=("1", "about 1.5", "2"))

# %% part="demo"
rows = []
for dtype in (torch.float32, torch.bfloat16, torch.float16):
    weight = torch.ones((), dtype=dtype)
    for _ in range(1000):
        weight = weight + torch.tensor(0.001, dtype=dtype)
    rows.append((str(dtype).removeprefix("torch."), weight.item()))
outcome("12-thousand", min(("1", "about 1.5", "2"), key=lambda answer: abs(float(answer.removeprefix("about ")) - rows[1][1])))
table(rows, ["type", "1 + 1000 times 0.001"])

# %% [markdown]
# In bfloat16 the next number above 1 is 1.0078, so 1.001 rounds back to 1, a thousand times. A network whose *weights* are kept
# like that stops learning. So (Micikevicius et al. 2018): **weights, sums and the loss in float32; only the matrix products in
# 16 bits.** That is what `torch.autocast` does. Inside its block, linear layers and matrix products cast copies of their inputs.
#
# In float16 small gradients vanish, so the loss is scaled up and the gradients down again (`torch.amp.GradScaler`). bfloat16 has
# float32's range and does without.


# %% part="setup"
shift_right, label_smoothed_loss = use_part("shift_right"), use_part("label_smoothed_loss")

# %% [markdown] exercise="training_step_autocast" part="prompt" points=8 difficulty=3 minutes=15 relative=1e-4 absolute=1e-4 time_limit=20
# ### Exercise 7 · `training_step_autocast`: half the digits
#
# Write unit 10's `train_step` once more, with its matrix products in a 16-bit type.
#
# 1. Training mode; the decoder reads `shift_right(target)`.
# 2. The forward pass runs inside `torch.autocast`, on `device_type`, in `dtype`.
# 3. **The loss is computed in float32**: `label_smoothed_loss` of the logits as floats, with its default smoothing.
# 4. Old gradients go; the new ones are computed **outside** autocast, clipped to a norm of 1.0 as in unit 10, and the
#    optimizer takes its step, outside as well.
#
# | argument | meaning |
# |---|---|
# | `model` | called as `model(source, decoder_input)`, gives logits; its weights are float32 and stay so |
# | `batch` | `(source, target)`, ids padded with 0; the target ends in EOS |
# | `optimizer` | over the model's weights |
# | `device_type` | `"cpu"`, `"cuda"`, `"mps"`: text |
# | `dtype` | `torch.bfloat16`, say |
# | returns | the loss of this batch before the step, a Python number |

# %% exercise="training_step_autocast" part="solution"
def training_step_autocast(
    model: nn.Module, batch: tuple[Tensor, Tensor], optimizer: torch.optim.Optimizer, device_type: str, dtype: torch.dtype
) -> float:
    """One training step whose matrix products run in `dtype` (Micikevicius et al. 2018).

    batch:   source (batch, seq_source) and target (batch, seq_target), ids that end in EOS
    returns: the loss before the step, computed in float32
    """
    ### BEGIN SOLUTION
    source, target = batch
    model.train()
    with torch.autocast(device_type=device_type, dtype=dtype):
        logits = model(source, shift_right(target))
    loss = label_smoothed_loss(logits.float(), target)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
    return loss.item()
    ### END SOLUTION

# %% exercise="training_step_autocast" part="check"
check(training_step_autocast, keeps_inputs, computes_in_type, matches)

# %% [markdown] exercise="training_step_autocast" part="hints"
# - Begin with `train_step` of unit 10. Only the line that calls the model moves into a `with` block.
# - `with torch.autocast(device_type=..., dtype=...):` takes both arguments by name.
# - Inside the block linear layers give 16-bit results. What makes float32 numbers of them, before the loss?

# %% [markdown]
# ## The ladder
#
# Now climb, one rung at a time, and measure each: a whole training step of a small Transformer (forward, loss, backward,
# optimizer). Three numbers tell how far you are:
#
# - **tokens a second**: source and target tokens that were trained on. Padding does not count.
# - **memory** that the step takes beyond the model.
# - **MFU**, model FLOPs utilisation: the operations that the model *needs* for its real tokens (matrix products, forward once,
#   backward twice as many), divided by what the machine's peak could have done in that time. Work on padding or on the hidden
#   future is not needed; it lowers the share.
#
# The first rungs differ in how attention is written. The course's attention module gets another `forward` for that.

# %% part="demo" folded=False
def by_rows(q, k, v, mask):  # rung 1: a Python loop over sentences, heads and queries
    seen = mask.expand(*q.shape[:-1], k.shape[-2])
    rows = [
        (k[b, h] @ q[b, h, i] / math.sqrt(q.shape[-1])).masked_fill(~seen[b, h, i], -1e9).softmax(-1) @ v[b, h]
        for b in range(q.shape[0]) for h in range(q.shape[1]) for i in range(q.shape[2])
    ]
    return torch.stack(rows).view(*q.shape[:-1], -1)


def by_matrices(q, k, v, mask):  # rung 2: the matrix form, head by head
    seen = mask.expand(*q.shape[:-1], k.shape[-2])
    heads = [
        (q[b, h] @ k[b, h].T / math.sqrt(q.shape[-1])).masked_fill(~seen[b, h], -1e9).softmax(-1) @ v[b, h]
        for b in range(q.shape[0]) for h in range(q.shape[1])
    ]
    return torch.stack(heads).view(*q.shape[:-1], -1)


def batched(q, k, v, mask):  # rung 3: all heads of all sentences in one product
    return (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~mask, -1e9).softmax(-1) @ v


def fused(q, k, v, mask):  # rung 4: one operator
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)

# %% part="demo" folded=True
def ladder_model(attention_way):
    def forward(module, query, key, value, mask=None):
        q, k, v = (
            layer(x).unflatten(-1, (module.num_heads, -1)).transpose(1, 2)
            for layer, x in ((module.q_proj, query), (module.k_proj, key), (module.v_proj, value))
        )
        return module.out_proj(attention_way(q, k, v, mask).transpose(1, 2).flatten(2)), None

    torch.manual_seed(0)
    model = use_backed_transformer(300, 300, d_model=128, num_heads=4, num_layers=2).to(device)
    for module in model.modules():
        if hasattr(module, "q_proj"):
            module.forward = forward.__get__(module)
    return model


def ladder_batch(sentences):
    lengths = torch.linspace(14, 24, sentences).long()
    ids = torch.randint(4, 300, (2, sentences, 24)).masked_fill(torch.arange(24) >= lengths[:, None], 0)
    return tuple(ids.to(device)), lengths.tolist()


use_backed_transformer = use_part("Transformer")
plain_step, autocast_step = use_part("train_step"), use_part("training_step_autocast")

# %% [markdown]
# `torch.compile` rewrites a model into fewer, larger kernels. It needs a compiler and takes its time at the first call: from ten
# seconds to over a minute and a half on the CPUs that were tried, where it then gained nothing. So on a CPU the cell leaves that rung
# out. On CUDA it stands there twice: the second time with `mode="reduce-overhead"`, which records all launches of a step as one *CUDA graph* and plays them
# again with a single call. A CPU has no launches to save. Where `measured_precision` has found bfloat16 to be slower than float32, rung 5 shows by how much, measured once, and the rungs
# after it go on in float32.
#
# **Predict first.** Which rung gains most? And which gains nothing on your machine?

# %% part="demo"
predict("12-rung", "Compared with the rung before it, the largest gain has rung:", choices=("2", "3", "4", "5", "6", "7", "8"))

# %% part="demo" folded=True
def rung(name, way, step="plain", compiled=False, fused_optimizer=False, sentences=16, mode=None):
    model, (batch, lengths) = ladder_model(way), ladder_batch(sentences)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=fused_optimizer)
    run = torch.compile(model, mode=mode) if compiled else model
    dtype = torch.bfloat16 if step == "autocast" else torch.float32

    def one_step():
        if step == "autocast":
            return autocast_step(run, batch, optimizer, device, dtype)
        return plain_step(run, batch, optimizer)

    slow = way is by_rows or (dtype == torch.bfloat16 and not precision.takes_bfloat16)
    seconds = measure(one_step, repeat=1 if slow else 5, device=device).low
    used = peak_memory(one_step, device)
    needed = 3 * transformer_flops(model, lengths, lengths)
    share = needed / seconds / peaks[dtype if precision.takes_bfloat16 else torch.float32]
    return name, round(2 * sum(lengths) / seconds), None if used is None else round(used / 2**20), f"{100 * share:.2g} %"

# %% part="demo" folded=True
from itertools import pairwise

ladder = [
    rung("1 Python loop (4 sentences)", by_rows, sentences=4),
    rung("2 matrix form, head by head", by_matrices),
    rung("3 batched heads", batched),
    rung("4 F.scaled_dot_product_attention", fused),
    rung("5 bf16 autocast", fused, "autocast"),
]
on_gpu, onward = device != "cpu", "autocast" if precision.takes_bfloat16 else "plain"
if on_gpu:
    ladder.append(rung("6 torch.compile", fused, onward, compiled=True))
ladder += [
    rung("7 fused optimizer", fused, onward, compiled=on_gpu, fused_optimizer=True),
    rung("8 longer batches: 128 sentences", fused, onward, compiled=on_gpu, fused_optimizer=True, sentences=128),
]
if device == "cuda":
    ladder.insert(6, rung("6 with CUDA graphs (reduce-overhead)", fused, onward, compiled=True, mode="reduce-overhead"))
print(f"The rungs after 5 compute in {'bfloat16' if precision.takes_bfloat16 else 'float32, which is the faster one here'}.")
climbed = [row for row in ladder if precision.takes_bfloat16 or row[0][0] != "5"]  # what the next rung stands on
gains = {after[0][0]: after[1] / before[1] for before, after in pairwise(climbed)}
outcome("12-rung", max(gains, key=gains.__getitem__))
table(ladder, ["rung", "tokens a second", "memory (MiB)", "MFU"])

# %% [markdown]
# On a CPU the way from loops to batches is worth more than all that follows. Some rungs hardly rise, or fall, each for a reason:
#
# - **4**: at 24 tokens the tables are tiny. At 2,048 the plots above tell another story.
# - **5**: bf16 gains where the processor has circuits for it *and* the products are large. In small ones, casting back and forth costs more than
#   the product saves; where bf16 is imitated, everything costs more.
# - **7**: one call in place of many, but the optimizer is a small part of the step. (The trace below says how small.)
# - **8**: longer batches spread the cost of each call over more tokens. Where the arithmetic itself is the limit, little is left to spread.
#
# MFU is a share of the peak *in the type of that rung*. When bf16 doubles the peak and the step gets only a little faster, the
# share falls although you are faster. (Where bf16 is imitated, all shares are of float32's peak.)
#
# On a GPU the course's own ladder has not been measured yet: run these cells there, and the table is yours. Unit 16 climbs on: which attention runs, TF32, reads that wait, graph breaks.
#
# ## Three traps of measuring
#
# 1. **A GPU call returns before the work is done.** Read the clock too early, and the GPU seems faster than light. `measure` waits
#    (`torch.cuda.synchronize`).
# 2. **The first call is slow**: memory is claimed, kernels are chosen or compiled. `measure` does not count it.
# 3. **One number is no measurement.** Take several, look at the spread, and compare in turns.
#
# ## Read a trace
#
# A profiler writes down every operator and how long it took. **Predict first.** In one training step of rung 4, what takes most of
# the time?

# %% part="demo"
predict("12-trace", "The operator with the most time of its own belongs to:",
        choices=("matrix products", "attention", "dropout", "the optimizer", "something else"))

# %% part="demo" folded=False
from torch.profiler import ProfilerActivity, profile

model, (batch, lengths) = ladder_model(fused), ladder_batch(64)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
plain_step(model, batch, optimizer)
activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device == "cuda" else [])
with profile(activities=activities) as trace:
    plain_step(model, batch, optimizer)
clock = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
events = sorted(trace.key_averages(), key=lambda event: -getattr(event, clock))
total = sum(getattr(event, clock) for event in events)
rows = [(event.key, event.count, getattr(event, clock) / 1e3, f"{100 * getattr(event, clock) / total:.0f} %") for event in events[:9]]
belongs = {"mm": "matrix products", "gemm": "matrix products", "attention": "attention", "bernoulli": "dropout", "Optimizer": "the optimizer"}
outcome("12-trace", next((part for word, part in belongs.items() if word in events[0].key), "something else"))
table(rows, ["operator", "calls", "own time (ms)", "share"])

# %% [markdown]
# How to read it:
#
# - **Own time** leaves out what an operator calls. Look there first.
# - `aten::mm`, `aten::addmm`, `aten::bmm` are matrix products: time well spent. Their share is a bound for your MFU.
# - **Many calls, little time each** are overhead: Python and PyTorch getting going. Larger batches, fused operators and
#   `torch.compile` make fewer calls of them.
# - `aten::copy_` and `aten::contiguous` are numbers being moved and not used. Where do they come from?
# - `aten::bernoulli_` is dropout: it draws a random number for every number it may drop.
# - On a GPU, look for gaps: time in which no kernel runs, because Python has not sent the next one yet.
#
# `trace.export_chrome_trace("trace.json")` writes a file that shows all this as a time line at <https://ui.perfetto.dev>.
#
# ## What you built
#
# - Counts of operations and bytes, and the roof of your own machine with work on it.
# - `online_softmax_sum` and `tiled_attention`: exact attention without a table of scores.
# - `KeyValueCache` and `cached_greedy_decode`: the same words, sooner.
# - `training_step_autocast`, and a ladder on which you can place any further idea.
#
# ## Test yourself
#
# **1.** A new GPU multiplies twice as fast and has the same memory. Which of your roofline's dots move?
#
# <details><summary>Answer</summary>
#
# Those under the flat part: large matrix products. What lies under the slope stays where it is. The edge moves to the right, so
# more kinds of work lie under the slope than before.
# </details>
#
# **2.** Tiled attention computes the tables again on the way back, so it does *more* operations in training. Why can it still be
# faster?
#
# <details><summary>Answer</summary>
#
# Under the slope operations are free as long as fewer bytes move. Computing a block again in fast memory is cheaper than
# fetching it from slow memory.
# </details>
#
# **3.** With a cache, why does the newest token need no causal mask? And when would it need one?
#
# <details><summary>Answer</summary>
#
# All keys in the cache lie in the past or are its own. It needs one when several new positions go in at once (a prompt): then the
# first of them must not see the last. Aligned at the bottom right, by the way, and not top left (unit 07).
# </details>
#
# ## Sources
#
# - Williams, Waterman, Patterson, *Roofline: An Insightful Visual Performance Model for Multicore Architectures* (2009).
# - Milakov, Gimelshein, *Online normalizer calculation for softmax* (2018).
# - Dao, Fu, Ermon, Rudra, Ré, *FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness* (2022).
# - Micikevicius et al., *Mixed Precision Training* (2018).
# - Chowdhery et al., *PaLM* (2022), appendix B: model FLOPs utilisation.
# - PyTorch's documentation: `torch.autocast`, `torch.profiler`, `torch.nn.functional.scaled_dot_product_attention`.
#
# **Next:** unit 13, BERT. An encoder alone, trained on text that nobody has labelled.
