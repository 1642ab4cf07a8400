# %% before
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder import use_part

shift_right, label_smoothed_loss = use_part("shift_right"), use_part("label_smoothed_loss")
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

# %% attention_flops wrong [half] · multiplications only
def attention_flops(batch, num_heads, seq, d_head):
    return 2 * batch * num_heads * seq**2 * d_head

# %% attention_flops wrong [half] · one product
def attention_flops(batch, num_heads, seq, d_head):
    total = 0
    for _ in range(batch * num_heads):
        total += seq * seq * 2 * d_head
    return total

# %% attention_flops wrong [heads-squared] · heads counted in d_model again
def attention_flops(batch, num_heads, seq, d_head):
    d_model = d_head * num_heads
    return 4 * batch * num_heads * seq * seq * d_model

# %% attention_flops wrong [no-heads] · one head
def attention_flops(batch, num_heads, seq, d_head):
    scores = 2 * d_head * seq * seq
    output = 2 * seq * d_head * seq
    return batch * (scores + output)

# %% attention_flops wrong [with-softmax-3] · the softmax as well
def attention_flops(batch, num_heads, seq, d_head):
    products = 2 * (2 * d_head) * seq * seq
    softmax = 3 * seq * seq
    return (products + softmax) * batch * num_heads

# %% attention_flops wrong [linear] · seq once
def attention_flops(batch, num_heads, seq, d_head):
    per_token = 4 * d_head
    return per_token * seq * num_heads * batch

# %% attention_flops wrong [one-less] · one addition less
def attention_flops(batch, num_heads, seq, d_head):
    per_score = d_head + (d_head - 1)
    per_output = seq + (seq - 1)
    return batch * num_heads * (seq * seq * per_score + seq * d_head * per_output)

# %% attention_flops wrong [causal] · the lower triangle
def attention_flops(batch, num_heads, seq, d_head):
    pairs = sum(i + 1 for i in range(seq))
    return 4 * pairs * d_head * batch * num_heads

# %% attention_flops right · counted pair by pair
def attention_flops(batch, num_heads, seq, d_head):
    flops = 0
    for _query in range(seq):
        for _key in range(seq):
            flops += 2 * d_head
            flops += 2 * d_head
    return flops * batch * num_heads

# %% attention_flops right · shapes multiplied
def attention_flops(batch, num_heads, seq, d_head):
    return 2 * math.prod((batch, num_heads, seq, seq, d_head)) + 2 * math.prod((batch, num_heads, seq, d_head, seq))

# %% attention_flops right · as an integer tensor
def attention_flops(batch, num_heads, seq, d_head):
    return (torch.tensor([seq, seq, d_head, 4]).prod() * batch * num_heads).item()

# %% attention_bytes wrong [two-tables] · the tables once each
def attention_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    small = batch * num_heads * seq * d_head
    big = batch * num_heads * seq * seq
    numbers = 4 * small if tiled else 4 * small + 2 * big
    return numbers * bytes_per_number

# %% attention_bytes wrong [three-tables] · the weights are never read
def attention_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    vector, table = seq * d_head, seq * seq
    scores = 2 * vector + table
    softmax = table + table
    output = vector + vector
    if tiled:
        return 4 * vector * batch * num_heads * bytes_per_number
    return (scores + softmax + output) * batch * num_heads * bytes_per_number

# %% attention_bytes wrong [always-two] · two bytes always
def attention_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    n = batch * num_heads
    return 2 * n * (4 * seq * d_head + (0 if tiled else 4 * seq * seq))

# %% attention_bytes wrong [four-bytes-if-not-given] · four bytes if nothing is given
def attention_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    n = batch * num_heads
    return (4 if bytes_per_number == 2 else bytes_per_number) * n * 4 * (seq * d_head + (not tiled) * seq * seq)

# %% attention_bytes wrong [tiled-no-output] · tiled writes nothing
def attention_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    v = batch * num_heads * seq * d_head * bytes_per_number
    t = batch * num_heads * seq * seq * bytes_per_number
    return 3 * v if tiled else 4 * v + 4 * t

# %% attention_bytes wrong [inverted] · tiled and explicit the other way round
def attention_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    v, t = seq * d_head, seq * seq
    return batch * num_heads * bytes_per_number * (4 * v + 4 * t if tiled else 4 * v)

# %% attention_bytes wrong [always-tables] · tiled is ignored
def attention_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    reads = 2 * seq * d_head + seq * seq + seq * seq + seq * d_head
    writes = seq * seq + seq * seq + seq * d_head
    return (reads + writes) * bytes_per_number * batch * num_heads

# %% attention_bytes wrong [no-bytes] · numbers, not bytes
def attention_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    moved = 4 * seq * (d_head if tiled else d_head + seq)
    return batch * moved * num_heads

# %% attention_bytes wrong [tables-shared] · heads forgotten in the tables
def attention_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    vectors = 4 * batch * num_heads * seq * d_head
    tables = 0 if tiled else 4 * batch * seq * seq
    return (vectors + tables) * bytes_per_number

