"""Held-out pieces of unit 04; see __init__.py."""

# %% before
import itertools
import math

import numpy as np


# %% numerical_gradient wrong [forward-difference] · keeps f(x) and looks ahead, over a flat copy
def numerical_gradient(function, x, step=1e-6):
    base = function(x)
    slopes = []
    for k in range(x.size):
        moved = x.ravel().copy()
        moved[k] = moved[k] + step
        slopes.append((function(moved.reshape(x.shape)) - base) / step)
    return np.array(slopes).reshape(x.shape)


# %% numerical_gradient wrong [divided-by-step] · unit vectors, and h where 2h belongs
def numerical_gradient(function, x, step=1e-6):
    out = np.zeros_like(x)
    for place in itertools.product(*map(range, x.shape)):
        e = np.zeros_like(x)
        e[place] = step
        out[place] = function(x + e) - function(x - e)
    return out / step


# %% numerical_gradient wrong [no-minus-copy] · moves the caller's array and leaves it moved
def numerical_gradient(function, x, step=1e-6):
    grads = np.empty(x.shape)
    for place, _ in np.ndenumerate(x.copy()):
        x[place] = x[place] + step
        hi = function(x)
        x[place] = x[place] - 2 * step
        lo = function(x)
        grads[place] = (hi - lo) / (2 * step)
    return grads


# %% numerical_gradient wrong [copied-once] · one work copy up and one down, never restored
def numerical_gradient(function, x, step=1e-6):
    plus = np.array(x)
    minus = np.array(x)
    answer = np.zeros(x.size)
    for n, place in enumerate(np.ndindex(*x.shape)):
        plus[place] += step
        minus[place] -= step
        answer[n] = (function(plus) - function(minus)) / 2 / step
    return answer.reshape(x.shape)


# %% numerical_gradient wrong [two-axes-only] · two nested loops over a table
def numerical_gradient(function, x, step=1e-6):
    n_rows, n_columns = x.shape
    g = [[0.0] * n_columns for _ in range(n_rows)]
    for r in range(n_rows):
        for c in range(n_columns):
            nudge = np.zeros((n_rows, n_columns))
            nudge[r, c] = step
            g[r][c] = (function(x + nudge) - function(x - nudge)) / (2 * step)
    return np.array(g)


# %% numerical_gradient wrong [one-axis-put-back] · one axis only: a list of slopes, the entry put back from a name
def numerical_gradient(function, x, step=1e-6):
    def f_at(i, value):
        x[i] = value
        return function(x)

    slopes = []
    i = 0
    while i < len(x):
        old = x[i]
        up = f_at(i, old + step)
        down = f_at(i, old - step)
        f_at(i, old)
        slopes.append((up - down) / (2 * step))
        i += 1
    return np.array(slopes)


# %% numerical_gradient wrong · the value kept from a table's row is a view, so nothing is put back
def numerical_gradient(function, x, step=1e-6):
    flat = x.reshape(-1)
    g = np.zeros(flat.size)
    for i in range(flat.size):
        old = flat[i : i + 1]
        flat[i] += step
        up = function(x)
        flat[i] = old[0] - 2 * step
        down = function(x)
        flat[i] = old[0]
        g[i] = (up - down) / (2 * step)
    return g.reshape(x.shape)


# %% numerical_gradient wrong · remembers the gradients of the call before, in a default argument
def numerical_gradient(function, x, step=1e-6, found=[]):
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        found.append((function(up) - function(down)) / (2 * step))
    return np.array(found)[: x.size].reshape(x.shape)


# %% numerical_gradient wrong [single-precision] · copies kept as float32
def numerical_gradient(function, x, step=1e-6):
    result = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        pair = []
        for sign in (1, -1):
            moved = np.array(x, dtype="f4")
            moved[place] += sign * step
            pair.append(function(moved))
        result[place] = (pair[0] - pair[1]) / (2 * step)
    return result


# %% numerical_gradient wrong [step-1e-6] · the step is written into the code
def numerical_gradient(function, x, step=1e-6):
    h = 1e-6
    eye = np.identity(x.size)
    rows = [(function(x + h * row.reshape(x.shape)) - function(x - h * row.reshape(x.shape))) / (2 * h) for row in eye]
    return np.reshape(rows, x.shape)


# %% numerical_gradient wrong [sign] · down minus up, with the two points in a dict
def numerical_gradient(function, x, step=1e-6):
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        value = {}
        for sign in (-1, 1):
            point = x.copy()
            point[place] += sign * step
            value[sign] = function(point)
        gradient[place] = (value[-1] - value[1]) / (2 * step)
    return gradient


