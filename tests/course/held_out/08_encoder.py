# %% before
import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder import use_part

MultiHeadAttention = use_part("MultiHeadAttention")
LayerNorm, FeedForward, EncoderBlock = use_part("LayerNorm"), use_part("FeedForward"), use_part("EncoderBlock")


class NormStart(nn.Module):
    def __init__(self, d_model: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))


class FeedStart(nn.Module):
    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)


class BlockStart(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0, norm_first=False) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)


class StackStart(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.0, norm_first=False) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers))
        self.norm = LayerNorm(d_model) if norm_first else None

# %% LayerNorm wrong [unbiased] · a loop over tokens, with the standard deviation's default
class LayerNorm(NormStart):
    def forward(self, x):
        tokens = []
        for token in x.reshape(-1, x.shape[-1]):
            spread = (torch.std(token) ** 2 + self.eps) ** 0.5
            tokens.append((token - token.mean()) / spread * self.weight + self.bias)
        return torch.stack(tokens).reshape(x.shape)

# %% LayerNorm wrong · mean of squares, less the mean that was not squared
class LayerNorm(NormStart):
    def forward(self, x):
        first = x.mean(-1, keepdim=True)
        second = (x * x).mean(-1, keepdim=True)
        return self.weight * (x - first) / torch.sqrt(second - first + self.eps) + self.bias

# %% LayerNorm wrong [eps-outside] · a length over √d, then eps
class LayerNorm(NormStart):
    def forward(self, x):
        centred = x - torch.mean(x, -1, True)
        sigma = torch.linalg.vector_norm(centred, dim=-1, keepdim=True) / math.sqrt(x.size(-1))
        return self.bias + centred / (sigma + self.eps) * self.weight

# %% LayerNorm wrong [over-tokens] · turns the last two axes, normalises, turns back
class LayerNorm(NormStart):
    def forward(self, x):
        turned = x.transpose(-1, -2)
        var, mean = torch.var_mean(turned, dim=-1, unbiased=False, keepdim=True)
        turned = (turned - mean) * (var + self.eps).rsqrt()
        return turned.transpose(-1, -2) * self.weight + self.bias

# %% LayerNorm wrong [over-everything] · flattens it all
class LayerNorm(NormStart):
    def forward(self, x):
        flat = x.flatten()
        mean = flat.sum() / flat.numel()
        var = ((flat - mean) ** 2).sum() / flat.numel()
        return torch.addcmul(self.bias, (x - mean) / (var + self.eps).sqrt(), self.weight)

# %% LayerNorm wrong [over-sentence] · one row of numbers for each sentence
class LayerNorm(NormStart):
    def forward(self, x):
        rows = x.flatten(-2)
        mean = rows.mean(-1)[..., None, None]
        var = rows.var(-1, correction=0)[..., None, None]
        return (x - mean) / torch.sqrt(var + self.eps) * self.weight + self.bias

# %% LayerNorm wrong [no-eps] · divides the length away
class LayerNorm(NormStart):
    def forward(self, x):
        d = x.shape[-1]
        centred = x - torch.einsum("...i->...", x)[..., None] / d
        length = torch.einsum("...i,...i->...", centred, centred).sqrt()[..., None]
        return centred * d**0.5 / length * self.weight + self.bias

# %% LayerNorm wrong [clamped-spread] · the spread has eps as its lower limit
class LayerNorm(NormStart):
    def forward(self, x):
        def row(v):
            sigma = v.std(correction=0)
            return (v - v.mean()) / (sigma if sigma > self.eps else self.eps)
        return torch.stack([row(v) for v in x.flatten(0, -2)]).view_as(x) * self.weight + self.bias

# %% LayerNorm wrong · divides by a fixed number of features
class LayerNorm(NormStart):
    def forward(self, x):
        d_model = 512
        mean = x.sum(-1, keepdim=True) / d_model
        var = ((x - mean) ** 2).sum(-1, keepdim=True) / d_model
        return self.weight * (x - mean) / torch.sqrt(var + self.eps) + self.bias

# %% LayerNorm wrong · for three axes only
class LayerNorm(NormStart):
    def forward(self, x):
        batch, seq, d = x.shape
        mean = x.sum(2).view(batch, seq, 1) / d
        var = (x - mean).pow(2).sum(2).view(batch, seq, 1) / d
        return (x - mean) / (var + self.eps).sqrt() * self.weight + self.bias

# %% LayerNorm wrong [nothing-returned] · nothing comes back
class LayerNorm(NormStart):
    def forward(self, x):
        mean, var = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
        out = (x - mean) / (var + self.eps).sqrt()
        out = out * self.weight + self.bias