# %% attention_bytes wrong [bits] · bits
def attention_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    return 8 * bytes_per_number * batch * num_heads * 4 * seq * (d_head + (0 if tiled else seq))

# %% attention_bytes right · row by row of the table
def attention_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    shape = {"q": d_head, "k": d_head, "v": d_head, "o": d_head, "s": seq, "w": seq}
    moves = "qkvo" if tiled else "qks" + "sw" + "wvo"
    return sum(batch * num_heads * seq * shape[name] * bytes_per_number for name in moves)

# %% attention_bytes right · two functions
def attention_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    def numbers(columns):
        return batch * num_heads * seq * columns

    if tiled:
        return bytes_per_number * sum(map(numbers, [d_head] * 4))
    return bytes_per_number * (numbers(2 * d_head + seq) + numbers(2 * seq) + numbers(seq + 2 * d_head))

# %% attention_bytes right · through a factor
def attention_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    return 4 * batch * num_heads * seq * (d_head + seq * (1 - int(tiled))) * bytes_per_number

# %% online_softmax_sum wrong [denominator-not-rescaled] · the weight is not corrected
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = max(peak, part.max())
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return mixed / weight

# %% online_softmax_sum wrong [total-not-rescaled] · the mixture is not corrected
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = max(peak, part.max())
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return mixed / weight

# %% online_softmax_sum wrong [rescale-inverted] · corrects with the new peak only
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = max(peak, part.max())
        if not torch.isinf(top):
            old = torch.exp(top - peak) if peak > -math.inf else torch.tensor(0.0)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return mixed / weight

# %% online_softmax_sum wrong [last-block-max] · the peak of the block alone
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = part.max()
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return mixed / weight

# %% online_softmax_sum wrong [max-not-kept] · never remembers the peak
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = max(peak, part.max())
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
        start = stop
    if weight == 0:
        return mixed
    return mixed / weight

# %% online_softmax_sum wrong [drops-tail] · the last short block is left out
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start + block_size <= n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = max(peak, part.max())
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return mixed / weight

# %% online_softmax_sum wrong [no-max] · no shift at all
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = torch.tensor(0.0)
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return mixed / weight

# %% online_softmax_sum wrong [all-hidden] · all hidden gives nan
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = max(peak, part.max())
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop
    return mixed / weight

# %% online_softmax_sum wrong [hidden-first-block] · hidden blocks at the front give nan
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = max(peak, part.max())
        if True:
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return mixed / weight

# %% online_softmax_sum wrong [no-division] · forgets to divide
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = max(peak, part.max())
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return mixed

# %% online_softmax_sum wrong · each block by its own softmax, averaged
def online_softmax_sum(scores, values, block_size):
    parts, count = 0, 0
    for s, v in zip(scores.split(block_size), values.split(block_size)):
        if s.max() == -math.inf:
            continue
        e = (s - s.max()).exp()
        parts = parts + (e / e.sum()) @ v
        count += 1
    return parts / count if count else torch.zeros(values.shape[1])

# %% online_softmax_sum wrong [two-passes] · the whole peak is looked up first
def online_softmax_sum(scores, values, block_size):
    top = scores.max()
    if top == -math.inf:
        return torch.zeros(values.shape[1])
    weight, mixed = 0.0, 0.0
    for s, v in zip(scores.split(block_size), values.split(block_size)):
        e = (s - top).exp()
        weight, mixed = weight + e.sum(), mixed + e @ v
    return mixed / weight

# %% online_softmax_sum wrong [all-at-once] · all exponentials at once
def online_softmax_sum(scores, values, block_size):
    if scores.max() == -math.inf:
        return values.new_zeros(values.shape[1])
    e = torch.exp(scores - scores.max())
    return (e[:, None] * values).sum(0) / e.sum()

# %% online_softmax_sum wrong [starts-at-zero] · zeros start the peak
def online_softmax_sum(scores, values, block_size):
    peak = torch.zeros(())
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = max(peak, part.max())
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return mixed / weight

# %% online_softmax_sum wrong [divided-by-count] · divides by the number of scores
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = max(peak, part.max())
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return mixed / n

# %% online_softmax_sum wrong · clamped powers
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = torch.zeros(())
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part.clamp(-80, 80))
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return mixed / weight

# %% online_softmax_sum wrong [changes-scores] · shifts the argument in place
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = max(peak, part.max())
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = part.sub_(top).exp()
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return mixed / weight

# %% online_softmax_sum wrong · blocks that overlap
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = max(peak, part.max())
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop if block_size == 1 else max(stop - 1, start + 1) if stop < n else stop
    if weight == 0:
        return mixed
    return mixed / weight

# %% online_softmax_sum wrong · weights come back too
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = max(peak, part.max())
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return mixed / weight, weight

# %% online_softmax_sum wrong [features-summed] · one number
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = max(peak, part.max())
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum()
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return mixed / weight

# %% online_softmax_sum right · a while loop
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"))
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop]
        top = max(peak, part.max())
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed * old + (e[:, None] * values[start:stop]).sum(0)
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return mixed / weight

