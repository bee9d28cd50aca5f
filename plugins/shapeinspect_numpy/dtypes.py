"""Names and sizes of the element types in .npy headers.

Source: ``numpy/lib/_format_impl.py``, ``descr_to_dtype``, and numpy's array interface, "typestr".
"""

from __future__ import annotations

import re
from math import prod

_DESCR = re.compile(r"[<>|=]?([biufcSUVO?])(\d{0,9})")
_TIME = re.compile(r"[<>|=]?([Mm])8(\[\w{1,20}(?:/\d{1,9})?\])?")
#: The letter of an element type, numpy's name for it and its possible sizes.
_NUMBERS = {
    "b": ("bool", (1,)),
    "i": ("int", (1, 2, 4, 8)),
    "u": ("uint", (1, 2, 4, 8)),
    "f": ("float", (2, 4, 8, 12, 16)),
    "c": ("complex", (8, 16, 24, 32)),
}
_RAW = {"S": ("bytes", 1), "U": ("str", 4), "V": ("void", 1)}
_NESTED = 16


def parse(descr: object, depth: int = 0) -> tuple[str, int | None] | None:
    """Return the name of an element type and its size in bytes, or None if it is unknown.

    Args:
        descr: the header's description: a text, a list of fields, or a pair of a type and a shape.
        depth: its nesting depth.

    Returns:
        numpy's name (``structured`` for fields) and the bytes of one element; None instead of the bytes
        for Python objects, which are pickled.

    Example:
        >>> parse("<f4"), parse("|O"), parse("<x3")
        (('float32', 4), ('object', None), None)
        >>> parse([("x", "<f4", (2, 3)), ("y", "|u1")])
        ('structured', 25)
    """
    if isinstance(descr, str):
        return _plain(descr)
    if depth < _NESTED and isinstance(descr, tuple) and len(descr) == 2 and is_shape(descr[1]):
        inner = parse(descr[0], depth + 1)
        if inner is None:
            return None
        return inner[0], None if inner[1] is None else inner[1] * prod(descr[1])
    if depth < _NESTED and isinstance(descr, list) and descr:
        return _fields(descr, depth)
    return None


def is_shape(value: object) -> bool:
    """Tell whether a value is a tuple of lengths.

    Args:
        value: anything.

    Example:
        >>> is_shape((2, 0)), is_shape((2, -1)), is_shape((True,))
        (True, False, False)
    """
    return (
        isinstance(value, tuple)
        and len(value) <= 64  # numpy's own limit
        and all(type(length) is int and 0 <= length < 1 << 63 for length in value)
    )


def _plain(descr: str) -> tuple[str, int | None] | None:
    time = _TIME.fullmatch(descr)
    if time is not None:
        return ("datetime64" if time[1] == "M" else "timedelta64") + (time[2] or ""), 8
    match = _DESCR.fullmatch(descr)
    if match is None:
        return None
    letter, count = match[1], int(match[2] or 0)
    if letter == "O":
        return "object", None
    if letter == "?":
        return None if count else ("bool", 1)
    if letter in _RAW:
        name, width = _RAW[letter]
        return f"{name}{8 * width * count}" if count else name, width * count
    name, sizes = _NUMBERS[letter]
    if count not in sizes:
        return None
    return name if letter == "b" else f"{name}{8 * count}", count


def _fields(fields: list[object], depth: int) -> tuple[str, int | None] | None:
    total: int | None = 0
    for field in fields:
        if not isinstance(field, tuple) or len(field) not in (2, 3):
            return None
        inner = parse(field[1:] if len(field) == 3 else field[1], depth + 1)
        if inner is None:
            return None
        total = None if total is None or inner[1] is None else total + inner[1]
    return "structured", total