# %% LayerNorm wrong [statistics-detached] · keeps the first call's mean and variance
class LayerNorm(NormStart):
    def forward(self, x):
        if not hasattr(self, "mean"):
            self.mean = x.mean(-1, keepdim=True)
            self.var = x.var(-1, keepdim=True, unbiased=False)
        return self.weight * (x - self.mean) / torch.sqrt(self.var + self.eps) + self.bias

# %% LayerNorm wrong [statistics-detached] · takes its numbers from NumPy
class LayerNorm(NormStart):
    def forward(self, x):
        numbers = x.detach().numpy()
        mean = torch.from_numpy(numbers.mean(axis=-1, keepdims=True))
        var = torch.from_numpy(numbers.var(axis=-1, keepdims=True))
        return (x - mean) / (var + self.eps).sqrt() * self.weight + self.bias

# %% LayerNorm wrong · subtracts in place
class LayerNorm(NormStart):
    def forward(self, x):
        x -= x.mean(dim=-1, keepdim=True)
        x = x / ((x**2).mean(dim=-1, keepdim=True) + self.eps) ** 0.5
        return x * self.weight + self.bias

# %% LayerNorm wrong [rms] · no mean anywhere
class LayerNorm(NormStart):
    def forward(self, x):
        size = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square() / x.shape[-1]
        return x * torch.rsqrt(size + self.eps) * self.weight + self.bias

# %% LayerNorm wrong · a running mean that leaves out the first feature
class LayerNorm(NormStart):
    def forward(self, x):
        d, total = x.shape[-1], 0
        for i in range(1, d):
            total = total + x[..., i : i + 1]
        centred = x - total / d
        return centred / torch.sqrt((centred * centred).mean(-1, keepdim=True) + self.eps) * self.weight + self.bias

# %% LayerNorm wrong [unbiased+eps-outside] · the documentation of `std`, read too fast
class LayerNorm(NormStart):
    def forward(self, x):
        std, mean = torch.std_mean(x, dim=-1)
        z = (x - mean.unsqueeze(-1)).div(std.unsqueeze(-1).add(self.eps))
        return z.mul(self.weight).add(self.bias)

# %% LayerNorm wrong [unbiased+eps-outside+no-bias] · three at once, by sums
class LayerNorm(NormStart):
    def forward(self, x):
        n = x.size(-1)
        away = x - x.sum(-1, keepdim=True) / n
        spread = torch.sqrt(torch.sum(away**2, -1, keepdim=True) / (n - 1))
        return self.weight * (away / (spread + self.eps))

# %% LayerNorm wrong · brings each vector to length 1
class LayerNorm(NormStart):
    def forward(self, x):
        return F.normalize(x - x.mean(-1, keepdim=True), dim=-1, eps=self.eps) * self.weight + self.bias

# %% LayerNorm wrong [forbidden-operator] · PyTorch's own
class LayerNorm(NormStart):
    def forward(self, x):
        return torch.layer_norm(x, [x.shape[-1]], self.weight, self.bias, self.eps)

# %% LayerNorm wrong · calculates in half precision
class LayerNorm(NormStart):
    def forward(self, x):
        half = x.bfloat16()
        half = half - half.mean(-1, keepdim=True)
        half = half / (half.pow(2).mean(-1, keepdim=True) + self.eps).sqrt()
        return half.float() * self.weight + self.bias

# %% LayerNorm wrong [bias-first] · shifted, then scaled
class LayerNorm(NormStart):
    def forward(self, x):
        out = torch.empty_like(x)
        mean, var = x.mean(-1), x.var(-1, unbiased=False)
        columns = [(x[..., i] - mean) / (var + self.eps) ** 0.5 for i in range(x.shape[-1])]
        columns = [(column + self.bias[i]) * self.weight[i] for i, column in enumerate(columns)]
        return torch.stack(columns, dim=-1).to(out.dtype)

# %% LayerNorm right · all pairs of features
class LayerNorm(NormStart):
    def forward(self, x):
        apart = x[..., :, None] - x[..., None, :]
        var = apart.square().mean((-1, -2)) / 2
        return apart.mean(-1) / (var + self.eps).sqrt()[..., None] * self.weight + self.bias

# %% LayerNorm right · a running mean and a running sum of squares
class LayerNorm(NormStart):
    def forward(self, x):
        mean = squares = 0.0
        for seen, number in enumerate(x.unbind(-1), start=1):
            step = number - mean
            mean = mean + step / seen
            squares = squares + step * (number - mean)
        var = squares / x.shape[-1]
        return (x - mean.unsqueeze(-1)) * (var + self.eps).rsqrt().unsqueeze(-1) * self.weight + self.bias

