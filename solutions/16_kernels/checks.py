"""What the checks of unit 16 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% exercise="softmax_rows" part="library"
import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.library.unit_10_training import SmallTranslator, label_smoothed_loss
from autograder.library.unit_12_gpu import queries_under_watch

_ONLY_IN_KERNELS = frozenset(
    "exp exp2 expm1 pow sum amax max logsumexp cumsum logcumsumexp softmax log_softmax mm bmm addmm baddbmm mv dot".split()
)


def softmax_rows(x: Tensor) -> Tensor:
    """PyTorch's own."""
    return x.softmax(dim=-1)


def given_to_a_kernel(x: Tensor, results: int, powers: int, most: int = 0, turned: bool = False) -> Any:
    """`x`, and after the call a look at what was launched meanwhile, and what PyTorch computed beside it.

    results: so many numbers are to be written; powers: so many exponentials does it take at the least; most: so many may one load read at the most, 0 for any number
    turned:  `x` is a view, whose rows are the columns of what lies in memory
    """
    from autograder.formats.fixtures import NotAsked, Watched
    from autograder.library.kernels import watching_launches, why_no_kernels
    from autograder.library.operator_log import noting

    if why := why_no_kernels():
        raise NotAsked(why.rstrip("."))
    facts = {"launches a kernel": False, "computes outside the kernel": False, "calls tl.softmax": False}
    facts |= {"takes exponentials elsewhere": True, "leaves places unwritten": True}
    if most:
        facts["loads more than a block"] = False

    def note(operator: str, args: tuple[Any, ...], result: Any) -> None:
        if operator in _ONLY_IN_KERNELS:
            facts["computes outside the kernel"] = True

    @contextlib.contextmanager
    def during() -> Iterator[None]:
        with watching_launches() as seen, noting(note):
            yield
        facts["launches a kernel"] = seen.count > 0
        facts["takes exponentials elsewhere"] = seen.exponentials < powers
        facts["leaves places unwritten"] = seen.stored < results
        facts["calls tl.softmax"] = "softmax" in seen.ready_made
        if most:
            facts["loads more than a block"] = seen.most_loaded > most

    return Watched(x.mT.contiguous().mT if turned else x, lambda: facts, during)

# %% part="variants"
@triton.jit
def copy_kernel(x, output, n, BLOCK: tl.constexpr):
    places = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    numbers = tl.load(x + places, mask=places < n, other=0.0)
    tl.store(output + places, numbers * tl.exp(numbers * 0.0), mask=places < n)

def by_a_kernel(x, times=1):
    """The same numbers, copied by a kernel that also takes exponentials: a truth has to do so too."""
    output = torch.empty_like(x, memory_format=torch.contiguous_format)
    for _ in range(times):
        copy_kernel[(triton.cdiv(x.numel(), 64),)](x.contiguous(), output, x.numel(), BLOCK=64)
    return output

def three(rng, batch, heads, seq_q, seq_k, d_k, d_v, scale=1.5):
    """Queries, keys and values."""
    return dict(query=floats(rng, batch, heads, seq_q, d_k, scale=scale), key=floats(rng, batch, heads, seq_k, d_k, scale=scale), value=floats(rng, batch, heads, seq_k, d_v))

def attention_in_full(query, key, value, is_causal=False):
    """Scaled scores, their log-sum-exp, weights and output, in float64, with the whole table."""
    q, k, v = query.double(), key.double(), value.double()
    scores = torch.einsum("bhid,bhjd->bhij", q, k) / q.shape[-1] ** 0.5
    if is_causal:
        scores = scores.masked_fill(torch.arange(k.shape[2]) > torch.arange(q.shape[2])[:, None], -math.inf)
    size = scores.logsumexp(-1)
    weights = torch.exp(scores - size[..., None])
    return scores, size, weights, torch.einsum("bhij,bhjd->bhid", weights, v)

# %% exercise="softmax_rows" part="variants"
@cases(dict(rows=3, n=5), dict(rows=2, n=9))
def drawn(rng, rows, n):
    """{rows} rows of {n} numbers"""
    return dict(x=floats(rng, rows, n, scale=2.0))

@cases(dict(rows=3, n=8), hidden=[dict(rows=2, n=4), dict(rows=5, n=8)])
def whole_blocks(rng, rows, n):
    """{rows} rows of {n} numbers, a power of 2"""
    return dict(x=floats(rng, rows, n))

@cases(dict(rows=4, n=7))
def watched(rng, rows, n):
    """{rows} rows of {n} numbers, watched"""
    return dict(x=fixture("given_to_a_kernel", x=floats(rng, rows, n), results=rows * n, powers=rows * n))

@cases(dict(rows=5, n=6))
def turned(rng, rows, n):
    """{rows} rows of {n} numbers, a view whose rows do not lie one behind the other"""
    return dict(x=fixture("given_to_a_kernel", x=floats(rng, rows, n), results=rows * n, powers=rows * n, turned=True))

@cases()
def far_below_zero(rng):
    """2 rows of 5 numbers around -300"""
    return dict(x=floats(rng, 2, 5, shift=-300.0))

@cases()
def thousands(rng):
    """3 rows of 6 numbers, some in the thousands, above or below 0"""
    x = torch.from_numpy((rng.integers(-6, 7, size=(3, 6)) / 4).astype("float32"))
    return dict(x=x + torch.tensor([[2000.0], [-3000.0], [0.0]]))

@cases()
def some_without_weight(rng):
    """3 rows of 7 numbers, some of them −∞"""
    return dict(x=floats(rng, 3, 7).masked_fill(~some_hidden(rng, 3, 7), -math.inf))

@cases(dict(n=131), hidden=[dict(n=150)])
def long(rng, n):
    """2 rows of {n} numbers"""
    return dict(x=floats(rng, 2, n))

LOADED, POWERS, STORED = 'other=-float("inf")', "tl.exp(numbers - tl.max(numbers, axis=0))", "powers / tl.sum(powers, axis=0)"
INSIDE, EMPTY, GRID = "inside = columns < n", "torch.zeros_like(x)", "(rows,)"
TAIL = "The row ends before its block does: choose `other=` so that nothing behind the end is added to the sum or becomes the maximum."
CAME = "what comes back is `x` as it came: either the kernel stores the numbers that it has loaded, or your function returns `x` in place of the output."
VIEW = "where the rows of `x` do not lie one behind the other in memory, your result is wrong: the kernel counts its places as if they did. Make `x` contiguous first, or give the kernel the strides."
OUTSIDE = "your kernel reads or writes outside its arrays: where x and output end, there is nothing. Row r begins r · n numbers after the pointer (n, not BLOCK), and its mask lets through the columns below n only. Does each load and each store have that mask?"
LENGTH = "Row r begins r · n numbers after the pointer, with n the row's own length."
wrong("keeps_inputs", (EMPTY, "x"), says="your kernel writes into the caller's `x`. Make a new array for the result.")
wrong("tail-of-zeros", (LOADED, "other=0.0"), says=f"what lies behind a row's end counts in your softmax, as numbers that are 0. {TAIL}")
wrong("tail-in-the-maximum", (LOADED, "other=0.0"), ("powers / tl.sum(powers, axis=0)", "powers / tl.sum(tl.where(inside, powers, 0.0), axis=0)"), says=f"what lies behind a row's end is not added up, but it counts in your maximum, as 0: rows far below 0 become 0/0. {TAIL}")
wrong("tail-of-ones", (LOADED, "other=1.0"), says=f"what lies behind a row's end counts in your softmax, as numbers that are 1. {TAIL}")
wrong("tail-inf", (LOADED, 'other=float("inf")'), says=f"behind the row's end you load +∞, which becomes the maximum, and all is NaN or 0. {TAIL}")
wrong("no-maximum", (POWERS, "tl.exp(numbers)"), says="your exponentials overflow on large numbers, or are all 0 on very small ones: the row's largest number must be subtracted first.")
wrong("minimum", ("numbers - tl.max(numbers, axis=0)", "numbers - tl.min(tl.where(inside, numbers, 1e30), axis=0)"), says="you subtract the row's smallest number. It is the largest that keeps the exponentials from overflowing.")
wrong("not-divided", (STORED, "powers"), says="your rows do not sum to 1: the exponentials are not divided by their sum.")
wrong("divided-by-length", (STORED, "powers / n"), says="the exponentials are divided by n, the number of them. Divide by their sum.")
wrong("log-softmax", (STORED, "tl.log(powers / tl.sum(powers, axis=0))"), says="you give the logarithm of the softmax.")
wrong("plain-shares", (POWERS, "tl.where(inside, numbers, 0.0)"), says="your numbers are divided by their sum as they are: the exponential is missing.")
wrong("base-2", ("tl.exp(", "tl.exp2("), says="your powers are powers of 2. The softmax takes powers of e.")
wrong("view-unseen", ("    x = x.contiguous()\n", ""), says=VIEW)
wrong("view-unseen-2", ("    x = x.contiguous()\n    output = torch.zeros_like(x)\n", "    output = torch.zeros(x.shape)\n"), says=VIEW)
wrong("output-turned", ("    x = x.contiguous()\n    output = torch.zeros_like(x)\n", "    output = torch.zeros_like(x)\n    x = x.contiguous()\n"), says="where `x` is a view, your numbers come out in other places: `torch.zeros_like` (or `empty_like`) of a view may lie in memory as the view does. Make the output after `x` is contiguous.")
wrong("one-program", (GRID, "(1,)"), says="your grid has one program, so one row is written. Each row needs a program.")
wrong("one-program-too-few", (GRID, "(rows - 1,)"), says="your grid has a program too few: the last row is not written.")
wrong("program-a-column", (GRID, "(n,)"), says="your grid has a program for each number of a row. It has one for each row.")
wrong("stride-block-read", ("x + row * n", "x + row * BLOCK"), says=OUTSIDE)
wrong("stride-block", ("x + row * n", "x + row * BLOCK"), ("output + row * n", "output + row * BLOCK"), says=OUTSIDE)
wrong("stride-missing", ("x + row * n", "x"), says="every program reads row 0. " + LENGTH)
wrong("stride-missing-written", ("output + row * n", "output"), says="every program writes row 0. " + LENGTH)
wrong("places-missing", ("x + row * n + columns", "x + row + columns"), says=f"your rows overlap: row r is read r numbers after the pointer. {LENGTH}")
wrong("mask-one-more", (INSIDE, "inside = columns <= n"), says=OUTSIDE)
wrong("mask-one-less", (INSIDE, "inside = columns < n - 1"), says="your mask leaves out the last number of each row. The row's columns are 0 to n − 1.")
wrong("no-load-mask", (", mask=inside, other=-float(\"inf\")", ""), says=OUTSIDE)
wrong("no-store-mask", (f"{STORED}, mask=inside", STORED), says=OUTSIDE)
wrong("no-masks", (", mask=inside, other=-float(\"inf\")", ""), (f"{STORED}, mask=inside", STORED), says=OUTSIDE)
wrong("block-is-n", ("triton.next_power_of_2(n)", "n"), says="your block has the row's length. A block's length is a power of 2: take the next one, and mask the rest.")
wrong("block-too-short", ("triton.next_power_of_2(n)", "max(1, triton.next_power_of_2(n) // 2)"), says="your block is shorter than the row, and what lies behind it is left out.")
wrong("block-of-64", ("triton.next_power_of_2(n)", "64"), says="your block has 64 places whatever the row's length is: what lies behind is left out of long rows.")
wrong("block-of-128", ("triton.next_power_of_2(n)", "128"), says="your block has 128 places whatever the row's length is: what lies behind is left out of long rows.")
wrong("returns-x", ("    return output", "    return x"), says=CAME)
wrong("returns-nothing", ("    return output", "    pass"), says="your function ends without giving anything back: is a `return` missing?")
wrong("not-stored", (f"tl.store(output + row * n + columns, {STORED}, mask=inside)", STORED), says="your kernel computes and stores nothing: the result is what the output held before.")
wrong("numbers-stored", (f"columns, {STORED}", "columns, numbers"), says=CAME)

@wrong("columns", says="your softmax runs down the columns. Each row sums to 1.")
def columns(x):
    return softmax_rows(x.mT).mT

@wrong("whole-table", says="your softmax runs over the whole array. Each row has a sum of its own.")
def whole_table(x):
    return softmax_rows(x.reshape(1, -1)).view(x.shape)

@wrong("runs_in_a_kernel", says="your code takes exponentials, maxima, sums or products in PyTorch. These belong into the kernel; outside it, make the output and launch.")
def powers_outside(x):
    powers = torch.exp(x - x.amax(dim=1, keepdim=True))
    return by_a_kernel(powers / powers.sum(dim=1, keepdim=True))

@triton.jit
def strided_kernel(x, out, n, row_stride, column_stride, BLOCK: tl.constexpr):
    r, c = tl.program_id(axis=0), tl.arange(0, BLOCK)
    s = tl.load(x + r * row_stride + c * column_stride, mask=c < n, other=-1e30)
    e = tl.where(c < n, tl.exp(s - tl.max(s, 0)), 0.0)
    tl.store(out + r * n + c, e / tl.sum(e, 0), mask=c < n)

@right
def by_strides(x):
    out = torch.empty(x.shape, device=x.device)
    strided_kernel[(len(x),)](x, out, x.shape[1], *x.stride(), BLOCK=triton.next_power_of_2(x.shape[1]))
    return out

