"""Weights of Keras's HDF5 files: a group a layer, arrays by name.

Source: ``save_weights_to_hdf5_group`` of keras/src/legacy/saving/legacy_h5_format.py, 3.15, and of
keras/engine/saving.py, 2.2: a layer's group lists ``weight_names``, the trainable ones first; a nested
model's group lists those of all its layers. Keras 1 spells ``dense_1_W`` without a slash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shapeinspect_keras.containers.hdf5 import Dataset, Tree
from shapeinspect_keras.containers.jsontext import sequence, text
from shapeinspect_keras.saved.config import Node
from shapeinspect_keras.saved.weight_lists import SEEDS, Assignment, Path, Stored, doubles, leaves
from shapeinspect_keras.vocabulary.layouts import NON_TRAINABLE
from shapeinspect_keras.vocabulary.parts import part_roles, parts

_GROUP = "model_weights"
_TOP = "top_level_model_weights"
_MOST = 16


def is_legacy(tree: Tree) -> bool:
    """Tell whether a file is laid out by layer names, as Keras 1 and 2 do.

    Args:
        tree: the listed file.
    """
    return _GROUP in tree.groups or "layer_names" in tree.groups.get("", {})


def assign(model: Node | None, tree: Tree) -> Assignment:
    """Assign every array of the file to a layer.

    Args:
        model: the configuration, or None for a file of weights alone.
        tree: the listed file.
    """
    root = f"{_GROUP}/" if _GROUP in tree.groups else ""
    listed = [text(name) for name in sequence(tree.groups.get(root.rstrip("/"), {}).get("layer_names"))]
    if f"{root}{_TOP}" in tree.groups:
        listed.append(_TOP)
    assigned = Assignment()
    children = {child.name: child for child in model.children} if model is not None else {}
    for name in dict.fromkeys(listed):
        arrays = _arrays(tree, f"{root}{name}")
        child = children.get(name)
        if child is not None:
            _share(child, arrays, assigned)
        elif arrays or name != _TOP:
            assigned.below[(name,)] = [Stored(_tail(item), array, item) for item, array in arrays]
    if model is not None:
        assigned.doubtful.extend(doubles(assigned, dict(leaves(model))))
    return assigned


def _arrays(tree: Tree, group: str) -> list[tuple[str, Dataset]]:
    names = [text(name) for name in sequence(tree.groups.get(group, {}).get("weight_names"))]
    paths = [(name, tree.datasets.get(f"{group}/{name}")) for name in names]
    return [(name, array) for name, array in paths if array is not None and SEEDS not in name]


def _tail(name: str) -> str:
    return name.removesuffix(":0").rpartition("/")[2]


def _share(child: Node, arrays: Sequence[tuple[str, Dataset]], assigned: Assignment) -> None:
    """Divide a group's arrays among the layers inside it."""
    below = dict(leaves(child, (child.name,)))
    own: dict[Path, list[tuple[str, Dataset]]] = {}
    for name, array in arrays:
        own.setdefault(_owner(name, below, own), []).append((name, array))
    for path, entries in own.items():
        node = below.get(path)
        if node is None:
            assigned.below[path] = [Stored(_tail(name), array, name) for name, array in entries]
        else:
            roles = _roles(node, path[-1], [name for name, _ in entries])
            assigned.weights[path] = [
                Stored(role, array, name) for role, (name, array) in zip(roles, entries, strict=True)
            ]


def _owner(name: str, below: Mapping[Path, Node], own: Mapping[Path, list[tuple[str, Dataset]]]) -> Path:
    """Find the layer of an array by name: the innermost, with the most names of its models."""
    if len(below) == 1:
        return next(iter(below))
    spelled = f"/{name}"
    best: tuple[tuple[int, int, bool], Path] | None = None
    for path in below:
        position = spelled.rfind(f"/{path[-1]}/")
        if position < 0:
            position = 0 if "/" not in name and name.startswith(f"{path[-1]}_") else -1
        if position < 0:
            continue
        above = sum(f"/{part}/" in spelled for part in path[:-1])
        taken = any(other == name for other, _ in own.get(path, ()))
        rank = (position + len(path[-1]), above, not taken)
        if best is None or rank > best[0]:
            best = (rank, path)
    return best[1] if best is not None else (next(iter(below))[0], name)


def _roles(node: Node, layer: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the role of each array, from its own name and the part of the layer that it belongs to."""
    tails = [_tail(name).removeprefix(f"{layer}_") for name in names]
    expected = _expected(node) if node.own else []
    expected.sort(key=lambda role: role.rpartition("/")[2] in NON_TRAINABLE)
    if [role.rpartition("/")[2] for role in expected] == tails:
        return tuple(expected)
    return tuple(_after(name, layer) for name in names)


def _expected(node: Node) -> list[str]:
    roles: list[str] = []
    for part in parts(node.class_name, node.config):
        result = (part_roles(part, count) for count in range(1, _MOST))
        roles += next((item for item in result if item), ())
    return list(dict.fromkeys(roles))  # a weight of two parts is stored once


def _after(name: str, layer: str) -> str:
    """Return the part after the layer's name: ``query/kernel`` of ``mha/query/kernel``."""
    short = name.removesuffix(":0")
    _, separator, tail = f"/{short}".rpartition(f"/{layer}/")
    return tail if separator else _tail(name).removeprefix(f"{layer}_")
