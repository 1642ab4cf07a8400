# %% before
import math
from collections import Counter

import torch
from torch import Tensor, nn

from autograder import use_part

shift_right = use_part("shift_right")

# %% build_vocabulary wrong · in order of appearance, no limits
def build_vocabulary(sequences, max_size=None, min_count=1):
    v = {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3}
    for s in sequences:
        for t in s:
            if t not in v:
                v[t] = len(v)
    return v

# %% build_vocabulary wrong [order-ties-by-alphabet] · ties by alphabet
def build_vocabulary(sequences, max_size=None, min_count=1):
    c = Counter(t for s in sequences for t in s)
    items = sorted(c.items(), key=lambda x: (-x[1], x[0]))
    v = {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3}
    for t, n in items:
        if n >= min_count:
            v[t] = len(v)
    if max_size:
        v = dict(list(v.items())[:max_size])
    return v

# %% build_vocabulary wrong [limit-without-specials] · max_size without the special ones
def build_vocabulary(sequences, max_size=None, min_count=1):
    c = Counter(t for s in sequences for t in s)
    v = {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3}
    for t, n in c.most_common(max_size):
        if n >= min_count:
            v[t] = len(v)
    return v

# %% build_vocabulary wrong [rare-above] · min_count itself is left out
def build_vocabulary(sequences, max_size=None, min_count=1):
    c = Counter(t for s in sequences for t in s)
    v = {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3}
    for i, (t, n) in enumerate(c.most_common()):
        if n > min_count:
            v[t] = i + 4
    return v if max_size is None else {t: i for t, i in v.items() if i < max_size}

# %% build_vocabulary wrong · counts sequences, not tokens
def build_vocabulary(sequences, max_size=None, min_count=1):
    c = Counter()
    for s in sequences:
        c.update(set(s))
    names = ["<pad>", "<bos>", "<eos>", "<unk>"] + [t for t, n in c.most_common() if n >= min_count]
    return {t: i for i, t in enumerate(names[:max_size])}

# %% build_vocabulary wrong [end-list] · a list, no dict
def build_vocabulary(sequences, max_size=None, min_count=1):
    c = Counter(t for s in sequences for t in s)
    names = ["<pad>", "<bos>", "<eos>", "<unk>"] + [t for t, n in c.most_common() if n >= min_count]
    return names[:max_size]

# %% build_vocabulary wrong [order-rising] · rare ones first
def build_vocabulary(sequences, max_size=None, min_count=1):
    c = Counter(t for s in sequences for t in s)
    names = ["<pad>", "<bos>", "<eos>", "<unk>"] + sorted([t for t in c if c[t] >= min_count], key=c.get)
    return {t: i for i, t in enumerate(names[:max_size])}

# %% build_vocabulary wrong · a new count for each sequence
def build_vocabulary(sequences, max_size=None, min_count=1):
    c = Counter(sequences[0] if sequences else [])
    for s in sequences:
        c = Counter(s)
    names = ["<pad>", "<bos>", "<eos>", "<unk>"] + [t for t, n in c.most_common() if n >= min_count]
    return {t: i for i, t in enumerate(names[:max_size])}

# %% build_vocabulary wrong [front-unknown-first] · unknown first
def build_vocabulary(sequences, max_size=None, min_count=1):
    c = Counter(t for s in sequences for t in s)
    names = ["<unk>", "<pad>", "<bos>", "<eos>"] + [t for t, n in c.most_common() if n >= min_count]
    return {t: i for i, t in enumerate(names[:max_size])}

# %% build_vocabulary wrong [end-turned] · numbers to names
def build_vocabulary(sequences, max_size=None, min_count=1):
    c = Counter(t for s in sequences for t in s)
    names = ["<pad>", "<bos>", "<eos>", "<unk>"] + [t for t, n in c.most_common() if n >= min_count]
    return {i: t for i, t in enumerate(names[:max_size])}

# %% build_vocabulary wrong · no special tokens
def build_vocabulary(sequences, max_size=None, min_count=1):
    c = Counter(t for s in sequences for t in s)
    names = [t for t, n in c.most_common() if n >= min_count][:max_size]
    return {t: i for i, t in enumerate(names)}

# %% build_vocabulary wrong [two-if-not-given] · other defaults
def build_vocabulary(sequences, max_size=1000, min_count=2):
    c = Counter(t for s in sequences for t in s)
    names = ["<pad>", "<bos>", "<eos>", "<unk>"] + [t for t, n in c.most_common() if n >= min_count]
    return {t: i for i, t in enumerate(names[:max_size])}

# %% build_vocabulary wrong [order-ties-by-alphabet-reversed] · pairs sorted as a whole, backwards
def build_vocabulary(sequences, max_size=None, min_count=1):
    c = Counter(t for s in sequences for t in s)
    names = ["<pad>", "<bos>", "<eos>", "<unk>"] + [
        t for n, t in sorted(((n, t) for t, n in c.items()), reverse=True) if n >= min_count
    ]
    return {t: i for i, t in enumerate(names[:max_size])}

# %% build_vocabulary wrong [order-rising-turned] · the list of the most common turned round
def build_vocabulary(sequences, max_size=None, min_count=1):
    c = Counter(t for s in sequences for t in s)
    names = ["<pad>", "<bos>", "<eos>", "<unk>"] + [t for t, n in reversed(c.most_common()) if n >= min_count]
    return {t: i for i, t in enumerate(names[:max_size])}

# %% build_vocabulary wrong [limit-one-less] · one entry too few, and always a limit
def build_vocabulary(sequences, max_size=None, min_count=1):
    c = Counter(t for s in sequences for t in s)
    if max_size is None:
        max_size = 100
    names = [t for t, n in c.most_common(max_size - 5) if n >= min_count]
    return {t: i for i, t in enumerate(["<pad>", "<bos>", "<eos>", "<unk>"] + names)}

# %% build_vocabulary right · sorted items
def build_vocabulary(sequences, max_size=None, min_count=1):
    from itertools import chain

    c = Counter(chain.from_iterable(sequences))
    words = [w for w, n in sorted(c.items(), key=lambda kv: -kv[1]) if n >= min_count]
    if max_size is not None:
        words = words[: max(0, max_size - 4)]
    v = {s: i for i, s in enumerate(("<pad>", "<bos>", "<eos>", "<unk>"))}
    v.update((w, i) for i, w in enumerate(words, 4))
    return v

# %% build_vocabulary right · first places in a dict of their own
def build_vocabulary(sequences, max_size=None, min_count=1):
    from collections import defaultdict, OrderedDict

    c = defaultdict(int)
    first = {}
    for s in sequences:
        for t in s:
            first.setdefault(t, len(first))
            c[t] += 1
    order = sorted(c, key=lambda t: (-c[t], first[t]))
    out = OrderedDict((n, i) for i, n in enumerate(["<pad>", "<bos>", "<eos>", "<unk>"]))
    for t in order:
        if c[t] < min_count or (max_size is not None and len(out) == max_size):
            continue
        out[t] = len(out)
    return dict(out)

# %% build_vocabulary right · a heap, then deletions
def build_vocabulary(sequences, max_size=None, min_count=1):
    import heapq

    c = Counter(t for s in sequences for t in s)
    order = heapq.nlargest(len(c), c.items(), key=lambda x: x[1])
    v = dict.fromkeys(["<pad>", "<bos>", "<eos>", "<unk>"] + [t for t, n in order if n >= min_count])
    for i, k in enumerate(list(v)):
        if max_size is not None and i >= max_size:
            del v[k]
        else:
            v[k] = i
    return v

