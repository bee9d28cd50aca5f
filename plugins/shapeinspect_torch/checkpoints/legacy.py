"""The two containers that ``torch.save`` wrote before 1.6: a row of pickles, and before that a tar.

Source: ``torch/serialization.py``, ``_legacy_load`` and ``_legacy_save``: five pickles (magic number,
protocol version, system, object, storage keys), then for each key an 8-byte little-endian count
and the elements. The tar has the members ``storages``, ``tensors`` and ``pickle``.
"""

from __future__ import annotations

from struct import Struct

from shapeinspect.binary.pickles.machine import MAX_BYTES
from shapeinspect.binary.pickles.reader import Pickle, read_pickle_at
from shapeinspect.binary.pickles.records import Global, Node, brief
from shapeinspect.binary.window import Window
from shapeinspect.errors import UnreadableFileError
from shapeinspect_torch.checkpoints.container import Container
from shapeinspect_torch.pickles.rebuild import Rebuilder
from shapeinspect_torch.pickles.tensors import Storage, Tensor, product, reach
from shapeinspect_torch.pickles.values import Extent
from shapeinspect_torch.vocabulary.dtypes import STORAGES

MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_COUNT = Struct("<Q")
_MAX_STORAGES = 1_000_000
_MAX_RANK = 64
_BLOCK = 512
_MAX_MEMBERS = 64


class Cursor:
    """Reads consecutive pickles from a file.

    Args:
        window: the file.
        start: the offset of the first pickle.
        end: the end of the range; the end of the file by default.
    """

    def __init__(self, window: Window, start: int = 0, end: int | None = None) -> None:
        self.label = window.label
        self._window = window
        self.position = start
        self.end = window.size if end is None else end
        #: The globals that its pickles name, in order.
        self.named: dict[Global, None] = {}

    def pickle(self) -> Pickle:
        """Read the next pickle.

        Raises:
            UnreadableFileError: if it is malformed, too large or cut off.
        """
        result = read_pickle_at(self._window, self.position, min(self.end, self.position + MAX_BYTES))
        self.position = result.end
        self.named.update(dict.fromkeys(result.globals))
        return result

    def take(self, size: int) -> bytes:
        """Read the next ``size`` bytes.

        Args:
            size: the number of bytes.

        Raises:
            UnreadableFileError: if fewer are left.
        """
        if size > self.end - self.position:
            raise UnreadableFileError(self.label, "the file is cut off", offset=self.position)
        start = self.position
        self.position += size
        return self._window.span(start, self.position)

    def skip(self, size: int) -> int:
        """Skip ``size`` bytes and return the offset of the first one.

        Args:
            size: the number of bytes.

        Raises:
            UnreadableFileError: if fewer are left.
        """
        if size > self.end - self.position:
            raise UnreadableFileError(
                self.label,
                f"{size:,} bytes of a storage reach beyond the end of the file",
                offset=self.position,
            )
        start = self.position
        self.position += size
        return start


def open_legacy(window: Window) -> Container:
    """Read the row of pickles.

    Args:
        window: the file.

    Raises:
        UnreadableFileError: if it is not one, or damaged.
    """
    cursor = Cursor(window)
    if cursor.pickle().value != MAGIC:
        raise UnreadableFileError(
            window.label,
            "it is a pickle, but not one that torch.save wrote",
            hint="save the state dict with torch.save or safetensors",
        )
    if cursor.pickle().value != _PROTOCOL:
        raise UnreadableFileError(window.label, "it uses an unknown version of torch's legacy format")
    system = cursor.pickle().value
    start = cursor.position
    pickle = cursor.pickle()
    size = cursor.position - start
    keys = cursor.pickle().value
    if not isinstance(keys, list) or len(keys) > _MAX_STORAGES:
        raise UnreadableFileError(window.label, "the list of storages is missing", offset=cursor.position)
    big = isinstance(system, dict) and system.get("little_endian") is False
    extents = _extents(cursor, pickle, [_key(key, cursor) for key in keys], big)

    def locate(storage: Storage) -> Extent:
        if storage.key not in extents:
            raise UnreadableFileError(window.label, f"the file holds no storage {storage.key!r}")
        return extents[storage.key]

    return Container("torch-legacy", pickle, size, locate, named=tuple(cursor.named))


def _extents(cursor: Cursor, pickle: Pickle, keys: list[str], big: bool) -> dict[str, Extent]:
    """Locate each storage after the pickles; its length follows from its count and its type."""
    tensors = Rebuilder(cursor.label)
    records = (item for item in pickle.outside if type(item.pid) is tuple and item.pid[:1] != ("module",))
    storages = {storage.key: storage for storage in map(tensors.storage, records)}
    extents: dict[str, Extent] = {}
    for key in keys:
        storage = storages.get(key)
        if storage is None or key in extents:
            raise UnreadableFileError(
                cursor.label, f"the type of storage {key!r} is unknown", offset=cursor.position
            )
        count = _COUNT.unpack(cursor.take(_COUNT.size))[0]
        if count != storage.size:
            raise UnreadableFileError(
                cursor.label,
                f"storage {key!r} has {count:,} elements, but its tensors state {storage.size:,}",
                offset=cursor.position - _COUNT.size,
            )
        extents[key] = Extent(cursor.skip(storage.nbytes), storage.nbytes, big)
    return extents


