"""What a confined submission cannot use up, and that nothing of it survives."""

import itertools
import mmap
import os
import resource
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.observing.sandbox.isolation import Isolation, IsolationRefused, available, require
from autograder.observing.sandbox.limits import Limits, explain_status
from autograder.observing.sandbox.process import spawn, terminate
from tests.observing.conftest import SMALL, Confined

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is made of Linux kernel features")
MEBIBYTE = 1 << 20


def everything_closed(descriptor: int) -> bool:
    """Whether the last process that held the other end of this pipe is gone; waits a while for it."""
    deadline = time.monotonic() + 20
    while select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
        if not os.read(descriptor, 1 << 16):
            return True
    return False


def fill_memory(block: Callable[[], object]) -> Callable[[], int]:
    """Take blocks until refused, and count them."""

    def fill() -> int:
        held = []
        for count in itertools.count():
            try:
                held.append(block())
            except (MemoryError, OSError):
                held.clear()
                return count
        raise AssertionError("unreachable")

    return fill


# Memory


def test_memory_ends_where_the_limit_says(confined: Confined) -> None:
    # 16 blocks fill the limit. One more may fit: what the fork inherited from this process and gives back is room as well.
    blocks = confined.answer(fill_memory(lambda: bytearray(64 * MEBIBYTE)), memory=1024 * MEBIBYTE)
    assert 12 <= blocks <= 17


