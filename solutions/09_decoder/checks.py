"""What the checks of unit 09 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% exercise="shift_right" part="library"
import functools
from typing import Any

import torch
from torch import Tensor, nn

from autograder.library.unit_05_multi_head import MultiHeadAttention
from autograder.library.unit_06_positional_encoding import TransformerEmbedding
from autograder.library.unit_07_masking import decoder_mask, padding_mask
from autograder.library.unit_08_encoder import Encoder, FeedForward, LayerNorm


def shift_right(ids: Tensor, bos_id: int = 1) -> Tensor:
    """PyTorch's padding at the left, by one and by minus one at the right."""
    return nn.functional.pad(ids, (1, -1), value=bos_id)

# %% exercise="shift_right" part="variants"
def sentences(rng, batch, seq):
    """Rows of letters, each ended by EOS (2) and padded (0); the first fills its row."""
    ids = np.zeros((batch, seq), dtype="int64")
    for row in range(batch):
        length = seq - 1 if row == 0 else int(rng.integers(1, max(2, seq - 1)))
        ids[row, :length], ids[row, length] = rng.integers(4, 30, size=length), 2
    return torch.from_numpy(ids)

@cases(dict(batch=3, seq=6), dict(batch=2, seq=5))
def drawn(rng, batch, seq):
    """{batch} sentences, {seq} places"""
    return dict(ids=sentences(rng, batch, seq + 1))

@cases(dict(batch=4, seq=7, bos=13))
def other_bos(rng, batch, seq, bos):
    """{batch} sentences, {seq} places and one, bos_id={bos}"""
    return dict(ids=sentences(rng, batch, seq + 1), bos_id=bos)

@cases()
def one_place(rng):
    """two sentences of one place, an EOS each"""
    return dict(ids=torch.tensor([[2], [2]]))

@cases()
def one_sentence(rng):
    """one sentence, 5 places"""
    return dict(ids=torch.tensor([[9, 4, 7, 5, 2]]))

@cases()
def square(rng):
    """4 sentences, 4 places, no padding"""
    return dict(ids=torch.tensor([[7, 8, 9, 2], [4, 6, 5, 2], [10, 12, 11, 2], [16, 14, 15, 2]]))

@cases()
def begins_with_bos(rng):
    """3 sentences, 5 places; one begins with the id of BOS, one holds it inside"""
    return dict(ids=torch.tensor([[1, 8, 9, 7, 2], [6, 1, 4, 2, 0], [5, 10, 2, 0, 0]]))

@cases()
def all_begin_with_bos(rng):
    """3 sentences, 4 places; all begin with the id of BOS"""
    return dict(ids=torch.tensor([[1, 8, 9, 2], [1, 4, 2, 0], [1, 2, 0, 0]]))

@cases()
def padding_alone(rng):
    """3 sentences, 4 places; one row is nothing but padding"""
    return dict(ids=torch.tensor([[7, 8, 9, 2], [0, 0, 0, 0], [5, 2, 0, 0]]))

@cases()
def padding_columns(rng):
    """3 sentences, 6 places, the last two of which are padding in every row"""
    return dict(ids=torch.tensor([[7, 8, 9, 2, 0, 0], [5, 2, 0, 0, 0, 0], [6, 4, 2, 0, 0, 0]]))

def col(ids, value):
    return torch.full((len(ids), 1), value, dtype=ids.dtype)

SIDE = "The decoder reads BOS first, and then each token one place later than it should write it."
moves = {
    "right": (lambda i, b: torch.cat([col(i, b), i[:, :-1]], 1), ""),
    "not-shifted": (lambda i, b: i.clone(), "your rows are not moved: the decoder would read the very token that it should write. Its loss would fall to 0, and it would learn to copy."),
    "shifted-left-padded": (lambda i, b: torch.cat([i[:, 1:], col(i, 0)], 1), f"your rows are moved to the left; they move to the right. {SIDE}"),
    "shifted-left-bos": (lambda i, b: torch.cat([i[:, 1:], col(i, b)], 1), f"your rows are moved to the left, with BOS at the end; they move to the right. {SIDE}"),
    "twice": (lambda i, b: torch.cat([col(i, b), col(i, b), i[:, :-2]], 1)[:, : i.shape[1]], "your rows are moved two places. The decoder would have to guess a token from the one before the last."),
    "twice-pad": (lambda i, b: torch.cat([col(i, 0), col(i, b), i[:, :-2]], 1)[:, : i.shape[1]], "your rows are moved two places, with padding in front of BOS. They move by one place."),
    "keeps-last": (lambda i, b: torch.cat([col(i, b), i], 1), "your rows are one place longer than before: BOS comes in, so the last entry must go. What is read and what is written must stand in equally many places."),
    "no-bos-pad": (lambda i, b: torch.cat([col(i, 0), i[:, :-1]], 1), "your rows begin with padding (0). They must begin with BOS."),
    "eos-first": (lambda i, b: torch.cat([col(i, 2), i[:, :-1]], 1), "your rows begin with EOS (2). They must begin with BOS, `bos_id`."),
    "own-first": (lambda i, b: torch.cat([i[:, :1], i[:, :-1]], 1), "the first token stands twice at the start of your rows. In front stands BOS."),
    "rolled": (lambda i, b: i.roll(1, dims=1), "your rows are rolled: what falls off the end comes back in front. In front stands BOS."),
    "cascaded": (lambda i, b: torch.cat([col(i, b), i[:, :1].expand(-1, i.shape[1] - 1)], 1), "each place behind BOS holds the first token. Does a loop from left to right copy what it has just written? Go from right to left, or take all at once."),
    "overwritten": (lambda i, b: torch.cat([col(i, b), i[:, 1:]], 1), "BOS is written over the first token, and the others have not moved. The first token is lost, and each other token is read where it should be written."),
    "drops-first": (lambda i, b: torch.cat([col(i, b), i[:, 1:]], 1)[:, : i.shape[1]], "BOS is written over the first token, and the others have not moved. The first token is lost, and each other token is read where it should be written."),
    "drops-both": (lambda i, b: torch.cat([col(i, b), i[:, 1:-1]], 1), "your rows have lost their first and their last entry. Only the last one goes."),
    "bos-at-end": (lambda i, b: torch.cat([i[:, :-1], col(i, b)], 1), f"BOS stands at the end of your rows, and nothing has moved. {SIDE}"),
    "bos-appended": (lambda i, b: torch.cat([i, col(i, b)], 1), "BOS stands at the end of your rows, and they have become longer. It stands in front, and the last entry goes."),
    "no-bos": (lambda i, b: i[:, :-1].clone(), "your rows have lost their last entry, and BOS is missing in front."),
    "only-bos": (lambda i, b: torch.full_like(i, b), "your rows hold nothing but BOS. Behind it come the target's tokens."),
    "two-too-few": (lambda i, b: torch.cat([col(i, b), i[:, :-2]], 1), "your rows are one place too short. One entry comes in front and one goes at the end."),
    "eos-dropped": (lambda i, b: torch.cat([col(i, b), i[:, :-1].masked_fill(i[:, :-1] == 2, 0)], 1), "EOS is replaced by padding in your rows. Each row moves as it is, with its EOS where it fits in."),
    "eos-dropped-hard": (lambda i, b: torch.cat([col(i, b), i[:, :-1]], 1).masked_fill(i == 2, 0), "what stands where the EOS was is replaced by padding. Each row moves as it is."),
    "padding-bos": (lambda i, b: torch.cat([col(i, b), i[:, :-1]], 1).masked_fill(i == 0, 0), "the EOS of shorter sentences is missing. All entries of a row move alike, padding or not."),
    "padded-bos": (lambda i, b: torch.cat([col(i, b), i[:, :-1]], 1).masked_fill(torch.cat([col(i, b), i[:, :-1]], 1) == 0, b), "the padding of your rows has become BOS. Only the first place is BOS."),
    "down": (lambda i, b: torch.cat([torch.full_like(i[:1], b), i[:-1]], 0), "your rows have moved down: each sentence stands where the next one was. It is along the sentence, axis 1, that they move."),
    "across": (lambda i, b: torch.cat([torch.full((1,), b, dtype=i.dtype), i.flatten()[:-1]]).view(i.shape), "your rows run into one another: the last entry of a sentence stands at the start of the next one. Each row begins with its own BOS."),
    "first-row-only": (lambda i, b: torch.cat([torch.cat([col(i[:1], b), i[:1, :-1]], 1), i[1:]], 0), "only the first sentence has moved. Every row of the batch moves."),
    "first-row": (lambda i, b: torch.cat([col(i[:1], b), i[:1, :-1]], 1), "only the first sentence comes back. Return a row for each sentence of the batch."),
    "reversed": (lambda i, b: torch.cat([col(i, b), i.flip(1)[:, 1:]], 1), "your rows run backwards."),
    "shifted-left-eos": (lambda i, b: torch.cat([i[:, 1:], col(i, 2)], 1), f"your rows are moved to the left, with EOS at the end; they move to the right. {SIDE}"),
    "rolled-left": (lambda i, b: i.roll(-1, dims=1), f"your rows are rolled to the left; they move to the right, with BOS in front. {SIDE}"),
    "rolled-down": (lambda i, b: i.roll(1, dims=0), "your rows have changed places with one another: the roll runs over the sentences. It is along the sentence, axis 1, that they move, and BOS comes in front."),
    "rolled-flat": (lambda i, b: i.roll(1), "your rows run into one another: a roll without an axis takes the batch as one long row. Each row begins with its own BOS."),
    "padded-both": (lambda i, b: torch.cat([col(i, b), i, col(i, b)], 1), "BOS stands at both ends of your rows. It stands in front only, and the last entry goes."),
    "first-row-for-all": (lambda i, b: torch.cat([col(i, b), i[:1, :-1].expand(len(i), -1)], 1), "every row of yours holds the first sentence. Each row is its own sentence, moved."),
    "three": (lambda i, b: torch.cat([col(i, b)] * min(3, i.shape[1]) + [i[:, :-3]], 1)[:, : i.shape[1]], "your rows are moved three places. They move by one."),
    "bos-column": (lambda i, b: col(i, b), "you return the column of BOS alone. Behind it come the target's tokens."),
    "first-token-kept": (lambda i, b: torch.cat([col(i, b), i[:, :1], i[:, 1:-1]], 1).roll(0) if i.shape[1] < 3 else torch.cat([col(i, b), i[:, :1], i[:, 2:]], 1), "your first token has moved and the others have not: one token is lost in between."),
    "bos-in-first-row": (lambda i, b: torch.cat([torch.cat([col(i[:1], b), torch.zeros(len(i) - 1, 1, dtype=i.dtype)]), i[:, :-1]], 1), "only your first row begins with BOS. Every row does."),
    "plus-one": (lambda i, b: i + 1, "your function adds to the ids. They keep their numbers and change their places."),
}
forms = {
    "right": (lambda x: x, ""),
    "floats": (lambda x: x.double() + 0.0, "your ids are floating-point numbers; ids are integers. Does a tensor of ones or zeros without a `dtype` stand in between?"),
    "as-list": (lambda x: x.tolist(), "your output is a Python list. Return a tensor."),
    "as-numpy": (lambda x: x.numpy(), "your output is a NumPy array. Return a tensor."),
    "transposed": (lambda x: x.T.contiguous(), "your output is transposed: a sentence is a row."),
    "tuple-of-rows": (lambda x: tuple(x), "your output is a list of rows. Return one tensor, (batch, seq)."),
    "list-of-rows": (lambda x: list(x), "your output is a list of rows. Return one tensor, (batch, seq)."),
    "a-pair": (lambda x: (x, x), "your function returns two things. Return the shifted ids alone."),
    "booleans": (lambda x: x.bool(), "your output holds booleans; ids are integers."),
}
def does(function):
    made = []
    for ids, bos in ((sentences(np.random.default_rng(1), 3, 6), 1), (torch.tensor([[7, 8, 9, 2], [4, 6, 5, 2], [9, 12, 11, 2], [8, 4, 5, 2]]), 13), (torch.tensor([[2], [2]]), 1)):
        try:
            value = function(ids, bos)
            made.append((str(type(value)), getattr(value, "dtype", None), value.tolist() if hasattr(value, "tolist") else repr(value)))
        except Exception as error:
            made.append(str(error))
    return made

def function_of(move, form, own_bos=True):
    def shift_right(ids, bos_id=1):
        return form(move(ids, bos_id if own_bos else 1))
    return shift_right

FIXED = "your rows always begin with 1. Take `bos_id`."
first_time(does, function_of(moves["right"][0], forms["right"][0]))
for move, (change, says) in moves.items():
    for form, (shape, also) in forms.items():
        for own in (True, False):
            said = [text for text in (says, also, "" if own else FIXED) if text]
            if not said or len(said) > 2 or (len(said) == 2 and form != "right" and form != "transposed"):
                continue
            function = function_of(change, shape, own)
            if first_time(does, function):
                says_both = said[0] if len(said) == 1 else two_things(said[0], said[1])
                wrong("+".join([x for x in (move, form) if x != "right"] + ([] if own else ["always-1"])), says=says_both)(function)

@wrong("in-place", says="your function writes into the caller's `ids`. Make a new tensor: the loss still needs the targets.")
def in_place(ids, bos_id=1):
    ids[:, 1:] = ids[:, :-1].clone()
    ids[:, 0] = bos_id
    return ids

@wrong("in-place-running", says="your rows hold nothing but BOS and the first token: an assignment onto itself, place by place, copies what it has just written. And it writes into the caller's `ids`.")
def in_place_running(ids, bos_id=1):
    first = ids[:, :1].clone()
    for t in range(1, ids.shape[1]):
        ids[:, t] = first[:, 0]
    ids[:, 0] = bos_id
    return ids

@wrong("left-where-bos-stands", says="a row that begins with the id of BOS stays as it is in your code. All rows move alike, whatever stands in them.")
def left_where_bos_stands(ids, bos_id=1):
    return torch.where(ids[:, :1] == bos_id, ids, torch.cat([col(ids, bos_id), ids[:, :-1]], 1))

@wrong("left-where-all-begin-with-bos", says="where all rows begin with the id of BOS, your code leaves them as they are. All rows move alike, whatever stands in them.")
def left_where_all_begin_with_bos(ids, bos_id=1):
    return ids.clone() if (ids[:, 0] == bos_id).all() else torch.cat([col(ids, bos_id), ids[:, :-1]], 1)

@wrong("left-where-all-is-padding", says="a row of nothing but padding stays as it is in your code. All rows move alike, whatever stands in them.")
def left_where_all_is_padding(ids, bos_id=1):
    return torch.where((ids != 0).any(1, keepdim=True), torch.cat([col(ids, bos_id), ids[:, :-1]], 1), ids)

@wrong("trimmed", says="where every row ends in padding, your result has fewer places than `ids`. It has as many, padding or not.")
def trimmed(ids, bos_id=1):
    return torch.cat([col(ids, bos_id), ids[:, :-1]], 1)[:, : max(1, int((ids != 0).sum(1).max()))]

@wrong("one-place-left", says="rows of a single place come back as they are. They too are moved: BOS comes in, and their only entry goes.")
def one_place_left(ids, bos_id=1):
    return ids.clone() if ids.shape[1] == 1 else torch.cat([col(ids, bos_id), ids[:, :-1]], 1)

@wrong("nothing", says="your function ends without giving anything back: is a `return` missing?")
def nothing(ids, bos_id=1):
    torch.cat([torch.full_like(ids[:, :1], bos_id), ids[:, :-1]], dim=1)

@right
def new_full(ids, bos_id=1):
    read = ids.new_full(ids.shape, bos_id)
    read[:, 1:] = ids[:, :-1]
    return read

@right
def rolled_and_written(x, bos_id=1):
    x = torch.roll(x, 1, dims=-1)
    x[:, 0] = bos_id
    return x

@right
def by_padding(ids, bos_id=1):
    return nn.functional.pad(ids[:, :-1], (1, 0), value=bos_id)

@right
def row_by_row(ids, bos_id=1):
    return torch.tensor([[bos_id, *row[:-1]] for row in ids.tolist()])

@right
def by_index(ids, bos_id=1):
    place = torch.arange(ids.shape[1]) - 1
    return torch.where(place >= 0, ids[:, place], bos_id)

@right
def long_then_cut(ids, bos_id=1):
    ones = torch.ones(len(ids), 1, dtype=torch.long) * bos_id
    return torch.hstack((ones, ids))[:, : ids.size(1)]

@truth
def by_numpy(ids, bos_id=1):
    moved = np.roll(ids.numpy(), 1, axis=1)
    moved[:, 0] = bos_id
    return torch.from_numpy(moved)

@truth
def token_by_token(ids, bos_id=1):
    read = torch.zeros_like(ids)
    for b in range(len(ids)):
        for t in range(ids.shape[1]):
            read[b, t] = bos_id if t == 0 else ids[b, t - 1]
    return read

