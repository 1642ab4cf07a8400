# %% before
import math

import numpy as np
from autograder import use_part

softmax = use_part("softmax")
dot_product_score = use_part("dot_product_score")
scaled_scores = use_part("scaled_scores")

# %% softmax wrong [sum-of-everything] · the sum over the whole array
def softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e)

# %% softmax wrong [maximum-along-the-last-axis] · the maximum always along the last axis
def softmax(x, axis=-1):
    x = x - x.max(axis=-1, keepdims=True)
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)

# %% softmax wrong [clipped] · scores cut at ±500
def softmax(x, axis=-1):
    x = np.clip(x, -500, 500)
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)

# %% softmax wrong [mean-subtracted] · the mean subtracted
def softmax(x, axis=-1):
    e = np.exp(x - x.mean(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)

# %% softmax wrong [largest-size-subtracted] · the largest size subtracted
def softmax(x, axis=-1):
    def one(line):
        c = max(abs(v) for v in line)
        e = np.array([np.exp(v - c) for v in line])
        return e / e.sum()

    return np.apply_along_axis(one, axis, x)

# %% softmax wrong · a small number added below the line
def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / (e.sum(axis=axis, keepdims=True) + 1e-3)

# %% softmax wrong [global-max-hidden] · one maximum for all, NaN replaced
def softmax(x, axis=-1):
    e = np.exp(x - x.max())
    s = e.sum(axis=axis, keepdims=True)
    return np.divide(e, s, out=np.zeros_like(e), where=s > 0)

# %% softmax wrong [ignores-axis] · row by row, whatever the axis
def softmax(x, axis=-1):
    if x.ndim == 1:
        e = np.exp(x - x.max())
        return e / e.sum()
    return np.stack([softmax(r) for r in x])

# %% softmax wrong [base-two] · powers of two
def softmax(x, axis=-1):
    e = 2.0 ** (x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)

# %% softmax wrong [no-max-subtraction] · the plain formula
def softmax(x, axis=-1):
    top = np.exp(x)
    bottom = top.sum(axis, keepdims=True)
    return top / bottom

# %% softmax wrong [in-place] · scores shifted in place
def softmax(x, axis=-1):
    x -= np.amax(x, axis=axis, keepdims=True)
    np.exp(x, out=x)
    x /= np.sum(x, axis=axis, keepdims=True)
    return x

# %% softmax wrong [not-turned-back] · the axis moved to the end and never back
def softmax(x, axis=-1):
    moved = np.moveaxis(x, axis, -1)
    e = np.exp(moved - moved.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)

# %% softmax wrong [no-keepdims] · kept axes forgotten
def softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis))
    return e / np.sum(e, axis)

# %% softmax wrong [default-axis] · other default axis, loops
def softmax(x, axis=0):
    def one(line):
        e = np.exp(line - line.max())
        return e / e.sum()

    return np.apply_along_axis(one, axis, x)

# %% softmax wrong [log-softmax] · logarithms come back
def softmax(x, axis=-1):
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))

# %% softmax wrong [mean-subtracted] · the smallest score subtracted
def softmax(x, axis=-1):
    low = np.min(x, axis=axis, keepdims=True)
    e = np.exp(x - low)
    return np.divide(e, np.sum(e, axis=axis, keepdims=True))

# %% softmax wrong [negative-scores] · mixes up the sign
def softmax(x, axis=-1):
    gap = x.max(axis=axis, keepdims=True) - x
    e = np.exp(gap - gap.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)

# %% softmax wrong [forbidden-operator] · a library does it
def softmax(x, axis=-1):
    import torch

    return torch.nn.functional.softmax(torch.from_numpy(x), dim=axis).numpy()

# %% softmax wrong [ignores-axis-no-maximum] · the last axis always, and nothing subtracted
def softmax(x, axis=-1):
    powers = np.exp(x)
    return powers / powers.sum(-1)[..., None]

