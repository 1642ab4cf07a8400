"""What every test starts from: one thread, no window, no clock in hypothesis. And what `quick` means."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

# Before NumPy and PyTorch are imported: two workers share two cores, and one thread adds in one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# nbgrader calls `alembic` by name when it makes a gradebook; the tests need no activated environment.
os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", "")
# A notebook started by a test must not find that it is being graded, or the reverse.
for name in ("NBGRADER_VALIDATING", "NBGRADER_EXECUTION"):
    os.environ.pop(name, None)

# jsonschema, which nbformat imports, would build grammars for two seconds that nobody asks for.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# No deadline: a slow machine is no failure. In CI the examples are the same on every run.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m quick`, modules that never mention the marker are not even imported: that takes most of the time."""
    if config.option.markexpr != "quick" or not collection_path.match("test_*.py"):
        return None
    return "pytest.mark.quick" not in collection_path.read_text(encoding="utf-8") or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a worker of pytest-xdist come first, then whole notebooks and classes of answers: they take longest,
    and short ones fill what is left."""
    long = ("test_notebooks.py", "test_held_out.py")
    items.sort(key=lambda item: (item.get_closest_marker("xdist_group") is None, item.path.name not in long))


_started: list[str] | None = None
"""The processes started by the quick test that is running; None while no such test runs."""


def _note_process(event: str, arguments: tuple[object, ...]) -> None:
    if _started is not None and event in ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.system"):
        _started.append(f"{event} {arguments[0] if arguments else ''}".strip())


sys.addaudithook(_note_process)


@pytest.fixture(autouse=True)
def _quick_tests_start_no_process(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that is marked `quick` and starts a process. Matplotlib may ask for the fonts, once a machine."""
    global _started
    if request.node.get_closest_marker("quick") is None:
        yield
        return
    _started = []
    yield
    started, _started = _started, None
    assert [one for one in started if "fc-list" not in one] == [], "a test marked `quick` starts no process"
