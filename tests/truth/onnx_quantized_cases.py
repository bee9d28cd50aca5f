"""ONNX files of quantizers, with what onnxruntime computes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from truth_judge import Subject, case
from truth_onnx import I64, RNG, F, const, f32, held, node, weight, written


def _lenet(folder: Path, dynamic: bool = True) -> Path:
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["c1"], kernel_shape=[5, 5]),
        node("Relu", ["c1"], ["r1"]),
        node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["p1", "w2", "b2"], ["c2"], kernel_shape=[3, 3], group=2),
        node("Relu", ["c2"], ["r2"]),
        node("Flatten", ["r2"], ["f"]),
        node("MatMul", ["f", "w3"], ["m"]),
        node("Add", ["m", "b3"], ["y"]),
    ]
    weights = [
        weight("w1", 6, 1, 5, 5),
        weight("b1", 6),
        weight("w2", 8, 3, 3, 3),
        weight("b2", 8),
        weight("w3", 8 * 10 * 11, 7),
        weight("b3", 7),
    ]
    return written(
        folder / "float.onnx", nodes, {"x": (F, ["N" if dynamic else 1, 1, 28, 30])}, ["y"], weights, opset=17
    )


LENET = 150 + 6 + 216 + 8 + 880 * 7 + 7


@case("onnx")
def quantized_by_ort(folder: Path) -> Iterator[Subject]:
    """onnxruntime's own quantizer: dynamic, QDQ (per tensor and channel), QOperator, 4 bits."""
    import logging

    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    logging.disable(logging.WARNING)
    path = _lenet(folder)

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = [{"x": f32(1, 1, 28, 30)} for _ in range(3)]

        def get_next(self) -> Any:
            return self.left.pop() if self.left else None

    feed = {"x": f32(2, 1, 28, 30)}
    yield held(path, feed, params=LENET)
    quantize_dynamic(path, folder / "dynamic.onnx", weight_type=QuantType.QUInt8)
    yield held(folder / "dynamic.onnx", feed, params=LENET)
    for tag, form, per in (
        ("qdq", QuantFormat.QDQ, False),
        ("qdq_channel", QuantFormat.QDQ, True),
        ("qop", QuantFormat.QOperator, False),
    ):
        target = folder / f"{tag}.onnx"
        quantize_static(
            path, target, Reader(), quant_format=form, per_channel=per, weight_type=QuantType.QInt8
        )
        yield held(target, feed, params=LENET)
    quantize_static(
        path,
        folder / "qdq16.onnx",
        Reader(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt16,
        weight_type=QuantType.QInt8,
    )
    yield held(folder / "qdq16.onnx", feed, params=LENET)


@case("onnx")
def quantized_four_bits(folder: Path) -> Iterator[Subject]:
    """Two matrices in blocks of 4 and 8 bits, packed as the operator's documentation says."""
    import ml_dtypes
    from onnx import TensorProto, helper

    ms = "com.microsoft"

    def blocks(
        name: str, k: int, n: int, size: int, bits: int, zero: bool
    ) -> tuple[list[Any], list[str], int]:
        count = -(-k // size)
        made = [
            const(name + "_q", RNG.integers(0, 255, (n, count, size * bits // 8)), "uint8"),
            weight(name + "_s", n * count),
        ]
        names = [name + "_q", name + "_s"]
        if zero:
            made.append(const(name + "_z", RNG.integers(0, 255, (n * -(-count * bits // 8),)), "uint8"))
            names.append(name + "_z")
        return made, names, k * n

    for tag, bits, zero, size in (("sym4", 4, False, 32), ("asym4", 4, True, 16), ("sym8", 8, False, 32)):
        a, an, ac = blocks("a", 96, 200, size, bits, zero)
        b, bn, bc = blocks("b", 200, 40, size, bits, zero)
        nodes = [
            node("MatMulNBits", ["x", *an], ["h"], ms, K=96, N=200, bits=bits, block_size=size),
            node("Relu", ["h"], ["r"]),
            node("MatMulNBits", ["r", *bn], ["y"], ms, K=200, N=40, bits=bits, block_size=size),
        ]
        path = written(
            folder / f"nbits_{tag}.onnx", nodes, {"x": (F, ["N", "T", 96])}, ["y"], [*a, *b], domains={ms: 1}
        )
        yield held(path, {"x": f32(2, 5, 96)}, params=ac + bc, macs={"": 10 * (ac + bc)})
    packed = RNG.integers(-8, 7, (96, 200)).astype(ml_dtypes.int4)
    quantized = helper.make_tensor("q", TensorProto.INT4, (96, 200), packed.astype("int8").flatten().tolist())
    nodes = [
        node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=0, block_size=32),
        node("MatMul", ["x", "w"], ["h"]),
        node(
            "GatherBlockQuantized",
            ["tab", "ids", "ts"],
            ["e"],
            ms,
            block_size=16,
            gather_axis=0,
            quantize_axis=1,
        ),
        node("Add", ["h", "e"], ["y"]),
    ]
    table = helper.make_tensor("tab", TensorProto.UINT4, (50, 200), RNG.integers(0, 15, 10000).tolist())
    weights = [
        quantized,
        weight("s", 3, 200),
        helper.make_tensor("z", TensorProto.INT4, (3, 200), [0] * 600),
        table,
        weight("ts", 50, 13),
    ]
    path = written(
        folder / "qdq4.onnx",
        nodes,
        {"x": (F, ["N", "T", 96]), "ids": (I64, ["N", "T"])},
        ["y"],
        weights,
        opset=21,
        domains={ms: 1},
    )
    yield held(path, {"x": f32(2, 5, 96), "ids": np.ones((2, 5), "int64")}, params=96 * 200 + 50 * 200)
