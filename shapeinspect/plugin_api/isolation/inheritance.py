"""Takes from a forked process what it shares with the one that it is a copy of: open files and shared memory.

A copy that closes a file would write what its buffer holds a second time, and one that reads moves the place
from which the other one goes on.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

_FIXED, _ANONYMOUS = 0x10, 0x20
#: Larger shared memory without a file can only be read in the copy.
_COPIED = 1 << 30
#: What is no device under ``/dev``.
_MEMORY = re.compile(r"/dev/(shm/|zero)")


def detach(kept: Collection[int]) -> None:
    """Detach this process from the files, pipes, sockets and shared memory of the one that forked it.

    A file that is open for reading is read on from the same place; one that is open for writing drops what is
    written; what is written to shared memory stays in this process.

    Args:
        kept: the descriptors that stay as they are.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        if number not in kept:
            os.dup2(null, number)
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        if number > 2 and number != null and number not in kept:
            with suppress(OSError):  # the descriptor of the listing itself is closed by now
                _detach(number, null)
    os.close(null)
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if fields[1][1] == "w" and fields[1][3] == "s":
            _unshare(fields)


def _detach(number: int, null: int) -> None:
    import fcntl  # not on every system

    mode, flags = os.fstat(number).st_mode, fcntl.fcntl(number, fcntl.F_GETFL)
    if flags & os.O_PATH or stat.S_ISDIR(mode) or (stat.S_ISCHR(mode) and not os.isatty(number)):
        return
    if not stat.S_ISREG(mode) or flags & os.O_ACCMODE != os.O_RDONLY:
        os.dup2(null, number)
        return
    reopened = os.open(f"/proc/self/fd/{number}", os.O_RDONLY)
    os.lseek(reopened, os.lseek(number, 0, os.SEEK_CUR), os.SEEK_SET)
    os.dup2(reopened, number)
    os.close(reopened)


def _unshare(fields: list[str]) -> None:
    """Put a private copy in the place of shared memory that can be written to."""
    path = fields[5] if len(fields) > 5 else ""
    if path.startswith("/dev/") and not _MEMORY.match(path):
        return  # of a device
    begin, end = (int(one, 16) for one in fields[0].split("-"))
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = (
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
    )  # fmt: skip
    rights, size = mmap.PROT_READ | mmap.PROT_WRITE, end - begin
    with suppress(OSError):
        file = os.open(path, os.O_RDONLY)
        try:
            if os.fstat(file).st_ino == int(fields[4]):
                private = mmap.MAP_PRIVATE | _FIXED
                library.mmap(begin, size, rights, private, file, int(fields[2], 16))
                return
        finally:
            os.close(file)
    if size > _COPIED:
        library.mprotect(ctypes.c_void_p(begin), ctypes.c_size_t(size), mmap.PROT_READ)
        return
    held = ctypes.string_at(begin, size)
    library.mmap(begin, size, rights, mmap.MAP_PRIVATE | _FIXED | _ANONYMOUS, -1, 0)
    ctypes.memmove(begin, held, size)