# %% build_vocabulary right · triples sorted
def build_vocabulary(sequences, max_size=float("inf"), min_count=1):
    max_size = 10**9 if max_size is None or max_size == float("inf") else max_size
    c = {}
    for s in sequences:
        for t in list(s):
            c[t] = 1 + c.get(t, 0)
    r = [(-n, i, t) for i, (t, n) in enumerate(c.items()) if not n < min_count]
    r.sort()
    return {t: i for i, t in enumerate(["<pad>", "<bos>", "<eos>", "<unk>"] + [t for _, _, t in r]) if i < max_size}

# %% build_vocabulary right · itertools, sorted in place
class _V(dict):
    pass


def build_vocabulary(sequences, max_size=None, min_count=1):
    import itertools

    c = Counter(itertools.chain(*sequences))
    c = {t: n for t, n in c.items() if n >= min_count}
    l = list(c)
    l.sort(key=c.__getitem__, reverse=True)
    return {t: torch.tensor(i).item() for i, t in enumerate((["<pad>", "<bos>", "<eos>", "<unk>"] + l)[:max_size])}

# %% build_vocabulary wrong [rare-above] · a loop that forgets to count the first time
def build_vocabulary(sequences, max_size=None, min_count=1):
    seen = {}
    for line in sequences:
        for word in line:
            if word in seen:
                seen[word] += 1
            else:
                seen[word] = 0
    order = sorted(seen, key=seen.get, reverse=True)
    table = {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3}
    for word in order:
        if seen[word] >= min_count and (max_size is None or len(table) < max_size):
            table[word] = len(table)
    return table

# %% build_vocabulary wrong · ids of rare ones stay free
def build_vocabulary(sequences, max_size=None, min_count=1):
    count = Counter()
    for line in sequences:
        count.update(line)
    table = {name: i for i, name in enumerate(["<pad>", "<bos>", "<eos>", "<unk>"])}
    first = {}
    for line in sequences:
        for word in line:
            first.setdefault(word, len(first) + 4)
    for word in sorted(count, key=lambda w: (-count[w], first[w])):
        if count[word] >= min_count:
            table[word] = first[word]
    if max_size is not None:
        table = dict(list(table.items())[:max_size])
    return table

# %% build_vocabulary wrong [end-from-one] · ids begin at 1
def build_vocabulary(sequences, max_size=None, min_count=1):
    words = [w for line in sequences for w in line]
    kept = [w for w in dict.fromkeys(words) if words.count(w) >= min_count]
    kept.sort(key=words.count, reverse=True)
    names = (["<pad>", "<bos>", "<eos>", "<unk>"] + kept)[:max_size]
    return {name: i for i, name in enumerate(names, start=1)}

# %% build_vocabulary wrong · the limit counts before the rare ones go
def build_vocabulary(sequences, max_size=None, min_count=1):
    ranking = Counter(w for line in sequences for w in line).most_common()
    if max_size is not None:
        ranking = sorted(ranking, key=lambda pair: pair[1])[: max(0, max_size - 4)]
        ranking.sort(key=lambda pair: -pair[1])
    names = ["<pad>", "<bos>", "<eos>", "<unk>"] + [w for w, c in ranking if c >= min_count]
    return dict(zip(names, range(len(names))))

# %% build_vocabulary wrong · a limit of 4 is taken for none
def build_vocabulary(sequences, max_size=None, min_count=1):
    count = Counter(w for line in sequences for w in line)
    words = [w for w, c in count.most_common(max_size - 4 if max_size and max_size > 4 else None) if c >= min_count]
    return {w: i for i, w in enumerate(["<pad>", "<bos>", "<eos>", "<unk>", *words])}

# %% build_vocabulary wrong · remembers what it counted before
def build_vocabulary(sequences, max_size=None, min_count=1, count=Counter()):
    for line in sequences:
        count.update(line)
    names = ["<pad>", "<bos>", "<eos>", "<unk>"] + [w for w, c in count.most_common() if c >= min_count]
    return {w: i for i, w in enumerate(names[:max_size])}

# %% build_vocabulary wrong [order-ties-by-alphabet] · ties by alphabet, in a heap
def build_vocabulary(sequences, max_size=None, min_count=1):
    import heapq

    count = Counter(w for line in sequences for w in line)
    heap = [(-c, w) for w, c in count.items() if c >= min_count]
    heapq.heapify(heap)
    table = dict(zip(["<pad>", "<bos>", "<eos>", "<unk>"], range(4)))
    while heap and (max_size is None or len(table) < max_size):
        table[heapq.heappop(heap)[1]] = len(table)
    return table

# %% build_vocabulary right · bucket by bucket
def build_vocabulary(sequences, max_size=None, min_count=1):
    count = {}
    for line in sequences:
        for word in line:
            count[word] = count.get(word, 0) + 1
    table = {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3}
    for times in range(max(count.values(), default=0), min_count - 1, -1):
        for word, c in count.items():
            if c == times and (max_size is None or len(table) < max_size):
                table[word] = len(table)
    return table

# %% collate wrong [length-common] · one width for both sides
def collate(pairs, pad_id=0):
    m = max(max(len(a), len(b)) for a, b in pairs)
    return torch.tensor([a + [pad_id] * (m - len(a)) for a, b in pairs]), torch.tensor(
        [b + [pad_id] * (m - len(b)) for a, b in pairs]
    )

# %% collate wrong [form-transposed] · time first
def collate(pairs, pad_id=0):
    s = [torch.tensor(a) for a, b in pairs]
    t = [torch.tensor(b) for a, b in pairs]
    p = torch.nn.utils.rnn.pad_sequence
    return p(s, padding_value=pad_id), p(t, padding_value=pad_id)

# %% collate wrong [pad-zero] · pad_id ignored
def collate(pairs, pad_id=0):
    s = [torch.tensor(a) for a, b in pairs]
    t = [torch.tensor(b) for a, b in pairs]
    p = torch.nn.utils.rnn.pad_sequence
    return p(s, batch_first=True), p(t, batch_first=True)

# %% collate wrong [row-begins-both] · a BOS in front
def collate(pairs, pad_id=0):
    s = [torch.tensor([1] + a) for a, b in pairs]
    t = [torch.tensor([1] + b) for a, b in pairs]
    p = torch.nn.utils.rnn.pad_sequence
    return p(s, batch_first=True, padding_value=pad_id), p(t, batch_first=True, padding_value=pad_id)

# %% collate wrong [row-ends-twice] · an EOS behind
def collate(pairs, pad_id=0):
    s = [torch.tensor(a + [2]) for a, b in pairs]
    t = [torch.tensor(b + [2]) for a, b in pairs]
    p = torch.nn.utils.rnn.pad_sequence
    return p(s, batch_first=True, padding_value=pad_id), p(t, batch_first=True, padding_value=pad_id)

# %% collate wrong [in-place] · changes the pairs
def collate(pairs, pad_id=0):
    ms = max(len(a) for a, b in pairs)
    mt = max(len(b) for a, b in pairs)
    for a, b in pairs:
        a.extend([pad_id] * (ms - len(a)))
        b.extend([pad_id] * (mt - len(b)))
    return torch.tensor([a for a, b in pairs]), torch.tensor([b for a, b in pairs])

# %% collate wrong [left] · padding in front
def collate(pairs, pad_id=0):
    ms = max(len(a) for a, b in pairs)
    mt = max(len(b) for a, b in pairs)
    return torch.tensor([[pad_id] * (ms - len(a)) + a for a, b in pairs]), torch.tensor(
        [[pad_id] * (mt - len(b)) + b for a, b in pairs]
    )

# %% collate wrong · floats, zeros as padding
def collate(pairs, pad_id=0):
    ms = max(len(a) for a, b in pairs)
    mt = max(len(b) for a, b in pairs)
    s = torch.zeros(len(pairs), ms)
    t = torch.zeros(len(pairs), mt)
    for i, (a, b) in enumerate(pairs):
        s[i, : len(a)] = torch.tensor(a)
        t[i, : len(b)] = torch.tensor(b)
    return s, t

