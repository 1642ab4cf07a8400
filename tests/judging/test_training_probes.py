"""What is told of a training step, of whoever watches it, and of decoding that goes on too long."""

import numpy as np
import pytest

from autograder.formats.cases import Call, Observation, Tolerance
from autograder.formats.values import Tensor
from autograder.judging.probes import Probe, Trial, gives_the_loss, stops_in_time, tells_the_watcher

pytestmark = pytest.mark.quick

CALL = Call("two batches", {}, 0)
LOSS = Tensor(np.array(0.5, dtype=np.float32), "float32")


def told(probe: Probe, seen: Observation, expected: Observation) -> str:
    finding = probe.judge(Trial(CALL, seen, expected, {}, Tolerance()))
    return finding.message if finding else ""


def watched(*told: list[float]) -> Observation:
    """Each call of `watch`: the step, its loss, and what the model's weights sum to by then."""
    return Observation(None, facts={"after": {"watch": list(told)}})


def test_a_number_is_a_loss_and_a_tensor_that_holds_it_is_none() -> None:
    assert told(gives_the_loss, Observation(0.5), Observation(0.5)) == ""
    assert "A Python number" in told(gives_the_loss, Observation(LOSS), Observation(0.5))


def test_a_tensor_is_a_loss_where_a_tensor_is_expected() -> None:
    assert told(gives_the_loss, Observation(LOSS), Observation(LOSS)) == ""


def test_a_watcher_that_is_called_when_all_is_over_is_called_at_the_wrong_moment() -> None:
    due = watched([1.0, 0.5, 7.0], [2.0, 0.4, 8.0])
    assert told(tells_the_watcher, due, due) == ""
    late = told(tells_the_watcher, watched([1.0, 0.5, 8.0], [2.0, 0.4, 8.0]), due)
    assert "step 1" in late and "before the next one" in late


def test_a_watcher_is_told_the_step_and_its_loss() -> None:
    due = watched([1.0, 0.5, 7.0])
    assert "was told (0, 0.5), expected (1, 0.5)" in told(tells_the_watcher, watched([0.0, 0.5, 7.0]), due)


@pytest.mark.parametrize(("goes_on", "silent"), [(False, True), (True, False)])
def test_decoding_stops_when_every_sentence_has_ended(goes_on: bool, silent: bool) -> None:
    seen = Observation(None, facts={"after": {"model": {"goes on when all have ended": goes_on}}})
    assert (told(stops_in_time, seen, seen) == "") is silent
