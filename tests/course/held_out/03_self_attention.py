# %% before
import math

import numpy as np
from autograder import use_part

softmax = use_part("softmax")

# %% self_attention_columns wrong [rows-sum-to-one] · softmax along the last axis
def self_attention_columns(inputs, W_q, W_k, W_v):
    Q, K, V = (np.matmul(W, inputs) for W in (W_q, W_k, W_v))
    scores = np.einsum("kj,ki->ji", K, Q) / math.sqrt(len(K))
    weights = softmax(scores)
    return V @ weights, weights

# %% self_attention_columns wrong [queries-and-keys-swapped] · QᵀK
def self_attention_columns(inputs, W_q, W_k, W_v):
    queries, keys, values = W_q @ inputs, W_k @ inputs, W_v @ inputs
    A = np.dot(queries.T, keys) * len(queries) ** -0.5
    A = np.exp(A - A.max(axis=0))
    A_hat = A / A.sum(axis=0)
    return values @ A_hat, A_hat

# %% self_attention_columns wrong [no-scale] · not scaled, a loop over queries
def self_attention_columns(inputs, W_q, W_k, W_v):
    n = inputs.shape[1]
    K, V = W_k @ inputs, W_v @ inputs
    out, weights = np.zeros((len(W_v), n)), np.zeros((n, n))
    for i in range(n):
        q = W_q @ inputs[:, i]
        weights[:, i] = softmax(K.T @ q)
        out[:, i] = V @ weights[:, i]
    return out, weights

# %% self_attention_columns wrong [scale-sqrt-n] · the root of n, in a loop
def self_attention_columns(inputs, W_q, W_k, W_v):
    d_in, n = inputs.shape
    K, V = W_k @ inputs, W_v @ inputs
    out, weights = np.zeros((len(W_v), n)), np.zeros((n, n))
    for i in range(n):
        s = [np.dot(K[:, j], W_q @ inputs[:, i]) / np.sqrt(n) for j in range(n)]
        weights[:, i] = softmax(np.array(s))
        out[:, i] = V @ weights[:, i]
    return out, weights

# %% self_attention_columns wrong [scale-sqrt-d-in] · the root of d_in
def self_attention_columns(inputs, W_q, W_k, W_v):
    d, n = inputs.shape
    A = (W_k @ inputs).T @ (W_q @ inputs) / math.sqrt(d)
    A_hat = softmax(A, axis=0)
    return np.einsum("vj,ji->vi", W_v @ inputs, A_hat), A_hat

# %% self_attention_columns wrong [A-hat-transposed] · weights of a query written into a row
def self_attention_columns(inputs, W_q, W_k, W_v):
    n = inputs.shape[1]
    Q, K, V = W_q @ inputs, W_k @ inputs, W_v @ inputs
    A_hat = np.zeros((n, n))
    for i in range(n):
        A_hat[i] = softmax(Q[:, i] @ K / math.sqrt(Q.shape[0]))
    return V @ A_hat.T, A_hat

# %% self_attention_columns wrong [order-of-results] · results in the wrong order
def self_attention_columns(inputs, W_q, W_k, W_v):
    A = inputs.T @ W_k.T @ W_q @ inputs
    A /= math.sqrt(W_q.shape[0])
    A = softmax(A, 0)
    return A, W_v @ inputs @ A

# %% self_attention_columns wrong [all-in-rows] · the row form called with turned inputs, not turned back
def self_attention_columns(inputs, W_q, W_k, W_v):
    x = inputs.T
    q, k, v = x @ W_q.T, x @ W_k.T, x @ W_v.T
    weights = softmax(q @ k.T / np.sqrt(k.shape[1]), axis=1)
    return weights @ v, weights

# %% self_attention_columns wrong [naive-softmax] · the plain exponentials
def self_attention_columns(inputs, W_q, W_k, W_v):
    Q, K, V = W_q @ inputs, W_k @ inputs, W_v @ inputs
    e = np.exp(np.einsum("kj,ki->ji", K, Q) / np.sqrt(Q.shape[0]))
    A_hat = e / np.sum(e, axis=0)
    return V @ A_hat, A_hat

# %% self_attention_columns wrong [scores-returned] · the scores come back in place of the weights
def self_attention_columns(inputs, W_q, W_k, W_v):
    Q, K, V = W_q @ inputs, W_k @ inputs, W_v @ inputs
    A = (Q.T @ K).T / np.sqrt(Q.shape[0])
    return V @ softmax(A, axis=0), A

