"""The layers as a flat list: by size, or in the order of execution."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from shapeinspect.dims import Dim, Expr, substitute, symbols
from shapeinspect.ir import Model
from shapeinspect.layer_names import row_label
from shapeinspect.render import cells
from shapeinspect.render.totals import weigh
from shapeinspect.render.tree import Node

#: The length that every symbol but that of the batch has where symbolic amounts are compared.
USUAL = 64


def ranked(root: Node, key: str) -> list[tuple[str, Node]]:
    """Return the layers with their labels, the largest first, those of unknown size last.

    Args:
        root: the tree of the layers, not folded.
        key: ``params``, ``bytes``, ``macs``, or ``path`` for the order of the alphabet.
    """
    return _labeled(sorted(_layers(root), key=partial(_rank, key=key)))


def executed(root: Node, model: Model) -> list[tuple[str, Node]]:
    """Return a row for every call with its label, as they run; what is never called comes last.

    Args:
        root: the tree of the layers, not folded.
        model: the model.

    Example:
        >>> from shapeinspect.ir import Call, Layer
        >>> from shapeinspect.render.tree import build
        >>> layers = (Layer("a", "relu", "ReLU"), Layer("b", "relu", "ReLU"))
        >>> calls = tuple(Call(name, ("x",), ("y",)) for name in "bab")
        >>> model = Model("m", "f", "f", "a", layers, calls)
        >>> [label for label, _ in executed(build(model), model)]
        ['b', 'a', 'b']
    """
    places = {id(call): place for place, call in enumerate(model.calls)}
    return _labeled(sorted(_one_by_one(_layers(root)), key=partial(_place, places=places)))


def _layers(root: Node) -> Iterator[Node]:
    return (node for node in root.walk() if node.layer is not None and node.layer.kind != "module")


def _labeled(nodes: Iterable[Node]) -> list[tuple[str, Node]]:
    return [(row_label(node.layer.path), node) for node in nodes if node.layer]


def _rank(node: Node, key: str) -> tuple[bool, int, str]:
    path = node.layer.path if node.layer else ""
    own = weigh(node.layer.weights if node.layer else (), node.calls)
    size = 0 if key == "path" else amount_for_one(getattr(own, key))
    return (size is None, -(size or 0), path)


def amount_for_one(amount: Dim | None) -> int | None:
    """Return an amount for one sample, with one and the same length for every other symbol.

    Args:
        amount: the amount, such as the work of a call; None if it is not known.
    """
    if isinstance(amount, Expr):
        amount = substitute(amount, {name: 1 if name in cells.BATCH else USUAL for name in symbols(amount)})
    return amount if isinstance(amount, int) else None


def _one_by_one(nodes: Iterable[Node]) -> Iterator[Node]:
    """Yield a node for every call; the first one has the weights."""
    for node in nodes:
        yield replace(node, calls=node.calls[:1], children=[], signature=0)
        again = None if node.layer is None else replace(node.layer, weights=())
        for call in node.calls[1:]:
            yield replace(node, layer=again, calls=[call], children=[], signature=0)


def _place(node: Node, places: Mapping[int, int]) -> int:
    return places[id(node.calls[0])] if node.calls else len(places)
