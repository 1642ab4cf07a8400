"""Attacks on the way from a learner's process to the judge: what is observed, how it is copied, what is sent."""

import json
import os
from pathlib import Path

from tests.grading.hostile.case import Collection
from tests.grading.small_course import NAME, Submission, submitted_folder

_cases = Collection()
FILE = f"{NAME}.ipynb"
LATE = "did not finish"

# Against the code that observes, in the learner's own process: it is only asked for values.
_cases.own_cell("rewrites_the_request", 0, """
import gc, sys
frame = sys._getframe()
while frame:
    for thing in list(frame.f_locals.values()):
        if isinstance(thing, dict) and "exercises" in thing:
            for exercise in thing["exercises"]:
                exercise["key"] = exercise["key"].replace("hidden", "visible"); exercise["plan"] = {}; exercise["forbids"] = []
    frame = frame.f_back
for thing in gc.get_objects():
    if isinstance(thing, dict) and "plan" in thing and "key" in thing: thing["plan"] = {}
""", "", solved=False)  # fmt: skip
_cases.own_cell("fills_in_values_through_a_trace", 0, """
import sys, threading, numpy as np
def trace(frame, event, argument):
    if frame.f_code.co_name in ("_observe_call", "_sighting", "observe"):
        frame.f_locals.update(value=np.zeros(5), trouble=None, score=5.0, passed=True)
    return trace
sys.settrace(trace); threading.settrace(trace)
frame = sys._getframe()
while frame: frame.f_trace = trace; frame = frame.f_back
""", "not written yet", solved=False)  # fmt: skip
_cases.own_cell("searches_memory_for_expected_values", 0, """
import re
found = []
for line in open("/proc/self/maps"):
    try:
        with open("/proc/self/mem", "rb") as memory:
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            memory.seek(start); found += re.findall(rb"def (?:centre|softmax)[^\\0]{0,300}np.mean", memory.read(min(end - start, 1 << 22)))
    except (OSError, ValueError, OverflowError): pass
assert not found, "SOLUTION " + repr(found)
""", "not written yet", solved=False)  # fmt: skip
_cases.own_cell("lays_files_over_the_pipe", 20, """
import os
other = os.open("forged", os.O_RDWR | os.O_CREAT)
for number in range(3, 64):
    try:
        if number != other: os.dup2(other, number)
    except OSError: pass
""", "left out", solved=True)  # fmt: skip
_cases.own_cell("opens_the_pipe_a_second_time", 0, """
import os
for number in range(256):
    try:
        with open(f"/proc/self/fd/{number}", "wb", buffering=0) as file: file.write(b"\\0" * 7 + b"\\1" + b"x")
    except OSError: pass
""", "", solved=False)  # fmt: skip
_cases.own_cell("makes_the_pipe_too_small_and_slow", 20, """
import fcntl, os
for number in range(3, 64):
    for kind, value in ((1031, 1), (fcntl.F_SETFL, os.O_NONBLOCK), (fcntl.F_SETFL, 0)):
        try: fcntl.fcntl(number, kind, value)
        except OSError: pass
""", "", solved=True)  # fmt: skip
_cases.own_cell("stops_the_clock", 20, """
import time
time.monotonic = time.perf_counter = time.time = lambda: 0.0
""", "", solved=True)  # fmt: skip
_cases.own_cell("stops_itself", 20, "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", "", solved=True)
_cases.own_cell("takes_its_tools_away", 20, """
import builtins, json, zipfile, io, struct
json.dumps = zipfile.ZipFile = io.BytesIO = struct.pack = None
""", "", solved=True)  # fmt: skip
_cases.own_cell("counts_no_forbidden_operators", 20, """
import contextlib, autograder.observing.observe as observing
observing.watching = lambda *a, **k: contextlib.nullcontext(set())
""", "", solved=True)  # fmt: skip
_cases.own_cell("sets_traps_in_numpys_own_classes", 0, """
import numpy as np, ctypes
class Zero(np.ndarray): pass
real = np.array
np.array = np.asarray = np.ascontiguousarray = lambda *a, **k: real([0.0] * 5)
np.ndarray = Zero
""", "not written yet", solved=False)  # fmt: skip

