"""A file, or a part of one, read in small pages, so that skipped bytes are never read."""

from __future__ import annotations

import io
from types import TracebackType
from typing import BinaryIO

from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import Source

#: The bytes of a page, how many pages are kept, and how many a sequential reader gets at once.
_PAGE, _PAGES, _MOST_AHEAD = 1 << 12, 1024, 16
#: The longest single read of structural data.
MAX_SPAN = 256 << 20


class Window:
    """Reads spans of a file at given offsets, each checked against the file's length.

    The pages come from an ordinary file object and not from a memory map: if a mapped file shrinks
    while it is read, the process dies.

    Args:
        file: the open file, or bytes in memory; it is closed with the window.
        size: the window's length in bytes.
        label: how errors name it.
        base: the window's offset in the file; offsets count from it, except those in errors.

    Example:
        >>> with Window(io.BytesIO(b"abc"), 3, "m") as window:
        ...     window.span(0, 2), window.part(1, 2).span(0, 2)
        (b'ab', b'bc')
    """

    def __init__(self, file: BinaryIO, size: int, label: str, base: int = 0) -> None:
        self.label = label
        self.size = size
        self.base = base
        self._file = file
        self._pages: dict[int, bytes] = {}
        self._next, self._ahead = -1, 1

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
    def from_bytes(cls, data: bytes, label: str) -> Window:
        """Wrap bytes in memory; offsets count from their beginning.

        Args:
            data: the bytes.
            label: the file they come from.
        """
        window = cls(io.BytesIO(data), len(data), label)
        if len(data) <= _PAGE:  # a message of a few bytes, of which a file may have hundreds of thousands
            window._pages[0] = data  # of the new window
        return window

    def part(self, start: int, size: int, label: str | None = None) -> Window:
        """Return a window over a part of this one; it becomes unusable when this window is closed.

        Args:
            start: the part's first byte.
            size: its length in bytes.
            label: how errors name it; like the whole by default.

        Raises:
            UnreadableFileError: if it reaches beyond the end.
        """
        if not 0 <= start <= start + size <= self.size:
            reason = f"a part of {size:,} bytes reaches beyond the end at {self.size:,}"
            raise self.fail(reason, max(min(start, self.size), 0))
        return Window(self._file, size, label or self.label, self.base + start)

    @classmethod
    def bytes_of(cls, source: Source, start: int, count: int) -> bytes:
        """Open a file and read a tensor's bytes.

        Args:
            source: the file.
            start: the first byte.
            count: the number of bytes.

        Raises:
            UnreadableFileError: if the file has no such bytes, or cannot be opened.
        """
        with cls.open(source) as window:
            return window.whole(start, start + count)

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.__exit__(kind, error, trace)

    def fail(self, reason: str, offset: int | None = None, *, hint: str | None = None) -> UnreadableFileError:
        """Return the error that names this file and an offset.

        Args:
            reason: what is wrong.
            offset: the offset of the error in this window.
            hint: what to do about it.
        """
        position = None if offset is None else self.base + offset
        return UnreadableFileError(self.label, reason, offset=position, hint=hint)

    def span(self, start: int, end: int) -> bytes:
        """Read the bytes from ``start`` up to ``end``.

        Args:
            start: the first byte.
            end: the byte after the last one.

        Raises:
            UnreadableFileError: if the file has no such bytes, or they are too many.
        """
        if not 0 <= start <= end <= self.size:
            raise self.fail(
                f"bytes {start:,} to {end:,} were requested, but it has {self.size:,}",
                max(min(start, self.size), 0),
            )
        if end - start > MAX_SPAN:
            raise self.fail(f"{end - start:,} bytes are too many to read at once", start)
        number = start // _PAGE
        low = number * _PAGE
        if end > low + 2 * _PAGE:
            return self._read(start, end)
        page = self._pages.get(number) or self._load(number)
        if end > low + _PAGE:
            page += self._pages.get(number + 1) or self._load(number + 1)
        return page[start - low : end - low]

    def whole(self, start: int, end: int) -> bytes:
        """Read a tensor's bytes, however many they are.

        Args:
            start: the first byte.
            end: the byte after the last one.

        Raises:
            UnreadableFileError: if the file has no such bytes.
        """
        if not 0 <= start <= end <= self.size:
            raise self.fail(
                f"a tensor's bytes end at {end:,}, but the file ends at {self.size:,}",
                max(min(start, self.size), 0),
            )
        return self._read(start, end)

    def _load(self, number: int) -> bytes:
        """Read a page and, in sequential access, twice as many as before; a jump starts small again."""
        low = number * _PAGE
        if low >= self.size:
            return b""
        self._ahead = min(2 * self._ahead, _MOST_AHEAD) if number == self._next else 1
        data = self._read(low, min(low + self._ahead * _PAGE, self.size))
        self._next = number + self._ahead
        if len(self._pages) + self._ahead > _PAGES:
            self._pages.clear()
        for offset in range(0, len(data), _PAGE):
            self._pages[number + offset // _PAGE] = data[offset : offset + _PAGE]
        return data[:_PAGE]

    def _read(self, start: int, end: int) -> bytes:
        try:
            self._file.seek(self.base + start)
            data = self._file.read(end - start)
        except OSError as error:
            raise self.fail(error.strerror or str(error), start) from None
        if len(data) != end - start:
            raise self.fail("the file shrank while it was being read", start + len(data))
        return data
