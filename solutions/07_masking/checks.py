"""What the checks of unit 07 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% part="variants"
def sentences(rng, batch, seq, pad_id=0, others=range(1, 12), words=1):
    """Random ids; each sentence but the first ends in padding, behind `words` or more."""
    ids = rng.choice([x for x in others if x != pad_id], size=(batch, seq))
    for b in range(1, batch):
        ids[b, seq - int(rng.integers(1, seq + 1 - words)):] = pad_id
    return ids

# %% exercise="causal_mask" part="library"
from typing import Any

import torch
from torch import Tensor


def causal_mask(seq: int, device: torch.device | str | None = None) -> Tensor:
    """Where PyTorch's own float mask, 0 and −inf, is 0."""
    return torch.nn.Transformer.generate_square_subsequent_mask(seq, device=device) == 0


def device_object(called: str) -> torch.device:
    """A device, and not its name."""
    return torch.device(called)

# %% exercise="causal_mask" part="variants"
@cases(dict(n=4), dict(n=6), low=4)
def drawn(rng, n):
    """{n} tokens"""
    return dict(seq=n)

@cases(dict(n=600), hidden=[dict(n=1100)])
def many(rng, n):
    """{n} tokens"""
    return dict(seq=n)

@cases()
def single(rng):
    """one token, on "meta" and on the default device"""
    return [dict(seq=1, device="meta"), dict(seq=1)]

@cases(dict(n=5), low=4)
def on_meta(rng, n):
    """{n} tokens, device="meta\""""
    return dict(seq=n, device="meta")

@cases(dict(n=5), low=4)
def on_cpu(rng, n):
    """{n} tokens, device="cpu\""""
    return dict(seq=n, device="cpu")

@cases(dict(n=7), low=4)
def on_a_device_object(rng, n):
    """{n} tokens, and a `torch.device` object of "meta" as `device`"""
    return dict(seq=n, device=fixture("device_object", called="meta"))

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
def does(function):
    return [(mask.is_floating_point(), mask.tolist()) for mask in (function(4), function(6))]

chosen = [(name, form) for name in patterns for form in forms if name == "right" or form in ("right", "numbers", "integers", "additive", "additive-big")]
for name, form in sorted(chosen, key=lambda pair: sum(x != "right" for x in pair)):
    (rule, says), (change, also) = patterns[name], forms[form]
    function = placed(by_places(rule), change)
    if first_time(does, function) and (name, form) != ("right", "right"):
        both = two_things(says, also) if says and also else says or also
        wrong("+".join(x for x in (name, form) if x != "right"), says=both)(function)
for name in ("right", "strict", "one-future", "upper", "inverted"):
    for form in ("right", "numbers", "integers", "additive"):
        said = [text for text in (patterns[name][1], forms[form][1], DEVICE) if text]
        says = DEVICE if len(said) == 1 else f"{'two' if len(said) == 2 else 'three'} things at once: {' And '.join(said)}"
        mistake = "+".join(x for x in (name, form, "ignores-device") if x != "right")
        if name != "inverted" or form != "additive":
            wrong(mistake, says=says)(placed(by_places(patterns[name][0]), forms[form][0], False))

wrong("one-token-ignores-device", says="for a single token your mask ignores `device`: asked for another device, it still stands on the default one. One token is no exception.")(
    lambda seq, device=None: torch.ones(seq, seq, dtype=torch.bool, device=device if seq > 1 else None).tril())
wrong("only-named-devices", says="your mask follows `device` only where it is a string: a `torch.device` object is ignored, and the mask stands on the default device.")(
    lambda seq, device=None: torch.ones(seq, seq, dtype=torch.bool, device=device if isinstance(device, str) else None).tril())
RIGHT = by_places(patterns["right"][0])
shapes = {
    "four-axes": (lambda m: m[None, None], "your mask has the shape (1, 1, seq, seq). Two axes are asked for; broadcasting adds the others by itself."),
    "three-axes": (lambda m: m[None], "your mask has the shape (1, seq, seq). Two axes are asked for; broadcasting adds the others by itself."),
    "flat": (lambda m: m.flatten(), "your mask is one long row. It must be a table with one row and one column for each token."),
    "last-row": (lambda m: m[-1], "your output is a single row. The mask needs one row for each token that asks."),
    "one-too-few": (lambda m: m[:-1, :-1], "your mask is one row and one column too small."),
    "one-too-many": (lambda m: torch.ones(len(m) + 1, len(m) + 1, device=m.device).tril().bool(), "your mask is one row and one column too large."),
    "as-list": (lambda m: torch.ones(m.shape).tril().bool().tolist(), "your mask is a Python list. Return a tensor."),
    "as-numpy": (lambda m: torch.ones(m.shape).tril().bool().numpy(), "your mask is a NumPy array. Return a tensor: an array cannot live on a device."),
    "with-something": (lambda m: (m, m), "your function returns two things. Return the mask alone."),
}
for name, (change, says) in shapes.items():
    wrong(name, says=says)(placed(RIGHT, change))
for number in (3, 4, 5, 8, 10):
    wrong(f"always-{number}", says=f"your mask is always {number} by {number}. Its size must follow `seq`.")(placed(lambda n, number=number: RIGHT(number)))
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

# %% exercise="padding_mask" part="library"
def padding_mask(ids: Tensor, pad_id: int = 0) -> Tensor:
    """By PyTorch's set membership: every id outside the set of the padding id."""
    return torch.isin(ids, torch.tensor([pad_id], device=ids.device), invert=True).unflatten(1, (1, 1, -1))

# %% exercise="padding_mask" part="variants"
without("one: seq", because="its sentences end in padding; one token stands in a case of its own")

@cases(dict(batch=2, seq=5), dict(batch=4, seq=7), low=3)
def drawn(rng, batch, seq):
    """{batch} sentences of {seq} tokens, padded with 0"""
    return dict(ids=torch.from_numpy(sentences(rng, batch, seq)))

@cases()
def one_token(rng):
    """three sentences of one token, one of them padding"""
    return dict(ids=torch.tensor([[5], [0], [7]]))

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
    "inverted+ignores-pad-id": (lambda ids, pad: ids == 0, "your mask is inverted, and it looks for the id 0 whatever `pad_id` is: it is True exactly where the id is 0."),
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
    "opens-a-key": (lambda ids, pad: (ids != pad) | (ids == pad).all(1, keepdim=True) & (torch.arange(ids.shape[1]) == 0), "a sentence of nothing but padding gets its first key shown in your mask. All of it is padding, and should be hidden: what such a sentence gets is the softmax's concern (exercise 4)."),
    "opens-a-sentence": (lambda ids, pad: (ids != pad) | (ids == pad).all(1, keepdim=True), "a sentence of nothing but padding is shown whole in your mask. All of it is padding, and should be hidden: what such a sentence gets is the softmax's concern (exercise 4)."),
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
    **{f"for-{n}-heads": (lambda m, n=n: m[:, None, None, :].repeat(1, n, 1, 1), "your mask is repeated for several heads. Leave that axis at length 1: broadcasting serves any number of heads.") for n in (2, 3, 4, 8)},
    "first-of-batch": (lambda m: m[:1, None, None, :], "your mask holds the first sentence only. Each sentence has its own padding: keep the batch axis."),
    "all-of-batch": (lambda m: m.all(0)[None, None, None, :], "your mask has lost its batch axis: one mask for all sentences. Each sentence has its own padding."),
    "any-of-batch": (lambda m: m.any(0)[None, None, None, :], "your mask has lost its batch axis: one mask for all sentences. Each sentence has its own padding."),
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
            if odd == 0 or (odd == 2 and not (common or l == "right")) or (odd == 2 and f not in ("right", "numbers", "integers")) or (odd == 2 and ("heads" in l or "of-batch" in l) and l != "keys-by-heads") or odd == 3:
                continue
            said = [text for text in (one, two, three) if text]
            says = said[0] if len(said) == 1 else two_things(said[0], said[1])
            wrong("+".join(x for x in (r, l, f) if x != "right"), says=says)(hiding(rule, layout, form))
wrong("as-list", says="your mask is a Python list. Return a tensor.")(hiding(rules["right"][0], form=lambda m: m.tolist()))
wrong("as-numpy", says="your mask is a NumPy array. Return a tensor.")(hiding(rules["right"][0], form=lambda m: m.numpy()))
wrong("squeezed", says="your mask has lost its axes of length 1 (a `squeeze`): with one sentence in the batch, the batch axis is lost too.")(hiding(rules["right"][0], form=lambda m: m.squeeze()))
wrong("longest-for-all", says="your mask shows as many places of each sentence as the longest sentence of the batch has tokens. Each sentence has its own padding.")(
    hiding(lambda ids, pad: (torch.arange(ids.shape[1]) < (ids != pad).sum(1).max()).expand(ids.shape)))
wrong("read-by-columns", says="the shape of your mask is right, but its entries are mixed up: read column by column of `ids`, they are written row by row, so that sentences get places of others. Only insert axes.")(
    hiding(lambda ids, pad: (ids != pad).T.reshape(ids.shape)))
wrong("first-key-open", says="the first place of every sentence is shown in your mask, also where padding stands there. Padding may stand anywhere, and all of it is hidden.")(
    hiding(lambda ids, pad: (ids != pad) | (torch.arange(ids.shape[1]) == 0)))
wrong("ids-returned", says="your output holds the ids themselves. A mask holds booleans: True where the token is a real one.")(hiding(lambda ids, pad: ids))
wrong("ids-with-zeros", says="your output holds ids, with 0 where padding stands. A mask holds booleans: True where the token is a real one.")(hiding(lambda ids, pad: ids.masked_fill(ids == pad, 0)))
wrong("nothing-returned", says="your function ends without giving anything back: is a `return` missing?")(hiding(rules["right"][0], form=lambda m: None))

wrong("python-not", says="your code uses Python's `not` (or `and`, `or`, `if`) on a whole tensor, which asks for one single truth value. A tensor is turned round entry by entry, by an operator.")(hiding(lambda ids, pad: not (ids == pad)))

IN_PLACE = "your function changes its argument `ids` in place. The model still needs the ids."
@wrong("in-place-zeros", says=IN_PLACE)
def writes_zeros(ids, pad_id=0):
    seen = ids != pad_id
    ids[~seen] = 0
    return seen[:, None, None, :]

@wrong("in-place-zeros-compared", says=IN_PLACE + " Besides, an id 0 that is no padding is then taken for padding.")
def writes_zeros_and_compares(ids, pad_id=0):
    ids[ids == pad_id] = 0
    return (ids != 0)[:, None, None, :]

@wrong("in-place", says=IN_PLACE)
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

# %% exercise="decoder_mask" part="library"
def decoder_mask(ids: Tensor, pad_id: int = 0) -> Tensor:
    """By two float masks of PyTorch, added: what is 0 in both may be seen."""
    future = torch.nn.Transformer.generate_square_subsequent_mask(ids.shape[1], device=ids.device)
    padding = torch.zeros_like(ids, dtype=future.dtype).masked_fill(torch.eq(ids, pad_id), float("-inf"))
    return torch.add(future, padding.unflatten(1, (1, 1, -1))).isfinite()


def ids_on_two_devices(ids: Tensor) -> Any:
    """`ids` as they are, and where the mask of these is right, once more on PyTorch's "meta" device, which computes shapes only."""
    from autograder.formats.fixtures import Driver
    from autograder.library.devices import works_on_another_device
    from autograder.library.quiet import paused

    def drive(function: Any) -> dict[str, Any]:
        def elsewhere() -> bool:
            return works_on_another_device(lambda device: function(ids.to(device)))

        mask = function(ids)
        with paused():  # the course asks itself here, and not the learner's code
            due = decoder_mask(ids)
        right = isinstance(mask, Tensor) and mask.dtype == torch.bool and torch.equal(mask, due)
        return {"mask": mask, "works on another device": not right or elsewhere()}

    return Driver(drive)

