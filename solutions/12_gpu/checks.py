"""What the checks of unit 12 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% exercise="attention_flops" part="library"
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def attention_flops(batch: int, num_heads: int, seq: int, d_head: int) -> int:
    """By PyTorch's own counter, which looks at shapes and computes nothing."""
    query = torch.empty(batch, num_heads, seq, d_head, device="meta")
    with FlopCounterMode(display=False) as counter:
        (query @ query.transpose(-2, -1)) @ query
    return int(counter.get_total_flops())

# %% exercise="attention_flops" part="variants"
@cases(dict(batch=2, num_heads=3, seq=5, d_head=7), dict(batch=4, num_heads=6, seq=9, d_head=5), dict(batch=3, num_heads=5, seq=7, d_head=2))
def drawn(rng, batch, num_heads, seq, d_head):
    """batch {batch}, {num_heads} heads, {seq} tokens, d_head {d_head}"""
    return dict(batch=batch, num_heads=num_heads, seq=seq, d_head=d_head)

@cases()
def one_long_sentence(rng):
    """batch 1, 7 heads, 509 tokens, d_head 61"""
    return dict(batch=1, num_heads=7, seq=509, d_head=61)

@cases()
def long_text(rng):
    """batch 3, 7 heads, 4099 tokens, d_head 127: more digits than 32 bits hold"""
    return dict(batch=3, num_heads=7, seq=4099, d_head=127)

@cases()
def one_of_each(rng):
    """one sentence of one token, one head, d_head 11"""
    return dict(batch=1, num_heads=1, seq=1, d_head=11)

