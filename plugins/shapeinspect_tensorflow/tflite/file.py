"""Reads and checks the contents of a TFLite file, without its weights.

Source: tensorflow/compiler/mlir/lite/schema/schema.fbs; the slots are the positions of the fields in it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from shapeinspect.binary.flatbuffer import Buffer, Table
from shapeinspect.binary.window import Window
from shapeinspect_tensorflow.tflite.schema import CUSTOM, FUSED, OPERATORS, OPTIONS, PADDINGS, TYPES

_MAX_RANK = 64
#: Integer constants of up to this many values may be settings; their numbers are read.
_FEW = 1024
_NUMBERS = {"int32": "i", "int64": "q"}
_SCALARS = {"float32": "f", "float16": "e"}


@dataclass(frozen=True, slots=True)
class Quantization:
    """How integers represent real numbers: real = scale · (stored - zero point).

    Args:
        scale: one for the tensor, or one for each entry of an axis.
        zero_point: as many.
        axis: that axis.
        further: whether the file describes it in another way, such as blocks with scales of their own.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int
    further: bool = False


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a subgraph.

    Args:
        name: its name.
        shape: its lengths as stored; None for an unknown rank.
        signature: its lengths with -1 for variable ones; empty where it is missing.
        dtype: its element type in numpy's spelling.
        buffer: the number of the buffer that holds its values.
        start: their first byte; 0 for a tensor that is computed.
        nbytes: their size in bytes.
        variable: whether it keeps its values between runs.
        quantization: how its values are quantized.
        sparse: whether only some of its values are stored.
        external: whether its values are in another file.
        numbers: its values, where they are few integers.
        scalar: its value, where it is one floating-point number.
    """

    name: str
    shape: tuple[int, ...] | None
    signature: tuple[int, ...]
    dtype: str | None
    buffer: int
    start: int = 0
    nbytes: int = 0
    variable: bool = False
    quantization: Quantization | None = None
    sparse: bool = False
    external: bool = False
    numbers: tuple[int, ...] | None = None
    scalar: float | None = None

    @property
    def stored(self) -> bool:
        """Whether its values are stored."""
        return self.start > 0 or self.external


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of a subgraph.

    Args:
        op: its name, ``CUSTOM`` for a custom operator.
        custom: the name of the custom operator.
        inputs: the numbers of the tensors it reads; -1 for a missing one.
        outputs: the numbers of its outputs.
        options: its settings; None where they are those of another operator.
        instead: the operators that it replaces, where several were joined and may have to be parted again.
    """

    op: str
    custom: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] | None
    instead: tuple[Operator, ...] = ()

    def operands(self, settings: Mapping[str, frozenset[int]]) -> list[int]:
        """Return the tensors that it reads and that are no settings.

        Args:
            settings: for each operator, the inputs that are settings, counted from the front or, below 0,
                from the end.

        Example:
            >>> Operator("RESHAPE", "", (4, 7), (8,), {}).operands({"RESHAPE": frozenset({1})})
            [4]
        """
        fixed, count = settings.get(self.op, frozenset()), len(self.inputs)
        return [index for slot, index in enumerate(self.inputs) if not {slot, slot - count} & fixed]


@dataclass(frozen=True, slots=True)
class Subgraph:
    """A graph, or the body of a loop or branch."""

    name: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]

    def makers(self) -> dict[int, Operator]:
        """Return the operator that computes each tensor.

        Example:
            >>> Subgraph("g", (), (), (), ()).makers()
            {}
        """
        return {index: operator for operator in self.operators for index in operator.outputs}


@dataclass(frozen=True, slots=True)
class LiteFile:
    """A whole file.

    Args:
        version: of the format.
        description: its description.
        subgraphs: the first is the network.
        signatures: the names of its signatures, and the number of the subgraph of each.
    """

    version: int
    description: str
    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[tuple[str, int], ...]


def read(window: Window) -> LiteFile:
    """Read a TFLite file.

    Args:
        window: the file.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or hostile.
    """
    root = Buffer(window).root()
    reader = _Reader(window, root)
    subgraphs = tuple(reader.subgraph(table) for table in root.tables(2))
    if not subgraphs:
        raise window.fail("it holds no graph")
    signatures = tuple((table.text(2), table.number(4, "I")) for table in root.tables(7))
    for name, number in signatures:
        if number >= len(subgraphs):
            raise window.fail(f"the signature {name!r} names graph {number} of {len(subgraphs)}")
    return LiteFile(root.number(0, "I"), root.text(3), subgraphs, signatures)


