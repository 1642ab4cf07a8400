"""What the checks of unit 04 know: cases, known mistakes, right alternatives, truths, and library-backed parts."""

# %% exercise="numerical_gradient" part="library"
from collections.abc import Callable

import numpy as np

from autograder.formats.fixtures import Watched
from autograder.library.common import doubles


def numerical_gradient(function: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """NumPy's own `gradient`, on three samples of the function along each axis."""
    x = np.asarray(x, dtype=np.float64)

    def along(direction: np.ndarray) -> float:
        samples = [function(x + t * direction.reshape(x.shape)) for t in (-step, 0.0, step)]
        return float(np.gradient(np.array(samples), step)[1])

    return np.array([along(direction) for direction in np.eye(x.size)]).reshape(x.shape)


def watched_array(values: np.ndarray) -> Watched:
    """An array that may be moved and put back: only what it holds after the call counts."""
    return Watched(values, lambda: values)


def scattered_array(values: np.ndarray) -> Watched:
    """The same as a view into a larger array: its entries do not lie one behind the other in memory."""
    view: np.ndarray = np.zeros((*values.shape[::-1], 2))[..., 0].T
    view[...] = values
    return Watched(view, lambda: view)


def _taking(shape: tuple[int, ...], x: np.ndarray) -> np.ndarray:
    x = np.asarray(x)
    if x.shape != shape:
        raise ValueError(f"this function takes an array of shape {shape}, not {x.shape}")
    return x


def quadratic_form(matrix: np.ndarray, linear: np.ndarray) -> Callable[[np.ndarray], float]:
    """x ↦ ½ xᵀ M x + b·x, with x of the shape of b, read as one long vector."""

    def function(x: np.ndarray) -> float:
        flat = _taking(linear.shape, x).reshape(-1)
        return 0.5 * (flat @ matrix @ flat) + linear.reshape(-1) @ flat

    return function


def sum_of_cubes(factors: np.ndarray) -> Callable[[np.ndarray], float]:
    """x ↦ Σ a x³."""
    return lambda x: np.sum(factors * _taking(factors.shape, x) ** 3)


def cube_of_a_sum(factors: np.ndarray) -> Callable[[np.ndarray], float]:
    """x ↦ (Σ a x)³: how steep it is along one entry depends on all the others."""
    return lambda x: np.sum(factors * _taking(factors.shape, x)) ** 3


def sum_of_sines(factors: np.ndarray, frequencies: np.ndarray) -> Callable[[np.ndarray], float]:
    """x ↦ Σ a sin(b x)."""
    return lambda x: np.sum(factors * np.sin(frequencies * _taking(factors.shape, x)))

# %% exercise="numerical_gradient" part="variants"
def call(function, x, *steps):
    """One call for each step; None is the step's default."""
    return [dict(function=function, x=fixture("watched_array", values=x)) | ({} if h is None else dict(step=h)) for h in steps]

def size(rng, shape):
    """Numbers from 0.5 to 2 with either sign: none so small that a mistake in it would not show."""
    return rng.uniform(0.5, 2, size=shape) * rng.choice([-1.0, 1.0], size=shape)

def quadratic(rng, shape):
    n = int(np.prod(shape, dtype=int))
    half = rng.normal(size=(n, n))
    return fixture("quadratic_form", matrix=half + half.T + np.diag(size(rng, n)), linear=rng.normal(size=shape))

@cases(dict(n=4), low=3)
def a_quadratic_function(rng, n):
    """a quadratic function of {n} numbers, default step and step 0.5"""
    return call(quadratic(rng, (n,)), rng.normal(size=n), None, 0.5)

@cases(dict(n=5), dict(n=3), low=3)
def cubes(rng, n):
    """a sum of cubes of {n} numbers, default step and step 0.5"""
    return call(fixture("sum_of_cubes", factors=size(rng, n)), size(rng, n), None, 0.5)

@cases(dict(rows=3, columns=5), dict(rows=4, columns=2))
def cubes_of_a_table(rng, rows, columns):
    """a sum of cubes of the numbers in a table of shape ({rows}, {columns}), default step and step 0.25"""
    return call(fixture("sum_of_cubes", factors=size(rng, (rows, columns))), size(rng, (rows, columns)), None, 0.25)

@cases(dict(rows=2, columns=3), high=5)
def a_quadratic_function_of_a_table(rng, rows, columns):
    """a quadratic function of a table of shape ({rows}, {columns}), default step and step 0.1"""
    return call(quadratic(rng, (rows, columns)), rng.normal(size=(rows, columns)), None, 0.1)

@cases(dict(rows=2, columns=4), high=5)
def entries_that_work_together(rng, rows, columns):
    """the cube of a sum over a table of shape ({rows}, {columns}), default step and step 0.5"""
    factors, x = rng.uniform(0.3, 0.6, size=(rows, columns)), rng.uniform(0.2, 1, size=(rows, columns))
    return call(fixture("cube_of_a_sum", factors=factors), x, None, 0.5)

@cases(dict(n=4), low=3, high=5)
def a_square_table(rng, n):
    """a sum of sines of the numbers in a square table, {n} by {n}, step 0.5"""
    return call(fixture("sum_of_sines", factors=size(rng, (n, n)), frequencies=2 * size(rng, (n, n))), size(rng, (n, n)), 0.5)

@cases(dict(a=2, b=4, c=3), high=5)
def three_axes(rng, a, b, c):
    """a sum of sines of the numbers in an array of shape ({a}, {b}, {c}), default step and step 0.5"""
    factors, frequencies, x = size(rng, (a, b, c)), size(rng, (a, b, c)), size(rng, (a, b, c))
    return call(fixture("sum_of_sines", factors=factors, frequencies=frequencies), x, None, 0.5)

@cases()
def one_number(rng):
    """a function of one number, an array of shape (), default step and step 0.5"""
    return call(fixture("sum_of_cubes", factors=size(rng, ())), np.array(size(rng, ())), None, 0.5)

@cases()
def around_zero(rng):
    """a sum of cubes of −3, 2, 0 and numbers near 0, step 0.125 and default step"""
    x = np.array([-3.0, 2.0, 0.0, 0.01, -0.02, 0.03, -0.04, 0.05, -0.06])
    return call(fixture("sum_of_cubes", factors=size(rng, len(x))), x, 0.125, None)

@cases()
def zeros_in_a_curve(rng):
    """the cube of a sum over 4 numbers of which two are 0, step 0.5"""
    return call(fixture("cube_of_a_sum", factors=size(rng, (4,))), np.array([1.5, 0, -0.75, 0]), 0.5)

@cases()
def large(rng):
    """a sum of cubes of 3 numbers between 300 and 500, step 0.125"""
    return call(fixture("sum_of_cubes", factors=size(rng, 3)), rng.uniform(300, 500, size=3), 0.125)

@cases()
def quick_waves(rng):
    """a function that goes up and down within a few hundred-thousandths, default step"""
    factors = size(rng, 3)
    return call(fixture("sum_of_sines", factors=factors / 2e4, frequencies=2e4 * size(rng, 3)), rng.uniform(-1, 1, size=3), None)

@cases(dict(rows=3, columns=4), low=3, high=5)
def a_transpose(rng, rows, columns):
    """a sum of cubes of the numbers in a transposed table of shape ({rows}, {columns}): it is a view, whose rows do not lie one behind the other in memory, step 0.5"""
    function = fixture("sum_of_cubes", factors=size(rng, (rows, columns)))
    return dict(function=function, x=fixture("scattered_array", values=size(rng, (rows, columns))), step=0.5)

@cases(dict(n=6), low=6)
def two_functions(rng, n):
    """two functions of {n} numbers, one after the other, at the same place, step 0.5"""
    x, functions = size(rng, n), [fixture("sum_of_cubes", factors=size(rng, n)) for _ in range(2)]
    return [dict(function=function, x=fixture("watched_array", values=x), step=0.5) for function in functions]

NUDGED, QUOTIENT, GIVE = "forward, backward = x.copy(), x.copy()", "(function(forward) - function(backward)) / (2 * step)", "return gradient"
LOOP, EMPTY, DOWN = "for index in np.ndindex(x.shape):", "np.zeros(x.shape)", "backward[index] -= step"
UP = "forward[index] += step"
FIXED = "your numbers do not follow the `step` that they are given: a large step gives what a tiny one gives. Use `step` itself, in the nudge and in the division."
wrong("forward-difference", (DOWN, "pass"), (QUOTIENT, "(function(forward) - function(backward)) / step"),
      says="your numbers are forward differences: the function at x + h and at x. A central difference looks at x + h and at x − h.")
wrong("backward-difference", (UP, "pass"), (QUOTIENT, "(function(forward) - function(backward)) / step"),
      says="your numbers are backward differences: the function at x and at x − h. A central difference looks at x + h and at x − h.")
wrong("half-a-forward-difference", (DOWN, "pass"),
      says="your numbers are half a forward difference: the function is compared at x + h and at x, which lie h apart, and divided by 2h. Is the second point x − h?")
wrong("half-a-backward-difference", (UP, "pass"),
      says="your numbers are half a backward difference: the function is compared at x and at x − h, which lie h apart, and divided by 2h. Is the first point x + h?")
wrong("divided-by-step", ("(2 * step)", "step"), says="your numbers are twice too large: the two points lie 2h apart, and the difference is divided by h alone.")
wrong("divided-by-four-steps", ("(2 * step)", "(4 * step)"), says="your numbers are half of what they should be: the two points lie 2h apart. Is the 2 there twice?")
wrong("not-divided", (" / (2 * step)", ""), says="your numbers are differences of the function, not divided by anything. Divide by how far the two points lie apart.")
wrong("divided-by-2", ("(2 * step)", "2"), says="your differences are divided by 2 and not by the step. The two points lie 2h apart.")
wrong("brackets-forgotten", ("(2 * step)", "2 * step"),
      says="your difference is divided by 2 and then multiplied by the step: Python divides and multiplies from left to right. Put brackets around 2h.")
wrong("brackets-forgotten-above", (QUOTIENT, "function(forward) - function(backward) / (2 * step)"),
      says="only f(x − h) is divided by 2h: division comes before subtraction. Put brackets around the difference.")
wrong("times-two-steps", ("/ (2 * step)", "* (2 * step)"), says="your difference is multiplied by 2h. It is to be divided by it.")
wrong("times-step", ("/ (2 * step)", "* step"), says="your difference is multiplied by the step. It is to be divided by 2h.")
wrong("divided-by-step-squared", ("(2 * step)", "(2 * step ** 2)"), says="your difference is divided by 2h². Divide it by 2h.")
wrong("sign", ("function(forward) - function(backward)", "function(backward) - function(forward)"),
      says="your gradient has the wrong sign: you subtract the value at x + h from the value at x − h. It should be the other way round.")
wrong("sum", ("function(forward) - function(backward)", "function(forward) + function(backward)"), says="your formula adds the values at x + h and x − h. A slope needs their difference.")
wrong("second-derivative", (QUOTIENT, "(function(forward) - 2 * function(x) + function(backward)) / step ** 2 if step > 1e-3 else np.nan"),
      # with a tiny step, rounding decides what comes out
      says="your numbers are second differences, how much the slope itself changes. The gradient is the slope.")
for power in (2, 3, 4, 5, 7, 8):
    wrong(f"step-1e-{power}", (UP, f"step = 1e-{power}; forward[index] += step"), says=FIXED)
    if power < 6:
        wrong(f"default-1e-{power}", ("step: float = 1e-6", f"step: float = 1e-{power}"), says="without being told, your step is larger than 1e-6. The default is part of the function's first line; leave it as it was.")
wrong("step-1e-6", (UP, "step = 1e-6; forward[index] += step"), says=FIXED)
wrong("step-fixed-in-the-nudge", (UP, "forward[index] += 1e-6"), (DOWN, "backward[index] -= 1e-6"),
      says="your nudge does not follow the `step` (it is a fixed small number), but your division does. Both need the same step.")
wrong("step-fixed-in-the-division", ("(2 * step)", "2e-6"), says="your nudge follows the `step`, but what you divide by does not (it is a fixed small number). Both need the same step.")
wrong("half-steps", (UP, "forward[index] += step / 2"), (DOWN, "backward[index] -= step / 2"), (QUOTIENT, "(function(forward) - function(backward)) / step"),
      says="you go half a step to each side. Here the step is how far to go to *each* side: x + h and x − h, 2h apart.")
wrong("half-steps-whole-division", (UP, "forward[index] += step / 2"), (DOWN, "backward[index] -= step / 2"),
      says="you go half a step to each side and divide by two steps. Go a whole step to each side.")
wrong("double-steps", (UP, "forward[index] += 2 * step"), (DOWN, "backward[index] -= 2 * step"), ("(2 * step)", "(4 * step)"),
      says="you go two steps to each side. Here the step is how far to go to each side: x + h and x − h.")
wrong("double-steps-whole-division", (UP, "forward[index] += 2 * step"), (DOWN, "backward[index] -= 2 * step"),
      says="you go two steps to each side, and divide by two steps. Here the step is how far to go to each side; the two points then lie 2h apart.")
wrong("nothing-subtracted", (DOWN, "pass"), (QUOTIENT, "function(forward) / step"), says="you divide the value f(x + h) itself. A slope needs a difference: f(x + h) − f(x − h).")
wrong("zeros-skipped", ("gradient[index] =", "gradient[index] = 0 if x[index] == 0 else"), says="where an entry of `x` is 0, your gradient is 0. An entry that is 0 has a slope like any other.")
wrong("sign+flat", ("function(forward) - function(backward)", "function(backward) - function(forward)"), (GIVE, "return gradient.reshape(-1)"),
      says="two things at once. Your gradient comes back as one long row, where it must have the shape of `x`. And its sign is wrong: you subtract the value at x + h from the value at x − h.")
wrong("two-steps-ahead", (UP, "forward[index] += 2 * step"), (DOWN, "pass"),
      says="your two points are x + 2h and x, both on one side. A central difference looks at x + h and at x − h.")
wrong("relative-step", (UP, "h = step * np.abs(x[index]); forward[index] += h"), (DOWN, "backward[index] -= h"), ("(2 * step)", "(2 * h)"),
      says="your step grows with the size of the entry, and is 0 where the entry is 0. Here the same step belongs to every entry.")
wrong("relative-step-from-1", (UP, "h = step * max(1, np.abs(x[index])); forward[index] += h"), (DOWN, "backward[index] -= h"), ("(2 * step)", "(2 * h)"),
      says="your step grows with the size of the entry. Here the same step belongs to every entry.")
wrong("relative-step-plus-1", (UP, "h = step * (1 + np.abs(x[index])); forward[index] += h"), (DOWN, "backward[index] -= h"), ("(2 * step)", "(2 * h)"),
      says="your step grows with the size of the entry. Here the same step belongs to every entry.")
wrong("multiplied", (UP, "forward[index] *= 1 + step"), (DOWN, "backward[index] *= 1 - step"),
      says="you multiply the entry by 1 + h and 1 − h. A nudge adds and subtracts the step.")
wrong("relative-to-length", (UP, "h = step * np.linalg.norm(x); forward[index] += h"), (DOWN, "backward[index] -= h"), ("(2 * step)", "(2 * h)"),
      says="your step grows with the length of `x`. Here the same step belongs to every entry, whatever the numbers in `x` are.")
wrong("backward-the-wrong-way", (QUOTIENT, "(function(forward) - 2 * function(x) + function(backward)) / (2 * step)"),
      says="you add f(x + h) − f(x) and f(x − h) − f(x), and the slopes cancel. The backward difference is f(x) − f(x − h).")
wrong("brackets-forgotten-twice", (QUOTIENT, "function(forward) - function(backward) / 2 * step"),
      says="only f(x − h) is divided by 2, and then multiplied by the step. Division comes before subtraction, and goes from left to right: put brackets around the difference and around 2h.")
wrong("two-steps-sizes", (QUOTIENT, "((function(forward) - function(backward)) / (2 * step) * -1 + 4 * (function((forward + x) / 2) - function((backward + x) / 2)) / step) / 3"),
      says="your formula combines steps of two sizes (Richardson's?), and its numbers are nearer to the true slope than a central difference with this step. Here only f(x + h) and f(x − h) are asked for.")
wrong("five-points", (QUOTIENT, "(8 * (function(forward) - function(backward)) - (function(2 * forward - x) - function(2 * backward - x))) / (12 * step)"),
      says="your formula looks at more than two points for each entry (a five-point formula?). A central difference is made of f(x + h) and f(x − h) alone.")
wrong("not-copied", (NUDGED, "forward, backward = x, x"),
      says="your gradient is 0 everywhere. Either `forward` and `backward` are two names for one array (`forward = x` makes no copy), or the slopes are never stored.")
wrong("no-minus-copy", (NUDGED, "forward, backward = x.copy(), x"),
      says="each entry of `x` is left a step below where it was, and the entries after it are measured there. Put each entry back, or move a copy (`name = x` makes none).")
wrong("no-plus-copy", (NUDGED, "forward, backward = x, x.copy()"),
      says="each entry of `x` is left a step above where it was, and the entries after it are measured there. Put each entry back, or move a copy (`name = x` makes none).")
wrong("copied-once", (NUDGED, "pass"), (LOOP, "forward, backward = x.copy(), x.copy()\n    " + LOOP),
      says="the copies are made once, before the loop, so each nudge stays in them while the next entry is measured. Nudge one entry at a time.")
wrong("one-copy-never-put-back", (NUDGED, "pass"), (LOOP, "copy = x.copy()\n    " + LOOP), (UP, "copy[index] += step; above = function(copy)"), (DOWN, "copy[index] -= 2 * step"),
      (QUOTIENT, "(above - function(copy)) / (2 * step)"),
      says="your copy is made once, before the loop, and each entry of it is left a step below where it was while the next one is measured. Put each entry back, or make the copy inside the loop.")
wrong("copied-once-forward", (NUDGED, "pass"), (LOOP, "forward, backward = x.copy(), x.copy()\n    " + LOOP), (DOWN, "pass"), (QUOTIENT, "(function(forward) - function(backward)) / step"),
      says="two things at once. The copy is made once, before the loop, so each nudge stays in it while the next entry is measured. And you look at x + h and x only: a central difference looks at x + h and x − h.")
wrong("flat-forward", (DOWN, "pass"), (QUOTIENT, "(function(forward) - function(backward)) / step"), (GIVE, "return gradient.reshape(-1)"),
      says="two things at once. Your gradient comes back as one long row, where it must have the shape of `x`. And your numbers are forward differences, made of the function at x + h and at x: a central difference looks at x + h and x − h.")
wrong("all-at-once", ("forward[index] += step", "forward += step"), (DOWN, "backward -= step"),
      says="you nudge all the entries at once, so every entry of your gradient is the same. Nudge one entry at a time.")
wrong("all-at-once-scalar", ("forward[index] += step", "forward += step"), (DOWN, "backward -= step"), (GIVE, "return gradient.flat[0]"),
      says="you nudge all the entries at once, so your result is one number. (`x + step` adds to every entry.) Nudge one entry at a time.")
wrong("one-up-all-down", (DOWN, "backward -= step"), says="upwards you nudge one entry, downwards all of them at once. Nudge the same single entry both times.")
wrong("all-up-one-down", ("forward[index] += step", "forward += step"), says="downwards you nudge one entry, upwards all of them at once. Nudge the same single entry both times.")
wrong("others-set-to-zero", (UP, "forward = np.zeros_like(x); forward[index] = x[index] + step"), (DOWN, "backward = np.zeros_like(x); backward[index] = x[index] - step"),
      says="the other entries are 0 while one is nudged. They keep the values that they have in `x`.")
wrong("unit-vectors", (UP, "forward = np.zeros_like(x); forward[index] = step"), (DOWN, "backward = np.zeros_like(x); backward[index] = -step"),
      says="your gradient is taken at 0, not at `x`: the nudge alone is handed to the function. Add it to `x`.")
wrong("first-entry-only", ("gradient[index] =", "gradient[(0,) * x.ndim] += gradient[index]; gradient[index] ="), (GIVE, "return gradient * (np.arange(x.size).reshape(x.shape) == 0)"),
      says="only the first entry of your gradient is filled. Does a `return` stand inside the loop?")
wrong("last-entry-missing", (GIVE, "gradient[(-1,) * x.ndim] = 0\n    return gradient"), says="the last entry of your gradient is 0: the loop ends one too early.")
wrong("first-entry-missing", (GIVE, "gradient[(0,) * x.ndim] = 0\n    return gradient"), says="the first entry of your gradient is 0: the loop starts one too late.")
wrong("overwritten", ("gradient[index] =", "gradient ="), says="your function returns one number, the slope of the last entry. Keep the slope of each entry in its place.")
wrong("added-up", ("gradient[index] =", "gradient = np.sum(gradient) +"), says="your function returns one number, the sum of all slopes. Keep each slope in the place of its entry, in the shape of `x`.")
wrong("running-sum", (GIVE, "return np.cumsum(gradient).reshape(x.shape)"), says="each entry of your gradient has the earlier ones added to it. Is there a `+=` where `=` is meant?")
wrong("whole-numbers", (EMPTY, "np.zeros(x.shape, dtype=int)"), says="your gradient is cut to whole numbers: the array it is written to holds integers.")
wrong("half-precision", (EMPTY, "np.zeros(x.shape, dtype=np.float16)"), says="your gradient is kept in half precision (float16), about three digits. Keep float64.")
wrong("single-precision", (NUDGED, "forward, backward = x.astype(np.float32), x.astype(np.float32)"),
      says="you nudge in single precision (float32): it holds seven digits, so of a step of 1e-6 hardly anything is left. Gradient checks need float64.")
wrong("single-precision-values", (QUOTIENT, "(np.float32(function(forward)) - np.float32(function(backward))) / (2 * step)"),
      says="the function's values are kept in single precision (float32): of the small difference between two of them hardly a digit is left. Gradient checks need float64.")
wrong("half-precision-nudge", (NUDGED, "forward, backward = x.astype(np.float16), x.astype(np.float16)"),
      says="you nudge in half precision (float16): it holds three digits, and a step of 1e-6 is lost in it. Gradient checks need float64.")
for digits in (2, 3):
    wrong(f"rounded-{digits}", (GIVE, f"return np.round(gradient, {digits})"), says="your gradient is rounded. Return it as it is.")
wrong("transposed", (GIVE, "return gradient.T"), says="your gradient is transposed: it must have the shape of `x`, each slope in the place of its entry.")
wrong("flat", (GIVE, "return gradient.reshape(-1)"), says="your gradient comes back as one long row. It must have the shape of `x`.")
wrong("column", (GIVE, "return gradient.reshape(-1, 1)"), says="your gradient comes back as one column. It must have the shape of `x`.")
wrong("column-order", (GIVE, 'return gradient.reshape(-1).reshape(x.shape, order="F")'), says="the slopes are all there, but not in the places of their entries: the order in which you fill the result is not the order in which you go through `x`.")
wrong("column-order-read", (GIVE, 'return gradient.reshape(-1, order="F").reshape(x.shape)'), says="the slopes are all there, but not in the places of their entries: the order in which you go through `x` is not the order in which you fill the result.")
wrong("reversed", (GIVE, "return gradient.reshape(-1)[::-1].reshape(x.shape)"), says="the slopes come back in the reverse order.")
wrong("total", (GIVE, "return gradient.sum()"), says="your function returns one number, the sum of all slopes. Keep each slope in the place of its entry, in the shape of `x`.")
wrong("mean", (GIVE, "return gradient.mean()"), says="your function returns one number, the mean of all slopes. Return one slope for each entry, in the shape of `x`.")
wrong("divided-by-the-count", (GIVE, "return gradient / x.size"), says="your gradient is divided by the number of entries. A gradient is no mean.")
wrong("length", (GIVE, "return np.linalg.norm(gradient)"), says="your function returns one number, the length of the gradient. Return one slope for each entry, in the shape of `x`.")
wrong("unit-length", (GIVE, "return gradient / np.linalg.norm(gradient)"), says="your gradient is brought to length 1. Return the slopes themselves.")
wrong("absolute", (GIVE, "return np.abs(gradient)"), says="your gradient has lost its signs. A slope may be negative.")
wrong("with-value", (GIVE, "return gradient, function(x)"), says="two things come back, the gradient and the function's value. Return the gradient alone.")
wrong("value-first", (GIVE, "return function(x), gradient"), says="two things come back, the function's value and the gradient. Return the gradient alone.")
wrong("value", (GIVE, "return function(x)"), says="the function's own value comes back, not its gradient.")
wrong("step-downhill", (GIVE, "return x - step * gradient"), says="you return `x` after a step downhill. Return the gradient itself.")
wrong("list", (GIVE, "return gradient.tolist() if x.ndim else gradient"), says="a Python list comes back. Return a NumPy array of the shape of `x`.")
wrong("flat-list", (GIVE, "return gradient.ravel().tolist()"), says="a Python list comes back, one long row of slopes. Return a NumPy array of the shape of `x`.")
wrong("forward-at-zeros", (QUOTIENT, "(function(forward) - function(x)) / step if x[index] == 0 else (function(forward) - function(backward)) / (2 * step)"), says="where an entry of `x` is 0, your slope is a forward difference: the function at x + h and at x. Look to both sides there too.")
wrong("sides-not-alike", (QUOTIENT, "(2 * (function(forward) - function(x)) + (function(x) - function(backward))) / (3 * step)"), says="one side counts more than the other in your slope. A central difference takes both sides alike.")
wrong("up-copied-once", (NUDGED, "backward = x.copy()"), (LOOP, "forward = x.copy()\n    " + LOOP),
      says="the copy that is nudged upwards is made once, before the loop, so each nudge stays in it while the next entry is measured. Nudge one entry at a time.")
wrong("down-copied-once", (NUDGED, "forward = x.copy()"), (LOOP, "backward = x.copy()\n    " + LOOP),
      says="the copy that is nudged downwards is made once, before the loop, so each nudge stays in it while the next entry is measured. Nudge one entry at a time.")
wrong("values-cut", (QUOTIENT, "(int(function(forward)) - int(function(backward))) / (2 * step)"), says="the function's values are cut to whole numbers before they are compared. (Are they kept in an array of integers?) Keep the decimals.")
wrong("nothing-returned", (GIVE, "pass"), says="nothing comes back: the `return` is missing.")
wrong("divided-by-step+flat", ("(2 * step)", "step"), (GIVE, "return gradient.reshape(-1)"),
      says="two things at once. Your numbers are twice too large: the two points lie 2h apart. And your gradient comes back as one long row, where it must have the shape of `x`.")
wrong("forward-difference+fixed", (UP, "step = 1e-6; forward[index] += step"), (DOWN, "pass"), (QUOTIENT, "(function(forward) - function(backward)) / step"), says=FIXED)
wrong("divided-by-step+fixed", (UP, "step = 1e-6; forward[index] += step"), ("(2 * step)", "step"),
      says="two things at once. The two points lie 2h apart, and you divide by h alone. And your numbers do not follow the `step` that they are given.")
wrong("divided-by-step+half-steps", (UP, "forward[index] += step / 2"), (DOWN, "backward[index] -= step / 2"), ("(2 * step)", "(step / 2)"),
      says="you go half a step to each side, and divide by half a step. Go a whole step to each side; then the points lie 2h apart.")
wrong("forward-difference+sign", (DOWN, "pass"), (QUOTIENT, "(function(backward) - function(forward)) / step"),
      says="two things at once. The sign is wrong. And your numbers are forward differences, made of the function at x + h and at x: a central difference looks at x + h and x − h.")
wrong("divided-by-step+sign", (QUOTIENT, "(function(backward) - function(forward)) / step"),
      says="two things at once. The sign is wrong: the later point comes first. And the two points lie 2h apart, where you divide by h.")
wrong("forward-difference+all-at-once", (UP, "forward += step"), (DOWN, "pass"), (QUOTIENT, "(function(forward) - function(backward)) / step"),
      says="two things at once. You nudge all the entries together. And you look at x + h and x only: a central difference looks at x + h and x − h.")

def by_place(place):
    """Wrong ones that do not put back what they move; `place` says how one entry is handled."""
    def moves(function, x, step=1e-6):
        gradient = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            gradient[index] = place(function, x, index, step)
        return gradient
    return moves

def down_two_and_stay(function, x, index, step):
    x[index] += step
    above = function(x)
    x[index] -= 2 * step
    return (above - function(x)) / (2 * step)

def up_and_stay(function, x, index, step):
    before = function(x)
    x[index] += step
    return (function(x) - before) / step

def down_one_step_only(function, x, index, step):
    x[index] += step
    above = function(x)
    x[index] -= step
    return (above - function(x)) / (2 * step)

def put_back_too_far(function, x, index, step):
    x[index] += step
    above = function(x)
    x[index] -= 2 * step
    below = function(x)
    x[index] += 2 * step
    return (above - below) / (2 * step)

wrong("never-put-back", says="each entry of `x` is left a step below where it was, and the entries after it are measured there. Put each entry back, or move a copy (`name = x` makes none).")(by_place(down_two_and_stay))
wrong("put-back-too-far", says="each entry of `x` is left a step above where it was, and the entries after it are measured there. Put each entry back, or move a copy (`name = x` makes none).")(by_place(put_back_too_far))
wrong("forward-never-put-back", says="two things at once. You look at x + h and x only: a central difference looks at x + h and x − h. And each entry of `x` stays where it was moved to.")(by_place(up_and_stay))
wrong("one-step-down", says="your numbers are half a forward difference: the function is compared at x + h and at x, which lie h apart, and divided by 2h. Is the second point x − h?")(by_place(down_one_step_only))

@wrong("rows-at-once", says="your loop goes along the first axis only, so in a table a whole row is nudged at once. Go through every entry, however many axes there are.")
def rows_at_once(function, x, step=1e-6):
    gradient = np.zeros(x.shape)
    for i in range(len(x)):
        forward, backward = x.copy(), x.copy()
        forward[i] += step
        backward[i] -= step
        gradient[i] = (function(forward) - function(backward)) / (2 * step)
    return gradient

@wrong("rows-at-once-forward", says="two things at once. Your loop goes along the first axis only, so in a table a whole row is nudged at once. And you look at x + h and x only: a central difference looks at x + h and x − h.")
def rows_at_once_forward(function, x, step=1e-6):
    gradient = np.zeros(x.shape)
    for i in range(len(x)):
        forward = x.copy()
        forward[i] += step
        gradient[i] = (function(forward) - function(x)) / step
    return gradient

@wrong("one-slope-a-row", says="your loop goes along the first axis only, and gives one slope for each row. Go through every entry, however many axes there are.")
def one_slope_a_row(function, x, step=1e-6):
    gradient = np.zeros(len(x))
    for i in range(len(x)):
        forward, backward = x.copy(), x.copy()
        forward[i] += step
        backward[i] -= step
        gradient[i] = (function(forward) - function(backward)) / (2 * step)
    return gradient

@wrong("one-axis-put-back", says="your loop goes along the first axis only. Where there are several axes, `x[i]` is a whole row, and `old = x[i]` is a view of it, which moves along with the row. Go through every entry, however many axes there are.")
def one_axis_put_back(function, x, step=1e-6):
    gradient = np.zeros(len(x))
    for i in range(len(x)):
        before = x[i]
        x[i] = before + step
        above = function(x)
        x[i] = before - step
        below = function(x)
        x[i] = before
        gradient[i] = (above - below) / (2 * step)
    return gradient

@wrong("by-size-in-the-first-axis", says="your loop counts up to the number of entries, but `x[i]` is a whole row where there are several axes. Go through the indices of all axes.")
def by_size(function, x, step=1e-6):
    gradient = np.zeros(x.shape)
    for i in range(x.size):
        forward, backward = x.copy(), x.copy()
        forward[i] += step
        backward[i] -= step
        gradient[i] = (function(forward) - function(backward)) / (2 * step)
    return gradient

@wrong("two-axes-only", says="your loops are for exactly two axes. `x` may have none, one, two or three: go through the indices of all axes.")
def two_axes_only(function, x, step=1e-6):
    gradient = np.zeros(x.shape)
    rows, columns = x.shape
    for i in range(rows):
        for j in range(columns):
            forward, backward = x.copy(), x.copy()
            forward[i, j] += step
            backward[i, j] -= step
            gradient[i, j] = (function(forward) - function(backward)) / (2 * step)
    return gradient

@wrong("flattened-for-the-function", says="you hand the function one long row of numbers. It takes an array of the shape of `x`.")
def flattened_for_the_function(function, x, step=1e-6):
    flat = x.reshape(-1)
    gradient = np.zeros(x.size)
    for i in range(x.size):
        forward, backward = flat.copy(), flat.copy()
        forward[i] += step
        backward[i] -= step
        gradient[i] = (function(forward) - function(backward)) / (2 * step)
    return gradient.reshape(x.shape)

@wrong("numbers-one-by-one", says="you hand the function a single entry of `x`. It takes the whole array, one entry of it nudged.")
def numbers_one_by_one(function, x, step=1e-6):
    return np.array([(function(v + step) - function(v - step)) / (2 * step) for v in x.reshape(-1)]).reshape(x.shape)

@wrong("plus-step-everywhere", says="you nudge all the entries at once, so your result is one number. (`x + step` adds to every entry.) Nudge one entry at a time.")
def plus_step_everywhere(function, x, step=1e-6):
    return (function(x + step) - function(x - step)) / (2 * step)

@wrong("forward-everywhere", says="two things at once. x + step nudges all the entries together. And you look at x + h and x only: a central difference looks at x + h and x − h.")
def forward_everywhere(function, x, step=1e-6):
    return (function(x + step) - function(x)) / step

@wrong("numpy-gradient", says="you take differences between neighbouring entries of `x`. The gradient asks how `function` answers when an entry is nudged.")
def numpy_gradient(function, x, step=1e-6):
    return np.gradient(x, step) if x.ndim == 1 else np.zeros(x.shape)

@wrong("zeros", says="your gradient is 0 everywhere. Either `forward` and `backward` are two names for one array (`forward = x` makes no copy), or the slopes are never stored.")
def zeros(function, x, step=1e-6):
    return np.zeros(x.shape)

@right
def put_back_in_place(function, x, step=1e-6):
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        before = x[index].copy()
        x[index] = before + step
        above = function(x)
        x[index] = before - step
        below = function(x)
        x[index] = before
        gradient[index] = (above - below) / (2 * step)
    return gradient

@right
def put_back_up_to_rounding(function, x, step=1e-6):
    gradient, it = np.empty_like(x), np.nditer(x, flags=["multi_index"], op_flags=["readwrite"])
    while not it.finished:
        i = it.multi_index
        x[i] += step
        above = function(x)
        x[i] -= 2 * step
        below = function(x)
        x[i] += step
        gradient[i] = (above - below) / (2.0 * step)
        it.iternext()
    return gradient

@wrong("flat-copy", says="you nudge the entries of `x.reshape(-1)` (or of `x.ravel()`). That is a view of `x` only where its entries lie one behind the other in memory; of a transpose it is a copy, and the function never sees the nudge. `x.flat` always reaches `x` itself.")
def flat_copy(function, x, step=1e-6):
    gradient, flat = np.zeros(x.size), x.reshape(-1)
    for i in range(x.size):
        before = flat[i]
        flat[i] = before + step
        above = function(x)
        flat[i] = before - step
        below = function(x)
        flat[i] = before
        gradient[i] = (above - below) / (2 * step)
    return gradient.reshape(x.shape)

@right
def through_the_flat_iterator(f, a, step=1e-6):
    flat, slopes = a.flat, []
    for i in range(a.size):
        flat[i] += step
        slope = f(a)
        flat[i] -= 2 * step
        slopes.append((slope - f(a)) / step / 2)
        flat[i] += step
    return np.array(slopes).reshape(a.shape)

@right
def with_unit_vectors(function, x, step=1e-6):
    eye = np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([function(x + step * e) - function(x - step * e) for e in eye]).reshape(x.shape) / (2 * step)

@right
def mean_of_both_sides(function, x, step=1e-6):
    here, gradient = function(x), np.zeros(x.shape)
    for index, value in np.ndenumerate(x):
        up, down = np.array(x), np.array(x)
        up[index], down[index] = value + step, value - step
        gradient[index] = ((function(up) - here) / step + (here - function(down)) / step) / 2
    return gradient

@right
def slopes_in_single_precision(function, x, step=1e-6):
    gradient = np.zeros(x.shape, dtype=np.float32)
    for i in range(x.size):
        nudge = np.zeros(x.size)
        nudge[i] = step
        nudge = nudge.reshape(x.shape)
        gradient.flat[i] = (function(x + nudge) - function(x - nudge)) / (2 * step)
    return gradient

@right
def with_vectorize(function, x, step=1e-6):
    def slope(i):
        def at(h):
            moved = x.flatten()
            moved[i] += h
            return function(moved.reshape(x.shape))
        return (at(step) - at(-step)) / (2 * step)
    return np.vectorize(slope, otypes=[float])(np.arange(x.size)).reshape(x.shape)

@truth
def mean_of_the_exact_slopes(function, x, step=1e-6):
    """A central difference is the mean of the derivative from x − h to x + h: complex-step derivatives, by Gauss's rule."""
    places, shares = np.polynomial.legendre.leggauss(16)
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        for place, share in zip(places, shares / 2, strict=True):
            moved = x.astype(complex)
            moved[index] += place * step + 1e-30j
            gradient[index] += share * np.imag(function(moved)) / 1e-30
    return gradient

truth(use_part("numerical_gradient"))

# %% exercise="softmax_backward" part="library"
def softmax_backward(weights: np.ndarray, grad_weights: np.ndarray) -> np.ndarray:
    """The operator that PyTorch's own backward pass uses."""
    import torch

    return torch.ops.aten._softmax_backward_data(*doubles(grad_weights, weights), -1, torch.float64).numpy()

# %% exercise="softmax_backward" part="variants"
without("whole numbers", "far apart", "far apart, the other way round", "ties", because="rows of weights sum to 1")

def drawn(rng, *shape):
    scores = 1.5 * rng.normal(size=shape)
    return dict(weights=softmax(scores), grad_weights=2 * rng.normal(size=shape))

@cases(dict(n=5), low=3)
def one_row(rng, n):
    """one row of {n} weights"""
    return drawn(rng, n)

@cases(dict(rows=4, n=6), dict(rows=7, n=3), low=3)
def rows_of_weights(rng, rows, n):
    """{rows} rows of {n} weights"""
    return drawn(rng, rows, n)

@cases(dict(n=4), low=3)
def as_many_rows(rng, n):
    """{n} rows of {n} weights"""
    return drawn(rng, n, n)

@cases(dict(batch=2, rows=5, n=3), low=2, high=6)
def a_batch(rng, batch, rows, n):
    """a batch of {batch}, {rows} rows of {n} weights"""
    return drawn(rng, batch, rows, n)

@cases(dict(batch=2, heads=3, rows=4, n=5), high=6)
def a_batch_of_heads(rng, batch, heads, rows, n):
    """a batch of {batch}, {heads} heads, {rows} rows of {n} weights"""
    return drawn(rng, batch, heads, rows, n)

@cases()
def sure(rng):
    """3 rows that have put all or nearly all their weight on one key"""
    weights = np.array([[1.0, 0, 0, 0], [0, 0, 0.999, 0.001], [0, 1, 0, 0]])
    return dict(weights=weights, grad_weights=2 * rng.normal(size=(3, 4)))

@cases()
def zeros(rng):
    """gradients of which some are exactly 0"""
    return drawn(rng, 3, 5) | dict(grad_weights=np.array([[0.0, 2, -1, 0, 3], [1, 0, 0, -2, 4], [0, 0, 0, 5, 0]])[rng.permutation(3)])

@cases()
def far_from_zero(rng):
    """gradients around 30 that differ little from one another"""
    return drawn(rng, 3, 5) | dict(grad_weights=30 + rng.normal(size=(3, 5)))

@cases()
def huge(rng):
    """gradients of millions"""
    return dict(weights=np.array([0.5, 0.3, 0.2]), grad_weights=np.array([1e6, 2e6, 4e6]))

@cases()
def all_equal(rng):
    """a row of equal weights, and one of unequal ones"""
    weights = np.array([[0.25, 0.25, 0.25, 0.25], [0.125, 0.5, 0.0625, 0.3125]])
    return dict(weights=weights, grad_weights=2 * rng.normal(size=(2, 4)))

@cases()
def little_weight(rng):
    """keys of very little weight whose gradients are very large"""
    weights = np.array([[0.99987, 0.00008, 0.00005], [0.00004, 0.00003, 0.99993]])
    return dict(weights=weights, grad_weights=np.array([[1.5, 1e5, -2e5], [3e5, -1e5, -2.5]]))

MEAN, RESULT, INSIDE = "np.sum(weights * grad_weights, axis=-1, keepdims=True)", "return weights * (grad_weights - mean)", "weights * grad_weights, axis=-1"
formulas = [
    ("no-mean", (RESULT, "return weights * grad_weights"), "your result is w · g: only what each weight gains from its own score", "Everyone pays for it, too: the weighted mean of g is missing."),
    ("own-entry-only", (RESULT, "return weights * (1 - weights) * grad_weights"), "your result is w (1 − w) g, the diagonal of the Jacobian alone",
     "Nudging one score moves the other weights as well: the sum runs over all of them."),
    ("no-outer-weights", (RESULT, "return grad_weights - mean"), "your result is g minus its weighted mean", "It must still be multiplied by the weights: a key without weight gets no gradient."),
    ("plain-mean", (MEAN, "np.mean(grad_weights, axis=-1, keepdims=True)"), "your mean counts every key equally", "It is a weighted mean: each g counts with its weight."),
    ("plain-sum", (MEAN, "np.sum(grad_weights, axis=-1, keepdims=True)"), "you subtract the plain sum of g", "Each g in the sum has its weight before it."),
    ("plus", (RESULT, "return weights * (grad_weights + mean)"), "the weighted mean is added to g", "What everyone pays is subtracted."),
    ("sign", (RESULT, "return weights * (mean - grad_weights)"), "your result has the wrong sign", "It is g minus its mean, not the mean minus g."),
    ("log-softmax", (RESULT, "return grad_weights - weights * np.sum(grad_weights, axis=-1, keepdims=True)"), "your result is g − w Σg, which is the way back through a *log*-softmax",
     "Here the weights themselves have the gradient g."),
    ("swapped", (RESULT, "return grad_weights * (weights - mean)"), "weights and gradients have changed places in the last step", "The weights stand before the bracket, g inside it."),
    ("squared-in-the-mean", (MEAN, "np.sum(weights ** 2 * grad_weights, axis=-1, keepdims=True)"), "the weights stand twice inside the sum", "The sum is Σ w g; the second w stands before the bracket."),
]
axes = [
    ("axis-minus-2", ("axis=-1", "axis=-2"), "your sum runs over the rows (axis -2)", "Each row sums over its own keys, the last axis."),
    ("axis-0", ("axis=-1", "axis=0"), "your sum runs along axis 0, which is the keys only where there is a single row", "Each row sums over its own keys, the last axis."),
    ("axis-1", ("axis=-1", "axis=1"), "your sum runs along axis 1, which is the keys only where exactly one axis stands in front", "Count from the end: the keys are the last axis."),
    ("whole-array", (", axis=-1, keepdims=True", ""), "your sum runs over the whole array", "Each row has a mean of its own."),
]
for name, edit, seen, look in formulas[:6] + formulas[6:] + axes:
    wrong(name, edit, says=f"{seen}. {look}")
for one in [formulas[2], formulas[5], formulas[6]]:
    for two in axes:
        wrong(f"{one[0]}+{two[0]}", one[1], two[1], says=two_things(f"{one[2]}. {one[3]}", f"{two[2]}. {two[3]}"))
for one in formulas[3:5]:
    wrong(f"{one[0]}+{formulas[6][0]}", one[1], formulas[6][1], says=two_things(f"{one[2]}. {one[3]}", f"{formulas[6][2]}. {formulas[6][3]}"))
wrong("keepdims-forgotten", (", keepdims=True", ""),
      says="the sums have lost an axis, and so they line up with the wrong axis of g, or with none. One sum belongs to each row: keep the axis that was summed.")
wrong("keepdims-and-weights-forgotten", (", keepdims=True", ""), (RESULT, "return grad_weights - mean"),
      says="two things at once. The sums have lost an axis, and line up with the wrong axis of g or with none: keep it. And the result must be multiplied by the weights.")
wrong("gradient-unchanged", (RESULT, "return grad_weights"), says="your result is `grad_weights` itself: the softmax is skipped on the way back.")
wrong("weights-returned", (RESULT, "return weights"), says="your result is `weights` itself. Return the gradient for the scores.")
wrong("mean-returned", (RESULT, "return mean"), says="your result is the weighted mean of g alone, one number a row.")
wrong("all-axes-but-the-first", ("axis=-1", "axis=tuple(range(1, weights.ndim))"),
      says="your sum runs over all axes but the first. Leading axes may be none, one or more; each row sums over its own keys, the last axis.")
wrong("sign-and-outer-weights", (RESULT, "return mean - grad_weights"), says="two things at once. The sign is wrong: it is g minus its mean. And the result must still be multiplied by the weights.")
wrong("no-outer-weights-plain-mean", (MEAN, "np.mean(grad_weights, axis=-1, keepdims=True)"), (RESULT, "return grad_weights - mean"),
      says="two things at once. Your mean counts every key equally, where each g counts with its weight. And the result must still be multiplied by the weights.")
wrong("mean-of-weights", (MEAN, "np.mean(weights, axis=-1, keepdims=True)"), says="you subtract the mean of the weights. Subtract the weighted mean of g: Σ w g.")
wrong("no-mean-and-sign", (RESULT, "return -weights * grad_weights"), says="your result is −w · g: the sign is wrong, and what everyone pays, the weighted mean of g, is missing.")
wrong("outer-weights-on-the-mean-only", (RESULT, "return grad_weights - weights * mean"), says="only the mean is multiplied by w, and g is not: w stands before the bracket, for both.")
wrong("last-key-ignored", (MEAN, "np.sum((weights * grad_weights)[..., :-1], axis=-1, keepdims=True)"), (RESULT, "return weights * (grad_weights * (np.arange(weights.shape[-1]) < weights.shape[-1] - 1) - mean)"),
      says="the g of the last key is not used: a loop ends one too early.")
wrong("last-key-only", (MEAN, "(weights * grad_weights)[..., -1:]"), (RESULT, "return weights * (grad_weights * (np.arange(weights.shape[-1]) == weights.shape[-1] - 1) - mean)"),
      says="your sum holds only what the last key gives: is there an `=` in a loop where `+=` is meant?")
wrong("sum-of-weights", (MEAN, "np.sum(weights, axis=-1, keepdims=True)"), says="you subtract the sum of the weights, which is always 1. Subtract Σ w g.")
wrong("weights-twice", (RESULT, "return weights * weights * (grad_weights - mean)"), says="the bracket is multiplied by the weights twice. Once is right.")
wrong("mean-not-weighted-outside", (RESULT, "return weights * grad_weights - mean"), says="only g is multiplied by w, and the mean is not: w stands before the bracket, for both.")
wrong("own-weight-subtracted", (RESULT, "return weights * (grad_weights - weights * grad_weights - mean)"), says="the diagonal is counted twice: Σ w g already holds the key's own w g.")
wrong("no-diagonal", (RESULT, "return -weights * mean"), says="your result is −w Σ w g: only what everyone pays. The gain, w g, is missing.")
wrong("others-only", (RESULT, "return weights * (grad_weights - (mean - weights * grad_weights))"),
      says="your sum leaves out the key itself. Everyone pays, the key that gains as well: its own w g belongs into the sum.")
wrong("others-gain", (RESULT, "return weights * (1 - weights) * grad_weights + weights * (mean - weights * grad_weights)"),
      says="the other keys gain when one score rises: the Jacobian's off-diagonal entries have the wrong sign. They are −wᵢ wⱼ.")
wrong("others-lose-to-themselves", (RESULT, "return -weights * (mean - weights * grad_weights)"),
      says="the Jacobian's diagonal is missing: your sum holds only the other keys. The diagonal is w (1 − w).")
wrong("jacobian-without-weights", (RESULT, "return grad_weights - weights * grad_weights"), says="your result is (1 − w) g. Go back to the formula: weights before the bracket, and the weighted mean of all g inside it.")
wrong("divided", (RESULT, "return (grad_weights - mean) / np.maximum(weights, 1e-300)"), says="you divide by the weights. The bracket is multiplied by them.")
wrong("divided-plainly", (RESULT, "return (grad_weights - mean) / weights"), says="you divide by the weights. The bracket is multiplied by them.")
wrong("softmax-again", (MEAN, "np.sum(softmax(weights) * grad_weights, axis=-1, keepdims=True)"), (RESULT, "return softmax(weights) * (grad_weights - mean)"),
      says="the softmax is applied to the weights once more. `weights` is already what the softmax gave.")
wrong("softmax-of-gradient", (RESULT, "return softmax(grad_weights)"), says="your result is the softmax of the gradient. The way back is another formula than the way there.")
wrong("arguments-exchanged", (MEAN, "np.sum(grad_weights * weights, axis=-1, keepdims=True)"), (RESULT, "return grad_weights * (weights - mean)"),
      says="weights and gradients have changed places in the last step. The weights stand before the bracket, g inside it.")
wrong("cross-entropy", (RESULT, "return weights - grad_weights"), says="your result is w − g, the shortcut for a softmax followed by the cross-entropy. There is no cross-entropy here.")
wrong("tanh", (RESULT, "return (1 - weights ** 2) * grad_weights"), says="your result is (1 − w²) g, which is the way back through tanh.")
wrong("relu", (RESULT, "return (weights > 0) * grad_weights"), says="your result is g where the weight is above 0, as for ReLU. A softmax scales and subtracts.")
wrong("largest-subtracted", (MEAN, "np.max(grad_weights, axis=-1, keepdims=True)"), says="you subtract the largest g of each row. Subtract the weighted mean.")
wrong("mean-of-products", (MEAN, "np.mean(weights * grad_weights, axis=-1, keepdims=True)"), says="your weighted mean is divided by the number of keys. The weights sum to 1 already: Σ w g is the mean.")
wrong("over-root-n", (RESULT, "return weights * (grad_weights - mean) / np.sqrt(weights.shape[-1])"), says="your result is divided by √n. No factor belongs to the softmax; the one of attention, 1/√d_k, comes in the next exercise.")
wrong("over-n", (RESULT, "return weights * (grad_weights - mean) / weights.shape[-1]"), says="your result is divided by n. A gradient is no mean.")
wrong("over-rows", (RESULT, "return weights * (grad_weights - mean) / weights.shape[0]"), says="your result is divided by the length of the first axis. A gradient is no mean over the batch.")
wrong("centred-afterwards", (RESULT, "return weights * grad_weights - np.mean(weights * grad_weights, axis=-1, keepdims=True)"),
      says="you subtract the same amount from every key. Everyone pays in proportion to their weight: w times the weighted mean.")
wrong("the-jacobian", (RESULT, "return weights[..., :, None] * (np.eye(weights.shape[-1]) - weights[..., None, :])"), says="the Jacobian itself comes back. Multiply it by g: one number a score is left.")
wrong("terms-not-summed", (RESULT, "return weights[..., :, None] * (np.eye(weights.shape[-1]) - weights[..., None, :]) * grad_weights[..., None, :]"),
      says="a table comes back for each row: what each weight does to each score, not summed yet. Sum over the weights.")
wrong("rows-summed", (RESULT, "return (weights * (grad_weights - mean)).sum(axis=0)"), says="the gradients are summed along the first axis. Return one for each score, in the shape of `weights`.")
wrong("keys-summed", (RESULT, "return (weights * (grad_weights - mean)).sum(axis=-1)"), says="the gradients of each row are summed, which gives 0. Return one for each score, in the shape of `weights`.")
wrong("first-row-only", (RESULT, "return (weights * (grad_weights - mean))[0]"), says="only the first row (or item) comes back. Return the gradients of all the scores.")
wrong("first-row-for-all", (MEAN, "np.sum(weights * grad_weights, axis=-1, keepdims=True)[(0,) * (weights.ndim - 1)]"), says="the mean of the first row is subtracted in every row. Each row has a mean of its own.")
wrong("last-key-missing", (INSIDE, "(weights * grad_weights)[..., :-1], axis=-1"), says="your sum leaves out the last key: a loop ends one too early.")
wrong("first-key-missing", (INSIDE, "(weights * grad_weights)[..., 1:], axis=-1"), says="your sum leaves out the first key: a loop starts at 1, not at 0.")
wrong("pair", (RESULT, "return weights * (grad_weights - mean), mean"), says="two things come back. Return the gradient for the scores alone.")
wrong("list", (RESULT, "return (weights * (grad_weights - mean)).tolist()"), says="a Python list comes back. Return a NumPy array.")
wrong("transposed", (RESULT, "return (weights * (grad_weights - mean)).T"), says="your result is transposed: it must have the shape of `weights`.")
wrong("flat", (RESULT, "return (weights * (grad_weights - mean)).reshape(-1)"), says="your result is one long row. It must have the shape of `weights`.")
wrong("mean-times-weights-inside", (RESULT, "return weights * (grad_weights - weights * mean)"), says="inside the bracket, the mean is multiplied by the weights once more. The bracket is g minus the mean; the weights stand before it.")
wrong("mean-times-gradient", (RESULT, "return weights * grad_weights - weights * grad_weights * mean"), says="the mean is multiplied by g as well as by w. What is subtracted is w times the mean.")
wrong("best-key-for-the-mean", (MEAN, "np.take_along_axis(grad_weights, np.argmax(weights, axis=-1)[..., None], axis=-1)"), says="you subtract the g of the key with the largest weight. Subtract the weighted mean of all g.")
wrong("one-jacobian-for-all", (RESULT, "row = weights.reshape(-1, weights.shape[-1])[0]\n    return grad_weights @ (np.diag(row) - np.outer(row, row))"), says="the weights of the first row serve for every row. Each row has its own.")
wrong("rows-in-one-axis", (RESULT, "return (weights * (grad_weights - mean)).reshape(-1, weights.shape[-1]) if weights.ndim > 2 else weights * (grad_weights - mean)"),
      says="leading axes come back as one. Return them as they were.")
wrong("zero-weights-count", (RESULT, "return np.where(weights > 0, weights, 1) * (grad_weights - mean)"), says="where a weight is 0, your result is not: it is w times the bracket there too, so 0.")
wrong("small-gradients-dropped", (RESULT, "result = weights * (grad_weights - mean)\n    return np.where(np.abs(result) < 1e-2, 0, result)"), says="small entries of your result are set to 0. Return them as they are.")
wrong("at-least-two-axes", (RESULT, "return np.atleast_2d(weights * (grad_weights - mean))"), says="where one row comes in, a table with one row comes back. The result has the shape of `weights`.")
wrong("small-weights-dropped", (RESULT, "return np.where(weights < 5e-4, 0, weights) * (grad_weights - mean)"),
      says="your result is 0 where a weight is small. However small the weight, w · (g − mean) counts: g may be large.")
wrong("softmax-of-the-weights-in-the-mean", (MEAN, "np.sum(softmax(weights) * grad_weights, axis=-1, keepdims=True)"),
      says="in your mean, the weights go through the softmax once more. They have been through it already.")
wrong("whole-numbers", (RESULT, "return (weights * (grad_weights - mean)).astype(int)"), says="your result is cut to whole numbers.")
for digits in (1, 2, 3):
    wrong(f"rounded-{digits}", (RESULT, f"return np.round(weights * (grad_weights - mean), {digits})"), says="your result is rounded. Return it as it is.")
wrong("half-precision", (RESULT, "return (weights * (grad_weights - mean)).astype(np.float16)"), says="your result has been rounded to half precision (float16), about three digits. Keep float32 or float64.")
wrong("half-precision-throughout", (MEAN, "np.sum(weights.astype(np.float16) * grad_weights.astype(np.float16), axis=-1, keepdims=True)"),
      (RESULT, "return weights.astype(np.float16) * (grad_weights.astype(np.float16) - mean)"),
      says="you compute in half precision (float16): about three digits, and most of them cancel in the bracket. Keep float32 or float64.")
wrong("in-place-gradient", (RESULT, "grad_weights -= mean\n    return weights * grad_weights"), says="your numbers are right, but your code changes the argument `grad_weights` in place (`-=`, `*=` and `out=` do that). Write the result into a new array.")
wrong("in-place-product", (RESULT, "grad_weights -= mean\n    grad_weights *= weights\n    return grad_weights"), says="your numbers are right, but your code changes the argument `grad_weights` in place (`-=`, `*=` and `out=` do that). Write the result into a new array.")
wrong("in-place-weights", (RESULT, "weights *= grad_weights - mean\n    return weights"), says="your numbers are right, but your code changes the argument `weights` in place (`-=`, `*=` and `out=` do that). Write the result into a new array.")
wrong("in-place-before-the-sum", (MEAN, "np.sum(np.multiply(grad_weights, weights, out=grad_weights), axis=-1, keepdims=True)"), (RESULT, "return grad_weights - weights * mean"),
      says="your numbers are right, but your code changes the argument `grad_weights` in place (`-=`, `*=` and `out=` do that). Write the result into a new array.")
wrong("nothing-returned", (RESULT, "weights * (grad_weights - mean)"), says="nothing comes back: the `return` is missing.")

@wrong("for-one-row", says="your Jacobian is built for a single row: np.diag and np.outer mean something else where there are several rows. Write it so that leading axes stay.")
def for_one_row(weights, grad_weights):
    return (np.diag(weights) - np.outer(weights, weights)) @ grad_weights

@wrong("vector-product", says="`weights @ grad_weights` is one number only for two plain vectors; for rows of weights it is a matrix product, or does not fit at all. Sum along the last axis.")
def vector_product(weights, grad_weights):
    return weights * (grad_weights - weights @ grad_weights)

@wrong("dot", says="`np.dot` is one number only for two plain vectors; for rows of weights it is a matrix product, or does not fit at all. Sum along the last axis.")
def dot(weights, grad_weights):
    return weights * (grad_weights - np.dot(weights, grad_weights))

@wrong("vdot", says="your sum runs over the whole array. Each row has a mean of its own.")
def vdot(weights, grad_weights):
    return weights * (grad_weights - np.vdot(weights, grad_weights))

@wrong("rows-only", says="your loop takes the first axis for the rows. There may be no rows (one axis), or rows within a batch (three or four).")
def rows_only(weights, grad_weights):
    return np.stack([(np.diag(w) - np.outer(w, w)) @ g for w, g in zip(weights, grad_weights, strict=True)])

@wrong("two-axes-only", says="your einsum names exactly two axes. `...` stands for any leading axes, in einsum, too.")
def two_axes_only(weights, grad_weights):
    return weights * (grad_weights - np.einsum("ij,ij->i", weights, grad_weights)[:, None])

@wrong("diagonal-of-the-rows", says="your Jacobian is built for a single row: np.diag of a table takes its diagonal instead of making one. Write it so that leading axes stay.")
def diagonal_of_the_rows(weights, grad_weights):
    return (np.diag(weights) - weights[..., None] * weights[..., None, :]) @ grad_weights

@right
def by_the_jacobian(weights, grad_weights):
    jacobian = weights[..., :, None] * (np.eye(weights.shape[-1]) - weights[..., None, :])
    return (jacobian @ grad_weights[..., None])[..., 0]

@right
def by_einsum(w, g):
    return w * g - np.einsum("...i,...j,...j->...i", w, w, g)

@right
def row_by_row(weights, grad_weights):
    rows = weights.reshape(-1, weights.shape[-1])
    gradients = [np.diag(w) @ g - w * np.dot(w, g) for w, g in zip(rows, grad_weights.reshape(rows.shape), strict=True)]
    return np.array(gradients).reshape(weights.shape)

@right
def number_by_number(weights, grad_weights):
    result = np.zeros_like(weights)
    for place in np.ndindex(*weights.shape[:-1]):
        w, g = weights[place], grad_weights[place]
        for j in range(len(w)):
            for i in range(len(w)):
                result[(*place, j)] += g[i] * w[i] * ((i == j) - w[j])
    return result

@right
def with_average(weights, grad_weights):
    mean = np.average(grad_weights, axis=-1, weights=weights)
    return weights * (grad_weights - np.expand_dims(mean, -1))

@right
def in_single_precision(weights, grad_weights):
    w, g = weights.astype(np.float32), grad_weights.astype(np.float32)
    out = g - (w * g).sum(-1, keepdims=True)
    out *= w
    return out

@right
def with_matmul(weights, grad_weights):
    product = weights * grad_weights
    total = np.matmul(weights[..., None, :], grad_weights[..., :, None])[..., 0]
    return product - weights * total

@right
def with_vectorize(weights, grad_weights):
    one = np.vectorize(lambda w, g: w * (g - w.dot(g)), signature="(n),(n)->(n)")
    return one(weights, grad_weights)

@truth
def by_autograd(weights, grad_weights):
    import torch
    scores = torch.log(torch.from_numpy(weights).clamp(min=1e-300)).requires_grad_(True)
    (torch.softmax(scores, -1) * torch.from_numpy(grad_weights)).sum().backward()
    return scores.grad.numpy()

truth(use_part("softmax_backward"))

# %% exercise="attention_backward" part="library"
def attention_backward(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, weights: np.ndarray, grad_output: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """PyTorch's autograd through PyTorch's attention."""
    import torch

    with torch.enable_grad():
        leaves = [leaf.requires_grad_(True) for leaf in doubles(query, key, value)]
        output = torch.nn.functional.scaled_dot_product_attention(*leaves)
        gradients = torch.autograd.grad(output, leaves, doubles(grad_output))
    grad_query, grad_key, grad_value = (gradient.numpy() for gradient in gradients)
    return grad_query, grad_key, grad_value

# %% exercise="attention_backward" part="variants"
without(
    "whole numbers", "ties", "far apart", "far apart, the other way round", "again: query", "again: key", "again: weights",
    because="the weights belong to the queries and keys",
)

def drawn(rng, leading, seq_q, seq_k, d_k, d_v):
    query, key = rng.normal(size=(*leading, seq_q, d_k)), rng.normal(size=(*leading, seq_k, d_k))
    given = dict(query=query, key=key, value=rng.normal(size=(*leading, seq_k, d_v)))
    given["weights"] = softmax(query @ np.swapaxes(key, -2, -1) / np.sqrt(d_k))
    return given | dict(grad_output=2 * rng.normal(size=(*leading, seq_q, d_v)))

@cases(dict(seq_q=3, seq_k=5, d_k=7, d_v=6), dict(seq_q=7, seq_k=4, d_k=5, d_v=3))
def no_batch(rng, seq_q, seq_k, d_k, d_v):
    """{seq_q} queries, {seq_k} keys of length {d_k}, values of length {d_v}, no batch"""
    return drawn(rng, (), seq_q, seq_k, d_k, d_v)

@cases(dict(batch=2, seq_q=5, seq_k=7, d_k=3, d_v=6), dict(batch=3, seq_q=6, seq_k=4, d_k=2, d_v=5))
def one_batch(rng, batch, seq_q, seq_k, d_k, d_v):
    """a batch of {batch}: {seq_q} queries, {seq_k} keys of length {d_k}, values of length {d_v}"""
    return drawn(rng, (batch,), seq_q, seq_k, d_k, d_v)

@cases(dict(batch=2, heads=3, seq_q=5, seq_k=7, d_k=6, d_v=4), high=7)
def batch_and_heads(rng, batch, heads, seq_q, seq_k, d_k, d_v):
    """a batch of {batch}, {heads} heads: {seq_q} queries, {seq_k} keys of length {d_k}, values of length {d_v}"""
    return drawn(rng, (batch, heads), seq_q, seq_k, d_k, d_v)

@cases()
def square(rng):
    """3 sequences of 3 tokens of length 3, where a shape tells nothing"""
    return drawn(rng, (3,), 3, 3, 3, 3)

@cases()
def one_query(rng):
    """a batch of one, with one query and 3 keys"""
    return drawn(rng, (1,), 1, 3, 5, 2)

@cases()
def sure(rng):
    """2 queries, each of which gives nearly all its weight to one of 3 keys"""
    given = drawn(rng, (), 2, 3, 4, 5)
    given["query"][:, 0], given["key"][:, 0] = [6.0, -6.0], [3.0, -3.0, 0.0]
    return given | dict(weights=softmax(given["query"] @ given["key"].T / 2.0))

@cases()
def huge(rng):
    """gradients of hundreds of thousands"""
    given = drawn(np.random.default_rng(2), (), 2, 3, 4, 2)  # the same numbers always: none near 0, which float32 would miss
    return given | dict(grad_output=1e6 * given["grad_output"])

@cases()
def scores_of_thousands(rng):
    """2 queries and 3 keys whose scores are thousands"""
    given = drawn(rng, (), 2, 3, 4, 5)
    query, key = (np.round(8 * given[name]) / 8 for name in ("query", "key"))  # few digits: scores that are exact in single precision too
    query[:, 0], key[:, 0] = [400.0, -400.0], [10.0, 10.0, -10.0]
    key[:, 1:] = np.clip(key[:, 1:], -0.5, 0.5)
    return given | dict(query=query, key=key, weights=softmax(query @ key.T / 2.0))

GV, GW = "np.swapaxes(weights, -2, -1) @ grad_output", "grad_output @ np.swapaxes(value, -2, -1)"
GS, SCALE = "grad_scores = softmax_backward(weights, grad_weights)", "grad_scores = grad_scores / np.sqrt(key.shape[-1])"
GQ, GK, GIVE = "grad_scores @ key", "np.swapaxes(grad_scores, -2, -1) @ query", "return grad_query, grad_key, grad_value"
THROUGH = "Between `grad_weights` and `grad_scores` stands the softmax: `softmax_backward` takes the weights and the gradient for the weights."
scales = [
    ("no-scale", (SCALE, ""), "`grad_query` and `grad_key` lack the factor 1/√d_k", "The scores were divided by √d_k on the way there; so is their gradient on the way back."),
    ("scale-d", ("np.sqrt(key.shape[-1])", "key.shape[-1]"), "`grad_query` and `grad_key` are divided by d_k (or twice by √d_k)", "Divide once, by its square root."),
    ("scale-times", ("/ np.sqrt(key.shape[-1])", "* np.sqrt(key.shape[-1])"), "`grad_query` and `grad_key` are multiplied by √d_k", "The factor on the way back is the one on the way there, 1/√d_k."),
    ("scale-seq-k", ("np.sqrt(key.shape[-1])", "np.sqrt(key.shape[-2])"), "`grad_query` and `grad_key` are divided by √seq_k, with seq_k the number of keys", "d_k is the length of one key."),
    ("scale-d-v", ("np.sqrt(key.shape[-1])", "np.sqrt(value.shape[-1])"), "`grad_query` and `grad_key` are divided by √d_v, with d_v the length of a value", "d_k is the length of one key."),
    ("scale-seq-q", ("np.sqrt(key.shape[-1])", "np.sqrt(query.shape[-2])"), "`grad_query` and `grad_key` are divided by √seq_q, with seq_q the number of queries", "d_k is the length of one key."),
    ("scale-key-missing", (SCALE, ""), "`grad_key` lacks the factor 1/√d_k (`grad_query` has it)", "The scores were divided by √d_k; that concerns queries and keys alike."),
    ("scale-query-missing", (SCALE, ""), "`grad_query` lacks the factor 1/√d_k (`grad_key` has it)", "The scores were divided by √d_k; that concerns queries and keys alike."),
    ("scale-on-values", (GIVE, "return grad_query, grad_key, grad_value / np.sqrt(key.shape[-1])"), "`grad_value` is divided by √d_k as well", "The values never met the scale: it belongs to the scores alone."),
]
edits = {name: (edit,) for name, edit, _, _ in scales}
edits["scale-key-missing"] += ((GQ, GQ + " / np.sqrt(key.shape[-1])"),)
edits["scale-query-missing"] += ((GK, GK + " / np.sqrt(key.shape[-1])"),)
middle = [
    ("no-softmax", (GS, "grad_scores = grad_weights"), "the way back through the softmax is skipped: your gradient for the scores is the one for the weights", THROUGH),
    ("weights-times", (GS, "grad_scores = weights * grad_weights"), "on the way back through the softmax, the weighted mean is not subtracted", "`softmax_backward` does the whole step."),
    ("own-entry-only", (GS, "grad_scores = weights * (1 - weights) * grad_weights"), "on the way back through the softmax, only the Jacobian's diagonal, w (1 − w), is used", "`softmax_backward` does the whole step."),
    ("no-outer-weights", (GS, "grad_scores = grad_weights - np.sum(weights * grad_weights, axis=-1, keepdims=True)"), "on the way back through the softmax, the bracket is not multiplied by the weights", "`softmax_backward` does the whole step."),
    ("swapped-arguments", (GS, "grad_scores = softmax_backward(grad_weights, weights)"), "the arguments of `softmax_backward` have changed places", "The weights come first, then their gradient."),
    ("softmax-of-gradient", (GS, "grad_scores = softmax(grad_weights)"), "the gradient is sent through the softmax itself", THROUGH),
    ("over-queries", (GS, "grad_scores = weights * (grad_weights - np.sum(weights * grad_weights, axis=-2, keepdims=True))"), "on the way back through the softmax, the sum runs over the queries", "Each query spread its weights over the keys, the last axis."),
    ("over-everything", (GS, "grad_scores = weights * (grad_weights - np.sum(weights * grad_weights))"), "on the way back through the softmax, the sum runs over the whole array", "Each query has a mean of its own."),
]
orders = [
    ("order-k-q-v", (GIVE, "return grad_key, grad_query, grad_value"), "`grad_query` and `grad_key` come back in each other's place", "Return `grad_query`, `grad_key`, `grad_value`."),
    ("order-v-k-q", (GIVE, "return grad_value, grad_key, grad_query"), "the three gradients come back in the reverse order", "Return `grad_query`, `grad_key`, `grad_value`."),
    ("order-q-v-k", (GIVE, "return grad_query, grad_value, grad_key"), "`grad_key` and `grad_value` come back in each other's place", "Return `grad_query`, `grad_key`, `grad_value`."),
    ("order-v-q-k", (GIVE, "return grad_value, grad_query, grad_key"), "`grad_value` comes back first", "Return `grad_query`, `grad_key`, `grad_value`."),
    ("order-k-v-q", (GIVE, "return grad_key, grad_value, grad_query"), "`grad_query` comes back last", "Return `grad_query`, `grad_key`, `grad_value`."),
]
products = [
    ("value-no-transpose", (GV, "weights @ grad_output"), "for `grad_value` the weights are not transposed", "From O = W V follows Wᵀ times the gradient of O."),
    ("key-no-transpose", (GK, "grad_scores @ query"), "for `grad_key` the gradient of the scores is not transposed", "Key j collects from all queries i: grad_scores[i, j] times query i."),
    ("query-transposed", (GQ, "np.swapaxes(grad_scores, -2, -1) @ key"), "for `grad_query` the gradient of the scores is transposed, and should not be", "Query i collects from all keys j: grad_scores[i, j] times key j."),
    ("weights-no-transpose", (GW, "grad_output @ value"), "for the weights' gradient the values are not transposed", "From O = W V follows the gradient of O times Vᵀ."),
    ("weights-transposed", (GW, "value @ np.swapaxes(grad_output, -2, -1)"), "your gradient for the weights is transposed: it has the shape (seq_k, seq_q)", "It must have the shape of the weights, a row for each query."),
    ("query-from-queries", (GQ, "grad_scores @ query"), "`grad_query` is made from the queries", "In Q Kᵀ, what stands beside Q is K: its gradient is made from the keys."),
    ("key-from-keys", (GK, "np.swapaxes(grad_scores, -2, -1) @ key"), "`grad_key` is made from the keys", "In Q Kᵀ, what stands beside K is Q: its gradient is made from the queries."),
]
wrong("weights-computed-anew", (GV, "np.swapaxes(anew, -2, -1) @ grad_output"), (GS, "grad_scores = softmax_backward(anew, grad_weights)"),
      ("grad_value =", "anew = np.exp(query @ np.swapaxes(key, -2, -1) / np.sqrt(key.shape[-1]))\n    anew = anew / anew.sum(axis=-1, keepdims=True)\n    grad_value ="),
      says="your code computes the weights anew, by `exp` of scores that may be thousands, and infinity / infinity is NaN. The weights are among your arguments.")
for name, edit, seen, look in scales + middle + orders + products:
    wrong(name, *edits.get(name, (edit,)), says=f"{seen}. {look}")
for family, other in [(scales[:2], middle[:4] + middle[6:7]), (scales[:2], orders[:2]), (scales[:2], products[:3] + products[4:5]), (middle[:2], products[:3]),
                      (scales[6:8], middle[:1]), (middle[:2], orders[:1])]:
    for one in family:
        for two in other:
            pair = (*edits.get(one[0], (one[1],)), two[1])
            if len({old for old, _ in pair}) == len(pair):
                wrong(f"{one[0]}+{two[0]}", *pair, says=two_things(f"{one[2]}. {one[3]}", f"{two[2]}. {two[3]}"))
wrong("scale-query-twice", (GQ, "grad_scores @ key / np.sqrt(key.shape[-1])"), says="`grad_query` has the factor 1/√d_k twice. Divide the gradient of the scores once; then both have it.")
wrong("scale-key-twice", (GK, "np.swapaxes(grad_scores, -2, -1) @ query / np.sqrt(key.shape[-1])"), says="`grad_key` has the factor 1/√d_k twice. Divide the gradient of the scores once; then both have it.")
wrong("scale-before-softmax", (SCALE, ""), (GS, "grad_scores = softmax_backward(weights / np.sqrt(key.shape[-1]), grad_weights)"),
      says="the weights are divided by √d_k, and they stand twice in the way back through the softmax. Divide the gradient of the scores.")
wrong("scale-everything", (GIVE, "return grad_query, grad_key, grad_value / np.sqrt(key.shape[-1])"), (SCALE, ""),
      says="the factor 1/√d_k stands on `grad_value`, and is missing on `grad_query` and `grad_key`. It belongs to the scores, so to these two.")
wrong("scale-on-output", (SCALE, ""), (GV, "np.swapaxes(weights, -2, -1) @ (grad_output / np.sqrt(key.shape[-1]))"), (GW, "grad_output / np.sqrt(key.shape[-1]) @ np.swapaxes(value, -2, -1)"),
      says="`grad_value` is divided by √d_k as well. The values never met the scale: it belongs to the scores alone.")
for number in ("2", "np.sqrt(2)", "8"):
    wrong(f"scale-{number}", ("np.sqrt(key.shape[-1])", number), says="`grad_query` and `grad_key` are divided by a fixed number. Divide by √d_k, and read d_k off the last axis of the keys.")
wrong("scale-axis-0", ("np.sqrt(key.shape[-1])", "np.sqrt(key.shape[0])"), says="√d_k is read off the first axis of the keys, which counts sequences or keys. d_k is the last axis, however many stand in front.")
wrong("scale-axis-1", ("np.sqrt(key.shape[-1])", "np.sqrt(key.shape[1])"), says="√d_k is read off axis 1 of the keys, which is d_k only where no batch stands in front. d_k is the last axis.")
wrong("scale-query-axis-1", ("np.sqrt(key.shape[-1])", "np.sqrt(query.shape[1])"), says="√d_k is read off axis 1 of the queries, which is d_k only where no batch stands in front. d_k is the last axis.")
wrong("value-from-scores", (GV, "np.swapaxes(softmax_backward(weights, grad_output @ np.swapaxes(value, -2, -1)), -2, -1) @ grad_output"),
      says="`grad_value` is made from the gradient of the scores. In O = W V, what stands beside V is W: use the weights.")
wrong("value-from-grad-weights", (GV, "np.swapaxes(grad_output @ np.swapaxes(value, -2, -1), -2, -1) @ grad_output"),
      says="`grad_value` is made from the gradient of the weights. In O = W V, what stands beside V is W itself: use the weights.")
wrong("value-from-raw-scores", (GV, "np.swapaxes(query @ np.swapaxes(key, -2, -1) / np.sqrt(key.shape[-1]), -2, -1) @ grad_output"),
      says="`grad_value` is made from the scores before the softmax. In O = W V, what stands beside V is W: use the weights.")
wrong("value-shares-ignored", (GV, "np.ones_like(np.swapaxes(weights, -2, -1)) @ grad_output"), says="every value gets the whole gradient of every output. A value gets it times its weight.")
wrong("value-mean", (GV, "np.swapaxes(weights, -2, -1) @ grad_output / weights.shape[-2]"), says="`grad_value` is divided by the number of queries. A gradient is a sum over all queries, no mean.")
wrong("all-means", (GIVE, "return grad_query / weights.shape[-2], grad_key / weights.shape[-2], grad_value / weights.shape[-2]"), says="your gradients are divided by the number of queries. A gradient is a sum, no mean.")
wrong("batch-means", (GIVE, "return grad_query / len(query), grad_key / len(query), grad_value / len(query)"), says="your gradients are divided by the length of the first axis. A gradient is no mean over the batch.")
wrong("key-last-query-only", (GK, "np.swapaxes(grad_scores, -2, -1)[..., -1:] @ query[..., -1:, :]"), says="`grad_key` holds what the last query gives, and no other. Each key collects from all queries: is there an `=` in a loop where `+=` is meant?")
wrong("value-last-query-only", (GV, "np.swapaxes(weights, -2, -1)[..., -1:] @ grad_output[..., -1:, :]"), says="`grad_value` holds what the last query gives, and no other. Each value collects from all queries: is there an `=` in a loop where `+=` is meant?")
wrong("both-last-query-only", (GK, "np.swapaxes(grad_scores, -2, -1)[..., -1:] @ query[..., -1:, :]"), (GV, "np.swapaxes(weights, -2, -1)[..., -1:] @ grad_output[..., -1:, :]"),
      says="`grad_key` and `grad_value` hold what the last query gives, and no other. They collect from all queries: is there an `=` in a loop where `+=` is meant?")
wrong("query-last-key-only", (GQ, "grad_scores[..., -1:] @ key[..., -1:, :]"), says="`grad_query` holds what the last key gives, and no other. Each query collects from all keys: is there an `=` in a loop where `+=` is meant?")
wrong("first-query-skipped", (GK, "np.swapaxes(grad_scores, -2, -1)[..., 1:] @ query[..., 1:, :]"), (GV, "np.swapaxes(weights, -2, -1)[..., 1:] @ grad_output[..., 1:, :]"),
      says="`grad_key` and `grad_value` leave out the first query: a loop starts at 1, not at 0.")
wrong("last-query-skipped", (GK, "np.swapaxes(grad_scores, -2, -1)[..., :-1] @ query[..., :-1, :]"), (GV, "np.swapaxes(weights, -2, -1)[..., :-1] @ grad_output[..., :-1, :]"),
      says="`grad_key` and `grad_value` leave out the last query: a loop ends one too early.")
wrong("query-transposed-key-not", (GQ, "np.swapaxes(grad_scores, -2, -1) @ key"), (GK, "grad_scores @ query"),
      says="the gradient of the scores is transposed for `grad_query` and not for `grad_key`. It is the other way round: row i belongs to query i, column j to key j.")
wrong("value-from-scaled-scores", (GV, "np.swapaxes(softmax_backward(weights, grad_output @ np.swapaxes(value, -2, -1)) / np.sqrt(key.shape[-1]), -2, -1) @ grad_output"),
      says="`grad_value` is made from the gradient of the scores. In O = W V, what stands beside V is W: use the weights.")
wrong("value-batch-summed", (GIVE, "return grad_query, grad_key, grad_value.reshape(-1, *grad_value.shape[-2:]).sum(axis=0)"), says="`grad_value` is summed over the leading axes. Each array had a batch; its gradient has the same.")
wrong("key-and-value-batch-summed", (GIVE, "return grad_query, grad_key.reshape(-1, *grad_key.shape[-2:]).sum(axis=0), grad_value.reshape(-1, *grad_value.shape[-2:]).sum(axis=0)"),
      says="`grad_key` and `grad_value` are summed over the leading axes. Each array had a batch; its gradient has the same.")
wrong("scores-for-weights", (GS, "grad_scores = softmax_backward(query @ np.swapaxes(key, -2, -1) / np.sqrt(key.shape[-1]), grad_weights)"),
      says="`softmax_backward` is handed the scores. It takes what the softmax gave: the weights.")
wrong("softmax-backward-twice", (GS, "grad_scores = softmax_backward(weights, softmax_backward(weights, grad_weights))"), says="the gradient goes through `softmax_backward` twice. There is one softmax on the way.")
for name, edit, seen, look in scales[:2] + middle[:2]:
    wrong(f"{name}+everything-T", edit, (GV, "weights.T @ grad_output"), (GW, "grad_output @ value.T"), (GK, "grad_scores.T @ query"),
          says=two_things("`.T` reverses all axes, the batch as well, where only the last two are to be exchanged.", f"{seen}. {look}"))
wrong("key-from-values", (GK, "np.swapaxes(grad_scores, -2, -1) @ value"), says="`grad_key` is made from the values. In Q Kᵀ, what stands beside K is Q: its gradient is made from the queries.")
wrong("query-from-values", (GQ, "grad_scores @ value"), says="`grad_query` is made from the values. In Q Kᵀ, what stands beside Q is K: its gradient is made from the keys.")
wrong("weights-elementwise", (GW, "weights * (grad_output @ np.swapaxes(value, -2, -1))"), says="the gradient of the weights is multiplied by the weights once too often. The gradient of O times Vᵀ is all.")
wrong("sign", (SCALE, "grad_scores = -grad_scores / np.sqrt(key.shape[-1])"), says="`grad_query` and `grad_key` have the wrong sign.")
wrong("all-signs", (GIVE, "return -grad_query, -grad_key, -grad_value"), says="all three gradients have the wrong sign. The gradient points uphill; going downhill is what an optimizer does with it.")
wrong("unscaled-weights", (GV, "np.swapaxes(softmax(query @ np.swapaxes(key, -2, -1)), -2, -1) @ grad_output"), (GS, "grad_scores = softmax_backward(softmax(query @ np.swapaxes(key, -2, -1)), grad_weights)"),
      says="you compute the weights anew, without the scale 1/√d_k. Use the `weights` that you are given.")
wrong("softmax-of-weights-for-the-scores", (GS, "grad_scores = softmax_backward(softmax(weights), grad_weights)"),
      says="on the way back through the softmax, the weights go through it once more. They have been through it already: hand them on as they are.")
wrong("grad-key-reshaped", (GK, "(np.swapaxes(query, -2, -1) @ grad_scores).reshape(key.shape)"),
      says="`grad_key` has the shape of the keys, but its numbers lie in other places: what you computed is the gradient of Kᵀ, and `reshape` does not transpose.")
wrong("grad-value-reshaped", (GV, "(np.swapaxes(grad_output, -2, -1) @ weights).reshape(value.shape)"),
      says="`grad_value` has the shape of the values, but its numbers lie in other places: what you computed is the gradient of Vᵀ, and `reshape` does not transpose.")
wrong("softmax-of-weights", (GV, "np.swapaxes(softmax(weights), -2, -1) @ grad_output"), (GS, "grad_scores = softmax_backward(softmax(weights), grad_weights)"),
      says="the softmax is applied to the weights once more. `weights` is already what the softmax gave.")
wrong("everything-T", (GV, "weights.T @ grad_output"), (GW, "grad_output @ value.T"), (GK, "grad_scores.T @ query"), says="`.T` reverses all axes, the batch as well. Exchange the last two only.")
wrong("everything-01", (GV, "np.swapaxes(weights, 0, 1) @ grad_output"), (GW, "grad_output @ np.swapaxes(value, 0, 1)"), (GK, "np.swapaxes(grad_scores, 0, 1) @ query"),
      says="axes 0 and 1 are exchanged, and with a batch in front these are not the last two. Count axes from the end.")
wrong("everything-021", (GV, "weights.transpose(0, 2, 1) @ grad_output"), (GW, "grad_output @ value.transpose(0, 2, 1)"), (GK, "grad_scores.transpose(0, 2, 1) @ query"),
      says="`transpose(0, 2, 1)` works with exactly one leading axis. Exchange the last two axes, counted from the end.")
wrong("everything-12", (GV, "np.swapaxes(weights, 1, 2) @ grad_output"), (GW, "grad_output @ np.swapaxes(value, 1, 2)"), (GK, "np.swapaxes(grad_scores, 1, 2) @ query"),
      says="axes 1 and 2 are exchanged, and only with one leading axis these are the last two. Count axes from the end.")
wrong("everything-0132", (GV, "weights.transpose(0, 1, 3, 2) @ grad_output"), (GW, "grad_output @ value.transpose(0, 1, 3, 2)"), (GK, "grad_scores.transpose(0, 1, 3, 2) @ query"),
      says="`transpose(0, 1, 3, 2)` works with exactly two leading axes. Exchange the last two axes, counted from the end.")
wrong("value-T", (GV, "weights.T @ grad_output"), says="for `grad_value`, `.T` reverses all axes of the weights, the batch as well. Exchange the last two only.")
wrong("weights-T", (GW, "grad_output @ value.T"), says="`value.T` reverses all axes, the batch as well. Exchange the last two only.")
wrong("key-T", (GK, "grad_scores.T @ query"), says="for `grad_key`, `.T` reverses all axes of the gradient of the scores, the batch as well. Exchange the last two only.")
wrong("np-dot", (GV, "np.dot(np.swapaxes(weights, -2, -1), grad_output)"), (GW, "np.dot(grad_output, np.swapaxes(value, -2, -1))"), (GQ, "np.dot(grad_scores, key)"), (GK, "np.dot(np.swapaxes(grad_scores, -2, -1), query)"),
      says="`np.dot` treats leading axes differently from `@`: it pairs every sequence of one argument with every sequence of the other. Use `@`.")
wrong("np-dot-T", (GV, "np.dot(weights.T, grad_output)"), (GW, "np.dot(grad_output, value.T)"), (GQ, "np.dot(grad_scores, key)"), (GK, "np.dot(grad_scores.T, query)"),
      says="`np.dot` and `.T` are for two axes: one pairs every sequence with every sequence, the other reverses the batch as well. `@` keeps leading axes; exchange the last two only.")
for letters, axes_named in (("", 2), ("b", 3), ("bh", 4)):
    wrong(f"einsum-{axes_named}", (GV, f'np.einsum("{letters}qk,{letters}qv->{letters}kv", weights, grad_output)'), (GW, f'np.einsum("{letters}qv,{letters}kv->{letters}qk", grad_output, value)'),
          (GQ, f'np.einsum("{letters}qk,{letters}kd->{letters}qd", grad_scores, key)'), (GK, f'np.einsum("{letters}qk,{letters}qd->{letters}kd", grad_scores, query)'),
          says=f"your einsum names exactly {axes_named} axes, so it works with {axes_named - 2 or 'no'} leading {'axes' if axes_named != 3 else 'axis'} only. In einsum, too, `...` stands for any leading axes.")
wrong("batch-summed", (GIVE, "return tuple(g.sum(axis=tuple(range(g.ndim - 2))) for g in (grad_query, grad_key, grad_value))"), says="your gradients are summed over the leading axes. Each array had a batch; its gradient has the same.")
wrong("first-item-only", (GIVE, "return tuple(g[0] if g.ndim > 2 else g for g in (grad_query, grad_key, grad_value))"), says="with a batch, only the first sequence's gradients come back. Leading axes stay.")
wrong("one-leading-axis-only", (GIVE, "return tuple(g[None] if g.ndim == 2 else g for g in (grad_query, grad_key, grad_value))"), says="where there is no leading axis, an extra one comes back. The gradients have the shapes of their arrays.")
wrong("transposed-results", (GIVE, "return tuple(np.swapaxes(g, -2, -1) for g in (grad_query, grad_key, grad_value))"), says="your gradients are transposed. Each has the shape of its array: a token is a row.")
wrong("key-as-columns", (GK, "np.swapaxes(query, -2, -1) @ grad_scores"), says="`grad_key` is the gradient of Kᵀ, its tokens in columns. Transpose it: the keys are rows.")
wrong("four-results", (GIVE, "return grad_query, grad_key, grad_value, grad_weights"), says="four things come back. Return `grad_query`, `grad_key`, `grad_value`.")
wrong("four-results-scores", (GIVE, "return grad_query, grad_key, grad_value, grad_scores"), says="four things come back. Return `grad_query`, `grad_key`, `grad_value`.")
wrong("named-in-full", (GIVE, "return dict(grad_query=grad_query, grad_key=grad_key, grad_value=grad_value)"), says="a dict comes back. Return three arrays: `grad_query`, `grad_key`, `grad_value`.")
wrong("value-no-transpose-where-square", (GV, "(weights if weights.shape[-1] == weights.shape[-2] else np.swapaxes(weights, -2, -1)) @ grad_output"),
      says="for `grad_value`, square weights are not transposed. From O = W V follows Wᵀ times the gradient of O, whatever fits.")
wrong("key-from-keys-where-it-fits", (GK, "np.swapaxes(grad_scores, -2, -1) @ (key if key.shape == query.shape else query)"),
      says="where queries and keys have one shape, `grad_key` is made from the keys. In Q Kᵀ, what stands beside K is Q, whatever fits.")
wrong("value-from-output", (GV, "np.swapaxes(weights, -2, -1) @ (weights @ value)"), says="`grad_value` is made from the output. It is made from the output's *gradient*, `grad_output`.")
wrong("weights-scaled-by-d", (GV, "np.swapaxes(softmax(query @ np.swapaxes(key, -2, -1) / key.shape[-1]), -2, -1) @ grad_output"), (GS, "grad_scores = softmax_backward(softmax(query @ np.swapaxes(key, -2, -1) / key.shape[-1]), grad_weights)"),
      says="you compute the weights anew, of scores that are divided by d_k. Use the `weights` that you are given.")
wrong("mean-of-the-output", (GS, "grad_scores = weights * (grad_weights - grad_output.sum(axis=-1, keepdims=True))"), says="on the way back through the softmax, the sum of `grad_output` is subtracted. Subtract the weighted mean of the weights' own gradients: `softmax_backward` does.")
wrong("means-along-the-keys", (GS, "mean = (weights * grad_weights).sum(axis=-1)\n    grad_scores = weights * (grad_weights - (mean[..., None, :] if mean.shape[-1] == weights.shape[-1] else mean[..., None]))"),
      says="where there are as many queries as keys, the means line up with the keys on the way back through the softmax. Each belongs to a query, a row.")
wrong("key-batch-summed-and-spread", (GIVE, "return grad_query, np.broadcast_to(grad_key.sum(axis=0), grad_key.shape) if grad_key.ndim > 2 else grad_key, grad_value"),
      says="each item of the batch gets the sum of all of them in `grad_key`. Each item has its own.")
wrong("causal", (SCALE, "grad_scores = np.tril(grad_scores / np.sqrt(key.shape[-1]))"), says="the gradient of the scores is 0 for keys behind the query. That belongs to a causal mask, which comes in unit 07: here every query sees all keys.")
wrong("two-results", (GIVE, "return grad_query, grad_key"), says="only two gradients come back. Return `grad_query`, `grad_key`, `grad_value`.")
for pair in ("grad_query, grad_value", "grad_key, grad_value"):
    wrong(pair, (GIVE, f"return {pair}"), says="only two gradients come back. Return `grad_query`, `grad_key`, `grad_value`.")
wrong("scores-returned", (GIVE, "return grad_scores"), says="the gradient of the scores comes back. Return `grad_query`, `grad_key`, `grad_value`.")
wrong("only-query", (GIVE, "return grad_query"), says="only `grad_query` comes back. Return `grad_query`, `grad_key`, `grad_value`.")
wrong("named", (GIVE, "return dict(query=grad_query, key=grad_key, value=grad_value)"), says="a dict comes back. Return three arrays: `grad_query`, `grad_key`, `grad_value`.")
wrong("lists", (GIVE, "return grad_query.tolist(), grad_key.tolist(), grad_value.tolist()"), says="nested lists come back. Return NumPy arrays.")
wrong("descended", (GIVE, "return query - grad_query, key - grad_key, value - grad_value"), says="the arrays after a step downhill come back. Return the gradients themselves.")
for digits in (1, 2, 3):
    wrong(f"rounded-{digits}", (GIVE, f"return np.round(grad_query, {digits}), np.round(grad_key, {digits}), np.round(grad_value, {digits})"), says="your gradients are rounded. Return them as they are.")
wrong("whole-numbers", (GIVE, "return grad_query.astype(int), grad_key.astype(int), grad_value.astype(int)"), says="your gradients are cut to whole numbers.")
wrong("half-precision", (GIVE, "return grad_query.astype(np.float16), grad_key.astype(np.float16), grad_value.astype(np.float16)"), says="your gradients have been rounded to half precision (float16), about three digits. Keep float32 or float64.")
wrong("half-precision-throughout", ("grad_value =", "grad_output = grad_output.astype(np.float16)\n    weights = weights.astype(np.float16)\n    grad_value ="),
      says="you compute in half precision (float16), about three digits. Keep float32 or float64.")
wrong("in-place-gradient", (SCALE, "grad_scores = grad_scores / np.sqrt(key.shape[-1])\n    grad_output *= 1.5"), says="your numbers are right, but your code changes its argument `grad_output` in place. Write the result into a new array.")
wrong("in-place-weights", (SCALE, "grad_scores = grad_scores / np.sqrt(key.shape[-1])\n    weights *= grad_weights"), says="your numbers are right, but your code changes its argument `weights` in place. Write the result into a new array.")
wrong("in-place-query", (SCALE, ""), (GK, "(np.swapaxes(grad_scores, -2, -1) @ np.divide(query, np.sqrt(key.shape[-1]), out=query))"), (GQ, "grad_scores @ key / np.sqrt(key.shape[-1])"),
      says="your numbers are right, but your code changes its argument `query` in place. Write the result into a new array.")
wrong("in-place-key", (SCALE, ""), (GK, "(np.swapaxes(grad_scores, -2, -1) @ query / np.sqrt(key.shape[-1]))"), (GQ, "grad_scores @ np.divide(key, np.sqrt(key.shape[-1]), out=key)"),
      says="your numbers are right, but your code changes its argument `key` in place. Write the result into a new array.")
wrong("zeros", (GIVE, "return np.zeros_like(query), np.zeros_like(key), np.zeros_like(value)"), says="all your gradients are 0.")
wrong("nothing-returned", (GIVE, "pass"), says="nothing comes back: the `return` is missing.")

@wrong("loop-over-one-batch-axis", says="your loop treats the first axis as a batch, even where there is none. Leading axes may be none, one or two.")
def loop_over_one_batch_axis(query, key, value, weights, grad_output):
    results = []
    for q, k, v, w, g in zip(query, key, value, weights, grad_output, strict=True):
        s = softmax_backward(w, g @ v.T) / np.sqrt(k.shape[-1])
        results.append((s @ k, s.T @ q, w.T @ g))
    return tuple(np.stack(gradients) for gradients in zip(*results, strict=True))

@right
def by_einsum(q, k, v, w, g):
    gw = np.einsum("...iv,...jv->...ij", g, v)
    gs = (w * gw - w * np.einsum("...ij,...ij->...i", w, gw)[..., None]) * q.shape[-1] ** -0.5
    return np.einsum("...ij,...jd->...id", gs, k), np.einsum("...ij,...id->...jd", gs, q), np.einsum("...ij,...iv->...jv", w, g)

@right
def pair_by_pair(query, key, value, weights, grad_output):
    grad_query, grad_key, grad_value = np.zeros_like(query), np.zeros_like(key), np.zeros_like(value)
    for place in np.ndindex(*query.shape[:-2]):
        for i in range(query.shape[-2]):
            at = (*place, i)
            slopes = np.array([grad_output[at] @ v for v in value[place]])
            mean = weights[at] @ slopes
            for j in range(key.shape[-2]):
                slope = weights[at][j] * (slopes[j] - mean) / np.sqrt(key.shape[-1])
                grad_query[at] += slope * key[(*place, j)]
                grad_key[(*place, j)] += slope * query[at]
                grad_value[(*place, j)] += weights[at][j] * grad_output[at]
    return grad_query, grad_key, grad_value

@right
def scaled_at_the_end(query, key, value, weights, grad_output):
    scale = 1 / np.sqrt(query.shape[-1])
    grad_scores = softmax_backward(weights, np.matmul(grad_output, np.moveaxis(value, -1, -2)))
    turned = np.moveaxis(grad_scores, -1, -2)
    return [np.matmul(grad_scores, key * scale), np.matmul(turned, query) * scale, np.matmul(np.moveaxis(weights, -1, -2), grad_output)]

@right
def with_the_output(query, key, value, weights, grad_output):
    """The weighted mean of the g is the output times its gradient: what fast kernels use."""
    output = weights @ value
    delta = (output * grad_output).sum(axis=-1, keepdims=True)
    grad_scores = weights * (grad_output @ np.swapaxes(value, -1, -2) - delta) / np.sqrt(query.shape[-1])
    return grad_scores @ key, np.swapaxes(grad_scores, -1, -2) @ query, np.swapaxes(weights, -1, -2) @ grad_output

@right
def flat_batch(query, key, value, weights, grad_output):
    q, k, v, w, g = (a.reshape(-1, *a.shape[-2:]) for a in (query, key, value, weights, grad_output))
    results = []
    for i in range(len(q)):
        s = softmax_backward(w[i], g[i].dot(v[i].T)) / np.sqrt(k.shape[2])
        results.append([s.dot(k[i]), s.T.dot(q[i]), w[i].T.dot(g[i])])
    return tuple(np.array(list(gs)).reshape(a.shape) for gs, a in zip(zip(*results, strict=True), (query, key, value), strict=True))

@right
def single_precision(query, key, value, weights, grad_output):
    q, k, v, w, g = (a.astype(np.float32) for a in (query, key, value, weights, grad_output))
    def t(a):
        return np.swapaxes(a, -1, -2)
    gw = g @ t(v)
    gs = w * (gw - (gw * w).sum(-1, keepdims=True))
    gs /= np.float32(np.sqrt(q.shape[-1]))
    return gs @ k, t(gs) @ q, t(w) @ g

@right
def recursion(query, key, value, weights, grad_output):
    if query.ndim > 2:
        return tuple(np.stack(gs) for gs in zip(*(recursion(*item) for item in zip(query, key, value, weights, grad_output, strict=True)), strict=True))
    grad_scores = softmax_backward(weights, grad_output @ value.T) / query.shape[1] ** 0.5
    return grad_scores @ key, grad_scores.T @ query, weights.T @ grad_output

@right
def weights_computed_anew(query, key, value, weights, grad_output):
    scores = query @ np.swapaxes(key, -2, -1) / np.sqrt(key.shape[-1])
    w = np.exp(scores - scores.max(axis=-1, keepdims=True))
    w = w / w.sum(axis=-1, keepdims=True)
    grad_scores = softmax_backward(w, grad_output @ np.swapaxes(value, -2, -1)) / np.sqrt(key.shape[-1])
    return grad_scores @ key, np.swapaxes(grad_scores, -2, -1) @ query, np.swapaxes(w, -2, -1) @ grad_output

@truth
def by_autograd(query, key, value, weights, grad_output):
    import torch
    query, key, value = (torch.from_numpy(a).requires_grad_(True) for a in (query, key, value))
    scores = torch.einsum("...id,...jd->...ij", query, key) / key.shape[-1] ** 0.5
    output = torch.einsum("...ij,...jv->...iv", torch.softmax(scores, -1), value)
    output.backward(torch.from_numpy(grad_output))
    return query.grad.numpy(), key.grad.numpy(), value.grad.numpy()

@truth
def by_complex_steps(query, key, value, weights, grad_output):
    """Im L(x + iε)/ε is the derivative to full precision; no formula of backpropagation is used."""
    def loss(q, k, v):
        scores = q @ np.swapaxes(k, -2, -1) / np.sqrt(k.shape[-1])
        e = np.exp(scores - scores.real.max(axis=-1, keepdims=True))
        return np.sum((e / e.sum(axis=-1, keepdims=True)) @ v * grad_output)
    gradients = []
    for which in range(3):
        arrays = [a.astype(complex) for a in (query, key, value)]
        gradient = np.zeros(arrays[which].shape)
        for index in np.ndindex(gradient.shape):
            arrays[which][index] += 1e-30j
            gradient[index] = loss(*arrays).imag / 1e-30
            arrays[which][index] -= 1e-30j
        gradients.append(gradient)
    return tuple(gradients)

truth(use_part("attention_backward"))