ONCE = "your count is half of the expected one. There are two matrix products, and a multiply–add counts 2: is one of the two forgotten?"
formulas = {
    "half": (lambda b, h, n, d: 2 * b * h * n * n * d, ONCE),
    "quarter": (lambda b, h, n, d: b * h * n * n * d, "your count is a quarter of the expected one. There are two matrix products, and a multiply–add counts 2."),
    "twice": (lambda b, h, n, d: 8 * b * h * n * n * d, "your count is twice the expected one. Two products, 2 for each multiply–add: is anything counted twice?"),
    "three-products": (lambda b, h, n, d: 6 * b * h * n * n * d, "you count three matrix products. Attention has two: queries with keys, and weights with values. (The projections are left out here.)"),
    "training": (lambda b, h, n, d: 12 * b * h * n * n * d, "you count forward and backward. The forward pass alone is asked for."),
    "no-batch": (lambda b, h, n, d: 4 * h * n * n * d, "your count does not grow with the batch: every sentence is computed."),
    "no-heads": (lambda b, h, n, d: 4 * b * n * n * d, "your count does not grow with the number of heads: every head has scores of its own."),
    "neither": (lambda b, h, n, d: 4 * n * n * d, "you count one head of one sentence. There are `batch · num_heads` of these."),
    "no-d": (lambda b, h, n, d: 4 * b * h * n * n, "your count does not depend on `d_head`. Each score is a dot product of vectors of that length."),
    "linear": (lambda b, h, n, d: 4 * b * h * n * d, "your count grows with seq, not with its square. Every query meets every key."),
    "linear-d-squared": (lambda b, h, n, d: 4 * b * h * n * d * d, "seq and d_head have changed places: it is seq that comes squared. Every query meets every key."),
    "linear-projections": (lambda b, h, n, d: 8 * b * n * (h * d) ** 2, "you count the four projections. Only the two products inside attention are asked for."),
    "with-projections": (lambda b, h, n, d: 8 * b * n * (h * d) ** 2 + 4 * b * h * n * n * d, "you count the four projections as well. Only the two products inside attention are asked for."),
    "d-squared": (lambda b, h, n, d: 4 * b * h * n * n * d * d, "d_head comes squared in your count. In the scores it is summed over, in the output it is the length of a row: once each."),
    "n-cubed": (lambda b, h, n, d: 4 * b * h * n**3 * d, "seq comes to the power of 3 in your count. Which of the two products needs a third seq?"),
    "second-without-d": (lambda b, h, n, d: 2 * b * h * n * n * d + 2 * b * h * n * n, "your second product is too small: the output has `d_head` numbers for each query, and each of them sums over all tokens."),
    "one-less": (lambda b, h, n, d: b * h * (n * n * (2 * d - 1) + n * d * (2 * n - 1)), "you count one addition less for each sum. That is exact, but here a multiply–add counts 2, as is usual."),
    "with-softmax": (lambda b, h, n, d: b * h * (4 * n * n * d + 5 * n * n), "you count the softmax as well. Only the two matrix products are asked for."),
    "with-softmax-3": (lambda b, h, n, d: b * h * (4 * n * n * d + 3 * n * n), "you count the softmax as well. Only the two matrix products are asked for."),
    "with-scale": (lambda b, h, n, d: b * h * (4 * n * n * d + n * n), "you count the scaling as well. Only the two matrix products are asked for."),
    "causal": (lambda b, h, n, d: 2 * b * h * n * (n + 1) * d, "you count the pairs below the diagonal only. There is no mask here: every query meets every key."),
    "heads-squared": (lambda b, h, n, d: 4 * b * h * h * n * n * d, "the number of heads comes squared in your count. `d_head` is one head's length already."),
    "second-d-squared": (lambda b, h, n, d: 2 * b * h * (n * n * d + n * d * d), "your second product is too small or too large: each of the seq × d_head numbers of the output sums over all tokens, not over d_head."),
    "without-itself": (lambda b, h, n, d: 4 * b * h * n * (n - 1) * d, "you count one key fewer for each query. Every query meets every key, its own as well."),
    "d-by-heads": (lambda b, h, n, d: 4 * b * h * n * n * (d // h), "you divide `d_head` by the number of heads. It is one head's length already."),
    "heads-in-one-product": (lambda b, h, n, d: 2 * b * n * n * d * (h + 1), "one of your two products does not grow with the number of heads: every head has both."),
    "d-model": (lambda b, h, n, d: 4 * b * n * n * (d // h), "you divide `d_head` by the number of heads. It is one head's length already."),
    "batch-squared": (lambda b, h, n, d: 4 * b * b * h * n * n * d, "the batch comes squared in your count: as if all sentences attended to one another. Each attends to its own tokens only."),
    "added": (lambda b, h, n, d: 4 * (b + h) * n * n * d, "batch and heads are added in your count. There are `batch · num_heads` attentions."),
    "in-gigas": (lambda b, h, n, d: 4 * b * h * n * n * d / 1e9, "your count is in billions. Return the plain number."),
    "with-softmax-4": (lambda b, h, n, d: b * h * (4 * n * n * d + 4 * n * n), "you count the softmax as well. Only the two matrix products are asked for."),
    "second-cubed": (lambda b, h, n, d: b * h * (2 * n * n * d + 2 * n**3), "your second product is off: its output has seq × d_head numbers, not seq × seq, and each sums over all tokens."),
    "three-projections-too": (lambda b, h, n, d: 6 * b * n * (h * d) ** 2 + 4 * b * h * n * n * d, "you count the projections as well. Only the two products inside attention are asked for."),
    "one-head-once": (lambda b, h, n, d: 2 * n * n * d, "you count one product of one head of one sentence. There are two products, and `batch · num_heads` heads."),
    "heads-for-seq": (lambda b, h, n, d: 4 * b * n * h * h * d, "seq and num_heads have changed places: it is seq that comes squared."),
    "with-bytes": (lambda b, h, n, d: 8 * b * h * n * d, "you count numbers moved, not operations. Operations: multiplications and additions."),
}
for name, (formula, says) in formulas.items():
    wrong(name, says=says)(lambda batch, num_heads, seq, d_head, formula=formula: formula(batch, num_heads, seq, d_head))
for name in ("linear-d-squared", "linear", "no-d", "no-batch", "no-heads", "d-squared", "n-cubed", "heads-squared"):
    formula, says = formulas[name]
    wrong(f"half+{name}", says=two_things(ONCE, says))(lambda batch, num_heads, seq, d_head, formula=formula: formula(batch, num_heads, seq, d_head) // 2)
wrong("as-list", says="your function returns a list. Return the number itself.")(lambda batch, num_heads, seq, d_head: [4 * batch * num_heads * seq * seq * d_head])
wrong("as-text", says="your function returns text. Return the number itself.")(lambda batch, num_heads, seq, d_head: str(4 * batch * num_heads * seq * seq * d_head))
wrong("pair", says="your function returns the two products' counts side by side. Return their sum.")(lambda batch, num_heads, seq, d_head: (2 * batch * num_heads * seq * seq * d_head,) * 2)
wrong("nothing-returned", says="your function ends without giving anything back: is a `return` missing?")(lambda batch, num_heads, seq, d_head: None)

@right
def as_float(batch, num_heads, seq, d_head):
    return 4.0 * batch * num_heads * seq**2 * d_head

@right
def two_terms(batch, num_heads, seq, d_head):
    scores = 2 * batch * num_heads * seq * seq * d_head
    mixing = 2 * batch * num_heads * seq * d_head * seq
    return scores + mixing

@right
def through_d_model(batch, num_heads, seq, d_head):
    d_model = num_heads * d_head
    return 4 * batch * seq**2 * d_model

@right
def as_a_tensor(batch, num_heads, seq, d_head):
    return torch.tensor(4 * batch * num_heads * seq * seq * d_head)

@truth
def by_the_counter(batch, num_heads, seq, d_head):
    from torch.utils.flop_counter import FlopCounterMode
    query = torch.empty(batch, num_heads, seq, d_head, device="meta")
    with FlopCounterMode(display=False) as counter:
        F.scaled_dot_product_attention(query, query, query)
    return counter.get_total_flops()

@truth
def by_counting(batch, num_heads, seq, d_head):
    """Every multiply–add counted; the large case by one head of one sentence and one query."""
    count = 0
    for _key in range(seq):
        for _ in range(d_head):
            count += 2  # a score
        for _ in range(d_head):
            count += 2  # a value, weighted and added
    return count * seq * num_heads * batch

# %% exercise="attention_bytes" part="library"
def attention_bytes(
    batch: int, num_heads: int, seq: int, d_head: int, bytes_per_number: int = 2, tiled: bool = False
) -> int:
    """By the sizes of tensors that PyTorch makes without numbers in them."""
    query = torch.empty(batch, num_heads, seq, d_head, device="meta")
    scores = query @ query.transpose(-2, -1)
    weights = scores.softmax(dim=-1)
    output = weights @ query
    moved = [query, query, query, output] + ([] if tiled else [scores, scores, weights, weights])
    return bytes_per_number * sum(tensor.numel() for tensor in moved)

# %% exercise="attention_bytes" part="variants"
@cases(dict(batch=2, num_heads=3, seq=5, d_head=7), dict(batch=4, num_heads=6, seq=9, d_head=5))
def explicit(rng, batch, num_heads, seq, d_head):
    """explicit: batch {batch}, {num_heads} heads, {seq} tokens, d_head {d_head}"""
    return dict(batch=batch, num_heads=num_heads, seq=seq, d_head=d_head)

@cases(dict(batch=3, num_heads=2, seq=7, d_head=4))
def tiled(rng, batch, num_heads, seq, d_head):
    """tiled: batch {batch}, {num_heads} heads, {seq} tokens, d_head {d_head}"""
    return dict(batch=batch, num_heads=num_heads, seq=seq, d_head=d_head, tiled=True)

@cases()
def tiled_and_long(rng):
    """tiled: batch 1, 2 heads, 1000 tokens, d_head 64"""
    return dict(batch=1, num_heads=2, seq=1000, d_head=64, tiled=True)

@cases(dict(batch=5, num_heads=4, seq=6, d_head=3))
def explicit_float32(rng, batch, num_heads, seq, d_head):
    """explicit, 4 bytes a number: batch {batch}, {num_heads} heads, {seq} tokens, d_head {d_head}"""
    return dict(batch=batch, num_heads=num_heads, seq=seq, d_head=d_head, bytes_per_number=4)

@cases(dict(batch=2, num_heads=7, seq=3, d_head=8))
def tiled_float8(rng, batch, num_heads, seq, d_head):
    """tiled, 1 byte a number: batch {batch}, {num_heads} heads, {seq} tokens, d_head {d_head}"""
    return dict(batch=batch, num_heads=num_heads, seq=seq, d_head=d_head, bytes_per_number=1, tiled=True)

@cases()
def long(rng):
    """explicit: batch 5, 13 heads, 8,209 tokens, d_head 61, more than 32 bits hold"""
    return dict(batch=5, num_heads=13, seq=8209, d_head=61)

@cases(dict(batch=3, num_heads=2, seq=7, d_head=5))
def same_sizes(rng, batch, num_heads, seq, d_head):
    """batch {batch}, {num_heads} heads, {seq} tokens, d_head {d_head}: explicit, tiled, with 4 bytes a number, and tiled=False"""
    sizes = dict(batch=batch, num_heads=num_heads, seq=seq, d_head=d_head)
    return [sizes, dict(**sizes, tiled=True), dict(**sizes, bytes_per_number=4), dict(**sizes, tiled=False)]

TABLES = "In the explicit form four tables of seq × seq numbers move: the scores are written by one operator and read by the next, and so are the weights."
VECTORS = "There are four: queries, keys and values are read, the output is written."
counts = {
    "two-tables": (lambda n, d, t: 4 * n * d + (0 if t else 2 * n * n), f"you count two of four tables. {TABLES}"),
    "one-table": (lambda n, d, t: 4 * n * d + (0 if t else n * n), f"you count one of four tables. {TABLES}"),
    "three-tables": (lambda n, d, t: 4 * n * d + (0 if t else 3 * n * n), f"you count three of four tables. {TABLES}"),
    "five-tables": (lambda n, d, t: 4 * n * d + (0 if t else 5 * n * n), f"you count five tables. {TABLES}"),
    "six-tables": (lambda n, d, t: 4 * n * d + (0 if t else 6 * n * n), f"you count six tables. {TABLES}"),
    "tiled-no-output": (lambda n, d, t: 3 * n * d if t else 4 * n * d + 4 * n * n, f"your tiled form counts three arrays of seq × d_head numbers. {VECTORS}"),
    "no-output": (lambda n, d, t: 3 * n * d + (0 if t else 4 * n * n), "you count three arrays of seq × d_head numbers: one of queries, keys, values and output is missing. All four move, in both forms."),
    "no-output-no-write": (lambda n, d, t: 3 * n * d + (0 if t else 2 * n * n), "your count is as large as what is read alone. What is written moves as well."),
    "only-writes": (lambda n, d, t: n * d + (0 if t else 2 * n * n), "you count what is written and not what is read."),
    "two-vectors": (lambda n, d, t: 2 * n * d + (0 if t else 4 * n * n), f"you count two arrays of seq × d_head numbers. {VECTORS}"),
    "no-vectors": (lambda n, d, t: 0 if t else 4 * n * n, "only the tables are in your count. Queries, keys, values and output move too."),
    "no-tables": (lambda n, d, t: 4 * n * d, f"your explicit form counts the tiled one's bytes: the tables are missing. {TABLES}"),
    "always-tables": (lambda n, d, t: 4 * n * d + 4 * n * n, "your count does not depend on `tiled`: in the tiled form scores and weights never reach main memory."),
    "inverted": (lambda n, d, t: 4 * n * d + (4 * n * n if t else 0), "`tiled` is read the wrong way round: it is the explicit form that moves the tables."),
    "tiled-scores": (lambda n, d, t: 4 * n * d + (2 * n * n if t else 4 * n * n), "your tiled form still moves a table. There neither scores nor weights reach main memory."),
    "tiled-output-only": (lambda n, d, t: n * d if t else 4 * n * d + 4 * n * n, "your tiled form counts one array of four: queries, keys and values are read, the output is written."),
    "twice-all": (lambda n, d, t: 2 * (4 * n * d + (0 if t else 4 * n * n)), "your count is twice the expected one: each array is read once or written once by an operator."),
    "vectors-twice": (lambda n, d, t: 8 * n * d + (0 if t else 4 * n * n), "queries, keys, values and output count twice in your sum. Each of them moves once."),
    "half": (lambda n, d, t: 2 * n * d + (0 if t else 2 * n * n), "your count is half of the expected one: scores and weights are each written *and* read, and there are four arrays of seq × d_head numbers."),
    "linear-tables": (lambda n, d, t: 4 * n * d + (0 if t else 4 * n), "your tables have seq numbers. Scores and weights have one for each pair of tokens."),
    "d-squared": (lambda n, d, t: 4 * n * d + (0 if t else 4 * d * d), "your tables have d_head × d_head numbers. Scores and weights have one for each pair of tokens."),
    "tables-times-d": (lambda n, d, t: 4 * n * d + (0 if t else 4 * n * n * d), "your tables have d_head numbers for each pair of tokens. A score is a single number."),
    "tiled-one-table": (lambda n, d, t: 4 * n * d + (n * n if t else 4 * n * n), "your tiled form still moves a table. There neither scores nor weights reach main memory."),
    "five-vectors": (lambda n, d, t: 5 * n * d + (0 if t else 4 * n * n), "you count five arrays of seq × d_head numbers. There are four: queries, keys, values and output, each moved once."),
    "six-vectors": (lambda n, d, t: 6 * n * d + (0 if t else 4 * n * n), "you count six arrays of seq × d_head numbers. There are four: queries, keys, values and output, each moved once."),
    "tables-as-vectors": (lambda n, d, t: 4 * n * d + (0 if t else 4 * n * d), "your tables have seq × d_head numbers. Scores and weights have one for each pair of tokens."),
    "eight-tables": (lambda n, d, t: 4 * n * d + (0 if t else 8 * n * n), f"you count eight tables. {TABLES}"),
    "triangles": (lambda n, d, t: 4 * n * d + (0 if t else 2 * n * (n + 1)), "you count half of each table, the past only. There is no mask here."),
    "flops": (lambda n, d, t: 4 * n * n * d / 2, "you count operations. Count the numbers that are read and written."),
}
SCALE = {
    "as-asked": (lambda b, h, bytes_: b * h * bytes_, ""),
    "no-bytes": (lambda b, h, bytes_: b * h, "your count ignores `bytes_per_number`: it is in numbers, not in bytes."),
    "always-two": (lambda b, h, bytes_: b * h * 2, "your numbers always take 2 bytes. `bytes_per_number` says how many."),
    "always-four": (lambda b, h, bytes_: b * h * 4, "your numbers always take 4 bytes. `bytes_per_number` says how many."),
    "bits": (lambda b, h, bytes_: b * h * bytes_ * 8, "your count is in bits: 8 of them make a byte."),
    "no-batch": (lambda b, h, bytes_: h * bytes_, "your count does not grow with the batch."),
    "no-heads": (lambda b, h, bytes_: b * bytes_, "your count does not grow with the number of heads: each head has vectors and tables of its own."),
    "neither": (lambda b, h, bytes_: bytes_, "you count one head of one sentence. There are `batch · num_heads` of these."),
    "mebibytes": (lambda b, h, bytes_: b * h * bytes_ / 2**20, "your count is in MiB. Return bytes."),
    "bytes-squared": (lambda b, h, bytes_: b * h * bytes_**2, "`bytes_per_number` comes squared in your count. Each number takes so many bytes, once."),
    "kibibytes": (lambda b, h, bytes_: b * h * bytes_ / 1024, "your count is in KiB. Return bytes."),
    "divided": (lambda b, h, bytes_: b * h / bytes_, "you divide by `bytes_per_number`. Each number takes so many bytes."),
}
RIGHT_COUNT = lambda n, d, t: 4 * n * d + (0 if t else 4 * n * n)

def counted(count, scale):
    def attention_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
        return scale(batch, num_heads, bytes_per_number) * count(seq, d_head, tiled)
    return attention_bytes

for name, (count, says) in counts.items():
    wrong(name, says=says)(counted(count, SCALE["as-asked"][0]))
for name, (scale, says) in SCALE.items():
    if says:
        wrong(name, says=says)(counted(RIGHT_COUNT, scale))
wrong("tiled-if-not-given", ("tiled: bool = False", "tiled: bool = True"), says="where `tiled` is not given, you count the tiled form. It is the explicit one then.")
@wrong("tiled-no-bytes", says="your tiled form ignores `bytes_per_number`: it counts numbers, not bytes. (The explicit one counts bytes.)")
def tiled_no_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    return batch * num_heads * 4 * (seq * d_head if tiled else (seq * d_head + seq * seq) * bytes_per_number)
@wrong("scores-in-float32", says="your scores always take 4 bytes a number. `bytes_per_number` holds for all arrays.")
def scores_in_float32(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    return batch * num_heads * (4 * seq * d_head * bytes_per_number + (0 if tiled else 2 * seq * seq * (bytes_per_number + 4)))
@wrong("tiled-keys-for-each-query", says="your tiled form reads keys and values once for each query. Here we count them once.")
def tiled_keys_for_each_query(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    return batch * num_heads * bytes_per_number * (2 * seq * d_head + 2 * seq * seq * d_head if tiled else 4 * seq * d_head + 4 * seq * seq)
wrong("four-bytes-if-not-given", ("bytes_per_number: int = 2", "bytes_per_number: int = 4"), says="where `bytes_per_number` is not given, your numbers take 4 bytes. They take 2 then.")
for name in ("two-tables", "no-output", "no-tables"):
    for other in ("no-bytes", "no-batch", "no-heads"):
        wrong(f"{name}+{other}", says=two_things(counts[name][1], SCALE[other][1]))(counted(counts[name][0], SCALE[other][0]))

for other in ("no-output", "two-tables"):
    turned = lambda n, d, t, count=counts[other][0]: count(n, d, not t)
    wrong(f"inverted+{other}", says=two_things(counts["inverted"][1], counts[other][1]))(counted(turned, SCALE["as-asked"][0]))

@wrong("lines-of-64", says="your arrays are rounded up to whole multiples of 64 bytes. Count the bytes of the numbers alone.")
def lines_of_64(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    vector, table = (-(-batch * num_heads * seq * n * bytes_per_number // 64) * 64 for n in (d_head, seq))
    return 4 * vector + (0 if tiled else 4 * table)

def shared(tables, vectors):
    def attention_bytes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
        return bytes_per_number * (vectors(batch, num_heads) * 4 * seq * d_head + (0 if tiled else tables(batch, num_heads) * 4 * seq * seq))
    return attention_bytes

wrong("tables-shared", says="your tables are counted once for all heads. Each head has scores and weights of its own.")(shared(lambda b, h: b, lambda b, h: b * h))
wrong("tables-of-one-sentence", says="your tables are counted for one sentence only. Each sentence has its own.")(shared(lambda b, h: h, lambda b, h: b * h))
wrong("vectors-of-one-sentence", says="your queries, keys, values and output are counted for one sentence only.")(shared(lambda b, h: b * h, lambda b, h: h))
wrong("tables-of-one", says="your tables are counted once for all heads and sentences. Each head of each sentence has its own.")(shared(lambda b, h: 1, lambda b, h: b * h))
wrong("vectors-of-one-head", says="your queries, keys, values and output are counted for one head only.")(shared(lambda b, h: b * h, lambda b, h: b))
wrong("nothing-returned", says="your function ends without giving anything back: is a `return` missing?")(lambda batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False: None)

@right
def line_by_line(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    vector, table = batch * num_heads * seq * d_head, batch * num_heads * seq * seq
    if tiled:
        return (3 * vector + vector) * bytes_per_number
    scores = 2 * vector + table
    softmax = 2 * table
    output = table + vector + vector
    return (scores + softmax + output) * bytes_per_number

@right
def factored(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    return 4 * bytes_per_number * batch * num_heads * seq * (d_head + (not tiled) * seq)

@right
def in_floats(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    return float(bytes_per_number) * batch * num_heads * 4.0 * (seq * d_head + (0.0 if tiled else seq**2))

@right
def as_numpy_number(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    return np.int64(bytes_per_number * batch * num_heads * 4) * np.int64(seq * d_head + (0 if tiled else seq**2))

@truth
def by_sizes(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    """The sizes of tensors without numbers."""
    vector, table = torch.empty(batch, num_heads, seq, d_head, device="meta"), torch.empty(batch, num_heads, seq, seq, device="meta")
    operators = [([vector] * 3, [vector])] if tiled else [([vector] * 2, [table]), ([table], [table]), ([table, vector], [vector])]
    return sum(bytes_per_number * tensor.numel() for reads, writes in operators for tensor in reads + writes)

@truth
def by_listening(batch, num_heads, seq, d_head, bytes_per_number=2, tiled=False):
    """What PyTorch's operators get and give, heard on their way."""
    from torch.utils._python_dispatch import TorchDispatchMode
    heard = []
    class Listen(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            if any(name in str(func) for name in ("bmm", "softmax", "attention")):
                heard.extend(x.numel() for x in (*args, result) if isinstance(x, torch.Tensor))
            return result
    query = torch.empty(batch, num_heads, seq, d_head, device="meta")
    if tiled:
        heard = [query.numel()] * 3 + [F.scaled_dot_product_attention(query, query, query).numel()]
    else:
        with Listen():
            torch.bmm(torch.bmm(query.flatten(0, 1), query.flatten(0, 1).transpose(1, 2)).softmax(-1), query.flatten(0, 1))
    return bytes_per_number * sum(heard)

# %% exercise="online_softmax_sum" part="library"
def online_softmax_sum(scores: Tensor, values: Tensor, block_size: int) -> Tensor:
    """Each block by PyTorch's fused attention; the blocks joined by their logsumexps, with PyTorch's softmax."""
    pieces = list(zip(scores.split(block_size), values.split(block_size), strict=True))
    sizes = torch.stack([torch.logsumexp(part, dim=0) for part, _ in pieces])
    if bool(sizes.isneginf().all()):
        return values.new_zeros(values.shape[1])
    inner = torch.stack([part.softmax(dim=0).nan_to_num(0.0) @ held for part, held in pieces])
    return sizes.softmax(dim=0) @ inner


def scores_under_watch(scores: Tensor, block_size: int) -> Any:
    """`scores`, watched: whether an exponential or a maximum is taken over all of them at once, or a maximum over more than a block."""
    from autograder.formats.fixtures import Watched
    from autograder.library.operator_log import entries, noting

    facts = {"takes exp of all scores": False, "looks at all scores first": False, "looks at a later block": False}

    def note(operator: str, args: tuple[Any, ...], result: Any) -> None:
        if operator in ("exp", "exp2", "expm1", "pow", "sigmoid", "special_expm1", "logcumsumexp") and entries(result) >= len(scores):
            facts["takes exp of all scores"] = True
        looks = operator in ("max", "amax", "aminmax", "argmax", "sort", "topk", "cummax", "logsumexp")
        if looks and args and isinstance(args[0], Tensor):
            facts["looks at all scores first"] |= args[0].numel() >= len(scores)
            facts["looks at a later block"] |= args[0].dim() == 1 and 2 * block_size <= args[0].numel() < len(scores)

    return Watched(scores, lambda: facts, lambda: noting(note))

# %% exercise="online_softmax_sum" part="variants"
@cases(dict(n=7, d_v=2, block=3), dict(n=5, d_v=4, block=2))
def drawn(rng, n, d_v, block):
    """{n} scores, values of length {d_v}, blocks of {block}"""
    return dict(scores=3 * floats(rng, n), values=floats(rng, n, d_v), block_size=block)

@cases(dict(blocks=3, block=2, d_v=5), low=2, high=5)
def whole_blocks(rng, blocks, block, d_v):
    """{blocks} whole blocks of {block} scores, the largest score in the middle"""
    scores = 2 * floats(rng, blocks * block)
    scores[blocks * block // 2] = 6.0
    return dict(scores=scores, values=floats(rng, blocks * block, d_v), block_size=block)

@cases(dict(n=8, d_v=3, block=5), hidden=[dict(n=11, d_v=2, block=4)])
def largest_last(rng, n, d_v, block):
    """{n} scores that rise, so that the last block (a short one) holds the largest; blocks of {block}"""
    scores = torch.sort(2 * floats(rng, n)).values
    return dict(scores=scores, values=floats(rng, n, d_v), block_size=block)

@cases(dict(n=7, d_v=3, block=2), hidden=[dict(n=9, d_v=4, block=2)])
def largest_first(rng, n, d_v, block):
    """{n} scores that fall; blocks of {block}"""
    scores = torch.sort(2 * floats(rng, n), descending=True).values
    return dict(scores=scores, values=floats(rng, n, d_v), block_size=block)

@cases(dict(n=5, d_v=2), low=3)
def one_by_one(rng, n, d_v):
    """{n} scores, blocks of 1"""
    return dict(scores=2 * floats(rng, n), values=floats(rng, n, d_v), block_size=1)

@cases(dict(n=4, d_v=3))
def one_block(rng, n, d_v):
    """{n} scores in one block that is longer than that"""
    return dict(scores=floats(rng, n), values=floats(rng, n, d_v), block_size=n + 2)

def far_from_zero(rng, *shape):
    """Values above ½. A logarithm of a sum near 2,000 is off by up to 0.0001, and no sum near 0 would stand that."""
    return floats(rng, *shape).abs() + 0.5

@cases()
def thousands(rng):
    """scores in the thousands: a small block, then one with 2,000"""
    return dict(scores=torch.tensor([-3.0, 1.0, 1999.0, 2000.0, 1998.5]), values=far_from_zero(rng, 5, 3), block_size=2)

@cases()
def thousands_fall(rng):
    """scores that fall from 2,000 to −2,000"""
    return dict(scores=torch.tensor([2000.0, 1999.0, 900.0, 901.5, -2000.0, -1999.0]), values=far_from_zero(rng, 6, 2), block_size=2)

@cases()
def thousands_below(rng):
    """scores around −1,000"""
    sixteenths = torch.from_numpy((rng.integers(-32, 33, size=5) / 16).astype("float32"))
    return dict(scores=-1000 + sixteenths, values=far_from_zero(rng, 5, 2), block_size=3)

@cases()
def hidden_first(rng):
    """the first block is hidden (−∞), and a score of the last one"""
    scores = floats(rng, 8)
    scores[:3], scores[6] = -math.inf, -math.inf
    return dict(scores=scores, values=floats(rng, 8, 2), block_size=3)

@cases()
def hidden_first_then_low(rng):
    """the first block is hidden (−∞), and all other scores lie below −3,000"""
    scores = torch.tensor([-math.inf, -math.inf, -3001.0, -3002.5, -3000.5])
    return dict(scores=scores, values=far_from_zero(rng, 5, 2), block_size=2)

@cases()
def hidden_middle(rng):
    """the second of three blocks is hidden (−∞)"""
    scores = floats(rng, 6) - 2
    scores[2:4] = -math.inf
    return dict(scores=scores, values=floats(rng, 6, 4), block_size=2)

@cases()
def hidden_all(rng):
    """all scores are −∞"""
    return dict(scores=torch.full((5,), -math.inf), values=floats(rng, 5, 3), block_size=2)

@cases(dict(n=60, d_v=2, block=8), hidden=[dict(n=70, d_v=3, block=9)])
def watched(rng, n, d_v, block):
    """{n} scores, values of length {d_v}, blocks of {block}, watched"""
    return dict(scores=fixture("scores_under_watch", scores=2 * floats(rng, n), block_size=block), values=floats(rng, n, d_v), block_size=block)

NO_RESCALE = "when a later block brings a larger score, what was summed before must be measured against the new maximum: "
TOTAL = NO_RESCALE + "the weighted sum of values is not rescaled."
DENOMINATOR = NO_RESCALE + "the denominator is not rescaled."
NEITHER = NO_RESCALE + "neither the denominator nor the weighted sum is rescaled."
OVERFLOW = "your exponentials overflow on large scores: the largest score so far must be subtracted first."
HIDDEN = "a hidden first block gives NaN: as long as all scores were −∞, the largest score so far is −∞, and −∞ − (−∞) is NaN."
ALL = "where all scores are −∞ your function gives NaN: 0/0. Return zeros there."
wrong("total-not-rescaled", ("total * rescale", "total"), says=TOTAL)
wrong("denominator-not-rescaled", ("denominator * rescale", "denominator"), says=DENOMINATOR)
wrong("neither-rescaled", ("denominator * rescale", "denominator"), ("total * rescale", "total"), says=NEITHER)
wrong("rescale-inverted", ("torch.exp(largest - new_largest)", "torch.exp(new_largest - largest) if largest > -math.inf else torch.ones(())"), says="your factor is the wrong way round: it is larger than 1. A larger maximum makes what was summed before smaller.")
wrong("rescale-new", ("torch.exp(largest - new_largest)", "torch.exp(block.max() - new_largest)"), says="you rescale what was summed before with the new block's maximum. It is measured against the old maximum.")
wrong("rescale-block", ("powers.sum()", "powers.sum() * rescale"), ("powers @ values[start : start + block_size]", "(powers @ values[start : start + block_size]) * rescale"), says="you rescale the new block as well. It is measured against the new maximum already; only what came before needs the factor.")
FACTOR = "your result is NaN from the first block on: your factor becomes infinite there, and infinity times 0 is NaN. Look at its sign, and at its exponential."
wrong("factor-infinite", ("torch.exp(largest - new_largest)", "torch.exp(new_largest - largest)"), says=FACTOR)
wrong("factor-infinite-2", ("torch.exp(largest - new_largest)", "(largest - new_largest)"), says=FACTOR)
wrong("rescale-twice", ("total * rescale", "total * rescale * rescale"), says="the weighted sum is rescaled twice for each block.")
wrong("rescale-without-exp", ("torch.exp(largest - new_largest)", "(largest - new_largest) if largest > -math.inf else torch.ones(())"), says="your factor is the difference of the two maxima. It must be the exponential of it.")
wrong("last-block-max", ("torch.maximum(largest, block.max())", "block.max()"), says="your maximum is the last block's only, not the largest score so far: what was summed before is blown up where an earlier block held more.")
wrong("first-block-max", ("torch.maximum(largest, block.max())", "block.max() if largest == -math.inf else largest"), says="your maximum is the first block's and never grows. On large scores the exponentials of later blocks overflow.")
wrong("no-max", ("torch.maximum(largest, block.max())", "torch.zeros(())"), ("torch.exp(largest - new_largest)", "torch.ones(())"), says=OVERFLOW)
wrong("starts-at-zero", ("scores.new_full((), -math.inf)", "scores.new_zeros(())"), says="your largest score starts at 0. Where all scores lie far below 0, all exponentials become 0, and so does the denominator.")
wrong("starts-at-zero+all-hidden", ("scores.new_full((), -math.inf)", "scores.new_zeros(())"), (" if denominator > 0 else total", ""),
      says="your largest score starts at 0. Where all scores lie far below 0, or are −∞, all exponentials become 0, and 0/0 is NaN.")
wrong("max-not-kept", ("        largest = new_largest\n", ""), says="the largest score so far is not carried on to the next block.")
wrong("peeks-at-the-next-block", ("torch.maximum(largest, block.max())", "torch.maximum(largest, scores[start : start + 2 * block_size].max())"), says="the numbers are right, but your maximum is taken over scores of the next block, too. Each block is looked at once, in order: later scores are not known yet.")
wrong("absolute-max", ("torch.maximum(largest, block.max())", "torch.maximum(largest, block.abs().max())"), says="your maximum is that of the absolute scores. Where scores lie far below 0, all their exponentials become 0 then; it is the largest score itself that is subtracted.")
wrong("clamped-scores", ("block = scores[start : start + block_size]", "block = scores[start : start + block_size].clamp(max=80)"), says="your scores are cut off above. Nothing overflows once the largest score so far is subtracted, however large it is.")
wrong("factor-power-of-two", ("torch.exp(largest - new_largest)", "torch.exp2(largest - new_largest)"), says="your factor is a power of 2, and the weights are powers of e. Both are measured in powers of e.")
wrong("hidden-block-at-zero", ("torch.maximum(largest, block.max())", "torch.maximum(largest, block.max().nan_to_num(neginf=0.0))"), says="the largest score of a hidden block is 0 in your code. It is −∞, smaller than any other: where all later scores lie far below 0, their exponentials become 0, and so does the denominator.")
wrong("hidden-first-block", ("        if new_largest == -math.inf:\n            continue  # everything so far is hidden\n", ""), says=HIDDEN)
wrong("stops-at-hidden", ("            continue  # everything so far is hidden", "            break"), says="a hidden first block makes your whole result 0: either your loop ends there, or −∞ − (−∞) gave NaN, which was turned into 0 later. The blocks behind it hold scores that count.")
wrong("stops-at-any-hidden", ("        if new_largest == -math.inf:\n            continue  # everything so far is hidden", "        if block.max() == -math.inf:\n            break"), says="your loop ends at a hidden block. Later blocks may hold scores that count.")
wrong("skips-if-any-hidden", ("if new_largest == -math.inf", "if block.min() == -math.inf"), says="you leave out every block with a hidden score in it. Its other scores count.")
wrong("all-hidden", (" if denominator > 0 else total", ""), says=ALL)
wrong("both-hidden", ("        if new_largest == -math.inf:\n            continue  # everything so far is hidden\n", ""), (" if denominator > 0 else total", ""), says=HIDDEN)
wrong("mean-of-all-hidden", ("if denominator > 0 else total", "if denominator > 0 else values.mean(0)"), says="where all scores are −∞ your function gives the mean of all values. Nothing may be seen: return zeros.")
wrong("no-division", ("total / denominator if denominator > 0 else total", "total"), says="the division is missing: the weighted sum must be divided by the sum of the exponentials.")
wrong("denominator-of-last", ("denominator * rescale + powers.sum()", "powers.sum()"), says="your denominator is the last block's only. It is the sum over all blocks.")
wrong("total-of-last", ("total * rescale + powers", "powers"), says="your weighted sum is the last block's only. It is the sum over all blocks.")
wrong("last-block-only", ("denominator * rescale + powers.sum()", "powers.sum()"), ("total * rescale + powers", "powers"), says="your result is the last block's only.")
wrong("first-block-only", ("        largest = new_largest\n", "        largest = new_largest\n        break\n"), says="your loop ends after the first block.")
wrong("divides-inside", ("        largest = new_largest\n", "        largest = new_largest\n        total = total / denominator\n"), ("total / denominator if denominator > 0 else total", "total"), says="you divide after every block. What has been divided cannot be added to the next block's sum: divide once, at the end.")
wrong("divides-inside-and-outside", ("        largest = new_largest\n", "        largest = new_largest\n        total = total / denominator\n"), says="you divide after every block, and again at the end. Divide once, at the end.")
wrong("mean-of-blocks", ("total * rescale + powers @ values[start : start + block_size]", "total + powers @ values[start : start + block_size] / powers.sum()"), ("total / denominator if denominator > 0 else total", "total / -(-len(scores) // block_size)"), says="you take the softmax of each block by itself and average the blocks. A block with large scores must count more than one with small ones.")
wrong("sum-of-blocks", ("total * rescale + powers @ values[start : start + block_size]", "total + powers @ values[start : start + block_size] / powers.sum()"), ("total / denominator if denominator > 0 else total", "total"), says="you take the softmax of each block by itself and add the blocks. All blocks share one denominator.")
wrong("drops-tail", ("range(0, len(scores), block_size)", "range(0, len(scores) - block_size + 1, block_size)"), says="the last scores are left out where the number of scores is no multiple of `block_size`.")
wrong("drops-last-block", ("range(0, len(scores), block_size)", "range(0, len(scores) - block_size, block_size)"), says="your loop leaves out the last block.")
wrong("skips-first", ("range(0, len(scores), block_size)", "range(block_size, len(scores), block_size)"), says="your loop leaves out the first block.")
wrong("steps-of-one", ("range(0, len(scores), block_size)", "range(0, len(scores))"), says="your blocks overlap: the loop goes on by one score, not by `block_size`.")
wrong("pads-with-zero", ("block = scores[start : start + block_size]", "block = F.pad(scores[start : start + block_size], (0, max(0, start + block_size - len(scores))))"), ("powers @ values[start : start + block_size]", "powers[: len(scores) - start] @ values[start : start + block_size]"), says="your last block is filled up with scores of 0, and these count in the denominator: exp(0) is 1. Fill with −∞, or take a shorter block.")
wrong("values-shifted", ("powers @ values[start : start + block_size]", "powers @ values.roll(-1, 0)[start : start + block_size]"), says="your values are shifted against their scores by one.")
wrong("no-values", ("powers @ values[start : start + block_size]", "powers @ values[: len(block)]"), says="every block is multiplied with the first block's values.")
wrong("factor-squared", ("torch.exp(largest - new_largest)", "torch.exp(2 * (largest - new_largest))"), says="your factor is the square of the right one: a 2 too many in its exponent.")
wrong("denominator-mean", ("powers.sum()", "powers.mean()"), says="your denominator adds the mean of each block's exponentials. It adds their sum.")
wrong("denominator-max", ("powers.sum()", "powers.max()"), says="your denominator adds the largest exponential of each block. It adds their sum.")
wrong("replaces-when-larger", ("total * rescale + powers", "(total if rescale == 1 else 0) + powers"), says="when a larger score comes, what was summed before is thrown away. It must be rescaled and kept.")
wrong("rescales-new-total", ("total * rescale + powers @ values[start : start + block_size]", "(total + powers @ values[start : start + block_size]) * rescale"), says="the weighted sum of the new block is rescaled too. It is measured against the new maximum already; only what came before needs the factor.")
wrong("rescales-new-denominator", ("denominator * rescale + powers.sum()", "(denominator + powers.sum()) * rescale"), says="the new block's part of the denominator is rescaled too. It is measured against the new maximum already.")
wrong("divides-by-factor", ("total * rescale + powers", "(total / rescale if rescale > 0 else 0) + powers"), says="what was summed before is divided by the factor. It must be multiplied by it.")
wrong("sum-times-sum", ("powers @ values[start : start + block_size]", "values[start : start + block_size].sum(0) * powers.sum()"), says="the sum of exponentials times the sum of values is not the weighted sum: each value has a weight of its own.")
wrong("small-number-added", ("total / denominator if", "total / (denominator + 0.1) if"), says="something is added to the denominator. It is never 0 where a score may be seen.")
wrong("ones-when-hidden", ("if denominator > 0 else total", "if denominator > 0 else total + 1"), says="where all scores are −∞ your function does not return zeros.")
wrong("power-of-two", ("torch.exp(block - new_largest)", "torch.exp2(block - new_largest)"), ("torch.exp(largest - new_largest)", "torch.exp2(largest - new_largest)"), says="you use powers of 2; the softmax uses powers of e.")
wrong("scaled", ("block = scores[start : start + block_size]", "block = scores[start : start + block_size] / math.sqrt(values.shape[1])"), says="your scores are divided by √d_v. They are finished here.")
wrong("result-and-denominator", ("return total / denominator if denominator > 0 else total", "return (total / denominator if denominator > 0 else total), denominator"), says="your function returns two things. Return the weighted sum alone.")
wrong("divided-by-count", ("total / denominator if", "total / len(scores) if"), says="you divide by the number of scores. Divide by the sum of the exponentials.")
wrong("features-summed", ("powers @ values[start : start + block_size]", "(powers @ values[start : start + block_size]).sum()"), says="the features of the values are added up into one number. Each has a sum of its own.")
wrong("returns-pair", ("return total / denominator if denominator > 0 else total", "return total, denominator"), says="your function returns the sums without dividing them. Return one vector.")
wrong("returns-weights", ("total / denominator if denominator > 0 else total", "torch.exp(scores.double() - scores.double().logsumexp(0)).float()"), says="your function returns the weights. Return the weighted sum of the values.")
wrong("one-row", ("return total / denominator if denominator > 0 else total", "return (total / denominator if denominator > 0 else total)[None]"), says="your result has an axis too many: (1, d_v). It is one vector.")
wrong("returns-sum", ("return total / denominator if denominator > 0 else total", "return (total / denominator if denominator > 0 else total).sum()"), says="your result is a single number: the values' features are summed as well.")
wrong("as-list", ("return total / denominator if denominator > 0 else total", "return (total / denominator if denominator > 0 else total).tolist()"), says="your result is a Python list. Return a tensor.")
wrong("as-numpy", ("return total / denominator if denominator > 0 else total", "return (total / denominator if denominator > 0 else total).numpy()"), says="your result is a NumPy array. Return a tensor.")
wrong("returns-in-loop", ("        largest = new_largest\n", "        largest = new_largest\n        return total / denominator\n"), says="your loop ends after the first block.")
wrong("returns-nothing", ("return total / denominator if denominator > 0 else total", "pass"), says="your function ends without giving anything back: is a `return` missing?")
wrong("changes-scores", ("block = scores[start : start + block_size]", "block = scores[start : start + block_size].sub_(0.5)"), says="your code changes the caller's scores in place.")
wrong("changes-values", ("powers @ values[start : start + block_size]", "powers @ values[start : start + block_size]"), ("    total = values.new_zeros(values.shape[1])", "    total = values.mul_(1.5).new_zeros(values.shape[1])"), says="your code changes the caller's values in place.")

def at_once(scores, values, block_size):
    powers = torch.exp(scores - scores.max())
    return (powers @ values / powers.sum()) if scores.max() > -math.inf else values.new_zeros(values.shape[1])
EXP_ALL = "the numbers are right, but the exponentials of all scores are taken at once. Only one block of them may be looked at at a time."
wrong("all-at-once", says=EXP_ALL)(at_once)

@wrong("two-passes", says="the numbers are right, but your code takes the maximum of all scores before it adds up. Each block is looked at once, in order: later scores are not known yet.")
def two_passes(scores, values, block_size):
    largest = scores.max()
    if largest == -math.inf:
        return values.new_zeros(values.shape[1])
    powers = [torch.exp(block - largest) for block in scores.split(block_size)]
    total = sum(power @ value for power, value in zip(powers, values.split(block_size)))
    return total / sum(power.sum() for power in powers)

@right
def carried_as_logsumexp(scores, values, block_size):
    """The result so far and its logsumexp, joined with each block's."""
    result, size = torch.zeros(values.shape[1]), torch.tensor(-math.inf)
    for s, v in zip(scores.split(block_size), values.split(block_size)):
        peak = s.max()
        if peak == -math.inf:
            continue
        p = torch.exp(s - peak)
        own = peak + torch.log(p.sum())
        joined = own if size == -math.inf else torch.logaddexp(size, own)
        result = result * torch.exp(size - joined) + (p @ v) / p.sum() * torch.exp(own - joined)
        size = joined
    return result

@right
def by_logsumexp_of_blocks(scores, values, block_size):
    """PyTorch's logsumexp of one block at a time is no look ahead."""
    result, size = values.new_zeros(values.shape[1]), scores.new_full((), -math.inf)
    for s, v in zip(scores.split(block_size), values.split(block_size)):
        joined = torch.logaddexp(size, torch.logsumexp(s, dim=0))
        if joined > -math.inf:
            result, size = result * torch.exp(size - joined) + torch.exp(s - joined) @ v, joined
    return result

@right
def number_by_number(scores, values, block_size):
    m, d, total = -math.inf, 0.0, torch.zeros(values.shape[1], dtype=torch.float64)
    for s, v in zip(scores.tolist(), values.double()):
        if s == -math.inf:
            continue
        new = max(m, s)
        d = d * math.exp(m - new) + math.exp(s - new)
        total = total * math.exp(m - new) + math.exp(s - new) * v
        m = new
    return (total / d if d else total).float()

@right
def always_normalised(scores, values, block_size):
    """Keeps the finished average of what was seen so far, as the paper's first version does."""
    scores, values = scores.double(), values.double()
    m, d, average = torch.tensor(-1e300, dtype=torch.float64), torch.zeros((), dtype=torch.float64), torch.zeros(values.shape[1], dtype=torch.float64)
    for start in range(0, scores.shape[0], block_size):
        s, v = scores[start:start + block_size], values[start:start + block_size]
        new = torch.maximum(m, s.max())
        p = torch.exp(s - new)
        grown = d * torch.exp(m - new) + p.sum()
        if grown > 0:
            average = (average * d * torch.exp(m - new) + (p[:, None] * v).sum(0)) / grown
        m, d = new, grown
    return average.float()

@right
def padded_with_minus_infinity(scores, values, block_size):
    m, d, total = torch.tensor(-math.inf), torch.zeros(()), torch.zeros(values.shape[1])
    for start in range(0, len(scores), block_size):
        s, v = torch.full((block_size,), -math.inf), torch.zeros(block_size, values.shape[1])
        s[: len(scores) - start], v[: len(scores) - start] = scores[start : start + block_size], values[start : start + block_size]
        new = torch.maximum(m, s.amax())
        safe = torch.where(new == -math.inf, torch.zeros(()), new)
        p, c = torch.exp(s - safe), torch.exp(m - safe)
        d, total, m = d.mul(c).add(p.sum()), total.mul(c).add(torch.einsum("j,jd->d", p, v)), new
    return total / d.clamp(min=1e-30)

@right
def ones_column(scores, values, block_size):
    """A column of ones beside the values sums the denominator."""
    wide, m = torch.zeros(values.shape[1] + 1), torch.tensor(-math.inf)
    for s, v in zip(torch.split(scores, block_size), torch.split(values, block_size)):
        v = torch.cat([v, torch.ones(len(v), 1)], dim=1)
        if s.max() > m:
            wide, m = wide * torch.exp(m - s.max()), s.max()
        if m > -math.inf:
            wide = wide + torch.exp(s - m) @ v
    return wide[:-1] / wide[-1] if wide[-1] > 0 else wide[:-1]

@truth
def by_softmax(scores, values, block_size):
    with torch.no_grad():
        return torch.nan_to_num(torch._safe_softmax(scores.double(), -1), nan=0.0).float() @ values

@truth
def by_loops(scores, values, block_size):
    """Number by number in float64, with the largest score known beforehand."""
    s, v = scores.tolist(), values.tolist()
    peak = max(s)
    if peak == -math.inf:
        return torch.zeros(values.shape[1])
    powers = [math.exp(x - peak) for x in s]
    return torch.tensor([sum(p * row[c] for p, row in zip(powers, v)) / sum(powers) for c in range(values.shape[1])])

# %% exercise="tiled_attention" part="library"
def tiled_attention(query: Tensor, key: Tensor, value: Tensor, block_size: int, is_causal: bool = False) -> Tensor:
    """PyTorch's fused attention for each block of queries."""
    pieces = []
    for start, queries in zip(range(0, query.shape[-2], block_size), query.split(block_size, dim=-2), strict=True):
        seen = min(key.shape[-2], start + queries.shape[-2]) if is_causal else key.shape[-2]
        mask = None
        if is_causal:
            mask = torch.ones(queries.shape[-2], seen, dtype=torch.bool, device=query.device).tril(start)
        pieces.append(F.scaled_dot_product_attention(queries, key[..., :seen, :], value[..., :seen, :], attn_mask=mask))
    return torch.cat(pieces, dim=-2)


def queries_under_watch(query: Tensor, table: int = 0, most: int = 0, block: int = 0) -> Any:
    """`query`, watched: whether any operator makes an array of `table` numbers, or of more than `most`.

    block: whether an exponential is taken of more scores than so many queries and so many keys have
    """
    from autograder.formats.fixtures import Watched
    from autograder.library.operator_log import entries, noting

    facts = {"ignores block_size": False} if most else {"makes a table of all scores": False, "makes a mask of all pairs": False}
    if block:
        facts["takes more than a block of scores"] = False

    def note(operator: str, args: tuple[Any, ...], result: Any) -> None:
        made = entries(result)
        if block and operator in ("exp", "exp2", "expm1", "pow", "logsumexp") and args and entries(args[0]) > query.shape[:-2].numel() * block**2:
            facts["takes more than a block of scores"] = True
        if most and made > most:
            facts["ignores block_size"] = True
        if table and made >= table:
            is_mask = isinstance(result, Tensor) and result.dtype == torch.bool
            facts["makes a mask of all pairs" if is_mask else "makes a table of all scores"] = True

    return Watched(query, lambda: facts, lambda: noting(note))

# %% exercise="tiled_attention" part="variants"
def three(rng, batch, heads, seq_q, seq_k, d_k, d_v, scale=1.5):
    return dict(query=floats(rng, batch, heads, seq_q, d_k, scale=scale), key=floats(rng, batch, heads, seq_k, d_k, scale=scale), value=floats(rng, batch, heads, seq_k, d_v))

@cases(dict(seq_q=5, seq_k=7, d_k=4, d_v=6, block=3), dict(seq_q=8, seq_k=5, d_k=3, d_v=2, block=4), low=2)
def drawn(rng, seq_q, seq_k, d_k, d_v, block):
    """{seq_q} queries, {seq_k} keys, d_k = {d_k}, d_v = {d_v}, blocks of {block}"""
    return dict(**three(rng, 2, 3, seq_q, seq_k, d_k, d_v), block_size=block)

@cases(dict(blocks_q=2, blocks_k=3, d_k=4, d_v=5), low=2, high=5)
def whole_blocks(rng, blocks_q, blocks_k, d_k, d_v):
    """{blocks_q} blocks of queries, {blocks_k} of keys, none of them short, d_k = {d_k}, d_v = {d_v}"""
    return dict(**three(rng, 3, 2, 3 * blocks_q, 3 * blocks_k, d_k, d_v), block_size=3)

@cases(dict(seq=7, d_k=5, d_v=4, block=3), dict(seq=6, d_k=3, d_v=5, block=4), hidden=[dict(seq=8, d_k=4, d_v=3, block=3), dict(seq=7, d_k=2, d_v=5, block=2)])
def causal(rng, seq, d_k, d_v, block):
    """causal: {seq} queries and keys, d_k = {d_k}, d_v = {d_v}, blocks of {block}"""
    return dict(**three(rng, 2, 3, seq, seq, d_k, d_v), block_size=block, is_causal=True)

@cases(dict(seq=5), low=4, high=7)
def causal_one_by_one(rng, seq):
    """causal: {seq} queries and keys, blocks of 1"""
    return dict(**three(rng, 2, 2, seq, seq, 3, 4), block_size=1, is_causal=True)

@cases(dict(seq_q=3, seq_k=8, block=2), hidden=[dict(seq_q=4, seq_k=9, block=3)])
def causal_few_queries(rng, seq_q, seq_k, block):
    """causal: {seq_q} queries, {seq_k} keys, blocks of {block}"""
    return dict(**three(rng, 2, 2, seq_q, seq_k, 4, 5), block_size=block, is_causal=True)

@cases(dict(seq_q=9, seq_k=4, block=2), hidden=[dict(seq_q=8, seq_k=5, block=3)])
def causal_many_queries(rng, seq_q, seq_k, block):
    """causal: {seq_q} queries, {seq_k} keys, blocks of {block}"""
    return dict(**three(rng, 2, 2, seq_q, seq_k, 3, 4), block_size=block, is_causal=True)

@cases(dict(seq_k=8, block=3), hidden=[dict(seq_k=7, block=2)])
def largest_last(rng, seq_k, block):
    """{seq_k} keys, the last of them far ahead of all others; blocks of {block}"""
    given = three(rng, 2, 2, 4, seq_k, 3, 5, scale=0.7)
    given["query"][..., 0] = given["query"][..., 0].abs() + 1
    given["key"][:, :, -1, 0] += 3
    return dict(**given, block_size=block)

@cases(dict(seq_k=9, block=3), hidden=[dict(seq_k=8, block=3)])
def largest_in_the_middle(rng, seq_k, block):
    """{seq_k} keys, one in the middle far ahead of all others; blocks of {block}"""
    given = three(rng, 2, 2, 4, seq_k, 3, 5, scale=0.7)
    given["query"][..., 0] = given["query"][..., 0].abs() + 1
    given["key"][:, :, seq_k // 2, 0] += 3
    return dict(**given, block_size=block)

def exact(rng, seq_q, seq_k):
    """Numbers in quarters, d_k = 4: scores in the thousands that float32 holds exactly, in whatever order they are summed."""
    quarters = lambda *shape: torch.from_numpy((rng.integers(-4, 5, size=shape) / 4).astype("float32"))
    return dict(query=quarters(1, 2, seq_q, 4), key=quarters(1, 2, seq_k, 4), value=floats(rng, 1, 2, seq_k, 3).abs() + 0.5)

@cases()
def thousands(rng):
    """scores in the thousands, and others as far below 0"""
    given = exact(rng, 4, 6)
    given["query"][:, :, ::2, 0], given["query"][:, :, 1::2, 0] = 128.0, -128.0
    given["key"][..., 0] = torch.tensor([-32.0, -31.984375, 32.0, 31.96875, -32.0, 31.984375])
    return dict(**given, block_size=2)

@cases()
def one_up_one_down(rng):
    """one query's scores all near 2,000, the next one's all near −2,000"""
    given = exact(rng, 4, 5)
    given["query"][:, :, ::2, 0], given["query"][:, :, 1::2, 0] = 128.0, -128.0
    given["key"][..., 0] = torch.tensor([32.0, 31.984375, 32.0, 31.96875, 31.984375])
    return dict(**given, block_size=3)

@cases()
def thousands_causal(rng):
    """causal, and scores that jump between thousands and as far below 0"""
    given = exact(rng, 5, 5)
    given["query"][..., 0] = 128.0
    given["key"][..., 0] = torch.tensor([-32.0, 32.0, -32.0, 31.984375, 0.0])
    return dict(**given, block_size=2, is_causal=True)

@cases(dict(seq_q=4, seq_k=5))
def one_block(rng, seq_q, seq_k):
    """{seq_q} queries, {seq_k} keys, one block of 16"""
    return dict(**three(rng, 2, 3, seq_q, seq_k, 3, 2), block_size=16)

@cases(dict(seq_q=70, seq_k=80), hidden=[dict(seq_q=76, seq_k=69)])
def watched(rng, seq_q, seq_k):
    """{seq_q} queries, {seq_k} keys, blocks of 8, watched"""
    given = three(rng, 1, 1, seq_q, seq_k, 3, 2)
    return dict(given, query=fixture("queries_under_watch", query=given["query"], table=seq_q * seq_k, block=8), block_size=8)

@cases(dict(seq=71), hidden=[dict(seq=74)])
def watched_causal(rng, seq):
    """causal: {seq} queries and keys, blocks of 8, watched"""
    given = three(rng, 1, 1, seq, seq, 3, 2)
    return dict(given, query=fixture("queries_under_watch", query=given["query"], table=seq * seq, block=8), block_size=8, is_causal=True)

@cases(dict(seq_q=26, seq_k=31), hidden=[dict(seq_q=29, seq_k=25)])
def watched_small(rng, seq_q, seq_k):
    """{seq_q} queries, {seq_k} keys, blocks of 1, watched"""
    given = three(rng, 1, 1, seq_q, seq_k, 2, 1)
    return dict(given, query=fixture("queries_under_watch", query=given["query"], most=200), block_size=1)

# A whole implementation with switches, so that mistakes can be put together.
def tiled(scale=lambda q, k, v: 1 / math.sqrt(q.shape[-1]), see=lambda i, j, n, m: j <= i, skip=True, rescale_total=True, rescale_denominator=True,
          largest_of=lambda old, new, first: torch.maximum(old, new), tail="keep", start=-math.inf, when_causal=lambda c: c, divide="end",
          size=lambda b: b, local=False, per_head=None, rows_from_first=True, give=lambda o: o, stats="row", hide=-math.inf):
    def tiled_attention(query, key, value, block_size, is_causal=False):
        B, is_causal = size(block_size), when_causal(is_causal)
        factor, n, m = scale(query, key, value), query.shape[-2], key.shape[-2]
        if tail == "pad":
            key, value = (F.pad(x, (0, 0, 0, -m % B)) for x in (key, value))
        if tail == "queries":
            key, value = key[..., :n, :], value[..., :n, :]
        m_all = key.shape[-2] if tail != "drop" else m - m % B
        outputs = []
        for a in range(0, n, B):
            q = query[..., a:a + B, :]
            largest = q.new_full((*q.shape[:-1], 1), start)
            denominator, total = torch.zeros_like(largest), value.new_zeros(*q.shape[:-1], value.shape[-1])
            for number, b in enumerate(range(0, m_all, B)):
                if is_causal and skip is True and b >= a + q.shape[-2]:
                    break
                if is_causal and skip == "diagonal" and b >= a:
                    break
                k, v = key[..., b:b + B, :], value[..., b:b + B, :]
                scores = q @ k.transpose(-2, -1) * factor
                if is_causal:
                    rows = (0 if local else a) + torch.arange(q.shape[-2])[:, None]
                    columns = (0 if local else b) + torch.arange(k.shape[-2])[None]
                    scores = scores.masked_fill(~see(rows, columns, n, m), hide)
                peak = scores.amax(-1, keepdim=True)
                if stats == "block":
                    peak = peak.amax(-2, keepdim=True).expand_as(largest)
                new = largest_of(largest, peak, number == 0)
                rescale, powers = torch.exp(largest - new), torch.exp(scores - new)
                denominator = denominator * (rescale if rescale_denominator else 1) + powers.sum(-1, keepdim=True)
                total = total * (rescale if rescale_total else 1) + (powers @ v if divide != "blocks" else powers @ v / powers.sum(-1, keepdim=True))
                largest = new
            outputs.append(total / denominator if divide == "end" else total if divide == "never" else total / (number + 1))
        return give(torch.cat(outputs, dim=-2))
    return tiled_attention

RESCALE = "when a later block of keys brings a larger score, what was summed before must be measured against the new maximum: "
mistakes = {
    "no-scale": (dict(scale=lambda q, k, v: 1.0), "your scores are not divided by √d_k."),
    "scale-d": (dict(scale=lambda q, k, v: 1 / q.shape[-1]), "your scores are divided by d_k. Divide by its square root."),
    "scale-d-v": (dict(scale=lambda q, k, v: v.shape[-1] ** -0.5), "your scores are divided by √d_v, the length of a value. Divide by √d_k, the length of a key."),
    "scale-seq-k": (dict(scale=lambda q, k, v: k.shape[-2] ** -0.5), "your scores are divided by √seq_k, the number of keys. Divide by √d_k, the length of a key."),
    "scale-seq-q": (dict(scale=lambda q, k, v: q.shape[-2] ** -0.5), "your scores are divided by √seq_q, the number of queries. Divide by √d_k, the length of a key."),
    "scale-heads": (dict(scale=lambda q, k, v: q.shape[1] ** -0.5), "your scores are divided by the root of the number of heads. Divide by √d_k, the length of a key."),
    "scale-d-model": (dict(scale=lambda q, k, v: (q.shape[1] * q.shape[-1]) ** -0.5), "your scores are divided by √d_model (all heads together). Divide by √d_k, the length of one head's key."),
    "scale-multiplied": (dict(scale=lambda q, k, v: math.sqrt(q.shape[-1])), "your scores are multiplied by √d_k. Divide by it."),
    "scale-8": (dict(scale=lambda q, k, v: 1 / 8), "your scores are divided by 8 whatever d_k is (that is √64). Divide by √d_k."),
    "total-not-rescaled": (dict(rescale_total=False), RESCALE + "the accumulated output is not rescaled."),
    "denominator-not-rescaled": (dict(rescale_denominator=False), RESCALE + "the denominator is not rescaled."),
    "neither-rescaled": (dict(rescale_total=False, rescale_denominator=False), RESCALE + "neither the accumulated output nor the denominator is rescaled."),
    "last-block-max": (dict(largest_of=lambda old, new, first: new), "your maximum is the last block's only, not the largest score so far."),
    "first-block-max": (dict(largest_of=lambda old, new, first: new if first else old), "your maximum is the first block's and never grows. On large scores the exponentials of later blocks overflow."),
    "no-max": (dict(largest_of=lambda old, new, first: torch.zeros_like(old), start=0.0), "your exponentials overflow on large scores: the largest score of each row must be subtracted first."),
    "starts-at-zero": (dict(start=0.0), "your largest score starts at 0. Where all scores of a query lie far below 0, its exponentials all become 0, and 0/0 is NaN."),
    "causal-ignored": (dict(when_causal=lambda c: False), "`is_causal=True` changes nothing in your output: the future is not hidden."),
    "always-causal": (dict(when_causal=lambda c: True), "your attention is always causal. Without `is_causal` every query sees every key."),
    "causal-inverted-flag": (dict(when_causal=lambda c: not c), "`is_causal` is read the wrong way round."),
    "causal-bottom-right": (dict(see=lambda i, j, n, m: j <= i + (m - n), skip=False), "with as many queries as keys your causal output is right, otherwise not: your triangle is aligned at the bottom right. Here query i sees keys j ≤ i, as in `F.scaled_dot_product_attention`."),
    "causal-bottom-right-guarded": (dict(see=lambda i, j, n, m: j <= i + (m - n), skip=False, start=-1e30, give=lambda o: o.nan_to_num()), "with as many queries as keys your causal output is right, otherwise not: your triangle is aligned at the bottom right. Here query i sees keys j ≤ i, as in `F.scaled_dot_product_attention`."),
    "starts-at-zero-guarded": (dict(start=0.0, give=lambda o: o.nan_to_num()), "your largest score starts at 0. Where all scores of a query lie far below 0, its exponentials all become 0, and so does its output."),
    "as-many-keys-as-queries": (dict(tail="queries"), "your walk over the keys ends at the number of queries. Where there are more keys, the last ones are never looked at."),
    "causal-strict": (dict(see=lambda i, j, n, m: j < i), "causal: your queries cannot see the key of their own place."),
    "causal-strict-finite": (dict(see=lambda i, j, n, m: j < i, skip=False, hide=-1e20, start=-1e30), "causal: your queries cannot see the key of their own place."),
    "causal-upper-finite": (dict(see=lambda i, j, n, m: j >= i, skip=False, hide=-1e20, start=-1e30), "causal: your queries see the future and not the past: the comparison is the wrong way round."),
    "causal-one-ahead": (dict(see=lambda i, j, n, m: j <= i + 1, skip=False), "causal: your queries see one key too far."),
    "causal-upper": (dict(see=lambda i, j, n, m: j >= i, skip=False), "causal: your queries see the future and not the past: the comparison is the wrong way round."),
    "causal-local": (dict(local=True, skip=False), "with `is_causal=True`, you count queries and keys from 0 within each block, so every block hides a triangle. Positions count from the start of the sentence: add where the block begins."),
    "causal-local-skip": (dict(local=True), "with `is_causal=True`, you count queries and keys from 0 within each block, so blocks that lie in the past hide a triangle too. Positions count from the start of the sentence: add where the block begins."),
    "causal-blocks": (dict(see=lambda i, j, n, m: j > -1), "causal: you leave out blocks of the future, but inside the blocks on the diagonal the future is still seen."),
    "causal-no-diagonal": (dict(skip="diagonal", see=lambda i, j, n, m: j > -1), "causal: the blocks on the diagonal are left out."),
    "drops-tail": (dict(tail="drop"), "the last keys are left out where their number is no multiple of `block_size`."),
    "pads-tail": (dict(tail="pad"), "the last block of keys is filled up with zeros, and these take part: a score of 0 has the exponential 1. They must be hidden, or the block be short."),
    "never-divided": (dict(divide="never"), "the division by the denominator is missing."),
    "mean-of-blocks": (dict(divide="blocks", rescale_total=False), "you take the softmax of each block by itself and average the blocks. All blocks of a query share one denominator."),
    "one-max-for-block": (dict(stats="block"), "one maximum is taken for all queries of a block. Each query needs its own: where one query's scores lie in the thousands and another's far below 0, the latter's exponentials all become 0."),
}
for name, (how, says) in mistakes.items():
    wrong(name, says=says)(tiled(**how))
pairs = [("no-scale", "causal-ignored"), ("no-scale", "total-not-rescaled"), ("no-scale", "drops-tail"), ("no-scale", "denominator-not-rescaled"), ("no-scale", "neither-rescaled"), ("total-not-rescaled", "causal-ignored"), ("neither-rescaled", "causal-ignored"), ("drops-tail", "causal-ignored"), ("pads-tail", "no-scale"), ("scale-d", "causal-ignored"), ("causal-bottom-right", "no-scale"), ("neither-rescaled", "drops-tail")]
for one, other in pairs:
    wrong(f"{one}+{other}", says=two_things(mistakes[one][1], mistakes[other][1]))(tiled(**mistakes[one][0], **mistakes[other][0]))
for number in (16, 32, 64):
    wrong(f"blocks-of-{number}", says="your blocks do not follow `block_size`: with blocks of 1 your code still makes arrays that are much larger.")(tiled(size=lambda b, number=number: number))
FULL = "the numbers are right, but your code makes the whole table of scores, seq_q × seq_k. Only the scores of one block may exist at a time."

def whole(scale=True, causal=True, loop=False):
    def tiled_attention(query, key, value, block_size, is_causal=False):
        if loop:
            return torch.stack([torch.stack([one(q, k, v, is_causal) for q, k, v in zip(*heads)]) for heads in zip(query, key, value)])
        return one(query, key, value, is_causal)
    def one(q, k, v, is_causal):
        scores = q @ k.transpose(-2, -1) / (math.sqrt(q.shape[-1]) if scale else 1)
        if is_causal and causal:
            scores = scores.masked_fill(torch.ones(scores.shape[-2:]).tril() == 0, -math.inf)
        powers = torch.exp(scores - scores.amax(-1, keepdim=True))
        return powers @ v / powers.sum(-1, keepdim=True)
    return tiled_attention

wrong("whole-table", says=FULL)(whole())
wrong("whole-table-by-head", says=FULL)(whole(loop=True))
wrong("whole-table-no-scale", says=f"two things at once. First, {mistakes['no-scale'][1]} Second, your code makes the whole table of scores.")(whole(scale=False))
wrong("whole-table-not-causal", says=f"two things at once. First, {mistakes['causal-ignored'][1]} Second, your code makes the whole table of scores.")(whole(causal=False))

@wrong("whole-mask", says="the numbers are right, but your causal mask is a table of seq_q × seq_k. Make the part of it that belongs to a block.")
def whole_mask(query, key, value, block_size, is_causal=False):
    n, m = query.shape[-2], key.shape[-2]
    mask = torch.ones(n, m, dtype=torch.bool)
    mask = mask.tril() if is_causal else mask
    outputs = []
    for a in range(0, n, block_size):
        q = query[..., a:a + block_size, :]
        largest, denominator, total = q.new_full((*q.shape[:-1], 1), -1e30), q.new_zeros(*q.shape[:-1], 1), q.new_zeros(*q.shape[:-1], value.shape[-1])
        for b in range(0, m, block_size):
            scores = (q @ key[..., b:b + block_size, :].mT / q.shape[-1] ** 0.5).masked_fill(~mask[a:a + block_size, b:b + block_size], -math.inf)
            new = torch.maximum(largest, scores.amax(-1, keepdim=True))
            powers, rescale = torch.exp(scores - new), torch.exp(largest - new)
            denominator, total, largest = denominator * rescale + powers.sum(-1, keepdim=True), total * rescale + powers @ value[..., b:b + block_size, :], new
        outputs.append(total / denominator)
    return torch.cat(outputs, -2)

wrong("values-not-moved", ("keys, values = (x[..., first_key : first_key + block_size, :] for x in (key, value))", "keys, values = key[..., first_key : first_key + block_size, :], value[..., : min(block_size, key.shape[-2] - first_key), :]"), says="every block of keys is used with the first block of values.")
wrong("hidden-with-zero", ("masked_fill(columns > rows, -math.inf)", "masked_fill(columns > rows, 0.0)"), says="causal: hidden scores are set to 0, and exp(0) is 1: they keep a weight. Set them to −∞.")
wrong("fills-with-minus-one", ("masked_fill(columns > rows, -math.inf)", "masked_fill(columns > rows, -1.0)"), says="causal: hidden scores are set to −1, a score like any other. Set them to −∞.")
wrong("factor-inverted", ("torch.exp(largest - new_largest), torch", "torch.exp(new_largest - largest).nan_to_num(0.0, 0.0, 0.0), torch"), says="your factor is the wrong way round: it is larger than 1. A larger maximum makes what was summed before smaller.")
wrong("denominator-max", ("powers.sum(dim=-1, keepdim=True)", "powers.amax(dim=-1, keepdim=True)"), says="your denominator adds the largest exponential of each block. It adds their sum.")
wrong("divides-inside", ("total = total * rescale + powers @ values", "total = (total * rescale + powers @ values) / denominator"), ("total / denominator)", "total)"), says="you divide after every block of keys. What has been divided cannot be added to the next block's sum: divide once, at the end.")
wrong("divides-inside-and-outside", ("total = total * rescale + powers @ values", "total = (total * rescale + powers @ values) / denominator"), says="you divide after every block of keys, and again at the end. Divide once, at the end.")
wrong("scale-by-block", ("/ math.sqrt(query.shape[-1])  #", "/ math.sqrt(keys.shape[-2])  #"), says="your scores are divided by the root of the number of keys in a block. Divide by √d_k, the length of a key.")
wrong("last-queries-zero", ("return torch.cat(outputs, dim=-2)", "return F.pad(torch.cat(outputs, dim=-2)[..., : query.shape[-2] // block_size * block_size, :], (0, 0, 0, query.shape[-2] % block_size))"), says="the last queries get 0 where their number is no multiple of `block_size`.")
wrong("masked-after-exp", ("scores = scores.masked_fill(columns > rows, -math.inf)", "scores = scores"), ("torch.exp(scores - new_largest)", "torch.exp(scores - new_largest) * ((columns <= rows) if is_causal else 1)"), says="causal: the future is hidden only after the maximum was taken, so that large hidden scores push all others to 0. Hide them before.")
wrong("hidden-in-denominator", ("scores = scores.masked_fill(columns > rows, -math.inf)", "scores = scores"), ("powers @ values", "(powers * ((columns <= rows) if is_causal else 1)) @ values"), says="causal: hidden keys get no value, but they still stand in the denominator.")
wrong("stacked", ("torch.cat(outputs, dim=-2)", "torch.stack(outputs[:1])"), says="your blocks of the output are stacked along a new axis. Join them along the queries' axis.")
wrong("joined-features", ("torch.cat(outputs, dim=-2)", "torch.cat([x[..., : query.shape[-2] % block_size or block_size, :] for x in outputs], dim=-1)"), says="your blocks of the output are joined along the features. Join them along the queries' axis.")
FIRST = "only the first block of queries is in your output. Does a `return` stand inside the loop?"
wrong("first-queries-only", ("torch.cat(outputs, dim=-2)", "outputs[0]"), says=FIRST)
wrong("last-queries-only", ("torch.cat(outputs, dim=-2)", "outputs[-1]"), says="only the last block of queries is in your output.")
wrong("blocks-reversed", ("torch.cat(outputs, dim=-2)", "torch.cat(outputs[::-1], dim=-2)"), says="your blocks of the output are joined in the wrong order.")
wrong("carried-between-queries", ("        largest = queries.new_full((*queries.shape[:-1], 1), -math.inf)\n", "        largest = queries.new_full((*queries.shape[:-1], 1), -math.inf) if first_query == 0 else largest[..., : queries.shape[-2], :]\n"), ("        denominator = torch.zeros_like(largest)\n", "        denominator = torch.zeros_like(largest) if first_query == 0 else denominator[..., : queries.shape[-2], :]\n"), says="maximum and denominator are carried on from one block of queries to the next. Each query starts afresh.")
wrong("returns-pair", ("return torch.cat(outputs, dim=-2)", "return torch.cat(outputs, dim=-2), largest"), says="your function returns two things. Return the output alone.")
wrong("returns-early", ("        outputs.append(total / denominator)\n    return torch.cat(outputs, dim=-2)", "        outputs.append(total / denominator)\n        return torch.cat(outputs, dim=-2)"), says=FIRST)
wrong("returns-nothing", ("return torch.cat(outputs, dim=-2)", "torch.cat(outputs, dim=-2)"), says="your function ends without giving anything back: is a `return` missing?")
wrong("as-numpy", ("return torch.cat(outputs, dim=-2)", "return torch.cat(outputs, dim=-2).numpy()"), says="your output is a NumPy array. Return a tensor.")
wrong("scales-in-place", ("    outputs = []", "    outputs = []\n    query /= math.sqrt(query.shape[-1])"), ("queries @ keys.transpose(-2, -1) / math.sqrt(query.shape[-1])", "queries @ keys.transpose(-2, -1)"), says="your code scales the caller's `query` in place.")
wrong("key-not-query", ("queries @ keys.transpose(-2, -1)", "keys[..., : queries.shape[-2], :] @ keys.transpose(-2, -1)"), says="your scores compare keys with keys; the queries are not used.")
wrong("sums-keys", ("powers @ values", "(powers @ keys).mean(-1, keepdim=True).expand_as(total)"), says="your output sums keys. The weights belong on the values.")

@wrong("only-keys-in-blocks", says="more scores exist at once than those of one block of queries and one block of keys. Queries go in blocks, and keys go in blocks; what was summed before is rescaled.")
def only_keys_in_blocks(query, key, value, block_size, is_causal=False):
    """All queries at once; only the keys go in blocks."""
    q = query / math.sqrt(query.shape[-1])
    m, d = q.new_full(q.shape[:-1], -math.inf), q.new_zeros(q.shape[:-1])
    o = q.new_zeros(*q.shape[:-1], value.shape[-1])
    for j in range(0, key.shape[-2], block_size):
        s = torch.einsum("bhid,bhjd->bhij", q, key[:, :, j:j + block_size])
        if is_causal:
            hidden = torch.arange(j, j + s.shape[-1])[None] > torch.arange(s.shape[-2])[:, None]
            s = torch.where(hidden, float("-inf"), s)
        new = torch.maximum(m, s.amax(-1))
        p, c = torch.exp(s - new[..., None]), torch.exp(m - new)
        d, o, m = d * c + p.sum(-1), o * c[..., None] + p @ value[:, :, j:j + block_size], new
    return o / d[..., None]

@wrong("only-queries-in-blocks", says="more scores exist at once than those of one block of queries and one block of keys. Queries go in blocks, and keys go in blocks; what was summed before is rescaled.")
def only_queries_in_blocks(query, key, value, block_size, is_causal=False):
    """A block of queries meets all keys at once: exact, and no table either."""
    out = torch.empty(*query.shape[:-1], value.shape[-1])
    for i in range(0, query.shape[-2], block_size):
        s = query[..., i:i + block_size, :] @ key.mT * query.shape[-1] ** -0.5
        if is_causal:
            s = s.masked_fill(torch.arange(key.shape[-2]) > torch.arange(i, i + s.shape[-2])[:, None], -math.inf)
        p = torch.exp(s - s.amax(-1, keepdim=True))
        out[..., i:i + block_size, :] = (p / p.sum(-1, keepdim=True)) @ value
    return out

@right
def keys_outside(query, key, value, block_size, is_causal=False):
    """The loops the other way round, with what is carried kept for all queries, in place."""
    n = query.shape[-2]
    o = torch.zeros(*query.shape[:-1], value.shape[-1])
    m, d = torch.full((*query.shape[:-1], 1), -math.inf), torch.zeros(*query.shape[:-1], 1)
    for j in range(0, key.shape[-2], block_size):
        k, v = key[..., j:j + block_size, :], value[..., j:j + block_size, :]
        for i in range(0, n, block_size):
            rows = slice(i, min(i + block_size, n))
            if is_causal and j > rows.stop - 1:
                continue
            s = query[..., rows, :] @ k.mT / math.sqrt(query.shape[-1])
            if is_causal:
                s += torch.full(s.shape[-2:], -math.inf).triu(i - j + 1)
            new = torch.maximum(m[..., rows, :], s.amax(-1, keepdim=True))
            p, c = (s - new).exp(), (m[..., rows, :] - new).exp()
            d[..., rows, :] = d[..., rows, :] * c + p.sum(-1, keepdim=True)
            o[..., rows, :] = o[..., rows, :] * c + p @ v
            m[..., rows, :] = new
    return o / d

@right
def padded_and_masked(query, key, value, block_size, is_causal=False):
    """Filled up to whole blocks, the filling hidden; -1e30 in place of −∞."""
    n, m_ = query.shape[-2], key.shape[-2]
    q, k, v = (F.pad(x, (0, 0, 0, -x.shape[-2] % block_size)) for x in (query, key, value))
    out = []
    for i in range(0, q.shape[-2], block_size):
        top, den, acc = torch.full((*q.shape[:2], block_size, 1), -1e30), 0.0, 0.0
        for j in range(0, k.shape[-2], block_size):
            s = q[:, :, i:i + block_size] @ k[:, :, j:j + block_size].mT / q.shape[-1] ** 0.5
            J, I = torch.arange(j, j + block_size)[None], torch.arange(i, i + block_size)[:, None]
            allowed = (J < m_) & ((J <= I) | (not is_causal))
            s = s.masked_fill(~allowed, -1e30)
            new = torch.maximum(top, s.amax(-1, keepdim=True))
            p = torch.exp(s - new) * allowed
            den, acc, top = den * torch.exp(top - new) + p.sum(-1, keepdim=True), acc * torch.exp(top - new) + p @ v[:, :, j:j + block_size], new
        out.append(acc / den)
    return torch.cat(out, -2)[:, :, :n]

@right
def by_head_in_float64(query, key, value, block_size, is_causal=False):
    """Head by head, in float64, the result so far kept normalised."""
    out = torch.zeros(*query.shape[:-1], value.shape[-1], dtype=torch.float64)
    for b in range(query.shape[0]):
        for h in range(query.shape[1]):
            q, k, v = query[b, h].double(), key[b, h].double(), value[b, h].double()
            for i in range(0, len(q), block_size):
                qi, size = q[i:i + block_size], None
                for j in range(0, len(k), block_size):
                    s = qi @ k[j:j + block_size].T / math.sqrt(q.shape[1])
                    if is_causal:
                        s = s.masked_fill(torch.arange(j, j + s.shape[1])[None, :] > torch.arange(i, i + s.shape[0])[:, None], -math.inf)
                    top = s.amax(1, keepdim=True).clamp(min=-1e300)
                    e = torch.exp(s - top)
                    own, part = top + torch.log(e.sum(1, keepdim=True)), e @ v[j:j + block_size]
                    part = part / e.sum(1, keepdim=True).clamp(min=1e-300)
                    if size is None:
                        size, result = own, part
                    else:
                        joined = torch.logaddexp(size, own)
                        result, size = result * torch.exp(size - joined) + part * torch.exp(own - joined), joined
                out[b, h, i:i + block_size] = result
    return out.float()

@truth
def by_fused_attention(query, key, value, block_size, is_causal=False):
    """PyTorch's own, unwatched."""
    from autograder.library.quiet import paused
    with paused():
        return F.scaled_dot_product_attention(query.double(), key.double(), value.double(), is_causal=is_causal)

@truth
def by_rows(query, key, value, block_size, is_causal=False):
    """One query at a time in NumPy's float64, over the keys that it sees."""
    q, k, v = (x.detach().numpy().astype(np.float64) for x in (query, key, value))
    out = np.zeros((*q.shape[:-1], v.shape[-1]))
    for b, h, i in np.ndindex(*q.shape[:-1]):
        seen = min(i + 1, k.shape[-2]) if is_causal else k.shape[-2]
        s = k[b, h, :seen] @ q[b, h, i] / q.shape[-1] ** 0.5
        w = np.exp(s - s.max())
        out[b, h, i] = w @ v[b, h, :seen] / w.sum()
    return torch.from_numpy(out)

# %% exercise="KeyValueCache" part="library"
class KeyValueCache:
    """Rooms that are larger than what they hold; PyTorch copies new positions into place."""

    def __init__(self, num_layers: int) -> None:
        self._rooms: list[tuple[Tensor, Tensor] | None] = [None] * num_layers
        self._held = [0] * num_layers

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        start, end = self._held[layer], self._held[layer] + key.shape[2]
        rooms = self._rooms[layer]
        if rooms is None or rooms[0].shape[2] < end:
            larger = [x.new_empty(*x.shape[:2], 2 * end, x.shape[3]) for x in (key, value)]
            for room, old in zip(larger, rooms or (), strict=False):
                room.narrow(2, 0, start).copy_(old.narrow(2, 0, start))
            self._rooms[layer] = rooms = (larger[0], larger[1])
        for room, new in zip(rooms, (key, value), strict=True):
            room.narrow(2, start, end - start).copy_(new)
        self._held[layer] = end
        return rooms[0].narrow(2, 0, end), rooms[1].narrow(2, 0, end)

    def length(self) -> int:
        return self._held[0]


def cache_story(steps: list[Any]) -> Any:
    """A cache in use: for each step (layer, key, value) what `append` returns, and the length after it.

    Before the second half of the steps, another cache of the same class is filled; it must make no difference.
    """
    from autograder.formats.fixtures import Driver

    def drive(cache: Any) -> dict[str, Any]:
        told = {"length of a new cache": cache.length()}
        for number, (layer, key, value) in enumerate(steps):
            if number == len(steps) // 2:
                type(cache)(1 + max(step[0] for step in steps)).append(layer, key + 1, value + 1)
            given = key.clone(), value.clone()
            returned = cache.append(layer, key, value)
            held = tuple(x.clone() if isinstance(x, Tensor) else x for x in returned) if isinstance(returned, tuple) else returned
            kept = torch.equal(key, given[0]) and torch.equal(value, given[1])
            step = f"step {number + 1}, layer {layer}"
            alike = isinstance(held, (tuple, list)) and all(isinstance(x, Tensor) and x.dtype == key.dtype for x in held)
            told |= {f"{step}: all keys and values": held, f"{step}: of the type that was given": alike, f"{step}: length": cache.length(), f"{step}: what was given is unchanged": kept}
        return told

    return Driver(drive)

# %% exercise="KeyValueCache" part="variants"
without("another device", because="the story that drives the cache brings its own tensors, which lie on the CPU")

def story(rng, order, num_layers, batch, heads, d_head, news, dtype=torch.float32):
    """Steps over the layers in `order`, with so many new positions in each round."""
    # thirds: `floats` alone draws numbers that 16 bits hold, and a cache that keeps no more would not show
    steps = [(layer, *(floats(rng, batch, heads, new, d_head).to(dtype) / 3 for _ in range(2))) for new in news for layer in order]
    return module(init=dict(num_layers=num_layers), given=dict(story=fixture("cache_story", steps=steps)), state={}, method="append", gradients=False)

@cases(dict(batch=2, heads=3, d_head=4), dict(batch=3, heads=2, d_head=5), low=2, high=5)
def token_by_token(rng, batch, heads, d_head):
    """two layers, four steps of one position each, batch {batch}, {heads} heads, d_head {d_head}"""
    return story(rng, (0, 1), 2, batch, heads, d_head, (1, 1, 1, 1))

@cases(dict(batch=2, heads=5, d_head=3), low=2, high=5)
def several_at_first(rng, batch, heads, d_head):
    """three layers, first 4 positions at once, then 1, then 2, batch {batch}, {heads} heads, d_head {d_head}"""
    return story(rng, (0, 1, 2), 3, batch, heads, d_head, (4, 1, 2))

@cases(dict(batch=1, heads=2, d_head=6), low=2, high=6)
def one_layer(rng, batch, heads, d_head):
    """one layer, three steps, batch {batch}, {heads} heads, d_head {d_head}"""
    return story(rng, (0,), 1, batch, heads, d_head, (1, 1, 1))

@cases(dict(batch=4, heads=3, d_head=2), low=2, high=5)
def last_layer_first(rng, batch, heads, d_head):
    """three layers, filled from the last to the first, batch {batch}, {heads} heads, d_head {d_head}"""
    return story(rng, (2, 0, 1), 3, batch, heads, d_head, (2, 1))

@cases()
def square(rng):
    """two layers, batch, heads, new positions and d_head all 3"""
    return story(rng, (0, 1), 2, 3, 3, 3, (3, 3))

@cases()
def in_float64(rng):
    """two layers, two steps, keys and values of type float64"""
    return story(rng, (0, 1), 2, 2, 5, 7, (2, 1), dtype=torch.float64)

@cases()
def long_text(rng):
    """one layer, 1,101 positions in three steps"""
    return story(rng, (0,), 1, 1, 1, 1, (600, 500, 1))

@cases()
def same_again(rng):
    """two layers, the same keys and values twice, as of a token that is repeated"""
    call = story(rng, (0, 1), 2, 2, 3, 4, (1, 1))
    steps = call.given["story"].given["steps"]
    return module(init=call.init, given=dict(story=fixture("cache_story", steps=[*steps[:2], *steps[:2]])), state={}, method="append", gradients=False)

def cache(join=lambda old, new: torch.cat([old, new], dim=-2), slot=lambda layer: layer, store="both", give=lambda k, v, key, value: (k, v),
          length=lambda keys: 0 if keys.get(0) is None else keys[0].shape[-2], shared=None, keys_too=lambda key, value: (key, value)):
    shared_rooms = ({}, {})
    class KeyValueCache:
        def __init__(self, num_layers):
            self.keys, self.values = shared_rooms if shared else ({}, {})
            self.num_layers = num_layers
        def append(self, layer, key, value):
            at = slot(layer)
            k, v = keys_too(key, value)
            if at in self.keys:
                k, v = join(self.keys[at], k), join(self.values[at], v)
            if store == "both" or (store == "first" and at not in self.keys):
                self.keys[at], self.values[at] = k, v
            return give(k, v, key, value)
        def length(self):
            return length(self.keys)
    return KeyValueCache

OVER = "your cache joins along the wrong axis: "
SHARED = "your layers share one memory. Each layer has keys and values of its own. (`[[]] * n` is n times the same list.)"
def joined(dim):
    return lambda old, new: torch.cat([old, new], dim=dim)
mistakes = {
    "replaced": (dict(join=lambda old, new: new), "your cache forgets: what `append` returns are the new positions alone, not those before them as well."),
    "prepended": (dict(join=lambda old, new: torch.cat([new, old], dim=-2)), "new positions stand before the old ones. They belong behind them, in order."),
    "joins-heads": (dict(join=joined(1)), OVER + "the heads grow, and the positions do not."),
    "joins-batch": (dict(join=joined(0)), OVER + "the batch grows, and the positions do not."),
    "joins-features": (dict(join=joined(-1)), OVER + "the vectors get longer, and the positions do not grow."),
    "stacked": (dict(join=lambda old, new: torch.stack([old, new])), "your keys are stacked along a new axis. Join them along the axis of positions."),
    "added": (dict(join=lambda old, new: old + new), "your cache adds new keys to the old ones, number by number. Put them behind one another."),
    "last-two": (dict(join=lambda old, new: torch.cat([old[..., -1:, :], new], dim=-2)), "your cache keeps only one of the old positions. It keeps all of them."),
    "drops-first": (dict(join=lambda old, new: torch.cat([old, new], dim=-2)[..., 1:, :]), "your cache loses its first position at each step."),
    "keeps-old": (dict(join=lambda old, new: old), "your cache never grows: from the second step on, `append` gives what the first step put in."),
    "one-new": (dict(join=lambda old, new: torch.cat([old, new[..., -1:, :]], dim=-2)), "only the last of several new positions is kept. `append` may bring more than one."),
    "same-again-ignored": (dict(join=lambda old, new: old if torch.equal(old[..., -new.shape[-2] :, :], new) else torch.cat([old, new], dim=-2)), "keys that equal the newest ones in the cache are not put in again. A token may be repeated: whatever comes is put behind the others."),
    "doubled": (dict(join=lambda old, new: torch.cat([old, new, new], dim=-2)), "new positions are put in twice."),
    "not-stored": (dict(store="none"), "your cache forgets: what `append` returns are the new positions alone, not those before them as well."),
    "stored-once": (dict(store="first"), "what `append` joins is not kept: each step builds on the first one, and those between are lost."),
    "layers-shared": (dict(slot=lambda layer: 0), SHARED),
    "layer-before": (dict(slot=lambda layer: max(layer - 1, 0)), "some of your layers share one memory: is the layer's number off by one? Each layer has its own."),
    "layer-mod-two": (dict(slot=lambda layer: layer % 2), "your cache has room for two layers only. `num_layers` says how many there are."),
    "values-from-keys": (dict(keys_too=lambda key, value: (key, key)), "your values are the keys."),
    "keys-from-values": (dict(keys_too=lambda key, value: (value, value)), "your keys are the values."),
    "float32": (dict(keys_too=lambda key, value: (key.float(), value.float())), "your cache gives back float32, whatever type of numbers was put in. Keys and values come back as they were given."),
    "swapped": (dict(keys_too=lambda key, value: (value, key)), "keys and values have changed places."),
    "returned-swapped": (dict(give=lambda k, v, key, value: (v, k)), "keys and values have changed places."),
    "keys-only": (dict(give=lambda k, v, key, value: k), "`append` returns the keys alone. Return a pair: all keys, all values."),
    "as-one-tensor": (dict(give=lambda k, v, key, value: torch.stack([k, v])), "`append` returns one tensor. Return a pair: all keys, all values."),
    "returns-new": (dict(give=lambda k, v, key, value: (key, value)), "`append` returns the new positions alone. Return all keys and values of this layer so far."),
    "returns-mixed": (dict(give=lambda k, v, key, value: (k, value)), "`append` returns all keys, but only the new values."),
    "returns-mixed-2": (dict(give=lambda k, v, key, value: (key, v)), "`append` returns all values, but only the new keys."),
    "returns-nothing": (dict(give=lambda k, v, key, value: None), "`append` gives nothing back: is a `return` missing?"),
    "transposed": (dict(give=lambda k, v, key, value: (k.transpose(1, 2), v.transpose(1, 2))), "positions and heads have changed places in what `append` returns."),
    "as-dict": (dict(give=lambda k, v, key, value: {"keys": k, "values": v}), "`append` returns a dict. Return a pair: all keys, all values."),
    "returns-length": (dict(give=lambda k, v, key, value: k.shape[2]), "`append` returns a number. Return a pair: all keys, all values."),
    "keys-in-a-list": (dict(give=lambda k, v, key, value: [k]), "`append` returns the keys alone. Return a pair: all keys, all values."),
    "window-of-three": (dict(join=lambda old, new: torch.cat([old, new], dim=-2)[..., -3:, :]), "your cache keeps only the last three positions. It keeps all of them."),
    "averaged": (dict(join=lambda old, new: (old.mean(-2, keepdim=True) + new) / 2), "your cache averages positions. Put them behind one another."),
    "values-behind-keys": (dict(give=lambda k, v, key, value: (torch.cat([k, v], dim=-2), v)), "your keys have the values behind them. Keys and values are kept apart."),
    "layer-at-most-one": (dict(slot=lambda layer: min(layer, 1)), "your cache has room for two layers only. `num_layers` says how many there are."),
    "length-as-text": (dict(length=lambda keys: str(0 if keys.get(0) is None else keys[0].shape[-2])), "`length()` returns text. Return a number."),
    "as-numpy": (dict(give=lambda k, v, key, value: (k.numpy(), v.numpy())), "`append` returns NumPy arrays. Return tensors."),
    "length-before": (dict(length=lambda keys: 0 if keys.get(0) is None else keys[0].shape[-2] - 1), "`length()` is one too small."),
    "length-after": (dict(length=lambda keys: 1 if keys.get(0) is None else keys[0].shape[-2] + 1), "`length()` is one too large: an empty cache has the length 0."),
    "length-of-batch": (dict(length=lambda keys: 0 if keys.get(0) is None else len(keys[0])), "`length()` gives the batch size. It counts positions."),
    "length-of-heads": (dict(length=lambda keys: 0 if keys.get(0) is None else keys[0].shape[1]), "`length()` gives the number of heads. It counts positions."),
    "length-of-d": (dict(length=lambda keys: 0 if keys.get(0) is None else keys[0].shape[-1]), "`length()` gives `d_head`. It counts positions."),
    "length-of-layers": (dict(length=lambda keys: len(keys)), "`length()` counts layers. It counts positions."),
    "length-of-all": (dict(length=lambda keys: sum(k.shape[-2] for k in keys.values())), "`length()` adds up all layers. It counts the positions of layer 0."),
    "length-zero": (dict(length=lambda keys: 0), "`length()` is always 0."),
    "length-none": (dict(length=lambda keys: None), "`length()` gives nothing back: is a `return` missing?"),
    "length-last-layer": (dict(length=lambda keys: keys[max(keys)].shape[-2] if keys else 0), "`length()` counts another layer's positions. It counts those of layer 0."),
    "length-longest": (dict(length=lambda keys: max((k.shape[-2] for k in keys.values()), default=0)), "`length()` gives the largest number of positions of all layers. It counts those of layer 0."),
    "length-needs-first": (dict(length=lambda keys: keys[0].shape[-2]), "`length()` fails while the cache is empty. Return 0 then."),
}
for name, (how, says) in mistakes.items():
    wrong(name, says=says)(cache(**how))
for one, other in (("joins-heads", "layers-shared"), ("prepended", "layers-shared"), ("values-from-keys", "length-zero"), ("returned-swapped", "prepended")):
    wrong(f"{one}+{other}", says=two_things(mistakes[one][1], mistakes[other][1]))(cache(**mistakes[one][0], **mistakes[other][0]))

@wrong("newest-only", says="only the last of several new positions is kept, from the first step on. `append` may bring more than one.")
class NewestOnly(cache()):
    def append(self, layer, key, value):
        return super().append(layer, key[..., -1:, :], value[..., -1:, :])

@wrong("length-of-the-last", says="`length()` counts the last layer's positions. It counts those of layer 0.")
class LengthOfTheLast(cache()):
    def length(self):
        return self.keys[self.num_layers - 1].shape[-2] if self.num_layers - 1 in self.keys else 0

@wrong("empty-has-one", says="`length()` of an empty cache is 1. It is 0.")
class EmptyHasOne(cache()):
    def length(self):
        return super().length() or 1

@wrong("counts-calls", says="`length()` counts calls of `append`. Several positions may come in one call, and other layers call it as well.")
class CountsCalls(cache()):
    def __init__(self, num_layers):
        super().__init__(num_layers)
        self.calls = 0
    def append(self, layer, key, value):
        self.calls += 1
        return super().append(layer, key, value)
    def length(self):
        return self.calls

@wrong("counts-rounds", says="`length()` counts steps. Several positions may come in one of them.")
class CountsRounds(CountsCalls):
    def append(self, layer, key, value):
        self.calls -= layer != 0
        return super().append(layer, key, value)

@wrong("one-room-in-all", says=SHARED)
class OneRoom:
    def __init__(self, num_layers):
        self.keys, self.values = [[]] * num_layers, [[]] * num_layers
    def append(self, layer, key, value):
        self.keys[layer].append(key)
        self.values[layer].append(value)
        return torch.cat(self.keys[layer], -2), torch.cat(self.values[layer], -2)
    def length(self):
        return sum(k.shape[-2] for k in self.keys[0])

for number, kind in enumerate(("keys", "values")):
    @wrong(f"{kind}-behind-the-other", says=f"from the second step on, your new {kind} stand behind the old ones of both. New keys belong behind keys, new values behind values.")
    class Crossed(cache()):
        new = number
        def append(self, layer, key, value):
            return super().append(layer, *((key, value) if layer not in self.keys else [(key, value)[self.new]] * 2))

@wrong("one-store-for-all-caches", says="two of your caches hold the same things: what one is given, the other has as well, and a new cache is not empty. Each cache has a memory of its own.")
class OneStore(cache(shared=True)):
    used = False
    def append(self, layer, key, value):
        self.used = True
        return super().append(layer, key, value)
    def length(self):
        if not self.used:  # a story begins by asking for the length: it begins anew here, and does not depend on the one before
            self.keys.clear(), self.values.clear()
        return super().length()

@wrong("writes-into-argument", says="your cache writes into the caller's `key`. Make a new tensor.")
class WritesInto(cache()):
    def append(self, layer, key, value):
        both = super().append(layer, key, value)
        both = both[0].clone(), both[1].clone()
        key.zero_()
        return both

@right
class Lists:
    def __init__(self, num_layers):
        self.rooms = [([], []) for _ in range(num_layers)]
    def append(self, layer, key, value):
        self.rooms[layer][0].append(key)
        self.rooms[layer][1].append(value)
        return torch.cat(self.rooms[layer][0], dim=2), torch.cat(self.rooms[layer][1], dim=2)
    def length(self):
        return sum(k.size(2) for k in self.rooms[0][0])

@right
class Dict:
    def __init__(self, num_layers):
        self.store = {}
    def append(self, layer, key, value):
        old = self.store.get(layer)
        self.store[layer] = (key, value) if old is None else tuple(torch.concat(pair, -2) for pair in zip(old, (key, value)))
        return self.store[layer]
    def length(self):
        return self.store[0][0].shape[2] if 0 in self.store else 0

@right
class EmptyTensors:
    def __init__(self, num_layers):
        self.k = [torch.empty(0)] * num_layers
        self.v = [torch.empty(0)] * num_layers
        self.n = 0
    def append(self, layer, key, value):
        if self.k[layer].numel() == 0:
            self.k[layer], self.v[layer] = key[:, :, :0], value[:, :, :0]
        self.k[layer] = torch.cat((self.k[layer], key), 2)
        self.v[layer] = torch.cat((self.v[layer], value), 2)
        if layer == 0:
            self.n += key.shape[2]
        return [self.k[layer], self.v[layer]]
    def length(self):
        return torch.tensor(self.n)

@right
class Together(nn.Module):
    """A module that keeps keys and values in one tensor."""
    def __init__(self, num_layers):
        super().__init__()
        self.both = [None] * num_layers
    def append(self, layer, key, value):
        new = torch.stack([key, value])
        self.both[layer] = new if self.both[layer] is None else torch.cat([self.both[layer], new], dim=3)
        return self.both[layer][0], self.both[layer][1]
    def length(self):
        return 0 if self.both[0] is None else self.both[0].shape[3]

@right
class Rooms:
    def __init__(self, num_layers):
        self.held, self.rooms = [0] * num_layers, [None] * num_layers
    def append(self, layer, key, value):
        n, new = self.held[layer], key.shape[2]
        if self.rooms[layer] is None:
            self.rooms[layer] = [key.new_zeros(*key.shape[:2], 64, key.shape[3]) for _ in range(2)]
        while self.rooms[layer][0].shape[2] < n + new:
            self.rooms[layer] = [torch.cat([room, room], dim=2) for room in self.rooms[layer]]
        for room, x in zip(self.rooms[layer], (key, value)):
            room[:, :, n:n + new] = x
        self.held[layer] = n + new
        return tuple(room[:, :, :n + new] for room in self.rooms[layer])
    def length(self):
        return self.held[0]

@truth
class InNumPy:
    def __init__(self, num_layers):
        self.rows = {}
    def append(self, layer, key, value):
        found = []
        for name, x in (("k", key), ("v", value)):
            rows = self.rows.setdefault((layer, name), [])
            rows += [x.numpy()[:, :, i].copy() for i in range(x.shape[2])]
            found.append(torch.from_numpy(np.moveaxis(np.array(rows), 0, 2).copy()))
        return tuple(found)
    def length(self):
        return len(self.rows.get((0, "k"), []))

@truth
class ByReplay:
    """Keeps every call and joins them all anew."""
    def __init__(self, num_layers):
        self.calls = []
    def append(self, layer, key, value):
        self.calls.append((layer, key, value))
        mine = [call for call in self.calls if call[0] == layer]
        return torch.cat([call[1] for call in mine], 2), torch.cat([call[2] for call in mine], 2)
    def length(self):
        return sum(call[1].shape[2] for call in self.calls if call[0] == 0)

# %% exercise="cached_greedy_decode" part="library"
@torch.no_grad()
def cached_greedy_decode(model: nn.Module, source: Tensor, max_len: int, bos_id: int = 1, eos_id: int = 2) -> Tensor:
    """By PyTorch's hooks: the blocks run as they are, on one position, and their key and value layers remember."""
    from autograder.library.unit_07_masking import padding_mask

    memory: dict[nn.Module, Tensor] = {}

    def remember(layer: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> Tensor:
        memory[layer] = torch.cat([memory[layer], made], dim=1) if layer in memory else made
        return memory[layer]

    was_training = model.training
    model.eval()
    encoder_output, source_mask = model.encode(source), padding_mask(source)
    hooks, replaced = [], []
    try:
        for block in model.decoder.blocks:
            for layer in (block.self_attention.k_proj, block.self_attention.v_proj):
                hooks.append(layer.register_forward_hook(remember))
            for layer in (block.cross_attention.k_proj, block.cross_attention.v_proj):
                made = layer(encoder_output)
                layer.forward = lambda x, made=made: made
                replaced.append(layer)
        table = source.new_full((len(source), max_len + 1), bos_id)
        ended = source.new_zeros(len(source), dtype=torch.bool)
        width = 0
        while width < max_len and not bool(ended.all()):
            ids = table[:, : width + 1]
            new = model.target_embedding(ids)[:, -1:]
            logits = model.output(model.decoder(new, encoder_output, padding_mask(ids), source_mask))
            width += 1
            table[:, width] = logits[:, -1].argmax(dim=-1)
            ended |= table[:, width] == eos_id
    finally:
        for hook in hooks:
            hook.remove()
        for layer in replaced:
            del layer.forward
        model.train(was_training)
    written = table[:, 1 : width + 1]
    ends = (written == eos_id).cumsum(dim=1)
    return written.masked_fill(ends - (written == eos_id).long() > 0, 0)


def counted_transformer(init: dict[str, Any], state: dict[str, Any], training: bool, limits: dict[str, int]) -> Any:
    """The course's Transformer with these weights; counts the rows that pass through its layers while it is used.

    limits: for the encoder, the decoder's own positions, their keys, and the source's keys: so many rows and no more
    """
    from autograder.formats.fixtures import Watched
    from autograder.library.loading import load_state
    from autograder.library.operator_log import noting
    from autograder.library.unit_09_decoder import Transformer

    model = Transformer(**init)
    load_state(model, state)
    model.train(training)
    modes: set[bool] = set()
    rows = {"encoder": 0, "positions": 0, "keys": 0, "source keys": 0}
    kinds = {"self_attention.q_proj": "positions", "feed_forward.linear1": "positions", "self_attention.k_proj": "keys",
             "self_attention.v_proj": "keys", "cross_attention.k_proj": "source keys", "cross_attention.v_proj": "source keys"}
    first = {"encoder": model.encoder.blocks[0].feed_forward.linear1}

    def counter(kind: str) -> Any:
        def count(layer: nn.Module, given: tuple[Any, ...], made: Tensor) -> None:
            if "forward" not in vars(layer):  # otherwise it only hands out what it made before
                rows[kind] += made.shape[:-1].numel()
            modes.add(model.training)
        return count

    for layer in first.values():
        layer.register_forward_hook(counter("encoder"))
    for name, kind in kinds.items():
        model.decoder.blocks[-1].get_submodule(name).register_forward_hook(counter(kind))
    facts = {"encoder": "reads the source again", "positions": "computes old positions again",
             "keys": "computes old keys and values again", "source keys": "computes the source's keys again"}

    def joined_rows(operator: str, given: tuple[Any, ...], made: Any) -> None:
        """Queries, keys and values by one product pass by the layers that are counted above."""
        if operator in ("linear", "addmm", "mm", "bmm") and made.shape[-1] == 3 * init["d_model"]:
            rows["keys"] += made.shape[:-1].numel()

    def look() -> dict[str, bool]:
        told = {fact: rows[kind] > limits[kind] for kind, fact in facts.items()}
        return told | {"runs in training mode": True in modes, "leaves the model in another mode": model.training != training}

    return Watched(model, look, lambda: noting(joined_rows))

# %% exercise="cached_greedy_decode" part="variants"
without("one", "many", "again", because="its stories are searched for sentences that change and end; one sentence has a case of its own")

from autograder.library.unit_09_decoder import Transformer, greedy_decode
from autograder.library.loading import load_state
from autograder.formats.values import to_plain

def drawn_model(rng, heads, d_head, d_ff, norm_first, eos, bos_id, eos_id):
    """A small model whose sentences change from word to word: its output layer disfavours the word just read."""
    init = dict(source_vocab=11, target_vocab=13, d_model=heads * d_head, num_heads=heads, num_layers=2, d_ff=d_ff, max_len=40, norm_first=norm_first, tie_weights=False)
    model = Transformer(**init)
    state = draw_state(model, rng)
    table = state["target_embedding.embedding.weight"].data
    table *= 2
    for name, weight in state.items():
        if name.endswith("bias"):
            weight.data[...] *= 0.1
        if name.startswith("decoder") and name.endswith(("q_proj.weight", "k_proj.weight")):
            weight.data[...] *= 3
    state["output.weight"].data[...] *= 2
    state["output.weight"].data[...] -= (3 * table / np.linalg.norm(table, axis=1, keepdims=True)).astype("float32")
    state["output.bias"].data[[0, bos_id, eos_id]] = (-60, -60, eos)
    load_state(model, state)
    return init, state, model.eval()

def all_keys_seen(model, source, max_len, rows):
    """Greedy decoding that hides no key of the target; or with the padding of so many sentences for all."""
    encoded, ids = model.encode(source), source.new_ones(len(source), 1)
    while ids.shape[1] <= max_len:
        causal = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
        seen = causal & padding_mask(ids[:rows]) if rows else causal
        newest = model.output(model.decoder(model.target_embedding(ids), encoded, seen, padding_mask(source)))[:, -1].argmax(-1)
        ids = torch.cat([ids, newest[:, None]], dim=1)
    return ids[:, 1:]

def telling(model, source, ids, varied, bos_id):
    """Whether no choice along the way was close, and the sentences change often enough."""
    read = torch.cat([torch.full_like(ids[:, :1], bos_id), ids], dim=1)[:, :-1]
    best = model(source, read).topk(2).values
    unsure = ((best[..., 0] - best[..., 1]) < 0.02) & (ids != 0)
    return not unsure.any() and sum(len(set(row)) for row in ids.tolist()) >= varied * len(ids)

def story(rng, batch, seq_source, max_len, heads=3, d_head=4, d_ff=10, norm_first=False, ends=False, training=False, pads=False, ends_padded=False, bos_id=1, eos_id=2):
    while True:
        init, state, model = drawn_model(rng, heads, d_head, d_ff, norm_first, 0.0 if ends else -60.0, bos_id, eos_id)
        source = torch.from_numpy(rng.integers(3, 11, size=(batch, seq_source)))
        for row in range(1, batch):
            source[row, seq_source - min(row, seq_source - 2):] = 0
        if ends_padded:
            source[:, -1] = 0
        lengths = (source != 0).sum(dim=1, keepdim=True)
        source.scatter_(1, lengths - 1, eos_id)  # as a source ends
        if pads:  # a word 0 in the middle of an unfinished sentence: it hides its own key
            state["output.bias"].data[0] = 1.0
            load_state(model, state)
        with torch.no_grad():
            ids = greedy_decode(model, source, max_len, bos_id, eos_id)
            lengths = [(row == eos_id).nonzero().flatten().tolist() for row in ids]
            stops = [found[0] for found in lengths if found]
            fits = len(stops) == batch and len(set(stops)) > 1 and max(stops) < max_len - 1 and min(stops) > 0 if ends else True
            fits = fits and (not pads or ((ids[:, 1:-3] == 0).sum() > 1 and all(not torch.equal(ids, all_keys_seen(model, source, max_len, rows)) for rows in (None, 1))))
            if fits and (telling(model, source, ids, 2.0 if ends or pads else 3.3, bos_id)):
                break
    rows = batch * (max_len + 1)
    limits = {"encoder": batch * seq_source, "positions": 4 * rows, "keys": 4 * rows, "source keys": 2 * batch * seq_source}
    if training:  # all numbers dropped, not some at random: what a model left in training mode writes is the same each time
        init = init | dict(dropout=1.0)
    model = fixture("counted_transformer", init=init, state=state, training=training, limits=limits)
    return dict(model=model, source=source, max_len=max_len) | ({} if (bos_id, eos_id) == (1, 2) else dict(bos_id=bos_id, eos_id=eos_id))

@cases()
def other_ids(rng):
    """pre-norm, 2 sentences that end at different places, bos_id=5, eos_id=7, max_len 10"""
    return story(rng, 2, 4, 10, heads=2, d_head=3, d_ff=5, norm_first=True, ends=True, bos_id=5, eos_id=7)

@cases(dict(batch=2, seq_source=5, max_len=12), hidden=[dict(batch=3, seq_source=6, max_len=11)])
def post_norm(rng, batch, seq_source, max_len):
    """post-norm, {batch} sentences of up to {seq_source} tokens, max_len {max_len}"""
    return story(rng, batch, seq_source, max_len)

@cases(dict(batch=3, seq_source=4, max_len=11), hidden=[dict(batch=2, seq_source=7, max_len=12)])
def pre_norm(rng, batch, seq_source, max_len):
    """pre-norm, {batch} sentences of up to {seq_source} tokens, max_len {max_len}"""
    return story(rng, batch, seq_source, max_len, norm_first=True)

@cases(dict(seq_source=6, max_len=11, heads=2, d_head=5), hidden=[dict(seq_source=5, max_len=12, heads=2, d_head=6)])
def one_sentence(rng, seq_source, max_len, heads, d_head):
    """pre-norm, one sentence with padding behind it, {heads} heads of length {d_head}, max_len {max_len}; the model comes in training mode"""
    return story(rng, 1, seq_source, max_len, heads=heads, d_head=d_head, norm_first=True, training=True, ends_padded=True)

@cases(dict(batch=3, seq_source=5, max_len=15), hidden=[dict(batch=4, seq_source=6, max_len=15)])
def with_ends(rng, batch, seq_source, max_len):
    """pre-norm, {batch} sentences that end at different places, before max_len {max_len}"""
    return story(rng, batch, seq_source, max_len, norm_first=True, ends=True)

@cases(dict(batch=2, seq_source=5, max_len=10), hidden=[dict(batch=3, seq_source=4, max_len=10)])
def with_padding_inside(rng, batch, seq_source, max_len):
    """pre-norm, an untrained model that writes id 0 in the middle of {batch} unfinished sentences"""
    return story(rng, batch, seq_source, max_len, norm_first=True, pads=True)

EMBED = "words(newest) * scale + positions[ids.shape[1] - 1]"
KEPT = "cache.append(layer, *made)"
AGAIN = "your code makes the keys or values of earlier positions again in each step. Make those of the newest position, and take the others from the cache."
wrong("bos-1", ("(len(source), 1), bos_id)", "(len(source), 1), 1)"), says="your sentences always begin with 1. Take `bos_id`.")
wrong("eos-2", ("newest == eos_id", "newest == 2"), says="your sentences end at id 2, whatever `eos_id` says.")
wrong("bos-1+eos-2", ("(len(source), 1), bos_id)", "(len(source), 1), 1)"), ("newest == eos_id", "newest == 2"), says="your sentences begin with 1 and end at 2, whatever `bos_id` and `eos_id` say.")
wrong("ends-at-padding-too", ("newest == eos_id", "(newest == eos_id) | (newest == 0)"), says="a 0 that the model writes before its EOS ends the sentence in your code. Only `eos_id` and `max_len` end one.")
wrong("position-zero", (EMBED, "model.target_embedding(ids[:, -1:])"), says="only the first token comes out right: every token is embedded as if it stood at position 0. The embedding counts from 0 whatever it is given.")
wrong("position-one-late", (EMBED, "model.target_embedding(torch.cat([ids[:, :1], ids], dim=1))[:, -1:]"), says="your positions are one too large: the newest token of n stands at position n − 1.")
wrong("position-one-early", (EMBED, "model.target_embedding(ids[:, 1:] if ids.shape[1] > 1 else ids)[:, -1:]"), says="your positions are one too small from the second token on. BOS stands at position 0 and counts.")
wrong("no-positions", (EMBED, "model.target_embedding.embedding(ids[:, -1:]) * model.target_embedding.d_model**0.5"), says="your tokens have no positions: only their embedding goes into the blocks.")
wrong("unscaled-embedding", (EMBED, "model.target_embedding.embedding(ids[:, -1:]) + model.target_embedding.positions[ids.shape[1] - 1]"), says="the factor √d_model is missing from your embedding.")
wrong("first-token-always", (EMBED, "model.target_embedding(ids)[:, :1]"), says="it is always BOS that goes through your blocks. The newest token must.")
wrong("source-embedding", (EMBED, "model.source_embedding(ids.clamp(max=10))[:, -1:]"), says="your target tokens are embedded by the source's embedding.")
wrong("sees-itself-only", (KEPT, "keys_and_values(block.self_attention, x)"), ("*kept, target_mask", "*kept"), says="your newest token attends to itself only: the keys and values before it are missing.")
wrong("causal-top-left", ("*kept, target_mask", "*kept, torch.ones(1, kept[0].shape[-2], dtype=torch.bool).tril()"), says="your newest token sees the first position only: the causal mask of one query is aligned top left. The newest token may see all positions before it; no causal mask is needed.")
wrong("keys-not-newest", ("*kept, target_mask", "*(k[..., : max(1, k.shape[-2] - 1), :] for k in kept), padding_mask(ids)[..., : max(1, ids.shape[1] - 1)]"), says="your newest token sees all positions but its own. Append its key and value first, then attend.")
wrong("no-padding-hidden", ("*kept, target_mask", "*kept"), says="your result differs where a token with id 0 was written inside a sentence: in `decode` its key is hidden from then on.")
wrong("first-sentence-padding", ("padding_mask(ids) if holes", "padding_mask(ids[:1]) if holes"), says="where a word is padding, every sentence gets the first one's mask. Each hides its own keys.")
wrong("one-source-unmasked", ("None if source_mask.all()", "None if source_mask.all() or len(source) == 1"), says="the source's mask is missing where there is one sentence. That one may be padded, too.")
wrong("self-first-layer", ("*made = projections[layer](x)", "*made = projections[0](x)"), ("query, *made", "_, *made"), ("kept = cache.append", "query = queries(block.self_attention, x)\n                    kept = cache.append"), says="your self-attention's keys and values are made by the first layer's `self_attention` in all layers. Each layer makes its own.")
wrong("last-norm-twice", ("x if last is None else last(x)", "x if last is None else last(last(x))"), says="the decoder's last norm is applied twice.")
wrong("values-in-front", (KEPT, "(lambda k, v: (k, v.flip(-2)))(*cache.append(layer, *made))"), says="your values stand in the opposite order of their keys, the newest in front. Each value belongs to its key.")
wrong("no-source-mask", ("*source_side[layer], source_mask", "*source_side[layer]"), says="your cross-attention reads the source's padding: the source's mask is missing.")
wrong("target-mask-on-source", ("*source_side[layer], source_mask", "*source_side[layer], padding_mask(source) & False"), says="your cross-attention sees nothing of the source: everything is hidden.")
wrong("no-cross", ("return attend(block.cross_attention, query, *source_side[layer], source_mask)", "return x * 0"), says="cross-attention is missing: your sentences do not depend on the source.")
wrong("cross-own-queries", ("query = queries(block.cross_attention, x)", "query = queries(block.self_attention, x)"), says="your cross-attention's queries are made by `self_attention`. Each attention makes its own.")
wrong("cross-first-layer", ("*source_side[layer], source_mask", "*source_side[0], source_mask"), says="all your layers use the first layer's keys and values of the source. Each layer makes its own.")
wrong("cross-last-layer", ("*source_side[layer], source_mask", "*source_side[-1], source_mask"), says="all your layers use the last layer's keys and values of the source. Each layer makes its own.")
wrong("cross-by-self", ("keys_and_values(block.cross_attention, encoder_output)", "keys_and_values(block.self_attention, encoder_output)"), says="the source's keys and values are made by `self_attention`. They belong to `cross_attention`.")
wrong("cross-swapped", ("[keys_and_values(block.cross_attention, encoder_output) for block in blocks]", "[keys_and_values(block.cross_attention, encoder_output)[::-1] for block in blocks]"), says="the source's keys and values have changed places.")
wrong("cross-unencoded", ("encoder_output = model.encode(source)", "encoder_output = model.source_embedding(source)"), says="your cross-attention reads the embedded source. The encoder has not read it.")
wrong("encoder-no-mask", ("encoder_output = model.encode(source)", "encoder_output = model.encoder(model.source_embedding(source))"), says="your encoder reads the source's padding: it is called without a mask. `model.encode` gives it one.")
wrong("cache-layer-zero", (KEPT, "cache.append(0, *made)"), ("*kept, target_mask", "*kept"), says="all layers share one layer of the cache. Each has its own.")
wrong("cache-other-layer", (KEPT, "cache.append(len(blocks) - 1 - layer, *made) if ids.shape[1] % 2 else cache.append(layer, *made)"), ("*kept, target_mask", "*kept"), says="a layer reads another layer's part of the cache.")
wrong("cache-swapped", (KEPT, "cache.append(layer, *made)[::-1]"), says="keys and values of self-attention have changed places.")
wrong("cache-by-cross", (KEPT, "cache.append(layer, *keys_and_values(block.cross_attention, x))"), says="your self-attention's keys and values are made by `cross_attention`.")
wrong("cache-keys-only", (KEPT, "(cache.append(layer, *made)[0],) * 2"), says="your self-attention uses the keys as values.")
wrong("cache-anew", ("            target_mask = padding_mask(ids) if holes else None\n", "            target_mask = padding_mask(ids) if holes else None\n            cache = KeyValueCache(len(blocks))\n"), ("*kept, target_mask", "*kept"), says="your newest token attends to itself only: the keys and values before it are missing.")
wrong("first-layer-only", ("in enumerate(blocks):\n                def", "in enumerate(blocks[:1]):\n                def"), says="only the first of the decoder's blocks is used.")
wrong("always-post-norm", ("x = through_block(block, x, attend_self, attend_source)", "x = block.norm1(x + attend_self(x)); x = block.norm2(x + attend_source(x)); x = block.norm3(x + block.feed_forward(x))"), says="your blocks are always post-norm. In a pre-norm model (`block.norm_first`) the norm comes before each part; `through_block` knows both.")
wrong("always-pre-norm", ("x = through_block(block, x, attend_self, attend_source)", "x = x + attend_self(block.norm1(x)); x = x + attend_source(block.norm2(x)); x = x + block.feed_forward(block.norm3(x))"), says="your blocks are always pre-norm. In a post-norm model the norm comes after each sum; `through_block` knows both.")
wrong("no-last-norm", ("            x = x if last is None else last(x)\n", ""), says="the decoder's last norm is missing: a pre-norm decoder has one behind its blocks.")
wrong("attentions-swapped", ("through_block(block, x, attend_self, attend_source)", "through_block(block, x, attend_source, attend_self)"), says="self-attention and cross-attention have changed places in the block.")
wrong("no-self", ("attend(block.self_attention, query, *kept, target_mask)", "x * 0"), says="self-attention is missing: your words do not depend on those before them.")
wrong("stops-late", ("while ids.shape[1] <= max_len and not ended.all():", "while ids.shape[1] <= max_len:"), says="your loop goes on after all sentences have ended: stop then, so that the result is as wide as the longest sentence.")
wrong("one-too-many", ("ids.shape[1] <= max_len", "ids.shape[1] <= max_len + 1"), says="your sentences may be one token too long. BOS does not count.")
wrong("one-too-few", ("ids.shape[1] <= max_len", "ids.shape[1] < max_len"), says="your sentences may be one token too short: BOS does not count.")
wrong("stops-at-first-end", ("not ended.all()", "not ended.any()"), says="your loop stops as soon as one sentence has ended. The others go on.")
wrong("junk-after-end", (".masked_fill(ended, 0)", ""), says="behind an EOS your sentences go on. Put 0 there.")
wrong("end-masked", ("ids, ended = torch.cat([ids, newest], dim=1), ended | (newest == eos_id)", "ended = ended | (newest == eos_id); ids = torch.cat([ids, newest.masked_fill(ended, 0)], dim=1)"), says="the EOS itself is missing from your sentences: only what stands behind it becomes 0.")
wrong("eos-after-end", (".masked_fill(ended, 0)", ".masked_fill(ended, eos_id)"), says="behind its EOS a sentence is filled up with EOS. Fill with 0.")
wrong("with-bos", ("return ids[:, 1:].clone()", "return ids.clone()"), says="your result begins with BOS. It is not returned.")
wrong("drops-first", ("return ids[:, 1:].clone()", "return ids[:, 2:].clone()"), says="the first token is missing from your result.")
wrong("smallest", (".argmax(dim=-1)", ".argmin(dim=-1)"), says="you take the token with the smallest logit.")
wrong("wrong-axis", ("[:, -1:].argmax(dim=-1)", "[:, -1].argmax(dim=0)[: len(source)].repeat(len(source))[: len(source), None]"), says="your argmax runs over the batch. It runs over the vocabulary, the last axis.")
wrong("ended-replaced", ("ended | (newest == eos_id)", "newest == eos_id"), ("not ended.all()", "not ended.all()"), says="a sentence that has ended starts again: what has ended must stay so.")
wrong("no-eval", ("    model.eval()\n", ""), says="the model is in training mode while it writes: dropout makes its words random. Put it into evaluation mode first.")
wrong("stays-in-eval", ("    model.train(was_training)\n", ""), says="the model stays in evaluation mode. Put it back into the mode in which you got it.")
wrong("ends-in-training", ("model.train(was_training)", "model.train()"), says="the model is always left in training mode. Put it back into the mode in which you got it.")
wrong("second-best", (".argmax(dim=-1)", ".topk(2).indices[..., 1]"), says="you take the second best token.")
wrong("normless-keys", (KEPT, "cache.append(layer, *keys_and_values(block.self_attention, entered))"), ("                def attend_self(x,", "                entered = x\n                def attend_self(x,"), says="in a pre-norm block your keys and values are made of what enters the block, without its norm. They are made of what self-attention is given.")
wrong("no-feed-forward", ("x = through_block(block, x, attend_self, attend_source)", "ff, block.feed_forward = block.feed_forward, nn.Identity(); x = through_block(block, x, attend_self, attend_source) ; block.feed_forward = ff"), says="the feed-forward network of your blocks is missing.")
wrong("rounded", ("model.output(x)[:, -1:].argmax", "model.output(x)[:, -1:].softmax(-1).round().argmax"), says="your logits are rounded before the largest is taken: where none is sure, you take token 0.")
wrong("minus-one-behind", (".masked_fill(ended, 0)", ".masked_fill(ended, -1).clamp(min=-1)"), (EMBED, "model.target_embedding(ids.clamp(min=0))[:, -1:]"), says="behind an EOS your sentences hold −1. Put 0 there.")
wrong("last-dropped", ("return ids[:, 1:].clone()", "return ids[:, :-1].clone()"), says="your result is shifted: it begins with BOS and lacks the last token.")
wrong("source-positions", (EMBED, "model.target_embedding(torch.cat([ids[:, :1].expand(-1, source.shape[1]), ids], dim=1))[:, -1:]"), says="your positions go on where the source ended. The target counts from 0.")
wrong("as-list", ("return ids[:, 1:].clone()", "return ids[:, 1:].tolist()"), says="your result is a Python list. Return a tensor of ids.")
wrong("floats", ("return ids[:, 1:]", "return ids[:, 1:].clone().float()"), says="your result holds floating-point numbers. Ids are integers.")
wrong("returns-pair", ("return ids[:, 1:].clone()", "return ids[:, 1:].clone(), cache"), says="your function returns two things. Return the ids alone.")
wrong("returns-nothing", ("return ids[:, 1:]", "ids[:, 1:]"), says="your function ends without giving anything back: is a `return` missing?")
wrong("position-zero+causal-top-left", (EMBED, "model.target_embedding(ids[:, -1:])"), ("*kept, target_mask", "*kept, torch.ones(1, kept[0].shape[-2], dtype=torch.bool).tril()"), says="two things at once. First, every token is embedded as if it stood at position 0. Second, your newest token sees the first position only.")
wrong("position-zero+junk", (EMBED, "model.target_embedding(ids[:, -1:])"), (".masked_fill(ended, 0)", ""), says="two things at once. First, every token is embedded as if it stood at position 0. Second, behind an EOS your sentences go on.")
wrong("sees-itself-only+position-zero", (EMBED, "model.target_embedding(ids[:, -1:])"), (KEPT, "keys_and_values(block.self_attention, x)"), ("*kept, target_mask", "*kept"), says="two things at once. First, every token is embedded as if it stood at position 0. Second, it attends to itself only: the cache is not used.")
wrong("cross-every-step", ("*source_side[layer], source_mask", "*keys_and_values(block.cross_attention, encoder_output), source_mask"), says="the words are right, but your code makes the source's keys and values again in each step. Make them once, before the loop.")
wrong("cross-appended", ("return attend(block.cross_attention, query, *source_side[layer], source_mask)", "grown = crossed.append(layer, *keys_and_values(block.cross_attention, encoder_output)); return attend(block.cross_attention, query, *grown, padding_mask(source).repeat(1, 1, 1, ids.shape[1]))"), ("        cache = KeyValueCache(len(blocks))\n", "        cache, crossed = KeyValueCache(len(blocks)), KeyValueCache(len(blocks))\n"), says="the words are right, but your code makes the source's keys and values again in each step. Make them once, before the loop.")
wrong("encodes-every-step", ("            target_mask = padding_mask(ids) if holes else None\n", "            target_mask = padding_mask(ids) if holes else None\n            encoder_output = model.encode(source)\n"), says="the words are right, but your code runs the encoder in each step. The source does not change: encode it once.")
wrong("all-positions", (EMBED, "model.target_embedding(ids)"), (KEPT, "keys_and_values(block.self_attention, x)"), ("*kept, target_mask", "*kept, padding_mask(ids) & torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()"), says="the words are right, but all positions go through the decoder's blocks in each step. Only the newest one may; the others are in the cache.")

@wrong("recomputes", says="the words are right, but all positions go through the decoder's blocks in each step. Only the newest one may; the others are in the cache.")
def recomputes(model, source, max_len, bos_id=1, eos_id=2):
    was = model.training
    model.eval()
    out = greedy_decode(model, source, max_len, bos_id, eos_id)
    model.train(was)
    return out

@wrong("keeps-inputs-only", says=AGAIN)
@torch.no_grad()
def keeps_inputs_only(model, source, max_len, bos_id=1, eos_id=2):
    """Keeps what goes into the attentions, and makes keys and values of it again."""
    was = model.training
    model.eval()
    encoded, seen = model.encode(source), padding_mask(source)
    crossed = [keys_and_values(block.cross_attention, encoded) for block in model.decoder.blocks]
    kept = [None] * len(model.decoder.blocks)
    ids, ended = source.new_full((len(source), 1), bos_id), source.new_zeros(len(source)).bool()
    while ids.shape[1] <= max_len and not ended.all():
        x = model.target_embedding(ids)[:, -1:]
        for n, block in enumerate(model.decoder.blocks):
            def own(x):
                kept[n] = x if kept[n] is None else torch.cat([kept[n], x], 1)
                return attend(block.self_attention, queries(block.self_attention, x), *keys_and_values(block.self_attention, kept[n]), padding_mask(ids))
            x = through_block(block, x, own, lambda x: attend(block.cross_attention, queries(block.cross_attention, x), *crossed[n], seen))
        x = model.decoder.norm(x) if model.decoder.norm is not None else x
        newest = model.output(x)[:, 0].argmax(-1) * ~ended
        ids, ended = torch.cat([ids, newest[:, None]], 1), ended | (newest == eos_id)
    model.train(was)
    return ids[:, 1:]

@wrong("joins-inputs-again", says=AGAIN)
@torch.no_grad()
def joins_inputs_again(model, source, max_len, bos_id=1, eos_id=2):
    """Keeps what goes into the attentions, and makes queries, keys and values of it by one product in each step."""
    was = model.training
    model.eval()
    encoded, seen = model.encode(source), padding_mask(source)
    layers = [(block, joined(block.self_attention), keys_and_values(block.cross_attention, encoded), []) for block in model.decoder.blocks]
    ids, ended = source.new_full((len(source), 1), bos_id), source.new_zeros(len(source)).bool()
    while ids.shape[1] <= max_len and not ended.all():
        x = model.target_embedding(ids)[:, -1:]
        for block, project, crossed, past in layers:
            def own(x):
                past.append(x)
                query, key, value = project(torch.cat(past, 1))
                return attend(block.self_attention, query[:, :, -1:], key, value, padding_mask(ids))
            x = through_block(block, x, own, lambda x: attend(block.cross_attention, queries(block.cross_attention, x), *crossed, seen))
        x = model.decoder.norm(x) if model.decoder.norm is not None else x
        newest = model.output(x)[:, 0].argmax(-1) * ~ended
        ids, ended = torch.cat([ids, newest[:, None]], 1), ended | (newest == eos_id)
    model.train(was)
    return ids[:, 1:]

@right
@torch.no_grad()
def lists_of_positions(model, source, max_len, bos_id=1, eos_id=2):
    """Own lists, positions added by hand, attention written out."""
    was, _ = model.training, model.eval()
    memory, hidden = model.encode(source), (source == 0)[:, None, None]
    H = model.decoder.blocks[0].self_attention.num_heads
    heads = lambda x: x.unflatten(-1, (H, -1)).transpose(1, 2)
    def look(module, x, k, v, hidden):
        q = heads(module.q_proj(x))
        scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(hidden, -math.inf)
        return module.out_proj((torch.softmax(scores, -1) @ v).transpose(1, 2).flatten(2))
    cross = [(heads(b.cross_attention.k_proj(memory)), heads(b.cross_attention.v_proj(memory))) for b in model.decoder.blocks]
    past = [[] for _ in cross]
    written, token, done = [], torch.full((len(source),), bos_id), torch.zeros(len(source), dtype=torch.bool)
    gone = []
    for t in range(max_len):
        e = model.target_embedding
        x = (e.embedding(token) * math.sqrt(e.embedding.embedding_dim) + e.positions[t])[:, None]
        gone.append(token == 0)
        off = torch.stack(gone, 1)[:, None, None]
        for b, c, p in zip(model.decoder.blocks, cross, past):
            n = (b.norm1, b.norm2, b.norm3)
            pre = [m if b.norm_first else (lambda y: y) for m in n]
            post = [(lambda y: y) if b.norm_first else m for m in n]
            y = pre[0](x)
            p.append((heads(b.self_attention.k_proj(y)), heads(b.self_attention.v_proj(y))))
            x = post[0](x + look(b.self_attention, y, torch.cat([k for k, _ in p], 2), torch.cat([v for _, v in p], 2), off))
            x = post[1](x + look(b.cross_attention, pre[1](x), *c, hidden))
            x = post[2](x + b.feed_forward(pre[2](x)))
        if b.norm_first:
            x = model.decoder.norm(x)
        token = torch.where(done, 0, model.output(x[:, 0]).argmax(-1))
        written.append(token)
        done = done | (token == eos_id)
        if done.all():
            break
    model.train(was)
    return torch.stack(written, 1)

@right
def by_hooks(model, source, max_len, bos_id=1, eos_id=2):
    """PyTorch's hooks remember what the key and value layers made."""
    from autograder.library.unit_12_gpu import cached_greedy_decode as hooked
    return hooked(model, source, max_len, bos_id, eos_id)

@right
@torch.no_grad()
def one_sentence_at_a_time(model, source, max_len, bos_id=1, eos_id=2):
    """Each sentence by itself, without its padding."""
    was = model.training
    model.eval()
    rows = []
    for row in source:
        encoded = model.encode(row[None])
        cross = [keys_and_values(b.cross_attention, encoded) for b in model.decoder.blocks]
        cache, ids = KeyValueCache(len(cross)), [bos_id]
        while len(ids) <= max_len and ids[-1] != eos_id:
            x = model.target_embedding(torch.tensor([ids]))[:, -1:]
            for i, b in enumerate(model.decoder.blocks):
                x = through_block(b, x, lambda y: attend(b.self_attention, queries(b.self_attention, y), *cache.append(i, *keys_and_values(b.self_attention, y)), padding_mask(torch.tensor([ids]))),
                                  lambda y: attend(b.cross_attention, queries(b.cross_attention, y), *cross[i], padding_mask(row[None])))
            x = model.decoder.norm(x) if model.decoder.norm is not None else x
            ids.append(int(model.output(x)[0, -1].argmax()))
        rows.append(torch.tensor(ids[1:]))
    model.train(was)
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)

@right
@torch.no_grad()
def active_sentences_only(model, source, max_len, bos_id=1, eos_id=2):
    """Positions looked up in the table; caches filled into rooms made beforehand; a fixed-width result cut at the end."""
    was = model.training
    model.eval()
    B, L = len(source), len(model.decoder.blocks)
    encoded, seen = model.encode(source), padding_mask(source)
    first = model.decoder.blocks[0].self_attention
    d = first.q_proj.out_features // first.num_heads
    rooms = torch.zeros(L, 2, B, first.num_heads, max_len, d)
    cross = [keys_and_values(b.cross_attention, encoded) for b in model.decoder.blocks]
    ids = torch.zeros(B, max_len + 1, dtype=torch.long)
    ids[:, 0], running, t = bos_id, torch.ones(B, dtype=torch.bool), 0
    while t < max_len and running.any():
        x = model.target_embedding(ids[:, : t + 1])[:, [t]]
        for i, b in enumerate(model.decoder.blocks):
            def own(y):
                rooms[i, 0, :, :, t : t + 1], rooms[i, 1, :, :, t : t + 1] = keys_and_values(b.self_attention, y)
                return attend(b.self_attention, queries(b.self_attention, y), rooms[i, 0, :, :, : t + 1], rooms[i, 1, :, :, : t + 1], padding_mask(ids[:, : t + 1]))
            x = through_block(b, x, own, lambda y: attend(b.cross_attention, queries(b.cross_attention, y), *cross[i], seen))
        logits = model.output(x if model.decoder.norm is None else model.decoder.norm(x))
        t += 1
        ids[:, t] = logits.squeeze(1).argmax(1) * running
        running &= ids[:, t] != eos_id
    model.train(was)
    return ids[:, 1 : t + 1]

@truth
def by_greedy_decode(model, source, max_len, bos_id=1, eos_id=2):
    """Unit 09's own, on a copy of the model, so that nobody counts."""
    copied = copy_of(model)
    return greedy_decode(copied, source, max_len, bos_id, eos_id)

@truth
@torch.no_grad()
def by_whole_forward(model, source, max_len, bos_id=1, eos_id=2):
    """The whole model for every single word of every single sentence, in float64."""
    copied = copy_of(model).double().eval()
    rows = []
    for row in source:
        ids = [bos_id]
        while len(ids) <= max_len and ids[-1] != eos_id:
            ids.append(int(copied(row[None], torch.tensor([ids]))[0, -1].argmax()))
        rows.append(torch.tensor(ids[1:]))
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)

def copy_of(model):
    import copy
    copied = copy.deepcopy(model)
    for layer in copied.modules():
        layer._forward_hooks.clear()
    return copied

# %% exercise="training_step_autocast" part="library"
def training_step_autocast(
    model: nn.Module, batch: tuple[Tensor, Tensor], optimizer: torch.optim.Optimizer, device_type: str, dtype: torch.dtype
) -> float:
    """Unit 10's library-backed step on a model whose forward pass PyTorch's autocast wraps."""
    from autograder.library.unit_10_training import train_step

    class Cast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, source: Tensor, target: Tensor) -> Tensor:
            return torch.autocast(device_type=device_type, dtype=dtype)(self.inner)(source, target).float()

    return float(train_step(Cast(), batch, optimizer))


class RoundNumbers(nn.Module):
    """A model whose every product is exact in 16 bits as in 32. In training mode some features are dropped, always the same."""

    def __init__(self, state: dict[str, Tensor], notes: dict[str, Any], device_type: str, dtype: torch.dtype) -> None:
        super().__init__()
        for name, weight in state.items():
            self.register_parameter(name, nn.Parameter(weight.clone()))
        self.notes, self.device_type, self.dtype = notes, device_type, dtype

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        asked = torch.is_autocast_enabled(self.device_type) and torch.get_autocast_dtype(self.device_type) == self.dtype
        self.notes["multiplies in the type asked for"] = asked
        self.notes["holds float32 weights while it runs"] = all(weight.dtype == torch.float32 for weight in self.parameters())
        self.notes["is in training mode"] = self.training
        hidden = F.embedding(target, self.target_weight) + F.embedding(source[:, :1], self.source_weight)
        if self.training:
            hidden = hidden * 2.0 * (torch.arange(hidden.shape[-1]) % 3 != 1)
        logits = F.linear(hidden, self.output_weight)
        if logits.requires_grad:
            logits.register_hook(lambda grad: self._note_outside("leaves autocast before going backward"))
        return logits

    def _note_outside(self, fact: str) -> None:
        self.notes[fact] = not torch.is_autocast_enabled(self.device_type)


_ROUND: list[RoundNumbers] = []


def round_numbers(
    state: dict[str, Tensor], device_type: str, dtype: str, left_over: dict[str, Tensor] | None = None, evaluated: bool = False
) -> Any:
    """The model above, and after the call a look at its weights and at the number types in which it worked."""
    from autograder.formats.fixtures import Watched

    notes: dict[str, Any] = {}
    model = RoundNumbers(state, notes, device_type, getattr(torch, dtype)).train(not evaluated)
    for name, gradient in (left_over or {}).items():
        model.get_parameter(name).grad = gradient.clone()
    _ROUND[:] = [model]

    def look() -> dict[str, Any]:
        weights = dict(model.named_parameters())
        notes["keeps its weights in float32"] = all(weight.dtype == torch.float32 for weight in weights.values())
        return notes | {name: weight.detach().float().clone() for name, weight in weights.items()}

    return Watched(model, look)


def optimizer_of_round_numbers(rate: float) -> torch.optim.Optimizer:
    """An optimizer over the model that was made last; it notes whether autocast is on when it takes a step."""
    model = _ROUND[-1]
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    optimizer.register_step_pre_hook(lambda *unused: model._note_outside("leaves autocast before the step"))
    return optimizer


def number_type(called: str) -> torch.dtype:
    return getattr(torch, called)

# %% exercise="training_step_autocast" part="variants"
without("one: s", "one: t", because="a sentence has a word and its EOS")
without("another device", because="its models of round numbers keep what they have seen in plain attributes, which do not move")

SIZE = 11

def step(rng, batch, s, t, device_type="cpu", dtype="bfloat16", left_over=False, evaluated=False, unit=0.5):
    d = 6
    def drawn(rows, columns, most):
        return torch.from_numpy((rng.integers(-most, most + 1, size=(rows, columns)) * unit).astype("float32"))
    state = dict(source_weight=drawn(SIZE, d, 2), target_weight=drawn(SIZE, d, 2), output_weight=drawn(SIZE, d, 4))
    grads = dict(source_weight=drawn(SIZE, d, 2), target_weight=drawn(SIZE, d, 2), output_weight=drawn(SIZE, d, 2)) if left_over else None
    model = fixture("round_numbers", state=state, device_type=device_type, dtype=dtype, left_over=grads, evaluated=evaluated)
    return dict(model=model, batch=(ended_ids(rng, batch, s, SIZE), ended_ids(rng, batch, t, SIZE)), optimizer=fixture("optimizer_of_round_numbers", rate=0.05),
                device_type=device_type, dtype=fixture("number_type", called=dtype))

@cases(dict(batch=2, s=4, t=5), dict(batch=4, s=6, t=3), low=3)
def in_bfloat16(rng, batch, s, t):
    """{batch} pairs, bfloat16 on the CPU"""
    return step(rng, batch, s, t)

@cases(dict(batch=3, s=5, t=4), low=3)
def gentle(rng, batch, s, t):
    """{batch} pairs, gradients of a norm below 1"""
    return step(rng, batch, s, t, unit=1 / 16)

@cases(dict(batch=3, s=5, t=6), low=3)
def in_float16(rng, batch, s, t):
    """{batch} pairs, float16 on the CPU"""
    return step(rng, batch, s, t, dtype="float16")

@cases(dict(batch=3, s=4, t=5), low=3)
def left_over(rng, batch, s, t):
    """{batch} pairs, a model that comes in evaluation mode, with gradients left over from an earlier step"""
    return step(rng, batch, s, t, left_over=True, evaluated=True)

@cases(dict(batch=4, s=3, t=5), low=3)
def elsewhere(rng, batch, s, t):
    """{batch} pairs, device_type="mps": autocast for another device than the CPU"""
    return step(rng, batch, s, t, device_type="mps")

WITH = "    with torch.autocast(device_type=device_type, dtype=dtype):\n        logits = model(source, shift_right(target))\n"
LOSS = "    loss = label_smoothed_loss(logits.float(), target)\n"
AFTER = "    optimizer.zero_grad()\n    loss.backward()\n    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)\n    optimizer.step()\n"
def inside(text):
    return "".join("    " + line + "\n" for line in text.splitlines())
SIXTEEN = "your loss has been in 16 bits: only two or three digits of it are left. Make the logits float32 before the loss, and return the loss as it is."
UNCLIPPED = "your gradients are not clipped when the optimizer uses them: their norm may be 1 at most. Clip them between `backward` and `step`."
NO_CAST = "autocast was not on while the model ran. Does `torch.autocast`, with `device_type` and `dtype`, enclose the call of the model?"
CAST = "while the model runs, its own weights are 16-bit numbers, and autocast is off. Under autocast the weights stay float32: copies of them are cast for the products."
RESCALED = "your gradients are brought to norm 1 where their norm was smaller, too. Clipping scales down only: below 1.0 they stay as they are. (If your code multiplies the loss by a number, divide the gradients by it before they are clipped.)"
CLIP = "    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)\n"
wrong("always-rescaled", (CLIP, "    norm = torch.sqrt(sum(w.grad.pow(2).sum() for w in model.parameters()))\n    for w in model.parameters():\n        w.grad /= norm\n"), says=RESCALED)
wrong("loss-scaled", ("    loss.backward()\n", "    (loss * 2.0**16).backward()\n"), says=RESCALED)
wrong("no-autocast", (WITH, "    logits = model(source, shift_right(target))\n"), says=NO_CAST)
wrong("cast-instead", (WITH, "    model.to(dtype)\n    logits = model(source, shift_right(target))\n"), says=CAST)
wrong("cast-instead-and-back", (WITH, "    model.to(dtype)\n    logits = model(source, shift_right(target))\n"), ("    return loss.item()", "    model.float()\n    return loss.item()"), says=CAST)
wrong("empty-autocast", (WITH, "    with torch.autocast(device_type=device_type, dtype=dtype):\n        pass\n    logits = model(source, shift_right(target))\n"), says=NO_CAST)
wrong("autocast-off", ("dtype=dtype)", "dtype=dtype, enabled=False)"), says=NO_CAST)
wrong("only-loss-inside", (WITH + LOSS, "    logits = model(source, shift_right(target))\n    with torch.autocast(device_type=device_type, dtype=dtype):\n        loss = label_smoothed_loss(logits.float(), target)\n"), says=NO_CAST)
wrong("always-bfloat16", ("dtype=dtype)", "dtype=torch.bfloat16)"), says="your products always run in bfloat16. `dtype` says which type.")
wrong("always-float16", ("dtype=dtype)", "dtype=torch.float16)"), says="your products always run in float16. `dtype` says which type.")
wrong("default-type", (", dtype=dtype)", ")"), says="your autocast ignores `dtype` and takes the device's usual type.")
wrong("always-cpu", ("device_type=device_type", "device_type=\"cpu\""), says="your autocast is always for the CPU. `device_type` says for which device: on a GPU nothing would be cast.")
wrong("loss-in-sixteen", ("logits.float()", "logits"), says=SIXTEEN)
wrong("loss-rounded", ("return loss.item()", "return loss.to(dtype).item()"), says=SIXTEEN)
wrong("weights-cast", ("    model.train()\n", "    model.train()\n    model.to(dtype)\n"), says="your code casts the model's weights themselves. Autocast casts copies for the products; the weights stay float32, or small updates are lost.")
wrong("weights-cast-back", ("    model.train()\n", "    model.train()\n    model.to(dtype)\n"), ("    return loss.item()", "    model.float()\n    return loss.item()"), says="your code casts the model's weights to 16 bits and back: what they lose, they lose for good. Autocast casts copies.")
wrong("all-inside", (LOSS + AFTER, inside(LOSS + AFTER)), says="your whole step runs inside autocast. Only the forward pass belongs there; gradients and step come after it.")
wrong("backward-inside", (LOSS + AFTER, inside(LOSS + AFTER.replace("    optimizer.step()\n", "")) + "    optimizer.step()\n"), says="your gradients are computed inside autocast. Only the forward pass belongs there.")
wrong("no-shift", ("shift_right(target)", "target"), says="the decoder reads the very tokens that it is to say: `shift_right` is missing.")
wrong("shift-labels", ("label_smoothed_loss(logits.float(), target)", "label_smoothed_loss(logits.float(), shift_right(target))"), says="your loss compares with the shifted target. The decoder reads it shifted; the loss wants it as it is.")
wrong("shift-left", ("shift_right(target)", "torch.cat([target[:, 1:], target[:, :1]], dim=1)"), says="the decoder reads the target shifted to the left: it sees the token after the one that it is to say. `shift_right` puts BOS in front.")
wrong("begins-with-eos", ("shift_right(target)", "F.pad(target, (1, -1), value=2)"), says="the decoder's input begins with EOS. It begins with BOS, as `shift_right` makes it.")
wrong("begins-with-padding", ("shift_right(target)", "F.pad(target, (1, -1), value=0)"), says="the decoder's input begins with padding. It begins with BOS, as `shift_right` makes it.")
wrong("library-smoothing", ("label_smoothed_loss(logits.float(), target)", "F.cross_entropy(logits.float().flatten(0, 1), target.flatten(), ignore_index=0, label_smoothing=0.1)"), says="your loss is PyTorch's smoothed cross-entropy, which gives padding and the right token a share too. Unit 10's `label_smoothed_loss` is asked for.")
wrong("whole-number", ("return loss.item()", "return int(loss.item())"), says="your loss is cut to a whole number.")
wrong("half-the-loss", ("return loss.item()", "return loss.item() / 2"), says="you return half of the loss.")
wrong("swapped", ("source, target = batch", "target, source = batch"), says="source and target have changed places: a batch is (source, target).")
wrong("no-smoothing", ("label_smoothed_loss(logits.float(), target)", "F.cross_entropy(logits.float().flatten(0, 1), target.flatten(), ignore_index=0)"), says="your loss is the plain cross-entropy. Unit 10's `label_smoothed_loss` is asked for.")
wrong("padding-counted", ("label_smoothed_loss(logits.float(), target)", "label_smoothed_loss(logits.float(), target, pad_id=-1)"), says="padding counts in your loss.")
wrong("plain-padding-counted", ("label_smoothed_loss(logits.float(), target)", "F.cross_entropy(logits.float().flatten(0, 1), target.flatten())"), says="your loss is the plain cross-entropy, and padding counts in it. Unit 10's `label_smoothed_loss` is asked for.")
wrong("more-smoothing", ("label_smoothed_loss(logits.float(), target)", "label_smoothed_loss(logits.float(), target, smoothing=0.2)"), says="your loss is smoothed by another amount than the default.")
wrong("no-zero-grad", ("    optimizer.zero_grad()\n", ""), says="gradients left over from an earlier step are added to the new ones: clear them first.")
wrong("zero-grad-late", ("    optimizer.zero_grad()\n    loss.backward()\n", "    loss.backward()\n    optimizer.zero_grad()\n"), says="your step changes nothing, or next to nothing: when the optimizer takes it, there are no gradients, or very small ones. Are they computed only afterwards, or cleared before it? (If they are scaled up first, divide that out before you clip them, not after it.)")
wrong("no-backward", ("    optimizer.zero_grad()\n    loss.backward()\n", ""), says="no gradients are computed: `backward` is missing.")
wrong("no-step", ("    optimizer.step()\n", ""), says="the optimizer takes no step: the weights stay as they were.")
wrong("step-twice", ("    optimizer.step()\n", "    optimizer.step()\n    optimizer.step()\n"), says="the optimizer takes two steps.")
wrong("no-clip", ("    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)\n", ""), says=UNCLIPPED)
wrong("clip-after", ("    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)\n    optimizer.step()\n", "    optimizer.step()\n    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)\n"), says=UNCLIPPED)
wrong("clip-before", ("    loss.backward()\n    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)\n", "    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)\n    loss.backward()\n"), says=UNCLIPPED)
wrong("clip-value", ("nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)", "nn.utils.clip_grad_value_(model.parameters(), 1.0)"), says="each gradient is clipped by itself. The norm of all together is asked for.")
wrong("clip-other", ("max_norm=1.0", "max_norm=0.5"), says="your gradients are clipped to another norm than 1.")
wrong("clip-tenth", ("max_norm=1.0", "max_norm=0.1"), says="your gradients are clipped to another norm than 1.")
wrong("clip-sum-of-sizes", ("max_norm=1.0", "max_norm=1.0, norm_type=1"), says="your gradients are clipped by the sum of their sizes. The norm is the square root of the sum of their squares, as in unit 10.")
wrong("first-pair-only", ("source, target = batch", "source, target = (ids[:1] for ids in batch)"), says="only the first pair of the batch is trained on.")
wrong("loss-halved-before", ("    loss.backward()\n", "    (loss / 2).backward()\n"), says="your gradients are half of the loss's: where their norm is below 1, so that nothing is clipped, the step is too small.")
wrong("backward-twice", ("    loss.backward()\n", "    loss.backward(retain_graph=True)\n    loss.backward()\n"), says="your gradients are twice the loss's: where their norm is small, the step is too large. Is `backward` called twice?")
wrong("clip-each", ("nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)", "[nn.utils.clip_grad_norm_(w, max_norm=1.0) for w in model.parameters()]"), says="the gradients of each weight are clipped by themselves. It is the norm of all together that may be 1 at most.")
wrong("no-train", ("    model.train()\n", ""), says="the model stays in evaluation mode: dropout is off.")
wrong("eval", ("model.train()", "model.eval()"), says="the model is put into evaluation mode: dropout is off.")
wrong("loss-after", ("    return loss.item()", "    with torch.no_grad(), torch.autocast(device_type=device_type, dtype=dtype):\n        logits = model(source, shift_right(target))\n    return label_smoothed_loss(logits.float(), target).item()"), says="you return the loss after the step. It is the loss before it.")
wrong("loss-summed", ("return loss.item()", "return loss.item() * int((target != 0).sum())"), says="you return the sum over all tokens. It is their mean.")
wrong("returns-nothing", ("    return loss.item()", "    loss.item()"), says="your function ends without giving anything back: is a `return` missing?")
wrong("returns-logits", ("return loss.item()", "return logits"), says="your function returns the logits. Return the loss.")
wrong("scaled-gradients", ("    loss.backward()\n", "    (loss * 1024).backward()\n"), ("    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)\n", ""), says="your gradients are scaled up and never scaled down again. (bfloat16 needs no scaling.)")
wrong("no-autocast+no-shift", (WITH, "    logits = model(source, target)\n"), says="two things at once. First, the forward pass does not run inside `torch.autocast`. Second, `shift_right` is missing.")
wrong("no-autocast+no-clip", (WITH, "    logits = model(source, shift_right(target))\n"), ("    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)\n", ""), says="two things at once. First, the forward pass does not run inside `torch.autocast`. Second, your gradients are not clipped.")
wrong("no-zero-grad+no-train", ("    optimizer.zero_grad()\n", ""), ("    model.train()\n", ""), says="two things at once. First, old gradients are not cleared. Second, the model stays in evaluation mode.")
wrong("no-clip+no-smoothing", ("    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)\n", ""), ("label_smoothed_loss(logits.float(), target)", "F.cross_entropy(logits.float().flatten(0, 1), target.flatten(), ignore_index=0)"), says="two things at once. First, your loss is the plain cross-entropy. Second, your gradients are not clipped.")

@right
def loss_inside(model, batch, optimizer, device_type, dtype):
    model.train(True)
    with torch.amp.autocast(device_type, dtype):
        loss = label_smoothed_loss(model(batch[0], shift_right(batch[1])).to(torch.float32), batch[1])
    model.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(list(model.parameters()), 1)
    optimizer.step()
    return loss.detach()

@right
def with_a_scaler_that_is_off(model, batch, optimizer, device_type, dtype):
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    (source, target), read = batch, torch.cat([torch.ones_like(batch[1][:, :1]), batch[1][:, :-1]], dim=1)
    for weight in model.train().parameters():
        weight.grad = None
    with torch.autocast(device_type, dtype=dtype, cache_enabled=False):
        logits = model(source, read)
    loss = label_smoothed_loss(logits.double(), target)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    return float(loss)

@right
def loss_by_hand(model, batch, optimizer, device_type, dtype):
    source, target = batch
    model.train()
    with torch.autocast(device_type=device_type, dtype=dtype):
        logits = model(source, shift_right(target))
    log = torch.log_softmax(logits.float(), dim=-1)
    real, V = target != 0, log.shape[-1]
    right = log.gather(-1, target[..., None])[..., 0]
    others = log.sum(-1) - right - log[..., 0]
    loss = -((0.9 * right + 0.1 / (V - 2) * others) * real).sum() / real.sum()
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    norm = torch.sqrt(sum((w.grad**2).sum() for w in model.parameters()))
    for w in model.parameters():
        w.grad *= torch.clamp(1 / norm, max=1.0)
    optimizer.step()
    return loss.item()

@right
def decorated(model, batch, optimizer, device_type, dtype):
    @torch.autocast(device_type=device_type, dtype=dtype)
    def forward(source, read):
        return model(source, read)
    model.train()
    optimizer.zero_grad()
    loss = label_smoothed_loss(forward(batch[0], shift_right(batch[1])).float(), batch[1])
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0, foreach=False)
    optimizer.step()
    return loss.detach().numpy()

@truth
def by_train_step(model, batch, optimizer, device_type, dtype):
    """Unit 10's step in float32 throughout: the products are exact in either type. Autocast is on, and casts nothing more."""
    from autograder.library.unit_10_training import train_step
    class Cast(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model
        def forward(self, source, read):
            with torch.autocast(device_type, dtype=dtype):
                return self.inner(source, read).float()
    return train_step(Cast(), batch, optimizer)

@truth
def by_formulas(model, batch, optimizer, device_type, dtype):
    """The loss number by number in float64; the step by gradients of that."""
    source, target = batch
    with torch.autocast(device_type, dtype=dtype):
        logits = model.train()(source, F.pad(target, (1, -1), value=1)).double()
    total, count = torch.zeros((), dtype=torch.float64), 0
    for b in range(len(target)):
        for t in range(target.shape[1]):
            y = int(target[b, t])
            if y == 0:
                continue
            log = logits[b, t] - logits[b, t].logsumexp(0)
            for v in range(1, len(log)):
                total = total - (0.9 if v == y else 0.1 / (len(log) - 2)) * log[v]
            count += 1
    loss = total / count
    weights = list(model.parameters())
    grads = torch.autograd.grad(loss, weights)
    size = sum(float((g.double() ** 2).sum()) for g in grads) ** 0.5
    for weight, grad in zip(weights, grads):
        weight.grad = grad / max(size, 1.0)
    optimizer.step()
    return float(loss)
