"""A course as nbgrader sees it: its folders, its configuration, and the command that nbgrader calls by name."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
from traitlets.config.loader import load_pyconfig_files


def nbgrader_course(course: Path, copy: Path | None = None) -> CourseDirectory:
    """The course's folders; `config` of it is what the course's nbgrader_config.py says.

    copy: a copy of the course to work in, with a gradebook of its own
    """
    configured = (course / "nbgrader_config.py").is_file()
    config = load_pyconfig_files(["nbgrader_config.py"], str(course)) if configured else Config()
    config.CourseDirectory.root = str(copy or course)
    if copy:
        config.CourseDirectory.db_url = f"sqlite:///{copy}/gradebook.db"
    find_alembic()
    return CourseDirectory(config=config)


def find_alembic() -> None:
    """Let nbgrader find `alembic`, also where the environment of this Python is not activated."""
    beside = str(Path(sys.executable).parent)
    if shutil.which("alembic") is None and shutil.which("alembic", path=beside):
        os.environ["PATH"] = f"{beside}{os.pathsep}{os.environ.get('PATH', '')}"
