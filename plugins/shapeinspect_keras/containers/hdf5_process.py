"""Runs the child process that lists an HDF5 file, and sends it ranges of a remote file."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from shapeinspect.binary.child_process import answer_of
from shapeinspect.binary.json_text import MAX_BYTES
from shapeinspect.errors import UnreadableFileError
from shapeinspect.plugin_api.isolation.confined import released
from shapeinspect.sources.source import Source

#: Wall-clock seconds for a listing, of a local and a remote file; bytes of the answer and of one range.
CLOCK, CLOCK_REMOTE = 120, 900
ANSWER = MAX_BYTES
RANGE = 16 << 20

#: The signals that end a child whose CPU time is used up, where the platform has them.
OVER_TIME = frozenset(getattr(signal, name, None) for name in ("SIGPROF", "SIGXCPU"))
_CHILD = Path(__file__).with_name("_hdf5_child.py")
#: One thread is enough to list, and HDF5 finds no plug-ins: none are loaded, and none lie where it looks.
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
    "HDF5_PLUGIN_PRELOAD": "::", "HDF5_PLUGIN_PATH": os.devnull,
}  # fmt: skip
#: A request for a range: this byte, its offset, its length. An answer begins with a brace.
_ASKS, _REQUEST = b"?", struct.Struct("<QQ")


@released()
def ask(source: Source, request: str, offset: int, size: int) -> bytes:
    """Run the child on a request and return its answer.

    Args:
        source: the file; the child does not open a remote one, but asks for ranges of it.
        request: the request, as JSON.
        offset: the offset of the HDF5 file in it.
        size: the length of the HDF5 file in bytes.

    Raises:
        UnreadableFileError: if the child dies, takes too long or answers too much, or a range cannot be read.
    """
    far = source.path is None
    try:
        child = subprocess.Popen(  # noqa: S603  # our own interpreter and our own program
            [sys.executable, "-I", str(_CHILD), request],
            stdin=subprocess.PIPE if far else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **ENVIRONMENT},
        )
    except (OSError, ValueError) as error:
        raise UnreadableFileError(source.label, f"cannot start a process to read its HDF5: {error}") from None
    clock = CLOCK_REMOTE if far else CLOCK
    with child:
        talk = (lambda: _served(source, child, offset, size)) if far else None
        answer = answer_of(child, clock, ANSWER, talk=talk)
    if answer.late:
        raise UnreadableFileError(source.label, f"listing its HDF5 took over {clock} s")
    if len(answer.data) > ANSWER:
        raise UnreadableFileError(source.label, "the listing of its HDF5 is too long")
    check(source.label, answer.code)
    return answer.data


def check(label: str, code: int) -> None:
    """Refuse the answer of a child that failed.

    Args:
        label: the file, for the error.
        code: its exit code, or the negated number of the signal that ended it.

    Raises:
        UnreadableFileError: unless the code is 0.
    """
    if code and -code in OVER_TIME:
        raise UnreadableFileError(label, "listing its HDF5 takes too long", hint="is it damaged?")
    if code:
        ending = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise UnreadableFileError(label, f"the HDF5 library crashed on it ({ending})")


def _served(source: Source, child: subprocess.Popen[bytes], offset: int, size: int) -> bytes:
    """Serve the child's requests until it sends anything else."""
    if child.stdout is None or child.stdin is None:
        return b""
    with source.open() as file:
        while (head := child.stdout.read(1)) == _ASKS:
            request = child.stdout.read(_REQUEST.size)
            if len(request) < _REQUEST.size:
                return b""
            try:
                start, count = _REQUEST.unpack(request)
                child.stdin.write(_range(source, file, start, count, offset, size))
                child.stdin.flush()
            except (BrokenPipeError, ConnectionError):  # the child has died; its exit code says why
                with suppress(OSError):
                    child.stdin.close()
                return b""
    return head + child.stdout.read(ANSWER)


def _range(source: Source, file: BinaryIO, start: int, count: int, offset: int, size: int) -> bytes:
    # Even a child that a hostile file has taken over can read only that file.
    if count > RANGE or start > size or count > size - start:
        raise UnreadableFileError(source.label, "the HDF5 library crashed on it (it reads past the end)")
    file.seek(offset + start)
    data = file.read(count)
    if len(data) != count:
        raise UnreadableFileError(source.label, "its HDF5 is cut off", offset=offset + start + len(data))
    return data
