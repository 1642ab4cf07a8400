# %% before
import math

import numpy as np

# %% rnn_step wrong [state-matrix-transposed] · loops over the columns of W_h, as W_h @ h does
def rnn_step(x, h, W_x, W_h, b):
    new = np.zeros_like(h)
    for u in range(len(h)):
        s = b[u]
        for i in range(len(x)):
            s += x[i] * W_x[i, u]
        for v in range(len(h)):
            s += W_h[u, v] * h[v]
        new[u] = np.tanh(s)
    return new

# %% rnn_step wrong [bias-outside] · bias after tanh
def rnn_step(x, h, W_x, W_h, b):
    token_part, state_part = np.dot(x, W_x), np.dot(h, W_h)
    squashed = np.tanh(token_part + state_part)
    squashed = squashed + b
    return squashed

# %% rnn_step wrong [no-bias] · no bias, by einsum
def rnn_step(x, h, W_x, W_h, b):
    pre = np.einsum("i,ij->j", x, W_x)
    pre += np.einsum("i,ij->j", h, W_h)
    return np.tanh(pre)

# %% rnn_step wrong [sigmoid] · logistic function written out
def rnn_step(x, h, W_x, W_h, b):
    z = b + x.dot(W_x) + h.dot(W_h)
    return np.reciprocal(1.0 + np.exp(-z))

# %% rnn_step wrong [in-place] · changes the state in place
def rnn_step(x, h, W_x, W_h, b):
    h[:] = np.tanh(np.matmul(x, W_x) + np.matmul(h, W_h) + b)
    return h

# %% rnn_step wrong [bias-in-place] · adds to the bias in place
def rnn_step(x, h, W_x, W_h, b):
    b += x @ W_x
    b += h @ W_h
    return np.tanh(b)

# %% rnn_step wrong [concatenated-in-the-wrong-order] · state and token exchanged in one stacked matrix
def rnn_step(x, h, W_x, W_h, b):
    both = np.concatenate((h, x))
    W = np.concatenate((W_x, W_h), axis=0)
    return np.tanh(both @ W + b)

# %% rnn_step wrong [diagonal] · every entry by itself
def rnn_step(x, h, W_x, W_h, b):
    return np.tanh(x @ W_x + (h * W_h).diagonal() + b)

# %% rnn_step wrong [state-summed-the-other-way] · the state's sum runs along the wrong index
def rnn_step(x, h, W_x, W_h, b):
    z = x @ W_x + b
    for u in range(len(h)):
        for v in range(len(h)):
            z[u] = z[u] + h[u] * W_h[u, v]
    return np.tanh(z)

# %% rnn_step wrong · ignores the token after the first call
_memory = []

def rnn_step(x, h, W_x, W_h, b):
    state = _memory[-1] if _memory and _memory[-1].shape == h.shape else h
    new = np.tanh(x @ W_x + state @ W_h + b)
    _memory.append(new)
    return new

# %% rnn_step wrong [averaged-with-the-state] · the state is mixed with the new one (as in a gate)
def rnn_step(x, h, W_x, W_h, b):
    candidate = np.tanh(x @ W_x + h @ W_h + b)
    return 0.5 * h + 0.5 * candidate

# %% rnn_step wrong [tanh-of-half] · exp formula of tanh without the factor two
def rnn_step(x, h, W_x, W_h, b):
    z = x @ W_x + h @ W_h + b
    e = np.exp(z)
    return (e - 1) / (e + 1)

# %% rnn_step wrong [row] · row vectors come back as a matrix
def rnn_step(x, h, W_x, W_h, b):
    x_row, h_row = x.reshape(1, -1), h.reshape(1, -1)
    return np.tanh(x_row @ W_x + h_row @ W_h + b)

# %% rnn_step wrong [tanh-of-the-token-only] · tanh of the token only
def rnn_step(x, h, W_x, W_h, b):
    t = np.tanh(np.matmul(x, W_x))
    s = np.matmul(h, W_h)
    return t + s + b

# %% rnn_step wrong [nothing-returned] · no return
def rnn_step(x, h, W_x, W_h, b):
    h = np.tanh(x @ W_x + h @ W_h + b)

