"""What an observation writes down of a learner's code, whatever that code does."""

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn, overrides
from torch.nn import functional
from torch.utils import _python_dispatch

from autograder.formats.cases import Call, Observation
from autograder.formats.values import Fixture, Tensor
from autograder.library import build_fixture, part
from autograder.library.quiet import is_paused, paused, quiet
from autograder.observing.observe import observe
from tests.judging.exercises import Affine, affine_call, doubled

ONE = {"0.0.0": Call("a row", {"x": np.array([1.0, 2.0])}, 1)}


def sight(target: object, plan: dict[str, Call] | None = None, **more: object):
    return observe(target, plan or ONE, build=build_fixture, time_limit=more.pop("time_limit", 2.0), **more)  # type: ignore[arg-type]


def test_a_returned_value_is_written_down() -> None:
    assert sight(doubled).observations["0.0.0"].value.tolist() == [2.0, 4.0]


def test_an_exception_is_written_down_with_the_learners_line() -> None:
    def broken(x: np.ndarray) -> np.ndarray:
        return x @ np.ones(7)

    fault = sight(broken).observations["0.0.0"].fault
    assert fault is not None
    assert fault.type_name == "ValueError"
    assert "return x @ np.ones(7)" in fault.source_line


def test_a_changed_argument_is_named() -> None:
    def changes(x: np.ndarray) -> np.ndarray:
        x *= 2
        return x

    assert sight(changes).observations["0.0.0"].changed == ("x",)


def test_each_call_gets_fresh_arguments() -> None:
    plan = {"0.0.0": ONE["0.0.0"], "1.0.0": ONE["0.0.0"]}

    def changes(x: np.ndarray) -> np.ndarray:
        x += 1
        return x.copy()

    seen = sight(changes, plan).observations
    assert seen["0.0.0"].value.tolist() == seen["1.0.0"].value.tolist() == [2.0, 3.0]


def test_an_endless_loop_ends_at_the_time_limit() -> None:
    def endless(x: np.ndarray) -> np.ndarray:
        while True:
            try:
                x = x + 0
            except Exception:
                continue

    trouble = sight(endless, time_limit=0.2).trouble
    assert trouble is not None
    assert trouble.type_name == "OutOfTime"


def test_leaving_the_interpreter_is_a_fault_like_others() -> None:
    fault = sight(lambda x: sys.exit(3)).observations["0.0.0"].fault
    assert fault is not None
    assert fault.type_name == "SystemExit"


def test_what_is_printed_at_whatever_depth_does_not_reach_the_cell(capfd: pytest.CaptureFixture[str]) -> None:
    def loud(x: np.ndarray) -> np.ndarray:
        print("hello")
        print("careful", file=sys.stderr)
        os.write(2, b"from below Python")
        return x

    sighting = sight(loud)
    assert "hello" in sighting.printed
    assert "from below Python" in sighting.printed
    assert capfd.readouterr() == ("", "")


def test_something_that_cannot_be_called_is_trouble() -> None:
    trouble = sight(np.zeros(3)).trouble
    assert trouble is not None
    assert (trouble.type_name, trouble.stage) == ("ndarray", "define")


def test_an_earlier_exercise_is_replaced_while_a_later_one_is_observed() -> None:
    space: dict[str, object] = {}
    exec("def early(x): raise ValueError\ndef late(x): return early(x)", space)
    seen = sight(space["late"], replaced={"early": doubled}).observations["0.0.0"]
    assert seen.value.tolist() == [2.0, 4.0]
    with pytest.raises(ValueError):
        space["early"](0)  # type: ignore[operator]


def test_a_class_is_built_given_its_weights_and_called() -> None:
    seen = sight(Affine, {"0.0.0": affine_call()}).observations["0.0.0"]
    call = affine_call()
    assert call.state is not None
    weight, bias, x = call.state["linear.weight"].data, call.state["linear.bias"].data, call.given["x"].data
    np.testing.assert_allclose(seen.value.data, x @ weight.T + bias, rtol=1e-5)
    assert sorted(seen.facts["gradients"]) == ["linear.bias", "linear.weight", "x"]


