"""Walks over a file's protobuf encoding without reading the weights.

The result is a small, valid ModelProto without the values of its large tensors, and a record of each
such tensor: the cost depends on the graph, not on the weights.

Source: the encoding is https://protobuf.dev/programming-guides/encoding/, the field numbers are
those of ``onnx.proto`` (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import prod

from shapeinspect.binary.protobuf import BYTES, MAX_DEPTH, Budget, fields, integers, spelled
from shapeinspect.binary.window import Window
from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import Source
from shapeinspect_onnx.dtypes import INTEGERS
from shapeinspect_onnx.dtypes import nbytes as nbytes_of

#: Fields that are walked; the fields of a node that is copied are counted by its bytes.
MAX_FIELDS, _BYTES_A_FIELD = 1_200_000, 16
#: Nodes, and tensors, of all graphs and functions. Llama 3.1 405B has 126 blocks, of 150 nodes each where
#: nothing is fused: 18,900. With each of 128 experts in 48 blocks a branch of ten nodes, Qwen3-30B-A3B has
#: 61,440. The 256 experts of 58 blocks of DeepSeek-V3 would pass the limit if each were a branch of its own.
MAX_NODES = MAX_TENSORS = 100_000
#: Inputs and outputs of the model, without those that are stored: the state of a training step may be among
#: them. Types of values in all graphs, the stored ones of IR version 3 included.
MAX_ENDS, MAX_VALUES = 50_000, 400_000
MAX_KEPT = 256 << 20
#: Tensors of up to this many values keep them, because shape inference reads some.
KEEP_INTEGERS = 1024
KEEP_OTHERS = 64
KEEP_BYTES = 1 << 16
#: A node of up to this many bytes is copied as it is: its tensors are small.
_SMALL_NODE = 4096

#: The most bytes of a tensor's list of lengths.
_MAX_LENGTHS = 10_000
#: The field of a tensor that holds its values in their memory layout.
_RAW = 9
_KEEP, _DROP, _TYPE = "keep", "drop", "type"

#: The known fields of each message: their names, and the action (a message name: walk into it).
#: Documentation and training information is dropped; it may be large and does not concern shapes.
MESSAGES: dict[str, dict[int, tuple[str, str]]] = {
    "ModelProto": {
        1: ("ir_version", _KEEP),
        2: ("producer_name", _KEEP),
        3: ("producer_version", _KEEP),
        4: ("domain", _KEEP),
        5: ("model_version", _KEEP),
        6: ("doc_string", _DROP),
        7: ("graph", "GraphProto"),
        8: ("opset_import", _KEEP),
        14: ("metadata_props", _KEEP),
        20: ("training_info", _DROP),
        25: ("functions", "FunctionProto"),
        26: ("configuration", _DROP),
    },
    "GraphProto": {
        1: ("node", "NodeProto"),
        2: ("name", _KEEP),
        5: ("initializer", "TensorProto"),
        10: ("doc_string", _DROP),
        11: ("input", _TYPE),
        12: ("output", _TYPE),
        13: ("value_info", _TYPE),
        14: ("quantization_annotation", _DROP),
        15: ("sparse_initializer", "SparseTensorProto"),
        16: ("metadata_props", _DROP),
    },
    "FunctionProto": {
        1: ("name", _KEEP),
        4: ("input", _KEEP),
        5: ("output", _KEEP),
        6: ("attribute", _KEEP),
        7: ("node", "NodeProto"),
        8: ("doc_string", _DROP),
        9: ("opset_import", _KEEP),
        10: ("domain", _KEEP),
        11: ("attribute_proto", "AttributeProto"),
        12: ("value_info", _KEEP),
        13: ("overload", _KEEP),
        14: ("metadata_props", _DROP),
    },
    "NodeProto": {
        1: ("input", _KEEP),
        2: ("output", _KEEP),
        3: ("name", _KEEP),
        4: ("op_type", _KEEP),
        5: ("attribute", "AttributeProto"),
        6: ("doc_string", _DROP),
        7: ("domain", _KEEP),
        8: ("overload", _KEEP),
        9: ("metadata_props", _KEEP),
        10: ("device_configurations", _DROP),
    },
    "AttributeProto": {
        1: ("name", _KEEP),
        2: ("f", _KEEP),
        3: ("i", _KEEP),
        4: ("s", _KEEP),
        5: ("t", "TensorProto"),
        6: ("g", "GraphProto"),
        7: ("floats", _KEEP),
        8: ("ints", _KEEP),
        9: ("strings", _KEEP),
        10: ("tensors", "TensorProto"),
        11: ("graphs", "GraphProto"),
        13: ("doc_string", _DROP),
        14: ("tp", _KEEP),
        15: ("type_protos", _KEEP),
        20: ("type", _KEEP),
        21: ("ref_attr_name", _KEEP),
        22: ("sparse_tensor", "SparseTensorProto"),
        23: ("sparse_tensors", "SparseTensorProto"),
    },
    "SparseTensorProto": {1: ("values", "TensorProto"), 2: ("indices", "TensorProto"), 3: ("dims", _KEEP)},
    "TensorProto": {
        1: ("dims", _KEEP),
        2: ("data_type", _KEEP),
        3: ("segment", _DROP),
        4: ("float_data", "data"),
        5: ("int32_data", "data"),
        6: ("string_data", "data"),
        7: ("int64_data", "data"),
        8: ("name", _KEEP),
        9: ("raw_data", "data"),
        10: ("double_data", "data"),
        11: ("uint64_data", "data"),
        12: ("doc_string", _DROP),
        13: ("external_data", _KEEP),
        14: ("data_location", _KEEP),
        16: ("metadata_props", _DROP),
    },
}


@dataclass(frozen=True, slots=True)
class Stored:
    """The position of a tensor whose values the small model does not have.

    Args:
        dims: its lengths.
        data_type: its element type's code.
        start: the first byte of its whole TensorProto, or of its values alone.
        end: the byte after the last one.
        offset: the first byte of its values.
        nbytes: the size of its values in bytes.
        raw: whether ``start`` and ``end`` enclose the values alone.
    """

    dims: tuple[int, ...]
    data_type: int
    start: int
    end: int
    offset: int
    nbytes: int
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Stripped:
    """A ModelProto without its weights.

    Args:
        model: the small message, to be parsed.
        stored: the record of every tensor without its values, by the ``doc_string`` assigned to it.
    """

    model: bytes
    stored: dict[str, Stored]


def strip(source: Source) -> Stripped:
    """Copy everything in an ONNX file except the values of its large tensors.

    Args:
        source: the file.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or not an ONNX model.
    """
    with Window.open(source) as window:
        return _Walk(window).model()


class _Walk:
    """One pass over one file."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.stored: dict[str, Stored] = {}
        self.fields = Budget(window, "fields", MAX_FIELDS)
        self.counted = {
            "NodeProto": Budget(window, "nodes", MAX_NODES),
            "TensorProto": Budget(window, "tensors", MAX_TENSORS),
            _TYPE: Budget(window, "types of values", MAX_VALUES),
        }
        self.kept = 0
        # A mark that no file can know, so that none of its own doc_strings is mistaken for ours.
        self.mark = os.urandom(8).hex()

    def model(self) -> Stripped:
        numbers: set[int] = set()
        model = self.message("ModelProto", 0, self.window.size, 1, numbers)
        if 7 not in numbers:
            raise UnreadableFileError(self.window.label, "it holds no ONNX graph")
        return Stripped(model, self.stored)

    def message(self, name: str, start: int, end: int, depth: int, numbers: set[int] | None = None) -> bytes:
        """Copy one message; runs of consecutive kept fields are copied at once."""
        if depth > MAX_DEPTH:
            raise self.window.fail(f"messages are nested deeper than {MAX_DEPTH}", start)
        actions = MESSAGES[name]
        out = bytearray()
        position = run = start
        for number, wire, _, value_start, position, key_start in fields(self.window, start, end):
            self.fields.spend()
            row = actions.get(number)
            if numbers is not None:
                numbers.add(number)
            action = row[1] if row else _DROP
            if action in self.counted:
                self.counted[action].spend()
            if action in (_KEEP, _TYPE) or (action == "NodeProto" and position - value_start <= _SMALL_NODE):
                self.fields.spend((position - value_start) // _BYTES_A_FIELD if action == "NodeProto" else 0)
                continue
            if run < key_start:
                out += self.copy(run, key_start)
            run = position
            if action == _DROP:
                continue
            if wire != BYTES:
                raise self.window.fail(f"{name}.{row[0] if row else number} has wire type {wire}", key_start)
            child = (
                self.tensor(value_start, position, depth + 1)
                if action == "TensorProto"
                else self.message(action, value_start, position, depth + 1)
            )
            out += spelled(number << 3 | BYTES) + spelled(len(child)) + child
        if run < position:
            out += self.copy(run, position)
        return bytes(out)

    def tensor(self, start: int, end: int, depth: int) -> bytes:
        """Copy one tensor, without its values if they are many."""
        if depth > MAX_DEPTH:
            raise self.window.fail(f"messages are nested deeper than {MAX_DEPTH}", start)
        dims: list[int] = []
        data_type, offset, nbytes, raw = 0, start, 0, 0
        keep: list[tuple[int, int]] = []
        data: list[tuple[int, int]] = []
        for field in fields(self.window, start, end):
            self.fields.spend()
            number, value_start, value_end = field.number, field.start, field.end
            action = MESSAGES["TensorProto"].get(number, ("", _DROP))[1]
            if action == "data":
                offset = offset if data else value_start
                nbytes += value_end - value_start
                data.append((field.key, value_end))
            elif action == _KEEP:
                keep.append((field.key, value_end))
            if number == 1:
                dims.extend(integers(self.window, field, limit=_MAX_LENGTHS))
            elif number == 2:
                data_type = field.value
            elif number == _RAW:
                raw = value_end - value_start
        if any(dim < 0 for dim in dims) or len(dims) > 1000:
            raise self.window.fail(f"a tensor has the lengths {dims[:8]}", start)
        # Some writers leave the field empty instead of omitting it.
        expected = nbytes_of(data_type, prod(dims)) if raw else None
        if expected not in (None, raw):
            shape = "×".join(map(str, dims)) or "no axes"
            raise self.window.fail(f"a tensor of shape {shape[:80]} has {raw:,} bytes of numbers", offset)
        limit = KEEP_INTEGERS if data_type in INTEGERS else KEEP_OTHERS
        if not data or (prod(dims) <= limit and nbytes <= KEEP_BYTES):
            return b"".join(self.copy(*piece) for piece in sorted(keep + data))
        text = f"{self.mark}{len(self.stored)}"
        self.stored[text] = Stored(tuple(dims), data_type, start, end, offset, nbytes)
        return (
            b"".join(self.copy(*piece) for piece in keep)
            + spelled(12 << 3 | BYTES)
            + (spelled(len(text)) + text.encode())
        )

    def copy(self, start: int, end: int) -> bytes:
        self.kept += end - start
        if self.kept > MAX_KEPT:
            raise self.window.fail(f"even without the weights it has more than {MAX_KEPT >> 20} MiB", start)
        return self.window.span(start, end)