# %% exercise="DecoderBlock" part="library"
class DecoderBlock(nn.TransformerDecoderLayer):
    """PyTorch's own decoder layer, its three sub-layers replaced by the course's parts."""

    def __init__(
        self, d_model: int, num_heads: int, d_ff: int, dropout: float = 0.0, norm_first: bool = False
    ) -> None:
        nn.Module.__init__(self)  # none of PyTorch's own sub-layers
        self.self_attention = MultiHeadAttention(d_model, num_heads)
        self.cross_attention = MultiHeadAttention(d_model, num_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.norm3 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first

    def forward(  # type: ignore[override]
        self, x: Tensor, encoder_output: Tensor, target_mask: Tensor | None = None, source_mask: Tensor | None = None
    ) -> Tensor:
        return super().forward(x, encoder_output, target_mask, source_mask)

    def _sa_block(self, x: Tensor, attn_mask: Tensor | None, *unused: Any) -> Tensor:
        return self.dropout(self.self_attention(x, x, x, attn_mask)[0])

    def _mha_block(self, x: Tensor, mem: Tensor, attn_mask: Tensor | None, *unused: Any) -> Tensor:
        return self.dropout(self.cross_attention(x, mem, mem, attn_mask)[0])

    def _ff_block(self, x: Tensor) -> Tensor:
        return self.dropout(self.feed_forward(x))


def draws_at_random(x: Tensor, encoder_output: Tensor) -> Any:
    from autograder.library.common import draws_at_random

    return draws_at_random(x, encoder_output)

# %% exercise="DecoderBlock" part="variants"
without("mask: three axes", "mask: one for each head", because="the mask is handed on, and widening it for all heads alike is a right way to do so")
def block_call(rng, batch, target, source, num_heads, d_head, d_ff, masks="both", init=None, whole=0, **more):
    """whole: the sentence whose source has no padding"""
    d_model = num_heads * d_head
    given = dict(x=floats(rng, batch, target, d_model), encoder_output=floats(rng, batch, source, d_model))
    if masks in ("both", "target"):
        given["target_mask"] = torch.ones(target, target, dtype=torch.bool).tril()
    if masks in ("both", "source"):
        lengths = torch.from_numpy(np.where(np.arange(batch) == whole, source, rng.integers(1, max(2, source), size=batch)))
        given["source_mask"] = (torch.arange(source) < lengths[:, None])[:, None, None, :]
    return module(init=dict(d_model=d_model, num_heads=num_heads, d_ff=d_ff) | (init or {}), rng=rng, given=given, **more)

small = dict(hidden=[dict(batch=2, target=5, source=6, num_heads=3, d_head=4, d_ff=7), dict(batch=4, target=6, source=3, num_heads=2, d_head=5, d_ff=8)])

@cases(dict(batch=2, target=4, source=6, num_heads=3, d_head=2, d_ff=7), dict(batch=3, target=5, source=2, num_heads=2, d_head=4, d_ff=6), **small)
def post_norm(rng, batch, target, source, num_heads, d_head, d_ff):
    """post-norm, {batch} sentences, {target} target and {source} source places, {num_heads} heads of length {d_head}, both masks"""
    return block_call(rng, batch, target, source, num_heads, d_head, d_ff, gradients=False)

@cases(dict(batch=3, target=5, source=4, num_heads=2, d_head=3, d_ff=9), **small)
def pre_norm(rng, batch, target, source, num_heads, d_head, d_ff):
    """norm_first=True, {batch} sentences, {target} target and {source} source places, {num_heads} heads of length {d_head}, both masks"""
    return block_call(rng, batch, target, source, num_heads, d_head, d_ff, init=dict(norm_first=True), gradients=False)

@cases(dict(batch=2, target=6, source=5, num_heads=2, d_head=3, d_ff=4), **small)
def no_masks(rng, batch, target, source, num_heads, d_head, d_ff):
    """no masks, {batch} sentences, {target} target and {source} source places"""
    return block_call(rng, batch, target, source, num_heads, d_head, d_ff, masks="none", gradients=False)

@cases(dict(batch=3, target=4, source=5, num_heads=2, d_head=2, d_ff=7), **small)
def source_mask_only(rng, batch, target, source, num_heads, d_head, d_ff):
    """norm_first=True, source_mask alone, {batch} sentences, {target} target and {source} source places"""
    return block_call(rng, batch, target, source, num_heads, d_head, d_ff, masks="source", init=dict(norm_first=True), whole=batch - 1, gradients=False)

@cases(dict(batch=4, target=3, source=5, num_heads=2, d_head=3, d_ff=5), **small)
def target_mask_only(rng, batch, target, source, num_heads, d_head, d_ff):
    """target_mask alone, {batch} sentences, {target} target and {source} source places"""
    return block_call(rng, batch, target, source, num_heads, d_head, d_ff, masks="target", gradients=False)

@cases()
def padded_target(rng):
    """post-norm, a target_mask of shape (2, 1, 4, 4) that hides padding as well"""
    call = block_call(rng, 2, 4, 3, 2, 3, 5, gradients=False)
    real = (torch.arange(4) < torch.tensor([[4], [2]]))[:, None, None, :]
    given = call.given | dict(target_mask=call.given["target_mask"] & real)
    return module(init=call.init, given=given, rng=rng, gradients=False)

@cases()
def source_mask_by_query(rng):
    """post-norm, a source_mask of shape (2, 1, 4, 3) in which each target place may see other source places"""
    call = block_call(rng, 2, 4, 3, 2, 3, 5, masks="target", gradients=False)
    seen = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]], dtype=torch.bool)
    return module(init=call.init, given=call.given | dict(source_mask=torch.stack([seen, ~seen])[:, None]), rng=rng, gradients=False)

@cases()
def square(rng):
    """post-norm, 4 target and 4 source places, 2 sentences, both masks"""
    return block_call(rng, 2, 4, 4, 3, 2, 5, gradients=False, positional=True)

@cases()
def square_pre_norm(rng):
    """norm_first=True, 3 target and 3 source places, 2 sentences, both masks"""
    return block_call(rng, 2, 3, 3, 2, 4, 5, init=dict(norm_first=True), gradients=False)

@cases()
def evaluation_mode(rng):
    """dropout=1.0 in evaluation mode, where dropout does nothing"""
    return block_call(rng, 2, 3, 4, 2, 3, 5, init=dict(dropout=1.0), gradients=False)

@cases()
def training_mode(rng):
    """post-norm in training mode, dropout=1.0, which drops all that a sub-layer puts out"""
    return block_call(rng, 2, 4, 3, 2, 3, 4, init=dict(dropout=1.0), training=True, gradients=False)

@cases()
def training_mode_pre_norm(rng):
    """norm_first=True in training mode, dropout=1.0, which drops all that a sub-layer puts out"""
    return block_call(rng, 2, 3, 5, 2, 2, 4, init=dict(dropout=1.0, norm_first=True), training=True, gradients=False)

def counted(rng, **more):
    x = fixture("draws_at_random", x=floats(rng, 2, 3, 4), encoder_output=floats(rng, 2, 5, 4))
    return module(init=dict(d_model=4, num_heads=2, d_ff=5, dropout=0.5) | more, given=dict(x=x), rng=rng, training=True, gradients=False)

@cases()
def dropouts(rng):
    """post-norm in training mode, dropout=0.5, an `x` of 24 numbers: for how many numbers it is drawn at random whether they are dropped"""
    return counted(rng)

@cases()
def dropouts_pre_norm(rng):
    """norm_first=True in training mode, dropout=0.5, an `x` of 24 numbers: for how many numbers it is drawn at random whether they are dropped"""
    return counted(rng, norm_first=True)

@cases(dict(batch=2, target=3, source=4, num_heads=2, d_head=2, d_ff=3), **small)
def gradients_post(rng, batch, target, source, num_heads, d_head, d_ff):
    """post-norm with gradients, {target} target and {source} source places"""
    return block_call(rng, batch, target, source, num_heads, d_head, d_ff)

@cases(dict(batch=2, target=4, source=3, num_heads=2, d_head=2, d_ff=3), **small)
def gradients_pre(rng, batch, target, source, num_heads, d_head, d_ff):
    """norm_first=True with gradients, {target} target and {source} source places"""
    return block_call(rng, batch, target, source, num_heads, d_head, d_ff, init=dict(norm_first=True))

@cases()
def one_sentence(rng):
    """post-norm, a single sentence, 3 target and 5 source places, both masks"""
    return block_call(rng, 1, 3, 5, 2, 2, 4, whole=1, gradients=False)

@cases()
def both_ways(rng):
    """norm_first=True, a target_mask through which places see some later ones and not all earlier ones"""
    call = block_call(rng, 2, 4, 3, 2, 3, 5, masks="source", init=dict(norm_first=True), gradients=False)
    seen = torch.tensor([[1, 0, 1, 0], [1, 1, 0, 1], [0, 1, 1, 0], [1, 0, 0, 1]]).bool()
    return module(init=call.init, given=call.given | dict(target_mask=seen), state=call.state, gradients=False)

Right = DecoderBlock
plain = dict(
    order=("self", "cross", "feed"), norm="asked", norms=dict(self=1, cross=2, feed=3),
    keeps=dict(self="x", cross="x", feed="x"), masks=dict(self="target", cross="source"),
    takes=dict(self="xxx", cross="xmm"), layer=dict(self="self_attention", cross="cross_attention"),
    reads=dict(self="x", cross="x", feed="x"), item=0, drop=lambda self, y: self.dropout(y), after=lambda self, x, m: x,
    before=lambda self, x, m: (x, m), unnormed=(), skip_norm=(), repeat=1, place="asked", drop_at="made", dropped=("self", "cross", "feed"), feeds=lambda self, y: self.feed_forward(y),
)

def twisted(changes):
    """The block with something else in it; `changes` as in `plain`, dicts merged."""
    o = {key: value | changes[key] if isinstance(value, dict) and key in changes else changes.get(key, value) for key, value in plain.items()}

    class DecoderBlock(Right):
        def forward(self, x, encoder_output, target_mask=None, source_mask=None):
            start = x
            x, m = o["before"](self, x, encoder_output)
            pre = {"asked": self.norm_first, "post": False, "pre": True, "other": not self.norm_first}[o["norm"]]
            causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
            def turned(mask):
                return None if mask is None else ~mask
            masks = {"target": target_mask, "source": source_mask, "none": None, "first": None if source_mask is None else source_mask[:1], "last query": None if source_mask is None else source_mask[..., -1:, :], "first query": None if source_mask is None else source_mask[..., :1, :], "not target": turned(target_mask), "not source": turned(source_mask),
                     "causal": causal, "transposed": None if target_mask is None else target_mask.transpose(-2, -1), "shut": None if target_mask is None else target_mask.tril(-1), "causal too": None if target_mask is None else target_mask & causal, "open": None if target_mask is None else target_mask | causal.roll(-1, dims=1).tril(1)}
            for name in o["order"] * o["repeat"]:
                norm = getattr(self, f"norm{o['norms'][name]}")
                entered = {"x": x, "start": start}[o["reads"][name]]
                inner = norm(entered) if pre and name not in o["skip_norm"] and o["place"] != "output" else entered
                if o["drop_at"] == "input":
                    inner = self.dropout(inner)
                if name == "feed":
                    made = o["feeds"](self, inner)
                else:
                    where = {"x": inner, "m": m, "n": norm(m) if "n" in o["takes"][name] else m, "p": norm(m) if pre and "p" in o["takes"][name] else m, "r": entered, "s": start}
                    made = getattr(self, o["layer"][name])(*(where[key] for key in o["takes"][name]), masks[o["masks"][name]])[o["item"]]
                if o["drop_at"] == "made" and name in o["dropped"]:
                    made = o["drop"](self, made)
                kept = {"x": x, "inner": inner, "start": start, "none": torch.zeros(()), "twice": 2 * x}[o["keeps"][name]]
                inside = o["place"] == "inside" and not pre
                x = kept + (norm(made) if inside or (pre and o["place"] == "output") else made)
                if o["drop_at"] == "sum":
                    x = self.dropout(x)
                if (not pre or o["place"] == "both") and name not in o["skip_norm"] and not inside and not (o["place"] == "summed" and name == "self"):
                    x = norm(x)
            return o["after"](self, x, m)
    return DecoderBlock

def without(name):
    return tuple(part for part in plain["order"] if part != name)

singles = {
    "no-target-mask": (dict(masks=dict(self="none")), "`target_mask` is not used: in your self-attention every place sees the whole target, the future too. The loss would look wonderful, and the model could not write a sentence."),
    "no-source-mask": (dict(masks=dict(cross="none")), "`source_mask` is not used: your cross-attention reads the source's padding as if it were words."),
    "no-masks": (dict(masks=dict(self="none", cross="none")), "neither mask is used: your self-attention sees the future and your cross-attention the source's padding."),
    "masks-swapped": (dict(masks=dict(self="source", cross="target")), "the two masks have changed places: `target_mask` belongs to the self-attention, `source_mask` to the cross-attention."),
    "target-mask-for-both": (dict(masks=dict(cross="target")), "your cross-attention gets `target_mask`. Its keys are the source's places, and `source_mask` says which of them are real. Every target place may look at the whole source."),
    "source-mask-for-both": (dict(masks=dict(self="source")), "your self-attention gets `source_mask`. Its keys are the target's own places: `target_mask`."),
    "target-mask-inverted": (dict(masks=dict(self="not target")), "your `target_mask` is inverted: each place sees exactly what it must not see. True means: may be attended to."),
    "source-mask-inverted": (dict(masks=dict(cross="not source")), "your `source_mask` is inverted: the cross-attention looks at the padding only. True means: may be attended to."),
    "both-inverted": (dict(masks=dict(self="not target", cross="not source")), "both masks are inverted, as `nn.MultiheadAttention` wants them. Here True means: may be attended to."),
    "own-causal": (dict(masks=dict(self="causal")), "your self-attention makes a causal mask of its own. The block passes on the `target_mask` that it gets, and where it gets None, nothing is hidden."),
    "causal-too": (dict(masks=dict(self="causal too")), "your self-attention hides the future whatever `target_mask` says. The block passes on the mask that it gets, and adds none."),
    "mask-one-open": (dict(masks=dict(self="open")), "your self-attention sees one place too far: the one right after it, which is the token it should write."),
    "mask-one-shut": (dict(masks=dict(self="shut")), "your self-attention hides each place from itself. A place may see itself and what stands before it."),
    "cross-before-self": (dict(order=("cross", "self", "feed"), norms=dict(cross=1, self=2)), "cross-attention comes first in your block. The target looks at itself first, then at the source."),
    "cross-before-self-own-norms": (dict(order=("cross", "self", "feed")), "cross-attention comes first in your block (each with its own norm). The target looks at itself first, then at the source."),
    "feed-before-cross": (dict(order=("self", "feed", "cross"), norms=dict(feed=2, cross=3)), "the feed-forward comes before the cross-attention. It comes last."),
    "feed-before-cross-own-norms": (dict(order=("self", "feed", "cross")), "the feed-forward comes before the cross-attention (each with its own norm). It comes last."),
    "feed-first": (dict(order=("feed", "self", "cross"), norms=dict(feed=1, self=2, cross=3)), "the feed-forward comes first. It comes last."),
    "reversed": (dict(order=("feed", "cross", "self"), norms=dict(feed=1, self=3)), "your sub-layers run in reverse: self-attention, cross-attention, feed-forward is the order."),
    "no-self": (dict(order=without("self")), "the self-attention is missing: a target place does not learn what was written before it."),
    "no-cross": (dict(order=without("cross")), "the cross-attention is missing: the decoder never looks at the source."),
    "no-feed": (dict(order=without("feed")), "the feed-forward is missing."),
    "cross-all-from-x": (dict(takes=dict(cross="xxx"), masks=dict(cross="none")), "your cross-attention takes query, key and value from `x` and hides nothing: it is a second self-attention, and the source is never read."),
    "cross-all-from-x-masked": (dict(takes=dict(cross="xxx"), masks=dict(cross="target")), "your cross-attention takes query, key and value from `x`: it is a second self-attention, and the source is never read."),
    "cross-turned": (dict(takes=dict(cross="mxx"), masks=dict(cross="none")), "your cross-attention is turned around: its queries come from the encoder's output and its keys and values from `x`. The target asks, the source answers."),
    "cross-turned-masked": (dict(takes=dict(cross="mxx")), "your cross-attention is turned around: its queries come from the encoder's output and its keys and values from `x`. The target asks, the source answers."),
    "cross-all-source": (dict(takes=dict(cross="mmm")), "in your cross-attention the queries come from the encoder's output too. The target asks: queries from `x`."),
    "cross-value-x": (dict(takes=dict(cross="xmx")), "in your cross-attention the values come from `x`. Keys and values both come from the encoder's output."),
    "cross-key-x": (dict(takes=dict(cross="xxm")), "in your cross-attention the keys come from `x`. Keys and values both come from the encoder's output."),
    "self-from-source": (dict(takes=dict(self="xmm"), masks=dict(self="source")), "your self-attention takes keys and values from the encoder's output. It is the target that looks at itself here."),
    "self-from-source-unmasked": (dict(takes=dict(self="xmm"), masks=dict(self="none")), "your self-attention takes keys and values from the encoder's output. It is the target that looks at itself here."),
    "attention-swapped": (dict(layer=dict(self="cross_attention", cross="self_attention")), "`self_attention` and `cross_attention` have changed places: each has weights of its own."),
    "self-twice": (dict(layer=dict(cross="self_attention")), "`self_attention` is used for both attentions. The one that looks at the source is `cross_attention`."),
    "cross-twice": (dict(layer=dict(self="cross_attention")), "`cross_attention` is used for both attentions. The one in which the target looks at itself is `self_attention`."),
    "always-post": (dict(norm="post"), "your block is always post-norm. Where `norm_first` is True, the norm stands in front of each sub-layer."),
    "always-pre": (dict(norm="pre"), "your block is always pre-norm. Where `norm_first` is False, the norm stands behind each residual, as the lecture draws it."),
    "norm-turned": (dict(norm="other"), "`norm_first` is read the wrong way round: True is pre-norm."),
    "no-residual": (dict(keeps=dict(self="none", cross="none", feed="none")), "the residual connections are missing: add what went into each sub-layer to what comes out."),
    "no-residual-self": (dict(keeps=dict(self="none")), "the self-attention has no residual connection."),
    "no-residual-cross": (dict(keeps=dict(cross="none")), "the cross-attention has no residual connection: what the target knew of itself is replaced by what the source says."),
    "no-residual-feed": (dict(keeps=dict(feed="none")), "the feed-forward has no residual connection."),
    "residual-normed": (dict(keeps=dict(self="inner", cross="inner", feed="inner")), "in pre-norm, your residual adds the normed `x`. The road past the sub-layer carries `x` as it was, before the norm."),
    "residual-from-start": (dict(keeps=dict(self="start", cross="start", feed="start")), "each of your residuals adds the block's own input. Each adds what went into its own sub-layer."),
    "residual-cross-start": (dict(keeps=dict(cross="start")), "the cross-attention's residual adds the block's input. It adds what went into the cross-attention, after the self-attention has had its say."),
    "residual-feed-start": (dict(keeps=dict(feed="start")), "the feed-forward's residual adds the block's input. It adds what went into the feed-forward."),
    "residual-twice": (dict(keeps=dict(self="twice", cross="twice", feed="twice")), "your residuals are added twice."),
    "parallel": (dict(reads=dict(cross="start", feed="start")), "each of your sub-layers reads the block's input. The cross-attention reads what the self-attention left, the feed-forward what the cross-attention left."),
    "cross-reads-start": (dict(reads=dict(cross="start")), "your cross-attention asks with the block's input. Its queries come from what the self-attention left."),
    "feed-reads-start": (dict(reads=dict(feed="start")), "your feed-forward reads the block's input. It reads what the cross-attention left."),
    "norms-2-3-swapped": (dict(norms=dict(cross=3, feed=2)), "`norm2` and `norm3` have changed places: `norm2` belongs to the cross-attention, `norm3` to the feed-forward."),
    "norms-1-2-swapped": (dict(norms=dict(self=2, cross=1)), "`norm1` and `norm2` have changed places: `norm1` belongs to the self-attention, `norm2` to the cross-attention."),
    "norms-1-3-swapped": (dict(norms=dict(self=3, feed=1)), "`norm1` and `norm3` have changed places: `norm1` belongs to the self-attention, `norm3` to the feed-forward."),
    "norm1-everywhere": (dict(norms=dict(cross=1, feed=1)), "`norm1` is used for all three sub-layers; each has its own."),
    "norm2-twice": (dict(norms=dict(feed=2)), "`norm2` is used for the feed-forward as well; that one has `norm3`."),
    "norm1-twice": (dict(norms=dict(cross=1)), "`norm1` is used for the cross-attention as well; that one has `norm2`."),
    "norms-rotated": (dict(norms=dict(self=2, cross=3, feed=1)), "the three norms have changed places: `norm1` for the self-attention, `norm2` for the cross-attention, `norm3` for the feed-forward."),
    "no-norms": (dict(skip_norm=("self", "cross", "feed")), "the norms are missing."),
    "no-norm1": (dict(skip_norm=("self",)), "the self-attention has no norm: `norm1` is not used."),
    "no-norm2": (dict(skip_norm=("cross",)), "the cross-attention has no norm: `norm2` is not used."),
    "no-norm3": (dict(skip_norm=("feed",)), "the feed-forward has no norm: `norm3` is not used."),
    "memory-normed-pre": (dict(takes=dict(cross="xpp")), "in pre-norm, your cross-attention sends the encoder's output through `norm2`. Only `x` goes through it: the encoder has a norm of its own at its end."),
    "memory-normed": (dict(takes=dict(cross="xnn")), "your cross-attention sends the encoder's output through `norm2`. Only `x` goes through it: the encoder has a norm of its own at its end."),
    "memory-key-normed": (dict(takes=dict(cross="xnm")), "your cross-attention sends the keys through `norm2`. The encoder's output goes in as it comes."),
    "memory-value-normed": (dict(takes=dict(cross="xmn")), "your cross-attention sends the values through `norm2`. The encoder's output goes in as it comes."),
    "query-not-normed": (dict(takes=dict(cross="rmm")), "in pre-norm, your cross-attention asks with `x` as it is. Its queries go through `norm2` first."),
    "self-kv-not-normed": (dict(takes=dict(self="xrr")), "in pre-norm, only the queries of your self-attention are normed. Query, key and value are all the normed `x`."),
    "self-q-not-normed": (dict(takes=dict(self="rxx")), "in pre-norm, the queries of your self-attention are not normed. Query, key and value are all the normed `x`."),
    "self-v-not-normed": (dict(takes=dict(self="xxr")), "in pre-norm, the values of your self-attention are not normed. Query, key and value are all the normed `x`."),
    "keeps-the-pair": (dict(item=slice(None)), "an attention layer returns two things, the output and the weights. Your code goes on with both; take the first."),
    "takes-weights": (dict(item=1), "your code goes on with the attention weights. They are the second thing that the layer returns; the output is the first."),
    "dropout-always-on": (dict(drop=lambda self, y: nn.functional.dropout(y, self.dropout.p)), "dropout is still on in evaluation mode: `nn.functional.dropout`, or a layer that is made in `forward`, does not know the model's mode. Use `self.dropout`."),
    "no-dropout": (dict(dropped=()), "dropout is missing: in training mode nothing is dropped. `self.dropout` goes on the output of each sub-layer."),
    "no-dropout-self": (dict(dropped=("cross", "feed")), "the self-attention's output has no dropout. `self.dropout` goes on the output of each sub-layer."),
    "no-dropout-cross": (dict(dropped=("self", "feed")), "the cross-attention's output has no dropout. `self.dropout` goes on the output of each sub-layer."),
    "no-dropout-feed": (dict(dropped=("self", "cross")), "the feed-forward's output has no dropout. `self.dropout` goes on the output of each sub-layer."),
    "dropout-on-the-sum": (dict(drop_at="sum"), "your dropout stands behind the sum, so it drops the residual as well. It goes on the output of each sub-layer, before the residual is added."),
    "dropout-on-the-input": (dict(drop_at="input"), "your dropout stands in front of each sub-layer. It goes on what comes out of it, before the residual is added."),
    "returns-pair": (dict(after=lambda self, x, m: (x, m)), "your block returns two things. Return `x` alone."),
    "returns-weights-too": (dict(after=lambda self, x, m: (x, self.cross_attention(x, m, m)[1])), "your block returns two things. Return `x` alone."),
    "returns-memory": (dict(after=lambda self, x, m: m), "your block returns the encoder's output. Return what has become of `x`."),
    "returns-none": (dict(after=lambda self, x, m: None), "`forward` ends without giving anything back: is a `return` missing?"),
    "returns-numpy": (dict(after=lambda self, x, m: x.detach().numpy()), "your block returns a NumPy array. Return a tensor, so that gradients can flow."),
    "detached": (dict(after=lambda self, x, m: x.detach()), "the numbers are right, but no gradient flows back: the output is cut off from what it was made of."),
    "memory-detached": (dict(before=lambda self, x, m: (x, m.detach())), "no gradient flows into `encoder_output`: it is cut off (detached), so the encoder would never learn."),
    "extra-norm": (dict(after=lambda self, x, m: self.norm3(x)), "`norm3` is applied once more at the end of your block. In pre-norm, the last norm of all stands behind the last block, and the decoder has it."),
    "input-normed": (dict(before=lambda self, x, m: (self.norm1(x), m)), "the block's input goes through `norm1` before anything else, so the first residual carries a normed `x` as well."),
    "feed-norm-inside": (dict(after=lambda self, x, m: torch.relu(x)), "your block ends with a ReLU. The only one stands inside the feed-forward."),
    "memory-added": (dict(before=lambda self, x, m: (x + m.mean(dim=1, keepdim=True), m)), "you add the encoder's output to `x`. It is read by the cross-attention and nowhere else."),
    "memory-mean": (dict(before=lambda self, x, m: (x, m.mean(dim=1, keepdim=True).expand_as(m))), "your cross-attention reads the mean of the encoder's output. It reads all places: that is the point of it."),
    "memory-last": (dict(before=lambda self, x, m: (x, m[:, -1:].expand_as(m))), "your cross-attention reads the last source place only: that is the RNN's bottleneck back again. It reads all places."),
    "norm-on-both-sides": (dict(place="both"), "in pre-norm, a norm stands behind each sum as well. There it stands in front of the sub-layer alone: is an `else` missing?"),
    "first-source-mask": (dict(masks=dict(cross="first")), "every sentence gets the first sentence's `source_mask`. Each has its own, along the batch axis."),
    "norm-on-output": (dict(place="output"), "in pre-norm, your norm stands on what comes *out* of each sub-layer. It stands in front of it, on what goes in."),
    "norm-inside-post": (dict(place="inside"), "in post-norm, your norm stands on the sub-layer's output, before the residual is added. It comes after the sum."),
    "feed-twice": (dict(feeds=lambda self, y: self.feed_forward(self.feed_forward(y))), "the feed-forward runs twice."),
    "feed-relu": (dict(feeds=lambda self, y: self.feed_forward(y).relu()), "a ReLU stands behind the feed-forward. The only one is inside it."),
    "mask-transposed": (dict(masks=dict(self="transposed")), "`target_mask` is used transposed: each place sees itself and the future, and not the past. Rows are the places that ask."),
    "attentions-summed": (dict(order=("self", "cross", "feed"), reads=dict(cross="start"), place="summed"), "your two attentions both read the block's input, and their outputs are added. The cross-attention reads what the self-attention left, after its residual (and, in post-norm, its norm)."),
    "runs-twice": (dict(repeat=2), "your block runs through its three sub-layers twice."),
}
def does(made):
    """What this block gives, to leave out mistakes that come to the same."""
    marks = []
    for norm_first, target, source, with_masks in ((False, 4, 3, True), (True, 4, 4, True), (True, 3, 5, False), (False, 3, 3, True), (False, 2, 4, False), (False, 3, 4, None), (True, 4, 2, None)):
        rng = np.random.default_rng(7)
        call = block_call(rng, 2, target, source, 2, 2, 3, masks="none" if with_masks is False else "both", init=dict(norm_first=norm_first, dropout=1.0), whole=1)
        block = made(**call.init).train(with_masks is None)
        block.load_state_dict({name: torch.from_numpy(weight.data) for name, weight in call.state.items()})
        try:
            with torch.no_grad():
                marks.append(repr(np.round(np.asarray(block(**call.given)), 4).tolist()))
        except Exception as error:
            marks.append(f"{type(error).__name__}{error}")
    return marks

