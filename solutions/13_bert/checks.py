"""What the checks of unit 13 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% exercise="mask_tokens" part="library"
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.library.common import watched_generator
from autograder.library.unit_07_masking import padding_mask
from autograder.library.unit_08_encoder import Encoder, FeedForward, LayerNorm


def mask_tokens(
    ids: Tensor, vocab_size: int, mask_id: int, special_ids: Sequence[int], generator: torch.Generator,
    probability: float = 0.15,
) -> tuple[Tensor, Tensor]:
    """One multinomial draw for each token: left alone, masked, replaced, kept; and one for the ordinary id."""
    weights = torch.ones(vocab_size)
    weights[list(special_ids)] = 0.0
    fates = torch.tensor([1 - probability, 0.8 * probability, 0.1 * probability, 0.1 * probability])
    drawn = torch.multinomial(fates, ids.numel(), replacement=True, generator=generator).view(ids.shape).to(ids.device)
    fate = drawn * weights.to(ids.device)[ids].long()
    other = torch.multinomial(weights, ids.numel(), replacement=True, generator=generator).view(ids.shape).to(ids)
    corrupted = ids.masked_fill(fate == 1, mask_id)
    return corrupted.where(fate != 2, other), ids.masked_fill(fate == 0, -100)


def seeded_generator(seed: int) -> Any:
    """A generator, with a look at whether it is the one that was drawn from."""
    return watched_generator(seed)

# %% exercise="mask_tokens" part="variants"
def sentences(rng, batch, seq, vocab, special, pad=0, missing=()):
    """Ordinary ids with special ones among them, padded at the end; `missing`: ordinary ids that no sentence holds."""
    ordinary = [i for i in range(vocab) if i not in special and i not in missing]
    ids = rng.choice(ordinary, size=(batch, seq))
    ids[rng.random((batch, seq)) < 0.05] = special[1]
    for row in range(1, batch):
        ids[row, seq - int(rng.integers(0, max(1, seq // 9) + 1)) :] = pad if row % 3 else ids[row, 0]
    return torch.from_numpy(ids)

def asked(rng, ids, vocab, mask, special, draws=True, **more):
    return judged(wanted=dict(draws=draws), ids=ids, vocab_size=vocab, mask_id=mask, special_ids=list(special), generator=fixture("seeded_generator", seed=int(rng.integers(2**31))), **more)

@cases(dict(batch=160, seq=182, vocab=47), hidden=[dict(batch=170, seq=165, vocab=41)])
def many(rng, batch, seq, vocab):
    """{batch} sentences of {seq} tokens, {vocab} ids, the default probability, [MASK] the last id"""
    special = [0, 1, 2, 3, vocab - 1]
    return asked(rng, sentences(rng, batch, seq, vocab, special, missing=(4,)), vocab, vocab - 1, special)

@cases(dict(batch=155, seq=190, vocab=38), hidden=[dict(batch=165, seq=180, vocab=44)])
def many_of_half(rng, batch, seq, vocab):
    """{batch} sentences of {seq} tokens, {vocab} ids, probability=0.5, special ids among the ordinary ones"""
    special = [5, 9, 17, 30, 2]
    return asked(rng, sentences(rng, batch, seq, vocab, special, pad=5, missing=(0, vocab - 1)), vocab, 17, special, probability=0.5)

@cases(dict(batch=3, seq=8, vocab=14), dict(batch=5, seq=6, vocab=19), hidden=[dict(batch=4, seq=9, vocab=15), dict(batch=2, seq=7, vocab=12)])
def few(rng, batch, seq, vocab):
    """{batch} sentences of {seq} tokens, {vocab} ids, probability=0.4"""
    special = [0, 1, 2, 6]
    return asked(rng, sentences(rng, batch, seq, vocab, special), vocab, 6, special, probability=0.4)

@cases()
def all_chosen(rng):
    """probability=1.0: each of the ordinary tokens is chosen"""
    return asked(rng, sentences(rng, 4, 7, 16, [0, 3, 4]), 16, 4, [0, 3, 4], probability=1.0)

@cases()
def none_chosen(rng):
    """probability=0.0: no token is chosen"""
    return asked(rng, sentences(rng, 4, 6, 13, [0, 3, 4]), 13, 4, [0, 3, 4], draws=False, probability=0.0)

@cases()
def nothing_but_special(rng):
    """two sentences of special tokens alone"""
    return asked(rng, torch.tensor([[1, 2, 0], [4, 2, 0]]), 9, 4, [0, 1, 2, 3, 4], draws=False, probability=0.9)

CHOSEN = "chosen = (torch.rand(ids.shape, generator=generator, device=ids.device) < probability) & ~special"
LABELS, OTHER = "labels = ids.masked_fill(~chosen, -100)", "torch.randint(len(ordinary), ids.shape, generator=generator, device=ids.device)"
FATE = "fate = torch.rand(ids.shape, generator=generator, device=ids.device)"
MASKED, RANDOM = "torch.where(chosen & (fate < 0.8), mask_id, ids)", "torch.where(chosen & (fate >= 0.9), other, corrupted)"
LAST = "return corrupted, labels"
wrong("keeps_inputs", (MASKED, "ids.masked_fill_(chosen & (fate < 0.8), mask_id)"), says="changed its argument `ids` in place")
wrong("not-a-pair", (LAST, "return corrupted"), says="two tensors are asked for")
wrong("no-tensor", (LAST, "return corrupted.numpy(), labels.numpy()"), says="a tensor is asked for")
wrong("no-integers", (LAST, "return corrupted, labels.float()"), says="holds no integers")
wrong("other-shape", (LAST, "return corrupted.flatten(), labels.flatten()"), says="the shape of `ids`")
wrong("other-filler", (LABELS, "labels = ids.masked_fill(~chosen, 0)"), says="where no token is chosen your labels hold 0")
wrong("labels-corrupted", (LAST, "return corrupted, corrupted.masked_fill(~chosen, -100)"), says="A label says what stood there before")
wrong("labels-wrong", (LABELS, "labels = (ids + 1).masked_fill(~chosen, -100)"), says="A label is the original id where a token is chosen")
wrong("labels-inverted", (LABELS, "labels = ids.masked_fill(chosen, -100)"), says="your labels are turned round")
wrong("labels-everywhere", (LABELS, "labels = ids.clone()"), says="every place has a label")
wrong("special-chosen", (" & ~special\n", "\n"), says="Special tokens are never chosen")
wrong("labels-masked-only", (LAST, "return corrupted, labels.masked_fill(corrupted != mask_id, -100)"), says="All chosen tokens have a label")
wrong("changed-unlabelled", (RANDOM, "torch.where(fate >= 0.9, other, corrupted)"), says="the label there is -100")
wrong("kept-unlabelled", (LAST, "return corrupted, labels.masked_fill(corrupted == ids, -100)"), says="They count as chosen")
wrong("special-drawn", (f"ordinary[{OTHER}]", OTHER.replace("len(ordinary)", "vocab_size")), says="a special id. A random token is drawn among the ordinary ids only")
wrong("outside-the-vocabulary", (f"ordinary[{OTHER}]", OTHER.replace("len(ordinary)", "1, vocab_size + 1")), says="which is no id")
wrong("probability-ignored", ("< probability", "< 0.15"), says="does `probability` reach your draw?")
wrong("share-turned", ("< probability", "> probability"), says="Is a comparison the wrong way round?")
wrong("chosen-twice", (CHOSEN, f"{CHOSEN} & (torch.rand(ids.shape, generator=generator) < probability)"), says="were they chosen twice?")
wrong("share-of-all", (CHOSEN, "places = torch.randperm(ids.numel(), generator=generator); places = places[(~special).flatten()[places]][: int(probability * ids.numel())]; chosen = torch.zeros(ids.numel(), dtype=torch.bool); chosen[places] = True; chosen = chosen.view(ids.shape)"), says="special ones counted")
wrong("chosen-share", ("< probability", "< probability / 2"), says="ordinary tokens are chosen")
wrong("nothing-chosen", (CHOSEN, "torch.rand(1, generator=generator); chosen = torch.zeros_like(special)"), says="0 of ")
wrong("all-chosen", (CHOSEN, "torch.rand(1, generator=generator); chosen = ~special"), says="ordinary tokens are chosen (100.0 %)")
wrong("chosen-by-column", (CHOSEN, CHOSEN.replace("torch.rand(ids.shape,", "torch.rand(ids.shape[1],")), says="the same places in every sentence")
wrong("chosen-by-row", (CHOSEN, CHOSEN.replace("torch.rand(ids.shape,", "torch.rand((len(ids), 1),")), says="your code chooses whole sentences")
wrong("all-masked", ("fate < 0.8", "fate < 2"), ("fate >= 0.9", "fate > 2"), says="Every chosen token becomes `mask_id`.")
wrong("all-random", ("fate < 0.8", "fate > 2"), ("fate >= 0.9", "fate < 2"), says="Every chosen token becomes a random one.")
wrong("never-random", (RANDOM, "corrupted"), says="None becomes a random ordinary token.")
wrong("never-kept", ("fate >= 0.9", "fate >= 0.8"), says="None stays as it is.")
wrong("never-masked", (MASKED, "ids"), says="None becomes `mask_id`.")
wrong("tenth-of-the-rest", ("fate >= 0.9", "(fate >= 0.8) & (torch.rand(ids.shape, generator=generator) < 0.1)"), says="Is the tenth taken of what the mask has left over?")
wrong("random-over-mask", ("fate >= 0.9", "torch.rand(ids.shape, generator=generator) < 0.1"), says="Do random tokens overwrite some that were masked already?")
wrong("half-over-mask", ("fate >= 0.9", "torch.rand(ids.shape, generator=generator) < 0.5"), says="overwrite tokens that were masked already?")
wrong("halves-turned", ("fate < 0.8", "fate < 0.1"), ("fate >= 0.9", "fate >= 0.2"), says="The shares of `mask_id` and random tokens have changed places.")
wrong("kept-and-masked-turned", ("fate < 0.8", "fate < 0.1"), says="The shares of `mask_id` and of those that stay have changed places.")
wrong("fates", ("fate < 0.8", "fate < 0.5"), says="about 80 %, 10 % and 10 % are expected")
wrong("fate-by-column", (FATE, FATE.replace("ids.shape", "ids.shape[1]")), says="is drawn for each token by itself")
wrong("fate-by-row", (FATE, FATE.replace("ids.shape", "(len(ids), 1)")), says="is drawn for each token by itself")
wrong("one-for-all", (OTHER, OTHER.replace("ids.shape", "(1,)")), says="one was drawn for all")
wrong("one-for-a-column", (OTHER, OTHER.replace("ids.shape", "(ids.shape[1],)")), says="all random tokens in a column")
wrong("one-for-a-row", (OTHER, OTHER.replace("ids.shape", "(len(ids), 1)")), says="all random tokens in a row")
wrong("never-drawn", (OTHER, OTHER.replace("len(ordinary)", "len(ordinary) - 1")), says="Every ordinary id can be drawn")
wrong("drawn-too-often", (OTHER, f"({OTHER} * torch.rand(ids.shape, generator=generator)).long()"), says="ordinary ids are equally likely")
wrong("other-generator", (FATE, "fate = torch.rand(ids.shape)"), says="some of your random numbers do not come from `generator`")
wrong("generator-unused", (LAST, "return corrupted, labels"), ("    special = torch.isin", "    generator = torch.Generator().manual_seed(0)\n    special = torch.isin"), says="nothing was drawn from it")

@right
def one_draw(ids, vocab_size, mask_id, special_ids, generator, probability=0.15):
    """A single number for each token decides everything."""
    u = torch.rand(ids.shape, generator=generator)
    allowed = torch.ones(vocab_size, dtype=torch.bool)
    allowed[special_ids] = False
    u = u.masked_fill(~allowed[ids], 1.0)
    new, labels = ids.clone(), torch.full_like(ids, -100)
    labels[u < probability] = ids[u < probability]
    new[u < 0.8 * probability] = mask_id
    swap = (u >= 0.8 * probability) & (u < 0.9 * probability)
    words = allowed.nonzero().flatten()
    new[swap] = words[torch.randint(0, len(words), (int(swap.sum()),), generator=generator)]
    return new, labels

@right
def like_the_library(ids, vocab_size, mask_id, special_ids, generator, probability=0.15):
    """Bernoulli draws, the half of what the mask has left over."""
    labels, ids = ids.clone(), ids.clone()
    chance = torch.full(ids.shape, float(probability))
    for special in special_ids:
        chance[ids == special] = 0.0
    chosen = torch.bernoulli(chance, generator=generator).bool()
    labels[~chosen] = -100
    masked = torch.bernoulli(torch.full(ids.shape, 0.8), generator=generator).bool() & chosen
    ids[masked] = mask_id
    swapped = torch.bernoulli(torch.full(ids.shape, 0.5), generator=generator).bool() & chosen & ~masked
    words = torch.tensor(sorted(set(range(vocab_size)) - set(special_ids)))
    ids[swapped] = words[torch.randint(len(words), ids.shape, generator=generator)][swapped]
    return ids, labels

@right
def exactly_the_share(ids, vocab_size, mask_id, special_ids, generator, probability=0.15):
    """As many as the share says, in a random order; the first eight tenths of them masked."""
    places = (~torch.isin(ids, torch.tensor(special_ids))).flatten().nonzero().flatten()
    places = places[torch.randperm(len(places), generator=generator)][: round(probability * len(places))]
    new, labels = ids.flatten().clone(), torch.full((ids.numel(),), -100)
    labels[places] = new[places]
    first, second = round(0.8 * len(places)), round(0.9 * len(places))
    words = torch.tensor([i for i in range(vocab_size) if i not in special_ids])
    new[places[:first]] = mask_id
    new[places[first:second]] = words[torch.randint(len(words), (second - first,), generator=generator)]
    return new.view(ids.shape), labels.view(ids.shape)

@right
def token_by_token(ids, vocab_size, mask_id, special_ids, generator, probability=0.15):
    """A loop; random ids are drawn again while they are special."""
    new, special = ids.clone(), set(special_ids)
    labels = torch.full_like(ids, -100)
    for b, row in enumerate(ids.tolist()):
        chance = torch.rand(len(row), 2, generator=generator).tolist()
        for t, token in enumerate(row):
            if token in special or chance[t][0] >= probability:
                continue
            labels[b, t] = token
            if chance[t][1] < 0.8:
                new[b, t] = mask_id
            elif chance[t][1] < 0.9:
                number = mask_id
                while number in special:
                    number = int(torch.randint(vocab_size, (1,), generator=generator))
                new[b, t] = number
    return new, labels

@right
def by_drawing_in_place(ids, vocab_size, mask_id, special_ids, generator, probability=0.15):
    """Tensors that fill themselves from the generator; a list is returned."""
    special = sum(ids == number for number in special_ids).bool()
    chosen = (torch.empty(ids.shape).uniform_(generator=generator) < probability) & ~special
    fate = torch.empty(ids.shape, dtype=torch.long).random_(0, 10, generator=generator)
    words = torch.tensor([i for i in range(vocab_size) if i not in special_ids])
    other = words[torch.empty(ids.shape, dtype=torch.long).random_(0, len(words), generator=generator)]
    new = torch.where(chosen & (fate < 8), torch.full_like(ids, mask_id), ids)
    return [torch.where(chosen & (fate == 8), other, new), torch.where(chosen, ids, torch.full_like(ids, -100))]

# %% exercise="masked_lm_loss" part="library"
def masked_lm_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """PyTorch's negative log-likelihood of the chosen places, added up; by their number, or by 1."""
    chosen = labels.ne(-100)
    picked = F.nll_loss(logits[chosen].log_softmax(-1), labels[chosen], reduction="sum")
    return picked.div(max(1, int(chosen.sum())))

