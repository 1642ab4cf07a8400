# %% [markdown]
# # 07 · Masking: what may be seen
#
# **In this unit** you decide which tokens may look at which. You build the two masks that a Transformer needs, put them
# into attention, and then prove, by changing one token at a time, that nothing leaks.
#
# - **You will be able to** hide padding and hide the future, join the two, and say what becomes of a query that may see
#   nothing at all.
# - **Time:** about 75 minutes, of which 40 are exercises.
# - **You need:** units 02 and 03 (scores, softmax, weights), 05 (heads), and PyTorch's broadcasting.
#
# Convention, as in every unit: a token is a row. A mask is boolean, and **True means: may be attended to**.

# %% part="setup"
import math

import torch
from torch import Tensor

from autograder import (
    begin,
    blind_to_masked_keys,
    blind_to_masked_scores,
    check,
    finite,
    hint,
    keeps_inputs,
    matches,
    right_shape,
    use_part,
    visible_rows_sum_to_one,
    zero_where_masked,
)

begin("07_masking")

# %% [markdown]
# ## Two things that must not be seen
#
# **Padding.** Sentences in one batch differ in length, but a tensor is a rectangle. So the short ones are filled up with
# a token that means nothing, `<pad>`, id 0. No word should listen to it. If it did, a translation would depend on which
# other sentences happen to share the batch.
#
# **The future.** A decoder writes one word after the other. When it writes word 3, word 4 does not exist yet. In
# training, though, the whole target sentence lies there at once, and all positions are computed at the same time. So
# each position must be kept from looking to its right. Otherwise it copies the answer, learns nothing else, and fails
# as soon as it has to write by itself.
#
# Here is one picture of both. Each row is a word that asks, each column a word that is asked. All scores are equal, so
# a row spreads its weight evenly over what it may see. White means: may not be seen.

# %% part="demo"
from autograder.lab.figures import attention_maps, leak_map, panels, show
from autograder.lab.tables import table

tokens = ["<bos>", "machine", "learning", "<eos>", "<pad>"]
hide_padding = torch.tensor([[1.0, 1, 1, 1, 0]] * 5)
hide_future = torch.tensor([[1.0, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]])
hide_both = torch.tensor([[1.0, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 0]])
spread = [seen / seen.sum(dim=1, keepdim=True) for seen in (hide_padding, hide_future, hide_both)]
show(attention_maps(spread, ["padding hidden", "future hidden", "both hidden"], queries=tokens, columns=3))

# %% [markdown]
# Look at the last row of the last picture. `<pad>` still asks. Nobody cares for its answer, and the loss will leave it
# out. A mask hides **keys**, the ones that are asked; it does not silence queries.
#
# ## The formula
#
# Let $s_{ij}$ be the score of query $i$ and key $j$, and let $m_{ij}$ be 1 where query $i$ may see key $j$ and 0 where
# it may not. The weights are
#
# $$\alpha_{ij} = \frac{m_{ij}\,e^{s_{ij}}}{\sum_{l} m_{il}\,e^{s_{il}}}$$
#
# | symbol | meaning |
# |---|---|
# | $s_{ij}$ | score of query $i$ and key $j$: $q_i \cdot k_j / \sqrt{d_k}$ |
# | $m_{ij}$ | the mask: 1 (True) may be attended to, 0 (False) is hidden |
# | $\alpha_{ij}$ | weight that query $i$ gives to key $j$ |
# | $l$ | runs over all keys |
#
# The mask stands **twice**: above the line and below it. A hidden key gets no weight, and it is not counted either. The
# others share the whole weight of 1 as if the hidden one were not there.
#
# The paper (section 3.2.3) gets this by setting hidden scores to $-\infty$ before the softmax, since $e^{-\infty} = 0$.
# That does both at once.
#
# **And if a row hides everything?** Then the fraction is 0/0. A sentence of nothing but padding makes such a row. In
# this course the answer is: **all weights of that row are 0.** It must be decided, because 0/0 is NaN to a computer.

# %% [markdown]
# ## By hand: $b^2$ may not see $a^3$ and $a^4$
#
# In the lecture's picture of *masked* self-attention, $b^2$ is made from $a^1$ and $a^2$ only. Say the four scores of
# $q^2$ are 1, 2, 3, 0. The cell computes the weights without and with the mask.

# %% part="demo"
scores_of_q2, may_see = [1.0, 2.0, 3.0, 0.0], [1, 1, 0, 0]
powers = [math.exp(score) for score in scores_of_q2]
kept = [m * power for m, power in zip(may_see, powers)]
rows = [
    (f"a{j + 1}", scores_of_q2[j], powers[j], powers[j] / sum(powers), may_see[j], kept[j] / sum(kept)) for j in range(4)
]
table(rows, ["key", "score s", "e^s", "weight, no mask", "m", "weight, masked"])

# %% [markdown]
# Check one line yourself: $e^1 / (e^1 + e^2) = 2.718 / 10.107 = 0.269$. The third key had the best score of all. With
# the mask it is gone, and the other two share what it had.
#
# ## Your turn
#
# Five exercises: three that make masks, two that use them.

# %% [markdown] exercise="causal_mask" part="prompt" points=5 difficulty=1 minutes=5
# ### Exercise 1 · `causal_mask`
#
# Make the mask that hides the future: token $i$ may see token $j$ where $j \le i$. It may see itself.
#
# | argument | | meaning |
# |---|---|---|
# | `seq` | a number | how many tokens |
# | `device` | `None`, or a device | where the tensor shall live; `None` is PyTorch's default |
# | returns | `(seq, seq)`, boolean | row $i$, column $j$: True where query $i$ may see key $j$ |
#
# Scores live on a GPU when there is one, and a mask must live where its scores live. That is what `device` is for: pass
# it on. The check asks for the device `"meta"`, which every machine has; tensors there have a shape and no numbers.

