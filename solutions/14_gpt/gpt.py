# %% [markdown]
# # 14 · GPT: today's block
#
# **By the end you can**
#
# - cut words into pieces that were learnt from text, so that no word is unknown;
# - build the block that most of today's language models are made of, part by part;
# - measure which of its changes help at a small size, and which do not;
# - let a model write: from its probabilities, with a cache, after a prompt that shows what is wanted.
#
# **Time:** about four hours, 115 minutes of them for the exercises.
# **You need:** units 07 (`causal_mask`), 08 (pre-norm), 09 (tied weights) and 12 (`KeyValueCache`).

# %% part="setup"
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder import begin, check, draws_from, finite, hears, hint, keeps_inputs, matches, outcome, predict, right_shape, use_part

begin("14_gpt")

# %% part="setup"
# Earlier units' parts: your own where they passed their checks.
split_heads, merge_heads = use_part("split_heads"), use_part("merge_heads")
causal_mask, masked_attention, KeyValueCache = use_part("causal_mask"), use_part("masked_attention"), use_part("KeyValueCache")

# %% [markdown] exercise="train_bpe" part="prompt" points=8 difficulty=3 minutes=20 forbids="tokenizers.* sentencepiece.*"
# ## Exercise 1 · `train_bpe`
#
# | argument | | meaning |
# |---|---|---|
# | `words` | a dict, word → count | each word, and how often it stands in the text |
# | `num_merges` | a number | how many pairs to merge at most |
# | returns | a list of pairs of texts | the merged pairs in the order in which they were merged |
#
# - At first, each word is cut into its characters.
# - In each round, count every pair of neighbours in every word, each as often as the word stands in the text. The pair with the largest count is
#   merged. Among equal counts it is the **smaller** pair, as Python compares two pairs: `("a", "z") < ("b", "a")`.
# - Merging joins the two into one piece wherever they stand side by side, in every word, from left to right. In `aaa` the pair `("a", "a")` counts
#   twice, and is merged once: `aa a`.
# - If no pair is left, stop early.
#
# Write it in plain Python; `Counter` is there. Leave `words` as it is.

# %% exercise="train_bpe" part="solution"
def train_bpe(words: Mapping[str, int], num_merges: int) -> list[tuple[str, str]]:
    """Learn which pieces to join.

    words:   word -> how often it stands in the text
    returns: the merged pairs, in order
    """
    ### BEGIN SOLUTION
    cut = {word: list(word) for word in words}
    merges: list[tuple[str, str]] = []
    while len(merges) < num_merges:
        counts: Counter[tuple[str, str]] = Counter()
        for word, pieces in cut.items():
            for pair in zip(pieces, pieces[1:]):
                counts[pair] += words[word]
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for word, pieces in cut.items():
            joined: list[str] = []
            at = 0
            while at < len(pieces):
                size = 2 if tuple(pieces[at : at + 2]) == best else 1
                joined.append("".join(pieces[at : at + size]))
                at += size
            cut[word] = joined
    return merges
    ### END SOLUTION

# %% exercise="train_bpe" part="check"
check(train_bpe, keeps_inputs, matches)

# %% [markdown] exercise="train_bpe" part="hints"
# - Keep the present cut of each word in a dict of your own: word → list of pieces.
# - `zip(pieces, pieces[1:])` gives all pairs of neighbours.
# - The largest count and the smaller pair at once: `min` over the pairs, with a `key` that returns two things, of which the first is the count, turned
#   round by a minus sign.
# - To join, go through the pieces with a `while` and an index that moves by one or by two.

# %% [markdown] exercise="bpe_encode" part="prompt" points=5 difficulty=2 minutes=10 forbids="tokenizers.* sentencepiece.*"
# ## Exercise 2 · `bpe_encode`
#
# | argument | | meaning |
# |---|---|---|
# | `word` | a text | any word, also one that was not in the text. It may be empty |
# | `merges` | a list of pairs | as `train_bpe` returns it |
# | returns | a list of texts | the word's pieces; joined they are the word again |
#
# Begin with the characters. Go through `merges` **in their order**, and join each pair in the whole word, from left to right, as in training.

