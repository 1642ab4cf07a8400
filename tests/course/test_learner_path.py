"""From empty to a translating package: a learner pastes the solutions, unit by unit, and is graded. Every other notebook
is Chinese, and nothing but the language of what is said differs.

Nothing is trained here. That the course's own training run makes weights which pass, the solved notebook of unit 10
shows in `test_notebooks.py`; the weights that it made when the course was built are those that this learner hands in.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder import library
from autograder.__main__ import main
from autograder.authoring.parse import Lesson, kept_file, parse_lesson, unit_stem, units
from autograder.formats.course import KEEP_NOTHING
from autograder.notebook import my_transformer
from autograder.observing.sandbox.isolation import available

from .learner import language_of, pasted

COURSE = Path(__file__).resolve().parents[2]
UNITS = tuple(
    unit
    for unit in units(COURSE / "solutions")
    if all((COURSE / folder / unit / f"{unit_stem(unit)}.ipynb").is_file() for folder in ("solutions", "notebooks"))
)
LESSONS: dict[str, Lesson] = {
    unit: parse_lesson(COURSE / "solutions" / unit / f"{unit_stem(unit)}.py") for unit in UNITS
}
WEIGHTS = {unit: {name for exercise in LESSONS[unit].exercises for name in exercise.files} for unit in UNITS}
TRAINED = "10_training"
pytestmark = [
    pytest.mark.xdist_group("learner path"),
    pytest.mark.skipif(sys.platform != "linux" or not available().enough, reason="submissions cannot be isolated here"),
]
ENVIRONMENT = {
    **{k: v for k, v in os.environ.items() if k != KEEP_NOTHING},
    "PYTHONPATH": str(COURSE),
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the course in which nobody has done anything yet."""
    root = tmp_path_factory.mktemp("path") / "course"
    for folder in ("solutions", "notebooks"):
        shutil.copytree(
            COURSE / folder, root / folder, ignore=shutil.ignore_patterns(my_transformer.PACKAGE, ".ipynb_checkpoints")
        )
    shutil.copy(COURSE / "nbgrader_config.py", root)
    for unit, names in WEIGHTS.items():
        for name in names:
            shutil.copy(kept_file(LESSONS[unit], name), root / "notebooks" / unit / name)
    return root


@pytest.fixture(scope="module")
def played(course: Path) -> dict[str, dict[str, Any]]:
    """What each check said to the learner, by unit."""
    learner = [sys.executable, str(Path(__file__).with_name("learner.py")), str(course), *UNITS]
    done = subprocess.run(learner, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return {found["unit"]: found for found in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("unit", UNITS)
def test_every_check_of_the_unit_passes_and_is_kept(unit: str, course: Path, played: dict[str, dict[str, Any]]) -> None:
    exercises = LESSONS[unit].exercises
    assert played[unit]["earned"] == {exercise.name: exercise.visible_points for exercise in exercises}
    assert played[unit]["notes"] == []
    assert played[unit]["spoken"] == [language_of(unit) or "en"]
    package = course / "notebooks" / my_transformer.PACKAGE
    names = [f"{exercise.name}.py" for exercise in exercises] + sorted(WEIGHTS[unit])
    assert [name for name in names if not (package / name).is_file()] == []


@pytest.mark.skipif(TRAINED not in UNITS, reason="unit 10 is not built")
def test_the_package_translates(course: Path, played: dict[str, dict[str, Any]]) -> None:
    texts = {
        "三百二十五": "three hundred twenty five",
        "二〇二六年十一月二十日": "20 november 2026",
        "机器学习": "machine learning",
    }
    done = subprocess.run(
        [sys.executable, "-m", my_transformer.PACKAGE, *texts], cwd=course / "notebooks", capture_output=True, text=True,
        env={**ENVIRONMENT, "PYTHONIOENCODING": "utf-8"}, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == list(texts.values())


@pytest.mark.skipif(TRAINED not in UNITS, reason="unit 10 is not built")
def test_what_translates_is_the_learners_own_down_to_the_last_part(
    course: Path, played: dict[str, dict[str, Any]]
) -> None:
    package = course / "notebooks" / my_transformer.PACKAGE
    for name in ("Transformer", "Encoder", "Decoder", "MultiHeadAttention"):
        text = (package / f"{name}.py").read_text(encoding="utf-8")
        assert f"class {name}" in text
        assert "autograder.library" not in text
    assert "Encoder" in my_transformer.uses((package / "Transformer.py").read_text(encoding="utf-8"))
    assert set(my_transformer.uses((package / "Transformer.py").read_text(encoding="utf-8"))) <= set(
        library.exercise_names()
    )


def test_the_gradebook_is_full(course: Path, played: dict[str, dict[str, Any]]) -> None:
    for unit in UNITS:
        folder = course / "submitted" / "learner" / unit
        folder.mkdir(parents=True)
        nbformat.write(pasted(course, unit, language_of(unit)), folder / f"{unit_stem(unit)}.ipynb")
        for name in WEIGHTS[unit]:
            shutil.copy(course / "notebooks" / unit / name, folder)
    assert main(["grade", "--course", str(course), "--workers", "1", "--seed", "7"]) == 0
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        scores = {s.assignment.name: s.score for unit in UNITS for s in book.assignment_submissions(unit)}
    pages = {
        unit: (course / "feedback" / "learner" / unit / f"{unit_stem(unit)}.html").read_text("utf-8") for unit in UNITS
    }
    assert {unit: "检查得分" in page for unit, page in pages.items()} == {
        unit: int(unit[:2]) % 2 == 1 for unit in UNITS
    }
    # Written answers are for a person to grade.
    assert scores == {unit: sum(exercise.points for exercise in LESSONS[unit].exercises) for unit in UNITS}
