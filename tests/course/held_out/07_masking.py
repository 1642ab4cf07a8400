"""Held-out pieces of unit 07; see __init__.py."""

# %% before
import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


# %% causal_mask wrong [strict] · places compared with <
def causal_mask(seq, device=None):
    t = torch.arange(seq, device=device)
    return t.unsqueeze(0) < t.unsqueeze(1)


# %% causal_mask wrong [one-future] · a loop that goes one too far
def causal_mask(seq, device=None):
    mask = torch.zeros(seq, seq, device=device).bool()
    for i in range(seq):
        for j in range(min(i + 2, seq)):
            mask[i, j] = True
    return mask


# %% causal_mask wrong [inverted] · True where it is hidden, as in nn.MultiheadAttention
def causal_mask(seq, device=None):
    return torch.full((seq, seq), True, device=device).triu(diagonal=1)


# %% causal_mask wrong [upper] · rows and columns exchanged
def causal_mask(seq, device=None):
    row = torch.arange(seq, device=device).expand(seq, seq)
    return row.T <= row


# %% causal_mask wrong [numbers] · a triangle of ones
def causal_mask(seq, device=None):
    return torch.tril(torch.ones((seq, seq), device=device))


# %% causal_mask wrong [additive] · the library's float mask
def causal_mask(seq, device=None):
    return torch.nn.Transformer.generate_square_subsequent_mask(seq, device=device)


# %% causal_mask wrong [ignores-device] · a comparison on the default device
def causal_mask(seq, device=None):
    places = torch.arange(seq)
    return ~(places > places[:, None])


# %% causal_mask wrong [ignores-device] · a .cuda() where there is a GPU, the default elsewhere
def causal_mask(seq, device=None):
    mask = torch.ones(seq, seq).tril().bool()
    return mask.cuda() if torch.cuda.is_available() else mask.cpu()


# %% causal_mask right · lower triangle of what is not above
def causal_mask(seq, device=None):
    return torch.ones(seq, seq, device=device).triu(1) == 0


# %% causal_mask right · sums of a diagonal
def causal_mask(seq, device=None):
    return torch.eye(seq, device=device).cumsum(0).to(torch.bool)


# %% causal_mask right · a list of rows, moved at the end
def causal_mask(seq, device=None):
    rows = [[True] * (i + 1) + [False] * (seq - i - 1) for i in range(seq)]
    return torch.tensor(rows, dtype=torch.bool, device=device)


# %% causal_mask right · logical operators
def causal_mask(seq, device=None):
    t = torch.arange(seq, device=device)
    return torch.logical_not(torch.gt(t[None, :], t[:, None]))


# %% padding_mask wrong [inverted] · where it is padding
def padding_mask(ids, pad_id=0):
    return torch.eq(ids, pad_id).view(ids.shape[0], 1, 1, -1)


# %% padding_mask wrong [ignores-pad-id] · bool() of the ids
def padding_mask(ids, pad_id=0):
    return ids.bool().unsqueeze(1).unsqueeze(1)


# %% padding_mask wrong [on-queries] · the sequence on the third axis
def padding_mask(ids, pad_id=0):
    return torch.ne(ids, pad_id)[:, None, :, None]


# %% padding_mask wrong [three-axes] · one axis too few
def padding_mask(ids, pad_id=0):
    batch, seq = ids.shape
    return (ids != pad_id).reshape(batch, 1, seq)


# %% padding_mask wrong [by-length] · counts the real tokens
def padding_mask(ids, pad_id=0):
    lengths = torch.tensor([sum(1 for token in sentence if token != pad_id) for sentence in ids.tolist()])
    return (torch.arange(ids.shape[1]) < lengths[:, None])[:, None, None]


# %% padding_mask wrong [numbers] · ones and zeros
def padding_mask(ids, pad_id=0):
    return torch.where(ids == pad_id, 0, 1)[:, None, None, :]


# %% padding_mask wrong [from-first] · everything up to the first padding
def padding_mask(ids, pad_id=0):
    mask = torch.zeros_like(ids, dtype=torch.bool)
    for b, sentence in enumerate(ids):
        for t, token in enumerate(sentence):
            if token == pad_id:
                break
            mask[b, t] = True
    return mask[:, None, None]


