"""A course to grade in."""

import shutil
from pathlib import Path

import pytest

from autograder.grading.gradebook import GradebookWriter
from tests.grading.small_course import write_small_course


@pytest.fixture(scope="session")
def built_course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small course as built, with an empty gradebook; copy it before handing anything in."""
    course = write_small_course(tmp_path_factory.mktemp("built") / "course")
    with GradebookWriter(course):
        return course


@pytest.fixture
def course(built_course: Path, tmp_path: Path) -> Path:
    """A small course of the test's own, nothing handed in."""
    return Path(shutil.copytree(built_course, tmp_path / "course"))
