"""Library-backed parts of unit 12_gpu, built from the library blocks of its lesson. Edit those."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def attention_flops(batch: int, num_heads: int, seq: int, d_head: int) -> int:
    """By PyTorch's own counter, which looks at shapes and computes nothing."""
    query = torch.empty(batch, num_heads, seq, d_head, device="meta")
    with FlopCounterMode(display=False) as counter:
        (query @ query.transpose(-2, -1)) @ query
    return int(counter.get_total_flops())


def attention_bytes(
    batch: int, num_heads: int, seq: int, d_head: int, bytes_per_number: int = 2, tiled: bool = False
) -> int:
    """By the sizes of tensors that PyTorch makes without numbers in them."""
    query = torch.empty(batch, num_heads, seq, d_head, device="meta")
    scores = query @ query.transpose(-2, -1)
    weights = scores.softmax(dim=-1)
    output = weights @ query
    moved = [query, query, query, output] + ([] if tiled else [scores, scores, weights, weights])
    return bytes_per_number * sum(tensor.numel() for tensor in moved)


def online_softmax_sum(scores: Tensor, values: Tensor, block_size: int) -> Tensor:
    """Each block by PyTorch's fused attention; the blocks joined by their logsumexps, with PyTorch's softmax."""
    pieces = list(zip(scores.split(block_size), values.split(block_size), strict=True))
    sizes = torch.stack([torch.logsumexp(part, dim=0) for part, _ in pieces])
    if bool(sizes.isneginf().all()):
        return values.new_zeros(values.shape[1])
    inner = torch.stack([part.softmax(dim=0).nan_to_num(0.0) @ held for part, held in pieces])
    return sizes.softmax(dim=0) @ inner


def scores_under_watch(scores: Tensor, block_size: int) -> Any:
    """`scores`, watched: whether an exponential or a maximum is taken over all of them at once, or a maximum over more than a block."""
    from autograder.formats.fixtures import Watched
    from autograder.library.operator_log import entries, noting

    facts = {"takes exp of all scores": False, "looks at all scores first": False, "looks at a later block": False}

    def note(operator: str, args: tuple[Any, ...], result: Any) -> None:
        if operator in ("exp", "exp2", "expm1", "pow", "sigmoid", "special_expm1", "logcumsumexp") and entries(result) >= len(scores):
            facts["takes exp of all scores"] = True
        looks = operator in ("max", "amax", "aminmax", "argmax", "sort", "topk", "cummax", "logsumexp")
        if looks and args and isinstance(args[0], Tensor):
            facts["looks at all scores first"] |= args[0].numel() >= len(scores)
            facts["looks at a later block"] |= args[0].dim() == 1 and 2 * block_size <= args[0].numel() < len(scores)

    return Watched(scores, lambda: facts, lambda: noting(note))


def tiled_attention(query: Tensor, key: Tensor, value: Tensor, block_size: int, is_causal: bool = False) -> Tensor:
    """PyTorch's fused attention for each block of queries."""
    pieces = []
    for start, queries in zip(range(0, query.shape[-2], block_size), query.split(block_size, dim=-2), strict=True):
        seen = min(key.shape[-2], start + queries.shape[-2]) if is_causal else key.shape[-2]
        mask = None
        if is_causal:
            mask = torch.ones(queries.shape[-2], seen, dtype=torch.bool, device=query.device).tril(start)
        pieces.append(F.scaled_dot_product_attention(queries, key[..., :seen, :], value[..., :seen, :], attn_mask=mask))
    return torch.cat(pieces, dim=-2)


def queries_under_watch(query: Tensor, table: int = 0, most: int = 0, block: int = 0) -> Any:
    """`query`, watched: whether any operator makes an array of `table` numbers, or of more than `most`.

    block: whether an exponential is taken of more scores than so many queries and so many keys have
    """
    from autograder.formats.fixtures import Watched
    from autograder.library.operator_log import entries, noting

    facts = {"ignores block_size": False} if most else {"makes a table of all scores": False, "makes a mask of all pairs": False}
    if block:
        facts["takes more than a block of scores"] = False

    def note(operator: str, args: tuple[Any, ...], result: Any) -> None:
        made = entries(result)
        if block and operator in ("exp", "exp2", "expm1", "pow", "logsumexp") and args and entries(args[0]) > query.shape[:-2].numel() * block**2:
            facts["takes more than a block of scores"] = True
        if most and made > most:
            facts["ignores block_size"] = True
        if table and made >= table:
            is_mask = isinstance(result, Tensor) and result.dtype == torch.bool
            facts["makes a mask of all pairs" if is_mask else "makes a table of all scores"] = True

    return Watched(query, lambda: facts, lambda: noting(note))