# %% exercise="bpe_encode" part="solution"
def bpe_encode(word: str, merges: Sequence[tuple[str, str]]) -> list[str]:
    """Cut a word into the pieces that were learnt."""
    ### BEGIN SOLUTION
    pieces = list(word)
    for left, right in merges:
        at = 0
        while at < len(pieces) - 1:
            if pieces[at] == left and pieces[at + 1] == right:
                pieces[at : at + 2] = [left + right]
            at += 1
    return pieces
    ### END SOLUTION

# %% exercise="bpe_encode" part="check"
check(bpe_encode, keeps_inputs, matches)

# %% [markdown] exercise="bpe_encode" part="hints"
# - The inner loop is the one that you wrote in exercise 1.
# - After a merge, the list is shorter by one. Where does your index have to stand then?

# %% [markdown] exercise="RMSNorm" part="prompt" points=4 difficulty=1 minutes=6 forbids="rms_norm RMSNorm"
# ## Exercise 3 · `RMSNorm`
#
# Write `forward`. `x` is `(..., d_model)`: each vector of the last axis is normed by itself. PyTorch's own RMS norm is the exercise, and not allowed.

# %% exercise="RMSNorm" part="solution"
class RMSNorm(nn.Module):
    """Divide a vector by its root mean square; a learned gain."""

    def __init__(self, d_model: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., d_model)   returns: like x"""
        ### BEGIN SOLUTION
        mean_square = x.square().mean(dim=-1, keepdim=True)
        return x * torch.rsqrt(mean_square + self.eps) * self.weight
        ### END SOLUTION

# %% exercise="RMSNorm" part="check"
check(RMSNorm, keeps_inputs, right_shape, finite, matches)

# %% [markdown] exercise="RMSNorm" part="hints"
# - Compare with unit 08's `LayerNorm`: what falls away?
# - `keepdim=True` keeps an axis of length 1, so that the division broadcasts.

# %% [markdown] exercise="apply_rope" part="prompt" points=8 difficulty=3 minutes=15
# ## Exercise 4 · `apply_rope`
#
# | argument | shape | meaning |
# |---|---|---|
# | `x` | `(..., seq, d_head)` | queries or keys; `d_head` is even |
# | `positions` | `(seq,)` | the place of each row of `x`. They need not begin at 0 |
# | `base` | a number | how fast the rates fall |
# | returns | like `x` | each pair `(2i, 2i+1)` turned |

# %% exercise="apply_rope" part="solution"
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    """Turn each pair of features by an angle that grows with the position.

    x:         (..., seq, d_head)
    positions: (seq,)
    returns:   (..., seq, d_head)
    """
    ### BEGIN SOLUTION
    d_head = x.shape[-1]
    rates = base ** (-torch.arange(0, d_head, 2, device=x.device) / d_head)  # (d_head / 2,)
    angles = positions[:, None] * rates  # (seq, d_head / 2)
    cos, sin = angles.cos(), angles.sin()
    first, second = x[..., 0::2], x[..., 1::2]
    turned = torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1)
    return turned.flatten(-2)
    ### END SOLUTION

# %% exercise="apply_rope" part="check"
check(apply_rope, keeps_inputs, right_shape, finite, matches)

# %% [markdown] exercise="apply_rope" part="hints"
# - `x[..., 0::2]` are the first numbers of all pairs, `x[..., 1::2]` the second ones.
# - The angles are a table `(seq, d_head / 2)`: a column of positions times a row of rates.
# - To put two tensors back in turn: `torch.stack([...], dim=-1)` puts them side by side, and `flatten(-2)` joins the last two axes.

# %% [markdown] exercise="GroupedQueryAttention" part="prompt" points=10 difficulty=4 minutes=20 forbids="scaled_dot_product_attention MultiheadAttention"
# ## Exercise 5 · `GroupedQueryAttention`
#
# Write `forward`.
#
# | argument | shape | meaning |
# |---|---|---|
# | `x` | `(batch, seq, d_model)` | the new tokens |
# | `positions` | `(seq,)` | their places |
# | `mask` | broadcasts over `(batch, num_heads, seq, seq_k)`, or `None` | True: may be attended to. `None`: every key is seen |
# | `cache` | a `KeyValueCache(1)`, or `None` | keys and values of earlier tokens of this layer. With it, `seq_k` is the number of all tokens so far |
# | returns | `(batch, seq, d_model)` | the output, without the weights |

# %% exercise="GroupedQueryAttention" part="solution"
class GroupedQueryAttention(nn.Module):
    """Causal self-attention of today: positions by turning, several query heads to one head of keys and values."""

    def __init__(self, d_model: int, num_heads: int, num_kv_heads: int) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads = num_heads, num_kv_heads
        d_head = d_model // num_heads
        self.q_proj = nn.Linear(d_model, num_heads * d_head, bias=False)
        self.k_proj = nn.Linear(d_model, num_kv_heads * d_head, bias=False)
        self.v_proj = nn.Linear(d_model, num_kv_heads * d_head, bias=False)
        self.out_proj = nn.Linear(num_heads * d_head, d_model, bias=False)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor | None = None, cache: Any = None) -> Tensor:
        """x: (batch, seq, d_model)   positions: (seq,)   returns: (batch, seq, d_model)"""
        ### BEGIN SOLUTION
        query = apply_rope(split_heads(self.q_proj(x), self.num_heads), positions)
        key = apply_rope(split_heads(self.k_proj(x), self.num_kv_heads), positions)
        value = split_heads(self.v_proj(x), self.num_kv_heads)
        if cache is not None:
            key, value = cache.append(0, key, value)
        group = self.num_heads // self.num_kv_heads
        key, value = key.repeat_interleave(group, dim=1), value.repeat_interleave(group, dim=1)
        if mask is None:
            mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=x.device)
        output, _ = masked_attention(query, key, value, mask)
        return self.out_proj(merge_heads(output))
        ### END SOLUTION

# %% exercise="GroupedQueryAttention" part="check"
check(GroupedQueryAttention, keeps_inputs, right_shape, finite, hears("x"), matches)

# %% [markdown] exercise="GroupedQueryAttention" part="hints"
# - `split_heads(y, num_heads)` works for keys and values too: they have `num_kv_heads` heads.
# - In which order does it go: turn, then into the cache? Or the other way round? A key's place never changes.
# - `repeat_interleave(2, dim=1)` makes heads 0, 0, 1, 1, ...; `repeat` makes 0, 1, 0, 1. Which of them are consecutive groups?
# - With a cache there are more keys than queries. How many columns does a mask of True need that hides nothing?

# %% [markdown] exercise="SwiGLU" part="prompt" points=4 difficulty=1 minutes=5
# ## Exercise 6 · `SwiGLU`
#
# Write `forward`.

# %% exercise="SwiGLU" part="solution"
class SwiGLU(nn.Module):
    """A feed-forward layer in which one half is a gate for the other."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(d_model, d_ff, bias=False)
        self.up_proj = nn.Linear(d_model, d_ff, bias=False)
        self.down_proj = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., d_model)   returns: like x"""
        ### BEGIN SOLUTION
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        ### END SOLUTION

# %% exercise="SwiGLU" part="check"
check(SwiGLU, keeps_inputs, right_shape, finite, matches)

# %% [markdown] exercise="SwiGLU" part="hints"
# - PyTorch's `F.silu` is the Swish.

# %% [markdown] exercise="DecoderOnly" part="prompt" points=10 difficulty=4 minutes=20 forbids="scaled_dot_product_attention MultiheadAttention"
# ## Exercise 7 · `DecoderOnly`
#
# Write the two `forward`s.

# %% exercise="DecoderOnly" part="solution"
class DecoderOnlyBlock(nn.Module):
    """Today's block: pre-norm, grouped attention, SwiGLU."""

    def __init__(self, d_model: int, num_heads: int, num_kv_heads: int, d_ff: int) -> None:
        super().__init__()
        self.norm1 = RMSNorm(d_model)
        self.self_attention = GroupedQueryAttention(d_model, num_heads, num_kv_heads)
        self.norm2 = RMSNorm(d_model)
        self.feed_forward = SwiGLU(d_model, d_ff)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor, cache: Any = None) -> Tensor:
        """x: (batch, seq, d_model)   returns: like x"""
        ### BEGIN SOLUTION
        x = x + self.self_attention(self.norm1(x), positions, mask, cache)
        return x + self.feed_forward(self.norm2(x))
        ### END SOLUTION


