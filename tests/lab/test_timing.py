"""Timing: what is counted, what is not, how it reads. The clock is a counter: nothing depends on speed."""

import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.lab import timing
from autograder.lab.timing import Comparison, Timing, compare, duration, measure


class Clock:
    """Time that passes only when a task says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[str] = []

    def task(self, *seconds: float, name: str = "") -> Callable[[], None]:
        """A function whose calls take `seconds`, the last one for ever after."""
        left = list(seconds)

        def run() -> None:
            self.log.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing, "perf_counter", lambda: clock.now)
    return clock


def test_the_median_and_the_range_of_the_runs_are_reported(clock: Clock) -> None:
    result = measure(clock.task(9.0, 3.0, 1.0, 2.0), repeat=3)
    assert (result.median, result.low, result.high, result.runs) == (2.0, 1.0, 3.0, 3)


def test_warm_up_calls_are_made_and_not_counted(clock: Clock) -> None:
    result = measure(clock.task(50.0, 40.0, 1.0), repeat=4, warmup=2)
    assert result.high == 1.0
    assert len(clock.log) == 6


def test_without_warm_up_the_cold_call_is_the_first_run(clock: Clock) -> None:
    result = measure(clock.task(0.25, 0.0001), repeat=3, warmup=0)
    assert result.high == 0.25
    assert len(clock.log) == 3


def test_a_short_function_is_repeated_until_a_run_is_long_enough(clock: Clock) -> None:
    result = measure(clock.task(2.0**-10), repeat=5, min_seconds=2.0**-4)
    assert len(clock.log) == 1 + 5 * 64
    assert result.median == pytest.approx(2.0**-10)


def test_arguments_reach_the_function() -> None:
    seen: list[tuple[int, int]] = []
    measure(lambda a, b: seen.append((a, b)), 1, b=2, repeat=1, warmup=0)
    assert seen == [(1, 2)]


def test_functions_are_compared_in_turns_and_backwards_every_second_round(clock: Clock) -> None:
    functions = {"slow": clock.task(4.0, name="s"), "fast": clock.task(1.0, name="f")}
    result = compare(functions, repeat=3, warmup=0)
    assert "".join(clock.log) == "sf" + "fs" + "sf"
    assert result.ratios == {"slow": 1.0, "fast": 0.25}


def test_a_ratio_is_of_medians_to_the_named_baseline(clock: Clock) -> None:
    functions = {"a": clock.task(1.0, 2.0, 9.0), "b": clock.task(4.0)}
    assert compare(functions, repeat=3, warmup=0, baseline="b").ratios == {"a": 0.5, "b": 1.0}


def test_a_comparison_says_how_many_times_faster_or_slower() -> None:
    timings = {"loop": Timing(0.2, 0.2, 0.2, 3), "matrix": Timing(0.001, 0.001, 0.001, 3)}
    assert "200 times faster" in str(Comparison(timings, "loop"))
    assert "200 times slower" in str(Comparison(timings, "matrix"))


def test_the_device_is_waited_for_before_each_look_at_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    monkeypatch.setattr(timing, "synchronise", lambda device: events.append(f"wait for {device}"))
    monkeypatch.setattr(timing, "perf_counter", lambda: float(events.append("look") or 0))
    measure(lambda: events.append("call"), repeat=1, warmup=0, device="cuda:0")
    assert events == ["wait for cuda:0", "look", "call", "wait for cuda:0", "look"]


@pytest.mark.parametrize(
    ("device", "cuda_in_use", "mps_there", "waited"),
    [
        (None, True, False, ["cuda"]),
        (None, False, True, ["mps"]),
        (None, False, False, []),
        ("cpu", True, True, []),
        ("cuda:1", False, False, ["cuda"]),
        ("mps", False, True, ["mps"]),
    ],
)
def test_only_an_accelerator_in_use_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
    device: str | None,
    cuda_in_use: bool,
    mps_there: bool,
    waited: list[str],
) -> None:
    seen: list[str] = []
    torch = SimpleNamespace(
        device=lambda name: SimpleNamespace(type=str(name).split(":")[0]),
        cuda=SimpleNamespace(is_initialized=lambda: cuda_in_use, synchronize=lambda _: seen.append("cuda")),
        mps=SimpleNamespace(synchronize=lambda: seen.append("mps")),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps_there)),
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    timing.synchronise(device)
    assert seen == waited


def test_a_timing_reads_as_one_number_with_its_range_and_runs() -> None:
    assert str(Timing(0.00132, 0.0013, 0.00141, 7)) == "1.32 ms (1.30–1.41, 7 runs)"
    assert str(Timing(12.3456, 12.0, 13.0, 1)) == "12.3 s (12.0–13.0, 1 run)"
    assert str(Timing(2e-7, 1e-7, 2e-3, 5)) == "200 ns (100–2000000, 5 runs)"


@given(st.floats(min_value=1e-9, max_value=999.0))
def test_a_duration_reads_with_three_digits_and_means_what_was_measured(seconds: float) -> None:
    digits, unit = duration(seconds).split()
    size = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]
    assert 1 <= float(digits) < 1000
    assert float(digits) * size == pytest.approx(seconds, rel=0.0051)


@pytest.mark.parametrize("wrong", [{"repeat": 0}, {"warmup": -1}, {"min_seconds": -1.0}])
def test_senseless_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="repeat >= 1"):
        measure(lambda: None, **wrong)


def test_a_comparison_needs_functions_and_a_baseline_among_them() -> None:
    with pytest.raises(ValueError, match="at least one"):
        compare({})
    with pytest.raises(ValueError, match="'c' is none of 'a'"):
        compare({"a": lambda: None}, baseline="c")