# %% exercise="decoder_mask" part="variants"
without("one: seq", because="its sentences end in padding; one token stands in a case of its own")

@cases()
def one_token(rng):
    """three sentences of one token, one of them padding"""
    return dict(ids=torch.tensor([[5], [0], [7]]))

@cases(dict(batch=2, seq=5), dict(batch=4, seq=6), low=4)
def drawn(rng, batch, seq):
    """{batch} sentences of {seq} tokens, padded with 0"""
    return dict(ids=torch.from_numpy(sentences(rng, batch, seq, words=2)))

@cases(dict(batch=3, seq=6), low=5)
def other_pad(rng, batch, seq):
    """{batch} sentences of {seq} tokens, with pad_id=5, and with tokens below and above 5"""
    ids = sentences(rng, batch, seq, 5, range(9), words=2)
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
    ids = sentences(rng, batch, seq, words=2)
    ids[1] = 0
    return dict(ids=torch.from_numpy(ids))

@cases(dict(n=4), low=4)
def as_many_as_tokens(rng, n):
    """{n} sentences of {n} tokens each"""
    return dict(ids=torch.from_numpy(sentences(rng, n, n, words=2)))

@cases(dict(batch=2, seq=3), low=2)
def without_padding(rng, batch, seq):
    """{batch} sentences of {seq} tokens, none of them padded"""
    return dict(ids=torch.from_numpy(rng.integers(1, 9, size=(batch, seq))))

@cases(dict(seq=6), low=5)
def alone(rng, seq):
    """one sentence of {seq} tokens"""
    ids = sentences(rng, 1, seq, words=2)
    ids[0, -2:] = 0
    return dict(ids=torch.from_numpy(ids))

@cases(dict(batch=3, seq=5), low=4)
def on_two_devices(rng, batch, seq):
    """{batch} sentences of {seq} tokens, and whether your code works on another device"""
    return dict(ids=fixture("ids_on_two_devices", ids=torch.from_numpy(sentences(rng, batch, seq, words=2))))

def where_in(ids):
    n = ids.shape[1]
    return torch.arange(n, device=ids.device)[:, None], torch.arange(n, device=ids.device)[None, :]

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
    "by-length": (lambda ids, pad: on_keys(torch.arange(ids.shape[1], device=ids.device) < (ids != pad).sum(1, keepdim=True)), "your mask counts the real tokens and shows that many from the start. Padding may stand anywhere; look at each id by itself."),
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
    "last-query": (lambda m: m[:, :, -1:], "your mask has one row only, (batch, 1, 1, seq), as a padding mask has. It needs one row for each query, since each has another future: (batch, 1, seq, seq)."),
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

first_time(signature, joined(*(options["right"][0] for options in (future, padding, joins, endings))))
ordered = [(c, p, h, e) for c in future for p in padding for h in joins for e in endings]
for names in sorted(ordered, key=lambda names: sum(name != "right" for name in names)):
    odd = [name for name in names if name != "right"]
    c, p, h, e = names
    if not 1 <= len(odd) <= 2 or (len(odd) == 2 and (h in ("equal", "neither") or e in ("additive-big", "five-axes", "last-query", "one-sentence") or p in ("by-length", "first-sentence"))):
        continue
    parts = [options[name] for options, name in zip((future, padding, joins, endings), names)]
    function = joined(*(part[0] for part in parts))
    if not first_time(signature, function):
        continue
    said = [part[1] for part in parts if part[1]]
    wrong("+".join(odd), says=said[0] if len(said) == 1 else two_things(said[0], said[1]))(function)

@wrong("padding-sees-itself", says="where padding stands, your mask lets it see itself. Padding is hidden as a key from every query: what such a query gets is the softmax's concern (exercise 4).")
def padding_sees_itself(ids, pad_id=0):
    return padding_mask(ids, pad_id) & causal_mask(ids.shape[1], ids.device) | torch.eye(ids.shape[1], dtype=torch.bool, device=ids.device)

@wrong("first-key-open", says="the first key of every sentence is shown in your mask, also where it is padding. All padding is hidden: what a query that sees nothing gets is the softmax's concern (exercise 4).")
def first_key_open(ids, pad_id=0):
    return padding_mask(ids, pad_id) & causal_mask(ids.shape[1], ids.device) | (torch.arange(ids.shape[1], device=ids.device) == 0)

@wrong("unpadded-batch-lost", says="where no sentence is padded, your mask has one sentence only. It keeps its batch axis, (batch, 1, seq, seq), whatever the sentences hold.")
def unpadded(ids, pad_id=0):
    future = torch.ones(ids.shape[1], ids.shape[1], device=ids.device).tril().bool()[None, None]
    real = on_keys(ids != pad_id)
    return future if not ids.is_meta and real.all() else future & real

ADDED = "your mask holds numbers, the two masks added (0, 1 or 2). Join booleans by \"and\"."
@wrong("added", says=ADDED)
def added(ids, pad_id=0):
    return (ids != pad_id).float()[:, None, None, :] + torch.ones(ids.shape[1], ids.shape[1]).tril()

@wrong("nothing-returned", says="your function ends without giving anything back: is a `return` missing?")
def nothing(ids, pad_id=0):
    return None

AMBIGUOUS = "your code joins tensors by Python's `and`, `or` or `not`, which ask for one single truth value. Tensors are joined entry by entry, by operators."
@wrong("python-and", says=AMBIGUOUS)
def python_and(ids, pad_id=0):
    return (ids != pad_id)[:, None, None, :] and torch.ones(ids.shape[1], ids.shape[1]).tril().bool()

wrong("ignores-device", (", device=ids.device", ""), says="your mask is right, but not where `ids` lie on another device, such as a GPU: a tensor that your code makes lies on the default one. The mask belongs where `ids` are.")
wrong("as-long-as-the-batch", ("ids.shape[1]", "ids.shape[0]"), says="your causal mask is as long as the batch: its length is the number of sentences. The number of tokens in a sentence counts, axis 1 of `ids`.")

@wrong("causal-alone", says="your output is a causal mask, (seq, seq), and nothing else: padding is not hidden, and the axes of batch and heads are missing.")
def causal_alone(ids, pad_id=0):
    return torch.ones(ids.shape[1], ids.shape[1]).tril().bool()

@wrong("causal-four-axes", says="your output is one causal mask for the whole batch, (1, 1, seq, seq): padding is not hidden.")
def causal_four_axes(ids, pad_id=0):
    return torch.ones(1, 1, ids.shape[1], ids.shape[1]).tril().bool()

for number in (2, 3, 4, 8):
    wrong(f"repeated-{number}", says="your mask is repeated for several heads. Leave that axis at length 1: broadcasting serves any number of heads.")(
        joined(*(options["right"][0] for options in (future, padding, joins)), lambda m, number=number: m.repeat(1, number, 1, 1)))

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
    return torch.tril(torch.ones(seq, seq, device=ids.device)).bool() * (ids != pad_id).unsqueeze(1).unsqueeze(1)

@right
def one_sentence_after_the_other(ids, pad_id=0):
    masks = []
    for sentence in ids:
        square = torch.zeros(len(sentence), len(sentence), dtype=torch.bool, device=ids.device)
        for i in range(len(sentence)):
            for j in range(i + 1):
                square[i, j] = sentence[j] != pad_id
        masks.append(square[None])
    return torch.stack(masks)

@right
def both_counted(ids, pad_id=0):
    seq = ids.shape[1]
    return (torch.tril(torch.ones(seq, seq, device=ids.device)) + (ids != pad_id).float()[:, None, None, :]) == 2

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
    return create_mask(seen, len(ids), 1, ids.shape[1], ids.shape[1], device=ids.device)

@truth
def by_python(ids, pad_id=0):
    rows = ids.tolist()
    return torch.tensor([[[[j <= i and row[j] != pad_id for j in range(len(row))] for i in range(len(row))]] for row in rows], device=ids.device)

# %% exercise="masked_softmax" part="library"
def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """By PyTorch's fused attention: the scores as queries, and the unit matrix as keys and values."""
    size = scores.shape[-1]
    unit = torch.eye(size, dtype=scores.dtype, device=scores.device).expand(*scores.shape[:-2], size, size)
    attend = torch.nn.functional.scaled_dot_product_attention
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        return attend(scores, unit, unit, attn_mask=mask, scale=1.0)

# %% exercise="masked_softmax" part="variants"
@cases(dict(batch=2, num_heads=3, seq_q=4, seq_k=5), dict(batch=3, num_heads=2, seq_q=6, seq_k=4), low=3, high=7)
def padded(rng, batch, num_heads, seq_q, seq_k):
    """scores ({batch}, {num_heads}, {seq_q}, {seq_k}), a padding mask ({batch}, 1, 1, {seq_k})"""
    return dict(scores=floats(rng, batch, num_heads, seq_q, seq_k), mask=some_hidden(rng, batch, 1, 1, seq_k))

@cases(dict(batch=3, num_heads=2, seq_q=5, seq_k=4), low=3, high=7)
def with_a_hidden_row(rng, batch, num_heads, seq_q, seq_k):
    """a mask ({batch}, 1, {seq_q}, {seq_k}) with a row that hides everything and one that hides nothing; gradients too"""
    mask = some_hidden(rng, batch, 1, seq_q, seq_k)
    mask[0, 0, 1], mask[-1, 0, 2], mask[1, 0, 0] = False, False, True
    return differentiable(scores=floats(rng, batch, num_heads, seq_q, seq_k), mask=mask)

@cases(dict(batch=2, num_heads=3, seq_q=5, seq_k=4), low=3, high=7)
def different_by_head(rng, batch, num_heads, seq_q, seq_k):
    """a mask of its own for each head, ({batch}, {num_heads}, {seq_q}, {seq_k}); gradients too"""
    return differentiable(scores=floats(rng, batch, num_heads, seq_q, seq_k), mask=some_hidden(rng, batch, num_heads, seq_q, seq_k))

@cases(dict(batch=3, num_heads=2, n=5), low=3, high=7)
def square(rng, batch, num_heads, n):
    """scores ({batch}, {num_heads}, {n}, {n}), a padding mask ({batch}, 1, 1, {n})"""
    return dict(scores=floats(rng, batch, num_heads, n, n), mask=some_hidden(rng, batch, 1, 1, n))

@cases(dict(seq_k=5), low=4)
def beyond_the_exponential(rng, seq_k):
    """hidden scores about 200 above the visible ones, {seq_k} keys; gradients too"""
    seen = some_hidden(rng, 1, 1, 3, seq_k)
    scores = rng.normal(size=(1, 2, 3, seq_k)) + np.where(seen, 0.0, 200.0)
    return differentiable(scores=torch.from_numpy(scores.astype("float32")), mask=seen)

@cases(dict(batch=2, num_heads=3, n=4), low=4, high=7)
def causal(rng, batch, num_heads, n):
    """a causal mask ({n}, {n}) for scores ({batch}, {num_heads}, {n}, {n})"""
    return dict(scores=floats(rng, batch, num_heads, n, n), mask=torch.from_numpy(np.tri(n, dtype=bool)))

@cases(dict(seq_k=6), low=4)
def far_from_zero(rng, seq_k):
    """rows near 0, −40, −400, −1500 and 1000, each with hidden keys"""
    levels = np.array([0.0, -40, -400, -1500, 1000], dtype="float32")[:, None]
    scores = rng.normal(size=(1, 2, 5, seq_k)).astype("float32") + levels
    return dict(scores=torch.from_numpy(scores), mask=some_hidden(rng, 1, 1, 5, seq_k))

