"""Kernels under the interpreter: what they may read and write, and what is counted."""

import linecache
from typing import Any

import pytest
import torch

from autograder.formats.fixtures import NotAsked
from autograder.library import kernels
from autograder.library.kernels import load_triton, watching_launches, why_no_kernels

pytestmark = [
    pytest.mark.quick,
    pytest.mark.skipif(bool(why_no_kernels()), reason="Triton is for Linux"),
]

DOUBLE = """
@triton.jit
def double_kernel(x, output, n, BLOCK: tl.constexpr):
    places = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    numbers = tl.load(x + places, mask=places < n{load})
    tl.store(output + places, {what}, mask=places < n{store})


def double(x):
    output = torch.zeros_like(x)
    double_kernel[(triton.cdiv(x.numel(), 4),)](x, output, x.numel(), BLOCK=4)
    return output
"""


def run(load: str = "", store: str = "", what: str = "2 * numbers") -> Any:
    triton, tl = load_triton()
    text = DOUBLE.format(load=load, store=store, what=what)
    name = f"<kernel {len(linecache.cache)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    space: dict[str, Any] = {"torch": torch, "triton": triton, "tl": tl, "__name__": "__main__"}
    exec(compile(text, name, "exec"), space)
    return space["double"]


def test_launches_loads_and_stores_are_counted() -> None:
    double = run()
    with watching_launches() as seen:
        assert double(torch.arange(6.0)).tolist() == [0, 2, 4, 6, 8, 10]
        double(torch.ones(3))
    assert (seen.count, seen.most_loaded, seen.stored) == (2, 4, 9)
    double(torch.ones(3))
    assert seen.count == 2


def test_a_kernel_that_reads_behind_its_arrays_is_told() -> None:
    with pytest.raises(IndexError, match="reads outside"):
        run(load=" + 8")(torch.ones(6))


def test_a_kernel_that_writes_behind_its_arrays_is_told() -> None:
    with pytest.raises(IndexError, match="writes outside"):
        run(store=" + 8")(torch.ones(6))


def test_an_error_in_a_kernel_comes_out_as_it_is() -> None:
    with pytest.raises(NameError, match="nowhere"):
        run(what="nowhere * numbers")(torch.ones(4))


def test_functions_of_tritons_own_are_known_by_name() -> None:
    with watching_launches() as seen:
        run(what="numbers / tl.sum(numbers, axis=0)")(torch.ones(4))
    assert "sum" in seen.ready_made
    assert seen.exponentials == 0
    with watching_launches() as seen:
        run(what="tl.exp(numbers) + tl.exp2(numbers)")(torch.ones(3))
    assert seen.exponentials == 8  # of whole blocks, masked places too
    assert "softmax" not in seen.ready_made


def test_without_triton_kernels_can_be_defined_and_not_launched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernels, "why_no_kernels", lambda: "There is no Triton.")
    triton, tl = load_triton()
    assert capsys.readouterr().out.count("\n") == 1
    assert not triton

    @triton.jit
    def kernel(x: Any, BLOCK: tl.constexpr) -> None:
        pass

    with pytest.raises(NotAsked, match=r"There is no Triton$"):
        kernel[(1,)](torch.ones(1), BLOCK=triton.next_power_of_2(1))
