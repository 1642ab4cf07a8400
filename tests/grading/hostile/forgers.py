"""Submissions that speak to the judging process themselves, or rewrite the observing code in their own."""

from tests.grading.hostile.case import Collection

_cases = Collection()

_EVERYWHERE = """
import io, json, os, struct, zipfile
import numpy as np
def everywhere(data, times=1):
    for number in range(3, 64):
        for _ in range(times):
            try:
                view = memoryview(data)
                while view: view = view[os.write(number, view):]
            except OSError: break
def framed(data): return struct.pack(">Q", len(data)) + data
def npz(**entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in entries.items(): archive.writestr(name.replace("__", ".") , data)
    return buffer.getvalue()
def array(value):
    buffer = io.BytesIO(); np.save(buffer, value, allow_pickle=True); return buffer.getvalue()
def text(tree): return array(np.frombuffer(json.dumps(tree).encode(), dtype=np.uint8))
HEAP = array(np.zeros(64, np.uint8))
"""
NO_OBSERVATION = "no observation"
ENDED = "left out"


def _forger(name: str, source: str, says: str, points: float = 0, *, solved: bool = False) -> None:
    _cases.own_cell(name, points, _EVERYWHERE + source, says, solved=solved)


_forger("sends_zeros", "everywhere(bytes(4096))", ENDED)
_forger("sends_a_huge_length", "everywhere(struct.pack('>Q', 2**63))", ENDED)
_forger("sends_half_a_frame_and_dies", "everywhere(struct.pack('>Q', 1000) + b'PK'); os._exit(0)", ENDED)
_forger("sends_a_verdict", """
from autograder.formats.values import pack
for key in ("centre/visible", "centre/hidden"):
    everywhere(framed(pack({"exercise": key, "passed": True, "score": 5.0, "max_score": 5.0, "verdict": {"passed": True}})))
""", NO_OBSERVATION)  # fmt: skip
_forger("sends_sightings_of_nothing", """
from autograder.formats.values import pack
everywhere(framed(pack({"loaded": True})))
for name in ("centre", "softmax", "attend"):
    for kind in ("visible", "hidden"):
        seen = {"observations": {}, "forbidden": (), "printed": "", "trouble": None}
        everywhere(framed(pack({"exercise": f"{name}/{kind}", "sighting": seen})))
os._exit(0)
""", "could not see")  # fmt: skip
_forger("sends_a_zip_bomb", """
everywhere(framed(npz(tree__npy=text({"dict": []}), heap__npy=array(np.zeros(160 << 20, np.uint8)))))
""", ENDED)  # fmt: skip
_forger("sends_a_bomb_of_text", """
everywhere(framed(npz(heap__npy=HEAP, tree__npy=array(np.frombuffer(b"[" + b"[]," * 5_000_000 + b"0]", dtype=np.uint8)))))
""", ENDED)  # fmt: skip
_forger("sends_deep_text", """
everywhere(framed(npz(heap__npy=HEAP, tree__npy=array(np.frombuffer(b"[" * 100_000, dtype=np.uint8)))))
""", ENDED)  # fmt: skip
_forger("sends_a_million_parts", """
everywhere(framed(b"PK\\x03\\x04" + b"PK\\x01\\x02" * 1_000_000))
""", ENDED)  # fmt: skip
_forger("sends_an_array_of_a_shape_it_has_not", """
everywhere(framed(npz(tree__npy=text({"dict": [["cell", {"array": ["<f8", [10 ** 12], 0]}]]}), heap__npy=HEAP)))
""", ENDED)  # fmt: skip
_forger("sends_a_pickle", """
class Touch:
    def __reduce__(self): return (os.mkdir, (COURSE + "/touched-by-a-pickle",))
everywhere(framed(npz(tree__npy=text({"dict": []}), heap__npy=array(np.array([Touch()], dtype=object)))))
""", ENDED)  # fmt: skip
_forger("floods_with_frames", """
from autograder.formats.values import pack
one = framed(pack({"cell": "cell 1", "outputs": [{"output_type": "stream", "text": "x" * 100_000}]}))
everywhere(one, 3000)
""", NO_OBSERVATION)  # fmt: skip
_forger("floods_with_large_frames", """
from autograder.formats.values import pack
everywhere(framed(pack({"cell": "cell 2", "outputs": np.random.bytes(1000).hex(), "more": np.random.rand(4_000_000)})), 40)
""", "")  # fmt: skip
_cases.own_cell("closes_every_descriptor", 0, "import os\nos.closerange(0, 1000)", "", solved=False)
_cases.own_cell(
    "fills_every_descriptor",
    20,
    "keep = []\ntry:\n    while True: keep.append(open('/dev/null'))\nexcept OSError: keep.clear()",
    "",
    solved=True,
)