# %% self_attention_columns wrong [keys-as-values] · the value matrix makes the keys
def self_attention_columns(inputs, W_q, W_k, W_v):
    Q, K, V = W_q @ inputs, W_k @ inputs, W_k @ inputs
    A_hat = softmax(K.T @ Q / math.sqrt(len(K)), axis=0)
    return V @ A_hat, A_hat

# %% self_attention_columns wrong [weights-transposed-in-sum] · sums the values with the weights' rows
def self_attention_columns(inputs, W_q, W_k, W_v):
    Q, K, V = W_q @ inputs, W_k @ inputs, W_v @ inputs
    A_hat = softmax(K.T @ Q / math.sqrt(len(K)), axis=0)
    O = np.zeros((len(V), inputs.shape[1]))
    for i in range(inputs.shape[1]):
        for j in range(inputs.shape[1]):
            O[:, i] += A_hat[i, j] * V[:, j]
    return O, A_hat

# %% self_attention_columns wrong [last-key-missing] · the last token is not attended to
def self_attention_columns(inputs, W_q, W_k, W_v):
    n = inputs.shape[1]
    Q, K, V = W_q @ inputs, W_k @ inputs, W_v @ inputs
    A_hat = softmax(K.T @ Q / math.sqrt(len(K)), axis=0)
    O = sum(np.outer(V[:, j], A_hat[j]) for j in range(n - 1))
    return O, A_hat

# %% self_attention_columns wrong [last-value-only] · overwritten in the loop
def self_attention_columns(inputs, W_q, W_k, W_v):
    n = inputs.shape[1]
    Q, K, V = W_q @ inputs, W_k @ inputs, W_v @ inputs
    A_hat = softmax(K.T @ Q / math.sqrt(len(K)), axis=0)
    O = np.zeros((len(V), n))
    for i in range(n):
        for j in range(n):
            O[:, i] = A_hat[j, i] * V[:, j]
    return O, A_hat

# %% self_attention_columns wrong [in-place-weights] · scaled in place
def self_attention_columns(inputs, W_q, W_k, W_v):
    W_q /= math.sqrt(len(W_q))
    A_hat = softmax((W_k @ inputs).T @ (W_q @ inputs), axis=0)
    return (W_v @ inputs) @ A_hat, A_hat

# %% self_attention_columns wrong [causal] · causal
def self_attention_columns(inputs, W_q, W_k, W_v):
    Q, K, V = W_q @ inputs, W_k @ inputs, W_v @ inputs
    A = K.T @ Q / math.sqrt(len(K))
    n = A.shape[0]
    A = np.where(np.arange(n)[:, None] <= np.arange(n)[None, :], A, -1e30)
    A_hat = softmax(A, axis=0)
    return V @ A_hat, A_hat

# %% self_attention_columns wrong [tokens-from-rows] · tokens taken from the rows
def self_attention_columns(inputs, W_q, W_k, W_v):
    Q = np.stack([W_q @ token for token in inputs], axis=1)
    K = np.stack([W_k @ token for token in inputs], axis=1)
    V = np.stack([W_v @ token for token in inputs], axis=1)
    A_hat = softmax(K.T @ Q / math.sqrt(len(K)), axis=0)
    return V @ A_hat, A_hat

# %% self_attention_columns wrong [scaled-weights] · scaled after the softmax
def self_attention_columns(inputs, W_q, W_k, W_v):
    Q, K, V = W_q @ inputs, W_k @ inputs, W_v @ inputs
    A_hat = softmax(K.T @ Q, axis=0) / math.sqrt(len(K))
    return V @ A_hat, A_hat

# %% self_attention_columns wrong [no-scale+rows-sum-to-one] · not scaled, and along the rows
def self_attention_columns(inputs, W_q, W_k, W_v):
    n = inputs.shape[1]
    A = np.array([[(W_k @ inputs[:, j]) @ (W_q @ inputs[:, i]) for i in range(n)] for j in range(n)])
    A_hat = np.array([softmax(row) for row in A])
    return np.einsum("vd,dj,ji->vi", W_v, inputs, A_hat), A_hat

# %% self_attention_columns wrong [squeezed] · squeezed
def self_attention_columns(inputs, W_q, W_k, W_v):
    A = np.squeeze((W_k @ inputs).T @ (W_q @ inputs)) / math.sqrt(len(W_k))
    A_hat = softmax(A, axis=0)
    return np.squeeze((W_v @ inputs) @ A_hat), A_hat

