"""Held-out pieces of unit 05; see __init__.py."""

# %% before
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Layers(nn.Module):
    """The starter's __init__, for pieces that leave it as it is."""

    def __init__(self, d_model, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)


# %% two_head_attention wrong [no-scale] · einsum over stacked heads, unscaled
def two_head_attention(a, heads, W_o):
    Q, K, V = (torch.einsum("nd,hde->hne", a, torch.stack(matrices)) for matrices in zip(*heads))
    weights = torch.einsum("hne,hme->hnm", Q, K).softmax(dim=-1)
    joined = torch.einsum("hnm,hme->nhe", weights, V).reshape(len(a), -1)
    return joined @ W_o


# %% two_head_attention wrong [scale-d-in] · scale is the width of the tokens
def two_head_attention(a, heads, W_o):
    n, d = a.shape
    out = []
    for head in heads:
        q, k, v = [a.matmul(W) for W in head]
        s = q.matmul(k.t()).div(d**0.5)
        out.append(F.softmax(s, dim=1).matmul(v))
    return torch.hstack(out).matmul(W_o)


# %% two_head_attention wrong [scale-full-width] · scale is the width of all heads together
def two_head_attention(a, heads, W_o):
    width = sum(W_q.shape[1] for W_q, _, _ in heads)
    def answer(head):
        W_q, W_k, W_v = head
        return torch.softmax((a @ W_q) @ (a @ W_k).T * width**-0.5, -1) @ (a @ W_v)
    return torch.cat(list(map(answer, heads)), 1) @ W_o


# %% two_head_attention wrong [softmax-over-queries] · stacked heads, the wrong axis
def two_head_attention(a, heads, W_o):
    total = torch.zeros(a.shape[0], W_o.shape[1])
    d_head = heads[0][0].shape[1]
    for h, (W_q, W_k, W_v) in enumerate(heads):
        s = a @ W_q @ W_k.T @ a.T / math.sqrt(d_head)
        total += F.softmax(s, dim=-2) @ a @ W_v @ W_o[h * d_head : (h + 1) * d_head]
    return total


# %% two_head_attention wrong [heads-reshaped] · heads in a batch axis, merged without an exchange of axes
def two_head_attention(a, heads, W_o):
    q = torch.stack([a @ h[0] for h in heads])
    k = torch.stack([a @ h[1] for h in heads])
    v = torch.stack([a @ h[2] for h in heads])
    w = torch.softmax(torch.bmm(q, k.mT) / q.size(2) ** 0.5, 2)
    return torch.bmm(w, v).view(a.size(0), -1) @ W_o


# %% two_head_attention wrong [heads-interleaved] · transposed once too often before flattening
def two_head_attention(a, heads, W_o):
    answers = []
    for W_q, W_k, W_v in heads:
        s = (a @ W_q) @ (a @ W_k).T / math.sqrt(W_k.shape[1])
        answers.append(s.softmax(-1) @ (a @ W_v))
    return torch.stack(answers).permute(1, 2, 0).reshape(len(a), -1) @ W_o


# %% two_head_attention wrong [key-value-swapped] · unpacks q, v, k
def two_head_attention(a, heads, W_o):
    results = ()
    for WQ, WV, WK in heads:
        Q, K, V = a @ WQ, a @ WK, a @ WV
        results += (torch.softmax(Q @ K.T * (1 / math.sqrt(K.size(-1))), dim=-1) @ V,)
    return torch.cat(results, dim=1) @ W_o


# %% two_head_attention wrong [indexes-two] · two heads by name
def two_head_attention(a, heads, W_o):
    def head(i):
        W_q, W_k, W_v = heads[i]
        q, k, v = a @ W_q, a @ W_k, a @ W_v
        return torch.softmax(q @ k.T / math.sqrt(q.shape[1]), dim=1) @ v

    head1, head2 = head(0), head(1)
    return torch.cat([head1, head2], dim=1) @ W_o


# %% two_head_attention wrong [no-output-matrix] · the buffer of joined heads comes back
def two_head_attention(a, heads, W_o):
    b = torch.empty(a.shape[0], W_o.shape[0])
    start = 0
    for W_q, W_k, W_v in heads:
        q, k, v = a @ W_q, a @ W_k, a @ W_v
        end = start + v.shape[1]
        b[:, start:end] = torch.softmax(q @ k.T / k.shape[1] ** 0.5, 1) @ v
        start = end
    return b


# %% two_head_attention wrong [heads-summed] · the first block of W_o serves every head
def two_head_attention(a, heads, W_o):
    b = 0
    d = W_o.shape[0] // len(heads)
    for W_q, W_k, W_v in heads:
        q, k, v = a @ W_q, a @ W_k, a @ W_v
        b = b + torch.softmax(q @ k.T / d**0.5, dim=1) @ v @ W_o[:d]
    return b


# %% two_head_attention wrong [not-stable] · a softmax of one's own without the maximum
def two_head_attention(a, heads, W_o):
    def normalise(s):
        powers = torch.exp(s)
        return powers / powers.sum(1).unsqueeze(1)

    parts = [normalise(a @ q @ (a @ k).T / math.sqrt(q.shape[1])) @ (a @ v) for q, k, v in heads]
    return torch.cat(parts, dim=1) @ W_o


