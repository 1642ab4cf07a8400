"""Odd but honest notebooks: a learner's right answers, in the state in which notebooks are really handed in.

Each `Odd` changes the solved notebook of one unit and says what of it may not pass. All callers must tell the same
of it. A `worn` notebook has several oddities at once, for callers that are too dear to be asked of each alone; together
the worn ones have all but `quit`.
"""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

ATTENTION, POSITIONS = "02_attention_scores", "06_positional_encoding"
POINTS = {
    ATTENTION: {"softmax": 3.0, "dot_product_score": 3.0, "additive_score": 3.0, "scaled_scores": 3.0, "attend_one": 6.0},
    POSITIONS: {
        "sinusoidal_positions": 6.0,
        "shift_matrix": 3.0,
        "LearnedPositions": 3.0,
        "TransformerEmbedding": 6.0,
        "one_hot_view": 3.0,
    },
}  # fmt: skip
"""What the visible cases are worth."""
MISSING = "nowhere_installed"
"""A package that no machine has."""


def notebook_name(unit: str) -> str:
    return f"{unit.split('_', 1)[1]}.ipynb"


class Notebook:
    """A learner's notebook in the making: begins with the course's own answers."""

    def __init__(self, released: nbformat.NotebookNode, solved: nbformat.NotebookNode) -> None:
        self.node: dict[str, Any] = copy.deepcopy(released)
        self._released = released
        answers = {_grade_id(cell): cell.source for cell in solved.cells if _part(cell) == "solution"}
        for cell in self.cells:
            if _part(cell) == "solution":
                cell["source"] = answers[_grade_id(cell)]

    @property
    def cells(self) -> list[dict[str, Any]]:
        cells: list[dict[str, Any]] = self.node["cells"]
        return cells

    def cell(self, grade_id: str) -> dict[str, Any]:
        return next(cell for cell in self.cells if _grade_id(cell) == grade_id)

    def setup(self) -> dict[str, Any]:
        return next(cell for cell in self.cells if _part(cell) == "setup")

    def source(self, grade_id: str) -> str:
        return str(self.cell(grade_id)["source"])

    def write(self, grade_id: str, source: str) -> None:
        self.cell(grade_id)["source"] = source

    def edit(self, grade_id: str, old: str, new: str) -> None:
        source = self.source(grade_id)
        assert source.count(old) == 1, (grade_id, old)
        self.write(grade_id, source.replace(old, new))

    def untouched(self, grade_id: str) -> None:
        """The cell as it was released."""
        self.write(grade_id, next(cell.source for cell in self._released.cells if _grade_id(cell) == grade_id))

    def own_before(self, grade_id: str, *sources: str) -> None:
        at = self.cells.index(self.cell(grade_id))
        self.cells[at:at] = [_own_cell(source) for source in sources]

    def own_after_setup(self, *sources: str) -> None:
        at = self.cells.index(self.setup()) + 1
        self.cells[at:at] = [_own_cell(source) for source in sources]

    def save(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.node, ensure_ascii=False, indent=1), encoding="utf-8")
        return path

    def save_as_python(self, path: Path) -> Path:
        """The setup, the learner's own cells and the answers, as one Python file."""
        kept = ("", "setup", "solution")
        sources = [cell["source"] for cell in self.cells if cell["cell_type"] == "code" and _part(cell) in kept]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n\n\n".join(sources) + "\n", encoding="utf-8")
        return path


def _own_cell(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}


def _part(cell: Mapping[str, Any]) -> str:
    return str(cell["metadata"].get("autograder", {}).get("part", ""))


def _grade_id(cell: Mapping[str, Any]) -> str:
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


@dataclass(frozen=True)
class Odd:
    """One oddity.

    loses:    exercises that get no points for it, and words that the sentence must have (of "a|b" either)
    told:     words of a note that tells what was found changed, in a check's panel (of "a|b" either)
    beside:   files beside the notebook
    """

    unit: str
    change: Callable[[Notebook], None]
    loses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)

    def points(self) -> dict[str, float]:
        return {name: 0.0 if name in self.loses else points for name, points in POINTS[self.unit].items()}


ODD: dict[str, Odd] = {}


def odd(name: str, unit: str = ATTENTION, **more: Any) -> Callable[[Callable[[Notebook], None]], None]:
    def register(change: Callable[[Notebook], None]) -> None:
        ODD[name] = Odd(unit, change, **more)

    return register


# Magics and what only a notebook has


