"""What the checks of unit 05 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% exercise="two_head_attention" part="library"
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def two_head_attention(a: Tensor, heads: list[tuple[Tensor, Tensor, Tensor]], W_o: Tensor) -> Tensor:
    """PyTorch's fused attention over all heads at once."""
    query, key, value = (torch.matmul(a, torch.stack(matrices)) for matrices in zip(*heads, strict=True))
    answers = F.scaled_dot_product_attention(query, key, value)
    return torch.einsum("hnd,hdo->no", answers, W_o.view(len(heads), -1, W_o.shape[-1]))


def gradients_of(matrices: dict[str, Tensor], output: Tensor | list[Tensor]) -> dict[str, Tensor] | None:
    """What reaches each of the matrices from cos(0)·output[0] + cos(1)·output[1] + ...; None where nothing flows back."""
    tensors = [output] if isinstance(output, Tensor) else list(output) if isinstance(output, (list, tuple)) else []
    if not tensors or not all(isinstance(tensor, Tensor) and tensor.requires_grad for tensor in tensors):
        return None
    joined = torch.cat([tensor.flatten().double() for tensor in tensors])
    (joined * torch.cos(torch.arange(len(joined), dtype=torch.float64))).sum().backward()
    return {name: torch.zeros_like(matrix) if matrix.grad is None else matrix.grad for name, matrix in matrices.items()}


def gradients_of_heads(a: Tensor, heads: list[list[Tensor]], W_o: Tensor) -> Any:
    """The matrices of the heads, of which each wants its gradient."""
    from autograder.formats.fixtures import Driver

    learned = [tuple(matrix.clone().requires_grad_() for matrix in head) for head in heads]
    names = [f"{name} of head {number}" for number in range(1, len(heads) + 1) for name in ("W_q", "W_k", "W_v")]
    matrices = dict(zip(names, (matrix for head in learned for matrix in head), strict=True))
    return Driver(lambda function: gradients_of(matrices, function(a, learned, W_o)))

# %% exercise="two_head_attention" part="variants"
def drawn_heads(rng, number, d_in, d_head):
    return [tuple(floats(rng, d_in, d_head, scale=1.5 / d_in**0.5) for _ in range(3)) for _ in range(number)]

@cases(dict(n=3, d_in=5, d_head=2, d_out=6), dict(n=7, d_in=3, d_head=5, d_out=2))
def two_heads(rng, n, d_in, d_head, d_out):
    """{n} tokens of length {d_in}, two heads of length {d_head}"""
    return dict(a=floats(rng, n, d_in), heads=drawn_heads(rng, 2, d_in, d_head), W_o=floats(rng, 2 * d_head, d_out))

@cases(dict(n=4, d_in=7, d_head=3, d_out=5))
def three_heads(rng, n, d_in, d_head, d_out):
    """{n} tokens of length {d_in}, three heads of length {d_head}"""
    return dict(a=floats(rng, n, d_in), heads=drawn_heads(rng, 3, d_in, d_head), W_o=floats(rng, 3 * d_head, d_out))

@cases(dict(n=5, d_in=2, d_head=4, d_out=3))
def one_head(rng, n, d_in, d_head, d_out):
    """{n} tokens of length {d_in}, a single head of length {d_head}"""
    return dict(a=floats(rng, n, d_in), heads=drawn_heads(rng, 1, d_in, d_head), W_o=floats(rng, d_head, d_out))

@cases()
def the_example(rng):
    """the example in numbers from the text"""
    eye, swap, root = torch.eye(2), torch.tensor([[0.0, 1.0], [1.0, 0.0]]), 2**0.5 * math.log(3)
    W_o = torch.tensor([[4.0, 0.0], [0.0, 4.0], [0.0, 1.0], [1.0, 0.0]])
    return dict(a=torch.eye(2), heads=[(root * eye, eye, eye), (root * swap, eye, 4 * eye)], W_o=W_o)

@cases()
def square(rng):
    """5 tokens of length 4, two heads of length 2, a square W_o"""
    return dict(a=floats(rng, 5, 4), heads=drawn_heads(rng, 2, 4, 2), W_o=floats(rng, 4, 4))

@cases()
def all_square(rng):
    """4 tokens of length 4, two heads of length 4"""
    return dict(a=floats(rng, 4, 4), heads=drawn_heads(rng, 2, 4, 4), W_o=floats(rng, 8, 4))

@cases()
def large_scores(rng):
    """one row of scores in the hundreds, another around 0"""
    tokens = floats(rng, 3, 4, scale=0.5)
    tokens[0, 0], tokens[1, 0] = 24.0, 14.0
    heads = [(torch.eye(4, 2) + floats(rng, 4, 2, scale=0.1), torch.eye(4, 2) + floats(rng, 4, 2, scale=0.1), floats(rng, 4, 2) / 8) for _ in range(2)]
    return dict(a=tokens, heads=heads, W_o=floats(rng, 4, 5))

@cases(dict(n=4, d_in=3, d_head=2, d_out=5))
def with_gradients(rng, n, d_in, d_head, d_out):
    """{n} tokens of length {d_in}, two heads of length {d_head}, gradients"""
    return differentiable(a=floats(rng, n, d_in), heads=drawn_heads(rng, 2, d_in, d_head), W_o=floats(rng, 2 * d_head, d_out))

@cases()
def gradients_of_each_matrix(rng):
    """what each head's matrices learn: their gradients"""
    return dict(heads=fixture("gradients_of_heads", a=floats(rng, 4, 3), heads=[list(head) for head in drawn_heads(rng, 2, 3, 2)], W_o=floats(rng, 4, 5)))

NO_GRADIENT = "the numbers are right, but no gradient flows back through them, or not on every way: `detach`, `.data`, `no_grad`, `torch.tensor(...)` of what was computed or a trip through NumPy cuts it, so the matrices before that could not learn."
for name, line in (("queries", "query"), ("keys", "key"), ("values", "value")):
    wrong(f"gradient-cut-at-{name}", ("a @ W_v  # (n, d_head)\n", f"a @ W_v  # (n, d_head)\n        {line} = {line}.detach()\n"), says=NO_GRADIENT)
wrong("gradient-cut-at-matrices", ("a @ W_q, a @ W_k, a @ W_v", "a @ W_q.detach(), a @ W_k.detach(), a @ W_v.detach()"), says=NO_GRADIENT)
wrong("gradient-cut-at-weights", ("weights = torch.softmax(scores, dim=-1)", "weights = torch.softmax(scores, dim=-1).detach()"), says=NO_GRADIENT)
wrong("gradient-cut-at-heads", ("answers.append(weights @ value)", "answers.append((weights @ value).detach())"), says=NO_GRADIENT)
wrong("gradient-cut", ("torch.cat(answers, dim=-1) @ W_o", "(torch.cat(answers, dim=-1) @ W_o).detach()"), says=NO_GRADIENT)
wrong("first-head-empty", ("torch.cat(answers, dim=-1)", "torch.cat([0 * answers[0], *answers[1:]], dim=-1)"),
      says="the first head of the list adds nothing to your output: its numbers are 0. The loop begins at head 0.")
wrong("last-head-empty", ("torch.cat(answers, dim=-1)", "torch.cat([*answers[:-1], 0 * answers[-1]], dim=-1)"),
      says="the last head of the list adds nothing to your output: its numbers are 0. The loop goes on to the end of the list.")
wrong("softmax-over-keys-of-all-heads", ("torch.cat(answers, dim=-1) @ W_o", "torch.cat([w @ (a @ h[2]) for w, h in zip(torch.softmax(torch.cat([a @ h[0] @ (a @ h[1]).T / math.sqrt(h[0].shape[1]) for h in heads], dim=1), dim=1).chunk(len(heads), dim=1), heads)], dim=-1) @ W_o"),
      says="your softmax runs over the scores of all heads together, so that the heads share one weight among them; each head has a softmax of its own over its keys.")
for name, edit, own in (("queries", "a @ heads[-1][0], a @ W_k, a @ W_v", "W_q"), ("keys", "a @ W_q, a @ heads[-1][1], a @ W_v", "W_k"), ("values", "a @ W_q, a @ W_k, a @ heads[-1][2]", "W_v")):
    wrong(f"last-{name}-for-all", ("a @ W_q, a @ W_k, a @ W_v", edit), says=f"all your heads use the last head's {name}; each head has its own {own}.")
wrong("no-scale", (" / math.sqrt(query.shape[-1])", ""),
      says="your output equals the one without the scale: each head's scores must be divided by √d_head before the softmax.")
wrong("scale-d-head", ("math.sqrt(query.shape[-1])", "query.shape[-1]"),
      says="your output equals the one with scores divided by d_head; divide by its square root.")
wrong("scale-n", ("math.sqrt(query.shape[-1])", "math.sqrt(query.shape[0])"),
      says="your scores are divided by the root of the number of tokens; the scale is the root of d_head, the length of one head's queries and keys.")
wrong("scale-d-in", ("math.sqrt(query.shape[-1])", "math.sqrt(a.shape[-1])"),
      says="your scores are divided by √d_in, the root of the tokens' length; divide by √d_head, the root of the length of one head's queries.")
wrong("scale-full-width", ("math.sqrt(query.shape[-1])", "math.sqrt(W_o.shape[0])"),
      says="your scores are divided by the root of the full width (all heads together); each head is scaled by the root of its own length, √d_head.")
wrong("scale-d-out", ("math.sqrt(query.shape[-1])", "math.sqrt(W_o.shape[1])"),
      says="your scores are divided by √d_out; the output's length has no say here. Divide by √d_head.")
wrong("scale-num-heads", ("math.sqrt(query.shape[-1])", "math.sqrt(len(heads))"),
      says="your scores are divided by the root of the number of heads; divide by √d_head, the root of the length of one head's queries.")
wrong("scale-two", ("math.sqrt(query.shape[-1])", "math.sqrt(2)"),
      says="your scores are always divided by √2. That is the example's √d_head; take d_head from the matrices you are given.")
wrong("scale-multiplied", (" / math.sqrt", " * math.sqrt"),
      says="your scores are multiplied by √d_head; divide by it.")
wrong("scaled-after-softmax", (" / math.sqrt(query.shape[-1])", ""), ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=-1) / math.sqrt(query.shape[-1])"),
      says="you divide by √d_head after the softmax, so your weights no longer sum to 1: scale the scores before it.")
wrong("softmax-over-queries", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=0)"),
      says="your softmax runs over the queries (down the columns). Here each query is a row, and its weights over the keys sum to 1.")
wrong("no-softmax", ("torch.softmax(scores, dim=-1)", "scores"),
      says="the softmax is missing: the scaled scores themselves are used as weights.")
wrong("softmax-whole-table", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores.flatten(), dim=0).reshape(scores.shape)"),
      says="your softmax runs over the whole table of scores; each query's row must sum to 1 by itself.")
wrong("not-stable", ("torch.softmax(scores, dim=-1)", "torch.exp(scores) / torch.exp(scores).sum(dim=-1, keepdim=True)"),
      says="your softmax overflows on large scores: exp gives infinity, and infinity / infinity is NaN. Subtract each row's maximum first, or use torch.softmax.")
wrong("exp-not-normalised", ("torch.softmax(scores, dim=-1)", "torch.exp(scores)"),
      says="your weights are the exponentials of the scores; each row must still be divided by its sum.")
wrong("query-key-swapped", ("query @ key.T", "key @ query.T"),
      says="queries and keys have changed places: entry (i, j) of the scores must be query i times key j.")
wrong("key-is-query", ("a @ W_q, a @ W_k, a @ W_v", "a @ W_q, a @ W_q, a @ W_v"),
      says="your keys are made with W_q; they have a matrix of their own, W_k.")
wrong("query-is-key", ("a @ W_q, a @ W_k, a @ W_v", "a @ W_k, a @ W_k, a @ W_v"),
      says="your queries are made with W_k; they have a matrix of their own, W_q.")
wrong("value-is-key", ("weights @ value", "weights @ key"),
      says="your heads sum the keys; the weights belong on the values, made with W_v.")
wrong("value-is-query", ("weights @ value", "weights @ query"),
      says="your heads sum the queries; the weights belong on the values, made with W_v.")
wrong("value-is-token", ("weights @ value", "(weights @ a)[:, : value.shape[-1]] if a.shape[-1] >= value.shape[-1] else weights @ value"),
      says="your heads sum the tokens themselves; the weights belong on the values, a times W_v.")
wrong("key-value-swapped", ("a @ W_q, a @ W_k, a @ W_v", "a @ W_q, a @ W_v, a @ W_k"),
      says="your keys and values have changed places: each head's tuple is (W_q, W_k, W_v).")
wrong("tuple-order-kqv", ("for W_q, W_k, W_v in heads", "for W_k, W_q, W_v in heads"),
      says="queries and keys have changed places: entry (i, j) of the scores must be query i times key j.")
wrong("tuple-order-vkq", ("for W_q, W_k, W_v in heads", "for W_v, W_k, W_q in heads"),
      says="your queries and values have changed places: each head's tuple is (W_q, W_k, W_v).")
wrong("tuple-order-rotated", ("for W_q, W_k, W_v in heads", "for W_k, W_v, W_q in heads"),
      says="the three matrices of a head are taken in the wrong order: each tuple is (W_q, W_k, W_v).")
wrong("tuple-order-rotated-back", ("for W_q, W_k, W_v in heads", "for W_v, W_q, W_k in heads"),
      says="the three matrices of a head are taken in the wrong order: each tuple is (W_q, W_k, W_v).")
wrong("weights-transposed", ("weights @ value", "weights.T @ value"),
      says="your weights are transposed before the sum over the values: output i must use row i of the weights.")
wrong("no-output-matrix", ("torch.cat(answers, dim=-1) @ W_o", "torch.cat(answers, dim=-1)"),
      says="you return the heads side by side; the output matrix W_o, which mixes them, is left out.")
wrong("output-matrix-transposed", ("@ W_o\n", "@ W_o.T\n"),
      says="W_o is used transposed. In row convention the row of joined heads stands on the left: joined @ W_o.")
wrong("output-matrix-twice", ("@ W_o\n", "@ W_o @ W_o\n"),
      says="W_o is applied twice; once is enough.")
wrong("heads-summed", ("torch.cat(answers, dim=-1) @ W_o", "sum(answers) @ W_o[: answers[0].shape[-1]]"),
      says="your heads' answers are added up and only a part of W_o is used; they belong side by side, so that W_o sees each head by itself.")
wrong("heads-averaged", ("torch.cat(answers, dim=-1) @ W_o", "(sum(answers) / len(answers)) @ W_o[: answers[0].shape[-1]]"),
      says="your heads' answers are averaged and only a part of W_o is used; they belong side by side, so that W_o sees each head by itself.")
wrong("heads-summed-whole", ("torch.cat(answers, dim=-1) @ W_o", "sum(answers) @ W_o"),
      says="what meets W_o is only d_head wide: the heads' answers are added up, or one head alone is there. All heads belong side by side, along the features.")
wrong("heads-stacked-down", ("torch.cat(answers, dim=-1) @ W_o", "torch.cat(answers, dim=0) @ W_o"),
      says="your heads are joined along the tokens (one below the other); they belong side by side, along the features.")
wrong("heads-stacked-new-axis", ("torch.cat(answers, dim=-1) @ W_o", "torch.stack(answers) @ W_o"),
      says="`torch.stack` puts the heads along a new axis; they belong side by side along the features, which already exist.")
wrong("heads-reshaped", ("torch.cat(answers, dim=-1) @ W_o", "torch.stack(answers).reshape(a.shape[0], -1) @ W_o"),
      says="your heads are stacked and reshaped, so rows of different tokens run together: token 0's row must hold head 0 of token 0, then head 1 of token 0.")
wrong("heads-interleaved", ("torch.cat(answers, dim=-1) @ W_o", "torch.stack(answers, dim=-1).flatten(1) @ W_o"),
      says="your heads' features alternate (head 0, head 1, head 0, ...); the whole of head 0 comes first, then the whole of head 1.")
wrong("heads-reversed", ("torch.cat(answers, dim=-1)", "torch.cat(answers[::-1], dim=-1)"),
      says="your heads stand side by side in reverse; the first head of the list comes first.")
wrong("first-head-repeated", ("torch.cat(answers, dim=-1)", "torch.cat([answers[0]] * len(heads), dim=-1)"),
      says="every head's answer is the first head's; each must use its own three matrices.")
wrong("last-head-repeated", ("torch.cat(answers, dim=-1)", "torch.cat([answers[-1]] * len(heads), dim=-1)"),
      says="every head's answer is the last head's; each must use its own three matrices.")
wrong("first-head-only", ("torch.cat(answers, dim=-1) @ W_o", "answers[0] @ W_o[: answers[0].shape[-1]]"),
      says="only the first head reaches the output; go through all of them.")
wrong("last-head-only", ("torch.cat(answers, dim=-1) @ W_o", "answers[-1] @ W_o[-answers[-1].shape[-1] :]"),
      says="only the last head reaches the output; keep each head's answer until all are done.")
wrong("two-heads-only", ("in heads:", "in heads[:2]:"),
      says="only the first two heads are used; the list may hold any number of them.")
wrong("returns-too-early", ("        answers.append(weights @ value)\n", "        answers.append(weights @ value)\n        break\n"),
      says="what meets W_o is only d_head wide: the heads' answers are added up, or one head alone is there. All heads belong side by side, along the features.")
