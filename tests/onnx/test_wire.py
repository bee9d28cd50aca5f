"""The wire walk: what it keeps, what it skips, and what it refuses."""

from __future__ import annotations

import io
import random
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from shapeinspect.binary import protobuf
from shapeinspect.binary.window import Window
from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Model
from shapeinspect.sources.source import Source, from_path
from shapeinspect_onnx.adapters.adapter import ADAPTER
from shapeinspect_onnx.reading import sniff
from shapeinspect_onnx.reading.wire import MESSAGES, strip

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


@pytest.mark.parametrize("name", MESSAGES)
def test_the_field_numbers_are_those_of_onnx(name):
    known = {entry.number: entry.name for entry in getattr(onnx, name).DESCRIPTOR.fields}
    assert {number: row[0] for number, row in MESSAGES[name].items()} == known


def inferred(model):
    """What inference finds when the model's recorded shapes are taken away."""
    del model.graph.value_info[:]
    for entry in model.graph.output:
        if entry.type.HasField("tensor_type"):
            entry.type.tensor_type.ClearField("shape")
    try:
        found = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:  # noqa: BLE001  # the same error must come from both, whatever it is
        return str(error)
    return [
        entry.SerializeToString(deterministic=True)
        for entry in (*found.graph.value_info, *found.graph.output)
    ]


def stripped(data, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    return strip(from_path(path))


def compare_inference(cases, tmp_path):
    for case in cases:
        data = case.model.SerializeToString()
        small = onnx.ModelProto.FromString(stripped(data, tmp_path).model)
        assert inferred(small) == inferred(onnx.ModelProto.FromString(data)), case.name
        assert ADAPTER.match(from_path(tmp_path / "m.onnx")) == 2, case.name


def node_cases():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # the cases divide by zero on purpose
        return collect_testcases(None)


def test_inference_is_as_good_without_the_weights(tmp_path):
    cases = node_cases()
    assert len(cases) > 1500
    compare_inference(cases[::5], tmp_path)


@pytest.mark.slow
def test_inference_on_every_node_model_is_as_good_without_the_weights(tmp_path):
    compare_inference(node_cases(), tmp_path)


@pytest.mark.slow
def test_every_node_model_is_read(tmp_path):
    path = tmp_path / "m.onnx"
    for case in node_cases()[::3]:
        path.write_bytes(case.model.SerializeToString())
        model = ADAPTER.read(from_path(path))
        declared = {
            entry.name: entry.type.tensor_type
            for entry in case.model.graph.output
            if entry.type.HasField("tensor_type") and entry.type.tensor_type.HasField("shape")
        }
        if any("0 or below" in note.text for note in model.notes):
            continue  # an empty batch is read as an unknown one
        for name, kind in declared.items():
            for dim, own in zip(kind.shape.dim, model.values[name].shape or (), strict=True):
                assert not dim.HasField("dim_value") or own == dim.dim_value, case.name


def big(raw=True):
    array = np.arange(2048, dtype=np.float32).reshape(32, 64)
    tensor = numpy_helper.from_array(array, "w")
    if not raw:
        tensor = helper.make_tensor("w", onnx.TensorProto.FLOAT, array.shape, array.reshape(-1))
    shape = numpy_helper.from_array(np.array([-1, 2, 32], np.int64), "shape")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("Constant", [], ["c"], value=tensor),
        helper.make_node("Add", ["y", "c"], ["z"]),
        helper.make_node("Reshape", ["z", "shape"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 32])],
        [helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, None)],
        initializer=[tensor, shape],
    )
    return helper.make_model(graph), array


@pytest.mark.parametrize("raw", [True, False])
def test_large_tensors_lose_their_numbers_and_nothing_else(raw, tmp_path):
    full, array = big(raw)
    result = stripped(full.SerializeToString(), tmp_path)
    small = onnx.ModelProto.FromString(result.model)
    assert len(result.model) < 600
    assert len(result.stored) == 2
    for record in result.stored.values():
        assert record.dims == array.shape
        assert record.nbytes == array.nbytes
        data = (tmp_path / "m.onnx").read_bytes()
        assert data[record.offset : record.offset + record.nbytes] == array.tobytes()
    # What is left is the original but for the numbers and our marks.
    for tensor in (small.graph.initializer[0], small.graph.node[1].attribute[0].t):
        assert tensor.doc_string in result.stored
        tensor.ClearField("doc_string")
    for tensor in (full.graph.initializer[0], full.graph.node[1].attribute[0].t):
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
    assert small == full


