"""What a file of weights stores, layer by layer, in the order of the file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from shapeinspect.errors import ShapeInspectError
from shapeinspect.sources.source import from_path
from shapeinspect_keras.containers import container, hdf5
from shapeinspect_keras.containers.jsontext import mapping, sequence, text
from shapeinspect_keras.saved.weights_v2 import is_legacy

Lengths = tuple[int, ...]

_GROUP = "model_weights"
_NUMBERED = re.compile(r"(?P<path>.*?)/?vars/(?P<index>\d+)")


@dataclass(frozen=True, slots=True)
class StoredLayer:
    """The weights of one layer.

    Args:
        name: what the layer was called when it was saved; empty if the file does not say.
        path: its group in the file.
        shapes: the shape of each weight, in order.
    """

    name: str
    path: str
    shapes: tuple[Lengths, ...]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of weights.

    Args:
        legacy: whether it is laid out by layer names, as Keras 1 and 2 do.
        layers: the layers that have weights.
        model: what the model was called when it was saved; empty if the file does not say.
    """

    legacy: bool
    layers: tuple[StoredLayer, ...]
    model: str = ""


def stored_file(path: str) -> StoredFile | None:
    """Read what a file stores; None where it cannot be read.

    Args:
        path: the file.
    """
    if not os.path.isfile(path):
        return None
    try:
        source = from_path(path)
        with open(path, "rb") as file:
            zipped = file.read(2) == b"PK"
        contents = container.open_archive(source) if zipped else container.open_hdf5(source)
    except (ShapeInspectError, OSError, ValueError):
        return None
    name = text(mapping(mapping(contents.config).get("config")).get("name")) if contents.config else ""
    if is_legacy(contents.tree):
        return StoredFile(True, tuple(_by_name(contents.tree)), name)
    return StoredFile(False, tuple(_by_number(contents.tree)), name)


def _by_name(tree: hdf5.Tree) -> Iterator[StoredLayer]:
    root = f"{_GROUP}/" if _GROUP in tree.groups else ""
    for item in sequence(tree.groups.get(root.rstrip("/"), {}).get("layer_names")):
        name = text(item)
        group = f"{root}{name}"
        names = [text(one) for one in sequence(tree.groups.get(group, {}).get("weight_names"))]
        arrays = [tree.datasets.get(f"{group}/{one}") for one in names]
        shapes = tuple(tuple(array.shape) for array in arrays if array is not None)
        if shapes:
            yield StoredLayer(name, group, shapes)


def _by_number(tree: hdf5.Tree) -> Iterator[StoredLayer]:
    groups: dict[str, dict[int, Lengths]] = {}
    for path, array in tree.datasets.items():
        found = _NUMBERED.fullmatch(path)
        if found and not path.startswith(("optimizer", "_optimizer")):
            groups.setdefault(found["path"], {})[int(found["index"])] = tuple(array.shape)
    for path, shapes in groups.items():
        group = f"{path}/vars" if path else "vars"
        name = text(tree.groups.get(group, {}).get("name"))
        yield StoredLayer(name, path, tuple(shapes[index] for index in sorted(shapes)))