@cases(dict(seq_k=5), low=4)
def high_hidden_scores(rng, seq_k):
    """hidden scores about 10 above the visible ones, {seq_k} keys, of which the first query sees all"""
    seen = some_hidden(rng, 1, 1, 4, seq_k)
    seen[..., 0, :] = True
    scores = rng.normal(size=(1, 2, 4, seq_k)) / 4 + np.where(seen, 0.0, 10.0)
    return dict(scores=torch.from_numpy(scores.astype("float32")), mask=seen)

@cases(dict(seq_k=5), low=4)
def hidden_scores_far_above(rng, seq_k):
    """a hidden score 60, 400 and 13,500 above the visible ones, {seq_k} keys"""
    seen = some_hidden(rng, 1, 1, 3, seq_k)
    levels, above = np.array([[0.0], [-300.0], [-1500.0]]), np.array([[60.0], [100.0], [12_000.0]])
    one = ~seen & ((~seen).cumsum(-1) == 1)  # one in each row: of several, the last digit would decide which is largest
    scores = np.where(one, above, rng.normal(size=(1, 2, 3, seq_k)) + levels)
    return dict(scores=torch.from_numpy(scores.astype("float32")), mask=seen)

@cases(dict(seq_k=6), low=4)
def other_levels(rng, seq_k):
    """three calls of one shape, with scores near 0, then near 1000, then near −1500; {seq_k} keys"""
    return [dict(scores=floats(rng, 1, 3, 2, seq_k) + level, mask=some_hidden(rng, 1, 1, 2, seq_k)) for level in (0.0, 1000.0, -1500.0)]

@cases(dict(seq_k=5), low=4)
def far_below(rng, seq_k):
    """one key of {seq_k} may be seen, with a score of −20,000; the hidden ones lie around 0"""
    seen = torch.from_numpy(rng.permuted(np.tile(np.arange(seq_k) == 0, (1, 2, 3, 1)), axis=-1))
    return dict(scores=torch.where(seen, -20_000.0, floats(rng, 1, 2, 3, seq_k)), mask=seen)

INF = float("inf")

def weigh(fill=None, clean="hidden", invert=False, dim=-1):
    """A masked softmax with these choices; `fill` None is the lowest finite number."""
    def masked_softmax(scores, mask):
        seen = ~mask if invert else mask
        filled = scores.masked_fill(~seen, torch.finfo(scores.dtype).min if fill is None else fill)
        if dim == "all":
            weights = torch.softmax(filled.flatten(1), dim=1).view(scores.shape)
        else:
            weights = torch.softmax(filled, dim=dim)
        if clean == "hidden":
            return weights.masked_fill(~seen, 0.0)
        return weights.nan_to_num(0.0) if clean == "nan" else weights
    return masked_softmax

def plainly(function):
    def masked_softmax(scores, mask):
        return function(scores, mask)
    return masked_softmax

def share(weights, dim, eps=0.0):
    total = weights.sum(dim, keepdim=True)
    return weights / torch.where(total > 0, total + eps, 1.0)
NAN = "a row in which every key is hidden comes out as NaN: a softmax over nothing is 0/0. All weights of such a row must be 0."
EVEN = "a row in which every key is hidden gets equal weights, on keys that it may not see. All weights of such a row must be 0."
PLAIN = "a row in which every key is hidden has the weights that it would have without a mask. All weights of such a row must be 0."
INVERT = "your mask is read the wrong way round: your weights lie on exactly the keys that are hidden. Here True means \"may be attended to\" (as in `F.scaled_dot_product_attention`); `nn.MultiheadAttention` means the opposite."
SMALL = "hidden keys still get weight: you give them a score that is not far enough below all the others. Scores may be as low as −1500, and a hidden key must stay below them."
ZERO = "hidden keys still get weight: their score is 0 in your code (or next to 0, as 1e-9 is), and exp(0) = 1. A hidden key needs a score whose exponential is 0."
LATE = "you hide the keys after the softmax, and your rows sum to less than 1: the hidden scores still stand in the denominator. A hidden key must not be counted either."
AXES = {
    -2: "your weights sum to 1 over the queries, down each column. Each query shares out its own weight: along the last axis, over the keys.",
    1: "your softmax runs along the axis of the heads. It must run along the last axis, over the keys.",
    0: "your softmax runs along the batch axis. It must run along the last axis, over the keys.",
    "all": "your softmax runs over all heads, queries and keys at once. Each row by itself must sum to 1, along the last axis.",
}
# Choices that can go wrong by themselves or together: the sentence, the keywords.
wrong("nan-row", says=NAN)(weigh(-INF, "no"))
wrong("even-row", says=EVEN)(weigh(None, "no"))
wrong("inverted", says=INVERT)(weigh(invert=True))
wrong("inverted+nan-row", says=two_things(INVERT, NAN))(weigh(-INF, "no", invert=True))
wrong("inverted+even-row", says=two_things(INVERT, EVEN))(weigh(None, "no", invert=True))
for dim, says in AXES.items():
    wrong(f"axis-{dim}", says=says)(weigh(dim=dim))
    wrong(f"axis-{dim}+no-mask", says=f"two things at once. First, {says} Second, the mask is not used.")(plainly(
        lambda s, m, dim=dim: torch.softmax(s.flatten(1), 1).view(s.shape) if dim == "all" else torch.softmax(s, dim)))
    wrong(f"axis-{dim}+inverted", says=two_things(says, INVERT))(weigh(dim=dim, invert=True))
    wrong(f"axis-{dim}+late", says=f"two things at once. First, {says} Second, you hide the keys after the softmax, so they still stand in the denominator.")(plainly(
        lambda s, m, dim=dim: (torch.softmax(s.flatten(1), 1).view(s.shape) if dim == "all" else torch.softmax(s, dim)) * m))
    if dim == "all":  # it finds something to share out in each item: no NaN, nothing else
        continue
    wrong(f"axis-{dim}+nan", says=f"{says} (Besides, NaN stands where a softmax had nothing to share out: 0/0.)")(weigh(-INF, "no", dim=dim))
    wrong(f"axis-{dim}+even", says=f"{says} (Besides, where a softmax had hidden keys only, they get weight.)")(weigh(None, "no", dim=dim))
for number in (1, 2, 5, 9, 10, 15, 20, 30, 50, 99, 100, 200, 500, 999, 1000):
    wrong(f"fill-minus-{number}", says=SMALL)(weigh(-float(number), "no"))
    if 1 < number < 16:  # a row that hides everything is as without a mask, and so are most rows for larger numbers: "plain-row"
        wrong(f"fill-minus-{number}+added", says=SMALL)(plainly(lambda s, m, c=number: torch.softmax(s - c * (~m).to(s.dtype), -1)))
TAKEN = "what you take from hidden scores is not enough where one lies far above the visible scores: it still takes the weight, and little or nothing is left for these."
for number in (9, 10, 15, 100, 1000, 10_000):
    wrong(f"fill-minus-{number}+added+zero-row", says=TAKEN)(plainly(lambda s, m, c=number: torch.softmax(s - c * (~m).to(s.dtype), -1) * m.any(-1, keepdim=True)))
    if number != 100:  # as "shared-out" gives
        wrong(f"fill-minus-{number}+added+hidden", says=TAKEN)(plainly(lambda s, m, c=number: torch.softmax(s - c * (~m).to(s.dtype), -1) * m))
for number in (100, 1000, 10_000):
    wrong(f"fill-minus-{number}+added", says=TAKEN)(plainly(lambda s, m, c=number: torch.softmax(s - c * (~m).to(s.dtype), -1)))
for number in (10, 20, 100, 1000):
    wrong(f"fill-minus-{number}+zero-row", says="where the visible scores are low (near −1500), the whole row is 0, although the mask leaves it keys. Is the score that you give hidden keys low enough, is the largest score taken off before the exponential, and is it the mask that tells which rows are empty?")(weigh(-float(number)))
wrong("fill-minus-10000", says="hidden keys still get weight: you give them a score that is not far enough below all the others. Scores may lie far below 0, and a hidden key must stay below them.")(weigh(-1e4, "no"))
wrong("fill-minus-10000+zero-row", says="where scores are low, whole rows are 0, although the mask leaves them keys. Is the score that you give hidden keys low enough, and is it the mask that tells which rows are empty?")(weigh(-1e4))
wrong("softmax-before-too", says="your scores go through a softmax before hidden keys are replaced, and the rest goes through another one: so hidden scores count in the first, and the second evens the weights out. One softmax is all, after the mask.")(
    plainly(lambda s, m: weigh()(torch.softmax(s, -1), m)))
wrong("fill-zero", says=ZERO)(weigh(0.0, "no"))
wrong("fill-zero+hidden", says=LATE.replace("the hidden scores still stand in the denominator", "before it, their score is 0, and exp(0) = 1 still stands in the denominator"))(weigh(0.0))
POSITIVE = "hidden keys get all the weight: their score is a huge positive number. It must be a huge negative one."
wrong("fill-plus", says=POSITIVE)(weigh(1e9, "no"))
wrong("fill-plus-added", says=POSITIVE)(plainly(lambda s, m: torch.softmax(s + (~m) * 1e9, -1)))
wrong("clamped", says="you clip the scores to keep them in range, and that changes the weights: scores beyond the bound become equal. Subtract the largest visible score of each row, or use `torch.softmax`.")(
    plainly(lambda s, m: share(s.clamp(-80.0, 80.0).exp() * m, -1)))
