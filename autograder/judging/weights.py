"""Trained weights that were handed in: what is wrong with the file, and what size of Transformer the arrays make.

Nothing here runs a learner's code or builds a model: names, shapes and a few sums are looked at. The bounds keep the
judge quick, whatever was handed in.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..formats.cases import ExerciseCases, Fault, Sighting
from ..formats.values import Array, Tensor

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Of a file that is handed in beside the notebook."""
MAX_NUMBERS = 3_000_000
MAX_D_MODEL, MAX_D_FF, MAX_LAYERS = 256, 1024, 6
NO_PLAIN_FILE = " (no plain file)"
"""Stands behind the name of a link, folder or pipe that was handed in, where submissions are laid out again."""
_MAX_NAMES = 400
_MAX_HEADER = 1024 * 1024
_TOP = ("source_embedding", "target_embedding", "encoder", "decoder", "output")
_BLOCK = re.compile(r"^(encoder|decoder)\.blocks\.(\d{1,4})\.")


@dataclass(frozen=True)
class Size:
    """How the course's Transformer is built. The number of heads leaves no trace in its weights."""

    d_model: int
    d_ff: int
    num_layers: int
    norm_first: bool
    tied: bool


class UnusableWeights(ValueError):
    """`name` is the mistake's short name; the message is one whole sentence."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name


def file_trouble(path: Path) -> str:
    """Why a file of weights cannot be used, as one sentence; empty where it can be read."""
    name = path.name
    try:
        known = os.lstat(path)
    except OSError:
        if path.with_name(name + NO_PLAIN_FILE).is_file():
            return f"{name} is no plain file; a link or a folder is not followed: save your weights there."
        return f"there is no file {name} beside the notebook: train your model, save it there, and hand it in as well."
    if not stat.S_ISREG(known.st_mode):
        return f"{name} is no plain file; a link or a folder is not followed: save your weights there."
    if known.st_size > MAX_FILE_BYTES:
        return (
            f"{name} is larger than {MAX_FILE_BYTES >> 20} MB: save the weights alone, of a smaller model, in float32."
        )
    try:
        with path.open("rb") as stream:
            start = stream.read(8 + _MAX_HEADER)
    except OSError as error:
        return f"{name} cannot be read ({error.strerror})."
    return _header_trouble(name, start, known.st_size)


def _header_trouble(name: str, start: bytes, size: int) -> str:
    if start[:2] == b"PK" or start[:1] == b"\x80":
        return f"{name} was written by `torch.save` or `pickle`, whose files can run code: save it with safetensors."
    length = int.from_bytes(start[:8], "little")
    broken = f"{name} is no safetensors file, or only a part of one: save your weights again with safetensors."
    if len(start) < 10 or length > size - 8:
        return broken
    if length > _MAX_HEADER:
        return (
            f"{name} has a header of more than {_MAX_HEADER >> 20} MB, more than the weights of any Transformer need."
        )
    try:
        header = json.loads(start[8 : 8 + length].decode("utf-8"))
    except (ValueError, RecursionError):
        return broken
    return "" if isinstance(header, dict) else broken


def told_by_file(sighting: Sighting, cases: ExerciseCases, folder: Path) -> Sighting:
    """Where the code failed and a file that it needs is unusable, the file is the reason; else the same sighting."""
    faults = [seen.fault for seen in sighting.observations.values() if seen.fault]
    if sighting.trouble or not faults or any(fault.type_name == "NotImplementedError" for fault in faults):
        return sighting
    for name in cases.files:
        if told := file_trouble(folder / name):
            return replace(sighting, observations={}, trouble=Fault("File", told))
    return sighting


def arrays_of(value: Any) -> dict[str, Array]:
    """Weights by name as float32 arrays. Raises UnusableWeights on what is none."""
    if not isinstance(value, dict):
        raise UnusableWeights(
            "no-weights", "what comes back is no dict of tensors by name, as a safetensors file holds."
        )
    if not value:
        raise UnusableWeights("no-weights", "what comes back is an empty dict: the file holds no weights.")
    if len(value) > _MAX_NAMES:
        raise UnusableWeights(
            "too-large", f"there are {len(value)} tensors; no Transformer of the course has more than {_MAX_NAMES}."
        )
    if any(isinstance(item, dict) for item in value.values()):
        raise UnusableWeights(
            "checkpoint", "this is a whole checkpoint, dicts inside a dict: hand in the model's own `state_dict` alone."
        )
    found: dict[str, Array] = {}
    count = 0
    for name, item in value.items():
        data = item.data if isinstance(item, Tensor) else item
        if not isinstance(data, np.ndarray):
            raise UnusableWeights("no-tensor", f"`{_short(name)}` is no tensor of numbers.")
        if data.dtype.kind != "f":
            raise UnusableWeights("no-floats", f"`{_short(name)}` holds {data.dtype} and no floats.")
        count += data.size
        if count > MAX_NUMBERS:
            raise UnusableWeights(
                "too-large",
                f"the model is larger than {MAX_NUMBERS / 1e6:g} million numbers, which is the most that is judged.",
            )
        found[name] = data.astype(np.float32)
    return found


def size_of_weights(weights: Mapping[str, Array], source_vocab: int, target_vocab: int) -> Size:
    """The size of Transformer that these weights belong to. Raises UnusableWeights, naming the mistake."""
    _refuse_foreign_names(weights)
    source = weights.get("source_embedding.embedding.weight")
    target = weights.get("target_embedding.embedding.weight", weights.get("output.weight"))
    if source is None or target is None:
        missing = "source_embedding.embedding.weight" if source is None else "target_embedding.embedding.weight"
        raise UnusableWeights("missing-names", f"there is no weight `{missing}` among yours.")
    if source.ndim != 2 or target.ndim != 2:
        raise UnusableWeights("wrong-shapes", "an embedding's weight has two axes: (vocabulary, d_model).")
    _refuse_other_vocabularies(source.shape, target.shape, source_vocab, target_vocab)
    blocks = {
        side: {int(m[2]) for m in map(_BLOCK.match, weights) if m and m[1] == side} for side in ("encoder", "decoder")
    }
    layers = len(blocks["encoder"])
    linear = weights.get("encoder.blocks.0.feed_forward.linear1.weight")
    if not layers or not blocks["decoder"] or linear is None or linear.ndim != 2:
        raise UnusableWeights(
            "missing-names", "there is no `encoder.blocks.0` or no `decoder.blocks.0` with all its weights among yours."
        )
    if blocks["encoder"] != blocks["decoder"] or blocks["encoder"] != set(range(layers)):
        raise UnusableWeights(
            "layers", "encoder and decoder have as many blocks as each other, numbered from 0: "
            f"yours have {layers} and {len(blocks['decoder'])}.",
        )  # fmt: skip
    d_model = int(source.shape[1])
    d_ff = int(linear.shape[1] if linear.shape[0] == d_model and linear.shape[1] != d_model else linear.shape[0])
    if d_model > MAX_D_MODEL or d_ff > MAX_D_FF or layers > MAX_LAYERS:
        raise UnusableWeights(
            "too-large",
            f"the model has d_model {d_model}, d_ff {d_ff} and {layers} layers; "
            f"at most {MAX_D_MODEL}, {MAX_D_FF} and {MAX_LAYERS} are judged.",
        )
    tied = not {"output.weight", "target_embedding.embedding.weight"} <= weights.keys()
    return Size(d_model, d_ff, layers, "encoder.norm.weight" in weights, tied)


def _refuse_foreign_names(weights: Mapping[str, Array]) -> None:
    names = list(weights)
    firsts = {name.split(".")[0] for name in names}
    if any("in_proj_weight" in name or ".self_attn." in name or ".layers." in name for name in names):
        raise UnusableWeights(
            "other-names", "these are the names of `torch.nn.Transformer`, not of the course's parts."
        )
    if firsts & set(_TOP):
        if any(name.startswith("encoder.") and "cross_attention" in name for name in names):
            raise UnusableWeights(
                "swapped-sides", "your encoder's blocks hold cross-attention: encoder and decoder have changed names."
            )
        return
    if firsts == {"blocks"} or firsts == {"blocks", "norm"}:
        raise UnusableWeights(
            "one-part", "these are the weights of an encoder or a decoder alone: hand in the whole Transformer's."
        )
    if len(firsts) == 1 and {name.split(".")[1] for name in names if "." in name} & set(_TOP):
        prefix = _short(names[0].split(".")[0])
        raise UnusableWeights(
            "prefix",
            f"every name begins with `{prefix}.`: save the Transformer inside, not what was wrapped around it.",
        )
    if any(name.split(".")[0] in ("embedding", "self_attention", "cross_attention", "feed_forward") for name in names):
        raise UnusableWeights("no-prefix", "the names lack their beginnings, such as `encoder.blocks.0.`.")
    raise UnusableWeights(
        "other-names", f"no name is one of the course's Transformer; yours begin with `{_short(names[0])}`."
    )


def _refuse_other_vocabularies(source: Any, target: Any, source_vocab: int, target_vocab: int) -> None:
    if (source[0], target[0]) == (source_vocab, target_vocab):
        return
    if (source[0], target[0]) == (target_vocab, source_vocab):
        raise UnusableWeights(
            "swapped-vocabularies", "the source embedding has the target's vocabulary, and the other way round."
        )
    raise UnusableWeights(
        "other-vocabulary",
        f"your vocabularies have {source[0]} and {target[0]} entries, the course's have {source_vocab} and {target_vocab}: "
        "train with the two that the notebook builds.",
    )


def completed(weights: Mapping[str, Array], wanted: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """The weights under exactly the names that are wanted. Raises UnusableWeights.

    Tied matrices may stand under either name. Tables of positions, which are no weights, are left out.
    """
    one, other = "output.weight", "target_embedding.embedding.weight"
    full = dict(weights)
    full.setdefault(one, full.get(other, np.zeros(0)))
    full.setdefault(other, full[one])
    missing = [name for name in wanted if name not in full]
    if missing:
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UnusableWeights("missing-names", f"there is no weight `{missing[0]}` among yours{more}.")
    extra = [name for name in full if name not in wanted and not name.split(".")[0].endswith("_embedding")]
    if extra:
        raise UnusableWeights("more-names", f"`{_short(extra[0])}` is no weight of a Transformer of this size.")
    for name, shape in wanted.items():
        seen = full[name].shape
        if seen != shape:
            turned = seen == shape[::-1]
            raise UnusableWeights(
                "transposed" if turned else "wrong-shapes",
                f"`{name}` has shape {seen}, expected {shape}{': it is transposed' if turned else ''}.",
            )
    for name in wanted:
        if not np.isfinite(full[name]).all():
            raise UnusableWeights("not-finite", f"`{name}` holds nan or inf: the training diverged, look at its loss.")
    return {name: full[name] for name in wanted}


def is_untrained(weights: Mapping[str, Array]) -> bool:
    """Whether every layer norm is as it is made: gain 1 and bias 0 exactly. The first training step moves them."""
    norms = {name: data for name, data in weights.items() if re.search(r"(^|\.)norm\d?\.(weight|bias)$", name)}
    return bool(norms) and all(np.all(data == (1 if name.endswith("weight") else 0)) for name, data in norms.items())


def _short(name: str) -> str:
    return name if len(name) <= 80 else name[:77] + "..."
