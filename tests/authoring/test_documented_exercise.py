"""The exercise that CONTRIBUTING shows works as it stands: put into a lesson, it builds and verifies."""

import re
from pathlib import Path

from autograder.authoring.assess import assess
from autograder.authoring.parse import parse_lesson
from autograder.authoring.workbench import open_workbench
from tests.authoring.writing import write_lesson

REPOSITORY = Path(__file__).resolve().parents[2]
HEAD = """\
# %% [markdown]
# # 98 · As documented

# %% part="setup"
import numpy as np
from autograder import begin, check, finite, keeps_inputs, matches

"""


def test_the_whole_exercise_of_contributing_builds_and_verifies(tmp_path: Path) -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(# %% (?:\[markdown\] )?exercise=.*?)```", text, re.DOTALL)
    path = tmp_path / "solutions" / "98_as_documented" / "as_documented.py"
    write_lesson(path, HEAD + "\n".join(blocks))
    (piece,) = open_workbench(parse_lesson(path))
    for seed in (None, 1, 2):
        assessed = assess(piece, seed=seed)
        assert assessed.problems == ()
        assert (assessed.wrong, assessed.right, assessed.truths) == (2, 1, 1)
