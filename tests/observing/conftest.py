"""A confined child to try things in."""

import errno
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from autograder.observing.sandbox.isolation import available
from autograder.observing.sandbox.limits import Limits
from autograder.observing.sandbox.process import Outcome, collect, spawn

SMALL = Limits(memory=512 << 20, cpu=20, wall=30.0, folder_bytes=8 << 20, file_size=4 << 20)


def confined_walls() -> list[Any]:
    """Both kinds of walls, each skipped with the reason where this machine cannot build it."""
    found = available()
    held = {"namespaces": found.walls == "namespaces", "filters": found.enough}
    reason = found.facts[-1].sentence if found.facts else " ".join(found.missing)
    return [
        pytest.param(walls, marks=() if holds else pytest.mark.skip(reason=reason)) for walls, holds in held.items()
    ]


class Confined:
    """Runs functions under one kind of walls; `workdir` is the folder that they are given."""

    def __init__(self, walls: str, folder: Path) -> None:
        self.namespaces = walls == "namespaces"
        self.workdir = folder / "submission"
        self.workdir.mkdir()
        self.readable: list[Path] = []
        self.limits = SMALL

    def run(self, function: Callable[[], object], **changes: Any) -> Outcome:
        limits = Limits(**{**self.limits.__dict__, **changes})
        child = spawn(function, self.workdir, self.readable, limits, namespaces=self.namespaces)
        return collect(child, limits)

    def answer(self, function: Callable[[], object], **changes: Any) -> Any:
        """What `function` returns, by way of JSON."""
        outcome = self.run(lambda: print("\n" + json.dumps(function())), **changes)
        assert outcome.status == 0, outcome.output.decode()
        return json.loads(outcome.output.decode().splitlines()[-1])

    def error(self, action: Callable[[], object], **changes: Any) -> str:
        """The name of the operating system's error that `action` ends with; "none" where it succeeds."""
        return self.errors(lambda _: action(), [None], **changes)[0]

    def errors(self, action: Callable[[Any], object], values: Sequence[Any], **changes: Any) -> list[str]:
        """The same for `action` on each value, all in one child."""

        def attempt(value: Any) -> str:
            try:
                action(value)
            except OSError as error:
                return errno.errorcode.get(error.errno or 0, str(error))
            return "none"

        names: list[str] = self.answer(lambda: [attempt(value) for value in values], **changes)
        return names


@pytest.fixture(params=confined_walls() if sys.platform == "linux" else [])
def confined(request: pytest.FixtureRequest, tmp_path: Path) -> Confined:
    return Confined(request.param, _reachable(tmp_path))


@pytest.fixture(params=confined_walls()[:1] if sys.platform == "linux" else [])
def in_namespaces(request: pytest.FixtureRequest, tmp_path: Path) -> Confined:
    """With private namespaces only: what system call filter and Landlock alone do not give."""
    return Confined(request.param, _reachable(tmp_path))


def _reachable(folder: Path) -> Path:
    """Root's submissions run as an unused user: let that one through, so that only the sandbox can refuse."""
    place = folder
    shared = Path(tempfile.gettempdir())
    while shared in place.parents and place.stat().st_uid == os.getuid():
        place.chmod(0o755)
        place = place.parent
    return folder
