"""A translator of real sentences: its recipe, its vocabulary, and how it translates. `real_training.py` trains it.

Chinese goes in as characters, English comes out as pieces of words (byte-level BPE by the library `tokenizers`, which
comes with `pip install 'autograder[real-data]'`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from .real_data import SentencePair

PAD, BOS, EOS, UNKNOWN = range(4)
_SPECIALS = ["<pad>", "<bos>", "<eos>", "<unk>"]


@dataclass(frozen=True)
class Recipe:
    """How to train. With these figures a test was measured at 30 to 32 BLEU; see `python -m autograder real-data --help`."""

    minutes: float = 11.0
    d_model: int = 128
    num_heads: int = 4
    num_layers: int = 2
    d_ff: int = 512
    dropout: float = 0.1
    label_smoothing: float = 0.1
    batch_size: int = 128
    peak_rate: float = 4e-3
    warmup: float = 0.06
    """Share of the time in which the rate rises to its peak; after it the rate falls to 0 along a line."""
    weight_decay: float = 0.05
    pieces: int = 2000
    rarest: int = 2
    """Characters seen less often than this are unknown."""
    bfloat16: bool = False
    """Whether the forward pass runs under autocast to bfloat16. Which is faster, `lab.precision` measures."""
    seed: int = 0


class Vocabulary:
    """Ids for Chinese characters and English pieces."""

    def __init__(self, characters: Sequence[str], names: Iterable[str], pieces: Any) -> None:
        self._characters = {token: i for i, token in enumerate([*_SPECIALS, *characters])}
        self._names, self._pieces = frozenset(names), pieces

    @classmethod
    def made_from(cls, pairs: Sequence[SentencePair], recipe: Recipe) -> Vocabulary:
        """From the training pairs alone. Raises ImportError where `tokenizers` is missing."""
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        counts = Counter(character for pair in pairs for character in pair.chinese)
        kept = [character for character, count in counts.most_common() if count >= recipe.rarest]
        pieces = Tokenizer(models.BPE())
        pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        pieces.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=recipe.pieces,
            special_tokens=_SPECIALS,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        made = cls(kept, _names(pair.english for pair in pairs), pieces)
        pieces.train_from_iterator((made._uncapped(pair.english) for pair in pairs), trainer)
        return made

    @classmethod
    def read(cls, text: str) -> Vocabulary:
        """The vocabulary that `text()` has written."""
        from tokenizers import Tokenizer

        tree = json.loads(text)
        return cls(tree["characters"], tree["names"], Tokenizer.from_str(json.dumps(tree["pieces"])))

    def text(self) -> str:
        """All of it, as JSON."""
        characters = list(self._characters)[len(_SPECIALS) :]
        tree = {"characters": characters, "names": sorted(self._names), "pieces": json.loads(self._pieces.to_str())}
        return json.dumps(tree, ensure_ascii=False)

    @property
    def source_size(self) -> int:
        return len(self._characters)

    @property
    def target_size(self) -> int:
        return int(self._pieces.get_vocab_size())

    def knows(self, character: str) -> bool:
        return character in self._characters

    def source_ids(self, chinese: str) -> list[int]:
        return [self._characters.get(character, UNKNOWN) for character in chinese] + [EOS]

    def target_ids(self, english: str) -> list[int]:
        return [*self._pieces.encode(self._uncapped(english)).ids, EOS]

    def english(self, ids: Sequence[int]) -> str:
        """The text of ids up to the first EOS."""
        ends = list(ids).index(EOS) if EOS in ids else len(ids)
        text = str(self._pieces.decode([i for i in ids[:ends] if i >= len(_SPECIALS)])).strip()
        return text[:1].upper() + text[1:]

    def _uncapped(self, english: str) -> str:
        """The text with a small first letter, unless its first word is written with a capital elsewhere too."""
        first = english.split(" ", 1)[0]
        return english if first.rstrip(".,!?") in self._names else english[:1].lower() + english[1:]


def _names(texts: Iterable[str]) -> frozenset[str]:
    """Words that are mostly written with a capital where no sentence begins: names, and "I"."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word.rstrip(".,!?") for word in text.split(" ")[1:])
    return frozenset(
        word for word in counts if word[:1].isupper() and counts[word] > counts[word[:1].lower() + word[1:]]
    )


