"""A model from a pipe: ``-`` in the place of its path."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shapeinspect.errors import UsageError

if TYPE_CHECKING:
    from shapeinspect.sources.source import Source

#: What the user writes for it, and what it is called in what is printed.
NAME, LABEL = "-", "stdin"


@dataclass
class _Copies:
    """What is removed at the end of a command; standard input is read once."""

    stack: ExitStack
    is_read: bool = False


_copies: ContextVar[_Copies | None] = ContextVar("copies", default=None)


@contextmanager
def kept() -> Iterator[None]:
    """Keep what comes from a pipe while a command runs, and remove it at its end."""
    with ExitStack() as stack:
        token = _copies.set(_Copies(stack))
        try:
            yield
        finally:
            _copies.reset(token)


def named(model: str) -> str | Source:
    """Return the model that a user names; what ``-`` stands for is written to a temporary file first.

    Readers go back and forth in a file, which a pipe does not allow.

    Args:
        model: what the user typed.

    Raises:
        UsageError: if nothing is piped in, or it is named twice.

    Example:
        >>> named("model.onnx")
        'model.onnx'
    """
    if model != NAME:
        return model
    copies = _copies.get()
    if copies is None or sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "nothing is piped in",
            expected=f"a model on standard input, which {NAME} stands for",
            hint=f"a file of that name is ./{NAME}",
        )
    if copies.is_read:
        raise UsageError(f"standard input is one model, and {NAME} is named twice")
    copies.is_read = True
    import shutil
    import tempfile
    from pathlib import Path

    from shapeinspect.sources.source import from_path

    folder = tempfile.TemporaryDirectory(prefix="shapeinspect-", ignore_cleanup_errors=True)
    path = Path(copies.stack.enter_context(folder)) / LABEL
    try:
        with open(path, "xb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy, 1 << 20)
    except OSError as error:
        raise UsageError("cannot read standard input", got=error.strerror or str(error)) from None
    return from_path(path, LABEL)