# %% exercise="masked_lm_loss" part="variants"
without("one: vocab", because="with one word every loss is 0")

def drawn_loss(rng, batch, seq, vocab, share=0.4, scale=1.5, whole=False, **more):
    labels = rng.integers(0, vocab, size=(batch, seq))
    if not whole:
        labels[rng.random((batch, seq)) > share] = -100
        labels[0, 0], labels[0, -1], labels[-1, 0] = rng.integers(1, vocab), -100 if seq > 1 else 1, -100 if batch > 1 else 1
    labels[0, 0] = labels[0, 0] if labels[0, 0] >= 0 else 0
    if seq > 2 and not whole:
        labels[0, 1] = 0  # an id like any other
    return differentiable(logits=floats(rng, batch, seq, vocab, scale=scale), labels=torch.from_numpy(labels))

@cases(dict(batch=2, seq=5, vocab=7), dict(batch=4, seq=3, vocab=9), low=3)
def drawn(rng, batch, seq, vocab):
    """{batch} sentences of {seq} places, {vocab} ids, some places chosen"""
    return drawn_loss(rng, batch, seq, vocab)

@cases(dict(batch=3, seq=6, vocab=5), low=3)
def uneven(rng, batch, seq, vocab):
    """{batch} sentences of {seq} places; one has many chosen places, the others one each or none"""
    made = drawn_loss(rng, batch, seq, vocab)
    labels = made.given["labels"]
    labels[1:] = -100
    labels[1, 1], labels[0, 2] = 2, 1
    return made

@cases(dict(batch=3, seq=5, vocab=6), low=3)
def large(rng, batch, seq, vocab):
    """logits in the hundreds"""
    return drawn_loss(rng, batch, seq, vocab, scale=300.0)

@cases(dict(batch=2, seq=4, vocab=8), low=3)
def all_chosen(rng, batch, seq, vocab):
    """{batch} sentences of {seq} places, all of them chosen"""
    return drawn_loss(rng, batch, seq, vocab, whole=True)

@cases(dict(batch=3, seq=4, vocab=5), low=3)
def none_chosen(rng, batch, seq, vocab):
    """no place is chosen"""
    return dict(logits=floats(rng, batch, seq, vocab), labels=torch.full((batch, seq), -100))

@cases()
def square(rng):
    """4 sentences of 4 places, 4 ids"""
    return drawn_loss(rng, 4, 4, 4)

@cases()
def one_chosen(rng):
    """2 sentences of 3 places, a single one of them chosen"""
    return differentiable(logits=floats(rng, 2, 3, 6), labels=torch.tensor([[-100, -100, 4], [-100, -100, -100]]))

MEAN = "The loss is the mean over the chosen places of the whole batch: their sum over their number."
def safe(total, count):
    return total / max(1, int(count))
