"""A file of weights beside the notebook: read where it is a plain one of bounded size, and no harm where it is not."""

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import torch
from nbgrader.api import Gradebook
from safetensors.torch import save_file, save_model

from autograder.authoring.build import build_unit, check_unit, visible_cases
from autograder.authoring.notebook import notebook_text, release, solved_notebook
from autograder.authoring.parse import LessonError, parse_lesson
from autograder.formats.cases import CASES_FILE, save_cases
from autograder.grading.files import read_record
from autograder.grading.gradebook import GradebookWriter
from autograder.grading.pipeline import plan, run
from autograder.grading.record import Record
from autograder.grading.sample_class import make_class
from autograder.grading.submission import submission_digest, submission_files
from autograder.judging.weights import MAX_FILE_BYTES
from autograder.observing.outside import TimeLimits
from autograder.observing.sandbox.isolation import available
from tests.authoring.writing import write_lesson
from tests.grading.executors import Inline
from tests.judging.tiny_translator import trained

UNIT, NAME, FILE = "91_weights", "weights", "translator.safetensors"
REPOSITORY = Path(__file__).resolve().parents[2]
TIMES = TimeLimits(cell=20, exercise=20, grace=5, submission=90)
confined = sys.platform == "linux" and available().enough
pytestmark = pytest.mark.xdist_group("weights")

LESSON = '''\
# %% [markdown]
# # 91 · A unit with a file

# %% part="setup"
from safetensors.torch import load_file
from torch import Tensor

from autograder import begin, check, has_course_weights, hint, translates

begin("91_weights")

# %% [markdown] exercise="trained_weights" part="prompt" points=10 difficulty=1 minutes=5 files="translator.safetensors" time_limit=10
# ### Hand in your weights

# %% exercise="trained_weights" part="solution"
def trained_weights() -> dict[str, Tensor]:
    """The weights by name."""
    ### BEGIN SOLUTION
    return load_file("translator.safetensors")
    ### END SOLUTION

# %% exercise="trained_weights" part="check"
check(trained_weights, has_course_weights, translates(0.9))

# %% [markdown] exercise="trained_weights" part="hints"
# - load_file

# %% exercise="trained_weights" part="variants"
from autograder.judging.probes.translation import wanted
from autograder.lab.corpus import sample

@cases(dict(known=20), hidden=[dict(known=18)])
def sources(rng, known):
    """{known} sources"""
    return judged(wanted=wanted(sample(["numbers", "measures"], 24, seed=3, unique=True)[:known]))

wrong("one-part", ('return load_file("translator.safetensors")',
                   'return {name[8:]: w for name, w in load_file("translator.safetensors").items() if name[:8] == "encoder."}'),
      says="an encoder or a decoder alone")
'''


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("weights") / FILE
    save_model(trained(), path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, weights: bytes) -> Path:
    """A course of that unit as the build leaves it."""
    course = tmp_path_factory.mktemp("built") / "course"
    source = course / "solutions" / UNIT
    source.mkdir(parents=True)
    shutil.copy(REPOSITORY / "nbgrader_config.py", course)
    write_lesson(source / f"{NAME}.py", LESSON)
    (source / f".{FILE}").write_bytes(weights)
    lesson = parse_lesson(source / f"{NAME}.py")
    save_cases(visible_cases(lesson), source / CASES_FILE)
    solved = solved_notebook(lesson)
    (source / f"{NAME}.ipynb").write_text(notebook_text(solved), encoding="utf-8")
    learner = course / "notebooks" / UNIT
    learner.mkdir(parents=True)
    (learner / f"{NAME}.ipynb").write_text(release(course, lesson, solved, source / CASES_FILE), encoding="utf-8")
    shutil.copy(source / CASES_FILE, learner)
    with GradebookWriter(course):
        return course


@pytest.fixture
def course(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "course"))