def sparse_file(path, size):
    """A model with one inline weight of ``size`` bytes, as a file with a hole."""
    tensor = field(8, b"w") + varint(1 << 3) + varint(size // 4) + varint(2 << 3) + b"\x01"
    head = tensor + varint(9 << 3 | 2) + varint(size)
    node = field(1, b"x") + field(1, b"w") + field(2, b"y") + field(4, b"Add")
    tail = field(1, node) + field(12, field(1, b"y"))
    graph_length = 1 + len(varint(len(head) + size)) + len(head) + size + len(tail)
    start = b"\x08\x08" + varint(7 << 3 | 2) + varint(graph_length)
    start += varint(5 << 3 | 2) + varint(len(head) + size) + head
    with path.open("wb") as file:
        file.write(start)
        file.seek(size, io.SEEK_CUR)
        file.write(tail + field(8, varint(2 << 3) + b"\x11"))


def test_what_is_read_does_not_grow_with_the_weights(tmp_path, monkeypatch):
    read = []
    for size in (1 << 20, 1 << 30):
        path = tmp_path / f"{size}.onnx"
        sparse_file(path, size)
        total = []
        opened = Source.open

        def counting(self, opened=opened, total=total):
            file = opened(self)
            whole = file.read
            file_read = lambda count: total.append(count) or whole(count)  # noqa: E731  # it stands for one call
            return type("File", (), {
                "read": staticmethod(file_read), "seek": file.seek,
                "__enter__": lambda self: self, "__exit__": lambda self, *_: file.close(),
            })()  # fmt: skip

        monkeypatch.setattr(Source, "open", counting)
        model = ADAPTER.read(from_path(path))
        monkeypatch.setattr(Source, "open", opened)
        (weight,) = model.layers[0].weights
        assert (weight.shape, weight.nbytes) == ((size // 4,), size)
        read.append(sum(total))
    assert read[0] <= read[1] < 20_000


def reads_or_refuses(path, data):
    """Any other exception than the one error fails the test."""
    path.write_bytes(data)
    try:
        found = ADAPTER.read(from_path(path))
    except UnreadableFileError as error:
        return error.path
    return type(found)


def test_every_cut_gives_one_error_or_a_model(tmp_path):
    data = (LIGHT / "light_bvlc_alexnet.onnx").read_bytes()
    path = tmp_path / "cut.onnx"
    answers = {reads_or_refuses(path, data[:length]) for length in range(0, len(data), 13)}
    assert answers <= {str(path), Model}


def change(data, draw):
    changed = bytearray(data)
    for _ in range(draw.randint(1, 3)):
        changed[draw.randrange(min(len(data), 300))] = draw.randrange(256)
    return bytes(changed)


def test_changed_bytes_give_one_error_or_a_model(tmp_path):
    data, path, draw = big()[0].SerializeToString(), tmp_path / "changed.onnx", random.Random(11)
    assert {reads_or_refuses(path, change(data, draw)) for _ in range(60)} == {str(path), Model}


@pytest.mark.slow
def test_changed_node_models_give_one_error_or_a_model(tmp_path):
    path, draw = tmp_path / "changed.onnx", random.Random(13)
    cases = [case.model.SerializeToString() for case in node_cases()]
    answers = {reads_or_refuses(path, change(draw.choice(cases), draw)) for _ in range(3000)}
    assert answers == {str(path), Model}


@pytest.mark.parametrize(
    ("op", "attributes"),
    [("Einsum", {"equation": b"-\xa8"}), ("LayerNormalization", {"axis": 2**63 - 2})],
    ids=["computes for ever", "reads out of bounds"],
)
def test_what_breaks_onnx_inference_costs_the_shapes_and_no_more(op, attributes, build, read):
    inputs = ["x"] if op == "Einsum" else ["x", build.weight("s", 3)]
    shape = () if op == "Einsum" else (2, 3)
    build.node(op, inputs, *(["y"] if op == "Einsum" else ["y", "mean", "deviation"]), **attributes)
    model = read(build.model({"x": shape}, ["y"]))
    assert model.layers[0].type == op
    assert any("gave up" in note.text for note in model.notes)


GRAPH = field(7, b"")
HOSTILE = {
    "an endless number": (b"\x08\x08" + b"\x38" + b"\xff" * 11, "over ten bytes", 3),
    "a number cut off": (b"\x08\x08" + GRAPH + b"\x28\xff", "cut off", 5),
    "a length beyond the end": (b"\x08\x08" + b"\x3a\xff\xff\xff\xff\x7f", "has only 0 left", 2),
    "a group": (b"\x08\x08" + GRAPH + b"\x0b", "wire type 3", 4),
    "wire type 6": (b"\x08\x08" + GRAPH + b"\x0e", "wire type 6", 4),
    "wire type 7": (b"\x08\x08" + GRAPH + b"\x0f", "wire type 7", 4),
    "field 0": (b"\x08\x08" + GRAPH + b"\x00\x00", "not a valid field number", 4),
    "a graph that is a number": (b"\x08\x08" + b"\x38\x01", "has wire type 0", 2),
    "no graph": (b"\x08\x08" + field(2, b"tests"), "holds no ONNX graph", None),
    "a negative length": (
        b"\x08\x08" + field(7, field(5, b"\x08" + b"\xff" * 9 + b"\x01")),
        "has the lengths [-1]",
        6,
    ),
    "a child longer than its parent": (b"\x08\x08" + b"\x3a\x02\x0a\x05" + b"x" * 10, "has only 0 left", 4),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_wire_is_refused_at_its_offset(name, tmp_path):
    data, reason, offset = HOSTILE[name]
    path = tmp_path / "h.onnx"
    path.write_bytes(data)
    with pytest.raises(UnreadableFileError, match=reason.replace("[", r"\[")) as caught:
        ADAPTER.read(from_path(path))
    assert caught.value.offset == offset


def test_graphs_nested_too_deeply_are_refused(tmp_path):
    graph = b""
    for _ in range(150):
        node = field(1, b"c" * 5000) + field(5, field(1, b"then_branch") + field(6, graph))
        graph = field(1, node)
    path = tmp_path / "deep.onnx"
    path.write_bytes(b"\x08\x08" + field(7, graph))
    with pytest.raises(UnreadableFileError, match="nested deeper than 100"):
        ADAPTER.read(from_path(path))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<html><body>404</body></html>\n", "text, not an ONNX model"),
    ],
)
def test_what_is_no_onnx_is_refused_by_name(data, reason, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    source = from_path(path)
    assert ADAPTER.match(source) == 1
    with pytest.raises(UnreadableFileError, match=reason):
        ADAPTER.read(source)


def test_match_knows_the_bytes_and_not_only_the_name(tmp_path):
    model, _ = big()
    path = tmp_path / "no_suffix"
    path.write_bytes(model.SerializeToString())
    assert ADAPTER.match(from_path(path)) == 2
    # A SavedModel: schema version 1, then a MetaGraphDef in field 2, and no field 7.
    path.write_bytes(b"\x08\x01" + field(2, field(1, field(2, b"\x0a\x03Add")) + b"\x00" * 40))
    assert ADAPTER.match(from_path(path)) == 0
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    assert ADAPTER.match(from_path(path)) == 0
    assert ADAPTER.match(Source("x", target=object())) == 0
    assert ADAPTER.match(from_path(tmp_path)) == 0


def test_a_long_documentation_does_not_hide_the_model(tmp_path):
    model, _ = big()
    model.doc_string = "ä" * 10_000
    path = tmp_path / "documented"
    path.write_bytes(model.SerializeToString())
    assert ADAPTER.match(from_path(path)) == 2
    assert not sniff.is_model(b"\x08\x08\x32\x40\xff\xfe" + b"a" * 30, 1000)


def test_the_window_reads_what_the_file_holds():
    data = random.Random(3).randbytes(50_000)
    window = Window(io.BytesIO(data), len(data), "w")
    draw = random.Random(5)
    for _ in range(500):
        start = draw.randrange(len(data))
        end = min(len(data), start + draw.choice([1, 10, 5000]))
        assert window.span(start, end) == data[start:end]
        value = int.from_bytes(data[start : start + 1], "little")
        if value < 0x80:
            assert protobuf.varint(data, start) == (value, start + 1)