class _Reader:
    def __init__(self, window: Window, root: Table) -> None:
        self._window = window
        self._codes = [self._code(table) for table in root.tables(1)]
        self._buffers = [self._data(table) for table in root.tables(4)]

    def _code(self, table: Table) -> tuple[str, str]:
        # Codes above 127 were added later, in a field of their own.
        code = max(table.number(0, "b"), table.number(3, "i"))
        if not 0 <= code < len(OPERATORS):
            return f"OPERATOR_{code}", ""
        return OPERATORS[code], table.text(1) if code == CUSTOM else ""

    def _data(self, table: Table) -> tuple[int, int]:
        """Return the first byte of a buffer and its length; 0, 0 for an empty one."""
        extent = table.vector(0, 1)
        if extent is not None and extent[1]:
            return extent
        offset, size = table.number(1, "Q"), table.number(2, "Q")
        if offset > 1 and size:  # data after the flatbuffer itself
            if offset + size > self._window.size:
                raise self._window.fail(
                    f"a buffer of {size:,} bytes at {offset:,} leads outside", table.offset
                )
            return offset, size
        return 0, 0

    def subgraph(self, table: Table) -> Subgraph:
        tensors = tuple(self._tensor(one) for one in table.tables(0))
        inputs, outputs = table.integers(1), table.integers(2)
        operators = tuple(self._operator(one) for one in table.tables(3))
        named = [number for one in operators for number in (*one.inputs, *one.outputs)]
        for number in (*inputs, *outputs, *named):
            if not -1 <= number < len(tensors):
                raise self._window.fail(f"tensor {number} of {len(tensors)} is named", table.offset)
        if any(number < 0 for number in (*inputs, *outputs)):
            raise self._window.fail("an input or output is left out", table.offset)
        written = [number for one in operators for number in one.outputs if number >= 0]
        if len(set(written)) != len(written):
            raise self._window.fail("two operators make the same tensor", table.offset)
        waiting = set(written)
        for one in operators:
            if not waiting.isdisjoint(one.inputs):
                raise self._window.fail("an operator reads what is made after it", table.offset)
            waiting.difference_update(one.outputs)
        return Subgraph(table.text(4), tensors, inputs, outputs, operators)

    def _tensor(self, table: Table) -> Tensor:
        code, buffer, name = table.number(1, "b"), table.number(2, "I"), table.text(3)
        dtype, bits = TYPES[code] if 0 <= code < len(TYPES) else (None, None)
        shape: tuple[int, ...] | None = table.integers(0)
        signature = table.integers(7)
        if (
            len(shape or ()) > _MAX_RANK
            or any(dim < 0 for dim in shape or ())
            or any(dim < -1 for dim in signature)
        ):
            raise self._window.fail(f"tensor {name!r} has the lengths {shape}", table.offset)
        if buffer >= max(len(self._buffers), 1):
            raise self._window.fail(
                f"tensor {name!r} stands in buffer {buffer} of {len(self._buffers)}", table.offset
            )
        start, size = self._buffers[buffer] if buffer and buffer < len(self._buffers) else (0, 0)
        sparse, variable, external = (
            table.table(6) is not None,
            bool(table.number(5, "?")),
            table.number(10, "I") > 0,
        )
        whole = prod(shape or ())
        if start and bits is not None and not sparse and (whole * bits + 7) // 8 != size:
            reason = f"tensor {name!r} takes {size:,} bytes, its shape makes {(whole * bits + 7) // 8:,}"
            raise self._window.fail(reason, table.offset)
        if not shape and not start and not table.number(8, "?"):
            shape = None  # neither lengths nor a flag that there are none
        numbers = None
        if start and dtype in _NUMBERS and whole <= _FEW and not sparse:
            numbers = struct.unpack(f"<{whole}{_NUMBERS[dtype]}", self._window.span(start, start + size))
        scalar = None
        if start and dtype in _SCALARS and shape == () and not sparse:
            scalar = float(struct.unpack(f"<{_SCALARS[dtype]}", self._window.span(start, start + size))[0])
        return Tensor(
            name, shape, signature if len(signature) == len(shape or ()) else (), dtype, buffer, start, size,
            variable, self._quantization(table.table(4)), sparse, external, numbers, scalar,
        )  # fmt: skip

    def _quantization(self, table: Table | None) -> Quantization | None:
        if table is None:
            return None
        scale = tuple(float(number) for number in table.numbers(2, "f"))
        zero = table.integers(3, "q")
        further = table.number(4, "B") != 0
        return Quantization(scale, zero, table.number(6, "i"), further) if scale or further else None

    def _operator(self, table: Table) -> Operator:
        index = table.number(0, "I")
        if index >= len(self._codes):
            raise self._window.fail(f"operator code {index} of {len(self._codes)} is named", table.offset)
        op, custom = self._codes[index]
        number, fields = OPTIONS.get(op, (0, ()))
        options_table = table.table(4) if fields and table.number(3, "B") == number else None
        options: dict[str, Any] | None = {} if not fields or options_table is not None else None
        if options_table is not None and options is not None:
            for field in fields:
                if field.type == "[i]":
                    options[field.name] = options_table.integers(field.slot)
                elif field.type == "f":
                    options[field.name] = options_table.real(field.slot)
                else:
                    options[field.name] = options_table.number(field.slot, field.type, field.default)
            for name, words in (("padding", PADDINGS), ("fused", FUSED)):
                if name in options:
                    code = options.pop(name)
                    options[name] = words[code] if 0 <= code < len(words) else None
        return Operator(op, custom, table.integers(1), table.integers(2), options)
