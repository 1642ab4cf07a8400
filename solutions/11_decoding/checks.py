"""What the checks of unit 11 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% exercise="length_penalty" part="library"
from collections import Counter

import numpy as np
import torch
from torch import Tensor, nn

from autograder.library.unit_09_decoder import Transformer


def length_penalty(length: float, alpha: float = 0.6) -> float:
    """By logarithms: a number for a number, a tensor for a tensor of lengths."""
    if isinstance(length, Tensor):
        return torch.exp(alpha * torch.log((5 + length) / 6))
    return float(np.exp(alpha * np.log1p((length - 1) / 6)))

# %% exercise="length_penalty" part="variants"
@cases(dict(n=4), dict(n=9), low=3, high=30)
def drawn(rng, n):
    """length {n}, alpha not given"""
    return dict(length=n)

@cases(dict(n=7), dict(n=16), low=3, high=30)
def with_alpha(rng, n):
    """length {n}, an alpha of its own"""
    return dict(length=n, alpha=round(float(rng.uniform(0.75, 1.9)), 2))

@cases()
def without(rng):
    """length 12, alpha 0"""
    return dict(length=12, alpha=0.0)

@cases()
def single(rng):
    """length 1"""
    return dict(length=1)

@cases(dict(n=6), low=3, high=20)
def plain(rng, n):
    """length {n}, alpha 1"""
    return dict(length=n, alpha=1.0)

@cases(dict(n=3), low=2, high=9)
def fractional(rng, n):
    """a length of {n}.75, a mean over several"""
    return dict(length=n + 0.75, alpha=1.3)

@cases(dict(n=5), low=3, high=20)
def same_length(rng, n):
    """length {n} with two alphas"""
    return [dict(length=n, alpha=alpha) for alpha in (0.4, 1.2)]

LINE = "((5 + length) / 6) ** alpha"
formulas = {
    "no-power": ("(5 + length) / 6", "your result does not depend on `alpha`: the fraction must still be raised to that power."),
    "always-0.6": ("((5 + length) / 6) ** 0.6", "your exponent is always 0.6, whatever `alpha` is."),
    "zero-is-0.6": ("((5 + length) / 6) ** (alpha or 0.6)", "an `alpha` of 0 is taken for one that was not given, and your exponent becomes 0.6. With 0 there is no penalty: the result is 1."),
    "alpha-at-most-1": ("((5 + length) / 6) ** min(alpha, 1.0)", "an `alpha` above 1 counts as 1 in your code. Every `alpha` is taken as it is given."),
    "always-one": ("1.0", "your result is always 1: no penalty at all."),
    "times-alpha": ("(5 + length) / 6 * alpha", "you multiply the fraction by `alpha`; it is the exponent."),
    "power-of-the-sum-only": ("(5 + length) ** alpha / 6", "only 5 + t is raised to the power. The 6 under the line belongs inside as well: the power holds for the whole fraction."),
    "no-sixth": ("(5 + length) ** alpha", "the division by 6 is missing. A length of 1 must give exactly 1."),
    "length-only": ("length ** alpha", "your result is the length to the power alpha. Wu et al. add 5 to the length and divide by 6, so that short sentences are not pushed so hard."),
    "sixth-of-the-length": ("(length / 6) ** alpha", "the 5 that is added to the length is missing."),
    "over-five": ("((5 + length) / 5) ** alpha", "you divide by 5; divide by 6, so that a length of 1 gives 1."),
    "over-eleven": ("((5 + length) / (5 + 6)) ** alpha", "you divide by 11; divide by 6, so that a length of 1 gives 1. The 5 is added above the line only."),
    "power-of-each": ("(5**alpha + length**alpha) / 6**alpha", "5 and the length are raised to the power one by one, and then added. The power holds for the whole fraction."),
    "at-most-2": ("min(2.0, ((5 + length) / 6) ** alpha)", "your result is never above 2. There is no such limit."),
    "plus-six": ("((6 + length) / 6) ** alpha", "you add 6 to the length; add 5. A length of 1 must give exactly 1. (Did you count BOS as well?)"),
    "without-eos": ("((4 + length) / 6) ** alpha", "your length is one too small: `length` counts the EOS already."),
    "brackets": ("(5 + length / 6) ** alpha", "only the length is divided by 6. Put 5 + t in brackets: both together stand above the line."),
    "upside-down": ("(6 / (5 + length)) ** alpha", "your result is one divided by the penalty: the fraction stands on its head (5 + t belongs above the line, 6 below it), or the exponent has the wrong sign."),
    "times-length": ("length * ((5 + length) / 6) ** alpha", "your result is the penalty times the length."),
    "logarithm": ("alpha * math.log((5 + length) / 6)", "you give the logarithm of the penalty: the `exp` around it is missing."),
    "exponential": ("math.exp(alpha * (5 + length) / 6)", "you give e to the power of alpha times the fraction. The fraction is the base, alpha the exponent."),
    "swapped": ("((5 + alpha) / 6) ** length", "`length` and `alpha` have changed places."),
    "alpha-to-the-power": ("alpha ** ((5 + length) / 6)", "base and exponent have changed places: the fraction is the base, `alpha` the exponent."),
    "one-minus": ("((5 + length) / 6) ** (1 - alpha)", "your exponent is 1 − alpha; it is alpha."),
    "root": ("((5 + length) / 6) ** (1 / alpha if alpha else 0)", "your exponent is 1/alpha; it is alpha."),
    "whole-division": ("((5 + length) // 6) ** alpha", "you divide by `//`, which cuts off the fraction. Divide by `/`."),
    "rounded": ("round(((5 + length) / 6) ** alpha, 2)", "your result is rounded to two decimals. Round only what you print."),
    "whole-number": ("int(((5 + length) / 6) ** alpha)", "your result is cut to a whole number."),
    "xor": ("int((5 + length) / 6) ^ int(alpha)", "`^` is no power in Python; a power is written `**`."),
    "shifted": ("((5 + length - 1) / 6 + 1) ** alpha", "your fraction is too large: 5 + t over 6, and nothing added to it."),
    "at-least-zero": ("((5 + length) / 6) ** alpha - 1", "your result is the penalty less 1."),
    "no-brackets": ("5 + length / 6**alpha", "only the length is divided, and only the 6 is raised to the power: both pairs of brackets are missing. 5 + t stands above the line, and the power holds for the whole fraction."),
    "whole-length": ("((5 + int(length)) / 6) ** alpha", "your length is cut to a whole number. A length may be any number from 1 on, such as a mean."),
    "rounded-length": ("((5 + round(length)) / 6) ** alpha", "your length is rounded to a whole number. A length may be any number from 1 on, such as a mean."),
    "only-six-raised": ("(5 + length) / 6**alpha", "only the 6 is raised to the power. The power holds for the whole fraction, 5 + t as well."),
    "only-length-raised": ("(5 + length**alpha) / 6", "only the length is raised to the power. The power holds for the whole fraction."),
    "one-power-more": ("((5 + length) / 6) ** (alpha + 1)", "your exponent is one too large; it is alpha."),
    "over-length-and-six": ("(5 + length) / (length + 6) ** alpha", "under the line stands the length as well; there it is 6 alone, and the power holds for the whole fraction."),
    "logarithms-divided": ("math.log(5 + length) / math.log(6) * alpha", "you work with logarithms and do not come back from them: the fraction itself is raised to the power."),
    "minus-five": ("abs((length - 5) / 6) ** alpha", "you subtract 5 from the length; it is added."),
    "minus-five-signed": ("((length - 5) / 6) ** alpha", "you subtract 5 from the length; it is added."),
    "places-of-five-and-six": ("(length / 5 + 6) ** alpha", "5 and 6 have changed places: 5 is added to the length, and 6 divides both."),
    "alpha-added": ("(5 + length) / 6 + alpha", "you add `alpha` to the fraction; it is the exponent."),
    "length-to-0.6": ("length**0.6", "your result is the length to the power 0.6. The 5, the 6 and `alpha` are missing."),
    "square-root": ("math.sqrt((5 + length) / 6)", "you take the square root, whatever `alpha` is. The exponent is alpha."),
    "whole-alpha": ("((5 + length) / 6) ** int(alpha)", "your exponent is cut to a whole number."),
    "one-and-two": ("((1 + length) / 2) ** alpha", "your fraction is (1 + t)/2. It is (5 + t)/6."),
    "power-below": ("1 / (5 + length) * 6**alpha", "your fraction stands on its head, and only the 6 is raised to the power."),
    "times-0.6": ("(5 + length) / 6 * 0.6", "you multiply the fraction by 0.6; `alpha` is its exponent."),
    "five-times": ("(5 * length / 6) ** alpha", "you multiply the length by 5; 5 is added to it."),
    "text": ("str(((5 + length) / 6) ** alpha)", "your result is a text. Return the number itself."),
    "list": ("[((5 + length) / 6) ** alpha]", "your result is a list that holds the number. Return the number itself."),
}
for name, (formula, says) in formulas.items():
    wrong(name, (LINE, formula), says=says)
for fraction in ("without-eos", "plus-six", "over-five", "sixth-of-the-length", "brackets"):
    base = formulas[fraction][0].removesuffix(" ** alpha")
    for power, formula in {"times-alpha": f"{base} * alpha", "no-power": base, "upside-down": f"1 / {base} ** alpha", "one-minus": f"{base} ** (1 - alpha)"}.items():
        wrong(f"{fraction}+{power}", (LINE, formula), says=two_things(formulas[fraction][1], formulas[power][1]))
wrong("nothing-returned", ("return " + LINE, LINE), says="your function ends without giving anything back: is a `return` missing?")
wrong("one-if-not-given", ("alpha: float = 0.6", "alpha: float = 1.0"), says="where `alpha` is not given, you take 1. It is 0.6 then.")
wrong("printed", ("return " + LINE, f"print({LINE})"), says="your function ends without giving anything back: is a `return` missing?")

@right
def by_powers_of_both(length, alpha=0.6):
    return math.pow(5 + length, alpha) / math.pow(5 + 1, alpha)

@right
def by_logarithms(length, alpha=0.6):
    return math.exp(alpha * (math.log(length + 5) - math.log(6)))

@right
def by_a_tensor(length, alpha=0.6):
    return torch.tensor((5 + length) / 6, dtype=torch.float64).pow(alpha)

@right
def by_numpy(length, alpha=0.6):
    return np.power(np.float32(5 + length) / 6, alpha)

@right
def single_steps(n, alpha=0.6):
    top = n + 5.0
    return (top / 6.0) ** alpha

@truth
def by_torch(length, alpha=0.6):
    """PyTorch's own power, in float64."""
    return torch.pow(torch.tensor((5 + length) / 6, dtype=torch.float64), alpha)

@truth
def by_many_small_steps(length, alpha=0.6):
    """The growth from 1, in a thousand equal steps of the logarithm."""
    step = (math.log(5 + length) - math.log(6)) * alpha / 1000
    value = 1.0
    for _ in range(1000):
        value *= math.exp(step)
    return value

# %% exercise="beam_search" part="library"
def beam_search(
    model: nn.Module, source: Tensor, beam_size: int = 4, max_len: int = 64, alpha: float = 0.6
) -> tuple[Tensor, Tensor]:
    """A grid of hypotheses for the batch. Each step's grid is kept, and the best of all steps is looked up at the end."""
    was_training = model.training
    model.eval()
    try:
        grids, values = _all_steps(model, source, beam_size, max_len, alpha)
    finally:
        model.train(was_training)
    scores, when = torch.stack([step.amax(dim=1) for step in values]).max(dim=0)
    best = [grids[step][row, values[step][row].argmax()] for row, step in enumerate(when.tolist())]
    return nn.utils.rnn.pad_sequence(best, batch_first=True), scores


@torch.no_grad()
def _all_steps(
    model: nn.Module, source: Tensor, beam_size: int, max_len: int, alpha: float
) -> tuple[list[Tensor], list[Tensor]]:
    """After each step: the hypotheses (batch, beam_size, length), and the scores of those that ended there."""
    copies = torch.arange(len(source) * beam_size, device=source.device) // beam_size
    encoder_output, sources = (part.index_select(0, copies) for part in (model.encode(source), source))
    words = source.new_full((len(source), beam_size, 1), 1)
    totals = torch.where(torch.arange(beam_size, device=source.device) == 0, 0.0, -torch.inf).repeat(len(source), 1)
    grids: list[Tensor] = []
    values: list[Tensor] = []
    for length in range(1, max_len + 1):
        logits = model.decode(words.flatten(0, 1), encoder_output, sources)[:, -1]
        said = torch.distributions.Categorical(logits=logits).logits.unflatten(0, totals.shape)
        totals, picks = torch.topk((totals.unsqueeze(2) + said).flatten(1), beam_size)
        parent, token = (part.unsqueeze(2) for part in torch.unravel_index(picks, said.shape[1:]))
        words = torch.cat([words.take_along_dim(parent, dim=1), token], dim=2)
        closed = words[..., -1].eq(2).logical_or(torch.tensor(length == max_len, device=source.device))
        grids.append(words[..., 1:])
        values.append(torch.where(closed, totals / length_penalty(length, alpha), -torch.inf))
        totals = torch.where(closed, -torch.inf, totals)
        found = torch.stack([step.amax(dim=1) for step in values]).amax(dim=0)
        if bool((found >= totals.amax(dim=1) / length_penalty(max_len, alpha)).all()):
            break
    return grids, values


class _ScriptedModel(nn.Module):
    """A model whose next word is looked up: logits by sentence, place, last word, and the word before that."""

    def __init__(self, tables: Tensor, pairs: Tensor, tilt: Tensor) -> None:
        super().__init__()
        self.tables = nn.Parameter(tables, requires_grad=False)  # (sentences, places, vocab, vocab)
        self.pairs = nn.Parameter(pairs, requires_grad=False)  # (vocab, vocab)
        self.tilt = nn.Parameter(tilt, requires_grad=False)  # (sentences, vocab)

    def encode(self, source: Tensor) -> Tensor:
        spread = torch.linspace(1.0, 2.0, 3, device=source.device)
        return (source[:, :1] - 3).unsqueeze(-1) * spread.expand(*source.shape, 3)

    def decode(self, target: Tensor, encoder_output: Tensor, source: Tensor) -> Tensor:
        if not len(target) == len(encoder_output) == len(source):
            raise ValueError(
                f"decode: {len(target)} target rows, {len(encoder_output)} rows of encoder output, {len(source)} "
                "source rows; each target row needs its own"
            )
        sentence = (encoder_output[:, 0, 0].round().long() - 1).unsqueeze(1)
        place = torch.arange(target.shape[1], device=target.device).clamp(max=self.tables.shape[1] - 1)
        before = nn.functional.pad(target, (1, -1))
        logits = self.tables[sentence, place, target] + self.pairs[before]
        return logits + self.tilt[source[:, 0] - 4].unsqueeze(1)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return self.decode(target, self.encode(source), source)


