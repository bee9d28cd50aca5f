"""Codes and what they stand for: integers of the weight's own shape with a scale and a zero point.

Source: https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

from shapeinspect.ir import Quantization
from shapeinspect_onnx import dtypes

Values = Callable[[], Any]


class Stored(Protocol):
    """A stored tensor: its name, lengths, element type's code, and what reads its values."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def dims(self) -> tuple[int, ...]:
        """Its lengths."""

    @property
    def code(self) -> int:
        """Its element type's code."""

    @property
    def values(self) -> Values | None:
        """What reads its values; None if they cannot be read."""


@dataclass(frozen=True, slots=True)
class Coded:
    """A weight that is stored as codes.

    Args:
        how: how it is quantized.
        shape: its logical lengths.
        values: returns the numbers that the codes stand for; None if they cannot be read.
    """

    how: Quantization
    shape: tuple[int, ...]
    values: Values | None


def affine(
    codes: Stored,
    scale: Stored,
    zero: Stored | None,
    block: tuple[int | None, ...] | None,
    scheme: str = "qdq",
) -> Coded:
    """Describe codes of the weight's own shape: ``(code - zero_point) * scale``.

    Args:
        codes: the codes.
        scale: the scales.
        zero: the zero points; None for 0.
        block: how many codes share a scale along each axis, None for all; None where that is not known.
        scheme: who writes it.
    """
    name, bits = dtypes.DTYPES.get(codes.code, ("", None))
    zeros = (zero.name,) if zero is not None else ()
    how = Quantization(scheme, name, bits, block, None, (scale.name,), zeros)
    codes_of, scales_of = codes.values, scale.values
    zeros_of = None if zero is None else zero.values
    if block is None or codes_of is None or scales_of is None or (zero is not None and zeros_of is None):
        return Coded(how, codes.dims, None)
    ends = [1 if span is None else -(-size // span) for span, size in zip(block, codes.dims, strict=True)]
    if any(part is not None and prod(part.dims) != prod(ends) for part in (scale, zero)):
        return Coded(how, codes.dims, None)

    def values() -> Any:
        from shapeinspect.binary.quantized import affine as dequantized

        zeros = None if zeros_of is None else zeros_of().reshape(ends)
        return dequantized(codes_of(), scales_of().reshape(ends), zeros, block)

    return Coded(how, codes.dims, values)


def block_of(
    dims: tuple[int, ...], scales: tuple[int, ...], axes: tuple[int, ...], block: int = 0
) -> tuple[int | None, ...] | None:
    """Return how many values share a scale along each axis; None where the scales do not fit.

    Args:
        dims: the weight's lengths.
        scales: the lengths of the scales.
        axes: the axes of the weight along which the axes of the scales stand.
        block: how many indices of the only axis share a scale, if scales come in blocks.

    Example:
        >>> block_of((6, 10), (10,), (1,)), block_of((6, 10), (3, 10), (0,), 2), block_of((6, 10), (), (0,))
        ((None, 1), (2, 1), (None, None))
    """
    rank = len(dims)
    if prod(scales) == 1:
        return (None,) * rank
    if any(not -rank <= axis < rank for axis in axes):
        return None
    places = [axis % rank for axis in axes]
    if block:
        wanted = tuple(-(-size // block) if at in places else size for at, size in enumerate(dims))
        spans = tuple(block if at in places else 1 for at in range(rank))
        return spans if wanted == scales else None
    if len(places) != len(scales) or any(dims[at] != size for at, size in zip(places, scales, strict=False)):
        return None
    return tuple(1 if at in places else None for at in range(rank))