class PooledDropout(nn.Module):
    """Dropout that cuts its mask from a pool of random bits, at a random place: drawing bits is slow on a CPU.

    In a training step of this size drawing them was measured at a tenth of the CPU's time.
    """

    _SIZE = 1 << 22

    def __init__(self, probability: float, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        kept = torch.rand(self._SIZE, generator=generator) >= probability
        self.register_buffer("pool", kept.float() / (1 - probability), persistent=False)
        self._random, self._probability = Random(seed), probability

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        if x.numel() > self._SIZE // 2:
            return nn.functional.dropout(x, self._probability)
        start = self._random.randrange(self._SIZE - x.numel())
        pool: Tensor = self.pool  # type: ignore[assignment]
        return x * pool[start : start + x.numel()].view(x.shape).to(x.dtype)


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=PAD)


def translate(
    model: Any,
    vocabulary: Vocabulary,
    sentences: Sequence[str],
    *,
    beams: int = 4,
    alpha: float = 1.3,
    device: str = "cpu",
) -> list[str]:
    """English for each Chinese sentence, by beam search (one beam is greedy decoding)."""
    was_training = model.training
    model.eval()
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
    found: dict[int, str] = {}
    with torch.no_grad():
        for at in range(0, len(order), 64):
            chunk = order[at : at + 64]
            source = padded([vocabulary.source_ids(sentences[i]) for i in chunk]).to(device)
            for i, ids in zip(chunk, _beam_search(model, source, beams, alpha), strict=True):
                found[i] = vocabulary.english(ids)
    model.train(was_training)
    return [found[i] for i in range(len(sentences))]


def _beam_search(model: Any, source: Tensor, beams: int, alpha: float) -> list[list[int]]:
    """The best ids for each source. A hypothesis' score is its log-probability over ((5 + length) / 6)^alpha."""
    batch, limit = len(source), min(2 * source.shape[1] + 10, 80)
    encoded = model.encode(source).repeat_interleave(beams, 0)
    sources = source.repeat_interleave(beams, 0)
    ids = source.new_full((batch * beams, 1), BOS)
    scores = torch.full((batch, beams), float("-inf"), device=source.device)
    scores[:, 0] = 0.0
    best: list[tuple[float, list[int]]] = [(float("-inf"), []) for _ in range(batch)]
    for length in range(1, limit + 1):
        chances = model.decode(ids, encoded, sources)[:, -1].float().log_softmax(-1)
        chances[:, [PAD, BOS, UNKNOWN]] = float("-inf")
        size = chances.shape[-1]
        scores, places = (scores.unsqueeze(-1) + chances.view(batch, beams, size)).flatten(1).topk(2 * beams, dim=1)
        tokens, origins = places % size, places // size
        penalty = ((5 + length) / 6) ** alpha
        ended = tokens == EOS
        rows = torch.arange(batch, device=source.device).unsqueeze(1) * beams
        for b, k in ended[:, :beams].nonzero().tolist():
            score = float(scores[b, k]) / penalty
            if score > best[b][0]:
                best[b] = (score, ids[b * beams + int(origins[b, k]), 1:].tolist())
        scores, kept = scores.masked_fill(ended, float("-inf")).topk(beams, dim=1)
        tokens, origins = tokens.gather(1, kept), origins.gather(1, kept)
        ids = torch.cat([ids[(rows + origins).flatten()], tokens.flatten().unsqueeze(1)], dim=1)
        reachable = (scores[:, 0] / ((5 + limit) / 6) ** alpha).tolist()  # the best that any of them can still become
        if all(best[b][0] >= reachable[b] for b in range(batch)):
            break
    open_ends = ids.view(batch, beams, -1)[:, 0, 1:].tolist()
    return [found if score > float("-inf") else open_ends[b] for b, (score, found) in enumerate(best)]