# %% softmax wrong [whole-array-no-maximum] · the whole array, and nothing subtracted
def softmax(x, axis=-1):
    flat = np.exp(x.ravel())
    return (flat / sum(flat)).reshape(x.shape)

# %% softmax wrong [sums_to_one] · knows the axes −1, 0 and 1 only
def softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    if axis == -1:
        return e / e.sum(-1)[..., None]
    if axis == 0:
        return e / e.sum(0)[None]
    return e / e.sum(1)[:, None]

# %% softmax wrong [negative-axes-as-the-last] · axis 0 through the transpose
def softmax(x, axis=-1):
    if axis == 0:
        return softmax(x.T).T
    if axis == 1 and x.ndim > 2:
        return np.swapaxes(softmax(np.swapaxes(x, 1, -1)), 1, -1)
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

# %% softmax wrong [squeezed] · squeezed sums
def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.squeeze(e / e.sum(axis=axis, keepdims=True))

# %% softmax right · along one line at a time
def softmax(x, axis=-1):
    def line(values):
        powers = [math.exp(v - max(values)) for v in values]
        return np.array(powers) / math.fsum(powers)

    return np.apply_along_axis(line, axis, x)

# %% softmax right · logaddexp
def softmax(x, axis=-1):
    return np.exp(x - np.expand_dims(np.logaddexp.reduce(x, axis=axis), axis))

# %% softmax right · the axis moved and moved back
def softmax(scores, axis=-1):
    rows = np.moveaxis(scores, axis, -1)
    e = np.exp(rows - rows.max(-1)[..., None])
    return np.moveaxis(e / e.sum(-1)[..., None], -1, axis)

# %% softmax right · every pair compared
def softmax(x, axis=-1):
    x = np.moveaxis(np.asarray(x), axis, -1)
    with np.errstate(over="ignore"):
        w = 1 / np.exp(x[..., None, :] - x[..., :, None]).sum(-1)
    return np.moveaxis(w, -1, axis)

# %% softmax right · in place on a copy, a little more than the maximum subtracted
def softmax(x, axis=-1):
    y = np.array(x, dtype=np.longdouble)
    y -= y.max(axis, keepdims=True) + 1
    np.exp(y, out=y)
    y /= y.sum(axis, keepdims=True)
    return y.astype(np.float64)

# %% softmax right · torch without its softmax
def softmax(x, axis=-1):
    import torch

    t = torch.tensor(x)
    return torch.exp(t - torch.logsumexp(t, dim=axis, keepdim=True)).numpy()

# %% dot_product_score wrong [roles-swapped] · key of the vector that asks
def dot_product_score(a_i, a_j, W_q, W_k):
    q = np.matmul(W_q, a_j)
    k = np.matmul(W_k, a_i)
    return float(np.dot(q, k))

# %% dot_product_score wrong [scaled] · scaled already
def dot_product_score(a_i, a_j, W_q, W_k):
    q, k = W_q.dot(a_i), W_k.dot(a_j)
    return sum(q * k) / math.sqrt(k.size)

# %% dot_product_score wrong [query-matrix-twice] · one matrix for both
def dot_product_score(a_i, a_j, W_q, W_k):
    def project(v):
        return np.array([row @ v for row in W_q])

    return project(a_i) @ project(a_j)

# %% dot_product_score wrong [products-not-summed] · products not summed
def dot_product_score(a_i, a_j, W_q, W_k):
    q = np.einsum("kd,d->k", W_q, a_i)
    k = np.einsum("kd,d->k", W_k, a_j)
    return np.einsum("k,k->k", q, k)

# %% dot_product_score wrong [row-convention] · matrices from the other side
def dot_product_score(a_i, a_j, W_q, W_k):
    q = a_i @ W_q
    k = a_j @ W_k
    return np.inner(q, k)

# %% dot_product_score wrong [elementwise-matrix] · key summed to a number first
def dot_product_score(a_i, a_j, W_q, W_k):
    q = W_q @ a_i
    k = (W_k @ a_j).sum()
    return (q * k).sum()