# %% padding_mask right · a loop over the ids
def padding_mask(ids, pad_id=0):
    rows = [[[[int(token) != pad_id for token in sentence]]] for sentence in ids]
    return torch.tensor(rows, device=ids.device)


# %% padding_mask right · subtract and ask for not zero
def padding_mask(ids, pad_id=0):
    return (ids - pad_id).bool().unflatten(0, (-1, 1, 1))


# %% padding_mask right · einsum-like view, not equal
def padding_mask(ids, pad_id=0):
    batch, seq = ids.shape
    mask = torch.ones(batch, 1, 1, seq, dtype=torch.bool, device=ids.device)
    mask[:, 0, 0, :][ids == pad_id] = False
    return mask


# %% padding_mask right · logical_not of isin
def padding_mask(ids, pad_id=0):
    return torch.isin(ids, pad_id).logical_not()[:, np.newaxis, np.newaxis]


# %% decoder_mask wrong [or] · logical_or of the two
def decoder_mask(ids, pad_id=0):
    return torch.logical_or(causal_mask(ids.shape[1], ids.device), padding_mask(ids, pad_id))


# %% decoder_mask wrong [ignores-pad-id] · pad_id not passed on
def decoder_mask(ids, pad_id=0):
    future = causal_mask(ids.size(1), device=ids.device)
    return future[None, None] & padding_mask(ids)


# %% decoder_mask wrong [on-queries] · padding hides queries
def decoder_mask(ids, pad_id=0):
    real = ids != pad_id
    t = torch.arange(ids.shape[1], device=ids.device)
    return (real[:, None, :, None]) & (t[None, :] <= t[:, None])


# %% decoder_mask wrong [no-padding] · the future only, repeated
def decoder_mask(ids, pad_id=0):
    batch, seq = ids.shape
    return causal_mask(seq, ids.device).repeat(batch, 1, 1, 1)


# %% decoder_mask wrong [three-axes] · no axis for the heads
def decoder_mask(ids, pad_id=0):
    return causal_mask(ids.shape[1], ids.device) & (ids != pad_id)[:, None, :]


# %% decoder_mask wrong [numbers] · numbers multiplied
def decoder_mask(ids, pad_id=0):
    return causal_mask(ids.shape[1], ids.device).float() * padding_mask(ids, pad_id).float()


# %% decoder_mask wrong [as-long-as-the-batch] · a causal mask as long as the batch
def decoder_mask(ids, pad_id=0):
    length = len(ids)
    earlier = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
    real = torch.ne(ids, pad_id).unsqueeze(1).unsqueeze(2)
    return real & earlier


# %% decoder_mask wrong · changes ids: makes padding of pad_id 0 first
def decoder_mask(ids, pad_id=0):
    ids[ids == pad_id] = -1
    return (ids >= 0)[:, None, None] & causal_mask(ids.shape[1], ids.device)


# %% decoder_mask wrong [ignores-device] · a triangle on the default device
def decoder_mask(ids, pad_id=0):
    triangle = torch.tril(torch.ones(ids.shape[1], ids.shape[1])).bool()
    return torch.logical_and(ids.ne(pad_id)[:, None, None, :], triangle)


# %% decoder_mask right · masks multiplied as booleans
def decoder_mask(ids, pad_id=0):
    return padding_mask(ids=ids, pad_id=pad_id) * causal_mask(seq=ids.shape[1], device=ids.device)


# %% decoder_mask right · triangle cut from the repeated padding
def decoder_mask(ids, pad_id=0):
    seq = ids.shape[1]
    return (ids != pad_id)[:, None, None, :].expand(-1, 1, seq, seq).tril()


# %% decoder_mask right · without the other two functions, by a loop
def decoder_mask(ids, pad_id=0):
    batch, seq = ids.shape
    mask = torch.zeros(batch, 1, seq, seq, dtype=torch.bool, device=ids.device)
    for i in range(seq):
        mask[:, 0, i, : i + 1] = ids[:, : i + 1] != pad_id
    return mask


