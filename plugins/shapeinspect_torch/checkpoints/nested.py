"""Checkpoints that lie inside another file, as they are."""

from __future__ import annotations

from dataclasses import replace

from shapeinspect.binary.window import Window
from shapeinspect.sources.source import Source
from shapeinspect_torch.checkpoints.checkpoint import loaded
from shapeinspect_torch.checkpoints.shards import Shard
from shapeinspect_torch.checkpoints.torch_zip import open_zip
from shapeinspect_torch.pickles.tensors import Storage
from shapeinspect_torch.pickles.values import Place


def read_nested(source: Source, window: Window, start: int, size: int, name: str) -> Shard:
    """Read an archive of ``torch.save`` that is a part of a file.

    Args:
        source: the file.
        window: the same, open.
        start: where the archive begins.
        size: how many bytes it has.
        name: what it is called, for errors.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or hostile.
    """
    if size > window.size - start:
        raise window.fail(f"{name} reaches beyond the end of the file", start)
    container = open_zip(window.part(start, size, f"{source.label}: {name}"))

    def place(storage: Storage) -> Place:
        # Values are read from the file itself, where the archive's offsets are further on.
        found = container.place(storage)
        if found.member is None:
            return found
        return found._replace(member=found.member._replace(header=found.member.header + start))

    return loaded(source, replace(container, place=place)).shard()