# %% numerical_gradient wrong [brackets-forgotten] · / 2 * step at the end, for all at once
def numerical_gradient(function, x, step=1e-6):
    differences = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        nudge = np.zeros(x.shape)
        nudge[place] += step
        differences[place] = function(x + nudge) - function(x - nudge)
    return differences / 2 * step


# %% numerical_gradient wrong [first-entry-only] · returns out of the loop
def numerical_gradient(function, x, step=1e-6):
    grad = np.zeros_like(x)
    places = list(np.ndindex(x.shape))
    while places:
        at = places.pop(0)
        a, b = x.copy(), x.copy()
        a[at], b[at] = x[at] + step, x[at] - step
        grad[at] = (function(a) - function(b)) / (2.0 * step)
        return grad


# %% numerical_gradient wrong [column-order-read] · goes through x column by column, and fills row by row
def numerical_gradient(function, x, step=1e-6):
    slopes = []
    for backwards in itertools.product(*(range(n) for n in reversed(x.shape))):
        at = backwards[::-1]
        nudge = np.zeros_like(x)
        nudge[at] = step
        slopes.append((function(x + nudge) - function(x - nudge)) / (2 * step))
    return np.array(slopes).reshape(x.shape)


# %% numerical_gradient wrong · a gradient divided by its size, as a mean
def numerical_gradient(function, x, step=1e-6):
    def f(a):
        return function(a) / a.size

    g = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        g[place] = (f(up) - f(down)) / (2 * step)
    return g


# %% numerical_gradient wrong · small slopes are taken for rounding, and set to 0
def numerical_gradient(function, x, step=1e-6):
    g = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        slope = (function(up) - function(down)) / (2 * step)
        g[place] = slope if abs(slope) > 1e-2 else 0.0
    return g


# %% numerical_gradient right · recursion over the axes
def numerical_gradient(function, x, step=1e-6):
    def slopes(prefix):
        if len(prefix) == x.ndim:
            up, down = x.copy(), x.copy()
            up[prefix] += step
            down[prefix] -= step
            return (function(up) - function(down)) / (2 * step)
        return [slopes((*prefix, i)) for i in range(x.shape[len(prefix)])]

    return np.array(slopes(()))


# %% numerical_gradient right · boolean masks mark the entry
def numerical_gradient(function, x, step=1e-6):
    g = np.zeros(x.shape)
    for k in range(x.size):
        here = (np.arange(x.size) == k).reshape(x.shape)
        g[here] = (function(np.where(here, x + step, x)) - function(np.where(here, x - step, x))) / (step + step)
    return g


# %% numerical_gradient right · a context that puts the entry back
def numerical_gradient(function, x, step=1e-6):
    from contextlib import contextmanager

    @contextmanager
    def nudged(place, by):
        before = float(x[place])
        x[place] = before + by
        try:
            yield x
        finally:
            x[place] = before

    def slope(place):
        with nudged(place, step) as up:
            high = function(up)
        with nudged(place, -step) as down:
            low = function(down)
        return (high - low) / (2 * step)

    return np.fromiter((slope(p) for p in np.ndindex(x.shape)), dtype=float, count=x.size).reshape(x.shape)


# %% numerical_gradient right · flat indices and unravel_index
def numerical_gradient(function, x, step=1e-6):
    result = np.empty(x.size)
    for k in range(x.size):
        at = np.unravel_index(k, x.shape)
        values = []
        for s in (step, -step):
            y = x.astype(np.float64)
            y[at] += s
            values.append(float(function(y)))
        result[k] = np.subtract(*values) * 0.5 / step
    return np.reshape(result, x.shape)


# %% numerical_gradient right · numpy's put, and a map
def numerical_gradient(function, x, step=1e-6):
    def value(k, h):
        moved = x.copy()
        moved.put(k, moved.item(k) + h)
        return function(moved)

    return np.array([(value(k, step) - value(k, -step)) / (2 * step) for k in range(x.size)]).reshape(x.shape)


# %% numerical_gradient right · works on a copy of its own and restores that
def numerical_gradient(function, x, step=1e-6):
    work = x.copy()
    g = np.zeros_like(work)
    for place in np.ndindex(work.shape):
        value = work[place]
        work[place] = value + step
        g[place] = function(work)
        work[place] = value - step
        g[place] -= function(work)
        work[place] = value
    g /= 2 * step
    return g


