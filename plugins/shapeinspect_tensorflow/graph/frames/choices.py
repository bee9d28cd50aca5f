"""The choices of TensorFlow 1.

``Switch`` gives a value to one of two branches, which reads its output 0 or 1, as a condition says, and
``Merge`` returns what the branch made that was run.

Source: ``tensorflow/core/ops/control_flow_ops.cc``, ``tensorflow/core/common_runtime/lower_if_op.cc``.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from shapeinspect_tensorflow.graph.frames.region import Finder, Region, free, kind_of, name_of
from shapeinspect_tensorflow.graph.nodes import Body, Function, Node

_BRANCHES = ("else_branch", "then_branch")


@dataclass(slots=True)
class _Choice:
    """Several values that one condition decides on.

    Args:
        node: the name of the node that stands for it.
        condition: what decides.
        entries: the nodes that give values to its branches.
        merges: the names of the nodes that joined its values.
        made: what the branches make, that of the false condition first.
        inside: the names of the nodes of the branches.
    """

    node: str
    condition: str
    entries: dict[str, Node] = field(default_factory=dict)
    merges: list[str] = field(default_factory=list)
    made: list[tuple[str, ...]] = field(default_factory=list)
    inside: tuple[dict[str, None], dict[str, None]] = field(default_factory=lambda: ({}, {}))


class Choices:
    """The choices of a graph.

    Args:
        nodes: its nodes by name.
        others: the nodes that join the values of loops.
    """

    def __init__(self, nodes: Mapping[str, Node], others: Container[str]) -> None:
        self._switches = {
            name: node for name, node in nodes.items() if kind_of(node) == "Switch" and len(node.inputs) == 2
        }
        numbered = {text for node in nodes.values() for text in node.inputs if text.endswith(":1")}
        #: The nodes that join the values of choices, each of which is looked at by itself.
        self.merges = [
            name
            for name, node in nodes.items()
            if kind_of(node) == "Merge" and len(node.inputs) == 2
            if name not in others and f"{name}:1" not in numbered
        ]
        self._found: dict[str, list[_Choice]] = {}

    def put(self, merge: str, nodes: dict[str, Node], finder: Finder, ends: Container[str]) -> str:
        """Put the output of a node that runs two functions in the place of a joined value.

        Args:
            merge: the name of the node that joins it.
            nodes: the nodes of the graph by name.
            finder: finds what stands inside of a branch.
            ends: the nodes that end other loops and choices.

        Returns:
            the name of a node that ends a loop or a choice inside of it, which has to come first.
        """
        node, regions = nodes[merge], []
        for text in node.inputs:
            region = finder.region([text], self._switches, ends)
            if region is None or region.blocked:
                return "" if region is None else region.blocked
            regions.append(region)
        conditions = {self._switches[name_of(text)].inputs[1] for one in regions for text in one.entries}
        sides = [_side(region, place) for place, region in enumerate(regions)]
        if len(conditions) != 1 or {*sides} != {0, 1}:
            return ""
        ordered = [regions[sides.index(side)] for side in (0, 1)]
        choice = self._choice(conditions.pop(), merge, ordered, nodes, finder)
        if choice is None:
            return ""
        choice.merges.append(merge)
        choice.made.append(tuple(node.inputs[sides.index(side)] for side in (0, 1)))
        for names, region in zip(choice.inside, ordered, strict=True):
            names.update(dict.fromkeys(region.names))
            for text in sorted(region.entries):
                choice.entries[name_of(text)] = self._switches[name_of(text)]
        functions = {name: Function(f"{choice.node}/{name}") for name in _BRANCHES}
        inputs = (choice.condition, *(one.inputs[0] for one in choice.entries.values()))
        nodes[choice.node] = Node(choice.node, "If", inputs, functions)
        nodes[merge] = Node(merge, "Identity", (f"{choice.node}:{len(choice.made) - 1}",), {})
        return ""

    def bodies(self, nodes: Mapping[str, Node]) -> list[Body]:
        """Return the functions that the nodes in their place run.

        Args:
            nodes: the nodes of the graph by name, with those in the place of others.
        """
        return [
            Body(
                f"{choice.node}/{name}", tuple(choice.entries), tuple(made[side] for made in choice.made),
                {one: nodes[one] for one in choice.inside[side]},
            )
            for choices in self._found.values()
            for choice in choices
            for side, name in enumerate(_BRANCHES)
        ]  # fmt: skip

    def _choice(
        self, condition: str, merge: str, regions: list[Region], nodes: Mapping[str, Node], finder: Finder
    ) -> _Choice | None:
        """Return the choice that a joined value belongs to: one with which it has nodes in common.

        Returns:
            None where that cannot be one node, such as a value and its gradient, which comes after it.
        """
        known = self._found.setdefault(condition, [])
        entries = {name_of(text) for region in regions for text in region.entries}
        inside = {name for region in regions for name in region.names if nodes[name].inputs}
        same = [
            choice
            for choice in known
            if entries & choice.entries.keys() or any(inside & names.keys() for names in choice.inside)
        ]
        if not same:
            known.append(_Choice(free(merge.rpartition("/")[0] or merge, nodes), condition))
            return known[-1]
        given = [self._switches[name].inputs[0] for name in entries | same[0].entries.keys()]
        apart = len(same) > 1 or finder.depends(given, {merge, *same[0].merges})
        return None if apart else same[0]


def _side(region: Region, place: int) -> int | None:
    """Return which branch a region is; one without an entry is that of its place."""
    found = {1 if text.endswith(":1") else 0 for text in region.entries}
    return place if not found else found.pop() if len(found) == 1 else None