wrong("fill-plus-inf", says="your hidden keys have the score +inf, and the softmax of an infinite score is NaN. Its sign is wrong.")(weigh(INF, "no"))
wrong("fill-plus-inf+clean", says="your hidden keys have the score +inf, so all visible keys of those rows end in NaN or 0. Its sign is wrong.")(weigh(INF, "nan"))
wrong("no-mask", says="the mask is not used: hidden keys get weight as all others do.")(plainly(lambda s, m: torch.softmax(s, -1)))
wrong("after-softmax", says=LATE)(plainly(lambda s, m: torch.softmax(s, -1) * m))
wrong("after-softmax+inverted", says=f"two things at once. First, {INVERT} Second, you hide keys after the softmax, so they still stand in the denominator.")(plainly(lambda s, m: torch.softmax(s, -1) * ~m))
wrong("minus-inf-after", says="you put −inf after the softmax, among the weights. A score of −inf before the softmax gives a weight of 0; a weight itself is never below 0.")(plainly(lambda s, m: torch.softmax(s, -1).masked_fill(~m, -INF)))
wrong("minus-big-after", says="you put a huge negative number after the softmax, among the weights. Before the softmax it would give a weight of 0; a weight itself is never below 0.")(plainly(lambda s, m: torch.softmax(s, -1).masked_fill(~m, -1e9)))
wrong("minus-inf-twice", says="after the softmax you put −inf among the weights. The mask has done its work before; a hidden weight must be 0.")(plainly(lambda s, m: weigh()(s, m).masked_fill(~m, -INF)))
wrong("minus-big-twice", says="after the softmax you put a huge negative number among the weights. The mask has done its work before; a hidden weight must be 0.")(plainly(lambda s, m: weigh()(s, m).masked_fill(~m, -1e9)))
wrong("even-row-added", says=EVEN)(plainly(lambda s, m: torch.softmax(s + (~m) * -1e9, -1)))
wrong("plain-row-added", says=PLAIN)(plainly(lambda s, m: torch.softmax(s + (~m) * -2e4, -1)))
wrong("inverted-added", says=two_things(INVERT, EVEN))(plainly(lambda s, m: torch.softmax(s + m * -1e9, -1)))
wrong("renormalised-over-everything", says="after hiding, your weights are divided by one sum over everything. Divide each row by its own sum, over the keys.")(plainly(lambda s, m: share((torch.softmax(s, -1) * m).flatten(), 0).view(s.shape)))
wrong("renormalised+nan-row", says=NAN)(plainly(lambda s, m: (torch.softmax(s, -1) * m) / (torch.softmax(s, -1) * m).sum(-1, keepdim=True)))
wrong("renormalised-over-queries", says="after hiding, your weights are divided by their sum over the queries. Divide by the sum of each row, over the keys.")(plainly(lambda s, m: share(torch.softmax(s, -1) * m, -2)))
wrong("renormalised-over-all", says="after hiding, your weights are divided by one common sum. Divide each row by its own sum, over the keys.")(plainly(lambda s, m: share((torch.softmax(s, -1) * m).flatten(1), 1).view(s.shape)))
wrong("renormalised-by-count", says="after hiding, you divide by the number of visible keys. Divide by the sum of what is left, so that each row sums to 1.")(plainly(lambda s, m: torch.softmax(s, -1) * m / m.sum(-1, keepdim=True).clamp(min=1)))
wrong("renormalised+epsilon", says="your rows sum to a little less than 1: something is added to the sum that you divide by. Rows that hide nothing show it best.")(plainly(lambda s, m: share(torch.softmax(s, -1) * m, -1, 1e-2)))
wrong("plus-one", says="your rows sum to less than 1: a 1 is added to the sum of the exponentials. Only a row that hides everything sums to 0.")(plainly(lambda s, m: (e := torch.exp(s - s.amax(-1, keepdim=True)) * m) / (1 + e.sum(-1, keepdim=True))))
wrong("mask-added", says="you add the mask to the scores as if it were a number: True adds 1, False adds 0, and hidden keys keep their weight.")(plainly(lambda s, m: torch.softmax(s + m, -1)))
wrong("zero-times-inf", says="your output is NaN everywhere: somewhere 0 is multiplied by infinity. Choose numbers by the mask instead of multiplying by it (`masked_fill`, `torch.where`).")(plainly(lambda s, m: torch.softmax(s + (~m) * -INF, -1)))
wrong("scores-times-mask-minus-inf", says="your output is NaN wherever a key may be seen: somewhere 0 is multiplied by infinity. Choose numbers by the mask instead of multiplying by it (`masked_fill`, `torch.where`).")(plainly(lambda s, m: torch.softmax(s + (~m) * -INF, -1).masked_fill(~m, 0.0)))
wrong("no-gradient", says="no gradient flows through your weights: they are cut off from the scores (`detach`, `no_grad`, `.item()`, `.data`, or a new tensor made of numbers). A model could not learn through them.")(plainly(lambda s, m: weigh()(s.detach(), m)))
NAN_BEHIND = "your output is right, and NaN stands in the gradient of `scores`: a row that hides everything was NaN before it was cleaned, and 0 · NaN is NaN on the way back. Let no NaN arise: replace hidden scores, or let what you add to them be finite."
SHARED = "you take a softmax (or the largest score) over all keys, hidden ones too, and share out what is left. Where a hidden score lies far above the visible ones, nothing is left of these. Hide the keys before the softmax."
wrong("nan-gradient", says=NAN_BEHIND)(plainly(lambda s, m: torch.softmax(s + torch.zeros(m.shape).masked_fill(~m, -INF), -1).nan_to_num(0.0)))
wrong("nan-gradient-chosen", says=NAN_BEHIND)(plainly(lambda s, m: torch.where(m.any(-1, keepdim=True), torch.softmax(s + torch.zeros(m.shape).masked_fill(~m, -INF), -1), 0.0)))
wrong("shared-out", says=SHARED)(plainly(lambda s, m: share(torch.softmax(s, -1) * m, -1)))
wrong("shared-out+nan-row", says=SHARED)(plainly(lambda s, m: ((w := torch.softmax(s, -1) * m) / w.sum(-1, keepdim=True)).nan_to_num(0.0)))
for number in (1e-5, 1e-6, 1e-9):
    wrong(f"shared-out+{number:g}", says=SHARED)(plainly(lambda s, m, c=number: share(torch.softmax(s, -1) * m, -1, c)))
wrong("no-softmax", says="your output is the scores with the hidden ones replaced; the softmax is missing.")(plainly(lambda s, m: s.masked_fill(~m, -INF)))
wrong("no-softmax-zero", says="your output is the scores with 0 where keys are hidden; the softmax is missing.")(plainly(lambda s, m: s * m))
wrong("no-softmax-big", says="your output is the scores with a huge negative number where keys are hidden; the softmax is missing.")(plainly(lambda s, m: s.masked_fill(~m, -1e9)))
wrong("log-softmax", says="your output is the logarithm of the weights (log-softmax); return the weights themselves.")(plainly(lambda s, m: torch.log_softmax(s.masked_fill(~m, -INF), -1)))
wrong("log-softmax-zeros", says="your output is the logarithm of the weights (log-softmax), with 0 where keys are hidden; return the weights themselves.")(plainly(lambda s, m: torch.log_softmax(s.masked_fill(~m, -1e9), -1) * m))
wrong("sigmoid", says="your weights come from a sigmoid, each by itself. A softmax makes the visible keys of a row share a weight of 1.")(plainly(lambda s, m: torch.sigmoid(s) * m))
wrong("sigmoid-shared", says="your weights are made by a sigmoid and shared out: the softmax takes exponentials.")(plainly(lambda s, m: share(torch.sigmoid(s) * m, -1)))
BACKWARDS = "after the softmax you set the weights of the visible keys to 0, not those of the hidden ones: the second mask is the wrong way round."
wrong("cleaned-backwards", says=BACKWARDS)(plainly(lambda s, m: weigh(None, "no")(s, m).masked_fill(m, 0.0)))
wrong("cleaned-backwards-inf", says=BACKWARDS)(plainly(lambda s, m: weigh(-INF, "no")(s, m).masked_fill(m, 0.0)))
wrong("filled-backwards", says="before the softmax you hide the visible keys, not the hidden ones: the first mask is the wrong way round.")(plainly(lambda s, m: weigh(None, "no", invert=True)(s, m).masked_fill(~m, 0.0)))
wrong("as-numpy", says="your weights leave PyTorch (`.numpy()`): no gradient can flow back through a NumPy array. Return a tensor.")(plainly(lambda s, m: weigh()(s, m).numpy()))
wrong("even", says="your weights do not depend on the scores: every visible key gets the same. The mask says who may be seen; the scores say how much.")(plainly(lambda s, m: (m / m.sum(-1, keepdim=True).clamp(min=1) + 0 * s)))
wrong("not-normalised", says="your rows do not sum to 1: the exponentials are not divided by their sum.")(plainly(lambda s, m: torch.exp(s - s.amax(-1, keepdim=True)) * m))
wrong("linear", says="your weights are the scores divided by their sum: the exponential is missing.")(plainly(lambda s, m: share((s - s.amin(-1, keepdim=True)) * m, -1)))
OVERFLOW = "your softmax by hand fails for large scores: exp(1000) is infinite. Subtract the largest score of each row first, or use `torch.softmax`."
wrong("no-max", says=OVERFLOW)(plainly(lambda s, m: share(torch.exp(s) * m, -1)))
wrong("no-max+nan-row", says=two_things(OVERFLOW, NAN))(plainly(lambda s, m: torch.exp(s) * m / (torch.exp(s) * m).sum(-1, keepdim=True)))
wrong("no-max+epsilon", says=OVERFLOW)(plainly(lambda s, m: torch.exp(s) * m / ((torch.exp(s) * m).sum(-1, keepdim=True) + 1e-9)))
wrong("no-max+zero-row", says="your softmax by hand fails far from 0: exp(1000) is infinite and exp(−1500) is 0, and your code turns such rows into zeros. Subtract the largest score of each row first, or use `torch.softmax`.")(
    plainly(lambda s, m: (lambda e: torch.where(e.sum(-1, keepdim=True) > 0, e / e.sum(-1, keepdim=True), 0.0))(torch.exp(s) * m)))
GLOBAL = "you subtract one maximum for all rows. A row far below it is left with nothing but zeros: subtract each row's own maximum."
wrong("global-max", says=GLOBAL)(plainly(lambda s, m: share(torch.exp(s - s.max()) * m, -1)))
wrong("global-max+nan-row", says=GLOBAL)(plainly(lambda s, m: (e := torch.exp(s - s.max().detach()) * m) / e.sum(-1, keepdim=True)))
wrong("scaled-by-keys", says="your scores are divided by the square root of the number of keys. Scores come in scaled already: no scale here.")(plainly(lambda s, m: weigh()(s / s.shape[-1] ** 0.5, m)))
wrong("scaled-by-keys-plain", says="your scores are divided by the number of keys. Scores come in scaled already: no scale here.")(plainly(lambda s, m: weigh()(s / s.shape[-1], m)))
wrong("softmax-twice", says="your weights go through a second softmax. One is enough: it evens them out, and hidden keys get weight again.")(plainly(lambda s, m: torch.softmax(weigh()(s, m), -1)))
wrong("softmax-twice-masked", says="your weights go through a second softmax. One is enough; the second one evens the weights out.")(plainly(lambda s, m: weigh()(weigh()(s, m), m)))
wrong("own-causal-mask", says="your code makes a causal mask of its own and does not use the one that it is given.")(plainly(lambda s, m: weigh()(s, torch.ones(s.shape[-2:], dtype=torch.bool).tril())))
wrong("causal-added", says="your code also hides the future, whatever the mask says. Use the mask as it is given.")(plainly(lambda s, m: weigh()(s, m & torch.ones(s.shape[-2:], dtype=torch.bool).tril())))
wrong("first-sentence", says="you use the mask of the first batch item for all of them.")(plainly(lambda s, m: weigh()(s, m[:1] if m.ndim == 4 else m)))
wrong("first-head", says="you use the mask of the first head for all heads.")(plainly(lambda s, m: weigh()(s, m[:, :1] if m.ndim == 4 else m)))
wrong("first-query", says="you use the mask of the first query for all queries.")(plainly(lambda s, m: weigh()(s, m[..., :1, :])))
wrong("last-query", says="you use the mask of the last query for all queries.")(plainly(lambda s, m: weigh()(s, m[..., -1:, :])))
wrong("transposed-mask", says="your mask has queries and keys swapped (a transpose): its last axis belongs to the keys.")(plainly(lambda s, m: weigh()(s, m.transpose(-2, -1))))
wrong("queries-hidden", says="a row of yours is all 0 as soon as one of its keys is hidden. Only the hidden key gets no weight; the others share the 1.")(plainly(lambda s, m: torch.softmax(s, -1) * m.all(-1, keepdim=True)))
wrong("any-hidden", says="your mask only matters where a row hides everything. It must also take the weight from each single hidden key.")(plainly(lambda s, m: torch.softmax(s, -1) * m.any(-1, keepdim=True)))
wrong("all-zero", says="your weights are all 0.")(plainly(lambda s, m: s * 0.0))
wrong("one-visible-too", says="a row in which every key is hidden puts its whole weight on one key. All weights of such a row must be 0.")(plainly(lambda s, m: torch.where(m.any(-1, keepdim=True), weigh()(s, m), torch.eye(s.shape[-1])[0])))
wrong("ones-row", says="a row in which every key is hidden has weights of 1. All weights of such a row must be 0.")(plainly(lambda s, m: torch.where(m.any(-1, keepdim=True), weigh()(s, m), 1.0)))
wrong("plain-row", says=PLAIN)(plainly(lambda s, m: weigh()(s, torch.where(m.any(-1, keepdim=True), m, True))))
wrong("rounded", says="your weights are rounded. Round only what you print.")(plainly(lambda s, m: torch.round(weigh()(s, m), decimals=2)))
wrong("rounded-3", says="your weights are rounded. Round only what you print.")(plainly(lambda s, m: torch.round(weigh()(s, m), decimals=3)))
wrong("half", says="your weights are a little off everywhere, as numbers of 16 bits are. Keep the type of the scores.")(plainly(lambda s, m: weigh()(s.half(), m).to(s.dtype)))
wrong("booleans", says="your output is the mask, not weights.")(plainly(lambda s, m: m.expand(s.shape)))
wrong("transposed", says="your weights have queries and keys swapped: they must have the shape of the scores.")(plainly(lambda s, m: weigh()(s, m).transpose(-2, -1)))
wrong("averaged-heads", says="your weights are averaged over the heads; they must have the shape of the scores.")(plainly(lambda s, m: weigh()(s, m).mean(1)))
wrong("with-mask", says="your function returns two things. Return the weights alone.")(plainly(lambda s, m: (weigh()(s, m), m)))
wrong("nothing-returned", says="your function ends without giving anything back: is a `return` missing?")(plainly(lambda s, m: None))
IN_PLACE = "your function writes into its argument `scores` (a method whose name ends in `_`, or an assignment to a part of it). The caller's scores must stay as they were; make a new tensor."
wrong("in-place", says=IN_PLACE)(plainly(lambda s, m: torch.softmax(s.masked_fill_(~m, torch.finfo(s.dtype).min), -1).masked_fill(~m, 0.0)))
wrong("in-place-inf", says=IN_PLACE)(plainly(lambda s, m: torch.softmax(s.masked_fill_(~m, -INF), -1).masked_fill(~m, 0.0)))
wrong("in-place-big", says=IN_PLACE)(plainly(lambda s, m: torch.softmax(s.masked_fill_(~m, -1e9), -1).masked_fill(~m, 0.0)))
wrong("in-place+nan-row", says=two_things(IN_PLACE, NAN))(plainly(lambda s, m: torch.softmax(s.masked_fill_(~m, -INF), -1)))
wrong("in-place+even-row", says=two_things(IN_PLACE, EVEN))(plainly(lambda s, m: torch.softmax(s.masked_fill_(~m, -1e9), -1)))
wrong("in-place-product", says=two_things(IN_PLACE, ZERO))(plainly(lambda s, m: torch.softmax(s.mul_(m), -1)))
wrong("in-place-zero", says=two_things(IN_PLACE, ZERO))(plainly(lambda s, m: torch.softmax(s.masked_fill_(~m, 0.0), -1)))
wrong("in-place+inverted", says=two_things(IN_PLACE, INVERT))(plainly(lambda s, m: torch.softmax(s.masked_fill_(m, -1e9), -1)))