# %% collate wrong [row-swapped] · target first
def collate(pairs, pad_id=0):
    ms = max(len(a) for a, b in pairs)
    mt = max(len(b) for a, b in pairs)
    s = torch.full((len(pairs), ms), pad_id)
    t = torch.full((len(pairs), mt), pad_id)
    for i, (a, b) in enumerate(pairs):
        s[i, : len(a)] = torch.tensor(a)
        t[i, : len(b)] = torch.tensor(b)
    return t, s

# %% collate wrong [row-sorted-by-target] · sorted by length
def collate(pairs, pad_id=0):
    pairs = sorted(pairs, key=lambda p: len(p[1]))
    p = torch.nn.utils.rnn.pad_sequence
    return p([torch.tensor(a) for a, b in pairs], batch_first=True, padding_value=pad_id), p(
        [torch.tensor(b) for a, b in pairs], batch_first=True, padding_value=pad_id
    )

# %% collate wrong [length-shortest] · cut to the shortest
def collate(pairs, pad_id=0):
    m = min(len(a) for a, b in pairs)
    n = min(len(b) for a, b in pairs)
    return torch.tensor([a[:m] for a, b in pairs]), torch.tensor([b[:n] for a, b in pairs])

# %% collate wrong [sides-stacked] · stacked into one tensor
def collate(pairs, pad_id=0):
    p = torch.nn.utils.rnn.pad_sequence
    return torch.stack(
        [p([torch.tensor(a) for a, b in pairs], True, pad_id), p([torch.tensor(b) for a, b in pairs], True, pad_id)]
    )

# %% collate wrong [row-no-end] · the last token is lost
def collate(pairs, pad_id=0):
    p = torch.nn.utils.rnn.pad_sequence
    return p([torch.tensor(a[:-1]) for a, b in pairs], True, pad_id), p(
        [torch.tensor(b[:-1]) for a, b in pairs], True, pad_id
    )

# %% collate wrong [length-one-more] · one column too many
def collate(pairs, pad_id=0):
    ms = max(len(a) for a, b in pairs) + 1
    mt = max(len(b) for a, b in pairs) + 1
    return torch.tensor([a + [pad_id] * (ms - len(a)) for a, b in pairs]), torch.tensor(
        [b + [pad_id] * (mt - len(b)) for a, b in pairs]
    )

# %% collate wrong [pad-end] · filled up with the last token
def collate(pairs, pad_id=0):
    ms = max(len(a) for a, b in pairs)
    mt = max(len(b) for a, b in pairs)
    return torch.tensor([a + [a[-1]] * (ms - len(a)) for a, b in pairs]), torch.tensor(
        [b + [b[-1]] * (mt - len(b)) for a, b in pairs]
    )

# %% collate right · two sides in a loop
def collate(pairs, pad_id=0):
    out = []
    for side in range(2):
        seqs = [list(p[side]) for p in pairs]
        m = max(map(len, seqs))
        for s in seqs:
            s.extend([pad_id] * (m - len(s)))
        out.append(torch.LongTensor(seqs))
    return tuple(out)

# %% collate right · entry by entry
def collate(batch, pad_id=0):
    src, tgt = zip(*batch)
    ls = max(len(x) for x in src)
    lt = max(len(x) for x in tgt)
    s = torch.empty(len(batch), ls, dtype=torch.int64).fill_(pad_id)
    t = s.new_full((len(batch), lt), pad_id)
    for i in range(len(batch)):
        for j, x in enumerate(src[i]):
            s[i, j] = x
        for j, x in enumerate(tgt[i]):
            t[i, j] = x
    return s, t

# %% collate right · F.pad and cat
def collate(pairs, pad_id=0):
    import torch.nn.functional as F

    def g(k):
        m = max(len(p[k]) for p in pairs)
        return torch.cat([F.pad(torch.tensor(p[k])[None], (0, m - len(p[k])), value=pad_id) for p in pairs])

    return g(0), g(1)

# %% collate right · nested tensors
def collate(pairs, pad_id=0):
    s = torch.nested.nested_tensor([torch.tensor(a) for a, _ in pairs]).to_padded_tensor(pad_id)
    t = torch.nested.nested_tensor([torch.tensor(b) for _, b in pairs]).to_padded_tensor(pad_id)
    return s, t

# %% collate right · int32
def collate(pairs, pad_id=0):
    src_len = max(len(s) for s, _ in pairs)
    tgt_len = max(len(t) for _, t in pairs)
    pad = lambda x, n: x + [pad_id] * (n - len(x))
    return torch.tensor([pad(s, src_len) for s, _ in pairs], dtype=torch.int32), torch.tensor(
        [pad(t, tgt_len) for _, t in pairs], dtype=torch.int32
    )

# %% collate wrong [left] · padding in front, by flipping
def collate(pairs, pad_id=0):
    def block(rows):
        flipped = [torch.tensor(row[::-1]) for row in rows]
        return nn.utils.rnn.pad_sequence(flipped, batch_first=True, padding_value=pad_id).flip(1)

    return block([s for s, _ in pairs]), block([t for _, t in pairs])

# %% collate wrong [length-first-pair] · the width of the first pair
def collate(pairs, pad_id=0):
    out = []
    for side in (0, 1):
        width = len(pairs[0][side])
        out.append(torch.tensor([(list(p[side]) + [pad_id] * width)[:width] for p in pairs]))
    return tuple(out)

# %% collate wrong · a fixed width of 32
def collate(pairs, pad_id=0):
    source = torch.full((len(pairs), 32), pad_id)
    target = torch.full((len(pairs), 32), pad_id)
    for i, (s, t) in enumerate(pairs):
        source[i, : len(s)] = torch.tensor(s)
        target[i, : len(t)] = torch.tensor(t)
    return source, target

# %% collate wrong [form-rows] · two lists of tensors
def collate(pairs, pad_id=0):
    widths = [max(len(p[k]) for p in pairs) for k in (0, 1)]
    return tuple([torch.tensor(p[k] + [pad_id] * (widths[k] - len(p[k]))) for p in pairs] for k in (0, 1))

# %% collate wrong [form-lists] · two lists of lists
def collate(pairs, pad_id=0):
    import itertools

    sides = []
    for side in zip(*pairs):
        columns = itertools.zip_longest(*side, fillvalue=pad_id)
        sides.append([list(row) for row in zip(*columns)])
    return sides[0], sides[1]

# %% collate wrong [length-source-for-both] · the width of the source for both
def collate(pairs, pad_id=0):
    width = max(len(s) for s, _ in pairs)
    pad = lambda row: (list(row) + width * [pad_id])[:width]
    return torch.tensor([pad(s) for s, _ in pairs]), torch.tensor([pad(t) for _, t in pairs])

# %% collate wrong · padding is −1
def collate(pairs, pad_id=-1):
    def fill(rows):
        block = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long) + pad_id
        for row, ids in zip(block, rows):
            row[: len(ids)] = torch.as_tensor(ids)
        return block

    return fill([s for s, _ in pairs]), fill([t for _, t in pairs])

# %% collate wrong · the mask comes as well
def collate(pairs, pad_id=0):
    blocks = [nn.utils.rnn.pad_sequence([torch.tensor(p[k]) for p in pairs], True, pad_id) for k in (0, 1)]
    return blocks[0], blocks[1], blocks[0] != pad_id

# %% collate right · zip_longest, turned
def collate(pairs, pad_id=0):
    import itertools

    return tuple(torch.tensor(list(itertools.zip_longest(*side, fillvalue=pad_id))).T for side in zip(*pairs))

