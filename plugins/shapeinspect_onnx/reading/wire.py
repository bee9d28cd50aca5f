"""The walk over a file's protobuf wire that leaves the weights where they are.

The result is a small, valid ModelProto whose large tensors have lost their numbers, and a record
of each such tensor: cost follows the graph, not the weights.

Source: the encoding is https://protobuf.dev/programming-guides/encoding/, the field numbers are
those of ``onnx.proto`` (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import prod

from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import Source
from shapeinspect_onnx.dtypes import INTEGERS
from shapeinspect_onnx.dtypes import nbytes as nbytes_of
from shapeinspect_onnx.reading.window import Window

MAX_DEPTH = 100
MAX_FIELDS = 5_000_000
MAX_KEPT = 256 << 20
#: Tensors of up to this many values keep them, for shape inference reads some.
KEEP_INTEGERS = 1024
KEEP_OTHERS = 64
KEEP_BYTES = 1 << 16
#: A node of fewer bytes is copied as it is: its tensors are small.
_SMALL_NODE = 4096

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
#: The field of a tensor that holds its numbers as they lie in memory.
_RAW = 9
_KEEP, _DROP = "keep", "drop"

#: For each message the known fields: what becomes of them (a name: walk into that message).
#: Documentation and training information is left out; it may be large and says nothing of shapes.
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
        11: ("input", _KEEP),
        12: ("output", _KEEP),
        13: ("value_info", _KEEP),
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
    """Where the numbers of one tensor stand that the small model has lost.

    Args:
        dims: its lengths.
        data_type: its element type's code.
        start: the first byte of its whole TensorProto, or of its numbers alone.
        end: the byte behind the last.
        offset: the first byte of its numbers.
        nbytes: how many bytes they take there.
        raw: whether ``start`` and ``end`` enclose the numbers alone.
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
        stored: the record of every tensor that lost its numbers, by the ``doc_string`` it got.
    """

    model: bytes
    stored: dict[str, Stored]


def strip(source: Source) -> Stripped:
    """Copy everything of an ONNX file but the numbers of its large tensors.

    Args:
        source: the file.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or no ONNX model.
    """
    with source.open() as file:
        return _Walk(Window(file, source.size or 0, source.label)).model()


class _Walk:
    """One pass over one file."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.stored: dict[str, Stored] = {}
        self.fields = 0
        self.kept = 0
        # A mark that no file can know, so that no doc_string of its own is taken for ours.
        self.mark = os.urandom(8).hex()

    def model(self) -> Stripped:
        found: set[int] = set()
        model = self.message("ModelProto", 0, self.window.size, 1, found)
        if 7 not in found:
            raise UnreadableFileError(self.window.label, "it holds no ONNX graph")
        return Stripped(model, self.stored)

    def message(self, name: str, start: int, end: int, depth: int, found: set[int] | None = None) -> bytes:
        """Copy one message; runs of kept fields are copied in one piece."""
        if depth > MAX_DEPTH:
            raise self.window.fail(f"messages are nested deeper than {MAX_DEPTH}", start)
        known = MESSAGES[name]
        out = bytearray()
        at = run = start
        while at < end:
            key_at = at
            number, wire, value_at, at, _ = self.field(at, end)
            row = known.get(number)
            if found is not None:
                found.add(number)
            action = row[1] if row else _DROP
            if action == _KEEP or (action == "NodeProto" and at - value_at <= _SMALL_NODE):
                continue
            if run < key_at:
                out += self.copy(run, key_at)
            run = at
            if action == _DROP:
                continue
            if wire != _BYTES:
                raise self.window.fail(f"{name}.{row[0] if row else number} has wire type {wire}", key_at)
            child = (
                self.tensor(value_at, at, depth + 1)
                if action == "TensorProto"
                else self.message(action, value_at, at, depth + 1)
            )
            out += _varint(number << 3 | _BYTES) + _varint(len(child)) + child
        if run < at:
            out += self.copy(run, at)
        return bytes(out)

    def field(self, at: int, end: int) -> tuple[int, int, int, int, int]:
        """Read a field's key: its number, wire type, first byte, the byte behind it, its varint."""
        self.fields += 1
        if self.fields > MAX_FIELDS:
            raise self.window.fail(f"it holds more than {MAX_FIELDS:,} fields", at)
        window = self.window
        key, value_at = window.varint(at, end)
        number, wire = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise window.fail(f"{number} is no field number", at)
        if wire == _VARINT:
            value, behind = window.varint(value_at, end)
            return number, wire, value_at, behind, value
        if wire == _BYTES:
            length, value_at = window.varint(value_at, end)
        elif wire in _FIXED:
            length = _FIXED[wire]
        else:
            raise window.fail(f"wire type {wire} is no part of an ONNX model", at)
        if length > end - value_at:
            raise window.fail(f"a field of {length:,} bytes has only {end - value_at:,} left", at)
        return number, wire, value_at, value_at + length, 0

    def tensor(self, start: int, end: int, depth: int) -> bytes:
        """Copy one tensor, without its numbers if they are many."""
        if depth > MAX_DEPTH:
            raise self.window.fail(f"messages are nested deeper than {MAX_DEPTH}", start)
        dims: list[int] = []
        data_type, offset, nbytes, raw = 0, start, 0, 0
        keep: list[tuple[int, int]] = []
        data: list[tuple[int, int]] = []
        at = start
        while at < end:
            key_at = at
            number, wire, value_at, at, value = self.field(at, end)
            action = MESSAGES["TensorProto"].get(number, ("", _DROP))[1]
            if action == "data":
                offset = offset if data else value_at
                nbytes += at - value_at
                data.append((key_at, at))
            elif action == _KEEP:
                keep.append((key_at, at))
            if number == 1:
                dims.extend(self.integers(wire, value_at, at, value))
            elif number == 2:
                data_type = value
            elif number == _RAW:
                raw = at - value_at
        if any(dim < 0 for dim in dims) or len(dims) > 1000:
            raise self.window.fail(f"a tensor has the lengths {dims[:8]}", start)
        # Some writers leave the numbers out and the field in, with nothing in it.
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
            + _varint(12 << 3 | _BYTES)
            + (_varint(len(text)) + text.encode())
        )

    def integers(self, wire: int, at: int, end: int, value: int) -> list[int]:
        """Read a repeated int64, packed or not."""
        if wire == _VARINT:
            return [_signed(value)]
        found: list[int] = []
        if end - at > 10_000:
            raise self.window.fail("a tensor has too many lengths", at)
        while at < end:
            number, at = self.window.varint(at, end)
            found.append(_signed(number))
        return found

    def copy(self, start: int, end: int) -> bytes:
        self.kept += end - start
        if self.kept > MAX_KEPT:
            raise self.window.fail(f"without the weights it is still over {MAX_KEPT >> 20} MiB", start)
        return self.window.span(start, end)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
