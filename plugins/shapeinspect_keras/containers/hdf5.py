"""Lists an HDF5 file with a child process, and reads its values lazily without libhdf5."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from shapeinspect.binary import child_limits, json_text
from shapeinspect.binary.window import Window
from shapeinspect.errors import MissingDependencyError, UnreadableFileError
from shapeinspect.sources.source import Source
from shapeinspect_keras.containers import jsontext
from shapeinspect_keras.containers.hdf5_process import ask

if TYPE_CHECKING:
    import numpy as np

#: The child's limits: seconds of processor time for the listing (a damaged file may trap libhdf5 in a loop; a
#: small file gets less time), objects in the file.
SECONDS = 30.0
SECONDS_AT_LEAST = 1.5
BYTES_A_SECOND = 1 << 20
OBJECTS = 2_000_000

_RANK = 32
_DTYPE = re.compile(r"[a-z][a-z0-9_]{2,20}")
_TYPE = re.compile(r"[<>|=][biufcV][0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Dataset:
    """One stored array.

    Args:
        path: its path in the file.
        shape: its lengths.
        dtype: its element type in numpy's spelling, or None if it does not hold plain numbers.
        offset: the offset of its bytes in the file on disk; None if they are not contiguous.
        raw: the type of the stored bytes including the byte order, such as ``<f4``.
        file: the file that holds it, if that is not the requested one.

    Example:
        >>> Dataset("layers/dense/vars/0", (3, 5), "float32", 2048, "<f4").nbytes
        60
    """

    path: str
    shape: tuple[int, ...]
    dtype: str | None
    offset: int | None
    raw: str | None
    file: Source | None = None

    @property
    def nbytes(self) -> int | None:
        """Bytes of its values, or None where they are not plain numbers."""
        if self.raw is None:
            return None
        total = int(self.raw[2:])
        for length in self.shape:
            total *= length
        return total


@dataclass(frozen=True, slots=True)
class Tree:
    """The listing of one HDF5 file.

    Args:
        groups: the path of each group and its attributes; the root's path is empty.
        datasets: every dataset by its path.
        skipped: the paths that were not followed, and why.
    """

    groups: Mapping[str, Mapping[str, Any]]
    datasets: Mapping[str, Dataset]
    skipped: Mapping[str, str]


EMPTY = Tree({}, {}, {})


def listing(source: Source, offset: int, size: int) -> Tree:
    """List the HDF5 file at an offset of the source's file.

    Args:
        source: the request.
        offset: the offset of the HDF5 file in it.
        size: the length of the HDF5 file in bytes.

    Raises:
        UnreadableFileError: if libhdf5 refuses the file, crashes on it, or takes too long.
        MissingDependencyError: if h5py is not installed.

    Source: h5py documentation, "Python file-like objects"; HDF5 user guide, "Links".
    """
    _check_length(source, offset, size)
    request = {
        "path": None if source.path is None else os.path.abspath(source.path),
        "offset": offset,
        "size": size,
        "search": _home_of_h5py(),
        "limits": child_limits.__file__,
        "parent": os.getpid(),
        "seconds": min(SECONDS, SECONDS_AT_LEAST + _stored(source, size) / BYTES_A_SECOND),
        "objects": OBJECTS,
    }
    answer = json_text.parse(ask(source, json.dumps(request), offset, size), source.label, "the HDF5 listing")
    if not isinstance(answer, dict) or "error" in answer:
        reason = jsontext.text(jsontext.mapping(answer).get("error"), "there was no listing")
        raise UnreadableFileError(source.label, f"its HDF5 cannot be read: {reason}", hint="was it cut off?")
    return Tree(
        jsontext.mapping(answer.get("groups")),
        {
            path: _dataset(source, path, row, offset, size)
            for path, row in jsontext.mapping(answer.get("datasets")).items()
        },
        jsontext.mapping(answer.get("skipped")),
    )


def _stored(source: Source, size: int) -> int:
    """Return how many of a file's bytes are stored: a sparse file looks as long as it likes."""
    if source.path is None:
        return size
    blocks = getattr(os.stat(source.path), "st_blocks", None)
    return size if blocks is None else min(size, 512 * blocks)


