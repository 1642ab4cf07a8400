"""The pinned set and the package's own list of what it needs agree."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.quick

REPOSITORY = Path(__file__).resolve().parents[1]


def pinned() -> dict[str, str]:
    """The exact versions of requirements.txt by name."""
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    named = [line for line in lines if line and not line.startswith(("#", "-e"))]
    exact = (line.partition(";")[0].partition("==") for line in named)  # behind a semicolon: on which systems
    return {canonicalize_name(name): version for name, _, version in exact}


def needed() -> list[Requirement]:
    """What pyproject.toml asks for, extras included."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for extra in project.get("optional-dependencies", {}).values() for line in extra]
    return [Requirement(line) for line in [*project["dependencies"], *extras]]


def test_every_pin_is_exact() -> None:
    assert [name for name, version in pinned().items() if not version] == []


def test_everything_the_package_needs_is_pinned_at_a_version_it_accepts() -> None:
    pins = pinned()
    refused = [str(need) for need in needed() if pins.get(canonicalize_name(need.name), "") not in need.specifier]
    assert refused == []


def test_nothing_is_pinned_that_the_package_does_not_ask_for() -> None:
    assert pinned().keys() == {canonicalize_name(need.name) for need in needed()}


@pytest.mark.xdist_group("a group")
def test_a_group_of_tests_stays_on_one_worker(request: pytest.FixtureRequest) -> None:
    """Of pytest 9.2 and pytest-xdist 3.8 each class was graded twice, and each browser started twice."""
    if getattr(request.config.option, "loadgroup", False):
        assert request.node.nodeid.endswith("@a group")
