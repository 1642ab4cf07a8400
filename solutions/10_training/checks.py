"""What the checks of unit 10 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% part="variants"
def small_state(rng, d, scale, output_scale=None):
    embeddings = dict(source_weight=floats(rng, SIZE, d, scale=scale), target_weight=floats(rng, SIZE, d, scale=scale))
    return embeddings | dict(output_weight=floats(rng, d, SIZE, scale=scale if output_scale is None else output_scale))

def small_batch(rng, batch, s, t):
    return ended_ids(rng, batch, s, SIZE), ended_ids(rng, batch, t, SIZE)

# %% exercise="build_vocabulary" part="library"
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


def build_vocabulary(
    sequences: Sequence[Sequence[str]], max_size: int | None = None, min_count: int = 1
) -> dict[str, int]:
    """NumPy's `unique` counts and says where each token is met first; its stable sort does the rest."""
    flat = np.array([token for sequence in sequences for token in sequence], dtype=object).astype(str)
    tokens, first, counts = np.unique(flat, return_index=True, return_counts=True)
    order = [i for i in np.lexsort((first, -counts)) if counts[i] >= min_count]
    names = np.concatenate([["<pad>", "<bos>", "<eos>", "<unk>"], tokens[order]])[:max_size]
    return dict(zip(names.tolist(), range(len(names)), strict=True))

# %% exercise="build_vocabulary" part="variants"
without("one: kinds", because="there must be words to count")

SPECIALS = ["<pad>", "<bos>", "<eos>", "<unk>"]
WORDS = "river two books apple zebra in the morning yesterday a we bought o'clock one five train machine learning kite quiet".split()

def sentences(rng, count, kinds):
    """`count` sequences over the first `kinds` words: some frequent, some rare, with ties; the words shuffled."""
    words = [WORDS[i] for i in rng.permutation(len(WORDS))[:kinds]]
    share = 1 / (1 + np.arange(kinds))
    share[-2:] = 0  # so that one word is seen once and one twice, whatever is drawn
    drawn = [[words[i] for i in rng.choice(kinds, size=rng.integers(2, 7), p=share / share.sum())] for _ in range(count)]
    return drawn + [[word] for word in words[::-1]] + [[words[0]] * 3, [words[-1]]]

@cases(dict(count=6, kinds=9), dict(count=9, kinds=12), low=5, high=14)
def drawn(rng, count, kinds):
    """{count} sequences and more, {kinds} different tokens"""
    return dict(sequences=sentences(rng, count, kinds))

@cases(dict(count=7, kinds=10), low=6, high=13)
def rare(rng, count, kinds):
    """{kinds} different tokens, min_count=2 and min_count=3"""
    return [dict(sequences=sentences(rng, count, kinds), min_count=m) for m in (2, 3)]

@cases(dict(count=8, kinds=11), low=8, high=14)
def limited(rng, count, kinds):
    """{kinds} different tokens, max_size=7"""
    return dict(sequences=sentences(rng, count, kinds), max_size=7)

@cases(dict(count=8, kinds=9), low=8, high=13)
def both(rng, count, kinds):
    """{kinds} different tokens, max_size=8 and min_count=2"""
    return dict(sequences=sentences(rng, count, kinds), max_size=8, min_count=2)

@cases(dict(kinds=8), low=7, high=14)
def ties(rng, kinds):
    """{kinds} tokens, each seen once"""
    words = [WORDS[i] for i in rng.permutation(len(WORDS))[:kinds]]
    return dict(sequences=[words[:3], words[3:4], words[4:]])

@cases()
def once_in_each(rng):
    """one token often in one sequence, another once in each of several"""
    often, spread, other = (WORDS[i] for i in rng.permutation(len(WORDS))[:3])
    return dict(sequences=[[spread, other], [often] * 4, [spread], [spread, other]])

@cases()
def twice_in_one(rng):
    """tokens seen twice and three times in one sequence, min_count=2 and min_count=3"""
    three, two, spread, one = (WORDS[i] for i in rng.permutation(len(WORDS))[:4])
    sequences = [[two, two, spread], [three, one, three, three], [spread]]
    return [dict(sequences=sequences, min_count=m) for m in (2, 3)]

@cases()
def chinese(rng):
    """Chinese characters, in tuples"""
    return dict(sequences=[tuple("三百二十五"), tuple("二百二十"), tuple("五")])

@cases()
def capitals(rng):
    """tokens that differ in a capital letter, a full stop or a space only"""
    return dict(sequences=[["The", "river", "the", "May"], ["may", "the", "river.", "THE"], ["river", " river", "May"]])

@cases()
def plenty(rng):
    """max_size=50 with few tokens, max_size=4, and no sequences at all"""
    few = sentences(rng, 3, 5)
    return [dict(sequences=few, max_size=50), dict(sequences=few, max_size=4), dict(sequences=[])]

@cases()
def rare_with_room(rng):
    """min_count=2 and max_size=30, which is more than there is"""
    return dict(sequences=sentences(rng, 5, 7), max_size=30, min_count=2)

@cases()
def tied_at_the_limit(rng):
    """max_size=6: three tokens, each seen once, and room for one of them"""
    often, *once = (WORDS[i] for i in rng.permutation(len(WORDS))[:4])
    return dict(sequences=[[once[0], often], [once[1], often, once[2]]], max_size=6)

@cases()
def figures(rng):
    """tokens that are figures and marks"""
    return dict(sequences=[["3", "0", "3", ","], [",", "a", "?"], ["0", "12", ","]])

def flat(sequences):
    return [token for sequence in sequences for token in sequence]

def reversed_ties(count):
    turned = list(count)
    turned.reverse()
    return sorted(turned, key=lambda t: -count[t])

def last_seen(sequences):
    count, place = Counter(flat(sequences)), {t: i for i, t in enumerate(flat(sequences))}
    return sorted(count, key=lambda t: (-count[t], place[t]))

APPEAR = "Of two equally frequent tokens, the one that appears first comes first."
orders = {
    "right": (lambda s: [t for t, _ in Counter(flat(s)).most_common()], ""),
    "rising": (lambda s: sorted(Counter(flat(s)), key=Counter(flat(s)).get), "your tokens are sorted by rising count: the rarest get the smallest ids. The most frequent come first."),
    "rising-turned": (lambda s: [t for t, _ in reversed(Counter(flat(s)).most_common())], "your tokens are sorted by rising count: the rarest get the smallest ids. The most frequent come first."),
    "appearance": (lambda s: list(dict.fromkeys(flat(s))), "your tokens stand in the order in which they appear. The most frequent come first; the order of appearance decides ties only."),
    "alphabet": (lambda s: sorted(set(flat(s))), "your tokens are sorted by alphabet. The most frequent come first, and the order of appearance decides ties."),
    "ties-by-alphabet": (lambda s: sorted(set(flat(s)), key=lambda t: (-Counter(flat(s))[t], t)), f"your ties are broken by the alphabet. {APPEAR}"),
    "ties-reversed": (lambda s: reversed_ties(Counter(flat(s))), f"your ties stand the wrong way round: the token that appears last comes first. {APPEAR} (Does `reverse=True`, or a reversed list, turn them?)"),
    "ties-by-alphabet-reversed": (lambda s: sorted(sorted(set(flat(s)), reverse=True), key=lambda t: -Counter(flat(s))[t]), f"your ties are broken by the alphabet, backwards. {APPEAR} (Are pairs of count and token sorted as a whole?)"),
    "ties-by-last": (last_seen, "your ties are broken by where a token appears last. Where it appears first decides."),
    "ties-by-length": (lambda s: sorted(dict.fromkeys(flat(s)), key=lambda t: (-Counter(flat(s))[t], len(t))), f"your ties are broken by the length of the token. {APPEAR}"),
    "by-sequences": (lambda s: [t for t, _ in Counter(t for q in s for t in dict.fromkeys(q)).most_common()], "your counts say in how many sequences a token stands. Every time that it stands there counts."),
    "lower-case": (lambda s: [t for t, _ in Counter(t.lower() for t in flat(s)).most_common()], "your tokens are made lower case. \"The\" and \"the\" are two tokens: take them as they are."),
    "stripped": (lambda s: [t for t, _ in Counter(t.strip(" .") for t in flat(s)).most_common()], "something is cut off from your tokens: full stops or spaces. Take them as they are."),
    "last-sequence": (lambda s: [t for t, _ in Counter(s[-1] if s else []).most_common()], "your counts know the last sequence only: are they started anew for each one?"),
    "first-sequence": (lambda s: [t for t, _ in Counter(s[0] if s else []).most_common()], "your counts know the first sequence only."),
    "not-the-last": (lambda s: [t for t, _ in Counter(flat(s[:-1])).most_common()], "your counts leave out the last sequence."),
    "letters": (lambda s: [t for t, _ in Counter("".join(flat(s))).most_common()], "your tokens are single letters: a token is a string, and going through it gives its letters. Go through the sequences, then through the tokens of each."),
}
FEWER = "A token is left out only when it is seen fewer times than `min_count`"
filters = {
    "right": (lambda n, m: n >= m, ""),
    "above": (lambda n, m: n > m, f"your dict leaves out tokens that are seen exactly `min_count` times. {FEWER}. (Or does your count begin at 0 when a token is met for the first time?)"),
    "ignored": (lambda n, m: True, "your dict ignores `min_count`: rare tokens are still there."),
    "at-least-two": (lambda n, m: n >= 2, "your dict leaves out what is seen once, whatever `min_count` is."),
    "turned": (lambda n, m: n <= m, f"your dict keeps the rare tokens and drops the frequent ones. {FEWER}."),
    "one-less": (lambda n, m: n >= m - 1, f"your dict keeps tokens that are seen one time less than `min_count`. {FEWER}, and then always."),
    "below": (lambda n, m: n < m, f"your dict keeps exactly what it should leave out. {FEWER}."),
}
SIZE = "`max_size` is the size of the whole dict, the four special tokens included"
limits = {
    "right": (lambda t, n: t if n is None else t[: max(0, n - 4)], ""),
    "without-specials": (lambda t, n: t[:n], f"your dict has four entries too many when `max_size` is given. {SIZE}."),
    "ignored": (lambda t, n: t, "your dict ignores `max_size`."),
    "rarest-kept": (lambda t, n: t if n is None else t[len(t) - max(0, min(n - 4, len(t))):], "when there are too many tokens, your dict keeps the rarest. The rarest fall out."),
    "one-less": (lambda t, n: t if n is None else t[: max(0, n - 5)], f"your dict has one entry too few when `max_size` is given. {SIZE}."),
    "one-more": (lambda t, n: t if n is None else t[: max(0, n - 3)], f"your dict has one entry too many when `max_size` is given. {SIZE}."),
    "twice": (lambda t, n: t if n is None else t[: max(0, n - 8)], f"your dict has four entries too few when `max_size` is given: the special tokens are taken off twice. {SIZE}."),
}
THERE = "`<pad>` is 0, `<bos>` 1, `<eos>` 2, `<unk>` 3, and then come the tokens"
fronts = {
    "right": (lambda t: SPECIALS + t, ""),
    "last": (lambda t: t + SPECIALS, f"your special tokens come last. {THERE}."),
    "missing": (lambda t: t, f"your dict has no special tokens. {THERE}."),
    "padding-only": (lambda t: ["<pad>", *t], f"your dict has `<pad>` but not the other special tokens. {THERE}."),
    "two": (lambda t: ["<pad>", "<unk>", *t], f"your dict has two of the four special tokens only. {THERE}."),
    "no-unknown": (lambda t: SPECIALS[:3] + t, f"your dict has no `<unk>`. {THERE}."),
    "unknown-second": (lambda t: ["<pad>", "<unk>", "<bos>", "<eos>", *t], f"your special tokens stand in another order: `<unk>` comes second. {THERE}."),
    "unknown-first": (lambda t: ["<unk>", "<pad>", "<bos>", "<eos>", *t], f"your special tokens stand in another order: `<unk>` comes first. {THERE}."),
    "begin-first": (lambda t: ["<bos>", "<eos>", "<pad>", "<unk>", *t], f"your special tokens stand in another order: `<bos>` comes first. {THERE}."),
    "ends-swapped": (lambda t: ["<pad>", "<eos>", "<bos>", "<unk>", *t], f"your `<bos>` and `<eos>` have changed places. {THERE}."),
    "capitals": (lambda t: [n.upper() for n in SPECIALS] + t, "your special tokens are written in capitals. They are `<pad>`, `<bos>`, `<eos>`, `<unk>`."),
    "bare": (lambda t: [n.strip("<>") for n in SPECIALS] + t, "your special tokens lack their angle brackets. They are `<pad>`, `<bos>`, `<eos>`, `<unk>`."),
    "sentence-tags": (lambda t: ["<pad>", "<s>", "</s>", "<unk>", *t], "your special tokens have other names (`<s>`, `</s>`). Here they are `<pad>`, `<bos>`, `<eos>`, `<unk>`."),
    "start-end": (lambda t: ["<pad>", "<sos>", "<eos>", "<unk>", *t], "your second special token has another name. Here it is `<bos>`, begin of sequence."),
}
ends = {
    "right": (lambda names: dict(zip(names, range(len(names)))), ""),
    "from-one": (lambda names: {name: i + 1 for i, name in enumerate(names)}, "your ids begin at 1. They begin at 0, which is `<pad>`."),
    "turned": (lambda names: dict(enumerate(names)), "your dict goes from id to token. It is to go from token to id."),
    "list": (lambda names: list(names), "your function returns a list of the tokens. Return a dict: token → id."),
    "pairs": (lambda names: [(name, i) for i, name in enumerate(names)], "your function returns a list of pairs. Return a dict: token → id."),
    "two": (lambda names: ({name: i for i, name in enumerate(names)}, list(names)), "your function returns two things. Return the dict alone."),
    "texts": (lambda names: {name: str(i) for i, name in enumerate(names)}, "your ids are texts. They are whole numbers."),
    "none": (lambda names: None, "your function ends without giving anything back: is a `return` missing?"),
}
families = dict(order=orders, rare=filters, limit=limits, front=fronts, end=ends)

def vocabulary(order="right", rare="right", limit="right", front="right", end="right"):
    def build_vocabulary(sequences, max_size=None, min_count=1):
        counts = Counter(flat(sequences))
        kept = [t for t in orders[order][0](sequences) if filters[rare][0](counts[t] if order != "letters" else min_count, min_count)]
        return ends[end][0](fronts[front][0](limits[limit][0](kept, max_size)))
    return build_vocabulary

def sentence(parts):
    texts = [families[family][name][1] for family, name in parts.items()]
    return texts[0] if len(texts) == 1 else two_things(texts[0], texts[1])

for family, members in families.items():
    for name in members:
        if name != "right":
            wrong(f"{family}-{name}", says=sentence({family: name}))(vocabulary(**{family: name}))