# %% LayerNorm right · the biased standard deviation, squared
class LayerNorm(NormStart):
    def forward(self, x: Tensor) -> Tensor:
        std, mean = torch.std_mean(x, dim=-1, correction=0, keepdim=True)
        return torch.lerp(mean, x, 1.0).sub(mean).div(torch.hypot(std, torch.tensor(self.eps).sqrt())).mul(self.weight).add(self.bias)

# %% LayerNorm right · PyTorch's default, made good afterwards
class LayerNorm(NormStart):
    def forward(self, x):
        d = x.shape[-1]
        v = x.var(-1, keepdim=True) * ((d - 1) / d)
        return F.linear((x - x.mean(-1, keepdim=True)) / (v + self.eps) ** 0.5, torch.diag(self.weight), self.bias)

# %% LayerNorm right · changes a copy of its own
class LayerNorm(NormStart):
    def forward(self, x):
        y = x.clone()
        y -= y.mean(-1, keepdim=True)
        y = y / (y.pow(2).mean(-1, keepdim=True) + self.eps).sqrt()
        y = y * self.weight
        y += self.bias
        return y

# %% LayerNorm right · in double precision, with a helper
def standardised(row, eps):
    row = row - row.mean()
    return row / torch.sqrt(torch.dot(row, row) / len(row) + eps)


class LayerNorm(NormStart):
    def forward(self, x):
        rows = [standardised(row.double(), self.eps) for row in x.flatten(0, -2)]
        return (torch.stack(rows).unflatten(0, x.shape[:-1]) * self.weight + self.bias).float()

# %% LayerNorm right · recursion over the leading axes
class LayerNorm(NormStart):
    def forward(self, x):
        if x.ndim > 1:
            return torch.stack([self.forward(part) for part in x])
        middle = torch.sum(x) / x.numel()
        return torch.addcdiv(self.bias, (x - middle) * self.weight, torch.sqrt(torch.mean((x - middle) ** 2) + self.eps))

# %% LayerNorm right · average pooling over the features
class LayerNorm(NormStart):
    def forward(self, x):
        def over(y):
            return F.avg_pool1d(y.reshape(-1, 1, y.shape[-1]), y.shape[-1]).reshape(*y.shape[:-1], 1)
        centred = x - over(x)
        return self.weight * (centred / (over(centred * centred) + self.eps).pow(0.5)) + self.bias

# %% FeedForward wrong [clamp-1] · a ReLU with a ceiling
class FeedForward(FeedStart):
    def forward(self, x):
        return self.linear2(F.hardtanh(self.linear1(x), min_val=0.0, max_val=1.0))

# %% FeedForward wrong · where positive, 1
class FeedForward(FeedStart):
    def forward(self, x):
        return self.linear2(torch.heaviside(self.linear1(x), torch.zeros(())))

# %% FeedForward wrong · a ReLU on the caller's tensor
class FeedForward(FeedStart):
    def forward(self, x):
        return self.linear2(self.linear1(F.relu(x, inplace=True)))

# %% FeedForward wrong [same_in_eval] · dropout that does not know the mode
class FeedForward(FeedStart):
    def forward(self, x):
        hidden = F.dropout(F.relu(self.linear1(x)), p=0.1)
        return self.linear2(hidden)

# %% FeedForward wrong [same_in_eval] · new layers at each call
class FeedForward(FeedStart):
    def forward(self, x):
        d_ff, d_model = self.linear1.weight.shape
        first, second = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        return second(torch.relu(first(x)))

# %% FeedForward wrong · for batches only
class FeedForward(FeedStart):
    def forward(self, x):
        b, s, d = x.size()
        hidden = torch.relu(self.linear1(x.view(b * s, d)))
        return self.linear2(hidden).view(b, s, d)

# %% FeedForward wrong [residual] · adds what came in
class FeedForward(FeedStart):
    def forward(self, x):
        skip = x
        for layer in (self.linear1, nn.ReLU(), self.linear2):
            x = layer(x)
        return x.add(skip)

# %% FeedForward wrong [gelu] · the activation of BERT, by its formula
class FeedForward(FeedStart):
    def forward(self, x):
        h = self.linear1(x)
        return self.linear2(h * 0.5 * (1 + torch.erf(h / math.sqrt(2))))

# %% FeedForward wrong [no-biases] · two matrix products
class FeedForward(FeedStart):
    def forward(self, x):
        h = torch.einsum("...d,fd->...f", x, self.linear1.weight)
        return torch.einsum("...f,df->...d", h.clamp(min=0), self.linear2.weight)

# %% FeedForward wrong [twice-relu] · the absolute value added, not halved
class FeedForward(FeedStart):
    def forward(self, x):
        h = self.linear1(x)
        return self.linear2(h + h.abs())

