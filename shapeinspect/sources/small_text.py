"""Small text files that a user names: read as a whole, within a limit, and only where they are files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from shapeinspect.errors import UnreadableFileError, UsageError

#: Longer than any text that is written by hand, in bytes.
MOST = 1 << 20


def read_text(path: Path) -> str:
    """Read a text file in UTF-8.

    Args:
        path: a regular file, or a pipe.

    Raises:
        UsageError: if there is no such file, or it is a directory or a device.
        UnreadableFileError: if it cannot be read, is no text, or is longer than :data:`MOST`.

    Example:
        >>> read_text(Path("/dev/zero"))
        Traceback (most recent call last):
        ...
        shapeinspect.errors.UsageError: not a file: "/dev/zero"
    """
    try:
        # A pipe without a writer is empty and not waited for; a terminal must not become ours.
        number = os.open(path, os.O_RDONLY | _sum("O_NOCTTY", "O_BINARY", "O_NONBLOCK"))
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f'no such file: "{path}"') from None
    except (OSError, ValueError) as error:
        raise UnreadableFileError(path, getattr(error, "strerror", None) or str(error)) from None
    mode = os.fstat(number).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        os.close(number)
        raise UsageError(f'not a file: "{path}"')
    if stat.S_ISFIFO(mode):
        os.set_blocking(number, True)
    with os.fdopen(number, "rb") as file:
        try:
            data = file.read(MOST + 1)
        except OSError as error:
            raise UnreadableFileError(path, error.strerror or str(error)) from None
    if len(data) > MOST:
        raise UnreadableFileError(path, f"it is longer than {MOST:,} bytes")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(path, "it is not UTF-8", offset=error.start) from None


def _sum(*names: str) -> int:
    return sum(getattr(os, name, 0) for name in names)