# %% online_softmax_sum right · float64, einsum
def online_softmax_sum(scores, values, block_size):
    peak = torch.tensor(float("-inf"), dtype=torch.float64)
    weight = torch.zeros(())
    mixed = torch.zeros(values.size(1))
    n = scores.numel()
    start = 0
    while start < n:
        stop = min(start + block_size, n)
        part = scores[start:stop].double()
        top = max(peak, part.max())
        if not torch.isinf(top):
            old = torch.exp(peak - top)
            e = torch.exp(part - top)
            weight = weight * old + e.sum()
            mixed = mixed * old + torch.einsum("i,id->d", e, values[start:stop].double())
            peak = top
        start = stop
    if weight == 0:
        return mixed
    return (mixed / weight).float()

# %% online_softmax_sum right · normalised all the way
def online_softmax_sum(scores, values, block_size):
    peak, weight = -math.inf, 0.0
    mean = torch.zeros_like(values[0])
    for s, v in zip(torch.split(scores, block_size), torch.split(values, block_size)):
        top = max(peak, float(s.max()))
        if top == -math.inf:
            continue
        kept = weight * math.exp(peak - top)
        e = torch.exp(s - top)
        weight = kept + float(e.sum())
        mean = (mean * kept + v.T @ e) / weight
        peak = top
    return mean

# %% online_softmax_sum right · one score at a time inside the block
def online_softmax_sum(scores, values, block_size):
    peak, weight, mixed = float("-inf"), 0.0, values.new_zeros(values.shape[1])
    for start in range(0, scores.shape[0], block_size):
        for s, v in zip(scores[start : start + block_size].tolist(), values[start : start + block_size]):
            if s == float("-inf"):
                continue
            if s > peak:
                factor = math.exp(peak - s)
                weight, mixed, peak = weight * factor, mixed * factor, s
            weight += math.exp(s - peak)
            mixed = mixed + math.exp(s - peak) * v
    return mixed / weight if weight else mixed

# %% online_softmax_sum right · hidden scores are taken out of their block
def online_softmax_sum(scores, values, block_size):
    state = (None, None, None)
    for i in range(0, len(scores), block_size):
        seen = scores[i : i + block_size] > -math.inf
        s, v = scores[i : i + block_size][seen], values[i : i + block_size][seen]
        if len(s) == 0:
            continue
        m = s.amax()
        e = (s - m).exp()
        new = (m, e.sum(), e @ v)
        if state[0] is None:
            state = new
            continue
        top = torch.stack([state[0], m]).amax()
        a, b = (state[0] - top).exp(), (m - top).exp()
        state = (top, a * state[1] + b * new[1], a * state[2] + b * new[2])
    return values.new_zeros(values.shape[-1]) if state[0] is None else state[2] / state[1]

# %% tiled_attention wrong [no-scale] · no scale
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = 1.0
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b in range(0, Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y])
            if is_causal:
                hidden = torch.arange(a, z).view(-1, 1) < torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-math.inf), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result

# %% tiled_attention wrong · scaled by the values' length
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = dv**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b in range(0, Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y])
            if is_causal:
                hidden = torch.arange(a, z).view(-1, 1) < torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-math.inf), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result

# %% tiled_attention wrong [scale-d] · scaled on both sides
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = d**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b in range(0, Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y] * scale)
            if is_causal:
                hidden = torch.arange(a, z).view(-1, 1) < torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-math.inf), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result

# %% tiled_attention wrong [denominator-not-rescaled] · the denominator is not corrected
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = d**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b in range(0, Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y])
            if is_causal:
                hidden = torch.arange(a, z).view(-1, 1) < torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-math.inf), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result

# %% tiled_attention wrong [total-not-rescaled] · the accumulator is not corrected
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = d**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b in range(0, Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y])
            if is_causal:
                hidden = torch.arange(a, z).view(-1, 1) < torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-math.inf), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result

# %% tiled_attention wrong · the maximum of the block alone
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = d**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b in range(0, Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y])
            if is_causal:
                hidden = torch.arange(a, z).view(-1, 1) < torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-math.inf), s)
            new = s.max(dim=-1).values.clamp(min=-1e30)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result

# %% tiled_attention wrong [causal-ignored] · is_causal is ignored
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = d**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b in range(0, Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y])
            if False:
                hidden = torch.arange(a, z).view(-1, 1) < torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-math.inf), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result

# %% tiled_attention wrong [causal-strict-finite] · hides the token itself as well
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = d**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b in range(0, Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y])
            if is_causal:
                hidden = torch.arange(a, z).view(-1, 1) <= torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-1e20), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result

# %% tiled_attention wrong [causal-local] · the mask counts within the block
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = d**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b in range(0, Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y])
            if is_causal:
                hidden = torch.arange(z - a).view(-1, 1) < torch.arange(y - b).view(1, -1)
                s = torch.where(hidden, torch.tensor(-math.inf), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result

# %% tiled_attention wrong [causal-upper-finite] · the future is seen, the past hidden
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = d**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b in range(0, Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y])
            if is_causal:
                hidden = torch.arange(a, z).view(-1, 1) > torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-1e20), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result