first_time(does, Right)
for row in ("first", "last"):
    singles[f"source-mask-of-{row}-query"] = (dict(masks=dict(cross=f"{row} query")), f"every target place gets the {row} target place's row of `source_mask`. The mask may differ from one target place to the next.")
not_seen_here = ("causal-too", "detached", "memory-detached", "returns-numpy", "source-mask-of-first-query", "source-mask-of-last-query")
for name, (changes, says) in singles.items():
    made = twisted(changes)
    if first_time(does, made) or name in not_seen_here:
        wrong(name, says=says)(made)
often = ["no-target-mask", "no-source-mask", "cross-before-self", "cross-all-from-x", "always-post", "always-pre", "no-residual", "memory-normed", "norm1-everywhere", "query-not-normed"]
for i, one in enumerate(often):
    for other in often[i + 1 :]:
        first, second = singles[one], singles[other]
        if set(first[0]) & set(second[0]) and not all(isinstance(plain[key], dict) and not set(first[0][key]) & set(second[0][key]) for key in set(first[0]) & set(second[0])):
            continue
        both = {key: (first[0].get(key, {}) | second[0].get(key, {})) if isinstance(plain[key], dict) else second[0].get(key, first[0].get(key)) for key in first[0] | second[0]}
        made = twisted(both)
        if first_time(does, made):
            wrong(f"{one}+{other}", says=two_things(first[1], second[1]))(made)

wrong("x-changed-in-place", ("x = self.norm1(x + self.dropout(self.self_attention(x, x, x, target_mask)[0]))", "x += self.dropout(self.self_attention(x, x, x, target_mask)[0])\n        x = self.norm1(x)"),
      ("            x = x + self.dropout(self.self_attention(y, y, y, target_mask)[0])", "            x += self.dropout(self.self_attention(y, y, y, target_mask)[0])"),
      says="`x += ...` changes the caller's tensor in place. Write `x = x + ...`.")
wrong("x-changed-in-place-post", ("x = self.norm1(x + self.dropout(self.self_attention(x, x, x, target_mask)[0]))", "x += self.dropout(self.self_attention(x, x, x, target_mask)[0])\n        x = self.norm1(x)"),
      says="`x += ...` changes the caller's tensor in place. Write `x = x + ...`.")
wrong("dropout-on-the-input-of-self", ("self.dropout(self.self_attention(y, y, y, target_mask)[0])", "self.self_attention(self.dropout(y), self.dropout(y), self.dropout(y), target_mask)[0]"),
      ("self.dropout(self.self_attention(x, x, x, target_mask)[0])", "self.self_attention(self.dropout(x), self.dropout(x), self.dropout(x), target_mask)[0]"),
      says="your dropout stands on what goes into the self-attention. It goes on what comes out of it, before the residual is added.")
wrong("no-source-mask-for-one", ("        if self.norm_first:", "        source_mask = None if len(x) == 1 else source_mask\n        if self.norm_first:"),
      says="`source_mask` is not used where the batch holds one sentence. That one may be padded, too: pass on what you get.")
wrong("masks-in-another-order", ("target_mask: Tensor | None = None, source_mask: Tensor | None = None", "source_mask: Tensor | None = None, target_mask: Tensor | None = None"),
      says="the two masks stand in another order in the first line of your `forward`, and later units pass them without their names. Leave that line as it is given.")
wrong("dropout-too-many", ("self.dropout(self.cross_attention(y, encoder_output, encoder_output, source_mask)[0])", "self.dropout(self.dropout(self.cross_attention(y, encoder_output, encoder_output, source_mask)[0]))"),
      ("self.dropout(found)", "self.dropout(self.dropout(found))"),
      says="in training mode as many numbers are drawn at random as four dropouts need. There are three, one behind each sub-layer.")
wrong("forgets-return-pre", ("            return x + self.dropout(self.feed_forward(self.norm3(x)))", "            x = x + self.dropout(self.feed_forward(self.norm3(x)))"),
      says="where `norm_first` is True, your block runs as pre-norm and then once more as post-norm: is a `return` or an `else` missing?")
wrong("pre-norm-feed-post", ("            return x + self.dropout(self.feed_forward(self.norm3(x)))", "            return self.norm3(x + self.dropout(self.feed_forward(x)))"),
      says="in pre-norm, your feed-forward is still post-norm: `norm3` stands behind its sum. It stands in front of the sub-layer, as with the two attentions.")
wrong("pre-norm-unnormed-feed", ("self.feed_forward(self.norm3(x))", "self.feed_forward(x)"), says="in pre-norm, your feed-forward reads `x` without its norm, `norm3`.")
wrong("pre-norm-no-cross-mask", ("            x = x + self.dropout(self.cross_attention(y, encoder_output, encoder_output, source_mask)[0])", "            x = x + self.dropout(self.cross_attention(y, encoder_output, encoder_output)[0])"),
      says="in pre-norm, `source_mask` is not passed on. (In post-norm it is.)")
wrong("pre-norm-no-self-mask", ("self.self_attention(y, y, y, target_mask)", "self.self_attention(y, y, y)"), says="in pre-norm, `target_mask` is not passed on. (In post-norm it is.)")
wrong("post-norm-no-self-mask", ("self.self_attention(x, x, x, target_mask)", "self.self_attention(x, x, x)"), says="in post-norm, `target_mask` is not passed on. (In pre-norm it is.)")
wrong("post-norm-no-cross-mask", ("found, _ = self.cross_attention(x, encoder_output, encoder_output, source_mask)", "found, _ = self.cross_attention(x, encoder_output, encoder_output)"),
      says="in post-norm, `source_mask` is not passed on. (In pre-norm it is.)")
wrong("stale-y", ("            y = self.norm2(x)\n", ""), says="in pre-norm, your cross-attention asks with what `norm1` made, before the self-attention. Its queries are `norm2` of the `x` that the self-attention left.")

@right
class OneSubLayerAtATime(Right):
    def _sub(self, x, norm, work):
        if self.norm_first:
            return self.dropout(work(norm(x))) + x
        return norm(self.dropout(work(x)) + x)
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        x = self._sub(x, self.norm1, lambda y: self.self_attention(y, y, y, target_mask)[0])
        x = self._sub(x, self.norm2, lambda y: self.cross_attention(y, encoder_output, encoder_output, mask=source_mask)[0])
        return self._sub(x, self.norm3, self.feed_forward)

@right
class ByKeyword(Right):
    def forward(self, x, memory, target_mask=None, source_mask=None):
        pre = self.norm_first
        y = self.norm1(x) if pre else x
        attended, _ = self.self_attention(query=y, key=y, value=y, mask=target_mask)
        x = torch.add(self.dropout(attended), x)
        x = x if pre else self.norm1(x)
        y = self.norm2(x) if pre else x
        attended, weights = self.cross_attention(query=y, key=memory, value=memory, mask=source_mask)
        self.last_weights = weights.detach()
        x = torch.add(self.dropout(attended), x)
        x = x if pre else self.norm2(x)
        y = self.norm3(x) if pre else x
        x = torch.add(self.dropout(self.feed_forward(y)), x)
        return x if pre else self.norm3(x)

@right
class DropoutByFunction(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        self.norm3, self.norm2, self.norm1 = (nn.LayerNorm(d_model) for _ in range(3))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.cross_attention = MultiHeadAttention(d_model, num_heads)
        self.self_attention = MultiHeadAttention(d_model, num_heads)
        self.p, self.pre = dropout, norm_first
    def drop(self, y):
        return nn.functional.dropout(y, self.p, self.training)
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        steps = [
            (self.norm1, lambda q: self.self_attention(q, q, q, target_mask)[0]),
            (self.norm2, lambda q: self.cross_attention(q, encoder_output, encoder_output, source_mask)[0]),
            (self.norm3, self.feed_forward),
        ]
        for norm, step in steps:
            x = x + self.drop(step(norm(x))) if self.pre else norm(x + self.drop(step(x)))
        return x

@right
class InPlaceOnOwnTensors(Right):
    """Changes only what it has made itself."""
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        y, drop = x.clone(), self.dropout
        if not self.norm_first:
            y = self.norm1(y + drop(self.self_attention(y, y, y, target_mask)[0]))
            y = self.norm2(y + drop(self.cross_attention(y, encoder_output, encoder_output, source_mask)[0]))
            return self.norm3(y + drop(self.feed_forward(y)))
        n = self.norm1(y)
        y = y + drop(self.self_attention(n, n, n, target_mask)[0])
        y = y + drop(self.cross_attention(self.norm2(y), encoder_output, encoder_output, source_mask)[0])
        return y + drop(self.feed_forward(self.norm3(y)))

@right
class SentenceBySentence(Right):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        def row(mask, b):
            return mask if mask is None or mask.dim() < 4 or len(mask) == 1 else mask[b : b + 1]
        rows = [super(SentenceBySentence, self).forward(x[b : b + 1], encoder_output[b : b + 1], row(target_mask, b), row(source_mask, b)) for b in range(len(x))]
        return torch.cat(rows)

@truth
class PyTorchsOwn(Right):
    """nn.TransformerDecoderLayer on the same weights, with gradients."""
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__(d_model, num_heads, d_ff, dropout, norm_first)
        own = nn.TransformerDecoderLayer(d_model, num_heads, d_ff, dropout, batch_first=True, norm_first=norm_first)
        own.dropout.p = own.self_attn.dropout = own.multihead_attn.dropout = 0.0  # three dropouts are left
        self.own = [own]  # in a list: its weights are none of the block's

    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        heads, batch, own = self.self_attention.num_heads, len(x), self.own[0].train(self.training)
        def hidden(mask, keys):
            return None if mask is None else ~mask.expand(batch, heads, x.shape[1], keys).flatten(0, 1)
        masks = dict(tgt_mask=hidden(target_mask, x.shape[1]), memory_mask=hidden(source_mask, encoder_output.shape[1]))
        return torch.func.functional_call(own, torch_weights(self), (x, encoder_output), masks)

@truth
class LoopInFloat64(Right):
    """One head, one query, one key at a time, in float64."""
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        def attended(layer, y, z, mask):
            q, k, v, d = linear64(layer.q_proj, y), linear64(layer.k_proj, z), linear64(layer.v_proj, z), y.shape[-1] // layer.num_heads
            seen = torch.ones(len(y), layer.num_heads, y.shape[1], z.shape[1], dtype=torch.bool) if mask is None else mask.expand(len(y), layer.num_heads, y.shape[1], z.shape[1])
            rows = []
            for b, i in np.ndindex(*y.shape[:2]):
                heads = []
                for h in range(layer.num_heads):
                    s = slice(h * d, (h + 1) * d)
                    e = [((q[b, i, s] @ k[b, j, s]) / d**0.5).exp() * seen[b, h, i, j] for j in range(z.shape[1])]
                    heads.append(sum(w * v[b, j, s] for j, w in enumerate(e)) / sum(e))
                rows.append(torch.cat(heads))
            return linear64(layer.out_proj, torch.stack(rows).view(y.shape))
        def fed(y):
            return linear64(self.feed_forward.linear2, linear64(self.feed_forward.linear1, y).clamp(min=0))
        x, m = x.double(), encoder_output.double()
        steps = [(self.norm1, lambda y: attended(self.self_attention, y, y, target_mask)), (self.norm2, lambda y: attended(self.cross_attention, y, m, source_mask)), (self.norm3, fed)]
        for norm, step in steps:
            x = x + self.dropout(step(norm64(norm, x))) if self.norm_first else norm64(norm, x + self.dropout(step(x)))
        return x.float()

# %% exercise="Decoder" part="library"
class Decoder(nn.Module):
    """The blocks composed from left to right."""

    def __init__(
        self, num_layers: int, d_model: int, num_heads: int, d_ff: int, dropout: float = 0.0, norm_first: bool = False
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)
        )
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(
        self, x: Tensor, encoder_output: Tensor, target_mask: Tensor | None = None, source_mask: Tensor | None = None
    ) -> Tensor:
        def through(state: Tensor, block: nn.Module) -> Tensor:
            return block(state, encoder_output, target_mask, source_mask)

        last = [self.norm] if self.norm is not None else []
        return functools.reduce(lambda state, norm: norm(state), last, functools.reduce(through, self.blocks, x))

# %% exercise="Decoder" part="variants"
without("mask: three axes", "mask: one for each head", because="the mask is handed on, and widening it for all heads alike is a right way to do so")
def stack_call(rng, layers, target, source, num_heads, d_head, d_ff, masks="both", init=None, batch=2, **more):
    d_model = num_heads * d_head
    given = dict(x=floats(rng, batch, target, d_model), encoder_output=floats(rng, batch, source, d_model))
    if masks in ("both", "target"):
        given["target_mask"] = torch.ones(target, target, dtype=torch.bool).tril()
    if masks in ("both", "source"):
        given["source_mask"] = (torch.arange(source) < torch.tensor([[source], [max(1, source - 2)]][-batch:]))[:, None, None, :]
    init = dict(num_layers=layers, d_model=d_model, num_heads=num_heads, d_ff=d_ff) | (init or {})
    return module(init=init, rng=rng, given=given, **more)

small = dict(hidden=[dict(layers=3, target=5, source=6, num_heads=2, d_head=4, d_ff=7), dict(layers=2, target=6, source=3, num_heads=4, d_head=5, d_ff=8)])