class KeyValueCache:
    """Rooms that are larger than what they hold; PyTorch copies new positions into place."""

    def __init__(self, num_layers: int) -> None:
        self._rooms: list[tuple[Tensor, Tensor] | None] = [None] * num_layers
        self._held = [0] * num_layers

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        start, end = self._held[layer], self._held[layer] + key.shape[2]
        rooms = self._rooms[layer]
        if rooms is None or rooms[0].shape[2] < end:
            larger = [x.new_empty(*x.shape[:2], 2 * end, x.shape[3]) for x in (key, value)]
            for room, old in zip(larger, rooms or (), strict=False):
                room.narrow(2, 0, start).copy_(old.narrow(2, 0, start))
            self._rooms[layer] = rooms = (larger[0], larger[1])
        for room, new in zip(rooms, (key, value), strict=True):
            room.narrow(2, start, end - start).copy_(new)
        self._held[layer] = end
        return rooms[0].narrow(2, 0, end), rooms[1].narrow(2, 0, end)

    def length(self) -> int:
        return self._held[0]


def cache_story(steps: list[Any]) -> Any:
    """A cache in use: for each step (layer, key, value) what `append` returns, and the length after it.

    Before the second half of the steps, another cache of the same class is filled; it must make no difference.
    """
    from autograder.formats.fixtures import Driver

    def drive(cache: Any) -> dict[str, Any]:
        told = {"length of a new cache": cache.length()}
        for number, (layer, key, value) in enumerate(steps):
            if number == len(steps) // 2:
                type(cache)(1 + max(step[0] for step in steps)).append(layer, key + 1, value + 1)
            given = key.clone(), value.clone()
            returned = cache.append(layer, key, value)
            held = tuple(x.clone() if isinstance(x, Tensor) else x for x in returned) if isinstance(returned, tuple) else returned
            kept = torch.equal(key, given[0]) and torch.equal(value, given[1])
            step = f"step {number + 1}, layer {layer}"
            alike = isinstance(held, (tuple, list)) and all(isinstance(x, Tensor) and x.dtype == key.dtype for x in held)
            told |= {f"{step}: all keys and values": held, f"{step}: of the type that was given": alike, f"{step}: length": cache.length(), f"{step}: what was given is unchanged": kept}
        return told

    return Driver(drive)


@torch.no_grad()
def cached_greedy_decode(model: nn.Module, source: Tensor, max_len: int, bos_id: int = 1, eos_id: int = 2) -> Tensor:
    """By PyTorch's hooks: the blocks run as they are, on one position, and their key and value layers remember."""
    from autograder.library.unit_07_masking import padding_mask

    memory: dict[nn.Module, Tensor] = {}

    def remember(layer: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> Tensor:
        memory[layer] = torch.cat([memory[layer], made], dim=1) if layer in memory else made
        return memory[layer]

    was_training = model.training
    model.eval()
    encoder_output, source_mask = model.encode(source), padding_mask(source)
    hooks, replaced = [], []
    try:
        for block in model.decoder.blocks:
            for layer in (block.self_attention.k_proj, block.self_attention.v_proj):
                hooks.append(layer.register_forward_hook(remember))
            for layer in (block.cross_attention.k_proj, block.cross_attention.v_proj):
                made = layer(encoder_output)
                layer.forward = lambda x, made=made: made
                replaced.append(layer)
        table = source.new_full((len(source), max_len + 1), bos_id)
        ended = source.new_zeros(len(source), dtype=torch.bool)
        width = 0
        while width < max_len and not bool(ended.all()):
            ids = table[:, : width + 1]
            new = model.target_embedding(ids)[:, -1:]
            logits = model.output(model.decoder(new, encoder_output, padding_mask(ids), source_mask))
            width += 1
            table[:, width] = logits[:, -1].argmax(dim=-1)
            ended |= table[:, width] == eos_id
    finally:
        for hook in hooks:
            hook.remove()
        for layer in replaced:
            del layer.forward
        model.train(was_training)
    written = table[:, 1 : width + 1]
    ends = (written == eos_id).cumsum(dim=1)
    return written.masked_fill(ends - (written == eos_id).long() > 0, 0)


def counted_transformer(init: dict[str, Any], state: dict[str, Any], training: bool, limits: dict[str, int]) -> Any:
    """The course's Transformer with these weights; counts the rows that pass through its layers while it is used.

    limits: for the encoder, the decoder's own positions, their keys, and the source's keys: so many rows and no more
    """
    from autograder.formats.fixtures import Watched
    from autograder.library.loading import load_state
    from autograder.library.operator_log import noting
    from autograder.library.unit_09_decoder import Transformer

    model = Transformer(**init)
    load_state(model, state)
    model.train(training)
    modes: set[bool] = set()
    rows = {"encoder": 0, "positions": 0, "keys": 0, "source keys": 0}
    kinds = {"self_attention.q_proj": "positions", "feed_forward.linear1": "positions", "self_attention.k_proj": "keys",
             "self_attention.v_proj": "keys", "cross_attention.k_proj": "source keys", "cross_attention.v_proj": "source keys"}
    first = {"encoder": model.encoder.blocks[0].feed_forward.linear1}

    def counter(kind: str) -> Any:
        def count(layer: nn.Module, given: tuple[Any, ...], made: Tensor) -> None:
            if "forward" not in vars(layer):  # otherwise it only hands out what it made before
                rows[kind] += made.shape[:-1].numel()
            modes.add(model.training)
        return count

    for layer in first.values():
        layer.register_forward_hook(counter("encoder"))
    for name, kind in kinds.items():
        model.decoder.blocks[-1].get_submodule(name).register_forward_hook(counter(kind))
    facts = {"encoder": "reads the source again", "positions": "computes old positions again",
             "keys": "computes old keys and values again", "source keys": "computes the source's keys again"}

    def joined_rows(operator: str, given: tuple[Any, ...], made: Any) -> None:
        """Queries, keys and values by one product pass by the layers that are counted above."""
        if operator in ("linear", "addmm", "mm", "bmm") and made.shape[-1] == 3 * init["d_model"]:
            rows["keys"] += made.shape[:-1].numel()

    def look() -> dict[str, bool]:
        told = {fact: rows[kind] > limits[kind] for kind, fact in facts.items()}
        return told | {"runs in training mode": True in modes, "leaves the model in another mode": model.training != training}

    return Watched(model, look, lambda: noting(joined_rows))


def training_step_autocast(
    model: nn.Module, batch: tuple[Tensor, Tensor], optimizer: torch.optim.Optimizer, device_type: str, dtype: torch.dtype
) -> float:
    """Unit 10's library-backed step on a model whose forward pass PyTorch's autocast wraps."""
    from autograder.library.unit_10_training import train_step

    class Cast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, source: Tensor, target: Tensor) -> Tensor:
            return torch.autocast(device_type=device_type, dtype=dtype)(self.inner)(source, target).float()

    return float(train_step(Cast(), batch, optimizer))


