"""What the weights of one file take beyond the bytes that it stores for them, and its limit."""

from __future__ import annotations

from shapeinspect.errors import UnreadableFileError

#: What the weights of one file may take beyond the bytes that it stores for them, in bytes.
MOST = 256 << 20


class Repeats:
    """Counts what the weights of a file would take that stand for more than it stores of them.

    A stride of 0 repeats stored numbers, one number fills a whole tensor, several tensors share their bytes.

    Args:
        label: the file's name, for the error.

    Example:
        >>> counted = Repeats("w.pt")
        >>> counted.add(4_000_000, stored=4)
        >>> counted.check()
        >>> counted.add(4 * 10**12, stored=4)
        >>> counted.check()
        Traceback (most recent call last):
        ...
        shapeinspect.errors.UnreadableFileError: cannot read "w.pt": its tensors repeat stored values, ...
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._bytes = 0

    def add(self, size: int, stored: int) -> None:
        """Count one tensor.

        Args:
            size: the bytes of its values.
            stored: the bytes that the file stores for them.
        """
        self._bytes += max(size - stored, 0)

    def check(self) -> None:
        """Refuse to read values where they would take more than the limit.

        Raises:
            UnreadableFileError: if they would.
        """
        if self._bytes > MOST:
            raise UnreadableFileError(
                self._label,
                f"its tensors repeat stored values, and would take {self._bytes:,} bytes more than it stores",
                hint=f"the limit is {MOST:,} bytes; save the tensors that they were expanded from",
            )
