"""nbgrader's folders: what was handed in, and where graded notebooks, records and feedback go."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..formats.cases import CASES_FILE
from ..formats.notebook_file import tidy_cells
from ..formats.rebuild import grade_id_of, is_graded, is_solution
from .assignment import Assignment
from .grade_one import Graded
from .record import Record
from .roster import digest_of
from .submission import MAX_TIMESTAMP, TIMESTAMP, read_regular

RECORD_FILE = "record.json"
SECRET = "submission_secret.txt"
"""By which nbgrader's exchange knows whose feedback it is."""
SEEDS_FILE = ".seeds.json"
"""Hidden, so that no learner can bear the name."""
LOCK_FILE = ".grading"
FORCED_FILE = ".forced.json"
"""What a forced run is at, until it ends: the same command goes on where it was stopped."""


@dataclass(frozen=True)
class Submission:
    """One submission as it lies in `submitted/STUDENT/UNIT`."""

    student: str
    """As it is shown and stored; see `shown_name`."""
    unit: str
    folder: Path

    def exchange_files(self) -> dict[str, bytes]:
        """What nbgrader's exchange has put beside the notebook, and needs again to give feedback back."""
        found = {name: read_regular(self.folder / name, MAX_TIMESTAMP) for name in (TIMESTAMP, SECRET)}
        return {name: data.decode("utf-8", "replace").encode() for name, data in found.items() if data is not None}


_UNSAFE = str.maketrans({"<": "‹", ">": "›", '"': "”", "\\": "⧵"} | {chr(code): " " for code in (*range(32), 127)})


def shown_name(folder_name: str) -> str:
    """The learner's name as gradebook and graded folders bear it: the folder's own, unless a page could run it.

    nbgrader puts the name into its pages' HTML and JavaScript as it stands, and a learner may choose the name of what
    is handed in. One with such characters gets others that look alike, and a digest, so that no two become one.
    """
    safe = folder_name.translate(_UNSAFE)
    if safe == folder_name:
        return safe
    return f"{safe.encode('utf-8', 'replace')[:150].decode('utf-8', 'ignore')} ({digest_of(folder_name)})"


def find_submissions(course: Path, units: Sequence[str], students: Sequence[str]) -> list[Submission]:
    """Submissions of the wanted units and students (all where none is named), in order. Links are no submissions."""
    root = course / "submitted"
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if folder.name.startswith(".") or not folder.is_dir() or folder.is_symlink():
            continue
        student = shown_name(folder.name)
        if students and not {folder.name, student} & set(students):
            continue
        for unit in units:
            inner = folder / unit
            if inner.is_dir() and not inner.is_symlink():
                found.append(Submission(student, unit, inner))
    return found


def graded_folder(course: Path, student: str, unit: str) -> Path:
    return course / "autograded" / student / unit


def read_record(course: Path, student: str, unit: str) -> Record | None:
    """What was written down when the submission was graded; None where there is nothing that can be read."""
    try:
        return Record.from_json((graded_folder(course, student, unit) / RECORD_FILE).read_bytes())
    except (OSError, msgspec.MsgspecError, ValueError):
        return None


def all_records(course: Path) -> list[Record]:
    """Every record under `autograded/`, by unit and student."""
    paths = (course / "autograded").glob(f"[!.]*/[!.]*/{RECORD_FILE}")
    found = (read_record(course, path.parents[1].name, path.parent.name) for path in paths)
    return sorted((record for record in found if record), key=lambda record: (record.unit, record.student))


def read_answers(course: Path, student: str, unit: str, notebook_name: str) -> dict[str, str]:
    """The written answers that formgrader shows, by cell; empty where there are none that can be read."""
    try:
        text = (graded_folder(course, student, unit) / f"{notebook_name}.ipynb").read_text(encoding="utf-8")
        cells = tidy_cells(json.loads(text)["cells"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {grade_id_of(cell): cell["source"] for cell in cells if is_graded(cell) and is_solution(cell)}


def write_graded(course: Path, assignment: Assignment, graded: Graded, exchange_files: dict[str, bytes]) -> None:
    """Put a graded notebook, its record and its feedback page in place, each folder at once. Raises OSError.

    exchange_files: what goes along in both folders, by name
    """
    student, unit = graded.record.student, graded.record.unit
    files = {
        f"{assignment.notebook_name}.ipynb": graded.notebook.encode(),
        CASES_FILE: assignment.cases_file,
        RECORD_FILE: graded.record.to_json(),
    }
    page = {f"{assignment.notebook_name}.html": graded.page.encode()}
    _replace_folder(course / "feedback" / student / unit, page | exchange_files)
    _replace_folder(graded_folder(course, student, unit), files | exchange_files)


def _replace_folder(folder: Path, files: dict[str, bytes]) -> None:
    """The folder holds these files or what it held before, never a half of them."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in [*folder.parent.glob(".writing-*"), folder.with_name(f".old-{folder.name}")]:
        shutil.rmtree(left, ignore_errors=True)  # of a run that was killed
    fresh = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
    try:
        for name, data in files.items():
            (fresh / name).write_bytes(data)
        fresh.chmod(0o755)
        old = folder.with_name(f".old-{folder.name}")
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Replace a file at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def only_writer(course: Path) -> Iterator[bool]:
    """Whether no other grading of this course is running; held until the block ends, or its process does."""
    path = course / "autograded" / LOCK_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as handle:
        try:
            import fcntl
        except ImportError:  # Windows: nothing holds a second run back
            yield True
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except BlockingIOError:
            free = False
        except OSError:  # a file system without locks
            free = True
        yield free


def recorded_seeds(course: Path) -> dict[str, int]:
    """The seed that each unit's hidden cases were last drawn from."""
    try:
        return msgspec.json.decode((course / "autograded" / SEEDS_FILE).read_bytes(), type=dict[str, int])
    except (OSError, msgspec.MsgspecError):
        return {}


def record_seed(course: Path, unit: str, seed: int) -> None:
    seeds = recorded_seeds(course) | {unit: seed}
    write_text(course / "autograded" / SEEDS_FILE, json.dumps(seeds, indent=1, sort_keys=True) + "\n")


@dataclass(frozen=True)
class Forced:
    """A run that grades again what was graded: what it was asked for, and when it began."""

    units: tuple[str, ...]
    students: tuple[str, ...]
    seeds: dict[str, int]
    begun: float


def forced_before(course: Path, units: Sequence[str], students: Sequence[str]) -> Forced | None:
    """The forced run of these units and students that was stopped, where there is one."""
    try:
        found = msgspec.json.decode((course / "autograded" / FORCED_FILE).read_bytes(), type=Forced)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if (found.units, found.students) == (tuple(units), tuple(sorted(students))) else None


def note_forced(course: Path, forced: Forced | None) -> None:
    """Write down what a forced run is at; None when it has ended."""
    path = course / "autograded" / FORCED_FILE
    if forced is None:
        path.unlink(missing_ok=True)
    else:
        write_text(path, msgspec.json.encode(forced).decode())


def graded_at(course: Path, student: str, unit: str) -> float:
    """When a submission's record was written, in seconds as `time.time`; 0 where there is none."""
    try:
        return (graded_folder(course, student, unit) / RECORD_FILE).stat().st_mtime
    except OSError:
        return 0.0
