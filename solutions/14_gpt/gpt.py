# %% [markdown]
# # 14 · GPT: today's block
#
# **By the end you can**
#
# - cut words into pieces that were learnt from text, so that a new word is not unknown;
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

from autograder import (
    begin, blind_to_later_tokens, check, draws_each_row, draws_from, draws_in_proportion, draws_what_may_come, each_row_by_itself,
    each_sentence_by_itself, finite, gives_tokens, hears, hint, is_greedy_at_zero, keeps_inputs, matches, outcome, predict,
    right_shape, turns_pairs, use_part,
)

begin("14_gpt")

# %% part="setup"
# Earlier units' parts: your own where they passed their checks.
split_heads, merge_heads = use_part("split_heads"), use_part("merge_heads")
causal_mask, masked_attention, KeyValueCache = use_part("causal_mask"), use_part("masked_attention"), use_part("KeyValueCache")

# %% [markdown]
# ## The idea: only the right half, and new parts
#
# GPT is the decoder of unit 09 without an encoder. It reads a text and says what comes next, and that is all it is trained for. A translation, an answer,
# a program: each of them is a text that goes on.
#
# The half-machine is from 2018. Its block has been rebuilt since, part by part, and one form has spread: Llama 2 (Touvron and others, 2023) has it, and so have many others. The picture shows
# what stands where; the residual connections are left out. Orange is new: pieces of words, RMSNorm (before each sub-layer now: pre-norm), RoPE, grouped attention, SwiGLU. You build all of it.

# %% part="demo" folded=True
from autograder.lab.figures import Arrow, Box, bars, flow, lines, show
from autograder.lab.tables import table

boxes = {}
for column, parts in ((0, ("words, an id each", "+ sinusoid (06)", "multi-head attention (05)", "add, then LayerNorm (08)", "ReLU feed-forward (08)", "add, then LayerNorm (08)")),
                      (1, ("pieces of words", "RMSNorm", "grouped attention, RoPE", "add, then RMSNorm", "SwiGLU", "add"))):
    for row, part in enumerate(parts):
        same = column == 1 and part == "add"
        boxes[f"{column} {row}"] = Box(part, 2 * column, row, "orange" if column and not same else "grey")
arrows = [Arrow(f"{column} {row}", f"{column} {row + 1}") for column in (0, 1) for row in range(5)]
show(flow(boxes, arrows, title="A block of 2017 (left) and one of today (right); orange: built in this unit"))

# %% [markdown]
# ## Pieces of words
#
# A model has a row for each id, so somebody must fix a list of tokens. Whole words? Then a new word is unknown. Single letters? Then texts are long. **Byte-pair encoding** takes
# a way between: begin with letters, and again and again join the two neighbours that stand together most often (Sennrich and others, 2016). Frequent words become one piece; a new word
# falls into pieces that are known.
#
# In numbers: a text holds *low* 5 times, *lower* 2 times, *newest* 6 times and *widest* 3 times.
#
# | round | the most frequent pair | how often | afterwards |
# |---|---|---|---|
# | 1 | `e s` | 6 + 3 = 9 (as often as `s t`, and the smaller pair) | `n e w es t`, `w i d es t` |
# | 2 | `es t` | 9 | `n e w est`, `w i d est` |
# | 3 | `l o` | 5 + 2 = 7 (as often as `o w`, and the smaller pair) | `lo w`, `lo w e r` |
#
# The list of merged pairs *is* the tokeniser. To cut any word, merge its letters in the same order.

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
# Write it in plain Python; `Counter` is there. Libraries that cut words (`tokenizers`, `sentencepiece`) are the exercise, here and in the next one, and not allowed. Leave `words` as it is.

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

# %% [markdown]
# ### The proof: a library's pieces
#
# The library `tokenizers` trains what large models use. It breaks ties in another way: by the numbers of the pieces, where you compare texts. So the two lists must agree up to the first tie, and no
# further. And if you use *its* merges, your `bpe_encode` must cut every word as the library does. The words here are those of the course's corpus, each with the space before it, as GPT-2
# keeps them.

# %% part="demo" folded=False
from autograder.lab.corpus import chinese_number, english_number, sample

learn, encode = use_part("train_bpe"), use_part("bpe_encode")
words = Counter(f" {word}" for pair in sample(None, 3000, seed=1) for word in pair.english.split() if word.isalpha())
mine = learn(words, 120)
try:
    import json

    from tokenizers import Tokenizer, models, trainers

    library = Tokenizer(models.BPE())
    letters = {letter for word in words for letter in word}
    trainer = trainers.BpeTrainer(vocab_size=len(letters) + 120, min_frequency=0, show_progress=False)
    library.train_from_iterator(words.elements(), trainer)
    theirs = [tuple(pair) for pair in json.loads(library.to_str())["model"]["merges"]]
    first = next((i for i, (a, b) in enumerate(zip(mine, theirs)) if a != b), len(mine))
    print(f"the same merges up to number {first}; there, yours is {mine[first]} and the library's {theirs[first]}")
    alike = sum(encode(word, theirs) == library.encode(word).tokens for word in words)
    print(f"with the library's merges, {alike} of {len(words)} words are cut alike")
except ImportError:
    print("The library `tokenizers` is not installed here, so nothing is compared: pip install tokenizers")
print("  ".join("·".join(encode(f" {word}", mine)) for word in ("yesterday", "hundred", "thousands", "transformer")))

