# %% before
import math
from collections import Counter, defaultdict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PAD, BOS, EOS = 0, 1, 2


def length_penalty(length, alpha=0.6):
    return ((5 + length) / 6) ** alpha


def ngram_counts(tokens, n):
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))

# %% length_penalty wrong [only-six-raised] · the power belongs to the 6 only
def length_penalty(length, alpha=0.6):
    return (5+length)/6**alpha

# %% length_penalty wrong [one-power-more] · the exponent is one too large
def length_penalty(length, alpha=0.6):
    return ((5+length)/6)**(alpha+1)

# %% length_penalty wrong [over-length-and-six] · six and the length below
def length_penalty(length, alpha=0.6):
    return (length+5)/(length+6)**alpha

# %% length_penalty wrong [minus-five-signed] · five is subtracted
def length_penalty(length, alpha=0.6):
    return ((length-5)/6)**alpha

# %% length_penalty wrong [times-alpha] · times alpha
def length_penalty(length, alpha=0.6):
    return (5+length)*alpha/6

# %% length_penalty wrong [alpha-added] · plus alpha
def length_penalty(length, alpha=0.6):
    return (5+length)/6+alpha

# %% length_penalty wrong [times-length] · times the length
def length_penalty(length, alpha=0.6):
    return ((5+length)/6)**alpha*length

# %% length_penalty wrong [whole-alpha] · alpha cut to a whole number
def length_penalty(length, alpha=0.6):
    return ((5+length)/6)**int(alpha)

# %% length_penalty wrong [one-and-two] · one and two for five and six
def length_penalty(length, alpha=0.6):
    return ((1+length)/2)**alpha

# %% length_penalty wrong [five-times] · five times the length
def length_penalty(length, alpha=0.6):
    return ((5*length)/6)**alpha

# %% length_penalty right · a quotient of powers
def length_penalty(length, alpha=0.6):
    return ((5.0+length)**alpha)/((5+1)**alpha)

# %% length_penalty right · through logarithms
def length_penalty(length, alpha=0.6):
    return math.exp(alpha*math.log((5+length)/6))

# %% length_penalty right · a tensor on the way
def length_penalty(length, alpha=0.6):
    return float(torch.tensor((5+length)/6.0)**alpha)

# %% length_penalty right · two fractions
def length_penalty(length, alpha=0.6):
    return (5/6+length/6)**alpha

# %% length_penalty right · the growth from length 1
def length_penalty(length, alpha=0.6):
    return (1+(length-1)/6)**alpha

# %% length_penalty wrong [upside-down] · the sign of alpha
def length_penalty(length, alpha=0.6):
    base = (length + 5) / 6
    return base**-alpha

# %% length_penalty wrong [one-if-not-given] · another default
def length_penalty(length, alpha=1.0):
    return math.exp(alpha * math.log((length + 5) / 6))

# %% length_penalty wrong · no default
def length_penalty(length, alpha):
    return ((length + 5) / 6) ** alpha

# %% length_penalty wrong [power-of-the-sum-only] · one, not six, below
def length_penalty(length, alpha=0.6):
    return (5 + length) ** alpha / (5 + 1)

# %% beam_search wrong [no-penalty] · no length penalty anywhere
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search wrong [probabilities-added] · adds up probabilities
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search wrong [logits-added] · adds up raw logits
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = logits
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search wrong · the last log-probability only
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search wrong · finished ones stay and are extended
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if False:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search wrong · unfinished ones are thrown away
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        finished = finished or [([BOS], 0.0)]
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search wrong [last-cut] · the last token is cut off
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:-1])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search wrong [scores-are-sums] · scores are plain sums
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1] * length_penalty(len(best[0]) - 1, alpha))
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search wrong [stops-at-first-with-live] · stops when one is finished, live ones count
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if finished:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search wrong · takes the lowest score
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = min(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search wrong · multiplies finished ones by the penalty
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s * length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search wrong [smallest-of-the-best] · sorts the wrong way round
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1])
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search wrong [copies] · starts with copies of BOS
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)] * beam_size
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search wrong [all-in-lists] · lists instead of tensors
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return all_ids, all_scores