right_edit("minus-infinity", ("lowest = torch.finfo(scores.dtype).min", "lowest = -math.inf"))
right_edit("minus-a-billion", ("lowest = torch.finfo(scores.dtype).min", "lowest = -1e9"))

@right
def nan_cleaned(scores, mask):
    return scores.masked_fill(mask.logical_not(), float("-inf")).softmax(dim=-1).nan_to_num(0.0)

@right
def by_where(scores, mask):
    hidden = torch.where(mask, scores, torch.tensor(float("-inf")))
    weights = torch.softmax(hidden, dim=-1)
    return torch.where(mask, weights, torch.zeros_like(weights))

@right
def added(scores, mask):
    bias = torch.zeros_like(scores).masked_fill(~mask, -1e9)
    return torch.softmax(scores + bias, dim=-1) * mask

@right
def minus_infinity_added(scores, mask):
    """Rows that hide everything are left alone before the softmax, and emptied after it."""
    some = mask.any(dim=-1, keepdim=True)
    bias = torch.zeros(mask.shape).masked_fill(~mask & some, float("-inf"))
    return torch.softmax(scores + bias, dim=-1) * some

@right
def by_hand(scores, mask):
    lowest = torch.finfo(scores.dtype).min
    shifted = scores - scores.masked_fill(~mask, lowest).max(dim=-1, keepdim=True).values.clamp(min=lowest / 2)
    powers = torch.exp(shifted.masked_fill(~mask, lowest)) * mask.float()
    total = powers.sum(dim=-1, keepdim=True)
    return powers / torch.where(total == 0, torch.ones_like(total), total)

@right
def row_by_row(scores, mask):
    mask = mask.expand(scores.shape)
    weights = torch.zeros_like(scores)
    for place in np.ndindex(*scores.shape[:-1]):
        seen = mask[place]
        if seen.any():
            weights[place][seen] = torch.softmax(scores[place][seen], dim=0)
    return weights

@right
def by_logarithms(scores, mask):
    filled = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return torch.exp(filled - filled.logsumexp(dim=-1, keepdim=True)).masked_fill(~mask, 0)

@right
def in_double(scores, mask):
    return torch.softmax(scores.double().masked_fill(mask == 0, -1e30), -1) * mask

@right
def on_a_copy(scores, mask):
    scores = scores.clone()
    scores[~mask.expand_as(scores)] = float("-inf")
    weights = torch.nn.functional.softmax(scores, dim=3)
    return weights.masked_fill(torch.isnan(weights), 0.0)

@right
def choosing_rows(scores, mask):
    filled = scores.masked_fill(~mask, -torch.inf)
    return torch.where(mask.any(-1, keepdim=True), torch.nn.Softmax(dim=-1)(filled), 0.0)

@truth
def by_fused_attention(scores, mask):
    """PyTorch's attention with unit matrices as keys and values; rows that hide everything set to 0 whatever it makes of them."""
    unit = torch.eye(scores.shape[-1]).expand(*scores.shape[:2], -1, -1)
    weights = torch.nn.functional.scaled_dot_product_attention(scores, unit, unit, attn_mask=mask, scale=1.0)
    return weights.masked_fill(~mask.any(-1, keepdim=True), 0.0)

@truth
def by_a_loop(scores, mask):
    """Row by row in float64, over the visible keys alone, and without a softmax."""
    seen = mask.expand(scores.shape)
    weights = torch.zeros(scores.shape, dtype=torch.float64)
    for place in np.ndindex(*scores.shape[:-1]):
        places = seen[place].nonzero().flatten().tolist()
        row = [scores[place][j].double() for j in places]
        powers = [torch.exp(score - max(row)) for score in row]
        for j, power in zip(places, powers):
            weights[(*place, j)] = power / sum(powers)
    return weights

# %% exercise="masked_attention" part="library"
def masked_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """By PyTorch's fused attention, once with the values and once with the unit matrix, which gives the weights."""
    size = key.shape[-2]
    unit = torch.eye(size, dtype=value.dtype, device=value.device).expand(*key.shape[:-1], size)
    attend = torch.nn.functional.scaled_dot_product_attention
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        both = [attend(query, key, mixed, attn_mask=mask) for mixed in (value, unit)]
    return both[0], both[1]

# %% exercise="masked_attention" part="variants"
@cases(dict(batch=2, num_heads=3, seq_q=4, seq_k=5, d_k=6, d_v=7), dict(batch=3, num_heads=2, seq_q=5, seq_k=4, d_k=7, d_v=6), low=2)
def padded(rng, batch, num_heads, seq_q, seq_k, d_k, d_v):
    """{seq_q} queries, {seq_k} keys, d_k = {d_k}, d_v = {d_v}, a padding mask ({batch}, 1, 1, {seq_k})"""
    batch, num_heads = min(batch, 4), min(num_heads, 4)
    return dict(query=floats(rng, batch, num_heads, seq_q, d_k), key=floats(rng, batch, num_heads, seq_k, d_k),
                value=floats(rng, batch, num_heads, seq_k, d_v), mask=some_hidden(rng, batch, 1, 1, seq_k))

@cases(dict(seq_q=4, seq_k=3, d_k=5, d_v=2), low=3, high=7)
def with_a_hidden_row(rng, seq_q, seq_k, d_k, d_v):
    """a mask (2, 1, {seq_q}, {seq_k}) with a row that hides everything and one that hides nothing; gradients too"""
    mask = some_hidden(rng, 2, 1, seq_q, seq_k)
    mask[0, 0, 1], mask[1, 0, 0] = False, True
    return differentiable(query=floats(rng, 2, 2, seq_q, d_k), key=floats(rng, 2, 2, seq_k, d_k), value=floats(rng, 2, 2, seq_k, d_v), mask=mask)

@cases(dict(batch=2, num_heads=3, n=4, d=5), low=3, high=7)
def causal(rng, batch, num_heads, n, d):
    """self-attention over {n} tokens, a causal mask ({n}, {n}), d_k = d_v = {d}; gradients too"""
    query, key, value = (floats(rng, batch, num_heads, n, d) for _ in range(3))
    return differentiable(query=query, key=key, value=value, mask=torch.ones(n, n).tril().bool())

@cases(dict(n=4), low=4, high=7)
def square(rng, n):
    """{n} queries, {n} keys, d_k = d_v = {n}, a mask of its own for each of two heads"""
    query, key, value = (floats(rng, 2, 2, n, n) for _ in range(3))
    return dict(query=query, key=key, value=value, mask=some_hidden(rng, 2, 2, n, n))

@cases(dict(seq_k=5, d_k=3), low=3, high=7)
def far_from_zero(rng, seq_k, d_k):
    """queries whose scores all lie near −130, and others near 130 (d_k = {d_k})"""
    query, key = floats(rng, 1, 1, 4, d_k), floats(rng, 1, 1, seq_k, d_k)
    key[..., 0], query[..., 0] = 32.0, 4.0 * float(d_k) ** 0.5 * torch.tensor([1.0, -1.0, 1.0, -1.0])
    return dict(query=query, key=key, value=floats(rng, 1, 1, seq_k, 4), mask=some_hidden(rng, 1, 1, 4, seq_k))

@cases(dict(seq_k=5, d_k=3), low=3, high=7)
def high_hidden_scores(rng, seq_k, d_k):
    """hidden keys whose scores lie about 10 above the others ({seq_k} keys, d_k = {d_k})"""
    query, key, mask = floats(rng, 1, 2, 4, d_k) / 2, floats(rng, 1, 2, seq_k, d_k) / 2, some_hidden(rng, 1, 1, 1, seq_k)
    query[..., 0], key[..., 0] = 2 * float(d_k) ** 0.5, torch.where(mask[:, :, 0], 0.0, 5.0)
    return dict(query=query, key=key, value=floats(rng, 1, 2, seq_k, 4), mask=mask)

@cases(dict(seq_k=5), low=3, high=7)
def hidden_scores_far_above(rng, seq_k):
    """hidden keys whose scores lie 325, 1,300 and 10,400 above the visible ones ({seq_k} keys, d_k = 4)"""
    query, key, mask = floats(rng, 1, 2, 3, 4) / 2, torch.zeros(1, 2, seq_k, 4), some_hidden(rng, 1, 1, 1, seq_k)
    # √d_k is 2, so that the scores are exact: the visible ones are equal on every processor
    query[..., 0], key[..., 0] = torch.tensor([0.25, 1.0, 8.0]), torch.where(mask[:, :, 0], -100.0, 2500.0)
    return dict(query=query, key=key, value=floats(rng, 1, 2, seq_k, 3), mask=mask)

@cases(dict(seq_k=5), low=3, high=7)
def far_below(rng, seq_k):
    """one key of {seq_k} may be seen, with a score of −20,000; the hidden ones lie around 0 (d_k = 4)"""
    query, key, seen = floats(rng, 1, 2, 3, 4) / 2, floats(rng, 1, 2, seq_k, 4) / 2, torch.from_numpy(rng.permutation(seq_k) == 0)
    query[..., 0], key[..., 0] = 8.0, torch.where(seen, -5000.0, 0.0)
    return dict(query=query, key=key, value=floats(rng, 1, 2, seq_k, 3), mask=seen[None, None, None])

