"""Reads the object graph of a checkpoint, which contains the original names of its variables.

Source: tensorflow/core/protobuf/trackable_object_graph.proto
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shapeinspect.binary.protobuf import Budget, Field, fields, need, text
from shapeinspect.binary.window import Window

_MAX_NODES = 2_000_000
_MAX_NAMES = 20_000_000
#: The most parts of a path; of a longer one only the end is shown.
_MAX_DEPTH = 100
#: Children of Keras's optimizers that no model has.
_OPTIMIZER = (frozenset({"_iterations", "_variables"}), frozenset({"_iterations", "_learning_rate"}))


@dataclass(slots=True)
class Node:
    """One object.

    Args:
        children: the names and numbers of its objects.
        attributes: the full names of its tensors, and their keys in the checkpoint.
        has_slots: whether it stores state for other variables, as optimizers do.
    """

    children: list[tuple[str, int]] = field(default_factory=list)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    has_slots: bool = False

    @property
    def is_optimizer(self) -> bool:
        """Whether it is an optimizer."""
        names = {name for name, _ in self.children}
        return self.has_slots or any(children <= names for children in _OPTIMIZER)


@dataclass(frozen=True, slots=True)
class Named:
    """The names of a variable in the object graph.

    Args:
        path: the names of the objects on the path to it, outermost first.
        full_name: its own name, such as ``dense/kernel``; may be empty.
    """

    path: tuple[str, ...]
    full_name: str


def parse(window: Window, start: int, end: int) -> list[Node]:
    """Read a TrackableObjectGraph.

    Args:
        window: the bytes around it.
        start: the message's first byte.
        end: the byte after it.

    Raises:
        UnreadableFileError: if it is malformed.
    """
    budget = Budget(window, "objects", _MAX_NODES)
    nodes = []
    for item in fields(window, start, end):
        if item.number == 1:
            need(window, item)
            budget.spend()
            nodes.append(_node(window, item))
    return nodes


def _node(window: Window, outer: Field) -> Node:
    node = Node()
    for item in fields(window, outer.start, outer.end):
        if item.number == 1:
            node.children.append(child(window, item))
        elif item.number == 2:
            need(window, item)
            texts = {part.number: text(window, part) for part in fields(window, item.start, item.end)
                     if part.number in (2, 3)}  # fmt: skip
            node.attributes.append((texts.get(2, ""), texts.get(3, "")))
        elif item.number == 3:
            node.has_slots = True
    return node


def child(window: Window, outer: Field) -> tuple[str, int]:
    """Read an ObjectReference: the child's name and number.

    Args:
        window: the file.
        outer: the field around it.

    Raises:
        UnreadableFileError: if it is malformed.
    """
    need(window, outer)
    name, number = "", 0
    for part in fields(window, outer.start, outer.end):
        if part.number == 1:
            number = part.value
        elif part.number == 2:
            name = text(window, part)
    return name, number


def names(window: Window, nodes: Sequence[Node]) -> tuple[dict[str, Named], frozenset[str]]:
    """Return the shortest path to every variable that does not belong to an optimizer.

    Args:
        window: the file, for errors.
        nodes: the objects; the first is the root.

    Returns:
        The model's variables by their keys, in the order of the walk, and the keys that only
        optimizers have.

    Raises:
        UnreadableFileError: if the paths together exceed the limit.

    Example:
        >>> nodes = [Node([("dense", 1)]), Node([], [("dense/kernel", "dense/kernel/.ATTRIBUTES/V")])]
        >>> names(Window.from_bytes(b"", "m"), nodes)[0]["dense/kernel/.ATTRIBUTES/V"].path
        ('dense',)
    """
    budget = Budget(window, "names of objects", _MAX_NAMES)
    variables: dict[str, Named] = {}
    above: dict[int, tuple[int, str]] = {}
    level = [0] if nodes else []
    above.update(dict.fromkeys(level, (-1, "")))
    while level:
        below: list[int] = []
        for number in level:
            node = nodes[number]
            if number and node.is_optimizer:
                continue
            for full_name, key in node.attributes:
                path = _path(number, above)
                budget.spend(len(path))
                variables.setdefault(key, Named(path, full_name))
            for name, index in node.children:
                if index < len(nodes) and index not in above:
                    above[index] = (number, name)
                    below.append(index)
        level = below
    all_keys = {key for node in nodes for _, key in node.attributes}
    return variables, frozenset(all_keys - set(variables))


def _path(number: int, above: dict[int, tuple[int, str]]) -> tuple[str, ...]:
    parts = []
    while number:
        number, name = above[number]
        parts.append(name)
        if len(parts) > _MAX_DEPTH:
            break
    return tuple(reversed(parts))
