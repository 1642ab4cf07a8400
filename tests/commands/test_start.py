"""The command line starts without what the command does not need; a notebook finds the names that it imports."""

import subprocess
import sys

import pytest

import autograder
from autograder import vocabulary
from autograder.__main__ import COMMANDS, main

HEAVY = {"numpy", "torch", "nbgrader", "nbformat", "jupytext", "IPython", "matplotlib", "safetensors"}


def loaded_by(*words: str) -> tuple[set[str], str]:
    """The packages that a command has loaded when it ends, and what it has printed."""
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('loaded:', *{name.split('.')[0] for name in sys.modules}))\n"
        "from autograder.__main__ import main\n"
        f"sys.exit(main({list(words)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    told, _, names = done.stdout.rpartition("loaded:")
    assert names, done.stderr
    return set(names.split()), told + done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        (),
        ("chek", "02"),
        ("check",),
        ("progress",),
        ("check", "02", "--sead", "1"),
        *((name, "--help") for name in COMMANDS),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_loaded_to_tell_how_a_command_is_used(words: tuple[str, ...]) -> None:
    loaded, told = loaded_by(*words)
    assert told
    assert loaded & HEAVY == set()


def test_help_says_what_each_command_does() -> None:
    _, told = loaded_by("--help")
    told = " ".join(told.split())
    assert [name for name, line in COMMANDS.items() if f"{name} {line}" not in told] == []


def test_a_command_that_does_not_exist_is_told_which_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["chek"])
    assert ended.value.code == 2
    assert "'preflight'" in capsys.readouterr().err


def test_a_notebook_can_import_every_name_and_no_other() -> None:
    space: dict[str, object] = {}
    exec("from autograder import *", space)
    assert {name for name in space if name != "__builtins__"} == set(vocabulary.__all__)
    assert set(vocabulary.__all__) <= set(dir(autograder))
    assert autograder.check is vocabulary.check
    with pytest.raises(ImportError, match="softmaxx"):
        exec("from autograder import softmaxx", {})


def test_a_part_of_the_package_can_be_imported_without_the_names() -> None:
    code = "from autograder import checks, commands; import sys; assert 'autograder.vocabulary' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