# %% [markdown]
# A word that the text has not shown, such as *transformer*, falls into smaller pieces, and can be read all the same. (Unless it holds a letter that was never seen. GPT-2 therefore begins with bytes, of which there are 256, and not with letters.)
#
# ## A norm without a mean
#
# Unit 08's LayerNorm subtracts the mean, divides by the standard deviation, multiplies by a gain, and adds a bias. **RMSNorm** (Zhang and Sennrich, 2019) only divides, by the root of the mean square, and multiplies by the gain:
#
# $$\text{RMSNorm}(x) = \frac{x}{\sqrt{\frac{1}{d}\sum_{i=1}^{d} x_i^2 + \varepsilon}} \odot g$$
#
# - $x$: a token's vector, of $d = d_\text{model}$ numbers; $g$: a learned gain for each of them, `weight`, 1 at first; $\odot$: number by number;
# - $\varepsilon$: a small number **inside** the root, so that a vector of zeros stays 0.
#
# In numbers: (3, 4) has the mean square (9 + 16) / 2 = 12.5, the root is 3.54, and the result (0.85, 1.13). LayerNorm would give (−1, 1): for it, only differences count.

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
check(RMSNorm, keeps_inputs, right_shape, finite, each_row_by_itself(), matches)

# %% [markdown] exercise="RMSNorm" part="hints"
# - Compare with unit 08's `LayerNorm`: what falls away?
# - `keepdim=True` keeps an axis of length 1, so that the division broadcasts.

# %% [markdown]
# ## Positions by turning
#
# Unit 06 **added** a position to each token. **RoPE** (Su and others, 2021) adds nothing. It takes queries and keys two numbers at a time, looks at each pair as an arrow, and **turns** the arrow by an
# angle that grows with the position:
#
# $$\begin{pmatrix} x'_{2i} \\ x'_{2i+1} \end{pmatrix} = \begin{pmatrix} \cos p\,\theta_i & -\sin p\,\theta_i \\ \sin p\,\theta_i & \cos p\,\theta_i \end{pmatrix} \begin{pmatrix} x_{2i} \\ x_{2i+1} \end{pmatrix} \qquad \theta_i = \text{base}^{-2i/d}$$
#
# - $p$: the position of the row; $d$: its length, `d_head`; $i$ = 0, 1, ..., $d/2 - 1$: the number of the pair;
# - $\theta_i$: the pair's **rate**, in radians for each place. The first pair is the fastest, 1; the last one hardly moves.

# %% part="demo" folded=True
from autograder.lab.language_models import nucleus, turned_pairs

show(turned_pairs([0, 2, 5], [1.0, 0.1], title="A fast pair and a slow one at positions 0, 2, 5"))

# %% [markdown]
# What is it good for? A score is a dot product, and the dot product of two arrows depends on their lengths and on the angle **between** them. If the query is turned by $m\theta$ and the key by $n\theta$,
# the angle between them changes by $(m - n)\,\theta$: only the **distance** of the two tokens counts. Values are not turned: they are what is read, not where.
#
# In numbers: the pair (1, 0) at position 2 with rate 1 becomes (cos 2, sin 2) = (−0.42, 0.91).

# %% [markdown] exercise="apply_rope" part="prompt" points=8 difficulty=3 minutes=15
# ## Exercise 4 · `apply_rope`
#
# | argument | shape | meaning |
# |---|---|---|
# | `x` | `(..., seq, d_head)` | queries or keys; `d_head` is even |
# | `positions` | `(seq,)` | the place of each row of `x`. They need not begin at 0 |
# | `base` | a number | how fast the rates fall |
# | returns | like `x` | each pair `(2i, 2i+1)` turned |
#
# The two numbers of a pair are **neighbours**: features 0 and 1, 2 and 3, and so on. (Some libraries pair feature $i$ with $i + d/2$. That is another order of the same features.) Positions may be
# whole numbers or not. Make new tensors on the device of `x`.

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
check(apply_rope, keeps_inputs, right_shape, finite, turns_pairs, matches)

# %% [markdown] exercise="apply_rope" part="hints"
# - `x[..., 0::2]` are the first numbers of all pairs, `x[..., 1::2]` the second ones.
# - The angles are a table `(seq, d_head / 2)`: a column of positions times a row of rates.
# - To put two tensors back in turn: `torch.stack([...], dim=-1)` puts them side by side, and `flatten(-2)` joins the last two axes.

# %% [markdown]
# ### The proof: complex numbers, and nothing but distance
#
# A pair is a complex number, and to turn it is to multiply it by $e^{\,\mathrm{i}\,p\,\theta}$. First the same numbers that way. Then the property: one query, one key, and their score at every distance, with the pair of
# tokens early in a text and late in it.
#
# **Predict first.** The key stands 0 to 40 places before the query. Query and key are the same vector. How does their score change with the distance? (And does the curve differ if both tokens stand late in a text, not early?)

# %% part="demo"
predict("14-distance", "Query and key are the same vector. What happens to their score as the distance grows?",
        choices=("it stays", "it falls steadily", "it falls, with waves", "it rises"))

# %% part="demo" folded=False
rope = use_part("apply_rope")
x, places = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 3, 4, 9, 20])
rates = 10000.0 ** (-torch.arange(4) / 4)
by_complex = torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (4, 2)).contiguous()) * torch.exp(1j * places[:, None] * rates))
print(f"largest difference to complex numbers: {(by_complex.flatten(-2) - rope(x, places)).abs().max():.1e}")