def scripted_model(tables: Tensor, pairs: Tensor, tilt: Tensor) -> nn.Module:
    return _ScriptedModel(tables, pairs, tilt).eval()


_KEPT: dict[bytes, nn.Module] = {}


def same_scripted_model(tables: Tensor, pairs: Tensor, tilt: Tensor) -> nn.Module:
    """One and the same object for all calls with this script."""
    return _KEPT.setdefault(tables.numpy().tobytes(), scripted_model(tables, pairs, tilt))


def small_transformer(init: dict, state: dict) -> nn.Module:
    """A real Transformer of unit 09 with these weights."""
    model = Transformer(**init)
    model.load_state_dict(state, strict=False)
    return model.eval()

# %% exercise="beam_search" part="variants"
without("one", "again", because="its cases search for scripts in which each rule is needed")
without("slip: log_softmax(logits, dim=-2)", "slip: log_softmax(logits, dim=0)", "slip: first_rows = torch.arange(", "slip: first_rows = 4 *",
        because="rounding decides which of two hypotheses lives on")

from autograder.library import build_fixture
from autograder.library.unit_09_decoder import Transformer
from autograder.library.unit_11_decoding import _ScriptedModel, scripted_model, small_transformer

def search(step, beam_size, max_len, alpha, way=""):
    """All answers that a search finds, best first, as (score, ids). `step(ids)` gives the next token's log-probabilities.

    way: the names, with spaces between them, of rules of the prompt that are read otherwise; see WAYS
    """
    ways, penalty = set(way.split()), lambda length: ((5 + length) / 6) ** alpha
    live, found, places = [((), 0.0)], [], beam_size
    ends = ((EOS,), (PAD,)) if "pad-ends" in ways else ((EOS,),)
    ended = lambda hypothesis: hypothesis[0][-1:] in ends
    by_sum, by_score = lambda h: h[1], lambda h: h[1] / penalty(len(h[0]))
    for length in range(1, max_len + 1):
        candidates = [hypothesis for hypothesis in live if ended(hypothesis)]
        for ids, total in live:
            if ids[-1:] != (EOS,):
                candidates += [((*ids, v), total + p) for v, p in enumerate(step(ids))]
        candidates.sort(key=by_score if "stays-by-score" in ways else by_sum, reverse=True)
        kept, others = candidates[:places], candidates[places:]
        if ways & {"stays", "stays-by-score"}:
            live = kept
            if all(map(ended, live)):
                break
            continue
        live = [h for h in kept if not ended(h)]
        if "refills" in ways:
            missing = beam_size - len(live)
            last = [i for i, h in enumerate(others) if not ended(h)][missing - 1] if missing else -1
            live += [h for h in others[: last + 1] if not ended(h)]
            kept = kept + others[: last + 1] if "counts-more" in ways else kept
        found += [(by_score(h), h[0]) for h in kept if ended(h)]
        places = beam_size - len(found) if "shrinks" in ways else places
        best, best_live = max(found, default=(-np.inf,))[0], max(map(by_sum, live), default=-np.inf)
        stops = {
            "stops-at-first": bool(found),
            "stops-when-full": len(found) >= beam_size,
            "stops-when-best-ends": ended(candidates[0]),
            "bound-of-now": best >= best_live / penalty(length),
            "bound-of-next": best >= best_live / penalty(length + 1),
            "bound-without-penalty": best >= best_live,
        }
        stopped = any(stops[name] for name in ways & set(stops))
        if not live or stopped:
            live = live if "counts-live" in ways else []
            break
    rest = [(by_score(h), h[0]) for h in live]
    return sorted(found or rest if "finished-first" in ways else found + rest, reverse=True)

def next_words(model, source):
    """The model, asked word by word, in float64: one row at a time, the encoder read anew each time."""
    known = {}
    def step(ids):
        if ids not in known:
            with torch.no_grad():
                logits = model(source, torch.tensor([[BOS, *ids]]))[0, -1].double()
            known[ids] = (logits - logits.logsumexp(0)).tolist()
        return known[ids]
    return step

PLACES = "Each step keeps the `beam_size` candidates with the largest sums, and those among them that have ended leave: nothing moves up for them, and in the next step there are `beam_size` places again."
LIVE_ON = "A live hypothesis may still win: its sum only falls, but the largest penalty by which it can be divided is the one for `max_len`."
REFILLS = f"your beam is filled up to `beam_size` live hypotheses: for one that has ended another candidate moves up. {PLACES}"
COUNTS_MORE = f"you look at more than `beam_size` candidates in a step, until `beam_size` live ones are found, and count what has ended among all of them. {PLACES}"
SHRINKS = f"your beam has one place fewer for each hypothesis that has ended. {PLACES}"
STAYS = f"finished hypotheses stay in your beam and take places from live ones. {PLACES}"
STOPS_FULL = f"your search stops as soon as `beam_size` hypotheses are finished. {LIVE_ON}"
FINISHED_FIRST = "live hypotheses count at `max_len` only where nothing is finished in your code. They are put aside like the others, and the largest score of all wins."
BEST_ENDS = f"your search stops as soon as the candidate with the largest sum has ended. {LIVE_ON}"
WAYS = {
    "refills": REFILLS,
    "shrinks": SHRINKS,
    "stays": STAYS,
    "stays-by-score": f"finished hypotheses stay in your beam, and their scores compete with the others'. {PLACES}",
    "finished-first": FINISHED_FIRST,
    "stops-when-full": STOPS_FULL,
    "stops-when-full counts-live": f"{STOPS_FULL} You count those that are live at that moment as if they were finished, too.",
    "stops-when-best-ends": BEST_ENDS,
    "bound-of-now": f"your search stops when no live hypothesis is better at its present length than the best finished one. {LIVE_ON}",
    "bound-of-next": f"your search stops when no live hypothesis would be better, one word longer, than the best finished one. {LIVE_ON}",
    "bound-without-penalty": f"your search stops when the best finished score is above the plain sum of every live hypothesis. {LIVE_ON}",
    "refills stops-when-full": STOPS_FULL,
    "refills stops-when-full counts-live": two_things(REFILLS, STOPS_FULL + " (What is live then counts in your code as if it were finished.)"),
    "refills counts-more stops-when-full counts-live": two_things(COUNTS_MORE, STOPS_FULL + " (What is live then counts in your code as if it were finished.)"),
    "pad-ends": "a hypothesis that ends in id 0 is put aside as finished in your code. EOS alone finishes one: to the search, id 0 is a token like any other.",
    "shrinks finished-first": two_things(SHRINKS, FINISHED_FIRST),
    "stops-when-full finished-first": two_things(STOPS_FULL, FINISHED_FIRST),
}

def stepper(table, pairs, tilt):
    """The scripted model, one sentence, in float64, with what it said kept."""
    known = {}
    def step(ids):
        if ids not in known:
            words = (PAD, BOS, *ids)
            logits = table[min(len(ids), len(table) - 1), words[-1]] + pairs[words[-2]] + tilt
            logits = logits - logits.max()
            known[ids] = logits - np.log(np.exp(logits).sum())
        return known[ids]
    return step

def clear(step, beam_size, max_len, alpha):
    """The answer where no other comes near, and no step keeps one candidate of two that are nearly equal; or None."""
    found = search(step, beam_size, max_len, alpha)
    live = [((), 0.0)]
    for _length in range(max_len):
        sums = sorted((((*ids, v), total + p) for ids, total in live for v, p in enumerate(step(ids))), key=lambda h: -h[1])
        if sums[beam_size - 1][1] - sums[beam_size][1] < 0.02:
            return None
        live = [h for h in sums[:beam_size] if h[0][-1] != EOS]
        if not live:
            break
    return found[0][1] if all(found[0][0] - score > 0.04 for score, _ in found[1:2]) else None

ALWAYS = lambda step, answer: True
def greedy_loses(beam_size, max_len=64, alpha=0.6):
    return lambda step, answer: search(step, 1, max_len, alpha)[0][1] != answer
def later_wins(beam_size, max_len=64, alpha=0.6):
    """The best answer is not among those that are finished first."""
    return lambda step, answer: search(step, beam_size, max_len, alpha, "stops-at-first")[0][1] != answer
def earlier_wins(beam_size, max_len=64, alpha=0.6):
    """A worse answer is found after the best one."""
    return lambda step, answer: any(len(ids) > len(answer) for _, ids in search(step, beam_size, max_len, alpha))
def penalty_decides(beam_size, max_len=64, alpha=0.6):
    return lambda step, answer: search(step, beam_size, max_len, 0.0)[0][1] != answer
def needs(*ways, beam_size, max_len, alpha):
    """Whoever reads the rules in one of these ways finds another answer."""
    return lambda step, answer: all(search(step, beam_size, max_len, alpha, way)[0][1] != answer for way in ways)
def agrees(*ways, beam_size, max_len, alpha):
    """These ways find the answer all the same."""
    return lambda step, answer: all(search(step, beam_size, max_len, alpha, way)[0][1] == answer for way in ways)
def both(*conditions):
    return lambda step, answer: all(condition(step, answer) for condition in conditions)

def draw_table(rng, vocab, places, ends=True):
    """Random logits. After an EOS a bait: one word that is certain, again and again."""
    table = 2 * rng.normal(size=(places, vocab, vocab))
    pull = [-3.0, -2.0, 0.0, 1.5, 2.5, 3.5]
    for place in range(places):
        table[place, :, EOS] = (rng.normal(size=vocab) + pull[min(place, 5)]) if ends else -30
    if ends:
        table[-1, :, EOS] = 15
    table[:, :, [PAD, BOS]] = (-40, -42)  # not alike: which of two equals is taken is not the same on every processor
    table[:, [PAD, EOS]] = -6
    table[:, [PAD, EOS], 4] = 18
    return in_steps(table)

def draw_late(rng, vocab, places, ends=True):
    """Random logits: an end is likely at first, and then each next word is nearly certain. So a late answer may win."""
    table = rng.normal(size=(places, vocab, vocab)) * np.array([1.25, 2.0, 3.5, 4.0, 4.0])[:places, None, None]
    table[:, :, EOS] += np.array([0.5, 0.5, -1.0, -2.0, -2.5])[:places, None]
    table[:, :, [PAD, BOS]] = (-40, -42)
    return in_steps(table)

def in_steps(array):
    """Multiples of 1/8192: they take less room in a file."""
    return (np.round(8192 * array) / 8192).astype("float32")

def draw_script(rng, wanted, vocab, beam_size, max_len=64, alphas=(0.6,), places=9, ends=True, draw=draw_table):
    """A scripted model and its source. For each sentence a condition that must hold; its answer is clear for all alphas."""
    pairs = in_steps(rng.normal(size=(vocab, vocab)))
    pairs[:, :4], pairs[[PAD, EOS]] = 0, 0
    tilt = in_steps(0.7 * rng.normal(size=(len(wanted), vocab)))
    tilt[:, :4] = 0
    tables = []
    for sentence, condition in enumerate(wanted):
        for attempt in range(1, 100_001):
            if attempt % 20_000 == 0:  # with some tilts no table will do
                tilt[sentence, 4:] = in_steps(0.7 * rng.normal(size=vocab - 4))
            table = draw(rng, vocab, places, ends if isinstance(ends, bool) else ends[sentence])
            step = stepper(table.astype("float64"), pairs.astype("float64"), tilt[sentence].astype("float64"))
            answers = [clear(step, beam_size, max_len, alpha) for alpha in alphas]
            if None not in answers and condition(step, answers[0]):
                break
        else:
            raise ValueError("no such script was drawn")
        tables.append(table)
    width = len(wanted) + 2
    source = np.zeros((len(wanted), width), dtype="int64")
    for sentence in range(len(wanted)):
        words = int(rng.integers(2, width + 1))
        source[sentence, :words] = [4 + sentence, *rng.integers(4, 4 + len(wanted), size=words - 2), EOS]
    as_tensor = torch.from_numpy
    model = fixture("scripted_model", tables=as_tensor(np.stack(tables)), pairs=as_tensor(pairs), tilt=as_tensor(tilt))
    return dict(model=model, source=as_tensor(source))

@cases()
def the_tree(rng):
    """the tree from the text, beam_size=2"""
    return tree() | dict(beam_size=2)

@cases()
def one_word(rng):
    """the tree from the text, beam_size=2, max_len=1"""
    return tree() | dict(beam_size=2, max_len=1)

def tree():
    """Its model and a source."""
    A, B, third = 4, 5, np.log((0.4, 0.6))
    table, pairs = np.full((4, 6, 6), -40.0, dtype="float32"), np.zeros((6, 6), dtype="float32")
    table[0, :, A:] = np.log((0.6, 0.4))
    table[1, A, A:], table[1, B, A:] = np.log((0.4, 0.6)), np.log((0.2, 0.8))
    table[2, :, A:] = third
    pairs[B, A:] = np.log((0.1, 0.9)) - third  # the third word after B and something
    table[3, :, EOS] = 0
    model = fixture("scripted_model", tables=torch.from_numpy(table[None]), pairs=torch.from_numpy(pairs), tilt=torch.zeros(1, 6))
    return dict(model=model, source=torch.tensor([[4, 4, EOS]]))

@cases(dict(beam_size=3, vocab=11), hidden=[dict(beam_size=4, vocab=12), dict(beam_size=3, vocab=10)])
def single(rng, beam_size, vocab):
    """one sentence, beam_size={beam_size}, {vocab} words"""
    wanted = [both(greedy_loses(beam_size), penalty_decides(beam_size))]
    return draw_script(rng, wanted, vocab, beam_size) | dict(beam_size=beam_size)

@cases(dict(beam_size=5, vocab=13), hidden=[dict(beam_size=5, vocab=12), dict(beam_size=3, vocab=14)])
def several(rng, beam_size, vocab):
    """three sentences, beam_size={beam_size}, {vocab} words"""
    wanted = [greedy_loses(beam_size), later_wins(beam_size), both(greedy_loses(beam_size), earlier_wins(beam_size))]
    return draw_script(rng, wanted, vocab, beam_size) | dict(beam_size=beam_size)

@cases(dict(vocab=12), hidden=[dict(vocab=11)])
def defaults(rng, vocab):
    """two sentences, nothing but model and source given"""
    return draw_script(rng, [both(penalty_decides(4), greedy_loses(4)), later_wins(4)], vocab, 4)

@cases(dict(vocab=9), hidden=[dict(vocab=10)])
def one_beam(rng, vocab):
    """two sentences, beam_size=1: greedy decoding"""
    def differs(step, answer):
        two, four = (search(step, beams, 64, 0.6)[0][1] for beams in (2, 4))
        return len({answer, two, four}) == 3
    return draw_script(rng, [ALWAYS, differs], vocab, 1) | dict(beam_size=1)