# %% beam_search wrong [mean-with-bos] · divides by the length with BOS
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / len(seq)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / len(seq)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search wrong [copies] · each hypothesis offers its best word only
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(1)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search right · lists, sentence by sentence
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search right · log-softmax by hand in float64
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = logits.double() - torch.logsumexp(logits.double(), -1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search right · calls the model as a whole
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model(src, torch.tensor([seq]))[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in beams:
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search right · unfinished ones only where nothing is finished
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    all_ids, all_scores = [], []
    for b in range(source.size(0)):
        src = source[b:b+1]
        enc = model.encode(src)
        beams = [([BOS], 0.0)]
        finished = []
        for t in range(max_len):
            cand = []
            for seq, s in beams:
                logits = model.decode(torch.tensor([seq]), enc, src)[0, -1]
                logp = F.log_softmax(logits, dim=-1)
                top = logp.topk(beam_size)
                for lp_, tok in zip(top.values.tolist(), top.indices.tolist()):
                    cand.append((seq + [tok], s + lp_))
            cand.sort(key=lambda c: c[1], reverse=True)
            beams = []
            for seq, s in cand[:beam_size]:
                if seq[-1] == EOS:
                    finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
                else:
                    beams.append((seq, s))
            if not beams:
                break
        for seq, s in (beams if not finished else []):
            finished.append((seq, s / length_penalty(len(seq) - 1, alpha)))
        best = max(finished, key=lambda f: f[1])
        all_ids.append(best[0][1:])
        all_scores.append(best[1])
    width = max(len(i) for i in all_ids)
    ids = torch.zeros(len(all_ids), width, dtype=torch.long)
    for i, row in enumerate(all_ids):
        ids[i, :len(row)] = torch.tensor(row)
    return ids, torch.tensor(all_scores)

# %% beam_search right · a grid in which finished ones go on with padding
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    n, k = source.size(0), beam_size
    enc = model.encode(source)
    enc = enc.repeat_interleave(k, 0)
    src = source.repeat_interleave(k, 0)
    seqs = torch.full((n * k, 1), BOS)
    scores = torch.full((n, k), float("-inf")); scores[:, 0] = 0
    done = torch.zeros(n, k, dtype=torch.bool)
    lens = torch.zeros(n, k)
    for t in range(max_len):
        lp = F.log_softmax(model.decode(seqs, enc, src)[:, -1], -1).view(n, k, -1)
        V = lp.size(-1)
        lp[done] = float("-inf")
        lp[..., PAD] = torch.where(done, torch.zeros(n, k), lp[..., PAD])
        total = scores.unsqueeze(-1) + lp
        scores, idx = total.view(n, -1).topk(k, -1)
        beam, tok = idx // V, idx % V
        done = done.gather(1, beam)
        lens = lens.gather(1, beam) + (~done).float()
        rows = (torch.arange(n).unsqueeze(1) * k + beam).view(-1)
        seqs = torch.cat([seqs[rows], tok.view(-1, 1)], 1)
        done = done | (tok == EOS)
        if done.all():
            break
    norm = scores / length_penalty(lens, alpha)
    best = norm.argmax(1)
    ids = seqs.view(n, k, -1)[torch.arange(n), best, 1:]
    return ids, norm.gather(1, best.unsqueeze(1)).squeeze(1)

# %% beam_search right · more padding than needed
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    n, k = source.size(0), beam_size
    enc = model.encode(source)
    enc = enc.repeat_interleave(k, 0)
    src = source.repeat_interleave(k, 0)
    seqs = torch.full((n * k, 1), BOS)
    scores = torch.full((n, k), float("-inf")); scores[:, 0] = 0
    done = torch.zeros(n, k, dtype=torch.bool)
    lens = torch.zeros(n, k)
    for t in range(max_len):
        lp = F.log_softmax(model.decode(seqs, enc, src)[:, -1], -1).view(n, k, -1)
        V = lp.size(-1)
        lp[done] = float("-inf")
        lp[..., PAD] = torch.where(done, torch.zeros(n, k), lp[..., PAD])
        total = scores.unsqueeze(-1) + lp
        scores, idx = total.view(n, -1).topk(k, -1)
        beam, tok = idx // V, idx % V
        done = done.gather(1, beam)
        lens = lens.gather(1, beam) + (~done).float()
        rows = (torch.arange(n).unsqueeze(1) * k + beam).view(-1)
        seqs = torch.cat([seqs[rows], tok.view(-1, 1)], 1)
        done = done | (tok == EOS)
        if done.all():
            break
    norm = scores / length_penalty(lens, alpha)
    best = norm.argmax(1)
    ids = seqs.view(n, k, -1)[torch.arange(n), best, 1:]
    return F.pad(ids, (0, 5)), norm.gather(1, best.unsqueeze(1)).squeeze(1)

# %% beam_search wrong [copies] · all sums start at 0
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total.zero_()
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong [grid-order-forgotten] · the book is not brought into the new order
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong [grid-marks] · the marks stay while the hypotheses move
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong [grid-lengths] · the lengths stay while the hypotheses move
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong [repeat-both] · memory and sources in another order
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack(list(model.encode(source)) * K)
    sources = torch.stack(list(source) * K)
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong [grid-row-and-word-swapped] · word by word instead of row by row
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = place % K
            token = torch.div(place, K, rounding_mode="trunc")
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong · hypotheses from the first sentence
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[0][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong [no-penalty] · no penalty at the end
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong [winner-by-sum] · argmax over the plain sums
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = total.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score[range(B), top.tolist()]

# %% beam_search wrong [grid-goes-on] · finished hypotheses are not frozen
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong [grid-stops-at-any] · stops when anything has ended
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.all():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong [grid-stops-at-first-place] · stops when the first rows have ended
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive[:, 0].any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong [grid-one-length] · number of steps as the length of all
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(step + 1, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong [alpha-ignored] · the strength is always the default
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong [starts-with-eos] · begins with EOS
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = EOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong [scores-are-sums] · gives the sum of the winner
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, total[range(B), top.tolist()]

# %% beam_search wrong [grid-all-scores] · gives every score
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score

# %% beam_search wrong · gives the whole book
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return book[:, :, 1:], score

# %% beam_search wrong [grid-padding-costs] · padding costs what the model says
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = gain[:, :, PAD]
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong · log-softmax over the rows
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], 0)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong · the second best of every step
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K + 1)
            value, place = value[1:], place[1:]
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search wrong · the penalty goes into the running sum
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        for h in new:
            h.total = h.score(alpha)
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.total)


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.total for h in best])