@cases(dict(num_heads=4, seq_q=5), hidden=[dict(num_heads=2, seq_q=6)])
def in_float16(rng, num_heads, seq_q):
    """float16, where all keys are alike and the masks leave 1, 2, 4 or none of them: every weight is 1, ½, ¼ or 0"""
    # Alike, so that right code gives the same bits in whatever order it adds and scales, and known mistakes nearly do.
    seq_k, d_k, d_v = 8, 4, 3
    key = np.tile(rng.choice([-1.0, -0.5, 0.5, 1.0], size=d_k), (1, num_heads, seq_k, 1))
    query = np.tile(key[0, 0, 0] + rng.choice([0.0, 0.25], size=d_k), (1, num_heads, seq_q, 1))
    value = rng.integers(-24, 25, size=(1, num_heads, seq_k, d_v)) / 8
    others = rng.permutation(seq_k)[:4]
    seen = np.zeros((1, 1, seq_q, seq_k), dtype=bool)
    seen[..., others] = True
    seen[..., 1, others[1:]], seen[..., 2, others[2:]], seen[..., 3, :] = False, False, False
    query, key, value = (torch.from_numpy(x.astype("float16")) for x in (query, key, value))
    return dict(query=query, key=key, value=value, mask=torch.from_numpy(seen))

INF = float("inf")

def weigh(fill=None, clean="hidden", invert=False, dim=-1):
    def weights_of(scores, mask):
        seen = ~mask if invert else mask
        filled = scores.masked_fill(~seen, torch.finfo(scores.dtype).min if fill is None else fill)
        weights = torch.softmax(filled, dim=dim)
        if clean == "hidden":
            return weights.masked_fill(~seen, 0.0)
        return weights.nan_to_num(0.0) if clean == "nan" else weights
    return weights_of

def bare(query, key):
    return query @ key.transpose(-2, -1)

def scaled(query, key, value):
    return bare(query, key) / query.shape[-1] ** 0.5

def attention(scores=scaled, weights=weigh(), mix=lambda w, v: w @ v, give=lambda o, w: (o, w)):
    def masked_attention(query, key, value, mask):
        weight = weights(scores(query, key, value), mask)
        return give(mix(weight, value), weight)
    return masked_attention

NAN = "a query that may see no key at all gets NaN: a softmax over nothing is 0/0. Its weights and its output must be 0."
EVEN = "a query that may see no key at all gets equal weights on keys that it may not see. Its weights and its output must be 0."
INVERT = "your mask is read the wrong way round: each query attends to exactly the keys that are hidden from it. Here True means \"may be attended to\" (as in `F.scaled_dot_product_attention`); `nn.MultiheadAttention` means the opposite."
LATE = "you apply the mask after the softmax, and your weights sum to less than 1: the hidden scores still stand in the denominator. Mask the scores before the softmax."
SIXTEEN = "your code breaks in float16, whose range ends at 65,504: the number that you fill in for hidden scores lies outside it. In float32 it works. `torch.finfo(scores.dtype)` knows the range of each type, and −inf exists in all of them."
NO_SCALE = "your scores are not divided by √d_k."
ADDED = "what you take from hidden scores is not enough where one lies far above the visible scores: it still takes the weight, and little or nothing is left for these."
shapings = {
    "no-scale": (lambda q, k, v: bare(q, k), NO_SCALE),
    "by-d": (lambda q, k, v: bare(q, k) / q.shape[-1], "your scores are divided by d_k. Divide by its square root."),
    "by-root-of-seq-k": (lambda q, k, v: bare(q, k) / k.shape[-2] ** 0.5, "your scores are divided by √seq_k, the number of keys. Divide by √d_k, the length of a key."),
    "by-root-of-seq-q": (lambda q, k, v: bare(q, k) / q.shape[-2] ** 0.5, "your scores are divided by √seq_q, the number of queries. Divide by √d_k, the length of a query."),
    "by-root-of-d-v": (lambda q, k, v: bare(q, k) / v.shape[-1] ** 0.5, "your scores are divided by √d_v, the length of a value. Divide by √d_k, the length of a key."),
    "by-root-of-heads": (lambda q, k, v: bare(q, k) / q.shape[1] ** 0.5, "your scores are divided by the square root of the number of heads. Divide by √d_k, the last axis of the query."),
    "by-root-of-batch": (lambda q, k, v: bare(q, k) / q.shape[0] ** 0.5, "your scores are divided by the square root of the batch size. Divide by √d_k, the last axis of the query."),
    "by-root-of-d-model": (lambda q, k, v: bare(q, k) / (q.shape[-1] * q.shape[1]) ** 0.5, "your scores are divided by √d_model (all heads together). Divide by √d_k, the length of one head's key."),
    "times-root-of-d": (lambda q, k, v: bare(q, k) * q.shape[-1] ** 0.5, "your scores are multiplied by √d_k. Divide by it."),
    "by-d-squared": (lambda q, k, v: bare(q, k) / q.shape[-1] ** 2, "your scores are divided by d_k squared. Divide by the square root of d_k."),
    "by-8": (lambda q, k, v: bare(q, k) / 8, "your scores are divided by 8 whatever d_k is (that is √64, the paper's d_k). Divide by √d_k."),
    "by-half-root": (lambda q, k, v: bare(q, k) / q.shape[-1] ** 0.25, "your scores are divided by the fourth root of d_k. Divide by its square root (once for query and key together, or by the fourth root in both)."),
    "cosine": (lambda q, k, v: torch.nn.functional.normalize(q, dim=-1) @ torch.nn.functional.normalize(k, dim=-1).transpose(-2, -1), "your scores are cosines: query and key have lost their lengths."),
    "query-with-query": (lambda q, k, v: q @ q.transpose(-2, -1) / q.shape[-1] ** 0.5, "your scores compare queries with queries; the keys are not used."),
    "key-with-key": (lambda q, k, v: k @ k.transpose(-2, -1) / q.shape[-1] ** 0.5, "your scores compare keys with keys; the queries are not used."),
    "query-with-value": (lambda q, k, v: q @ v.transpose(-2, -1) / q.shape[-1] ** 0.5, "your scores compare queries with values. Queries meet keys."),
    "swapped": (lambda q, k, v: k @ q.transpose(-2, -1) / q.shape[-1] ** 0.5, "query and key have changed places in your scores: each row belongs to a query, each column to a key."),
    "dot-t": (lambda q, k, v: q @ k.T / q.shape[-1] ** 0.5, "`key.T` turns round all four axes, batch and heads too. Swap the last two only."),
    "entry-by-entry": (lambda q, k, v: (q * k).sum(-1) / q.shape[-1] ** 0.5, "you multiply queries and keys entry by entry, each query with the key of the same place. Every query must meet every key: a matrix product."),
    "no-transpose": (lambda q, k, v: q @ k / q.shape[-1] ** 0.5, "your keys are not transposed: swap their last two axes."),
    "all-transposed": (lambda q, k, v: (q.transpose(-2, -1) @ k) / q.shape[-1] ** 0.5, "you transpose the queries instead of the keys."),
    "negative": (lambda q, k, v: -scaled(q, k, v), "your scores have the opposite sign: the key that fits best gets the least weight."),
    "distance": (lambda q, k, v: -torch.cdist(q.float(), k.float()).to(q.dtype), "your scores are distances. They must be dot products."),
    "mean-of-heads": (lambda q, k, v: scaled(q, k, v).mean(1, keepdim=True).expand(-1, q.shape[1], -1, -1), "all your heads have the same weights: the scores are averaged over the heads."),
    "first-head": (lambda q, k, v: scaled(q, k, v)[:, :1].expand(-1, q.shape[1], -1, -1), "all your heads use the scores of the first one."),
    "first-item": (lambda q, k, v: scaled(q, k, v)[:1].expand(q.shape[0], -1, -1, -1), "all items of the batch use the scores of the first one."),
}
later = lambda s, m: torch.softmax(s, -1) * m
divided = lambda s, m: (w := torch.softmax(s, -1) * m) / w.sum(-1, keepdim=True)
weighings = {
    "nan-row": (weigh(-INF, "no"), NAN),
    "even-row": (weigh(None, "no"), EVEN),
    "inverted": (weigh(invert=True), INVERT),
    "inverted+nan-row": (weigh(-INF, "no", invert=True), two_things(INVERT, NAN)),
    "inverted+even-row": (weigh(None, "no", invert=True), two_things(INVERT, EVEN)),
    "inverted+not-in-float16": (weigh(-1e9, invert=True), two_things(INVERT, SIXTEEN)),
    "inverted+even-row+not-in-float16": (weigh(-1e9, "no", invert=True), f"three things at once. {INVERT} And {EVEN} And {SIXTEEN}"),
    "not-in-float16": (weigh(-1e9), SIXTEEN),
    "even-row+not-in-float16": (weigh(-1e9, "no"), two_things(EVEN, SIXTEEN)),
    "no-mask": (lambda s, m: torch.softmax(s, -1), "the mask is not used: hidden keys get weight as all others do."),
    "after-softmax": (later, LATE),
    "after-softmax+inverted": (lambda s, m: torch.softmax(s, -1) * ~m, two_things(INVERT, LATE)),
    "minus-inf-after": (lambda s, m: torch.softmax(s, -1).masked_fill(~m, -INF), "you put −inf after the softmax, among the weights. It belongs among the scores, before the softmax."),
    "minus-much-after": (lambda s, m: torch.softmax(s, -1).masked_fill(~m, -1e4), "you put a huge negative number after the softmax, among the weights. It belongs among the scores, before the softmax."),
    "renormalised+nan-row": (divided, NAN),
    "fill-zero": (weigh(0.0, "no"), "hidden keys still get weight: their score is 0 in your code (or next to 0, as 1e-9 is), and exp(0) = 1. A hidden key needs a score whose exponential is 0."),
    "fill-zero+hidden": (weigh(0.0), "your weights sum to less than 1: hidden keys have the score 0 before your softmax, and exp(0) = 1 stands in the denominator."),
    "fill-plus": (weigh(6e4, "no"), "hidden keys get all the weight: their score is a huge positive number. It must be a huge negative one."),
    "fill-plus-inf": (weigh(INF, "no"), "your hidden keys have the score +inf, and the softmax of an infinite score is NaN. Its sign is wrong."),
    "zero-times-inf": (lambda s, m: torch.softmax(s + (~m) * -INF, -1), "your output is NaN everywhere: somewhere 0 is multiplied by infinity. Choose numbers by the mask instead of multiplying by it (`masked_fill`, `torch.where`)."),
    "mask-added": (lambda s, m: torch.softmax(s + m, -1), "you add the mask to the scores as if it were a number: True adds 1, False adds 0, and hidden keys keep their weight."),
    "no-softmax": (lambda s, m: s.masked_fill(~m, 0.0), "the softmax is missing: your weights are the scores, with 0 where keys are hidden."),
    "no-softmax-inf": (lambda s, m: s.masked_fill(~m, -INF), "the softmax is missing: your weights are the scores, with −inf where keys are hidden."),
    "sigmoid": (lambda s, m: torch.sigmoid(s) * m, "your weights come from a sigmoid, each by itself. A softmax makes the visible keys of a row share a weight of 1."),
    "log-softmax": (lambda s, m: torch.log_softmax(weigh()(s, m), -1), "your weights are logarithms, or have gone through two functions of the softmax kind: one softmax is all."),
    "even": (lambda s, m: m / m.sum(-1, keepdim=True).clamp(min=1) + 0 * s, "your weights do not depend on the scores: every visible key gets the same."),
    "softmax-twice": (lambda s, m: torch.softmax(weigh()(s, m), -1), "your weights go through a second softmax: it evens them out, and hidden keys get weight again."),
    "softmax-twice-masked": (lambda s, m: weigh()(weigh()(s, m), m), "your weights go through a second softmax: it evens them out."),
    "axis-queries": (weigh(dim=-2), "your softmax runs over the queries, down each column. It must run along the last axis, over the keys."),
    "axis-queries+nan": (weigh(-INF, "no", dim=-2), "your softmax runs over the queries, down each column, and gives NaN where no query may see a key. It must run along the last axis, over the keys."),
    "axis-queries+even": (weigh(None, "no", dim=-2), "your softmax runs over the queries, down each column, and hidden keys get weight where no query may see them. It must run along the last axis, over the keys."),
    "axis-heads": (weigh(dim=1), "your softmax runs along the axis of the heads. It must run along the last axis, over the keys."),
    "axis-heads+nan": (weigh(-INF, "no", dim=1), "your softmax runs along the axis of the heads (`dim=1`), and gives NaN where a key is hidden from every head. It must run along the last axis, over the keys."),
    "axis-heads+even": (weigh(None, "no", dim=1), "your softmax runs along the axis of the heads (`dim=1`), and hidden keys get weight. It must run along the last axis, over the keys."),
    "axis-batch": (weigh(dim=0), "your softmax runs along the batch axis. It must run along the last axis, over the keys."),
    "axis-batch+nan": (weigh(-INF, "no", dim=0), "your softmax runs along the batch axis (`dim=0`), and gives NaN where a key is hidden in every item. It must run along the last axis, over the keys."),
    "own-causal-mask": (lambda s, m: weigh()(s, torch.ones(s.shape[-2:], dtype=torch.bool).tril()), "your code makes a causal mask of its own and does not use the one that it is given."),
    "causal-added": (lambda s, m: weigh()(s, m & torch.ones(s.shape[-2:], dtype=torch.bool).tril()), "your code also hides the future, whatever the mask says. Use the mask as it is given."),
    "first-item-mask": (lambda s, m: weigh()(s, m[:1] if m.ndim == 4 else m), "you use the mask of the first batch item for all of them."),
    "first-head-mask": (lambda s, m: weigh()(s, m[:, :1] if m.ndim == 4 else m), "you use the mask of the first head for all heads."),
    "first-query-mask": (lambda s, m: weigh()(s, m[..., :1, :]), "you use the mask of the first query for all queries."),
    "transposed-mask": (lambda s, m: weigh()(s, m.transpose(-2, -1)), "your mask has queries and keys swapped (a transpose): its last axis belongs to the keys."),
    "queries-hidden": (lambda s, m: torch.softmax(s, -1) * m.all(-1, keepdim=True), "a query of yours gets nothing as soon as one key is hidden from it. Only the hidden key gets no weight; the others share the 1."),
    "plain-row": (lambda s, m: weigh()(s, torch.where(m.any(-1, keepdim=True), m, True)), "a query that may see no key at all has the weights that it would have without a mask. Its weights and its output must be 0."),
    "no-max": (lambda s, m: (e := torch.exp(s) * m) / torch.where(e.sum(-1, keepdim=True) > 0, e.sum(-1, keepdim=True), 1.0), "your softmax by hand fails for large scores: exp overflows or underflows. Subtract the largest score of each row first, or use `torch.softmax`."),
    "no-max+epsilon": (lambda s, m: (e := torch.exp(s) * m) / (e.sum(-1, keepdim=True) + 1e-6), "your softmax by hand fails for large scores: exp overflows or underflows. Subtract the largest score of each row first, or use `torch.softmax`."),
    **{f"added-minus-{c}": (lambda s, m, c=c: torch.softmax(s - c * (~m).to(s.dtype), -1), ADDED) for c in (15, 100, 1000, 10_000)},
    **{f"added-minus-{c}+zero-row": (lambda s, m, c=c: torch.softmax(s - c * (~m).to(s.dtype), -1) * m.any(-1, keepdim=True), ADDED) for c in (15, 100, 1000, 10_000)},
    **{f"added-minus-{c}+hidden": (lambda s, m, c=c: torch.softmax(s - c * (~m).to(s.dtype), -1) * m, ADDED) for c in (15, 1000, 10_000)},
    "cleaned-backwards": (lambda s, m: weigh(None, "no")(s, m).masked_fill(m, 0.0), "after the softmax you set the weights of the visible keys to 0, not those of the hidden ones: the second mask is the wrong way round."),
    "no-max+nan-row": (lambda s, m: (e := torch.exp(s) * m) / e.sum(-1, keepdim=True), f"two things at once. First, your softmax by hand fails for large scores: exp overflows or underflows. Second, {NAN}"),
    "not-normalised": (lambda s, m: torch.exp(s - s.amax(-1, keepdim=True)) * m, "your weights do not sum to 1: the exponentials are not divided by their sum."),
    "rounded": (lambda s, m: torch.round(weigh()(s, m), decimals=2), "your weights are rounded. Round only what you print."),
    "half": (lambda s, m: weigh()(s.half(), m).to(s.dtype), "your numbers are a little off everywhere, as numbers of 16 bits are. Keep the type of the inputs."),
    "no-gradient": (lambda s, m: weigh()(s.detach(), m), "no gradient flows through your weights: they are cut off from query and key (`detach`, `no_grad`, `.data`)."),
}
for number in (1, 2, 5, 9, 10, 15, 20, 30, 50, 99, 100, 1000, 10_000):
    says = "hidden keys still get weight: you give them a score that is not far enough below all the others. Scores may lie far below 0, and a hidden key must stay below them."
    weighings[f"fill-minus-{number}"] = (weigh(-float(number), "no"), says)
    if number in (1, 10, 100, 1000, 10_000):
        weighings[f"fill-minus-{number}+zero-row"] = (weigh(-float(number)), "where scores are low, whole rows are 0, although the mask leaves them keys. Is the score that you give hidden keys low enough, and is it the mask that tells which rows are empty?")