# %% dot_product_score wrong [rounded] · works in integers
def dot_product_score(a_i, a_j, W_q, W_k):
    s = 0
    for r in range(W_q.shape[0]):
        s += int(np.dot(W_q[r], a_i) * np.dot(W_k[r], a_j))
    return s

# %% dot_product_score wrong [one-number-lost] · the last row left out
def dot_product_score(a_i, a_j, W_q, W_k):
    s, r = 0.0, 0
    while r < len(W_q) - 1:
        s += W_q[r].dot(a_i) * W_k[r].dot(a_j)
        r += 1
    return s

# %% dot_product_score wrong [one-by-one] · the score as a one by one matrix
def dot_product_score(a_i, a_j, W_q, W_k):
    q = W_q @ a_i.reshape(-1, 1)
    k = W_k @ a_j.reshape(-1, 1)
    return q.T @ k

# %% dot_product_score wrong [elementwise-matrix] · everything with everything
def dot_product_score(a_i, a_j, W_q, W_k):
    q = W_q @ a_i
    k = W_k @ a_j
    return sum(x * y for x in q for y in k)

# %% dot_product_score right · the bilinear form
def dot_product_score(a_i, a_j, W_q, W_k):
    return a_i @ W_q.T @ W_k @ a_j

# %% dot_product_score right · einsum of all four
def dot_product_score(a_i, a_j, W_q, W_k):
    return np.einsum("d,kd,ke,e->", a_i, W_q, W_k, a_j)

# %% dot_product_score right · Python numbers
def dot_product_score(a_i, a_j, W_q, W_k):
    def times(W, a):
        return [math.fsum(float(w) * float(x) for w, x in zip(row, a)) for row in W]

    return math.fsum(q * k for q, k in zip(times(W_q, a_i), times(W_k, a_j)))

# %% dot_product_score right · columns, and one number taken out
def dot_product_score(a_i, a_j, W_q, W_k):
    q = W_q @ a_i[:, None]
    k = W_k @ a_j[:, None]
    return (q.T @ k).item()

# %% additive_score wrong [tanh-last] · tanh around everything
def additive_score(a_i, a_j, W_q, W_k, w):
    return np.tanh(w @ (W_q @ a_i + W_k @ a_j))

# %% additive_score wrong [tanh-first] · tanh of each
def additive_score(a_i, a_j, W_q, W_k, w):
    return w @ np.tanh(W_q @ a_i) + w @ np.tanh(W_k @ a_j)

# %% additive_score wrong [sigmoid] · a sigmoid
def additive_score(a_i, a_j, W_q, W_k, w):
    return w @ (1 / (1 + np.exp(-(W_q @ a_i + W_k @ a_j))))

# %% additive_score wrong [product] · multiplied before tanh
def additive_score(a_i, a_j, W_q, W_k, w):
    return w @ np.tanh((W_q @ a_i) * (W_k @ a_j))

# %% additive_score wrong [scaled] · scaled
def additive_score(a_i, a_j, W_q, W_k, w):
    return w @ np.tanh(W_q @ a_i + W_k @ a_j) / np.sqrt(len(w))

# %% additive_score wrong [no-tanh] · no tanh
def additive_score(a_i, a_j, W_q, W_k, w):
    hidden = W_q.dot(a_i) + W_k.dot(a_j)
    return sum(w[r] * hidden[r] for r in range(len(w)))

# %% additive_score wrong [query-matrix-twice] · one matrix for both vectors
def additive_score(a_i, a_j, W_q, W_k, w):
    hidden = np.tanh(np.matmul(W_q, a_i + a_j))
    return np.dot(w, hidden)

# %% additive_score wrong [roles-swapped] · roles exchanged
def additive_score(a_i, a_j, W_q, W_k, w):
    total = 0
    for r in range(w.shape[0]):
        total += w[r] * math.tanh(np.dot(W_k[r], a_i) + np.dot(W_q[r], a_j))
    return total

