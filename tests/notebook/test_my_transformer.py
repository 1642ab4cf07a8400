"""A passing part becomes a module that stands by itself."""

import contextlib
import linecache
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from autograder.formats.course import KEEP_NOTHING
from autograder.notebook import my_transformer

pytestmark = pytest.mark.quick


def cell(source: str, space: dict | None = None) -> dict:
    """A cell run as a notebook runs it: in `__main__`, its text kept."""
    space = space if space is not None else {"__name__": "__main__"}
    name = f"<cell {len(linecache.cache)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), space)
    return space


def kept(space: dict, name: str, exercises: tuple[str, ...] = ()) -> object:
    text = my_transformer.module_source(space[name], name, frozenset(exercises))
    return my_transformer.load(text, name, f"<kept {name}>")


def test_a_function_takes_along_what_it_needs() -> None:
    space = cell("import numpy as np\nfrom math import sqrt\nSCALE = 2.0")
    cell("def helper(x):\n    return SCALE * np.asarray(x)", space)
    cell("def double(x):\n    return helper(x) / sqrt(1.0)", space)
    assert kept(space, "double")(np.ones(2)).tolist() == [2.0, 2.0]  # type: ignore[operator]


def test_a_class_takes_along_its_base_and_its_functions() -> None:
    space = cell("from torch import nn\nimport torch\ndef act(x): return torch.relu(x)")
    cell("class Block(nn.Module):\n    def forward(self, x):\n        return act(x)", space)
    import torch

    assert kept(space, "Block")()(torch.tensor([-1.0, 1.0])).tolist() == [0.0, 1.0]  # type: ignore[operator]


def test_another_exercise_is_used_from_the_course_and_not_copied() -> None:
    space = cell("def softmax(x):\n    return x")
    cell("def attend(x):\n    return softmax(x)", space)
    text = my_transformer.module_source(space["attend"], "attend", frozenset({"softmax"}))
    assert "softmax = use_part('softmax')" in text
    assert "def softmax" not in text


def test_a_function_that_calls_itself_is_kept_once() -> None:
    space = cell("def fact(n):\n    return 1 if n < 2 else n * fact(n - 1)")
    assert kept(space, "fact")(5) == 120  # type: ignore[operator]


def test_what_lives_only_in_the_notebook_cannot_be_kept() -> None:
    space = cell("table = object()\ndef look(x):\n    return table")
    with pytest.raises(my_transformer.CannotKeep, match="`table`, an object of type object"):
        my_transformer.module_source(space["look"], "look", frozenset())


def test_the_package_grows_beside_the_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = my_transformer.package_folder(tmp_path / "notebooks" / "02_attention_scores")
    folder.parent.mkdir()
    my_transformer.write(folder, "double", "def double(x):\n    return 2 * x\n")
    my_transformer.write(folder, "double", "def double(x):\n    return x + x\n")
    assert folder == (tmp_path / "notebooks" / "my_transformer").resolve()
    monkeypatch.syspath_prepend(folder.parent)
    from importlib import import_module

    module = import_module("my_transformer.double")
    assert isinstance(module, types.ModuleType)
    assert module.double(4) == 8
    sys.modules.pop("my_transformer.double")
    sys.modules.pop("my_transformer")


def test_a_parameter_is_not_mistaken_for_a_name_of_the_notebook() -> None:
    space = cell("import numpy as np\nW_k, keys = np.ones(2), object()")
    cell("def score(q, W_k):\n    keys = [k for k in W_k]\n    return [q * k for k in keys]", space)
    assert kept(space, "score")(2, [1, 3]) == [2, 6]  # type: ignore[operator]


def test_defaults_decorators_annotations_and_inner_functions_take_along_what_they_name() -> None:
    space = cell("import functools\nfrom collections.abc import Callable\nLIMIT = 3\nBASE = 2.0")
    cell("@functools.cache\ndef power(n: int, most: int = LIMIT) -> Callable[[], float]:\n"
         "    def inner() -> float:\n        return BASE ** min(n, most)\n    return inner", space)  # fmt: skip
    assert kept(space, "power")(5)() == 8.0  # type: ignore[operator]


def test_small_tables_of_literals_are_taken_along() -> None:
    space = cell('SPECIALS = ("<pad>", "<bos>")\nORDER = {"a": [1, 2]}\ndef first(): return SPECIALS[0], ORDER["a"]')
    assert kept(space, "first")() == ("<pad>", [1, 2])  # type: ignore[operator]


def test_a_part_under_another_name_is_taken_from_the_course() -> None:
    from autograder import use_part

    space = cell("")
    with keep_nothing():
        space["mix"] = use_part("masked_attention")
    cell("def attend(x): return mix(x, x, x, None)", space)
    text = my_transformer.module_source(space["attend"], "attend", frozenset({"masked_attention"}))
    assert "mix = use_part('masked_attention')" in text
    assert my_transformer.uses(text) == ("masked_attention",)


@contextlib.contextmanager
def keep_nothing() -> Iterator[None]:
    before = os.environ.get(KEEP_NOTHING)
    os.environ[KEEP_NOTHING] = "1"
    try:
        yield
    finally:
        os.environ.pop(KEEP_NOTHING)
        if before is not None:
            os.environ[KEEP_NOTHING] = before


def test_what_has_passed_is_known_until_its_text_or_its_cases_change(tmp_path: Path) -> None:
    my_transformer.note_passed(tmp_path, "double", "def double", b"cases")
    my_transformer.note_passed(tmp_path, "other", "def other", b"cases")
    assert my_transformer.has_passed(tmp_path, "double", "def double", b"cases")
    assert not my_transformer.has_passed(tmp_path, "double", "def double(x)", b"cases")
    assert not my_transformer.has_passed(tmp_path, "double", "def double", b"other cases")
    (tmp_path / ".passed.json").write_text("{", encoding="utf-8")
    assert not my_transformer.has_passed(tmp_path, "double", "def double", b"cases")


def test_a_kernel_is_taken_along_with_the_function_that_launches_it() -> None:
    class Kernel:  # as Triton's decorator makes of a function
        def __init__(self, fn: types.FunctionType) -> None:
            self.fn, self.__name__ = fn, fn.__name__

    module = types.ModuleType("kernels_of_a_library")
    module.jit = Kernel  # type: ignore[attr-defined]
    sys.modules["kernels_of_a_library"] = module
    space = cell("import kernels_of_a_library as kernels")
    cell("@kernels.jit\ndef twice(x):\n    return 2 * x\ndef launch(x):\n    return twice.fn(x)", space)
    assert kept(space, "launch")(3) == 6  # type: ignore[operator]