wrong("shared-weights", ("    for W_q, W_k, W_v in heads:\n        query, key, value = a @ W_q, a @ W_k, a @ W_v", "    for _, _, W_v in heads:\n        query, key, value = a @ heads[0][0], a @ heads[0][1], a @ W_v"),
      says="all your heads use the first head's weights; each head has its own queries and keys.")
wrong("one-wide-head", ("torch.cat(answers, dim=-1) @ W_o", "torch.softmax(torch.cat([a @ h[0] for h in heads], 1) @ torch.cat([a @ h[1] for h in heads], 1).T / math.sqrt(W_o.shape[0]), dim=-1) @ torch.cat([a @ h[2] for h in heads], 1) @ W_o"),
      says="your heads are joined before the softmax, which makes one wide head with one set of weights; each head needs a softmax of its own.")
wrong("average-weights", ("torch.cat(answers, dim=-1) @ W_o", "sum(torch.softmax(a @ h[0] @ (a @ h[1]).T / math.sqrt(h[0].shape[1]), -1) for h in heads) / len(heads) @ torch.cat([a @ h[2] for h in heads], 1) @ W_o"),
      says="your heads share one averaged set of weights; each head's values are summed with that head's own weights.")
wrong("one-after-the-other", ("        answers.append(weights @ value)\n", "        answers.append(weights @ value)\n        a = answers[-1]\n"),
      says="your second head reads the first head's answer; all heads read the tokens `a`.")
wrong("residual", ("torch.cat(answers, dim=-1) @ W_o", "torch.cat(answers, dim=-1) @ W_o + (a if a.shape[-1] == W_o.shape[-1] else 0)"),
      says="you add the tokens to the output (a residual connection); that comes in unit 08, not here.")
wrong("no-projection", ("query, key, value = a @ W_q, a @ W_k, a @ W_v", "query, key, value = (a[:, : W_q.shape[1]],) * 3"),
      says="the tokens are used as they are; each head projects them with its own W_q, W_k and W_v first.")
wrong("causal", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores.masked_fill(torch.ones_like(scores).triu(1) > 0, -torch.inf), dim=-1)"),
      says="your tokens see only themselves and earlier ones (a causal mask); here every token may look at every other.")
wrong("column-convention", ("a @ W_q, a @ W_k, a @ W_v", "(W_q.T @ a.T).T.contiguous(), a @ W_k, a @ W_v"), ("query @ key.T", "query.T @ key"), ("math.sqrt(query.shape[-1])", "math.sqrt(query.shape[-1])"), ("weights @ value", "value @ weights.T"),
      says="your scores compare features with features, (d_head, d_head): in row convention the scores are query times key transposed, (n, n).")
wrong("not-transposed", ("query @ key.T", "query @ key"),
      says="query times key as they are multiplies (n, d_head) by (n, d_head), which does not fit: the keys must be transposed.")
wrong("weight-matrix-transposed", ("a @ W_q, a @ W_k, a @ W_v", "a @ W_q.T, a @ W_k.T, a @ W_v.T"),
      says="the heads' matrices are used transposed. In row convention a token stands on the left, a @ W, and W is (d_in, d_head).")
wrong("matrix-on-the-left", ("a @ W_q, a @ W_k, a @ W_v", "W_q @ a, W_k @ a, W_v @ a"),
      says="the matrices stand on the left, W @ a, as in the lecture's column convention; here a token is a row, so it is a @ W.")
wrong("elementwise", ("query @ key.T", "query * key"),
      says="`*` multiplies entry by entry; a query meets every key by a matrix product, query times key transposed.")
wrong("no-scale-softmax-queries", (" / math.sqrt(query.shape[-1])", ""), ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=0)"),
      says="two things at once: the scale 1/√d_head is missing, and the softmax runs over the queries instead of the keys.")
wrong("no-scale-no-output-matrix", (" / math.sqrt(query.shape[-1])", ""), ("torch.cat(answers, dim=-1) @ W_o", "torch.cat(answers, dim=-1)"),
      says="two things at once: the scale 1/√d_head is missing, and so is the output matrix W_o.")
wrong("no-scale-reversed", (" / math.sqrt(query.shape[-1])", ""), ("torch.cat(answers, dim=-1)", "torch.cat(answers[::-1], dim=-1)"),
      says="two things at once: the scale 1/√d_head is missing, and the heads stand side by side in reverse.")
wrong("global-max", ("torch.softmax(scores, dim=-1)", "torch.exp(scores - scores.max()) / torch.exp(scores - scores.max()).sum(dim=-1, keepdim=True)"),
      says="your softmax subtracts the largest score of the whole table, so a row far below it becomes 0/0, NaN. Subtract each row's own maximum, or use torch.softmax.")
wrong("no-keepdim", ("torch.softmax(scores, dim=-1)", "(lambda e: e / e.sum(dim=1))(torch.exp(scores - scores.max(dim=1, keepdim=True).values))"),
      says="your exponentials are divided by the sums of other rows: without keepdim=True the sums stand along the columns. Each row is divided by its own sum.")
wrong("sums-of-columns", ("torch.softmax(scores, dim=-1)", "(lambda e: e / e.sum(dim=0))(torch.exp(scores - scores.max(dim=1, keepdim=True).values))"),
      says="your exponentials are divided by the sums of the columns; each query's row is divided by its own sum.")
wrong("not-itself", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores.clone().fill_diagonal_(-1e9), dim=-1)"),
      says="your tokens do not look at themselves; the sum goes over all tokens, the token itself included.")
wrong("scale-negative", ("math.sqrt(query.shape[-1])", "-math.sqrt(query.shape[-1])"),
      says="your scores have the wrong sign, so the least fitting key gets the most weight.")
wrong("scale-fourth-root", ("math.sqrt(query.shape[-1])", "query.shape[-1] ** 0.25"),
      says="your scores are divided by the fourth root of d_head; divide by √d_head.")
wrong("scale-squared", ("math.sqrt(query.shape[-1])", "query.shape[-1] ** 2"),
      says="your scores are divided by d_head²; divide by √d_head.")
wrong("scale-eight", ("math.sqrt(query.shape[-1])", "8"),
      says="your scores are always divided by 8 (= √64); take d_head from the matrices you are given.")
wrong("scale-by-two", ("math.sqrt(query.shape[-1])", "2"),
      says="your scores are always divided by 2 (= √4); take d_head from the matrices you are given.")
wrong("scale-size", ("math.sqrt(query.shape[-1])", "math.sqrt(a.shape[0] * query.shape[-1])"),
      says="your scores are divided by the root of n·d_head; divide by √d_head alone.")
joint = "torch.softmax(torch.cat([a @ h[0] for h in heads], 1) @ torch.cat([a @ h[1] for h in heads], 1).T{}, dim=-1) @ torch.cat([a @ h[2] for h in heads], 1) @ W_o"
for name, factor in (("scaled", " / math.sqrt(query.shape[-1])"), ("unscaled", "")):
    wrong(f"one-wide-head-{name}", ("torch.cat(answers, dim=-1) @ W_o", joint.format(factor)),
          says="your heads are joined before the softmax, which makes one wide head with one set of weights; each head needs a softmax of its own.")
wrong("values-shared", ("a @ W_q, a @ W_k, a @ W_v", "a @ W_q, a @ W_k, a @ heads[0][2]"),
      says="all your heads sum the first head's values; each head has its own W_v.")
wrong("queries-shared", ("a @ W_q, a @ W_k, a @ W_v", "a @ heads[0][0], a @ W_k, a @ W_v"),
      says="all your heads use the first head's queries; each head has its own W_q.")
wrong("keys-shared", ("a @ W_q, a @ W_k, a @ W_v", "a @ W_q, a @ heads[0][1], a @ W_v"),
      says="all your heads use the first head's keys; each head has its own W_k.")
wrong("softmax-over-heads", ("torch.cat(answers, dim=-1) @ W_o", "torch.cat([w @ (a @ h[2]) for w, h in zip(torch.softmax(torch.stack([a @ h[0] @ (a @ h[1]).T / math.sqrt(h[0].shape[1]) for h in heads]), dim=0), heads)], dim=-1) @ W_o"),
      says="your softmax runs over the heads, so the heads share one weight among them; it runs over the keys, in each head by itself.")
wrong("output-transposed", ("@ W_o\n", "@ W_o).T\n"), ("return torch.cat", "return (torch.cat"),
      says="your output is transposed; a token is a row: (n, d_out).")

@wrong("unpacks-two", says="your code is written for exactly two heads and stops with three or one; go through the list, however long it is.")
def unpacks_two(a, heads, W_o):
    one, two = heads
    return torch.cat([torch.softmax(a @ q @ (a @ k).T / math.sqrt(q.shape[1]), -1) @ (a @ v) for q, k, v in (one, two)], -1) @ W_o

@wrong("indexes-two", says="your code is written for exactly two heads and stops with three or one; go through the list, however long it is.")
def indexes_two(a, heads, W_o):
    return torch.cat([torch.softmax(a @ q @ (a @ k).T / math.sqrt(q.shape[1]), -1) @ (a @ v) for q, k, v in (heads[0], heads[1])], -1) @ W_o

names_of_scale = {"no-scale": ("", "the scale 1/√d_head is missing"), "scale-d-head": (" / query.shape[-1]", "the scores are divided by d_head, not by its root"),
                  "scale-d-in": (" / math.sqrt(a.shape[-1])", "the scores are divided by √d_in, not by √d_head"), "scale-full-width": (" / math.sqrt(W_o.shape[0])", "the scores are divided by the root of all heads' width, not by √d_head")}
second_mistakes = {
    "softmax-over-queries": (("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=0)"), "the softmax runs over the queries instead of the keys"),
    "no-output-matrix": (("torch.cat(answers, dim=-1) @ W_o", "torch.cat(answers, dim=-1)"), "the output matrix W_o is left out"),
    "heads-reversed": (("torch.cat(answers, dim=-1)", "torch.cat(answers[::-1], dim=-1)"), "the heads stand side by side in reverse"),
    "heads-reshaped": (("torch.cat(answers, dim=-1) @ W_o", "torch.stack(answers).reshape(a.shape[0], -1) @ W_o"), "the heads are stacked and reshaped, so tokens get mixed"),
    "heads-interleaved": (("torch.cat(answers, dim=-1) @ W_o", "torch.stack(answers, dim=-1).flatten(1) @ W_o"), "the heads' features alternate instead of standing one head after the other"),
    "heads-summed": (("torch.cat(answers, dim=-1) @ W_o", "sum(answers) @ W_o[: answers[0].shape[-1]]"), "the heads are added up instead of standing side by side"),
    "value-is-key": (("weights @ value", "weights @ key"), "the heads sum the keys instead of the values"),
    "swapped": (("query @ key.T", "key @ query.T"), "queries and keys have changed places"),
}
for first, (factor, words) in names_of_scale.items():
    for second, (edit, more) in second_mistakes.items():
        if (first, second) not in (("no-scale", "softmax-over-queries"), ("no-scale", "no-output-matrix"), ("no-scale", "heads-reversed")):
            wrong(f"{first}-and-{second}", (" / math.sqrt(query.shape[-1])", factor), edit, says=f"two things at once: {words}, and {more}.")
wrong("softmax-queries-no-output-matrix", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=0)"), ("torch.cat(answers, dim=-1) @ W_o", "torch.cat(answers, dim=-1)"),
      says="two things at once: the softmax runs over the queries instead of the keys, and the output matrix W_o is left out.")
wrong("softmax-queries-heads-reshaped", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=0)"), ("torch.cat(answers, dim=-1) @ W_o", "torch.stack(answers).reshape(a.shape[0], -1) @ W_o"),
      says="two things at once: the softmax runs over the queries instead of the keys, and the heads are stacked and reshaped, so tokens get mixed.")

wrong("returns-list-of-weights", ("    answers = []", "    answers, maps = [], []"), ("answers.append(weights @ value)", "answers.append(weights @ value)\n        maps.append(weights)"), ("@ W_o\n", "@ W_o, maps\n"),
      says="you return the output and the weights; only the output is wanted here.")
wrong("returns-one-tuple", ("@ W_o\n", "@ W_o,\n"),
      says="you return a tuple with the output in it (a comma after `return ...` makes one); return the tensor itself.")
wrong("returns-weights-too", ("return torch.cat(answers, dim=-1) @ W_o", "return torch.cat(answers, dim=-1) @ W_o, weights"),
      says="you return the output and the weights; only the output is wanted here.")
wrong("returns-list", ("torch.cat(answers, dim=-1) @ W_o", "list(torch.cat(answers, dim=-1) @ W_o)"),
      says="you return a list of rows; one tensor of shape (n, d_out) is wanted.")
wrong("returns-python-numbers", ("torch.cat(answers, dim=-1) @ W_o", "(torch.cat(answers, dim=-1) @ W_o).tolist()"),
      says="you return Python lists; one tensor of shape (n, d_out) is wanted.")
wrong("returns-numpy", ("torch.cat(answers, dim=-1) @ W_o", "(torch.cat(answers, dim=-1) @ W_o).numpy()"),
      says="you return a NumPy array; from this unit on it is PyTorch tensors in, a PyTorch tensor out.")
wrong("returns-nothing", ("return torch.cat", "torch.cat"), says="your function returns None: the `return` is missing.")
wrong("heads-in-place", ("for W_q, W_k, W_v in heads:", "while heads:\n        W_q, W_k, W_v = heads.pop(0)"),
      says="your numbers are right, but your code changes `heads`, which belongs to its caller: the list itself, as `pop` does, or a matrix in it, as `/=` and operations that end in `_` do. Leave it as it was.")

@right
def by_einsum(tokens, list_of_heads, output_matrix):
    q, k, v = (torch.einsum("ni,hid->hnd", tokens, torch.stack([head[j] for head in list_of_heads])) for j in range(3))
    weights = torch.softmax(torch.einsum("hnd,hmd->hnm", q, k) * q.shape[-1] ** -0.5, dim=2)
    joined = torch.einsum("hnm,hmd->nhd", weights, v).flatten(1)
    return joined @ output_matrix

@right
def sum_of_blocks(a, heads, W_o):
    total, start = 0, 0
    for W_q, W_k, W_v in heads:
        d = W_v.shape[1]
        S = (a @ (W_q @ W_k.T) @ a.T) / d**0.5
        total = total + S.softmax(1) @ (a @ (W_v @ W_o[start : start + d]))
        start += d
    return total

@right
def token_by_token(a, heads, W_o):
    rows = []
    for i in range(len(a)):
        parts = []
        for W_q, W_k, W_v in heads:
            q = a[i] @ W_q
            s = torch.stack([torch.dot(q, a[j] @ W_k) for j in range(len(a))]) / math.sqrt(W_q.shape[1])
            e = torch.exp(s - s.max())
            parts.append(sum(e[j] / e.sum() * (a[j] @ W_v) for j in range(len(a))))
        rows.append(torch.cat(parts) @ W_o)
    return torch.stack(rows)

@right
def double_precision(a, heads, W_o):
    def one(W_q, W_k, W_v):
        q, k, v = (a.double() @ W.double() for W in (W_q, W_k, W_v))
        s = q @ k.T / k.shape[1] ** 0.5
        w = torch.exp(s - s.amax(1, keepdim=True))
        return w / w.sum(1, keepdim=True) @ v
    return torch.hstack([one(*head) for head in heads]) @ W_o.double()

@right
def filled_slices(a, heads, W_o):
    d_head = W_o.size(0) // len(heads)
    joined = torch.empty(a.size(0), W_o.size(0), dtype=a.dtype)
    for h, (W_q, W_k, W_v) in enumerate(heads):
        query = torch.mm(a, W_q) / d_head**0.25
        key = torch.mm(a, W_k) / d_head**0.25
        joined[:, h * d_head : (h + 1) * d_head] = torch.nn.functional.softmax(torch.mm(query, key.t()), dim=1).mm(a.mm(W_v))
    return torch.mm(joined, W_o)

@truth
def loop_in_float64(a, heads, W_o):
    from math import sqrt
    tokens, n = a.double(), len(a)
    out = torch.zeros(n, W_o.shape[1], dtype=torch.float64)
    for h, (W_q, W_k, W_v) in enumerate(heads):
        d = W_q.shape[1]
        q, k, v = tokens @ W_q.double(), tokens @ W_k.double(), tokens @ W_v.double()
        for i in range(n):
            s = [(q[i] * k[j]).sum() / sqrt(d) for j in range(n)]
            e = [torch.exp(x - max(s)) for x in s]
            answer = sum(e[j] / sum(e) * v[j] for j in range(n))
            out[i] += answer @ W_o[h * d : (h + 1) * d].double()
    return out.float()

# %% exercise="compose_projections" part="library"
def compose_projections(W_q: Tensor, head_projections: list[Tensor]) -> list[Tensor]:
    """PyTorch's product of a chain of matrices."""
    return [torch.linalg.multi_dot([projection, W_q]) for projection in head_projections]

def outer_ones_alike(outer: Tensor, inner: Tensor) -> list[Tensor]:
    """Three heads: the first and the last have one and the same tensor."""
    return [outer, inner, outer]


def gradients_of_projections(W_q: Tensor, head_projections: list[Tensor]) -> Any:
    """The heads' matrices, of which each wants its gradient."""
    from autograder.formats.fixtures import Driver

    learned = [projection.clone().requires_grad_() for projection in head_projections]
    matrices = {f"matrix of head {number}": matrix for number, matrix in enumerate(learned, start=1)}
    return Driver(lambda function: gradients_of(matrices, function(W_q, learned)))

