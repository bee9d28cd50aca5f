"""Cut-off, mutated and lying files: one kind of error, few bytes read."""

from __future__ import annotations

import io
import random
import shutil
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shapeinspect import inspect, layout
from shapeinspect.binary.flatbuffer import Buffer
from shapeinspect.binary.protobuf import fields
from shapeinspect.binary.window import Window
from shapeinspect.errors import UnreadableFileError
from shapeinspect.infer import infer
from shapeinspect.render.data import to_dict
from shapeinspect.sources.source import from_path
from shapeinspect_tensorflow.adapters.checkpoint import ADAPTER as CHECKPOINT
from shapeinspect_tensorflow.adapters.graphdef import ADAPTER as GRAPH
from shapeinspect_tensorflow.adapters.tflite import ADAPTER as LITE


def test_mutations_of_the_object_graph(files: Any, tmp_path: Path) -> None:
    folder = tmp_path / "ck"
    shutil.copytree(files / "trained", folder)
    data = folder / "ck-2.data-00000-of-00001"
    content = data.read_bytes()
    start = content.rindex(b"_functional") - 400
    rng = random.Random(11)
    refused = 0
    for _ in range(300):
        mutated = bytearray(content)
        for _ in range(3):
            mutated[rng.randrange(start, len(content))] = rng.randrange(256)
        data.write_bytes(bytes(mutated))
        try:
            CHECKPOINT.read(from_path(folder))
        except UnreadableFileError:
            refused += 1
    assert refused > 0


GIGABYTE = 1 << 30


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def test_a_graph_of_a_gigabyte_is_not_read(tmp_path: Path, counted: Callable[[], int]) -> None:
    import tensorflow as tf

    def message(number: int, content: bytes) -> bytes:
        return varint(number << 3 | 2) + varint(len(content)) + content

    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, (None, 1 << 14), name="x")
        w = tf.compat.v1.placeholder(tf.float32, (1 << 14, 1 << 14), name="w")
        tf.matmul(x, w, name="product")
    rest = graph.as_graph_def()
    del rest.node[1]
    # The Const is written by hand, its bytes left to a hole in the file.
    shape = b"".join(message(2, b"\x08" + varint(1 << 14)) for _ in range(2))
    tensor_head = b"\x08\x01" + message(2, shape) + b"\x22" + varint(GIGABYTE)
    length = len(tensor_head) + GIGABYTE

    def around(number: int, before: bytes, inner: int) -> tuple[bytes, int]:
        head = before + varint(number << 3 | 2) + varint(inner)
        return head, len(head) + inner

    head = tensor_head
    node = message(1, b"w") + message(2, b"Const")
    for number, before in ((8, b""), (2, message(1, b"value")), (5, node), (1, b"")):
        more, length = around(number, before, length)
        head = more + head
    path = tmp_path / "big.pb"
    with path.open("wb") as file:
        file.write(head)
        file.seek(GIGABYTE, io.SEEK_CUR)
        file.write(rest.SerializeToString())
    model = GRAPH.read(from_path(path))
    assert [(one.kind, one.weights[0].nbytes) for one in model.layers] == [("linear", GIGABYTE)]
    assert counted() < 100_000


def test_a_tflite_file_of_a_gigabyte_is_not_read(
    files: Any, tmp_path: Path, counted: Callable[[], int]
) -> None:
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs((files / "float.tflite").read_bytes(), 0))
    graph = model.subgraphs[0]
    tensor = next(one for one in graph.tensors if list(one.shape) == [11, 294])
    tensor.shape = [1 << 14, 1 << 14]
    buffer = model.buffers[tensor.buffer]
    buffer.data, buffer.offset, buffer.size = None, 1 << 16, GIGABYTE
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    content = bytes(builder.Output())
    assert len(content) < 1 << 16
    path = tmp_path / "big.tflite"
    with path.open("wb") as file:
        file.write(content)
        file.truncate((1 << 16) + GIGABYTE)
    found = LITE.read(from_path(path))
    assert max(weight.nbytes or 0 for layer in found.layers for weight in layer.weights) == GIGABYTE
    assert counted() < 100_000
    with path.open("r+b") as file:
        file.truncate((1 << 16) + GIGABYTE - 1)
    with pytest.raises(UnreadableFileError, match="leads outside"):
        LITE.read(from_path(path))


