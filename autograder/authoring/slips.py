"""Slips that can be made in many exercises, described once and made wherever the reference has a place for them.

A slip rewrites one place of the reference's syntax tree. Its sentence says what the numbers fit, not how a learner came by
them: whoever gives the same numbers reads a true sentence. `workbench.draw_variants` runs them beside the known
mistakes of the lesson; one that gives what the reference gives, or what a mistake of the lesson gives, adds nothing.
"""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Slip:
    """The reference with one slip in it."""

    name: str
    says: str
    source: str


AXIS_FROM_THE_OTHER_END = "axis-from-the-other-end"
"""The one kind that may be no mistake: where all arrays have the same number of axes, it may be the same axis."""
Change = Callable[[ast.AST], Iterator[tuple[ast.AST, str]]]
"""What a node becomes, and the sentence; nothing where this slip cannot be made."""


def slips(solution: str, exercise: str, returns: tuple[str, ...] = ()) -> Iterator[Slip]:
    """Every slip that can be made in a solution cell, each place of the reference once.

    returns: names for the items of a returned tuple
    """
    tree = ast.parse(solution)
    defaults = _defaults(tree, exercise)
    changes: dict[str, Change] = {
        **_CHANGES,
        "returned-otherwise": functools.partial(_returned, returns),
        "default": functools.partial(_default_for_argument, defaults),
    }
    seen = {ast.unparse(tree)}
    for kind, change in changes.items():
        count = 0
        for position, node in enumerate(ast.walk(tree)):
            for new, says in change(node):
                source = _with(tree, position, new)
                if source not in seen and _compiles(source):
                    seen.add(source)
                    count += 1
                    yield Slip(f"slip-{kind}-{count}" if count > 1 else f"slip-{kind}", says, source)


def _with(tree: ast.Module, position: int, new: ast.AST) -> str:
    """The source in which the node at this position of the walk is another one."""
    fresh = copy.deepcopy(tree)
    target = next(node for i, node in enumerate(ast.walk(fresh)) if i == position)
    for parent in ast.walk(fresh):
        for field, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, field, new)
            elif isinstance(value, list):
                setattr(parent, field, [new if item is target else item for item in value])
    return ast.unparse(ast.fix_missing_locations(fresh))


