"""The input slots of quantized weights, for the operators of the default domain and of ``com.microsoft``.

Source: https://onnx.ai/onnx/operators/ and
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shapeinspect_onnx.reading.quantized import (
    Slots,
    experts,
    gather_blocks,
    matmul_bnb4,
    matmul_nbits,
    packed_experts,
    packed_rows,
    scaled_fp4,
    scaled_fp8,
)
from shapeinspect_onnx.vocabulary.row import Op

#: A matrix ``i o`` has a scale for each of its columns.
_WEIGHTS: Mapping[str, tuple[Slots, ...]] = {
    "QLinearConv": (Slots(3, 4, 5, (0,)),),
    "QLinearMatMul": (Slots(3, 4, 5),),
    "QLinearAdd": (Slots(0, 1, 2), Slots(3, 4, 5)),
    "QLinearMul": (Slots(0, 1, 2), Slots(3, 4, 5)),
    "QGemm": (Slots(3, 4, 5),),
    "QAttention": (Slots(1, 4, 7),),
    "QEmbedLayerNormalization": tuple(Slots(at, at + 6, at + 11) for at in range(2, 7)),
    "MatMulIntegerToFloat": (Slots(1, 3, 5),),
    "DynamicQuantizeMatMul": (Slots(1, 2, 3),),
    "DynamicQuantizeLSTM": (Slots(1, 8, 9, (0, 2)), Slots(2, 10, 11, (0, 2))),
    "MatMulNBits": (Slots(1, 2, 3, state=(4,), packed=matmul_nbits),),
    "MatMulNBitsMlp": (Slots(3, 4, packed=matmul_nbits), Slots(6, 7, packed=matmul_nbits)),
    "MatMulNBitsQkv": tuple(Slots(at, at + 1, packed=matmul_nbits) for at in (3, 6, 9)),
    "MatMulNBitsQLoRA": (Slots(1, 2, packed=matmul_nbits),),
    "MatMulBnb4": (Slots(1, 2, packed=matmul_bnb4),),
    "GatherBlockQuantized": (Slots(0, 2, 3, packed=gather_blocks),),
    "QMoE": tuple(Slots(at, at + 1, zero, packed=experts) for at, zero in ((2, 11), (5, 12), (8, 13))),
    "MatMulBlockQuantizedFp4Weight": (Slots(1, 2, state=(3,), packed=scaled_fp4),),
    "MatMulBlockQuantizedFp8Weight": (Slots(1, 2, packed=scaled_fp8),),
    "MatMulPacked": (Slots(1, 1, state=(2,), packed=packed_rows),),
    "GatherPacked": (Slots(0, 0, packed=packed_rows),),
    "MoEPacked": tuple(Slots(at, at, packed=packed_experts) for at in (2, 3, 4)),
}

#: The 32-bit biases, each with the slots of the scales of the input and of the weight.
_BIASES: Mapping[str, tuple[tuple[int, tuple[int, int]], ...]] = {
    "QLinearConv": ((8, (1, 4)),),
    "QGemm": ((6, (1, 4)),),
}


def with_slots(name: str, row: Op) -> Op:
    """Add to a row which slots hold its quantized weights.

    Args:
        name: the operator.
        row: its row.

    Example:
        >>> with_slots("QGemm", Op("linear")).quantized[0].companions
        (4, 5)
    """
    if name not in _WEIGHTS:
        return row
    return replace(row, quantized=_WEIGHTS[name], biases=_BIASES.get(name, ()))
