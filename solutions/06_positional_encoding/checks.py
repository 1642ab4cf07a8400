"""What the checks of unit 06 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% exercise="sinusoidal_positions" part="library"
import copy
import math
from typing import Any

import torch
from torch import Tensor, nn


def sinusoidal_positions(max_len: int, d_model: int) -> Tensor:
    """The points of PyTorch's `polar` on the unit circle, one turning hand for each pair of columns."""
    pairs = (d_model + 1) // 2
    slowness = torch.logspace(0, 8 * (pairs - 1) / d_model, pairs, dtype=torch.float64)
    angles = torch.outer(torch.arange(max_len, dtype=torch.float64), 1 / slowness)
    hands = torch.view_as_real(torch.polar(torch.ones_like(angles), angles))
    return hands.flip(-1).flatten(1)[:, :d_model].float()

# %% exercise="sinusoidal_positions" part="variants"
@cases(dict(max_len=12, half=4), dict(max_len=5, half=8), low=3, high=24)
def even(rng, max_len, half):
    """{max_len} positions, an even d_model (2·{half})"""
    return dict(max_len=max_len, d_model=2 * half)

@cases(dict(max_len=9, half=3), dict(max_len=4, half=7), low=3, high=24)
def odd(rng, max_len, half):
    """{max_len} positions, an odd d_model (2·{half} + 1)"""
    return dict(max_len=max_len, d_model=2 * half + 1)

@cases(dict(max_len=100, d_model=4), hidden=[dict(max_len=115, d_model=10)])
def long(rng, max_len, d_model):
    """{max_len} positions, d_model = {d_model}"""
    return dict(max_len=max_len, d_model=d_model)

@cases()
def thousands(rng):
    """2100 positions, d_model = 2"""
    return dict(max_len=2100, d_model=2)

POSITION, EXPONENT, ANGLES = "torch.arange(max_len).unsqueeze(1)", "torch.arange(0, d_model, 2) / d_model", "position / 10000**exponent"
EVEN, ODD, RETURN = "table[:, 0::2] = torch.sin(angles)", "table[:, 1::2] = torch.cos(angles[:, : d_model // 2])", "return table"

