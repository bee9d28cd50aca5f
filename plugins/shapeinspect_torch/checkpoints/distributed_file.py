"""The ``.metadata`` of a distributed checkpoint: its tensors, their chunks, and the files that hold them.

Source: ``torch/distributed/checkpoint/metadata.py`` (``Metadata``, ``TensorStorageMetadata``,
``ChunkStorageMetadata``, ``MetadataIndex``) and ``filesystem.py`` (``_StorageInfo``): each chunk
is a complete ``torch.save`` file at an offset in one of the files next to ``.metadata``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from shapeinspect.binary.pickles.machine import MAX_BYTES
from shapeinspect.binary.pickles.reader import Pickle, read_pickle
from shapeinspect.binary.pickles.records import Global, Identity, Node, Persistent, Reduce
from shapeinspect.binary.window import Window
from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.ir import Model, Note, Weight
from shapeinspect.sources.links import check_inside
from shapeinspect.sources.source import Source
from shapeinspect.text import many
from shapeinspect_torch.checkpoints.checkpoint import loaded
from shapeinspect_torch.checkpoints.container import Container
from shapeinspect_torch.checkpoints.shards import BARE
from shapeinspect_torch.dcp_names import INDEX
from shapeinspect_torch.pickles.collect import Budget
from shapeinspect_torch.pickles.rebuild import Rebuilder
from shapeinspect_torch.pickles.tensors import Storage, Tensor, product
from shapeinspect_torch.pickles.values import Extent
from shapeinspect_torch.recognition.state_dict import layers_of

if TYPE_CHECKING:
    import numpy as np

#: The globals that every such file names besides its tensors.
_PLAIN = frozenset({
    *(f"torch.distributed.checkpoint.metadata.{name}" for name in (
        "Metadata", "MetadataIndex", "TensorStorageMetadata", "BytesStorageMetadata", "ChunkStorageMetadata",
        "TensorProperties", "StorageMeta", "_MEM_FORMAT_ENCODING")),
    "torch.distributed.checkpoint.filesystem._StorageInfo",
    *(f"{module}.{name}" for module in ("pathlib", "pathlib._local") for name in (
        "Path", "PurePath", "PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath")),
})  # fmt: skip
_MAX_KEYS = 64
_MAX_NAMED = 3
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a tensor.

    Args:
        offsets: its start index on each axis.
        sizes: its lengths.
        file: the file that holds it; empty where it is unknown.
        start: its first byte in that file.
        length: its size in that file, in bytes.
        packed: whether those bytes are transformed (compressed).
    """

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    file: str = ""
    start: int = 0
    length: int = 0
    packed: bool = False


@dataclass(frozen=True, slots=True)
class _Info:
    offsets: tuple[int, ...] | None
    index: int | None
    file: str
    start: int
    length: int
    packed: bool


def read_distributed(source: Source) -> Model:
    """Read a distributed checkpoint.

    Args:
        source: its directory, or the ``.metadata`` in it.

    Raises:
        UnreadableFileError: if its description is malformed, or a name leads outside.
    """
    file = source.sibling(INDEX) if source.is_directory else source
    try:
        return _Checkpoint(source.label, file).model()
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        # A record that is missing or of the wrong type.
        raise UnreadableFileError(
            source.label, f"its {INDEX} is malformed: {type(error).__name__} {error}"
        ) from None


