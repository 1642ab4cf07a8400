"""Small exercises made by hand, for the tests of observing and judging."""

import numpy as np
import torch
from torch import nn

from autograder.formats.cases import Call, ExerciseCases, Observation, Tolerance, Variant
from autograder.formats.values import Tensor
from autograder.library import build_fixture
from autograder.observing.observe import observe


def doubled(x: np.ndarray) -> np.ndarray:
    return 2 * x


def squared(x: np.ndarray) -> np.ndarray:
    return x**2


class Affine(nn.Module):
    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d_in, d_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


def seen_by(target: object, plan: dict[str, Call], **more: object) -> dict[str, Observation]:
    return observe(target, plan, build=build_fixture, **more).observations  # type: ignore[arg-type]


def doubling(**changes: object) -> ExerciseCases:
    """`double(x)`: two cases, and one known mistake (squared)."""
    plan = {
        "0.0.0": Call("three numbers", {"x": np.array([1.0, -2.0, 3.0])}, 1),
        "1.0.0": Call("a table", {"x": np.arange(6.0).reshape(2, 3) - 3}, 1),
    }
    fields: dict[str, object] = {
        "unit": "99_made_up",
        "name": "double",
        "kind": "function",
        "points": 3.0,
        "points_elsewhere": 2.0,
        "plan": plan,
        "expected": seen_by(doubled, plan),
        "variants": (Variant("squares", "your output is the square of x, not its double.", seen_by(squared, plan)),),
        "probes": ("matches",),
        "tolerance": Tolerance(),
        "forbids": (),
        "replaces": (),
        "signature": "double(x)",
        "returns": (),
        "hints": ("add x to itself",),
        "time_limit": 2.0,
    }
    return ExerciseCases(**(fields | changes))  # type: ignore[arg-type]


def affine_call(**changes: object) -> Call:
    rng = np.random.default_rng(0)
    state = {
        "linear.weight": Tensor(rng.normal(size=(3, 2)).astype(np.float32), "float32"),
        "linear.bias": Tensor(rng.normal(size=3).astype(np.float32), "float32"),
    }
    given = {"x": Tensor(rng.normal(size=(4, 2)).astype(np.float32), "float32")}
    fields: dict[str, object] = {
        "label": "four rows",
        "given": given,
        "by_position": 1,
        "init": {"d_in": 2, "d_out": 3},
    }
    return Call(**(fields | {"state": state, "gradients": True} | changes))  # type: ignore[arg-type]