@cases(dict(beam_size=2, vocab=10), hidden=[dict(beam_size=2, vocab=11)])
def strengths(rng, beam_size, vocab):
    """two sentences, beam_size={beam_size}, with another alpha"""
    def differs(step, answer):
        return search(step, beam_size, 64, 1.0)[0][1] != answer
    def width_matters(step, answer):
        return all(search(step, wider, 64, 0.0)[0][1] != answer for wider in (3, 4))
    script = draw_script(rng, [width_matters, both(differs, greedy_loses(beam_size, alpha=0.0))], vocab, beam_size, alphas=(0.0, 1.0))
    return [script | dict(beam_size=beam_size, alpha=alpha) for alpha in (0.0, 1.0)]

@cases(dict(beam_size=3, max_len=4), hidden=[dict(beam_size=4, max_len=5)])
def cut_off(rng, beam_size, max_len):
    """two sentences, beam_size={beam_size}, max_len={max_len}; one of them never ends"""
    wanted = [greedy_loses(beam_size, max_len), lambda step, answer: len(answer) < max_len]
    script = draw_script(rng, wanted, 10, beam_size, max_len, ends=(False, True))
    return script | dict(beam_size=beam_size, max_len=max_len)

def script_that_needs(rng, wanted, vocab, **given):
    """A script for each pair: whoever goes one of its first ways finds another answer, its second ways find this one."""
    conditions = [both(needs(*ways, **given), agrees(*others, **given)) for ways, others in wanted]
    drawn = dict(vocab=vocab, beam_size=given["beam_size"], max_len=given["max_len"], alphas=(given["alpha"],))
    return draw_script(rng, conditions, **drawn, places=5, draw=draw_late) | given

@cases(dict(beam_size=2, max_len=7), hidden=[dict(beam_size=2, max_len=6)])
def places_of_a_beam(rng, beam_size, max_len):
    """four sentences, beam_size={beam_size}, max_len={max_len}, alpha 1.5; some hypotheses are finished early"""
    wanted = [
        (["refills"], ["finished-first"]), (["shrinks"], ["refills", "stays"]), (["stays-by-score"], ["stays"]),
        (["finished-first", "stays"], []),
    ]
    return script_that_needs(rng, wanted, 7, beam_size=beam_size, max_len=max_len, alpha=1.5)

@cases(dict(beam_size=3, max_len=6), hidden=[dict(beam_size=3, max_len=7)])
def when_to_stop(rng, beam_size, max_len):
    """four sentences, beam_size={beam_size}, max_len={max_len}, alpha 1.25; the best answers come late"""
    wanted = [
        (["stops-when-full"], ["finished-first", "bound-of-now"]), (["bound-of-now"], ["finished-first", "stops-when-best-ends"]),
        (["stops-when-best-ends"], ["bound-of-next", "stops-when-full"]), (["bound-of-next"], ["stops-when-best-ends"]),
    ]
    return script_that_needs(rng, wanted, 8, beam_size=beam_size, max_len=max_len, alpha=1.25)

@cases(dict(beam_size=3), hidden=[dict(beam_size=4)])
def transformer(rng, beam_size):
    """a small Transformer, three sentences, beam_size={beam_size}, max_len=9"""
    init = dict(source_vocab=9, target_vocab=11, d_model=8, num_heads=2, num_layers=1, d_ff=12, dropout=1.0, max_len=16, tie_weights=False)
    source = torch.tensor([[6, 5, EOS, PAD, PAD], [5, 7, 4, 8, EOS], [8, 6, 7, EOS, PAD]])
    for _attempt in range(5000):
        state = {name: torch.from_numpy(value.data.astype("float32")) for name, value in draw_state(Transformer(**init), rng).items()}
        for name in state:  # with biases as large as drawn, it would say one word again and again
            state[name] *= 0.15 if name.endswith("bias") else 2.5 if name == "output.weight" else 1.5 if "cross" in name else 1.0
        state["output.bias"] = torch.from_numpy(np.array([-40, -40, 1.0] + [0.0] * 8, dtype="float32"))
        model, answers, greedy = small_transformer(init, state), [], []
        for row in source:
            said = next_words(model, row[row != PAD][None])
            step = lambda ids: np.array(said(ids))
            greedy.append(search(step, 1, 9, 0.6)[0][1])
            if len(greedy[-1]) == 9:
                break  # one that writes without end, most often
            answers.append(clear(step, beam_size, 9, 0.6))
            if answers[-1] is None:
                break
        if len(answers) == len(source) and None not in answers and greedy != answers and len({len(answer) for answer in answers}) > 1:
            break
    else:
        raise ValueError("no such Transformer was drawn")
    return dict(model=fixture("small_transformer", init=init, state=state), source=source, beam_size=beam_size, max_len=9)

def draw_with_padding(rng, vocab, places, ends=True):
    """As `draw_table`, but PAD and BOS have some probability in every place."""
    table = draw_table(rng, vocab, places, ends)
    table[:, 3:, [PAD, BOS]] = (1.0, 0.5)
    return table

@cases()
def padding_is_a_token(rng):
    """one sentence, beam_size=2, a model that gives PAD and BOS some probability, too"""
    wanted = [both(greedy_loses(2), needs("pad-ends", beam_size=2, max_len=64, alpha=0.6), lambda step, answer: min(answer) > BOS)]
    return draw_script(rng, wanted, 9, 2, places=5, draw=draw_with_padding) | dict(beam_size=2)

@cases()
def long_and_flat(rng):
    """one sentence of 64 words, none of them likely, beam_size=1"""
    words, table = np.arange(30), in_steps(0.05 * rng.normal(size=(1, 30, 30)))
    table[0, words, 4 + (7 * words + 3) % 26] += 1.5
    table[:, :, EOS] -= 30
    table[:, :, [PAD, BOS]] = (-40, -42)
    model = fixture("scripted_model", tables=torch.from_numpy(table[None]), pairs=torch.zeros(30, 30), tilt=torch.zeros(1, 30))
    return dict(model=model, source=torch.tensor([[4, 4, EOS]]), beam_size=1)

@cases()
def two_sources(rng):
    """one model, two sources of the same shape, one after the other, beam_size=2"""
    script = draw_script(rng, [greedy_loses(2), greedy_loses(2)], 8, 2, places=5)
    model = fixture("same_scripted_model", **script["model"].given)
    return [dict(model=model, source=script["source"][row : row + 1], beam_size=2) for row in (0, 1)]

STEP = "for length in range(1, max_len + 1):"
TOP = "candidates.flatten(1).topk(beam_size)"
# Some mistakes let hypotheses draw level, and rounding would say which of them lives on, or wins: here always the first.
FIRST_OF_EQUALS = ("sums, places = " + TOP, """flat = candidates.flatten(1)
        best = flat.sort(dim=1, descending=True)
        level = nn.functional.pad((best.values[:, :-1] - best.values[:, 1:] > 0.001).cumsum(1), (1, 0))
        places = best.indices.gather(1, (level * flat.shape[1] + best.indices).argsort(dim=1))[:, :beam_size]
        sums = flat.gather(1, places)"""), ("better = score > scores", """put_aside = sums.masked_fill(~ended, never)
        which = (put_aside >= put_aside.amax(dim=1, keepdim=True) - 0.001).long().argmax(dim=1)
        better = score > scores + 0.001""")
SCORE = "(sums / length_penalty(length, alpha)).masked_fill(~ended, never).max(dim=1)"
BOUND = "(sums.amax(dim=1) / length_penalty(max_len, alpha) <= scores).all()"
LOG = "torch.log_softmax(logits, dim=-1).view(batch, beam_size, -1)"
ENDED = "(tokens == EOS) | (length == max_len)"
RETURN = "return ids[:, : (ids != PAD).sum(dim=1).max()], scores"
WRITE = "ids[better, :length] = beams[first_rows[:, 0] + which][better, 1:]"
LEAVE = "sums = sums.masked_fill(ended, never)"
NEVER_STOP = (BOUND, "(sums == never).all()")
COPIES = "you find what greedy decoding finds, whatever `beam_size` is. Three things lead to this: a search that begins with `beam_size` copies of one hypothesis (the best words of all copies are the same, and so the beam stays full of copies), a search that keeps only one hypothesis after each step, and one in which a hypothesis offers its best word alone."
SWAPPED = "you take hypothesis and word out of the flat row as if it were word by word. It is hypothesis by hypothesis: `vocab` entries belong to the first, the next `vocab` to the second."
BY_SUM = "your scores carry the length penalty, but the winner is the hypothesis with the largest plain sum. The largest **score** wins. Two things lead to this: the winner is chosen by the sums, or a finished hypothesis goes on at no cost, so that copies of it fill the beam."
WHOLE = "you return the whole beam as it stands at the end. For each sentence one answer is asked for, the best of all that were put aside."
FIRST = "your answer is the best of the hypotheses that are finished first. Either your search stops there, or it does not look at later ones. A live hypothesis may still come to a better score: go on while one can win, or to `max_len`."
NO_PENALTY = "your scores are plain sums: there is no length penalty. A longer sentence is then worse simply because it is longer."
IGNORES_ALPHA = "your length penalty is always the one for alpha = 0.6, whatever `alpha` is."
CONTINUE = "finished hypotheses go on in your search: words are added behind an EOS. A hypothesis that ends in EOS is put aside, and leaves the beam."
REORDER = "your hypotheses are not brought into the new order: a chosen word is appended to whatever stands in that row, not to the hypothesis that it was chosen for. Each place in the flat row tells which hypothesis it extends."
ONE_FOR_ALL = "every sentence of the batch gets the first one's answer: its source, or its candidates, are used for all."
BATCH = "sentences of a batch get into each other's way: hypotheses of one are continued in the rows of another. Count the rows: sentence number i begins at row i · beam_size."

def changed(name, *edits, says):
    wrong(name, *edits, says=says)

def with_end(text):
    return (RETURN, "answer = ids[:, : (ids != PAD).sum(dim=1).max()]; " + text)