# %% softmax_backward wrong [no-mean] · the diagonal's gain alone, by einsum
def softmax_backward(weights, grad_weights):
    return np.einsum("...i,...i->...i", weights, grad_weights)


# %% softmax_backward wrong [own-entry-only] · a Jacobian made with eye, its off-diagonal forgotten
def softmax_backward(weights, grad_weights):
    n = weights.shape[-1]
    jacobian = np.eye(n) * (weights * (1 - weights))[..., None, :]
    return np.einsum("...ij,...j->...i", jacobian, grad_weights)


# %% softmax_backward wrong [whole-array] · a mean over everything, by np.vdot of flattened arrays
def softmax_backward(weights, grad_weights):
    average = (weights.ravel() * grad_weights.ravel()).sum()
    return weights * grad_weights - weights * average


# %% softmax_backward wrong [keepdims-forgotten] · average by einsum, without the axis
def softmax_backward(weights, grad_weights):
    average = np.einsum("...i,...i->...", weights, grad_weights)
    difference = grad_weights - average
    return difference * weights


# %% softmax_backward wrong [plain-mean] · subtracts the ordinary mean
def softmax_backward(weights, grad_weights):
    centred = grad_weights - grad_weights.mean(-1)[..., np.newaxis]
    return centred * weights


# %% softmax_backward wrong [sign] · Jacobian with the signs turned
def softmax_backward(w, g):
    outer = w[..., :, None] * w[..., None, :]
    diagonal = np.eye(w.shape[-1]) * w[..., None, :]
    return ((outer - diagonal) @ g[..., None])[..., 0]


# %% softmax_backward wrong [axis-0] · Jacobian loop that takes the first axis for the keys
def softmax_backward(weights, grad_weights):
    result = np.zeros_like(weights)
    n = weights.shape[0]
    for i in range(n):
        for j in range(n):
            result[j] += grad_weights[i] * weights[i] * ((1.0 if i == j else 0.0) - weights[j])
    return result


# %% softmax_backward wrong [others-gain] · plus in the off-diagonal terms of a double loop
def softmax_backward(weights, grad_weights):
    result = np.zeros(weights.shape)
    for *row, j in np.ndindex(weights.shape):
        w, g = weights[tuple(row)], grad_weights[tuple(row)]
        total = 0.0
        for i in range(len(w)):
            total += g[i] * (w[j] * (1 - w[j]) if i == j else w[i] * w[j])
        result[(*row, j)] = total
    return result


# %% softmax_backward wrong · loop whose running sum is not reset for each row
def softmax_backward(weights, grad_weights):
    w, g = weights.reshape(-1, weights.shape[-1]), grad_weights.reshape(-1, weights.shape[-1])
    out = np.zeros_like(w)
    mean = 0.0
    for r in range(len(w)):
        for i in range(w.shape[1]):
            mean += w[r, i] * g[r, i]
        out[r] = w[r] * (g[r] - mean)
    return out.reshape(weights.shape)


# %% softmax_backward wrong [last-key-only] · an = for a += in a loop
def softmax_backward(weights, grad_weights):
    out = np.zeros_like(weights)
    for row in np.ndindex(weights.shape[:-1]):
        for j in range(weights.shape[-1]):
            for i in range(weights.shape[-1]):
                out[row][j] = grad_weights[row][i] * weights[row][i] * ((i == j) - weights[row][j])
    return out


# %% softmax_backward wrong [in-place-gradient] · subtracts into its argument
def softmax_backward(weights, grad_weights):
    average = np.expand_dims(np.sum(grad_weights * weights, -1), -1)
    np.subtract(grad_weights, average, out=grad_weights)
    return weights * grad_weights


# %% softmax_backward wrong · for one row, with the Jacobian built by np.diagflat
def softmax_backward(weights, grad_weights):
    J = np.diagflat(weights) - np.outer(weights, weights)
    return np.dot(J, grad_weights.ravel()).reshape(weights.shape)


# %% softmax_backward wrong · divides by the sum of the weights of the whole batch
def softmax_backward(weights, grad_weights):
    weighted = weights * grad_weights
    mean = weighted.sum(-1, keepdims=True) / weights.sum()
    return weights * (grad_weights - mean)


# %% softmax_backward wrong · a softmax over sigmoid's formula
def softmax_backward(weights, grad_weights):
    local = weights - weights**2
    return local * grad_weights - np.sum(weights * grad_weights, axis=-1, keepdims=True)