frequent = [dict(order="ties-by-alphabet"), dict(order="by-sequences"), dict(order="appearance"), dict(order="ties-reversed"), dict(rare="above"), dict(rare="ignored"), dict(limit="without-specials"), dict(limit="ignored"), dict(front="missing"), dict(front="unknown-second"), dict(front="last"), dict(end="from-one"), dict(end="turned")]
for i, one in enumerate(frequent):
    for two in frequent[i + 1:]:
        if (set(one) != set(two) and not (two.get("limit") or one.get("limit"))) or set(one) | set(two) in ({"order", "limit"}, {"rare", "limit"}):
            both_parts = one | two
            if len(both_parts) == 2:
                wrong("+".join(f"{f}-{n}" for f, n in both_parts.items()), says=sentence(both_parts))(vocabulary(**both_parts))

@wrong("counts", says="your dict holds how often each token is seen. Its values are to be ids: 0, 1, 2, ...")
def with_counts(sequences, max_size=None, min_count=1):
    counts = Counter(flat(sequences)).most_common()
    return dict([(name, i) for i, name in enumerate(SPECIALS)] + [(t, n) for t, n in counts if n >= min_count])

@wrong("tie-falls-out", says="where several tokens are equally frequent and there is not room for all, your dict leaves out all of them. Those that appear first fill the room.")
def tie_falls_out(sequences, max_size=None, min_count=1):
    names, counts = list(SPECIALS), Counter(flat(sequences))
    for count in sorted(set(counts.values()), reverse=True):
        tied = [t for t in counts if counts[t] == count >= min_count]
        if max_size is not None and len(names) + len(tied) > max_size:
            break
        names += tied
    return {name: i for i, name in enumerate(names)}

@wrong("figures-left-out", says="your dict leaves out tokens that are figures. They are tokens like the others.")
def figures_left_out(sequences, max_size=None, min_count=1):
    return vocabulary()([[t for t in sequence if not t.isdigit()] for sequence in sequences], max_size, min_count)

@wrong("two-if-not-given", says="where `min_count` is not given, your dict leaves out what is seen once. It is 1 then: every token stays.")
def default_of_two(sequences, max_size=None, min_count=2):
    return vocabulary()(sequences, max_size, min_count)

@wrong("specials-counted", says="your `min_count` drops the special tokens as well: they are seen in no sequence. They are always there.")
def specials_filtered(sequences, max_size=None, min_count=1):
    counts = Counter({name: 10**6 - i if min_count == 1 else 0 for i, name in enumerate(SPECIALS)})
    counts.update(flat(sequences))
    return {t: i for i, t in enumerate([t for t, n in counts.most_common() if n >= min_count][:max_size])}

@wrong("sequences-against-min-count", says="your dict compares `min_count` with the number of sequences in which a token stands. Every time that it stands there counts.")
def sequences_against_min_count(sequences, max_size=None, min_count=1):
    holding = Counter(t for sequence in sequences for t in set(sequence))
    kept = [t for t, _ in Counter(flat(sequences)).most_common() if holding[t] >= min_count]
    return {name: i for i, name in enumerate((SPECIALS + kept)[:max_size])}

@wrong("rare-only-without-limit", says="your dict looks at `min_count` only where there is no `max_size`. Both hold together.")
def rare_only_without_limit(sequences, max_size=None, min_count=1):
    return vocabulary()(sequences, max_size, min_count if max_size is None else 1)

@right
def by_hand(sequences, max_size=None, min_count=1):
    counts = {}
    for sequence in sequences:
        for token in sequence:
            counts[token] = counts.get(token, 0) + 1
    vocabulary = {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3}
    for token in sorted(counts, key=counts.get, reverse=True):
        if counts[token] < min_count:
            break
        if max_size is not None and len(vocabulary) >= max_size:
            break
        vocabulary[token] = len(vocabulary)
    return vocabulary

@right
def by_most_common(sequences, max_size=None, min_count=1):
    counts = Counter()
    for sequence in sequences:
        counts.update(sequence)
    room = None if max_size is None else max(0, max_size - 4)
    names = SPECIALS + [token for token, n in counts.most_common(room) if n >= min_count]
    return dict(zip(names, range(len(names))))

@right
def specials_entered_last(sequences, max_size=None, min_count=1):
    counts = Counter(token for sequence in sequences for token in sequence)
    kept = [token for token in counts if counts[token] >= min_count]
    kept.sort(key=lambda token: counts[token], reverse=True)
    result = {token: 4 + i for i, token in enumerate(kept) if max_size is None or 4 + i < max_size}
    result.update({name: i for i, name in enumerate(SPECIALS)})
    return result

@right
def with_numpy_ids(sequences, max_size=None, min_count=1):
    counts = Counter(flat(sequences))
    names = SPECIALS + sorted((t for t in counts if counts[t] >= min_count), key=lambda t: -counts[t])
    return {name: int(i) for i, name in zip(np.arange(len(names)), names[:max_size])}

@truth
def by_selection(sequences, max_size=None, min_count=1):
    """Picks the most frequent, earliest token again and again."""
    left, names = flat(sequences), list(SPECIALS)
    while left and (max_size is None or len(names) < max_size):
        best = max(dict.fromkeys(left), key=left.count)
        if left.count(best) < min_count:
            break
        names.append(best)
        left = [token for token in left if token != best]
    return {name: names.index(name) for name in names}

@truth
def by_numpy(sequences, max_size=None, min_count=1):
    """NumPy counts; a sort over (count, first place) orders."""
    tokens, first, counts = np.unique(np.array(flat(sequences), dtype=str), return_index=True, return_counts=True)
    rows = sorted((-int(n), int(i), str(t)) for t, i, n in zip(tokens, first, counts) if n >= min_count)
    return {t: i for i, t in enumerate((SPECIALS + [t for _, _, t in rows])[:max_size])}

# %% exercise="collate" part="library"
def collate(pairs: Sequence[tuple[Sequence[int], Sequence[int]]], pad_id: int = 0) -> tuple[Tensor, Tensor]:
    """By PyTorch's own padding of sequences."""
    source, target = ([torch.tensor(list(ids)) for ids in side] for side in zip(*pairs, strict=True))
    pad = nn.utils.rnn.pad_sequence
    return pad(source, batch_first=True, padding_value=pad_id), pad(target, batch_first=True, padding_value=pad_id)

# %% exercise="collate" part="variants"
without("one", because="the cases speak of single pairs and equal lengths themselves")

def drawn_pairs(rng, batch, longest_source, longest_target, low=4):
    """Pairs that end in EOS; the longest source and the longest target lie in different pairs."""
    def one(length):
        return [int(i) for i in rng.integers(low, low + 20, size=length - 1)] + [2]
    source = [int(rng.integers(1, longest_source)) for _ in range(batch)]
    target = [int(rng.integers(1, longest_target)) for _ in range(batch)]
    source[1], target[-1] = longest_source, longest_target
    source[0], target[1 if batch > 2 else 0] = 1 + longest_source // 2, 1 + longest_target // 2
    return [(one(s), one(t)) for s, t in zip(source, target)]

@cases(dict(batch=3, s=6, t=4), dict(batch=5, s=4, t=7), low=3)
def drawn(rng, batch, s, t):
    """{batch} pairs, sources of up to {s} ids, targets of up to {t}"""
    return dict(pairs=drawn_pairs(rng, batch, s, t))

@cases(dict(batch=4, s=5, t=8), low=3)
def other_padding(rng, batch, s, t):
    """{batch} pairs, pad_id=30, so that 0 is an id like any other"""
    pairs = drawn_pairs(rng, batch, s, t)
    pairs[0][0][0] = pairs[-1][1][-2] = 0
    return dict(pairs=pairs, pad_id=30)

@cases(dict(s=6, t=3), low=3)
def alone(rng, s, t):
    """one pair, {s} ids and {t}"""
    return dict(pairs=drawn_pairs(rng, 2, s, t)[1:])

@cases(dict(batch=3, t=5), low=3)
def equal(rng, batch, t):
    """{batch} pairs of equal lengths"""
    return dict(pairs=[([5, 6 + i, 2], [int(x) for x in rng.integers(4, 20, size=t)] + [2]) for i in range(batch)])

@cases()
def large_ids(rng):
    """2 pairs, ids of up to six digits"""
    return dict(pairs=[([4, 70_000, 300, 2], [123_456, 5, 2]), ([40_001, 2], [256, 2])])

@cases()
def twins(rng):
    """3 pairs, two of them alike"""
    return dict(pairs=[([7, 5, 2], [9, 2]), ([6, 2], [8, 4, 11, 2]), ([7, 5, 2], [9, 2])])

def pad_to(rows, length, pad, left=False):
    fill = [[pad] * max(0, length - len(row)) for row in rows]
    return [f + list(row)[: length] if left else list(row)[: length] + f for f, row in zip(fill, rows)]

