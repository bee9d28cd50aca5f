"""Checkpoints that lie inside another file, as they are."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any, BinaryIO

from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import Source
from shapeinspect_torch.checkpoints.checkpoint import loaded
from shapeinspect_torch.checkpoints.shards import Shard
from shapeinspect_torch.checkpoints.torch_zip import open_zip
from shapeinspect_torch.pickles.tensors import Storage
from shapeinspect_torch.pickles.values import Place


def read_nested(source: Source, file: BinaryIO, start: int, size: int, name: str) -> Shard:
    """Read an archive of ``torch.save`` that is a part of a file.

    Args:
        source: the file.
        file: the same, open.
        start: where the archive begins.
        size: how many bytes it has.
        name: what it is called, for errors.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or hostile.
    """
    if size > (source.size or 0) - start:
        raise UnreadableFileError(source.label, f"{name} reaches beyond the end of the file", offset=start)
    inside = replace(source, label=f"{source.label}: {name}", size=size)
    with io.BufferedReader(_Window(file, start, size)) as window:
        container = open_zip(inside, window)

        def place(storage: Storage) -> Place:
            # Values are read from the file itself, where the archive's offsets are further on.
            found = container.place(storage)
            if found.member is None:
                return found
            return found._replace(member=found.member._replace(header=found.member.header + start))

        return loaded(source, replace(container, place=place)).shard()


class _Window(io.RawIOBase):
    """A run of bytes of an open file, read as a file of its own."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._start + self._at)
        data = self._file.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
