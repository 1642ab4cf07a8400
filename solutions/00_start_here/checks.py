"""What the checks of unit 00 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% exercise="pairwise_dot" part="library"
import numpy as np


def pairwise_dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """NumPy's inner product over the last axes."""
    return np.asarray(np.inner(a, b))

# %% exercise="pairwise_dot" part="variants"
without("far apart", "far apart, the other way round", because="products of thousands nearly cancel now and then, and leave single precision no digit")

@cases(dict(n=2, m=4, d=3), dict(n=5, m=3, d=13))
def drawn(rng, n, m, d):
    """{n} rows against {m} rows, each of {d} numbers"""
    return dict(a=rng.normal(size=(n, d)), b=rng.normal(size=(m, d)))

@cases(dict(n=4), low=3)
def square(rng, n):
    """two square arrays, {n} by {n}"""
    return dict(a=rng.normal(size=(n, n)), b=rng.normal(size=(n, n)))

@cases(dict(n=4, d=6), low=3)
def as_many(rng, n, d):
    """as many rows in `a` as in `b`: {n}, each of {d} numbers"""
    return dict(a=rng.normal(size=(n, d)), b=rng.normal(size=(n, d)))

@cases(dict(m=5, d=4), low=3)
def one_row(rng, m, d):
    """a single row against {m} rows, each of {d} numbers; and the other way round"""
    one, many = rng.normal(size=(1, d)), rng.normal(size=(m, d))
    return [dict(a=one, b=many), dict(a=many, b=one)]

@cases(dict(n=3, m=6), low=3)
def one_number(rng, n, m):
    """{n} rows against {m} rows, each of a single number"""
    return dict(a=rng.normal(size=(n, 1)), b=rng.normal(size=(m, 1)))

@cases(dict(n=3, m=2, d=5))
def large(rng, n, m, d):
    """large numbers, {n} rows against {m} rows, each of {d} numbers"""
    return dict(a=rng.uniform(200, 400, size=(n, d)), b=rng.uniform(200, 400, size=(m, d)))

OUT = "a @ b.T"
TURNED = "rows and columns have changed places: your entry [i, j] belongs to row i of `b` and row j of `a`. Its row index counts the rows of `a`."
wrong("transposed", (OUT, "b @ a.T"), says=TURNED)
wrong("not-transposed", (OUT, "a @ b"),
      says="a matrix product takes rows on the left and *columns* on the right, so your rows of `a` meet the columns of `b`. Here both vectors are rows.")
wrong("not-transposed-where-it-fits", (OUT, "a @ (b if len(b) == a.shape[1] else b.T)"),
      says="where `b` is square, your rows of `a` meet its columns: the product fits without a transpose, and is another one. A rule must not depend on what happens to fit.")
wrong("left-transposed", (OUT, "a.T @ b"),
      says="your product sums over the rows of `a` and `b`. The sum runs within a row, over its d numbers.")
wrong("both-transposed", (OUT, "a.T @ b.T"), says="both arrays are transposed, so your columns of `a` meet the rows of `b`. Rows should meet rows.")
wrong("right-by-left", (OUT, "b.T @ a"),
      says="your product sums over the rows of `a` and `b`. The sum runs within a row, over its d numbers.")
wrong("b-times-a", (OUT, "b @ a"), says="a matrix product takes rows on the left and *columns* on the right, so your rows of `b` meet the columns of `a`. Here both vectors are rows.")
wrong("reshaped-instead-of-transposed", (OUT, "a @ b.reshape(b.shape[1], b.shape[0])"),
      says="`reshape` gives `b` the shape (d, m), but it cuts the vectors to pieces: its columns are no longer the rows of `b`. Swap the axes instead.")
wrong("reshaped-by-rows", (OUT, "a @ b.reshape(a.shape[1], -1)"),
      says="`reshape` gives `b` the shape (d, m), but it cuts the vectors to pieces: its columns are no longer the rows of `b`. Swap the axes instead.")
wrong("elementwise", (OUT, "a * b"), says="`*` multiplies number by number and sums nothing. A dot product also sums, and each row of `a` meets every row of `b`.")
wrong("matching-rows-only", (OUT, "np.sum(a * b, axis=1)"), says="only rows with the same index meet (row 0 with row 0, and so on). Each row of `a` should meet every row of `b`.")
wrong("matching-rows-by-einsum", (OUT, 'np.einsum("id,id->i", a, b)'), says="only rows with the same index meet (row 0 with row 0, and so on): use two different letters for the two rows.")
wrong("matching-rows-zip", (OUT, "np.array([x @ y for x, y in zip(a, b)])"),
      says="only rows with the same index meet (row 0 with row 0, and so on), and the longer array's other rows are left out. Each row of `a` should meet every row of `b`.")