# %% self_attention_columns right · per query
def self_attention_columns(inputs, W_q, W_k, W_v):
    outs, columns = [], []
    for a_i in inputs.T:
        alpha = np.array([(W_q @ a_i) @ (W_k @ a_j) for a_j in inputs.T]) / math.sqrt(W_q.shape[0])
        columns.append(softmax(alpha))
        outs.append(sum(c * (W_v @ a_j) for c, a_j in zip(columns[-1], inputs.T)))
    return np.stack(outs, axis=1), np.stack(columns, axis=1)

# %% self_attention_columns right · einsum all the way
def self_attention_columns(inputs, W_q, W_k, W_v):
    A = np.einsum("kd,dj,ke,ei->ji", W_k, inputs, W_q, inputs) / W_k.shape[0] ** 0.5
    A_hat = np.exp(A - A.max(0, keepdims=True))
    A_hat /= A_hat.sum(0, keepdims=True)
    return np.einsum("vd,dj,ji->vi", W_v, inputs, A_hat), A_hat

# %% self_attention_columns right · the row form, turned back
def self_attention_columns(inputs, W_q, W_k, W_v):
    x = inputs.T
    weights = softmax(x @ W_q.T @ W_k @ x.T / math.sqrt(W_k.shape[0]))
    return (weights @ x @ W_v.T).T, weights.T

# %% self_attention_columns right · the weights last on the left, a list returned
def self_attention_columns(inputs, W_q, W_k, W_v):
    q = (W_q @ inputs) / np.sqrt(len(W_q))
    lifted = np.hstack([softmax((W_k @ inputs).T @ q[:, [i]], axis=0) for i in range(inputs.shape[1])])
    return [W_v @ (inputs @ lifted), lifted]

# %% self_attention_columns right · torch without the operator
def self_attention_columns(inputs, W_q, W_k, W_v):
    import torch

    I, W_q, W_k, W_v = map(torch.tensor, (inputs, W_q, W_k, W_v))
    A_hat = torch.softmax(torch.mm((W_k @ I).T, W_q @ I) / len(W_k) ** 0.5, dim=0)
    return torch.mm(W_v @ I, A_hat).numpy(), A_hat.numpy()

# %% self_attention_columns right · longdouble inside
def self_attention_columns(inputs, W_q, W_k, W_v):
    I = inputs.astype(np.longdouble)
    Q, K, V = W_q @ I, W_k @ I, W_v @ I
    scores = K.T.dot(Q) / np.sqrt(np.longdouble(K.shape[0]))
    scores = np.exp(scores - np.max(scores, axis=0))
    A_hat = np.divide(scores, np.add.reduce(scores, axis=0))
    return V.dot(A_hat), A_hat

# %% to_row_convention wrong [W_q-and-W_k-and-W_v-left] · only the inputs
def to_row_convention(inputs, W_q, W_k, W_v):
    x = np.swapaxes(inputs, 0, 1)
    return x, W_q, W_k, W_v

# %% to_row_convention wrong [inputs-left] · only the matrices
def to_row_convention(inputs, W_q, W_k, W_v):
    out = [inputs]
    for W in (W_q, W_k, W_v):
        out.append(np.transpose(W))
    return tuple(out)

# %% to_row_convention wrong [reshaped] · by reshape
def to_row_convention(inputs, W_q, W_k, W_v):
    def turn(M):
        rows, columns = M.shape
        return np.reshape(M, (columns, rows))

    return turn(inputs), turn(W_q), turn(W_k), turn(W_v)

# %% to_row_convention wrong [W_q-W_k-W_v-x] · inputs last
def to_row_convention(inputs, W_q, W_k, W_v):
    turned = [np.einsum("rc->cr", M) for M in (W_q, W_k, W_v, inputs)]
    return tuple(turned)

# %% to_row_convention wrong [x-W_k-W_q-W_v] · keys before queries
def to_row_convention(inputs, W_q, W_k, W_v):
    return inputs.transpose(), W_k.transpose(), W_q.transpose(), W_v.transpose()

# %% to_row_convention wrong [keeps_inputs] · in the caller's arrays
def to_row_convention(inputs, W_q, W_k, W_v):
    for M in (inputs, W_q, W_k, W_v):
        turned = M.T.copy()
        M.shape = turned.shape
        M[...] = turned
    return inputs, W_q, W_k, W_v

# %% to_row_convention wrong [matrices-joined] · stacked matrices
def to_row_convention(inputs, W_q, W_k, W_v):
    W = np.concatenate([W_q, W_k, W_v], axis=0).T
    return inputs.T, W

# %% to_row_convention wrong [projected-and-x] · multiplied as well
def to_row_convention(inputs, W_q, W_k, W_v):
    x = inputs.T
    return x, np.dot(x, W_q.T), np.dot(x, W_k.T), np.dot(x, W_v.T)