same, distances = torch.ones(41, 32), torch.arange(41)
scores = {f"query at {at}": (rope(same, torch.full((41,), at)) * rope(same, at - distances)).sum(dim=-1) / 32 for at in (50, 500)}

# %% part="demo" folded=True
show(lines(distances, scores, "distance of query and key, in places", "score, a share of the largest", title="The same vector twice: what RoPE makes of its score", markers=False))
curve = scores["query at 50"].tolist()
falls = sum(b < a for a, b in zip(curve, curve[1:])) / 40

# %% part="demo"
outcome("14-distance", "it falls, with waves" if 0.5 < falls < 1 and curve[-1] < 0.8 else "it falls steadily" if falls == 1 else "it rises" if curve[-1] > 1.01 else "it stays")

# %% [markdown]
# The two curves lie on top of each other: wherever the two tokens stand, the distance alone decides. (Up to rounding: at position 500 the fast angles are large.) Why does it fall, and why in waves? All features are 1 here, so the score at distance $r$ is the mean of $\cos r\,\theta_i$ over all pairs: the fast ones make the waves, and the slower ones fall one after the other.
#
# ## Several questions, one set of keys
#
# Writing token after token, a decoder keeps the keys and values of all tokens so far (unit 12). At long texts this **cache** is what fills the memory. **Grouped queries** (Ainslie and others, 2023) make it smaller: several query
# heads share one head of keys and values.

# %% part="demo" folded=True
boxes = {}
for start, kinds_of_heads, groups in ((0, "multi-head", 4), (5, "grouped", 2), (10, "multi-query", 1)):
    for head in range(4):
        boxes[f"{start} q{head}"] = Box(f"q{head}", (start + head) * 0.62, 1, "blue", "circle")
    for group in range(groups):
        middle = start + (group + 0.5) * 4 / groups - 0.5
        boxes[f"{start} k{group}"] = Box(f"k{group}", middle * 0.62, 0, "orange", "circle")
    boxes[f"{start} name"] = Box(kinds_of_heads, (start + 1.5) * 0.62, 1.75, shape="text")
arrows = [Arrow(f"{start} q{head}", f"{start} k{head * groups // 4}") for start, groups in ((0, 4), (5, 2), (10, 1)) for head in range(4)]
show(flow(boxes, arrows, title="Four query heads (blue), and the heads of keys and values that they look into (orange)"))

# %% [markdown]
# In code: `num_heads` query heads in **consecutive** groups of `num_heads / num_kv_heads`. With 4 and 2, query heads 0 and 1 look into head 0 of the keys, 2 and 3 into head 1. With as many heads of keys as of queries this is multi-head attention; with a single one it is
# *multi-query* attention (Shazeer, 2019).

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
#
# - Queries and keys are turned by `apply_rope`, **head by head**; values are not. A head has `d_model / num_heads` features.
# - With a cache: `cache.append(0, key, value)` puts the new keys, turned, and the new values behind those it has, and returns all of them. The cache has one layer, number 0. It keeps `num_kv_heads` heads: that is what it is
#   good for. Hand them on to the query heads afterwards.
# - A query whose keys are all hidden gets 0, never NaN: unit 07's `masked_attention(query, key, value, mask)` takes care of that. It returns a pair, the output and the weights, and it needs a mask: where `mask` is `None`, give it one that is True everywhere.
# - You have `split_heads`, `merge_heads`, `masked_attention` and `apply_rope`. PyTorch's `scaled_dot_product_attention` and `nn.MultiheadAttention` are not allowed.

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
check(GroupedQueryAttention, keeps_inputs, right_shape, finite, hears("x"), each_sentence_by_itself(), matches)

# %% [markdown] exercise="GroupedQueryAttention" part="hints"
# - `split_heads(y, num_heads)` works for keys and values too: they have `num_kv_heads` heads.
# - In which order does it go: turn, then into the cache? Or the other way round? A key's place never changes.
# - `repeat_interleave(2, dim=1)` makes heads 0, 0, 1, 1, ...; `repeat` makes 0, 1, 0, 1. Which of them are consecutive groups?
# - With a cache there are more keys than queries. How many columns does a mask of True need that hides nothing?

# %% [markdown]
# ### The proof, and what the cache weighs
#
# PyTorch's fused attention knows groups: `enable_gqa=True`. Same weights, same numbers?

# %% part="demo" folded=False
attend, norm = use_part("GroupedQueryAttention"), use_part("RMSNorm")
torch.manual_seed(0)
layer, x, places, mask = attend(48, 6, 2), torch.randn(2, 9, 48), torch.arange(9), causal_mask(9)
with torch.no_grad():
    q, k, v = (p(x).unflatten(-1, (-1, 8)).transpose(1, 2) for p in (layer.q_proj, layer.k_proj, layer.v_proj))
    fused = F.scaled_dot_product_attention(rope(q, places), rope(k, places), v, attn_mask=mask, enable_gqa=True)
    print(f"grouped queries: largest difference {(layer.out_proj(fused.transpose(1, 2).flatten(2)) - layer(x, places, mask)).abs().max():.1e}")
    print(f"RMSNorm:         largest difference {(nn.RMSNorm(48, eps=1e-6)(x) - norm(48)(x)).abs().max():.1e}")