# %% rnn_step wrong [no-state] · a zero state instead of the given one
def rnn_step(x, h, W_x, W_h, b):
    h = np.zeros(W_h.shape[0])
    return np.tanh(x @ W_x + h @ W_h + b)

# %% rnn_step wrong [no-bias+both-transposed] · no bias, and both matrices from the other side
def rnn_step(x, h, W_x, W_h, b):
    return np.tanh(np.array([W_x[r] @ x for r in range(len(W_x))]) + np.inner(W_h, h))

# %% rnn_step wrong [no-tanh+state-matrix-transposed] · no tanh, and the state's matrix from the other side
def rnn_step(x, h, W_x, W_h, b):
    z = np.copy(b)
    z += np.einsum("i,iu->u", x, W_x)
    z += np.einsum("v,uv->u", h, W_h)
    return z

# %% rnn_step wrong [squeezed] · squeezed
def rnn_step(x, h, W_x, W_h, b):
    return np.squeeze(np.tanh(x[None] @ W_x + h[None] @ W_h + b))

# %% rnn_step right · one stacked matrix
def rnn_step(x, h, W_x, W_h, b):
    return np.tanh(np.concatenate([x, h, [1.0]]) @ np.vstack([W_x, W_h, b]))

# %% rnn_step right · columns, turned
def rnn_step(token, state, W_token, W_state, bias):
    return np.tanh(W_token.T @ token + W_state.T @ state + bias)

# %% rnn_step right · by Python's own tanh
def rnn_step(x, h, W_x, W_h, b):
    def entry(u):
        return math.tanh(math.fsum([*(x * W_x[:, u]), *(h * W_h[:, u]), b[u]]))

    return np.array([entry(u) for u in range(b.size)])

# %% rnn_step right · the sigmoid form of tanh
def rnn_step(x, h, W_x, W_h, b):
    z = x @ W_x + h @ W_h + b
    return 2 / (1 + np.exp(-2 * z)) - 1

# %% rnn_step right · a copy of the bias, added to
def rnn_step(x, h, W_x, W_h, b):
    z = np.array(b)
    z += np.einsum("i,ij", x, W_x) + np.einsum("i,ij", h, W_h)
    return np.tanh(z, out=z)

# %% rnn_step right · tanh by its exponentials
def rnn_step(x, h, W_x, W_h, b):
    z = sum((x[i] * W_x[i] for i in range(len(x))), start=b) + np.inner(W_h.T, h)
    return np.sinh(z) / np.cosh(z)

# %% rnn_step right · torch inside
def rnn_step(x, h, W_x, W_h, b):
    import torch

    x, h, W_x, W_h, b = map(torch.tensor, (x, h, W_x, W_h, b))
    return torch.tanh(torch.addmv(torch.addmv(b, W_x.t(), x), W_h.t(), h)).numpy()

# %% causal_conv1d wrong [wraps-around-by-index] · no padding at the left, loops that wrap round
def causal_conv1d(x, kernel):
    width, d_in, d_out = kernel.shape
    out = np.zeros((x.shape[0], d_out))
    for t in range(x.shape[0]):
        for w in range(width):
            out[t] += x[t - width + 1 + w] @ kernel[w]
    return out

# %% causal_conv1d wrong [turned-around] · the kernel is turned round, padded by np.pad
def causal_conv1d(x, kernel):
    width = kernel.shape[0]
    padded = np.pad(x, ((width - 1, 0), (0, 0)))
    out = []
    for t in range(len(x)):
        window = padded[t : t + width][::-1]
        out.append(np.einsum("wi,wio->o", window, kernel))
    return np.array(out)

# %% causal_conv1d wrong [one-zero-too-many] · one zero too many
def causal_conv1d(x, kernel):
    seq, width = len(x), len(kernel)
    rows = np.vstack((np.zeros((width, x.shape[1])), x))
    return np.array([sum(rows[t + w] @ kernel[w] for w in range(width)) for t in range(seq)])

