"""A file seen through small pages, so that what is skipped is never read."""

from __future__ import annotations

import io
from types import TracebackType
from typing import BinaryIO

from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import Source

_PAGE = 1 << 14
_PAGES = 1024
#: No single piece that is read for its structure is longer than this.
MAX_SPAN = 256 << 20


class Window:
    """Reads spans of a file at given offsets, every one checked against the file's length.

    The pages go through an ordinary file object and not through a memory map: a map of a file that
    becomes shorter while it is read ends the process.

    Args:
        file: the open file, or bytes in memory; it is closed with the window.
        size: its length in bytes.
        label: how errors name it.

    Example:
        >>> with Window(io.BytesIO(b"abc"), 3, "m") as window:
        ...     window.span(0, 2)
        b'ab'
    """

    def __init__(self, file: BinaryIO, size: int, label: str) -> None:
        self.label = label
        self.size = size
        self._file = file
        self._pages: dict[int, bytes] = {}

    @classmethod
    def open(cls, source: Source) -> Window:
        """Open a file.

        Args:
            source: the file.

        Raises:
            UnreadableFileError: if it cannot be opened.
        """
        return cls(source.open(), source.size or 0, source.label)

    @classmethod
    def over(cls, data: bytes, label: str) -> Window:
        """Look at bytes that are in memory already; offsets count from their beginning.

        Args:
            data: the bytes.
            label: the file that they come from.
        """
        return cls(io.BytesIO(data), len(data), label)

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def fail(self, reason: str, offset: int | None = None) -> UnreadableFileError:
        """Return the error that names this file and an offset.

        Args:
            reason: what is wrong.
            offset: where that was found.
        """
        return UnreadableFileError(self.label, reason, offset=offset)

    def span(self, start: int, end: int) -> bytes:
        """Read the bytes from ``start`` up to ``end``.

        Args:
            start: the first byte.
            end: the one behind the last.

        Raises:
            UnreadableFileError: if the file has no such bytes, or they are too many.
        """
        if not 0 <= start <= end <= self.size:
            raise self.fail(
                f"bytes {start:,} to {end:,} are asked for, it has {self.size:,}", min(start, self.size)
            )
        if end - start > MAX_SPAN:
            raise self.fail(f"a piece of {end - start:,} bytes is too long to be read", start)
        number = start // _PAGE
        low = number * _PAGE
        if end > low + _PAGE:
            return self._read(start, end)
        page = self._pages.get(number)
        if page is None:
            if len(self._pages) >= _PAGES:
                self._pages.clear()
            page = self._pages[number] = self._read(low, min(low + _PAGE, self.size))
        return page[start - low : end - low]

    def whole(self, start: int, end: int) -> bytes:
        """Read a tensor's bytes, however many they are.

        Args:
            start: the first byte.
            end: the one behind the last.

        Raises:
            UnreadableFileError: if the file has no such bytes.
        """
        if not 0 <= start <= end <= self.size:
            raise self.fail(
                f"a tensor's bytes end at {end:,}, the file at {self.size:,}", min(start, self.size)
            )
        return self._read(start, end)

    def _read(self, start: int, end: int) -> bytes:
        try:
            self._file.seek(start)
            data = self._file.read(end - start)
        except OSError as error:
            raise self.fail(error.strerror or str(error), start) from None
        if len(data) != end - start:
            raise self.fail("the file became shorter while it was read", start + len(data))
        return data
