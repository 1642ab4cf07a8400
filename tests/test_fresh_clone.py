"""The commands of README, docs/ and INSTRUCTORS, as they stand there, in a fresh clone with an environment of its own.

Tests need no network, so the libraries are this environment's files, linked into the new one; the course itself is
installed from the clone.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import nbformat
import pytest

from tests.course.learner import pasted

COURSE = Path(__file__).resolve().parents[1]
UNIT, NAME = "02_attention_scores", "attention_scores"
pytestmark = [
    pytest.mark.xdist_group("fresh clone"),
    pytest.mark.skipif(os.name == "nt", reason="the lines that are run are those for a Unix shell"),
]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the last commit; of all files, where this is no checkout."""
    place = tmp_path_factory.mktemp("fresh") / "course"
    if (COURSE / ".git").exists():
        subprocess.run(["git", "clone", "--quiet", str(COURSE), str(place)], check=True)
    else:
        unwanted = shutil.ignore_patterns(
            ".venv", "*.egg-info", "__pycache__", ".*_cache", "my_transformer", "sample_class"
        )
        shutil.copytree(COURSE, place, ignore=unwanted)
    make_environment(place / ".venv")
    return place


def make_environment(place: Path) -> None:
    """What `python -m venv` and pip leave when every pinned library is installed, and the course is not yet."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    ours = Path(sys.prefix)
    for part in ("lib", "share", "etc", "include"):
        if (ours / part).exists():
            shutil.copytree(ours / part, place / part, copy_function=linked, ignore=the_course, dirs_exist_ok=True)
    for script in (ours / "bin").iterdir():
        if not script.is_symlink() and not (place / "bin" / script.name).exists():
            text = script.read_bytes().replace(os.fsencode(ours), os.fsencode(place))
            (place / "bin" / script.name).write_bytes(text)
            (place / "bin" / script.name).chmod(0o755)


def the_course(folder: str, names: list[str]) -> list[str]:
    return [
        name for name in names if re.match(r"_*(editable_*)?autograder\b|__editable___autograder|__pycache__$", name)
    ]


def linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copy2(source, target)


def told(document: Path, heading: str) -> list[str]:
    """The lines of the code blocks under a heading, without blank ones."""
    part = re.split(rf"^## {re.escape(heading)}$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
    part = re.split(r"^## ", part, flags=re.MULTILINE)[0]
    blocks = re.findall(r"^```\w*\n(.*?)^```", part, flags=re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def command_of(line: str) -> str:
    """A line without its comment; what a comment says for other systems than Windows instead of it."""
    command, _, comment = line.partition("  # ")
    elsewhere = re.search(r"elsewhere: (.+)", comment)
    return (elsewhere[1] if elsewhere else command).strip()


def shell(clone: Path, commands: list[str], **more: str) -> str:
    """Run lines in one shell that ends at the first failure; returns what they said."""
    script = "set -eux\n" + "\n".join(commands)
    done = subprocess.run(
        ["bash", "-c", script], cwd=clone, env={**environment(), **more}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}"
    return done.stdout


def environment() -> dict[str, str]:
    """This one, without the environment that the tests run in; pip and uv cannot go to the network."""
    unwanted = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "COVERAGE_PROCESS_START")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted and not name.startswith("PYTEST")}
    ours = Path(sys.prefix) / "bin"
    path = [place for place in kept["PATH"].split(os.pathsep) if Path(place) != ours]
    base = str(Path(os.path.realpath(sys.executable)).parent)
    pip = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    uv = {"UV_OFFLINE": "1", "UV_NO_BUILD_ISOLATION": "1"}
    return {**kept, **pip, **uv, "PATH": os.pathsep.join([base, *path])}


def opens(clone: Path, command: str) -> str:
    """Start JupyterLab by a line of the document, ask for the page it opens on, end it; returns that page."""
    runtime = clone.parent / "jupyter"
    settings = {
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_CONFIG_DIR": str(clone.parent / "config"),
        "BROWSER": "true",
    }
    if os.geteuid() == 0:  # in a container; `make lab` knows this by itself
        command = command.replace("jupyter lab ", "jupyter lab --allow-root ")
    log = clone.parent / "lab.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            ["bash", "-c", f"source .venv/bin/activate && {command}"], cwd=clone, env={**environment(), **settings},
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and server.poll() is None:
            for found in runtime.glob("jpserver-*.json"):
                try:
                    running = json.loads(found.read_text(encoding="utf-8"))
                    with urllib.request.urlopen(
                        f"{running['url']}lab/tree/notebooks/start.ipynb?token={running['token']}"
                    ) as page:
                        return str(page.read().decode())
                except (urllib.error.URLError, ValueError):
                    continue
            time.sleep(0.2)
        raise AssertionError(log.read_text(encoding="utf-8")[-2000:])
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)
        shutil.rmtree(runtime, ignore_errors=True)


CLONING = "git clone <this project> && cd <its folder>"


def of_a_shell(lines: list[str]) -> list[str]:
    """What can be run and ends: not the clone, which is made, and no server."""
    commands = [command_of(line) for line in lines]
    return [one for one in commands if one != CLONING and not re.match(r"make lab\b|jupyter lab\b", one)]


def test_the_readme_opens_the_course(clone: Path) -> None:
    """Both ways: with make, and by the plain commands, of which the course's own installation is one."""
    lines = told(clone / "README.md", "Learn")
    assert lines[0] == CLONING
    lines += told(clone / "docs" / "learning.md", "Without make")
    servers = [command_of(line) for line in lines if re.match(r"make lab\b|jupyter lab\b", line)]
    assert len(servers) == 2
    plain = [command_of(line) for line in lines if re.match(r"python -m venv|\.venv|python -m pip", line)]
    assert len(plain) == 3
    said = shell(clone, plain)
    assert "Successfully installed autograder" in said
    where = shell(
        clone,
        ["source .venv/bin/activate", "cd notebooks", "python -c 'import autograder; print(autograder.__file__)'"],
    )
    assert str(clone) in where
    for server in servers:
        assert "JupyterLab" in opens(clone, server)