mixings = {
    "keys-not-values": (lambda w, v: w @ v.roll(1, -2), "your weights meet the wrong values: key j's weight must multiply value j."),
    "no-weights": (lambda w, v: (w @ v) * 0 + v.mean(-2, keepdim=True), "your output is the plain mean of the values; the weights are not used."),
    "masked-mean": (lambda w, v: (w > 0).to(v.dtype) @ v / (w > 0).sum(-1, keepdim=True).clamp(min=1), "your output is the plain mean of the visible values; the weights are not used."),
    "sum": (lambda w, v: (w > 0).to(v.dtype) @ v, "your output is the sum of the visible values; the weights are not used."),
    "divided-again": (lambda w, v: w @ v / v.shape[-1] ** 0.5, "your output is divided by a square root once more. Only the scores are scaled."),
    "divided-by-keys": (lambda w, v: w @ v / v.shape[-2], "your output is divided by the number of keys. The weights sum to 1 already."),
    "heads-added-up": (lambda w, v: (w @ v).sum(1), "your output has lost the axis of the heads: it is summed over them. Each head keeps its own."),
    "heads-averaged": (lambda w, v: (w @ v).mean(1), "your output has lost the axis of the heads: it is averaged over them. Each head keeps its own."),
    "heads-summed": (lambda w, v: (w @ v).sum(1, keepdim=True).expand(-1, v.shape[1], -1, -1), "your output is summed over the heads. Each head keeps its own."),
    "heads-merged": (lambda w, v: (w @ v).transpose(1, 2).flatten(2), "your output has its heads merged, (batch, seq_q, num_heads · d_v). Here the heads stay apart."),
    "seq-first": (lambda w, v: (w @ v).transpose(1, 2), "your output has heads and queries swapped: expected (batch, num_heads, seq_q, d_v)."),
    "output-transposed": (lambda w, v: (w @ v).transpose(-2, -1), "your output has its last two axes swapped: expected (batch, num_heads, seq_q, d_v)."),
    "weights-transposed": (lambda w, v: w.transpose(-2, -1) @ v, "your weights are transposed before they meet the values: each row of weights belongs to a query and sums over the keys."),
    "no-gradient-to-value": (lambda w, v: w @ v.detach(), "no gradient flows back to `value` (a `detach`, or `.data`)."),
}
givings = {
    "swapped-pair": (lambda o, w: (w, o), "your pair is the wrong way round: return output first, then weights."),
    "output-only": (lambda o, w: o, "your function returns the output alone. Return output and weights, a pair."),
    "weights-only": (lambda o, w: w, "your function returns the weights alone. Return output and weights, a pair."),
    "stacked": (lambda o, w: torch.cat([o, w], -1), "your function returns one tensor with output and weights side by side. Return a pair of two tensors."),
    "three": (lambda o, w: (o, w, w), "your function returns three things. Return output and weights, a pair."),
    "weights-averaged": (lambda o, w: (o, w.mean(1)), "your weights are averaged over the heads, as `nn.MultiheadAttention` does unless told otherwise. Return those of each head."),
    "weights-transposed-returned": (lambda o, w: (o, w.transpose(-2, -1)), "the weights that you return have queries and keys swapped: expected (batch, num_heads, seq_q, seq_k)."),
    "output-twice": (lambda o, w: (o, o), "you return the output twice. The second item is the weights."),
    "weights-detached": (lambda o, w: (o, w.detach()), "the weights that you return are cut off from the inputs (`detach`): no gradient flows through them."),
    "nothing-returned": (lambda o, w: None, "your function ends without giving anything back: is a `return` missing?"),
}
for name, (part, says) in shapings.items():
    wrong(name, says=says)(attention(scores=part))
for name, (part, says) in weighings.items():
    wrong(name, says=says)(attention(weights=part))
for name, (part, says) in mixings.items():
    wrong(name, says=says)(attention(mix=part))
for name, (part, says) in givings.items():
    wrong(name, says=says)(attention(give=part))
for first in ("no-scale", "by-d"):
    for second in ("nan-row", "even-row", "even-row+not-in-float16", "not-in-float16", "inverted", "inverted+nan-row", "after-softmax", "no-mask", "fill-zero", "axis-queries"):
        more = weighings[second][1]
        wrong(f"{first}+{second}", says=f"several things at once. First, {shapings[first][1]} Then, {more.removeprefix('two things at once. First, ')}")(attention(shapings[first][0], weighings[second][0]))
for first in ("no-scale", "by-d"):
    wrong(f"{first}+output-only", says=two_things(givings['output-only'][1], shapings[first][1]))(attention(scores=shapings[first][0], give=givings["output-only"][0]))
    wrong(f"{first}+swapped-pair", says=two_things(givings['swapped-pair'][1], shapings[first][1]))(attention(scores=shapings[first][0], give=givings["swapped-pair"][0]))
for first in ("nan-row", "even-row", "inverted", "after-softmax", "no-mask", "not-in-float16"):
    wrong(f"{first}+output-only", says=two_things(givings['output-only'][1], weighings[first][1]))(attention(weights=weighings[first][0], give=givings["output-only"][0]))

@wrong("scale-after-softmax", says="you divide the weights by √d_k, after the softmax. Divide the scores, before it.")
def scale_after(query, key, value, mask):
    weights = weigh()(bare(query, key), mask) / query.shape[-1] ** 0.5
    return weights @ value, weights

@wrong("values-hidden-only", says="your mask takes the hidden values out of the output, but the weights are made without it: they still give a share to hidden keys.")
def only_output(query, key, value, mask):
    weights = torch.softmax(scaled(query, key, value), -1)
    return (weights * mask) @ value, weights

@wrong("output-unmasked", says="your weights respect the mask and your output does not: it is made of weights from before the masking.")
def only_weights(query, key, value, mask):
    scores = scaled(query, key, value)
    return torch.softmax(scores, -1) @ value, weigh()(scores, mask)