OWN = "Each side is as long as its own longest sequence."
lengths = {
    "right": (lambda s, t: (max(map(len, s)), max(map(len, t))), ""),
    "common": (lambda s, t: (max(map(len, s + t)),) * 2, f"both your tensors are equally long. {OWN}"),
    "shortest": (lambda s, t: (min(map(len, s)), min(map(len, t))), "your sequences are cut to the shortest one: words and `<eos>` are lost. Short sequences are filled up instead."),
    "one-more": (lambda s, t: (1 + max(map(len, s)), 1 + max(map(len, t))), f"your tensors are one place too long, even the longest sequence is padded. {OWN}"),
    "one-less": (lambda s, t: (max(map(len, s)) - 1, max(map(len, t)) - 1), f"your longest sequences lose their last id, `<eos>`. {OWN}"),
    "source-for-both": (lambda s, t: (max(map(len, s)),) * 2, f"your targets are as long as the longest **source**. {OWN}"),
    "target-for-both": (lambda s, t: (max(map(len, t)),) * 2, f"your sources are as long as the longest **target**. {OWN}"),
    "first-pair": (lambda s, t: (len(s[0]), len(t[0])), f"your tensors are as long as the first pair, whatever comes after it. {OWN}"),
    "first-two": (lambda s, t: (max(map(len, s[:2])), max(map(len, t[:2]))), f"your tensors are as long as the longest of the first two pairs. {OWN}"),
    "of-eight": (lambda s, t: (-(-max(map(len, s)) // 8) * 8, -(-max(map(len, t)) // 8) * 8), f"your lengths are rounded up to a multiple of 8. {OWN}"),
    "exchanged": (lambda s, t: (max(map(len, t)), max(map(len, s))), f"your sources are as long as the longest target, and your targets as the longest source. {OWN}"),
    "ten": (lambda s, t: (10, 10), f"your tensors always have 10 columns. {OWN}"),
}
rows = {
    "right": (lambda s, t: (s, t), ""),
    "twins-dropped": (lambda s, t: tuple(map(list, zip(*dict.fromkeys((tuple(a), tuple(b)) for a, b in zip(s, t))))), "a pair that comes a second time is left out of your batch. Each pair has a row."),
    "end-twice-where-padded": (lambda s, t: tuple([[*r, 2] if len(r) < max(map(len, side)) else r for r in side] for side in (s, t)), "a second `<eos>` stands in front of your padding. Each sequence has its own already."),
    "swapped": (lambda s, t: (t, s), "your two tensors have changed places: the source comes first."),
    "sorted": (lambda s, t: (sorted(s, key=len), sorted(t, key=len)), "your rows are sorted by length, each side by itself: sources and targets no longer belong together. Keep the order of the pairs."),
    "sorted-pairs": (lambda s, t: tuple(map(list, zip(*sorted(zip(s, t), key=lambda p: len(p[0]))))), "your pairs are sorted by length. Keep their order."),
    "sorted-pairs-down": (lambda s, t: tuple(map(list, zip(*sorted(zip(s, t), key=lambda p: -len(p[0]))))), "your pairs are sorted by falling length. Keep their order."),
    "sorted-by-target": (lambda s, t: tuple(map(list, zip(*sorted(zip(s, t), key=lambda p: len(p[1]))))), "your pairs are sorted by the length of their targets. Keep their order."),
    "begins": (lambda s, t: (s, [[1, *x] for x in t]), "your targets begin with `<bos>`. `collate` adds nothing; the target is shifted later, where it enters the decoder."),
    "begins-both": (lambda s, t: ([[1, *x] for x in s], [[1, *x] for x in t]), "your sequences begin with `<bos>`. `collate` adds nothing but padding."),
    "ends-twice": (lambda s, t: ([[*x, 2] for x in s], [[*x, 2] for x in t]), "your sequences end in two `<eos>`. They have one already: `collate` adds nothing but padding."),
    "target-ends-twice": (lambda s, t: (s, [[*x, 2] for x in t]), "your targets end in two `<eos>`. They have one already: `collate` adds nothing but padding."),
    "no-end": (lambda s, t: ([x[:-1] for x in s], [x[:-1] for x in t]), "your sequences have lost their `<eos>`. A model that never sees it in training never learns to stop."),
    "no-target-end": (lambda s, t: (s, [x[:-1] for x in t]), "your targets have lost their `<eos>`. A model that never sees it in training never learns to stop."),
    "source-twice": (lambda s, t: (s, s), "your second tensor holds the sources again."),
    "target-twice": (lambda s, t: (t, t), "your first tensor holds the targets."),
    "backwards": (lambda s, t: ([x[::-1] for x in s], t), "your sources are written backwards."),
    "first-only": (lambda s, t: (s[:1], t[:1]), "your tensors hold the first pair only."),
    "not-the-last": (lambda s, t: (s[:-1] or s, t[:-1] or t), "your tensors lack the last pair."),
}
pads = {
    "right": (lambda pad: pad, ""),
    "zero": (lambda pad: 0, "your padding is 0 whatever `pad_id` is."),
    "end": (lambda pad: 2, "your padding is 2, which is `<eos>`. It is `pad_id`."),
    "minus-one": (lambda pad: -1, "your padding is −1. It is `pad_id`."),
    "minus-hundred": (lambda pad: -100, "your padding is −100, a number that some losses ignore; no embedding has such a row. It is `pad_id`."),
    "one": (lambda pad: 1, "your padding is 1, which is `<bos>`. It is `pad_id`."),
}
forms = {
    "right": (lambda s, t: (torch.tensor(s), torch.tensor(t)), ""),
    "floats": (lambda s, t: (torch.tensor(s).float(), torch.tensor(t).float()), "your tensors hold floating-point numbers. Ids are whole numbers: an embedding takes no others."),
    "one-byte": (lambda s, t: (torch.tensor(s).to(torch.uint8).long(), torch.tensor(t).to(torch.uint8).long()), "your tensors hold one byte for each id: above 255 the ids begin again at 0. Ids take PyTorch's usual whole numbers, int64."),
    "transposed": (lambda s, t: (torch.tensor(s).T, torch.tensor(t).T), "your tensors have their axes swapped, (seq, batch). Here the batch comes first."),
    "lists": (lambda s, t: (s, t), "your function returns Python lists. Return tensors."),
    "arrays": (lambda s, t: (np.array(s), np.array(t)), "your function returns NumPy arrays. Return tensors."),
    "tuples": (lambda s, t: [(torch.tensor(a), torch.tensor(b)) for a, b in zip(s, t)], "your function returns a list of pairs of tensors. Return one pair: a tensor of all sources, a tensor of all targets."),
    "rows": (lambda s, t: ([torch.tensor(a) for a in s], [torch.tensor(b) for b in t]), "your function returns two lists of rows. Join the rows of each side into one tensor."),
    "source-alone": (lambda s, t: torch.tensor(s), "your function returns the sources alone. Return both, source and target."),
    "none": (lambda s, t: None, "your function ends without giving anything back: is a `return` missing?"),
    "dict": (lambda s, t: dict(source=torch.tensor(s), target=torch.tensor(t)), "your function returns a dict. Return the pair `(source, target)`."),
    "masks": (lambda s, t: (torch.tensor(s), torch.tensor(t), torch.tensor(s) != 0), "your function returns three things. Return two: source and target."),
}

def batch_maker(length="right", row="right", pad="right", form="right", left=False, left_source=False, target_zero=False):
    def collate(pairs, pad_id=0):
        source, target = rows[row][0]([list(s) for s, _ in pairs], [list(t) for _, t in pairs])
        width = lengths[length][0](source, target)
        fill = pads[pad][0](pad_id)
        return forms[form][0](pad_to(source, width[0], fill, left or left_source), pad_to(target, width[1], 0 if target_zero else fill, left))
    return collate

LEFT = "your padding stands in front. It belongs at the end, where the places of the real tokens do not depend on it."
parts = dict(length=lengths, row=rows, pad=pads, form=forms)
for family, members in parts.items():
    for name, (_, says) in members.items():
        if name != "right":
            wrong(f"{family}-{name}", says=says)(batch_maker(**{family: name}))
wrong("target-pad-zero", says="the padding of your targets is 0 whatever `pad_id` is. In your sources it is `pad_id`.")(batch_maker(target_zero=True))
wrong("left", says=LEFT)(batch_maker(left=True))
wrong("left-source", says="the padding of your sources stands in front. It belongs at the end, on both sides.")(batch_maker(left_source=True))
for one in (dict(length="common"), dict(row="begins"), dict(row="ends-twice"), dict(row="no-end"), dict(row="swapped"), dict(left=True), dict(row="sorted-pairs")):
    for two in (dict(pad="zero"), dict(pad="end"), dict(form="transposed"), dict(length="common")):
        if set(one) != set(two):
            first = LEFT if "left" in one else parts[next(iter(one))][next(iter(one.values()))][1]
            second = parts[next(iter(two))][next(iter(two.values()))][1]
            wrong("+".join(f"{f}-{n}" for f, n in (one | two).items()), says=two_things(first, second))(batch_maker(**one, **two))

@wrong("in-place", says="your function changes the lists that it is given: it appends the padding to them. In the next epoch they would come padded already.")
def appends(pairs, pad_id=0):
    width = [max(len(pair[side]) for pair in pairs) for side in (0, 1)]
    for source, target in pairs:
        source += [pad_id] * (width[0] - len(source))
        target += [pad_id] * (width[1] - len(target))
    return torch.tensor([s for s, _ in pairs]), torch.tensor([t for _, t in pairs])

@wrong("in-place-sorted", says="your function sorts the list of pairs in place. Keep the order of the pairs.")
def sorts(pairs, pad_id=0):
    pairs.sort(key=lambda pair: len(pair[0]), reverse=True)
    return batch_maker()(pairs, pad_id)

@wrong("not-padded", says="your lists are made into a tensor without being padded, which fails as soon as two of them differ in length.")
def not_padded(pairs, pad_id=0):
    return torch.tensor([s for s, _ in pairs]), torch.tensor([t for _, t in pairs])

@wrong("stacked", says="your rows are stacked without being padded, which fails as soon as two of them differ in length.")
def stacked_unpadded(pairs, pad_id=0):
    return torch.stack([torch.tensor(s) for s, _ in pairs]), torch.stack([torch.tensor(t) for _, t in pairs])

@wrong("not-padded-at-once", says="your pairs are made into one tensor as they are, which fails as soon as two sequences differ in length. Each side is padded by itself.")
def at_once(pairs, pad_id=0):
    return torch.tensor(pairs)

@wrong("sides-stacked", says="your two sides are stacked into one tensor, which fails where sources and targets differ in length. Return a pair of tensors.")
def stacked_sides(pairs, pad_id=0):
    return torch.stack(batch_maker()(pairs, pad_id))

@right
def filled(pairs, pad_id=0):
    batch = len(pairs)
    source = torch.full((batch, max(len(s) for s, t in pairs)), pad_id, dtype=torch.long)
    target = torch.full((batch, max(len(t) for s, t in pairs)), pad_id, dtype=torch.long)
    for i, (s, t) in enumerate(pairs):
        source[i, : len(s)] = torch.tensor(s)
        target[i, : len(t)] = torch.tensor(t)
    return source, target

@right
def padded_by_pytorch(pairs, pad_id=0):
    sources, targets = zip(*pairs)
    pad = torch.nn.utils.rnn.pad_sequence
    return (pad([torch.tensor(s) for s in sources], batch_first=True, padding_value=pad_id),
            pad([torch.tensor(t) for t in targets], batch_first=True, padding_value=pad_id))

@right
def zipped_longest(pairs, pad_id=0):
    from itertools import zip_longest
    sides = ([pair[side] for pair in pairs] for side in (0, 1))
    return tuple(torch.tensor(list(zip_longest(*side, fillvalue=pad_id))).T for side in sides)

@right
def through_numpy(pairs, pad_id=0):
    def matrix(rows):
        table = np.full((len(rows), max(map(len, rows))), pad_id)
        for table_row, row in zip(table, rows):
            table_row[: len(row)] = row
        return torch.from_numpy(table)
    return matrix([s for s, _ in pairs]), matrix([t for _, t in pairs])

@right
def small_integers(pairs, pad_id=0):
    source, target = padded_by_pytorch(pairs, pad_id)
    return [source.int(), target.int()]

@truth
def place_by_place(pairs, pad_id=0):
    def rectangle(rows):
        width = max(len(row) for row in rows)
        return torch.tensor([[row[j] if j < len(row) else pad_id for j in range(width)] for row in rows])
    return rectangle([pair[0] for pair in pairs]), rectangle([pair[1] for pair in pairs])

@truth
def by_functional_pad(pairs, pad_id=0):
    """PyTorch's `F.pad`, row by row."""
    def rectangle(rows):
        width = max(map(len, rows))
        return torch.stack([torch.nn.functional.pad(torch.tensor(row), (0, width - len(row)), value=pad_id) for row in rows])
    return rectangle([s for s, _ in pairs]), rectangle([t for _, t in pairs])

# %% exercise="label_smoothed_loss" part="library"
def label_smoothed_loss(logits: Tensor, targets: Tensor, pad_id: int = 0, smoothing: float = 0.1) -> Tensor:
    """PyTorch's cross-entropy twice: against the right ids, and against an even share of all ids."""
    vocab_size = logits.shape[-1]
    flat, right = logits.flatten(0, -2), targets.flatten()
    to_right = F.cross_entropy(flat, right, ignore_index=pad_id, reduction="none")
    even = torch.full((vocab_size,), 1 / (vocab_size - 2), device=logits.device, dtype=logits.dtype)
    even[pad_id] = 0.0
    to_all = F.cross_entropy(flat, even.expand_as(flat), reduction="none")  # the right id has its share in it
    real = right != pad_id
    total = (1 - smoothing - smoothing / (vocab_size - 2)) * to_right + smoothing * to_all
    return total.masked_fill(~real, 0.0).sum() / real.sum()

# %% exercise="label_smoothed_loss" part="variants"
without("one: seq", "one: vocab", because="the smoothing mass needs other tokens, and padding a token beside it")

def drawn_loss(rng, batch, seq, vocab, pad_id=None, scale=1.5, **more):
    """Random logits; every row but the first ends in padding, rows of unequal length."""
    pad = pad_id or 0
    targets = rng.choice([i for i in range(vocab) if i != pad], size=(batch, seq))
    for b in range(1, batch):
        targets[b, seq - 1 - (b - 1) % (seq - 1):] = pad
    if pad_id is not None:
        more["pad_id"] = pad_id
    logits = floats(rng, batch, seq, vocab, scale=scale)
    return differentiable(logits=logits, targets=torch.from_numpy(targets), **more)

@cases(dict(batch=2, seq=4, vocab=7), dict(batch=4, seq=3, vocab=9), low=3)
def drawn(rng, batch, seq, vocab):
    """{batch} sentences of {seq} tokens, {vocab} words, padded with 0"""
    return drawn_loss(rng, batch, seq, vocab + 3)

@cases(dict(batch=3, seq=5, vocab=8), low=3)
def other_smoothing(rng, batch, seq, vocab):
    """{batch} sentences of {seq} tokens, smoothing=0.3"""
    return drawn_loss(rng, batch, seq, vocab + 3, smoothing=0.3)

@cases(dict(batch=3, seq=4, vocab=6), low=3)
def other_padding(rng, batch, seq, vocab):
    """{batch} sentences of {seq} tokens, pad_id=2, so that 0 is a word"""
    made = drawn_loss(rng, batch, seq, vocab + 3, pad_id=2)
    made.given["targets"][0, 0] = 0
    return made

@cases(dict(batch=2, seq=6, vocab=5), low=3)
def no_smoothing(rng, batch, seq, vocab):
    """{batch} sentences of {seq} tokens, smoothing=0"""
    return drawn_loss(rng, batch, seq, vocab + 3, smoothing=0.0)

@cases(dict(batch=3, seq=5, vocab=4), low=3)
def large(rng, batch, seq, vocab):
    """logits in the hundreds"""
    return drawn_loss(rng, batch, seq, vocab + 3, scale=300.0)

@cases(dict(seq=5, vocab=6), low=3)
def unpadded(rng, seq, vocab):
    """one sentence of {seq} tokens without padding"""
    return drawn_loss(rng, 1, seq, vocab + 3)

@cases()
def sure(rng):
    """smoothing=0, and right tokens of which the model is so sure that their loss is 0"""
    logits, targets = floats(rng, 2, 4, 6, scale=2.0), torch.tensor([[3, 5, 1, 2], [4, 2, 0, 0]])
    logits[0, 0, 3] = logits[1, 0, 4] = 200.0
    return differentiable(logits=logits, targets=targets, smoothing=0.0)

@cases()
def one_padded(rng):
    """one sentence, 5 places, the last two of which are padding"""
    return differentiable(logits=floats(rng, 1, 5, 7, scale=1.5), targets=torch.tensor([[4, 3, 2, 0, 0]]))

def wanted(vocab, targets, pad, right, share, pad_share):
    table = torch.full((*targets.shape, vocab), share)
    table[..., pad] = pad_share
    return table.scatter(-1, targets[..., None], right)

MASS = "The right token gets 1 − ε, the `vocab_size − 2` others share ε, padding gets nothing."
labels = {
    "right": (lambda v, t, p, e: wanted(v, t, p, 1 - e, e / (v - 2), 0.0), ""),
    "no-smoothing": (lambda v, t, p, e: wanted(v, t, p, 1.0, 0.0, 0.0), "your labels are not smoothed: your loss is the plain cross-entropy."),
    "no-smoothing-taken": (lambda v, t, p, e: wanted(v, t, p, 1 - e, 0.0, 0.0), f"your labels take ε from the right token and give it to nobody: their sum is 1 − ε. {MASS}"),
    "over-size": (lambda v, t, p, e: wanted(v, t, p, 1 - e, e / v, 0.0), f"your labels share ε as if among `vocab_size` tokens, so a little of it is lost: the sum is below 1. {MASS}"),
    "over-size-less-one": (lambda v, t, p, e: wanted(v, t, p, 1 - e, e / (v - 1), 0.0), f"your labels share ε as if among `vocab_size − 1` tokens, so a little of it is lost: the sum is below 1. {MASS}"),
    "over-size-less-three": (lambda v, t, p, e: wanted(v, t, p, 1 - e, e / (v - 3), 0.0), f"your labels share ε as if among `vocab_size − 3` tokens: the sum is above 1. {MASS}"),
    "padding-gets-mass": (lambda v, t, p, e: wanted(v, t, p, 1 - e, e / (v - 1), e / (v - 1)), f"your labels give padding its share of ε, as to any other token. {MASS}"),
    "padding-gets-mass-too": (lambda v, t, p, e: wanted(v, t, p, 1 - e, e / (v - 2), e / (v - 2)), f"your labels give padding a share as well, and sum to more than 1. {MASS}"),
    "evenly": (lambda v, t, p, e: wanted(v, t, p, 1 - e + e / v, e / v, e / v), f"your ε is shared by all tokens, the right one and padding among them, as PyTorch's own `label_smoothing` does. {MASS}"),
    "evenly-but-padding": (lambda v, t, p, e: wanted(v, t, p, 1 - e + e / v, e / v, 0.0), f"your ε is shared by all tokens, the right one among them, and padding's share is then dropped. {MASS}"),
    "right-among-them": (lambda v, t, p, e: wanted(v, t, p, 1 - e + e / (v - 1), e / (v - 1), 0.0), f"your ε is shared by all tokens but padding, so the right one gets a share back. {MASS}"),
    "right-gets-a-share-too": (lambda v, t, p, e: wanted(v, t, p, 1 - e + e / (v - 2), e / (v - 2), 0.0), f"your right token gets a share of ε on top of 1 − ε: the labels sum to more than 1. Do you add up over all words, and leave out padding alone? {MASS}"),
    "column-0-empty": (lambda v, t, p, e: wanted(v, t, 0, 1 - e, e / (v - 2), 0.0), "it is column 0 that gets no mass in your labels, whatever `pad_id` is. The column of padding is number `pad_id`."),
    "begin-gets-nothing": (lambda v, t, p, e: wanted(v, t, p, 1 - e, e / (v - 2), 0.0).index_fill(-1, torch.tensor([1]), 0.0).scatter(-1, t[..., None], 1 - e), f"your labels give id 1 nothing, and sum to less than 1. {MASS}"),
    "all-on-top": (lambda v, t, p, e: wanted(v, t, p, 1 - e + e / (v - 2), e / (v - 2), e / (v - 2)), f"your labels give a share of ε to all tokens, to padding and to the right one on top of 1 − ε: they sum to more than 1. {MASS}"),
    "not-divided": (lambda v, t, p, e: wanted(v, t, p, 1 - e, e, 0.0), f"your labels give ε to every other token, not a share of it. {MASS}"),
    "right-keeps-one": (lambda v, t, p, e: wanted(v, t, p, 1.0, e / (v - 2), 0.0), f"your right token keeps 1 although ε is given to others: the labels sum to 1 + ε. {MASS}"),
    "swapped": (lambda v, t, p, e: wanted(v, t, p, e, (1 - e) / (v - 2), 0.0), f"your ε and 1 − ε have changed places. {MASS}"),
    "always-a-tenth": (lambda v, t, p, e: wanted(v, t, p, 0.9, 0.1 / (v - 2), 0.0), "your labels always smooth by 0.1, whatever `smoothing` is."),
    "others-only": (lambda v, t, p, e: wanted(v, t, p, 0.0, 1 / (v - 2), 0.0), f"your labels give the right token nothing. {MASS}"),
}

MEAN = "It is the mean over the real tokens of the whole batch: their sum over their number."
means = {
    "right": (lambda x, real: x[real].mean(), ""),
    "all-counted": (lambda x, real: x.mean(), f"your mean counts the padding positions, loss and all. {MEAN}"),
    "zeros-counted": (lambda x, real: (x * real).mean(), f"your padding positions have loss 0 but are still counted in the mean. {MEAN}"),
    "sum": (lambda x, real: x[real].sum(), f"your loss is a sum. {MEAN}"),
    "sum-of-all": (lambda x, real: x.sum(), f"your loss is a sum, and padding is in it. {MEAN}"),
    "over-batch": (lambda x, real: x[real].sum() / len(x), f"your loss is divided by the number of sentences. {MEAN}"),
    "over-length": (lambda x, real: x[real].sum() / x.shape[1], f"your loss is divided by the number of columns. {MEAN}"),
    "of-sentences": (lambda x, real: ((x * real).sum(1) / real.sum(1)).mean(), f"your loss is a mean of each sentence's mean, so tokens of short sentences count more. {MEAN}"),
    "sum-of-sentences": (lambda x, real: ((x * real).sum(1) / real.sum(1).clamp(min=1)).sum(), f"your loss is a sum of each sentence's mean. {MEAN}"),
    "nonzero": (lambda x, real: x[real].sum() / (x * real != 0).sum().clamp(min=1), f"your mean counts only places whose loss is not 0. A real token of which the model is quite sure has a loss of 0, and counts. {MEAN}"),
    "one-sentence-all": (lambda x, real: x[real].sum() / (real.sum() if len(x) > 1 else real.numel()), f"where there is one sentence, your sum is divided by the number of all places, padding too. {MEAN}"),
    "each-sentence": (lambda x, real: (x * real).sum(1) / real.sum(1), f"your loss is one number for each sentence. It is one number. {MEAN}"),
    "each-token": (lambda x, real: x * real, f"your loss is one number for each token. It is one number. {MEAN}"),
    "each-real-token": (lambda x, real: x[real], f"your loss is one number for each real token. It is one number. {MEAN}"),
    "padding-only": (lambda x, real: x[~real].sum() / (~real).sum().clamp(min=1), "your mean is over the padding positions, and leaves out the real ones."),
    "first-place": (lambda x, real: x[:, 0].mean(), f"your mean is over the first token of each sentence only. {MEAN}"),
    "no-last-place": (lambda x, real: x[:, :-1][real[:, :-1]].mean(), f"your mean leaves out the last column. Nothing is shifted here: logits and targets belong together place by place. {MEAN}"),
    "no-first-place": (lambda x, real: x[:, 1:][real[:, 1:]].mean(), f"your mean leaves out the first column. Nothing is shifted here: logits and targets belong together place by place. {MEAN}"),
    "squared": (lambda x, real: x[real].pow(2).mean(), "your losses are squared."),
    "root": (lambda x, real: x[real].exp().mean(), "your loss is the mean of exp(loss). The mean is over the losses themselves."),
    "perplexity": (lambda x, real: x[real].mean().exp(), "your output is the perplexity, exp of the loss. Return the loss."),
}
LOGITS = "`logits` are raw scores"
logs = {
    "right": (lambda x: x.log_softmax(-1), ""),
    "probabilities": (lambda x: x.softmax(-1), "your loss uses the probabilities where their logarithms belong: take `log_softmax`."),
    "softmax-twice": (lambda x: x.softmax(-1).log_softmax(-1), f"your loss takes the softmax twice: once before, and once inside the logarithm. {LOGITS}; one softmax is right."),
    "logits": (lambda x: x, f"your loss takes the logits themselves for log-probabilities. {LOGITS}: a `log_softmax` is missing."),
    "over-places": (lambda x: x.log_softmax(1), "your softmax runs over the places of the sentence. It runs over the words: the last axis."),
    "over-batch": (lambda x: x.log_softmax(0), "your softmax runs over the batch. It runs over the words: the last axis."),
    "overflow": (lambda x: (x.exp() / x.exp().sum(-1, keepdim=True)).log(), "your softmax overflows: with logits in the hundreds, `exp` leaves the range of floats. `log_softmax` subtracts the maximum first."),
    "log-of-softmax": (lambda x: x.softmax(-1).log(), "your loss takes the logarithm of a softmax that has become 0 in float32, and log 0 is −∞. `log_softmax` does both at once, without that loss."),
    "with-epsilon": (lambda x: (x.softmax(-1) + 1e-9).log(), "your probabilities are kept from 0 before the logarithm: something small is added, or they are cut off below. Where one is that small, the loss is no longer right: take `log_softmax` of the logits."),
    "clamped": (lambda x: x.softmax(-1).clamp(min=1e-7).log(), "your probabilities are kept above a small number before the logarithm. Where one is smaller, the loss is no longer right: take `log_softmax` of the logits."),
    "base-two": (lambda x: x.log_softmax(-1) / math.log(2), "your logarithm is to base 2. The loss takes the natural one."),
    "base-ten": (lambda x: x.log_softmax(-1) / math.log(10), "your logarithm is to base 10. The loss takes the natural one."),
    "half-temperature": (lambda x: (x / math.sqrt(x.shape[-1])).log_softmax(-1), "your logits are divided by a root before the softmax. That belongs to attention scores; here they stay as they are."),
}
kinds = dict(label=labels, mean=means, log=logs)

def loss_maker(label="right", mean="right", log="right", zero=False, sign=-1.0, after=lambda x: x):
    def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
        pad = 0 if zero else pad_id
        table = labels[label][0](logits.shape[-1], targets, pad, smoothing)
        table = torch.where((targets == pad_id)[..., None] & (table == 0.0), 0.0, table)
        losses = sign * torch.where(table == 0, 0.0, table * logs[log][0](logits)).sum(-1)
        return after(means[mean][0](losses, targets != pad))
    return label_smoothed_loss

for family, members in kinds.items():
    for name, (_, says) in members.items():
        if name != "right":
            wrong(f"{family}-{name}", says=says)(loss_maker(**{family: name}))
CUT = "no gradient flows from your loss to the logits: is there a `detach`, a `.item()`, a `.data` or `torch.no_grad()`? Return the tensor itself."
SIGN = "your loss has the wrong sign: minus the sum of wanted probability times log-probability."
ZERO = "your padding is the id 0 whatever `pad_id` is."
wrong("sign", says=SIGN)(loss_maker(sign=1.0))
wrong("padding-is-zero", says=ZERO)(loss_maker(zero=True))
wrong("kept-with-detach", says=CUT)(loss_maker(after=lambda x: x.detach()))
wrong("a-number", says=CUT)(loss_maker(after=lambda x: x.item()))
wrong("one-entry", says="your loss has the shape (1,). A single number has the shape ().")(loss_maker(after=lambda x: x[None]))
wrong("none", says="your function ends without giving anything back: is a `return` missing?")(loss_maker(after=lambda x: None))
wrong("with-count", says="your function returns two things. Return the loss alone.")(loss_maker(after=lambda x: (x, x)))
for one in (dict(label="no-smoothing"), dict(label="evenly"), dict(label="over-size-less-one"), dict(label="over-size"), dict(label="padding-gets-mass"), dict(label="right-keeps-one"), dict(log="softmax-twice"), dict(log="probabilities")):
    for two in (dict(mean="all-counted"), dict(mean="zeros-counted"), dict(mean="over-batch"), dict(mean="sum"), dict(mean="of-sentences"), dict(log="softmax-twice"), dict(zero=True)):
        if set(one) != set(two):
            texts = [ZERO if "zero" in part else kinds[next(iter(part))][next(iter(part.values()))][1] for part in (one, two)]
            wrong("+".join(f"{f}-{n}" for f, n in (one | two).items()), says=two_things(texts[0], texts[1]))(loss_maker(**one, **two))

def cross_entropy(logits, targets, **more):
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), **more)

@wrong("pytorch-smoothing", says=labels["evenly"][1])
def pytorch_smoothing(logits, targets, pad_id=0, smoothing=0.1):
    return cross_entropy(logits, targets, ignore_index=pad_id, label_smoothing=smoothing)

@wrong("not-flattened", says="your code hands PyTorch's cross-entropy a tensor (batch, seq, vocab_size). It wants the words on axis 1: flatten batch and seq into one axis first.")
def not_flattened(logits, targets, pad_id=0, smoothing=0.1):
    return torch.nn.functional.cross_entropy(logits, targets, ignore_index=pad_id)

@wrong("divergence", says="your loss is the Kullback–Leibler divergence, which is smaller than the cross-entropy by the entropy of the labels. Its gradient is the same; the number asked for is the cross-entropy.")
def divergence(logits, targets, pad_id=0, smoothing=0.1):
    table = labels["right"][0](logits.shape[-1], targets, pad_id, smoothing)
    losses = torch.nn.functional.kl_div(logits.log_softmax(-1), table, reduction="none").sum(-1)
    return losses[targets != pad_id].mean()

@wrong("divergence-mean", says="your loss is PyTorch's `KLDivLoss`, averaged over all its entries (`reduction=\"mean\"`), words too. The mean asked for is over the real tokens, and of the cross-entropy.")
def divergence_mean(logits, targets, pad_id=0, smoothing=0.1):
    table = labels["right"][0](logits.shape[-1], targets, pad_id, smoothing)
    return torch.nn.functional.kl_div(logits.log_softmax(-1)[targets != pad_id], table[targets != pad_id], reduction="mean")

@wrong("divergence-sum", says="your loss is PyTorch's `KLDivLoss`, summed. The mean asked for is over the real tokens, and of the cross-entropy.")
def divergence_sum(logits, targets, pad_id=0, smoothing=0.1):
    table = labels["right"][0](logits.shape[-1], targets, pad_id, smoothing)
    return torch.nn.functional.kl_div(logits.log_softmax(-1)[targets != pad_id], table[targets != pad_id], reduction="sum")

@wrong("words-in-the-mean", says="your mean is over the words as well: every (token, word) entry counts. Sum over the words first, then take the mean over the tokens.")
def words_in_the_mean(logits, targets, pad_id=0, smoothing=0.1):
    table = labels["right"][0](logits.shape[-1], targets, pad_id, smoothing)
    return -(table * logits.log_softmax(-1))[targets != pad_id].mean()

@wrong("shifted-here", says="your targets are shifted against the logits. Nothing is shifted here: logits and targets belong together place by place.")
def shifted_here(logits, targets, pad_id=0, smoothing=0.1):
    return loss_maker()(logits[:, :-1], targets[:, 1:], pad_id, smoothing)

@wrong("targets-shifted-right", says="your targets are shifted against the logits. Nothing is shifted here: logits and targets belong together place by place.")
def shifted_right(logits, targets, pad_id=0, smoothing=0.1):
    return loss_maker()(logits[:, 1:], targets[:, :-1], pad_id, smoothing)

@wrong("padding-masked-in-logits", says="your logits of padding are set to −∞ first, so its probability is shared among the words. The softmax runs over all words, padding too; only the labels give it nothing.")
def masked_logits(logits, targets, pad_id=0, smoothing=0.1):
    hidden = torch.arange(logits.shape[-1]) == pad_id
    return loss_maker()(logits.masked_fill(hidden, -1e9), targets, pad_id, smoothing)

for number, token in ((2, "<eos>"), (3, "<unk>")):
    @wrong(f"id-{number}-not-counted", says=f"places whose right id is {number} (`{token}`) do not count in your loss. All do but padding.")
    def not_counted(logits, targets, pad_id=0, smoothing=0.1, number=number):
        return loss_maker()(logits, targets.masked_fill(targets == number, pad_id), pad_id, smoothing)

@wrong("in-place", says="your function changes its argument `logits` in place. Work on a new tensor.")
def in_place(logits, targets, pad_id=0, smoothing=0.1):
    real = targets != pad_id
    value = loss_maker()(logits, targets, pad_id, smoothing)
    with torch.no_grad():
        logits[~real] = 0.0
    return value

@right
def by_soft_labels(logits, targets, pad_id=0, smoothing=0.1):
    size = logits.size(-1)
    with torch.no_grad():
        soft = torch.nn.functional.one_hot(targets, size).float()
        soft = soft * (1 - smoothing) + (1 - soft) * smoothing / (size - 2)
        soft[:, :, pad_id] = 0
    real = (targets != pad_id).flatten()
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1)[real], soft.flatten(0, 1)[real])