# %% exercise="causal_mask" part="solution"
def causal_mask(seq: int, device: torch.device | str | None = None) -> Tensor:
    """Which tokens may be seen when nobody may look ahead.

    seq:     the number of tokens
    device:  where the mask is made; None is PyTorch's default
    returns: (seq, seq), boolean: row i, column j is True where token i may see token j
    """
    ### BEGIN SOLUTION
    return torch.ones(seq, seq, dtype=torch.bool, device=device).tril()
    ### END SOLUTION

# %% exercise="causal_mask" part="check"
check(causal_mask, right_shape, matches)

# %% exercise="causal_mask" part="hidden"
check(causal_mask, right_shape, matches, cases="hidden")

# %% [markdown] exercise="causal_mask" part="hints"
# - Draw it for three tokens. Row 0 sees one token, row 1 sees two, row 2 sees three. What is the shape of the True part?
# - PyTorch has functions that keep one triangle of a matrix (`torch.tril`, `torch.triu`). Another way: compare row
#   numbers with column numbers, by broadcasting two `torch.arange`.
# - `dtype=torch.bool` makes booleans, and `device=device` places the tensor, in any function that creates one.

# %% exercise="causal_mask" part="library"
import torch
from torch import Tensor


def causal_mask(seq: int, device: torch.device | str | None = None) -> Tensor:
    """Where PyTorch's own float mask, 0 and −inf, is 0."""
    return torch.nn.Transformer.generate_square_subsequent_mask(seq, device=device) == 0

# %% exercise="causal_mask" part="variants"
@cases(dict(n=4), dict(n=6), low=4)
def drawn(rng, n):
    """{n} tokens"""
    return dict(seq=n)

@cases()
def single(rng):
    """one token"""
    return dict(seq=1)

@cases(dict(n=5), low=4)
def on_cpu(rng, n):
    """{n} tokens, device="cpu\""""
    return dict(seq=n, device="cpu")

@cases(dict(n=5), low=4)
def on_meta(rng, n):
    """{n} tokens, device="meta\""""
    return dict(seq=n, device="meta")

def by_places(rule):
    """A mask from a rule on row and column numbers; always on the device that is asked for."""
    def make(n):
        i, j = torch.arange(n)[:, None], torch.arange(n)[None, :]
        return rule(i, j, n) & torch.ones(n, n, dtype=torch.bool)
    return make

SIDE = "Here rows are the tokens that ask and columns the ones that are asked: row i sees columns 0 to i."
patterns = {
    "right": (lambda i, j, n: j <= i, ""),
    "strict": (lambda i, j, n: j < i, "your tokens cannot see themselves: the diagonal is False, and the first token sees nothing at all. Each token may see itself."),
    "one-future": (lambda i, j, n: j <= i + 1, "your mask lets each token see one token too far: the one right after it. That is the very token it is to predict."),
    "two-future": (lambda i, j, n: j <= i + 2, "your mask lets each token see two tokens of the future."),
    "upper": (lambda i, j, n: j >= i, f"your mask shows each token itself and the future, and hides the past: the other triangle, or rows and columns swapped. {SIDE}"),
    "inverted": (lambda i, j, n: j > i, f"your mask is inverted: it is True exactly where the future lies. True means: may be attended to. (`nn.MultiheadAttention` means the opposite.) {SIDE}"),
    "upper-and-one": (lambda i, j, n: j >= i - 1, f"your mask hides most of the past and shows the future. {SIDE}"),
    "all-true": (lambda i, j, n: j >= 0, "your mask hides nothing: every entry is True, and each token sees the whole future."),
    "all-false": (lambda i, j, n: j < 0, "your mask hides everything: every entry is False. Each token may see itself and what stands before it."),
    "diagonal": (lambda i, j, n: j == i, "your tokens see themselves only. They may also see every token before them."),
    "not-itself": (lambda i, j, n: j != i, "your mask hides each token from itself and shows all others, the future too. It is the future that must be hidden."),
    "two-tokens": (lambda i, j, n: (j <= i) & (j >= i - 1), "your tokens see themselves and one token before. They may see all tokens before them."),
    "three-tokens": (lambda i, j, n: (j <= i) & (j >= i - 2), "your tokens see themselves and two tokens before. They may see all tokens before them."),
    "one-behind": (lambda i, j, n: j <= i - 2, "your mask hides too much: each token misses itself and the one before it."),
    "first-only": (lambda i, j, n: j == 0, "your mask shows the first token only, to everybody."),
    "mirrored": (lambda i, j, n: i + j >= n - 1, "your triangle leans the wrong way, as in a mirror: row 0 must see the first token, not the last one."),
    "mirrored-up": (lambda i, j, n: i + j <= n - 1, "your triangle leans the wrong way, as in a mirror: the first row sees all tokens, and the last row only one."),
    "no-last-row": (lambda i, j, n: (j <= i) & (i < n - 1), "the last row of your mask is all False. Does a loop of yours end one too early?"),
    "no-first-row": (lambda i, j, n: (j <= i) & (i > 0), "the first row of your mask is all False: the first token may see itself. Does a loop of yours start one too late?"),
}
NUMBERS = "your mask holds numbers (0 and 1), not booleans. `scores.masked_fill` refuses numbers, and `F.scaled_dot_product_attention` would add them to the scores."
forms = {
    "right": (lambda m: m, ""),
    "numbers": (lambda m: m.float(), NUMBERS),
    "integers": (lambda m: m.long(), NUMBERS),
    "additive": (lambda m: torch.zeros(m.shape, device=m.device).masked_fill(~m, float("-inf")), "your mask is an additive one: 0 where a key may be seen, −inf where not. Here masks are boolean."),
    "additive-big": (lambda m: torch.zeros(m.shape, device=m.device).masked_fill(~m, -1e9), "your mask is an additive one: 0 where a key may be seen, a huge negative number where not. Here masks are boolean."),
    "only-the-fill": (lambda m: torch.zeros(m.shape, device=m.device).masked_fill(m, float("-inf")), "your mask is an additive one, and inverted as well: −inf where a key may be seen. Here masks are boolean, True where a key may be seen."),
}

