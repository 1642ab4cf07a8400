"""A file is observed in another process, and nothing it does reaches this one."""

import os
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder.formats.cases import ExerciseCases
from autograder.formats.notebook_file import Block, Unreadable, defined_names, read_notebook, read_python
from autograder.formats.rebuild import blocks_of, rebuild
from autograder.judging.verdict import Verdict, verdicts
from autograder.observing import processes
from autograder.observing.outside import observe_by
from autograder.observing.processes import WarmProcess
from tests.judging.exercises import doubling

Judge = Callable[..., list[Verdict]]
QUICK = doubling(time_limit=1.0)
OTHER = doubling(name="other", time_limit=1.0)
GOOD = "def double(x):\n    return 2 * x\n"


def file(folder: Path, text: str, name: str = "answer.py") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def warm() -> Iterator[WarmProcess]:
    with WarmProcess(confined=False, modules=frozenset()) as process:
        yield process


@pytest.fixture
def judged(warm: WarmProcess, tmp_path: Path) -> Judge:
    def judge(text: str | list[Block], *exercises: ExerciseCases) -> list[Verdict]:
        blocks = [read_python(file(tmp_path, text))] if isinstance(text, str) else text
        wanted = exercises or (QUICK,)
        seen = observe_by(lambda request: warm.submit(request, folder=tmp_path), blocks, isinstance(text, str), wanted)
        return list(verdicts([(cases,) for cases in wanted], seen.sightings, tmp_path).values())

    return judge


def test_a_right_file_passes(judged: Judge) -> None:
    (verdict,) = judged(GOOD)
    assert verdict.passed


def test_a_notebook_runs_its_cells_but_not_its_checks_and_experiments(judged: Judge) -> None:
    parts = ("check", "hidden", "demo")
    course = [cell(f"the {part}", "raise SystemExit", {"autograder": {"part": part}}) for part in parts]
    own = [cell("a", "%matplotlib inline\nfactor = 2"), *course, cell("b", "def double(x):\n    return factor * x")]
    assert judged(blocks_of(rebuild(course, course, own).cells))[0].passed


def cell(name: str, source: str, metadata: dict | None = None) -> dict:
    return {"cell_type": "code", "id": name, "source": source, "metadata": metadata or {}}


@pytest.mark.parametrize(
    ("text", "diagnosis", "words"),
    [
        (
            "import os\ndef double(x): os._exit(0)",
            "died",
            "the process ended while `double` was checked.",
        ),
        ("import os\nos._exit(7)\ndef double(x): return 2*x", "died", "the process ended while its cells were run"),
        (
            "def double(x):\n  while True: pass",
            "out-of-time",
            "did not finish within 1 seconds of computing (line 2: `while True: pass`). Look for a loop",
        ),
        ("def double(x) return x", "not-defined", "could not be read: SyntaxError"),
        ("x = 1\nif x: raise ValueError('no')\n@undefined\ndef double(x): return x", "not-defined", "raised NameError"),
        ("class double: pass", "not-callable", "is no function"),
        ("def double(a, b, c): return a", "signature", "missing 2 required positional arguments"),
    ],
)
def test_each_accident_costs_its_own_points_and_says_why(judged: Judge, text: str, diagnosis: str, words: str) -> None:
    (verdict,) = judged(text)
    assert (verdict.score, verdict.diagnosis) == (0.0, diagnosis)
    assert words.lower() in verdict.message.lower()


def test_the_exercises_behind_a_hanging_or_dying_one_are_still_checked(judged: Judge) -> None:
    hanging = "import signal\ndef double(x):\n  signal.signal(signal.SIGALRM, signal.SIG_IGN)\n  while True: pass\n"
    found = judged(hanging + "def other(x): return 2 * x\n", QUICK, OTHER)
    assert [verdict.passed for verdict in found] == [False, True]
    assert found[0].diagnosis == "out-of-time"


def test_a_broken_statement_does_not_take_the_rest_of_a_file_with_it(judged: Judge) -> None:
    assert judged("import warnings\nwarnings.warn('hm')\nnonsense\n" + GOOD)[0].passed


def test_a_process_that_sends_nonsense_gets_no_points(judged: Judge) -> None:
    nonsense = "import os\nfor d in range(3, 64):\n  try: os.write(d, b'\\0' * 64)\n  except OSError: pass\n"
    assert judged(nonsense + GOOD)[0].score in (0.0, 3.0)  # never more, and never an error here


def test_claiming_equality_with_everything_gains_nothing(judged: Judge) -> None:
    sly = """
        import numpy as np
        class Always(np.ndarray):
            def __eq__(self, other): return True
            def __abs__(self): return 0
        def double(x): return np.zeros(x.shape).view(Always)
    """
    assert judged(sly)[0].score == 0.0


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.ipynb", "{", "its JSON is broken"),
        ("a.ipynb", "[]", "it has no cells"),
        ("a.ipynb", '{"cells": 3}', "it has no cells"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, name: str, text: str, words: str) -> None:
    path = file(tmp_path, text, name)
    with pytest.raises(Unreadable, match=words) as caught:
        read_notebook(path)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Unreadable, match="UTF-8"):
        read_python(tmp_path / "a.py")


def test_only_a_def_or_class_defines_an_exercise() -> None:
    text = (
        "from numpy import double\nother = lambda x: x\nif True:\n  def third(x): return x\ndef fourth(x): return x\n"
    )
    assert defined_names(text) == ("fourth",)


def test_a_process_with_the_learners_rights_finds_what_they_find_and_one_that_is_locked_up_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    root = str(Path(processes.__file__).parents[2])
    assert processes._environment(confined=False)["PYTHONPATH"].split(os.pathsep) == [root, "elsewhere"]
    assert processes._environment(confined=True)["PYTHONPATH"] == root
