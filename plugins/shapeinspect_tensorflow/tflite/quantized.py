"""How a TFLite file stores numbers: as they are, or as integers with scales and zero points.

Source: https://ai.google.dev/edge/litert/models/quantization_spec, and ``QuantizationParameters`` in
tensorflow/compiler/mlir/lite/schema/schema.fbs. Values of 4 bits share a byte, the lower half first
(tensorflow/lite/kernels/internal/portable_tensor_utils.h).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from shapeinspect.binary.quantized import affine, unpack
from shapeinspect.binary.window import Window
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Packing, Quantization, Weight
from shapeinspect.sources.source import Source
from shapeinspect_tensorflow.tflite.file import Tensor
from shapeinspect_tensorflow.vocabulary import dtypes

_INTEGERS = {f"{sign}int{bits}": bits for sign in ("", "u") for bits in (2, 4, 8, 16, 32, 64)}
_PACKED = 8


def quantization(tensor: Tensor) -> Quantization | None:
    """Return how a stored tensor is quantized; None for one whose numbers are what they are.

    Args:
        tensor: the tensor.

    Example:
        >>> quantization(Tensor("w", (2, 3), (), "float16", 1, 8, 12)) is None
        True
    """
    given, bits = tensor.quantization, _INTEGERS.get(tensor.dtype or "")
    if given is None or bits is None:
        return None
    block = None if given.further else _block(tensor)
    packing = None
    if bits < _PACKED:
        values = _PACKED // bits
        packing = Packing((-(-prod(tensor.shape or ()) // values),), "uint8", None, values)
    return Quantization("tflite", tensor.dtype or "", bits, block, packing)


def _block(tensor: Tensor) -> tuple[int | None, ...] | None:
    """Return how many values share a scale; None where the scales do not match the shape."""
    given, shape = tensor.quantization, tensor.shape or ()
    count = 0 if given is None else len(given.scale)
    if given is None or len(given.zero_point) not in (0, count):
        return None
    if count == 1:
        return (None,) * len(shape)
    if not 0 <= given.axis < len(shape) or shape[given.axis] != count:
        return None
    return tuple(1 if axis == given.axis else None for axis in range(len(shape)))


def values(source: Source, tensor: Tensor) -> Callable[[], Any] | None:
    """Return a function that reads the numbers of a stored tensor; those of a quantized one are dequantized.

    Args:
        source: the file.
        tensor: the tensor.

    Returns:
        None if they cannot be read, or the file does not say how they are quantized.
    """
    how, given = quantization(tensor), tensor.quantization
    bits = _INTEGERS.get(tensor.dtype or "")
    narrow = bits is not None and bits < _PACKED
    if tensor.external or tensor.sparse or not (tensor.dtype in dtypes.NUMPY or narrow):
        return None
    if how is not None and how.block is None:
        return None
    shape = tensor.shape or ()

    def read() -> Any:
        import numpy as np

        with Window.open(source) as window:
            raw = window.whole(tensor.start, tensor.start + tensor.nbytes)
        if narrow and bits is not None:
            signed = not (tensor.dtype or "").startswith("u")
            numbers = unpack(np.frombuffer(raw, np.uint8), bits, 0, signed=signed)[: prod(shape)]
        else:
            numbers = np.frombuffer(raw, np.dtype(tensor.dtype))
        numbers = numbers.reshape(shape)
        if how is None or how.block is None or given is None:
            return numbers
        lengths = [length if span == 1 else 1 for span, length in zip(how.block, shape, strict=True)]
        scales = np.array(given.scale, np.float32).reshape(lengths)
        zeros = np.array(given.zero_point or (0,) * len(given.scale), np.int64).reshape(lengths)
        return affine(numbers, scales, zeros)

    return read


def scales_by_role(
    weights: Sequence[Weight], tensors: Sequence[Tensor | None], roles: Mapping[int, str]
) -> Mapping[str, Any] | None:
    """Return scale, zero point and axis of each weight, by role.

    Args:
        weights: the weights of an operator.
        tensors: what the operator reads.
        roles: the role of each input that has one, by its slot.
    """
    by_role = {}
    known = {weight.role for weight in weights}
    for slot, tensor in enumerate(tensors):
        role = roles.get(slot) or f"input{slot}"
        given = None if tensor is None else tensor.quantization
        if given is None or role not in known:
            continue
        facts: dict[str, Any] = {"scale": given.scale, "zero_point": given.zero_point}
        if len(given.scale) > 1:
            facts["axis"] = given.axis
        by_role[role] = Frozen(facts)
    return Frozen(by_role) if by_role else None
