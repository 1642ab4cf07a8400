"""Landlock: which files this process may open, and no TCP, no abstract sockets, no signals outward.

Landlock does not govern stat, chmod, chown and the like: the mount namespace or the system call filter does.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

from autograder.observing.sandbox import kernel

# Rights by bit, linux/landlock.h. Bits 0 to 12 came with version 1, then REFER 2, TRUNCATE 3, IOCTL_DEV 5.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REFER, _TRUNCATE, _IOCTL_DEV = (1, 2, 4, 8, 1 << 13, 1 << 14, 1 << 15)
_MAKE_CHAR, _MAKE_SOCK, _MAKE_BLOCK = 1 << 6, 1 << 9, 1 << 11
_FIRST_VERSION = (1 << 13) - 1
_TCP = 0b11
_SCOPES = 0b11  # abstract unix sockets, signals
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

READ = _READ_FILE | _READ_DIR | _EXECUTE
WRITE_EXISTING = _READ_FILE | _WRITE_FILE | _TRUNCATE
READ_WRITE = (_FIRST_VERSION | _REFER | _TRUNCATE) & ~(_EXECUTE | _MAKE_CHAR | _MAKE_BLOCK | _MAKE_SOCK)


def version() -> int:
    """The ABI version that the kernel offers; 0 where Landlock is absent or switched off."""
    try:
        return kernel.call("landlock_create_ruleset", None, 0, 1)
    except (OSError, kernel.SandboxError):
        return 0


def _handled(abi: int) -> int:
    handled = _FIRST_VERSION
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV)):
        if abi >= since:
            handled |= right
    return handled


def restrict(rules: Iterable[tuple[str, int]]) -> None:
    """Allow each path (a file, or a folder with all below it) its rights and refuse every other opening of a file.

    A path that does not exist is passed over: what is not there needs no permission. Needs no_new_privs.
    """
    abi = version()
    if abi < 1:
        raise kernel.SandboxError("Landlock is not offered by this kernel.")
    handled = _handled(abi)
    attributes = struct.pack("=QQQ", handled, _TCP if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = kernel.call("landlock_create_ruleset", ctypes.create_string_buffer(attributes, 24), size, 0)
    try:
        for path, rights in rules:
            try:
                descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except (FileNotFoundError, PermissionError):
                continue
            try:
                if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                    rights &= _ON_FILES
                rule = ctypes.create_string_buffer(struct.pack("=Qi", rights & handled, descriptor), 12)
                kernel.call("landlock_add_rule", ruleset, 1, rule, 0)
            finally:
                os.close(descriptor)
        kernel.call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)
