"""Reads the nodes that run graphs of their own: If, Loop and Scan.

Source: https://onnx.ai/onnx/operators/onnx__Loop.html , https://onnx.ai/onnx/operators/onnx__Scan.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shapeinspect.ir import Block, Body
from shapeinspect_onnx.reading.node import attributes

_PASSING = frozenset({"Identity", "Cast"})
#: The opset since which a Scan has no batch axis, and names the axes of what it reads and stacks.
_SCANNED_BY_AXES = 9


def body_of(names: Mapping[str, str], path: str, graph: Any) -> tuple[Body, Any]:
    """Describe a graph inside a node, and return its proto with it.

    Args:
        names: the model's names of its values.
        path: its path.
        graph: the GraphProto.
    """
    inputs = tuple(names.get(entry.name, entry.name) for entry in graph.input)
    outputs = tuple(names.get(entry.name, entry.name) for entry in graph.output)
    return Body(path, inputs, outputs), graph


def block_of_node(
    node: Any,
    bodies: Sequence[tuple[Body, Any]],
    inputs: Sequence[str],
    outputs: Sequence[str],
    constants: Mapping[str, Any],
    version: int,
) -> Block | None:
    """Describe how a node runs its graphs; None where that is not known.

    Args:
        node: the NodeProto.
        bodies: its graphs.
        inputs: the model's names of what it reads.
        outputs: the model's names of its outputs.
        constants: the constants around it.
        version: the opset.
    """
    path, first = node.name, tuple(body for body, _ in bodies)
    if node.op_type == "If" and inputs and len(bodies) == 2:
        return Block(path, "if", first, tuple(inputs), tuple(outputs))
    if len(bodies) != 1:
        return None
    body, graph = bodies[0]
    lengths = version < _SCANNED_BY_AXES and bool(inputs) and bool(inputs[0])
    if node.op_type == "SequenceMap" or (node.op_type == "Scan" and lengths):
        return Block(path, "map", first, tuple(inputs), tuple(outputs))
    if node.op_type == "Loop" and len(body.inputs) >= 2 and body.outputs:
        given = (*inputs, "", "")[: max(len(inputs), 2)]
        states = len(body.inputs) - 2
        if len(given) != states + 2 or len(body.outputs) <= states:
            return None  # the node and its graph do not carry the same states
        kept, last = _last_condition(graph)
        begins = node.input[1] if len(node.input) > 1 else ""
        stays = not begins or _true(constants.get(begins))
        counted = stays and (kept or last is True or (isinstance(last, str) and _true(constants.get(last))))
        return Block(path, "loop", first, given, tuple(outputs), states, counted=counted, kept=kept)
    settings = attributes(node)
    scanned = settings.get("num_scan_inputs")
    if node.op_type != "Scan" or not scanned or not isinstance(scanned, int):
        return None
    if version < _SCANNED_BY_AXES:
        inputs = inputs[1:]
    if not 0 < scanned <= len(inputs) == len(body.inputs):
        return None
    states = len(inputs) - scanned
    read_axes = tuple(settings.get("scan_input_axes") or (0,) * scanned)
    stacked_axes = tuple(settings.get("scan_output_axes") or (0,) * (len(outputs) - states))
    if not all(isinstance(axis, int) for axis in (scanned, *read_axes, *stacked_axes)):
        return None
    return Block(
        path,
        "scan",
        first,
        tuple(inputs),
        tuple(outputs),
        states,
        read_axes,
        stacked_axes,
        batched=version < _SCANNED_BY_AXES,
    )


def _last_condition(graph: Any) -> tuple[bool, bool | str | None]:
    """Tell whether a loop hands on the condition that it reads; else if it is True, or its outer name."""
    makers = {name: maker for maker in graph.node for name in maker.output}
    name = graph.output[0].name
    for _ in range(len(makers) + 1):
        if name == graph.input[1].name:
            return True, None
        maker = makers.get(name)
        if maker is None:
            stored = [tensor for tensor in graph.initializer if tensor.name == name]
            return False, any(map(_true_tensor, stored)) if stored else name
        if maker.op_type == "Constant":
            return False, any(_true_tensor(part.t) for part in maker.attribute if part.name == "value")
        if maker.op_type not in _PASSING or not maker.input:
            return False, None
        name = maker.input[0]
    return False, None


def _true(constant: Any) -> bool:
    numbers = constant.numbers() if constant is not None else None
    return numbers is not None and len(numbers) > 0 and all(numbers)


def _true_tensor(tensor: Any) -> bool:
    """Tell whether a tensor of booleans in the file holds True."""
    return any(tensor.raw_data) or any(tensor.int32_data)
