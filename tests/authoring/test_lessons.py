"""A lesson that cannot work is refused, with file, exercise and cure."""

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.authoring.build import visible_cases
from autograder.authoring.hidden import hidden_cases
from autograder.authoring.notebook import notebook_text, solved_notebook, starter_source
from autograder.authoring.parse import Lesson, LessonError, parse_lesson
from autograder.authoring.workbench import draw_cases, open_workbench
from autograder.judging.compare import same_observation
from tests.authoring.writing import write_lesson

pytestmark = pytest.mark.quick

LESSON = '''
# %% [markdown]
# # 97 · Made up

# %% part="setup"
import numpy as np
from autograder import begin, check, keeps_inputs, matches

# %% [markdown] exercise="double" part="prompt" points=5 difficulty=1 minutes=5
# Double it.

# %% exercise="double" part="solution"
def double(x: np.ndarray) -> np.ndarray:
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% exercise="double" part="check"
check(double, keeps_inputs, matches)

# %% [markdown] exercise="double" part="hints"
# - Add x to itself.

# %% exercise="double" part="variants"
@cases(dict(n=3), dict(n=5))
def numbers(rng, n):
    """{n} numbers"""
    return dict(x=rng.normal(size=n))

wrong("squares", ("2 * x", "x ** 2"), says="your output is the square of x.")

@right
def added(x):
    return x + x

@truth
def by_list(x):
    return np.array([value + value for value in x])
'''


def lesson(folder: Path, *edits: tuple[str, str]) -> Lesson:
    text = LESSON
    for old, new in edits:
        assert text.count(old) >= 1, old
        text = text.replace(old, new)
    path = folder / "solutions" / "97_made_up" / "made_up.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_lesson(path, text)
    return parse_lesson(path)


def test_a_good_lesson_gives_its_cases(tmp_path: Path) -> None:
    (exercise,) = visible_cases(lesson(tmp_path)).exercises
    assert (exercise.name, exercise.points, exercise.points_elsewhere) == ("double", 3.0, 2.0)
    assert [call.label for call in exercise.plan.values()] == ["3 numbers", "5 numbers"]
    assert exercise.hints == ("Add x to itself.",)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (('part="hints"', 'part="hint"'), "unknown part 'hint'"),
        (("# - Add x to itself.", "#"), "its hints is missing or empty"),
        (("# - Add x to itself.", "# Add x to itself."), "its hints are empty"),
        ((" points=5", ""), "its prompt has no points"),
        (('("2 * x", "x ** 2")', '("3 * x", "x ** 2")'), "matches 0 times in the solution, not once"),
        (('("2 * x", "x ** 2")', '("n", "y")'), "times in the solution, not once"),
        (('("2 * x", "x ** 2")', '("2 * x", "x * 2")'), "variant 'squares' cannot be told from the solution"),
        (('says="your output is the square of x."', 'says=" "'), "variant 'squares' says nothing"),
        (("    return x + x", "    return x + x + 1"), "the right alternative added fails"),
        (("value + value for", "value * 3 for"), "the truth by_list disagrees with the solution"),
        (("@truth\n", ""), "no independent truth"),
        (("check(double, keeps_inputs, matches)\n", "check(doble, matches)\n"), "checks something else or nothing"),
        (("check(double, keeps_inputs, matches)\n", "check(double, nonsense)\n"), "nonsense"),
        (("check(double, keeps_inputs, matches)\n", "print(1)\n"), "its check cell is not a check"),
        (('"""{n} numbers"""', "pass"), "has no docstring"),
        (("@cases(dict(n=3), dict(n=5))", ""), "no cases"),
        (("# # 97 · Made up", "# Made up"), "no title"),
        (("def double(x: np", "def other(x: np"), "its solution defines no function or class double"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, edit: tuple[str, str], words: str) -> None:
    with pytest.raises(LessonError) as caught:
        visible_cases(lesson(tmp_path, edit))
    assert words in str(caught.value)
    assert "made_up" in str(caught.value)


def test_two_exercises_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LessonError, match="appears twice"):
        again = '# %% [markdown] exercise="double" part="prompt" points=5 difficulty=1 minutes=5\n# Again.\n\n'
        lesson(tmp_path, ('# %% exercise="double" part="solution"', again + '# %% exercise="double" part="solution"'))


def test_variants_that_look_alike_must_share_a_sentence(tmp_path: Path) -> None:
    twin = 'wrong("power", ("2 * x", "x * x"), says="{}")\n\n@right'
    with pytest.raises(LessonError, match="give the same outputs"):
        visible_cases(lesson(tmp_path, ("@right", twin.format("your output is a power."))))
    assert visible_cases(lesson(tmp_path, ("@right", twin.format("your output is the square of x."))))


def test_a_starter_that_passes_is_refused(tmp_path: Path) -> None:
    lazy = ("    ### BEGIN SOLUTION\n    return 2 * x", "    return 2 * x\n    ### BEGIN SOLUTION\n    pass")
    with pytest.raises(LessonError, match="its starter passes"):
        visible_cases(lesson(tmp_path, lazy))


def test_the_starter_holds_nothing_of_the_solution(tmp_path: Path) -> None:
    starter = starter_source(lesson(tmp_path).exercises[0])
    assert "raise NotImplementedError" in starter
    assert "2 * x" not in starter