# %% to_row_convention wrong [W_q-and-W_k-and-W_v-left] · turns twice
def to_row_convention(inputs, W_q, W_k, W_v):
    x = inputs.T
    W_q, W_k, W_v = (np.moveaxis(W.T, 0, 1) for W in (W_q, W_k, W_v))
    return x, W_q, W_k, W_v

# %% to_row_convention right · moveaxis
def to_row_convention(inputs, W_q, W_k, W_v):
    x, q, k, v = (np.moveaxis(M, 0, -1) for M in (inputs, W_q, W_k, W_v))
    return x, q, k, v

# %% to_row_convention right · columns become rows one by one
def to_row_convention(inputs, W_q, W_k, W_v):
    def turn(M):
        return np.array([M[:, c] for c in range(M.shape[1])])

    return turn(inputs), turn(W_q), turn(W_k), turn(W_v)

# %% to_row_convention right · zip
def to_row_convention(inputs, W_q, W_k, W_v):
    return tuple(np.array(list(zip(*M, strict=True))) for M in (inputs, W_q, W_k, W_v))

# %% to_row_convention right · times the identity
def to_row_convention(inputs, W_q, W_k, W_v):
    return [np.eye(M.shape[1]) @ M.T for M in (inputs, W_q, W_k, W_v)]

# %% self_attention wrong [columns-sum-to-one] · softmax down the columns
def self_attention(x, W_q, W_k, W_v):
    Q, K, V = np.dot(x, W_q), np.dot(x, W_k), np.dot(x, W_v)
    E = np.exp((S := Q.dot(K.T) / K.shape[1] ** 0.5) - S.max(axis=0))
    weights = E / E.sum(axis=0)
    return weights.dot(V), weights

# %% self_attention wrong [no-scale] · not scaled, by einsum
def self_attention(x, W_q, W_k, W_v):
    q, k, v = (np.einsum("sd,de->se", x, W) for W in (W_q, W_k, W_v))
    weights = softmax(np.einsum("qe,ke->qk", q, k))
    return np.einsum("qk,ke->qe", weights, v), weights

# %% self_attention wrong [scale-sqrt-seq] · the root of the number of tokens
def self_attention(x, W_q, W_k, W_v):
    q, k, v = x @ W_q, x @ W_k, x @ W_v
    weights = softmax(q @ k.T / math.sqrt(len(k)))
    return weights @ v, weights

# %% self_attention wrong [scale-sqrt-d-in] · the root of d_in, a loop
def self_attention(x, W_q, W_k, W_v):
    output, rows = [], []
    for token in x:
        q = token @ W_q
        row = softmax(np.array([q @ (other @ W_k) for other in x]) / math.sqrt(len(token)))
        rows.append(row)
        output.append(sum(r * (other @ W_v) for r, other in zip(row, x)))
    return np.array(output), np.array(rows)

# %% self_attention wrong [queries-and-keys-swapped] · queries and keys exchanged
def self_attention(x, W_q, W_k, W_v):
    q, k, v = x @ W_q, x @ W_k, x @ W_v
    scores = np.matmul(k, q.transpose()) / math.sqrt(q.shape[-1])
    weights = softmax(scores, axis=1)
    return np.matmul(weights, v), weights

# %% self_attention wrong [lecture-products] · the lecture's products with rows
def self_attention(x, W_q, W_k, W_v):
    Q, K, V = (np.einsum("nd,dk->nk", x, W) for W in (W_q, W_k, W_v))
    A = np.einsum("nj,ni->ji", K, Q) / math.sqrt(len(K))
    E = np.exp(A - A.max(axis=0))
    A_hat = E / E.sum(axis=0)
    return np.einsum("vj,ji->vi", V, A_hat), A_hat

# %% self_attention wrong [elementwise-throughout] · elementwise comparison
def self_attention(x, W_q, W_k, W_v):
    Q, K, V = x @ W_q, x @ W_k, x @ W_v
    scores = np.multiply(Q, K) / np.sqrt(Q.shape[1])
    weights = softmax(scores)
    return weights * V, weights

# %% self_attention wrong [first-query-for-all] · one weight vector for all
def self_attention(x, W_q, W_k, W_v):
    q, k, v = x @ W_q, x @ W_k, x @ W_v
    w = softmax(k @ q[0] / math.sqrt(q.shape[1]))
    weights = np.tile(w, (len(x), 1))
    return weights @ v, weights

# %% self_attention wrong [all-sums-to-one] · normalised over everything
def self_attention(x, W_q, W_k, W_v):
    q, k, v = x @ W_q, x @ W_k, x @ W_v
    s = q @ k.T / math.sqrt(q.shape[1])
    e = np.exp(s - s.max())
    weights = e / e.sum()
    return weights @ v, weights

