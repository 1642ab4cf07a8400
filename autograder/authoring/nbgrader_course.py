"""A course as nbgrader sees it: its folders, its configuration, its gradebook."""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from nbgrader.api import Base
from nbgrader.coursedir import CourseDirectory
from nbgrader.dbutil import ALEMBIC_DIR
from sqlalchemy import create_engine, inspect
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
    return CourseDirectory(config=config)


def make_gradebook(url: str) -> None:
    """Give an empty database nbgrader's tables.

    nbgrader would do so itself, and start `alembic` to ask for the newest version of its tables: six seconds of computing,
    and only where that command is on PATH.
    """
    engine = create_engine(url)
    with engine.begin() as connection:
        if not inspect(connection).get_table_names():
            Base.metadata.create_all(connection)
            MigrationContext.configure(connection).stamp(ScriptDirectory(ALEMBIC_DIR), "head")
    engine.dispose()