# %% [markdown]
# Now the memory. A cache holds 2 (keys, values) × layers × heads of keys × d_head numbers for **each token**. Take the size of a model with 7 thousand million weights, as Touvron and others describe one: 32 layers, 32 query
# heads of length 128, 2 bytes for a number.
#
# **Predict first.** A text of 100,000 tokens: how many gigabytes (10⁹ bytes) does the cache take with 32 heads of keys?

# %% part="demo"
predict("14-cache", "How large is the cache of 100,000 tokens with 32 heads of keys and values?", unit="GB")

# %% part="demo" folded=True
def cache_bytes(tokens: int, num_kv_heads: int, layers: int = 32, d_head: int = 128) -> int:
    return 2 * layers * num_kv_heads * d_head * tokens * 2


lengths = [1_000, 3_000, 10_000, 30_000, 100_000]
kinds_of_attention = {"multi-head: 32": 32, "grouped: 8": 8, "multi-query: 1": 1}
show(lines(lengths, {name: [cache_bytes(n, heads) / 1e9 for n in lengths] for name, heads in kinds_of_attention.items()}, "tokens", "cache, GB", logx=True, logy=True,
           title="Memory of the cache, by the number of heads of keys"))

# %% part="demo"
outcome("14-cache", cache_bytes(100_000, 32) / 1e9, unit="GB")

# %% [markdown]
# The weights of that model take 14 GB. The count above is of numbers that a cache must hold; `KeyValueCache` of your own, filled, is measured below.
#
# ## A feed-forward layer with a gate
#
# Unit 08: two linear layers, a ReLU between them. **SwiGLU** (Shazeer, 2020) has three, without biases. One makes a gate, which multiplies what the second makes, number by number; the third leads back to $d_\text{model}$:
#
# $$\text{SwiGLU}(x) = W_\text{down}\big(\text{Swish}(W_\text{gate}\,x) \odot W_\text{up}\,x\big) \qquad \text{Swish}(z) = z \cdot \sigma(z)$$
#
# - $\sigma(z) = 1 / (1 + e^{-z})$, the sigmoid, from 0 to 1. Swish is near 0 for very negative $z$ and near $z$ for large $z$: a ReLU with a soft corner.
# - $W_\text{gate}, W_\text{up}$ lead from $d_\text{model}$ to $d_\text{ff}$, $W_\text{down}$ leads back. (Written for column vectors. In code the three are the layers `gate_proj`, `up_proj` and `down_proj`.)
#
# Three matrices instead of two: with two thirds of the old $d_\text{ff}$ it has as many weights. In numbers: gate 2 and up 3 give 2 · 0.88 · 3 = 5.28; gate −2 and up 3 give −0.72.

# %% [markdown] exercise="SwiGLU" part="prompt" points=4 difficulty=1 minutes=5
# ## Exercise 6 · `SwiGLU`
#
# Write `forward`. `x` is `(..., d_model)`, and so is what you return.

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
check(SwiGLU, keeps_inputs, right_shape, finite, each_row_by_itself(), matches)

# %% [markdown] exercise="SwiGLU" part="hints"
# - PyTorch calls the Swish `F.silu`. Only one of the two goes through it.

# %% [markdown]
# ## The whole model
#
# An embedding, blocks, a last norm, and logits by the embedding's own table (tied, unit 09). No positions are added anywhere, and nothing is multiplied by √d_model: each block begins with a norm.

# %% [markdown] exercise="DecoderOnly" part="prompt" points=10 difficulty=4 minutes=20 forbids="scaled_dot_product_attention MultiheadAttention"
# ## Exercise 7 · `DecoderOnly`
#
# Write the two `forward`s.
#
# - **The block** is pre-norm: `norm1`, then `self_attention`, and its result is added to what came in; `norm2`, then `feed_forward`, and added again.
# - **The model**: `ids` `(batch, seq)` → logits `(batch, seq, vocab_size)`. The rows of `self.embedding` go through all blocks, then `self.norm`; the logits are the product with the **transposed table** `self.embedding.weight`, without a bias.
# - Each token sees itself and what stands before it. Nothing is padding here.
# - `cache`: a list with one `KeyValueCache(1)` for each block, or `None`. With it, `ids` are only the **new** tokens, one or several: their positions go on where the cache ends. Each new token sees itself, the new ones before it, and all tokens that the cache holds. `cache[0].length()`, read before the blocks append to it, says how many
#   that are.
#
# The attributes that the starter's `__init__` builds keep their names: `embedding`, `blocks`, `norm`; in a block `norm1`, `self_attention`, `norm2`, `feed_forward`. PyTorch's own attention is not allowed.

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
check(DecoderOnly, keeps_inputs, right_shape, finite, hears("ids"), blind_to_later_tokens(), matches)

# %% [markdown] exercise="DecoderOnly" part="hints"
# - The block is unit 08's with `norm_first=True`: norm, layer, add; twice.
# - Ask the cache for its length **before** the first block runs: each block makes it longer.
# - The causal mask for all tokens so far has a row for each of them. Which rows belong to the new tokens?
# - The transposed table: `self.embedding.weight.T`.

# %% [markdown]
# ## 2017 against today
#
# Which of the changes is worth it? We change **one part at a time**. The text: lines of three numbers, each translated, as
#
#     三百二十五 = 325；十七 = 17；六百零一 = 601；
#     三百二十五 = three hundred twenty five；十七 = seventeen；...
#
# A line is about figures or about words, all of it. The first translation shows which. The English words are cut by **your** pieces; everything else goes character by character. 90 numbers are put aside: no line of training
# holds them.

# %% part="demo" folded=False
from functools import cache
from random import Random

