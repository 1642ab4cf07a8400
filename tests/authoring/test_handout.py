"""What `release` writes: a folder that a learner can work in, and nothing that tells an answer."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autograder.__main__ import main
from autograder.authoring.derived_cells import without_solution_links
from autograder.authoring.handout import handout
from autograder.authoring.parse import LessonError, unit_stem, units
from autograder.formats.course import course_map

COURSE = Path(__file__).resolve().parents[2]
UNITS = units(COURSE / "solutions")
UNIT = "02_attention_scores"


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("handout") / "course.zip"
    handout(COURSE, UNITS, target)
    return target


def test_two_handouts_are_the_same_byte_by_byte(packed: Path, tmp_path: Path) -> None:
    handout(COURSE, UNITS, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_no_lesson_and_no_solved_notebook_is_in_it(packed: Path) -> None:
    names = zipfile.ZipFile(packed).namelist()
    assert not [name for name in names if name.startswith(("solutions", "notebooks/my_transformer"))]
    notebooks = [name for name in names if name.endswith(f"/{unit_stem(UNIT)}.ipynb")]
    assert notebooks == [f"notebooks/{UNIT}/{unit_stem(UNIT)}.ipynb", f"notebooks/zh/{UNIT}/{unit_stem(UNIT)}.ipynb"]


def test_its_notebooks_are_the_released_ones_in_which_tests_find_no_solution(packed: Path) -> None:
    archive = zipfile.ZipFile(packed)
    for name in (name for name in archive.namelist() if name.startswith("notebooks/")):
        released = (COURSE / name).read_bytes()
        if name.endswith(".ipynb"):
            released = without_solution_links(released.decode()).encode()
            assert b"../solutions/" not in released, name
        assert archive.read(name) == released, name


def test_some_units_come_with_a_map_of_these_alone(tmp_path: Path) -> None:
    handout(COURSE, ["02_attention_scores", "03_self_attention"], tmp_path / "some.zip")
    zipfile.ZipFile(tmp_path / "some.zip").extractall(tmp_path)
    assert [entry.unit for entry in course_map(tmp_path / "notebooks")] == ["02_attention_scores", "03_self_attention"]


def test_a_learner_who_unpacks_it_can_check_their_work_and_ask_for_no_hidden_case(packed: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(packed).extractall(tmp_path)
    notebook = f"notebooks/{UNIT}/{unit_stem(UNIT)}.ipynb"
    checked = command(tmp_path, "check", "02", notebook)
    assert checked.returncode == 1
    assert "`softmax` is not written yet" in checked.stdout
    hidden = command(tmp_path, "check", "02", notebook, "--hidden")
    assert (hidden.returncode, hidden.stdout) == (2, "")
    assert hidden.stderr.count("\n") == 1 and "leave --hidden out" in hidden.stderr
    build = command(tmp_path, "build", "02")
    assert build.returncode == 2 and "holds no lessons" in build.stderr


def command(course: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(course)}
    return subprocess.run(
        [sys.executable, "-m", "autograder", *words], cwd=course, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize(("language", "folder"), [("en", "notebooks"), ("zh", "notebooks/zh")])
def test_one_unit_alone_holds_its_notebook_and_cases(tmp_path: Path, language: str, folder: str) -> None:
    words = ["release", "02", "--notebooks-only", "--language", language]
    assert main([*words, "--output", str(tmp_path / "unit.zip"), "--course", str(COURSE)]) == 0
    assert set(zipfile.ZipFile(tmp_path / "unit.zip").namelist()) == {
        f"{folder}/{UNIT}/{unit_stem(UNIT)}.ipynb",
        f"notebooks/{UNIT}/cases.npz",
    }


def test_a_release_in_one_language_has_a_map_without_the_way_to_the_other(tmp_path: Path) -> None:
    handout(COURSE, ["02_attention_scores"], tmp_path / "zh.zip", languages=["zh"])
    archive = zipfile.ZipFile(tmp_path / "zh.zip")
    assert "notebooks/start.ipynb" not in archive.namelist()
    assert "English" not in archive.read("notebooks/zh/start.ipynb").decode()
    assert not [name for name in archive.namelist() if name.endswith(".po")]


def test_a_language_that_the_course_has_not_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", "--language", "fr", "--output", str(tmp_path / "x.zip"), "--course", str(COURSE)]) == 2
    assert "its languages are: en, zh." in capsys.readouterr().err


def test_a_unit_that_was_not_built_is_named_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(LessonError, match="python -m autograder build 99_nothing"):
        handout(tmp_path, ["99_nothing"], tmp_path / "course.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", "02", "--output", str(tmp_path / "no folder" / "x.zip"), "--course", str(COURSE)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "--output FILE" in error
