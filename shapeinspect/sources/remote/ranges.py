"""A file that is read range by range: aligned blocks, a bounded cache, a budget of bytes and requests."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import BinaryIO

from shapeinspect.errors import UnreadableFileError

#: Bytes are asked for in whole blocks of this length.
BLOCK = 64 << 10
#: The most that one request asks for.
LONGEST = 4 << 20
#: The most that is read ahead of a reader that goes straight on.
AHEAD = 1 << 20
#: How much of one file is remembered.
CACHE = 64 << 20
#: What reading one model may cost, all its files together.
MAX_REQUESTS, MAX_BYTES = 10_000, 1 << 30
#: And how many seconds its requests may take together, by the clock.
MAX_SECONDS = 300.0


@dataclass(slots=True)
class Budget:
    """The requests, bytes and time that one model may still cost, shared by all its files.

    Args:
        requests: how many more requests.
        bytes: how many more bytes.
        left: how many more seconds.
    """

    requests: int = MAX_REQUESTS
    bytes: int = MAX_BYTES
    left: float = MAX_SECONDS

    @contextmanager
    def clock(self, label: str) -> Iterator[None]:
        """Spend the seconds of one request.

        Args:
            label: the file, for the error.

        Raises:
            UnreadableFileError: if that is too much.
        """
        begin = monotonic()
        try:
            yield
        finally:
            self.left -= monotonic() - begin
            if self.left < 0:
                raise UnreadableFileError(
                    label,
                    f"the requests for it took over {MAX_SECONDS:.0f} s",
                    hint="copy it to this machine first",
                ) from None

    def spend(self, label: str, count: int) -> None:
        """Spend one request, and the bytes that it requests.

        Args:
            label: the file, for the error.
            count: how many bytes.

        Raises:
            UnreadableFileError: if that is too much.
        """
        self.requests -= 1
        self.bytes -= count
        if self.requests < 0 or self.bytes < 0:
            raise UnreadableFileError(
                label,
                f"more than {MAX_REQUESTS:,} requests or {MAX_BYTES >> 20:,} MiB are needed to read it",
                hint="copy it to this machine first",
            )


class Blocks:
    """The blocks of one file that have been fetched; every reader of the file shares them.

    Args:
        label: the file, for errors.
        size: its length.
        fetch: returns the bytes from a beginning up to an end, all of them.
        budget: what may still be spent.

    Example:
        >>> asked = []
        >>> def fetch(start, end):
        ...     asked.append((start, end))
        ...     return bytes(end - start)
        >>> blocks = Blocks("m", 1 << 20, fetch, Budget())
        >>> len(blocks.read(10, 100)), len(blocks.read(200, 100)), asked
        (100, 100, [(0, 65536)])
    """

    def __init__(self, label: str, size: int, fetch: Callable[[int, int], bytes], budget: Budget) -> None:
        self._label = label
        self._size = size
        self._fetch = fetch
        self._budget = budget
        self._held: OrderedDict[int, bytes] = OrderedDict()
        self._next = -1  # the block after the last one fetched
        self._ahead = 0  # how many blocks are fetched beyond what is asked for

    @property
    def size(self) -> int:
        """The file's size in bytes."""
        return self._size

    def put(self, data: bytes) -> None:
        """Remember the beginning of the file, which was fetched with its length.

        Args:
            data: its first bytes; whole blocks, or all of a shorter file.
        """
        for at in range(0, len(data), BLOCK):
            if at + BLOCK <= len(data) or len(data) == self._size:
                self._held[at // BLOCK] = data[at : at + BLOCK]
                self._next = at // BLOCK + 1

    def read(self, start: int, count: int) -> bytes:
        """Return bytes of the file, fewer only at its end.

        Args:
            start: the first byte.
            count: how many.

        Raises:
            UnreadableFileError: if they cannot be fetched.
        """
        end = min(start + count, self._size)
        if start >= end:
            return b""
        parts = []
        for block in range(start // BLOCK, (end - 1) // BLOCK + 1):
            data = self._held.get(block)
            if data is None:
                self._load(block, (end - 1) // BLOCK)
                data = self._held[block]
            else:
                self._held.move_to_end(block)
            parts.append(data)
        first = start - start // BLOCK * BLOCK
        return b"".join(parts)[first : first + end - start]

    def _load(self, first: int, last: int) -> None:
        """Fetch a run of missing blocks in one request."""
        straight_on = first == self._next
        self._ahead = min(max(2 * self._ahead, 1), AHEAD // BLOCK) if straight_on else 0
        stop = first + 1
        while stop <= last + self._ahead and stop - first < LONGEST // BLOCK and stop not in self._held:
            stop += 1
        begin, end = first * BLOCK, min(stop * BLOCK, self._size)
        self._budget.spend(self._label, end - begin)
        data = self._fetch(begin, end)
        if len(data) != end - begin:
            raise UnreadableFileError(
                self._label, f"got {len(data):,} bytes instead of {end - begin:,}", offset=begin
            )
        for at in range(0, len(data), BLOCK):
            self._held[(begin + at) // BLOCK] = data[at : at + BLOCK]
        self._next = -(-end // BLOCK)
        while len(self._held) > CACHE // BLOCK:
            self._held.popitem(last=False)

    def open(self) -> BinaryIO:
        """Return a reader with its own position."""
        return io.BufferedReader(_Reader(self))


class _Reader(io.RawIOBase):
    """Reads the blocks as a seekable file."""

    def __init__(self, blocks: Blocks) -> None:
        super().__init__()
        self._blocks = blocks
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._blocks.size}[whence]
        if base + offset < 0:
            raise OSError(22, "negative seek position")  # the same error as for a file on disk
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview | bytearray) -> int:  # type: ignore[override]  # the stub's Buffer has no length
        data = self._blocks.read(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