@odd("time-magic")
def _(notebook: Notebook) -> None:
    notebook.write("softmax", "%%time\n" + notebook.source("softmax"))


@odd("capture-magic")
def _(notebook: Notebook) -> None:
    notebook.write("dot_product_score", "%%capture\n" + notebook.source("dot_product_score") + "\nprint('defined')")


@odd("first-attempt-that-does-not-parse")
def _(notebook: Notebook) -> None:
    notebook.own_before(
        "additive_score", "def additive_score(a_i, a_j, W_q, W_k, w):\n    return w @ np.tanh(W_q @ a_i"
    )


@odd("first-attempt-that-raises")
def _(notebook: Notebook) -> None:
    notebook.own_before("scaled_scores", "def scaled_scores(q: np.arrays, keys: np.arrays):\n    return keys @ q")


@odd("await")
def _(notebook: Notebook) -> None:
    notebook.write("attend_one", "import asyncio\n\nawait asyncio.sleep(0)\n\n\n" + notebook.source("attend_one"))


@odd("timeit-result")
def _(notebook: Notebook) -> None:
    notebook.own_before("softmax", "took = %timeit -o -q -n 1 -r 1 np.exp(np.ones(3))\nonce = took.repeat")
    notebook.edit("softmax", "return exponentials", "return once * exponentials")


@odd("last-value")
def _(notebook: Notebook) -> None:
    notebook.own_before("dot_product_score", "np.sqrt(4.0)", "half = 1 / _")
    notebook.edit("dot_product_score", "return query @ key", "return 2 * half * (query @ key)")


@odd("out-history")
def _(notebook: Notebook) -> None:
    notebook.own_before("additive_score", "1 + 3", "four = list(Out.values())[-1]")
    notebook.edit("additive_score", "return w", "return four / 4 * w")


@odd("get-ipython")
def _(notebook: Notebook) -> None:
    lines = 'shell = get_ipython()\nshell.run_cell("twice = 2")\nshell.run_line_magic("precision", "4")'
    notebook.own_before("scaled_scores", lines + '\nagain = shell.user_ns["twice"]')
    notebook.edit("scaled_scores", "return scores", "return again / 2 * scores")


@odd("matplotlib-inline")
def _(notebook: Notebook) -> None:
    notebook.write("attend_one", "%matplotlib inline\n" + notebook.source("attend_one"))


@odd("shell-lines")
def _(notebook: Notebook) -> None:
    notebook.own_after_setup("!ls", "files = !ls\nprint(len(files))")


@odd("bash-cell")
def _(notebook: Notebook) -> None:
    notebook.own_after_setup("%%bash\nls | head -3")


@odd("display")
def _(notebook: Notebook) -> None:
    notebook.own_after_setup(
        "from IPython.display import Markdown\n\ndisplay(np.eye(2))\ndisplay(Markdown('**ready**'))"
    )


@odd("much-printed")
def _(notebook: Notebook) -> None:
    notebook.own_after_setup("for number in range(2000):\n    print(number, 'x' * 60)")


@odd("input")
def _(notebook: Notebook) -> None:
    notebook.own_after_setup('name = input("Your name? ")\nprint("Hello", name)')


@odd("exit-by-sys")
def _(notebook: Notebook) -> None:
    notebook.own_after_setup('import sys\n\nif np.pi > 3:\n    sys.exit("enough for today")')


@odd("quit")  # a kernel would end, as it is asked to
def _(notebook: Notebook) -> None:
    notebook.own_after_setup("quit()", "exit()")


@odd("class-with-decorators", POSITIONS)
def _(notebook: Notebook) -> None:
    notebook.own_before(
        "LearnedPositions", "MINE = {}\n\n\ndef mine(made):\n    MINE[made.__name__] = made\n    return made"
    )
    notebook.write("LearnedPositions", "@mine\n" + notebook.source("LearnedPositions"))
    notebook.edit("LearnedPositions", "    def forward", "    @property\n    def room(self):\n        return len(self.table)\n\n    def forward")  # fmt: skip


# State that another cell leaves


@odd("grad-mode-off", POSITIONS, told=("grad",))
def _(notebook: Notebook) -> None:
    notebook.own_after_setup("torch.set_grad_enabled(False);")


@odd("default-dtype", POSITIONS, told=("dtype|float64",))
def _(notebook: Notebook) -> None:
    notebook.own_after_setup("torch.set_default_dtype(torch.float64)")


@odd("default-device", POSITIONS, told=("device|meta",))
def _(notebook: Notebook) -> None:
    notebook.own_after_setup('torch.set_default_device("meta")')


