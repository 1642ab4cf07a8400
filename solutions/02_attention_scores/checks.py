"""What the checks of unit 02 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% exercise="softmax" part="library"
import numpy as np

from autograder.library.common import doubles


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """PyTorch's softmax on NumPy arrays."""
    import torch

    return torch.softmax(doubles(x)[0], dim=axis).numpy()

# %% exercise="softmax" part="variants"
@cases(dict(n=5))
def row(rng, n):
    """{n} scores in a row"""
    return dict(x=rng.normal(size=n))

@cases(dict(rows=4, columns=6), dict(rows=7, columns=3))
def last_axis(rng, rows, columns):
    """a table of {rows} rows and {columns} columns, along the last axis"""
    return dict(x=2 * rng.normal(size=(rows, columns)))

@cases(dict(n=4), low=3)
def square(rng, n):
    """a square table, {n} by {n}, along the last axis and along axis 0"""
    x = 2 * rng.normal(size=(n, n))
    return [dict(x=x), dict(x=x, axis=0)]

def cube(rng, a, b, c, axis):
    return dict(x=2 * rng.normal(size=(a, b, c)), axis=axis)

@cases(dict(a=3, b=5, c=4))
def axis_zero(rng, a, b, c):
    """an array of shape ({a}, {b}, {c}), along axis 0"""
    return cube(rng, a, b, c, 0)

@cases(dict(a=3, b=5, c=4))
def axis_one(rng, a, b, c):
    """an array of shape ({a}, {b}, {c}), along axis 1"""
    return cube(rng, a, b, c, 1)

@cases(dict(a=3, b=5, c=4))
def axis_two(rng, a, b, c):
    """an array of shape ({a}, {b}, {c}), along axis 2"""
    return cube(rng, a, b, c, 2)

@cases(dict(a=3, b=5, c=4))
def last_of_three(rng, a, b, c):
    """an array of shape ({a}, {b}, {c}), along axis −1"""
    return cube(rng, a, b, c, -1)

@cases(dict(a=3, b=5, c=4))
def last_but_one(rng, a, b, c):
    """an array of shape ({a}, {b}, {c}), along axis −2"""
    return cube(rng, a, b, c, -2)

@cases(dict(a=3, b=5, c=4))
def last_but_two(rng, a, b, c):
    """an array of shape ({a}, {b}, {c}), along axis −3"""
    return cube(rng, a, b, c, -3)

@cases(dict(a=2, b=4, c=3, d=5), hidden=[dict(a=3, b=2, c=5, d=4)])
def four_axes(rng, a, b, c, d):
    """an array of shape ({a}, {b}, {c}, {d}), along axis 1"""
    return dict(x=2 * rng.normal(size=(a, b, c, d)), axis=1)

@cases()
def far_apart(rng):
    """scores more than 709 apart: [2000, 0, 0]"""
    return dict(x=np.array([2000.0, 0.0, 0.0]))

@cases()
def rows_far_apart(rng):
    """rows on different levels: one around 0, one around −800, one around 900"""
    return dict(x=rng.normal(size=(3, 4)) + np.array([[0.0], [-800.0], [900.0]]))

@cases()
def one_far_below(rng):
    """one score far below the others: [1, 2, −3000]"""
    return dict(x=np.array([1.0, 2.0, -3000.0]))

@cases()
def far_below_zero(rng):
    """scores all far below zero: [-4000, -1100, -1101, -4000]"""
    return dict(x=np.array([-4000.0, -1100.0, -1101.0, -4000.0]))

@cases(dict(n=4), low=3)
def lengths_of_one(rng, n):
    """arrays of shape ({n}, 1) and (1, {n}), along the last axis"""
    return [dict(x=rng.normal(size=(n, 1))), dict(x=rng.normal(size=(1, n)))]

MAX, SUM = "np.max(x, axis=axis, keepdims=True)", "np.sum(exponentials, axis=axis, keepdims=True)"
OUT, SHIFTED = f"exponentials / {SUM}", f"shifted = x - {MAX}"
wrong("no-max-subtraction", (f"x - {MAX}", "x"),
      says="your softmax overflows: exp of a large score is infinity, and infinity / infinity is NaN. "
           "Subtract the largest score along the axis first; no weight changes.")
wrong("global-max", (MAX, "np.max(x)"),
      says="your softmax subtracts the largest score of the whole array. A row far below it becomes 0 / 0: take the "
           "maximum along `axis`.")
wrong("mean-subtracted", ("np.max(x, axis=axis, keepdims=True)", "np.mean(x, axis=axis, keepdims=True)"),
      says="your softmax subtracts a number (the mean? the smallest score?) that the largest score may still be hundreds above, and exp overflows. Subtract the largest score.")
wrong("first-subtracted", ("np.max(x, axis=axis, keepdims=True)", "np.take(x, [0], axis=axis)"),
      says="your softmax subtracts the first score of each slice. Another may be hundreds above it, and exp overflows. Subtract the largest score.")
wrong("global-max-hidden", (MAX, "np.max(x)"), (OUT, f"np.nan_to_num({OUT})"),
      says="your softmax subtracts the largest score of the whole array, and where a row far below it becomes 0 / 0, the NaN is replaced: that row's weights are all 0. Take the maximum along `axis`.")
wrong("maximum-from-zero", (MAX, "np.max(x, axis=axis, keepdims=True, initial=0)"),
      says="where all scores of a slice lie far below zero, your softmax subtracts 0 (does your maximum start from 0?), and the slice becomes 0 / 0. Subtract the largest of the scores themselves, which may be negative.")
wrong("largest-size-subtracted", (MAX, "np.max(np.abs(x), axis=axis, keepdims=True)"),
      says="your softmax subtracts the largest *size* of the scores, their sign left out. Where all scores are far below zero, that lies far above them, and a row becomes 0 / 0. Subtract the largest score itself.")
wrong("overflow-hidden", (f"x - {MAX}", "x"), (OUT, f"np.nan_to_num({OUT})"),
      says="your softmax overflows where scores are large, and the NaN is replaced afterwards: the weight is lost. Subtract the largest score along the axis first.")
wrong("log-of-the-sum", (OUT, "np.exp(x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True)))"),
      says="the sum of exponentials inside your logarithm overflows (or becomes 0) where scores are large. Subtract the largest score along the axis first, there as well.")
wrong("ignores-axis", ("np.max(x, axis=axis", "np.max(x, axis=-1"), ("np.sum(exponentials, axis=axis", "np.sum(exponentials, axis=-1"),
      says="your softmax works along the last axis; it must work along the `axis` it is given.")
wrong("axis-zero", ("np.max(x, axis=axis", "np.max(x, axis=0"), ("np.sum(exponentials, axis=axis", "np.sum(exponentials, axis=0"),
      says="your softmax works along axis 0; it must work along the `axis` it is given.")
wrong("other-axes-as-axis-zero", (SHIFTED, f"axis = -1 if axis in (-1, x.ndim - 1) else 0; {SHIFTED}"),
      says="for any `axis` but the last one your softmax works along axis 0; it must work along the `axis` it is given, one in the middle as well.")
wrong("negative-axes-as-the-last", ("np.max(x, axis=axis", "np.max(x, axis=max(axis, -1)"), ("np.sum(exponentials, axis=axis", "np.sum(exponentials, axis=max(axis, -1)"),
      says="your softmax takes every negative `axis` for the last one. Axes may be counted from the end: −2 is the last but one.")
wrong("axis-one", ("np.max(x, axis=axis", "np.max(x, axis=1"), ("np.sum(exponentials, axis=axis", "np.sum(exponentials, axis=1"),
      says="your softmax works along axis 1; it must work along the `axis` it is given, and 1-D scores have no axis 1.")
wrong("default-axis", ("axis: int = -1", "axis: int = 0"),
      says="your softmax works along axis 0 when no `axis` is given; without being told it must work along the last one.")
wrong("sum-along-the-last-axis", ("np.sum(exponentials, axis=axis", "np.sum(exponentials, axis=-1"),
      says="your maximum is taken along `axis`, but your sum along the last axis. Both belong to the same `axis`.")
wrong("maximum-along-the-last-axis", ("np.max(x, axis=axis", "np.max(x, axis=-1"),
      says="your sum is taken along `axis`, but your maximum along the last axis: then each score of a slice is shifted by another number. Both belong to the same `axis`.")
wrong("maximum-along-axis-zero", ("np.max(x, axis=axis", "np.max(x, axis=0"),
      says="your sum is taken along `axis`, but your maximum along axis 0: then each score of a slice is shifted by another number. Both belong to the same `axis`.")
wrong("squeezed", (OUT, f"np.squeeze({OUT})"), says="axes of length 1 are squeezed away. The weights have the shape of the scores.")
wrong("whole-array", (MAX, "np.max(x)"), (SUM, "np.sum(exponentials)"),
      says="your weights sum to 1 over the whole array; each slice along `axis` must sum to 1 by itself.")
wrong("sum-of-everything", (SUM, "np.sum(exponentials)"),
      says="you divide by the sum over the whole array; each slice along `axis` must sum to 1 by itself.")
wrong("whole-array-no-maximum", (MAX, "0"), (SUM, "np.sum(exponentials)"),
      says="two things at once. Your weights sum to 1 over the whole array, where each slice along `axis` must sum to 1 by itself. And exp of a large score overflows: subtract the largest score along the axis first.")
wrong("ignores-axis-no-maximum", (f"x - {MAX}", "x"), ("np.sum(exponentials, axis=axis", "np.sum(exponentials, axis=-1"),
      says="two things at once. Your softmax works along the last axis, where it must work along the `axis` it is given. And exp of a large score overflows: subtract the largest score along the axis first.")
wrong("axis-zero-no-maximum", (f"x - {MAX}", "x"), ("np.sum(exponentials, axis=axis", "np.sum(exponentials, axis=0"),
      says="two things at once. Your softmax works along axis 0, where it must work along the `axis` it is given. And exp of a large score overflows: subtract the largest score along the axis first.")
wrong("ignores-axis-global-max", (MAX, "np.max(x)"), ("np.sum(exponentials, axis=axis", "np.sum(exponentials, axis=-1"),
      says="two things at once. Your softmax works along the last axis, where it must work along the `axis` it is given. And it subtracts the largest score of the whole array, so that a row far below becomes 0 / 0.")
wrong("not-normalised", (f" / {SUM}", ""),
      says="your output is the exponentials alone, so the largest weight is always 1; divide them by their sum along the axis.")
wrong("bare-exponentials", (f"x - {MAX}", "x"), (f" / {SUM}", ""),
      says="your output is the exponential of the scores and no more. Divide by the sum along the axis; and subtract the largest score first, or large scores overflow.")
wrong("divided-by-the-count", (SUM, "x.shape[axis]"),
      says="you divide by how many scores there are (a mean). Divide by the sum of the exponentials along the axis.")
wrong("unit-length", (SUM, "np.sqrt(np.sum(exponentials ** 2, axis=axis, keepdims=True))"),
      says="your weights have length 1: their squares sum to 1. They themselves must sum to 1.")
wrong("squares", (SUM, "np.sum(exponentials ** 2, axis=axis, keepdims=True)"),
      says="you divide by the sum of the squared exponentials. Divide by the sum of the exponentials themselves.")
wrong("log-softmax", (OUT, "shifted - np.log(np.sum(exponentials, axis=axis, keepdims=True))"),
      says="your output is the logarithm of the weights (log-softmax); return the weights themselves.")
wrong("linear", ("np.exp(shifted)", "(x - np.min(x, axis=axis, keepdims=True) + 1e-9)"),
      says="your weights are the scores shifted and divided by their sum: the exponential is missing.")
wrong("scores-over-their-sum", (OUT, "x / np.sum(x, axis=axis, keepdims=True)"),
      says="your weights are the scores divided by their sum: the exponential is missing, and negative scores give negative weights.")
wrong("sigmoid", (OUT, "1 / (1 + np.exp(-x))"), says="your output is a sigmoid of each score by itself; the weights do not sum to 1. Softmax divides by the sum over all scores along the axis.")
wrong("sigmoid-normalised", ("np.exp(shifted)", "(1 / (1 + np.exp(-x)))"), says="your weights are sigmoids divided by their sum. Softmax takes the exponential function there.")
wrong("negative-scores", (SHIFTED, "shifted = np.min(x, axis=axis, keepdims=True) - x"),
      says="the smallest score gets the largest weight: a sign is turned around.")
wrong("absolute", (SHIFTED, "shifted = np.abs(x) - np.max(np.abs(x), axis=axis, keepdims=True)"),
      says="your softmax takes the scores without their sign; a negative score must get a small weight.")
