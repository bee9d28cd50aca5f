"""A separate program that lists an HDF5 file's groups, datasets and a few attributes as JSON.

It runs in a child process because libhdf5 is not memory-safe: if a damaged file crashes it, only the
child dies. Run it as ``python -I _hdf5_child.py REQUEST`` where the request is a JSON object
``{"path", "offset", "size", "search", "limits", "parent", "seconds", "objects"}``. Without a path the file is
remote: the child requests ranges from the parent on stdout, and receives them on stdin.

It follows hard links only, never reads a dataset, and never asks a virtual dataset for its shape,
which would open other files.
"""

from __future__ import annotations

import io
import json
import runpy
import struct
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

SKIPPED = frozenset({b"optimizer", b"optimizer_weights"})
LISTS = ("layer_names", "weight_names")
#: The largest request in bytes, and the read-ahead of a small read by libhdf5.
RANGE, AHEAD = 16 << 20, 1 << 12
#: Fills a view with the bytes from an offset on, and returns how many there were.
Fetch = Callable[[int, memoryview], int]
TEXTS = ("name", "model_config", "keras_version", "backend", "dtype")


def local(path: str, offset: int) -> Fetch:
    """Read from a file on this machine."""
    file = io.FileIO(path)  # open until this process ends

    def fetch(start: int, view: memoryview) -> int:
        file.seek(offset + start)
        return file.readinto(view) or 0

    return fetch


def remote(start: int, view: memoryview) -> int:
    """Read a remote file through the parent."""
    view = view[:RANGE]
    sys.stdout.buffer.write(b"?" + struct.pack("<QQ", start, len(view)))
    sys.stdout.buffer.flush()
    data = sys.stdin.buffer.read(len(view))
    if len(data) != len(view):
        raise OSError("the parent sends no more data")
    view[:] = data
    return len(data)


class Window(io.RawIOBase):
    """A file whose bytes ``fetch`` reads."""

    def __init__(self, fetch: Fetch, size: int) -> None:
        self._fetch, self._size, self._position = fetch, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(start + offset, 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")[: max(self._size - self._position, 0)]
        count = self._fetch(self._position, view) if view else 0
        self._position += count
        return count


def texts(value: Any) -> list[str]:
    items = value.ravel().tolist() if hasattr(value, "ravel") else [value]
    return [text(item) for item in items]


def text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value)


class Child(NamedTuple):
    """An object, by a hard link of a group to its address."""

    path: str
    group: Any
    name: bytes
    address: int


class Lister:
    """Walks one file and lists its contents."""

    def __init__(self, h5py: Any, objects: int) -> None:
        self.h5py = h5py
        self.remaining = objects
        self.seen: set[int] = set()
        self.groups: dict[str, dict[str, Any]] = {}
        self.datasets: dict[str, dict[str, Any]] = {}
        self.skipped: dict[str, str] = {}

    def attributes(self, oid: Any) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self.h5py.h5a.get_num_attrs(oid) == 0:
            return result
        manager = self.h5py.AttributeManager(_Holder(oid))
        for name in TEXTS:
            if name in manager:
                value = manager[name]
                if isinstance(value, (str, bytes)):
                    result[name] = text(value)
        for name in LISTS:
            if name in manager:
                result[name] = texts(manager[name])
            elif f"{name}0" in manager:
                result[name] = []
                chunk = 0
                while f"{name}{chunk}" in manager:
                    result[name] += texts(manager[f"{name}{chunk}"])
                    chunk += 1
        return result

    def walk(self, root: Any) -> None:
        stack = [Child("", root, b"/", self.h5py.h5o.get_info(root).addr)]
        while stack:
            path, group, name, address = stack.pop()
            if address in self.seen:  # of links within one file, which are all that is followed
                self.skipped[path] = "a second link to an object listed before"
                continue
            self.seen.add(address)
            self.remaining -= 1
            if self.remaining < 0:
                raise ValueError("it holds too many objects")
            oid = self.h5py.h5o.open(group, name)  # one after the other: many open ones take longer
            if isinstance(oid, self.h5py.h5d.DatasetID):
                self.dataset(path, oid)
            elif isinstance(oid, self.h5py.h5g.GroupID):
                self.groups[path] = self.attributes(oid)
                stack.extend(self.children(path, oid))

    def children(self, path: str, group: Any) -> list[Child]:
        if not group.get_num_objs():
            return []
        links: dict[bytes, tuple[int, int]] = {}
        group.links.iterate(lambda name, info: links.update({name: (info.type, info.u)}), info=True)
        result = []
        for name in list(group):
            if not path and name in SKIPPED:
                continue
            below = f"{path}/{text(name)}" if path else text(name)
            kind, address = links[name]
            if kind != self.h5py.h5l.TYPE_HARD:
                self.skipped[below] = "a link that is not followed"
                continue
            result.append(Child(below, group, name, address))
        return result[::-1]

    def dataset(self, path: str, oid: Any) -> None:
        h5d = self.h5py.h5d
        plan = oid.get_create_plist()
        layout = plan.get_layout()
        if oid.shape is None:
            self.skipped[path] = "an empty dataset, which has neither a shape nor values"
            return
        if layout not in (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED):
            self.skipped[path] = "a virtual dataset, which is not opened"
            return
        external = plan.get_external_count() > 0
        dtype = oid.dtype
        attributes = self.attributes(oid)
        # Keras stores bfloat16 as opaque bytes with an attribute that names the type.
        opaque = (
            dtype.kind == "V" and dtype.names is None and dtype.subdtype is None and "dtype" in attributes
        )
        plain = dtype.kind in "biufc" or opaque
        shape = [int(length) for length in oid.shape]
        offset = oid.get_offset() if layout == h5d.CONTIGUOUS and not external else None
        self.datasets[path] = {
            "shape": shape,
            "dtype": dtype.str if plain else None,
            "offset": offset,
            "attrs": attributes,
        }


class _Holder:
    """The interface that h5py's attribute manager needs of an object."""

    def __init__(self, oid: Any) -> None:
        self.id = oid


def main() -> None:
    request = json.loads(sys.argv[1])
    sys.path.extend(request["search"])
    import h5py

    sys.stdout.write(respond(h5py, request))
    sys.stdout.flush()


def respond(h5py: Any, request: dict[str, Any]) -> str:
    """Answer the request within its limits."""
    bounds = runpy.run_path(request["limits"])
    bounds["limit"](bounds["MEMORY"], request["seconds"], request["parent"])
    path, size = request["path"], request["size"]
    if path is None:
        file: Any = io.BufferedReader(Window(remote, size), AHEAD)
    else:
        file = Window(local(path, request["offset"]), size)
    return answer(h5py, file, request["objects"])


def answer(h5py: Any, file: Any, objects: int) -> str:
    """List an open file."""
    lister = Lister(h5py, objects)
    tree = h5py.File(file, "r")
    try:
        lister.walk(h5py.h5g.open(tree.id, b"/"))
    finally:
        tree.close()
    return json.dumps({"groups": lister.groups, "datasets": lister.datasets, "skipped": lister.skipped})


def failed(error: Exception) -> str:
    """Return an answer that describes an error."""
    return json.dumps({"error": f"{type(error).__name__}: {error}"[:300]})


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # noqa: BLE001  # whatever the file caused becomes the answer
        sys.stdout.write(failed(error))