# %% two_head_attention wrong [heads-in-place] · takes the heads off the list from its end
def two_head_attention(a, heads, W_o):
    answers = []
    while len(heads) > 0:
        W_q, W_k, W_v = heads.pop()
        q, k, v = a @ W_q, a @ W_k, a @ W_v
        answers.insert(0, torch.softmax(q @ k.T / math.sqrt(q.shape[-1]), dim=-1) @ v)
    return torch.cat(answers, dim=-1) @ W_o


# %% two_head_attention wrong · scales its query in place, and so the tokens where W_q is not needed
def two_head_attention(a, heads, W_o):
    a *= heads[0][0].shape[1] ** -0.25
    answers = []
    for W_q, W_k, W_v in heads:
        q, k = a @ W_q, a @ W_k
        v = a @ W_v * heads[0][0].shape[1] ** 0.25
        answers.append(torch.softmax(q @ k.T, dim=-1) @ v)
    return torch.cat(answers, dim=-1) @ W_o


# %% two_head_attention wrong · the library's attention
def two_head_attention(a, heads, W_o):
    parts = [F.scaled_dot_product_attention(*(a[None] @ W for W in head))[0] for head in heads]
    return torch.cat(parts, dim=1) @ W_o


# %% two_head_attention wrong · rounds through NumPy in half precision
def two_head_attention(a, heads, W_o):
    x = a.numpy().astype(np.float16)
    parts = []
    for W_q, W_k, W_v in heads:
        q, k, v = (x @ W.numpy().astype(np.float16) for W in (W_q, W_k, W_v))
        s = q @ k.T / np.float16(math.sqrt(k.shape[1]))
        e = np.exp(s - s.max(1, keepdims=True))
        parts.append(e / e.sum(1, keepdims=True) @ v)
    return torch.from_numpy(np.concatenate(parts, 1).astype("float32")) @ W_o


# %% two_head_attention wrong · leaves W_o out where there is one head
def two_head_attention(a, heads, W_o):
    parts = [torch.softmax(a @ q @ (a @ k).T / math.sqrt(q.shape[1]), -1) @ (a @ v) for q, k, v in heads]
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1) @ W_o