def window(data: bytes) -> Window:
    return Window.from_bytes(data, "m.bin")


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",  # a length is missing
        b"\x0a\x05abc",  # a length is too long
        b"\x0a" + b"\xff" * 11,  # a number of eleven bytes
        b"\x00\x01",  # field 0
        b"\x0b",  # a group
        b"\x0d\x01",  # four bytes, of which one is there
        b"\x08" + b"\x80" * 10,
    ],
)
def test_refuses_a_malformed_wire(data: bytes) -> None:
    with window(data) as opened, pytest.raises(UnreadableFileError):
        list(fields(opened, 0, len(data)))


def test_refuses_malformed_flatbuffers() -> None:
    # The root table begins at 8 and has one field, a list at 16; its list of fields is at 4 to 10.
    numbers = [number.to_bytes(4, "little") for number in (12, 8, 4, 3)]
    good = numbers[0] + b"\x06\0\x08\0\x04\0\0\0" + b"".join(numbers[1:]) + b"abc"
    with window(good) as opened:
        assert Buffer(opened).root().text(0) == "abc"
    lies = ((0, 10**9), (0, 2**32 - 1), (12, 10**6), (16, 10**6), (20, 4), (20, 2**32 - 1), (4, 3), (4, 0))
    for place, value in lies:
        broken = good[:place] + (value % 2**32).to_bytes(4, "little") + good[place + 4 :]
        with window(broken) as opened, pytest.raises(UnreadableFileError):
            Buffer(opened).root().text(0)


def test_refuses_functions_that_call_one_another(tmp_path: Path) -> None:
    """Thirty functions, each of which calls the next one twice, stand for a billion nodes."""
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    for number in range(30):
        function = graph.library.function.add()
        function.signature.name = f"f{number}"
        function.signature.input_arg.add().name = "x"
        function.signature.output_arg.add().name = "y"
        body = ("a", "b") if number < 29 else ()
        for name in body:
            node = function.node_def.add(name=name, op="PartitionedCall", input=["x"])
            node.attr["f"].func.name = f"f{number + 1}"
        inputs = ["a:output:0", "b:output:0"] if body else ["x", "x"]
        function.node_def.add(name="sum", op="Add", input=inputs)
        function.ret["y"] = "sum:z:0"
    graph.node.add(name="x", op="Placeholder")
    node = graph.node.add(name="call", op="PartitionedCall", input=["x"])
    node.attr["f"].func.name = "f0"
    path = tmp_path / "calls.pb"
    path.write_bytes(graph.SerializeToString())
    with pytest.raises(UnreadableFileError, match=r"without end|more than"):
        GRAPH.read(from_path(path))
    # One that calls itself has no node to end at.
    graph.library.function[0].node_def[0].attr["f"].func.name = "f0"
    path.write_bytes(graph.SerializeToString())
    with pytest.raises(UnreadableFileError, match=r"without end|more than"):
        GRAPH.read(from_path(path))


@pytest.mark.parametrize(("several", "deep"), [(1, 1), (2, 40)])
def test_refuses_loops_whose_rounds_hold_ever_more_loops(several: int, deep: int, tmp_path: Path) -> None:
    """A body that runs itself, and bodies that each run the next one twice: 2**40 of the last one."""
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    for level in range(deep):
        function = graph.library.function.add()
        function.signature.name = f"body{level}"
        function.signature.input_arg.add(name="a", type=1)
        function.signature.output_arg.add(name="b", type=1)
        source = "a"
        for number in range(several):
            inner = function.node_def.add(name=f"while{number}", op="While", input=[source])
            for name in ("cond", "body"):
                inner.attr[name].func.name = f"body{(level + 1) % deep}"
            source = f"while{number}:output:0"
        function.ret["b"] = source
    outer = graph.node.add(name="loop", op="While", input=["x"])
    for name in ("cond", "body"):
        outer.attr[name].func.name = "body0"
    path = tmp_path / "loops.pb"
    path.write_bytes(graph.SerializeToString())
    with pytest.raises(UnreadableFileError, match="without end"):
        GRAPH.read(from_path(path))