changed("copies", ("sums[:, 0] = 0.0", "sums[:] = 0.0"), says=COPIES)
changed("no-penalty", (SCORE, SCORE.replace("sums / length_penalty(length, alpha)", "sums")), (BOUND, BOUND.replace(" / length_penalty(max_len, alpha)", "")), says=NO_PENALTY)
changed("alpha-ignored", (SCORE, SCORE.replace(", alpha)", ")")), (BOUND, BOUND.replace(", alpha)", ")")), says=IGNORES_ALPHA)
changed("alpha-one-if-not-given", ("alpha: float = 0.6", "alpha: float = 1.0"), says="where `alpha` is not given, you take 1. It is 0.6 then.")
changed("alpha-zero-if-not-given", ("alpha: float = 0.6", "alpha: float = 0.0"), says="where `alpha` is not given, you take 0. It is 0.6 then.")
changed("alpha-one", (SCORE, SCORE.replace("alpha)", "1.0)")), (BOUND, BOUND.replace("alpha)", "1.0)")), says="your length penalty is always the one for alpha = 1, whatever `alpha` is.")
changed("alpha-at-most-1", ("batch, never = len(source)", "alpha = min(alpha, 1.0); batch, never = len(source)"), says="an `alpha` above 1 counts as 1 in your code. Every `alpha` is taken as it is given.")
changed("two-of-each", (LOG, f"(lambda p: p.masked_fill(p < p.topk(2).values[..., -1:], never))({LOG})"), says="each of your hypotheses puts forward its two best words only. All words of all hypotheses are candidates: the best `beam_size` may come from one hypothesis.")
changed("unfinished-one-longer", (SCORE, SCORE.replace("length_penalty(length, alpha)", "length_penalty(length + ((tokens != EOS) & (length == max_len)).long(), alpha)")), NEVER_STOP, says="what is still live after `max_len` tokens is divided by the penalty for one token more. It has `max_len` tokens and no EOS.")
changed("without-pad-and-bos", (LOG, "torch.log_softmax(logits.index_fill(1, torch.tensor([PAD, BOS]), never), dim=-1).view(batch, beam_size, -1)"), says="PAD and BOS are taken out before your softmax, so the other tokens' probabilities grow. They are tokens like the others: the probabilities are those that the model gives.")
changed("mean", (SCORE, SCORE.replace("length_penalty(length, alpha)", "length")), NEVER_STOP, says="you divide each sum by the length itself. Divide by `length_penalty(length, alpha)`.")
changed("length-to-alpha", (SCORE, SCORE.replace("length_penalty(length, alpha)", "length**alpha")), NEVER_STOP, says="you divide each sum by length to the power alpha. Divide by `length_penalty(length, alpha)`: it adds 5 and divides by 6.")
changed("penalty-multiplied", (SCORE, SCORE.replace("sums / length", "sums * length")), NEVER_STOP, says="you multiply the sums by the length penalty; divide. The sums are below 0: multiplied, long sentences become still worse.")
changed("penalty-subtracted", (SCORE, SCORE.replace("sums / length", "sums - length")), NEVER_STOP, says="you subtract the length penalty from the sums; the sum is divided by it.")
changed("penalty-added", (SCORE, SCORE.replace("sums / length", "sums + length")), NEVER_STOP, says="you add the length penalty to the sums; the sum is divided by it.")
changed("mean-with-bos", (SCORE, SCORE.replace("length_penalty(length, alpha)", "(length + 1)")), NEVER_STOP, says="you divide each sum by the length itself, BOS counted. Divide by `length_penalty(length, alpha)`, whose length counts the EOS and not the BOS.")
changed("penalty-twice", (SCORE, SCORE.replace("length_penalty(length, alpha)", "length_penalty(length, alpha) ** 2")), NEVER_STOP, says="your scores are divided by the length penalty twice. Is a score that is put aside divided again at the end?")
changed("finished-sum", (SCORE, SCORE.replace("length_penalty(length, alpha)", "(length_penalty(length, alpha) if length == max_len else 1.0)")), NEVER_STOP, says="hypotheses that end in EOS keep their plain sums in your code; only those that `max_len` cuts off are divided by the length penalty. All scores are divided by it.")
changed("eos-not-counted-where-finished", (SCORE, SCORE.replace("length_penalty(length, alpha)", "length_penalty(length - (tokens == EOS).long(), alpha)")), NEVER_STOP, says="your lengths are one too small for hypotheses that end in EOS: the EOS counts as well.")
changed("bos-counted", (SCORE, SCORE.replace("(length, ", "(length + 1, ")), NEVER_STOP, says="your lengths are one too large: is BOS counted? The length of a hypothesis counts its EOS and not the BOS.")
changed("eos-not-counted", (SCORE, SCORE.replace("(length, ", "(length - 1, ")), NEVER_STOP, says="your lengths are one too small: the EOS counts as well.")
changed("penalty-of-max-len", (SCORE, SCORE.replace("(length, ", "(max_len, ")), NEVER_STOP, says="you divide every sum by the penalty for `max_len`. Each hypothesis has a length of its own, the one at which it ended.")
changed("penalty-every-step", (SCORE, SCORE.replace("(sums /", "((sums := sums /").replace("alpha))", "alpha)))")), *FIRST_OF_EQUALS, NEVER_STOP, says="you divide the sums by the penalty in every step and go on adding to the result. Keep the plain sums; the penalty only makes the score of a hypothesis that is put aside.")
changed("winner-by-sum", (SCORE, "sums.masked_fill(~ended, never).max(dim=1)"), ("score > scores", "score > raw"), ("ids[better, :length]", "raw = torch.where(better, score, raw); ids[better, :length]"), ("scores = torch.where(better, score, scores)", "scores = torch.where(better, score / length_penalty(length, alpha), scores)"), (STEP, f"raw = scores\n    {STEP}"), NEVER_STOP, says=BY_SUM)
changed("scores-are-sums", (WRITE, WRITE + "; plain = torch.where(better, score * length_penalty(length, alpha), plain)"), (STEP, f"plain = scores\n    {STEP}"), with_end("return answer, plain"), says="your sentences are right, but your scores are the plain sums, without the division by the length penalty.")
changed("scores-as-probabilities", with_end("return answer, scores.exp()"), says="your scores are not the logarithms but e to the power of them. A score is a sum of logarithms over a penalty, a number below 0.")
changed("probabilities-divided", (SCORE, SCORE.replace("sums / length", "sums.exp() / length")), NEVER_STOP, says="you divide the probability of each hypothesis by the length penalty. It is the sum of the logarithms that is divided.")
changed("scores-positive", with_end("return answer, -scores"), says="your scores have the opposite sign: sums of log-probabilities are below 0.")
changed("probabilities-added", (LOG, LOG.replace("log_softmax", "softmax")), NEVER_STOP, says="you add up probabilities. Probabilities of words that follow each other are multiplied; what you add are their logarithms.")
changed("logits-added", (LOG, "logits.view(batch, beam_size, -1)"), NEVER_STOP, says="you add up logits as the model gives them. Only after a log-softmax are they log-probabilities: within one row, logits may all be large.")
changed("softmax-over-rows", (LOG, LOG.replace("dim=-1", "dim=0")), *FIRST_OF_EQUALS, NEVER_STOP, says="your log-softmax runs over the rows (the hypotheses). Each row by itself must become a distribution over the words: the last axis.")
changed("softmax-over-all", (LOG, "torch.log_softmax(logits.view(batch, -1), dim=-1).view(batch, beam_size, -1)"), NEVER_STOP, says="your log-softmax runs over all hypotheses and words together. Each hypothesis has a distribution of its own over the words.")
changed("base-2", (LOG, f"{LOG} / math.log(2)"), says="your logarithms are of base 2; use natural ones, as `torch.log_softmax` gives them.")
changed("base-10", (LOG, f"{LOG} / math.log(10)"), says="your logarithms are of base 10; use natural ones, as `torch.log_softmax` gives them.")
changed("last-word-only", ("sums.unsqueeze(-1) + log", "sums.unsqueeze(-1).clamp(max=never) .where(sums.unsqueeze(-1) == never, 0) + log"), *FIRST_OF_EQUALS, NEVER_STOP, says="only the last word counts in your search: the new log-probability replaces the sum. Add it to the sum so far.")
changed("order-forgotten", ("torch.cat([beams[rows], ", "torch.cat([beams, "), says=REORDER)
changed("row-and-word-swapped", ("places // candidates.shape[-1], places % candidates.shape[-1]", "places % beam_size, places // beam_size"), says=SWAPPED)
changed("rows-of-the-first", ("(first_rows + parents)", "parents"), says=BATCH)
changed("repeat-both", ("model.encode(source).repeat_interleave(beam_size, dim=0)", "model.encode(source).repeat(beam_size, 1, 1)"), ("source.repeat_interleave(beam_size, dim=0)", "source.repeat(beam_size, 1)"), says="your copies of the sources stand in another order than your hypotheses: 0 1 2 0 1 2 where the hypotheses are 0 0 1 1 2 2. So sentences get each other's source. (`repeat` and `repeat_interleave` differ in this.)")
changed("repeat-encoder", ("model.encode(source).repeat_interleave(beam_size, dim=0)", "model.encode(source).repeat(beam_size, 1, 1)"), says="your copies of the encoder's output stand in another order than the hypotheses: 0 1 2 0 1 2 where the hypotheses are 0 0 1 1 2 2. (`repeat` and `repeat_interleave` differ in this.)")
changed("repeat-source", ("source.repeat_interleave(beam_size, dim=0)", "source.repeat(beam_size, 1)"), says="your copies of `source` stand in another order than the hypotheses: 0 1 2 0 1 2 where the hypotheses are 0 0 1 1 2 2. (`repeat` and `repeat_interleave` differ in this.)")
changed("first-source-for-all", ("source.repeat_interleave(beam_size, dim=0)", "source[:1].expand_as(source).repeat_interleave(beam_size, dim=0)"), says="every sentence of the batch is decoded with the first one's `source`. Each row of hypotheses needs its own.")
changed("first-of-both-for-all", ("batch, never = len(source)", "source = source[:1].expand_as(source); batch, never = len(source)"), says=ONE_FOR_ALL)
changed("first-sentence-for-all", ("model.encode(source)", "model.encode(source[:1].expand_as(source))"), says="every sentence of the batch is decoded from the first one's encoder output.")
changed("goes-on-after-eos", (LEAVE, "pass"), says=CONTINUE)
changed("goes-on-and-cut", (LEAVE, "pass"), with_end("return answer.masked_fill((answer == EOS).cumsum(1) - (answer == EOS).long() > 0, PAD), scores"), says="your sentences end at EOS, but in the search they went on: the scores count words behind it. A hypothesis that ends in EOS is put aside with the score that it has, and leaves the beam.")
changed("goes-on-free", (LEAVE, "pass"), (LOG, f"{LOG}.masked_fill((beams[:, 1:] == EOS).any(1).view(batch, beam_size, 1), 0.0)"), says=CONTINUE)
changed("last-found", ("score > scores", "score > never"), NEVER_STOP, says="a hypothesis that is finished later replaces the one you had, even where its score is lower. The best of all wins.")
changed("first-found", ("score > scores", "(score > scores) & (scores == never)"), NEVER_STOP, says=FIRST)
changed("stops-at-first", (BOUND, "(scores > never).all()"), says=FIRST)
changed("stops-at-first-with-live", (ENDED, "((tokens == EOS) | (length == max_len)); ended = ended | ended.any(dim=1, keepdim=True)"), says="your search stops as soon as something is finished, and counts what is live at that moment as if it were finished too. Live hypotheses go on while one can win, or to `max_len`.")
changed("stops-for-all", (BOUND, "(scores > never).any()"), says="your search stops for the whole batch when the first sentence has an answer. The others are not done.")
changed("stops-with-first-sentence", (BOUND, f"({BOUND[:-6]})[0]"), says="your search stops for the whole batch when the first sentence is done. The others are not.")
changed("unfinished-lost", (ENDED, "tokens == EOS"), says="where no hypothesis is finished within `max_len`, your answer is empty. Unfinished ones count at the end, with the score for that length.")
changed("unfinished-given-eos", (ENDED, "(tokens == EOS) | (length == max_len)"), (WRITE, f"{WRITE}; ids[better, length - 1] = EOS"), says="a sentence that is not finished at `max_len` gets an EOS from you in place of its last word. It comes back as it is.")
changed("unfinished-sum", (SCORE, SCORE.replace("sums / length_penalty(length, alpha)", "sums / (length_penalty(length, alpha) if length < max_len else 1.0)")), NEVER_STOP, says="hypotheses that are not finished at `max_len` keep their plain sums in your code. They are divided by the length penalty as well.")
changed("one-step-too-few", (STEP, "for length in range(1, max_len):"), (ENDED, "(tokens == EOS) | (length == max_len - 1)"), says="your search ends one step early: sentences may have `max_len` tokens, BOS not counted.")
changed("one-step-too-many", (STEP, "for length in range(1, max_len + 2):"), (ENDED, "(tokens == EOS) | (length == max_len + 1)"), ("(batch, max_len)", "(batch, max_len + 1)"), says="your search takes one step more than `max_len` allows.")
changed("max-len-ignored", (STEP, "max_len = 64\n    " + STEP), ("source.new_full((batch, max_len), PAD)", "source.new_full((batch, 64), PAD)"), *FIRST_OF_EQUALS, says="your search does not stop at `max_len`.")
changed("with-bos", with_end("return torch.cat([torch.full_like(answer[:, :1], BOS), answer], dim=1), scores"), says="your sentences begin with BOS. It starts the search and is no part of what comes back.")
changed("eos-cut", with_end("return answer.masked_fill(answer == EOS, PAD), scores"), says="the EOS is missing at the end of your sentences. `greedy_decode` gives it, and so does this.")
changed("last-cut", with_end("return torch.cat([answer, answer[:, :1] * 0], dim=1).masked_fill(torch.cat([answer == PAD, answer[:, :1] >= 0], dim=1).roll(-1, 1), PAD), scores"), says="the last token of each of your sentences is cut off, the EOS or, where there is none, a word. Only the BOS is no part of what comes back.")
changed("bos-and-no-eos", with_end("return torch.cat([torch.full_like(answer[:, :1], BOS), answer], dim=1).masked_fill(torch.cat([answer[:, :1] < 0, answer == EOS], dim=1), PAD), scores"), says="your sentences begin with BOS and have lost their EOS: is the first token cut off where it should stay, or the last instead of the first?")
changed("first-word-lost", with_end("return answer[:, 1:], scores"), says="the first word of your sentences is missing. Only BOS is cut off.")
changed("padded-with-eos", ("source.new_full((batch, max_len), PAD)", "source.new_full((batch, max_len), EOS)"), with_end("longest = int((ids != EOS).sum(dim=1).max()); return ids[:, : longest + 1], scores"), says="your shorter sentences are filled up with EOS. Behind the one EOS stands padding, id 0.")
changed("padded-with-minus-one", with_end("return answer.masked_fill(answer == PAD, -1), scores"), says="your shorter sentences are filled up with −1. Padding has the id 0.")
changed("all-beams", (RETURN, "return beams.view(batch, beam_size, -1)[:, :, 1:], sums"), says=WHOLE)
changed("end-of-the-beam", (RETURN, "return beams.view(batch, beam_size, -1)[:, 0, 1:], scores"), says="you return what stands first in the beam at the end of the search. The finished hypotheses have left it by then: keep the best of them.")
changed("ids-only", (RETURN, RETURN.replace(", scores", "")), says="your function returns the ids alone. Return two things: ids and scores.")
changed("swapped-results", with_end("return scores, answer"), says="the two results are swapped: first the ids, then the scores.")
changed("scores-column", with_end("return answer, scores.unsqueeze(1)"), says="your scores have the shape (batch, 1). One number for each sentence, shape (batch,).")
changed("one-score", with_end("return answer, scores.max()"), says="you return one score for the whole batch. Each sentence has its own.")
changed("scores-in-a-list", with_end("return answer, scores.tolist()"), says="your scores are a Python list. Return a tensor of shape (batch,).")
changed("ids-in-a-list", with_end("return [row[row != PAD].tolist() for row in ids], scores"), says="your ids are Python lists. Return one tensor, (batch, longest), padded with 0.")
changed("all-in-lists", with_end("return [row[row != PAD].tolist() for row in ids], scores.tolist()"), says="your ids and scores are Python lists. Return two tensors: ids (batch, longest), padded with 0, and scores (batch,).")
changed("ids-as-floats", with_end("return answer.float(), scores"), says="your ids are floating-point numbers. Ids are integers, as `greedy_decode` gives them.")
changed("first-only", with_end("return answer[0], scores[0]"), says="you return the first sentence alone. All sentences of the batch are asked for.")
changed("batch-of-one", (RETURN, "return ids[:1, : (ids != PAD).sum(dim=1)[0]], scores[:1]"), says="you return the first sentence alone. All sentences of the batch are asked for.")
changed("beam-size-ignored", ("batch, never = len(source), float(\"-inf\")", "batch, never, beam_size = len(source), float(\"-inf\"), 4"), says="your beam has 4 places where `beam_size` is another number: each sentence has `beam_size` places of its own, in every step.")
changed("always-two", ("batch, never = len(source), float(\"-inf\")", "batch, never, beam_size = len(source), float(\"-inf\"), 2"), says="your beam always has 2 places, whatever `beam_size` is.")
changed("greedy", ("batch, never = len(source), float(\"-inf\")", "batch, never, beam_size = len(source), float(\"-inf\"), 1"), says=COPIES)
changed("one-more", ("batch, never = len(source), float(\"-inf\")", "batch, never, beam_size = len(source), float(\"-inf\"), beam_size + 1"), says="your beam has one place more than `beam_size`.")
changed("one-less", ("batch, never = len(source), float(\"-inf\")", "batch, never, beam_size = len(source), float(\"-inf\"), max(1, beam_size - 1)"), says="your beam has one place less than `beam_size`.")
changed("smallest", (TOP, TOP[:-1] + ", largest=False)"), says="your search keeps the worst candidates instead of the best.")
changed("smallest-of-the-best", ("sums, places = " + TOP, "best = candidates.topk(beam_size); order = best.values.masked_fill(best.values == never, -never).flatten(1).topk(beam_size, largest=False); sums, places = order.values.masked_fill(order.values == -never, never), (best.indices + candidates.shape[-1] * torch.arange(beam_size, device=source.device).unsqueeze(1)).flatten(1).gather(1, order.indices)"), NEVER_STOP, says="each of your hypotheses offers its best words, but of these together the worst are kept. Is something sorted from small to large? The largest sums stay.")
changed("lowest-score", (SCORE, SCORE.replace("never).max", "-never).min")), ("score > scores", "score < scores"), ("scores, ids = sums[:, -1] + never", "scores, ids = sums[:, -1].abs() - never"), NEVER_STOP, says="your answer is the hypothesis with the lowest score. The largest wins: scores are below 0, and the best lies nearest to 0.")
changed("first-place", ("(beams, encoder_output, sources)[:, -1]", "(beams, encoder_output, sources)[:, 0]"), says="you read the logits of the first place in every step. The next word stands at the last one.")
changed("place-before", ("(beams, encoder_output, sources)[:, -1]", "(beams, encoder_output, sources)[:, max(0, length - 2)]"), says="you read the logits one place too early: what follows the last word stands at the last place.")
changed("without-bos", ("model.decode(beams, ", "model.decode(beams if length == 1 else beams[:, 1:], "), says="the BOS is missing in what you give the decoder after the first step. It needs the whole hypothesis, from BOS on.")
changed("starts-with-pad", ("beam_size, 1), BOS)", "beam_size, 1), PAD)"), says="your hypotheses begin with id 0, the padding. They begin with BOS, id 1.")
changed("starts-with-eos", ("beam_size, 1), BOS)", "beam_size, 1), EOS)"), says="your hypotheses begin with EOS. They begin with BOS, id 1.")
changed("wrong-eos", (ENDED, "(tokens == 3) | (length == max_len)"), says="your search waits for the wrong id: EOS is 2.")
changed("each-for-itself", (TOP, "candidates.flatten(1).topk(beam_size) if length == 1 else (lambda m: (m.values, m.indices + candidates.shape[-1] * torch.arange(beam_size, device=source.device)))(candidates.max(dim=-1))"), says="each of your hypotheses goes on by itself with its own best word. In a beam they compete: of **all** candidates together the best `beam_size` are kept.")
changed("kept-by-batch", ("sums, places = " + TOP, "sums, places = candidates[:1].expand_as(candidates).flatten(1).topk(beam_size)"), says=ONE_FOR_ALL)
changed("eos-never-first", (LOG, f"{LOG}.index_fill(2, torch.tensor([EOS], device=source.device), never if length < 5 else 0.0)"), NEVER_STOP, says="your search does not let a sentence end early: for the first steps EOS is ruled out, or it costs nothing later. EOS is a token like any other.")
changed("eos-costs-nothing", (LOG, f"{LOG}.index_fill(2, torch.tensor([EOS], device=source.device), 0.0)"), NEVER_STOP, says="EOS costs nothing in your search. Its log-probability belongs in the sum, like any other token's.")
changed("eos-not-in-the-score", (SCORE, "((sums - log_probabilities.gather(1, parents.unsqueeze(-1).expand(-1, -1, log_probabilities.shape[-1])).gather(2, tokens.unsqueeze(-1)).squeeze(-1).masked_fill(tokens != EOS, 0.0)) / length_penalty(length, alpha)).masked_fill(~ended, never).max(dim=1)"), NEVER_STOP, says="the EOS's own log-probability is missing from your scores. It is a token like any other and belongs in the sum.")
changed("first-word-free", ("candidates = sums.unsqueeze(-1) + log_probabilities", "candidates = sums.unsqueeze(-1) + log_probabilities\n        candidates = candidates - log_probabilities.clamp(min=-60) * (length == 1) if length == 1 and False else candidates; free = log_probabilities if length == 1 else free"), (SCORE, "((sums - first) / length_penalty(length, alpha)).masked_fill(~ended, never).max(dim=1)"), ("rows = (first_rows + parents).flatten()", "rows = (first_rows + parents).flatten(); first = sums if length == 1 else first.gather(1, parents)"), NEVER_STOP, says="the first word's log-probability is missing from your scores. Does your sum begin with the second word?")
changed("nothing-returned", (RETURN, "ids"), says="your function ends without giving anything back: is a `return` missing?")
changed("changes-source", ("batch, never = len(source), float(\"-inf\")", "batch, never = len(source), float(\"-inf\"); source[source == EOS] = PAD"), says="your code changes `source` in place, and the caller's sentences with it.")