# %% beam_search wrong [finished-sum] · only unfinished ones are divided
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        if self.words[-1] == EOS:
            return self.total
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [eos-not-counted-where-finished] · the EOS of finished ones is not counted
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len([w for w in self.words if w != EOS]), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [goes-on-after-eos] · finished ones also stay in the beam
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = new
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [first-found] · returns at the first EOS
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        if done:
            return done[0]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [first-found] · stops once something has ended, the best of that
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and not done and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done or beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong · divided twice
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) / length_penalty(len(h.words), alpha) for h in best])

# %% beam_search wrong [each-for-itself] · all candidates of a hypothesis, each beam alone
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        V = logp.shape[1]
        groups = [sorted(new[i * V : i * V + V], key=lambda h: -h.total) for i in range(len(beam))]
        new = groups[0][:beam_size] if len(groups) == 1 and len(written[0]) == 1 else [g[0] for g in groups]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [probabilities-divided] · the probabilities' product as score
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return math.exp(self.total) / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong · the last log-probability only
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [bos-counted] · BOS is counted
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len([BOS, *self.words]), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong · unfinished ones are forgotten
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done or [Hypothesis([], 0.0)], key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [first-sentence-for-all] · memory of the first sentence for all
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[:1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [first-source-for-all] · source of the first sentence for all
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[:1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [one-step-too-few] · one step too few
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len - 1:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [one-step-too-many] · one word too many
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) <= max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong · every sentence is sampled
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        picks = torch.multinomial(torch.tensor([h.total for h in new]).softmax(0), min(beam_size, len(new)))
        new = [new[i] for i in picks.tolist()]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [one-less] · one place too few in the beam
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[: beam_size - 1 or 1]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [beam-size-ignored] · four places whatever beam_size is
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:4]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [ranked-by-last-word] · sorted by the last log-probability
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        last = dict(zip(map(id, new), logp.flatten().tolist()))
        new = sorted(new, key=lambda h: -last[id(h)])[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [alpha-one-if-not-given] · another default of alpha
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=1.0):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [scores-column] · the scores stand in a column
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([[h.score(alpha)] for h in best])

