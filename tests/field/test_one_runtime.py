"""Notebook, `check`, `preflight`, `grade` and nbgrader's own command tell the same of the same notebook."""

import shutil
import sys
from pathlib import Path

import pytest

from autograder.observing.sandbox.isolation import available

from .callers import Answers, Told, by_check, by_grade, by_nbgrader, by_preflight
from .conftest import Solved
from .kernels import Kernels
from .odd_notebooks import AS_PYTHON, ATTENTION, NOTEBOOKS, POINTS, POSITIONS, WORN, Notebook, Odd, notebook_name

isolated = pytest.mark.skipif(
    sys.platform != "linux" or not available().enough, reason="submissions cannot be isolated here"
)
BY_NBGRADER = ("worn-cells", "worn-answers")


@pytest.fixture(scope="module")
def course(two_units: Path, solved: Solved, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every odd notebook handed in, each by a student of its name."""
    made = Path(shutil.copytree(two_units, tmp_path_factory.mktemp("odd") / "course"))
    for name, odd in NOTEBOOKS.items():
        path = odd_notebook(odd, solved).save(handed_in(made, name))
        for beside, text in odd.beside.items():
            (path.parent / beside).write_text(text, encoding="utf-8")
    return made


def odd_notebook(odd: Odd, solved: Solved) -> Notebook:
    notebook = solved(odd.unit)
    odd.change(notebook)
    return notebook


def handed_in(course: Path, name: str) -> Path:
    unit = NOTEBOOKS[name].unit
    return course / "submitted" / name / unit / notebook_name(unit)


@pytest.fixture(scope="module")
def graded(course: Path) -> dict[str, Answers]:
    return by_grade(course)


@pytest.fixture(scope="module")
def checked(course: Path) -> dict[str, Answers]:
    found: dict[str, Answers] = {}
    for unit in (ATTENTION, POSITIONS):
        files = [handed_in(course, name) for name, odd in NOTEBOOKS.items() if odd.unit == unit]
        found |= {file.parents[1].name: answers for file, answers in by_check(course, unit, files).items()}
    return found


@isolated
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_grade_gives_an_odd_notebook_its_points_and_names_the_first_error(
    name: str, graded: dict[str, Answers]
) -> None:
    as_expected(NOTEBOOKS[name], graded[name])


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_check_tells_the_same_of_an_odd_notebook(name: str, checked: dict[str, Answers]) -> None:
    as_expected(NOTEBOOKS[name], checked[name])


@pytest.mark.parametrize("name", WORN)
def test_the_check_cells_of_a_worn_notebook_tell_the_same(
    name: str, course: Path, solved: Solved, kernels: Kernels, graded: dict[str, Answers], tmp_path: Path
) -> None:
    odd = NOTEBOOKS[name]
    folder = Path(shutil.copytree(course / "notebooks" / odd.unit, tmp_path / odd.unit))
    for beside, text in odd.beside.items():
        (folder / beside).write_text(text, encoding="utf-8")
    with kernels.kernel(folder) as kernel:
        found = kernel.run_notebook(odd_notebook(odd, solved).cells)
    as_expected(odd, found)
    the_same(found, graded[name])


@pytest.mark.parametrize("name", [*WORN, "quit"])
def test_preflight_tells_of_a_worn_notebook_what_its_grade_will_be(
    name: str, course: Path, graded: dict[str, Answers]
) -> None:
    odd = NOTEBOOKS[name]
    found = by_preflight(course, odd.unit, handed_in(course, name))
    as_expected(odd, found)
    the_same(found, graded[name])


@isolated
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_grade_and_check_use_the_same_words(name: str, graded: dict[str, Answers], checked: dict[str, Answers]) -> None:
    the_same(checked[name], graded[name])


@pytest.fixture(scope="module")
def by_stock(course: Path, graded: dict[str, Answers], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answers]:
    """The graded course, two of its notebooks graded again by nbgrader's command."""
    copied = Path(shutil.copytree(course, tmp_path_factory.mktemp("stock") / "course"))
    for name in NOTEBOOKS:
        shutil.rmtree(copied / "autograded" / name)
        if name not in BY_NBGRADER:
            shutil.rmtree(copied / "submitted" / name)
    return by_nbgrader(copied, ATTENTION)


@isolated
@pytest.mark.parametrize("name", BY_NBGRADER)
def test_nbgraders_own_autograde_tells_the_same(
    name: str, by_stock: dict[str, Answers], graded: dict[str, Answers]
) -> None:
    as_expected(NOTEBOOKS[name], by_stock[name])
    the_same(by_stock[name], graded[name])


@isolated
@pytest.mark.parametrize("name", [name for name, odd in NOTEBOOKS.items() if odd.told])
def test_what_was_found_changed_is_told(name: str, graded: dict[str, Answers]) -> None:
    notes = " ".join(told.notes for told in graded[name].values())
    for words in NOTEBOOKS[name].told:
        assert any(word.lower() in notes.lower() for word in words.split("|")), (words, notes)


@pytest.mark.parametrize("name", ["grad-mode-off", "numpy-raises"])
def test_a_notebook_tells_it_at_each_check_and_changes_nothing_of_the_learners(
    name: str, course: Path, solved: Solved, kernels: Kernels, tmp_path: Path
) -> None:
    odd = NOTEBOOKS[name]
    folder = Path(shutil.copytree(course / "notebooks" / odd.unit, tmp_path / odd.unit))
    with kernels.kernel(folder) as kernel:
        found = kernel.run_notebook(odd_notebook(odd, solved).cells)
        mode = "torch.is_grad_enabled()" if odd.unit == POSITIONS else 'np.geterr()["under"]'
        (after,) = kernel.run(mode)
    for words in odd.told:
        assert all(any(word.lower() in told.notes.lower() for word in words.split("|")) for told in found.values())
    assert after["data"]["text/plain"] == ("False" if odd.unit == POSITIONS else "'raise'")


@pytest.fixture(scope="module")
def as_python(course: Path, solved: Solved) -> dict[str, Answers]:
    """The same answers as Python files."""
    files = [
        odd_notebook(NOTEBOOKS[name], solved).save_as_python(course / "python" / f"{name}.py") for name in AS_PYTHON
    ]
    return {file.stem: answers for file, answers in by_check(course, ATTENTION, files).items()}


@pytest.mark.parametrize("name", AS_PYTHON)
def test_a_python_file_with_the_same_answers_is_told_the_same(
    name: str, as_python: dict[str, Answers], checked: dict[str, Answers]
) -> None:
    as_expected(NOTEBOOKS[name], as_python[name])
    the_same(
        {exercise: told.without_lines() for exercise, told in as_python[name].items()},
        {exercise: told.without_lines() for exercise, told in checked[name].items()},
    )


def as_expected(odd: Odd, found: Answers) -> None:
    """Each exercise's points, and the words of each sentence that is told."""
    assert list(found) == list(POINTS[odd.unit])
    wrong = {name: told for name, told in found.items() if told.points not in (odd.points()[name], None)}
    assert wrong == {}
    for name, told in found.items():
        if name not in odd.loses:
            assert told.says == "", (name, told)
        for words in odd.loses.get(name, ()):
            says = told.says if told.says is not None else words
            assert any(word.lower() in says.lower() for word in words.split("|")), (name, words, told)


def the_same(found: Answers, other: Answers) -> None:
    assert list(found) == list(other)
    different: dict[str, tuple[Told, Told]] = {
        name: (told, other[name]) for name, told in found.items() if not told.like(other[name])
    }
    assert different == {}
