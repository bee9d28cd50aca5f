"""Files that onnxruntime saved in its own format, against the .onnx files that they were made from."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Model
from shapeinspect.registry import choose
from shapeinspect.sources.source import from_path, with_inputs
from shapeinspect_onnx.adapters.adapter import ADAPTER as ONNX
from shapeinspect_onnx.adapters.ort import ADAPTER
from shapeinspect_onnx.reading.order import sort

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
Convert = Callable[..., Path]


@pytest.fixture
def convert(tmp_path: Path) -> Convert:
    """Save a model with onnxruntime, its graph unchanged or optimized."""

    def run(model: Path | onnx.ModelProto, optimized: bool = False) -> Path:
        options, path = onnxruntime.SessionOptions(), tmp_path / "m.ort"
        level = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_EXTENDED if optimized else level.ORT_DISABLE_ALL
        options.add_session_config_entry("session.save_model_format", "ORT")
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 4
        given = str(model) if isinstance(model, Path) else model.SerializeToString()
        onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        return path

    return run


def same_attributes(ours: Any, theirs: Any) -> bool:
    """Compare settings; onnxruntime writes defaults out, as 32-bit floats."""
    return ours.keys() == theirs.keys() and all(
        value == (pytest.approx(theirs[name], rel=1e-6) if isinstance(value, float) else theirs[name])
        for name, value in ours.items()
    )


def same(ours: Model, theirs: Model) -> None:
    assert [layer.path for layer in ours.layers] == [layer.path for layer in theirs.layers]
    for one, other in zip(ours.layers, theirs.layers, strict=True):
        assert (one.kind, one.type, one.parts) == (other.kind, other.type, other.parts)
        assert one.weights == other.weights, one.path
        assert same_attributes(one.attributes, other.attributes), one.path
    assert ours.calls == theirs.calls
    assert (ours.inputs, ours.outputs) == (theirs.inputs, theirs.outputs)
    assert ours.values.keys() == theirs.values.keys()
    for name, value in ours.values.items():
        if theirs.values[name].dtype is not None:  # onnxruntime knows some types that onnx does not
            # An .ort file states every type, so that nothing is left to onnx's inference.
            assert replace(value, inferred_by=theirs.values[name].inferred_by) == theirs.values[name], name


@pytest.mark.parametrize("name", ["bvlc_alexnet", "inception_v1", "resnet50", "shufflenet", "squeezenet"])
def test_a_network_reads_the_same(name: str, convert: Convert) -> None:
    path = LIGHT / f"light_{name}.onnx"
    ours, theirs = ADAPTER.read(from_path(convert(path))), ONNX.read(from_path(path))
    assert len(ours.layers) > 20
    same(ours, theirs)
    assert (ours.format, ours.adapter, ours.framework) == ("ort", "onnx-ort", "onnx")
    assert f"{ours.metadata['opset']}, ".startswith(f"{theirs.metadata['opset']}, ")


@pytest.fixture
def mixed(build: Any) -> onnx.ModelProto:
    """A model with every type of attribute, symbols, branches with weights, and a sequence."""
    build.weights.append(helper.make_tensor("shape", TensorProto.INT64, [3], [0, -1, 5]))
    build.node("Conv", ["x", build.weight("kernel", 10, 3, 2, 3)], "c", pads=[0, 1, 0, 1], name="conv")
    build.node("LeakyRelu", ["c"], "l", alpha=0.25, name="leak")
    build.node("Reshape", ["l", "shape"], "r", name="reshape")
    build.node("LSTM", ["r", build.weight("w", 1, 28, 5), build.weight("u", 1, 28, 7)], "s", "h",
               hidden_size=7, activations=["Sigmoid", "Tanh", "Tanh"], name="lstm")  # fmt: skip
    build.node("Squeeze", ["h", build.tensor("first", np.array([0]))], "state", name="squeeze")
    branches = {}
    for branch, width in (("then_branch", 11), ("else_branch", 13)):
        weight = helper.make_tensor(f"{branch}_w", TensorProto.FLOAT, [7, width], [0.5] * 7 * width)
        nodes = [helper.make_node("MatMul", ["state", f"{branch}_w"], [f"{branch}_o"], f"{branch}_mul")]
        out = helper.make_tensor_value_info(f"{branch}_o", TensorProto.FLOAT, None)
        branches[branch] = helper.make_graph(nodes, branch, [], [out], [weight])
    build.node("If", ["flag"], "y", name="choice", **branches)
    build.node("SequenceConstruct", ["state", "state"], "list", name="list")
    build.node("SequenceAt", ["list", build.tensor("second", np.array(1))], "z", name="at")
    model = build.model(
        {"x": ("batch", 3, 9, "wide"), "flag": ()}, ["y", "z"], dtypes={"flag": TensorProto.BOOL}
    )
    model.metadata_props.add(key="author", value="someone")
    return model


def test_branches_symbols_and_lists_read_the_same(
    mixed: onnx.ModelProto, convert: Convert, read: Any
) -> None:
    ours = ADAPTER.read(from_path(convert(mixed)))
    same(ours, read(mixed))
    assert {layer.type for layer in ours.layers} >= {"If", "LSTM", "MatMul", "SequenceAt"}
    assert str(ours.values["x"].shape) == "(batch, 3, 9, wide)"
    assert ours.metadata["author"] == "someone"


def test_values_are_those_of_the_model(mixed: onnx.ModelProto, convert: Convert, read: Any) -> None:
    ours = ADAPTER.read(from_path(convert(mixed)))
    pairs = [
        (one, other)
        for layer, twin in zip(ours.layers, read(mixed).layers, strict=True)
        for one, other in zip(layer.weights, twin.weights, strict=True)
    ]
    assert len(pairs) == 5
    for one, other in pairs:
        assert one.values is not None
        assert other.values is not None
        np.testing.assert_array_equal(one.values(), other.values())


def test_asked_for_inputs_flow_through(mixed: onnx.ModelProto, convert: Convert) -> None:
    path = convert(mixed)
    model = ADAPTER.read(with_inputs(from_path(path), {"x": (2, 3, 9, 15)}))
    assert model.values["c"].shape == (2, 10, 8, 15)


def test_an_optimized_graph_is_in_order_and_keeps_its_shapes(convert: Convert) -> None:
    path = LIGHT / "light_resnet50.onnx"
    ours, theirs = ADAPTER.read(from_path(convert(path, optimized=True))), ONNX.read(from_path(path))
    made = {*ours.inputs, ""}
    for call in ours.calls:
        assert made >= set(call.inputs), call.layer
        made |= set(call.outputs)
    assert len(ours.layers) < len(theirs.layers)
    assert {layer.type for layer in ours.layers} >= {"com.microsoft.FusedConv", "MaxPool"}
    common = [name for name in ours.values if name in theirs.values and theirs.values[name].shape]
    assert len(common) > 50
    assert all(ours.values[name].shape == theirs.values[name].shape for name in common)


def test_nodes_are_sorted_only_as_far_as_they_must() -> None:
    def node(inputs: str, outputs: str) -> Any:
        return helper.make_node("Op", inputs.split(), outputs.split())

    late, first, free = node("a x", "b"), node("x", "a"), node("x", "c")
    assert sort([(late, ()), (free, ()), (first, ())]) == [free, first, late]
    assert sort([(node("x", "q"), ["c"]), (free, ())]) == [free, node("x", "q")]
    assert sort([(node("b", "a"), ()), (node("a", "b"), ())]) is None


def test_the_bytes_tell_the_format(convert: Convert, tmp_path: Path) -> None:
    path = convert(LIGHT / "light_squeezenet.onnx")
    for name in ("model.onnx", "model.bin", "model.ort"):
        renamed = tmp_path / name
        renamed.write_bytes(path.read_bytes())
        assert choose(from_path(renamed)).name == "onnx-ort"
    wrong = tmp_path / "wrong.ort"
    wrong.write_bytes(b"nothing of the kind")
    assert ADAPTER.match(from_path(wrong)) == 1
    with pytest.raises(UnreadableFileError, match="not in ONNX Runtime's format"):
        ADAPTER.read(from_path(wrong))


def reads_or_refuses(path: Path, data: bytes) -> object:
    """Any other exception than the one error fails the test."""
    path.write_bytes(data)
    try:
        found = ADAPTER.read(from_path(path))
    except UnreadableFileError as error:
        return error.path
    return type(found)


def change(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(0, len(data) - 4, 4)
        number = draw.choice([0, 1, 4, 0x7FFFFFFF, 0xFFFFFFFF, draw.randrange(1 << 32), draw.randrange(256)])
        changed[at : at + 4] = struct.pack("<I", number)
    return bytes(changed)


@pytest.fixture
def content(mixed: onnx.ModelProto, convert: Convert) -> bytes:
    return convert(mixed).read_bytes()


@pytest.fixture
def without_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    from shapeinspect_onnx.graph.isolated import Worker

    monkeypatch.setattr(Worker, "__enter__", lambda self: self)
    monkeypatch.setattr(Worker, "__exit__", lambda self, *error: None)
    monkeypatch.setattr(Worker, "infer", lambda self, *model: (None, "it is not asked"))


@pytest.mark.usefixtures("without_inference")
def test_every_cut_gives_one_error_or_a_model(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.ort"
    answers = {reads_or_refuses(path, content[:length]) for length in range(0, len(content), 61)}
    assert answers <= {str(path), Model}
    assert str(path) in answers


@pytest.mark.usefixtures("without_inference")
def test_changed_bytes_give_one_error_or_a_model(content: bytes, tmp_path: Path) -> None:
    path, draw = tmp_path / "changed.ort", random.Random(17)
    assert {reads_or_refuses(path, change(content, draw)) for _ in range(400)} == {str(path), Model}


@pytest.mark.slow
@pytest.mark.usefixtures("without_inference")
def test_many_changed_bytes_give_one_error_or_a_model(content: bytes, tmp_path: Path) -> None:
    path, draw = tmp_path / "changed.ort", random.Random(19)
    assert {reads_or_refuses(path, change(content, draw)) for _ in range(10_000)} == {str(path), Model}


def test_weights_are_not_read(build: Any, convert: Convert, monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix of 16 MB costs no more than the graph around it."""
    from shapeinspect.binary.window import Window

    build.node("MatMul", ["x", build.weight("w", 2000, 2001)], "y", name="mul")
    path = convert(build.model({"x": (3, 2000)}, ["y"]))
    asked: list[int] = []
    span = Window.span
    monkeypatch.setattr(
        Window, "span", lambda self, start, end: asked.append(end - start) or span(self, start, end)
    )
    (weight,) = ADAPTER.read(from_path(path)).layers[0].weights
    assert (weight.shape, weight.nbytes) == ((2000, 2001), 2000 * 2001 * 4)
    assert 0 < sum(asked) < 20_000