# %% additive_score wrong [no-w] · w left out
def additive_score(a_i, a_j, W_q, W_k, w):
    hidden = np.tanh(W_q @ a_i + W_k @ a_j)
    return np.sum(hidden)

# %% additive_score wrong [difference] · the difference of query and key
def additive_score(a_i, a_j, W_q, W_k, w):
    return np.inner(np.tanh(W_q @ a_i - W_k @ a_j), w)

# %% additive_score wrong [roles-swapped] · the vectors joined, the matrices stacked the wrong way
def additive_score(a_i, a_j, W_q, W_k, w):
    W = np.hstack([W_q, W_k])
    return w @ np.tanh(W @ np.concatenate([a_j, a_i]))

# %% additive_score wrong [relu] · ReLU
def additive_score(a_i, a_j, W_q, W_k, w):
    hidden = W_q @ a_i + W_k @ a_j
    hidden[hidden < 0] = 0
    return w @ hidden

# %% additive_score wrong [not-summed] · the weights after tanh are not summed
def additive_score(a_i, a_j, W_q, W_k, w):
    return w * np.tanh(np.add(W_q @ a_i, W_k @ a_j))

# %% additive_score right · joined end to end
def additive_score(a_i, a_j, W_q, W_k, w):
    return np.tanh(np.hstack((W_q, W_k)) @ np.hstack((a_i, a_j))) @ w

# %% additive_score right · by exponentials
def additive_score(a_i, a_j, W_q, W_k, w):
    z = np.einsum("kd,d->k", W_q, a_i) + np.einsum("kd,d->k", W_k, a_j)
    return float(np.sum(w * (1 - 2 / (np.exp(2 * z) + 1))))

# %% additive_score right · numbers one by one
def additive_score(a_i, a_j, W_q, W_k, w):
    score = 0.0
    for weight, of_query, of_key in zip(w, W_q, W_k):
        score += weight * math.tanh(of_query.dot(a_i) + of_key.dot(a_j))
    return score

# %% additive_score right · torch
def additive_score(a_i, a_j, W_q, W_k, w):
    import torch

    a_i, a_j, W_q, W_k, w = (torch.tensor(v) for v in (a_i, a_j, W_q, W_k, w))
    return torch.dot(torch.tanh(torch.mv(W_q, a_i) + torch.mv(W_k, a_j)), w).item()

# %% scaled_scores wrong [divided-by-d_k] · by d_k
def scaled_scores(q, keys):
    return keys @ q / len(q)

# %% scaled_scores wrong [divided-by-root-n] · by the root of n
def scaled_scores(q, keys):
    return keys @ q / math.sqrt(len(keys))

# %% scaled_scores wrong [summed-over-keys] · summed over the keys
def scaled_scores(q, keys):
    return np.sum(keys * q, axis=0) / math.sqrt(len(q))

# %% scaled_scores wrong [softmax-done] · softmax as well
def scaled_scores(q, keys):
    s = keys @ q / math.sqrt(len(q))
    e = np.exp(s - s.max())
    return e / e.sum()

# %% scaled_scores wrong [query-length] · by the query's length
def scaled_scores(q, keys):
    return keys @ q / np.linalg.norm(q)

# %% scaled_scores wrong [cosine] · cosines
def scaled_scores(q, keys):
    return keys @ q / (np.linalg.norm(q) * np.linalg.norm(keys, axis=1))

# %% scaled_scores wrong [no-scale] · not scaled, in a list comprehension
def scaled_scores(q, keys):
    return np.array([np.dot(key, q) for key in keys])

# %% scaled_scores wrong [only-the-last-scaled] · only the last score is scaled
def scaled_scores(q, keys):
    out = []
    for key in keys:
        s = np.dot(q, key)
        out.append(s)
    out[-1] = out[-1] / np.sqrt(len(q))
    return np.array(out)