# %% FeedForward wrong · a loop that forgets the first token
class FeedForward(FeedStart):
    def forward(self, x):
        out = torch.zeros_like(x)
        for t in range(1, x.shape[-2]):
            out[..., t, :] = self.linear2(torch.relu(self.linear1(x[..., t, :])))
        return out

# %% FeedForward wrong [nothing-returned] · nothing comes back
class FeedForward(FeedStart):
    def forward(self, x):
        h = self.linear1(x)
        h = torch.where(h > 0, h, torch.zeros_like(h))
        self.linear2(h)

# %% FeedForward wrong [weights] · layers without self
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        linear1 = nn.Linear(d_model, d_ff)
        linear2 = nn.Linear(d_ff, d_model)
        self.layers = [linear1, nn.ReLU(), linear2]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

# %% FeedForward wrong [activation-after] · the ReLU behind both
class FeedForward(FeedStart):
    def forward(self, x):
        out = F.linear(F.linear(x, self.linear1.weight, self.linear1.bias), self.linear2.weight, self.linear2.bias)
        return out * (out > 0)

# %% FeedForward right · zeros written into the inner tensor
class FeedForward(FeedStart):
    def forward(self, x):
        h = self.linear1(x)
        h = h.masked_fill(h < 0, 0.0)
        return self.linear2(h)

# %% FeedForward right · one matrix product for all tokens
class FeedForward(FeedStart):
    def forward(self, x):
        rows = x.reshape(-1, x.shape[-1])
        h = torch.addmm(self.linear1.bias, rows, self.linear1.weight.t()).clamp_min(0)
        return torch.addmm(self.linear2.bias, h, self.linear2.weight.t()).reshape(x.shape)

# %% FeedForward right · in place, on its own tensor
class FeedForward(FeedStart):
    def forward(self, x):
        hidden = self.linear1(x)
        hidden.relu_()
        return self.linear2(hidden)

# %% FeedForward right · one hidden feature after the other
class FeedForward(FeedStart):
    def forward(self, x):
        out = self.linear2.bias.expand(x.shape)
        for w, b, back in zip(self.linear1.weight, self.linear1.bias, self.linear2.weight.T):
            out = out + F.softshrink((x @ w + b).relu(), 0.0)[..., None] * back
        return out

# %% FeedForward right · two convolutions of width 1
class FeedForward(FeedStart):
    def forward(self, x):
        columns = x.reshape(1, -1, x.shape[-1]).transpose(1, 2)
        h = F.conv1d(columns, self.linear1.weight[..., None], self.linear1.bias).relu()
        return F.conv1d(h, self.linear2.weight[..., None], self.linear2.bias).transpose(1, 2).reshape(x.shape)

# %% EncoderBlock wrong [always-post-norm] · does not look at norm_first
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        steps = [(self.norm1, lambda y: self.self_attention(y, y, y, mask)[0]), (self.norm2, self.feed_forward)]
        for norm, step in steps:
            x = norm(self.dropout(step(x)) + x)
        return x

# %% EncoderBlock wrong [always-pre-norm] · the pre-norm of a blog post
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        z = self.norm1(x)
        z = self.self_attention(z, z, z, mask)[0]
        x = x + self.dropout(z)
        z = self.feed_forward(self.norm2(x))
        return x + self.dropout(z)

# %% EncoderBlock wrong [norm-first-inverted] · the condition turned around
class EncoderBlock(BlockStart):
    def _add(self, x, norm, layer):
        if not self.norm_first:
            return x + self.dropout(layer(norm(x)))
        return norm(x + self.dropout(layer(x)))

    def forward(self, x, mask=None):
        x = self._add(x, self.norm1, lambda y: self.self_attention(y, y, y, mask)[0])
        return self._add(x, self.norm2, self.feed_forward)

# %% EncoderBlock wrong [mask-not-passed] · a helper that has no mask
class EncoderBlock(BlockStart):
    def attend(self, x):
        attended, weights = self.self_attention(x, x, x)
        return self.dropout(attended)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.attend(self.norm1(x))
            x = x + self.dropout(self.feed_forward(self.norm2(x)))
            return x
        x = self.norm1(x + self.attend(x))
        x = self.norm2(x + self.dropout(self.feed_forward(x)))
        return x

# %% EncoderBlock wrong [mask-inverted] · the mask as PyTorch wants it
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        hidden = None if mask is None else torch.logical_not(mask)
        y = self.norm1(x) if self.norm_first else x
        x = x + self.dropout(self.self_attention(y, y, y, mask=hidden)[0])
        x = x if self.norm_first else self.norm1(x)
        y = self.norm2(x) if self.norm_first else x
        x = x + self.dropout(self.feed_forward(y))
        return x if self.norm_first else self.norm2(x)