def placed(make, form=lambda m: m, keeps_device=True):
    def causal_mask(seq, device=None):
        mask = make(seq)
        return form(mask.to(device) if keeps_device and device else mask)
    return causal_mask

DEVICE = "your mask ignores `device`: asked for another device, it still stands on the default one. On a GPU, scores and mask would not meet."
known = set()
def new(function):
    """Whether this mistake comes to something that no earlier one comes to."""
    mark = repr([(mask.is_floating_point(), mask.tolist()) for mask in (function(4), function(6))])
    return mark not in known and not known.add(mark)

chosen = [(name, form) for name in patterns for form in forms if name == "right" or form in ("right", "numbers", "integers", "additive", "additive-big")]
for name, form in sorted(chosen, key=lambda pair: sum(x != "right" for x in pair)):
    (rule, says), (change, also) = patterns[name], forms[form]
    function = placed(by_places(rule), change)
    if new(function) and (name, form) != ("right", "right"):
        both = f"two things at once. First, {says} Second, {also}" if says and also else says or also
        wrong("+".join(x for x in (name, form) if x != "right"), says=both)(function)
for name in ("right", "strict", "one-future", "upper", "inverted"):
    for form in ("right", "numbers", "integers", "additive"):
        said = [text for text in (patterns[name][1], forms[form][1], DEVICE) if text]
        says = DEVICE if len(said) == 1 else f"{'two' if len(said) == 2 else 'three'} things at once. {' And '.join(said)}"
        mistake = "+".join(x for x in (name, form, "ignores-device") if x != "right")
        if name != "inverted" or form != "additive":
            wrong(mistake, says=says)(placed(by_places(patterns[name][0]), forms[form][0], False))

RIGHT = by_places(patterns["right"][0])
shapes = {
    "four-axes": (lambda m: m[None, None], "your mask has the shape (1, 1, seq, seq). Two axes are asked for; broadcasting adds the others by itself."),
    "three-axes": (lambda m: m[None], "your mask has the shape (1, seq, seq). Two axes are asked for; broadcasting adds the others by itself."),
    "flat": (lambda m: m.flatten(), "your mask is one long row. It must be a table with one row and one column for each token."),
    "last-row": (lambda m: m[-1], "your output is a single row. The mask needs one row for each token that asks."),
    "one-too-few": (lambda m: m[:-1, :-1], "your mask is one row and one column too small."),
    "one-too-many": (lambda m: torch.nn.functional.pad(m, (0, 1, 1, 0), value=True), "your mask is one row and one column too large."),
    "as-list": (lambda m: torch.ones(m.shape).tril().bool().tolist(), "your mask is a Python list. Return a tensor."),
    "as-numpy": (lambda m: torch.ones(m.shape).tril().bool().numpy(), "your mask is a NumPy array. Return a tensor: an array cannot live on a device."),
    "with-something": (lambda m: (m, m), "your function returns two things. Return the mask alone."),
}
for name, (change, says) in shapes.items():
    wrong(name, says=says)(placed(RIGHT, change))
wrong("four-tokens", says="your mask is always 4 by 4, as in a small example. Its size must follow `seq`.")(placed(lambda n: RIGHT(4)))
wrong("five-tokens", says="your mask is always 5 by 5, as in a small example. Its size must follow `seq`.")(placed(lambda n: RIGHT(5)))
wrong("nothing-returned", says="your function ends without giving anything back: is a `return` missing?")(placed(RIGHT, lambda m: None))

@right
def compared(seq, device=None):
    place = torch.arange(seq, device=device)
    return place[:, None] >= place

@right
def not_the_future(n, device=None):
    return ~torch.triu(torch.ones((n, n), device=device), diagonal=1).bool()

@right
def row_by_row(seq, device=None):
    mask = torch.zeros((seq, seq), dtype=torch.bool, device=device)
    for i in range(seq):
        mask[i, : i + 1] = True
    return mask

@right
def entry_by_entry(seq, device=None):
    return torch.tensor([[j <= i for j in range(seq)] for i in range(seq)], device=device)

@right
def through_numpy(seq, device=None):
    return torch.from_numpy(np.tril(np.ones((seq, seq), dtype=bool))).to(device)

@right
def by_indices(seq, device=None):
    mask = torch.full((seq, seq), False, device=device)
    rows, columns = torch.tril_indices(seq, seq)
    mask[rows, columns] = True
    return mask

@right
def counted(seq, device=None):
    return torch.eye(seq, device=device).cumsum(dim=0) > 0

@truth
def by_attention(seq, device=None):
    """What PyTorch's own causal attention sees where all scores are equal."""
    places = torch.eye(seq)
    seen = torch.nn.functional.scaled_dot_product_attention(torch.zeros(seq, seq), places, places, is_causal=True)
    return (seen > 0).to(device or "cpu")

@truth
def by_a_loop(seq, device=None):
    return torch.tensor([[i >= j for j in range(seq)] for i in range(seq)]).to(device or "cpu")

# %% [markdown] exercise="padding_mask" part="prompt" points=5 difficulty=2 minutes=6
# ### Exercise 2 · `padding_mask`
#
# Make the mask that hides padding. It depends on the sentences, so you get their ids.
#
# | argument | shape | meaning |
# |---|---|---|
# | `ids` | `(batch, seq)`, integers | a batch of sentences, filled up with `pad_id` |
# | `pad_id` | a number | the id that means padding |
# | returns | `(batch, 1, 1, seq)`, boolean | True where the token is a real one |
#
# Why the two axes of length 1? Scores have the shape `(batch, num_heads, seq_q, seq_k)`. Padding is the same for every
# head and for every query, so broadcasting can repeat the mask along both.

