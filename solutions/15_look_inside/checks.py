"""What the checks of unit 15 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% part="variants"
def gpt(vocab, heads, d_head, num_layers, kv=None, d_ff=5):
    return dict(vocab_size=vocab, d_model=heads * d_head, num_heads=heads, num_kv_heads=kv or heads, num_layers=num_layers, d_ff=d_ff)

# %% exercise="induction_score" part="library"
import copy
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.library.unit_08_encoder import EncoderBlock
from autograder.library.unit_14_gpt import DecoderOnly


def induction_score(weights: Tensor, ids: Tensor) -> Tensor:
    """The place of a token's first occurrence is where `unique` meets it first; the weights are looked up there."""
    places = torch.arange(ids.shape[-1], device=ids.device)
    first = torch.where(ids.unsqueeze(-2) == ids.unsqueeze(-1), places, len(places)).amin(dim=-1)
    later = first < places
    behind = (first + 1).clamp(max=len(places) - 1)[:, None, :, None].expand(-1, weights.shape[1], -1, 1)
    looked = weights.gather(-1, behind).squeeze(-1) * later.unsqueeze(1)
    return looked.sum(dim=(0, 2)) / max(1, int(later.sum()))

# %% exercise="induction_score" part="variants"
def looked(rng, batch, heads, seq, ids, causal=True):
    """Attention weights of some heads, as a softmax gives them, and these ids."""
    scores = floats(rng, batch, heads, seq, seq, scale=1.5)
    if causal:
        scores = scores.masked_fill(~torch.ones(seq, seq, dtype=torch.bool).tril(), -torch.inf)
    return dict(weights=scores.softmax(dim=-1), ids=torch.as_tensor(ids))

@cases(dict(batch=2, heads=3, seq=7, kinds=4), dict(batch=3, heads=5, seq=9, kinds=6), low=3)
def drawn(rng, batch, heads, seq, kinds):
    """{batch} sentences of {seq} tokens out of {kinds}, {heads} heads"""
    ids = rng.integers(0, kinds, size=(batch, seq))
    ids[0, -1], ids[-1, 0] = ids[0, 0], 0
    return looked(rng, batch, heads, seq, ids)

@cases(dict(batch=3, heads=2, block=5), low=3, high=6)
def repeated(rng, batch, heads, block):
    """{batch} rows of {block} different tokens, read twice; {heads} heads"""
    once = np.stack([rng.permutation(block + 3)[:block] for _ in range(batch)])
    return looked(rng, batch, heads, 2 * block, np.concatenate([once, once], axis=1))

@cases()
def three_times(rng):
    """tokens that come three and four times, ids 0 and large ones among them"""
    return looked(rng, 2, 3, 8, [[0, 91, 0, 7, 91, 0, 91, 0], [5, 5, 5, 0, 12, 0, 5, 12]])

@cases()
def uneven(rng):
    """one sentence with many repeated tokens, one with a single one, one without any"""
    return looked(rng, 3, 2, 6, [[4, 4, 1, 4, 1, 4], [1, 2, 3, 4, 5, 2], [6, 5, 4, 3, 2, 1]])

@cases()
def none_repeated(rng):
    """no token is repeated"""
    return looked(rng, 2, 3, 5, [[1, 2, 3, 4, 5], [9, 8, 0, 6, 5]])

@cases()
def not_causal(rng):
    """weights on later places too, 2 heads"""
    return looked(rng, 1, 2, 7, [[3, 1, 2, 3, 2, 1, 3]], causal=False)

@cases()
def square(rng):
    """4 sentences of 4 tokens, 4 heads"""
    return looked(rng, 4, 4, 4, [[1, 2, 1, 2], [2, 2, 3, 2], [0, 1, 1, 0], [3, 0, 1, 3]])

