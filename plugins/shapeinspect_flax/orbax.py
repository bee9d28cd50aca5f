"""Reads an Orbax checkpoint directory: the tree, and each array's shape where it is known.

``_METADATA`` names every value. The true shape and element type are in each array's own header
(``.zarray``, ``zarr.json``), which is a separate file, or inside the OCDBT store, which only
tensorstore can read. Without it, a shape is known only if a single device wrote the array:
``write_shape`` is then the whole shape; otherwise it is the part that one process wrote.

Source: ``orbax/checkpoint/_src/metadata/{tree,array_metadata,value_metadata_entry}.py``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from shapeinspect.binary import json_text
from shapeinspect.dims import UNKNOWN, Shape
from shapeinspect.errors import ShapeInspectError, UnreadableFileError
from shapeinspect.ir import Note
from shapeinspect.sources.source import Source
from shapeinspect_flax import ocdbt
from shapeinspect_flax.dtypes import SIZES
from shapeinspect_flax.leaves import Leaf

TREE, CHECKPOINT, STORE = "_METADATA", "_CHECKPOINT_METADATA", "manifest.ocdbt"
#: The most axes, and the most directory entries that are read.
_AXES, _ENTRIES = 64, 4096
_LARGEST = (1 << 63) - 1

#: The values of ``value_metadata.value_type``; anything else is an array.
_NOTHING = frozenset(("None", "Dict", "List", "Tuple", "NamedTuple"))
_PLAIN = frozenset(("scalar", "string", "int", "float", "bool"))
_TYPESTR = re.compile(r"[<>|=]?([biufc])(\d{1,2})")
_KINDS = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}


@dataclass(frozen=True, slots=True)
class _Value:
    parts: tuple[str, ...]
    type: str
    written: Shape | None

    @property
    def key(self) -> str:
        """The name under which its array is stored."""
        return ".".join(self.parts)


def read_checkpoint(source: Source) -> tuple[list[Leaf], tuple[Note, ...]]:
    """List the values of a checkpoint.

    Args:
        source: the directory of one item, of one step with its items, or of several steps.

    Raises:
        UnreadableFileError: if its metadata is missing, corrupt or hostile.
    """
    if TREE in source.entries:
        return _item(source)
    if CHECKPOINT in source.entries:
        return _items(source)
    steps = sorted(
        (entry for entry in source.entries if is_step(entry)), key=lambda entry: (len(entry), entry)
    )
    for step in reversed(steps[-_ENTRIES:]):
        directory = source.sibling(step)
        if directory.is_directory and (TREE in directory.entries or CHECKPOINT in directory.entries):
            leaves, notes = read_checkpoint(directory)
            if len(steps) == 1:
                return leaves, notes
            return leaves, (Note(f"of {len(steps):,} steps, the last one, {step}, was read"), *notes)
    raise UnreadableFileError(source.label, f"none of its directories holds {TREE} or {CHECKPOINT}")


def is_step(entry: str) -> bool:
    """Tell whether a directory's name is the number of a step.

    Args:
        entry: the name.

    Example:
        >>> is_step("1200"), is_step("d")
        (True, False)
    """
    return entry.isascii() and entry.isdecimal() and len(entry) <= 18


def _items(source: Source) -> tuple[list[Leaf], tuple[Note, ...]]:
    items, others = {}, []
    for entry in source.entries[:_ENTRIES]:
        try:
            directory = source.sibling(entry)
        except ShapeInspectError:
            continue
        if directory.is_directory and TREE in directory.entries:
            items[entry] = directory
        elif directory.is_directory:
            others.append(entry)
    if not items:
        raise UnreadableFileError(source.label, f"none of its items holds {TREE}")
    leaves: list[Leaf] = []
    notes: list[Note] = []
    for name, item in items.items():
        inside, item_notes = _item(item)
        prefix = (name,) if len(items) > 1 else ()
        leaves += [
            Leaf((*prefix, *leaf.parts), leaf.shape, leaf.dtype, leaf.nbytes, leaf.array) for leaf in inside
        ]
        notes += item_notes
    if others:
        notes.append(Note(f"items without a tree of arrays were left out: {', '.join(others[:8])}"))
    return leaves, tuple(dict.fromkeys(notes))


def _item(source: Source) -> tuple[list[Leaf], tuple[Note, ...]]:
    metadata = _json(source.sibling(TREE))
    tree = metadata.get("tree_metadata") if isinstance(metadata, dict) else None
    if not isinstance(tree, dict):
        raise UnreadableFileError(source.label, f"{TREE} has no tree_metadata")
    values = [_value(name, entry, source) for name, entry in tree.items()]
    values = [value for value in values if value.type not in _NOTHING]
    arrays = [value for value in values if value.type not in _PLAIN]
    headers, missing = _headers(source, arrays, metadata.get("use_zarr3") is True)
    whole = _whole(source) if missing else frozenset()
    leaves = []
    for value in values:
        if value.type in _PLAIN:
            leaves.append(Leaf(value.parts, (), None, None, array=False))
        elif value.key in headers:
            leaves.append(_array(value, headers[value.key], source))
        else:
            leaves.append(Leaf(value.parts, _written(value, whole)))
    return leaves, _partial(leaves, missing)


def _value(name: str, entry: Any, source: Source) -> _Value:
    try:
        parts = tuple(str(key["key"]) for key in entry["key_metadata"])
        kind, written = str(entry["value_metadata"]["value_type"]), entry["value_metadata"].get("write_shape")
    except (TypeError, KeyError, AttributeError):
        raise UnreadableFileError(source.label, f"{TREE} does not describe {name!r}") from None
    if not parts:
        raise UnreadableFileError(source.label, f"{TREE} gives {name!r} no keys")
    return _Value(parts, kind, None if written is None else _lengths(written, source, name))


def _headers(source: Source, arrays: Sequence[_Value], third: bool) -> tuple[dict[str, Any], bool]:
    """Return the header of each array that has one, and whether some cannot be read."""
    suffix = "zarr.json" if third else ".zarray"
    keys = [value.key for value in arrays]
    if STORE in source.entries:
        if not ocdbt.is_available() or source.path is None:
            return {}, True
        texts = ocdbt.read_texts(source, [f"{key}/{suffix}" for key in keys])
        pairs = [(key, text) for key, text in zip(keys, texts, strict=True) if text is not None]
        return {
            key: json_text.parse(text, source.label, f"the header of {key!r}") for key, text in pairs
        }, len(pairs) < len(keys)
    headers = {}
    for key in keys:
        # A key that leads outside is refused by sibling before anything is looked up.
        try:
            header = source.sibling(f"{key}/{suffix}")
        except UnreadableFileError:
            raise
        except ShapeInspectError:
            continue
        headers[key] = _json(header)
    return headers, len(headers) < len(keys)


def _array(value: _Value, header: Any, source: Source) -> Leaf:
    if not isinstance(header, dict):
        raise UnreadableFileError(source.label, f"the header of {value.key!r} is not a JSON object")
    shape = _lengths(header.get("shape"), source, value.key)
    stated = header.get("data_type", header.get("dtype"))
    dtype = stated if isinstance(stated, str) else None
    named = _TYPESTR.fullmatch(dtype or "")
    if named:
        dtype = "bool" if named[1] == "b" else f"{_KINDS[named[1]]}{8 * int(named[2])}"
    size = SIZES.get(dtype or "")
    return Leaf(value.parts, shape, dtype, None if size is None else prod(shape) * size)


def _lengths(value: Any, source: Source, name: str) -> tuple[int, ...]:
    if (
        not isinstance(value, list)
        or len(value) > _AXES
        or any(type(length) is not int or length < 0 for length in value)
        or prod(value) > _LARGEST
    ):
        raise UnreadableFileError(source.label, f"the shape of {name!r} is invalid: {str(value)[:80]}")
    return tuple(value)


def _whole(source: Source) -> frozenset[str]:
    """Return the keys of the arrays that were on a single device, so that they were written whole."""
    if "_sharding" not in source.entries:
        return frozenset()
    shardings = _json(source.sibling("_sharding"))
    keys = set()
    for key, text in shardings.items() if isinstance(shardings, dict) else ():
        if isinstance(text, str) and '"SingleDeviceSharding"' in text[:200]:
            try:
                keys.add(base64.b64decode(key, validate=True).decode())
            except ValueError:
                raise UnreadableFileError(
                    source.label, f"_sharding has an invalid array name {key!r}"
                ) from None
    return frozenset(keys)


def _written(value: _Value, whole: frozenset[str]) -> Shape | None:
    if value.written is None:
        return None
    return value.written if value.key in whole else (UNKNOWN,) * len(value.written)


def _partial(leaves: Sequence[Leaf], missing: bool) -> tuple[Note, ...]:
    if not missing:
        return ()
    arrays = [leaf for leaf in leaves if leaf.array]
    known = sum(leaf.shape is not None and UNKNOWN not in leaf.shape for leaf in arrays)
    hint = "" if ocdbt.is_available() else "; pip install 'shapeinspect[orbax]' reads them all"
    return (
        Note(
            f"partial: element types and all but {known:,} of {len(arrays):,} shapes are only inside the "
            f"store{hint}"
        ),
    )


def _json(source: Source) -> Any:
    return json_text.read_file(source, "it")