@pytest.mark.parametrize("counts", [(2, 1), (1, 2), (0, 2)])
@pytest.mark.parametrize("op", ["If", "Case"])
def test_branches_of_other_numbers_of_outputs_are_not_opened(
    op: str, counts: tuple[int, int], tmp_path: Path
) -> None:
    """TensorFlow makes none: its branches return the same types."""
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    for name, code in (("asked", 10), ("x", 1)):
        graph.node.add(name=name, op="Placeholder").attr["dtype"].type = code
    choice = graph.node.add(name="choice", op=op, input=["asked", "x"])
    for place, count in enumerate(counts):
        function = graph.library.function.add()
        function.signature.name = f"branch{place}"
        function.signature.input_arg.add(name="a", type=1)
        for number in range(count):
            function.signature.output_arg.add(name=f"b{number}", type=1)
            function.ret[f"b{number}"] = "a"
        if op == "Case":
            choice.attr["branches"].list.func.add(name=f"branch{place}")
        else:
            choice.attr[("then_branch", "else_branch")[place]].func.name = f"branch{place}"
    graph.node.add(name="y", op="Relu", input=["choice:1"])
    path = tmp_path / "choice.pb"
    path.write_bytes(graph.SerializeToString())
    model = GRAPH.read(from_path(path))
    assert [layer.path for layer in model.layers] == ["choice", "y"]
    assert not model.blocks
    assert [note.text for note in model.notes] == ["what happens inside loops and branches (1) is not shown"]


def test_a_setting_that_a_slice_of_nothing_computes_is_unknown(tmp_path: Path) -> None:
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    graph.node.add(name="cut", op="StridedSlice")
    graph.node.add(name="y", op="Reshape", input=["x", "cut"])
    path = tmp_path / "slice.pb"
    path.write_bytes(graph.SerializeToString())
    model = GRAPH.read(from_path(path))
    assert [model.values[name].shape for name in model.outputs] == [None]


def test_a_cycle_ends(tmp_path: Path) -> None:
    from tensorflow.core.framework import graph_pb2, tensor_pb2, tensor_shape_pb2

    graph = graph_pb2.GraphDef()
    graph.node.add(name="a", op="Identity", input=["b"])
    graph.node.add(name="b", op="Identity", input=["a"])
    graph.node.add(name="c", op="Relu", input=["d"])
    graph.node.add(name="d", op="Relu", input=["c"])
    graph.node.add(name="e", op="Relu", input=["c"])
    graph.node.add(name="f", op="Relu", input=["a"])
    path = tmp_path / "cycle.pb"
    path.write_bytes(graph.SerializeToString())
    with pytest.raises(UnreadableFileError, match="leads through"):
        GRAPH.read(from_path(path))
    del graph.node[5]
    path.write_bytes(graph.SerializeToString())
    assert {layer.path for layer in GRAPH.read(from_path(path)).layers} == {"c", "d", "e"}
    # A linear layer behind the cycle asks where its input was flattened.
    graph.node.add(name="w", op="Const").attr["value"].tensor.CopyFrom(
        tensor_pb2.TensorProto(dtype=1, tensor_shape={"dim": [{"size": 3}, {"size": 5}]})
    )
    graph.node.add(name="product", op="MatMul", input=["c", "w"])
    for node in graph.node[2:4]:
        shape = tensor_shape_pb2.TensorShapeProto(dim=[{"size": 2}, {"size": 3}])
        node.attr["_output_shapes"].list.shape.add().CopyFrom(shape)
    path.write_bytes(graph.SerializeToString())
    found = infer(layout.normalize(GRAPH.read(from_path(path))))
    assert found.values["product"].shape == (2, 5)


def test_refuses_two_nodes_of_one_name_and_constants_that_lie(tmp_path: Path) -> None:
    from tensorflow.core.framework import graph_pb2, tensor_pb2, tensor_shape_pb2

    def written(*constants: tensor_pb2.TensorProto) -> Path:
        graph = graph_pb2.GraphDef()
        for constant in constants:
            graph.node.add(name="a", op="Const").attr["value"].tensor.CopyFrom(constant)
        path = tmp_path / "lies.pb"
        path.write_bytes(graph.SerializeToString())
        return path

    def tensor(*dims: int, content: bytes = b"") -> tensor_pb2.TensorProto:
        shape = tensor_shape_pb2.TensorShapeProto(dim=[{"size": dim} for dim in dims])
        return tensor_pb2.TensorProto(dtype=1, tensor_shape=shape, tensor_content=content)

    for constants in (
        (tensor(2), tensor(2)),
        (tensor(3, content=bytes(8)),),
        (tensor(2**62, 2**62, content=bytes(8)),),
        (tensor(-1, content=bytes(8)),),
        (tensor(-7),),
        (tensor(*(1,) * 300),),
    ):
        with pytest.raises(UnreadableFileError):
            GRAPH.read(from_path(written(*constants)))