# %% label_smoothed_loss wrong [label-evenly] · PyTorch's smoothing
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    return nn.functional.cross_entropy(logits.transpose(1, 2), targets, ignore_index=pad_id, label_smoothing=smoothing)

# %% label_smoothed_loss wrong [label-evenly+mean-all-counted] · padding counted
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    return nn.functional.cross_entropy(logits.transpose(1, 2), targets, label_smoothing=smoothing)

# %% label_smoothed_loss wrong [label-no-smoothing] · no smoothing
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    return nn.functional.cross_entropy(logits.transpose(1, 2), targets, ignore_index=pad_id)

# %% label_smoothed_loss wrong [label-no-smoothing+log-softmax-twice] · softmax inside cross entropy
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    return nn.functional.cross_entropy(logits.softmax(-1).transpose(1, 2), targets, ignore_index=pad_id)

# %% label_smoothed_loss wrong [label-padding-gets-mass] · shares over V minus 1, padding included
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    v = logits.shape[-1]
    lp = logits.log_softmax(-1)
    q = torch.full_like(lp, smoothing / (v - 1))
    q.scatter_(-1, targets[..., None], 1 - smoothing)
    l = -(q * lp).sum(-1)
    m = targets != pad_id
    return (l * m).sum() / m.sum()

# %% label_smoothed_loss wrong [mean-zeros-counted] · the mean over all places
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    v = logits.shape[-1]
    lp = logits.log_softmax(-1)
    q = torch.full_like(lp, smoothing / (v - 2))
    q.scatter_(-1, targets[..., None], 1 - smoothing)
    q[..., pad_id] = 0
    l = -(q * lp).sum(-1)
    m = targets != pad_id
    return (l * m).mean()

# %% label_smoothed_loss wrong [label-padding-gets-mass-too] · the padding id keeps its share
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    v = logits.shape[-1]
    lp = logits.log_softmax(-1)
    q = torch.full_like(lp, smoothing / (v - 2))
    q.scatter_(-1, targets[..., None], 1 - smoothing)
    l = -(q * lp).sum(-1)
    m = targets != pad_id
    return (l * m).sum() / m.sum()

# %% label_smoothed_loss wrong [padding-is-zero] · padding id always 0
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    v = logits.shape[-1]
    lp = logits.log_softmax(-1)
    q = torch.full_like(lp, smoothing / (v - 2))
    q.scatter_(-1, targets[..., None], 1 - smoothing)
    q[..., 0] = 0
    l = -(q * lp).sum(-1)
    m = targets != 0
    return (l * m).sum() / m.sum()

# %% label_smoothed_loss wrong [mean-of-sentences] · the mean of sentence means
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    v = logits.shape[-1]
    lp = logits.log_softmax(-1)
    q = torch.full_like(lp, smoothing / (v - 2))
    q.scatter_(-1, targets[..., None], 1 - smoothing)
    q[..., pad_id] = 0
    l = -(q * lp).sum(-1)
    m = targets != pad_id
    return ((l * m).sum(1) / m.sum(1)).mean()

# %% label_smoothed_loss wrong [mean-sum] · the sum
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    v = logits.shape[-1]
    lp = logits.log_softmax(-1)
    q = torch.full_like(lp, smoothing / (v - 2))
    q.scatter_(-1, targets[..., None], 1 - smoothing)
    q[..., pad_id] = 0
    m = targets != pad_id
    return -(q * lp)[m].sum()

# %% label_smoothed_loss wrong [sign] · the sign
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    v = logits.shape[-1]
    lp = logits.log_softmax(-1)
    q = torch.full_like(lp, smoothing / (v - 2))
    q.scatter_(-1, targets[..., None], 1 - smoothing)
    q[..., pad_id] = 0
    m = targets != pad_id
    return (q * lp)[m].sum() / m.sum()

# %% label_smoothed_loss wrong [label-evenly] · shares of V for all, the right one as well
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    v = logits.shape[-1]
    lp = logits.log_softmax(-1)
    q = torch.full_like(lp, smoothing / v)
    q.scatter_(-1, targets[..., None], 1 - smoothing + smoothing / v)
    m = targets != pad_id
    return -(q * lp)[m].sum() / m.sum()

# %% label_smoothed_loss wrong · divides by the number of places
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    v = logits.shape[-1]
    lp = logits.log_softmax(-1)
    q = torch.full_like(lp, smoothing / (v - 2))
    q.scatter_(-1, targets[..., None], 1 - smoothing)
    q[..., pad_id] = 0
    return -(q * lp).sum() / targets.numel()

# %% label_smoothed_loss wrong [log-over-places] · log-softmax over the places
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    v = logits.shape[-1]
    lp = logits.log_softmax(1)
    q = torch.full_like(lp, smoothing / (v - 2))
    q.scatter_(-1, targets[..., None], 1 - smoothing)
    q[..., pad_id] = 0
    m = targets != pad_id
    return -(q * lp)[m].sum() / m.sum()

# %% label_smoothed_loss wrong [label-padding-gets-mass] · V minus 1, by sums
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    lp = logits.log_softmax(-1)
    m = targets != pad_id
    nll = -lp.gather(-1, targets[..., None])[..., 0]
    smooth = -lp.sum(-1)
    e = smoothing / (logits.shape[-1] - 1)
    return ((1 - smoothing - e) * nll + e * smooth)[m].mean()

# %% label_smoothed_loss wrong [divergence] · a divergence instead of the cross entropy
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    v = logits.shape[-1]
    lp = logits.log_softmax(-1)
    q = torch.full_like(lp, smoothing / (v - 2))
    q.scatter_(-1, targets[..., None], 1 - smoothing)
    q[..., pad_id] = 0
    m = targets != pad_id
    return nn.functional.kl_div(lp[m], q[m], reduction="batchmean")

# %% label_smoothed_loss right · flat, nll and the others
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    v = logits.shape[-1]
    flat = logits.reshape(-1, v)
    t = targets.reshape(-1)
    keep = t.ne(pad_id)
    flat, t = flat[keep], t[keep]
    lp = torch.log_softmax(flat, 1)
    nll = nn.functional.nll_loss(lp, t)
    others = lp.sum(1) - lp[:, pad_id] - lp[torch.arange(len(t)), t]
    return (1 - smoothing) * nll - smoothing / (v - 2) * others.mean()

# %% label_smoothed_loss right · one-hot rows
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    v = logits.shape[-1]
    eye = torch.eye(v)[targets]
    other = torch.ones(v)
    other[pad_id] = 0
    q = (1 - smoothing) * eye + smoothing / (v - 2) * (other - eye)
    q = q * (targets != pad_id).unsqueeze(-1)
    return -(q * nn.functional.log_softmax(logits, dim=2)).sum() / (targets != pad_id).sum()

# %% label_smoothed_loss right · loops over places
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    z = logits - logits.max(-1, keepdim=True).values
    lp = z - z.exp().sum(-1, keepdim=True).log()
    n = 0
    total = torch.zeros(())
    for i in range(targets.shape[0]):
        for j in range(targets.shape[1]):
            y = int(targets[i, j])
            if y == pad_id:
                continue
            mask = torch.ones(logits.shape[-1], dtype=torch.bool)
            mask[y] = False
            mask[pad_id] = False
            total = total - (1 - smoothing) * lp[i, j, y] - smoothing * lp[i, j, mask].mean()
            n += 1
    return total / n

