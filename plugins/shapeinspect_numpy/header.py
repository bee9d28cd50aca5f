"""Reads the header of a .npy array: its shape and its element type.

Source: NEP 1, "A Simple File Format for NumPy Arrays", and ``numpy/lib/_format_impl.py``.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import prod

from shapeinspect.errors import UnreadableFileError
from shapeinspect_numpy import dtypes

MAGIC = b"\x93NUMPY"
#: The longest header that is read; numpy itself stops at 10,000 unless told to trust the file.
_MOST = 65_536
_LARGEST = (1 << 63) - 1

_STRING = re.compile(r"""u?'(?:[^'\\\n]|\\.)*'|u?"(?:[^"\\\n]|\\.)*\"""")
# A run of digits matches as a whole: splitting it would allow exponentially many matches.
_REST = re.compile(r"(?:True|False|None|\d{1,30}(?!\d)L?|[\s(){}\[\],:])*")
_LONG = re.compile(r"(?<=\d)L")
_SHALLOW = 16


@dataclass(frozen=True, slots=True)
class Header:
    """The header of an array.

    Args:
        shape: its lengths.
        dtype: the name of its element type as numpy spells it; ``structured`` for records.
        itemsize: bytes per element; None for Python objects, which are pickled.
        length: the length of the header in bytes; the data follows it.

    Example:
        >>> Header((2, 3), "float32", 4, 128).nbytes
        24
    """

    shape: tuple[int, ...]
    dtype: str
    itemsize: int | None
    length: int

    @property
    def nbytes(self) -> int | None:
        """The size of the data in bytes, or None for Python objects."""
        return None if self.itemsize is None else prod(self.shape) * self.itemsize


def read_header(more: Callable[[int], bytes], label: str, name: str) -> Header:
    """Read a header.

    Args:
        more: returns at least the given number of first bytes of the array, or all of them.
        label: how errors name the file.
        name: how errors name the array.

    Raises:
        UnreadableFileError: if it is not a header, or an unreasonable one.

    Example:
        >>> text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
        >>> read_header(lambda _: MAGIC + bytes([1, 0, len(text), 0]) + text, "f", "a").shape
        (2, 3)
    """
    begin = more(12)
    if begin[:6] != MAGIC or len(begin) < 12:
        raise UnreadableFileError(label, f"{name!r} is not an array: its first bytes are wrong")
    version = (begin[6], begin[7])
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise UnreadableFileError(label, f"{name!r} has an unknown version {begin[6]}.{begin[7]}")
    width = 2 if version == (1, 0) else 4
    length = int.from_bytes(begin[8 : 8 + width], "little")
    if length > _MOST:
        raise UnreadableFileError(label, f"{name!r} claims a header of {length:,} bytes")
    text = more(8 + width + length)[8 + width : 8 + width + length]
    if len(text) < length:
        raise UnreadableFileError(label, f"{name!r} ends inside its header")
    encoding = "utf-8" if version == (3, 0) else "latin-1"
    facts = _literal(text.decode(encoding, "replace"))
    if not isinstance(facts, dict) or set(facts) != {"descr", "fortran_order", "shape"}:
        raise UnreadableFileError(
            label, f"the header of {name!r} does not state descr, fortran_order and shape"
        )
    shape, order, element = facts["shape"], facts["fortran_order"], dtypes.parse(facts["descr"])
    if not isinstance(shape, tuple) or not dtypes.is_shape(shape) or not isinstance(order, bool):
        raise UnreadableFileError(label, f"the header of {name!r} states no valid shape and order")
    if element is None:
        raise UnreadableFileError(label, f"the element type of {name!r} is unknown: {facts['descr']!r}")
    dtype, itemsize = element
    if prod(shape) * max(itemsize or 1, 1) > _LARGEST:
        raise UnreadableFileError(label, f"{name!r} claims more values than 64 bits count: {shape}")
    return Header(shape, dtype, itemsize, 8 + width + length)


@lru_cache(maxsize=1024)
def _literal(text: str) -> object:
    """Return the value of a header's text; only what may occur in a header reaches the parser."""
    # Python 2 wrote lengths as 3L; texts are left as they are.
    pieces, position, depth = [], 0, 0
    for match in (*_STRING.finditer(text), None):
        rest = text[position : match.start() if match else len(text)]
        if not _REST.fullmatch(rest):
            return None
        for char in rest:
            depth += (char in "([{") - (char in ")]}")
            if depth > _SHALLOW:
                return None
        pieces.append(_LONG.sub("", rest))
        if match:
            pieces.append(match.group())
            position = match.end()
    try:
        with warnings.catch_warnings():  # escapes that mean nothing: Python would print a part of the file
            warnings.simplefilter("ignore")
            value: object = ast.literal_eval("".join(pieces).strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return value
