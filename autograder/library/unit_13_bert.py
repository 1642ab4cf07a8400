"""Library-backed parts of unit 13_bert, built from the library blocks of its lesson. Edit those."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.library.common import watched_generator
from autograder.library.unit_07_masking import padding_mask
from autograder.library.unit_08_encoder import Encoder, FeedForward, LayerNorm


def mask_tokens(
    ids: Tensor, vocab_size: int, mask_id: int, special_ids: Sequence[int], generator: torch.Generator,
    probability: float = 0.15,
) -> tuple[Tensor, Tensor]:
    """One multinomial draw for each token: left alone, masked, replaced, kept; and one for the ordinary id."""
    weights = torch.ones(vocab_size)
    weights[list(special_ids)] = 0.0
    fates = torch.tensor([1 - probability, 0.8 * probability, 0.1 * probability, 0.1 * probability])
    drawn = torch.multinomial(fates, ids.numel(), replacement=True, generator=generator).view(ids.shape).to(ids.device)
    fate = drawn * weights.to(ids.device)[ids].long()
    other = torch.multinomial(weights, ids.numel(), replacement=True, generator=generator).view(ids.shape).to(ids)
    corrupted = ids.masked_fill(fate == 1, mask_id)
    return corrupted.where(fate != 2, other), ids.masked_fill(fate == 0, -100)


def seeded_generator(seed: int) -> Any:
    """A generator, with a look at whether it is the one that was drawn from."""
    return watched_generator(seed)


def masked_lm_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """PyTorch's negative log-likelihood of the chosen places, added up; by their number, or by 1."""
    chosen = labels.ne(-100)
    picked = F.nll_loss(logits[chosen].log_softmax(-1), labels[chosen], reduction="sum")
    return picked.div(max(1, int(chosen.sum())))


class TokenEmbedding(nn.Module):
    """Three of PyTorch's lookups into one bag for each token: their sum; then its norm."""

    def __init__(self, vocab_size: int, d_model: int, max_len: int, num_segments: int = 2) -> None:
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(num_segments, d_model)
        self.norm = LayerNorm(d_model)
        for table in (self.token, self.position, self.segment):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        batch, seq = ids.shape
        tables = torch.cat([self.token.weight, self.position.weight, self.segment.weight])
        place = torch.arange(seq, device=ids.device).expand(batch, seq) + len(self.token.weight)
        beside = ids.new_zeros(batch, seq) if segments is None else segments
        bags = torch.stack([ids, place, beside + len(tables) - len(self.segment.weight)], dim=-1)
        summed: Tensor = self.norm(F.embedding_bag(bags.flatten(0, 1), tables, mode="sum").view(batch, seq, -1))
        return summed


class _GELUFeedForward(FeedForward):
    """The two linear layers with PyTorch's GELU between them."""

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.linear2(F.gelu(self.linear1(x)))
        return answer


class MaskedLanguageModel(nn.Module):
    """The library's parts, put together; the head's weight is registered as the token table's."""

    def __init__(
        self, vocab_size: int, d_model: int, num_heads: int, num_layers: int, d_ff: int, max_len: int, pad_id: int = 0
    ) -> None:
        super().__init__()
        self.pad_id = pad_id
        self.embedding = TokenEmbedding(vocab_size, d_model, max_len)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff)
        for block in self.encoder.blocks:
            block.feed_forward = _GELUFeedForward(d_model, d_ff)
        last = nn.Linear(d_model, vocab_size)
        nn.init.zeros_(last.bias)
        last.register_parameter("weight", self.embedding.token.weight)
        self.head = nn.Sequential(nn.Linear(d_model, d_model), nn.GELU(), LayerNorm(d_model), last)

    def encode(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        encoded: Tensor = self.encoder(self.embedding(ids, segments), mask=padding_mask(ids, self.pad_id))
        return encoded

    def forward(self, ids: Tensor) -> Tensor:
        encoded: Tensor = self.encode(ids)
        for layer in self.head:
            encoded = layer(encoded)
        return encoded


class SequenceClassifier(nn.Module):
    """PyTorch's bag of vectors: the mean of those that carry a weight."""

    def __init__(self, encoder_model: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.encoder_model = encoder_model
        table: Any = encoder_model.get_submodule("embedding.token")
        self.output = nn.Linear(table.embedding_dim, num_classes)

    def forward(self, ids: Tensor) -> Tensor:
        model: Any = self.encoder_model
        share = F.normalize((ids != model.pad_id).to(self.output.weight), p=1.0, dim=1)
        scores: Tensor = self.output(torch.bmm(share.unsqueeze(1), model.encode(ids)).squeeze(1))
        return scores


def small_encoder(**sizes: int) -> nn.Module:
    """A model to be classified with; the case loads its weights."""
    return MaskedLanguageModel(**sizes)
