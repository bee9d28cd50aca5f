"""Turns the tensor arrays of TensorFlow 1 into lists of tensors, which later loops read and write.

A tensor array is a handle and a number, the flow, which orders what is done with it: each write takes the
flow of the one before. The list that a write returns stands in the place of its flow.

Source: https://www.tensorflow.org/api_docs/python/tf/raw_ops: ``TensorArrayV3`` and the operators on it,
``TensorListReserve``, ``TensorListFromTensor`` and the operators on lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from shapeinspect_tensorflow.graph.nodes import Node, Tensor


def as_lists(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """Return nodes with lists in the place of tensor arrays.

    Args:
        nodes: the nodes of a graph by name.
    """
    made: dict[str, Node] = {}
    for name, node in nodes.items():
        make, count = _MAKERS.get(node.op, (None, -1))
        if make is None or len(node.inputs) != count:
            made[name] = node
            continue
        for one in make(node, nodes):
            if one.name != name and one.name in nodes:
                made[name] = node
                break
            made[one.name] = one
    return made


def _new(node: Node, _nodes: Mapping[str, Node]) -> tuple[Node, ...]:
    """Return the list that an array begins with, as its handle and its flow."""
    reserved = f"{node.name}/list"
    return (
        Node(reserved, "TensorListReserve", ("", node.inputs[0]), _plain(node)),
        Node(node.name, "IdentityN", (reserved, reserved), {}),
    )


def _read(node: Node, _nodes: Mapping[str, Node]) -> tuple[Node, ...]:
    _, place, flow = node.inputs
    return (replace(node, op="TensorListGetItem", inputs=(flow, place, "")),)


def _write(node: Node, _nodes: Mapping[str, Node]) -> tuple[Node, ...]:
    _, place, value, flow = node.inputs
    return (Node(node.name, "TensorListSetItem", (flow, place, value), _plain(node)),)


def _scatter(node: Node, nodes: Mapping[str, Node]) -> tuple[Node, ...]:
    """Return the list of the rows of a tensor, where all of them are put into an array in order."""
    _, places, value, _ = node.inputs
    if not _in_order(places, nodes):
        return (node,)
    return (Node(node.name, "TensorListFromTensor", (value, ""), _plain(node)),)


def _gather(node: Node, nodes: Mapping[str, Node]) -> tuple[Node, ...]:
    _, places, flow = node.inputs
    return (replace(node, op="TensorListStack", inputs=(flow, "")),) if _in_order(places, nodes) else (node,)


def _size(node: Node, _nodes: Mapping[str, Node]) -> tuple[Node, ...]:
    return (replace(node, op="TensorListLength", inputs=(node.inputs[1],)),)


def _plain(node: Node) -> dict[str, object]:
    """Return the attributes of an operator that makes a list: the recorded shapes are those of a number."""
    return {name: value for name, value in node.attributes.items() if name != "_output_shapes"}


def _in_order(text: str, nodes: Mapping[str, Node]) -> bool:
    """Tell whether places are 0, 1, 2 and so on."""
    found = nodes.get(text.partition(":")[0])
    if found is None or found.op != "Range" or len(found.inputs) != 3:
        return False
    numbers = [_number(nodes.get(found.inputs[slot].partition(":")[0])) for slot in (0, 2)]
    return numbers == [0, 1]


def _number(node: Node | None) -> int | None:
    tensor = None if node is None else node.attributes.get("value")
    return tensor.numbers[0] if isinstance(tensor, Tensor) and tensor.numbers else None


_Make = Callable[[Node, Mapping[str, Node]], "tuple[Node, ...]"]

#: What stands for each operator, and how many inputs this has.
_MAKERS: Mapping[str, tuple[_Make, int]] = {
    "TensorArrayV3": (_new, 1),
    "TensorArrayReadV3": (_read, 3),
    "TensorArrayWriteV3": (_write, 4),
    "TensorArrayScatterV3": (_scatter, 4),
    "TensorArrayGatherV3": (_gather, 3),
    "TensorArraySizeV3": (_size, 2),
}