# %% exercise="padding_mask" part="solution"
def padding_mask(ids: Tensor, pad_id: int = 0) -> Tensor:
    """Which keys are real tokens.

    ids:     (batch, seq), integers
    pad_id:  the id of the padding token
    returns: (batch, 1, 1, seq), boolean: True where a key may be attended to, for every head and every query
    """
    ### BEGIN SOLUTION
    return (ids != pad_id)[:, None, None, :]
    ### END SOLUTION

# %% exercise="padding_mask" part="check"
check(padding_mask, keeps_inputs, right_shape, matches)

# %% exercise="padding_mask" part="hidden"
check(padding_mask, keeps_inputs, right_shape, matches, cases="hidden")

# %% [markdown] exercise="padding_mask" part="hints"
# - Comparing a tensor with a number compares every entry, and gives booleans of the same shape.
# - Which axis of the scores do the keys stand on? The last one. The axis of `seq` must end up there, and the batch first.
# - Indexing with `None` (or `unsqueeze`) inserts an axis of length 1 at a place that you choose.

# %% exercise="padding_mask" part="library"
def padding_mask(ids: Tensor, pad_id: int = 0) -> Tensor:
    """By PyTorch's set membership: every id outside the set of the padding id."""
    return torch.isin(ids, torch.tensor([pad_id], device=ids.device), invert=True).unflatten(1, (1, 1, -1))

# %% exercise="padding_mask" part="variants"
def sentences(rng, batch, seq, pad_id=0, others=range(1, 12)):
    """Random ids; each sentence but the first ends in padding."""
    ids = rng.choice([x for x in others if x != pad_id], size=(batch, seq))
    for b in range(1, batch):
        ids[b, seq - int(rng.integers(1, seq)):] = pad_id
    return ids

@cases(dict(batch=2, seq=5), dict(batch=4, seq=7), low=3)
def drawn(rng, batch, seq):
    """{batch} sentences of {seq} tokens, padded with 0"""
    return dict(ids=torch.from_numpy(sentences(rng, batch, seq)))

@cases(dict(batch=3, seq=6), low=4)
def other_pad(rng, batch, seq):
    """{batch} sentences of {seq} tokens, with pad_id=5, and with tokens below and above 5"""
    ids = sentences(rng, batch, seq, 5, range(9))
    ids[0, :3] = [0, 8, 3]
    return dict(ids=torch.from_numpy(ids), pad_id=5)

@cases(dict(batch=4, seq=5), low=4)
def special_ids(rng, batch, seq):
    """{batch} sentences that begin with <bos> (1), end with <eos> (2), then padding (0)"""
    ids = rng.integers(4, 12, size=(batch, seq))
    ids[:, 0] = 1
    for b in range(batch):
        end = int(rng.integers(2, seq))
        ids[b, end], ids[b, end + 1:] = 2, 0
    return dict(ids=torch.from_numpy(ids))

@cases(dict(batch=3, seq=7), low=5)
def in_between(rng, batch, seq):
    """padding on the left and between tokens (pad_id=2)"""
    ids = rng.choice([0, 1, 3, 4, 5], size=(batch, seq))
    ids[0, :2], ids[1, [1, 3]], ids[2, [0, -2]] = 2, 2, 2
    return dict(ids=torch.from_numpy(ids), pad_id=2)

@cases(dict(batch=3, seq=4), low=3)
def nothing_but_padding(rng, batch, seq):
    """a batch whose second sentence is nothing but padding"""
    ids = sentences(rng, batch, seq)
    ids[1] = 0
    return dict(ids=torch.from_numpy(ids))

@cases(dict(seq=6), low=4)
def alone(rng, seq):
    """one sentence of {seq} tokens"""
    ids = sentences(rng, 1, seq)
    ids[0, -2:] = 0
    return dict(ids=torch.from_numpy(ids))

def after_first(pad):
    return pad.long().cumsum(1) > 0

