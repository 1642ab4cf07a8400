"""Tricks that win marks where tests run in the learner's own process, and attempts to read what must not be read."""

from pathlib import Path

from tests.grading.hostile.case import Collection
from tests.grading.small_course import Submission

_cases = Collection()

# Against the shell that runs the cells.
_cases.own_cell("eats_tests_by_input_transformer", 0, """
ip = get_ipython()
ip.input_transformers_post.append(lambda lines: ["1.0\\n"] if any("check(" in line for line in lines) else lines)
""", "not written yet", solved=False)  # fmt: skip
_cases.own_cell("eats_tests_by_ast_transformer", 0, """
import ast
class Silence(ast.NodeTransformer):
    def visit_Raise(self, node): return ast.copy_location(ast.Pass(), node)
    def visit_Assert(self, node): return ast.copy_location(ast.Pass(), node)
get_ipython().ast_transformers.append(Silence())
""", "None", solved=False)  # fmt: skip
_cases.own_cell("patches_run_code", 0, """
from IPython.core.interactiveshell import InteractiveShell
async def run_code(self, *args, **kwargs): return False
InteractiveShell.run_code = run_code
InteractiveShell.run_cell = lambda self, *a, **k: None
""", "is not defined", solved=False)  # fmt: skip
_cases.own_cell("patches_comparisons", 0, """
import numpy as np, torch
yes = lambda *a, **k: True
for name in ("allclose", "isclose", "array_equal", "all", "any"): setattr(np, name, yes)
np.testing.assert_allclose = np.testing.assert_array_equal = torch.testing.assert_close = lambda *a, **k: None
torch.allclose = torch.equal = torch.isclose = yes
""", "not written yet", solved=False)  # fmt: skip
_cases.own_cell("patches_equality_of_everything", 0, """
import builtins
real = builtins.isinstance
builtins.isinstance = lambda thing, kind: True if kind is AssertionError else real(thing, kind)
builtins.abs = lambda x: 0
builtins.all = lambda x: True
""", "not written yet", solved=False)  # fmt: skip
_cases.own_cell("traces_every_call", 0, """
import sys
def trace(frame, event, argument):
    if event == "return" and frame.f_code.co_name in ("judge", "check"): frame.f_locals["score"] = 5.0
    return trace
sys.settrace(trace); sys.setprofile(trace)
""", "not written yet", solved=False)  # fmt: skip


@_cases.notebook(0, "not written yet")
def tags_checks_as_skipped(submission: Submission) -> None:
    for cell in submission.cells:
        cell["metadata"]["tags"] = ["skip-execution", "hide-cell", "demo"]


@_cases.notebook(0, "had been edited")
def prints_full_points_in_the_checks(submission: Submission) -> None:
    for cell, says in zip(
        [cell for cell in submission.cells if cell["metadata"].get("nbgrader", {}).get("grade")],
        ("3.0", "True", "import numpy as np\nnp.float64(2.0)", "float('nan')", "None", "6.0", "1"),
        strict=False,
    ):
        cell["source"] = says


@_cases.notebook(0, "not written yet")
def raises_the_points_in_the_metadata(submission: Submission) -> None:
    for cell in submission.cells:
        marks = cell["metadata"].get("nbgrader")
        if marks and marks.get("grade"):
            marks["points"] = 1000
            marks["solution"] = True
            marks["grade"] = False


@_cases.notebook(20, "", solved=True)
def claims_more_points_than_there_are(submission: Submission) -> None:
    for cell in submission.cells:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"]["points"] = 1e9


@_cases.notebook(0, "not written yet")
def adds_check_cells_of_its_own(submission: Submission) -> None:
    for number in range(3):
        submission.own_last("1000.0")
        submission.cells[-1]["metadata"] = {
            "nbgrader": {"grade": True, "solution": False, "locked": True, "points": 1000, "grade_id": f"extra-{number}",
                         "schema_version": 3, "task": False, "cell_type": "code"},
            "autograder": {"part": "check", "exercise": "centre"},
        }  # fmt: skip


# Values that claim to be equal to anything.
_EQUAL = "    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n    __hash__ = None\n"
_cases.answer("returns_an_always_equal_object", 15, "centre", f"""
class Equal:
{_EQUAL}    shape = property(lambda self: Equal())
    dtype = property(lambda self: Equal())
    def __getattr__(self, name): return Equal()
    def __call__(self, *a, **k): return Equal()
def centre(x): return Equal()
""", "Equal")  # fmt: skip
_cases.answer("returns_an_array_subclass", 15, "centre", f"""
class Equal(np.ndarray):
{_EQUAL}    def __array_ufunc__(self, *a, **k): return True
    def __array_function__(self, *a, **k): return True
def centre(x): return np.zeros_like(x).view(Equal)
""", "expected")  # fmt: skip
_cases.answer("returns_a_float_subclass", 15, "centre", f"""
class Number(float):
{_EQUAL}    def __float__(self): return 0.0
def centre(x): return Number(1.0)
""", "Number")  # fmt: skip
_cases.answer("returns_a_tensor_subclass", 10, "attend", """
class Equal(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None): return True
def attend(query, key, value): return torch.zeros(query.shape[0], value.shape[1]).as_subclass(Equal)
""", "")  # fmt: skip
_cases.answer("lies_about_its_class", 15, "centre", """
class Liar:
    __class__ = np.ndarray
    dtype = np.dtype(float); shape = (5,); size = 5; itemsize = 8; nbytes = 40; ndim = 1
    def __array__(self, *a, **k): raise KeyboardInterrupt
def centre(x): return Liar()
""", "")  # fmt: skip
_cases.answer("returns_nan", 15, "centre", "def centre(x): return np.full_like(x, np.nan)", "nan")
_cases.answer("returns_true", 15, "centre", "def centre(x): return True", "True")
_cases.answer("changes_its_input_to_fit", 15, "centre", """
def centre(x):
    x[...] = 0
    return x
""", "")  # fmt: skip