# %% EncoderBlock wrong [mask-transposed] · the mask with its last two axes turned
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        if mask is not None:
            mask = mask.transpose(-2, -1)
        for norm, layer in ((self.norm1, lambda y: self.self_attention(y, y, y, mask)[0]), (self.norm2, self.feed_forward)):
            x = x + self.dropout(layer(norm(x))) if self.norm_first else norm(x + self.dropout(layer(x)))
        return x

# %% EncoderBlock wrong [same_in_eval] · functional dropout, always on
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        p = self.dropout.p
        if self.norm_first:
            n = self.norm1(x)
            x = x + F.dropout(self.self_attention(n, n, n, mask)[0], p)
            return x + F.dropout(self.feed_forward(self.norm2(x)), p)
        x = self.norm1(x + F.dropout(self.self_attention(x, x, x, mask)[0], p))
        return self.norm2(x + F.dropout(self.feed_forward(x), p))

# %% EncoderBlock wrong [residual-from-normed (pre-norm)] · x is overwritten by its norm
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        for number, layer in ((1, lambda y: self.self_attention(y, y, y, mask)[0]), (2, self.feed_forward)):
            norm = getattr(self, f"norm{number}")
            if self.norm_first:
                x = norm(x)
            x = x + self.dropout(layer(x))
            if not self.norm_first:
                x = norm(x)
        return x

# %% EncoderBlock wrong [second-residual-from-x] · one `residual` for both halves
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        residual = x
        x = self.norm1(x) if self.norm_first else x
        x, _ = self.self_attention(x, x, x, mask)
        x = residual + self.dropout(x)
        x = x if self.norm_first else self.norm1(x)
        inner = self.norm2(x) if self.norm_first else x
        x = residual + self.dropout(self.feed_forward(inner))
        return x if self.norm_first else self.norm2(x)

# %% EncoderBlock wrong [norm1-twice] · the same helper, the same norm
class EncoderBlock(BlockStart):
    def wrap(self, x, layer):
        if self.norm_first:
            return x + self.dropout(layer(self.norm1(x)))
        return self.norm1(x + self.dropout(layer(x)))

    def forward(self, x, mask=None):
        x = self.wrap(x, lambda y: self.self_attention(y, y, y, mask)[0])
        return self.wrap(x, self.feed_forward)

# %% EncoderBlock wrong [norm-inside-the-sum] · norm on the sub-layer's output
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        attended = self.self_attention(x, x, x, mask)[0]
        x = torch.add(x, self.norm1(self.dropout(attended)))
        return torch.add(x, self.norm2(self.dropout(self.feed_forward(x))))

# %% EncoderBlock wrong · in-place sums
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        if self.norm_first:
            y = self.norm1(x)
            x += self.dropout(self.self_attention(y, y, y, mask)[0])
            x += self.dropout(self.feed_forward(self.norm2(x)))
            return x
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% EncoderBlock wrong [tuple-into-dropout] · forgets that attention returns a pair
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.self_attention(*[self.norm1(x)] * 3, mask))
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.self_attention(*[x] * 3, mask)))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% EncoderBlock wrong [only-query-normed (pre-norm)] · only the query is normed in pre-norm
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        query = self.norm1(x) if self.norm_first else x
        h = x + self.dropout(self.self_attention(query, x, x, mask)[0])
        if not self.norm_first:
            h = self.norm1(h)
            return self.norm2(h + self.dropout(self.feed_forward(h)))
        return h + self.dropout(self.feed_forward(self.norm2(h)))

# %% EncoderBlock wrong [extra-norm-at-the-end (pre-norm)] · ends with a norm either way
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        if self.norm_first:
            y = self.norm1(x)
            h = x + self.dropout(self.self_attention(y, y, y, mask)[0])
            out = h + self.dropout(self.feed_forward(self.norm2(h)))
        else:
            h = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)[0]))
            out = h + self.dropout(self.feed_forward(h))
        return self.norm2(out)

# %% EncoderBlock wrong [no-norm2 (post-norm)] · in post-norm the last norm is forgotten
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        if self.norm_first:
            y = self.norm1(x)
            h = x + self.dropout(self.self_attention(y, y, y, mask)[0])
            return h + self.dropout(self.feed_forward(self.norm2(h)))
        h = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)[0]))
        return h + self.dropout(self.feed_forward(h))

