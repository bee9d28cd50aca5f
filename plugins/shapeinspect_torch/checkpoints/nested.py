"""Reads checkpoints that are stored uncompressed inside another file."""

from __future__ import annotations

from dataclasses import replace

from shapeinspect.binary.window import Window
from shapeinspect.sources.source import Source
from shapeinspect_torch.checkpoints.checkpoint import loaded
from shapeinspect_torch.checkpoints.shards import Shard
from shapeinspect_torch.checkpoints.torch_zip import open_zip
from shapeinspect_torch.pickles.tensors import Storage
from shapeinspect_torch.pickles.values import Extent


def read_nested(source: Source, window: Window, start: int, size: int, name: str) -> Shard:
    """Read an archive of ``torch.save`` that is a part of a file.

    Args:
        source: the file.
        window: the same file, open.
        start: the offset of the archive.
        size: its length in bytes.
        name: its name, for errors.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or hostile.
    """
    if size > window.size - start:
        raise window.fail(f"{name} reaches beyond the end of the file", start)
    container = open_zip(window.part(start, size, f"{source.label}: {name}"))

    def locate(storage: Storage) -> Extent:
        # Values are read from the outer file, so the archive's offset is added.
        extent = container.locate(storage)
        if extent.member is None:
            return extent
        return extent._replace(member=extent.member._replace(header=extent.member.header + start))

    return loaded(source, replace(container, locate=locate)).shard()
