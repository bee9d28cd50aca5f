"""Hides nodes from onnx's shape inference that crash it although the model may be valid.

Source: tested with onnx 1.23 by giving every operator an input of unknown type, as after an operator
of a custom domain: these operators read that type without checking whether there is one.
"""

from __future__ import annotations

from typing import Any

from shapeinspect_onnx.reading.subgraphs import subgraphs

_HIDDEN = "shapeinspect.hidden."
_TRUSTING = frozenset({"EyeLike", "RegexFullMatch", "DictVectorizer", "LabelEncoder"})


def hide(graph: Any, outer: tuple[frozenset[str], ...] = ()) -> bool:
    """Move such nodes in place into a domain that inference does not know.

    Args:
        graph: the GraphProto.
        outer: the names of the values with a known type in each outer graph.

    Returns:
        Whether any nodes were moved.
    """
    typed_here = {entry.name for entry in (*graph.input, *graph.value_info) if entry.HasField("type")}
    typed = (frozenset(typed_here | {tensor.name for tensor in graph.initializer}), *outer)
    any_hidden = False
    for node in graph.node:
        if node.op_type in _TRUSTING and not (node.input and any(node.input[0] in names for names in typed)):
            node.domain = _HIDDEN + node.domain
            any_hidden = True
        for _, inner in subgraphs(node):
            any_hidden |= hide(inner, typed)
    return any_hidden


def show(graph: Any) -> None:
    """Undo :func:`hide` in place.

    Args:
        graph: the GraphProto.
    """
    for node in graph.node:
        node.domain = node.domain.removeprefix(_HIDDEN)
        for _, inner in subgraphs(node):
            show(inner)
