"""Reads the index of a checkpoint: the types, shapes and positions of its variables.

Source: tensorflow/core/protobuf/tensor_bundle.proto and tensorflow/core/util/tensor_bundle/naming.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from shapeinspect.binary.protobuf import fields, need, signed
from shapeinspect.binary.window import Window
from shapeinspect.dims import Shape, known
from shapeinspect.sources.source import Source
from shapeinspect_tensorflow.tables.shapes import shape
from shapeinspect_tensorflow.tables.table import entries
from shapeinspect_tensorflow.vocabulary import dtypes

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_MAX_SHARDS = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a checkpoint.

    Args:
        key: its name in the index.
        dtype: the code of its element type.
        shape: its lengths.
        shard: the number of its data file.
        offset: its first byte in that file.
        nbytes: its size in that file; 0 where it is split into slices.
        slices: the number of slices; 0 for a tensor that is not split.
    """

    key: str
    dtype: int
    shape: Shape
    shard: int = 0
    offset: int = 0
    nbytes: int = 0
    slices: int = 0

    @property
    def is_string(self) -> bool:
        """Whether it contains texts."""
        return self.dtype == dtypes.STRING


@dataclass(frozen=True, slots=True)
class Bundle:
    """The content of an index.

    Args:
        shards: the number of data files.
        big_endian: whether values are stored with the high byte first.
        entries: the tensors in the order of their keys.
    """

    shards: int
    big_endian: bool
    entries: tuple[Entry, ...]

    def shard_name(self, index_name: str, shard: int) -> str:
        """Return the name of a data file.

        Args:
            index_name: the index file's own name.
            shard: the data file's number.

        Example:
            >>> Bundle(2, False, ()).shard_name("ckpt-7.index", 1)
            'ckpt-7.data-00001-of-00002'
        """
        return f"{index_name.removesuffix('.index')}.data-{shard:05d}-of-{self.shards:05d}"


def read(source: Source) -> Bundle:
    """Read a checkpoint's index.

    Args:
        source: the ``.index`` file.

    Raises:
        UnreadableFileError: if it is truncated or corrupt.
    """
    with Window.open(source) as window:
        shards, big_endian, tensors = 0, False, []
        shapes: dict[bytes, Shape | None] = {}
        for key, value in entries(window):
            if not key:
                shards, big_endian = _header(Window.from_bytes(value, source.label))
            elif shards == 0:
                raise window.fail("its first entry is not a header")
            elif not key.startswith(b"\0"):  # the slices of a tensor
                text = key.decode("utf-8", "replace")
                tensors.append(_entry(value, source.label, text, shards, shapes))
        if shards == 0:
            raise window.fail("it has no header")
    return Bundle(shards, big_endian, tuple(tensors))


def _header(window: Window) -> tuple[int, bool]:
    shards = order = 0
    for field in fields(window, 0, window.size):
        if field.number == 1:
            need(window, field, 0)
            shards = field.value
        elif field.number == 2:
            order = field.value
    if not 0 < shards <= _MAX_SHARDS:
        raise window.fail(f"it claims {shards:,} data files")
    return shards, order == 1


def _entry(value: bytes, label: str, key: str, shards: int, shapes: dict[bytes, Shape | None]) -> Entry:
    """Read one entry; of the shapes, a file has few that differ."""
    window = Window.from_bytes(value, label)
    dtype = shard = offset = nbytes = slices = 0
    dims: Shape | None = ()
    for field in fields(window, 0, window.size):
        if field.number == 1:
            dtype = field.value
        elif field.number == 2:
            need(window, field)
            raw = value[field.start : field.end]
            if raw not in shapes:
                shapes[raw] = shape(window, field.start, field.end)
            dims = shapes[raw]
        elif field.number == 3:
            shard = field.value
        elif field.number == 4:
            offset = signed(field.value)
        elif field.number == 5:
            nbytes = signed(field.value)
        elif field.number == 7:
            slices += 1
    if dims is None or not known(dims):
        raise window.fail(f"variable {key!r} has no complete shape")
    entry = Entry(key, dtype, dims, shard, offset, nbytes, slices)
    if shard >= shards or offset < 0 or nbytes < 0:
        raise window.fail(f"variable {key!r} is in shard {shard} of {shards} at byte {offset}")
    expected = dtypes.nbytes(entry.dtype, prod(dim for dim in entry.shape if isinstance(dim, int)))
    if expected is not None and not entry.slices and expected != entry.nbytes:
        raise window.fail(f"variable {key!r} takes {entry.nbytes:,} bytes, but its shape needs {expected:,}")
    return entry