# %% scaled_scores wrong [keys-transposed] · keys turned
def scaled_scores(q, keys):
    return q @ keys / np.sqrt(q.shape[-1])

# %% scaled_scores wrong [divided-by-d_k] · both are scaled
def scaled_scores(q, keys):
    root = np.sqrt(q.shape[0])
    return (keys / root) @ (q / root)

# %% scaled_scores wrong [multiplied] · multiplied by the root
def scaled_scores(q, keys):
    return np.einsum("nk,k->n", keys, q) * q.size**0.5

# %% scaled_scores wrong [keys-in-place] · keys scaled in place
def scaled_scores(q, keys):
    keys /= np.sqrt(keys.shape[1])
    return keys @ q

# %% scaled_scores wrong [whole-numbers] · floor division
def scaled_scores(q, keys):
    return keys @ q // np.sqrt(len(q))

# %% scaled_scores wrong [column] · one column
def scaled_scores(q, keys):
    return (keys @ q[:, None]) / math.sqrt(q.shape[0])

# %% scaled_scores wrong [by-two] · the example's root
def scaled_scores(q, keys):
    return np.matmul(keys, q) / 2

# %% scaled_scores wrong [squeezed] · squeezed
def scaled_scores(q, keys):
    return np.squeeze(keys @ q.reshape(-1, 1)) / math.sqrt(q.size)

# %% scaled_scores right · fourth roots on both sides
def scaled_scores(q, keys):
    root = keys.shape[1] ** 0.25
    return (keys / root) @ (q / root)

# %% scaled_scores right · one by one
def scaled_scores(q, keys):
    return np.array([sum(x * y for x, y in zip(q, key)) / math.sqrt(len(key)) for key in keys])

# %% scaled_scores right · query scaled first, an einsum
def scaled_scores(query, keys):
    return np.einsum("d,nd->n", query * keys.shape[-1] ** -0.5, keys)

# %% scaled_scores right · torch
def scaled_scores(q, keys):
    import torch

    return torch.mv(torch.tensor(keys), torch.tensor(q)).div(math.sqrt(q.size)).numpy()

# %% attend_one wrong [skips-itself] · does not look at itself
def attend_one(i, a, W_q, W_k, W_v):
    q = W_q @ a[i]
    k = a @ W_k.T
    v = a @ W_v.T
    s = k @ q / math.sqrt(len(q))
    s[i] = -np.inf
    e = np.exp(s - s.max())
    return (e / e.sum()) @ v

# %% attend_one wrong [one-too-early] · counts from one
def attend_one(i, a, W_q, W_k, W_v):
    q = W_q @ a[i - 1]
    k = a @ W_k.T
    v = a @ W_v.T
    s = k @ q / math.sqrt(len(q))
    e = np.exp(s - s.max())
    return (e / e.sum()) @ v

# %% attend_one wrong [divided-by-root-n] · by the root of n
def attend_one(i, a, W_q, W_k, W_v):
    q = W_q @ a[i]
    k = a @ W_k.T
    v = a @ W_v.T
    s = k @ q / math.sqrt(len(a))
    e = np.exp(s - s.max())
    return (e / e.sum()) @ v

# %% attend_one wrong [inputs-as-values] · weighs the inputs, not the values
def attend_one(i, a, W_q, W_k, W_v):
    q = W_q @ a[i]
    k = a @ W_k.T
    s = k @ q / math.sqrt(len(q))
    e = np.exp(s - s.max())
    return (e / e.sum()) @ a

# %% attend_one wrong [uniform] · the plain mean
def attend_one(i, a, W_q, W_k, W_v):
    values = [W_v @ row for row in a]
    return np.mean(values, axis=0)

# %% attend_one wrong [earlier-only] · sees what stands before only
def attend_one(i, a, W_q, W_k, W_v):
    q = W_q @ a[i]
    k = a[: i + 1] @ W_k.T
    v = a[: i + 1] @ W_v.T
    s = k @ q / math.sqrt(len(q))
    e = np.exp(s - s.max())
    return (e / e.sum()) @ v