from autograder.lab.pieces import text_pieces

torch.set_num_threads(1)  # on a CPU, tensors as small as these are faster without sharing the work
UNSEEN = sorted(Random(7).sample(range(100, 1000), 90))
SEEN = sorted(set(range(1000)) - set(UNSEEN))
TASKS = {"figures": str, "words": english_number}
merges = learn(Counter(f" {word}" for value in SEEN for word in english_number(value).split()), 60)
cut = cache(lambda word: tuple(encode(word, merges)))


def line(task: str, values: Sequence[int]) -> str:
    return "".join(f"{chinese_number(value)} = {TASKS[task](value)}；" for value in values)


draw = Random(0)
texts = [line(draw.choice(list(TASKS)), draw.sample(SEEN, 3)) for _ in range(6000)]
cut_texts = sorted((text_pieces(text, cut) for text in texts), key=len)
NAMES = ["·", "<bos>", *sorted({piece for pieces in cut_texts for piece in pieces})]  # a dot is padding
ID = {name: number for number, name in enumerate(NAMES)}


def ids_of(text: str) -> list[int]:
    return [1, *(ID[piece] for piece in text_pieces(text, cut))]


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])


rows = [[1, *(ID[piece] for piece in pieces)] for pieces in cut_texts]
batches = [padded(rows[i : i + 16]) for i in range(0, len(rows), 16)]  # of like length
test_lines = padded(sorted((ids_of(line(task, [*draw.sample(SEEN, 2), value])) for task in TASKS for value in UNSEEN), key=len))
print(f"{len(NAMES)} tokens:", " ".join(NAMES))

# %% [markdown]
# The blocks are built of your parts. *2017*: the sinusoid, LayerNorm behind each addition, ReLU, and as many heads of keys as query heads; no biases in the attention. SwiGLU gets two thirds of $d_\text{ff}$, so that it has no more weights. All models see the same batches with
# the same rate. What is measured: the loss on the answers, the tokens from each `=` to the next `；`, on lines whose last number no model has seen. (In a line's first answer nobody can know whether figures or words come; no model can avoid that part of the loss.)
#
# **Predict first.** Which single change lowers this loss most? A gain counts only if it is larger than the widest gap between two runs of the same block.

# %% part="demo"
CHANGES = ("pre-norm", "RMSNorm", "RoPE", "SwiGLU", "grouped queries")
predict("14-change", "Which single change to the block of 2017 lowers the loss most?", choices=(*CHANGES, "none by more than two runs differ"))

# %% part="demo" folded=False
swiglu, sinusoid = use_part("SwiGLU"), use_part("sinusoidal_positions")
LayerNorm, FeedForward = use_part("LayerNorm"), use_part("FeedForward")


class MixedBlock(nn.Module):
    """A block of 2017 with some of today's parts."""

    def __init__(self, changes: Sequence[str]) -> None:
        super().__init__()
        kind_of_norm = norm if "RMSNorm" in changes else LayerNorm
        self.norm1, self.norm2, self.norm_first = kind_of_norm(64), kind_of_norm(64), "pre-norm" in changes
        self.self_attention = attend(64, 4, 2 if "grouped queries" in changes else 4)
        self.feed_forward = swiglu(64, 170) if "SwiGLU" in changes else FeedForward(64, 256)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        if self.norm_first:
            x = x + self.self_attention(self.norm1(x), positions, mask)
            return self.feed_forward(self.norm2(x)) + x
        x = self.norm1(x + self.self_attention(x, positions, mask))
        return self.norm2(x + self.feed_forward(x))


class MixedModel(nn.Module):
    def __init__(self, changes: Sequence[str]) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(NAMES), 64)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.blocks = nn.ModuleList(MixedBlock(changes) for _ in range(2))
        last = norm(64) if "RMSNorm" in changes else LayerNorm(64)
        self.norm = last if "pre-norm" in changes else nn.Identity()
        self.rope = "RoPE" in changes

    def forward(self, ids: Tensor) -> Tensor:
        x, positions = self.embedding(ids), torch.arange(ids.shape[1])
        if not self.rope:
            x = x * 8 + sinusoid(ids.shape[1], 64).to(x)  # 8 = √64, as in unit 06
            positions = torch.zeros_like(positions)  # turned by 0: not turned
        for block in self.blocks:
            x = block(x, positions, causal_mask(ids.shape[1]))
        return F.linear(self.norm(x), self.embedding.weight)


def answers(ids: Tensor) -> Tensor:
    """The ids behind an = up to the ；and 0 elsewhere."""
    behind = (ids == ID["="]).long().cumsum(1) - (ids == ID["="]).long() - ((ids == ID["；"]).long().cumsum(1) - (ids == ID["；"]).long())
    return ids * (behind > 0)


@torch.no_grad()
def answer_loss(model: nn.Module) -> float:
    return float(F.cross_entropy(model(test_lines[:, :-1]).flatten(0, 1), answers(test_lines)[:, 1:].flatten(), ignore_index=0))


def train(model: nn.Module, steps: int, seed: int, every: int = 0, rate: float = 3e-3) -> list[float]:
    """Next-token training; with `every`, the loss on answers after so many steps, again and again."""
    draws, losses = torch.Generator().manual_seed(seed), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: min((i + 1) / 50, (steps - i) / (steps - 50)))
    for step in range(1, steps + 1):
        ids = batches[int(torch.randint(len(batches), (), generator=draws))]
        loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if every and step % every == 0:
            losses.append(answer_loss(model))
    return losses


