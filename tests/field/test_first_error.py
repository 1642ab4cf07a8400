"""The first error is told, by name and with a cure, and not what follows from it; and what did not end is told as such."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .callers import Answers, begin, by_check, by_preflight, command, finish
from .conftest import Solved
from .odd_notebooks import ATTENTION, MISSING, POINTS, POSITIONS

CONSEQUENCE = re.compile(r"name '\w+' is not defined")


def assert_all_pass_but(wrong: str, answers: Answers) -> None:
    assert list(answers) == list(POINTS[ATTENTION])
    failed = [name for name, told in answers.items() if not told.passes(POINTS[ATTENTION][name])]
    assert failed == [wrong], answers


# A package that is missing


def named_with_a_cure(text: str) -> bool:
    return f"No module named '{MISSING}'" in text and "install" in text


def test_a_file_whose_import_fails_is_told_of_the_package(impatient: Path, solved: Solved, tmp_path: Path) -> None:
    notebook = solved(ATTENTION)
    notebook.setup()["source"] = f"from {MISSING} import bend\n{notebook.setup()['source']}"
    notebook.edit("additive_score", "np.tanh", "bend")
    file = notebook.save_as_python(tmp_path / "scores.py")
    (answers,) = by_check(impatient, ATTENTION, [file]).values()
    assert named_with_a_cure(answers["additive_score"].says or ""), answers["additive_score"]
    assert not CONSEQUENCE.search(answers["additive_score"].says or "")
    assert_all_pass_but("additive_score", answers)


def test_a_dead_setup_cell_is_told_by_its_first_error(impatient: Path, solved: Solved, tmp_path: Path) -> None:
    notebook = solved(POSITIONS)
    notebook.setup()["source"] = f"import {MISSING}\n{notebook.setup()['source']}"
    file = notebook.save(tmp_path / "positional_encoding.ipynb")
    checking = begin("check", POSITIONS, file, "--course", impatient, cwd=impatient)
    preflight = command("preflight", POSITIONS, file, "--no-repair", cwd=impatient)
    checked = finish(checking)
    # Where the course's own setup cell is put back, as when a notebook is graded, the answers may well pass.
    assert named_with_a_cure(checked.stdout) or checked.stdout.count("✓ passed") == len(POINTS[POSITIONS])
    assert MISSING in preflight.stdout
    assert not CONSEQUENCE.search(checked.stdout) and not CONSEQUENCE.search(preflight.stdout)


# Loops and waiting in a learner's function


LOOP = "    while True:\n        count = 1\n"
WAITS_ONCE = """
    global waited
    if not waited:
        time.sleep(4)
        waited = True
"""


@pytest.fixture(scope="module")
def with_a_loop(impatient: Path, solved: Solved, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answers]:
    """A loop without end in one function, and one that waits for 4 seconds in another, where 3 may be computed."""
    notebook = solved(ATTENTION)
    notebook.edit("additive_score", "    query = W_q", LOOP + "    query = W_q")
    notebook.own_before("scaled_scores", "import time\n\nwaited = False")
    notebook.edit("scaled_scores", "\n    scores = keys @ q", f"{WAITS_ONCE}    scores = keys @ q")
    folder = tmp_path_factory.mktemp("loop")
    file = notebook.save(folder / "attention_scores.ipynb")
    with ThreadPoolExecutor() as threads:
        preflight = threads.submit(by_preflight, impatient, ATTENTION, file)
        (checked,) = by_check(impatient, ATTENTION, [file]).values()
        return {"check": checked, "preflight": preflight.result()}


@pytest.mark.parametrize("caller", ["check", "preflight"])
def test_a_loop_that_never_ends_is_told_with_its_line(caller: str, with_a_loop: dict[str, Answers]) -> None:
    says = with_a_loop[caller]["additive_score"].says or ""
    assert "did not finish" in says and "loop" in says
    assert "while True" in says or "count = 1" in says


@pytest.mark.parametrize("caller", ["check", "preflight"])
def test_it_costs_its_own_exercise_only_and_waiting_costs_none(caller: str, with_a_loop: dict[str, Answers]) -> None:
    assert_all_pass_but("additive_score", with_a_loop[caller])
