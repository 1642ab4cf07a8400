"""What this machine can isolate, found by trying, and the decision whether that is enough to grade."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

from autograder.observing.sandbox import kernel, landlock, seccomp
from autograder.observing.sandbox.limits import MEBIBYTE, Limits

Walls = Literal["namespaces", "filters", "none"]

RISK = (
    "--isolation none runs every submission as you: it can read and change your files, the gradebook and the "
    "solutions, use the network, and leave programs running."
)


@dataclass(frozen=True)
class Fact:
    """One thing tried: whether it holds, and a sentence that says so."""

    name: str
    holds: bool
    sentence: str


@dataclass(frozen=True)
class Isolation:
    """What holds on this machine.

    walls    "namespaces": private processes, network and files, and all of "filters" besides.
             "filters": Landlock, system call filter, rlimits; a submission cannot start processes, and
             nothing bounds its files as a whole. "none": not enough of either
    facts    every single thing tried
    missing  sentences; empty where `enough`
    """

    system: str
    root: bool
    walls: Walls
    facts: tuple[Fact, ...]
    missing: tuple[str, ...]

    @property
    def enough(self) -> bool:
        return not self.missing

    @property
    def namespaces(self) -> bool:
        """What to hand to `confine(namespaces=...)`."""
        return self.walls == "namespaces"


class IsolationRefused(Exception):
    """Grading may not start here; the message says what is missing and what running without it risks."""


@lru_cache(maxsize=1)
def available() -> Isolation:
    """What this machine can isolate: tried once, in throw-away children, and then answered from memory."""
    if sys.platform != "linux":
        name = {"darwin": "macOS", "win32": "Windows"}.get(sys.platform, sys.platform)
        reason = f"The sandbox is made of Linux kernel features, and this is {name}: run the grader on Linux."
        return Isolation(name, False, "none", (), (reason,))
    if kernel.machine_index() is None:
        reason = "The sandbox knows 64-bit x86_64 and aarch64 processors only."
        return Isolation("Linux", os.geteuid() == 0, "none", (), (reason,))
    root = os.geteuid() == 0
    facts = _facts(root, landlock.version())
    with_namespaces = _rehearse(namespaces=True)
    alone = _rehearse(namespaces=False) if with_namespaces else ""
    rehearsal = alone or with_namespaces
    walls: Walls = "none" if with_namespaces and alone else "filters" if with_namespaces else "namespaces"
    facts.append(Fact("rehearsal", walls != "none", {
        "namespaces": "A rehearsal with all walls kept a hostile program from files, network and processes.",
        "filters": f"A rehearsal without namespaces held (with them: {with_namespaces}).",
        "none": f"A rehearsal failed: {rehearsal}.",
    }[walls]))  # fmt: skip
    missing: tuple[str, ...] = ()
    if walls == "none":
        needed = ("landlock", "seccomp", "no_new_privs", "rlimits", "rehearsal")
        missing = tuple(fact.sentence for fact in facts if fact.name in needed and not fact.holds)
    return Isolation("Linux", root, walls, tuple(facts), missing)


def require(isolation: Isolation | None = None) -> Isolation:
    """The isolation to grade with. Raises `IsolationRefused` where there is not enough: going without is always the
    operator's own choice.
    """
    found = available() if isolation is None else isolation
    if not found.enough:
        raise IsolationRefused(f"Submissions cannot be isolated here: {' '.join(found.missing)} {RISK}")
    return found


def _tried(action: Callable[[], object]) -> bool:
    """Whether `action` succeeds in a child that ends right after it."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


def _enter(flag: int, root: bool) -> None:
    if not root:
        kernel.unshare(kernel.CLONE_NEWUSER)
    if flag != kernel.CLONE_NEWUSER or root:
        kernel.unshare(flag)
    if flag == kernel.CLONE_NEWNS:
        kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)


def _facts(root: bool, abi: int) -> list[Fact]:
    def enter(flag: int) -> Callable[[], None]:
        return partial(_enter, flag, root)

    def install_filter() -> None:
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        seccomp.install(private_mounts=False)
        try:
            kernel.call("ptrace", 0, 0, 0, 0)
        except PermissionError:
            return
        raise RuntimeError("the filter let ptrace through")

    def limit_files() -> None:
        import resource  # here, since Windows has no such module and must still say why it is refused

        resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))

    landlock_sentence = (
        f"Landlock version {abi}: only named files can be opened"
        + (", no TCP" if abi >= 4 else "") + (", no signals outward." if abi >= 6 else ".")
        if abi else "Landlock is missing: it needs Linux 5.13 or newer that lists `landlock` in `lsm=`."
    )  # fmt: skip
    tried: tuple[tuple[str, Callable[[], object], str], ...] = (
        ("user_namespace", enter(kernel.CLONE_NEWUSER), "User namespaces (an ordinary user's way to the other ones)"),
        ("pid_namespace", enter(kernel.CLONE_NEWPID), "PID namespaces (no other process to see, none survives)"),
        ("network_namespace", enter(kernel.CLONE_NEWNET), "Network namespaces (a network without a way out)"),
        ("mount_namespace", enter(kernel.CLONE_NEWNS), "Mount namespaces (a private tree of files)"),
        ("ipc_namespace", enter(kernel.CLONE_NEWIPC), "IPC namespaces (no shared memory with others)"),
        ("seccomp", install_filter, "System call filter (seccomp)"),
        ("no_new_privs", lambda: kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1), "No new privileges"),
        ("parent_death", lambda: kernel.prctl(kernel.PR_SET_PDEATHSIG, 9), "Death with the parent"),
        ("rlimits", limit_files, "Resource limits"),
    )
    facts = [Fact("landlock", abi > 0, landlock_sentence)]
    for name, action, title in tried:
        holds = _tried(action)
        facts.append(Fact(name, holds, f"{title}: {'yes' if holds else 'refused by this system'}."))
    return facts


def _rehearse(*, namespaces: bool) -> str:
    """Confine a hostile program for real. Empty where everything held, else what did not."""
    from autograder.observing.sandbox.process import collect, spawn  # here, since they import on Unix only

    with tempfile.TemporaryDirectory() as secret_folder, tempfile.TemporaryDirectory() as workdir:
        secret = Path(secret_folder, "gradebook")
        secret.write_text("secret", encoding="ascii")
        limits = Limits(memory=256 * MEBIBYTE, cpu=5, wall=10.0, folder_bytes=4 * MEBIBYTE)
        outside = os.getpid()

        def attack() -> None:
            import socket

            Path(workdir, "mine").write_text("mine", encoding="ascii")
            attempts: tuple[tuple[str, Callable[[], object]], ...] = (
                ("a file outside could be read", lambda: secret.read_bytes()),
                ("a file outside could be written", lambda: secret.write_bytes(b"")),
                ("a socket could be opened", lambda: socket.socket(socket.AF_INET)),
                ("another process could be signalled", lambda: os.kill(outside, 0)),
                ("a process could be started", os.fork),
            )
            for complaint, attempt in attempts:
                try:
                    attempt()
                except OSError:
                    continue
                print(complaint)
                return
            print("held")

        try:
            child = spawn(attack, Path(workdir), [], limits, namespaces=namespaces)
            outcome = collect(child, limits)
        except OSError as error:
            return str(error)
    said = outcome.output.decode(errors="replace").strip()
    last = said.splitlines()[-1] if said else outcome.reason
    return "" if last == "held" and outcome.status == 0 else last.rstrip(".")
