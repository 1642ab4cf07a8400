"""The finished Transformer, put together from the lessons' own solutions, and PyTorch's beside it at the same size."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..authoring.parse import parse_lesson, unit_stem
from ..library import grading, units

VOCAB, PAD = 1000, 0


class NoSuchPart(LookupError):
    """No lesson defines what is asked for. The message is one line."""


def solutions(course: Path, wanted: Iterable[str]) -> dict[str, Any]:
    """The lessons' solutions of these names, each in its lesson's own setup, with the earlier ones under their names."""
    names, known = set(wanted), dict[str, Any]()
    with grading():  # setups take library-backed parts; the solutions replace them below
        for unit in units():
            lesson = parse_lesson(course / "solutions" / unit / f"{unit_stem(unit)}.py")
            asked = [exercise for exercise in lesson.exercises if exercise.name in names]
            if not asked:
                continue
            space: dict[str, Any] = {"__name__": f"lesson_{unit}"}
            exec(compile(lesson.setup, f"{unit}: setup", "exec"), space)
            space.update(known)
            for exercise in asked:
                exec(compile(exercise.solution, f"{unit}: {exercise.name}", "exec"), space)
                known[exercise.name] = space[exercise.name]
    if missing := names - known.keys():
        raise NoSuchPart(f"the lessons define no {', '.join(sorted(missing))}")
    return known


def finished(course: Path) -> dict[str, Any]:
    """All that the finished model and its decoding stand on."""
    names = (
        "split_heads merge_heads MultiHeadAttention sinusoidal_positions TransformerEmbedding causal_mask padding_mask decoder_mask "
        "masked_softmax masked_attention LayerNorm FeedForward EncoderBlock Encoder shift_right DecoderBlock Decoder Transformer "
        "greedy_decode tiled_attention KeyValueCache cached_greedy_decode"
    )
    return solutions(course, names.split())


def compiled_flash_attention(course: Path) -> Any:
    """Unit 16's `flash_attention` with its kernel as Triton compiles it for a GPU.

    The lesson's own setup asks for the interpreter, so its solution stands here in a file of its own. (A process in which
    TRITON_INTERPRET is 1 interprets it all the same.)
    """
    unit = "16_kernels"
    lesson = parse_lesson(course / "solutions" / unit / f"{unit_stem(unit)}.py")
    solution = next(exercise.solution for exercise in lesson.exercises if exercise.name == "flash_attention")
    imports = "import math\nimport torch\nimport triton\nimport triton.language as tl\nfrom torch import Tensor\n\n\n"
    path = Path(tempfile.mkdtemp()) / "flash_attention.py"  # Triton reads a kernel's source again when it compiles
    path.write_text(imports + solution, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.flash_attention


class TorchTransformer(nn.Module):
    """torch.nn.Transformer between the course's own embeddings and output layer.

    known: `finished(course)`
    """

    def __init__(self, known: dict[str, Any], *, d_model: int, num_heads: int, num_layers: int, d_ff: int) -> None:
        super().__init__()
        self.source_embedding = known["TransformerEmbedding"](VOCAB, d_model, 256)
        self.target_embedding = known["TransformerEmbedding"](VOCAB, d_model, 256)
        self.transformer = nn.Transformer(d_model, num_heads, num_layers, num_layers, d_ff, 0.1, batch_first=True)
        self.output = nn.Linear(d_model, VOCAB)
        self.output.weight = self.target_embedding.embedding.weight
        self.dropout = nn.Dropout(0.1)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        future = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool, device=target.device).triu(1)
        hidden = self.transformer(
            self.dropout(self.source_embedding(source)), self.dropout(self.target_embedding(target)), tgt_mask=future,
            tgt_is_causal=True, src_key_padding_mask=source == PAD, tgt_key_padding_mask=target == PAD,
            memory_key_padding_mask=source == PAD,
        )  # fmt: skip
        logits: Tensor = self.output(hidden)
        return logits


def padded_batch(sentences: int, shortest: int, longest: int, device: str) -> tuple[Tensor, Tensor, list[int]]:
    """Ids of sources and targets, each (sentences, longest), and their lengths, evenly spread."""
    lengths = torch.linspace(shortest, longest, sentences).long()
    ids = torch.randint(4, VOCAB, (2, sentences, longest)).masked_fill(torch.arange(longest) >= lengths[:, None], PAD)
    return ids[0].to(device), ids[1].to(device), lengths.tolist()


def stepper(
    model: nn.Module, source: Tensor, target: Tensor, *, bf16: bool = False, **options: Any
) -> Callable[[], None]:
    """A training step as a function: forward, loss, backward, AdamW (with these options)."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, **options)
    read = F.pad(target, (1, -1), value=1)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(source.device.type, dtype=torch.bfloat16, enabled=bf16):
            logits = model(source, read)
        F.cross_entropy(logits.float().flatten(0, 1), target.flatten(), ignore_index=PAD).backward()
        optimizer.step()

    return step
