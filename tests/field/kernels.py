"""Real Jupyter kernels in which a learner's cells are run, one after the other, whatever they raise.

`Kernels` forks them from one process that has imported what kernels import, so that thirty of them cost little.
Where a test is about those imports it starts a fresh kernel: `Kernel.fresh`.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.connect import write_connection_file
from jupyter_client.manager import KernelManager

from .callers import REPOSITORY, Answers, answers_in, environment, is_check, part_of

_SECONDS = 200.0
Outputs = list[Any]
_DIED = nbformat.v4.new_output("error", ename="DeadKernel", evalue="the kernel has died", traceback=[])


class Kernel:
    """One kernel and its client."""

    def __init__(self, client: BlockingKernelClient, manager: KernelManager | None = None) -> None:
        self.client = client
        self.manager = manager

    @classmethod
    @contextlib.contextmanager
    def fresh(cls, folder: Path, env: Mapping[str, str] | None = None) -> "Iterator[Kernel]":
        """A kernel started as Jupyter starts it, in `folder`."""
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel(cwd=str(folder), env=environment(env))
        client = manager.blocking_client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=_SECONDS)
            yield cls(client, manager)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)

    def restart(self) -> None:
        assert self.manager is not None
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=_SECONDS)

    def run(self, source: str, interrupt_when: Any = None) -> Outputs:
        """Run one cell; its outputs. `interrupt_when`: asked every moment; once it is true the kernel is interrupted."""
        asked = self.client.execute(source, allow_stdin=False)
        outputs: Outputs = []
        deadline, interrupted = time.monotonic() + _SECONDS, interrupt_when is None
        while True:
            if not interrupted and interrupt_when():
                assert self.manager is not None
                self.manager.interrupt_kernel()
                interrupted = True
            try:
                message = self.client.get_iopub_msg(timeout=0.05 if not interrupted else 1)
            except queue.Empty as nothing_yet:
                if self.manager is not None and not self.manager.is_alive():
                    return [*outputs, _DIED]
                if time.monotonic() > deadline:
                    raise TimeoutError(f"this cell did not end: {source[:200]}") from nothing_yet
                continue
            if message["parent_header"].get("msg_id") != asked:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return outputs
            if message["msg_type"] in ("stream", "display_data", "execute_result", "error"):
                outputs.append(nbformat.v4.output_from_msg(message))

    def run_notebook(self, cells: Sequence[Mapping[str, Any]]) -> Answers:
        """Run a notebook's cells from the top, without its experiments."""
        ran = [(cell, self.run(cell["source"])) for cell in cells if is_run(cell)]
        return answers_in((cell["metadata"]["autograder"]["exercise"], found) for cell, found in ran if is_check(cell))


def is_run(cell: Mapping[str, Any]) -> bool:
    return cell["cell_type"] == "code" and part_of(cell) not in ("demo", "hidden")


class Kernels:
    """Kernels forked from one warm process."""

    def __enter__(self) -> "Kernels":
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=REPOSITORY,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout and self._process.stdin
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    @contextlib.contextmanager
    def kernel(self, folder: Path) -> Iterator[Kernel]:
        assert self._process.stdin
        with tempfile.TemporaryDirectory(prefix="kernel-") as place:
            connection, _ = write_connection_file(str(Path(place) / "connection.json"))
            self._process.stdin.write(json.dumps([str(folder), connection]) + "\n")
            self._process.stdin.flush()
            client = BlockingKernelClient(connection_file=connection)
            client.load_connection_file()
            client.start_channels()
            try:
                _wait_for_ready(client)
                yield Kernel(client)
            finally:
                client.shutdown()
                client.stop_channels()


def _wait_for_ready(client: BlockingKernelClient) -> None:
    """As the client's own, which takes a kernel that is slow to answer on a busy machine for a dead one."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        client.kernel_info()
        with contextlib.suppress(queue.Empty):
            if client.get_shell_msg(timeout=5)["msg_type"] == "kernel_info_reply":
                break
    with contextlib.suppress(queue.Empty):
        while True:
            client.get_iopub_msg(timeout=0.2)


def _serve() -> None:
    """Fork a kernel for each line: the folder that it starts in, and its connection file."""
    import matplotlib
    import numpy
    import torch
    from ipykernel.kernelapp import IPKernelApp

    import autograder  # noqa: F401

    matplotlib.use("Agg")
    torch.ones(numpy.int64(2), device="meta").sum()
    torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1).step()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    for line in sys.stdin:
        folder, connection = json.loads(line)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(2, 1)
            os.environ["JPY_PARENT_PID"] = str(os.getppid())
            os.chdir(folder)
            IPKernelApp.launch_instance(argv=["-f", connection])
            os._exit(0)


if __name__ == "__main__":
    _serve()
