"""What the checks of unit 08 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% part="variants"
def padding(rng, batch, seq):
    """(batch, 1, 1, seq): the first sentence is whole, the others end in padding."""
    mask = np.ones((batch, 1, 1, seq), dtype=bool)
    for b in range(1, batch):
        mask[b, ..., seq - int(rng.integers(1, seq - 1)) :] = False
    return torch.from_numpy(mask)

def causal(m, x):
    past = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
    return past if m is None else m & past


# %% exercise="LayerNorm" part="library"
from functools import reduce
from types import SimpleNamespace
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from autograder.library.unit_05_multi_head import MultiHeadAttention


class LayerNorm(nn.LayerNorm):
    """PyTorch's own, which calls its gain and bias by the same names."""

    def __init__(self, d_model: int, eps: float = 1e-5) -> None:
        super().__init__(d_model, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)

# %% exercise="LayerNorm" part="variants"
without("one: d_model", because="the variance of one number is 0, or by its other definition no number")

def apart(x):
    """No token's features nearly alike: what is divided by a small spread depends on rounding, its gradient first."""
    x[x.var(dim=-1, unbiased=False) < 0.25] += 2.0 * torch.arange(x.shape[-1])
    return x

@cases(dict(batch=2, seq=3, d_model=5), dict(batch=4, seq=5, d_model=7), low=3)
def sentences(rng, batch, seq, d_model):
    """{batch} sentences of {seq} tokens, d_model {d_model}"""
    return module(init=dict(d_model=d_model), rng=rng, given=dict(x=apart(floats(rng, batch, seq, d_model, scale=2, shift=1))))

@cases(dict(seq=6, d_model=4), low=3)
def one_sentence(rng, seq, d_model):
    """one sentence of {seq} tokens, no batch axis, d_model {d_model}"""
    return module(init=dict(d_model=d_model), rng=rng, given=dict(x=apart(floats(rng, seq, d_model, scale=2))), gradients=False)

@cases(dict(batch=2, heads=3, seq=5, d_model=4), low=3, hidden=[dict(batch=3, heads=2, seq=4, d_model=6)])
def four_axes(rng, batch, heads, seq, d_model):
    """an input of shape ({batch}, {heads}, {seq}, {d_model})"""
    return module(init=dict(d_model=d_model), rng=rng, given=dict(x=apart(floats(rng, batch, heads, seq, d_model))), gradients=False)

@cases(dict(batch=3, seq=2, d_model=6), low=3)
def large_eps(rng, batch, seq, d_model):
    """{batch} sentences of {seq} tokens, d_model {d_model}, eps=0.5"""
    return module(init=dict(d_model=d_model, eps=0.5), rng=rng, given=dict(x=floats(rng, batch, seq, d_model, shift=-1)))

@cases(dict(batch=3, seq=4, d_model=5), low=3)
def small_numbers(rng, batch, seq, d_model):
    """numbers of about 0.005, so that eps=1e-5 counts"""
    x = floats(rng, batch, seq, d_model, scale=0.005)
    x[-1, -1, :2] = torch.tensor([0.0625, -0.0625])  # a probe adds 0.5 to the last token: no spread of 0.005 keeps its digits then
    return module(init=dict(d_model=d_model), rng=rng, given=dict(x=x), gradients=False)

@cases(dict(seq=3, d_model=4), hidden=[dict(seq=5, d_model=8)])  # 1/d_model is exact, or a matrix form has no variance of 0
def equal_features(rng, seq, d_model):
    """a token whose {d_model} features are all 3: variance 0"""
    x = floats(rng, 2, seq, d_model)
    x[1, 1] = 3.0
    return module(init=dict(d_model=d_model), rng=rng, given=dict(x=x), gradients=False)

MEAN, VAR = "x.mean(dim=-1, keepdim=True)", "x.var(dim=-1, keepdim=True, unbiased=False)"
ROOT, OUT = "torch.sqrt(variance + self.eps)", "self.weight * normalised + self.bias"
NOTHING = "`forward` ends without giving anything back: is a `return` missing?"
UNBIASED = "your variance is divided by d_model − 1 (the default of `var` and `std`); a layer norm divides by d_model."
OUTSIDE = "your eps stands outside the root. It belongs under the root, added to the variance."
NO_EPS = "eps is left out: where all features are equal the variance is 0, and 0/0 is NaN."
GAIN, BIAS, BOTH = "the gain is left out: multiply by `self.weight`.", "the bias is left out: add `self.bias`.", "gain and bias are left out: `self.weight` scales the normalised numbers, and `self.bias` is added."

spreads = {
    "": ([], ""),
    "unbiased": ([(VAR, "x.var(dim=-1, keepdim=True)")], UNBIASED),
    "no-mean": ([("x - mean", "x")], "the mean is not subtracted: your normalised rows do not have mean 0."),
    "rms": ([("x - mean", "x"), (VAR, "x.pow(2).mean(dim=-1, keepdim=True)")], "you divide by the root mean square and never subtract the mean. That is an RMSNorm; a layer norm takes the mean away first."),
    "rms-centred": ([(VAR, "x.pow(2).mean(dim=-1, keepdim=True)")], "your variance is the mean of x²; take the mean away first: it is the mean of (x − mean)²."),
    "sum-of-squares": ([(VAR, "(x - mean).pow(2).sum(dim=-1, keepdim=True)")], "your variance is the sum of the squared differences; it is their mean: divide by d_model."),
    "mean-deviation": ([(VAR, "(x - mean).abs().mean(dim=-1, keepdim=True) ** 2")], "you divide by the mean distance from the mean (absolute values); the variance takes squares."),
    "squared-mean": ([(VAR, "(x - mean).mean(dim=-1, keepdim=True) ** 2")], "you square after averaging, which gives 0; square each difference, then average."),
}
roots = {
    "": ([], ""),
    "eps-outside": ([(ROOT, "(torch.sqrt(variance) + self.eps)")], OUTSIDE),
    "no-eps": ([(ROOT, "torch.sqrt(variance)")], NO_EPS),
    "fixed-eps": ([(ROOT, "torch.sqrt(variance + 1e-5)")], "your eps is a fixed number; use the one that was handed to `__init__`, `self.eps`."),
    "no-root": ([(ROOT, "(variance + self.eps)")], "you divide by the variance; divide by its square root."),
    "eps-squared": ([(ROOT, "torch.sqrt(variance + self.eps**2)")], "eps is squared under your root; add it as it is."),
    "root-multiplied": ([("(x - mean) / torch", "(x - mean) * torch")], "you multiply by the spread; divide by it."),
    "clamped": ([(ROOT, "torch.sqrt(variance.clamp(min=self.eps))")], "your eps is a lower limit for the variance; it is added to it."),
    "clamped-spread": ([(ROOT, "torch.sqrt(variance).clamp(min=self.eps)")], "your eps is a lower limit for the root; it is added to the variance, under the root."),
    "power-of-four": ([(ROOT, "torch.sqrt(torch.sqrt(variance + self.eps))")], "the root is taken twice."),
}
outs = {
    "": ([], ""),
    "no-gain": ([(OUT, "normalised + self.bias")], GAIN),
    "no-bias": ([(OUT, "self.weight * normalised")], BIAS),
    "no-gain-no-bias": ([(OUT, "normalised")], BOTH),
    "bias-first": ([(OUT, "self.weight * (normalised + self.bias)")], "your bias is added before the gain, so it is scaled as well; first the gain, then the bias."),
    "swapped": ([(OUT, "self.bias * normalised + self.weight")], "gain and bias have changed places: `weight` scales, `bias` is added."),
    "one-plus-gain": ([(OUT, "(1 + self.weight) * normalised + self.bias")], "your gain is 1 + `weight`; it is `weight` itself, which starts at 1."),
    "bias-subtracted": ([(OUT, "self.weight * normalised - self.bias")], "your bias is subtracted; add it."),
    "gain-divides": ([(OUT, "normalised / self.weight + self.bias")], "you divide by the gain; multiply by it."),
    "gain-added": ([(OUT, "normalised + self.weight + self.bias")], "your gain is added; it scales: multiply by it."),
    "relu": ([(OUT, "torch.relu(self.weight * normalised + self.bias)")], "a ReLU stands behind your norm; a layer norm has none."),
    "plus-x": ([(OUT, "x + self.weight * normalised + self.bias")], "you add the input to the output. The residual connection belongs to the block (exercise 3), not to the norm."),
}
pairs = {("unbiased", r, o) for r in ("", "eps-outside", "no-eps", "fixed-eps") for o in ("", "no-gain", "no-bias", "no-gain-no-bias", "bias-first")}
pairs |= {("", r, o) for r in ("eps-outside", "no-eps", "fixed-eps") for o in ("no-gain", "no-bias", "no-gain-no-bias")}
pairs |= {(s, "", "") for s in spreads} | {("", r, "") for r in roots} | {("", "", o) for o in outs} | {("rms", r, o) for r in ("", "no-eps", "eps-outside") for o in ("", "no-bias")}
pairs |= {("no-mean", "", "no-bias"), ("unbiased", "no-root", ""), ("unbiased", "", "swapped"), ("rms", "", "no-gain-no-bias")}
for s, r, o in sorted(pairs - {("", "", "")}, key=lambda names: (sum(map(bool, names)), names)):
    found = [kind[name] for kind, name in ((spreads, s), (roots, r), (outs, o)) if name]
    said = " And: ".join(text for _, text in found)
    heading = {1: "", 2: "two things at once: ", 3: "three things at once: "}[len(found)]
    wrong("+".join(filter(None, (s, r, o))), *[edit for edits, _ in found for edit in edits], says=heading + said)

def over(dim):
    return (MEAN, f"x.mean(dim={dim}, keepdim=True)"), (VAR, f"x.var(dim={dim}, keepdim=True, unbiased=False)")

wrong("over-tokens", *over(-2), says="you normalise over the tokens of a sentence: each token's result depends on the other tokens. Normalise over the features, the last axis.")
wrong("over-axis-1", *over(1), says="you normalise over axis 1, which is the tokens' axis in a batch of sentences. Normalise over the features: the last axis, counted from the end.")
wrong("over-batch", *over(0), says="you normalise over the batch, as a batch norm does: a token's result depends on the other sentences. Normalise over the features, the last axis.")
wrong("divided-by-axis-1", ("x.mean(dim=-1, keepdim=True)", "x.sum(dim=-1, keepdim=True) / x.shape[min(1, x.dim() - 1)]"), ("x.var(dim=-1, keepdim=True, unbiased=False)", "(x - mean).square().sum(dim=-1, keepdim=True) / x.shape[min(1, x.dim() - 1)]"),
      says="your sums over the features are divided by the length of axis 1, which is the number of tokens where there is a batch. Divide by the number of features, the length of the last axis.")
wrong("over-axis-2", *over(2), says="your axis is counted from the front (2), which is right for three axes only. Count from the end: the features stand on the last axis.")
wrong("over-sentence", *over("(-2, -1)"), says="you normalise over a whole sentence, tokens and features together. Each token's vector is normalised by itself.")
wrong("over-all-but-features", (MEAN, "x.mean(dim=tuple(range(x.ndim - 1)), keepdim=True)"), (VAR, "x.var(dim=tuple(range(x.ndim - 1)), keepdim=True, unbiased=False)"),
      says="you normalise each feature over all tokens, as a batch norm does. Normalise each token over its features, the last axis.")
