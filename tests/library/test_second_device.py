"""A second device where there is only one, and all references and library-backed parts on it: ready for a GPU without one."""

from __future__ import annotations

from pathlib import Path

from autograder.formats.cases import CASES_FILE

COURSE = Path(__file__).resolve().parents[2]
UNITS = sorted(path.parent.name for path in COURSE.glob(f"solutions/*/{CASES_FILE}"))
