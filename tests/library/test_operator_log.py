"""Fixtures that look while the learner's code runs, and classes that are used in more than one call."""

import contextlib
from collections.abc import Callable, Iterator

import pytest
import torch

from autograder.formats.cases import Call, Observation
from autograder.formats.fixtures import Driver, Watched
from autograder.formats.values import Fixture
from autograder.library.operator_log import entries, noting
from autograder.library.quiet import paused
from autograder.observing.observe import observe

pytestmark = pytest.mark.quick


def seen(target: object, fixture: object, **more: object) -> Observation:
    call = Call("one call", {"x": Fixture("unit", "x", {})}, 1, **more)  # type: ignore[arg-type]
    return observe(target, {"0.0.0": call}, build=lambda _: fixture).observations["0.0.0"]


def sizes_made(work: Callable[[], object]) -> dict[str, int]:
    made: dict[str, int] = {}
    with noting(lambda name, args, result: made.__setitem__(name, entries(result))):
        work()
    return made


def test_each_operator_is_noted_with_what_it_made() -> None:
    x = torch.ones(3, 4)
    assert sizes_made(lambda: (x @ x.T).exp())["exp"] == 9


def test_a_broadcast_view_counts_the_numbers_that_it_holds() -> None:
    x = torch.ones(3, 1)
    assert sizes_made(lambda: x.expand(3, 1000))["expand"] == 3


def test_work_of_library_backed_parts_is_not_noted() -> None:
    def work() -> None:
        with paused():
            torch.ones(5).exp()

    assert sizes_made(work) == {}


def test_a_fixture_looks_while_the_code_runs_and_no_longer() -> None:
    around: list[str] = []

    @contextlib.contextmanager
    def during() -> Iterator[None]:
        around.append("begins")
        try:
            yield
        finally:
            around.append("ends")

    def learner(x: list[str]) -> str:
        x.append("runs")
        raise ValueError("no")

    observation = seen(learner, Watched(around, lambda: None, during))
    assert observation.fault is not None
    assert around == ["begins", "runs", "ends"]


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def add(self, amount: int) -> int:
        self.count += amount
        return self.count


def test_a_class_can_be_driven_through_several_calls() -> None:
    def drive(counter: Counter) -> list[int]:
        return [counter.add(2), counter.add(3)]

    assert seen(Counter, Driver(drive), init={}, method="add").value == [2, 5]


def test_a_class_that_is_no_module_can_take_no_weights() -> None:
    fault = seen(Counter, Driver(lambda counter: 1), init={}, method="add", state={"weight": torch.ones(1)}).fault
    assert fault is not None
    assert "no torch.nn.Module" in fault.message


@pytest.mark.parametrize("method", ["add", "forward"])
def test_what_a_driven_method_raises_is_a_fault(method: str) -> None:
    fault = seen(Counter, Driver(lambda counter: counter.add("three")), init={}, method=method).fault
    assert fault is not None
    assert fault.type_name == "TypeError"
