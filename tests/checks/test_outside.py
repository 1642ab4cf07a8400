"""A file is observed in another process, and nothing it does reaches this one."""

import json
import os
import textwrap
from pathlib import Path

import pytest

from autograder.formats.cases import ExerciseCases
from autograder.formats.submission import UnusableSubmission, read_submission
from autograder.judging.probes import matches
from autograder.judging.verdict import Verdict, judge
from autograder.observing import outside
from autograder.observing.outside import child_environment, key_of, observe_outside

from .exercises import doubling

QUICK = doubling(time_limit=1.0)
OTHER = doubling(name="other", time_limit=1.0)
GOOD = "def double(x):\n    return 2 * x\n"


def file(folder: Path, text: str, name: str = "answer.py") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def notebook(folder: Path, *cells: str | dict) -> Path:
    made = [c if isinstance(c, dict) else {"cell_type": "code", "source": c, "metadata": {}} for c in cells]
    return file(folder, json.dumps({"cells": made, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}), "answer.ipynb")


def verdicts(path: Path, *exercises: ExerciseCases) -> list[Verdict]:
    wanted = exercises or (QUICK,)
    sightings = observe_outside(read_submission(path), wanted)
    return [judge(cases, (matches,), sightings[key_of(cases)]) for cases in wanted]


def test_a_right_file_passes(tmp_path: Path) -> None:
    (verdict,) = verdicts(file(tmp_path, GOOD))
    assert verdict.passed


def test_a_notebook_runs_its_cells_but_not_its_checks_and_experiments(tmp_path: Path) -> None:
    skipped = [
        {"cell_type": "code", "source": "raise SystemExit", "metadata": {"autograder": {"part": part}}}
        for part in ("check", "hidden", "demo")
    ]
    path = notebook(tmp_path, "%matplotlib inline\nfactor = 2", *skipped, "def double(x):\n    return factor * x")
    assert verdicts(path)[0].passed


@pytest.mark.parametrize(
    ("text", "diagnosis", "words"),
    [
        (
            "import os\ndef double(x): os._exit(0)",
            "died",
            "the process ended while `double` was checked (exit status 0)",
        ),
        ("import os\nos._exit(7)\ndef double(x): return 2*x", "died", "the process ended while its cells were run"),
        ("def double(x):\n  while True: pass", "out-of-time", "did not finish within 1 seconds"),
        ("def double(x) return x", "not-defined", "could not be read: SyntaxError"),
        ("x = 1\nif x: raise ValueError('no')\n@undefined\ndef double(x): return x", "not-defined", "raised NameError"),
        ("class double: pass", "not-callable", "is no function"),
        ("def double(a, b, c): return a", "signature", "missing 2 required positional arguments"),
    ],
)
def test_each_accident_costs_its_own_points_and_says_why(tmp_path: Path, text: str, diagnosis: str, words: str) -> None:
    (verdict,) = verdicts(file(tmp_path, text))
    assert (verdict.score, verdict.diagnosis) == (0.0, diagnosis)
    assert words.lower() in verdict.message.lower()


def test_the_exercises_behind_a_hanging_or_dying_one_are_still_checked(tmp_path: Path) -> None:
    hanging = "import signal\ndef double(x):\n  signal.signal(signal.SIGALRM, signal.SIG_IGN)\n  while True: pass\n"
    found = verdicts(file(tmp_path, hanging + "def other(x): return 2 * x\n"), QUICK, OTHER)
    assert [verdict.passed for verdict in found] == [False, True]
    assert found[0].diagnosis == "out-of-time"


def test_a_broken_statement_does_not_take_the_rest_of_a_file_with_it(tmp_path: Path) -> None:
    assert verdicts(file(tmp_path, "import warnings\nwarnings.warn('hm')\nnonsense\n" + GOOD))[0].passed


def test_a_process_that_sends_nonsense_gets_no_points(tmp_path: Path) -> None:
    nonsense = "import os\nfor d in range(3, 64):\n  try: os.write(d, b'\\0' * 64)\n  except OSError: pass\n"
    assert verdicts(file(tmp_path, nonsense + GOOD))[0].score in (0.0, 3.0)  # never more, and never an error here


def test_claiming_equality_with_everything_gains_nothing(tmp_path: Path) -> None:
    sly = """
        import numpy as np
        class Always(np.ndarray):
            def __eq__(self, other): return True
            def __abs__(self): return 0
        def double(x): return np.zeros(x.shape).view(Always)
    """
    assert verdicts(file(tmp_path, sly))[0].score == 0.0


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.ipynb", "{", "no valid JSON"),
        ("a.ipynb", "[]", "it has no cells"),
        ("a.ipynb", '{"cells": 3}', "it has no cells"),
        ("a.txt", "", "neither a notebook"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, name: str, text: str, words: str) -> None:
    path = file(tmp_path, text, name)
    with pytest.raises(UnusableSubmission, match=words) as caught:
        read_submission(path)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnusableSubmission, match="UTF-8"):
        read_submission(tmp_path / "a.py")


def test_only_a_def_or_class_defines_an_exercise(tmp_path: Path) -> None:
    text = (
        "from numpy import double\nother = lambda x: x\nif True:\n  def third(x): return x\ndef fourth(x): return x\n"
    )
    submission = read_submission(file(tmp_path, text))
    assert submission.defines(("double", "other", "third", "fourth")) == ("fourth",)


def test_the_child_finds_the_package_that_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert child_environment()["PYTHONPATH"].split(os.pathsep) == [str(Path(outside.__file__).parents[2]), "elsewhere"]
    monkeypatch.delenv("PYTHONPATH")
    assert child_environment()["PYTHONPATH"] == str(Path(outside.__file__).parents[2])