INVERT = "your mask is inverted: it is True where the padding stands. True means: may be attended to. (`nn.MultiheadAttention`'s `key_padding_mask` means the opposite.)"
ZERO = "your mask hides the id 0 whatever `pad_id` is. Compare with `pad_id`."
rules = {
    "right": (lambda ids, pad: ids != pad, ""),
    "inverted": (lambda ids, pad: ids == pad, INVERT),
    "ignores-pad-id": (lambda ids, pad: ids != 0, ZERO),
    "inverted+ignores-pad-id": (lambda ids, pad: ids == 0, f"two things at once. First, {INVERT} Second, it looks for the id 0 whatever `pad_id` is."),
    "above": (lambda ids, pad: ids > pad, "your mask hides every id up to `pad_id`, and real tokens may have smaller ids. Only the id `pad_id` itself is padding."),
    "at-least": (lambda ids, pad: ids >= pad, "your mask shows `pad_id` itself and the ids above it. Only the id `pad_id` is to be hidden, and all others shown."),
    "below": (lambda ids, pad: ids < pad, "your mask shows only ids below `pad_id`. Every id except `pad_id` is a real token."),
    "at-most": (lambda ids, pad: ids <= pad, "your mask shows only ids up to `pad_id`. Every id except `pad_id` is a real token."),
    "trailing": (lambda ids, pad: (ids != pad).flip(1).long().cumsum(1).flip(1) > 0, "your mask hides padding at the end of a sentence only. Padding may stand anywhere; look at each id by itself."),
    "from-first": (lambda ids, pad: ~after_first(ids == pad), "your mask hides everything after the first padding token, real tokens too. Look at each id by itself."),
    "first-pad-seen": (lambda ids, pad: ~(after_first(ids == pad) & (torch.nn.functional.pad(after_first(ids == pad), (1, 0))[:, :-1])), "your mask still shows the first padding token of a sentence: one too many."),
    "by-length": (lambda ids, pad: torch.arange(ids.shape[1]) < (ids != pad).sum(1, keepdim=True), "your mask counts the real tokens and shows that many from the start. Padding may stand anywhere; look at each id by itself."),
    "shifted": (lambda ids, pad: torch.nn.functional.pad(ids != pad, (1, 0), value=True)[:, :-1], "your mask is shifted by one place: each token is judged by the id before it."),
    "shifted-left": (lambda ids, pad: torch.nn.functional.pad(ids != pad, (0, 1), value=False)[:, 1:], "your mask is shifted by one place: each token is judged by the id after it."),
    "all-true": (lambda ids, pad: ids == ids, "your mask hides nothing: every entry is True."),
    "all-false": (lambda ids, pad: ids != ids, "your mask hides everything: every entry is False."),
    "first-sentence": (lambda ids, pad: (ids[:1] != pad).expand(ids.shape), "your mask uses the first sentence for the whole batch. Each sentence has its own padding."),
    "common": (lambda ids, pad: (ids != pad).all(0, keepdim=True).expand(ids.shape), "your mask hides a place in every sentence as soon as one sentence has padding there. Each sentence has its own padding."),
    "anyone": (lambda ids, pad: (ids != pad).any(0, keepdim=True).expand(ids.shape), "your mask shows a place in every sentence as soon as one sentence has a token there. Each sentence has its own padding."),
    "specials": (lambda ids, pad: (ids > 3) & (ids != pad), "your mask hides the special tokens (ids 1 to 3) as well. Only padding is to be hidden: `<bos>`, `<eos>` and `<unk>` may be seen."),
    "end-token": (lambda ids, pad: (ids != 2) & (ids != pad), "your mask hides the id 2 (`<eos>`) as well. Only padding is to be hidden."),
    "begin-token": (lambda ids, pad: (ids != 1) & (ids != pad), "your mask hides the id 1 (`<bos>`) as well. Only padding is to be hidden."),
    "whole-sentence": (lambda ids, pad: (ids != pad).any(1, keepdim=True).expand(ids.shape), "your mask decides for a sentence as a whole. Each place must be judged by itself."),
    "full-sentences": (lambda ids, pad: (ids != pad).all(1, keepdim=True).expand(ids.shape), "your mask hides every sentence that has any padding. Each place must be judged by itself."),
    "causal-too": (lambda ids, pad: (ids != pad) & (ids != pad).long().cumsum(1).gt(1), "the first real token of each sentence is hidden as well. Only padding is to be hidden."),
}
QUERIES = "your mask stands on the axis of the queries, (batch, 1, seq, 1): it would silence padding that asks, and still let every token listen to padding. The keys stand on the last axis."
layouts = {
    "right": (lambda m: m[:, None, None, :], ""),
    "no-axes": (lambda m: m, "your mask has the shape (batch, seq). It must line up with scores of shape (batch, num_heads, seq_q, seq_k): two axes of length 1 are missing."),
    "three-axes": (lambda m: m[:, None, :], "your mask has the shape (batch, 1, seq). Scores have four axes, (batch, num_heads, seq_q, seq_k): one axis of length 1 is missing."),
    "on-queries": (lambda m: m[:, None, :, None], QUERIES),
    "on-queries-three": (lambda m: m[:, :, None], "your mask has the shape (batch, seq, 1): an axis is missing, and its last axis is not the one of the keys."),
    "keys-by-heads": (lambda m: m[:, :, None, None], "your mask has its tokens on the axis of the heads, (batch, seq, 1, 1). The keys stand on the last axis."),
    "batch-third": (lambda m: m[None, None], "your mask has the shape (1, 1, batch, seq): its batch stands where the queries should. The batch comes first."),
    "batch-second": (lambda m: m[None, :, None], "your mask has the shape (1, batch, 1, seq): its batch stands on the axis of the heads. The batch comes first."),
    "five-axes": (lambda m: m[:, None, None, None, :], "your mask has five axes. Scores have four: (batch, num_heads, seq_q, seq_k)."),
    "for-each-query": (lambda m: m[:, None, None, :].repeat(1, 1, m.shape[1], 1), "your mask is repeated for each query, (batch, 1, seq, seq). Leave that axis at length 1: queries may be of another length than keys."),
    "both-sides": (lambda m: m[:, None, None, :] & m[:, None, :, None], "your mask has the shape (batch, 1, seq, seq) and hides queries as well as keys. It needs the keys only: (batch, 1, 1, seq)."),
    "transposed": (lambda m: m.T[:, None, None, :], "your mask has batch and tokens swapped."),
}
NUMBERS = "your mask holds numbers (0 and 1), not booleans."
forms = {
    "right": (lambda m: m, ""),
    "numbers": (lambda m: m.float(), NUMBERS),
    "integers": (lambda m: m.long(), NUMBERS),
    "additive": (lambda m: torch.zeros(m.shape).masked_fill(~m, float("-inf")), "your mask is an additive one: 0 where a key may be seen, −inf where not. Here masks are boolean."),
    "additive-big": (lambda m: torch.zeros(m.shape).masked_fill(~m, -1e9), "your mask is an additive one: 0 where a key may be seen, a huge negative number where not. Here masks are boolean."),
}

def hiding(rule, layout=layouts["right"][0], form=forms["right"][0]):
    def padding_mask(ids, pad_id=0):
        return form(layout(rule(ids, pad_id)))
    return padding_mask