def test_gradients_are_asked_of_tensors_in_lists_too() -> None:
    def weighted(x: torch.Tensor, heads: list[torch.Tensor]) -> torch.Tensor:
        return x @ heads[0] + (x @ heads[1]).detach()

    given = {
        "x": Tensor(np.ones((2, 3), np.float32), "float32"),
        "heads": [Tensor(np.ones((3, 2), np.float32), "float32")] * 2,
    }
    seen = sight(weighted, {"0.0.0": Call("two heads", given, 2, gradients=True)}).observations["0.0.0"]
    assert sorted(seen.facts["gradients"]) == ["heads[0]", "heads[1]", "x"]
    assert np.abs(seen.facts["gradients"]["heads[0]"].data).min() > 0
    assert not seen.facts["gradients"]["heads[1]"].data.any()


def test_a_missing_weight_is_named() -> None:
    class Renamed(Affine):
        def __init__(self, d_in: int, d_out: int) -> None:
            nn.Module.__init__(self)
            self.layer = nn.Linear(d_in, d_out)

    fault = sight(Renamed, {"0.0.0": affine_call()}).observations["0.0.0"].fault
    assert fault is not None
    assert fault.stage == "load weights"
    assert "no weight linear.weight" in fault.message
    assert "layer.weight" in fault.message


def test_output_without_a_gradient_is_a_fault() -> None:
    class Detached(Affine):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x).detach()

    fault = sight(Detached, {"0.0.0": affine_call()}).observations["0.0.0"].fault
    assert fault is not None
    assert fault.stage == "gradients"


def by_another_name(x: object) -> object:
    from textwrap import dedent as helper

    return len(helper("a")) * x  # type: ignore[operator]


def by_a_method(x: object) -> object:
    from string import Template

    return len(Template("$a").substitute(a="b")) * x  # type: ignore[operator]


@pytest.mark.parametrize(("target", "package"), [(by_another_name, "textwrap"), (by_a_method, "string")])
def test_a_forbidden_package_is_noticed_and_others_are_not(target: object, package: str) -> None:
    calls = {"0": Call("a number", {"x": 2.0}, 1)}
    assert sight(target, calls, forbids=(f"{package}.*", "json.*")).forbidden == (package,)
    assert sight(target, calls, forbids=("json.*", package)).forbidden == ()
    assert sys.getprofile() is None


@pytest.mark.parametrize(
    "attend",
    [
        lambda x: functional.scaled_dot_product_attention(x, x, x),
        lambda x: torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(x, x, x)[0],
        lambda x: torch._C._nn.scaled_dot_product_attention(x, x, x),
    ],
)
def test_a_forbidden_operator_is_noticed_by_whatever_name_it_is_called(attend: object) -> None:
    plan = {"0.0.0": Call("x", {"x": affine_call().given["x"]}, 1)}
    plan["0.0.0"].given["x"] = type(plan["0.0.0"].given["x"])(np.ones((1, 1, 4, 2), np.float32), "float32")
    assert sight(attend, plan, forbids=("scaled_dot_product_attention",)).forbidden == ("scaled_dot_product_attention",)


def test_library_backed_parts_are_not_watched() -> None:
    def attend(x: torch.Tensor) -> torch.Tensor:
        with paused():
            return functional.softmax(x, -1)

    plan = {"0.0.0": Call("x", {"x": affine_call().given["x"]}, 1)}
    assert sight(attend, plan, forbids=("softmax",)).forbidden == ()


def test_allowed_operators_are_not_reported() -> None:
    def honest(x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x @ x.transpose(-2, -1), -1) @ x

    plan = {"0.0.0": Call("x", {"x": affine_call().given["x"]}, 1)}
    assert sight(honest, plan, forbids=("scaled_dot_product_attention", "MultiheadAttention")).forbidden == ()