@cases(dict(layers=2, target=4, source=6, num_heads=3, d_head=2, d_ff=5), dict(layers=3, target=5, source=4, num_heads=2, d_head=3, d_ff=8), **small)
def post_norm(rng, layers, target, source, num_heads, d_head, d_ff):
    """post-norm, {layers} blocks, {target} target and {source} source places, both masks"""
    return stack_call(rng, layers, target, source, num_heads, d_head, d_ff, gradients=False)

@cases(dict(layers=2, target=5, source=3, num_heads=2, d_head=4, d_ff=7), **small)
def pre_norm(rng, layers, target, source, num_heads, d_head, d_ff):
    """norm_first=True, {layers} blocks, {target} target and {source} source places, both masks"""
    return stack_call(rng, layers, target, source, num_heads, d_head, d_ff, init=dict(norm_first=True), gradients=False)

@cases(dict(layers=1, target=3, source=5, num_heads=2, d_head=4, d_ff=6), hidden=[dict(layers=1, target=5, source=4, num_heads=2, d_head=3, d_ff=7)])
def one_block(rng, layers, target, source, num_heads, d_head, d_ff):
    """norm_first=True, a single block, {target} target and {source} source places, no masks"""
    return stack_call(rng, layers, target, source, num_heads, d_head, d_ff, masks="none", init=dict(norm_first=True), gradients=False)

@cases(dict(layers=4, target=3, source=5, num_heads=2, d_head=3, d_ff=6), **small)
def four_blocks(rng, layers, target, source, num_heads, d_head, d_ff):
    """post-norm, {layers} blocks, target_mask alone, {target} target and {source} source places"""
    return stack_call(rng, layers, target, source, num_heads, d_head, d_ff, masks="target", gradients=False)

@cases()
def seven_blocks(rng):
    """norm_first=True, 7 blocks, 3 target and 4 source places, both masks"""
    return stack_call(rng, 7, 3, 4, 2, 3, 5, init=dict(norm_first=True), gradients=False)

@cases()
def square(rng):
    """post-norm, 2 blocks, 4 target and 4 source places, both masks"""
    return stack_call(rng, 2, 4, 4, 2, 3, 5, gradients=False, positional=True)

@cases()
def evaluation_mode(rng):
    """dropout=1.0 in evaluation mode, 2 blocks"""
    return stack_call(rng, 2, 3, 5, 2, 3, 4, init=dict(dropout=1.0), gradients=False)

@cases(dict(layers=2, target=3, source=4, num_heads=2, d_head=2, d_ff=3), hidden=[dict(layers=2, target=4, source=3, num_heads=2, d_head=3, d_ff=5)])
def gradients_pre(rng, layers, target, source, num_heads, d_head, d_ff):
    """norm_first=True with gradients, {layers} blocks, {target} target and {source} source places"""
    return stack_call(rng, layers, target, source, num_heads, d_head, d_ff, init=dict(norm_first=True))

@cases()
def training_mode(rng):
    """norm_first=True in training mode, dropout=1.0, which drops all that a sub-layer puts out, 2 blocks"""
    return stack_call(rng, 2, 4, 3, 2, 3, 4, init=dict(dropout=1.0, norm_first=True), training=True, gradients=False)

@cases()
def one_sentence(rng):
    """post-norm, 2 blocks, a single sentence, 3 target and 5 source places; some later target places may be seen"""
    call = stack_call(rng, 2, 3, 5, 2, 2, 4, masks="source", batch=1, gradients=False)
    seen = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 1, 1]]).bool()
    return module(init=call.init, given=call.given | dict(target_mask=seen), state=call.state, gradients=False)

Right = DecoderBlock, Decoder
Block, Stack = Right

def run(self, x, m, t, s, blocks=None, step=None, last="asked", feed=lambda k, x, m: (x, m)):
    for k, block in enumerate(self.blocks if blocks is None else blocks):
        into, memory = feed(k, x, m)
        x = block(into, memory, t, s) if step is None else step(k, block, into, memory, t, s)
    return x if self.norm is None or last == "none" else self.norm(x)