# %% exercise="head_ablation" part="library"
def head_ablation(model: nn.Module, batch: Tensor, layer: int, head: int) -> float:
    """On a copy of the model, which is thrown away: the head's part of what the last projection reads, by its mean."""
    twin: Any = copy.deepcopy(model).eval()
    attention = twin.blocks[layer].self_attention

    @torch.no_grad()
    def loss() -> float:
        chances = twin(batch).log_softmax(dim=-1)[:, :-1]
        return -float(chances.gather(-1, batch[:, 1:, None]).mean())

    def levelled(_module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        parts = list(inputs[0].tensor_split(attention.num_heads, dim=-1))
        parts[head] = parts[head].flatten(0, 1).mean(dim=0).expand_as(parts[head])
        return torch.cat(parts, dim=-1)

    whole = loss()
    attention.out_proj.register_forward_pre_hook(levelled)
    return loss() - whole


def _spread(seed: int, *shape: int) -> Tensor:
    """Numbers from −1 to 1 without an order to be seen, the same on every machine: whole numbers, mixed bit by bit."""
    mixed = np.arange(1, math.prod(shape) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return torch.from_numpy((mixed / 2.0**63 - 1).astype(np.float32)).view(shape)


class _OtherModel(nn.Module):
    """Unit 08's blocks behind an embedding: with biases, with dropout, and with a last layer of its own."""

    def __init__(self, vocab_size: int, d_model: int, num_heads: int, num_layers: int, d_ff: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.blocks = nn.ModuleList(EncoderBlock(d_model, num_heads, d_ff, dropout=1.0) for _ in range(num_layers))
        self.output = nn.Linear(d_model, vocab_size)

    def forward(self, ids: Tensor) -> Tensor:
        seen = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
        return self.output(functools.reduce(lambda rows, block: block(rows, seen), self.blocks, self.embedding(ids)))


def model_under_watch(seed: int, training: bool = False, sizes: Any = None, other: bool = False) -> Any:
    """A model with weights made from `seed`, and a look at whether it was left as it was.

    sizes: of unit 14's `DecoderOnly`; other: unit 08's blocks instead
    """
    return _under_watch(seed, training, sizes, other)


def model_that_stops(seed: int, run: int, arguments: Any, training: bool = False, sizes: Any = None) -> Any:
    """The same, called with `arguments` besides; it raises an exception when it is run for the time `run`, counted from 1."""
    from autograder.formats.fixtures import Driver, Watched

    watched = _under_watch(seed, training, sizes, stops_at=run)

    def drive(used: Callable[..., Any]) -> float:
        watched.live.told["asked"] = True
        try:
            used(watched.live, **arguments)
        except _Stopped:
            watched.live.told["stopped"] = False
        watched.live.told["asked"] = False
        return 0.0

    return Watched(Driver(drive), watched.look)


class _Stopped(Exception):
    """What the model raises."""


def _under_watch(seed: int, training: bool, sizes: Any, other: bool = False, stops_at: int = 0) -> Any:
    from autograder.formats.fixtures import Watched

    model: Any = _OtherModel(**sizes) if other else DecoderOnly(**sizes)
    with torch.no_grad():
        for number, (name, weight) in enumerate(model.named_parameters()):
            drawn = _spread(seed + 1009 * number, *weight.shape)
            matrix = weight.ndim > 1
            gain = 4.0 if "q_proj" in name or "k_proj" in name else 2.5
            weight.copy_(drawn * gain * weight.shape[-1] ** -0.5 if matrix else 1 + drawn / 2 if "weight" in name else drawn / 2)
            weight.grad = torch.ones_like(weight)
    ids = torch.arange(2 * 5).view(2, 5) % sizes["vocab_size"]
    model.told = {"trained": False, "runs": 0, "stopped": False, "asked": not stops_at}

    def notice(module: Any, _given: tuple[Any, ...]) -> None:
        model.told["trained"] |= module.training
        model.told["runs"] += model.told["asked"]
        if stops_at and model.told["runs"] == stops_at and model.told["asked"]:
            model.told["stopped"] = True
            raise _Stopped("this model raises an exception, to see what your function leaves behind")

    def hooks() -> int:
        return sum(
            len(part._forward_hooks) + len(part._forward_pre_hooks) + ("forward" in vars(part)) for part in model.modules()
        )

    @torch.no_grad()
    def logits() -> Tensor:
        asked, mode, model.told["asked"] = model.told["asked"], model.training, False
        given = model.eval()(ids)
        model.train(mode)
        model.told["asked"] = asked
        return given

    model.register_forward_pre_hook(notice)
    model.train(training)
    before, first, count = {name: weight.detach().clone() for name, weight in model.named_parameters()}, logits(), hooks()

    def look() -> dict[str, bool]:
        weights = dict(model.named_parameters())
        end = " when the model raises" if stops_at else ""
        told = dict(model.told)
        facts = {
            "runs in training mode": told["trained"],
            f"leaves a hook behind{end}": hooks() > count,
            f"leaves another mode{end}": model.training != training,
        }
        if stops_at:
            return facts | {"swallows an exception": told["stopped"]}
        return facts | {
            "leaves other weights": any(not torch.equal(weights[name], weight) for name, weight in before.items()),
            "leaves other gradients": any(w.grad is None or bool((w.grad != 1).any()) for w in weights.values()),
            "leaves weights that do not learn": any(not weight.requires_grad for weight in weights.values()),
            "gives other logits": not torch.allclose(logits(), first, rtol=1e-4, atol=1e-5),
        }

    return Watched(model, look)

# %% exercise="head_ablation" part="variants"
without("one: seq", "one: d_head", "again", because="the last of the ids has no next one, RoPE turns pairs of numbers, and a model that is read twice is another case")

def ablation(rng, batch, seq, sizes, layer, head, **model):
    ids = torch.from_numpy(rng.integers(0, sizes["vocab_size"], size=(batch, seq)))
    return dict(model=fixture("model_under_watch", seed=int(rng.integers(2**31)), sizes=sizes, **model), batch=ids, layer=layer, head=head)

@cases(dict(batch=3, seq=5, vocab=11, heads=4, d_head=2, num_layers=3), dict(batch=2, seq=7, vocab=9, heads=3, d_head=4, num_layers=2), hidden=[dict(batch=3, seq=6, vocab=8, heads=5, d_head=2, num_layers=2), dict(batch=4, seq=5, vocab=7, heads=2, d_head=6, num_layers=3)])
def drawn(rng, batch, seq, vocab, heads, d_head, num_layers):
    """{num_layers} layers of {heads} heads, {batch} sentences of {seq} ids"""
    sizes = gpt(vocab, heads, d_head, num_layers)
    return [ablation(rng, batch, seq, sizes, *place) for place in ((num_layers - 1, heads - 1), (0, min(1, heads - 1)))]

@cases(dict(batch=2, seq=6, vocab=10, num_layers=2), hidden=[dict(batch=3, seq=5, vocab=9, num_layers=2)])
def grouped(rng, batch, seq, vocab, num_layers):
    """6 query heads of width 2 to 2 heads of keys and values, {num_layers} layers; head 3"""
    return ablation(rng, batch, seq, gpt(vocab, 6, 2, num_layers, kv=2), 1 if num_layers > 1 else 0, 3)

@cases(dict(batch=2, seq=5, vocab=8, heads=3, d_head=2), hidden=[dict(batch=3, seq=4, vocab=7, heads=4, d_head=2)])
def other_model(rng, batch, seq, vocab, heads, d_head):
    """another model: unit 08's blocks with biases, {heads} heads of width {d_head}; it comes in training mode, with dropout"""
    sizes = dict(vocab_size=vocab, d_model=heads * d_head, num_heads=heads, num_layers=2, d_ff=7)
    return ablation(rng, batch, seq, sizes, 1, heads - 1, other=True, training=True)

@cases()
def one_head(rng):
    """one layer with a single head of width 4"""
    return ablation(rng, 2, 4, gpt(6, 1, 4, 1), 0, 0)

@cases()
def square(rng):
    """4 sentences of 4 ids, 4 heads of width 4; layer 1, head 2"""
    return ablation(rng, 4, 4, gpt(7, 4, 4, 2), 1, 2)

def stops(rng, run):
    sizes = gpt(7, 2, 2, 2)
    arguments = dict(batch=torch.from_numpy(rng.integers(0, 7, size=(2, 5))), layer=1, head=1)
    return dict(model=fixture("model_that_stops", seed=int(rng.integers(2**31)), run=run, training=True, sizes=sizes, arguments=arguments), **arguments)

@cases()
def stops_at_once(rng):
    """a model that raises an exception when it is run for the first time"""
    return stops(rng, 1)

@cases()
def stops_later(rng):
    """a model that raises an exception when it is run for the second time"""
    return stops(rng, 2)

# %% exercise="attention_rollout" part="library"
def attention_rollout(weights: Sequence[Tensor]) -> Tensor:
    """PyTorch's normalisation by the sum of sizes, and a product from the last layer down."""
    steps = []
    for layer in weights:
        mixed = layer.mean(dim=0)
        steps.append(F.normalize(mixed + torch.diag_embed(torch.ones_like(mixed[0])), p=1.0, dim=-1))
    return functools.reduce(torch.matmul, reversed(steps))

# %% exercise="attention_rollout" part="variants"
def layers(rng, seq, heads, causal=True, scale=1.5):
    """Attention weights of one layer for each number of heads."""
    seen = torch.ones(seq, seq, dtype=torch.bool).tril() if causal else torch.ones(seq, seq, dtype=torch.bool)
    return [floats(rng, count, seq, seq, scale=scale).masked_fill(~seen, -torch.inf).softmax(dim=-1) for count in heads]

@cases(dict(seq=5, heads=3), dict(seq=7, heads=2), low=2)
def causal(rng, seq, heads):
    """three layers of {heads} heads, {seq} tokens, causal"""
    return dict(weights=layers(rng, seq, [heads] * 3))

@cases(dict(seq=6, heads=4), low=2)
def both_ways(rng, seq, heads):
    """two layers of {heads} heads, {seq} tokens, every token sees every other"""
    return dict(weights=layers(rng, seq, [heads] * 2, causal=False))

@cases(dict(seq=4, first=2, second=5), low=2)
def other_heads(rng, seq, first, second):
    """a layer of {first} heads, then one of {second}; {seq} tokens"""
    return dict(weights=layers(rng, seq, [first, second], causal=False))

@cases(dict(seq=5, heads=2), low=2)
def one_layer(rng, seq, heads):
    """a single layer of {heads} heads, {seq} tokens"""
    return dict(weights=layers(rng, seq, [heads], causal=False))

@cases(dict(seq=6, heads=3), low=3)
def hidden_rows(rng, seq, heads):
    """two layers of {heads} heads, {seq} tokens; in the first, one token sees nothing: its row of weights is 0"""
    weights = layers(rng, seq, [heads] * 2, causal=False)
    weights[0][:, seq // 2] = 0.0
    return dict(weights=weights)

@cases()
def square(rng):
    """four layers of 4 heads, 4 tokens"""
    return dict(weights=layers(rng, 4, [4] * 4))

# %% exercise="logit_lens" part="library"
def logit_lens(model: nn.Module, ids: Tensor) -> Tensor:
    """The same model with its first block alone, then with two, and so on: it applies norm and table by itself."""
    whole: Any = model
    found = []
    for depth in range(1, len(whole.blocks) + 1):
        shorter = copy.copy(model)
        shorter._modules = dict(model._modules)
        shorter.blocks = nn.ModuleList(list(whole.blocks)[:depth])
        with torch.no_grad():
            found.append(shorter(ids))
    return torch.stack(found)

# %% exercise="logit_lens" part="variants"
without("one: d_head", "again", because="RoPE turns pairs of numbers, and a model that is read twice is another case")

def lens(rng, batch, seq, sizes, **model):
    ids = torch.from_numpy(rng.integers(0, sizes["vocab_size"], size=(batch, seq)))
    return dict(model=fixture("model_under_watch", seed=int(rng.integers(2**31)), sizes=sizes, **model), ids=ids)

@cases(dict(batch=2, seq=5, vocab=9, heads=2, d_head=4, num_layers=3), dict(batch=3, seq=4, vocab=7, heads=3, d_head=2, num_layers=2), hidden=[dict(batch=3, seq=6, vocab=8, heads=2, d_head=2, num_layers=4), dict(batch=2, seq=3, vocab=11, heads=5, d_head=2, num_layers=3)])
def drawn(rng, batch, seq, vocab, heads, d_head, num_layers):
    """{num_layers} layers, {batch} sentences of {seq} ids, {vocab} in the vocabulary"""
    return lens(rng, batch, seq, gpt(vocab, heads, d_head, num_layers))

@cases()
def grouped(rng):
    """4 query heads to 2 heads of keys and values, 2 layers"""
    return lens(rng, 3, 5, gpt(8, 4, 2, 2, kv=2))

@cases()
def one_layer(rng):
    """a single layer"""
    return lens(rng, 2, 4, gpt(7, 2, 4, 1))

@cases()
def square(rng):
    """4 layers, 4 sentences of 4 ids, 4 in the vocabulary, width 4"""
    return lens(rng, 4, 4, gpt(4, 2, 2, 4))

@cases()
def stops_at_once(rng):
    """a model that raises an exception"""
    arguments = dict(ids=torch.from_numpy(rng.integers(0, 7, size=(2, 5))))
    return dict(model=fixture("model_that_stops", seed=int(rng.integers(2**31)), run=1, sizes=gpt(7, 2, 2, 2), arguments=arguments), **arguments)