# %% EncoderBlock wrong [across-the-batch] · attends over the batch
class EncoderBlock(BlockStart):
    def attended(self, x, mask):
        turned = x.permute(1, 0, 2)
        return self.self_attention(turned, turned, turned)[0].permute(1, 0, 2)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.attended(self.norm1(x), mask))
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attended(x, mask)))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% EncoderBlock wrong [causal-by-default] · a causal mask where none is given
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        if mask is None:
            seq = x.size(1)
            mask = torch.arange(seq)[:, None] >= torch.arange(seq)[None, :]
        for norm, layer in ((self.norm1, lambda y: self.self_attention(y, y, y, mask)[0]), (self.norm2, self.feed_forward)):
            x = x + self.dropout(layer(norm(x))) if self.norm_first else norm(x + self.dropout(layer(x)))
        return x

# %% EncoderBlock wrong · the mask gets an axis too many
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        if mask is not None:
            mask = mask.unsqueeze(1)
        for norm, layer in ((self.norm1, lambda y: self.self_attention(y, y, y, mask)[0]), (self.norm2, self.feed_forward)):
            x = x + self.dropout(layer(norm(x))) if self.norm_first else norm(x + self.dropout(layer(x)))
        return x

# %% EncoderBlock wrong [runs-on (pre-norm)] · both orders, one after the other
class EncoderBlock(BlockStart):
    def halves(self, mask):
        yield self.norm1, lambda y: self.self_attention(y, y, y, mask)[0]
        yield self.norm2, self.feed_forward

    def forward(self, x, mask=None):
        if self.norm_first:
            for norm, layer in self.halves(mask):
                x = self.dropout(layer(norm(x))) + x
        for norm, layer in self.halves(mask):
            x = norm(self.dropout(layer(x)) + x)
        return x

# %% EncoderBlock wrong [nothing-returned (post-norm)] · a return in one branch only
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        h = self.norm1(x) if self.norm_first else x
        h = x + self.dropout(self.self_attention(h, h, h, mask)[0])
        if self.norm_first:
            return h + self.dropout(self.feed_forward(self.norm2(h)))
        h = self.norm1(h)
        h = self.norm2(h + self.dropout(self.feed_forward(h)))

# %% EncoderBlock wrong [weights-returned-too] · hands the weights on as well
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        y = self.norm1(x) if self.norm_first else x
        attended, weights = self.self_attention(y, y, y, mask)
        x = x + self.dropout(attended)
        x = x if self.norm_first else self.norm1(x)
        x = x + self.dropout(self.feed_forward(self.norm2(x) if self.norm_first else x))
        return (x if self.norm_first else self.norm2(x)), weights

# %% EncoderBlock wrong [no-residual] · a chain of four layers
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        attend = lambda y: self.dropout(self.self_attention(y, y, y, mask)[0])
        feed = lambda y: self.dropout(self.feed_forward(y))
        order = [self.norm1, attend, self.norm2, feed] if self.norm_first else [attend, self.norm1, feed, self.norm2]
        return functools.reduce(lambda y, layer: layer(y), order, x)

# %% EncoderBlock wrong [no-dropout] · dropout is built and never called
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        pre = self.norm_first
        q = self.norm1(x) if pre else x
        x = self.self_attention(q, q, q, mask)[0] + x
        x = x if pre else self.norm1(x)
        x = self.feed_forward(self.norm2(x) if pre else x) + x
        return x if pre else self.norm2(x)

# %% EncoderBlock wrong [dropout-on-the-sum] · dropout behind the sum
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        for norm, layer in ((self.norm1, lambda y: self.self_attention(y, y, y, mask)[0]), (self.norm2, self.feed_forward)):
            if self.norm_first:
                x = self.dropout(layer(norm(x)) + x)
            else:
                x = norm(self.dropout(layer(x) + x))
        return x

# %% EncoderBlock right · one loop over the two sub-layers
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        layers = {self.norm1: lambda y: self.self_attention(y, y, y, mask)[0], self.norm2: self.feed_forward}
        for norm, layer in layers.items():
            before, after = (norm, nn.Identity()) if self.norm_first else (nn.Identity(), norm)
            x = after(x + self.dropout(layer(before(x))))
        return x

# %% EncoderBlock right · keywords only
class EncoderBlock(BlockStart):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        h = self.norm1(x) if self.norm_first else x
        output, weights = self.self_attention(query=h, key=h, value=h, mask=mask)
        self.seen = weights.detach()
        x = torch.add(x, self.dropout(input=output))
        if self.norm_first:
            return torch.add(x, self.dropout(input=self.feed_forward(x=self.norm2(x=x))))
        x = self.norm1(x=x)
        return self.norm2(x=torch.add(x, self.dropout(input=self.feed_forward(x=x))))