for r, (rule, one) in rules.items():
    for l, (layout, two) in layouts.items():
        for f, (form, three) in forms.items():
            common = r in ("right", "inverted", "ignores-pad-id", "inverted+ignores-pad-id")
            odd = sum(x != "right" for x in (r, l, f))
            if odd == 0 or (odd == 2 and not (common or l == "right")) or (odd == 2 and f not in ("right", "numbers", "integers")) or odd == 3:
                continue
            said = [text for text in (one, two, three) if text]
            says = said[0] if len(said) == 1 else f"two things at once. First, {said[0]} Second, {said[1]}"
            wrong("+".join(x for x in (r, l, f) if x != "right"), says=says)(hiding(rule, layout, form))
wrong("as-list", says="your mask is a Python list. Return a tensor.")(hiding(rules["right"][0], form=lambda m: m.tolist()))
wrong("as-numpy", says="your mask is a NumPy array. Return a tensor.")(hiding(rules["right"][0], form=lambda m: m.numpy()))
wrong("squeezed", says="your mask has lost its axes of length 1 (a `squeeze`): with one sentence in the batch, the batch axis is lost too.")(hiding(rules["right"][0], form=lambda m: m.squeeze()))
wrong("ids-returned", says="your output holds the ids themselves. A mask holds booleans: True where the token is a real one.")(hiding(lambda ids, pad: ids))
wrong("ids-with-zeros", says="your output holds ids, with 0 where padding stands. A mask holds booleans: True where the token is a real one.")(hiding(lambda ids, pad: ids.masked_fill(ids == pad, 0)))
wrong("nothing-returned", says="your function ends without giving anything back: is a `return` missing?")(hiding(rules["right"][0], form=lambda m: None))

@wrong("in-place", says="your function changes its argument `ids` in place. The model still needs the ids.")
def writes_into_ids(ids, pad_id=0):
    ids[ids == pad_id] = 0
    ids[ids != pad_id] = 1
    return ids.bool()[:, None, None, :]

@right
def unsqueezed(ids, pad_id=0):
    return ids.ne(pad_id).unsqueeze(1).unsqueeze(2)

@right
def viewed(tokens, pad_id=0):
    batch, seq = tokens.shape
    return torch.logical_not(tokens == pad_id).view(batch, 1, 1, seq)

@right
def by_loops(ids, pad_id=0):
    mask = torch.ones(ids.size(0), 1, 1, ids.size(1), dtype=torch.bool)
    for b in range(ids.size(0)):
        for j in range(ids.size(1)):
            if ids[b, j].item() == pad_id:
                mask[b, 0, 0, j] = False
    return mask

@right
def by_difference(ids, pad_id=0):
    return (ids - pad_id).bool()[:, None, None]

@right
def through_where(ids, pad_id=0):
    return torch.where(ids == pad_id, False, True).reshape(len(ids), 1, 1, -1)

@right
def stacked(ids, pad_id=0):
    return torch.stack([(sentence != pad_id)[None, None] for sentence in ids])

@truth
def by_python(ids, pad_id=0):
    return torch.tensor([[[[token != pad_id for token in sentence]]] for sentence in ids.tolist()])

@truth
def by_numpy(ids, pad_id=0):
    return torch.from_numpy(np.expand_dims(np.logical_not(np.isin(ids.numpy(), [pad_id])), (1, 2)))

# %% [markdown] exercise="decoder_mask" part="prompt" points=5 difficulty=2 minutes=6
# ### Exercise 3 · `decoder_mask`
#
# A decoder hides both. Query $i$ may see key $j$ where $j \le i$ **and** token $j$ is no padding.
#
# | argument | shape | meaning |
# |---|---|---|
# | `ids` | `(batch, seq)`, integers | a batch of sentences, padded |
# | `pad_id` | a number | the id that means padding |
# | returns | `(batch, 1, seq, seq)`, boolean | True where query $i$ of that sentence may see key $j$ |
#
# Use your two functions. (If one of them does not pass yet, its mistake is not held against you here: while this
# exercise is checked, a working one stands in for it.)

# %% exercise="decoder_mask" part="solution"
def decoder_mask(ids: Tensor, pad_id: int = 0) -> Tensor:
    """Which keys a decoder's queries may see: the past and themselves, without padding.

    ids:     (batch, seq), integers
    pad_id:  the id of the padding token
    returns: (batch, 1, seq, seq), boolean
    """
    ### BEGIN SOLUTION
    return padding_mask(ids, pad_id) & causal_mask(ids.shape[1], device=ids.device)
    ### END SOLUTION

# %% exercise="decoder_mask" part="check"
check(decoder_mask, keeps_inputs, right_shape, matches)

# %% exercise="decoder_mask" part="hidden"
check(decoder_mask, keeps_inputs, right_shape, matches, cases="hidden")

# %% [markdown] exercise="decoder_mask" part="hints"
# - Write down the two shapes, `(batch, 1, 1, seq)` and `(seq, seq)`, one under the other, right-aligned. What does
#   broadcasting make of them?
# - A key may be seen where both masks allow it. For boolean tensors `&` is "and", `|` is "or".
# - The causal mask must live on the same device as the ids: every tensor knows its own `.device`.

# %% exercise="decoder_mask" part="library"
def decoder_mask(ids: Tensor, pad_id: int = 0) -> Tensor:
    """By two float masks of PyTorch, added: what is 0 in both may be seen."""
    future = torch.nn.Transformer.generate_square_subsequent_mask(ids.shape[1], device=ids.device)
    padding = torch.zeros_like(ids, dtype=future.dtype).masked_fill(torch.eq(ids, pad_id), float("-inf"))
    return torch.add(future, padding.unflatten(1, (1, 1, -1))).isfinite()

# %% exercise="decoder_mask" part="variants"
def sentences(rng, batch, seq, pad_id=0, others=range(1, 12)):
    ids = rng.choice([x for x in others if x != pad_id], size=(batch, seq))
    for b in range(1, batch):
        ids[b, seq - int(rng.integers(1, seq - 1)):] = pad_id
    return ids