# %% tiled_attention wrong · aligned at the bottom right
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = d**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b in range(0, Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y])
            if is_causal:
                hidden = (torch.arange(a, z) + Nk - Nq).view(-1, 1) < torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-1e20), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result

# %% tiled_attention wrong · keys that do not fill a block are left out
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = d**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b in range(0, Nk - Nk % block_size or Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y])
            if is_causal:
                hidden = torch.arange(a, z).view(-1, 1) < torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-math.inf), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result

# %% tiled_attention wrong · divides in every block
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = d**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b in range(0, Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y])
            if is_causal:
                hidden = torch.arange(a, z).view(-1, 1) < torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-math.inf), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
            acc = acc / l.unsqueeze(-1)
        result[:, :, a:z] = acc
    return result

# %% tiled_attention wrong [whole-table] · the whole table after all
def tiled_attention(query, key, value, block_size, is_causal=False):
    s = query @ key.mT / math.sqrt(query.size(-1))
    if is_causal:
        s = s.masked_fill(torch.ones(s.shape[-2:]).triu(1).bool(), -math.inf)
    e = (s - s.amax(-1, keepdim=True)).exp()
    return e @ value / e.sum(-1, keepdim=True)

# %% tiled_attention right · all keys for a block of queries
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = d**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b, y in [(0, Nk)]:
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y])
            if is_causal:
                hidden = torch.arange(a, z).view(-1, 1) < torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-math.inf), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result

# %% tiled_attention right · einsum, a finite start
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = d**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b in range(0, Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y])
            if is_causal:
                hidden = torch.arange(a, z).view(-1, 1) < torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-math.inf), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result

# %% tiled_attention right · double inside
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=torch.float64)
    scale = d**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z].double() * scale
        m = torch.full((B, H, z - a), -1e300, dtype=torch.float64)
        l = torch.zeros(B, H, z - a, dtype=torch.float64)
        acc = torch.zeros(B, H, z - a, dv, dtype=torch.float64)
        for b in range(0, Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y].double())
            if is_causal:
                hidden = torch.arange(a, z).view(-1, 1) < torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-math.inf, dtype=torch.float64), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y].double())
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result.to(query.dtype)

# %% tiled_attention right · baddbmm over flattened heads
def tiled_attention(query, key, value, block_size, is_causal=False):
    B, H, Nq, d = query.shape
    q, k, v = (x.flatten(0, 1) for x in (query, key, value))
    rows = []
    for a, qs in enumerate(q.split(block_size, 1)):
        m = l = acc = None
        for b, (ks, vs) in enumerate(zip(k.split(block_size, 1), v.split(block_size, 1))):
            first_q, first_k = a * block_size, b * block_size
            if is_causal and first_k > first_q + qs.shape[1] - 1:
                break
            s = torch.baddbmm(qs.new_zeros(1, 1, 1), qs, ks.transpose(1, 2), beta=0, alpha=1 / math.sqrt(d))
            if is_causal and first_k + ks.shape[1] - 1 > first_q:
                i = torch.arange(first_q, first_q + qs.shape[1])[:, None]
                j = torch.arange(first_k, first_k + ks.shape[1])[None]
                s = s.masked_fill(j > i, -torch.inf)
            top = s.amax(2, keepdim=True) if m is None else torch.maximum(m, s.amax(2, keepdim=True))
            e = (s - top).exp()
            if m is None:
                l, acc = e.sum(2, keepdim=True), torch.bmm(e, vs)
            else:
                fix = (m - top).exp()
                l, acc = l * fix + e.sum(2, keepdim=True), torch.baddbmm(acc * fix, e, vs)
            m = top
        rows.append(acc / l)
    return torch.cat(rows, 1).unflatten(0, (B, H))

# %% tiled_attention wrong [always-causal] · is_causal by default
def tiled_attention(query, key, value, block_size, is_causal=True):
    B, H, Nq, d = query.shape
    Nk, dv = key.shape[2], value.shape[3]
    result = torch.empty(B, H, Nq, dv, dtype=query.dtype)
    scale = d**-0.5
    for a in range(0, Nq, block_size):
        z = min(a + block_size, Nq)
        q = query[:, :, a:z] * scale
        m = torch.full((B, H, z - a), -1e30)
        l = torch.zeros(B, H, z - a)
        acc = torch.zeros(B, H, z - a, dv)
        for b in range(0, Nk, block_size):
            y = min(b + block_size, Nk)
            s = torch.einsum("bhqd,bhkd->bhqk", q, key[:, :, b:y])
            if is_causal:
                hidden = torch.arange(a, z).view(-1, 1) < torch.arange(b, y).view(1, -1)
                s = torch.where(hidden, torch.tensor(-math.inf), s)
            new = torch.maximum(m, s.max(dim=-1).values)
            p = torch.exp(s - new.unsqueeze(-1))
            c = torch.exp(m - new)
            l = l * c + p.sum(dim=-1)
            acc = acc * c.unsqueeze(-1) + torch.einsum("bhqk,bhkv->bhqv", p, value[:, :, b:y])
            m = new
        result[:, :, a:z] = acc / l.unsqueeze(-1)
    return result

