"""A unit begins by one command, and is built and verified at once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.__main__ import main
from autograder.authoring.parse import parse_lesson

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    shutil.copy(REPOSITORY / "nbgrader_config.py", tmp_path)
    (tmp_path / "solutions").mkdir()
    return tmp_path


@pytest.mark.quick
def test_two_files_are_written_that_are_a_lesson(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-unit", "5", "small_steps", "--title", "Small steps: one at a time", "--course", str(course)]) == 0
    lesson = parse_lesson(course / "solutions" / "05_small_steps" / "small_steps.py")
    assert lesson.title == "05 · Small steps: one at a time"
    assert [exercise.name for exercise in lesson.exercises] == ["small_steps_example"]
    assert "my_topic" not in lesson.path.read_text(encoding="utf-8")
    assert "python -m autograder build 05" in capsys.readouterr().out


@pytest.mark.quick
@pytest.mark.parametrize(
    ("number", "name", "told"),
    [
        ("5", "another", "there is 05_small_steps already"),
        ("17", "small_steps", "there is 05_small_steps already"),
        ("17", "My-Topic", "17 My-Topic is not a unit's name: write two digits and a name of small letters"),
        ("17", "2nd", "17 2nd is not a unit's name"),
        ("170", "topic", "170 topic is not a unit's name"),
        ("x", "topic", "x topic is not a unit's name"),
        ("17", "../out", "17 ../out is not a unit's name"),
    ],
)
def test_a_number_that_is_taken_and_a_bad_name_are_refused_in_one_line(
    course: Path, capsys: pytest.CaptureFixture[str], number: str, name: str, told: str
) -> None:
    main(["new-unit", "05", "small_steps", "--course", str(course)])
    before = {path: path.read_bytes() for path in course.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(["new-unit", number, name, "--course", str(course)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert {path: path.read_bytes() for path in course.rglob("*") if path.is_file()} == before


COMMANDS = """
import shutil
from autograder.__main__ import main

def run(*words):
    print("$", *words, flush=True)
    assert main(words) == 0

run("new-unit", "17", "my_topic")
run("build", "17")
run("verify", "17", "--seeds", "1")
run("verify", "17", "--seeds", "1")
shutil.rmtree(".known_mistakes")
run("verify", "17", "--seeds", "1")
"""


def test_a_new_unit_builds_and_verifies_as_it_stands_and_verify_computes_nothing_twice(course: Path) -> None:
    shutil.copytree(REPOSITORY / "autograder", course / "autograder", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS], cwd=course, env={**os.environ, "PYTHONPATH": str(course)}, capture_output=True, text=True
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    _, _, built, first, again, anew = done.stdout.split("$ ")
    assert "before it is shared" not in built
    assert (course / "notebooks" / "17_my_topic" / "my_topic.ipynb").is_file()
    assert "1 sets of cases were examined now; 1 were found in order before" in first
    assert "0 sets of cases were examined now; 2 were found" in again
    assert "All of it was examined now." in anew