# %% beam_search wrong [eos-cut] · takes the EOS away
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor([w for w in h.words if w != EOS]) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [changes-source] · marks the source's ends on the way
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    source[source == EOS] = PAD
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong · EOS cannot come first
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        if not beam[0].words:
            new = [h for h in new if h.words != [EOS]]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong [nothing-returned] · returns nothing
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search wrong · remembers what it read before
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


READ = {}


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = READ.setdefault(len(source), model.encode(source))
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search right · a book of words, and marks of what is alive
@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    B, K = source.shape[0], beam_size
    memory = torch.stack([row for row in model.encode(source) for _ in range(K)])
    sources = torch.stack([row for row in source for _ in range(K)])
    book = torch.zeros(B, K, max_len + 1, dtype=torch.long)
    book[..., 0] = BOS
    total = torch.full((B, K), -1e9)
    total[:, 0] = 0.0
    alive = torch.ones(B, K, dtype=torch.bool)
    size = torch.zeros(B, K)
    for step in range(max_len):
        gain = F.log_softmax(model.decode(book[:, :, : step + 1].reshape(B * K, step + 1), memory, sources)[:, -1], -1)
        gain = gain.reshape(B, K, -1)
        stay = torch.full_like(gain, -1e9)
        stay[:, :, PAD] = 0
        gain = torch.where(alive[:, :, None], gain, stay)
        for b in range(B):
            value, place = (total[b][:, None] + gain[b]).reshape(-1).topk(K)
            origin = torch.div(place, gain.shape[-1], rounding_mode="trunc")
            token = place - origin * gain.shape[-1]
            book[b] = book[b][origin]
            alive[b] = alive[b][origin]
            size[b] = size[b][origin] + alive[b]
            book[b, :, step + 1] = token
            total[b] = value
            alive[b] &= token != EOS
        if not alive.any():
            break
    score = total / length_penalty(size, alpha)
    top = score.argmax(dim=1)
    ids = torch.stack([book[b, top[b], 1:] for b in range(B)])
    return ids, score.amax(dim=1)

