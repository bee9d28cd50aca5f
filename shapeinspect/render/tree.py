"""The layers as a tree of containers, with equal neighbors folded into one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from shapeinspect.ir import Call, Layer, Model, Value, Weight

_NUMBERED = re.compile(r"(.*?)(\d+)")

#: How many equal neighbors make a fold: blocks from two on, single layers from three on.
_FOLD_BLOCKS, _FOLD_LAYERS = 2, 3


@dataclass(slots=True)
class Node:
    """A layer, or a container that only the paths tell of.

    Args:
        name: the last part of its path; ``0–31`` where several are folded.
        layer: what stands there, or None for a container without a layer of its own.
        calls: its executions.
        children: what stands inside it.
        count: how many equal ones this node stands for.
        signature: a number that equal nodes share, from 1 on; 0 where nothing was compared.
    """

    name: str
    layer: Layer | None = None
    calls: list[Call] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    count: int = 1
    signature: int = 0

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it, top down."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))


def build(model: Model) -> Node:
    """Arrange the layers of a model as a tree by the parts of their paths.

    Args:
        model: the model.

    Example:
        >>> layers = tuple(Layer(f"b.{n}", "relu", "ReLU", ("b", str(n))) for n in (0, 1))
        >>> [node.name for node in build(Model("m", "f", "f", "a", layers)).walk()]
        ['', 'b', '0', '1']
    """
    calls: dict[str, list[Call]] = defaultdict(list)
    for call in model.calls:
        calls[call.layer].append(call)
    root = Node("")
    known: dict[tuple[str, ...], Node] = {(): root}
    for layer in model.layers:
        parts = layer.parts or (layer.path,)
        node = known.get(parts)
        if node is None or node.layer is not None:
            node = Node(parts[-1])
            _parent(known, parts[:-1]).children.append(node)
            known[parts] = node
        node.layer = layer
        node.calls = calls.get(layer.path, [])
    return root


def _parent(known: dict[tuple[str, ...], Node], parts: tuple[str, ...]) -> Node:
    missing: list[tuple[str, ...]] = []
    while parts not in known:
        missing.append(parts)
        parts = parts[:-1]
    node = known[parts]
    for parts in reversed(missing):
        child = Node(parts[-1])
        node.children.append(child)
        known[parts] = node = child
    return node


def fold(root: Node, model: Model) -> Node:
    """Replace runs of equal, consecutively numbered neighbors by one node each, in place.

    Equal means: the same kinds, types, attributes, weights and shapes all the way down. Time grows
    linearly with the number of nodes.

    Args:
        root: the tree.
        model: the model whose values give the shapes.

    Returns:
        the same root.

    Example:
        >>> layers = tuple(Layer(f"b.{n}", "relu", "ReLU", ("b", str(n))) for n in range(4))
        >>> model = Model("m", "f", "f", "a", layers)
        >>> [node.name for node in fold(build(model), model).walk()]
        ['', 'b', '0–3']
    """
    numbers: dict[object, int] = {}
    nodes = list(root.walk())
    for node in reversed(nodes):
        if node.children:
            node.children = _fold_run(node.children)
        inside = tuple([(child.name, child.signature) for child in node.children])
        key = (_facts(node, model), inside)
        node.signature = numbers.setdefault(key, len(numbers) + 1)
    return root


def _facts(node: Node, model: Model) -> object:
    layer = node.layer
    if layer is None:
        return None
    return (
        layer.kind,
        layer.type,
        repr(layer.attributes),
        layer.candidates,
        tuple([_stored(weight) for weight in layer.weights]),
        tuple([(_shapes(call.inputs, model), _shapes(call.outputs, model)) for call in node.calls]),
    )


def _stored(w: Weight) -> tuple[object, ...]:
    return w.role, w.shape, w.dtype, w.nbytes, w.layout, w.trainable, w.buffer, w.count


def _shapes(names: Sequence[str], model: Model) -> tuple[object, ...]:
    empty = Value("")
    return tuple(model.values.get(name, empty).shape for name in names)


def _fold_run(nodes: list[Node]) -> list[Node]:
    folded: list[Node] = []
    run: list[Node] = []
    for node in nodes:
        if run and not _follows(run, node):
            folded += _close(run)
            run = []
        run.append(node)
    return folded + _close(run)


def _follows(run: list[Node], node: Node) -> bool:
    if run[0].signature != node.signature:
        return False
    last, this = _NUMBERED.fullmatch(run[-1].name), _NUMBERED.fullmatch(node.name)
    return (
        last is not None
        and this is not None
        and last.group(1) == this.group(1)
        and int(this.group(2)) == int(last.group(2)) + 1
    )


def _close(run: list[Node]) -> list[Node]:
    if len(run) < (_FOLD_BLOCKS if run and run[0].children else _FOLD_LAYERS):
        return run
    first = run[0]
    last = _NUMBERED.fullmatch(run[-1].name)
    first.name = f"{first.name}–{last.group(2)}" if last else first.name
    first.count = len(run)
    return [first]