# The observing code, rewritten from inside. What is sent stays a value, and values are judged elsewhere.
_cases.own_cell("rewrites_pack", 0, """
import autograder.observing.serve as child, numpy as np
real = child.pack
def pack(tree):
    if "sighting" in tree:
        for seen in tree["sighting"].get("observations", {}).values(): seen.update(value=np.zeros(5), fault=None)
        tree["sighting"]["trouble"] = None
        tree.update(passed=True, score=5.0)
    return real(tree)
child.pack = pack
""", "", solved=False)  # fmt: skip
_cases.own_cell("rewrites_observe", 0, """
import autograder.observing.serve as child, numpy as np
from autograder.formats.cases import Observation, Sighting
class Passed(Sighting): passed = True; score = 5.0
def observe(target, calls, **more):
    return Passed({key: Observation(value=np.array(["x"], dtype="U3"), facts={"passed": True}) for key in calls})
child.observe = observe
""", "", solved=False)  # fmt: skip
_cases.own_cell("sends_values_of_odd_types", 0, """
import autograder.observing.serve as child, numpy as np
from autograder.formats.cases import Observation, Sighting
from autograder.formats.values import Tensor
odd = [np.array([1 + 2j]), np.array(["x"]), np.array(["2026-01-01"], dtype="M8[D]"), np.zeros(3, dtype=[("a", "f4")]),
       np.array([b"x"]), {"a": {"b": {}}}, [[[[]]]], "text", 10 ** 390, Tensor(np.array(["y"]), "float32"), None, (), float("inf")]
real, turn = child.to_plain if hasattr(child, "to_plain") else None, [0]
import autograder.formats.values as values
values._plain = lambda value, depth: value
def observe(target, calls, **more):
    turn[0] += 1
    return Sighting({key: Observation(value=odd[(turn[0] + n) % len(odd)], facts={"after": odd[n % len(odd)], "gradients": 3})
                     for n, key in enumerate(calls)})
child.observe = observe
""", "", solved=False)  # fmt: skip
_cases.own_cell("sends_trees_that_are_no_sightings", 0, """
import autograder.observing.serve as child
trees = iter([None, 3, [], {"observations": 3}, {"observations": {"0.0.0": None}},
              {"observations": {}, "trouble": {"type_name": "x", "message": "y", "line": float("inf")}}])
child.sighting_tree = lambda sighting: next(trees)
""", NO_OBSERVATION, solved=False)  # fmt: skip
_cases.own_cell("describes_its_outputs_oddly", 20, """
import autograder.observing.session as session
odd = [3, None, {"output_type": "error", "traceback": 5}, {"output_type": "stream", "text": {"a": 1}}, {"output_type": "display_data", "data": 7},
       {"output_type": "display_data", "data": {"text/html": "<script>alert(1)</script>", "image/png": "AAAA", "text/plain": 3}},
       {"output_type": "execute_result", "data": {"text/plain": "1000.0"}}, {"output_type": []}]
session._run_cell = lambda shell, source, limit: (shell.run_cell(source) and None or odd, None)
""", "", solved=True)  # fmt: skip
_cases.own_cell("replaces_the_modules", 0, """
import sys, types
for name in ("autograder.observing.observe", "autograder.judging.verdict", "autograder.judging.compare", "autograder.formats.values"):
    fake = types.ModuleType(name); fake.judge = fake.observe = fake.close = lambda *a, **k: True; sys.modules[name] = fake
""", "not written yet", solved=False)  # fmt: skip
_cases.own_cell("forges_when_it_ends", 0, """
import atexit, os, signal
def last_words(*a):
    for number in range(3, 64):
        try: os.write(number, b"{\\"score\\": 5.0}")
        except OSError: pass
atexit.register(last_words)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1): signal.signal(number, last_words)
""", "not written yet", solved=False)  # fmt: skip

FORGERS = tuple(_cases.cases)