# %% softmax_backward wrong · two axes only: transposes to line up the mean
def softmax_backward(weights, grad_weights):
    mean = (weights * grad_weights).sum(axis=-1)
    return (weights.T * (grad_weights.T - mean)).T


# %% softmax_backward right · inner products by matmul, broadcast back
def softmax_backward(weights, grad_weights):
    inner = np.squeeze(np.matmul(np.expand_dims(weights, -2), np.expand_dims(grad_weights, -1)), -1)
    return np.multiply(weights, np.subtract(grad_weights, inner))


# %% softmax_backward right · apply_along_axis over both, joined
def softmax_backward(weights, grad_weights):
    n = weights.shape[-1]

    def one(both):
        w, g = both[:n], both[n:]
        return np.diag(w).dot(g) - w * w.dot(g)

    return np.apply_along_axis(one, -1, np.concatenate([weights, grad_weights], axis=-1))


# %% softmax_backward right · keys first, then back
def softmax_backward(weights, grad_weights):
    w, g = np.moveaxis(weights, -1, 0), np.moveaxis(grad_weights, -1, 0)
    return np.moveaxis(w * (g - (w * g).sum(0)), 0, -1)


# %% softmax_backward right · pairwise differences: w_j times the weighted mean of g_j − g_i
def softmax_backward(weights, grad_weights):
    differences = grad_weights[..., :, None] - grad_weights[..., None, :]
    return weights * np.einsum("...ji,...i->...j", differences, weights)


# %% softmax_backward right · recursion over leading axes
def softmax_backward(weights, grad_weights):
    if weights.ndim == 1:
        return weights * (grad_weights - weights @ grad_weights)
    return np.stack([softmax_backward(w, g) for w, g in zip(weights, grad_weights)])


# %% softmax_backward right · an array of its own, changed in place
def softmax_backward(weights, grad_weights):
    result = grad_weights.copy()
    result -= np.add.reduce(weights * grad_weights, axis=weights.ndim - 1)[..., None]
    result *= weights
    return result


# %% attention_backward wrong [no-scale] · einsum throughout, no 1/√d_k
def attention_backward(query, key, value, weights, grad_output):
    gv = np.einsum("...qk,...qv->...kv", weights, grad_output)
    gw = np.einsum("...qv,...kv->...qk", grad_output, value)
    gs = weights * (gw - np.einsum("...qk,...qk->...q", gw, weights)[..., None])
    return np.einsum("...qk,...kd->...qd", gs, key), np.einsum("...qk,...qd->...kd", gs, query), gv


# %% attention_backward wrong [scale-d] · scale applied to the keys and to the gradient
def attention_backward(query, key, value, weights, grad_output):
    root = math.sqrt(query.shape[-1])
    turn = lambda a: np.moveaxis(a, -2, -1)
    grad_scores = softmax_backward(weights, grad_output @ turn(value)) / root
    return grad_scores @ (key / root), turn(grad_scores) @ (query / root), turn(weights) @ grad_output


# %% attention_backward wrong [no-softmax] · the softmax is left out
def attention_backward(query, key, value, weights, grad_output):
    scale = query.shape[-1] ** -0.5
    d_scores = np.matmul(grad_output, value.swapaxes(-1, -2)) * scale
    d_value = np.matmul(weights.swapaxes(-1, -2), grad_output)
    d_query = np.matmul(d_scores, key)
    d_key = np.matmul(d_scores.swapaxes(-1, -2), query)
    return d_query, d_key, d_value


# %% attention_backward wrong [order-v-k-q] · returned in the order in which they are found
def attention_backward(query, key, value, weights, grad_output):
    found = []
    found.append(np.einsum("...ij,...iv->...jv", weights, grad_output))
    gs = softmax_backward(weights, np.einsum("...iv,...jv->...ij", grad_output, value)) / np.sqrt(query.shape[-1])
    found.append(np.einsum("...ij,...id->...jd", gs, query))
    found.append(np.einsum("...ij,...jd->...id", gs, key))
    return tuple(found)


# %% attention_backward wrong [scale-on-values] · every gradient is divided
def attention_backward(query, key, value, weights, grad_output):
    gv = np.swapaxes(weights, -1, -2) @ grad_output
    gs = softmax_backward(weights, grad_output @ np.swapaxes(value, -1, -2))
    gq, gk = gs @ key, np.swapaxes(gs, -1, -2) @ query
    return tuple(g / np.sqrt(key.shape[-1]) for g in (gq, gk, gv))