@right
def two_terms(logits, targets, pad_id=0, smoothing=0.1):
    logp = torch.nn.functional.log_softmax(logits, dim=-1)
    to_right = -logp.gather(-1, targets[..., None]).squeeze(-1)
    to_others = -(logp.sum(-1) - logp[..., pad_id] + to_right)
    loss = (1 - smoothing) * to_right + smoothing / (logits.size(-1) - 2) * to_others
    mask = (targets != pad_id).to(loss.dtype)
    return (loss * mask).sum() / mask.sum()

@right
def by_sentences(logits, targets, pad_id=0, smoothing=0.1):
    total, count = 0.0, 0
    for sentence, ids in zip(logits, targets):
        for row, right_id in zip(sentence, ids):
            if right_id != pad_id:
                labels = torch.full_like(row, smoothing / (len(row) - 2))
                labels[pad_id], labels[right_id] = 0.0, 1 - smoothing
                total, count = total - (labels * (row - row.logsumexp(0))).sum(), count + 1
    return total / count

@right
def in_double(logits, targets, pad_id=0, smoothing=0.1):
    return two_terms(logits.double(), targets, pad_id, smoothing)

@right
def divergence_and_entropy(logits, targets, pad_id=0, smoothing=0.1):
    real = targets != pad_id
    table = labels["right"][0](logits.shape[-1], targets, pad_id, smoothing)[real]
    gap = torch.nn.functional.kl_div(logits[real].log_softmax(-1), table, reduction="sum") / real.sum()
    return gap - torch.special.xlogy(table, table).sum() / real.sum()

@right
def averaged_by_weights(logits, targets, pad_id=0, smoothing=0.1):
    table = labels["right"][0](logits.shape[-1], targets, pad_id, smoothing) * (targets != pad_id)[..., None]
    return -torch.einsum("bsv,bsv->", table, logits.log_softmax(-1)) / (targets != pad_id).sum()

@truth
def by_numbers(logits, targets, pad_id=0, smoothing=0.1):
    """Entry by entry in float64, without a softmax."""
    x, total, count = logits.double(), 0.0, 0
    for b, s in np.ndindex(*targets.shape):
        if targets[b, s] == pad_id:
            continue
        log_p = x[b, s] - x[b, s].max() - (x[b, s] - x[b, s].max()).exp().sum().log()
        for word in range(x.shape[-1]):
            label = 1 - smoothing if word == targets[b, s] else 0.0 if word == pad_id else smoothing / (x.shape[-1] - 2)
            total = total - label * log_p[word]
        count += 1
    return total / count

@truth
def by_pytorch(logits, targets, pad_id=0, smoothing=0.1):
    """PyTorch's own cross-entropy with label smoothing, on logits without padding's column, put right for it."""
    real = targets != pad_id
    x, ids = logits.double()[real], targets[real]
    soft = torch.zeros_like(x) + smoothing / (x.shape[-1] - 2)
    soft[:, pad_id] = 0
    soft[torch.arange(len(ids)), ids] = 1 - smoothing
    return torch.nn.CrossEntropyLoss()(x, soft)

