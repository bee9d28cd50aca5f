"""Writes only to a regular file or a new name: never to a device, a link or a directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from shapeinspect.errors import UsageError


def write_text(path: Path, text: str) -> None:
    """Write a text file.

    Args:
        path: the file; an existing one is replaced.
        text: what to write.

    Raises:
        UsageError: if the path is no place for a file, or it cannot be written.
    """
    writable(path)
    try:
        path.write_text(text, encoding="utf-8", newline="\n")  # the same file on every system
    except OSError as error:
        raise UsageError(f'cannot write "{path}"', got=error.strerror or str(error)) from None


def writable(path: Path) -> int | None:
    """Refuse to write to anything but a regular file or a new name.

    Args:
        path: where a file is to be written.

    Returns:
        The mode of the file that is there; None where there is none.

    Raises:
        UsageError: for a directory, a link, a device, and a name that no file can have.

    Example:
        >>> writable(Path("/dev/null"))
        Traceback (most recent call last):
        ...
        shapeinspect.errors.UsageError: cannot write "/dev/null"
          expected  a regular file, or a new name
          got       a device
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        mode = None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f'cannot write "{path}"', got=reason) from None
    if path.name in ("", ".."):
        raise UsageError(f'cannot write "{path}"', expected="the name of a file", got="a directory")
    if mode is not None and not stat.S_ISREG(mode):
        found = "a directory" if stat.S_ISDIR(mode) else "a link" if stat.S_ISLNK(mode) else "a device"
        raise UsageError(f'cannot write "{path}"', expected="a regular file, or a new name", got=found)
    return None if mode is None else stat.S_IMODE(mode)
