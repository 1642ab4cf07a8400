"""What the checks of unit 03 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% exercise="self_attention_columns" part="library"
import numpy as np

from autograder.library.common import doubles


def _attention(query: np.ndarray, key: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """PyTorch's attention operator that gives the weights as well."""
    import torch

    operator = torch.ops.aten._scaled_dot_product_attention_math
    output, weights = operator(*doubles(query, key, value))
    return output.numpy(), weights.numpy()


def _projected(x: np.ndarray, W: np.ndarray) -> np.ndarray:
    """PyTorch's linear layer; W is (out, in)."""
    import torch

    return torch.nn.functional.linear(*doubles(x, W)).numpy()


def self_attention_columns(
    inputs: np.ndarray, W_q: np.ndarray, W_k: np.ndarray, W_v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """PyTorch's attention operator, its rows turned into columns."""
    output, weights = _attention(*(_projected(np.transpose(inputs), W) for W in (W_q, W_k, W_v)))
    return np.transpose(output), np.transpose(weights)

# %% exercise="self_attention_columns" part="variants"
without("whole numbers", because="the text speaks of real numbers")

def drawn(rng, rows, d_in):
    """Scores of about ±2, whatever the sizes: with larger ones all softmaxes are alike."""
    return 1.5 * rng.normal(size=(rows, d_in)) / np.sqrt(d_in)

@cases(dict(d_in=3, n=5, d_k=4, d_v=2), dict(d_in=6, n=3, d_k=2, d_v=5))
def tokens(rng, d_in, n, d_k, d_v):
    """{n} tokens of length {d_in}, keys of length {d_k}, values of length {d_v}"""
    matrices = {name: drawn(rng, rows, d_in) for name, rows in (("W_q", d_k), ("W_k", d_k), ("W_v", d_v))}
    return dict(inputs=rng.normal(size=(d_in, n))) | matrices

@cases()
def square(rng):
    """5 tokens of length 5, all matrices square: here a shape tells nothing"""
    return {name: drawn(rng, 5, 5) for name in ("inputs", "W_q", "W_k", "W_v")}

@cases()
def far_apart(rng):
    """5 tokens whose scores lie tens of thousands apart"""
    inputs = rng.normal(size=(3, 5))
    inputs[0] = rng.permutation([-3.0, -1.0, 1.0, 2.0, 4.0])
    W = np.zeros((4, 3))
    W[2, 0] = 150.0
    return dict(inputs=inputs, W_q=W, W_k=W.copy(), W_v=rng.normal(size=(2, 3)))

@cases(dict(d_in=4, n=3, d_k=5), low=3)
def lengths_of_one(rng, d_in, n, d_k):
    """a single token of length {d_in}, keys of length {d_k}; and {n} such tokens with values of one number"""
    return [
        dict(inputs=rng.normal(size=(d_in, count)), W_q=drawn(rng, d_k, d_in), W_k=drawn(rng, d_k, d_in), W_v=drawn(rng, d_v, d_in))
        for count, d_v in ((1, 2), (n, 1))
    ]

# Each known mistake: a name, the edit that makes it, what is then true of the numbers, and where to look.
SCALE, SOFTMAX, SUM, GIVE = " / np.sqrt(K.shape[0])", "softmax(A, axis=0)", "V @ A_hat", "return output, A_hat"
scales = [
    ("no-scale", (SCALE, ""), "your scores are not divided by √d_k", "Divide A before the softmax."),
    ("scale-d", (SCALE, " / K.shape[0]"), "your scores are divided by d_k (or twice by √d_k)", "Divide once, by its square root."),
    ("scale-sqrt-n", (SCALE, " / np.sqrt(K.shape[1])"), "your scores are divided by √n, with n the number of tokens",
     "d_k is the length of one key."),
    ("scale-n", (SCALE, " / K.shape[1]"), "your scores are divided by n, the number of tokens", "Divide by √d_k, with d_k the length of one key."),
    ("scale-sqrt-d-in", (SCALE, " / np.sqrt(inputs.shape[0])"), "your scores are divided by √d_in, with d_in the length of an input token",
     "d_k is the length of one key."),
    ("scale-sqrt-d-v", (SCALE, " / np.sqrt(V.shape[0])"), "your scores are divided by √d_v, with d_v the length of a value",
     "d_k is the length of one key."),
    ("scale-times", (SCALE, " * np.sqrt(K.shape[0])"), "your scores are multiplied by √d_k", "They are to be divided by it."),
]
axes = [
    ("rows-sum-to-one", (SOFTMAX, "softmax(A, axis=1)"), "your softmax runs along the rows of A (axis 1)",
     "In the lecture's convention column i belongs to query i, so each column of A_hat sums to 1."),
    ("all-sums-to-one", (SOFTMAX, "softmax(A.reshape(-1), axis=0).reshape(A.shape)"), "your softmax runs over the whole matrix A at once",
     "Each column is a distribution of its own."),
]
roles = [
    ("queries-and-keys-swapped", ("K.T @ Q", "Q.T @ K"), "queries and keys have changed places: your weights are those of QᵀK (W_q and W_k may be exchanged, or one transpose is too many)",
     "In A = KᵀQ the keys count along the first axis."),
    ("weights-transposed-in-sum", (SUM, "V @ A_hat.T"), "your output is V times the transpose of A_hat",
     "Output i is the sum over j of value j times A_hat[j, i]."),
]
returned = [
    ("order-of-results", (GIVE, "return A_hat, output"), "the two results stand in the wrong order", "Return O first, then A_hat."),
    ("output-only", (GIVE, "return output"), "only the outputs come back", "Return O and A_hat."),
    ("scores-returned", (GIVE, "return output, A"), "your second result is the matrix of scores A", "Return the weights A_hat, after the softmax."),
    ("output-transposed", (GIVE, "return output.T, A_hat"), "your outputs stand in rows", "Here output i is column i of O."),
]
for name, edit, seen, look in scales + axes + roles + returned:
    wrong(name, edit, says=f"{seen}. {look}")
for family, other in [(scales, axes), (scales, roles), (scales[:3], returned), (axes, roles), (axes[:1], returned), (roles, returned[:2])]:
    for one in family:
        for two in other:
            wrong(f"{one[0]}+{two[0]}", one[1], two[1], says=two_things(f"{one[2]}. {one[3]}", f"{two[2]}. {two[3]}"))

wrong("weights-only", (GIVE, "return A_hat"), says="only the weights come back. Return O and A_hat.")
wrong("three-results", (GIVE, "return output, A, A_hat"), says="three things come back, where O and A_hat are asked for.")
wrong("squeezed", (GIVE, "return np.squeeze(output), np.squeeze(A_hat)"), says="axes of length 1 are squeezed away. A single token, or values of one number, keep their axis.")
wrong("output-squeezed", (GIVE, "return np.squeeze(output), A_hat"), says="axes of length 1 are squeezed away. A single token, or values of one number, keep their axis.")
wrong("tokens-centred", ("Q = W_q @ inputs", "inputs = inputs - inputs.mean(axis=1, keepdims=True)\n    Q = W_q @ inputs"), says="the mean of all tokens is subtracted from each before anything else. The formulas take them as they are.")
wrong("small-weights-dropped", (SOFTMAX, "(lambda w: w / w.sum(axis=0))(np.where(softmax(A, axis=0) < 0.05, 0, softmax(A, axis=0)))"), says="small weights are set to 0, and the others share their part. Every key has its weight, however small.")
wrong("other-weights-in-the-sum", (SUM, "V @ softmax(A, axis=1)"), says="A_hat is right, but your output is made with other weights: their softmax runs along the rows of A. Multiply V by A_hat.")
wrong("input-added-where-it-fits", (SUM, "V @ A_hat + (inputs if V.shape == inputs.shape else 0)"),
      says="where the outputs have the shape of the inputs, these are added to them. O is V times A_hat, and nothing else. (That step comes with the blocks, in unit 08.)")
wrong("A-hat-transposed", (GIVE, "return output, A_hat.T"),
      says="your outputs are right, but your A_hat is transposed: its rows sum to 1. In the lecture's convention its columns do.")
wrong("all-in-rows", (GIVE, "return output.T, A_hat.T"),
      says="both results are transposed: you return the row convention. Here output i is column i of O, and column i of A_hat sums to 1.")
wrong("scale-root-root", (SCALE, " / K.shape[0] ** 0.25"),
      says="your scores are divided by the fourth root of d_k. Did the root of d_k go into one of Q and K only, as a root of a root?")
wrong("scaled-weights", (SCALE, ""), (SOFTMAX, "softmax(A, axis=0) / np.sqrt(K.shape[0])"),
      says="the weights are divided by √d_k, and not the scores: your columns sum to 1/√d_k. Divide A, before the softmax.")
wrong("scaled-output", (SCALE, ""), (SUM, "V @ A_hat / np.sqrt(K.shape[0])"),
      says="the outputs are divided by √d_k, and not the scores. Divide A, before the softmax.")
wrong("scaled-both", (SUM, "V @ A_hat / np.sqrt(K.shape[0])"), says="the outputs are divided by √d_k as well. Only the scores are.")
for number in ("2", "np.sqrt(2)", "8"):
    wrong(f"scale-{number}", (SCALE, f" / {number}"),
          says=f"your scores are divided by a fixed number, {number.removeprefix('np.')}. Divide by √d_k, and read d_k off the shape of K.")
wrong("no-softmax", (SOFTMAX, "A"), says="your weights are the scores themselves: the softmax is missing.")
wrong("sum-of-scores", (SUM, "V @ A"), says="A_hat is right, but your output is V times A. Multiply V by A_hat.")
wrong("exponentials", (SOFTMAX, "np.exp(A)"), says="your weights are exp(A): they are not divided by the sum of each column.")
wrong("linear-weights", (SOFTMAX, "A / A.sum(axis=0, keepdims=True)"), says="your weights are the scores divided by their sum: the exponential is missing.")
wrong("naive-softmax", (SOFTMAX, "np.exp(A) / np.exp(A).sum(axis=0, keepdims=True)"),
      says="exp of a large score overflows to infinity, and infinity / infinity is NaN. Use `softmax` from unit 02, which subtracts the maximum first.")
wrong("global-max", (SOFTMAX, "np.exp(A - A.max()) / np.exp(A - A.max()).sum(axis=0, keepdims=True)"),
      says="your softmax subtracts the largest score of the whole matrix, and a column far below it becomes 0 / 0. Use `softmax` from unit 02, along the right axis.")
wrong("max-of-rows", (SOFTMAX, "np.exp(A - A.max(axis=1, keepdims=True)) / np.exp(A - A.max(axis=1, keepdims=True)).sum(axis=0, keepdims=True)"),
      says="the maximum that your softmax subtracts is taken along the rows, and the sum along the columns. Both belong to the same axis.")
wrong("sum-over-rows", (SOFTMAX, "np.exp(A - A.max(axis=0)) / np.exp(A - A.max(axis=0)).sum(axis=1, keepdims=True)"),
      says="the sum that your softmax divides by is taken along the rows, and the maximum along the columns. Both belong to the same axis.")
wrong("softmax-twice", (SOFTMAX, "softmax(softmax(A, axis=0), axis=0)"), says="your weights have been through the softmax twice. Once is enough.")
wrong("log-weights", (SOFTMAX, "np.log(softmax(A, axis=0) + 1e-300)"), says="your weights are logarithms (log-softmax). Return the weights themselves.")
wrong("sigmoid", (SOFTMAX, "1 / (1 + np.exp(-np.clip(A, -60, 60)))"), says="each score went through a sigmoid by itself. The softmax makes the weights of one query sum to 1.")
wrong("hard-choice", (SOFTMAX, "(A == A.max(axis=0, keepdims=True)).astype(float)"),
      says="each query takes the one key with the largest score, with weight 1. The softmax gives every key a share.")
wrong("equal-weights", (SOFTMAX, "np.full(A.shape, 1 / A.shape[0])"), says="all weights are equal: your output is the mean of the values, though the scores differ.")
wrong("floor-division", (SCALE, " // np.sqrt(K.shape[0])"), says="`//` cuts your scores down to whole numbers. Divide with `/`.")
wrong("scores-through-tanh", (SOFTMAX, "softmax(np.tanh(A), axis=0)"), says="your scores go through tanh before the softmax. The dot-product score has no tanh; additive scores do.")
wrong("no-negative-scores", (SOFTMAX, "softmax(np.maximum(A, 0), axis=0)"), says="negative scores are set to 0 before the softmax (a ReLU). Leave the scores as they are.")
wrong("sizes-of-scores", (SOFTMAX, "softmax(np.abs(A), axis=0)"), says="your scores lose their sign before the softmax. Leave the scores as they are.")
wrong("divided-by-n", (SUM, "V @ A_hat / A.shape[0]"), says="your outputs are divided by n, the number of tokens. The weights sum to 1 already.")
wrong("first-query-for-all", (SOFTMAX, "np.repeat(softmax(A, axis=0)[:, :1], A.shape[1], axis=1)"), says="every token gets the first token's weights. Column i belongs to query i.")
wrong("last-query-for-all", (SOFTMAX, "np.repeat(softmax(A, axis=0)[:, -1:], A.shape[1], axis=1)"), says="every token gets the last token's weights. Column i belongs to query i.")
wrong("negative-scores", ("K.T @ Q", "-K.T @ Q"), says="your scores have the opposite sign: the key that fits worst gets the largest weight.")
wrong("values-and-keys-swapped", ("    K = W_k @ inputs\n    V = W_v @ inputs", "    K = W_v @ inputs\n    V = W_k @ inputs"),
      says="W_k and W_v have changed places. Keys are compared with queries, values are summed.")
wrong("sum-of-the-rest", (SUM, "V @ (A_hat - np.diag(np.diag(A_hat)))"), says="each output leaves out its own token's value. The sum runs over all tokens, the query's own as well.")
for name, edit, seen in [("no-softmax", (SOFTMAX, "A"), "the softmax is missing"), ("keys-as-values", (SUM, "K @ A_hat"), "your output sums the keys, not the values"),
                         ("exponentials", (SOFTMAX, "np.exp(A)"), "exp(A) is not divided by the sum of each column")]:
    wrong(f"no-scale+{name}", (SCALE, ""), edit, says=f"two things at once: your scores are not divided by √d_k; and {seen}.")

for one in scales[:2]:
    for two in roles:
        three = axes[0]
        wrong(f"{one[0]}+{two[0]}+{three[0]}", one[1], two[1], three[1],
              says=f"three things at once: {one[2]}; {two[2]}; and {three[2]}. Go through the formulas one by one, with the shapes beside them.")
wrong("rows-and-order", (GIVE, "return A_hat.T, output.T"),
      says="both results are transposed, as in the row convention, and they stand in the wrong order. Return O first, then A_hat, with tokens as columns.")
wrong("tokens-from-rows", ("Q = W_q @ inputs", "inputs = inputs.T; Q = W_q @ inputs"),
      says="you take the rows of `inputs` as tokens (where the shapes fit at all). Here token i is column i.")
wrong("inputs-reshaped", ("Q = W_q @ inputs", "inputs = inputs.reshape(inputs.shape[1], inputs.shape[0]).T; Q = W_q @ inputs"),
      says="your tokens are mixed up: a reshape of the inputs reads the numbers row by row, and gives other tokens. A transpose takes number [r, c] to [c, r].")
wrong("largest-weight-one", (SOFTMAX, "np.exp(A - A.max(axis=0)) / np.exp(A - A.max(axis=0)).max(axis=0)"),
      says="the exponentials are divided by the largest of their column, not by the sum: the largest weight is 1.")
wrong("last-column-missing-in-both", (SOFTMAX, "softmax(A, axis=0) * (np.arange(A.shape[1]) < A.shape[1] - 1)"),
      says="the last token's weights and output are 0: a loop over the tokens ends one too early.")
wrong("first-column-missing-in-both", (SOFTMAX, "softmax(A, axis=0) * (np.arange(A.shape[1]) > 0)"),
      says="the first token's weights and output are 0: a loop over the tokens starts at 1, not at 0.")
wrong("last-value-only", (SUM, "V[:, -1:] * A_hat[-1:]"), says="your outputs hold the last value's share only: a loop overwrites the sum where it should add to it.")
wrong("first-value-only", (SUM, "V[:, :1] * A_hat[:1]"), says="your outputs hold the first value's share only. The sum runs over all tokens.")
wrong("strictly-before", (SOFTMAX, "np.nan_to_num(softmax(np.where(np.triu(np.ones(A.shape, dtype=bool), 1), np.maximum(A, -1e8), -1e9), axis=0)) * np.triu(np.ones(A.shape), 1)"),
      says="only tokens before the query get a weight, and the first token gets none at all. Here every token sees all tokens.")
wrong("one-matrix-for-all", ("W_k @ inputs", "W_q @ inputs"), ("W_v @ inputs", "W_q @ inputs"), says="queries, keys and values are all made with W_q. Each has a matrix of its own.")
wrong("named", (GIVE, "return dict(O=output, A_hat=A_hat)"), says="a dict comes back. Return the two arrays as a tuple: O, A_hat.")
wrong("second-result-none", (GIVE, "return output, None"), says="your second result is None. Return the weights A_hat.")
wrong("rounded-weights", (SOFTMAX, "np.round(softmax(A, axis=0), 2)"), says="your weights are rounded. Use them as they are.")
wrong("base-two", (SOFTMAX, "np.exp2(A - A.max(axis=0)) / np.exp2(A - A.max(axis=0)).sum(axis=0)"), says="your softmax uses powers of 2. It takes powers of e: the exponential function.")
wrong("whole-scores", (SOFTMAX, "softmax(A.astype(int), axis=0)"), says="your scores are cut to whole numbers before the softmax. Leave them as they are.")
wrong("sum-of-everything", (SOFTMAX, "np.exp(A - A.max(axis=0)) / np.exp(A - A.max(axis=0)).sum()"), says="your exponentials are divided by the sum over the whole matrix. Each column has a sum of its own.")
wrong("values-as-output", (SUM, "V"), says="your output is the values themselves: the weighted sum over all tokens is missing.")
wrong("features-mixed", ("K.T @ Q", "K @ Q.T"), (SUM, "A_hat @ V"), says="your scores are KQᵀ, of shape (d_k, d_k): they compare and mix numbers within a token. KᵀQ, of shape (n, n), compares token with token.")
wrong("features-mixed-queries-first", ("K.T @ Q", "Q @ K.T"), (SUM, "A_hat @ V"), says="your scores are QKᵀ, which in columns has shape (d_k, d_k): they compare and mix numbers within a token. KᵀQ, of shape (n, n), compares token with token.")
wrong("all-transposed", ("W_q @ inputs", "W_q.T @ inputs.T"), ("W_k @ inputs", "W_k.T @ inputs.T"), ("W_v @ inputs", "W_v.T @ inputs.T"),
      says="matrices and inputs are both transposed, and their order is kept: Wᵀ Iᵀ is not (W I)ᵀ. Here nothing is transposed: W @ inputs.")
wrong("softmax-of-output", (SUM, "softmax(V @ A, axis=0)"), says="your output has been through a softmax. The softmax belongs to the scores, before the sum.")
wrong("own-share-removed", (SOFTMAX, "softmax(A, axis=0) * (1 - np.eye(len(A)))"), says="the diagonal of your weights is set to 0 after the softmax, so that columns sum to less than 1. Every token attends to itself as well.")
wrong("own-score-zero", (SOFTMAX, "softmax(A * (1 - np.eye(len(A))), axis=0)"), says="the score of each token with itself is set to 0. Leave it as it is.")
wrong("own-value-only", (SUM, "V * np.diag(A_hat)"), says="each output holds only its own token's value, times its weight. The sum runs over all tokens.")
wrong("unscaled-scores-returned", (GIVE, "return output, K.T @ Q"), says="your second result is KᵀQ, the scores. Return the weights A_hat, after the softmax.")
wrong("normalised-twice", (SUM, "V @ (A_hat / A_hat.sum(axis=1, keepdims=True))"), says="the weights are normalised a second time, along the rows, before the sum. Once is enough, along the columns.")
wrong("scale-10", (SCALE, " / 10"), says="your scores are divided by a fixed number, 10. Divide by √d_k, and read d_k off the shape of K.")
wrong("no-projections", ("W_q @ inputs", "inputs"), ("W_k @ inputs", "inputs"), ("W_v @ inputs", "inputs"),
      says="the inputs themselves serve as queries, keys and values: the three matrices are not used.")
wrong("no-values", ("W_v @ inputs", "inputs"), says="your output is a weighted sum of the inputs. Sum the values V = W_v I.")
wrong("columns-in-a-list", (GIVE, "return list(output.T), list(A_hat.T)"), says="lists of arrays come back. Put each side by side into one array.")
wrong("elementwise-throughout", ("K.T @ Q", "K * Q"), (SUM, "V * A_hat"), says="`*` multiplies number by number. Both products here are matrix products, `@`.")
wrong("inputs-centred", ("Q = W_q @ inputs", "inputs -= inputs.mean(axis=0); Q = W_q @ inputs"),
      says="the mean of each token is taken away from the inputs, and in place: the caller's array changes, too. Use the inputs as they are.")

wrong("keys-as-values", (SUM, "K @ A_hat"), says="your output is a weighted sum of the keys. Sum the values V = W_v I.")
wrong("queries-as-values", (SUM, "Q @ A_hat"), says="your output is a weighted sum of the queries. Sum the values V = W_v I.")
wrong("scores-of-inputs", ("K.T @ Q", "inputs.T @ inputs"), says="your scores compare the inputs themselves. Compare keys with queries: the matrices W_k and W_q are missing.")
wrong("keys-with-keys", ("K.T @ Q", "K.T @ K"), says="your scores compare keys with keys (W_q is not used). A = KᵀQ compares keys with queries.")
wrong("queries-with-queries", ("K.T @ Q", "Q.T @ Q"), says="your scores compare queries with queries (W_k is not used). A = KᵀQ compares keys with queries.")
wrong("features-compared", ("K.T @ Q", "K @ Q.T"), says="your product is KQᵀ, of shape (d_k, d_k): it compares numbers within a token. A = KᵀQ has shape (n, n).")
wrong("elementwise", ("K.T @ Q", "K * Q"), says="`*` multiplies number by number and gives shape (d_k, n). The matrix product is `@`, and K is transposed: A has shape (n, n).")
wrong("no-transpose", ("K.T @ Q", "K @ Q"), says="K @ Q does not fit: both have shape (d_k, n). K is transposed first, and A has shape (n, n).")
wrong("reshaped-keys", ("K.T @ Q", "K.reshape(K.shape[1], K.shape[0]) @ Q"),
      says="your K has the shape of a transpose, but its numbers are in other places: reshape reads them row by row. A transpose turns rows into columns: `.T`.")
wrong("rows-of-inputs", ("W_q @ inputs", "inputs @ W_q"), ("W_k @ inputs", "inputs @ W_k"), ("W_v @ inputs", "inputs @ W_v"),
      says="inputs @ W does not fit: tokens are columns here, and the matrix stands to the left, W @ inputs.")
wrong("row-code", ("W_q @ inputs", "inputs @ W_q.T"), ("W_k @ inputs", "inputs @ W_k.T"), ("W_v @ inputs", "inputs @ W_v.T"),
      says="this is the row form, x Wᵀ, on inputs whose tokens are columns. Here the matrix stands to the left: W @ inputs.")
wrong("row-code-transposed", ("W_q @ inputs", "inputs.T @ W_q"), ("W_k @ inputs", "inputs.T @ W_k"), ("W_v @ inputs", "inputs.T @ W_v"),
      says="your inputs are turned into rows, but your matrices are not. Either transpose both, or neither: W @ inputs.")
wrong("row-sum", (SUM, "A_hat @ V.T"), says="your output is A_hat times Vᵀ, as in the row form. In columns it is V times A_hat, of shape (d_v, n).")
wrong("row-product", (SUM, "A_hat @ V"), says="A_hat @ V does not fit: V has shape (d_v, n). In columns the order is V times A_hat.")
wrong("half-precision-throughout", ("W_q @ inputs", "(W_q @ inputs).astype(np.float16)"), ("W_k @ inputs", "(W_k @ inputs).astype(np.float16)"),
      says="queries and keys are in half precision (float16): about three digits, and large scores overflow. Keep float32 or float64.")
for digits in (1, 2, 3):
    wrong(f"rounded-{digits}", (GIVE, f"return np.round(output, {digits}), np.round(A_hat, {digits})"), says="your results are rounded. Return them as they are.")
wrong("whole-numbers", (GIVE, "return output.astype(int), A_hat.astype(int)"), says="your results are cut to whole numbers. Return floats.")
wrong("not-itself", (SCALE, " / np.sqrt(K.shape[0]) - np.diag(np.full(K.shape[1], np.inf))"),
      says="no token attends to itself: the diagonal of A_hat is 0. The sum runs over all tokens, the query's own as well.")
wrong("itself-only", (SOFTMAX, "np.eye(A.shape[0])"), says="each token attends to itself only. The sum runs over all tokens.")
wrong("causal", (SOFTMAX, "softmax(np.where(np.triu(np.ones(A.shape, dtype=bool)), A, -np.inf), axis=0)"),
      says="tokens after the query get no weight. That is a causal mask, which comes in unit 07: here every token sees all tokens.")
wrong("anti-causal", (SOFTMAX, "softmax(np.where(np.tril(np.ones(A.shape, dtype=bool)), A, -np.inf), axis=0)"),
      says="tokens before the query get no weight. Here every token sees all tokens.")
wrong("last-column-missing", (SUM, "np.concatenate([V @ A_hat[:, :-1], np.zeros((V.shape[0], 1))], axis=1)"),
      says="the last output is 0: a loop over the tokens ends one too early.")
wrong("first-column-missing", (SUM, "np.concatenate([np.zeros((V.shape[0], 1)), V @ A_hat[:, 1:]], axis=1)"),
      says="the first output is 0: a loop over the tokens starts at 1, not at 0.")
wrong("last-key-missing", (SUM, "V[:, :-1] @ A_hat[:-1]"), says="your sum leaves out the last value: a loop over the keys ends one too early.")
wrong("first-key-missing", (SUM, "V[:, 1:] @ A_hat[1:]"), says="your sum leaves out the first value: a loop over the keys starts at 1, not at 0.")
wrong("first-output-only", (GIVE, "return output[:, 0], A_hat[:, 0]"), says="only the first token's output comes back. Return all n, side by side.")
wrong("lists", (GIVE, "return output.tolist(), A_hat.tolist()"), says="nested lists come back. Return NumPy arrays.")
wrong("residual", (SUM, "V @ A_hat + V"), says="the values are added to your outputs once more. O is V times A_hat, and nothing else.")
wrong("nothing-returned", (GIVE, "pass"), says="nothing comes back: the `return` is missing.")
wrong("in-place-weights", (SCALE, ""), ("Q = W_q @ inputs", "W_q /= np.sqrt(W_k.shape[0]); Q = W_q @ inputs"),
      says="your numbers are right, but your code changes its argument `W_q`: `/=` and `*=` work in place. Write the result into a new array.")
wrong("in-place-keys", (SCALE, ""), ("K = W_k @ inputs", "W_k /= np.sqrt(W_k.shape[0]); K = W_k @ inputs"),
      says="your numbers are right, but your code changes its argument `W_k`: `/=` and `*=` work in place. Write the result into a new array.")

@right
def einsum(inputs, W_q, W_k, W_v):
    q, k, v = (np.einsum("oi,in->on", W, inputs) for W in (W_q, W_k, W_v))
    weights = softmax(np.einsum("dj,di->ji", k, q) / q.shape[0] ** 0.5, axis=0)
    return np.einsum("vj,ji->vi", v, weights), weights

@right
def one_column_at_a_time(inputs, W_q, W_k, W_v):
    columns, weights = [], []
    for a in inputs.T:
        scores = [(W_k @ other) @ (W_q @ a) / np.sqrt(len(W_k)) for other in inputs.T]
        shares = softmax(np.array(scores))
        columns.append(sum(share * (W_v @ other) for share, other in zip(shares, inputs.T, strict=True)))
        weights.append(shares)
    return np.stack(columns, axis=1), np.array(weights).T

@right
def through_rows(inputs, W_q, W_k, W_v):
    x = inputs.T
    weights = softmax((x @ W_q.T) @ (x @ W_k.T).T / np.sqrt(W_q.shape[0]), axis=-1)
    return [(weights @ (x @ W_v.T)).T, weights.T]

@right
def other_association(inputs, W_q, W_k, W_v):
    e = inputs.T @ (W_k.T @ W_q / np.sqrt(W_q.shape[0])) @ inputs
    e = np.exp(e - e.max(axis=0))
    e /= e.sum(0)
    return W_v @ (inputs @ e), e

@right
def single_precision(inputs, W_q, W_k, W_v):
    i, q, k, v = (np.asarray(a, dtype=np.float32) for a in (inputs, W_q, W_k, W_v))
    a = (k @ i).T @ (q @ i) / np.float32(np.sqrt(len(k)))
    a = np.exp(a - a.max(0, keepdims=True))
    a = a / a.sum(0, keepdims=True)
    return (v @ i) @ a, a

@right
def queries_scaled_first(inputs, W_q, W_k, W_v):
    Q = (W_q @ inputs) * W_q.shape[0] ** -0.25
    K = (W_k @ inputs) * W_k.shape[0] ** -0.25
    A_hat = np.apply_along_axis(softmax, 0, np.dot(K.T, Q))
    return np.dot(np.dot(W_v, inputs), A_hat), A_hat

@truth
def by_torch(inputs, W_q, W_k, W_v):
    import torch
    rows = torch.from_numpy(inputs.T.copy())
    output, weights = attention_and_weights(*(torch.nn.functional.linear(rows, torch.from_numpy(W)) for W in (W_q, W_k, W_v)))
    return output.numpy().T, weights.numpy().T

truth(use_part("self_attention_columns"))

# %% exercise="to_row_convention" part="library"
def to_row_convention(
    inputs: np.ndarray, W_q: np.ndarray, W_k: np.ndarray, W_v: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Each matrix through PyTorch's `adjoint`."""
    import torch

    x, query, key, value = (torch.adjoint(torch.from_numpy(np.array(a))).numpy() for a in (inputs, W_q, W_k, W_v))
    return x, query, key, value

# %% exercise="to_row_convention" part="variants"
from itertools import combinations, permutations

@cases(dict(d_in=3, n=5, d_k=4, d_v=2), dict(d_in=6, n=3, d_k=2, d_v=5))
def tokens(rng, d_in, n, d_k, d_v):
    """{n} tokens of length {d_in}, keys of length {d_k}, values of length {d_v}"""
    return dict(
        inputs=rng.normal(size=(d_in, n)), W_q=rng.normal(size=(d_k, d_in)), W_k=rng.normal(size=(d_k, d_in)),
        W_v=rng.normal(size=(d_v, d_in)),
    )

@cases()
def square(rng):
    """3 tokens of length 3, all matrices square: here a shape tells nothing"""
    return {name: rng.normal(size=(3, 3)) for name in ("inputs", "W_q", "W_k", "W_v")}

GIVE = "return inputs.T, W_q.T, W_k.T, W_v.T"
ARGUMENTS = ("inputs", "W_q", "W_k", "W_v")
for count in (1, 2, 3):
    for left in combinations(ARGUMENTS, count):
        done = " and ".join("`x`" if name == "inputs" else f"`{name}`" for name in ARGUMENTS if name not in left)
        were = "comes back as it was" if count == 1 else "come back as they were"
        wrong(
            "-and-".join(left) + "-left",
            (GIVE, "return " + ", ".join(name if name in left else f"{name}.T" for name in ARGUMENTS)),
            says=f"{done} {'is' if count == 3 else 'are'} right, but {' and '.join(left)} {were}. In the row form all four are transposed.",
        )
wrong("unchanged", (GIVE, "return inputs, W_q, W_k, W_v"), says="all four come back as they were. In the row form each of them is transposed.")
def reshaped(name):
    return f"{name}.reshape({name}.shape[1], {name}.shape[0])"
wrong("reshaped", (GIVE, "return " + ", ".join(map(reshaped, ("inputs", "W_q", "W_k", "W_v")))),
      says="the shapes are right, but the numbers are in other places: reshape reads them row by row. A transpose takes number [r, c] to [c, r].")
wrong("inputs-reshaped", ("inputs.T", reshaped("inputs")),
      says="`x` has the right shape, but its numbers are in other places: reshape reads them row by row. Token i must be row i of x: transpose.")
wrong("matrices-reshaped", ("W_q.T, W_k.T, W_v.T", ", ".join(map(reshaped, ("W_q", "W_k", "W_v")))),
      says="`x` is right, and the matrices have the right shapes, but their numbers are in other places: reshape reads them row by row. Transpose them.")
wrong("column-order", (GIVE, "return " + ", ".join(f"{n}.reshape({n}.shape[1], {n}.shape[0], order='F')" for n in ("inputs", "W_q", "W_k", "W_v"))),
      says="the shapes are right, but the numbers are in other places: your reshape reads them column by column and writes them column by column. "
           "A transpose takes number [r, c] to [c, r].")
wrong("turned", (GIVE, "return " + ", ".join(f"np.rot90({n})" for n in ("inputs", "W_q", "W_k", "W_v"))),
      says="your matrices are turned by 90 degrees: transposed, and their rows in reverse order. A transpose takes number [r, c] to [c, r].")
wrong("turned-back", (GIVE, "return " + ", ".join(f"np.rot90({n}, -1)" for n in ("inputs", "W_q", "W_k", "W_v"))),
      says="your matrices are turned by 90 degrees: transposed, and reversed as well. A transpose takes number [r, c] to [c, r].")
wrong("flipped", (GIVE, "return np.flip(inputs), np.flip(W_q), np.flip(W_k), np.flip(W_v)"),
      says="your matrices are flipped, and their shapes are as they were. A transpose takes number [r, c] to [c, r].")
for order in list(permutations(ARGUMENTS))[1:]:
    names = ["x" if name == "inputs" else name for name in order]
    wrong("-".join(names), (GIVE, "return " + ", ".join(f"{name}.T" for name in order)),
          says=f"each is transposed, but they stand in the order {', '.join(names)}. The order is x, W_q, W_k, W_v.")
for name in ARGUMENTS[1:]:
    wrong(f"no-{name}", (GIVE, "return " + ", ".join(f"{other}.T" for other in ARGUMENTS if other != name)),
          says=f"{name} is missing: three arrays come back. Return x, W_q, W_k and W_v.")
wrong("queries-three-times", ("W_k.T, W_v.T", "W_q.T, W_q.T"), says="W_q comes back three times. Return x, W_q, W_k and W_v.")
wrong("in-place", (GIVE, "for a in (inputs, W_q, W_k, W_v):\n        a.shape = a.shape[::-1]\n    return inputs, W_q, W_k, W_v"),
      says="your code changes the shapes of the caller's arrays in place, and the numbers stand in other places than in a transpose. Make new arrays.")
wrong("keys-from-queries", ("W_k.T", "W_q.T"), says="your third result is W_q once more, where W_k is asked for.")
wrong("queries-from-keys", ("W_q.T, W_k.T", "W_k.T, W_k.T"), says="your second result is W_k, where W_q is asked for.")
wrong("values-from-keys", ("W_v.T", "W_k.T"), says="your fourth result is W_k once more, where W_v is asked for.")
wrong("x-only", (GIVE, "return inputs.T"), says="only x comes back. Return x, W_q, W_k and W_v.")
wrong("not-where-square", (GIVE, "return " + ", ".join(f"({n} if len({n}) == {n}.shape[1] else {n}.T)" for n in ARGUMENTS)), says="square matrices come back as they were. A square one is transposed like any other.")
wrong("batch-in-front", (GIVE, "return inputs.T[None], W_q.T, W_k.T, W_v.T"), says="your x has an axis of length 1 in front. Return it with two axes, (n, d_in).")
wrong("no-x", (GIVE, "return W_q.T, W_k.T, W_v.T"), says="`x` is missing: only the three matrices come back. Return x, W_q, W_k and W_v.")
wrong("nothing-returned", (GIVE, "inputs.T, W_q.T, W_k.T, W_v.T"), says="nothing comes back: the `return` is missing.")
wrong("projected", (GIVE, "return (W_q @ inputs).T, (W_k @ inputs).T, (W_v @ inputs).T"),
      says="queries, keys and values come back. This function multiplies nothing: it only turns its four arguments into the row convention.")
wrong("projected-and-x", (GIVE, "return inputs.T, (W_q @ inputs).T, (W_k @ inputs).T, (W_v @ inputs).T"),
      says="`x`, queries, keys and values come back. This function multiplies nothing: W_q, W_k and W_v are only transposed.")
wrong("projected-columns", (GIVE, "return inputs.T, W_q @ inputs, W_k @ inputs, W_v @ inputs"),
      says="`x`, and the column form's Q, K and V come back. This function multiplies nothing: W_q, W_k and W_v are only transposed.")
wrong("scaled", ("W_q.T", "W_q.T / np.sqrt(W_q.shape[0])"), says="W_q is divided by √d_k as well. This function changes no number, only where it stands.")
wrong("named", (GIVE, "return dict(x=inputs.T, W_q=W_q.T, W_k=W_k.T, W_v=W_v.T)"), says="a dict comes back. Return the four arrays as a tuple.")
wrong("one-by-one", (GIVE, "return (a.T for a in (inputs, W_q, W_k, W_v))"), says="a generator comes back, which makes its arrays only when asked. Return the four arrays as a tuple.")
wrong("mapped", (GIVE, "return map(np.transpose, (inputs, W_q, W_k, W_v))"), says="a `map` object comes back, which makes its arrays only when asked. Return the four arrays as a tuple.")
wrong("lists", (GIVE, "return tuple(a.T.tolist() for a in (inputs, W_q, W_k, W_v))"), says="nested lists come back. Return NumPy arrays.")
wrong("matrices-joined", (GIVE, "return inputs.T, np.vstack([W_q, W_k, W_v]).T"), says="two things come back, x and one matrix in which W_q, W_k and W_v are joined. Return four arrays side by side.")
wrong("nested", (GIVE, "return inputs.T, (W_q.T, W_k.T, W_v.T)"), says="two things come back, x and a tuple of matrices. Return four arrays side by side.")
wrong("arrays-in-lists", (GIVE, "return tuple(list(a.T) for a in (inputs, W_q, W_k, W_v))"), says="lists of arrays come back. Return four arrays.")
wrong("extra-axis", (GIVE, "return tuple(a.T[None] for a in (inputs, W_q, W_k, W_v))"), says="each array has an extra axis in front. This exercise has no batch.")
wrong("inverted", (GIVE, "return tuple(np.linalg.pinv(a) for a in (inputs, W_q, W_k, W_v))"),
      says="your matrices are inverted (the pseudo-inverse has the transpose's shape). Transpose them.")

@right
def transposed(inputs, W_q, W_k, W_v):
    return tuple(np.transpose(a) for a in (inputs, W_q, W_k, W_v))

@right
def swapped_axes_copied(inputs, W_q, W_k, W_v):
    return [np.ascontiguousarray(np.swapaxes(a, 0, 1)) for a in (inputs, W_q, W_k, W_v)]

@right
def einsum(tokens, q, k, v):
    return np.einsum("ij->ji", tokens), np.einsum("ij->ji", q), np.einsum("ij->ji", k), np.einsum("ij->ji", v)

@right
def by_loops(inputs, W_q, W_k, W_v):
    def turned(matrix):
        result = np.empty((len(matrix[0]), len(matrix)), dtype=np.float32)
        for r in range(len(matrix)):
            for c in range(len(matrix[0])):
                result[c, r] = matrix[r, c]
        return result
    return turned(inputs), turned(W_q), turned(W_k), turned(W_v)

@right
def columns_stacked(inputs, W_q, W_k, W_v):
    return tuple(np.array([a[:, c] for c in range(a.shape[1])]) for a in (inputs, W_q, W_k, W_v))

@truth
def by_zip(inputs, W_q, W_k, W_v):
    return tuple(np.array(list(zip(*matrix.tolist(), strict=True))) for matrix in (inputs, W_q, W_k, W_v))

truth(use_part("to_row_convention"))

# %% exercise="self_attention" part="library"
def self_attention(
    x: np.ndarray, W_q: np.ndarray, W_k: np.ndarray, W_v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """PyTorch's linear layer and attention operator."""
    return _attention(*(_projected(x, np.transpose(W)) for W in (W_q, W_k, W_v)))

# %% exercise="self_attention" part="variants"
without("whole numbers", because="the text speaks of real numbers")

@cases(dict(seq=5, d_in=3, d=4), dict(seq=3, d_in=6, d=2))
def tokens(rng, seq, d_in, d):
    """{seq} tokens of length {d_in}, queries and keys of length {d}"""
    # Scores of about ±2, whatever the sizes: with larger ones all softmaxes are alike.
    matrices = {name: 1.5 * rng.normal(size=(d_in, d)) / np.sqrt(d_in) for name in ("W_q", "W_k", "W_v")}
    return dict(x=rng.normal(size=(seq, d_in))) | matrices

@cases()
def square(rng):
    """5 tokens of length 5, all matrices square: here a shape tells nothing"""
    return {name: 1.5 * rng.normal(size=(5, 5)) / np.sqrt(5) for name in ("x", "W_q", "W_k", "W_v")}

@cases()
def far_apart(rng):
    """5 tokens whose scores lie tens of thousands apart"""
    x = rng.normal(size=(5, 3))
    x[:, 0] = rng.permutation([-3.0, -1.0, 1.0, 2.0, 4.0])
    W = np.zeros((3, 4))
    W[0, 2] = 150.0
    return dict(x=x, W_q=W, W_k=W.copy(), W_v=rng.normal(size=(3, 4)))

@cases(dict(seq=3, d_in=4), low=3)
def lengths_of_one(rng, seq, d_in):
    """a single token of length {d_in}; and {seq} such tokens with queries, keys and values of one number"""
    return [
        dict(x=rng.normal(size=(count, d_in))) | {name: 1.5 * rng.normal(size=(d_in, d)) / np.sqrt(d_in) for name in ("W_q", "W_k", "W_v")}
        for count, d in ((1, 2), (seq, 1))
    ]

# Each known mistake: a name, the edit that makes it, what is then true of the numbers, and where to look.
SCALE, SOFTMAX, SUM, GIVE = " / np.sqrt(key.shape[1])", "softmax(scores, axis=-1)", "weights @ value", "return output, weights"
SWAP = ("    key = x @ W_k\n    value = x @ W_v", "    key = x @ W_v\n    value = x @ W_k")
scales = [
    ("no-scale", (SCALE, ""), "your scores are not divided by √d", "Divide them before the softmax."),
    ("scale-d", (SCALE, " / key.shape[1]"), "your scores are divided by d (or twice by √d)", "Divide once, by its square root."),
    ("scale-sqrt-seq", (SCALE, " / np.sqrt(key.shape[0])"), "your scores are divided by √seq, with seq the number of tokens",
     "d is the length of one key."),
    ("scale-seq", (SCALE, " / key.shape[0]"), "your scores are divided by seq, the number of tokens", "Divide by √d, with d the length of one key."),
    ("scale-sqrt-d-in", (SCALE, " / np.sqrt(x.shape[1])"), "your scores are divided by √d_in, with d_in the length of an input token",
     "d is the length of one key."),
    ("scale-times", (SCALE, " * np.sqrt(key.shape[1])"), "your scores are multiplied by √d", "They are to be divided by it."),
]
axes = [
    ("columns-sum-to-one", (SOFTMAX, "softmax(scores, axis=0)"), "your softmax runs down the columns (axis 0), over the queries",
     "In the row convention row i belongs to query i, so each row of weights sums to 1; in the lecture's it is the columns."),
    ("all-sums-to-one", (SOFTMAX, "softmax(scores.reshape(-1), axis=0).reshape(scores.shape)"), "your softmax runs over the whole table of scores at once",
     "Each row is a distribution of its own."),
]
roles = [
    ("queries-and-keys-swapped", ("query @ key.T", "key @ query.T"),
     "queries and keys have changed places: your weights are those of KQᵀ (W_q and W_k may be exchanged, or one transpose is too many)", "In QKᵀ the queries count along the first axis."),
    ("weights-transposed-in-sum", (SUM, "weights.T @ value"), "your output is the transpose of the weights times the values",
     "Output i is the sum over j of weights[i, j] times value j."),
    ("values-and-keys-swapped", SWAP, "W_k and W_v have changed places", "Keys are compared with queries, values are summed."),
]
returned = [
    ("order-of-results", (GIVE, "return weights, output"), "the two results stand in the wrong order", "Return output first, then weights."),
    ("output-only", (GIVE, "return output"), "only the outputs come back", "Return output and weights."),
    ("scores-returned", (GIVE, "return output, scores"), "your second result is the table of scores", "Return the weights, after the softmax."),
    ("output-transposed", (GIVE, "return output.T, weights"), "your outputs stand in columns", "Here output i is row i."),
]
for name, edit, seen, look in scales + axes + roles + returned:
    wrong(name, edit, says=f"{seen}. {look}")
for family, other in [(scales, axes), (scales, roles), (scales[:3], returned), (axes, roles), (axes[:1], returned), (roles, returned[:2])]:
    for one in family:
        for two in other:
            wrong(f"{one[0]}+{two[0]}", one[1], two[1], says=two_things(f"{one[2]}. {one[3]}", f"{two[2]}. {two[3]}"))

wrong("values-and-queries-swapped", ("    query = x @ W_q", "    query = x @ W_v"), ("    value = x @ W_v", "    value = x @ W_q"),
      says="W_q and W_v have changed places. Queries are compared with keys, values are summed.")
wrong("weights-only", (GIVE, "return weights"), says="only the weights come back. Return output and weights.")
wrong("three-results", (GIVE, "return output, scores, weights"), says="three things come back, where output and weights are asked for.")
wrong("squeezed", (GIVE, "return np.squeeze(output), np.squeeze(weights)"), says="axes of length 1 are squeezed away. A single token, or values of one number, keep their axis.")
wrong("tokens-centred", ("query = x @ W_q", "x = x - x.mean(axis=0)\n    query = x @ W_q"), says="the mean of all tokens is subtracted from each before anything else. The formulas take them as they are.")
wrong("additive", ("query @ key.T", "np.tanh(query[:, None] + key).sum(axis=-1)"), says="your scores are additive: a sum of query and key goes through tanh. Here a score is the dot product of the two.")
wrong("output-normalised", (SUM, "(lambda o: (o - o.mean(axis=-1, keepdims=True)) / (o.std(axis=-1, keepdims=True) + 1e-5))(weights @ value)"), says="each output is brought to mean 0 and variance 1. That is a layer norm, which comes in unit 08.")
wrong("scores-mirrored", (SOFTMAX, "softmax((scores + scores.T) / 2, axis=-1)"), says="your scores are their own mirror image: each is the mean of the scores of a pair in both directions. Score [i, j] is query i with key j.")
wrong("other-weights-in-the-sum", (SUM, "softmax(scores, axis=0) @ value"), says="your weights are right, but your output is made with others: their softmax runs down the columns. Multiply the weights by the values.")
wrong("inputs-as-values-where-square", (SUM, "weights @ (x if x.shape[1] == W_v.shape[1] else value)"), says="where the values are as long as the tokens, your output sums the tokens themselves. It sums the values x W_v.")
wrong("turned-where-square", ("query = x @ W_q\n    key = x @ W_k\n    value = x @ W_v", "query, key, value = (x @ (W.T if len(W) == W.shape[1] else W) for W in (W_q, W_k, W_v))"),
      says="where the matrices are square, they are used transposed. The row form is x times W; a rule must not depend on what happens to fit.")
wrong("query-projected-twice-where-it-fits", ("query = x @ W_q", "query = x @ W_q @ (W_q if len(W_q) == W_q.shape[1] else np.eye(W_q.shape[1]))"), says="where `W_q` is square, it is used twice. The queries are x times W_q.")
wrong("output-squeezed", (GIVE, "return np.squeeze(output), weights"), says="axes of length 1 are squeezed away. A single token, or values of one number, keep their axis.")
wrong("weights-transposed", (GIVE, "return output, weights.T"),
      says="your outputs are right, but your weights are transposed: their columns sum to 1, as in the lecture's convention. In the row convention the rows do.")
wrong("all-in-columns", (GIVE, "return output.T, weights.T"),
      says="both results are transposed: you return the lecture's column convention. Here output i is row i, and row i of the weights sums to 1.")
wrong("column-mixture", ("query @ key.T", "key @ query.T"), (SUM, "weights.T @ value"),
      says="your scores are KQᵀ, as in the lecture's columns, and their transpose goes into the sum, but the softmax runs along the rows. Stay with one column of the table.")
wrong("scale-root-root", (SCALE, " / key.shape[1] ** 0.25"),
      says="your scores are divided by the fourth root of d. Did the root of d go into one of Q and K only, as a root of a root?")
wrong("scaled-weights", (SCALE, ""), (SOFTMAX, "softmax(scores, axis=-1) / np.sqrt(key.shape[1])"),
      says="the weights are divided by √d, and not the scores: your rows sum to 1/√d. Divide the scores, before the softmax.")
wrong("scaled-output", (SCALE, ""), (SUM, "weights @ value / np.sqrt(key.shape[1])"),
      says="the outputs are divided by √d, and not the scores. Divide the scores, before the softmax.")
wrong("scaled-both", (SUM, "weights @ value / np.sqrt(key.shape[1])"), says="the outputs are divided by √d as well. Only the scores are.")
for number in ("2", "np.sqrt(2)", "8"):
    wrong(f"scale-{number}", (SCALE, f" / {number}"),
          says=f"your scores are divided by a fixed number, {number.removeprefix('np.')}. Divide by √d, and read d off the shape of the keys.")
wrong("no-softmax", (SOFTMAX, "scores"), says="your weights are the scores themselves: the softmax is missing.")
wrong("sum-of-scores", (SUM, "scores @ value"), says="your weights are right, but your output is the scores times the values. Use the weights.")
wrong("exponentials", (SOFTMAX, "np.exp(scores)"), says="your weights are exp(scores): they are not divided by the sum of each row.")
wrong("linear-weights", (SOFTMAX, "scores / scores.sum(axis=-1, keepdims=True)"), says="your weights are the scores divided by their sum: the exponential is missing.")
wrong("naive-softmax", (SOFTMAX, "np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)"),
      says="exp of a large score overflows to infinity, and infinity / infinity is NaN. Use `softmax` from unit 02, which subtracts the maximum first.")
wrong("global-max", (SOFTMAX, "np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum(axis=-1, keepdims=True)"),
      says="your softmax subtracts the largest score of the whole table, and a row far below it becomes 0 / 0. Use `softmax` from unit 02, along the right axis.")
wrong("max-of-columns", (SOFTMAX, "np.exp(scores - scores.max(axis=0)) / np.exp(scores - scores.max(axis=0)).sum(axis=-1, keepdims=True)"),
      says="the maximum that your softmax subtracts is taken down the columns (or it lost its axis: keepdims), and the sum along the rows. Both belong to the rows.")
wrong("no-keepdims", (SOFTMAX, "np.exp(scores - scores.max(axis=-1)) / np.exp(scores - scores.max(axis=-1)).sum(axis=-1)"),
      says="the maximum and the sum of each row are taken away from, and divide, the columns: without keepdims=True they lose the axis they were taken along.")
wrong("sum-without-keepdims", (SOFTMAX, "np.exp(scores - scores.max(axis=-1, keepdims=True)) / np.exp(scores - scores.max(axis=-1, keepdims=True)).sum(axis=-1)"),
      says="the sum of each row divides the columns: without keepdims=True it loses the axis it was taken along.")
wrong("sum-over-columns", (SOFTMAX, "np.exp(scores - scores.max(axis=-1, keepdims=True)) / np.exp(scores - scores.max(axis=-1, keepdims=True)).sum(axis=0)"),
      says="the sum that your softmax divides by is taken down the columns, and the maximum along the rows. Both belong to the rows.")
wrong("softmax-twice", (SOFTMAX, "softmax(softmax(scores, axis=-1), axis=-1)"), says="your weights have been through the softmax twice. Once is enough.")
wrong("softmax-both-ways", (SOFTMAX, "softmax(softmax(scores, axis=0), axis=-1)"),
      says="your weights have been through two softmaxes, one along each axis. One is enough, along the rows.")
wrong("log-weights", (SOFTMAX, "np.log(softmax(scores, axis=-1) + 1e-300)"), says="your weights are logarithms (log-softmax). Return the weights themselves.")
wrong("sigmoid", (SOFTMAX, "1 / (1 + np.exp(-np.clip(scores, -60, 60)))"), says="each score went through a sigmoid by itself. The softmax makes the weights of one query sum to 1.")
wrong("hard-choice", (SOFTMAX, "(scores == scores.max(axis=-1, keepdims=True)).astype(float)"),
      says="each query takes the one key with the largest score, with weight 1. The softmax gives every key a share.")
wrong("equal-weights", (SOFTMAX, "np.full(scores.shape, 1 / scores.shape[1])"), says="all weights are equal: your output is the mean of the values, though the scores differ.")
wrong("floor-division", (SCALE, " // np.sqrt(key.shape[1])"), says="`//` cuts your scores down to whole numbers. Divide with `/`.")
wrong("scores-through-tanh", (SOFTMAX, "softmax(np.tanh(scores), axis=-1)"), says="your scores go through tanh before the softmax. The dot-product score has no tanh; additive scores do.")
wrong("no-negative-scores", (SOFTMAX, "softmax(np.maximum(scores, 0), axis=-1)"), says="negative scores are set to 0 before the softmax (a ReLU). Leave the scores as they are.")
wrong("sizes-of-scores", (SOFTMAX, "softmax(np.abs(scores), axis=-1)"), says="your scores lose their sign before the softmax. Leave the scores as they are.")
wrong("divided-by-seq", (SUM, "weights @ value / len(x)"), says="your outputs are divided by the number of tokens. The weights sum to 1 already.")
wrong("first-query-for-all", (SOFTMAX, "np.repeat(softmax(scores, axis=-1)[:1], len(x), axis=0)"), says="every token gets the first token's weights. Row i belongs to query i.")
wrong("last-query-for-all", (SOFTMAX, "np.repeat(softmax(scores, axis=-1)[-1:], len(x), axis=0)"), says="every token gets the last token's weights. Row i belongs to query i.")
wrong("sum-of-the-rest", (SUM, "(weights - np.diag(np.diag(weights))) @ value"), says="each output leaves out its own token's value. The sum runs over all tokens, the query's own as well.")
for name, edit, seen in [("no-softmax", (SOFTMAX, "scores"), "the softmax is missing"), ("inputs-as-values", (SUM, "weights @ x"), "your output sums the inputs, not the values"),
                         ("keys-as-values", (SUM, "weights @ key"), "your output sums the keys, not the values"),
                         ("exponentials", (SOFTMAX, "np.exp(scores)"), "exp(scores) is not divided by the sum of each row")]:
    wrong(f"no-scale+{name}", (SCALE, ""), edit, says=f"two things at once: your scores are not divided by √d; and {seen}.")

for one in scales[:2]:
    for two in roles:
        three = axes[0]
        wrong(f"{one[0]}+{two[0]}+{three[0]}", one[1], two[1], three[1],
              says=f"three things at once: {one[2]}; {two[2]}; and {three[2]}. Go through the formulas one by one, with the shapes beside them.")
wrong("largest-weight-one", (SOFTMAX, "np.exp(scores - scores.max(axis=1)[:, None]) / np.exp(scores - scores.max(axis=1)[:, None]).max(axis=1)[:, None]"),
      says="the exponentials are divided by the largest of their row, not by the sum: the largest weight is 1.")
wrong("last-row-missing-in-both", (SOFTMAX, "softmax(scores, axis=-1) * (np.arange(len(x)) < len(x) - 1)[:, None]"),
      says="the last token's weights and output are 0: a loop over the tokens ends one too early.")
wrong("first-row-missing-in-both", (SOFTMAX, "softmax(scores, axis=-1) * (np.arange(len(x)) > 0)[:, None]"),
      says="the first token's weights and output are 0: a loop over the tokens starts at 1, not at 0.")
wrong("first-value-only", (SUM, "weights[:, :1] * value[:1]"), says="your outputs hold the first value's share only. The sum runs over all tokens.")
wrong("strictly-before", (SOFTMAX, "softmax(np.where(np.tril(np.ones(scores.shape, dtype=bool), -1), np.maximum(scores, -1e8), -1e9), axis=-1) * np.tril(np.ones(scores.shape), -1)"),
      says="only tokens before the query get a weight, and the first token gets none at all. Here every token sees all tokens.")
wrong("one-matrix-for-all", ("x @ W_k", "x @ W_q"), ("x @ W_v", "x @ W_q"), says="queries, keys and values are all made with W_q. Each has a matrix of its own.")
wrong("second-result-none", (GIVE, "return output, None"), says="your second result is None. Return the weights.")
wrong("rounded-weights", (SOFTMAX, "np.round(softmax(scores, axis=-1), 2)"), says="your weights are rounded. Use them as they are.")
wrong("base-two", (SOFTMAX, "np.exp2(scores - scores.max(axis=-1)[:, None]) / np.exp2(scores - scores.max(axis=-1)[:, None]).sum(axis=-1)[:, None]"),
      says="your softmax uses powers of 2. It takes powers of e: the exponential function.")
wrong("whole-scores", (SOFTMAX, "softmax(scores.astype(int), axis=-1)"), says="your scores are cut to whole numbers before the softmax. Leave them as they are.")
wrong("sum-of-everything", (SOFTMAX, "np.exp(scores - scores.max(axis=-1)[:, None]) / np.exp(scores - scores.max(axis=-1)[:, None]).sum()"),
      says="your exponentials are divided by the sum over the whole table. Each row has a sum of its own.")
wrong("naive-without-keepdims", (SOFTMAX, "np.exp(scores) / np.exp(scores).sum(axis=-1)"),
      says="the sum of each row divides the columns (without keepdims=True it loses its axis), and exp of a large score overflows. Use `softmax` from unit 02.")
wrong("values-as-output", (SUM, "value"), says="your output is the values themselves: the weighted sum over all tokens is missing.")
wrong("softmax-of-output", (SUM, "softmax(scores @ value, axis=-1)"), says="your output has been through a softmax. The softmax belongs to the scores, before the sum.")
wrong("own-share-removed", (SOFTMAX, "softmax(scores, axis=-1) * (1 - np.eye(len(x)))"),
      says="the diagonal of your weights is set to 0 after the softmax, so that rows sum to less than 1. Every token attends to itself as well.")
wrong("own-score-zero", (SOFTMAX, "softmax(scores * (1 - np.eye(len(x))), axis=-1)"), says="the score of each token with itself is set to 0. Leave it as it is.")
wrong("own-value-only", (SUM, "value * np.diag(weights)[:, None]"), says="each output holds only its own token's value, times its weight. The sum runs over all tokens.")
wrong("unscaled-scores-returned", (GIVE, "return output, query @ key.T"), says="your second result is QKᵀ, the scores. Return the weights, after the softmax.")
wrong("normalised-twice", (SUM, "(weights / weights.sum(axis=0)) @ value"), says="the weights are normalised a second time, along the columns, before the sum. Once is enough, along the rows.")
wrong("mean-of-outputs-as-a-row", (GIVE, "return output.mean(axis=0, keepdims=True), weights"), says="the mean of all outputs comes back. Return one output a token, one a row.")
wrong("scale-10", (SCALE, " / 10"), says="your scores are divided by a fixed number, 10. Divide by √d, and read d off the shape of the keys.")
wrong("no-projections", ("x @ W_q", "x"), ("x @ W_k", "x"), ("x @ W_v", "x"), says="the inputs themselves serve as queries, keys and values: the three matrices are not used.")
wrong("rows-in-a-list", (GIVE, "return list(output), list(weights)"), says="lists of arrays come back. Stack each into one array.")
wrong("output-in-a-list", (GIVE, "return list(output), weights"), says="your outputs are a list of arrays. Stack them into one array.")
wrong("output-in-lists", (GIVE, "return [list(row) for row in output], weights"), says="your outputs are lists in a list. Return a NumPy array.")
wrong("elementwise-throughout", ("query @ key.T", "query * key"), (SUM, "weights * value"), says="`*` multiplies number by number. Both products here are matrix products, `@`.")
wrong("inputs-centred", ("query = x @ W_q", "x -= x.mean(axis=-1, keepdims=True); query = x @ W_q"),
      says="the mean of each token is taken away from x, and in place: the caller's array changes, too. Use x as it is.")
wrong("inputs-as-values", (SUM, "weights @ x"), says="your output is a weighted sum of the inputs. Sum the values x W_v.")
wrong("queries-as-values", (SUM, "weights @ query"), says="your output is a weighted sum of the queries. Sum the values x W_v.")
wrong("scores-of-inputs", ("query @ key.T", "x @ x.T"), says="your scores compare the inputs themselves. Compare queries with keys: the matrices W_q and W_k are missing.")
wrong("keys-with-keys", ("query @ key.T", "key @ key.T"), says="your scores compare keys with keys (W_q is not used). QKᵀ compares queries with keys.")
wrong("queries-with-queries", ("query @ key.T", "query @ query.T"), says="your scores compare queries with queries (W_k is not used). QKᵀ compares queries with keys.")
wrong("queries-with-values", ("query @ key.T", "query @ value.T"), says="your scores compare queries with values. Compare them with keys; the values are what is summed.")
wrong("values-from-keys", ("value = x @ W_v", "value = x @ W_k"),
      says="your output is a weighted sum of the keys: W_v is not used. Sum the values x W_v.")
wrong("features-compared", ("query @ key.T", "query.T @ key"), says="your product is QᵀK, of shape (d, d): it compares numbers within a token. QKᵀ has shape (seq, seq).")
wrong("features-mixed", ("query @ key.T", "query.T @ key"), (SUM, "value @ weights"),
      says="your scores are QᵀK, of shape (d, d): they compare and mix numbers within a token. QKᵀ, of shape (seq, seq), compares token with token.")
for name, edits in {"lecture-products": [(SCALE, " / np.sqrt(key.shape[0])")], "lecture-products-root-d": []}.items():
    wrong(name, ("query @ key.T", "key.T @ query"), *edits, (SOFTMAX, "softmax(scores, axis=0)"), (SUM, "value @ weights"),
          says="your products are those of the column form, KᵀQ and V Â, on tokens that stand in rows: they compare and mix numbers within a token. "
               "The table's right-hand column has the row form of each.")
wrong("elementwise", ("query @ key.T", "query * key"), says="`*` multiplies number by number and gives shape (seq, d). The matrix product is `@`, and the keys are transposed: (seq, seq).")
wrong("elementwise-sum", (SUM, "weights * value"), says="your output multiplies weights and values number by number. A weighted sum over all tokens is the matrix product `@`.")
wrong("no-transpose", ("query @ key.T", "query @ key"), says="query @ key: both have shape (seq, d), so their product does not fit, or compares the wrong numbers. The keys are transposed first.")
wrong("reshaped-keys", ("query @ key.T", "query @ key.reshape(key.shape[1], key.shape[0])"),
      says="your keys have the shape of a transpose, but their numbers are in other places: reshape reads them row by row. A transpose turns rows into columns: `.T`.")
wrong("matrix-on-the-left", ("x @ W_q", "W_q @ x"), ("x @ W_k", "W_k @ x"), ("x @ W_v", "W_v @ x"),
      says="W @ x is the lecture's column form. Here tokens are rows, and the matrix stands on the right: x @ W.")
wrong("linear-layer", ("x @ W_q", "x @ W_q.T"), ("x @ W_k", "x @ W_k.T"), ("x @ W_v", "x @ W_v.T"),
      says="x @ W.T fits matrices of shape (d, d_in), as a PyTorch linear layer keeps them. Here they have shape (d_in, d) and are used as they are.")
wrong("lecture-code", ("x @ W_q", "W_q.T @ x"), ("x @ W_k", "W_k.T @ x"), ("x @ W_v", "W_v.T @ x"),
      says="Wᵀ @ x is the column form on tokens that are rows. Here the matrix stands on the right: x @ W.")
wrong("sum-from-the-right", (SUM, "value @ weights"), says="value @ weights is the lecture's order, V times A_hat. In the row convention the weights come first.")
wrong("transposed-sum", (SUM, "value.T @ weights"),
      says="your output is Vᵀ times the weights. That is the column form with weights of the row form; in rows the weights come first: weights times values.")
wrong("half-precision-throughout", ("x @ W_q", "(x @ W_q).astype(np.float16)"), ("x @ W_k", "(x @ W_k).astype(np.float16)"),
      says="queries and keys are in half precision (float16): about three digits, and large scores overflow. Keep float32 or float64.")
for digits in (1, 2, 3):
    wrong(f"rounded-{digits}", (GIVE, f"return np.round(output, {digits}), np.round(weights, {digits})"), says="your results are rounded. Return them as they are.")
wrong("whole-numbers", (GIVE, "return output.astype(int), weights.astype(int)"), says="your results are cut to whole numbers. Return floats.")
wrong("not-itself", (SCALE, " / np.sqrt(key.shape[1]) - np.diag(np.full(len(x), np.inf))"),
      says="no token attends to itself: the diagonal of your weights is 0. The sum runs over all tokens, the query's own as well.")
wrong("itself-only", (SOFTMAX, "np.eye(len(x))"), says="each token attends to itself only. The sum runs over all tokens.")
wrong("causal", (SOFTMAX, "softmax(np.where(np.tril(np.ones(scores.shape, dtype=bool)), scores, -np.inf), axis=-1)"),
      says="tokens after the query get no weight. That is a causal mask, which comes in unit 07: here every token sees all tokens.")
wrong("anti-causal", (SOFTMAX, "softmax(np.where(np.triu(np.ones(scores.shape, dtype=bool)), scores, -np.inf), axis=-1)"),
      says="tokens before the query get no weight. Here every token sees all tokens.")
wrong("causal-by-zeros", (SOFTMAX, "softmax(np.tril(scores), axis=-1)"),
      says="scores of tokens after the query are set to 0. There is no mask in this exercise: every token sees all tokens.")
wrong("last-row-missing", (SUM, "np.concatenate([(weights @ value)[:-1], np.zeros_like(value[:1])])"),
      says="the last output is 0: a loop over the tokens ends one too early.")
wrong("first-row-missing", (SUM, "np.concatenate([np.zeros_like(value[:1]), (weights @ value)[1:]])"),
      says="the first output is 0: a loop over the tokens starts at 1, not at 0.")
wrong("last-key-missing", (SUM, "weights[:, :-1] @ value[:-1]"), says="your sum leaves out the last value: a loop over the keys ends one too early.")
wrong("first-key-missing", (SUM, "weights[:, 1:] @ value[1:]"), says="your sum leaves out the first value: a loop over the keys starts at 1, not at 0.")
wrong("last-value-only", (SUM, "weights[:, -1:] * value[-1:]"), says="your outputs hold the last value's share only: a loop overwrites the sum where it should add to it.")
wrong("first-output-only", (GIVE, "return output[0], weights[0]"), says="only the first token's output comes back. Return all of them, one a row.")
wrong("last-output-only", (GIVE, "return output[-1], weights[-1]"), says="only the last token's output comes back. Return all of them, one a row.")
wrong("summed-outputs", (GIVE, "return output.sum(axis=0), weights"), says="the outputs of all tokens are added up. Return one output a token, one a row.")
wrong("mean-output", (GIVE, "return output.mean(axis=0), weights"), says="the mean of all outputs comes back. Return one output a token, one a row.")
wrong("extra-axis", (GIVE, "return output[None], weights[None]"), says="both results have an extra axis in front. This exercise has no batch.")
wrong("lists", (GIVE, "return output.tolist(), weights.tolist()"), says="nested lists come back. Return NumPy arrays.")
wrong("named", (GIVE, "return dict(output=output, weights=weights)"), says="a dict comes back. Return the two arrays as a tuple: output, weights.")
wrong("residual", (SUM, "weights @ value + value"), says="the values are added to your outputs once more. The output is the weights times the values, and nothing else.")
wrong("nothing-returned", (GIVE, "pass"), says="nothing comes back: the `return` is missing.")
wrong("in-place-queries", (SCALE, ""), ("query = x @ W_q", "W_q /= np.sqrt(W_q.shape[1]); query = x @ W_q"),
      says="your numbers are right, but your code changes its argument `W_q`: `/=` and `*=` work in place. Write the result into a new array.")
wrong("in-place-keys", (SCALE, ""), ("key = x @ W_k", "W_k /= np.sqrt(W_k.shape[1]); key = x @ W_k"),
      says="your numbers are right, but your code changes its argument `W_k`: `/=` and `*=` work in place. Write the result into a new array.")
wrong("negative-scores", ("query @ key.T", "-query @ key.T"), says="your scores have the opposite sign: the key that fits worst gets the largest weight.")
wrong("distances", ("query @ key.T", "-((query[:, None] - key[None]) ** 2).sum(-1)"), says="your scores are negative squared distances. Here a score is the dot product of query and key.")
wrong("cosines", ("query @ key.T", "(query / np.linalg.norm(query, axis=1, keepdims=True)) @ (key / np.linalg.norm(key, axis=1, keepdims=True)).T"),
      says="your scores are cosines: queries and keys are brought to length 1 first. Here a score is the plain dot product.")

@right
def einsum(x, W_q, W_k, W_v):
    query, key, value = (np.einsum("si,id->sd", x, W) for W in (W_q, W_k, W_v))
    weights = softmax(np.einsum("qd,kd->qk", query, key) / key.shape[-1] ** 0.5)
    return np.einsum("qk,kd->qd", weights, value), weights

@right
def one_query_at_a_time(x, W_q, W_k, W_v):
    query, key, value = x @ W_q, x @ W_k, x @ W_v
    output, weights = np.zeros_like(query), np.zeros((len(x), len(x)))
    for i in range(len(x)):
        weights[i] = softmax(key @ query[i] / np.sqrt(len(query[i])))
        for j in range(len(x)):
            output[i] += weights[i, j] * value[j]
    return output, weights

@right
def through_columns(x, W_q, W_k, W_v):
    A = (W_k.T @ x.T).T @ (W_q.T @ x.T) / np.sqrt(W_k.shape[1])
    A_hat = softmax(A, axis=0)
    return ((W_v.T @ x.T) @ A_hat).T, A_hat.T

@right
def through_the_first_exercise(x, W_q, W_k, W_v):
    output, weights = use_part("self_attention_columns")(x.T, W_q.T, W_k.T, W_v.T)
    return [output.T, weights.T]

@right
def other_association(x, W_q, W_k, W_v):
    scores = x @ (W_q @ W_k.T / np.sqrt(W_q.shape[1])) @ x.T
    weights = np.exp(scores - scores.max(axis=1)[:, None])
    weights /= weights.sum(axis=1)[:, None]
    return (weights @ x) @ W_v, weights

@right
def single_precision(x, W_q, W_k, W_v):
    x, W_q, W_k, W_v = (np.asarray(a, dtype=np.float32) for a in (x, W_q, W_k, W_v))
    scores = np.matmul(x @ W_q, (x @ W_k).transpose()) * np.float32(W_q.shape[-1] ** -0.5)
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores @ (x @ W_v), scores

@right
def stacked_matrices(x, W_q, W_k, W_v):
    query, key, value = np.split(x @ np.concatenate([W_q, W_k, W_v], axis=1), 3, axis=1)
    scores = np.array([[float(np.dot(q, k)) for k in key] for q in query]) / np.sqrt(query.shape[1])
    weights = np.vstack([softmax(row) for row in scores])
    return (weights[:, :, None] * value[None]).sum(axis=1), weights

@truth
def by_torch(x, W_q, W_k, W_v):
    import torch
    x, W_q, W_k, W_v = map(torch.from_numpy, (x, W_q, W_k, W_v))
    return tuple(found.numpy() for found in attention_and_weights(x @ W_q, x @ W_k, x @ W_v))

truth(use_part("self_attention"))

# %% exercise="scaled_dot_product_attention" part="library"
def scaled_dot_product_attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """PyTorch's attention operator that gives the weights as well."""
    return _attention(query, key, value)

# %% exercise="scaled_dot_product_attention" part="variants"
without("whole numbers", because="the text speaks of real numbers")

def drawn(rng, leading, seq_q, seq_k, d_k, d_v):
    return dict(
        query=rng.normal(size=(*leading, seq_q, d_k)), key=rng.normal(size=(*leading, seq_k, d_k)),
        value=rng.normal(size=(*leading, seq_k, d_v)),
    )

@cases(dict(seq_q=7, seq_k=3, d_k=5, d_v=2))
def no_batch(rng, seq_q, seq_k, d_k, d_v):
    """{seq_q} queries, {seq_k} keys of length {d_k}, values of length {d_v}, no batch"""
    return drawn(rng, (), seq_q, seq_k, d_k, d_v)

@cases(dict(batch=3, seq_q=2, seq_k=6, d_k=4, d_v=5))
def one_batch(rng, batch, seq_q, seq_k, d_k, d_v):
    """a batch of {batch}: {seq_q} queries, {seq_k} keys of length {d_k}, values of length {d_v}"""
    return drawn(rng, (batch,), seq_q, seq_k, d_k, d_v)

@cases(dict(batch=2, heads=3, seq_q=4, seq_k=5, d_k=7, d_v=6))
def batch_and_heads(rng, batch, heads, seq_q, seq_k, d_k, d_v):
    """a batch of {batch}, {heads} heads: {seq_q} queries, {seq_k} keys of length {d_k}, values of length {d_v}"""
    return drawn(rng, (batch, heads), seq_q, seq_k, d_k, d_v)

@cases(dict(heads=2, seq_q=3, seq_k=4, d_k=5, d_v=6))
def as_many_heads(rng, heads, seq_q, seq_k, d_k, d_v):
    """a batch of {heads}, {heads} heads: {seq_q} queries, {seq_k} keys of length {d_k}, values of length {d_v}"""
    return drawn(rng, (heads, heads), seq_q, seq_k, d_k, d_v)

@cases(dict(seq_q=2, seq_k=4, d_k=5, d_v=3))
def three_leading_axes(rng, seq_q, seq_k, d_k, d_v):
    """three leading axes, 2, 1 and 3: {seq_q} queries, {seq_k} keys of length {d_k}, values of length {d_v}"""
    return drawn(rng, (2, 1, 3), seq_q, seq_k, d_k, d_v)

@cases()
def square(rng):
    """3 sequences of 3 tokens of length 3: here a shape tells nothing"""
    return drawn(rng, (3,), 3, 3, 3, 3)

@cases()
def one_query(rng):
    """a batch of two, each with one query and 3 keys of length 10"""
    return drawn(rng, (2,), 1, 3, 10, 4)

@cases()
def batch_of_one(rng):
    """a batch of one, with 4 queries and 3 keys of length 5"""
    return drawn(rng, (1,), 4, 3, 5, 2)

@cases()
def far_apart(rng):
    """4 queries and 5 keys whose scores lie tens of thousands apart"""
    given = drawn(rng, (), 4, 5, 3, 2)
    given["query"][:, 1] = 150 * rng.permutation([-3.0, -1.0, 1.0, 2.0])
    given["key"][:, 1] = 150 * rng.permutation([-4.0, -2.0, 1.0, 3.0, 5.0])
    return given

# Each known mistake: a name, the edit that makes it, what is then true of the numbers, and where to look.
SCALE, SOFTMAX, SUM, GIVE = " / np.sqrt(key.shape[-1])", "softmax(scores, axis=-1)", "weights @ value", "return output, weights"
TURNED = "np.swapaxes(key, -2, -1)"
scales = [
    ("no-scale", (SCALE, ""), "your scores are not divided by √d_k", "Divide them before the softmax."),
    ("scale-d", (SCALE, " / key.shape[-1]"), "your scores are divided by d_k (or twice by √d_k)", "Divide once, by its square root."),
    ("scale-sqrt-seq-k", (SCALE, " / np.sqrt(key.shape[-2])"), "your scores are divided by √seq_k, with seq_k the number of keys", "d_k is the length of one key."),
    ("scale-sqrt-seq-q", (SCALE, " / np.sqrt(query.shape[-2])"), "your scores are divided by √seq_q, with seq_q the number of queries",
     "d_k is the length of one key."),
    ("scale-sqrt-d-v", (SCALE, " / np.sqrt(value.shape[-1])"), "your scores are divided by √d_v, with d_v the length of a value", "d_k is the length of one key."),
    ("scale-axis-0", (SCALE, " / np.sqrt(key.shape[0])"), "√d_k is read off the first axis of the keys, which counts sequences or keys",
     "d_k is the last axis, however many stand in front."),
    ("scale-axis-0-of-queries", (SCALE, " / np.sqrt(query.shape[0])"), "√d_k is read off the first axis of the queries, which counts sequences or queries",
     "d_k is the last axis, however many stand in front."),
    ("scale-axis-1", (SCALE, " / np.sqrt(key.shape[1])"), "√d_k is read off axis 1 of the keys, which is d_k only where no batch stands in front",
     "d_k is the last axis, however many stand in front."),
    ("scale-axis-1-of-queries", (SCALE, " / np.sqrt(query.shape[1])"), "√d_k is read off axis 1 of the queries, which is d_k only where no batch stands in front",
     "d_k is the last axis, however many stand in front."),
    ("scale-times", (SCALE, " * np.sqrt(key.shape[-1])"), "your scores are multiplied by √d_k", "They are to be divided by it."),
]
axes = [
    ("softmax-over-queries", (SOFTMAX, "softmax(scores, axis=-2)"), "your softmax runs over the queries (axis -2), so columns sum to 1",
     "Each query's weights are a row; in the lecture's convention they are a column."),
    ("softmax-axis-0", (SOFTMAX, "softmax(scores, axis=0)"), "your softmax runs along axis 0, which is the batch, or the queries where there is none",
     "The weights sum to 1 over the keys, which are the last axis."),
    ("softmax-axis-1", (SOFTMAX, "softmax(scores, axis=1)"), "your softmax runs along axis 1, which is the keys only where no batch stands in front",
     "The weights sum to 1 over the keys, which are the last axis."),
    ("all-sums-to-one", (SOFTMAX, "softmax(scores.reshape(-1), axis=0).reshape(scores.shape)"), "your softmax runs over the whole array of scores at once",
     "Each row is a distribution of its own."),
]
transposes = [
    ("all-axes-transposed", (TURNED, "key.T"), "`key.T` reverses all axes, the batch as well", "Exchange the last two only."),
    ("transpose-of-two-axes", (TURNED, "np.swapaxes(key, 0, 1)"), "axes 0 and 1 of the keys are exchanged, and with a batch in front these are not the last two",
     "Count axes from the end."),
    ("transpose-of-three-axes", (TURNED, "key.transpose(0, 2, 1)"), "`transpose(0, 2, 1)` works with exactly one leading axis", "Exchange the last two axes, counted from the end."),
    ("swap-of-axes-1-and-2", (TURNED, "np.swapaxes(key, 1, 2)"), "axes 1 and 2 of the keys are exchanged, and only with one leading axis these are the last two",
     "Count axes from the end."),
    ("transpose-of-four-axes", (TURNED, "key.transpose(0, 1, 3, 2)"), "`transpose(0, 1, 3, 2)` works with exactly two leading axes",
     "Exchange the last two axes, counted from the end."),
]
returned = [
    ("order-of-results", (GIVE, "return weights, output"), "the two results stand in the wrong order", "Return output first, then weights."),
    ("output-only", (GIVE, "return output"), "only the outputs come back", "Return output and weights."),
    ("scores-returned", (GIVE, "return output, scores"), "your second result is the array of scores", "Return the weights, after the softmax."),
]
for name, edit, seen, look in scales + axes + transposes + returned:
    wrong(name, edit, says=f"{seen}. {look}")
for family, other in [(scales[:5], axes), (scales[5:], axes[:1]), (scales[:2] + scales[5:6], transposes[:2]), (scales[:2], returned), (axes[:1], returned[:2]), (axes[1:3], transposes[:2])]:
    for one in family:
        for two in other:
            wrong(f"{one[0]}+{two[0]}", one[1], two[1], says=two_things(f"{one[2]}. {one[3]}", f"{two[2]}. {two[3]}"))

wrong("weights-only", (GIVE, "return weights"), says="only the weights come back. Return output and weights.")
wrong("three-results", (GIVE, "return output, scores, weights"), says="three things come back, where output and weights are asked for.")
wrong("weights-transposed", (GIVE, "return output, np.swapaxes(weights, -2, -1)"),
      says="your outputs are right, but your weights are transposed. In the row convention a row holds the weights of a query.")
wrong("output-transposed", (GIVE, "return np.swapaxes(output, -2, -1), weights"), says="your outputs stand in columns. Here the output of a query is a row.")
wrong("queries-and-keys-swapped", (f"query @ {TURNED}", "key @ np.swapaxes(query, -2, -1)"),
      says="queries and keys have changed places: KQᵀ has shape (seq_k, seq_q), QKᵀ has shape (seq_q, seq_k).")
wrong("keys-as-values", (SUM, "weights @ key"), says="your output is a weighted sum of the keys. Sum the values.")
wrong("values-as-keys", (TURNED, "np.swapaxes(value, -2, -1)"), says="your queries are compared with the values. Compare them with the keys; the values are what is summed.")
wrong("keys-with-keys", (f"query @ {TURNED}", f"key @ {TURNED}"), says="your scores compare keys with keys: the queries are not used.")
wrong("queries-with-queries", (TURNED, "np.swapaxes(query, -2, -1)"), says="your scores compare queries with queries: the keys are not used.")
wrong("transposed-sum", (SUM, "np.swapaxes(weights, -2, -1) @ value"),
      says="the transpose of the weights multiplies the values. Output i is the sum over j of weights[i, j] times value j.")
wrong("features-compared", (f"query @ {TURNED}", "np.swapaxes(query, -2, -1) @ key"),
      says="your product is QᵀK: it compares numbers within a token. QKᵀ, of shape (..., seq_q, seq_k), compares token with token.")
wrong("elementwise", (f"query @ {TURNED}", "query * key"), says="`*` multiplies number by number. The matrix product is `@`, with the keys transposed: (..., seq_q, seq_k).")
wrong("elementwise-sum", (SUM, "weights * value"), says="your output multiplies weights and values number by number. A weighted sum over all keys is the matrix product `@`.")
wrong("no-transpose", (TURNED, "key"), says="query @ key: the last axis of the queries meets seq_k, not d_k. The last two axes of the keys are exchanged first.")
wrong("sum-from-the-left", (SUM, "value @ weights"), says="value @ weights is the lecture's order. In the row convention the weights come first.")
wrong("np-dot", (f"query @ {TURNED}", f"np.dot(query, {TURNED})"),
      says="`np.dot` and `np.inner` treat leading axes differently from `@`: they pair every sequence of one argument with every sequence of the other. Use `@`.")
wrong("np-dot-of-the-sum", (SUM, "np.dot(weights, value)"),
      says="`np.dot` treats leading axes differently from `@`: it pairs every sequence of one argument with every sequence of the other. Use `@`.")
wrong("np-dot-twice", (f"query @ {TURNED}", f"np.dot(query, {TURNED})"), (SUM, "np.dot(weights, value)"),
      says="`np.dot` treats leading axes differently from `@`: it pairs every sequence of one argument with every sequence of the other. Use `@`.")
wrong("np-dot-and-T", (f"query @ {TURNED}", "np.dot(query, key.T)"), (SUM, "np.dot(weights, value)"),
      says="`np.dot` and `.T` are for two axes: one pairs every sequence with every sequence, the other reverses the batch as well. `@` keeps leading axes; exchange the last two only.")
wrong("features-mixed", (f"query @ {TURNED}", "np.swapaxes(query, -2, -1) @ key"), (SUM, "value @ weights"),
      says="your scores are QᵀK: they compare and mix numbers within a token. QKᵀ, of shape (..., seq_q, seq_k), compares token with token.")
wrong("weights-all-axes-transposed", (SUM, "weights.T @ value"),
      says="`weights.T` reverses all axes, and turns queries into keys. Output i is the sum over j of weights[i, j] times value j.")
for number in (2, 3, 4):
    sizes = ", ".join("abcd"[:number])
    wrong(f"unpacks-{number}-sizes", ("scores = query", f"{sizes} = query.shape\n    scores = query"),
          says=f"your code unpacks a shape into exactly {number} sizes. There may be 2, 3 or 4 axes: count the sizes that you need from the end.")
    wrong(f"{number}-axes-asserted", ("scores = query", f"assert query.ndim == {number}\n    scores = query"),
          says=f"your code insists on exactly {number} axes. There may be 2, 3 or 4: leading axes may be none, one or two.")
wrong("elementwise-throughout", (f"query @ {TURNED}", "query * key"), (SUM, "weights * value"), says="`*` multiplies number by number. Both products here are matrix products, `@`.")
wrong("second-result-none", (GIVE, "return output, None"), says="your second result is None. Return the weights.")
wrong("rounded-weights", (SOFTMAX, "np.round(softmax(scores, axis=-1), 2)"), says="your weights are rounded. Use them as they are.")
wrong("base-two", (SOFTMAX, "np.exp2(scores - scores.max(axis=-1, keepdims=True)) / np.exp2(scores - scores.max(axis=-1, keepdims=True)).sum(axis=-1, keepdims=True)"),
      says="your softmax uses powers of 2. It takes powers of e: the exponential function.")
wrong("sum-of-everything", (SOFTMAX, "np.exp(scores - scores.max(axis=-1, keepdims=True)) / np.exp(scores - scores.max(axis=-1, keepdims=True)).sum()"),
      says="your exponentials are divided by the sum over the whole array. Each row has a sum of its own.")
wrong("sum-without-keepdims", (SOFTMAX, "np.exp(scores - scores.max(axis=-1, keepdims=True)) / np.exp(scores - scores.max(axis=-1, keepdims=True)).sum(axis=-1)"),
      says="the sum of each row does not line up with its row: without keepdims=True it loses the axis it was taken along.")
wrong("values-and-keys-swapped", ("scores = query", "key, value = value, key\n    scores = query"), says="keys and values have changed places. Queries are compared with keys; the values are what is summed.")
wrong("averaged-over-heads", (GIVE, "return output, weights.mean(axis=1) if weights.ndim == 4 else weights"), says="with two leading axes, your weights are averaged over the second. Return them for each head.")
wrong("both-averaged-over-batch", (GIVE, "return (output.mean(axis=0), weights.mean(axis=0)) if weights.ndim > 2 else (output, weights)"),
      says="your results are averaged over the batch. Return them for each item.")
wrong("heads-beside-tokens", (GIVE, "return output.transpose(0, 2, 1, 3) if output.ndim == 4 else output, weights"),
      says="with two leading axes, heads and queries have changed places in your output. The leading axes stay in front.")
wrong("heads-merged", (GIVE, "return output.transpose(0, 2, 1, 3).reshape(output.shape[0], output.shape[2], -1) if output.ndim == 4 else output, weights"),
      says="with two leading axes, your output's heads are merged. That comes in unit 05: here the leading axes stay.")
wrong("heads-merged-by-reshape", (GIVE, "return output.reshape(output.shape[0], output.shape[2], -1) if output.ndim == 4 else output, weights"),
      says="with two leading axes, your output's heads are merged (and mixed with the queries). Here the leading axes stay.")
wrong("softmax-of-output", (SUM, "softmax(scores @ value, axis=-1)"), says="your output has been through a softmax. The softmax belongs to the scores, before the sum.")
wrong("unscaled-scores-returned", (GIVE, f"return output, query @ {TURNED}"), says="your second result is QKᵀ, the scores. Return the weights, after the softmax.")
wrong("scale-seq-q", (SCALE, " / query.shape[-2]"), says="your scores are divided by the number of queries. Divide by √d_k, with d_k the length of one key.")
wrong("scale-seq-k", (SCALE, " / key.shape[-2]"), says="your scores are divided by the number of keys. Divide by √d_k, with d_k the length of one key.")
wrong("scale-10", (SCALE, " / 10"), says="your scores are divided by a fixed number, 10. Divide by √d_k, and read d_k off the shape of the keys.")
wrong("no-scale+np-dot-twice", (SCALE, ""), (f"query @ {TURNED}", f"np.dot(query, {TURNED})"), (SUM, "np.dot(weights, value)"),
      says="two things at once: your scores are not divided by √d_k; and `np.dot` treats leading axes differently from `@`: it pairs every sequence of one argument with every sequence of the other.")
wrong("items-in-a-list", (GIVE, "return list(output), list(weights)"), says="lists of arrays come back. Stack each into one array.")
wrong("output-in-a-list", (GIVE, "return list(output), weights"), says="your outputs are a list of arrays. Stack them into one array.")
wrong("softmax-over-queries+in-place-keys", (SCALE, ""), (SOFTMAX, "softmax(scores, axis=-2)"), ("scores = query", "key /= np.sqrt(key.shape[-1])\n    scores = query"),
      says="your softmax runs over the queries, so columns sum to 1; and your code changes its argument `key` in place.")
wrong("largest-weight-one", (SOFTMAX, "np.exp(scores - scores.max(axis=-1, keepdims=True)) / np.exp(scores - scores.max(axis=-1, keepdims=True)).max(axis=-1, keepdims=True)"),
      says="the exponentials are divided by the largest of their row, not by the sum: the largest weight is 1.")
wrong("first-value-only", (SUM, "weights[..., :1] * value[..., :1, :]"), says="your outputs hold the first value's share only. The sum runs over all keys.")
wrong("last-value-only", (SUM, "weights[..., -1:] * value[..., -1:, :]"), says="your outputs hold the last value's share only: a loop overwrites the sum where it should add to it.")
wrong("reshaped-keys", (TURNED, "key.reshape(*key.shape[:-2], key.shape[-1], key.shape[-2])"),
      says="your keys have the shape of a transpose, but their numbers are in other places: reshape reads them row by row. Exchange the two axes instead.")
for number, letters in (("2", ""), ("3", "b"), ("4", "bh")):
    wrong(f"einsum-{number}-axes", (f"query @ {TURNED}", f'np.einsum("{letters}qd,{letters}kd->{letters}qk", query, key)'),
          says=f"your einsum names exactly {number} axes, so it works with {('no', 'one', 'two')[int(number) - 2]} leading {'axis' if number == '3' else 'axes'} only. There may be none, one or two.")
wrong("first-item-only", ("scores = query", "query, key, value = (a[0] if a.ndim > 2 else a for a in (query, key, value))\n    scores = query"),
      says="with a batch, only the first sequence is computed. Leading axes stay, and each item is computed by itself.")
wrong("first-item-for-all", (f"query @ {TURNED}", f"query @ {TURNED}[(0,) * (key.ndim - 2)]"),
      says="the queries of every sequence are compared with the keys of the first one. Each sequence has its own keys.")
wrong("batch-joined", ("scores = query", "query, key, value = (a.reshape(-1, a.shape[-1]) for a in (query, key, value))\n    scores = query"),
      says="the sequences of a batch are joined into one long sequence, so that tokens attend across sentences. Each item is computed by itself.")
wrong("one-leading-axis-only", ("scores = query", "query, key, value = (a[None] if a.ndim == 2 else a for a in (query, key, value))\n    scores = query"),
      says="where there is no leading axis, an extra one comes back. The results have the leading axes of the inputs.")
wrong("batch-joined-and-cut", ("scores = query", "leading = query.shape[:-1]; query, key, value = (a.reshape(-1, a.shape[-1]) for a in (query, key, value))\n    scores = query"),
      (GIVE, "return output.reshape(*leading, -1), weights.reshape(*leading, -1)"),
      says="the sequences of a batch are joined into one long sequence, so that tokens attend across sentences. Each item is computed by itself.")
wrong("heads-joined", ("scores = query", "query, key, value = (a.reshape(-1, *a.shape[-2:]) for a in (query, key, value))\n    scores = query"),
      says="your results have one leading axis. They have the leading axes of the inputs: none, one or two.")
wrong("averaged-over-batch", (GIVE, "return output, weights.mean(axis=0) if weights.ndim > 2 else weights"), says="your weights are averaged over the batch. Return them for each item.")
wrong("squeezed", (GIVE, "return np.squeeze(output), np.squeeze(weights)"), says="axes of length 1 are dropped (np.squeeze): a batch of one stays a batch.")
wrong("values-reversed", (SUM, "weights @ value[..., ::-1, :]"), says="your weights meet the values in the reverse order. Weight j belongs to value j.")
wrong("queries-centred", ("scores = query", "query = query - query.mean(axis=-2, keepdims=True)\n    scores = query"), says="the mean of all queries is subtracted from each. The formula takes them as they are.")
wrong("keys-features-centred", ("scores = query", "key = key - key.mean(axis=-1, keepdims=True)\n    scores = query"), says="each key has its own mean subtracted. The formula takes the keys as they are.")
wrong("batch-and-heads-exchanged", (SOFTMAX, "softmax(np.swapaxes(scores, 0, 1) if scores.ndim == 4 and scores.shape[0] == scores.shape[1] else scores, axis=-1)"), says="where there are as many heads as sequences, the two axes change places in your weights. Leading axes stay as they are.")
wrong("heads-averaged", (SUM, "(lambda o: np.broadcast_to(o.mean(axis=1, keepdims=True), o.shape) if o.ndim == 4 else o)(weights @ value)"), says="with two leading axes, each head gets the mean of all heads' outputs. Each head has its own.")
wrong("causal-where-as-long", (SOFTMAX, "softmax(np.where(np.tri(*scores.shape[-2:]) + (scores.shape[-2] != scores.shape[-1]) > 0, scores, -np.inf), axis=-1)"),
      says="where there are as many queries as keys, keys behind the query get no weight. That is a causal mask, which comes in unit 07: here every query sees all keys.")
wrong("keys-for-values-where-they-fit", (SUM, "weights @ (key if key.shape == value.shape else value)"), says="where the values have the shape of the keys, your output sums keys. It sums the values.")
wrong("batch-of-one-dropped", (GIVE, "return (output[0], weights[0]) if output.ndim > 2 and len(output) == 1 else (output, weights)"), says="a batch of one is dropped. It stays a batch, with an axis of length 1 in front.")
wrong("single-query-dropped", (GIVE, "return (output[..., 0, :], weights[..., 0, :]) if output.shape[-2] == 1 else (output, weights)"), says="with a single query, its axis is dropped. It stays, with length 1.")
wrong("two-leading-axes-at-most", ("scores = query", 'letters = {2: "", 3: "b", 4: "bh"}[query.ndim]\n    scores = query'), says="your code knows arrays of two, three and four axes only. There may be any number of leading axes.")
wrong("same-lengths", ("scores = query", "key, value = key[..., :query.shape[-2], :], value[..., :query.shape[-2], :]\n    scores = query"),
      says="keys beyond the number of queries are left out. seq_k may be larger than seq_q: the sum runs over all keys.")
wrong("scale-root-root", (SCALE, " / key.shape[-1] ** 0.25"),
      says="your scores are divided by the fourth root of d_k. Did the root of d_k go into one of Q and K only, as a root of a root?")
wrong("scaled-weights", (SCALE, ""), (SOFTMAX, "softmax(scores, axis=-1) / np.sqrt(key.shape[-1])"),
      says="the weights are divided by √d_k, and not the scores: your rows sum to 1/√d_k. Divide the scores, before the softmax.")
wrong("scaled-output", (SCALE, ""), (SUM, "weights @ value / np.sqrt(key.shape[-1])"),
      says="the outputs are divided by √d_k, and not the scores. Divide the scores, before the softmax.")
wrong("scaled-both", (SUM, "weights @ value / np.sqrt(key.shape[-1])"), says="the outputs are divided by √d_k as well. Only the scores are.")
wrong("scale-size", (SCALE, " / np.sqrt(key.size)"), says="your scores are divided by the root of the size of the whole key array. d_k is the length of one key.")
wrong("scale-d-model", (SCALE, " / np.sqrt(key.shape[-1] * (key.shape[1] if key.ndim == 4 else 1))"),
      says="with heads, your scores are divided by √d_model, the heads taken together. d_k is the length of a key of one head.")
for number in ("2", "np.sqrt(2)", "8"):
    wrong(f"scale-{number}", (SCALE, f" / {number}"),
          says=f"your scores are divided by a fixed number, {number.removeprefix('np.')}. Divide by √d_k, and read d_k off the shape of the keys.")
wrong("no-softmax", (SOFTMAX, "scores"), says="your weights are the scores themselves: the softmax is missing.")
wrong("sum-of-scores", (SUM, "scores @ value"), says="your weights are right, but your output is the scores times the values. Use the weights.")
wrong("exponentials", (SOFTMAX, "np.exp(scores)"), says="your weights are exp(scores): they are not divided by the sum of each row.")
wrong("linear-weights", (SOFTMAX, "scores / scores.sum(axis=-1, keepdims=True)"), says="your weights are the scores divided by their sum: the exponential is missing.")
wrong("naive-softmax", (SOFTMAX, "np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)"),
      says="exp of a large score overflows to infinity, and infinity / infinity is NaN. Use `softmax` from unit 02, which subtracts the maximum first.")
wrong("global-max", (SOFTMAX, "np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum(axis=-1, keepdims=True)"),
      says="your softmax subtracts the largest score of the whole array, and a row far below it becomes 0 / 0. Use `softmax` from unit 02, along the right axis.")
wrong("max-of-columns", (SOFTMAX, "np.exp(scores - scores.max(axis=-2, keepdims=True)) / np.exp(scores - scores.max(axis=-2, keepdims=True)).sum(axis=-1, keepdims=True)"),
      says="the maximum that your softmax subtracts is taken over the queries, and the sum over the keys. Both belong to the keys.")
wrong("sum-over-columns", (SOFTMAX, "np.exp(scores - scores.max(axis=-1, keepdims=True)) / np.exp(scores - scores.max(axis=-1, keepdims=True)).sum(axis=-2, keepdims=True)"),
      says="the sum that your softmax divides by is taken over the queries, and the maximum over the keys. Both belong to the keys.")
wrong("softmax-twice", (SOFTMAX, "softmax(softmax(scores, axis=-1), axis=-1)"), says="your weights have been through the softmax twice. Once is enough.")
wrong("log-weights", (SOFTMAX, "np.log(softmax(scores, axis=-1) + 1e-300)"), says="your weights are logarithms (log-softmax). Return the weights themselves.")
wrong("sigmoid", (SOFTMAX, "1 / (1 + np.exp(-np.clip(scores, -60, 60)))"), says="each score went through a sigmoid by itself. The softmax makes the weights of one query sum to 1.")
wrong("hard-choice", (SOFTMAX, "(scores == scores.max(axis=-1, keepdims=True)).astype(float)"),
      says="each query takes the one key with the largest score, with weight 1. The softmax gives every key a share.")
wrong("equal-weights", (SOFTMAX, "np.full(scores.shape, 1 / scores.shape[-1])"), says="all weights are equal: your output is the mean of the values, though the scores differ.")
wrong("floor-division", (SCALE, " // np.sqrt(key.shape[-1])"), says="`//` cuts your scores down to whole numbers. Divide with `/`.")
wrong("scores-through-tanh", (SOFTMAX, "softmax(np.tanh(scores), axis=-1)"), says="your scores go through tanh before the softmax. The dot-product score has no tanh; additive scores do.")
wrong("no-negative-scores", (SOFTMAX, "softmax(np.maximum(scores, 0), axis=-1)"), says="negative scores are set to 0 before the softmax (a ReLU). Leave the scores as they are.")
wrong("divided-by-seq-k", (SUM, "weights @ value / key.shape[-2]"), says="your outputs are divided by the number of keys. The weights sum to 1 already.")
wrong("first-query-for-all", (SOFTMAX, "np.repeat(softmax(scores, axis=-1)[..., :1, :], query.shape[-2], axis=-2)"), says="every query gets the first query's weights. Row i belongs to query i.")
wrong("softmax-axis-2", (SOFTMAX, "softmax(scores, axis=2)"), says="your softmax runs along axis 2, which is the keys only where exactly one axis stands in front. The keys are the last axis.")
wrong("softmax-axis-3", (SOFTMAX, "softmax(scores, axis=3)"), says="your softmax runs along axis 3, which is there only where two axes stand in front. The keys are the last axis.")
wrong("scale-axis-2", (SCALE, " / np.sqrt(key.shape[2])"), says="√d_k is read off axis 2 of the keys, which is d_k only where exactly one axis stands in front. d_k is the last axis.")
wrong("scale-axis-3", (SCALE, " / np.sqrt(key.shape[3])"), says="√d_k is read off axis 3 of the keys, which is there only where two axes stand in front. d_k is the last axis.")
for name, edit, seen in [("no-softmax", (SOFTMAX, "scores"), "the softmax is missing"), ("keys-as-values", (SUM, "weights @ key"), "your output sums the keys, not the values"),
                         ("exponentials", (SOFTMAX, "np.exp(scores)"), "exp(scores) is not divided by the sum of each row"),
                         ("causal", (SOFTMAX, "softmax(np.where(np.tril(np.ones(scores.shape[-2:], dtype=bool)), scores, -np.inf), axis=-1)"),
                          "keys after the query's own position get no weight (there is no mask in this exercise)")]:
    wrong(f"no-scale+{name}", (SCALE, ""), edit, says=f"two things at once: your scores are not divided by √d_k; and {seen}.")
wrong("half-precision-throughout", ("scores = query", "query, key = query.astype(np.float16), key.astype(np.float16)\n    scores = query"),
      says="queries and keys are in half precision (float16): about three digits, and large scores overflow. Keep float32 or float64.")
for digits in (1, 2, 3):
    wrong(f"rounded-{digits}", (GIVE, f"return np.round(output, {digits}), np.round(weights, {digits})"), says="your results are rounded. Return them as they are.")
wrong("whole-numbers", (GIVE, "return output.astype(int), weights.astype(int)"), says="your results are cut to whole numbers. Return floats.")
wrong("causal", (SOFTMAX, "softmax(np.where(np.tril(np.ones(scores.shape[-2:], dtype=bool)), scores, -np.inf), axis=-1)"),
      says="keys after the query's own position get no weight. That is a causal mask, which comes in unit 07: here every query sees all keys.")
wrong("causal-by-zeros", (SOFTMAX, "softmax(np.tril(scores), axis=-1)"),
      says="scores of keys after the query's own position are set to 0. There is no mask in this exercise: every query sees all keys.")
wrong("last-key-missing", (SUM, "weights[..., :-1] @ value[..., :-1, :]"), says="your sum leaves out the last value: a loop over the keys ends one too early.")
wrong("first-key-missing", (SUM, "weights[..., 1:] @ value[..., 1:, :]"), says="your sum leaves out the first value: a loop over the keys starts at 1, not at 0.")
wrong("last-row-missing", (SUM, "np.concatenate([(weights @ value)[..., :-1, :], np.zeros_like((weights @ value)[..., :1, :])], axis=-2)"),
      says="the last query's output is 0: a loop over the queries ends one too early.")
wrong("last-item-missing", (SUM, "(weights @ value) * (1 if value.ndim == 2 else np.arange(1, len(value) + 1).reshape(-1, *[1] * (value.ndim - 1)) < len(value))"),
      says="the outputs of the last item of the batch are 0: a loop over the batch ends one too early.")
wrong("first-output-only", (GIVE, "return output[..., 0, :], weights[..., 0, :]"), says="only the first query's output comes back. Return all of them, one a row.")
wrong("summed-outputs", (GIVE, "return output.sum(axis=-2), weights"), says="the outputs of all queries are added up. Return one output a query, one a row.")
wrong("lists", (GIVE, "return output.tolist(), weights.tolist()"), says="nested lists come back. Return NumPy arrays.")
wrong("named", (GIVE, "return dict(output=output, weights=weights)"), says="a dict comes back. Return the two arrays as a tuple: output, weights.")
wrong("nothing-returned", (GIVE, "pass"), says="nothing comes back: the `return` is missing.")
wrong("in-place-queries", (SCALE, ""), ("scores = query", "query /= np.sqrt(key.shape[-1])\n    scores = query"),
      says="your numbers are right, but your code changes its argument `query`: `/=` and `*=` work in place. Write the result into a new array.")
wrong("in-place-keys", (SCALE, ""), ("scores = query", "key /= np.sqrt(key.shape[-1])\n    scores = query"),
      says="your numbers are right, but your code changes its argument `key`: `/=` and `*=` work in place. Write the result into a new array.")
wrong("negative-scores", ("scores = query", "scores = -query"), says="your scores have the opposite sign: the key that fits worst gets the largest weight.")
wrong("cosines", (f"query @ {TURNED}", "(query / np.linalg.norm(query, axis=-1, keepdims=True)) @ np.swapaxes(key / np.linalg.norm(key, axis=-1, keepdims=True), -2, -1)"),
      says="your scores are cosines: queries and keys are brought to length 1 first. Here a score is the plain dot product.")

@wrong("loop-over-one-batch-axis", says="your loop treats the first axis as a batch, even where there is none. Leading axes may be none, one or two.")
def loop_over_one_batch_axis(query, key, value):
    outputs, weights = [], []
    for q, k, v in zip(query, key, value, strict=True):
        w = softmax(q @ k.T / np.sqrt(k.shape[-1]), axis=-1)
        outputs.append(w @ v)
        weights.append(w)
    return np.stack(outputs), np.stack(weights)

@right
def einsum(query, key, value):
    weights = softmax(np.einsum("...qd,...kd->...qk", query, key) * key.shape[-1] ** -0.5)
    return np.einsum("...qk,...kd->...qd", weights, value), weights

@right
def every_item_by_loops(query, key, value):
    leading = query.shape[:-2]
    output = np.zeros((*leading, query.shape[-2], value.shape[-1]))
    weights = np.zeros((*leading, query.shape[-2], key.shape[-2]))
    for place in np.ndindex(*leading):
        for i, q in enumerate(query[place]):
            scores = np.array([float(np.dot(q, k)) for k in key[place]]) / np.sqrt(len(q))
            weights[(*place, i)] = np.exp(scores - max(scores)) / sum(np.exp(scores - max(scores)))
            output[(*place, i)] = sum(w * v for w, v in zip(weights[(*place, i)], value[place], strict=True))
    return output, weights

@right
def flat_batch(query, key, value):
    q, k, v = (a.reshape(-1, *a.shape[-2:]) for a in (query, key, value))
    weights = softmax(np.matmul(q, k.transpose(0, 2, 1)) / np.sqrt(q.shape[2]), axis=2)
    output = np.stack([w @ one for w, one in zip(weights, v, strict=True)])
    return [output.reshape(*query.shape[:-1], value.shape[-1]), weights.reshape(*query.shape[:-1], key.shape[-2])]

@right
def single_precision(q, k, v):
    q, k, v = q.astype(np.float32), k.astype(np.float32), v.astype(np.float32)
    scores = (q * np.float32(q.shape[-1] ** -0.5)) @ np.moveaxis(k, -1, -2)
    scores -= scores.max(-1, keepdims=True)
    scores = np.exp(scores)
    return (scores @ v) / scores.sum(-1, keepdims=True), scores / scores.sum(-1, keepdims=True)

@right
def recursion(query, key, value):
    if query.ndim > 2:
        both = [recursion(*item) for item in zip(query, key, value, strict=True)]
        return np.stack([output for output, _ in both]), np.stack([weights for _, weights in both])
    weights = softmax(query.dot(key.T) / np.sqrt(query.shape[1]))
    return weights.dot(value), weights

@right
def vectorised(query, key, value):
    one = np.vectorize(lambda q, k: q @ k.T / np.sqrt(q.shape[-1]), signature="(q,d),(k,d)->(q,k)")
    weights = softmax(one(query, key), axis=-1)
    return np.matmul(weights, value), weights

@right
def broadcast(query, key, value):
    scores = (query[..., :, None, :] * key[..., None, :, :]).sum(axis=-1) / np.sqrt(query.shape[-1])
    weights = softmax(scores, axis=-1)
    return (weights[..., None] * value[..., None, :, :]).sum(axis=-2), weights

@truth
def by_torch(query, key, value):
    import torch
    return tuple(found.numpy() for found in attention_and_weights(*map(torch.from_numpy, (query, key, value))))

truth(use_part("scaled_dot_product_attention"))