# %% attend_one wrong [no-scale] · no scale, a loop
def attend_one(i, a, W_q, W_k, W_v):
    scores = [dot_product_score(a[i], other, W_q, W_k) for other in a]
    weights = softmax(np.array(scores))
    b = np.zeros(W_v.shape[0])
    for j in range(len(a)):
        b += weights[j] * (W_v @ a[j])
    return b

# %% attend_one wrong [divided-by-d_k] · scaled twice
def attend_one(i, a, W_q, W_k, W_v):
    q, keys = W_q @ a[i], np.array([W_k @ x for x in a])
    s = scaled_scores(q, keys) / np.sqrt(len(q))
    return np.average([W_v @ x for x in a], axis=0, weights=softmax(s))

# %% attend_one wrong [no-softmax] · scores without a softmax
def attend_one(i, a, W_q, W_k, W_v):
    q, keys, values = W_q @ a[i], a @ W_k.T, a @ W_v.T
    return np.einsum("n,nv->v", scaled_scores(q, keys), values)

# %% attend_one wrong [divided-by-sum] · weights divided by their sum, no exponential
def attend_one(i, a, W_q, W_k, W_v):
    q, keys, values = W_q @ a[i], a @ W_k.T, a @ W_v.T
    s = keys @ q / np.sqrt(q.shape[0])
    return (s / s.sum()) @ values

# %% attend_one wrong [first-always] · the first vector always asks
def attend_one(i, a, W_q, W_k, W_v):
    q = np.einsum("kd,d->k", W_q, a[0])
    w = softmax(np.einsum("kd,nd,k->n", W_k, a, q) / math.sqrt(len(q)))
    return np.einsum("n,vd,nd->v", w, W_v, a)

# %% attend_one wrong [roles-swapped] · query and key matrix exchanged
def attend_one(i, a, W_q, W_k, W_v):
    query = W_k @ a[i]
    scores = [query @ (W_q @ x) / math.sqrt(len(query)) for x in a]
    return sum(w * (W_v @ x) for w, x in zip(softmax(np.array(scores)), a))

# %% attend_one wrong [own-value] · the value of itself for all
def attend_one(i, a, W_q, W_k, W_v):
    w = softmax(scaled_scores(W_q @ a[i], a @ W_k.T))
    b = 0
    for weight in w:
        b = b + weight * (W_v @ a[i])
    return b

# %% attend_one wrong [largest-only] · the value of the best key only
def attend_one(i, a, W_q, W_k, W_v):
    scores = scaled_scores(W_q @ a[i], a @ W_k.T)
    return W_v @ a[scores.argmax()]

# %% attend_one wrong [softmax-over-queries] · softmax down the queries
def attend_one(i, a, W_q, W_k, W_v):
    Q, K, V = a @ W_q.T, a @ W_k.T, a @ W_v.T
    A = Q @ K.T / math.sqrt(K.shape[1])
    A = np.exp(A - A.max(axis=0))
    A = A / A.sum(axis=0)
    return A[i] @ V

# %% attend_one wrong [roles-swapped] · column of the table of weights
def attend_one(i, a, W_q, W_k, W_v):
    Q, K, V = a @ W_q.T, a @ W_k.T, a @ W_v.T
    A = softmax(K @ Q.T / math.sqrt(K.shape[1]), axis=-1)
    return A[i] @ V

# %% attend_one wrong [last-term-only] · overwrites in the loop
def attend_one(i, a, W_q, W_k, W_v):
    w = softmax(scaled_scores(W_q @ a[i], a @ W_k.T))
    for j, x in enumerate(a):
        b = w[j] * (W_v @ x)
    return b

