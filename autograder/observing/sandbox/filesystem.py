"""The files a submission sees: a new root with the libraries, read-only, and one private working folder."""

from __future__ import annotations

import contextlib
import os
import site
import stat
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from autograder.observing.sandbox import kernel
from autograder.observing.sandbox.kernel import SandboxError

SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/etc/fonts", "/sys/devices/system/cpu")
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
PROC_FILES = ("/proc/cpuinfo", "/proc/meminfo", "/proc/self")


def python_folders() -> tuple[Path, ...]:
    """Folders that hold this Python and its installed packages, without those that hold the course.

    `sys.path` as a whole would let in the folder of an editable install, and with it whatever lies beside it.
    """
    folders = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix), Path(sys.base_exec_prefix)]
    folders += [Path(folder) for folder in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")) if folder]
    if site.ENABLE_USER_SITE and site.getusersitepackages() in sys.path:
        folders.append(Path(site.getusersitepackages()))
    too_wide = {Path("/"), Path("/home"), Path("/root"), Path.home()}
    return tuple(dict.fromkeys(folder for folder in folders if folder not in too_wide))


def _outermost(paths: Sequence[str]) -> list[str]:
    """The paths that lie inside no other, shortest first: binding an outer one brings the inner ones."""
    kept: list[str] = []
    for path in sorted(dict.fromkeys(paths), key=lambda path: (path.count("/"), path)):
        if not any(PurePosixPath(path).is_relative_to(outer) for outer in kept):
            kept.append(path)
    return kept


def existing(paths: Sequence[Path]) -> list[str]:
    """Each path that exists, as named and with its links resolved, since code uses both spellings."""
    found: list[str] = []
    for path in paths:
        absolute = os.path.abspath(path)
        if os.path.exists(absolute):
            found += [absolute, os.path.realpath(absolute)]
    return list(dict.fromkeys(found))


def refuse_overlap(workdir: str, readable: Sequence[str]) -> None:
    for path in readable:
        if PurePosixPath(path).is_relative_to(workdir):
            raise SandboxError(f"{path} lies inside the working folder {workdir}; give a folder elsewhere.")
        if path == "/":
            raise SandboxError("The root folder cannot be given as readable; name the folders that are needed.")


def build_root(workdir: str, readable: Sequence[str], folder_bytes: int, owner: tuple[int, int]) -> None:
    """Replace the root of this mount namespace. What the working folder held is copied into a private one.

    readable  absolute paths, already checked by `refuse_overlap`
    folder_bytes   size of the private working folder in bytes
    owner     user and group that the working folder belongs to
    The host's own folder is not written to: what the submission leaves dies with it.
    """
    given = os.open(workdir, os.O_PATH | os.O_DIRECTORY)
    kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    links = {folder: os.readlink(folder) for folder in SYSTEM_FOLDERS if os.path.islink(folder)}
    root = workdir  # any folder that exists will do as the place to build: nobody else sees what is mounted on it
    kernel.mount("tmpfs", root, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=1m,nr_inodes=4096")
    for folder, target in links.items():
        os.symlink(target.lstrip("/"), root + folder)
    wanted = [path for path in (*SYSTEM_FOLDERS, *SYSTEM_FILES) if os.path.exists(path) and path not in links]
    wanted += [path for path in readable if not any(PurePosixPath(path).is_relative_to(link) for link in links)]
    for path in _outermost(wanted):
        _bind(path, root, kernel.MOUNT_ATTR_RDONLY | kernel.MOUNT_ATTR_NOSUID | kernel.MOUNT_ATTR_NODEV)
    for path in DEVICES:
        if os.path.exists(path):
            _bind(path, root, kernel.MOUNT_ATTR_NOSUID | kernel.MOUNT_ATTR_NOEXEC)
    quiet = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    os.makedirs(root + "/proc", exist_ok=True)
    # Refused inside containers that mask parts of /proc; Python and PyTorch run without it.
    with contextlib.suppress(OSError):
        kernel.mount("proc", root + "/proc", "proc", quiet | kernel.MS_RDONLY)
    os.makedirs(root + workdir, exist_ok=True)
    options = f"mode=700,size={folder_bytes},nr_inodes=16384,uid={owner[0]},gid={owner[1]}"
    kernel.mount("tmpfs", root + workdir, "tmpfs", quiet, options)
    try:
        _copy_folder(given, root + workdir, owner)
    except OSError as error:
        raise SandboxError(f"The files of {workdir} do not fit into {folder_bytes} bytes: {error}") from error
    os.close(given)
    kernel.set_mount_attributes(root, kernel.MOUNT_ATTR_RDONLY, recursive=False)
    kernel.change_root(root)


def _bind(path: str, root: str, attributes: int) -> None:
    target = root + path
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_CLOEXEC, 0o644))
    kernel.mount(path, target, "", kernel.MS_BIND | kernel.MS_REC)
    kernel.set_mount_attributes(target, attributes, recursive=True)


def _copy_folder(source: int, target: str, owner: tuple[int, int]) -> None:
    """Copy folders and regular files; links, pipes and devices stay behind: they name things outside."""
    for name in os.listdir(f"/proc/self/fd/{source}"):
        kind = os.stat(name, dir_fd=source, follow_symlinks=False).st_mode
        place = f"{target}/{name}"
        if stat.S_ISDIR(kind):
            os.mkdir(place)
            inner = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=source)
            _copy_folder(inner, place, owner)
            os.close(inner)
        elif stat.S_ISREG(kind):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            reading = os.open(name, flags, dir_fd=source)
            writing = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            while chunk := os.read(reading, 1 << 20):
                view = memoryview(chunk)
                while view:
                    view = view[os.write(writing, view) :]
            os.close(reading)
            os.close(writing)
        else:
            continue
        os.chown(place, *owner)