wrong("diagonal", (OUT, "np.diag(np.diag(a @ b.T))"), says="your table is 0 off its diagonal: only rows with the same index meet. Each row of `a` should meet every row of `b`.")
wrong("products-not-summed", (OUT, "a[:, None] * b"), says="your output has shape (n, m, d): the products stand there, not summed yet. Sum over the last axis.")
wrong("summed-over-a", (OUT, "(a[:, None] * b).sum(axis=0)"), says="your sum runs over the rows of `a`. It runs within a row, over its d numbers.")
wrong("summed-over-b", (OUT, "(a[:, None] * b).sum(axis=1)"), says="your sum runs over the rows of `b`. It runs within a row, over its d numbers.")
wrong("all-summed", (OUT, "(a @ b.T).sum()"), says="your output is a single number: the whole table was summed. Return the table, (n, m).")
wrong("every-number-with-every-number", (OUT, "np.outer(a, b)"), says="`np.outer` multiplies every number of `a` with every number of `b` and sums nothing. Here whole rows meet.")
wrong("kronecker", (OUT, "np.kron(a, b)"), says="your output holds every number of `a` times all of `b` (a Kronecker product). Here whole rows meet, and the products are summed.")
wrong("four-axes", (OUT, "np.tensordot(a, b, axes=0)"), says="your output has four axes: nothing was summed. Sum over the d numbers that two rows share.")
wrong("einsum-without-sum", (OUT, 'np.einsum("id,jd->ijd", a, b)'), says="your output has shape (n, m, d): the products stand there, not summed yet. Sum over the last axis.")
sizes = {
    "divided-by-d": ("a @ b.T / a.shape[1]", "your dot products are divided by d: the products are averaged. A dot product sums them."),
    "divided-by-root-d": ("a @ b.T / np.sqrt(a.shape[1])", "your dot products are divided by √d. That scale comes in unit 02; here nothing is scaled."),
    "divided-by-n": ("a @ b.T / len(a)", "your dot products are divided by n, the number of rows of `a`. A dot product is not scaled."),
    "divided-by-m": ("a @ b.T / len(b)", "your dot products are divided by m, the number of rows of `b`. A dot product is not scaled."),
    "cosine": ("(a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T",
               "your table holds cosines: the dot products are divided by the rows' lengths. A dot product keeps the lengths."),
    "left-normalised": ("(a / np.linalg.norm(a, axis=1, keepdims=True)) @ b.T", "the rows of `a` are brought to length 1 first. A dot product takes them as they are."),
    "right-normalised": ("a @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T", "the rows of `b` are brought to length 1 first. A dot product takes them as they are."),
    "squared-distance": ("((a[:, None] - b) ** 2).sum(-1)", "your table holds squared distances. A dot product multiplies number by number and sums."),
    "distance": ("np.sqrt(((a[:, None] - b) ** 2).sum(-1))", "your table holds distances. A dot product multiplies number by number and sums."),
    "sums-added": ("(a[:, None] + b).sum(-1)", "your table holds the sums of both rows' numbers: something is added where it should be multiplied."),
    "product-of-sums": ("a.sum(1)[:, None] * b.sum(1)", "you sum each row first and multiply then. Multiply number by number first, then sum."),
    "largest-product": ("(a[:, None] * b).max(-1)", "your table holds the largest product of each pair. A dot product sums all the products."),
    "absolute": ("np.abs(a @ b.T)", "your dot products have lost their sign. They may be negative."),
    "absolute-products": ("np.abs(a[:, None] * b).sum(-1)", "you sum the products without their sign. Products and dot products may be negative."),
    "negative": ("-(a @ b.T)", "your dot products all have the opposite sign."),
    "doubled": ("2 * (a @ b.T)", "your dot products are all twice too large: does each product enter the sum twice?"),
    "squared": ("(a @ b.T) ** 2", "your dot products are squared."),
    "cut-at-zero": ("np.maximum(a @ b.T, 0)", "your table is 0 wherever it should be negative. A dot product may be any number."),
    "softmax": ("(lambda e: e / e.sum(-1, keepdims=True))(np.exp(a @ b.T))", "a softmax is applied to your dot products. That comes in unit 02; return them as they are."),
    "last-number-lost": ("a[:, :-1] @ b[:, :-1].T", "the last of the d numbers is left out of every sum. Does a loop of yours end one too early?"),
    "first-number-lost": ("a[:, 1:] @ b[:, 1:].T", "the first of the d numbers is left out of every sum. Does a loop of yours begin one too late?"),
    "first-number-only": ("a[:, :1] @ b[:, :1].T", "only the first number of each row enters your products. All d of them do."),
    "two-numbers": ("a[:, :2] @ b[:, :2].T", "only the first two numbers of each row enter your products. Rows may have any length d."),
    "three-numbers": ("a[:, :3] @ b[:, :3].T", "only the first three numbers of each row enter your products. Rows may have any length d."),
    "reversed-numbers": ("a[:, ::-1] @ b.T", "the numbers of one row meet those of the other in reverse order. Number c meets number c."),
    "rounded": ("np.round(a @ b.T, 2)", "your dot products are rounded to two decimals. Round only what you print."),
    "whole-numbers": ("(a @ b.T).astype(int)", "your dot products are cut to whole numbers. Keep the decimals."),
    "half-precision": ("(a.astype(np.float16) @ b.T.astype(np.float16))", "your numbers are cut down to 16 bits, which leaves three good digits. Keep the arrays' own type."),
}
for name, (out, says) in sizes.items():
    wrong(name, (OUT, out), says=says)
for name in ("divided-by-d", "divided-by-root-d", "cosine", "distance", "squared-distance", "last-number-lost", "absolute", "softmax"):
    wrong(f"transposed+{name}", (OUT, f"(lambda a, b: {sizes[name][0]})(b, a)" if name == "softmax" else f"({sizes[name][0]}).T"),
          says="two things at once. Your output is turned: rows and columns have changed places. And " + sizes[name][1])
wrong("cosine-of-everything", (OUT, "a @ b.T / (np.linalg.norm(a) * np.linalg.norm(b))"), says="your dot products are divided by the sizes of the whole arrays. A dot product is not scaled.")
wrong("a-with-itself", (OUT, "a @ a.T"), says="the rows of `a` meet the rows of `a`; `b` is not used.")
wrong("b-with-itself", (OUT, "b @ b.T"), says="the rows of `b` meet the rows of `b`; `a` is not used.")
wrong("first-row-only", (OUT, "a[0] @ b.T"), says="only the first row of `a` meets the rows of `b`. All n rows do: the output has shape (n, m).")
wrong("first-row-of-b-only", (OUT, "a @ b[0]"), says="the rows of `a` meet only the first row of `b`. All m rows take part: the output has shape (n, m).")
wrong("last-row-lost", (OUT, "np.vstack([(a @ b.T)[:-1], np.zeros((1, len(b)))])"), says="your last row is 0: the last row of `a` is left out. Does a loop of yours end one too early?")
wrong("last-column-lost", (OUT, "np.hstack([(a @ b.T)[:, :-1], np.zeros((len(a), 1))])"), says="your last column is 0: the last row of `b` is left out. Does a loop of yours end one too early?")
wrong("only-the-first-row-filled", (OUT, "np.where(np.arange(len(a))[:, None] > 0, 0, a @ b.T)"), says="your table is 0 below its first row. Does the function return before its outer loop has done the next row?")
wrong("row-missing", (OUT, "(a @ b.T)[:-1]"), says="your output has one row too few: the last row of `a` is left out.")
wrong("column-missing", (OUT, "(a @ b.T)[:, :-1]"), says="your output has one column too few: the last row of `b` is left out.")
wrong("first-row-left-out", (OUT, "np.vstack([np.zeros((1, len(b))), (a @ b.T)[1:]])"), says="your first row is 0: row 0 of `a` is left out. Python counts from 0.")
wrong("upper-triangle", (OUT, "np.triu(a @ b.T)"), says="your table is 0 below its diagonal. It is not symmetric: entry [i, j] and entry [j, i] are two different pairs, and both are wanted.")
wrong("mirrored-triangle", (OUT, "(lambda t: np.triu(t) + np.triu(t, 1).T if t.shape[0] == t.shape[1] else np.triu(t))(a @ b.T)"),
      says="your table is filled as if it were symmetric. Entry [i, j] and entry [j, i] are two different pairs.")
wrong("flattened", (OUT, "(a @ b.T).ravel()"), says="your output is one long row of numbers. Return a table of shape (n, m).")
wrong("flattened-list", (OUT, "[x @ y for x in a for y in b]"), says="your output is one long Python list. Return a NumPy array of shape (n, m).")
wrong("one-axis-too-many", (OUT, "(a @ b.T)[None]"), says="your output has shape (1, n, m), one axis too many. Return (n, m).")
wrong("trailing-axis", (OUT, "(a @ b.T)[..., None]"), says="your output has shape (n, m, 1), one axis too many. Return (n, m).")
wrong("squeezed", (OUT, "np.squeeze(a @ b.T)"), says="axes of length 1 are squeezed away. With a single row the output still has two axes, (1, m) or (n, 1).")
wrong("list", (OUT, "(a @ b.T).tolist()"), says="your output is a Python list. Return a NumPy array of shape (n, m).")
wrong("list-of-rows", (OUT, "[row @ b.T for row in a]"), says="your output is a Python list of arrays. Return one NumPy array of shape (n, m).")
wrong("two-things", (OUT, "a @ b.T, b.T"), says="your function returns two things. Return the table alone.")
wrong("both-ways", (OUT, "a @ b.T, b @ a.T"), says="your function returns two things. Return the table alone.")
wrong("in-place", (OUT, "a.__imul__(1.5) @ b.T / 1.5"), says="your function changes its argument `a` in place. The caller's array must stay as it was.")
wrong("b-in-place", (OUT, "a @ b.__imul__(1.5).T / 1.5"), says="your function changes its argument `b` in place. The caller's array must stay as it was.")
wrong("zeros", (OUT, "np.zeros((len(a), len(b)))"), says="your table is all zeros: it is made, but never filled.")
wrong("ones", (OUT, "np.ones((len(a), len(b)))"), says="your table is all ones: it is made, but never filled.")
wrong("whole-number-table", (OUT, "np.trunc(a @ b.T)"), says="your dot products are cut to whole numbers. Keep the decimals.")
wrong("nothing-returned", (f"return {OUT}", OUT), says="your function ends without giving anything back: is a `return` missing?")