def _compiles(source: str) -> bool:
    try:
        compile(source, "<slip>", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def _defaults(tree: ast.Module, exercise: str) -> dict[str, ast.expr]:
    """Arguments of the exercise (of a class: of what is written in it) that have a number as their default."""
    found: dict[str, ast.expr] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in (exercise, "forward"):
            arguments = node.args.posonlyargs + node.args.args
            for argument, value in zip(reversed(arguments), reversed(node.args.defaults), strict=False):
                if isinstance(value, (ast.Constant, ast.UnaryOp)) and not _is(value, None):
                    found[argument.arg] = value
    return found


def _is(node: ast.AST, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _default_for_argument(defaults: dict[str, ast.expr], node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in defaults:
        value = defaults[node.id]
        says = f"your code takes {ast.unparse(value)} for `{node.id}`, whatever it is given: use the argument."
        yield copy.deepcopy(value), says


def _under_root(node: ast.AST) -> ast.expr | None:
    """Of what a root is taken; None where none is."""
    if isinstance(node, ast.Call) and _called(node) == "sqrt" and len(node.args) == 1:
        return node.args[0]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and ast.unparse(node.right) == "0.5":
        return node.left
    return None


def _root(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if inner := _under_root(node):
        half = ast.BinOp(copy.deepcopy(inner), ast.Div(), ast.Constant(2))
        yield (
            half,
            (
                "your numbers are those of half of a number where its root belongs. (`x ** 1/2` is `(x ** 1) / 2`: a power "
                "comes before a division.)"
            ),
        )


def _whole_root(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.expr) and next(_root(node), None):
        for name, done in (("int", "cut"), ("round", "rounded")):
            whole = ast.Call(ast.Name(name, ast.Load()), [copy.deepcopy(node)], [])
            yield whole, f"a root is {done} to a whole number. Keep it as it is: √5 is neither 2 nor 3."


def _root_in_two_steps(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """`y / x ** 0.5` as `y / x ** 1 / 2`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and (inner := next(_root(node.right), None)):
        assert isinstance(inner[0], ast.BinOp)
        once = ast.BinOp(copy.deepcopy(node.left), ast.Div(), inner[0].left)
        twice = ast.BinOp(once, ast.Div(), ast.Constant(2))
        yield (
            twice,
            (
                "your numbers are divided by a number and then by 2, where its root belongs. (`y / x ** 1 / 2` is "
                "`(y / x) / 2`: a power comes first, and divisions are done from left to right. A root is `x ** 0.5`.)"
            ),
        )


def _elementwise(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        product = ast.BinOp(copy.deepcopy(node.left), ast.Mult(), copy.deepcopy(node.right))
        yield product, "your code multiplies entry by entry (`*`) where a matrix product (`@`) belongs."


def _reshaped(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """`x.transpose(...)`, `x.T`, `np.swapaxes(x, ...)` as `x.reshape(<its shape>)`."""
    owner: ast.expr | None = None
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT") and isinstance(node.ctx, ast.Load):
        owner = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in ("transpose", "permute") and not _is_module(node.func.value):
            owner = node.func.value
        elif node.func.attr in ("swapaxes", "transpose", "moveaxis") and node.args:
            owner = node.args[0]
    if owner is not None and isinstance(node, ast.expr):
        shape = ast.Attribute(copy.deepcopy(node), "shape", ast.Load())
        call = ast.Call(ast.Attribute(copy.deepcopy(owner), "reshape", ast.Load()), [shape], [])
        yield (
            call,
            (
                "your numbers are those of an array that was reshaped where it should be transposed: its shape is right, and "
                "its entries lie in other places."
            ),
        )


_PAIRS = {
    "sum": "mean",
    "mean": "sum",
    "min": "max",
    "max": "min",
    "amax": "amin",
    "minimum": "maximum",
    "maximum": "minimum",
}
_WORDS = {
    "sum": "a sum",
    "mean": "a mean",
    "min": "the smallest",
    "max": "the largest",
    "amax": "the largest",
    "amin": "the smallest",
}


def _other_summary(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Call) and (name := _called(node)) in _PAIRS:
        other = copy.deepcopy(node)
        assert isinstance(other, ast.Call)
        if isinstance(other.func, ast.Attribute):
            other.func.attr = _PAIRS[name]
        elif isinstance(other.func, ast.Name) and name in ("min", "max"):
            other.func.id = _PAIRS[name]
        else:
            return
        words = {
            key: value.replace("minimum", "smallest").replace("maximum", "largest") for key, value in _WORDS.items()
        }
        wrong, due = words.get(_PAIRS[name], f"`{_PAIRS[name]}`"), words.get(name, f"`{name}`")
        yield other, f"your numbers are those of {wrong} where {due} belongs."


def _other_axis(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    yield from _axes(node, from_the_same_end=True)


def _axis_from_the_other_end(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    yield from _axes(node, from_the_same_end=False)


def _axes(node: ast.AST, from_the_same_end: bool) -> Iterator[tuple[ast.AST, str]]:
    if (
        isinstance(node, ast.keyword)
        and node.arg in ("axis", "dim")
        and isinstance(node.value, (ast.Constant, ast.UnaryOp))
    ):
        due = ast.literal_eval(node.value)
        for axis in (-1, -2, 0, 1):
            if axis != due and isinstance(due, int) and ((axis < 0) == (due < 0)) == from_the_same_end:
                new = ast.keyword(node.arg, ast.parse(str(axis), mode="eval").body)
                yield (
                    new,
                    f"your numbers are those of `{node.arg}={axis}`: something is taken along another axis than it should.",
                )


_EQUALITY = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}


def _equality(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _EQUALITY:
        other = ast.Compare(copy.deepcopy(node.left), [_EQUALITY[type(node.ops[0])]()], copy.deepcopy(node.comparators))
        yield (
            other,
            (
                "your code treats two equal numbers the other way round in a comparison: look at each `<`, `<=`, `>` and `>=`, "
                "and at where a range ends."
            ),
        )


def _ranges(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Call) and _called(node) in ("range", "arange") and node.args:
        shorter = copy.deepcopy(node)
        last = min(len(node.args) - 1, 1)
        step = copy.deepcopy(node.args[2]) if len(node.args) == 3 else ast.Constant(1)
        shorter.args[last] = ast.BinOp(shorter.args[last], ast.Sub(), step)
        yield shorter, "your numbers are those of a loop or range that ends one step too early."
        if len(node.args) == 1:
            later = copy.deepcopy(node)
            later.args = [ast.Constant(1), *later.args]
            yield later, "your numbers are those of a loop or range that begins at 1, and not at 0."


_SIGNS = {ast.Add: ast.Sub, ast.Sub: ast.Add}


def _signs(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
        other = ast.BinOp(copy.deepcopy(node.left), _SIGNS[type(node.op)](), copy.deepcopy(node.right))
        yield other, "a sign is the wrong way round: something is added that should be subtracted, or the other way."
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield copy.deepcopy(node.operand), "a minus sign is missing."


def _missing_term(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mult, ast.Div)):
        what = {ast.Add: "one term of a sum", ast.Mult: "one factor of a product", ast.Div: "a division"}[type(node.op)]
        sides = [(node.left, node.right)] + ([(node.right, node.left)] if not isinstance(node.op, ast.Div) else [])
        for kept, dropped in sides:
            which = f" (`{dropped.id}`)" if isinstance(dropped, ast.Name) else ""
            yield copy.deepcopy(kept), f"{what}{which} is missing."


_FUNCTIONS = {"tanh", "exp", "log", "sqrt", "relu", "sigmoid", "sin", "cos", "abs", "softmax", "log_softmax"}


def _missing_function(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Call) and (name := _called(node)) in _FUNCTIONS and node.args:
        yield copy.deepcopy(node.args[0]), f"your numbers are those without `{name}`."


def _missing_call(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield ast.Pass(), f"a call of `{_called(node.value)}` is missing."


def _early_leave(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, (ast.Break, ast.Continue)):
        yield ast.Pass(), "your loop goes on where it should stop or go to the next step."


def _inverted(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Invert, ast.Not)):
        yield copy.deepcopy(node.operand), "a condition or a mask is inverted."


def _returned(names: tuple[str, ...], node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
        first, second = node.value.elts
        turned = ast.Tuple([copy.deepcopy(second), copy.deepcopy(first)], ast.Load())
        one, other = names if len(names) == 2 else ("the first", "the second")
        yield ast.Return(turned), f"what you return stands in the other order. Return {one} first, then {other}."
        yield ast.Return(copy.deepcopy(first)), f"only one thing comes back. Return two: {one} and {other}."


def _called(node: ast.Call) -> str:
    return (
        node.func.attr
        if isinstance(node.func, ast.Attribute)
        else node.func.id
        if isinstance(node.func, ast.Name)
        else ""
    )


def _is_module(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("np", "torch", "F", "math")


_CHANGES: dict[str, Change] = {
    "half-for-root": _root,
    "root-in-two-steps": _root_in_two_steps,
    "whole-root": _whole_root,
    "elementwise-product": _elementwise,
    "reshaped-not-transposed": _reshaped,
    "other-summary": _other_summary,
    "other-axis": _other_axis,
    AXIS_FROM_THE_OTHER_END: _axis_from_the_other_end,
    "equal-numbers": _equality,
    "range-off-by-one": _ranges,
    "sign": _signs,
    "missing-term": _missing_term,
    "missing-function": _missing_function,
    "missing-call": _missing_call,
    "goes-on": _early_leave,
    "inverted": _inverted,
}