# %% beam_search right · objects, sentence by sentence
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search right · stops where no live one can win
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
        if done and beam and max(h.score(alpha) for h in done) > beam[0].total / length_penalty(max_len, alpha):
            beam = []
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search right · ranked by the score of each step
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.score(alpha))[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return ids, torch.tensor([h.score(alpha) for h in best])

# %% beam_search right · ids as int32, a list of two
class Hypothesis:
    def __init__(self, words, total):
        self.words, self.total = words, total

    def score(self, alpha):
        return self.total / length_penalty(len(self.words), alpha)


def one_sentence(model, memory, row, beam_size, max_len, alpha):
    beam, done = [Hypothesis([], 0.0)], []
    while beam and len(beam[0].words) < max_len:
        written = torch.tensor([[BOS, *h.words] for h in beam])
        logits = model.decode(written, memory.expand(len(beam), -1, -1), row.expand(len(beam), -1))
        logp = logits[:, -1].log_softmax(dim=1)
        new = [Hypothesis([*h.words, t], h.total + p) for h, ps in zip(beam, logp.tolist()) for t, p in enumerate(ps)]
        new = sorted(new, key=lambda h: -h.total)[:beam_size]
        done += [h for h in new if h.words[-1] == EOS]
        beam = [h for h in new if h.words[-1] != EOS]
    return max(done + beam, key=lambda h: h.score(alpha))


@torch.no_grad()
def beam_search(model, source, beam_size=4, max_len=64, alpha=0.6):
    memory = model.encode(source)
    best = [one_sentence(model, memory[i : i + 1], source[i : i + 1], beam_size, max_len, alpha) for i in range(len(source))]
    ids = nn.utils.rnn.pad_sequence([torch.tensor(h.words) for h in best], batch_first=True, padding_value=PAD)
    return [ids.int(), torch.tensor([h.score(alpha) for h in best], dtype=torch.float64)]

# %% ngram_counts wrong [always-two] · pairs whatever n is
def ngram_counts(tokens, n):
    return Counter(zip(tokens, tokens[1:]))

# %% ngram_counts wrong [range-n] · n windows instead of all
def ngram_counts(tokens, n):
    return Counter(tuple(tokens[i:i+n]) for i in range(n))

# %% ngram_counts wrong [last-lost] · the last window is missing
def ngram_counts(tokens, n):
    return Counter(tuple(tokens[i-n:i]) for i in range(n, len(tokens)))

# %% ngram_counts wrong [one-more] · the first time counts twice
def ngram_counts(tokens, n):
    c={}
    for i in range(len(tokens)-n+1):
        c[tuple(tokens[i:i+n])]=c.get(tuple(tokens[i:i+n]),1)+1
    return c

# %% ngram_counts wrong [one-less] · the first time counts nothing
def ngram_counts(tokens, n):
    c={}
    for i in range(len(tokens)-n+1):
        g=tuple(tokens[i:i+n])
        if g not in c: c[g]=0
        else: c[g]+=1
    return c

# %% ngram_counts wrong [underscores] · keys are texts
def ngram_counts(tokens, n):
    return Counter('_'.join(map(str,tokens[i:i+n])) for i in range(len(tokens)-n+1))

# %% ngram_counts wrong · keys are sets
def ngram_counts(tokens, n):
    return Counter(frozenset(tokens[i:i+n]) for i in range(len(tokens)-n+1))

# %% ngram_counts wrong [every-second] · every second window
def ngram_counts(tokens, n):
    return Counter(tuple(tokens[i:i+n]) for i in range(0,len(tokens)-n+1,2))

# %% ngram_counts wrong · letters of each token
def ngram_counts(tokens, n):
    return dict(Counter(tuple(t) for t in tokens))

# %% ngram_counts wrong [all-lengths] · pieces of all lengths
def ngram_counts(tokens, n):
    c=Counter()
    for i in range(len(tokens)):
        for j in range(i+1,len(tokens)+1):
            c[tuple(tokens[i:j])]+=1
    return c

# %% ngram_counts wrong [counted-in-tokens] · counts tokens, not windows
def ngram_counts(tokens, n):
    s=set(tuple(tokens[i:i+n]) for i in range(len(tokens)-n+1))
    return {g:tokens.count(g) for g in s}

# %% ngram_counts wrong · raises for a short sentence
def ngram_counts(tokens, n):
    if len(tokens)<n: raise ValueError('short')
    return Counter(tuple(tokens[i:i+n]) for i in range(len(tokens)-n+1))

# %% ngram_counts wrong [same-token-n-times] · one token n times
def ngram_counts(tokens, n):
    return Counter(zip(*[tokens]*n))

# %% ngram_counts wrong [lower-case-texts] · words in lower case, ids as texts
def ngram_counts(tokens, n):
    return Counter(tuple(map(str.lower, map(str,tokens[i:i+n]))) for i in range(len(tokens)-n+1))

# %% ngram_counts wrong [sorted-list] · a list of pairs
def ngram_counts(tokens, n):
    return sorted(Counter(tuple(tokens[i:i+n]) for i in range(len(tokens)-n+1)).items())

# %% ngram_counts right · shifted lists zipped
def ngram_counts(tokens, n):
    return Counter(zip(*(tokens[i:] for i in range(n))))

# %% ngram_counts right · a defaultdict
def ngram_counts(tokens, n):
    d=defaultdict(int)
    for i in range(len(tokens)-n+1):
        d[tuple(tokens[i:i+n])]+=1
    return dict(d)

# %% ngram_counts right · list.count, in another order
def ngram_counts(tokens, n):
    g=[tuple(tokens[i:i+n]) for i in range(len(tokens)-(n-1))]
    return {x:g.count(x) for x in sorted(g,key=str,reverse=True)}

# %% ngram_counts right · a while loop
def ngram_counts(tokens, n):
    c={}
    i=0
    while i+n<=len(tokens):
        k=tuple(tokens[i:i+n]); c[k]=c.setdefault(k,0)+1; i+=1
    return c

# %% ngram_counts right · islice
def ngram_counts(tokens, n):
    from itertools import islice
    return Counter(zip(*[islice(tokens,k,None) for k in range(n)]))

# %% ngram_counts wrong [skips] · windows that do not overlap
def ngram_counts(tokens, n):
    pieces = iter(tokens)
    return dict(Counter(zip(*[pieces] * n)))

# %% ngram_counts wrong [list-texts] · keys are lists made into texts
def ngram_counts(tokens, n):
    found = {}
    for i, _ in enumerate(tokens):
        if i + n <= len(tokens):
            key = repr(tokens[i : i + n])
            found[key] = found[key] + 1 if key in found else 1
    return found

# %% ngram_counts wrong · remembers what it counted before
def ngram_counts(tokens, n, seen=Counter()):
    seen.update(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
    return seen

# %% ngram_counts wrong [plain-keys] · a tuple only where n is more than 1
def ngram_counts(tokens, n):
    if n == 1:
        return Counter(tokens)
    return Counter(zip(*[tokens[k:] for k in range(n)]))

# %% corpus_bleu wrong [brevity-on-the-wrong-side] · the penalty's condition turned round
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c<r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu wrong [brevity-for-longer] · c over r in the exponent
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-c/r)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu wrong [brevity-is-ratio] · the ratio itself as penalty
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else c/r
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu wrong [no-brevity-penalty] · no brevity penalty
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu wrong [zero-to-one] · between 0 and 1
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu wrong [no-root] · no fourth root
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den)))