@triton.jit
def online_kernel(x, out, n, BLOCK: tl.constexpr):
    """Any length, four numbers at a time: once for maximum and sum, once to write."""
    start = tl.program_id(0) * n
    top, total = tl.full((), -1e38, tl.float32), tl.full((), 0.0, tl.float32)
    for first in range(0, n, BLOCK):
        c = first + tl.arange(0, BLOCK)
        s = tl.load(x + start + c, mask=c < n, other=-float("inf"))
        new = tl.maximum(top, tl.max(s, axis=0))
        total = total * tl.exp(top - new) + tl.sum(tl.exp(s - new), axis=0)
        top = new
    for first in range(0, n, BLOCK):
        c = first + tl.arange(0, BLOCK)
        tl.store(out + start + c, tl.exp(tl.load(x + start + c, mask=c < n, other=0.0) - top) / total, mask=c < n)

@right
def online(x):
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    online_kernel[(x.shape[0], 1)](x.contiguous(), out, x.shape[1], BLOCK=4)
    return out

@triton.jit
def several_kernel(x, out, rows, n, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    r, c = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None], tl.arange(0, BLOCK)[None, :]
    inside = (r < rows) & (c < n)
    s = tl.load(x + r * n + c, mask=inside, other=0.0)
    s = tl.where(c < n, s, -float("inf"))
    s = s - tl.max(s, axis=1)[:, None]
    e = tl.exp(s)
    tl.store(out + r * n + c, e / tl.sum(e, axis=1, keep_dims=True), mask=inside)

@right
def several_rows_a_program(x):
    x = x.contiguous()
    out = torch.zeros(x.shape)
    several_kernel[lambda meta: (triton.cdiv(x.shape[0], meta["ROWS"]),)](x, out, *x.shape, ROWS=2, BLOCK=triton.next_power_of_2(x.shape[1]))
    return out

@triton.jit
def log_kernel(x, out, rows, n, BLOCK: tl.constexpr):
    """Few programs, each of which takes every second row; by the logarithm of the sum."""
    c = tl.arange(0, BLOCK)
    for r in range(tl.program_id(0), rows, tl.num_programs(0)):
        s = tl.load(x + r * n + c, mask=c < n, other=float("-inf"))
        top = tl.max(s, axis=0)
        tl.store(out + r * n + c, tl.exp(s - (top + tl.log(tl.sum(tl.exp(s - top), axis=0)))), mask=c < n)

@right
def two_programs(x):
    out = x.new_empty(x.shape)
    log_kernel[(2,)](x.reshape(-1).clone(), out, x.shape[0], x.shape[1], BLOCK=1024)
    return out

@truth
def pytorchs(x):
    from autograder.library.quiet import paused
    with paused():
        exact = torch.special.softmax(x.double(), dim=1).float()
    return by_a_kernel(exact)

@truth
def by_loops(x):
    rows = []
    for row in x.tolist():
        powers = [math.exp(number - max(row)) for number in row]
        rows.append([power / sum(powers) for power in powers])
    return by_a_kernel(torch.tensor(rows))

# %% exercise="flash_attention" part="library"
def flash_attention(query: Tensor, key: Tensor, value: Tensor, is_causal: bool = False) -> Tensor:
    """PyTorch's fused attention."""
    return F.scaled_dot_product_attention(query, key, value, is_causal=is_causal)

# %% exercise="flash_attention" part="variants"
@cases(dict(seq_q=5, seq_k=7, d_k=4, d_v=6), hidden=[dict(seq_q=8, seq_k=6, d_k=3, d_v=2)])
def drawn(rng, seq_q, seq_k, d_k, d_v):
    """2 sentences, one head: {seq_q} queries, {seq_k} keys, d_k = {d_k}, d_v = {d_v}"""
    return three(rng, 2, 1, seq_q, seq_k, d_k, d_v)

@cases(dict(seq_q=19, seq_k=21, d_k=6, d_v=5), hidden=[dict(seq_q=18, seq_k=37, d_k=3, d_v=7)])
def several_blocks(rng, seq_q, seq_k, d_k, d_v):
    """2 heads: {seq_q} queries, {seq_k} keys, d_k = {d_k}, d_v = {d_v}"""
    return three(rng, 1, 2, seq_q, seq_k, d_k, d_v)

@cases(dict(seq=20, d_k=5, d_v=4), hidden=[dict(seq=23, d_k=7, d_v=3)])
def causal(rng, seq, d_k, d_v):
    """causal, 2 heads: {seq} queries and keys, d_k = {d_k}, d_v = {d_v}"""
    return dict(**three(rng, 1, 2, seq, seq, d_k, d_v), is_causal=True)

@cases(dict(seq_q=6, seq_k=35), hidden=[dict(seq_q=5, seq_k=40)])
def causal_few_queries(rng, seq_q, seq_k):
    """causal: {seq_q} queries, {seq_k} keys"""
    return dict(**three(rng, 1, 1, seq_q, seq_k, 4, 3), is_causal=True)

@cases(dict(seq_q=22, seq_k=5), hidden=[dict(seq_q=19, seq_k=7)])
def causal_many_queries(rng, seq_q, seq_k):
    """causal: {seq_q} queries, {seq_k} keys"""
    return dict(**three(rng, 1, 1, seq_q, seq_k, 3, 4), is_causal=True)

def in_hundreds(rng, seq_k, directions):
    """Scores near 500 times each query's direction, exact in float32; the largest comes last."""
    quarters = lambda *shape: torch.from_numpy((rng.integers(-4, 5, size=shape) / 4).astype("float32"))
    query, key = quarters(1, 1, len(directions), 4), quarters(1, 1, seq_k, 4)
    query[..., 0] = 32.0 * torch.tensor(directions, dtype=torch.float32)
    key[..., 0] = 31.875 + torch.from_numpy(rng.integers(-2, 3, size=seq_k).astype("float32")) / 64
    key[:, :, -1, 0] = 32.0
    return dict(query=query, key=key, value=floats(rng, 1, 1, seq_k, 3))

@cases()
def one_up_one_down(rng):
    """one query's scores all near 500, the next one's all near −500, 32 keys"""
    return in_hundreds(rng, 32, [1, -1, 1])

@cases()
def far_below(rng):
    """16 queries, all scores near −500, 21 keys"""
    return in_hundreds(rng, 21, [-1] * 16)

@cases()
def far_above(rng):
    """all scores near 500, the largest in the last of 3 blocks of 16"""
    return in_hundreds(rng, 35, [1, 1])

@cases(dict(seq_k=36), hidden=[dict(seq_k=34)])
def largest_last(rng, seq_k):
    """{seq_k} keys, the last of them far ahead of all others"""
    given = three(rng, 1, 1, 3, seq_k, 4, 5, scale=0.7)
    given["query"][..., 0] = given["query"][..., 0].abs() + 1
    given["key"][:, :, -1, 0] += 4
    return given

@cases(dict(seq_q=20, seq_k=70), hidden=[dict(seq_q=21, seq_k=69)])
def watched(rng, seq_q, seq_k):
    """{seq_q} queries, {seq_k} keys, d_k = 6, d_v = 5, watched"""
    given = three(rng, 1, 1, seq_q, seq_k, 6, 5)
    return dict(given, query=fixture("given_to_a_kernel", x=given["query"], results=5 * seq_q, powers=seq_q * seq_k, most=64 * 6))