class _Checkpoint:
    def __init__(self, label: str, file: Source) -> None:
        self._label, self._file = label, file
        if (file.size or 0) > MAX_BYTES:
            self._fail(f"its {INDEX} has more than {MAX_BYTES:,} bytes")
        with file.open() as opened:
            data = opened.read(MAX_BYTES)
        self._pickle = read_pickle(data, label)
        self._size = len(data)
        self._tensors = Rebuilder(label)
        self._budget = Budget(label, self._size)
        self._state = self._attributes(self._pickle.value, "Metadata")
        self._infos = self._storage(self._state.get("storage_data"))
        self._chunks: dict[str, tuple[Chunk, ...]] = {}

    def model(self) -> Model:
        """Find the model among the tensors, and note which file holds which weight."""
        paths = self._state.get("planner_data")
        paths = paths if isinstance(paths, dict) else {}
        loose: dict[str, Tensor] = {}
        tree: dict[Node, Node] = {}
        for name, entry in self._state["state_dict_metadata"].items():
            if type(name) is not str:
                self._fail("a tensor's name is not text")
            if _class(entry) == "BytesStorageMetadata":
                _put(tree, paths.get(name), name, "bytes")
                continue
            loose[name] = self._tensor(name, entry)
            _put(tree, paths.get(name), name, Persistent(name))
        pickle = Pickle(tree, self._size, self._pickle.globals, ())
        inside = Container(
            "torch-distributed", pickle, self._size, lambda _: Extent(0, 0), loose, plain=_PLAIN
        )
        result = loaded(replace(self._file, label=self._label), inside)
        keys = {item.name: item.tensor.storage.key for item in result.tensors if item.tensor.storage}
        shard = result.shard()
        weights = [self._located(weight, keys[weight.name]) for weight in shard.weights]
        layers, recognized = layers_of(weights)
        notes = (*shard.notes, *self._file_notes(tuple(keys.values())), Note(BARE), *recognized)
        return Model(
            self._label, "torch-distributed", "torch", "torch-distributed", layers, notes=notes,
            metadata=shard.metadata, described=("PyTorch distributed checkpoint",),
        )  # fmt: skip

    def _tensor(self, name: str, entry: Node) -> Tensor:
        state = self._attributes(entry, "TensorStorageMetadata")
        properties = state["properties"].state
        kind = properties["dtype"] if isinstance(properties, dict) else properties[0]
        dtype = self._tensors.dtype(kind)
        shape = self._tensors.lengths(state["size"])
        if product(shape) > 2**63 - 1:
            self._fail(f"the shape of {name!r} overflows: {shape}")
        chunks = state["chunks"]
        if type(chunks) is not list:
            self._fail(f"the chunks of {name!r} are not a list")
        for _ in chunks:
            self._budget.spend(name, 0)
        infos = self._infos.get(name, [])
        by_offsets = {info.offsets: info for info in infos}
        by_index = {info.index: info for info in infos if info.offsets is None}
        self._chunks[name] = tuple(
            self._chunk(name, shape, chunk, by_offsets, by_index.get(index))
            for index, chunk in enumerate(chunks)
        )
        return Tensor(shape, dtype, storage=Storage(name, dtype or "uint8", 0))

    def _chunk(
        self,
        name: str,
        shape: tuple[int, ...],
        entry: Node,
        by_offsets: Mapping[tuple[int, ...] | None, _Info],
        fallback: _Info | None,
    ) -> Chunk:
        state = self._attributes(entry, "ChunkStorageMetadata")
        offsets, sizes = self._tensors.lengths(state["offsets"]), self._tensors.lengths(state["sizes"])
        fits = len(offsets) == len(sizes) == len(shape) and all(
            start + length <= whole for start, length, whole in zip(offsets, sizes, shape, strict=True)
        )
        if not fits:
            self._fail(f"a chunk of {name!r} at {offsets} of {sizes} reaches beyond its shape {shape}")
        info = by_offsets.get(offsets) or fallback
        if info is None:
            return Chunk(offsets, sizes)
        return Chunk(offsets, sizes, info.file, info.start, info.length, info.packed)

    def _storage(self, entries: Node) -> dict[str, list[_Info]]:
        infos: dict[str, list[_Info]] = {}
        for key, value in entries.items() if isinstance(entries, dict) else ():
            index = self._attributes(key.key if type(key) is Identity else key, "MetadataIndex")
            state = self._attributes(value, "_StorageInfo")
            file, start, length = state["relative_path"], state["offset"], state["length"]
            if type(file) is not str or type(start) is not int or type(length) is not int:
                self._fail("the location of a chunk is malformed")
            check_inside(file, self._label)
            if start < 0 or length < 0:
                self._fail(f"a chunk in {file!r} begins at {start} and has {length} bytes"[:200])
            offset, number = index.get("offset"), index.get("index")
            info = _Info(
                None if offset is None else self._tensors.lengths(offset),
                number if type(number) is int else None,
                file,
                start,
                length,
                bool(state.get("transform_descriptors")),
            )
            if type(index["fqn"]) is not str:
                self._fail("the tensor name of a chunk is not text")
            infos.setdefault(index["fqn"], []).append(info)
        return infos

    def _located(self, weight: Weight, name: str) -> Weight:
        chunks = self._chunks[name]
        files = list(dict.fromkeys(chunk.file for chunk in chunks if chunk.file))
        more = f" and {len(files) - _MAX_NAMED:,} more" if len(files) > _MAX_NAMED else ""
        location = ", ".join(files[:_MAX_NAMED]) + more
        whole = sum(product(chunk.sizes) for chunk in chunks) == weight.size
        readable = whole and weight.dtype is not None and all(c.file and not c.packed for c in chunks)
        values = partial(_assemble, self._file, weight, chunks) if readable else None
        return replace(weight, where=location or None, values=values, storage=None)

    def _file_notes(self, shown: Sequence[str]) -> list[Note]:
        sizes: dict[str, int | None] = {}
        for name in shown:
            sizes.update((chunk.file, None) for chunk in self._chunks[name] if chunk.file)
        for file in sizes:
            try:
                sizes[file] = self._file.sibling(file).size or 0
            except UsageError:
                continue
        notes = [Note(f"the set has {many(len(sizes), 'file')}")] if sizes else []
        missing = sorted(file for file, size in sizes.items() if size is None)
        if missing:
            notes.append(Note(f"missing from the directory: {_list(missing)}"))
        incomplete, cut = [], set()
        for name in shown:
            chunks = self._chunks[name]
            whole = sum(product(chunk.sizes) for chunk in chunks)
            if whole != product(self._shape(name)) or not all(chunk.file for chunk in chunks):
                incomplete.append(name)
            for chunk in chunks:
                size = sizes.get(chunk.file)
                if size is not None and chunk.start + chunk.length > size:
                    cut.add(chunk.file)
        if incomplete:
            notes.append(Note(f"parts of these weights are missing or stored twice: {_list(incomplete)}"))
        if cut:
            notes.append(Note(f"cut off before the end of their contents: {_list(sorted(cut))}"))
        return notes

    def _shape(self, name: str) -> tuple[int, ...]:
        entry = self._state["state_dict_metadata"][name]
        return self._tensors.lengths(entry.state["size"])

    def _attributes(self, node: Node, expected: str) -> Mapping[str, Any]:
        if _class(node) != expected or not isinstance(node.state, dict):
            self._fail(f"its {INDEX} lacks a {expected}")
        state: Mapping[str, Any] = node.state
        return state

    def _fail(self, reason: str) -> NoReturn:
        raise UnreadableFileError(self._label, reason)