# %% exercise="compose_projections" part="variants"
@cases(dict(d_q=4, d_in=5, d_head=2), dict(d_q=6, d_in=3, d_head=4))
def two_heads(rng, d_q, d_in, d_head):
    """two heads: W_q of shape ({d_q}, {d_in}), each W^{{q,n}} of shape ({d_head}, {d_q})"""
    return dict(W_q=floats(rng, d_q, d_in), head_projections=[floats(rng, d_head, d_q) for _ in range(2)])

@cases(dict(d_q=5, d_in=4, d_head=3), dict(d_q=3, d_in=7, d_head=5))
def three_heads(rng, d_q, d_in, d_head):
    """three heads: W_q of shape ({d_q}, {d_in}), each W^{{q,n}} of shape ({d_head}, {d_q})"""
    return dict(W_q=floats(rng, d_q, d_in), head_projections=[floats(rng, d_head, d_q) for _ in range(3)])

@cases(dict(d_q=3, d_in=2, d_head=4))
def one_head(rng, d_q, d_in, d_head):
    """one head: W_q of shape ({d_q}, {d_in}), W^{{q,1}} of shape ({d_head}, {d_q})"""
    return dict(W_q=floats(rng, d_q, d_in), head_projections=[floats(rng, d_head, d_q)])

@cases()
def square(rng):
    """three heads, all matrices (4, 4)"""
    return dict(W_q=floats(rng, 4, 4), head_projections=[floats(rng, 4, 4) for _ in range(3)])

@cases()
def square_two(rng):
    """two heads, all matrices (3, 3)"""
    return dict(W_q=floats(rng, 3, 3), head_projections=[floats(rng, 3, 3) for _ in range(2)])

@cases(dict(d_q=5, d_in=3, d_head=2))
def one_tensor_twice(rng, d_q, d_in, d_head):
    """three heads, of which the first and the last have one and the same matrix of shape ({d_head}, {d_q})"""
    return dict(W_q=floats(rng, d_q, d_in), head_projections=fixture("outer_ones_alike", outer=floats(rng, d_head, d_q), inner=floats(rng, d_head, d_q)))

@cases(dict(d_q=3, d_in=4, d_head=2))
def with_gradients(rng, d_q, d_in, d_head):
    """two heads: W_q of shape ({d_q}, {d_in}), gradients"""
    return differentiable(W_q=floats(rng, d_q, d_in), head_projections=[floats(rng, d_head, d_q) for _ in range(2)])

@cases()
def gradients_of_each_matrix(rng):
    """what each head's matrix learns: its gradient"""
    return dict(head_projections=fixture("gradients_of_projections", W_q=floats(rng, 3, 4), head_projections=[floats(rng, 2, 3) for _ in range(2)]))

wrong("gradient-cut-at-heads", ("head_projection @ W_q", "head_projection.detach() @ W_q"),
      says="the numbers are right, but no gradient reaches the heads' matrices (`detach`, `.data` or `no_grad` cuts it), so they could not learn.")
wrong("gradient-cut", ("head_projection @ W_q", "(head_projection @ W_q).detach()"),
      says="the numbers are right, but no gradient flows back through them (`detach`, `.data`, `no_grad`, `torch.tensor(...)` of what was computed or a trip through NumPy cuts it), so neither matrix could learn.")
wrong("swapped", ("head_projection @ W_q", "W_q @ head_projection"),
      says="your matrices are multiplied in the other order, W_q first from the left. The vector stands on the right here, so the matrix that touches it first, W_q, stands on the right as well.")
wrong("result-transposed", ("head_projection @ W_q", "(head_projection @ W_q).T"),
      says="your matrices are right but transposed: in column convention each is (d_head, d_in).")
wrong("W_q-transposed", ("head_projection @ W_q", "head_projection @ W_q.T"),
      says="W_q is used transposed; it stands as it is, (d_q, d_in).")
wrong("head-transposed", ("head_projection @ W_q", "head_projection.T @ W_q"),
      says="the heads' matrices are used transposed; they stand as they are, (d_head, d_q).")
wrong("both-transposed", ("head_projection @ W_q", "head_projection.T @ W_q.T"),
      says="both matrices are used transposed; they stand as they are: this is column convention.")
wrong("elementwise", ("head_projection @ W_q", "head_projection * W_q"),
      says="`*` multiplies entry by entry; doing one matrix after the other is a matrix product, `@`.")
wrong("added", ("head_projection @ W_q", "head_projection + W_q"),
      says="the two matrices are added; doing one after the other is a matrix product.")
wrong("no-W_q", ("head_projection @ W_q", "head_projection"),
      says="you return the heads' own matrices; W_q, which comes before them, is not used.")
wrong("only-W_q", ("head_projection @ W_q", "W_q"),
      says="you return W_q for every head; the head's own matrix comes after it.")
wrong("W_q-twice", ("head_projection @ W_q", "head_projection @ W_q @ W_q"),
      says="W_q is applied twice; the token passes through it once.")
wrong("chained", ("[head_projection @ W_q for head_projection in head_projections]", "[W_q := head_projection @ W_q for head_projection in head_projections]"),
      says="each head's matrix is multiplied onto the result of the head before; every head should start from W_q itself.")
wrong("first-for-all", ("head_projection @ W_q", "head_projections[0] @ W_q"),
      says="every head gets the first head's matrix; each has its own.")
wrong("last-for-all", ("head_projection @ W_q", "head_projections[-1] @ W_q"),
      says="every head gets the last head's matrix; each has its own.")
wrong("first-only", ("in head_projections]", "in head_projections[:1]]"),
      says="you return only the first head's matrix; the list holds one for each head.")
wrong("last-only", ("in head_projections]", "in head_projections[-1:]]"),
      says="you return only the last head's matrix; the list holds one for each head.")
wrong("skips-first", ("in head_projections]", "in head_projections[1:]]"),
      says="the first head is missing from your list; there is one matrix for each head.")
wrong("skips-last", ("in head_projections]", "in head_projections[:-1]]"),
      says="the last head is missing from your list; there is one matrix for each head.")
wrong("two-heads-only", ("in head_projections]", "in head_projections[:2]]"),
      says="only the first two heads are used; the list may hold any number of them.")
wrong("reversed", ("in head_projections]", "in head_projections[::-1]]"),
      says="your list is in reverse; the first head's matrix comes first.")
wrong("bare-first", ("[head_projection @ W_q for head_projection in head_projections]", "head_projections[0] @ W_q"),
      says="you return one matrix; a list is wanted, one matrix for each head (the loop must not return in its first round).")
wrong("stacked", ("[head_projection @ W_q for head_projection in head_projections]", "torch.stack([p @ W_q for p in head_projections])"),
      says="the numbers are right, but they come as one tensor; return a list of matrices, one for each head.")
wrong("concatenated", ("[head_projection @ W_q for head_projection in head_projections]", "torch.cat([p @ W_q for p in head_projections])"),
      says="your matrices are joined into one; return a list, one matrix for each head.")
wrong("dict", ("[head_projection @ W_q for head_projection in head_projections]", "{n: p @ W_q for n, p in enumerate(head_projections)}"),
      says="you return a dict; return a list, one matrix for each head, in order.")
wrong("functions", ("head_projection @ W_q", "lambda a, P=head_projection: P @ (W_q @ a)"),
      says="your list holds functions; each item must be the matrix itself.")
wrong("pairs", ("head_projection @ W_q", "(head_projection, W_q)"),
      says="your list holds the two matrices side by side; each item must be one matrix, their product.")
wrong("two-indexed", ("[head_projection @ W_q for head_projection in head_projections]", "[head_projections[0] @ W_q, head_projections[1] @ W_q]"),
      says="your code is written for exactly two heads; go through the list, however long it is.")
wrong("summed-away", ("head_projection @ W_q", "(head_projection @ W_q).sum(dim=0)"),
      says="each of your matrices is added up along its rows; keep it whole, (d_head, d_in).")
wrong("summed", ("[head_projection @ W_q for head_projection in head_projections]", "sum(p @ W_q for p in head_projections)"),
      says="your matrices are added into one; return a list, one matrix for each head.")
wrong("summed-in-a-list", ("[head_projection @ W_q for head_projection in head_projections]", "[sum(p @ W_q for p in head_projections)]"),
      says="your list holds one matrix, the sum over all heads. Each head needs a matrix of its own.")
wrong("by-tensor", ("[head_projection @ W_q for head_projection in head_projections]", "list({p: p @ W_q for p in head_projections}.values())"),
      says="two heads with one and the same matrix (one tensor, twice in the list) give only one matrix in your list, as in a dict whose keys are the tensors. "
           "There should be one for each head.")
for first, (edit, words) in {
    "transposed": ("(head_projection @ W_q).T", "each matrix is transposed."),
    "scaled": ("head_projection @ W_q / math.sqrt(head_projection.shape[0])", "the matrices are divided by √d_head."),
}.items():
    for second, (part, more) in {"skips-first": ("[1:]", "the first head is missing."), "skips-last": ("[:-1]", "the last head is missing."),
                                 "first-only": ("[:1]", "only the first head's matrix comes back."), "reversed": ("[::-1]", "the list is in reverse.")}.items():
        wrong(f"{first}-{second}", ("head_projection @ W_q", edit), ("in head_projections]", f"in head_projections{part}]"), says=two_things(words, more))
wrong("generator", ("[head_projection @ W_q for head_projection in head_projections]", "(p @ W_q for p in head_projections)"),
      says="you return a generator, which gives its items only once; return a list.")
wrong("map-object", ("[head_projection @ W_q for head_projection in head_projections]", "map(lambda p: p @ W_q, head_projections)"),
      says="you return a `map` object, which gives its items only once; return a list.")
wrong("with-W_q", ("[head_projection @ W_q for head_projection in head_projections]", "[W_q, *[p @ W_q for p in head_projections]]"),
      says="your list begins with W_q itself; it should hold one composed matrix for each head and nothing else.")
wrong("numpy", ("head_projection @ W_q", "(head_projection @ W_q).numpy()"),
      says="your list holds NumPy arrays; from this unit on it is PyTorch tensors in, PyTorch tensors out.")
wrong("python-lists", ("head_projection @ W_q", "(head_projection @ W_q).tolist()"),
      says="your list holds Python lists of numbers; each item must be a tensor.")
wrong("in-place", ("    return [head_projection @ W_q for head_projection in head_projections]", "    for n in range(len(head_projections)):\n        head_projections[n] = head_projections[n] @ W_q\n    return head_projections"),
      says="your matrices are right, but your code changes `head_projections`, which belongs to its caller: the list itself, or a matrix in it. Make a new list of new matrices.")
wrong("returns-nothing", ("return [", "["), says="your function returns None: the `return` is missing.")
wrong("swapped-reversed", ("head_projection @ W_q", "W_q @ head_projection"), ("in head_projections]", "in head_projections[::-1]]"),
      says="two things at once: the matrices are multiplied in the other order, and the list is in reverse.")
wrong("swapped-transposed", ("head_projection @ W_q", "W_q.T @ head_projection.T"),
      says="your matrices are right but transposed: in column convention each is (d_head, d_in).")
wrong("scaled", ("head_projection @ W_q", "head_projection @ W_q / math.sqrt(head_projection.shape[0])"),
      says="your matrices are divided by √d_head; that factor belongs to the scores, not to the projections.")

@right
def by_einsum(first, seconds):
    return list(torch.einsum("nhq,qi->nhi", torch.stack(seconds), first).unbind(0))

@right
def tuple_of_products(W_q, head_projections):
    return tuple(torch.mm(p.double(), W_q.double()) for p in head_projections)

@right
def column_by_column(W_q, head_projections):
    composed = []
    for P in head_projections:
        M = torch.zeros(P.shape[0], W_q.shape[1])
        for i in range(W_q.shape[1]):
            M[:, i] = P @ (W_q @ torch.eye(W_q.shape[1])[i])
        composed.append(M)
    return composed

@right
def transposes_cancel(W_q, head_projections):
    return [torch.matmul(W_q.t(), p.t()).t() for p in head_projections]

@right
def split_one_product(W_q, head_projections):
    return list(torch.split(torch.cat(head_projections) @ W_q, head_projections[0].shape[0]))

@truth
def loop_in_float64(W_q, head_projections):
    out = []
    for P in head_projections:
        M = torch.zeros(P.shape[0], W_q.shape[1], dtype=torch.float64)
        for i in range(P.shape[0]):
            for j in range(W_q.shape[1]):
                M[i, j] = sum(P[i, k].double() * W_q[k, j].double() for k in range(P.shape[1]))
        out.append(M)
    return out

# %% exercise="split_heads" part="library"
def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """By PyTorch's own cutting and stacking."""
    return torch.stack(torch.tensor_split(x, num_heads, dim=-1), dim=1)

# %% exercise="split_heads" part="variants"
def tokens(rng, batch, seq, num_heads, d_head):
    return dict(x=floats(rng, batch, seq, num_heads * d_head), num_heads=num_heads)

@cases(dict(batch=2, seq=5, num_heads=3, d_head=4), dict(batch=4, seq=3, num_heads=2, d_head=5), dict(batch=3, seq=2, num_heads=5, d_head=4))
def several(rng, batch, seq, num_heads, d_head):
    """{batch} sentences of {seq} tokens, {num_heads} heads of length {d_head}"""
    return tokens(rng, batch, seq, num_heads, d_head)

@cases(dict(batch=3, seq=4, d_head=5))
def one_head(rng, batch, seq, d_head):
    """{batch} sentences of {seq} tokens, a single head of length {d_head}"""
    return tokens(rng, batch, seq, 1, d_head)

@cases(dict(batch=2, seq=4, num_heads=3, d_head=5))
def with_gradients(rng, batch, seq, num_heads, d_head):
    """{batch} sentences of {seq} tokens, {num_heads} heads, gradients"""
    return differentiable(**tokens(rng, batch, seq, num_heads, d_head))

@cases(dict(seq=3, num_heads=4, d_head=2))
def one_sentence(rng, seq, num_heads, d_head):
    """a single sentence of {seq} tokens, {num_heads} heads of length {d_head}"""
    return tokens(rng, 1, seq, num_heads, d_head)

@cases(dict(batch=2, num_heads=4, d_head=3))
def as_many_as_tokens(rng, batch, num_heads, d_head):
    """{batch} sentences of {num_heads} tokens, as many heads of length {d_head}"""
    return tokens(rng, batch, num_heads, num_heads, d_head)

@cases()
def all_equal(rng):
    """4 sentences of 4 tokens, 4 heads of length 4"""
    return tokens(rng, 4, 4, 4, 4)

@cases(dict(batch=2, seq=4, num_heads=3, d_head=5))
def in_float64(rng, batch, seq, num_heads, d_head):
    """{batch} sentences of {seq} tokens, {num_heads} heads, float64, with numbers beyond the range of float32"""
    return dict(x=floats(rng, batch, seq, num_heads * d_head).double() * 2.0**200, num_heads=num_heads)

split = "    grouped = x.reshape(batch, seq, num_heads, d_model // num_heads)\n    return grouped.transpose(1, 2)"

wrong("no-transpose", (split, "    return x.reshape(batch, num_heads, seq, d_model // num_heads)"),
      says="the shape is right, the numbers are not: you cut the memory straight into (batch, num_heads, seq, d_head), so head 0 gets the first tokens whole, not a part of every token. "
           "Head 0 of token 0 should be the first d_head features of token 0.")
wrong("not-moved", (split, "    return x.reshape(batch, seq, num_heads, d_model // num_heads)"),
      says="your features are grouped into heads, but the heads' axis still stands behind the tokens': the shape is (batch, seq, num_heads, d_head), and (batch, num_heads, seq, d_head) is wanted.")
wrong("interleaved", (split, "    return x.reshape(batch, seq, d_model // num_heads, num_heads).permute(0, 3, 1, 2)"),
      says="your heads take every num_heads-th feature (0, 3, 6, ... with three heads); head 0 should take the first d_head features in a row, head 1 the next.")
wrong("head-length-swapped", (split, "    return x.reshape(batch, seq, d_model // num_heads, num_heads).transpose(1, 2)"),
      says="the number of heads and their length have changed places: `num_heads` is how many groups there are, not how long each is.")
wrong("length-is-num_heads", (split, "    return x.reshape(batch, seq, -1, num_heads).permute(0, 2, 1, 3).contiguous()"),
      says="the number of heads and their length have changed places: `num_heads` is how many groups there are, not how long each is.")
wrong("heads-first", (split, "    return x.reshape(batch, seq, num_heads, d_model // num_heads).permute(2, 0, 1, 3)"),
      says="the heads' axis stands first; the batch comes before it: (batch, num_heads, seq, d_head).")
wrong("features-before-tokens", (split, "    return x.reshape(batch, seq, num_heads, d_model // num_heads).permute(0, 2, 3, 1)"),
      says="your last two axes have changed places: each head holds (seq, d_head), one row a token.")
wrong("last-axes-transposed", (split, "    return x.reshape(batch, seq, num_heads, d_model // num_heads).transpose(-1, -2)"),
      says="your heads' axis stands last: the shape is (batch, seq, d_head, num_heads). The heads' axis belongs right behind the batch, the tokens' axis after it.")
wrong("reshape-of-transposed", (split, "    return x.transpose(1, 2).reshape(batch, num_heads, d_model // num_heads, seq)"),
      says="your last two axes have changed places: each head holds (seq, d_head), one row a token.")