SCALE, SEEN = 'input_precision="ieee") * scale', "seen = keys[None, :] < seq_k"
FUTURE, HIDE = "            seen = seen & (keys[None, :] <= rows[:, None])\n", "scores = tl.where(seen, scores, -float(\"inf\"))"
LARGEST, TOTAL = "tl.maximum(largest, tl.max(scores, axis=1))", "total = total * rescale[:, None] + tl.dot"
DENOMINATOR, LOOP = "denominator = denominator * rescale + tl.sum(powers, axis=1)", "for first in range(0, seq_k, BLOCK):"
OFFSET, K_HEAD, V_HEAD, START = "keys = first + tl.arange(0, BLOCK)", "(head * seq_k + keys[None, :]) * d_k", "(head * seq_k + keys[:, None]) * d_v", "largest = tl.full((BLOCK,), -float(\"inf\"), tl.float32)"
RESCALE = "when a later block of keys brings a larger score, what was summed before must be measured against the new maximum: "
LAST = "your output is the last block's alone: what the blocks before have added is lost. Are the sums carried on, and does `largest` become the new maximum at the end of each turn? (While it is −∞, the correction is 0.)"
FIRST = "only the first block of keys counts. The loop goes over all `seq_k` keys, and their places move with it."
OUTSIDE = "your kernel reads outside its arrays. A key's row has d_k numbers in memory, a value's d_v, and a head has seq_k of them: do the masks of both loads leave out all places beyond?"
edits = {
    "no-scale": ([(SCALE, SCALE.replace(" * scale", ""))], "your scores are not divided by √d_k: the argument `scale` is 1/√d_k."),
    "scale-twice": ([(SCALE, SCALE + " * scale")], "your scores are divided by d_k. Multiply once by `scale`, which is 1/√d_k."),
    "scale-divided": ([(SCALE, SCALE.replace("* scale", "/ scale"))], "your scores are multiplied by √d_k. `scale` is 1/√d_k already: multiply by it."),
    "scale-d-v": ([("1 / math.sqrt(d_k)", "1 / math.sqrt(d_v)")], "your scores are divided by √d_v, the length of a value. Divide by √d_k, the length of a key."),
    "scale-padded": ([("1 / math.sqrt(d_k)", "1 / math.sqrt(D_K)")], "your scores are divided by the root of D_K, the padded length. Divide by √d_k, the length of a key."),
    "tail-seen": ([(SEEN, "seen = keys[None, :] >= 0")], "places behind the last key get weight: loaded as zeros, they have the score 0, which is as good as any. Hide them: their score is −∞."),
    "tail-in-the-maximum": ([(SEEN, "seen = keys[None, :] >= 0"), ("tl.sum(powers, axis=1)", "tl.sum(tl.where(keys[None, :] < seq_k, powers, 0.0), axis=1)")], "places behind the last key are not added up, but they count in your maximum, as 0. Hide them before: their score is −∞."),
    "causal-ignored": ([(FUTURE, "            seen = seen\n")], "`is_causal=True` changes nothing in your output: the future is not hidden."),
    "always-causal": ([("if CAUSAL:", "if True:")], "your attention is always causal. Without `is_causal` every query sees every key."),
    "causal-flag-inverted": ([("if CAUSAL:", "if not CAUSAL:")], "`CAUSAL` is read the wrong way round."),
    "causal-one-ahead": ([("<= rows[:, None])", "<= rows[:, None] + 1)")], "causal: your queries see one key too far."),
    "causal-inverted": ([("<= rows[:, None])", ">= rows[:, None])")], "causal: your queries see the future and not the past: the comparison is the wrong way round."),
    "causal-local": ([("(keys[None, :] <= rows[:, None])", "(tl.arange(0, BLOCK)[None, :] <= tl.arange(0, BLOCK)[:, None])")], "causal: your places are counted inside the block. Compare the keys' and the queries' own places: `keys` and `rows`."),
    "causal-keys-local": ([("(keys[None, :] <= rows[:, None])", "(tl.arange(0, BLOCK)[None, :] <= rows[:, None])")], "causal: a key's place is counted inside its block. Its place in the sentence is in `keys`."),
    "causal-rows-local": ([("<= rows[:, None])", "<= tl.arange(0, BLOCK)[:, None])")], "causal: a query's place is counted inside its block. Its place in the sentence is in `rows`."),
    "causal-bottom-right": ([("<= rows[:, None])", "<= rows[:, None] + seq_k - seq_q)")], "with as many queries as keys your causal output is right, otherwise not: your triangle is aligned at the bottom right. Here query i sees keys j ≤ i."),
    "causal-forgets-tail": ([(FUTURE, "            seen = keys[None, :] <= rows[:, None]\n")], "causal: where there are more queries than keys, places behind the last key get weight. Your causal mask takes the place of the other one: both must hold."),
    "hidden-as-zero": ([(HIDE, "scores = tl.where(seen, scores, 0.0)")], "hidden keys get the score 0, which is as good as any. They get −∞."),
    "total-not-rescaled": ([(TOTAL, "total = total + tl.dot")], RESCALE + "the accumulated output is not rescaled."),
    "denominator-not-rescaled": ([(DENOMINATOR, "denominator = denominator + tl.sum(powers, axis=1)")], RESCALE + "the denominator is not rescaled."),
    "neither-rescaled": ([(TOTAL, "total = total + tl.dot"), (DENOMINATOR, "denominator = denominator + tl.sum(powers, axis=1)")], RESCALE + "neither the accumulated output nor the denominator is rescaled."),
    "rescale-inverted": ([("tl.exp(largest - new_largest)", "tl.exp(new_largest - largest)")], "your correction is the wrong way round: what was summed so far is to shrink when a larger score comes."),
    "rescaled-the-new": ([(DENOMINATOR, "denominator = (denominator + tl.sum(powers, axis=1)) * rescale"), (TOTAL, "total = (total + tl.dot"), ("v, input_precision=\"ieee\")", "v, input_precision=\"ieee\")) * rescale[:, None]")], "the new block is rescaled too. It is measured against the new maximum already; only what was summed before is corrected."),
    "last-block-max": ([(LARGEST, "tl.max(scores, axis=1)")], "your maximum is the last block's only, not the largest score so far."),
    "maximum-not-kept": ([("        largest = new_largest\n", "")], LAST),
    "no-maximum": ([(LARGEST, "tl.zeros((BLOCK,), tl.float32)"), (START, "largest = tl.zeros((BLOCK,), tl.float32)")], "your exponentials overflow on large scores, or are all 0 on very low ones: the largest score of each row must be subtracted first."),
    "starts-at-zero": ([(START, "largest = tl.zeros((BLOCK,), tl.float32)")], "your largest score starts at 0. Where all scores of a query lie far below 0, its exponentials all become 0, and 0/0 is NaN."),
    "maximum-of-all-rows": ([("tl.max(scores, axis=1)", "tl.max(tl.max(scores, axis=1), axis=0)")], "all queries of a block share one maximum. Where one query's scores lie far below another's, its exponentials all become 0. Each query has its own: axis 1."),
    "denominator-lost": ([(DENOMINATOR, "denominator = tl.sum(powers, axis=1)")], "your denominator is the last block's sum only: what the blocks before have added is lost."),
    "total-lost": ([(TOTAL, "total = tl.dot")], "your output holds the last block's values only: what the blocks before have added is lost."),
    "both-lost": ([(TOTAL, "total = tl.dot"), (DENOMINATOR, "denominator = tl.sum(powers, axis=1)")], LAST),
    "divided-twice": ([("v, input_precision=\"ieee\")", "v, input_precision=\"ieee\") / tl.sum(powers, axis=1)[:, None]")], "each block's output is divided by its own sum. Divide once, at the very end, by the sum over all blocks."),
    "first-block-only": ([(LOOP, "for first in range(0, BLOCK, BLOCK):")], FIRST),
    "tail-dropped": ([(LOOP, "for first in range(0, tl.maximum(seq_k - BLOCK + 1, 1), BLOCK):")], "the last block of keys is left out where it is not full."),
    "first-block-skipped": ([(LOOP, "for first in range(0 if seq_k <= BLOCK else BLOCK, seq_k, BLOCK):")], "the first block of keys is left out: the loop starts at 0."),
    "as-far-as-queries": ([(LOOP, "for first in range(0, seq_q, BLOCK):")], "your loop goes as far as there are queries. It goes over the keys: `seq_k`."),
    "keys-not-moved": ([(OFFSET, "keys = tl.arange(0, BLOCK)")], FIRST),
    "step-by-one": ([(LOOP, "for first in range(0, seq_k):")], "your loop moves on by one key, while each turn looks at a whole block: most keys count many times."),
    "heads-ignored": ([(K_HEAD, "keys[None, :] * d_k"), (V_HEAD, "keys[:, None] * d_v")], "all heads read the first head's keys and values. Head h's begin h · seq_k rows further on."),
    "key-heads-ignored": ([(K_HEAD, "keys[None, :] * d_k")], "all heads read the first head's keys. Head h's begin h · seq_k rows further on."),
    "value-heads-ignored": ([(V_HEAD, "keys[:, None] * d_v")], "all heads read the first head's values. Head h's begin h · seq_k rows further on."),
    "key-heads-by-queries": ([(K_HEAD, "(head * seq_q + keys[None, :]) * d_k")], "a head's keys are looked for head · seq_q rows further on. Each head has seq_k keys."),
    "value-heads-by-queries": ([(V_HEAD, "(head * seq_q + keys[:, None]) * d_v")], "a head's values are looked for head · seq_q rows further on. Each head has seq_k values."),
    "both-heads-by-queries": ([(K_HEAD, "(head * seq_q + keys[None, :]) * d_k"), (V_HEAD, "(head * seq_q + keys[:, None]) * d_v")], "a head's keys and values are looked for head · seq_q rows further on. Each head has seq_k of them."),
    "value-rows-by-d-k": ([(V_HEAD, "(head * seq_k + keys[:, None]) * d_k")], "a value's row is taken to have d_k numbers. It has d_v."),
    "key-rows-by-d-v": ([(K_HEAD, "(head * seq_k + keys[None, :]) * d_v")], "a key's row is taken to have d_v numbers. It has d_k."),
    "rows-by-padded": ([(K_HEAD, "(head * seq_k + keys[None, :]) * D_K")], OUTSIDE),
    "values-are-keys": ([("tl.load(value + places", "tl.load(key + places")], "your values are loaded from the keys."),
    "no-key-mask": ([("k = tl.load(key + places, mask=(keys[None, :] < seq_k) & (features[:, None] < d_k), other=0.0)", "k = tl.load(key + places)")], OUTSIDE),
    "no-value-mask": ([("v = tl.load(value + places, mask=(keys[:, None] < seq_k) & (columns[None, :] < d_v), other=0.0)", "v = tl.load(value + places)")], OUTSIDE),
    "key-features-unmasked": ([("(keys[None, :] < seq_k) & (features[:, None] < d_k)", "keys[None, :] < seq_k")], OUTSIDE),
    "scores-for-powers": ([("tl.dot(powers, v", "tl.dot(tl.where(seen, scores, 0.0), v")], "your values are weighted by the scores. They are weighted by the exponentials."),
    "denominator-of-scores": ([("tl.sum(powers, axis=1)", "tl.sum(tl.where(seen, scores, 0.0), axis=1)")], "your denominator adds up the scores. It adds up the exponentials."),
    "denominator-over-queries": ([("tl.sum(powers, axis=1)", "tl.sum(powers, axis=0)")], "your denominator adds up over the queries, axis 0. Each query sums over the keys, axis 1."),
    "not-divided": ([("total / denominator[:, None]", "total")], "the output is not divided by the denominator."),
    "powers-of-2": ([("tl.exp(scores - new_largest[:, None])", "tl.exp2(scores - new_largest[:, None])")], "your powers are powers of 2. The softmax takes powers of e."),
    "causal-skips-the-diagonal": ([(LOOP, "for first in range(0, tl.program_id(0) * BLOCK if CAUSAL and tl.program_id(0) > 0 else seq_k, BLOCK):")], "causal: the block on the diagonal is skipped, so from the second block of queries on nobody sees the keys next to their own."),
    "returns-nothing": ([("    return output", "    pass")], "your function ends without giving anything back: is a `return` missing?"),
    "returns-pair": ([("    return output", "    return output, None")], "your function returns two things. Return the output alone."),
    "one-program-a-head": ([("(triton.cdiv(seq_q, BLOCK), batch", "(1, batch")], "your grid has one program a head, so only the first block of queries is written."),
    "one-head": ([(", batch * num_heads)", ", 1)")], "your grid has no programs for the other heads: only the first one is written."),
}
for name, (changes, says) in edits.items():
    wrong(name, *changes, says=says)
for one, two in (("no-scale", "tail-seen"), ("no-scale", "total-not-rescaled"), ("tail-seen", "causal-ignored"), ("no-scale", "causal-ignored"), ("total-not-rescaled", "causal-ignored")):
    wrong(f"{one}+{two}", *edits[one][0], *edits[two][0], says=two_things(edits[one][1], edits[two][1]))

@wrong("runs_in_a_kernel", says="a single `tl.load` of your kernel reads more than 64 queries, keys or values of a head. One program looks at a block of them at a time: that is the point.")
def one_block(query, key, value, is_causal=False):
    (batch, heads, n, d_k), (m, d_v) = query.shape, value.shape[-2:]
    output = torch.empty(batch, heads, n, d_v)
    sizes = [max(16, triton.next_power_of_2(d)) for d in (d_k, d_v)]
    B = triton.next_power_of_2(max(n, m))
    attention_kernel[(1, batch * heads)](query.contiguous(), key.contiguous(), value.contiguous(), output, n, m, d_k, d_v, d_k**-0.5, is_causal, B, *sizes)
    return output

@triton.jit
def strided_attention_kernel(q_ptr, k_ptr, v_ptr, o_ptr, sq_h, sq_n, sq_d, sk_h, sk_n, sk_d, sv_h, sv_n, sv_d, so_h, so_n, so_d, N, M, D, E, scale, causal: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr):
    """By strides; the future is not visited; the scale goes onto the queries; keys are transposed after loading."""
    i, h = tl.program_id(0), tl.program_id(1)
    n, d = i * BM + tl.arange(0, BM), tl.arange(0, BD)
    q = tl.load(q_ptr + h * sq_h + n[:, None] * sq_n + d[None, :] * sq_d, mask=(n[:, None] < N) & (d[None, :] < D), other=0.0) * scale
    top = tl.full([BM], -1e30, dtype=tl.float32)
    den = tl.full([BM], 0.0, dtype=tl.float32)
    acc = tl.zeros([BM, BD], dtype=tl.float32)
    end = tl.minimum(M, (i + 1) * BM) if causal else M
    for j in range(0, end, BN):
        m = j + tl.arange(0, BN)
        inside = (m[:, None] < M) & (d[None, :] < D)
        k = tl.load(k_ptr + h * sk_h + m[:, None] * sk_n + d[None, :] * sk_d, mask=inside, other=0.0)
        s = tl.dot(q, tl.trans(k), input_precision="ieee")
        s = tl.where(m[None, :] < M, s, -1e30)
        if causal:
            s = tl.where(n[:, None] >= m[None, :], s, -1e30)
        new = tl.maximum(top, tl.max(s, 1))
        p = tl.exp(s - new[:, None])
        den *= tl.exp(top - new)
        acc *= tl.exp(top - new)[:, None]
        den += tl.sum(p, 1)
        v = tl.load(v_ptr + h * sv_h + m[:, None] * sv_n + d[None, :] * sv_d, mask=(m[:, None] < M) & (d[None, :] < E), other=0.0)
        acc += tl.dot(p, v, input_precision="ieee")
        top = new
    tl.store(o_ptr + h * so_h + n[:, None] * so_n + d[None, :] * so_d, acc / den[:, None], mask=(n[:, None] < N) & (d[None, :] < E))

@right
def by_strides(query, key, value, is_causal=False):
    b, h, N, D = query.shape
    M, E = value.shape[2:]
    q, k, v = (x.flatten(0, 1) for x in (query, key, value))
    o = query.new_zeros(b * h, N, E)
    strided_attention_kernel[(triton.cdiv(N, 32), b * h)](q, k, v, o, *q.stride(), *k.stride(), *v.stride(), *o.stride(), N, M, D, E, D**-0.5, is_causal, 32, 16, max(16, triton.next_power_of_2(max(D, E))))
    return o.view(b, h, N, E)

@triton.jit
def row_kernel(q, k, v, o, heads, N, M, D, E, scale, CAUSAL: tl.constexpr, B: tl.constexpr, BD: tl.constexpr, BE: tl.constexpr):
    """One query a program; no matrix product; the result so far is kept normalised."""
    i, b, h = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    g = b * heads + h
    d, e = tl.arange(0, BD), tl.arange(0, BE)
    x = tl.load(q + (g * N + i) * D + d, mask=d < D, other=0.0)
    size, out = -float("inf"), tl.zeros((BE,), tl.float32)
    for j in range(0, M, B):
        m = j + tl.arange(0, B)
        keys = tl.load(k + (g * M + m[:, None]) * D + d[None, :], mask=(m[:, None] < M) & (d[None, :] < D), other=0.0)
        s = tl.sum(keys * x[None, :], axis=1) * scale
        open_ = (m < M) & (m <= i) if CAUSAL else m < M
        s = tl.where(open_, s, -1e30)
        top = tl.max(s, axis=0)
        p = tl.where(open_, tl.exp(s - top), 0.0)
        total = tl.sum(p, axis=0)
        own = tl.where(total > 0, top + tl.log(tl.maximum(total, 1e-30)), -1e30)
        joined = tl.maximum(size, own) + tl.log(tl.exp(size - tl.maximum(size, own)) + tl.exp(own - tl.maximum(size, own)))
        values = tl.load(v + (g * M + m[:, None]) * E + e[None, :], mask=(m[:, None] < M) & (e[None, :] < E), other=0.0)
        part = tl.sum(values * p[:, None], axis=0) / tl.maximum(total, 1e-30)
        out = out * tl.exp(size - joined) + part * tl.exp(own - joined)
        size = joined
    tl.store(o + (g * N + i) * E + e, out, mask=e < E)

@right
def query_by_query(query, key, value, is_causal=False):
    (b, h, N, D), (M, E) = query.shape, value.shape[-2:]
    o = torch.empty(b, h, N, E)
    row_kernel[(N, b, h)](query.contiguous(), key.contiguous(), value.contiguous(), o, h, N, M, D, E, D**-0.5, CAUSAL=is_causal, B=32, BD=triton.next_power_of_2(D), BE=triton.next_power_of_2(E))
    return o

right_edit("wider-blocks", ("BLOCK, D_K, D_V = 16", "BLOCK, D_K, D_V = 32"))
right_edit("finite-for-hidden", (HIDE, "scores = tl.where(seen, scores, -1e30)"), (START, 'largest = tl.full((BLOCK,), -1e38, tl.float32)'))

@truth
def by_fused_attention(query, key, value, is_causal=False):
    """PyTorch's own, unwatched."""
    from autograder.library.quiet import paused
    with paused():
        return by_a_kernel(F.scaled_dot_product_attention(query.double(), key.double(), value.double(), is_causal=is_causal).float(), times=20)

@truth
def by_the_table(query, key, value, is_causal=False):
    from autograder.library.quiet import paused
    with paused():
        return by_a_kernel(attention_in_full(query, key, value, is_causal)[3].float(), times=20)