@wrong("one-size-twice", says="your loops run over the rows of `a` twice, for its columns as well: `a` and `b` need not have the same number of rows.")
def one_size_twice(a, b):
    out = np.zeros((len(a), len(a)))
    for i in range(len(a)):
        for j in range(len(a)):
            out[i, j] = a[i] @ b[j]
    return out

@wrong("inner-loop-too-short", says="your inner loop runs over the rows of `a`, so some rows of `b` are left out, or it asks for rows that are not there. It runs over the rows of `b`.")
def inner_loop_too_short(a, b):
    out = np.zeros((len(a), len(b)))
    for i in range(len(a)):
        for j in range(len(a)):
            out[i, j] = a[i] @ b[j]
    return out

@wrong("overwritten", says="each entry of your table holds the last product only: it is overwritten where it should be added to (`=` for `+=`).")
def overwritten(a, b):
    out = np.zeros((len(a), len(b)))
    for c in range(a.shape[1]):
        out = np.outer(a[:, c], b[:, c])
    return out

@wrong("not-reset", says="your running sum is not set back to 0 for each pair, so every entry holds the pairs before it as well.")
def not_reset(a, b):
    return np.cumsum((a @ b.T).ravel()).reshape(len(a), len(b))

@wrong("not-reset-in-a-row", says="your running sum is not set back to 0 for each row of `b`, so every entry holds those to its left as well.")
def not_reset_in_a_row(a, b):
    return np.cumsum(a @ b.T, axis=1)

wrong("not-transposed-einsum", (OUT, 'np.einsum("ij,jk->ik", a, b)'), says="your einsum lets the rows of `a` meet the *columns* of `b`. Here both vectors are rows: the letter that is summed stands second in both.")
wrong("a-scaled", (OUT, "a / np.linalg.norm(a) @ b.T"), says="`a` is divided by its size first. A dot product takes the rows as they are.")
wrong("one-more", (OUT, "a @ b.T + 1"), says="your dot products are all 1 too large.")
wrong("tanh", (OUT, "np.tanh(a @ b.T)"), says="tanh is applied to your dot products. Return them as they are.")
wrong("b-scaled", (OUT, "a @ (b / np.linalg.norm(b)).T"), says="`b` is divided by its size first. A dot product takes the rows as they are.")
wrong("rows-centred", (OUT, "(a - a.mean(axis=1, keepdims=True)) @ b.T"), says="the mean of each row is subtracted first. A dot product takes the rows as they are.")
wrong("rows-summed", (OUT, "(a @ b.T).sum(axis=1)"), says="your output has one number for each row of `a`: the table is summed over the rows of `b`. Return the table, (n, m).")
wrong("columns-summed", (OUT, "(a @ b.T).sum(axis=0)"), says="your output has one number for each row of `b`: the table is summed over the rows of `a`. Return the table, (n, m).")
wrong("one-dot-product", (OUT, "np.vdot(a, b)"), says="`np.vdot` makes one vector of each array, and one number of both. Here each row of `a` meets each row of `b`.")
wrong("turned-by-reshaping", (OUT, "(a @ b.T).reshape(len(b), len(a))"), says="your output has the shape (m, n), and its numbers stand row by row as in the right table: n and m have changed places in a shape.")
wrong("reshaped-after-turning", (OUT, "(b @ a.T).reshape(len(a), len(b))"), says="your output has the right shape, but its numbers stand in the wrong places: a table of shape (m, n) was reshaped. Reshaping does not swap axes.")
wrong("loops-from-one", (OUT, "np.pad((a @ b.T)[1:, 1:], ((1, 0), (1, 0)))"), says="your first row and your first column are 0. Python counts from 0: begin both loops there.")
wrong("loops-too-short", (OUT, "np.pad((a @ b.T)[:-1, :-1], ((0, 1), (0, 1)))"), says="your last row and your last column are 0. Do both loops end one too early?")
wrong("booleans", (OUT, "a @ b.T > 0"), says="your output holds True and False. Return the dot products themselves.")
wrong("half-precision-output", (OUT, "(a @ b.T).astype(np.float16)"), says="your dot products are cut down to 16 bits, which hold three good digits and nothing above 65504. Keep the arrays' own type.")
wrong("cross-product", (OUT, "np.cross(a, b)"), says="`np.cross` is another product, of two vectors in space. A dot product multiplies number by number and sums.")
wrong("squares-multiplied", (OUT, "(a * a) @ (b * b).T"), says="your products are squared before they are summed. A dot product sums them as they are.")
wrong("first-number-twice", (OUT, "a @ b.T + np.outer(a[:, 0], b[:, 0])"), says="the first of the d numbers enters each sum twice: is it what the sum begins with, and then met again on the way?")
wrong("lower-triangle", (OUT, "np.tril(a @ b.T)"), says="your table is 0 above its diagonal. It is not symmetric: entry [i, j] and entry [j, i] are two different pairs, and both are wanted.")
wrong("all-rows-the-last", (OUT, "np.tile(a[-1] @ b.T, (len(a), 1))"), says="each row of your table holds what belongs into the last one. Are they one and the same list, written over for each row of `a`?")

@right
def loops(a, b):
    out = np.zeros((a.shape[0], b.shape[0]))
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            for c in range(a.shape[1]):
                out[i, j] += a[i, c] * b[j, c]
    return out

@right
def by_einsum(first, second):
    return np.einsum("id,jd->ij", first, second)

@right
def by_broadcasting(a, b):
    return (a[:, np.newaxis, :] * b[np.newaxis, :, :]).sum(axis=-1)

@right
def by_comprehension(a, b):
    return np.array([[np.dot(x, y) for y in b] for x in a])

@right
def by_tensordot(a, b):
    return np.tensordot(a, b, axes=([1], [1]))

@right
def other_way_and_back(a, b):
    return (b @ a.T).T

@right
def column_by_column(a, b):
    return np.stack([a @ y for y in b], axis=1)

@right
def single_precision(a, b):
    return np.matmul(a.astype(np.float32), np.swapaxes(b, 0, 1).astype(np.float32))

@right
def sum_of_outer_products(a, b):
    return sum(np.outer(x, y) for x, y in zip(a.T, b.T, strict=True))

@truth
def by_torch(a, b):
    import torch
    return torch.nn.functional.linear(torch.from_numpy(a), torch.from_numpy(b)).numpy()

@truth
def by_exact_sums(a, b):
    import math
    return np.array([[math.fsum(p * q for p, q in zip(x, y, strict=True)) for y in b.tolist()] for x in a.tolist()])

