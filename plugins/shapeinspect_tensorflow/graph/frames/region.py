"""What stands inside of a loop or a branch: what its results are computed from, up to where values enter."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from shapeinspect_tensorflow.graph.nodes import Node

#: So many nodes are looked at for each node of the graph.
_MOST = 10
_EDGES = frozenset({"Enter", "NextIteration", "LoopCond"})


@dataclass(slots=True)
class Region:
    """Some nodes of a graph.

    Args:
        names: their names.
        entries: what they read from around them: the texts of the inputs.
        blocked: the name of a node that ends another loop or choice, which stands inside and comes first.
    """

    names: list[str] = field(default_factory=list)
    entries: set[str] = field(default_factory=set)
    blocked: str = ""


class Finder:
    """Finds regions; the work is limited.

    Args:
        nodes: the nodes of the graph by name, which may change.
    """

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes
        self._left = _MOST * len(nodes)
        self._numbers: dict[str, int] = {}

    def region(self, roots: Iterable[str], entries: Container[str], ends: Container[str]) -> Region | None:
        """Return all that some values are computed from.

        Args:
            roots: the values, as the inputs of nodes name them.
            entries: the nodes at which values enter.
            ends: the nodes that end other loops and choices.

        Returns:
            None where something else of a loop stands in it, or the work is too much.
        """
        found = Region()
        seen: set[str] = set()
        waiting = list(roots)
        self._left -= len(waiting)
        if self._left < 0:
            return None
        while waiting:
            text = waiting.pop()
            name = name_of(text)
            self._left -= 1
            if name in entries:
                found.entries.add(text)
                continue
            if name in seen:
                continue
            node = self._nodes.get(name)
            if node is None or self._left < 0:
                return None
            if name in ends:
                found.blocked = name
                return found
            if kind_of(node) in _EDGES:
                return None
            seen.add(name)
            found.names.append(name)
            waiting.extend(source for source in node.inputs if source)
        return found

    def depends(self, texts: Iterable[str], names: Container[str]) -> bool:
        """Tell whether values are computed from what some nodes make, or that takes too much work to tell.

        Args:
            texts: the values, as the inputs of nodes name them.
            names: the nodes.
        """
        seen: set[str] = set()
        waiting = [name_of(text) for text in texts]
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            self._left -= 1
            if name in names or self._left < 0:
                return True
            seen.add(name)
            node = self._nodes.get(name)
            waiting.extend(name_of(source) for source in (() if node is None else node.inputs) if source)
        return False

    def free(self, name: str) -> str:
        """Return a name that no node has, with a number behind it where one is taken.

        Args:
            name: the one that is wanted.

        Example:
            >>> Finder({"while": Node("while", "While", (), {})}).free("while")
            'while (1)'
        """
        taken = name
        while taken in self._nodes:
            self._numbers[name] = self._numbers.get(name, 0) + 1  # what was taken once stays taken
            taken = f"{name} ({self._numbers[name]})"
        return taken


def name_of(text: str) -> str:
    """Return the name of the node that an input is read from.

    Args:
        text: the input, which may end in the number of an output.

    Example:
        >>> name_of("while/Switch:1")
        'while/Switch'
    """
    return text.partition(":")[0]


def kind_of(node: Node | None) -> str:
    """Return an operator without the word for variables of TensorFlow 1, which are handed on by reference.

    Args:
        node: the node, if there is one.

    Example:
        >>> kind_of(Node("a", "RefEnter", (), {})), kind_of(None)
        ('Enter', '')
    """
    return "" if node is None else node.op.removeprefix("Ref")