means = {
    "right": (lambda x, c, y: safe(x[c].sum(), c.sum()), ""),
    "nan": (lambda x, c, y: x[c].mean(), "where no place is chosen your loss is NaN: a mean over nothing is 0 divided by 0. There the loss is 0."),
    "infinite": (lambda x, c, y: x[c].sum() / c.sum() if c.any() else x.sum() * 0 + float("inf"), "where no place is chosen your loss is infinite. There the loss is 0."),
    "none-at-none": (lambda x, c, y: x[c].mean() if c.any() else None, "where no place is chosen your function returns nothing. There the loss is 0."),
    "one-at-none": (lambda x, c, y: x[c].mean() if c.any() else torch.tensor(1.0), "where no place is chosen your loss is 1. There the loss is 0."),
    "all-counted": (lambda x, c, y: (x * c).sum() / c.numel(), f"your sum is divided by the number of all places, chosen or not. {MEAN}"),
    "unchosen-too": (lambda x, c, y: x.mean(), f"places that were not chosen are in your loss as well (their label read as id 0). {MEAN}"),
    "sum": (lambda x, c, y: (x * c).sum(), f"your loss is a sum. {MEAN}"),
    "over-batch": (lambda x, c, y: (x * c).sum() / len(x), f"your sum is divided by the number of sentences. {MEAN}"),
    "over-length": (lambda x, c, y: (x * c).sum() / x.shape[1], f"your sum is divided by the number of places in a sentence. {MEAN}"),
    "of-sentences": (lambda x, c, y: ((x * c).sum(1) / c.sum(1).clamp(min=1)).mean(), f"your loss is the mean of each sentence's mean, so a chosen place counts more in a sentence that has few. {MEAN}"),
    "each-sentence": (lambda x, c, y: (x * c).sum(1) / c.sum(1).clamp(min=1), f"your loss is one number for each sentence. It is one number. {MEAN}"),
    "each-place": (lambda x, c, y: x * c, f"your loss is one number for each place. It is one number. {MEAN}"),
    "one-more": (lambda x, c, y: (x * c).sum() / (c.sum() + 1), f"your sum is divided by one more than the number of chosen places. {MEAN}"),
    "epsilon": (lambda x, c, y: (x * c).sum() / (c.sum() + 0.01), f"a number is added to the number of chosen places before you divide, so your loss is always a little too small. {MEAN}"),
    "id-0-left-out": (lambda x, c, y: safe((x * (c & (y != 0))).sum(), (c & (y != 0)).sum()), "places whose label is 0 are left out. 0 is an id like any other here; −100 marks what is not asked."),
    "unchosen-only": (lambda x, c, y: safe((x * ~c).sum(), (~c).sum()), "your loss is over the places that were *not* chosen. It is the other way round: a label of −100 means that nobody asks."),
    "first-place": (lambda x, c, y: safe((x * c)[:, 0].sum(), c[:, 0].sum()), f"your loss looks at the first place of each sentence only. {MEAN}"),
    "perplexity": (lambda x, c, y: safe((x * c).sum(), c.sum()).exp(), "your output is the perplexity, exp of the loss. Return the loss."),
}
logs = {
    "right": (lambda x: x.log_softmax(-1), ""),
    "softmax-twice": (lambda x: x.softmax(-1).log_softmax(-1), "your loss takes the softmax twice. `logits` are raw scores, and `cross_entropy` takes the softmax itself."),
    "log-softmax-missing": (lambda x: x, "your loss takes the logits themselves for log-probabilities: a `log_softmax` is missing."),
    "probabilities": (lambda x: x.softmax(-1), "your loss uses the probabilities where their logarithms belong."),
    "over-places": (lambda x: x.log_softmax(1), "your softmax runs over the places of a sentence. It runs over the ids: the last axis."),
    "over-batch": (lambda x: x.log_softmax(0), "your softmax runs over the batch. It runs over the ids: the last axis."),
    "overflow": (lambda x: (x.exp() / x.exp().sum(-1, keepdim=True)).log(), "your softmax overflows: with logits in the hundreds `exp` leaves the range of floats. `log_softmax` and `cross_entropy` avoid that."),
    "log-of-softmax": (lambda x: x.softmax(-1).log(), "your loss takes the logarithm of a probability that has become 0 in float32, and log 0 is −∞. `log_softmax` does both at once."),
    "with-epsilon": (lambda x: (x.softmax(-1) + 1e-9).log(), "your logarithm has a small number added inside. Where a probability is that small, the loss is no longer right: take `log_softmax`."),
    "base-two": (lambda x: x.log_softmax(-1) / 0.6931471805599453, "your logarithm is to base 2. The loss takes the natural one."),
}

def loss_maker(mean="right", log="right", sign=-1.0, after=lambda x: x):
    def masked_lm_loss(logits, labels):
        chosen = labels != -100
        picked = logs[log][0](logits).gather(-1, labels.clamp(min=0)[..., None]).squeeze(-1)
        return after(means[mean][0](sign * picked, chosen, labels))
    return masked_lm_loss

for name, (_, says) in means.items():
    if name != "right":
        wrong(f"mean-{name}", says=says)(loss_maker(mean=name))
for name, (_, says) in logs.items():
    if name != "right":
        wrong(f"log-{name}", says=says)(loss_maker(log=name))
CUT = "no gradient flows from your loss to the logits: is there a `detach`, a `.item()`, a `.data` or `torch.no_grad()`? Return the tensor itself."
wrong("sign", says="your loss has the wrong sign: minus the logarithm of the right id's probability.")(loss_maker(sign=1.0))
wrong("detached", says=CUT)(loss_maker(after=lambda x: x.detach()))
wrong("a-number", says=CUT)(loss_maker(after=lambda x: x.item()))
wrong("one-entry", says="your loss has the shape (1,). A single number has the shape ().")(loss_maker(after=lambda x: x[None]))
wrong("with-count", says="your function returns two things. Return the loss alone.")(loss_maker(after=lambda x: (x, x)))
wrong("nothing", says="your function ends without giving anything back: is a `return` missing?")(loss_maker(after=lambda x: None))
for log in ("softmax-twice", "over-places", "with-epsilon"):
    for mean in ("nan", "all-counted", "sum", "of-sentences", "over-batch"):
        wrong(f"{log}+{mean}", says=two_things(logs[log][1], means[mean][1]))(loss_maker(mean=mean, log=log))

@wrong("not-flattened", says="your code hands PyTorch's cross-entropy a tensor (batch, seq, vocab_size). It wants the ids' scores on axis 1: flatten batch and seq into one axis first.")
def not_flattened(logits, labels):
    return F.cross_entropy(logits, labels)

@wrong("reshaped-wrongly", says="your logits are reshaped where axes should be moved: the scores of one place are torn apart and join those of others. Flatten batch and seq, or transpose.")
def reshaped_wrongly(logits, labels):
    total = F.cross_entropy(logits.reshape(logits.shape[0], logits.shape[2], logits.shape[1]), labels, reduction="sum")
    return total / (labels != -100).sum().clamp(min=1)

@wrong("shifted", says="your labels are moved one place against the logits. Nothing is shifted here: the label of a place belongs to the logits of the same place.")
def shifted(logits, labels):
    return loss_maker()(logits[:, :-1], labels[:, 1:])

@wrong("in-place", says="your function changes its argument `labels` in place. Work on a new tensor.")
def in_place(logits, labels):
    value = loss_maker()(logits, labels)
    labels[labels == -100] = 0
    return value

@right
def by_index(logits, labels):
    chosen = labels != -100
    return F.cross_entropy(logits[chosen], labels[chosen]) if chosen.any() else torch.zeros(())

@right
def transposed(logits, labels):
    loss = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    return loss.sum() / torch.clamp((labels >= 0).sum(), min=1)

@right
def nan_to_zero(logits, labels):
    return torch.nan_to_num(F.cross_entropy(logits.reshape(-1, logits.size(-1)), labels.reshape(-1)) if (labels != -100).any() else torch.tensor(float("nan")))

@right
def by_gather(logits, labels):
    known = labels != -100
    logp = logits.double().log_softmax(dim=-1)
    losses = -logp.gather(2, labels.where(known, 0).unsqueeze(2)).squeeze(2)
    return (losses * known).sum() / max(known.sum().item(), 1)

@right
def by_loop(logits, labels):
    losses = [row[y].neg() + row.logsumexp(0) for sentence, ids in zip(logits, labels) for row, y in zip(sentence, ids) if y != -100]
    return torch.stack(losses).mean() if losses else logits.new_zeros(())

@truth
def in_numbers(logits, labels):
    """Place by place in float64."""
    losses = []
    for b, t in np.ndindex(*labels.shape):
        if labels[b, t] != -100:
            x = logits[b, t].double()
            x = x - x.max()
            losses.append(x.exp().sum().log() - x[labels[b, t]])
    return sum(losses) / len(losses) if losses else 0.0

@truth
def by_soft_labels(logits, labels):
    """PyTorch's cross-entropy against whole distributions."""
    chosen = labels != -100
    wanted = F.one_hot(labels[chosen], logits.shape[-1]).double()
    return F.cross_entropy(logits[chosen].double(), wanted, reduction="sum") / max(1, len(wanted))

# %% exercise="TokenEmbedding" part="library"
class TokenEmbedding(nn.Module):
    """Three of PyTorch's lookups into one bag for each token: their sum; then its norm."""

    def __init__(self, vocab_size: int, d_model: int, max_len: int, num_segments: int = 2) -> None:
        super().__init__()
        self.token = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(num_segments, d_model)
        self.norm = LayerNorm(d_model)
        for table in (self.token, self.position, self.segment):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        batch, seq = ids.shape
        tables = torch.cat([self.token.weight, self.position.weight, self.segment.weight])
        place = torch.arange(seq, device=ids.device).expand(batch, seq) + len(self.token.weight)
        beside = ids.new_zeros(batch, seq) if segments is None else segments
        bags = torch.stack([ids, place, beside + len(tables) - len(self.segment.weight)], dim=-1)
        summed: Tensor = self.norm(F.embedding_bag(bags.flatten(0, 1), tables, mode="sum").view(batch, seq, -1))
        return summed