# %% corpus_bleu wrong [root-three] · the third root
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/3)

# %% corpus_bleu wrong [up-to-three-of-four] · pieces up to three
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(3):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num[:3] or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num[:3],den[:3]))/4)

# %% corpus_bleu wrong [not-clipped] · no clipping
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=a[g]*(g in b)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu wrong [by-tokens] · divides by the hypothesis length
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=len(h)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu wrong [recall] · divides by the reference's pieces
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(ref)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu wrong [different-ones-below] · divides by the number of different pieces
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=len(a)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu wrong · at least one match
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    num=[max(x,1) for x in num]; den=[max(x,1) for x in den]; c=max(c,1)
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu wrong · adds one everywhere
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    num=[x+1 for x in num]; den=[x+1 for x in den]; c=max(c,1)
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu wrong [base-two] · base 2 inside exp
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log2(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu wrong [arithmetic-mean] · arithmetic mean
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*(sum(x/y for x,y in zip(num,den))/4)

# %% corpus_bleu wrong [last-lengths] · lengths of the last sentence
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c=len(h); r=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu wrong [different-words-as-length] · lengths in different words
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(set(h)); r+=len(set(ref))
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu wrong [mean-of-sentences] · mean of sentence scores
def _one(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)
def corpus_bleu(hypotheses, references):
    return sum(_one([h],[r]) for h,r in zip(hypotheses,references))/len(hypotheses)

# %% corpus_bleu wrong [one-text] · all sentences joined
def _one(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)
def corpus_bleu(hypotheses, references):
    return _one([sum(hypotheses,[])],[sum(references,[])])

# %% corpus_bleu wrong [swapped] · hypotheses and references swapped
def _one(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)
def corpus_bleu(hypotheses, references):
    return _one(references,hypotheses)

# %% corpus_bleu right · the penalty through min in the exponent
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=math.exp(min(0,1-r/c))
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu right · a product and a power
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.prod(x/y for x,y in zip(num,den))**.25

# %% corpus_bleu right · Counters intersected
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            num[n]+=sum((Counter(a)&Counter(b)).values())
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*math.exp(sum(math.log(x/y) for x,y in zip(num,den))/4)

# %% corpus_bleu right · all four written out
def corpus_bleu(hypotheses, references):
    num=[0]*4; den=[0]*4; c=r=0
    for h,ref in zip(hypotheses, references):
        c+=len(h); r+=len(ref)
        for n in range(4):
            a=ngram_counts(h,n+1); b=ngram_counts(ref,n+1)
            for g in a: num[n]+=min(a[g], b[g] if g in b else 0)
            den[n]+=max(len(h)-n,0)
    if 0 in num or c==0: return 0.0
    bp=1 if c>r else math.exp(1-r/c)
    return 100*bp*(num[0]/den[0]*num[1]/den[1]*num[2]/den[2]*num[3]/den[3])**(1/4)

# %% corpus_bleu right · precision by precision, all inside one exp
def precision(hypotheses, references, n):
    common = everything = 0
    for mine, theirs in zip(hypotheses, references):
        have, need = ngram_counts(mine, n), Counter(ngram_counts(theirs, n))
        common += (Counter(have) & need).total()
        everything += Counter(have).total()
    return common / everything if everything else 0.0


def corpus_bleu(hypotheses, references):
    logs = 0.0
    for n in (1, 2, 3, 4):
        p = precision(hypotheses, references, n)
        if p == 0:
            return 0.0
        logs += 0.25 * math.log(p)
    short = len([t for r in references for t in r]) / len([t for h in hypotheses for t in h])
    return 100 * math.exp(logs + min(0.0, 1 - short))

# %% corpus_bleu right · minus infinity instead of a guard
def precision(hypotheses, references, n):
    common = everything = 0
    for mine, theirs in zip(hypotheses, references):
        have, need = ngram_counts(mine, n), Counter(ngram_counts(theirs, n))
        common += (Counter(have) & need).total()
        everything += Counter(have).total()
    return common / everything if everything else 0.0


def corpus_bleu(hypotheses, references):
    logs = 0.0
    for n in (1, 2, 3, 4):
        p = precision(hypotheses, references, n)
        logs += 0.25 * (math.log(p) if p else -math.inf)
    if logs == -math.inf:
        return 0
    short = len([t for r in references for t in r]) / len([t for h in hypotheses for t in h])
    return 100 * math.exp(logs + min(0.0, 1 - short))

# %% corpus_bleu wrong [union] · the union instead of the common part
def precision(hypotheses, references, n):
    common = everything = 0
    for mine, theirs in zip(hypotheses, references):
        have, need = ngram_counts(mine, n), Counter(ngram_counts(theirs, n))
        common += (Counter(have) | need).total()
        everything += Counter(have).total()
    return common / everything if everything else 0.0


def corpus_bleu(hypotheses, references):
    logs = 0.0
    for n in (1, 2, 3, 4):
        p = precision(hypotheses, references, n)
        if p == 0:
            return 0.0
        logs += 0.25 * math.log(p)
    short = len([t for r in references for t in r]) / len([t for h in hypotheses for t in h])
    return 100 * math.exp(logs + min(0.0, 1 - short))

# %% corpus_bleu wrong [counted-once] · which pieces are common, not how often
def precision(hypotheses, references, n):
    common = everything = 0
    for mine, theirs in zip(hypotheses, references):
        have, need = ngram_counts(mine, n), Counter(ngram_counts(theirs, n))
        common += len(set(have) & set(need))
        everything += Counter(have).total()
    return common / everything if everything else 0.0


def corpus_bleu(hypotheses, references):
    logs = 0.0
    for n in (1, 2, 3, 4):
        p = precision(hypotheses, references, n)
        if p == 0:
            return 0.0
        logs += 0.25 * math.log(p)
    short = len([t for r in references for t in r]) / len([t for h in hypotheses for t in h])
    return 100 * math.exp(logs + min(0.0, 1 - short))

# %% corpus_bleu wrong [mean-of-precisions] · the mean of the sentences' precisions
def precision(hypotheses, references, n):
    shares = []
    for mine, theirs in zip(hypotheses, references):
        have, need = ngram_counts(mine, n), Counter(ngram_counts(theirs, n))
        total = Counter(have).total()
        shares.append((Counter(have) & need).total() / total if total else 0.0)
    return sum(shares) / len(shares) if shares else 0.0


def corpus_bleu(hypotheses, references):
    logs = 0.0
    for n in (1, 2, 3, 4):
        p = precision(hypotheses, references, n)
        if p == 0:
            return 0.0
        logs += 0.25 * math.log(p)
    short = len([t for r in references for t in r]) / len([t for h in hypotheses for t in h])
    return 100 * math.exp(logs + min(0.0, 1 - short))

# %% corpus_bleu wrong · long pieces weigh less
def precision(hypotheses, references, n):
    common = everything = 0
    for mine, theirs in zip(hypotheses, references):
        have, need = ngram_counts(mine, n), Counter(ngram_counts(theirs, n))
        common += (Counter(have) & need).total()
        everything += Counter(have).total()
    return common / everything if everything else 0.0


def corpus_bleu(hypotheses, references):
    logs = 0.0
    for n in (1, 2, 3, 4):
        p = precision(hypotheses, references, n)
        if p == 0:
            return 0.0
        logs += (5 - n) / 10 * math.log(p)
    short = len([t for r in references for t in r]) / len([t for h in hypotheses for t in h])
    return 100 * math.exp(logs + min(0.0, 1 - short))

# %% corpus_bleu wrong · leaves zero precisions out
def precision(hypotheses, references, n):
    common = everything = 0
    for mine, theirs in zip(hypotheses, references):
        have, need = ngram_counts(mine, n), Counter(ngram_counts(theirs, n))
        common += (Counter(have) & need).total()
        everything += Counter(have).total()
    return common / everything if everything else 0.0


def corpus_bleu(hypotheses, references):
    logs = 0.0
    for n in (1, 2, 3, 4):
        p = precision(hypotheses, references, n)
        if p == 0:
            continue
        logs += 0.25 * math.log(p)
    short = len([t for r in references for t in r]) / max(1, len([t for h in hypotheses for t in h]))
    return 100 * math.exp(logs + min(0.0, 1 - short))

# %% corpus_bleu wrong [no-brevity-penalty] · the penalty with the number of sentences
def precision(hypotheses, references, n):
    common = everything = 0
    for mine, theirs in zip(hypotheses, references):
        have, need = ngram_counts(mine, n), Counter(ngram_counts(theirs, n))
        common += (Counter(have) & need).total()
        everything += Counter(have).total()
    return common / everything if everything else 0.0


def corpus_bleu(hypotheses, references):
    logs = 0.0
    for n in (1, 2, 3, 4):
        p = precision(hypotheses, references, n)
        if p == 0:
            return 0.0
        logs += 0.25 * math.log(p)
    short = len(references) / len(hypotheses) if hypotheses else 1
    return 100 * math.exp(logs + min(0.0, 1 - short))

# %% corpus_bleu wrong [brevity-in-each-precision] · the penalty is a factor of every precision
def precision(hypotheses, references, n):
    common = everything = 0
    for mine, theirs in zip(hypotheses, references):
        have, need = ngram_counts(mine, n), Counter(ngram_counts(theirs, n))
        common += (Counter(have) & need).total()
        everything += Counter(have).total()
    return common / everything if everything else 0.0


def corpus_bleu(hypotheses, references):
    logs = 0.0
    for n in (1, 2, 3, 4):
        p = precision(hypotheses, references, n)
        if p == 0:
            return 0.0
        logs += 0.25 * math.log(p) + min(0.0, 1 - sum(map(len, references)) / sum(map(len, hypotheses)))
    short = len([t for r in references for t in r]) / len([t for h in hypotheses for t in h])
    return 100 * math.exp(logs)

# %% corpus_bleu wrong [any-reference] · every reference serves every hypothesis
def precision(hypotheses, references, n):
    common = everything = 0
    for mine, theirs in zip(hypotheses, references):
        have, need = ngram_counts(mine, n), sum((Counter(ngram_counts(r, n)) for r in references), Counter())
        common += (Counter(have) & need).total()
        everything += Counter(have).total()
    return common / everything if everything else 0.0


def corpus_bleu(hypotheses, references):
    logs = 0.0
    for n in (1, 2, 3, 4):
        p = precision(hypotheses, references, n)
        if p == 0:
            return 0.0
        logs += 0.25 * math.log(p)
    short = len([t for r in references for t in r]) / len([t for h in hypotheses for t in h])
    return 100 * math.exp(logs + min(0.0, 1 - short))

# %% corpus_bleu wrong [matching-sentences-only] · sentences without a match are not counted
def precision(hypotheses, references, n):
    common = everything = 0
    for mine, theirs in zip(hypotheses, references):
        have, need = ngram_counts(mine, n), Counter(ngram_counts(theirs, n))
        common += (Counter(have) & need).total()
        everything += Counter(have).total() if set(have) & set(need) else 0
    return common / everything if everything else 0.0


def corpus_bleu(hypotheses, references):
    logs = 0.0
    for n in (1, 2, 3, 4):
        p = precision(hypotheses, references, n)
        if p == 0:
            return 0.0
        logs += 0.25 * math.log(p)
    short = len([t for r in references for t in r]) / len([t for h in hypotheses for t in h])
    return 100 * math.exp(logs + min(0.0, 1 - short))

# %% corpus_bleu wrong [two-to-five] · counts from one, pieces of two to five
def precision(hypotheses, references, n):
    common = everything = 0
    for mine, theirs in zip(hypotheses, references):
        have, need = ngram_counts(mine, n), Counter(ngram_counts(theirs, n))
        common += (Counter(have) & need).total()
        everything += Counter(have).total()
    return common / everything if everything else 0.0


def corpus_bleu(hypotheses, references):
    logs = 0.0
    for n in (2, 3, 4, 5):
        p = precision(hypotheses, references, n)
        if p == 0:
            return 0.0
        logs += 0.25 * math.log(p)
    short = len([t for r in references for t in r]) / len([t for h in hypotheses for t in h])
    return 100 * math.exp(logs + min(0.0, 1 - short))