# %% label_smoothed_loss right · CrossEntropyLoss with distributions
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    v = logits.size(-1)
    x = logits.contiguous().view(-1, v)
    t = targets.contiguous().view(-1)
    d = torch.zeros_like(x).fill_(smoothing / (v - 2)).scatter(1, t.unsqueeze(1), 1 - smoothing)
    d = d.index_fill(1, torch.tensor([pad_id]), 0.0)
    d = d.masked_fill((t == pad_id).unsqueeze(1), 0.0)
    return nn.CrossEntropyLoss(reduction="sum")(x, d) / (t != pad_id).sum()

# %% label_smoothed_loss right · two means mixed
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    v = logits.size(-1)
    m = targets != pad_id
    a = nn.functional.cross_entropy(logits[m], targets[m])
    keep = torch.arange(v) != pad_id
    b = (logits[m].logsumexp(-1) - logits[m][:, keep].mean(-1)).mean()
    k = smoothing * (v - 1) / (v - 2)
    return (1 - k) * a + k * b

# %% label_smoothed_loss right · einsum in float64
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    logits = logits.to(torch.float64)
    v = logits.shape[2]
    w = torch.where(torch.arange(v) == targets[..., None], 1 - smoothing, smoothing / (v - 2))
    w = torch.where(torch.arange(v) == pad_id, 0.0, w).double()
    per = torch.einsum("bsv,bsv->bs", w, -logits.log_softmax(2))
    return torch.masked_select(per, targets.ne(pad_id)).mean().float()

# %% label_smoothed_loss wrong [padding-masked-in-logits] · padding logits cut off before the softmax
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    V = logits.shape[-1]
    words = [v for v in range(V) if v != pad_id]
    logp = logits[..., words].log_softmax(-1)
    where = torch.tensor([words.index(v) if v != pad_id else 0 for v in range(V)])[targets]
    right = logp.gather(-1, where.unsqueeze(-1)).squeeze(-1)
    rest = logp.sum(-1) - right
    real = targets.ne(pad_id)
    return -((1 - smoothing) * right + smoothing / (V - 2) * rest)[real].mean()

# %% label_smoothed_loss wrong [label-always-a-tenth] · smoothing always 0.1
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    real = targets != pad_id
    logp, y = logits[real].log_softmax(1), targets[real]
    total = 0.0
    for row, right in zip(logp, y.tolist()):
        others = [v for v in range(len(row)) if v not in (right, pad_id)]
        total = total - 0.9 * row[right] - 0.1 * row[others].mean()
    return total / len(y)

# %% label_smoothed_loss wrong [log-overflow] · exp without a shift
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    p = torch.exp(logits)
    logp = torch.log(p / p.sum(-1, keepdim=True))
    V, real = logits.shape[-1], targets != pad_id
    q = nn.functional.one_hot(targets, V) * (1 - smoothing - smoothing / (V - 2)) + smoothing / (V - 2)
    q[..., pad_id] = 0
    return -(q * logp).sum(-1)[real].mean()

# %% label_smoothed_loss wrong [kept-with-detach] · the loss of detached logits
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    V, real = logits.shape[-1], targets != pad_id
    logp = torch.tensor(logits.tolist()).log_softmax(-1)[real]
    right = logp[torch.arange(len(logp)), targets[real]]
    rest = logp.sum(1) - right - logp[:, pad_id]
    return -((1 - smoothing) * right + smoothing / (V - 2) * rest).mean()

# %% label_smoothed_loss wrong [label-right-among-them] · the right token gets a share of the rest too
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    V, real = logits.shape[-1], targets.flatten() != pad_id
    logp, y = logits.flatten(0, 1).log_softmax(-1)[real], targets.flatten()[real]
    nll = nn.functional.nll_loss(logp, y)
    words = torch.ones(V, dtype=torch.bool)
    words[pad_id] = False
    return (1 - smoothing) * nll - smoothing * logp[:, words].mean()

# %% label_smoothed_loss wrong [mean-each-token] · a loss for every place comes back
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    V = logits.shape[-1]
    q = torch.full(logits.shape, smoothing / (V - 2))
    for i in range(targets.shape[0]):
        for j in range(targets.shape[1]):
            q[i, j, targets[i, j]] = 1 - smoothing
    q[:, :, pad_id] = 0
    return -(q * torch.log_softmax(logits, 2)).sum(2) * (targets != pad_id)

# %% label_smoothed_loss wrong [kept-with-detach] · a Python number comes back
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    V, real = logits.shape[-1], targets != pad_id
    logp = (logits - torch.logsumexp(logits, -1, keepdim=True))[real]
    right = logp.gather(1, targets[real][:, None])[:, 0]
    rest = logp.sum(1) - right - logp[:, pad_id]
    return float((-(1 - smoothing) * right - smoothing / (V - 2) * rest).mean())

# %% label_smoothed_loss wrong [mean-over-batch] · divides by the number of sentences
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    V, real = logits.shape[-1], targets != pad_id
    logp = torch.log_softmax(logits, -1)
    right = logp.gather(2, targets[:, :, None]).squeeze(2)
    rest = logp.sum(2) - right - logp[:, :, pad_id]
    return -(((1 - smoothing) * right + smoothing / (V - 2) * rest) * real).sum() / len(targets)

# %% label_smoothed_loss right · one distribution per token, cross_entropy on rows
def label_smoothed_loss(logits, targets, pad_id=0, smoothing=0.1):
    V = logits.shape[-1]
    table = torch.full((V, V), smoothing / (V - 2)).fill_diagonal_(1 - smoothing)
    table[:, pad_id] = 0
    real = (targets != pad_id).nonzero(as_tuple=True)
    return nn.functional.cross_entropy(logits[real], table[targets[real]])

# %% warmup_schedule wrong [warmup-half] · warmup to the power −0.5
def warmup_schedule(step, d_model, warmup_steps):
    return d_model**-0.5 * min(step**-0.5, step * warmup_steps**-0.5)

# %% warmup_schedule wrong [max] · max for min
def warmup_schedule(step, d_model, warmup_steps):
    return d_model**-0.5 * max(step**-0.5, step * warmup_steps**-1.5)

# %% warmup_schedule wrong [times-root] · the width to the power 0.5
def warmup_schedule(step, d_model, warmup_steps):
    return d_model**0.5 * min(step**-0.5, step * warmup_steps**-1.5)

# %% warmup_schedule wrong [step-one-more] · one step too late
def warmup_schedule(step, d_model, warmup_steps):
    step += 1
    return d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)

# %% warmup_schedule wrong [step-from-zero] · one step too early
def warmup_schedule(step, d_model, warmup_steps):
    step -= 1
    return d_model**-0.5 * min((step or 1) ** -0.5, step * warmup_steps**-1.5)

# %% warmup_schedule wrong [peak-one] · 1 at the peak
def warmup_schedule(step, d_model, warmup_steps):
    return min(step / warmup_steps, (warmup_steps / step) ** 0.5)

# %% warmup_schedule wrong [only-falling] · no warmup
def warmup_schedule(step, d_model, warmup_steps):
    return d_model**-0.5 * step**-0.5

# %% warmup_schedule wrong [only-rising] · never falls
def warmup_schedule(step, d_model, warmup_steps):
    return d_model**-0.5 * step * warmup_steps**-1.5

# %% warmup_schedule wrong [constant-after] · stays at the peak
def warmup_schedule(step, d_model, warmup_steps):
    return (
        d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)
        if step <= warmup_steps
        else d_model**-0.5 * warmup_steps**-0.5
    )

# %% warmup_schedule wrong [minus-for-power] · minus for power
def warmup_schedule(step, d_model, warmup_steps):
    return d_model - 0.5 * min(step**-0.5, step * warmup_steps**-1.5)

# %% warmup_schedule wrong [falls-like-one-over] · falls with 1/step
def warmup_schedule(step, d_model, warmup_steps):
    return d_model**-0.5 * min(1 / step, step * warmup_steps**-1.5)