# %% exercise="TokenEmbedding" part="variants"
without("one: vocab_size", "one: num_segments", because="there must be ids to choose among")
without("one: d_model", because="the norm of a single number is 0 whatever it is")

def embed_call(rng, vocab_size, d_model, batch, seq, unused, num_segments=None, gradients=True, **more):
    init = dict(vocab_size=vocab_size, d_model=d_model, max_len=seq + unused)
    ids = torch.from_numpy(rng.integers(0, vocab_size, size=(batch, seq)))
    ids[0, -1] = 0
    given = dict(ids=ids)
    if num_segments is not None:
        if num_segments != 2:
            init["num_segments"] = num_segments
        given["segments"] = torch.from_numpy(np.sort(rng.integers(0, num_segments, size=(batch, seq)), axis=1))
        given["segments"][0, 0], given["segments"][0, -1] = 0, num_segments - 1
    return module(init=init, given=given | more, rng=rng, gradients=gradients)

@cases(dict(vocab_size=11, d_model=6, batch=2, seq=4, unused=3), dict(vocab_size=8, d_model=9, batch=3, seq=5, unused=2), high=12, low=3)
def no_segments(rng, vocab_size, d_model, batch, seq, unused):
    """{batch} sentences of {seq} ids below {vocab_size}, d_model {d_model}, no segments given"""
    return embed_call(rng, vocab_size, d_model, batch, seq, unused)

@cases(dict(vocab_size=9, d_model=7, batch=3, seq=6, unused=4), dict(vocab_size=12, d_model=5, batch=2, seq=3, unused=6), high=12, low=3)
def two_segments(rng, vocab_size, d_model, batch, seq, unused):
    """{batch} sentences of {seq} ids below {vocab_size}, d_model {d_model}, two segments"""
    return embed_call(rng, vocab_size, d_model, batch, seq, unused, num_segments=2)

@cases(dict(vocab_size=7, d_model=8, batch=4, seq=5, unused=2, num_segments=3), high=12, low=3)
def more_segments(rng, vocab_size, d_model, batch, seq, unused, num_segments):
    """num_segments={num_segments}, {batch} sentences of {seq} ids, d_model {d_model}"""
    return embed_call(rng, vocab_size, d_model, batch, seq, unused, num_segments=num_segments)

@cases()
def full(rng):
    """3 sentences of 6 ids, as many as the table has positions"""
    return embed_call(rng, 9, 4, 3, 6, 0, num_segments=2, gradients=False)

@cases()
def square(rng):
    """4 sentences of 4 ids, 4 numbers for each, no segments given"""
    return embed_call(rng, 6, 4, 4, 4, 1, gradients=False)

@cases()
def segments_none(rng):
    """segments=None, handed in by name"""
    return embed_call(rng, 8, 6, 2, 5, 2, gradients=False, segments=None)

SUM = "self.token(ids) + self.position(places) + self.segment(segments)"
WHOLE = f"return self.norm({SUM})"
NO_SEGMENTS = "with `segments=None`"
for name, (edit, says) in {
    "no-position": ("self.token(ids) + self.segment(segments)", "positions have no effect in your output: the same token gives the same vector at every place. (A bare number, added to all features alike, is taken away by the norm again.)"),
    "no-segment": ("self.token(ids) + self.position(places)", "segments have no effect in your output: their rows are never added. `None` means segment 0, and that has a row too. (A bare number, added to all features alike, is taken away by the norm again.)"),
    "no-token": ("self.position(places) + self.segment(segments)", "the tokens are missing: places and segments alone are in your sum."),
    "token-only": ("self.token(ids)", "your sum holds the tokens alone: positions and segments are missing."),
    "token-scaled": ("self.token(ids) * self.token.embedding_dim**0.5 + self.position(places) + self.segment(segments)", "your tokens are multiplied by √d_model, as in unit 06. Here there is no factor: the norm brings all to one size."),
    "position-of-batch": ("self.token(ids) + self.position(torch.arange(len(ids), device=ids.device) % self.position.num_embeddings)[:, None] + self.segment(segments)", "your positions run along the batch: all tokens of a sentence get one row. They run along the sentence, axis 1."),
    "position-of-id": ("self.token(ids) + self.position(ids % self.position.num_embeddings) + self.segment(segments)", "you look the positions up by the token's id. A position depends on where a token stands."),
    "first-position": ("self.token(ids) + self.position(places[:1]) + self.segment(segments)", "every token gets the row of place 0."),
    "last-position": ("self.token(ids) + self.position(places[-1:]) + self.segment(segments)", "every token gets the row of the last place."),
    "position-reversed": ("self.token(ids) + self.position(places.flip(0)) + self.segment(segments)", "your positions run backwards: the first token gets the last row."),
    "last-rows": ("self.token(ids) + self.position.weight[-len(places):] + self.segment(segments)", "you take the **last** rows of the position table. A sentence begins at place 0, so it gets the first ones."),
    "position-from-one": ("self.token(ids) + self.position((places + 1) % self.position.num_embeddings) + self.segment(segments)", "your positions are counted from 1. The first token gets row 0."),
    "segment-of-token": ("self.token(ids) + self.position(places) + self.segment(ids % self.segment.num_embeddings)", "you look the segments up by the token's id. `segments` says which is whose."),
    "segment-0-always": ("self.token(ids) + self.position(places) + self.segment(torch.zeros_like(ids))", "every token gets segment 0, whatever `segments` says."),
    "segment-1-always": ("self.token(ids) + self.position(places) + self.segment(torch.ones_like(ids))", "every token gets segment 1, whatever `segments` says."),
    "segment-turned": ("self.token(ids) + self.position(places) + self.segment(self.segment.num_embeddings - 1 - segments)", "your segments are turned round: where `segments` says 0 the last row is taken."),
    "segment-of-first": ("self.token(ids) + self.position(places) + self.segment(segments[:1])", "all sentences get the segments of the first one."),
    "segment-of-first-token": ("self.token(ids) + self.position(places) + self.segment(segments[:, :1])", "all tokens of a sentence get the segment of its first one. Each token has its own."),
    "segment-number": ("self.token(ids) + self.position(places) + segments[..., None]", "segments have no effect in your output: their rows are never added. `None` means segment 0, and that has a row too. (A bare number, added to all features alike, is taken away by the norm again.)"),
    "position-number": ("self.token(ids) + places[:, None] + self.segment(segments)", "positions have no effect in your output: the same token gives the same vector at every place. (A bare number, added to all features alike, is taken away by the norm again.)"),
    "averaged-then-normed-token": ("self.norm(self.token(ids)) + self.position(places) + self.segment(segments)", "your tokens are normed before the sum, and then once more. The norm comes once, after the sum."),
}.items():
    wrong(name, (SUM, edit), says=says)