STEPS, EVERY, SEEDS = 300, 50, (0, 1)
mixtures = {"2017": (), **{f"2017 + {change}": (change,) for change in CHANGES}, "today: all five": CHANGES}
curves, weights = {}, {}
for name, changes in mixtures.items():
    for seed in SEEDS:
        torch.manual_seed(seed)
        model = MixedModel(changes)
        weights[name] = sum(weight.numel() for weight in model.parameters())
        curves.setdefault(name, []).append(train(model, STEPS, seed, EVERY))

# %% part="demo" folded=True
def spread(runs: Sequence[Sequence[float]]) -> tuple[list[float], list[float], list[float]]:
    return [sum(at) / len(at) for at in zip(*runs)], [min(at) for at in zip(*runs)], [max(at) for at in zip(*runs)]


show(lines(list(range(EVERY, STEPS + 1, EVERY)), {name: spread(curves[name]) for name in ("2017", "2017 + RoPE", "today: all five")}, "step", "loss on answers",
           title="Mean of two runs; the band runs from the lower to the higher"))
last = {name: [run[-1] for run in runs] for name, runs in curves.items()}
table([(name, weights[name], *(f"{value:.2f}" for value in last[name]), f"{sum(last['2017']) / 2 - sum(last[name]) / 2:+.2f}") for name in mixtures],
      ["block", "weights", "loss, first run", "second run", "lower than 2017 by"])

# %% part="demo"
gain = {change: sum(last["2017"]) / 2 - sum(last[f"2017 + {change}"]) / 2 for change in CHANGES}
best = max(gain, key=lambda change: gain[change])
apart = max(max(values) - min(values) for name, values in last.items() if name != "today: all five")
outcome("14-change", best if gain[best] > apart else "none by more than two runs differ")

# %% [markdown]
# Read the table with the two runs in mind: a gain that is smaller than their difference says nothing. Then add up the five single gains, and compare the sum with the last row: gains need not simply add up.
#
# What the table does **not** say: that the other changes are useless. It is one small model, one short text, one rate, 300 steps. RMSNorm saves time (7 to 64 % in the models of Zhang and Sennrich), grouped queries save memory in the cache, and a loss shows neither. Pre-norm is for deep stacks (unit 08), and this one has two
# blocks. Shazeer (2020) found SwiGLU a little better on models more than a thousand times as large, and wrote that he had no explanation.
#
# ## To write: draw from the chances
#
# Logits are not yet a text. Greedy decoding takes the largest one, always, and so the same prompt has one answer only. To **draw** instead, three knobs are common:
#
# - **temperature** $T$: softmax(logits / $T$). Below 1 the likely become likelier; above 1 all come closer together; 0 is taken to mean greedy.
# - **top_k**: only the $k$ largest logits stay.
# - **top_p**, the *nucleus* (Holtzman and others, 2020): the smallest set of likeliest tokens that together have the probability $p$ **or more**.

# %% part="demo" folded=True
show(nucleus({"本": 0.45, "张": 0.22, "个": 0.15, "只": 0.1, "杯": 0.05, "条": 0.03}, 0.75, title="The nucleus for top_p = 0.75: three tokens"))

# %% [markdown] exercise="sample_next" part="prompt" points=9 difficulty=3 minutes=18
# ## Exercise 8 · `sample_next`
#
# | argument | | meaning |
# |---|---|---|
# | `logits` | `(batch, vocab_size)` | raw scores of the next token; `-inf` where a token can never come |
# | `generator` | a `torch.Generator` | where all random numbers come from |
# | `temperature` | a number, 0 or more | the logits are divided by it; **0 means greedy**: the largest logit, and nothing is drawn |
# | `top_k` | a number or `None` | only the `top_k` largest logits stay; it may be larger than the vocabulary |
# | `top_p` | a number above 0 and at most 1, or `None` | of what is left, the smallest set of likeliest tokens whose probabilities add up to `top_p` or more stays; at least one token |
# | returns | `(batch,)`, integers | a token for each row, drawn from what is left, in proportion to its probability |
#
# - **In this order**: temperature, `top_k`, `top_p`. So `top_p` looks at the probabilities among the `top_k` tokens, which add up to 1 again.
# - The token with which the sum first reaches `top_p` belongs to the nucleus. In the picture, 0.45 + 0.22 is too little, and the third token is in.
# - Each row is filtered and drawn by itself. A token whose logit is −∞ is never drawn.
# - Where logits are equal, any of them may go first; no case asks which.
# - Leave `logits` unchanged. `torch.multinomial` is allowed.
#
# The check counts the draws over thousands of rows. Its bounds are so wide that a right answer fails less than once in a million runs.

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
check(
    sample_next, keeps_inputs, gives_tokens, is_greedy_at_zero, draws_each_row, draws_what_may_come, draws_in_proportion,
    draws_from("generator"),
)

# %% [markdown] exercise="sample_next" part="hints"
# - Three filters, one after the other. Each of them can work on logits: what is out gets −∞.
# - For `top_p`, sort the probabilities. A token stays if what the likelier ones add up to is still below `top_p`. For the first token that is 0.
# - `torch.multinomial(chances, 1, generator=generator)` draws one id for each row, and takes chances that do not sum to 1.

# %% [markdown]
# ### The proof: shares against probabilities
#
# One row of logits, 20,000 draws for each setting. The first row of the table is the softmax of the logits; the rows below it are the shares that were drawn.

