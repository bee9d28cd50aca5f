"""Refuses system calls to this thread and to what it starts, for good, whether Python reports them or not.

Source: Linux' seccomp, https://docs.kernel.org/userspace-api/seccomp_filter.html; ``asm/unistd.h`` has the
numbers of the calls and ``linux/filter.h`` the instructions.
"""

from __future__ import annotations

import ctypes
import errno
import platform
from collections.abc import Mapping
from dataclasses import dataclass

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NUMBER_AT, _MACHINE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
#: From this number on a call is one of another interface of x86-64.
_OTHER_INTERFACE = 0x40000000
_UNIX = 1


@dataclass(frozen=True, slots=True)
class _Machine:
    """The calls of one kind of processor, by number.

    Args:
        code: what the system calls the processor.
        socket: ``socket``, of which only those between processes of one machine are left.
        refused: what starts programs, leaves the group of processes or reaches into other processes.
        dropped: what sets modes, owners, times and attributes of files; it seems to work.
    """

    code: int
    socket: int
    refused: tuple[int, ...]
    dropped: tuple[int, ...]


_MACHINES: Mapping[str, _Machine] = {
    "x86_64": _Machine(
        0xC000003E,
        41,
        # execve, execveat, ptrace, process_vm_writev, io_uring_setup, setsid, setpgid
        (59, 322, 101, 311, 425, 112, 109),
        # (f)chmod(at)(2), (f, l)chown(at), utime(s), futimesat, utimensat,
        # (l, f)setxattr(at), (l, f)removexattr(at)
        (90, 91, 268, 452, 92, 93, 94, 260, 132, 235, 261, 280, 188, 189, 190, 463, 197, 198, 199, 466),
    ),
    "aarch64": _Machine(
        0xC00000B7,
        198,
        # execve, execveat, ptrace, process_vm_writev, io_uring_setup, setsid, setpgid
        (221, 281, 117, 271, 425, 157, 154),
        # fchmod(at)(2), fchown(at), utimensat, (l, f)setxattr(at), (l, f)removexattr(at)
        (52, 53, 452, 54, 55, 88, 5, 6, 7, 463, 14, 15, 16, 466),
    ),
}


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_so", ctypes.c_uint8),
        ("if_not", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def refuse() -> bool:
    """Refuse programs, the network and changes of modes and times to this thread and to what it starts.

    Returns:
        Whether the system takes the filter; where it does not, Landlock and the audit hook are left.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    instructions = _instructions(machine)
    held = (_Instruction * len(instructions))(*instructions)
    program = _Program(len(instructions), held)
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    return bool(library.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program)) == 0)


def _instructions(machine: _Machine) -> list[_Instruction]:
    refused, dropped = _ERROR | errno.EPERM, _ERROR
    calls = [*((one, 2) for one in machine.refused), *((one, 1) for one in machine.dropped)]
    calls.append((machine.socket, 3))
    first = 5
    end = first + len(calls)
    jumps = [
        _Instruction(_EQUAL, end + offset - (first + place) - 1, 0, number)
        for place, (number, offset) in enumerate(calls)
    ]
    return [
        _Instruction(_LOAD, 0, 0, _MACHINE_AT),
        _Instruction(_EQUAL, 1, 0, machine.code),
        _Instruction(_RETURN, 0, 0, refused),
        _Instruction(_LOAD, 0, 0, _NUMBER_AT),
        _Instruction(_AT_LEAST, end + 2 - first, 0, _OTHER_INTERFACE),
        *jumps,
        _Instruction(_RETURN, 0, 0, _ALLOW),
        _Instruction(_RETURN, 0, 0, dropped),
        _Instruction(_RETURN, 0, 0, refused),
        _Instruction(_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        _Instruction(_EQUAL, 0, 1, _UNIX),
        _Instruction(_RETURN, 0, 0, _ALLOW),
        _Instruction(_RETURN, 0, 0, refused),
    ]
