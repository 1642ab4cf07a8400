"""What did not end in time is told as such; last, since it only waits."""

import re
import subprocess

from .callers import finish
from .odd_notebooks import ATTENTION, POINTS
from .test_first_error import CONSEQUENCE


def test_a_statement_of_a_file_that_did_not_end_in_time_is_told_as_such(
    waiting: dict[str, "subprocess.Popen[str]"],
) -> None:
    told = finish(waiting["check"]).stdout
    blocks = {words.split(" · ")[1]: words for words in re.split(r"(?m)^(?=[✓✗◐] )", told) if " · " in words}
    assert "seconds" in blocks["attend_one"] and not CONSEQUENCE.search(blocks["attend_one"]), blocks["attend_one"]
    assert {name for name, words in blocks.items() if words.startswith("✓")} == POINTS[ATTENTION].keys() - {
        "attend_one"
    }


def test_nothing_is_judged_after_a_setup_cell_that_ran_out_of_time(
    waiting: dict[str, "subprocess.Popen[str]"],
) -> None:
    told = finish(waiting["preflight"]).stdout
    problems = [line for line in told.splitlines() if line.startswith(("✗", "·"))]
    assert any("cell" in line and "seconds" in line for line in problems), told
    assert "check does not pass" not in told and not CONSEQUENCE.search(told)
    # That nothing is judged, it says; or the course's own setup cell is put back, as in grading, and all pass.
    says_so = any(re.search(r"\b(no|not|none|nothing)\b.*\b(judged|checked)", line) for line in problems)
    assert says_so or told.count("its check passes") == len(POINTS[ATTENTION]), told