# %% part="demo" folded=False
draw_next = use_part("sample_next")
row = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0, float("-inf")])
counted = {}
for name, knobs in {"as it is": {}, "temperature 0.5": {"temperature": 0.5}, "top_k 3": {"top_k": 3}, "top_p 0.75": {"top_p": 0.75}}.items():
    drawn = draw_next(row.expand(20_000, -1), torch.Generator().manual_seed(0), **knobs)
    counted[name] = torch.bincount(drawn, minlength=6) / 20_000
table([("softmax", *(f"{value:.3f}" for value in row.softmax(-1).tolist())), *((f"drawn, {name}", *(f"{value:.3f}" for value in shares.tolist())) for name, shares in counted.items())],
      ["", *(f"logit {value:g}" for value in row.tolist())])

# %% [markdown]
# ## It writes
#
# Now your `DecoderOnly`, trained on the same lines, for longer. Then it goes on from prompts, once without a cache and once with it: the whole prompt goes in at first, afterwards one token at a time.

# %% part="demo" folded=False
gpt = use_part("DecoderOnly")
torch.manual_seed(0)
model = gpt(len(NAMES), d_model=64, num_heads=4, num_kv_heads=2, num_layers=2, d_ff=170)
train(model, 1000, seed=0)


@torch.no_grad()
def go_on(prompts: Sequence[Sequence[int]], tokens: int, with_cache: bool = False, **knobs: Any) -> Tensor:
    """`tokens` more tokens for each prompt; prompts of one length."""
    generator, ids = torch.Generator().manual_seed(0), torch.tensor(prompts)
    kept, new, written = ([KeyValueCache(1) for _ in model.blocks] if with_cache else None), ids, []
    for _ in range(tokens):
        written.append(draw_next(model(new, kept)[:, -1], generator, **knobs))
        ids = torch.cat([ids, written[-1][:, None]], dim=1)
        new = ids[:, -1:] if with_cache else ids
    return torch.stack(written, dim=1)


prompts = [ids_of(f"{chinese_number(value)} =") for value in UNSEEN if len(chinese_number(value)) == 5]
plain, cached = go_on(prompts, 24, temperature=0), go_on(prompts, 24, with_cache=True, temperature=0)
print("cached and uncached write the same tokens:", torch.equal(plain, cached), f"({plain.numel()} of them)")
for value in (0, 0.7, 1.5):
    print(f"temperature {value}: 四百五十 =", "".join(NAMES[i] for i in go_on([ids_of("四百五十 =")], 24, temperature=value)[0].tolist()))

# %% part="demo" folded=False
held = {}
for heads in (4, 2, 1):
    probe, kept = gpt(len(NAMES), 64, 4, heads, 2, 170), [KeyValueCache(1) for _ in range(2)]
    with torch.no_grad():
        probe(torch.ones(1, 100, dtype=torch.long), kept)
    empty = torch.empty(1, heads, 0, 16)
    held[f"{heads} heads of keys"] = sum(part.numel() * part.element_size() for own in kept for part in own.append(0, empty, empty)) / 1000
show(bars(held, "memory of your caches for 100 tokens, kB", title="Four query heads, and fewer and fewer heads of keys"))

# %% [markdown]
# ### A prompt that shows what is wanted
#
# Nobody tells the model whether figures or words are wanted. With one example in the prompt, such as `三十二 = 32；五百五十七 =`, it can see that. Nothing is trained now; the weights stay as they are. Brown and others (2020) call this *in-context learning*.
#
# We ask for the 90 numbers that it has never read, in figures and in words, with 0, 1 and 2 examples before. And we ask for something that no line of training did: figures **written backwards** (三十二 = 23).
#
# **Predict first.** What share is right with no example, over both tasks? With one? And backwards, with two examples?

# %% part="demo"
predict("14-shots", "What share is right with one example in the prompt (figures and words together)?", unit="%")

# %% part="demo"
predict("14-backwards", "With two examples of figures written backwards, what share of answers comes out backwards?", choices=("nearly all", "about half", "hardly any"))

# %% part="demo" folded=False
TASKS["backwards"] = lambda value: str(value)[::-1]


@torch.no_grad()
def share_right(task: str, examples: int) -> float:
    draw, right = Random(examples), 0
    for value in UNSEEN:
        if task == "backwards" and str(value) == str(value)[::-1]:
            continue
        shown = [known for known in draw.sample(SEEN, 12) if known > 99 and str(known) != str(known)[::-1]][:examples]
        asked = ids_of(line(task, shown) + f"{chinese_number(value)} =")
        wanted = ids_of(line(task, [value]))[len(ids_of(f"{chinese_number(value)} =")) :]
        right += go_on([asked], len(wanted), with_cache=True, temperature=0)[0].tolist() == wanted
    return right / sum(task != "backwards" or str(value) != str(value)[::-1] for value in UNSEEN)


shots = (0, 1, 2)
right = {task: [share_right(task, examples) for examples in shots] for task in TASKS}
show(bars({f"{task}, {examples} examples": right[task][examples] for task in TASKS for examples in shots}, "right, of numbers never read", percent=True, title="The same weights, other prompts"))

# %% part="demo"
outcome("14-shots", 100 * (right["figures"][1] + right["words"][1]) / 2, unit="%")
outcome("14-backwards", "nearly all" if right["backwards"][2] > 0.8 else "about half" if right["backwards"][2] > 0.3 else "hardly any")