def test_what_follows_a_library_backed_part_is_watched_again() -> None:
    def attend(x: torch.Tensor) -> torch.Tensor:
        with paused():
            functional.softmax(x, -1)
        return functional.log_softmax(x, -1)

    plan = {"0.0.0": Call("x", {"x": affine_call().given["x"]}, 1)}
    assert sight(attend, plan, forbids=("softmax",)).forbidden == ("softmax",)


def test_the_watch_leaves_no_mode_behind_whenever_time_runs_out() -> None:
    part = quiet(torch.relu)

    def endless(x: torch.Tensor) -> None:
        while True:
            part(x)

    plan = {"0.0.0": Call("x", {"x": affine_call().given["x"]}, 1)}
    for seconds in np.linspace(0.0005, 0.003, 60):
        assert sight(endless, plan, forbids=("softmax",), time_limit=seconds).trouble is not None
        assert overrides._get_current_function_mode_stack() == []
        assert _python_dispatch._get_current_dispatch_mode_stack() == []
        assert not is_paused()


def test_what_was_not_changed_is_not_put_back() -> None:
    # To set PyTorch's deterministic algorithms, even to what they are, imports its compiler: seconds, in each process.
    code = (
        "import sys, torch\n"
        "from autograder.observing.state import as_python_starts\n"
        "with as_python_starts():\n    torch.set_default_dtype(torch.float64)\n"
        "assert torch.get_default_dtype() == torch.float32\n"
        "assert 'torch._inductor' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@torch.jit.script
def _scripted(x: torch.Tensor) -> torch.Tensor:
    return torch.softmax(x, -1)


def _in_a_thread(x: torch.Tensor) -> torch.Tensor:
    found: list[torch.Tensor] = []
    thread = threading.Thread(target=lambda: found.append(torch.softmax(x, -1)))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize(
    "weights",
    [
        _scripted,
        _in_a_thread,
        lambda x: torch._masked_softmax(x, torch.zeros_like(x, dtype=torch.bool), x.ndim - 1, 0),
        lambda x: torch.ops.aten._softmax(x, -1, False),
    ],
    ids=["scripted", "in a thread", "under another name", "by the dispatcher's name"],
)
def test_an_operator_is_noticed_wherever_pytorch_runs_it(weights: Callable[[torch.Tensor], torch.Tensor]) -> None:
    plan = {"0.0.0": Call("a row", {"x": Tensor(np.ones((2, 3), np.float32), "float32")}, 1)}
    assert sight(weights, plan, forbids=("softmax",)).forbidden == ("softmax",)


IN_ANOTHER_THREAD = """
import threading
import numpy as np

def load():
    import torch

loading = threading.Thread(target=load)
loading.start()
loading.join()

from autograder.formats.cases import Call
from autograder.library import build_fixture
from autograder.observing.observe import observe

def own(x):
    print("mine")
    return x

sighting = observe(own, {"0.0.0": Call("one", {"x": np.ones(2)}, 1)}, build=build_fixture, forbids=("softmax",))
assert sighting.printed == "mine\\n", sighting.printed
"""


def test_what_the_recorder_writes_is_not_taken_for_the_learners_printing() -> None:
    """PyTorch's profiler writes to stderr where it begins in another thread than PyTorch was loaded in."""
    done = subprocess.run([sys.executable, "-c", IN_ANOTHER_THREAD], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_operator_inside_another_one_is_noticed() -> None:
    def attend(x: torch.Tensor) -> torch.Tensor:
        return torch.ops.aten._scaled_dot_product_attention_math(x, x, x)[0]

    plan = {"0.0.0": Call("tokens", {"x": Tensor(np.ones((1, 1, 2, 3), np.float32), "float32")}, 1)}
    assert "scaled_dot_product_attention" in sight(attend, plan, forbids=("scaled_dot_product_attention",)).forbidden


def test_parts_that_come_later_are_noticed_and_earlier_ones_are_not() -> None:
    softmax = part("softmax")
    plan = {"0.0.0": Call("a row", {"x": np.ones(3)}, 1)}

    def forbidden(allowed: frozenset[str]) -> tuple[str, ...]:
        return observe(lambda x: softmax(x), plan, build=build_fixture, allowed=allowed).forbidden

    assert forbidden(frozenset({"softmax"})) == ()
    assert forbidden(frozenset()) == ("use_part('softmax')",)
    assert not hasattr(softmax, "__wrapped__")


@pytest.mark.parametrize("call", [lambda layer, x: layer(x, x, x), lambda layer, x: layer.forward(x, x, x)])
def test_a_part_that_is_a_module_is_unseen_however_it_is_called_and_noticed_where_it_is_not_allowed(
    call: Callable[..., object],
) -> None:
    layer = part("MultiHeadAttention")(4, 2)
    plan = {"0.0.0": Call("tokens", {"x": Tensor(np.ones((1, 3, 4), np.float32), "float32")}, 1)}

    def forbidden(allowed: frozenset[str]) -> tuple[str, ...]:
        return observe(
            lambda x: call(layer, x)[0],  # type: ignore[index]
            plan,
            build=build_fixture,
            forbids=("scaled_dot_product_attention",),
            allowed=allowed,
        ).forbidden

    assert forbidden(frozenset({"MultiHeadAttention"})) == ()
    assert forbidden(frozenset()) == ("use_part('MultiHeadAttention')",)


def test_what_a_fixture_calls_in_its_own_module_is_not_the_learners_doing() -> None:
    function = Fixture("04_attention_gradients", "sum_of_cubes", {"factors": np.ones(3)})
    plan = {"0.0.0": Call("a function of three numbers", {"f": function}, 1)}
    for _ in range(2):  # with its module imported for the first time, and there already
        seen = observe(lambda f: f(np.arange(3.0)), plan, build=build_fixture, allowed=frozenset())
        assert (seen.forbidden, seen.observations["0.0.0"].value) == ((), 9.0)


def test_the_librarys_own_modules_are_no_way_around() -> None:
    def through_the_module(x: np.ndarray) -> np.ndarray:
        module = importlib.import_module("autograder." + "library.unit_" + "02_attention_scores")
        return module.softmax(x)

    plan = {"0.0.0": Call("a row", {"x": np.ones(3)}, 1)}
    for _ in range(2):  # imported for the first time, and there already
        seen = observe(through_the_module, plan, build=build_fixture, allowed=frozenset())
        assert any("softmax" in name or "unit_02" in name for name in seen.forbidden), seen
    assert observe(through_the_module, plan, build=build_fixture, allowed=frozenset({"softmax"})).forbidden == ()


def on_both_devices(target: object) -> tuple[Observation, Observation, str]:
    """What is seen of a call here, of the same call on a second device, and what was printed; there is no other trouble."""
    call = Call("a case", {"x": Tensor(np.ones((2, 3), np.float32), "float32")}, 1)
    calls = {"here": call, "there": replace(call, elsewhere=True)}
    sighting = observe(target, calls, build=build_fixture, time_limit=20.0)
    assert sighting.trouble is None
    return sighting.observations["here"], sighting.observations["there"], sighting.printed


def test_a_tensor_made_on_the_cpu_is_seen_on_a_second_device_and_nothing_is_printed_twice() -> None:
    def adds(x: torch.Tensor) -> torch.Tensor:
        print("once")
        return x + torch.ones(3)

    here, there, printed = on_both_devices(adds)
    assert here.fault is None and printed.count("once") == 1
    assert there.fault is not None
    assert there.fault.type_name == "MixedDevices" and "`add`" in there.fault.message


def test_what_takes_too_long_on_a_second_device_or_fails_there_otherwise_is_believed() -> None:
    def waits(x: torch.Tensor) -> torch.Tensor:
        while x.device.type == "meta":
            pass
        return x + 1

    def refuses(x: torch.Tensor) -> torch.Tensor:
        if x.device.type == "meta":
            raise ValueError("not here")
        return x + 1

    for target in (waits, refuses):
        here, there, _ = on_both_devices(target)
        assert here.fault is None and there.fault is None
    assert on_both_devices(lambda x: x * 2)[1].value.data.tolist() == [[2.0] * 3] * 2