# %% two_head_attention wrong · heads by pairs: an odd one is lost
def two_head_attention(a, heads, W_o):
    total = torch.zeros(len(a), W_o.shape[1])
    d = heads[0][2].shape[1]
    for pair in range(len(heads) // 2):
        for h in (2 * pair, 2 * pair + 1):
            q, k, v = (a @ W for W in heads[h])
            total = total + torch.softmax(q @ k.T / math.sqrt(d), -1) @ v @ W_o[h * d : (h + 1) * d]
    return total


# %% two_head_attention wrong [heads-in-place] · scales the query matrices that it was given, in place
def two_head_attention(a, heads, W_o):
    parts = []
    for W_q, W_k, W_v in heads:
        W_q.div_(math.sqrt(W_q.shape[1]))
        parts.append(torch.softmax(a @ W_q @ (a @ W_k).T, -1) @ (a @ W_v))
    return torch.cat(parts, -1) @ W_o


# %% two_head_attention right · a batch of heads by baddbmm
def two_head_attention(a, heads, W_o):
    W_q, W_k, W_v = map(torch.stack, zip(*heads))
    q, k, v = a @ W_q, a @ W_k, a @ W_v
    scores = torch.baddbmm(torch.zeros(1, 1, 1), q, k.transpose(1, 2), beta=0, alpha=q.shape[-1] ** -0.5)
    return (torch.softmax(scores, 2) @ v).permute(1, 0, 2).flatten(start_dim=1) @ W_o


# %% two_head_attention right · fills a table, head by head
def two_head_attention(a, heads, W_o):
    joined = a.new_zeros(a.shape[0], W_o.shape[0])
    d = W_o.shape[0] // len(heads)
    for h in range(len(heads)):
        q, k, v = (a @ W for W in heads[h])
        joined[:, h * d : h * d + d] = F.softmax(q @ k.T / d**0.5, dim=-1) @ v
    return joined @ W_o


# %% two_head_attention right · in double, row by row
def two_head_attention(a, heads, W_o):
    x = a.double()
    rows = []
    for token in x:
        parts = []
        for W_q, W_k, W_v in heads:
            keys, values = x @ W_k.double(), x @ W_v.double()
            scores = keys @ (token @ W_q.double()) / math.sqrt(keys.shape[1])
            parts.append(torch.softmax(scores, 0) @ values)
        rows.append(torch.cat(parts) @ W_o.double())
    return torch.stack(rows).float()


# %% two_head_attention right · logsumexp for the softmax, scale on the query
def two_head_attention(a, heads, W_o):
    def one(W_q, W_k, W_v):
        q = (a @ W_q) / math.sqrt(W_q.size(1))
        s = torch.einsum("id,jd->ij", q, a @ W_k)
        return torch.exp(s - torch.logsumexp(s, 1, keepdim=True)) @ (a @ W_v)

    return torch.column_stack([one(*head) for head in heads]).mm(W_o)


# %% two_head_attention right · in columns, turned at the end
def two_head_attention(a, heads, W_o):
    A = a.T
    answers = []
    for W_q, W_k, W_v in heads:
        Q, K, V = W_q.T @ A, W_k.T @ A, W_v.T @ A
        answers.append(V @ torch.softmax(K.T @ Q / Q.shape[0] ** 0.5, dim=0))
    return (W_o.T @ torch.cat(answers, dim=0)).T


# %% two_head_attention right · one matrix of all heads, split afterwards
def two_head_attention(a, heads, W_o):
    H, d = len(heads), heads[0][0].shape[1]
    q, k, v = (a @ torch.cat([head[j] for head in heads], dim=1) for j in range(3))
    q, k, v = (x.unflatten(1, (H, d)).transpose(0, 1) for x in (q, k, v))
    weights = torch.softmax(q @ k.mT / d**0.5, dim=-1)
    return (weights @ v).transpose(0, 1).reshape(-1, H * d) @ W_o


# %% compose_projections wrong [swapped] · a loop that multiplies the other way round
def compose_projections(W_q, head_projections):
    found = []
    for P in head_projections:
        found.append(torch.matmul(W_q, P))
    return found


# %% compose_projections wrong [result-transposed] · row convention
def compose_projections(W_q, head_projections):
    return [torch.einsum("hq,qi->ih", P, W_q) for P in head_projections]


# %% compose_projections wrong [stacked] · one tensor for all heads
def compose_projections(W_q, head_projections):
    return torch.einsum("nhq,qi->nhi", torch.stack(head_projections), W_q)


# %% compose_projections wrong [generator] · yields
def compose_projections(W_q, head_projections):
    for P in head_projections:
        yield P.mm(W_q)


# %% compose_projections wrong [chained] · each matrix is multiplied to what came before
def compose_projections(W_q, head_projections):
    result, current = [], W_q
    for P in head_projections:
        current = P @ current if P.shape[1] == current.shape[0] else P @ W_q
        result.append(current)
    return result


# %% compose_projections wrong [first-only] · returns inside the loop
def compose_projections(W_q, head_projections):
    matrices = []
    for P in head_projections:
        matrices += [P @ W_q]
        return matrices


# %% compose_projections wrong [in-place] · writes the products back into the caller's list
def compose_projections(W_q, head_projections):
    for i in range(len(head_projections)):
        head_projections[i] = head_projections[i] @ W_q
    return head_projections


# %% compose_projections wrong [result-transposed] · a matrix and a vector: multiplies with each column apart, side by side in rows
def compose_projections(W_q, head_projections):
    return [torch.stack([P @ column for column in W_q.T]) for P in head_projections]


# %% compose_projections right · column by column
def compose_projections(W_q, head_projections):
    return [torch.stack([P @ column for column in W_q.unbind(dim=1)], dim=1) for P in head_projections]


# %% compose_projections right · by linear, which transposes
def compose_projections(W_q, head_projections):
    return list(map(lambda P: F.linear(P, W_q.t()), head_projections))


# %% compose_projections right · all at once, split again
def compose_projections(W_q, head_projections):
    together = torch.cat(head_projections) @ W_q
    return list(together.split([len(P) for P in head_projections]))


# %% compose_projections right · sums of outer products
def compose_projections(W_q, head_projections):
    result = []
    for P in head_projections:
        M = torch.zeros(P.shape[0], W_q.shape[1], dtype=torch.float64)
        for q in range(W_q.shape[0]):
            M += torch.outer(P[:, q].double(), W_q[q].double())
        result.append(M.float())
    return result


# %% split_heads wrong [no-transpose] · straight to the shape, by sizes
def split_heads(x, num_heads):
    return x.view(x.size(0), num_heads, x.size(1), -1)


# %% split_heads wrong [interleaved] · every num_heads-th feature
def split_heads(x, num_heads):
    return torch.stack([x[:, :, h::num_heads] for h in range(num_heads)], dim=1)


# %% split_heads wrong [not-moved] · unflatten alone
def split_heads(x, num_heads):
    return torch.unflatten(x, 2, (num_heads, x.shape[2] // num_heads))


# %% split_heads wrong [heads-first] · heads before the batch
def split_heads(x, num_heads):
    return torch.stack(x.chunk(num_heads, dim=2))


# %% split_heads wrong [sequence-first] · two axes exchanged in the shape that is read
def split_heads(x, num_heads):
    batch, seq, width = x.size()
    swapped = x.contiguous().view(seq, batch, width)
    heads = [swapped[:, :, h * width // num_heads : (h + 1) * width // num_heads] for h in range(num_heads)]
    return torch.stack(heads, dim=0).permute(2, 0, 1, 3)


# %% split_heads wrong [head-length-swapped] · chunks of num_heads numbers
def split_heads(x, num_heads):
    return torch.stack(x.split(num_heads, dim=-1), dim=1)


# %% split_heads wrong [heads-reversed] · collects heads in front of the list
def split_heads(x, num_heads):
    d = x.shape[-1] // num_heads
    collected = []
    for h in range(num_heads):
        collected.insert(0, x[..., h * d : (h + 1) * d])
    return torch.stack(collected, dim=1)


# %% split_heads wrong [detached] · zeros filled, with .data: no gradient
def split_heads(x, num_heads):
    b, s, d = x.shape
    out = torch.zeros(b, num_heads, s, d // num_heads)
    for h in range(num_heads):
        out[:, h] = x.data[:, :, h * d // num_heads : (h + 1) * d // num_heads]
    return out


# %% split_heads right · einsum
def split_heads(x, num_heads):
    return torch.einsum("bshd->bhsd", x.unflatten(-1, (num_heads, -1)))


# %% split_heads right · slices into a new tensor
def split_heads(x, num_heads):
    batch, seq, d_model = x.shape
    d = d_model // num_heads
    out = x.new_empty((batch, num_heads, seq, d))
    for head in range(num_heads):
        out[:, head, :, :] = x[:, :, head * d : (head + 1) * d]
    return out


# %% split_heads right · gather by index
def split_heads(x, num_heads):
    columns = torch.arange(x.shape[-1]).reshape(num_heads, -1)
    return x[:, :, columns].movedim(2, 1).contiguous()


# %% split_heads right · strides
def split_heads(x, num_heads):
    x = x.contiguous()
    b, s, d = x.shape
    return x.as_strided((b, num_heads, s, d // num_heads), (s * d, d // num_heads, d, 1))


# %% merge_heads wrong [no-transpose] · reshape alone
def merge_heads(x):
    return x.contiguous().view(x.size(0), x.size(2), -1)


# %% merge_heads wrong [interleaved] · features before heads
def merge_heads(x):
    return torch.einsum("bhsd->bsdh", x).flatten(-2)


# %% merge_heads wrong [averaged] · the mean over the heads
def merge_heads(x):
    return x.sum(1) / x.shape[1]


# %% merge_heads wrong [view-after-transpose] · view after movedim
def merge_heads(x):
    b, h, s, d = x.size()
    return x.movedim(1, 2).view(b, s, h * d)


# %% merge_heads wrong [tokens-joined] · cat of heads along the sequence
def merge_heads(x):
    return torch.cat(x.unbind(1), dim=1)


# %% merge_heads wrong [batch-and-tokens-mixed] · permute with two wrong axes
def merge_heads(x):
    b, h, s, d = x.shape
    return x.permute(2, 0, 1, 3).reshape(b, s, h * d)


# %% merge_heads wrong [heads-reversed] · last head first
def merge_heads(x):
    merged = x[:, 0]
    for h in range(1, x.shape[1]):
        merged = torch.cat([x[:, h], merged], dim=-1)
    return merged


# %% merge_heads right · heads side by side, one after the other
def merge_heads(x):
    merged = x[:, 0]
    for h in range(1, x.shape[1]):
        merged = torch.cat((merged, x[:, h]), dim=2)
    return merged


# %% merge_heads right · token by token
def merge_heads(x):
    return torch.stack([torch.stack([sentence[:, t].flatten() for t in range(x.shape[2])]) for sentence in x])


# %% merge_heads right · swapaxes and flatten
def merge_heads(x):
    return torch.flatten(torch.swapaxes(x, -3, -2), start_dim=-2, end_dim=-1)


# %% merge_heads right · by hand into zeros, in double
def merge_heads(x):
    b, h, s, d = x.shape
    out = torch.zeros(b, s, h * d, dtype=torch.float64)
    for i in range(h):
        out[:, :, i * d : (i + 1) * d] = x[:, i]
    return out.to(x.dtype)


# %% MultiHeadAttention wrong [scale-d-model] · the root of d_model, divided into the queries
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        B, L, D = query.shape
        H = self.num_heads
        q, k, v = (f(x).view(B, -1, H, D // H).transpose(1, 2) for f, x in zip((self.q_proj, self.k_proj, self.v_proj), (query, key, value)))
        logits = (q / D**0.5) @ k.mT
        if mask is not None:
            logits = torch.where(mask, logits, torch.finfo(logits.dtype).min)
        attention = logits.softmax(-1)
        if mask is not None:
            attention = torch.where(mask, attention, 0.0)
        return self.out_proj((attention @ v).transpose(1, 2).flatten(2)), attention


# %% MultiHeadAttention wrong [scale-d-head] · d_head without the root, loop over heads
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        answers, maps = [], []
        q, k, v = self.q_proj(query), self.k_proj(key), self.v_proj(value)
        d = q.shape[-1] // self.num_heads
        for h in range(self.num_heads):
            part = slice(h * d, (h + 1) * d)
            s = torch.einsum("bid,bjd->bij", q[..., part], k[..., part]) / d
            if mask is not None:
                m = mask.expand(q.shape[0], self.num_heads, q.shape[1], k.shape[1])[:, h]
                w = torch.nan_to_num(torch.softmax(s.masked_fill(m.logical_not(), -math.inf), -1), nan=0.0)
            else:
                w = torch.softmax(s, -1)
            maps.append(w)
            answers.append(w @ v[..., part])
        return self.out_proj(torch.cat(answers, -1)), torch.stack(maps, 1)


# %% MultiHeadAttention wrong [softmax-over-heads] · axis 1, where the keys would be without a batch
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q = torch.stack(self.q_proj(query).chunk(self.num_heads, -1), 1)
        k = torch.stack(self.k_proj(key).chunk(self.num_heads, -1), 1)
        v = torch.stack(self.v_proj(value).chunk(self.num_heads, -1), 1)
        s = torch.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(k.shape[3])
        if mask is not None:
            s = s.masked_fill(mask == False, float("-inf"))
        w = nn.functional.softmax(s, dim=1)
        if mask is not None:
            w = w.masked_fill(mask == False, 0)
        o = torch.cat((w @ v).unbind(1), -1)
        return self.out_proj(o), w


# %% MultiHeadAttention wrong [inverted] · fills where the mask is True
class MultiHeadAttention(Layers):
    def attend(self, q, k, v, mask):
        s = q @ k.transpose(2, 3) * q.size(-1) ** -0.5
        if mask is not None:
            hidden = mask.expand_as(s)
            s = s.masked_fill(hidden, -math.inf)
            w = s.softmax(3).masked_fill(hidden, 0.0)
        else:
            w = s.softmax(3)
        return w @ v, w

    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(layer(x), self.num_heads) for layer, x in ((self.q_proj, query), (self.k_proj, key), (self.v_proj, value)))
        o, w = self.attend(q, k, v, mask)
        return self.out_proj(merge_heads(o)), w


# %% MultiHeadAttention wrong [mask-after-softmax] · multiplies the weights by the mask
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q = split_heads(self.q_proj(query), self.num_heads)
        k = split_heads(self.k_proj(key), self.num_heads)
        v = split_heads(self.v_proj(value), self.num_heads)
        w = ((q @ k.transpose(-1, -2)) / math.sqrt(q.size(-1))).softmax(dim=-1)
        w = w * (1.0 if mask is None else mask.float())
        return self.out_proj(merge_heads(w @ v)), w


# %% MultiHeadAttention wrong [fully-masked-uniform] · the lowest number, and rows without a key are even
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = map(lambda x: split_heads(x, self.num_heads), (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        s = q @ k.mT / q.shape[-1] ** 0.5
        if mask is not None:
            s = s + torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)
        w = torch.softmax(s, -1)
        return self.out_proj(merge_heads(w @ v)), w


# %% MultiHeadAttention wrong [fully-masked-nan] · −inf and no more
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        (B, Q, D), H = query.shape, self.num_heads
        q = self.q_proj(query).reshape(B, Q, H, -1).permute(0, 2, 1, 3)
        k = self.k_proj(key).reshape(B, -1, H, D // H).permute(0, 2, 3, 1)
        v = self.v_proj(value).reshape(B, -1, H, D // H).permute(0, 2, 1, 3)
        bias = 0.0 if mask is None else torch.where(mask, 0.0, -torch.inf)
        w = torch.softmax(torch.matmul(q, k) / math.sqrt(D // H) + bias, dim=-1)
        return self.out_proj(torch.matmul(w, v).permute(0, 2, 1, 3).reshape(B, Q, D)), w


# %% MultiHeadAttention wrong [merge-straight] · einsum answer, reshaped without an exchange of axes
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        B, D, H = query.size(0), query.size(2), self.num_heads
        q, k, v = (p(x).unflatten(2, (H, D // H)) for p, x in ((self.q_proj, query), (self.k_proj, key), (self.v_proj, value)))
        s = torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(D // H)
        w = s.softmax(-1) if mask is None else s.masked_fill(~mask, -math.inf).softmax(-1).nan_to_num(0.0)
        o = torch.einsum("bhqk,bkhd->bhqd", w, v)
        return self.out_proj(o.reshape(B, -1, D)), w


# %% MultiHeadAttention wrong [no-out-proj] · forgets the last layer
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = self.q_proj(query), self.k_proj(key), self.v_proj(value)
        q, k, v = (split_heads(t, self.num_heads) for t in (q, k, v))
        s = q.matmul(k.transpose(-2, -1)).div(math.sqrt(q.shape[-1]))
        if mask is not None:
            s = s.masked_fill(~mask, -math.inf)
        w = s.softmax(-1)
        if mask is not None:
            w = w * mask.any(-1, keepdim=True) if not w.isnan().any() else torch.nan_to_num(w)
        return merge_heads(w @ v), w


# %% MultiHeadAttention wrong [weights-averaged] · the mean over heads comes back, as in the library
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        s = q @ k.mT / math.sqrt(q.shape[-1])
        w = torch.softmax(s if mask is None else s.masked_fill(~mask, -1e30), -1)
        w = w if mask is None else w.masked_fill(~mask, 0.0)
        return self.out_proj(merge_heads(w @ v)), w.sum(dim=1) / self.num_heads


# %% MultiHeadAttention wrong [key-by-q-proj] · one projection too few
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        heads = lambda t: t.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        q, k = (heads(self.q_proj(t)) for t in (query, key))
        v = heads(self.v_proj(value))
        s = q @ k.mT / math.sqrt(q.shape[-1])
        w = s.softmax(-1) if mask is None else torch.nan_to_num(s.masked_fill(~mask, -math.inf).softmax(-1))
        return self.out_proj((w @ v).transpose(1, 2).flatten(-2)), w


# %% MultiHeadAttention wrong [self-attention-only] · everything from the query
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        x = query
        projected = [split_heads(layer(x), self.num_heads) for layer in (self.q_proj, self.k_proj, self.v_proj)]
        s = torch.einsum("bhid,bhjd->bhij", projected[0], projected[1]) / math.sqrt(projected[0].shape[-1])
        if mask is not None:
            s = s.masked_fill(~mask, -math.inf)
        w = torch.softmax(s, -1)
        if mask is not None:
            w = w.masked_fill(~mask, 0.0)
        return self.out_proj(merge_heads(w @ projected[2])), w


# %% MultiHeadAttention wrong [causal-without-mask] · a triangle of −inf where no mask is given
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        n, m = q.shape[2], k.shape[2]
        if mask is None:
            hidden = torch.arange(m) > torch.arange(n)[:, None]
        else:
            hidden = ~mask
        s = torch.einsum("bhid,bhjd->bhij", q, k) / q.shape[-1] ** 0.5 + hidden * torch.tensor(-1e30)
        w = torch.softmax(s, -1) * ~hidden
        return self.out_proj(merge_heads(w @ v)), w


# %% MultiHeadAttention wrong · new layers in forward, so nothing is learned
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        self.d_model, self.num_heads = d_model, num_heads

    def forward(self, query, key, value, mask=None):
        layers = [nn.Linear(self.d_model, self.d_model) for _ in range(4)]
        q, k, v = (split_heads(f(t), self.num_heads) for f, t in zip(layers, (query, key, value)))
        s = q @ k.mT / math.sqrt(q.shape[-1])
        w = torch.softmax(s if mask is None else s.masked_fill(~mask, -1e30), -1)
        w = w if mask is None else w.masked_fill(~mask, 0.0)
        return layers[3](merge_heads(w @ v)), w


# %% MultiHeadAttention wrong · adds −20 where the mask hides, and zeroes nothing
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        s = q @ k.mT / math.sqrt(q.shape[-1])
        if mask is not None:
            s = s - 20.0 * (1 - mask.float())
        w = torch.softmax(s, -1)
        return self.out_proj(merge_heads(w @ v)), w


# %% MultiHeadAttention wrong [mask-in-place] · turns the caller's mask round in place
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        s = q @ k.mT / math.sqrt(q.shape[-1])
        if mask is not None:
            mask.logical_not_()
            w = s.masked_fill(mask, -math.inf).softmax(-1).masked_fill(mask, 0.0)
        else:
            w = s.softmax(-1)
        return self.out_proj(merge_heads(w @ v)), w


# %% MultiHeadAttention wrong · dropout on the weights that is never off
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        s = q @ k.mT / math.sqrt(q.shape[-1])
        w = s.softmax(-1) if mask is None else torch.nan_to_num(s.masked_fill(~mask, -math.inf).softmax(-1))
        w = F.dropout(w, p=0.1)
        return self.out_proj(merge_heads(w @ v)), w


# %% MultiHeadAttention wrong · batch of one only: squeezes
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (t[0].unflatten(-1, (self.num_heads, -1)).transpose(0, 1) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        s = q @ k.mT / math.sqrt(q.shape[-1])
        w = s.softmax(-1) if mask is None else torch.nan_to_num(s.masked_fill(~mask, -math.inf).softmax(-1))
        return self.out_proj((w @ v).transpose(-3, -2).flatten(-2)), w


# %% MultiHeadAttention wrong [residual] · the residual of the encoder block already here
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        s = q @ k.mT / math.sqrt(q.shape[-1])
        w = s.softmax(-1) if mask is None else torch.nan_to_num(s.masked_fill(~mask, -math.inf).softmax(-1))
        return torch.add(query, self.out_proj(merge_heads(w @ v))), w


# %% MultiHeadAttention wrong [weights-cut] · weights cut off from the gradients
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        v = split_heads(self.v_proj(value), self.num_heads)
        with torch.no_grad():
            q, k = split_heads(self.q_proj(query), self.num_heads), split_heads(self.k_proj(key), self.num_heads)
            s = q @ k.mT / math.sqrt(q.shape[-1])
            w = s.softmax(-1) if mask is None else torch.nan_to_num(s.masked_fill(~mask, -math.inf).softmax(-1))
        return self.out_proj(merge_heads(w @ v)), w


# %% MultiHeadAttention wrong [not-stable] · one sum of exponentials, without the maximum
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        e = torch.exp(q @ k.mT / math.sqrt(q.shape[-1]))
        if mask is not None:
            e = e * mask
        w = e / e.sum(-1, keepdim=True).clamp(min=1e-30)
        return self.out_proj(merge_heads(w @ v)), w


# %% MultiHeadAttention wrong · adds −20 where the mask hides; only rows without a key are zeroed
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        s = q @ k.mT / math.sqrt(q.shape[-1])
        if mask is None:
            w = torch.softmax(s, -1)
        else:
            w = torch.softmax(s + torch.where(mask, 0.0, -20.0), -1) * mask.any(-1, keepdim=True)
        return self.out_proj(merge_heads(w @ v)), w


# %% MultiHeadAttention wrong · asks whether the mask is true
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        s = q @ k.mT / math.sqrt(q.shape[-1])
        if mask:
            s = s.masked_fill(~mask, -math.inf)
        w = torch.nan_to_num(torch.softmax(s, -1))
        return self.out_proj(merge_heads(w @ v)), w


# %% MultiHeadAttention wrong · forgets self before a layer
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q = split_heads(self.q_proj(query), self.num_heads)
        k = split_heads(self.k_proj(key), num_heads)
        v = split_heads(self.v_proj(value), self.num_heads)
        s = q @ k.mT / math.sqrt(q.shape[-1])
        w = s.softmax(-1) if mask is None else torch.nan_to_num(s.masked_fill(~mask, -math.inf).softmax(-1))
        return self.out_proj(merge_heads(w @ v)), w


# %% MultiHeadAttention wrong · one d_model × d_model projection for each head, in a plain list
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        d = d_model // num_heads
        self.q_proj = [nn.Linear(d_model, d) for _ in range(num_heads)]
        self.k_proj = [nn.Linear(d_model, d) for _ in range(num_heads)]
        self.v_proj = [nn.Linear(d_model, d) for _ in range(num_heads)]
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, query, key, value, mask=None):
        outputs, maps = [], []
        for W_q, W_k, W_v in zip(self.q_proj, self.k_proj, self.v_proj):
            s = W_q(query) @ W_k(key).mT / math.sqrt(query.shape[-1] // len(self.q_proj))
            maps.append(torch.softmax(s, -1))
            outputs.append(maps[-1] @ W_v(value))
        return self.out_proj(torch.cat(outputs, -1)), torch.stack(maps, 1)


# %% MultiHeadAttention wrong · takes every mask for a padding mask
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        s = q @ k.mT / math.sqrt(q.shape[-1])
        if mask is None:
            w = s.softmax(-1)
        else:
            padding = mask.reshape(len(query), 1, 1, -1)
            w = s.masked_fill(~padding, -math.inf).softmax(-1).nan_to_num(0.0)
        return self.out_proj(merge_heads(w @ v)), w


# %% MultiHeadAttention wrong [mask-in-place] · opens the rows without a key in the caller's mask, and closes them after
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        s = q @ k.mT / math.sqrt(q.shape[-1])
        if mask is not None:
            empty = ~mask.any(-1, keepdim=True)
            mask |= empty
            w = s.masked_fill(~mask, -math.inf).softmax(-1).masked_fill(empty, 0.0)
            mask.fill_(True)
        else:
            w = s.softmax(-1)
        return self.out_proj(merge_heads(w @ v)), w


# %% MultiHeadAttention wrong · multiplies the scores by the mask, and clears the weights after
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        s = q @ k.mT / math.sqrt(q.shape[-1])
        allowed = torch.ones_like(s) if mask is None else mask.expand_as(s).to(s.dtype)
        w = torch.softmax(s * allowed, dim=-1) * allowed
        return self.out_proj(merge_heads(w @ v)), w


# %% MultiHeadAttention wrong · the scale counts heads and tokens, by axes 1 and 2
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        s = torch.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(k.shape[1] * k.shape[2])
        w = s.softmax(-1) if mask is None else torch.nan_to_num(s.masked_fill(~mask, -math.inf).softmax(-1))
        return self.out_proj(merge_heads(w @ v)), w


# %% MultiHeadAttention wrong [weights-without-mask] · gives back the weights of the scores before the mask
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        plain = q @ k.mT / math.sqrt(q.shape[-1])
        hidden = plain if mask is None else plain.masked_fill(~mask, -1e9)
        answer = torch.softmax(hidden, -1)
        if mask is not None:
            answer = answer.masked_fill(~mask, 0.0)
        return self.out_proj(merge_heads(answer @ v)), torch.softmax(plain, -1)


# %% MultiHeadAttention wrong · heads by a loop over narrow layers made from the big ones, biases left out
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        d = query.shape[-1] // self.num_heads
        outputs, maps = [], []
        for h in range(self.num_heads):
            rows = slice(h * d, (h + 1) * d)
            q, k, v = (x @ layer.weight[rows].T for x, layer in ((query, self.q_proj), (key, self.k_proj), (value, self.v_proj)))
            s = q @ k.mT / math.sqrt(d)
            if mask is not None:
                own = mask.expand(len(query), self.num_heads, *s.shape[1:])[:, h]
                s = s.masked_fill(~own, -math.inf)
            maps.append(torch.nan_to_num(s.softmax(-1)))
            outputs.append(maps[-1] @ v)
        return self.out_proj(torch.cat(outputs, -1)), torch.stack(maps, 1)


# %% MultiHeadAttention right · a loop over heads, starter written out
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.d_head = d_model // num_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None):
        q, k, v = self.q_proj(query), self.k_proj(key), self.v_proj(value)
        batch, seq_q, seq_k = q.shape[0], q.shape[1], k.shape[1]
        allowed = torch.ones(1, 1, 1, 1, dtype=torch.bool) if mask is None else mask
        allowed = allowed.expand(batch, self.num_heads, seq_q, seq_k)
        outputs, weights = [], []
        for h, (q_h, k_h, v_h) in enumerate(zip(*(t.split(self.d_head, dim=-1) for t in (q, k, v)))):
            s = torch.bmm(q_h, k_h.transpose(1, 2)) / self.d_head**0.5
            e = torch.exp(s - s.masked_fill(~allowed[:, h], -3e38).amax(-1, keepdim=True).detach()) * allowed[:, h]
            e = torch.where(allowed[:, h], e, torch.zeros_like(e))
            total = e.sum(-1, keepdim=True)
            w = e / torch.where(total == 0, torch.ones_like(total), total)
            weights.append(w)
            outputs.append(torch.bmm(w, v_h))
        return self.out_proj(torch.cat(outputs, dim=-1)), torch.stack(weights, dim=1)


# %% MultiHeadAttention right · batch and heads as one axis, by baddbmm
class MultiHeadAttention(Layers):
    def heads(self, x):
        b, n, d = x.shape
        return x.view(b, n, self.num_heads, d // self.num_heads).transpose(1, 2).reshape(b * self.num_heads, n, -1)

    def forward(self, query, key, value, mask=None):
        b, n, d = query.shape
        q, k, v = self.heads(self.q_proj(query)), self.heads(self.k_proj(key)), self.heads(self.v_proj(value))
        shape = (b, self.num_heads, n, key.shape[1])
        bias = torch.zeros(1, 1, 1)
        if mask is not None:
            bias = torch.where(mask, 0.0, -1e30).expand(shape).reshape(-1, n, key.shape[1])
        w = torch.softmax(torch.baddbmm(bias, q, k.mT, alpha=q.shape[-1] ** -0.5), -1).view(shape)
        if mask is not None:
            w = w * mask
        answers = w.flatten(0, 1) @ v
        return self.out_proj(answers.view(b, self.num_heads, n, -1).transpose(1, 2).reshape(b, n, d)), w


# %% MultiHeadAttention right · einsum, a list comes back, mask as a set of allowed keys
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (layer(x).unflatten(-1, (self.num_heads, -1)) for layer, x in ((self.q_proj, query), (self.k_proj, key), (self.v_proj, value)))
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) * q.shape[-1] ** -0.5
        if mask is None:
            weights = scores.softmax(-1)
        else:
            weights = torch.where(mask, scores, -math.inf).softmax(-1)
            weights = torch.where(mask.any(-1, keepdim=True), weights, 0.0)
        return [self.out_proj(torch.einsum("bhqk,bkhd->bqhd", weights, v).flatten(-2)), weights]


# %% MultiHeadAttention right · functional, in double inside
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        def project(layer, x):
            y = F.linear(x.double(), layer.weight.double(), layer.bias.double())
            return y.reshape(*y.shape[:2], self.num_heads, -1).swapaxes(1, 2)

        q, k, v = project(self.q_proj, query), project(self.k_proj, key), project(self.v_proj, value)
        s = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
        if mask is not None:
            s = s.masked_fill(mask.logical_not(), torch.finfo(s.dtype).min)
        w = s.softmax(-1)
        if mask is not None:
            w = w.masked_fill(mask.logical_not(), 0)
        o = torch.cat([(w @ v)[:, h] for h in range(self.num_heads)], dim=-1)
        return self.out_proj(o.float()), w.float()


# %% MultiHeadAttention right · a mask of ones where there is none
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        if mask is None:
            mask = torch.ones((), dtype=torch.bool, device=query.device)
        q = split_heads(x=self.q_proj(query), num_heads=self.num_heads)
        k = split_heads(x=self.k_proj(key), num_heads=self.num_heads)
        v = split_heads(x=self.v_proj(value), num_heads=self.num_heads)
        scores = torch.matmul(q, torch.transpose(k, 2, 3)) / q.size(3) ** 0.5
        scores = scores.masked_fill(~mask, float("-1e9"))
        weights = torch.softmax(scores, dim=-1).masked_fill(~mask, 0.0)
        return self.out_proj(merge_heads(weights @ v)), weights


# %% MultiHeadAttention right · renormalised after the softmax
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        weights = torch.softmax(scores.double(), dim=-1)
        if mask is not None:
            weights = weights * mask
            total = weights.sum(-1, keepdim=True)
            weights = weights / total.masked_fill(total == 0, 1.0)
        weights = weights.to(scores.dtype)
        return self.out_proj(merge_heads(weights @ v)), weights


# %% MultiHeadAttention right · scores from a copy that is changed in place, NaN cleared
class MultiHeadAttention(Layers):
    def _heads(self, layer, x):
        return layer(x).unflatten(2, (self.num_heads, -1)).permute(0, 2, 1, 3)

    def forward(self, query, key, value, mask=None):
        q, k, v = self._heads(self.q_proj, query), self._heads(self.k_proj, key), self._heads(self.v_proj, value)
        scores = torch.einsum("...qd,...kd->...qk", q / math.sqrt(q.shape[-1]), k).clone()
        if mask is not None:
            scores.masked_fill_(~mask, -math.inf)
        weights = F.softmax(scores, dim=-1)
        if mask is not None and not mask.any(-1).all():
            weights = torch.nan_to_num(weights, nan=0.0)
        return self.out_proj((weights @ v).permute(0, 2, 1, 3).flatten(2)), weights


# %% MultiHeadAttention right · divides by the sum of what may be seen, and a tiny number
class MultiHeadAttention(Layers):
    def forward(self, query, key, value, mask=None):
        q, k, v = (split_heads(t, self.num_heads) for t in (self.q_proj(query), self.k_proj(key), self.v_proj(value)))
        w = torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1)
        if mask is not None:
            w = w * mask
            w = w / (w.sum(-1, keepdim=True) + 1e-9)
        return self.out_proj(merge_heads(w @ v)), w