# %% causal_conv1d wrong [centred-the-other-way] · centred, by np.pad
def causal_conv1d(x, kernel):
    width = kernel.shape[0]
    left = width // 2
    padded = np.pad(x, [(left, width - 1 - left), (0, 0)])
    windows = np.stack([padded[w : w + len(x)] for w in range(width)])
    return np.einsum("wti,wio->to", windows, kernel)

# %% causal_conv1d wrong [window-ahead] · looks ahead: zeros at the end
def causal_conv1d(x, kernel):
    width = kernel.shape[0]
    padded = np.concatenate([x, np.zeros([width - 1, x.shape[1]])], axis=0)
    return sum(padded[w : w + x.shape[0]] @ kernel[w] for w in range(width))

# %% causal_conv1d wrong [no-padding] · sliding windows of full size only
def causal_conv1d(x, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[0], axis=0)
    return np.einsum("tiw,wio->to", windows, kernel)

# %% causal_conv1d wrong [short-windows-meet-the-first-matrices] · the window's first tokens are skipped where it is short
def causal_conv1d(x, kernel):
    width, _, d_out = kernel.shape
    out = np.zeros((len(x), d_out))
    for t in range(len(x)):
        for w, token in enumerate(x[max(0, t - width + 1) : t + 1]):
            out[t] += token @ kernel[w]
    return out

# %% causal_conv1d wrong [kernel-transposed] · matrices from the other side
def causal_conv1d(x, kernel):
    seq, width = x.shape[0], kernel.shape[0]
    out = np.zeros((seq, kernel.shape[-1]))
    for t in range(seq):
        for w in range(width):
            s = t - (width - 1) + w
            if s >= 0:
                out[t] += kernel[w] @ x[s]
    return out

# %% causal_conv1d wrong [token-zero-left-out] · skips token 0
def causal_conv1d(x, kernel):
    seq, width = x.shape[0], kernel.shape[0]
    out = np.zeros((seq, kernel.shape[-1]))
    for t in range(seq):
        for w in range(width):
            s = t - (width - 1) + w
            if s > 0:
                out[t] += x[s] @ kernel[w]
    return out

# %% causal_conv1d wrong [overwritten] · assigns where it should add
def causal_conv1d(x, kernel):
    width = len(kernel)
    padded = np.pad(x, ((width - 1, 0), (0, 0)))
    out = np.empty((len(x), kernel.shape[2]))
    for t in range(len(x)):
        for w in range(width):
            out[t] = np.dot(padded[t + w], kernel[w])
    return out

# %% causal_conv1d wrong [first-place-only] · returns from the loop over the places
def causal_conv1d(x, kernel):
    width = len(kernel)
    padded = np.pad(x, ((width - 1, 0), (0, 0)))
    out = np.zeros((len(x), kernel.shape[2]))
    for w in range(width):
        out += padded[w : w + len(x)].dot(kernel[w])
        return out

# %% causal_conv1d wrong [both-axes-padded-and-cut] · pads both axes
def causal_conv1d(x, kernel):
    width, d_in, d_out = kernel.shape
    padded = np.pad(x, (width - 1, 0))
    windows = np.stack([padded[t : t + width, :d_in] for t in range(len(x))])
    return np.einsum("twi,wio->to", windows, kernel)

# %% causal_conv1d wrong [last-number-only] · one kernel for each feature only
def causal_conv1d(x, kernel):
    width = len(kernel)
    padded = np.pad(x, ((width - 1, 0), (0, 0)))
    out = np.zeros((len(x), kernel.shape[2]))
    for o in range(kernel.shape[2]):
        for i in range(x.shape[1]):
            out[:, o] = np.convolve(padded[:, i], kernel[::-1, i, o], mode="valid")
    return out

# %% causal_conv1d wrong [turned-around] · np.convolve as it is, which turns the kernel round
def causal_conv1d(x, kernel):
    out = np.zeros((len(x), kernel.shape[2]))
    for o in range(kernel.shape[2]):
        for i in range(kernel.shape[1]):
            out[:, o] += np.convolve(x[:, i], kernel[:, i, o])[: len(x)]
    return out

