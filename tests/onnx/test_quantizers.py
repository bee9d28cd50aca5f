"""Files that onnxruntime's quantizers wrote: they hold the parameters of the float model before.

Before weights were described by their codes, 1 of 17 such files had the right count.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi import _pybind_state as native
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

import shapeinspect

RANDOM = np.random.default_rng(1)
#: Per-tensor int8 of numbers up to 1.3 is off by half a step of 1/100; a block of 4 bits by half of 1/5.
STEP = {32: 0.0, 8: 0.02, 4: 0.2}


def _floats(**shapes: tuple[int, ...]) -> dict[str, Any]:
    return {
        name: np.clip(RANDOM.standard_normal(shape) * 0.3, -1.3, 1.3).astype(np.float32)
        for name, shape in shapes.items()
    }


CNN = _floats(cw=(8, 3, 3, 2), cb=(8,), gw=(12, 8), gb=(12,), mw=(12, 20))
TEXT = _floats(emb=(100, 64), w1=(64, 160), w2=(160, 96))
LSTM = _floats(W=(1, 28, 6), R=(1, 28, 7), B=(1, 56))


def _model(nodes: list[Any], feeds: dict[str, Any], arrays: dict[str, Any], opset: int = 17) -> Any:
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in feeds.items()
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    versions = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=versions, ir_version=10)


def _cnn() -> Any:
    nodes = [
        helper.make_node("Conv", ["x", "cw", "cb"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "gw", "gb"], ["g"], "fc", transB=1),
        helper.make_node("Mul", ["g", "half"], ["h"], "halve"),
        helper.make_node("MatMul", ["h", "mw"], ["y"], "out"),
    ]
    arrays = {**CNN, "half": np.float32(0.5)}
    return _model(nodes, {"x": np.zeros((2, 3, 9, 11), np.float32)}, arrays)


def _text() -> Any:
    nodes = [
        helper.make_node("Gather", ["emb", "ids"], ["e"], "embed"),
        helper.make_node("MatMul", ["e", "w1"], ["a"], "up"),
        helper.make_node("Relu", ["a"], ["b"], "act"),
        helper.make_node("MatMul", ["b", "w2"], ["y"], "down"),
    ]
    return _model(nodes, {"ids": np.zeros((2, 5), np.int64)}, TEXT)


def _lstm() -> Any:
    states = {name: np.zeros((1, 2, 7), np.float32) for name in ("h0", "c0")}
    nodes = [
        helper.make_node("LSTM", ["x", "W", "R", "B", "", "h0", "c0"], ["y", "h", "c"], "rnn", hidden_size=7)
    ]
    return _model(nodes, {"x": np.zeros((5, 2, 6), np.float32)}, {**LSTM, **states})


class _Images(CalibrationDataReader):
    def __init__(self) -> None:
        self._left = iter([{"x": RANDOM.standard_normal((2, 3, 9, 11)).astype(np.float32)} for _ in range(2)])

    def get_next(self) -> Any:
        return next(self._left, None)


def _static(form: Any, per_channel: bool) -> Callable[[Path, Path], None]:
    def write(source: Path, target: Path) -> None:
        quantize_static(
            source, target, _Images(), quant_format=form, per_channel=per_channel, weight_type=QuantType.QInt8
        )

    return write


def _dynamic(per_channel: bool = False, **more: Any) -> Callable[[Path, Path], None]:
    return lambda source, target: quantize_dynamic(source, target, per_channel=per_channel, **more)


def _packed(kind: str, zeros: bool) -> Callable[[Path, Path], None]:
    """Replace the products by ``MatMulNBits`` or ``MatMulBnb4``, with onnxruntime's own packing."""

    def write(source: Path, target: Path) -> None:
        model = onnx.load(source)
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type != "MatMul":
                continue
            name = node.input[1]
            matrix = arrays.pop(name)
            into, out = matrix.shape
            settings: dict[str, int] = {"K": into, "N": out, "block_size": 32}
            if kind == "MatMulBnb4":
                codes = np.zeros((out * into + 1) // 2, np.uint8)
                scales = np.zeros(out * into // 32, np.float32)
                native.quantize_matmul_bnb4(
                    codes, np.ascontiguousarray(matrix.T), scales, 32, int(zeros), out, into
                )
                arrays |= {f"{name}_q": codes, f"{name}_s": scales}
                settings |= {"quant_type": int(zeros)}
            else:
                codes = np.zeros((out, into // 32, 16), np.uint8)
                scales = np.zeros(out * into // 32, np.float32)
                points = np.zeros((out * (-(-into // 32 // 2)),), np.uint8)
                native.quantize_matmul_4bits(codes, matrix, scales, points, 32, out, into, not zeros)
                arrays |= {f"{name}_q": codes, f"{name}_s": scales}
                settings |= {"bits": 4}
                if zeros:
                    arrays[f"{name}_z"] = points
            inputs = [node.input[0], f"{name}_q", f"{name}_s", *([f"{name}_z"] if zeros else [])]
            if kind == "MatMulBnb4":
                inputs = inputs[:3]
            node.CopyFrom(
                helper.make_node(kind, inputs, node.output, node.name, domain="com.microsoft", **settings)
            )
        del model.graph.initializer[:]
        model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
        onnx.save(model, target)

    return write


#: The float model, what writes the quantized one, and the bits of its matrices.
CASES: dict[str, tuple[Callable[[], Any], Callable[[Path, Path], None], int]] = {
    "qdq": (_cnn, _static(QuantFormat.QDQ, False), 8),
    "qdq, per channel": (_cnn, _static(QuantFormat.QDQ, True), 8),
    "qoperator": (_cnn, _static(QuantFormat.QOperator, False), 8),
    "qoperator, per channel": (_cnn, _static(QuantFormat.QOperator, True), 8),
    "dynamic": (_cnn, _dynamic(), 8),
    "dynamic, per channel": (_cnn, _dynamic(True), 8),
    "dynamic, a table": (_text, _dynamic(), 8),
    "dynamic, a recurrent layer": (_lstm, _dynamic(op_types_to_quantize=["LSTM"]), 8),
    "4 bits": (_text, _packed("MatMulNBits", False), 4),
    "4 bits with zero points": (_text, _packed("MatMulNBits", True), 4),
    "nf4": (_text, _packed("MatMulBnb4", True), 4),
    "fp4": (_text, _packed("MatMulBnb4", False), 4),
}
ARRAYS = {_cnn: CNN, _text: TEXT, _lstm: LSTM}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("quantized")
    logging.disable(logging.WARNING)  # the quantizers advise to preprocess
    found = {}
    for number, (name, (make, write, _)) in enumerate(CASES.items()):
        source, target = folder / f"{make.__name__}.onnx", folder / f"q{number}.onnx"
        if not source.exists():
            onnx.save(make(), source)
        write(source, target)
        found[name] = (source, target)
    logging.disable(logging.NOTSET)
    return found


@pytest.mark.parametrize("name", CASES)
def test_counts_are_those_of_the_float_model(name: str, files: dict[str, tuple[Path, Path]]) -> None:
    count = sum(array.size for array in ARRAYS[CASES[name][0]].values())
    source, target = (shapeinspect.inspect(path) for path in files[name])
    for report in (source, target):
        totals = report.to_dict()["totals"]
        assert totals["params"] == count
        assert not totals["params_unknown"]
    assert source.to_dict()["totals"]["macs"] == target.to_dict()["totals"]["macs"]
    assert [note.text for note in target.notes] == []


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_those_of_the_float_model(name: str, files: dict[str, tuple[Path, Path]]) -> None:
    make, _, bits = CASES[name]
    left = dict(ARRAYS[make])
    for layer in shapeinspect.inspect(files[name][1]).model.layers:
        for weight in layer.weights:
            if weight.buffer:
                continue
            known = max((key for key in left if weight.name.startswith(key)), key=len)
            real, ours = left.pop(known), weight.values()
            assert ours.shape == weight.shape
            if ours.shape != real.shape:
                real = real.swapaxes(-1, -2)
            width = bits if weight.quantization is not None else 32
            assert np.abs(ours.reshape(real.shape) - real).max() <= STEP[width], weight.name
    assert not left


def test_a_folded_number_and_a_state_of_zeros_are_no_parameters() -> None:
    assert shapeinspect.inspect(_cnn())["halve"].weights == ()
    assert {weight.role for weight in shapeinspect.inspect(_lstm())["rnn"].weights} == {"W", "R", "B"}


@pytest.mark.parametrize("bits", [TensorProto.INT4, TensorProto.UINT4])
def test_blocks_of_4_bit_tensors_are_what_onnxruntime_dequantizes(bits: int) -> None:
    low, high = (-8, 8) if bits == TensorProto.INT4 else (0, 16)
    random = np.random.default_rng(3)
    codes = random.integers(low, high, (64, 10))
    scales = random.uniform(0.1, 1.0, (4, 10)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["w", "s"], ["d"], axis=0, block_size=16),
            helper.make_node("MatMul", ["x", "d"], ["y"], "layer"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (3, 64))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor("w", bits, codes.shape, codes.reshape(-1)), numpy_helper.from_array(scales, "s")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    real = np.concatenate(
        [session.run(None, {"x": np.eye(64, dtype=np.float32)[at : at + 3]})[0] for at in range(62)][::3]
    )
    weight = shapeinspect.inspect(model)["layer"].weights[0]
    assert weight.type == ("int4 g16" if bits == TensorProto.INT4 else "uint4 g16")
    assert weight.size == 640
    # of 64 products of up to 15 onnxruntime's sum is off by 1e-6, and a wrong code by a tenth
    np.testing.assert_allclose(weight.values()[: len(real)], real, rtol=0, atol=1e-4)


def test_a_quantized_table_reads_what_onnxruntime_reads() -> None:
    random = np.random.default_rng(4)
    codes = random.integers(0, 256, (9, 32)).astype(np.uint8)
    arrays = {"t": codes, "s": random.random((9, 4)).astype(np.float32)}
    node = helper.make_node(
        "GatherBlockQuantized", ["t", "ids", "s"], ["y"], "layer", domain="com.microsoft",
        gather_axis=0, quantize_axis=1, block_size=16, bits=4,
    )  # fmt: skip
    model = _model([node], {"ids": np.zeros((9,), np.int64)}, arrays)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    real = session.run(None, {"ids": np.arange(9)})[0]
    weight = shapeinspect.inspect(model)["layer"].weights[0]
    assert weight.shape == (9, 64)
    np.testing.assert_allclose(weight.values(), real, rtol=1e-6)


def test_values_of_a_quantized_model_compare_with_the_float_one(
    files: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    source, target = files["4 bits"]
    written = shapeinspect.normalize(target, tmp_path / "w.safetensors")
    assert dict(written.tensors) == {
        "embed.weight": (100, 64), "up.weight": (160, 64), "down.weight": (96, 160)
    }  # fmt: skip
    told = str(shapeinspect.diff(source, target, values=True))
    assert "127" not in told
    assert "int4" in told or "uint4" in told