NORM = "The sum goes through `self.norm`, and nothing else does."
wrong("no-norm", (WHOLE, f"return {SUM}"), says=f"the norm is missing. {NORM}")
wrong("norm-of-token", (WHOLE, "return self.norm(self.token(ids)) + self.position(places) + self.segment(segments)"), says=f"only the tokens are normed. {NORM}")
wrong("norm-before-segment", (WHOLE, "return self.norm(self.token(ids) + self.position(places)) + self.segment(segments)"), says=f"the segments are added behind the norm. {NORM}")
wrong("norm-before-position", (WHOLE, "return self.norm(self.token(ids) + self.segment(segments)) + self.position(places)"), says=f"the positions are added behind the norm. {NORM}")
wrong("three-norms", (WHOLE, "return self.norm(self.token(ids)) + self.norm(self.position(places)) + self.norm(self.segment(segments))"), says=f"each of the three is normed by itself. {NORM}")
wrong("norm-twice", (WHOLE, f"return self.norm(self.norm({SUM}))"), says=f"the norm is taken twice. {NORM}")
wrong("bare-norm", (WHOLE, f"return F.layer_norm({SUM}, (self.token.embedding_dim,))"), says="your norm has no gain and bias: `self.norm` learns them.")
wrong("norm-over-sentence", (WHOLE, f"x = {SUM}\n        return self.norm.weight * (x - x.mean((1, 2), keepdim=True)) / (x.var((1, 2), keepdim=True, unbiased=False) + 1e-5).sqrt() + self.norm.bias"), says="your norm runs over a whole sentence. Each token's vector is normed by itself.")
wrong("multiplied", (SUM, "self.token(ids) * self.position(places) * self.segment(segments)"), says="the three rows are multiplied. They are added.")
wrong("mean-of-tokens", (WHOLE, f"return self.norm({SUM}).mean(dim=1)"), says="your output is averaged over the tokens. Each keeps its own vector.")
wrong("sequence-first", (WHOLE, f"return self.norm({SUM}).transpose(0, 1)"), says="your output is (seq, batch, d_model). Batch comes first.")
wrong("joined", (SUM, "torch.cat([self.token(ids), self.position(places).expand(len(ids), -1, -1), self.segment(segments)], dim=1)"), says="you put the three one behind the other, as if they were more tokens. Add them.")
wrong("padding-zero", (WHOLE, f"return self.norm({SUM}) * (ids != 0).unsqueeze(-1)"), says="where the id is 0 your output is 0. Padding gets its rows like any token; hiding it is the mask's business.")
wrong("padding-never-learns", ("nn.Embedding(vocab_size, d_model)", "nn.Embedding(vocab_size, d_model, padding_idx=0)"), says="your numbers are right, but id 0 never learns (`padding_idx=0`). Leave `__init__` as it is given.")
wrong("none-without-segment", ("        if segments is None:\n            segments = torch.zeros_like(ids)\n", "        if segments is None:\n            return self.norm(self.token(ids) + self.position(torch.arange(ids.shape[1], device=ids.device)))\n"), says=f"{NO_SEGMENTS} no segment's row is added. It means segment 0 everywhere, and segment 0 has a row.")
wrong("none-is-one", ("torch.zeros_like(ids)", "torch.ones_like(ids)"), says=f"{NO_SEGMENTS} your tokens get segment 1. It means segment 0.")
wrong("none-by-half", ("torch.zeros_like(ids)", "(torch.arange(ids.shape[1]) >= ids.shape[1] // 2).long().expand_as(ids)"), says=f"{NO_SEGMENTS} the second half of your tokens gets segment 1. It means segment 0 everywhere.")
wrong("segments-overwritten", ("        if segments is None:\n            segments = torch.zeros_like(ids)\n", "        segments = torch.zeros_like(ids)\n"), says="every token gets segment 0, whatever `segments` says.")
wrong("detached", (WHOLE, f"return self.norm({SUM}).detach()"), says="the numbers are right, but no gradient flows back: is there a `detach`, a `.data` or `torch.no_grad()`?")
wrong("two-returned", (WHOLE, f"return self.norm({SUM}), segments"), says="your `forward` returns two things. Return the vectors alone.")
wrong("nothing", (WHOLE, f"self.norm({SUM})"), says="your `forward` ends without giving anything back: is a `return` missing?")
wrong("whole-table", (SUM, "self.token(ids) + self.position.weight + self.segment(segments)"), says="you add the whole position table, which has `max_len` rows. It fits by luck where the sentence is as long; take the rows that this sentence needs.")
wrong("no-position-no-norm", (WHOLE, "return self.token(ids) + self.segment(segments)"), says=two_things("the positions are missing.", f"the norm is missing. {NORM}"))
wrong("scaled-no-norm", (WHOLE, "return self.token(ids) * self.token.embedding_dim**0.5 + self.position(places) + self.segment(segments)"), says=two_things("your tokens are multiplied by √d_model, as in unit 06; here there is no factor.", f"the norm is missing. {NORM}"))
wrong("no-segment-no-norm", (WHOLE, "return self.token(ids) + self.position(places)"), says=two_things("the segment's row is never added.", f"the norm is missing. {NORM}"))

right_edit("sliced", (SUM, "self.token.weight[ids] + self.position.weight[None, : ids.shape[1]] + self.segment.weight[segments]"))
right_edit("positions_expanded", (SUM, "self.position(places.unsqueeze(0).expand_as(ids)) + self.segment(segments) + self.token(ids)"))
right_edit("one_hot", (SUM, "F.one_hot(ids, self.token.num_embeddings).float() @ self.token.weight + self.position(places) + self.segment(segments)"))
right_edit("segments_by_shape", ("torch.zeros_like(ids)", "torch.zeros(ids.size(), dtype=torch.int64)"))
right_edit("row_for_none", ("            segments = torch.zeros_like(ids)\n", "            return self.norm(self.token(ids) + self.position(torch.arange(ids.size(1))) + self.segment.weight[0])\n"))

@right
class ByLoops(TokenEmbedding):
    def forward(self, ids, segments=None):
        def vector(b, t):
            segment = 0 if segments is None else segments[b, t]
            return self.norm(self.token.weight[ids[b, t]] + self.position.weight[t] + self.segment.weight[segment])
        return torch.stack([torch.stack([vector(b, t) for t in range(ids.shape[1])]) for b in range(len(ids))])

@truth
class InFloat64(TokenEmbedding):
    """Row by row, in float64."""
    def forward(self, ids, segments=None):
        rows = []
        for b, t in np.ndindex(*ids.shape):
            segment = 0 if segments is None else int(segments[b, t])
            rows.append(self.token.weight[ids[b, t]].double() + self.position.weight[t].double() + self.segment.weight[segment].double())
        return norm64(self.norm, torch.stack(rows)).view(*ids.shape, -1)

# %% exercise="MaskedLanguageModel" part="library"
class _GELUFeedForward(FeedForward):
    """The two linear layers with PyTorch's GELU between them."""

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.linear2(F.gelu(self.linear1(x)))
        return answer


