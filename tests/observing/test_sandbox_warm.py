"""The libraries of the course work inside the walls, in a child of a process that has imported them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.observing.conftest import confined_walls

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is made of Linux kernel features")

# A process of its own: pytest's may have run threaded operations, after which a child's would hang.
WARM_PROCESS = r"""
import ctypes, json, os, re, sys, tempfile
from pathlib import Path
import IPython, matplotlib, numpy, torch
matplotlib.use("Agg")
import matplotlib.pyplot
from IPython.core.interactiveshell import InteractiveShell
from autograder.observing.sandbox.limits import Limits
from autograder.observing.sandbox.process import collect, spawn

torch.set_num_threads(1)
torch.randn(600, 600) @ torch.randn(600, 600)   # warm, and with one thread: rule 1

def threaded():
    torch.set_num_threads(2)
    product = torch.ones(600, 600) @ torch.ones(600, 600)
    total = (torch.ones(4_000_000) + 1).sum()
    return [product[0, 0].item(), total.item(), torch.get_num_threads()]

def autograd():
    torch.set_num_threads(2)
    x = torch.full((300, 300), 2.0, requires_grad=True)
    (x * x).sum().backward()
    return x.grad[0, 0].item()

def training():
    layer = torch.nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1)
    inputs = torch.randn(64, 4)
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = ((layer(inputs) - inputs.sum(1, keepdim=True)) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses[-1] < losses[0]

def figure():
    figure, axes = matplotlib.pyplot.subplots()
    axes.plot([1, 2, 3])
    axes.set_title("a title, so that a font is read")
    figure.savefig("figure.png")
    return Path("figure.png").read_bytes()[:4].hex()

def shell():
    shell = InteractiveShell.instance()
    result = shell.run_cell("import numpy as np\nvalue = np.arange(4).sum()\nvalue")
    return [result.success, int(result.result)]

def lazy():
    import torch.testing
    import torch.utils.data
    import numpy.testing, numpy.polynomial
    torch.testing.assert_close(torch.ones(2), torch.ones(2))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.arange(4)), batch_size=2)
    return len(list(loader))

def linear_algebra():
    return float(numpy.linalg.eigvalsh(numpy.eye(200) * 3).sum())

def own_memory():
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[47]), int(fields[48])
    return b"secret" in ctypes.string_at(start, end - start) or "TOKEN" in os.environ

def memory_bomb():
    try:
        torch.ones(1 << 40)
    except RuntimeError as error:
        return "alloc" in str(error)
    return False

namespaces = sys.argv[1] == "namespaces"
folder = Path(tempfile.mkdtemp())
answers = {}
for function in (threaded, autograd, training, figure, shell, lazy, linear_algebra, own_memory, memory_bomb):
    workdir = folder / function.__name__
    workdir.mkdir()
    limits = Limits(wall=60.0)
    run = lambda: print("\n" + json.dumps(function()))
    outcome = collect(spawn(run, workdir, [], limits, namespaces=namespaces), limits)
    text = outcome.output.decode()
    good = outcome.status == 0
    answers[function.__name__] = json.loads(text.splitlines()[-1]) if good else outcome.reason + text
print(json.dumps(answers))
"""


@pytest.fixture(scope="module", params=confined_walls() if sys.platform == "linux" else [])
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each function answered in a child of the warm process; a text where it did not end well."""
    environment = {**os.environ, "TOKEN": "secret", "TMPDIR": str(tmp_path_factory.mktemp("warm"))}
    environment.pop("OMP_NUM_THREADS", None)
    environment.pop("MKL_NUM_THREADS", None)
    done = subprocess.run([sys.executable, "-c", WARM_PROCESS, request.param], env=environment,
                          cwd=Path(__file__).parents[2], capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.mark.parametrize(("name", "expected"), [
    ("threaded", [600.0, 8_000_000.0, 2]), ("autograd", 4.0), ("training", True), ("figure", "89504e47"),
    ("shell", [True, 6]), ("lazy", 2), ("linear_algebra", 600.0), ("memory_bomb", True),
])  # fmt: skip
def test_the_libraries_of_the_course_work_inside(answers: dict[str, Any], name: str, expected: object) -> None:
    assert answers[name] == expected


def test_not_even_the_memory_of_the_environment_is_left(answers: dict[str, Any]) -> None:
    assert answers["own_memory"] is False