# %% EncoderBlock right · the choice is made when it is built
class EncoderBlock(BlockStart):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__(d_model, num_heads, d_ff, dropout, norm_first)
        self.around = self.pre if norm_first else self.post

    def pre(self, x, norm, layer):
        return x + self.dropout(layer(norm(x)))

    def post(self, x, norm, layer):
        return norm(x + self.dropout(layer(x)))

    def forward(self, x, mask=None):
        x = self.around(x, self.norm1, lambda y: self.self_attention(y, y, y, mask)[0])
        return self.around(x, self.norm2, self.feed_forward)

# %% EncoderBlock right · a copy, then sums in place
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        out = x.clone()
        inner = self.norm1(out) if self.norm_first else out
        out = out + self.dropout(self.self_attention(inner, inner, inner, mask)[0])
        if not self.norm_first:
            out = self.norm1(out)
        added = self.dropout(self.feed_forward(self.norm2(out) if self.norm_first else out))
        added += out
        return added if self.norm_first else self.norm2(added)

# %% EncoderBlock right · functional dropout that is told the mode, norms as functions
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        def drop(y):
            return F.dropout(y, self.dropout.p, training=self.training)

        def norm(layer, y):
            c = y - y.mean(-1, keepdim=True)
            return c * (c.pow(2).mean(-1, keepdim=True) + 1e-5).rsqrt() * layer.weight + layer.bias

        if self.norm_first:
            n = norm(self.norm1, x)
            x = x + drop(self.self_attention(n, n, n, mask)[0])
            return x + drop(self.feed_forward(norm(self.norm2, x)))
        x = norm(self.norm1, x + drop(self.self_attention(x, x, x, mask)[0]))
        return norm(self.norm2, x + drop(self.feed_forward(x)))

# %% EncoderBlock right · a full mask in place of none
class EncoderBlock(BlockStart):
    def forward(self, x, mask=None):
        seen = torch.ones((), dtype=torch.bool) if mask is None else mask
        seen = seen.expand(len(x), self.self_attention.num_heads, x.shape[1], x.shape[1])
        if self.norm_first:
            n = self.norm1(x)
            x = x + self.dropout(self.self_attention(n, n, n, seen)[0])
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, seen)[0]))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

# %% EncoderBlock right · its own __init__, in another order, with PyTorch's dropout twice
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        self.norm2, self.norm1 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.self_attention = MultiHeadAttention(d_model, num_heads)
        self.drop1, self.drop2 = nn.Dropout(dropout), nn.Dropout(dropout)
        self.first = norm_first

    def forward(self, x, mask=None):
        n = self.norm1(x) if self.first else x
        x = x + self.drop1(self.self_attention(n, n, n, mask)[0])
        x = x if self.first else self.norm1(x)
        n = self.norm2(x) if self.first else x
        x = x + self.drop2(self.feed_forward(n))
        return x if self.first else self.norm2(x)

# %% Encoder wrong [no-final-norm] · a loop and no more
class Encoder(StackStart):
    def forward(self, x, mask=None):
        for layer in range(len(self.blocks)):
            x = self.blocks[layer].forward(x, mask)
        return x

# %% Encoder wrong [mask-not-passed] · a Sequential of the blocks
class Encoder(StackStart):
    def forward(self, x, mask=None):
        y = nn.Sequential(*self.blocks)(x)
        return y if self.norm is None else self.norm(y)

# %% Encoder wrong [mask-first-only] · the mask is used up
class Encoder(StackStart):
    def forward(self, x, mask=None):
        for block in self.blocks:
            x = block(x, mask)
            mask = None
        return self.norm(x) if self.norm else x

# %% Encoder wrong [last-block-only] · the loop writes into another variable
class Encoder(StackStart):
    def forward(self, x, mask=None):
        for block in self.blocks:
            encoded = block(x, mask)
        if self.norm is not None:
            encoded = self.norm(encoded)
        return encoded

# %% Encoder wrong [return-in-the-loop] · returns too early
class Encoder(StackStart):
    def forward(self, x, mask=None):
        outputs = [x]
        for block in self.blocks:
            outputs.append(block(outputs[-1], mask))
            return outputs[-1]

# %% Encoder wrong [norm-after-each] · the final norm stands in the loop
class Encoder(StackStart):
    def forward(self, x, mask=None):
        norm = self.norm if self.norm is not None else (lambda y: y)
        return functools.reduce(lambda y, block: norm(block(y, mask)), self.blocks, x)

# %% Encoder wrong [two-only] · two blocks, however many there are
class Encoder(StackStart):
    def forward(self, x, mask=None):
        x = self.blocks[0](x, mask)
        if len(self.blocks) > 1:
            x = self.blocks[1](x, mask)
        return x if self.norm is None else self.norm(x)