# %% tiled_attention right · a helper that folds one block of keys
def fold(state, q, k, v, hidden):
    s = q @ k.transpose(-1, -2)
    s = s if hidden is None else s.masked_fill(hidden, float("-inf"))
    m, l, o = state
    top = torch.maximum(m, s.amax(-1))
    e, fix = torch.exp(s - top[..., None]), torch.exp(m - top)
    return top, l * fix + e.sum(-1), o * fix[..., None] + e @ v


def tiled_attention(query, key, value, block_size, is_causal=False):
    blocks = []
    for i in range(0, query.shape[-2], block_size):
        q = query[..., i : i + block_size, :] / query.shape[-1] ** 0.5
        n = q.shape[-2]
        state = (
            q.new_full(q.shape[:-1], float("-inf")),
            q.new_zeros(q.shape[:-1]),
            q.new_zeros(*q.shape[:-1], value.shape[-1]),
        )
        last = min(key.shape[-2], i + n) if is_causal else key.shape[-2]
        for j in range(0, last, block_size):
            k, v = key[..., j : min(j + block_size, last), :], value[..., j : min(j + block_size, last), :]
            hidden = None
            if is_causal:
                hidden = (torch.arange(k.shape[-2]) + j).gt((torch.arange(n) + i).unsqueeze(1))
            state = fold(state, q, k, v, hidden)
        blocks += [state[2] / state[1].unsqueeze(-1)]
    return torch.cat(blocks, dim=-2)

# %% KeyValueCache wrong · joins along the heads
class KeyValueCache:
    def __init__(self, num_layers):
        self.pieces = [([], []) for _ in range(num_layers)]

    def append(self, layer, key, value):
        ks, vs = self.pieces[layer]
        ks.append(key)
        vs.append(value)
        return torch.cat(ks, dim=1), torch.cat(vs, dim=1)

    def length(self):
        return sum(k.size(2) for k in self.pieces[0][0])

# %% KeyValueCache wrong [layers-shared] · one pair of lists for all layers
class KeyValueCache:
    def __init__(self, num_layers):
        self.pieces = [([], [])] * num_layers

    def append(self, layer, key, value):
        ks, vs = self.pieces[layer]
        ks.append(key)
        vs.append(value)
        return torch.cat(ks, dim=2), torch.cat(vs, dim=2)

    def length(self):
        return sum(k.size(2) for k in self.pieces[0][0])

# %% KeyValueCache wrong · the lists belong to the class
class KeyValueCache:
    pieces = [([], []) for _ in range(64)]

    def __init__(self, num_layers):
        self.num_layers = num_layers

    def append(self, layer, key, value):
        ks, vs = self.pieces[layer]
        ks.append(key)
        vs.append(value)
        return torch.cat(ks, dim=2), torch.cat(vs, dim=2)

    def length(self):
        return sum(k.size(2) for k in self.pieces[0][0])

# %% KeyValueCache wrong · a default list
class KeyValueCache:
    def __init__(self, num_layers, pieces={}):
        self.pieces = pieces
        for i in range(num_layers):
            self.pieces.setdefault(i, ([], []))

    def append(self, layer, key, value):
        ks, vs = self.pieces[layer]
        ks.append(key)
        vs.append(value)
        return torch.cat(ks, dim=2), torch.cat(vs, dim=2)

    def length(self):
        return sum(k.size(2) for k in self.pieces[0][0])

# %% KeyValueCache wrong [counts-rounds] · counts the calls
class KeyValueCache:
    def __init__(self, num_layers):
        self.pieces = [([], []) for _ in range(num_layers)]

    def append(self, layer, key, value):
        ks, vs = self.pieces[layer]
        ks.append(key)
        vs.append(value)
        return torch.cat(ks, dim=2), torch.cat(vs, dim=2)

    def length(self):
        return len(self.pieces[0][0])

# %% KeyValueCache wrong [length-of-all] · counts all layers
class KeyValueCache:
    def __init__(self, num_layers):
        self.pieces = [([], []) for _ in range(num_layers)]

    def append(self, layer, key, value):
        ks, vs = self.pieces[layer]
        ks.append(key)
        vs.append(value)
        return torch.cat(ks, dim=2), torch.cat(vs, dim=2)

    def length(self):
        return sum(k.size(2) for ks, _ in self.pieces for k in ks)

# %% KeyValueCache wrong · counts the batch
class KeyValueCache:
    def __init__(self, num_layers):
        self.pieces = [([], []) for _ in range(num_layers)]

    def append(self, layer, key, value):
        ks, vs = self.pieces[layer]
        ks.append(key)
        vs.append(value)
        return torch.cat(ks, dim=2), torch.cat(vs, dim=2)

    def length(self):
        return sum(k.size(0) for k in self.pieces[0][0])