wrong("over-everything", (MEAN, "x.mean()"), (VAR, "x.var(unbiased=False)"), says="mean and variance are taken over the whole input; each token's vector has its own.")
wrong("over-everything-unbiased", (MEAN, "x.mean()"), (VAR, "x.var()"), says="mean and variance are taken over the whole input; each token's vector has its own.")
wrong("mean-over-everything", (MEAN, "x.mean()"), says="your mean is taken over the whole input; each token's vector has its own.")
wrong("variance-over-everything", (VAR, "x.var(unbiased=False)"), says="your variance is taken over the whole input; each token's vector has its own.")
wrong("variance-over-tokens", (VAR, "x.var(dim=-2, keepdim=True, unbiased=False)"), says="your mean is taken over the features and your variance over the tokens; both run over the features, the last axis.")
wrong("mean-over-tokens", (MEAN, "x.mean(dim=-2, keepdim=True)"), says="your mean is taken over the tokens and your variance over the features; both run over the features, the last axis.")
for part, edits in {"mean": [(MEAN, "x.mean(dim=-1)")], "variance": [(VAR, "x.var(dim=-1, unbiased=False)")], "mean-and-variance": [(MEAN, "x.mean(dim=-1)"), (VAR, "x.var(dim=-1, unbiased=False)")]}.items():
    wrong(f"{part}-without-keepdim", *edits, says="mean or variance has lost the features' axis, so it lines up with the wrong axis of `x`. Keep an axis of length 1 there (`keepdim=True`).")
wrong("root-of-std", (ROOT, "torch.sqrt(x.std(dim=-1, keepdim=True) + self.eps)"), says="you take the root of the standard deviation. It is the root of the variance already (and `std` divides by d_model − 1).")
wrong("median", (MEAN, "x.median(dim=-1, keepdim=True).values"), (VAR, "(x - mean).pow(2).mean(dim=-1, keepdim=True)"), says="you subtract the median, the middle number; subtract the mean.")
wrong("norm-of-length-1", (ROOT, "(x - mean).norm(dim=-1, keepdim=True)"), says="you divide by the vector's length, which is √d_model times the standard deviation, and eps is left out.")
wrong("length-1", ("(x - mean) / torch.sqrt(variance + self.eps)", "x / x.norm(dim=-1, keepdim=True)"), says="you bring each vector to length 1; a layer norm takes its mean away and divides by its standard deviation.")
wrong("between-0-and-1", ("(x - mean) / torch.sqrt(variance + self.eps)", "(x - x.amin(-1, keepdim=True)) / (x.amax(-1, keepdim=True) - x.amin(-1, keepdim=True) + self.eps)"),
      says="you stretch each vector between its smallest and largest number; a layer norm takes its mean away and divides by its standard deviation.")
wrong("softmax", ("(x - mean) / torch.sqrt(variance + self.eps)", "torch.softmax(x, dim=-1)"), says="a softmax stands where the normalisation belongs: take the mean away and divide by the standard deviation.")
wrong("twice", (OUT, "self.weight * ((normalised - normalised.mean(-1, keepdim=True)) / torch.sqrt(normalised.var(-1, keepdim=True, unbiased=False) + self.eps)) + self.bias"), says="the vectors are normalised twice.")
wrong("only-centred", ("(x - mean) / torch.sqrt(variance + self.eps)", "x - mean"), says="the mean is subtracted, but nothing is divided: divide by the root of variance + eps.")
wrong("unchanged", ("(x - mean) / torch.sqrt(variance + self.eps)", "x"), says="nothing is normalised: only gain and bias are applied.")
wrong("returns-x", (OUT, "x"), says="your output is the input itself, unchanged.")
wrong("mean-added", ("x - mean", "x + mean"), says="the mean is added; subtract it.")
wrong("sign", ("x - mean", "mean - x"), says="your differences have the wrong sign: it is x − mean.")
wrong("eps-in-the-numerator", ("x - mean", "x - mean + self.eps"), says="eps is added above the fraction line as well; it belongs under the root only.")
wrong("eps-on-std-and-outside", (ROOT, "(x.std(dim=-1, keepdim=True) + self.eps)"), says=f"two things at once: {UNBIASED} And: {OUTSIDE}")
wrong("mean-detached", (MEAN, "x.mean(dim=-1, keepdim=True).detach()"), says="the numbers are right and the gradient is not: your mean is cut off from it (`detach`, `no_grad`, `.data`, or kept from another call).")
wrong("variance-detached", (VAR, "x.var(dim=-1, keepdim=True, unbiased=False).detach()"), says="the numbers are right and the gradient is not: your variance is cut off from it (`detach`, `no_grad`, `.data`, or kept from another call).")
wrong("statistics-detached", (MEAN, "x.mean(dim=-1, keepdim=True).detach()"), (VAR, "x.var(dim=-1, keepdim=True, unbiased=False).detach()"), says="the numbers are right and the gradient is not: mean and variance are cut off from it (`detach`, `no_grad`, `.data`, or kept from another call).")
wrong("in-place", ("(x - mean) / torch", "x.sub_(mean) / torch"), says="your code changes the caller's `x` in place; compute a new tensor.")
wrong("a-list", (OUT, "(self.weight * normalised + self.bias).tolist()"), says="you return a Python list; return the tensor.")
wrong("numpy", (OUT, "(self.weight * normalised + self.bias).detach().numpy()"), says="you return a NumPy array; return the tensor, with its gradient.")
wrong("with-statistics", (OUT, "self.weight * normalised + self.bias, mean, variance"), says="you return three things; return the normalised tensor alone.")
wrong("nothing-returned", ("return self.weight", "self.weight"), says=NOTHING)
wrong("plain-tensors", ("nn.Parameter(torch.ones(d_model))", "torch.ones(d_model)"), ("nn.Parameter(torch.zeros(d_model))", "torch.zeros(d_model)"),
      says="`weight` and `bias` are plain tensors, which nobody learns; leave `__init__` as it is given: they are `nn.Parameter`s.")
wrong("renamed", ("self.weight = nn", "self.gamma = nn"), ("self.bias = nn", "self.beta = nn"), (OUT, "self.gamma * normalised + self.beta"), says="your gain and bias have other names; leave `__init__` as it is given: `weight` and `bias`.")
wrong("scalars", ("torch.ones(d_model)", "torch.ones(1)"), ("torch.zeros(d_model)", "torch.zeros(1)"), says="your gain is one number for all features; there is one for each, `(d_model,)`.")

class Norm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps, self.weight, self.bias = eps, nn.Parameter(torch.ones(d_model)), nn.Parameter(torch.zeros(d_model))

@right
class BySums(Norm):
    def forward(self, x):
        d = x.shape[-1]
        centred = x - x.sum(-1, keepdim=True) / d
        return centred * torch.rsqrt((centred * centred).sum(-1, keepdim=True) / d + self.eps) * self.weight + self.bias

@right
class VarMean(Norm):
    def forward(self, x):
        v, m = torch.var_mean(x, -1, correction=0)
        return torch.addcmul(self.bias, (x - m[..., None]) / (v[..., None] + self.eps) ** 0.5, self.weight)

@right
class MeanOfSquares(Norm):
    def forward(self, x):
        m = x.mean(axis=-1, keepdims=True)
        return (x - m) / torch.sqrt((x**2).mean(axis=-1, keepdims=True) - m**2 + self.eps) * self.weight + self.bias

@right
class InFloat64(Norm):
    def forward(self, x):
        y = x.double()
        y = (y - y.mean(-1, True)) / (y.var(-1, False, keepdim=True) + self.eps).sqrt()
        return self.bias + self.weight * y

@right
class RowByRow(Norm):
    def forward(self, x):
        rows = [(row - row.mean()) / (((row - row.mean()) ** 2).mean() + self.eps).sqrt() * self.weight + self.bias for row in x.reshape(-1, x.shape[-1])]
        return torch.stack(rows).view(x.shape)

@right
class ByAMatrix(Norm):
    def forward(self, x):
        d = x.shape[-1]
        centred = x @ (torch.eye(d) - torch.full((d, d), 1 / d))
        spread = torch.einsum("...i,...i->...", centred, centred) / d
        return torch.einsum("...i,...,i->...i", centred, (spread + self.eps).pow(-0.5), self.weight) + self.bias

@right
class Transposed(Norm):
    def forward(self, x):
        t = x.movedim(-1, 0)
        t = (t - t.mean(0)) / (t.var(0, unbiased=False) + self.eps).sqrt()
        return t.movedim(0, -1) * self.weight + self.bias

@truth
class PyTorchsOwn(Norm):
    def forward(self, x):
        return nn.functional.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.eps)

@truth
class LoopInFloat64(Norm):
    def forward(self, x):
        out = x.double().clone()
        for place in np.ndindex(*x.shape[:-1]):
            numbers = [float(number) for number in x[place]]
            m = sum(numbers) / len(numbers)
            v = sum((number - m) ** 2 for number in numbers) / len(numbers)
            for i, number in enumerate(numbers):
                out[place][i] = float(self.weight[i]) * (number - m) / (v + self.eps) ** 0.5 + float(self.bias[i])
        return out

