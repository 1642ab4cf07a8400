"""What the checks of unit 15 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% part="variants"
import copy
import functools
import math

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
def one_repeated(rng):
    """a single token of two sentences is repeated"""
    given = looked(rng, 2, 3, 4, [[4, 1, 6, 4], [0, 3, 2, 1]])
    given["weights"][0, :, 3] = torch.tensor([[0.05, 0.9, 0.05, 0.0], [0.25, 0.5, 0.125, 0.125], [0.0, 0.75, 0.0, 0.25]])
    return given

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

BEHIND = "It looks at the place right behind the token's first occurrence: one column further to the right."
MEAN = "The score is a mean over all repeated places of the batch: what they look at, added up, over their number."
def moved(table, by):
    """The same table, its columns further to the right; what leaves it is lost."""
    seq = table.shape[-1]
    return F.pad(table, (by, 0))[..., :seq] if by >= 0 else F.pad(table, (0, -by))[..., -by:]

def the_same(ids):
    return ids[:, :, None] == ids[:, None, :]

def earlier(ids):
    return the_same(ids).tril(-1)

def firsts(ids):
    return earlier(ids) & ~earlier(ids).any(-1)[:, None, :]

def latest(ids):
    found = earlier(ids)
    return found & (found.flip(-1).cumsum(-1).flip(-1) == 1)

def diagonal(ids):
    seq = ids.shape[1]
    return torch.ones(len(ids), seq, seq, dtype=torch.bool).tril(1 - seq // 2).triu(1 - seq // 2)

targets = {
    "right": (lambda ids: moved(firsts(ids), 1), ""),
    "at-first": (firsts, f"your score looks at the first occurrence itself. {BEHIND}"),
    "before-first": (lambda ids: moved(firsts(ids), -1), f"your score looks at the place *before* the first occurrence. {BEHIND}"),
    "two-behind": (lambda ids: moved(firsts(ids), 2), f"your score looks two places behind the first occurrence. {BEHIND}"),
    "behind-latest": (lambda ids: moved(latest(ids), 1), "a token that comes a third time looks, with you, behind its latest occurrence. It, too, looks behind the **first** one."),
    "at-latest": (latest, f"your score looks at the latest earlier occurrence itself. {BEHIND}"),
    "behind-every": (lambda ids: moved(earlier(ids), 1), "a token that comes a third time looks, with you, behind every earlier occurrence. Only the first one counts."),
    "at-every": (earlier, f"your score looks at all earlier occurrences themselves. {BEHIND}"),
    "second-only": (lambda ids: moved(firsts(ids), 1) & (earlier(ids).sum(-1) == 1)[..., None], "only second occurrences count in your score. A token that comes a third time is a repeated one as well."),
    "last-only": (lambda ids: moved(firsts(ids), 1) & ~the_same(ids).triu(1).any(-1)[..., None], "only the last occurrence of each token counts in your score. Every occurrence but the first one does."),
    "firsts-too": (lambda ids: moved(firsts(ids) | (torch.eye(ids.shape[1], dtype=torch.bool) & ~earlier(ids).any(-1)[..., None]), 1), "places whose token stands there for the first time count in your score as well. Only repeated ones do."),
    "from-behind": (lambda ids: moved(moved(firsts(ids), 1).mT, 1).mT, "your score starts at the place *behind* the repeated token. The query is the repeated token itself."),
    "from-first": (lambda ids: moved(firsts(ids).mT, 1), "query and key have changed places: you start at the first occurrence and look behind the later one. It is the later one that looks back."),
    "transposed": (lambda ids: moved(firsts(ids), 1).mT, "your weights are read with rows and columns exchanged. Queries are rows: `weights[b, h, i, j]` is what query i gives to key j."),
    "zero-is-padding": (lambda ids: moved(firsts(ids), 1) & (ids != 0)[..., None], "places with the id 0 are left out. 0 is a token like any other here."),
    "half-way-back": (diagonal, "your score looks along one diagonal, half a sentence back. That fits rows that are read exactly twice; in general, the ids say where a token stood first."),
    "ids-of-first": (lambda ids: moved(firsts(ids[:1]), 1).expand(len(ids), -1, -1), "all sentences are read by the tokens of the first one. Each has its own."),
    "any-later": (lambda ids: moved(firsts(ids).any(-2), 1)[:, None, :] & earlier(ids).any(-1)[..., None], "each repeated token looks, with you, behind the first occurrences of *all* repeated tokens. It looks behind its own."),
}
averages = {
    "right": (lambda w, m: (w * m).sum((0, 2, 3)) / m.sum().clamp(min=1), ""),
    "nan": (lambda w, m: (w * m).sum((0, 2, 3)) / m.sum(), "where no token is repeated your score is NaN: a mean over nothing is 0 divided by 0. There it is 0."),
    "sum": (lambda w, m: (w * m).sum((0, 2, 3)), f"your score is a sum. {MEAN}"),
    "over-all-places": (lambda w, m: (w * m).sum((0, 2, 3)) / (m.shape[0] * m.shape[-1]), f"your sum is divided by the number of all places, repeated or not. {MEAN}"),
    "over-all-entries": (lambda w, m: (w * m).mean((0, 2, 3)), f"your mean runs over all queries and all keys. {MEAN}"),
    "over-batch": (lambda w, m: (w * m).sum((0, 2, 3)) / len(m), f"your sum is divided by the number of sentences. {MEAN}"),
    "of-sentences": (lambda w, m: ((w * m).sum((2, 3)) / m.sum((1, 2, 3), keepdim=True)[..., 0, 0].clamp(min=1)).mean(0), "your score is the mean of each sentence's own mean. All repeated places count alike, so a sentence with many of them counts more."),
    "of-sentences-with-any": (lambda w, m: ((w * m).sum((2, 3)) / m.sum((1, 2, 3), keepdim=True)[..., 0, 0].clamp(min=1)).sum(0) / m.any(-1).any(-1).any(-1).sum().clamp(min=1), "your score is the mean of each sentence's own mean, over those that repeat something. All repeated places count alike, so a sentence with many of them counts more."),
    "each-sentence": (lambda w, m: (w * m).sum((2, 3)) / m.sum((1, 2, 3), keepdim=True)[..., 0, 0].clamp(min=1), "your scores are (batch, num_heads). The batch is averaged too: one number for each head."),
    "heads-too": (lambda w, m: (w * m).sum() / m.sum().clamp(min=1) / w.shape[1], "your score is one number. It is one for each head."),
    "heads-averaged-into": (lambda w, m: ((w * m).sum() / m.sum().clamp(min=1) / w.shape[1]).expand(w.shape[1]), "all your heads have the same score, the mean over the heads. Each has its own."),
    "largest": (lambda w, m: (w * m).amax((0, 2, 3)), f"your score is the largest weight. {MEAN}"),
    "first-sentence": (lambda w, m: (w * m)[0].sum((1, 2)) / m[0].sum().clamp(min=1), "your score looks at the first sentence of the batch alone."),
    "one-more": (lambda w, m: (w * m).sum((0, 2, 3)) / (m.sum() + 1), f"your sum is divided by one more than the number of repeated places. {MEAN}"),
    "epsilon": (lambda w, m: (w * m).sum((0, 2, 3)) / (m.sum() + 0.01), "a number is added to what you divide by, so your score is a little too small everywhere. Only where nothing is repeated the division needs care."),
    "one-at-none": (lambda w, m: (w * m).sum((0, 2, 3)) / m.sum() if m.any() else torch.ones(w.shape[1]), "where no token is repeated your score is 1. There it is 0."),
    "nothing-at-none": (lambda w, m: (w * m).sum((0, 2, 3)) / m.sum() if m.any() else None, "where no token is repeated your function returns nothing. There the score of each head is 0."),
    "a-number-at-none": (lambda w, m: (w * m).sum((0, 2, 3)) / m.sum() if m.any() else torch.tensor(0.0), "where no token is repeated you return a single number. It is still one for each head: zeros."),
}

def scorer(target="right", average="right", weigh=lambda w: w):
    def induction_score(weights, ids):
        return averages[average][0](weigh(weights), targets[target][0](ids)[:, None])
    return induction_score

for name, (_, says) in targets.items():
    if name != "right":
        wrong(f"looks-{name}", says=says)(scorer(target=name))
for name, (_, says) in averages.items():
    if name != "right":
        wrong(f"mean-{name}", says=says)(scorer(average=name))
for target in ("at-first", "behind-latest", "behind-every", "second-only", "transposed"):
    for average in ("nan", "of-sentences", "over-all-places", "sum"):
        wrong(f"{target}+{average}", says=two_things(targets[target][1], averages[average][1]))(scorer(target, average))
wrong("softmax-again", says="your code takes a softmax of the weights. They are weights already.")(scorer(weigh=lambda w: w.softmax(-1)))
wrong("in-percent", says="your score is in percent. It is a share, from 0 to 1.")(scorer(weigh=lambda w: 100 * w))
wrong("nothing", ("return total / behind.sum().clamp(min=1)", "total / behind.sum().clamp(min=1)"), says="your function ends without giving anything back: is a `return` missing?")

@wrong("remembers", says="your dict of first occurrences is kept from one sentence to the next. A token that stood in another sentence is not repeated: begin anew for each.")
def remembers(weights, ids):
    first, found = {}, []
    for b, row in enumerate(ids.tolist()):
        for i, token in enumerate(row):
            if token in first and first[token] + 1 < ids.shape[1]:
                found.append(weights[b, :, i, first[token] + 1])
            first.setdefault(token, i)
    return torch.stack(found).mean(0) if found else torch.zeros(weights.shape[1])

@wrong("place-zero", says="tokens that stand first at place 0 are taken for new ones when they come again. Is a place of 0 read as \"not found\"?")
def place_zero(weights, ids):
    found = []
    for b, row in enumerate(ids.tolist()):
        first = {}
        for i, token in enumerate(row):
            if first.get(token):
                found.append(weights[b, :, i, first[token] + 1])
            else:
                first[token] = i
    return torch.stack(found).mean(0) if found else torch.zeros(weights.shape[1])

@right
def by_dict(weights, ids):
    found = []
    for b, row in enumerate(ids.tolist()):
        first = {}
        for i, token in enumerate(row):
            if token in first:
                found.append(weights[b, :, i, first[token] + 1])
            else:
                first[token] = i
    return torch.stack(found).mean(dim=0) if found else torch.zeros(weights.shape[1])

@right
def by_index(weights, ids):
    seq = ids.shape[1]
    first = (ids[:, :, None] == ids[:, None, :]).int().argmax(dim=-1)
    b, i = torch.nonzero(first < torch.arange(seq), as_tuple=True)
    if len(b) == 0:
        return weights.new_zeros(weights.size(1))
    return weights[b, :, i, first[b, i] + 1].mean(0)

@right
def by_einsum(weights, ids):
    where = moved(firsts(ids), 1).float()
    return torch.einsum("bhij,bij->h", weights, where) / max(where.sum().item(), 1.0)

@right
def nan_to_zero(weights, ids):
    where = moved(firsts(ids), 1)
    picked = weights.transpose(0, 1)[:, where]
    return torch.nan_to_num(picked.mean(dim=1))

@right
def with_a_tiny_number(weights, ids):
    where = moved(firsts(ids), 1)[:, None].to(weights.dtype)
    return (weights * where).sum(dim=[0, 2, 3]) / (where.sum() + 1e-9)

@right
def row_by_row(weights, ids):
    total, count = torch.zeros(weights.shape[1], dtype=torch.float64), 0
    for w, row in zip(weights, ids):
        for i in range(1, len(row)):
            places = (row[:i] == row[i]).nonzero().flatten()
            if len(places):
                total, count = total + w[:, i, places[0] + 1].double(), count + 1
    return (total / count if count else total).float()

@truth
def in_numbers(weights, ids):
    """Python's own search in a list, and a sum in float64, head by head."""
    rows, answers = ids.tolist(), []
    for h in range(weights.shape[1]):
        looked = [float(weights[b, h, i, row.index(row[i]) + 1]) for b, row in enumerate(rows) for i in range(len(row)) if row.index(row[i]) < i]
        answers.append(math.fsum(looked) / len(looked) if looked else 0.0)
    return torch.tensor(answers, dtype=torch.float64)

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
        try:
            given = model.eval()(ids)
        except Exception:  # whatever is left in it
            given = torch.full_like(ids, torch.nan, dtype=torch.float32)[..., None]
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
            f"gives other logits{end}": not torch.allclose(logits(), first, rtol=1e-3, atol=1e-3),
        }
        if stops_at:
            return facts | {"swallows an exception": told["stopped"]}
        return facts | {
            "leaves other weights": any(not torch.equal(weights[name], weight) for name, weight in before.items()),
            "leaves other gradients": any(w.grad is None or bool((w.grad != 1).any()) for w in weights.values()),
            "leaves weights that do not learn": any(not weight.requires_grad for weight in weights.values()),
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

EVERYWHERE = "The mean is over all places of all sentences, for each of the head's numbers by itself."
WHICH = "Head `head` has the d_head numbers from `head * d_head` on, in what goes into `out_proj`."
UNDO = "What must be undone in any case belongs into a `finally`."
levels = {
    "right": (lambda z, h: z.mean((0, 1)), ""),
    "zero": (lambda z, h: 0 * z, f"you set the head's numbers to 0. Set them to their mean. {EVERYWHERE}"),
    "of-each-sentence": (lambda z, h: z.mean(1, keepdim=True), f"each sentence gets a mean of its own. {EVERYWHERE}"),
    "of-each-place": (lambda z, h: z.mean(0, keepdim=True), f"each place gets a mean of its own, over the sentences. {EVERYWHERE}"),
    "of-the-numbers": (lambda z, h: z.mean(-1, keepdim=True), f"your mean runs over the head's own numbers, place by place. {EVERYWHERE}"),
    "one-number": (lambda z, h: z.mean(), f"all of the head's numbers become one and the same, the mean of them all. {EVERYWHERE}"),
    "first-sentence": (lambda z, h: z[0].mean(0), f"your mean is the first sentence's. {EVERYWHERE}"),
    "first-place": (lambda z, h: z[:, :1], f"each sentence's first place stands everywhere in it. {EVERYWHERE}"),
    "last-place": (lambda z, h: z[:, -1:], f"each sentence's last place stands everywhere in it. {EVERYWHERE}"),
    "sum": (lambda z, h: z.sum((0, 1)), f"you set the head's numbers to their sum. {EVERYWHERE}"),
    "mean-taken-away": (lambda z, h: z - z.mean((0, 1)), "you take the mean away from the head's numbers. The mean is what stays."),
    "mean-of-all-heads": (lambda z, h: h.unflatten(-1, (-1, z.shape[-1])).mean((0, 1, 2)), "the head's numbers become the mean over all heads. Each head has a mean of its own."),
    "median": (lambda z, h: z.flatten(0, 1).median(0).values, f"you take a median. {EVERYWHERE}"),
    "ones": (lambda z, h: torch.ones_like(z), f"you set the head's numbers to 1. Set them to their mean. {EVERYWHERE}"),
}
columns = {
    "right": (lambda a, h, w: slice(h * w // a.num_heads, (h + 1) * w // a.num_heads), ""),
    "next-head": (lambda a, h, w: slice((h + 1) % a.num_heads * w // a.num_heads, ((h + 1) % a.num_heads + 1) * w // a.num_heads), f"you ablate the head behind the one that is asked for; heads are counted from 0. {WHICH}"),
    "head-before": (lambda a, h, w: slice((h - 1) % a.num_heads * w // a.num_heads, ((h - 1) % a.num_heads + 1) * w // a.num_heads), f"you ablate the head before the one that is asked for; heads are counted from 0. {WHICH}"),
    "first-head": (lambda a, h, w: slice(0, w // a.num_heads), f"you ablate head 0 whatever `head` says. {WHICH}"),
    "counted-from-the-end": (lambda a, h, w: slice((a.num_heads - 1 - h) * w // a.num_heads, (a.num_heads - h) * w // a.num_heads), f"your heads are counted from the end. {WHICH}"),
    "every-nth": (lambda a, h, w: slice(h, None, a.num_heads), f"you take every num_heads-th number, beginning at `head`. {WHICH}"),
    "heads-for-width": (lambda a, h, w: slice(h * a.num_heads, (h + 1) * a.num_heads), f"your slice is `num_heads` wide. It must be d_head wide. {WHICH}"),
    "four-heads": (lambda a, h, w: slice(h * (w // 4), (h + 1) * (w // 4)), f"your d_head is a quarter of the width, whatever `num_heads` says. {WHICH}"),
    "one-column": (lambda a, h, w: slice(h, h + 1), f"you ablate a single number, column `head`. A head has d_head of them. {WHICH}"),
    "from-there-on": (lambda a, h, w: slice(h * w // a.num_heads, None), f"you ablate the head and all behind it: your slice does not end. {WHICH}"),
    "up-to-there": (lambda a, h, w: slice(0, (h + 1) * w // a.num_heads), f"you ablate the head and all before it: your slice begins at 0. {WHICH}"),
    "empty": (lambda a, h, w: slice(h * w // a.num_heads, w // a.num_heads), f"for every head but the first your slice is empty, or lies outside of what goes into `out_proj`, so nothing is ablated. It goes from head * d_head to (head + 1) * d_head, with this layer's own d_head. {WHICH}"),
    "all-heads": (lambda a, h, w: slice(None), f"the whole layer is ablated, all heads of it. {WHICH}"),
    "the-others": (lambda a, h, w: [i for i in range(w) if i * a.num_heads // w != h], f"you ablate all heads but the one that is asked for. {WHICH}"),
    "by-width": (lambda a, h, w: slice(h * (a.out_proj.in_features // a.num_heads), (h + 1) * (a.out_proj.in_features // a.num_heads)), ""),
    "kv-heads": (lambda a, h, w: slice(h * (w // getattr(a, "num_kv_heads", a.num_heads)), (h + 1) * (w // getattr(a, "num_kv_heads", a.num_heads))), f"where heads share keys and values, your d_head is too large: you divide by the number of key heads. `num_heads` counts the query heads, and these stand in front of `out_proj`. {WHICH}"),
}
answers = {
    "right": (lambda ablated, whole: ablated - whole, ""),
    "turned-round": (lambda ablated, whole: whole - ablated, "your difference is the wrong way round: ablated minus whole."),
    "absolute": (lambda ablated, whole: abs(ablated - whole), "your result has lost its sign. A loss may also fall when a head is ablated."),
    "ablated-alone": (lambda ablated, whole: ablated, "you return the loss of the ablated model. Return by how much it grows: minus the whole model's."),
    "whole-alone": (lambda ablated, whole: whole, "you return the loss of the whole model. Return by how much it grows when the head is ablated."),
    "ratio": (lambda ablated, whole: ablated / whole, "you return a ratio. Return the difference: ablated minus whole."),
    "share": (lambda ablated, whole: (ablated - whole) / whole, "you divide the difference by the whole model's loss. Return the difference itself."),
    "not-below-zero": (lambda ablated, whole: max(ablated - whole, 0.0), "where the loss falls you return 0. The difference may be negative."),
    "both": (lambda ablated, whole: (ablated, whole), "you return both losses. Return their difference: ablated minus whole."),
    "always-zero": (lambda ablated, whole: 0.0, "your result is 0 everywhere: the second loss was measured with the same model as the first. Is the head ablated while you measure?"),
    "logarithm": (lambda ablated, whole: math.exp(ablated) - math.exp(whole), "your difference is between perplexities, exp of the losses. Take the losses themselves."),
}
choices = {
    "right": (lambda model, layer: [model.blocks[layer].self_attention], ""),
    "first-layer": (lambda model, layer: [model.blocks[0].self_attention], "you ablate a head of layer 0 whatever `layer` says."),
    "last-layer": (lambda model, layer: [model.blocks[-1].self_attention], "you ablate a head of the last layer whatever `layer` says."),
    "layer-before": (lambda model, layer: [model.blocks[layer - 1].self_attention], "you ablate a head of the layer before (or, from layer 0, of the last one); layers are counted from 0."),
    "layer-behind": (lambda model, layer: [model.blocks[(layer + 1) % len(model.blocks)].self_attention], "you ablate a head of the layer behind (or, from the last one, of layer 0); layers are counted from 0."),
    "all-layers": (lambda model, layer: [block.self_attention for block in model.blocks], "you ablate the head in every layer. Only layer `layer` is asked for."),
}

def ablater(level="right", column="right", answer="right", choice="right", into=lambda a: a.out_proj, out=False, evaluate=True, restore=True, remove="always", loss=None, swallow=False):
    def head_ablation(model, batch, layer, head):
        hooks = []
        def replaced(x, attention):
            own = columns[column][0](attention, head, x.shape[-1])
            x = x.clone()
            x[..., own] = levels[level][0](x[..., own], x).to(x.dtype)
            return x
        measure = loss or next_token_loss
        was = model.training
        if evaluate:
            model.eval()
        try:
            whole = measure(model, batch)
            for attention in choices[choice][0](model, layer):
                if out:
                    hooks.append(into(attention).register_forward_hook(lambda m, i, o, a=attention: replaced(o, a)))
                else:
                    hooks.append(into(attention).register_forward_pre_hook(lambda m, i, a=attention: (replaced(i[0], a),)))
            ablated = measure(model, batch)
        except Exception:
            if remove == "always":
                for hook in hooks:
                    hook.remove()
            if restore is True:
                model.train(was)
            if swallow:
                return 0.0
            raise
        if remove:
            for hook in hooks:
                hook.remove()
        if restore:
            model.train(was)
        return answers[answer][0](ablated, whole)
    return head_ablation

for name, (_, says) in levels.items():
    if name != "right":
        wrong(f"mean-{name}", says=says)(ablater(level=name))
for name, (_, says) in columns.items():
    if says:
        wrong(f"slice-{name}", says=says)(ablater(column=name))
for name, (_, says) in answers.items():
    if name != "right":
        wrong(f"answer-{name}", says=says)(ablater(answer=name))
for name, (_, says) in choices.items():
    if name != "right":
        wrong(f"layer-{name}", says=says)(ablater(choice=name))
AFTER = "you take hold of the wrong numbers: those that come *out of* `out_proj`, where all heads are mixed already."
wrong("output-slice", says=f"{AFTER} {WHICH}")(ablater(into=lambda a: a.out_proj, out=True))
wrong("output-whole", says=columns["all-heads"][1])(ablater(into=lambda a: a.out_proj, out=True, column="all-heads"))
wrong("values", says=f"you ablate the head's *values* (what comes out of `v_proj`), before they are weighed. {WHICH}")(ablater(column="by-width", into=lambda a: a.v_proj, out=True))
wrong("queries", says=f"you ablate the head's queries: it then looks somewhere else, and still answers. {WHICH}")(ablater(column="by-width", into=lambda a: a.q_proj, out=True))
wrong("keys", says=f"you ablate the head's keys: it then looks somewhere else, and still answers. {WHICH}")(ablater(column="by-width", into=lambda a: a.k_proj, out=True))
wrong("layer-input", says=f"you take a slice of what goes into the attention layer (`q_proj`), which no head owns. {WHICH}")(ablater(into=lambda a: a.q_proj))
wrong("block-input", says=f"you take a slice of what goes into the *block*, which no head owns. {WHICH}")(lambda model, batch, layer, head: of_the_stream(model, batch, layer, head))

def of_the_stream(model, batch, layer, head):
    block, was, hooks = model.blocks[layer], model.training, []
    def replaced(module, given):
        x, own = given[0].clone(), columns["by-width"][0](block.self_attention, head, 0)
        x[..., own] = x[..., own].mean((0, 1))
        return (x, *given[1:])
    model.eval()
    try:
        whole = next_token_loss(model, batch)
        hooks.append(block.register_forward_pre_hook(replaced))
        return next_token_loss(model, batch) - whole
    finally:
        [hook.remove() for hook in hooks]
        model.train(was)

for column in ("next-head", "every-nth", "kv-heads", "all-heads", "heads-for-width"):
    for level in ("zero", "of-each-sentence", "of-each-place", "one-number"):
        wrong(f"{column}+{level}", says=two_things(columns[column][1], levels[level][1]))(ablater(level, column))
for answer in ("turned-round", "absolute", "ablated-alone"):
    for level in ("zero", "of-each-sentence", "of-each-place"):
        wrong(f"{answer}+{level}", says=two_things(answers[answer][1], levels[level][1]))(ablater(level, answer=answer))
wrong("output+zero", says=two_things(AFTER, levels["zero"][1]))(ablater("zero", into=lambda a: a.out_proj, out=True))

def unshifted(model, ids):
    with torch.no_grad():
        return F.cross_entropy(model(ids).flatten(0, 1), ids.flatten()).item()

def summed(model, ids):
    with torch.no_grad():
        return F.cross_entropy(model(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), reduction="sum").item()

def last_only(model, ids):
    with torch.no_grad():
        return F.cross_entropy(model(ids)[:, -2], ids[:, -1]).item()

wrong("loss-unshifted", says="your loss compares each place's logits with the token that stands there, not with the next one. `next_token_loss` shifts them.")(ablater(loss=unshifted))
wrong("loss-summed", says="your losses are sums over all places. `next_token_loss` is a mean.")(ablater(loss=summed))
wrong("loss-last-place", says="your loss looks at the last token alone. `next_token_loss` is a mean over all places.")(ablater(loss=last_only))
wrong("no-eval", says="the model runs in training mode while your function measures, so dropout has a say in what it finds. Put the model into evaluation mode first.")(ablater(evaluate=False))
wrong("left-in-eval", says="a model that came in training mode is left in evaluation mode. Put it back as it was.")(ablater(restore=False))
wrong("mode-not-in-finally", says=f"when the model raises an exception, it stays in evaluation mode. {UNDO}")(ablater(restore="later"))
wrong("hook-left", says="your hook is never removed: from now on the model computes something else. Keep what `register_forward_pre_hook` returns, and call its `remove()`.")(ablater(remove=""))
wrong("hook-not-in-finally", says=f"when the model raises an exception, your hook stays in it. {UNDO}")(ablater(remove="later"))
wrong("nothing-in-finally", says=f"when the model raises an exception, your hook stays in it, and it stays in evaluation mode. {UNDO}")(ablater(remove="later", restore="later"))
wrong("hook-and-mode-left", says=two_things("your hook is never removed.", "the model is left in evaluation mode."))(ablater(remove="", restore=False))
wrong("swallows", says="the model raised an exception, and your function went on as if it had not. Undo what must be undone, and let the exception through to the caller.")(ablater(swallow=True))
wrong("zero-hook-left", says=two_things("your hook is never removed.", levels["zero"][1]))(ablater("zero", remove=""))

@wrong("always-training", says="a model that came in evaluation mode is left in training mode. Put it back as it was.")
def always_training(model, batch, layer, head):
    value = ablater()(model, batch, layer, head)
    model.train()
    return value

@wrong("weights-averaged", says="you change the *weights* of `out_proj`. The head's output becomes its mean: numbers that flow through the model, not its weights.")
def weights_averaged(model, batch, layer, head):
    attention, was = model.blocks[layer].self_attention, model.training
    own, weight = columns["by-width"][0](attention, head, 0), attention.out_proj.weight.data
    kept = weight.clone()
    model.eval()
    try:
        whole = next_token_loss(model, batch)
        weight[:, own] = weight[:, own].mean()
        return next_token_loss(model, batch) - whole
    finally:
        weight.copy_(kept)
        model.train(was)

@wrong("weights-set-to-zero", says="you change the weights of `out_proj` and leave them so. The model must stay as it came, and the head's numbers become their mean, not 0.")
def weights_set_to_zero(model, batch, layer, head):
    was = model.training
    model.eval()
    try:
        whole = next_token_loss(model, batch)
        attention = model.blocks[layer].self_attention
        d = attention.out_proj.in_features // attention.num_heads
        with torch.no_grad():
            attention.out_proj.weight[:, head * d : (head + 1) * d] = 0
        return next_token_loss(model, batch) - whole
    finally:
        model.train(was)

wrong("nothing", ("return next_token_loss(model, batch) - whole", "next_token_loss(model, batch) - whole"), says="your function ends without giving anything back: is a `return` missing?")

@right
def on_a_copy(model, batch, layer, head):
    twin = copy.deepcopy(model).eval()
    whole = next_token_loss(twin, batch)
    attention = twin.blocks[layer].self_attention
    d = attention.out_proj.weight.shape[1] // attention.num_heads
    def hook(module, args):
        x = args[0].clone()
        x[:, :, d * head : d * (head + 1)] = x[:, :, d * head : d * (head + 1)].mean(dim=[0, 1], keepdim=True)
        return x
    attention.out_proj.register_forward_pre_hook(hook)
    return torch.tensor(next_token_loss(twin, batch)) - whole

@right
def mean_first(model, batch, layer, head):
    """One run to learn the mean, one to use it; the projection's own method is replaced meanwhile."""
    attention, was = model.blocks[layer].self_attention, model.training
    projection, seen = attention.out_proj, []
    d = projection.in_features // attention.num_heads
    model.train(False)
    try:
        projection.forward = lambda x: (seen.append(x), F.linear(x, projection.weight, projection.bias))[1]
        whole = next_token_loss(model, batch)
        mean = seen[0].flatten(0, 1).mean(0)
        chosen = torch.zeros(projection.in_features, dtype=torch.bool)
        chosen[head * d : head * d + d] = True
        projection.forward = lambda x: F.linear(torch.where(chosen, mean, x), projection.weight, projection.bias)
        ablated = next_token_loss(model, batch)
    finally:
        vars(projection).pop("forward", None)
        model.train(was)
    return ablated - whole

@right
def by_a_forward_hook(model, batch, layer, head):
    """What comes out of the projection is computed anew from other inputs."""
    attention, mode = model.blocks[layer].self_attention, model.training
    def anew(module, inputs, output):
        parts = inputs[0].unflatten(-1, (attention.num_heads, -1)).clone()
        parts[:, :, head] = parts[:, :, head].mean(dim=1).mean(dim=0)
        return F.linear(parts.flatten(-2), module.weight, module.bias)
    model.eval()
    hook = attention.out_proj.register_forward_hook(anew)
    try:
        ablated = next_token_loss(model, batch)
        hook.remove()
        return ablated - next_token_loss(model, batch)
    finally:
        hook.remove()
        model.train(mode)

@right
def another_module(model, batch, layer, head):
    """The projection is swapped for a small module of its own, and put back."""
    attention, was = model.blocks[layer].self_attention, model.training
    own, width = attention.out_proj, attention.out_proj.in_features // attention.num_heads
    class Levelled(nn.Module):
        def forward(self, x):
            first, middle, rest = x.split([head * width, width, x.shape[-1] - (head + 1) * width], dim=-1)
            return own(torch.cat([first, middle.mean((0, 1), keepdim=True).expand_as(middle), rest], dim=-1))
    model.eval()
    try:
        losses = []
        for projection in (own, Levelled()):
            attention.out_proj = projection
            with torch.no_grad():
                chances = model(batch)[:, :-1].log_softmax(-1)
            losses.append(-chances.gather(-1, batch[:, 1:, None]).mean())
        return (losses[1] - losses[0]).item()
    finally:
        attention.out_proj = own
        model.train(was)

@truth
def by_its_bias(model, batch, layer, head):
    """In float64, on a copy: without the head's columns in the projection, and with what its mean would give in the bias."""
    twin, seen = copy.deepcopy(model).double().eval(), []
    projection, heads = twin.blocks[layer].self_attention.out_proj, twin.blocks[layer].self_attention.num_heads
    projection.register_forward_pre_hook(lambda m, given: seen.append(given[0]))
    def loss():
        with torch.no_grad():
            x = twin(batch)
        rows = [x[b, t] - x[b, t].logsumexp(0) for b in range(len(x)) for t in range(x.shape[1] - 1)]
        return -sum(row[token] for row, token in zip(rows, batch[:, 1:].flatten())) / len(rows)
    whole = loss()
    with torch.no_grad():
        own = torch.arange(projection.in_features) * heads // projection.in_features == head
        told = projection.weight[:, own] @ (seen[0].sum((0, 1)) / seen[0][..., 0].numel())[own]
        projection.bias = nn.Parameter(told if projection.bias is None else projection.bias + told)
        projection.weight[:, own] = 0
    return float(loss() - whole)

# %% exercise="attention_rollout" part="library"
def attention_rollout(weights: Sequence[Tensor]) -> Tensor:
    """PyTorch's normalisation by the sum of sizes, and a product from the last layer down."""
    steps = []
    for layer in weights:
        mixed = layer.mean(dim=0)
        steps.append(F.normalize(mixed + torch.diag_embed(torch.ones_like(mixed[0])), p=1.0, dim=-1))
    return functools.reduce(torch.matmul, reversed(steps))

# %% exercise="attention_rollout" part="variants"
without("slip: layer.mean(dim=0) - itself", because="each of its rows is divided by a sum that is 0 up to rounding")

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

MIXED = "It is the mean over the heads, plus the identity, each row divided by its sum."
ORDER = "The newest layer stands on the left: rollout = layer @ rollout."
EYE = lambda w: torch.eye(w.shape[-1])
def rows_divided(x):
    return x / x.sum(-1, keepdim=True)

steps = {
    "right": (lambda w: rows_divided(w.mean(0) + EYE(w)), ""),
    "no-identity": (lambda w: torch.nan_to_num(rows_divided(w.mean(0))), f"the identity is missing: your rollout knows nothing of the residual. {MIXED}"),
    "no-identity-plain": (lambda w: w.mean(0), f"the identity is missing: your rollout knows nothing of the residual. {MIXED}"),
    "not-divided": (lambda w: w.mean(0) + EYE(w), f"the rows of your layers are not divided by their sums, so your shares grow with each layer. {MIXED}"),
    "halved": (lambda w: (w.mean(0) + EYE(w)) / 2, "your layers are divided by 2. That fits where each row of weights sums to 1; a row of zeros plus the identity sums to 1 already. Divide by the row's own sum."),
    "columns-divided": (lambda w: (w.mean(0) + EYE(w)) / (w.mean(0) + EYE(w)).sum(0, keepdim=True), "you divide each column by its sum. The rows must sum to 1: a row says where one output comes from."),
    "all-divided": (lambda w: (w.mean(0) + EYE(w)) / (w.mean(0) + EYE(w)).sum(), "you divide by the sum of the whole table. Each row is divided by its own sum."),
    "softmax": (lambda w: (w.mean(0) + EYE(w)).softmax(-1), "you take a softmax of weights and identity. They are shares already: divide each row by its sum."),
    "sum-of-heads": (lambda w: rows_divided(w.sum(0) + EYE(w)), f"your heads are added up, so that they count more than the identity. {MIXED}"),
    "first-head": (lambda w: rows_divided(w[0] + EYE(w)), f"only the first head of each layer is in your rollout. {MIXED}"),
    "last-head": (lambda w: rows_divided(w[-1] + EYE(w)), f"only the last head of each layer is in your rollout. {MIXED}"),
    "largest-head": (lambda w: rows_divided(w.amax(0) + EYE(w)), f"you take the largest weight over the heads. {MIXED}"),
    "smallest-head": (lambda w: rows_divided(w.amin(0) + EYE(w)), f"you take the smallest weight over the heads. {MIXED}"),
    "mean-of-keys": (lambda w: rows_divided(w.mean(1).mean(0).expand(w.shape[-1], -1) + EYE(w)), f"your mean runs over the queries as well. {MIXED}"),
    "transposed": (lambda w: rows_divided(w.mean(0).T + EYE(w)), "your tables of weights are transposed: rows are queries, and must stay rows."),
    "ones": (lambda w: rows_divided(w.mean(0) + 1), "you add 1 to all entries. The identity has ones on its diagonal alone."),
    "half-identity": (lambda w: rows_divided(w.mean(0) + EYE(w) / 2), "you add half of the identity. Weights and identity count alike: add all of it, then divide by the row's sum."),
    "diagonal-set": (lambda w: rows_divided(w.mean(0) * (1 - EYE(w)) + EYE(w)), "you set the diagonal to 1. The identity is *added*: what a token gives to itself stays in."),
    "keepdim": (lambda w: (w.mean(0) + EYE(w)) / (w.mean(0) + EYE(w)).sum(-1), "your row sums fall on the columns: entry j of each row is divided by the sum of row j. Keep the axis when you sum (`keepdim=True`)."),
    "row-largest": (lambda w: (w.mean(0) + EYE(w)) / (w.mean(0) + EYE(w)).amax(-1, keepdim=True), "you divide each row by its largest entry. Divide by its sum."),
}
ways = {
    "right": (lambda found: functools.reduce(lambda done, new: new @ done, found), ""),
    "from-the-right": (lambda found: functools.reduce(lambda done, new: done @ new, found), f"your layers are multiplied in the opposite order. {ORDER}"),
    "elementwise": (lambda found: functools.reduce(lambda done, new: new * done, found), "your layers are multiplied entry by entry (`*`). A matrix product (`@`) follows each path from layer to layer."),
    "added": (lambda found: sum(found), "your layers are added up. They are multiplied, one after the other."),
    "averaged": (lambda found: sum(found) / len(found), "your layers are averaged. They are multiplied, one after the other."),
    "last-layer": (lambda found: found[-1], f"only the last layer is in your rollout. {ORDER}"),
    "first-layer": (lambda found: found[0], f"only the first layer is in your rollout. {ORDER}"),
    "last-left-out": (lambda found: functools.reduce(lambda done, new: new @ done, found[:-1], torch.eye(len(found[0]))), "the last layer is left out of your product."),
    "first-left-out": (lambda found: functools.reduce(lambda done, new: new @ done, found[1:], torch.eye(len(found[0]))), "the first layer is left out of your product."),
    "first-twice": (lambda found: functools.reduce(lambda done, new: new @ done, found, found[0]), "the first layer is in your product twice: you begin with it, and your loop multiplies it once more."),
    "squared": (lambda found: functools.reduce(lambda done, new: new @ done, found[:1] * len(found)), "your product multiplies the first layer by itself again and again."),
    "all-of-them": (lambda found: torch.stack([functools.reduce(lambda done, new: new @ done, found[: k + 1]) for k in range(len(found))]), "you return the rollout after each layer. Return the last one alone."),
    "minus-identity": (lambda found: functools.reduce(lambda done, new: new @ done, found) - torch.eye(len(found[0])), "the identity is taken away again at the end. It stays in."),
    "transposed-result": (lambda found: functools.reduce(lambda done, new: new @ done, found).T, "your result is transposed: row i belongs to output i."),
    "added-to": (lambda found: functools.reduce(lambda done, new: done + new @ done, found), "each product is added to what was there before. The identity in each layer stands for that already."),
}

def roller(step="right", way="right", before=lambda ws: ws, after=lambda r: r):
    def attention_rollout(weights):
        return after(ways[way][0]([steps[step][0](w) for w in before(weights)]))
    return attention_rollout

for name, (_, says) in steps.items():
    if name != "right" and name != "no-identity-plain":
        wrong(f"layer-{name}", says=says)(roller(step=name))
wrong("layer-no-identity-plain", says=steps["no-identity"][1])(roller(step="no-identity-plain"))
for name, (_, says) in ways.items():
    if name != "right":
        wrong(f"product-{name}", says=says)(roller(way=name))
for step in ("no-identity-plain", "not-divided", "halved", "sum-of-heads", "columns-divided"):
    for way in ("from-the-right", "elementwise", "added", "averaged", "last-layer"):
        if (step, way) not in (("halved", "from-the-right"), ("halved", "last-layer")):
            wrong(f"{step}+{way}", says=two_things(steps[step][1], ways[way][1]))(roller(step, way))
wrong("divided-at-the-end", says="you divide by the row sums once, at the end. Where a row of zeros stands among the weights, the layers' rows sum to different numbers: divide in each layer.")(roller("not-divided", after=rows_divided))
wrong("no-layer-divided-at-the-end", says=steps["no-identity"][1])(roller("no-identity-plain", after=lambda r: torch.nan_to_num(rows_divided(r))))
wrong("identity-twice", ("step = layer.mean(dim=0) + itself", "step = layer.mean(dim=0) + 2 * itself"), says="the identity counts twice in each layer. A residual hands a vector on once, and the heads' weights add to 1 as well.")
wrong("identity-at-the-end", says="the identity is added once, to the product. It is added to each layer: each of them has a residual.")(roller("no-identity-plain", after=lambda r: rows_divided(r + torch.eye(len(r)))))
wrong("layers-turned-round", says=f"your layers are multiplied in the opposite order. {ORDER}")(roller(before=lambda ws: ws[::-1]))
wrong("nothing", ("return rollout\n", "rollout\n"), says="your function ends without giving anything back: is a `return` missing?")

@wrong("each-head-by-itself", says="you follow each head by itself through the layers and average at the end. The mean over the heads is taken in each layer, before the product.")
def each_head_by_itself(weights):
    count = min(len(w) for w in weights)
    return torch.stack([functools.reduce(lambda done, new: new @ done, [rows_divided(w[h] + EYE(w)) for w in weights]) for h in range(count)]).mean(0)

@wrong("heads-kept", says="your result has an axis of heads. The mean over the heads is taken in each layer, before the product.")
def heads_kept(weights):
    return functools.reduce(lambda done, new: new @ done, [rows_divided(w + EYE(w)) for w in weights])

@wrong("identity-once", says="the identity is added to one layer alone. It is added to each: each of them has a residual.")
def identity_once(weights):
    found = [rows_divided(weights[0].mean(0) + EYE(weights[0])), *(torch.nan_to_num(rows_divided(w.mean(0))) for w in weights[1:])]
    return functools.reduce(lambda done, new: new @ done, found)

@wrong("identity-to-the-product", says="the identity is added to the product. It is added to a layer's weights, before the product: then each vector below is handed on with all that it holds.")
def identity_to_the_product(weights):
    done = EYE(weights[0])
    for w in weights:
        done = rows_divided(w.mean(0) @ done + EYE(w))
    return done

@wrong("layers-averaged-first", says="the layers are averaged first, and their mean is used for each. Every layer has its own place in the product.")
def layers_averaged_first(weights):
    one = torch.stack([steps["right"][0](w) for w in weights]).mean(0)
    return torch.linalg.matrix_power(one, len(weights))

@wrong("changes-its-input", says="your function adds the identity to `weights` in place. The caller's tensors must stay as they were.")
def changes_its_input(weights):
    for w in weights:
        w += EYE(w)
    return functools.reduce(lambda done, new: new @ done, [rows_divided(w.mean(0)) for w in weights])

@right
def from_the_top(weights):
    answer = None
    for w in reversed(weights):
        step = rows_divided(w.mean(dim=0) + torch.eye(w.size(-1)))
        answer = step if answer is None else answer @ step
    return answer

@right
def head_by_head(weights):
    """The identity is added to each head: its mean is the identity."""
    rollout = torch.eye(weights[0].shape[1])
    for w in weights:
        step = sum(w[h] + torch.eye(w.shape[1]) for h in range(len(w))) / len(w)
        rollout = torch.matmul(step / step.sum(1)[:, None], rollout)
    return rollout

@right
def by_columns(weights):
    """A token at a time is followed from the input upwards."""
    seq = weights[0].shape[-1]
    columns = []
    for j in range(seq):
        share = torch.zeros(seq)
        share[j] = 1.0
        for w in weights:
            mixed = w.mean(0)
            share = (mixed @ share + share) / (mixed.sum(-1) + 1)
        columns.append(share)
    return torch.stack(columns, dim=1)

@right
def in_double(weights):
    found = [torch.einsum("hij->ij", w.double()) / len(w) for w in weights]
    found = [a.clone().fill_diagonal_(0) + torch.diag(a.diagonal() + 1) for a in found]
    return functools.reduce(lambda done, new: torch.einsum("ik,kj->ij", torch.nn.functional.normalize(new, p=1, dim=1), done), found, torch.eye(len(found[0]), dtype=torch.float64)).float()

@truth
def by_paths(weights):
    """Entry by entry in float64: where a token of the last layer comes from, asked of each layer below."""
    def share(layer, i, j):
        if layer < 0:
            return float(i == j)
        row = [sum(float(head[i, k]) for head in weights[layer]) / len(weights[layer]) + (i == k) for k in range(seq)]
        return math.fsum(r / math.fsum(row) * share(layer - 1, k, j) for k, r in enumerate(row) if r)
    seq = weights[0].shape[-1]
    share = functools.lru_cache(maxsize=None)(share)
    return torch.tensor([[share(len(weights) - 1, i, j) for j in range(seq)] for i in range(seq)], dtype=torch.float64)

@truth
def by_solving(weights):
    """Markov chains: a matrix of NumPy's for each layer, multiplied at once from the last one down."""
    seq = weights[0].shape[-1]
    tables = []
    for w in weights:
        table = np.average(w.double().numpy(), axis=0) + np.diag(np.ones(seq))
        tables.append(np.diag(1 / table.sum(axis=1)) @ table)
    return torch.from_numpy(np.linalg.multi_dot([*tables[::-1], np.identity(seq)]))

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
without("many", because="of very many streams one is nearly 0, where float32 holds too few digits")

from autograder.library.unit_15_look_inside import model_under_watch

def lens(rng, batch, seq, sizes):
    """A model whose numbers hold in float32: where a stream is nearly 0, the norm makes its rounding errors large."""
    ids = torch.from_numpy(rng.integers(0, sizes["vocab_size"], size=(batch, seq)))
    while True:
        seed = int(rng.integers(2**31))
        short, long = (logit_lens(model_under_watch(seed, sizes=sizes).live.to(dtype), ids).double() for dtype in (torch.float32, torch.float64))
        if (20 * (short - long).abs() < 2e-5 + 2e-4 * long.abs()).all():
            return dict(model=fixture("model_under_watch", seed=seed, sizes=sizes), ids=ids)

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

NORMED = "What the last norm and the token table make of the stream after a layer is asked for: `model.norm`, then the table."
def streams(model, ids, of="output"):
    """What flows after (or before) each block, by hooks that are removed in any case."""
    found, hooks = [], []
    for block in model.blocks:
        if of == "output":
            hooks.append(block.register_forward_hook(lambda m, i, o: found.append(o)))
        elif of == "input":
            hooks.append(block.register_forward_pre_hook(lambda m, i: found.append(i[0])))
        else:
            hooks.append(getattr(block, of).register_forward_hook(lambda m, i, o: found.append(o)))
    try:
        with torch.no_grad():
            model(ids)
    finally:
        for hook in hooks:
            hook.remove()
    return found

read = {
    "right": (lambda model, found, ids: model.norm(found) @ model.embedding.weight.T, ""),
    "no-norm": (lambda model, found, ids: found @ model.embedding.weight.T, f"the last norm is missing. {NORMED}"),
    "norm-last-only": (lambda model, found, ids: torch.cat([found[:-1], model.norm(found[-1:])]) @ model.embedding.weight.T, f"only the last layer goes through the norm. {NORMED}"),
    "own-norms": (lambda model, found, ids: torch.stack([block.norm1(x) for block, x in zip(model.blocks, found)]) @ model.embedding.weight.T, f"each layer goes through its own `norm1`. {NORMED}"),
    "own-second-norms": (lambda model, found, ids: torch.stack([block.norm2(x) for block, x in zip(model.blocks, found)]) @ model.embedding.weight.T, f"each layer goes through its own `norm2`. {NORMED}"),
    "next-norms": (lambda model, found, ids: torch.stack([norm(x) for norm, x in zip([*(block.norm1 for block in list(model.blocks)[1:]), model.norm], found)]) @ model.embedding.weight.T, f"each layer but the last goes through the *next* block's norm. {NORMED}"),
    "norm-twice": (lambda model, found, ids: model.norm(model.norm(found)) @ model.embedding.weight.T, f"the norm is taken twice. {NORMED}"),
    "bare-norm": (lambda model, found, ids: F.rms_norm(found, found.shape[-1:], eps=1e-6) @ model.embedding.weight.T, "your norm has no gain: `model.norm` has learnt one. Call it."),
    "layer-norm": (lambda model, found, ids: F.layer_norm(found, found.shape[-1:], model.norm.weight) @ model.embedding.weight.T, "your norm takes the mean away. The model's is an RMSNorm: call `model.norm`."),
    "softmax": (lambda model, found, ids: (model.norm(found) @ model.embedding.weight.T).softmax(-1), "you return probabilities. Logits are asked for, without a softmax."),
    "log-softmax": (lambda model, found, ids: (model.norm(found) @ model.embedding.weight.T).log_softmax(-1), "you return logarithms of probabilities. Logits are asked for, without a softmax."),
    "argmax": (lambda model, found, ids: (model.norm(found) @ model.embedding.weight.T).argmax(-1), "you return the likeliest tokens. All logits are asked for."),
    "vectors": (lambda model, found, ids: model.norm(found), "you return the vectors. Logits are asked for: the token table comes after the norm."),
    "raw-vectors": (lambda model, found, ids: found, "you return what the blocks give. Logits are asked for: the last norm comes next, then the token table."),
    "last-place": (lambda model, found, ids: (model.norm(found) @ model.embedding.weight.T)[:, :, -1], "you return the last place alone. Logits at every place are asked for."),
    "first-sentence": (lambda model, found, ids: (model.norm(found) @ model.embedding.weight.T)[:, 0], "you return the first sentence alone. The batch stays: (num_layers, batch, seq, vocab_size)."),
    "batch-first": (lambda model, found, ids: (model.norm(found) @ model.embedding.weight.T).transpose(0, 1), "batch and layers have changed places. Layers come first: (num_layers, batch, seq, vocab_size)."),
    "backwards": (lambda model, found, ids: (model.norm(found) @ model.embedding.weight.T).flip(0), "your layers are in the opposite order. The first layer comes first."),
    "last-everywhere": (lambda model, found, ids: (model.norm(found[-1:]) @ model.embedding.weight.T).expand(len(found), -1, -1, -1), "all your layers hold the model's own logits, those after the last one."),
    "first-everywhere": (lambda model, found, ids: (model.norm(found[:1]) @ model.embedding.weight.T).expand(len(found), -1, -1, -1), "all your layers hold the logits after the first one."),
    "without-last": (lambda model, found, ids: model.norm(found[:-1]) @ model.embedding.weight.T, "the last layer is missing. Its logits, the model's own, belong to it."),
    "without-first": (lambda model, found, ids: model.norm(found[1:]) @ model.embedding.weight.T, "the first layer is missing."),
    "last-kept": (lambda model, found, ids: model.norm(found[-1:]) @ model.embedding.weight.T, "only the last layer is in your result: has each output overwritten the one before it? If your hook uses a loop's variable, it reads it when the model runs, and then the loop is over."),
    "last-alone": (lambda model, found, ids: model.norm(found[-1]) @ model.embedding.weight.T, "you return the logits after the last layer alone. Those after every layer are asked for."),
    "embedding-too": (lambda model, found, ids: model.norm(torch.cat([model.embedding(ids)[None], found])) @ model.embedding.weight.T, "the embedding, before any block, counts as a layer with you. It does not: num_layers entries, the first one after the first block."),
    "differences": (lambda model, found, ids: model.norm(found - torch.cat([model.embedding(ids)[None], found[:-1]])) @ model.embedding.weight.T, "you read what each block *adds*. The whole stream after the block is asked for: what it gives."),
    "summed": (lambda model, found, ids: model.norm(found.cumsum(0)) @ model.embedding.weight.T, "your streams are added up. A block's output holds all that came before already."),
    "a-list": (lambda model, found, ids: list(model.norm(found) @ model.embedding.weight.T), "you return a list. One tensor is asked for: `torch.stack` makes it."),
    "as-array": (lambda model, found, ids: (model.norm(found) @ model.embedding.weight.T).numpy(), "you return a NumPy array. A tensor is asked for."),
    "with-streams": (lambda model, found, ids: (model.norm(found) @ model.embedding.weight.T, found), "you return two things. Return the logits alone."),
}
places = {
    "output": "",
    "input": "you read what goes *into* each block: the first entry is the embedding, and the last layer is missing. What comes out is asked for.",
    "self_attention": "you read what the attention gives, without what was there before it. The stream after the whole block is asked for: the block's output.",
    "feed_forward": "you read what the feed-forward layer gives, without what was there before it. The stream after the whole block is asked for: the block's output.",
    "norm2": "you read the middle of each block, behind its second norm. The stream after the whole block is asked for: the block's output.",
    "norm1": "you read the beginning of each block, behind its first norm. The stream after the whole block is asked for: the block's output.",
}

def looker(way="right", of="output"):
    def logit_lens(model, ids):
        with torch.no_grad():
            return read[way][0](model, torch.stack(streams(model, ids, of)), ids)
    return logit_lens

for name, (_, says) in read.items():
    if name != "right":
        wrong(f"read-{name}", says=says)(looker(way=name))
for name, says in places.items():
    if name != "output":
        wrong(f"at-{name}", says=says)(looker(of=name))
for way in ("no-norm", "softmax", "norm-last-only", "last-place"):
    for of in ("input", "self_attention", "feed_forward"):
        wrong(f"{of}+{way}", says=two_things(places[of], read[way][1]))(looker(way, of))
wrong("embedding-too-without-norm", says=two_things(read["embedding-too"][1], read["no-norm"][1]))(lambda model, ids: torch.cat([model.embedding(ids)[None], torch.stack(streams(model, ids))]).detach() @ model.embedding.weight.detach().T)
wrong("through-the-blocks-again", says="each block's output is sent through the block once more.")(lambda model, ids: model.norm(torch.stack([block(x, torch.arange(ids.shape[1]), torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()) for block, x in zip(model.blocks, streams(model, ids))])).detach() @ model.embedding.weight.detach().T)
wrong("not-causal", says="your code runs the blocks by itself, without hiding the future: every place sees every other. `model(ids)` knows the mask.")(lambda model, ids: by_blocks(model, ids, torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool)))
wrong("strictly-causal", says="your code runs the blocks by itself, with a mask that hides each place from itself. `model(ids)` knows the mask.")(lambda model, ids: by_blocks(model, ids, torch.eye(ids.shape[1], dtype=torch.bool)[:, :1].logical_not().expand(-1, ids.shape[1]).tril(-1) | torch.eye(ids.shape[1], dtype=torch.bool)[0]))
wrong("all-at-place-0", says="your code runs the blocks by itself, and all tokens stand at place 0. `model(ids)` knows the places.")(lambda model, ids: by_blocks(model, ids, torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril(), 0 * torch.arange(ids.shape[1])))

def by_blocks(model, ids, seen, at=None, normed=False):
    found, x = [], model.embedding(ids)
    with torch.no_grad():
        for block in model.blocks:
            x = block(x, torch.arange(ids.shape[1]) if at is None else at, seen)
            found.append(model.norm(x) @ model.embedding.weight.T)
            x = model.norm(x) if normed else x
    return torch.stack(found)

wrong("normed-stream", says="your code runs the blocks by itself, and the normed vectors go on into the next block. The norm is there to read the stream; what goes on is the stream as it was.")(lambda model, ids: by_blocks(model, ids, torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril(), normed=True))

wrong("hooks-left", ("        for hook in hooks:\n            hook.remove()", "        pass"), says="your hooks are never removed: from now on each call of the model goes on collecting. Keep what `register_forward_hook` returns, and call its `remove()`.")

@wrong("hooks-not-in-finally", says="when the model raises an exception, your hooks stay in it. What must be undone in any case belongs into a `finally`.")
def hooks_not_in_finally(model, ids):
    found = []
    hooks = [block.register_forward_hook(lambda m, i, o: found.append(o)) for block in model.blocks]
    with torch.no_grad():
        model(ids)
        for hook in hooks:
            hook.remove()
        return model.norm(torch.stack(found)) @ model.embedding.weight.T

wrong("nothing", ("return model.norm", "model.norm"), says="your function ends without giving anything back: is a `return` missing?")

@wrong("swallows", says="the model raised an exception, and your function went on as if it had not. Undo what must be undone, and let the exception through to the caller.")
def swallows(model, ids):
    try:
        return looker()(model, ids)
    except Exception:
        return None

@right
def block_by_block(model, ids):
    seq = ids.shape[1]
    return by_blocks(model, ids, torch.ones(seq, seq, dtype=torch.bool).tril())

@right
def layer_after_layer(model, ids):
    """A dict of outputs, filled on the way; norm and table for each of them by itself."""
    kept, hooks = {}, []
    for number, block in enumerate(model.blocks):
        hooks.append(block.register_forward_hook(lambda module, inputs, output, number=number: kept.update({number: output.detach()})))
    try:
        model(ids)
    finally:
        [hook.remove() for hook in hooks]
    logits = [F.linear(model.norm(kept[number]), model.embedding.weight) for number in sorted(kept)]
    return torch.stack(logits).detach()

@right
def inputs_and_the_end(model, ids):
    """What goes into each block but the first is what the one before it gave; what goes into the last norm is the end."""
    kept, hooks = [], []
    for part in [*list(model.blocks)[1:], model.norm]:
        hooks.append(part.register_forward_pre_hook(lambda module, inputs: kept.append(inputs[0])))
    try:
        with torch.no_grad():
            model(ids)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.einsum("lbsd,vd->lbsv", model.norm(torch.stack(kept)), model.embedding.weight).detach()

@truth
def in_float64(model, ids):
    """On a copy, block by block in float64; norm and table written out."""
    twin, found = copy.deepcopy(model).double(), []
    x, seq = twin.embedding(ids), ids.shape[1]
    for block in twin.blocks:
        x = block(x, torch.arange(seq), torch.ones(seq, seq, dtype=torch.bool).tril())
        size = (x.square().sum(-1, keepdim=True) / x.shape[-1] + 1e-6).sqrt()
        found.append(torch.einsum("bsd,vd->bsv", x / size * twin.norm.weight, twin.embedding.weight))
    return torch.stack(found).detach()