# %% KeyValueCache wrong [prepended] · newest first
class KeyValueCache:
    def __init__(self, num_layers):
        self.pieces = [([], []) for _ in range(num_layers)]

    def append(self, layer, key, value):
        ks, vs = self.pieces[layer]
        ks.insert(0, key)
        vs.insert(0, value)
        return torch.cat(ks, dim=2), torch.cat(vs, dim=2)

    def length(self):
        return sum(k.size(2) for k in self.pieces[0][0])

# %% KeyValueCache wrong · clears the new keys
class KeyValueCache:
    def __init__(self, num_layers):
        self.keys = [None] * num_layers
        self.values = [None] * num_layers

    def append(self, layer, key, value):
        for store, new in ((self.keys, key), (self.values, value)):
            old = store[layer]
            store[layer] = new if old is None else torch.cat((old, new), -2)
        key.zero_()
        return self.keys[layer], self.values[layer]

    def length(self):
        first = self.keys[0]
        return first.shape[2] if first is not None else 0

# %% KeyValueCache wrong [keys-from-values] · values twice
class KeyValueCache:
    def __init__(self, num_layers):
        self.keys = [None] * num_layers
        self.values = [None] * num_layers

    def append(self, layer, key, value):
        for store, new in ((self.keys, value), (self.values, value)):
            old = store[layer]
            store[layer] = new if old is None else torch.cat((old, new), -2)
        return self.keys[layer], self.values[layer]

    def length(self):
        first = self.keys[0]
        return first.shape[2] if first is not None else 0

# %% KeyValueCache wrong [stored-once] · joins and does not keep
class KeyValueCache:
    def __init__(self, num_layers):
        self.keys = [None] * num_layers
        self.values = [None] * num_layers

    def append(self, layer, key, value):
        for store, new in ((self.keys, key), (self.values, value)):
            old = store[layer]
            store[layer] = new if old is None else old
        return tuple(
            s[layer] if s[layer] is n else torch.cat((s[layer], n), -2)
            for s, n in ((self.keys, key), (self.values, value))
        )

    def length(self):
        first = self.keys[0]
        return first.shape[2] if first is not None else 0

# %% KeyValueCache wrong [layer-before] · layers from 1
class KeyValueCache:
    def __init__(self, num_layers):
        self.keys = [None] * num_layers
        self.values = [None] * num_layers

    def append(self, layer, key, value):
        layer = max(layer - 1, 0)
        for store, new in ((self.keys, key), (self.values, value)):
            old = store[layer]
            store[layer] = new if old is None else torch.cat((old, new), -2)
        return self.keys[layer], self.values[layer]

    def length(self):
        first = self.keys[0]
        return first.shape[2] if first is not None else 0

# %% KeyValueCache wrong · fails while it is empty
class KeyValueCache:
    def __init__(self, num_layers):
        self.keys = [None] * num_layers
        self.values = [None] * num_layers

    def append(self, layer, key, value):
        for store, new in ((self.keys, key), (self.values, value)):
            old = store[layer]
            store[layer] = new if old is None else torch.cat((old, new), -2)
        return self.keys[layer], self.values[layer]

    def length(self):
        first = self.keys[0]
        return first.shape[2]

# %% KeyValueCache wrong [returns-nothing] · returns nothing
class KeyValueCache:
    def __init__(self, num_layers):
        self.keys = [None] * num_layers
        self.values = [None] * num_layers

    def append(self, layer, key, value):
        for store, new in ((self.keys, key), (self.values, value)):
            old = store[layer]
            store[layer] = new if old is None else torch.cat((old, new), -2)
        self.keys[layer], self.values[layer]

    def length(self):
        first = self.keys[0]
        return first.shape[2] if first is not None else 0

# %% KeyValueCache wrong [added] · adds instead of joining
class KeyValueCache:
    def __init__(self, num_layers):
        self.keys = [None] * num_layers
        self.values = [None] * num_layers

    def append(self, layer, key, value):
        for store, new in ((self.keys, key), (self.values, value)):
            old = store[layer]
            store[layer] = new if old is None else old + new
        return self.keys[layer], self.values[layer]

    def length(self):
        first = self.keys[0]
        return first.shape[2] if first is not None else 0

# %% KeyValueCache wrong · a fixed room of 16
class KeyValueCache:
    def __init__(self, num_layers):
        self.rooms, self.n = {}, [0] * num_layers

    def append(self, layer, key, value):
        if layer not in self.rooms:
            self.rooms[layer] = [torch.zeros(*x.shape[:2], 16, x.shape[3]) for x in (key, value)]
        start = self.n[layer]
        self.n[layer] += key.shape[2]
        for room, x in zip(self.rooms[layer], (key, value)):
            room[:, :, start : self.n[layer]] = x
        return tuple(self.rooms[layer])

    def length(self):
        return self.n[0]

# %% KeyValueCache wrong · stacks along a new axis
class KeyValueCache:
    def __init__(self, num_layers):
        self.pieces = [([], []) for _ in range(num_layers)]

    def append(self, layer, key, value):
        ks, vs = self.pieces[layer]
        ks.append(key)
        vs.append(value)
        return torch.stack(ks, dim=2), torch.stack(vs, dim=2)

    def length(self):
        return sum(k.size(2) for k in self.pieces[0][0])