def test_a_learners_commands(clone: Path) -> None:
    lines = told(clone / "README.md", "Learn")
    commands = [command_of(line) for line in lines if line.startswith("python -m autograder")]
    assert len(commands) == 3
    mine = clone / "notebooks" / "03_self_attention" / "self_attention.ipynb"
    nbformat.write(pasted(clone, "03_self_attention"), mine)
    said = shell(clone, ["source .venv/bin/activate", *(one.replace("FILE", str(mine)) for one in commands)])
    assert said.count("✓ passed") >= 4 and "✗" not in said and "Ready to hand in." in said


def test_an_instructors_commands(clone: Path) -> None:
    """The README's, and the ten commands to a first graded class, with what a platform's download holds."""
    short = of_a_shell(told(clone / "README.md", "Teach"))
    ten = of_a_shell(told(clone / "INSTRUCTORS.md", "From clone to the first graded class"))
    assert "python -m autograder grade" in short and len(ten) >= 8
    students = {
        "ada": f"kingada_11_456_{NAME}-1.ipynb",
        "bob": f"raybob_LATE_12_457_{NAME}.ipynb",
        "cy": "leecy_13_458_my homework.ipynb",
    }
    lines = (f'"{student}, {student}",1{number},S{number},{student},A' for number, student in enumerate(students, 1))
    (clone / "roster.csv").write_text(
        "\n".join(["Student,ID,SIS User ID,SIS Login ID,Section", *lines]), encoding="utf-8"
    )
    with zipfile.ZipFile(clone / "submissions.zip", "w") as packed:
        for student, name in students.items():
            packed.write(clone / ("solutions" if student == "ada" else "notebooks") / UNIT / f"{NAME}.ipynb", name)
    # Without a sandbox `grade` refuses, and says so; this class is the course's own code.
    isolation = "auto" if sys.platform == "linux" else "none"
    shell(
        clone,
        [re.sub(r"autograder grade\b", f"autograder grade --isolation {isolation}", one) for one in (*ten, *short)],
    )
    rows = (clone / "reports" / "grades.csv").read_text(encoding="utf-8").splitlines()
    assert sum(UNIT in row for row in rows) == len(students), rows
    assert (clone / "units.zip").is_file()
    for student in students:
        assert (clone / "feedback" / student / UNIT / f"{NAME}.html").is_file()


def test_the_made_up_class(clone: Path) -> None:
    said = shell(clone, ["make grade"])
    assert "sample_class/gradebook.db" in said
    assert (clone / "sample_class" / "reports" / "report.html").is_file()