# %% decoder_mask right · all() of the stacked two
def decoder_mask(ids, pad_id=0):
    both = torch.broadcast_tensors(padding_mask(ids, pad_id), causal_mask(ids.shape[-1], ids.device))
    return torch.stack(both).all(dim=0)


# %% masked_softmax wrong [nan-row] · where() with −inf
def masked_softmax(scores, mask):
    filled = torch.where(mask, scores, torch.tensor(-math.inf))
    return F.softmax(filled, dim=3)


# %% masked_softmax wrong [even-row] · where() with the lowest number
def masked_softmax(scores, mask):
    lowest = torch.tensor(torch.finfo(scores.dtype).min)
    return F.softmax(torch.where(mask, scores, lowest), dim=3)


# %% masked_softmax wrong [after-softmax] · softmax and then where
def masked_softmax(scores, mask):
    weights = scores.softmax(-1)
    return torch.where(mask, weights, torch.zeros_like(weights))


# %% masked_softmax wrong [no-max+zero-row] · exponentials without the maximum, what is not finite cleared
def masked_softmax(scores, mask):
    powers = scores.exp()
    shares = powers.masked_fill(~mask, 0.0) / powers.masked_fill(~mask, 0.0).sum(dim=3, keepdim=True)
    return shares.nan_to_num(nan=0.0)


# %% masked_softmax wrong [global-max] · one maximum for all rows
def masked_softmax(scores, mask):
    top = scores[mask.expand_as(scores)].max()
    powers = (scores - top).exp().masked_fill(~mask, 0.0)
    total = powers.sum(-1, keepdim=True)
    return (powers / total).masked_fill(total == 0, 0.0)


# %% masked_softmax wrong [inverted] · hides what may be seen
def masked_softmax(scores, mask):
    hidden = mask.expand(scores.shape)
    weights = F.softmax(scores.masked_fill(hidden, torch.finfo(scores.dtype).min), dim=-1)
    return weights * hidden.logical_not()


# %% masked_softmax wrong [axis--2] · the softmax runs over queries
def masked_softmax(scores, mask):
    s = scores.clone()
    s[~mask.expand_as(s)] = torch.finfo(s.dtype).min
    e = (s - s.amax(dim=2, keepdim=True)).exp()
    w = e / e.sum(dim=2, keepdim=True)
    return torch.where(mask, w, 0.0)


# %% masked_softmax wrong · takes 20 from hidden scores, as a float mask
def masked_softmax(scores, mask):
    bias = (1.0 - mask.to(scores.dtype)) * -20.0
    return torch.softmax(scores + bias, -1) * mask.any(-1, keepdim=True)


# %% masked_softmax wrong [fill-minus-10+added+zero-row] · takes 10 from hidden scores, rows without a key stay 0
def masked_softmax(scores, mask):
    weights = torch.zeros_like(scores)
    bias = torch.where(mask, 0.0, -10.0).expand_as(scores)
    some = mask.expand_as(scores).any(-1)
    weights[some] = F.softmax((scores + bias)[some], dim=-1)
    return weights


# %% masked_softmax wrong [mask-added] · adds the booleans
def masked_softmax(scores, mask):
    return (scores + mask.float()).softmax(dim=-1)


# %% masked_softmax wrong [in-place] · writes into the scores
def masked_softmax(scores, mask):
    low = torch.finfo(scores.dtype).min
    scores.masked_fill_(~mask, low)
    return torch.softmax(scores, -1).masked_fill(~mask, 0)


# %% masked_softmax wrong · multiplies scores by the mask first
def masked_softmax(scores, mask):
    weights = torch.softmax(scores * mask, dim=-1) * mask
    total = weights.sum(-1, keepdim=True)
    return weights / total.masked_fill(total == 0, 1.0)


# %% masked_softmax wrong [first-head] · takes the mask of the first head for all
def masked_softmax(scores, mask):
    first = mask if mask.dim() == 2 else mask[:, :1]
    low = torch.finfo(scores.dtype).min
    return torch.softmax(scores.masked_fill(~first, low), -1).masked_fill(~first, 0.0)


