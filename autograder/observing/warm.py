"""The warm process: imports once what submissions need, then forks one child for each, locked up where that is wanted.

Run as `python -m autograder.observing.warm MODULES`, with a Unix socket as its standard input. It is started with nothing
secret in it: what it holds, every submission can read. Over the socket come one JSON line and two descriptors a
submission (the request to read, the answers to write); back go JSON lines: the child's process id, then how it ended.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from .. import library
from .readiness import import_now
from .sandbox import kernel
from .sandbox.limits import Limits, explain_status
from .serve import serve_request
from .session import open_shell

_PATIENCE = 1.0


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["--once"]:
        _answer_once(frozenset(words[1:]))
    control = socket.socket(fileno=os.dup(0))
    if sys.platform == "linux":
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    shell = warm_up(frozenset(words))
    _say(control, {"ready": True})
    while (order := socket.recv_fds(control, 65536, 2))[0]:
        _serve_one(control, shell, json.loads(order[0]), order[1])


def _answer_once(modules: frozenset[str]) -> NoReturn:
    """One request from standard input, frames to standard output: for systems on which nothing can be forked."""
    answers = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    data = sys.stdin.buffer.read()
    os.dup2(null, 0)
    serve_request(warm_up(modules), data, answers)
    os._exit(0)  # a learner's threads and exit hooks have no say any more


def warm_up(modules: frozenset[str]) -> Any:
    """Import what submissions import, first uses included, and leave one thread behind. Gives the session's shell."""
    for name in ("autograder.vocabulary", *sorted(modules & {"autograder.lab"})):  # all that a notebook imports
        importlib.import_module(name)
    if "library" in modules:
        for unit in library.units():
            with contextlib.suppress(Exception):
                importlib.import_module(f"{library.__name__}.{library.module_name(unit)}")
    import_now(modules - {"library", "matplotlib", "autograder.lab"})
    if "torch" in modules:
        import torch

        torch.set_num_threads(1)
        with contextlib.suppress(RuntimeError):
            torch.set_num_interop_threads(1)
    if "matplotlib" in modules:
        _warm_matplotlib()
    shell = open_shell()
    shell.run_cell("import numpy as np\n1 + 1", store_history=False, silent=True)
    shell.user_ns.pop("np", None)
    return shell


def _warm_matplotlib() -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.figure
    import matplotlib.pyplot as plt

    figure = matplotlib.figure.Figure(figsize=(1, 1))
    figure.add_subplot().plot([0, 1])
    figure.savefig(os.devnull, format="png")
    plt.close("all")


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
    if sys.platform != "linux":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        return os.waitpid(pid, 0)[1]
    from .sandbox.process import terminate

    return terminate(pid)


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
            from .sandbox.confinement import confine

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
        code = 97 if type(error).__name__ in ("SandboxError", "OSError", "PermissionError") else 1
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
