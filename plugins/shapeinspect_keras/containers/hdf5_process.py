"""Runs the child process that lists an HDF5 file, and hands it ranges of a file that is elsewhere."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from shapeinspect.binary.json_text import MAX_BYTES
from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import Source

#: Seconds on the clock for a listing, here and elsewhere; bytes of the answer and of one range.
CLOCK, CLOCK_ELSEWHERE = 120, 900
ANSWER = MAX_BYTES
RANGE = 16 << 20

#: The signals that end a child whose processor time is over, where the platform has them.
OVER_TIME = frozenset(getattr(signal, name, None) for name in ("SIGPROF", "SIGXCPU"))
_CHILD = Path(__file__).with_name("_hdf5_child.py")
#: One thread is enough to list, and no filter of a file loads a plug-in.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "HDF5_PLUGIN_PRELOAD": "::"}
#: A request for a range: this byte, where it begins, how many bytes. An answer begins with a brace.
_ASKS, _WHERE = b"?", struct.Struct("<QQ")


def ask(source: Source, request: str, offset: int, size: int) -> bytes:
    """Run the child on a request and return its answer.

    Args:
        source: the file; a child opens none that is elsewhere, and asks for ranges of it.
        request: what the child is told.
        offset: where the HDF5 file begins in it.
        size: how long it is.

    Raises:
        UnreadableFileError: if the child dies, takes too long, or says too much, or a range cannot be read.
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
        raise UnreadableFileError(source.label, f"no process to read its HDF5: {error}") from None
    # A timer ends a child that hangs: waiting on the pipe returns at once when the answer is whole.
    clock, late = CLOCK_ELSEWHERE if far else CLOCK, threading.Event()

    def end() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(clock, end)
    timer.start()
    try:
        with child:
            try:
                answer = _served(source, child, offset, size) if far else _said(child)
            except BaseException:
                child.kill()
                raise
            if len(answer) > ANSWER:
                child.kill()
    finally:
        timer.cancel()
    if late.is_set():
        raise UnreadableFileError(source.label, f"listing its HDF5 took over {clock} s")
    if len(answer) > ANSWER:
        raise UnreadableFileError(source.label, "the listing of its HDF5 is too long")
    check(source.label, child.returncode)
    return answer


def check(label: str, code: int) -> None:
    """Refuse the answer of a child that did not end by itself.

    Args:
        label: the file, for the error.
        code: its exit code, or the number of a signal with a minus.

    Raises:
        UnreadableFileError: unless the code is 0.
    """
    if code and -code in OVER_TIME:
        raise UnreadableFileError(label, "listing its HDF5 takes too long", hint="is it damaged?")
    if code:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise UnreadableFileError(label, f"the HDF5 library broke down on it ({how})")


def _said(child: subprocess.Popen[bytes]) -> bytes:
    return child.stdout.read(ANSWER + 1) if child.stdout is not None else b""


def _served(source: Source, child: subprocess.Popen[bytes], offset: int, size: int) -> bytes:
    """Answer the child's requests until it says something else."""
    if child.stdout is None or child.stdin is None:
        return b""
    with source.open() as file:
        while (first := child.stdout.read(1)) == _ASKS:
            where = child.stdout.read(_WHERE.size)
            if len(where) < _WHERE.size:
                return b""
            try:
                start, count = _WHERE.unpack(where)
                child.stdin.write(_range(source, file, start, count, offset, size))
                child.stdin.flush()
            except (BrokenPipeError, ConnectionError):  # the child is gone; its exit code tells why
                with suppress(OSError):
                    child.stdin.close()
                return b""
    return first + child.stdout.read(ANSWER)


def _range(source: Source, file: BinaryIO, start: int, count: int, offset: int, size: int) -> bytes:
    # A child that a file has taken over reads nothing else by this.
    if count > RANGE or start > size or count > size - start:
        raise UnreadableFileError(source.label, "the HDF5 library broke down on it (it reads past the end)")
    file.seek(offset + start)
    data = file.read(count)
    if len(data) != count:
        raise UnreadableFileError(source.label, "its HDF5 is cut off", offset=offset + start + len(data))
    return data