# %% masked_softmax wrong · needs a mask with four axes
def masked_softmax(scores, mask):
    b, h, q, k = mask.shape
    mask = mask.expand(scores.shape)
    low = torch.finfo(scores.dtype).min
    return torch.softmax(scores.masked_fill(~mask, low), -1).masked_fill(~mask, 0.0)


# %% masked_softmax wrong · a small number under the line
def masked_softmax(scores, mask):
    top = scores.masked_fill(~mask, -math.inf).amax(-1, keepdim=True).nan_to_num(neginf=0.0)
    e = torch.exp(scores - top) * mask
    return torch.where(mask, e, 0.0) / (torch.where(mask, e, 0.0).sum(-1, keepdim=True) + 1e-2)


# %% masked_softmax wrong [no-gradient] · through NumPy
def masked_softmax(scores, mask):
    s = np.where(mask.numpy(), scores.detach().numpy(), -np.inf)
    top = s.max(-1, keepdims=True)
    e = np.exp(s - np.where(np.isinf(top), 0, top))
    total = e.sum(-1, keepdims=True)
    return torch.from_numpy((e / np.where(total == 0, 1, total)).astype("float32"))


# %% masked_softmax right · exponentials with each row's own maximum
def masked_softmax(scores, mask):
    top = torch.where(mask, scores, -math.inf).amax(dim=-1, keepdim=True)
    top = torch.where(torch.isfinite(top), top, 0.0)
    powers = torch.where(mask, torch.exp(torch.where(mask, scores - top, 0.0)), 0.0)
    total = powers.sum(dim=-1, keepdim=True)
    return powers / torch.where(total == 0, 1.0, total)


# %% masked_softmax right · the empty rows opened before the softmax
def masked_softmax(scores, mask):
    anything = mask.any(dim=-1, keepdim=True)
    opened = mask | ~anything
    weights = F.softmax(scores.masked_fill(~opened, -math.inf), dim=-1)
    return weights * anything


# %% masked_softmax right · row by row over what is seen
def masked_softmax(scores, mask):
    mask = mask.expand_as(scores)
    weights = torch.zeros_like(scores)
    for b in range(scores.shape[0]):
        for h in range(scores.shape[1]):
            for i in range(scores.shape[2]):
                seen = mask[b, h, i]
                if seen.any():
                    weights[b, h, i, seen] = torch.softmax(scores[b, h, i, seen], dim=0)
    return weights


# %% masked_softmax right · in double, with logsumexp
def masked_softmax(scores, mask):
    s = scores.double().masked_fill(~mask, -1e100)
    return (torch.exp(s - s.logsumexp(-1, keepdim=True)) * mask).to(scores.dtype)


# %% masked_softmax right · an additive bias of −inf, NaN cleared
def masked_softmax(scores, mask):
    bias = torch.zeros(mask.shape, dtype=scores.dtype).masked_fill(mask.logical_not(), -torch.inf)
    return torch.nan_to_num(torch.softmax(scores + bias, dim=-1), nan=0.0)


# %% masked_softmax right · renormalised after a softmax of shifted scores
def masked_softmax(scores, mask):
    seen = mask.to(scores.dtype)
    lowest = torch.finfo(scores.dtype).min / 2
    weights = torch.softmax(seen * scores + (1 - seen) * lowest, dim=-1) * seen
    total = weights.sum(-1, keepdim=True)
    return torch.where(total > 0, weights / total.clamp(min=1e-12), weights)


# %% masked_attention wrong [no-scale] · einsum, unscaled
def masked_attention(query, key, value, mask):
    scores = torch.einsum("bhid,bhjd->bhij", query, key)
    low = torch.finfo(scores.dtype).min
    weights = F.softmax(torch.where(mask, scores, low), dim=-1) * mask
    return torch.einsum("bhij,bhjv->bhiv", weights, value), weights


# %% masked_attention wrong [by-d] · divides by the length
def masked_attention(query, key, value, mask):
    d = query.size(-1)
    weights = masked_softmax((query / d).matmul(key.mT), mask)
    return weights.matmul(value), weights


