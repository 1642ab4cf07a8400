"""A course of one small unit for the grader's tests: two functions of NumPy, one of PyTorch, one written answer.

Made here, so that no change of a lesson changes what these tests mean.
"""

import atexit
import functools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from autograder.authoring.build import visible_cases
from autograder.authoring.notebook import notebook_text, release, solved_notebook
from autograder.authoring.parse import Lesson, parse_lesson
from autograder.formats.cases import CASES_FILE, save_cases
from tests.authoring.writing import write_lesson

UNIT = "90_small"
NAME = "small"
REPOSITORY = Path(__file__).resolve().parents[2]
POINTS = {"centre": (3.0, 2.0), "softmax": (3.0, 2.0), "attend": (6.0, 4.0)}
"""Points of each exercise: on visible cases, on hidden ones."""
FULL = 20.0
ANSWER_POINTS = 2.0

LESSON = '''\
# %% [markdown]
# # 90 · A small unit

# %% part="setup"
import numpy as np
import torch

from autograder import begin, check, finite, hint, keeps_inputs, matches, right_shape

begin("90_small")

# %% part="demo"
raise SystemExit("an experiment is not run while grading")

# %% [markdown] exercise="centre" part="prompt" points=5 difficulty=1 minutes=5 time_limit=5
# ### Exercise 1: centre

# %% exercise="centre" part="solution"
def centre(x):
    """x minus its mean along the last axis; like x."""
    ### BEGIN SOLUTION
    return x - np.mean(x, axis=-1, keepdims=True)
    ### END SOLUTION

# %% exercise="centre" part="check"
check(centre, keeps_inputs, right_shape, matches)

# %% [markdown] exercise="centre" part="hints"
# - keepdims

# %% exercise="centre" part="variants"
@cases(dict(n=5))
def row(rng, n):
    """{n} numbers"""
    return dict(x=rng.normal(size=n))

@cases(dict(rows=4, columns=6))
def table(rng, rows, columns):
    """a table of {rows} rows and {columns} columns"""
    return dict(x=rng.normal(size=(rows, columns)))

wrong("whole-mean", ("np.mean(x, axis=-1, keepdims=True)", "np.mean(x)"), says="you subtract the mean of the whole array.")
wrong("first-axis", ("np.mean(x, axis=-1, keepdims=True)", "np.mean(x, axis=0)"), says="you subtract the mean along axis 0.")

@truth
def by_loop(x):
    rows = x.reshape(-1, x.shape[-1])
    return np.stack([row - sum(row) / len(row) for row in rows]).reshape(x.shape)

# %% [markdown] exercise="softmax" part="prompt" points=5 difficulty=2 minutes=5 forbids="softmax" time_limit=5
# ### Exercise 2: softmax

# %% exercise="softmax" part="solution"
def softmax(x):
    """Weights along the last axis; like x."""
    ### BEGIN SOLUTION
    exponentials = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return exponentials / np.sum(exponentials, axis=-1, keepdims=True)
    ### END SOLUTION

# %% exercise="softmax" part="check"
check(softmax, keeps_inputs, right_shape, finite, matches)

# %% [markdown] exercise="softmax" part="hints"
# - exp

# %% exercise="softmax" part="variants"
@cases(dict(rows=4, columns=6), dict(rows=7, columns=3))
def table(rng, rows, columns):
    """a table of {rows} rows and {columns} columns"""
    return dict(x=2 * rng.normal(size=(rows, columns)))

@cases()
def far_apart(rng):
    """scores more than 709 apart"""
    return dict(x=np.array([2000.0, 0.0, 0.0]))

wrong("not-normalised", (" / np.sum(exponentials, axis=-1, keepdims=True)", ""), says="divide by the sum.")

@truth
def by_torch(x):
    return torch.softmax(torch.from_numpy(x), -1).numpy()

# %% [markdown] exercise="attend" part="prompt" points=10 difficulty=3 minutes=5 forbids="scaled_dot_product_attention" time_limit=5
# ### Exercise 3: attend

# %% exercise="attend" part="solution"
def attend(query, key, value):
    """Scaled dot-product attention on tensors (seq, d)."""
    ### BEGIN SOLUTION
    weights = torch.softmax(query @ key.T / key.shape[-1] ** 0.5, dim=-1)
    return weights @ value
    ### END SOLUTION

# %% exercise="attend" part="check"
check(attend, keeps_inputs, right_shape, finite, matches)

# %% [markdown] exercise="attend" part="hints"
# - softmax

# %% exercise="attend" part="variants"
@cases(dict(q=5, k=7, d=4, v=6), dict(q=3, k=4, d=5, v=2))
def sizes(rng, q, k, d, v):
    """{q} queries, {k} keys of {d} numbers, values of {v}"""
    draw = lambda *shape: torch.from_numpy(rng.normal(size=shape)).float()
    return dict(query=draw(q, d), key=draw(k, d), value=draw(k, v))

wrong("no-scale", (" / key.shape[-1] ** 0.5", ""), says="the scores are not divided by the square root of d.")

@truth
def by_library(query, key, value):
    return torch.nn.functional.scaled_dot_product_attention(query[None], key[None], value[None])[0]

# %% [markdown] part="question"
# ### In your own words: why divide?

# %% [markdown] part="answer" id="why" points=2
# YOUR ANSWER HERE
'''