wrong("largest-only", (OUT, "(shifted == 0) * 1.0"), says="your output gives weight 1 to the largest score and 0 to the others. Softmax gives each a share.")
wrong("uniform", (OUT, "np.ones_like(x) / x.shape[axis]"), says="your weights are all equal, and the scores are not.")
wrong("base-two", ("np.exp(shifted)", "np.exp2(shifted)"), says="your softmax uses powers of 2; softmax uses the exponential function, powers of e.")
wrong("base-ten", ("np.exp(shifted)", "10.0 ** shifted"), says="your softmax uses powers of 10; softmax uses the exponential function, powers of e.")
wrong("exp-minus-one", ("np.exp(shifted)", "np.expm1(shifted)"), says="your softmax uses e^x − 1 (`expm1`); softmax uses e^x.")
wrong("twice", (OUT, f"(lambda w: np.exp(w) / np.sum(np.exp(w), axis=axis, keepdims=True))({OUT})"),
      says="softmax is applied twice: the weights come out more equal than they should.")
wrong("temperature", ("np.exp(shifted)", "np.exp(shifted / 2)"), says="the scores are halved before the exponential. Softmax takes them as they are.")
wrong("scaled-by-length", ("np.exp(shifted)", "np.exp(shifted / np.sqrt(x.shape[axis]))"),
      says="the scores are divided by the square root of the axis' length. A scale is no part of softmax.")
wrong("standardised", (SHIFTED, "shifted = (x - np.mean(x, axis=axis, keepdims=True)) / np.std(x, axis=axis, keepdims=True)"),
      says="you standardise the scores (mean 0, spread 1) before the exponential, and that changes the weights. Subtracting the maximum changes none.")
wrong("divided-by-the-maximum", (SHIFTED, "shifted = x / np.max(np.abs(x), axis=axis, keepdims=True)"),
      says="you divide the scores by the largest one to keep them in range, and that changes the weights. Subtract the maximum: it changes none.")
wrong("divided-by-the-largest-of-all", (SHIFTED, "shifted = x / np.max(np.abs(x))"),
      says="you divide the scores by the largest one of all to keep them in range, and that changes the weights. Subtract the maximum along the axis: it changes none.")
wrong("capped", (SHIFTED, "shifted = np.minimum(x, 700)"),
      says="you cap the scores to keep them in range: that changes the weights, and very negative rows still become 0 / 0. Subtract the maximum: it changes none.")
wrong("clipped", (SHIFTED, "shifted = np.clip(x, -500, 500)"),
      says="you clip the scores to keep them in range, and that changes the weights. Subtract the maximum: it changes none.")
wrong("exponent-clipped", ("np.exp(shifted)", "np.exp(np.maximum(shifted, -5))"),
      says="you keep the exponents from becoming very negative, so keys far below the best get too much weight. Let them go to 0.")
wrong("adds-epsilon", (OUT, f"exponentials / ({SUM} + 1e-2)"),
      says="your weights sum to a little less than 1: a constant is added to the sum. After subtracting the maximum the sum is at least 1, so none is needed.")
wrong("adds-one", (OUT, f"exponentials / ({SUM} + 1)"),
      says="your weights sum to less than 1: the number 1 is added to the sum of the exponentials.")
wrong("rounded", (OUT, f"np.round({OUT}, 2)"), says="your weights are rounded to two decimals. Round only what you print.")
wrong("half-precision-early", (SHIFTED, "x = x.astype(np.float16); shifted = x - np.max(x, axis=axis, keepdims=True)"),
      says="your scores are cut down to 16 bits first, so large ones lose their decimals. Keep the array's own type.")
wrong("in-place", (SHIFTED, "x -= np.max(x, axis=axis, keepdims=True); shifted = x"),
      says="your softmax changes its argument `x` in place, as `x -= ...` and `out=x` do. The caller's array must stay as it was: write into a new one.")
wrong("no-keepdims", (MAX, "np.max(x, axis=axis)"), (SUM, "np.sum(exponentials, axis=axis)"),
      says="the maximum and the sum lose the axis they are taken along, so they no longer line up with the scores: pass keepdims=True.")
wrong("no-keepdims-in-the-sum", (SUM, "np.sum(exponentials, axis=axis)"),
      says="the sum loses the axis it is taken along, so it no longer lines up with the exponentials: pass keepdims=True there as well.")
wrong("no-keepdims-in-the-maximum", (MAX, "np.max(x, axis=axis)"),
      says="the maximum loses the axis it is taken along, so it no longer lines up with the scores: pass keepdims=True there as well.")
wrong("no-keepdims-no-maximum", (f"x - {MAX}", "x"), (SUM, "np.sum(exponentials, axis=axis)"),
      says="two things at once. The sum loses the axis it is taken along, so it no longer lines up: pass keepdims=True. And exp of a large score overflows: subtract the largest score along the axis first.")
wrong("maximum-above-only", (SUM, "np.sum(np.exp(x), axis=axis, keepdims=True)"),
      says="you subtract the maximum above the fraction line but not below it. The weights come out too small or too large, and the sum below overflows.")
wrong("maximum-below-only", ("exponentials / np.sum", "np.exp(x) / np.sum"),
      says="you subtract the maximum below the fraction line but not above it. The weights do not sum to 1, and the exponential above overflows.")

@wrong("slices-of-the-first-axis", says="your loop takes the slices along the first axis, each as a whole. The weights must sum to 1 along the `axis` that is given.")
def slices_of_the_first_axis(x, axis=-1):
    return np.array([np.exp(part - np.max(part)) / np.sum(np.exp(part - np.max(part))) for part in x])