# Values that are not what they seem when they are copied.
_cases.answer("changes_its_answer_after_returning", 15, "centre", """
import threading, time
def centre(x):
    out = np.zeros_like(x)
    def later():
        for value in range(1000): out[...] = value; time.sleep(0)
    threading.Thread(target=later, daemon=True).start()
    return out
""", "")  # fmt: skip
_cases.answer("returns_an_array_whose_every_word_is_a_lie", 15, "centre", """
class Lie(np.ndarray):
    shape = property(lambda self: (5,)); dtype = property(lambda self: np.dtype(float)); size = property(lambda self: 5)
    nbytes = property(lambda self: 40); itemsize = property(lambda self: 8)
    def __array__(self, *a, **k): raise KeyboardInterrupt
    def __array_finalize__(self, other): raise SystemExit
    def tobytes(self, *a): return b"x" * 10 ** 9
    def __getattribute__(self, name): return np.ndarray.__getattribute__(self, name)
    def __reduce__(self): return (exec, ("raise SystemExit",))
def centre(x):
    out = np.zeros(10 ** 6)
    try: return out.view(Lie)
    except SystemExit: return Lie
""", "")  # fmt: skip
_cases.answer("points_at_memory_that_is_not_there", 15, "centre", """
class Wild: __array_interface__ = {"shape": (5,), "typestr": "<f8", "data": (0xDEAD0000, False), "version": 3}
def centre(x): return np.asarray(Wild())
""", "SIGSEGV")  # fmt: skip
_cases.answer("reads_far_beyond_its_array", 15, "centre", """
def centre(x): return np.lib.stride_tricks.as_strided(x, shape=(1 << 20,), strides=(4096,))
""", "")  # fmt: skip
_cases.answer(
    "returns_a_dict_of_a_million", 15, "centre", "def centre(x): return {str(n): n for n in range(1_000_000)}", ""
)
_cases.answer("returns_a_tower_of_tuples", 15, "centre", """
def centre(x):
    tower = ()
    for _ in range(100_000): tower = (tower,)
    return tower
""", "")  # fmt: skip
_cases.answer("returns_an_integer_of_a_million_digits", 15, "centre", "def centre(x): return 10 ** 1_000_000", "")
_cases.answer("returns_a_text_of_ten_megabytes", 15, "centre", "def centre(x): return '<script>' * 1_300_000", "")
_cases.answer(
    "returns_halves_of_characters", 15, "centre", "def centre(x): return {'\\ud800': '\\udfff\\x00\\u202e'}", ""
)
_cases.answer("returns_objects_in_an_array", 15, "centre", """
class Bomb:
    def __reduce__(self): return (exec, ("import os; os.mkdir('touched')",))
def centre(x): return np.array([Bomb()] * 5, dtype=object)
""", "dtype object")  # fmt: skip
_cases.answer(
    "returns_zeros_of_another_shape_as_one_that_broadcasts",
    15,
    "centre",
    "def centre(x): return np.zeros((1,) * 30 + x.shape)",
    "",
)
_cases.answer("returns_a_view_of_its_input", 15, "centre", """
def centre(x):
    x -= x.mean(-1, keepdims=True)
    return x
""", "in place")  # fmt: skip
_cases.answer("returns_a_tensor_on_a_device_without_numbers", 10, "attend", """
def attend(query, key, value): return torch.empty(query.shape[0], value.shape[1], device="meta")
""", "meta")  # fmt: skip
_cases.answer("returns_a_tensor_that_lies_when_copied", 10, "attend", """
class Lie(torch.Tensor):
    def detach(self): return self
    def numpy(self, *a, **k): raise SystemExit
    def to(self, *a, **k): return self
    def contiguous(self, *a, **k): return self
    @property
    def device(self): raise KeyboardInterrupt
def attend(query, key, value): return torch.zeros(query.shape[0], value.shape[1]).as_subclass(Lie)
""", "")  # fmt: skip
_cases.answer("is_an_object_that_can_be_called", 20, "centre", """
class Centre:
    def __call__(self, x): return x - np.mean(x, axis=-1, keepdims=True)
centre = Centre()
""", "")  # fmt: skip
_cases.answer("is_an_object_that_ends_whoever_looks_at_it", 15, "centre", """
class Centre:
    def __call__(self, x): return x - np.mean(x, axis=-1, keepdims=True)
    def __getattribute__(self, name): raise SystemExit(name)
centre = Centre()
""", "")  # fmt: skip
_cases.answer("switches_the_alarm_off", 15, "centre", """
def centre(x):
    import signal
    signal.setitimer(signal.ITIMER_REAL, 0)
    while True: pass
""", LATE)  # fmt: skip
_cases.answer(
    "stops_itself_while_it_is_checked",
    15,
    "centre",
    "def centre(x):\n    import os, signal\n    os.kill(os.getpid(), signal.SIGSTOP)",
    "",
)

