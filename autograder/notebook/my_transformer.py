"""What passes is kept: a learner's passing exercise becomes a module of their own package, `my_transformer`.

The module is cut from the notebook: the definition, the learner's own functions that it calls, and the imports that
it needs. It is written only when it passes the check by itself, in a namespace of its own.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import linecache
import os
import re
import symtable
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..formats.course import KEEP_NOTHING, shared_folder
from ..formats.language import said

PACKAGE = "my_transformer"
_INIT = '''"""The parts that you have built and that pass their checks; kept here by the checks themselves."""
'''
_MAIN = '''"""`python -m my_transformer "三百二十五"`, in the folder that this package lies in, answers with your own parts."""

from pathlib import Path

from autograder.notebook.my_translator import main

raise SystemExit(main(Path(__file__).resolve().parent))
'''
_PASSED = ".passed.json"
"""Which text of a part has passed on which cases: what has not changed since need not be checked again."""
_home: Path | None = None
_handed_out: dict[int, tuple[Any, str]] = {}


class CannotKeep(Exception):
    """The definition cannot stand by itself; the sentence says why."""


def package_folder(unit_folder: Path) -> Path:
    """Beside the units' folders: `notebooks/my_transformer`; inside `at(...)`, the folder named there."""
    return _home or shared_folder(unit_folder.resolve().parent) / PACKAGE


@contextlib.contextmanager
def at(folder: Path) -> Iterator[None]:
    """Inside the block the learner's package is this one, wherever the process was started."""
    global _home
    before, _home = _home, folder
    try:
        yield
    finally:
        _home = before


def hand_out(name: str, part: Any) -> Any:
    """Remember that `part` is the exercise `name`, under whatever name a notebook goes on to use it."""
    _handed_out[id(part)] = (part, name)
    return part


def is_on() -> bool:
    return not os.environ.get(KEEP_NOTHING)


def module_source(target: Any, name: str, exercises: frozenset[str]) -> str:
    """A module's text that defines `target` under `name` with all that it needs. Raises CannotKeep.

    exercises: names that are exercises of the course: these are taken from the package, not copied
    """
    needed = _Needed(exercises)
    needed.add(name, target)
    return needed.text()


class _Needed:
    """Definitions in the order in which they must stand, and the imports before them."""

    def __init__(self, exercises: frozenset[str]) -> None:
        self._exercises = exercises
        self._imports: set[str] = set()
        self._parts: list[str] = []
        self._definitions: dict[str, str] = {}
        self._open: set[str] = set()

    def add(self, name: str, target: Any) -> None:
        self._open.add(name)
        node, space = _definition(target)
        for used in sorted(_names(node)):
            if used not in self._open and used in space:
                self._resolve(used, space[used])
        self._definitions[name] = ast.unparse(node)

    def _resolve(self, name: str, value: Any) -> None:
        self._open.add(name)
        handed = _handed_out.get(id(value))
        if handed and handed[0] is value:
            self._parts.append(f"{name} = use_part({handed[1]!r})")
        elif name in self._exercises:
            self._parts.append(f"{name} = use_part({name!r})")
        elif isinstance(value, types.ModuleType):
            self._imports.add(f"import {value.__name__} as {name}" if value.__name__ != name else f"import {name}")
        elif _is_own(value):
            self.add(name, value)
        elif _is_literal(value):
            self._definitions[name] = f"{name} = {value!r}"
        elif line := _import_of(name, value):
            self._imports.add(line)
        else:
            raise CannotKeep(
                f"it uses `{name}`, an object of type {type(value).__name__} that lives only in your notebook"
            )

    def text(self) -> str:
        imports = sorted(self._imports)
        if self._parts:
            imports.append("from autograder import use_part")
        pieces = ["from __future__ import annotations", "\n".join(imports), "\n".join(sorted(self._parts))]
        pieces += self._definitions.values()
        return "\n\n\n".join(piece for piece in pieces if piece) + "\n"


def _definition(target: Any) -> tuple[ast.stmt, Mapping[str, Any]]:
    """The `def` or `class` statement that made `target`, and the namespace that it stands in."""
    function = target
    if isinstance(target, type):
        own = [value for value in vars(target).values() if isinstance(value, types.FunctionType)]
        if not own:
            raise CannotKeep(f"`{target.__name__}` has no methods of its own")
        function = own[0]
    function = _undecorated(function)
    code = getattr(function, "__code__", None)
    if code is None:
        raise CannotKeep(f"`{getattr(target, '__name__', target)}` is not a plain function or class")
    lines = linecache.getlines(code.co_filename)
    with contextlib.suppress(SyntaxError, ValueError):
        for node in reversed(ast.parse("".join(lines)).body):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == target.__name__:
                return node, function.__globals__
    raise CannotKeep(f"the source of `{target.__name__}` cannot be found in any cell")


def _undecorated(value: Any) -> Any:
    """The function as it was written: behind a wrapper, or inside a kernel of Triton's."""
    inner = getattr(value, "__wrapped__", None) or getattr(value, "fn", None)
    return inner if isinstance(inner, types.FunctionType) else value


def _is_literal(value: Any) -> bool:
    """A number, a text, or a small collection of these: its `repr` makes it anew."""
    if not isinstance(value, (bool, int, float, str, type(None), tuple, list, dict, set)):
        return False
    with contextlib.suppress(Exception):
        text = repr(value)
        return len(text) <= 10_000 and bool(ast.literal_eval(text) == value)
    return False