def made(forward):
    class Decoder(Stack):
        def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
            super().__init__(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
            self.width, self.pre, self.p = d_model, norm_first, dropout
        def forward(self, x, encoder_output, target_mask=None, source_mask=None):
            return forward(self, x, encoder_output, target_mask, source_mask)
    return Decoder

def every_layer(self, x, m, t, s):
    outputs = []
    for block in self.blocks:
        x = block(x, m, t, s)
        outputs.append(x)
    return outputs

def memory_renewed(self, x, m, t, s):
    for block in self.blocks:
        x = m = block(x, m, t, s)
    return x if self.norm is None else self.norm(x)

ln = nn.functional.layer_norm
singles = {
    "no-final-norm": (lambda d, x, m, t, s: run(d, x, m, t, s, last="none"), "in pre-norm, the norm behind the last block is missing: `self.norm`."),
    "norm-each": (lambda d, x, m, t, s: run(d, x, m, t, s, last="none", step=lambda k, b, x, m, t, s: b(x, m, t, s) if d.norm is None else d.norm(b(x, m, t, s))), "in pre-norm, `self.norm` stands behind every block. It stands once, behind the last one."),
    "norm-first": (lambda d, x, m, t, s: run(d, x if d.norm is None else d.norm(x), m, t, s, last="none"), "in pre-norm, `self.norm` stands in front of the first block. It stands behind the last one."),
    "norm-both-ends": (lambda d, x, m, t, s: run(d, x if d.norm is None else d.norm(x), m, t, s), "in pre-norm, `self.norm` stands in front of the blocks as well as behind them. It stands behind the last one only."),
    "norm-twice": (lambda d, x, m, t, s: run(d, x, m, t, s) if d.norm is None else d.norm(run(d, x, m, t, s)), "`self.norm` is applied twice; once is enough."),
    "norm-in-post": (lambda d, x, m, t, s: run(d, x, m, t, s) if d.norm is not None else ln(run(d, x, m, t, s), (d.width,)), "in post-norm, one norm more stands at the end. Each block ends with its own already; the extra one belongs to pre-norm."),
    "norm-memory": (lambda d, x, m, t, s: run(d, x, m if d.norm is None else d.norm(m), t, s), "the encoder's output goes through `self.norm`. It has been normed where it was made."),
    "norm-block": (lambda d, x, m, t, s: run(d, x, m, t, s, last="none") if d.norm is None else d.blocks[-1].norm3(run(d, x, m, t, s, last="none")), "the last norm is the last block's `norm3`; the stack has one of its own, `self.norm`."),
    "first-only": (lambda d, x, m, t, s: run(d, x, m, t, s, blocks=list(d.blocks)[:1]), "only the first block runs. Does a loop of yours return in its first round?"),
    "last-only": (lambda d, x, m, t, s: run(d, x, m, t, s, blocks=list(d.blocks)[-1:]), "only the last block has a say. What comes out of one block goes into the next."),
    "no-last": (lambda d, x, m, t, s: run(d, x, m, t, s, blocks=list(d.blocks)[:-1]), "the last block is left out."),
    "no-first": (lambda d, x, m, t, s: run(d, x, m, t, s, blocks=list(d.blocks)[1:]), "the first block is left out."),
    "no-blocks": (lambda d, x, m, t, s: run(d, x, m, t, s, blocks=[]), "no block runs: your output is the input."),
    "two-only": (lambda d, x, m, t, s: run(d, x, m, t, s, blocks=list(d.blocks)[:2]), "only two blocks run. Go through all of `self.blocks`, however many there are."),
    "reversed": (lambda d, x, m, t, s: run(d, x, m, t, s, blocks=list(d.blocks)[::-1]), "the blocks run in reverse order."),
    "first-again": (lambda d, x, m, t, s: run(d, x, m, t, s, blocks=[d.blocks[0]] * len(d.blocks)), "the first block runs again and again. Each block has weights of its own."),
    "last-again": (lambda d, x, m, t, s: run(d, x, m, t, s, blocks=[d.blocks[-1]] * len(d.blocks)), "the last block runs again and again. Each block has weights of its own."),
    "last-twice": (lambda d, x, m, t, s: run(d, x, m, t, s, blocks=[*d.blocks, d.blocks[-1]]), "the last block runs twice. Each runs once."),
    "first-twice": (lambda d, x, m, t, s: run(d, x, m, t, s, blocks=[d.blocks[0], *d.blocks]), "the first block runs twice. Each runs once."),
    "norm-bare": (lambda d, x, m, t, s: run(d, x, m, t, s) if d.norm is None else ln(run(d, x, m, t, s, last="none"), (d.width,)), "in pre-norm, the norm at the end does not use the weights of `self.norm`. Call that layer."),
    "causal-too": (lambda d, x, m, t, s: run(d, x, m, None if t is None else t & torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril(), s), "your decoder hides the future whatever `target_mask` says. It passes on the mask that it gets, and adds none."),
    "through-twice": (lambda d, x, m, t, s: run(d, x, m, t, s, blocks=list(d.blocks) * 2), "the whole stack runs twice."),
    "all-read-input": (lambda d, x, m, t, s: run(d, x, m, t, s, feed=lambda k, y, m: (x, m)), "only the last block has a say. What comes out of one block goes into the next."),
    "sum-of-blocks": (lambda d, x, m, t, s: (lambda y: y if d.norm is None else d.norm(y))(sum(b(x, m, t, s) for b in d.blocks)), "your blocks all read the input, and their outputs are added up. They run one after the other."),
    "mean-of-layers": (lambda d, x, m, t, s: (lambda y: y if d.norm is None else d.norm(y))(sum(every_layer(d, x, m, t, s)) / len(d.blocks)), "your output is the mean of all blocks' outputs. It is the last block's."),
    "memory-is-x": (lambda d, x, m, t, s: run(d, x, m, t, None, feed=lambda k, x, m: (x, x)), "your blocks get `x` in place of the encoder's output, so the source is never read."),
    "memory-is-x-masked": (lambda d, x, m, t, s: run(d, x, m, t, s, feed=lambda k, x, m: (x, x)), "your blocks get `x` in place of the encoder's output, so the source is never read."),
    "memory-once": (lambda d, x, m, t, s: run(d, x, m, t, s, step=lambda k, b, x, m, t, s: b(x, m, t, s) if k == 0 else b(x, x, t, None)), "only your first block reads the encoder's output; the later ones read `x` in its place. Every block looks at the same encoder output."),
    "memory-last-block": (lambda d, x, m, t, s: run(d, x, m, t, s, step=lambda k, b, x, m, t, s: b(x, m, t, s) if k == len(d.blocks) - 1 else b(x, x, t, None)), "only your last block reads the encoder's output. Every block looks at it."),
    "memory-renewed": (memory_renewed, "what a block returns takes the place of the encoder's output for the next block. The encoder's output stays the same for all of them."),
    "arguments-swapped": (lambda d, x, m, t, s: run(d, x, m, None, None, step=lambda k, b, x, m, t, s: b(m, x)), "`x` and `encoder_output` have changed places in the call of your blocks."),
    "no-target-mask": (lambda d, x, m, t, s: run(d, x, m, None, s), "`target_mask` is not passed on to the blocks: every place sees the future."),
    "no-source-mask": (lambda d, x, m, t, s: run(d, x, m, t, None), "`source_mask` is not passed on to the blocks: they read the source's padding as if it were words."),
    "no-masks": (lambda d, x, m, t, s: run(d, x, m, None, None), "the masks are not passed on to the blocks."),
    "masks-swapped": (lambda d, x, m, t, s: run(d, x, m, s, t), "the two masks have changed places in the call of your blocks: first `target_mask`, then `source_mask`."),
    "target-mask-twice": (lambda d, x, m, t, s: run(d, x, m, t, t), "your blocks get `target_mask` for both masks. The second one is `source_mask`."),
    "source-mask-twice": (lambda d, x, m, t, s: run(d, x, m, s, s), "your blocks get `source_mask` for both masks. The first one is `target_mask`."),
    "target-mask-first-block": (lambda d, x, m, t, s: run(d, x, m, t, s, step=lambda k, b, x, m, t, s: b(x, m, t if k == 0 else None, s)), "only your first block gets `target_mask`. The future leaks in the second one; every block needs it."),
    "source-mask-first-block": (lambda d, x, m, t, s: run(d, x, m, t, s, step=lambda k, b, x, m, t, s: b(x, m, t, s if k == 0 else None)), "only your first block gets `source_mask`; every block needs it."),
    "masks-last-block": (lambda d, x, m, t, s: run(d, x, m, t, s, step=lambda k, b, x, m, t, s: b(x, m, t, s) if k == len(d.blocks) - 1 else b(x, m)), "only your last block gets the masks; every block needs them."),
    "target-mask-last-block": (lambda d, x, m, t, s: run(d, x, m, t, s, step=lambda k, b, x, m, t, s: b(x, m, t if k == len(d.blocks) - 1 else None, s)), "only your last block gets `target_mask`: the future has leaked before. Every block needs it."),
    "inverted": (lambda d, x, m, t, s: run(d, x, m, None if t is None else ~t, None if s is None else ~s), "the masks are inverted on their way to the blocks. True means: may be attended to."),
    "own-causal": (lambda d, x, m, t, s: run(d, x, m, torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril(), s), "your decoder makes a causal mask of its own. It passes on the `target_mask` that it gets, and where it gets None, nothing is hidden."),
    "outer-residual": (lambda d, x, m, t, s: run(d, x, m, t, s) + x, "the decoder's input is added at the end. The blocks have their residuals inside."),
    "residual-each": (lambda d, x, m, t, s: run(d, x, m, t, s, step=lambda k, b, x, m, t, s: x + b(x, m, t, s)), "each block's input is added to its output. The blocks have their residuals inside."),
    "list": (every_layer, "your decoder returns a list with each block's output. Return the last one, as a tensor."),
    "pair": (lambda d, x, m, t, s: (run(d, x, m, t, s), m), "your decoder returns two things. Return `x` alone."),
    "returns-memory": (lambda d, x, m, t, s: m, "your decoder returns the encoder's output. Return what has become of `x`."),
    "none": (lambda d, x, m, t, s: None, "`forward` ends without giving anything back: is a `return` missing?"),
    "none-in-post": (lambda d, x, m, t, s: None if d.norm is None else run(d, x, m, t, s), "in post-norm, `forward` gives nothing back: is there a `return` for the case that `self.norm` is None?"),
    "norm-none-called": (lambda d, x, m, t, s: d.norm(run(d, x, m, t, s, last="none")), "in post-norm, `self.norm` is None and cannot be called. Ask for that first."),
    "dropout": (lambda d, x, m, t, s: run(d, nn.functional.dropout(x, d.p), m, t, s), "dropout is on in evaluation mode, on the decoder's input. The blocks have their dropout inside."),
    "detached": (lambda d, x, m, t, s: run(d, x, m, t, s).detach(), "the numbers are right, but no gradient flows back: the output is cut off from what it was made of."),
    "memory-detached": (lambda d, x, m, t, s: run(d, x, m.detach(), t, s), "no gradient flows into `encoder_output`: it is cut off (detached), so the encoder would never learn."),
    "numpy": (lambda d, x, m, t, s: run(d, x, m, t, s).detach().numpy(), "your decoder returns a NumPy array. Return a tensor, so that gradients can flow."),
    "masks-not-first-block": (lambda d, x, m, t, s: run(d, x, m, t, s, step=lambda k, b, x, m, t, s: b(x, m, t, s if k else None)), "your first block does not get `source_mask`; every block needs it."),
    "source-mask-last-block": (lambda d, x, m, t, s: run(d, x, m, t, s, step=lambda k, b, x, m, t, s: b(x, m, t, s if k == len(d.blocks) - 1 else None)), "only your last block gets `source_mask`; every block needs it."),
    "memory-layer-norm": (lambda d, x, m, t, s: run(d, x, ln(m, (d.width,)), t, s), "the encoder's output is normed once more. It goes to the blocks as it comes."),
    "tanh-end": (lambda d, x, m, t, s: torch.tanh(run(d, x, m, t, s)), "a tanh stands behind the last block."),
    "six-at-most": (lambda d, x, m, t, s: run(d, x, m, t, s, blocks=list(d.blocks)[:6]), "no more than six blocks are used, the number of the paper. `x` goes through all of `self.blocks`, however many there are."),
    "every-other": (lambda d, x, m, t, s: run(d, x, m, t, s, blocks=list(d.blocks)[::2]), "every other block is left out."),
    "relu-between": (lambda d, x, m, t, s: run(d, x, m, t, s, step=lambda k, b, x, m, t, s: torch.relu(b(x, m, t, s))), "a ReLU stands behind each block. The only one is inside the feed-forward."),
}
for name, (forward, says) in singles.items():
    wrong(name, says=says)(made(forward))

pairs = [("no-target-mask", dict(t=None)), ("no-source-mask", dict(s=None)), ("no-masks", dict(t=None, s=None))]
for first, hide in pairs:
    for second in ("no-final-norm", "no-last", "reversed", "norm-in-post", "first-again", "first-only", "norm-each", "all-read-input", "no-first", "outer-residual", "norm-first"):
        def both(d, x, m, t, s, hide=hide, forward=singles[second][0]):
            masks = dict(t=t, s=s) | hide
            return forward(d, x, m, masks["t"], masks["s"])
        wrong(f"{first}+{second}", says=two_things(singles[first][1], singles[second][1]))(made(both))

@wrong("shared-blocks", says="your blocks are one and the same, `num_layers` times: a list of one block repeated. Make a new block in each round.")
class SharedBlocks(Stack):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.blocks = nn.ModuleList([Block(d_model, num_heads, d_ff, dropout, norm_first)] * num_layers)

@wrong("plain-list", says="PyTorch does not know that your blocks belong to the model: they stand in a plain Python list, or are made outside `__init__`. An optimizer would never touch them. `nn.ModuleList` tells it.")
class PlainList(Stack):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        nn.Module.__init__(self)
        self.blocks = [Block(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)]
        self.norm = LayerNorm(d_model) if norm_first else None

for name, change, says in (
    ("blocks-always-post", dict(norm_first=False), "your blocks are always post-norm: `norm_first` is not passed on to them."),
    ("blocks-without-dropout", dict(dropout=0.0), "your blocks have no dropout in training mode: `dropout` is not passed on to them."),
    ("blocks-always-pre", dict(norm_first=True), "your blocks are always pre-norm: `norm_first` is not passed on to them."),
):
    class Decoder(Stack):
        change = change
        def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
            super().__init__(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
            self.blocks = nn.ModuleList(Block(d_model, num_heads, d_ff, **dict(dropout=dropout, norm_first=norm_first) | self.change) for _ in range(num_layers))
    wrong(name, says=says)(Decoder)
Decoder = Stack

@right
class ByIndex(Stack):
    def forward(self, x, memory, target_mask=None, source_mask=None):
        for i in range(len(self.blocks)):
            x = self.blocks[i](x, memory, target_mask=target_mask, source_mask=source_mask)
        if self.norm is not None:
            x = self.norm(x)
        return x

@right
class ByFold(Stack):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        from functools import reduce
        x = reduce(lambda y, block: block(y, encoder_output, target_mask, source_mask), self.blocks, x)
        return self.norm(x) if self.norm else x

@right
class IdentityForNoNorm(Stack):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        nn.Module.__init__(self)
        self.norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()
        self.blocks = nn.ModuleList()
        for _ in range(num_layers):
            self.blocks.append(Block(d_model, num_heads, d_ff, dropout=dropout, norm_first=norm_first))
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        for block in self.blocks:
            x = block.forward(x, encoder_output, target_mask, source_mask)
        return self.norm(x)

@right
class Recursive(Stack):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        def up_to(k):
            return x if k == 0 else self.blocks[k - 1](up_to(k - 1), encoder_output, target_mask, source_mask)
        x = up_to(len(self.blocks)) if len(self.blocks) else x
        return x if self.norm is None else nn.functional.layer_norm(x, x.shape[-1:], self.norm.weight, self.norm.bias)

@truth
class PyTorchsOwn(Stack):
    """nn.TransformerDecoder on the same weights, with gradients."""
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        block, batch = self.blocks[0], len(x)
        heads = block.self_attention.num_heads
        layer = nn.TransformerDecoderLayer(x.shape[-1], heads, block.feed_forward.linear1.out_features, block.dropout.p * self.training, batch_first=True, norm_first=self.norm is not None)
        own = nn.TransformerDecoder(layer, len(self.blocks), norm=None if self.norm is None else nn.LayerNorm(x.shape[-1]))
        weights = {f"layers.{k}.{name}": w for k, b in enumerate(self.blocks) for name, w in torch_weights(b).items()}
        weights |= {} if self.norm is None else {"norm.weight": self.norm.weight, "norm.bias": self.norm.bias}
        def hidden(mask, keys):
            return None if mask is None else ~mask.expand(batch, heads, x.shape[1], keys).flatten(0, 1)
        masks = dict(tgt_mask=hidden(target_mask, x.shape[1]), memory_mask=hidden(source_mask, encoder_output.shape[1]))
        return torch.func.functional_call(own, weights, (x, encoder_output), masks)

@truth
class EinsumInFloat64(Stack):
    """The whole stack written out once more, in float64."""
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        def attended(layer, y, z, mask):
            q, k, v = (linear64(p, t).unflatten(-1, (layer.num_heads, -1)) for p, t in ((layer.q_proj, y), (layer.k_proj, z), (layer.v_proj, z)))
            e = torch.einsum("bihd,bjhd->bhij", q, k / q.shape[-1] ** 0.5).exp() * (1 if mask is None else mask)
            return linear64(layer.out_proj, torch.einsum("bhij,bjhd->bihd", e / e.sum(-1, keepdim=True), v).flatten(2))
        y, m = x.double(), encoder_output.double()
        for b in self.blocks:
            steps = [(b.norm1, lambda z: attended(b.self_attention, z, z, target_mask)), (b.norm2, lambda z: attended(b.cross_attention, z, m, source_mask)),
                     (b.norm3, lambda z: linear64(b.feed_forward.linear2, linear64(b.feed_forward.linear1, z).relu()))]
            for norm, step in steps:
                y = y + b.dropout(step(norm64(norm, y))) if self.norm is not None else norm64(norm, y + b.dropout(step(y)))
        return (y if self.norm is None else norm64(self.norm, y)).float()

# %% exercise="Transformer" part="library"
class Transformer(nn.Module):
    """The library's parts, put together. Linear layers start as PyTorch's own Transformer starts them (Xavier).

    The embeddings keep their start, N(0, 1/d_model): times √d_model, tokens are about as large as positions.
    """

    def __init__(
        self, source_vocab: int, target_vocab: int, d_model: int = 128, num_heads: int = 4, num_layers: int = 2,
        d_ff: int = 512, dropout: float = 0.1, max_len: int = 256, norm_first: bool = False, tie_weights: bool = True,
    ) -> None:
        super().__init__()
        self.source_embedding = TransformerEmbedding(source_vocab, d_model, max_len)
        self.target_embedding = TransformerEmbedding(target_vocab, d_model, max_len)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.output = nn.Linear(d_model, target_vocab)
        self.dropout = nn.Dropout(dropout)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        if tie_weights:
            self.output.weight = self.target_embedding.embedding.weight

    def encode(self, source: Tensor) -> Tensor:
        return self.encoder(self.dropout(self.source_embedding(source)), padding_mask(source))

    def decode(self, target: Tensor, encoder_output: Tensor, source: Tensor) -> Tensor:
        read = self.dropout(self.target_embedding(target))
        return self.output(self.decoder(read, encoder_output, decoder_mask(target), padding_mask(source)))

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return self.decode(target, self.encode(source), source)


def decode_after_encode(target: Tensor, encoder_output: Tensor, source: Tensor) -> Any:
    """`encode`, and then `decode` with another encoder output than the one that came of it."""
    from autograder.formats.fixtures import Driver

    def drive(model: Any) -> Any:
        model.encode(source)
        return model.decode(target, encoder_output, source)

    return Driver(drive)

# %% exercise="Transformer" part="variants"
def ids(rng, batch, seq, vocab, bos=False, whole=0):
    """Letters from 4, ended by EOS (2), then padding; the row `whole` is full. With BOS in front: what a decoder reads."""
    rows = np.zeros((batch, seq), dtype="int64")
    for row in range(batch):
        length = seq if row == whole else min(seq, int(rng.integers(2, max(3, seq))))
        rows[row, :length] = rng.integers(4, vocab, size=length)
        if bos:
            rows[row, 0] = 1
        else:
            rows[row, length - 1] = 2
    return torch.from_numpy(rows)

def model_call(rng, source, target, num_heads, d_head, d_ff, more_source, more_target, method="forward", init=None, batch=2, gradients=False, training=False, whole=0, **given):
    d_model, vocabs = num_heads * d_head, dict(source_vocab=6 + more_source, target_vocab=6 + more_target)
    init = vocabs | dict(d_model=d_model, num_heads=num_heads, num_layers=1, d_ff=d_ff, dropout=0.0) | (init or {})
    state = draw_state(Transformer(**init), rng)
    if init.get("tie_weights", True):  # loaded one after the other: where they are one tensor, the second one stays
        state["output.weight"] = type(state["output.bias"])(floats(rng, init["target_vocab"], d_model, scale=d_model**-0.5).numpy(), "float32")
    low = min(vocabs.values())
    source_ids, target_ids = ids(rng, batch, source, low, whole=whole), ids(rng, batch, target, low, bos=True, whole=whole)
    arguments = {
        "forward": dict(source=source_ids, target=target_ids), "encode": dict(source=source_ids),
        "decode": dict(target=target_ids, encoder_output=floats(rng, batch, source, d_model), source=source_ids),
    }[method] | given
    return module(init=init, given=arguments, state=state, method=method, gradients=gradients, training=training)

small = dict(hidden=[
    dict(source=7, target=5, num_heads=2, d_head=4, d_ff=6, more_source=3, more_target=9),
    dict(source=4, target=6, num_heads=3, d_head=2, d_ff=5, more_source=8, more_target=1),
])

@cases(dict(source=6, target=4, num_heads=2, d_head=3, d_ff=7, more_source=5, more_target=1), dict(source=3, target=5, num_heads=2, d_head=4, d_ff=6, more_source=2, more_target=7), **small)
def by_default(rng, source, target, num_heads, d_head, d_ff, more_source, more_target):
    """post-norm, tied weights, {source} source and {target} target places, a shorter sentence in the batch"""
    return model_call(rng, source, target, num_heads, d_head, d_ff, more_source, more_target)

@cases(dict(source=5, target=3, num_heads=3, d_head=2, d_ff=8, more_source=1, more_target=4), **small)
def untied_pre_norm(rng, source, target, num_heads, d_head, d_ff, more_source, more_target):
    """norm_first=True, tie_weights=False, 2 layers, {source} source and {target} target places"""
    return model_call(rng, source, target, num_heads, d_head, d_ff, more_source, more_target, init=dict(norm_first=True, tie_weights=False, num_layers=2, max_len=17))

@cases(dict(source=6, target=4, num_heads=2, d_head=4, d_ff=5, more_source=2, more_target=3), **small)
def encoding(rng, source, target, num_heads, d_head, d_ff, more_source, more_target):
    """encode alone, {source} source places, a shorter sentence in the batch"""
    return model_call(rng, source, target, num_heads, d_head, d_ff, more_source, more_target, method="encode")

@cases(dict(source=3, target=6, num_heads=2, d_head=4, d_ff=5, more_source=3, more_target=1), **small)
def decoding(rng, source, target, num_heads, d_head, d_ff, more_source, more_target):
    """decode alone, {target} target places, an encoder output for {source} source places"""
    return model_call(rng, source, target, num_heads, d_head, d_ff, more_source, more_target, method="decode")

@cases(dict(source=5, target=4, num_heads=2, d_head=3, d_ff=6, more_source=4, more_target=2), **small)
def decoding_another(rng, source, target, num_heads, d_head, d_ff, more_source, more_target):
    """encode, then decode with another encoder output, {target} target and {source} source places"""
    call = model_call(rng, source, target, num_heads, d_head, d_ff, more_source, more_target, method="decode")
    return module(init=call.init, given=dict(story=fixture("decode_after_encode", **call.given)), state=call.state, method="decode", gradients=False)

@cases(dict(source=6, target=3, num_heads=2, d_head=3, d_ff=4, more_source=3, more_target=5), **small)
def decoding_untied(rng, source, target, num_heads, d_head, d_ff, more_source, more_target):
    """decode alone, tie_weights=False, {target} target places, an encoder output for {source} source places"""
    return model_call(rng, source, target, num_heads, d_head, d_ff, more_source, more_target, method="decode", init=dict(tie_weights=False))

@cases()
def square(rng):
    """4 source and 4 target places, vocabularies of equal size, tied weights"""
    return model_call(rng, 4, 4, 2, 3, 5, 2, 2)

@cases()
def square_pre_norm(rng):
    """norm_first=True, 4 source and 4 target places, vocabularies of equal size, tied weights"""
    return model_call(rng, 4, 4, 2, 3, 5, 2, 2, init=dict(norm_first=True), whole=1)

@cases()
def evaluation_mode(rng):
    """dropout=1.0 in evaluation mode, where dropout does nothing"""
    return model_call(rng, 5, 3, 2, 3, 4, 1, 2, init=dict(dropout=1.0))

@cases()
def training_mode(rng):
    """norm_first=True in training mode, dropout=1.0, which drops the embedded ids and all that a sub-layer puts out"""
    return model_call(rng, 4, 3, 2, 3, 4, 2, 1, init=dict(dropout=1.0, norm_first=True), training=True)

@cases()
def encoding_in_training_mode(rng):
    """encode alone, norm_first=True in training mode, dropout=1.0, which drops the embedded ids as well"""
    return model_call(rng, 4, 3, 2, 2, 3, 1, 2, method="encode", init=dict(dropout=1.0, norm_first=True), training=True)

@cases(dict(source=4, target=3, num_heads=2, d_head=2, d_ff=3, more_source=1, more_target=2), **small)
def gradients_tied(rng, source, target, num_heads, d_head, d_ff, more_source, more_target):
    """tied weights with gradients, {source} source and {target} target places"""
    return model_call(rng, source, target, num_heads, d_head, d_ff, more_source, more_target, gradients=True)

@cases()
def one_sentence(rng):
    """a single sentence, padded, 5 source and 4 target places"""
    return model_call(rng, 5, 4, 2, 3, 4, 2, 3, batch=1, whole=1)

Right, shifted_once = Transformer, shift_right
F = nn.functional

def causal_only(target):
    return torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).tril()

plain = dict(
    source_table="source_embedding", target_table="target_embedding", embed=lambda table, ids: table(ids),
    encoder_mask=lambda source: padding_mask(source), self_mask=lambda target: decoder_mask(target), cross_mask=lambda source, target: padding_mask(source),
    drop=lambda self, x: self.dropout(x), drop_target=None, encode=lambda self, x, mask: self.encoder(x, mask), decode=lambda self, x, m, t, s: self.decoder(x, m, t, s),
    head=lambda self, x: self.output(x), target=lambda target: target, memory=lambda self, m, source: m, swap=False, tie="tied", init={}, reads="source",
)

def twisted(changes):
    o = plain | changes
    class Transformer(Right):
        def __init__(self, source_vocab, target_vocab, d_model=128, num_heads=4, num_layers=2, d_ff=512, dropout=0.1, max_len=256, norm_first=False, tie_weights=True):
            asked = dict(d_model=d_model, num_heads=num_heads, num_layers=num_layers, d_ff=d_ff, dropout=dropout, max_len=max_len, norm_first=norm_first)
            super().__init__(source_vocab, target_vocab, **asked, tie_weights=(tie_weights and o["tie"] == "tied") or o["tie"] == "always")
            if o["tie"] == "source" and tie_weights:
                self.output.weight = self.source_embedding.embedding.weight
            if o["tie"] == "all" and tie_weights:
                self.output.weight = self.source_embedding.embedding.weight = self.target_embedding.embedding.weight
            if o["tie"] == "one table":
                self.source_embedding = self.target_embedding
                self.output.weight = self.target_embedding.embedding.weight if tie_weights else self.output.weight
            if o["tie"] == "data" and tie_weights:
                self.output.weight.data = self.target_embedding.embedding.weight.data
            if o["tie"] == "inverted" and not tie_weights:
                self.output.weight = self.target_embedding.embedding.weight
            stack = dict(num_layers=num_layers, d_model=d_model, num_heads=num_heads, d_ff=d_ff, dropout=dropout, norm_first=norm_first)
            for name, kind in (("encoder", Encoder), ("decoder", Decoder)):
                if name in o["init"]:
                    setattr(self, name, kind(**stack | o["init"][name]))
            self.tied, self.width = tie_weights, d_model
        def encode(self, source):
            x = o["drop"](self, o["embed"](getattr(self, o["source_table"]), source))
            return o["encode"](self, x, o["encoder_mask"](source))
        def decode(self, target, encoder_output, source):
            target = o["target"](target)
            x = (o["drop_target"] or o["drop"])(self, o["embed"](getattr(self, o["target_table"]), target))
            m = o["memory"](self, encoder_output, source)
            return o["head"](self, o["decode"](self, x, m, o["self_mask"](target), o["cross_mask"](source, target)))
        def forward(self, source, target):
            if o["swap"]:
                source, target = target, source
            if o["reads"] == "target":
                return self.decode(target, self.encode(target), target)
            return self.decode(target, self.encode(source), source)
    return Transformer

def through(stack, x, *more):
    """The blocks alone."""
    for block in stack.blocks:
        x = block(x, *more)
    return x

def keeping(self, x, mask):
    self.kept = self.encoder(x, mask)
    return self.kept

LEAK = "The future leaks: while it trains, the model reads the token that it should write."
TIED = "with `tie_weights=True`, the output layer's weight must *be* the target embedding's weight, one tensor"
singles = {
    "no-encoder-mask": (dict(encoder_mask=lambda s: None), "nothing hides the source's padding in your encoder, so it is read as if it were words: a sentence would be encoded differently beside longer ones. Padding is 0."),
    "causal-encoder": (dict(encoder_mask=lambda s: decoder_mask(s)), "the encoder cannot look ahead in your model. Hiding the future is for the target alone; the source has been read to its end before the first word is written."),
    "causal-encoder-no-padding": (dict(encoder_mask=lambda s: causal_only(s)), "the encoder cannot look ahead in your model, and it sees padding. It is padding that must be hidden there, and nothing else."),
    "encoder-mask-inverted": (dict(encoder_mask=lambda s: ~padding_mask(s)), "the encoder's mask is inverted: it sees nothing but padding. True means: may be attended to."),
    "no-self-mask": (dict(self_mask=lambda t: None), f"the decoder's self-attention hides nothing. {LEAK}"),
    "self-padding-only": (dict(self_mask=lambda t: padding_mask(t)), f"the decoder's self-attention hides padding, but not the future. {LEAK}"),
    "self-causal-only": (dict(self_mask=lambda t: causal_only(t)), "the decoder's self-attention hides the future, but not the target's padding. Both are asked for."),
    "self-mask-inverted": (dict(self_mask=lambda t: ~decoder_mask(t)), "the mask of the decoder's self-attention is inverted. True means: may be attended to."),
    "self-mask-one-open": (dict(self_mask=lambda t: torch.ones(t.shape[1], t.shape[1], dtype=torch.bool).tril(1) & padding_mask(t)), f"the decoder's self-attention sees one place too far. {LEAK}"),
    "self-mask-one-shut": (dict(self_mask=lambda t: torch.ones(t.shape[1], t.shape[1], dtype=torch.bool).tril(-1) & padding_mask(t)), "in the decoder's self-attention no place sees itself, and the first sees nothing."),
    "self-mask-or": (dict(self_mask=lambda t: causal_only(t) | padding_mask(t)), f"the mask of the decoder's self-attention opens what is *either* real *or* past. Both must hold. {LEAK}"),
    "self-mask-source": (dict(self_mask=lambda t: None, decode=lambda self, x, m, t, s: self.decoder(x, m, s, s)), "the decoder's self-attention gets the source's mask. Its keys are the target's places."),
    "self-mask-turned": (dict(self_mask=lambda t: causal_only(t).T & padding_mask(t)), f"the causal part of your decoder's mask is the other triangle: each place sees itself and what comes later. {LEAK}"),
    "self-mask-turned-only": (dict(self_mask=lambda t: causal_only(t).T), f"your decoder's mask is the other triangle: each place sees itself and what comes later. {LEAK}"),
    "self-padding-rows": (dict(self_mask=lambda t: causal_only(t) & padding_mask(t).mT), "the padding part of your decoder's mask lies along the queries: it silences places, and the padding is still read. It is keys that are hidden: (batch, 1, 1, seq)."),
    "self-hides-bos": (dict(self_mask=lambda t: decoder_mask(t, 1)), "the mask of the decoder's self-attention hides BOS (1) and shows padding. Padding is 0."),
    "self-hides-eos": (dict(self_mask=lambda t: decoder_mask(t, 2)), "the mask of the decoder's self-attention hides EOS (2) and shows padding. Padding is 0."),
    "encoder-padding-rows": (dict(encoder_mask=lambda s: padding_mask(s).mT), "the encoder's mask lies along the queries: it silences places, and the padding is still read. It is keys that are hidden: (batch, 1, 1, seq)."),
    "encoder-hides-eos": (dict(encoder_mask=lambda s: padding_mask(s, 2)), "the encoder's mask hides EOS (2) and shows padding. Padding is 0."),
    "cross-hides-eos": (dict(cross_mask=lambda s, t: padding_mask(s, 2)), "the mask of your cross-attention hides EOS (2) and shows padding. Padding is 0."),
    "source-hides-eos": (dict(encoder_mask=lambda s: padding_mask(s, 2), cross_mask=lambda s, t: padding_mask(s, 2)), "your masks of the source hide EOS (2) and show padding. Padding is 0."),
    "first-source-padding": (dict(encoder_mask=lambda s: padding_mask(s[:1]), cross_mask=lambda s, t: padding_mask(s[:1])), "every sentence gets the padding mask of the first one. Each has its own, along the batch axis."),
    "no-cross-mask": (dict(cross_mask=lambda s, t: None), "nothing hides the source's padding in your cross-attention, so it is read as if it were words: a sentence would be translated differently beside longer ones. Padding is 0."),
    "cross-mask-target": (dict(cross_mask=lambda s, t: padding_mask(t)), "the mask of your cross-attention is made from the target's padding. Its keys are the source's places: take the source's padding."),
    "cross-mask-causal": (dict(cross_mask=lambda s, t: decoder_mask(s)), "your cross-attention cannot look ahead in the source. Every target place may read the whole source, but for its padding."),
    "cross-mask-target-causal": (dict(cross_mask=lambda s, t: decoder_mask(t)), "your cross-attention gets the mask of the self-attention. Its keys are the source's places: take the source's padding."),
    "cross-mask-inverted": (dict(cross_mask=lambda s, t: ~padding_mask(s)), "the mask of your cross-attention is inverted: it sees nothing but padding. True means: may be attended to."),
    "masks-swapped": (dict(decode=lambda self, x, m, t, s: self.decoder(x, m, s, t)), "the decoder's two masks have changed places: first the target's, then the source's."),
    "no-masks": (dict(encoder_mask=lambda s: None, self_mask=lambda t: None, cross_mask=lambda s, t: None), f"your masks hide nothing at all. {LEAK} And padding is read as if it were words."),
    "no-padding-masks": (dict(encoder_mask=lambda s: None, self_mask=lambda t: causal_only(t), cross_mask=lambda s, t: None), "your model hides the future, but padding nowhere: it is read as if it were words."),
    "no-source-padding": (dict(encoder_mask=lambda s: None, cross_mask=lambda s, t: None), "the source's padding is hidden neither in the encoder nor in the cross-attention: a sentence would be translated differently beside longer ones."),
    "all-inverted": (dict(encoder_mask=lambda s: ~padding_mask(s), self_mask=lambda t: ~decoder_mask(t), cross_mask=lambda s, t: ~padding_mask(s)), "all your masks are inverted, as `nn.Transformer` wants them. In this course True means: may be attended to."),
    "encode-target-table": (dict(source_table="target_embedding"), "the source is embedded with the target's table. It has an embedding of its own, `source_embedding`."),
    "decode-source-table": (dict(target_table="source_embedding"), "the target goes through `source_embedding`. It has an embedding of its own."),
    "tables-swapped": (dict(source_table="target_embedding", target_table="source_embedding"), "the two embeddings have changed places."),
    "no-positions": (dict(embed=lambda table, ids: table.embedding(ids) * table.embedding.weight.shape[1] ** 0.5), "your ids go through the embedding's table without the positions. Call the whole embedding: it scales and adds them."),
    "bare-table": (dict(embed=lambda table, ids: table.embedding(ids)), "your ids go through the embedding's bare table: neither scaled by √d_model nor with positions. Call the whole embedding."),
    "scaled-again": (dict(embed=lambda table, ids: table(ids) * table.embedding.weight.shape[1] ** 0.5), "your embedded ids are multiplied by √d_model once more. The embedding has done it."),
    "not-scaled": (dict(embed=lambda table, ids: table.embedding(ids) + table.positions[: ids.shape[1]]), "your embedded ids are not multiplied by √d_model. Call the whole embedding: it scales and adds the positions."),
    "no-dropout": (dict(drop=lambda self, x: x), "the embedded ids have no dropout: `self.dropout` goes on them, on both sides."),
    "no-dropout-source": (dict(drop=lambda self, x: x, drop_target=lambda self, x: self.dropout(x)), "the embedded source has no dropout: `self.dropout` goes on the embedded ids, on both sides."),
    "no-dropout-target": (dict(drop_target=lambda self, x: x), "the embedded target has no dropout: `self.dropout` goes on the embedded ids, on both sides."),
    "dropout-before-positions": (dict(drop=lambda self, x: self.dropout(x - self.source_embedding.positions[: x.shape[1]]) + self.source_embedding.positions[: x.shape[1]]), "your dropout falls on the tokens alone, and the positions are added behind it. It goes on both together."),
    "dropout-always-on": (dict(drop=lambda self, x: F.dropout(x, self.dropout.p)), "dropout on the embedded ids is still on in evaluation mode: `nn.functional.dropout`, or a layer that is made on the way, does not know the model's mode. Use `self.dropout`."),
    "dropout-always-on-the-logits": (dict(head=lambda self, x: F.dropout(self.output(x), self.dropout.p)), "dropout stands on the logits as well, and it is still on in evaluation mode. It goes on the embedded ids, and inside the blocks on what the sub-layers put out."),
    "dropout-on-the-logits": (dict(head=lambda self, x: self.dropout(self.output(x))), "dropout stands on the logits as well. It goes on the embedded ids, and inside the blocks on what the sub-layers put out."),
    "encoder-no-final-norm": (dict(encode=lambda self, x, mask: through(self.encoder, x, mask)), "in pre-norm, the encoder's output has not been through the encoder's last norm. Call the whole encoder."),
    "decoder-no-final-norm": (dict(decode=lambda self, x, m, t, s: through(self.decoder, x, m, t, s)), "in pre-norm, the decoder's output has not been through the decoder's last norm. Call the whole decoder."),
    "source-not-encoded": (dict(encode=lambda self, x, mask: x), "the encoder is not used: `encode` returns the embedded source."),
    "encoder-twice": (dict(encode=lambda self, x, mask: self.encoder(self.encoder(x, mask), mask)), "the source goes through the encoder twice."),
    "encoder-residual": (dict(encode=lambda self, x, mask: x + self.encoder(x, mask)), "the embedded source is added to the encoder's output. The residuals are inside the blocks."),
    "target-not-decoded": (dict(decode=lambda self, x, m, t, s: x), "the decoder is not used: the embedded target goes straight to the output layer."),
    "target-through-encoder": (dict(decode=lambda self, x, m, t, s: self.encoder(x, t)), "the target goes through the encoder, so it never looks at the source. The other half has a decoder."),
    "decoder-turned": (dict(decode=lambda self, x, m, t, s: self.decoder(m, x, None, None)), "the decoder's first two arguments have changed places: it reads the target and looks at the encoder's output."),
    "memory-is-target": (dict(decode=lambda self, x, m, t, s: self.decoder(x, x, t, t)), "the decoder looks at the target in place of the encoder's output: the source is never read."),
    "memory-embedded-source": (dict(memory=lambda self, m, source: self.source_embedding(source)), "the decoder looks at the embedded source. It looks at what the encoder made of it, `encoder_output`."),
    "memory-encoded-again": (dict(memory=lambda self, m, source: self.encoder(m, padding_mask(source))), "the encoder's output goes through the encoder once more before the decoder sees it."),
    "encodes-in-decode": (dict(memory=lambda self, m, source: self.encode(source)), "`decode` encodes the source itself and does not use `encoder_output`. While a sentence is written, the encoder would run again for every token."),
    "memory-kept": (dict(encode=keeping, memory=lambda self, m, source: getattr(self, "kept", m)), "`decode` goes on with what `encode` gave last, and not with the `encoder_output` that it is given."),
    "memory-detached": (dict(memory=lambda self, m, source: m.detach()), "no gradient flows from the decoder into the encoder: its output is cut off (detached)."),
    "reads-target-twice": (dict(reads="target"), "`forward` encodes the target. It encodes the source and decodes the target."),
    "arguments-swapped": (dict(swap=True), "source and target have changed places in `forward`: it takes the source first."),
    "shifts-again": (dict(target=lambda t: shifted_once(t)), "your model shifts the target to the right once more. It has been shifted already when it comes in, so it would predict two places ahead."),
    "drops-last": (dict(target=lambda t: t[:, :-1]), "your model drops the target's last token. It takes all that it is given: each place gets its logits."),
    "drops-first": (dict(target=lambda t: t[:, 1:]), "your model drops the target's first token, the BOS. It takes all that it is given."),
    "last-place": (dict(head=lambda self, x: self.output(x[:, -1])), "you return the logits of the last place only. Training needs them at every place."),
    "last-place-kept": (dict(head=lambda self, x: self.output(x[:, -1:])), "you return the logits of the last place only. Training needs them at every place."),
    "softmax": (dict(head=lambda self, x: self.output(x).softmax(dim=-1)), "you return probabilities. Logits are asked for, without a softmax: the loss takes care of it, and better."),
    "log-softmax": (dict(head=lambda self, x: self.output(x).log_softmax(dim=-1)), "you return logarithms of probabilities. Logits are asked for, as they come from the output layer."),
    "argmax": (dict(head=lambda self, x: self.output(x).argmax(dim=-1)), "you return the ids of the best tokens. Logits are asked for, one number for each token of the vocabulary."),
    "no-output": (dict(head=lambda self, x: x), "the output layer is missing: your output is the decoder's vectors, not logits."),
    "no-bias": (dict(head=lambda self, x: F.linear(x, self.output.weight)), "the output layer's bias is missing. Call the layer, `self.output(...)`."),
    "output-scaled": (dict(head=lambda self, x: self.output(x) * self.width**0.5), "your logits are multiplied by √d_model. That factor belongs to the embedding, on the way in."),
    "table-scaled": (dict(head=lambda self, x: F.linear(x, self.output.weight * self.width**0.5, self.output.bias)), "the output layer's weights are multiplied by √d_model. That factor belongs to the embedding, on the way in; here the table is used as it is."),
    "dropout-on-the-decoder": (dict(head=lambda self, x: self.output(self.dropout(x))), "dropout stands on the decoder's output as well. It goes on the embedded ids, and inside the blocks on what the sub-layers put out."),
    "dropout-on-the-memory": (dict(encode=lambda self, x, mask: self.dropout(self.encoder(x, mask))), "dropout stands on the encoder's output as well. It goes on the embedded ids, and inside the blocks on what the sub-layers put out."),
    "bos-in-front": (dict(target=lambda t: torch.cat([torch.ones_like(t[:, :1]), t], 1)), "your model puts one more token in front of the target. It has its BOS already when it comes in: each place gets its logits, and there are no others."),
    "positions-from-1": (dict(embed=lambda table, ids: table(torch.cat([ids[:, :1], ids], 1))[:, 1:]), "the positions of your embedded ids begin at 1. The first place has position 0: call the embedding on the ids as they come."),
    "target-positions-from-1": (dict(decode=lambda self, x, m, t, s: self.decoder(x - self.target_embedding.positions[: x.shape[1]] + self.target_embedding.positions[1 : x.shape[1] + 1], m, t, s)), "the positions of your embedded target begin at 1. The first place has position 0: call the embedding on the target as it comes."),
    "one-sentence-unmasked": (dict(encoder_mask=lambda s: padding_mask(s) if len(s) > 1 else None), "a batch of one sentence gets no mask in your encoder. That one may be padded, too."),
    "output-scaled-down": (dict(head=lambda self, x: self.output(x / self.width**0.5)), "the decoder's vectors are divided by √d_model before the output layer. They go in as they come."),
    "output-relu": (dict(head=lambda self, x: self.output(x.relu())), "a ReLU stands in front of the output layer."),
    "output-transposed": (dict(head=lambda self, x: self.output(x).transpose(1, 2)), "your logits come as (batch, target_vocab, seq_target). The vocabulary is the last axis."),
    "pair": (dict(head=lambda self, x: (self.output(x), x)), "`decode` returns two things. Return the logits alone."),
    "not-tied": (dict(tie="untied"), f"{TIED}. In your model they are two (or the numbers were copied once, which makes two tensors that part at the first training step)."),
    "tied-to-source": (dict(tie="source"), f"your output layer is tied to the *source* embedding. {TIED[0].upper() + TIED[1:]}."),
    "all-tied": (dict(tie="all"), "your source embedding is tied as well. Only the target embedding and the output layer share a table here."),
    "one-table": (dict(tie="one table"), "your two embeddings are one and the same. The source has a table of its own."),
    "always-tied": (dict(tie="always"), "your weights are tied even where `tie_weights` is False."),
    "tie-inverted": (dict(tie="inverted"), "`tie_weights` is read the wrong way round: True ties."),
    "tied-data": (dict(tie="data"), f"{TIED}. In your model they are two over the same numbers (`.data`, or a new `nn.Parameter` around the old one): each has a gradient of its own, and neither gets the sum."),
    "always-the-table": (dict(head=lambda self, x: F.linear(x, self.target_embedding.embedding.weight, self.output.bias)), "with `tie_weights=False` your logits are still made with the target embedding's table. There the output layer has a weight of its own."),
    "tied-in-the-product": (dict(tie="untied", head=lambda self, x: F.linear(x, self.target_embedding.embedding.weight if self.tied else self.output.weight, self.output.bias)), f"your logits are made with the target embedding's numbers, and `self.output.weight` is still another tensor. {TIED[0].upper() + TIED[1:]}."),
    "encoder-always-post": (dict(init=dict(encoder=dict(norm_first=False))), "your encoder is always post-norm: `norm_first` does not reach it."),
    "decoder-always-post": (dict(init=dict(decoder=dict(norm_first=False))), "your decoder is always post-norm: `norm_first` does not reach it."),
    "one-layer": (dict(init=dict(encoder=dict(num_layers=1), decoder=dict(num_layers=1))), "your model always has one layer: `num_layers` does not reach encoder and decoder."),
    "detached": (dict(head=lambda self, x: self.output(x).detach()), "the numbers are right, but no gradient flows back: the logits are cut off from what they were made of."),
    "embedding-normed": (dict(embed=lambda table, ids: F.layer_norm(table(ids), table.embedding.weight.shape[1:])), "your embedded ids go through a norm. The first norm stands inside the first block."),
}

def does(made):
    marks = []
    for sizes, more in (((5, 3, 2, 2, 3, 1, 4), {}), ((4, 4, 2, 2, 3, 2, 2), {}), ((4, 6, 2, 2, 3, 4, 2), dict(init=dict(norm_first=True, tie_weights=False, num_layers=2, dropout=1.0))), ((4, 4, 2, 2, 3, 2, 2), dict(init=dict(norm_first=True, dropout=1.0), whole=1)), ((4, 3, 2, 2, 3, 2, 2), dict(init=dict(norm_first=True, dropout=1.0), training=True)), ((6, 3, 2, 2, 3, 3, 1), dict(method="decode"))):
        call = model_call(np.random.default_rng(5), *sizes, **more)
        try:
            model = made(**call.init).train(call.training)
            named = dict(model.named_parameters(remove_duplicate=False))
            with torch.no_grad():
                for name, weight in call.state.items():
                    named[name].copy_(torch.from_numpy(weight.data))
                value = getattr(model, call.method)(**call.given)
            marks.append(repr(np.round(value.numpy(), 4).tolist()))
        except Exception as error:
            marks.append(f"{type(error).__name__}{error}")
    return marks

first_time(does, Right)
for name, (changes, says) in singles.items():
    made = twisted(changes)
    if first_time(does, made) or name in ("detached", "memory-detached", "memory-kept", "tied-data", "one-sentence-unmasked", "dropout-on-the-memory"):
        wrong(name, says=says)(made)
often = ["no-encoder-mask", "causal-encoder", "self-padding-only", "self-causal-only", "no-cross-mask", "not-tied", "shifts-again", "softmax"]
for i, one in enumerate(often):
    for other in often[i + 1 :]:
        first, second = singles[one], singles[other]
        if set(first[0]) & set(second[0]):
            continue
        made = twisted(first[0] | second[0])
        if first_time(does, made):
            wrong(f"{one}+{other}", says=two_things(first[1], second[1]))(made)

wrong("target-as-memory-mask", ("self.decoder(x, encoder_output, decoder_mask(target), padding_mask(source))", "self.decoder(x, encoder_output, decoder_mask(target), encoder_output)"),
      says="a mask that reaches an attention layer holds numbers, not booleans. Is it a mask that you pass on, in the place of a mask, and is it True and False?")
wrong("ids-to-encoder", ("x = self.dropout(self.source_embedding(source))\n        return self.encoder(x, padding_mask(source))", "return self.encoder(source, padding_mask(source))"),
      says="the encoder gets ids. It takes vectors: the ids go through `source_embedding` first.")
wrong("decode-wants-mask", ("self.decode(target, self.encode(source), source)", "self.decode(target, self.encode(source), padding_mask(source))"),
      says="`decode` gets a mask as its third argument. It takes the source's ids and makes the mask itself.")
wrong("decode-arguments", ("self.decode(target, self.encode(source), source)", "self.decode(self.encode(source), target, source)"),
      says="the arguments of `decode` are in another order than its definition: target ids, encoder output, source ids.")
wrong("forward-none", ("return self.decode(target, self.encode(source), source)", "self.decode(target, self.encode(source), source)"),
      says="a method ends without giving anything back: is a `return` missing?")
wrong("encode-none", ("return self.encoder(x, padding_mask(source))", "self.encoder(x, padding_mask(source))"),
      says="`encode` ends without giving anything back: is a `return` missing?")
wrong("decode-none", ("return self.output(x)", "self.output(x)"), says="`decode` ends without giving anything back: is a `return` missing?")
wrong("copied", ("self.output.weight = self.target_embedding.embedding.weight", "self.output.weight.data.copy_(self.target_embedding.embedding.weight.data)"),
      says=singles["not-tied"][1])
wrong("tied-layer", ("self.output.weight = self.target_embedding.embedding.weight", "self.output = self.target_embedding.embedding"),
      says="with `tie_weights=True`, your output layer has no bias of its own. Only the weight is shared. (Does the embedding itself stand in the output layer's place? It looks ids up; the output layer multiplies.)")

@right
class TiedTheOtherWay(Right):
    def __init__(self, *args, tie_weights=True, **more):
        super().__init__(*args, tie_weights=False, **more)
        if tie_weights:
            self.target_embedding.embedding.weight = self.output.weight

@right
class AllInForward(Right):
    def embedded(self, table, ids):
        return self.dropout(table(ids))
    def encode(self, source):
        return self.encoder(self.embedded(self.source_embedding, source), (source != 0)[:, None, None, :])
    def decode(self, target, encoder_output, source):
        seen = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool, device=target.device).tril() & (target != 0)[:, None, None, :]
        states = self.decoder(self.embedded(self.target_embedding, target), encoder_output, target_mask=seen, source_mask=(source != 0)[:, None, None, :])
        return F.linear(states, self.output.weight, self.output.bias)
    def forward(self, source, target):
        states = self.decoder(self.embedded(self.target_embedding, target), self.encode(source), decoder_mask(target), padding_mask(source))
        return self.output(states)

