"""Reads JSON from untrusted files: its size is bounded before it is parsed, and odd values are refused.

The table of :mod:`shapeinspect.binary` lists what is refused, and what non-finite numbers become.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isfinite
from typing import Any

from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import Source

#: Bytes of one text: a network of 100,000 layers stays far below.
MAX_BYTES = 256 << 20
#: Levels of nesting; a nested model takes about four.
MAX_DEPTH = 200
# Parsed JSON takes more memory than its text: the most containers and commas of one text. A tensor of a
# safetensors header is three containers, so 400,000 fit; the largest sets have 138,240 in all their files (60
# blocks of 384 experts of three weights and their scales), and an index has one comma for each.
_MAX_CONTAINERS = 1_200_000
_MAX_COMMAS = 5_000_000
_MAX_BITS = 64
#: An integer of more bits than that has at least this many digits.
_LONG = b"0" * 20
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b'"\\[]{}')
_BRACES = bytes.maketrans(b"{}", b"[]")


def read_file(source: Source, what: str, *, limit: int = MAX_BYTES) -> Any:
    """Read a file of JSON.

    Args:
        source: the file.
        what: what the text is, for errors.
        limit: its maximum size in bytes.

    Raises:
        UnreadableFileError: if it is larger, or as :func:`parse` raises.
    """
    if source.size is None or source.size > limit:
        raise UnreadableFileError(source.label, f"{what} is not a file of at most {limit:,} bytes")
    with source.open() as file:
        return parse(file.read(limit), source.label, what)


def parse_object(text: bytes | str, label: str, what: str, *, long_integers: bool = False) -> dict[str, Any]:
    """Read a JSON object, as :func:`parse` does.

    Args:
        text: the JSON text.
        label: the file it comes from, for errors.
        what: what it is, for errors.
        long_integers: whether integers of more than 64 bits are allowed.

    Raises:
        UnreadableFileError: if it is not an object, or as :func:`parse` raises.
    """
    value = parse(text, label, what, long_integers=long_integers)
    if not isinstance(value, dict):
        raise UnreadableFileError(label, f"{what} is not a JSON object")
    return value


def parse(
    text: bytes | str,
    label: str,
    what: str,
    *,
    offset: int | None = None,
    strict: bool = False,
    long_integers: bool = False,
) -> Any:
    """Read a JSON text into plain values.

    Args:
        text: the JSON text.
        label: the file it comes from, for errors.
        what: what it is, for errors, such as ``config.json``.
        offset: where it begins in the file, for errors.
        strict: whether ``NaN``, the infinities and lone surrogates are refused, as a format's own
            reader does; otherwise the numbers become strings.
        long_integers: whether integers of more than 64 bits are allowed, as in settings written by a
            tokenizer.

    Raises:
        UnreadableFileError: if it is not JSON in UTF-8, is too large or too deep, has a key twice, or
            holds a value that is not allowed.

    Example:
        >>> parse(b'{"pool_size": [2, 3], "mask_value": NaN}', "m.keras", "config.json")
        {'pool_size': [2, 3], 'mask_value': 'NaN'}
    """

    def refuse(reason: str) -> UnreadableFileError:
        return UnreadableFileError(label, f"{what} {reason}", offset=offset)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            seen: set[str] = set()
            duplicate = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # set.add is None: false
            raise refuse(f"has the key {duplicate[:80]!r} twice")
        return value

    def constant(word: str) -> str:
        if strict:
            raise refuse(f"holds {word}")
        return word

    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if len(raw) > MAX_BYTES:
        raise refuse(f"is larger than {MAX_BYTES:,} bytes")
    if raw.count(b"[") + raw.count(b"{") > _MAX_CONTAINERS or raw.count(b",") > _MAX_COMMAS:
        raise refuse("has too many entries")
    try:
        plain = text if isinstance(text, str) else text.decode("utf-8")
        value = json.loads(plain, object_pairs_hook=unique, parse_constant=constant, parse_float=_float)
        if strict and b"\\u" in raw:  # a lone surrogate, which UTF-8 cannot hold, may be written as an escape
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except ValueError as error:
        raise refuse(f"is not JSON: {str(error)[:120]}") from None
    except RecursionError:
        raise refuse("is nested too deeply") from None
    long = not long_integers and _LONG in raw.translate(_DIGITS)
    if long or not _is_shallow(raw):
        _check(value, refuse, long)
    return value


def _float(text: str) -> float | str:
    value = float(text)
    return value if isfinite(value) else text


def _is_shallow(raw: bytes) -> bool:
    """Tell whether a text is certainly not too deep; its brackets decide if no string contains one."""
    brackets = raw.translate(_BRACES, _NO_BRACKETS).replace(b'""', b"")
    if b'"' in brackets or b"\\" in brackets:
        return False
    for _ in range(MAX_DEPTH):
        if not brackets:
            return True
        brackets = brackets.replace(b"[]", b"")  # each pass removes the innermost level
    return not brackets


def _check(value: Any, refuse: Callable[[str], UnreadableFileError], long: bool) -> None:
    """Check every value, level by level, for what the text alone does not rule out."""
    level: list[Any] = [value]
    depth = 0
    while level:
        below: list[Any] = []
        containers = False
        for item in level:
            if isinstance(item, dict | list):
                containers = True
                below.extend(item.values() if isinstance(item, dict) else item)
            elif long and isinstance(item, int) and item.bit_length() > _MAX_BITS:
                raise refuse(f"holds an integer of {item.bit_length()} bits")
        depth += containers
        if depth > MAX_DEPTH:
            raise refuse(f"is nested more than {MAX_DEPTH} levels deep")
        level = below
