"""The autograder that is uploaded to Gradescope grades a submission in a bare folder as `grade` does here."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autograder.__main__ import main
from tests.grading.small_course import REPOSITORY, UNIT, Submission

pytestmark = pytest.mark.xdist_group("pipeline")


@pytest.fixture
def container(course: Path, tmp_path: Path) -> Path:
    """`/autograder` as the platform lays it out, `setup.sh` not run: this test's Python has what that installs."""
    for name in ("autograder", "pyproject.toml", "requirements.txt", "README.md"):
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, course / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, course)
    target = tmp_path / "upload.zip"
    assert main(["gradescope", UNIT, "--course", str(course), "--seed", "5", "--output", str(target)]) == 0
    root = tmp_path / "platform"
    with zipfile.ZipFile(target) as archive:
        archive.extractall(root / "source")
    (root / "submission").mkdir()
    return root


def run_autograder(root: Path) -> dict[str, object]:
    script = root / "source" / "run_autograder"
    environment = {**os.environ, "AUTOGRADER_ROOT": str(root), "AUTOGRADER_PYTHON": sys.executable}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(["bash", str(script)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((root / "results" / "results.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_a_submission_is_graded_as_it_is_here(course: Path, container: Path) -> None:
    submission = Submission(course, solved=True)
    submission.write("centre", "def centre(x):\n    return x - np.mean(x)")
    (container / "submission" / "my homework.ipynb").write_text(submission.text(), encoding="utf-8")
    told = run_autograder(container)
    tests = {test["name"]: test for test in told["tests"]}  # type: ignore[index, attr-defined]
    assert {name: test["score"] for name, test in tests.items()} == {"centre": 0, "softmax": 5, "attend": 10}
    assert tests["centre"]["output"] == "You subtract the mean of the whole array."


def test_what_is_no_notebook_gets_a_reason(container: Path) -> None:
    (container / "submission" / "essay.txt").write_text("Dear grader", encoding="utf-8")
    assert "there is no small.ipynb among the files" in str(run_autograder(container)["output"])


def test_the_zip_is_the_same_whenever_it_is_written(course: Path, container: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    assert main(["gradescope", UNIT, "--course", str(course), "--seed", "5", "--output", str(again)]) == 0
    assert again.read_bytes() == (tmp_path / "upload.zip").read_bytes()
    with zipfile.ZipFile(again) as archive:
        assert [entry.filename for entry in archive.infolist() if entry.external_attr >> 16 & 0o100] == [
            "setup.sh",
            "run_autograder",
        ]