# %% self_attention wrong [global-max] · maximum of everything
def self_attention(x, W_q, W_k, W_v):
    q, k, v = x @ W_q, x @ W_k, x @ W_v
    s = q @ k.T / math.sqrt(q.shape[1])
    e = np.exp(s - s.max())
    weights = e / e.sum(axis=1, keepdims=True)
    return weights @ v, weights

# %% self_attention wrong [sum-without-keepdims] · keepdims forgotten
def self_attention(x, W_q, W_k, W_v):
    q, k, v = x @ W_q, x @ W_k, x @ W_v
    s = q @ k.T / math.sqrt(q.shape[1])
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    weights = e / e.sum(axis=-1)
    return weights @ v, weights

# %% self_attention wrong [output-only] · the output alone
def self_attention(x, W_q, W_k, W_v):
    q, k = x @ W_q, x @ W_k
    return softmax(q @ k.T / math.sqrt(q.shape[1])) @ (x @ W_v)

# %% self_attention wrong [order-of-results] · results exchanged
def self_attention(x, W_q, W_k, W_v):
    weights = softmax(x @ W_q @ W_k.T @ x.T / math.sqrt(W_k.shape[1]))
    return weights, weights @ x @ W_v

# %% self_attention wrong [one-matrix-for-all] · the same projection for all three
def self_attention(x, W_q, W_k, W_v):
    def project(W=W_q):
        return x @ W

    q, k, v = project(), project(), project()
    weights = softmax(q @ k.T / math.sqrt(q.shape[1]))
    return weights @ v, weights

# %% self_attention wrong [inputs-as-values] · values not projected
def self_attention(x, W_q, W_k, W_v):
    q, k = x @ W_q, x @ W_k
    weights = softmax(q @ k.T / math.sqrt(q.shape[1]))
    return weights @ x, weights

# %% self_attention wrong [causal-by-zeros] · future tokens hidden by zeros
def self_attention(x, W_q, W_k, W_v):
    q, k, v = x @ W_q, x @ W_k, x @ W_v
    s = np.tril(q @ k.T / math.sqrt(q.shape[1]))
    weights = softmax(s, axis=-1)
    return weights @ v, weights

# %% self_attention wrong [scale-d] · scaled once for queries and once for keys
def self_attention(x, W_q, W_k, W_v):
    d = W_q.shape[1]
    q, k, v = x @ W_q / math.sqrt(d), x @ W_k / math.sqrt(d), x @ W_v
    weights = softmax(np.inner(q, k))
    return weights @ v, weights

# %% self_attention wrong [residual] · adds the input when it fits
def self_attention(x, W_q, W_k, W_v):
    q, k, v = x @ W_q, x @ W_k, x @ W_v
    weights = softmax(q @ k.T / math.sqrt(q.shape[1]))
    return v + weights @ v, weights

# %% self_attention wrong [first-row-missing-in-both] · tokens counted from one
def self_attention(x, W_q, W_k, W_v):
    q, k, v = x @ W_q, x @ W_k, x @ W_v
    weights, output = np.zeros((len(x), len(x))), np.zeros_like(v)
    for i in range(1, len(x)):
        weights[i] = softmax(k @ q[i] / math.sqrt(q.shape[1]))
        output[i] = weights[i] @ v
    return output, weights

# %% self_attention wrong [sums_to_one] · rounded weights
def self_attention(x, W_q, W_k, W_v):
    q, k, v = x @ W_q, x @ W_k, x @ W_v
    weights = softmax(q @ k.T / math.sqrt(q.shape[1])).round(3)
    return weights @ v, weights

# %% self_attention wrong [no-scale+columns-sum-to-one] · not scaled, and down the columns
def self_attention(x, W_q, W_k, W_v):
    scores = np.array([[(t @ W_q) @ (u @ W_k) for u in x] for t in x])
    weights = np.stack([softmax(column) for column in scores.T], axis=1)
    return weights @ x @ W_v, weights

# %% self_attention wrong · squeezed
def self_attention(x, W_q, W_k, W_v):
    q, k, v = (np.squeeze(x @ W) for W in (W_q, W_k, W_v))
    weights = softmax(q @ k.T / math.sqrt(q.shape[-1]))
    return weights @ v, weights

# %% self_attention right · one token at a time, one pass
def self_attention(x, W_q, W_k, W_v):
    keys, values = x @ W_k, x @ W_v
    weights = np.array([softmax(keys @ (token @ W_q) / math.sqrt(keys.shape[1])) for token in x])
    return weights.dot(values), weights

