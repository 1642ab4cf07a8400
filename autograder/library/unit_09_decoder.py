"""Library-backed parts of unit 09_decoder, built from the library blocks of its lesson. Edit those."""

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
