"""Arrays of a weight file assigned to layers, each with its role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shapeinspect_keras.containers.hdf5 import Dataset
from shapeinspect_keras.saved.config import Node
from shapeinspect_keras.vocabulary.layouts import NON_TRAINABLE

#: A layer's path as parts, without the outermost model's own name.
Path = tuple[str, ...]

SEEDS = "seed_generator"


@dataclass(frozen=True, slots=True)
class Stored:
    """One array of a layer.

    Args:
        role: what it is in its layer, such as ``kernel``; its number where the role is unknown.
        dataset: the array.
        name: its full name, where the file spells one.
        tied: whether another layer holds the same array.
    """

    role: str
    dataset: Dataset
    name: str | None = None
    tied: bool = False

    @property
    def trainable(self) -> bool | None:
        """Whether it is a parameter and not a statistic; None if its role is unknown."""
        tail = self.role.rpartition("/")[2]
        return None if tail.isdecimal() else tail not in NON_TRAINABLE


@dataclass(frozen=True, slots=True)
class Assignment:
    """All arrays of a file, each assigned to a layer.

    Args:
        weights: the arrays of every layer that the configuration lists.
        below: arrays of layers that only the weight file knows, by their path: layers inside a class of
            the user's own, or all of them in a file without a configuration.
        doubtful: pairs of layers that may be one.
        structures: the class and settings of those in ``below`` that the groups inside them prove.
    """

    weights: dict[Path, list[Stored]] = field(default_factory=dict)
    below: dict[Path, list[Stored]] = field(default_factory=dict)
    doubtful: list[tuple[Path, Path]] = field(default_factory=list)
    structures: dict[Path, tuple[str, dict[str, Any]]] = field(default_factory=dict)


def leaves(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """List every layer that holds no other listed layer, with its path.

    Args:
        node: a model or layer.
        path: its own path.
    """
    if node.form == "layer":
        yield path, node
    for child in node.children:
        yield from leaves(child, (*path, child.name))


def tie(assigned: Assignment, missing: Mapping[Path, Node], known: Mapping[Path, Node]) -> None:
    """Give a layer that the file stores under another model the arrays it shares with that one.

    Args:
        assigned: the arrays by layer; it is completed.
        missing: the layers without arrays of their own.
        known: every layer.
    """
    by_name = {
        (known[path].class_name, path[-1]): path for path in reversed(assigned.weights) if path in known
    }
    for path, node in missing.items():
        twin = by_name.get((node.class_name, path[-1])) if path else None
        if twin is None or twin == path or not assigned.weights[twin] or not _alike(known[twin], node):
            continue
        assigned.weights[twin] = [
            Stored(item.role, item.dataset, item.name, True) for item in assigned.weights[twin]
        ]
        assigned.weights[path] = [
            Stored(item.role, item.dataset, None, True) for item in assigned.weights[twin]
        ]


def _alike(left: Node, right: Node) -> bool:
    # Settings that are objects (initializers, policies) have counters of their own.
    plain = [key for key in left.config.keys() | right.config.keys() if not _is_object(left, right, key)]
    return all(left.config.get(key) == right.config.get(key) for key in plain)


def _is_object(left: Node, right: Node, key: str) -> bool:
    return isinstance(left.config.get(key), dict) or isinstance(right.config.get(key), dict)


def doubles(assigned: Assignment, known: Mapping[Path, Node]) -> list[tuple[Path, Path]]:
    """Find layers of one name, class and settings in different models, stored once for each.

    An HDF5 file does not record whether they are one shared layer.

    Args:
        assigned: the arrays by layer.
        known: every layer.
    """
    first: dict[tuple[str, str], Path] = {}
    pairs = []
    for path, stored in assigned.weights.items():
        node = known.get(path)
        if node is None or not stored:
            continue
        twin = first.setdefault((node.class_name, path[-1]), path)
        if twin != path and _alike(known[twin], node):
            pairs.append((twin, path))
    return pairs
