"""Which precision is taken: by made-up timings, and once by real ones."""

from collections.abc import Callable

import pytest
import torch

from autograder.lab.precision import Precision, measured_precision


class Clock:
    """Time that passes only when a step says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps: list[torch.dtype] = []

    def __call__(self) -> float:
        return self.now

    def steps_of(self, **seconds: list[float]) -> Callable[[torch.dtype], Callable[[], None]]:
        """Steps by type, whose runs take these seconds, the last of them for ever after."""

        def make(dtype: torch.dtype) -> Callable[[], None]:
            left = list(seconds[str(dtype).removeprefix("torch.")])

            def step() -> None:
                self.steps.append(dtype)
                self.now += left.pop(0) if len(left) > 1 else left[0]

            return step

        return make


def measured(float32: list[float], bfloat16: list[float]) -> tuple[Precision, Clock]:
    clock = Clock()
    return measured_precision(make=clock.steps_of(float32=float32, bfloat16=bfloat16), clock=clock), clock


@pytest.mark.parametrize(
    ("float32", "bfloat16", "takes_bfloat16"),
    [
        ([4e-3], [2e-3], True),  # a processor with circuits for it
        ([4e-3], [200e-3], False),  # one that imitates it
        ([4e-3], [3.9e-3], False),  # next to no gain: seven digits are better than three
        ([9.0, 4e-3], [8.0, 2e-3], True),  # the first run warms up and does not count
        ([9.0, 9.0, 9.0, 4e-3], [5e-3], False),  # a busy moment does not decide: the best run does
    ],
)
def test_bfloat16_is_taken_where_it_is_faster(
    float32: list[float], bfloat16: list[float], takes_bfloat16: bool
) -> None:
    assert measured(float32, bfloat16)[0].takes_bfloat16 is takes_bfloat16


def test_what_is_hopelessly_slow_is_not_run_again() -> None:
    precision, clock = measured([4e-3], [200e-3])
    assert clock.steps.count(torch.float32) == 4
    assert clock.steps.count(torch.bfloat16) == 2
    assert precision.slower == pytest.approx(50)


def test_a_device_that_cannot_do_bfloat16_computes_in_float32() -> None:
    def make(dtype: torch.dtype) -> Callable[[], None]:
        if dtype == torch.bfloat16:
            raise RuntimeError("bfloat16 is not supported")
        return lambda: None

    precision = measured_precision(make=make)
    assert (precision.bfloat16, precision.takes_bfloat16) == (None, False)
    assert "bfloat16 cannot be done; so float32 is taken" in precision.told()


def test_one_line_says_what_was_measured_and_what_is_taken() -> None:
    precision, _ = measured([4e-3], [200e-3])
    assert precision.told().endswith("takes 4.00 ms in float32, 200 ms in bfloat16; so float32 is taken.")
    assert precision.told("bfloat16").endswith("200 ms in bfloat16; bfloat16 is taken, as asked for.")
    assert "\n" not in precision.told()
    assert precision.told().startswith("CPU with")


def test_this_machine_can_be_measured_soon() -> None:
    precision = measured_precision()
    assert precision.float32 > 0
    assert precision.bfloat16 is None or precision.bfloat16 > 0