@odd("deterministic", POSITIONS, told=("deterministic",))
def _(notebook: Notebook) -> None:
    notebook.own_after_setup("torch.use_deterministic_algorithms(True)")


@odd("numpy-raises", told=("seterr|NumPy",))
def _(notebook: Notebook) -> None:
    notebook.own_after_setup('np.seterr(all="raise");')


@odd("warnings-are-errors", told=("warning",))
def _(notebook: Notebook) -> None:
    notebook.own_before("dot_product_score", 'import warnings\n\nwarnings.simplefilter("error")')
    notebook.edit("dot_product_score", "    query =", '    warnings.warn("not tried on long vectors")\n    query =')


@odd("seeds")
def _(notebook: Notebook) -> None:
    notebook.own_after_setup("import random\n\nrandom.seed(1)\nnp.random.seed(1)")


@odd("another-folder")
def _(notebook: Notebook) -> None:
    notebook.own_after_setup('import os\n\nos.chdir("/")')


# Names


@odd("builtin-names", loses={"dot_product_score": ("TypeError", "int")})
def _(notebook: Notebook) -> None:
    notebook.own_after_setup("sum = 3\nlist = [1, 2]\nmax = np.max([1, 2])")
    notebook.edit(
        "dot_product_score", "return query @ key", "return sum(q * k for q, k in zip(query, key, strict=True))"
    )


SHADOWS = {
    "random.py": "def roll():\n    return 4\n",
    "copy.py": "PAGES = 2\n",
    "email.py": 'TO = "the course"\n',
}


@odd("files-named-as-modules", beside=SHADOWS)
def _(notebook: Notebook) -> None:
    notebook.own_after_setup("import math\n\ndiagonal = math.sqrt(2)")


# Answers that do not pass, and cells that break


@odd("missing-package", loses={"additive_score": (MISSING, "install")})
def _(notebook: Notebook) -> None:
    notebook.own_before("additive_score", f"import {MISSING}\n\nbend = np.tanh")
    notebook.edit("additive_score", "np.tanh", "bend")


@odd("setup-that-raises", loses={"scaled_scores": ("IndexError",)})
def _(notebook: Notebook) -> None:
    setup = notebook.setup()
    setup["source"] += "\nwidths = [4, 8]\nwidth = widths[2]\nroot = np.sqrt"
    notebook.edit("scaled_scores", "np.sqrt", "root")


@odd("syntax-error", loses={"softmax": ("SyntaxError",)})
def _(notebook: Notebook) -> None:
    notebook.edit("softmax", "-> np.ndarray:", "-> np.ndarray")


@odd("known-mistake", loses={"scaled_scores": ("√d_k",)})
def _(notebook: Notebook) -> None:
    notebook.edit("scaled_scores", "return scores / np.sqrt(q.shape[0])", "return scores")


@odd("not-written", loses={"attend_one": ("not written",)})
def _(notebook: Notebook) -> None:
    notebook.untouched("attend_one")


WORN = {
    "worn-cells": ("time-magic", "capture-magic", "first-attempt-that-does-not-parse", "first-attempt-that-raises", "await"),
    "worn-values": ("timeit-result", "last-value", "out-history", "get-ipython", "matplotlib-inline"),
    "worn-start": ("shell-lines", "bash-cell", "display", "much-printed", "input", "exit-by-sys", "seeds", "another-folder"),
    "worn-state": ("numpy-raises", "files-named-as-modules", "setup-that-raises", "warnings-are-errors"),
    "worn-torch": ("grad-mode-off", "default-dtype", "default-device", "deterministic", "class-with-decorators"),
    "worn-answers": ("known-mistake", "not-written", "syntax-error", "missing-package", "builtin-names"),
}  # fmt: skip


def worn(*names: str) -> Odd:
    """A notebook with all these oddities."""
    several = [ODD[name] for name in names]

    def change(notebook: Notebook) -> None:
        for one in several:
            one.change(notebook)

    return Odd(
        several[0].unit,
        change,
        {exercise: words for one in several for exercise, words in one.loses.items()},
        tuple(word for one in several for word in one.told),
        {name: text for one in several for name, text in one.beside.items()},
    )


NOTEBOOKS: dict[str, Odd] = {**ODD, **{name: worn(*names) for name, names in WORN.items()}}

AS_PYTHON = ("builtin-names", "numpy-raises", "known-mistake", "not-written", "warnings-are-errors")
"""Those whose cells, one after the other, are a Python file too."""