wrong("transposed-then-cut", (split, "    return x.transpose(1, 2).reshape(batch, num_heads, seq, d_model // num_heads)"),
      says="the shape is right, the numbers are not: after exchanging tokens and features you cut the memory anew, and tokens get mixed. Group the features first, exchange axes afterwards.")
wrong("sequence-first", ("grouped = x.reshape(batch, seq, num_heads, d_model // num_heads)\n    return grouped.transpose(1, 2)", "return x.reshape(seq, batch, num_heads, d_model // num_heads).permute(1, 2, 0, 3)"),
      says="you cut `x` as if its tokens stood on the first axis, (seq, batch, ...), so sentences get mixed. Here the batch stands first: (batch, seq, d_model).")
wrong("batch-and-heads-mixed", (split, "    return x.reshape(num_heads, batch, seq, d_model // num_heads).transpose(0, 1)"),
      says="the shape is right, the numbers are not: your reshape cuts through sentences and tokens. The heads are groups of the last axis, so only that axis may be cut.")
wrong("tokens-and-features-swapped", (split, "    return x.reshape(batch, d_model // num_heads, num_heads, seq).permute(0, 2, 3, 1)"),
      says="the shape is right, the numbers are not: your reshape cuts through tokens. The heads are groups of the last axis, so only that axis may be cut.")
wrong("heads-reversed", ("grouped.transpose(1, 2)", "grouped.transpose(1, 2).flip(1)"),
      says="your heads are in reverse: head 0 should take the first features, not the last.")
wrong("merged-into-batch", ("grouped.transpose(1, 2)", "grouped.transpose(1, 2).reshape(batch * num_heads, seq, -1)"),
      says="batch and heads are joined into one axis; here they stay apart: (batch, num_heads, seq, d_head).")
wrong("merged-into-batch-straight", (split, "    return x.reshape(batch * num_heads, seq, d_model // num_heads)"),
      says="batch and heads are joined into one axis, and tokens get mixed on the way; the result has four axes: (batch, num_heads, seq, d_head).")
wrong("two-heads", ("num_heads, d_model // num_heads)", "2, d_model // 2)"),
      says="your function always makes two heads; make as many as `num_heads` says.")
wrong("four-heads", ("num_heads, d_model // num_heads)", "4, d_model // 4)"),
      says="your function always makes four heads; make as many as `num_heads` says.")
wrong("eight-heads", ("num_heads, d_model // num_heads)", "8, d_model // 8)"),
      says="your function always makes eight heads; make as many as `num_heads` says.")
wrong("list-of-heads", (split, "    return list(x.chunk(num_heads, dim=-1))"),
      says="you return one tensor for each head, side by side in a list or tuple (`chunk` and `split` give that); one tensor with a heads axis is wanted.")
wrong("chunks", (split, "    return x.chunk(num_heads, dim=-1)"),
      says="you return one tensor for each head, side by side in a list or tuple (`chunk` and `split` give that); one tensor with a heads axis is wanted.")
wrong("stacked-first", (split, "    return torch.stack(x.chunk(num_heads, dim=-1))"),
      says="the heads' axis stands first; the batch comes before it: (batch, num_heads, seq, d_head).")
wrong("stacked-last", (split, "    return torch.stack(x.chunk(num_heads, dim=-1), dim=-1)"),
      says="your heads' axis stands last: the shape is (batch, seq, d_head, num_heads). The heads' axis belongs right behind the batch, the tokens' axis after it.")
wrong("stacked-third", (split, "    return torch.stack(x.chunk(num_heads, dim=-1), dim=2)"),
      says="your features are grouped into heads, but the heads' axis still stands behind the tokens': the shape is (batch, seq, num_heads, d_head), and (batch, num_heads, seq, d_head) is wanted.")
wrong("tokens-chunked", (split, "    return torch.stack(x.chunk(num_heads, dim=1), dim=1)"),
      says="you cut the tokens into groups; a head is a group of features, and sees every token.")
wrong("repeated", (split, "    return x.unsqueeze(1).expand(batch, num_heads, seq, d_model)"),
      says="every head gets all features; the features are shared out, d_head to each head.")
wrong("repeated-first", (split, "    return x[:, None, :, : d_model // num_heads].repeat(1, num_heads, 1, 1)"),
      says="every head gets the first d_head features; head 1 takes the next ones, and so on.")
wrong("first-sentence", (split, "    return x[:1].reshape(1, seq, num_heads, -1).transpose(1, 2)"),
      says="only the first sentence of the batch comes back; keep them all.")
wrong("no-batch", (split, "    return x[0].reshape(seq, num_heads, -1).transpose(0, 1)"),
      says="only the first sentence comes back, without a batch axis; the result has four axes: (batch, num_heads, seq, d_head).")
wrong("in-place", ("    batch, seq, d_model = x.shape", "    batch, seq, d_model = x.shape\n    x.resize_(batch, seq, num_heads, d_model // num_heads)"),
      says="your numbers are right, but your code changes its caller's tensor `x`, its shape or its numbers (an operation that ends in `_` works in place); return a new view instead.")
wrong("no-grad", ("    return grouped.transpose(1, 2)", "    with torch.no_grad():\n        return grouped.transpose(1, 2)"),
      says="the numbers are right, but no gradient flows back through them (`detach`, `.data`, `no_grad` or a trip through NumPy cuts it), so nothing before this step could learn.")
wrong("no-grad-all", (split, "    with torch.no_grad():\n        return x.view(batch, seq, num_heads, -1).transpose(1, 2)"),
      says="the numbers are right, but no gradient flows back through them (`detach`, `.data`, `no_grad` or a trip through NumPy cuts it), so nothing before this step could learn.")
wrong("one-head-short", ("grouped.transpose(1, 2)", "grouped.transpose(1, 2)[:, : max(num_heads - 1, 1)]"),
      says="the last head is missing; there are `num_heads` of them.")
wrong("batch-and-tokens-exchanged", ("grouped.transpose(1, 2)", "grouped.transpose(0, 1)"),
      says="you exchange batch and tokens; tokens and heads are the ones to exchange.")
wrong("tokens-reversed", ("grouped.transpose(1, 2)", "grouped.transpose(1, 2).flip(2)"),
      says="your tokens stand in reverse; splitting leaves their order alone.")
wrong("features-reversed", ("grouped.transpose(1, 2)", "grouped.transpose(1, 2).flip(3)"),
      says="each head's features stand in reverse; they keep their order.")
wrong("sliding", (split, "    return torch.stack([x[..., h : h + d_model // num_heads] for h in range(num_heads)], dim=1)"),
      says="your heads overlap: head 1 begins at feature 1. It begins at feature d_head, where head 0 ends.")
wrong("detached", ("grouped.transpose(1, 2)", "grouped.transpose(1, 2).detach()"),
      says="the numbers are right, but no gradient flows back through them (`detach`, `.data`, `no_grad` or a trip through NumPy cuts it), so nothing before this step could learn.")
wrong("numpy", ("grouped.transpose(1, 2)", "grouped.detach().transpose(1, 2).numpy()"),
      says="you return a NumPy array; from this unit on it is PyTorch tensors in, a PyTorch tensor out.")
wrong("python-lists", ("grouped.transpose(1, 2)", "grouped.transpose(1, 2).tolist()"),
      says="you return Python lists; one tensor of shape (batch, num_heads, seq, d_head) is wanted.")
wrong("float-division", ("d_model // num_heads", "d_model / num_heads"),
      says="d_model / num_heads is a float in Python, and a shape must hold integers: divide with `//`.")
wrong("scaled", ("grouped.transpose(1, 2)", "grouped.transpose(1, 2) / math.sqrt(d_model // num_heads)"),
      says="your numbers are divided by √d_head; splitting only moves numbers, the scale belongs to the scores.")
wrong("returns-nothing", ("return grouped", "grouped"), says="your function returns None: the `return` is missing.")
wrong("reversed-no-transpose", (split, "    return x.reshape(batch, num_heads, seq, d_model // num_heads).flip(1)"),
      says="two things at once: the memory is cut straight without exchanging axes, and the heads are in reverse.")
wrong("interleaved-not-moved", (split, "    return x.reshape(batch, seq, d_model // num_heads, num_heads).transpose(2, 3)"),
      says="two things at once: heads take every num_heads-th feature instead of neighbours, and the heads' axis still stands behind the tokens'.")

wrong("through-float32", ("grouped.transpose(1, 2)", "grouped.transpose(1, 2).float()"),
      says="your numbers pass through float32, and those of a float64 tensor lose digits or become infinite there (`torch.zeros` makes float32 unless it is told another type). Numbers only move here: keep the type of `x`.")
wrong("squeezed", ("grouped.transpose(1, 2)", "grouped.transpose(1, 2).squeeze()"),
      says="axes of length 1 are squeezed away. With one sentence, or with one head, the result still has four axes: (batch, num_heads, seq, d_head).")

@right
def stacked_chunks(x, num_heads):
    return torch.stack(torch.chunk(x, num_heads, -1), 1)

@right
def unflattened(x, n):
    return x.unflatten(-1, (n, -1)).movedim(2, 1).contiguous()

@right
def slice_by_slice(x, num_heads):
    d = x.size(-1) // num_heads
    return torch.cat([x[:, None, :, h * d : h * d + d] for h in range(num_heads)], dim=1)