# %% self_attention right · weights by pairs
def self_attention(x, W_q, W_k, W_v):
    q, k, v = x @ W_q, x @ W_k, x @ W_v
    s = (q[:, None, :] * k[None, :, :]).sum(-1) / np.sqrt(q.shape[-1])
    with np.errstate(over="ignore"):
        weights = 1 / np.exp(s[:, None, :] - s[:, :, None]).sum(-1)
    return np.einsum("ij,jd->id", weights, v), weights

# %% self_attention right · one product for three projections
def self_attention(x, W_q, W_k, W_v):
    q, k, v = np.split(x @ np.concatenate([W_q, W_k, W_v], axis=1), 3, axis=1)
    logits = q @ k.T
    logits /= np.sqrt(k.shape[1])
    logits -= np.logaddexp.reduce(logits, axis=1)[:, None]
    return np.exp(logits) @ v, np.exp(logits)

# %% self_attention right · the column form, turned
def self_attention(x, W_q, W_k, W_v):
    I = x.T
    A_hat = softmax((W_k.T @ I).T @ (W_q.T @ I) / W_q.shape[1] ** 0.5, axis=0)
    return (W_v.T @ I @ A_hat).T, A_hat.T

# %% self_attention right · torch's baddbmm
def self_attention(x, W_q, W_k, W_v):
    import torch

    q, k, v = (torch.tensor(x @ W)[None] for W in (W_q, W_k, W_v))
    s = torch.baddbmm(q.new_zeros(1, len(x), len(x)), q, k.mT, beta=0, alpha=q.shape[-1] ** -0.5)
    weights = s.softmax(-1)
    return torch.bmm(weights, v)[0].numpy(), weights[0].numpy()

# %% self_attention right · a helper class
class Attention:
    def __init__(self, *matrices):
        self.matrices = matrices

    def __call__(self, x):
        q, k, v = (x @ W for W in self.matrices)
        w = softmax(q @ k.T * (1 / math.sqrt(k.shape[1])), axis=1)
        return w @ v, w

def self_attention(x, W_q, W_k, W_v):
    return Attention(W_q, W_k, W_v)(x)

# %% scaled_dot_product_attention wrong [all-axes-transposed] · .T on a batch
def scaled_dot_product_attention(query, key, value):
    d_k = query.shape[-1]
    w = softmax(np.matmul(query, key.T) / math.sqrt(d_k))
    return np.matmul(w, value), w

# %% scaled_dot_product_attention wrong [scale-axis-1-of-queries] · d_k read off axis 1
def scaled_dot_product_attention(query, key, value):
    d_k = query.shape[1]
    w = softmax(np.einsum("...qd,...kd->...qk", query, key) / math.sqrt(d_k))
    return np.einsum("...qk,...kv->...qv", w, value), w

# %% scaled_dot_product_attention wrong [scale-sqrt-seq-k] · d_k is the number of keys
def scaled_dot_product_attention(query, key, value):
    *_, seq_k, d_k = key.shape
    w = softmax(query @ key.swapaxes(-1, -2) / np.sqrt(seq_k))
    return w @ value, w

# %% scaled_dot_product_attention wrong [scale-sqrt-d-v] · scaled by the values' length
def scaled_dot_product_attention(query, key, value):
    s = np.einsum("...qd,...kd->...qk", query, key)
    w = softmax(s / math.sqrt(value.shape[-1]))
    return w @ value, w

# %% scaled_dot_product_attention wrong [softmax-over-queries] · softmax over the queries
def scaled_dot_product_attention(query, key, value):
    s = np.einsum("...qd,...kd->...qk", query, key) * key.shape[-1] ** -0.5
    e = np.exp(s - s.max(axis=-2, keepdims=True))
    w = e / e.sum(axis=-2, keepdims=True)
    return w @ value, w

# %% scaled_dot_product_attention wrong [no-scale] · no scale, every item by itself
def scaled_dot_product_attention(query, key, value):
    if query.ndim == 2:
        w = softmax(query @ key.T)
        return w @ value, w
    parts = [scaled_dot_product_attention(*one) for one in zip(query, key, value)]
    return np.stack([p[0] for p in parts]), np.stack([p[1] for p in parts])

# %% scaled_dot_product_attention wrong [einsum-3-axes] · exactly one batch axis, by einsum
def scaled_dot_product_attention(query, key, value):
    w = softmax(np.einsum("bqd,bkd->bqk", query, key) / np.sqrt(key.shape[-1]))
    return np.einsum("bqk,bkv->bqv", w, value), w