class MaskedLanguageModel(nn.Module):
    """The library's parts, put together; the head's weight is registered as the token table's."""

    def __init__(
        self, vocab_size: int, d_model: int, num_heads: int, num_layers: int, d_ff: int, max_len: int, pad_id: int = 0
    ) -> None:
        super().__init__()
        self.pad_id = pad_id
        self.embedding = TokenEmbedding(vocab_size, d_model, max_len)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff)
        for block in self.encoder.blocks:
            block.feed_forward = _GELUFeedForward(d_model, d_ff)
        last = nn.Linear(d_model, vocab_size)
        nn.init.zeros_(last.bias)
        last.register_parameter("weight", self.embedding.token.weight)
        self.head = nn.Sequential(nn.Linear(d_model, d_model), nn.GELU(), LayerNorm(d_model), last)

    def encode(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        encoded: Tensor = self.encoder(self.embedding(ids, segments), mask=padding_mask(ids, self.pad_id))
        return encoded

    def forward(self, ids: Tensor) -> Tensor:
        encoded: Tensor = self.encode(ids)
        for layer in self.head:
            encoded = layer(encoded)
        return encoded

# %% exercise="MaskedLanguageModel" part="variants"
without("one: batch", "one: seq", "one: num_heads", "one: d_head", "one: d_ff", "one: more", because="a single width makes the norm blind, and padding needs a second place")

def padded_rows(rng, batch, seq, vocab, pad, whole=0):
    """Ids other than `pad`, each row but `whole` padded at its end."""
    rows = rng.choice([i for i in range(vocab) if i != pad], size=(batch, seq))
    for row in range(batch):
        if row != whole:
            rows[row, int(rng.integers(1, seq)) :] = pad
    return torch.from_numpy(rows)

def bert_call(rng, batch, seq, num_heads, d_head, d_ff, more, num_layers=1, pad_id=None, method="forward", segments=False, gradients=False, training=False, whole=0):
    vocab, d_model = 5 + more, num_heads * d_head
    init = dict(vocab_size=vocab, d_model=d_model, num_heads=num_heads, num_layers=num_layers, d_ff=d_ff, max_len=seq + 3)
    if pad_id is not None:
        init["pad_id"] = pad_id
    state = draw_state(MaskedLanguageModel(**init), rng)
    # loaded one after the other: where the two are one tensor, the second one stays
    state["head.3.weight"] = type(state["head.3.bias"])(floats(rng, vocab, d_model, scale=d_model**-0.5).numpy(), "float32")
    given = dict(ids=padded_rows(rng, batch, seq, vocab, pad_id or 0, whole))
    if segments:
        given["segments"] = torch.from_numpy(np.sort(rng.integers(0, 2, size=(batch, seq)), axis=1))
        given["segments"][:, -1] = 1
    return module(init=init, given=given, state=state, method=method, gradients=gradients, training=training)

small = dict(hidden=[dict(batch=3, seq=7, num_heads=2, d_head=4, d_ff=9, more=5), dict(batch=2, seq=5, num_heads=3, d_head=3, d_ff=6, more=8)])

@cases(dict(batch=3, seq=5, num_heads=2, d_head=4, d_ff=7, more=6), dict(batch=2, seq=6, num_heads=3, d_head=2, d_ff=5, more=4), **small)
def logits(rng, batch, seq, num_heads, d_head, d_ff, more):
    """{batch} sentences padded to {seq} tokens, {num_heads} heads of length {d_head}"""
    return bert_call(rng, batch, seq, num_heads, d_head, d_ff, more)

@cases(dict(batch=3, seq=6, num_heads=2, d_head=3, d_ff=8, more=4), **small)
def two_layers(rng, batch, seq, num_heads, d_head, d_ff, more):
    """num_layers=2, pad_id=3, {batch} sentences padded to {seq} tokens"""
    return bert_call(rng, batch, seq, num_heads, d_head, d_ff, more, num_layers=2, pad_id=3)

@cases(dict(batch=2, seq=4, num_heads=2, d_head=5, d_ff=6, more=3), **small)
def other_padding(rng, batch, seq, num_heads, d_head, d_ff, more):
    """pad_id=2, {batch} sentences padded to {seq} tokens, id 0 among them"""
    call = bert_call(rng, batch, seq, num_heads, d_head, d_ff, more, pad_id=2)
    call.given["ids"][0, 1] = call.given["ids"][-1, 0] = 0
    return call

@cases(dict(batch=3, seq=4, num_heads=2, d_head=3, d_ff=5, more=2), **small)
def encoding(rng, batch, seq, num_heads, d_head, d_ff, more):
    """encode alone, {batch} sentences padded to {seq} tokens"""
    return bert_call(rng, batch, seq, num_heads, d_head, d_ff, more, method="encode")

@cases(dict(batch=2, seq=7, num_heads=3, d_head=2, d_ff=4, more=6), **small)
def encoding_segments(rng, batch, seq, num_heads, d_head, d_ff, more):
    """encode with two segments, pad_id=1, {batch} sentences padded to {seq} tokens"""
    return bert_call(rng, batch, seq, num_heads, d_head, d_ff, more, method="encode", segments=True, pad_id=1)

@cases()
def square(rng):
    """4 sentences of 4 tokens, 4 heads of length 4"""
    return bert_call(rng, 4, 4, 4, 4, 6, 5, whole=2)

@cases()
def training_mode(rng):
    """in training mode"""
    return bert_call(rng, 3, 5, 2, 3, 4, 3, training=True)

@cases(dict(batch=2, seq=4, num_heads=2, d_head=2, d_ff=5, more=1), **small)
def gradients(rng, batch, seq, num_heads, d_head, d_ff, more):
    """{batch} sentences padded to {seq} tokens, with gradients"""
    return bert_call(rng, batch, seq, num_heads, d_head, d_ff, more, gradients=True)

Right = MaskedLanguageModel
def causal(ids):
    return torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()

plain = dict(
    mask=lambda self, ids: padding_mask(ids, self.pad_id), embed=lambda self, ids, segments: self.embedding(ids, segments),
    run=lambda self, x, mask: self.encoder(x, mask), after=lambda self, x, ids: x, head=lambda self, x: self.head(x), tie="tied",
    forward=lambda self, ids: self.encode(ids),
)

def twisted(changes):
    o = plain | changes
    class MaskedLanguageModel(Right):
        def __init__(self, vocab_size, d_model, num_heads, num_layers, d_ff, max_len, pad_id=0):
            super().__init__(vocab_size, d_model, num_heads, num_layers, d_ff, max_len, pad_id)
            table = self.embedding.token.weight
            if o["tie"] == "untied":
                self.head[3].weight = nn.Parameter(table.detach().clone())
            if o["tie"] == "data":
                self.head[3].weight = nn.Parameter(table.data)
            if o["tie"] == "relu":
                for block in self.encoder.blocks:
                    block.feed_forward = FeedForward(d_model, d_ff)
        def encode(self, ids, segments=None):
            return o["after"](self, o["run"](self, o["embed"](self, ids, segments), o["mask"](self, ids)), ids)
        def forward(self, ids):
            return o["head"](self, o["forward"](self, ids))
    return MaskedLanguageModel

def through(layers, x, *more):
    for layer in layers:
        x = layer(x, *more)
    return x

TIED = "The head's last layer and the token table share **one** tensor"
singles = {
    "no-mask": (dict(mask=lambda self, ids: None), "no mask hides the padding, so it is read as if it were words: a sentence gives other numbers beside a longer one."),
    "causal": (dict(mask=lambda self, ids: causal(ids) & padding_mask(ids, self.pad_id)), "your encoder cannot look ahead. BERT reads both sides of a hole: only padding is hidden."),
    "causal-only": (dict(mask=lambda self, ids: causal(ids)), "your encoder cannot look ahead, and it sees padding. It is padding that must be hidden, and nothing else."),
    "mask-inverted": (dict(mask=lambda self, ids: ~padding_mask(ids, self.pad_id)), "your mask is inverted: the encoder sees nothing but padding. True means: may be attended to."),
    "mask-0": (dict(mask=lambda self, ids: padding_mask(ids)), "your mask hides id 0 whatever `pad_id` is."),
    "mask-rows": (dict(mask=lambda self, ids: padding_mask(ids, self.pad_id).mT), "your mask lies along the queries: it silences places, and the padding is still read. It is keys that are hidden: (batch, 1, 1, seq)."),
    "mask-both": (dict(mask=lambda self, ids: padding_mask(ids, self.pad_id) & padding_mask(ids, self.pad_id).mT), "your mask hides the padding's own rows as well. Each place may look at all real tokens, a place of padding too."),
    "self-hidden": (dict(mask=lambda self, ids: padding_mask(ids, self.pad_id) & ~torch.eye(ids.shape[1], dtype=torch.bool)), "in your encoder no place sees itself. Only padding is hidden."),
    "no-segments": (dict(embed=lambda self, ids, segments: self.embedding(ids)), "`encode` does not hand its segments on: every token is in segment 0."),
    "token-only": (dict(embed=lambda self, ids, segments: self.embedding.token(ids)), "the encoder reads the token table's rows alone. `self.embedding` adds position and segment, and norms."),
    "token-and-norm": (dict(embed=lambda self, ids, segments: self.embedding.norm(self.embedding.token(ids))), "the encoder reads tokens without positions and segments. Call `self.embedding`."),
    "embedding-scaled": (dict(embed=lambda self, ids, segments: self.embedding(ids, segments) * self.embedding.token.embedding_dim**0.5), "your embedded ids are multiplied by √d_model. That was unit 06; here there is no factor."),
    "encoder-skipped": (dict(run=lambda self, x, mask: x), "the encoder is not called: your vectors are the embedding's."),
    "first-block": (dict(run=lambda self, x, mask: self.encoder.blocks[0](x, mask)), "only the first block of the encoder is used."),
    "mask-first-block": (dict(run=lambda self, x, mask: through(list(self.encoder.blocks)[1:], self.encoder.blocks[0](x, mask))), "only the first block gets the mask."),
    "encoder-twice": (dict(run=lambda self, x, mask: self.encoder(self.encoder(x, mask), mask)), "the encoder runs twice over."),
    "residual-around": (dict(run=lambda self, x, mask: x + self.encoder(x, mask)), "the embedding is added to the encoder's output. The residual connections are inside the blocks."),
    "padding-zeroed": (dict(after=lambda self, x, ids: x * (ids != self.pad_id)[..., None]), "your `encode` sets the vectors at padding to 0. They stay as the encoder leaves them."),
    "mean": (dict(after=lambda self, x, ids: x.mean(1)), "your `encode` takes the mean over the tokens. A vector for each token is asked for."),
    "first-vector": (dict(after=lambda self, x, ids: x[:, 0]), "your `encode` gives the first token's vector alone. A vector for each token is asked for."),
    "head-last-only": (dict(head=lambda self, x: self.head[3](x)), "only the last layer of the head is used. The whole head is called: linear layer, GELU, norm, linear layer."),
    "head-without-last": (dict(head=lambda self, x: self.head[:3](x)), "the last layer of the head is missing: your output has d_model numbers for each place, and no logits."),
    "head-without-norm": (dict(head=lambda self, x: self.head[3](self.head[1](self.head[0](x)))), "the norm of the head is left out. Call `self.head` whole."),
    "head-without-gelu": (dict(head=lambda self, x: self.head[3](self.head[2](self.head[0](x)))), "the GELU of the head is left out. Call `self.head` whole."),
    "head-by-table": (dict(head=lambda self, x: x @ self.embedding.token.weight.T), "your logits are the encoder's output times the token table. The whole head stands in between, and its last layer has a bias."),
    "head-no-bias": (dict(head=lambda self, x: self.head[:3](x) @ self.embedding.token.weight.T), "the bias of the head's last layer is missing. Call `self.head` whole."),
    "no-head": (dict(head=lambda self, x: x), "the head is missing: `forward` returns the encoder's vectors, and no logits."),
    "softmax": (dict(head=lambda self, x: self.head(x).softmax(-1)), "you return probabilities. Logits are asked for: the loss takes the softmax itself."),
    "log-softmax": (dict(head=lambda self, x: self.head(x).log_softmax(-1)), "you return logarithms of probabilities. Logits are asked for."),
    "argmax": (dict(head=lambda self, x: self.head(x).argmax(-1)), "you return the best ids. Logits are asked for, one number for each id."),
    "logits-transposed": (dict(head=lambda self, x: self.head(x).transpose(1, 2)), "your logits come as (batch, vocab_size, seq). The vocabulary is the last axis."),
    "first-place": (dict(head=lambda self, x: self.head(x[:, 0])), "your logits are those of the first place alone. Every place has logits."),
    "logits-mean": (dict(head=lambda self, x: self.head(x.mean(1))), "your logits are made of the mean over the places. Every place has logits of its own."),
    "pair": (dict(head=lambda self, x: (self.head(x), x)), "`forward` returns two things. Return the logits alone."),
    "forward-skips-encoder": (dict(forward=lambda self, ids: self.embedding(ids)), "`forward` hands the embedded ids to the head: the encoder is left out. It begins with `encode`."),
    "forward-no-mask": (dict(forward=lambda self, ids: self.encoder(self.embedding(ids))), "in `forward` nothing hides the padding (in `encode` it is hidden)."),
    "not-tied": (dict(tie="untied"), f"the weights are not tied. {TIED}: in your model they are two (or the numbers were copied once, and the two would part at the first training step)."),
    "tied-data": (dict(tie="data"), f"{TIED}. In your model they are two over the same numbers (`.data`, or a new `nn.Parameter`): each has a gradient of its own, and neither gets the sum."),
    "relu": (dict(tie="relu"), "your encoder has ReLUs. The starter's `__init__` puts a GELU into each block; leave that as it is."),
    "detached": (dict(head=lambda self, x: self.head(x.detach())), "the numbers are right, but no gradient reaches the encoder: the head's input is cut off from what it was made of."),
}

for name, (changes, says) in singles.items():
    wrong(name, says=says)(twisted(changes))
often = ["no-mask", "causal", "mask-0", "head-by-table", "not-tied"]
for i, one in enumerate(often):
    for other in often[i + 1 :]:
        if not set(singles[one][0]) & set(singles[other][0]):
            wrong(f"{one}+{other}", says=two_things(singles[one][1], singles[other][1]))(twisted(singles[one][0] | singles[other][0]))

BACK, ENCODED = "return self.head(self.encode(ids))", "return self.encoder(x, padding_mask(ids, self.pad_id))"
wrong("forward-none", (BACK, "self.head(self.encode(ids))"), says="`forward` ends without giving anything back: is a `return` missing?")
wrong("encode-none", (ENCODED, "self.encoder(x, padding_mask(ids, self.pad_id))"), says="`encode` ends without giving anything back: is a `return` missing?")
wrong("ids-to-encoder", ("x = self.embedding(ids, segments)", "x = ids"), says="the encoder gets ids. It takes vectors: the ids go through `self.embedding` first.")
wrong("ids-to-head", (BACK, "return self.head(ids)"), says="the head gets ids. It takes the vectors that `encode` gives.")
wrong("ids-as-mask", (ENCODED, "return self.encoder(x, ids)"), says="the encoder gets the ids in the place of its mask. `padding_mask` makes a mask of them.")
wrong("mask-two-axes", (ENCODED, "return self.encoder(x, ids != self.pad_id)"), says="your mask has the shape (batch, seq). Attention wants one that broadcasts over (batch, num_heads, seq, seq): unit 07's is (batch, 1, 1, seq).")
wrong("mask-three-axes", (ENCODED, "return self.encoder(x, (ids != self.pad_id)[:, None, :])"), says="your mask has the shape (batch, 1, seq): its first axis falls on the heads. Unit 07's is (batch, 1, 1, seq).")
wrong("copied", ("self.head[3].weight = self.embedding.token.weight", "self.head[3].weight.data.copy_(self.embedding.token.weight.data)"), says=singles["not-tied"][1])
wrong("forgot-self", ("self.head[3].weight = self.embedding.token.weight", "weight = self.embedding.token.weight"), says=singles["not-tied"][1])
wrong("tied-first-layer", ("self.head[3].weight = self.embedding.token.weight", "self.head[0].weight = self.embedding.token.weight"), says="it is the first layer of the head that you tie. The last one, `self.head[3]`, has the shape of the token table.")
wrong("embedding-as-layer", ("self.head[3].weight = self.embedding.token.weight", "self.head[3] = self.embedding.token"), says="you put the token table itself in the place of the head's last layer. It looks ids up; a linear layer multiplies. Only the weight is shared.")

@right
class TiedTheOtherWay(Right):
    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.head[3] = nn.Linear(self.head[0].in_features, self.embedding.token.num_embeddings)
        self.embedding.token.weight = self.head[3].weight

@right
class AllInForward(Right):
    def forward(self, ids):
        mask = (ids != self.pad_id)[:, None, None, :]
        x = self.encoder(self.embedding(ids), mask=mask)
        for layer in self.head:
            x = layer(x)
        return x

@right
class BlockByBlock(Right):
    def encode(self, ids, segments=None):
        x = self.embedding(ids) if segments is None else self.embedding(ids, segments)
        for block in self.encoder.blocks:
            x = block(x, padding_mask(ids, self.pad_id))
        return x
    def forward(self, ids):
        return F.linear(self.head[:3](self.encode(ids, None)), self.embedding.token.weight, self.head[3].bias)

@right
class SentenceBySentence(Right):
    def encode(self, ids, segments=None):
        rows = [self.encoder(self.embedding(ids[b : b + 1], None if segments is None else segments[b : b + 1]), padding_mask(ids[b : b + 1], self.pad_id)) for b in range(len(ids))]
        return torch.cat(rows)

@truth
class PyTorchsOwn(Right):
    """nn.TransformerEncoder with GELU on the same weights."""
    def encode(self, ids, segments=None):
        blocks, d_model = self.encoder.blocks, self.embedding.token.embedding_dim
        layer = nn.TransformerEncoderLayer(d_model, blocks[0].self_attention.num_heads, blocks[0].feed_forward.linear1.out_features, 0.0, activation="gelu", batch_first=True)
        own = nn.TransformerEncoder(layer, len(blocks), enable_nested_tensor=False).train()
        weights = {}
        for k, block in enumerate(blocks):
            weights |= torch_weights(block, f"layers.{k}.")
        return torch.func.functional_call(own, weights, (self.embedding(ids, segments),), dict(src_key_padding_mask=ids == self.pad_id))

@truth
class InFloat64(Right):
    """Every product written out, in float64."""
    def encode(self, ids, segments=None):
        e = self.embedding
        s = torch.zeros_like(ids) if segments is None else segments
        x = norm64(e.norm, e.token.weight.double()[ids] + e.position.weight.double()[: ids.shape[1]] + e.segment.weight.double()[s])
        seen = (ids != self.pad_id)[:, None, None, :]
        for b in self.encoder.blocks:
            a = b.self_attention
            q, k, v = (linear64(p, x).unflatten(-1, (a.num_heads, -1)) for p in (a.q_proj, a.k_proj, a.v_proj))
            w = torch.einsum("bihd,bjhd->bhij", q, k / q.shape[-1] ** 0.5).exp() * seen
            x = norm64(b.norm1, x + linear64(a.out_proj, torch.einsum("bhij,bjhd->bihd", w / w.sum(-1, keepdim=True), v).flatten(2)))
            h = linear64(b.feed_forward.linear1, x)
            x = norm64(b.norm2, x + linear64(b.feed_forward.linear2, h * (1 + torch.erf(h / 2**0.5)) / 2))
        return x
    def forward(self, ids):
        h = linear64(self.head[0], self.encode(ids))
        h = norm64(self.head[2], h * (1 + torch.erf(h / 2**0.5)) / 2)
        return torch.einsum("bsd,vd->bsv", h, self.head[3].weight.double()) + self.head[3].bias.double()

# %% exercise="SequenceClassifier" part="library"
class SequenceClassifier(nn.Module):
    """PyTorch's bag of vectors: the mean of those that carry a weight."""

    def __init__(self, encoder_model: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.encoder_model = encoder_model
        table: Any = encoder_model.get_submodule("embedding.token")
        self.output = nn.Linear(table.embedding_dim, num_classes)

    def forward(self, ids: Tensor) -> Tensor:
        model: Any = self.encoder_model
        share = F.normalize((ids != model.pad_id).to(self.output.weight), p=1.0, dim=1)
        scores: Tensor = self.output(torch.bmm(share.unsqueeze(1), model.encode(ids)).squeeze(1))
        return scores


def small_encoder(**sizes: int) -> nn.Module:
    """A model to be classified with; the case loads its weights."""
    return MaskedLanguageModel(**sizes)

# %% exercise="SequenceClassifier" part="variants"
without("one: batch", "one: seq", "one: num_classes", "one: d_head", "one: more", "one: num_heads", because="a single width makes the norm blind, and padding needs a second place")
def class_call(rng, batch, seq, num_heads, d_head, num_classes, more, pad_id=0, gradients=False, whole=0, lonely=None, training=False):
    sizes = dict(vocab_size=5 + more, d_model=num_heads * d_head, num_heads=num_heads, num_layers=1, d_ff=5, max_len=seq + 3, pad_id=pad_id)
    state = draw_state(SequenceClassifier(MaskedLanguageModel(**sizes), num_classes), rng)
    ids = padded_ids(rng, batch, seq, 5 + more, pad_id, whole)
    if lonely is not None:
        ids[lonely, 1:] = pad_id
    return module(init=dict(encoder_model=fixture("small_encoder", **sizes), num_classes=num_classes), given=dict(ids=ids), state=state, gradients=gradients, training=training)

def padded_ids(rng, batch, seq, vocab, pad, whole):
    rows = rng.choice([i for i in range(vocab) if i != pad], size=(batch, seq))
    for row in range(batch):
        if row != whole:
            rows[row, int(rng.integers(1, seq)) :] = pad
    return torch.from_numpy(rows)

small = dict(hidden=[dict(batch=4, seq=7, num_heads=2, d_head=3, num_classes=5, more=6), dict(batch=3, seq=5, num_heads=2, d_head=4, num_classes=6, more=4)])

@cases(dict(batch=3, seq=5, num_heads=2, d_head=4, num_classes=7, more=6), dict(batch=4, seq=6, num_heads=3, d_head=2, num_classes=5, more=3), **small)
def scores(rng, batch, seq, num_heads, d_head, num_classes, more):
    """{batch} sentences padded to {seq} tokens, {num_classes} classes"""
    return class_call(rng, batch, seq, num_heads, d_head, num_classes, more)

@cases(dict(batch=3, seq=6, num_heads=2, d_head=5, num_classes=4, more=2), **small)
def other_padding(rng, batch, seq, num_heads, d_head, num_classes, more):
    """pad_id=3, {batch} sentences padded to {seq} tokens, id 0 among them, {num_classes} classes"""
    call = class_call(rng, batch, seq, num_heads, d_head, num_classes, more, pad_id=3)
    call.given["ids"][0, 1] = call.given["ids"][-1, 0] = 0
    return call

@cases(dict(batch=4, seq=5, num_heads=2, d_head=3, num_classes=8, more=7), **small)
def one_real_token(rng, batch, seq, num_heads, d_head, num_classes, more):
    """a sentence of one real token among {batch}, padded to {seq} tokens"""
    return class_call(rng, batch, seq, num_heads, d_head, num_classes, more, lonely=1)

@cases()
def unpadded(rng):
    """one sentence without padding"""
    return class_call(rng, 1, 6, 2, 4, 3, 5)

@cases()
def square(rng):
    """4 sentences of 4 tokens, width 4, 4 classes"""
    return class_call(rng, 4, 4, 2, 2, 4, 3, whole=2)

@cases(dict(batch=3, seq=4, num_heads=2, d_head=3, num_classes=5, more=1), **small)
def gradients(rng, batch, seq, num_heads, d_head, num_classes, more):
    """{batch} sentences padded to {seq} tokens, with gradients"""
    return class_call(rng, batch, seq, num_heads, d_head, num_classes, more, gradients=True)

Right = SequenceClassifier
def classifier(pool=lambda v, real, ids: (v * real).sum(1) / real.sum(1), encode=lambda self, ids: self.encoder_model.encode(ids), real=lambda self, ids: ids != self.encoder_model.pad_id, top=lambda self, x: self.output(x)):
    class SequenceClassifier(Right):
        def forward(self, ids):
            return top(self, pool(encode(self, ids), real(self, ids).unsqueeze(-1), ids))
    return SequenceClassifier

MEAN = "It is the mean over the real tokens: their sum over their number."
kinds_of_wrong = {
    "padding-averaged": (dict(pool=lambda v, real, ids: v.mean(1)), f"padding is in your mean, so a sentence gives other scores beside a longer one. {MEAN}"),
    "padding-counted": (dict(pool=lambda v, real, ids: (v * real).sum(1) / v.shape[1]), f"padding is left out of your sum, but counted in the number that you divide by. {MEAN}"),
    "padding-summed": (dict(pool=lambda v, real, ids: v.sum(1) / real.sum(1)), f"padding is in your sum, though it is not counted in the number. {MEAN}"),
    "sum": (dict(pool=lambda v, real, ids: (v * real).sum(1)), f"your vectors are added up and not divided. {MEAN}"),
    "sum-of-all": (dict(pool=lambda v, real, ids: v.sum(1)), f"your vectors are added up, padding too, and not divided. {MEAN}"),
    "first": (dict(pool=lambda v, real, ids: v[:, 0]), "you read the first token's vector alone, as BERT reads `[CLS]`. Here it is the mean over the real tokens."),
    "last": (dict(pool=lambda v, real, ids: v[:, -1]), f"you read the vector at the last place alone. {MEAN}"),
    "last-real": (dict(pool=lambda v, real, ids: v[torch.arange(len(v)), real.squeeze(-1).sum(1) - 1]), f"you read the last real token's vector alone. {MEAN}"),
    "max": (dict(pool=lambda v, real, ids: v.masked_fill(~real, -1e9).max(1).values), f"you take the largest number of each feature. {MEAN}"),
    "max-of-all": (dict(pool=lambda v, real, ids: v.max(1).values), f"you take the largest number of each feature, padding too. {MEAN}"),
    "over-root": (dict(pool=lambda v, real, ids: (v * real).sum(1) / real.sum(1).float().sqrt()), f"your sum is divided by the root of the number of real tokens. {MEAN}"),
    "over-batch-number": (dict(pool=lambda v, real, ids: (v * real).sum(1) / real.sum()), f"your sums are divided by the number of real tokens in the whole batch. Each sentence has a number of its own. {MEAN}"),
    "batch-mean": (dict(pool=lambda v, real, ids: ((v * real).sum((0, 1)) / real.sum()).expand(len(v), -1)), "all sentences get one vector, the mean over the whole batch. Each sentence has a mean of its own."),
    "over-sentences": (dict(pool=lambda v, real, ids: v.mean(0)), "your mean runs over the sentences of the batch. It runs over the tokens of a sentence: axis 1."),
    "one-more": (dict(pool=lambda v, real, ids: (v * real).sum(1) / (real.sum(1) + 1)), f"you divide by one more than the number of real tokens. {MEAN}"),
    "without-first": (dict(pool=lambda v, real, ids: (v * real)[:, 1:].sum(1) / real[:, 1:].sum(1).clamp(min=1)), f"the first token is left out of your mean. {MEAN}"),
    "only-padding": (dict(pool=lambda v, real, ids: (v * ~real).sum(1) / (~real).sum(1).clamp(min=1)), "your mean is over the padding, and leaves out the real tokens."),
    "padding-is-0": (dict(real=lambda self, ids: ids != 0), "you take id 0 for padding. What is padding says `self.encoder_model.pad_id`."),
    "no-encoder": (dict(encode=lambda self, ids: self.encoder_model.embedding(ids)), "the encoder is left out: your mean is over the embedded ids. `self.encoder_model.encode` gives the vectors."),
    "tokens": (dict(encode=lambda self, ids: self.encoder_model.embedding.token(ids)), "your mean is over rows of the token table. `self.encoder_model.encode` gives the vectors."),
    "no-mask": (dict(encode=lambda self, ids: self.encoder_model.encoder(self.encoder_model.embedding(ids))), "the encoder runs without its mask, so padding is read as if it were words. `self.encoder_model.encode` takes care of that."),
    "head-transformed": (dict(encode=lambda self, ids: self.encoder_model.head[:3](self.encoder_model.encode(ids))), "the vectors go through the head that fills holes. Here it is not used."),
    "softmax": (dict(top=lambda self, x: self.output(x).softmax(-1)), "you return probabilities. Raw scores are asked for: the loss takes the softmax itself."),
    "log-softmax": (dict(top=lambda self, x: self.output(x).log_softmax(-1)), "you return logarithms of probabilities. Raw scores are asked for."),
    "argmax": (dict(top=lambda self, x: self.output(x).argmax(-1)), "you return the best classes. Raw scores are asked for."),
    "sigmoid": (dict(top=lambda self, x: self.output(x).sigmoid()), "your scores go through a sigmoid. Raw scores are asked for."),
    "tanh": (dict(top=lambda self, x: self.output(x.tanh())), "the mean goes through a tanh. It goes into `self.output` as it is."),
    "relu": (dict(top=lambda self, x: self.output(x.relu())), "the mean goes through a ReLU. It goes into `self.output` as it is."),
    "no-output": (dict(top=lambda self, x: x), "`self.output` is not called: your result is the mean vector, and no scores."),
    "no-bias": (dict(top=lambda self, x: F.linear(x, self.output.weight)), "the bias of `self.output` is missing. Call the layer."),
    "each-token": (dict(pool=lambda v, real, ids: v * real), "you return scores for each token. A sentence has one vector, the mean, and one row of scores."),
    "frozen": (dict(encode=lambda self, ids: self.encoder_model.encode(ids).detach()), "the numbers are right, but no gradient reaches the encoder. Fine-tuning trains all of it."),
    "pair": (dict(top=lambda self, x: (self.output(x), x)), "your `forward` returns two things. Return the scores alone."),
}
for name, (changes, says) in kinds_of_wrong.items():
    wrong(name, says=says)(classifier(**changes))
for one in ("padding-averaged", "padding-counted", "sum"):
    for other in ("softmax", "no-encoder", "no-mask"):
        wrong(f"{one}+{other}", says=two_things(kinds_of_wrong[one][1], kinds_of_wrong[other][1]))(classifier(**kinds_of_wrong[one][0], **kinds_of_wrong[other][0]))
wrong("real-without-axis", (".unsqueeze(-1)  # (batch, seq, 1)", ""), says="your table of real tokens has two axes, (batch, seq), and the vectors have three: it falls on the wrong ones. Give it an axis of length 1 at its end.")
wrong("calls-the-model", ("self.encoder_model.encode(ids)", "self.encoder_model(ids)"), says="you call the model itself, which gives logits that fill holes. `encode` gives the vectors.")
wrong("nothing", ("return self.output(mean)", "self.output(mean)"), says="your `forward` ends without giving anything back: is a `return` missing?")
wrong("ids-averaged", ("(vectors * real)", "(ids.unsqueeze(-1) * real)"), says="your mean is over the ids, which are names and no quantities. It is over the encoder's vectors.")

@right
class ByMatrix(Right):
    def forward(self, ids):
        share = (ids != self.encoder_model.pad_id).float()
        share = share / share.sum(dim=1, keepdim=True)
        return self.output(torch.einsum("bs,bsd->bd", share, self.encoder_model.encode(ids)))

@right
class ByLoop(Right):
    def forward(self, ids):
        rows = [v[row != self.encoder_model.pad_id].mean(dim=0) for v, row in zip(self.encoder_model.encode(ids), ids)]
        return self.output(torch.stack(rows))

@right
class FilledWithZeros(Right):
    def forward(self, ids):
        padding = ids.eq(self.encoder_model.pad_id)
        vectors = self.encoder_model.encode(ids).masked_fill(padding[:, :, None], 0.0)
        return self.output(vectors.sum(1) / torch.clamp((~padding).sum(1, keepdim=True), min=1))

@right
class ScoresFirst(Right):
    """The output layer for each token, then the mean: the same, since both are linear."""
    def forward(self, ids):
        real = (ids != self.encoder_model.pad_id)[..., None].float()
        return (self.output(self.encoder_model.encode(ids)) * real).sum(1) / real.sum(1)

@right
class PartByPart(Right):
    def forward(self, ids):
        m = self.encoder_model
        x = m.encoder(m.embedding(ids), padding_mask(ids, m.pad_id))
        x = torch.where((ids == m.pad_id).unsqueeze(2), torch.nan, x)
        return self.output(x.nanmean(1))

@truth
class EachSentenceAlone(Right):
    """Without its padding, in a batch of one; the mean and the product in float64."""
    def forward(self, ids):
        rows = []
        for row in ids:
            vectors = self.encoder_model.encode(row[row != self.encoder_model.pad_id][None])[0].double()
            rows.append(linear64(self.output, sum(vectors) / len(vectors)))
        return torch.stack(rows)
