"""A machine on which imports take long, or whose cores are all busy: the same points and sentences as on a quiet one.

The first import of chosen modules waits (`slow_imports/`), longer than an exercise may take: 6 seconds against the 3
of the impatient course, 11 against the real course's 10. Waiting costs no processor time: all of it is begun at once.
"""

import os
import shutil
import site
import subprocess
import sys
import venv
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .callers import Answers, Told, by_check, by_grade, by_preflight, told_in
from .conftest import ROWS, TRAINING, Solved
from .kernels import Kernel, Kernels, Outputs
from .odd_notebooks import ATTENTION, POINTS, POSITIONS, Notebook, notebook_name

SLOW_IMPORTS = Path(__file__).with_name("slow_imports")


def slow(*modules: str, seconds: float = 6) -> dict[str, str]:
    """An environment in which the first import of these modules takes that much longer."""
    told = " ".join(f"{name}={seconds:g}" for name in modules)
    return {"PYTHONPATH": str(SLOW_IMPORTS), "AUTOGRADER_SLOW_IMPORTS": told}


def with_a_mistake(notebook: Notebook) -> Notebook:
    """Right answers but for one known mistake: unit 02's scores without their scale, unit 06's positions backwards."""
    if notebook.node["metadata"]["autograder"]["unit"] == ATTENTION:
        notebook.edit("scaled_scores", "return scores / np.sqrt(q.shape[0])", "return scores")
    else:
        notebook.edit("LearnedPositions", "self.table[:seq]", "self.table[-seq:]")
    return notebook


Waiting = dict[object, Future[Any]]
"""What was asked, by the question's name, and what will be told."""
MISTAKES = {ATTENTION: ("scaled_scores", "√d_k"), POSITIONS: ("LearnedPositions", "last")}


def right_but_for_the_mistake(unit: str, found: Answers) -> None:
    """Full points and no sentence; for the mistake its own sentence."""
    wrong, words = MISTAKES[unit]
    assert list(found) == list(POINTS[unit])
    for name, told in found.items():
        if name == wrong:
            assert told.points in (0.0, None) and words in (told.says or ""), (name, told)
        else:
            assert told.passes(POINTS[unit][name]), (name, told)


def slow_python(folder: Path, imports: str) -> Path:
    """An interpreter that is always slow, even where the environment is bare: one with this one's packages."""
    venv.EnvBuilder(symlinks=os.name == "posix").create(folder)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    told = [str(python), "-c", "import site; print(site.getsitepackages()[0])"]
    place = Path(subprocess.run(told, capture_output=True, text=True, check=True).stdout.strip())
    (place / "packages.pth").write_text("\n".join(site.getsitepackages()) + "\n", encoding="utf-8")
    shutil.copy(SLOW_IMPORTS / "sitecustomize.py", place)
    (place / "slow_imports.txt").write_text(imports, encoding="utf-8")
    return python


def run_until_checked(kernel: Kernel, notebook: Notebook, exercise: str) -> Outputs:
    """The setup, one exercise's answer, its check; the check's outputs."""
    kernel.run(notebook.setup()["source"])
    kernel.run(notebook.source(exercise))
    return kernel.run(notebook.source(f"{exercise}-check"))


FIRST_CHECKS = {
    (ROWS, "self_attention_columns"): (6.0, ("torch", "torch.functional")),
    (POSITIONS, "TransformerEmbedding"): (6.0, ("sympy",)),
}
"""The points of exercises that come first in a notebook, and what their checks must wait for."""