# %% scaled_dot_product_attention wrong [scale-d] · heads summed in the einsum
def scaled_dot_product_attention(query, key, value):
    letters = "abcdef"[: query.ndim - 2]
    s = np.einsum(f"{letters}qx,{letters}kx->{letters}qk", query, key) / query.shape[-1]
    w = softmax(s)
    return w @ value, w

# %% scaled_dot_product_attention wrong [first-item-for-all] · every item meets the keys of the first
def scaled_dot_product_attention(query, key, value):
    first = key.reshape(-1, *key.shape[-2:])[0]
    w = softmax(np.einsum("...qd,kd->...qk", query, first) / math.sqrt(key.shape[-1]))
    return w @ value, w

# %% scaled_dot_product_attention wrong [batch-joined-and-cut] · all items in one long sequence
def scaled_dot_product_attention(query, key, value):
    q = query.reshape(-1, query.shape[-1])
    k = key.reshape(-1, key.shape[-1])
    v = value.reshape(-1, value.shape[-1])
    w = softmax(q @ k.T / math.sqrt(k.shape[-1]))
    return (w @ v).reshape(*query.shape[:-1], v.shape[-1]), w.reshape(*query.shape[:-1], -1)

# %% scaled_dot_product_attention wrong [naive-softmax] · the plain exponentials
def scaled_dot_product_attention(query, key, value):
    top = np.exp(np.matmul(query, key.swapaxes(-2, -1)) / np.sqrt(query.shape[-1]))
    w = top / np.sum(top, axis=-1)[..., None]
    return np.matmul(w, value), w

# %% scaled_dot_product_attention wrong [reshaped-keys] · reshape for a transpose
def scaled_dot_product_attention(query, key, value):
    turned = key.reshape(*key.shape[:-2], key.shape[-1], key.shape[-2])
    w = softmax(query @ turned / math.sqrt(query.shape[-1]))
    return w @ value, w

# %% scaled_dot_product_attention wrong [softmax-axis-2] · the axis of the softmax is 2
def scaled_dot_product_attention(query, key, value):
    s = query @ np.moveaxis(key, -1, -2) / math.sqrt(query.shape[-1])
    w = softmax(s, 2)
    return w @ value, w

# %% scaled_dot_product_attention wrong [squeezed] · squeezed at the end
def scaled_dot_product_attention(query, key, value):
    s = query @ np.moveaxis(key, -1, -2) / math.sqrt(query.shape[-1])
    w = softmax(s)
    return np.squeeze(w @ value), np.squeeze(w)

# %% scaled_dot_product_attention wrong [in-place-queries] · the query is scaled in place
def scaled_dot_product_attention(query, key, value):
    query *= query.shape[-1] ** -0.5
    w = softmax(np.einsum("...qd,...kd->...qk", query, key))
    return w @ value, w

# %% scaled_dot_product_attention wrong · always a batch in front
def scaled_dot_product_attention(query, key, value):
    query, key, value = np.atleast_3d(query), np.atleast_3d(key), np.atleast_3d(value)
    w = softmax(query @ key.swapaxes(-1, -2) / math.sqrt(key.shape[-1]))
    return w @ value, w

# %% scaled_dot_product_attention wrong [one-leading-axis-only] · the first axis added and left
def scaled_dot_product_attention(query, key, value):
    if query.ndim == 2:
        query, key, value = query[None], key[None], value[None]
    w = softmax(query @ key.swapaxes(-1, -2) / math.sqrt(key.shape[-1]))
    return w @ value, w

# %% scaled_dot_product_attention wrong [keys-as-values] · keys in place of values
def scaled_dot_product_attention(query, key, value):
    w = softmax(query @ key.swapaxes(-1, -2) / math.sqrt(key.shape[-1]))
    return np.einsum("...qk,...kd->...qd", w, key), w

# %% scaled_dot_product_attention wrong [output-only] · the output alone
def scaled_dot_product_attention(query, key, value):
    w = softmax(query @ key.swapaxes(-1, -2) / math.sqrt(key.shape[-1]))
    return np.matmul(w, value)

# %% scaled_dot_product_attention wrong [same-lengths] · only as many keys as queries
def scaled_dot_product_attention(query, key, value):
    seq = query.shape[-2]
    w = softmax(query @ key[..., :seq, :].swapaxes(-1, -2) / math.sqrt(key.shape[-1]))
    return w @ value[..., :seq, :], w