# %% causal_conv1d wrong [width-always-three] · the width is always three
def causal_conv1d(x, kernel):
    before = np.vstack([np.zeros((1, x.shape[1])), x[:-1]])
    before_that = np.vstack([np.zeros((1, x.shape[1])), before[:-1]])
    return before_that @ kernel[0] + before @ kernel[1] + x @ kernel[2]

# %% causal_conv1d wrong [window-summed-first] · with a sum over the window first
def causal_conv1d(x, kernel):
    width = kernel.shape[0]
    padded = np.concatenate([np.zeros((width - 1, x.shape[1])), x])
    out = [padded[t : t + width].sum(axis=0) @ kernel.sum(axis=0) for t in range(len(x))]
    return np.array(out)

# %% causal_conv1d wrong [forbidden-operator] · torch's own operator
def causal_conv1d(x, kernel):
    import torch
    import torch.nn.functional as F

    t = F.pad(torch.from_numpy(x).T[None], (kernel.shape[0] - 1, 0))
    return F.conv1d(t, torch.from_numpy(kernel).permute(2, 1, 0))[0].T.numpy()

# %% causal_conv1d wrong · a causal mean over the whole past
def causal_conv1d(x, kernel):
    out = np.zeros((len(x), kernel.shape[2]))
    for t in range(len(x)):
        for s in range(t + 1):
            out[t] += x[s] @ kernel[max(0, len(kernel) - 1 - (t - s))]
    return out

# %% causal_conv1d wrong [last-place-left-out] · last token left out by the range
def causal_conv1d(x, kernel):
    width, d_in, d_out = kernel.shape
    out = np.zeros((len(x), d_out))
    for t in range(len(x)):
        for back in range(1, width):
            if t - back >= 0:
                out[t] += x[t - back] @ kernel[width - 1 - back]
    return out

# %% causal_conv1d wrong [wraps-around] · shifts by np.roll
def causal_conv1d(x, kernel):
    width = kernel.shape[0]
    return sum(np.roll(x, width - 1 - w, axis=0) @ kernel[w] for w in range(width))

# %% causal_conv1d wrong [tokens-cut] · integers inside
def causal_conv1d(x, kernel):
    width = len(kernel)
    padded = np.zeros((width - 1 + len(x), x.shape[1]), dtype=int)
    padded[width - 1 :] = x
    return np.stack([np.tensordot(padded[t : t + width], kernel, 2) for t in range(len(x))])

# %% causal_conv1d wrong [turned-around+window-ahead] · the kernel turned round and the zeros at the end
def causal_conv1d(x, kernel):
    seq, width = len(x), len(kernel)
    out = np.zeros((seq, kernel.shape[2]))
    for t in range(seq):
        for ahead in range(width):
            if t + ahead < seq:
                out[t] += x[t + ahead] @ kernel[width - 1 - ahead]
    return out

# %% causal_conv1d wrong [averaged+one-zero-too-many] · the average of the window's parts, one token late
def causal_conv1d(x, kernel):
    width = kernel.shape[0]
    padded = np.pad(x, ((width, 0), (0, 0)))
    parts = [padded[w : w + x.shape[0]] @ kernel[w] for w in range(width)]
    return np.mean(parts, axis=0)

# %% causal_conv1d wrong [squeezed] · squeezed
def causal_conv1d(x, kernel):
    width = kernel.shape[0]
    padded = np.pad(x, ((width - 1, 0), (0, 0)))
    return np.squeeze(sum(padded[w : w + len(x)] @ kernel[w] for w in range(width)))

# %% causal_conv1d right · one tensordot a place
def causal_conv1d(x, kernel):
    width = kernel.shape[0]
    padded = np.pad(x, ((width - 1, 0), (0, 0)))
    return np.stack([np.tensordot(padded[t : t + width], kernel, axes=2) for t in range(len(x))])

# %% causal_conv1d right · counts back from the token
def causal_conv1d(x, kernel):
    taps = kernel[::-1]
    out = x @ taps[0]
    for back in range(1, min(len(taps), len(x))):
        out[back:] += x[:-back] @ taps[back]
    return out