# %% warmup_schedule wrong [all-of-the-paper] · fixed numbers
def warmup_schedule(step, d_model, warmup_steps):
    return 512**-0.5 * min(step**-0.5, step * 4000**-1.5)

# %% warmup_schedule wrong [sum] · adds both
def warmup_schedule(step, d_model, warmup_steps):
    return d_model**-0.5 * (step**-0.5 + step * warmup_steps**-1.5)

# %% warmup_schedule wrong [none] · printed
def warmup_schedule(step, d_model, warmup_steps):
    print(d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5))

# %% warmup_schedule right · one root of everything
def warmup_schedule(step, d_model, warmup_steps):
    return (d_model * max(step, warmup_steps**3 / step**2)) ** -0.5

# %% warmup_schedule right · square roots
def warmup_schedule(step, d_model, warmup_steps):
    return 1 / math.sqrt(d_model) * min(1 / math.sqrt(step), step / warmup_steps**1.5)

# %% warmup_schedule right · tensors
def warmup_schedule(step, d_model, warmup_steps):
    return float(
        torch.tensor(float(d_model)).pow(-0.5)
        * torch.min(torch.tensor(step**-0.5), torch.tensor(step * warmup_steps**-1.5))
    )

# %% warmup_schedule right · two branches
def warmup_schedule(step, d_model, warmup_steps):
    if step <= warmup_steps:
        lr = step * warmup_steps**-1.5
    else:
        lr = pow(step, -0.5)
    return lr * pow(d_model, -0.5)

# %% warmup_schedule right · sorted
def warmup_schedule(step, d_model, warmup_steps):
    return sorted([step**-0.5 / d_model**0.5, step / (warmup_steps**1.5 * d_model**0.5)])[0]

# %% warmup_schedule wrong · two branches that do not meet
def warmup_schedule(step, d_model, warmup_steps):
    if step < warmup_steps:
        return step / warmup_steps / math.sqrt(d_model)
    return 1 / math.sqrt(d_model * step)

# %% warmup_schedule wrong [warmup-is-4000] · warmup in steps of the default 4000
def warmup_schedule(step, d_model, warmup_steps=4000):
    rising, falling = step / 4000**1.5, 1 / step**0.5
    return min(rising, falling) / d_model**0.5

# %% warmup_schedule wrong · counts the falling from the end of the warm-up
def warmup_schedule(step, d_model, warmup_steps):
    scale = 1 / math.sqrt(d_model)
    if step <= warmup_steps:
        return scale * step * warmup_steps**-1.5
    return scale * (step - warmup_steps) ** -0.5

# %% warmup_schedule wrong [root-of-both] · the root of the whole smaller line
def warmup_schedule(step, d_model, warmup_steps):
    return math.sqrt(min(1 / step, step / warmup_steps**1.5) / d_model)

# %% warmup_schedule wrong [whole-division] · whole-number division
def warmup_schedule(step, d_model, warmup_steps):
    return d_model**-0.5 * min(step**-0.5, step // warmup_steps**1.5)

# %% warmup_schedule wrong [d-not-root] · divides by d_model
def warmup_schedule(step, d_model, warmup_steps):
    lines = (math.pow(step, -0.5), step * math.pow(warmup_steps, -1.5))
    return min(lines) / d_model

# %% warmup_schedule right · a ratio to the peak
def warmup_schedule(step, d_model, warmup_steps):
    peak = (d_model * warmup_steps) ** -0.5
    share = step / warmup_steps
    return peak * (share if share < 1 else share**-0.5)

# %% train_step wrong [not-shifted] · target not shifted
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(s, t), t)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()

# %% train_step wrong [no-zero-grad] · gradients not cleared
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    loss = label_smoothed_loss(model(s, shift_right(t)), t)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()

# %% train_step wrong [no-clip] · clips after the step
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(s, shift_right(t)), t)
    loss.backward()
    optimizer.step()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    return loss.item()

# %% train_step wrong [eval-left-on] · does not set training mode
def train_step(model, batch, optimizer):
    s, t = batch
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(s, shift_right(t)), t)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()

# %% train_step wrong [clip-five] · clips at 5
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(s, shift_right(t)), t)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    return loss.item()

# %% train_step wrong [labels-cut] · target cut instead of shifted
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(s, t[:, :-1]), t[:, 1:])
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()

# %% train_step wrong [first-place-lost] · the first place is left out
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(s, shift_right(t))[:, 1:], t[:, 1:])
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()

# %% train_step wrong [returns-half] · half of the loss is returned
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(s, shift_right(t)), t)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item() / 2

# %% train_step wrong [not-smoothed] · cross entropy without smoothing
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(s, shift_right(t)).transpose(1, 2), t, ignore_index=0)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()

# %% train_step wrong [always-rescaled] · always scaled to norm 1
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(s, shift_right(t)), t)
    loss.backward()
    g = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters()))
    for p in model.parameters():
        p.grad /= g
    optimizer.step()
    return loss.item()

# %% train_step wrong [clip-each-weight] · clips each weight by itself
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(s, shift_right(t)), t)
    loss.backward()
    for p in model.parameters():
        nn.utils.clip_grad_norm_(p, 1.0)
    optimizer.step()
    return loss.item()

# %% train_step wrong [zero-grad-before-step] · no step
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(s, shift_right(t)), t)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    return loss.item()

# %% train_step wrong [zero-grad-before-step] · clears before the step
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    loss = label_smoothed_loss(model(s, shift_right(t)), t)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()

# %% train_step wrong [softmax-first] · softmax before the loss
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(torch.softmax(model(s, shift_right(t)), -1), t)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()

# %% train_step wrong [reversed] · source and target swapped
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(t, shift_right(s)), s)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()

# %% train_step wrong [returns-loss-and-model] · loss and model returned
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(s, shift_right(t)), t)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item(), model

# %% train_step wrong [begins-with-unknown] · begins with another id
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(s, shift_right(t, bos_id=3)), t)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()

# %% train_step wrong [smoothing-0.2] · another smoothing
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(s, shift_right(t)), t, smoothing=0.2)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()

# %% train_step right · gradients set to None by hand
def train_step(model, batch, optimizer):
    src, tgt = batch
    model.train()
    for p in model.parameters():
        p.grad = None
    decoder_input = torch.ones_like(tgt)
    decoder_input[:, 1:] = tgt[:, :-1]
    loss = label_smoothed_loss(model(src, decoder_input), tgt)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0, norm_type=2)
    optimizer.step()
    return float(loss.detach())

# %% train_step right · norm by hand
def train_step(model, batch, optimizer):
    model.train()
    optimizer.zero_grad()
    logits = model(*[batch[0], shift_right(batch[1], 1)])
    loss = label_smoothed_loss(logits, batch[1], pad_id=0, smoothing=0.1)
    value = loss.item()
    loss.backward()
    norm = torch.norm(torch.stack([p.grad.norm() for p in model.parameters()]))
    if norm > 1.0:
        with torch.no_grad():
            for p in model.parameters():
                p.grad *= 1.0 / norm
    optimizer.step()
    return value

# %% train_step right · autograd.grad
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    loss = label_smoothed_loss(model(s, shift_right(t)), t)
    gs = torch.autograd.grad(loss, list(model.parameters()))
    total = torch.sqrt(sum(g.pow(2).sum() for g in gs))
    c = min(1.0, 1.0 / (total.item() + 1e-12))
    for p, g in zip(model.parameters(), gs):
        p.grad = g * c
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()

# %% train_step right · by keyword, under enable_grad
def train_step(model, batch, optimizer):
    with torch.enable_grad():
        s, t = (x.clone() for x in batch)
        model.train()
        optimizer.zero_grad(set_to_none=True)
        loss = label_smoothed_loss(model(source=s, target=shift_right(t)), t)
        loss.backward()
    params = [p for p in model.parameters() if p.grad is not None]
    nn.utils.clip_grad_norm_(params, 1.0)
    optimizer.step()
    return loss.item()