# %% masked_attention wrong [by-root-of-d-v] · the values' length under the root
def masked_attention(query, key, value, mask):
    d = value.shape[-1]
    weights = masked_softmax(torch.einsum("...id,...jd->...ij", query, key) * d**-0.5, mask)
    return torch.einsum("...ij,...jv->...iv", weights, value), weights


# %% masked_attention wrong [not-in-float16] · masked_fill with −1e9
def masked_attention(query, key, value, mask):
    scores = torch.matmul(query, key.transpose(2, 3)) * query.size(3) ** -0.5
    hidden = torch.logical_not(mask)
    scores = scores.masked_fill(hidden, float(-1e9))
    weights = torch.softmax(scores, 3).masked_fill(hidden, 0.0)
    return torch.matmul(weights, value), weights


# %% masked_attention wrong [float32-only] · everything is made float32 in the middle and meets float16 values
def masked_attention(query, key, value, mask):
    scores = (query.float() @ key.float().mT) / math.sqrt(query.shape[-1])
    weights = masked_softmax(scores, mask)
    return weights @ value, weights


# %% masked_attention wrong [nan-row] · −inf, and nothing for empty rows
def masked_attention(query, key, value, mask):
    bias = torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, -math.inf)
    weights = torch.softmax(query @ key.mT / query.shape[-1] ** 0.5 + bias, -1)
    return weights @ value, weights


# %% masked_attention wrong [even-row+float32-only] · finfo.min times the mask, which is float32
def masked_attention(query, key, value, mask):
    s = query @ key.mT / query.shape[-1] ** 0.5
    s = s * mask + torch.finfo(s.dtype).min * ~mask
    weights = s.softmax(-1)
    return weights @ value, weights


# %% masked_attention wrong [nan-row+float32-only] · a bias of 0 and −inf in the default type
def masked_attention(query, key, value, mask):
    bias = torch.zeros(mask.shape)
    bias[~mask] = -math.inf
    weights = F.softmax(torch.einsum("bhid,bhjd->bhij", query, key) / math.sqrt(query.size(-1)) + bias, dim=-1)
    return weights @ value, weights


# %% masked_attention wrong · takes 20 from hidden scores
def masked_attention(query, key, value, mask):
    s = query @ key.mT / query.shape[-1] ** 0.5
    weights = torch.softmax(s - 20 * mask.logical_not().to(s.dtype), -1) * mask.any(-1, keepdim=True)
    return weights @ value, weights


# %% masked_attention wrong [after-softmax] · the mask multiplied to the weights
def masked_attention(query, key, value, mask):
    weights = torch.softmax(torch.einsum("bhqd,bhkd->bhqk", query, key) / math.sqrt(key.size(-1)), dim=-1)
    weights = torch.mul(weights, mask)
    return torch.einsum("bhqk,bhkv->bhqv", weights, value), weights


# %% masked_attention wrong [swapped-pair] · weights first
def masked_attention(query, key, value, mask):
    weights = masked_softmax(scores=query @ key.mT / math.sqrt(key.shape[-1]), mask=mask)
    output = weights @ value
    return weights, output


# %% masked_attention wrong [inverted] · ~ before the mask that is passed on
def masked_attention(query, key, value, mask):
    hidden = ~mask
    weights = masked_softmax(query @ key.mT / math.sqrt(key.shape[-1]), hidden)
    return weights @ value, weights


# %% masked_attention wrong [output-only] · no weights
def masked_attention(query, key, value, mask):
    return masked_softmax(query @ key.mT / math.sqrt(key.shape[-1]), mask) @ value


# %% masked_attention wrong [first-item-mask] · only the first sentence's mask
def masked_attention(query, key, value, mask):
    m = mask[0] if mask.dim() == 4 else mask
    weights = masked_softmax(query @ key.mT / math.sqrt(key.shape[-1]), m)
    return weights @ value, weights


