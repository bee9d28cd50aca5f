"""Quantized weights: which constants belong together, the logical shape, and the numbers they stand for.

Source: https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html and, for packed weights,
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from shapeinspect.ir import Packing, Quantization
from shapeinspect_onnx import dtypes
from shapeinspect_onnx.reading.codes import Coded, Values, affine, block_of

if TYPE_CHECKING:
    from shapeinspect_onnx.reading.node import Node


@dataclass(frozen=True, slots=True)
class Slots:
    """The inputs that hold one quantized weight of an operator.

    Args:
        weight: the slot of the codes.
        scale: that of the scales; the weight's own where they stand between its codes.
        zero: that of the zero points, or None.
        axes: the axes of the codes along which the scales stand.
        state: the slots of what else describes the codes.
        packed: reads a weight whose values are packed; None for codes of the weight's own shape.
    """

    weight: int
    scale: int
    zero: int | None = None
    axes: tuple[int, ...] = (-1,)
    state: tuple[int, ...] = ()
    packed: Callable[[Node, Slots], Coded | None] | None = None

    @property
    def companions(self) -> tuple[int, ...]:
        """The slots of what is no parameter."""
        slots = (self.scale, self.zero, *self.state)
        return tuple(slot for slot in slots if slot is not None and slot != self.weight)

    def read(self, node: Node) -> Coded | None:
        """Describe the weight of a node; None where its codes or scales are not stored.

        Args:
            node: the node.
        """
        codes, scale = node.constant(self.weight), node.constant(self.scale)
        if codes is None or scale is None:
            return None
        if self.packed is not None:
            return self.packed(node, self)
        zero = node.constant(self.zero) if self.zero is not None else None
        axes = (0,) if node.get("transB", 0) else self.axes
        block = block_of(codes.dims, scale.dims, axes[: len(scale.dims)])
        return affine(codes, scale, zero, block, "qoperator")


def bias(node: Node, slot: int, product: tuple[int, int]) -> Coded | None:
    """Describe a 32-bit bias, whose scale is the product of the input's and the weight's.

    Args:
        node: the node.
        slot: the bias's slot.
        product: the slots of the two scales.
    """
    codes, given, scale = node.constant(slot), node.constant(product[0]), node.constant(product[1])
    if codes is None or scale is None or codes.code != _INT32:
        return None
    values = None
    readers = (codes.values, None if given is None else given.values, scale.values)
    if all(reader is not None for reader in readers):

        def values() -> Any:
            import numpy as np

            read = [reader() for reader in readers if reader is not None]
            return read[0].astype(np.float32) * read[1].reshape(()) * read[2].reshape(-1)

    block = (None if prod(scale.dims) == 1 else 1,)
    how = Quantization("qoperator", "int32", 32, block, None, (scale.name,))
    return Coded(how, codes.dims, values)


_INT32 = 6


def _are_bits(bits: Any) -> bool:
    """Tell whether an attribute may be the bits of a packed value."""
    return isinstance(bits, int) and 1 <= bits <= 8


def _names(node: Node, slots: tuple[int | None, ...]) -> tuple[str, ...]:
    found = [node.constant(slot) for slot in slots if slot is not None]
    return tuple(constant.name for constant in found if constant is not None)


def _reader(
    node: Node, slots: tuple[int | None, ...], work: Callable[[Mapping[int, Any]], Any]
) -> Values | None:
    """Return what reads some constants and computes with them; None if one cannot be read."""
    constants = {slot: node.constant(slot) for slot in slots if slot is not None}
    readers = {slot: constant.values for slot, constant in constants.items() if constant is not None}
    if any(reader is None for reader in readers.values()):
        return None
    return lambda: work({slot: reader() for slot, reader in readers.items() if reader is not None})


def matmul_nbits(node: Node, slots: Slots) -> Coded | None:
    """Describe a matrix ``o i`` packed as ``o block byte``, with scales ``o block``.

    Args:
        node: a MatMulNBits, or another node with ``N``, ``K``, ``bits`` and ``block_size``.
        slots: its slots.
    """
    into, size, bits = node.get("K"), node.get("block_size"), node.get("bits", 4)
    codes, scale = node.constant(slots.weight), node.constant(slots.scale)
    if not into or not size or codes is None or scale is None or not codes.dims or not _are_bits(bits):
        return None
    out, blocks = codes.dims[0], -(-into // size)
    if prod(codes.dims) != out * blocks * size * bits // 8 or prod(scale.dims) != out * blocks:
        return None

    def work(read: Mapping[int, Any]) -> Any:
        import numpy as np

        from shapeinspect.binary.quantized import affine as dequantized
        from shapeinspect.binary.quantized import unpack

        values = unpack(read[slots.weight].reshape(out, -1), bits, 1).reshape(out, blocks, size)
        zero = read.get(slots.zero) if slots.zero is not None else None
        if zero is None:
            zeros = np.full((out, blocks, 1), 1 << (bits - 1), np.float32)
        elif zero.dtype == np.uint8:
            zeros = unpack(zero.reshape(out, -1), bits, 1)[:, :blocks].reshape(out, blocks, 1)
        else:
            zeros = zero.reshape(out, blocks, 1)
        numbers = dequantized(values, read[slots.scale].reshape(out, blocks, 1), zeros)
        return numbers.reshape(out, -1)[:, :into]

    # A permutation of the inputs (g_idx) moves each to a scale of its own.
    permuted = any(node.constant(slot) is not None for slot in slots.state)
    values = None if permuted else _reader(node, (slots.weight, slots.scale, slots.zero), work)
    packing = Packing(codes.dims, "uint8", 1, 8 // bits if 8 % bits == 0 else 8, 1 if 8 % bits == 0 else bits)
    how = Quantization(
        "matmul_nbits", f"uint{bits}", bits, None if permuted else (1, size), packing,
        _names(node, (slots.scale,)), _names(node, (slots.zero,)), _names(node, slots.state),
    )  # fmt: skip
    return Coded(how, (out, into), values)


#: The 16 values of bitsandbytes' ``fp4``; the upper half is negative.
#: Source: https://github.com/bitsandbytes-foundation/bitsandbytes, ``create_fp4_map``.
_FP4 = (0.0, 0.005208333, 0.66666667, 1.0, 0.33333333, 0.5, 0.16666667, 0.25)


def matmul_bnb4(node: Node, slots: Slots) -> Coded | None:
    """Describe a matrix ``o i`` of bitsandbytes' 4-bit floats, the high half of a byte first.

    Args:
        node: a MatMulBnb4.
        slots: its slots.
    """
    into, out, size = node.get("K"), node.get("N"), node.get("block_size")
    codes, scale = node.constant(slots.weight), node.constant(slots.scale)
    if not into or not out or not size or codes is None or scale is None:
        return None
    if min(into, out, size) < 1 or prod(codes.dims) * 2 != out * into + out * into % 2:
        return None
    if prod(scale.dims) != -(-out * into // size):
        return None
    normal = node.get("quant_type", 1) == 1

    def work(read: Mapping[int, Any]) -> Any:
        import numpy as np

        from shapeinspect.binary.quantized import NF4, unpack

        table = NF4 if normal else (*_FP4, *(-value for value in _FP4))
        values = np.asarray(table, np.float32)[unpack(read[slots.weight].reshape(-1), 4, 0, high_first=True)]
        scales = np.repeat(read[slots.scale].reshape(-1).astype(np.float32), min(size, out * into))
        return (values[: out * into] * scales[: out * into]).reshape(out, into)

    how = Quantization(
        "bitsandbytes", "nf4" if normal else "fp4", 4, (size,), Packing(codes.dims, "uint8", None, 2),
        _names(node, (slots.scale,)),
    )  # fmt: skip
    return Coded(how, (out, into), _reader(node, (slots.weight, slots.scale), work))


def gather_blocks(node: Node, slots: Slots) -> Coded | None:
    """Describe a table quantized in blocks along one axis; bytes hold several values of its last axis.

    Args:
        node: a GatherBlockQuantized.
        slots: its slots.
    """
    size, bits, axis = node.get("block_size", 128), node.get("bits", 4), node.get("quantize_axis", 1)
    codes, scale = node.constant(slots.weight), node.constant(slots.scale)
    if codes is None or scale is None or not codes.dims or not _are_bits(bits):
        return None
    many = 8 // bits if codes.code == _UINT8 else 1
    shape = (*codes.dims[:-1], codes.dims[-1] * many)
    block = block_of(shape, scale.dims, (axis,), size)

    def work(read: Mapping[int, Any]) -> Any:
        import numpy as np

        from shapeinspect.binary.quantized import affine as dequantized
        from shapeinspect.binary.quantized import unpack

        values = unpack(read[slots.weight], bits, -1) if many > 1 else read[slots.weight]
        zeros = read.get(slots.zero) if slots.zero is not None else None
        if zeros is not None and many > 1:
            zeros = unpack(zeros, bits, -1)[..., : scale.dims[-1]]
        elif zeros is None and codes.code == _UINT8:
            zeros = np.full(scale.dims, 1 << (bits - 1), np.float32)
        return dequantized(values, read[slots.scale], zeros, block)

    packing = Packing(codes.dims, "uint8", len(shape) - 1, many) if many > 1 else None
    element = f"uint{bits}" if codes.code == _UINT8 else dtypes.name(codes.code) or ""
    how = Quantization(
        "gather_block", element, bits, block, packing,
        _names(node, (slots.scale,)), _names(node, (slots.zero,)),
    )  # fmt: skip
    values = None if block is None else _reader(node, (slots.weight, slots.scale, slots.zero), work)
    return Coded(how, shape, values)


_UINT8 = 2


def experts(node: Node, slots: Slots) -> Coded | None:
    """Describe the matrices ``expert o i`` of a QMoE; bytes hold several values of the last axis.

    Args:
        node: a QMoE.
        slots: its slots.
    """
    codes, scale = node.constant(slots.weight), node.constant(slots.scale)
    if codes is None or scale is None or len(codes.dims) != 3 or node.get("quant_type", "int") != "int":
        return None
    index = {2: 1, 5: 2, 8: 3}.get(slots.weight, 1)
    bits = node.get(f"fc{index}_expert_weight_bits", node.get("expert_weight_bits", 4))
    if not _are_bits(bits):
        return None
    shape = (*codes.dims[:2], codes.dims[2] * 8 // bits)
    size = node.get("block_size", 0) if len(scale.dims) == 3 else 0
    if size < 0 or prod(scale.dims) != prod(shape[:2]) * (-(-shape[2] // size) if size else 1):
        return None
    packing = Packing(codes.dims, "uint8", 2, 8 // bits if 8 % bits == 0 else 8, 1 if 8 % bits == 0 else bits)
    how = Quantization(
        "qmoe", f"uint{bits}", bits, (1, 1, size or None), packing,
        _names(node, (slots.scale,)), _names(node, (slots.zero,)),
    )  # fmt: skip
    if (slots.zero is not None and node.constant(slots.zero) is not None) or node.get(
        "weights_prepacked", 0
    ) == 1:
        return Coded(how, shape, None)  # the order of prepacked codes is the machine's

    def work(read: Mapping[int, Any]) -> Any:
        import numpy as np

        from shapeinspect.binary.quantized import affine as dequantized
        from shapeinspect.binary.quantized import unpack

        values = unpack(read[slots.weight], bits, -1)
        scales = read[slots.scale].reshape((*shape[:2], -1))
        zeros = np.full(scales.shape, 1 << (bits - 1), np.float32)
        return dequantized(values, scales, zeros, (1, 1, size or None))

    return Coded(how, shape, _reader(node, (slots.weight, slots.scale), work))


def scaled_fp4(node: Node, slots: Slots) -> Coded | None:
    """Describe a matrix ``o i`` of 4-bit floats, the low half of a byte first, with 8-bit scales in blocks.

    Args:
        node: a MatMulBlockQuantizedFp4Weight.
        slots: its slots; the first of the state is the scale of the scales.
    """
    codes, scale, size = node.constant(slots.weight), node.constant(slots.scale), node.get("block_size", 16)
    if codes is None or scale is None or len(codes.dims) != 2 or size < 1:
        return None
    shape = (codes.dims[0], codes.dims[1] * 2)
    if scale.dims != (shape[0], -(-shape[1] // size)):
        return None

    def work(read: Mapping[int, Any]) -> Any:
        import ml_dtypes
        import numpy as np

        from shapeinspect.binary.quantized import E2M1, spread, unpack

        scales = read[slots.scale].view(ml_dtypes.float8_e4m3fn).astype(np.float32)
        values = np.asarray(E2M1, np.float32)[unpack(read[slots.weight], 4, -1)]
        return values * spread(scales, shape, (1, size)) * read[slots.state[0]].reshape(())

    how = Quantization(
        "nvfp4", "float4_e2m1fn", 4, (1, size), Packing(codes.dims, "uint8", 1, 2),
        _names(node, (slots.scale,)), state=_names(node, slots.state),
    )  # fmt: skip
    return Coded(how, shape, _reader(node, (slots.weight, slots.scale, *slots.state[:1]), work))


def scaled_fp8(node: Node, slots: Slots) -> Coded | None:
    """Describe a matrix ``o i`` of 8-bit floats with scales in blocks of inputs.

    Args:
        node: a MatMulBlockQuantizedFp8Weight.
        slots: its slots.
    """
    codes, scale, size = node.constant(slots.weight), node.constant(slots.scale), node.get("block_size", 128)
    if codes is None or scale is None or len(codes.dims) != 2 or size < 1:
        return None
    return affine(codes, scale, None, (1, size), "fp8")


#: The attributes that name the layout of the matrices of a mixture, by their slots.
_EXPERT_TYPES = {2: "gate_type", 3: "up_type", 4: "down_type"}


def packed_rows(node: Node, slots: Slots) -> Coded | None:
    """Describe a matrix whose rows are bytes of a packed layout, which holds its scales, too.

    Args:
        node: a MatMulPacked or a GatherPacked.
        slots: its slots.
    """
    codes, width = node.constant(slots.weight), node.get("K")
    if codes is None or len(codes.dims) != 2 or not isinstance(width, int) or width < 1:
        return None
    return _rows(codes.dims, width, node.get("packed_type"), _names(node, slots.state))


def packed_experts(node: Node, slots: Slots) -> Coded | None:
    """Describe the matrices ``expert o i`` of a mixture whose rows are bytes of a packed layout.

    Args:
        node: a MoEPacked.
        slots: its slots.
    """
    codes, gate, down = node.constant(slots.weight), node.shape(2), node.shape(4)
    if codes is None or any(shape is None or len(shape) != 3 for shape in (codes.dims, gate, down)):
        return None
    # The inputs of the last matrix are the outputs of the first, and the other way round.
    inner = gate if slots.weight == 4 else down
    width = inner[1] if inner is not None else None
    if not isinstance(width, int):
        return None
    return _rows(codes.dims, width, node.get(_EXPERT_TYPES[slots.weight]), ())


def _rows(dims: tuple[int, ...], width: int, layout: Any, state: tuple[str, ...]) -> Coded:
    packing = Packing(dims, "uint8", len(dims) - 1, width, dims[-1])
    how = Quantization(
        "packed", f"type {layout}" if isinstance(layout, int) else "", packing=packing, state=state
    )
    return Coded(how, (*dims[:-1], width), None)