@right
def filled(tokens, num_heads):
    batch, seq, width = tokens.shape
    out = torch.zeros(batch, num_heads, seq, width // num_heads, dtype=tokens.dtype)
    for feature in range(width):
        out[:, feature // (width // num_heads), :, feature % (width // num_heads)] = tokens[..., feature]
    return out

@right
def through_columns(x, num_heads):
    batch, seq, _ = x.shape
    return x.transpose(1, 2).reshape(batch, num_heads, -1, seq).transpose(2, 3)

@right
def by_einsum(x, num_heads):
    batch, seq, d_model = x.shape
    return torch.einsum("bshd->bhsd", x.view(batch, seq, num_heads, d_model // num_heads)).double()

@truth
def entry_by_entry(x, num_heads):
    batch, seq, d_model = x.shape
    d = d_model // num_heads
    out = torch.zeros(batch, num_heads, seq, d, dtype=x.dtype)
    for b, h, t, f in np.ndindex(*out.shape):
        out[b, h, t, f] = x[b, t, h * d + f]
    return out

# %% exercise="merge_heads" part="library"
def merge_heads(x: Tensor) -> Tensor:
    """By PyTorch's own joining."""
    return torch.cat(torch.unbind(x, dim=1), dim=-1)

# %% exercise="merge_heads" part="variants"
def heads(rng, *shape):
    return dict(x=floats(rng, *shape))

@cases(dict(batch=2, num_heads=3, seq=5, d_head=4), dict(batch=4, num_heads=2, seq=3, d_head=5), dict(batch=3, num_heads=5, seq=2, d_head=4))
def several(rng, batch, num_heads, seq, d_head):
    """{batch} sentences of {seq} tokens, {num_heads} heads of length {d_head}"""
    return heads(rng, batch, num_heads, seq, d_head)

@cases(dict(batch=3, seq=4, d_head=5))
def one_head(rng, batch, seq, d_head):
    """{batch} sentences of {seq} tokens, a single head of length {d_head}"""
    return heads(rng, batch, 1, seq, d_head)

@cases(dict(batch=2, num_heads=3, seq=4, d_head=5))
def with_gradients(rng, batch, num_heads, seq, d_head):
    """{batch} sentences of {seq} tokens, {num_heads} heads, gradients"""
    return differentiable(**heads(rng, batch, num_heads, seq, d_head))

@cases(dict(seq=3, num_heads=4, d_head=2))
def one_sentence(rng, seq, num_heads, d_head):
    """a single sentence of {seq} tokens, {num_heads} heads of length {d_head}"""
    return heads(rng, 1, num_heads, seq, d_head)

@cases(dict(batch=2, num_heads=4, d_head=3))
def as_many_as_tokens(rng, batch, num_heads, d_head):
    """{batch} sentences of {num_heads} tokens, as many heads of length {d_head}"""
    return heads(rng, batch, num_heads, num_heads, d_head)

@cases()
def all_equal(rng):
    """4 sentences of 4 tokens, 4 heads of length 4"""
    return heads(rng, 4, 4, 4, 4)

@cases(dict(batch=2, num_heads=3, seq=4, d_head=5))
def in_float64(rng, batch, num_heads, seq, d_head):
    """{batch} sentences of {seq} tokens, {num_heads} heads, float64, with numbers beyond the range of float32"""
    return dict(x=floats(rng, batch, num_heads, seq, d_head).double() * 2.0**200)

merge = "    by_token = x.transpose(1, 2)\n    return by_token.reshape(batch, seq, num_heads * d_head)"

wrong("no-transpose", (merge, "    return x.reshape(batch, seq, num_heads * d_head)"),
      says="the shape is right, the numbers are not: you reshape without exchanging heads and tokens first, so a token's row holds pieces of other tokens. "
           "Row 0 should be head 0 of token 0, then head 1 of token 0.")
wrong("view-after-transpose", ("by_token.reshape(", "by_token.view("),
      says="`view` cannot join axes that do not lie in order in memory, as after an exchange of axes: use `reshape`, or make the tensor contiguous first.")
wrong("interleaved", (merge, "    return x.permute(0, 2, 3, 1).reshape(batch, seq, num_heads * d_head)"),
      says="your heads' features alternate (head 0, head 1, ..., head 0, ...); the whole of head 0 comes first, then the whole of head 1.")
wrong("last-axes-exchanged", (merge, "    return x.transpose(2, 3).reshape(batch, seq, num_heads * d_head)"),
      says="the shape is right, the numbers are not: you exchange tokens and features; heads and tokens are the ones to exchange.")
wrong("heads-features-exchanged", (merge, "    return x.transpose(1, 3).reshape(batch, seq, num_heads * d_head)"),
      says="the shape is right, the numbers are not: you exchange heads and features; heads and tokens are the ones to exchange.")
wrong("rotated", (merge, "    return x.permute(0, 3, 1, 2).reshape(batch, seq, num_heads * d_head)"),
      says="the shape is right, the numbers are not: the features' axis is moved to the front of the heads' before the reshape. The tokens' axis is the one that must come first.")
wrong("rotated-back", (merge, "    return x.permute(0, 3, 2, 1).reshape(batch, seq, num_heads * d_head)"),
      says="the shape is right, the numbers are not: you exchange heads and features; heads and tokens are the ones to exchange.")
wrong("batch-exchanged", (merge, "    return x.transpose(0, 1).reshape(batch, seq, num_heads * d_head)"),
      says="the shape is right, the numbers are not: you exchange batch and heads; heads and tokens are the ones to exchange.")
wrong("batch-and-tokens-exchanged", (merge, "    return x.permute(2, 0, 1, 3).reshape(seq, batch, num_heads * d_head)"),
      says="batch and tokens have changed places: the result is (batch, seq, d_model).")
wrong("batch-and-tokens-mixed", (merge, "    return x.permute(2, 0, 1, 3).reshape(batch, seq, num_heads * d_head)"),
      says="the shape is right, the numbers are not: the tokens' axis stands before the batch when you reshape, so sentences get mixed.")
wrong("not-joined", (merge, "    return x.transpose(1, 2)"),
      says="heads and tokens have changed places, but the heads still have an axis of their own: join the last two axes.")
wrong("tokens-joined", (merge, "    return x.reshape(batch, num_heads * seq, d_head)"),
      says="your heads are joined along the tokens, one below the other; they belong side by side, along the features, so that each token has one row.")
wrong("tokens-joined-exchanged", (merge, "    return x.transpose(1, 2).reshape(batch, seq * num_heads, d_head)"),
      says="you join tokens and heads into one axis; heads and features are the ones to join, so that each token has one row.")
wrong("flattened", (merge, "    return x.transpose(1, 2).reshape(batch, -1)"),
      says="all tokens of a sentence are joined into one row; each token keeps a row of its own: (batch, seq, d_model).")
wrong("summed", (merge, "    return x.sum(dim=1)"),
      says="your heads are added up; they belong side by side.")
wrong("averaged", (merge, "    return x.mean(dim=1)"),
      says="your heads are averaged; they belong side by side.")
wrong("first-head", (merge, "    return x[:, 0]"),
      says="only the first head comes back; put all heads side by side.")
wrong("last-head", (merge, "    return x[:, -1]"),
      says="only the last head comes back; put all heads side by side.")
wrong("heads-reversed", ("x.transpose(1, 2)", "x.flip(1).transpose(1, 2)"),
      says="your heads stand side by side in reverse; head 0 should come first.")
wrong("first-sentence", (merge, "    return x[:1].transpose(1, 2).reshape(1, seq, num_heads * d_head)"),
      says="only the first sentence of the batch comes back; keep them all.")
wrong("no-batch", (merge, "    return x[0].transpose(0, 1).reshape(seq, num_heads * d_head)"),
      says="only the first sentence comes back, without a batch axis; the result has three axes: (batch, seq, d_model).")
wrong("list-of-sentences", (merge, "    return [one.transpose(0, 1).reshape(seq, num_heads * d_head) for one in x]"),
      says="you return a list with one tensor for each sentence; one tensor of shape (batch, seq, d_model) is wanted.")
wrong("features-first", (merge, "    return x.transpose(2, 3).reshape(batch, num_heads * d_head, seq)"),
      says="tokens and features have changed places: the result is (batch, seq, d_model), one row a token.")
wrong("joined-by-tokens", (merge, "    return torch.cat(tuple(x.unbind(1)), dim=1)"),
      says="your heads are joined along the tokens, one below the other; they belong side by side, along the features, so that each token has one row.")
wrong("stacked", (merge, "    return torch.stack(tuple(x.unbind(1)), dim=-1).reshape(batch, seq, num_heads * d_head)"),
      says="your heads' features alternate (head 0, head 1, ..., head 0, ...); the whole of head 0 comes first, then the whole of head 1.")
wrong("two-heads", (merge, "    return torch.cat((x[:, 0], x[:, 1 if num_heads > 1 else 0]), dim=-1)"),
      says="only the first two heads come back; put all heads side by side, however many there are.")
wrong("two-heads-assumed", (merge, "    return torch.cat((x[:, 0], x[:, 1]), dim=-1)"),
      says="only the first two heads come back; put all heads side by side, however many there are.")
wrong("no-grad", (merge, "    with torch.no_grad():\n        return x.transpose(1, 2).reshape(batch, seq, num_heads * d_head)"),
      says="the numbers are right, but no gradient flows back through them (`detach`, `.data`, `no_grad` or a trip through NumPy cuts it), so nothing before this step could learn.")
wrong("maximum", (merge, "    return x.amax(dim=1)"),
      says="you keep the largest number of all heads; they belong side by side.")
wrong("features-reversed", ("num_heads * d_head)", "num_heads * d_head).flip(-1)"),
      says="each token's row stands in reverse; head 0 comes first, its features in order.")
wrong("tokens-reversed", ("num_heads * d_head)", "num_heads * d_head).flip(1)"),
      says="your tokens stand in reverse; merging leaves their order alone.")
wrong("shape-in-another-order", ("by_token.reshape(batch, seq, num_heads * d_head)", "by_token.reshape(seq, batch, num_heads * d_head)"),
      says="batch and tokens have changed places in your reshape: the result is (batch, seq, d_model).")
wrong("three-heads", (merge, "    return torch.cat((x[:, 0], x[:, 1], x[:, 2]), dim=-1)"),
      says="your code is written for exactly three heads; put all heads side by side, however many there are.")
wrong("divided", ("num_heads * d_head)", "num_heads * d_head) / num_heads"),
      says="your numbers are divided by the number of heads; merging only moves them.")
wrong("detached", ("x.transpose(1, 2)", "x.detach().transpose(1, 2)"),
      says="the numbers are right, but no gradient flows back through them (`detach`, `.data`, `no_grad` or a trip through NumPy cuts it), so nothing before this step could learn.")
wrong("in-place", ("x.transpose(1, 2)", "x.transpose_(1, 2)"),
      says="your numbers are right, but your code changes its caller's tensor `x`, its axes or its numbers (an operation that ends in `_` works in place, `transpose_` too); make a new tensor.")
wrong("numpy", ("x.transpose(1, 2)\n    return by_token.reshape(batch, seq, num_heads * d_head)", "x.detach().transpose(1, 2)\n    return by_token.reshape(batch, seq, num_heads * d_head).numpy()"),
      says="you return a NumPy array; from this unit on it is PyTorch tensors in, a PyTorch tensor out.")
wrong("python-lists", ("by_token.reshape(batch, seq, num_heads * d_head)", "by_token.reshape(batch, seq, num_heads * d_head).tolist()"),
      says="you return Python lists; one tensor of shape (batch, seq, d_model) is wanted.")
wrong("returns-nothing", ("return by_token", "by_token"), says="your function returns None: the `return` is missing.")
wrong("reversed-no-transpose", (merge, "    return x.flip(1).reshape(batch, seq, num_heads * d_head)"),
      says="two things at once: heads and tokens are not exchanged before the reshape, and the heads are in reverse.")

wrong("through-float32", ("x.transpose(1, 2)", "x.transpose(1, 2).float()"),
      says="your numbers pass through float32, and those of a float64 tensor lose digits or become infinite there (`torch.zeros` makes float32 unless it is told another type). Numbers only move here: keep the type of `x`.")
wrong("squeezed", ("by_token.reshape(batch, seq, num_heads * d_head)", "by_token.reshape(batch, seq, num_heads * d_head).squeeze()"),
      says="axes of length 1 are squeezed away. With one sentence the result still has three axes: (batch, seq, d_model).")

@right
def joined(x):
    return torch.cat(tuple(x.unbind(1)), dim=-1)

@right
def flattened(x):
    return x.movedim(1, 2).flatten(2)

@right
def contiguous_view(x):
    b, h, _, d = x.size()
    return x.permute(0, 2, 1, 3).contiguous().view(b, -1, h * d)

@right
def token_by_token(x):
    return torch.stack([torch.cat([x[:, h, t] for h in range(x.shape[1])], -1) for t in range(x.shape[2])], dim=1)

@right
def filled(heads):
    b, h, s, d = heads.shape
    out = heads.new_zeros(b, s, h * d)
    for i in range(h):
        out[:, :, i * d : (i + 1) * d] = heads[:, i]
    return out

@right
def through_columns(x):
    return x.transpose(2, 3).flatten(1, 2).mT.double()

@truth
def entry_by_entry(x):
    batch, num_heads, seq, d_head = x.shape
    out = torch.zeros(batch, seq, num_heads * d_head, dtype=x.dtype)
    for b, h, t, f in np.ndindex(*x.shape):
        out[b, t, h * d_head + f] = x[b, h, t, f]
    return out

# %% exercise="MultiHeadAttention" part="library"
class MultiHeadAttention(nn.Module):
    """PyTorch's attention operator that gives the weights as well, behind the exercise's parameter names."""

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        layers = ((self.q_proj, query), (self.k_proj, key), (self.v_proj, value))
        q, k, v = (torch.einsum("bshd->bhsd", layer(x).unflatten(-1, (self.num_heads, -1))) for layer, x in layers)
        # This operator adds its mask to the scores, and gives a row of −inf alone weights of 0.
        added = None if mask is None else torch.where(mask, 0.0, float("-inf")).to(q.dtype)
        answers, weights = torch.ops.aten._scaled_dot_product_attention_math(q, k, v, added)
        return self.out_proj(torch.einsum("bhsd->bshd", answers).flatten(2)), weights

# %% exercise="MultiHeadAttention" part="variants"
def mask_like(rng, *shape):
    """Random, but each row has a key that may be seen and one that may not."""
    allowed = rng.random(shape) < 0.55
    first = rng.integers(0, shape[-1], size=shape[:-1])
    np.put_along_axis(allowed, first[..., None], True, axis=-1)
    np.put_along_axis(allowed, (first[..., None] + 1) % shape[-1], False, axis=-1)
    return torch.from_numpy(allowed)

def self_call(rng, batch, seq, num_heads, d_head, mask=None, **more):
    x = floats(rng, batch, seq, num_heads * d_head)
    given = dict(query=x, key=x, value=x) | ({} if mask is None else dict(mask=mask))
    return module(init=dict(d_model=num_heads * d_head, num_heads=num_heads), rng=rng, given=given, **more)

def cross_call(rng, batch, seq_q, seq_k, num_heads, d_head, mask=None, **more):
    d_model = num_heads * d_head
    given = dict(query=floats(rng, batch, seq_q, d_model), key=floats(rng, batch, seq_k, d_model), value=floats(rng, batch, seq_k, d_model))
    given |= {} if mask is None else dict(mask=mask)
    return module(init=dict(d_model=d_model, num_heads=num_heads), rng=rng, given=given, **more)

@cases(dict(batch=2, seq=5, num_heads=3, d_head=2), dict(batch=3, seq=7, num_heads=2, d_head=5), hidden=[dict(batch=3, seq=7, num_heads=2, d_head=5), dict(batch=4, seq=3, num_heads=5, d_head=2)])
def self_attention(rng, batch, seq, num_heads, d_head):
    """self-attention, {batch} sentences of {seq} tokens, {num_heads} heads of length {d_head}, no mask"""
    return self_call(rng, batch, seq, num_heads, d_head, gradients=False)

@cases(dict(batch=2, seq_q=3, seq_k=6, num_heads=4, d_head=5), hidden=[dict(batch=3, seq_q=4, seq_k=7, num_heads=2, d_head=5), dict(batch=2, seq_q=6, seq_k=5, num_heads=4, d_head=3)])
def cross_attention(rng, batch, seq_q, seq_k, num_heads, d_head):
    """{seq_q} queries, {seq_k} keys, {batch} sentences, {num_heads} heads of length {d_head}, no mask"""
    return cross_call(rng, batch, seq_q, seq_k, num_heads, d_head, gradients=False)

@cases(dict(batch=4, seq_q=5, seq_k=3, num_heads=2, d_head=3), hidden=[dict(batch=2, seq_q=5, seq_k=4, num_heads=3, d_head=2)])
def cross_attention_gradients(rng, batch, seq_q, seq_k, num_heads, d_head):
    """{seq_q} queries, {seq_k} keys, {batch} sentences, {num_heads} heads of length {d_head}, no mask, gradients"""
    return cross_call(rng, batch, seq_q, seq_k, num_heads, d_head)

@cases(dict(batch=3, seq=5, d_head=6), hidden=[dict(batch=2, seq=5, d_head=3)])
def one_head(rng, batch, seq, d_head):
    """a single head of length {d_head}, {batch} sentences of {seq} tokens, no mask"""
    return self_call(rng, batch, seq, 1, d_head, gradients=False)

@cases(dict(batch=3, seq_q=5, seq_k=7, num_heads=2, d_head=3), hidden=[dict(batch=4, seq_q=3, seq_k=5, num_heads=2, d_head=6)])
def hidden_keys(rng, batch, seq_q, seq_k, num_heads, d_head):
    """{seq_q} queries, {seq_k} keys, a mask of shape ({batch}, 1, 1, {seq_k}), gradients"""
    return cross_call(rng, batch, seq_q, seq_k, num_heads, d_head, mask_like(rng, batch, 1, 1, seq_k))

@cases(dict(batch=2, seq=5, num_heads=3, d_head=4), hidden=[dict(batch=3, seq=4, num_heads=2, d_head=5)])
def hidden_keys_of_oneself(rng, batch, seq, num_heads, d_head):
    """self-attention, {seq} tokens, a mask of shape ({batch}, 1, 1, {seq})"""
    return self_call(rng, batch, seq, num_heads, d_head, mask_like(rng, batch, 1, 1, seq), gradients=False)

@cases(dict(batch=2, seq_q=5, seq_k=3, num_heads=4, d_head=2), hidden=[dict(batch=3, seq_q=6, seq_k=4, num_heads=2, d_head=5)])
def table_of_pairs(rng, batch, seq_q, seq_k, num_heads, d_head):
    """{seq_q} queries, {seq_k} keys, a mask of shape ({seq_q}, {seq_k})"""
    return cross_call(rng, batch, seq_q, seq_k, num_heads, d_head, mask_like(rng, seq_q, seq_k), gradients=False)

@cases(dict(batch=3, seq=6, num_heads=2, d_head=5), hidden=[dict(batch=2, seq=6, num_heads=4, d_head=3)])
def earlier_tokens(rng, batch, seq, num_heads, d_head):
    """self-attention, {seq} tokens, each sees itself and earlier ones: a mask of shape ({seq}, {seq})"""
    return self_call(rng, batch, seq, num_heads, d_head, torch.ones(seq, seq, dtype=torch.bool).tril(), gradients=False)

@cases(dict(batch=2, seq_q=7, seq_k=5, num_heads=3, d_head=2), hidden=[dict(batch=3, seq_q=5, seq_k=4, num_heads=2, d_head=6)])
def each_head_its_own(rng, batch, seq_q, seq_k, num_heads, d_head):
    """{num_heads} heads, each with a mask of its own: shape ({batch}, {num_heads}, {seq_q}, {seq_k})"""
    return cross_call(rng, batch, seq_q, seq_k, num_heads, d_head, mask_like(rng, batch, num_heads, seq_q, seq_k), gradients=False)

@cases(dict(batch=3, seq_q=6, seq_k=5, num_heads=2, d_head=3), hidden=[dict(batch=2, seq_q=7, seq_k=3, num_heads=4, d_head=5)])
def nothing_to_see(rng, batch, seq_q, seq_k, num_heads, d_head):
    """{seq_q} queries, {seq_k} keys; one sentence may see nothing, and one more query of one head; gradients"""
    mask = mask_like(rng, batch, num_heads, seq_q, seq_k)
    mask[1] = False
    mask[0, 0, 2] = False
    return cross_call(rng, batch, seq_q, seq_k, num_heads, d_head, mask)

@cases()
def very_low_scores(rng):
    """3 queries, 4 keys, a mask of shape (2, 1, 1, 4), all scores around −25"""
    d_head, num_heads = 4, 2
    call = cross_call(rng, 2, 3, 4, num_heads, d_head, mask_like(rng, 2, 1, 1, 4), gradients=False)
    state = dict(call.state)
    offset = np.full(num_heads * d_head, 3.5, dtype="float32")
    for name, sign in (("q_proj", 1), ("k_proj", -1)):
        state[f"{name}.weight"] = type(state["q_proj.weight"])(state[f"{name}.weight"].data * np.float32(0.2), "float32")
        state[f"{name}.bias"] = type(state["q_proj.weight"])(sign * offset, "float32")
    return module(init=call.init, given=call.given, state=state, gradients=False)

def above(rng, number, low=0.0):
    """Queries of about 3.5, and keys at `low`, or at `number` where they are hidden: 7 times that in their scores."""
    mask = torch.tensor([[True, False], [False, True]])[:, None, None]
    call = cross_call(rng, 2, 3, 2, 2, 4, mask, gradients=False)
    state, kind = dict(call.state), type(call.state["q_proj.weight"])
    state["q_proj.weight"] = kind(state["q_proj.weight"].data * np.float32(0.05), "float32")
    state["q_proj.bias"] = kind(np.full(8, 3.5, dtype="float32"), "float32")
    state["k_proj.weight"] = kind(np.concatenate([np.ones((8, 1)), 0.05 * state["k_proj.weight"].data[:, 1:]], axis=1).astype("float32"), "float32")
    call.given["key"][..., 0] = torch.where(mask[:, 0, 0], low, number)
    return module(init=call.init, given=call.given, state=state, gradients=False)

@cases()
def high_hidden_scores(rng):
    """3 queries, 2 keys, of which the hidden one has scores about 10 above the other"""
    return above(rng, 1.4)

@cases()
def hidden_scores_hundreds_above(rng):
    """3 queries, 2 keys, of which the hidden one has scores hundreds above the other"""
    return above(rng, 40.0)

@cases()
def hidden_scores_far_above(rng):
    """3 queries, 2 keys, of which the hidden one has scores of +10,000, the other of −10,000"""
    return above(rng, 1500.0, -1500.0)

@cases()
def large_scores(rng):
    """3 tokens, 2 heads, scores of a hundred and more, no mask"""
    x = 12 * floats(rng, 2, 3, 8)
    given = dict(query=x, key=x, value=floats(rng, 2, 3, 8))
    return module(init=dict(d_model=8, num_heads=2), rng=rng, given=given, gradients=False)

q_line = "split_heads(self.q_proj(query), self.num_heads)"
k_line = "split_heads(self.k_proj(key), self.num_heads)"
v_line = "split_heads(self.v_proj(value), self.num_heads)"
scale = " / math.sqrt(q.shape[-1])"
fill = "scores.masked_fill(~mask, -math.inf)"
zero = "        if mask is not None:\n            weights = weights.masked_fill(~mask, 0.0)  # a row of −inf alone has become NaN\n"
merged = "merge_heads(weights @ v)"
batch_q, batch_k = "query.shape[0]", "key.shape[0]"
straight = [
    (q_line, "self.q_proj(query).reshape(len(query), self.num_heads, query.shape[1], -1)"),
    (k_line, "self.k_proj(key).reshape(len(key), self.num_heads, key.shape[1], -1)"),
    (v_line, "self.v_proj(value).reshape(len(value), self.num_heads, value.shape[1], -1)"),
]
woven = [
    (q_line, "self.q_proj(query).unflatten(-1, (-1, self.num_heads)).permute(0, 3, 1, 2)"),
    (k_line, "self.k_proj(key).unflatten(-1, (-1, self.num_heads)).permute(0, 3, 1, 2)"),
    (v_line, "self.v_proj(value).unflatten(-1, (-1, self.num_heads)).permute(0, 3, 1, 2)"),
]
merge_straight = (merged, "(weights @ v).reshape(query.shape)")
merge_woven = (merged, "(weights @ v).permute(0, 2, 3, 1).flatten(2)")

# scale
wrong("no-scale", (scale, ""), says="your weights equal softmax(QKᵀ) without the factor 1/√d_head.")
wrong("scale-d-head", (scale, " / q.shape[-1]"), says="your scores are divided by d_head; divide by its square root.")
wrong("scale-d-model", (scale, " / math.sqrt(query.shape[-1])"),
      says="your scores are divided by √d_model, the root of the full width; each head is scaled by the root of its own length, √d_head.")
wrong("scale-whole-d-model", (scale, " / query.shape[-1]"),
      says="your scores are divided by d_model; divide by √d_head, the root of one head's length.")
wrong("scale-num-heads", (scale, " / math.sqrt(self.num_heads)"),
      says="your scores are divided by the root of the number of heads; divide by √d_head, the root of one head's length.")
wrong("scale-seq-k", (scale, " / math.sqrt(k.shape[-2])"),
      says="your scores are divided by the root of the number of keys; divide by √d_head, the root of one head's length.")
wrong("scale-seq-q", (scale, " / math.sqrt(q.shape[-2])"),
      says="your scores are divided by the root of the number of queries; divide by √d_head, the root of one head's length.")
wrong("scale-heads-axis", (scale, " / math.sqrt(q.shape[0])"),
      says="your scores are divided by the root of the batch size; divide by √d_head, the root of one head's length.")
wrong("scale-multiplied", (scale, " * math.sqrt(q.shape[-1])"), says="your scores are multiplied by √d_head; divide by it.")
wrong("scale-negative", (scale, " / -math.sqrt(q.shape[-1])"), says="your scores have the wrong sign, so the least fitting key gets the most weight.")
wrong("scale-fourth-root", (scale, " / q.shape[-1] ** 0.25"), says="your scores are divided by the fourth root of d_head; divide by √d_head.")
wrong("scale-hard-coded", (scale, " / math.sqrt(64)"), says="your scores are always divided by 8 (= √64); take d_head from the tensors.")
wrong("scale-hard-coded-two", (scale, " / 2.0"), says="your scores are always divided by 2 (= √4); take d_head from the tensors.")
wrong("scale-hard-coded-root-two", (scale, " / math.sqrt(2)"), says="your scores are always divided by √2; take d_head from the tensors.")
wrong("scaled-after-softmax", (scale, ""), ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=-1) / math.sqrt(q.shape[-1])"),
      says="you divide by √d_head after the softmax, so your weights no longer sum to 1: scale the scores before it.")
# softmax
wrong("softmax-over-queries", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=-2)"),
      says="your softmax runs over the queries: your columns sum to 1. Each query is a row, and its weights over the keys sum to 1.")
wrong("softmax-over-queries-nan-safe", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=-2).nan_to_num()"),
      says="your softmax runs over the queries: your columns sum to 1. Each query is a row, and its weights over the keys sum to 1.")
wrong("softmax-over-heads", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=1)"),
      says="your softmax runs over the heads, so the heads share one weight among them; it runs over the keys, in each head by itself.")