# %% attention_backward wrong [over-queries] · the mean runs down the queries
def attention_backward(query, key, value, weights, grad_output):
    grad_value = np.einsum("...qk,...qv->...kv", weights, grad_output)
    g = np.einsum("...qv,...kv->...qk", grad_output, value)
    gs = weights * (g - (weights * g).sum(axis=-2, keepdims=True)) / math.sqrt(key.shape[-1])
    return gs @ key, gs.swapaxes(-1, -2) @ query, grad_value


# %% attention_backward wrong · no leading axes: .T
def attention_backward(query, key, value, weights, grad_output):
    d_v = weights.T.dot(grad_output)
    d_s = softmax_backward(weights, grad_output.dot(value.T)) / np.sqrt(query.shape[1])
    return d_s.dot(key), d_s.T.dot(query), d_v


# %% attention_backward wrong [query-from-queries] · grad_query made from the queries
def attention_backward(query, key, value, weights, grad_output):
    s = softmax_backward(weights, grad_output @ value.swapaxes(-2, -1)) * (1 / math.sqrt(key.shape[-1]))
    grads = {"v": weights.swapaxes(-2, -1) @ grad_output, "k": s.swapaxes(-2, -1) @ query, "q": s @ query}
    return grads["q"], grads["k"], grads["v"]


# %% attention_backward wrong [scale-d-v] · the scale is the width of the values
def attention_backward(query, key, value, weights, grad_output):
    d = grad_output.shape[-1]
    gw = np.einsum("...qv,...kv->...qk", grad_output, value)
    gs = softmax_backward(weights, gw) / d**0.5
    return gs @ key, np.einsum("...qk,...qd->...kd", gs, query), np.einsum("...qk,...qv->...kv", weights, grad_output)


# %% attention_backward wrong [unscaled-weights] · weights of unscaled scores, computed anew
def attention_backward(query, key, value, weights, grad_output):
    transpose = lambda a: np.swapaxes(a, -2, -1)
    s = query @ transpose(key)
    w = np.exp(s - s.max(-1, keepdims=True))
    w /= w.sum(-1, keepdims=True)
    g = w * ((gw := grad_output @ transpose(value)) - (w * gw).sum(-1, keepdims=True)) / np.sqrt(key.shape[-1])
    return g @ key, transpose(g) @ query, transpose(w) @ grad_output


# %% attention_backward wrong · the value's gradient uses the softmax's gradient in place of the weights
def attention_backward(query, key, value, weights, grad_output):
    gs = softmax_backward(weights, grad_output @ np.swapaxes(value, -1, -2)) / np.sqrt(query.shape[-1])
    back = np.swapaxes(gs, -1, -2)
    return gs @ key, back @ query, back @ grad_output


# %% attention_backward wrong · batch loop that keeps only the last item's key gradient
def attention_backward(query, key, value, weights, grad_output):
    gq, gk, gv = np.zeros_like(query), np.zeros_like(key), np.zeros_like(value)
    for place in np.ndindex(query.shape[:-2]):
        gs = softmax_backward(weights[place], grad_output[place] @ value[place].T) / np.sqrt(key.shape[-1])
        gq[place] = gs @ key[place]
        gk[...] = gs.T @ query[place]
        gv[place] = weights[place].T @ grad_output[place]
    return gq, gk, gv


# %% attention_backward wrong [in-place-weights] · changes the weights while it works
def attention_backward(query, key, value, weights, grad_output):
    gv = np.swapaxes(weights, -1, -2) @ grad_output
    gw = grad_output @ np.swapaxes(value, -1, -2)
    mean = (gw * weights).sum(-1, keepdims=True)
    weights *= gw - mean
    weights /= np.sqrt(key.shape[-1])
    return weights @ key, np.swapaxes(weights, -1, -2) @ query, gv


# %% attention_backward wrong · loss summed: grad_output's rows are taken as their sum
def attention_backward(query, key, value, weights, grad_output):
    gs = softmax_backward(weights, grad_output @ np.swapaxes(value, -1, -2)) / np.sqrt(query.shape[-1])
    total = grad_output.sum(-2, keepdims=True)
    gv = np.swapaxes(weights, -1, -2).sum(-1, keepdims=True) * total
    return gs @ key, np.swapaxes(gs, -1, -2) @ query, gv


