"""Constant tensors: initializers, Constant nodes, and what is derived from them without arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from shapeinspect.binary.repeats import Repeats
from shapeinspect.binary.window import Window
from shapeinspect.errors import UnreadableFileError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layout, Weight
from shapeinspect.layout.pattern import parse
from shapeinspect.sources.links import check_inside
from shapeinspect.sources.source import Source
from shapeinspect_onnx import dtypes
from shapeinspect_onnx.reading.codes import affine, block_of
from shapeinspect_onnx.reading.numbers import numbers
from shapeinspect_onnx.reading.wire import KEEP_INTEGERS, Stored

#: Tensors with more values than this are not read for settings.
FEW = KEEP_INTEGERS


@dataclass(frozen=True, slots=True, eq=False)
class ConstantTensor:
    """A constant tensor that nodes may use as a weight or a setting.

    Args:
        name: its name in the file.
        dims: its lengths, as stored.
        code: its element type's code.
        nbytes: its size in bytes, or None if unknown.
        key: a key shared by all uses of the same values.
        where: the file that holds it, if not the model's own.
        values: reads its values; None if they cannot be read.
        tensor: the TensorProto that still has its values, or None.
        scalar_node: whether it is a single number in a Constant node.
        generated: whether ConstantOfShape creates it, so that it is not stored.
        transposed: whether there is a Transpose between it and its user.
        scale: the scale of a DequantizeLinear between it and its user.
        zero: the zero point of that DequantizeLinear.
        axis: the axis of the stored tensor along which scale and zero point vary, if they are not scalars.
        block: the number of indices on that axis that share a scale; 0 if they do not come in blocks.
    """

    name: str
    dims: tuple[int, ...]
    code: int
    nbytes: int | None
    key: str
    where: str | None = None
    values: Callable[[], Any] | None = None
    tensor: Any = None
    scalar_node: bool = False
    generated: bool = False
    transposed: bool = False
    scale: ConstantTensor | None = None
    zero: ConstantTensor | None = None
    axis: int = 1
    block: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Its lengths as its user sees them."""
        return self.dims[::-1] if self.transposed else self.dims

    @property
    def is_integer(self) -> bool:
        """Whether it holds integers or booleans as its user sees it."""
        return self.code in dtypes.INTEGERS and self.scale is None

    def numbers(self) -> list[Any] | None:
        """Return its values if they are in memory and few."""
        if self.tensor is None or prod(self.dims) > FEW or self.scale is not None:
            return None
        return numbers(self.tensor)

    def weights(self, role: str, layout: Layout | None, count: int | None = None) -> tuple[Weight, ...]:
        """Return it as a layer's weight, with its scale and zero point if it is quantized.

        Args:
            role: its role in its layer.
            layout: its axes.
            count: the number of its logical values if that is not the product of its lengths.
        """
        weight = Weight(
            self.name, role, self.dims, dtypes.name(self.code), self.nbytes, None, layout,
            storage=self.key, count=count, where=self.where, values=self.values,
        )  # fmt: skip
        if self.scale is not None:
            block = block_of(self.dims, self.scale.dims, (self.axis,), self.block)
            coded = affine(self, self.scale, self.zero, block)
            weight = replace(weight, quantization=coded.how, values=coded.values)
        more = ((self.scale, "scale"), (self.zero, "zero_point"))
        extra = [
            part
            for part_tensor, text in more
            if part_tensor
            for part in part_tensor.weights(f"{role}_{text}", self._along(layout, part_tensor.dims, text))
        ]
        return (weight, *(replace(part, buffer=True) for part in extra))

    def _along(self, layout: Layout | None, dims: tuple[int, ...], text: str) -> Layout | None:
        """Return the axes of a scale or zero point, named after those of its tensor.

        Source: https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html : a scalar, one value for each
        index of ``axis``, or the tensor's own rank with one value for each block of that axis.
        """
        if layout is None or layout.orders or layout.flips or layout.splits:
            return None
        slot = text if layout.slot == "weight" else f"{layout.slot}.{text}"
        if not dims:
            return Layout("", "", slot=slot)
        native, common = parse(layout.native).labels, parse(layout.common).labels
        if len(native) != len(self.dims) or not -len(native) <= self.axis < len(native):
            return None
        label = native[self.axis]
        if dims == (self.dims[self.axis],) and not self.block:
            sizes = Frozen({name: size for name, size in layout.sizes.items() if name in label})
            return Layout(label, label, sizes, slot=slot)
        if self.block and len(dims) == len(native) and sorted(native) == sorted(common):
            blocks = {label: "block"}
            return Layout(
                " ".join(blocks.get(axis, axis) for axis in native),
                " ".join(blocks.get(axis, axis) for axis in common),
                layout.sizes,
                slot=slot,
            )
        return None