@right
class OtherModules(nn.Module):
    """Built by itself, with PyTorch's norms; the logits as a matrix product."""
    def __init__(self, source_vocab, target_vocab, d_model=128, num_heads=4, num_layers=2, d_ff=512, dropout=0.1, max_len=256, norm_first=False, tie_weights=True):
        super().__init__()
        self.output = nn.Linear(d_model, target_vocab)
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout=dropout, norm_first=norm_first)
        self.target_embedding, self.source_embedding = (TransformerEmbedding(v, d_model, max_len) for v in (target_vocab, source_vocab))
        self.drop = nn.Dropout(dropout)
        if tie_weights:
            self.output.weight = self.target_embedding.embedding.weight
    def encode(self, source):
        return self.encoder(self.drop(self.source_embedding(source)), mask=padding_mask(source))
    def decode(self, target, encoder_output, source):
        x = self.decoder(self.drop(self.target_embedding(target)), encoder_output, decoder_mask(target), padding_mask(source))
        return x @ self.output.weight.T + self.output.bias
    def forward(self, source, target):
        return self.decode(target, self.encode(source), source)

@right
class SentenceBySentence(Right):
    def forward(self, source, target):
        return torch.cat([self.decode(t[None], self.encode(s[None]), s[None]) for s, t in zip(source, target)])

@right
class MasksByHead(Right):
    def decode(self, target, encoder_output, source):
        x = self.dropout(self.target_embedding(target))
        heads = self.decoder.blocks[0].self_attention.num_heads
        own = decoder_mask(target).repeat(1, heads, 1, 1)
        other = padding_mask(source).expand(-1, heads, target.shape[1], -1)
        return self.output(self.decoder(x, encoder_output, own, other))