#: The position of the file's length in each version of the superblock.
#: Source: HDF5 File Format Specification 3.0, II.A, "Level 0A - Format Signature and Superblock".
_END_OF_FILE = {0: 40, 1: 44, 2: 28, 3: 28}


def _check_length(source: Source, offset: int, size: int) -> None:
    """Refuse a file that is shorter than its superblock states, before a child is started for it."""
    with source.open() as file:
        file.seek(offset)
        head = file.read(min(size, 64))
    if len(head) < 64:
        raise UnreadableFileError(source.label, "its HDF5 is cut off in the first 64 bytes", offset=offset)
    position = _END_OF_FILE.get(head[8])
    eight_bytes = head[13 if head[8] < 2 else 9] == 8
    if position is None or not eight_bytes:
        return
    length = int.from_bytes(head[position : position + 8], "little")
    if length > size:
        raise UnreadableFileError(
            source.label, f"its HDF5 is cut off: it has {size:,} of {length:,} bytes", offset=offset + size
        )


def _home_of_h5py() -> list[str]:
    """Find h5py's directory without importing it: an isolated child may not search there by itself."""
    from importlib.util import find_spec

    spec = find_spec("h5py")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError("h5py", "Keras files", extra="keras")
    return [os.path.dirname(location) for location in spec.submodule_search_locations]


def _dataset(source: Source, path: str, row: Any, start: int, size: int) -> Dataset:
    fields = jsontext.mapping(row)
    shape = tuple(jsontext.sequence(fields.get("shape")))
    if len(shape) > _RANK or not all(type(length) is int and 0 <= length < 2**63 for length in shape):
        raise UnreadableFileError(source.label, f"dataset {path!r} has an impossible shape")
    raw = jsontext.text(fields.get("dtype")) or None
    if raw is not None and not _TYPE.fullmatch(raw):
        raw = None
    position = fields.get("offset")
    stored = Dataset(path, shape, None, None, raw)
    if type(position) is int:
        if position < 0 or position + (stored.nbytes or 0) > size:
            raise UnreadableFileError(
                source.label, f"dataset {path!r} reaches beyond the end", offset=start + position
            )
        position += start
    marked = jsontext.text(jsontext.mapping(fields.get("attrs")).get("dtype"))
    dtype = marked if _DTYPE.fullmatch(marked) else spelled(raw)
    return Dataset(path, shape, dtype, position if type(position) is int else None, raw)


_NAMES = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}


def spelled(raw: str | None) -> str | None:
    """Return the name of a stored type.

    Args:
        raw: its spelling in numpy with the byte order, or None.

    Example:
        >>> spelled("<f4")
        'float32'
    """
    if raw is None:
        return None
    name = _NAMES.get(raw[1])
    return name if name in (None, "bool") else f"{name}{int(raw[2:]) * 8}"


def values(source: Source, dataset: Dataset) -> Callable[[], np.ndarray[Any, Any]] | None:
    """Return a function that reads a dataset's values, or None if they are not contiguous.

    Args:
        source: the request whose file holds it.
        dataset: the dataset.
    """
    if dataset.offset is None or dataset.raw is None:
        return None
    if dataset.raw[1] == "V" and (dataset.dtype != "bfloat16" or dataset.raw != "|V2"):
        return None
    return partial(_read, dataset.file or source, dataset)


def _read(source: Source, dataset: Dataset) -> np.ndarray[Any, Any]:
    import numpy as np

    dtype, count = np.dtype(dataset.raw), dataset.nbytes or 0
    if count == 0:
        return np.zeros(dataset.shape, dtype)
    if source.path is not None:
        stored: np.ndarray[Any, Any] = np.memmap(source.path, dtype, "r", dataset.offset or 0, dataset.shape)
    else:
        raw = Window.bytes_of(source, dataset.offset or 0, count)
        stored = np.frombuffer(raw, dtype).reshape(dataset.shape)
    if dataset.dtype == "bfloat16" and stored.dtype.itemsize == 2:
        # numpy has no bfloat16: its bits are the upper half of a float32.
        return (stored.view("<u2").astype("<u4") << 16).view("<f4")
    return stored