@wrong("not-turned-back", says="you turn the array so that `axis` comes last, but you do not turn the result back: its shape must be that of the scores.")
def not_turned_back(x, axis=-1):
    turned = np.swapaxes(x, axis, -1)
    e = np.exp(turned - turned.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

@wrong("transposed-not-turned-back", says="for axis 0 you transpose the array, but you do not transpose the result back: its shape must be that of the scores.")
def transposed_not_turned_back(x, axis=-1):
    turned = x.T if axis == 0 else x
    e = np.exp(turned - turned.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

wrong("list", (OUT, f"({OUT}).tolist()"), says="your output is a Python list. Return a NumPy array.")
wrong("exponential-twice", ("np.exp(shifted)", "np.exp(np.exp(shifted))"), says="the exponential function is applied twice. Apply it once, to the shifted scores.")
wrong("small-weights-dropped", ("np.exp(shifted)", "np.where(shifted < np.log(1e-2), 0, np.exp(shifted))"), says="weights of scores a little below the largest come out as 0. However small, each weight is what the formula gives.")
wrong("one-below-the-line", (SUM, "(np.sum(exponentials, axis=axis, keepdims=True) + np.exp(-np.max(x, axis=axis, keepdims=True)))"),
      says="your weights sum to less than 1: below the line stands 1 more than the sum, as if there were another score of 0.")
wrong("logarithms-as-well", (OUT, f"({OUT}, np.log(np.maximum({OUT}, 1e-300)))"), says="your function returns two things. Return the weights alone.")
wrong("sum-as-well", (OUT, f"({OUT}, {SUM})"), says="your function returns two things. Return the weights alone.")
wrong("nothing-returned", (f"return {OUT}", OUT), says="your function ends without giving anything back: is a `return` missing?")

@right
def log_sum_exp(x, axis=-1):
    top = x.max(axis, keepdims=True)
    return np.exp(x - top - np.log(np.exp(x - top).sum(axis, keepdims=True)))

@right
def moved_axes(x, axis=-1):
    rows = np.moveaxis(x, axis, 0)
    e = np.exp(rows - rows.max(0))
    return np.moveaxis(e / e.sum(0), 0, axis)

@right
def single_precision(x, axis=-1):
    e = np.exp((x - x.max(axis=axis, keepdims=True)).astype(np.float32))
    return e / e.sum(axis=axis, keepdims=True)

@right
def slice_by_slice(x, axis=-1):
    def one(line):
        e = [np.exp(value - max(line)) for value in line]
        return np.array(e) / sum(e)
    return np.apply_along_axis(one, axis, x)

@right
def expanded(x, axis=-1):
    weights = np.array(x, dtype=np.float64)
    weights -= np.expand_dims(np.amax(x, axis), axis)
    np.exp(weights, out=weights)
    weights /= np.expand_dims(weights.sum(axis), axis)
    return weights

@right
def with_a_tiny_epsilon(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / (e.sum(axis=axis, keepdims=True) + 1e-12)

@right
def by_the_logarithm_of_added_exponentials(x, axis=-1):
    return np.exp(x - np.logaddexp.reduce(x, axis=axis, keepdims=True))

@right
def by_powers(x, axis=-1):
    e = np.power(np.e, x - x.max(axis=axis, keepdims=True))
    return np.true_divide(e, np.add.reduce(e, axis=axis, keepdims=True))

@truth
def by_torch(x, axis=-1):
    import torch
    return torch.softmax(torch.from_numpy(x), dim=axis).numpy()

@truth
def by_python(x, axis=-1):
    import math
    def one(line):
        e = [math.exp(s - max(line)) for s in line.tolist()]
        return [p / math.fsum(e) for p in e]
    return np.apply_along_axis(one, axis, x)

# %% exercise="dot_product_score" part="library"
def dot_product_score(a_i: np.ndarray, a_j: np.ndarray, W_q: np.ndarray, W_k: np.ndarray) -> float:
    """PyTorch's bilinear form on NumPy arrays."""
    import torch

    one, other, form = doubles(a_i, a_j, W_q.T @ W_k)
    return float(torch.nn.functional.bilinear(one[None], other[None], form[None]))

# %% exercise="dot_product_score" part="variants"
@cases(dict(d_in=5, d_k=3), dict(d_in=4, d_k=13), hidden=[dict(d_in=6, d_k=4), dict(d_in=3, d_k=12)])
def drawn(rng, d_in, d_k):
    """vectors of {d_in} numbers, matrices of shape ({d_k}, {d_in})"""
    return dict(a_i=rng.normal(size=d_in), a_j=rng.normal(size=d_in), W_q=rng.normal(size=(d_k, d_in)), W_k=rng.normal(size=(d_k, d_in)))

@cases(dict(d=6), low=5)
def square(rng, d):
    """square matrices of shape ({d}, {d})"""
    return dict(a_i=rng.normal(size=d), a_j=rng.normal(size=d), W_q=rng.normal(size=(d, d)), W_k=rng.normal(size=(d, d)))

@cases(dict(d_in=3, d_k=5), low=3)
def below_zero(rng, d_in, d_k):
    """a small negative score, the sum of larger products (d_in = {d_in}, d_k = {d_k})"""
    a_i, a_j = rng.normal(size=d_in), 2 * rng.normal(size=d_in)
    W_q, W_k = rng.normal(size=(d_k, d_in)), rng.normal(size=(d_k, d_in))
    slope = W_k.T @ (W_q @ a_i)
    wanted = -(int(rng.integers(60, 90)) / 100 + 0.0043)  # far from a number of two decimals
    return dict(a_i=a_i, a_j=a_j + (wanted - slope @ a_j) * slope / (slope @ slope), W_q=W_q, W_k=W_k)

@cases(dict(d_in=6, d_k=4), low=3)
def large(rng, d_in, d_k):
    """a score of several hundred thousand (d_in = {d_in}, d_k = {d_k})"""
    given = dict(a_i=rng.normal(size=d_in), a_j=rng.normal(size=d_in), W_q=rng.normal(size=(d_k, d_in)), W_k=rng.normal(size=(d_k, d_in)))
    score = (given["W_q"] @ given["a_i"]) @ (given["W_k"] @ given["a_j"])
    return given | dict(a_j=given["a_j"] * 300000.4 / score)  # no whole number: rounding would say where `int` cuts it

QUERY, KEY, DOT = "W_q @ a_i", "W_k @ a_j", "query @ key"
ROOT, WIDTH, INPUTS = f"{DOT} / np.sqrt(query.size)", f"{DOT} / query.size", f"{DOT} / np.sqrt(a_i.size)"
SHORT = "your score is computed in numbers of 16 bits, or cut down to them: three good digits, and infinite above 65504. Keep the arrays' own type."
mistakes = {
    "scaled": ([(DOT, ROOT)], "your score is divided by √d_k. This one is not scaled; the scale comes in `scaled_scores`."),
    "mean-instead-of-sum": ([(DOT, WIDTH)], "your score is d_k times too small: the products are averaged (or divided by d_k). A dot product sums them."),
    "scaled-by-d-in": ([(DOT, INPUTS)], "your score is divided by √d_in. This one is not scaled at all."),
    "roles-swapped": ([(QUERY, "W_q @ a_j"), (KEY, "W_k @ a_i")], "query and key have changed roles: your `W_q` meets `a_j` and your `W_k` meets `a_i`. The first vector asks, so it gives the query; the second gives the key."),
    "query-matrix-twice": ([(KEY, "W_q @ a_j")], "your key is made with `W_q`. Keys have a matrix of their own, `W_k`."),
    "key-matrix-twice": ([(QUERY, "W_k @ a_i")], "your query is made with `W_k`. Queries have a matrix of their own, `W_q`."),
    "first-vector-twice": ([(KEY, "W_k @ a_i")], "both your query and your key are made from `a_i`; `a_j` is not used. The key belongs to the vector that is asked."),
    "second-vector-twice": ([(QUERY, "W_q @ a_j")], "both your query and your key are made from `a_j`; `a_i` is not used. The query belongs to the vector that asks."),
    "query-with-itself": ([(DOT, "query @ query")], "your score is the dot product of the query with itself; the key is not used."),
    "key-with-itself": ([(DOT, "key @ key")], "your score is the dot product of the key with itself; the query is not used."),
    "no-matrices": ([(QUERY, "a_i"), (KEY, "a_j")], "your score is the dot product of the inputs themselves. Make the query and the key first, each with its matrix."),
}
for name, (edits, says) in mistakes.items():
    wrong(name, *edits, says=says)
for size in ("ROOT", "WIDTH", "INPUTS"):
    scaled = {"ROOT": (DOT, ROOT), "WIDTH": (DOT, WIDTH), "INPUTS": (DOT, INPUTS)}[size]
    by = {"ROOT": "√d_k", "WIDTH": "d_k", "INPUTS": "√d_in"}[size]
    for name in ("roles-swapped", "query-matrix-twice", "key-matrix-twice", "first-vector-twice", "second-vector-twice"):
        wrong(f"{name}+divided-by-{by}", *mistakes[name][0], scaled, says=f"two things at once. Your score is divided by {by}, and this one is not scaled. And {mistakes[name][1]}")
wrong("matrices-reshaped", (QUERY, "a_i @ W_q.reshape(len(a_i), -1)"), (KEY, "a_j @ W_k.reshape(len(a_j), -1)"),
      says="your matrices are reshaped to (d_in, d_k), which cuts their rows to pieces. Each row of `W_q` and of `W_k` meets a whole input vector: a transpose keeps rows together, `reshape` does not.")
wrong("no-matrices+scaled", (QUERY, "a_i"), (KEY, "a_j"), (DOT, INPUTS),
      says="your score is the dot product of the inputs themselves, divided by √d_in. Make the query and the key first, each with its matrix; and do not scale.")
wrong("products-not-summed", (DOT, "query * key"),
      says="your output is a vector, the products of query and key number by number. A score is one number: a dot product also sums them.")
wrong("outer", (DOT, "np.outer(query, key)"), says="your output is a matrix, every number of the query times every number of the key (an outer product). A score is one number.")
wrong("sum-of-vectors", (DOT, "np.sum(query + key)"), says="your score adds query and key and sums up. A dot product multiplies them number by number, then sums.")
wrong("cosine", (DOT, "query @ key / (np.linalg.norm(query) * np.linalg.norm(key))"),
      says="your score is the cosine between query and key: it is divided by their lengths. The dot product keeps the lengths.")
wrong("absolute", (DOT, "abs(query @ key)"), says="your score has lost its sign. A score may be negative: it then says that this key fits badly.")
wrong("negative", (DOT, "-(query @ key)"), says="your score has the opposite sign: query and key that point the same way must score high.")
wrong("cut-at-zero", (DOT, "max(0.0, float(query @ key))"), says="your score is 0 wherever it should be negative. A score may be any number.")
wrong("squashed", (DOT, "np.tanh(query @ key)"), says="your score is squashed by tanh. The dot-product score has no tanh; the additive score does.")
wrong("sigmoid", (DOT, "1 / (1 + np.exp(-(query @ key)))"), says="your score is squashed by a sigmoid. The score is the dot product itself, any number.")
wrong("exponential", (DOT, "np.exp(query @ key)"), says="your output is the exponential of the score. That belongs to softmax, later; return the score itself.")
wrong("distance", (DOT, "-np.sum((query - key) ** 2)"), says="your score is the negative squared distance of query and key. A dot product multiplies them number by number and sums.")
wrong("euclidean-distance", (DOT, "np.linalg.norm(query - key)"), says="your score is the distance between query and key. A dot product multiplies them number by number and sums.")
wrong("one-item-array", (DOT, "np.array([query @ key])"), says="your score is an array with one item, of shape (1,). A score is a plain number, without axes.")
wrong("one-by-one", (DOT, "np.array([[query @ key]])"), says="your score is an array of shape (1, 1). A score is a plain number, without axes.")
wrong("all-three", (DOT, "query @ key, query, key"), says="your function returns the query and the key as well. Return the score alone.")
wrong("query-returned", (DOT, "query"), says="your function returns the query, a vector. Return one number: the dot product of query and key.")
wrong("key-returned", (DOT, "key"), says="your function returns the key, a vector. Return one number: the dot product of query and key.")
wrong("list-of-one", (DOT, "[query @ key]"), says="your score is wrapped in a list. A score is a plain number.")
wrong("exponential-scaled", (DOT, "np.exp(query @ key / np.sqrt(query.size))"), says="your output is the exponential of the scaled score. That belongs to softmax, later; return the score itself, not scaled.")
wrong("vectors-returned", (DOT, "query, key"), says="your function returns the query and the key. Return one number: their dot product.")
wrong("rounded", (DOT, "round(float(query @ key))"), says="your score is rounded to a whole number. Return it as it comes.")
wrong("truncated", (DOT, "int(query @ key)"), says="your score is cut to a whole number by `int`. Return it as it comes.")
wrong("two-decimals", (DOT, "round(float(query @ key), 2)"), says="your score is rounded to two decimals. Round only what you print.")
wrong("half-precision", (QUERY, "(W_q @ a_i).astype(np.float16)"), (KEY, "(W_k @ a_j).astype(np.float16)"),
      says=SHORT)
wrong("half-precision-score", (DOT, "np.float16(query @ key)"), says=SHORT)
wrong("one-number-lost", (DOT, "query[:-1] @ key[:-1]"), says="your dot product leaves out the last of the d_k numbers. Does a loop of yours end one too early?")
wrong("first-number-lost", (DOT, "query[1:] @ key[1:]"), says="your dot product leaves out the first of the d_k numbers. Does a loop of yours begin one too late?")
wrong("matrices-added", (QUERY, "(W_q + W_k) @ a_i"), (KEY, "(W_q + W_k) @ a_j"), says="both vectors meet the sum of the two matrices. `W_q` makes the query, `W_k` makes the key.")
wrong("inputs-of-length-one", (QUERY, "W_q @ (a_i / np.linalg.norm(a_i))"), (KEY, "W_k @ (a_j / np.linalg.norm(a_j))"), says="the input vectors are brought to length 1 first. Query and key are made of them as they are.")
wrong("both-directions", (DOT, "((W_q @ a_i) @ (W_k @ a_j) + (W_q @ a_j) @ (W_k @ a_i)) / 2"), says="your score is the mean of two: `a_i` asks `a_j`, and the other way round. Only `a_i` asks.")
wrong("both-sorted", (DOT, "np.sort(query) @ np.sort(key)"), says="query and key are sorted before they meet. Number c meets number c.")
wrong("eight-numbers", (DOT, "query[:8] @ key[:8]"), says="your dot product takes eight numbers at most. There may be any number d_k of them.")
wrong("query-key-and-score", (DOT, "(query, key, query @ key)"), says="your function returns three things. Return the score alone.")
wrong("d_in-for-d_k", (DOT, "query[: len(a_i)] @ key[: len(a_i)]"), says="where d_k is larger than d_in, your dot product takes d_in products only. It takes d_k.")
wrong("not-where-square", (QUERY, "a_i @ W_q if len(W_q) == len(a_i) else W_q @ a_i"), (KEY, "a_j @ W_k if len(W_k) == len(a_j) else W_k @ a_j"),
      says="where the matrices are square, they are multiplied from the other side (or transposed). A rule must not depend on what happens to fit.")
wrong("divided-by-d-in", (DOT, f"{DOT} / a_i.size"), says="your score is divided by d_in, the length of an input vector. This one is not scaled at all.")
wrong("multiplied", (DOT, f"{DOT} * np.sqrt(query.size)"), says="your score is multiplied by √d_k. This one is not scaled at all.")
wrong("three-numbers", (DOT, "query[:3] @ key[:3]"), says="your dot product uses the first three numbers of query and key only. They may have any length d_k.")
wrong("two-numbers", (DOT, "query[:2] @ key[:2]"), says="your dot product uses the first two numbers of query and key only. They may have any length d_k.")
wrong("four-numbers", (DOT, "query[:4] @ key[:4]"), says="your dot product uses the first four numbers of query and key only. They may have any length d_k.")
wrong("first-number", (DOT, "query[0] * key[0]"), says="your score is the product of the first numbers of query and key. All d_k products are summed.")
wrong("row-convention", (QUERY, "a_i @ W_q"), (KEY, "a_j @ W_k"),
      says="you multiply the matrices from the other side (or transposed): `W_q` has shape (d_k, d_in), so each of its rows meets the whole input vector.")
wrong("query-transposed", (QUERY, "a_i @ W_q"),
      says="you multiply `W_q` from the other side (or transposed): it has shape (d_k, d_in), so each of its rows meets the whole input vector.")
wrong("key-transposed", (KEY, "a_j @ W_k"),
      says="you multiply `W_k` from the other side (or transposed): it has shape (d_k, d_in), so each of its rows meets the whole input vector.")
wrong("key-matrix-missing", (KEY, "a_j"), says="the key is the input vector itself: `W_k` is missing. It only fits by luck where d_k = d_in.")
wrong("query-matrix-missing", (QUERY, "a_i"), says="the query is the input vector itself: `W_q` is missing. It only fits by luck where d_k = d_in.")
wrong("elementwise-matrix", (QUERY, "W_q * a_i"), (KEY, "W_k * a_j"), (DOT, "np.sum(query) * np.sum(key)"),
      says="you multiply the sum of all the query's numbers by the sum of all the key's. Multiply number by number first, then sum.")
wrong("in-place", (DOT, "np.multiply(query, key, out=a_j).sum() if query.size == a_j.size else a_j.__imul__(1.5).sum() * 0 + query @ key"),
      says="your function changes its argument `a_j` in place. The caller's vectors must stay as they were.")
wrong("nothing-returned", ("return query @ key", "query @ key"), says="your function ends without giving anything back: is a `return` missing?")
wrong("printed", ("return query @ key", "print(query @ key)"), says="your function ends without giving anything back: is a `return` missing?")

@right
def one_sum(x, y, Wq, Wk):
    return np.einsum("ka,a,kb,b->", Wq, x, Wk, y)

@right
def one_matrix(a_i, a_j, W_q, W_k):
    return a_i.T @ (W_q.T @ W_k) @ a_j

@right
def loops(a_i, a_j, W_q, W_k):
    total = 0.0
    for row_q, row_k in zip(W_q, W_k, strict=True):
        total += sum(w * x for w, x in zip(row_q, a_i, strict=True)) * sum(w * x for w, x in zip(row_k, a_j, strict=True))
    return total

@right
def as_columns(a_i, a_j, W_q, W_k):
    return (W_q @ a_i[:, None]).T.dot(W_k @ a_j[:, None]).item()

@right
def from_the_right(a_i, a_j, W_q, W_k):
    return np.asarray(np.inner(a_i @ W_q.T, a_j @ W_k.T))

@right
def in_single_precision(a_i, a_j, W_q, W_k):
    a_i, a_j, W_q, W_k = (x.astype("float32") for x in (a_i, a_j, W_q, W_k))
    return np.vdot(W_q.dot(a_i), W_k.dot(a_j))

@truth
def by_sums(a_i, a_j, W_q, W_k):
    d_k, d_in = W_q.shape
    return sum(
        float(W_q[r, c]) * float(a_i[c]) * float(W_k[r, e]) * float(a_j[e]) for r in range(d_k) for c in range(d_in) for e in range(d_in)
    )

@truth
def by_torch(a_i, a_j, W_q, W_k):
    import torch
    a_i, a_j, W_q, W_k = map(torch.from_numpy, (a_i, a_j, W_q, W_k))
    return float(torch.nn.functional.bilinear(a_i[None], a_j[None], (W_q.T @ W_k)[None]))

# %% exercise="additive_score" part="library"
def additive_score(a_i: np.ndarray, a_j: np.ndarray, W_q: np.ndarray, W_k: np.ndarray, w: np.ndarray) -> float:
    """One step of PyTorch's recurrent cell on both inputs side by side, from a state of zeros."""
    import torch

    both = torch.from_numpy(np.concatenate([a_i, a_j])[None])
    state = torch.rnn_tanh_cell(
        both, both.new_zeros(1, len(w)), torch.from_numpy(np.concatenate([W_q, W_k], axis=1)), both.new_zeros(len(w), len(w))
    )
    return float(torch.nn.functional.linear(state[0], torch.from_numpy(np.array(w))))

# %% exercise="additive_score" part="variants"
without("whole numbers", because="tanh gives none: PyTorch, too, wants floats throughout")

@cases(dict(d_in=5, d_k=3), dict(d_in=4, d_k=13), hidden=[dict(d_in=6, d_k=4), dict(d_in=3, d_k=12)])
def drawn(rng, d_in, d_k):
    """vectors of {d_in} numbers, matrices of shape ({d_k}, {d_in})"""
    size, root = (d_k, d_in), np.sqrt(d_in)
    return dict(a_i=rng.normal(size=d_in), a_j=rng.normal(size=d_in), W_q=rng.normal(size=size) / root, W_k=rng.normal(size=size) / root, w=rng.normal(size=d_k))

@cases(dict(d=6), low=5)
def square(rng, d):
    """square matrices of shape ({d}, {d})"""
    a_i, a_j, w = rng.normal(size=(3, d))
    W_q, W_k = rng.normal(size=(2, d, d)) / np.sqrt(d)
    return dict(a_i=a_i, a_j=a_j, W_q=W_q, W_k=W_k, w=w * np.sign(w @ np.tanh(W_q @ a_i + W_k @ a_j)))  # a positive score

@cases(dict(d_in=4, d_k=3), low=3)
def saturated(rng, d_in, d_k):
    """sums of hundreds and thousands before tanh (d_in = {d_in}, d_k = {d_k})"""
    return dict(a_i=2e3 * rng.normal(size=d_in), a_j=rng.normal(size=d_in), W_q=rng.uniform(1, 2, size=(d_k, d_in)) * rng.choice([-1, 1], size=(d_k, 1)),
                W_k=rng.normal(size=(d_k, d_in)), w=rng.normal(size=d_k))

@cases(dict(d_in=3, d_k=5), dict(d_in=6, d_k=4), low=3)
def below_zero(rng, d_in, d_k):
    """a small negative score, the sum of large products (d_in = {d_in}, d_k = {d_k})"""
    a_i, a_j, w = rng.normal(size=d_in), rng.normal(size=d_in), 80 * rng.normal(size=d_k)
    W_q, W_k = rng.normal(size=(d_k, d_in)) / 2, rng.normal(size=(d_k, d_in)) / 2
    squashed = np.tanh(W_q @ a_i + W_k @ a_j)
    wanted = -(int(rng.integers(60, 90)) / 100 + 0.0043)  # far from a number of two decimals
    return dict(a_i=a_i, a_j=a_j, W_q=W_q, W_k=W_k, w=w + (wanted - w @ squashed) * squashed / (squashed @ squashed))

def with_sums(rng, d_in, sums):
    """Inputs whose numbers before tanh are these."""
    d_k = len(sums)
    a_i, a_j = rng.uniform(0.5, 1.5, size=(2, d_in)) * rng.choice([-1, 1], size=(2, d_in))
    W_q = rng.normal(size=(d_k, d_in)) / 4
    W_k = np.outer(sums - W_q @ a_i, a_j) / (a_j @ a_j)
    return dict(a_i=a_i, a_j=a_j, W_q=W_q, W_k=W_k, w=rng.uniform(1, 2, size=d_k) * np.sign(sums))

@cases(dict(d_in=5, d_k=4), low=3)
def sums_of_three(rng, d_in, d_k):
    """sums between 3 and 4 before tanh (d_in = {d_in}, d_k = {d_k})"""
    return with_sums(rng, d_in, rng.uniform(3, 4, size=d_k))

@cases(dict(d_in=4, d_k=3), low=3)
def small_sums(rng, d_in, d_k):
    """sums between −0.25 and 0.25 before tanh (d_in = {d_in}, d_k = {d_k})"""
    return with_sums(rng, d_in, rng.uniform(0.15, 0.25, size=d_k) * rng.choice([-1, 1], size=d_k))

@cases(dict(d_in=3, d_k=4), low=3)
def large_beside_small(rng, d_in, d_k):
    """one sum of 30 to 80 beside others below 1 before tanh (d_in = {d_in}, d_k = {d_k})"""
    sums = rng.uniform(0.3, 0.8, size=d_k) * rng.choice([-1, 1], size=d_k)
    sums[0] *= 100
    return with_sums(rng, d_in, sums)

QUERY, KEY, SCORE = "W_q @ a_i", "W_k @ a_j", "w @ np.tanh(query + key)"
mistakes = {
    "no-tanh": ([("np.tanh(query + key)", "(query + key)")], "your score has no tanh. Without it query and key are only added, never brought together: whichever vector asks, the ranking of the others stays the same."),
    "tanh-last": ([(SCORE, "np.tanh(w @ (query + key))")], "your tanh comes last, around the finished score. It belongs around the sum of query and key, before `w`."),
    "tanh-first": ([("np.tanh(query + key)", "(np.tanh(query) + np.tanh(key))")], "your query and key go through tanh one by one and are added afterwards. Add them first: tanh is what brings the two together."),
    "weighted-inside": ([(SCORE, "np.sum(np.tanh(w * (query + key)))")], "your `w` is multiplied in before the tanh. It weighs what comes out of the tanh."),
    "no-w": ([("w @ np.tanh(query + key)", "np.sum(np.tanh(query + key))")], "your score sums the numbers after the tanh without weighing them: `w` is not used."),
    "mean-without-w": ([("w @ np.tanh(query + key)", "np.mean(np.tanh(query + key))")], "your score is the mean of the numbers after the tanh: `w` is not used."),
    "turned-difference": ([("query + key", "key - query")], "you take the difference of key and query; this score is called additive: add them."),
    "tanh-of-tanh": ([(SCORE, "w @ np.tanh(np.tanh(query + key))")], "tanh is applied twice. Once is enough."),
    "difference": ([("query + key", "query - key")], "you take the difference of query and key; this score is called additive: add them."),
    "product": ([("query + key", "query * key")], "you multiply query and key; this score is called additive: add them."),
    "dot-product": ([(SCORE, "query @ key")], "your score is the dot-product score of exercise 2. Here query and key are added, go through tanh, and are weighed by `w`."),
    "relu": ([("np.tanh(query + key)", "np.maximum(query + key, 0)")], "your squashing function is ReLU (negative numbers become 0); the formula asks for tanh."),
    "sigmoid": ([("np.tanh(query + key)", "(1 / (1 + np.exp(-(query + key))))")], "your squashing function is the sigmoid, from 0 to 1; the formula asks for tanh, from −1 to 1."),
    "roles-swapped": ([(QUERY, "W_q @ a_j"), (KEY, "W_k @ a_i")], "`W_q` is applied to `a_j` and `W_k` to `a_i`. The first vector asks, so it meets `W_q`; the second meets `W_k`."),
    "query-matrix-twice": ([(KEY, "W_q @ a_j")], "your key is made with `W_q`. Keys have a matrix of their own, `W_k`."),
    "key-matrix-twice": ([(QUERY, "W_k @ a_i")], "your query is made with `W_k`. Queries have a matrix of their own, `W_q`."),
    "first-vector-twice": ([(KEY, "W_k @ a_i")], "both your query and your key are made from `a_i`; `a_j` is not used."),
    "second-vector-twice": ([(QUERY, "W_q @ a_j")], "both your query and your key are made from `a_j`; `a_i` is not used."),
    "query-only": ([("query + key", "query")], "your score uses the query only; the key is not added."),
    "key-only": ([("query + key", "key")], "your score uses the key only; the query is not added."),
    "scaled": ([(SCORE, f"{SCORE} / np.sqrt(w.size)")], "your score is divided by √d_k. The additive score is not scaled."),
    "weighted-mean": ([(SCORE, f"{SCORE} / w.sum()")], "your score is a weighted mean: it is divided by the sum of `w`. The dot product with `w` is the score, and is divided by nothing."),
    "mean": ([(SCORE, f"{SCORE} / w.size")], "your score is d_k times too small: you average where the dot product with `w` sums (or divide by d_k)."),
}
for name, (edits, says) in mistakes.items():
    wrong(name, *edits, says=says)
for name in ("roles-swapped", "query-matrix-twice", "key-matrix-twice", "first-vector-twice", "second-vector-twice"):
    for other in ("no-tanh", "tanh-last", "no-w", "scaled"):
        wrong(f"{name}+{other}", *mistakes[name][0], *mistakes[other][0], says=two_things(mistakes[name][1], mistakes[other][1]))
wrong("no-tanh-no-w", (SCORE, "np.sum(query + key)"), says="your score adds up query and key, without tanh and without `w`. Look at the formula again from the inside outwards.")
wrong("no-tanh-mean", (SCORE, "np.mean(query + key)"), says="your score is the mean of query and key, without tanh and without `w`. Look at the formula again from the inside outwards.")
wrong("not-summed", (SCORE, "w * np.tanh(query + key)"), says="your output is a vector of d_k numbers: they are weighed by `w` but not summed. A score is one number.")
wrong("w-left-out-vector", (SCORE, "np.tanh(query + key)"), says="your output is the vector after the tanh. Its dot product with `w` makes one number of it.")
wrong("outer", (SCORE, "np.outer(w, np.tanh(query + key))"), says="your output is a matrix, every number of `w` times every number after the tanh. A score is one number, the dot product of the two.")
wrong("sine", ("np.tanh(query + key)", "np.sin(query + key)"), says="your squashing function is a sine; the formula asks for tanh, the hyperbolic tangent.")
wrong("tangent", ("np.tanh(query + key)", "np.tan(query + key)"), says="your function is the tangent; the formula asks for tanh, the hyperbolic tangent.")
wrong("arctangent", ("np.tanh(query + key)", "np.arctan(query + key)"), says="your function is the arc tangent; the formula asks for tanh, the hyperbolic tangent.")
wrong("artanh", ("np.tanh(query + key)", "np.arctanh(query + key)"), says="your function is arctanh, which undoes tanh and is defined between −1 and 1 only; the formula asks for tanh.")
wrong("hyperbolic-sine", ("np.tanh(query + key)", "np.sinh(query + key)"), says="your function is sinh, which grows without bound; the formula asks for tanh.")
wrong("clipped", ("np.tanh(query + key)", "np.clip(query + key, -1, 1)"), says="you clip the sum to the range −1 to 1; tanh gets there smoothly.")
wrong("exponential", ("np.tanh(query + key)", "np.exp(query + key)"), says="your function is the exponential; the formula asks for tanh.")
wrong("softsign", ("np.tanh(query + key)", "((query + key) / (1 + abs(query + key)))"), says="your squashing function is softsign, x / (1 + |x|); the formula asks for tanh.")
wrong("softmax-inside", ("np.tanh(query + key)", "softmax(query + key)"), says="you put a softmax where the formula has tanh. Softmax comes later, over the scores of all keys.")
wrong("tanh-twice", (SCORE, "np.tanh(w @ np.tanh(query + key))"), says="your score goes through a second tanh at the end. One tanh, before `w`, is all.")
wrong("tanh-on-inputs", (QUERY, "W_q @ np.tanh(a_i)"), (KEY, "W_k @ np.tanh(a_j)"), ("np.tanh(query + key)", "(query + key)"),
      says="your tanh is applied to the inputs, before the matrices. It belongs around the sum of query and key.")
wrong("one-tanh-only", ("np.tanh(query + key)", "(np.tanh(query) + key)"), says="only the query goes through your tanh. It belongs around the sum of query and key: a bracket may stand in the wrong place.")
wrong("other-tanh-only", ("np.tanh(query + key)", "(query + np.tanh(key))"), says="only the key goes through your tanh. It belongs around the sum of query and key: a bracket may stand in the wrong place.")
OVERFLOWS = "your tanh is written with exponentials (or with sinh and cosh), which overflow where the sum is large: infinity / infinity is NaN. `np.tanh` takes any number."
wrong("tanh-by-exponentials", (SCORE, "w @ (lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)))(query + key)"), says=OVERFLOWS)
wrong("tanh-by-one-exponential", (SCORE, "w @ (lambda z: (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1))(query + key)"), says=OVERFLOWS)
wrong("half-sum", ("query + key", "(query + key) / 2"), says="the tanh gets half the sum of query and key (their mean). Add them, no more.")
wrong("scaled-inside", ("query + key", "(query + key) / np.sqrt(w.size)"), says="the sum inside the tanh is divided by √d_k. The additive score is not scaled.")
wrong("dot-inside", (SCORE, "np.sum(w * np.tanh(query @ key))"), says="the tanh gets the dot product of query and key. In the additive score it gets their sum, a vector of d_k numbers.")
wrong("scaled-inside-by-d-in", ("query + key", "(query + key) / np.sqrt(a_i.size)"), says="the sum inside the tanh is divided by √d_in. The additive score is not scaled.")
wrong("tanh-of-the-sum", (SCORE, "np.tanh(np.sum(query + key))"), says="you add up the numbers of query and key before the tanh, and `w` is not used. tanh takes each of the d_k numbers by itself; `w` weighs them.")
wrong("outer-summed", (SCORE, "np.outer(w, np.tanh(query + key)).sum()"), says="you multiply every number of `w` with every number after the tanh. The dot product pairs them: the first with the first, and so on.")
wrong("w-squashed", (SCORE, "np.tanh(w) @ np.tanh(query + key)"), says="your `w` goes through tanh as well. Only the sum of query and key does.")
wrong("elementwise-matrices", (QUERY, "W_q * a_i"), (KEY, "W_k * a_j"), says="you multiply matrix and vector number by number with `*`. A matrix times a vector also sums along each row.")
wrong("bias", ("query + key", "query + key + 1"), says="a constant is added inside the tanh. The formula has none.")
wrong("negative", (SCORE, f"-({SCORE})"), says="your score has the opposite sign.")
wrong("absolute", (SCORE, f"abs({SCORE})"), says="your score has lost its sign; a score may be negative.")
wrong("matrices-missing", (QUERY, "a_i"), (KEY, "a_j"), says="`W_q` and `W_k` are missing: you add the input vectors themselves. It only fits by luck where d_k = d_in.")
wrong("row-convention", (QUERY, "a_i @ W_q"), (KEY, "a_j @ W_k"),
      says="you multiply the matrices from the other side (or transposed): `W_q` has shape (d_k, d_in), so each of its rows meets the whole input vector.")
wrong("query-transposed", (QUERY, "a_i @ W_q"), says="you multiply `W_q` from the other side (or transposed): it has shape (d_k, d_in), so each of its rows meets the whole input vector.")
wrong("key-transposed", (KEY, "a_j @ W_k"), says="you multiply `W_k` from the other side (or transposed): it has shape (d_k, d_in), so each of its rows meets the whole input vector.")
wrong("one-item-array", (SCORE, f"np.array([{SCORE}])"), says="your score is an array with one item, of shape (1,). A score is a plain number, without axes.")
wrong("one-by-one", (SCORE, f"np.array([[{SCORE}]])"), says="your score is an array of shape (1, 1). A score is a plain number, without axes.")
wrong("rounded", (SCORE, f"round(float({SCORE}), 2)"), says="your score is rounded. Round only what you print.")
wrong("half-precision", (SCORE, "w.astype(np.float16) @ np.tanh((query + key).astype(np.float16))"), says="your score is a little off everywhere, as numbers of 16 bits are. Keep the arrays' own type.")
wrong("first-number-lost", (SCORE, "w[1:] @ np.tanh(query + key)[1:]"), says="your score leaves out the first of the d_k numbers. Does a loop of yours begin one too late?")
wrong("matrices-added", (QUERY, "(W_q + W_k) @ a_i"), (KEY, "(W_q + W_k) @ a_j"), says="both vectors meet the sum of the two matrices. `W_q` makes the query, `W_k` makes the key.")
wrong("product-of-tanhs", (SCORE, "w @ (np.tanh(query) * np.tanh(key))"), says="query and key go through tanh one by one, and are multiplied. They are added first; then one tanh.")
wrong("w-of-length-one", (SCORE, "(w / np.linalg.norm(w)) @ np.tanh(query + key)"), says="your `w` is brought to length 1. It weighs as it is.")
wrong("largest-only", (SCORE, "np.max(w * np.tanh(query + key))"), says="your score is the largest of the d_k products. They are summed.")
wrong("w-without-its-sign", (SCORE, "np.abs(w) @ np.tanh(query + key)"), says="your `w` has lost its sign. Its numbers may be negative.")
wrong("w-through-softmax", (SCORE, "(np.exp(w) / np.exp(w).sum()) @ np.tanh(query + key)"), says="your `w` goes through a softmax. It weighs as it is: its numbers may be negative, and need not sum to 1.")
wrong("w-added", (SCORE, "np.sum(w + np.tanh(query + key))"), says="your `w` is added to the numbers after the tanh. It is multiplied with them, number by number, and the products are summed.")
wrong("w-as-a-bias", (SCORE, "np.sum(np.tanh(query + key + w))"), says="your `w` is added inside the tanh, as a bias. It weighs what comes out of the tanh.")
wrong("w-reversed", (SCORE, "w[::-1] @ np.tanh(query + key)"), says="the numbers of `w` meet those after the tanh in reverse order. Number c meets number c.")
for first, second in (("tanh-last", "√d_k"), ("no-tanh", "√d_k"), ("no-w", "√d_k"), ("tanh-first", "√d_k"), ("difference", "√d_k"), ("relu", "√d_k"), ("sigmoid", "√d_k")):
    wrong(f"{first}+scaled", *mistakes[first][0], ("return ", "return 1 / np.sqrt(w.size) * "), says=f"two things at once. First, {mistakes[first][1]} Second, your score is divided by {second}, and this one is not scaled.")
wrong("three-numbers", (SCORE, "w[:3] @ np.tanh(query + key)[:3]"), says="your score uses the first three numbers only. There may be any number d_k of them.")
wrong("one-number-lost", (SCORE, "w[:-1] @ np.tanh(query + key)[:-1]"), says="your score leaves out the last of the d_k numbers. Does a loop of yours end one too early?")
wrong("two-numbers", (SCORE, "w[:2] @ np.tanh(query + key)[:2]"), says="your score uses the first two numbers only. There may be any number d_k of them.")
wrong("four-numbers", (SCORE, "w[:4] @ np.tanh(query + key)[:4]"), says="your score uses the first four numbers only. There may be any number d_k of them.")
wrong("in-place", (SCORE, "[w.__imul__(np.tanh(query + key)), float(w.sum())][1]"), says="your function changes its argument `w` in place. The caller's arrays must stay as they were.")
wrong("nothing-returned", (f"return {SCORE}", SCORE), says="your function ends without giving anything back: is a `return` missing?")

@right
def stacked(a_i, a_j, W_q, W_k, w):
    """The lecture's other form: one matrix on the two vectors joined end to end."""
    return np.dot(w, np.tanh(np.hstack([W_q, W_k]) @ np.concatenate([a_i, a_j])))

@right
def loops(x, y, Q, K, v):
    total = 0.0
    for row_q, row_k, weight in zip(Q, K, v, strict=True):
        total = total + weight * np.tanh(sum(row_q * x) + sum(row_k * y))
    return total

@right
def by_sums(a_i, a_j, W_q, W_k, w):
    return np.einsum("k,k->", w, np.tanh(np.einsum("kd,d->k", W_q, a_i) + np.einsum("kd,d->k", W_k, a_j)))

@right
def as_columns(a_i, a_j, W_q, W_k, w):
    hidden = np.tanh(W_q @ a_i.reshape(-1, 1) + W_k @ a_j.reshape(-1, 1))
    return (w.reshape(1, -1) @ hidden).item()

@right
def in_single_precision(a_i, a_j, W_q, W_k, w):
    a_i, a_j, W_q, W_k, w = (x.astype("float32") for x in (a_i, a_j, W_q, W_k, w))
    return np.tanh(a_i @ W_q.T + a_j @ W_k.T) @ w

@truth
def by_torch(a_i, a_j, W_q, W_k, w):
    import torch
    a_i, a_j, W_q, W_k, w = map(torch.from_numpy, (a_i, a_j, W_q, W_k, w))
    return float(torch.nn.functional.linear(torch.tanh(torch.nn.functional.linear(torch.cat([a_i, a_j]), torch.cat([W_q, W_k], dim=1))), w))

@truth
def by_python(a_i, a_j, W_q, W_k, w):
    import math
    return sum(
        float(w[r]) * math.tanh(sum(float(p * x) for p, x in zip(W_q[r], a_i, strict=True)) + sum(float(p * x) for p, x in zip(W_k[r], a_j, strict=True)))
        for r in range(len(w))
    )

# %% exercise="scaled_scores" part="library"
def scaled_scores(q: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """PyTorch's product of a matrix and a vector, with a factor before it."""
    import torch

    q, keys = np.array(q, dtype=np.float64), np.array(keys, dtype=np.float64)
    none = torch.zeros(len(keys), dtype=torch.float64)
    return torch.addmv(none, torch.from_numpy(keys), torch.from_numpy(q), alpha=len(q) ** -0.5).numpy()

# %% exercise="scaled_scores" part="variants"
@cases(dict(d_k=5, n=3), dict(d_k=3, n=7), hidden=[dict(d_k=3, n=5), dict(d_k=8, n=6)])
def drawn(rng, d_k, n):
    """{n} keys of length {d_k}"""
    return dict(q=rng.normal(size=d_k), keys=rng.normal(size=(n, d_k)))

@cases(dict(d_k=6), low=5)
def as_many_keys_as_numbers(rng, d_k):
    """{d_k} keys of length {d_k}"""
    return dict(q=rng.normal(size=d_k), keys=rng.normal(size=(d_k, d_k)))

@cases(dict(d_k=5, n=4), low=3)
def nearly_at_right_angles(rng, d_k, n):
    """{n} long keys nearly at right angles to the query (d_k = {d_k})"""
    q, keys = rng.normal(size=d_k), 20 * rng.normal(size=(n, d_k))
    wanted = np.sqrt(d_k) * np.where(np.arange(n) % 2, 1, -1) * (rng.integers(20, 90, size=n) / 100 + 0.0043)
    return dict(q=q, keys=keys + np.outer(wanted - keys @ q, q) / (q @ q))

@cases(dict(d_k=10, n=4), hidden=[dict(d_k=12, n=5)])
def large(rng, d_k, n):
    """scores of several hundred thousand ({n} keys of length {d_k})"""
    q = rng.normal(size=d_k)
    keys = rng.normal(size=(n, d_k)) + 2 * q  # near the query: large numbers that cancel leave few digits in single precision
    return dict(q=q, keys=keys * (3e5 * np.sqrt(d_k) / (keys @ q))[:, None] * (1 + rng.random(size=(n, 1))))

@cases(dict(d_k=6, n=4), low=4)
def zeros_in_the_query(rng, d_k, n):
    """{n} keys of length {d_k} and a query of which two numbers are 0"""
    q = rng.normal(size=d_k)
    q[1:3] = 0
    return dict(q=q, keys=rng.normal(size=(n, d_k)))

@cases(dict(d_k=4, n=3), low=3)
def lengths_of_one(rng, d_k, n):
    """a single key of length {d_k}; and {n} keys of one number"""
    return [dict(q=rng.normal(size=d_k), keys=rng.normal(size=(1, d_k))), dict(q=rng.normal(size=1), keys=rng.normal(size=(n, 1)))]

SCORES, ROOT, RETURN = "keys @ q", "np.sqrt(q.shape[0])", "scores / np.sqrt(q.shape[0])"
scales = {
    "no-scale": ("scores", "your scores equal the dot products without the factor 1/√d_k."),
    "divided-by-d_k": ("scores / q.shape[0]", "your scores are divided by d_k; the formula asks for its square root."),
    "divided-by-root-n": ("scores / np.sqrt(len(keys))", "your scores are divided by the square root of the number of keys, n. Under the root stands d_k, the length of one key."),
    "divided-by-n": ("scores / len(keys)", "your scores are divided by the number of keys, n. The formula divides by √d_k, and d_k is the length of one key."),
    "multiplied": ("scores * np.sqrt(q.shape[0])", "your scores are multiplied by √d_k; the formula divides."),
    "fourth-root": ("scores / q.shape[0] ** 0.25", "your scores are divided by the fourth root of d_k: the root is taken twice."),
    "square": ("scores / q.shape[0] ** 2", "your scores are divided by the square of d_k; the formula asks for its square root."),
    "root-of-two": ("scores / np.sqrt(2)", "your scores are divided by √2. Under the root stands d_k: read it from a shape."),
    "by-two": ("scores / 2", "your scores are divided by 2. In the example √d_k happened to be 2; read d_k from a shape."),
    "by-eight": ("scores / 8", "your scores are divided by 8. That fits d_k = 64, the paper's choice; read d_k from a shape."),
    "one-more": ("scores / np.sqrt(q.shape[0] + 1)", "your scores are divided by √(d_k + 1); the number under the root is one too large."),
    "one-less": ("scores / np.sqrt(q.shape[0] - 1)", "your scores are divided by √(d_k − 1); the number under the root is one too small."),
    "root-of-all": ("scores / np.sqrt(keys.size)", "your scores are divided by the square root of how many numbers all keys have together, n·d_k. Under the root stands d_k alone."),
    "query-length": ("scores / np.linalg.norm(q)", "your scores are divided by the length |q| of the query as an arrow. What counts is how many numbers it has: √d_k."),
    "by-d_k-and-two": ("scores / q.shape[0] / 2", "your scores are divided by d_k and then by 2, where the formula asks for √d_k. (In `x / d ** 1 / 2` the power comes first, and then both divisions, from left to right.)"),
    "logarithm": ("scores / np.log(q.shape[0])", "your scores are divided by the logarithm of d_k; the formula asks for its square root."),
}
for name, (edit, says) in scales.items():
    wrong(name, (RETURN, edit), says=says)
for name in ("no-scale", "divided-by-d_k", "divided-by-root-n"):
    wrong(f"{name}+column", (RETURN, f"({scales[name][0]})[:, None]"), says=two_things(scales[name][1], "your output has shape (n, 1), a matrix with one column. Return a vector of shape (n,)."))
wrong("each-key-by-its-norm", (RETURN, "scores / np.linalg.norm(keys, axis=1)"), says="each score is divided by the length |k| of its own key as an arrow. The scale is the same for all keys: it counts how many numbers a key has.")
wrong("keys-reshaped", (SCORES, "q @ keys.reshape(keys.shape[::-1])"), says="your keys are reshaped to (d_k, n), which cuts them to pieces. Each key is a row of `keys`: a transpose keeps it together, `reshape` does not.")
wrong("cosine", (RETURN, "scores / (np.linalg.norm(q) * np.linalg.norm(keys, axis=1))"),
      says="your scores are cosines, divided by the lengths of query and key. The scale is √d_k, the same for every key.")
wrong("softmax-done", (RETURN, "softmax(scores / np.sqrt(q.shape[0]))"), says="your output has gone through softmax already. Return the scores; the weights come later.")
wrong("softmax-unscaled", (RETURN, "softmax(scores)"), says="your output has gone through softmax, and the scale is missing. Return the scaled scores; the weights come later.")
wrong("softmax-root-n", (RETURN, "softmax(scores / np.sqrt(len(keys)))"), says="your output has gone through softmax, and the scale is √n, the number of keys. Return the scores, divided by √d_k; the weights come later.")
wrong("root-of-512", (RETURN, "scores / np.sqrt(512)"), says="your scores are divided by √512. 512 is the paper's d_model; under the root stands d_k, read from a shape.")
wrong("root-subtracted", (RETURN, "scores - np.sqrt(q.shape[0])"), says="you subtract √d_k from the scores; the formula divides.")
wrong("exponential", (RETURN, "np.exp(scores / np.sqrt(q.shape[0]))"), says="your output is the exponential of the scores. That is a part of softmax, which comes later.")
wrong("maximum-subtracted", (RETURN, "(scores - scores.max()) / np.sqrt(q.shape[0])"), says="your scores have their maximum subtracted. Softmax does that; here return the scores themselves.")
wrong("mean-subtracted", (RETURN, "(scores - scores.mean()) / np.sqrt(q.shape[0])"), says="your scores have their mean subtracted. Return the scores themselves.")
wrong("standardised", (RETURN, "(scores - scores.mean()) / scores.std()"), says="your scores are standardised (mean 0, spread 1). The scale is √d_k, whatever the scores are.")
wrong("divided-by-spread", (RETURN, "scores / scores.std()"), says="your scores are divided by their own standard deviation. The scale is √d_k, whatever the scores are.")
wrong("normalised", (RETURN, "scores / scores.sum()"), says="your scores are divided by their sum. The scale is √d_k; making weights that sum to 1 comes later.")
wrong("absolute", (RETURN, "abs(scores) / np.sqrt(q.shape[0])"), says="your scores have lost their sign. A score may be negative: it then says that this key fits badly.")
wrong("negative", (RETURN, "-scores / np.sqrt(q.shape[0])"), says="your scores have the opposite sign: keys that point as the query does must score high.")
wrong("rounded", (RETURN, "np.round(scores / np.sqrt(q.shape[0]), 2)"), says="your scores are rounded to two decimals. Round only what you print.")
wrong("whole-numbers", (RETURN, "scores // np.sqrt(q.shape[0])"), says="your scores are whole numbers: `//` cuts off the decimals.")
wrong("cut", (RETURN, "(scores / np.sqrt(q.shape[0])).astype(int)"), says="your scores are cut to whole numbers. Keep them as they come.")
wrong("root-rounded", (RETURN, "scores / round(np.sqrt(q.shape[0]))"), says="the root of d_k is rounded to a whole number. √d_k is seldom whole.")
wrong("root-cut", (RETURN, "scores / int(np.sqrt(q.shape[0]))"), says="the root of d_k is cut to a whole number. √d_k is seldom whole.")
wrong("half-precision", (RETURN, "(keys.astype(np.float16) @ q.astype(np.float16)) / np.sqrt(q.shape[0])"), says="your scores are a little off, and infinite where they are large, as numbers of 16 bits are. Keep the arrays' own type.")
wrong("half-precision-scores", (RETURN, "(scores / np.sqrt(q.shape[0])).astype(np.float16)"), says="your scores are cut down to 16 bits: three good digits, and infinite above 65504. Keep the arrays' own type.")
wrong("products-not-summed", (SCORES, "keys * q"), says="your output is a matrix, the products of query and keys number by number. A dot product also sums them: one score for each key.")
wrong("products-not-summed-unscaled", (SCORES, "keys * q"), (RETURN, "scores"),
      says="your output is a matrix, the products of query and keys number by number, not scaled. A dot product also sums them: one score for each key. Then comes the scale.")
wrong("summed-over-keys", (SCORES, "(keys * q).sum(axis=0)"), says="you sum over the keys, so one number for each of the d_k places is left. Sum over the d_k places: one score for each key.")
wrong("summed-up", (SCORES, "(keys * q).sum()"), says="your output is one number: all scores summed up. Return one score for each key.")
wrong("keys-transposed", (SCORES, "keys.T @ q"), says="you multiply the keys from the other side (or transposed). Each key is a row of `keys` and meets the whole query.")
wrong("keys-transposed-unscaled", (SCORES, "keys.T @ q"), (RETURN, "scores"),
      says="you multiply the keys from the other side (or transposed), and the scale is missing. Each key is a row of `keys` and meets the whole query.")
wrong("query-added", (SCORES, "(keys + q).sum(axis=1)"), says="you add query and key. A dot product multiplies them number by number, then sums.")
wrong("keys-alone", (SCORES, "keys.sum(axis=1)"), says="your scores are the sums of the keys; the query is not used.")
wrong("keys-with-themselves", (SCORES, "(keys * keys).sum(axis=1)"), says="your scores are the dot products of the keys with themselves; the query is not used.")
wrong("keys-with-keys", (SCORES, "keys @ keys.T"), says="each key meets each key in your scores, and the query is not used.")
wrong("keys-sorted", (SCORES, "np.unique(keys, axis=0) @ q"), says="the keys are sorted first, and equal ones count once. (`np.unique` does that.) Score j belongs to key j.")
wrong("zeros-not-counted", (ROOT, "np.sqrt(max(1, np.count_nonzero(q)))"), says="under the root you count only those numbers of the query that are not 0. d_k is how many numbers there are.")
wrong("query-reversed", (SCORES, "keys @ q[::-1]"), says="the numbers of the query meet those of the keys in reverse order. Number c meets number c.")
wrong("cube-root", (ROOT, "np.cbrt(q.shape[0])"), says="your scores are divided by the cube root of d_k. The formula asks for its square root.")
wrong("not-where-square", (SCORES, "q @ keys if len(keys) == len(q) else keys @ q"), says="where there are as many keys as numbers in one, your query meets the columns of `keys`. Each key is a row. A rule must not depend on what happens to fit.")
wrong("long-keys-only", (RETURN, "scores / np.sqrt(q.shape[0]) if len(q) > 4 else scores"), says="with keys of up to 4 numbers your scores equal the dot products without the factor 1/√d_k. It belongs to keys of every length.")
wrong("mean", (RETURN, "np.mean(scores) / np.sqrt(q.shape[0])"), says="your output is one number: the mean of all scores. Return one score for each key.")
wrong("products-averaged", (SCORES, "(keys * q).mean(axis=1)"), says="your scores are d_k times too small: the products are averaged. A dot product sums them.")
wrong("products-averaged-unscaled", (SCORES, "(keys * q).mean(axis=1)"), (RETURN, "scores"), says=scales["divided-by-d_k"][1])

@wrong("as-many-scores-as-numbers", says="your loop runs over the d_k numbers of the query. Run over the n keys: there is one score for each.")
def as_many_scores_as_numbers(q, keys):
    out = np.zeros(len(q))
    for j in range(len(q)):
        out[j] = keys[j] @ q
    return out / np.sqrt(len(q))

wrong("first-key", (RETURN, "scores[0] / np.sqrt(q.shape[0])"), says="your output is the first key's score only. Return one score for each key.")
wrong("first-key-for-all", (SCORES, "np.full(len(keys), keys[0] @ q)"), says="all your scores are the first key's. Does a loop of yours always take the same row?")
wrong("last-key-lost", (SCORES, "keys[:-1] @ q"), says="the last key has no score. Does a loop of yours end one too early?")
wrong("last-key-zero", (SCORES, "np.append(keys[:-1] @ q, 0.0)"), says="the last key's score is left at 0. Does a loop of yours end one too early?")
wrong("last-number-lost", (SCORES, "keys[:, :-1] @ q[:-1]"), says="your dot products leave out the last of the d_k numbers. Does a loop of yours end one too early?")
wrong("reversed", (RETURN, "scores[::-1] / np.sqrt(q.shape[0])"), says="your scores stand in the reverse order: score j belongs to row j of `keys`.")
wrong("sorted", (RETURN, "np.sort(scores)[::-1] / np.sqrt(q.shape[0])"), says="your scores are sorted. Score j belongs to row j of `keys`: keep the keys' order.")
wrong("scaled-twice", (RETURN, "scores / np.sqrt(q.shape[0]) / np.sqrt(q.shape[0])"), says=scales["divided-by-d_k"][1])
wrong("row", (RETURN, "(scores / np.sqrt(q.shape[0]))[None, :]"), says="your output has shape (1, n), a matrix with one row. Return a vector of shape (n,).")
wrong("only-the-last-scaled", (RETURN, "np.concatenate([scores[:-1], scores[-1:] / np.sqrt(q.shape[0])])"), says="only the last score is divided by √d_k. (Does the division stand behind a loop, where it belongs inside?)")
wrong("squeezed", (RETURN, "np.squeeze(scores / np.sqrt(q.shape[0]))"), says="axes of length 1 are squeezed away. The score of a single key still has its axis: (1,).")
wrong("column", (RETURN, "(scores / np.sqrt(q.shape[0]))[:, None]"), says="your output has shape (n, 1), a matrix with one column. Return a vector of shape (n,).")
wrong("list", (RETURN, "(scores / np.sqrt(q.shape[0])).tolist()"), says="your output is a Python list of numbers. Return a NumPy array of shape (n,).")
wrong("list-unscaled", (RETURN, "scores.tolist()"), says="your output is a Python list of numbers, and the scale is missing. Return a NumPy array of shape (n,).")
wrong("list-of-scalars", (RETURN, "list(scores / np.sqrt(q.shape[0]))"), says="your output is a Python list of numbers. Return a NumPy array of shape (n,).")
wrong("both-returned", (RETURN, "(scores, scores / np.sqrt(q.shape[0]))"), says="your function returns two things. Return the scaled scores alone.")
wrong("in-place", (SCORES, "keys @ q; q /= np.sqrt(q.shape[0]); scores = keys @ q"), (RETURN, "scores"),
      says="your function changes its argument `q` in place. The caller's array must stay as it was.")
wrong("keys-in-place", (SCORES, "keys @ q; keys /= np.sqrt(q.shape[0]); scores = keys @ q"), (RETURN, "scores"),
      says="your function changes its argument `keys` in place. The caller's array must stay as it was.")
wrong("nothing-returned", (f"return {RETURN}", RETURN), says="your function ends without giving anything back: is a `return` missing?")

@right
def loops(query, K):
    out = []
    for key in K:
        out.append(sum(x * y for x, y in zip(query, key, strict=True)) / len(key) ** 0.5)
    return np.array(out)

@right
def query_scaled_first(q, keys):
    return np.dot(keys, q / np.sqrt(keys.shape[-1]))

@right
def by_einsum(q, keys):
    return np.einsum("nd,d->n", keys, q) * q.size**-0.5

@right
def from_the_left(q, keys):
    return (q[None, :] @ keys.T)[0] / np.sqrt(len(q))

@right
def both_by_the_fourth_root(q, keys):
    root = keys.shape[1] ** 0.25
    return np.stack([np.vdot(q / root, key / root) for key in keys])

@right
def elementwise(q, keys):
    return np.divide(np.sum(np.multiply(keys, q), axis=-1), np.sqrt(np.float64(q.shape[-1])))

@right
def in_single_precision(q, keys):
    return (keys.astype(np.float32) @ q.astype(np.float32)) / np.float32(np.sqrt(q.shape[0]))

@truth
def by_torch(q, keys):
    import torch
    return torch.addmv(torch.zeros(len(keys), dtype=torch.float64), torch.from_numpy(keys), torch.from_numpy(q), alpha=1 / len(q) ** 0.5).numpy()

@truth
def by_python(q, keys):
    import math
    return np.array([math.fsum(float(x) * float(y) for x, y in zip(q, key, strict=True)) / math.sqrt(len(q)) for key in keys])

# %% exercise="attend_one" part="library"
def attend_one(i: int, a: np.ndarray, W_q: np.ndarray, W_k: np.ndarray, W_v: np.ndarray) -> np.ndarray:
    """PyTorch's attention operator on NumPy arrays."""
    from torch.nn.functional import linear, scaled_dot_product_attention

    rows, to_query, to_key, to_value = doubles(a, W_q, W_k, W_v)
    return scaled_dot_product_attention(linear(rows[[i]], to_query), linear(rows, to_key), linear(rows, to_value))[0].numpy()

# %% exercise="attend_one" part="variants"
def given(rng, i, n, d_in, d_k, d_v):
    return dict(
        i=i, a=rng.normal(size=(n, d_in)), W_q=1.3 * rng.normal(size=(d_k, d_in)) / np.sqrt(d_in),
        W_k=1.3 * rng.normal(size=(d_k, d_in)) / np.sqrt(d_in) ** 0.8, W_v=rng.normal(size=(d_v, d_in)),
    )

@cases(dict(n=4, d_in=5, d_k=3, d_v=6), dict(n=6, d_in=3, d_k=7, d_v=4), hidden=[dict(n=5, d_in=6, d_k=2, d_v=4), dict(n=7, d_in=4, d_k=8, d_v=3)])
def drawn(rng, n, d_in, d_k, d_v):
    """{n} vectors of {d_in} numbers, d_k = {d_k}, d_v = {d_v}"""
    return given(rng, n - 1 if d_in > d_k else int(rng.integers(1, n - 1)), n, d_in, d_k, d_v)

@cases(dict(n=5, d_in=4, d_k=6, d_v=3), low=3)
def first_asks(rng, n, d_in, d_k, d_v):
    """the first of {n} vectors asks, d_k = {d_k}"""
    return given(rng, 0, n, d_in, d_k, d_v)

@cases(dict(d=5, n=7), low=5)
def square(rng, d, n):
    """square matrices of shape ({d}, {d}) and {n} vectors"""
    return given(rng, 1, n, d, d, d)

@cases(dict(d=6), low=5)
def all_alike(rng, d):
    """n = d_in = d_k = d_v = {d}"""
    return given(rng, 2, d, d, d, d)

@cases(dict(n=5, d_in=3, d_k=4, d_v=2), low=3)
def one_is_zero(rng, n, d_in, d_k, d_v):
    """{n} vectors, the second of which is all zeros: its score is exactly 0 (d_k = {d_k})"""
    arguments = given(rng, 2, n, d_in, d_k, d_v)
    arguments["a"][1] = 0
    return arguments

@cases(dict(n=5, d_in=4, d_k=3), low=3)
def one_comes_twice(rng, n, d_in, d_k):
    """{n} vectors, of which the first and the third are equal; the third asks (d_k = {d_k})"""
    arguments = given(rng, 2, n, d_in, d_k, 2)
    arguments["a"][0] = arguments["a"][2]
    return arguments

@cases(dict(n=4, d_in=3, d_k=5), low=3)
def far_below_zero(rng, n, d_in, d_k):
    """{n} vectors whose scores are all hundreds and thousands below zero (d_k = {d_k})"""
    arguments = given(rng, 1, n, d_in, d_k, 2)
    arguments["a"][:, 0] = np.round(16 * (1 + rng.permutation(n) / 4)) / 16
    arguments["W_q"], arguments["W_k"] = np.zeros((d_k, d_in)), np.zeros((d_k, d_in))
    arguments["W_q"][0, 0], arguments["W_k"][0, 0] = 64.0, -64.0
    return arguments

@cases(dict(n=4, d_in=3, d_k=5), low=3)
def lengths_of_one(rng, n, d_in, d_k):
    """a single vector of {d_in} numbers (d_k = {d_k}); and {n} vectors whose values are one number each"""
    return [given(rng, 0, 1, d_in, d_k, 2), given(rng, 1, n, d_in, d_k, 1)]

QUERY, KEYS, VALUES = "W_q @ a[i]", "a @ W_k.T", "a @ W_v.T"
SCORES, WEIGHTS, SUM = "scaled_scores(query, keys)", "softmax(scaled_scores(query, keys))", "weights @ values"
scales = {
    "no-scale": ([(SCORES, "keys @ query")], "your weights match softmax(q·k) without the factor 1/√d_k."),
    "divided-by-d_k": ([(SCORES, "keys @ query / query.size")], "your scores are divided by d_k; the formula asks for its square root."),
    "divided-by-root-d_in": ([(SCORES, "keys @ query / np.sqrt(a.shape[1])")], "your scores are divided by √d_in, the length of an input vector. Under the root stands d_k, the length of a key."),
    "divided-by-root-n": ([(SCORES, "keys @ query / np.sqrt(len(a))")], "your scores are divided by √n, with n the number of vectors. Under the root stands d_k, the length of a key."),
    "divided-by-root-d_v": ([(SCORES, "keys @ query / np.sqrt(len(W_v))")], "your scores are divided by √d_v, the length of a value. Under the root stands d_k, the length of a key."),
    "divided-by-two": ([(SCORES, "keys @ query / 2")], "your scores are divided by 2. In the example √d_k happened to be 2."),
    "divided-by-eight": ([(SCORES, "keys @ query / 8")], "your scores are divided by 8. That fits d_k = 64 only."),
    "multiplied": ([(SCORES, "keys @ query * np.sqrt(query.size)")], "your scores are multiplied by √d_k; the formula divides."),
    "scaled-twice": ([(SCORES, "scaled_scores(query, keys) / np.sqrt(query.size)")], "your scores are divided by d_k; the formula asks for its square root."),
    "scaled-after-softmax": ([(WEIGHTS, "softmax(keys @ query) / np.sqrt(query.size)")], "you divide by √d_k after the softmax; your weights sum to 1/√d_k. The scale belongs on the scores."),
}
wirings = {
    "roles-swapped": ([(QUERY, "W_k @ a[i]"), (KEYS, "a @ W_q.T")], "query and key have changed roles: your `W_k` meets the vector that asks and `W_q` all the others."),
    "query-matrix-twice": ([(KEYS, "a @ W_q.T")], "your keys are made with `W_q`. Keys have a matrix of their own, `W_k`."),
    "key-matrix-twice": ([(QUERY, "W_k @ a[i]")], "your query is made with `W_k`. The query has a matrix of its own, `W_q`."),
    "skips-itself": ([(SUM, "np.delete(weights, i) @ np.delete(values, i, axis=0) / (1 - weights[i])")], "your sum leaves out vector i itself. It runs over all j, j = i included."),
    "skips-itself-in-the-sum": ([(SUM, "weights @ values - weights[i] * values[i]")], "your sum leaves out vector i itself, and the weights that are left sum to less than 1. It runs over all j, j = i included."),
    "one-too-early": ([(QUERY, "W_q @ a[i - 1]")], "the query is made from the vector before the one asked for: `i` counts from 0."),
    "one-too-late": ([(QUERY, "W_q @ a[(i + 1) % len(a)]")], "the query is made from the vector after the one asked for: `i` counts from 0."),
    "first-always": ([(QUERY, "W_q @ a[0]")], "your query is made from the first vector. Vector `i` asks."),
    "last-always": ([(QUERY, "W_q @ a[-1]")], "your query is made from the last vector. Vector `i` asks."),
    "keys-as-values": ([(VALUES, "keys")], "your output is a mean of the keys. What is summed are the values, made with `W_v`."),
    "inputs-as-values": ([(VALUES, "a")], "your output is a mean of the input vectors themselves. What is summed are the values, made with `W_v`."),
    "earlier-only": ([(WEIGHTS, "np.append(softmax(scaled_scores(query, keys[: i + 1])), np.zeros(len(a) - i - 1))")], "your output takes vectors 0 to i only. Here every vector looks at all the others, later ones too."),
    "last-lost": ([(SUM, "weights[:-1] @ values[:-1]")], "your sum leaves out the last vector. Does a loop of yours end one too early?"),
    "last-lost-everywhere": ([(KEYS, "a[:-1] @ W_k.T"), (VALUES, "a[:-1] @ W_v.T")], "the last vector gives no key and no value in your code. Does a loop of yours end one too early?"),
    "first-lost": ([(SUM, "weights[1:] @ values[1:]")], "your sum leaves out the first vector. Does a loop of yours begin at 1?"),
}
for name, (edits, says) in (scales | wirings).items():
    wrong(name, *edits, says=says)
for scale in ("no-scale", "divided-by-d_k", "divided-by-root-d_in", "divided-by-root-n"):
    for name in ("roles-swapped", "query-matrix-twice", "key-matrix-twice", "one-too-early", "first-always", "keys-as-values", "inputs-as-values"):
        wrong(f"{name}+{scale}", *wirings[name][0], *scales[scale][0], says=two_things(wirings[name][1], scales[scale][1]))
wrong("no-softmax", (WEIGHTS, SCORES), says="your sum is weighted with the scores themselves. Softmax turns them into weights first.")
wrong("no-softmax-no-scale", (WEIGHTS, "keys @ query"), says="your sum is weighted with the bare dot products: the scale and the softmax are missing.")
wrong("exponentials", (WEIGHTS, "np.exp(scaled_scores(query, keys))"), says="your weights are the exponentials of the scores; they do not sum to 1. Softmax also divides by their sum.")
wrong("divided-by-sum", (WEIGHTS, "(lambda s: s / s.sum())(scaled_scores(query, keys))"), says="your weights are the scores divided by their sum; the exponential of softmax is missing.")
wrong("sigmoid", (WEIGHTS, "1 / (1 + np.exp(-scaled_scores(query, keys)))"), says="your weights are sigmoids of the scores, each by itself; they do not sum to 1. Softmax looks at all scores together.")
wrong("relu", (WEIGHTS, "np.maximum(scaled_scores(query, keys), 0)"), says="your weights are ReLU of the scores. The lecture says that this may be tried; this exercise asks for softmax.")
wrong("tanh", (WEIGHTS, "np.tanh(scaled_scores(query, keys))"), says="your weights are tanh of the scores; they do not sum to 1. This exercise asks for softmax.")
wrong("absolute-scores", (WEIGHTS, "softmax(np.abs(scaled_scores(query, keys)))"), says="your scores have lost their sign. A key that points against the query gets little weight, not much.")
wrong("skips-itself-no-scale", (SCORES, "np.where(np.arange(len(a)) == i, -np.inf, keys @ query)"),
      says="two things at once. First, your sum leaves out vector i itself; it runs over all j, j = i included. Second, your weights lack the factor 1/√d_k.")
wrong("inputs-centred", (QUERY, "W_q @ (a - a.mean(axis=0))[i]"), (KEYS, "(a - a.mean(axis=0)) @ W_k.T"), (VALUES, "(a - a.mean(axis=0)) @ W_v.T"),
      says="you subtract the mean vector from the inputs first. Take them as they are.")
wrong("largest-only", (SUM, "values[np.argmax(weights)]"), says="your output is the value of the best key alone. Softmax gives every value a share.")
wrong("softmax-twice", (WEIGHTS, "softmax(softmax(scaled_scores(query, keys)))"), says="softmax is applied twice: the weights come out nearly equal.")
wrong("softmin", (WEIGHTS, "softmax(-scaled_scores(query, keys))"), says="the keys that fit worst get the largest weights: a sign is turned around.")
wrong("uniform", (SUM, "values.mean(axis=0)"), says="your output is the plain mean of the values: the weights are not used, or all of them are equal.")
wrong("last-term-only", (SUM, "weights[-1] * values[-1]"), says="only the last vector's share is there. (In a loop: is the sum overwritten where it should be added to?)")
wrong("plain-sum", (SUM, "values.sum(axis=0)"), says="your output is the plain sum of the values: the weights are not used.")
wrong("weighted-mean-of-n", (SUM, "weights @ values / len(a)"), says="your sum is divided by n as well. The weights sum to 1 already.")
wrong("own-value-only", (SUM, "weights[i] * values[i]"), says="your output is vector i's own value times its weight. The values of all vectors are summed.")
wrong("own-value", (SUM, "values[i]"), says="your output is vector i's own value; the other vectors do not count. All values are summed, each times its weight.")
wrong("own-value-for-all", (SUM, "weights.sum() * values[i]"), says="your output is vector i's own value; the other vectors do not count. All values are summed, each times its weight.")
wrong("own-weight-for-all", (SUM, "weights[i] * values.sum(axis=0)"), says="every value is multiplied by the weight of vector i. Value j has its own weight, the one of key j.")
wrong("input-added", (SUM, "weights @ values + values[i]"), says="vector i's own value is added on top of the weighted sum.")
wrong("residual", (SUM, "weights @ values + (a[i] if a.shape[1] == values.shape[1] else 0)"), says="the input vector is added to the output where the lengths allow it. That residual connection comes in unit 08.")
wrong("query-for-values", (VALUES, "a @ W_q.T"), says="your output is a mean of vectors made with `W_q`. What is summed are the values, made with `W_v`.")
wrong("keys-raw", (KEYS, "a"), (SCORES, "a @ query / np.sqrt(query.size)"), says="your keys are the input vectors themselves: `W_k` is missing.")
wrong("query-raw", (QUERY, "a[i]"), (SCORES, "keys @ query / np.sqrt(query.size)"), says="your query is the input vector itself: `W_q` is missing.")
wrong("no-matrices", (SCORES, "a @ a[i] / np.sqrt(a.shape[1])"), says="your scores are dot products of the input vectors themselves. Queries and keys have their matrices, `W_q` and `W_k`.")
wrong("no-matrices-d_k", (SCORES, "a @ a[i] / np.sqrt(len(W_k))"), says="your scores are dot products of the input vectors themselves. Queries and keys have their matrices, `W_q` and `W_k`.")
wrong("no-matrices-no-scale", (SCORES, "a @ a[i]"), says="your scores are dot products of the input vectors themselves, not scaled. Queries and keys have their matrices, `W_q` and `W_k`.")
wrong("query-with-values", (SCORES, "values[:, : query.size] @ query[: values.shape[1]] / np.sqrt(query.size)"), says="your scores compare the query with the values. It is compared with the keys.")
wrong("cosine", (SCORES, "keys @ query / (np.linalg.norm(query) * np.linalg.norm(keys, axis=1))"), says="your scores are cosines, divided by the lengths of query and key. The scale is √d_k, the same for every key.")
wrong("distance", (SCORES, "-np.sum((keys - query) ** 2, axis=1) / np.sqrt(query.size)"), says="your scores are negative squared distances. This exercise asks for the scaled dot product.")
wrong("additive", (SCORES, "np.tanh(keys + query).sum(axis=1)"), says="your scores are additive ones, with tanh. This exercise asks for the scaled dot product.")
wrong("row-convention", (QUERY, "a[i] @ W_q"), (KEYS, "a @ W_k"), (VALUES, "a @ W_v"),
      says="you multiply the matrices from the other side (or transposed): `W_q` has shape (d_k, d_in), so each of its rows meets the whole input vector.")
for name, edit in dict(query=(QUERY, "a[i] @ W_q"), keys=(KEYS, "a @ W_k"), values=(VALUES, "a @ W_v")).items():
    wrong(f"{name}-transposed", edit, says=f"the matrix `W_{name[0]}` is used transposed. Each of its rows meets the whole input vector: its shape is "
          + ("(d_v, d_in)." if name == "values" else "(d_k, d_in)."))
wrong("keys-reshaped", (KEYS, "(W_k @ a.T).reshape(len(a), -1)"), says="your keys have the shape (n, d_k), but they are made of pieces of several keys: `reshape` reads `W_k @ a.T` row by row, and its keys are columns. Transpose it.")
wrong("values-reshaped", (VALUES, "(W_v @ a.T).reshape(len(a), -1)"), says="your values have the shape (n, d_v), but they are made of pieces of several values: `reshape` reads `W_v @ a.T` row by row, and its values are columns. Transpose it.")
wrong("columns-as-vectors", (QUERY, "W_q @ a[:, i]"), (KEYS, "(W_k @ a).T"), (VALUES, "(W_v @ a).T"), says="you take the input vectors from the columns of `a`. They are its rows.")
wrong("values-by-the-wrong-axis", (SUM, "values @ weights"), says="your last product sums along the wrong axis of the values: it mixes the numbers within a value. Weight j belongs to value j, a row.")
wrong("weights-reversed", (SUM, "weights[::-1] @ values"), says="the weights meet the values in the reverse order. Weight j belongs to value j.")

@wrong("softmax-over-queries", says="your softmax runs over the queries: the weights that one key gets from all queries sum to 1. Each query spreads its own weight 1 over the keys.")
def over_queries(i, a, W_q, W_k, W_v):
    return softmax((a @ W_q.T) @ (a @ W_k.T).T / np.sqrt(len(W_q)), axis=0)[i] @ (a @ W_v.T)

@wrong("softmax-over-queries-no-scale", says="your softmax runs over the queries (the weights that one key gets from all queries sum to 1), and the scale 1/√d_k is missing.")
def over_queries_no_scale(i, a, W_q, W_k, W_v):
    return softmax((a @ W_q.T) @ (a @ W_k.T).T, axis=0)[i] @ (a @ W_v.T)

@wrong("column-taken", says="you take a column of the weights' matrix, how much all the vectors look at vector i. You need its row, how much vector i looks at all of them.")
def column_taken(i, a, W_q, W_k, W_v):
    return softmax((a @ W_q.T) @ (a @ W_k.T).T / np.sqrt(len(W_q)), axis=1)[:, i] @ (a @ W_v.T)

@wrong("column-taken-no-scale", says="two things at once. You take a column of the weights' matrix, how much all the vectors look at vector i; you need its row. And the scale 1/√d_k is missing.")
def column_taken_no_scale(i, a, W_q, W_k, W_v):
    return softmax((a @ W_q.T) @ (a @ W_k.T).T, axis=1)[:, i] @ (a @ W_v.T)

wrong("later-scores-zero", (SCORES, "np.where(np.arange(len(a)) > i, 0, scaled_scores(query, keys))"), says="the scores of the vectors after i are set to 0. Here every vector looks at all the others, later ones too.")
wrong("value-matrix-summed", (SUM, "W_v.T @ weights"), says="your weights meet the matrix `W_v` itself. They weigh the values, which `W_v` makes from the input vectors.")
wrong("three-things", (SUM, "(weights @ values, weights, keys)"), says="your function returns three things. Return the output alone.")
wrong("counted-from-the-end", (QUERY, "W_q @ a[-i]"), says="`i` is counted from the end in your code (`a[-i]`). It counts from the first vector, from 0.")
wrong("weights-squared", (WEIGHTS, "softmax(2 * scaled_scores(query, keys))"), says="your weights are those of scores twice as large (weights that are squared and shared out anew, too).")
wrong("no-maximum-subtracted", (WEIGHTS, "(lambda e: e / e.sum())(np.exp(scaled_scores(query, keys)))"),
      says="exp of large scores overflows, and of scores far below zero it is 0: your weights become infinity / infinity, or 0 / 0. Use `softmax`, which subtracts the largest score first.")
wrong("largest-size-subtracted", (WEIGHTS, "(lambda e: e / e.sum())(np.exp(scaled_scores(query, keys) - np.abs(scaled_scores(query, keys)).max()))"),
      says="your softmax subtracts the largest *size* of the scores, their sign left out. Where all of them are far below zero, that lies far above them, and the weights become 0 / 0. Use `softmax`.")
wrong("its-like-left-out", (WEIGHTS, "softmax(np.where((a == a[i]).all(axis=1) & (np.arange(len(a)) != i), -1e9, scaled_scores(query, keys)))"), says="vectors equal to the one that asks get no weight. Each vector has its own, be it equal to another or not.")
wrong("scores-through-tanh", (SCORES, "np.tanh(scaled_scores(query, keys))"), says="your scores go through tanh before the softmax. These are dot products; only the additive score has a tanh.")
wrong("later-only", (WEIGHTS, "np.append(np.zeros(i), softmax(scaled_scores(query, keys[i:])))"), says="your output takes vector i and those behind it only. Here every vector looks at all the others, earlier ones too.")
wrong("strictly-earlier-only", (WEIGHTS, "softmax(np.where(np.arange(len(a)) < max(i, 1), scaled_scores(query, keys), -np.inf))"), says="your output takes the vectors before i only. Here every vector looks at all of them, itself and later ones too.")
wrong("neighbours-only", (WEIGHTS, "softmax(np.where(abs(np.arange(len(a)) - i) <= 1, scaled_scores(query, keys), -np.inf))"), says="your output takes vector i and its two neighbours only. Here every vector looks at all the others.")
wrong("first-value-twice", (SUM, "weights[0] * values[0] + weights @ values"), says="the first value enters your sum twice: is it what the sum begins with, and then met again in the loop?")

@wrong("softmax-over-everything", says="your softmax runs over all pairs of vectors at once. Each query has a weight of 1 to spread over its keys.")
def over_everything(i, a, W_q, W_k, W_v):
    scores = (a @ W_q.T) @ (a @ W_k.T).T / np.sqrt(len(W_q))
    return (np.exp(scores) / np.exp(scores).sum())[i] @ (a @ W_v.T)

@wrong("all-outputs", says="your function returns the outputs of all the vectors. Return the one of vector i, of shape (d_v,).")
def all_outputs(i, a, W_q, W_k, W_v):
    return softmax((a @ W_q.T) @ (a @ W_k.T).T / np.sqrt(len(W_q)), axis=1) @ (a @ W_v.T)

@wrong("mean-of-outputs", says="your output is the mean of all the outputs. Return the one of vector i.")
def mean_of_outputs(i, a, W_q, W_k, W_v):
    return (softmax((a @ W_q.T) @ (a @ W_k.T).T / np.sqrt(len(W_q)), axis=1) @ (a @ W_v.T)).mean(axis=0)

wrong("weights-returned", (SUM, "weights"), says="your function returns the weights. What is asked for is the output: the values' sum, each times its weight.")
wrong("output-and-weights", (SUM, "(weights @ values, weights)"), says="your function returns two things, the output and the weights. Return the output alone.")
wrong("weights-and-output", (SUM, "(weights, weights @ values)"), says="your function returns two things, the weights and the output. Return the output alone.")
wrong("values-returned-weighted", (SUM, "weights[:, None] * values"), says="your output is a matrix: the values, each times its weight, are not summed yet.")
wrong("summed-over-numbers", (SUM, "(weights[:, None] * values).sum(axis=1)"), says="your last sum runs over the numbers within each value. Sum over the vectors: d_v numbers are left.")
wrong("one-number", (SUM, "(weights @ values).sum()"), says="your output is a single number. The output is a vector of d_v numbers, as the values are.")
wrong("squeezed", (SUM, "np.squeeze(weights @ values)"), says="axes of length 1 are squeezed away. An output of one number still has its axis: (1,).")
wrong("row", (SUM, "(weights @ values)[None]"), says="your output has shape (1, d_v), a matrix with one row. Return a vector of shape (d_v,).")
wrong("column", (SUM, "(weights @ values)[:, None]"), says="your output has shape (d_v, 1), a matrix with one column. Return a vector of shape (d_v,).")
wrong("list", (SUM, "(weights @ values).tolist()"), says="your output is a Python list. Return a NumPy array of shape (d_v,).")
wrong("rounded", (SUM, "np.round(weights @ values, 2)"), says="your output is rounded to two decimals. Round only what you print.")
wrong("weights-rounded", (WEIGHTS, "np.round(softmax(scaled_scores(query, keys)), 2)"), says="your weights are rounded to two decimals, and the output with them. Round only what you print.")
wrong("in-place", (SUM, "[weights @ values, a.__isub__(a.mean(axis=0))][0]"), says="your function changes its argument `a` in place. The caller's vectors must stay as they were.")
wrong("row-in-place", (SUM, "[weights @ values, a.__setitem__(i, 0)][0]"), says="your function changes its argument `a` in place. The caller's vectors must stay as they were.")
wrong("nothing-returned", ("return weights @ values", "weights @ values"), says="your function ends without giving anything back: is a `return` missing?")

@right
def loops(i, vectors, Q, K, V):
    q = Q @ vectors[i]
    scores = [np.dot(q, K @ x) / np.sqrt(len(q)) for x in vectors]
    total = np.zeros(len(V))
    for weight, x in zip(softmax(np.array(scores)), vectors, strict=True):
        total += weight * (V @ x)
    return total

@right
def by_the_matrix_form(i, a, W_q, W_k, W_v):
    Q, K, V = a @ W_q.T, a @ W_k.T, a @ W_v.T
    scores = Q @ K.T / np.sqrt(K.shape[-1])
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (weights / weights.sum(axis=-1, keepdims=True) @ V)[i]

@right
def by_columns(i, a, W_q, W_k, W_v):
    inputs = a.T
    scores = (W_k @ inputs).T @ (W_q @ inputs[:, i]) / len(W_k) ** 0.5
    return (W_v @ inputs) @ softmax(scores, axis=0)

@right
def values_last(i, a, W_q, W_k, W_v):
    return W_v @ (softmax(a @ (W_k.T @ (W_q @ a[i])) / np.sqrt(W_k.shape[0])) @ a)

@right
def by_scores_of_pairs(i, a, W_q, W_k, W_v):
    scores = np.array([dot_product_score(a[i], a_j, W_q, W_k) for a_j in a]) / np.sqrt(W_q.shape[0])
    return np.average([W_v @ a_j for a_j in a], axis=0, weights=softmax(scores))

@right
def by_einsum(i, a, W_q, W_k, W_v):
    scores = np.einsum("kd,d,ke,ne->n", W_q, a[i], W_k, a) / np.sqrt(W_q.shape[0])
    e = np.exp(scores - scores.max())
    return np.einsum("n,vd,nd->v", e, W_v, a) / e.sum()

@right
def in_single_precision(i, a, W_q, W_k, W_v):
    a, W_q, W_k, W_v = (x.astype(np.float32) for x in (a, W_q, W_k, W_v))
    scores = (a @ W_k.T) @ (W_q @ a[i]) / np.sqrt(np.float32(len(W_q)))
    e = np.exp(scores - scores.max())
    return (e / e.sum()) @ (a @ W_v.T)

@truth
def by_torch(i, a, W_q, W_k, W_v):
    import torch
    a, W_q, W_k, W_v = map(torch.from_numpy, (a, W_q, W_k, W_v))
    return torch.nn.functional.scaled_dot_product_attention(a[[i]] @ W_q.T, a @ W_k.T, a @ W_v.T)[0].numpy()

@truth
def by_python(i, a, W_q, W_k, W_v):
    import math
    def times(W, x):
        return [math.fsum(float(p) * float(y) for p, y in zip(row, x, strict=True)) for row in W]
    q = times(W_q, a[i])
    scores = [math.fsum(x * y for x, y in zip(q, times(W_k, x_j), strict=True)) / math.sqrt(len(q)) for x_j in a]
    e = [math.exp(score - max(scores)) for score in scores]
    values = [times(W_v, x_j) for x_j in a]
    return np.array([math.fsum(share * value[r] for share, value in zip(e, values, strict=True)) / math.fsum(e) for r in range(len(W_v))])
