"""A learner's own GPT: what `python -m my_transformer --continue "三十二 = 32；五十七 ="` does with the parts and weights in that package."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import my_transformer
from .my_translator import kept_weights, own_parts

WEIGHTS = "gpt.safetensors"
NEEDED = ("DecoderOnly", "bpe_encode", "sample_next")
_BOS = "<bos>"
_END = "；"
USAGE = f'What should I go on from? python -m {my_transformer.PACKAGE} --continue "三十二 = 32；五十七 ="'
_MOST_NEW, _MOST_READ = 24, 400


def keep_gpt(model: Any, names: Sequence[str], merges: Sequence[tuple[str, str]]) -> None:
    """Keep a trained `DecoderOnly` of unit 14 in the learner's package, where the package is kept at all.

    names:  the token of each id
    merges: by which words are cut
    """
    attention = model.blocks[0].self_attention
    about = {
        "names": json.dumps(list(names)),
        "merges": json.dumps([list(pair) for pair in merges]),
        "heads": json.dumps([int(attention.num_heads), int(attention.num_kv_heads)]),
    }
    my_transformer.keep_weights(model, WEIGHTS, about)


class Writer:
    """The learner's model, its pieces, and the learner's way to choose the next token. Raises NotReady."""

    def __init__(self, folder: Path) -> None:
        parts = own_parts(folder, NEEDED, "go on")
        with kept_weights(folder / WEIGHTS, "go on", "the cells of unit 14 that train") as (weights, texts):
            about = {name: json.loads(text) for name, text in texts.items()}
            self.names: list[str] = about["names"]
            self.merges = [(left, right) for left, right in about["merges"]]
            self.model = parts["DecoderOnly"](**_sizes(weights, *about["heads"]))
            self.model.load_state_dict(weights)
            self.model.eval()
        self.encode, self.sample = parts["bpe_encode"], parts["sample_next"]

    def pieces(self, text: str) -> list[str]:
        from ..lab.pieces import text_pieces

        return text_pieces(text, lambda word: self.encode(word, self.merges))

    def trouble(self, text: str) -> str:
        """Why a text cannot be gone on from, in one line; empty where it can."""
        pieces = self.pieces(text)
        if not pieces:
            return "There is nothing to go on from: the text is empty."
        if len(pieces) > _MOST_READ:
            return (
                f"The text is too long: it has {len(pieces)} tokens, and {_MOST_READ} are the most that is read here."
            )
        unknown = [piece for piece in dict.fromkeys(pieces) if piece not in self.names]
        if unknown:
            return f"Your model has no token for {' '.join(unknown)}: it has learned from lines such as 三十二 = 32；"
        return ""

    def show(self, text: str) -> None:
        """Print the text and what follows, the likeliest token each time, up to the end of the answer."""
        import torch

        ids = [self.names.index(piece) for piece in (_BOS, *self.pieces(text))]
        written: list[str] = []
        with torch.no_grad():
            while len(written) < _MOST_NEW and _END not in written:
                logits = self.model(torch.tensor([ids]))[:, -1]
                ids.append(int(self.sample(logits, torch.Generator(), temperature=0)[0]))
                written.append(self.names[ids[-1]])
        answer = "".join(written)
        print(f"{text.rstrip()}{'' if answer[:1] in (' ', _END) else ' '}{answer}")


def _sizes(weights: dict[str, Any], num_heads: int, num_kv_heads: int) -> dict[str, int]:
    """What `DecoderOnly` was built with, from its weights' shapes."""
    vocab_size, d_model = weights["embedding.weight"].shape
    return {
        "vocab_size": int(vocab_size),
        "d_model": int(d_model),
        "num_heads": int(num_heads),
        "num_kv_heads": int(num_kv_heads),
        "num_layers": len({name.split(".")[1] for name in weights if name.startswith("blocks.")}),
        "d_ff": int(weights["blocks.0.feed_forward.up_proj.weight"].shape[0]),
    }
