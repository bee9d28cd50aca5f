"""The choices of TensorFlow 1.

``Switch`` gives a value to one of two branches, which reads its output 0 or 1, as a condition says, and
``Merge`` returns what the branch made that was run.

Source: ``tensorflow/core/ops/control_flow_ops.cc``, ``tensorflow/core/common_runtime/lower_if_op.cc``.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

from shapeinspect_tensorflow.graph.frames.region import Finder, Region, kind_of, name_of
from shapeinspect_tensorflow.graph.nodes import Body, Function, Node

_BRANCHES = ("else_branch", "then_branch")


@dataclass(slots=True, eq=False)
class _Choice:
    """Several values that one condition decides on.

    Args:
        node: the name of the node that stands for it.
        condition: what decides.
        entries: the nodes that give values to its branches.
        given: what those take, each once.
        merges: the names of the nodes that joined its values.
        made: what the branches make, that of the false condition first.
        inside: the names of the nodes of the branches.
    """

    node: str
    condition: str
    entries: dict[str, Node] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    merges: set[str] = field(default_factory=set)
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
        self._found: list[_Choice] = []
        #: For a condition and the name of a node: the choice that this belongs to.
        self._owners: dict[tuple[str, str], _Choice] = {}

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
        entries = {name_of(text) for region in regions for text in region.entries}
        conditions = {self._switches[name].inputs[1] for name in entries}
        sides = [_side(region, place) for place, region in enumerate(regions)]
        if len(conditions) != 1 or {*sides} != {0, 1}:
            return ""
        ordered = [regions[sides.index(side)] for side in (0, 1)]
        shared = {name for region in regions for name in region.names if nodes[name].inputs} | entries
        condition = conditions.pop()
        choice = self._choice(condition, merge, entries, shared, finder)
        if choice is None:
            return ""
        self._owners.update(((condition, name), choice) for name in shared)
        choice.made.append(tuple(node.inputs[sides.index(side)] for side in (0, 1)))
        for names, region in zip(choice.inside, ordered, strict=True):
            names.update(dict.fromkeys(region.names))
            fresh = [name for name in map(name_of, sorted(region.entries)) if name not in choice.entries]
            self._enter(choice, fresh, nodes)
        nodes[merge] = Node(merge, "Identity", (f"{choice.node}:{len(choice.made) - 1}",), {})
        return ""

    def _enter(self, choice: _Choice, names: Iterable[str], nodes: dict[str, Node]) -> None:
        """Let the node in the place of a choice read more values; of many, each is looked at once."""
        entries = {name: self._switches[name] for name in names}
        inputs = tuple(entry.inputs[0] for entry in entries.values())
        choice.entries.update(entries)
        choice.given.update(inputs)
        functions = {name: Function(f"{choice.node}/{name}") for name in _BRANCHES}
        before = nodes.get(choice.node, Node(choice.node, "If", (choice.condition,), functions))
        nodes[choice.node] = replace(before, inputs=(*before.inputs, *inputs))

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
            for choice in self._found
            for side, name in enumerate(_BRANCHES)
        ]  # fmt: skip

    def _choice(
        self, condition: str, merge: str, entries: Set[str], shared: Set[str], finder: Finder
    ) -> _Choice | None:
        """Return the choice that a joined value belongs to: one with which it has nodes in common.

        Args:
            condition: what decides on it.
            merge: the name of the node that joins it.
            entries: the names of the nodes that give values to its branches.
            shared: those, and the names of the nodes of its branches that read something.
            finder: finds what a value is computed from.

        Returns:
            None where that cannot be one node, such as a value and its gradient, which comes after it.
        """
        owners = {self._owners[condition, name] for name in shared if (condition, name) in self._owners}
        if not owners:
            self._found.append(
                _Choice(finder.free(merge.rpartition("/")[0] or merge), condition, merges={merge})
            )
            return self._found[-1]
        same = owners.pop()
        same.merges.add(merge)
        given = same.given.union(self._switches[name].inputs[0] for name in entries)
        if owners or finder.depends(given, same.merges):
            same.merges.remove(merge)
            return None
        return same


def _side(region: Region, place: int) -> int | None:
    """Return which branch a region is; one without an entry is that of its place."""
    found = {1 if text.endswith(":1") else 0 for text in region.entries}
    return place if not found else found.pop() if len(found) == 1 else None