def in_a_grid(mistake, says):
    """Another way to write it, with one thing wrong: finished hypotheses stay and go on with padding that costs nothing."""
    def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
        batch, never = len(source), float("-inf")
        encoder_output, sources = (part.repeat_interleave(beam_size, dim=0) for part in (model.encode(source), source))
        words, lengths = source.new_full((batch * beam_size, 1), BOS), torch.zeros(batch, beam_size)
        sums, ended = torch.tensor([0.0] + [never] * (beam_size - 1)).repeat(batch, 1), lengths > 0
        for _ in range(max_len):
            said = model.decode(words, encoder_output, sources)[:, -1].log_softmax(-1).view(batch, beam_size, -1)
            only_padding = said.masked_fill(torch.arange(said.shape[-1]) != PAD, never)
            free_padding = only_padding.where(only_padding == never, 0.0)
            if mistake == "grid-free":
                said = said.masked_fill(ended.unsqueeze(-1), 0.0)
            elif mistake != "grid-goes-on":
                said = torch.where(ended.unsqueeze(-1), only_padding if mistake == "grid-padding-costs" else free_padding, said)
            sums, places = (sums.unsqueeze(-1) + said).flatten(1).topk(beam_size)
            parents, tokens = places // said.shape[-1], places % said.shape[-1]
            if mistake == "grid-row-and-word-swapped":
                parents, tokens = places % beam_size, places // beam_size
            ended = ended if mistake == "grid-marks" else ended.gather(1, parents)
            lengths = (lengths if mistake == "grid-lengths" else lengths.gather(1, parents)) + ~ended
            rows = (parents if mistake == "grid-rows-of-the-first" else parents + beam_size * torch.arange(batch).unsqueeze(1)).flatten()
            words = torch.cat([words if mistake == "grid-order-forgotten" else words[rows], tokens.view(-1, 1)], dim=1)
            ended = ended | (tokens == EOS)
            if ended.any() if mistake == "grid-stops-at-any" else ended[:, 0].all() if mistake == "grid-stops-at-first-place" else ended.all():
                break
        scores = sums / length_penalty(lengths.max() if mistake == "grid-one-length" else lengths, alpha)
        best, words = scores.max(dim=1), words.view(batch, beam_size, -1)[:, :, 1:]
        if mistake == "grid-free":
            words = words.masked_fill((words == EOS).cumsum(2) - (words == EOS).long() > 0, PAD)
        answers = words if mistake == "grid-all-beams" else words[torch.arange(batch), best.indices]
        return answers, scores if mistake in ("grid-all-beams", "grid-all-scores") else best.values
    wrong(mistake, says=says)(beam_search)

MOVE = "When the beam is put together anew, all that you keep of a hypothesis moves with it"
in_a_grid("grid-goes-on", says=CONTINUE)
in_a_grid("grid-free", says=BY_SUM)
in_a_grid("grid-padding-costs", says="your finished hypotheses go on with padding, and its log-probability is added to their sums. Nothing is added to the sum of a finished hypothesis.")
in_a_grid("grid-marks", says=f"your marks of which hypotheses are finished stay in their places while the hypotheses change theirs. {MOVE}: its words, its sum, and whether it is finished.")
in_a_grid("grid-lengths", says=f"your lengths stay in their places while the hypotheses change theirs. {MOVE}: its words, its sum, and its length.")
in_a_grid("grid-order-forgotten", says=REORDER)
in_a_grid("grid-row-and-word-swapped", says=SWAPPED)
in_a_grid("grid-rows-of-the-first", says=BATCH)
in_a_grid("grid-stops-at-any", says="your search stops for the whole batch as soon as any hypothesis of any sentence is finished, and what is live at that moment counts as if it were finished too. Live hypotheses go on while one can win, or to `max_len`.")
in_a_grid("grid-stops-at-first-place", says="your search stops as soon as the hypothesis with the largest sum is finished, and what is live at that moment counts as if it were finished too. Live hypotheses go on while one can win, or to `max_len`.")
in_a_grid("grid-one-length", says="all your sums are divided by the penalty for one and the same length, the number of steps or the longest of all. Each hypothesis has a length of its own, the one at which it ended.")
in_a_grid("grid-all-scores", says="you return a score for every hypothesis of the beam. One number for each sentence is asked for: the score of its answer.")
in_a_grid("grid-all-beams", says=WHOLE)

pairs_of_mistakes = {
    "copies": (("sums[:, 0] = 0.0", "sums[:] = 0.0"), COPIES),
    "alpha-ignored": (("batch, never = len(source)", "alpha = 0.6; batch, never = len(source)"), IGNORES_ALPHA),
    "no-penalty": (("batch, never = len(source)", "alpha = 0.0; batch, never = len(source)"), NO_PENALTY),
    "order-forgotten": (("torch.cat([beams[rows], ", "torch.cat([beams, "), REORDER),
    "goes-on-after-eos": ((LEAVE, "pass"), CONTINUE),
    "unfinished-lost": ((ENDED, "tokens == EOS"), "where no hypothesis is finished within `max_len`, your answer is empty."),
    "scores-positive": ((RETURN, RETURN.replace("scores", "-scores")), "your scores have the opposite sign."),
    "stops-at-first": ((BOUND, "(scores > never).all()"), FIRST),
    "with-bos": ((RETURN, RETURN.replace("return ids", "return torch.cat([torch.full_like(ids[:, :1], BOS), ids], dim=1)").replace(".max()]", ".max() + 1]")), "your sentences begin with BOS."),
    "rows-of-the-first": (("(first_rows + parents)", "parents"), BATCH),
}
together = [
    ("no-penalty", "copies"), ("no-penalty", "order-forgotten"), ("no-penalty", "stops-at-first"), ("no-penalty", "unfinished-lost"),
    ("no-penalty", "with-bos"), ("alpha-ignored", "copies"), ("alpha-ignored", "order-forgotten"),
    ("alpha-ignored", "stops-at-first"), ("alpha-ignored", "unfinished-lost"), ("copies", "unfinished-lost"),
    ("copies", "with-bos"), ("order-forgotten", "stops-at-first"), ("order-forgotten", "goes-on-after-eos"), ("stops-at-first", "unfinished-lost"),
    ("stops-at-first", "with-bos"), ("no-penalty", "rows-of-the-first"), ("scores-positive", "no-penalty"), ("copies", "goes-on-after-eos"),
]
for one, other in together:
    edits = [pairs_of_mistakes[name][0] for name in (one, other)]
    if len({old for old, _ in edits}) == 2:
        wrong(f"{one}+{other}", *edits, says=two_things(pairs_of_mistakes[one][1], pairs_of_mistakes[other][1]))

def by_way(way):
    """The search, sentence by sentence, with some rules read otherwise."""
    def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
        found = [search(next_words(model, row[None]), beam_size, max_len, alpha, way)[0] for row in source]
        longest = max(len(ids) for _, ids in found)
        ids = torch.tensor([[*ids, *[PAD] * (longest - len(ids))] for _, ids in found])
        return ids, torch.tensor([score for score, _ in found])
    return beam_search

for way, says in WAYS.items():
    wrong(way.replace(" ", "+"), says=says)(by_way(way))

@right
def with_a_heap(model, source, beam_size=4, max_len=64, alpha=0.6):
    import heapq
    sentences, values = [], []
    for row in source:
        one, encoded = row[None], model.encode(row[None])
        beam, done = [(0.0, [BOS])], []
        while beam:
            extended = []
            for total, words in beam:
                with torch.no_grad():
                    step = torch.log_softmax(model.decode(torch.tensor([words]), encoded, one)[0, -1], dim=0)
                extended += [(total + p, [*words, token]) for token, p in enumerate(step.tolist())]
            beam = []
            for total, words in heapq.nlargest(beam_size, extended):
                over = words[-1] == EOS or len(words) == max_len + 1
                (done if over else beam).append((total, words))
        value, words = max((total / length_penalty(len(words) - 1, alpha), words) for total, words in done)
        sentences.append(torch.tensor(words[1:]))
        values.append(value)
    return torch.nn.utils.rnn.pad_sequence(sentences, batch_first=True), torch.tensor(values, dtype=torch.float64)

right_edit("no-early-stop", NEVER_STOP)
right_edit("encoder-each-step", ("logits = model.decode(beams, encoder_output, sources)[:, -1]", "logits = model(sources, beams)[:, -1]"))
right_edit("eval-mode", ("batch, never = len(source)", "model.eval(); batch, never = len(source)"))
right_edit("softmax-then-log", (LOG, "logits.softmax(-1).clamp(min=1e-30).log().view(batch, beam_size, -1)"))
right_edit("int32", (RETURN, RETURN.replace("max()]", "max()].int()")))
right_edit("in-a-list", (RETURN, RETURN.replace("return ids", "return [ids").replace(", scores", ", scores]")))

@truth
def word_by_word(model, source, beam_size=4, max_len=64, alpha=0.6):
    """One sentence, one hypothesis, one word at a time, in float64, to max_len."""
    return by_way("")(model, source, beam_size, max_len, alpha)

# %% exercise="ngram_counts" part="library"
def ngram_counts(tokens: list, n: int) -> dict[tuple, int]:
    """NumPy's sliding windows, counted."""
    if len(tokens) < n:
        return Counter()
    row = np.empty(len(tokens), dtype=object)
    row[:] = tokens
    return Counter(map(tuple, np.lib.stride_tricks.sliding_window_view(row, n).tolist()))

# %% exercise="ngram_counts" part="variants"
WORDS = "the cat sat on a mat and saw old dog run by".split()

def sentence(rng, length, words=4):
    return [WORDS[int(i)] for i in rng.integers(0, words, size=length)]

@cases(dict(length=9), dict(length=12), hidden=[dict(length=11), dict(length=14)])
def drawn(rng, length):
    """{length} tokens, n from 1 to 4"""
    tokens = sentence(rng, length, 3)
    tokens[3:7] = tokens[:4]  # some pieces stand there twice
    return [dict(tokens=list(tokens), n=n) for n in (1, 2, 3, 4)]

@cases()
def the_the_the(rng):
    """"the the the", n=2"""
    return dict(tokens=["the", "the", "the"], n=2)

@cases(dict(n=4), dict(n=3), hidden=[dict(n=5), dict(n=2)])
def as_long_as_n(rng, n):
    """{n} tokens, n={n}: one piece"""
    return dict(tokens=sentence(rng, n), n=n)

@cases(dict(n=3), hidden=[dict(n=4)])
def too_short(rng, n):
    """fewer tokens than n={n}"""
    return [dict(tokens=sentence(rng, n - 1), n=n), dict(tokens=[], n=n)]

@cases()
def nothing(rng):
    """an empty sentence, n=1"""
    return dict(tokens=[], n=1)

@cases()
def capital(rng):
    """a sentence that begins with a capital letter, n=1"""
    return dict(tokens=["The", *sentence(rng, 3), "the"], n=1)

@cases(dict(length=8), hidden=[dict(length=10)])
def ids(rng, length):
    """{length} ids instead of words, n=2"""
    return dict(tokens=[int(i) for i in rng.integers(4, 7, size=length)], n=2)

@cases()
def zeros(rng):
    """tokens that are 0, or an empty word, n=2"""
    return [dict(tokens=[5, 0, 7, 0, 5, 0], n=2), dict(tokens=["on", "", "a", "on", ""], n=2)]

@cases()
def pieces_of_five(rng):
    """7 tokens, n=5"""
    return dict(tokens="the cat sat on the cat sat".split(), n=5)