# %% exercise="warmup_schedule" part="library"
def warmup_schedule(step: int, d_model: int, warmup_steps: int) -> float:
    """By logarithms, in NumPy."""
    rising = np.log(step) - 1.5 * np.log(warmup_steps)
    return float(np.exp(-0.5 * np.log(d_model) + np.minimum(rising, -0.5 * np.log(step))))

# %% exercise="warmup_schedule" part="variants"
@cases(dict(d=6, w=4), dict(d=9, w=7), low=4)
def along(rng, d, w):
    """d_model 8·{d}, {w} warm-up steps"""
    steps = [1, 2, w - 1, w, w + 1, w + 2, 3 * w, 50 * w]
    return [dict(step=step, d_model=8 * d, warmup_steps=w) for step in steps]

@cases()
def as_in_the_paper(rng):
    """d_model 512, 4,000 warm-up steps"""
    return [dict(step=step, d_model=512, warmup_steps=4000) for step in (1, 100, 3999, 4000, 4001, 100_000)]

RISE, FALL, ALL = "step * warmup_steps**-1.5", "step**-0.5", "d_model**-0.5 * min(rising, falling)"
MEET = "Both lines meet at step = warmup_steps."
edits = {
    "max": (ALL, "d_model**-0.5 * max(rising, falling)", "your rate takes the larger of the two lines. The smaller one counts: it rises first, then it falls."),
    "width-on-the-fall-only": (ALL, "min(d_model**-0.5 * falling, rising)", "your factor with d_model belongs to the falling line alone: is a bracket missing? It stands before the smaller of the two, whichever that is."),
    "turns-at-4000": (ALL, "d_model**-0.5 * (rising if step < 4000 else falling)", "your rate turns from rising to falling at step 4,000, whatever `warmup_steps` is. The smaller line counts, at every step."),
    "rises-with-the-root": (RISE, "step**0.5 / warmup_steps", "your rising line grows with the root of the step. It is a straight line."),
    "falls-from-the-peak-anew-plus-one": (FALL, "(warmup_steps * max(step - warmup_steps + 1, 1)) ** -0.5", "after the warm-up your rate falls as if the steps were counted anew there. The falling line is 1/√step, with the step counted from the first one."),
    "rises-one-step-longer": (ALL, "d_model**-0.5 * (rising if step <= warmup_steps + 1 else falling)", f"your rate still rises in the step after the warm-up. {MEET}"),
    "first-step-zero": (ALL, "d_model**-0.5 * min(rising, falling) * (step > 1)", "your first step has the rate 0, so it is lost. By the formula it has the rising line's, as the others have."),
    "falls-with-the-fourth-root": (FALL, "step**-0.25", "your falling line falls with the fourth root of the step. It is 1/√step."),
    "blended": (ALL, "d_model**-0.5 / (1 / rising + 1 / falling)", "your rate blends the two lines. The smaller one alone counts."),
    "whole-root": (ALL, "min(rising, falling) / math.isqrt(d_model)", "your root of d_model is cut to a whole number. It is the root itself."),
    "rounded-to-six": (ALL, "round(d_model**-0.5 * min(rising, falling), 6)", "your rate is rounded, and the first ones are tiny. Round only what you print."),
    "sum": (ALL, "d_model**-0.5 * (rising + falling)", "your rate adds the two lines. The smaller one counts."),
    "product": (ALL, "d_model**-0.5 * rising * falling", "your rate multiplies the two lines. The smaller one counts."),
    "mean": (ALL, "d_model**-0.5 * (rising + falling) / 2", "your rate is the mean of the two lines. The smaller one counts."),
    "only-rising": (ALL, "d_model**-0.5 * rising", "your rate rises for ever: the falling line is missing."),
    "only-falling": (ALL, "d_model**-0.5 * falling", "your rate falls from the first step: there is no warm-up. Does the rising line ever count?"),
    "no-d": (ALL, "min(rising, falling)", "your rate lacks the factor with d_model."),
    "d-not-root": (ALL, "min(rising, falling) / d_model", "your rate is divided by d_model; the formula divides by its square root."),
    "times-root": (ALL, "d_model**0.5 * min(rising, falling)", "your rate is multiplied by √d_model; the formula divides by it. Is a minus missing in an exponent?"),
    "times-d": (ALL, "d_model * min(rising, falling)", "your rate is multiplied by d_model; the formula divides by its square root."),
    "d-1.5": (ALL, "d_model**-1.5 * min(rising, falling)", "your exponent of d_model is −1.5. It is −0.5; −1.5 belongs to `warmup_steps`."),
    "step-from-zero": (RISE + "\n    falling = step**-0.5", "(step - 1) * warmup_steps**-1.5\n    falling = max(step - 1, 1) ** -0.5", "your steps are counted from 0: the first one gets the rate 0, so it is lost, and each later one gets the rate of the step before. The first step is 1."),
    "step-behind": (RISE + "\n    falling = step**-0.5", "max(step - 1, 1) * warmup_steps**-1.5\n    falling = max(step - 1, 1) ** -0.5", "each step but the first gets the rate of the step before. The first step is 1, and its rate is its own."),
    "step-one-more": (RISE + "\n    falling = step**-0.5", "(step + 1) * warmup_steps**-1.5\n    falling = (step + 1) ** -0.5", "your rate is the one of the next step: one is added to a step that is counted from 1 already."),
    "rising-step-minus-one": (RISE, "(step - 1) * warmup_steps**-1.5", "your rising line is one step late, and the first step gets the rate 0. The first step is 1."),
    "rising-step-plus-one": (RISE, "(step + 1) * warmup_steps**-1.5", "your rising line is one step ahead. The first step is 1."),
    "falling-step-minus-one": (FALL, "max(step - 1, 1) ** -0.5", "your falling line is one step late. The first step is 1."),
    "falling-step-plus-one": (FALL, "(step + 1) ** -0.5", "your falling line is one step ahead. The first step is 1."),
    "warmup-half": (RISE, "step * warmup_steps**-0.5", f"your exponent of `warmup_steps` is −0.5; it is −1.5. {MEET}"),
    "warmup-one": (RISE, "step / warmup_steps", f"your rising line reaches 1 at the end of the warm-up, where the falling one has long gone below. {MEET}"),
    "warmup-two": (RISE, "step * warmup_steps**-2", f"your exponent of `warmup_steps` is −2; it is −1.5. {MEET}"),
    "warmup-plus": (RISE, "step * warmup_steps**1.5", "your rate falls from the first step: there is no warm-up. Does the rising line ever count?"),
    "step-squared": (RISE, "step**2 * warmup_steps**-1.5", "your rising line grows with the square of the step. It is a straight line."),
    "step-root": (RISE, "step**0.5 * warmup_steps**-1.5", "your rising line grows with the root of the step. It is a straight line."),
    "falls-like-one-over": (FALL, "1 / step", "your rate falls like 1/step; it falls like 1/√step."),
    "falls-like-one-over-from-the-peak": (FALL, "warmup_steps**0.5 / step", "after the warm-up your rate falls like 1/step; it falls like 1/√step."),
    "falls-from-the-peak-anew": (FALL, "(warmup_steps * max(step - warmup_steps, 1)) ** -0.5", "after the warm-up your rate falls as if the steps were counted anew there. The falling line is 1/√step, with the step counted from the first one."),
    "falls-too-fast": (FALL, "step**-1.5", "your rate falls with the exponent −1.5; it is −0.5. (−1.5 belongs to `warmup_steps`.)"),
    "root-of-step": (FALL, "step**0.5", "your exponent of the step is +0.5: the minus is missing."),
    "constant-after": (FALL, "warmup_steps**-0.5", "your rate stays where it is after the warm-up. It falls with the square root of the step."),
    "falls-from-the-warm-up": (FALL, "max(step - warmup_steps, 1) ** -0.5 if step > warmup_steps else warmup_steps**-0.5", "after the warm-up your rate falls as if the steps were counted anew there. The falling line is 1/√step, with the step counted from the first one."),
    "root-of-both": (RISE + "\n    falling = step**-0.5", "(step * warmup_steps**-1.5) ** 0.5\n    falling = step**-0.5", "you take the root of the rising line as well. It is a straight line."),
    "linear-fall": (FALL, "max(0.0, 2 * warmup_steps - step) * warmup_steps**-1.5", "your rate falls in a straight line. In the formula it falls with the square root of the step."),
    "exponential-fall": (FALL, "warmup_steps**-0.5 * math.exp(-(step - warmup_steps) / warmup_steps)", "your rate falls like an exponential. In the formula it falls with the square root of the step."),
    "peak-one": (ALL, "min(rising, falling) * warmup_steps**0.5", "your rate reaches 1 at its peak. The formula's peak is 1/√(d_model · warmup_steps)."),
    "peak-d": (ALL, "d_model**-0.5 * min(rising, falling) * warmup_steps**0.5", "your rate is √warmup_steps times too large: the rising line is step/warmup_steps, and the falling one √(warmup_steps/step). Look at the exponents again."),
    "d-is-512": (ALL, "512**-0.5 * min(rising, falling)", "your d_model is 512 whatever the argument is."),
    "warmup-is-4000": (RISE, "step * 4000**-1.5", "your warm-up takes 4,000 steps whatever `warmup_steps` is."),
    "minus-for-power": (ALL, "d_model - 0.5 * min(rising, falling)", "your rate is about as large as d_model: a power sign is missing. `d_model ** -0.5` is meant, not `d_model - 0.5`."),
    "all-of-the-paper": (RISE + "\n    falling = step**-0.5\n    return d_model", "step * 4000**-1.5\n    falling = step**-0.5\n    return 512", "your d_model is 512 and your warm-up takes 4,000 steps, whatever the arguments are."),
    "exponents-swapped": (RISE + "\n    falling = step**-0.5", "step * warmup_steps**-0.5\n    falling = step**-1.5", "your two exponents have changed places: −1.5 belongs to `warmup_steps`, −0.5 to the step."),
    "swapped": (RISE + "\n    falling = step**-0.5\n    return d_model**-0.5 * min(rising, falling)", "step * d_model**-1.5\n    falling = step**-0.5\n    return warmup_steps**-0.5 * min(rising, falling)", "`d_model` and `warmup_steps` have changed roles."),
    "step-and-warmup": (RISE + "\n    falling = step**-0.5", "warmup_steps * step**-1.5\n    falling = warmup_steps**-0.5", "`step` and `warmup_steps` have changed roles."),
    "whole-division": (RISE, "step // warmup_steps**1.5", "your rising line gives 0 instead of a fraction. (Is that whole-number division? Use `/`, or a negative exponent.)"),
    "rounded": (ALL, "round(d_model**-0.5 * min(rising, falling), 4)", "your rate is rounded. Round only what you print."),
    "zero-where-they-meet": (ALL, "d_model**-0.5 * (0.0 if step == warmup_steps else min(rising, falling))", f"your rate is 0 at the step that equals `warmup_steps`, and right at all others. {MEET} (Does neither of two branches hold there?)"),
    "none": ("return " + ALL, "d_model**-0.5 * min(rising, falling)", "your function ends without giving anything back: is a `return` missing?"),
    "list": ("return " + ALL, "return [d_model**-0.5 * min(rising, falling)]", "your function returns a list. Return the number."),
    "both": ("return " + ALL, "return d_model**-0.5 * rising, d_model**-0.5 * falling", "your function returns both lines. Return the smaller one."),
}
for places in (3, 5, 7):
    edits[f"rounded-to-{places}"] = (ALL, f"round(d_model**-0.5 * min(rising, falling), {places})", edits["rounded"][2])
for name, (old, new, says) in edits.items():
    wrong(name, (old, new), says=says)
for root in ("no-d", "d-not-root", "times-root"):
    for rise in ("warmup-half", "warmup-one", "rising-step-minus-one", "step-from-zero"):
        if rise == "step-from-zero":
            changes = (edits[rise][:2], edits[root][:2])
        else:
            changes = (edits[rise][:2], edits[root][:2])
        wrong(f"{root}+{rise}", *changes, says=two_things(edits[root][2], edits[rise][2]))
wrong("max+times-root", (ALL, "d_model**0.5 * max(rising, falling)"), says=two_things(edits['max'][2], edits['times-root'][2]))

@right
def by_branches(step, d_model, warmup_steps):
    if step < warmup_steps:
        return step / (math.sqrt(d_model) * warmup_steps * math.sqrt(warmup_steps))
    return 1 / math.sqrt(d_model * step)

@right
def from_the_peak(step, d_model, warmup_steps):
    peak = (d_model * warmup_steps) ** -0.5
    return peak * min(step / warmup_steps, (warmup_steps / step) ** 0.5)

@right
def with_tensors(step, d_model, warmup_steps):
    step = torch.tensor(float(step), dtype=torch.float64)
    return torch.minimum(step.rsqrt(), step * warmup_steps**-1.5) / d_model**0.5

@right
def with_numpy(step, d_model, warmup_steps):
    return np.power(float(d_model), -0.5) * np.minimum(np.power(float(step), -0.5), step * np.power(float(warmup_steps), -1.5))

@truth
def by_fractions(step, d_model, warmup_steps):
    """The squares are fractions, which are exact; only the last step takes a root."""
    from fractions import Fraction
    square = min(Fraction(step**2, warmup_steps**3), Fraction(1, step)) / d_model
    return math.sqrt(square)

@truth
def by_accumulation(step, d_model, warmup_steps):
    """The rising line, added up step by step; the falling one from logarithms."""
    risen = math.fsum([1 / (warmup_steps * math.sqrt(warmup_steps))] * min(step, warmup_steps))
    return risen / math.sqrt(d_model) if step <= warmup_steps else math.exp(-(math.log(d_model) + math.log(step)) / 2)

# %% exercise="train_step" part="library"
def train_step(model: nn.Module, batch: tuple[Tensor, Tensor], optimizer: torch.optim.Optimizer) -> float:
    """Gradients by PyTorch's functional `grad`, scaled together, then the optimizer's own step."""
    source, target = batch
    weights = [weight for weight in model.train().parameters() if weight.requires_grad]
    loss = label_smoothed_loss(model(source, F.pad(target, (1, -1), value=1)), target)
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    present = [gradient for gradient in gradients if gradient is not None]
    norm = torch.stack(torch._foreach_norm(present)).norm()
    torch._foreach_mul_(present, (1.0 / (norm + 1e-6)).clamp(max=1.0))
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient
    optimizer.step()
    return loss.item()


class SmallTranslator(nn.Module):
    """A model small enough to be looked at: it reads a bag of words and the target so far, weighted by place.

    In training mode a fixed third of its features is dropped, so that the mode shows without chance.
    """

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        for name, weight in state.items():
            self.register_parameter(name, nn.Parameter(weight.clone()))

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        real = (source != 0).unsqueeze(-1)
        read = (F.embedding(source, self.source_weight) * real).sum(1, keepdim=True) / real.sum(1, keepdim=True)
        place = torch.arange(1, target.shape[1] + 1, device=target.device).unsqueeze(-1)
        written = (F.embedding(target, self.target_weight) * place).cumsum(1) / place
        hidden = torch.tanh(read + written)
        if self.training:
            hidden = hidden * 1.5 * (torch.arange(hidden.shape[-1], device=target.device) % 3 != 1)
        return hidden @ self.output_weight