wrong("softmax-over-heads-nan-safe", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=1).nan_to_num()"), (zero, ""),
      says="your softmax runs over the heads, so the heads share one weight among them; it runs over the keys, in each head by itself.")
wrong("softmax-over-heads-1e9", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=1)"), (fill, "scores.masked_fill(~mask, -1e9)"), (zero, ""),
      says="your softmax runs over the heads, so the heads share one weight among them; it runs over the keys, in each head by itself.")
wrong("softmax-over-batch-1e9", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=0)"), (fill, "scores.masked_fill(~mask, -1e9)"), (zero, ""),
      says="your softmax runs over the sentences of the batch; it runs over the keys, in each sentence by itself.")
wrong("softmax-over-queries-1e9", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=-2)"), (fill, "scores.masked_fill(~mask, -1e9)"), (zero, ""),
      says="your softmax runs over the queries: your columns sum to 1. Each query is a row, and its weights over the keys sum to 1.")
wrong("highest-only", ("torch.softmax(scores, dim=-1)", "nn.functional.one_hot(scores.argmax(dim=-1), scores.shape[-1]).float()"),
      says="only the key with the highest score gets weight; the softmax gives every visible key a share, and its gradient is what the layer learns from.")
wrong("cosine", ("q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])", "nn.functional.normalize(q, dim=-1) @ nn.functional.normalize(k, dim=-1).transpose(-2, -1)"),
      says="queries and keys are brought to length 1 before they meet (cosine similarity); here they meet as they are, divided by √d_head.")
wrong("relu-weights", ("torch.softmax(scores, dim=-1)", "torch.relu(scores)"), says="a ReLU stands in the softmax's place, so the weights do not sum to 1; use softmax over the keys.")
wrong("softmax-over-batch", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=0)"),
      says="your softmax runs over the sentences of the batch; it runs over the keys, in each sentence by itself.")
wrong("no-softmax", ("torch.softmax(scores, dim=-1)", "scores"), says="the softmax is missing: the scaled scores themselves are used as weights.")
wrong("log-softmax", ("torch.softmax(scores, dim=-1)", "torch.log_softmax(scores, dim=-1)"), says="your weights are the logarithms of the weights (log_softmax); use softmax.")
wrong("sigmoid", ("torch.softmax(scores, dim=-1)", "torch.sigmoid(scores)"), says="your weights are sigmoids of the scores, so the keys do not compete and a row does not sum to 1; use softmax over the keys.")
wrong("not-stable", ("torch.softmax(scores, dim=-1)", "torch.exp(scores) / torch.exp(scores).sum(dim=-1, keepdim=True)"),
      says="your softmax overflows on large scores: exp gives infinity, and infinity / infinity is NaN. Subtract each row's maximum first, or use torch.softmax.")
wrong("not-stable-masked", (fill, "scores"), (zero, ""),
      ("weights = torch.softmax(scores, dim=-1)", "e = torch.exp(scores) if mask is None else torch.exp(scores) * mask\n        weights = e / e.sum(dim=-1, keepdim=True).clamp(min=1e-30)"),
      says="your softmax overflows on large scores: exp gives infinity, and infinity / infinity is NaN. Subtract each row's maximum first, or use torch.softmax.")
# projections
wrong("query-not-projected", ("self.q_proj(query)", "query"), says="the queries are not projected: `query` must go through `q_proj` first.")
wrong("key-not-projected", ("self.k_proj(key)", "key"), says="the keys are not projected: `key` must go through `k_proj` first.")
wrong("value-not-projected", ("self.v_proj(value)", "value"), says="the values are not projected: `value` must go through `v_proj` first.")
wrong("nothing-projected", ("self.q_proj(query)", "query"), ("self.k_proj(key)", "key"), ("self.v_proj(value)", "value"),
      says="query, key and value are split into heads without going through `q_proj`, `k_proj` and `v_proj`.")
for pair, edits in {
    "query-and-key": [("self.q_proj(query)", "query"), ("self.k_proj(key)", "key")],
    "key-and-value": [("self.k_proj(key)", "key"), ("self.v_proj(value)", "value")],
    "query-and-value": [("self.q_proj(query)", "query"), ("self.v_proj(value)", "value")],
}.items():
    wrong(f"{pair}-not-projected", *edits, says=f"{pair.replace('-', ' ')} are not projected: each of the three must go through its own layer first.")
wrong("key-by-q-proj", ("self.k_proj(key)", "self.q_proj(key)"), says="your keys are made by `q_proj`; they have a layer of their own, `k_proj`.")
wrong("value-by-k-proj", ("self.v_proj(value)", "self.k_proj(value)"), says="your values are made by `k_proj`; they have a layer of their own, `v_proj`.")
wrong("value-by-q-proj", ("self.v_proj(value)", "self.q_proj(value)"), says="your values are made by `q_proj`; they have a layer of their own, `v_proj`.")
wrong("all-by-q-proj", ("self.k_proj(key)", "self.q_proj(key)"), ("self.v_proj(value)", "self.q_proj(value)"),
      says="query, key and value all go through `q_proj`; keys and values have layers of their own.")
wrong("query-by-k-proj", ("self.q_proj(query)", "self.k_proj(query)"), says="your queries are made by `k_proj`; they have a layer of their own, `q_proj`.")
wrong("q-and-k-proj-swapped", ("self.q_proj(query)", "self.k_proj(query)"), ("self.k_proj(key)", "self.q_proj(key)"),
      says="`q_proj` and `k_proj` have changed places: the queries go through `q_proj`, the keys through `k_proj`.")
wrong("k-and-v-proj-swapped", ("self.k_proj(key)", "self.v_proj(key)"), ("self.v_proj(value)", "self.k_proj(value)"),
      says="`k_proj` and `v_proj` have changed places: the keys go through `k_proj`, the values through `v_proj`.")
wrong("q-and-v-proj-swapped", ("self.q_proj(query)", "self.v_proj(query)"), ("self.v_proj(value)", "self.q_proj(value)"),
      says="`q_proj` and `v_proj` have changed places: the queries go through `q_proj`, the values through `v_proj`.")
wrong("value-is-key", ("self.v_proj(value)", "self.v_proj(key)"), says="your values are made from `key`; the argument `value` is never used.")
wrong("key-is-value", ("self.k_proj(key)", "self.k_proj(value)"), says="your keys are made from `value`; the argument `key` is never used.")
wrong("key-and-value-swapped", ("self.k_proj(key)", "self.k_proj(value)"), ("self.v_proj(value)", "self.v_proj(key)"),
      says="`key` and `value` have changed places: `k_proj` takes `key`, `v_proj` takes `value`.")
wrong("self-attention-only", ("self.k_proj(key)", "self.k_proj(query)"), ("self.v_proj(value)", "self.v_proj(query)"),
      says="keys and values are made from `query`, which is right in self-attention only; use the arguments `key` and `value`.")
wrong("key-is-query", ("self.k_proj(key)", "self.k_proj(query)"),
      says="your keys are made from `query`, which is right in self-attention only; use the argument `key`.")
wrong("query-is-key", ("self.q_proj(query)", "self.q_proj(key)"),
      says="your queries are made from `key`, which is right in self-attention only; use the argument `query`.")
wrong("value-is-query", ("self.v_proj(value)", "self.v_proj(query)"),
      says="your values are made from `query`, which is right in self-attention only; use the argument `value`.")
wrong("no-biases", ("self.q_proj(query)", "query @ self.q_proj.weight.T"), ("self.k_proj(key)", "key @ self.k_proj.weight.T"), ("self.v_proj(value)", "value @ self.v_proj.weight.T"),
      says="the biases of `q_proj`, `k_proj` and `v_proj` are left out; call the layers, and they add them.")
wrong("no-biases-at-all", ("self.q_proj(query)", "query @ self.q_proj.weight.T"), ("self.k_proj(key)", "key @ self.k_proj.weight.T"), ("self.v_proj(value)", "value @ self.v_proj.weight.T"),
      (f"self.out_proj({merged})", f"{merged} @ self.out_proj.weight.T"), says="the layers' biases are left out; call the layers, and they add them.")
wrong("weights-transposed-by-hand", ("self.q_proj(query)", "(query @ self.q_proj.weight + self.q_proj.bias)"), ("self.k_proj(key)", "(key @ self.k_proj.weight + self.k_proj.bias)"), ("self.v_proj(value)", "(value @ self.v_proj.weight + self.v_proj.bias)"),
      says="you multiply by the layers' weights untransposed; `nn.Linear` stores (out, in) and multiplies by the transpose. Call the layers instead.")
wrong("all-weights-transposed-by-hand", ("self.q_proj(query)", "(query @ self.q_proj.weight + self.q_proj.bias)"), ("self.k_proj(key)", "(key @ self.k_proj.weight + self.k_proj.bias)"), ("self.v_proj(value)", "(value @ self.v_proj.weight + self.v_proj.bias)"),
      (f"self.out_proj({merged})", f"({merged} @ self.out_proj.weight + self.out_proj.bias)"),
      says="you multiply by the layers' weights untransposed; `nn.Linear` stores (out, in) and multiplies by the transpose. Call the layers instead.")
wrong("relu", ("self.q_proj(query)", "self.q_proj(query).relu()"), ("self.k_proj(key)", "self.k_proj(key).relu()"), ("self.v_proj(value)", "self.v_proj(value).relu()"),
      says="the projections pass through a ReLU; here they are plain linear layers.")
# output layer
wrong("no-out-proj", (f"self.out_proj({merged})", merged), says="the output layer is left out: the merged heads must go through `out_proj`, which mixes them.")
wrong("no-out-bias", (f"self.out_proj({merged})", f"{merged} @ self.out_proj.weight.T"), says="the bias of `out_proj` is left out; call the layer, and it adds it.")
wrong("out-proj-twice", (f"self.out_proj({merged})", f"self.out_proj(self.out_proj({merged}))"), says="`out_proj` is applied twice; once is enough.")
wrong("out-proj-is-v-proj", ("self.out_proj(merge_heads", "self.v_proj(merge_heads"), says="the merged heads go through `v_proj` a second time; the last layer is `out_proj`.")
wrong("residual", (f"self.out_proj({merged})", f"self.out_proj({merged}) + query"), says="you add `query` to the output (a residual connection); that comes in unit 08, outside this layer.")
wrong("layer-norm", (f"self.out_proj({merged})", f"nn.functional.layer_norm(self.out_proj({merged}), query.shape[-1:])"), says="your output is normalised; that comes in unit 08, outside this layer.")
# heads
wrong("split-straight", *straight,
      says="the heads are cut straight out of memory, without exchanging heads and tokens: head 0 gets pieces of other tokens. Head 0 of token 0 should be the first d_head features of token 0.")
for names, edits in {"queries and keys": straight[:2], "queries": straight[:1], "keys": straight[1:2], "values": straight[2:], "keys and values": straight[1:]}.items():
    wrong(f"{names.replace(' ', '-')}-split-straight", *edits,
          says=f"the {names} are cut straight out of memory, without exchanging heads and tokens: head 0 gets pieces of other tokens. Head 0 of token 0 should be the first d_head features of token 0.")
wrong("merge-tokens-first", (merged, "(weights @ v).permute(2, 0, 1, 3).reshape(query.shape)"),
      says="when the heads are merged, the tokens' axis stands before the batch, so sentences get mixed: exchange heads and tokens only.")
wrong("merge-straight", merge_straight,
      says="the heads are merged without exchanging heads and tokens first, so each token's row holds pieces of other tokens.")
wrong("split-and-merge-straight", *straight, merge_straight,
      says="both the split and the merge reshape without exchanging heads and tokens. The round trip is exact, but each head attends among pieces of tokens.")
wrong("split-woven", *woven,
      says="your heads take every num_heads-th feature; head 0 should take the first d_head features in a row, head 1 the next.")
wrong("merge-woven", merge_woven,
      says="when the heads are merged their features alternate (head 0, head 1, ...); the whole of head 0 comes first, then the whole of head 1.")
wrong("split-and-merge-woven", *woven, merge_woven,
      says="your heads take every num_heads-th feature, in the split and in the merge. The round trip is exact, but head 0 must be the first d_head features in a row.")
wrong("merge-last-axes", (merged, "(weights @ v).transpose(2, 3).reshape(query.shape)"),
      says="before the merge you exchange tokens and features; heads and tokens are the ones to exchange.")
wrong("merge-view", (merged, "(weights @ v).transpose(1, 2).view(query.shape)"),
      says="`view` cannot join axes that do not lie in order in memory, as after an exchange of axes: use `reshape`, or make the tensor contiguous first.")
wrong("merge-view-by-sizes", (merged, "(weights @ v).transpose(1, 2).view(len(query), -1, query.shape[-1])"),
      says="`view` cannot join axes that do not lie in order in memory, as after an exchange of axes: use `reshape`, or make the tensor contiguous first.")
wrong("merge-reversed", (merged, "merge_heads((weights @ v).flip(1))"), says="the heads are merged in reverse; head 0 comes first.")
wrong("one-wide-head", (q_line, "split_heads(self.q_proj(query), 1)"), (k_line, "split_heads(self.k_proj(key), 1)"), (v_line, "split_heads(self.v_proj(value), 1)"),
      says="there is one head of the full width: `num_heads` is not used. Split queries, keys and values into heads.")
wrong("no-split-at-all", (q_line, "self.q_proj(query)"), (k_line, "self.k_proj(key)"), (v_line, "self.v_proj(value)"), (merged, "weights @ v"),
      says="there is one head of the full width, and no heads axis: split queries, keys and values into heads, (batch, num_heads, seq, d_head).")
wrong("head-length-swapped", (q_line, "split_heads(self.q_proj(query), query.shape[-1] // self.num_heads)"), (k_line, "split_heads(self.k_proj(key), key.shape[-1] // self.num_heads)"), (v_line, "split_heads(self.v_proj(value), value.shape[-1] // self.num_heads)"),
      says="the number of heads and their length have changed places: `num_heads` is how many heads there are, not how long each is.")
wrong("two-heads", (q_line, "split_heads(self.q_proj(query), 2)"), (k_line, "split_heads(self.k_proj(key), 2)"), (v_line, "split_heads(self.v_proj(value), 2)"),
      says="your layer always makes two heads; make as many as `num_heads` says.")
wrong("split-before-projecting", (q_line, "merge_heads(split_heads(query, self.num_heads)).unflatten(-1, (self.num_heads, -1)).transpose(1, 2) @ self.q_proj.weight[: query.shape[-1] // self.num_heads, : query.shape[-1] // self.num_heads].T"),
      says="the queries are split before they are projected, so each head sees only its own slice of a token. Project first, with the whole matrix; split afterwards.")
wrong("no-head-axis-exchange", (q_line, "self.q_proj(query).unflatten(-1, (self.num_heads, -1))"), (k_line, "self.k_proj(key).unflatten(-1, (self.num_heads, -1))"), (v_line, "self.v_proj(value).unflatten(-1, (self.num_heads, -1))"), (merged, "(weights @ v).flatten(2)"),
      says="the heads' axis still stands behind the tokens', so the heads of one token attend to one another. Move it next to the batch before the scores.")