# %% causal_conv1d right · one large matrix
def causal_conv1d(x, kernel):
    seq, (width, d_in, d_out) = len(x), kernel.shape
    big = np.zeros((seq, d_in, seq, d_out))
    for t in range(seq):
        for w in range(width):
            if (s := t - width + 1 + w) >= 0:
                big[s, :, t, :] = kernel[w]
    return (x.ravel() @ big.reshape(seq * d_in, seq * d_out)).reshape(seq, d_out)

# %% causal_conv1d right · windows and einsum
def causal_conv1d(x, kernel):
    width = kernel.shape[0]
    padded = np.vstack([np.zeros((width - 1, x.shape[1])), x])
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=0)
    return np.einsum("tiw,wio->to", windows, kernel, optimize=True)

# %% causal_conv1d right · np.convolve, the kernel turned round first
def causal_conv1d(x, kernel):
    seq, (width, d_in, d_out) = len(x), kernel.shape
    columns = [sum(np.convolve(x[:, i], kernel[::-1, i, o])[:seq] for i in range(d_in)) for o in range(d_out)]
    return np.stack(columns, axis=1)

# %% causal_conv1d right · a window that moves
def causal_conv1d(x, kernel):
    from collections import deque

    window = deque([np.zeros(x.shape[1])] * len(kernel), maxlen=len(kernel))
    out = []
    for token in x:
        window.append(token)
        out.append(sum(row @ matrix for row, matrix in zip(window, kernel, strict=True)))
    return np.array(out)

# %% causal_conv1d right · flattened windows times one flat kernel
def causal_conv1d(x, kernel):
    width, d_in, d_out = kernel.shape
    indices = np.arange(len(x))[:, None] + np.arange(width)
    flat = np.concatenate([np.zeros((width - 1, d_in)), x])[indices].reshape(len(x), -1)
    return flat @ kernel.reshape(width * d_in, d_out)

# %% receptive_field wrong [token-itself-missing] · a loop that begins at zero
def receptive_field(num_layers, kernel_size):
    seen = 0
    for layer in range(num_layers):
        seen += kernel_size - 1
    return seen

# %% receptive_field wrong [power] · a loop that multiplies
def receptive_field(num_layers, kernel_size):
    field = 1
    for _ in range(num_layers):
        field *= kernel_size
    return field

# %% receptive_field wrong [one-layer-too-many] · starts with one window and adds for every layer
def receptive_field(num_layers, kernel_size):
    field = kernel_size
    for _ in range(num_layers):
        field = field + kernel_size - 1
    return field

# %% receptive_field wrong [width-times-layers] · full widths added
def receptive_field(num_layers, kernel_size):
    return sum([kernel_size] * num_layers)

# %% receptive_field wrong [dilated] · formula of layers that skip
def receptive_field(num_layers, kernel_size):
    return 1 + sum((kernel_size - 1) * 2**layer for layer in range(num_layers))

# %% receptive_field wrong [one-layer-too-few] · recursion that stops one layer early
def receptive_field(num_layers, kernel_size):
    if num_layers <= 1:
        return 1
    return receptive_field(num_layers - 1, kernel_size) + (kernel_size - 1)

# %% receptive_field wrong [nothing-returned] · prints
def receptive_field(num_layers, kernel_size):
    print(num_layers * kernel_size - num_layers + 1)

# %% receptive_field wrong [width-three] · default width in a helper
def receptive_field(num_layers, kernel_size):
    def layer(seen, width=3):
        return seen + width - 1

    seen = 1
    for _ in range(num_layers):
        seen = layer(seen)
    return seen

# %% receptive_field wrong · at least one new token a layer
def receptive_field(num_layers, kernel_size):
    seen = kernel_size
    for _ in range(num_layers - 1):
        seen += max(kernel_size - 1, 1)
    return seen

# %% receptive_field right · counts by a simulation
def receptive_field(num_layers, kernel_size):
    farthest = 0
    for _ in range(num_layers):
        farthest -= kernel_size - 1
    return 0 - farthest + 1

# %% receptive_field right · length of a range
def receptive_field(num_layers, kernel_size):
    return len(range(-num_layers * (kernel_size - 1), 1))

# %% receptive_field right · by functools
def receptive_field(num_layers, kernel_size):
    from functools import reduce

    return reduce(lambda seen, width: seen + width - 1, [kernel_size] * num_layers, 1)