@truth
class PyTorchsOwn(Right):
    """nn.Transformer on the same weights, with gradients."""
    def halves(self):
        block, width = self.decoder.blocks[0], self.output.in_features
        own = nn.Transformer(width, block.self_attention.num_heads, len(self.encoder.blocks), len(self.decoder.blocks), block.feed_forward.linear1.out_features, self.dropout.p * self.training, batch_first=True, norm_first=block.norm_first)
        weights = {}
        for half in ("encoder", "decoder"):
            stack = getattr(self, half)
            for k, block in enumerate(stack.blocks):
                weights |= torch_weights(block, f"{half}.layers.{k}.")
            if stack.norm is None:  # PyTorch has that norm in post-norm too
                getattr(own, half).norm = None
            else:
                weights |= {f"{half}.norm.weight": stack.norm.weight, f"{half}.norm.bias": stack.norm.bias}
        return own.train(), weights
    def encode(self, source):
        own, weights = self.halves()
        weights = {name.removeprefix("encoder."): w for name, w in weights.items() if name.startswith("encoder.")}
        return torch.func.functional_call(own.encoder, weights, (self.dropout(self.source_embedding(source)),), dict(src_key_padding_mask=source == 0))
    def decode(self, target, encoder_output, source):
        own, weights = self.halves()
        weights = {name.removeprefix("decoder."): w for name, w in weights.items() if name.startswith("decoder.")}
        future = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
        masks = dict(tgt_mask=future, tgt_key_padding_mask=target == 0, memory_key_padding_mask=source == 0)
        states = torch.func.functional_call(own.decoder, weights, (self.dropout(self.target_embedding(target)), encoder_output), masks)
        return F.linear(states, self.output.weight, self.output.bias)
    def forward(self, source, target):
        own, weights = self.halves()
        future = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
        masks = dict(tgt_mask=future, src_key_padding_mask=source == 0, tgt_key_padding_mask=target == 0, memory_key_padding_mask=source == 0)
        states = torch.func.functional_call(own, weights, (self.dropout(self.source_embedding(source)), self.dropout(self.target_embedding(target))), masks)
        return F.linear(states, self.output.weight, self.output.bias)