# %% train_step right · a NumPy scalar comes back
def train_step(model, batch, optimizer):
    s, t = batch
    model.train()
    model.zero_grad()
    loss = label_smoothed_loss(model(s, shift_right(t)).float(), t.long())
    loss.backward()
    nn.utils.clip_grads_with_norm_(
        model.parameters(), 1.0, nn.utils.get_total_norm([p.grad for p in model.parameters()])
    ) if hasattr(nn.utils, "clip_grads_with_norm_") else nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return np_float(loss)


def np_float(x):
    return x.detach().numpy()

# %% train_step right · the graph of a multiple
def train_step(model, batch, optimizer):
    s, t = batch
    if not model.training:
        model.train()
    optimizer.zero_grad()
    out = model(s, shift_right(t))
    loss = label_smoothed_loss(out, t)
    (1.0 * loss).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1, error_if_nonfinite=True)
    optimizer.step()
    return loss.detach().cpu().item()

# %% train_step wrong [rolled] · shifts by rolling
def train_step(model, batch, optimizer):
    source, target = batch
    model.train()
    optimizer.zero_grad()
    logits = model(source, target.roll(1, dims=1))
    loss = label_smoothed_loss(logits, target)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
    optimizer.step()
    return loss.item()

# %% train_step wrong [returns-loss-after] · the loss after the update
def train_step(model, batch, optimizer):
    source, target = batch
    model.train()
    optimizer.zero_grad()
    read = shift_right(target)
    label_smoothed_loss(model(source, read), target).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    with torch.no_grad():
        return label_smoothed_loss(model(source, read), target).item()

# %% train_step wrong [clip-each-entry] · clips values, not the norm
def train_step(model, batch, optimizer):
    model.train()
    optimizer.zero_grad(set_to_none=True)
    source, target = batch
    loss = label_smoothed_loss(model(source, shift_right(target)), target)
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss)

# %% train_step wrong · the tensor comes back with its graph
def train_step(model, batch, optimizer):
    model.train()
    loss = label_smoothed_loss(model(batch[0], shift_right(batch[1])), batch[1])
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return [loss.item()]

# %% train_step wrong [clip-by-the-square] · scales by the squared norm
def train_step(model, batch, optimizer):
    src, tgt = batch
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(src, shift_right(tgt)), tgt)
    loss.backward()
    size = sum(float((w.grad**2).sum()) for w in model.parameters())
    if size > 1:
        for w in model.parameters():
            w.grad /= size
    optimizer.step()
    return loss.item()

# %% train_step wrong [by-hand-group-rate] · a step of its own instead of the optimizer's
def train_step(model, batch, optimizer):
    src, tgt = batch
    model.train()
    model.zero_grad()
    loss = label_smoothed_loss(model(src, shift_right(tgt)), tgt)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    with torch.no_grad():
        for w in model.parameters():
            w -= optimizer.param_groups[0]["lr"] * w.grad
    return loss.item()

# %% train_step wrong [eval-switched-on] · evaluation mode at the end, training mode never
def train_step(model, batch, optimizer):
    source, target = batch
    model.eval()
    optimizer.zero_grad()
    loss = label_smoothed_loss(model(source, shift_right(target)), target)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(list(model.parameters()), 1.0)
    optimizer.step()
    return loss.detach().item()

# %% train_step wrong [whole-step-twice] · two steps on one batch
def train_step(model, batch, optimizer):
    source, target = batch
    for _ in range(2):
        model.train()
        optimizer.zero_grad()
        loss = label_smoothed_loss(model(source, shift_right(target)), target)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return loss.item()

# %% train_step right · a closure for the optimizer
def train_step(model, batch, optimizer):
    source, target = batch
    model.train()
    seen = []

    def closure():
        optimizer.zero_grad()
        loss = label_smoothed_loss(model(source, shift_right(target)), target)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        seen.append(loss.item())
        return loss

    optimizer.step(closure)
    return seen[0]

# %% train wrong [steps-from-zero] · steps from 0
def train(model, batches, optimizer, schedule=None, watch=None):
    out = []
    for i, b in enumerate(batches):
        if schedule:
            for g in optimizer.param_groups:
                g["lr"] = schedule(i)
        out.append(train_step(model, b, optimizer))
        if watch:
            watch(i, out[-1])
    return out

# %% train wrong [schedule-ignored] · schedule ignored
def train(model, batches, optimizer, schedule=None, watch=None):
    out = []
    for i, b in enumerate(batches, 1):
        out.append(train_step(model, b, optimizer))
        if watch:
            watch(i, out[-1])
    return out

# %% train wrong [rate-after-step] · rate after the step
def train(model, batches, optimizer, schedule=None, watch=None):
    out = []
    for i, b in enumerate(batches, 1):
        out.append(train_step(model, b, optimizer))
        if schedule:
            for g in optimizer.param_groups:
                g["lr"] = schedule(i)
        if watch:
            watch(i, out[-1])
    return out

# %% train wrong [none] · nothing returned
def train(model, batches, optimizer, schedule=None, watch=None):
    for i, b in enumerate(batches, 1):
        if schedule:
            for g in optimizer.param_groups:
                g["lr"] = schedule(i)
        l = train_step(model, b, optimizer)
        if watch:
            watch(i, l)

# %% train wrong [watch-ignored] · watch is never called
def train(model, batches, optimizer, schedule=None, watch=None):
    out = []
    for i, b in enumerate(batches, 1):
        if schedule:
            for g in optimizer.param_groups:
                g["lr"] = schedule(i)
        out.append(train_step(model, b, optimizer))
    return out

# %% train wrong · returns in the loop
def train(model, batches, optimizer, schedule=None, watch=None):
    out = []
    for i, b in enumerate(batches, 1):
        if schedule:
            for g in optimizer.param_groups:
                g["lr"] = schedule(i)
        out.append(train_step(model, b, optimizer))
        if watch:
            watch(i, out[-1])
        return out

# %% train wrong · needs schedule and watch
def train(model, batches, optimizer, schedule=None, watch=None):
    out = []
    for i, b in enumerate(batches, 1):
        for g in optimizer.param_groups:
            g["lr"] = schedule(i)
        out.append(train_step(model, b, optimizer))
        watch(i, out[-1])
    return out

# %% train wrong [schedule-ignored] · sets a rate that nobody reads
def train(model, batches, optimizer, schedule=None, watch=None):
    out = []
    for i, b in enumerate(batches, 1):
        if schedule:
            optimizer.lr = schedule(i)
        out.append(train_step(model, b, optimizer))
        if watch:
            watch(i, out[-1])
    return out

# %% train wrong [length-needed] · needs a list
def train(model, batches, optimizer, schedule=None, watch=None):
    out = []
    for i in range(len(batches)):
        if schedule:
            for g in optimizer.param_groups:
                g["lr"] = schedule(i + 1)
        out.append(train_step(model, batches[i], optimizer))
        if watch:
            watch(i + 1, out[-1])
    return out

# %% train wrong [rate-multiplied] · multiplies the rate
def train(model, batches, optimizer, schedule=None, watch=None):
    out = []
    for i, b in enumerate(batches, 1):
        if schedule:
            for g in optimizer.param_groups:
                g["lr"] *= schedule(i)
        out.append(train_step(model, b, optimizer))
        if watch:
            watch(i, out[-1])
    return out