@wrong("output-after-softmax", says="the weights that you return are right, but your output is made with weights that were masked after the softmax: their rows sum to less than 1.")
def late_output(query, key, value, mask):
    scores = scaled(query, key, value)
    return (torch.softmax(scores, -1) * mask) @ value, weigh()(scores, mask)

@wrong("even-row-in-output", says="where a query may see nothing, the weights that you return are 0, but your output was made before, with weights that were not: it is a mean of hidden values. Clear the weights before they meet the values.")
def even_row_in_output(query, key, value, mask):
    weights = weigh(None, "no")(scaled(query, key, value), mask)
    return weights @ value, weights * mask

@wrong("even-row-returned", says="your output is right. In the weights that you return, a row that hides every key has equal weights; they should be 0 as well.")
def even_row_returned(query, key, value, mask):
    weights = weigh(None, "no")(scaled(query, key, value), mask)
    return weights @ value * mask.any(-1, keepdim=True), weights

@wrong("output-by-count", says="your output is divided by the number of visible keys. The weights sum to 1 already.")
def by_count(query, key, value, mask):
    weights = weigh()(scaled(query, key, value), mask)
    return weights @ value / mask.sum(-1, keepdim=True).clamp(min=1), weights

@wrong("raw-weights-returned", says="your output is right, but the second item is the scores. Return the weights, after the softmax.")
def scores_returned(query, key, value, mask):
    scores = scaled(query, key, value)
    return weigh()(scores, mask) @ value, scores

@wrong("filled-scores-returned", says="your output is right, but the second item is the masked scores. Return the weights, after the softmax.")
def filled_returned(query, key, value, mask):
    scores = scaled(query, key, value)
    return weigh()(scores, mask) @ value, scores.masked_fill(~mask, -INF)

@wrong("keys-as-values", says="your output is made of keys. The weights mix the values.")
def keys_as_values(query, key, value, mask):
    weights = weigh()(scaled(query, key, value), mask)
    return weights @ key, weights

@wrong("queries-as-values", says="your output is made of queries. The weights mix the values.")
def queries_as_values(query, key, value, mask):
    weights = weigh()(scaled(query, key, value), mask)
    return weights @ query, weights

IN_PLACE = "your function changes its argument `{}` in place (`/=`, `*=`, or a method whose name ends in `_`). The caller's tensors must stay as they were."
@wrong("query-in-place", says=IN_PLACE.format("query"))
def query_in_place(query, key, value, mask):
    query /= query.shape[-1] ** 0.5
    weights = weigh()(bare(query, key), mask)
    return weights @ value, weights

@wrong("key-in-place", says=IN_PLACE.format("key"))
def key_in_place(query, key, value, mask):
    key /= query.shape[-1] ** 0.5
    weights = weigh()(bare(query, key), mask)
    return weights @ value, weights

@wrong("mask-in-place", says=IN_PLACE.format("mask"))
def mask_in_place(query, key, value, mask):
    mask.logical_not_()
    weights = weigh(invert=True)(scaled(query, key, value), mask)
    return weights @ value, weights

@wrong("value-in-place", says=IN_PLACE.format("value"))
def value_in_place(query, key, value, mask):
    weights = weigh()(scaled(query, key, value), mask)
    if not value.requires_grad:
        output = weights @ value
        value.zero_()
        return output, weights
    value.zero_()

SILENT = "a query that may see nothing gets NaN in float16, though not in float32: the number that you fill in for hidden scores has become −inf there, and the softmax of nothing but −inf is 0/0."
@wrong("nan-row-in-float16-only", says=SILENT)
def nan_in_half(query, key, value, mask):
    weights = torch.softmax(torch.where(mask, scaled(query, key, value), -1e9), -1) * mask
    return weights @ value, weights

@wrong("even-row+nan-row-in-float16", says=f"two things at once. In float32, {EVEN} In float16, it gets NaN: the number that you fill in or add is −inf there.")
def even_and_nan(query, key, value, mask):
    weights = torch.softmax(torch.where(mask, scaled(query, key, value), -1e9), -1)
    return weights @ value, weights

@wrong("even-row-added+nan-row-in-float16", says=f"two things at once. In float32, {EVEN} In float16, it gets NaN: the number that you fill in or add is −inf there.")
def even_and_nan_added(query, key, value, mask):
    weights = torch.softmax(scaled(query, key, value) + (1.0 - mask.to(query.dtype)) * -1e9, -1)
    return weights @ value, weights

@wrong("even-row-added", says=EVEN)
def even_added(query, key, value, mask):
    scores = scaled(query, key, value)
    weights = torch.softmax(scores + (1.0 - mask.to(scores.dtype)) * torch.finfo(scores.dtype).min, -1)
    return weights @ value, weights

@wrong("inverted-added+nan-row-in-float16", says=f"two things at once. First, {INVERT} Second, the number that you add is −inf in float16, where a row of nothing but −inf gives NaN.")
def inverted_added(query, key, value, mask):
    weights = torch.softmax(scaled(query, key, value) + mask.to(query.dtype) * -1e9, -1)
    return weights @ value, weights

TYPES = "your code breaks in float16: two tensors of different types meet in a product. Make every new tensor in the type of the inputs."
for name, scores, weights, more in (
    ("", scaled, weigh(), ""),
    ("nan-row+", scaled, weigh(-INF, "no"), NAN),
    ("even-row+", scaled, weigh(None, "no"), EVEN),
    ("inverted+", scaled, weigh(invert=True), INVERT),
    ("no-scale+", lambda query, key, value: bare(query, key), weigh(), NO_SCALE),
):
    wrong(f"{name}float32-only", says=two_things(more, TYPES) if more else TYPES)(
        attention(lambda q, k, v, scores=scores: scores(q, k, v).float(), weights))

right_edit("einsum", ("query @ key.transpose(-2, -1)", 'torch.einsum("bhqd,bhkd->bhqk", query, key)'), ("weights @ value, weights", '(torch.einsum("bhqk,bhkd->bhqd", weights, value), weights)'))
right_edit("query-scaled-first", ("query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])", "(query * query.shape[-1] ** -0.5) @ key.mT"))
right_edit("as-list", ("return weights @ value, weights", "return [weights @ value, weights]"))

@right
def in_single_precision(query, key, value, mask):
    scores = query.float() @ key.float().transpose(2, 3) / query.size(-1) ** 0.5
    weights = scores.masked_fill(~mask, -1e9).softmax(-1) * mask
    return weights @ value.float(), weights

@right
def fourth_roots(query, key, value, mask):
    """Query and key each by the fourth root: smaller numbers on the way, as float16 likes them."""
    root = key.shape[-1] ** 0.25
    scores = torch.matmul(query / root, (key / root).transpose(-1, -2))
    weights = torch.softmax(scores.masked_fill(~mask, float("-inf")), -1).nan_to_num(0.0)
    return torch.matmul(weights, value), weights

def shared(scores, mask):
    weights = torch.softmax(scores, dim=-1) * mask
    return weights / weights.sum(-1, keepdim=True).clamp(min=1e-7)

SHARED = "you take a softmax (or the largest score) over all keys, hidden ones too, and share out what is left. Where a hidden score lies far above the visible ones, nothing is left of these. Hide the keys before the softmax."
wrong("shared-out", says=SHARED)(attention(weights=shared))
NAN_BEHIND = "your output is right, and NaN stands in the gradients: a row that hides everything was NaN before it was cleaned, and 0 · NaN is NaN on the way back. Let no NaN arise: replace hidden scores, or let what you add to them be finite."
wrong("nan-gradient", says=NAN_BEHIND)(attention(weights=lambda s, m: torch.softmax(s + torch.zeros(m.shape, dtype=s.dtype).masked_fill(~m, -INF), -1).nan_to_num(0.0)))

@right
def bias_of_minus_infinity(query, key, value, mask):
    """An additive mask; rows that hide everything get none, and are emptied afterwards."""
    some = mask.any(-1, keepdim=True)
    bias = torch.zeros(mask.shape, dtype=query.dtype).masked_fill(~mask & some, float("-inf"))
    weights = torch.softmax(query @ key.transpose(-2, -1) * (1 / math.sqrt(query.size(-1))) + bias, dim=-1) * some
    return weights @ value, weights

@right
def bias_of_the_lowest(query, key, value, mask):
    bias = torch.where(mask, 0.0, torch.finfo(query.dtype).min).to(query.dtype)
    weights = torch.softmax(query @ key.transpose(-2, -1) / math.sqrt(query.size(-1)) + bias, dim=-1)
    weights = torch.where(mask, weights, torch.zeros_like(weights))
    return weights @ value, weights

@right
def in_place_on_its_own(query, key, value, mask):
    scores = query @ key.transpose(-2, -1)
    scores = scores.div_(math.sqrt(query.shape[-1])).masked_fill_(~mask, -math.inf)
    weights = torch.nan_to_num(torch.softmax(scores, -1), nan=0.0)
    return weights @ value, weights

@right
def batches_and_heads_in_one(query, key, value, mask):
    b, h, q, d = query.shape
    k = key.shape[2]
    scores = torch.baddbmm(torch.zeros(b * h, q, k, dtype=query.dtype), query.reshape(b * h, q, d), key.reshape(b * h, k, d).mT, alpha=d**-0.5)
    seen = mask.expand(b, h, q, k).reshape(b * h, q, k)
    weights = torch.softmax(scores.masked_fill(~seen, -30000.0), -1) * seen
    return torch.bmm(weights, value.reshape(b * h, k, -1)).view(b, h, q, -1), weights.view(b, h, q, k)

@right
def query_by_query(query, key, value, mask):
    seen = mask.expand(*query.shape[:3], key.shape[2])
    outputs, weights = [], []
    for b, h, i in np.ndindex(*query.shape[:3]):
        weight = torch.zeros(key.shape[2], dtype=query.dtype)
        if seen[b, h, i].any():
            scores = (key[b, h][seen[b, h, i]] * query[b, h, i]).sum(-1) / query.shape[3] ** 0.5
            weight = weight.masked_scatter(seen[b, h, i], torch.softmax(scores, 0))
        weights.append(weight)
        outputs.append((weight[:, None] * value[b, h]).sum(0))
    return torch.stack(outputs).view(*query.shape[:3], -1), torch.stack(weights).view(seen.shape)

@truth
def by_fused_attention(query, key, value, mask):
    """PyTorch's own attention with the boolean mask, in float64; queries that see nothing set to 0 whatever it makes of them."""
    query, key, value = query.double(), key.double(), value.double()
    unit = torch.eye(key.shape[-2], dtype=torch.float64).expand(*key.shape[:2], -1, -1)
    attend = torch.nn.functional.scaled_dot_product_attention
    nothing = ~mask.any(-1, keepdim=True)
    return tuple(attend(query, key, mixed, attn_mask=mask).masked_fill(nothing, 0.0) for mixed in (value, unit))

@truth
def by_loops(query, key, value, mask):
    """Number by number in float64, over the visible keys alone, and without a softmax."""
    q, k, v = query.double(), key.double(), value.double()
    seen = mask.expand(*q.shape[:3], k.shape[2])
    output, weights = torch.zeros(*q.shape[:3], v.shape[3], dtype=torch.float64), torch.zeros(seen.shape, dtype=torch.float64)
    for b, h, i in np.ndindex(*q.shape[:3]):
        places = seen[b, h, i].nonzero().flatten().tolist()
        scores = [(q[b, h, i] * k[b, h, j]).sum() / math.sqrt(q.shape[3]) for j in places]
        powers = [torch.exp(score - max(scores)) for score in scores]
        for j, power in zip(places, powers):
            weights[b, h, i, j] = power / sum(powers)
            output[b, h, i] = output[b, h, i] + weights[b, h, i, j].clone() * v[b, h, j]
    return output, weights