# %% attend_one right · numerator and denominator
def attend_one(i, a, W_q, W_k, W_v):
    q = W_q @ a[i]
    top = np.array([np.exp(q @ (W_k @ x) / math.sqrt(len(q))) for x in a])
    values = np.array([W_v @ x for x in a])
    return (top[:, None] * values).sum(axis=0) / top.sum()

# %% attend_one wrong [uniform] · keys are made of the query
def attend_one(i, a, W_q, W_k, W_v):
    q = W_q @ a[i]
    keys = np.array([W_k @ a[i] for _ in a])
    return softmax(scaled_scores(q, keys)) @ (a @ W_v.T)

# %% attend_one wrong [forbidden-operator] · PyTorch's operator
def attend_one(i, a, W_q, W_k, W_v):
    import torch
    import torch.nn.functional as F

    q, k, v = (torch.from_numpy(a @ W.T) for W in (W_q, W_k, W_v))
    return F.scaled_dot_product_attention(q, k, v)[i].numpy()

# %% attend_one wrong [input-added] · adds the vector itself, as a residual does
def attend_one(i, a, W_q, W_k, W_v):
    w = softmax(scaled_scores(W_q @ a[i], a @ W_k.T))
    v = a @ W_v.T
    return v[i] + w @ v

# %% attend_one wrong [softmax-over-queries-no-scale] · no scale, and the softmax down the queries
def attend_one(i, a, W_q, W_k, W_v):
    table = np.array([[(W_q @ asks) @ (W_k @ asked) for asked in a] for asks in a])
    weights = softmax(table, axis=0)
    return sum(weights[i, j] * (W_v @ a[j]) for j in range(len(a)))

# %% attend_one wrong [squeezed] · squeezed
def attend_one(i, a, W_q, W_k, W_v):
    w = softmax(np.squeeze((a @ W_k.T) @ (W_q @ a[i])[:, None]) / math.sqrt(len(W_q)))
    return np.squeeze(w @ (a @ W_v.T))

# %% attend_one right · the values last
def attend_one(i, a, W_q, W_k, W_v):
    mixed = np.average(a, axis=0, weights=softmax(scaled_scores(W_q @ a[i], a @ W_k.T)))
    return W_v @ mixed

# %% attend_one right · running sums, one vector at a time
def attend_one(i, a, W_q, W_k, W_v):
    q = W_q @ a[i] / math.sqrt(W_q.shape[0])
    best, below, above = -math.inf, 0.0, np.zeros(len(W_v))
    for x in a:
        s = float(q @ (W_k @ x))
        new = max(best, s)
        shrink = math.exp(best - new)
        below = below * shrink + math.exp(s - new)
        above = above * shrink + math.exp(s - new) * (W_v @ x)
        best = new
    return above / below

# %% attend_one right · all outputs, one taken
def attend_one(i, a, W_q, W_k, W_v):
    Q, K, V = (np.einsum("nd,kd->nk", a, W) for W in (W_q, W_k, W_v))
    A = softmax(np.einsum("qk,nk->qn", Q, K) / np.sqrt(Q.shape[1]), axis=1)
    return np.einsum("qn,nv->qv", A, V)[i]

# %% attend_one right · torch without the operator
def attend_one(i, a, W_q, W_k, W_v):
    import torch

    a, W_q, W_k, W_v = (torch.tensor(x) for x in (a, W_q, W_k, W_v))
    s = (a @ W_k.T) @ (W_q @ a[i]) / W_q.shape[0] ** 0.5
    e = torch.exp(s - torch.logsumexp(s, 0))
    return ((a @ W_v.T) * e[:, None]).sum(0).numpy()

# %% attend_one right · columns, as the lecture writes
def attend_one(which, vectors, Wq, Wk, Wv):
    I = vectors.T
    K, V = Wk @ I, Wv @ I
    alpha = K.T @ (Wq @ I[:, which]) * len(K) ** -0.5
    alpha_hat = np.exp(alpha - alpha.max())
    return V @ alpha_hat / alpha_hat.sum()
