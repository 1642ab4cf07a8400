"""What `doctor` tells of a machine."""

import shutil
from collections import namedtuple
from importlib import metadata
from pathlib import Path

import pytest

from autograder.grading import doctor
from autograder.grading.doctor import Line, render, report
from autograder.observing.sandbox.isolation import Fact, Isolation

ALL_WALLS = Isolation("Linux", True, "namespaces", (Fact("seccomp", True, "Seccomp: yes."),), ())
NO_NAMESPACES = Isolation("Linux", False, "filters", (Fact("pid_namespace", False, "PID: refused."),), ())
MAC = Isolation("macOS", False, "none", (), ("This is macOS.",))


def line(topic: str, isolation: Isolation = ALL_WALLS) -> Line:
    return next(line for line in report(isolation=isolation) if line.topic == topic)


def test_every_question_of_an_instructor_has_a_line() -> None:
    topics = {line.topic for line in report(isolation=ALL_WALLS)}
    assert topics >= {
        "python",
        "torch",
        "numpy",
        "nbgrader",
        "disk",
        "processors",
        "system",
        "isolation",
    }


def test_versions_are_those_installed() -> None:
    for name in ("torch", "nbgrader"):
        assert metadata.version(name) in line(name).sentence


def test_a_missing_package_comes_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "version", absent)
    found = line("nbgrader")
    assert found.state == "missing"
    assert "pip install -r requirements.txt" in found.sentence


def test_a_nearly_full_disk_is_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(100 << 30, 99 << 30, 1 << 29))
    found = next(line for line in report(tmp_path, ALL_WALLS) if line.topic == "disk")
    assert found.state == "note"
    assert "0.5 GiB free" in found.sentence


def test_all_walls_read_as_ready() -> None:
    assert line("isolation").state == "ok"
    assert line("seccomp").sentence == "Seccomp: yes."


def test_missing_namespaces_are_a_note_that_says_what_is_lost() -> None:
    found = line("isolation", NO_NAMESPACES)
    assert found.state == "note"
    assert "cannot start processes" in found.sentence
    assert line("pid namespace", NO_NAMESPACES).state == "note"


def test_no_isolation_is_missing_with_the_reason_and_the_risk() -> None:
    found = line("isolation", MAC)
    assert found.state == "missing"
    assert "This is macOS." in found.sentence
    assert "--isolation none" in found.sentence


def test_the_text_has_one_row_a_line_and_ends_in_a_verdict() -> None:
    lines = [Line("python", "ok", "Python 3."), Line("nbgrader", "missing", "Not here.")]
    assert render(lines).splitlines() == [
        "ok      python    Python 3.",
        "MISSING nbgrader  Not here.",
        "",
        "Not ready to grade: nbgrader.",
    ]
    assert render(lines[:1]).endswith("\nReady to grade.")


def test_this_machine_can_be_asked() -> None:
    text = render(report())
    assert "isolation" in text
    assert "Python 3" in text
