"""Hides from onnx's inference the nodes that crash it in a model that may be quite in order.

Source: found with onnx 1.23 by giving every operator an input of unknown type, as behind an operator
of a custom domain: these read that type without asking whether there is one.
"""

from __future__ import annotations

from typing import Any

from shapeinspect_onnx.reading.subgraphs import subgraphs

_HIDDEN = "shapeinspect.hidden."
_TRUSTING = frozenset({"EyeLike", "RegexFullMatch", "DictVectorizer", "LabelEncoder"})


def hide(graph: Any, known: tuple[frozenset[str], ...] = ()) -> bool:
    """Move such nodes into a domain that inference does not know, in place.

    Args:
        graph: the GraphProto.
        known: the values of each graph around it whose types are recorded.

    Returns:
        whether there are any.
    """
    own = {entry.name for entry in (*graph.input, *graph.value_info) if entry.HasField("type")}
    typed = (frozenset(own | {tensor.name for tensor in graph.initializer}), *known)
    found = False
    for node in graph.node:
        if node.op_type in _TRUSTING and not (node.input and any(node.input[0] in names for names in typed)):
            node.domain = _HIDDEN + node.domain
            found = True
        for _, inner in subgraphs(node):
            found |= hide(inner, typed)
    return found


def show(graph: Any) -> None:
    """Undo :func:`hide`, in place.

    Args:
        graph: the GraphProto.
    """
    for node in graph.node:
        node.domain = node.domain.removeprefix(_HIDDEN)
        for _, inner in subgraphs(node):
            show(inner)