def test_memory_mapped_by_hand_counts_too(confined: Confined) -> None:
    def block() -> mmap.mmap:
        return mmap.mmap(-1, 16 * MEBIBYTE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    assert confined.answer(fill_memory(block), memory=256 * MEBIBYTE) <= 16


def test_shared_memory_is_no_way_around_the_limit(confined: Confined) -> None:
    def shared_device() -> object:
        descriptor = os.open("/dev/zero", os.O_RDWR)
        try:
            return mmap.mmap(descriptor, 64 * MEBIBYTE, mmap.MAP_SHARED)
        finally:
            os.close(descriptor)

    assert confined.error(lambda: mmap.mmap(-1, 4096, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)) == "EPERM"
    assert confined.error(lambda: os.memfd_create("kept")) == "EPERM"
    assert confined.answer(fill_memory(shared_device), memory=256 * MEBIBYTE, tasks=4) <= 12


def test_the_address_space_bomb_of_one_large_array_is_a_memory_error(confined: Confined) -> None:
    def ask() -> str:
        try:
            bytearray(1 << 40)
        except MemoryError:
            return "MemoryError"
        return "given"

    assert confined.answer(ask) == "MemoryError"


# Processes and threads


def test_no_process_can_be_started(confined: Confined) -> None:
    assert confined.error(os.fork) == "EPERM"
    assert confined.error(lambda: subprocess.run(["true"], check=True)) == "EPERM"
    assert confined.error(lambda: os.posix_spawn("/bin/true", ["true"], {})) == "EPERM"


def start_threads() -> int:
    """How many threads could be started before no more are allowed; they all wait."""
    for count in itertools.count():
        try:
            threading.Thread(target=signal.pause, daemon=True).start()
        except (RuntimeError, MemoryError):
            return count
    raise AssertionError("unreachable")


def test_two_submissions_do_not_share_their_number_of_tasks(in_namespaces: Confined) -> None:
    def hold() -> None:
        start_threads()
        os.write(1, b"full")
        signal.pause()

    first = spawn(hold, in_namespaces.workdir, [], Limits(**{**SMALL.__dict__, "tasks": 6}))
    try:
        assert os.read(first.output, 4) == b"full"
        assert in_namespaces.answer(start_threads, tasks=6) >= 1
    finally:
        terminate(first.pid)
        os.close(first.output)


def test_threads_are_bounded(confined: Confined) -> None:
    outcome = confined.run(lambda: os.write(1, str(start_threads()).encode()) and os._exit(0), tasks=16)
    # Without namespaces other processes of the same user would count, so there only memory bounds the
    # threads.
    assert 1 <= int(outcome.output) < (16 if confined.namespaces else 100)


# Time


def test_a_loop_that_ignores_signals_ends_with_its_processor_time(confined: Confined) -> None:
    def loop() -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU, signal.SIGALRM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while True:
            pass

    assert confined.run(loop, cpu=1).reason == "The program used more than 1 s of processor time and was stopped."


def test_waiting_for_ever_ends_with_the_wall_clock(confined: Confined) -> None:
    def wait() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        threading.Event().wait()

    assert confined.run(wait, wall=0.5).reason == "The program ran longer than 0.5 s and was stopped."


def test_stopping_itself_does_not_stop_the_wall_clock(confined: Confined) -> None:
    def stop() -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        signal.pause()

    assert confined.run(stop, wall=0.5).reason == "The program ran longer than 0.5 s and was stopped."


def test_the_wall_clock_holds_though_output_was_closed(confined: Confined) -> None:
    def close_and_wait() -> None:
        os.close(1)
        os.close(2)
        signal.pause()

    assert "ran longer than 0.5 s" in confined.run(close_and_wait, wall=0.5).reason


def test_a_limit_cannot_be_raised_again(confined: Confined) -> None:
    def raise_all() -> list[str]:
        raised = []
        for name in (
            "RLIMIT_DATA",
            "RLIMIT_AS",
            "RLIMIT_FSIZE",
            "RLIMIT_NOFILE",
            "RLIMIT_CPU",
            "RLIMIT_CORE",
        ):
            kind = getattr(resource, name)
            soft, hard = resource.getrlimit(kind)
            try:
                resource.setrlimit(kind, (hard + 1, hard + 1))
            except (ValueError, OSError):
                continue
            raised.append(f"{name} {soft}")
        return raised

    assert confined.answer(raise_all) == []


# Files and output


def test_a_file_stops_growing_at_its_limit(confined: Confined) -> None:
    def grow() -> None:
        with Path("large").open("wb") as handle:
            for _ in range(100):
                handle.write(bytes(MEBIBYTE))

    assert confined.error(grow) == "EFBIG"
    assert confined.error(lambda: os.truncate(os.open("hollow", os.O_CREAT | os.O_RDWR), 1 << 40)) == "EFBIG"


def test_many_files_together_stop_at_the_limit_of_the_folder(in_namespaces: Confined) -> None:
    def fill() -> None:
        for number in range(100):
            Path(f"part{number}").write_bytes(bytes(MEBIBYTE))

    assert in_namespaces.error(fill) == "ENOSPC"


def test_a_submission_larger_than_its_folder_says_so_and_does_not_run(in_namespaces: Confined) -> None:
    (in_namespaces.workdir / "large").write_bytes(bytes(4 * MEBIBYTE))
    outcome = in_namespaces.run(lambda: print("ran"), folder_bytes=2 * MEBIBYTE)
    assert outcome.status != 0
    assert "was not run" in outcome.reason
    assert "do not fit into" in outcome.reason


def test_open_files_are_bounded(confined: Confined) -> None:
    assert confined.error(lambda: [os.dup(1) for _ in range(1000)]) == "EMFILE"


def test_a_flood_of_output_is_cut_and_ends_the_program(confined: Confined) -> None:
    def flood() -> None:
        while True:
            os.write(1, b"x" * 65536)

    outcome = confined.run(flood, output=MEBIBYTE)
    assert (len(outcome.output), outcome.truncated) == (MEBIBYTE, True)
    assert "printed more than" in outcome.reason


def test_output_within_the_limit_comes_back_whole(confined: Confined) -> None:
    outcome = confined.run(lambda: print("x" * 1000))
    assert (outcome.output, outcome.truncated, outcome.reason) == (b"x" * 1000 + b"\n", False, "")


# Ends


@pytest.mark.parametrize(("end", "sentence"), [
    (lambda: os._exit(3), "The program ended itself with exit code 3."),
    (lambda: sys.exit(4), "The program ended itself with exit code 4."),
    (lambda: os.kill(os.getpid(), signal.SIGSEGV) or os._exit(11), ("SIGSEGV", "exit code 11")),
    (lambda: os.abort(), ("SIGABRT", "SIGSEGV")),
])  # fmt: skip
def test_how_it_ended_is_told(confined: Confined, end: Callable[[], object], sentence: str | tuple[str, ...]) -> None:
    reason = confined.run(end).reason
    assert any(word in reason for word in ([sentence] if isinstance(sentence, str) else sentence))


def test_an_exception_is_an_exit_and_its_text_is_kept(confined: Confined) -> None:
    outcome = confined.run(lambda: 1 // 0)
    assert b"ZeroDivisionError" in outcome.output
    assert outcome.reason == "The program ended itself with exit code 1."


def test_terminate_ends_a_submission_and_reaps_it(confined: Confined) -> None:
    child = spawn(lambda: (os.write(1, b"up"), signal.pause()), confined.workdir, [], SMALL,
                  namespaces=confined.namespaces)  # fmt: skip
    assert os.read(child.output, 2) == b"up"
    status = terminate(child.pid)
    assert os.WIFSIGNALED(status)
    assert everything_closed(child.output)
    with pytest.raises(ChildProcessError):
        os.waitpid(child.pid, 0)
    os.close(child.output)


def test_when_the_supervisor_is_killed_the_submission_dies(confined: Confined) -> None:
    child = spawn(lambda: (os.write(1, b"up"), signal.pause()), confined.workdir, [], SMALL,
                  namespaces=confined.namespaces)  # fmt: skip
    assert os.read(child.output, 2) == b"up"
    os.kill(child.pid, signal.SIGKILL)
    os.waitpid(child.pid, 0)
    assert everything_closed(child.output)
    os.close(child.output)


def test_when_the_grader_is_killed_everything_dies(confined: Confined) -> None:
    reading, writing = os.pipe()
    program = f"""
        import os, signal
        from pathlib import Path
        from autograder.observing.sandbox.confinement import confine
        from autograder.observing.sandbox.limits import Limits
        grader = os.getpid()
        if not os.fork():
            confine(Path({str(confined.workdir)!r}), [], Limits(), keep=[{writing}], parent=grader,
                    namespaces={confined.namespaces})
            os.write({writing}, b"up")
            while True:
                signal.pause()
        os.close({writing})
        signal.pause()
    """
    grader = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], pass_fds=[writing])
    os.close(writing)
    assert os.read(reading, 2) == b"up"
    grader.kill()
    grader.wait()
    assert everything_closed(reading)
    os.close(reading)


