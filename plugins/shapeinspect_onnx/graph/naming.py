"""Gives every node a unique path, and splits it into the containers that exporters wrote."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from typing import Any

#: The most parts of a path; the rest of a longer one stays in one part.
_DEEPEST = 64
#: The most slashes at which a path is split: names may be longer than any of their kind.
_SPLIT = 4 * _DEEPEST
#: Where PyTorch's exporter writes the modules around a node.
_SCOPES = "pkg.torch.onnx.name_scopes"
#: What PyTorch's exporter calls a module where it has lost the name.
_NO_MODULE = "_empty_nn_module_stack_from_metadata_hook"
#: What stands between the names of nodes that a converter has fused into one.
_FUSED = ";"


def name_nodes(nodes: Iterable[Any], prefix: str, origins: dict[str, str]) -> None:
    """Make the nodes' names unique, in place: a node's own name, else its op type and position.

    Args:
        nodes: the NodeProtos of one graph.
        prefix: the prefix of every path, such as ``"loop/body/"``.
        origins: receives the name in the file for every path that differs from it.
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
    """Return the parts of a node's path, outermost first.

    Args:
        node: a NodeProto whose name is its path.
    """
    if "/" not in node.name:  # inside a function or a branch the path says more
        scopes = next((entry.value for entry in node.metadata_props if entry.key == _SCOPES), None)
        modules = _scopes(scopes) if scopes else None
        if modules:
            return (*_shorten(modules), node.name)
    return path_parts(node.name)


def path_parts(path: str) -> tuple[str, ...]:
    """Split a path at its slashes, unless it is several names in one.

    Args:
        path: a node's unique name.

    Example:
        >>> path_parts("/layer1/layer1.0/conv1/Conv")
        ('layer1', '0', 'conv1', 'Conv')
        >>> path_parts("conv/BiasAdd;conv/Conv2D")
        ('conv/BiasAdd;conv/Conv2D',)
    """
    if _FUSED in path:
        return (path,)
    return _shorten(part for part in path.split("/", _SPLIT) if part not in ("", _NO_MODULE)) or (path,)


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
    return tuple(name for name in names[:-1] if name not in ("", _NO_MODULE))


def _shorten(parts: Iterable[str]) -> tuple[str, ...]:
    """Remove from each part what repeats the parts before it: ``layer1/layer1.0`` is ``layer1/0``."""
    parts_left: list[str] = []
    spelled = ""
    for part in parts:
        parts_left.append(part[len(spelled) + 1 :] if spelled and part.startswith(spelled + ".") else part)
        spelled = part
    if len(parts_left) > _DEEPEST:
        return (*parts_left[: _DEEPEST - 1], "/".join(parts_left[_DEEPEST - 1 :]))
    return tuple(parts_left)


def tidy(paths: dict[str, tuple[str, ...]], types: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Replace a container by its only op: ``conv1/Conv`` becomes ``conv1``.

    Args:
        paths: the parts of every layer, by its path.
        types: the native type of every layer.
    """
    inside = Counter(parts[:depth] for parts in paths.values() for depth in range(1, len(parts)))
    taken = Counter(paths.values())
    tidied: dict[str, tuple[str, ...]] = {}
    for path, parts in paths.items():
        around, leaf = parts[:-1], parts[-1]
        alone = bool(around) and inside[around] == 1 and not taken[around]
        tidied[path] = around if alone and (leaf == path or _is_type(leaf, types[path])) else parts
    return tidied


def _is_type(leaf: str, native: str) -> bool:
    return leaf == native or (leaf.startswith(native + "_") and leaf[len(native) + 1 :].isdecimal())