# %% receptive_field right · a numpy integer
def receptive_field(num_layers, kernel_size):
    return np.sum(np.full(num_layers, kernel_size - 1), initial=1)

# %% path_length wrong [cnn-one-more] · a loop of layers that reaches one too far
def path_length(kind, distance, kernel_size=3):
    if kind not in {"rnn", "cnn", "self_attention"}:
        raise ValueError("rnn, cnn, self_attention")
    if kind == "self_attention":
        return 1
    if kind == "rnn":
        return distance
    layers, reach = 0, 0
    while reach <= distance:
        reach += kernel_size - 1
        layers += 1
    return layers

# %% path_length wrong [cnn-full-width] · a loop of layers that reaches a full width
def path_length(kind, distance, kernel_size=3):
    table = {"rnn": distance, "self_attention": 1, "cnn": math.ceil(distance / kernel_size)}
    if kind not in table:
        raise ValueError(f"one of {list(table)}")
    return table[kind]

# %% path_length wrong [cnn-rounded-down] · int for ceil
def path_length(kind, distance, kernel_size=3):
    table = {"rnn": distance, "self_attention": 1, "cnn": int(distance / (kernel_size - 1))}
    try:
        return table[kind]
    except KeyError:
        raise ValueError("rnn, cnn or self_attention") from None

# %% path_length wrong [default-two] · another default width
def path_length(kind, distance, kernel_size=2):
    match kind:
        case "rnn":
            return distance
        case "cnn":
            return math.ceil(distance / (kernel_size - 1))
        case "self_attention":
            return 1
        case _:
            raise ValueError("kind: rnn, cnn, self_attention")

# %% path_length right · whatever is left is attention
def path_length(kind, distance, kernel_size=3):
    if kind == "rnn":
        return distance
    elif kind == "cnn":
        return math.ceil(distance / (kernel_size - 1))
    else:
        return 1

# %% path_length wrong [first-branch-always] · the kinds are compared with is not equal, the wrong branch
def path_length(kind, distance, kernel_size=3):
    if kind == "rnn" or "cnn":
        return distance
    elif kind == "self_attention":
        return 1
    raise ValueError(kind)

# %% path_length right · one dict
def path_length(kind, distance, kernel_size=3):
    return {"rnn": distance, "cnn": math.ceil(distance / (kernel_size - 1)), "self_attention": 1}[kind]

# %% path_length wrong [cnn-logarithm] · the paper's logarithm
def path_length(kind, distance, kernel_size=3):
    if kind == "cnn":
        return math.ceil(math.log(distance, kernel_size)) if distance > 1 else 1
    if kind == "rnn":
        return distance
    if kind == "self_attention":
        return 1
    raise ValueError("rnn, cnn, self_attention")

