"""A real JupyterLab on a free port, over a copy of the course, with settings of its own.

Nothing of the user's Jupyter is read or written: configuration, data, runtime files, settings and
workspaces lie in a folder of the test. Only the environment's own extensions (nbgrader among them) are
found, as a learner's would be.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGURATION = ("jupyter_lab_config.py", "jupyterlab_settings", "nbgrader_config.py")
CONTENT = ("notebooks", "solutions")
START_SECONDS = 90.0


@dataclass(frozen=True)
class LabServer:
    """A running server. `url` ends in a slash; `course` is its root folder and nbgrader's course root."""

    url: str
    token: str
    course: Path
    log: Path

    def address(self, path: str) -> str:
        """The address of a path below the server, token included: `address("lab")`.

        JupyterLab opens with no tab of an earlier page.
        """
        return f"{self.url}{path.lstrip('/')}?token={self.token}&reset"

    def end_sessions(self) -> None:
        """Shuts down every kernel, so that the next page starts from nothing."""
        with urlopen(self.address("api/sessions"), timeout=30) as answer:
            sessions = json.load(answer)
        for session in sessions:
            address = self.address(f"api/sessions/{session['id']}")
            urlopen(Request(address, method="DELETE"), timeout=30).close()


def copy_course(destination: Path, parts: tuple[str, ...] = CONFIGURATION + CONTENT) -> Path:
    """Copies what JupyterLab and nbgrader use from the repository to `destination`, and gives it back."""
    destination.mkdir(parents=True, exist_ok=True)
    for name in parts:
        source = REPOSITORY / name
        if source.is_dir():
            skipped = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__", "my_transformer")
            shutil.copytree(source, destination / name, ignore=skipped, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy(source, destination / name)
    return destination


@contextlib.contextmanager
def running_lab(course: Path, home: Path) -> Iterator[LabServer]:
    """Starts JupyterLab in `course` as `make lab` does, keeps its files in `home`, and ends it at last.

    Raises RuntimeError with the end of the server's log when it does not answer in time.
    """
    runtime = home / "runtime"
    for folder in (home, runtime):
        folder.mkdir(parents=True, exist_ok=True)
    write_settings(home / "settings")
    log = home / "jupyterlab.log"
    token = "browser-test"
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--config=jupyter_lab_config.py",
        "--no-browser",
        "--allow-root",
    ]
    command += ["--expose-app-in-browser", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
    command += [f"--IdentityProvider.token={token}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=course,
            env=server_environment(home, runtime),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = wait_for_url(process, runtime, token, log)
        yield LabServer(url=url, token=token, course=course, log=log)
    finally:
        stop(process)


def server_environment(home: Path, runtime: Path) -> dict[str, str]:
    environment = dict(os.environ)
    environment.update(
        JUPYTER_CONFIG_DIR=str(home / "config"),
        JUPYTER_DATA_DIR=str(home / "data"),
        JUPYTER_RUNTIME_DIR=str(runtime),
        JUPYTERLAB_SETTINGS_DIR=str(home / "settings"),
        JUPYTERLAB_WORKSPACES_DIR=str(home / "workspaces"),
        IPYTHONDIR=str(home / "ipython"),
        JUPYTER_PREFER_ENV_PATH="1",
    )
    environment.pop("JUPYTER_CONFIG_PATH", None)
    return environment


def write_settings(folder: Path) -> None:
    """JupyterLab takes cells that are out of sight out of the page; a test reads them all."""
    settings = folder / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps({"windowingMode": "none"}), encoding="utf-8")


def wait_for_url(process: subprocess.Popen[bytes], runtime: Path, token: str, log: Path) -> str:
    """The server writes the port that it got to its runtime folder; then it must answer there."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(json.JSONDecodeError, KeyError, URLError, ConnectionError):
                url = str(json.loads(file.read_text(encoding="utf-8"))["url"])
                with urlopen(f"{url}api/status?token={token}", timeout=5):
                    return url
        time.sleep(0.1)
    stop(process)
    said = log.read_text(encoding="utf-8", errors="replace")
    raise RuntimeError(f"JupyterLab did not start:\n{said[-4000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Asks the server to end, its kernels being ended already, and kills what is left of its group."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=3)
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()
