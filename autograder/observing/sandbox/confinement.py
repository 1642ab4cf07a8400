"""`confine`: put the walls up around the child that will run a submission.

    warm process ── fork ──> supervisor ── fork ──> submission (process 1 of its own namespace)

The supervisor runs no learner code. It holds the wall-clock limit, ends the submission when told to (SIGTERM)
or when it dies itself, and passes on how the submission ended.
"""

from __future__ import annotations

import gc
import os
import platform
import re
import resource
import select
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from autograder.observing.sandbox import filesystem, kernel, landlock, seccomp
from autograder.observing.sandbox.kernel import SandboxError
from autograder.observing.sandbox.limits import Limits

_NAMESPACES_OF_SUBMISSION = kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
_THREAD_RESERVE = 80 << 20  # address space that the C library sets aside for a thread: its stack and its heap


def confine(
    workdir: Path,
    readable: Sequence[Path],
    limits: Limits,
    *,
    keep: Iterable[int] = (1, 2),
    parent: int,
    namespaces: bool = True,
) -> None:
    """Confine the calling process; returns in the process that is to run the learner's code, and only there.

    Call it in a freshly forked child with one thread, before any learner code. The calling process becomes the supervisor
    and never returns. Where a wall cannot be built, `SandboxError` or `OSError` is raised: `os._exit`, and run nothing.

    workdir      existing folder of this submission. Its files are *copied* into a private one at the same path, which is
                 gone when the submission ends; links and special files are left out
    readable     folders and files to read besides Python, its packages and the system libraries. Never the course folder:
                 name the packages inside it that the submission needs
    keep         descriptors that stay open; descriptor 0 becomes /dev/null
    parent       process id of the warm process, taken before the fork: a parent that died in between is noticed
    namespaces   False relies on Landlock and the system call filter alone, for kernels and containers that refuse namespaces

    What the walls cannot do: the child inherits the memory of the warm process. What that has ever held (expected values,
    hidden cases, tokens in variables) a submission can read. Keep it out of there.
    """
    if len(os.listdir("/proc/self/task")) != 1:
        raise SandboxError("confine needs a child with one thread: call it right after the fork.")
    folder = os.path.realpath(workdir)
    if not os.path.isdir(folder):
        raise SandboxError(f"The working folder {workdir} does not exist.")
    paths = filesystem.existing([*filesystem.python_folders(), *readable])
    filesystem.refuse_overlap(folder, paths)
    kept = {descriptor for descriptor in keep if descriptor > 2} | {1, 2}

    _die_with_parent(parent)
    _settle_signals()
    user, group = _identity(namespaces)
    was_root = os.geteuid() == 0
    if namespaces:
        if not was_root:
            _enter_user_namespace()
        kernel.unshare(kernel.CLONE_NEWPID)
    alive_read, alive_write = os.pipe()
    child = os.fork()
    if child:
        _supervise(child, alive_write, limits)

    os.close(alive_write)
    gc.freeze()
    os.setsid()
    kernel.erase_environment()
    memory = _inherited_memory()
    if namespaces:
        kernel.unshare(_NAMESPACES_OF_SUBMISSION)
        filesystem.build_root(folder, paths, limits.folder_bytes, (user, group))
    os.chdir(folder)
    _set_environment(folder)
    os.umask(0o077)
    _replace_input()
    kernel.lower_capability_bound()
    if namespaces and was_root:
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
        _check_readable(paths)
    kernel.drop_capabilities()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)  # here, since a change of user clears it
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    if select.select([alive_read], [], [], 0)[0]:
        os._exit(1)  # the supervisor was gone before its death could reach us
    kernel.close_descriptors_except(kept | {0})
    _set_resource_limits(limits, memory, own_tasks=namespaces and (was_root or _kernel_release() >= (5, 14)))
    landlock.restrict(_landlock_rules(folder, paths))
    seccomp.install(private_mounts=namespaces)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def _die_with_parent(parent: int) -> None:
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _settle_signals() -> None:
    """Default handlers, all blocked: the supervisor waits for signals, the submission unblocks them last."""
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _identity(namespaces: bool) -> tuple[int, int]:
    """The user and group that learner code runs as. For root: a number that nobody uses, another for each child.

    Root is exempt from RLIMIT_NPROC and passes every permission, and submissions with one number would share a count.
    """
    if os.geteuid() != 0 or not namespaces:
        return os.geteuid(), os.getegid()
    with open("/proc/self/uid_map", encoding="ascii") as handle:
        inside, _, count = (int(word) for word in handle.read().split()[-3:])
    number = 2_000_000_000 + os.getpid() if count > 2_100_000_000 else inside + count - 1 - os.getpid() % (count // 2)
    if number < 1000:
        raise SandboxError("No unused user number is left in this container to run a submission as.")
    return number, number


def _enter_user_namespace() -> None:
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    maps = (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1"))
    for name, text in maps:
        with open(f"/proc/self/{name}", "w", encoding="ascii") as handle:
            handle.write(text)


def _supervise(child: int, alive: int, limits: Limits) -> NoReturn:
    """Wait for the submission's end, SIGTERM or the wall clock; then leave the way the submission did."""
    status = 1 << 8
    try:
        kernel.close_descriptors_except({alive})
        deadline = time.monotonic() + limits.wall
        ended, timed_out = 0, False
        while not ended:
            left = max(0.0, deadline - time.monotonic())
            request = signal.sigtimedwait({signal.SIGCHLD, signal.SIGTERM}, left)
            timed_out = request is None
            wait = os.WNOHANG  # since a submission that only stops itself sends SIGCHLD as well
            if request is None or request.si_signo == signal.SIGTERM:
                os.kill(child, signal.SIGKILL)
                wait = 0
            # Process 1 of a namespace can be reaped only when every process in it is gone.
            ended, status, usage = os.wait4(child, wait)
        if timed_out:
            status = signal.SIGALRM
        elif os.WIFSIGNALED(status) and usage.ru_utime + usage.ru_stime >= limits.cpu:
            status = signal.SIGXCPU
    finally:
        _leave_like(status)


def _leave_like(status: int) -> NoReturn:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
        os._exit(128 + number)
    os._exit(os.WEXITSTATUS(status))


def _set_environment(folder: str) -> None:
    os.environ.update(
        {
            "PATH": f"{os.path.join(sys.prefix, 'bin')}:/usr/local/bin:/usr/bin:/bin",
            "HOME": folder,
            "TMPDIR": folder,
            "IPYTHONDIR": os.path.join(folder, ".ipython"),
            "MPLCONFIGDIR": os.path.join(folder, ".matplotlib"),
            "MPLBACKEND": "Agg",
            "USER": "learner",
            "LOGNAME": "learner",
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
    )
    tempfile.tempdir = None


def _replace_input() -> None:
    descriptor = os.open("/dev/null", os.O_RDONLY)
    os.dup2(descriptor, 0)
    if descriptor:
        os.close(descriptor)


def _check_readable(paths: Sequence[str]) -> None:
    for path in paths:
        if not os.access(path, os.R_OK | (os.X_OK if os.path.isdir(path) else 0)):
            raise SandboxError(f"{path} cannot be read by an ordinary user; run chmod -R a+rX on it.")


def _kernel_release() -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", platform.release())
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _inherited_memory() -> tuple[int, int]:
    """Bytes of private memory and of address space in use; asked while the host's /proc is here."""
    with open("/proc/self/status", encoding="ascii") as handle:
        sizes = dict(re.findall(r"^(VmSize|VmData):\s+(\d+) kB", handle.read(), re.MULTILINE))
    return int(sizes["VmData"]) << 10, int(sizes["VmSize"]) << 10


def _set_resource_limits(limits: Limits, inherited: tuple[int, int], *, own_tasks: bool) -> None:
    """`own_tasks`: the count behind RLIMIT_NPROC is this submission's alone, so that it can be set."""
    data, space = inherited
    bounds = {
        resource.RLIMIT_CORE: 0,
        # RLIMIT_DATA counts private writable memory only; the address space is a second, wider fence for the rest.
        resource.RLIMIT_DATA: data + limits.memory,
        resource.RLIMIT_AS: space + limits.memory + limits.folder_bytes + _THREAD_RESERVE * limits.tasks,
        resource.RLIMIT_FSIZE: limits.file_size,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_STACK: 8 << 20,
        resource.RLIMIT_MEMLOCK: 64 << 10,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if own_tasks:
        bounds[resource.RLIMIT_NPROC] = limits.tasks
    for kind, bound in bounds.items():
        _, hard = resource.getrlimit(kind)
        bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(kind, (bound, bound))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu, limits.cpu + 1))


def _landlock_rules(folder: str, paths: Sequence[str]) -> list[tuple[str, int]]:
    read = (*filesystem.SYSTEM_FOLDERS, *filesystem.SYSTEM_FILES, *paths, *filesystem.PROC_FILES)
    rules = [(path, landlock.READ) for path in read]
    rules += [(path, landlock.WRITE_EXISTING) for path in filesystem.DEVICES]
    return [*rules, (folder, landlock.READ_WRITE)]