# %% KeyValueCache wrong · detached values in half
class KeyValueCache:
    def __init__(self, num_layers):
        self.pieces = [([], []) for _ in range(num_layers)]

    def append(self, layer, key, value):
        ks, vs = self.pieces[layer]
        ks.append(key)
        vs.append(value.half().float())
        return torch.cat(ks, dim=2), torch.cat(vs, dim=2)

    def length(self):
        return sum(k.size(2) for k in self.pieces[0][0])

# %% KeyValueCache right · lists of pieces
class KeyValueCache:
    def __init__(self, num_layers):
        self.pieces = [([], []) for _ in range(num_layers)]

    def append(self, layer, key, value):
        ks, vs = self.pieces[layer]
        ks.append(key)
        vs.append(value)
        return torch.cat(ks, dim=2), torch.cat(vs, dim=2)

    def length(self):
        return sum(k.size(2) for k in self.pieces[0][0])

# %% KeyValueCache right · one loop over both stores
class KeyValueCache:
    def __init__(self, num_layers):
        self.keys = [None] * num_layers
        self.values = [None] * num_layers

    def append(self, layer, key, value):
        for store, new in ((self.keys, key), (self.values, value)):
            old = store[layer]
            store[layer] = new if old is None else torch.cat((old, new), -2)
        return self.keys[layer], self.values[layer]

    def length(self):
        first = self.keys[0]
        return first.shape[2] if first is not None else 0

# %% KeyValueCache right · a dictionary
class KeyValueCache:
    def __init__(self, num_layers):
        self.memory = {}

    def append(self, layer, key, value):
        if layer in self.memory:
            key, value = (torch.cat(pair, dim=2) for pair in zip(self.memory[layer], (key, value)))
        self.memory[layer] = key, value
        return self.memory[layer]

    def length(self):
        return self.memory[0][0].shape[2] if 0 in self.memory else 0

# %% KeyValueCache right · empty tensors to begin with
class KeyValueCache:
    def __init__(self, num_layers):
        self.store = [[None, None] for _ in range(num_layers)]

    def append(self, layer, key, value):
        slot = self.store[layer]
        for i, x in enumerate((key, value)):
            if slot[i] is None:
                slot[i] = x[:, :, :0]
            slot[i] = torch.concatenate([slot[i], x], axis=2)
        return slot[0], slot[1]

    def length(self):
        return 0 if self.store[0][0] is None else int(self.store[0][0].size(-2))

# %% KeyValueCache right · one tensor for both, split on the way out
class KeyValueCache:
    def __init__(self, num_layers):
        self.both = [None] * num_layers

    def append(self, layer, key, value):
        new = torch.stack([key, value])
        old = self.both[layer]
        self.both[layer] = new if old is None else torch.cat([old, new], dim=3)
        return tuple(self.both[layer])

    def length(self):
        return 0 if self.both[0] is None else self.both[0].shape[3]

