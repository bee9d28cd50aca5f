"""Puts loops, choices and lists of TensorFlow 2 in the place of those of TensorFlow 1."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from shapeinspect_tensorflow.graph.frames.arrays import as_lists
from shapeinspect_tensorflow.graph.frames.choices import Choices
from shapeinspect_tensorflow.graph.frames.loops import loops
from shapeinspect_tensorflow.graph.frames.region import Finder, kind_of
from shapeinspect_tensorflow.graph.nodes import Graph

#: What a graph has that is rewritten.
_OLD = frozenset({"Enter", "Merge", "TensorArrayV3"})


def functional(graph: Graph) -> Graph:
    """Return a graph whose loops and choices are nodes that run functions.

    One that is not of the form that TensorFlow writes is left as it is.

    Args:
        graph: the graph as it is in the file; it is changed.
    """
    if _OLD.isdisjoint(map(kind_of, graph.nodes.values())):
        return graph
    nodes = as_lists(graph.nodes)
    frames = loops(nodes)
    choices = Choices(nodes, {name for loop in frames for name in loop.merges})
    finder = Finder(nodes)
    waiting: list[tuple[Callable[..., str], list[str]]] = [(loop.put, list(loop.exits)) for loop in frames]
    waiting += [(partial(choices.put, merge), [merge]) for merge in choices.merges]
    ends = {name for _, own in waiting for name in own}
    while waiting:
        later = []
        for put, own in waiting:
            if put(nodes, finder, ends):
                later.append((put, own))  # what stands inside of it comes first
            else:
                ends.difference_update(own)
        if len(later) == len(waiting):
            break
        waiting = later
    bodies = [*(body for loop in frames for body in loop.bodies(nodes)), *choices.bodies(nodes)]
    inside = {name for body in bodies for name, node in body.nodes.items() if node.inputs}
    graph.put({name: node for name, node in nodes.items() if name not in inside}, bodies)
    return graph