def test_attributes_of_another_type_are_left_out(tmp_path: Path) -> None:
    from tensorflow.core.framework import attr_value_pb2, graph_pb2

    wrong = attr_value_pb2.AttrValue()
    wrong.list.s.extend([b"8", b"\x08"])
    text, lengths = attr_value_pb2.AttrValue(s=b"no"), attr_value_pb2.AttrValue(shape={"dim": [{"size": -1}]})
    names = "strides padding data_format T begin_mask shape _output_shapes num_split depth_radius epsilon"
    for op in (
        "Conv2D",
        "StridedSlice",
        "Split",
        "LRN",
        "Mean",
        "MatMul",
        "Placeholder",
        "VarHandleOp",
        "Shape",
    ):
        for given in (wrong, text, lengths):
            graph = graph_pb2.GraphDef()
            graph.node.add(name="x", op="Placeholder")
            node = graph.node.add(name="y", op=op, input=["x", "x", "x"])
            graph.node.add(name="z", op="Reshape", input=["x", "y"])
            graph.node.add(name="w", op="Relu", input=["y"])
            for name in names.split():
                node.attr[name].CopyFrom(given)
            path = tmp_path / "types.pb"
            path.write_bytes(graph.SerializeToString())
            model = infer(layout.normalize(GRAPH.read(from_path(path))))
            assert to_dict(model)
            read = {one.path: one.attributes for one in model.layers}
            assert {"z", "w"} <= read.keys()
            assert not {"stride", "padding", "shape", "chunks"} & read.get("y", {}).keys(), (op, given)


def cut_operators(data: bytes) -> Iterator[bytes]:
    """Change a TFLite file: each operator's list of inputs or outputs is shorter, or leads nowhere."""
    from tensorflow.lite.python.schema_py_generated import Model

    graph = Model.GetRootAs(data, 0).Subgraphs(0)
    assert graph is not None
    for number in range(graph.OperatorsLength()):
        operator = graph.Operators(number)
        assert operator is not None
        for slot in (6, 8):
            field = operator._tab.Offset(slot)
            start = operator._tab.Vector(field) if field else 0
            (length,) = struct.unpack_from("<I", data, start - 4) if field else (0,)
            for less in range(length):
                yield data[: start - 4] + struct.pack("<I", less) + data[start:]
                yield data[: start + 4 * less] + b"\xff" * 4 + data[start + 4 * less + 4 :]


def lite_networks() -> Iterator[bytes]:
    """TFLite files of layers that are recognized from several operators."""
    import tensorflow as tf

    kernel, bias = tf.ones((3, 2, 4, 5)), tf.ones(5)
    lstm = tf.keras.layers.LSTM(5)
    lstm.build((None, 3, 4))

    def convolved(x: Any) -> Any:
        y = tf.nn.conv2d(x, kernel, 1, "SAME", dilations=2) + bias
        return tf.nn.relu(tf.nn.conv2d(y, tf.ones((1, 3, 5, 7)), 2, "VALID")), tf.split(x, 2, 3)

    def turned(x: Any) -> Any:
        return lstm(x), tf.einsum("abc,cd->adb", x, tf.ones((4, 7))), tf.nn.softmax(x[:, ::-1])

    for call, shape in ((convolved, (1, 9, 8, 4)), (turned, (1, 3, 4))):
        function = tf.function(call).get_concrete_function(tf.TensorSpec(shape))
        yield tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()


def test_operators_that_lack_inputs_or_outputs(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    for data in lite_networks():
        for changed in cut_operators(data):
            path = tmp_path / "m.tflite"
            path.write_bytes(changed)
            try:
                inspect(path).to_dict()
                counts["read"] += 1
            except UnreadableFileError:
                counts["refused"] += 1
    assert counts["read"] > 20
    assert sum(counts.values()) > 50
