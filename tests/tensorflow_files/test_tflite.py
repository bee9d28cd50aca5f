"""TFLite files against TensorFlow's own interpreter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shapeinspect import layout
from shapeinspect.binary.flatbuffer import Buffer
from shapeinspect.binary.window import Window
from shapeinspect.errors import UnreadableFileError
from shapeinspect.infer import infer
from shapeinspect.ir import Model, Weight
from shapeinspect.sources.source import from_path
from shapeinspect_tensorflow.adapters.tflite import ADAPTER
from shapeinspect_tensorflow.tflite import file as lite_file
from shapeinspect_tensorflow.tflite import schema as lite_schema
from shapeinspect_tensorflow.tflite.ops import OPS

NAMES = ("float.tflite", "half.tflite", "dynamic.tflite", "int8.tflite", "module.tflite")


def read(path: Path) -> Model:
    return infer(layout.normalize(ADAPTER.read(from_path(path))))


def weights(model: Model) -> Iterator[Weight]:
    return (weight for layer in model.layers for weight in layer.weights)


def interpreter(path: Path) -> Any:
    import tensorflow as tf

    return tf.lite.Interpreter(
        str(path), experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF
    )


def plain(shape: Any) -> list[int]:
    return [dim if isinstance(dim, int) else -1 for dim in shape]


@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
@pytest.mark.parametrize("name", NAMES)
def test_every_tensor_is_the_interpreters(files: Any, name: str) -> None:
    import numpy as np

    rows = [row for row in interpreter(files / name).get_tensor_details() if row["name"]]
    with Window.open(from_path(files / name)) as window:
        tensors = lite_file.read(window).subgraphs[0].tensors
    for row in rows:
        tensor = tensors[row["index"]]
        assert (tensor.name, tensor.dtype) == (row["name"], np.dtype(row["dtype"]).name)
        assert list(tensor.shape or ()) == list(row["shape"])
        assert list(tensor.signature or tensor.shape or ()) == list(row["shape_signature"])
        given = row["quantization_parameters"]
        quantization = tensor.quantization
        assert (quantization.scale if quantization else ()) == tuple(given["scales"])
        assert (quantization.zero_point if quantization else ()) == tuple(given["zero_points"])
        if len(given["scales"]) > 1:
            assert quantization is not None
            assert quantization.axis == given["quantized_dimension"]


@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
@pytest.mark.parametrize("name", NAMES)
def test_every_value_has_the_interpreters_shape(files: Any, name: str) -> None:
    model = read(files / name)
    found = interpreter(files / name)
    given = {row["name"]: list(row["shape_signature"]) for row in found.get_tensor_details()}
    compared = 0
    for key, value in model.values.items():
        if key in given and value.shape is not None:
            assert plain(value.shape) == given[key], key
            compared += 1
    assert compared > len(model.layers)
    ops = [row["op_name"] for row in found._get_ops_details() if row["op_name"] != "DELEGATE"]
    shown = [layer.type for layer in model.layers]
    left_out = {"SHAPE", "STRIDED_SLICE", "PACK"}
    unpacks = ops.count("DEQUANTIZE") if name == "half.tflite" else 0
    if unpacks:
        left_out.add("DEQUANTIZE")
    assert [op for op in ops if op not in left_out] == [op for op in shown if op not in left_out]
    notes = [note.text for note in model.notes if note.text.startswith("left out")]
    assert sum(int(text.split()[2]) for text in notes) == len(ops) - len(shown) - unpacks
    assert [row["name"] for row in found.get_input_details()] == list(model.inputs)
    assert [row["name"] for row in found.get_output_details()] == list(model.outputs)


@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
def test_numbers_and_quantization_of_the_weights(files: Any) -> None:
    import numpy as np

    for name in ("float.tflite", "int8.tflite"):
        found = interpreter(files / name)
        rows = {row["name"]: row for row in found.get_tensor_details()}
        model = read(files / name)
        for layer in model.layers:
            for weight in layer.weights:
                assert weight.values is not None
                row = rows[weight.name]
                given = row["quantization_parameters"]
                stored = found.get_tensor(row["index"])
                if len(given["scales"]):
                    lengths = [1] * stored.ndim
                    lengths[given["quantized_dimension"]] = len(given["scales"])
                    zeros = given["zero_points"].reshape(lengths)
                    stored = (stored.astype(np.float32) - zeros) * given["scales"].reshape(lengths)
                np.testing.assert_allclose(weight.values(), stored, rtol=1e-6)
                quantization = layer.attributes.get("quantization", {}).get(weight.role)
                assert (quantization["scale"] if quantization else ()) == tuple(
                    row["quantization_parameters"]["scales"]
                )
    conv = next(layer for layer in model.layers if layer.kind == "conv")
    assert conv.attributes["quantization"]["filter"]["axis"] == 0
    assert len(conv.attributes["quantization"]["filter"]["scale"]) == 5
    assert {weight.dtype for weight in weights(model)} == {"int8", "int32"}


@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
def test_half_floats_stand_at_the_layers_that_use_them(files: Any) -> None:
    """The converter puts an operator before each layer that makes a float of its weights."""

    def listed(name: str) -> list[Any]:
        return [
            (layer.kind, call.macs, [(weight.role, weight.common_shape) for weight in layer.weights])
            for layer, call in zip(read(files / name).layers, read(files / name).calls, strict=True)
        ]

    assert [row["op_name"] for row in interpreter(files / "half.tflite")._get_ops_details()].count(
        "DEQUANTIZE"
    ) > 3
    assert listed("half.tflite") == listed("float.tflite")
    assert {weight.dtype for weight in weights(read(files / "half.tflite"))} == {"float16"}


@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
def test_the_axes_of_stored_integers_count(tmp_path: Path) -> None:
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, 1), tf.int32)])  # type: ignore[misc]  # tensorflow has no types
    def places(x: Any) -> Any:
        return tf.concat([x + tf.constant([[2, 3, 5, 7]]), tf.constant([[1, 1, 1, 1]])], 0)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([places.get_concrete_function()])
    path = tmp_path / "places.tflite"
    path.write_bytes(converter.convert())
    model = read(path)
    assert model.notes == ()
    assert [str(model.values[call.outputs[0]].shape) for call in model.calls] == ["(N, 4)", "(N + 1, 4)"]


def test_layouts_agree_with_those_of_the_graph_it_came_from(files: Any) -> None:
    """The converter moved the weights itself: in the common order they are those of the frozen graph."""
    import einops
    import numpy as np

    from shapeinspect_tensorflow.adapters.graphdef import ADAPTER as GRAPH

    graph = layout.normalize(GRAPH.read(from_path(files / "module.pb")))

    def common(weight: Weight) -> Any:
        assert weight.layout is not None
        assert weight.values is not None
        text = f"{weight.layout.native} -> {weight.layout.common}"
        found = einops.rearrange(weight.values(), text, **dict(weight.layout.sizes))
        assert found.shape == weight.common_shape
        return found

    ours = {layer.path.split(":")[0]: layer.weights for layer in read(files / "module.tflite").layers}
    theirs = {layer.path: layer.weights for layer in graph.layers}
    for lite, path in (("conv2", "conv"), ("grouped4", "grouped"), ("deep2", "deep"), ("product", "product"),
                       ("found", "found"), ("tied", "tied")):  # fmt: skip
        np.testing.assert_array_equal(common(ours[lite][0]), common(theirs[path][0]), err_msg=path)
    # The batch norm is folded into the transposed convolution: each output channel is scaled.
    ratio = common(ours["Relu6"][0]) / common(theirs["back"][0])
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1, :1, :1], ratio.shape), rtol=1e-3)


def test_one_buffer_is_one_storage(files: Any) -> None:
    model = read(files / "module.tflite")
    table = next(layer for layer in model.layers if layer.kind == "embedding").weights[0]
    tied = next(layer for layer in model.layers if layer.path == "tied").weights[0]
    assert table.storage == tied.storage
    assert table.storage is not None


def test_operator_codes_are_those_of_the_schema() -> None:
    from tensorflow.lite.python import schema_py_generated as schema

    codes = {name: code for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    assert {name: lite_schema.OPERATORS.index(name) for name in codes} == codes
    assert set(OPS) <= set(codes)
    types = {name: code for name, code in vars(schema.TensorType).items() if not name.startswith("_")}
    assert {lite_schema.TYPES[code][0].upper() for code in types.values()} == set(types)


#: The schema's own names of the options, where they are not ours with capitals.
SPELLING = {
    "fused": "fusedActivationFunction", "filter_w": "filterWidth", "filter_h": "filterHeight",
    "dilation_w": "dilationWFactor", "dilation_h": "dilationHFactor", "dilation_d": "dilationDFactor",
    "num_split": "numSplits", "then_branch": "thenSubgraphIndex", "else_branch": "elseSubgraphIndex",
    "cond": "condSubgraphIndex", "body": "bodySubgraphIndex", "init": "initSubgraphIndex",
}  # fmt: skip


@pytest.mark.parametrize("op", lite_schema.OPTIONS)
def test_options_stand_where_the_schema_puts_them(op: str) -> None:
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    number, options = lite_schema.OPTIONS[op]
    name = next(name for name, code in vars(schema.BuiltinOptions).items() if code == number)
    written = getattr(schema, f"{name}T")()
    given: dict[str, Any] = {}
    for place, option in enumerate(options):
        first, *rest = option.name.split("_")
        field = SPELLING.get(option.name, first + "".join(part.capitalize() for part in rest))
        assert getattr(written, field) in (option.default, None), field
        given[option.name] = {"?": True, "[i]": [place + 3, 77]}.get(option.type, place + 3)
        setattr(written, field, given[option.name])
    builder = flatbuffers.Builder(64)
    builder.Finish(written.Pack(builder))
    data = bytes(builder.Output())
    with Window.from_bytes(data, "options") as window:
        root = Buffer(window).root()
        for option in options:
            found = (
                list(root.integers(option.slot))
                if option.type == "[i]"
                else root.number(option.slot, option.type)
            )
            assert found == given[option.name], option.name


def test_custom_and_unknown_operators_are_named(files: Any, tmp_path: Path) -> None:
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs((files / "float.tflite").read_bytes(), 0))
    for place, (code, custom) in enumerate(((32, b"MaxUnpooling2D"), (250, None))):
        model.operatorCodes[place].builtinCode = code
        model.operatorCodes[place].deprecatedBuiltinCode = min(code, 127)
        model.operatorCodes[place].customCode = custom
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "custom.tflite"
    path.write_bytes(bytes(builder.Output()))
    found = read(path)
    assert {"MaxUnpooling2D", "OPERATOR_250"} <= {
        layer.type for layer in found.layers if layer.kind == "unknown"
    }
    assert any("MaxUnpooling2D" in note.text for note in found.notes)


def test_refuses_an_operator_that_reads_what_comes_after_it(files: Any, tmp_path: Path) -> None:
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    for place in (0, 1):  # its own output, and that of the next operator
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs((files / "float.tflite").read_bytes(), 0))
        operators = model.subgraphs[0].operators
        operators[0].inputs = [operators[place].outputs[0], *operators[0].inputs[1:]]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        path = tmp_path / "back.tflite"
        path.write_bytes(bytes(builder.Output()))
        with pytest.raises(UnreadableFileError, match="after it"):
            ADAPTER.read(from_path(path))
