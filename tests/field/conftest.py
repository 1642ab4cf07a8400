"""A course of two of the real units, and what a learner's solved notebooks are made from.

All tests of this folder stay on one worker of pytest-xdist: they share warm kernels, and some wait for others.
"""

import functools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from autograder.formats.cases import CASES_FILE, load_cases, save_cases

from .callers import REPOSITORY, begin
from .kernels import Kernels
from .odd_notebooks import ATTENTION, POSITIONS, Notebook, notebook_name

ROWS, TRAINING = "03_self_attention", "10_training"
Solved = Callable[[str], Notebook]


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("field"))


@pytest.fixture(scope="session")
def solved() -> Solved:
    """Makes a unit's notebook with right answers: the released one, and the solved one's answers in it."""
    read = functools.cache(lambda path: nbformat.read(path, as_version=4))

    def make(unit: str) -> Notebook:
        folders = [REPOSITORY / place / unit / notebook_name(unit) for place in ("notebooks", "solutions")]
        return Notebook(*map(read, folders))

    return make


@pytest.fixture(scope="session")
def two_units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course's folder with the real units 02 and 06, to be copied."""
    course = tmp_path_factory.mktemp("field") / "course"
    for unit in (ATTENTION, POSITIONS):
        for place in ("solutions", "notebooks"):
            shutil.copytree(REPOSITORY / place / unit, course / place / unit)
    for path in (REPOSITORY / "nbgrader_config.py", REPOSITORY / "notebooks" / "start.ipynb"):
        shutil.copy(path, course / path.relative_to(REPOSITORY))
    return course


@pytest.fixture(scope="session")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learner's course whose exercises may take 3 seconds each, where the real ones may take 10: so waits may be short."""
    course = tmp_path_factory.mktemp("impatient") / "course"
    for unit in (ATTENTION, ROWS, POSITIONS, TRAINING):
        shutil.copytree(REPOSITORY / "notebooks" / unit, course / "notebooks" / unit)
        cases = load_cases(course / "notebooks" / unit / CASES_FILE)
        hurried = tuple(replace(exercise, time_limit=3.0) for exercise in cases.exercises)
        save_cases(replace(cases, exercises=hurried), course / "notebooks" / unit / CASES_FILE)
    shutil.copy(REPOSITORY / "notebooks" / "start.ipynb", course / "notebooks")
    shutil.copy(REPOSITORY / "nbgrader_config.py", course)
    return course


@pytest.fixture(scope="session")
def kernels() -> Iterator[Kernels]:
    with Kernels() as warm:
        yield warm


@pytest.fixture(scope="package")
def waiting(
    impatient: Path, solved: Solved, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, "subprocess.Popen[str]"]]:
    """Two commands that wait for what does not end, for 100 seconds: looked at in `test_waiting.py`, the last module."""
    folder = tmp_path_factory.mktemp("waiting")
    notebook = solved(ATTENTION)
    setup = notebook.setup()["source"]
    notebook.setup()["source"] = f"import time\n\ntime.sleep(10_000)\n{setup}"
    preflight = notebook.save(folder / "attention_scores.ipynb")
    notebook.edit("attend_one", "weights @ values", "measured * (weights @ values)")
    notebook.own_before("attend_one", "measured = [time.sleep(10_000), 1][1]")
    notebook.setup()["source"] = f"import time\n\n{setup}"
    file = notebook.save_as_python(folder / "scores.py")
    started = {
        "preflight": begin("preflight", ATTENTION, preflight, "--no-repair", cwd=impatient),
        "check": begin("check", ATTENTION, file, "--course", impatient, cwd=impatient),
    }
    yield started
    for process in started.values():
        process.kill()
        process.communicate()


@pytest.fixture(scope="package", autouse=True)
def begun_first(waiting: dict[str, "subprocess.Popen[str]"]) -> None:
    """So that the waiting goes on while all other tests of this folder run."""
