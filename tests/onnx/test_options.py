"""Every attribute of every operator of the standard is read with its default, by the schemas of onnx itself.

Before the table of options, 568 of 1,059 attributes of all versions changed nothing that is said of a node.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest

from shapeinspect_onnx.reading.node import Node
from shapeinspect_onnx.vocabulary.ops import STANDARD, find
from shapeinspect_onnx.vocabulary.options import OPTIONS, UNUSED, default

Schema = onnx.defs.OpSchema
_TYPES = Schema.AttrType
#: Values of which at least one is neither the default of an attribute nor out of its range.
_OTHERS: dict[Any, tuple[Any, ...]] = {
    _TYPES.INT: (1, 0, 2, -1),
    _TYPES.FLOAT: (0.37,),
    _TYPES.STRING: ("SAME_LOWER", "reverse", "align_corners", "not_larger", "other"),
    _TYPES.INTS: ((1, 1), (2, 3), (0, 1), (1,), (3, 2, 0, 1)),
    _TYPES.FLOATS: ((0.3, 0.4),),
    _TYPES.STRINGS: (("Relu", "Elu", "Elu"), ("Relu",)),
}

#: What other tests look at, since it decides over shapes or is the content itself.
_ELSEWHERE = {
    **{
        ("Col2Im", name): "read with the image that a constant holds"
        for name in ("strides", "pads", "dilations")
    },
    **{
        ("Resize", name): "read with the sizes that a constant holds"
        for name in ("axes", "keep_aspect_ratio_policy")
    },
    **{
        ("Upsample", name): "the factors, which have to fit the rank"
        for name in ("scales", "height_scale", "width_scale")
    },
}
_SHAPES = ((2, 6, 8, 10), (4, 6, 3, 5), *((7,),) * 7)


def _schemas() -> Iterator[Schema]:
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.name in STANDARD and not schema.deprecated:
            yield schema


def _usual(attribute: Schema.Attribute) -> Any:
    stated = attribute.default_value
    if not stated.name:
        return None
    value = onnx.helper.get_attribute_value(stated)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return tuple(item.decode() if isinstance(item, bytes) else item for item in value)
    return value


def _nodes(schema: Schema, attributes: dict[str, Any]) -> Iterator[Node]:
    """Yield a node with all of its inputs, and one with its first: older versions have attributes instead."""
    required = {
        attribute.name: _OTHERS[attribute.type][0]
        for attribute in schema.attributes.values()
        if attribute.required and attribute.type in _OTHERS
    }
    if "kernel_shape" in schema.attributes:
        required["kernel_shape"] = (3, 3)
    count = max(len(schema.inputs), 1)
    for connected in ((True,) * count, (True,)):
        yield Node(
            schema.name,
            schema.since_version,
            {**required, **attributes},
            shapes=_SHAPES[: len(connected)],
            connected=connected,
            outputs=tuple(f"o{index}" for index in range(len(schema.outputs))),
        )


def _read(schema: Schema, attributes: dict[str, Any]) -> list[Any]:
    return [_rounded(find("", schema.name).settings(node)) for node in _nodes(schema, attributes)]


def _rounded(value: Any) -> Any:
    """Write a number as 32 bits hold it: the schemas have their defaults so."""
    if isinstance(value, float):
        return float(np.float32(value))
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value


def _attributes() -> Iterator[tuple[Schema, Schema.Attribute]]:
    for schema in _schemas():
        for attribute in schema.attributes.values():
            if attribute.type in _OTHERS:
                yield schema, attribute


def test_an_attribute_that_is_stated_as_its_default_is_read_as_one_that_is_not() -> None:
    found = [
        (schema.name, schema.since_version, attribute.name)
        for schema, attribute in _attributes()
        if (usual := _usual(attribute)) is not None
        and (schema.name, attribute.name) not in _WITHOUT_DEFAULT
        and _read(schema, {attribute.name: usual}) != _read(schema, {})
    ]
    assert not found


#: Defaults that stand for "none", or that are misspelled in the schema.
_WITHOUT_DEFAULT = {
    ("Clip", "min"): "the least of all numbers",
    ("Clip", "max"): "the greatest of all numbers",
    ("GRU", "direction"): '"foward" in version 1',
    ("Dropout", "ratio"): "nothing is left out at inference",
    ("QuantizeLinear", "axis"): "without a meaning where one scale is for all numbers",
    ("DequantizeLinear", "axis"): "without a meaning where one scale is for all numbers",
}


def test_no_attribute_is_lost() -> None:
    lost = {
        (schema.name, attribute.name)
        for schema, attribute in _attributes()
        if attribute.name not in UNUSED
        and not attribute.name.startswith("value_")
        and (schema.name, attribute.name) not in _ELSEWHERE
        and not any(
            _read(schema, {attribute.name: value}) != _read(schema, {})
            for value in _OTHERS[attribute.type]
            if value != _usual(attribute)
        )
    }
    assert lost == set()


@pytest.mark.parametrize("op", sorted(OPTIONS))
def test_the_defaults_are_those_of_the_standard(op: str) -> None:
    versions = [schema for schema in _schemas() if schema.name == op]
    for name in OPTIONS[op]:
        stated = [schema for schema in versions if name in schema.attributes]
        assert stated, f"{op} has no attribute {name}"
        for schema in stated:
            usual = _usual(schema.attributes[name])
            assert _rounded(default(op, name, schema.since_version)) == usual, (schema.since_version, name)


def test_attributes_without_an_effect_are_attributes_of_the_standard() -> None:
    assert set(UNUSED) <= {name for schema in _schemas() for name in schema.attributes}