@dataclass(frozen=True, slots=True)
class Store:
    """Turns a TensorProto of the small model into a :class:`ConstantTensor`.

    Args:
        source: the request, for external data files and for errors.
        stored: the tensors of a file that were stripped of their values, by their mark.
        tensors: the same for a live model.
    """

    source: Source
    stored: Mapping[str, Stored]
    tensors: Mapping[str, Any]
    _repeats: Repeats = field(init=False, repr=False)
    _spans: dict[tuple[str, int], int] = field(init=False, repr=False, default_factory=dict)
    _claimed: dict[str, int] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_repeats", Repeats(self.source.label))

    def repeated(self, size: int | None, stored: int | None, values: Callable[[], Any]) -> Callable[[], Any]:
        """Return a reader of values that stand for more than the file stores, which all have one limit.

        Args:
            size: the bytes of the values.
            stored: the bytes that the file stores for them.
            values: reads them.
        """
        self._repeats.add(size or 0, stored or 0)

        def checked() -> Any:
            self._repeats.check()
            return values()

        return checked

    def constant(self, tensor: Any, key: str, name: str | None = None) -> ConstantTensor:
        """Describe a tensor.

        Args:
            tensor: the TensorProto.
            key: a key shared by its uses.
            name: its name, if that is not the tensor's own.

        Raises:
            UnreadableFileError: if it names a file outside the model's directory.
        """
        dims, code = tuple(tensor.dims), tensor.data_type
        if any(dim < 0 for dim in dims):
            raise UnreadableFileError(self.source.label, f"tensor {tensor.name!r} has the lengths {dims}")
        constant = ConstantTensor(name or tensor.name, dims, code, dtypes.nbytes(code, prod(dims)), key)
        if tensor.data_location == 1:
            return self._external(constant, tensor)
        record = self.stored.get(tensor.doc_string)
        if record is not None:
            return replace(constant, values=lambda: _read(self.source, record))
        whole = self.tensors.get(tensor.doc_string)
        if whole is not None:
            return replace(constant, values=lambda: _array(whole))
        return replace(constant, values=lambda: _array(tensor), tensor=tensor)

    def sparse_constant(self, sparse: Any, key: str, name: str | None = None) -> ConstantTensor:
        """Describe a sparse tensor; its size is that of its values and indices.

        Args:
            sparse: the SparseTensorProto.
            key: a key shared by its uses.
            name: its name, if that is not the name of its values.
        """
        values, indices = self.constant(sparse.values, key), self.constant(sparse.indices, key)
        dims = tuple(sparse.dims)
        return replace(
            values,
            name=name or values.name,
            dims=dims,
            nbytes=(values.nbytes or 0) + (indices.nbytes or 0),
            values=self.repeated(
                dtypes.nbytes(values.code, prod(dims)), values.nbytes, lambda: _dense(dims, values, indices)
            ),
            tensor=None,
        )

    def _external(self, constant: ConstantTensor, tensor: Any) -> ConstantTensor:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        check_inside(location, self.source.label)
        for key in ("offset", "length"):
            if key in entries and not (entries[key].isdecimal() and len(entries[key]) < 20):
                reason = f"tensor {constant.name!r} has the external {key} {entries[key]!r}"
                raise UnreadableFileError(self.source.label, reason)
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", constant.nbytes or 0))
        if constant.nbytes is not None and length not in (0, constant.nbytes):
            reason = f"tensor {constant.name!r} takes {constant.nbytes:,} bytes"
            reason = f"{reason}, but its external data has {length:,}"
            raise UnreadableFileError(self.source.label, reason)
        reader = None
        if self.source.path is not None:
            from shapeinspect_onnx.reading.external import read

            source, claimed = self.source, self._claimed
            span = (location, offset)
            more = max(length - self._spans.get(span, 0), 0)  # tied weights share one span
            self._spans[span] = self._spans.get(span, 0) + more
            claimed[location] = claimed.get(location, 0) + more

            def reader() -> Any:
                return _array(tensor, read(source, location, offset, length, claimed[location]))

        return replace(
            constant,
            nbytes=length,
            where=location,
            values=reader,
            key=f"{location}@{offset}+{length}" if length else constant.key,
        )


def _array(tensor: Any, raw: bytes | None = None) -> Any:
    from onnx import TensorProto, numpy_helper

    if raw is None:
        return numpy_helper.to_array(tensor)
    inline = TensorProto(dims=tensor.dims, data_type=tensor.data_type, raw_data=raw)
    return numpy_helper.to_array(inline)


def _read(source: Source, record: Stored) -> Any:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it ships no types
    from onnx import TensorProto

    data = Window.bytes_of(source, record.start, record.end - record.start)
    try:
        if record.raw:
            return _array(TensorProto(dims=record.dims, data_type=record.data_type), data)
        return _array(TensorProto.FromString(data))
    except (DecodeError, ValueError) as error:
        raise UnreadableFileError(source.label, f"a tensor's bytes: {error}", offset=record.offset) from None


def _dense(dims: tuple[int, ...], values: ConstantTensor, indices: ConstantTensor) -> Any:
    import numpy as np

    numbers = values.values() if values.values else np.zeros(0)
    positions = indices.values() if indices.values else np.zeros(0, np.int64)
    dense = np.zeros(dims, numbers.dtype)
    flat = positions if positions.ndim == 1 else np.ravel_multi_index(tuple(positions.T), dims)
    dense.reshape(-1)[flat] = numbers
    return dense