# %% cached_greedy_decode wrong [position-zero] · every word has position 0
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words[:, -1:])
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [no-source-mask] · source padding is seen
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i])

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [no-padding-hidden] · a padding token among the words is seen
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [keys-not-newest] · the mask hides the newest
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words) & (torch.arange(words.shape[1]) < max(1, words.shape[1] - 1))
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong · one cache slot for all layers
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(0, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [cross-own-queries] · queries of cross-attention from the own one
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.self_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [cross-last-layer] · keys of the last layer's cross-attention for all
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[-1], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [sees-itself-only] · nothing is remembered
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = keys_and_values(b.self_attention, x)
                return attend(b.self_attention, queries(b.self_attention, x), k, v)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [cross-every-step] · the source's keys are made in every step
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(
                    b.cross_attention,
                    queries(b.cross_attention, x),
                    *keys_and_values(b.cross_attention, memory),
                    see_source,
                )

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [encodes-every-step] · the encoder runs in every step
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        memory = model.encode(source)
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [stays-in-eval] · the mode stays evaluation
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    return words[:, 1:]

# %% cached_greedy_decode wrong [ends-in-training] · always ends in training mode
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train()
    return words[:, 1:]

# %% cached_greedy_decode wrong [no-eval] · never leaves training mode
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [with-bos] · BOS comes back
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words

# %% cached_greedy_decode wrong [junk-after-end] · words go on after EOS
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [eos-after-end] · EOS is repeated
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = eos_id
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [stops-at-first-end] · stops with the first sentence
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.any():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [one-too-many] · one word too many
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len + 1):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [no-last-norm] · forgets the last norm
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [stops-late] · always the full width
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [smallest] · the lowest logit
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmin(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong · the word before the newest goes in
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words[:, :-1] if words.shape[1] > 1 else words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode wrong [recomputes] · the old way
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    was = model.training
    model.eval()
    memory = model.encode(source)
    words = source.new_full((source.shape[0], 1), bos_id)
    over = source.new_zeros(source.shape[0]) > 0
    while words.shape[1] <= max_len and not over.all():
        word = model.decode(words, memory, source)[:, -1].argmax(-1)
        word = torch.where(over, 0, word)
        words = torch.cat([words, word[:, None]], 1)
        over = over | (word == eos_id)
    model.train(was)
    return words[:, 1:]

# %% cached_greedy_decode right · one position, embedded with the rest
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode right · positions taken by number, joined projections
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        e = model.target_embedding
        h = e.embedding(words[:, -1:]) * e.embedding.embedding_dim**0.5 + e.positions[step]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode right · through the blocks' own layers
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return b.cross_attention.out_proj(
                    merge_heads(
                        F.scaled_dot_product_attention(
                            split_heads(b.cross_attention.q_proj(x), b.cross_attention.num_heads),
                            *crossed[i],
                            attn_mask=see_source,
                        )
                    )
                )

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode right · attention written out
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    words = torch.full((n, 1), bos_id, dtype=torch.long)
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                q = queries(b.self_attention, x)
                s = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~see_target, -1e9)
                return b.self_attention.out_proj(merge_heads(s.softmax(-1) @ v))

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        words = torch.cat([words, word[:, None]], 1)
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% cached_greedy_decode right · a table filled word by word
@torch.no_grad()
def cached_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    before = model.training
    model.eval()
    memory = model.encode(source)
    see_source = padding_mask(source)
    blocks = list(model.decoder.blocks)
    cache = KeyValueCache(len(blocks))
    crossed = [keys_and_values(b.cross_attention, memory) for b in blocks]
    n = source.shape[0]
    table = source.new_zeros(n, max_len + 1)
    table[:, 0] = bos_id
    words = table[:, :1]
    done = torch.zeros(n, dtype=torch.bool)
    for step in range(max_len):
        h = model.target_embedding(words)[:, -1:]
        see_target = padding_mask(words)
        for i, b in enumerate(blocks):

            def own(x, i=i, b=b):
                k, v = cache.append(i, *keys_and_values(b.self_attention, x))
                return attend(b.self_attention, queries(b.self_attention, x), k, v, see_target)

            def other(x, i=i, b=b):
                return attend(b.cross_attention, queries(b.cross_attention, x), *crossed[i], see_source)

            h = through_block(b, h, own, other)
        if getattr(model.decoder, "norm", None) is not None:
            h = model.decoder.norm(h)
        word = model.output(h[:, 0]).argmax(-1)
        word[done] = 0
        table[:, step + 1] = word
        words = table[:, : step + 2]
        done |= word == eos_id
        if done.all():
            break
    model.train(before)
    return words[:, 1:]

# %% training_step_autocast wrong [no-autocast] · no autocast
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.enable_grad():
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast wrong [no-autocast] · autocast switched off
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype, enabled=False):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast wrong [always-bfloat16] · always bfloat16
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, torch.bfloat16):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast wrong [default-type] · the type is left to the device
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast wrong [loss-in-sixteen] · the loss in half the digits
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out, tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast wrong [weights-cast] · the model itself is cast
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    model.to(dtype)
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast wrong [backward-inside] · gradients inside autocast
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    with torch.autocast(device_type, dtype):
        loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast wrong [no-zero-grad] · the gradients stay
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast wrong [no-clip] · no clipping
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast wrong [no-clip] · clips after the step
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    optimizer.step()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    return float(loss.detach())

# %% training_step_autocast wrong [no-step] · no step
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    return float(loss.detach())

# %% training_step_autocast wrong [eval] · evaluation mode
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.eval()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast wrong [no-train] · the mode as it comes
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast wrong [no-shift] · the target is not shifted
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, tgt)
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast wrong · the tensor of a loss in the 16-bit type
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach().to(dtype))

# %% training_step_autocast wrong [always-rescaled] · scaled by 1024 and never divided
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    (loss * 1024).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast wrong [no-smoothing] · no smoothing
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt, smoothing=0.0)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast wrong [no-autocast] · the inputs of the model are cast, nothing else
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    if True:
        out = model(src, shift_right(tgt)).to(dtype)
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast right · cleared first, in one context
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast right · the loss under a context that is switched off
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    with torch.autocast(device_type, enabled=False):
        loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast right · loss in float64
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.double(), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast right · gradients by autograd.grad
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type, dtype):
        out = model(src, shift_right(tgt))
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    weights = list(model.parameters())
    for w, g in zip(weights, torch.autograd.grad(loss, weights, allow_unused=True)):
        w.grad = g
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())

# %% training_step_autocast right · autocast entered by hand
def training_step_autocast(model, batch, optimizer, device_type, dtype):
    src, tgt = batch
    model.train()
    optimizer.zero_grad(set_to_none=True)
    context = torch.amp.autocast_mode.autocast(device_type, dtype=dtype)
    context.__enter__()
    try:
        out = model(src, shift_right(tgt))
    finally:
        context.__exit__(None, None, None)
    loss = label_smoothed_loss(out.to(torch.float32), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())
