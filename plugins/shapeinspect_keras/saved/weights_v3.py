"""Weights of Keras 3 (``model.weights.h5``): groups by class and number, variables without names.

Source: ``_save_state`` and ``_save_container_state`` of keras/src/saving/saving_lib.py, 3.15: a layer in
a list is stored under its class's name in snake case and a number, another one under its attribute;
attribute ``name`` of its ``vars`` group is the layer's own name (absent in early files).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from shapeinspect_keras.containers.hdf5 import Dataset, Tree
from shapeinspect_keras.containers.jsontext import text
from shapeinspect_keras.saved.config import Node
from shapeinspect_keras.saved.quantized_groups import plain, quantized
from shapeinspect_keras.saved.structures import Structure, structure
from shapeinspect_keras.saved.weight_lists import SEEDS, Assignment, Path, Stored, leaves, tie
from shapeinspect_keras.vocabulary.parts import part_roles, parts

#: The most groups of variables inside one layer that is recognized by them.
_MOST_GROUPS = 64
_LISTS = ("layers", "_layer_checkpoint_dependencies")
_WORD = re.compile(r"(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])")


def snake(class_name: str) -> str:
    """Spell a class's name like the groups of a weight file.

    Args:
        class_name: the class.

    Example:
        >>> snake("Conv2DTranspose"), snake("ReLU"), snake("LSTMCell")
        ('conv2d_transpose', 're_lu', 'lstm_cell')
    """
    return _WORD.sub("_", re.sub(r"\W", "", class_name)).lower()


class Holders:
    """The groups of one file that hold variables, by their paths.

    Args:
        tree: the listed file.
    """

    def __init__(self, tree: Tree) -> None:
        self.arrays: dict[str, list[tuple[int, Dataset]]] = {}
        self.names: dict[str, str] = {}
        for path, attributes in tree.groups.items():
            holder, _, last = path.rpartition("/")
            if last == "vars":
                self.arrays.setdefault(holder, [])
                name = text(attributes.get("name"))
                if name:
                    self.names[holder] = name
        for path, dataset in tree.datasets.items():
            group, _, number = path.rpartition("/")
            holder, _, last = group.rpartition("/")
            if last == "vars" and number.isdecimal() and number.isascii():
                self.arrays.setdefault(holder, []).append((int(number[:9]), dataset))
        for arrays in self.arrays.values():
            arrays.sort(key=lambda pair: pair[0])
        self.order = sorted(self.arrays)

    def below(self, prefix: str) -> Iterator[str]:
        """List the holders strictly below a group; everything for the root.

        Args:
            prefix: the group's path.
        """
        start = f"{prefix}/" if prefix else ""
        for index in range(bisect_left(self.order, start), len(self.order)):
            path = self.order[index]
            if not path.startswith(start):
                break
            if path != prefix:
                yield path


def assign(model: Node | None, tree: Tree) -> Assignment:
    """Assign every variable of the file to a layer.

    Args:
        model: the configuration, or None for a file of weights alone.
        tree: the listed file.
    """
    holders = Holders(tree)
    assigned = Assignment()
    used: set[str] = set()
    known: dict[Path, Node] = {}
    if model is not None and model.form != "layer":
        known = dict(leaves(model))
        _Walk(holders, assigned, used).model(model, "", ())
        tie(assigned, {path: node for path, node in known.items() if path not in assigned.weights}, known)
    _remaining(holders, assigned, used, "", ())
    _join_normalized(assigned)
    return assigned


def _join_normalized(assigned: Assignment) -> None:
    """Join a ``SpectralNormalization`` and the layer inside it, both of which store the kernel.

    Source: ``build`` of keras/src/layers/normalization/spectral_normalization.py, 3.15: the wrapper keeps the
    kernel and a vector of one row, with an entry for each output. As in every wrapper, the layer inside it is
    its attribute ``layer``, and so is its group.
    """
    inside: dict[Path, list[Path]] = {}
    for path, stored in assigned.below.items():
        if stored:
            inside.setdefault(path[:-1], []).append(path)
    joined, gone = dict[Path, list[Stored]](), set[Path]()
    for path, outer in assigned.below.items():
        if len(outer) != 2 or outer[1].dataset.shape != (1, *outer[0].dataset.shape[-1:]):
            continue
        children = inside.get(path, [])
        inner = assigned.below[children[0]] if len(children) == 1 else []
        if not inner or _holder(inner[0]) != f"{_holder(outer[0])}/layer":
            continue
        if inner[0].dataset.shape == outer[0].dataset.shape:
            listed = [*outer, *inner[1:]]
            joined[path] = [replace(one, role=str(number)) for number, one in enumerate(listed)]
            gone.add(children[0])
    assigned.below.update(joined)
    for path in gone:
        del assigned.below[path]


def _holder(stored: Stored) -> str:
    """Return the group of the layer that stores an array."""
    return stored.dataset.path.rpartition("/vars/")[0]


class _Walk:
    """Follows a configuration through the groups of a weight file."""

    def __init__(self, holders: Holders, assigned: Assignment, used: set[str]) -> None:
        self.holders, self.assigned, self.used = holders, assigned, used

    def model(self, model: Node, prefix: str, path: Path) -> None:
        self.used.add(prefix)
        if model.form == "distributed":
            self.layer(model.children[0], _join(prefix, "layer"), (*path, model.children[0].name))
            return
        listed: dict[str, str] = {}
        elsewhere: dict[str, str] = {}
        for holder in self.holders.below(prefix):
            inner = holder.removeprefix(prefix).strip("/").split("/")
            if holder in self.holders.names:
                direct = len(inner) == 2 and inner[0] in _LISTS
                (listed if direct else elsewhere).setdefault(self.holders.names[holder], holder)
        counts: dict[str, int] = {}
        for child in model.children:
            group = self._numbered(child, model, prefix, counts)
            where = listed.get(child.name) or group or elsewhere.get(child.name)
            if where is not None and where not in self.used:
                self.layer(child, where, (*path, child.name))

    def _numbered(self, child: Node, model: Node, prefix: str, counts: dict[str, int]) -> str | None:
        if ".ops." in child.module or (model.form == "sequential" and child.is_input):
            return None
        stem = snake(child.class_name)
        number = counts[stem] = counts.get(stem, -1) + 1
        for folder in _LISTS:
            group = _join(prefix, f"{folder}/{stem}_{number}" if number else f"{folder}/{stem}")
            if group not in self.holders.names and (
                group in self.holders.arrays or next(self.holders.below(group), None) is not None
            ):
                return group
        return None

    def layer(self, node: Node, holder: str, path: Path) -> None:
        if node.form != "layer":
            self.model(node, holder, path)
            return
        self.used.add(holder)
        weights = self.assigned.weights.setdefault(path, [])
        if not node.own:
            weights += _plain(self.holders, holder)
            _remaining(self.holders, self.assigned, self.used, holder, path)
            return
        weights += _of_parts(self.holders, self.used, holder, node.class_name, node.config)


def _of_parts(
    holders: Holders, used: set[str], holder: str, class_name: str, config: Mapping[str, Any]
) -> list[Stored]:
    """List the arrays of a layer of a known class and of everything inside it."""
    weights: list[Stored] = []
    inside = {_bare(sub.removeprefix(holder).strip("/")): sub for sub in holders.below(holder)}
    inside[""] = holder
    for part in parts(class_name, config):
        sub = inside.pop(_bare(part.stored), None)
        if sub is None or sub not in holders.arrays:
            continue
        used.add(sub)
        arrays = holders.arrays[sub]
        roles = part_roles(part, len(arrays)) or tuple(f"{part.prefix}{number}" for number, _ in arrays)
        # A weight shared by two parts is stored for each of them.
        known = {weight.role for weight in weights}
        stored = [Stored(role, array) for role, (_, array) in zip(roles, arrays, strict=True)]
        weights += [weight for weight in stored if weight.role not in known]
    for relative, sub in inside.items():
        used.add(sub)
        if not _is_seed(holders, sub):
            weights += [Stored(_join(relative, item.role), item.dataset) for item in _plain(holders, sub)]
    return weights


def _structure(holders: Holders, holder: str) -> Structure | None:
    """Recognize a layer by its own arrays where they are quantized, else by the groups below it."""
    if not holder:
        return None
    if own := holders.arrays.get(holder):
        alone = next(holders.below(holder), None) is None
        return quantized(holder.rpartition("/")[2], [array for _, array in own]) if alone else None
    groups: dict[str, list[Dataset]] = {}
    for sub in holders.below(holder):
        if holders.arrays[sub] and not _is_seed(holders, sub):
            groups[_bare(sub.removeprefix(holder).strip("/"))] = [
                dataset for _, dataset in holders.arrays[sub]
            ]
            if len(groups) > _MOST_GROUPS:
                return None
    if packed := plain(groups):
        found = structure(packed[0])
        return (found[0], {**found[1], "dtype": packed[1]}) if found else None
    shapes = {path: tuple(array.shape for array in arrays) for path, arrays in groups.items()}
    return structure(shapes) if shapes else None


def _plain(holders: Holders, holder: str) -> list[Stored]:
    return [Stored(str(number), dataset) for number, dataset in holders.arrays.get(holder, ())]


def _remaining(holders: Holders, assigned: Assignment, used: set[str], prefix: str, path: Path) -> None:
    """List the holders that are not layers in any configuration, each under its own name."""
    names: dict[str, Path] = {prefix: path}
    for holder in holders.below(prefix) if prefix else holders.order:
        if holder in used or _is_seed(holders, holder):
            continue
        used.add(holder)
        found = _structure(holders, holder)
        arrays = _of_parts(holders, used, holder, *found) if found else _plain(holders, holder)
        parent = holder
        while parent not in names and parent:
            parent = parent.rpartition("/")[0]
        above = names.get(parent, path)
        last = holders.names.get(holder) or holder.removeprefix(parent).strip("/")
        where = (*above, last) if holder else path
        if where in assigned.below or where in assigned.weights:
            where = (*above, holder.removeprefix(parent).strip("/"))
        names[holder] = where
        if found:
            assigned.structures[where] = found
        if arrays or holder:
            assigned.below[where] = arrays


def _is_seed(holders: Holders, holder: str) -> bool:
    return SEEDS in holder.rpartition("/")[2] or SEEDS in holders.names.get(holder, "")


def _bare(path: str) -> str:
    """Remove the leading underscores that some versions put in an attribute's name."""
    return "/".join(part.lstrip("_") for part in path.split("/"))


def _join(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name
