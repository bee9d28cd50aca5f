"""Copies a live ModelProto without its weights; the user's object is only read."""

from __future__ import annotations

from typing import Any

_INTO = frozenset({"GraphProto", "FunctionProto", "NodeProto", "AttributeProto", "SparseTensorProto"})
#: Messages of up to this many bytes are copied whole.
_SMALL = 4096


def slim(message: Any, mark: str, tensors: dict[str, Any]) -> Any:
    """Copy a message without the values of the large tensors in it.

    Args:
        message: a ModelProto, or a message inside one.
        mark: the prefix of the ``doc_string`` of every tensor that is copied without its values.
        tensors: receives the original tensor for each such ``doc_string``.
    """
    copy = type(message)()
    if message.DESCRIPTOR.name == "TensorProto":
        for field in ("dims", "external_data"):
            getattr(copy, field).extend(getattr(message, field))
        for field in ("data_type", "name", "data_location"):
            setattr(copy, field, getattr(message, field))
        copy.doc_string = f"{mark}{len(tensors)}"
        tensors[copy.doc_string] = message
        return copy
    for field, value in message.ListFields():
        kind = field.message_type.name if field.message_type else ""
        repeated = field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED
        walk = kind in _INTO or kind == "TensorProto"
        if kind == "TrainingInfoProto":
            continue
        if repeated:
            target = getattr(copy, field.name)
            target.extend(_slim(item, mark, tensors) for item in value) if walk else target.extend(value)
        elif kind:
            getattr(copy, field.name).CopyFrom(_slim(value, mark, tensors) if walk else value)
        else:
            setattr(copy, field.name, value)
    return copy


def _slim(message: Any, mark: str, tensors: dict[str, Any]) -> Any:
    return message if message.ByteSize() <= _SMALL else slim(message, mark, tensors)
