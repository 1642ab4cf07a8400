"""The system call filter, run as the program that it is, for both processors."""

import struct
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.observing.sandbox import kernel, seccomp


def decide(program: bytes, number: int, arguments: list[int], arch: int) -> int:
    """What the filter answers: an interpreter for the six instructions that it is made of."""
    data = struct.pack("=iIQ6Q", number, arch, 0, *arguments)
    instructions = list(struct.iter_unpack("=HBBI", program))
    value, position = 0, 0
    while True:
        code, true, false, operand = instructions[position]
        position += 1
        if code == 0x20:
            value = struct.unpack_from("=I", data, operand)[0]
        elif code == 0x54:
            value &= operand
        elif code == 0x05:
            position += operand
        elif code in (0x15, 0x35):
            position += true if (value == operand if code == 0x15 else value >= operand) else false
        else:
            assert code == 0x06
            return int(operand)


@pytest.mark.parametrize(("index", "arch"), [(0, 0xC000003E), (1, 0xC00000B7)])
@given(number=st.integers(0, 600), arguments=st.lists(st.integers(0, 2**64 - 1), min_size=6, max_size=6),
       private_mounts=st.booleans())  # fmt: skip
def test_on_both_processors_the_filter_refuses_what_it_lists_and_nothing_else(
    index: int, arch: int, number: int, arguments: list[int], private_mounts: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "machine_index", lambda: index)
        program = seccomp.assemble(private_mounts=private_mounts, own_pid=4321)
    assert len(program) // 8 < 4096  # the kernel's limit
    name = {numbers[index]: name for name, numbers in kernel.SYSCALLS.items()}.get(number)
    listed = {*seccomp.REFUSED, *([] if private_mounts else seccomp.REFUSED_WITHOUT_MOUNTS)}
    answer = decide(program, number, arguments, arch)
    ignored = () if private_mounts else seccomp.IGNORED_WITHOUT_MOUNTS
    if number > kernel.NEWEST_SYSCALL or name == "clone3":
        assert answer == 0x50000 + 38
    elif name in ignored:
        assert answer == 0x50000
    elif name in listed:
        assert answer == 0x50000 + 1
    elif name not in {"clone", "mmap", "socketpair", "prctl", "ioctl", "kill", "tgkill", "prlimit64", "fcntl",
                      "sched_setaffinity", "sched_setscheduler", "sched_setparam",
                      "sched_setattr"}:  # fmt: skip
        assert answer == 0x7FFF0000
    assert decide(program, number, arguments, arch ^ 1) == 0x80000000


@pytest.mark.parametrize(("name", "arguments", "refused"), [
    ("clone", [0x003D0F00], False), ("clone", [0x01200011], True), ("clone", [0x10010F00], True),
    ("clone", [0x10000011], True), ("clone", [0x20000011], True), ("clone", [0x40010011], True),
    ("kill", [4321], False), ("kill", [4322], True), ("kill", [2**32 - 1], True),
    ("mmap", [0, 0, 0, 0x22], False), ("mmap", [0, 0, 0, 0x21], True), ("mmap", [0, 0, 0, 0x01], False),
    ("socketpair", [1, 0x80001], False), ("socketpair", [1, 2], True), ("socketpair", [2, 1], True),
    ("prctl", [1], True), ("prctl", [15], False), ("prlimit64", [0], False), ("prlimit64", [99], True),
    ("ioctl", [0, 0x5412], True), ("ioctl", [0, 0x541C], True), ("ioctl", [0, 0x8901], True), ("ioctl", [0, 0x5401], False),
])  # fmt: skip
def test_arguments_decide_where_a_call_is_both_needed_and_dangerous(
    name: str, arguments: list[int], refused: bool
) -> None:
    for index, arch in ((0, 0xC000003E), (1, 0xC00000B7)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "machine_index", partial(int, index))
            program = seccomp.assemble(private_mounts=True, own_pid=4321)
        number = kernel.SYSCALLS[name][index]
        assert number is not None
        answer = decide(program, number, [*arguments, 0, 0, 0, 0, 0, 0][:6], arch)
        assert answer == (0x50001 if refused else 0x7FFF0000)
