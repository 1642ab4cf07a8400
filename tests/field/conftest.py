"""A course of two of the real units, and what a learner's solved notebooks are made from."""

import functools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from autograder.formats.cases import CASES_FILE, load_cases, save_cases

from .callers import REPOSITORY
from .kernels import Kernels
from .odd_notebooks import ATTENTION, POSITIONS, Notebook, notebook_name

ROWS, TRAINING = "03_self_attention", "10_training"
Solved = Callable[[str], Notebook]


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