_MADE: list[nn.Module] = []


def small_translator(
    state: dict[str, Tensor], left_over: dict[str, Tensor] | None = None, evaluated: bool = False
) -> Any:
    """A small translator, and after the call a look at its weights.

    left_over: gradients that it comes with; evaluated: whether it comes in evaluation mode
    """
    from autograder.formats.fixtures import Watched

    model = SmallTranslator(state)
    model.train(not evaluated)
    for name, gradient in (left_over or {}).items():
        model.get_parameter(name).grad = gradient.clone()
    _MADE[:] = [model]
    return Watched(model, lambda: {name: weight.detach().clone() for name, weight in model.named_parameters()})


def optimizer_of_it(kind: str, rate: float, momentum: float = 0.0) -> torch.optim.Optimizer:
    """An optimizer over the model that was made last: the one in the same call."""
    weights = list(_MADE[-1].parameters())
    if kind == "adam":
        return torch.optim.Adam(weights, lr=rate, betas=(0.9, 0.98))
    if kind == "sgd in two groups":
        return torch.optim.SGD([{"params": weights[:1]}, {"params": weights[1:], "lr": rate / 2}], lr=rate)
    return torch.optim.SGD(weights, lr=rate, momentum=momentum)

# %% exercise="train_step" part="variants"
without("one: s", "one: t", because="a sentence has a word and its EOS")

SIZE = 13

def one_step(rng, batch, s, t, d, scale, kind="sgd", rate=0.5, momentum=0.0, left_over=False, evaluated=False, output_scale=None):
    state = small_state(rng, d, scale, output_scale)
    grads = small_state(rng, d, 0.5) if left_over else None
    model = fixture("small_translator", state=state, left_over=grads, evaluated=evaluated)
    optimizer = fixture("optimizer_of_it", kind=kind, rate=rate, momentum=momentum)
    return dict(model=model, batch=small_batch(rng, batch, s, t), optimizer=optimizer)

@cases(dict(batch=2, s=6, t=4, d=5), dict(batch=4, s=3, t=6, d=7), low=3)
def steep(rng, batch, s, t, d):
    """{batch} pairs, gradients of a norm above 1"""
    return one_step(rng, batch, s, t, d + 2, 0.3, output_scale=5.0)

@cases(dict(batch=3, s=5, t=4, d=6), dict(batch=4, s=6, t=5, d=8), low=3)
def gentle(rng, batch, s, t, d):
    """{batch} pairs, gradients of a norm below 1"""
    return one_step(rng, batch, s, t, d + 2, 0.25)

@cases(dict(batch=3, s=5, t=3, d=4), low=3)
def faint(rng, batch, s, t, d):
    """{batch} pairs, gradients of a norm far below 1"""
    return one_step(rng, batch, s, t, d + 2, 0.01)

@cases(dict(batch=3, s=4, t=5, d=7), low=3)
def left_over(rng, batch, s, t, d):
    """{batch} pairs, a model that comes with gradients left over from an earlier step"""
    return one_step(rng, batch, s, t, d + 2, 0.4, left_over=True)

@cases(dict(batch=4, s=5, t=6, d=3), low=3)
def evaluated(rng, batch, s, t, d):
    """{batch} pairs, a model that comes in evaluation mode"""
    return one_step(rng, batch, s, t, d + 4, 0.6, evaluated=True)

@cases(dict(batch=3, s=6, t=7, d=4), low=3)
def with_adam(rng, batch, s, t, d):
    """{batch} pairs, Adam as the optimizer"""
    return one_step(rng, batch, s, t, d + 3, 0.8, kind="adam", rate=0.03)

@cases(dict(batch=3, s=5, t=4, d=6), low=3)
def two_groups(rng, batch, s, t, d):
    """{batch} pairs, an optimizer with two groups of weights, gradients of a norm above 1"""
    return one_step(rng, batch, s, t, d + 2, 0.3, kind="sgd in two groups", output_scale=5.0)

SHIFT, LOSS, ZERO_GRAD, BACKWARD = "model(source, shift_right(target))", "label_smoothed_loss(logits, target)", "    optimizer.zero_grad()\n", "    loss.backward()\n"
CLIP, STEP, RETURN, MODE = "    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)\n", "    optimizer.step()\n", "return loss.item()", "    model.train()\n"
READS = "The decoder reads the target shifted right, and the loss compares with the target itself."
CLIPS = "Between `backward()` and `step()`, the norm of all gradients together is brought down to 1.0 where it is above."
ADDS = "your step adds its gradients to those left over from before: `backward()` adds. Clear them before it, not only afterwards."
UNCLIPPED = f"large gradients reach the optimizer as they are: your step does not clip, or it clips at a moment when that has no effect. {CLIPS}"
STILL = "your step leaves the weights as they were. Does the optimizer take its step, after `backward()`, and are the gradients still there then?"
LEFT_ON = "your logits are computed in the mode in which the model comes: in evaluation mode, dropout stays off. Switch training mode on, before the model is called."
CUT_OFF = "no gradient can flow: your logits are cut off from the model (by `torch.no_grad()` or `detach()`)."
SMOOTHED = "Here the loss is `label_smoothed_loss`, with its default smoothing of 0.1, padding left out."
edits = {
    "no-zero-grad": ([(ZERO_GRAD, "")], ADDS),
    "zero-grad-after-step": ([(ZERO_GRAD, ""), (STEP, STEP + ZERO_GRAD)], ADDS),
    "zero-grad-before-step": ([(ZERO_GRAD, ""), (BACKWARD, BACKWARD + ZERO_GRAD)], STILL),
    "zero-grad-after-clip": ([(ZERO_GRAD, ""), (CLIP, CLIP + ZERO_GRAD)], STILL),
    "no-clip": ([(CLIP, "")], UNCLIPPED),
    "clip-after-step": ([(CLIP, ""), (STEP, STEP + CLIP)], UNCLIPPED),
    "clip-before-backward": ([(CLIP, ""), (BACKWARD, CLIP + BACKWARD)], UNCLIPPED),
    "always-rescaled": ([(CLIP, "    norm = torch.sqrt(sum(p.grad.pow(2).sum() for p in model.parameters()))\n    for p in model.parameters():\n        p.grad /= norm\n")], "your step always scales the gradients to norm 1, small ones upwards as well. It scales downwards only: below 1.0 they stay as they are."),
    "clip-each-entry": ([(CLIP, "    nn.utils.clip_grad_value_(model.parameters(), 1.0)\n")], "your step clips every entry of the gradients by itself. What is limited is one number, the norm of all of them together."),
    "clip-each-weight": ([(CLIP, "    for p in model.parameters():\n        nn.utils.clip_grad_norm_([p], max_norm=1.0)\n")], "your step clips each parameter's gradient by itself. What is limited is one number, the norm of all of them together."),
    "clip-by-the-square": ([(CLIP, "    square = sum(float((p.grad**2).sum()) for p in model.parameters())\n    for p in model.parameters():\n        p.grad /= max(1.0, square)\n")], "your step divides large gradients by the square of their norm. The norm is the root of the sum of squares; after clipping it is 1.0."),
    "whole-step-twice": ([("    model.train()\n", "    model.train()\n    first = label_smoothed_loss(model(source, shift_right(target)), target)\n    optimizer.zero_grad()\n    first.backward()\n" + CLIP + STEP)], "your function takes two whole steps with the batch. It takes one."),
    "clip-tenth": ([("max_norm=1.0", "max_norm=0.1")], "your step clips to norm 0.1. It clips to norm 1.0."),
    "clip-half": ([("max_norm=1.0", "max_norm=0.5")], "your step clips to norm 0.5. It clips to norm 1.0."),
    "clip-first-weight": ([(CLIP, "    nn.utils.clip_grad_norm_([next(model.parameters())], max_norm=1.0)\n")], f"your step clips the first parameter only. {CLIPS}"),
    "clip-first-group": ([(CLIP, "    nn.utils.clip_grad_norm_(optimizer.param_groups[0][\"params\"], max_norm=1.0)\n")], f"your step clips the optimizer's first group of weights only. {CLIPS}"),
    "clip-sum-of-sizes": ([("max_norm=1.0", "max_norm=1.0, norm_type=1.0")], "your step clips by the sum of the sizes (norm type 1). The norm is the usual one: the root of the sum of squares."),
    "clip-largest": ([("max_norm=1.0", "max_norm=1.0, norm_type=float(\"inf\")")], "your step clips by the largest entry (norm type ∞). The norm is the usual one: the root of the sum of squares."),
    "loss-clipped": ([(BACKWARD, "    loss.clamp(max=1.0).backward()\n")], STILL),
    "no-step": ([(STEP, "")], STILL),
    "two-steps": ([(STEP, STEP + STEP)], "your optimizer takes its step twice."),
    "step-before-backward": ([(STEP, ""), (BACKWARD, STEP + BACKWARD)], STILL),
    "not-shifted": ([(SHIFT, "model(source, target)")], f"your decoder reads the very target that it is to predict: at each place it sees the answer. {READS}"),
    "shifted-twice": ([(SHIFT, "model(source, shift_right(shift_right(target)))")], f"your decoder's input is shifted twice: at each place it lacks the token right before. {READS}"),
    "labels-shifted-too": ([(LOSS, "label_smoothed_loss(logits[:, :-1], target[:, 1:])")], f"your input and your labels are both shifted: the model learns to predict the token after the next. {READS}"),
    "labels-cut": ([(SHIFT, "model(source, target[:, :-1])"), (LOSS, "label_smoothed_loss(logits, target[:, 1:])")], "your first word is never learnt: input `target[:, :-1]` and labels `target[:, 1:]` fit targets that begin with `<bos>`. These don't; `shift_right` puts it there."),
    "labels-are-inputs": ([(LOSS, "label_smoothed_loss(logits, shift_right(target))")], f"your labels are what the decoder reads: it learns to copy its input. {READS}"),
    "roles-swapped": ([(SHIFT, "model(source, target)"), (LOSS, "label_smoothed_loss(logits, shift_right(target))")], f"your input and your labels have changed places: the decoder reads the target and is to name the token before. {READS}"),
    "shifted-left": ([(SHIFT, "model(source, torch.cat([target[:, 1:], torch.zeros_like(target[:, :1])], dim=1))")], f"your decoder's input is shifted left: at each place it sees the token after the one it is to name. {READS}"),
    "rolled": ([(SHIFT, "model(source, target.roll(1, dims=1))")], "your decoder's input is rolled: its first token is the last one of the target. It begins with `<bos>`."),
    "begins-with-padding": ([(SHIFT, "model(source, shift_right(target, 0))")], "your decoder's input begins with padding. It begins with `<bos>`."),
    "begins-with-end": ([(SHIFT, "model(source, shift_right(target, 2))")], "your decoder's input begins with `<eos>`. It begins with `<bos>`."),
    "no-end": ([(LOSS, "label_smoothed_loss(logits, target.masked_fill(target == 2, 0))")], "your labels have lost their `<eos>`: the model never learns to stop."),
    "last-column-lost": ([(LOSS, "label_smoothed_loss(logits[:, :-1], target[:, :-1])")], "your loss leaves out the last column, where the longest sentence ends: its `<eos>` is never learnt."),
    "padding-counted": ([(LOSS, "label_smoothed_loss(logits, target, pad_id=-1)")], f"your loss counts the padding positions. {SMOOTHED}"),
    "not-smoothed": ([(LOSS, "label_smoothed_loss(logits, target, smoothing=0.0)")], f"your loss is not smoothed. {SMOOTHED}"),
    "pytorch-loss": ([(LOSS, "nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())")], f"your loss is PyTorch's cross-entropy: not smoothed, and padding is counted. {SMOOTHED}"),
    "pytorch-smoothing": ([(LOSS, "nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=0, label_smoothing=0.1)")], f"your loss is PyTorch's own label smoothing, which gives padding and the right token a share as well. {SMOOTHED}"),
    "pytorch-smoothing-padded": ([(LOSS, "nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten(), label_smoothing=0.1)")], f"your loss is PyTorch's own label smoothing, and padding is counted. {SMOOTHED}"),
    "softmax-first": ([(LOSS, "label_smoothed_loss(logits.softmax(dim=-1), target)")], "your loss gets probabilities: it takes a softmax itself, so it wants the raw logits."),
    "log-softmax-of-places": ([(LOSS, "label_smoothed_loss(logits.softmax(dim=1), target)")], "your loss gets numbers that went through a softmax over the places. It wants the raw logits."),
    "eval-left-on": ([(MODE, "")], LEFT_ON),
    "eval-switched-on": ([(MODE, "    model.eval()\n")], "your step puts the model into evaluation mode. In training it is in training mode, where dropout is on."),
    "train-too-late": ([(MODE, ""), (BACKWARD, MODE + BACKWARD)], LEFT_ON),
    "source-ignored": ([(SHIFT, "model(torch.ones_like(source), shift_right(target))")], "your model never sees the source."),
    "source-shifted": ([(SHIFT, "model(shift_right(source), shift_right(target))")], "your source is shifted right as well. The encoder reads the whole source; only what the decoder reads is shifted."),
    "target-for-source": ([(SHIFT, "model(target, shift_right(target))")], "your model reads the target in place of the source: it sees the answer."),
    "source-for-target": ([(SHIFT, "model(source, shift_right(source))"), (LOSS, "label_smoothed_loss(logits, source)")], "your model is trained to write the source again. What it is to write is the target."),
    "first-pair": ([("source, target = batch", "source, target = batch[0][:1], batch[1][:1]")], "your step learns from the first pair of the batch only."),
    "summed": ([(LOSS, LOSS + " * (target != 0).sum()")], "your loss is a sum over the tokens. It is a mean, as `label_smoothed_loss` gives it."),
    "times-batch": ([(LOSS, LOSS + " / len(target)")], "your loss is divided by the number of sentences. It is the mean over tokens already."),
    "backward-of-ten-times": ([(BACKWARD, "    (10 * loss).backward()\n")], "your gradients are those of a loss multiplied by 10, so that nearly all of them are clipped. They are those of the loss itself."),
    "backward-of-the-sum": ([(BACKWARD, "    (loss * (target != 0).sum()).backward()\n")], "your gradients are those of a sum over the tokens, so that nearly all of them are clipped. They are those of the mean, as `label_smoothed_loss` gives it."),
    "backward-times-batch": ([(BACKWARD, "    (loss * len(target)).backward()\n")], "your gradients are those of a loss multiplied by the number of sentences. They are those of the mean, as `label_smoothed_loss` gives it."),
    "backward-over-batch": ([(BACKWARD, "    (loss / len(target)).backward()\n")], "your gradients are those of a loss divided by the number of sentences. They are those of the mean, as `label_smoothed_loss` gives it."),
    "padding-is-one": ([(LOSS, "label_smoothed_loss(logits, target, 1)")], f"your loss takes id 1 for padding. {SMOOTHED}"),
    "backward-twice": ([(BACKWARD, "    loss.backward(retain_graph=True)\n    loss.backward()\n")], "your gradients are computed twice and added up."),
    "upwards": ([(BACKWARD, "    (-loss).backward()\n")], "your step goes uphill: the sign of the loss is turned before `backward()`."),
    "own-optimizer": ([(STEP, "    torch.optim.Adam(model.parameters(), lr=1e-3).step()\n")], "your step makes an optimizer of its own in place of the one that it is given."),
    "by-hand": ([(STEP, "    with torch.no_grad():\n        for p in model.parameters():\n            p -= 0.01 * p.grad\n")], "your step changes the weights by hand, with a rate of its own. The optimizer that it is given does that."),
    "by-hand-group-rate": ([(STEP, "    with torch.no_grad():\n        for p in model.parameters():\n            p -= optimizer.param_groups[0][\"lr\"] * p.grad\n")], "your step changes the weights by hand, as plain gradient descent does. The optimizer that it is given may be another one, such as Adam."),
    "returns-none": ([(RETURN, "pass")], "your function ends without giving anything back: the loss is asked for."),
    "returns-loss-after": ([(RETURN, "return label_smoothed_loss(model(source, shift_right(target)), target).item()")], "your function returns the loss after the update. The loss of this batch is the one that the gradients came from."),
    "returns-sum": ([(RETURN, "return loss.item() * len(target)")], "your function returns the loss times the number of sentences. Return the loss."),
    "returns-tokens": ([(RETURN, "return loss.item() * (target != 0).sum().item()")], "your function returns the loss times the number of tokens. Return the loss."),
    "returns-logits": ([(RETURN, "return logits")], "your function returns the logits. Return the loss, a number."),
    "returns-pair": ([(RETURN, "return logits, loss.item()")], "your function returns two things. Return the loss alone."),
    "returns-perplexity": ([(RETURN, "return loss.exp().item()")], "your function returns the perplexity, exp of the loss. Return the loss."),
    "returns-rounded": ([(RETURN, "return round(loss.item(), 1)")], "your function returns a rounded loss. Round only what you print."),
    "returns-negative": ([(RETURN, "return -loss.item()")], "your function returns the loss with its sign turned."),
    "returns-norm": ([(CLIP, "    norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)\n"), (RETURN, "return norm.item()")], "your function returns the norm of the gradients. Return the loss."),
    "returns-accuracy": ([(RETURN, "return (logits.argmax(-1) == target)[target != 0].float().mean().item()")], "your function returns an accuracy. Return the loss."),
    "returns-plain-loss": ([(RETURN, "return label_smoothed_loss(logits, target, smoothing=0.0).item()")], "your function returns a loss without smoothing, while it trains with one. Return the loss that the gradients came from."),
    "clip-five": ([("max_norm=1.0", "max_norm=5.0")], "your step clips to norm 5. It clips to norm 1.0."),
    "clip-two": ([("max_norm=1.0", "max_norm=2.0")], "your step clips to norm 2. It clips to norm 1.0."),
    "first-place-lost": ([(LOSS, "label_smoothed_loss(logits[:, 1:], target[:, 1:])")], "your loss leaves out the first place: the first word is never learnt. It is read off `<bos>`, so it counts as well."),
    "reversed": ([(SHIFT, "model(target, shift_right(source))"), (LOSS, "label_smoothed_loss(logits, source)")], "your source and your target have changed places: the model learns to translate the other way."),
    "begins-with-unknown": ([(SHIFT, "model(source, shift_right(target, 3))")], "your decoder's input begins with `<unk>`. It begins with `<bos>`."),
    "smoothing-0.2": ([(LOSS, "label_smoothed_loss(logits, target, smoothing=0.2)")], "your loss is smoothed by 0.2. Its default is 0.1."),
    "smoothing-0.01": ([(LOSS, "label_smoothed_loss(logits, target, smoothing=0.01)")], "your loss is smoothed by 0.01. Its default is 0.1."),
    "returns-half": ([(RETURN, "return loss.item() / 2")], "your function returns half of the loss. Return the loss."),
    "returns-per-sentence": ([(RETURN, "return loss.item() / len(target)")], "your function returns the loss divided by the number of sentences. It is a mean over tokens already."),
    "returns-loss-and-model": ([(RETURN, "return loss.item(), model")], "your function returns two things. Return the loss alone."),
    "no-decay-of-mode": ([(RETURN, "model.eval()\n    return loss.item()"), (MODE, "")], LEFT_ON),
    "under-no-grad": ([("    logits = " + SHIFT, "    with torch.no_grad():\n        logits = " + SHIFT)], CUT_OFF),
    "detached": ([(SHIFT, SHIFT + ".detach()")], CUT_OFF),
}
for name, (changes, says) in edits.items():
    wrong(name, *changes, says=says)
