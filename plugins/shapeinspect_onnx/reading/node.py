"""A node in the form that the tables of settings read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.errors import UnreadableFileError
from shapeinspect_onnx.reading.constant_tensors import ConstantTensor

#: The attribute's field for each AttributeProto.AttributeType that holds plain values.
_FIELDS = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings", 11: "sparse_tensor"}


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A node with what is known about its inputs.

    Args:
        op: its op type.
        version: the opset version of its domain.
        attributes: its plain attributes.
        constants: the constant tensor in each input slot, or None.
        shapes: the shape in each input slot, or None.
        connected: for each input slot, whether it has an input.
        outputs: the names of its outputs.
        output_shapes: their shapes.
    """

    op: str
    version: int
    attributes: Mapping[str, Any]
    constants: tuple[ConstantTensor | None, ...] = ()
    shapes: tuple[Shape | None, ...] = ()
    connected: tuple[bool, ...] = ()
    outputs: tuple[str, ...] = ()
    output_shapes: tuple[Shape | None, ...] = ()

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute.

        Args:
            name: its name.
            default: the result if it is not set.
        """
        return self.attributes.get(name, default)

    def constant(self, slot: int) -> ConstantTensor | None:
        """Return the constant tensor in an input slot, or None.

        Args:
            slot: the input's index.
        """
        return self.constants[slot] if slot < len(self.constants) else None

    def has(self, slot: int) -> bool:
        """Tell whether an input slot has an input.

        Args:
            slot: the input's index.
        """
        return slot < len(self.connected) and self.connected[slot]

    def shape(self, slot: int) -> Shape | None:
        """Return the shape in an input slot, or None.

        Args:
            slot: the input's index.
        """
        return self.shapes[slot] if slot < len(self.shapes) else None

    def rank(self, slot: int = 0) -> int | None:
        """Return the rank in an input slot, or None.

        Args:
            slot: the input's index.
        """
        shape = self.shape(slot)
        return None if shape is None else len(shape)

    def numbers(self, name: str, slot: int) -> tuple[Any, ...] | None:
        """Return a list that is an attribute in older opsets and an input in newer ones.

        Args:
            name: the attribute.
            slot: the input's index; negative if there is none.
        """
        if name in self.attributes:
            value = self.attributes[name]
            return tuple(value) if isinstance(value, list | tuple) else (value,)
        constant = self.constant(slot) if slot >= 0 else None
        numbers = constant.numbers() if constant is not None else None
        return None if numbers is None else tuple(numbers)

    def number(self, name: str, slot: int) -> Any:
        """Return a single number of the same kind, or None.

        Args:
            name: the attribute.
            slot: the input's index; negative if there is none.
        """
        numbers = self.numbers(name, slot)
        return numbers[0] if numbers else None


class AttributeErrors:
    """Turns the exceptions caused by an attribute of the wrong type into one error about its node.

    Args:
        label: the file.
        proto: the NodeProto.

    Raises:
        UnreadableFileError: where the node's attributes cannot be used.
    """

    __slots__ = ("_label", "_proto")

    def __init__(self, label: str, proto: Any) -> None:
        self._label, self._proto = label, proto

    def __enter__(self) -> None:
        """Enter the node."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, TypeError | ValueError | LookupError | AttributeError | ArithmeticError):
            node = self._proto
            reason = f"the attributes of node {node.name!r} are not valid for {node.op_type!r}"
            raise UnreadableFileError(self._label, reason) from error


def attributes(proto: Any) -> dict[str, Any]:
    """Read a node's plain attributes; subgraphs are left out.

    Args:
        proto: the NodeProto.
    """
    decoded: dict[str, Any] = {}
    for attribute in proto.attribute:
        field = _FIELDS.get(attribute.type) or _untyped(attribute)
        if field is None or attribute.ref_attr_name:
            continue
        value = getattr(attribute, field)
        if field in ("t", "sparse_tensor"):
            decoded[attribute.name] = value
        elif field == "s":
            decoded[attribute.name] = value.decode("utf-8", "replace")
        elif field == "strings":
            decoded[attribute.name] = tuple(text.decode("utf-8", "replace") for text in value)
        else:
            decoded[attribute.name] = tuple(value) if field in ("ints", "floats") else value
    return decoded


def _untyped(attribute: Any) -> str | None:
    """Return the field of an attribute that was written by IR version 1, which has no types."""
    if attribute.type != 0:
        return None
    return next((field.name for field, _ in attribute.ListFields() if field.name in _FIELDS.values()), None)