# The decision


def isolation(*missing: str) -> Isolation:
    return Isolation("Linux", False, "none" if missing else "namespaces", (), missing)


def test_without_enough_isolation_grading_is_refused_with_what_is_missing_and_the_risk() -> None:
    with pytest.raises(IsolationRefused) as refused:
        require(isolation("Landlock is missing."))
    message = str(refused.value)
    assert "Landlock is missing." in message
    assert "--isolation none runs every submission as you" in message
    assert "\n" not in message


def test_enough_isolation_is_accepted() -> None:
    assert require(isolation()).namespaces


def test_the_walls_stand_wherever_the_kernel_offers_what_they_need() -> None:
    """Without this a broken sandbox would skip its own tests as if the kernel were to blame."""
    found = available()
    offered = {fact.name: fact.holds for fact in found.facts}
    if not (offered["landlock"] and offered["seccomp"]):
        pytest.skip("this kernel offers no Landlock or no system call filter")
    assert found.enough, found.missing
    spaces = [offered[f"{kind}_namespace"] for kind in ("pid", "network", "mount", "ipc")]
    assert found.walls == ("namespaces" if all(spaces) else "filters"), found.facts[-1].sentence


@pytest.mark.parametrize(("platform_name", "word"), [("darwin", "macOS"), ("win32", "Windows")])
def test_on_other_systems_it_says_plainly_that_it_is_not_available(
    monkeypatch: pytest.MonkeyPatch, platform_name: str, word: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform_name)
    found = available.__wrapped__()
    assert not found.enough
    assert word in found.missing[0]
    assert "run the grader on Linux" in found.missing[0]


@pytest.mark.parametrize("name", ["memory", "tasks", "cpu", "wall", "output", "folder_bytes"])
def test_a_limit_that_bounds_nothing_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=f"Limits.{name} must be positive"):
        Limits(**{name: 0})


def test_a_good_end_needs_no_sentence() -> None:
    assert explain_status(0, Limits()) == ""