# %% path_length wrong [rnn-one-more] · tokens counted instead of steps for the RNN
def path_length(kind, distance, kernel_size=3):
    if kind == "self_attention":
        return 1
    if kind == "rnn":
        return len(range(distance + 1))
    if kind == "cnn":
        return -(distance // (1 - kernel_size))
    raise ValueError("rnn, cnn, self_attention")

# %% path_length wrong [attention-zero] · self-attention needs no step
def path_length(kind, distance, kernel_size=3):
    steps = dict(rnn=distance, self_attention=0)
    if kind == "cnn":
        return (distance + kernel_size - 2) // (kernel_size - 1)
    if kind not in steps:
        raise ValueError("rnn, cnn, self_attention")
    return steps[kind]

# %% path_length wrong [cnn-rounded-down] · the loop over layers stops before the last one
def path_length(kind, distance, kernel_size=3):
    if kind != "cnn":
        return {"rnn": distance, "self_attention": 1}[kind]
    layers = 0
    while (layers + 1) * (kernel_size - 1) <= distance:
        layers += 1
    return layers

# %% path_length right · match and ceil
def path_length(kind, distance, kernel_size=3):
    match kind:
        case "rnn":
            return distance
        case "cnn":
            return math.ceil(distance / (kernel_size - 1))
        case "self_attention":
            return 1
    raise ValueError("the kind must be rnn, cnn or self_attention")

# %% path_length right · layer by layer
def path_length(kind, distance, kernel_size=3):
    reach = {"rnn": 1, "cnn": kernel_size - 1, "self_attention": distance}.get(kind)
    if reach is None:
        raise ValueError(f'{kind}: choose "rnn", "cnn" or "self_attention"')
    steps = 0
    while distance > 0:
        distance -= reach
        steps += 1
    return steps

# %% path_length right · divmod
def path_length(kind, distance, kernel_size=3):
    kinds = ["rnn", "cnn", "self_attention"]
    if kind not in kinds:
        raise ValueError("kind must be one of: " + ", ".join(kinds))
    if kind == kinds[2]:
        return 1
    whole, rest = divmod(distance, 1 if kind == "rnn" else kernel_size - 1)
    return whole + bool(rest)

# %% path_length right · numpy's ceil, a float
def path_length(kind, distance, kernel_size=3):
    if kind == "self_attention":
        return np.float64(1)
    if kind == "cnn":
        return np.ceil(distance / (kernel_size - 1))
    if kind == "rnn":
        return distance
    raise ValueError("not one of rnn, cnn, self_attention")

# %% sequential_steps wrong [cnn-seq] · the convolution waits too
def sequential_steps(kind, seq):
    if kind in ("rnn", "cnn"):
        return seq
    if kind == "self_attention":
        return 1
    raise ValueError("rnn, cnn, self_attention")

# %% sequential_steps wrong [rnn-one-less] · the first step does not count
def sequential_steps(kind, seq):
    steps = {"rnn": seq - 1, "cnn": 1, "self_attention": 1}
    if kind not in steps:
        raise ValueError("rnn, cnn, self_attention")
    return steps[kind]

# %% sequential_steps wrong [attention-squared] · attention compares every pair
def sequential_steps(kind, seq):
    if kind == "rnn":
        return seq
    if kind == "cnn":
        return 1
    if kind == "self_attention":
        return sum(1 for _ in range(seq) for _ in range(seq))
    raise ValueError("rnn, cnn, self_attention")

# %% sequential_steps right · everything else is one
def sequential_steps(kind, seq):
    return seq if kind == "rnn" else 1

# %% sequential_steps wrong [both-zero] · parallel work counts as no step
def sequential_steps(kind, seq):
    if kind == "rnn":
        return seq
    elif kind == "cnn" or kind == "self_attention":
        return 0
    raise ValueError("rnn, cnn, self_attention")

# %% sequential_steps wrong [rnn-one] · a comparison that is always true
def sequential_steps(kind, seq):
    if kind == "cnn" or "self_attention":
        return 1
    if kind == "rnn":
        return seq
    raise ValueError("rnn, cnn, self_attention")

# %% sequential_steps right · an assert for other kinds
def sequential_steps(kind, seq):
    assert kind in ("rnn", "cnn", "self_attention"), "rnn, cnn or self_attention"
    return seq if kind == "rnn" else 1

# %% sequential_steps wrong [text] · the numbers come as a text
def sequential_steps(kind, seq):
    if kind == "rnn":
        return f"{seq}"
    if kind in ["cnn", "self_attention"]:
        return "1"
    raise ValueError("rnn, cnn, self_attention")

# %% sequential_steps right · a dict
def sequential_steps(kind, seq):
    steps = dict(rnn=seq, cnn=1, self_attention=1)
    if kind not in steps:
        raise ValueError("kind is one of " + " / ".join(steps))
    return steps[kind]

# %% sequential_steps right · match
def sequential_steps(kind, seq):
    match kind:
        case "rnn":
            return seq
        case "cnn" | "self_attention":
            return 1
        case other:
            raise ValueError(f"{other}? I know rnn, cnn and self_attention")

# %% sequential_steps right · a power
def sequential_steps(kind, seq):
    exponent = ["cnn", "self_attention", "rnn"].index(kind) // 2 if kind in ("cnn", "self_attention", "rnn") else None
    if exponent is None:
        raise ValueError("kinds: rnn, cnn, self_attention")
    return seq**exponent