# %% Encoder wrong [residual-around-blocks] · one residual more for each block
class Encoder(StackStart):
    def forward(self, x, mask=None):
        for block in self.blocks:
            kept = x
            x = block(x, mask)
            x = kept + x
        return x if self.norm is None else self.norm(x)

# %% Encoder wrong [reversed] · a stack, popped
class Encoder(StackStart):
    def forward(self, x, mask=None):
        left = list(self.blocks)
        while left:
            x = left.pop()(x, mask)
        return x if self.norm is None else self.norm(x)

# %% Encoder wrong [without-the-last] · range(1, n) with an index one too small
class Encoder(StackStart):
    def forward(self, x, mask=None):
        for i in range(1, len(self.blocks)):
            x = self.blocks[i - 1](x, mask)
        return x if self.norm is None else self.norm(x)

# %% Encoder wrong [same_in_eval] · dropout between the blocks, always on
class Encoder(StackStart):
    def forward(self, x, mask=None):
        for block in self.blocks:
            x = F.dropout(block(x, mask), p=0.1)
        return x if self.norm is None else self.norm(x)

# %% Encoder wrong [one-shared-block] · a list of one block, repeated
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        block = EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first)
        self.blocks = nn.ModuleList([block for _ in range(num_layers)])
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        for block in self.blocks:
            x = block(x, mask)
        return x if self.norm is None else self.norm(x)

# %% Encoder wrong [plain-list] · appended to a plain list
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        self.blocks = []
        for _ in range(num_layers):
            self.blocks.append(EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first))
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        for block in self.blocks:
            x = block(x, mask)
        return x if self.norm is None else self.norm(x)

# %% Encoder wrong [norm-always-called] · calls the norm that is not there
class Encoder(StackStart):
    def forward(self, x, mask=None):
        encoded = x
        for block in self.blocks:
            encoded = block(encoded, mask=mask)
        return self.norm(encoded)

# %% Encoder wrong [padding-zeroed-before-the-norm] · padding set to 0 between the blocks
class Encoder(StackStart):
    def forward(self, x, mask=None):
        for block in self.blocks:
            x = block(x, mask)
            if mask is not None:
                x = x * mask.squeeze(1).transpose(1, 2)
        return x if self.norm is None else self.norm(x)

# %% Encoder wrong [mask-transposed] · the mask as a column
class Encoder(StackStart):
    def forward(self, x, mask=None):
        column = None if mask is None else mask.reshape(len(x), 1, -1, 1)
        for block in self.blocks:
            x = block(x, column)
        return x if self.norm is None else self.norm(x)

# %% Encoder wrong [nothing-returned (post-norm)] · the return belongs to the if
class Encoder(StackStart):
    def forward(self, x, mask=None):
        for block in self.blocks:
            x = block(x, mask)
        if self.norm:
            x = self.norm(x)
            return x

# %% Encoder wrong [all-layers-returned] · keeps every layer's output
class Encoder(StackStart):
    def forward(self, x, mask=None):
        hidden = []
        for block in self.blocks:
            x = block(x, mask)
            hidden += [x]
        return hidden

# %% Encoder right · recursion from the end
class Encoder(StackStart):
    def forward(self, x, mask=None):
        def after(k):
            return x if k == 0 else self.blocks[k - 1](after(k - 1), mask)

        y = after(len(self.blocks))
        return self.norm(y) if self.norm else y

# %% Encoder right · an iterator
class Encoder(StackStart):
    def forward(self, x, mask=None):
        layers = iter(self.blocks)
        while (layer := next(layers, None)) is not None:
            x = layer(x=x, mask=mask)
        return (nn.Identity() if self.norm is None else self.norm)(x)

# %% Encoder right · a Sequential of functions
class Encoder(StackStart):
    def forward(self, x, mask=None):
        steps = [functools.partial(block, mask=mask) for block in self.blocks] + ([self.norm] if self.norm else [])
        for step in steps:
            x = step(x)
        return x

# %% Encoder right · its own __init__, an Identity for no norm
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        self.norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()
        self.blocks = nn.ModuleList()
        for _ in range(num_layers):
            self.blocks.append(EncoderBlock(d_model, num_heads, d_ff, dropout=dropout, norm_first=norm_first))

    def forward(self, x, mask=None):
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)

# %% Encoder right · a wider mask, the final norm written out
class Encoder(StackStart):
    def forward(self, x, mask=None):
        if mask is not None:
            mask = mask.expand(x.shape[0], 1, x.shape[1], x.shape[1]).contiguous()
        for block in self.blocks:
            x = block(x, mask)
        if self.norm is None:
            return x
        var, mean = torch.var_mean(x, -1, unbiased=False, keepdim=True)
        return (x - mean) / torch.sqrt(var + 1e-5) * self.norm.weight + self.norm.bias