class RoundNumbers(nn.Module):
    """A model whose every product is exact in 16 bits as in 32. In training mode some features are dropped, always the same."""

    def __init__(self, state: dict[str, Tensor], notes: dict[str, Any], device_type: str, dtype: torch.dtype) -> None:
        super().__init__()
        for name, weight in state.items():
            self.register_parameter(name, nn.Parameter(weight.clone()))
        self.notes, self.device_type, self.dtype = notes, device_type, dtype

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        asked = torch.is_autocast_enabled(self.device_type) and torch.get_autocast_dtype(self.device_type) == self.dtype
        self.notes["multiplies in the type asked for"] = asked
        self.notes["holds float32 weights while it runs"] = all(weight.dtype == torch.float32 for weight in self.parameters())
        self.notes["is in training mode"] = self.training
        hidden = F.embedding(target, self.target_weight) + F.embedding(source[:, :1], self.source_weight)
        if self.training:
            hidden = hidden * 2.0 * (torch.arange(hidden.shape[-1]) % 3 != 1)
        logits = F.linear(hidden, self.output_weight)
        if logits.requires_grad:
            logits.register_hook(lambda grad: self._note_outside("leaves autocast before going backward"))
        return logits

    def _note_outside(self, fact: str) -> None:
        self.notes[fact] = not torch.is_autocast_enabled(self.device_type)


_ROUND: list[RoundNumbers] = []


def round_numbers(
    state: dict[str, Tensor], device_type: str, dtype: str, left_over: dict[str, Tensor] | None = None, evaluated: bool = False
) -> Any:
    """The model above, and after the call a look at its weights and at the number types in which it worked."""
    from autograder.formats.fixtures import Watched

    notes: dict[str, Any] = {}
    model = RoundNumbers(state, notes, device_type, getattr(torch, dtype)).train(not evaluated)
    for name, gradient in (left_over or {}).items():
        model.get_parameter(name).grad = gradient.clone()
    _ROUND[:] = [model]

    def look() -> dict[str, Any]:
        weights = dict(model.named_parameters())
        notes["keeps its weights in float32"] = all(weight.dtype == torch.float32 for weight in weights.values())
        return notes | {name: weight.detach().float().clone() for name, weight in weights.items()}

    return Watched(model, look)


def optimizer_of_round_numbers(rate: float) -> torch.optim.Optimizer:
    """An optimizer over the model that was made last; it notes whether autocast is on when it takes a step."""
    model = _ROUND[-1]
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    optimizer.register_step_pre_hook(lambda *unused: model._note_outside("leaves autocast before the step"))
    return optimizer


def number_type(called: str) -> torch.dtype:
    return getattr(torch, called)