def hand_in(course: Path, student: str, file: bytes | None, code: str = f'return load_file("{FILE}")') -> Path:
    folder = course / "submitted" / student / UNIT
    folder.mkdir(parents=True)
    notebook = nbformat.read(course / "notebooks" / UNIT / f"{NAME}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "trained_weights":
            cell.source = f"def trained_weights():\n    {code}"
    (folder / f"{NAME}.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
    (folder / "timestamp.txt").write_text("2026-11-20 18:00:00 UTC", encoding="utf-8")
    if file is not None:
        (folder / FILE).write_bytes(file)
    return folder


def grade(course: Path) -> dict[str, Record]:
    outcome = run(plan(course, [UNIT], [], seed=5, force=False), Inline, confined=confined, workers=1, times=TIMES)
    assert outcome.failed == []
    return {record.student: record for record in outcome.graded}


def test_a_class_with_every_kind_of_file(course: Path, weights: bytes, tmp_path: Path) -> None:
    save_file({name: p.detach().clone() * 0 for name, p in trained().named_parameters()}, tmp_path / "zeros")
    huge = json.dumps({"x": {"dtype": "F32", "shape": [2**50], "data_offsets": [0, 2**52]}}).encode()
    told = {
        "good": (hand_in(course, "good", weights), 10.0, ""),
        "missing": (hand_in(course, "missing", None), 0.0, "There is no file translator.safetensors beside the notebook"),
        "pickle": (hand_in(course, "pickle", b"\x80\x05K\x01."), 0.0, "written by `torch.save` or `pickle`"),
        "large": (hand_in(course, "large", weights + b"\0" * MAX_FILE_BYTES), 0.0, "is larger than 16 MB"),
        "header": (hand_in(course, "header", struct.pack("<Q", 10 * 2**30) + b"{}"), 0.0, "is no safetensors file"),
        "absurd": (hand_in(course, "absurd", struct.pack("<Q", len(huge)) + huge), 0.0, ""),
        "zeros": (hand_in(course, "zeros", (tmp_path / "zeros").read_bytes()), 0.0, "0 of 20 sources are translated"),
        "unwritten": (hand_in(course, "unwritten", weights, "raise NotImplementedError"), 0.0, "is not written yet"),
        "elsewhere": (hand_in(course, "elsewhere", weights, 'return load_file("/etc/passwd")'), 0.0, ""),
        "overwrites": (
            hand_in(course, "overwrites", weights, f'open("{FILE}", "wb").write(b"gone"); return load_file("{FILE}")'), 0.0, ""
        ),
    }  # fmt: skip
    link = hand_in(course, "link", None)
    (link / FILE).symlink_to(course / "submitted" / "good" / UNIT / FILE)
    told["link"] = (link, 0.0, "is no plain file")
    records = grade(course)
    for student, (_, score, words) in told.items():
        (row,) = records[student].exercises
        assert row.score == score, (student, row)
        assert words in row.message, (student, row.message)
    assert records["good"].repairs == ()
    assert not [record for record in records.values() if "→" in record.to_json().decode()]


def test_the_feedback_page_shows_translations_of_visible_sources_only(course: Path, weights: bytes) -> None:
    hand_in(course, "good", weights)
    grade(course)
    page = (course / "feedback" / "good" / UNIT / f"{NAME}.html").read_text(encoding="utf-8")
    assert page.count('aria-label="given, expected, yours"') == 1


def test_other_files_are_still_left_out_and_a_new_file_is_graded_again(course: Path, weights: bytes) -> None:
    folder = hand_in(course, "ann", None)
    (folder / "more.safetensors").write_bytes(weights)
    record = grade(course)["ann"]
    assert record.score == 0.0
    assert "more.safetensors" in record.repairs[0].note
    assert grade(course) == {}
    (folder / FILE).write_bytes(weights)
    assert grade(course)["ann"].score == 10.0
    (folder / "more.safetensors").unlink()
    assert grade(course) == {}
    record_now = read_record(course, "ann", UNIT)
    assert record_now is not None
    assert record_now.exercises[0].passed


def test_what_is_read_of_a_submission_is_bounded(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\0" * (MAX_FILE_BYTES + 1000))
    (tmp_path / "other.safetensors").write_bytes(b"\0" * 1000)
    files = submission_files(tmp_path, (FILE,))
    assert len(files[FILE]) == MAX_FILE_BYTES + 1
    assert files["other.safetensors"] == b""
    assert submission_files(tmp_path)[FILE] == b""
    assert submission_digest(files, (FILE,)) != submission_digest(files | {FILE: b""}, (FILE,))


@pytest.mark.skipif(not confined, reason="submissions cannot be isolated here")
def test_stock_autograde_gives_the_same(course: Path, weights: bytes) -> None:
    hand_in(course, "good", weights)
    hand_in(course, "missing", None)
    hand_in(course, "pickle", b"\x80\x05K\x01.")
    (course / "solutions" / UNIT / FILE).write_bytes(weights)  # as a solved notebook that was run by hand leaves it
    for words in (["generate_assignment", UNIT, "--force"], ["autograde", UNIT]):
        command = [str(Path(sys.executable).with_name("nbgrader")), *words]
        done = subprocess.run(command, cwd=course, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        scores = {submission.student.id: submission.score for submission in book.assignment_submissions(UNIT)}
    assert scores == {"good": 10.0, "missing": 0.0, "pickle": 0.0}
    assert not [path.name for path in (course / "notebooks" / UNIT).iterdir() if "safetensors" in path.name]


def test_a_made_up_class_hands_in_what_the_unit_asks_for(course: Path, weights: bytes, tmp_path: Path) -> None:
    made = make_class(course, tmp_path / "class", (UNIT,), students=4)
    files = {one.kind: tmp_path / "class" / "submitted" / one.student / UNIT / FILE for one in made}
    assert files["solved"].read_bytes() == weights
    assert [kind for kind, path in files.items() if path.exists()] == ["solved"]
    assert {one.kind: one.expected for one in made} == {"solved": 10.0, "half": 0.0, "wrong": 0.0, "untouched": 0.0}


# The author's side


def test_a_first_build_makes_the_file_and_a_later_one_judges_it(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autograder.authoring import build

    source = course / "solutions" / UNIT
    data = (source / f".{FILE}").read_bytes()
    (source / f".{FILE}").unlink()
    monkeypatch.setattr(build.Paths, "library", property(lambda self: course / "library.py"))
    assert [line for line in check_unit(course, UNIT) if f".{FILE} is not there" in line] or not (
        course / "library.py"
    ).exists()

    def executed(notebook: object, folder: Path) -> object:
        (folder / FILE).write_bytes(data)
        return notebook

    monkeypatch.setattr(build, "execute", executed)
    assert f"solutions/{UNIT}/.{FILE}" in build_unit(course, UNIT)
    assert (source / f".{FILE}").read_bytes() == data
    assert not (source / FILE).exists()
    assert check_unit(course, UNIT) == []

    (source / f".{FILE}").unlink()
    zeros = {name: torch.zeros_like(p) for name, p in trained().named_parameters()}
    monkeypatch.setattr(build, "execute", lambda notebook, folder: (save_file(zeros, folder / FILE), notebook)[1])
    with pytest.raises(LessonError, match="its own solution fails its check"):
        build_unit(course, UNIT)


@pytest.mark.parametrize("name", ["../up.safetensors", "a.pt", "/etc/x.safetensors"])
def test_only_plain_names_of_weights_can_be_asked_for(tmp_path: Path, name: str) -> None:
    path = tmp_path / "91_weights" / "weights.py"
    path.parent.mkdir()
    write_lesson(path, LESSON.replace(f'files="{FILE}"', f'files="{name}"'))
    with pytest.raises(LessonError, match="not a plain file name"):
        parse_lesson(path)
