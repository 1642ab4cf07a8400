"""Which room of the package may see which: a notebook loads no code of the author or the grader."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.quick

PACKAGE = Path(__file__).resolve().parents[1] / "autograder"
ROOMS = (
    "formats",
    "library",
    "observing",
    "judging",
    "lab",
    "notebook",
    "authoring",
    "grading",
    "measuring",
    "commands",
    "checks",
)
SEES: dict[str, set[str]] = {
    "__init__.py": {"judging"},
    "vocabulary.py": {"notebook", "judging"},
    "formats": set(),
    "lab": {"formats"},
    "library": {"formats"},
    "observing": {"formats", "library"},
    "judging": {"formats", "library", "lab"},
    "notebook": {"formats", "library", "observing", "judging", "lab"},
    "authoring": {"formats", "library", "observing", "judging"},
    "grading": {"formats", "library", "observing", "judging", "authoring"},
    "measuring": {"formats", "library", "observing", "judging", "lab", "authoring"},
    "commands": {*ROOMS} - {"commands"},
    "checks": {"notebook"},  # the old path that saved `my_transformer` packages import
}
FORBIDDEN = {room: {*ROOMS} - {room} - seen for room, seen in SEES.items()}
WITHOUT_CYCLES = ROOMS


def broken_rules(package: Path) -> list[str]:
    """One line for each import that crosses a boundary, and for each cycle between the parts."""
    imports = {part: dict(imports_of_part(package, part)) for part in FORBIDDEN}
    broken = [
        f"{package.name}/{place} imports {target}"
        for part, forbidden in FORBIDDEN.items()
        for place, targets in imports[part].items()
        for target in sorted(targets & forbidden)
    ]
    uses = {part: set().union(*imports[part].values()) - {part} for part in WITHOUT_CYCLES}
    return broken + [f"import cycle: {' -> '.join(cycle)}" for cycle in cycles(uses)]


def imports_of_part(package: Path, part: str) -> Iterator[tuple[str, set[str]]]:
    """Each import of a module of `part` as ("part/module.py:line", the parts of the package it names)."""
    for module in [package / part] if part.endswith(".py") else sorted((package / part).rglob("*.py")):
        place = module.relative_to(package)
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            names = [
                name[len(package.name) + 1 :].split(".")[0]
                for name in imported_names(node, (package.name, *place.parent.parts))
                if name.startswith(f"{package.name}.")
            ]
            if named := set(names) & FORBIDDEN.keys():
                yield f"{place.as_posix()}:{node.lineno}", named


def imported_names(node: ast.AST, inside: tuple[str, ...]) -> list[str]:
    """The full dotted names that a statement imports; `inside` is the package that the module lies in."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = inside[: len(inside) - node.level + 1] if node.level else ()
        prefix = ".".join([*base, *([node.module] if node.module else [])])
        return [f"{prefix}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = ast.unparse(node.func)
        if called in ("importlib.import_module", "import_module", "__import__"):
            return [str(node.args[0].value)]
    return []


def cycles(uses: dict[str, set[str]]) -> list[list[str]]:
    """The cycles of a graph, each once, from the alphabetically first of its nodes back to it."""
    found = []

    def follow(path: list[str]) -> None:
        for following in sorted(uses[path[-1]] & uses.keys()):
            if following == path[0]:
                found.append([*path, following])
            elif following > path[0] and following not in path:
                follow([*path, following])

    for start in sorted(uses):
        follow([start])
    return found


def test_the_package_keeps_its_boundaries() -> None:
    assert broken_rules(PACKAGE) == []


def private_imports(package: Path) -> list[str]:
    """One line for each name with a leading underscore that a module takes from another module of the package."""
    found = []
    for module in sorted(package.rglob("*.py")):
        place = module.relative_to(package)
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            for name in imported_names(node, (package.name, *place.parent.parts)):
                own, last = name.split(".")[0] == package.name, name.split(".")[-1]
                if own and last.startswith("_") and not last.startswith("__"):
                    found.append(f"{package.name}/{place.as_posix()}:{node.lineno} imports {last}")
    return found


def test_what_begins_with_an_underscore_stays_in_its_module() -> None:
    assert private_imports(PACKAGE) == []


def test_a_private_name_that_is_imported_is_named_with_its_file(tmp_path: Path) -> None:
    lines = {
        "judging/verdict.py": "from ..formats.cases import _packed",
        "formats/cases.py": "from torch import _C\nfrom . import __version__",
    }
    found = private_imports(made_up_package(tmp_path, lines))
    assert found == ["autograder/judging/verdict.py:1 imports _packed"]


def test_every_part_of_the_package_is_looked_at() -> None:
    parts = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert parts == {part for part in FORBIDDEN if not part.endswith(".py")}


@pytest.mark.parametrize(
    ("part", "line", "target"),
    [
        ("observing", "import autograder.judging.verdict", "judging"),
        ("notebook", "from autograder.grading import judge", "grading"),
        ("judging", "from autograder import grading", "grading"),
        ("notebook", "from ..authoring.build import build", "authoring"),
        ("formats", "from .. import grading", "grading"),
        ("judging", "def late():\n    import autograder.grading.judge", "grading"),
        ("notebook", "import importlib\nimportlib.import_module('autograder.grading')", "grading"),
        ("library", "from ..authoring import parse", "authoring"),
        ("lab", "from autograder.judging import verdict", "judging"),
        ("lab", "from ..grading import judge as deciding", "grading"),
    ],
)
def test_an_import_across_a_boundary_is_named_with_its_file(tmp_path: Path, part: str, line: str, target: str) -> None:
    package = made_up_package(tmp_path, {f"{part}/cases.py": line})
    number = line.count("\n") + 1
    assert broken_rules(package) == [f"autograder/{part}/cases.py:{number} imports {target}"]


def test_an_import_in_a_folder_further_down_is_found(tmp_path: Path) -> None:
    package = made_up_package(tmp_path, {"judging/probes/shapes.py": "from ...grading import judge"})
    assert broken_rules(package) == ["autograder/judging/probes/shapes.py:1 imports grading"]


def test_what_the_package_itself_imports_counts_for_every_notebook(tmp_path: Path) -> None:
    for module in ("__init__.py", "vocabulary.py"):
        package = made_up_package(tmp_path / module, {module: "from .grading import grade"})
        assert broken_rules(package) == [f"autograder/{module}:1 imports grading"]


def test_a_cycle_between_two_parts_is_named(tmp_path: Path) -> None:
    lines = {
        "authoring/verify.py": "from ..grading import judge",
        "grading/judge.py": "from ..authoring import parse",
    }
    assert "import cycle: authoring -> grading -> authoring" in broken_rules(made_up_package(tmp_path, lines))


def test_what_is_allowed_is_not_complained_about(tmp_path: Path) -> None:
    lines = {
        "judging/verdict.py": "import numpy\nfrom . import cases\nfrom ..lab import figures",
        "authoring/build.py": "from autograder.formats import cases\nimport autograder.judging.verdict",
        "grading/judge.py": "from autograder.judging.verdict import Verdict\nfrom ..lessons import parse",
    }
    assert broken_rules(made_up_package(tmp_path, lines)) == []


def made_up_package(root: Path, modules: dict[str, str]) -> Path:
    package = root / "autograder"
    for name, text in {"__init__.py": "", "vocabulary.py": "", **modules}.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return package
