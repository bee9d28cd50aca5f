"""The shapes of inputs, as a user names them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shapeinspect.dims import UNKNOWN, Dim, Shape, symbol
from shapeinspect.errors import UsageError

_DTYPE = re.compile(r"(?:bool|bfloat16|complex(?:64|128)|float(?:16|32|64)|u?int(?:8|16|32|64))")
_DIM = re.compile(r"\d+|[^\W\d]\w*|\?")
#: The characters of a length or symbol, a length that no array has, and the axes of one.
_LONGEST, _TOO_LONG, _MOST_AXES = 64, 1 << 63, 64


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The shape of one input, as ``--input`` names it.

    Args:
        shape: its lengths; symbols and unknown ones are allowed.
        name: the input's name, or None for the next one in order.
        dtype: its element type in numpy's spelling, or None for the model's own.

    Example:
        >>> InputSpec.parse("ids=2,17:int64")
        InputSpec(shape=(2, 17), name='ids', dtype='int64')
    """

    shape: Shape
    name: str | None = None
    dtype: str | None = None

    @classmethod
    def parse(cls, text: str) -> InputSpec:
        """Read ``[name=]2,3,224,224[:dtype]``.

        Args:
            text: lengths separated by ``,`` or ``x``; ``?`` is an unknown length, a word a symbol.

        Raises:
            UsageError: if the text is not a shape.

        Example:
            >>> InputSpec.parse("1x3xHxW").shape
            (1, 3, H, W)
        """
        name, equals, rest = text.rpartition("=")
        body, colon, dtype = rest.partition(":")
        if colon and not _DTYPE.fullmatch(dtype.strip()):
            raise UsageError(
                f"invalid value {text!r} for '--input': {dtype!r} is not a dtype",
                expected="a dtype such as float32, bfloat16, int64 or bool",
            )
        body = body.strip().removeprefix("(").removesuffix(")").strip().rstrip(",")
        numeric = re.fullmatch(r"(?:\d+|[A-Z?])(?:x(?:\d+|[A-Z?]))+", body)
        parts = [part.strip() for part in (body.split("x") if numeric else body.split(","))] if body else []
        if len(parts) > _MOST_AXES:
            raise UsageError(
                f"invalid value {_cut(text)!r} for '--input'",
                expected=f"at most {_MOST_AXES} axes, which is as many as an array has",
                got=f"{len(parts):,} axes",
            )
        for part in parts:
            named = _DIM.fullmatch(part) and len(part) <= _LONGEST
            if not named or (part.isdecimal() and int(part) >= _TOO_LONG):
                raise UsageError(
                    f"invalid value {_cut(text)!r} for '--input'",
                    expected="lengths separated by commas, such as 1,3,224,224 or ids=2,17:int64",
                    got=repr(_cut(part)),
                )
        return cls(
            tuple(_dim(part) for part in parts), name.strip() if equals else None, dtype.strip() or None
        )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _dim(text: str) -> Dim:
    return UNKNOWN if text == "?" else int(text) if text.isdecimal() else symbol(text)


def specs_of(value: Any, name: str | None) -> Iterator[InputSpec]:
    """Yield the shapes of the tensors in an argument; a mapping names them.

    Args:
        value: a tensor, or a nest of them.
        name: the input's name; None for one that has none.

    Example:
        >>> [*specs_of([3, {"x": memoryview(b"five!")}], None)]
        [InputSpec(shape=(5,), name='x', dtype=None)]
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from specs_of(item, str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from specs_of(item, name)
    elif hasattr(value, "shape"):
        yield InputSpec(tuple(UNKNOWN if length is None else int(length) for length in value.shape), name)


def is_shape(value: Any) -> bool:
    """Tell whether a value is a shape: lengths, with None for an unknown one.

    Args:
        value: what the user named.

    Example:
        >>> is_shape((2, None)), is_shape([True])
        (True, False)
    """
    if not isinstance(value, list | tuple) or not value:
        return type(value).__name__ == "Size" or (isinstance(value, list | tuple) and not value)
    return all(dim is None or (isinstance(dim, int) and not isinstance(dim, bool)) for dim in value)


def is_spec(value: Any) -> bool:
    """Tell whether a value names the shape of one input.

    Args:
        value: what the user named.

    Example:
        >>> is_spec("2,3"), is_spec({"x": (2, 3)})
        (True, False)
    """
    return isinstance(value, str | InputSpec) or is_shape(value)


def spec_of(value: str | InputSpec | Iterable[int | None]) -> InputSpec:
    """Return the shape of one input.

    Args:
        value: one for which ``is_spec`` holds.

    Raises:
        UsageError: if a text is no shape.

    Example:
        >>> spec_of("2,3") == spec_of((2, 3))
        True
    """
    if isinstance(value, InputSpec):
        return value
    if isinstance(value, str):
        return InputSpec.parse(value)
    return InputSpec(tuple(UNKNOWN if dim is None else int(dim) for dim in value))
