"""The filter of system calls, assembled by hand as classic BPF.

What is refused comes back as EPERM, so that a program reads "Operation not permitted" and goes on. A call
from another processor family (32-bit calls on x86_64, x32) kills the process: its numbers mean other things.
A call newer than `NEWEST_SYSCALL` answers ENOSYS, as an older kernel would, and so does clone3, whose flags
lie in memory that a filter cannot read: the C library then falls back to clone.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import dataclass

from autograder.observing.sandbox import kernel

_LOAD, _AND, _JUMP, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x54, 0x05, 0x15, 0x35, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_ARCHES = (0xC000003E, 0xC00000B7)  # AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64
_X32_BIT = 0x40000000

_NAMESPACE_FLAGS = (
    kernel.CLONE_NEWNS | kernel.CLONE_NEWCGROUP | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUSER | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET | kernel.CLONE_NEWTIME
)  # fmt: skip

# memfd_create, System V memory and message queues are here because no rlimit bounds them; fork and its kind since a
# submission is one process, and whatever reaches another process.
REFUSED = (
    "acct add_key adjtimex bind bpf chroot clock_adjtime clock_settime connect delete_module "
    "fanotify_init finit_module fsconfig fsmount fsopen fspick init_module io_setup io_uring_enter "
    "io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl listen "
    "lookup_dcookie memfd_create memfd_secret migrate_pages modify_ldt mount mount_setattr move_mount "
    "move_pages mq_open msgget name_to_handle_at nfsservctl open_by_handle_at open_tree open_tree_attr "
    "perf_event_open personality pidfd_getfd pivot_root process_madvise process_mrelease process_vm_readv "
    "process_vm_writev ptrace quotactl quotactl_fd reboot request_key semget setdomainname sethostname "
    "setns settimeofday shmget socket swapoff swapon syslog umount2 unshare uselib userfaultfd vhangup "
    "fork ioprio_set pidfd_open pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo setpriority tkill vfork"
).split()

# Refused where no private mount namespace exists: Landlock does not govern modes, owners, times and attributes.
REFUSED_WITHOUT_MOUNTS = (
    "chown fchown fchownat file_setattr fremovexattr fsetxattr inotify_add_watch lchown lremovexattr "
    "lsetxattr removexattr removexattrat setxattr setxattrat"
).split()

# Likewise, but answered with success and not done: `shutil.copy` in honest programs, IPython's among them,
# ends with one of these, and whether it took effect on a scratch file matters to nobody.
IGNORED_WITHOUT_MOUNTS = "chmod fchmod fchmodat fchmodat2 futimesat utime utimensat utimes".split()


@dataclass(frozen=True)
class _ArgumentRule:
    """Refuse `syscall` where its `argument & mask`, of 32 bits, is (`unless`: is not) one of `values`."""

    syscall: str
    argument: int
    mask: int
    values: tuple[int, ...]
    unless: bool = False


_EVERY_BIT = 0xFFFFFFFF
_SHARED_ANONYMOUS = 0x21  # MAP_SHARED | MAP_ANONYMOUS: memory that RLIMIT_DATA does not count


def _argument_rules(own_pid: int) -> tuple[_ArgumentRule, ...]:
    myself = (0, own_pid)
    return (
        _ArgumentRule("clone", 0, _NAMESPACE_FLAGS, (0,), unless=True),
        _ArgumentRule("mmap", 3, _SHARED_ANONYMOUS, (_SHARED_ANONYMOUS,)),
        # A datagram socket could still name a destination in sendmsg; a connected stream cannot.
        _ArgumentRule("socketpair", 0, _EVERY_BIT, (1,), unless=True),  # AF_UNIX
        _ArgumentRule("socketpair", 1, 0xF, (1,), unless=True),  # SOCK_STREAM, whatever its flags
        _ArgumentRule("prctl", 0, _EVERY_BIT, (kernel.PR_SET_PDEATHSIG, kernel.PR_SET_DUMPABLE)),
        _ArgumentRule("clone", 0, kernel.CLONE_THREAD, (kernel.CLONE_THREAD,), unless=True),
        _ArgumentRule("kill", 0, _EVERY_BIT, (own_pid,), unless=True),
        _ArgumentRule("tgkill", 0, _EVERY_BIT, (own_pid,), unless=True),
        _ArgumentRule("prlimit64", 0, _EVERY_BIT, myself, unless=True),
        _ArgumentRule("sched_setaffinity", 0, _EVERY_BIT, myself, unless=True),
        _ArgumentRule("sched_setscheduler", 0, _EVERY_BIT, myself, unless=True),
        _ArgumentRule("sched_setparam", 0, _EVERY_BIT, myself, unless=True),
        _ArgumentRule("sched_setattr", 0, _EVERY_BIT, myself, unless=True),
        # F_SETOWN, F_SETSIG and F_SETOWN_EX (FIOSETOWN, SIOCSPGRP) let a descriptor send any signal to any process.
        _ArgumentRule("fcntl", 1, _EVERY_BIT, (8, 10, 15)),
        # TIOCSTI and TIOCLINUX type into a terminal.
        _ArgumentRule("ioctl", 1, _EVERY_BIT, (0x5412, 0x541C, 0x8901, 0x8902)),
    )


def _instruction(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, true, false, value)


def _refuse(name: str, number: int) -> bytes:
    syscall = kernel.syscall_number(name)
    if syscall is None:
        return b""
    return _instruction(_JUMP_EQUAL, syscall, 0, 1) + _instruction(_RETURN, _ERRNO | number)


def _refuse_argument(rule: _ArgumentRule) -> bytes:
    syscall = kernel.syscall_number(rule.syscall)
    if syscall is None:
        return b""
    count = len(rule.values)
    body = _instruction(_LOAD, _ARGUMENTS_AT + 8 * rule.argument) + _instruction(_AND, rule.mask)
    for index, value in enumerate(rule.values):
        left = count - 1 - index
        # On a match skip the remaining comparisons, and then either the jump over the refusal or the refusal itself.
        body += _instruction(_JUMP_EQUAL, value, left + 1, 0)
    if not rule.unless:
        body += _instruction(_JUMP, 1)
    body += _instruction(_RETURN, _ERRNO | errno.EPERM)
    body += _instruction(_LOAD, _NUMBER_AT)
    return _instruction(_JUMP_EQUAL, syscall, 0, len(body) // 8) + body


def assemble(*, private_mounts: bool, own_pid: int) -> bytes:
    """The filter as an array of `struct sock_filter`, 8 bytes an instruction."""
    index = kernel.machine_index()
    if index is None:
        raise kernel.SandboxError("The sandbox knows Linux on x86_64 and aarch64 only.")
    program = _instruction(_LOAD, _ARCH_AT) + _instruction(_JUMP_EQUAL, _ARCHES[index], 1, 0)
    program += _instruction(_RETURN, _KILL) + _instruction(_LOAD, _NUMBER_AT)
    program += _instruction(_JUMP_AT_LEAST, _X32_BIT, 0, 1) + _instruction(_RETURN, _KILL)
    program += _instruction(_JUMP_AT_LEAST, kernel.NEWEST_SYSCALL + 1, 0, 1)
    program += _instruction(_RETURN, _ERRNO | errno.ENOSYS)
    program += _refuse("clone3", errno.ENOSYS)
    for name in REFUSED if private_mounts else [*REFUSED, *REFUSED_WITHOUT_MOUNTS]:
        program += _refuse(name, errno.EPERM)
    for name in () if private_mounts else IGNORED_WITHOUT_MOUNTS:
        program += _refuse(name, 0)
    for rule in _argument_rules(own_pid):
        program += _refuse_argument(rule)
    return program + _instruction(_RETURN, _ALLOW)


def install(*, private_mounts: bool) -> None:
    """Filter this thread and all that it starts, for good. The last wall; needs no_new_privs."""
    program = assemble(private_mounts=private_mounts, own_pid=os.getpid())
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("=H6xQ", len(program) // 8, ctypes.addressof(instructions))
    request = ctypes.create_string_buffer(header, len(header))
    kernel.prctl(kernel.PR_SET_SECCOMP, 2, ctypes.addressof(request))