# %% attention_backward wrong · queries and keys are both sent back through the same product
def attention_backward(query, key, value, weights, grad_output):
    gs = softmax_backward(weights, np.einsum("...qv,...kv->...qk", grad_output, value)) / np.sqrt(query.shape[-1])
    gq = np.einsum("...qk,...kd->...qd", gs, key)
    gk = np.einsum("...qk,...kd->...kd", gs, key)
    return gq, gk, np.einsum("...qk,...qv->...kv", weights, grad_output)


# %% attention_backward right · heads and batch as one axis, then split again
def attention_backward(query, key, value, weights, grad_output):
    def one(q, k, v, w, g):
        e = g @ v.T
        s = (w * e - w * np.sum(w * e, axis=1)[:, None]) / math.sqrt(k.shape[1])
        return s @ k, s.T @ q, w.T @ g

    if query.ndim == 2:
        return one(query, key, value, weights, grad_output)
    leading = query.shape[:-2]
    flat = [a.reshape(-1, a.shape[-2], a.shape[-1]) for a in (query, key, value, weights, grad_output)]
    items = [one(*item) for item in zip(*flat)]
    return tuple(np.stack([item[i] for item in items]).reshape(*leading, *items[0][i].shape) for i in range(3))


# %% attention_backward right · the scale divided between queries and keys
def attention_backward(query, key, value, weights, grad_output):
    quarter = query.shape[-1] ** -0.25
    q, k = query * quarter, key * quarter
    gs = softmax_backward(weights=weights, grad_weights=np.einsum("...qv,...kv->...qk", grad_output, value))
    return (gs @ k) * quarter, (np.swapaxes(gs, -1, -2) @ q) * quarter, np.einsum("...qk,...qv->...kv", weights, grad_output)


# %% attention_backward right · a full Jacobian for the softmax
def attention_backward(query, key, value, weights, grad_output):
    eye = np.eye(weights.shape[-1])
    jacobian = np.einsum("...i,ij->...ij", weights, eye) - np.einsum("...i,...j->...ij", weights, weights)
    gs = np.einsum("...qij,...qj->...qi", jacobian, np.matmul(grad_output, np.swapaxes(value, -1, -2)))
    gs = gs * (1.0 / np.sqrt(float(key.shape[-1])))
    grad_query = np.matmul(gs, key)
    grad_key = np.matmul(np.swapaxes(np.matmul(np.swapaxes(query, -1, -2), gs), -1, -2), np.eye(key.shape[-1]))
    return [grad_query, grad_key, np.matmul(np.swapaxes(weights, -1, -2), grad_output)]


# %% attention_backward right · one rule for products, used twice
def attention_backward(query, key, value, weights, grad_output):
    def t(a):
        return np.swapaxes(a, -1, -2)

    def product_backward(a, b, grad):
        return grad @ t(b), t(a) @ grad

    grad_weights, grad_value = product_backward(weights, value, grad_output)
    grad_scores = softmax_backward(weights, grad_weights) / query.shape[-1] ** 0.5
    grad_query, grad_key_turned = product_backward(query, t(key), grad_scores)
    return grad_query, t(grad_key_turned), grad_value


# %% attention_backward right · tensordot-free sums by broadcasting
def attention_backward(query, key, value, weights, grad_output):
    slopes = (grad_output[..., :, None, :] * value[..., None, :, :]).sum(-1)
    output = (weights[..., None] * value[..., None, :, :]).sum(-2)
    mean = (output * grad_output).sum(-1)[..., None]
    scores = weights * (slopes - mean) / np.sqrt(query.shape[-1])
    grad_query = (scores[..., None] * key[..., None, :, :]).sum(-2)
    grad_key = (scores[..., None] * query[..., :, None, :]).sum(-3)
    grad_value = (weights[..., None] * grad_output[..., :, None, :]).sum(-3)
    return grad_query, grad_key, grad_value


# %% attention_backward right · accumulates into arrays, query by query
def attention_backward(query, key, value, weights, grad_output):
    gq, gk, gv = (np.zeros(a.shape, dtype=np.float64) for a in (query, key, value))
    scale = 1 / math.sqrt(key.shape[-1])
    for i in range(query.shape[-2]):
        w, g = weights[..., i, :], grad_output[..., i, :]
        gv += w[..., :, None] * g[..., None, :]
        s = softmax_backward(w, (value @ g[..., None])[..., 0]) * scale
        gq[..., i, :] = (s[..., None] * key).sum(axis=-2)
        gk += s[..., :, None] * query[..., i, None, :]
    return gq, gk, gv