# %% masked_attention wrong [values-hidden-only] · hides values instead of keys: they are zeroed
def masked_attention(query, key, value, mask):
    weights = torch.softmax(query @ key.mT / math.sqrt(key.shape[-1]), -1)
    output = torch.stack([(weights[..., i, :, None] * mask.expand_as(weights)[..., i, :, None] * value).sum(-2) for i in range(query.shape[2])], 2)
    return output, weights


# %% masked_attention wrong [heads-merged] · heads merged already
def masked_attention(query, key, value, mask):
    weights = masked_softmax(query @ key.mT / math.sqrt(key.shape[-1]), mask)
    return (weights @ value).transpose(1, 2).flatten(2), weights


# %% masked_attention wrong · the library's attention
def masked_attention(query, key, value, mask):
    output = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return output.nan_to_num(), masked_softmax(query @ key.mT / math.sqrt(key.shape[-1]), mask)


# %% masked_attention wrong [query-in-place] · scales the query in place
def masked_attention(query, key, value, mask):
    query /= math.sqrt(query.shape[-1])
    weights = masked_softmax(query @ key.mT, mask)
    return weights @ value, weights


# %% masked_attention wrong [weights-detached] · weights without the way back, as for a picture
def masked_attention(query, key, value, mask):
    weights = masked_softmax(query @ key.mT / math.sqrt(key.shape[-1]), mask)
    return weights @ value, weights.detach()


# %% masked_attention right · batch and heads flat, by baddbmm
def masked_attention(query, key, value, mask):
    b, h, n, d = query.shape
    m = key.shape[2]
    bias = torch.zeros(b * h, n, m, dtype=query.dtype)
    scores = torch.baddbmm(bias, query.reshape(-1, n, d), key.reshape(-1, m, d).mT, beta=0, alpha=d**-0.5)
    weights = masked_softmax(scores.view(b, h, n, m), mask)
    return torch.bmm(weights.flatten(0, 1), value.flatten(0, 1)).view(b, h, n, -1), weights


# %% masked_attention right · float32 inside, back at the end
def masked_attention(query, key, value, mask):
    q, k, v = query.float(), key.float(), value.float()
    scores = torch.einsum("bhid,bhjd->bhij", q, k) / math.sqrt(q.shape[-1])
    weights = torch.nan_to_num(torch.softmax(scores.masked_fill(~mask, -math.inf), -1))
    return (weights @ v).to(value.dtype), weights.to(query.dtype)


# %% masked_attention right · a list, scale split between query and key
def masked_attention(query, key, value, mask):
    quarter = query.shape[-1] ** 0.25
    scores = torch.matmul(query / quarter, (key / quarter).transpose(-1, -2))
    seen = mask.expand_as(scores)
    lowest = torch.finfo(scores.dtype).min
    weights = F.softmax(torch.where(seen, scores, lowest), dim=-1)
    weights = torch.where(seen.any(-1, keepdim=True), weights, 0)
    return [torch.matmul(weights, value), weights]


# %% masked_attention right · query by query
def masked_attention(query, key, value, mask):
    outputs, maps = [], []
    full = mask.expand(*query.shape[:3], key.shape[2])
    for i in range(query.shape[2]):
        s = (query[:, :, i : i + 1] * key).sum(-1, keepdim=True).transpose(-1, -2) / math.sqrt(query.shape[3])
        w = masked_softmax(s, full[:, :, i : i + 1])
        maps.append(w)
        outputs.append(w @ value)
    return torch.cat(outputs, dim=2), torch.cat(maps, dim=2)


# %% masked_attention right · the empty rows opened, then closed
def masked_attention(query, key, value, mask):
    scores = query @ key.mT * (1 / math.sqrt(query.shape[-1]))
    some = mask.any(-1, keepdim=True)
    weights = scores.masked_fill(~(mask | ~some), float("-inf")).softmax(-1).masked_fill(~some, 0.0)
    return weights @ value, weights


# %% masked_attention right · exponentials and sums, renormalised
def masked_attention(query, key, value, mask):
    scores = torch.einsum("...qd,...kd->...qk", query, key) / query.shape[-1] ** 0.5
    top = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).max(-1, keepdim=True).values
    powers = torch.where(mask, (scores - top).clamp(max=0).exp(), 0.0)
    total = powers.sum(-1, keepdim=True)
    weights = (powers / total.masked_fill(total == 0, 1)).to(query.dtype)
    return torch.einsum("...qk,...kv->...qv", weights, value), weights


