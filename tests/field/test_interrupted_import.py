"""An import that a learner interrupts breaks their kernel. That is told in a line, and nothing is judged."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .callers import REPOSITORY, text_of, told_in
from .conftest import ROWS, Solved
from .kernels import Kernel, Kernels, Outputs
from .odd_notebooks import POSITIONS, Notebook
from .test_slow_machine import slow

MASKING = "07_masking"
EXERCISES = {"self_attention_columns": 6.0, "to_row_convention": 3.0}
BROKEN_SYMPY = "import sys, types\nsys.modules['sympy'] = types.ModuleType('sympy')"


def says_to_restart(outputs: Outputs) -> bool:
    text = " ".join(map(text_of, outputs)).lower()
    return "restart" in text and "kernel" in text


def is_told_honestly(outputs: Outputs, points: float) -> bool:
    """Either the check's full points, or a line that asks for a restart (with a headline at most) and judges nothing."""
    assert shows_no_traceback(outputs), outputs
    if told_in(outputs).passes(points):
        return True
    texts = [text_of(output) for output in outputs if output["output_type"] != "execute_result"]
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    return says_to_restart(outputs) and len(lines) <= 2 and "not yet" not in lines[0]


def shows_no_traceback(outputs: Outputs) -> bool:
    return not any(output["output_type"] == "error" for output in outputs)


def after(seconds: float) -> Callable[[], bool]:
    begun = time.monotonic()
    return lambda: time.monotonic() - begun > seconds


def check_again(kernel: Kernel, notebook: Notebook) -> dict[str, Outputs]:
    """The setup and two exercises once more, as one does who has stopped something."""
    kernel.run(notebook.setup()["source"])
    for exercise in EXERCISES:
        kernel.run(notebook.source(exercise))
    return {exercise: kernel.run(notebook.source(f"{exercise}-check")) for exercise in EXERCISES}


SECONDS = (0.5, 2, 5)


def interrupted_check(seconds: float, impatient: Path, solved: Solved) -> dict[str, Outputs]:
    """What is told after a check that took long was interrupted; or the unit's first cell, where that does the waiting."""
    notebook = solved(ROWS)
    with Kernel.fresh(impatient / "notebooks" / ROWS, slow("torch.functional")) as kernel:
        kernel.run(notebook.setup()["source"], interrupt_when=after(seconds))
        kernel.run(notebook.source("self_attention_columns"))
        kernel.run(notebook.source("self_attention_columns-check"), interrupt_when=after(seconds))
        return check_again(kernel, notebook)


def interrupted_import(
    mark: Path, impatient: Path, solved: Solved
) -> tuple[Outputs, dict[str, Outputs], dict[str, Outputs]]:
    """What an import of PyTorch shows that is interrupted in its middle; what is told then, and after a restart."""
    notebook = solved(ROWS)
    env = slow("torch.functional") | {"AUTOGRADER_SLOW_IMPORTS_BEGUN": str(mark)}
    with Kernel.fresh(impatient / "notebooks" / ROWS, env) as kernel:
        stopped = kernel.run("import torch", interrupt_when=mark.exists)
        told = check_again(kernel, notebook)
        kernel.restart()
        return stopped, told, check_again(kernel, notebook)


@pytest.fixture(scope="module")
def asked(
    impatient: Path, solved: Solved, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[object, Future[Any]]]:
    """All of these wait for most of their time: they are begun at once."""
    mark = tmp_path_factory.mktemp("import") / "begun"
    with ThreadPoolExecutor(len(SECONDS) + 1) as threads:
        found: dict[object, Future[Any]] = {"import": threads.submit(interrupted_import, mark, impatient, solved)}
        yield found | {one: threads.submit(interrupted_check, one, impatient, solved) for one in SECONDS}


@pytest.mark.parametrize("seconds", SECONDS)
def test_after_a_check_that_was_interrupted_nothing_false_is_told(
    seconds: float, asked: dict[object, Future[Any]]
) -> None:
    for exercise, outputs in asked[seconds].result().items():
        assert is_told_honestly(outputs, EXERCISES[exercise]), (exercise, outputs)


