"""Gives every node a unique path, and takes it apart into the containers that exporters wrote."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from typing import Any

#: Parts of a path; what a longer one names beyond them stays in one.
_DEEPEST = 64
#: Where PyTorch's exporter writes the modules around a node.
_SCOPES = "pkg.torch.onnx.name_scopes"


def name_nodes(nodes: Iterable[Any], prefix: str, origins: dict[str, str]) -> None:
    """Make the nodes' names unique, in place: a node's own name, else its op type and position.

    Args:
        nodes: the NodeProtos of one graph.
        prefix: begins every path, such as ``"loop/body/"``.
        origins: gets the name in the file for every path that differs from it.
    """
    nodes = list(nodes)
    counts = Counter(node.name for node in nodes)
    taken = {node.name for node in nodes if counts[node.name] == 1}
    for index, node in enumerate(nodes):
        own = node.name
        name = own if own and counts[own] == 1 else f"{own or node.op_type}_{index}"
        while name != own and name in taken:
            name += "_"
        taken.add(name)
        if own and own != prefix + name:
            origins[prefix + name] = own
        node.name = prefix + name


def parts_of(node: Any) -> tuple[str, ...]:
    """Take a node's path apart, outermost first.

    Args:
        node: a NodeProto whose name is its path.
    """
    if "/" not in node.name:  # inside a function or a branch the path tells more
        scopes = next((entry.value for entry in node.metadata_props if entry.key == _SCOPES), None)
        modules = _scopes(scopes) if scopes else None
        if modules:
            return (*_shorten(modules), node.name)
    return path_parts(node.name)


def path_parts(path: str) -> tuple[str, ...]:
    """Take a path apart at its slashes.

    Args:
        path: a node's unique name.

    Example:
        >>> path_parts("/layer1/layer1.0/conv1/Conv")
        ('layer1', '0', 'conv1', 'Conv')
    """
    return _shorten(part for part in path.split("/") if part) or (path,)


def _scopes(text: str) -> tuple[str, ...] | None:
    """Read the list of module names that PyTorch wrote; the last one is the op itself."""
    if len(text) > 10_000:
        return None
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(name for name in names[:-1] if name)


def _shorten(parts: Iterable[str]) -> tuple[str, ...]:
    """Drop from each part what repeats the ones before it: ``layer1``, ``layer1.0`` is ``0`` inside."""
    found: list[str] = []
    spelled = ""
    for part in parts:
        found.append(part[len(spelled) + 1 :] if spelled and part.startswith(spelled + ".") else part)
        spelled = part
    if len(found) > _DEEPEST:
        return (*found[: _DEEPEST - 1], "/".join(found[_DEEPEST - 1 :]))
    return tuple(found)


def tidy(paths: dict[str, tuple[str, ...]], types: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Let an op that is alone in its container stand for it: ``conv1/Conv`` becomes ``conv1``.

    Args:
        paths: the parts of every layer, by its path.
        types: the native type of every layer.
    """
    inside = Counter(parts[:depth] for parts in paths.values() for depth in range(1, len(parts)))
    taken = Counter(paths.values())
    found: dict[str, tuple[str, ...]] = {}
    for path, parts in paths.items():
        around, leaf = parts[:-1], parts[-1]
        alone = bool(around) and inside[around] == 1 and not taken[around]
        found[path] = around if alone and (leaf == path or _is_type(leaf, types[path])) else parts
    return found


def _is_type(leaf: str, native: str) -> bool:
    return leaf == native or (leaf.startswith(native + "_") and leaf[len(native) + 1 :].isdecimal())