class DecoderOnly(nn.Module):
    """GPT with today's blocks: `logits = model(ids)`."""

    def __init__(
        self, vocab_size: int, d_model: int, num_heads: int, num_kv_heads: int, num_layers: int, d_ff: int
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.blocks = nn.ModuleList(
            DecoderOnlyBlock(d_model, num_heads, num_kv_heads, d_ff) for _ in range(num_layers)
        )
        self.norm = RMSNorm(d_model)

    def forward(self, ids: Tensor, cache: Sequence[Any] | None = None) -> Tensor:
        """ids: (batch, seq)   cache: a KeyValueCache(1) for each block   returns: logits (batch, seq, vocab_size)"""
        ### BEGIN SOLUTION
        past = 0 if cache is None else cache[0].length()
        total = past + ids.shape[1]
        positions = torch.arange(past, total, device=ids.device)
        mask = causal_mask(total, device=ids.device)[past:]
        x = self.embedding(ids)
        for layer, block in enumerate(self.blocks):
            x = block(x, positions, mask, None if cache is None else cache[layer])
        return self.norm(x) @ self.embedding.weight.T
        ### END SOLUTION

# %% exercise="DecoderOnly" part="check"
check(DecoderOnly, keeps_inputs, right_shape, finite, hears("ids"), matches)

# %% [markdown] exercise="DecoderOnly" part="hints"
# - The block is unit 08's with `norm_first=True`: norm, layer, add; twice.
# - Ask the cache for its length **before** the first block runs: each block makes it longer.
# - The causal mask for all tokens so far has a row for each of them. Which rows belong to the new tokens?
# - The transposed table: `self.embedding.weight.T`.

# %% [markdown] exercise="sample_next" part="prompt" points=9 difficulty=3 minutes=18
# ## Exercise 8 · `sample_next`
#
# | argument | | meaning |
# |---|---|---|
# | `logits` | `(batch, vocab_size)` | raw scores of the next token; `-inf` where a token can never come |
# | `generator` | a `torch.Generator` | where all random numbers come from |
# | `temperature` | a number, 0 or more | the logits are divided by it; **0 means greedy**: the largest logit, and nothing is drawn |
# | `top_k` | a number or `None` | only the `top_k` largest logits stay; it may be larger than the vocabulary |
# | `top_p` | a number or `None` | of what is left, the smallest set of likeliest tokens whose probabilities add up to `top_p` or more stays; at least one token |
# | returns | `(batch,)`, integers | a token for each row, drawn from what is left, in proportion to its probability |

# %% exercise="sample_next" part="solution"
def sample_next(
    logits: Tensor, generator: torch.Generator, temperature: float = 1.0, top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """Draw the next token of each row.

    logits:  (batch, vocab_size)
    returns: (batch,)
    """
    ### BEGIN SOLUTION
    if temperature == 0:
        return logits.argmax(dim=-1)
    logits = logits / temperature
    if top_k is not None:
        last_kept = logits.topk(min(top_k, logits.shape[-1])).values[:, -1:]
        logits = logits.masked_fill(logits < last_kept, float("-inf"))
    chances = logits.softmax(dim=-1)
    if top_p is not None:
        falling, order = chances.sort(dim=-1, descending=True)
        before = F.pad(falling.cumsum(dim=-1)[:, :-1], (1, 0))  # what the likelier ones add up to
        kept = falling.masked_fill(before >= top_p, 0.0)
        chances = torch.zeros_like(chances).scatter(-1, order, kept)
    return torch.multinomial(chances, 1, generator=generator).squeeze(-1)
    ### END SOLUTION

# %% exercise="sample_next" part="check"
check(sample_next, keeps_inputs, right_shape, draws_from("generator"))

# %% [markdown] exercise="sample_next" part="hints"
# - Three filters, one after the other. Each of them can work on logits: what is out gets −∞.
# - For `top_p`, sort the probabilities. A token stays if what the likelier ones add up to is still below `top_p`. For the first token that is 0.
# - `torch.multinomial(chances, 1, generator=generator)` draws one id for each row, and takes chances that do not sum to 1.