# %% scaled_dot_product_attention wrong [causal] · a causal mask on top
def scaled_dot_product_attention(query, key, value):
    s = query @ key.swapaxes(-1, -2) / math.sqrt(key.shape[-1])
    hidden = np.triu(np.ones(s.shape[-2:], dtype=bool), k=1)
    w = softmax(np.where(hidden, -np.inf, s))
    return w @ value, w

# %% scaled_dot_product_attention wrong [forbidden-operator] · PyTorch's operator for the output
def scaled_dot_product_attention(query, key, value):
    import torch
    from torch.nn import functional

    w = softmax(query @ key.swapaxes(-1, -2) / math.sqrt(key.shape[-1]))
    output = functional.scaled_dot_product_attention(*map(torch.from_numpy, (query, key, value)))
    return output.numpy(), w

# %% scaled_dot_product_attention wrong [scale-d+softmax-over-queries] · by d_k, and over the queries
def scaled_dot_product_attention(query, key, value):
    s = (query[..., :, None, :] * key[..., None, :, :]).mean(axis=-1)
    w = softmax(s, axis=s.ndim - 2)
    return np.einsum("...qk,...kv->...qv", w, value), w

# %% scaled_dot_product_attention wrong [no-scale+order-of-results] · no scale, and the results exchanged
def scaled_dot_product_attention(query, key, value):
    w = softmax(np.einsum("...qd,...kd->...qk", query, key))
    return w, np.einsum("...qk,...kv->...qv", w, value)

# %% scaled_dot_product_attention right · flat items in a list
def scaled_dot_product_attention(query, key, value):
    lead = query.shape[:-2]
    outputs, all_weights = [], []
    for index in np.ndindex(lead):
        w = softmax(query[index] @ key[index].T / math.sqrt(key.shape[-1]), axis=1)
        all_weights.append(w)
        outputs.append(w @ value[index])
    return np.array(outputs).reshape(*lead, *outputs[0].shape), np.array(all_weights).reshape(*lead, *w.shape)

# %% scaled_dot_product_attention right · transposes by a list of axes
def scaled_dot_product_attention(query, key, value):
    axes = [*range(key.ndim - 2), key.ndim - 1, key.ndim - 2]
    s = np.matmul(query * (1 / math.sqrt(query.shape[-1])), key.transpose(axes))
    s = s - np.max(s, axis=-1)[..., np.newaxis]
    w = np.exp(s)
    w = w / np.sum(w, axis=-1)[..., np.newaxis]
    return np.matmul(w, value), w

# %% scaled_dot_product_attention right · running softmax over the keys
def scaled_dot_product_attention(query, key, value):
    s = np.einsum("...qd,...kd->...qk", query, key) / math.sqrt(key.shape[-1])
    best = np.full(s.shape[:-1], -np.inf)
    below = np.zeros(s.shape[:-1])
    above = np.zeros((*s.shape[:-1], value.shape[-1]))
    for j in range(key.shape[-2]):
        new = np.maximum(best, s[..., j])
        shrink, share = np.exp(best - new), np.exp(s[..., j] - new)
        below = below * shrink + share
        above = above * shrink[..., None] + share[..., None] * value[..., None, j, :]
        best = new
    return above / below[..., None], np.exp(s - best[..., None]) / below[..., None]

# %% scaled_dot_product_attention right · torch, no attention operator
def scaled_dot_product_attention(query, key, value):
    import torch

    q, k, v = (torch.tensor(a) for a in (query, key, value))
    w = torch.softmax(q @ k.transpose(-1, -2) / k.size(-1) ** 0.5, dim=-1)
    return (w @ v).numpy(), w.numpy()

# %% scaled_dot_product_attention right · values by broadcasting, lists returned
def scaled_dot_product_attention(query, key, value):
    distance = ((query[..., :, None, :] - key[..., None, :, :]) ** 2).sum(-1)
    dots = ((query**2).sum(-1)[..., None] + (key**2).sum(-1)[..., None, :] - distance) / 2
    w = softmax(dots / np.sqrt(query.shape[-1]), -1)
    return [np.sum(w[..., None] * value[..., None, :, :], axis=-2), w]

# %% scaled_dot_product_attention right · a decorator that adds and takes away a batch axis
def with_batch(function):
    def wrapped(query, key, value):
        lead = query.shape[:-2]
        flat = [a.reshape(-1, *a.shape[-2:]) for a in (query, key, value)]
        return tuple(r.reshape(*lead, *r.shape[1:]) for r in function(*flat))

    return wrapped

@with_batch
def scaled_dot_product_attention(query, key, value):
    w = softmax(np.einsum("bqd,bkd->bqk", query, key) / math.sqrt(key.shape[2]), axis=2)
    return np.einsum("bqk,bkv->bqv", w, value), w