# %% exercise="outer_sum" part="library"
def outer_sum(column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """NumPy's own outer form of addition."""
    return np.asarray(np.add.outer(column, row))

# %% exercise="outer_sum" part="variants"
@cases(dict(n=3, m=5), dict(n=6, m=4))
def drawn(rng, n, m):
    """a column of {n} numbers and a row of {m}"""
    return dict(column=rng.normal(size=n), row=rng.normal(size=m))

@cases(dict(n=4), low=3)
def as_long(rng, n):
    """a column and a row of {n} numbers each"""
    return dict(column=rng.normal(size=n), row=rng.normal(size=n))

@cases(dict(n=4), low=3)
def single(rng, n):
    """a column of {n} numbers and a row of one; and the other way round"""
    one, many = rng.normal(size=1), rng.normal(size=n)
    return [dict(column=many, row=one), dict(column=one, row=many)]

@cases(dict(n=5, m=2))
def large(rng, n, m):
    """large numbers, a column of {n} and a row of {m}"""
    return dict(column=rng.uniform(1e5, 2e5, size=n), row=rng.uniform(1e5, 2e5, size=m))

OUT = "column[:, None] + row"
says = {
    "turned": "your table is turned: its rows belong to `row` and its columns to `column`. It should have shape (n, m).",
    "product": "your table holds products. This exercise asks for sums.",
}
wrong("product", (OUT, "column[:, None] * row"), says=says["product"])
wrong("transposed", (OUT, "row[:, None] + column"), says=says["turned"])
wrong("transposed+product", (OUT, "row[:, None] * column"), says=f"two things at once: {says['turned'][:-1]}; and your table holds products where sums are asked for.")
wrong("plain-sum", (OUT, "column + row"), says="your two arrays are added number by number, or do not fit: both lie along the same axis. One of them needs a new axis of length 1.")
wrong("wrong-one-upright", (OUT, "column[None, :] + row"), says="`column` got its new axis in front, (1, n), and still lies along the last axis, as `row` does. It should stand upright.")
wrong("both-upright", (OUT, "column[:, None] + row[:, None]"), says="both arrays stand upright, as (n, 1) and (m, 1), so they meet along the same axis. Only `column` should.")
wrong("both-flat", (OUT, "column[None] + row[None]"), says="both arrays lie along the last axis, as (1, n) and (1, m). `column` should stand upright.")
wrong("crosswise-stacked", (OUT, "np.concatenate([column, row])"), says="your output is the two arrays one behind the other. Each number of `column` should be added to each of `row`.")
wrong("flattened", (OUT, "(column[:, None] + row).ravel()"), says="your output is one long row of numbers. Return a table of shape (n, m).")
wrong("flattened-list", (OUT, "[c + r for c in column for r in row]"), says="your output is one long Python list. Return a NumPy array of shape (n, m).")
wrong("total", (OUT, "(column[:, None] + row).sum()"), says="your output is a single number: the whole table was summed. Return the table.")
wrong("sum-of-both", (OUT, "column.sum() + row.sum()"), says="your output is a single number. Return a table: each number of `column` plus each of `row`.")
wrong("rows-summed", (OUT, "(column[:, None] + row).sum(axis=1)"), says="your table's rows are summed up. Return the table itself, (n, m).")
wrong("columns-summed", (OUT, "(column[:, None] + row).sum(axis=0)"), says="your table's columns are summed up. Return the table itself, (n, m).")
wrong("column-only", (OUT, "column[:, None] + 0 * row"), says="your table repeats `column`; `row` is not added.")
wrong("row-only", (OUT, "0 * column[:, None] + row"), says="your table repeats `row`; `column` is not added.")
wrong("column-tiled", (OUT, "np.tile(column, (len(row), 1)) + row"), says="you lay `column` down m times, one copy a row. It should stand upright, one number a row of the table.")
wrong("row-minus-column", (OUT, "row - column[:, None]"), says="your table holds row minus column. This exercise asks for sums.")
wrong("difference", (OUT, "column[:, None] - row"), says="your table holds differences, column minus row. This exercise asks for sums.")
wrong("mean", (OUT, "(column[:, None] + row) / 2"), says="your table holds means: the sums are halved.")
wrong("doubled", (OUT, "2 * (column[:, None] + row)"), says="your sums are all twice too large.")
wrong("column-twice", (OUT, "2 * column[:, None] + row"), says="`column` enters your sums twice.")
wrong("row-twice", (OUT, "column[:, None] + 2 * row"), says="`row` enters your sums twice.")
wrong("larger-one", (OUT, "np.maximum(column[:, None], row)"), says="your table holds the larger of the two numbers. This exercise asks for their sum.")
wrong("smaller-one", (OUT, "np.minimum(column[:, None], row)"), says="your table holds the smaller of the two numbers. This exercise asks for their sum.")
wrong("negative", (OUT, "-(column[:, None] + row)"), says="your sums all have the opposite sign.")
wrong("absolute", (OUT, "np.abs(column[:, None] + row)"), says="your sums have lost their sign.")
wrong("column-with-itself", (OUT, "column[:, None] + column"), says="your table adds `column` to itself; `row` is not used.")
wrong("row-with-itself", (OUT, "row[:, None] + row"), says="your table adds `row` to itself; `column` is not used.")
wrong("places-added", (OUT, "np.add.outer(np.arange(len(column)), np.arange(len(row))) * 1.0"), says="your table adds the places (0, 1, 2, ...), not the numbers that stand there.")
wrong("diagonal", (OUT, "np.diag(np.diag(column[:, None] + row))"), says="only numbers in the same place are added: your table is 0 off its diagonal.")
wrong("zeros", (OUT, "np.zeros((len(column), len(row)))"), says="your table is all zeros: it is made, but never filled.")
wrong("ones", (OUT, "np.ones((len(column), len(row)))"), says="your table is all ones: it is made, but never filled.")
wrong("row-missing", (OUT, "column[:-1, None] + row"), says="your table has one row too few: the last number of `column` is left out.")
wrong("column-missing", (OUT, "column[:, None] + row[:-1]"), says="your table has one column too few: the last number of `row` is left out.")
wrong("last-row-zero", (OUT, "np.vstack([column[:-1, None] + row, 0 * row])"), says="the last row of your table is 0. Does a loop of yours end one too early?")
wrong("last-column-zero", (OUT, "np.hstack([column[:, None] + row[:-1], 0 * column[:, None]])"), says="the last column of your table is 0. Does a loop of yours end one too early?")
wrong("reversed", (OUT, "column[::-1, None] + row"), says="`column` enters your table in reverse order.")
wrong("row-reversed", (OUT, "column[:, None] + row[::-1]"), says="`row` enters your table in reverse order.")
wrong("extra-axis", (OUT, "(column[:, None] + row)[None]"), says="your output has shape (1, n, m), one axis too many. Return (n, m).")
wrong("trailing-axis", (OUT, "(column[:, None] + row)[..., None]"), says="your output has shape (n, m, 1), one axis too many. Return (n, m).")
wrong("squeezed", (OUT, "np.squeeze(column[:, None] + row)"), says="axes of length 1 are squeezed away. With a single number in `column` or `row` the table still has two axes.")
wrong("list", (OUT, "(column[:, None] + row).tolist()"), says="your output is a Python list. Return a NumPy array of shape (n, m).")
wrong("list-of-rows", (OUT, "[c + row for c in column]"), says="your output is a Python list of arrays. Return one NumPy array of shape (n, m).")
wrong("stretched-arrays", (OUT, "np.broadcast_arrays(column[:, None], row)"), says="your function returns the two stretched arrays. Return their sum, one table of shape (n, m).")
wrong("whole-numbers", (OUT, "(column[:, None] + row).astype(int)"), says="your sums are cut to whole numbers. Keep the decimals.")
wrong("truncated", (OUT, "np.trunc(column[:, None] + row)"), says="your sums are cut to whole numbers. Keep the decimals.")
wrong("rounded", (OUT, "np.round(column[:, None] + row, 2)"), says="your sums are rounded to two decimals. Round only what you print.")
wrong("half-precision", (OUT, "column.astype(np.float16)[:, None] + row.astype(np.float16)"), says="your numbers are cut down to 16 bits, which leaves three good digits. Keep the arrays' own type.")
wrong("in-place", (OUT, "column.__iadd__(1)[:, None] + row - 1"), says="your function changes its argument `column` in place. The caller's array must stay as it was.")
wrong("row-in-place", (OUT, "column[:, None] + row.__iadd__(1) - 1"), says="your function changes its argument `row` in place. The caller's array must stay as it was.")
wrong("reshaped-in-place", (OUT, "[column.resize((len(column), 1), refcheck=False), column + row][1]"),
      says="your function changes its argument `column` in place. The caller's array must stay as it was.")
wrong("two-things", (OUT, "(column[:, None], row)"), says="your function returns two things. Return their sum.")
wrong("powers", (OUT, "column[:, None] ** 2 + row ** 2"), says="your table adds squares. This exercise asks for plain sums.")
wrong("nothing-returned", (f"return {OUT}", OUT), says="your function ends without giving anything back: is a `return` missing?")

@wrong("one-size-twice", says="your loops run over `column` twice, for the table's columns as well: `row` may have another length.")
def one_size_twice(column, row):
    out = np.zeros((len(column), len(column)))
    for i in range(len(column)):
        for j in range(len(column)):
            out[i, j] = column[i] + row[j]
    return out

wrong("tiled-column", (OUT, "np.tile(column, len(row)).reshape(len(column), -1) + row"),
      says="the numbers of `column` are laid out in the wrong order: in your table the whole column is repeated along the rows (`np.tile` does that). Row i takes `column[i]`, m times.")

@wrong("reshaped-turned", says="your table has the right shape, but the sums stand in the wrong places: it was made as (m, n) and then reshaped. Reshaping does not swap axes.")
def reshaped_turned(column, row):
    return (row[:, None] + column).reshape(len(column), len(row))

@wrong("added-into-column", says="your sum is added into an array of shape (n, 1), which cannot grow to (n, m). Let the sum make a new array.")
def added_into_column(column, row):
    table = column[:, None].copy()
    table += row
    return table

wrong("first-of-the-row", (OUT, "column + row[0]"), says="only the first number of `row` is added. Each number of `column` meets each number of `row`.")
wrong("filled-where-the-places-agree", (OUT, "np.eye(len(column), len(row)) * (column[:, None] + row)"), says="only the entries [i, i] of your table are filled: number i of `column` meets number i of `row` and no other. (Do you walk through both with one loop?)")
wrong("row-repeated", (OUT, "column[:, None] + np.repeat(row, len(column)).reshape(len(column), -1)"), says="each number of `row` is repeated on the spot, so the lines of your table do not hold the whole `row` each (`np.repeat` repeats number by number, `np.tile` the whole array).")
wrong("row-averaged", (OUT, "column[:, None] + row.mean()"), says="the mean of `row` is added, not each of its numbers.")
wrong("row-summed", (OUT, "column[:, None] + row.sum()"), says="the sum of `row` is added, not each of its numbers.")
wrong("column-summed", (OUT, "column.sum() + row"), says="the sum of `column` is added, not each of its numbers.")
wrong("column-cumulated", (OUT, "np.cumsum(column)[:, None] + row"), says="`column` is summed up on the way down. Each row of the table has its own number of `column`.")
wrong("row-cumulated", (OUT, "column[:, None] + np.cumsum(row)"), says="`row` is summed up on the way. Each column of the table has its own number of `row`.")
wrong("one-more", (OUT, "column[:, None] + row + 1"), says="your sums are all 1 too large.")
wrong("product-and-one", (OUT, "np.outer(column, row) + 1"), says="your table holds products, plus 1. This exercise asks for sums.")
wrong("hypotenuse", (OUT, "np.hypot(column[:, None], row)"), says="your table holds roots of summed squares. This exercise asks for plain sums.")
wrong("kronecker", (OUT, "np.kron(column, row)"), says="your output holds products, in one long row. This exercise asks for a table of sums.")
wrong("booleans", (OUT, "(column[:, None] + row).astype(bool)"), says="your output holds True and False. Return the sums themselves.")
wrong("turned-by-reshaping", (OUT, "(column[:, None] + row).reshape(len(row), len(column))"), says="your output has the shape (m, n), and its numbers stand row by row as in the right table: n and m have changed places in a shape.")
wrong("loops-from-one", (OUT, "np.pad((column[:, None] + row)[1:, 1:], ((1, 0), (1, 0)))"), says="your first row and your first column are 0. Python counts from 0: begin both loops there.")
wrong("loops-too-short", (OUT, "np.pad((column[:, None] + row)[:-1, :-1], ((0, 1), (0, 1)))"), says="your last row and your last column are 0. Do both loops end one too early?")
wrong("zipped", (OUT, "[c + r for c, r in zip(column, row, strict=False)]"), says="your output is a list, and only numbers in the same place are added. Each number of `column` meets each of `row`; return a table of shape (n, m).")
wrong("zipped-array", (OUT, "np.array([c + r for c, r in zip(column, row, strict=False)])"), says="only numbers in the same place are added. Each number of `column` meets each of `row`: a table of shape (n, m).")
wrong("put-together", (OUT, "np.array([column, row])"), says="you put the two arrays into one, where they fit at all; nothing is added. Each number of `column` should be added to each of `row`.")
wrong("all-rows-the-last", (OUT, "np.tile(column[-1] + row, (len(column), 1))"), says="each row of your table holds what belongs into the last one. Are they one and the same list, written over for each number of `column`?")
wrong("place-by-place-where-as-long", (OUT, "column + row if len(column) == len(row) else column[:, None] + row"), says="where `column` and `row` are equally long, only numbers in the same place are added. A rule must not depend on what happens to fit.")
wrong("column-summed-in-each-row", (OUT, "np.tile(column.sum() + row, (len(column), 1))"), says="each row of your table adds the sum of all of `column`. Row i has only number i of it.")
wrong("row-summed-in-each-column", (OUT, "column[:, None] + np.full(len(row), row.sum())"), says="each column of your table adds the sum of all of `row`. Column j has only number j of it.")
wrong("column-over-again", (OUT, "column[:, None] + np.resize(column, len(row))"), says="your table adds `column` to itself: along the rows stand its numbers, over again where they run out. Along the rows stand those of `row`.")
wrong("row-over-again", (OUT, "np.resize(row, len(column))[:, None] + row"), says="your table adds `row` to itself: down the columns stand its numbers, over again where they run out. Down the columns stand those of `column`.")
wrong("sorted", (OUT, "np.sort(column)[:, None] + np.sort(row)"), says="both arrays are sorted before they are added. Row i belongs to `column[i]` as it comes, and column j to `row[j]`.")
wrong("row-sorted", (OUT, "column[:, None] + np.sort(row)"), says="`row` is sorted before it is added. (`np.unique` sorts, too.) Column j belongs to `row[j]` as it comes.")
wrong("column-sorted", (OUT, "np.sort(column)[:, None] + row"), says="`column` is sorted before it is added. (`np.unique` sorts, too.) Row i belongs to `column[i]` as it comes.")
wrong("inner-loop-too-short", (OUT, "(column[:, None] + row) * (np.arange(len(row)) < len(column))"), says="only as many columns of your table are filled as `column` has numbers: it counts in place of `row`.")

@right
def by_reshape(column, row):
    return column.reshape(-1, 1) + row.reshape(1, -1)

@right
def loops(column, row):
    out = np.empty((len(column), len(row)))
    for i, c in enumerate(column):
        for j, r in enumerate(row):
            out[i, j] = c + r
    return out

@right
def by_meshgrid(column, row):
    upright, lying = np.meshgrid(column, row, indexing="ij")
    return upright + lying

@right
def by_tiling(c, r):
    return np.repeat(c[:, None], len(r), axis=1) + np.tile(r, (len(c), 1))

@right
def by_stacking(column, row):
    return np.stack([c + row for c in column])

@right
def by_matrix_product(column, row):
    return np.stack([column, np.ones_like(column)], axis=1) @ np.stack([np.ones_like(row), row])

@right
def turned_back(column, row):
    return (row[:, None] + column).T

@right
def single_precision(column, row):
    return np.expand_dims(column, 1).astype("float32") + row.astype("float32")

@truth
def by_torch(column, row):
    import torch
    return torch.cartesian_prod(torch.from_numpy(column), torch.from_numpy(row)).sum(-1).reshape(len(column), len(row)).numpy()

@truth
def by_python(column, row):
    return np.array([[c + r for r in row.tolist()] for c in column.tolist()])

# %% exercise="group_last_axis" part="library"
def group_last_axis(x: np.ndarray, num_groups: int) -> np.ndarray:
    """PyTorch's unflatten on NumPy arrays."""
    import torch

    return torch.from_numpy(np.array(x, order="C")).unflatten(-1, (num_groups, -1)).numpy()

# %% exercise="group_last_axis" part="variants"
@cases(dict(g=2, k=3), dict(g=5, k=4))
def no_leading_axis(rng, g, k):
    """one vector, {g} groups of {k} numbers"""
    return dict(x=rng.normal(size=g * k), num_groups=g)

@cases(dict(a=3, g=2, k=5), dict(a=7, g=4, k=2))
def one_leading_axis(rng, a, g, k):
    """shape ({a}, {g}·{k}), {g} groups of {k} numbers"""
    return dict(x=rng.normal(size=(a, g * k)), num_groups=g)

@cases(dict(a=2, b=5, g=3, k=4))
def two_leading_axes(rng, a, b, g, k):
    """shape ({a}, {b}, {g}·{k}), {g} groups of {k} numbers"""
    return dict(x=rng.normal(size=(a, b, g * k)), num_groups=g)

@cases(dict(a=2, b=3, c=5, g=4, k=6), hidden=[dict(a=3, b=2, c=4, g=5, k=7)])
def three_leading_axes(rng, a, b, c, g, k):
    """shape ({a}, {b}, {c}, {g}·{k}), {g} groups of {k} numbers"""
    return dict(x=rng.normal(size=(a, b, c, g * k)), num_groups=g)

@cases(dict(a=5, g=3), low=3)
def as_many_as_long(rng, a, g):
    """shape ({a}, {g}·{g}), {g} groups of {g} numbers"""
    return dict(x=rng.normal(size=(a, g * g)), num_groups=g)

@cases(dict(a=4, k=12), hidden=[dict(a=3, k=14)])
def one_group(rng, a, k):
    """large numbers, shape ({a}, {k}): a single group, and {k} groups of one number"""
    x = 1e5 * rng.normal(size=(a, k))
    return [dict(x=x, num_groups=1), dict(x=x, num_groups=k)]

OUT = "x.reshape(*leading, num_groups, width // num_groups)"
K = "width // num_groups"
wrong("groups-of-that-size", (OUT, "x.reshape(*leading, width // num_groups, num_groups)"),
      says="you make groups *of* `num_groups` numbers. `num_groups` says how many groups there are: it is the length of the last axis but one.")
wrong("dealt-out", (OUT, "x.reshape(*leading, width // num_groups, num_groups).swapaxes(-1, -2)"),
      says="the numbers are dealt out to the groups in turn, like cards (a reshape with order \"F\" does that too). Neighbours belong together: the first k numbers are group 0.")
wrong("turned", (OUT, f"{OUT}.swapaxes(-1, -2)"), says="your last two axes have changed places: the output is (..., k, g). The groups come first, then the numbers in a group.")
wrong("groups-in-front", (OUT, f"np.moveaxis({OUT}, -2, 0)"), says="your groups are on the first axis. They belong on the last axis but one, behind all leading axes.")
wrong("groups-last", (OUT, "np.stack(np.split(x, num_groups, axis=-1), axis=-1)"), says="your last two axes have changed places: the output is (..., k, g). The groups come first, then the numbers in a group.")
wrong("heads-before-tokens", (OUT, f"np.swapaxes({OUT}, -2, -3)"),
      says="your groups stand one axis too early: they have changed places with the axis before (or there is none to change with). That step comes with the heads, in unit 05.")
wrong("groups-joined-along-the-last-axis", (OUT, "np.concatenate(np.split(x, num_groups, axis=-1), axis=-1)"), says="your output is `x` as it was: nothing is split, or the groups are joined again along the last axis. They need an axis of their own.")
wrong("groups-below-one-another", (OUT, "np.concatenate(np.split(x, num_groups, axis=-1), axis=0)"), says="your groups are put below one another along the first axis. They need an axis of their own, the last but one.")
wrong("groups-below-one-another-at-minus-two", (OUT, "np.concatenate(np.split(x, num_groups, axis=-1), axis=-2)"), says="your groups are put below one another along an axis that is there already. They need an axis of their own, the last but one.")
wrong("first-axis-grouped", (OUT, "x.reshape(num_groups, x.shape[0] // num_groups, *x.shape[1:])"), says="your code splits the first axis. It is the last axis that is to be split.")
wrong("cut-into-rows", (OUT, "x.reshape(num_groups, -1)"), says="your output has two axes only: all numbers are cut into `num_groups` rows. Leading axes stay as they are.")
wrong("leading-axes-merged", (OUT, f"x.reshape(-1, num_groups, {K})"), says="your leading axes are merged into one (or one is added where there was none). However many there are, they stay as they are.")
wrong("wide-groups", (OUT, "x.reshape(num_groups, *leading, width // num_groups)"), says="`num_groups` stands in front of the leading axes, so each group takes numbers from several rows. Each row is split by itself.")
wrong("two-dimensions-only", (OUT, "x.reshape(x.shape[0], num_groups, -1)"), says="your code keeps the first axis only and so fits arrays with two axes. There may be any number of leading axes, none included.")
wrong("two-unpacked", (f"*leading, width = x.shape\n    return {OUT}", f"n, width = x.shape\n    return x.reshape(n, num_groups, {K})"),
      says="your code expects an array with exactly two axes. There may be any number of leading axes, none included.")
wrong("three-unpacked", (f"*leading, width = x.shape\n    return {OUT}", f"batch, seq, width = x.shape\n    return x.reshape(batch, seq, num_groups, {K})"),
      says="your code expects an array with exactly three axes. There may be any number of leading axes, none included.")
wrong("three-by-index", (OUT, "x.reshape(x.shape[0], x.shape[1], num_groups, -1)"), says="your code keeps the first two axes and so fits arrays with three axes. There may be any number of leading axes, none included.")
wrong("three-by-index-2", (OUT, "x.reshape(x.shape[0], x.shape[1], num_groups, x.shape[2] // num_groups)"), says="your code reads `x.shape[2]` and so fits arrays with three axes. There may be any number of leading axes, none included.")
wrong("two-by-index", (OUT, "x.reshape(x.shape[0], num_groups, x.shape[1] // num_groups)"), says="your code reads `x.shape[0]` and `x.shape[1]` and so fits arrays with exactly two axes. There may be any number of leading axes, none included.")
wrong("of-that-size-in-front", (OUT, "np.moveaxis(x.reshape(*leading, width // num_groups, num_groups), -2, 0)"), says="two things at once. You make groups *of* `num_groups` numbers, where `num_groups` says how many groups there are. And they are on the first axis, where they belong on the last but one.")
wrong("width-of-axis-one", (OUT, "x.reshape(*leading, num_groups, x.shape[1] // num_groups)"), says="your code reads the width from axis 1. The last axis is axis −1, however many there are.")
wrong("width-of-axis-zero", (OUT, "x.reshape(*leading, num_groups, x.shape[0] // num_groups)"), says="your code reads the width from axis 0. The last axis is axis −1.")
wrong("heads-view", (f"*leading, width = x.shape\n    return {OUT}", f"batch, seq, width = x.shape\n    return x.reshape(batch, num_groups, seq, {K})"),
      says="the groups are put before an axis of tokens by reshaping, which cuts across tokens; and your code fits three axes only. Split each row by itself, at the end.")
wrong("one-vector-only", (OUT, f"x.reshape(num_groups, {K})"), says="your code fits one vector only. There may be leading axes, and they stay as they are.")
wrong("column-order", (OUT, f'x.reshape(*leading, num_groups, {K}, order="F")'), says="the numbers are dealt out to the groups in turn, like cards (a reshape with order \"F\" does that too). Neighbours belong together: the first k numbers are group 0.")
wrong("transposed-first", (OUT, f"x.T.reshape(*leading, num_groups, {K})"), says="your array is transposed before it is reshaped, so numbers of different rows are mixed. Reshape it as it is.")
wrong("two-groups", (OUT, "x.reshape(*leading, 2, width // 2)"), says="your code makes two groups. It should make `num_groups`.")
wrong("three-groups", (OUT, "x.reshape(*leading, 3, width // 3)"), says="your code makes three groups. It should make `num_groups`.")
wrong("groups-of-three", (OUT, "x.reshape(*leading, -1, 3)"), says="your code makes groups of three numbers. Their size follows from `num_groups`.")
wrong("groups-of-two", (OUT, "x.reshape(*leading, -1, 2)"), says="your code makes groups of two numbers. Their size follows from `num_groups`.")
wrong("groups-of-four", (OUT, "x.reshape(*leading, -1, 4)"), says="your code makes groups of four numbers. Their size follows from `num_groups`.")
wrong("float-size", (OUT, "x.reshape(*leading, num_groups, width / num_groups)"), says="a shape holds whole numbers, but `/` gives a float. Divide with `//`.")
wrong("not-divided", (OUT, "x.reshape(*leading, num_groups, width)"), says="the last axis of your new shape is as long as before, so the numbers do not suffice. It is shared out among the groups.")
wrong("leading-axis-doubled", (OUT, f"x.reshape(*x.shape, num_groups, {K})"), says="your new shape keeps the old last axis and adds two more, so the numbers do not suffice. The two take its place.")
wrong("leading-unpacked-missing", (OUT, f"x.reshape(leading, num_groups, {K})"), says="your new shape holds a list (or tuple) of lengths inside it. A shape is one flat tuple: join the pieces, or unpack with `*`.")
wrong("leading-tuple", (OUT, f"x.reshape(tuple(leading), num_groups, {K})"), says="your new shape holds a list (or tuple) of lengths inside it. A shape is one flat tuple: join the pieces, or unpack with `*`.")
wrong("new-axis-only", (OUT, "x[..., None, :]"), says="your output has a new axis of length 1 and nothing is split. Its length should be `num_groups`.")
wrong("trailing-axis-only", (OUT, "x[..., None]"), says="your output has a new last axis of length 1 and nothing is split. The last axis becomes two, g and k.")
wrong("copies", (OUT, "np.repeat(x[..., None, :], num_groups, axis=-2)"), says="each of your groups holds a copy of the whole vector. The vector is shared out among them.")
wrong("unchanged", (OUT, "x"), says="your output is `x` as it was: nothing is split, or the groups are joined again along the last axis. They need an axis of their own.")
wrong("copied", (OUT, "x.copy()"), says="your output is `x` as it was: nothing is split, or the groups are joined again along the last axis. They need an axis of their own.")
wrong("summed", (OUT, f"{OUT}.sum(-1)"), says="the numbers of each group are summed. Keep them: the output has shape (..., g, k).")
wrong("averaged", (OUT, f"{OUT}.mean(-1)"), says="the numbers of each group are averaged. Keep them: the output has shape (..., g, k).")
wrong("first-group", (OUT, f"x[..., : {K}]"), says="your output holds the first group only.")
wrong("groups-reversed", (OUT, f"{OUT}[..., ::-1, :]"), says="your groups stand in reverse order. Group 0 holds the first k numbers.")
wrong("numbers-reversed", (OUT, f"{OUT}[..., ::-1]"), says="the numbers in each group stand in reverse order.")
wrong("sorted", (OUT, f"np.sort({OUT}, axis=-1)"), says="the numbers in each group are sorted. They keep their order.")
wrong("list-of-groups", (OUT, "np.split(x, num_groups, axis=-1)"), says="your output is a list of arrays, one a group. Return one array with the groups on the last axis but one.")
wrong("split-along-the-first-axis", (OUT, "np.split(x, num_groups)"), says="your code splits the first axis, and gives a list. It is the last axis that is to be split, and one array to be returned.")
wrong("split-and-stacked-along-the-first-axis", (OUT, "np.stack(np.split(x, num_groups, axis=0), axis=-2)"), says="your code splits the first axis. It is the last axis that is to be split.")
wrong("list", (OUT, f"{OUT}.tolist()"), says="your output is a Python list. Return a NumPy array.")
wrong("flattened", (OUT, "x.ravel()"), says="your output is one long row of numbers. Return (..., g, k).")
wrong("extra-axis", (OUT, f"{OUT}[None]"), says="your output has a first axis of length 1 too many. Return (..., g, k).")
wrong("squeezed", (OUT, f"np.squeeze({OUT})"), says="axes of length 1 are squeezed away. A single group still has its axis.")
wrong("two-things", (OUT, f"({OUT}, num_groups)"), says="your function returns two things. Return the array alone.")
wrong("array-and-size", (OUT, f"({OUT}, {K})"), says="your function returns two things. Return the array alone.")
wrong("shape-only", (OUT, f"(*leading, num_groups, {K})"), says="your function returns the new shape. Return the array in that shape.")
wrong("in-place", (OUT, f"[setattr(x, 'shape', (*leading, num_groups, {K})), x][1]"), says="your function gives its argument `x` another shape in place. The caller's array must stay as it was: reshape a view or a copy.")
wrong("resized-in-place", (OUT, f"[x.resize((*leading, num_groups, {K}), refcheck=False), x][1]"), says="your function gives its argument `x` another shape in place. The caller's array must stay as it was: reshape a view or a copy.")
wrong("whole-numbers", (OUT, f"{OUT}.astype(int)"), says="your numbers are cut to whole numbers. Only the shape should change.")
wrong("half-precision", (OUT, f"{OUT}.astype(np.float16)"), says="your numbers are cut down to 16 bits. Only the shape should change.")
wrong("zeros", (OUT, f"np.zeros((*leading, num_groups, {K}))"), says="your output is all zeros: it is made, but never filled.")
wrong("first-vector-only", (OUT, f"np.broadcast_to(x.reshape(-1, width)[0].reshape(num_groups, {K}), (*leading, num_groups, {K}))"),
      says="every row of your output holds the groups of the first row.")
wrong("group-off-by-one", (OUT, f"np.roll(x, -1, axis=-1).reshape(*leading, num_groups, {K})"), says="your groups begin one number too late: group 0 begins with number 0.")
wrong("nothing-returned", (f"return {OUT}", OUT), says="your function ends without giving anything back: is a `return` missing?")

@wrong("overlapping", says="your groups overlap: each begins one number after the one before. Group i begins at number i·k.")
def overlapping(x, num_groups):
    k = x.shape[-1] // num_groups
    return np.stack([x[..., i : i + k] for i in range(num_groups)], axis=-2)

wrong("four-groups", (OUT, "x.reshape(*leading, 4, -1)"), says="your code makes four groups. It should make `num_groups`.")
wrong("two-groups-by-minus-one", (OUT, "x.reshape(*leading, 2, -1)"), says="your code makes two groups. It should make `num_groups`.")
wrong("three-groups-by-minus-one", (OUT, "x.reshape(*leading, 3, -1)"), says="your code makes three groups. It should make `num_groups`.")
wrong("split-along-the-first-axis-and-joined", (OUT, "np.array(np.split(x, num_groups, axis=0))"), says="your code splits the first axis. (`np.split` does, unless it is told otherwise.) It is the last axis that is to be split.")
wrong("groups-swapped-to-the-front", (OUT, f"{OUT}.swapaxes(0, -2)"), says="your groups have changed places with the first axis. They belong on the last axis but one, behind all leading axes.")
wrong("all-axes-reversed", (OUT, f"{OUT}.T"), says="all axes of your output stand in reverse order. Return (..., g, k).")
wrong("backwards-of-that-size", (OUT, "x[..., ::-1].reshape(*leading, -1, num_groups)"),
      says=two_things("you make groups *of* `num_groups` numbers, where `num_groups` says how many groups there are.", "the numbers stand in reverse order, from the last to the first."))
wrong("all-axes-reversed-of-that-size", (OUT, "x.reshape(*leading, -1, num_groups).T"), says="two things at once. You make groups *of* `num_groups` numbers, where `num_groups` says how many groups there are. And all axes stand in reverse order.")
wrong("rows-of-that-size", (OUT, "x.reshape(-1, num_groups)"), says="your output has two axes only: all numbers are cut into rows *of* `num_groups` numbers. Leading axes stay as they are, and `num_groups` says how many groups there are.")
wrong("first-numbers", (OUT, "x[..., :num_groups]"), says="your output holds the first `num_groups` numbers of each row. All of them are kept, in `num_groups` groups.")
wrong("first-group-repeated", (OUT, f"np.stack([x[..., : {K}]] * num_groups, axis=-2)"), says="each of your groups holds the first k numbers. Group i begins at number i·k.")
wrong("group-too-short", (OUT, f"{OUT}[..., :-1]"), says="each of your groups is one number too short. Does a slice of yours end one too early?")
wrong("group-missing", (OUT, f"{OUT}[..., :-1, :]"), says="the last group is missing. Does a loop of yours end one too early?")
wrong("sorted-rows", (OUT, f"np.sort(x, axis=-1).reshape(*leading, num_groups, {K})"), says="the numbers are sorted before they are grouped. They keep their order.")
wrong("all-reversed", (OUT, f"{OUT}[..., ::-1, ::-1]"), says="your numbers stand in reverse order, from the last to the first.")
wrong("first-item-only", (OUT, f"{OUT}[0]"), says="your output holds the first item only: an axis is missing.")
wrong("first-axis-counted", (OUT, "x.reshape(len(x) // num_groups, num_groups, -1)"), says="your code divides the length of the *first* axis by `num_groups`. It is the last axis that is to be split.")
wrong("first-axis-counted-2", (OUT, "x.reshape(num_groups, len(x) // num_groups, -1)"), says="your code divides the length of the *first* axis by `num_groups`. It is the last axis that is to be split.")
wrong("wrong-leading", (OUT, "x.reshape(*x.shape[1:], num_groups, -1)"), says="your new shape begins with `x.shape[1:]`, all lengths but the first. Keep all but the last.")
wrong("booleans", (OUT, f"{OUT} > 0"), says="your output holds True and False. Only the shape should change.")
wrong("groups-on-axis-one", (OUT, f"np.moveaxis({OUT}, -2, 1)"), says="your groups are on axis 1. They belong on the last axis but one, which is axis 1 only where there is exactly one leading axis.")
wrong("leading-reversed", (OUT, f"x.reshape(*leading[::-1], num_groups, {K})"), says="your new shape holds the lengths of the leading axes in reverse order. They stay as they are.")
wrong("one-group-too-many", (OUT, "np.stack([x[..., i * (width // (num_groups + 1)) : (i + 1) * (width // (num_groups + 1))] for i in range(num_groups + 1)], axis=-2)"), says="your output has one group too many, and each is too short.")
wrong("dealt-out-reversed", (OUT, "np.stack([x[..., i::num_groups] for i in range(num_groups)][::-1], axis=-2)"), says=two_things("the numbers are dealt out to the groups in turn, like cards.", "your groups stand in reverse order."))

@right
def minus_one(x, num_groups):
    return x.reshape((*x.shape[:-1], num_groups, -1))

@right
def split_and_stacked(x, num_groups):
    return np.stack(np.split(x, num_groups, axis=-1), axis=-2)

@right
def loop_over_groups(x, g):
    k = x.shape[-1] // g
    out = np.empty((*x.shape[:-1], g, k))
    for i in range(g):
        out[..., i, :] = x[..., i * k : (i + 1) * k]
    return out

@right
def row_by_row(x, num_groups):
    return np.apply_along_axis(lambda row: row.reshape(num_groups, -1), -1, x)

@right
def in_place_on_a_copy(x, num_groups):
    out = x.copy()
    out.shape = (*x.shape[:-1], num_groups, x.shape[-1] // num_groups)
    return out

@right
def merged_and_restored(x, num_groups):
    rows = x.reshape(-1, num_groups, x.shape[-1] // num_groups)
    return np.reshape(rows, x.shape[:-1] + rows.shape[1:])

@right
def by_index(x, num_groups):
    k = x.shape[-1] // num_groups
    return x[..., np.arange(num_groups)[:, None] * k + np.arange(k)]

@right
def dealt_from_the_other_side(x, num_groups):
    return np.moveaxis(np.array_split(x, num_groups, axis=-1), 0, -2)

@truth
def by_torch(x, num_groups):
    import torch
    return torch.stack(torch.chunk(torch.from_numpy(x), num_groups, dim=-1), dim=-2).numpy()

@truth
def by_counting(x, num_groups):
    k = x.shape[-1] // num_groups
    out = np.empty((*x.shape[:-1], num_groups, k))
    for place in np.ndindex(out.shape):
        out[place] = x[(*place[:-2], place[-2] * k + place[-1])]
    return out
