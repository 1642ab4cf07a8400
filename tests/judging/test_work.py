"""Probes for how work is done: a fact that differs takes the points away, and the sentence says what was seen."""

import pytest

from autograder.formats.cases import Call, Observation, Tolerance
from autograder.judging.probes import (
    Probe,
    Trial,
    computes_in_type,
    leaves_the_model,
    runs_in_a_kernel,
    works_in_blocks,
    works_in_turns,
    works_once,
)

pytestmark = pytest.mark.quick

FACTS = {
    works_in_blocks: {"makes a table of all scores": False, "takes more than a block of scores": False},
    works_once: {"reads the source again": False, "computes old positions again": False},
    leaves_the_model: {
        "runs in training mode": False,
        "leaves a hook behind": False,
        "leaves a hook behind when the model raises": False,
        "leaves another mode": False,
        "swallows an exception": False,
        "leaves other gradients": False,
    },
    works_in_turns: {"joins the pieces": False, "goes back only at the end": False, "reads a piece twice": False},
    runs_in_a_kernel: {
        "launches a kernel": True,
        "calls tl.softmax": False,
        "takes exponentials elsewhere": False,
        "leaves places unwritten": False,
    },
    computes_in_type: {"multiplies in the type asked for": True, "keeps its weights in float32": True},
}


def judged(probe: Probe, facts: object) -> str | None:
    expected = Observation(1.0, facts={"after": {"x": FACTS[probe]}})
    seen = Observation(1.0, facts={"after": facts} if facts is not None else {})
    found = probe.judge(Trial(Call("a case", {"x": 1}, 1), seen, expected, {}, Tolerance()))
    return found.message if found else None


@pytest.mark.parametrize("probe", FACTS)
def test_the_same_facts_pass(probe: Probe) -> None:
    assert judged(probe, {"x": dict(FACTS[probe])}) is None


@pytest.mark.parametrize("probe", FACTS)
def test_each_fact_that_differs_has_a_sentence_of_its_own(probe: Probe) -> None:
    told = [judged(probe, {"x": FACTS[probe] | {fact: not due}}) for fact, due in FACTS[probe].items()]
    assert None not in told
    assert len(set(told)) == len(told)


@pytest.mark.parametrize("probe", FACTS)
@pytest.mark.parametrize("facts", [None, "forged", {}, {"x": 3}, {"x": {}}])
def test_facts_that_are_missing_do_not_pass(probe: Probe, facts: object) -> None:
    assert judged(probe, facts) is not None
