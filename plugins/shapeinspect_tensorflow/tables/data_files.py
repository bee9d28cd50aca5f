"""The data files of a checkpoint or a SavedModel: the values of variables, and the graph of objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shapeinspect.binary.window import Window
from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.sources.source import Source
from shapeinspect_tensorflow.tables import objects
from shapeinspect_tensorflow.tables.bundle import OBJECT_GRAPH, Bundle, Entry
from shapeinspect_tensorflow.vocabulary import dtypes

#: An object graph of more bytes than this is not read.
_MAX_GRAPH = 32 << 20


@dataclass(frozen=True, slots=True)
class Shard:
    """A data file.

    Args:
        name: its name.
        size: its length in bytes; None if it does not exist.
    """

    name: str
    size: int | None


def file_size(index: Source, name: str) -> int | None:
    """Return the length of a data file in bytes; None if there is none.

    Args:
        index: the ``.index`` file.
        name: the data file's name.
    """
    file = _beside(index, name)
    return None if file is None else file.size


def _open(index: Source, shard: Shard) -> Source | None:
    """Return a data file; None where there is none, or a link leads elsewhere."""
    return None if shard.size is None else _beside(index, shard.name)


def _beside(index: Source, name: str) -> Source | None:
    try:
        return index.sibling(name)
    except (UsageError, UnreadableFileError):
        return None


def object_graph(index: Source, contents: Bundle, shards: Mapping[int, Shard]) -> list[objects.Node] | None:
    """Read the graph of objects from its data file; None where there is none within the size limit.

    Args:
        index: the ``.index`` file.
        contents: what it holds.
        shards: the data files by number.

    Raises:
        UnreadableFileError: if it is malformed.
    """
    entry = next((candidate for candidate in contents.entries if candidate.key == OBJECT_GRAPH), None)
    if entry is None:
        return None
    shard = shards[entry.shard]
    end = entry.offset + entry.nbytes
    data = _open(index, shard) if shard.size is not None and end <= shard.size else None
    if data is None or not 4 < entry.nbytes <= _MAX_GRAPH:
        return None
    with Window.open(data) as window:
        # A text is stored as its length, a checksum of the length, and its bytes.
        start = entry.offset
        for byte in window.span(start, min(start + 10, end)):
            start += 1
            if byte < 0x80:
                break
        return objects.parse(window, min(start + 4, end), end)


def values(index: Source, shard: Shard, entry: Entry, big_endian: bool) -> Callable[[], Any] | None:
    """Return a function that reads the values of a variable; None where they cannot be read.

    Args:
        index: the ``.index`` file.
        shard: the data file that holds them.
        entry: the variable.
        big_endian: whether they are stored with the high byte first.
    """
    spelled = dtypes.name(entry.dtype)
    readable = spelled in dtypes.NUMPY or spelled == "bfloat16"
    if entry.slices or not readable or shard.size is None or entry.offset + entry.nbytes > shard.size:
        return None

    def read_values() -> Any:
        import numpy as np

        data = _open(index, shard)
        if data is None:
            raise UnreadableFileError(index.label, f'the data file "{shard.name}" is no longer beside it')
        with Window.open(data) as window:
            raw = window.whole(entry.offset, entry.offset + entry.nbytes)
        order: Literal["<", ">"] = ">" if big_endian else "<"
        if spelled == "bfloat16":  # the upper half of a float32
            halves = np.frombuffer(raw, f"{order}u2").astype(np.uint32)
            return (halves << 16).view(np.float32).reshape(entry.shape)
        return np.frombuffer(raw, np.dtype(spelled).newbyteorder(order)).reshape(entry.shape)

    return read_values
