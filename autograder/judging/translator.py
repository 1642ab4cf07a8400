"""A Transformer of the course from its weights, and translations by it: for the judge, and for a learner's own package."""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .. import library
from ..formats.values import Array
from ..lab.corpus import chinese_tokens
from .weights import Size, completed, size_of_weights

HEADS = (4, 8, 2, 1, 16)
"""Numbers of heads that are tried, the usual one first."""
_TRIED_ON = 24
_ENOUGH = 0.95
_BATCH = 100


@functools.cache
def vocabularies() -> Any:
    """The course's two vocabularies, the same for everybody."""
    from ..lab.training import course_vocabularies

    return course_vocabularies(_vocabulary)


def _vocabulary(sequences: Iterable[Sequence[str]]) -> dict[str, int]:
    """As unit 10's `build_vocabulary`: the four specials, then by falling count, ties in order of appearance."""
    counts = Counter(token for sequence in sequences for token in sequence)
    tokens = ["<pad>", "<bos>", "<eos>", "<unk>", *(token for token, _ in counts.most_common())]
    return {token: number for number, token in enumerate(tokens)}


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Small matrices are not worth the threads, and several graders share a machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def sizes(weights: Mapping[str, Array]) -> Size:
    both = vocabularies()
    return size_of_weights(weights, len(both.source), len(both.target))


def build(weights: Mapping[str, Array], num_heads: int, transformer: Callable[..., Any] | None = None) -> Any:
    """The model with these weights, in evaluation mode. Raises UnusableWeights.

    transformer: the class to build it from; the library-backed one where none is given
    """
    import torch

    size, both = sizes(weights), vocabularies()
    make = transformer or library.part("Transformer")
    model = make(
        len(both.source), len(both.target), d_model=size.d_model, num_heads=num_heads, num_layers=size.num_layers,
        d_ff=size.d_ff, dropout=0.0, max_len=64, norm_first=size.norm_first, tie_weights=size.tied,
    )  # fmt: skip
    wanted = {name: tuple(p.shape) for name, p in model.named_parameters(remove_duplicate=False)}
    exact = completed(weights, wanted)
    with torch.no_grad():
        for name, parameter in model.named_parameters(remove_duplicate=False):
            parameter.copy_(torch.from_numpy(exact[name].copy()))
    return model.eval()


def translations(model: Any, sources: Sequence[str], max_len: int) -> list[str]:
    """English for each Chinese text, its words joined by spaces, by the library-backed `greedy_decode`."""
    from ..lab.training import translate

    found = translate(
        model, [chinese_tokens(text) for text in sources], vocabularies(), library.part("greedy_decode"),
        max_len=max_len, batch_size=_BATCH,
    )  # fmt: skip
    return [" ".join(words) for words in found]


def matched(model: Any, sources: Sequence[str], targets: Sequence[str], max_len: int) -> float:
    """The share of sources whose translation is the target, word for word."""
    found = translations(model, sources, max_len)
    return sum(one == other for one, other in zip(found, targets, strict=True)) / max(1, len(targets))


def best_heads(weights: Mapping[str, Array], sources: Sequence[str], targets: Sequence[str], max_len: int) -> int:
    """The number of heads with which most of the first few sources are translated."""
    best, most = 1, -1.0
    few = slice(0, _TRIED_ON)
    d_model = sizes(weights).d_model
    for heads in HEADS:
        if d_model % heads:
            continue
        share = matched(build(weights, heads), sources[few], targets[few], max_len)
        if share > most:
            best, most = heads, share
        if share >= _ENOUGH:
            break
    return best


def best_model(weights: Mapping[str, Array], sources: Sequence[str], targets: Sequence[str], max_len: int) -> Any:
    """The model with the number of heads that translates most of the first few sources."""
    return build(weights, best_heads(weights, sources, targets, max_len))