@truth
class WrittenOutInFloat64(Right):
    """No layer called: every product written out, in float64."""
    def embedded(self, table, ids):
        w, d = table.embedding.weight.double(), self.output.in_features
        angle = torch.tensor([[p / 10000 ** (2 * (c // 2) / d) + (c % 2) * math.pi / 2 for c in range(d)] for p in range(ids.shape[1])], dtype=torch.float64)
        return self.dropout(w[ids] * d**0.5 + angle.sin())
    def stack(self, half, x, m, own, other):
        def attended(layer, y, z, mask):
            q, k, v = (linear64(p, t).unflatten(-1, (layer.num_heads, -1)) for p, t in ((layer.q_proj, y), (layer.k_proj, z), (layer.v_proj, z)))
            e = torch.einsum("bihd,bjhd->bhij", q, k / q.shape[-1] ** 0.5).exp() * mask
            return linear64(layer.out_proj, torch.einsum("bhij,bjhd->bihd", e / e.sum(-1, keepdim=True), v).flatten(2))
        for b in half.blocks:
            steps = [(b.norm1, lambda z: attended(b.self_attention, z, z, own))]
            if m is not None:
                steps.append((b.norm2, lambda z: attended(b.cross_attention, z, m, other)))
            steps.append((getattr(b, f"norm{len(steps) + 1}"), lambda z: linear64(b.feed_forward.linear2, linear64(b.feed_forward.linear1, z).relu())))
            for norm, step in steps:
                x = x + self.dropout(step(norm64(norm, x))) if half.norm is not None else norm64(norm, x + self.dropout(step(x)))
        return x if half.norm is None else norm64(half.norm, x)
    def encode(self, source):
        return self.stack(self.encoder, self.embedded(self.source_embedding, source), None, (source != 0)[:, None, None, :], None)
    def decode(self, target, encoder_output, source):
        place = torch.arange(target.shape[1])
        own = (place[:, None] >= place) & (target != 0)[:, None, None, :]
        x = self.stack(self.decoder, self.embedded(self.target_embedding, target), encoder_output.double(), own, (source != 0)[:, None, None, :])
        return torch.einsum("bsd,vd->bsv", x, self.output.weight.double()) + self.output.bias.double()
    def forward(self, source, target):
        return self.decode(target, self.encode(source), source)

# %% exercise="greedy_decode" part="library"
@torch.no_grad()
def greedy_decode(model: nn.Module, source: Tensor, max_len: int, bos_id: int = 1, eos_id: int = 2) -> Tensor:
    """A table for all sentences, filled column by column; what follows an EOS is cut off at the end."""
    was_training = model.training
    model.eval()
    try:
        encoder_output = model.encode(source)
        table = source.new_full((len(source), max_len + 1), bos_id)
        ended = source.new_zeros(len(source), dtype=torch.bool)
        width = 0
        while width < max_len and not bool(ended.all()):
            logits = model.decode(table[:, : width + 1], encoder_output, source)
            width += 1
            table[:, width] = logits[:, -1].argmax(dim=-1)
            ended |= table[:, width] == eos_id
    finally:
        model.train(was_training)
    ids = table[:, 1 : width + 1]
    ends = (ids == eos_id).cumsum(dim=1)
    return ids.masked_fill(ends - (ids == eos_id).long() > 0, 0)


class _OneHot(nn.Module):
    """In an embedding's place: each id as a row of 0s and one 1, so that whoever gets the vectors can read the ids."""

    def __init__(self, vocab: int) -> None:
        super().__init__()
        self.vocab = vocab

    def forward(self, ids: Tensor) -> Tensor:
        return nn.functional.one_hot(ids.long(), self.vocab).float()


class _Reader(nn.Module):
    """In an encoder's place: passes on what it gets."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x


class _Script(nn.Module):
    """In a decoder's place: what a place writes is a known function of the source and of the target so far.

    The answer to a source is each of its letters, so many times, moved three on in the alphabet, up to its EOS. Behind any other
    beginning than the answer's own, and behind its end, stands a letter that depends on what was read; after three of
    these, now and then another EOS. In training mode, each letter is the next one. Behind the answer's
    first letter stand the ids `writes`, a 0 say.
    """

    def __init__(self, letters: list[int], bos_id: int, eos_id: int, times: int, writes: list[int]) -> None:
        super().__init__()
        self.letters, self.bos_id, self.eos_id, self.times, self.writes = letters, bos_id, eos_id, times, writes

    def _answer(self, source: list[int]) -> list[int]:
        place = {letter: i for i, letter in enumerate(self.letters)}
        upto = source[: source.index(self.eos_id)] if self.eos_id in source else source
        moved = [self.letters[(place[i] + 3) % len(self.letters)] for i in upto if i in place]
        written = [letter for letter in moved for _ in range(self.times)]
        return [*written[:1], *self.writes, *written[1:], self.eos_id]

    def _next(self, answer: list[int], read: list[int]) -> int:
        known = read[1:]
        if read[0] == self.bos_id and known == answer[: len(known)] and len(known) < len(answer):
            token = answer[len(known)]
        elif read[0] == self.bos_id and len(known) == len(answer) + 2:
            return self.eos_id
        else:
            token = self.letters[(sum(known) + 2 * len(read) + read[0]) % len(self.letters)]
        if self.training and token != self.eos_id:
            token = self.letters[(self.letters.index(token) + 1) % len(self.letters)]
        return token

    def forward(
        self, x: Tensor, encoder_output: Tensor, target_mask: Tensor | None = None, source_mask: Tensor | None = None
    ) -> Tensor:
        sources, targets = encoder_output.argmax(dim=-1).tolist(), x.argmax(dim=-1).tolist()
        states = torch.zeros_like(x)
        states[:, :, 0] = 0.5
        for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
            answer = self._answer(source)
            for t in range(len(target)):
                token = self._next(answer, target[: t + 1])
                states[row, t, token] = 1.0
                states[row, t, self.letters[(self.letters.index(token) + 1 if token in self.letters else 0) % len(self.letters)]] = 0.7
        return states


def scripted_model(
    vocab: int, bos_id: int, eos_id: int, training: bool, times: int = 1, writes: list[int] | None = None
) -> Any:
    """A Transformer whose next token is a known function of what it reads (see `_Script`), under watch."""
    model = Transformer(vocab, vocab, d_model=2, num_heads=1, num_layers=0, d_ff=1, dropout=0.0)
    model.source_embedding, model.target_embedding = _OneHot(vocab), _OneHot(vocab)
    model.encoder = _Reader()
    letters = [i for i in range(4, vocab) if i not in (bos_id, eos_id)]
    model.decoder = _Script(letters, bos_id, eos_id, times, writes or [])
    model.output = nn.Linear(vocab, vocab, bias=False)
    with torch.no_grad():
        model.output.weight.copy_(torch.eye(vocab))
    return _under_watch(model, training)


def small_transformer(init: dict[str, Any], state: dict[str, Tensor], training: bool) -> Any:
    """The library's Transformer with the given weights, under watch."""
    model = Transformer(**init)
    model.load_state_dict(state, strict=False)
    return _under_watch(model, training)


def _under_watch(model: nn.Module, training: bool) -> Any:
    """The model, and a look at how often it read a sentence, whether it was asked for more than that, and in which mode."""
    from autograder.formats.fixtures import Watched

    told = {"sentences": 0, "goes on": False, "trained": False}
    eos_id = getattr(model.decoder, "eos_id", 2)

    def notice(module: nn.Module, given: tuple[Any, ...]) -> None:
        told["trained"] = told["trained"] or module.training
        if module is model.encoder:
            told["sentences"] += len(given[0])

    def notice_target(module: nn.Module, given: tuple[Any, ...]) -> None:
        told["goes on"] = told["goes on"] or bool((given[0][:, 1:] == eos_id).any(dim=1).all())

    def look() -> dict[str, Any]:
        return {
            "sentences encoded": told["sentences"],
            "goes on when all have ended": told["goes on"],
            "ran in training mode": told["trained"],
            "in training mode afterwards": model.training,
        }

    model.encoder.register_forward_pre_hook(notice)
    model.decoder.register_forward_pre_hook(notice)
    model.target_embedding.register_forward_pre_hook(notice_target)
    return Watched(model.train(training), look)

# %% exercise="greedy_decode" part="variants"
without("again: without bos_id", "again: without eos_id", because="this model answers in its own ids: what it says to others is left open")

def sources(rng, lengths, vocab, bos=1, eos=2):
    """Letters, then EOS, then padding; one row for each length."""
    letters = [i for i in range(4, vocab) if i not in (bos, eos)]
    rows = np.zeros((len(lengths), max(lengths) + 1), dtype="int64")
    for row, length in enumerate(lengths):
        rows[row, :length], rows[row, length] = rng.choice(letters, size=length), eos
    return torch.from_numpy(rows)

def scripted(rng, lengths, max_len, vocab=13, training=False, times=1, writes=(), **ids):
    bos, eos = ids.get("bos_id", 1), ids.get("eos_id", 2)
    model = fixture("scripted_model", vocab=vocab, bos_id=bos, eos_id=eos, training=training, **(dict(times=times) if times > 1 else {}) | (dict(writes=list(writes)) if writes else {}))
    return dict(model=model, source=sources(rng, lengths, vocab, bos, eos), max_len=max_len) | ids

@cases(dict(first=3, second=6, third=1), dict(first=5, second=2, third=4))
def of_different_lengths(rng, first, second, third):
    """three sentences whose answers have {first}, {second} and {third} letters, max_len=14"""
    return scripted(rng, [first, second, third], 14)

@cases()
def short_first(rng):
    """three sentences whose answers have 1, 4 and 2 letters, max_len=9"""
    return scripted(rng, [1, 4, 2], 9)

@cases(dict(length=4), dict(length=7))
def one_sentence(rng, length):
    """one sentence whose answer has {length} letters, max_len=12"""
    return scripted(rng, [length], 12)

@cases(dict(max_len=4), low=3, high=5)
def cut_off(rng, max_len):
    """answers of 7, 2 and 6 letters, max_len={max_len}"""
    return scripted(rng, [7, 2, 6], max_len)

@cases()
def just_fits(rng):
    """two answers of 4 letters and an EOS, max_len=5"""
    return scripted(rng, [4, 4], 5)

@cases()
def one_too_long(rng):
    """answers of 4 and 3 letters, each with an EOS behind them, max_len=4"""
    return scripted(rng, [4, 3], 4)

@cases()
def ends_at_once(rng):
    """the second answer is an EOS and nothing else, max_len=8"""
    return scripted(rng, [3, 0, 2], 8)

@cases()
def longer_than_the_source(rng):
    """answers of 6 and 4 letters to sources of 3 and 2, max_len=12"""
    return scripted(rng, [3, 2], 12, times=2)

@cases()
def much_longer_than_the_source(rng):
    """an answer of 14 letters to a source of 2, max_len=17"""
    return scripted(rng, [2], 17, times=7)

@cases()
def all_end_at_once(rng):
    """both answers are an EOS and nothing else, max_len=6"""
    return scripted(rng, [0, 0], 6)

@cases()
def single_token(rng):
    """answers of 3 and 0 letters, max_len=1"""
    return scripted(rng, [3, 0], 1)

@cases()
def in_training_mode(rng):
    """a model that comes in training mode, answers of 2, 5 and 3 letters, max_len=10"""
    return scripted(rng, [2, 5, 3], 10, training=True)

@cases()
def other_ids(rng):
    """bos_id=7, eos_id=5, answers of 4, 2 and 3 letters, max_len=9"""
    return scripted(rng, [4, 2, 3], 9, bos_id=7, eos_id=5)

@cases()
def writes_zero(rng):
    """answers of 5, 3 and 4 tokens, the second of which is a 0, max_len=9"""
    return scripted(rng, [4, 2, 3], 9, writes=[0])

@cases()
def writes_bos(rng):
    """answers of 4, 6 and 3 tokens, the second of which is a BOS, max_len=9"""
    return scripted(rng, [2, 4, 1], 9, writes=[1])

def real_call(rng, training):
    """A small Transformer with random weights, chosen so that its sentences end at different steps and no choice is close."""
    init = dict(source_vocab=9, target_vocab=8, d_model=8, num_heads=2, num_layers=1, d_ff=12, max_len=12, dropout=1.0 if training else 0.0)
    model, chosen = Transformer(**init).eval(), None
    def strength(name):  # large embeddings and small biases: such models say different things and come to an end
        return 0.1 if ("norm" in name and name.endswith("bias")) or name == "output.bias" else 3.0 if name.endswith("weight") and "norm" not in name and "feed" not in name else 1.0
    for _ in range(150):
        state = draw_state(model, rng)
        state["output.weight"] = state["target_embedding.embedding.weight"]
        drawn, live = sources(rng, [5, 2, 3], 9), {name: torch.from_numpy(weight.data) * strength(name) for name, weight in state.items()}
        model.load_state_dict(live, strict=False)
        answers = greedy_decode(model, drawn, 8)
        with torch.no_grad():
            best = model(drawn, shift_right(answers)).topk(2, dim=-1).values
        ends = (answers == 2).int().argmax(dim=1).tolist()
        writes_padding = ((answers == 0) & ((answers == 2).cumsum(dim=1) == 0)).any()
        clear = float((best[..., 0] - best[..., 1]).min()) > 0.02 and not writes_padding
        telling = len(set(ends)) > 1 and max(ends) > 1 and len(answers.unique()) > 3
        if clear and (telling or chosen is None):
            chosen = live, drawn
        if clear and telling:
            break
    live, source = chosen
    return dict(model=fixture("small_transformer", init=init, state=live, training=training), source=source, max_len=8)

@cases()
def real_model(rng):
    """a small Transformer with random weights, three sources, max_len=8"""
    return real_call(rng, False)

@cases()
def real_model_in_training_mode(rng):
    """a small Transformer that comes in training mode, three sources, max_len=8"""
    return real_call(rng, True)

plain = dict(
    mode="eval", after="restore", encoded="once", start="bos_id", place=-1, choose="argmax", behind="pad", stop="all", end="eos_id", ended="stays",
    extra=0, keep_bos=False, cut=None, feed="all", width="longest", result=lambda ids, source: ids, forced=False, order="cat first", eos_kept=True, grow="behind", early=False, capped=None,
)

def greedy_with(changes):
    o = plain | changes
    @torch.no_grad()
    def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
        came = model.training
        if o["mode"] == "eval":
            model.eval()
        if o["mode"] == "train":
            model.train()
        memory = model.encode(source)
        if o["mode"] == "late":
            model.eval()
        n = len(source)
        end = {"eos_id": eos_id, "2": 2, "bos": bos_id, "pad": 0, "1": 1, "never": -5}[o["end"]]
        start = {"bos_id": torch.full((n, 1), bos_id), "1": torch.ones(n, 1).long(), "0": torch.zeros(n, 1).long(), "eos": torch.full((n, 1), eos_id), "source": source[:, :1], "2": torch.full((n, 1), 2)}[o["start"]]
        ids, ended = start, torch.zeros(n, dtype=torch.bool)
        for _ in range(max_len + o["extra"] if o["capped"] is None else min(max_len, source.shape[1] + o["capped"])):
            if o["encoded"] == "each step":
                memory = model.encode(source)
            read = {"all": ids, "last": ids[:, -1:], "no bos": ids if ids.shape[1] == 1 else ids[:, 1:], "reversed": ids.flip(1), "first": ids[:, :1], "not last": ids if ids.shape[1] == 1 else ids[:, :-1]}[o["feed"]]
            logits = model.decode(read, memory, source)
            if o["encoded"] == "each step, by forward":
                logits = model(source, read)
            scores = logits[:, o["place"] if isinstance(o["place"], int) and abs(o["place"]) <= logits.shape[1] else -1]
            if o["place"] == "mean":
                scores = logits.mean(dim=1)
            best = {"argmax": scores.argmax(-1), "argmin": scores.argmin(-1), "second": scores.topk(2).indices[:, 1], "value": scores.max(-1).values, "first sentence": scores.argmax(-1)[:1].expand(n).clone(), "over batch": scores.argmax(0)[:n]}[o["choose"]]
            if o["behind"] == "pad":
                best = best.masked_fill(ended, 0)
            elif o["behind"] == "eos":
                best = best.masked_fill(ended, end)
            elif o["behind"] == "bos":
                best = best.masked_fill(ended, bos_id)
            elif o["behind"] == "repeat":
                best = torch.where(ended, ids[:, -1], best)
            now = best == end
            if o["order"] == "break first" and bool((ended | now).all()):
                break
            if not o["eos_kept"]:
                best = best.masked_fill(now, 0)
            ids = torch.cat([ids, best[:, None]], 1) if o["grow"] == "behind" else torch.cat([best[:, None], ids], 1)
            ended = {"stays": ended | now, "forgets": now, "first": (ended | now)[:1].expand(n), "toggles": ended ^ now}[o["ended"]]
            if {"all": ended.all(), "any": ended.any(), "never": torch.tensor(False), "first sentence": ended[0], "last sentence": ended[-1]}[o["stop"]]:
                break
        if o["after"] == "restore":
            model.train(came)
        elif o["after"] == "train":
            model.train()
        elif o["after"] == "toggle":
            model.train(not came)
        out = ids if o["keep_bos"] else ids[:, 1:]
        out = out[o["cut"]] if o["cut"] is not None else out
        if o["forced"] and out.shape[1]:
            out = out.clone()
            out[:, -1] = torch.where(ended, out[:, -1], end)
        if o["behind"] == "cut at last":
            for row in out:
                ends = (row == end).nonzero()
                if len(ends):
                    row[ends[-1] + 1 :] = 0
        if o["width"] == "max_len" and out.shape[1] < max_len:
            out = nn.functional.pad(out, (0, max_len - out.shape[1]), value=eos_id if o["early"] else 0)
        return o["result"](out, source)
    return greedy_decode

JUNK = "the model goes on writing behind a sentence's EOS while the others are not done, and you keep it. Behind the first EOS of each sentence stands padding, 0."
singles = {
    "no-eval": (dict(mode="as it is", after="none"), "the model decodes in training mode, so dropout switches numbers off at random. Decode in evaluation mode."),
    "train-mode": (dict(mode="train"), "you put the model into training mode to decode, so dropout switches numbers off at random. Decode in evaluation mode."),
    "eval-after-encoding": (dict(mode="late"), "the source is encoded before the model is in evaluation mode, so dropout is still on in the encoder."),
    "left-in-eval": (dict(after="none"), "the model came in training mode and was left in evaluation mode. Leave it as it came: a training loop that translates a few sentences in between would go on without dropout."),
    "left-in-training": (dict(after="train"), "the model came in evaluation mode and was left in training mode. Leave it as it came, with dropout off."),
    "mode-toggled": (dict(after="toggle"), "the model is left in the other mode than it came in."),
    "encodes-each-step": (dict(encoded="each step"), "the encoder runs at each step. Its output does not change while the target grows: run it once, before the loop."),
    "forward-each-step": (dict(encoded="each step, by forward"), "the encoder runs at each step. Its output does not change while the target grows: run it once, before the loop."),
    "start-1": (dict(start="1"), "the target always starts with 1. Take `bos_id`."),
    "start-padding": (dict(start="0"), "the target starts with padding (0). It starts with BOS, `bos_id`."),
    "start-eos": (dict(start="eos"), "the target starts with EOS. It starts with BOS, `bos_id`."),
    "start-source": (dict(start="source"), "the target starts with the source's first token. It starts with BOS, `bos_id`."),
    "first-place": (dict(place=0), "you read the logits of the first place, so every step gives the first token again. What comes next stands at the last place."),
    "second-to-last-place": (dict(place=-2), "you read the logits of the place before the last. What comes next stands at the last place."),
    "mean-over-places": (dict(place="mean"), "you average the logits over all places. What comes next stands at the last place."),
    "smallest": (dict(choose="argmin"), "you take the token with the smallest logit; the best one has the largest."),
    "second-best": (dict(choose="second"), "you take the second best token."),
    "logits-as-ids": (dict(choose="value"), "you go on with the largest logit itself. It is its place that is the token's id: argmax in place of max."),
    "same-token-for-all": (dict(choose="first sentence"), "every sentence gets the first sentence's token. Each has logits of its own."),
    "over-batch": (dict(choose="over batch"), "your argmax runs over the sentences. It runs over the vocabulary, the last axis."),
    "junk-behind-eos": (dict(behind="junk"), JUNK),
    "eos-repeated": (dict(behind="eos"), "behind a sentence's EOS stand more EOS. Behind the first one stands padding, 0."),
    "bos-behind-eos": (dict(behind="bos"), "behind a sentence's EOS stand BOS. Padding stands there, 0."),
    "cut-at-last-eos": (dict(behind="cut at last"), "you cut each sentence behind its *last* EOS. What stands between two EOS is junk: the first one ends the sentence."),
    "forgets-the-end": (dict(ended="forgets"), "a sentence that ended one step ago counts as open again, so it goes on behind its EOS, or the loop never ends early. Once ended, always ended."),
    "all-end-with-first": (dict(ended="first"), "as soon as the first sentence has ended, padding is written for all. Each sentence has an end of its own."),
    "stops-at-first-eos": (dict(stop="any"), "the whole batch stops as soon as one sentence has ended. The others are cut off in the middle: go on until all have ended."),
    "stops-with-first-sentence": (dict(stop="first sentence"), "the whole batch stops when its first sentence has ended. Go on until all have ended."),
    "stops-with-last-sentence": (dict(stop="last sentence"), "the whole batch stops when its last sentence has ended. Go on until all have ended."),
    "never-stops": (dict(behind="junk", stop="never"), "nothing stops at EOS: each sentence is filled with junk up to `max_len`. Behind the first EOS of each sentence stands padding, 0."),
    "eos-2": (dict(end="2"), "your sentences end at id 2, whatever `eos_id` says."),
    "ends-at-bos": (dict(end="bos"), "your sentences end at BOS; they end at EOS, `eos_id`."),
    "ends-at-padding": (dict(end="pad"), "your sentences end at padding (0); they end at EOS, `eos_id`."),
    "stops-late": (dict(stop="never"), "your loop goes on to `max_len` when all sentences have ended long before. Stop then: each further step costs as much as the others."),
    "no-longer-than-source": (dict(capped=0), "your sentences end at the length of the source. A translation may be longer than its source: only an EOS or `max_len` ends it."),
    "ten-more-than-source": (dict(capped=10), "your sentences end ten tokens behind the length of the source. Only an EOS or `max_len` ends them."),
    "one-more": (dict(extra=1), "a sentence that does not end gets one token more than `max_len`."),
    "one-fewer": (dict(extra=-1), "a sentence that does not end gets one token fewer than `max_len`. BOS does not count."),
    "two-fewer": (dict(extra=-2), "a sentence that does not end gets two tokens fewer than `max_len`."),
    "keeps-bos": (dict(keep_bos=True), "BOS stands in front of your sentences. It starts the search, and it is no part of the answer."),
    "keeps-bos-of-max-len": (dict(keep_bos=True, extra=-1), "BOS stands in front of your sentences and counts towards `max_len`. It starts the search, and it is no part of the answer."),
    "drops-last": (dict(cut=(slice(None), slice(None, -1))), "the last column of your result is missing."),
    "drops-first-token": (dict(cut=(slice(None), slice(1, None))), "the first token of each sentence is missing: after BOS, one more was cut off."),
    "drops-last-keeps-bos": (dict(keep_bos=True, cut=(slice(None), slice(None, -1))), "BOS stands in front, and the last column is missing: it is BOS that is cut off."),
    "no-eos": (dict(eos_kept=False), "your sentences have lost their EOS. Each is ended by its own EOS; only what comes behind is padding."),
    "breaks-before-joining": (dict(order="break first"), "your loop ends before the last column is joined, so the longest sentence has lost its EOS."),
    "eos-forced": (dict(forced=True), "an EOS is forced on sentences that have not ended after `max_len` tokens. They stay as they are."),
    "feeds-last-only": (dict(feed="last"), "the decoder is given the last token only. It reads the whole target so far, from BOS on."),
    "feeds-without-bos": (dict(feed="no bos"), "BOS is no longer given to the decoder after the first step. It reads the whole target so far, from BOS on."),
    "feeds-bos-only": (dict(feed="first"), "the decoder is given BOS only, at each step. It reads the whole target so far."),
    "feeds-reversed": (dict(feed="reversed"), "the decoder is given the target in reverse. New tokens stand behind the others."),
    "feeds-without-last": (dict(feed="not last"), "the decoder is not given the token that was written last."),
    "grows-in-front": (dict(grow="front", keep_bos=True, cut=(slice(None), slice(None, -1))), "new tokens are put in front of the others. They stand behind."),
    "first-sentence-only": (dict(result=lambda ids, source: ids[:1]), "only the first sentence comes back. Return a row for each source of the batch."),
    "one-row": (dict(result=lambda ids, source: ids[0]), "your result is a single row. Return a row for each source of the batch."),
    "last-column": (dict(result=lambda ids, source: ids[:, -1]), "only the last tokens come back. Return the whole sentences."),
    "transposed": (dict(result=lambda ids, source: ids.T.contiguous()), "your result is transposed: a sentence is a row."),
    "list": (dict(result=lambda ids, source: ids.tolist()), "your result is a Python list. Return a tensor, padded with 0."),
    "list-cut": (dict(result=lambda ids, source: [[t for t in row if t] for row in ids.tolist()]), "your result is a list of lists. Return a tensor, padded with 0."),
    "list-of-tensors": (dict(result=lambda ids, source: list(ids)), "your result is a list of tensors. Return one tensor, padded with 0."),
    "numpy": (dict(result=lambda ids, source: ids.numpy()), "your result is a NumPy array. Return a tensor."),
    "floats": (dict(result=lambda ids, source: ids.float()), "your ids are floating-point numbers. Ids are integers."),
    "pair": (dict(result=lambda ids, source: (ids, ids)), "your function returns two things. Return the ids alone."),
    "none": (dict(result=lambda ids, source: None), "your function ends without giving anything back: is a `return` missing?"),
    "source-back": (dict(result=lambda ids, source: source), "your function returns the source."),
    "eos-in-front": (dict(result=lambda ids, source: ids.flip(1)), "your sentences stand in reverse."),
    "width-max-len-eos": (dict(width="max_len", early=True), "your result is filled up with EOS. Behind a sentence's EOS stands padding, 0."),
    "pad-minus-one": (dict(result=lambda ids, source: ids.masked_fill(ids == 0, -1)), "your padding is -1. In this course padding is 0."),
    "eos-for-padding-too": (dict(behind="eos", width="max_len", early=True), "behind a sentence's EOS stand more EOS. Behind the first one stands padding, 0."),
}

wide_too = ("left-in-eval", "no-eval", "encodes-each-step", "junk-behind-eos", "eos-repeated", "eos-2", "start-1", "forgets-the-end", "cut-at-last-eos", "feeds-last-only")
def does(function):
    """What this search gives, to leave out mistakes that come to the same."""
    marks = []
    rng = np.random.default_rng(3)
    from autograder.library import build_fixture
    for lengths, max_len, training, more in (([3, 6, 1], 14, False, {}), ([2], 17, False, dict(times=7)), ([1, 4, 2], 9, True, {}), ([4], 12, False, {}), ([7, 2, 6], 4, True, {}), ([4, 4], 5, False, {}), ([4, 3], 4, False, {}), ([3, 0, 2], 8, False, {}), ([0, 0], 6, False, {}), ([3, 0], 1, False, {}), ([4, 2, 3], 9, False, dict(bos_id=7, eos_id=5))):
        call = scripted(rng, lengths, max_len, training=training, **more)
        watched = build_fixture(call["model"])
        try:
            marks.append(repr(function(watched.live, *list(call.values())[1:])) + repr(watched.look()))
        except Exception as error:
            marks.append(repr(error))
    return marks

first_time(does, greedy_decode)
first_time(does, greedy_with(dict(width="max_len")))
for name, (changes, says) in singles.items():
    for wide in ({}, dict(width="max_len"))[: 2 if name in wide_too else 1]:
        function = greedy_with(wide | changes)
        if first_time(does, function):
            wrong(name + "+wide" * bool(wide), says=says)(function)
often = ["left-in-eval", "no-eval", "encodes-each-step", "junk-behind-eos", "stops-at-first-eos", "never-stops", "keeps-bos", "one-more", "one-fewer", "eos-2"]
for i, one in enumerate(often):
    for other in often[i + 1 :]:
        first, second = singles[one], singles[other]
        if set(first[0]) & set(second[0]):
            continue
        function = greedy_with(first[0] | second[0])
        if first_time(does, function):
            wrong(f"{one}+{other}", says=two_things(first[1], second[1]))(function)
for trio in (("left-in-eval", "encodes-each-step", "junk-behind-eos"), ("left-in-eval", "encodes-each-step", "keeps-bos"), ("no-eval", "encodes-each-step", "junk-behind-eos"), ("left-in-eval", "junk-behind-eos", "keeps-bos"), ("left-in-eval", "never-stops", "keeps-bos"), ("no-eval", "never-stops", "keeps-bos"), ("left-in-eval", "encodes-each-step", "never-stops")):
    function = greedy_with(singles[trio[0]][0] | singles[trio[1]][0] | singles[trio[2]][0])
    if first_time(does, function):
        wrong("+".join(trio), says=f"three things at once. First, {singles[trio[0]][1]} Second, {singles[trio[1]][1]} Third, {singles[trio[2]][1]}")(function)

@wrong("source-changed", says="your function writes into the caller's `source`. Make a new tensor.")
@torch.no_grad()
def source_changed(model, source, max_len, bos_id=1, eos_id=2):
    result = greedy_decode(model, source, max_len, bos_id, eos_id)
    source[:, 0] = bos_id
    return result

wrong("ends-at-padding-too", ("ended = ended | (best == eos_id)", "ended = ended | (best == eos_id) | (best == 0)"), says="a 0 that the model writes before its EOS ends the sentence in your code. Only `eos_id` and `max_len` end one.")
wrong("never-writes-zero", ("best = logits[:, -1].argmax(dim=-1)", "best = logits[:, -1, 1:].argmax(dim=-1) + 1"), says="your search never writes a 0, though the model found it best. A 0 that the model itself writes is a token like any other.")
wrong("never-writes-bos", ("best = logits[:, -1].argmax(dim=-1)", "best = logits[:, -1].index_fill(1, torch.tensor([bos_id]), -math.inf).argmax(dim=-1)"), says="your search never writes BOS, though the model found it best. Take the best token, whatever it is: only EOS is special.")
wrong("axis-of-places", ("logits[:, -1].argmax(dim=-1)", "logits[:, -1].argmax(dim=-2)"), says=singles["over-batch"][1])
wrong("whole-table", ("logits[:, -1].argmax(dim=-1)", "logits.argmax(dim=-1)"), says="your next token is a whole row of tokens, one for each place. Only the last place says what comes next.")
wrong("last-sentence", ("logits[:, -1].argmax(dim=-1)", "logits[-1].argmax(dim=-1)"), says="you take the last *sentence* of the logits. The places are axis 1.")
wrong("ended-never-set", ("ended = ended | (best == eos_id)", "ended = ended | (ids[:, 0] == eos_id)"), says=singles["never-stops"][1])
wrong("decode-source-first", ("model.decode(ids, encoder_output, source)", "model.decode(source, encoder_output, ids)"), says="the arguments of `decode` are in another order: target so far, encoder output, source.")
wrong("decode-two-arguments", ("model.decode(ids, encoder_output, source)", "model.decode(ids, encoder_output)"), says="`decode` takes three arguments: target so far, encoder output, and the source ids, for their padding.")
wrong("calls-model", ("model.decode(ids, encoder_output, source)", "model(encoder_output, ids)"), says="you call the whole model with the encoder's output. `decode` goes on from there; the whole model takes source ids.")

@right
@torch.no_grad()
def filled_to_max_len(model, source, max_len, bos_id=1, eos_id=2):
    mode = model.training
    model.train(False)
    memory = model.encode(source)
    table = torch.zeros(len(source), max_len + 1, dtype=torch.long)
    table[:, 0] = bos_id
    alive = torch.ones(len(source), dtype=torch.bool)
    for step in range(1, max_len + 1):
        token = model.decode(table[:, :step], memory, source)[:, step - 1].argmax(-1)
        table[alive, step] = token[alive]
        alive = alive & (token != eos_id)
        if not alive.any():
            break
    model.train(mode)
    return table[:, 1:]

@right
def sentence_by_sentence(model, source, max_len, bos_id=1, eos_id=2):
    was = model.training
    model.eval()
    rows = []
    with torch.no_grad():
        for one in source:
            memory, ids = model.encode(one[None]), [bos_id]
            while len(ids) <= max_len and eos_id not in ids[1:]:
                ids.append(int(model.decode(torch.tensor([ids]), memory, one[None])[0, -1].argmax()))
            rows.append(torch.tensor(ids[1:]))
    if was:
        model.train()
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)

@right
def cut_afterwards(model, source, max_len, bos_id=1, eos_id=2):
    """Lets all go on until each has ended, then writes padding behind each first EOS."""
    training = model.training
    try:
        with torch.inference_mode():
            model.eval()
            memory = model.encode(source)
            ids = source.new_full((source.size(0), 1), bos_id)
            while ids.size(1) <= max_len and not (ids[:, 1:] == eos_id).any(dim=1).all():
                scores = torch.log_softmax(model.decode(ids, memory, source)[:, -1, :], dim=-1)
                ids = torch.cat((ids, scores.topk(1).indices), dim=1)
    finally:
        model.train(training)
    ids = ids[:, 1:]
    ends = (ids == eos_id).long()
    return torch.where(ends.cumsum(1) - ends > 0, 0, ids).clone()

@right
def drops_those_that_ended(model, source, max_len, bos_id=1, eos_id=2):
    """Only sentences that have not ended go on."""
    was, result = model.training, [[] for _ in source]
    model.eval()
    with torch.no_grad():
        memory, left = model.encode(source), list(range(len(source)))
        ids = torch.full((len(source), 1), bos_id)
        for _ in range(max_len):
            if not left:
                break
            tokens = model.decode(ids[left], memory[left], source[left])[:, -1].argmax(-1).tolist()
            grown = torch.zeros(len(source), 1, dtype=torch.long)
            for row, token in zip(left, tokens):
                result[row].append(token)
                grown[row] = token
            ids = torch.cat([ids, grown], 1)
            left = [row for row, token in zip(left, tokens) if token != eos_id]
    model.train(was)
    width = max(map(len, result))
    return torch.tensor([row + [0] * (width - len(row)) for row in result])

@right
@torch.no_grad()
def whole_table_each_time(model, source, max_len, bos_id=1, eos_id=2):
    """Decodes the table as it will be, and reads it at the place that it has come to."""
    was = model.training
    model.eval()
    memory = model.encode(source)
    table = torch.zeros(len(source), max_len + 1, dtype=torch.long)
    table[:, 0] = bos_id
    for place in range(max_len):
        best = model.decode(table, memory, source)[:, place].argmax(dim=-1)
        done = (table[:, 1:] == eos_id).any(dim=1)
        table[:, place + 1] = torch.where(done, torch.zeros_like(best), best)
        if ((table[:, 1:] == eos_id).any(dim=1)).all():
            break
    model.train(was)
    return table[:, 1 : place + 2]

@truth
def by_teacher_forcing(model, source, max_len, bos_id=1, eos_id=2):
    """One sentence at a time, each token checked to be the best one behind all before it."""
    was = model.training
    model.eval()
    rows = []
    with torch.no_grad():
        memory = model.encode(source)
        for row in range(len(source)):
            answer = []
            for _ in range(max_len):
                scores = model.decode(torch.tensor([[bos_id, *answer]]), memory[row : row + 1], source[row : row + 1])[0, len(answer)]
                answer.append(max(range(len(scores)), key=lambda i: float(scores[i])))
                if answer[-1] == eos_id:
                    break
            rows.append(answer)
    model.train(was)
    width = max(len(answer) for answer in rows)
    return torch.tensor([answer + [0] * (width - len(answer)) for answer in rows])

@truth
def by_prefix_search(model, source, max_len, bos_id=1, eos_id=2):
    """A growing list of (done, prefix) pairs, stepped in double precision; no masking."""
    was = model.training
    model.eval()
    with torch.no_grad():
        memory = model.encode(source)
        states = [(False, [bos_id]) for _ in source]
        for _ in range(max_len):
            longest = max(len(prefix) for _, prefix in states)
            padded = torch.tensor([prefix + [0] * (longest - len(prefix)) for _, prefix in states])
            if all(done for done, _ in states):
                break
            logits = model.decode(padded, memory, source).double().numpy()
            states = [(done, prefix) if done else (int(logits[r, len(prefix) - 1].argmax()) == eos_id, [*prefix, int(logits[r, len(prefix) - 1].argmax())]) for r, (done, prefix) in enumerate(states)]
    model.train(was)
    width = max(len(prefix) for _, prefix in states) - 1
    return torch.tensor([prefix[1:] + [0] * (width + 1 - len(prefix)) for _, prefix in states])