@pytest.mark.parametrize(
    "solution",
    [
        "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION",
        "def double(x):\n    y = 1\n\n    ### BEGIN SOLUTION\n    y = x\n\n    ### END SOLUTION\n    return y",
        "class double:\n\t# BEGIN SOLUTION\n\ta = 1\n\t# END SOLUTION\n\tdef b(self):\n\t\t### BEGIN SOLUTION\n\t\t### END SOLUTION",
        "def double(x):\n    return 2 * x",
    ],
)
def test_the_starter_is_what_nbgrader_makes_of_the_solution(tmp_path: Path, solution: str) -> None:
    from nbformat.v4 import new_code_cell
    from nbgrader.preprocessors import ClearSolutions

    marks = {"nbgrader": {"solution": True, "grade": False, "locked": False, "grade_id": "double"}}
    cleared, _ = ClearSolutions().preprocess_cell(new_code_cell(solution, metadata=marks), {"language": "python"}, 0)
    assert starter_source(replace(lesson(tmp_path).exercises[0], solution=solution)) == cleared.source


def test_a_solution_without_an_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LessonError, match="needs one ### END SOLUTION after it"):
        visible_cases(lesson(tmp_path, ("    ### END SOLUTION\n", "")))


def test_hidden_cases_differ_with_the_seed_and_are_the_same_for_one_seed(tmp_path: Path) -> None:
    course = lesson(tmp_path).path.parents[2]
    one, same, other = (hidden_cases(course, "97_made_up", seed).exercises[0] for seed in (1, 1, 2))
    assert repr(one.plan) == repr(same.plan)
    assert repr(one.plan) != repr(other.plan)
    assert one.hidden
    assert (one.points, one.points_elsewhere) == (2.0, 3.0)


def test_hidden_cases_are_not_the_visible_ones(tmp_path: Path) -> None:
    (piece,) = open_workbench(lesson(tmp_path))
    visible, hidden = draw_cases(piece), draw_cases(piece, seed=0)
    assert repr(visible.plan) != repr(hidden.plan)


SHARED = '''
# %% part="variants"
def tensor_of(rng, n):
    return floats(rng, n, scale=2.0).numpy()

# %% [markdown] exercise="double" part="prompt"'''


def test_a_variants_cell_of_no_exercise_is_shared_by_all(tmp_path: Path) -> None:
    prompt = ('\n# %% [markdown] exercise="double" part="prompt"', SHARED)
    unit = visible_cases(lesson(tmp_path, prompt, ("x=rng.normal(size=n)", "x=tensor_of(rng, n)")))
    (exercise,) = unit.exercises
    assert [call.given["x"].dtype for call in exercise.plan.values()] == ["float32", "float32"]
    assert not any("tensor_of" in cell["source"] for cell in unit.code_cells)


def test_what_stands_above_the_first_cell_of_the_checks_is_no_cell_of_the_notebook(tmp_path: Path) -> None:
    written = lesson(tmp_path)
    checks = written.path.with_name("checks.py")
    shared = '# %% part="variants"\ndef nothing():\n    pass\n\n'
    checks.write_text(f'"""What the checks know."""\n\n{shared}{checks.read_text("utf-8")}', encoding="utf-8")
    assert parse_lesson(written.path).cells[: len(written.cells) - 1] == written.cells[:-1]


MANY = '''
def does(factor):
    if factor == 7:
        raise ValueError("too much work")
    return factor

for factor in (1, 3, 1, *more):
    if first_time(does, factor):
        wrong(f"times-{factor}", ("2 * x", f"{factor} * x"), says=f"your output is {factor} times x.")

wrong("squares"'''


def test_mistakes_that_come_to_the_same_can_be_left_out(tmp_path: Path) -> None:
    (piece,) = open_workbench(lesson(tmp_path, ('\nwrong("squares"', MANY.replace("*more", ""))))
    assert [wrong.name for wrong in piece.wrongs] == ["times-1", "times-3", "squares"]


def test_for_cases_alone_mistakes_that_take_work_are_not_made(tmp_path: Path) -> None:
    (piece,) = open_workbench(lesson(tmp_path, ('\nwrong("squares"', MANY.replace("*more", "7"))), cases_alone=True)
    assert [wrong.name for wrong in piece.wrongs] == ["squares"]


def test_nothing_that_an_author_keeps_back_is_in_the_notebook(tmp_path: Path) -> None:
    text = notebook_text(solved_notebook(lesson(tmp_path)))
    assert "squares" not in text
    assert "Add x to itself" not in text
    assert "by_list" not in text


def test_a_rebuild_gives_the_same_notebook(tmp_path: Path) -> None:
    one, two = (notebook_text(solved_notebook(lesson(tmp_path))) for _ in range(2))
    assert one == two


def test_known_mistakes_on_hidden_cases_are_drawn_when_looked_at_and_travel_without_the_course(tmp_path: Path) -> None:
    made = lesson(tmp_path)
    (cases,) = hidden_cases(tmp_path, "97_made_up", 1).exercises
    sent = pickle.loads(pickle.dumps(cases))
    shutil.rmtree(tmp_path / "solutions")
    drawn, *_ = sent.variants
    (piece,) = open_workbench(made)
    assert (drawn.name, drawn.says) == ("squares", "your output is the square of x.")
    assert list(drawn.seen) == list(draw_cases(piece, seed=1).plan)
    assert all(
        same_observation(drawn.seen[key], seen, cases.tolerance)
        for key, seen in draw_cases(piece, seed=1).variants[0].seen.items()
    )
