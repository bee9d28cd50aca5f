"""The loops of TensorFlow 1.

Such a loop is a frame: ``Enter`` takes each value into it, ``Merge`` is the value at the start of a round,
``LoopCond`` says whether there is another one, ``Switch`` gives the value to that round or to ``Exit``,
which takes it out, and ``NextIteration`` is what the round made of it. Freezing writes the loops of
TensorFlow 2 in this form, too.

Source: ``tensorflow/core/ops/control_flow_ops.cc``, ``tensorflow/core/common_runtime/lower_while_op.cc``.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field

from shapeinspect_tensorflow.graph.frames.region import Finder, Region, kind_of, name_of
from shapeinspect_tensorflow.graph.nodes import Body, Function, Node

#: What TensorFlow calls a loop, behind the scope that it stands in.
_CONTEXT = "/while_context"


@dataclass(slots=True)
class _Value:
    """A value of a loop.

    Args:
        enter: the node that takes it into the loop.
        merge: the one that has it at the start of a round; None for a value that never changes.
        switch: the one that gives it to a round.
        made: the one that takes what a round made of it to the next.
    """

    enter: Node
    merge: Node | None = None
    switch: Node | None = None
    made: Node | None = None


@dataclass(slots=True)
class Loop:
    """One loop.

    Args:
        name: its name.
        values: its values by the names of the nodes that take them into it.
        condition: what says whether there is another round.
        exits: for each node that takes a value out of it, the name of what takes it in.
        node: the name of the node that stands for it; empty until there is one.
        inside: what its condition and its body are computed from.
    """

    name: str
    values: dict[str, _Value] = field(default_factory=dict)
    condition: Node | None = None
    exits: dict[str, str] = field(default_factory=dict)
    node: str = ""
    inside: list[Region] = field(default_factory=list)
    _known: dict[str, str] = field(default_factory=dict, init=False)

    @property
    def merges(self) -> Iterator[str]:
        """The names of the nodes that join its values with those of the next round."""
        return (one.merge.name for one in self.values.values() if one.merge is not None)

    def put(self, nodes: dict[str, Node], finder: Finder, ends: Container[str]) -> str:
        """Put one node in its place, if it is of the form above.

        Args:
            nodes: the nodes of the graph by name.
            finder: finds what stands inside of it.
            ends: the nodes that end other loops and choices.

        Returns:
            the name of a node that ends a loop or a choice inside of it, which has to come first.
        """
        if self.condition is None or not self.condition.inputs:
            return ""
        entries, made = self._entries(), [one.made for one in self.values.values() if one.made is not None]
        for roots in ([self.condition.inputs[0]], [node.inputs[0] for node in made if node.inputs]):
            region = finder.region(roots, entries, ends)
            if region is None or region.blocked:
                self.inside.clear()
                return "" if region is None else region.blocked
            self.inside.append(region)
        self.node = finder.free(self.name.removesuffix(_CONTEXT))
        places = {name: place for place, name in enumerate(self.values)}
        functions = {name: Function(f"{self.node}/{name} of a frame") for name in ("cond", "body")}
        inputs = tuple(one.enter.inputs[0] for one in self.values.values())
        attributes = {**functions, **self._recorded(nodes)}
        nodes[self.node] = Node(self.node, "While", inputs, attributes)
        for end, own in self.exits.items():
            nodes[end] = Node(end, "Identity", (f"{self.node}:{places[own]}",), {})
        return ""

    def bodies(self, nodes: Mapping[str, Node]) -> list[Body]:
        """Return the functions that the node in its place runs.

        Args:
            nodes: the nodes of the graph by name, with those in the place of others.
        """
        if not self.node or self.condition is None:
            return []
        entered = tuple(self.values)
        made = tuple(name if one.made is None else one.made.inputs[0] for name, one in self.values.items())
        reads = {
            name: Node(name, "Identity", (own,), {}) for name, own in self._entries().items() if name != own
        }
        return [
            Body(
                f"{self.node}/{name} of a frame", entered, outputs,
                {**reads, **{one: nodes[one] for one in region.names}},
            )
            for name, outputs, region in zip(
                ("cond", "body"), ((self.condition.inputs[0],), made), self.inside, strict=True
            )
        ]  # fmt: skip

    def _entries(self) -> dict[str, str]:
        """Return the names under which its nodes read its values, and what takes these in."""
        if not self._known:  # where something inside comes first, it is asked again
            for name, value in self.values.items():
                own = (value.enter, value.merge, value.switch)
                self._known.update((node.name, name) for node in own if node is not None)
        return self._known

    def _recorded(self, nodes: Mapping[str, Node]) -> dict[str, object]:
        """Return the recorded shapes of the values that leave it, where there are any."""
        shapes = {}
        for end, own in self.exits.items():
            found = nodes[end].attributes.get("_output_shapes")
            if isinstance(found, tuple) and found:
                shapes[own] = found[0]
        return {"_output_shapes": tuple(shapes.get(own) for own in self.values)} if shapes else {}


def loops(nodes: Mapping[str, Node]) -> list[Loop]:
    """Return the loops of a graph.

    Args:
        nodes: its nodes by name.
    """
    found: dict[str, Loop] = {}
    entered: dict[str, tuple[Loop, _Value]] = {}
    for name, node in nodes.items():
        frame = node.attributes.get("frame_name")
        if kind_of(node) == "Enter" and isinstance(frame, str) and frame and node.inputs:
            loop = found.setdefault(frame, Loop(frame))
            loop.values[name] = _Value(node)
            entered[name] = loop, loop.values[name]
    merged: dict[str, tuple[Loop, _Value]] = {}
    for name, node in nodes.items():
        first = name_of(node.inputs[0]) if kind_of(node) == "Merge" and len(node.inputs) == 2 else ""
        made = nodes.get(name_of(node.inputs[1])) if first in entered else None
        if made is not None and kind_of(made) == "NextIteration" and made.inputs:
            loop, value = merged[name] = entered[first]
            value.merge, value.made = node, made
    switched: dict[str, tuple[Loop, _Value]] = {}
    for name, node in nodes.items():
        first = name_of(node.inputs[0]) if kind_of(node) == "Switch" and len(node.inputs) == 2 else ""
        condition = nodes.get(name_of(node.inputs[1])) if first in merged else None
        if condition is not None and condition.op == "LoopCond":
            loop, value = switched[name] = merged[first]
            value.switch, loop.condition = node, condition
    for name, node in nodes.items():
        first = name_of(node.inputs[0]) if kind_of(node) == "Exit" and node.inputs else ""
        if first in switched:
            loop, value = switched[first]
            loop.exits[name] = value.enter.name
    return list(found.values())