seen_pairs = set()
for one in ("not-shifted", "no-clip", "eval-left-on", "pytorch-loss", "pytorch-smoothing", "not-smoothed", "padding-counted"):
    for two in ("no-zero-grad", "no-clip", "always-rescaled", "not-smoothed"):
        touched = [{old for old, _ in edits[name][0]} for name in (one, two)]
        if not touched[0] & touched[1] and (one, two) not in (("no-clip", "always-rescaled"),) and frozenset((one, two)) not in seen_pairs:
            seen_pairs.add(frozenset((one, two)))
            wrong(f"{one}+{two}", *edits[one][0], *edits[two][0], says=two_things(edits[one][1], edits[two][1]))

@right
def cleared_first(model, batch, optimizer):
    model.train()
    model.zero_grad(set_to_none=False)
    source, target = batch
    begin = torch.full_like(target[:, :1], 1)
    loss = label_smoothed_loss(model(source, torch.cat([begin, target[:, :-1]], dim=1)), target, 0, 0.1)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(list(model.parameters()), 1)
    optimizer.step()
    return float(loss)

@right
def whole_target_read(model, batch, optimizer):
    source, target = batch
    read = torch.cat([target.new_ones(len(target), 1), target], dim=1)
    loss = label_smoothed_loss(model.train()(source, read)[:, :-1], target)
    for p in model.parameters():
        p.grad = None
    loss.backward()
    norm = math.sqrt(sum(float((p.grad**2).sum()) for p in model.parameters()))
    if norm > 1:
        for p in model.parameters():
            p.grad.mul_(1 / norm)
    optimizer.step()
    return loss.detach().item()

@right
def array_of_one_number(model, batch, optimizer):
    model.train(True)
    optimizer.zero_grad(set_to_none=True)
    loss = label_smoothed_loss(model(batch[0], shift_right(batch[1])), batch[1])
    loss.backward()
    gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    factor = torch.clamp(1 / torch.cat([g.flatten() for g in gradients]).norm(), max=1.0)
    for g in gradients:
        g *= factor
    optimizer.step()
    return loss.detach().numpy()

@right
def cleared_twice(model, batch, optimizer):
    optimizer.zero_grad()
    source, target = batch
    model.train()
    loss = label_smoothed_loss(model(source, shift_right(target)), target)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=False)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()

@right
def with_closure(model, batch, optimizer):
    source, target = batch
    model.train()
    def closure():
        optimizer.zero_grad()
        loss = label_smoothed_loss(model(source, shift_right(target)), target)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        return loss
    return optimizer.step(closure).item()

def by_the_formula(model, batch):
    """Loss and gradients of the small translator in float64, written out; the update by the optimizer's own rule."""
    source, target = batch
    weights = {name: p.detach().double().requires_grad_() for name, p in model.named_parameters()}
    read_ids = torch.cat([torch.ones(len(target), 1, dtype=torch.long), target[:, :-1]], 1)
    total, count = 0.0, 0
    for b in range(len(target)):
        words = [i for i in source[b].tolist() if i != 0]
        read = sum(weights["source_weight"][i] for i in words) / len(words)
        for t in range(target.shape[1]):
            if target[b, t] == 0:
                continue
            written = sum((j + 1) * weights["target_weight"][read_ids[b, j]] for j in range(t + 1)) / (t + 1)
            hidden = torch.tanh(read + written)
            hidden = hidden * torch.tensor([0.0 if i % 3 == 1 else 1.5 for i in range(len(hidden))], dtype=torch.float64)
            logp = torch.log_softmax(hidden @ weights["output_weight"], 0)
            others = [i for i in range(SIZE) if i not in (0, int(target[b, t]))]
            total = total - 0.9 * logp[target[b, t]] - 0.1 * logp[others].mean()
            count += 1
    loss = total / count
    return loss, torch.autograd.grad(loss, list(weights.values()))

@truth
def written_out(model, batch, optimizer):
    """Float64, token by token; then the optimizer's step on the gradients scaled down to norm 1."""
    loss, gradients = by_the_formula(model, batch)
    norm = math.sqrt(sum(float((g**2).sum()) for g in gradients))
    for p, g in zip(model.parameters(), gradients):
        p.grad = (g / max(1.0, norm)).float()
    optimizer.step()
    return float(loss.detach())

@truth
def by_finite_steps(model, batch, optimizer):
    """The optimizer's rule written out by hand too: gradient descent, or Adam's first step."""
    loss, gradients = by_the_formula(model, batch)
    norm = math.sqrt(sum(float((g**2).sum()) for g in gradients))
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients):
            g = g / max(1.0, norm)
            step = g / (g.abs() + 1e-8) if isinstance(optimizer, torch.optim.Adam) else g
            p.copy_((p.double() - rates[id(p)] * step).float())
    return float(loss.detach())

# %% exercise="train" part="library"
def train(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    schedule: Callable[[int], float] | None = None,
    watch: Callable[[int, float], None] | None = None,
) -> list[float]:
    """With PyTorch's own scheduler: a rate of 1, times what the schedule says."""
    steps = iter(batches)
    rates = None
    if schedule is not None:
        for group in optimizer.param_groups:
            group["initial_lr"] = 1.0
        rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: schedule(done + 1))
    losses: list[float] = []
    for batch in steps:
        losses += [train_step(model, batch, optimizer)]
        if watch is not None:
            watch(len(losses), losses[-1])
        if rates is not None:
            rates.step()
    return losses


def rates_by_step(rates: Sequence[float]) -> Callable[[int], float]:
    """A schedule that names a rate for each step, from 1; before and after it goes on with strange ones."""

    def schedule(step: int) -> float:
        return float(rates[step - 1]) if 1 <= step <= len(rates) else 0.77

    return schedule


def watcher() -> Any:
    """A function that writes down what it is told and the sum of the model's first weight by then; and a look at that."""
    from autograder.formats.fixtures import Watched

    told: list[Any] = []
    model = _MADE[-1]

    def watch(*args: Any, **kwargs: Any) -> None:
        plain = (value.item() if isinstance(value, Tensor) and value.numel() == 1 else value for value in (*args, *kwargs.values()))
        words = [float(value) if isinstance(value, (int, float)) else type(value).__name__ for value in plain]
        told.append([*words, float(next(model.parameters()).detach().double().sum())])

    return Watched(watch, lambda: told)


def one_by_one(batches: Sequence[tuple[Tensor, Tensor]]) -> Any:
    """The batches from a generator, which can be gone through once and has no length."""
    return (batch for batch in batches)

# %% exercise="train" part="variants"
SIZE = 13

def run_of(rng, steps, d, kind="sgd", schedule=True, watch=True, once=False, idle=False, scale=0.7):
    state = small_state(rng, d, scale)
    batches = [small_batch(rng, 2 + i % 2, 4 + i % 3, 5 - i % 2) for i in range(steps)]
    given = dict(
        model=fixture("small_translator", state=state),
        batches=fixture("one_by_one", batches=batches) if once else batches,
        optimizer=fixture("optimizer_of_it", kind=kind, rate=0.05 if kind == "adam" else 0.4),
    )
    if schedule:
        rates = [float(r) for r in rng.uniform(0.05, 0.9, size=steps)]
        given["schedule"] = fixture("rates_by_step", rates=[0.0 if idle and i == 1 else r for i, r in enumerate(rates)])
    if watch:
        given["watch"] = fixture("watcher")
    return given

@cases(dict(steps=4, d=5), dict(steps=3, d=8), low=3)
def drawn(rng, steps, d):
    """{steps} batches with a schedule, whose second rate is 0, and a watcher"""
    return run_of(rng, steps, d + 2, idle=True)

@cases(dict(steps=3, d=6), low=3)
def plain(rng, steps, d):
    """{steps} batches, no schedule and no watcher"""
    return run_of(rng, steps, d + 2, schedule=False, watch=False)

@cases(dict(steps=3, d=7), low=3)
def adam(rng, steps, d):
    """{steps} batches, Adam, a schedule, no watcher"""
    return run_of(rng, steps, d + 2, kind="adam", watch=False)

@cases(dict(steps=4, d=3), low=3)
def generated(rng, steps, d):
    """{steps} batches from a generator, with a watcher and no schedule"""
    return run_of(rng, steps, d + 3, schedule=False, once=True)

@cases(dict(steps=3, d=4), low=3)
def in_groups(rng, steps, d):
    """{steps} batches with a schedule, an optimizer with two groups of weights"""
    return run_of(rng, steps, d + 3, kind="sgd in two groups", watch=False)

@cases()
def nothing(rng):
    """no batches at all"""
    return run_of(rng, 0, 6)