class Asked:
    """What is asked of commands and of fresh kernels on a slow machine, one thread for each that waits."""

    def __init__(self, impatient: Path, two_units: Path, solved: Solved, place: Path) -> None:
        self.impatient, self.two_units, self.solved, self.place = impatient, two_units, solved, place

    def check(self) -> dict[Path, Answers]:
        """Of a notebook and of a file whose unit needs no PyTorch."""
        notebook = with_a_mistake(self.solved(ATTENTION))
        files = [notebook.save(self.place / "scores.ipynb"), notebook.save_as_python(self.place / "scores.py")]
        return dict(by_check(self.impatient, ATTENTION, files, slow("torch", "torch.functional")))

    def check_of_a_file_that_imports_pytorch(self) -> dict[Path, Answers]:
        file = with_a_mistake(self.solved(POSITIONS)).save_as_python(self.place / "positions.py")
        return dict(by_check(self.impatient, POSITIONS, [file], slow("torch", "torch.functional")))

    def preflight(self) -> Answers:
        file = with_a_mistake(self.solved(POSITIONS)).save(self.place / "positional_encoding.ipynb")
        return by_preflight(self.impatient, POSITIONS, file, slow("torch", "sympy", "torch._dynamo"))

    def grade(self) -> Answers:
        course = Path(shutil.copytree(self.two_units, self.place / "course"))
        shutil.rmtree(course / "solutions" / ATTENTION)
        shutil.rmtree(course / "notebooks" / ATTENTION)
        handed_in = course / "submitted" / "one" / POSITIONS / notebook_name(POSITIONS)
        with_a_mistake(self.solved(POSITIONS)).save(handed_in)
        python = slow_python(self.place / "slow", "sympy=11")
        # Not isolated, since the sandbox lets a submission read an interpreter's own packages only.
        return by_grade(course, isolation="none", python=python)["one"]

    def first_check(self, unit: str, exercise: str) -> Told:
        _, modules = FIRST_CHECKS[unit, exercise]
        with Kernel.fresh(self.impatient / "notebooks" / unit, slow(*modules)) as kernel:
            return told_in(run_until_checked(kernel, self.solved(unit), exercise))


@pytest.fixture(scope="module")
def told(
    impatient: Path, two_units: Path, solved: Solved, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Waiting]:
    asked = Asked(impatient, two_units, solved, tmp_path_factory.mktemp("asked"))
    with ThreadPoolExecutor(len(FIRST_CHECKS) + 4) as threads:
        questions = (asked.grade, asked.check, asked.check_of_a_file_that_imports_pytorch, asked.preflight)
        found: Waiting = {one.__name__: threads.submit(one) for one in questions}
        yield found | {one: threads.submit(asked.first_check, *one) for one in FIRST_CHECKS}


def test_check_tells_the_same_of_a_notebook_and_of_a_file(told: Waiting) -> None:
    answers = told["check"].result()
    assert len(answers) == 2
    for found in answers.values():
        right_but_for_the_mistake(ATTENTION, found)


def test_a_files_own_import_of_pytorch_may_take_as_long_as_it_will(told: Waiting) -> None:
    (found,) = told["check_of_a_file_that_imports_pytorch"].result().values()
    right_but_for_the_mistake(POSITIONS, found)


def test_preflight_tells_the_same_though_the_meta_device_comes_late(told: Waiting) -> None:
    right_but_for_the_mistake(POSITIONS, told["preflight"].result())


def test_grade_gives_the_same_points(told: Waiting) -> None:
    right_but_for_the_mistake(POSITIONS, told["grade"].result())


@pytest.mark.parametrize(("unit", "exercise"), FIRST_CHECKS)
def test_the_first_check_in_a_notebook_waits_for_what_it_needs(unit: str, exercise: str, told: Waiting) -> None:
    found = told[unit, exercise].result()
    assert found.passes(FIRST_CHECKS[unit, exercise][0]), found


@contextmanager
def every_core_busy() -> Iterator[None]:
    """Twice as many processes as cores, at no lower priority, that do nothing but compute."""
    processes = [
        subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))
    ]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_the_first_optimizer_of_unit_10_may_come_late_on_a_busy_machine(impatient: Path, solved: Solved) -> None:
    notebook = solved(TRAINING)
    with Kernel.fresh(impatient / "notebooks" / TRAINING, slow("torch._dynamo")) as kernel:
        kernel.run(notebook.setup()["source"])
        for exercise in ("label_smoothed_loss", "train_step"):
            kernel.run(notebook.source(exercise))
        with every_core_busy():
            told = told_in(kernel.run(notebook.source("train_step-check")))
    assert told.passes(5.0), told


LOOP = "    while True:\n        count = 1\n"


def test_a_loop_that_never_ends_is_told_with_its_line_though_every_core_is_busy(
    impatient: Path, solved: Solved, kernels: Kernels
) -> None:
    notebook = solved(ATTENTION)
    notebook.edit("additive_score", "    query = W_q", LOOP + "    query = W_q")
    with kernels.kernel(impatient / "notebooks" / ATTENTION) as kernel, every_core_busy():
        told = told_in(run_until_checked(kernel, notebook, "additive_score"))
    assert told.points == 0.0
    says = told.says or ""
    assert "did not finish" in says and ("while True" in says or "count = 1" in says)
    # where other work leaves the kernel still less, it is told how little it has computed, and nothing of a loop
    assert "loop" in says or "computed for less than" in says
