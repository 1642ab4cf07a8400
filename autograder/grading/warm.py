"""The warm process: imports once what submissions need, then forks one confined child for each.

Run as `python -m autograder.grading.warm`, with a Unix socket as its standard input. It is started with nothing
secret in it: what it holds, every submission can read. Over the socket come one JSON line and two descriptors a
submission (the request to read, the answers to write); back go JSON lines: the child's process id, then how it ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from .sandbox import Limits, explain_status

_PR_SET_PDEATHSIG = 1
_PATIENCE = 1.0


def main() -> None:
    control = socket.socket(fileno=os.dup(0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    shell = warm_up()
    _say(control, {"ready": True})
    while (order := _next_order(control)) is not None:
        command, descriptors = order
        _serve_one(control, shell, command, descriptors)


def warm_up() -> Any:
    """Import what submissions import, first uses included, and leave one thread behind."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.figure
    import matplotlib.pyplot as plt
    import numpy as np
    import torch

    torch.set_num_threads(1)
    with contextlib.suppress(RuntimeError):
        torch.set_num_interop_threads(1)
    layer = torch.nn.Linear(2, 2)
    torch.nn.functional.relu(layer(torch.ones(1, 2))).sum().backward()
    torch.softmax(torch.ones(2, 2), -1)
    optimizer = torch.optim.AdamW(layer.parameters())
    optimizer.step()
    import torch.testing

    from ..checks import observe, parts, probes, watch  # noqa: F401
    from .session import open_shell

    with watch.watching(("softmax",)):
        pass
    figure = matplotlib.figure.Figure(figsize=(1, 1))
    figure.add_subplot().plot(np.arange(3))
    figure.savefig(os.devnull, format="png")
    plt.close("all")
    import autograder.lab
    import autograder.vocabulary  # noqa: F401  all that a notebook imports
    from autograder import library

    for unit in library.units():
        with contextlib.suppress(Exception):
            __import__(f"{library.__name__}.{library.module_name(unit)}")
    shell = open_shell()
    shell.run_cell("import numpy as np\n1 + 1", store_history=False, silent=True)
    shell.user_ns.pop("np", None)
    return shell


def _next_order(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    data, descriptors, _, _ = socket.recv_fds(control, 65536, 2)
    if not data:
        return None
    return json.loads(data), list(descriptors)


def _say(control: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        control.sendall(json.dumps(message).encode() + b"\n")


def _serve_one(control: socket.socket, shell: Any, command: dict[str, Any], descriptors: list[int]) -> None:
    limits = Limits(**command["limits"])
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _child(control, shell, command, descriptors, limits, parent)
    for descriptor in descriptors:
        os.close(descriptor)
    _say(control, {"pid": pid})
    status = _wait(control, pid)
    _say(control, {"ended": explain_status(status, limits)})


def _wait(control: socket.socket, pid: int) -> int:
    """End the child when the worker says so: at once on "stop", after a second's patience on "wait".

    The worker says one of the two for every child, also for one that has ended by itself. A closed socket means that
    the worker is gone: then everything ends.
    """
    word = control.recv(16)
    if word == b"wait":
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return status
            time.sleep(0.005)
    status = _end(pid)
    if not word:
        os._exit(0)
    return status


def _end(pid: int) -> int:
    if platform.system() == "Linux":
        from .sandbox import terminate

        return terminate(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def _child(
    control: socket.socket, shell: Any, command: dict[str, Any], descriptors: list[int], limits: Limits, parent: int
) -> None:
    """Never returns. Until `confine` has returned, no learner's code runs."""
    code = 1
    try:
        request_in, answers_out = descriptors
        with os.fdopen(request_in, "rb") as stream:
            data = stream.read()
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # type: ignore[misc]  # noqa: SIM115
        sys.stderr = sys.__stderr__ = open(2, "w", closefd=False)  # type: ignore[misc]  # noqa: SIM115
        control.close()
        if command["confined"]:
            from .sandbox import confine

            confine(
                Path(command["workdir"]),
                [Path(path) for path in command["readable"]],
                limits,
                keep=(1, 2, answers_out),
                parent=parent,
                namespaces=command["namespaces"],
            )
        else:
            os.setpgid(0, 0)
            os.chdir(command["workdir"])
            signal.alarm(int(limits.wall) + 1)
        serve_request(shell, data, answers_out)
        code = 0
    except BaseException as error:  # told to the worker, who shows it to the instructor
        with contextlib.suppress(BaseException):
            os.write(answers_out, b"")
        if os.environ.get("AUTOGRADER_DEBUG"):
            raise
        code = 97 if type(error).__name__ in ("SandboxError", "OSError", "PermissionError") else 1
    finally:
        os._exit(code)


def serve_request(shell: Any, data: bytes, answers_out: int) -> None:
    """Run one request's cells and observe its exercises; every random generator begins at the same place."""
    import random

    import numpy as np
    import torch

    from ..checks.child import emit_to, serve
    from ..checks.values import unpack
    from .session import run_in

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  learners' cells may use the old generator
    torch.manual_seed(0)
    with os.fdopen(answers_out, "wb") as answers:
        emit = emit_to(answers)
        serve(unpack(data), emit, run_in(shell, emit))


if __name__ == "__main__":
    main()
