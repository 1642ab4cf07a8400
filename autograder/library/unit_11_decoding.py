"""Library-backed parts of unit 11_decoding, built from the library blocks of its lesson. Edit those."""

import math
from collections import Counter

import numpy as np
import torch
from torch import Tensor, nn

from autograder.library.unit_09_decoder import Transformer


def length_penalty(length: float, alpha: float = 0.6) -> float:
    """By logarithms: a number for a number, a tensor for a tensor of lengths."""
    if isinstance(length, Tensor):
        return torch.exp(alpha * torch.log((5 + length) / 6))
    return float(np.exp(alpha * np.log1p((length - 1) / 6)))


@torch.no_grad()
def beam_search(
    model: nn.Module, source: Tensor, beam_size: int = 4, max_len: int = 64, alpha: float = 0.6
) -> tuple[Tensor, Tensor]:
    """One sentence after the other; its live hypotheses are the rows of a tensor, the finished ones stand in a list."""
    was_training = model.training
    model.eval()
    try:
        found = [_best_of(model, row.unsqueeze(0), beam_size, max_len, alpha) for row in source]
    finally:
        model.train(was_training)
    ids = nn.utils.rnn.pad_sequence([words for _, words in found], batch_first=True)
    return ids, torch.stack([score for score, _ in found])


def _best_of(model: nn.Module, source: Tensor, beam_size: int, max_len: int, alpha: float) -> tuple[Tensor, Tensor]:
    encoder_output = model.encode(source)
    live, sums = source.new_full((1, 1), 1), encoder_output.new_zeros(1)
    finished: list[tuple[Tensor, Tensor]] = []
    for length in range(1, max_len + 1):
        copies = [part.expand(len(live), *part.shape[1:]) for part in (encoder_output, source)]
        distribution = torch.distributions.Categorical(logits=model.decode(live, *copies)[:, -1])
        candidates = sums.unsqueeze(1) + distribution.logits
        chosen = torch.topk(candidates.flatten(), min(beam_size, candidates.numel())).indices
        parents, tokens = torch.unravel_index(chosen, candidates.shape)
        live, sums = torch.column_stack([live[parents], tokens]), candidates[parents, tokens]
        done = tokens.eq(2) if length < max_len else torch.ones_like(tokens, dtype=torch.bool)
        finished += [(total / length_penalty(length, alpha), words[1:]) for total, words in zip(sums[done], live[done])]
        live, sums = live[~done], sums[~done]
        best = [score for score, _ in finished]
        if not len(live) or (best and max(best) >= sums.max() / length_penalty(max_len, alpha)):
            break
    return max(finished, key=lambda pair: float(pair[0]))


class _ScriptedModel(nn.Module):
    """A model whose next word is looked up: logits by sentence, place, last word, and the word before that."""

    def __init__(self, tables: Tensor, pairs: Tensor, tilt: Tensor) -> None:
        super().__init__()
        self.tables = nn.Parameter(tables, requires_grad=False)  # (sentences, places, vocab, vocab)
        self.pairs = nn.Parameter(pairs, requires_grad=False)  # (vocab, vocab)
        self.tilt = nn.Parameter(tilt, requires_grad=False)  # (sentences, vocab)

    def encode(self, source: Tensor) -> Tensor:
        spread = torch.linspace(1.0, 2.0, 3, device=source.device)
        return (source[:, :1] - 3).unsqueeze(-1) * spread.expand(*source.shape, 3)

    def decode(self, target: Tensor, encoder_output: Tensor, source: Tensor) -> Tensor:
        if not len(target) == len(encoder_output) == len(source):
            raise ValueError(
                f"decode: {len(target)} target rows, {len(encoder_output)} rows of encoder output, {len(source)} "
                "source rows; each target row needs its own"
            )
        sentence = (encoder_output[:, 0, 0].round().long() - 1).unsqueeze(1)
        place = torch.arange(target.shape[1], device=target.device).clamp(max=self.tables.shape[1] - 1)
        before = nn.functional.pad(target, (1, -1))
        logits = self.tables[sentence, place, target] + self.pairs[before]
        return logits + self.tilt[source[:, 0] - 4].unsqueeze(1)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return self.decode(target, self.encode(source), source)


def scripted_model(tables: Tensor, pairs: Tensor, tilt: Tensor) -> nn.Module:
    return _ScriptedModel(tables, pairs, tilt).eval()


def small_transformer(init: dict, state: dict) -> nn.Module:
    """A real Transformer of unit 09 with these weights."""
    model = Transformer(**init)
    model.load_state_dict(state, strict=False)
    return model.eval()


def ngram_counts(tokens: list, n: int) -> dict[tuple, int]:
    """NumPy's sliding windows, counted."""
    if len(tokens) < n:
        return Counter()
    row = np.empty(len(tokens), dtype=object)
    row[:] = tokens
    return Counter(map(tuple, np.lib.stride_tricks.sliding_window_view(row, n).tolist()))


def corpus_bleu(hypotheses: list[list[str]], references: list[list[str]]) -> float:
    """sacrebleu itself, told to leave the tokens as they are and to smooth nothing."""
    import sacrebleu

    texts = [[" ".join(tokens) for tokens in sentences] for sentences in (hypotheses, references)]
    if not texts[0]:
        return 0.0
    return float(sacrebleu.corpus_bleu(texts[0], [texts[1]], smooth_method="none", force=True, tokenize="none").score)
