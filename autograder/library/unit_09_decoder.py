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


def draws_at_random(x: Tensor, encoder_output: Tensor) -> Any:
    from autograder.library.common import draws_at_random

    return draws_at_random(x, encoder_output)


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


def decode_after_encode(target: Tensor, encoder_output: Tensor, source: Tensor) -> Any:
    """`encode`, and then `decode` with another encoder output than the one that came of it."""
    from autograder.formats.fixtures import Driver

    def drive(model: Any) -> Any:
        model.encode(source)
        return model.decode(target, encoder_output, source)

    return Driver(drive)


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