RATE, TRAIN, APPEND, WATCH, BACK, COUNT = 'group["lr"] = schedule(step)', "loss = train_step(model, batch, optimizer)", "losses.append(loss)", "watch(step, loss)", "return losses", "start=1"
SET = """        if schedule is not None:
            for group in optimizer.param_groups:
                group["lr"] = schedule(step)
"""
FIRST = "The first step is 1."
UNCHANGED = 'your learning rate never changes. Is `schedule` asked before each step, and is its rate written where the optimizer looks: under "lr", in each of its groups?'
edits = {
    "steps-from-zero": ([(COUNT, "start=0")], f"your steps are counted from 0, for the schedule and the watcher. {FIRST}"),
    "steps-from-two": ([(COUNT, "start=2")], f"your steps are counted from 2. {FIRST}"),
    "rate-of-step-before": ([(RATE, 'group["lr"] = schedule(step - 1)')], f"your rate is the one of the step before. {FIRST}"),
    "rate-of-next-step": ([(RATE, 'group["lr"] = schedule(step + 1)')], f"your rate is the one of the next step. {FIRST}"),
    "rate-after-step": ([(SET, ""), (TRAIN, TRAIN + "\n" + SET.rstrip())], "your rate is set after the step that should use it: each step runs with the rate of the one before."),
    "schedule-ignored": ([(SET, "")], UNCHANGED),
    "rate-multiplied": ([(RATE, 'group["lr"] *= schedule(step)')], "your rate is multiplied by what the schedule says, step after step. The schedule gives the rate itself."),
    "rate-added": ([(RATE, 'group["lr"] += schedule(step)')], "your rate is added up, step after step. The schedule gives the rate itself."),
    "rate-once": ([(RATE, 'group["lr"] = schedule(1)')], "your rate is always the one of step 1."),
    "rate-elsewhere": ([(RATE, 'group["learning_rate"] = schedule(step)')], UNCHANGED),
    "rate-attribute": ([(RATE, "optimizer.lr = schedule(step)")], UNCHANGED),
    "rate-in-defaults": ([(RATE, 'optimizer.defaults["lr"] = schedule(step)')], UNCHANGED),
    "schedule-needed": ([("        if schedule is not None:\n", "        if True:\n")], "your training calls `schedule` when it is None."),
    "rate-of-the-step-before": ([(RATE, 'group["lr"] = schedule(max(1, step - 1))')], "from the second step on, your rate is the one of the step before."),
    "first-loss-lost": ([(BACK, "return losses[1:]")], "the loss of the first step is missing in your list."),
    "losses-added-up": ([(APPEND, "losses.append(loss + sum(losses[-1:]))")], "your losses are added up from step to step. Each is the loss of its own step."),
    "with-the-model": ([(BACK, "return losses, model")], "your function returns two things. Return the list of losses alone."),
    "watch-needed": ([("        if watch is not None:\n", "        if True:\n")], "your training calls `watch` when it is None."),
    "watch-ignored": ([(WATCH, "pass")], "your training never calls `watch`."),
    "watch-swapped": ([(WATCH, "watch(loss, step)")], "your watcher is told the loss first and the step second: `watch(step, loss)`."),
    "watch-loss-only": ([(WATCH, "watch(loss, loss)")], "your watcher is told the loss in place of the step: `watch(step, loss)`."),
    "watch-at-the-end": ([("        if watch is not None:\n            watch(step, loss)\n", ""), ("    " + BACK, "    if watch is not None and losses:\n        watch(step, loss)\n    return losses")], "your watcher is told once, after the last step. It is told after each one."),
    "watch-after-all": ([("        if watch is not None:\n            watch(step, loss)\n", ""), ("    " + BACK, "    for step, loss in enumerate(losses, start=1):\n        if watch is not None:\n            watch(step, loss)\n    return losses")], "your watcher is told of all steps when the last one is over. It is told of each step after it, before the next one begins."),
    "rate-of-0-passed-over": ([("        if schedule is not None:\n", "        if schedule is not None and schedule(step):\n")], "a rate of 0 is passed over in your training: that step keeps the rate of the one before. What the schedule says is the rate, 0 as well."),
    "rate-of-its-own": ([("        if schedule is not None:\n", "        schedule = schedule or (lambda step: 1e-3)\n        if schedule is not None:\n")], "without a schedule your optimizer gets a rate of 0.001. With `None` it keeps the rate that it has."),
    "watch-from-zero": ([(WATCH, "watch(step - 1, loss)")], f"your watcher is told a step that is counted from 0. {FIRST}"),
    "watch-mean": ([(WATCH, "watch(step, sum(losses) / len(losses))")], "your watcher is told the mean of all losses so far. It is told the loss of this step."),
    "watch-running-sum": ([(WATCH, "watch(step, sum(losses))")], "your watcher is told the sum of all losses so far. It is told the loss of this step."),
    "running-mean-all-through": ([(APPEND, "losses.append((sum(losses[-1:]) * (step - 1) + loss) / step); loss = losses[-1]")], "your losses are means of all losses so far, for the watcher too. Each is the loss of its own step."),
    "last-batch-lost": ([("enumerate(batches, start=1)", "enumerate(list(batches)[:-1], start=1)")], "your training leaves the last batch out."),
    "first-group-only": ([("for group in optimizer.param_groups:", "for group in optimizer.param_groups[:1]:")], "only the first of the optimizer's groups gets your rate. Each group has a rate of its own: all of them are set."),
    "last-loss": ([(BACK, "return losses[-1:]")], "your function returns the last loss only. Return all of them, one for each step."),
    "last-number": ([(BACK, "return losses[-1] if losses else 0.0")], "your function returns the last loss. Return the list of all losses."),
    "mean-loss": ([(BACK, "return sum(losses) / max(1, len(losses))")], "your function returns the mean of the losses. Return the list."),
    "sum-loss": ([(BACK, "return sum(losses)")], "your function returns the sum of the losses. Return the list."),
    "running-mean": ([(BACK, "return [sum(losses[: i + 1]) / (i + 1) for i in range(len(losses))]")], "your list holds the mean of all losses so far. It holds the loss of each step."),
    "model-returned": ([(BACK, "return model")], "your function returns the model. Return the list of losses; the model has changed in place."),
    "none": ([("    " + BACK, "    pass")], "your function ends without giving anything back: the losses are asked for."),
    "tensor": ([(BACK, "return torch.tensor(losses)")], "your function returns a tensor. Return a list of numbers."),
    "pairs": ([(BACK, "return list(enumerate(losses, 1))")], "your list holds pairs of step and loss. It holds the losses."),
    "sorted": ([(BACK, "return sorted(losses, reverse=True)")], "your losses are sorted. They stand in the order of the steps."),
    "first-batch": ([(TRAIN, TRAIN + "\n        losses.append(loss)\n        if watch is not None:\n            watch(step, loss)\n        break")], "your training ends after the first batch: is there a `return` or a `break` inside the loop?"),
    "not-the-first": ([(TRAIN, "if step == 1:\n            continue\n        " + TRAIN)], "your training leaves the first batch out."),
    "twice": ([(TRAIN, "train_step(model, batch, optimizer)\n        " + TRAIN)], "your training takes two steps with each batch. It takes one."),
    "two-epochs": ([("enumerate(batches, start=1)", "enumerate([*(kept := list(batches)), *kept], start=1)")], "your training goes through the batches twice. It goes through them once."),
    "same-batch": ([("    losses = []\n", "    losses = []\n    batches = list(batches)\n"), (TRAIN, "loss = train_step(model, batches[0], optimizer)")], "your training uses the first batch in every step."),
    "backwards": ([("enumerate(batches, start=1)", "enumerate(reversed(list(batches)), start=1)")], "your training goes through the batches from the last to the first."),
    "shuffled-by-size": ([("enumerate(batches, start=1)", "enumerate(sorted(batches, key=lambda b: -b[0].shape[1]), start=1)")], "your training changes the order of the batches. They come in the order in which they are given."),
    "length-needed": ([("enumerate(batches, start=1)", "((i + 1, batches[i]) for i in range(len(batches)))")], "your training asks `batches` for its length or for an index. It may be anything that a `for` loop can go through."),
    "watch-all-losses": ([(WATCH, "watch(step, losses)")], "your watcher is told the whole list of losses. It is told the loss of this step."),
    "schedule-not-called": ([(RATE, 'group["lr"] = schedule')], "your rate is the function `schedule` itself. Call it with the step: what it gives is the rate."),
    "two-rounds": ([("    losses = []\n", "    losses = []\n    batches = list(batches)\n"), ("enumerate(batches, start=1)", "[*enumerate(batches, start=1), *enumerate(batches, start=1)]")], "your training goes through the batches twice. It goes through them once."),
    "own-step-unclipped": ([(TRAIN, "loss = label_smoothed_loss(model.train()(batch[0], shift_right(batch[1])), batch[1])\n        optimizer.zero_grad()\n        loss.backward()\n        optimizer.step()\n        loss = loss.item()")], "your training writes the step anew and leaves the clipping out. `train_step` does all of it."),
    "own-step-not-cleared": ([(TRAIN, "loss = label_smoothed_loss(model.train()(batch[0], shift_right(batch[1])), batch[1])\n        loss.backward()\n        optimizer.step()\n        loss = loss.item()")], "your training writes the step anew; gradients are neither cleared nor clipped. `train_step` does all of it."),
    "no-training": ([(TRAIN, "loss = label_smoothed_loss(model(batch[0], shift_right(batch[1])), batch[1]).item()")], "your training computes the losses and changes no weight: `train_step` does both."),
    "own-optimizer": ([(TRAIN, "loss = train_step(model, batch, torch.optim.Adam(model.parameters(), lr=1e-3))")], "your training makes a new optimizer in each step. Use the one that it is given."),
}
for name, (changes, says) in edits.items():
    wrong(name, *changes, says=says)
for one, two in (("steps-from-zero", "watch-ignored"), ("schedule-ignored", "watch-ignored"), ("schedule-ignored", "last-number"), ("steps-from-zero", "last-number"), ("steps-from-zero", "none"), ("rate-after-step", "watch-ignored"), ("schedule-ignored", "none"), ("watch-ignored", "none"), ("steps-from-zero", "mean-loss"), ("schedule-ignored", "steps-from-zero"), ("rate-after-step", "steps-from-zero")):
    wrong(f"{one}+{two}", *edits[one][0], *edits[two][0], says=two_things(edits[one][1], edits[two][1]))

@right
def counted_by_hand(model, batches, optimizer, schedule=None, watch=None):
    losses, step = [], 0
    for batch in batches:
        step += 1
        if schedule:
            rate = schedule(step)
            for g in optimizer.param_groups:
                g["lr"] = rate
        losses.append(train_step(model, batch, optimizer))
        if watch:
            watch(step, losses[-1])
    return losses

@right
def with_a_tuple(model, batches, optimizer, schedule=None, watch=None):
    def one(step, batch):
        if schedule is not None:
            optimizer.param_groups[0].update(lr=schedule(step))
            for other in optimizer.param_groups[1:]:
                other["lr"] = schedule(step)
        loss = train_step(model, batch, optimizer)
        if watch is not None:
            watch(step, loss)
        return loss
    return tuple(one(i + 1, b) for i, b in enumerate(batches))

@right
def always_asking(model, batches, optimizer, schedule=None, watch=None):
    watch = watch or (lambda step, loss: None)
    rate = schedule or (lambda step: optimizer.param_groups[0]["lr"])
    history = []
    for number, (source, target) in enumerate(batches):
        for group in optimizer.param_groups:
            group.update(lr=rate(number + 1))
        loss = train_step(model, (source, target), optimizer)
        watch(number + 1, float(loss))
        history += [loss]
    return history

@right
def all_in_memory(model, batches, optimizer, schedule=None, watch=None):
    batches = list(batches)
    result = []
    for step in range(1, len(batches) + 1):
        if schedule is not None:
            for group in optimizer.param_groups:
                group["lr"] = schedule(step)
        result.append(train_step(model, batches[step - 1], optimizer))
        if watch is not None:
            watch(step, result[-1])
    return result

@right
def keywords(model, batches, optimizer, schedule=None, watch=None):
    losses = []
    for step, batch in enumerate(batches, 1):
        if schedule is not None:
            for group in optimizer.param_groups:
                group["lr"] = schedule(step)
        losses.append(train_step(model=model, batch=batch, optimizer=optimizer))
        if watch is not None:
            watch(step, losses[-1])
    return losses

def written_step(model, batch, optimizer):
    """Cross-entropy with soft labels by PyTorch, the gradients by `autograd.grad`, scaled by hand."""
    source, target = batch
    logits = model.train()(source, torch.cat([torch.ones_like(target[:, :1]), target[:, :-1]], 1))
    soft = torch.full_like(logits, 0.1 / (SIZE - 2)).scatter(-1, target[..., None], 0.9)
    soft[..., 0] = 0
    loss = torch.nn.functional.cross_entropy(logits[target != 0], soft[target != 0])
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    return loss.item(), [g / torch.clamp(norm, min=1.0) for g in gradients]

@truth
def step_by_step(model, batches, optimizer, schedule=None, watch=None):
    losses = []
    for batch in batches:
        loss, gradients = written_step(model, batch, optimizer)
        for p, g in zip(model.parameters(), gradients):
            p.grad = g
        for group in optimizer.param_groups:
            group["lr"] = group["lr"] if schedule is None else schedule(len(losses) + 1)
        optimizer.step()
        losses.append(loss)
        if watch is not None:
            watch(len(losses), loss)
    return losses

@truth
def with_pytorchs_scheduler(model, batches, optimizer, schedule=None, watch=None):
    """A new optimizer of the same kind, its rate by PyTorch's `LambdaLR`."""
    base = optimizer.param_groups[0]["lr"]
    adam = isinstance(optimizer, torch.optim.Adam)
    own = (torch.optim.Adam(model.parameters(), lr=1.0, betas=(0.9, 0.98)) if adam else torch.optim.SGD(model.parameters(), lr=1.0))
    rates = torch.optim.lr_scheduler.LambdaLR(own, lambda done: base if schedule is None else schedule(done + 1))
    losses = []
    for step, batch in enumerate(batches):
        loss, gradients = written_step(model, batch, own)
        for p, g in zip(model.parameters(), gradients):
            p.grad = g
        own.step()
        rates.step()
        losses.append(loss)
        if watch is not None:
            watch(step + 1, loss)
    return losses

# %% exercise="trained_weights" part="variants"
from autograder.lab.corpus import sample

from autograder.judging.probes.translation import wanted


@cases(dict(count=120), hidden=[dict(count=200)])
def _(rng, count):
    """{count} sources that training never draws"""
    seed = int(rng.integers(2**31))
    return judged(wanted=wanted(sample(None, count, seed=seed, split="test", unique=True)))


def edit(name, new, says):
    wrong(name, ('return load_file("translator.safetensors")', new), says=says)


LOAD = 'load_file("translator.safetensors")'
edit("prefix", f'return {{"_orig_mod." + name: w for name, w in {LOAD}.items()}}', says="every name begins with `_orig_mod.`")
edit("swapped-sides", f'return {{(("decoder" + name[7:]) if name.startswith("encoder.") else ("encoder" + name[7:]) if name.startswith("decoder.") else name): w for name, w in {LOAD}.items()}}', says="encoder and decoder have changed names")
edit("one-part", f'return {{name[8:]: w for name, w in {LOAD}.items() if name.startswith("encoder.")}}', says="the weights of an encoder or a decoder alone")
edit("missing-names", f'return {{name: w for name, w in {LOAD}.items() if "decoder.blocks.0.norm1" not in name}}', says="there is no weight `decoder.blocks.0.norm1")
edit("other-vocabulary", f'return {{name: w[:-7] if name.startswith("source_embedding") else w for name, w in {LOAD}.items()}}', says="your vocabularies have")
edit("not-finite", f'return {{name: w * float("nan") for name, w in {LOAD}.items()}}', says="nan or inf")
edit("no-weights", f'return list({LOAD}.values())', says="no dict of tensors by name")
edit("checkpoint", f'return {{"model": {LOAD}, "step": 3000}}', says="a whole checkpoint")
edit("no-floats", f'return {{name: (1000 * w).int() for name, w in {LOAD}.items()}}', says="and no floats")
edit("transposed", f'return {{name: w.T.contiguous() if w.ndim == 2 and w.shape[0] == w.shape[1] else w for name, w in {LOAD}.items()}}', says="its square matrices are transposed")
edit("untrained", f'return {{name: (torch.ones_like(w) if name.endswith("weight") else torch.zeros_like(w)) if "norm" in name else torch.randn_like(w) / 10 for name, w in {LOAD}.items()}}', says="before its first training step")


@right
def in_half_the_bits():
    return {name: weight.half() for name, weight in load_file("translator.safetensors").items()}


@right
def in_double():
    return {name: weight.double() for name, weight in load_file("translator.safetensors").items()}


@right
def one_by_one():
    from safetensors import safe_open

    with safe_open("translator.safetensors", framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


@right
def both_tied_matrices():
    weights = load_file("translator.safetensors")
    tied = weights.get("output.weight", weights.get("target_embedding.embedding.weight"))
    return weights | {"output.weight": tied, "target_embedding.embedding.weight": tied.clone()}
