"""A made-up lesson, written in one piece by a test, as the two files that a unit has."""

import re
from pathlib import Path

from autograder.authoring.parse import CHECKS_FILE

_KNOWN = re.compile(r'^# %%.*part="(?:library|variants)"')


def write_lesson(path: Path, text: str) -> None:
    """Write the cells of `text` to the lesson at `path`, and what checks know to the file beside it."""
    cells = re.split(r"(?m)^(?=# %%)", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(cell for cell in cells if not _KNOWN.match(cell)), encoding="utf-8")
    path.with_name(CHECKS_FILE).write_text("".join(cell for cell in cells if _KNOWN.match(cell)), encoding="utf-8")
