"""A program of its own: lists an HDF5 file's groups, datasets and a few attributes as JSON.

It runs in a child process because libhdf5 is not memory-safe: a damaged file may crash it, and
then only the child is gone. Run it as ``python -I _hdf5_child.py REQUEST`` where the request is a
JSON object ``{"path", "offset", "size", "search", "memory", "seconds", "objects"}``. Without a path
the file is elsewhere: the parent is asked for its ranges on stdout, and they come on stdin.

It follows hard links only, never reads a dataset, and never asks a virtual dataset for its shape,
which would open other files.
"""

from __future__ import annotations

import contextlib
import io
import json
import struct
import sys
from collections.abc import Callable
from typing import Any

SKIPPED = frozenset({b"optimizer", b"optimizer_weights"})
LISTS = ("layer_names", "weight_names")
#: The most that is asked for at once, and what a small request of libhdf5 brings along.
RANGE, AHEAD = 16 << 20, 1 << 12
#: Fills a view with the bytes from a place on, and says how many there were.
Fetch = Callable[[int, memoryview], int]
TEXTS = ("name", "model_config", "keras_version", "backend", "dtype")


def local(path: str, offset: int) -> Fetch:
    """Read from a file on this machine."""
    file = io.FileIO(path)  # open until this process ends

    def fetch(start: int, view: memoryview) -> int:
        file.seek(offset + start)
        return file.readinto(view) or 0

    return fetch


def elsewhere(start: int, view: memoryview) -> int:
    """Read what the parent sends of a file that is elsewhere."""
    view = view[:RANGE]
    sys.stdout.buffer.write(b"?" + struct.pack("<QQ", start, len(view)))
    sys.stdout.buffer.flush()
    data = sys.stdin.buffer.read(len(view))
    if len(data) != len(view):
        raise OSError("nothing more comes")
    view[:] = data
    return len(data)


class Window(io.RawIOBase):
    """A file of which ``fetch`` reads the bytes."""

    def __init__(self, fetch: Fetch, size: int) -> None:
        self._fetch, self._size, self._at = fetch, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")[: max(self._size - self._at, 0)]
        count = self._fetch(self._at, view) if view else 0
        self._at += count
        return count


def limit(memory: int, seconds: float) -> None:
    """Bound this process's address space and the processor time from now on, where the platform can."""
    try:
        import resource
        import signal

        signal.setitimer(signal.ITIMER_PROF, seconds)  # which ends the process
    except (ImportError, AttributeError):
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    value = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (value, value))


def texts(value: Any) -> list[str]:
    items = value.ravel().tolist() if hasattr(value, "ravel") else [value]
    return [text(item) for item in items]


def text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value)


class Lister:
    """Walks one file and collects what it holds."""

    def __init__(self, h5py: Any, objects: int) -> None:
        self.h5py = h5py
        self.left = objects
        self.seen: set[Any] = set()
        self.groups: dict[str, dict[str, Any]] = {}
        self.datasets: dict[str, dict[str, Any]] = {}
        self.skipped: dict[str, str] = {}

    def attributes(self, oid: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.h5py.h5a.get_num_attrs(oid) == 0:
            return found
        manager = self.h5py.AttributeManager(_Holder(oid))
        for name in TEXTS:
            if name in manager:
                value = manager[name]
                if isinstance(value, (str, bytes)):
                    found[name] = text(value)
        for name in LISTS:
            if name in manager:
                found[name] = texts(manager[name])
            elif f"{name}0" in manager:
                found[name] = []
                chunk = 0
                while f"{name}{chunk}" in manager:
                    found[name] += texts(manager[f"{name}{chunk}"])
                    chunk += 1
        return found

    def walk(self, root: Any) -> None:
        stack = [("", root)]
        while stack:
            path, oid = stack.pop()
            info = self.h5py.h5o.get_info(oid)
            key = (info.fileno, info.addr)
            if key in self.seen:
                self.skipped[path] = "a second link to an object listed before"
                continue
            self.seen.add(key)
            self.left -= 1
            if self.left < 0:
                raise ValueError("it holds too many objects")
            if isinstance(oid, self.h5py.h5d.DatasetID):
                self.dataset(path, oid)
            elif isinstance(oid, self.h5py.h5g.GroupID):
                self.groups[path] = self.attributes(oid)
                stack.extend(self.children(path, oid))

    def children(self, path: str, group: Any) -> list[tuple[str, Any]]:
        found = []
        for name in list(group):
            if not path and name in SKIPPED:
                continue
            below = f"{path}/{text(name)}" if path else text(name)
            kind = group.links.get_info(name).type
            if kind != self.h5py.h5l.TYPE_HARD:
                self.skipped[below] = "a link that is not followed"
                continue
            found.append((below, self.h5py.h5o.open(group, name)))
        return found[::-1]

    def dataset(self, path: str, oid: Any) -> None:
        h5d = self.h5py.h5d
        plan = oid.get_create_plist()
        layout = plan.get_layout()
        if layout not in (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED):
            self.skipped[path] = "a virtual dataset, which is not opened"
            return
        external = plan.get_external_count() > 0
        dtype = oid.dtype
        attributes = self.attributes(oid)
        # Keras stores bfloat16 as opaque bytes, and an attribute says what they are.
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
    """What h5py's attribute manager asks of its object."""

    def __init__(self, oid: Any) -> None:
        self.id = oid


def main() -> None:
    request = json.loads(sys.argv[1])
    sys.path.extend(request["search"])
    import h5py

    sys.stdout.write(respond(h5py, request))
    sys.stdout.flush()


def respond(h5py: Any, request: dict[str, Any]) -> str:
    """Do what is requested, within its limits."""
    limit(request["memory"], request["seconds"])
    path, size = request["path"], request["size"]
    if path is None:
        file: Any = io.BufferedReader(Window(elsewhere, size), AHEAD)
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
    """Make an answer of what is wrong with a file."""
    return json.dumps({"error": f"{type(error).__name__}: {error}"[:300]})


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # noqa: BLE001  # whatever the file caused becomes the answer
        sys.stdout.write(failed(error))
