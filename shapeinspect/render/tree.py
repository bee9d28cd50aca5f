"""The layers as a tree of containers, with equal neighbors folded into one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from shapeinspect.ir import Call, Layer, Model, Weight, calls_by_layer

#: A longer run of digits is not a layer's number.
_DIGITS = 18
#: How many parts of a path become nodes, fewer where that would be too many nodes; the rest of a longer path
#: stays one part.
_DEEPEST, _DEEPEST_AT_LEAST, _NODES = 100, 12, 400_000
#: A container of more children remembers them by name.
_FEW = 8
#: How many equal neighbors are folded: blocks from two on, single layers from three on.
FOLD_BLOCKS, FOLD_LAYERS = 2, 3


#: The children of every node that has none: a list for each would be a third of a large tree.
_NONE: list[Node] = []


@dataclass(slots=True)
class Node:
    """A layer, or a container that only appears in paths.

    Args:
        name: the last part of its path; ``0–31`` where several are folded.
        layer: the layer, or None for a container without a layer of its own.
        calls: its executions.
        children: the nodes inside it.
        count: how many equal nodes this one represents.
        signature: a number that equal nodes share, from 1; 0 before ``fold``.
    """

    name: str
    layer: Layer | None = None
    calls: Sequence[Call] = ()
    children: list[Node] = field(default_factory=lambda: _NONE)
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
    calls = calls_by_layer(model.calls)
    root = Node("")
    inside: _Named = {}
    deepest = min(max(_NODES // max(len(model.layers), 1), _DEEPEST_AT_LEAST), _DEEPEST)
    before: tuple[str, ...] = ()
    way: list[Node] = []  # the containers around the layer before, of the parts ``before``
    for layer in model.layers:
        *around, last = shortened(layer.parts or (layer.path,), deepest)
        same = _common(before, around)
        del way[same:]
        outer = way[-1] if way else root
        for part in around[same:]:
            outer = _found(inside, outer, part) or _added(inside, outer, part)
            way.append(outer)
        before = tuple(around)
        node = _found(inside, outer, last)
        if node is None or node.layer is not None:
            node = _added(inside, outer, last)
        node.layer = layer
        if layer.path in calls:
            node.calls = calls[layer.path]
    return root


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """Return how many parts two paths have in common, from the outermost."""
    for place, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return place
    return min(len(left), len(right))


def shortened(parts: tuple[str, ...], deepest: int) -> tuple[str, ...]:
    """Return the parts of a path of which only some become nodes; the rest stays one part.

    Args:
        parts: the parts.
        deepest: how many are returned at most.

    Example:
        >>> shortened(("a", "b", "c", "d"), 2)
        ('a', 'b.c.d')
    """
    if len(parts) <= deepest:
        return parts
    return (*parts[: deepest - 1], ".".join(parts[deepest - 1 :]))


#: The latest child of each name, of the nodes that have more than a few; most have one or two.
_Named = dict[int, dict[str, Node]]


def _found(inside: _Named, outer: Node, name: str) -> Node | None:
    """Return the latest child of a name."""
    children = outer.children
    if len(children) > _FEW:
        return inside[id(outer)].get(name)
    for child in reversed(children):
        if child.name == name:
            return child
    return None


def _added(inside: _Named, outer: Node, name: str) -> Node:
    """Add a child of a name."""
    child = Node(name)
    if outer.children:
        outer.children.append(child)
    else:
        outer.children = [child]
    if len(outer.children) == _FEW + 1:
        inside[id(outer)] = {child.name: child for child in outer.children}
    elif len(outer.children) > _FEW:
        inside[id(outer)][name] = child
    return child


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
    facts = _Facts(model)
    nodes = [root]
    for node in nodes:  # which grows meanwhile: containers stand before what they hold
        nodes += node.children
    for node in reversed(nodes):
        children = node.children
        if len(children) > 1:
            children = node.children = _fold_run(children)
        inside = tuple([(child.name, child.signature) for child in children])
        key = (None if node.layer is None else facts.of(node, node.layer), inside)
        node.signature = numbers.setdefault(key, len(numbers) + 1)
    return root


def shorten(root: Node) -> Node:
    """Write a container that holds nothing but one node as one row with it: ``encoder/conv``.

    Args:
        root: the tree, folded or not; it is changed in place.

    Returns:
        the same root.

    Example:
        >>> layers = (Layer("a/b/c", "relu", "ReLU", ("a", "b", "c")),)
        >>> [node.name for node in shorten(build(Model("m", "f", "f", "a", layers))).walk()]
        ['', 'a/b/c']
    """
    stack = list(root.children)
    while stack:
        node = last = stack.pop()
        names = [node.name]
        while last.layer is None and len(last.children) == 1:
            last = last.children[0]
            names.append(last.name)
            node.count *= last.count
        if last is not node:
            node.name = _separator(last).join(names)
            node.layer, node.calls, node.children = last.layer, last.calls, last.children
            node.signature = last.signature
        stack.extend(node.children)
    return root


def _separator(node: Node) -> str:
    while node.layer is None and node.children:
        node = node.children[0]
    return "/" if node.layer is not None and "/" in node.layer.path else "."


class _Facts:
    """What has to be equal for two layers to be folded; what many layers share is written once."""

    def __init__(self, model: Model) -> None:
        self._values = model.values
        self._shared: dict[int, object] = {}  # by the id of what the model keeps

    def of(self, node: Node, layer: Layer) -> object:
        attributes = self._shared.get(id(layer.attributes))
        if attributes is None:
            attributes = self._shared[id(layer.attributes)] = repr(layer.attributes)
        return (
            layer.kind,
            layer.type,
            attributes,
            layer.candidates,
            tuple([self._stored(weight) for weight in layer.weights]),
            tuple([(self._shapes(call.inputs), self._shapes(call.outputs)) for call in node.calls]),
        )

    def _stored(self, w: Weight) -> tuple[object, ...]:
        layout = self._shared.get(id(w.layout))
        if layout is None:
            layout = self._shared[id(w.layout)] = repr(w.layout)
        return w.role, w.shape, w.type, w.nbytes, layout, w.trainable, w.buffer, w.count

    def _shapes(self, names: Sequence[str]) -> tuple[object, ...]:
        values = [self._values.get(name) for name in names]
        return tuple([None if value is None else value.shape for value in values])


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
    return is_next(run[-1].name, node.name)


def is_next(before: str, name: str) -> bool:
    """Tell whether two names differ by nothing but their numbers, and these follow on each other.

    Args:
        before: the name before.
        name: the name that may follow.

    Example:
        >>> is_next("conv1", "conv2"), is_next("conv1", "conv3"), is_next("conv", "conv1")
        (True, False, False)
    """
    (stem, last), (next_stem, number) = numbered(before), numbered(name)
    return bool(last and number) and stem == next_stem and int(number) == int(last) + 1


def numbered(name: str) -> tuple[str, str]:
    """Split a name into its stem and the number at its end, which may be empty.

    Args:
        name: the last part of a layer's path.

    Example:
        >>> numbered("conv12"), numbered("fc")
        (('conv', '12'), ('fc', ''))
    """
    stem = name.rstrip("0123456789")
    number = name[len(stem) :]
    return (stem, number) if len(number) <= _DIGITS else (name, "")


def _close(run: list[Node]) -> list[Node]:
    if len(run) < (FOLD_BLOCKS if run and run[0].children else FOLD_LAYERS):
        return run
    first = run[0]
    last = numbered(run[-1].name)[1]
    first.name = f"{first.name}–{last}" if last else first.name
    first.count = len(run)
    return [first]