# A mistake of each family, and two together: how fast a column turns, where it stands, where positions begin.
speeds = {
    "exponent-per-column": (lambda c, d: 10000.0 ** (-c / d), "each of your columns has a frequency of its own. Columns 2j and 2j+1 share one: the number of the pair counts, not the number of the column."),
    "exponent-without-two": (lambda c, d: 10000.0 ** (-(c // 2) / d), "your waves slow down too little, as with the exponent j/d_model (or with base 100). The formula asks for 10000^(2j/d_model)."),
    "exponent-twice-too-large": (lambda c, d: 10000.0 ** (-4 * (c // 2) / d), "your exponent is twice too large, 4j/d_model (or 2j over half of d_model); the formula asks for 2j/d_model."),
    "pairs-from-one": (lambda c, d: 10000.0 ** (-(2 * (c // 2) + 2) / d), "your pairs are counted from j = 1. They are counted from 0: in the first two columns the exponent is 0, and position 1 holds sin(1) and cos(1)."),
    "exponent-per-column-doubled": (lambda c, d: 10000.0 ** (-2 * c / d), "each of your columns has a frequency of its own, with the exponent 2·column/d_model. Columns 2j and 2j+1 share one: the exponent is 2j/d_model for both, and j is the number of the pair."),
    "remainder": (lambda c, d: 10000.0 ** (-2 * (c % 2) / d), "your table has two frequencies only, one for even and one for odd columns. Each pair of columns has its own: j is the quotient of the column and 2, not the remainder."),
    "columns-from-one": (lambda c, d: 10000.0 ** (-(c + 1) / d), "each of your columns has a frequency of its own, and columns are counted from 1. Columns 2j and 2j+1 share one frequency, with j from 0."),
    "over-d-minus-two": (lambda c, d: 10000.0 ** (-2 * (c // 2) / (d - 2)), "your exponents are a little too large: they run over d_model − 2 (or j over the number of pairs less 1), which ends at exactly 10000. Some libraries do so; the formula here divides by d_model."),
    "over-d-minus-one": (lambda c, d: 10000.0 ** (-2 * (c // 2) / (d - 1)), "your exponents are divided by d_model − 1; the formula divides by d_model, odd or even."),
    "over-d-plus-one": (lambda c, d: 10000.0 ** (-2 * (c // 2) / (d + 1)), "your exponents are divided by d_model + 1; the formula divides by d_model, odd or even."),
    "multiplied": (lambda c, d: 10000.0 ** (2 * (c // 2) / d), "your positions are multiplied by 10000^(2j/d_model); the formula divides. Your later columns turn faster and faster, they should turn more and more slowly."),
    "base-1000": (lambda c, d: 1000.0 ** (-2 * (c // 2) / d), "your base is 1000; the formula's is 10000."),
    "base-100000": (lambda c, d: 100000.0 ** (-2 * (c // 2) / d), "your base is 100000; the formula's is 10000."),
    "base-10": (lambda c, d: 10.0 ** (-2 * (c // 2) / d), "your base is 10; the formula's is 10000."),
    "base-e": (lambda c, d: np.exp(-2 * (c // 2) / d), "your slowness is exp(2j/d_model); in the formula it is 10000^(2j/d_model). Is the logarithm of 10000 missing?"),
    "log-base-ten": (lambda c, d: np.exp(-2 * (c // 2) / d * 4), "you take the logarithm of 10000 to base 10, which is 4, and then `exp`. The two must belong together: natural logarithm and `exp`, or powers of 10."),
    "log-base-two": (lambda c, d: np.exp(-2 * (c // 2) / d * np.log2(10000.0)), "you take the logarithm of 10000 to base 2 and then `exp`. The two must belong together: natural logarithm and `exp`, or powers of 2."),
    "one-frequency": (lambda c, d: np.ones(len(c)), "all your columns turn equally fast, as fast as the first pair. Each pair is slower than the one before it: is your exponent an integer division, or does it lack j?"),
    "linear-frequencies": (lambda c, d: 1 / (1 + 10000.0 * 2 * (c // 2) / d), "the slowness of your pairs grows by equal steps; in the formula it grows by equal factors: 10000 is raised to a power."),
    "not-divided-by-d": (lambda c, d: 10000.0 ** (-2.0 * (c // 2)), "your exponent is 2j; the formula's is 2j/d_model. All your pairs but the first hardly move."),
    "divided-by-512": (lambda c, d: 10000.0 ** (-2 * (c // 2) / 512), "your exponent is 2j/512 whatever `d_model` is. 512 is the paper's choice; divide by the argument."),
    "divided-by-64": (lambda c, d: 10000.0 ** (-2 * (c // 2) / 64), "your exponent is 2j/64 whatever `d_model` is. Divide by the argument."),
    "divided-by-4": (lambda c, d: 10000.0 ** (-2 * (c // 2) / 4), "your exponent is 2j/4 whatever `d_model` is. In the example `d_model` is 4; divide by the argument."),
    "root-of-d": (lambda c, d: 10000.0 ** (-2 * (c // 2) / np.sqrt(d)), "your exponents are divided by √d_model; the formula divides by d_model."),
    "reversed": (lambda c, d: 10000.0 ** (-2 * ((d - 1) // 2 - c // 2) / d), "your pairs stand in the reverse order: the fastest comes first."),
    "cosine-one-pair-late": (lambda c, d: 10000.0 ** (-2 * ((c + 1) // 2) / d), "your cosines have the frequency of the next pair. Columns 2j and 2j+1 share one frequency."),
}
layouts = {
    "halves": (lambda d: (np.r_[0:d:2, 1:d:2], "sc"), "your first half holds the sines and your second half the cosines. Here they take turns: column 0 is a sine, column 1 a cosine, column 2 a sine."),
    "cosine-first": (lambda d: (np.arange(d), "cs"), "your even columns hold cosines and your odd ones sines: they have changed places. Column 0 is a sine, and so 0 at position 0."),
    "halves-cosine-first": (lambda d: (np.r_[1:d:2, 0:d:2], "sc"), "your first half holds the cosines and your second half the sines. Here they take turns, sine first: column 0 is a sine, column 1 a cosine, column 2 a sine."),
    "sines-only": (lambda d: (np.arange(d), "ss"), "all your columns are sines. The odd ones should be cosines."),
    "cosines-only": (lambda d: (np.arange(d), "cc"), "all your columns are cosines. The even ones should be sines."),
}
begins = {
    "positions-from-one": (lambda p, n: p + 1, "your positions are counted from 1. They are counted from 0: the first row is sin(0), cos(0), ..., that is 0, 1, 0, 1, ..."),
    "positions-reversed": (lambda p, n: n - 1 - p, "your rows stand in the reverse order: row 0 belongs to position 0."),
    "positions-over-length": (lambda p, n: p / n, "your positions are divided by `max_len`. Then a place has another vector in a longer table; the formula takes p itself."),
    "positions-over-last": (lambda p, n: p / (n - 1), "your positions are divided by `max_len − 1`. Then a place has another vector in a longer table; the formula takes p itself."),
    "degrees": (lambda p, n: np.deg2rad(p), "your angles are taken as degrees and converted; the formula's are radians already, which is what `sin` and `cos` take."),
    "whole-turns": (lambda p, n: 2 * np.pi * p, "your angles are multiplied by 2π. The formula has no π: its first pair turns once in 6.28 positions."),
    "half-turns": (lambda p, n: np.pi * p, "your angles are multiplied by π. The formula has no π: its first pair turns once in 6.28 positions."),
}

def table_maker(speed="", layout="", begin=""):
    def sinusoidal_positions(max_len, d_model):
        order, kinds = layouts[layout][0](d_model) if layout else (np.arange(d_model), "sc")
        p = np.arange(max_len, dtype=float)
        p = begins[begin][0](p, max_len) if begin else p
        c = np.arange(d_model)
        w = speeds[speed][0](c, d_model) if speed else 10000.0 ** (-2 * (c // 2) / d_model)
        angles = p[:, None] * w
        wave = {"s": np.sin(angles), "c": np.cos(angles)}
        return torch.from_numpy(np.where(c % 2 == 0, wave[kinds[0]], wave[kinds[1]])[:, order].astype("float32"))
    return sinusoidal_positions

for name, (_, says) in speeds.items():
    wrong(name, says=says)(table_maker(speed=name))
for name, (_, says) in layouts.items():
    wrong(name, says=says)(table_maker(layout=name))
for name, (_, says) in begins.items():
    wrong(name, says=says)(table_maker(begin=name))

frequent = ["exponent-per-column", "exponent-without-two", "exponent-twice-too-large", "pairs-from-one", "over-d-minus-two", "multiplied", "base-1000", "one-frequency", "not-divided-by-d"]
for speed in frequent:
    for layout in ("halves", "cosine-first", "sines-only"):
        wrong(f"{speed}+{layout}", says=two_things(speeds[speed][1], layouts[layout][1]))(table_maker(speed=speed, layout=layout))
    if speed != "not-divided-by-d":
        wrong(f"{speed}+positions-from-one", says=two_things(speeds[speed][1], begins["positions-from-one"][1]))(table_maker(speed=speed, begin="positions-from-one"))
for start in ("whole-turns", "degrees", "positions-over-length", "positions-reversed"):
    for speed in ("exponent-per-column", "exponent-without-two"):
        wrong(f"{speed}+{start}", says=two_things(speeds[speed][1], begins[start][1]))(table_maker(speed=speed, begin=start))
    for layout in ("halves", "cosine-first"):
        wrong(f"{layout}+{start}", says=two_things(layouts[layout][1], begins[start][1]))(table_maker(layout=layout, begin=start))
for layout in layouts:
    wrong(f"{layout}+positions-from-one", says=two_things(layouts[layout][1], begins["positions-from-one"][1]))(table_maker(layout=layout, begin="positions-from-one"))

wrong("angles-only", (EVEN, "table[:, 0::2] = angles"), (ODD, "table[:, 1::2] = angles[:, : d_model // 2]"),
      says="your table holds the angles themselves. The even columns are their sines, the odd ones their cosines.")
wrong("power-of-the-quotient", (ANGLES, "(position / 10000) ** exponent"), says="you divide the position by 10000 first and raise the quotient to the power. Only 10000 has the exponent: p / 10000^(2j/d_model).")
wrong("divided-after-the-wave", (ANGLES, "position + 0 * exponent"), (EVEN, "table[:, 0::2] = torch.sin(angles) / 10000**exponent"), (ODD, "table[:, 1::2] = (torch.cos(angles) / 10000**exponent)[:, : d_model // 2]"), says="you divide after the sine and the cosine. The division belongs inside: first the angle p / 10000^(2j/d_model), then its sine or cosine.")
wrong("exponent-in-the-numerator", (ANGLES, "position / (10000 * exponent)"), says="you multiply 10000 by 2j/d_model and divide by the product, which is 0 for the first pair. 10000 is **raised to the power** 2j/d_model.")
wrong("precedence", (EXPONENT, "torch.arange(0.0, d_model, 2)"), (ANGLES, "position / (10000**exponent / d_model)"), says="you raise 10000 to the power 2j and divide the result by d_model: a matter of brackets. The whole exponent is 2j/d_model.")
wrong("transposed", (RETURN, "return table.T"), says="your table is transposed: a row for each column. A position is a row: shape (max_len, d_model).")
wrong("arguments-swapped", (POSITION, "torch.arange(d_model).unsqueeze(1)"), (EXPONENT, "torch.arange(0, max_len, 2) / max_len"), ("torch.zeros(max_len, d_model)", "torch.zeros(d_model, max_len)"), ("angles[:, : d_model // 2]", "angles[:, : max_len // 2]"),
      says="`max_len` and `d_model` have changed roles: your table has `d_model` positions of `max_len` numbers each.")
wrong("batch-axis", (RETURN, "return table.unsqueeze(0)"), says="your table has an extra axis in front, (1, max_len, d_model). Return (max_len, d_model); broadcasting adds the batch by itself.")
wrong("middle-axis", (RETURN, "return table.unsqueeze(1)"), says="your table has an extra axis in the middle, (max_len, 1, d_model), as for code that puts the sequence before the batch. Return (max_len, d_model).")
wrong("last-position-lost", (RETURN, "return table[:-1]"), says="your table has one position too few. Positions run from 0 to max_len − 1: that is max_len rows.")
wrong("first-position-lost", (RETURN, "return table[1:]"), says="your table begins at position 1 and has one row too few. Positions run from 0 to max_len − 1.")
wrong("one-position-more", (POSITION, "torch.arange(max_len + 1).unsqueeze(1)"), ("torch.zeros(max_len, d_model)", "torch.zeros(max_len + 1, d_model)"), says="your table has one position too many. Positions run from 0 to max_len − 1: that is max_len rows.")
wrong("last-row-zero", (RETURN, "table[-1] = 0; return table"), says="the last row of your table is left at 0. Does a loop of yours end one too early?")
wrong("first-row-zero", (RETURN, "table[0] = 0; return table"), says="the first row of your table is all zeros. At position 0 the sines are 0, but the cosines are 1. Does a loop of yours begin one too late?")
wrong("last-pair-zero", (RETURN, "table[:, 2 * ((d_model - 1) // 2) :] = 0; return table"), says="the last columns of your table are left at 0. Does a loop over the pairs end one too early?")
wrong("first-pair-only", (RETURN, "table[:, 2:] = 0; return table"), says="only the first two columns of your table are filled; the others are 0.")
wrong("odd-crashes", ("angles[:, : d_model // 2]", "angles"), says="your code works for an even `d_model` only. Where it is odd there is one sine more than there are cosines.")
wrong("odd-crashes-pairs-rounded-down", ("torch.arange(0, d_model, 2)", "2 * torch.arange(d_model // 2)"), ("angles[:, : d_model // 2]", "angles"), says="your code works for an even `d_model` only. Where it is odd there is one sine more than there are cosines.")
for text in ("torch.zeros(max_len, d_model)", "torch.empty(max_len, d_model)"):
    wrong(f"odd-crashes-by-transposed-table {text[6:11]}", ("torch.zeros(max_len, d_model)", text + "; angles = angles.numpy()"), (EVEN, "table = table.numpy(); table[:, 0::2] = np.sin(angles)"), (ODD, "table[:, 1::2] = np.cos(angles)"), (RETURN, "return torch.from_numpy(table)"),
          says="your code works for an even `d_model` only. Where it is odd there is one sine more than there are cosines.")
@wrong("odd-crashes-in-a-loop", says="your code works for an even `d_model` only. Where it is odd there is one sine more than there are cosines.")
def odd_crashes_in_a_loop(max_len, d_model):
    table = torch.zeros(max_len, d_model)
    for p in range(max_len):
        for i in range(0, d_model, 2):
            table[p, i] = math.sin(p / 10000 ** (i / d_model))
            table[p, i + 1] = math.cos(p / 10000 ** (i / d_model))
    return table

wrong("over-max-len", (EXPONENT, "torch.arange(0, d_model, 2) / max_len"), says="your exponents are divided by `max_len`; the formula divides by `d_model`.")
wrong("sines-left-cosines-right", (EVEN, "wave = angles.repeat_interleave(2, 1)[:, :d_model]; half = d_model // 2"), (ODD, "table[:, :half] = wave[:, :half].sin(); table[:, half:] = wave[:, half:].cos()"),
      says="your columns have the right frequencies, but the left half are all sines and the right half all cosines. They take turns, within each pair.")
wrong("odd-one-column-more", (RETURN, "return torch.stack([torch.sin(angles), torch.cos(angles)], dim=-1).flatten(1)"), says="where `d_model` is odd, your table has one column too many: the last sine has no cosine beside it.")
wrong("odd-one-column-less", (RETURN, "return table[:, : 2 * (d_model // 2)]"), says="where `d_model` is odd, your table has one column too few: the last column is a sine without its cosine.")
wrong("odd-last-column-zero", (RETURN, "table[:, 2 * (d_model // 2) :] = 0; return table"), says="where `d_model` is odd, the last column of your table is left at 0. It is a sine without its cosine.")
wrong("odd-last-column-cosine", (RETURN, "table[:, 2 * (d_model // 2) :] = torch.cos(angles[:, d_model // 2 :]); return table"), says="where `d_model` is odd, the last column of your table is a cosine. It is the sine of its pair.")
wrong("odd-made-even", (EXPONENT, "torch.arange(0, d_model, 2) / (d_model + d_model % 2)"), says="where `d_model` is odd, your exponents are divided by d_model + 1. They are divided by d_model itself, odd or even.")
wrong("odd-made-even-below", (EXPONENT, "torch.arange(0, d_model, 2) / (d_model - d_model % 2)"), says="where `d_model` is odd, your exponents are divided by d_model − 1 (is it halved by `//` first?). They are divided by d_model itself, odd or even.")
wrong("one-row-everywhere", (POSITION, "torch.full((max_len, 1), max_len)"), says="all rows of your table are the same: your angles do not depend on the position.")
wrong("first-row-everywhere", (POSITION, "torch.zeros(max_len, 1)"), says="all rows of your table are the one of position 0: your angles do not depend on the position.")
wrong("scaled-up", (RETURN, "return table * math.sqrt(d_model)"), says="your table is multiplied by √d_model. In `TransformerEmbedding` the token vectors will be; the positions are not.")
wrong("scaled-down", (RETURN, "return table / math.sqrt(d_model)"), says="your table is divided by √d_model. Its numbers run from −1 to 1, without any scale.")
wrong("unit-length", (RETURN, "return table / table.norm(dim=1, keepdim=True)"), says="your rows are scaled to length 1. The formula has no scale: the numbers run from −1 to 1.")
wrong("standardised", (RETURN, "return (table - table.mean()) / table.std()"), says="your table is shifted and scaled to mean 0 and spread 1. The formula has no scale: the numbers run from −1 to 1.")
wrong("from-zero-to-one", (RETURN, "return (table + 1) / 2"), says="your table is squeezed to numbers from 0 to 1. Sines and cosines run from −1 to 1; add no scale.")
wrong("parity-of-position", (RETURN, "odd = position % 2; return torch.where(odd == 0, torch.sin(angles.repeat_interleave(2, 1)), torch.cos(angles.repeat_interleave(2, 1)))[:, :d_model]"),
      says="your even **rows** are sines and your odd rows cosines. Whether a number is a sine or a cosine depends on its column.")
wrong("opposite-sines", (EVEN, "table[:, 0::2] = torch.sin(-angles)"), says="your sines have the opposite sign. Is there a minus in front of the position, instead of in the exponent?")
wrong("opposite-cosines", (ODD, "table[:, 1::2] = -torch.cos(angles[:, : d_model // 2])"), says="your cosines have the opposite sign.")
wrong("tangents", (ODD, "table[:, 1::2] = torch.tan(angles[:, : d_model // 2])"), says="your odd columns hold tangents; the formula asks for cosines.")
wrong("whole-numbers", (RETURN, "return table.long()"), says="your table is cut to whole numbers. Sines and cosines are floating-point numbers: what is the dtype of your table?")
wrong("integer-table", (RETURN, "return table.round()"), says="your table is rounded to whole numbers. Round only what you print.")
wrong("rounded", (RETURN, "return table.round(decimals=3)"), says="your table is rounded to three decimals. Round only what you print.")
wrong("rounded-2", (RETURN, "return table.round(decimals=2)"), says="your table is rounded to two decimals. Round only what you print.")
wrong("half-precision", (RETURN, "return table.half()"), says="your table is a little off everywhere, as numbers of 16 bits are. Make it in float32.")
wrong("half-precision-angles", (ANGLES, "(position / 10000**exponent).half()"), says="your angles are numbers of 16 bits: far from position 0 they are off by more than the waves are long. Compute them in float32.")
wrong("bfloat", (RETURN, "return table.bfloat16()"), says="your table has two or three good digits only, as bfloat16 has. Make it in float32.")
wrong("numpy", (RETURN, "return table.numpy()"), says="your table is a NumPy array. Return a PyTorch tensor.")
wrong("list", (RETURN, "return table.tolist()"), says="your table is a Python list. Return a PyTorch tensor of shape (max_len, d_model).")
wrong("rows-in-a-list", (RETURN, "return list(table)"), says="your output is a list of rows. Join them into one tensor of shape (max_len, d_model).")
wrong("flat", (RETURN, "return table.flatten()"), says="your output is one long row. Its shape should be (max_len, d_model).")
wrong("two-tables", (RETURN, "return torch.sin(angles), torch.cos(angles)"), says="your function returns two tables, one of sines and one of cosines. Return one, in which their columns take turns.")
wrong("angles-returned", (RETURN, "return torch.sin(angles)"), says="your table holds the sines only, half as many columns as it should have. The cosines stand between them.")
wrong("sum-of-both", (RETURN, "return (torch.sin(angles) + torch.cos(angles)).repeat_interleave(2, dim=1)[:, :d_model]"), says="you add the sine and the cosine of a pair. They stand side by side, in two columns.")
wrong("blocks-of-rows", (RETURN, "return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)[:, :d_model].reshape(max_len, 2, -1).transpose(1, 2).flatten(1) * 0 + torch.cat([torch.sin(angles).T, torch.cos(angles).T])[:d_model].reshape(max_len, d_model) if d_model % 2 == 0 else torch.cat([torch.sin(angles).T, torch.cos(angles).T])[:d_model].reshape(max_len, d_model)"),
      says="your numbers are right but stand in the wrong places: a `reshape` has mixed positions and columns. `reshape` never swaps axes.")
wrong("nothing-returned", (RETURN, "table"), says="your function ends without giving anything back: is a `return` missing?")
wrong("printed", (RETURN, "print(table)"), says="your function ends without giving anything back: is a `return` missing?")

@right
def exponentials(max_len, d_model):
    pe = torch.zeros(max_len, d_model)
    position = torch.arange(0, max_len, dtype=torch.float).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
    pe[:, 0::2] = torch.sin(position * div_term)
    pe[:, 1::2] = torch.cos(position * div_term[: d_model // 2])
    return pe

@right
def entry_by_entry(max_len, d_model):
    table = torch.zeros((max_len, d_model), dtype=torch.float64)
    for p in range(max_len):
        for column in range(d_model):
            angle = p / 10000 ** (2 * (column // 2) / d_model)
            table[p, column] = math.sin(angle) if column % 2 == 0 else math.cos(angle)
    return table

@right
def stacked(max_len, d_model):
    pairs = (d_model + 1) // 2
    angles = torch.outer(torch.arange(max_len).float(), 10000.0 ** (-2.0 * torch.arange(pairs) / d_model))
    return torch.stack((angles.sin(), angles.cos()), dim=-1).reshape(max_len, 2 * pairs)[:, :d_model]

@right
def shifted_sine(max_len, d_model):
    column = torch.arange(d_model)
    angles = torch.arange(max_len)[:, None] / torch.pow(10000, (column - column % 2) / d_model)
    return torch.sin(angles + (column % 2) * math.pi / 2)

@right
def by_numpy(n, d):
    k = np.arange(d)[np.newaxis, :]
    angles = np.arange(n)[:, np.newaxis] / np.power(10000, (2 * (k // 2)) / np.float32(d))
    angles[:, 0::2] = np.sin(angles[:, 0::2])
    angles[:, 1::2] = np.cos(angles[:, 1::2])
    return torch.tensor(angles, dtype=torch.float32)

@right
def comprehension(max_len, d_model):
    def wave(p, column):
        angle = p * 10000.0 ** -(column // 2 * 2 / d_model)
        return [math.sin, math.cos][column % 2](angle)
    return torch.tensor([[wave(p, column) for column in range(d_model)] for p in range(max_len)])

@right
def where(max_len, d_model):
    columns = torch.arange(d_model, dtype=torch.float32)
    angles = torch.einsum("p,c->pc", torch.arange(max_len, dtype=torch.float32), torch.exp2(-math.log2(10000) * 2 * (columns // 2) / d_model))
    return torch.where(columns % 2 == 0, angles.sin(), angles.cos())

@right
def column_by_column(max_len, d_model):
    columns = []
    p = torch.arange(max_len)
    for j in range(0, d_model, 2):
        columns.append(torch.sin(p / 10000 ** (j / d_model)))
        if j + 1 < d_model:
            columns.append(torch.cos(p / 10000 ** (j / d_model)))
    return torch.stack(columns, dim=1)

@truth
def turning_hands(max_len, d_model):
    """Each hand turned step by step, by complex multiplication in float64."""
    j = np.arange((d_model + 1) // 2)
    step = np.exp(1j * np.power(10000.0, -2 * j / d_model))
    hands = np.cumprod(np.vstack([np.ones(len(j), complex)] + [step] * (max_len - 1)), axis=0)
    table = np.empty((max_len, 2 * len(j)))
    table[:, 0::2], table[:, 1::2] = hands.imag, hands.real
    return torch.from_numpy(table[:, :d_model].astype("float32"))

# %% exercise="shift_matrix" part="library"
def shift_matrix(offset: int, d_model: int) -> Tensor:
    """PyTorch's matrix exponential of the matrix that says how an encoding changes from place to place."""
    pairs = d_model // 2
    speeds = torch.zeros(d_model - 1, dtype=torch.float64)  # every other one is 0: nothing flows between pairs
    speeds[0::2] = torch.logspace(0, -8 * (pairs - 1) / d_model, pairs, dtype=torch.float64)
    return torch.matrix_exp(offset * (torch.diag(speeds, -1) - torch.diag(speeds, 1))).float()

# %% exercise="shift_matrix" part="variants"
without("again", because="both arguments are numbers, and one of them is even")

@cases(dict(offset=3, half=2), dict(offset=2, half=5))
def forward(rng, offset, half):
    """offset {offset}, d_model = 2·{half}"""
    return dict(offset=offset, d_model=2 * half)

@cases(dict(places=2, half=3), dict(places=5, half=4))
def backward(rng, places, half):
    """offset −{places}, d_model = 2·{half}"""
    return dict(offset=-places, d_model=2 * half)

@cases(dict(offset=4, half=3))
def there_and_back(rng, offset, half):
    """offset {offset}, and after it −{offset}, d_model = 2·{half}"""
    return [dict(offset=offset, d_model=2 * half), dict(offset=-offset, d_model=2 * half)]

@cases(dict(half=3))
def nowhere(rng, half):
    """offset 0, d_model = 2·{half}"""
    return dict(offset=0, d_model=2 * half)

@cases(dict(offset=45, half=4), hidden=[dict(offset=71, half=6)])
def far(rng, offset, half):
    """offset {offset}, d_model = 2·{half}"""
    return dict(offset=offset, d_model=2 * half)

def pair_speeds(d):
    return 10000.0 ** (-np.arange(0, d, 2) / d)

# What a block does with its angle, and how fast its pair turns.
blocks = {
    "transposed": (lambda s, c: [[c, s], [-s, c]], "your matrix moves every position the opposite way: `positions[p] @` your matrix is `positions[p - offset]`. It is the transpose of the expected one, as for column vectors. Here a position is a row and stands to the left of the matrix."),
    "both-sines-plus": (lambda s, c: [[c, s], [s, c]], "both sines of your blocks have a plus. One of the two formulas has a minus."),
    "both-sines-minus": (lambda s, c: [[c, -s], [-s, c]], "both sines of your blocks have a minus. Only one of the two formulas has one."),
    "sines-on-the-diagonal": (lambda s, c: [[s, c], [c, -s]], "sines and cosines have changed places in your blocks. For offset 0 the matrix must be the identity: the cosines stand on the diagonal."),
    "sines-on-the-diagonal-2": (lambda s, c: [[s, c], [-c, s]], "sines and cosines have changed places in your blocks. For offset 0 the matrix must be the identity: the cosines stand on the diagonal."),
    "sines-on-the-diagonal-3": (lambda s, c: [[s, -c], [c, s]], "sines and cosines have changed places in your blocks. For offset 0 the matrix must be the identity: the cosines stand on the diagonal."),
    "columns-swapped": (lambda s, c: [[-s, c], [c, s]], "the two columns of your blocks have changed places: the sine of the new position comes first, then its cosine. For offset 0 the matrix must be the identity."),
    "mirrored": (lambda s, c: [[c, s], [s, -c]], "the minus of your blocks stands at a cosine, on the diagonal. It belongs to one of the sines; for offset 0 the matrix must be the identity."),
    "mirrored-2": (lambda s, c: [[-c, s], [s, c]], "the minus of your blocks stands at a cosine, on the diagonal. It belongs to one of the sines; for offset 0 the matrix must be the identity."),
    "cosines-only": (lambda s, c: [[c, 0], [0, c]], "your matrix has numbers on the diagonal only: the sines are missing. A turned hand needs both of its old numbers for each new one."),
    "sines-only": (lambda s, c: [[0, -s], [s, 0]], "your matrix has no numbers on the diagonal: the cosines are missing."),
    "one-sine-missing": (lambda s, c: [[c, 0], [s, c]], "in your blocks the sine in the upper right corner is missing: the new cosine needs the old sine too."),
    "other-sine-missing": (lambda s, c: [[c, -s], [0, c]], "in your blocks the sine in the lower left corner is missing: the new sine needs the old cosine too."),
    "sine-for-diagonal": (lambda s, c: [[s, 0], [0, c]], "your matrix multiplies sines by a sine and cosines by a cosine. A turned hand needs both of its old numbers for each new one: there are numbers beside the diagonal too."),
    "negative": (lambda s, c: [[-c, s], [-s, -c]], "your matrix has the opposite sign everywhere. For offset 0 it must be the identity."),
    "angle-added": (lambda s, c: [[s + c, 0], [0, c - s]], "your blocks have sums on the diagonal. Each of the four products in the two formulas has an entry of its own."),
}
speeds = {
    "one-frequency": (lambda d: np.ones(d // 2), "all your blocks turn by the same angle. Each pair has its own frequency."),
    "exponent-without-two": (lambda d: 10000.0 ** (-np.arange(d // 2) / d), "your exponent is j/d_model; pair j has the frequency 1/10000^(2j/d_model)."),
    "exponent-twice-too-large": (lambda d: 10000.0 ** (-2 * np.arange(0, d, 2) / d), "your exponent is twice too large: pair j has the frequency 1/10000^(2j/d_model)."),
    "pairs-from-one": (lambda d: 10000.0 ** (-np.arange(2, d + 2, 2) / d), "your pairs are counted from j = 1. They are counted from 0: the first block turns by `offset` itself."),
    "multiplied": (lambda d: 10000.0 ** (np.arange(0, d, 2) / d), "your frequencies grow from pair to pair: you multiply by 10000^(2j/d_model) where the formula divides."),
    "base-1000": (lambda d: 1000.0 ** (-np.arange(0, d, 2) / d), "your base is 1000; the formula's is 10000."),
    "over-d-minus-two": (lambda d: 10000.0 ** (-np.arange(0, d, 2) / (d - 2)), "your exponents run over d_model − 2; the formula divides by d_model."),
    "not-divided-by-d": (lambda d: 10000.0 ** (-np.arange(0.0, d, 2)), "your first block turns, and the others hardly do or not at all. Either the exponent lacks its division by d_model, or the angles of the other pairs are missing."),
    "log-base-ten": (lambda d: np.exp(-4.0 * np.arange(0, d, 2) / d), "you take the logarithm of 10000 to base 10 and then `exp`. The two must belong together."),
    "reversed": (lambda d: pair_speeds(d)[::-1], "your blocks stand in the reverse order: the fastest pair comes first."),
    "degrees": (lambda d: np.deg2rad(pair_speeds(d)), "your angles are taken as degrees and converted; they are radians already."),
    "whole-turns": (lambda d: 2 * np.pi * pair_speeds(d), "your angles are multiplied by 2π. The formula has no π."),
}
offsets = {
    "one-step": (lambda k: 1, "your matrix always moves by one place, whatever `offset` is."),
    "absolute": (abs, "your matrix moves forward for a negative `offset` too: the sign is lost."),
    "one-more": (lambda k: k + 1, "your matrix moves one place too far. For offset 0 it must be the identity."),
    "one-less": (lambda k: k - 1, "your matrix moves one place too little. For offset 0 it must be the identity."),
    "twice": (lambda k: 2 * k, "your matrix moves by twice the offset."),
    "forward-only": (lambda k: max(k, 0), "your matrix does nothing for a negative `offset`. It should move back."),
    "half": (lambda k: k / 2, "your matrix moves by half of the offset."),
    "nothing": (lambda k: 0, "your matrix is the identity whatever `offset` is."),
}

def matrix_maker(block="", speed="", moved=""):
    def shift_matrix(offset, d_model):
        k = offsets[moved][0](offset) if moved else offset
        angles = k * (speeds[speed][0](d_model) if speed else pair_speeds(d_model))
        found = np.zeros((d_model, d_model))
        for j, angle in enumerate(angles):
            s, c = np.sin(angle), np.cos(angle)
            found[2 * j : 2 * j + 2, 2 * j : 2 * j + 2] = blocks[block][0](s, c) if block else [[c, -s], [s, c]]
        return torch.from_numpy(found.astype("float32"))
    return shift_matrix

for name, (_, says) in blocks.items():
    wrong(name, says=says)(matrix_maker(block=name))
for name, (_, says) in speeds.items():
    wrong(name, says=says)(matrix_maker(speed=name))
for name, (_, says) in offsets.items():
    wrong(name, says=says)(matrix_maker(moved=name))
for block in ("transposed", "both-sines-plus", "cosines-only"):
    for speed in ("one-frequency", "exponent-without-two", "exponent-twice-too-large", "pairs-from-one", "multiplied", "base-1000", "over-d-minus-two", "reversed"):
        wrong(f"{block}+{speed}", says=two_things(blocks[block][1], speeds[speed][1]))(matrix_maker(block=block, speed=speed))
    for moved in ("one-step", "absolute"):
        if (block, moved) != ("cosines-only", "absolute"):
            wrong(f"{block}+{moved}", says=two_things(blocks[block][1], offsets[moved][1]))(matrix_maker(block=block, moved=moved))

CORNERS = [("matrix[sine, sine] =", "matrix[{0}, {0}] ="), ("matrix[cosine, cosine] =", "matrix[{1}, {1}] ="), ("matrix[cosine, sine] =", "matrix[{1}, {0}] ="), ("matrix[sine, cosine] =", "matrix[{0}, {1}] =")]
HALVES = [(old, new.format("sine // 2", "d_model // 2 + sine // 2")) for old, new in CORNERS]
wrong("halves", *HALVES, says="your matrix fits a table whose first half are sines and whose second half are cosines. Here they take turns: each block covers two neighbouring columns.")
wrong("halves-transposed", *HALVES, ("= torch.sin(angle)", "= -torch.sin(angle)"), ("] = -torch.sin(angle)\n    return", "] = torch.sin(angle)\n    return"),
      says="your matrix fits a table whose first half are sines and whose second half are cosines, and it moves the opposite way. Here they take turns: each block covers two neighbouring columns; and a position is a row.")
wrong("cosine-per-column", ("matrix[cosine, cosine] = torch.cos(angle)", "matrix[cosine, cosine] = torch.cos(offset / 10000 ** (cosine / d_model))"),
      says="on your diagonal each column has a frequency of its own. A pair shares one, and so its cosine stands there twice.")
wrong("frequency-per-column", ("matrix[cosine, cosine] = torch.cos(angle)", "other = offset / 10000 ** (cosine / d_model); matrix[cosine, cosine] = torch.cos(other)"), ("= -torch.sin(angle)", "= -torch.sin(other)"),
      says="the two columns of your blocks have different frequencies. A pair shares one.")
RETURN = "return matrix"
wrong("first-block-only", (RETURN, "matrix[2:] = 0; return matrix"), says="only your first block is filled; the others are 0. There is one for each pair of columns.")
wrong("first-block-only-identity", (RETURN, "matrix[2:] = torch.eye(d_model)[2:]; return matrix"), says=speeds["not-divided-by-d"][1])
wrong("last-block-lost", (RETURN, "matrix[-2:] = 0; return matrix"), says="your last block is missing. Does a loop over the pairs end one too early?")
wrong("one-block", (RETURN, "return matrix[:2, :2]"), says="your output is the first block alone, of shape (2, 2). The matrix has such a block for each pair of columns: shape (d_model, d_model).")
wrong("blocks-not-assembled", (RETURN, "return torch.stack([matrix[k : k + 2, k : k + 2] for k in range(0, d_model, 2)])"), says="your blocks are stacked on an axis of their own. They belong on the diagonal of one matrix of shape (d_model, d_model).")
wrong("blocks-summed", (RETURN, "return matrix + torch.eye(d_model)"), says="the identity is added to your matrix. For offset 0 it must be the identity itself.")
wrong("rolled-identity", (RETURN, "return torch.roll(torch.eye(d_model), offset, dims=1)"), says="your matrix moves the numbers **inside** a position vector to other columns. It should turn each pair of numbers, so that the vector becomes another position's.")
wrong("rolled-identity-rows", (RETURN, "return torch.roll(torch.eye(d_model), offset, dims=0)"), says="your matrix moves the numbers **inside** a position vector to other columns. It should turn each pair of numbers, so that the vector becomes another position's.")
wrong("off-diagonal-ones", (RETURN, "return torch.diag(torch.ones(max(d_model - abs(offset), 0)), offset)[:d_model, :d_model] if abs(offset) < d_model else torch.zeros(d_model, d_model)"), says="your matrix moves the numbers **inside** a position vector to other columns. It should turn each pair of numbers, so that the vector becomes another position's.")
wrong("encoding-on-the-diagonal", (RETURN, "return torch.diag(sinusoidal_positions(abs(offset) + 1, d_model)[abs(offset)])"), says="your matrix has the position vector of `offset` on its diagonal. Multiplying number by number does not turn a hand; each new number needs both old ones.")
wrong("outer", (RETURN, "table = sinusoidal_positions(abs(offset) + 1, d_model); return torch.outer(table[0], table[abs(offset)])"), says="your matrix is an outer product of two position vectors. It fits position 0 at best; one matrix has to move **every** position.")
wrong("vector", (RETURN, "return torch.stack([torch.sin(angle), torch.cos(angle)], dim=1).flatten()"), says="your output is a vector. A matrix of shape (d_model, d_model) is asked for.")
wrong("half-size", (RETURN, "return matrix[0::2, 0::2]"), says="your matrix has a row and a column for each pair only. Each pair has two: the shape is (d_model, d_model).")
wrong("float16", (RETURN, "return matrix.half()"), says="your matrix is a little off, as numbers of 16 bits are. Make it in float32.")
wrong("whole-numbers", (RETURN, "return matrix.long()"), says="your matrix is cut to whole numbers. Sines and cosines are floating-point numbers.")
wrong("rounded", (RETURN, "return matrix.round(decimals=3)"), says="your matrix is rounded to three decimals. Round only what you print.")
wrong("numpy", (RETURN, "return matrix.numpy()"), says="your matrix is a NumPy array. Return a PyTorch tensor.")
wrong("list", (RETURN, "return matrix.tolist()"), says="your matrix is a Python list. Return a PyTorch tensor.")
wrong("cosines-and-sines-apart", (RETURN, "return torch.diag(torch.cos(angle)), torch.diag(torch.sin(angle))"), says="your function returns cosines and sines as two matrices. Return one of shape (d_model, d_model), in which they stand in 2 by 2 blocks.")
@wrong("stretched", says="your matrix is the step of 1, multiplied by `offset`. That makes the vectors longer. A step of more places turns them further: `offset` multiplies the angle.")
def stretched(offset, d_model):
    return offset * shift_matrix(1, d_model)

@wrong("identity-times-offset", says="your matrix multiplies each number by `offset`. That makes the vectors longer; a step turns each pair of numbers by an angle.")
def identity_times_offset(offset, d_model):
    return offset * torch.eye(d_model)

@wrong("positive-only", says="your matrix is right for positive offsets and 0; for a negative `offset` your code breaks. The same formulas hold for it: sine and cosine take negative angles.")
def positive_only(offset, d_model):
    row = sinusoidal_positions(offset + 1, d_model)[offset]
    return matrix_of_row(row)

@wrong("negative-as-from-the-end", says="for a negative `offset` your matrix is another one: an index below 0 counts from the end of a table. The formulas hold for negative angles: compute the sine and the cosine themselves.")
def from_the_end(offset, d_model):
    return matrix_of_row(sinusoidal_positions(100, d_model)[offset])

def matrix_of_row(row):
    found = torch.diag(row[1::2].repeat_interleave(2))
    for j in range(0, len(row), 2):
        found[j + 1, j], found[j, j + 1] = row[j], -row[j]
    return found

@wrong("every-other-block", says="in your matrix only every other block stands where it should, or blocks overlap: block j begins at row and column 2j.")
def overlapping(offset, d_model):
    found = torch.zeros(d_model, d_model)
    for i in range(d_model // 2):
        angle = offset / 10000 ** (2 * i / d_model)
        found[i, i] = found[i + 1, i + 1] = math.cos(angle)
        found[i + 1, i], found[i, i + 1] = math.sin(angle), -math.sin(angle)
    return found

wrong("batch-axis", (RETURN, "return matrix[None]"), says="your matrix has an extra axis in front. Its shape should be (d_model, d_model).")
wrong("nothing-returned", (RETURN, "matrix"), says="your function ends without giving anything back: is a `return` missing?")

@right
def blocks_on_the_diagonal(offset, d_model):
    parts = []
    for j in range(d_model // 2):
        b = offset / 10000 ** (2 * j / d_model)
        parts.append(torch.tensor([[math.cos(b), -math.sin(b)], [math.sin(b), math.cos(b)]]))
    return torch.block_diag(*parts)

@right
def by_interleaving(offset, d_model):
    b = offset * torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
    between = torch.stack([b.sin(), torch.zeros_like(b)], dim=1).flatten()[:-1]
    return torch.diag(b.cos().repeat_interleave(2)) + torch.diag(between, -1) - torch.diag(between, 1)

@right
def from_the_table(offset, d_model):
    row = sinusoidal_positions(abs(offset) + 1, d_model)[-1]
    sine, cosine = row[0::2] * (1 if offset >= 0 else -1), row[1::2]
    M = torch.zeros(d_model, d_model, dtype=torch.float64)
    for j, (s, c) in enumerate(zip(sine, cosine, strict=True)):
        M[2 * j, 2 * j] = M[2 * j + 1, 2 * j + 1] = c
        M[2 * j + 1, 2 * j], M[2 * j, 2 * j + 1] = s, -s
    return M

@right
def by_numpy(offset, d_model):
    w = 1.0 / np.power(10000.0, np.arange(0, d_model, 2) / d_model)
    rotation = np.array([[np.cos(w * offset), -np.sin(w * offset)], [np.sin(w * offset), np.cos(w * offset)]])  # (2, 2, pairs)
    M = np.einsum("abj,jk->jakb", rotation, np.eye(len(w))).reshape(d_model, d_model)
    return torch.as_tensor(M, dtype=torch.float32)

@right
def steps(offset, d_model):
    angle = torch.tensor([1 / 10000 ** (k / d_model) for k in range(0, d_model, 2)], dtype=torch.float64)
    one = torch.block_diag(*[torch.tensor([[c, -s], [s, c]], dtype=torch.float64) for s, c in zip(angle.sin(), angle.cos(), strict=True)])
    return torch.linalg.matrix_power(one, offset) if offset >= 0 else torch.linalg.matrix_power(one.T, -offset)

@truth
def by_matrix_exponential(offset, d_model):
    """The solution of d/dp positions = positions @ G, by PyTorch's matrix exponential in float64."""
    generator = torch.zeros(d_model, d_model, dtype=torch.float64)
    for k, w in zip(range(0, d_model, 2), pair_speeds(d_model), strict=True):
        generator[k + 1, k], generator[k, k + 1] = w, -w
    return torch.matrix_exp(offset * generator).float()

@truth
def by_least_squares(offset, d_model):
    """The one matrix that moves 40,000 positions, half of them below zero, in float64."""
    p = np.linspace(-20000, 20000, 4001)[:, None]
    def table(at):
        angles = at * pair_speeds(d_model)
        return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(len(at), d_model)
    return torch.from_numpy(np.linalg.lstsq(table(p), table(p + offset), rcond=None)[0].astype("float32"))

# %% exercise="LearnedPositions" part="library"
class LearnedPositions(nn.Module):
    """PyTorch's embedding lookup, by place instead of by token."""

    def __init__(self, max_len: int, d_model: int) -> None:
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(max_len, d_model))

    def forward(self, x: Tensor) -> Tensor:
        seq, max_len = x.shape[-2], len(self.table)
        if seq > max_len:
            raise ValueError(f"a sequence of {seq} tokens is longer than the table of {max_len} positions (max_len)")
        return x + nn.functional.embedding(torch.arange(seq, device=x.device), self.table)


def called_before(batches: list[Tensor], x: Tensor) -> Any:
    """`x`, given to a module that has been given other batches already."""
    from autograder.formats.fixtures import Driver

    def drive(module: Any) -> Any:
        for batch in batches:
            module(batch)
        return module(x)

    return Driver(drive)

def first_weights(weights: str, spread: float) -> Any:
    """How wide the weights of a new module are spread, in units of `spread`: the nearest power of 2."""
    from autograder.formats.fixtures import Driver

    def drive(module: Any) -> float:
        wide = module.get_parameter(weights).std().item() / spread
        return 2.0 ** round(math.log2(wide)) if wide else 0.0

    return Driver(drive)

# %% exercise="LearnedPositions" part="variants"
@cases(dict(batch=2, seq=3, d_model=4, unused=5), dict(batch=4, seq=5, d_model=3, unused=2))
def drawn(rng, batch, seq, d_model, unused):
    """{batch} sequences of {seq} tokens, d_model {d_model}, {unused} positions of the table not needed"""
    return module(init=dict(max_len=seq + unused, d_model=d_model), given=dict(x=floats(rng, batch, seq, d_model)), rng=rng)

@cases(dict(batch=3, seq=6, d_model=5))
def full(rng, batch, seq, d_model):
    """{batch} sequences of {seq} tokens, as many as the table has positions"""
    return module(init=dict(max_len=seq, d_model=d_model), given=dict(x=floats(rng, batch, seq, d_model)), rng=rng)

@cases(dict(seq=4, d_model=5))
def as_many_sequences_as_tokens(rng, seq, d_model):
    """{seq} sequences of {seq} tokens"""
    return module(init=dict(max_len=seq + 3, d_model=d_model), given=dict(x=floats(rng, seq, seq, d_model)), rng=rng)

@cases(dict(batch=2, seq=5, d_model=7, unused=3))
def looking_only(rng, batch, seq, d_model, unused):
    """{batch} sequences of {seq} tokens, d_model {d_model}, {unused} positions not needed, no gradients asked"""
    given = dict(x=floats(rng, batch, seq, d_model))
    return module(init=dict(max_len=seq + unused, d_model=d_model), given=given, rng=rng, gradients=False)

@cases(dict(batch=3, seq=4, d_model=5, unused=2))
def after_other_batches(rng, batch, seq, d_model, unused):
    """one module, called with {seq} tokens after two batches of other lengths"""
    batches = [floats(rng, batch, length, d_model) for length in (seq - 1, seq + unused)]
    given = dict(x=fixture("called_before", batches=batches, x=floats(rng, batch, seq, d_model)))
    return module(init=dict(max_len=seq + unused, d_model=d_model), given=given, rng=rng, gradients=False)

@cases()
def first_weights_of_a_table(rng):
    """the weights that a new table of 2000 places begins with"""
    return module(init=dict(max_len=2000, d_model=64), given=dict(x=fixture("first_weights", weights="table", spread=0.02)), gradients=False)

SUM, SEQ = "x + self.table[:seq]", "seq = x.shape[1]"
TABLE = "nn.Parameter(0.02 * torch.randn(max_len, d_model))"
mistakes = {
    "batch-axis": ([(SUM, "x + self.table[: x.shape[0]].unsqueeze(1)")], "your positions run along the batch: every token of sequence 0 gets row 0, every token of sequence 1 gets row 1. The place in the **sequence** counts, axis 1 of `x`."),
    "positions-from-one": ([(SUM, "x + torch.cat([self.table, self.table])[1 : seq + 1]")], "your positions are counted from 1: the first token gets row 1 of the table. It gets row 0."),
    "last-rows": ([(SUM, "x + self.table[-seq:]")], "you take the **last** rows of the table; a sequence begins at place 0, so it gets the first ones."),
    "reversed": ([(SUM, "x + self.table[:seq].flip(0)")], "your positions run backwards: the first token gets the last row. It gets row 0."),
    "reversed-table": ([(SUM, "x + self.table.flip(0)[:seq]")], "you read the table from its end: the first token gets the table's last row. It gets row 0."),
    "first-row-for-all": ([(SUM, "x + self.table[0]")], "every token gets the same row, the one of place 0. So nothing tells the places apart."),
    "last-row-for-all": ([(SUM, "x + self.table[seq - 1]")], "every token gets the same row, the one of the last place. So nothing tells the places apart."),
    "row-seq-for-all": ([(SUM, "x + torch.cat([self.table, self.table])[seq]")], "every token gets the same row, number `seq`. Rows 0 to seq − 1 are needed, one for each token: is a colon missing?"),
    "mean-of-rows": ([(SUM, "x + self.table[:seq].mean(dim=0)")], "every token gets the mean of the rows. So nothing tells the places apart: each place has its own row."),
    "mean-of-table": ([(SUM, "x + self.table.mean(dim=0)")], "every token gets the mean of the whole table. So nothing tells the places apart: each place has its own row."),
    "sum-of-rows": ([(SUM, "x + self.table[:seq].sum(dim=0)")], "every token gets the sum of all rows. So nothing tells the places apart: each place has its own row."),
    "first-token-only": ([(SUM, "torch.cat([x[:, :1] + self.table[0], x[:, 1:]], dim=1)")], "only the first token gets its position. Each place needs its row."),
    "first-sequence-only": ([(SUM, "torch.cat([x[:1] + self.table[:seq], x[1:]])")], "only the first sequence of the batch gets positions. All of them do."),
    "all-but-last-token": ([(SUM, "torch.cat([x[:, :-1] + self.table[: seq - 1], x[:, -1:]], dim=1)")], "the last token gets no position. Does a loop or slice of yours end one too early?"),
    "all-but-first-token": ([(SUM, "torch.cat([x[:, :1], x[:, 1:] + self.table[1:seq]], dim=1)")], "the first token gets no position. Does a loop of yours begin one too late?"),
    "no-positions": ([(SUM, "x")], "your output is `x` itself: the positions are missing."),
    "positions-only": ([(SUM, "self.table[:seq].expand_as(x)")], "your output holds the positions alone: the tokens are gone. Add the two."),
    "positions-only-without-batch": ([(SUM, "self.table[:seq]")], "your output holds the positions alone, without the tokens and their batch axis. Add the two."),
    "subtracted": ([(SUM, "x - self.table[:seq]")], "your positions are subtracted; they are added."),
    "subtracted-from": ([(SUM, "self.table[:seq] - x")], "your tokens are subtracted from the positions; the two are added."),
    "multiplied": ([(SUM, "x * self.table[:seq]")], "you multiply tokens and positions; they are added."),
    "one-plus": ([(SUM, "x * (1 + self.table[:seq])")], "you scale the tokens by the positions; the two are added."),
    "x-scaled": ([(SUM, "x * math.sqrt(x.shape[-1]) + self.table[:seq]")], "your tokens are multiplied by √d_model. That belongs to `TransformerEmbedding`, the next exercise; here `x` stays as it is."),
    "positions-scaled": ([(SUM, "x + self.table[:seq] * math.sqrt(x.shape[-1])")], "your positions are multiplied by √d_model. Add the rows as they are."),
    "positions-shrunk": ([(SUM, "x + 0.02 * self.table[:seq]")], "your positions are multiplied by 0.02. The table begins with small numbers already: add its rows as they are."),
    "sum-scaled": ([(SUM, "(x + self.table[:seq]) * math.sqrt(x.shape[-1])")], "your whole output is multiplied by √d_model. There is no scale here."),
    "positions-halved": ([(SUM, "(x + self.table[:seq]) / 2")], "your output is the mean of tokens and positions; return their sum."),
    "positions-twice": ([(SUM, "x + 2 * self.table[:seq]")], "your positions are added twice."),
    "tokens-twice": ([(SUM, "x + x + self.table[:seq]")], "your tokens are added twice."),
    "sinusoid": ([(SUM, "x + sinusoidal_positions(seq, x.shape[-1])")], "your positions are the sines and cosines of exercise 1; the weights `table` are not used."),
    "sinusoid-too": ([(SUM, "x + self.table[:seq] + sinusoidal_positions(seq, x.shape[-1])")], "you add the sines and cosines of exercise 1 as well. Here the learned table alone says where a token stands."),
    "rows-normalised": ([(SUM, "x + nn.functional.normalize(self.table[:seq], dim=-1)")], "each row of the table is brought to length 1 first. Add the rows as they are: how long each is, is learned."),
    "detached": ([(SUM, "x + self.table[:seq].detach()")], "your numbers are right, but no gradient reaches `table`: it would never learn. Does `.detach()` or `.data` cut it off?"),
    "both-detached": ([(SUM, "x.detach() + self.table[:seq]")], "your numbers are right, but no gradient flows back to `x`: the layers below would never learn."),
    "no-grad": ([(SUM, "(x + self.table[:seq]).detach()")], "your numbers are right, but no gradient flows through your output: nothing would ever learn. Does `.detach()`, `.data` or `no_grad` cut it off?"),
    "concatenated": ([(SUM, "torch.cat([x, self.table[:seq].expand_as(x)], dim=-1)")], "you put the positions beside the tokens, so each vector has twice as many numbers. Add them."),
    "concatenated-in-time": ([(SUM, "torch.cat([x, self.table[:seq].expand_as(x)], dim=1)")], "you put the positions behind the tokens, as if they were tokens themselves. Add them."),
    "in-place": ([(SUM, "x.add_(self.table[:seq])")], "your `forward` changes its argument `x` in place (`+=` and `add_` do). Make a new tensor."),
    "in-place-data": ([(SUM, "x.data.add_(self.table[:seq])")], "your `forward` changes its argument `x` in place. Make a new tensor."),
    "whole-table": ([(SUM, "x + self.table")], "you add the whole table, which has `max_len` rows. It fits by luck where the sequence is just as long; take the rows that this sequence needs."),
    "rows-by-batch": ([(SUM, "x + self.table[: x.shape[0]]")], "you take as many rows as the batch has sequences; the length of a **sequence** counts, axis 1 of `x`."),
    "rows-by-batch-len": ([(SUM, "x + self.table[: len(x)].clone()")], "you take as many rows as the batch has sequences; the length of a **sequence** counts, axis 1 of `x`."),
    "rows-by-width": ([(SUM, "x + self.table[: x.shape[2]]")], "you take as many rows as a token has numbers; the length of the **sequence** counts, axis 1 of `x`."),
    "axis-beside-the-batch": ([(SUM, "x + self.table[:seq].unsqueeze(1)")], "your positions line up with the batch: they have shape (seq, 1, d_model), and `x` has (batch, seq, d_model). It fits by luck where there are as many sequences as tokens. The places must stand on the axis of the sequence."),
    "one-row-more": ([(SUM, "x + self.table[: seq + 1]")], "you take one row more than the sequence has tokens. Mind that a slice ends **before** its second number."),
    "one-row-less": ([(SUM, "x + self.table[: seq - 1]")], "you take one row less than the sequence has tokens. Mind that a slice ends **before** its second number."),
    "last-token-dropped": ([(SUM, "x[:, :-1] + self.table[: seq - 1]")], "the last token is missing from your output. It should have as many tokens as `x`."),
    "mean-over-batch": ([(SUM, "(x + self.table[:seq]).mean(dim=0)")], "your output is averaged over the batch; each sequence keeps its own vectors."),
    "columns-sliced": ([(SUM, "x + self.table[:, :seq]")], "you take the first `seq` **columns** of the table. A place is a row: slice the first axis."),
    "whole-table-with-axis": ([(SUM, "x + self.table.unsqueeze(0)")], "you add the whole table, which has `max_len` rows. It fits by luck where the sequence is just as long; take the rows that this sequence needs."),
    "running-sum": ([(SUM, "x + self.table[:seq].cumsum(dim=0)")], "your positions add up along the sequence: each token gets the rows before its own as well. It gets its own row only."),
    "table-transposed": ([(SUM, "x + self.table.T[: x.shape[-1], :seq].T.flip(1)")], "the numbers inside each position vector stand in the reverse order."),
    "numbers-for-columns": ([(SUM, "x + torch.arange(seq, dtype=x.dtype)[:, None]")], "you add the place's number to each token. Add the place's row of `table`."),
    "averaged-over-numbers": ([(SUM, "x + self.table[:seq].mean(dim=1, keepdim=True)")], "each position adds a single number, the mean of its row. Add the whole row, number by number."),
    "first-number": ([(SUM, "x + self.table[:seq, :1]")], "each position adds a single number, the first of its row. Add the whole row, number by number."),
    "added-to-sum": ([(SUM, "(x + self.table[:seq]).sum(dim=1)")], "your output is summed over the tokens; each token keeps its own vector."),
    "mean-over-tokens": ([(SUM, "(x + self.table[:seq]).mean(dim=1)")], "your output is averaged over the tokens; each token keeps its own vector."),
    "extra-axis": ([(SUM, "(x + self.table[:seq]).unsqueeze(0)")], "your output has an extra axis in front. Its shape should be (batch, seq, d_model)."),
    "normalised": ([(SUM, "nn.functional.layer_norm(x + self.table[:seq], x.shape[-1:])")], "your sum goes through a layer norm. Return the sum itself."),
    "squashed": ([(SUM, "torch.tanh(x + self.table[:seq])")], "your sum goes through tanh. Return the sum itself."),
    "rectified": ([(SUM, "torch.relu(x + self.table[:seq])")], "your sum goes through ReLU: negative numbers became 0. Return the sum itself."),
    "softmaxed": ([(SUM, "torch.softmax(x + self.table[:seq], dim=-1)")], "your sum goes through softmax. Return the sum itself."),
    "half-precision": ([(SUM, "(x + self.table[:seq]).half()")], "your output is a little off, as numbers of 16 bits are. Keep the tensors' own type."),
    "two-returned": ([(SUM, "(x + self.table[:seq], self.table[:seq])")], "your `forward` returns two things. Return the sum alone."),
    "batch-of-one": ([(SUM, "x[:1] + self.table[:seq]")], "only the first sequence of the batch comes back. Return all of them."),
    "longer": ([(SUM, "nn.functional.pad(x, (0, 0, 0, len(self.table) - seq)) + self.table")], "your output has `max_len` tokens; it should have as many as `x` has."),
    "nothing-returned": ([("return x + self.table[:seq]", "x + self.table[:seq]")], "your `forward` ends without giving anything back: is a `return` missing?"),
    "random-rows": ([(SUM, "x + self.table[(3 * torch.arange(seq) + 1) % seq]")], "each token gets a row of the table, but not the one of its place. Row t belongs to token t."),
    "by-largest-number": ([(SUM, "x + self.table[x.argmax(dim=-1).clamp(max=len(self.table) - 1)]")], "you look rows up by what a token **is**. The row depends on where it stands, and on nothing else."),
    "counting-on": ([(SUM, "(x.reshape(-1, x.shape[-1]) + self.table.repeat(len(x) * seq, 1)[: len(x) * seq]).view_as(x)")], "your second sequence goes on counting where the first one ended. Every sequence begins at place 0."),
    "remembers": ([(SEQ, "seq = x.shape[1]; self.start = getattr(self, 'end', 0); self.end = self.start + seq"), (SUM, "x + self.table[(self.start + torch.arange(seq)) % len(self.table)]")], "your first call gives the right numbers, a later call of the same module does not: your `forward` keeps something from the call before, as a counter does. Every sequence begins at place 0."),
    "not-a-parameter": ([("nn.Parameter(0.02 * torch.randn(max_len, d_model))", "None; self.register_buffer('table', torch.randn(max_len, d_model))")], "your `table` is a buffer, so it is never trained. Learned positions are weights: an `nn.Parameter`, as in the starter."),
}
for name, (edits, says) in mistakes.items():
    wrong(name, *edits, says=says)
for name, edit in {
    "positions-from-one": "x + self.table[1 : seq + 1]",
    "positions-from-one, looked up": "x + self.table[torch.arange(1, seq + 1)]",
    "row-seq-for-all": "x + self.table[seq]",
}.items():  # as most would write it: it also breaks where the sequence is as long as the table
    wrong(f"{name}, out of range", (SUM, edit), says=mistakes[name.split(",")[0]][1])
for name, edit in {
    "batch-axis+x-scaled": "x * math.sqrt(x.shape[-1]) + self.table[: x.shape[0]].unsqueeze(1)",
    "first-row-for-all+x-scaled": "x * math.sqrt(x.shape[-1]) + self.table[0]",
    "positions-from-one+x-scaled": "x * math.sqrt(x.shape[-1]) + torch.cat([self.table, self.table])[1 : seq + 1]",
    "reversed+subtracted": "x - self.table[:seq].flip(0)",
    "batch-axis+subtracted": "x - self.table[: x.shape[0]].unsqueeze(1)",
    "positions-from-one+subtracted": "x - torch.cat([self.table, self.table])[1 : seq + 1]",
    "batch-axis+multiplied": "x * self.table[: x.shape[0]].unsqueeze(1)",
    "no-positions+x-scaled": "x * math.sqrt(x.shape[-1])",
    "reversed+positions-shrunk": "x + 0.02 * self.table[:seq].flip(0)",
    "batch-axis+positions-shrunk": "x + 0.02 * self.table[: x.shape[0]].unsqueeze(1)",
    "positions-from-one+positions-shrunk": "x + 0.02 * torch.cat([self.table, self.table])[1 : seq + 1]",
}.items():
    one, other = name.split("+")
    wrong(name, (SUM, edit), says=two_things(mistakes[one][1], mistakes[other][1]))

for name, start in {"wide": "nn.Parameter(torch.randn(max_len, d_model))", "zero": "nn.Parameter(torch.zeros(max_len, d_model))", "ones": "nn.Parameter(torch.ones(max_len, d_model))"}.items():
    wrong(f"starts-otherwise-{name}", (TABLE, start), says="your `forward` is right, but a new table begins with other weights than the starter's. Leave `__init__` as it is given: random numbers of about 0.02.")
wrong("buffer", ("self.table = " + TABLE, 'self.register_buffer("table", 0.02 * torch.randn(max_len, d_model))'),
      says="your numbers are right, but nothing learns: `table` is a buffer or a plain tensor in your class. Leave `__init__` as it is given: it is an `nn.Parameter`.")

right_edit("by_shape", (SEQ, "seq = x.size(-2)"), (SUM, "torch.add(self.table[None, :seq], x)"))
right_edit("by_lookup", (SUM, "x + nn.functional.embedding(torch.arange(seq, device=x.device), self.table)"))
right_edit("by_index", (SUM, "self.table[torch.arange(seq)].unsqueeze(0).expand(len(x), -1, -1) + x"))
right_edit("by_loop", (SUM, "torch.stack([torch.stack([token + row for token, row in zip(sequence, self.table)]) for sequence in x])"))
right_edit("by_one_hot", (SUM, "x + torch.einsum('pm,md->pd', torch.eye(len(self.table), device=x.device)[:seq], self.table)"))
right_edit("own_copy", (SUM, "x.clone().add_(self.table.narrow(0, 0, seq))"))
right_edit("in_double", (SUM, "(x.double() + self.table[:seq].double())"))
right_edit("token_by_token", ("return x + self.table[:seq]", "out = torch.zeros_like(x)\n        for t in range(seq):\n            out[:, t] = x[:, t] + self.table[t]\n        return out"))

@truth
class ByLinear(nn.Module):
    """Each place as a one-hot vector through PyTorch's linear map, in float64."""

    def __init__(self, max_len, d_model):
        super().__init__()
        self.table = nn.Parameter(torch.empty(max_len, d_model).normal_(std=0.02))

    def forward(self, x):
        one_hot = nn.functional.one_hot(torch.arange(x.shape[1]), len(self.table)).double()
        return (x.double() + nn.functional.linear(one_hot, self.table.double().T)).float()

# %% exercise="TransformerEmbedding" part="library"
class TransformerEmbedding(nn.Module):
    """PyTorch's embedding lookup and scaled addition. The table is a buffer that is not saved."""

    positions: Tensor

    def __init__(self, vocab_size: int, d_model: int, max_len: int) -> None:
        super().__init__()
        self.d_model = d_model
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)
        self.register_buffer("positions", sinusoidal_positions(max_len, d_model), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        seq, max_len = ids.shape[-1], len(self.positions)
        if seq > max_len:
            raise ValueError(f"a sequence of {seq} tokens is longer than the table of {max_len} positions (max_len)")
        return torch.add(self.positions.narrow(0, 0, seq), self.embedding(ids), alpha=math.sqrt(self.d_model))


def ids_under_watch(ids: Tensor) -> Any:
    """`ids`, and after the call a look at the module that they were given to.

    The look tells how many weights the module learns, whether a copy of it still works on another device (PyTorch's
    "meta" device, which computes shapes only), and whether further calls give what a first call would.
    """
    from autograder.formats.fixtures import Watched
    from autograder.library.devices import works_on_another_device
    from autograder.library.quiet import paused

    met: list[nn.Module] = []

    def notice(module: nn.Module, given: tuple[Any, ...]) -> None:
        if not met and given and given[0] is ids:
            met.append(module)

    while _WATCHING:  # of a module that could not be called
        _WATCHING.pop().remove()
    _WATCHING.append(nn.modules.module.register_module_forward_pre_hook(notice))

    def look() -> dict[str, Any]:
        while _WATCHING:
            _WATCHING.pop().remove()
        if not met:
            return {"learned tensors": 0, "works on another device": True, "further calls are like the first": True}
        module = met[0]
        with paused():  # the course asks itself here, and not the learner's code
            forgets = _remembers_nothing(module, ids)
        return {
            "learned tensors": len(list(module.parameters())),
            "works on another device": works_on_another_device(lambda device: copy.deepcopy(module).to(device)(ids.to(device))),
            "further calls are like the first": forgets,
        }

    return Watched(ids, look)


_WATCHING: list[Any] = []


def _remembers_nothing(module: nn.Module, ids: Tensor) -> bool:
    """Whether a longer batch, the same again, and a shorter one agree where they hold the same tokens."""
    seq = ids.shape[1]
    with torch.no_grad():
        try:
            longer, again, shorter = module(torch.cat([ids, ids[:, :2]], dim=1)), module(ids), module(ids[:, :2])
            return torch.allclose(longer[:, :seq], again, atol=1e-4) and torch.allclose(again[:, :2], shorter, atol=1e-4)
        except Exception:
            return False

# %% exercise="TransformerEmbedding" part="variants"
without("one: vocab_size", because="there must be ids to choose among")

def draw_ids(rng, vocab_size, batch, seq):
    """With id 0, which learns as every id does."""
    ids = rng.integers(0, vocab_size, size=(batch, seq))
    ids[0, -1] = 0
    return torch.from_numpy(ids)

@cases(dict(vocab_size=11, d_model=6, batch=2, seq=4, unused=3), dict(vocab_size=8, d_model=9, batch=3, seq=5, unused=2), high=12)
def drawn(rng, vocab_size, d_model, batch, seq, unused):
    """{batch} sequences of {seq} ids below {vocab_size}, d_model {d_model}, {unused} positions of the table not needed"""
    return module(init=dict(vocab_size=vocab_size, d_model=d_model, max_len=seq + unused), given=dict(ids=draw_ids(rng, vocab_size, batch, seq)), rng=rng)

@cases(dict(vocab_size=9, d_model=4, batch=2, seq=7))
def full(rng, vocab_size, d_model, batch, seq):
    """{batch} sequences of {seq} ids, as many as the table has positions, d_model {d_model}"""
    return module(init=dict(vocab_size=vocab_size, d_model=d_model, max_len=seq), given=dict(ids=draw_ids(rng, vocab_size, batch, seq)), rng=rng)

@cases(dict(vocab_size=7, d_model=8, batch=3, seq=5))
def same_token(rng, vocab_size, d_model, batch, seq):
    """one token {seq} times, in {batch} sequences"""
    ids = torch.from_numpy(np.repeat(rng.integers(1, vocab_size, size=(batch, 1)), seq, axis=1))
    return module(init=dict(vocab_size=vocab_size, d_model=d_model, max_len=seq + 4), given=dict(ids=ids), rng=rng)

@cases(dict(vocab_size=6, d_model=5, seq=4))
def as_many_sequences_as_tokens(rng, vocab_size, d_model, seq):
    """{seq} sequences of {seq} ids"""
    return module(init=dict(vocab_size=vocab_size, d_model=d_model, max_len=seq + 2), given=dict(ids=draw_ids(rng, vocab_size, seq, seq)), rng=rng)

@cases(dict(vocab_size=10, d_model=6, batch=3, seq=4))
def watched(rng, vocab_size, d_model, batch, seq):
    """what your class learns, and whether it can move to another device"""
    ids = draw_ids(rng, vocab_size, batch, seq)
    ids[0, -1] = ids[1, 0] = 0
    ids = fixture("ids_under_watch", ids=ids)
    return module(init=dict(vocab_size=vocab_size, d_model=d_model, max_len=seq + 5), given=dict(ids=ids), rng=rng, gradients=False)

@cases()
def first_weights_of_an_embedding(rng):
    """the weights that a new embedding of 8000 tokens begins with"""
    ids = fixture("first_weights", weights="embedding.weight", spread=0.25)
    return module(init=dict(vocab_size=8000, d_model=16, max_len=3), given=dict(ids=ids), gradients=False)

@cases(dict(vocab_size=5, d_model=4, max_len=3))
def what_is_saved(rng, vocab_size, d_model, max_len):
    """what is saved of your class: its `state_dict()`"""
    return module(init=dict(vocab_size=vocab_size, d_model=d_model, max_len=max_len), given={}, rng=rng, method="state_dict", gradients=False)

SCALE, SUM, LOOKUP = " * math.sqrt(self.d_model)", "tokens + self.positions[:seq]", "self.embedding(ids)"
BUFFER = 'self.register_buffer("positions", sinusoidal_positions(max_len, d_model), persistent=False)'
scales = {
    "no-scale": ("", "your token vectors are not multiplied by √d_model. Then the positions, whose numbers run from −1 to 1, drown them."),
    "scaled-by-d": (" * self.d_model", "your token vectors are multiplied by d_model; the factor is its square root."),
    "divided-by-root-d": (" / math.sqrt(self.d_model)", "your token vectors are divided by √d_model; they are multiplied by it. (In attention the scores are divided.)"),
    "divided-by-d": (" / self.d_model", "your token vectors are divided by d_model; they are multiplied by its square root."),
    "root-of-vocabulary": (" * math.sqrt(self.embedding.num_embeddings)", "your token vectors are multiplied by the square root of the vocabulary's size. Under the root stands d_model."),
    "root-of-length": (" * math.sqrt(ids.shape[1])", "your token vectors are multiplied by the square root of the sequence's length. Under the root stands d_model."),
    "root-of-batch": (" * math.sqrt(ids.shape[0])", "your token vectors are multiplied by the square root of the batch's size. Under the root stands d_model."),
    "root-of-max-len": (" * math.sqrt(len(self.positions))", "your token vectors are multiplied by the square root of `max_len`. Under the root stands d_model."),
    "root-of-512": (" * math.sqrt(512)", "your token vectors are multiplied by √512 whatever `d_model` is. 512 is the paper's choice; use the class's own d_model."),
    "root-of-64": (" * 8.0", "your token vectors are multiplied by 8, which is √64, whatever `d_model` is. Use the class's own d_model."),
    "root-of-128": (" * math.sqrt(128)", "your token vectors are multiplied by √128 whatever `d_model` is. Use the class's own d_model."),
    "fourth-root": (" * self.d_model ** 0.25", "your token vectors are multiplied by the fourth root of d_model: the root is taken twice."),
    "root-of-half": (" * math.sqrt(self.d_model / 2)", "your token vectors are multiplied by √(d_model/2), the length of a position vector. The factor is √d_model."),
    "root-cut": (" * int(math.sqrt(self.d_model))", "your root is cut to a whole number: √d_model is seldom whole."),
    "scaled-twice": (" * math.sqrt(self.d_model) * math.sqrt(self.d_model)", "your token vectors are multiplied by d_model; the factor is its square root."),
}
sums = {
    "no-positions": ("tokens", "the positions are missing: the same token has the same vector in every place."),
    "batch-axis": ("tokens + self.positions.repeat(ids.shape[0], 1)[: ids.shape[0]].unsqueeze(1)", "your positions run along the batch: every token of sequence 0 gets row 0, every token of sequence 1 gets row 1. The place in the **sequence** counts, axis 1 of `ids`."),
    "positions-from-one": ("tokens + torch.cat([self.positions, self.positions])[1 : seq + 1]", "your positions are counted from 1: the first token gets row 1 of the table. It gets row 0."),
    "first-row-for-all": ("tokens + self.positions[0]", "every token gets the same row, the one of place 0. So nothing tells the places apart."),
    "last-row-for-all": ("tokens + self.positions[seq - 1]", "every token gets the same row, the one of the last place. So nothing tells the places apart: is a colon missing?"),
    "row-seq-for-all": ("tokens + torch.cat([self.positions, self.positions])[seq]", "every token gets the same row, number `seq`. Rows 0 to seq − 1 are needed, one for each token: is a colon missing?"),
    "mean-of-rows": ("tokens + self.positions[:seq].mean(dim=0)", "every token gets the mean of the rows. So nothing tells the places apart."),
    "first-token-only": ("torch.cat([tokens[:, :1] + self.positions[0], tokens[:, 1:]], dim=1)", "only the first token gets its position. Each place needs its row."),
    "first-sequence-only": ("torch.cat([tokens[:1] + self.positions[:seq], tokens[1:]])", "only the first sequence of the batch gets positions. All of them do."),
    "all-but-first-token": ("torch.cat([tokens[:, :1], tokens[:, 1:] + self.positions[1:seq]], dim=1)", "the first token gets no position. Place 0 has a row as well, 0, 1, 0, 1, ...: it is not zero."),
    "all-but-last-token": ("torch.cat([tokens[:, :-1] + self.positions[: seq - 1], tokens[:, -1:]], dim=1)", "the last token gets no position. Does a loop or slice of yours end one too early?"),
    "last-rows": ("tokens + self.positions[-seq:]", "you take the **last** rows of the table; a sequence begins at place 0, so it gets the first ones."),
    "reversed": ("tokens + self.positions[:seq].flip(0)", "your positions run backwards: the first token gets the last row. It gets row 0."),
    "by-token": ("tokens + self.positions[ids % len(self.positions)]", "you look the positions up by the token's id. A position depends on where the token stands, not on what it is."),
    "positions-only": ("self.positions[:seq].expand_as(tokens)", "your output holds the positions alone: the tokens are gone. Add the two."),
    "subtracted": ("tokens - self.positions[:seq]", "your positions are subtracted; they are added."),
    "multiplied": ("tokens * self.positions[:seq]", "you multiply tokens and positions; they are added."),
    "positions-twice": ("tokens + 2 * self.positions[:seq]", "your positions are added twice."),
    "positions-scaled-down": ("tokens + self.positions[:seq] / math.sqrt(self.d_model)", "your positions are divided by √d_model. They are added as they are; the factor belongs to the tokens."),
    "counting-on": ("tokens + self.positions.repeat(len(ids) * seq, 1)[: len(ids) * seq].view_as(tokens)", "your second sequence goes on counting where the first one ended. Every sequence begins at place 0."),
    "place-numbers": ("tokens + torch.arange(seq, dtype=tokens.dtype, device=ids.device)[:, None]", "you add the place's number to each token. Add the place's row of the table."),
    "table-of-seq": ("tokens + self.positions[: len(self.positions) - 1 : 1][torch.arange(seq) % ids.shape[0]]", "your positions begin again after as many tokens as the batch has sequences. The length of the sequence counts."),
    "inverted-columns": ("tokens + self.positions[:seq].flip(1)", "the numbers inside each position vector stand in the reverse order."),
}
for name, (edit, says) in scales.items():
    wrong(name, (SCALE, edit), says=says)
for name, (edit, says) in sums.items():
    wrong(name, (SUM, edit), says=says)
for scale in ("no-scale", "scaled-by-d", "divided-by-root-d"):
    for name in ("no-positions", "batch-axis", "positions-from-one", "first-row-for-all", "last-row-for-all", "first-token-only", "first-sequence-only", "reversed", "last-rows", "by-token", "subtracted", "multiplied"):
        wrong(f"{scale}+{name}", (SCALE, scales[scale][0]), (SUM, sums[name][0]), says=two_things(scales[scale][1], sums[name][1]))
for name, edit in {
    "positions-from-one": "tokens + self.positions[1 : seq + 1]",
    "positions-from-one, looked up": "tokens + self.positions[torch.arange(1, seq + 1)]",
    "row-seq-for-all": "tokens + self.positions[seq]",
    "by-token": "tokens + self.positions[ids]",
}.items():  # as most would write it: it also breaks where the table ends
    says = sums[name.split(",")[0]][1]
    wrong(f"{name}, out of range", (SUM, edit), says=says)
    wrong(f"no-scale+{name}, out of range", (SCALE, ""), (SUM, edit), says=two_things(scales['no-scale'][1], says))
for scale in ("root-of-vocabulary", "root-of-length"):
    for name in ("no-positions", "batch-axis", "first-row-for-all"):
        wrong(f"{scale}+{name}", (SCALE, scales[scale][0]), (SUM, sums[name][0]), says=two_things(scales[scale][1], sums[name][1]))
wrong("sum-scaled", (SCALE, ""), (SUM, "(tokens + self.positions[:seq]) * math.sqrt(self.d_model)"),
      says="your whole sum is multiplied by √d_model, the positions too. The factor belongs to the tokens alone: multiply before you add.")
wrong("sum-divided", (SCALE, ""), (SUM, "(tokens + self.positions[:seq]) / math.sqrt(self.d_model)"),
      says="your whole sum is divided by √d_model. The tokens alone are multiplied by it, before the positions are added.")
wrong("positions-scaled-instead", (SCALE, ""), (SUM, "tokens + self.positions[:seq] * math.sqrt(self.d_model)"),
      says="you multiply the positions by √d_model, and not the tokens. The factor belongs to the tokens.")
wrong("both-scaled-down", (SCALE, ""), (SUM, "tokens + self.positions[:seq] / math.sqrt(self.d_model)"),
      says="you divide the positions by √d_model where the tokens should be multiplied by it. The balance between the two is right, but the numbers are √d_model times too small.")
wrong("trainable-table", (BUFFER, "self.positions = nn.Parameter(sinusoidal_positions(max_len, d_model))"),
      says="your class has a second `nn.Parameter`: its table of positions counts as weights to be learned. The sines and cosines are fixed: keep them as a buffer, as the starter's `__init__` does.")
wrong("frozen-or-renamed-parameter", (BUFFER, BUFFER), ("    def forward(self, ids: Tensor)", """    def parameters(self, recurse=True):  # as of a parameter of any name
        yield from super().parameters(recurse)
        yield nn.Parameter(torch.zeros(1))

    def forward(self, ids: Tensor)"""),
      says="your class has a second `nn.Parameter`: its table of positions counts as weights to be learned. The sines and cosines are fixed: keep them as a buffer, as the starter's `__init__` does.")
wrong("plain-attribute", (BUFFER, "self.positions = sinusoidal_positions(max_len, d_model)"),
      says="your numbers are right, but your class breaks on another device: a tensor that its `forward` needs stays on the CPU when the class moves to the GPU. A plain attribute does, and so does a tensor that `forward` makes without the right device; a buffer moves along.")
wrong("plain-attribute+no-scale", (BUFFER, "self.positions = sinusoidal_positions(max_len, d_model)"), (SCALE, ""),
      says=f"two things at once. First, {scales['no-scale'][1]} Second, your class breaks on another device: a tensor that its `forward` needs stays on the CPU when the class moves to the GPU. A buffer moves along.")
wrong("saved-table", (", persistent=False)", ")"),
      says="your numbers are right, but the table of positions is saved with the weights. It can be computed again: leave `__init__` as it is given, with `persistent=False`.")
wrong("trainable-table+no-scale", (BUFFER, "self.positions = nn.Parameter(sinusoidal_positions(max_len, d_model))"), (SCALE, ""),
      says=f"two things at once. First, {scales['no-scale'][1]} Second, your class has a second `nn.Parameter`: its table of positions counts as weights to be learned. Keep it as a buffer.")
wrong("learned-table", (BUFFER, "self.positions = nn.Parameter(torch.zeros(max_len, d_model))"),
      says="your positions are a table of weights that begins at 0. Here they are the sines and cosines of exercise 1, and not learned.")
wrong("empty-table", (BUFFER, 'self.register_buffer("positions", torch.zeros(max_len, d_model), persistent=False)'), says=sums["no-positions"][1])
wrong("halves", (SUM, "tokens + torch.cat([self.positions[:seq, 0::2], self.positions[:seq, 1::2]], dim=1)"),
      says="in your table the sines fill the first half and the cosines the second. They take turns: use the table as exercise 1 makes it.")
wrong("halves+no-scale", (SCALE, ""), (SUM, "tokens + torch.cat([self.positions[:seq, 0::2], self.positions[:seq, 1::2]], dim=1)"),
      says=f"two things at once. First, {scales['no-scale'][1]} Second, in your table the sines fill the first half and the cosines the second; they take turns.")
wrong("places-embedded", (LOOKUP, "self.embedding(torch.arange(ids.shape[1], device=ids.device) % self.embedding.num_embeddings).expand(len(ids), -1, -1)"),
      says="you look the places 0, 1, 2, ... up in the embedding; the ids are not used. The embedding is for tokens; the table `positions` is for places.")
wrong("first-token-everywhere", (LOOKUP, "self.embedding(ids[:, :1]).expand(-1, ids.shape[1], -1)"), says="all tokens of a sequence get the vector of its first one. Look each id up.")
wrong("first-sequence-everywhere", (LOOKUP, "self.embedding(ids[:1]).expand(len(ids), -1, -1)"), says="all sequences get the vectors of the first one. Look each id up.")
wrong("ids-shifted", (LOOKUP, "self.embedding((ids + 1) % self.embedding.num_embeddings)"), says="each id gets the vector of the next id. Row i of the embedding belongs to id i.")
wrong("ids-shifted-back", (LOOKUP, "self.embedding((ids - 1) % self.embedding.num_embeddings)"), says="each id gets the vector of the id before it. Row i of the embedding belongs to id i.")
wrong("padding-zero", (LOOKUP, "self.embedding(ids) * (ids != 0).unsqueeze(-1)"), says="id 0 gets zeros in place of its vector. Here every id has a row; what padding may be seen is the matter of masks, in unit 07.")
wrong("mean-token", (LOOKUP, "self.embedding(ids).mean(dim=1, keepdim=True).expand(-1, ids.shape[1], -1)"), says="all tokens of a sequence get the mean of its vectors. Each keeps its own.")
wrong("whole-table", (SUM, "tokens + self.positions"), says="you add the whole table, which has `max_len` rows. It fits by luck where the sequence is just as long; take the rows that this sequence needs.")
wrong("whole-table+no-scale", (SCALE, ""), (SUM, "tokens + self.positions"), says=f"two things at once. First, you add the whole table, which has `max_len` rows; it fits by luck where the sequence is just as long. Second, {scales['no-scale'][1]}")
wrong("axis-beside-the-batch", (SUM, "tokens + self.positions[:seq].unsqueeze(1)"), says="your positions line up with the batch: they have shape (seq, 1, d_model), and the tokens have (batch, seq, d_model). It fits by luck where there are as many sequences as tokens. The places must stand on the axis of the sequence.")
wrong("one-row-more", (SUM, "tokens + self.positions[: seq + 1]"), says="you take one row more than the sequence has tokens. Mind that a slice ends **before** its second number.")
wrong("one-row-less", (SUM, "tokens + self.positions[: seq - 1]"), says="you take one row less than the sequence has tokens. Mind that a slice ends **before** its second number.")
wrong("sum-of-rows", (SUM, "tokens + self.positions[:seq].sum(dim=0)"), says="every token gets the sum of all rows. So nothing tells the places apart: each place has its own row.")
wrong("averaged-over-numbers", (SUM, "tokens + self.positions[:seq].mean(dim=1, keepdim=True)"), says="each position adds a single number, the mean of its row. Add the whole row, number by number.")
wrong("square-of-d", (SCALE, " * self.d_model**2"), says="your token vectors are multiplied by the square of d_model; the factor is its square root.")
wrong("sum-scaled-by-d", (SCALE, ""), (SUM, "(tokens + self.positions[:seq]) * self.d_model"), says="two things at once. First, your whole sum is multiplied, the positions too; the factor belongs to the tokens alone. Second, the factor is √d_model, not d_model.")
wrong("whole-table-with-axis", (SUM, "tokens + self.positions.unsqueeze(0)"), says="you add the whole table, which has `max_len` rows. It fits by luck where the sequence is just as long; take the rows that this sequence needs.")
wrong("columns-sliced", (SUM, "tokens + self.positions[:, :seq]"), says="you take the first `seq` **columns** of the table. A place is a row: slice the first axis.")
OWN_TABLE = "torch.where(torch.arange(self.d_model) % 2 == 0, {0}.sin(), {0}.cos())".format("(torch.arange(seq)[:, None] / 10000 ** (torch.arange(self.d_model) / self.d_model))")
wrong("frequency-per-column", (SUM, f"tokens + ({OWN_TABLE}).to(ids.device)"), says="in your table each column has a frequency of its own; columns 2j and 2j+1 share one. Use the table as exercise 1 makes it.")
wrong("frequency-per-column+no-scale", (SCALE, ""), (SUM, f"tokens + ({OWN_TABLE}).to(ids.device)"), says=f"two things at once. First, in your table each column has a frequency of its own; columns 2j and 2j+1 share one. Second, {scales['no-scale'][1]}")
wrong("cosine-first", (SUM, "tokens + self.positions[:seq, (torch.arange(self.d_model) + 1 - 2 * (torch.arange(self.d_model) % 2)).clamp(max=self.d_model - 1)]"), says="in your table sines and cosines have changed places. Column 0 is a sine: use the table as exercise 1 makes it.")
wrong("rows-by-batch", (SUM, "tokens + self.positions[: ids.shape[0]]"), says="you take as many rows as the batch has sequences; the length of a **sequence** counts, axis 1 of `ids`.")
wrong("rows-by-batch+no-scale", (SCALE, ""), (SUM, "tokens + self.positions[: ids.shape[0]]"), says=f"two things at once. First, you take as many rows as the batch has sequences; the length of a **sequence** counts, axis 1 of `ids`. Second, {scales['no-scale'][1]}")
wrong("rows-by-batch-axis", (SUM, "tokens + self.positions[: ids.shape[0]].unsqueeze(1)"), says=sums["batch-axis"][1])
wrong("rows-by-width", (SUM, "tokens + self.positions[: tokens.shape[2]]"), says="you take as many rows as a token has numbers; the length of the **sequence** counts, axis 1 of `ids`.")
wrong("table-transposed", (SUM, "tokens + self.positions[:seq].T"), says="the table that you add is transposed, (d_model, seq). A position is a row, as a token is.")
wrong("concatenated", (SUM, "torch.cat([tokens, self.positions[:seq].expand_as(tokens)], dim=-1)"), says="you put the positions beside the tokens, so each vector has twice as many numbers. Add them.")
wrong("concatenated+no-scale", (SCALE, ""), (SUM, "torch.cat([tokens, self.positions[:seq].expand_as(tokens)], dim=-1)"), says=f"two things at once. First, you put the positions beside the tokens; add them. Second, {scales['no-scale'][1]}")
wrong("concatenated-in-time", (SUM, "torch.cat([tokens, self.positions[:seq].expand_as(tokens)], dim=1)"), says="you put the positions behind the tokens, as if they were tokens themselves. Add them.")
wrong("sequence-first", (SUM, "(tokens + self.positions[:seq]).transpose(0, 1)"), says="your output is (seq, batch, d_model): batch and sequence have changed places. Return (batch, seq, d_model).")
wrong("numbers-second", (SUM, "(tokens + self.positions[:seq]).transpose(1, 2)"), says="your output is (batch, d_model, seq): the last two axes have changed places. Return (batch, seq, d_model).")
wrong("extra-axis", (SUM, "(tokens + self.positions[:seq]).unsqueeze(0)"), says="your output has an extra axis in front. Its shape should be (batch, seq, d_model).")
wrong("summed", (SUM, "(tokens + self.positions[:seq]).sum(dim=1)"), says="your output is summed over the tokens; each token keeps its own vector.")
wrong("averaged", (SUM, "(tokens + self.positions[:seq]).mean(dim=1)"), says="your output is averaged over the tokens; each token keeps its own vector.")
wrong("detached", (SUM, "tokens.detach() + self.positions[:seq]"), says="your numbers are right, but no gradient reaches the embedding: it would never learn. Does `.detach()`, `.data` or `no_grad` cut it off?")
wrong("normalised", (SUM, "nn.functional.layer_norm(tokens + self.positions[:seq], (self.d_model,))"), says="your sum goes through a layer norm. Return the sum itself.")
wrong("tokens-normalised", (SCALE, " / self.embedding(ids).norm(dim=-1, keepdim=True) * math.sqrt(self.d_model)"), says="your token vectors are scaled to one length first. Multiply them by √d_model as they are.")
wrong("table-changed", (SUM, "tokens + self.positions.mul_(1.5)[:seq]"), says="your `forward` changes the table in place, so that every call gives other numbers. Make new tensors.")
wrong("table-collects", (SUM, "self.positions[:seq].add_(tokens.detach()[0]) + tokens"), says="your `forward` adds tokens into the table itself, in place. The table must stay as it is.")
wrong("remembers", (SUM, "tokens + self.positions.add_(0.01)[:seq] - 0.01"), says="your first call gives the right numbers, a second call of the same module does not: your `forward` keeps something from the call before (a counter, a stored table, a table that it changes), or it fits one length only.")
wrong("tanh", (SUM, "torch.tanh(tokens + self.positions[:seq])"), says="your sum goes through tanh. Return the sum itself.")
wrong("half-precision", (SUM, "(tokens + self.positions[:seq]).half()"), says="your output is a little off, as numbers of 16 bits are. Keep the tensors' own type.")
wrong("two-returned", (SUM, "(tokens, self.positions[:seq])"), says="your `forward` returns tokens and positions as two things. Return their sum.")
wrong("tokens-lost", (SUM, "self.positions[:seq]"), says="your output holds the positions alone, without tokens and batch. Add the two.")
wrong("one-hot", (LOOKUP, "nn.functional.one_hot(ids, max(self.d_model, self.embedding.num_embeddings))[..., : self.d_model].float()"), says="your tokens are one-hot vectors; the embedding's weights are not used. Look the ids up in `self.embedding`.")
START = "        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)\n"
for name, start in {"wide": "", "narrow": "        nn.init.normal_(self.embedding.weight, std=0.02)\n"}.items():
    wrong(f"starts-otherwise-{name}", (START, start), says="your `forward` is right, but a new embedding begins with other weights than the starter's. Leave `__init__` as it is given: a token's vector begins about 1 long.")
wrong("id-0-never-learns", ("nn.Embedding(vocab_size, d_model)", "nn.Embedding(vocab_size, d_model, padding_idx=0)"),
      says="your numbers are right, but id 0 never learns (`padding_idx=0`). Here every id has a row that learns; what is padding is the matter of masks.")
wrong("id-0-without-a-place", (SUM, "tokens + self.positions[:seq] * (ids != 0).unsqueeze(-1)"), says="tokens with id 0 get no position. Here every token has its place, whatever its id; what is padding is the matter of masks.")
wrong("weights-scaled-in-place", (SCALE, ""), (LOOKUP, "self.embedding(ids.clone() * int(bool(self.embedding.weight.data.mul_(math.sqrt(self.d_model)).isfinite().all())))"),
      says="your `forward` multiplies the embedding's weights themselves, so they grow with every call. Multiply what was looked up.")
wrong("positions-by-id", (SUM, "tokens + self.positions[ids.clamp(max=len(self.positions) - 1)]"), says="you look the positions up by the token's id. A position depends on where the token stands, not on what it is.")
wrong("id-0-silenced", (SUM, "(tokens + self.positions[:seq]) * (ids != 0).unsqueeze(-1)"), says="where the id is 0 your output is 0. Here every id has its vector and its position; what is padding is the matter of masks.")
wrong("nothing-returned", ("return tokens + self.positions[:seq]", "tokens + self.positions[:seq]"), says="your `forward` ends without giving anything back: is a `return` missing?")

right_edit("by_width", (SCALE, " * self.embedding.embedding_dim**0.5"), (SUM, "self.positions[None, : ids.size(-1), :] + tokens"))
right_edit("root_as_tensor", (SCALE, " * torch.tensor(float(self.d_model)).sqrt()"))
right_edit("fused", (SUM, "torch.add(self.positions[:seq].expand_as(tokens), self.embedding(ids), alpha=self.d_model**0.5)"))
right_edit("looked_up", (SUM, "tokens + nn.functional.embedding(torch.arange(seq, device=ids.device), self.positions)"))
right_edit("in_place_on_own", (SUM, "tokens.add_(self.positions[:seq])"))
right_edit("by_matrix", (LOOKUP, "(nn.functional.one_hot(ids, self.embedding.num_embeddings).float() @ self.embedding.weight)"))
right_edit("by_rows", (LOOKUP, "self.embedding.weight[ids]"), (SUM, "torch.stack([row + self.positions[t] for t, row in enumerate(tokens.unbind(1))], dim=1)"))
right_edit("made_when_needed", (BUFFER, "pass"), (SUM, "tokens + sinusoidal_positions(seq, self.d_model).to(ids.device)"))
right_edit("other_name", (BUFFER, 'self.register_buffer("pe", sinusoidal_positions(max_len, d_model).unsqueeze(0), persistent=False)'), (SUM, "tokens + self.pe[:, :seq]"))
right_edit("moved_by_hand", (BUFFER, "self.positions = sinusoidal_positions(max_len, d_model)"), (SUM, "tokens + self.positions[:seq].to(ids.device)"))

@right
class LoopsAndAHelper(nn.Module):
    def __init__(self, vocab_size, d_model, max_len):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(torch.randn(vocab_size, d_model) / d_model**0.5, freeze=False)
        self.register_buffer("table", sinusoidal_positions(max_len, d_model), persistent=False)

    def scaled(self, token):
        return self.embedding.weight[token] * math.sqrt(self.embedding.weight.shape[1])

    def forward(self, tokens):
        return torch.stack([torch.stack([self.scaled(t) + self.table[p] for p, t in enumerate(row)]) for row in tokens])

@truth
class ByHand(nn.Module):
    """Number by number, with Python's own sine and cosine."""

    def __init__(self, vocab_size, d_model, max_len):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.embedding.weight.data.div_(d_model**0.5)

    def forward(self, ids):
        weight = self.embedding.weight.double()
        d_model = weight.shape[1]
        def number(token, place, k):
            angle = place / 10000 ** (2 * (k // 2) / d_model)
            return d_model**0.5 * weight[token, k] + (math.cos(angle) if k % 2 else math.sin(angle))
        rows = [[torch.stack([number(token, t, k) for k in range(d_model)]) for t, token in enumerate(row)] for row in ids.tolist()]
        return torch.stack([torch.stack(row) for row in rows]).float()

# %% exercise="one_hot_view" part="library"
def one_hot_view(x: Tensor, W_input: Tensor, W_position: Tensor) -> Tensor:
    """PyTorch's fused multiply and add."""
    return torch.addmm(W_position.narrow(0, 0, len(x)), x, W_input)

# %% exercise="one_hot_view" part="variants"
@cases(dict(seq=3, d_in=4, d_model=6, unused=2), dict(seq=5, d_in=2, d_model=3, unused=4))
def drawn(rng, seq, d_in, d_model, unused):
    """{seq} tokens of {d_in} numbers, d_model {d_model}, {unused} places not needed"""
    return differentiable(x=floats(rng, seq, d_in), W_input=floats(rng, d_in, d_model), W_position=floats(rng, seq + unused, d_model))

@cases(dict(seq=4, d_in=3, d_model=5))
def full(rng, seq, d_in, d_model):
    """{seq} tokens of {d_in} numbers in {seq} places"""
    return differentiable(x=floats(rng, seq, d_in), W_input=floats(rng, d_in, d_model), W_position=floats(rng, seq, d_model))

@cases(dict(seq=3, d_in=5, unused=4))
def square(rng, seq, d_in, unused):
    """{seq} tokens, d_in = d_model = {d_in}"""
    return differentiable(x=floats(rng, seq, d_in), W_input=floats(rng, d_in, d_in), W_position=floats(rng, seq + unused, d_in))

@cases(dict(seq=2, d_in=3, d_model=7, unused=4))
def looking_only(rng, seq, d_in, d_model, unused):
    """{seq} tokens of {d_in} numbers, d_model {d_model}, {unused} places not needed, no gradients asked"""
    return dict(x=floats(rng, seq, d_in), W_input=floats(rng, d_in, d_model), W_position=floats(rng, seq + unused, d_model))

HOT, EXTEND, STACK, RETURN = "torch.eye(max_len, dtype=x.dtype, device=x.device)[:seq]", "torch.cat([x, one_hot], dim=1)", "torch.cat([W_input, W_position], dim=0)", "extended @ stacked"
mistakes = {
    "orders-differ": ([(EXTEND, "torch.cat([one_hot, x], dim=1)")], "you put the position before the token, but `W_input` above `W_position`: each meets the other's matrix. The order must be the same in both."),
    "matrices-swapped": ([(STACK, "torch.cat([W_position, W_input], dim=0)")], "you put the token before the position, but `W_position` above `W_input`: each meets the other's matrix. The order must be the same in both."),
    "positions-from-one": ([(HOT, "torch.eye(max_len).roll(1, dims=1)[:seq]")], "your positions are counted from 1: the first token gets row 1 of `W_position`. It gets row 0."),
    "positions-reversed": ([(HOT, "torch.eye(max_len)[:seq].flip(0)")], "your positions run backwards: the first token gets the last place. It gets place 0."),
    "positions-from-the-end": ([(HOT, "torch.eye(max_len).flip(0)[:seq]")], "your one-hot positions begin at the last row of `W_position`. The first token has its 1 in place 0."),
    "last-places": ([(HOT, "torch.eye(max_len)[-seq:]")], "you take the **last** places of the table; a sequence begins at place 0."),
    "same-place": ([(HOT, "torch.eye(max_len)[:1].expand(seq, -1)")], "all your tokens stand in place 0. Each needs its own one-hot position."),
    "last-place": ([(HOT, "torch.eye(max_len)[seq - 1 : seq].expand(seq, -1)")], "all your tokens stand in the last token's place. Each needs its own one-hot position."),
    "all-ones": ([(HOT, "torch.ones(seq, max_len)")], "your positions are all ones: every token gets the sum of all rows of `W_position`. One-hot means a single 1, in the token's own place."),
    "up-to-here": ([(HOT, "torch.ones(seq, max_len).tril()")], "your positions have a 1 in every place up to the token's own. One-hot means a single 1."),
    "place-number": ([(HOT, "torch.arange(seq, dtype=x.dtype)[:, None] * torch.eye(max_len)[:seq]")], "your positions hold the place's number where they should hold a 1: so place 0 vanishes and place 2 counts double."),
    "place-number-from-one": ([(HOT, "torch.arange(1, seq + 1, dtype=x.dtype)[:, None] * torch.eye(max_len)[:seq]")], "your positions hold the place's number, from 1, where they should hold a 1: later places count more."),
    "no-position": ([(RETURN, "x @ W_input")], "the positions are missing: your output is `x @ W_input` alone, as if what you append to the tokens were all zeros."),
    "zeros-appended": ([(HOT, "torch.zeros(seq, max_len)")], "the positions are missing: your output is `x @ W_input` alone, as if what you append to the tokens were all zeros."),
    "position-only": ([(RETURN, "one_hot @ W_position")], "your output holds the positions alone; the tokens are gone."),
    "mean-position": ([(HOT, "torch.full((seq, max_len), 1 / max_len)")], "every token gets the mean of all rows of `W_position`. One-hot means a single 1, in the token's own place."),
    "by-content": ([(HOT, "torch.nn.functional.one_hot(x.argmax(dim=1) % max_len, max_len).to(x.dtype)")], "your one-hot vector depends on what a token is. It says where the token stands."),
    "sinusoid": ([(RETURN, "x @ W_input + sinusoidal_positions(seq, W_input.shape[1])")], "your positions are the sines and cosines of exercise 1; `W_position` is not used."),
    "sinusoid-too": ([(RETURN, "extended @ stacked + sinusoidal_positions(seq, W_input.shape[1])")], "you add the sines and cosines of exercise 1 as well. Here `W_position` alone says where a token stands."),
    "mean-of-the-sequence": ([(RETURN, "x @ W_input + W_position[:seq].mean(dim=0)")], "all your tokens get the same vector, the mean of the sequence's places. Each token gets the row of its own place."),
    "number-added": ([(RETURN, "x @ W_input + torch.arange(seq, dtype=x.dtype)[:, None]")], "you add the place's number to each token. Add the place's row of `W_position`, which the one-hot vector picks."),
    "last-token-dropped": ([(RETURN, "(extended @ stacked)[:-1]")], "the last token is missing from your output. Does a loop of yours end one too early?"),
    "rows-by-width": ([(RETURN, "x @ W_input + W_position[: x.shape[1]]")], "you take as many rows of `W_position` as a token has numbers; the length of the sequence counts, axis 0 of `x`."),
    "positions-from-one, out of range": ([(RETURN, "x @ W_input + W_position[1 : seq + 1]")], "your positions are counted from 1: the first token gets row 1 of `W_position`. It gets row 0."),
    "all-places-of-the-sequence": ([(HOT, "torch.eye(max_len)[:seq].sum(dim=0).expand(seq, -1)")], "all your tokens have a 1 in every place of the sequence. One-hot means a single 1, in the token's own place."),
    "first-token-only": ([(HOT, "torch.eye(max_len)[:seq] * torch.eye(seq)[:, :1]")], "only the first token gets its position."),
    "first-token-lost": ([(HOT, "torch.eye(max_len)[:seq] * (1 - torch.eye(seq)[:, :1])")], "the first token gets no position. Place 0 has a row of `W_position` as well."),
    "last-token-lost": ([(HOT, "torch.eye(max_len)[:seq] * (1 - torch.eye(seq)[:, -1:])")], "the last token gets no position. Does a loop of yours end one too early?"),
    "subtracted": ([(HOT, "-torch.eye(max_len)[:seq]")], "your positions are subtracted: the 1 of the one-hot vector has become −1."),
    "multiplied": ([(RETURN, "(x @ W_input) * W_position[:seq]")], "you multiply the token's part by the position's. The long product adds them."),
    "scaled": ([(RETURN, "extended @ stacked / math.sqrt(x.shape[1])")], "your output is divided by √d_in. There is no scale here."),
    "scaled-up": ([(RETURN, "extended @ stacked * math.sqrt(W_input.shape[1])")], "your output is multiplied by √d_model. There is no scale here."),
    "tokens-scaled": ([(RETURN, "(x @ W_input) * math.sqrt(W_input.shape[1]) + W_position[:seq]")], "the token's part is multiplied by √d_model. That belongs to `TransformerEmbedding`; here there is no scale."),
    "scaled-by-length": ([(RETURN, "extended @ stacked / math.sqrt(extended.shape[1])")], "your output is divided by the root of the long vector's length. There is no scale here."),
    "position-twice": ([(RETURN, "extended @ stacked + W_position[:seq]")], "the positions are in your output twice: once by the one-hot vector, once added."),
    "no-input-matrix": ([(RETURN, "x + W_position[:seq]")], "`W_input` is missing: the token itself is added to its position. That fits by luck where d_in = d_model."),
    "input-transposed": ([(RETURN, "x @ W_input.T + W_position[:seq]")], "`W_input` is transposed. It has shape (d_in, d_model): a token, a row, stands to its left. Only where d_in = d_model does the other form run at all."),
    "softmaxed": ([(RETURN, "torch.softmax(extended @ stacked, dim=-1)")], "your output goes through softmax. Return the product itself."),
    "squashed": ([(RETURN, "torch.tanh(extended @ stacked)")], "your output goes through tanh. Return the product itself."),
    "rectified": ([(RETURN, "torch.relu(extended @ stacked)")], "your output goes through ReLU. Return the product itself."),
    "extended-only": ([(RETURN, "extended")], "your output is the long vectors. Multiply them by the stacked matrix."),
    "stacked-only": ([(RETURN, "stacked")], "your output is the stacked matrix. Multiply the long vectors by it."),
    "columns": ([(RETURN, "(extended @ stacked).T")], "your output is transposed: a token is a column. Return a token a row, (seq, d_model)."),
    "places-by-seq": ([(HOT, "torch.eye(seq)")], "your one-hot positions have `seq` numbers; they need `max_len`, one for each row of `W_position`. It fits by luck where the two are equal."),
    "places-by-seq-two-products": ([(RETURN, "x @ W_input + torch.eye(seq) @ W_position")], "your one-hot positions have `seq` numbers; they need `max_len`, one for each row of `W_position`. It fits by luck where the two are equal."),
    "whole-identity": ([(HOT, "torch.eye(max_len)")], "you append all `max_len` one-hot vectors, more than there are tokens. Take one for each token of the sequence."),
    "whole-table": ([(RETURN, "x @ W_input + W_position")], "you add all rows of `W_position`, more than there are tokens. It fits by luck where the two are equal."),
    "appended-below": ([(EXTEND, "torch.cat([x, one_hot], dim=0)")], "you append the positions as further tokens, below. They belong to the right of each token, along the last axis."),
    "matrices-side-by-side": ([(STACK, "torch.cat([W_input, W_position], dim=1)")], "you put the two matrices side by side. In row form `W_input` stands on top of `W_position`."),
    "columns-form": ([(RETURN, "stacked.T @ extended")], "you multiply from the left, as in the lecture's column form. Here tokens are rows, and the matrix stands to their right."),
    "detached-position": ([(STACK, "torch.cat([W_input, W_position.detach()], dim=0)")], "your numbers are right, but no gradient reaches `W_position`: it would never learn."),
    "detached-input": ([(STACK, "torch.cat([W_input.detach(), W_position], dim=0)")], "your numbers are right, but no gradient reaches `W_input`: it would never learn."),
    "detached-x": ([(EXTEND, "torch.cat([x.detach(), one_hot], dim=1)")], "your numbers are right, but no gradient reaches `x`."),
    "side-by-side": ([(RETURN, "torch.cat([x @ W_input, W_position[:seq]], dim=1)")], "the token's part and the position's stand side by side in your output, so it is twice as wide. The one long product adds them."),
    "as-many-rows-as-places": ([(RETURN, "torch.cat([x @ W_input + W_position[:seq], W_position[seq:]])")], "your output has a row for each of the `max_len` places; it has one for each token, and `x` may hold fewer."),
    "places-after-the-width": ([(RETURN, "x @ W_input + W_position[(torch.arange(seq) + x.shape[1]) % max_len]")], "your places are counted from d_in on: the first token gets row d_in of `W_position` (or what is left when you begin again at its end). It gets row 0."),
    "input-transposed-where-square": ([(RETURN, "x @ (W_input.T if W_input.shape[0] == W_input.shape[1] else W_input) + W_position[:seq]")], "where d_in = d_model, you transpose `W_input`. It stands as it is: a token, a row, stands to its left."),
    "in-place-input": ([(RETURN, "W_position[:seq].data.add_(x @ W_input)")], "your code changes its argument `W_position` in place. Make a new tensor."),
    "half-precision": ([(RETURN, "(extended @ stacked).half()")], "your output is a little off, as numbers of 16 bits are. Keep the tensors' own type."),
    "numpy": ([(RETURN, "(extended @ stacked).detach().numpy()")], "your output is a NumPy array. Return a PyTorch tensor, so that gradients can flow."),
    "list": ([(RETURN, "list(extended @ stacked)")], "your output is a list of rows. Join them into one tensor of shape (seq, d_model)."),
    "batch-axis": ([(RETURN, "(extended @ stacked)[None]")], "your output has an extra axis in front. Its shape should be (seq, d_model)."),
    "two-returned": ([(RETURN, "(x @ W_input, one_hot @ W_position)")], "your function returns the two parts. Return their sum, which the single product gives."),
    "last-token": ([(RETURN, "(extended @ stacked)[-1]")], "your output is the last token's alone. Return a row for each token."),
    "summed": ([(RETURN, "(extended @ stacked).sum(dim=0)")], "your output is summed over the tokens. Return a row for each token."),
    "nothing-returned": ([("return extended @ stacked", "extended @ stacked")], "your function ends without giving anything back: is a `return` missing?"),
}
for name, (edits, says) in mistakes.items():
    wrong(name, *edits, says=says)
for name, edit in {
    "positions-from-one+scaled-up": "torch.cat([x, torch.eye(max_len).roll(1, dims=1)[:seq]], dim=1) @ stacked * math.sqrt(W_input.shape[1])",
    "no-position+scaled-up": "x @ W_input * math.sqrt(W_input.shape[1])",
    "no-position+input-transposed": "x @ W_input.T",
    "positions-reversed+scaled-up": "torch.cat([x, torch.eye(max_len)[:seq].flip(0)], dim=1) @ stacked * math.sqrt(W_input.shape[1])",
    "positions-from-one+subtracted": "x @ W_input - torch.cat([W_position, W_position[:1]])[1 : seq + 1]",
    "same-place+scaled-up": "(x @ W_input + W_position[0]) * math.sqrt(W_input.shape[1])",
}.items():
    one, other = name.split("+")
    wrong(name, (RETURN, edit), says=two_things(mistakes[one][1], mistakes[other][1]))
for one in ("orders-differ", "matrices-swapped"):
    for other in ("positions-from-one", "positions-reversed", "last-places", "same-place"):
        wrong(f"{one}+{other}", *mistakes[one][0], *mistakes[other][0], says=two_things(mistakes[one][1], mistakes[other][1]))

@right
def two_products(x, W_input, W_position):
    return x @ W_input + W_position[: x.shape[0]]

@right
def position_first(x, W_input, W_position):
    places = torch.nn.functional.one_hot(torch.arange(x.size(0)), W_position.size(0)).float()
    return torch.hstack([places, x]) @ torch.vstack([W_position, W_input])

@right
def by_columns(x, W_I, W_P):
    p = torch.zeros(W_P.shape[0], x.shape[0])
    p.fill_diagonal_(1.0)
    return (torch.cat([W_I.T, W_P.T], dim=1) @ torch.cat([x.T, p], dim=0)).T

@right
def token_by_token(x, W_input, W_position):
    rows = []
    for place, token in enumerate(x):
        one_hot = torch.zeros(len(W_position))
        one_hot[place] = 1
        rows.append(torch.cat([token, one_hot]) @ torch.cat([W_input, W_position]))
    return torch.stack(rows)

@right
def by_einsum(x, W_input, W_position):
    long = torch.cat((x, torch.eye(W_position.shape[0])[: x.shape[0]]), -1)
    return torch.einsum("si,id->sd", long, torch.cat((W_input, W_position)))

@right
def in_double(x, W_input, W_position):
    one_hot = torch.eye(len(x), len(W_position), dtype=torch.float64)
    return torch.cat([x.double(), one_hot], 1).matmul(torch.cat([W_input, W_position]).double())

@truth
def by_sums(x, W_input, W_position):
    """Sum by sum, in float64."""
    x, W, P = x.double(), W_input.double(), W_position.double()
    rows = [[sum(x[s, i] * W[i, k] for i in range(x.shape[1])) + P[s, k] for k in range(W.shape[1])] for s in range(len(x))]
    return torch.stack([torch.stack(row) for row in rows]).float()

@truth
def by_linear(x, W_input, W_position):
    return torch.nn.functional.linear(x.double(), W_input.double().T).float() + W_position[: len(x)]