# Resources that no simple limit counts.
for _name, _source in (
    ("fills_the_shared_memory", "for n in range(64):\n    try: open(f'/dev/shm/{n}', 'wb').write(bytes(1 << 24))\n    except OSError: pass"),
    ("makes_a_hundred_thousand_files", "try:\n    for n in range(100_000): open(str(n), 'w').close()\nexcept OSError: pass"),
    ("makes_folders_in_folders", "import os\ntry:\n    for n in range(5000): os.mkdir('d'); os.chdir('d')\nexcept OSError: pass"),
    ("works_in_a_folder_that_it_removes", "import os, shutil, tempfile\nplace = tempfile.mkdtemp()\nos.chdir(place)\nshutil.rmtree(place)"),
    ("never_switches_threads", "import sys, threading\nsys.setswitchinterval(1e6)\ndef spin():\n    while True: pass\nthreading.Thread(target=spin, daemon=True).start()"),
    ("leaves_zombies_and_pipes", "import os\nkeep = []\ntry:\n    for n in range(300): keep += os.pipe()\n    os.fork()\nexcept OSError: pass\nfor n in keep: os.close(n)"),
    ("shows_a_picture_that_would_fill_a_browser", "import struct, zlib\nfrom IPython.display import Image, display\nchunk = lambda kind, data: struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))\nwide = struct.pack('>IIBBBBB', 60_000, 60_000, 1, 0, 0, 0, 0)\ndisplay(Image(b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', wide) + chunk(b'IDAT', zlib.compress(bytes(1 << 20))) + chunk(b'IEND', b'')))"),
):  # fmt: skip
    _cases.own_cell(_name, 20, _source, "", solved=True)


# Files and notebooks.
def _text(name: str, points: float, says: str, change: "object") -> None:
    def make(course: Path, student: str) -> None:
        text = Submission(course, solved=True).text()
        data = change(text)  # type: ignore[operator]
        (submitted_folder(course, student) / FILE).write_bytes(data if isinstance(data, bytes) else data.encode())

    make.__name__ = name
    _cases.folder(points, says)(make)


_text("is_solved_in_utf_16", 20, "", lambda text: text.encode("utf-16"))
_text(
    "has_bytes_that_are_no_utf_8",
    0,
    "not text in UTF-8",
    lambda text: text.encode().replace(b"np.mean", b"np.\xff\xfemean"),
)
_text(
    "has_numbers_that_are_none",
    20,
    "",
    lambda text: text.replace('"metadata": {}', '"metadata": {"a": NaN, "b": -Infinity}', 3),
)
_text("has_its_keys_twice", 20, "", lambda text: '{"cells": [], "metadata": 3, ' + text[1:])
_text("has_windows_line_ends", 20, "", lambda text: text.replace("\\n", "\\r\\n"))
_text("is_indented_by_a_megabyte", 20, "", lambda text: " " * (1 << 20) + text)
_text("is_followed_by_something", 0, "JSON is broken", lambda text: text + "\0garbage")
_text(
    "has_metadata_nested_deeply",
    20,
    "",
    lambda text: text.replace('"metadata": {}', '"metadata": {"a": ' + "[" * 400 + "]" * 400 + "}", 1),
)
_text(
    "has_numbers_of_ten_thousand_digits",
    0,
    "JSON is broken",
    lambda text: text.replace('"nbformat": 4', '"nbformat": ' + "4" * 10_000),
)


@_cases.folder(0, "larger than")
def is_a_file_of_gigabytes_that_are_not_there(course: Path, student: str) -> None:
    with (submitted_folder(course, student) / FILE).open("wb") as file:
        file.truncate(1 << 36)


@_cases.folder(0, "million characters")
def has_an_answer_of_ten_megabytes(course: Path, student: str) -> None:
    Submission(course, solved=True).write("centre", "x = 1\n" * 1_700_000).hand_in(course, student)


@_cases.folder(20, "left out")
def holds_links_and_pipes_beside_the_notebook(course: Path, student: str) -> None:
    folder = Submission(course, solved=True).hand_in(course, student)
    (folder / "solutions").symlink_to(course / "solutions")
    (folder / "gradebook.db").symlink_to(course / "gradebook.db")
    (folder / "a.ipynb").symlink_to("/dev/zero")
    os.link(course / "nbgrader_config.py", folder / "nbgrader_config.py")
    os.mkfifo(folder / "b.ipynb")


@_cases.folder(20)
def has_a_thousand_other_notebooks(course: Path, student: str) -> None:
    folder = Submission(course, solved=True).hand_in(course, student)
    for number in range(1000):
        (folder / f"{number}.ipynb").write_text(json.dumps({"cells": []}), encoding="utf-8")


@_cases.notebook(15, "left out", solved=True)
def takes_the_parser_half_a_minute(submission: Submission) -> None:
    submission.write("centre", "f'" + "{x}" * 100_000 + "'")


@_cases.notebook(20, solved=True)
def names_its_functions_in_wide_letters(submission: Submission) -> None:
    submission.write("centre", "def ｃｅｎｔｒｅ(x):\n    return x - np.mean(x, axis=-1, keepdims=True)")


@_cases.notebook(15, "is not defined", solved=True)
def names_its_function_in_letters_that_look_alike(submission: Submission) -> None:
    submission.write("centre", "def сentre(x):\n    return x - np.mean(x, axis=-1, keepdims=True)")


@_cases.notebook(0, "not written yet")
def redefines_what_the_checks_call(submission: Submission) -> None:
    submission.own_before(
        "centre-check", "def check(*a, **k): return 6.0\nmatches = right_shape = finite = keeps_inputs = None"
    )


OBSERVERS = tuple(_cases.cases)