@cases(dict(batch=2, seq=5), dict(batch=4, seq=6), low=4)
def drawn(rng, batch, seq):
    """{batch} sentences of {seq} tokens, padded with 0"""
    return dict(ids=torch.from_numpy(sentences(rng, batch, seq)))

@cases(dict(batch=3, seq=6), low=5)
def other_pad(rng, batch, seq):
    """{batch} sentences of {seq} tokens, with pad_id=5, and with tokens below and above 5"""
    ids = sentences(rng, batch, seq, 5, range(9))
    ids[0, :3] = [0, 8, 3]
    return dict(ids=torch.from_numpy(ids), pad_id=5)

@cases(dict(batch=3, seq=7), low=5)
def in_between(rng, batch, seq):
    """padding on the left, so that the first queries see nothing, and between tokens (pad_id=2)"""
    ids = rng.choice([0, 1, 3, 4, 5], size=(batch, seq))
    ids[0, :2], ids[1, [1, 3]], ids[2, [0, -2]] = 2, 2, 2
    return dict(ids=torch.from_numpy(ids), pad_id=2)

@cases(dict(batch=3, seq=4), low=4)
def nothing_but_padding(rng, batch, seq):
    """a batch whose second sentence is nothing but padding"""
    ids = sentences(rng, batch, seq)
    ids[1] = 0
    return dict(ids=torch.from_numpy(ids))

@cases(dict(n=4), low=4)
def as_many_as_tokens(rng, n):
    """{n} sentences of {n} tokens each"""
    return dict(ids=torch.from_numpy(sentences(rng, n, n)))

@cases(dict(seq=6), low=5)
def alone(rng, seq):
    """one sentence of {seq} tokens"""
    ids = sentences(rng, 1, seq)
    ids[0, -2:] = 0
    return dict(ids=torch.from_numpy(ids))

def where_in(ids):
    n = ids.shape[1]
    return torch.arange(n)[:, None], torch.arange(n)[None, :]

future = {
    "right": (lambda i, j: j <= i, ""),
    "strict": (lambda i, j: j < i, "your tokens cannot see themselves: the diagonal is hidden. Query i may see keys 0 to i."),
    "one-future": (lambda i, j: j <= i + 1, "each of your tokens sees one token of the future. That is the very token it is to predict."),
    "upper": (lambda i, j: j >= i, "your tokens see the future and not the past: the other triangle, or rows and columns swapped."),
    "inverted-causal": (lambda i, j: j > i, "your causal part is inverted: it shows exactly the future."),
    "no-causal": (lambda i, j: j >= 0 * i, "the future is not hidden: your mask only looks at padding. Query i may see keys 0 to i."),
}
def on_keys(m): return m[:, None, None, :]
def on_queries(m): return m[:, None, :, None]
padding = {
    "right": (lambda ids, pad: on_keys(ids != pad), ""),
    "inverted-padding": (lambda ids, pad: on_keys(ids == pad), "your padding part is inverted: it shows exactly the padding."),
    "ignores-pad-id": (lambda ids, pad: on_keys(ids != 0), "your mask hides the id 0 whatever `pad_id` is: hand `pad_id` on."),
    "on-queries": (lambda ids, pad: on_queries(ids != pad), "your mask hides padding that asks and shows padding that is asked. Padding must be hidden as a key: on the last axis."),
    "on-both": (lambda ids, pad: on_keys(ids != pad) & on_queries(ids != pad), "your mask also hides everything from queries that are padding. Hide keys only: what a padding query answers is left out of the loss later."),
    "no-padding": (lambda ids, pad: on_keys(ids == ids), "padding is not hidden: your mask only looks at the future."),
    "above": (lambda ids, pad: on_keys(ids > pad), "your mask hides every id up to `pad_id`. Only the id `pad_id` itself is padding."),
    "first-sentence": (lambda ids, pad: on_keys((ids[:1] != pad).expand(ids.shape)), "your mask uses the padding of the first sentence for the whole batch."),
    "from-first": (lambda ids, pad: on_keys((ids == pad).long().cumsum(1) == 0), "your mask hides everything from the first padding token on, real tokens too. Look at each id by itself."),
    "by-length": (lambda ids, pad: on_keys(torch.arange(ids.shape[1]) < (ids != pad).sum(1, keepdim=True)), "your mask counts the real tokens and shows that many from the start. Padding may stand anywhere; look at each id by itself."),
    "inverted-ignores": (lambda ids, pad: on_keys(ids == 0), "your padding part is inverted, and it looks for the id 0 whatever `pad_id` is."),
}
OR = "you join the two masks by \"or\" (`|`, or `+` on booleans): a key may be seen as soon as one mask allows it. Both must allow it."
joins = {
    "right": (lambda a, b: a & b, ""),
    "or": (lambda a, b: a | b, OR),
    "xor": (lambda a, b: a ^ b, "you join the two masks by \"exclusive or\": a key is shown where exactly one of them allows it. Both must allow it."),
    "equal": (lambda a, b: a == b, "you compare the two masks: a key is also shown where both forbid it. Both must allow it."),
    "inverted": (lambda a, b: ~(a & b), "your mask is inverted as a whole: True where a key must not be seen. True means: may be attended to."),
    "neither": (lambda a, b: ~(a | b), "your mask is True where both masks forbid a key. It must be True where both allow it."),
}
NUMBERS = "your mask holds numbers, not booleans."
endings = {
    "right": (lambda m: m, ""),
    "numbers": (lambda m: m.float(), NUMBERS),
    "integers": (lambda m: m.long(), NUMBERS),
    "additive": (lambda m: torch.zeros(m.shape).masked_fill(~m, float("-inf")), "your mask is an additive one: 0 where a key may be seen, −inf where not. Here masks are boolean."),
    "additive-big": (lambda m: torch.zeros(m.shape).masked_fill(~m, -1e9), "your mask is an additive one: 0 where a key may be seen, a huge negative number where not. Here masks are boolean."),
    "three-axes": (lambda m: m[:, 0], "your mask has the shape (batch, seq, seq). An axis of length 1 for the heads is missing after the batch."),
    "five-axes": (lambda m: m[:, None], "your mask has five axes; expected (batch, 1, seq, seq)."),
    "heads-first": (lambda m: m.transpose(0, 1), "your mask has the shape (1, batch, seq, seq): its batch stands on the axis of the heads."),
    "transposed": (lambda m: m.transpose(-2, -1), "queries and keys are swapped in your mask: rows are the tokens that ask, columns the ones that are asked."),
    "last-query": (lambda m: m[:, :, -1:], "your mask has one row only. It needs one row for each query: (batch, 1, seq, seq)."),
    "one-sentence": (lambda m: m[:1], "your mask is that of the first sentence only; the batch axis must hold all of them."),
}