# %% exercise="FeedForward" part="library"
class FeedForward(nn.Module):
    """PyTorch's threshold operator between two of its layers."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear2(F.threshold(self.linear1(x), 0.0, 0.0))

# %% exercise="FeedForward" part="variants"
@cases(dict(batch=2, seq=4, d_model=3, d_ff=7), dict(batch=3, seq=2, d_model=6, d_ff=5), low=3)
def sentences(rng, batch, seq, d_model, d_ff):
    """{batch} sentences of {seq} tokens, d_model {d_model}, d_ff {d_ff}"""
    return module(init=dict(d_model=d_model, d_ff=d_ff), rng=rng, given=dict(x=floats(rng, batch, seq, d_model, scale=2)))

@cases(dict(seq=5, d_model=4, d_ff=9), low=3)
def one_sentence(rng, seq, d_model, d_ff):
    """one sentence of {seq} tokens, no batch axis, d_model {d_model}, d_ff {d_ff}"""
    return module(init=dict(d_model=d_model, d_ff=d_ff), rng=rng, given=dict(x=floats(rng, seq, d_model, scale=3)), gradients=False)

@cases(dict(batch=4, d=5), low=4)
def square(rng, batch, d):
    """{batch} sentences of 3 tokens, d_model and d_ff both {d}, large numbers"""
    return module(init=dict(d_model=d, d_ff=d), rng=rng, given=dict(x=floats(rng, batch, 3, d, scale=6)), gradients=False)

IN, OUT = "torch.relu(self.linear1(x))", "return self.linear2(inside)"
NOTHING = "`forward` ends without giving anything back: is a `return` missing?"
BETWEEN = "Between the two layers stands a ReLU, max(0, ·)."
kinds = {
    "gelu": ("nn.functional.gelu({})", f"your activation is a GELU (BERT and GPT use it). {BETWEEN}"),
    "gelu-tanh": ("nn.functional.gelu({}, approximate='tanh')", f"your activation is a GELU (BERT and GPT use it). {BETWEEN}"),
    "silu": ("nn.functional.silu({})", f"your activation is a SiLU (swish). {BETWEEN}"),
    "tanh": ("torch.tanh({})", f"your activation is a tanh. {BETWEEN}"),
    "sigmoid": ("torch.sigmoid({})", f"your activation is a sigmoid. {BETWEEN}"),
    "leaky": ("nn.functional.leaky_relu({})", f"your activation lets a little of the negative numbers through (leaky ReLU). {BETWEEN}"),
    "elu": ("nn.functional.elu({})", f"your activation is an ELU. {BETWEEN}"),
    "softplus": ("nn.functional.softplus({})", f"your activation is a softplus, a ReLU with a rounded corner. {BETWEEN}"),
    "relu6": ("nn.functional.relu6({})", f"your activation stops at 6 (ReLU6). {BETWEEN}"),
    "absolute": ("({}).abs()", f"your activation takes absolute values. {BETWEEN}"),
    "squared-relu": ("torch.relu({}) ** 2", f"your ReLU is squared. {BETWEEN}"),
    "softmax": ("torch.softmax({}, dim=-1)", f"a softmax stands between the layers. {BETWEEN}"),
    "minimum": ("torch.clamp({}, max=0)", "you keep the negative numbers and drop the positive ones; a ReLU does the opposite."),
    "clamp-1": ("torch.clamp({}, 0, 1)", f"your activation stops at 1. {BETWEEN}"),
    "selu": ("nn.functional.selu({})", f"your activation is a SELU. {BETWEEN}"),
    "mish": ("nn.functional.mish({})", f"your activation is a Mish. {BETWEEN}"),
    "cut-at-1": ("nn.functional.threshold({}, 1.0, 0.0)", "your activation drops numbers below 1; a ReLU drops those below 0."),
    "step": ("({} > 0).float()", "your activation gives 1 where a number is positive; a ReLU gives the number itself."),
    "twice-relu": ("2 * torch.relu({})", "your activation gives twice what a ReLU gives."),
    "normed": ("torch.relu(nn.functional.layer_norm({0}, {0}.shape[-1:]))", "the numbers are normalised between the two layers; here only a ReLU stands there."),
}
for name, (form, says) in kinds.items():
    wrong(name, (IN, form.format("self.linear1(x)")), says=says)
NO_RELU = "the ReLU between the two layers is missing: two linear layers in a row are no more than one."
AFTER = "your ReLU stands behind the second layer: no output is negative. It stands between the two layers."
wrong("no-activation", (IN, "self.linear1(x)"), says=NO_RELU)
wrong("activation-after", (IN, "self.linear1(x)"), (OUT, "return torch.relu(self.linear2(inside))"), says=AFTER)
wrong("activation-twice", (OUT, "return torch.relu(self.linear2(inside))"), says="a second ReLU stands behind the second layer, so no output is negative; there is one, between the two layers.")
wrong("activation-twice, no second bias", (OUT, "return torch.relu(inside @ self.linear2.weight.T)"),
      says="two things at once: a second ReLU stands behind the second layer; there is one, between the two layers. And the bias of `linear2` is left out.")
wrong("activation-first", (IN, "self.linear1(torch.relu(x))"), says="your ReLU stands before the first layer; it stands between the two layers.")
wrong("activation-first-too", (IN, "torch.relu(self.linear1(torch.relu(x)))"), says="a ReLU stands before the first layer as well; there is one, between the two layers.")
wrong("gelu-after", (IN, "self.linear1(x)"), (OUT, "return nn.functional.gelu(self.linear2(inside))"), says=f"your activation is a GELU and stands behind the second layer. {BETWEEN}")
wrong("largest-along-an-axis", (IN, "torch.max(self.linear1(x), 0)[0]"), says="you take the largest number along an axis (`torch.max(h, 0)` means axis 0). A ReLU takes the larger of each number and 0.")
wrong("residual", (OUT, "return x + self.linear2(inside)"), says="you add the input to the output. The residual connection belongs to the block (exercise 3).")
wrong("residual-no-activation", (IN, "self.linear1(x)"), (OUT, "return x + self.linear2(inside)"), says=f"two things at once: {NO_RELU} And you add the input to the output, which is the block's work.")
wrong("normed-output", (OUT, "return nn.functional.layer_norm(self.linear2(inside), x.shape[-1:])"), says="your output is normalised. The norms belong to the block (exercise 3).")
wrong("residual-and-norm", (OUT, "return nn.functional.layer_norm(x + self.linear2(inside), x.shape[-1:])"), says="you add the input and normalise: that is the block's work (exercise 3), not this layer's.")
wrong("normed-input", (IN, "torch.relu(self.linear1(nn.functional.layer_norm(x, x.shape[-1:])))"), says="your input is normalised. The norms belong to the block (exercise 3).")
wrong("first-layer-only", (OUT, "return inside"), says="the second layer is left out: your output has d_ff features, not d_model.")
wrong("no-first-bias", (IN, "torch.relu(x @ self.linear1.weight.T)"), says="the bias of `linear1` is left out; call the layer, and it adds it.")
wrong("no-second-bias", (OUT, "return inside @ self.linear2.weight.T"), says="the bias of `linear2` is left out; call the layer, and it adds it.")
wrong("no-biases", (IN, "torch.relu(x @ self.linear1.weight.T)"), (OUT, "return inside @ self.linear2.weight.T"), says="the biases are left out; call the layers, and they add them.")
wrong("bias-behind-relu", (IN, "torch.relu(x @ self.linear1.weight.T) + self.linear1.bias"), says="the bias of `linear1` is added behind the ReLU; it belongs before it.")
wrong("untransposed", (IN, "torch.relu(x @ self.linear1.weight + self.linear1.bias)"), (OUT, "return inside @ self.linear2.weight + self.linear2.bias"),
      says="you multiply by the layers' weights untransposed; `nn.Linear` stores (out, in) and multiplies by the transpose. Call the layers instead.")
wrong("layers-swapped", (IN, "torch.relu(self.linear2(x))"), (OUT, "return self.linear1(inside)"), says="the two layers have changed places: `linear1` comes first.")
wrong("leaky-0.2", (IN, "nn.functional.leaky_relu(self.linear1(x), 0.2)"), says=kinds["leaky"][1])
wrong("hardswish", (IN, "nn.functional.hardswish(self.linear1(x))"), says=kinds["silu"][1])
wrong("softmax-of-relu", (IN, "torch.softmax(torch.relu(self.linear1(x)), dim=-1)"), says="a softmax stands behind the ReLU; between the two layers stands the ReLU alone.")
wrong("negated", (IN, "torch.relu(-self.linear1(x))"), says="the sign is turned before your ReLU: it keeps what is negative. A ReLU keeps what is positive.")
wrong("doubled", (OUT, "return 2 * self.linear2(inside)"), says="your output is twice what it should be.")
wrong("first-layer-alone", (IN, "self.linear1(x)"), (OUT, "return inside"), says="ReLU and second layer are left out: your output has d_ff features, not d_model.")
wrong("residual-and-std", (OUT, "return ((x + self.linear2(inside)) - (x + self.linear2(inside)).mean(-1, keepdim=True)) / (x + self.linear2(inside)).std(-1, keepdim=True)"), says="you add the input and normalise: that is the block's work (exercise 3), not this layer's.")
wrong("twice", (OUT, "return self.linear2(torch.relu(self.linear1(self.linear2(inside))))"), says="the whole layer is applied twice.")
wrong("tokens-averaged", (OUT, "return self.linear2(inside.mean(dim=-2, keepdim=True).expand_as(inside))"), says="you average over the tokens; each token goes through the layers by itself.")
wrong("tokens-added-up", (IN, "torch.relu(self.linear1(x.cumsum(dim=-2)))"), says="you add up the tokens; each token goes through the layers by itself.")
wrong("old-dropout", (OUT, "return 0.9 * self.linear2(inside)"), says="your output is 0.9 times what it should be, as if a dropout had to be made up for; in eval mode nothing is scaled.")
wrong("scaled", (OUT, "return self.linear2(inside) / inside.shape[-1] ** 0.5"), says="your output is divided by √d_ff; nothing is scaled here.")
wrong("relu-detached", (IN, "torch.relu(self.linear1(x)).detach()"), says="the numbers are right and the gradient is not: what stands between the layers is cut off from it (`detach`, `no_grad` or `.data`).")
wrong("input-detached", (IN, "torch.relu(self.linear1(x.detach()))"), says="the numbers are right and the gradient is not: `x` is cut off from it (`detach`, `no_grad` or `.data`).")
wrong("in-place", (IN, "torch.relu(self.linear1(x.relu_()))"), says="your code changes the caller's `x` in place (an operation whose name ends in `_`), and the ReLU stands before the first layer as well.")
wrong("returns-x", (OUT, "return x"), says="your output is the input itself, unchanged.")
wrong("both-returned", (OUT, "return self.linear2(inside), inside"), says="you return two things; return the output alone.")
wrong("a-list", (OUT, "return self.linear2(inside).tolist()"), says="you return a Python list; return the tensor.")
wrong("numpy", (OUT, "return self.linear2(inside).detach().numpy()"), says="you return a NumPy array; return the tensor, with its gradient.")
wrong("nothing-returned", (OUT, "self.linear2(inside)"), says=NOTHING)
wrong("no-bias-layers", ("self.linear1 = nn.Linear(d_model, d_ff)", "self.linear1 = nn.Linear(d_model, d_ff, bias=False)"), says="`linear1` has no bias in your class; leave `__init__` as it is given.")
wrong("four-times", ("self.linear1 = nn.Linear(d_model, d_ff)", "self.linear1 = nn.Linear(d_model, 4 * d_model)"), ("self.linear2 = nn.Linear(d_ff, d_model)", "self.linear2 = nn.Linear(4 * d_model, d_model)"), says="your layer is always 4·d_model wide inside; leave `__init__` as it is given: its width is `d_ff`.")

class Layers(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)

@right
class Maximum(Layers):
    def forward(self, x):
        inside = self.linear1(x)
        return self.linear2(torch.maximum(inside, torch.zeros_like(inside)))

@right
class ByHand(Layers):
    def forward(self, x):
        inside = (self.linear1.bias + torch.einsum("...i,oi->...o", x, self.linear1.weight)).clamp(min=0)
        return torch.einsum("...i,oi->...o", inside, self.linear2.weight) + self.linear2.bias

@right
class Sequential(Layers):
    def forward(self, x):
        return nn.Sequential(self.linear1, nn.ReLU(), self.linear2)(x)

@right
class InFloat64(Layers):
    def forward(self, x):
        inside = x.double() @ self.linear1.weight.double().T + self.linear1.bias.double()
        return (inside * (inside > 0)) @ self.linear2.weight.double().T + self.linear2.bias.double()

@right
class TokenByToken(Layers):
    def forward(self, x):
        rows = [self.linear2(nn.functional.relu(self.linear1(row))) for row in x.flatten(0, -2)]
        return torch.stack(rows).reshape(x.shape)

@right
class HalfOfAbsolute(Layers):
    def forward(self, x):
        inside = self.linear1(x)
        return self.linear2((inside + inside.abs()) / 2)

@truth
class LoopInFloat64(Layers):
    def forward(self, x):
        out = x.double().clone()
        W1, W2 = self.linear1.weight.double(), self.linear2.weight.double()
        for place in np.ndindex(*x.shape[:-1]):
            inside = [max(0.0, float((x[place].double() * W1[j]).sum() + self.linear1.bias[j])) for j in range(len(W1))]
            for i in range(len(W2)):
                out[place][i] = sum(float(W2[i, j]) * value for j, value in enumerate(inside)) + float(self.linear2.bias[i])
        return out

@truth
class PyTorchsOwn(Layers):
    """The feed-forward half of nn.TransformerEncoderLayer."""
    def forward(self, x):
        own = nn.TransformerEncoderLayer(x.shape[-1], 1, self.linear1.out_features, dropout=0.0)
        own.linear1.load_state_dict(self.linear1.state_dict())
        own.linear2.load_state_dict(self.linear2.state_dict())
        return own._ff_block(x)

# %% exercise="EncoderBlock" part="library"
class EncoderBlock(nn.TransformerEncoderLayer):
    """PyTorch's own layer, with the course's parts in the places of its two sub-layers."""

    self_attn = SimpleNamespace(batch_first=False)  # PyTorch asks whether its fused kernel fits: it does not

    def __init__(self, d_model: int, num_heads: int, d_ff: int, dropout: float = 0.0, norm_first: bool = False) -> None:
        nn.Module.__init__(self)
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads)
        self.feed_forward = FeedForward(d_model, d_ff)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:  # type: ignore[override]
        return super().forward(x, None if mask is None else ~mask)  # True hides in PyTorch's own layer

    def _sa_block(
        self, x: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None, is_causal: bool = False
    ) -> Tensor:
        mask = None if attn_mask is None else attn_mask == 0  # it comes as numbers, −inf where hidden
        return self.dropout(self.self_attention(x, x, x, mask)[0])

    def _ff_block(self, x: Tensor) -> Tensor:
        return self.dropout(self.feed_forward(x))

def numbers_that_come_out(x: Tensor) -> Any:
    """`x` through a module; of its output, how many different numbers it holds (11 stands for more than ten)."""
    from autograder.formats.fixtures import Driver

    return Driver(lambda module: min(len(module(x).detach().mul(1000).round().unique()), 11))


def draws_at_random(x: Tensor) -> Any:
    from autograder.library.common import draws_at_random

    return draws_at_random(x)

# %% exercise="EncoderBlock" part="variants"
without("mask: three axes", "mask: one for each head", because="the mask is handed on, and widening it for all heads alike is a right way to do so")
def call(rng, batch, seq, num_heads, d_head, d_ff, mask=None, gradients=False, training=False, **more):
    d_model = num_heads * d_head
    given = dict(x=floats(rng, batch, seq, d_model, scale=1.5)) | ({} if mask is None else dict(mask=mask))
    return module(init=dict(d_model=d_model, num_heads=num_heads, d_ff=d_ff) | more, rng=rng, given=given, gradients=gradients, training=training)

SIZES = [dict(batch=3, seq=4, num_heads=2, d_head=5, d_ff=7), dict(batch=2, seq=7, num_heads=4, d_head=2, d_ff=5), dict(batch=4, seq=5, num_heads=3, d_head=2, d_ff=9)]

@cases(dict(batch=2, seq=5, num_heads=3, d_head=2, d_ff=7), hidden=SIZES[:1])
def post_norm(rng, batch, seq, num_heads, d_head, d_ff):
    """post-norm, {batch} sentences of {seq} tokens, no mask, gradients"""
    return call(rng, batch, seq, num_heads, d_head, d_ff, gradients=True)

@cases(dict(batch=3, seq=4, num_heads=2, d_head=4, d_ff=5), hidden=SIZES[1:2])
def pre_norm(rng, batch, seq, num_heads, d_head, d_ff):
    """pre-norm, {batch} sentences of {seq} tokens, no mask, gradients"""
    return call(rng, batch, seq, num_heads, d_head, d_ff, gradients=True, norm_first=True)

@cases(dict(batch=3, seq=6, num_heads=2, d_head=5, d_ff=8), hidden=SIZES[2:])
def post_norm_padded(rng, batch, seq, num_heads, d_head, d_ff):
    """post-norm, {batch} sentences padded to {seq} tokens"""
    return call(rng, batch, seq, num_heads, d_head, d_ff, padding(rng, batch, seq))

@cases(dict(batch=2, seq=7, num_heads=3, d_head=3, d_ff=5), hidden=SIZES[:1])
def pre_norm_padded(rng, batch, seq, num_heads, d_head, d_ff):
    """pre-norm, {batch} sentences padded to {seq} tokens"""
    return call(rng, batch, seq, num_heads, d_head, d_ff, padding(rng, batch, seq), norm_first=True)

@cases(dict(batch=4, seq=5, num_heads=2, d_head=3, d_ff=9), hidden=SIZES[1:2])
def post_norm_pairs(rng, batch, seq, num_heads, d_head, d_ff):
    """post-norm, dropout=0.5 in eval mode, a mask of shape ({seq}, {seq}), random"""
    mask = torch.from_numpy((rng.random((seq, seq)) < 0.5) | np.eye(seq, dtype=bool))
    return call(rng, batch, seq, num_heads, d_head, d_ff, mask, dropout=0.5)

@cases(dict(batch=2, seq=3, num_heads=4, d_head=2, d_ff=6), hidden=SIZES[2:])
def pre_norm_pairs(rng, batch, seq, num_heads, d_head, d_ff):
    """pre-norm, dropout=0.5 in eval mode, a mask of shape ({seq}, {seq}), random"""
    mask = torch.from_numpy((rng.random((seq, seq)) < 0.5) | np.eye(seq, dtype=bool))
    return call(rng, batch, seq, num_heads, d_head, d_ff, mask, dropout=0.5, norm_first=True)

@cases()
def training_mode(rng):
    """post-norm in training mode, dropout=1.0, which drops all that a sub-layer puts out"""
    return call(rng, 2, 4, 2, 3, 5, dropout=1.0, training=True)

@cases()
def training_mode_pre_norm(rng):
    """pre-norm in training mode, dropout=1.0, which drops all that a sub-layer puts out"""
    return call(rng, 3, 5, 3, 2, 4, dropout=1.0, norm_first=True, training=True)

@cases()
def where_dropout_stands(rng):
    """pre-norm in training mode, dropout=0.5, zeros through sub-layers that put out ¼ and 1 everywhere: how many different numbers come out"""
    nothing, x = torch.zeros(4, 4), fixture("numbers_that_come_out", x=torch.zeros(8, 50, 4))
    state = {"self_attention.v_proj.weight": nothing, "self_attention.v_proj.bias": nothing[0], "self_attention.out_proj.bias": nothing[0] + 0.25}
    state |= {"feed_forward.linear1.weight": nothing, "feed_forward.linear1.bias": nothing[0] + 1, "feed_forward.linear2.weight": nothing + 0.25, "feed_forward.linear2.bias": nothing[0]}
    return module(init=dict(d_model=4, num_heads=2, d_ff=4, dropout=0.5, norm_first=True), given=dict(x=x), state=state, training=True, gradients=False)

def counted(rng, **more):
    x = fixture("draws_at_random", x=floats(rng, 2, 3, 4))
    return module(init=dict(d_model=4, num_heads=2, d_ff=5, dropout=0.5) | more, given=dict(x=x), rng=rng, training=True, gradients=False)

@cases()
def dropouts(rng):
    """post-norm in training mode, dropout=0.5, an `x` of 24 numbers: for how many numbers it is drawn at random whether they are dropped"""
    return counted(rng)

@cases()
def dropouts_pre_norm(rng):
    """pre-norm in training mode, dropout=0.5, an `x` of 24 numbers: for how many numbers it is drawn at random whether they are dropped"""
    return counted(rng, norm_first=True)

class Parts(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        self.norm_first, self.rate = norm_first, dropout
        self.self_attention, self.feed_forward = MultiHeadAttention(d_model, num_heads), FeedForward(d_model, d_ff)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)

    def drop(self, x):
        return nn.functional.dropout(x, self.rate, self.training)

    def a(self, query, mask, key=None, value=None):
        return self.drop(self.self_attention(query, query if key is None else key, query if value is None else value, mask)[0])

    def f(self, x):
        return self.drop(self.feed_forward(x))

def arranged(post, pre):
    class EncoderBlock(Parts):
        def forward(self, x, mask=None):
            return (pre if self.norm_first else post)(self, x, mask)
    return EncoderBlock

def post(s, x, m):
    h = s.norm1(x + s.a(x, m))
    return s.norm2(h + s.f(h))

def pre(s, x, m):
    h = x + s.a(s.norm1(x), m)
    return h + s.f(s.norm2(h))

def then(first, second):
    """A block from two halves, each (block, x, mask) -> x."""
    return lambda s, x, m: second(s, first(s, x, m), m)

post1, post2 = lambda s, x, m: s.norm1(x + s.a(x, m)), lambda s, x, m: s.norm2(x + s.f(x))
pre1, pre2 = lambda s, x, m: x + s.a(s.norm1(x), m), lambda s, x, m: x + s.f(s.norm2(x))

def both(name, wrong_post, wrong_pre, says, one_sided=True):
    """The mistake in both arrangements, and in each of them alone."""
    if wrong_post and wrong_pre:
        wrong(name, says=says)(arranged(wrong_post, wrong_pre))
    if wrong_post and (one_sided or not wrong_pre):
        wrong(f"{name} (post-norm)", says=f"with norm_first=False, {says}")(arranged(wrong_post, pre))
    if wrong_pre and (one_sided or not wrong_post):
        wrong(f"{name} (pre-norm)", says=f"with norm_first=True, {says}")(arranged(post, wrong_pre))

# residual connections
both("no-residual", then(lambda s, x, m: s.norm1(s.a(x, m)), lambda s, x, m: s.norm2(s.f(x))), then(lambda s, x, m: s.a(s.norm1(x), m), lambda s, x, m: s.f(s.norm2(x))),
     "both residual connections are missing: each sub-layer's input must be added to its output.")
both("no-first-residual", then(lambda s, x, m: s.norm1(s.a(x, m)), post2), then(lambda s, x, m: s.a(s.norm1(x), m), pre2),
     "the residual connection around the attention is missing: its input must be added to its output.")
both("no-second-residual", then(post1, lambda s, x, m: s.norm2(s.f(x))), then(pre1, lambda s, x, m: s.f(s.norm2(x))),
     "the residual connection around the feed-forward layer is missing: its input must be added to its output.")
both("second-residual-from-x", lambda s, x, m: s.norm2(x + s.f(post1(s, x, m))), lambda s, x, m: x + s.f(s.norm2(pre1(s, x, m))),
     "your second residual connection starts from the block's input `x`. It should start from what leaves the first half, after attention was added.")
both("feed-forward-reads-x", lambda s, x, m: s.norm2(post1(s, x, m) + s.f(x)), lambda s, x, m: pre1(s, x, m) + s.f(s.norm2(x)),
     "your feed-forward layer reads the block's input `x`; it reads what leaves the first half, after attention was added.")
both("side-by-side", lambda s, x, m: s.norm2(x + s.a(x, m) + s.f(x)), None, "your two sub-layers stand side by side, both reading `x`, with one norm; they stand one after the other, each with its own norm.")
both("residual-doubled", then(lambda s, x, m: s.norm1(2 * x + s.a(x, m)), lambda s, x, m: s.norm2(2 * x + s.f(x))), then(lambda s, x, m: 2 * x + s.a(s.norm1(x), m), lambda s, x, m: 2 * x + s.f(s.norm2(x))),
     "the input is added twice to each sub-layer's output; once is right. (Does one of your layers add it already?)")
both("residual-averaged", None, then(lambda s, x, m: (x + s.a(s.norm1(x), m)) / 2, lambda s, x, m: (x + s.f(s.norm2(x))) / 2), "input and sub-layer are averaged; they are added.")
both("residual-multiplied", then(lambda s, x, m: s.norm1(x * s.a(x, m)), lambda s, x, m: s.norm2(x * s.f(x))), then(lambda s, x, m: x * s.a(s.norm1(x), m), lambda s, x, m: x * s.f(s.norm2(x))),
     "input and sub-layer are multiplied; they are added.")
both("residual-subtracted", then(lambda s, x, m: s.norm1(x - s.a(x, m)), lambda s, x, m: s.norm2(x - s.f(x))), then(lambda s, x, m: x - s.a(s.norm1(x), m), lambda s, x, m: x - s.f(s.norm2(x))),
     "each sub-layer is subtracted from its input; it is added.")
both("residual-from-normed", None, then(lambda s, x, m: s.norm1(x) + s.a(s.norm1(x), m), lambda s, x, m: s.norm2(x) + s.f(s.norm2(x))),
     "you add to the normalised vectors. Add to the vectors from before the norm: the residual connection goes around it.")
both("first-residual-from-normed", None, then(lambda s, x, m: s.norm1(x) + s.a(s.norm1(x), m), pre2),
     "around the attention you add to the normalised vectors. Add to the vectors from before the norm: the residual connection goes around it.")
both("second-residual-from-normed", None, then(pre1, lambda s, x, m: s.norm2(x) + s.f(s.norm2(x))),
     "around the feed-forward layer you add to the normalised vectors. Add to the vectors from before the norm: the residual connection goes around it.")
both("residual-detached", then(lambda s, x, m: s.norm1(x.detach() + s.a(x, m)), post2), then(lambda s, x, m: x.detach() + s.a(s.norm1(x), m), pre2),
     "the numbers are right and the gradient is not: the residual connection is cut off from it (`detach`, `no_grad` or `.data`).")
both("attention-detached", then(lambda s, x, m: s.norm1(x + s.a(x, m).detach()), post2), then(lambda s, x, m: x + s.a(s.norm1(x), m).detach(), pre2),
     "the numbers are right and the gradient is not: the attention's output is cut off from it (`detach`, `no_grad` or `.data`).")
# norms
both("no-norms", lambda s, x, m: (h := x + s.a(x, m)) + s.f(h), lambda s, x, m: (h := x + s.a(x, m)) + s.f(h), "both norms are missing.")
both("no-norm1", then(lambda s, x, m: x + s.a(x, m), post2), then(lambda s, x, m: x + s.a(x, m), pre2), "`norm1`, the norm of the attention's half, is missing.")
both("no-norm2", then(post1, lambda s, x, m: x + s.f(x)), then(pre1, lambda s, x, m: x + s.f(x)), "`norm2`, the norm of the feed-forward half, is missing.")
both("norm1-twice", then(post1, lambda s, x, m: s.norm1(x + s.f(x))), then(pre1, lambda s, x, m: x + s.f(s.norm1(x))), "`norm1` is used in both halves; the feed-forward half has a norm of its own, `norm2`.")
both("norm2-twice", then(lambda s, x, m: s.norm2(x + s.a(x, m)), post2), then(lambda s, x, m: x + s.a(s.norm2(x), m), pre2), "`norm2` is used in both halves; the attention's half has a norm of its own, `norm1`.")
both("norms-swapped", then(lambda s, x, m: s.norm2(x + s.a(x, m)), lambda s, x, m: s.norm1(x + s.f(x))), then(lambda s, x, m: x + s.a(s.norm2(x), m), lambda s, x, m: x + s.f(s.norm1(x))),
     "`norm1` and `norm2` have changed places: `norm1` goes with the attention.")
both("norm-inside-the-sum", then(lambda s, x, m: x + s.norm1(s.a(x, m)), lambda s, x, m: x + s.norm2(s.f(x))), then(lambda s, x, m: x + s.norm1(s.a(x, m)), lambda s, x, m: x + s.norm2(s.f(x))),
     "you normalise each sub-layer's output and then add. In post-norm the sum is normalised, in pre-norm the sub-layer's input.")
both("first-norm-inside-the-sum", then(lambda s, x, m: x + s.norm1(s.a(x, m)), post2), then(lambda s, x, m: x + s.norm1(s.a(x, m)), pre2),
     "around the attention you normalise the sub-layer's output and then add. In post-norm the sum is normalised, in pre-norm the sub-layer's input.")
both("second-norm-inside-the-sum", then(post1, lambda s, x, m: x + s.norm2(s.f(x))), then(pre1, lambda s, x, m: x + s.norm2(s.f(x))),
     "around the feed-forward layer you normalise the sub-layer's output and then add. In post-norm the sum is normalised, in pre-norm the sub-layer's input.")
both("norm-twice", then(lambda s, x, m: s.norm1(x + s.a(s.norm1(x), m)), lambda s, x, m: s.norm2(x + s.f(s.norm2(x)))), then(lambda s, x, m: s.norm1(x + s.a(s.norm1(x), m)), lambda s, x, m: s.norm2(x + s.f(s.norm2(x)))),
     "each half normalises twice, before the sub-layer and after the sum; it is one or the other.")
both("extra-norm-at-the-end", None, lambda s, x, m: s.norm2(pre(s, x, m)), "a norm stands at the end of the block. In pre-norm the block ends with the sum; the one final norm comes after the last block (exercise 4).")
both("extra-norm1-at-the-end", None, lambda s, x, m: s.norm1(pre(s, x, m)), "a norm stands at the end of the block. In pre-norm the block ends with the sum; the one final norm comes after the last block (exercise 4).")
both("added-again-after-the-norm", then(lambda s, x, m: x + s.norm1(x + s.a(x, m)), lambda s, x, m: x + s.norm2(x + s.f(x))), None, "the input is added a second time, after the norm.")
wrong("always-post-norm", says="your block is post-norm even with norm_first=True: `self.norm_first` is not used. In pre-norm each norm stands before its sub-layer.")(arranged(post, post))
wrong("always-pre-norm", says="your block is pre-norm even with norm_first=False. In post-norm, the default, each norm stands after the sum.")(arranged(pre, pre))
wrong("norm-first-inverted", says="pre-norm and post-norm have changed places: `norm_first=True` asks for the norm before the sub-layer.")(arranged(pre, post))
both("halves-mixed", then(post1, pre2), then(pre1, post2), "your two halves differ: the attention's half is right and the feed-forward half has its norm in the other place.")
both("halves-mixed-first", then(pre1, post2), then(post1, pre2), "your two halves differ: the feed-forward half is right and the attention's half has its norm in the other place.")
class SharedNorm(Parts):
    def __init__(self, *sizes, **more):
        super().__init__(*sizes, **more)
        self.norm2 = self.norm1
    def forward(self, x, mask=None):
        return (pre if self.norm_first else post)(self, x, mask)
wrong("one-shared-norm", says="`norm1` and `norm2` are one and the same layer in your class; leave `__init__` as it is given: each half has a norm of its own.")(SharedNorm)
# sub-layers
both("order-swapped", then(lambda s, x, m: s.norm1(x + s.f(x)), lambda s, x, m: s.norm2(x + s.a(x, m))), then(lambda s, x, m: x + s.f(s.norm1(x)), lambda s, x, m: x + s.a(s.norm2(x), m)),
     "the feed-forward layer comes first in your block; attention comes first.")
both("halves-swapped", then(post2, post1), then(pre2, pre1), "the feed-forward half comes first in your block; the attention's half comes first.")
both("attention-only", post1, pre1, "the feed-forward half is missing.")
both("feed-forward-only", post2, pre2, "the attention's half is missing.")
both("runs-on", None, lambda s, x, m: post(s, pre(s, x, m), m), "your block runs as pre-norm and then once more as post-norm: is a `return` or an `else` missing?")
both("attention-twice", then(post1, post), then(pre1, pre), "the attention's half is applied twice.")
both("feed-forward-twice", then(post, post2), then(pre, pre2), "the feed-forward half is applied twice.")
both("whole-twice", then(post, post), then(pre, pre), "the whole block is applied twice.")
both("feed-forward-in-a-row", lambda s, x, m: s.norm2(x + s.f(s.a(x, m))), lambda s, x, m: x + s.f(s.norm2(s.a(s.norm1(x), m))), "attention and feed-forward stand in a row inside a single residual connection; each has one of its own.")
both("relu-at-the-end", lambda s, x, m: torch.relu(post(s, x, m)), lambda s, x, m: torch.relu(pre(s, x, m)), "a ReLU stands at the end of your block; the only one is inside the feed-forward layer.")
both("x-added-at-the-end", lambda s, x, m: x + post(s, x, m), lambda s, x, m: x + pre(s, x, m), "the block's input is added once more at the end; there are two residual connections, one around each sub-layer.")
# query, key, value
KEYS = "queries, keys and values all come from the same normalised tensor, `norm1(x)`; some of yours come from `x` as it is."
for name, pick in {"query": "nxx", "key": "xnx", "value": "xxn", "query-key": "nnx", "query-value": "nxn", "key-value": "xnn"}.items():
    both(f"only-{name}-normed", None, then(lambda s, x, m, pick=pick: x + s.a(*(x if pick[0] == "x" else s.norm1(x), m), *(x if p == "x" else s.norm1(x) for p in pick[1:])), pre2), KEYS)
both("across-the-batch", then(lambda s, x, m: s.norm1(x + s.a(x.transpose(0, 1), None).transpose(0, 1)), post2), then(lambda s, x, m: x + s.a(s.norm1(x).transpose(0, 1), None).transpose(0, 1), pre2),
     "batch and tokens are exchanged before the attention, so sentences attend to one another; leave the axes as they are.")
# masks
both("mask-not-passed", lambda s, x, m: post(s, x, None), lambda s, x, m: pre(s, x, None), "the mask is not handed on to the attention: hidden tokens are seen.")
both("mask-inverted", lambda s, x, m: post(s, x, None if m is None else ~m), lambda s, x, m: pre(s, x, None if m is None else ~m), "your mask is inverted: here True means may be attended to. (`nn.MultiheadAttention` means the opposite.)")
both("mask-transposed", lambda s, x, m: post(s, x, None if m is None else m.transpose(-2, -1)), lambda s, x, m: pre(s, x, None if m is None else m.transpose(-2, -1)), "the mask's last two axes have changed places: it hides queries, and the keys that should be hidden are seen. Hand it on as it is.")
both("causal", lambda s, x, m: post(s, x, causal(m, x)), lambda s, x, m: pre(s, x, causal(m, x)), "your tokens cannot see later tokens: a causal mask stands in the encoder. An encoder reads the whole sentence; the mask it is given hides padding.", one_sided=False)
both("only-causal", lambda s, x, m: post(s, x, causal(None, x)), lambda s, x, m: pre(s, x, causal(None, x)), "your tokens cannot see later tokens, and the given mask is not used: a causal mask stands in the encoder. Hand the given one on.", one_sided=False)
both("causal-by-default", lambda s, x, m: post(s, x, causal(None, x) if m is None else m), lambda s, x, m: pre(s, x, causal(None, x) if m is None else m), "without a mask your tokens cannot see later tokens: a causal mask takes its place. No mask means that everything may be seen.", one_sided=False)
both("padding-zeroed", lambda s, x, m: post(s, x, m) * (1.0 if m is None or m.ndim < 4 else m[:, 0, 0, :, None]), lambda s, x, m: pre(s, x, m) * (1.0 if m is None or m.ndim < 4 else m[:, 0, 0, :, None]),
     "the rows of hidden tokens are set to 0. A mask hides keys; it does not silence the tokens' own rows.", one_sided=False)
both("mask-on-the-input", lambda s, x, m: post(s, x * (1.0 if m is None or m.ndim < 4 else m[:, 0, 0, :, None]), None), lambda s, x, m: pre(s, x * (1.0 if m is None or m.ndim < 4 else m[:, 0, 0, :, None]), None),
     "the mask is multiplied onto the input. A token of zeros still gets weight; hand the mask on to the attention.", one_sided=False)
# dropout
both("kept-share-in-eval", then(lambda s, x, m: s.norm1(x + (1 - s.rate) * s.a(x, m)), lambda s, x, m: s.norm2(x + (1 - s.rate) * s.f(x))), then(lambda s, x, m: x + (1 - s.rate) * s.a(s.norm1(x), m), lambda s, x, m: x + (1 - s.rate) * s.f(s.norm2(x))),
     "in eval mode your sub-layers are scaled by 1 − dropout; `nn.Dropout` scales in training and hands everything on unchanged in eval mode.", one_sided=False)
def undropped(s, y, m):
    return s.self_attention(y, y, y, m)[0]

both("no-dropout", then(lambda s, x, m: s.norm1(x + undropped(s, x, m)), lambda s, x, m: s.norm2(x + s.feed_forward(x))), then(lambda s, x, m: x + undropped(s, s.norm1(x), m), lambda s, x, m: x + s.feed_forward(s.norm2(x))),
     "dropout is missing: in training mode nothing is dropped. `self.dropout` goes on each sub-layer's output, before the sum.")
both("no-dropout-attention", then(lambda s, x, m: s.norm1(x + undropped(s, x, m)), post2), then(lambda s, x, m: x + undropped(s, s.norm1(x), m), pre2),
     "the attention's output has no dropout. `self.dropout` goes on each sub-layer's output, before the sum.", one_sided=False)
both("no-dropout-feed-forward", then(post1, lambda s, x, m: s.norm2(x + s.feed_forward(x))), then(pre1, lambda s, x, m: x + s.feed_forward(s.norm2(x))),
     "the feed-forward layer's output has no dropout. `self.dropout` goes on each sub-layer's output, before the sum.", one_sided=False)
both("dropout-on-the-sum", then(lambda s, x, m: s.norm1(s.drop(x + undropped(s, x, m))), lambda s, x, m: s.norm2(s.drop(x + s.feed_forward(x)))), then(lambda s, x, m: s.drop(x + undropped(s, s.norm1(x), m)), lambda s, x, m: s.drop(x + s.feed_forward(s.norm2(x)))),
     "your dropout stands behind the sum, so it drops the residual as well. It goes on each sub-layer's output, before the sum.", one_sided=False)
both("dropout-on-the-input", then(lambda s, x, m: s.norm1(x + undropped(s, s.drop(x), m)), lambda s, x, m: s.norm2(x + s.feed_forward(s.drop(x)))), then(lambda s, x, m: x + undropped(s, s.drop(s.norm1(x)), m), lambda s, x, m: x + s.feed_forward(s.drop(s.norm2(x)))),
     "your dropout stands in front of each sub-layer. It goes on what comes out of it, before the sum.", one_sided=False)
both("dropout-on-the-norm", then(lambda s, x, m: s.drop(s.norm1(x + undropped(s, x, m))), lambda s, x, m: s.drop(s.norm2(x + s.feed_forward(x)))), then(lambda s, x, m: x + undropped(s, s.drop(s.norm1(x)), m), lambda s, x, m: x + s.feed_forward(s.drop(s.norm2(x)))),
     "your dropout stands on what the norms put out. It goes on each sub-layer's output, before the sum.")
def dropped_inside(s, x):
    return s.feed_forward.linear2(s.drop(torch.relu(s.feed_forward.linear1(x))))

INSIDE = "your dropout also stands inside the feed-forward layer (PyTorch's own block has one there). Here it goes on what each sub-layer puts out, and nowhere else."
both("dropout-inside", then(post1, lambda s, x, m: s.norm2(x + dropped_inside(s, x))), then(pre1, lambda s, x, m: x + dropped_inside(s, s.norm2(x))),
     "your dropout stands inside the feed-forward layer, and its output has none. It goes on each sub-layer's output, before the sum.", one_sided=False)
both("dropout-inside-too", then(post1, lambda s, x, m: s.norm2(x + s.drop(dropped_inside(s, x)))), then(pre1, lambda s, x, m: x + s.drop(dropped_inside(s, s.norm2(x)))), INSIDE, one_sided=False)
ONCE_MORE = "your block drops {} too often in training mode: besides each sub-layer's output something is dropped that is as large, such as what a sub-layer reads, or an output that had been dropped already. Dropout goes on what each of them puts out, once, and nowhere else."
both("dropout-on-what-attention-reads", then(lambda s, x, m: s.norm1(x + s.a(s.drop(x), m)), post2), then(lambda s, x, m: x + s.a(s.drop(s.norm1(x)), m), pre2), ONCE_MORE.format("once"))
both("dropout-on-what-both-read", then(lambda s, x, m: s.norm1(x + s.a(s.drop(x), m)), lambda s, x, m: s.norm2(x + s.f(s.drop(x)))), then(lambda s, x, m: x + s.a(s.drop(s.norm1(x)), m), lambda s, x, m: x + s.f(s.drop(s.norm2(x)))), ONCE_MORE.format("twice"))
both("dropout-on-a-norm-too", then(lambda s, x, m: s.drop(s.norm1(x + s.a(x, m))), post2), None, "your dropout also stands behind the first norm, on what the second half starts from. It goes on what each sub-layer puts out, and nowhere else.")
both("dropout-on-the-blocks-input", lambda s, x, m: post(s, s.drop(x), m), lambda s, x, m: pre(s, s.drop(x), m), "your dropout also stands on the block's input `x`. It goes on what each sub-layer puts out, and nowhere else.", one_sided=False)
both("dropout-at-the-end", lambda s, x, m: s.drop(post(s, x, m)), lambda s, x, m: s.drop(pre(s, x, m)), "your dropout also stands on the block's output. It goes on what each sub-layer puts out, before the sum, and nowhere else.", one_sided=False)
# what is returned, what is changed
TUPLE = "the attention returns two things, its output and its weights; your code goes on with both. Take the first."
wrong("tuple-added", says=TUPLE)(arranged(lambda s, x, m: s.norm1(x + s.self_attention(x, x, x, m)), lambda s, x, m: x + s.self_attention(s.norm1(x), s.norm1(x), s.norm1(x), m)))
wrong("tuple-into-dropout", says=TUPLE)(arranged(lambda s, x, m: s.norm1(x + nn.Dropout(0.0)(s.self_attention(x, x, x, m))), lambda s, x, m: x + nn.Dropout(0.0)(s.self_attention(s.norm1(x), s.norm1(x), s.norm1(x), m))))
wrong("weights-taken", ("attended, _ = self.self_attention(normed", "_, attended = self.self_attention(normed"), ("attended, _ = self.self_attention(x", "_, attended = self.self_attention(x"),
      says="you go on with the attention's weights; its first result is the output.")
both("weights-returned-too", lambda s, x, m: (post(s, x, m), s.self_attention(x, x, x, m)[1]), lambda s, x, m: (pre(s, x, m), s.self_attention(s.norm1(x), s.norm1(x), s.norm1(x), m)[1]),
     "you return two things; a block returns its output alone, so that the next block can take it.", one_sided=False)
both("x-returned", lambda s, x, m: x, lambda s, x, m: x, "your output is the input itself, unchanged.", one_sided=False)
both("first-half-in-place", lambda s, x, m: post2(s, s.norm1(x.add_(s.a(x, m))), m), lambda s, x, m: pre2(s, x.add_(s.a(s.norm1(x), m)), m),
     "your code changes the caller's `x` in place (`+=`, or an operation whose name ends in `_`); compute a new tensor.", one_sided=False)
both("nothing-returned", lambda s, x, m: None, lambda s, x, m: None, "`forward` ends without giving anything back: is a `return` missing?")
wrong("no-mask-argument", says="your `forward` takes no mask; keep the line `def forward(self, x, mask=None)` as it is given.")(type("EncoderBlock", (Parts,), {"forward": lambda self, x: post(self, x, None)}))

@right
class ShortForm(Parts):
    def forward(self, x, mask=None):
        n1, n2 = (self.norm1, nn.Identity()) if self.norm_first else (nn.Identity(), self.norm1)
        y = n1(x)
        x = n2(self.drop(self.self_attention(y, y, y, mask)[0]) + x)
        n1, n2 = (self.norm2, nn.Identity()) if self.norm_first else (nn.Identity(), self.norm2)
        return n2(self.drop(self.feed_forward(n1(x))) + x)

@right
class WithDropoutLayers(Parts):
    def forward(self, x, mask=None):
        drop = lambda y: nn.functional.dropout(y, self.rate, self.training)
        def add_norm(x, norm, layer):
            return x + drop(layer(norm(x))) if self.norm_first else norm(x + drop(layer(x)))
        x = add_norm(x, self.norm1, lambda y: self.self_attention(query=y, key=y, value=y, mask=mask)[0])
        return add_norm(x, self.norm2, self.feed_forward)

@right
class SentenceBySentence(Parts):
    def forward(self, x, mask=None):
        rows = []
        for b in range(len(x)):
            own = mask if mask is None or mask.ndim < 4 or len(mask) == 1 else mask[b : b + 1]
            rows.append((pre if self.norm_first else post)(self, x[b : b + 1], own))
        return torch.cat(rows)

@right
class InFloat64(Parts):
    def forward(self, x, mask=None):
        def norm(layer, x):
            c = x - x.mean(-1, keepdim=True)
            return c / (c.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * layer.weight + layer.bias
        def f(x):
            l1, l2 = self.feed_forward.linear1, self.feed_forward.linear2
            return self.drop((x.double() @ l1.weight.double().T + l1.bias).relu() @ l2.weight.double().T + l2.bias)
        def a(x):
            return self.drop(self.self_attention(x.float(), x.float(), x.float(), mask)[0].double())
        x = x.double()
        if self.norm_first:
            x = x + a(norm(self.norm1, x))
            return x + f(norm(self.norm2, x))
        x = norm(self.norm1, x + a(x))
        return norm(self.norm2, x + f(x))

@right
class MaskAlwaysMade(Parts):
    def forward(self, x, mask=None):
        shape = (x.shape[0], self.self_attention.num_heads, x.shape[1], x.shape[1])
        full = torch.ones(shape, dtype=torch.bool) if mask is None else mask.expand(shape)
        return (pre if self.norm_first else post)(self, x, full)

@right
class OwnNormOperator(Parts):
    def forward(self, x, mask=None):
        def norm(n, y):
            return nn.functional.layer_norm(y, y.shape[-1:], n.weight, n.bias)
        if not self.norm_first:
            x = norm(self.norm1, torch.add(x, self.a(x, mask)))
            return norm(self.norm2, torch.stack([x, self.f(x)]).sum(0))
        x = torch.add(self.a(norm(self.norm1, x), mask), x)
        return self.f(norm(self.norm2, x)).add(x)

@truth
class PyTorchsOwn(Parts):
    """nn.TransformerEncoderLayer with the weights copied."""
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__(d_model, num_heads, d_ff, dropout, norm_first)
        own = nn.TransformerEncoderLayer(d_model, num_heads, d_ff, dropout, batch_first=True, norm_first=norm_first)
        own.dropout.p = own.self_attn.dropout = 0.0  # inside the feed-forward layer and on the weights, where ours has none
        self.own = [own]  # in a list: no part of this module

    def forward(self, x, mask=None):
        heads, own = self.self_attention.num_heads, self.own[0].train(self.training)
        own.load_state_dict(torch_weights(self))
        if mask is None:
            return own(x)
        return own(x, src_mask=~mask.expand(x.shape[0], heads, x.shape[1], x.shape[1]).flatten(0, 1))

truth(use_part("EncoderBlock"))

# %% exercise="Encoder" part="library"
class Encoder(nn.Module):
    """A fold over the blocks."""

    def __init__(
        self, num_layers: int, d_model: int, num_heads: int, d_ff: int, dropout: float = 0.0, norm_first: bool = False
    ) -> None:
        super().__init__()
        blocks = (EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers))
        self.blocks = nn.ModuleList(blocks)
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        encoded = reduce(lambda rows, block: block(rows, mask), self.blocks, x)
        return encoded if self.norm is None else self.norm(encoded)

# %% exercise="Encoder" part="variants"
without("mask: three axes", "mask: one for each head", because="the mask is handed on, and widening it for all heads alike is a right way to do so")
def call(rng, layers, batch, seq, num_heads, d_head, d_ff, mask=None, gradients=False, training=False, **more):
    d_model = num_heads * d_head
    given = dict(x=floats(rng, batch, seq, d_model, scale=1.5)) | ({} if mask is None else dict(mask=mask))
    return module(init=dict(num_layers=layers, d_model=d_model, num_heads=num_heads, d_ff=d_ff) | more, rng=rng, given=given, gradients=gradients, training=training)

SIZES = [dict(layers=3, batch=2, seq=4, num_heads=2, d_head=3, d_ff=5), dict(layers=2, batch=3, seq=7, num_heads=2, d_head=2, d_ff=6), dict(layers=4, batch=2, seq=3, num_heads=3, d_head=2, d_ff=7)]

@cases(dict(layers=3, batch=2, seq=5, num_heads=2, d_head=2, d_ff=7), hidden=SIZES[:1])
def post_norm(rng, layers, batch, seq, num_heads, d_head, d_ff):
    """post-norm, {layers} blocks, {batch} sentences of {seq} tokens, no mask, gradients"""
    return call(rng, layers, batch, seq, num_heads, d_head, d_ff, gradients=True)

@cases(dict(layers=2, batch=3, seq=4, num_heads=3, d_head=2, d_ff=5), hidden=SIZES[1:2])
def pre_norm(rng, layers, batch, seq, num_heads, d_head, d_ff):
    """pre-norm, {layers} blocks, {batch} sentences of {seq} tokens, no mask"""
    return call(rng, layers, batch, seq, num_heads, d_head, d_ff, norm_first=True)

@cases(dict(layers=2, batch=3, seq=6, num_heads=2, d_head=4, d_ff=5), hidden=SIZES[2:])
def post_norm_padded(rng, layers, batch, seq, num_heads, d_head, d_ff):
    """post-norm, {layers} blocks, {batch} sentences padded to {seq} tokens, dropout=0.5 in eval mode"""
    return call(rng, layers, batch, seq, num_heads, d_head, d_ff, padding(rng, batch, seq), dropout=0.5)

@cases(dict(layers=3, batch=2, seq=5, num_heads=3, d_head=2, d_ff=4), hidden=SIZES[:1])
def pre_norm_padded(rng, layers, batch, seq, num_heads, d_head, d_ff):
    """pre-norm, {layers} blocks, {batch} sentences padded to {seq} tokens, gradients"""
    return call(rng, layers, batch, seq, num_heads, d_head, d_ff, padding(rng, batch, seq), gradients=True, norm_first=True)

@cases(dict(batch=2, seq=4, num_heads=2, d_head=3, d_ff=7), hidden=[dict(batch=3, seq=5, num_heads=2, d_head=2, d_ff=6)])
def one_block(rng, batch, seq, num_heads, d_head, d_ff):
    """pre-norm, a single block, {batch} sentences padded to {seq} tokens"""
    return call(rng, 1, batch, seq, num_heads, d_head, d_ff, padding(rng, batch, seq), norm_first=True)

@cases(dict(layers=2, batch=3, seq=5, num_heads=2, d_head=3, d_ff=4), hidden=[dict(layers=3, batch=2, seq=4, num_heads=3, d_head=2, d_ff=5)])
def pairs(rng, layers, batch, seq, num_heads, d_head, d_ff):
    """post-norm, {layers} blocks, a mask of shape ({seq}, {seq}), random"""
    mask = torch.from_numpy((rng.random((seq, seq)) < 0.5) | np.eye(seq, dtype=bool))
    mask[0, -1] = False
    return call(rng, layers, batch, seq, num_heads, d_head, d_ff, mask)

@cases()
def seven_blocks(rng):
    """post-norm, 7 blocks, 2 sentences of 3 tokens, no mask"""
    return call(rng, 7, 2, 3, 2, 2, 5)

@cases()
def training_mode(rng):
    """post-norm in training mode, dropout=1.0, which drops all that a sub-layer puts out"""
    return call(rng, 2, 2, 3, 2, 2, 5, dropout=1.0, training=True)

@cases()
def training_mode_pre_norm(rng):
    """pre-norm in training mode, dropout=1.0, which drops all that a sub-layer puts out"""
    return call(rng, 2, 3, 2, 2, 3, 4, dropout=1.0, norm_first=True, training=True)

class Stack(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.0, norm_first=False):
        super().__init__()
        self.blocks = nn.ModuleList(EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers))
        self.norm = LayerNorm(d_model) if norm_first else None

    def end(self, x):
        return x if self.norm is None else self.norm(x)

def run(blocks, x, mask):
    for block in blocks:
        x = block(x, mask)
    return x

def stacked(forward):
    return type("Encoder", (Stack,), {"forward": forward})

def plain_norm(x):
    return nn.functional.layer_norm(x, x.shape[-1:])

def which(pick):
    """Only some blocks, or in another order: pick(list of blocks) -> list."""
    return stacked(lambda s, x, mask=None: s.end(run(pick(list(s.blocks)), x, mask)))

def chained(step):
    """step(i, block, x, mask, first x, stack) -> x, for every block; then the end."""
    def forward(self, x, mask=None):
        first = x
        for i, block in enumerate(self.blocks):
            x = step(i, block, x, mask, first, self)
        return self.end(x)
    return stacked(forward)

wrong("first-block-only", says="only the first block is used; `x` should go through all of them.")(which(lambda b: b[:1]))
wrong("masks-of-four-axes-only", says="a mask of shape (seq, seq) is not used. The blocks take any mask that broadcasts to (batch, num_heads, seq, seq): hand it on as it is.")(
    stacked(lambda s, x, mask=None: s.end(run(s.blocks, x, mask if mask is not None and mask.dim() == 4 else None))))
wrong("return-in-the-loop", says="only the first block is used, and no final norm follows: does your `return` stand inside the loop?")(stacked(lambda s, x, mask=None: s.blocks[0](x, mask)))
wrong("input-scaled", says="the input is multiplied by √d_model. That belongs to the embedding (unit 06); the encoder takes `x` as it is.")(stacked(lambda s, x, mask=None: s.end(run(s.blocks, x * x.shape[-1] ** 0.5, mask))))
wrong("last-block-only", says="only the last block is used, on the encoder's input. Each block reads what the one before it returned.")(which(lambda b: b[-1:]))
wrong("each-reads-the-input", says="only the last block is used, on the encoder's input. Each block reads what the one before it returned.")(chained(lambda i, block, x, mask, first, s: block(first, mask)))
wrong("first-block-again-and-again", says="the first block is applied again and again; each layer has a block of its own, with weights of its own.")(which(lambda b: b[:1] * len(b)))
wrong("last-block-again-and-again", says="the last block is applied again and again; each layer has a block of its own, with weights of its own.")(which(lambda b: b[-1:] * len(b)))
wrong("two-only", says="only two blocks are used; `x` should go through all of `self.blocks`, however many there are.")(which(lambda b: b[:2]))
wrong("reversed", says="the blocks are applied in reverse; the first one reads the input.")(which(lambda b: b[::-1]))
wrong("without-the-last", says="the last block is left out: does a loop of yours end one too early?")(which(lambda b: b[:-1]))
wrong("without-the-first", says="the first block is left out: does a loop of yours start one too late?")(which(lambda b: b[1:]))
wrong("twice", says="`x` goes through the stack twice.")(which(lambda b: b + b))
wrong("each-twice", says="each block is applied twice.")(which(lambda b: [one for one in b for _ in range(2)]))
def dropped(s, x):
    return nn.functional.dropout(x, s.blocks[0].dropout.p, s.training)

NO_DROPOUT = "dropout stands on the encoder's {}. It has its places inside the blocks, and no other."
wrong("dropout-on-the-input", says=NO_DROPOUT.format("input"))(stacked(lambda s, x, mask=None: s.end(run(s.blocks, dropped(s, x), mask))))
wrong("dropout-on-the-output", says=NO_DROPOUT.format("output"))(stacked(lambda s, x, mask=None: dropped(s, s.end(run(s.blocks, x, mask)))))
wrong("dropout-before-the-final-norm", says=NO_DROPOUT.format("last sum, before the final norm"))(stacked(lambda s, x, mask=None: s.end(dropped(s, run(s.blocks, x, mask)) if s.norm else run(s.blocks, x, mask))))
wrong("dropout-between", says="dropout stands behind every block. It has its places inside the blocks, and no other.")(chained(lambda i, block, x, mask, first, s: dropped(s, block(x, mask))))
wrong("no-block", says="no block is used.")(which(lambda b: []))
FINAL = "the final norm is missing: in pre-norm nothing has normalised the last sum, so `self.norm` follows the last block."
wrong("no-final-norm", ("return x if self.norm is None else self.norm(x)", "return x"), says=FINAL)
wrong("final-norm-in-post-norm", says="a norm follows the last block in post-norm too. There each block already ends with a norm; the final one is for pre-norm (`self.norm` is None otherwise).")(
    stacked(lambda s, x, mask=None: plain_norm(run(s.blocks, x, mask)) if s.norm is None else s.norm(run(s.blocks, x, mask))))
wrong("final-norm-inverted", says="the final norm stands in post-norm and is missing in pre-norm; it is the other way round.")(
    stacked(lambda s, x, mask=None: plain_norm(run(s.blocks, x, mask)) if s.norm is None else run(s.blocks, x, mask)))
wrong("norm-first-thing", says="your final norm stands before the first block; it follows the last one.")(stacked(lambda s, x, mask=None: run(s.blocks, s.end(x), mask)))
wrong("norm-on-both-ends", says="a norm stands before the first block as well; the only one outside the blocks follows the last.")(stacked(lambda s, x, mask=None: s.end(run(s.blocks, s.end(x), mask))))
wrong("norm-after-each", says="the final norm is applied after every block; it comes once, after the last.")(stacked(lambda s, x, mask=None: run([lambda y, m, b=b: s.end(b(y, m)) for b in s.blocks], x, mask)))
wrong("norm-before-each", says="the final norm is applied before every block; it comes once, after the last.")(stacked(lambda s, x, mask=None: run([lambda y, m, b=b: b(s.end(y), m) for b in s.blocks], x, mask)))
wrong("norm-of-the-last-block", says="in pre-norm your final norm is the last block's `norm2`, whose gain and bias are learned for that block; the final norm is `self.norm`.")(
    stacked(lambda s, x, mask=None: run(s.blocks, x, mask) if s.norm is None else s.blocks[-1].norm2(run(s.blocks, x, mask))))
wrong("final-norm-twice", says="the final norm is applied twice; once is enough.")(stacked(lambda s, x, mask=None: s.end(s.end(run(s.blocks, x, mask)))))
wrong("plain-final-norm", says="your final norm has no gain and no bias; use the layer `self.norm`.")(stacked(lambda s, x, mask=None: run(s.blocks, x, mask) if s.norm is None else plain_norm(run(s.blocks, x, mask))))
wrong("mask-not-passed", says="the mask is not handed on to the blocks: hidden tokens are seen.")(chained(lambda i, block, x, mask, first, s: block(x)))
wrong("mask-first-only", says="only the first block gets the mask; every block needs it, or hidden tokens are seen from the second layer on.")(chained(lambda i, block, x, mask, first, s: block(x, mask if i == 0 else None)))
wrong("mask-last-only", says="only the last block gets the mask; every block needs it, or hidden tokens are seen in the layers before.")(chained(lambda i, block, x, mask, first, s: block(x, mask if i == len(s.blocks) - 1 else None)))
wrong("mask-not-first", says="the first block gets no mask; every block needs it.")(chained(lambda i, block, x, mask, first, s: block(x, mask if i else None)))
wrong("mask-inverted", says="your mask is inverted: here True means may be attended to. (`nn.MultiheadAttention` means the opposite.)")(chained(lambda i, block, x, mask, first, s: block(x, None if mask is None else ~mask)))
wrong("mask-transposed", says="the mask's last two axes have changed places: it hides queries, and the keys that should be hidden are seen. Hand it on as it is.")(chained(lambda i, block, x, mask, first, s: block(x, None if mask is None else mask.transpose(-2, -1))))
wrong("causal", says="your tokens cannot see later tokens: a causal mask stands in the encoder. An encoder reads the whole sentence; the mask it is given hides padding.")(chained(lambda i, block, x, mask, first, s: block(x, causal(mask, x))))
wrong("only-causal", says="your tokens cannot see later tokens, and the given mask is not used: a causal mask stands in the encoder. Hand the given one on.")(chained(lambda i, block, x, mask, first, s: block(x, causal(None, x))))
wrong("causal-by-default", says="without a mask your tokens cannot see later tokens: a causal mask takes its place. No mask means that everything may be seen.")(chained(lambda i, block, x, mask, first, s: block(x, causal(None, x) if mask is None else mask)))
wrong("padding-zeroed", says="the rows of hidden tokens are set to 0. A mask hides keys; it does not silence the tokens' own rows.")(stacked(lambda s, x, mask=None: s.end(run(s.blocks, x, mask)) * (1.0 if mask is None else mask[:, 0, 0, :, None])))
wrong("padding-zeroed-before-the-norm", says="the rows of hidden tokens are set to 0. A mask hides keys; it does not silence the tokens' own rows.")(stacked(lambda s, x, mask=None: s.end(run(s.blocks, x, mask) * (1.0 if mask is None else mask[:, 0, 0, :, None]))))
wrong("input-zeroed", says="hidden tokens are set to 0 before the blocks, and the mask goes no further. A token of zeros still gets weight; hand the mask on to the blocks.")(stacked(lambda s, x, mask=None: s.end(run(s.blocks, x * (1.0 if mask is None else mask[:, 0, 0, :, None]), None))))
wrong("residual-around-blocks", says="each block's input is added to its output. The residual connections are inside the blocks already.")(chained(lambda i, block, x, mask, first, s: x + block(x, mask)))
wrong("residual-around-the-stack", says="the encoder's input is added to the output. The residual connections are inside the blocks already.")(stacked(lambda s, x, mask=None: s.end(x + run(s.blocks, x, mask))))
wrong("input-added-at-the-end", says="the encoder's input is added to the output. The residual connections are inside the blocks already.")(stacked(lambda s, x, mask=None: x + s.end(run(s.blocks, x, mask))))
wrong("input-added-to-each", says="the encoder's input is added before every block; each block reads what the one before it returned, and nothing else.")(chained(lambda i, block, x, mask, first, s: block(x + first if i else x, mask)))
wrong("sum-of-blocks", says="every block reads the encoder's input, and their outputs are added up. Each block reads what the one before it returned.")(stacked(lambda s, x, mask=None: s.end(sum(block(x, mask) for block in s.blocks))))
wrong("mean-of-blocks", says="every block reads the encoder's input, and their outputs are averaged. Each block reads what the one before it returned.")(stacked(lambda s, x, mask=None: s.end(sum(block(x, mask) for block in s.blocks) / len(s.blocks))))
wrong("sum-of-layers", says="the outputs of all layers are added up; the encoder returns the last one's.")(stacked(lambda s, x, mask=None: s.end(sum(run(s.blocks[: i + 1], x, mask) for i in range(len(s.blocks))))))
wrong("relu-between", says="a ReLU stands behind every block; the only ones are inside the feed-forward layers.")(chained(lambda i, block, x, mask, first, s: torch.relu(block(x, mask))))
wrong("detached", says="the numbers are right and the gradient is not: it ends at the last block (`detach`, `no_grad` or `.data` between the blocks).")(chained(lambda i, block, x, mask, first, s: block(x.detach(), mask)))
wrong("nothing-returned", says="`forward` ends without giving anything back: is a `return` missing?")(stacked(lambda s, x, mask=None: None))
wrong("nothing-returned (post-norm)", says="in post-norm, `forward` gives nothing back: is there a `return` for the case that `self.norm` is None?")(stacked(lambda s, x, mask=None: None if s.norm is None else s.norm(run(s.blocks, x, mask))))
wrong("input-returned", says="your output is the input itself, unchanged.")(stacked(lambda s, x, mask=None: x))
wrong("all-layers-returned", says="you return a list with every layer's output; return the last one's.")(stacked(lambda s, x, mask=None: [run(s.blocks[: i + 1], x, mask) for i in range(len(s.blocks))]))
wrong("with-the-mask", says="you return two things; the encoder returns its output alone.")(stacked(lambda s, x, mask=None: (s.end(run(s.blocks, x, mask)), mask)))
wrong("first-token-only", says="you return the first token's row only; the encoder returns a row for every token.")(stacked(lambda s, x, mask=None: s.end(run(s.blocks, x, mask))[:, 0]))
wrong("averaged", says="you average over the tokens; the encoder returns a row for every token.")(stacked(lambda s, x, mask=None: s.end(run(s.blocks, x, mask)).mean(dim=1)))
wrong("norm-always-called", ("return x if self.norm is None else self.norm(x)", "return self.norm(x)"), says="in post-norm `self.norm` is None and cannot be called; look whether there is one.")
MODULE_LIST = "self.blocks = nn.ModuleList(\n            EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)\n        )"
wrong("one-shared-block", (MODULE_LIST, "self.blocks = nn.ModuleList([EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first)] * num_layers)"),
      says="all your layers are one and the same block, sharing their weights; leave `__init__` as it is given: it makes a new block for each layer.")
wrong("plain-list", (MODULE_LIST, "self.blocks = [EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)]"),
      says="your blocks stand in a plain Python list, where PyTorch does not find their weights; leave `__init__` as it is given, with an `nn.ModuleList`.")
wrong("norm-first-not-passed", (MODULE_LIST, "self.blocks = nn.ModuleList(EncoderBlock(d_model, num_heads, d_ff, dropout) for _ in range(num_layers))"),
      says="your blocks are post-norm even with norm_first=True; leave `__init__` as it is given: it hands `norm_first` on.")
wrong("dropout-not-passed", (MODULE_LIST, "self.blocks = nn.ModuleList(EncoderBlock(d_model, num_heads, d_ff, 0.0, norm_first) for _ in range(num_layers))"),
      says="your blocks drop nothing in training mode: `dropout` does not reach them. Leave `__init__` as it is given: it hands `dropout` on.")
wrong("six-at-most", says="no more than six blocks are used; `x` goes through all of `self.blocks`, however many there are.")(which(lambda b: b[:6]))
wrong("one-block-too-few", ("in range(num_layers)", "in range(num_layers - 1)"), says="your encoder has one block too few; leave `__init__` as it is given.")
wrong("no-final-norm-mask-not-passed", ("block(x, mask)", "block(x)"), ("return x if self.norm is None else self.norm(x)", "return x"), says=f"two things at once: the mask is not handed on to the blocks. And {FINAL}")

@right
class ByIndex(Stack):
    def forward(self, x, mask=None):
        for i in range(len(self.blocks)):
            x = self.blocks[i](x, mask=mask)
        if self.norm is not None:
            x = self.norm(x)
        return x

@right
class ByReduce(Stack):
    def forward(self, x, mask=None):
        import functools
        y = functools.reduce(lambda rows, block: block(rows, mask), self.blocks, x)
        return (self.norm or nn.Identity())(y)

@right
class Recursive(Stack):
    def forward(self, x, mask=None, depth=0):
        if depth == len(self.blocks):
            return self.norm(x) if self.norm else x
        return self.forward(self.blocks[depth](x, mask), mask, depth + 1)

@right
class SentenceBySentence(Stack):
    def forward(self, x, mask=None):
        own = [mask if mask is None or mask.ndim < 4 or len(mask) == 1 else mask[b : b + 1] for b in range(len(x))]
        return torch.cat([self.end(run(self.blocks, x[b : b + 1], own[b])) for b in range(len(x))])

@right
class FunctionalNorm(Stack):
    def forward(self, x, mask=None):
        layers = [x]
        for block in self.blocks.children():
            layers.append(block(layers[-1], mask))
        if self.norm is None:
            return layers[-1]
        return nn.functional.layer_norm(layers[-1], x.shape[-1:], self.norm.weight, self.norm.bias)

@truth
class PyTorchsOwn(Stack):
    """nn.TransformerEncoder with the weights copied."""
    def forward(self, x, mask=None):
        block = self.blocks[0]
        heads, pre_norm = block.self_attention.num_heads, self.norm is not None
        rate = block.dropout.p if self.training else 0.0
        layer = nn.TransformerEncoderLayer(x.shape[-1], heads, block.feed_forward.linear1.out_features, rate, batch_first=True, norm_first=pre_norm)
        own = nn.TransformerEncoder(layer, len(self.blocks), nn.LayerNorm(x.shape[-1]) if pre_norm else None, enable_nested_tensor=False).train(self.training)
        for theirs, ours in zip(own.layers, self.blocks):
            theirs.load_state_dict(torch_weights(ours))
        if pre_norm:
            own.norm.load_state_dict(self.norm.state_dict())
        hidden = {} if mask is None else dict(mask=~mask) if mask.ndim == 2 else dict(src_key_padding_mask=~mask[:, 0, 0])
        return own(x, **hidden)

truth(use_part("Encoder"))
