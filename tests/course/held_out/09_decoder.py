# %% before
import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder import use_part

MultiHeadAttention, TransformerEmbedding = use_part("MultiHeadAttention"), use_part("TransformerEmbedding")
padding_mask, decoder_mask, causal_mask = use_part("padding_mask"), use_part("decoder_mask"), use_part("causal_mask")
LayerNorm, FeedForward, Encoder = use_part("LayerNorm"), use_part("FeedForward"), use_part("Encoder")
shift_right, DecoderBlock, Decoder = use_part("shift_right"), use_part("DecoderBlock"), use_part("Decoder")


class BlockStart(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0, norm_first=False) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads)
        self.cross_attention = MultiHeadAttention(d_model, num_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1, self.norm2, self.norm3 = LayerNorm(d_model), LayerNorm(d_model), LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first


class StackStart(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.0, norm_first=False) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers))
        self.norm = LayerNorm(d_model) if norm_first else None


class ModelStart(nn.Module):
    """The starter, with the line that ties as a method of its own, and the methods that a piece does not get wrong."""

    def __init__(
        self, source_vocab, target_vocab, d_model=128, num_heads=4, num_layers=2, d_ff=512, dropout=0.1, max_len=256,
        norm_first=False, tie_weights=True,
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
            self.tie()

    def tie(self):
        self.output.weight = self.target_embedding.embedding.weight

    def encode(self, source):
        embedded = self.dropout(self.source_embedding(source))
        return self.encoder(embedded, padding_mask(source))

    def decode(self, target, encoder_output, source):
        embedded = self.dropout(self.target_embedding(target))
        states = self.decoder(embedded, encoder_output, decoder_mask(target), padding_mask(source))
        return self.output(states)

    def forward(self, source, target):
        memory = self.encode(source)
        return self.decode(target, memory, source)

# %% shift_right wrong [shifted-left-bos] · the column on the other side
def shift_right(ids, bos_id=1):
    out = ids.new_empty(ids.shape)
    out[:, -1] = bos_id
    out[:, :-1] = ids[:, 1:]
    return out

# %% shift_right wrong [keeps-last] · one place longer
def shift_right(ids, bos_id=1):
    return F.pad(ids, (1, 0), "constant", bos_id)

# %% shift_right wrong [rolled] · what falls off comes back
def shift_right(ids, bos_id=1):
    rows = [[row[-1], *row[:-1]] for row in ids.tolist()]
    return torch.tensor(rows)

# %% shift_right wrong [in-place] · one assignment after the other into the argument
def shift_right(ids, bos_id=1):
    for place in reversed(range(1, ids.size(1))):
        ids[:, place] = ids[:, place - 1]
    ids[:, 0].fill_(bos_id)
    return ids

# %% shift_right wrong · BOS is always 1
def shift_right(ids, bos_id=1):
    return torch.cat((torch.ones(ids.shape[0], 1, dtype=ids.dtype), ids[:, : ids.shape[1] - 1]), dim=1)

# %% shift_right wrong [floats] · zeros without a type
def shift_right(ids, bos_id=1):
    out = torch.zeros(ids.shape)
    out[:, 1:] = ids[:, :-1]
    out[:, 0] = bos_id
    return out

# %% shift_right wrong [eos-dropped] · the end of the sentence becomes padding
def shift_right(ids, bos_id=1):
    out = torch.full_like(ids, bos_id)
    for b, row in enumerate(ids):
        for t, token in enumerate(row[:-1].tolist()):
            out[b, t + 1] = 0 if token == 2 else token
    return out

# %% shift_right wrong [overwritten] · BOS in the first token's place
def shift_right(ids, bos_id=1):
    return ids.clone().index_fill_(1, torch.tensor([0]), bos_id)

# %% shift_right wrong · only real tokens move, the padding's length stays
def shift_right(ids, bos_id=1):
    out = ids.clone()
    for row, given in zip(out, ids):
        length = int((given != 0).sum())
        row[1:length] = given[: length - 1]
        row[0] = bos_id
    return out

# %% shift_right right · an outer frame of BOS, cut
def shift_right(ids, bos_id=1):
    batch, seq = ids.shape
    frame = torch.full((batch, seq + 1), bos_id, dtype=ids.dtype, device=ids.device)
    frame[:, 1:] = ids
    return frame[:, :seq]

# %% shift_right right · by gather
def shift_right(ids, bos_id=1):
    place = torch.arange(ids.shape[1]).expand_as(ids)
    before = ids.gather(1, (place - 1).clamp(min=0))
    return torch.where(place == 0, torch.tensor(bos_id), before)

# %% shift_right right · a matrix of integers
def shift_right(ids, bos_id=1):
    step = torch.eye(ids.shape[1] + 1, dtype=ids.dtype)[1:, :-1]
    moved = ids @ step
    return moved + F.one_hot(torch.zeros(len(ids), dtype=torch.long), ids.shape[1]) * bos_id

# %% shift_right right · column by column
def shift_right(ids, bos_id=1):
    columns = list(ids.unbind(1))
    columns.insert(0, torch.full_like(columns[0], bos_id))
    columns.pop()
    return torch.stack(columns, dim=-1)

# %% DecoderBlock wrong [no-target-mask] · a mask for one attention only
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        layers = [
            (self.norm1, lambda y: self.self_attention(y, y, y)[0]),
            (self.norm2, lambda y: self.cross_attention(y, encoder_output, encoder_output, source_mask)[0]),
            (self.norm3, self.feed_forward),
        ]
        for norm, layer in layers:
            x = x + self.dropout(layer(norm(x))) if self.norm_first else norm(x + self.dropout(layer(x)))
        return x

# %% DecoderBlock wrong [masks-in-another-order] · the masks in another order in the first line
class DecoderBlock(BlockStart):
    def _attend(self, layer, query, key, mask):
        return self.dropout(layer(query, key, key, mask=mask)[0])

    def forward(self, x, encoder_output, source_mask=None, target_mask=None):
        if self.norm_first:
            y = self.norm1(x)
            x = x + self._attend(self.self_attention, y, y, target_mask)
            x = x + self._attend(self.cross_attention, self.norm2(x), encoder_output, source_mask)
            return x + self.dropout(self.feed_forward(self.norm3(x)))
        x = self.norm1(x + self._attend(self.self_attention, x, x, target_mask))
        x = self.norm2(x + self._attend(self.cross_attention, x, encoder_output, source_mask))
        return self.norm3(x + self.dropout(self.feed_forward(x)))

# %% DecoderBlock wrong [cross-turned] · the queries from the encoder
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        def sub(x, norm, layer):
            return x + self.dropout(layer(norm(x))) if self.norm_first else norm(x + self.dropout(layer(x)))

        x = sub(x, self.norm1, lambda y: self.self_attention(y, y, y, target_mask)[0])
        x = sub(x, self.norm2, lambda y: self.cross_attention(query=encoder_output, key=y, value=y)[0])
        return sub(x, self.norm3, self.feed_forward)

# %% DecoderBlock wrong [memory-normed-pre] · norms the encoder's output as well
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        pre, memory = self.norm_first, encoder_output
        n = self.norm1(x) if pre else x
        x = x + self.dropout(self.self_attention(n, n, n, target_mask)[0])
        x = x if pre else self.norm1(x)
        if pre:
            n, memory = self.norm2(x), self.norm2(encoder_output)
        else:
            n = x
        x = x + self.dropout(self.cross_attention(n, memory, memory, source_mask)[0])
        x = x if pre else self.norm2(x)
        x = x + self.dropout(self.feed_forward(self.norm3(x) if pre else x))
        return x if pre else self.norm3(x)

# %% DecoderBlock wrong [norm1-twice] · two norms for three sub-layers
class DecoderBlock(BlockStart):
    def around(self, x, layer, norm):
        return x + self.dropout(layer(norm(x))) if self.norm_first else norm(x + self.dropout(layer(x)))

    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        for attend, keys, mask in ((self.self_attention, None, target_mask), (self.cross_attention, encoder_output, source_mask)):
            x = self.around(x, lambda y: attend(y, y if keys is None else keys, y if keys is None else keys, mask)[0], self.norm1)
        return self.around(x, self.feed_forward, self.norm3)

# %% DecoderBlock wrong [always-post] · the paper's block alone
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        x = self.norm1(self.dropout(self.self_attention(*[x] * 3, target_mask)[0]) + x)
        x = self.norm2(self.dropout(self.cross_attention(x, *[encoder_output] * 2, source_mask)[0]) + x)
        return self.norm3(self.dropout(self.feed_forward(x)) + x)

# %% DecoderBlock wrong [residual-from-start] · one residual for all three
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        residual = x
        steps = (
            (self.norm1, lambda y: self.self_attention(y, y, y, target_mask)[0]),
            (self.norm2, lambda y: self.cross_attention(y, encoder_output, encoder_output, source_mask)[0]),
            (self.norm3, self.feed_forward),
        )
        for norm, step in steps:
            x = residual + self.dropout(step(norm(x))) if self.norm_first else norm(residual + self.dropout(step(x)))
        return x

# %% DecoderBlock wrong [residual-normed] · `x` is its own norm from the first line on
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        if not self.norm_first:
            x = self.norm1(x + self.dropout(self.self_attention(x, x, x, target_mask)[0]))
            x = self.norm2(x + self.dropout(self.cross_attention(x, encoder_output, encoder_output, source_mask)[0]))
            return self.norm3(x + self.dropout(self.feed_forward(x)))
        x = self.norm1(x)
        x = x + self.dropout(self.self_attention(x, x, x, target_mask)[0])
        x = self.norm2(x)
        x = x + self.dropout(self.cross_attention(x, encoder_output, encoder_output, source_mask)[0])
        x = self.norm3(x)
        return x + self.dropout(self.feed_forward(x))

# %% DecoderBlock wrong [cross-value-x] · key from the source, value from the target
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        before = (lambda n, y: n(y)) if self.norm_first else (lambda n, y: y)
        after = (lambda n, y: y) if self.norm_first else (lambda n, y: n(y))
        y = before(self.norm1, x)
        x = after(self.norm1, x + self.dropout(self.self_attention(y, y, y, target_mask)[0]))
        y = before(self.norm2, x)
        x = after(self.norm2, x + self.dropout(self.cross_attention(y, encoder_output, y, source_mask)[0]))
        return after(self.norm3, x + self.dropout(self.feed_forward(before(self.norm3, x))))

# %% DecoderBlock wrong [both-inverted] · masks as PyTorch's layer wants them
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        hide = [None if mask is None else mask == False for mask in (target_mask, source_mask)]  # noqa: E712
        def add(x, norm, layer):
            return x + self.dropout(layer(norm(x))) if self.norm_first else norm(x + self.dropout(layer(x)))
        x = add(x, self.norm1, lambda y: self.self_attention(y, y, y, hide[0])[0])
        x = add(x, self.norm2, lambda y: self.cross_attention(y, encoder_output, encoder_output, hide[1])[0])
        return add(x, self.norm3, self.feed_forward)

# %% DecoderBlock wrong [first-source-mask] · the source mask gets the target's shape, batch by batch
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        if source_mask is not None:
            source_mask = torch.broadcast_to(source_mask[0], source_mask.shape)
        for norm, layer in (
            (self.norm1, lambda y: self.self_attention(y, y, y, target_mask)[0]),
            (self.norm2, lambda y: self.cross_attention(y, encoder_output, encoder_output, source_mask)[0]),
            (self.norm3, self.feed_forward),
        ):
            x = x + self.dropout(layer(norm(x))) if self.norm_first else norm(x + self.dropout(layer(x)))
        return x

# %% DecoderBlock wrong · sums in place
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        y = self.norm1(x) if self.norm_first else x
        x += self.dropout(self.self_attention(y, y, y, target_mask)[0])
        x = x if self.norm_first else self.norm1(x)
        y = self.norm2(x) if self.norm_first else x
        x = x + self.dropout(self.cross_attention(y, encoder_output, encoder_output, source_mask)[0])
        x = x if self.norm_first else self.norm2(x)
        y = self.norm3(x) if self.norm_first else x
        x = x + self.dropout(self.feed_forward(y))
        return x if self.norm_first else self.norm3(x)

# %% DecoderBlock wrong [keeps-the-pair] · the pair goes on
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        def add(x, norm, layer):
            return x + self.dropout(layer(norm(x))) if self.norm_first else norm(x + self.dropout(layer(x)))
        x = add(x, self.norm1, lambda y: self.self_attention(y, y, y, target_mask))
        x = add(x, self.norm2, lambda y: self.cross_attention(y, encoder_output, encoder_output, source_mask))
        return add(x, self.norm3, self.feed_forward)

# %% DecoderBlock wrong [dropout-always-on] · a new dropout layer at each call
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        drop = nn.Dropout(self.dropout.p)
        for norm, layer in (
            (self.norm1, lambda y: self.self_attention(y, y, y, target_mask)[0]),
            (self.norm2, lambda y: self.cross_attention(y, encoder_output, encoder_output, source_mask)[0]),
            (self.norm3, self.feed_forward),
        ):
            x = x + drop(layer(norm(x))) if self.norm_first else norm(x + drop(layer(x)))
        return x

# %% DecoderBlock wrong [no-dropout] · dropout is forgotten
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        pre, m = self.norm_first, encoder_output
        for norm, layer in (
            (self.norm1, lambda y: self.self_attention(y, y, y, target_mask)[0]),
            (self.norm2, lambda y: self.cross_attention(y, m, m, source_mask)[0]),
            (self.norm3, self.feed_forward),
        ):
            x = layer(norm(x)) + x if pre else norm(layer(x) + x)
        return x

# %% DecoderBlock wrong [dropout-on-the-sum] · dropout over the residual as well
class DecoderBlock(BlockStart):
    def sub(self, x, norm, layer):
        if self.norm_first:
            return self.dropout(torch.add(layer(norm(x)), x))
        return norm(self.dropout(torch.add(layer(x), x)))

    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        x = self.sub(x, self.norm1, lambda y: self.self_attention(y, y, y, target_mask)[0])
        x = self.sub(x, self.norm2, lambda y: self.cross_attention(y, encoder_output, encoder_output, source_mask)[0])
        return self.sub(x, self.norm3, self.feed_forward)

# %% DecoderBlock wrong · dropout behind the norm
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        for norm, layer in (
            (self.norm1, lambda y: self.self_attention(y, y, y, target_mask)[0]),
            (self.norm2, lambda y: self.cross_attention(y, encoder_output, encoder_output, source_mask)[0]),
            (self.norm3, self.feed_forward),
        ):
            x = layer(self.dropout(norm(x))) + x if self.norm_first else self.dropout(norm(layer(x) + x))
        return x

# %% DecoderBlock wrong [no-cross] · the encoder block once more
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        pre = self.norm_first
        y = self.norm1(x) if pre else x
        x = x + self.dropout(self.self_attention(y, y, y, target_mask)[0])
        x = x if pre else self.norm1(x)
        x = x + self.dropout(self.feed_forward(self.norm3(x) if pre else x))
        return x if pre else self.norm3(x)

# %% DecoderBlock wrong [returns-none] · no return in either branch
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        for norm, layer in (
            (self.norm1, lambda y: self.self_attention(y, y, y, target_mask)[0]),
            (self.norm2, lambda y: self.cross_attention(y, encoder_output, encoder_output, source_mask)[0]),
            (self.norm3, self.feed_forward),
        ):
            x = x + self.dropout(layer(norm(x))) if self.norm_first else norm(x + self.dropout(layer(x)))

# %% DecoderBlock wrong · one mask for both, joined
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        both = torch.cat([x, encoder_output], dim=1)
        for norm, layer in (
            (self.norm1, lambda y: self.self_attention(y, y, y, target_mask)[0]),
            (self.norm2, lambda y: self.cross_attention(y, both, both)[0]),
            (self.norm3, self.feed_forward),
        ):
            x = x + self.dropout(layer(norm(x))) if self.norm_first else norm(x + self.dropout(layer(x)))
        return x

# %% DecoderBlock wrong [norm-on-both-sides] · an `if` without `else`: pre-norm, and then the norms once more
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        for norm, layer in (
            (self.norm1, lambda y: self.self_attention(y, y, y, target_mask)[0]),
            (self.norm2, lambda y: self.cross_attention(y, encoder_output, encoder_output, source_mask)[0]),
            (self.norm3, self.feed_forward),
        ):
            inner = norm(x) if self.norm_first else x
            x = norm(x + self.dropout(layer(inner)))
        return x

# %% DecoderBlock right · a fold over three halves
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        def add_and_norm(x, pair):
            norm, layer = pair
            before, after = (norm, nn.Identity()) if self.norm_first else (nn.Identity(), norm)
            return after(torch.add(x, self.dropout(layer(before(x)))))

        pairs = (
            (self.norm1, lambda y: self.self_attention(y, y, y, target_mask)[0]),
            (self.norm2, lambda y: self.cross_attention(y, encoder_output, encoder_output, source_mask)[0]),
            (self.norm3, self.feed_forward),
        )
        return functools.reduce(add_and_norm, pairs, x)

# %% DecoderBlock right · keywords only, memory under another name
class DecoderBlock(BlockStart):
    def forward(self, x: Tensor, memory: Tensor, target_mask: Tensor | None = None, source_mask: Tensor | None = None) -> Tensor:
        first = self.norm_first
        q = self.norm1(x=x) if first else x
        out, _ = self.self_attention(query=q, key=q, value=q, mask=target_mask)
        h = x + self.dropout(out)
        h = h if first else self.norm1(x=h)
        q = self.norm2(x=h) if first else h
        out, _ = self.cross_attention(query=q, key=memory, value=memory, mask=source_mask)
        g = h + self.dropout(out)
        g = g if first else self.norm2(x=g)
        out = self.dropout(self.feed_forward(x=self.norm3(x=g) if first else g))
        return g + out if first else self.norm3(x=g + out)

# %% DecoderBlock right · full masks in place of none
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        b, t, s, h = len(x), x.shape[1], encoder_output.shape[1], self.self_attention.num_heads
        everything = torch.ones((), dtype=torch.bool)
        own = (everything if target_mask is None else target_mask).expand(b, h, t, t)
        other = (everything if source_mask is None else source_mask).expand(b, h, t, s)
        for norm, layer in (
            (self.norm1, lambda y: self.self_attention(y, y, y, own)[0]),
            (self.norm2, lambda y: self.cross_attention(y, encoder_output, encoder_output, other)[0]),
            (self.norm3, self.feed_forward),
        ):
            x = x + self.dropout(layer(norm(x))) if self.norm_first else norm(x + self.dropout(layer(x)))
        return x

# %% DecoderBlock right · in place, on what it has made itself
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        norms = iter([self.norm1, self.norm2, self.norm3])
        for layer, keys, mask in ((self.self_attention, None, target_mask), (self.cross_attention, encoder_output, source_mask), (None, None, None)):
            norm = next(norms)
            y = norm(x) if self.norm_first else x
            new = self.feed_forward(y) if layer is None else layer(y, y if keys is None else keys, y if keys is None else keys, mask)[0]
            new = self.dropout(new).clone()
            new += x
            x = new if self.norm_first else norm(new)
        return x

# %% DecoderBlock right · its own __init__, PyTorch's norms
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        for k in (3, 2, 1):
            setattr(self, f"norm{k}", nn.LayerNorm(d_model))
        self.feed_forward = FeedForward(d_model, d_ff)
        self.cross_attention, self.self_attention = MultiHeadAttention(d_model, num_heads), MultiHeadAttention(d_model, num_heads)
        self.drops = nn.ModuleList(nn.Dropout(dropout) for _ in range(3))
        self.step = self.pre if norm_first else self.post

    def pre(self, x, norm, drop, layer):
        return x + drop(layer(norm(x)))

    def post(self, x, norm, drop, layer):
        return norm(x + drop(layer(x)))

    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        x = self.step(x, self.norm1, self.drops[0], lambda y: self.self_attention(y, y, y, target_mask)[0])
        x = self.step(x, self.norm2, self.drops[1], lambda y: self.cross_attention(y, encoder_output, encoder_output, source_mask)[0])
        return self.step(x, self.norm3, self.drops[2], self.feed_forward)

# %% DecoderBlock right · functional dropout that is told the mode
class DecoderBlock(BlockStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        drop = functools.partial(F.dropout, p=self.dropout.p, training=self.training)
        m = encoder_output
        if self.norm_first:
            n1 = self.norm1(x)
            x = x + drop(self.self_attention(n1, n1, n1, target_mask)[0])
            x = x + drop(self.cross_attention(self.norm2(x), m, m, source_mask)[0])
            x = x + drop(self.feed_forward(self.norm3(x)))
        else:
            x = self.norm1(x + drop(self.self_attention(x, x, x, target_mask)[0]))
            x = self.norm2(x + drop(self.cross_attention(x, m, m, source_mask)[0]))
            x = self.norm3(x + drop(self.feed_forward(x)))
        return x

# %% Decoder wrong [no-final-norm] · an index loop
class Decoder(StackStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        for i in range(len(self.blocks)):
            x = self.blocks[i](x, encoder_output, target_mask, source_mask)
        return x

# %% Decoder wrong [no-source-mask] · one mask is forgotten
class Decoder(StackStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        x = functools.reduce(lambda y, block: block(y, encoder_output, target_mask), self.blocks, x)
        return self.norm(x) if self.norm is not None else x

# %% Decoder wrong [memory-renewed] · the memory goes along
class Decoder(StackStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        state = (x, encoder_output)
        for block in self.blocks:
            out = block(*state, target_mask, source_mask)
            state = (out, out)
        return state[0] if self.norm is None else self.norm(state[0])

# %% Decoder wrong [masks-swapped] · keywords crossed
class Decoder(StackStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        masks = dict(target_mask=source_mask, source_mask=target_mask)
        for block in self.blocks:
            x = block(x, encoder_output, **masks)
        return self.norm(x) if self.norm else x

# %% Decoder wrong [first-only] · return inside the loop
class Decoder(StackStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        for block in self.blocks:
            x = block(x, encoder_output, target_mask, source_mask)
            if self.norm is not None:
                x = self.norm(x)
            return x

# %% Decoder wrong [last-only] · the loop writes into another variable
class Decoder(StackStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        for block in self.blocks:
            decoded = block(x, encoder_output, target_mask, source_mask)
        return decoded if self.norm is None else self.norm(decoded)

# %% Decoder wrong [norm-each] · the last norm stands in the loop
class Decoder(StackStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        last = self.norm or nn.Identity()
        for block in self.blocks:
            x = last(block(x, encoder_output, target_mask, source_mask))
        return x

# %% Decoder wrong · encoder output first
class Decoder(StackStart):
    def forward(self, encoder_output, x, target_mask=None, source_mask=None):
        for block in self.blocks:
            x = block(x, encoder_output, target_mask, source_mask)
        return x if self.norm is None else self.norm(x)

# %% Decoder wrong · each block looks at its own layer of the memory
class Decoder(StackStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        for k, block in enumerate(self.blocks):
            x = block(x, encoder_output[:, k:], target_mask, None if source_mask is None else source_mask[..., k:])
        return x if self.norm is None else self.norm(x)

# %% Decoder wrong [norm-none-called] · calls the norm in any case
class Decoder(StackStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        for block in list(self.blocks):
            x = block(x, encoder_output, target_mask, source_mask)
        out = self.norm(x)
        return out

# %% Decoder wrong [plain-list] · the blocks are made when they are needed
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        self.make = lambda: DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first)
        self.num_layers = num_layers
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        for _ in range(self.num_layers):
            x = self.make()(x, encoder_output, target_mask, source_mask)
        return x if self.norm is None else self.norm(x)

# %% Decoder wrong [shared-blocks] · one block, appended again and again
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        block = DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first)
        self.blocks = nn.ModuleList()
        for _ in range(num_layers):
            self.blocks.append(block)
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        for block in self.blocks:
            x = block(x, encoder_output, target_mask, source_mask)
        return x if self.norm is None else self.norm(x)

# %% Decoder wrong [list] · all the layers' outputs
class Decoder(StackStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        states = [x]
        for block in self.blocks:
            states.append(block(states[-1], encoder_output, target_mask, source_mask))
        return states[1:]

# %% Decoder right · from the last block backwards
class Decoder(StackStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        def out_of(k):
            return self.blocks[k](out_of(k - 1) if k else x, encoder_output, target_mask, source_mask)

        y = out_of(len(self.blocks) - 1)
        return self.norm(y) if self.norm else y

# %% Decoder right · partial functions in a row
class Decoder(StackStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        more = dict(encoder_output=encoder_output, target_mask=target_mask, source_mask=source_mask)
        steps = [functools.partial(block, **more) for block in self.blocks]
        for step in steps + [self.norm] * (self.norm is not None):
            x = step(x)
        return x

# %% Decoder right · an Identity for no norm
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        self.blocks = nn.ModuleList([DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)])
        self.norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()

    def forward(self, x, memory, target_mask=None, source_mask=None):
        layers = iter(self.blocks)
        while (layer := next(layers, None)) is not None:
            x = layer(x, memory, target_mask, source_mask)
        return self.norm(x)

# %% Decoder right · wider masks
class Decoder(StackStart):
    def forward(self, x, encoder_output, target_mask=None, source_mask=None):
        if target_mask is not None:
            target_mask = target_mask.expand(len(x), 1, x.shape[1], x.shape[1])
        if source_mask is not None:
            source_mask = source_mask.expand(len(x), 1, x.shape[1], encoder_output.shape[1])
        for block in self.blocks.children():
            x = block(x, encoder_output, target_mask, source_mask)
        return x if self.norm is None else self.norm(x)

# %% Transformer wrong [encoder-padding-rows] · the encoder's mask lies along the queries
class Transformer(ModelStart):
    def encode(self, source):
        real = source.ne(0)
        return self.encoder(self.dropout(self.source_embedding(source)), real.unsqueeze(1).unsqueeze(-1))

# %% Transformer wrong · the cross-attention's mask has lost an axis
class Transformer(ModelStart):
    def decode(self, target, encoder_output, source):
        x = self.dropout(self.target_embedding(target))
        real = source.not_equal(0).unsqueeze(1)
        return self.output(self.decoder(x, encoder_output, decoder_mask(target), real))

# %% Transformer wrong [self-padding-rows] · the target's padding silences queries
class Transformer(ModelStart):
    def decode(self, target, encoder_output, source):
        n = target.size(1)
        past = torch.tensor([[key <= query for key in range(n)] for query in range(n)])
        own = past & (target > 0).reshape(len(target), 1, n, 1)
        return self.output(self.decoder(self.dropout(self.target_embedding(target)), encoder_output, own, padding_mask(source)))

# %% Transformer wrong [no-encoder-mask] · padding is taken for 1 in the encoder
class Transformer(ModelStart):
    PAD = 1

    def encode(self, source):
        return self.encoder(self.dropout(self.source_embedding(source)), (source != self.PAD)[:, None, None])

# %% Transformer wrong [no-padding-masks] · padding is taken for -100 everywhere
class Transformer(ModelStart):
    def encode(self, source):
        return self.encoder(self.dropout(self.source_embedding(source)), padding_mask(source, pad_id=-100))

    def decode(self, target, encoder_output, source):
        masks = decoder_mask(target, pad_id=-100), padding_mask(source, pad_id=-100)
        return self.output(self.decoder(self.dropout(self.target_embedding(target)), encoder_output, *masks))

# %% Transformer wrong [encoder-hides-eos] · padding is taken for EOS in the encoder
class Transformer(ModelStart):
    def encode(self, source):
        mask = torch.stack([row != 2 for row in source]).view(len(source), 1, 1, -1)
        return self.encoder(self.dropout(self.source_embedding(source)), mask)

# %% Transformer wrong [cross-hides-eos] · padding is taken for EOS in the cross-attention
class Transformer(ModelStart):
    def decode(self, target, encoder_output, source):
        x = self.dropout(self.target_embedding(target))
        x = self.decoder(x, encoder_output, decoder_mask(target), source_mask=padding_mask(source, 2))
        return self.output(x)

# %% Transformer wrong [self-hides-bos] · the target's mask hides BOS
class Transformer(ModelStart):
    def decode(self, target, encoder_output, source):
        own = torch.logical_and(causal_mask(target.shape[1]), padding_mask(target, pad_id=1))
        return self.output(self.decoder(self.dropout(self.target_embedding(target)), encoder_output, own, padding_mask(source)))

# %% Transformer wrong [self-mask-turned] · the upper triangle
class Transformer(ModelStart):
    def decode(self, target, encoder_output, source):
        n = target.shape[1]
        own = torch.triu(torch.ones(n, n)).bool() & padding_mask(target)
        return self.output(self.decoder(self.dropout(self.target_embedding(target)), encoder_output, own, padding_mask(source)))

# %% Transformer wrong [first-source-padding] · the first sentence's padding for all
class Transformer(ModelStart):
    def encode(self, source):
        return self.encoder(self.dropout(self.source_embedding(source)), padding_mask(source)[:1])

    def decode(self, target, encoder_output, source):
        x = self.decoder(self.dropout(self.target_embedding(target)), encoder_output, decoder_mask(target), padding_mask(source)[:1])
        return self.output(x)

# %% Transformer wrong [cross-mask-target] · the padding on the wrong side of the bridge
class Transformer(ModelStart):
    def decode(self, target, encoder_output, source):
        real = {"own": decoder_mask(target), "other": padding_mask(target)}
        x = self.dropout(self.target_embedding(target))
        return self.output(self.decoder(x, encoder_output, real["own"], real["other"]))

# %% Transformer wrong [no-cross-mask] · the source's padding, looked for in the encoder's output
class Transformer(ModelStart):
    def decode(self, target, encoder_output, source):
        real = (encoder_output.abs().sum(-1) > 0)[:, None, None, :]
        return self.output(self.decoder(self.dropout(self.target_embedding(target)), encoder_output, decoder_mask(target), real))

# %% Transformer wrong [not-scaled] · table and positions by hand, without the factor
class Transformer(ModelStart):
    def embed(self, table, ids):
        return self.dropout(table.embedding(ids) + use_part("sinusoidal_positions")(ids.shape[1], table.embedding.embedding_dim))

    def encode(self, source):
        return self.encoder(self.embed(self.source_embedding, source), padding_mask(source))

    def decode(self, target, encoder_output, source):
        x = self.embed(self.target_embedding, target)
        return self.output(self.decoder(x, encoder_output, decoder_mask(target), padding_mask(source)))

# %% Transformer wrong [dropout-always-on] · functional dropout on the embedded ids
class Transformer(ModelStart):
    def encode(self, source):
        return self.encoder(F.dropout(self.source_embedding(source), self.dropout.p), padding_mask(source))

    def decode(self, target, encoder_output, source):
        x = F.dropout(self.target_embedding(target), self.dropout.p)
        return self.output(self.decoder(x, encoder_output, decoder_mask(target), padding_mask(source)))

# %% Transformer wrong [no-dropout] · dropout is left to the blocks
class Transformer(ModelStart):
    def encode(self, source):
        return self.encoder(self.source_embedding.forward(source), padding_mask(source))

    def decode(self, target, encoder_output, source):
        x = self.target_embedding.forward(target)
        return self.output(self.decoder(x, encoder_output, decoder_mask(target), padding_mask(source)))

# %% Transformer wrong [dropout-always-on-the-logits] · functional dropout on the logits
class Transformer(ModelStart):
    def decode(self, target, encoder_output, source):
        logits = super().decode(target, encoder_output, source)
        return F.dropout(logits, self.dropout.p)

# %% Transformer wrong [not-tied] · ties nothing
class Transformer(ModelStart):
    def tie(self):
        shared = self.target_embedding.embedding.weight
        assert shared.shape == self.output.weight.shape

# %% Transformer wrong [tied-data] · a new parameter over the same numbers
class Transformer(ModelStart):
    def tie(self):
        self.output.weight = nn.Parameter(self.target_embedding.embedding.weight)

# %% Transformer wrong [tied-data] · ties the data
class Transformer(ModelStart):
    def tie(self):
        self.output.weight.data = self.target_embedding.embedding.weight.data

# %% Transformer wrong [encoder-no-final-norm] · the encoder's blocks without its last norm
class Transformer(ModelStart):
    def encode(self, source):
        x, mask = self.dropout(self.source_embedding(source)), padding_mask(source)
        for block in self.encoder.blocks:
            x = block(x, mask)
        return x

# %% Transformer wrong [decoder-no-final-norm] · the decoder's blocks without its last norm
class Transformer(ModelStart):
    def decode(self, target, encoder_output, source):
        x = self.dropout(self.target_embedding(target))
        for block in self.decoder.blocks:
            x = block(x, encoder_output, decoder_mask(target), padding_mask(source))
        return self.output(x)

# %% Transformer wrong [encodes-in-decode] · does not trust its argument
class Transformer(ModelStart):
    def decode(self, target, encoder_output, source):
        memory = self.encode(source)
        x = self.dropout(self.target_embedding(target))
        return self.output(self.decoder(x, memory, decoder_mask(target), padding_mask(source)))

# %% Transformer wrong [softmax] · probabilities from forward alone
class Transformer(ModelStart):
    def forward(self, source, target):
        return torch.softmax(super().forward(source, target), dim=-1)

# %% Transformer wrong [shifts-again] · shifts in forward
class Transformer(ModelStart):
    def forward(self, source, target):
        read = torch.cat([torch.ones_like(target[:, :1]), target[:, :-1]], dim=1)
        return self.decode(read, self.encode(source), source)

# %% Transformer wrong [drops-last] · drops the last token in forward
class Transformer(ModelStart):
    def forward(self, source, target):
        memory = self.encode(source)
        return self.decode(target.narrow(1, 0, target.size(1) - 1), memory, source)

# %% Transformer wrong [memory-detached] · encodes without gradients
class Transformer(ModelStart):
    @torch.no_grad()
    def encode(self, source):
        return super().encode(source)

# %% Transformer wrong [no-bias] · the table as a matrix
class Transformer(ModelStart):
    def decode(self, target, encoder_output, source):
        x = self.decoder(self.dropout(self.target_embedding(target)), encoder_output, decoder_mask(target), padding_mask(source))
        return torch.einsum("btd,vd->btv", x, self.output.weight)

# %% Transformer wrong [always-the-table] · always the embedding's table
class Transformer(ModelStart):
    def decode(self, target, encoder_output, source):
        x = self.decoder(self.dropout(self.target_embedding(target)), encoder_output, decoder_mask(target), padding_mask(source))
        return x @ self.target_embedding.embedding.weight.T + self.output.bias

# %% Transformer wrong [causal-encoder] · one mask for every sentence
class Transformer(ModelStart):
    def mask(self, ids):
        n = ids.shape[1]
        return torch.ones(n, n, dtype=torch.bool).tril() & (ids != 0)[:, None, None, :]

    def encode(self, source):
        return self.encoder(self.dropout(self.source_embedding(source)), self.mask(source))

# %% Transformer wrong [no-source-padding] · masks for the target alone
class Transformer(ModelStart):
    def encode(self, source):
        return self.encoder(self.dropout(self.source_embedding(source)))

    def decode(self, target, encoder_output, source):
        x = self.dropout(self.target_embedding(target))
        return self.output(self.decoder(x, encoder_output, target_mask=decoder_mask(target)))

# %% Transformer right · masks written out, the head as a product
class Transformer(ModelStart):
    def encode(self, source):
        return self.encoder(self.dropout(self.source_embedding(source)), source.ne(0)[:, None, None])

    def decode(self, target, encoder_output, source):
        n = torch.arange(target.size(1))
        own = (n <= n[:, None]) & target.bool().view(len(target), 1, 1, -1)
        x = self.decoder(self.dropout(self.target_embedding(target)), encoder_output, own, source.bool()[:, None, None])
        return torch.baddbmm(self.output.bias, x, self.output.weight.T.expand(len(x), -1, -1))

# %% Transformer right · ties by register_parameter
class Transformer(ModelStart):
    def tie(self):
        del self.output.weight
        self.output.register_parameter("weight", self.target_embedding.embedding.weight)

# %% Transformer right · the embedding takes the output layer's weight
class Transformer(ModelStart):
    def tie(self):
        self.target_embedding.embedding.weight = self.output.weight

# %% Transformer right · all in forward, block by block
class Transformer(ModelStart):
    def forward(self, source, target):
        real, own = padding_mask(source), decoder_mask(target)
        m, x = self.dropout(self.source_embedding(source)), self.dropout(self.target_embedding(target))
        for block in self.encoder.blocks:
            m = block(m, real)
        m = m if self.encoder.norm is None else self.encoder.norm(m)
        for block in self.decoder.blocks:
            x = block(x, m, own, real)
        return self.output(x if self.decoder.norm is None else self.decoder.norm(x))

# %% Transformer right · embeds by hand, as the embedding does
class Transformer(ModelStart):
    def embed(self, table, ids):
        d = table.embedding.embedding_dim
        return F.embedding(ids, table.embedding.weight) * math.sqrt(d) + table.positions[: ids.shape[1]]

    def encode(self, source):
        x = F.dropout(self.embed(self.source_embedding, source), self.dropout.p, self.training)
        return self.encoder(x, padding_mask(source))

    def decode(self, target, encoder_output, source):
        x = F.dropout(self.embed(self.target_embedding, target), self.dropout.p, self.training)
        return self.output(self.decoder(x, encoder_output, decoder_mask(target), padding_mask(source)))

# %% Transformer right · its own __init__, in another order
class Transformer(nn.Module):
    def __init__(self, source_vocab, target_vocab, d_model=128, num_heads=4, num_layers=2, d_ff=512, dropout=0.1, max_len=256, norm_first=False, tie_weights=True):
        super().__init__()
        sizes = (num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.output = nn.Linear(d_model, target_vocab)
        self.decoder, self.encoder = Decoder(*sizes), Encoder(*sizes)
        self.target_embedding = TransformerEmbedding(target_vocab, d_model, max_len)
        self.source_embedding = TransformerEmbedding(source_vocab, d_model, max_len)
        self.drop_source, self.drop_target = nn.Dropout(dropout), nn.Dropout(dropout)
        if tie_weights:
            self.output.weight = self.target_embedding.embedding.weight

    def encode(self, source: Tensor) -> Tensor:
        return self.encoder(x=self.drop_source(self.source_embedding(source)), mask=padding_mask(source))

    def decode(self, target: Tensor, encoder_output: Tensor, source: Tensor) -> Tensor:
        return self.output(self.decoder(self.drop_target(self.target_embedding(target)), encoder_output, target_mask=decoder_mask(target), source_mask=padding_mask(source)))

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return self.decode(target=target, encoder_output=self.encode(source=source), source=source)

# %% greedy_decode wrong [junk-behind-eos] · lets all sentences go on
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    mode = model.training
    model.eval()
    memory, written = model.encode(source), torch.full((source.size(0), 1), bos_id)
    while written.size(1) <= max_len and not (written[:, 1:] == eos_id).any(1).all():
        token = model.decode(written, memory, source)[:, -1].argmax(-1, keepdim=True)
        written = torch.hstack([written, token])
    model.train(mode)
    return written[:, 1:]

# %% greedy_decode wrong [encodes_once] · re-reads the source at each step, through the whole model
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    mode = model.training
    model.eval()
    columns, open_ = [torch.full((len(source),), bos_id)], torch.ones(len(source), dtype=torch.bool)
    while open_.any() and len(columns) <= max_len:
        best = model.forward(source, torch.stack(columns, 1))[:, -1].argmax(-1)
        columns.append(best * open_)
        open_ = open_ & (best != eos_id)
    model.train(mode)
    return torch.stack(columns[1:], 1)

# %% greedy_decode wrong [left-in-eval] · forgets the mode
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    model.eval()
    memory = model.encode(source)
    table, done = torch.zeros(len(source), max_len + 1, dtype=torch.long), torch.zeros(len(source), dtype=torch.bool)
    table[:, 0] = bos_id
    for t in range(max_len):
        best = model.decode(table[:, : t + 1], memory, source)[:, t].argmax(1)
        table[~done, t + 1] = best[~done]
        done = done | (best == eos_id)
        if done.all():
            break
    return table[:, 1 : t + 2]

# %% greedy_decode wrong [no-eval] · decodes as it comes
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    memory = model.encode(source)
    rows = [[bos_id] for _ in source]
    for _ in range(max_len):
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        logits = model.decode(ids, memory, source)
        for b, row in enumerate(rows):
            if eos_id not in row[1:]:
                row.append(int(logits[b, len(row) - 1].argmax()))
    width = max(map(len, rows))
    return torch.tensor([row[1:] + [0] * (width - len(row)) for row in rows])

# %% greedy_decode wrong [keeps-bos] · returns the whole table
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    was = model.training
    model.train(False)
    memory, out = model.encode(source), source.new_full((len(source), 1), bos_id)
    done = out[:, 0] != bos_id
    for _ in range(max_len):
        new = model.decode(out, memory, source).select(1, -1).max(-1).indices
        new = torch.where(done, 0, new)
        out = torch.cat([out, new.unsqueeze(1)], 1)
        done |= new == eos_id
        if bool(done.all()):
            break
    model.train(was)
    return out

# %% greedy_decode wrong [stops-at-first-eos] · any in the place of all
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    was, _ = model.training, model.eval()
    memory, out = model.encode(source), source.new_full((len(source), 1), bos_id)
    steps = 0
    while steps < max_len and not (out == eos_id).any():
        out = torch.cat([out, model.decode(out, memory, source)[:, -1].argmax(-1)[:, None]], 1)
        steps += 1
    model.train(was)
    return out[:, 1:]

# %% greedy_decode wrong [one-fewer] · BOS counts towards max_len
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    was = model.training
    model.eval()
    memory, out = model.encode(source), torch.full((len(source), 1), bos_id)
    while out.shape[1] < max_len:
        best = model.decode(out, memory, source)[:, -1].argmax(-1)
        best[(out[:, 1:] == eos_id).any(1)] = 0
        out = torch.cat([out, best[:, None]], 1)
        if (out[:, 1:] == eos_id).any(1).all():
            break
    model.train(was)
    return out[:, 1:]

# %% greedy_decode wrong [feeds-last-only] · the last token alone goes in
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    was = model.training
    model.eval()
    memory, token, result = model.encode(source), torch.full((len(source), 1), bos_id), []
    ended = torch.zeros(len(source), 1, dtype=torch.bool)
    for _ in range(max_len):
        token = model.decode(token, memory, source)[:, -1:].argmax(-1)
        result.append(token.masked_fill(ended, 0))
        ended |= token == eos_id
        if ended.all():
            break
    model.train(was)
    return torch.cat(result, 1)

# %% greedy_decode wrong [eos-2] · EOS is always 2
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    was = model.training
    model.eval()
    memory, out, alive = model.encode(source), torch.full((len(source), 1), bos_id), torch.ones(len(source)).long()
    for _ in range(max_len):
        new = model.decode(out, memory, source)[:, -1].argmax(-1) * alive
        alive = alive * (new != 2)
        out = torch.cat([out, new[:, None]], 1)
        if not alive.any():
            break
    model.train(was)
    return out[:, 1:]

# %% greedy_decode wrong [same_twice] · draws the next token
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    was = model.training
    model.eval()
    memory, out, done = model.encode(source), torch.full((len(source), 1), bos_id), torch.zeros(len(source)).bool()
    for _ in range(max_len):
        new = torch.distributions.Categorical(logits=model.decode(out, memory, source)[:, -1]).sample()
        new = new.masked_fill(done, 0)
        done |= new == eos_id
        out = torch.cat([out, new[:, None]], 1)
        if done.all():
            break
    model.train(was)
    return out[:, 1:]

# %% greedy_decode wrong [mean-over-places] · the best token of all places together
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    was = model.training
    model.eval()
    memory, out, done = model.encode(source), torch.full((len(source), 1), bos_id), torch.zeros(len(source)).bool()
    for _ in range(max_len):
        logits = model.decode(out, memory, source)
        new = logits.sum(1).argmax(-1).masked_fill(done, 0)
        done |= new == eos_id
        out = torch.cat([out, new[:, None]], 1)
        if done.all():
            break
    model.train(was)
    return out[:, 1:]

# %% greedy_decode wrong · padding behind the first padding, not behind EOS
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    was = model.training
    model.eval()
    memory, out = model.encode(source), torch.full((len(source), 1), bos_id)
    for _ in range(max_len):
        new = model.decode(out, memory, source)[:, -1].argmax(-1)
        new = torch.where(new == eos_id, 0, new)
        out = torch.cat([out, new[:, None]], 1)
        if (out == 0).any(1).all():
            break
    model.train(was)
    return out[:, 1:]

# %% greedy_decode wrong [transposed] · a column for each sentence
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    was = model.training
    model.eval()
    memory, columns, done = model.encode(source), [torch.full((len(source),), bos_id)], torch.zeros(len(source)).bool()
    for _ in range(max_len):
        new = model.decode(torch.stack(columns, 1), memory, source)[:, -1].argmax(-1).masked_fill(done, 0)
        done |= new == eos_id
        columns.append(new)
        if done.all():
            break
    model.train(was)
    return torch.stack(columns[1:])

# %% greedy_decode wrong [list-cut] · sentences as strings of ids, in lists of their own length
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    was = model.training
    model.eval()
    answers = []
    for row in source:
        memory, ids = model.encode(row[None]), [bos_id]
        for _ in range(max_len):
            ids.append(model.decode(torch.tensor([ids]), memory, row[None])[0, -1].argmax().item())
            if ids[-1] == eos_id:
                break
        answers.append(ids[1:])
    model.train(was)
    return answers

# %% greedy_decode wrong · one encoder run for each sentence, but the padding of its source is cut off before EOS
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    was = model.training
    model.eval()
    answers = []
    for row in source:
        row = row[(row != 0) & (row != eos_id)][None]
        ids = torch.tensor([[bos_id]])
        if row.numel():
            memory = model.encode(row)
            while ids.shape[1] <= max_len and ids[0, -1] != eos_id:
                ids = torch.cat([ids, model.decode(ids, memory, row)[:, -1].argmax(-1, keepdim=True)], 1)
        answers.append(ids[0, 1:])
    model.train(was)
    return nn.utils.rnn.pad_sequence(answers, batch_first=True)

# %% greedy_decode wrong [decodes_in_eval_mode] · two at once
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    out, done = torch.full((len(source), 1), bos_id), torch.zeros(len(source)).bool()
    for _ in range(max_len):
        best = model(source, out).argmax(-1)[:, -1] * ~done
        out, done = torch.cat([out, best[:, None]], 1), done | (best == eos_id)
        if done.all():
            break
    return out[:, 1:]

# %% greedy_decode right · a table, and a set of open rows
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    was = model.training
    model.eval()
    memory = model.encode(source)
    table = source.new_zeros(len(source), max_len + 1)
    table[:, 0] = bos_id
    rows = set(range(len(source)))
    for t in range(max_len):
        best = model.decode(table[:, : t + 1], memory, source)[:, -1].argsort(-1, descending=True)[:, 0].tolist()
        for row in sorted(rows):
            table[row, t + 1] = best[row]
        rows = {row for row in rows if best[row] != eos_id}
        if not rows:
            break
    model.train(was)
    return table[:, 1:]

# %% greedy_decode right · recursion
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    def grow(ids, memory, left):
        ended = (ids[:, 1:] == eos_id).any(1)
        if left == 0 or ended.all():
            return ids
        best = torch.where(ended, 0, model.decode(ids, memory, source)[:, -1].argmax(-1))
        return grow(torch.cat([ids, best.reshape(-1, 1)], 1), memory, left - 1)

    mode = model.training
    try:
        model.eval()
        with torch.no_grad():
            start = torch.tensor([[bos_id]] * len(source))
            return grow(start, model.encode(source), max_len)[:, 1:]
    finally:
        model.train(mode)

# %% greedy_decode right · float64, by softmax, cut afterwards
@torch.inference_mode()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    mode = model.training
    model.eval()
    memory, ids = model.encode(source), torch.full_like(source[:, :1], bos_id)
    for _ in range(max_len):
        chances = model.decode(ids, memory, source)[:, -1].double().softmax(-1)
        ids = torch.cat([ids, chances.topk(1, dim=-1).indices], 1)
    model.train(mode)
    ids = ids[:, 1:].clone()
    for row in ids:
        ends = (row == eos_id).nonzero().flatten()
        if len(ends):
            row[ends[0] + 1 :] = 0
    return ids

# %% greedy_decode right · one sentence after the other
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    mode = model.training
    model.eval()
    memory, rows = model.encode(source), []
    for b in range(len(source)):
        ids = [bos_id]
        while len(ids) - 1 < max_len:
            logits = model.decode(torch.tensor([ids]), memory[b : b + 1], source[b : b + 1])
            ids.append(int(torch.max(logits[0, -1], 0)[1]))
            if ids[-1] == eos_id:
                break
        rows.append(torch.tensor(ids[1:]))
    model.train(mode)
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=0)

# %% greedy_decode right · the batch shrinks
@torch.no_grad()
def greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    mode = model.training
    model.eval()
    memory, result = model.encode(source), torch.zeros(len(source), max_len, dtype=source.dtype)
    open_, ids = torch.arange(len(source)), torch.full((len(source), 1), bos_id, dtype=source.dtype)
    for t in range(max_len):
        best = model.decode(ids, memory[open_], source[open_])[:, -1].argmax(-1)
        result[open_, t] = best
        goes_on = best != eos_id
        open_, ids = open_[goes_on], torch.cat([ids, best[:, None]], 1)[goes_on]
        if len(open_) == 0:
            break
    model.train(mode)
    return result
