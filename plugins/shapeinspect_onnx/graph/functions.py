"""Expands the calls of a model's local functions into their bodies, under the call's path."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from shapeinspect.errors import UnreadableFileError
from shapeinspect_onnx.graph.naming import name_nodes
from shapeinspect_onnx.reading.subgraphs import subgraphs
from shapeinspect_onnx.vocabulary.ops import DEFAULT_DOMAINS

_Key: TypeAlias = "tuple[str, str, str]"

MAX_DEPTH = 32
MAX_NODES = 200_000
#: The most bytes of expanded bodies and prefixed names, and the most characters of one path.
MAX_BYTES = 128 << 20
MAX_PATH = 8192


@dataclass(frozen=True, slots=True)
class Container:
    """A call that was expanded.

    Args:
        path: the call's path.
        type: the function's name.
        inputs: the names of its inputs.
        outputs: the names of its outputs.
    """

    path: str
    type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(slots=True)
class Expansion:
    """The state and the results of one expansion.

    Args:
        label: the file, for errors.
        functions: the functions by domain, name and overload.
        origins: the name in the file of every node whose path differs.
        openings: for the first node of each body (by its path) the calls around it.
        empty: the paths of calls of functions without a body.
        versions: the opsets of functions, by domain.
    """

    label: str
    functions: dict[_Key, Any]
    origins: dict[str, str]
    openings: dict[str, list[Container]] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    spent: int = 0

    def spend(self, count: int) -> None:
        """Count bytes that expansion adds to those in the file.

        Args:
            count: their number.

        Raises:
            UnreadableFileError: if there are too many in all.
        """
        self.spent += count
        if self.spent > MAX_BYTES:
            raise UnreadableFileError(
                self.label, f"functions and graphs inside nodes expand to over {MAX_BYTES >> 20} MiB"
            )


def name_and_expand(model: Any, label: str) -> Expansion:
    """Name every node of a model uniquely and expand its functions, in place.

    Args:
        model: the small ModelProto.
        label: the file, for errors.

    Raises:
        UnreadableFileError: if functions call themselves, or expand beyond the bounds.
    """
    functions = {(_domain(f.domain), f.name, f.overload): f for f in model.functions}
    state = Expansion(label, functions, {})
    _count(model.graph.node, state, {}, 0)
    _graph(model.graph, "", state, 0)
    present = {_domain(entry.domain) for entry in model.opset_import}
    for domain, version in state.versions.items():
        if domain not in present:
            model.opset_import.add(domain=domain, version=version)
    del model.functions[:]
    return state


def _domain(text: str) -> str:
    return "" if text in DEFAULT_DOMAINS else text


def _key(node: Any) -> _Key:
    return _domain(node.domain), node.op_type, node.overload


def _count(nodes: Iterable[Any], state: Expansion, known: dict[_Key, int], depth: int) -> int:
    """Return the number of nodes after expansion, before anything is expanded."""
    total = 0
    for node in nodes:
        key = _key(node)
        function = state.functions.get(key)
        if function is None:
            total += sum(_count(graph.node, state, known, depth + 1) for _, graph in subgraphs(node))
            continue
        if key not in known:
            known[key] = MAX_NODES + 1  # as many as a function that calls itself
            inner = _count(function.node, state, known, depth + 1) if depth < MAX_DEPTH else MAX_NODES
            known[key] = len(function.node) + inner
        total += known[key]
        if total > MAX_NODES:
            reason = f"the function {function.name!r} calls itself, or functions expand to too many nodes"
            raise UnreadableFileError(state.label, reason)
    return total


def _graph(graph: Any, prefix: str, state: Expansion, depth: int) -> None:
    names = len(graph.node) + len(graph.input) + len(graph.initializer)
    state.spend(len(prefix) * (names + sum(len(node.output) for node in graph.node)))
    name_nodes(graph.node, prefix, state.origins)
    nodes = [expanded for node in graph.node for expanded in _expand(node, state, depth)]
    if len(nodes) != len(graph.node) or state.functions:
        del graph.node[:]
        graph.node.extend(nodes)


def _expand(node: Any, state: Expansion, depth: int) -> list[Any]:
    """Return the nodes that a named node is expanded to."""
    function = state.functions.get(_key(node))
    if function is None:
        for name, graph in subgraphs(node):
            if len(node.name) + len(name) > MAX_PATH:
                raise UnreadableFileError(
                    state.label, f"a graph stands at a path of over {MAX_PATH:,} characters"
                )
            _graph(graph, f"{node.name}/{name}/", state, depth + 1)
        return [node]
    if not function.node:
        state.empty.append(node.name)
        return [node]
    for entry in function.opset_import:
        state.versions.setdefault(_domain(entry.domain), entry.version)
    # The outer names of the names in the body; a missing input has none.
    names = {**dict.fromkeys(function.input, ""), **dict(zip(function.input, node.input, strict=False))}
    names.update({formal: own for formal, own in zip(function.output, node.output, strict=False) if own})
    attributes = {attribute.name: attribute for attribute in function.attribute_proto}
    attributes.update({attribute.name: attribute for attribute in node.attribute})
    body = []
    handed = sum(len(name) for name in (*node.input, *node.output, node.name))
    for inner in function.node:
        state.spend(2 * inner.ByteSize() + handed * (len(inner.input) + len(inner.output) + 1))
        state.spend(2 * sum(attribute.ByteSize() for attribute in _referred(inner, attributes)))
        copy = type(inner)()
        copy.CopyFrom(inner)
        _rename(copy, names, node.name, attributes)
        body.append(copy)
    name_nodes(body, f"{node.name}/", state.origins)
    expanded = [piece for copy in body for piece in _expand(copy, state, depth + 1)]
    container = Container(node.name, node.op_type, tuple(node.input), tuple(node.output))
    state.openings.setdefault(expanded[0].name, []).insert(0, container)
    return expanded


def _referred(node: Any, attributes: dict[str, Any]) -> list[Any]:
    """The attributes of the call that a node of the body refers to, those in its subgraphs too."""
    own = [
        attributes[own_attribute.ref_attr_name]
        for own_attribute in node.attribute
        if own_attribute.ref_attr_name in attributes
    ]
    inner = (part for _, graph in subgraphs(node) for part in graph.node)
    return [*own, *(referred for part in inner for referred in _referred(part, attributes))]


def _rename(node: Any, known: dict[str, str], path: str, attributes: dict[str, Any]) -> None:
    node.input[:] = [_name(name, known, path) for name in node.input]
    node.output[:] = [_name(name, known, path) for name in node.output]
    resolved = []
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            actual = attributes.get(attribute.ref_attr_name)
            if actual is not None:
                copy = type(attribute)()
                copy.CopyFrom(actual)
                copy.name = attribute.name
                resolved.append(copy)
            continue
        resolved.append(attribute)
    copies = [type(attribute).FromString(attribute.SerializeToString()) for attribute in resolved]
    del node.attribute[:]
    node.attribute.extend(copies)
    for _, graph in subgraphs(node):
        _rename_graph(graph, known, path, attributes)


def _rename_graph(graph: Any, known: dict[str, str], path: str, attributes: dict[str, Any]) -> None:
    """Rename the outer values that a subgraph reads; its own names stay."""
    own = {entry.name for entry in (*graph.input, *graph.initializer)}
    own.update(name for node in graph.node for name in node.output)
    inner = {**known, **{name: name for name in own}}
    for node in graph.node:
        _rename(node, inner, path, attributes)
    for entry in graph.output:
        entry.name = _name(entry.name, inner, path)


def _name(name: str, known: dict[str, str], path: str) -> str:
    return known.setdefault(name, f"{path}/{name}") if name else ""