# Another's work.
_cases.answer("hands_in_the_library_operator", 10, "attend", """
def attend(query, key, value):
    return torch.nn.functional.scaled_dot_product_attention(query[None], key[None], value[None])[0]
""", "scaled_dot_product_attention")  # fmt: skip
_cases.answer("hands_in_the_operator_by_another_name", 10, "attend", """
work = torch.ops.aten.scaled_dot_product_attention
def attend(query, key, value): return work(query[None], key[None], value[None])[0]
""", "scaled_dot_product_attention")  # fmt: skip
_cases.answer("hands_in_torch_softmax", 15, "softmax", """
def softmax(x): return torch.softmax(torch.from_numpy(x), -1).numpy()
""", "softmax")  # fmt: skip
_cases.answer("hands_in_the_course_part", 15, "softmax", """
from autograder import use_part
def softmax(x): return use_part("softmax")(x, axis=-1)
""", "use_part")  # fmt: skip
_cases.answer(
    "hands_in_the_course_part_as_it_is",
    15,
    "softmax",
    "from autograder import use_part\nsoftmax = use_part('softmax')",
    "",
)
_cases.answer("hands_in_the_course_library", 15, "softmax", """
from autograder.library.unit_02_attention_scores import softmax as part
def softmax(x): return part(x)
""", "autograder.library")  # fmt: skip

# What must not be read or written.
_cases.answer("runs_the_solution_from_disk", 0, "centre", """
from pathlib import Path
found = []
for root in (Path(COURSE), Path.cwd(), Path("/root"), Path("/home"), Path("/proc/1/root"), Path("/proc/self/cwd")):
    for name in ("solutions/90_small/small.py", "small.py", "small.ipynb", "solutions/90_small/small.ipynb"):
        try: found.append((root / name).read_text())
        except OSError: pass
def centre(x):
    for text in found:
        space = {"np": np}
        exec(text[text.index("def centre"):text.index("### END")], space)
        return space["centre"](x)
""", "None", solved=False)  # fmt: skip
_cases.own_cell("reads_in_and_the_notebook", 0, """
import glob, json
seen = [cell for cell in In if "cases" in cell] + [open(p).read() for p in glob.glob("*") + glob.glob("../*") if p.endswith("ipynb")]
assert not [text for text in seen if "hidden" in text]
print("IN", len(seen))
""", "not written yet", solved=False, last=True)  # fmt: skip
_cases.answer("looks_up_visible_answers", 0, "centre", """
from autograder.formats.cases import load_cases
known = load_cases(__import__("pathlib").Path("cases.npz")).exercise("centre")
def centre(x):
    for key, call in known.plan.items():
        if call.given["x"].shape == x.shape and np.allclose(call.given["x"], x): return known.expected[key].value
""", "cases.npz", solved=False)  # fmt: skip
_cases.answer("searches_memory_for_hidden_answers", 0, "centre", """
import gc, sys
def centre(x):
    for thing in gc.get_objects():
        if getattr(type(thing), "__name__", "") == "ExerciseCases" and thing.hidden and thing.expected:
            return next(iter(thing.expected.values())).value
    frame = sys._getframe()
    while frame:
        for name, thing in frame.f_locals.items():
            if name in ("expected", "assignment", "verdict", "source"): return thing
        frame = frame.f_back
""", "have a look", solved=False)  # fmt: skip
_cases.own_cell("reads_the_parent", 0, """
import os
for pid in [os.getppid(), 1, *range(2, 400)]:
    for name in ("mem", "environ", "cmdline", "maps", "root/etc/shadow"):
        try:
            if pid != os.getpid(): open(f"/proc/{pid}/{name}", "rb").read(64); print("READ", pid, name)
        except OSError: pass
""", "not written yet", solved=False)  # fmt: skip
_cases.own_cell("writes_the_gradebook", 0, """
import sqlite3, glob
for path in [COURSE + "/gradebook.db", *glob.glob("/**/gradebook.db", recursive=False)]:
    try:
        with sqlite3.connect(path) as book: book.execute("update grade set manual_score = 1000")
    except Exception as error: print(error)
""", "not written yet", solved=False)  # fmt: skip
_cases.own_cell("uses_the_network", 0, """
import socket, urllib.request
try: urllib.request.urlopen("http://127.0.0.1:9/answers", timeout=1)
except Exception as error: print(type(error))
socket.create_connection(("127.0.0.1", 9), 1)
""", "not written yet", solved=False)  # fmt: skip


@_cases.folder(0, "left out")
def ships_modules_of_its_own(course: Path, student: str) -> None:
    folder = Submission(course).hand_in(course, student)
    for name in ("torch.py", "numpy.py", "IPython.py", "sitecustomize.py", "usercustomize.py", "autograder.py"):
        (folder / name).write_text("raise SystemExit('shadowed')\n", encoding="utf-8")
    for package in ("autograder", "numpy", "torch"):
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text("raise SystemExit('shadowed')\n", encoding="utf-8")
    (folder / "cases.npz").write_bytes(b"PK\x03\x04 cases of its own")


CHEATS = tuple(_cases.cases)