def _class(node: Node) -> str:
    func = node.func if type(node) is Reduce else None
    return func.name if type(func) is Global else ""


def _put(tree: dict[Node, Node], path: Node, name: str, leaf: Node) -> None:
    """Insert a leaf under the keys of the saved state dict, or at the top under its full name."""
    fits = type(path) is tuple and 0 < len(path) <= _MAX_KEYS and all(type(key) in (str, int) for key in path)
    keys = path if fits else (name,)
    node = tree
    for key in keys[:-1]:
        inner = node.setdefault(key, {})
        if type(inner) is not dict:
            keys, node = (name,), tree
            break
        node = inner
    node[keys[-1]] = leaf


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _assemble(source: Source, weight: Weight, chunks: Sequence[Chunk]) -> np.ndarray[Any, Any]:
    import numpy as np

    from shapeinspect_torch.vocabulary.element_types import element_type

    whole = np.empty(tuple(int(str(length)) for length in weight.shape), element_type(str(weight.dtype)))
    for chunk in chunks:
        part = _part(source, chunk)
        if part.shape != chunk.sizes:
            raise UnreadableFileError(
                source.label, f"a chunk in {chunk.file!r} is not of shape {chunk.sizes}"
            )
        ends = zip(chunk.offsets, chunk.sizes, strict=True)
        whole[tuple(slice(start, start + length) for start, length in ends)] = part
    return whole


def _part(source: Source, chunk: Chunk) -> np.ndarray[Any, Any]:
    from shapeinspect_torch.checkpoints.nested import read_nested

    file = source.sibling(chunk.file)
    with Window.open(file) as window:
        shard = read_nested(file, window, chunk.start, chunk.length, chunk.file)
    values: Callable[[], np.ndarray[Any, Any]] | None = shard.weights[0].values if shard.weights else None
    if values is None:
        raise UnreadableFileError(source.label, f"a chunk in {chunk.file!r} is not a plain tensor")
    return values()