wrong("query-length-for-all", (k_line, "self.k_proj(key).view(query.shape[0], query.shape[1], self.num_heads, -1).transpose(1, 2)"), (v_line, "self.v_proj(value).view(query.shape[0], query.shape[1], self.num_heads, -1).transpose(1, 2)"),
      says="keys and values are reshaped with the queries' length, which is right in self-attention only: take their length from `key`.")
wrong("query-and-key-swapped", ("q @ k.transpose(-2, -1)", "k @ q.transpose(-2, -1)"),
      says="queries and keys have changed places: entry (i, j) of the scores must be query i times key j.")
wrong("wrong-axes-transposed", ("k.transpose(-2, -1)", "k.transpose(1, 2)"), says="you exchange heads and tokens of the keys; the last two axes are the ones to exchange.")
wrong("keys-T", ("k.transpose(-2, -1)", "k.T"), says="`.T` turns round all axes of the keys; exchange only the last two.")
wrong("elementwise", ("q @ k.transpose(-2, -1)", "q * k"), says="`*` multiplies entry by entry; a query meets every key by a matrix product, queries times keys transposed.")
wrong("keys-reversed", ("k.transpose(-2, -1)", "k.mT.flip(-1)"), says="your keys stand in reverse order.")
wrong("weights-on-queries", ("weights @ v", "weights.transpose(-2, -1) @ v"),
      says="your weights are transposed before the sum over the values: output i must use row i of the weights.")
wrong("weights-on-keys", ("weights @ v", "weights @ k"), says="your output sums the keys; the weights belong on the values.")
wrong("key-not-transposed", ("k.transpose(-2, -1)", "k"), says="queries times keys do not fit as they are: exchange the keys' last two axes first.")
wrong("first-head-for-all", (merged, "merge_heads(weights[:, :1] @ v)"), says="every head uses the first head's weights; each has its own.")
wrong("heads-averaged-and-repeated", (merged, "(weights @ v).mean(dim=1).repeat(1, 1, self.num_heads)"),
      says="the heads' answers are averaged, so that all heads say the same; they belong side by side, each with its own answer.")
wrong("heads-summed-and-repeated", (merged, "(weights @ v).sum(dim=1).repeat(1, 1, self.num_heads)"),
      says="the heads' answers are added up, so that all heads say the same; they belong side by side, each with its own answer.")
wrong("narrow-slices", (q_line, "(split_heads(query, self.num_heads) @ self.q_proj.weight[: query.shape[-1] // self.num_heads, : query.shape[-1] // self.num_heads].T + self.q_proj.bias[: query.shape[-1] // self.num_heads])"),
      (k_line, "(split_heads(key, self.num_heads) @ self.k_proj.weight[: query.shape[-1] // self.num_heads, : query.shape[-1] // self.num_heads].T + self.k_proj.bias[: query.shape[-1] // self.num_heads])"),
      (v_line, "(split_heads(value, self.num_heads) @ self.v_proj.weight[: query.shape[-1] // self.num_heads, : query.shape[-1] // self.num_heads].T + self.v_proj.bias[: query.shape[-1] // self.num_heads])"),
      says="the tokens are split before they are projected, and all heads share one small corner of the matrices. Project first, with the whole matrix; split afterwards.")
wrong("bias-per-head", (f"self.out_proj({merged})", f"self.out_proj({merged}) + (self.num_heads - 1) * self.out_proj.bias"),
      says="the bias of `out_proj` is added once for each head; it is added once.")
wrong("heads-averaged-inside", (merged, "merge_heads(weights.mean(dim=1, keepdim=True) @ v)"), says="every head uses the average of all heads' weights; each has its own.")
wrong("first-sentence-for-all", (merged, "merge_heads(weights[:1] @ v)"), says="every sentence uses the first sentence's weights; each has its own.")
wrong("first-sentence-values", (merged, "merge_heads(weights @ v[:1])"), says="every sentence sums the first sentence's values; each has its own.")
# mask
wrong("ignores-mask", ("if mask is not None:\n            scores", "if False:\n            scores"), (zero, ""),
      says="the mask is not used: hidden keys get weight.")
wrong("inverted", (fill, "scores.masked_fill(mask, -math.inf)"), ("weights.masked_fill(~mask, 0.0)", "weights.masked_fill(mask, 0.0)"),
      says="your mask is inverted: your queries look exactly at the keys that are hidden. Here True means may be attended to.")
wrong("inverted-nan", (fill, "scores.masked_fill(mask, -math.inf)"), (zero, ""),
      says="your mask is inverted: your queries look exactly at the keys that are hidden. Here True means may be attended to.")
wrong("inverted-nan-to-num", (fill, "scores.masked_fill(mask, -math.inf)"), (zero, "        weights = weights.nan_to_num()\n"),
      says="your mask is inverted: your queries look exactly at the keys that are hidden. Here True means may be attended to.")
wrong("inverted-1e9", (fill, "scores.masked_fill(mask, -1e9)"), (zero, ""),
      says="your mask is inverted: your queries look exactly at the keys that are hidden. Here True means may be attended to.")
wrong("filled-with-zero-and-cleared", (fill, "scores.masked_fill(~mask, 0.0)"),
      says="the weights you return are 0 where keys are hidden, but hidden keys took part in the softmax, with a score of 0, so the rest of a row sums to less than 1. A hidden score must be so low that nothing is left of its exponential.")
wrong("filled-with-zero", (fill, "scores.masked_fill(~mask, 0.0)"), (zero, ""),
      says="hidden scores are set to 0, and exp(0) is 1: hidden keys still get weight. Which score becomes 0 after the softmax?")
wrong("filled-with-minus-20", (fill, "scores.masked_fill(~mask, -20.0)"),  (zero, ""),
      says="hidden scores are set to a number that is not low enough: where all other scores are lower still, the hidden keys get the weight. Replace them by −inf, or by the lowest finite number of their type.")
wrong("filled-with-minus-20-zeroed-rows", (fill, "scores.masked_fill(~mask, -20.0)"), (zero, "        if mask is not None:\n            weights = weights * mask.any(dim=-1, keepdim=True)\n"),
      says="hidden scores are set to a number that is not low enough: where all other scores are lower still, the hidden keys get the weight. Replace them by −inf, or by the lowest finite number of their type.")
ROWS = "        if mask is not None:\n            weights = weights * mask"
for number in (15, 100, 1000):
    for name, rows in (("", ""), ("-zeroed-rows", f"{ROWS}.any(dim=-1, keepdim=True)\n"), ("-zeroed", f"{ROWS}\n")):
        if (number, name) == (100, "-zeroed"):  # as "shared-out" gives
            continue
        wrong(f"added-minus-{number}{name}", (fill, f"scores - {number}.0 * (~mask)"), (zero, rows),
              says="hidden scores are not pushed low enough, by what you take from them or by what you set them to: where a hidden key's score lies far above the others, or these are very low, it still takes the weight. Replace hidden scores by −inf, or by the lowest finite number of their type.")
wrong("filled-with-minus-1", (fill, "scores.masked_fill(~mask, -1.0)"), (zero, ""),
      says="hidden scores are set to −1, and exp(−1) is 0.37: hidden keys still get weight. Replace them by −inf, or by the lowest finite number of their type.")
wrong("filled-with-minus-10", (fill, "scores.masked_fill(~mask, -10.0)"), (zero, ""),
      says="hidden scores are set to −10, which is not low enough: hidden keys still get weight. Replace them by −inf, or by the lowest finite number of their type.")
wrong("filled-with-tiny", (fill, "scores.masked_fill(~mask, 1e-9)"), (zero, ""),
      says="hidden scores are set to 0, and exp(0) is 1: hidden keys still get weight. Which score becomes 0 after the softmax?")
wrong("filled-with-plus-inf", (fill, "scores.masked_fill(~mask, 1e9)"), (zero, ""),
      says="hidden scores are set to a huge positive number, so the hidden keys get all the weight; the sign is wrong.")
wrong("fully-masked-uniform", (fill, "scores.masked_fill(~mask, -1e9)"), (zero, ""),
      says="where a query may see nothing, your weights are all equal: all its scores are the same low number, and the softmax shares the weight among the hidden keys. Such a row must be all 0.")
wrong("fully-masked-added", (fill, "scores + (~mask) * -1e6"), (zero, ""),
      says="where a query may see nothing, your weights are as if nothing were hidden. Such a row must be all 0.")
wrong("fully-masked-nan", (zero, ""),
      says="where a query may see nothing, your weights are NaN: all its scores are −inf, and the softmax (or the division by the row's sum) is 0/0. Such a row must be all 0.")
wrong("fully-masked-open", (fill, "scores.masked_fill(~mask & mask.any(-1, keepdim=True), -math.inf)"), (zero, ""),
      says="where a query may see nothing, your weights are as if nothing were hidden. Such a row must be all 0.")
wrong("fully-masked-output-zero", ("        return output, weights", "        if mask is not None:\n            seen = mask.expand(weights.shape).any(dim=-1).all(dim=1)\n            output = output * seen.unsqueeze(-1)\n        return output, weights"),
      says="where a query of any head may see nothing, you set the whole output to 0. Only the weights of that head are 0; the other heads and the bias of `out_proj` stay.")
wrong("blind-output-zero", ("        return output, weights", "        if mask is not None:\n            seen = mask.expand(weights.shape).any(dim=-1).any(dim=1)\n            output = output * seen.unsqueeze(-1)\n        return output, weights"),
      says="where a query sees nothing in any head, you set the output to 0. Its weights are 0; the output layer follows as for every token, and adds the bias of `out_proj`.")
wrong("fully-masked-weights-only", (fill, "scores.masked_fill(~mask, -1e9)"), (zero, ""), ("return output, weights", "return output, weights if mask is None else weights * mask"),
      says="where a query may see nothing, the weights you return are 0, but the output was made before, with weights that were not. Set them to 0 before the sum over the values.")
wrong("fully-masked-output-only", (zero, ""), ("merge_heads(weights @ v)", "merge_heads((weights if mask is None else weights.nan_to_num()) @ v)"),
      says="where a query may see nothing, your output is right, but the weights you return are NaN. Such a row must be all 0.")
wrong("zero-times-infinity", (fill, "scores + (~mask) * -math.inf"), (zero, ""),
      says="you multiply the mask by −inf, and 0 · (−inf) is NaN, so every visible key becomes NaN. Fill in −inf where the mask hides, do not multiply.")
wrong("mask-after-softmax", (fill, "scores"),
      says="hidden weights are set to 0 after the softmax, so the rows with a hidden key sum to less than 1: the mask belongs on the scores, before the softmax.")
wrong("mask-of-ones-only", (fill, "scores + mask"), (zero, ""),
      says="the mask is added as 0 and 1: hidden keys keep a weight, a little smaller. Hidden scores must become −inf.")
wrong("mask-tiny-added", (fill, "scores.masked_fill(~mask, -math.inf)"), (zero, "        if mask is not None:\n            weights = torch.softmax(scores, dim=-1).nan_to_num(1.0 / scores.shape[-1])\n"),
      says="where a query may see nothing, your weights are all equal: all its scores are the same low number, and the softmax shares the weight among the hidden keys. Such a row must be all 0.")
wrong("mask-transposed", (fill, "scores.masked_fill(~mask.transpose(-2, -1), -math.inf)"), ("weights.masked_fill(~mask, 0.0)", "weights.masked_fill(~mask.transpose(-2, -1), 0.0)"),
      says="your mask is transposed: it hides queries from keys. Its last axis is the keys'.")
wrong("mask-transposed-where-square", ("        scores = q @", "        if mask is not None and mask.shape[-1] == mask.shape[-2]:\n            mask = mask.transpose(-2, -1)\n        scores = q @"),
      says="where your mask is square, its rows and columns have changed places; a row is a query, a column a key.")
wrong("mask-transposed-nan", (fill, "scores.masked_fill(~mask.transpose(-2, -1), -math.inf)"), (zero, "        weights = weights.nan_to_num()\n"),
      says="your mask is transposed: it hides queries from keys. Its last axis is the keys'.")
wrong("first-head-mask", (fill, "scores.masked_fill(~(mask[:, :1] if mask.dim() == 4 else mask), -math.inf)"), ("weights.masked_fill(~mask, 0.0)", "weights.masked_fill(~(mask[:, :1] if mask.dim() == 4 else mask), 0.0)"),
      says="all heads use the first head's mask; a mask of shape (batch, num_heads, seq_q, seq_k) gives each head its own.")
wrong("any-head-mask", (fill, "scores.masked_fill(~(mask.any(1, keepdim=True) if mask.dim() == 4 else mask), -math.inf)"), (zero, "        weights = weights.nan_to_num()\n"),
      says="the heads' masks are joined into one, so a key that one head may see is seen by all; a mask of shape (batch, num_heads, seq_q, seq_k) gives each head its own.")
wrong("all-heads-mask", (fill, "scores.masked_fill(~(mask.all(1, keepdim=True) if mask.dim() == 4 else mask), -math.inf)"), (zero, "        weights = weights.nan_to_num()\n"),
      says="the heads' masks are joined into one, so a key that one head may not see is seen by none; a mask of shape (batch, num_heads, seq_q, seq_k) gives each head its own.")
wrong("first-query-mask", (fill, "scores.masked_fill(~mask[..., :1, :], -math.inf)"), (zero, "        weights = weights.nan_to_num()\n"),
      says="all queries use the first query's row of the mask; each has its own.")
wrong("first-sentence-mask", (fill, "scores.masked_fill(~(mask[:1] if mask.dim() == 4 else mask), -math.inf)"), ("weights.masked_fill(~mask, 0.0)", "weights.masked_fill(~(mask[:1] if mask.dim() == 4 else mask), 0.0)"),
      says="all sentences use the first sentence's mask; each has its own.")
wrong("mask-needs-four-axes", ("        scores = q @", "        if mask is not None:\n            batch, heads, rows, columns = mask.shape\n        scores = q @"),
      says="your code needs a mask with four axes; one of shape (seq_q, seq_k) is allowed as well, and broadcasting handles it.")
wrong("mask-unsqueezed", (fill, "scores.masked_fill(~mask.unsqueeze(1), -math.inf)"), ("weights.masked_fill(~mask, 0.0)", "weights.masked_fill(~mask.unsqueeze(1), 0.0)"),
      says="you insert an axis into the mask. It broadcasts to (batch, num_heads, seq_q, seq_k) as it is.")
wrong("always-causal", (zero, zero + "        weights = weights.tril() / weights.tril().sum(-1, keepdim=True).clamp(min=1e-9)\n"),
      says="your queries see only earlier keys even where no mask says so; hide what the mask hides, nothing else.")
wrong("always-causal-too", ("        if mask is not None:\n            scores", "        scores = scores.masked_fill(torch.ones_like(scores[0, 0]).triu(1) > 0, -math.inf)\n        if mask is not None:\n            scores"), (zero, "        weights = weights.nan_to_num()\n"),
      says="your queries see only earlier keys even where no mask says so; hide what the mask hides, nothing else.")
wrong("causal-without-mask", ("scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])", "scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])\n        mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril() if mask is None else mask"),
      says="where no mask is given, your queries see only themselves and earlier keys; without a mask every query may see every key.")
wrong("mask-required", ("        if mask is not None:\n            scores = scores.masked_fill", "        if True:\n            scores = scores.masked_fill"),
      says="without a mask your code stops: `mask` may be None, and then nothing is hidden.")
# what comes back
wrong("output-only", ("return output, weights", "return output"), says="you return the output only; return the output and the weights.")
wrong("swapped-results", ("return output, weights", "return weights, output"), says="output and weights have changed places: the output comes first.")
wrong("three-results", ("return output, weights", "return output, weights, scores"), says="you return three things; return the output and the weights.")
wrong("scores-returned", ("return output, weights", "return output, scores"), says="you return the scores; the weights are what comes out of the softmax.")
wrong("weights-averaged", ("return output, weights", "return output, weights.mean(dim=1)"),
      says="your weights are averaged over the heads, as `nn.MultiheadAttention` does by default; return each head's own, (batch, num_heads, seq_q, seq_k).")
wrong("weights-summed", ("return output, weights", "return output, weights.sum(dim=1)"),
      says="your weights are added up over the heads; return each head's own, (batch, num_heads, seq_q, seq_k).")
wrong("weights-first-head", ("return output, weights", "return output, weights[:, 0]"),
      says="you return the first head's weights only; return every head's, (batch, num_heads, seq_q, seq_k).")
wrong("weights-transposed", ("return output, weights", "return output, weights.transpose(-2, -1)"),
      says="the weights you return are transposed: a row for each query, a column for each key.")
wrong("weights-tokens-first", ("return output, weights", "return output, weights.transpose(1, 2)"),
      says="in the weights you return, the heads' axis stands behind the queries'; (batch, num_heads, seq_q, seq_k) is wanted.")
wrong("weights-flat", ("return output, weights", "return output, weights.flatten(0, 1)"),
      says="in the weights you return, batch and heads are joined into one axis; (batch, num_heads, seq_q, seq_k) is wanted.")
wrong("weights-detached", ("return output, weights", "return output, weights.detach()"),
      says="the numbers are right, but no gradient flows back through the weights you return (`detach` or `.data` cuts it).")
wrong("weights-heads-first", ("return output, weights", "return output, weights.transpose(0, 1)"),
      says="in the weights you return, the heads' axis stands before the batch; (batch, num_heads, seq_q, seq_k) is wanted.")
wrong("weights-numpy", ("return output, weights", "return output, weights.detach().numpy()"),
      says="your weights are a NumPy array; return a PyTorch tensor.")
