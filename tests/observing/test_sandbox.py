"""What a confined submission cannot reach: files, network, other processes, privileges."""

# Attacks are written as the calls that they are.
# ruff: noqa: PTH104, PTH123, PTH208, SIM115

import ctypes
import itertools
import os
import platform
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.observing.sandbox import kernel, process
from tests.observing.conftest import Confined

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is made of Linux kernel features")
REFUSALS = {"EACCES", "EPERM", "ENOENT"}
REFUSED_WRITES = REFUSALS | {"EROFS"}


def open_secret(folder: Path, name: str = "gradebook.db") -> Path:
    """A file that everybody may read and write, so that no file mode does the sandbox's work."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    secret = folder / name
    secret.write_text("secret", encoding="ascii")
    secret.chmod(0o666)
    return secret


# Files


def test_its_own_folder_can_be_read_and_written(confined: Confined) -> None:
    (confined.workdir / "cases.txt").write_text("given", encoding="ascii")
    (confined.workdir / "data").mkdir()
    (confined.workdir / "data" / "inner.txt").write_text("deep", encoding="ascii")

    def work() -> list[str]:
        Path("made").mkdir()
        Path("made/answer.txt").write_text("answer", encoding="ascii")
        Path("cases.txt").write_text("changed", encoding="ascii")
        Path("made/answer.txt").rename("moved.txt")
        return [
            Path("cases.txt").read_text(),
            Path("data/inner.txt").read_text(),
            Path("moved.txt").read_text(),
        ]

    assert confined.answer(work) == ["changed", "deep", "answer"]


def test_with_namespaces_the_folder_on_the_host_stays_as_it_was(in_namespaces: Confined) -> None:
    (in_namespaces.workdir / "cases.txt").write_text("given", encoding="ascii")

    def work() -> None:
        Path("cases.txt").write_text("changed", encoding="ascii")
        Path("left").write_text("left", encoding="ascii")

    in_namespaces.answer(work)
    assert {path.name: path.read_text() for path in in_namespaces.workdir.iterdir()} == {"cases.txt": "given"}


@pytest.mark.parametrize("place", ["beside", "another submission", "above"])
def test_files_outside_can_be_neither_read_nor_written(confined: Confined, tmp_path: Path, place: str) -> None:
    secret = open_secret({"beside": tmp_path, "above": tmp_path, "another submission": tmp_path / "s2"}[place])
    path: str | Path = "../gradebook.db" if place == "above" else secret
    assert confined.error(lambda: Path(path).read_bytes()) in REFUSALS
    assert confined.error(lambda: os.close(os.open(path, os.O_WRONLY))) in REFUSED_WRITES
    assert confined.error(lambda: os.truncate(path, 0)) in REFUSED_WRITES
    assert confined.error(lambda: Path(path).unlink()) in REFUSED_WRITES
    assert secret.read_text() == "secret"


def test_modes_times_and_attributes_of_files_outside_cannot_be_changed(confined: Confined, tmp_path: Path) -> None:
    secret = open_secret(tmp_path)
    before = secret.stat()
    # Without namespaces the first three are answered with success and not done.
    silent = set() if confined.namespaces else {"none"}
    actions = [lambda: secret.chmod(0), lambda: os.utime(secret, (1, 1)), lambda: tmp_path.chmod(0)]
    assert set(confined.errors(lambda action: action(), actions)) <= REFUSED_WRITES | silent
    actions = [lambda: os.chown(secret, 1, 1), lambda: os.setxattr(secret, "user.mark", b"1")]
    assert set(confined.errors(lambda action: action(), actions)) <= REFUSED_WRITES
    assert os.listxattr(secret) == []
    assert tmp_path.stat().st_mode & 0o777
    after = secret.stat()
    assert (after.st_mode, after.st_mtime_ns, after.st_uid) == (
        before.st_mode,
        before.st_mtime_ns,
        before.st_uid,
    )


def test_new_files_cannot_be_made_outside(confined: Confined, tmp_path: Path) -> None:
    places = ["/", "/tmp", "/var/tmp", "/dev/shm", "/usr/lib", "/etc", "/run", sys.prefix, str(tmp_path)]
    open_secret(tmp_path)
    errors = confined.errors(lambda place: Path(place, "planted").write_text("x"), places)
    assert set(errors) <= REFUSED_WRITES, errors
    assert not [place for place in places if Path(place, "planted").exists()]


def test_the_machines_own_secrets_and_the_home_folder_are_closed(confined: Confined) -> None:
    home = str(Path("~").expanduser())
    paths = ["/etc/shadow", "/etc/passwd", "/etc/hostname", home, "/home", "/var", "/run", "/boot", "/mnt"]
    errors = confined.errors(lambda path: os.listdir(path) if Path(path).is_dir() else open(path), paths)
    assert set(errors) <= REFUSALS, errors


def test_a_symbolic_link_leads_nowhere_outside(confined: Confined, tmp_path: Path) -> None:
    secret = open_secret(tmp_path)
    (confined.workdir / "sent").symlink_to(secret)
    assert confined.error(lambda: Path("sent").read_bytes()) in REFUSALS

    def make_and_follow() -> None:
        Path("made").symlink_to(secret)
        Path("made").read_bytes()

    assert confined.error(make_and_follow) in REFUSALS


def test_a_hard_link_to_a_file_outside_cannot_be_made(confined: Confined, tmp_path: Path) -> None:
    secret = open_secret(tmp_path)
    assert confined.error(lambda: os.link(secret, "linked")) in REFUSED_WRITES | {"EXDEV"}
    assert confined.error(lambda: os.rename(secret, "moved")) in REFUSED_WRITES | {"EXDEV"}
    assert secret.exists()


def test_proc_opens_no_way_out(confined: Confined, tmp_path: Path) -> None:
    secret = open_secret(tmp_path)
    grader = os.getpid()
    paths = [
        f"/proc/self/root{secret}",
        f"/proc/self/cwd/../{secret.name}",
        f"/proc/thread-self/root{secret}",
        f"/proc/{grader}/root{secret}",
        f"/proc/{grader}/environ",
        f"/proc/{grader}/mem",
        f"/proc/{grader}/cmdline",
        "/proc/1/environ",
        "/proc/kcore",
    ]
    errors = confined.errors(lambda path: open(path, "rb").read(1), paths)
    assert set(errors) <= REFUSALS | {"EIO"}, errors
    paths = ["/proc/self/oom_score_adj", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger"]
    errors = confined.errors(lambda path: open(path, "w").write("1"), paths)
    assert set(errors) <= REFUSED_WRITES, errors


def test_a_pipe_or_device_in_the_submission_does_not_stop_the_copy(in_namespaces: Confined) -> None:
    os.mkfifo(in_namespaces.workdir / "pipe")
    (in_namespaces.workdir / "file").write_text("here", encoding="ascii")
    assert in_namespaces.answer(lambda: sorted(os.listdir("."))) == ["file"]


def test_of_the_devices_only_the_harmless_ones_open(confined: Confined) -> None:
    def use_harmless() -> bool:
        with open("/dev/null", "wb") as null:
            null.write(b"gone")
        return len(open("/dev/urandom", "rb").read(4)) == 4 and open("/dev/null", "rb").read() == b""

    assert confined.answer(use_harmless)
    paths = [
        "/dev/mem",
        "/dev/kmsg",
        "/dev/tty",
        "/dev/ptmx",
        "/dev/fuse",
        "/dev/net/tun",
        "/dev/vda",
        "/dev/sda",
    ]
    errors = confined.errors(lambda path: os.open(path, os.O_RDWR), paths)
    assert set(errors) <= REFUSALS | {"ENXIO"}, errors


def test_nothing_under_sys_can_be_written(confined: Confined) -> None:
    paths = ["/sys/power/state", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/fs/cgroup/cgroup.procs"]
    errors = confined.errors(lambda path: open(path, "w"), paths)
    assert set(errors) <= REFUSED_WRITES, errors


def test_a_folder_given_as_readable_can_be_read_and_not_written(confined: Confined, tmp_path: Path) -> None:
    package = open_secret(tmp_path / "package", "part.py")
    confined.readable = [package.parent]
    assert confined.answer(lambda: package.read_text()) == "secret"
    assert confined.error(lambda: package.write_text("other")) in REFUSED_WRITES
    assert package.read_text() == "secret"


def test_with_namespaces_all_but_its_own_folder_is_mounted_read_only(in_namespaces: Confined, tmp_path: Path) -> None:
    in_namespaces.readable = [open_secret(tmp_path / "package", "part.py").parent]
    places = ["/", "/usr", "/proc", sys.prefix, sys.base_prefix, str(tmp_path / "package"), "."]

    def read_only() -> list[bool]:
        return [bool(os.statvfs(place).f_flag & os.ST_RDONLY) for place in places]

    assert in_namespaces.answer(read_only) == [True] * 6 + [False]


def test_a_readable_folder_inside_the_working_folder_is_refused(confined: Confined) -> None:
    inside = confined.workdir / "inside"
    inside.mkdir()
    confined.readable = [inside]
    outcome = confined.run(lambda: None)
    assert outcome.status != 0
    assert b"lies inside the working folder" in outcome.output


def test_modules_not_yet_imported_still_import(confined: Confined) -> None:
    names = [name for name in ("sqlite3", "xml.dom.minidom", "wave", "hypothesis") if name not in sys.modules]

    def import_them() -> list[str]:
        for name in names:
            __import__(name)
        return names

    assert confined.answer(import_them) == names


# Network


def test_no_kind_of_socket_can_be_opened(confined: Confined) -> None:
    families = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK, socket.AF_PACKET, 38, 40)
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW)
    errors = confined.errors(lambda pair: socket.socket(*pair), list(itertools.product(families, kinds)))
    assert set(errors) == {"EPERM"}


def test_a_server_on_this_machine_cannot_be_reached(confined: Confined) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        assert confined.error(lambda: socket.create_connection(address, timeout=2)) == "EPERM"


def test_a_pair_of_connected_sockets_works_and_addresses_nobody_else(confined: Confined) -> None:
    def talk() -> str:
        ours, theirs = socket.socketpair()
        ours.send(b"hello")
        return theirs.recv(5).decode()

    assert confined.answer(talk) == "hello"
    assert confined.error(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)) == "EPERM"
    assert confined.error(lambda: socket.socketpair()[0].connect("/run/anything")) == "EPERM"
    assert confined.error(lambda: socket.socketpair()[0].bind("\0abstract")) == "EPERM"


# Processes


def test_no_process_but_its_own_can_be_signalled(confined: Confined) -> None:
    grader, its_parent = os.getpid(), os.getppid()
    targets = [grader, its_parent, -1, -grader]
    targets += [] if confined.namespaces else [1, 0]  # there it is process 1 itself, and may
    assert set(confined.errors(lambda target: os.kill(target, 0), targets)) <= {"EPERM", "ESRCH"}


def test_kill_of_everything_ends_nobody_outside(in_namespaces: Confined) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:

        def kill_all() -> None:
            try:
                os.kill(-1, signal.SIGKILL)
            except OSError:
                print("nobody there")

        in_namespaces.run(kill_all)
        assert bystander.poll() is None
    finally:
        bystander.communicate(b"\n")


def test_with_namespaces_it_sees_itself_alone(in_namespaces: Confined) -> None:
    assert in_namespaces.answer(lambda: [os.getpid(), os.getppid()]) == [1, 0]
    assert in_namespaces.error(lambda: os.listdir("/proc")) == "EACCES"


def test_a_descriptor_cannot_be_told_to_signal_somebody_else(confined: Confined) -> None:
    import fcntl

    grader = os.getpid()
    assert confined.error(lambda: fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, grader)) == "EPERM"


def test_it_cannot_outlive_its_supervisor_by_prctl(confined: Confined) -> None:
    assert confined.error(lambda: kernel.prctl(kernel.PR_SET_PDEATHSIG, 0)) == "EPERM"


def test_a_dangerous_system_call_is_refused(confined: Confined) -> None:
    names = [
        "ptrace",
        "process_vm_readv",
        "unshare",
        "setns",
        "mount",
        "bpf",
        "keyctl",
        "io_uring_setup",
        "socket",
    ]
    names += [
        "perf_event_open",
        "userfaultfd",
        "memfd_create",
        "shmget",
        "open_by_handle_at",
        "add_key",
        "chroot",
    ]
    assert confined.errors(lambda name: kernel.call(name, 0, 0, 0, 0, 0), names) == ["EPERM"] * len(names)


def test_clone3_reads_as_missing_so_that_threads_fall_back(confined: Confined) -> None:
    assert confined.error(lambda: kernel.call("clone3", 0, 0)) == "ENOSYS"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x32 calls exist on x86_64 only")
def test_a_call_of_another_processor_family_kills(confined: Confined) -> None:
    outcome = confined.run(lambda: ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 + 39)))
    assert os.WTERMSIG(outcome.status) == signal.SIGSYS
    assert "another processor family" in outcome.reason


# Privileges, descriptors, environment


def test_no_capability_and_no_new_privilege_is_left(confined: Confined) -> None:
    def read() -> dict[str, str]:
        lines = open("/proc/self/status").read().splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    status = confined.answer(read)
    assert {status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    if os.geteuid() == 0:
        assert status["CapBnd"] == "0" * 16
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a setuid root file, and can lose the user number")
def test_root_becomes_an_unused_user_and_a_setuid_file_does_not_bring_it_back(
    in_namespaces: Confined, tmp_path: Path
) -> None:
    tool = open_secret(tmp_path / "tools", "id")
    shutil.copy("/usr/bin/id", tool)
    tool.chmod(0o4755)
    in_namespaces.readable = [tool.parent]

    def become_it() -> None:
        print(os.getuid(), flush=True)
        os.execv(tool, [str(tool), "-u"])

    own, effective = in_namespaces.run(become_it).output.split()
    assert effective == own
    assert int(own) >= 1000
    assert tool.stat().st_mode & stat.S_ISUID


def test_no_other_user_number_can_be_taken(confined: Confined) -> None:
    own = confined.answer(os.getuid)
    others = [number for number in (0, 12345) if number != own]
    assert set(confined.errors(os.setuid, others)) <= {"EPERM", "EINVAL"}


def test_open_files_of_the_grader_are_closed(confined: Confined, tmp_path: Path) -> None:
    descriptor = os.open(open_secret(tmp_path), os.O_RDONLY)
    try:
        assert confined.error(lambda: os.read(descriptor, 1)) == "EBADF"
        assert confined.answer(lambda: [number for number in range(256) if is_open(number)]) == [0, 1, 2]
    finally:
        os.close(descriptor)


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_standard_input_is_empty(confined: Confined) -> None:
    assert confined.answer(lambda: os.read(0, 10).decode()) == ""


def test_the_environment_is_a_short_list_of_its_own(confined: Confined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANVAS_TOKEN", "secret")

    def look() -> list[object]:
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_char_p
        return [dict(os.environ), getenv(b"CANVAS_TOKEN"), Path("~").expanduser() == Path.cwd()]

    variables, token, at_home = confined.answer(look)
    assert "CANVAS_TOKEN" not in variables
    assert (token, at_home) == (None, True)
    assert set(variables) <= {"PATH", "HOME", "TMPDIR", "IPYTHONDIR", "MPLCONFIGDIR", "MPLBACKEND", "USER",
                              "LOGNAME", "LANG", "PYTHONDONTWRITEBYTECODE"}  # fmt: skip


def test_temporary_files_land_in_its_own_folder(confined: Confined) -> None:
    def make() -> bool:
        import tempfile

        with tempfile.NamedTemporaryFile() as handle:
            return Path(handle.name).parent == Path.cwd()

    assert confined.answer(make)


def test_more_than_one_thread_is_refused_before_any_wall(confined: Confined) -> None:
    import threading

    waiting = threading.Event()
    original = process.confine

    def with_thread(*given: object, **named: object) -> None:
        threading.Thread(target=waiting.wait, daemon=True).start()
        original(*given, **named)  # type: ignore[arg-type]

    process.confine = with_thread  # type: ignore[assignment]
    try:
        outcome = confined.run(lambda: print("ran"))
    finally:
        process.confine = original
    assert b"one thread" in outcome.output
    assert b"ran" not in outcome.output.splitlines()