WINDOW, RANGE = "tuple(tokens[i : i + n])", "range(len(tokens) - n + 1)"
LINE = f"Counter({WINDOW} for i in {RANGE})"
PLAIN_KEYS = "your keys for n = 1 are the tokens themselves. They are tuples too: `(\"the\",)`."
forms = {
    "last-lost": ((RANGE, "range(len(tokens) - n)"), "the last n-gram of the sentence is not counted: a piece of n tokens can begin at every place from 0 to len(tokens) − n."),
    "first-lost": ((RANGE, "range(1, len(tokens) - n + 1)"), "the first n-gram of the sentence is not counted."),
    "short-ones-at-the-end": ((RANGE, "range(len(tokens))"), "at the end of the sentence you count pieces with fewer than n tokens."),
    "one-short-at-the-end": ((RANGE, "range(max(0, len(tokens) - n + 2))"), "at the end of the sentence you count a piece with fewer than n tokens."),
    "one-too-long": ((WINDOW, "tuple(tokens[i : i + n + 1])"), "your pieces have n + 1 tokens."),
    "one-too-long-exactly": ((LINE, "Counter(tuple(tokens[i : i + n + 1]) for i in range(len(tokens) - n))"), "your pieces have n + 1 tokens."),
    "one-too-short": ((LINE, "Counter(tuple(tokens[i : i + n - 1]) for i in range(len(tokens) - n + 2))"), "your pieces have n − 1 tokens."),
    "one-too-short-inside": ((WINDOW, "tuple(tokens[i : i + n - 1])"), "your pieces have n − 1 tokens."),
    "skips": ((RANGE, "range(0, len(tokens) - n + 1, n)"), "your pieces do not overlap: the next one begins n tokens further on. A piece begins at every token."),
    "always-two": ((LINE, "Counter(tuple(tokens[i : i + 2]) for i in range(len(tokens) - 1))"), "your pieces always have two tokens, whatever `n` is."),
    "always-one": ((LINE, "Counter((token,) for token in tokens)"), "your pieces always have one token, whatever `n` is."),
    "single-words": ((LINE, "Counter(tokens)"), "you count single tokens, and not pieces of n."),
    "up-to-n": ((LINE, "Counter(tuple(tokens[i : i + m]) for m in range(1, n + 1) for i in range(len(tokens) - m + 1))"), "you count the pieces of every length up to n. Only those of exactly n tokens are asked for."),
    "sorted-pieces": ((WINDOW, "tuple(sorted(tokens[i : i + n]))"), "your pieces have lost their order: \"cat the\" and \"the cat\" are two different n-grams."),
    "reversed-pieces": ((WINDOW, "tuple(reversed(tokens[i : i + n]))"), "your pieces stand the wrong way round: from the right to the left."),
    "combinations": ((LINE, "Counter(__import__('itertools').combinations(tokens, n))"), "you count any n tokens in order, with gaps between them. An n-gram is n tokens **next to each other**."),
    "permutations-in-a-circle": ((LINE, "Counter(tuple((tokens * n)[i : i + n]) for i in range(len(tokens)))"), "your pieces go on at the beginning when the sentence is over. The last one ends with the last token."),
    "padded": ((LINE, "Counter(tuple((['<s>'] * (n - 1) + list(tokens))[i : i + n]) for i in range(len(tokens)))"), "you add a mark at the beginning of the sentence and count pieces that hold it. Count pieces of real tokens only."),
    "text-keys": ((WINDOW, "' '.join(map(str, tokens[i : i + n]))"), "your keys are texts, the tokens joined by spaces. Each key should be a tuple of tokens."),
    "list-texts": ((WINDOW, "str(tokens[i : i + n])"), "your keys are texts that show a list. Each key should be a tuple of tokens."),
    "plain-keys": ((WINDOW, "(tokens[i] if n == 1 else tuple(tokens[i : i + n]))"), PLAIN_KEYS),
    "joined": ((WINDOW, "tuple(''.join(map(str, tokens[i : i + n])))"), "your pieces are cut into letters. A piece is made of whole tokens."),
    "letters": ((LINE, "Counter(tuple(' '.join(map(str, tokens))[i : i + n]) for i in range(len(' '.join(map(str, tokens))) - n + 1))"), "you count n letters in a row. A piece is n whole tokens."),
    "each-once": ((LINE, f"dict.fromkeys(({WINDOW} for i in {RANGE}), 1)"), "every count of yours is 1. A piece that stands there twice has the count 2."),
    "one-more": ((LINE, f"{{g: c + 1 for g, c in {LINE}.items()}}"), "every count of yours is one too large."),
    "one-less": ((LINE, f"{{g: c - 1 for g, c in {LINE}.items()}}"), "every count of yours is one too small: does it begin at 0 when a piece is met for the first time?"),
    "only-repeated": ((LINE, f"{{g: c for g, c in {LINE}.items() if c > 1}}"), "pieces that stand there only once are missing."),
    "shares": ((LINE, f"{{g: c / ({RANGE}.stop) for g, c in {LINE}.items()}}"), "your values are shares of the whole. Counts are asked for."),
    "sets": ((LINE, f"{{{WINDOW} for i in {RANGE}}}"), "your output is a set: it knows which pieces there are, not how often."),
    "a-list": ((LINE, f"[{WINDOW} for i in {RANGE}]"), "your output is a list of the pieces. A dict with a count for each is asked for."),
    "pairs": ((LINE, f"list({LINE}.items())"), "your output is a list of pairs. Return a dict."),
    "most-common": ((LINE, f"{LINE}.most_common()"), "your output is a list of pairs. Return a dict."),
    "how-many": ((LINE, f"len({LINE})"), "your output is the number of different pieces. A dict with a count for each is asked for."),
    "total": ((LINE, "max(0, len(tokens) - n + 1)"), "your output is the number of all pieces. A dict with a count for each is asked for."),
    "positions": ((LINE, f"{{{WINDOW}: i for i in {RANGE}}}"), "your values are places in the sentence. Counts are asked for."),
    "swapped-pairs": ((LINE, f"{{c: g for g, c in {LINE}.items()}}"), "keys and values are swapped: the piece is the key, the count the value."),
    "lower-n": ((LINE, "Counter(tuple(tokens[i : i + n]) for i in range(max(1, len(tokens) - n + 1)))"), "where the sentence is shorter than n you count it as a piece all the same. There is nothing to count then: an empty dict."),
    "range-n": ((RANGE, "range(n)"), "your pieces begin at the first n places only. A piece begins at every place from 0 to len(tokens) − n."),
    "ends-at-n": ((LINE, "Counter(tuple(tokens[i:n]) for i in range(len(tokens)))"), "your pieces end at place n of the sentence. Each ends n tokens after its own beginning: `i + n`."),
    "every-second": ((RANGE, "range(0, len(tokens) - n + 1, 2)"), "you count every second piece only. A piece begins at every token."),
    "all-lengths": ((LINE, "Counter(tuple(tokens[i:j]) for i in range(len(tokens)) for j in range(i + 1, len(tokens) + 1))"), "you count the pieces of every length. Only those of exactly n tokens are asked for."),
    "counted-in-tokens": ((LINE, f"{{g: tokens.count(g) for g in {LINE}}}"), "your counts are 0: you look for a tuple among the single tokens. Count in a list of pieces."),
    "same-token-n-times": ((LINE, "Counter(zip(*[tokens] * n))"), "your pieces hold the same token n times. Each token of a piece stands one place further on."),
    "sorted-list": ((LINE, f"sorted({LINE}.items())"), "your output is a list of pairs. Return a dict."),
    "underscores": ((WINDOW, "'_'.join(map(str, tokens[i : i + n]))"), "your keys are texts, the tokens joined by a mark. Each key should be a tuple of tokens."),
    "as-texts": ((WINDOW, "tuple(str(token) for token in tokens[i : i + n])"), "your tokens have become texts: the id 4 is counted as `'4'`. Count tokens as they are."),
    "lower-case-texts": ((WINDOW, "tuple(str(token).lower() for token in tokens[i : i + n])"), "your tokens are changed before they are counted: words become lower case, ids become texts. Count tokens as they are."),
    "lower-case": ((WINDOW, "tuple(token.lower() if isinstance(token, str) else token for token in tokens[i : i + n])"), "your words are made lower case before they are counted. \"The\" and \"the\" are two tokens: count tokens as they are."),
    "no-false-tokens": ((LINE, f"{{g: c for g, c in {LINE}.items() if all(g)}}"), "pieces that hold the id 0, or an empty word, are left out. They count like the others: is a token asked whether it is true?"),
    "four-at-most": ((LINE, LINE.replace("i + n]", "i + min(n, 4)]").replace("- n + 1", "- min(n, 4) + 1")), "your pieces have four tokens at most, whatever `n` is."),
    "list-keys": ((LINE, "{tokens[i : i + n]: 1 for i in range(len(tokens) - n + 1)}"), "your keys are lists, and a list cannot be the key of a dict. A tuple can."),
}
for name, (edit, says) in forms.items():
    wrong(name, edit, says=says)
wrong("none-where-short", ("return " + LINE, f"return {LINE} if len(tokens) >= n else None"), says="where the sentence is shorter than n your function gives nothing back. Return an empty dict.")
wrong("nothing-returned", ("return " + LINE, LINE), says="your function ends without giving anything back: is a `return` missing?")
wrong("empties-tokens", ("return " + LINE, f"counts = {LINE}; tokens.clear(); return counts"), says="your code changes `tokens`: the caller's sentence is another one afterwards.")
wrong("pops", ("return " + LINE, "counts = Counter()\n    while len(tokens) >= n:\n        counts[tuple(tokens[:n])] += 1\n        tokens.pop(0)\n    return counts"), says="your code takes tokens out of the list that it was given. The caller still needs them: work on a copy, or by places.")

@right
def by_zip(tokens, n):
    return Counter(zip(*(tokens[start:] for start in range(n))))

@right
def by_hand(tokens, n):
    counts = {}
    for start in range(len(tokens)):
        piece = tuple(tokens[start : start + n])
        if len(piece) == n:
            counts[piece] = counts.get(piece, 0) + 1
    return counts

@right
def by_set(tokens, n):
    pieces = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return {piece: pieces.count(piece) for piece in set(pieces)}

@right
def backwards(tokens, n):
    from collections import defaultdict
    counts = defaultdict(int)
    for end in range(len(tokens), n - 1, -1):
        counts[tuple(tokens[end - n : end])] += 1
    return counts

@right
def with_numpy_numbers(tokens, n):
    counts = {}
    for i in range(len(tokens) - n + 1):
        piece = (*tokens[i : i + n],)
        counts[piece] = np.int64(counts.get(piece, 0) + 1)
    return counts

@right
def with_a_queue(tokens, n):
    from collections import deque
    window, counts = deque(maxlen=n), Counter()
    for token in tokens:
        window.append(token)
        if len(window) == n:
            counts[tuple(window)] += 1
    return counts

@truth
def by_sacrebleu(tokens, n):
    """sacrebleu's own counter of word n-grams, its keys cut at the spaces."""
    from sacrebleu.metrics.helpers import extract_word_ngrams
    whole = {str(token): token for token in tokens}
    counted = extract_word_ngrams([str(token) for token in tokens], n)
    return {tuple(whole[word] for word in key.split(" ")): count for key, count in counted.items()}

@truth
def by_comparing(tokens, n):
    """Each place asks how many places look the same, token by token."""
    places = range(len(tokens) - n + 1)
    alike = lambda i, j: all(tokens[i + k] == tokens[j + k] for k in range(n))
    return {tuple(tokens[i : i + n]): sum(alike(i, j) for j in places) for i in places}

# %% exercise="corpus_bleu" part="library"
def corpus_bleu(hypotheses: list[list[str]], references: list[list[str]]) -> float:
    """sacrebleu itself, told to leave the tokens as they are and to smooth nothing."""
    import sacrebleu

    texts = [[" ".join(tokens) for tokens in sentences] for sentences in (hypotheses, references)]
    if not texts[0]:
        return 0.0
    return float(sacrebleu.corpus_bleu(texts[0], [texts[1]], smooth_method="none", force=True, tokenize="none").score)

# %% exercise="corpus_bleu" part="variants"
without("one", because="its cases search for corpora in which each rule is needed")

WORDS = "the cat sat on a mat and saw old dog run by".split()

def disturbed(rng, tokens, words, much=0.18):
    """A hypothesis from a reference: words replaced, left out, said twice, or swapped."""
    out = []
    for token in tokens:
        kind = rng.random()
        if kind < much / 2:
            out.append(WORDS[int(rng.integers(0, words))])
        elif kind < 0.75 * much:
            out += [token, token]
        elif kind > 1 - much / 4:
            continue
        else:
            out.append(token)
    return out

def corpus(rng, sentences, words, low, high, cut=0.0, longer=0):
    """References of a few words, so that pieces repeat, and hypotheses that are near them. The first is always near."""
    references = [[WORDS[int(i)] for i in rng.integers(0, words, size=int(rng.integers(low, high + 1)))] for _ in range(sentences)]
    hypotheses = [disturbed(rng, tokens, words) for tokens in references]
    hypotheses[0] = [*references[0][:5], *hypotheses[0][5:]]
    for i, tokens in enumerate(hypotheses):
        if cut and i % 2:
            hypotheses[i] = tokens[: max(2, round(len(tokens) * (1 - cut)))]
        hypotheses[i] = hypotheses[i] + hypotheses[i][:1] * longer
    return hypotheses, references

def total(sentences):
    return sum(map(len, sentences))

def until(draw, condition):
    for _attempt in range(2000):
        hypotheses, references = draw()
        if condition(hypotheses, references):
            return dict(hypotheses=hypotheses, references=references)
    raise ValueError("no such corpus was drawn")

@cases(dict(sentences=4), dict(sentences=7), hidden=[dict(sentences=5), dict(sentences=8)])
def short(rng, sentences):
    """{sentences} sentences, shorter than their references on the whole"""
    fits = lambda h, r: total(h) < 0.9 * total(r) and any(len(a) > len(b) for a, b in zip(h, r))
    return until(lambda: corpus(rng, sentences, 5, 8, 13, cut=0.35, longer=1), fits)

@cases(dict(sentences=3), dict(sentences=6), hidden=[dict(sentences=4), dict(sentences=7)])
def long(rng, sentences):
    """{sentences} sentences, longer than their references on the whole"""
    fits = lambda h, r: total(h) > 1.1 * total(r) and any(len(a) < len(b) for a, b in zip(h, r))
    return until(lambda: corpus(rng, sentences, 4, 7, 12, cut=0.3, longer=3), fits)

@cases(dict(words=9), hidden=[dict(words=8)])
def one_sentence(rng, words):
    """one sentence of {words} words"""
    fits = lambda h, r: h != r and len(h[0]) != len(r[0])
    return until(lambda: corpus(rng, 1, words, words + 2, words + 4), fits)

@cases()
def perfect(rng):
    """three sentences, all of them right"""
    _, references = corpus(rng, 3, 6, 5, 9)
    return dict(hypotheses=[list(tokens) for tokens in references], references=references)

@cases()
def nothing_in_common(rng):
    """two sentences without a common word"""
    return dict(hypotheses=[["run", "by", "run", "by", "saw"], ["dog"] * 6], references=[WORDS[:6], WORDS[2:7]])

@cases()
def no_piece_of_four(rng):
    """the right words, and no piece of four in common"""
    return dict(hypotheses=["the mat sat on the cat".split()], references=["the cat sat on the mat".split()])

@cases()
def the_the_the(rng):
    """"the the the" and a good sentence"""
    return dict(hypotheses=[["the"] * 3, "the old dog sat on a mat".split()], references=["the cat sat on the mat".split(), "the old dog sat by a mat and saw".split()])

@cases()
def clipped(rng):
    """a sentence that says one piece again and again"""
    return dict(hypotheses=["the cat sat on the cat sat on the cat sat on".split()], references=["the cat sat on the old mat by the dog".split()])

