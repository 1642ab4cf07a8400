"""A learner's own BERT: what `python -m my_transformer --fill "三[MASK]书"` does with the parts and weights in that package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import my_transformer
from .my_translator import kept_weights, own_parts

WEIGHTS = "bert.safetensors"
NEEDED = "MaskedLanguageModel"
HOLE = "[MASK]"
SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<unk>", HOLE)
"""In front of the corpus's characters: ids 0 to 4 of unit 13's vocabulary."""
_UNK = 3
USAGE = f'Which hole should I fill? python -m {my_transformer.PACKAGE} --fill "三{HOLE}书"'
_SHOWN = 5


def keep_bert(model: Any) -> None:
    """Keep a pre-trained `MaskedLanguageModel` of unit 13 in the learner's package, where the package is kept at all."""
    heads = int(model.encoder.blocks[0].self_attention.num_heads)
    my_transformer.keep_weights(model, WEIGHTS, {"num_heads": str(heads)})


class Filler:
    """The learner's model, which fills holes. Raises NotReady."""

    def __init__(self, folder: Path) -> None:
        kind = own_parts(folder, (NEEDED,), "fill holes")[NEEDED]
        with kept_weights(folder / WEIGHTS, "fill holes", "the cells of unit 13 that pre-train") as (weights, about):
            self.model = kind(**_sizes(weights, int(about["num_heads"])))
            self.model.load_state_dict(weights, strict=False)  # a tied weight stands there once
            self.model.eval()

    def trouble(self, text: str) -> str:
        """Why no hole of a text can be filled, in one line; empty where it can."""
        tokens, most = _tokens(text), self.model.embedding.position.num_embeddings
        if HOLE not in tokens:
            return f"“{text.strip()[:20]}” has no hole: write {HOLE} where a character is missing."
        if len(tokens) > most:
            return (
                f"“{text.strip()[:20]}” is too long: it has {len(tokens)} tokens, and your model reads {most} at most."
            )
        return ""

    def show(self, text: str) -> None:
        """Print for each hole of a text the likeliest characters, each with its probability."""
        import torch

        from ..lab.corpus import SOURCE_TOKENS

        names = (*SPECIAL_TOKENS, *SOURCE_TOKENS)
        number = {name: i for i, name in enumerate(names)}
        tokens = _tokens(text)
        with torch.no_grad():
            chances = self.model(torch.tensor([[number.get(token, _UNK) for token in tokens]]))[0].softmax(dim=-1)
        for place in (i for i, token in enumerate(tokens) if token == HOLE):
            best = chances[place].topk(_SHOWN).indices.tolist()
            print("  ".join(f"{names[i]} {100 * float(chances[place, i]):.0f} %" for i in best))


def _tokens(text: str) -> list[str]:
    from ..lab.corpus import chinese_tokens

    pieces = text.replace("▢", HOLE).split(HOLE)
    tokens = list(chinese_tokens(pieces[0]))
    for piece in pieces[1:]:
        tokens += [HOLE, *chinese_tokens(piece)]
    return tokens


def _sizes(weights: dict[str, Any], heads: int) -> dict[str, int]:
    """What `MaskedLanguageModel` was built with, from its weights' shapes."""
    vocab_size, d_model = weights["embedding.token.weight"].shape
    blocks = {name.split(".")[2] for name in weights if name.startswith("encoder.blocks.")}
    return {
        "vocab_size": int(vocab_size),
        "d_model": int(d_model),
        "num_heads": heads,
        "num_layers": len(blocks),
        "d_ff": int(weights["encoder.blocks.0.feed_forward.linear1.weight"].shape[0]),
        "max_len": int(weights["embedding.position.weight"].shape[0]),
    }
