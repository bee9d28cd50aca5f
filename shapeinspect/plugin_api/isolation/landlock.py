"""Takes from this process, for good, the right to write outside of some folders and to open connections.

Source: Linux' Landlock, https://docs.kernel.org/userspace-api/landlock.html: the numbers of the system calls
and the bits of the rights.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from contextlib import suppress

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_NO_NEW_PRIVILEGES = 38
#: The rights to change files, by the version of Landlock that knows them: write and remove and make
#: (1), move (2), truncate (3).
_WRITING = {1: 0b1111111110010, 2: 1 << 13, 3: 1 << 14}
#: The rights of those that a single file can have.
_OF_FILES = 1 << 1 | 1 << 14
#: To bind and to connect by TCP, from version 4.
_TCP = 0b11
#: Abstract sockets and signals to processes outside, from version 6.
_SCOPES = 0b11


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """Return the version of Landlock that this system offers; 0 for none."""
    if not sys.platform.startswith("linux"):
        return 0
    with suppress(OSError, AttributeError):
        found = ctypes.CDLL(None).syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION_FLAG)
        return max(int(found), 0)
    return 0


def restrict(writable: Iterable[str]) -> None:
    """Let this process and its children write to these files and folders alone, and connect to nothing.

    Args:
        writable: the files and folders; one that is not there is left out.

    Raises:
        OSError: if the system refuses; then nothing is restricted.
    """
    known = version()
    if not known:
        raise OSError("this system has no Landlock")
    files = sum(bits for since, bits in _WRITING.items() if known >= since)
    rules = _Ruleset(files, _TCP if known >= 4 else 0, _SCOPES if known >= 6 else 0)
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    library = ctypes.CDLL(None, use_errno=True)
    rights = _called(library, _CREATE, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    try:
        for path in writable:
            with suppress(FileNotFoundError):
                opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
                try:
                    allowed = files if os.path.isdir(path) else files & _OF_FILES
                    beneath = _Beneath(allowed, opened)
                    _called(library, _ADD, rights, _PATH_BENEATH, ctypes.byref(beneath), 0)
                finally:
                    os.close(opened)
        if library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        _called(library, _RESTRICT, rights, 0)
    finally:
        os.close(rights)


def _called(library: ctypes.CDLL, number: int, *given: object) -> int:
    found = int(library.syscall(number, *given))
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found
