"""Walks and rebuilds the arguments and results of a forward: tensors in nested containers."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

_ATOMS = (str, bytes, int, float, complex, bool, type(None), type)


def tensors(tree: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every tensor of nested containers with its dotted name, in order.

    Args:
        tree: a tensor, or dicts, tuples, lists, sets, named tuples, dataclasses and plain objects.
        name: the name of the outermost container.
    """
    yield from _walk(tree, name, ())


def rebuild(tree: Any, change: Callable[[Any], Any]) -> Any:
    """Return containers of the same structure with every tensor replaced; the old ones stay as they are.

    Args:
        tree: as for :func:`tensors`.
        change: maps one tensor.
    """
    return _rebuilt(tree, change, ())


def _walk(tree: Any, name: str, inside: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    import torch

    if isinstance(tree, torch.Tensor):
        yield name, tree
        return
    if id(tree) in inside:
        return
    for key, part in _parts(tree):
        yield from _walk(part, f"{name}.{key}" if name else str(key), (*inside, id(tree)))


def _parts(tree: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(tree, _ATOMS) or callable(tree):
        return
    if isinstance(tree, Mapping):
        yield from tree.items()
    elif type(tree).__name__ == "PackedSequence":
        yield "data", tree.data  # the other fields describe the packing
    elif isinstance(tree, tuple) and hasattr(tree, "_fields"):
        yield from zip(tree._fields, tree, strict=True)
    elif isinstance(tree, (list, tuple, set, frozenset)):
        yield from enumerate(tree)
    elif is_dataclass(tree):
        yield from ((field.name, getattr(tree, field.name, None)) for field in fields(tree))
    elif hasattr(tree, "__dict__"):
        yield from vars(tree).items()


def _rebuilt(tree: Any, change: Callable[[Any], Any], inside: tuple[int, ...]) -> Any:
    import torch

    if isinstance(tree, torch.Tensor):
        return change(tree)
    if isinstance(tree, _ATOMS) or callable(tree) or id(tree) in inside:
        return tree
    if type(tree).__name__ == "PackedSequence":
        return tree._replace(data=change(tree.data))
    parts = {key: _rebuilt(part, change, (*inside, id(tree))) for key, part in _parts(tree)}
    if isinstance(tree, tuple):
        return type(tree)(*parts.values()) if hasattr(tree, "_fields") else tuple(parts.values())
    if isinstance(tree, (list, set, frozenset)):
        return type(tree)(parts.values())
    if isinstance(tree, defaultdict) or type(tree) is dict:
        new = copy.copy(tree)
        new.update(parts)
        return new
    if isinstance(tree, Mapping):
        return _mapping(tree, parts)
    if parts:
        new = copy.copy(tree)
        for key, part in parts.items():
            object.__setattr__(new, key, part)
        return new
    return tree


def _mapping(tree: Mapping[Any, Any], parts: dict[Any, Any]) -> Any:
    new = copy.copy(tree)
    if is_dataclass(new) or hasattr(new, "__setitem__"):
        for key, part in parts.items():
            new[key] = part
        return new
    return tree