@cases()
def with_empty(rng):
    """one hypothesis of three is empty, one has two words"""
    return dict(hypotheses=[[], ["old", "dog"], "the cat sat on a mat".split()], references=["a dog".split(), "old dog run".split(), "the cat sat on the mat and saw".split()])

@cases()
def all_empty(rng):
    """two hypotheses, both empty"""
    return dict(hypotheses=[[], []], references=[["old", "dog"], ["a", "cat"]])

@cases()
def all_short(rng):
    """right sentences of two and three words: no piece of four anywhere"""
    return dict(hypotheses=[["old", "dog"], ["a", "cat", "run"]], references=[["old", "dog"], ["a", "cat", "run"]])

@cases()
def bounds(rng):
    """pieces that would only match across the border of two sentences"""
    return dict(hypotheses=[["a", "cat", "sat", "on", "the"], ["mat", "and", "the", "old", "dog", "run"]], references=[["a", "cat", "sat", "on", "the"], ["mat", "and", "saw", "the", "old", "dog", "run"]])

@cases()
def capitals(rng):
    """words with capitals, which are other words"""
    return dict(hypotheses=["The old dog sat on a Mat by the cat".split()], references=["the old dog sat on a mat by the cat".split()])

@cases()
def marks(rng):
    """tokens with marks in them: 3.5, o'clock, twenty-one"""
    return dict(hypotheses=["it is 3.5 by twenty-one o'clock , i saw".split()], references=["it is 3.5 by twenty-one o'clock . i saw".split()])

@cases()
def borders_of_words(rng):
    """words that read alike only when they are put together: "in to" and "i nto\""""
    return dict(hypotheses=["in to the old dog run by".split()], references=["i nto the old dog run by".split()])

@cases()
def very_short(rng):
    """a right beginning, and a reference nearly three times as long"""
    return dict(hypotheses=["the old dog sat on".split()], references=["the old dog sat on a mat by the cat and saw it run".split()])

LOOP = "    for hypothesis, reference in zip(hypotheses, references):"
wrong("empty-ones-left-out", (LOOP, f"    some = [pair for pair in zip(hypotheses, references) if pair[0]]\n    hypotheses, references = zip(*some) if some else ([], [])\n{LOOP}"),
      says="pairs with an empty hypothesis are left out, and the reference's length with them. It counts: saying nothing is too short.")
wrong("short-ones-left-out", (LOOP, f"    long = [pair for pair in zip(hypotheses, references) if len(pair[0]) > 3]\n    hypotheses, references = zip(*long) if long else ([], [])\n{LOOP}"),
      says="hypotheses of fewer than four tokens are left out, lengths and all. They count like the others, with the pieces that they have.")
MATCH = "sum(min(count, wanted.get(ngram, 0)) for ngram, count in found.items())"
TOTAL = "totals[n - 1] += sum(found.values())"
EMPTY = "if min(matches) == 0:"
BREVITY = "min(1.0, math.exp(1 - reference_length / hypothesis_length))"
MEAN = "sum(math.log(match / total) for match, total in zip(matches, totals)) / 4"
RETURN = "return 100 * brevity_penalty * math.exp(mean_logarithm)"
ORDERS = "range(1, 5)"
SMOOTHED = "your precisions are smoothed: something is added where there is no match, or everywhere. This BLEU is unsmoothed: where a precision is 0, it is 0."
facts = {
    "not-clipped": ([(MATCH, "sum(count for ngram, count in found.items() if ngram in wanted)")], "your matches are not clipped: \"the the the\" gets full marks. An n-gram counts at most as often as its reference has it."),
    "counted-once": ([(MATCH, "sum(1 for ngram in found if ngram in wanted)")], "you count each different n-gram once, however often it stands in both. The smaller of the two counts is the match."),
    "counted-once-below-as-well": ([(MATCH, "sum(1 for ngram in found if ngram in wanted)"), (TOTAL, "totals[n - 1] += len(found)")], "you compare the sets of n-grams, without their counts."),
    "different-ones-below": ([(TOTAL, "totals[n - 1] += len(found)")], "below the line you count each different n-gram once. All n-grams of the hypothesis belong there, repeated ones as often as they stand."),
    "reference-count": ([(MATCH, "sum(wanted.get(ngram, 0) for ngram in found)")], "you count how often the reference has each n-gram. The match is the smaller of the two counts."),
    "larger-count": ([(MATCH, "sum(max(count, wanted.get(ngram, 0)) for ngram, count in found.items() if ngram in wanted)")], "you take the larger of the two counts; the match is the smaller."),
    "no-brevity-penalty": ([(BREVITY, "1.0")], "the brevity penalty is missing: hypotheses that say too little lose nothing."),
    "always-brevity": ([(BREVITY, "math.exp(1 - reference_length / hypothesis_length)")], "your brevity penalty rises above 1 where the hypotheses are longer. It is 1 there: longer ones gain nothing."),
    "brevity-turned": ([(BREVITY, "min(1.0, math.exp(1 - hypothesis_length / reference_length))")], "your brevity penalty hits hypotheses that are too long. It is meant for those that are too short: the fraction is turned round."),
    "brevity-is-ratio": ([(BREVITY, "min(1.0, hypothesis_length / reference_length)")], "your brevity penalty is the ratio of the lengths itself. It is e to the power of 1 − R/H."),
    "brevity-without-one": ([(BREVITY, "(1.0 if hypothesis_length >= reference_length else math.exp(-reference_length / hypothesis_length))")], "the 1 is missing in the exponent of your brevity penalty: it is 1 − R/H."),
    "brevity-other-sign": ([(BREVITY, "(1.0 if hypothesis_length >= reference_length else math.exp(reference_length / hypothesis_length - 1))")], "the exponent of your brevity penalty has the wrong sign: too short hypotheses gain."),
    "brevity-by-mean": ([(BREVITY, "sum(min(1.0, math.exp(1 - len(r) / max(len(h), 1))) for h, r in zip(hypotheses, references)) / len(hypotheses)")], "your brevity penalty is a mean over the sentences. It is computed once, from the total lengths."),
    "brevity-by-product": ([(BREVITY, "math.prod(min(1.0, math.exp(1 - len(r) / max(len(h), 1))) for h, r in zip(hypotheses, references))")], "your brevity penalty is a product over the sentences. It is computed once, from the total lengths."),
    "brevity-by-letters": ([("sum(map(len, hypotheses)), sum(map(len, references))", "sum(len(w) for h in hypotheses for w in h), sum(len(w) for r in references for w in r)")], "your lengths are counted in letters. They are numbers of tokens."),
    "brevity-at-least-half": ([(BREVITY, f"max(0.5, {BREVITY})")], "your brevity penalty is never below 1/2. It has no such limit."),
    "brevity-both-ways": ([(BREVITY, "math.exp(-abs(1 - reference_length / hypothesis_length))")], "your brevity penalty hits hypotheses that are longer than their references, too. It is 1 there."),
    "brevity-in-each-precision": ([(RETURN, "return 100 * brevity_penalty**4 * math.exp(mean_logarithm)")], "your brevity penalty counts four times: is it a part of each precision? It counts once."),
    "matching-sentences-only": ([(TOTAL, TOTAL + " if any(ngram in wanted for ngram in found) else 0")], "sentences without a common piece are left out of your totals. The n-grams of all hypotheses stand below the line."),
    "two-to-five": ([(ORDERS, "range(2, 6)"), ("matches[n - 1]", "matches[n - 2]"), ("totals[n - 1]", "totals[n - 2]")], "your pieces have two to five tokens. n runs from 1 to 4."),
    "union": ([(MATCH, "sum(max(found.get(ngram, 0), wanted.get(ngram, 0)) for ngram in {*found, *wanted})")], "above the line you count what stands in the hypothesis **or** in the reference. Matches stand in both."),
    "brevity-twice": ([(RETURN, "return 100 * brevity_penalty**2 * math.exp(mean_logarithm)")], "your brevity penalty counts twice."),
    "brevity-under-root": ([(RETURN, "return 100 * (brevity_penalty * math.exp(4 * mean_logarithm)) ** 0.25")], "your brevity penalty stands under the fourth root. Only the precisions do."),
    "arithmetic-mean": ([(MEAN, "math.log(sum(match / total for match, total in zip(matches, totals)) / 4)")], "you take the plain mean of the four precisions. BLEU takes the fourth root of their product."),
    "no-root": ([(MEAN, MEAN.replace(" / 4", ""))], "the fourth root is missing: you give the product of the precisions."),
    "pooled": ([(MEAN, "math.log(sum(matches) / sum(totals))")], "you add up matches and totals over all four lengths and divide once. Each length has a precision of its own."),
    "harmonic": ([(MEAN, "math.log(4 / sum(total / match for match, total in zip(matches, totals)))")], "you take the harmonic mean of the four precisions. BLEU takes the fourth root of their product."),
    "up-to-three": ([(ORDERS, "range(1, 4)"), ("if min(matches) == 0", "if min(matches[:3]) == 0"), (MEAN, "sum(math.log(match / total) for match, total in zip(matches[:3], totals[:3])) / 3")], "pieces of four are left out: n runs from 1 to 4, both included."),
    "up-to-three-of-four": ([(ORDERS, "range(1, 4)"), ("if min(matches) == 0", "if min(matches[:3]) == 0"), (MEAN, "sum(math.log(match / total) for match, total in zip(matches[:3], totals[:3])) / 4")], "pieces of four are left out: n runs from 1 to 4, both included."),
    "up-to-two": ([(ORDERS, "range(1, 3)"), ("if min(matches) == 0", "if min(matches[:2]) == 0"), (MEAN, "sum(math.log(match / total) for match, total in zip(matches[:2], totals[:2])) / 2")], "your pieces have one or two tokens only: n runs from 1 to 4."),
    "from-two": ([("if min(matches) == 0", "if min(matches[1:]) == 0"), (MEAN, "sum(math.log(match / total) for match, total in zip(matches[1:], totals[1:])) / 3")], "single tokens are left out: n runs from 1 to 4."),
    "only-four": ([(MEAN, "math.log(matches[3] / totals[3])")], "only pieces of four count in your result. All lengths from 1 to 4 do."),
    "only-one": ([("if min(matches) == 0", "if matches[0] == 0"), (MEAN, "math.log(matches[0] / totals[0])")], "only single tokens count in your result. All lengths from 1 to 4 do."),
    "up-to-five": ([("[0, 0, 0, 0], [0, 0, 0, 0]", "[0] * 5, [0] * 5"), (ORDERS, "range(1, 6)"), (MEAN, MEAN.replace("/ 4", "/ 5"))], "your pieces have up to five tokens: n runs from 1 to 4."),
    "zero-to-one": ([(RETURN, RETURN.replace("100 * ", ""))], "your BLEU runs from 0 to 1. It should run from 0 to 100."),
    "rounded": ([(RETURN, RETURN.replace("100 * brevity_penalty * math.exp(mean_logarithm)", "round(100 * brevity_penalty * math.exp(mean_logarithm), 1)"))], "your BLEU is rounded to one decimal. Round only what you print."),
    "rounded-2": ([(RETURN, RETURN.replace("100 * brevity_penalty * math.exp(mean_logarithm)", "round(100 * brevity_penalty * math.exp(mean_logarithm), 2)"))], "your BLEU is rounded to two decimals. Round only what you print."),
    "whole": ([(RETURN, RETURN.replace("100 * brevity_penalty * math.exp(mean_logarithm)", "int(100 * brevity_penalty * math.exp(mean_logarithm))"))], "your BLEU is cut to a whole number."),
    "base-ten": ([(MEAN, MEAN.replace("math.log(", "math.log10("))], "your logarithm and your power do not belong together: `exp` undoes the natural logarithm."),
    "no-exp": ([(RETURN, RETURN.replace("math.exp(mean_logarithm)", "mean_logarithm"))], "the `exp` is missing at the end: your result is made of the mean logarithm."),
    "recall": ([(TOTAL, "totals[n - 1] += sum(wanted.values())")], "you divide by the n-grams of the reference (or count matches from its side). The precision is seen from the hypothesis: its n-grams stand below the line."),
    "by-tokens": ([(TOTAL, "totals[n - 1] += len(hypothesis)")], "you divide by the number of tokens for every n. A sentence of 6 tokens has 5 pairs, 4 triples and 3 pieces of four."),
    "one-total-too-many": ([(TOTAL, "totals[n - 1] += max(0, len(hypothesis) - n)")], "your totals are one too small in each sentence: there are len − n + 1 pieces of n tokens."),
    "smoothed-plus-one": ([(EMPTY, "if not totals[0]:"), (MEAN, "sum(math.log((match + 1) / (total + 1)) for match, total in zip(matches, totals)) / 4")], SMOOTHED),
    "smoothed-plus-one-from-two": ([(EMPTY, "if not matches[0]:"), (MEAN, "sum(math.log((match + (n > 0)) / (total + (n > 0))) for n, (match, total) in enumerate(zip(matches, totals))) / 4")], SMOOTHED),
    "smoothed-a-little": ([(EMPTY, "if not totals[0]:"), (MEAN, "sum(math.log((match or 0.1) / (total or 1)) for match, total in zip(matches, totals)) / 4")], SMOOTHED),
    "smoothed-epsilon": ([(EMPTY, "if not totals[0]:"), (MEAN, "sum(math.log(max(match / (total or 1), 1e-9)) for match, total in zip(matches, totals)) / 4")], SMOOTHED),
    "smoothed-by-halves": ([(EMPTY, "if not matches[0]:"), (MEAN, "sum(math.log(match / total if match else 1 / (2 ** (n - matches[:n].index(0) + 1 if 0 in matches[:n] else 1) * (total or 1))) for n, (match, total) in enumerate(zip(matches, totals))) / 4")], SMOOTHED),
    "zeros-left-out": ([(EMPTY, "if not any(matches):"), (MEAN, "sum(math.log(match / total) for match, total in zip(matches, totals) if match) / sum(match > 0 for match in matches)")], "a precision of 0 is left out of your mean. It makes the whole product 0."),
    "smoothed-as-sacrebleu": ([(EMPTY, "if not matches[0] or min(totals) == 0:"), (MEAN, "sum(math.log(match / total if match else 1 / (2 ** matches[: n + 1].count(0) * total)) for n, (match, total) in enumerate(zip(matches, totals))) / 4")], f"{SMOOTHED} (sacrebleu smooths where nobody tells it not to.)"),
    "missing-lengths-left-out": ([(EMPTY, "if min((match for match, total in zip(matches, totals) if total), default=0) == 0:"), (MEAN, "sum(math.log(match / total) for match, total in zip(matches, totals) if total) / sum(total > 0 for total in totals)")], "lengths of which the hypotheses have no piece are left out of your mean. BLEU is 0 where there is nothing to count."),
    "zeros-skipped": ([(EMPTY, "if not any(matches):"), (MEAN, "sum(math.log(match / total) for match, total in zip(matches, totals) if match) / 4")], "a precision of 0 counts as 1 in your code: it is skipped in the sum. It makes the whole product 0."),
    "no-guard": ([(EMPTY, "if False:")], "your code fails where nothing matches: the logarithm of 0, or a division by 0. BLEU is 0 there; say so first."),
    "guard-for-empty-only": ([(EMPTY, "if min(totals) == 0:")], "your code fails where a precision is 0: there is no logarithm of 0. BLEU is 0 there; say so first."),
    "guard-for-no-match-at-all": ([(EMPTY, "if not any(matches):")], "your code fails where one of the precisions is 0: there is no logarithm of 0. BLEU is 0 as soon as one of the four is."),
    "swapped": ([("for hypothesis, reference in zip(hypotheses, references):", "hypotheses, references = references, hypotheses\n    for hypothesis, reference in zip(hypotheses, references):")], "hypotheses and references have changed places."),
    "lower-case": ([("ngram_counts(hypothesis, n), ngram_counts(reference, n)", "ngram_counts([w.lower() for w in hypothesis], n), ngram_counts([w.lower() for w in reference], n)")], "you make all words small first. Tokens are compared as they are."),
    "letters": ([("ngram_counts(hypothesis, n), ngram_counts(reference, n)", "ngram_counts(list(' '.join(hypothesis)), n), ngram_counts(list(' '.join(reference)), n)")], "your n-grams are pieces of letters. They are pieces of tokens."),
    "glued": ([("ngram_counts(hypothesis, n), ngram_counts(reference, n)", "(Counter(''.join(map(str, g)) for g in Counter(ngram_counts(tokens, n)).elements()) for tokens in (hypothesis, reference))")], "the tokens of your pieces are put together to one word, so \"in to\" agrees with \"i nto\". A piece is a tuple of tokens."),
    "order-ignored": ([("ngram_counts(hypothesis, n), ngram_counts(reference, n)", "ngram_counts(sorted(hypothesis), n), ngram_counts(sorted(reference), n)")], "you sort the words first. The order of the words is what longer pieces are there for."),
    "set-of-words": ([("ngram_counts(hypothesis, n), ngram_counts(reference, n)", "ngram_counts(list(dict.fromkeys(hypothesis)), n), ngram_counts(list(dict.fromkeys(reference)), n)")], "you throw out repeated words before you count."),
    "first-sentence": ([("zip(hypotheses, references):", "list(zip(hypotheses, references))[:1]:")], "only the first sentence is counted."),
    "last-sentence": ([("for n in range(1, 5):", "matches, totals = [0, 0, 0, 0], [0, 0, 0, 0]\n        for n in range(1, 5):")], "only the last sentence is counted: matches and totals begin anew for each sentence."),
    "all-but-the-last": ([("zip(hypotheses, references):", "zip(hypotheses[:-1], references[:-1]):")], "the last sentence is not counted."),
    "one-text": ([("for hypothesis, reference in zip(hypotheses, references):", "for hypothesis, reference in [(sum(hypotheses, []), sum(references, []))]:")], "all sentences are one long text to you: pieces run over the border of two sentences, and words match in other sentences. Count each sentence with its own reference."),
    "any-reference": ([("ngram_counts(reference, n)", "sum((Counter(ngram_counts(r, n)) for r in references), Counter())")], "in your code a piece matches when any reference has it. Each hypothesis is compared with its own reference."),
    "short-skipped": ([("for n in range(1, 5):", "for n in (range(1, 5) if len(hypothesis) >= 4 else ()):")], "sentences with fewer than four tokens are left out. Their shorter pieces count all the same."),
    "brevity-on-the-wrong-side": ([(BREVITY, "(1.0 if hypothesis_length < reference_length else math.exp(1 - reference_length / hypothesis_length))")], "your brevity penalty is 1 where the hypotheses are too short, and another number where they are longer. It is the other way round: longer ones gain and lose nothing."),
    "brevity-for-longer": ([(BREVITY, "(1.0 if hypothesis_length > reference_length else math.exp(1 - hypothesis_length / reference_length))")], "your brevity penalty is above 1 for hypotheses that are too short: the fraction in it is turned round. It is R/H."),
    "at-least-one": ([(EMPTY, "matches, totals = [max(m, 1) for m in matches], [max(t, 1) for t in totals]\n    if not sum(map(len, hypotheses)):")], SMOOTHED),
    "base-two": ([(MEAN, MEAN.replace("math.log(", "math.log2("))], "your logarithm and your power do not belong together: `exp` undoes the natural logarithm."),
    "last-lengths": ([("sum(map(len, hypotheses)), sum(map(len, references))", "len(hypotheses[-1]), len(references[-1])")], "your brevity penalty knows the last sentence only: its lengths are not added up."),
    "different-words-as-length": ([("sum(map(len, hypotheses)), sum(map(len, references))", "sum(len(set(h)) for h in hypotheses), sum(len(set(r)) for r in references)")], "your lengths count each different word once. All tokens count."),
    "square-root": ([(MEAN, MEAN.replace("/ 4", "/ 2"))], "you take the square root of the product. Four precisions have a fourth root."),
    "root-three": ([(MEAN, MEAN.replace("/ 4", "/ 3"))], "you take the third root of the product. Four precisions have a fourth root."),
    "root-five": ([(MEAN, MEAN.replace("/ 4", "/ 5"))], "you take the fifth root of the product. Four precisions have a fourth root."),
    "text": ([(RETURN, RETURN.replace("100 * brevity_penalty * math.exp(mean_logarithm)", "f'{100 * brevity_penalty * math.exp(mean_logarithm):.2f}'"))], "your result is a text. Return the number itself."),
    "with-precisions": ([(RETURN, RETURN + ", [m / t for m, t in zip(matches, totals)]")], "your function returns two things. Return the number alone."),
    "nothing-returned": ([(RETURN, RETURN.removeprefix("return "))], "your function ends without giving anything back: is a `return` missing?"),
    "precision-alone": ([(RETURN, "return 100 * matches[0] / totals[0]"), (EMPTY, "if matches[0] == 0:")], "your result is the precision of single tokens, without the longer pieces and the brevity penalty."),
}
for small in ("1e-8", "1e-10", "1e-12"):
    facts[f"smoothed-epsilon-{small}"] = [(old, new.replace("1e-9", small)) for old, new in facts["smoothed-epsilon"][0]], SMOOTHED
