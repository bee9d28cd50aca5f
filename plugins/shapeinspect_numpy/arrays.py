"""Converts the arrays of an archive, or a single array, to weights."""

from __future__ import annotations

import io
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, BinaryIO

from shapeinspect.binary.window import Window
from shapeinspect.binary.zip_reader import Archive, Member, contents
from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Weight
from shapeinspect.sources.source import Source
from shapeinspect_numpy.header import Header, read_header
from shapeinspect_numpy.object_arrays import LIMIT, names

if TYPE_CHECKING:
    import numpy as np

_SUFFIX = ".npy"


def read_archive(source: Source) -> tuple[list[Weight], int, list[str]]:
    """Read the headers of an archive's arrays.

    Args:
        source: the archive.

    Returns:
        The arrays in the order of the archive, the number of other files in it, and the globals that the
        pickles of object arrays name.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or hostile.
    """
    weights: list[Weight] = []
    named: list[str] = []
    others, budget = 0, LIMIT
    with Window.open(source) as window:
        archive = Archive(window, keys=True)
        for member in archive.members.values():
            if not member.name.endswith(_SUFFIX):
                others += 1
                continue
            header = read_header(partial(archive.begin, member), source.label, member.name)
            if header.length + (header.nbytes or 0) > member.size:
                reason = f"{member.name!r} claims {header.nbytes:,} bytes of data, but has {member.size:,}"
                raise window.fail(reason, member.header)
            if header.itemsize is None:
                data = archive.begin(member, header.length + budget)
                named += names(data[header.length :])
                budget -= min(member.size - header.length, budget)
            weights.append(
                _weight(member.name.removesuffix(_SUFFIX), header, partial(_member, source, member))
            )
    return weights, others, list(dict.fromkeys(named))


def read_single(source: Source) -> tuple[Weight, list[str]]:
    """Read the header of a single array, which is named after its file.

    Args:
        source: the file.

    Returns:
        The array, and the globals that the pickle of an object array names.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or hostile.
    """
    name = PurePath(source.name).stem or source.label

    def more(count: int) -> bytes:
        if count <= len(source.head):
            return source.head
        with source.open() as file:
            return file.read(count)

    header = read_header(more, source.label, name)
    if header.length + (header.nbytes or 0) > (source.size or 0):
        reason = f"the array claims {header.nbytes:,} bytes of data, but the file ends earlier"
        raise UnreadableFileError(source.label, reason, offset=source.size)
    named = names(more(header.length + LIMIT)[header.length :]) if header.itemsize is None else []
    return _weight(name, header, partial(_file, source)), named


def _weight(name: str, header: Header, values: partial[np.ndarray[Any, Any]]) -> Weight:
    readable = None if header.itemsize is None else values
    return Weight(name, name, header.shape, header.dtype, header.nbytes, values=readable)


def _file(source: Source) -> np.ndarray[Any, Any]:
    with source.open() as file:
        return _read(file, source)


def _member(source: Source, member: Member) -> np.ndarray[Any, Any]:
    with Window.open(source) as window:
        data = contents(window, member, 0, member.size)
    return _read(io.BytesIO(data), source)


def _read(file: BinaryIO, source: Source) -> np.ndarray[Any, Any]:
    from numpy.lib.format import read_array

    try:
        array: np.ndarray[Any, Any] = read_array(file, allow_pickle=False)
    except ValueError as error:
        raise UnreadableFileError(source.label, str(error)) from None
    return array