wrong("weights-without-mask", ("return output, weights", "return output, torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), dim=-1)"),
      says="the weights you return were made without the mask; return those with which the values are summed.")
wrong("dict-returned", ("return output, weights", "return {'output': output, 'weights': weights}"), says="you return a dict; return the output and the weights, `return output, weights`.")
wrong("stacked-results", ("return output, weights", "return [output]"), says="you return the output only; return the output and the weights.")
wrong("weights-list", ("return output, weights", "return output, list(weights.unbind(1))"),
      says="your weights are a list with one tensor for each head; one tensor of shape (batch, num_heads, seq_q, seq_k) is wanted.")
wrong("weights-heads-last", ("return output, weights", "return output, weights.movedim(1, -1)"),
      says="in the weights you return, the heads' axis stands last; (batch, num_heads, seq_q, seq_k) is wanted.")
wrong("weights-cut", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=-1).detach()"),
      says="the numbers are right, but no gradient flows back through the weights (`detach`, `.data` or a trip through NumPy cuts it), so queries and keys could not learn.")
wrong("weights-not-none", ("return output, weights", "return output, None"), says="you return None in place of the weights; return the output and the weights.")
wrong("output-of-heads", ("return output, weights", "return split_heads(output, self.num_heads), weights"), says="your output still has a heads axis; merge the heads: (batch, seq_q, d_model).")
wrong("output-detached", ("weights @ v", "weights.detach() @ v"),
      says="the numbers are right, but no gradient flows from the output back through the weights (`detach` or `.data` cuts it), so queries and keys could not learn.")
wrong("no-grad", ("        q = split", "        torch.set_grad_enabled(False)\n        q = split"), ("        output = self.out_proj(merge_heads(weights @ v))", "        output = self.out_proj(merge_heads(weights @ v))\n        torch.set_grad_enabled(True)"),
      says="the numbers are right, but no gradient flows back (`no_grad`, `detach` or a trip through NumPy cuts it), so the layer could not learn.")
wrong("returns-nothing", ("return output, weights", "output, weights"), says="your `forward` returns None: the `return` is missing.")
# in place, precision, chance
wrong("mask-in-place", ("        weights = torch.softmax", "        if mask is not None:\n            mask.logical_not_()\n        weights = torch.softmax"), ("weights.masked_fill(~mask, 0.0)", "weights.masked_fill(mask, 0.0)"),
      says="your numbers are right, but your code changes the caller's `mask` (an operation that ends in `_`, or an assignment to a part of it, works in place); make a new one, as `~mask` does.")
wrong("query-in-place", ("        q = split", "        query.data.div_(math.sqrt(query.shape[-1] // self.num_heads))\n        q = split"), (scale, ""),
      says="your code scales the caller's `query` in place (an operation that ends in `_`, or `*=` and `/=`); compute a new tensor. Scaling before `q_proj` also shrinks the token, but not the bias.")
# weights that do not fit
wrong("out-proj-missing", ("        self.out_proj = nn.Linear(d_model, d_model)\n", ""), (f"self.out_proj({merged})", merged),
      says="your class has no `out_proj`; leave `__init__` as it is given: its four layers' names are the course's.")
wrong("no-bias-layers", ("self.q_proj = nn.Linear(d_model, d_model)", "self.q_proj = nn.Linear(d_model, d_model, bias=False)"),
      says="`q_proj` has no bias in your class; leave `__init__` as it is given: each of its four layers has one.")
wrong("shared-narrow-layer", ("self.q_proj = nn.Linear(d_model, d_model)", "self.q_proj = nn.Linear(d_model // num_heads, d_model // num_heads)"),
      says="your `q_proj` is (d_head, d_head), one small matrix shared by all heads; it is (d_model, d_model), and each head has its own part of it.")
wrong("narrow-layer", ("self.q_proj = nn.Linear(d_model, d_model)", "self.q_proj = nn.Linear(d_model, d_model // num_heads)"),
      says="your `q_proj` makes the queries of one head only, (d_head, d_model); it makes those of all heads at once, (d_model, d_model).")
# two at once
wrong("no-scale-mask-after", (scale, ""), (fill, "scores"),
      says="two things at once: the scale 1/√d_head is missing, and hidden weights are set to 0 only after the softmax, so rows sum to less than 1.")
wrong("no-scale-split-and-merge-straight", (scale, ""), *straight, merge_straight,
      says="two things at once: the scale 1/√d_head is missing, and split and merge reshape without exchanging heads and tokens.")
wrong("no-scale-filled-with-zero", (scale, ""), (fill, "scores.masked_fill(~mask, 0.0)"), (zero, ""),
      says="two things at once: the scale 1/√d_head is missing, and hidden scores are set to 0, which still gives them weight.")
wrong("no-scale-weights-averaged", (scale, ""), ("return output, weights", "return output, weights.mean(dim=1)"),
      says="two things at once: the scale 1/√d_head is missing, and the weights you return are averaged over the heads.")
wrong("inverted-no-out-proj", (f"self.out_proj({merged})", merged), (fill, "scores.masked_fill(mask, -math.inf)"), ("weights.masked_fill(~mask, 0.0)", "weights.masked_fill(mask, 0.0)"),
      says="two things at once: the mask is inverted (True means may be attended to), and the output layer `out_proj` is left out.")
wrong("no-mask-no-out-proj", (f"self.out_proj({merged})", merged), ("if mask is not None:\n            scores", "if False:\n            scores"), (zero, ""),
      says="two things at once: the mask is not used, and the output layer `out_proj` is left out.")
wrong("no-mask-merge-straight", merge_straight, ("if mask is not None:\n            scores", "if False:\n            scores"), (zero, ""),
      says="two things at once: the mask is not used, and the heads are merged without exchanging heads and tokens first.")
wrong("no-scale-no-out-proj", (scale, ""), (f"self.out_proj({merged})", merged),
      says="two things at once: the scale 1/√d_head is missing, and the output layer `out_proj` is left out.")
wrong("no-scale-merge-straight", (scale, ""), merge_straight,
      says="two things at once: the scale 1/√d_head is missing, and the heads are merged without exchanging heads and tokens first.")
wrong("d-model-scale-merge-straight", (scale, " / math.sqrt(query.shape[-1])"), merge_straight,
      says="two things at once: the scale is √d_model in place of √d_head, and the heads are merged without exchanging heads and tokens first.")
wrong("no-scale-inverted", (scale, ""), (fill, "scores.masked_fill(mask, -math.inf)"), ("weights.masked_fill(~mask, 0.0)", "weights.masked_fill(mask, 0.0)"),
      says="two things at once: the scale 1/√d_head is missing, and the mask is inverted (True means may be attended to).")
wrong("no-scale-no-mask", (scale, ""), ("if mask is not None:\n            scores", "if False:\n            scores"), (zero, ""),
      says="two things at once: the scale 1/√d_head is missing, and the mask is not used.")
wrong("no-out-proj-merge-straight", (f"self.out_proj({merged})", "(weights @ v).reshape(query.shape)"),
      says="two things at once: the heads are merged without exchanging heads and tokens first, and the output layer `out_proj` is left out.")
for first, (factor, words) in {
    "no-scale": ("", "the scale 1/√d_head is missing"),
    "scale-d-head": (" / q.shape[-1]", "the scores are divided by d_head, not by its root"),
    "scale-d-model": (" / math.sqrt(query.shape[-1])", "the scale is √d_model in place of √d_head"),
}.items():
    for second, (edits, more) in {
        "softmax-queries": ([("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=-2).nan_to_num()")], "the softmax runs over the queries"),
        "softmax-heads": ([("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=1).nan_to_num()")], "the softmax runs over the heads"),
        "split-straight": (straight, "the split reshapes without exchanging heads and tokens"),
        "merge-woven": ([merge_woven], "merging makes the heads' features alternate"),
        "no-out": ([(f"self.out_proj({merged})", merged)], "the output layer `out_proj` is left out"),
        "merge": ([merge_straight], "the heads are merged without exchanging heads and tokens first"),
        "weights-on-keys": ([("weights @ v", "weights @ k")], "the output sums the keys instead of the values"),
        "output-only": ([("return output, weights", "return output")], "only the output is returned, without the weights"),
    }.items():
        if (first, second) not in (("no-scale", "no-out"), ("no-scale", "merge"), ("scale-d-model", "merge")):
            wrong(f"{first}-and-{second}", (scale, factor), *edits, says=f"two things at once: {words}, and {more}.")
wrong("softmax-queries-no-out", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=-2).nan_to_num()"), (f"self.out_proj({merged})", merged),
      says="two things at once: the softmax runs over the queries, and the output layer `out_proj` is left out.")
wrong("softmax-queries-merge-straight", ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=-2).nan_to_num()"), merge_straight,
      says="two things at once: the softmax runs over the queries, and the heads are merged without exchanging heads and tokens first.")
wrong("split-straight-no-out", *straight, (f"self.out_proj({merged})", merged),
      says="two things at once: the split reshapes without exchanging heads and tokens, and the output layer `out_proj` is left out.")

class ByHead(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        self.num_heads = num_heads
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            setattr(self, name, nn.Linear(d_model, d_model))

@right
class LoopOverHeads(ByHead):
    def forward(self, query, key, value, mask=None):
        d = self.q_proj.out_features // self.num_heads
        shape = (query.shape[0], self.num_heads, query.shape[1], key.shape[1])
        allowed = torch.ones(shape, dtype=torch.bool) if mask is None else mask.expand(shape)
        outputs, maps = [], []
        for h in range(self.num_heads):
            rows = slice(h * d, (h + 1) * d)
            q, k, v = (x @ p.weight[rows].T + p.bias[rows] for x, p in ((query, self.q_proj), (key, self.k_proj), (value, self.v_proj)))
            s = torch.where(allowed[:, h], q @ k.mT / d**0.5, torch.tensor(-torch.inf))
            w = torch.nan_to_num(torch.softmax(s, -1))
            outputs.append(w @ v)
            maps.append(w)
        return self.out_proj(torch.cat(outputs, -1)), torch.stack(maps, 1)

@right
class Einsum(ByHead):
    def forward(self, q, k, v, mask=None):
        q, k, v = (p(x).view(x.size(0), x.size(1), self.num_heads, -1) for p, x in ((self.q_proj, q), (self.k_proj, k), (self.v_proj, v)))
        energy = torch.einsum("bqhd,bkhd->bhqk", q * q.size(-1) ** -0.5, k)
        if mask is not None:
            energy = energy.masked_fill(mask == 0, float("-1e20"))
        attention = torch.softmax(energy, dim=3)
        if mask is not None:
            attention = attention * mask
        return self.out_proj(torch.einsum("bhqk,bkhd->bqhd", attention, v).flatten(2)), attention

@right
class AdditiveMask(ByHead):
    def forward(self, query, key, value, mask=None):
        def split(x):
            return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        q, k, v = split(self.q_proj(query)), split(self.k_proj(key)), split(self.v_proj(value))
        scores = torch.matmul(q, k.permute(0, 1, 3, 2)) / q.size(-1) ** 0.5
        if mask is not None:
            scores = scores + torch.zeros(mask.shape).masked_fill(~mask, -1e9)
        weights = scores.softmax(-1) * (1.0 if mask is None else mask)
        return [self.out_proj((weights @ v).transpose(1, 2).reshape(query.shape)), weights]

SHARED = "you take a softmax (or the largest score) over all keys, hidden ones too, and share out what is left. Where a hidden score lies far above the visible ones, nothing is left of these. Hide the keys before the softmax."
shared_out = "        if mask is not None:\n            weights = weights * mask\n            weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)\n"
wrong("shared-out", (fill, "scores"), (zero, shared_out), says=SHARED)
wrong("shared-out-of-next-to-nothing", (fill, "scores"), (zero, shared_out.replace("1e-9", "1e-38")), says=SHARED)
wrong("nan-gradient", (fill, "scores + torch.zeros(mask.shape).masked_fill(~mask, -math.inf)"), (zero, "        weights = weights.nan_to_num(0.0)\n"),
      says="your numbers are right, and NaN stands in the gradients: a row that hides everything was NaN before it was cleaned, and 0 · NaN is NaN on the way back. Let no NaN arise: replace hidden scores, or let what you add to them be finite.")

@right
class FlatBatches(ByHead):
    def forward(self, query, key, value, mask=None):
        h, d = self.num_heads, query.shape[-1] // self.num_heads
        def flat(x):
            return torch.cat(x.chunk(h, dim=-1), dim=0)  # (num_heads·batch, seq, d_head)
        q, k, v = flat(self.q_proj(query)), flat(self.k_proj(key)), flat(self.v_proj(value))
        scores = torch.baddbmm(torch.zeros(len(q), q.shape[1], k.shape[1]), q, k.mT, beta=0, alpha=1 / math.sqrt(d))
        scores = scores.view(h, len(query), *scores.shape[1:]).transpose(0, 1)
        if mask is not None:
            scores.masked_fill_(mask.logical_not(), torch.finfo(scores.dtype).min)
        weights = nn.functional.softmax(scores, dim=-1)
        if mask is not None:
            weights = torch.where(mask, weights, torch.zeros(()))
        out = torch.bmm(weights.transpose(0, 1).flatten(0, 1), v)
        return self.out_proj(torch.cat(out.chunk(h, dim=0), dim=-1)), weights

@right
class DoublePrecision(ByHead):
    def forward(self, query, key, value, mask=None):
        def lin(p, x):
            return (x.double() @ p.weight.double().T + p.bias.double()).unflatten(-1, (self.num_heads, -1)).movedim(2, 1)
        q, k, v = lin(self.q_proj, query), lin(self.k_proj, key), lin(self.v_proj, value)
        s = q @ k.mT / math.sqrt(k.shape[-1])
        s = s if mask is None else s.masked_fill(~mask, -1e300)
        e = torch.exp(s - s.amax(-1, keepdim=True))
        e = e if mask is None else e * mask
        w = e / e.sum(-1, keepdim=True).clamp_min(1e-300)
        joined = (w @ v).movedim(1, 2).flatten(2)
        return joined @ self.out_proj.weight.double().T + self.out_proj.bias.double(), w

@right
class NoKeyBias(ByHead):
    """The keys' bias adds the same number to a query's scores, and the softmax does not notice."""
    def forward(self, query, key, value, mask=None):
        q, v = split_heads(self.q_proj(query), self.num_heads), split_heads(self.v_proj(value), self.num_heads)
        k = split_heads(key @ self.k_proj.weight.T, self.num_heads)
        s = q @ k.mT / math.sqrt(q.shape[-1])
        if mask is not None:
            s = s.masked_fill(~mask, -1e9)
        w = s.softmax(-1)
        if mask is not None:
            w = w.masked_fill(mask.eq(False), 0)
        return self.out_proj(merge_heads(w @ v)), w

@truth
class LoopInFloat64(ByHead):
    """One head, one sentence, one query, one key at a time."""
    def forward(self, query, key, value, mask=None):
        q, k, v = linear64(self.q_proj, query), linear64(self.k_proj, key), linear64(self.v_proj, value)
        (batch, seq_q, width), seq_k, d = q.shape, k.shape[1], q.shape[-1] // self.num_heads
        weights = torch.zeros(batch, self.num_heads, seq_q, seq_k, dtype=torch.float64)
        joined = torch.zeros(batch, seq_q, width, dtype=torch.float64)
        allowed = torch.ones_like(weights, dtype=torch.bool) if mask is None else mask.expand(weights.shape)
        for b, h, i in np.ndindex(batch, self.num_heads, seq_q):
            mine, keys = slice(h * d, (h + 1) * d), [j for j in range(seq_k) if allowed[b, h, i, j]]
            s = {j: float((q[b, i, mine] * k[b, j, mine]).sum()) / d**0.5 for j in keys}
            e = {j: math.exp(s[j] - max(s.values())) for j in keys}
            for j in keys:
                share = e[j] / sum(e.values())
                weights[b, h, i, j] = share
                joined[b, i, mine] += share * v[b, j, mine]
        return linear64(self.out_proj, joined), weights

@truth
class PyTorchsOwn(ByHead):
    """nn.MultiheadAttention, the weights copied; rows that see nothing are opened, and their weights dropped."""
    def forward(self, query, key, value, mask=None):
        own = nn.MultiheadAttention(query.shape[-1], self.num_heads, batch_first=True)
        with torch.no_grad():
            own.in_proj_weight.copy_(torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight]))
            own.in_proj_bias.copy_(torch.cat([self.q_proj.bias, self.k_proj.bias, self.v_proj.bias]))
            own.out_proj.weight.copy_(self.out_proj.weight)
            own.out_proj.bias.copy_(self.out_proj.bias)
        shape = (query.shape[0], self.num_heads, query.shape[1], key.shape[1])
        allowed = torch.ones(shape, dtype=torch.bool) if mask is None else mask.expand(shape)
        sees = allowed.any(-1, keepdim=True)
        output, weights = own(query, key, value, attn_mask=~(allowed | ~sees).flatten(0, 1), average_attn_weights=False)
        if not sees.all():  # PyTorch gives NaN there: take its weights, drop those rows, and sum the values again
            weights = weights * sees
            v = self.v_proj(value).unflatten(-1, (self.num_heads, -1))
            output = self.out_proj(torch.einsum("bhqk,bkhd->bqhd", weights, v).flatten(2))
        return output, weights

truth(use_part("MultiHeadAttention"))