def write_small_course(course: Path) -> Path:
    """A course root as the build leaves it: lesson, solved notebook, cases, released notebook, configuration.

    It is built once in a run of the tests, and copied.
    """
    return Path(shutil.copytree(_built_course(), course, dirs_exist_ok=True))


@functools.cache
def _built_course() -> Path:
    course = Path(tempfile.mkdtemp(prefix="small-course-"))
    atexit.register(shutil.rmtree, course, ignore_errors=True)
    source = course / "solutions" / UNIT
    source.mkdir(parents=True)
    shutil.copy(REPOSITORY / "nbgrader_config.py", course)
    write_lesson(source / f"{NAME}.py", LESSON)
    lesson = lesson_of(course)
    save_cases(visible_cases(lesson), source / CASES_FILE)
    solved = solved_notebook(lesson)
    (source / f"{NAME}.ipynb").write_text(notebook_text(solved), encoding="utf-8")
    learner = course / "notebooks" / UNIT
    learner.mkdir(parents=True)
    (learner / f"{NAME}.ipynb").write_text(release(course, lesson, solved, source / CASES_FILE), encoding="utf-8")
    shutil.copy(source / CASES_FILE, learner)
    return course


def lesson_of(course: Path) -> Lesson:
    return parse_lesson(course / "solutions" / UNIT / f"{NAME}.py")


class Submission:
    """One learner's notebook in the making: begins as released, or solved."""

    def __init__(self, course: Path, *, solved: bool = False) -> None:
        text = (course / "notebooks" / UNIT / f"{NAME}.ipynb").read_text(encoding="utf-8")
        self.notebook: dict[str, Any] = json.loads(json.dumps(nbformat.reads(text, as_version=4)))
        if solved:
            for exercise in lesson_of(course).exercises:
                self.write(exercise.name, exercise.solution)

    @property
    def cells(self) -> list[dict[str, Any]]:
        return self.notebook["cells"]  # type: ignore[no-any-return]

    def cell(self, grade_id: str) -> dict[str, Any]:
        return next(cell for cell in self.cells if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)

    def index(self, grade_id: str) -> int:
        return self.cells.index(self.cell(grade_id))

    def write(self, grade_id: str, source: str) -> "Submission":
        self.cell(grade_id)["source"] = source
        return self

    def own_first(self, source: str) -> "Submission":
        """A cell of the learner's own, before all others."""
        self.cells.insert(0, own_cell(source))
        return self

    def own_before(self, grade_id: str, source: str) -> "Submission":
        self.cells.insert(self.index(grade_id), own_cell(source))
        return self

    def own_last(self, source: str) -> "Submission":
        self.cells.append(own_cell(source))
        return self

    def text(self) -> str:
        return json.dumps(self.notebook)

    def hand_in(self, course: Path, student: str, name: str = f"{NAME}.ipynb") -> Path:
        folder = submitted_folder(course, student)
        (folder / name).write_text(self.text(), encoding="utf-8")
        (folder / "timestamp.txt").write_text("2026-11-20 18:00:00 UTC", encoding="utf-8")
        return folder


def own_cell(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}


def submitted_folder(course: Path, student: str) -> Path:
    folder = course / "submitted" / student / UNIT
    folder.mkdir(parents=True, exist_ok=True)
    return folder