def _names(node: ast.AST) -> set[str]:
    """Names that a definition looks up around it; not its parameters, nor what it assigns itself."""
    found: set[str] = set()
    tables = [symtable.symtable(ast.unparse(node), "<definition>", "exec")]
    while tables:
        table = tables.pop()
        top = table.get_type() == "module"
        found |= {
            s.get_name() for s in table.get_symbols() if (top and s.is_referenced()) or (not top and s.is_global())
        }
        tables += table.get_children()
    notes = [
        note
        for inner in ast.walk(node)
        for note in (getattr(inner, "annotation", None), getattr(inner, "returns", None))
        if isinstance(note, ast.AST)
    ]
    return found | {inner.id for note in notes for inner in ast.walk(note) if isinstance(inner, ast.Name)}


def _is_own(value: Any) -> bool:
    """Whether a function or class was defined in a cell."""
    value = _undecorated(value)
    if not isinstance(value, (types.FunctionType, type)):
        return False
    if getattr(value, "__module__", "") not in ("__main__", "submission"):
        return False
    try:
        _definition(value)
    except CannotKeep:
        return False
    return True


def _import_of(name: str, value: Any) -> str:
    """How an object can be imported: by its own module and name, or by those of its class's module."""
    module = getattr(value, "__module__", None)
    own = getattr(value, "__name__", None)
    named = isinstance(module, str) and isinstance(own, str) and module != "__main__"
    if named and getattr(sys.modules.get(str(module)), str(own), None) is value:
        return f"from {module} import {own}" + (f" as {name}" if own != name else "")
    return ""


def load(text: str, name: str, filename: str) -> Any:
    """Run a module's text in a namespace of its own and return what it defines as `name`."""
    module = types.ModuleType(f"{PACKAGE}.{name}")
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    exec(compile(text, filename, "exec"), vars(module))
    return vars(module)[name]


def write(folder: Path, name: str, text: str) -> None:
    """Put the module into the package, replacing an earlier one at once."""
    write_plain(folder, f"{name}.py", text)
    if read(folder, "__main__") != _MAIN:
        write_plain(folder, "__main__.py", _MAIN)


def write_plain(folder: Path, file_name: str, text: str) -> None:
    """Put a file into the package, replacing an earlier one at once. Raises OSError."""
    open_package(folder)
    replace_file(folder / file_name, text.encode())


def open_package(folder: Path) -> None:
    """Make the package, where there is none yet. Raises OSError."""
    folder.mkdir(exist_ok=True)
    if not (folder / "__init__.py").is_file():
        (folder / "__init__.py").write_text(_INIT, encoding="utf-8")


def write_file(folder: Path, path: Path) -> None:
    """Put a file that an exercise reads into the package, replacing an earlier one at once."""
    replace_file(folder / path.name, path.read_bytes())


def replace_file(path: Path, data: bytes) -> None:
    """Write a file at once: whoever reads it finds this or what it held before. Raises OSError."""
    fresh = path.with_name(f".{path.name}.writing")
    fresh.write_bytes(data)
    fresh.replace(path)


def read_entries(folder: Path, file_name: str) -> dict[str, Any]:
    """What a JSON file of the package holds by name; nothing where there is none that can be read."""
    try:
        found = json.loads((folder / file_name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def add_entry(folder: Path, file_name: str, name: str, value: Any) -> None:
    """Add to a JSON file of the package, and make the package where there is none yet. Raises OSError."""
    entries = read_entries(folder, file_name) | {name: value}
    write_plain(folder, file_name, json.dumps(entries, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


def keep_weights(model: Any, weights: str, about: dict[str, str]) -> None:
    """Keep a trained model's weights in the learner's package, under this file name, where the package is kept at all.

    about: what the file says of them
    """
    if not is_on():
        return
    from safetensors.torch import save_file

    package = package_folder(Path.cwd())
    state = {name: weight.detach().cpu().contiguous() for name, weight in model.named_parameters()}
    with contextlib.suppress(OSError):
        open_package(package)
        save_file(state, package / weights, metadata=about)
        print(said(f"Kept: {PACKAGE}/{weights}"))


def has_passed(folder: Path, name: str, text: str, cases: bytes) -> bool:
    """Whether this text of the part has passed on these cases before."""
    return bool(read_entries(folder, _PASSED).get(name) == _stamp(text, cases))


def note_passed(folder: Path, name: str, text: str, cases: bytes) -> None:
    with contextlib.suppress(OSError):  # it is only slower without
        add_entry(folder, _PASSED, name, _stamp(text, cases))


def _stamp(text: str, cases: bytes) -> str:
    return hashlib.sha256(hashlib.sha256(text.encode()).digest() + hashlib.sha256(cases).digest()).hexdigest()


def uses(text: str) -> tuple[str, ...]:
    """Names of the other exercises that a kept module uses."""
    return tuple(re.findall(r"^\w+ = use_part\('(\w+)'\)$", text, flags=re.MULTILINE))


def read(folder: Path, name: str) -> str | None:
    try:
        return (folder / f"{name}.py").read_text(encoding="utf-8")
    except OSError:
        return None