# %% exercise="flash_attention_backward" part="library"
def flash_attention_backward(
    query: Tensor, key: Tensor, value: Tensor, output: Tensor, logsumexp: Tensor, grad_output: Tensor, is_causal: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """PyTorch's autograd through PyTorch's attention."""
    with torch.enable_grad():
        q, k, v = (x.detach().requires_grad_(True) for x in (query, key, value))
        made = F.scaled_dot_product_attention(q, k, v, is_causal=is_causal)
        grad_query, grad_key, grad_value = torch.autograd.grad(made, (q, k, v), grad_output)
    return grad_query, grad_key, grad_value


def queries_in_blocks(query: Tensor, table: int) -> Any:
    """`query`, watched as in unit 12: whether any operator makes an array of `table` numbers."""
    return queries_under_watch(query, table)

# %% exercise="flash_attention_backward" part="variants"
without("ties", "again", because="output and logsumexp belong to the queries, keys and values")
without("slip: * scale + logsumexp", because="its weights grow until rounding decides what is left of their differences")

def backwards(rng, given, is_causal=False):
    """The call that belongs to these queries, keys and values."""
    _, size, _, output = attention_in_full(**given, is_causal=is_causal)
    more = dict(output=output.float(), logsumexp=size.float(), grad_output=floats(rng, *output.shape))
    return given | more | (dict(is_causal=True) if is_causal else {})

@cases(dict(seq_q=3, seq_k=5, d_k=4, d_v=6), dict(seq_q=6, seq_k=4, d_k=5, d_v=2), high=7)
def drawn(rng, seq_q, seq_k, d_k, d_v):
    """2 sentences, one head: {seq_q} queries, {seq_k} keys, d_k = {d_k}, d_v = {d_v}"""
    return backwards(rng, three(rng, 2, 1, seq_q, seq_k, d_k, d_v))

@cases(dict(seq=7, d_k=3, d_v=5), low=3)
def causal(rng, seq, d_k, d_v):
    """causal, 2 heads: {seq} queries and keys, d_k = {d_k}, d_v = {d_v}"""
    return backwards(rng, three(rng, 1, 2, seq, seq, d_k, d_v), is_causal=True)

@cases(dict(seq_q=3, seq_k=8), hidden=[dict(seq_q=4, seq_k=9)])
def causal_few_queries(rng, seq_q, seq_k):
    """causal: {seq_q} queries, {seq_k} keys"""
    return backwards(rng, three(rng, 2, 1, seq_q, seq_k, 4, 5), is_causal=True)

@cases(dict(seq_q=9, seq_k=4), hidden=[dict(seq_q=8, seq_k=5)])
def causal_many_queries(rng, seq_q, seq_k):
    """causal: {seq_q} queries, {seq_k} keys"""
    return backwards(rng, three(rng, 1, 2, seq_q, seq_k, 5, 3), is_causal=True)

@cases()
def square(rng):
    """2 sentences, 2 heads, 2 queries, 2 keys, all of length 2"""
    return backwards(rng, three(rng, 2, 2, 2, 2, 2, 2))

@cases()
def sharp(rng):
    """4 queries, 6 keys, scores of some 6"""
    return backwards(rng, three(rng, 1, 1, 4, 6, 3, 5, scale=1.8))

@cases(dict(seq_q=110, seq_k=40), hidden=[dict(seq_q=105, seq_k=42)])
def watched(rng, seq_q, seq_k):
    """{seq_q} queries, {seq_k} keys, d_k = 2, d_v = 1, watched"""
    given = backwards(rng, three(rng, 1, 1, seq_q, seq_k, 2, 1, scale=0.8))
    return dict(given, query=fixture("queries_in_blocks", query=given["query"], table=seq_q * seq_k))

@cases(dict(seq=67), hidden=[dict(seq=70)])
def watched_causal(rng, seq):
    """causal: {seq} queries and keys, d_k = 1, d_v = 2, watched"""
    given = backwards(rng, three(rng, 1, 1, seq, seq, 1, 2, scale=0.8), is_causal=True)
    return dict(given, query=fixture("queries_in_blocks", query=given["query"], table=seq * seq))

WEIGHTS = "torch.exp(q @ k.mT * scale - logsumexp[..., rows, None])"
GRAD, DOTS = "grad_scores = weights * (go @ v.mT - dots[..., rows, :]) * scale", "dots = (output * grad_output).sum(dim=-1, keepdim=True)"
GV, GQ, GK, GIVE = "+= weights.mT @ go", "+= grad_scores @ k", "+= grad_scores.mT @ q", "return grad_query, grad_key, grad_value"
TRIL, KEYS, QUERIES = "            if is_causal:\n                weights = weights.tril(first_query - first_key)\n", "for first_key in range(0, key.shape[-2], block):", "for first_query in range(0, query.shape[-2], block):"
edits = {
    "no-scale": ([(GRAD, GRAD.removesuffix(" * scale"))], "`grad_query` and `grad_key` lack the factor 1/√d_k. The scores were scaled on the way there; so is their gradient on the way back."),
    "no-scale-in-weights": ([(WEIGHTS, WEIGHTS.replace(" * scale", ""))], "your weights come from scores without the factor 1/√d_k. `logsumexp` belongs to the scaled scores."),
    "no-scale-anywhere": ([(GRAD, GRAD.removesuffix(" * scale")), (WEIGHTS, WEIGHTS.replace(" * scale", ""))], "the factor 1/√d_k is missing throughout: on the scores, and on `grad_query` and `grad_key`."),
    "scale-twice": ([(GRAD, GRAD + " * scale")], "`grad_query` and `grad_key` are divided by d_k (or twice by √d_k). Once by √d_k."),
    "scale-on-query": ([(GRAD, GRAD.removesuffix(" * scale")), (GQ, GQ + " * scale")], "`grad_key` lacks the factor 1/√d_k (`grad_query` has it)."),
    "scale-on-key": ([(GRAD, GRAD.removesuffix(" * scale")), (GK, GK + " * scale")], "`grad_query` lacks the factor 1/√d_k (`grad_key` has it)."),
    "scale-d-v": ([("1 / math.sqrt(query.shape[-1])", "1 / math.sqrt(value.shape[-1])")], "your scale is 1/√d_v. It is 1/√d_k, with d_k the length of a key."),
    "no-logsumexp": ([(WEIGHTS, "torch.exp(q @ k.mT * scale)")], "your weights are exp of the scores, not divided by their sum: `logsumexp` is to be subtracted before the exponential."),
    "softmax-in-block": ([(WEIGHTS, "(lambda s: torch.exp(s - s.logsumexp(-1, keepdim=True)))(q @ k.mT * scale)")], "your weights sum to 1 in each block of keys. They sum to 1 over all keys: that is what the saved `logsumexp` is for."),
    "divided-by-logsumexp": ([(WEIGHTS, "torch.exp(q @ k.mT * scale) / logsumexp[..., rows, None]")], "your exponentials are divided by `logsumexp`. It is the logarithm of their sum: subtract it before the exponential."),
    "no-dots": ([(GRAD, "grad_scores = weights * (go @ v.mT) * scale")], "on the way back through the softmax, D (each query's output times its gradient) is not subtracted."),
    "dots-added": ([(GRAD, GRAD.replace(" - dots", " + dots"))], "D is added on the way back through the softmax. It is subtracted."),
    "dots-mean": ([(DOTS, DOTS.replace(".sum(", ".mean("))], "D is a mean over the features. It is their sum: a dot product of output and its gradient."),
    "dots-from-output": ([(DOTS, "dots = output.sum(dim=-1, keepdim=True)")], "D is the sum of the output. It is the dot product of the output and its gradient, for each query."),
    "dots-over-queries": ([(DOTS, "dots = (output * grad_output).sum(dim=(-2, -1), keepdim=True).expand(*output.shape[:-1], 1)")], "D is one number for all queries of a head. Each query has its own."),
    "dots-of-a-block": ([(GRAD, "gw = go @ v.mT\n            grad_scores = weights * (gw - (weights * gw).sum(-1, keepdim=True)) * scale")], "D is summed over one block of keys. It takes all keys: that is why it is made of the output, before the loops."),
    "no-weights": ([(GRAD, "grad_scores = (go @ v.mT - dots[..., rows, :]) * scale")], "on the way back through the softmax, the bracket is not multiplied by the weights."),
    "no-softmax": ([(GRAD, "grad_scores = go @ v.mT * scale")], "the way back through the softmax is skipped: your gradient for the scores is the one for the weights."),
    "value-from-scores": ([(GV, "+= grad_scores.mT @ go")], "`grad_value` is made from the gradient of the scores. In O = W V, what stands beside V is W: use the weights."),
    "query-from-queries": ([(GQ, "+= grad_scores @ k if False else (grad_scores.sum(-1, keepdim=True) * q)")], "`grad_query` is made from the queries. In Q Kᵀ, what stands beside Q is K."),
    "value-lost": ([(GV, "= weights.mT @ go")], "`grad_value` holds what the last block of queries gives, and no other: is there an `=` where `+=` is meant?"),
    "query-lost": ([(GQ, "= grad_scores @ k")], "`grad_query` holds what the last block of keys gives, and no other: is there an `=` where `+=` is meant?"),
    "key-lost": ([(GK, "= grad_scores.mT @ q")], "`grad_key` holds what the last block of queries gives, and no other: is there an `=` where `+=` is meant?"),
    "key-and-value-lost": ([(GK, "= grad_scores.mT @ q"), (GV, "= weights.mT @ go")], "`grad_key` and `grad_value` hold what the last block of queries gives, and no other: is there an `=` where `+=` is meant?"),
    "all-lost": ([(GK, "= grad_scores.mT @ q"), (GV, "= weights.mT @ go"), (GQ, "= grad_scores @ k")], "all three gradients hold what the last block gives, and no other: is there an `=` where `+=` is meant?"),
    "causal-ignored": ([(TRIL, "")], "`is_causal=True` changes nothing in your weights: pairs that were hidden on the way there have no part in the way back."),
    "causal-local": ([("weights.tril(first_query - first_key)", "weights.tril()")], "causal: your triangle is counted inside each block. Blocks wholly in the past are seen in full, those in the future not at all."),
    "causal-local-turned": ([("first_query - first_key)", "first_key - first_query)")], "causal: away from the diagonal your triangle moves the wrong way. Query first_query + i sees key first_key + j where the key's place is not larger."),
    "causal-strict": ([("weights.tril(first_query - first_key)", "weights.tril(first_query - first_key - 1)")], "causal: your queries do not see the key of their own place."),
    "causal-one-ahead": ([("weights.tril(first_query - first_key)", "weights.tril(first_query - first_key + 1)")], "causal: your queries see one key too far."),
    "causal-inverted": ([("weights.tril(first_query - first_key)", "weights.triu(first_query - first_key)")], "causal: your queries see the future and not the past."),
    "causal-bottom-right": ([("weights.tril(first_query - first_key)", "weights.tril(first_query - first_key + key.shape[-2] - query.shape[-2])")], "with as many queries as keys your causal gradients are right, otherwise not: your triangle is aligned at the bottom right. Here query i sees keys j ≤ i."),
    "always-causal": ([("if is_causal:", "if True:")], "your gradients are always causal. Without `is_causal` every query saw every key."),
    "flag-inverted": ([("if is_causal:", "if not is_causal:")], "`is_causal` is read the wrong way round."),
    "order-k-q-v": ([(GIVE, "return grad_key, grad_query, grad_value")], "`grad_query` and `grad_key` come back in each other's place."),
    "order-q-v-k": ([(GIVE, "return grad_query, grad_value, grad_key")], "`grad_key` and `grad_value` come back in each other's place."),
    "order-v-k-q": ([(GIVE, "return grad_value, grad_key, grad_query")], "the three gradients come back in the reverse order."),
    "nothing": ([(GIVE, "pass")], "your function ends without giving anything back: is a `return` missing?"),
    "negative": ([(GIVE, "return -grad_query, -grad_key, -grad_value")], "all your gradients have the wrong sign."),
    "query-and-key-negative": ([(GIVE, "return -grad_query, -grad_key, grad_value")], "`grad_query` and `grad_key` have the wrong sign: is D minus the weights' gradient where it is the other way round?"),
    "first-block-of-keys": ([(KEYS, "for first_key in range(0, block, block):")], "only the first block of keys is looked at."),
    "first-block-of-queries": ([(QUERIES, "for first_query in range(0, block, block):")], "only the first block of queries is looked at."),
    "queries-tail-lost": ([(QUERIES, "for first_query in range(0, max(1, query.shape[-2] - block + 1), block):")], "the last block of queries is left out where it is not full."),
    "keys-tail-lost": ([(KEYS, "for first_key in range(0, max(1, key.shape[-2] - block + 1), block):")], "the last block of keys is left out where it is not full."),
    "as-far-as-keys": ([(QUERIES, "for first_query in range(0, key.shape[-2], block):")], "your loop over the queries goes as far as there are keys."),
    "dots-not-sliced": ([("dots[..., rows, :]", "dots[..., : q.shape[-2], :]")], "every block of queries uses the first block's D."),
    "logsumexp-not-sliced": ([("logsumexp[..., rows, None]", "logsumexp[..., : q.shape[-2], None]")], "every block of queries uses the first block's `logsumexp`."),
    "value-mean": ([(GIVE, "return grad_query, grad_key, grad_value / query.shape[-2]")], "`grad_value` is divided by the number of queries. A gradient is a sum, no mean."),
    "gradients-of-ones": ([("q, go = query[..., rows, :], grad_output[..., rows, :]", "q, go = query[..., rows, :], torch.ones_like(grad_output[..., rows, :])")], "your gradients are those for a `grad_output` of ones. Use the one that is given."),
    "in-one-block": ([("block, scale = 32,", "block, scale = 4096,")], "somewhere your code makes an array with as many numbers as all scores together. Only the scores of one block may exist at a time: that is the point of working in blocks."),
}
for name, (changes, says) in edits.items():
    wrong(name, *changes, says=says)
for name in ("dots-of-a-block", "softmax-in-block", "causal-local", "causal-local-turned", "value-lost", "query-lost", "key-lost", "key-and-value-lost", "all-lost", "queries-tail-lost"):
    for size in (16, 64):
        wrong(f"{name}-{size}", *edits[name][0], ("block, scale = 32,", f"block, scale = {size},"), says=edits[name][1])
MASKED = "(lambda s: torch.exp(s - s.logsumexp(-1, keepdim=True)).nan_to_num())((q @ k.mT * scale).masked_fill(torch.arange(k.shape[-2]) + first_key > torch.arange(q.shape[-2])[:, None] + first_query if is_causal else torch.zeros((), dtype=torch.bool), -math.inf))"
for size in (16, 32, 64):
    wrong(f"softmax-in-block-masked-{size}", (WEIGHTS, MASKED), ("block, scale = 32,", f"block, scale = {size},"), says=edits["softmax-in-block"][1])
wrong("value-from-scores-unscaled", (GV, "+= (grad_scores / scale).mT @ go"), says=edits["value-from-scores"][1])
for one, two in (("no-scale", "causal-ignored"), ("no-scale", "no-dots"), ("no-dots", "causal-ignored"), ("no-scale", "key-lost"), ("no-scale", "query-lost")):
    wrong(f"{one}+{two}", *(edits[one][0] if (one, two) != ("no-scale", "no-dots") else []), *(edits[two][0] if (one, two) != ("no-scale", "no-dots") else [(GRAD, "grad_scores = weights * (go @ v.mT)")]), says=two_things(edits[one][1], edits[two][1]))

@right
def keys_outside(query, key, value, output, logsumexp, grad_output, is_causal=False):
    """As the paper has it: keys outside, queries inside; slices of 16 by einsum; a mask in place of a triangle."""
    scale, gq, gks, gvs = query.shape[-1] ** -0.5, torch.zeros_like(query), [], []
    delta = torch.einsum("bhid,bhid->bhi", output, grad_output)
    for j in range(0, key.size(2), 16):
        k, v = key[:, :, j:j + 16], value[:, :, j:j + 16]
        gk, gv = torch.zeros_like(k), torch.zeros_like(v)
        for i in range(0, query.size(2), 16):
            q, go, size = query[:, :, i:i + 16], grad_output[:, :, i:i + 16], logsumexp[:, :, i:i + 16]
            s = torch.einsum("bhid,bhjd->bhij", q * scale, k)
            if is_causal:
                hidden = torch.arange(j, j + k.size(2))[None, :] > torch.arange(i, i + q.size(2))[:, None]
                s = s.masked_fill(hidden, float("-inf"))
            p = (s - size.unsqueeze(-1)).exp()
            gv += torch.einsum("bhij,bhid->bhjd", p, go)
            ds = p * (torch.einsum("bhid,bhjd->bhij", go, v) - delta[:, :, i:i + 16, None])
            gk += torch.einsum("bhij,bhid->bhjd", ds, q) * scale
            gq[:, :, i:i + 16] += torch.einsum("bhij,bhjd->bhid", ds, k) * scale
        gks.append(gk)
        gvs.append(gv)
    return gq, torch.cat(gks, 2), torch.cat(gvs, 2)

@right
def twice_over(query, key, value, output, logsumexp, grad_output, is_causal=False):
    """Queries once for their own gradient, keys once for theirs, the future left out; blocks of 48."""
    B, c = 48, 1 / query.shape[-1] ** 0.5
    D = (output * grad_output).sum(-1)
    def part(i, j):
        q, k, v, g = query[..., i:i + B, :], key[..., j:j + B, :], value[..., j:j + B, :], grad_output[..., i:i + B, :]
        p = torch.exp(c * (q @ k.transpose(-1, -2)) - logsumexp[..., i:i + B].unsqueeze(-1))
        if is_causal:
            p = p * (torch.arange(i, i + q.shape[-2]).unsqueeze(1) >= torch.arange(j, j + k.shape[-2]).unsqueeze(0))
        return p, p * (g @ v.transpose(-1, -2) - D[..., i:i + B].unsqueeze(-1)) * c
    n, m = query.shape[-2], key.shape[-2]
    past = lambda i, j: not is_causal or j < i + B
    gq = [sum(part(i, j)[1] @ key[..., j:j + B, :] for j in range(0, m, B) if past(i, j)) for i in range(0, n, B)]
    gk, gv = [], []
    for j in range(0, m, B):
        k, v = torch.zeros_like(key[..., j:j + B, :]), torch.zeros_like(value[..., j:j + B, :])
        for i in range(0, n, B):
            if past(i, j):
                p, s = part(i, j)
                k, v = k + s.transpose(-1, -2) @ query[..., i:i + B, :], v + p.transpose(-1, -2) @ grad_output[..., i:i + B, :]
        gk.append(k)
        gv.append(v)
    return [torch.cat(x, dim=-2) for x in (gq, gk, gv)]

@right
def head_by_head(query, key, value, output, logsumexp, grad_output, is_causal=False):
    """Loops over sentences, heads and single queries, in float64."""
    gq, gk, gv = (torch.zeros_like(x, dtype=torch.float64) for x in (query, key, value))
    for b in range(query.shape[0]):
        for h in range(query.shape[1]):
            K, V = key[b, h].double(), value[b, h].double()
            for i in range(query.shape[2]):
                seen = min(i + 1, len(K)) if is_causal else len(K)
                q, g = query[b, h, i].double(), grad_output[b, h, i].double()
                p = torch.exp(K[:seen] @ q / math.sqrt(len(q)) - logsumexp[b, h, i])
                ds = p * (V[:seen] @ g - output[b, h, i].double() @ g) / math.sqrt(len(q))
                gq[b, h, i] = ds @ K[:seen]
                gk[b, h, :seen] += ds[:, None] * q
                gv[b, h, :seen] += p[:, None] * g
    return gq.float(), gk.float(), gv.float()

@truth
def by_autograd(query, key, value, output, logsumexp, grad_output, is_causal=False):
    from autograder.library.quiet import paused
    with paused(), torch.enable_grad():
        leaves = [x.double().requires_grad_(True) for x in (query, key, value)]
        made = F.scaled_dot_product_attention(*leaves, is_causal=is_causal)
        return torch.autograd.grad(made, leaves, grad_output.double())

@truth
def by_the_table(query, key, value, output, logsumexp, grad_output, is_causal=False):
    """Unit 04's formulas, with the whole table, in float64."""
    from autograder.library.quiet import paused
    with paused():
        _, _, w, _ = attention_in_full(query, key, value, is_causal)
        g = grad_output.double()
        gw = torch.einsum("bhid,bhjd->bhij", g, value.double())
        gs = w * (gw - (w * gw).sum(-1, keepdim=True)) / query.shape[-1] ** 0.5
        return gs @ key.double(), gs.mT @ query.double(), w.mT @ g

# %% exercise="packed_mask" part="library"
def packed_mask(lengths: Sequence[int]) -> Tensor:
    """PyTorch's block-diagonal matrix, of blocks of ones."""
    return torch.block_diag(*(torch.ones(int(n), int(n)) for n in lengths)).bool()

# %% exercise="packed_mask" part="variants"
def lengths_of(rng, count):
    """Lengths of which two are equal."""
    lengths = [int(n) for n in rng.integers(1, 5, size=count)]
    return [*lengths, lengths[0]]

@cases(dict(count=2), dict(count=3), low=2, high=5)
def drawn(rng, count):
    """{count} sentences, and one of the same length as the first"""
    return dict(lengths=lengths_of(rng, count))

@cases()
def all_different(rng):
    """sentences of 3, 1 and 4 tokens"""
    return dict(lengths=[3, 1, 4])

@cases()
def equal(rng):
    """three sentences of 2 tokens"""
    return dict(lengths=[2, 2, 2])

@cases()
def alone(rng):
    """one sentence of 4 tokens"""
    return dict(lengths=[4])

@cases()
def single_tokens(rng):
    """three sentences of one token"""
    return dict(lengths=[1, 1, 1])

@cases()
def as_a_tuple(rng):
    """lengths in a tuple: 2, 5"""
    return dict(lengths=(2, 5))

OWNER, SAME = "torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))", "owner[:, None] == owner[None, :]"
edits = {
    "merged-by-length": ([("torch.arange(len(lengths))", "torch.tensor(lengths)")], "sentences of the same length see each other: you tell them apart by their lengths. Number the sentences."),
    "turned-round": ([(SAME, "owner[:, None] != owner[None, :]")], "your mask is turned round: True is where a token of another sentence stands. True means: may be seen."),
    "causal": ([(SAME, "(owner[:, None] == owner[None, :]).tril()")], "your mask also hides the future. Here each token sees its whole sentence; a causal mask can be added with `&`."),
    "sees-earlier": ([(SAME, "owner[:, None] >= owner[None, :]")], "tokens see all sentences before their own as well. Each sees its own sentence only."),
    "sees-later": ([(SAME, "owner[:, None] <= owner[None, :]")], "tokens see all sentences after their own as well. Each sees its own sentence only."),
    "causal-over-all": ([(SAME, "torch.ones(len(owner), len(owner), dtype=torch.bool).tril()")], "your mask is a causal mask of the whole row: sentences see those before them. Each token sees its own sentence, all of it."),
    "all-seen": ([(SAME, "torch.ones(len(owner), len(owner), dtype=torch.bool)")], "your mask hides nothing: every token sees every other."),
    "diagonal": ([(SAME, "torch.eye(len(owner), dtype=torch.bool)")], "each token sees itself alone. It sees its whole sentence."),
    "neighbours": ([(SAME, "(owner[:, None] - owner[None, :]).abs() <= 1")], "tokens see the sentences next to their own as well."),
    "numbers": ([(SAME, "(owner[:, None] == owner[None, :]).float()")], "your mask holds numbers. True and False are asked for: `==` gives them."),
    "scores": ([(SAME, "torch.zeros(len(owner), len(owner)).masked_fill(owner[:, None] != owner[None, :], -math.inf)")], "your mask holds 0 and −∞, to be added to scores. True and False are asked for."),
    "with-axes": ([(SAME, "(owner[:, None] == owner[None, :])[None, None]")], "your mask has axes in front. Its shape is (total, total); it broadcasts by itself."),
    "one-row": ([(SAME, "owner == owner[0]")], "your mask has one row. It has a row for each token: `owner[:, None]` against `owner[None, :]`."),
    "owner-returned": ([(SAME, "owner")], "your function returns whose token each one is. Compare each with each."),
    "by-sentence": ([(SAME, "torch.eye(len(lengths), dtype=torch.bool)")], "your mask has a row for each sentence. It has one for each token."),
    "starts-late": ([(OWNER, OWNER + "\n    owner = torch.cat([owner[:1], owner[:-1]])")], "your sentences end one token too late: the first token of a sentence counts to the one before."),
    "starts-early": ([(OWNER, OWNER + "\n    owner = torch.cat([owner[1:], owner[-1:]])")], "your sentences end one token too early: the last token of a sentence counts to the one after."),
    "first-only": ([(SAME, "(owner[:, None] == 0) & (owner[None, :] == 0)")], "only the first sentence sees anything."),
    "nothing": ([("return " + SAME, SAME)], "your function ends without giving anything back: is a `return` missing?"),
    "flag-inverted-padding": ([(SAME, "(owner[:, None] == owner[None, :]) & ~torch.eye(len(owner), dtype=torch.bool)")], "no token sees itself. It sees its whole sentence, itself included."),
}
for name, (changes, says) in edits.items():
    wrong(name, *changes, says=says)

@wrong("padded-batch", says="your mask is that of a padded batch, a row for each sentence. Packed, all sentences stand in one row: (total, total).")
def padded_batch(lengths):
    return torch.arange(max(lengths))[None, :] < torch.tensor(lengths)[:, None]

@right
def by_blocks(lengths):
    mask, start = torch.zeros(sum(lengths), sum(lengths), dtype=torch.bool), 0
    for n in lengths:
        mask[start : start + n, start : start + n] = True
        start += n
    return mask

@right
def by_ends(lengths):
    """In which sentence a place falls says a search among the ends."""
    ends = torch.tensor(lengths).cumsum(0)
    which = torch.bucketize(torch.arange(int(ends[-1])), ends, right=True)
    return which.unsqueeze(1).eq(which.unsqueeze(0))

@right
def by_one_hot(lengths):
    rows = torch.cat([F.one_hot(torch.full((n,), i), len(lengths)) for i, n in enumerate(lengths)])
    return (rows @ rows.T).bool()

@right
def by_lists(lengths):
    names = [i for i, n in enumerate(lengths) for _ in range(n)]
    return torch.tensor([[a == b for b in names] for a in names])

@truth
def block_diagonal(lengths):
    return torch.block_diag(*[torch.ones(n, n) for n in lengths]) > 0

@truth
def by_counting(lengths):
    """Two places are of one sentence where no sentence ends between them."""
    ends = {sum(lengths[: i + 1]) for i in range(len(lengths))}
    total = sum(lengths)
    return torch.tensor([[not any(min(i, j) < e <= max(i, j) for e in ends) for j in range(total)] for i in range(total)])

# %% exercise="pack" part="library"
def pack(sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
    """By PyTorch's padding: rows of ids and of places are padded, and read off where no padding is."""
    rows = [torch.tensor(list(sequence), dtype=torch.long) for sequence in sequences]
    table = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask = packed_mask([len(row) for row in rows])
    counted = torch.arange(table.shape[1]).expand_as(table)
    real = counted < torch.tensor([len(row) for row in rows]).unsqueeze(1)
    return table[real], counted[real], mask

# %% exercise="pack" part="variants"
def sentences(rng, lengths):
    """Ids with the same ones in several sentences."""
    return [[int(token) for token in rng.integers(4, 9, size=n - 1)] + [2] for n in lengths]

@cases(dict(first=2, second=5, third=3), dict(first=4, second=1, third=3), low=2, high=6)
def drawn(rng, first, second, third):
    """three sentences of {first}, {second} and {third} tokens"""
    return dict(sequences=sentences(rng, (first, second, third)))

@cases(dict(length=3), low=2, high=5)
def alike(rng, length):
    """two sentences of {length} tokens, the same ones"""
    return dict(sequences=sentences(rng, (length,)) * 2)

@cases()
def alone(rng):
    """one sentence of 4 tokens"""
    return dict(sequences=sentences(rng, (4,)))

@cases()
def with_zeros(rng):
    """sentences that hold the id 0: here it is a token like any other"""
    return dict(sequences=[[5, 0, 2], [0, 7], [6, 0, 0, 2]])

IDS = "torch.tensor([token for sequence in sequences for token in sequence])"
PLACES, MASK = "torch.cat([torch.arange(len(sequence)) for sequence in sequences])", "packed_mask([len(sequence) for sequence in sequences])"
edits = {
    "positions-run-on": ([(PLACES, "torch.arange(len(ids))")], "your positions run on over the whole row. Each sentence begins at position 0 again: it must give what it gives alone."),
    "positions-from-1": ([(PLACES, PLACES + " + 1")], "your positions begin at 1. Each sentence begins at position 0."),
    "positions-backwards": ([(PLACES, "torch.cat([torch.arange(len(sequence)).flip(0) for sequence in sequences])")], "your positions count backwards in each sentence."),
    "sentence-numbers": ([(PLACES, "torch.cat([torch.full((len(sequence),), i) for i, sequence in enumerate(sequences)])")], "your positions are the sentences' numbers. They count the places in each sentence, from 0."),
    "positions-zero": ([(PLACES, "torch.zeros_like(ids)")], "all your positions are 0."),
    "positions-of-longest": ([(PLACES, "torch.arange(len(ids)) % max(map(len, sequences))")], "your positions begin anew after as many tokens as the longest sentence has. Each sentence has a length of its own."),
    "positions-of-first": ([(PLACES, "torch.arange(len(ids)) % len(sequences[0])")], "your positions begin anew after as many tokens as the first sentence has. Each sentence has a length of its own."),
    "mask-all": ([(MASK, "torch.ones(len(ids), len(ids), dtype=torch.bool)")], "your mask hides nothing: sentences see each other."),
    "mask-causal": ([(MASK, MASK + ".tril()")], "your mask also hides the future. Here each token sees its whole sentence."),
    "mask-causal-over-all": ([(MASK, "torch.ones(len(ids), len(ids), dtype=torch.bool).tril()")], "your mask is a causal mask of the whole row: sentences see those before them."),
    "mask-by-ids": ([(MASK, "ids[:, None] == ids[None, :]")], "your mask lets tokens see those with the same id. They see those of the same sentence."),
    "mask-by-length": ([(MASK, "(lambda owner: owner[:, None] == owner[None, :])(torch.cat([torch.full((len(sequence),), len(sequence)) for sequence in sequences]))")], "in your mask sentences of the same length see each other."),
    "mask-turned": ([(MASK, "~" + MASK)], "your mask is turned round: True means: may be seen."),
    "mask-without-zeros": ([(MASK, MASK + " & (ids != 0)")], "your mask hides the id 0 as if it were padding. In a packed row there is no padding."),
    "order-p-i-m": ([("return ids, positions, ", "return positions, ids, ")], "ids and positions come back in each other's place."),
    "no-mask": ([(f"return ids, positions, {MASK}", "return ids, positions")], "your function returns two things. Three are asked for: ids, positions, mask."),
    "ids-only": ([(f"return ids, positions, {MASK}", "return ids")], "your function returns the ids alone. Three things are asked for: ids, positions, mask."),
    "nothing": ([(f"return ids, positions, {MASK}", "pass")], "your function ends without giving anything back: is a `return` missing?"),
    "as-float": ([(IDS, IDS.replace("sequence])", "sequence], dtype=torch.float32)"))], "your ids are no integers: an embedding cannot look them up."),
    "sorted": ([(IDS, IDS.replace("for sequence in sequences", "for sequence in sorted(sequences, key=len)"))], "your ids come in another order: the sentences are to stand in the order in which they are given."),
    "longest-first": ([("    ids = ", "    sequences = sorted(sequences, key=len, reverse=True)\n    ids = ")], "your ids come in another order: the sentences are to stand in the order in which they are given."),
    "positions-by-index": ([(PLACES, "torch.tensor([list(sequence).index(token) for sequence in sequences for token in sequence])")], "where a sentence holds an id twice, the second gets the position of the first: `index` finds the first one."),
    "backwards": ([(IDS, IDS.replace("for sequence in sequences", "for sequence in sequences[::-1]"))], "your sentences stand in the reverse order."),
    "first-only": ([(IDS, "torch.tensor(list(sequences[0]))"), (PLACES, "torch.arange(len(ids))"), (MASK, "packed_mask([len(ids)])")], "only the first sentence is packed."),
    "ids-nested": ([(IDS, IDS + "[None]")], "your ids have an axis in front. Their shape is (total,)."),
    "end-lost": ([(IDS, "torch.tensor([token for sequence in sequences for token in sequence if token != 2])")], "the tokens with id 2, the ends of the sentences, are lost."),
    "zeros-lost": ([(IDS, "torch.tensor([token for sequence in sequences for token in sequence if token != 0])")], "the tokens with id 0 are lost. Here 0 is a token like any other: nothing is padded."),
}
for name, (changes, says) in edits.items():
    wrong(name, *changes, says=says)

@wrong("padded", says="your sentences are padded and stand one below the other. Packed, they stand in one row, one behind the other, without padding.")
def padded(sequences):
    longest = max(map(len, sequences))
    ids = torch.tensor([list(sequence) + [0] * (longest - len(sequence)) for sequence in sequences])
    return ids, torch.arange(longest).expand_as(ids), ids != 0

@right
def by_concatenation(sequences):
    ids = torch.cat([torch.tensor(sequence) for sequence in sequences])
    starts = torch.tensor([0] + [len(s) for s in sequences[:-1]]).cumsum(0)
    lengths = torch.tensor([len(s) for s in sequences])
    positions = torch.arange(len(ids)) - torch.repeat_interleave(starts, lengths)
    owner = torch.repeat_interleave(torch.arange(len(sequences)), lengths)
    return ids, positions, owner.unsqueeze(0) == owner.unsqueeze(1)

@right
def by_lists(sequences):
    ids, places, owner = [], [], []
    for number, sequence in enumerate(sequences):
        for place, token in enumerate(sequence):
            ids.append(token)
            places.append(place)
            owner.append(number)
    return [torch.LongTensor(ids), torch.LongTensor(places), torch.BoolTensor([[a == b for a in owner] for b in owner])]

@right
def counting_up(sequences):
    """A token's place is how many of its sentence stand before it: read off the mask."""
    mask = packed_mask(tuple(len(s) for s in sequences))
    return torch.tensor([token for s in sequences for token in s]), mask.tril(-1).sum(dim=1), mask

@truth
def by_nested_tensors(sequences):
    from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence
    rows = [torch.tensor(s) for s in sequences]
    padded_rows, lengths = pad_packed_sequence(pack_sequence(rows, enforce_sorted=False), batch_first=True)
    ids = torch.cat([row[:n] for row, n in zip(padded_rows, lengths)])
    return ids, torch.cat([torch.ones(n).cumsum(0).long() - 1 for n in lengths]), torch.block_diag(*[torch.ones(n, n) for n in lengths]) > 0

# %% exercise="accumulated_step" part="library"
def accumulated_step(
    model: nn.Module, micro_batches: Sequence[tuple[Tensor, Tensor]], optimizer: torch.optim.Optimizer
) -> float:
    """Gradients by PyTorch's functional `grad`, weighted by tokens, averaged with `torch.stack`."""
    weights = [weight for weight in model.train().parameters() if weight.requires_grad]
    counts = torch.tensor([float((target != 0).sum()) for _, target in micro_batches])
    losses, gradients = [], [torch.zeros_like(weight) for weight in weights]
    for (source, target), share in zip(micro_batches, counts / counts.sum(), strict=True):
        loss = label_smoothed_loss(model(source, F.pad(target, (1, -1), value=1)), target)
        losses.append(share * loss.detach())
        found = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
        torch._foreach_add_(gradients, torch._foreach_mul(found, share.item()))
    norm = torch.stack(torch._foreach_norm(gradients)).norm()
    torch._foreach_mul_(gradients, (1.0 / (norm + 1e-6)).clamp(max=1.0))
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient
    optimizer.step()
    return torch.stack(losses).sum().item()


_LATEST: list[nn.Module] = []


def translator_in_turns(
    state: dict[str, Tensor], rows: list[int], left_over: dict[str, Tensor] | None = None, evaluated: bool = False
) -> Any:
    """A small translator, and after the call a look at its weights.

    left_over: gradients that it comes with; evaluated: whether it comes in evaluation mode
    """
    from autograder.formats.fixtures import Watched

    model = SmallTranslator(state)
    model.train(not evaluated)
    for name, gradient in (left_over or {}).items():
        model.get_parameter(name).grad = gradient.clone()
    _LATEST[:] = [model]
    return Watched(model, lambda: {name: weight.detach().clone() for name, weight in model.named_parameters()})


def optimizer_in_turns(kind: str, rate: float, rows: list[int]) -> Any:
    """An optimizer over the model that was made last, and a look at how that model was used.

    rows: how many sentences each micro-batch has
    """
    from autograder.formats.fixtures import Watched

    model = _LATEST[-1]
    weights = list(model.parameters())
    make = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[kind]
    calls: list[int] = []
    backs = [0]
    facts = {"joins the pieces": False, "goes back only at the end": False, "reads a piece twice": False}

    def went_back(gradient: Tensor) -> None:
        backs[0] += 1

    def called(layer: nn.Module, given: tuple[Any, ...], made: Tensor) -> None:
        if made.requires_grad:
            if backs[0] < len(calls):
                facts["goes back only at the end"] = True
            made.register_hook(went_back)
        calls.append(len(given[0]) if given else max(rows))
        facts["joins the pieces"] |= calls[-1] > max(rows)
        facts["reads a piece twice"] = len(calls) > len(rows)

    model.register_forward_hook(called)
    return Watched(make(weights, lr=rate), lambda: facts)

# %% exercise="accumulated_step" part="variants"
SIZE = 8

def in_turns(rng, rows, lengths, d, scale, kind="sgd", rate=0.5, left_over=False, evaluated=False, output_scale=None):
    """Micro-batches of so many rows, their targets so long."""
    def state(size, top=None):
        embeddings = dict(source_weight=floats(rng, SIZE, d, scale=size), target_weight=floats(rng, SIZE, d, scale=size))
        return embeddings | dict(output_weight=floats(rng, d, SIZE, scale=size if top is None else top))
    model = fixture("translator_in_turns", state=state(scale, output_scale), rows=rows, left_over=state(0.5) if left_over else None, evaluated=evaluated)
    pieces = [(ended_ids(rng, n, length + 1, SIZE), ended_ids(rng, n, length, SIZE)) for n, length in zip(rows, lengths)]
    return dict(model=model, micro_batches=pieces, optimizer=fixture("optimizer_in_turns", kind=kind, rate=rate, rows=rows))

@cases()
def unequal(rng):
    """three micro-batches of 1, 4 and 2 pairs, of 3, 7 and 5 tokens, gradients of a norm below 1"""
    return in_turns(rng, [1, 4, 2], [3, 7, 5], 4, 0.25)

@cases(dict(first=2, second=5, d=3), low=2, high=6)
def two(rng, first, second, d):
    """micro-batches of {first} and {second} pairs, of 4 and 6 tokens, gradients of a norm below 1"""
    return in_turns(rng, [first, second], [4, 6], d + 2, 0.2)

@cases()
def steep(rng):
    """two micro-batches of 3 and 1 pairs, gradients of a norm above 1"""
    return in_turns(rng, [3, 1], [6, 4], 5, 0.3, output_scale=5.0)

@cases()
def left_over(rng):
    """two micro-batches, a model that comes with gradients left over from an earlier step"""
    return in_turns(rng, [2, 3], [5, 3], 4, 0.2, left_over=True)

@cases()
def evaluated(rng):
    """two micro-batches, a model that comes in evaluation mode"""
    return in_turns(rng, [1, 3], [4, 6], 5, 0.4, evaluated=True)

@cases()
def with_adam(rng):
    """three micro-batches, Adam as the optimizer"""
    return in_turns(rng, [2, 1, 3], [4, 3, 6], 4, 0.5, kind="adam", rate=0.03)

@cases()
def one_piece(rng):
    """one micro-batch of 4 pairs"""
    return in_turns(rng, [4], [5], 4, 0.3)

SHARE, LOSS, BACK = "int((target != 0).sum()) / all_tokens", "label_smoothed_loss(model(source, shift_right(target)), target) * share", "        loss.backward()  # adds to the gradients, and frees what the forward pass has kept\n"
CLEAR, CLIP, STEP, ADD = "    optimizer.zero_grad()\n", "    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)\n", "    optimizer.step()\n", "        total += loss.item()\n"
BY_TOKENS = "In one large batch each real token counts alike, so a piece counts by its share of all real tokens."
edits = {
    "not-weighted": ([(SHARE, "1.0")], f"the pieces' losses are added up as they are: with three pieces your gradients are about three times too large. {BY_TOKENS}"),
    "mean-of-means": ([(SHARE, "1 / len(micro_batches)")], f"every piece counts the same, however many tokens it has: yours is a mean of means. {BY_TOKENS}"),
    "by-sentences": ([(SHARE, "len(target) / sum(len(t) for _, t in micro_batches)")], f"a piece counts by its number of sentences. {BY_TOKENS}"),
    "by-places": ([(SHARE, "target.numel() / sum(t.numel() for _, t in micro_batches)")], f"padding counts in the weight of a piece. {BY_TOKENS}"),
    "by-source-tokens": ([(SHARE, "int((source != 0).sum()) / sum(int((s != 0).sum()) for s, _ in micro_batches)")], "a piece counts by the tokens of its sources. The loss is a mean over the tokens of the targets."),
    "by-length": ([(SHARE, "target.shape[1] / sum(t.shape[1] for _, t in micro_batches)")], f"a piece counts by the length of its sentences. {BY_TOKENS}"),
    "by-tokens-only": ([(SHARE, "int((target != 0).sum())")], "each piece's loss is multiplied by its tokens and never divided by all tokens: your gradients are those of a sum."),
    "divided-by-tokens": ([(SHARE, "1 / all_tokens")], "each piece's mean is divided by the number of all tokens. It is its own tokens' share of them that counts."),
    "cleared-each-time": ([(CLEAR, ""), (BACK, "        optimizer.zero_grad()\n" + BACK)], "the gradients are cleared before each piece, so only the last one counts. Clear them once, before the loop."),
    "not-cleared": ([(CLEAR, "")], "gradients left over from an earlier step are added to the new ones: clear them before the first piece."),
    "cleared-too-late": ([(CLEAR, ""), (CLIP, CLEAR + CLIP)], "the weights are what they were before the call. Does the optimizer take its step, and are the gradients still there then (not cleared after the loop)?"),
    "clip-each": ([(CLIP, ""), (BACK, BACK + "        nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)\n")], "you clip after each piece. It is the sum of all pieces' gradients that is clipped, once, before the step."),
    "no-clip": ([(CLIP, "")], "your gradients are not clipped when the optimizer uses them."),
    "clip-after": ([(CLIP, ""), (STEP, STEP + CLIP)], "your gradients are not clipped when the optimizer uses them."),
    "clip-value": ([("nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)", "nn.utils.clip_grad_value_(model.parameters(), 1.0)")], "each gradient is clipped by itself. The norm of all together is asked for."),
    "step-each": ([(STEP, ""), (ADD, ADD + "        optimizer.step()\n"), (CLIP, "")], "the optimizer takes a step after each piece. It takes one, after all of them."),
    "step-each-cleared": ([(CLEAR, ""), (STEP, ""), (CLIP, ""), (SHARE, "1.0"), (BACK, "        optimizer.zero_grad()\n" + BACK), (ADD, ADD + "        nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)\n        optimizer.step()\n")], "every piece gets a step of its own. There is one step, for all of them."),
    "no-step": ([(STEP, "")], "the weights are what they were before the call. Does the optimizer take its step, and are the gradients still there then (not cleared after the loop)?"),
    "no-backward": ([(BACK, "")], "no gradients are computed: `backward` is missing."),
    "no-train": ([("    model.train()\n", "")], "the model stays in evaluation mode: dropout is off."),
    "not-shifted": ([("shift_right(target)", "target")], "the decoder reads the very tokens that it is to say: `shift_right` is missing."),
    "labels-shifted": ([(LOSS, "label_smoothed_loss(model(source, shift_right(target)), shift_right(target)) * share")], "your loss compares with the shifted target. The decoder reads it shifted; the loss wants it as it is."),
    "not-smoothed": ([(LOSS, "label_smoothed_loss(model(source, shift_right(target)), target, smoothing=0.0) * share")], "your loss is not smoothed. Unit 10's `label_smoothed_loss` is asked for, with its default."),
    "padding-counted": ([(LOSS, "label_smoothed_loss(model(source, shift_right(target)), target, pad_id=-1) * share")], "padding counts in your loss."),
    "swapped": ([("for source, target in micro_batches:", "for target, source in micro_batches:")], "source and target have changed places: a pair is (source, target)."),
    "last-loss": ([(ADD, "        total = loss.item()\n")], "you return the last piece's part of the loss. Add all of them up."),
    "sum-of-losses": ([(ADD, "        total += loss.item() / share\n")], "you return the sum of the pieces' losses. The loss of all together is their mean, weighted by tokens."),
    "mean-of-losses": ([(ADD, "        total += loss.item() / share / len(micro_batches)\n")], "the step is right, but you return the mean of the pieces' losses, each counted alike. Weight them as their gradients."),
    "loss-over-pieces": ([("    return total", "    return total / len(micro_batches)")], "your loss is divided by the number of pieces once too often."),
    "last-only": ([("for source, target in micro_batches:", "for source, target in micro_batches[-1:]:")], "only the last piece is used."),
    "first-only": ([("for source, target in micro_batches:", "for source, target in micro_batches[:1]:")], "only the first piece is used."),
    "returns-nothing": ([("    return total", "    pass")], "your function ends without giving anything back: the loss is asked for."),
    "returns-list": ([("    total = 0.0\n", "    total = []\n"), (ADD, "        total.append(loss.item())\n")], "you return a list of losses. One number is asked for, the loss of all together."),
    "gradients-averaged": ([(SHARE, "1.0"), (CLIP, "    for weight in model.parameters():\n        weight.grad /= len(micro_batches)\n" + CLIP), (ADD, "        total += loss.item() / len(micro_batches)\n")], f"every piece counts the same, however many tokens it has: yours is a mean of means. {BY_TOKENS}"),
    "right-loss-wrong-step": ([(BACK, "        (loss / share / len(micro_batches)).backward()\n")], f"your loss is right, but in your gradients every piece counts the same, however many tokens it has. {BY_TOKENS}"),
    "unweighted-step": ([(BACK, "        (loss / share).backward()\n")], f"your loss is right, but your gradients add up the pieces' as they are, not weighted by tokens. {BY_TOKENS}"),
    "works_in_turns": ([("    total = 0.0\n", "    total = torch.zeros(())\n"), (BACK, ""), (ADD, "        total = total + loss\n"), (CLIP, "    total.backward()\n" + CLIP), ("    return total", "    return total.item()")], "when the next micro-batch goes through the model, the gradients of the one before it have not been computed yet. Then what all forward passes have kept is in memory at once: go back after each."),
}
for name, (changes, says) in edits.items():
    wrong(name, *changes, says=says)
for one, two in (("mean-of-means", "not-cleared"), ("not-weighted", "not-cleared"), ("mean-of-means", "no-clip"), ("mean-of-means", "no-train"), ("by-sentences", "not-cleared"), ("not-weighted", "last-loss"), ("mean-of-means", "last-loss")):
    wrong(f"{one}+{two}", *edits[one][0], *edits[two][0], says=two_things(edits[one][1], edits[two][1]))

@right
def sums_then_scaled(model, micro_batches, optimizer):
    """Gradients of sums, divided at the end by the number of tokens."""
    for p in model.train().parameters():
        p.grad = None
    tokens, total = 0, 0.0
    for source, target in micro_batches:
        count = int(target.ne(0).sum())
        loss = count * label_smoothed_loss(model(source, shift_right(target)), target)
        loss.backward()
        tokens, total = tokens + count, total + float(loss.detach())
    for p in model.parameters():
        p.grad.div_(tokens)
    torch.nn.utils.clip_grad_norm_(list(model.parameters()), 1)
    optimizer.step()
    return total / tokens

@right
def by_autograd_grad(model, micro_batches, optimizer):
    weights = list(model.train(True).parameters())
    counts = [(target != 0).sum() for _, target in micro_batches]
    sums, loss = [0] * len(weights), 0
    for (source, target), count in zip(micro_batches, counts):
        one = label_smoothed_loss(model(source, shift_right(target)), target) * count / sum(counts)
        sums = [a + g for a, g in zip(sums, torch.autograd.grad(one, weights))]
        loss += one.detach()
    norm = torch.sqrt(sum((g**2).sum() for g in sums))
    for w, g in zip(weights, sums):
        w.grad = g / max(1.0, float(norm))
    optimizer.step()
    return loss.item()

@right
def cleared_at_first_piece(model, micro_batches, optimizer):
    n = [float(t.bool().sum()) for _, t in micro_batches]
    losses = []
    model.train()
    for i, (source, target) in enumerate(micro_batches):
        if i == 0:
            model.zero_grad()
        loss = label_smoothed_loss(model(source, shift_right(target)), target)
        (loss * n[i] / sum(n)).backward()
        losses.append(loss.item())
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return sum(a * b for a, b in zip(n, losses)) / sum(n)

@truth
def sentence_by_sentence(model, micro_batches, optimizer):
    """Each sentence alone, without its padding, in a large sum; in float64 from the logits on."""
    model.train()
    all_tokens = sum(int((target != 0).sum()) for _, target in micro_batches)
    weights, total = list(model.parameters()), 0.0
    sums = [torch.zeros_like(w, dtype=torch.float64) for w in weights]
    for source, target in micro_batches:
        read = F.pad(target, (1, -1), value=1)
        log = model(source, read).double().log_softmax(-1)
        V, real = log.shape[-1], target != 0
        right = log.gather(-1, target[..., None])[..., 0]
        others = log[..., 1:].sum(-1) - right
        loss = -((0.9 * right + 0.1 / (V - 2) * others) * real).sum() / all_tokens
        total += float(loss)
        for s, g in zip(sums, torch.autograd.grad(loss, weights)):
            s += g.double()
    size = sum(float((s**2).sum()) for s in sums) ** 0.5
    for w, s in zip(weights, sums):
        w.grad = (s / max(1.0, size)).float()
    optimizer.step()
    return total

# %% exercise="shard" part="library"
def shard(batch: Tensor, rank: int, world_size: int) -> Tensor:
    """By PyTorch's `index_select`."""
    places = torch.arange(len(batch), device=batch.device)
    return batch.index_select(0, places[places % world_size == rank])

# %% exercise="shard" part="variants"
without("one: batch", "one: world", because="there are no more processes than rows, and rank 1 is the second of them")

@cases(dict(batch=8, width=3, world=4), dict(batch=7, width=2, world=3), hidden=[dict(batch=10, width=4, world=3), dict(batch=9, width=5, world=4)])
def second(rng, batch, width, world):
    """a batch of {batch} rows of {width}, {world} processes, rank 1"""
    return dict(batch=floats(rng, batch, width), rank=1, world_size=world)

@cases(dict(batch=7, world=3), hidden=[dict(batch=8, world=5)])
def first(rng, batch, world):
    """ids of {batch} sentences of 4 tokens, {world} processes, rank 0"""
    return dict(batch=torch.from_numpy(rng.integers(3, 99, size=(batch, 4))), rank=0, world_size=world)

@cases(dict(batch=9, world=4), hidden=[dict(batch=11, world=4)])
def last(rng, batch, world):
    """{batch} numbers, {world} processes, the last rank"""
    return dict(batch=floats(rng, batch), rank=world - 1, world_size=world)

@cases()
def alone(rng):
    """5 rows of 2, one process"""
    return dict(batch=floats(rng, 5, 2), rank=0, world_size=1)

@cases()
def three_axes(rng):
    """a batch of (6, 5, 7), two processes, rank 1"""
    return dict(batch=floats(rng, 6, 5, 7), rank=1, world_size=2)

ROWS = "batch[rank::world_size]"
DEALT = "Rows are dealt out like cards: process r gets the rows r, r + world_size, r + 2 · world_size, …"
edits = {
    "chunks": ([(ROWS, "batch.tensor_split(world_size)[rank]")], f"your rows lie next to each other. {DEALT}"),
    "chunks-rounded-up": ([(ROWS, "batch[rank * -(-len(batch) // world_size) : (rank + 1) * -(-len(batch) // world_size)]")], f"your rows lie next to each other, and the last processes may get fewer or none. {DEALT}"),
    "chunks-rest-lost": ([(ROWS, "batch[rank * (len(batch) // world_size) : (rank + 1) * (len(batch) // world_size)]")], f"your rows lie next to each other, and those that are left over belong to nobody. {DEALT}"),
    "rest-lost": ([(ROWS, "batch[: len(batch) // world_size * world_size][rank::world_size]")], "rows that are left over belong to nobody: with 7 rows and 3 processes the last is lost. Every row goes to one process."),
    "swapped": ([(ROWS, "batch[world_size::rank + 1]")], f"`rank` and `world_size` have changed places. {DEALT}"),
    "ranks-from-1": ([(ROWS, "batch[max(0, rank - 1)::world_size]")], "your ranks count from 1. They count from 0: process 0 has row 0."),
    "one-further": ([(ROWS, "batch[(rank + 1) % world_size::world_size]")], "you take the rows of the next process. Process r begins at row r."),
    "second-axis": ([(ROWS, "batch[..., rank::world_size]")], "you deal out the last axis. It is the rows, axis 0, that are dealt out."),
    "axis-1": ([(ROWS, "batch[:, rank::world_size] if batch.ndim > 1 else batch[rank::world_size]")], "you deal out axis 1. It is the rows, axis 0, that are dealt out."),
    "whole": ([(ROWS, "batch")], "every process gets the whole batch."),
    "one-row": ([(ROWS, "batch[rank]")], "you take a single row, the one with the number of the process."),
    "one-row-kept": ([(ROWS, "batch[rank : rank + 1]")], "you take a single row, the one with the number of the process."),
    "step-only": ([(ROWS, "batch[::world_size]")], "every process gets the rows of process 0: `rank` is not used."),
    "from-rank-on": ([(ROWS, "batch[rank:]")], "you take all rows from number `rank` on: `world_size` is not used."),
    "all-pieces": ([(ROWS, "[batch[r::world_size] for r in range(world_size)]")], "you return the pieces of all processes. Return the one of this `rank`."),
    "backwards": ([(ROWS, "batch[rank::world_size].flip(0)")], "your rows come in the reverse order."),
    "nothing": ([("return " + ROWS, ROWS)], "your function ends without giving anything back: is a `return` missing?"),
    "scaled": ([(ROWS, "batch[rank::world_size] / world_size")], "your rows are divided by the number of processes. They stay as they are."),
    "numbers": ([(ROWS, "torch.arange(rank, len(batch), world_size)")], "you return the rows' numbers. Return the rows."),
}
for name, (changes, says) in edits.items():
    wrong(name, *changes, says=says)

@right
def by_a_loop(batch, rank, world_size):
    return torch.stack([batch[i] for i in range(len(batch)) if i % world_size == rank])

@right
def by_a_mask(batch, rank, world_size):
    return batch[torch.arange(batch.shape[0], device=batch.device).remainder(world_size) == rank]

@right
def by_places(batch, rank, world_size):
    return torch.index_select(batch, 0, torch.arange(rank, batch.size(0), world_size, device=batch.device))

@truth
def like_pytorchs_sampler(batch, rank, world_size):
    """torch.utils.data.DistributedSampler, which fills up: what it has filled in is cut off."""
    from torch.utils.data import DistributedSampler
    count = len(range(rank, len(batch), world_size))
    return batch[list(DistributedSampler(batch, world_size, rank, shuffle=False))[:count]]

@truth
def dealt_like_cards(batch, rank, world_size):
    hands = [[] for _ in range(world_size)]
    for i, row in enumerate(batch):
        hands[i % world_size].append(row)
    return torch.stack(hands[rank])

# %% exercise="average_gradients" part="library"
def average_gradients(model: nn.Module, all_reduce: Callable[[Tensor], None], world_size: int) -> None:
    """All gradients in one long vector, reduced at once, by PyTorch's helpers."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
    long = nn.utils.parameters_to_vector(gradients)
    all_reduce(long)
    for weight, piece in zip(weights, long.div(world_size).split([weight.numel() for weight in weights]), strict=True):
        weight.grad = piece.view_as(weight)


def several_processes(gradients: list[dict[str, Any]], frozen: list[str]) -> Any:
    """`average_gradients` in several processes, played one after the other: the gradients that each has afterwards.

    gradients: for each process those that its weights come with, None for none; frozen: weights that are not trained
    A sum needs what all hand in. So all run again and again: each time one call more gets its sum.
    """
    from autograder.formats.fixtures import Driver

    def process(rank: int) -> nn.Module:
        model = nn.Module()
        for name, gradient in gradients[rank].items():
            like = next(one[name] for one in gradients if one[name] is not None)
            weight = nn.Parameter(torch.ones_like(like), requires_grad=name not in frozen)
            weight.grad = None if gradient is None else gradient.clone()
            model.register_parameter(name, weight)
        return model

    def run(average: Any, rank: int, sums: list[Tensor]) -> tuple[nn.Module, list[Tensor]]:
        """One process, whose first calls get these sums. Also what it hands in, call by call."""
        model = process(rank)
        handed: list[Tensor] = []

        def all_reduce(tensor: Tensor) -> None:
            if not isinstance(tensor, Tensor):
                raise TypeError(f"all_reduce takes a tensor, and got {tensor!r}")
            place = len(handed)
            handed.append(tensor.detach().clone())
            if place < len(sums):
                with torch.no_grad():
                    tensor.copy_(sums[place])

        average(model, all_reduce, len(gradients))
        return model, handed

    def drive(average: Any) -> dict[str, Any]:
        sums: list[Tensor] = []
        while True:  # each round one more sum is known
            ran = [run(average, rank, sums) for rank in range(len(gradients))]
            shapes = {tuple(tuple(tensor.shape) for tensor in handed) for _, handed in ran}
            calls = len(ran[0][1])
            if len(shapes) > 1 or len(sums) == calls or calls > 100:
                break
            sums.append(torch.stack([handed[len(sums)] for _, handed in ran]).sum(dim=0))
        told: dict[str, Any] = {"all processes call `all_reduce` alike": len(shapes) == 1}
        for rank, (model, _) in enumerate(ran if len(shapes) == 1 else []):
            told[f"process {rank}: weights as they were"] = all(bool((weight == 1).all()) for weight in model.parameters())
            for name, weight in model.named_parameters():
                if name not in frozen:
                    told[f"process {rank}: gradient of {name}"] = torch.zeros_like(weight) if weight.grad is None else weight.grad
        return told

    return Driver(drive)

# %% exercise="average_gradients" part="variants"
def processes(rng, shapes, count, missing=(), frozen=()):
    """`missing`: (process, weight) that come without a gradient."""
    gradients = [{name: None if (rank, name) in missing else floats(rng, *shape) for name, shape in shapes.items()} for rank in range(count)]
    return dict(model=fixture("several_processes", gradients=gradients, frozen=list(frozen)))

@cases(dict(count=2, a=3, b=4), dict(count=3, a=2, b=5), low=2, high=6, hidden=[dict(count=4, a=3, b=2), dict(count=2, a=5, b=3)])
def drawn(rng, count, a, b):
    """{count} processes, weights of ({a}, {b}), ({b},) and ({b}, {a})"""
    return processes(rng, dict(first=(a, b), second=(b,), third=(b, a)), count)

@cases()
def one_without(rng):
    """two processes; in one of them the second weight has no gradient"""
    return processes(rng, dict(first=(2, 3), second=(4,), third=(3, 5)), 2, missing=[(0, "second")])

@cases()
def others_without(rng):
    """three processes; weights without a gradient in some of them"""
    return processes(rng, dict(first=(3,), second=(2, 4), third=(5,)), 3, missing=[(1, "first"), (2, "third"), (0, "third")])

@cases()
def some_frozen(rng):
    """two processes; the second weight is not trained"""
    return processes(rng, dict(first=(2, 2), second=(3,), third=(4, 2)), 2, frozen=["second"])

@cases()
def alone(rng):
    """a single process"""
    return processes(rng, dict(first=(3, 2), second=(4,)), 1)

REDUCE, DIVIDE = "        all_reduce(weight.grad)\n", "        weight.grad /= world_size\n"
ZEROS = "        if weight.grad is None:\n            weight.grad = torch.zeros_like(weight)  # another process may have one: all must call alike\n"
edits = {
    "summed": ([(DIVIDE, "")], "your gradients are the sums over all processes; the mean is asked for. Is the division by `world_size` there, once, and `all_reduce` called once for each weight?"),
    "halved": ([(DIVIDE, "        weight.grad /= 2\n")], "your sums are divided by 2, however many processes there are. Divide by `world_size`."),
    "divided-twice": ([(REDUCE, "        weight.grad /= world_size\n" + REDUCE)], "your gradients are divided by `world_size` twice, before and after the sum."),
    "root": ([(DIVIDE, "        weight.grad /= world_size**0.5\n")], "your sums are divided by the root of `world_size`. A mean divides by the number itself."),
    "multiplied": ([(DIVIDE, "        weight.grad *= world_size\n")], "your sums are multiplied by `world_size`. Divide."),
    "not-reduced": ([(REDUCE, "")], "each process keeps its own gradients, only smaller: no sum over the processes arrives in `.grad`. Is `all_reduce` called, and on `weight.grad` itself, not on a copy?"),
    "nothing-done": ([(REDUCE, ""), (DIVIDE, "")], "the gradients are what they were: what was summed or averaged has not been put back into `.grad`, or nothing was."),
    "skips-missing": ([(ZEROS, "        if weight.grad is None:\n            continue\n")], "a process in which a weight has no gradient makes a call of `all_reduce` less than the others: their calls no longer belong together, and a real run waits for ever. Such a weight takes part with zeros."),
    "none-reduced": ([(ZEROS, "")], "a gradient that is None goes into `all_reduce`: a process need not have one for each weight. It takes part with zeros."),
    "copy-reduced": ([(REDUCE, "        all_reduce(weight.grad.clone())\n")], "each process keeps its own gradients, only smaller: no sum over the processes arrives in `.grad`. Is `all_reduce` called, and on `weight.grad` itself, not on a copy?"),
    "result-lost": ([(REDUCE, "        mean = weight.grad / world_size\n        all_reduce(mean)\n"), (DIVIDE, "")], "the gradients are what they were: what was summed or averaged has not been put back into `.grad`, or nothing was."),
    "first-only": ([(DIVIDE, DIVIDE + "        break\n")], "only the first weight's gradient is averaged."),
    "weights-averaged": ([(REDUCE, "        all_reduce(weight.data)\n")], "it is the weights that are summed over the processes, not their gradients."),
    "result-assigned": ([(REDUCE, "        weight.grad = all_reduce(weight.grad)\n"), (DIVIDE, "        if weight.grad is not None:\n            weight.grad /= world_size\n")], "you use what `all_reduce` returns, which is None: it works in place. The gradients are lost."),
    "absolute": ([(DIVIDE, "        weight.grad = weight.grad.abs() / world_size\n")], "your gradients have lost their signs."),
    "world-minus-one": ([(DIVIDE, "        weight.grad /= max(1, world_size - 1)\n")], "your sums are divided by one less than the number of processes."),
    "squeezed-to-number": ([(DIVIDE, "        weight.grad = torch.full_like(weight.grad, weight.grad.mean().item() / world_size)\n")], "each weight's gradient has become one number everywhere, the mean of its entries. The mean runs over the processes, entry by entry."),
    "missing-not-made": ([(ZEROS, "        if weight.grad is None:\n            all_reduce(torch.zeros_like(weight))\n            continue\n")], "a process in which a weight has no gradient takes part with zeros and does not keep the result: its weights then part from the others'. It needs the mean as well."),
    "missing-as-ones": ([("torch.zeros_like(weight)  # another", "torch.ones_like(weight)  # another")], "a missing gradient takes part as ones. It takes part as zeros."),
    "twice-reduced": ([(REDUCE, REDUCE + REDUCE)], "your gradients are the sums over all processes; the mean is asked for. Is the division by `world_size` there, once, and `all_reduce` called once for each weight?"),
    "step-taken": ([(DIVIDE, DIVIDE + "        weight.grad *= 0.1\n")], "your means are scaled down. Averaging is all; the optimizer takes its step afterwards."),
    "by-those-present": ([(ZEROS, "        there = torch.tensor(0.0 if weight.grad is None else 1.0)\n        all_reduce(there)\n" + ZEROS), (DIVIDE, "        weight.grad /= there.clamp(min=1)\n")], "where a process has no gradient, your mean runs over the others only. It runs over all processes: what is missing counts as zeros."),
}
for name, (changes, says) in edits.items():
    wrong(name, *changes, says=says)
for one, two in (("summed", "skips-missing"), ("summed", "missing-not-made"), ("summed", "first-only")):
    wrong(f"{one}+{two}", *(edits[one][0] if two != "first-only" else []), *(edits[two][0] if two != "first-only" else [(DIVIDE, "        break\n")]), says=two_things(edits[one][1], edits[two][1]))

@right
def scaled_before(model, all_reduce, world_size):
    with torch.no_grad():
        for weight in model.parameters():
            mean = torch.zeros_like(weight) if weight.grad is None else weight.grad / world_size
            all_reduce(mean)
            weight.grad = mean if weight.requires_grad else None

@right
def one_long_vector(model, all_reduce, world_size):
    trained = [p for p in model.parameters() if p.requires_grad]
    flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in trained])
    all_reduce(flat)
    flat /= world_size
    at = 0
    for p in trained:
        p.grad = flat[at : at + p.numel()].view(p.shape).clone()
        at += p.numel()

@right
def backwards(model, all_reduce, world_size):
    """From the last layer to the first, as the gradients come."""
    for _, p in reversed(list(model.named_parameters())):
        if p.requires_grad:
            p.grad = p.grad if p.grad is not None else p.new_zeros(p.shape)
            all_reduce(p.grad)
            p.grad.div_(world_size)

@truth
def told_by_their_sums(model, all_reduce, world_size):
    """In float64, entry by entry."""
    for p in model.parameters():
        if p.requires_grad:
            entries = [0.0] * p.numel() if p.grad is None else p.grad.flatten().tolist()
            one = torch.tensor(entries, dtype=torch.float64)
            all_reduce(one)
            p.grad = (one / world_size).float().view_as(p)
