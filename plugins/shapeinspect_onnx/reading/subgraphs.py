"""The graphs inside a node."""

from __future__ import annotations

from typing import Any


def subgraphs(node: Any) -> list[tuple[str, Any]]:
    """Return a node's subgraphs with their attributes' names, an If's first branch first.

    Args:
        node: the NodeProto.
    """
    pairs = []
    for attribute in node.attribute:
        if attribute.HasField("g"):
            pairs.append((attribute.name, attribute.g))
        if attribute.graphs:
            pairs.extend((f"{attribute.name}_{index}", graph) for index, graph in enumerate(attribute.graphs))
    return sorted(pairs, key=lambda pair: pair[0] != "then_branch") if pairs else pairs
