"""Element types that follow from the operators alone, where onnx's inference did not run or gave up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shapeinspect.ir import Call, Layer, Value

#: Operators that count axes or elements. Source: the operators' own specification, as for all below.
_COUNTS = frozenset({"Shape", "Size"})
#: Operators whose output has the type of their first input.
_SAME = frozenset({
    "Abs", "Add", "Ceil", "Clip", "Concat", "Div", "Expand", "Flatten", "Floor", "Gather",
    "Identity", "Max", "Min", "Mod", "Mul", "Neg", "Pad", "Range", "ReduceMax", "ReduceMin",
    "ReduceProd", "ReduceSum", "Relu", "Reshape", "Round", "Slice", "Split", "Squeeze", "Sub",
    "Sum", "Tile", "Transpose", "Unsqueeze",
})  # fmt: skip


def complete(layers: Sequence[Layer], calls: Sequence[Call], values: dict[str, Value]) -> None:
    """Fill in the element types that are not known.

    Args:
        layers: the nodes.
        calls: their calls, in order.
        values: the values by name, which are changed.
    """
    known = {layer.path: layer for layer in layers}
    for call in calls:
        layer = known.get(call.layer)
        if layer is None:
            continue
        kind = layer.type.rpartition(".")[2]
        first = values.get(call.inputs[0]) if call.inputs else None
        dtype = None
        if kind in _COUNTS:
            dtype = "int64"
        elif kind == "Cast":
            dtype = layer.attributes.get("dtype")
        elif kind in _SAME and first is not None:
            dtype = first.dtype
        for name in call.outputs if isinstance(dtype, str) else ():
            if name in values and values[name].dtype is None:
                values[name] = replace(values[name], dtype=dtype)