# %% masked_softmax right · renormalised, with a tiny number under the line
def masked_softmax(scores, mask):
    weights = torch.softmax(scores, dim=-1) * mask
    return weights / (weights.sum(dim=-1, keepdim=True) + 1e-9)


# %% causal_mask wrong · True and False kept as a comparison of floats that breaks for one token
def causal_mask(seq, device=None):
    rows = torch.linspace(0, 1, seq, device=device)
    return rows[None, :] < rows[:, None] + 0.5 / (seq - 1)


# %% causal_mask wrong · in place on a mask of all tokens that is made once
def causal_mask(seq, device=None, made=torch.ones(64, 64, dtype=torch.bool)):
    made[:seq, :seq] = made[:seq, :seq].tril()
    return made[:seq, :seq]


# %% padding_mask wrong · compares with the last id of each sentence
def padding_mask(ids, pad_id=0):
    return (ids != ids[:, -1:])[:, None, None, :]


# %% padding_mask wrong · a string comparison's habit: is not
def padding_mask(ids, pad_id=0):
    rows = [[token is not pad_id for token in sentence] for sentence in ids]
    return torch.tensor(rows)[:, None, None]


# %% padding_mask right · list of lists by comparison of Python numbers
def padding_mask(ids, pad_id=0):
    rows = [[token != pad_id for token in sentence] for sentence in ids.tolist()]
    return torch.tensor(rows, dtype=torch.bool, device=ids.device).view(len(rows), 1, 1, -1)


# %% decoder_mask wrong · hides padding only where it stands in the past
def decoder_mask(ids, pad_id=0):
    seq = ids.shape[1]
    mask = causal_mask(seq, ids.device).expand(len(ids), 1, seq, seq).clone()
    for i in range(seq):
        mask[:, 0, i, :i] &= ids[:, :i] != pad_id
    return mask


# %% decoder_mask wrong · a sentence's padding hides its whole rows from the first pad on
def decoder_mask(ids, pad_id=0):
    real = (ids != pad_id).cumprod(dim=1).bool()
    return causal_mask(ids.shape[1], ids.device) & real[:, None, None, :]


# %% masked_softmax wrong · a plain softmax where the first row shows all keys
def masked_softmax(scores, mask):
    if mask.expand_as(scores)[..., 0, :].all():
        return scores.softmax(-1)
    filled = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return filled.softmax(-1).masked_fill(~mask, 0.0)


# %% masked_softmax wrong · rows without a key: the test asks all rows at once
def masked_softmax(scores, mask):
    weights = torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1)
    if not mask.any():
        weights = torch.zeros_like(weights)
    return weights


# %% masked_softmax wrong · clears NaN to a small number
def masked_softmax(scores, mask):
    return torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1).nan_to_num(nan=1e-3)


# %% masked_softmax wrong · one-hot of the best visible key
def masked_softmax(scores, mask):
    seen = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    hard = F.one_hot(seen.argmax(-1), scores.shape[-1]).to(scores.dtype)
    return hard * mask


# %% masked_attention wrong · a temperature of its own
def masked_attention(query, key, value, mask):
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = masked_softmax(scores * 0.9, mask)
    return weights @ value, weights


# %% masked_attention wrong · keys and values are one
def masked_attention(query, key, value, mask):
    weights = masked_softmax(torch.einsum("bhid,bhjd->bhij", query, key) / math.sqrt(query.shape[-1]), mask)
    wide = key if key.shape == value.shape else value
    return torch.einsum("bhij,bhjd->bhid", weights, wide), weights


# %% masked_attention wrong · the output of queries that see nothing is their mean value
def masked_attention(query, key, value, mask):
    weights = masked_softmax(query @ key.mT / math.sqrt(query.shape[-1]), mask)
    some = mask.expand_as(weights).any(-1, keepdim=True)
    return torch.where(some, weights @ value, value.mean(dim=2, keepdim=True)), weights