def test_an_interrupted_import_of_pytorch_is_told_and_after_a_restart_all_is_right(
    asked: dict[object, Future[Any]],
) -> None:
    (stopped,), broken, restarted = asked["import"].result()
    assert stopped["ename"] == "KeyboardInterrupt"
    for exercise, outputs in broken.items():
        assert says_to_restart(outputs) and is_told_honestly(outputs, EXERCISES[exercise]), (exercise, outputs)
    found = {exercise: told_in(outputs) for exercise, outputs in restarted.items()}
    assert all(found[exercise].passes(points) for exercise, points in EXERCISES.items()), found


WRONG = {
    "decoder_mask": ("causal_mask(ids.shape[1], device=ids.device)", "causal_mask(ids.shape[1])"),
    "TransformerEmbedding": (
        'self.register_buffer("positions", sinusoidal_positions(max_len, d_model), persistent=False)',
        "self.positions = sinusoidal_positions(max_len, d_model)",
    ),
}
"""Right numbers, but a tensor stays behind when the others move: only the question about another device tells."""
UNIT_OF = {"decoder_mask": MASKING, "TransformerEmbedding": POSITIONS}


def checked_in(kernel: Kernel, solved: Solved) -> dict[str, Outputs]:
    """Outputs of both exercises' checks, by "wrong" or "right" and the exercise."""
    found = {}
    for exercise, edit in WRONG.items():
        notebook = solved(UNIT_OF[exercise])
        kernel.run(f"import os; os.chdir({str(REPOSITORY / 'notebooks' / UNIT_OF[exercise])!r})")
        kernel.run(notebook.setup()["source"])
        for other in ("causal_mask", "padding_mask") if exercise == "decoder_mask" else ("sinusoidal_positions",):
            kernel.run(notebook.source(other))
        for kind in ("right", "wrong"):
            if kind == "wrong":
                notebook.edit(exercise, *edit)
            kernel.run(notebook.source(exercise))
            found[f"{kind} {exercise}"] = kernel.run(notebook.source(f"{exercise}-check"))
    return found


@pytest.fixture(scope="module")
def asked_without_sympy(solved: Solved) -> dict[str, Outputs]:
    """In a kernel in which `sympy`, which PyTorch imports for that question, is a broken package."""
    with Kernel.fresh(REPOSITORY / "notebooks" / MASKING) as kernel:
        kernel.run(BROKEN_SYMPY)
        return checked_in(kernel, solved)


@pytest.mark.parametrize("exercise", WRONG)
def test_a_wrong_answer_does_not_pass_because_a_question_could_not_be_asked(
    exercise: str, asked_without_sympy: dict[str, Outputs]
) -> None:
    outputs = asked_without_sympy[f"wrong {exercise}"]
    told = told_in(outputs)
    assert shows_no_traceback(outputs) and told.points == 0.0 and told.says


@pytest.mark.parametrize("kind", ["right", "wrong"])
@pytest.mark.parametrize("exercise", WRONG)
def test_a_question_that_could_not_be_asked_is_told_as_not_asked(
    exercise: str, kind: str, asked_without_sympy: dict[str, Outputs]
) -> None:
    outputs = asked_without_sympy[f"{kind} {exercise}"]
    text = " ".join(map(text_of, outputs)).lower()
    assert shows_no_traceback(outputs)
    assert "not asked" in text or "not be asked" in text or says_to_restart(outputs), text
    assert "has no attribute" not in (told_in(outputs).says or "")


def test_where_the_question_can_be_asked_the_same_answers_are_told_apart(solved: Solved, kernels: Kernels) -> None:
    with kernels.kernel(REPOSITORY / "notebooks" / MASKING) as kernel:
        found = {name: told_in(outputs) for name, outputs in checked_in(kernel, solved).items()}
    assert found["right decoder_mask"].passes(3.0) and found["right TransformerEmbedding"].passes(6.0)
    for exercise in WRONG:
        assert found[f"wrong {exercise}"].points == 0.0 and "device" in (found[f"wrong {exercise}"].says or "")