for name, (edits, says) in facts.items():
    wrong(name, *edits, says=says)

def sentence_bleu(hypothesis, reference, brevity=True):
    value = 1.0
    for n in range(1, 5):
        found, wanted = ngram_counts(hypothesis, n), ngram_counts(reference, n)
        value *= sum(min(c, wanted.get(g, 0)) for g, c in found.items()) / max(1, sum(found.values()))
    return 100 * value**0.25 * (min(1, math.exp(1 - len(reference) / len(hypothesis))) if brevity and hypothesis else 1 if hypothesis else 0)

@wrong("mean-of-sentences", says="your BLEU is the mean of one BLEU for each sentence. Add up matches, totals and lengths over all sentences first, and divide once.")
def mean_of_sentences(hypotheses, references):
    return sum(map(sentence_bleu, hypotheses, references)) / len(hypotheses)

@wrong("mean-of-precisions", says="your precisions are means over the sentences. Add up matches and totals over all sentences first, and divide once.")
def mean_of_precisions(hypotheses, references):
    value = 1.0
    for n in range(1, 5):
        shares = []
        for hypothesis, reference in zip(hypotheses, references):
            found, wanted = ngram_counts(hypothesis, n), ngram_counts(reference, n)
            shares.append(sum(min(c, wanted.get(g, 0)) for g, c in found.items()) / max(1, sum(found.values())))
        value *= sum(shares) / len(shares)
    lengths = sum(map(len, hypotheses)), sum(map(len, references))
    return 100 * value**0.25 * (min(1, math.exp(1 - lengths[1] / lengths[0])) if lengths[0] else 0.0)

@wrong("clipped-over-the-corpus", says="your counts are added up over all sentences before they are clipped, so a piece can match another sentence's reference. Clip sentence by sentence: each hypothesis has a reference of its own.")
def clipped_over_the_corpus(hypotheses, references):
    value, lengths = 1.0, (sum(map(len, hypotheses)), sum(map(len, references)))
    for n in range(1, 5):
        found, wanted = (sum((Counter(ngram_counts(tokens, n)) for tokens in side), Counter()) for side in (hypotheses, references))
        value *= sum((found & wanted).values()) / max(1, sum(found.values()))
    return 100 * value**0.25 * (min(1, math.exp(1 - lengths[1] / lengths[0])) if lengths[0] else 0.0)

@wrong("exact-match", says="your result is the share of sentences that are right as a whole: exact match. BLEU counts pieces.")
def exact_match(hypotheses, references):
    return 100 * sum(map(list.__eq__, hypotheses, references)) / len(hypotheses)

@wrong("changes-hypotheses", says="your code changes the sentences that it was given.")
def changes_hypotheses(hypotheses, references):
    value = sacre(hypotheses, references)
    hypotheses.sort()
    return value

def sacre(hypotheses, references, **options):
    import sacrebleu
    texts = [[" ".join(tokens) for tokens in sentences] for sentences in (hypotheses, references)]
    return float(sacrebleu.corpus_bleu(texts[0], [texts[1]], **dict(smooth_method="none", force=True, tokenize="none") | options).score)

def two(*names, says):
    edits = [edit for name in names for edit in facts[name][0]]
    wrong("+".join(names), *edits, says=says)
two("not-clipped", "no-brevity-penalty", says="two things at once: matches are not clipped (an n-gram counts at most as often as its reference has it), and the brevity penalty is missing.")
two("not-clipped", "zero-to-one", says="two things at once: matches are not clipped, and your BLEU runs from 0 to 1.")
two("no-brevity-penalty", "zero-to-one", says="two things at once: the brevity penalty is missing, and your BLEU runs from 0 to 1.")
two("no-brevity-penalty", "arithmetic-mean", says="two things at once: the brevity penalty is missing, and the four precisions are combined by a plain mean instead of the fourth root of the product.")
two("not-clipped", "arithmetic-mean", says="two things at once: matches are not clipped, and the four precisions are combined by a plain mean instead of the fourth root of the product.")
two("not-clipped", "no-guard", says="two things at once: matches are not clipped, and your code fails where nothing matches.")
two("no-brevity-penalty", "no-guard", says="two things at once: the brevity penalty is missing, and your code fails where nothing matches.")
two("always-brevity", "no-guard", says="two things at once: the brevity penalty rises above 1 for longer hypotheses, and your code fails where nothing matches.")
two("always-brevity", "not-clipped", says="two things at once: the brevity penalty rises above 1 for longer hypotheses, and matches are not clipped.")
two("zero-to-one", "no-guard", says="two things at once: your BLEU runs from 0 to 1, and your code fails where nothing matches.")
two("arithmetic-mean", "brevity-is-ratio", says="two things at once: the four precisions are combined by a plain mean instead of the fourth root of the product, and your brevity penalty is the ratio of the lengths itself.")
two("one-text", "no-brevity-penalty", says="two things at once: all sentences are one long text to you, and the brevity penalty is missing.")

@right
def by_logs_of_arrays(hypotheses, references):
    found, all_ = np.zeros(4), np.zeros(4)
    for h, r in zip(hypotheses, references):
        for n in range(4):
            a, b = Counter(ngram_counts(h, n + 1)), Counter(ngram_counts(r, n + 1))
            found[n] += sum((a & b).values())
            all_[n] += max(0, len(h) - n)
    with np.errstate(all="ignore"):
        precision = np.where(found > 0, found / all_, 0.0)
        lengths = sum(len(r) for r in references) / max(1, sum(len(h) for h in hypotheses))
        return 100.0 * float(np.exp(np.log(precision).mean())) * min(1.0, float(np.exp(1 - lengths)))

@right
def by_fourth_root(hypotheses, references):
    product, H, R = 1.0, 0, 0
    for h, r in zip(hypotheses, references):
        H, R = H + len(h), R + len(r)
    for n in 1, 2, 3, 4:
        top = bottom = 0
        for h, r in zip(hypotheses, references):
            left = [tuple(r[i : i + n]) for i in range(len(r) - n + 1)]
            for i in range(len(h) - n + 1):
                bottom += 1
                if (piece := tuple(h[i : i + n])) in left:
                    left.remove(piece)
                    top += 1
        product *= top / bottom if bottom else 0
    if H == 0:
        return 0
    return 100 * product**0.25 * (math.exp(1 - R / H) if H < R else 1)

@right
def sentence_by_sentence(hypotheses, references):
    statistics = torch.zeros(10, dtype=torch.float64)
    for h, r in zip(hypotheses, references):
        row = [len(h), len(r)]
        for n in range(1, 5):
            a, b = ngram_counts(h, n), ngram_counts(r, n)
            row += [sum(min(a[g], b[g]) for g in a if g in b), sum(a.values())]
        statistics += torch.tensor(row, dtype=torch.float64)
    if (statistics[2::2] == 0).any():
        return 0.0
    mean = (statistics[2::2] / statistics[3::2]).log().mean()
    return 100 * torch.exp(mean + torch.clamp(1 - statistics[1] / statistics[0], max=0))

@right
def with_counter_minus(hypotheses, references):
    logs = []
    for n in range(1, 5):
        missed = total = 0
        for h, r in zip(hypotheses, references):
            a, b = Counter(ngram_counts(h, n)), Counter(ngram_counts(r, n))
            total += sum(a.values())
            missed += sum((a - b).values())
        if total == missed:
            return 0.0
        logs.append(math.log((total - missed) / total))
    short = sum(map(len, references)) / sum(map(len, hypotheses))
    return 100 * math.exp(sum(logs) / 4) * (math.exp(1 - short) if short > 1 else 1.0)

right_edit("recounted", (TOTAL, "totals[n - 1] += max(len(hypothesis) - n + 1, 0)"))
right_edit("power", (MEAN, "math.log(math.prod(match / total for match, total in zip(matches, totals)) ** (1 / 4))"))
right_edit("whole-zero", ("return 0.0", "return 0"))

@truth
def by_sacrebleu(hypotheses, references):
    """sacrebleu, told to leave the tokens as they are and to smooth nothing."""
    return sacre(hypotheses, references)

@truth
def by_fractions(hypotheses, references):
    """Exact fractions, pieces compared place by place, in loops."""
    from fractions import Fraction
    product = Fraction(1)
    for n in range(1, 5):
        matches = total = 0
        for h, r in zip(hypotheses, references):
            free = [True] * max(0, len(r) - n + 1)
            for i in range(len(h) - n + 1):
                total += 1
                for j in range(len(free)):
                    if free[j] and h[i : i + n] == r[j : j + n]:
                        free[j], matches = False, matches + 1
                        break
        product *= Fraction(matches, total) if total else 0
    H, R = sum(map(len, hypotheses)), sum(map(len, references))
    return 100 * float(product) ** 0.25 * (1 if H >= R else math.exp(1 - Fraction(R, H)) if H else 0)
