"""The readers that are fuzzed by coverage: what each is given, and what it does with it.

``PARTS`` read bytes by themselves. ``MODELS`` are the adapters of whole files: each reads the sample of its
format, in which the bytes under test have the place of one file, or of one member of an archive.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shapeinspect.binary import json_text, protobuf
from shapeinspect.binary.cursor import Cursor
from shapeinspect.binary.flatbuffer import Buffer, Table
from shapeinspect.binary.pickles.reader import names_in, read_pickle, read_pickle_at
from shapeinspect.binary.window import Window
from shapeinspect.binary.zip_reader import Archive
from shapeinspect.errors import UnreadableFileError

_DEPTH, _NUMBERS = 6, 1000


def _window(data: bytes) -> None:
    """Read spans and parts of which the first bytes say where they are."""
    with Window.from_bytes(data[16:], "m") as window:
        start, end = struct.unpack("<qq", data[:16].ljust(16, b"\0"))
        window.part(start, end).span(0, min(end, 64))
        window.span(start, end)
        window.whole(start, end)


def _cursor(data: bytes) -> None:
    """Take, skip and look ahead, as each first byte of a step says."""
    cursor = Cursor(io.BytesIO(data), len(data), "m", "<")
    while cursor.remaining:
        step = cursor.byte()
        count = cursor.number("<bBhHiIqQ"[1 + step % 8])
        (cursor.take, cursor.skip, cursor.ahead)[step // 8 % 3](max(count, 0) % (1 << 40))


def _json(data: bytes) -> None:
    json_text.parse(data, "m", "the header")


def _long_json(data: bytes) -> None:
    json_text.parse_object(data, "m", "the configuration", long_integers=True)


def _pickle(data: bytes) -> None:
    names_in(data)
    with Window.from_bytes(data, "m") as window:
        try:
            read_pickle_at(window, 0, len(data), keep=16)
        except UnreadableFileError:
            read_pickle(data, "m")


def _messages(window: Window, start: int, end: int, depth: int) -> Iterator[None]:
    """Read every field as each thing that it may be."""
    for found in protobuf.fields(window, start, end):
        yield
        protobuf.signed(found.value)
        if found.wire == protobuf.BYTES and depth:
            for read in (protobuf.text, protobuf.integers):
                try:
                    read(window, found)
                except UnreadableFileError:
                    continue
            try:
                yield from _messages(window, found.start, found.end, depth - 1)
            except UnreadableFileError:
                continue


def _protobuf(data: bytes) -> None:
    with Window.from_bytes(data, "m") as window:
        budget = protobuf.Budget(window, "it has too many fields", 100_000)
        for _ in _messages(window, 0, len(data), _DEPTH):
            budget.spend()


def _flatbuffer(data: bytes) -> None:
    with Window.from_bytes(data, "m") as window:
        _table(Buffer(window).root(), _DEPTH, [_NUMBERS])


def _table(table: Table, depth: int, left: list[int]) -> None:
    """Read the first slots of a table as each thing that they may be."""
    for slot in range(8):
        if left[0] < 0:
            return
        left[0] -= 1
        reads: tuple[Callable[[], object], ...] = (
            lambda slot=slot: table.number(slot, "i"), lambda slot=slot: table.real(slot),
            lambda slot=slot: table.integers(slot), lambda slot=slot: table.numbers(slot, "q"),
            lambda slot=slot: table.text(slot), lambda slot=slot: table.texts(slot),
        )  # fmt: skip
        for read in reads:
            try:
                read()
            except UnreadableFileError:
                continue
        if not depth:
            continue
        inner: list[Table | None] = []
        for tables in (lambda slot=slot: [table.table(slot)], lambda slot=slot: table.tables(slot)[:8]):
            try:
                inner += tables()
            except UnreadableFileError:
                continue
        for one in inner:
            if one is not None:
                try:
                    _table(one, depth - 1, left)
                except UnreadableFileError:
                    continue


def _zip(data: bytes) -> None:
    with Window.from_bytes(data, "m") as window:
        archive = Archive(window, keys=bool(len(data) % 2))
        for name in list(archive.members)[:20]:
            try:
                archive.begin(archive.members[name], 64)
                archive.read(name, 1 << 20)
            except UnreadableFileError:
                continue


def _numpy(data: bytes) -> None:
    from shapeinspect_numpy.header import read_header

    read_header(lambda count: data[:count], "m", "a")


def _snappy(data: bytes) -> None:
    from shapeinspect_tensorflow.tables import snappy

    try:
        snappy.decode(data)
    except ValueError:
        return


def _tf_table(data: bytes) -> None:
    """Read a table of one block with the right sums: the bytes, packed or not, as the first one says."""
    from shapeinspect_tensorflow.tables import table
    from shapeinspect_tensorflow.tables.crc32c import masked

    def block(content: bytes, packing: int) -> bytes:
        stored = content + bytes([packing])
        return stored + masked(stored).to_bytes(4, "little")

    def number(value: int) -> bytes:
        return bytes([value & 127 | 128, value >> 7 & 127 | 128, value >> 14])

    whole = block(data[1:], data[0] % 2 if data else 0)
    handle = number(0) + number(len(data[1:]))
    entry = bytes([0, 1, len(handle)]) + b"z" + handle + bytes(4) + b"\1\0\0\0"
    footer = (number(0) + number(0) + number(len(whole)) + number(len(entry))).ljust(table.FOOTER - 8, b"\0")
    made = whole + block(entry, 0) + footer + table.MAGIC.to_bytes(8, "little")
    with Window.from_bytes(made, "m") as window:
        list(table.entries(window))


#: Readers of bytes by themselves, and what each begins with.
PARTS: dict[str, Callable[[bytes], None]] = {
    "window": _window, "cursor": _cursor, "json": _json, "long-json": _long_json, "pickle": _pickle,
    "protobuf": _protobuf, "flatbuffer": _flatbuffer, "zip": _zip, "numpy-header": _numpy,
    "tf-snappy": _snappy, "tf-table": _tf_table,
}  # fmt: skip


def _planted(data: bytes) -> None:
    """Fail at four bytes that chance alone does not find one after another."""
    if data[:1] == b"S" and data[1:2] == b"I" and data[2:3] == b"\x80" and data[3:4] == b"!":
        raise ZeroDivisionError


#: A reader with a fault, which shows that one is found.
PLANTED: dict[str, Callable[[bytes], None]] = {"planted": _planted}


@dataclass(frozen=True)
class Place:
    """Where the bytes under test stand in a sample.

    Args:
        sample: the format.
        member: the end of the name of the member of its archive; the whole damaged file without one.
    """

    sample: str
    member: str = ""


#: Adapters, and the place of the bytes in the sample of their format.
MODELS: dict[str, Place] = {
    "torch-zip": Place("torch-zip"),
    "torch-zip-pickle": Place("torch-zip", "/data.pkl"),
    "torch-module-pickle": Place("torch-module", "/data.pkl"),
    "torch-legacy": Place("torch-legacy"),
    "torch-tar": Place("torch-tar"),
    # torch adds a number to the name of a class that it has compiled before.
    "torchscript-code": Place("torchscript", "/__torch__/torch/nn/modules/container"),
    "torchscript-pickle": Place("torchscript", "/data.pkl"),
    "torch-export-graph": Place("torch-export", "/model.json"),
    "torch-distributed": Place("torch-distributed"),
    "safetensors": Place("safetensors"),
    "safetensors-index": Place("safetensors-index"),
    "huggingface-config": Place("huggingface-config"),
    "peft-adapter": Place("peft-adapter"),
    "keras-config": Place("keras-npz", "config.json"),
    "keras-npz": Place("keras-npz", ".npz"),
    "keras-h5": Place("keras-h5"),
    "keras-weights": Place("keras-weights"),
    "tf-checkpoint": Place("tf-checkpoint"),
    "tf-saved-model": Place("tf-saved-model"),
    "tf-graph": Place("tf-graph"),
    "tflite": Place("tflite"),
    "onnx": Place("onnx"),  # without the child that infers shapes: its code is not Python's
    "gguf": Place("gguf"),
    "flax-msgpack": Place("flax-msgpack"),
    "orbax-zarr3": Place("orbax-zarr3"),
    "npz": Place("npz"),
    "npz-deflated": Place("npz-deflated"),
    "npy": Place("npy"),
}
ALL = (*PARTS, *MODELS)
#: Readers with a library of C in them, which runs in the same process here: it may end that one, as it does
#: the child that a user has.
CRASHING = ("keras-h5", "keras-weights")

#: The plug-in whose code is followed, by the beginning of a reader's name; ``shapeinspect.binary`` always is.
_PACKAGES = {
    "numpy": "numpy", "np": "numpy", "keras": "keras", "tf": "tensorflow", "onnx": "onnx", "gguf": "gguf",
    "flax": "flax", "orbax": "flax", "safetensors": "torch", "huggingface": "torch", "peft": "torch",
    "torch": "torch",
}  # fmt: skip


def packages(name: str) -> list[str]:
    """Return the packages whose code leads the fuzzing of a reader.

    Args:
        name: the reader.
    """
    if name in PLANTED:
        return ["readers"]
    owner = next((package for start, package in _PACKAGES.items() if name.startswith(start)), None)
    return ["shapeinspect.binary", *([f"shapeinspect_{owner}"] if owner else [])]


@dataclass
class Model:
    """A sample in which the bytes under test stand, and the adapter that reads it.

    Args:
        home: a directory that holds the sample and nothing else.
        show: what is read, relative to it.
        damaged: the file that holds the bytes.
        member: as in :class:`Place`.
    """

    home: Path
    show: str
    damaged: str
    member: str = ""
    members: dict[str, bytes] = field(default_factory=dict)

    def seed(self) -> bytes:
        """Return the bytes of the sample that stand at the place."""
        whole = (self.home / self.damaged).read_bytes()
        if not self.member:
            return whole
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            self.members = {name: archive.read(name) for name in archive.namelist()}
        return self.members[self._name()]

    def _name(self) -> str:
        named = (name for name in self.members if self.member in name and not name.endswith(".debug_pkl"))
        return next(named)

    def read(self, data: bytes) -> None:
        """Read the sample with other bytes at the place, and every number in it that is small."""
        from shapeinspect import registry
        from shapeinspect.sources.source import from_path

        _leave_out_the_children()
        if self.member:
            made = io.BytesIO()
            with zipfile.ZipFile(made, "w") as archive:
                for name, content in {**self.members, self._name(): data}.items():
                    archive.writestr(zipfile.ZipInfo(name), content)
            data = made.getvalue()
        (self.home / self.damaged).write_bytes(data)
        request = from_path(self.home / self.show)
        model: Any = registry.choose(request).read(request)
        for layer in model.layers:
            for weight in layer.weights:
                if weight.values is not None and weight.size is not None and weight.size <= _NUMBERS:
                    _numbers(weight)


def _leave_out_the_children() -> None:
    from shapeinspect_keras.containers import hdf5
    from shapeinspect_onnx.graph.isolated import Worker

    Worker.__enter__ = _without_process  # type: ignore[method-assign]  # each start takes 200 times one reading
    hdf5.ask = _list_here


def _list_here(source: Any, request: str, offset: int, size: int) -> bytes:
    """List an HDF5 file as the child does, in this process, so that its code is followed."""
    import h5py

    from shapeinspect_keras.containers import _hdf5_child, hdf5_process

    os.environ.update(hdf5_process.ENVIRONMENT)
    asked = json.loads(request)
    window = _hdf5_child.Window(_hdf5_child.local(asked["path"], asked["offset"]), asked["size"])
    try:
        return _hdf5_child.answer(h5py, window, asked["objects"]).encode()
    except Exception as error:  # noqa: BLE001  # as the child itself does
        return _hdf5_child.failed(error).encode()


def _without_process(worker: Any) -> Any:
    worker._process = None
    return worker


def _numbers(weight: Any) -> None:
    try:
        weight.values()
    except UnreadableFileError:
        return
