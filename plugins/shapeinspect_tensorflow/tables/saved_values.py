"""The values of a SavedModel's variables, which stand in a checkpoint beside its graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.ir import Note
from shapeinspect.sources.source import Source
from shapeinspect_tensorflow.tables import bundle, objects
from shapeinspect_tensorflow.tables.bundle import Bundle, Entry
from shapeinspect_tensorflow.tables.data_files import Shard, file_size, object_graph, values

_INDEX = "variables/variables.index"
#: How many pairs of objects are compared by their children.
_MOST_PAIRS = 2_000_000


@dataclass(frozen=True, slots=True)
class SavedValues:
    """What reads the values of variables.

    Args:
        index: the ``.index`` file; None where there is none.
        contents: what it holds.
        shards: the data files by number.
        keys: the key of each variable in the index, by the number of its object.
        entries: the variables by their keys.
    """

    index: Source | None = None
    contents: Bundle = field(default_factory=lambda: Bundle(0, False, ()))
    shards: Mapping[int, Shard] = field(default_factory=dict)
    keys: Mapping[int, str] = field(default_factory=dict)
    entries: Mapping[str, Entry] = field(default_factory=dict)

    def of(self, number: int, dtype: int, shape: Shape) -> Callable[[], Any] | None:
        """Return a function that reads a variable; None where the index has none of its type and shape.

        Args:
            number: the number of its object.
            dtype: the code of its element type.
            shape: its lengths.
        """
        return self._read(self.keys.get(number, ""), dtype, shape)

    def named(self, name: str, dtype: int, shape: Shape) -> Callable[[], Any] | None:
        """Return the same for a variable that the index has under its name, as TensorFlow 1 stores it.

        Args:
            name: its name.
            dtype: the code of its element type.
            shape: its lengths.
        """
        return self._read(name, dtype, shape)

    def _read(self, key: str, dtype: int, shape: Shape) -> Callable[[], Any] | None:
        entry = self.entries.get(key)
        if self.index is None or entry is None or (entry.dtype, entry.shape) != (dtype, shape):
            return None
        return values(self.index, self.shards[entry.shard], entry, self.contents.big_endian)


def read(file: Source, saved: Sequence[objects.Node], notes: list[Note]) -> SavedValues:
    """Read where the values of a SavedModel's variables are; the values themselves are not read.

    Args:
        file: its ``saved_model.pb``.
        saved: its objects; the first is the root.
        notes: where a problem is noted: the graph can be read without the values.
    """
    try:
        index = file.sibling(_INDEX)
        contents = bundle.read(index)
        numbers = {entry.shard for entry in contents.entries}
        names = {number: contents.shard_name(index.name, number) for number in numbers}
        shards = {number: Shard(name, file_size(index, name)) for number, name in names.items()}
        stored = object_graph(index, contents, shards) or []
    except UsageError:
        return SavedValues()  # an export without its variables
    except UnreadableFileError as error:
        notes.append(Note(f"the values of the variables are unavailable: {error}"))
        return SavedValues()
    missing = sorted(shard.name for shard in shards.values() if shard.size is None)
    if missing:
        notes.append(Note(f'the data file "{missing[0]}" is missing: values in it cannot be read'))
    entries = {entry.key: entry for entry in contents.entries}
    return SavedValues(index, contents, shards, _keys(saved, stored), entries)


def _keys(saved: Sequence[objects.Node], stored: Sequence[objects.Node]) -> dict[int, str]:
    """Return the key of each object: both graphs have the same names from the root on."""
    keys: dict[int, str] = {}
    pairs, seen = [(0, 0)] if saved and stored else [], {0}
    budget = _MOST_PAIRS
    while pairs:
        number, other = pairs.pop()
        for _, key in stored[other].attributes:
            keys.setdefault(number, key)
        there = dict(stored[other].children)
        budget -= 1 + len(there)
        if budget < 0:
            break
        for name, child in saved[number].children:
            twin = there.get(name)
            if child < len(saved) and child not in seen and twin is not None and twin < len(stored):
                seen.add(child)
                pairs.append((child, twin))
    return keys