def open_tar(window: Window) -> Container:
    """Read the tar that torch wrote before 0.2.

    Args:
        window: the file.

    Raises:
        UnreadableFileError: if a member is missing or damaged.
    """
    members = _members(window)
    missing = [name for name in ("storages", "tensors", "pickle") if name not in members]
    if missing:
        raise UnreadableFileError(window.label, f"the tar has no member {missing[0]!r}")
    parts = {name: Cursor(window, *members[name]) for name in ("storages", "tensors", "pickle")}
    storages, extents = _tar_storages(parts["storages"])
    tensors = _tar_tensors(parts["tensors"], storages)
    cursor = parts["pickle"]
    start = cursor.position
    pickle = cursor.pickle()
    return Container(
        "torch-tar", pickle, cursor.position - start, lambda storage: extents[storage.key], loose=tensors,
        named=tuple(name for part in parts.values() for name in part.named),
    )  # fmt: skip


def _members(window: Window) -> dict[str, tuple[int, int]]:
    """List the plain files of a tar, each with the offsets of its beginning and end.

    Source: POSIX.1-1988 ustar: name in bytes 0 to 99, size in octal in 124 to 135, type in 156.
    """
    size = window.size
    members: dict[str, tuple[int, int]] = {}
    position = 0
    for _ in range(_MAX_MEMBERS):
        head = window.span(min(position, size), min(position + _BLOCK, size))
        if len(head) < _BLOCK or not head.strip(b"\0"):
            break
        try:
            length = int(head[124:136].rstrip(b" \0") or b"0", 8)
        except ValueError:
            length = -1
        start = position + _BLOCK
        if length < 0 or length > size - start:
            raise UnreadableFileError(window.label, "a member of the tar is cut off", offset=position)
        name = head[:100].rstrip(b"\0").decode("ascii", "replace").removeprefix("./")
        if head[156:157] in (b"0", b"\0"):
            if name in members:
                raise UnreadableFileError(window.label, f"member {name!r} occurs twice", offset=position)
            members[name] = (start, start + length)
        position = start + -(-length // _BLOCK) * _BLOCK
    return members


def _tar_storages(cursor: Cursor) -> tuple[dict[str, Storage], dict[str, Extent]]:
    storages: dict[str, Storage] = {}
    extents: dict[str, Extent] = {}
    for _ in range(_number(cursor)):
        key, location, kind = _fields(cursor, 3)
        dtype = STORAGES.get(kind.name) if type(kind) is Global else None
        if dtype is None:
            raise UnreadableFileError(
                cursor.label, f"storage {brief(key)} is of an unknown type", offset=cursor.position
            )
        count = _COUNT.unpack(cursor.take(_COUNT.size))[0]
        name = _key(key, cursor)
        storage = Storage(name, dtype, count, 0, location if isinstance(location, str) else "")
        storages[name] = storage
        extents[name] = Extent(cursor.skip(storage.nbytes), storage.nbytes)
    views = cursor.pickle().value
    for view in views if isinstance(views, list) else []:
        target, root, offset, count = view if isinstance(view, tuple) and len(view) == 4 else (None,) * 4
        whole = None if root is None else storages.get(_key(root, cursor))
        if whole is None or type(offset) is not int or type(count) is not int or offset < 0 or count < 0:
            raise UnreadableFileError(cursor.label, "a view names no storage", offset=cursor.position)
        if offset + count > whole.size:
            raise UnreadableFileError(
                cursor.label, f"a view reaches beyond storage {whole.key}", offset=cursor.position
            )
        storages[_key(target, cursor)] = whole._replace(start=offset)
    return storages, extents


def _tar_tensors(cursor: Cursor, storages: dict[str, Storage]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for _ in range(_number(cursor)):
        key, storage_key, _ = _fields(cursor, 3)
        name, storage = _key(key, cursor), storages.get(_key(storage_key, cursor))
        rank = int.from_bytes(cursor.take(8)[:4], "little")
        if storage is None or rank > _MAX_RANK:
            raise UnreadableFileError(cursor.label, f"tensor {name} cannot be read", offset=cursor.position)
        numbers = Struct(f"<{2 * rank + 1}q").unpack(cursor.take(8 * (2 * rank + 1)))
        shape, stride, offset = numbers[:rank], numbers[rank : 2 * rank], numbers[-1]
        fits = min(numbers) >= 0 and product(shape) < 2**63
        if not fits or storage.start + offset + reach(shape, stride) > storage.size:
            raise UnreadableFileError(
                cursor.label, f"tensor {name} reaches beyond its storage", offset=cursor.position
            )
        tensors[name] = Tensor(shape, storage.dtype, stride, storage.start + offset, storage)
    return tensors


def _key(node: Node, cursor: Cursor) -> str:
    """Return a key, which must be a text or a number; the error does not print anything else."""
    if not isinstance(node, str | int):
        raise UnreadableFileError(
            cursor.label, f"a key of a storage is {brief(node)}", offset=cursor.position
        )
    return str(node)


def _number(cursor: Cursor) -> int:
    number = cursor.pickle().value
    if type(number) is not int or not 0 <= number <= _MAX_STORAGES:
        raise UnreadableFileError(cursor.label, "a count in the tar is not a number", offset=cursor.position)
    return number


def _fields(cursor: Cursor, count: int) -> tuple[Node, ...]:
    fields = cursor.pickle().value
    if type(fields) is not tuple or len(fields) != count:
        raise UnreadableFileError(cursor.label, "an entry of the tar is malformed", offset=cursor.position)
    return fields