# %% [markdown]
# With no example the model cannot know which task is meant: for each number, greedy decoding settles for one of the two. One example decides it. But it *chooses* among what it has learnt; a task that training never held is not picked up here, at this size. Whether much larger models do more than choose is a question
# of its own.

# %% part="demo"
from autograder.notebook.my_gpt import keep_gpt

keep_gpt(model, NAMES, merges)

# %% [markdown]
# The last cell keeps the weights. In a terminal, in the folder `notebooks`, your own parts now go on from other prompts: `python -m my_transformer --continue "三十二 = 32；五百五十七 ="`.

# %% [markdown] part="question"
# ## A question to answer in words
#
# *4 points, read by a person. Six to ten sentences are enough.*
#
# A team wants to move its language model from the block of 2017 to today's. There is time for **two** of the five changes in your table: pre-norm, RMSNorm, RoPE, SwiGLU, grouped queries. The model has 24 blocks, runs on telephones, and reads long texts. Which two do you advise, and why? Say for each what it should improve, by which
# measurement the team would notice if it did not, and what your own table says about it, and what it cannot say.

# %% [markdown] part="answer" id="two-changes" points=4
# ### BEGIN SOLUTION
# **Model answer.** *Grouped queries*: on a telephone memory is scarce, and with long texts the cache is what grows. From 16 heads of keys to 4, the cache takes a quarter. The team should measure memory and time for each token at its longest text; if the weights outweigh the cache there,
# nothing is gained. It should also compare the loss, since fewer keys can cost some. My table shows no loss from it beyond the difference of two runs, in a model of two blocks; it says nothing of memory or of 24 blocks.
#
# *RoPE*: positions by distance. In my table it is the one change whose gain is clearly larger than the difference between two runs. The loss at long texts, by position, would show whether it holds there. The table has lines of thirty tokens only, so it cannot say.
#
# (Pre-norm is as good a choice: with 24 blocks, post-norm is hard to train, unit 08. The measurement: the norm of gradients by depth, and whether training at the same rate diverges.)
#
# **Rubric.** One point for each change that fits the case (memory, length, depth), with what it improves; one for measurements that could fail; one for saying what the own table shows, with its spread, and what it cannot show at this size.
# ### END SOLUTION

# %% [markdown]
# ## What you built
#
# - `train_bpe` and `bpe_encode`: pieces of words, from counts alone.
# - `RMSNorm`, `apply_rope`, `GroupedQueryAttention`, `SwiGLU`: today's parts, each equal to a library's.
# - `DecoderOnly`: a GPT that writes with a cache and without.
# - `sample_next`: how a text is drawn from probabilities.
#
# ## Test yourself
#
# **1.** What does `bpe_encode` make of a letter that no training word held? And what does your model make of it?
#
# <details><summary>Answer</summary>
#
# It stays a piece by itself, since no merge names it. The model has no id for it: it would need an unknown token, or bytes to begin with.
# </details>
#
# **2.** Query and key are both moved 100 places on. What does RoPE make of their score?
#
# <details><summary>Answer</summary>
#
# The same as before: both arrows are turned by the same further angle, so the angle between them stays.
# </details>
#
# **3.** Why are keys turned before they go into the cache, and not after?
#
# <details><summary>Answer</summary>
#
# A key's position never changes. Turned before, it is turned once. Turned afterwards, all keys would have to be turned again at each step, and with positions from 0 on, not with those of the new tokens.
# </details>
#
# **4.** `top_k=2` and `top_p=0.6`, probabilities 0.4, 0.3, 0.2, 0.1. Which tokens can be drawn?
#
# <details><summary>Answer</summary>
#
# `top_k` leaves 0.4 and 0.3, which are 0.57 and 0.43 of what is left. 0.57 does not reach 0.6, so the second one is in as well: both.
# </details>
#
# **5.** A model has 8 query heads and 2 heads of keys. How much smaller is its cache than with 8, and what else becomes smaller?
#
# <details><summary>Answer</summary>
#
# A quarter of the size. `k_proj` and `v_proj` have a quarter of their weights, too.
# </details>
#
# ## Sources
#
# - Radford, Narasimhan, Salimans, Sutskever, *Improving Language Understanding by Generative Pre-Training* (2018).
# - Brown et al., *Language Models are Few-Shot Learners* (2020): examples in the prompt.
# - Sennrich, Haddow, Birch, *Neural Machine Translation of Rare Words with Subword Units* (2016): the example of low, lower, newest and widest is theirs.
# - Zhang, Sennrich, *Root Mean Square Layer Normalization* (2019).
# - Su et al., *RoFormer: Enhanced Transformer with Rotary Position Embedding* (2021).
# - Shazeer, *Fast Transformer Decoding: One Write-Head is All You Need* (2019); *GLU Variants Improve Transformer* (2020).
# - Ainslie et al., *GQA: Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints* (2023).
# - Touvron et al., *LLaMA: Open and Efficient Foundation Language Models* (2023), section 2.2 and table 2; *Llama 2: Open Foundation and Fine-Tuned Chat Models* (2023), section 2.2: grouped queries.
# - Holtzman et al., *The Curious Case of Neural Text Degeneration* (2020): the nucleus.
# - Hung-yi Lee, *Machine Learning 2021*: the lectures on self-supervised learning, with BERT and GPT.
#
# **Next:** unit 15, look inside. You have built the Transformer of 2017 and the one of today. What has such a model learnt, and how can one tell?