def joined(c, p, how, ending):
    def decoder_mask(ids, pad_id=0):
        return ending(how(c(*where_in(ids)), p(ids, pad_id)))
    return decoder_mask

def signature(function):
    """What a function gives on some sentences, to leave out mistakes that come to the same."""
    drawn = np.random.default_rng(7)
    found = []
    for pad in (0, 5, 2):
        ids = drawn.integers(0, 7, size=(4, 6))
        ids[0, 4:], ids[2], ids[1, :2] = pad, pad, pad
        mask = function(torch.from_numpy(ids), pad_id=pad)
        found.append((str(mask.dtype).replace("int64", "float32"), tuple(mask.shape), mask.float().flatten().tolist()))
    return repr(found)

known = {signature(joined(*(options["right"][0] for options in (future, padding, joins, endings))))}
ordered = [(c, p, h, e) for c in future for p in padding for h in joins for e in endings]
for names in sorted(ordered, key=lambda names: sum(name != "right" for name in names)):
    odd = [name for name in names if name != "right"]
    c, p, h, e = names
    if not 1 <= len(odd) <= 2 or (len(odd) == 2 and (h in ("equal", "neither") or e in ("additive-big", "five-axes", "last-query", "one-sentence") or p in ("by-length", "first-sentence"))):
        continue
    parts = [options[name] for options, name in zip((future, padding, joins, endings), names)]
    function = joined(*(part[0] for part in parts))
    mark = signature(function)
    if mark in known:
        continue
    known.add(mark)
    said = [part[1] for part in parts if part[1]]
    wrong("+".join(odd), says=said[0] if len(said) == 1 else f"two things at once. First, {said[0]} Second, {said[1]}")(function)

ADDED = "your mask holds numbers, the two masks added (0, 1 or 2). Join booleans by \"and\"."
@wrong("added", says=ADDED)
def added(ids, pad_id=0):
    return (ids != pad_id).long()[:, None, None, :] + torch.ones(ids.shape[1], ids.shape[1]).tril().long()

@wrong("nothing-returned", says="your function ends without giving anything back: is a `return` missing?")
def nothing(ids, pad_id=0):
    return None

@wrong("pair", says="your function returns the two masks side by side. Join them into one.")
def pair(ids, pad_id=0):
    return (ids != pad_id)[:, None, None, :], torch.ones(ids.shape[1], ids.shape[1]).tril().bool()

@right
def written_out(ids, pad_id=0):
    places = torch.arange(ids.shape[-1], device=ids.device)
    return torch.logical_and(places[:, None] >= places, ids.ne(pad_id)[:, None, None])

@right
def as_a_product(ids, pad_id=0):
    seq = ids.size(1)
    return torch.tril(torch.ones(seq, seq)).bool() * (ids != pad_id).unsqueeze(1).unsqueeze(1)

@right
def one_sentence_after_the_other(ids, pad_id=0):
    masks = []
    for sentence in ids:
        square = torch.zeros(len(sentence), len(sentence), dtype=torch.bool)
        for i in range(len(sentence)):
            for j in range(i + 1):
                square[i, j] = sentence[j] != pad_id
        masks.append(square[None])
    return torch.stack(masks)

@right
def both_counted(ids, pad_id=0):
    seq = ids.shape[1]
    return (torch.tril(torch.ones(seq, seq)) + (ids != pad_id).float()[:, None, None, :]) == 2

@right
def expanded_first(ids, pad_id=0):
    batch, seq = ids.shape
    mask = (ids != pad_id).view(batch, 1, 1, seq).expand(batch, 1, seq, seq).clone()
    mask[:, :, torch.triu(torch.ones(seq, seq), diagonal=1).bool()] = False
    return mask

@right
def with_parts(ids, pad_id=0):
    return causal_mask(ids.size(1), ids.device) & padding_mask(ids, pad_id=pad_id)

@truth
def by_flex_attention(ids, pad_id=0):
    """PyTorch's own mask maker, from a rule on single places."""
    from torch.nn.attention.flex_attention import create_mask
    seen = lambda b, h, q, k: (k <= q) & (ids[b, k] != pad_id)
    return create_mask(seen, len(ids), 1, ids.shape[1], ids.shape[1], device="cpu")

@truth
def by_python(ids, pad_id=0):
    rows = ids.tolist()
    return torch.tensor([[[[j <= i and row[j] != pad_id for j in range(len(row))] for i in range(len(row))]] for row in rows])

# %% [markdown]
# Here is the mask of a small batch, as your `decoder_mask` makes it (or the course's, until yours passes). The second
# sentence is two tokens shorter.

# %% part="demo"
ids = torch.tensor([[1, 7, 9, 4, 2], [1, 8, 2, 0, 0]])
mask = use_part("decoder_mask")(ids)
for sentence, square in zip(ids.tolist(), mask[:, 0]):
    print("ids", sentence)
    for i, row in enumerate(square):
        print(f"   query {i} sees", " ".join("■" if seen else "·" for seen in row))