# %% train wrong [mean-loss] · returns the mean
def train(model, batches, optimizer, schedule=None, watch=None):
    total = 0
    n = 0
    for i, b in enumerate(batches, 1):
        if schedule:
            for g in optimizer.param_groups:
                g["lr"] = schedule(i)
        l = train_step(model, b, optimizer)
        total += l
        n += 1
        if watch:
            watch(i, l)
    return total / max(n, 1)

# %% train wrong [watch-swapped] · watch's arguments swapped
def train(model, batches, optimizer, schedule=None, watch=None):
    out = []
    for i, b in enumerate(batches, 1):
        if schedule:
            for g in optimizer.param_groups:
                g["lr"] = schedule(i)
        out.append(train_step(model, b, optimizer))
        if watch:
            watch(out[-1], i)
    return out

# %% train wrong · two rounds
def train(model, batches, optimizer, schedule=None, watch=None):
    out = []
    for epoch in range(2):
        for i, b in enumerate(batches, 1):
            if schedule:
                for g in optimizer.param_groups:
                    g["lr"] = schedule(i)
            out.append(train_step(model, b, optimizer))
            if watch:
                watch(i, out[-1])
    return out

# %% train wrong [watch-all-losses] · watch gets the whole list
def train(model, batches, optimizer, schedule=None, watch=None):
    out = []
    for i, b in enumerate(batches, 1):
        if schedule:
            for g in optimizer.param_groups:
                g["lr"] = schedule(i)
        out.append(train_step(model, b, optimizer))
        if watch:
            watch(i, out)
    return out

# %% train wrong [schedule-not-called] · the schedule itself as rate
def train(model, batches, optimizer, schedule=None, watch=None):
    out = []
    for i, b in enumerate(batches, 1):
        if schedule:
            for g in optimizer.param_groups:
                g["lr"] = schedule
        out.append(train_step(model, b, optimizer))
        if watch:
            watch(i, out[-1])
    return out

# %% train wrong [own-step-not-cleared] · no clearing, a loop of its own
def train(model, batches, optimizer, schedule=None, watch=None):
    out = []
    for i, b in enumerate(batches, 1):
        if schedule:
            for g in optimizer.param_groups:
                g["lr"] = schedule(i)
        model.train()
        s, t = b
        loss = label_smoothed_loss(model(s, shift_right(t)), t)
        loss.backward()
        optimizer.step()
        out.append(loss.item())
        if watch:
            watch(i, out[-1])
    return out

# %% train right · next and StopIteration
def train(model, batches, optimizer, schedule=None, watch=None):
    losses = []
    it = iter(batches)
    step = 1
    while True:
        try:
            b = next(it)
        except StopIteration:
            return losses
        if schedule is not None:
            [g.__setitem__("lr", schedule(step)) for g in optimizer.param_groups]
        losses.append(train_step(model, b, optimizer))
        if watch is not None:
            watch(step, losses[-1])
        step += 1

# %% train right · a generator inside
def train(model, batches, optimizer, schedule=None, watch=None):
    def run():
        for k, b in enumerate(batches):
            if callable(schedule):
                r = schedule(k + 1)
                for g in optimizer.param_groups:
                    g["lr"] = r
            l = train_step(model, b, optimizer)
            if callable(watch):
                watch(k + 1, l)
            yield l

    return list(run())

# %% train right · zip with count
def train(model, batches, optimizer, schedule=None, watch=None):
    import itertools

    L = []
    for n, b in zip(itertools.count(1), batches):
        lr = schedule(n) if schedule else None
        for g in optimizer.param_groups:
            if lr is not None:
                g["lr"] = lr
        L += [train_step(model, b, optimizer)]
        _ = watch and watch(n, L[-1])
    return L

# %% train right · the step written out
def train(model, batches, optimizer, schedule=None, watch=None):
    losses = []
    for step, (source, target) in enumerate(batches, 1):
        if schedule is not None:
            for group in optimizer.param_groups:
                group["lr"] = float(schedule(step))
        model.train()
        optimizer.zero_grad()
        loss = label_smoothed_loss(model(source, shift_right(target)), target)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if watch is not None:
            watch(step, loss.item())
    return losses

# %% train right · a dict of losses
def train(model, batches, optimizer, schedule=None, watch=None):
    losses = {}
    for step, batch in enumerate(batches, 1):
        if schedule is not None:
            for group in optimizer.param_groups:
                group.update({"lr": schedule(step)})
        losses[step] = train_step(model, batch, optimizer)
        if watch is not None:
            watch(step, losses[step])
    return list(losses.values())

# %% train wrong [rate-once] · one rate for the whole training
def train(model, batches, optimizer, schedule=None, watch=None):
    if schedule is not None:
        for group in optimizer.param_groups:
            group["lr"] = schedule(1)
    losses = []
    for batch in batches:
        losses.append(train_step(model, batch, optimizer))
        if watch is not None:
            watch(len(losses), losses[-1])
    return losses

# %% train wrong · tells everything at the end
def train(model, batches, optimizer, schedule=None, watch=None):
    losses, step = [], 0
    for batch in batches:
        step += 1
        if schedule:
            for group in optimizer.param_groups:
                group["lr"] = schedule(step)
        losses += [train_step(model, batch, optimizer)]
    if watch:
        watch(step, losses[-1])
    return losses

# %% train wrong [first-group-only] · only the first group gets the rate
def train(model, batches, optimizer, schedule=None, watch=None):
    losses = []
    for number, batch in enumerate(batches):
        if schedule is not None:
            optimizer.param_groups[0]["lr"] = schedule(number + 1)
        losses.append(train_step(model, batch, optimizer))
        if watch is not None:
            watch(number + 1, losses[number])
    return losses

# %% train wrong [running-mean-all-through] · the mean so far instead of the loss
def train(model, batches, optimizer, schedule=None, watch=None):
    total, means = 0.0, []
    for step, batch in enumerate(batches, 1):
        for group in optimizer.param_groups if schedule else []:
            group["lr"] = schedule(step)
        total += train_step(model, batch, optimizer)
        means.append(total / step)
        if watch:
            watch(step, means[-1])
    return means

# %% train wrong [last-batch-lost] · a loop that leaves out the last batch
def train(model, batches, optimizer, schedule=None, watch=None):
    losses, step = [], 1
    queue = list(batches)
    while step < len(queue):
        for group in optimizer.param_groups:
            if schedule is not None:
                group["lr"] = schedule(step)
        losses.append(train_step(model, queue[step - 1], optimizer))
        if watch is not None:
            watch(step, losses[-1])
        step += 1
    return losses

# %% train wrong · watches before it trains
def train(model, batches, optimizer, schedule=None, watch=None):
    losses = []
    for step, batch in enumerate(batches, start=1):
        if schedule is not None:
            for group in optimizer.param_groups:
                group["lr"] = schedule(step)
        if watch is not None:
            watch(step, losses[-1] if losses else 0.0)
        losses.append(train_step(model, batch, optimizer))
    return losses

# %% train wrong [rate-added] · adds the schedule to the rate
def train(model, batches, optimizer, schedule=None, watch=None):
    def one(step, batch):
        if schedule:
            for group in optimizer.param_groups:
                group["lr"] = group["lr"] + schedule(step)
        loss = train_step(model, batch, optimizer)
        if watch:
            watch(step, loss)
        return loss

    return [one(step, batch) for step, batch in enumerate(batches, 1)]

# %% train right · a comprehension over a helper
def train(model, batches, optimizer, schedule=None, watch=None):
    def one(step, batch):
        rate = None if schedule is None else schedule(step)
        for group in optimizer.param_groups:
            group["lr"] = group["lr"] if rate is None else rate
        loss = train_step(model, batch, optimizer)
        (watch or (lambda *_: None))(step, loss)
        return loss

    return [one(step, batch) for step, batch in enumerate(batches, 1)]
