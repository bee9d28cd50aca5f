"""Sorts nodes so that each comes after the nodes that produce its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from typing import Any


def sort(nodes: Sequence[tuple[Any, Iterable[str]]]) -> list[Any] | None:
    """Sort the nodes of one graph; nodes that do not have to move keep their order.

    ONNX Runtime's optimizations append new nodes at the end, wherever they belong.

    Args:
        nodes: each NodeProto with the names that its subgraphs read.

    Returns:
        The nodes, or None if some depend on one another in a cycle.
    """
    makers = {name: index for index, (node, _) in enumerate(nodes) for name in node.output if name}
    waiting: list[int] = []
    readers: list[list[int]] = [[] for _ in nodes]
    for index, (node, implicit) in enumerate(nodes):
        needed = {makers[name] for name in (*node.input, *implicit) if name in makers}
        waiting.append(len(needed))
        for maker in needed:
            readers[maker].append(index)
    ready = [index for index, count in enumerate(waiting) if not count]
    heapify(ready)
    ordered = []
    while ready:
        index = heappop(ready)
        ordered.append(nodes[index][0])
        for reader in readers[index]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heappush(ready, reader)
    return ordered if len(ordered) == len(nodes) else None
